"""The harmonised tables: one schema each, checked where the loaders hand over.

They are the contract between the loaders and everything else. Units and
allowed values stand in the descriptions.
"""

from __future__ import annotations

from typing import get_args

import pandas as pd
import pandera.pandas as pa

from ips_outcomes.study import Benefit

__all__ = ["SCHEMAS", "empty", "validate"]


def _column(dtype: object, description: str, *, nullable: bool = False, checks: pa.Check | None = None, unique: bool = False
            ) -> pa.Column:  # fmt: skip
    return pa.Column(dtype, checks, nullable=nullable, unique=unique, description=description)


_PERSON = _column(object, "The participant's pseudonymous key")
_DAY = "datetime64[s]"

SCHEMAS: dict[str, pa.DataFrameSchema] = {
    "participants": pa.DataFrameSchema({
        "person_id": _column(object, "The participant's pseudonymous key", unique=True),
        "arm": _column(object, "Arm, as the study file names it; 'all' without arms"),
        "centre": _column(object, "Centre or office", nullable=True),
        "index_date": _column(_DAY, "The date that starts the clock"),
        "index_month": _column("int64", "Calendar month of the index date, months since January 1970"),
        "birth_month": _column("Int64", "Calendar month of birth, months since January 1970", nullable=True),
        "age": _column("Int64", "Completed years at the index month", nullable=True, checks=pa.Check.in_range(0, 120)),
        "sex": _column(object, "Sex, as the study file names it", nullable=True),
        "education": _column(object, "NUS2000 code as delivered", nullable=True),
        "education_level": _column("Int64", "First digit of NUS2000, 0 to 8", nullable=True, checks=pa.Check.in_range(0, 8)),
        "upper_secondary": _column(object, "completed (level 4 to 8) or not_completed (0 to 3)", nullable=True,
                                   checks=pa.Check.isin(["completed", "not_completed"])),
        "diagnosis_group": _column(object, "Diagnosis group at inclusion", nullable=True),
    }, strict=True),
    "keys": pa.DataFrameSchema({
        "source": _column(object, "Delivery"),
        "person_id": _PERSON,
        "delivery_key": _column(object, "The person's key in that delivery"),
    }, strict=True),
    "employment": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "source_system": _column(object, "Register system, such as aa_register or a_ordning"),
        "record": _column(object, "spell (start to end) or month (speaks for its own month only)",
                          checks=pa.Check.isin(["spell", "month"])),
        "month": _column("Int64", "Calendar month of a month record, months since January 1970", nullable=True),
        "start": _column(_DAY, "First day of the job", nullable=True),
        "end": _column(_DAY, "Last day of the job; empty while it goes on", nullable=True),
        "employer": _column(object, "Pseudonymous employer", nullable=True),
        "kind": _column(object, "ordinary, freelance, or unknown (a wide table left the month blank)", checks=pa.Check.isin(["ordinary", "freelance", "unknown"])),
        "basis": _column(object, "a-ordningen's basis for counting as employed, 1a to 5b", nullable=True),
        "position_percent": _column(float, "Percent of full time", nullable=True),
        "weekly_hours": _column(float, "Agreed hours a week; unknown where not above zero", nullable=True),
    }, strict=True),
    "pay": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "employer": _column(object, "Pseudonymous employer", nullable=True),
        "kind": _column(object, "Kind of the job, as in employment"),
        "basis": _column(object, "Basis for counting as employed, as in employment", nullable=True),
        "month": _column("Int64", "Calendar month, months since January 1970"),
        "amount_ore": _column("Int64", "Cash pay in the month, whole øre"),
    }, strict=True),
    "programmes": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "scheme": _column(object, "NAV scheme code"),
        "start": _column(_DAY, "First day"),
        "end": _column(_DAY, "Last day; empty while it goes on", nullable=True),
        "employer": _column(object, "The scheme employer, in the job register's keys", nullable=True),
    }, strict=True),
    "benefits": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "benefit": _column(object, "Kind of benefit", checks=pa.Check.isin(list(get_args(Benefit)))),
        "degree": _column(float, "Percent; empty where the register does not say", nullable=True,
                          checks=pa.Check.in_range(0, 100)),
        "amount_ore": _column("Int64", "Amount over the spell, whole øre", nullable=True),
        "start": _column(_DAY, "First day"),
        "end": _column(_DAY, "Last day; empty while it goes on", nullable=True),
    }, strict=True),
    "education": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "record": _column(object, "highest (level held from start on) or course (attended from start to end)",
                          checks=pa.Check.isin(["highest", "course"])),
        "nus": _column(object, "NUS2000 code as delivered", nullable=True),
        "level": _column("Int64", "First digit of NUS2000, 0 to 8", nullable=True, checks=pa.Check.in_range(0, 8)),
        "start": _column(_DAY, "Day from which the level is held, or first day of the course"),
        "end": _column(_DAY, "Last day of the course; empty while it goes on", nullable=True),
        "completed": _column(object, "yes or no, for a course; empty where not said", nullable=True,
                             checks=pa.Check.isin(["yes", "no"])),
    }, strict=True),
    "income": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "year": _column("int64", "Calendar year; a year's total is never spread over months"),
        "income": _column(object, "Kind of income, such as wage, work or disability"),
        "amount_ore": _column("Int64", "Total of the year, whole øre", nullable=True),
    }, strict=True),
    "services": pa.DataFrameSchema({
        "person_id": _PERSON,
        "source": _column(object, "Delivery"),
        "measure": _column(object, "What was recorded, such as contact or employer_contact"),
        "date": _column(_DAY, "Day of the record"),
        "value": _column(float, "Number recorded; 1 where a row is one contact", nullable=True),
    }, strict=True),
    "centre_measures": pa.DataFrameSchema({
        "centre": _column(object, "Centre or office, as in participants"),
        "source": _column(object, "Delivery"),
        "measure": _column(object, "fidelity (total of IPS-25, 25 to 125), caseload (participants per job specialist), or another"),
        "date": _column(_DAY, "Day of the rating or count"),
        "value": _column(float, "The number"),
    }, strict=True),
    "residence": pa.DataFrameSchema({
        "person_id": _PERSON,
        "resident_from": _column(_DAY, "First day as a resident", nullable=True),
        "resident_to": _column(_DAY, "Last day as a resident; empty while resident", nullable=True),
        "death_date": _column(_DAY, "Date of death; empty while alive", nullable=True),
    }, strict=True),
    "coverage": pa.DataFrameSchema({
        "source": _column(object, "Delivery"),
        "table": _column(object, "Harmonised table that the delivery feeds"),
        "source_system": _column(object, "Register system"),
        "month": _column("int64", "Calendar month, months since January 1970"),
        "delivered": _column(bool, "Whether the delivery speaks for the month"),
    }, strict=True),
}  # fmt: skip


def empty(name: str) -> pd.DataFrame:
    """A harmonised table without rows."""
    kinds = {column: str(spec.dtype) for column, spec in SCHEMAS[name].columns.items()}
    # pandera takes days for nanoseconds, whatever it is told
    kinds = {column: _DAY if kind.startswith("datetime64") else kind for column, kind in kinds.items()}
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})


def validate(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Check a harmonised table and put its columns in the schema's order.

    Raises
    ------
    pandera.errors.SchemaErrors
        If the loaders broke their own contract.
    """
    schema = SCHEMAS[name]
    return schema.validate(table[[c for c in schema.columns if c in table] + [c for c in table if c not in schema.columns]],
                           lazy=True)  # fmt: skip
