"""Register deliveries as harmonised tables: jobs and pay, schemes, residence and death.

The tables still carry ``file`` and ``row``, so that checks between tables can
say where a row stands; both go when the tables are handed over.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.checked import NO_DAY, Reading, all_checked, months, or_nothing, stack
from ips_outcomes.loaders.delivery import Delivery
from ips_outcomes.loaders.ledger import Ledger, row_names
from ips_outcomes.loaders.periods import file_month, wide_months
from ips_outcomes.loaders.schemas import empty
from ips_outcomes.months import NO_MONTH, month_label
from ips_outcomes.study import Study

__all__ = ["load_coverage", "load_employment", "load_people", "load_programmes", "load_residence"]

#: A position above this percentage, and weekly hours above this number, are no real ones.
_MOST_PERCENT, _MOST_HOURS = 200, 168


def load_employment(reading: Reading) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Job spells and monthly job records of all sources, and pay where it is known."""
    study, ledger = reading.study, reading.ledger
    jobs, pay = [], []
    for name, delivery, rows in all_checked(reading, "jobs", "job_months"):
        monthly = delivery.layout.table == "job_months"
        columns = delivery.layout.columns
        if delivery.layout.wide is not None:
            cell = ["person_id", "file_month"]
            differ = rows[rows["kind"].notna()].groupby(cell)["kind"].transform("nunique").reindex(rows.index) > 1
            ledger.flag(rows, differ, name, "cells of one person and month that say different things", "a yes counts; is one file a "
                        "stale copy?", "severe")  # fmt: skip
        if "kind" in columns:
            not_a_job = rows["kind"].eq("none").to_numpy()
            rule = "month out of work" if delivery.layout.wide else "pension or benefit record, not a job"
            rows = ledger.set_aside(rows, not_a_job, name, rule, "not used", severity="note")
            blank = rows["kind"].isna()
            ledger.flag(rows, blank, name, "kind of job left blank", "the month is unknown unless another record says yes",
                        "warning")  # fmt: skip
            rows = rows.assign(kind=rows["kind"].fillna("unknown"))
        first, last = study.sources[name].period_numbers or (0, 0)
        if monthly:
            outside = ((rows["file_month"] < first) | (rows["file_month"] > last)).to_numpy()
            rows = ledger.set_aside(rows, outside, name, "month outside the delivery's period", "not used")
        ledger.used(name, rows)
        part = _jobs(name, delivery, rows, ledger)
        jobs.append(part)
        if "pay" in columns and monthly:
            pay.append(_pay(rows, part))
        if not monthly:
            ledger.note(name, "spell without an end", int(rows["end"].isna().sum()), len(rows),
                        f"counted until {month_label(last)}", severity="note")  # fmt: skip
    return stack(jobs), stack(pay) if pay else empty("pay")


def _jobs(name: str, delivery: Delivery, rows: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    monthly = delivery.layout.table == "job_months"
    month = rows["file_month"].to_numpy() if monthly else np.full(len(rows), NO_MONTH)
    hours = _measured(rows, "weekly_hours", _MOST_HOURS, name, ledger, "weekly hours of zero or less", "hours are unknown")
    percent = _measured(rows, "position_percent", _MOST_PERCENT, name, ledger, "position of zero percent or less",
                        "the percentage is unknown")  # fmt: skip
    return pd.DataFrame({
        "person_id": rows["person_id"].to_numpy(), "source": name,
        "source_system": delivery.layout.source_system or name,
        "record": "month" if monthly else "spell", "month": months(month), "start": or_nothing(rows, "start", NO_DAY),
        "end": or_nothing(rows, "end", NO_DAY), "employer": or_nothing(rows, "employer"),
        "kind": rows["kind"].to_numpy() if "kind" in rows else "ordinary",
        "basis": or_nothing(rows, "basis"), "position_percent": percent, "weekly_hours": hours,
        "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
    })  # fmt: skip


def _measured(
    rows: pd.DataFrame, column: str, most: int, name: str, ledger: Ledger, rule: str, action: str
) -> np.ndarray:  # fmt: skip
    """A measured number, unknown where it cannot be true."""
    if column not in rows:
        return np.full(len(rows), np.nan)
    values = rows[column].to_numpy(dtype=float)
    if (values <= 0).any():
        ledger.note(name, rule, (values <= 0).sum(), len(rows), action, severity="warning", rows=row_names(rows[values <= 0]))
    ledger.flag(rows, values > most, name, f"{rule.rsplit(' of ', 1)[0]} above {most}", action)
    return np.where((values > 0) & (values <= most), values, np.nan)


def _pay(rows: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    amount = rows["pay"].to_numpy(dtype=float)
    known = np.isfinite(amount)
    kept = jobs.loc[known, ["person_id", "source", "employer", "kind", "basis", "month"]].reset_index(drop=True)
    # money is summed as whole øre, so that sums do not depend on their order
    return kept.assign(amount_ore=pd.array(np.rint(amount[known] * 100).astype(np.int64), dtype="Int64"))


def load_programmes(reading: Reading) -> pd.DataFrame:
    """Spells on NAV schemes that really started."""
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "programmes"):
        if "status" in delivery.layout.columns:
            never = (rows["status"] != "started").to_numpy()
            rows = ledger.set_aside(rows, never, name, "participation that never started", "not used", severity="note")
        ledger.used(name, rows)
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "scheme": rows["scheme"].to_numpy(),
            "start": rows["start"].to_numpy(), "end": rows["end"].to_numpy(), "employer": or_nothing(rows, "employer"),
            "file": rows["file"].to_numpy(), "row": rows["row"].to_numpy(),
        }))  # fmt: skip
    return stack(parts) if parts else empty("programmes")


def load_people(reading: Reading) -> pd.DataFrame:
    """Month of birth, sex and date of death from the population register, a row a person.

    A death that is known by its month only is dated to the month's first day:
    the month is then one in which the person is dead.
    """
    parts, ledger, keys = [], reading.ledger, reading.keys
    for name, delivery, rows in all_checked(reading, "people"):
        twice = rows.duplicated("person_id").to_numpy()
        rows = _filled(rows, ("birth_month", "death_date", "death_month")) if twice.any() else rows
        rows = ledger.set_aside(rows, twice, name, "person with several rows of fixed information",
                                "the first row is kept, what it lacks is taken from the next", severity="severe")  # fmt: skip
        ledger.used(name, rows)
        _refuse_too_few(delivery.label, rows["person_id"].nunique(), keys[keys["source"] == name]["person_id"].nunique())
        birth, death = or_nothing(rows, "birth_month", NO_MONTH), or_nothing(rows, "death_date", NO_DAY)
        if "death_month" in rows:
            month = rows["death_month"].to_numpy(dtype=np.int64)
            first_day = np.where(month == NO_MONTH, np.datetime64("NaT"), month.astype("datetime64[M]").astype("datetime64[s]"))
            death = np.where(np.isnat(death), first_day, death)
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "birth_month": months(birth), "death_date": death.astype("datetime64[s]"),
        }))  # fmt: skip
    if parts:
        return stack(parts).drop_duplicates("person_id", ignore_index=True)
    return pd.DataFrame({"person_id": pd.Series(dtype=object), "birth_month": pd.Series(dtype="Int64"),
                         "death_date": pd.Series(dtype="datetime64[s]")})  # fmt: skip


def _filled(rows: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """What a person's first row lacks, above all a death, from the person's next row that has it."""
    for column in columns:
        if column in rows:
            known = rows[column].notna() & (rows[column] != NO_MONTH)
            first = rows[known].drop_duplicates("person_id").set_index("person_id")[column]
            rows = rows.assign(**{column: rows[column].where(known, rows["person_id"].map(first))})
            if column != "death_date":
                rows = rows.assign(**{column: rows[column].fillna(NO_MONTH).astype(np.int64)})
    return rows


def load_residence(reading: Reading, people: pd.DataFrame) -> pd.DataFrame:
    """Spells as a resident, each with the person's date of death."""
    parts, ledger = [], reading.ledger
    for name, delivery, rows in all_checked(reading, "residence"):
        if "status" in delivery.layout.columns:
            elsewhere = (rows["status"] != "resident").to_numpy()
            rows = ledger.set_aside(rows, elsewhere, name, "spell that is not one of residence", "not used", severity="note")
        ledger.used(name, rows)
        listed = reading.keys[reading.keys["source"] == name]["person_id"]
        without = ~listed.drop_duplicates().isin(rows["person_id"])
        ledger.note(name, "participants on the list without any residence row", without.sum(), len(without),
                    "not observed, reason not_linked", severity="severe", unit="people")  # fmt: skip
        _refuse_too_few(delivery.label, rows["person_id"].nunique(), listed.nunique())
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "resident_from": rows["start"].to_numpy(),
            "resident_to": rows["end"].to_numpy(),
        }))  # fmt: skip
    table = stack(parts) if parts else pd.DataFrame({"person_id": people["person_id"], "resident_from": pd.NaT,
                                                     "resident_to": pd.NaT})  # fmt: skip
    table = table.merge(people[["person_id", "death_date"]], on="person_id", how="outer")
    dates = ["resident_from", "resident_to", "death_date"]
    table[dates] = table[dates].astype("datetime64[s]")
    return table.sort_values(["person_id", "resident_from"], kind="stable", ignore_index=True)


def _refuse_too_few(file: str, found: int, listed: int) -> None:
    if found < 0.5 * listed:
        rule = f"the delivery holds {found:,} of the {listed:,} people on its linkage list, under half"
        raise DataError([Problem(file, rule, "check that the linkage list belongs to this delivery")])


def load_coverage(study: Study, ledger: Ledger) -> pd.DataFrame:
    """What each delivery speaks for: a row a source and calendar month, delivered or not."""
    parts = []
    for name, layout in study.layouts.items():
        source = study.sources[name]
        if source.period_numbers is None:
            continue
        first, last = source.period_numbers
        span = np.arange(first, last + 1)
        delivered = np.ones(len(span), dtype=bool)
        told = [file_month(path, layout) for path in study.paths(name)] if layout.file_month else wide_months(study, name)
        if told:
            delivered = np.isin(span, told)
            gone = ", ".join(month_label(int(m)) for m in span[~delivered][:6])
            what = "monthly file missing" if layout.file_month else "month without a column"
            ledger.note(name, what + (f" ({gone})" if gone else ""), (~delivered).sum(), len(span),
                        "the month is not observed for anybody", severity="severe", unit="months")  # fmt: skip
            if delivered.sum() > 1 and len(set(span[delivered] % 12)) == 1:
                ledger.note(name, "the register is dated once a year", int(delivered.sum()), len(span),
                            "each status speaks for its own month only, never for the year", severity="severe",
                            unit="months")  # fmt: skip
        parts.append(pd.DataFrame({
            "source": name, "table": layout.table, "source_system": layout.source_system or name,
            "month": span, "delivered": delivered,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)
