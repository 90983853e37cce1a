"""Register deliveries as harmonised tables: jobs and pay, schemes, residence and death."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.delivery import Delivery, file_month, read_delivery
from ips_outcomes.loaders.keys import attach_people
from ips_outcomes.loaders.ledger import Ledger, Severity, row_names
from ips_outcomes.months import NO_MONTH, month_label
from ips_outcomes.study import Study

#: Above this share, what looks like slips is a wrong column.
_SLIPS = 0.05

__all__ = ["load_coverage", "load_employment", "load_people", "load_programmes", "load_residence"]


def _checked(study: Study, name: str, listed: pd.DataFrame, ledger: Ledger) -> tuple[Delivery, pd.DataFrame]:
    """The rows of known people, without those that repeat others or that cannot be true."""
    delivery = read_delivery(study, name, ledger)
    if "employer" in delivery.layout.columns:
        # every key that the register uses, also in rows that are set aside
        ledger.employers[name] = frozenset(delivery.rows["employer"].dropna())
    rows = attach_people(delivery, listed, ledger)
    values = [c for c in rows.columns if c not in ("row", "file")]
    rows = ledger.set_aside(rows, rows.duplicated(values), name, "row that repeats another", "not used", severity="note")
    for column, spec in delivery.layout.columns.items():
        bad = rows[f"bad_{column}"].to_numpy() if f"bad_{column}" in rows else np.zeros(len(rows), dtype=bool)
        if spec.type == "date":
            rows = ledger.set_aside(rows, bad, name, f"impossible date in {column}", "not used")
        elif spec.type == "code":
            rows = ledger.set_aside(rows, bad, name, f"code in {column} that the layout does not know", "not used",
                                    severity="severe")  # fmt: skip
        elif bad.any():
            ledger.note(name, f"unreadable value in {column}", bad.sum(), len(rows), "the value is unknown",
                        severity="warning", rows=row_names(rows[bad]))  # fmt: skip
    if {"start", "end"} <= set(delivery.layout.columns):
        if delivery.layout.table != "job_months":
            without = rows["start"].isna()
            # a few are slips; many mean that another column holds the start
            severity: Severity = "severe" if without.mean() > _SLIPS else "warning"
            rows = ledger.set_aside(rows, without, name, "spell without a start", "not used", severity)
        reversed_ = (rows["end"] < rows["start"]).to_numpy()
        rows = ledger.set_aside(rows, reversed_, name, "spell that ends before it starts", "not used")
    return delivery, rows


def _all_checked(
    study: Study, names: list[str], keys: pd.DataFrame, ledger: Ledger
) -> list[tuple[str, Delivery, pd.DataFrame]]:  # fmt: skip
    """Each source in turn, so that the problems of all are told at once."""
    read, problems = [], list[Problem]()
    for name in names:
        try:
            read.append((name, *_checked(study, name, keys[keys["source"] == name], ledger)))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return read


def load_employment(study: Study, keys: pd.DataFrame, ledger: Ledger) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Job spells and monthly job records of all sources, and pay where it is known."""
    jobs, pay = [], []
    for name, delivery, rows in _all_checked(study, study.sources_of("jobs", "job_months"), keys, ledger):
        monthly = delivery.layout.table == "job_months"
        columns = delivery.layout.columns
        if "kind" in columns:
            not_a_job = rows["kind"].eq("none").to_numpy()
            rows = ledger.set_aside(rows, not_a_job, name, "pension or benefit record, not a job", "not used", severity="note")
        first, last = study.sources[name].period_numbers or (0, 0)
        if monthly:
            outside = ((rows["file_month"] < first) | (rows["file_month"] > last)).to_numpy()
            rows = ledger.set_aside(rows, outside, name, "month outside the delivery's period", "not used")
        ledger.rows_used[name] = len(rows)
        number = len(rows)
        month = rows["file_month"].to_numpy() if monthly else np.full(number, NO_MONTH)
        optional = {c: rows[c].to_numpy() if c in columns else np.full(number, None, dtype=object)
                    for c in ("employer", "basis")}  # fmt: skip
        numeric = {c: rows[c].to_numpy(dtype=float) if c in columns else np.full(number, np.nan)
                   for c in ("position_percent", "weekly_hours", "pay")}  # fmt: skip
        hours = numeric["weekly_hours"]
        if (hours <= 0).any():
            ledger.note(name, "weekly hours of zero or less", (hours <= 0).sum(), number, "hours are unknown", severity="warning")
        jobs.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name,
            "source_system": delivery.layout.source_system or name,
            "record": "month" if monthly else "spell",
            "month": _months(month), "start": rows["start"].to_numpy(), "end": rows["end"].to_numpy(),
            "employer": optional["employer"], "kind": rows["kind"].to_numpy() if "kind" in columns else "ordinary",
            "basis": optional["basis"], "position_percent": numeric["position_percent"],
            "weekly_hours": np.where(hours > 0, hours, np.nan),
        }))  # fmt: skip
        if "pay" in columns and monthly:
            known = np.isfinite(numeric["pay"])
            # money is summed as whole øre, so that sums do not depend on their order
            pay.append(pd.DataFrame({
                "person_id": rows["person_id"].to_numpy()[known], "source": name,
                "employer": optional["employer"][known], "kind": jobs[-1]["kind"].to_numpy()[known],
                "basis": optional["basis"][known], "month": _months(month[known]),
                "amount_ore": pd.array(np.rint(numeric["pay"][known] * 100).astype(np.int64), dtype="Int64"),
            }))  # fmt: skip
        open_jobs = int(rows["end"].isna().sum())
        if not monthly:
            ledger.note(name, "spell without an end", open_jobs, number, f"counted until {month_label(last)}",
                        severity="note")  # fmt: skip
    empty_pay = pd.DataFrame({
        "person_id": pd.Series(dtype=object), "source": pd.Series(dtype=object), "employer": pd.Series(dtype=object),
        "kind": pd.Series(dtype=object), "basis": pd.Series(dtype=object), "month": pd.Series(dtype="Int64"),
        "amount_ore": pd.Series(dtype="Int64"),
    })  # fmt: skip
    return _stack(jobs), _stack(pay) if pay else empty_pay


def _months(numbers: np.ndarray) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(numbers.astype(np.int64), numbers == NO_MONTH)


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)] or parts[:1]
    table = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0].reset_index(drop=True)
    order = [c for c in ("person_id", "month", "start", "end", "scheme", "employer") if c in table]
    # one order, whatever order the rows came in
    return table.sort_values(order, kind="stable", ignore_index=True)


def load_programmes(study: Study, keys: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Spells on NAV schemes that really started."""
    parts = []
    for name, delivery, rows in _all_checked(study, study.sources_of("programmes"), keys, ledger):
        if "status" in delivery.layout.columns:
            never = (rows["status"] != "started").to_numpy()
            rows = ledger.set_aside(rows, never, name, "participation that never started", "not used", severity="note")
        ledger.rows_used[name] = len(rows)
        known = delivery.layout.columns["scheme"].codes
        strange = ~rows["scheme"].isin(known) if known else pd.Series(False, index=rows.index)
        ledger.note(name, "scheme code that the layout does not know", strange.sum(), len(rows), "kept; no rule looks for it",
                    severity="severe", rows=row_names(rows[strange]))  # fmt: skip
        employer = rows["employer"].to_numpy() if "employer" in rows else np.full(len(rows), None, dtype=object)
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "source": name, "scheme": rows["scheme"].to_numpy(),
            "start": rows["start"].to_numpy(), "end": rows["end"].to_numpy(), "employer": employer,
        }))  # fmt: skip
    if parts:
        return _stack(parts)
    dates = pd.Series(dtype="datetime64[s]")
    texts = pd.Series(dtype=object)
    return pd.DataFrame({"person_id": texts, "source": texts, "scheme": texts, "start": dates, "end": dates, "employer": texts})


def load_people(study: Study, keys: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Month of birth and date of death from the population register, a row a person."""
    parts = []
    for name, delivery, rows in _all_checked(study, study.sources_of("people"), keys, ledger):
        twice = rows.duplicated("person_id").to_numpy()
        rows = ledger.set_aside(rows, twice, name, "person with several rows of fixed information", "the first row is kept",
                                severity="severe")  # fmt: skip
        ledger.rows_used[name] = len(rows)
        _refuse_too_few(delivery.label, rows["person_id"].nunique(), keys[keys["source"] == name]["person_id"].nunique())
        birth = rows["birth_month"].to_numpy() if "birth_month" in rows else np.full(len(rows), NO_MONTH)
        death = rows["death_date"].to_numpy()
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "birth_month": _months(birth), "death_date": death,
        }))  # fmt: skip
    if parts:
        return _stack(parts).drop_duplicates("person_id", ignore_index=True)
    return pd.DataFrame({"person_id": pd.Series(dtype=object), "birth_month": pd.Series(dtype="Int64"),
                         "death_date": pd.Series(dtype="datetime64[s]")})  # fmt: skip


def load_residence(study: Study, keys: pd.DataFrame, people: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Spells as a resident, each with the person's date of death."""
    parts = []
    for name, delivery, rows in _all_checked(study, study.sources_of("residence"), keys, ledger):
        ledger.rows_used[name] = len(rows)
        listed = keys[keys["source"] == name]["person_id"]
        without = ~listed.drop_duplicates().isin(rows["person_id"])
        ledger.note(name, "participants on the list without any residence row", without.sum(), len(without),
                    "not observed, reason not_linked", severity="severe", unit="people")  # fmt: skip
        _refuse_too_few(delivery.label, rows["person_id"].nunique(), listed.nunique())
        parts.append(pd.DataFrame({
            "person_id": rows["person_id"].to_numpy(), "resident_from": rows["start"].to_numpy(),
            "resident_to": rows["end"].to_numpy(),
        }))  # fmt: skip
    table = _stack(parts) if parts else pd.DataFrame({"person_id": people["person_id"], "resident_from": pd.NaT,
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
        months = np.arange(first, last + 1)
        delivered = np.ones(len(months), dtype=bool)
        if layout.file_month:
            delivered = np.isin(months, [file_month(path, layout) for path in study.paths(name)])
            gone = ", ".join(month_label(int(m)) for m in months[~delivered][:6])
            ledger.note(name, "monthly file missing" + (f" ({gone})" if gone else ""), (~delivered).sum(), len(months),
                        "the month is not observed for anybody", severity="severe", unit="months")  # fmt: skip
        parts.append(pd.DataFrame({
            "source": name, "table": layout.table, "source_system": layout.source_system or name,
            "month": months, "delivered": delivered,
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)
