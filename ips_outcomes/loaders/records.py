"""Register deliveries beside work, as harmonised tables: benefits, education, yearly income, the service's own records."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd

from ips_outcomes.loaders.checked import NO_DAY, Reading, all_checked, or_nothing, stack
from ips_outcomes.loaders.ledger import Severity
from ips_outcomes.loaders.participants import education_level
from ips_outcomes.loaders.schemas import empty
from ips_outcomes.study import Benefit

__all__ = ["POSSIBLE", "load_benefits", "load_centre_measures", "load_education", "load_income", "load_services"]

#: Numbers that a centre's measure can be: 25 items of 1 to 5; people per job specialist.
POSSIBLE = {"fidelity": (25.0, 125.0), "caseload": (0.0, 200.0)}


def _ore(rows: pd.DataFrame) -> pd.arrays.IntegerArray:
    amount = or_nothing(rows, "amount", np.nan).astype(float)
    known = np.isfinite(amount)
    return pd.arrays.IntegerArray(np.rint(np.where(known, amount, 0) * 100).astype(np.int64), ~known)


def load_benefits(reading: Reading) -> pd.DataFrame:
    """Benefit spells: kind, degree in percent (unknown where the register does not say), amount."""
    parts, ledger = [], reading.ledger
    for name, _, rows in all_checked(reading, "benefits"):
        other = ~rows["benefit"].isin(get_args(Benefit)).to_numpy()
        rows = ledger.set_aside(rows, other, name, "row that is none of the benefits", "not used", severity="note")
        ledger.used(name, rows)
        degree = or_nothing(rows, "degree", np.nan).astype(float)
        impossible = (degree < 0) | (degree > 100)
        ledger.flag(rows, impossible, name, "degree below 0 or above 100 percent", "the degree is unknown")
        if "degree" in rows:
            ledger.flag(rows, np.isnan(degree), name, "degree not given", "the degree is unknown", "note")
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "benefit": rows["benefit"].to_numpy(),
            "degree": np.where(impossible, np.nan, degree), "amount_ore": _ore(rows),
            "start": rows["start"].to_numpy(), "end": rows["end"].to_numpy(),
            "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
        }))  # fmt: skip
    return stack(parts) if parts else empty("benefits")


def load_education(reading: Reading) -> pd.DataFrame:
    """Highest level by date, and courses.

    A level given for a year is the one held on 1 October of it, the day that
    Statistics Norway's highest education refers to.
    """
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "education"):
        record = delivery.layout.constants.get("record", "highest")
        if delivery.layout.wide is not None:
            rows = ledger.set_aside(rows, rows["nus"].isna(), name, "cell left blank", "not used", severity="note")
        start = or_nothing(rows, "start", NO_DAY)
        if "year" in rows:
            start = np.where(np.isnat(start), _first_october(rows["year"].to_numpy(dtype=float)), start).astype("datetime64[s]")
        rows = rows.assign(start=start)
        rows = ledger.set_aside(rows, rows["start"].isna(), name, "education without a date", "not used", severity="warning")
        ledger.used(name, rows)
        level = education_level(rows["nus"])
        plain = rows["nus"].fillna("").astype(str)
        ledger.flag(
            rows, plain.str.fullmatch(r"\d{5}"), name, "NUS code that lost its leading zero", "the zero is put back", "note"
        )
        ledger.flag(rows, level.isna(), name, "education unknown (level 9, 999999, blank or no NUS code)",
                    "unknown, never read as not completed", "note")  # fmt: skip
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "record": record, "nus": rows["nus"].to_numpy(),
            "level": level.array, "start": rows["start"].to_numpy(),
            "end": or_nothing(rows, "end", NO_DAY), "completed": or_nothing(rows, "completed"),
            "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
        }))  # fmt: skip
        if record == "highest" and len(rows):
            levels = parts[-1].groupby(["person_id", "start"])["level"].transform("nunique")
            ledger.flag(parts[-1], levels > 1, name, "different levels of education of one person on one day", "the highest counts",
                        "severe")  # fmt: skip
            held = parts[-1].sort_values(["person_id", "start"], kind="stable")
            before = held.groupby("person_id")["level"].shift()
            fell = ((held["level"] < before) & held["level"].notna()).fillna(False)
            ledger.flag(held, fell, name, "highest education lower than before", "kept as delivered", "note")
    return stack(parts) if parts else empty("education")


def _first_october(year: np.ndarray) -> np.ndarray:
    known = np.isfinite(year) & (year >= 1900) & (year <= 2100)
    day = (np.where(known, year, 1970) - 1970).astype(np.int64).astype("datetime64[Y]").astype("datetime64[M]") + 9
    return np.where(known, day.astype("datetime64[s]"), np.datetime64("NaT"))


def load_income(reading: Reading) -> pd.DataFrame:
    """Totals of a calendar year. They are never spread over its months."""
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "income"):
        kind = delivery.layout.constants.get("income", "income")
        rows = rows.assign(income=rows.get("income", kind))
        without = rows["year"].isna().to_numpy()
        rows = ledger.set_aside(rows, without, name, "yearly amount without a year", "not used")
        twice = rows.duplicated(["person_id", "year", "income"], keep=False).to_numpy()
        ledger.flag(rows, twice, name, "several totals of one person and year", "the amount is unknown", "severe")
        again = rows.duplicated(["person_id", "year", "income"]).to_numpy()
        amount = pd.Series(_ore(rows), index=rows.index).mask(twice)
        rows = ledger.set_aside(rows.assign(ore=amount), again, name, "further total of the same person and year", "not used",
                                severity="severe")  # fmt: skip
        ledger.used(name, rows)
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "year": rows["year"].to_numpy(dtype=np.int64),
            "income": rows["income"].to_numpy(), "amount_ore": rows["ore"].array,
            "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
        }))  # fmt: skip
    return stack(parts) if parts else empty("income")


def load_services(reading: Reading) -> pd.DataFrame:
    """The service's own records: contacts, plans and other process measures, each with its day."""
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "services"):
        rows = ledger.set_aside(rows, rows["date"].isna(), name, "record without a date", "not used")
        if "measure" in rows:
            rows = ledger.set_aside(rows, rows["measure"].isna(), name, "record that does not say what it is", "not used")
        ledger.used(name, rows)
        measure = rows["measure"].to_numpy() if "measure" in rows else delivery.layout.constants.get("measure", "contact")
        value = or_nothing(rows, "value", 1.0).astype(float)
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "measure": measure, "date": rows["date"].to_numpy(),
            "value": value, "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
        }))  # fmt: skip
    return stack(parts) if parts else empty("services")


def load_centre_measures(reading: Reading, centres: set[str]) -> pd.DataFrame:
    """What centres are measured by: fidelity, caseload and others, each with its day.

    Parameters
    ----------
    reading : Reading
    centres : set of str
        Centres of the participants; rows of others are set aside.
    """
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "centre_measures"):
        rows = rows.assign(measure=or_nothing(rows, "measure", delivery.layout.constants.get("measure")))
        gap = rows[["centre", "measure", "date", "value"]].isna().any(axis=1)
        rows = ledger.set_aside(rows, gap, name, "measure of a centre that lacks its centre, name, date or value", "not used")
        strange = ~rows["centre"].isin(centres)
        # a whole delivery of centres nobody belongs to means other names than the trial's
        severity: Severity = "severe" if len(rows) and strange.all() else "warning"
        rows = ledger.set_aside(rows, strange, name, "measure of a centre that no participant belongs to", "not used", severity)
        for measure, (low, high) in POSSIBLE.items():
            out = (rows["measure"] == measure) & ~rows["value"].between(low, high)
            rows = ledger.set_aside(rows, out, name, f"{measure} below {low:g} or above {high:g}", "not used", "severe")
        ledger.used(name, rows)
        columns = {column: rows[column].to_numpy() for column in ("centre", "measure", "date")}
        parts.append(pd.DataFrame({**columns, "source": name, "value": rows["value"].to_numpy(dtype=float),
                                   "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy()}))  # fmt: skip
    return stack(parts) if parts else empty("centre_measures")
