"""From a piece of a file to typed rows, as the layout says.

Every piece of every file of a source has the same columns: the layout's, a
``bad_`` mark for each (a value was there and could not be read), ``file``,
``file_month``, ``row`` (data rows from 1, the header not counted) and
``left_out`` (the row belongs to another event or form).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from ips_outcomes.loaders.columns import Found
from ips_outcomes.loaders.convert import NEVER, as_key, as_text, convert, tidied
from ips_outcomes.months import NO_MONTH, calendar_month
from ips_outcomes.study import Column, Layout, Source

__all__ = ["Tally", "as_rows", "typed", "yearly"]


#: The columns in which a day that never comes stands for "goes on".
_ENDS = ("end", "technical_end")
#: Another number than these is no calendar year.
_YEARS = (1900, 2100)


class Tally:
    """How many values of each column were read, and how many could not be."""

    def __init__(self) -> None:
        self.bad: Counter[str] = Counter()
        self.known: Counter[str] = Counter()

    def add(self, table: pd.DataFrame, layout: Layout) -> None:
        """Count one piece; rows of another event are no part of it."""
        own = ~table["left_out"].to_numpy()
        for column, spec in layout.columns.items():
            values = table[column]
            known = values.notna() if spec.type != "month" else values != NO_MONTH
            self.known[column] += int((known.to_numpy() & own).sum())
            self.bad[column] += int((table[f"bad_{column}"].to_numpy() & own).sum())

    def merge(self, other: Tally) -> None:
        """Take in what was counted elsewhere."""
        self.bad.update(other.bad)
        self.known.update(other.known)


def as_rows(raw: pd.DataFrame, found: Found, layout: Layout, first_row: int, month: int) -> pd.DataFrame:
    """Raw values under the layout's names, a row an observation: wide cells and ticked boxes included."""
    table = pd.DataFrame({column: raw[name].to_numpy() for column, name in found.names.items()}, index=range(len(raw)))
    for column, boxes in found.boxes.items():
        ticked = pd.Series("", index=table.index, dtype=object)
        for name, code in boxes:
            on = as_key(raw[name]).isin(["1", "Checked", "checked"]).to_numpy()
            ticked = ticked.where(~on, np.where(ticked == "", code, ticked + "+" + code))
        table[column] = ticked
    table["left_out"] = np.zeros(len(raw), dtype=bool)
    for name, values in found.rows.items():
        table["left_out"] |= ~(as_text(raw[name]).isin(values) | as_key(raw[name]).isin(values)).to_numpy()
    table["row"] = np.arange(first_row, first_row + len(raw))
    table["file_month"] = month
    if layout.wide is None:
        return table
    parts = []
    alike = len({raw[name].dtype for name, _, _ in found.wide}) == 1
    for name, year, month_of_year in found.wide:
        # numbers and text in one column would turn the code 201199 into 201199.0
        part = table.assign(**{layout.wide.becomes: (raw[name] if alike else as_text(raw[name])).to_numpy()})
        if month_of_year:
            part["file_month"] = calendar_month(year, month_of_year)
        else:
            part["year"] = year
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else table


def typed(
    raw: pd.DataFrame, file: str | np.ndarray, layout: Layout, source: Source, formats: dict[str, str]
) -> pd.DataFrame:  # fmt: skip
    """Typed rows of one or more pieces whose columns and formats are alike."""
    columns: dict[str, object] = {"file": file, "file_month": raw["file_month"].to_numpy(), "row": raw["row"].to_numpy(),
                                  "left_out": raw["left_out"].to_numpy()}  # fmt: skip
    for column, spec in layout.columns.items():
        if column not in raw:
            columns[column] = _nothing(len(raw), spec)
            columns[f"bad_{column}"] = np.zeros(len(raw), dtype=bool)
            continue
        values, bad = convert(
            tidied(raw[column], spec, source.values.get(column)), spec, file_format=formats.get(column, ""),
            decimal=source.decimal or layout.text.decimal, codes=source.values.get(column),
            missing=(*source.missing.get(column, ()), *(NEVER if column in _ENDS else ())),
        )  # fmt: skip
        if column == "year":
            no_year = ((values < _YEARS[0]) | (values > _YEARS[1])).to_numpy()
            values, bad = values.mask(no_year), bad | no_year
        columns[column], columns[f"bad_{column}"] = values.to_numpy(), np.asarray(bad, dtype=bool)
    if yearly(layout):
        columns["year"] = raw["year"].to_numpy(dtype=float)
    for column, constant in layout.constants.items():
        columns[column] = np.full(len(raw), constant, dtype=object)
    return pd.DataFrame(columns, index=range(len(raw)))


def yearly(layout: Layout) -> bool:
    """Whether the year of a row stands in the name of a wide column."""
    return layout.wide is not None and not layout.wide.by_month


def _nothing(number: int, spec: Column) -> np.ndarray:
    if spec.type == "date":
        return np.full(number, np.datetime64("NaT"), dtype="datetime64[s]")
    if spec.type == "month":
        return np.full(number, NO_MONTH)
    return np.full(number, np.nan) if spec.type in ("number", "integer") else np.full(number, None, dtype=object)
