"""Rows of one delivery after the rules that every register is under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.delivery import Delivery, read_delivery, read_linked
from ips_outcomes.loaders.ledger import Ledger, Severity, row_names
from ips_outcomes.loaders.linking import Engines
from ips_outcomes.months import NO_MONTH, month_number, parse_month
from ips_outcomes.study import Study
from ips_outcomes.study.layout import OF_NOBODY

__all__ = ["NO_DAY", "Reading", "all_checked", "months", "or_nothing", "stack"]

#: A date that is not known, as the tables write dates.
NO_DAY = np.datetime64("NaT", "s")
#: Above this share, and from this number on, what looks like slips is a wrong column or a code nobody explained.
_SLIPS, _SEVERAL = 0.05, 3
#: With one or two of them, the share that is too much for slips in a handful of rows.
_FEW_ROWS = 0.25


@dataclass(frozen=True)
class Reading:
    """What every loader needs: the study, its linkage lists, the ledger, the engine, and whom to tell of progress."""

    study: Study
    keys: pd.DataFrame
    ledger: Ledger
    engines: Engines
    tell: Callable[[str], None] = lambda _: None


def all_checked(reading: Reading, *tables: str) -> list[tuple[str, Delivery, pd.DataFrame]]:
    """The sources of some harmonised tables, each in turn, so that the problems of all are told at once.

    Raises
    ------
    DataError
        With the problems of all of them.
    """
    read, problems = [], list[Problem]()
    for name in reading.study.sources_of(*tables):
        try:
            read.append((name, *_checked(reading, name)))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return read


def _checked(reading: Reading, name: str) -> tuple[Delivery, pd.DataFrame]:
    """The rows of known people (of a table of centres, all), without those that repeat others or that cannot be true."""
    ledger = reading.ledger
    if reading.study.layouts[name].table in OF_NOBODY:
        delivery = read_delivery(reading.study, name, ledger)
    else:
        listed = reading.keys[reading.keys["source"] == name]
        delivery = read_linked(reading.study, name, ledger, listed, reading.engines, reading.tell)
    rows, layout = delivery.rows, delivery.layout
    values = [c for c in rows.columns if c not in ("row", "file")]
    rows = ledger.set_aside(rows, rows.duplicated(values), name, "row that repeats another", "not used", severity="note")
    for column, spec in layout.columns.items():
        bad = rows[f"bad_{column}"].to_numpy()
        if spec.type == "date" and column != "technical_end":
            # a few are slips; many are a code for missing that nobody explained, and such spells go on
            many = len(bad) > 0 and bad.mean() > (_SLIPS if bad.sum() >= _SEVERAL else _FEW_ROWS)
            slips: Severity = "severe" if many else "warning"
            rows = ledger.set_aside(rows, bad, name, f"impossible date in {column}", "not used", slips)
        elif spec.type in ("code", "checkbox") and layout.table != "people":
            rows = ledger.set_aside(rows, bad, name, f"code in {column} that the layout does not know", "not used",
                                    severity="severe")  # fmt: skip
        elif bad.any():
            # of a person's fixed information the rest is still needed: above all the date of death
            ledger.note(name, f"unreadable value in {column}", bad.sum(), len(rows), "the value is unknown",
                        severity="warning", rows=row_names(rows[bad]))  # fmt: skip
        if spec.type == "text" and spec.codes:
            strange = rows[column].notna() & ~rows[column].isin(spec.codes)
            ledger.flag(rows, strange, name, f"{column} code that the layout does not know", "kept; no rule looks for it",
                        severity="severe")  # fmt: skip
        if spec.valid_from and "start" in layout.columns:
            since = rows[column].map({code: parse_month(month) for code, month in spec.valid_from.items()}).to_numpy(dtype=float)
            early = month_number(rows["start"]) < since
            rows = ledger.set_aside(rows, early, name, f"{column} code from before it meant anything", "not used",
                                    severity="severe")  # fmt: skip
    return delivery, _spells(delivery, rows, ledger)


def _spells(delivery: Delivery, rows: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """What holds for every row with a first and a last day."""
    name, layout, source = delivery.name, delivery.layout, delivery.source
    if not {"start", "end"} <= set(layout.columns):
        return rows
    if "technical_end" in layout.columns:
        both = rows["end"].notna() & rows["technical_end"].notna()
        action = "the reported one counts" if source.spell_end == "reported" else "the technical one counts"
        ledger.flag(
            rows, both & (rows["end"] != rows["technical_end"]), name, "reported and technical end differ", action, "note"
        )
        ledger.flag(rows, rows["end"].isna() & rows["technical_end"].notna(), name, "no reported end, only a technical one",
                    "read as going on" if source.spell_end == "reported" else "the technical one counts", "note")  # fmt: skip
        if source.spell_end == "technical":
            rows = rows.assign(end=rows["technical_end"].fillna(rows["end"]))
    if layout.table != "job_months":
        without = rows["start"].isna()
        # a few are slips; many mean that another column holds the start
        severity: Severity = "severe" if without.mean() > _SLIPS else "warning"
        rows = ledger.set_aside(rows, without, name, "spell without a start", "not used", severity)
        if layout.open_end == "drop":
            rows = ledger.set_aside(rows, rows["end"].isna(), name, "spell without an end, which means an error in this register",
                                    "not used")  # fmt: skip
    rows = ledger.set_aside(rows, (rows["end"] < rows["start"]).to_numpy(), name, "spell that ends before it starts", "not used")
    if source.extracted is not None:
        taken = np.datetime64(source.extracted.isoformat())
        later = (rows["start"] > taken).to_numpy()
        ledger.flag(rows, later, name, "start after the day of extraction", "kept: announced, and outside what is delivered")
    return rows


def months(numbers: np.ndarray) -> pd.arrays.IntegerArray:
    """Calendar months with missing ones."""
    return pd.arrays.IntegerArray(numbers.astype(np.int64), numbers == NO_MONTH)


def or_nothing(rows: pd.DataFrame, column: str, nothing: object = None) -> np.ndarray:
    """A column's values, or ``nothing`` for each row where the layout has no such column."""
    if column in rows:
        return rows[column].to_numpy()
    return np.full(len(rows), nothing, dtype=object if nothing is None else None)


def stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Parts of one table under each other, in one order whatever order the rows came in."""
    filled = [part for part in parts if len(part)] or parts[:1]
    table = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0].reset_index(drop=True)
    first = ("person_id", "centre", "month", "year", "start", "date", "end", "scheme", "benefit", "employer")
    order = [c for c in first if c in table]
    return table.sort_values(order, kind="stable", ignore_index=True)
