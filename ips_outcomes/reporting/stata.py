"""Stata files: legal names, labels, extended missing values by reason, and the same bytes every time."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.reporting.codebook import Entry, missing_letters

__all__ = ["stata_names", "write_stata"]

#: Stamped into every file: the same data gives the same bytes.
_STAMP = datetime(2000, 1, 1)
_NAME, _LABEL, _TEXT = 32, 80, 2045
_RESERVED = {"_all", "_b", "byte", "_coef", "_cons", "double", "float", "if", "in", "int", "long", "_n", "_pi", "_pred", "_rc", "_skip",
             "strl", "using", "with"}  # fmt: skip
#: A byte's plain missing value; .a to .z follow it, and the same in value labels, which hold longs. A double's lie 2**40 apart.
_BYTE_MISSING, _LONG_MISSING = 101, 2_147_483_621
_DOUBLE_MISSING, _DOUBLE_STEP = 0x7FE0000000000000, 1 << 40
_WIDTH = {65530: 1, 65529: 2, 65528: 4, 65527: 4, 65526: 8}


def stata_names(columns: list[str]) -> dict[str, str]:
    """A legal name for each column: ASCII, at most 32 characters, no reserved word, all different.

    Examples
    --------
    >>> stata_names(["employed", "int", "a_definition_with_a_name_longer_than_stata_takes"])
    {'employed': 'employed', 'int': 'int_', 'a_definition_with_a_name_longer_than_stata_takes': 'a_definition_with_a_name_longer_'}
    """
    names: dict[str, str] = {}
    # names that fit keep them, whatever the longer ones would like
    fitting = {c for c in columns if _legal(c) == c}
    for column in columns:
        name, number = _legal(column), 1
        taken = set(names.values()) | (fitting - {column})
        while name in taken:
            number += 1
            name = f"{_legal(column)[: _NAME - len(str(number)) - 1]}_{number}"
        names[column] = name
    return names


def _legal(column: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", column)[:_NAME]
    if re.match(r"\d", name):
        name = f"_{name}"[:_NAME]
    reserved = name.lower() in _RESERVED or re.fullmatch(r"str\d+", name)
    return f"{name[: _NAME - 1]}_" if reserved else name


def write_stata(table: pd.DataFrame, entries: tuple[Entry, ...], path: Path, title: str) -> None:
    """Write a table as a Stata 14 file (format 118).

    Yes/no columns are bytes 0 and 1, amounts doubles; an empty cell of a
    column with reasons is ``.a`` to ``.z`` by reason, with value labels. Calendar months are %tm and
    dates %td.

    Raises
    ------
    UnsupportedError
        If a text is longer than Stata keeps in a column of text.
    """
    names, plain = stata_names([e.column for e in entries]), {}
    dates: dict[str, str] = {}
    labels: dict[str, dict[float, str]] = {}
    marks: dict[int, NDArray[np.uint8]] = {}
    for place, entry in enumerate(entries):
        values, name = table[entry.column], names[entry.column]
        if entry.kind == "text":
            values = _text(values, entry)
        elif entry.kind == "yes/no":
            labels[name] = {0: "no", 1: "yes"}
            values = values.astype("Int8")
        elif entry.kind == "month":
            dates[name] = "tm"
            values = _first_days(values)
        elif entry.kind == "date":
            dates[name] = "td"
        elif entry.labels:
            labels[name] = {float(code): text for code, text in entry.labels}
        if entry.reasons:
            marks[place], more = _reasons(values, table["reason"], entry)
            labels[name] = labels.get(name, {}) | more
            values = values if entry.kind == "yes/no" else values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        plain[name] = values
    described = {names[e.column]: _short(e.meaning) for e in entries}
    pd.DataFrame(plain).to_stata(path, write_index=False, version=118, byteorder="little", time_stamp=_STAMP, data_label=_short(title),
                                 variable_labels=described, value_labels=labels, convert_dates=dates)  # fmt: skip
    _mark_missing(path, marks, len(entries), len(table))


def _text(values: pd.Series, entry: Entry) -> pd.Series:
    texts = values.astype(object).where(values.notna(), "").astype(str)
    longest = max((len(t.encode()) for t in texts.unique()), default=0)
    if longest > _TEXT:
        raise UnsupportedError(
            f"a text in {entry.column} has {longest:,} bytes, and Stata keeps {_TEXT}: leave Stata out of the formats"
        )
    return texts


def _first_days(months: pd.Series) -> pd.Series:
    """Months written yyyymm as the first day of each."""
    number = months.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(number)
    whole = np.where(known, number, 197001).astype(np.int64)
    days = (whole // 100 * 12 + whole % 100 - 1 - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]")
    return pd.Series(np.where(known, days, np.datetime64("NaT", "s")), index=months.index)


def _reasons(values: pd.Series, reason: pd.Series, entry: Entry) -> tuple[NDArray[np.uint8], dict[float, str]]:
    """The place in the alphabet of each empty cell's letter, 0 elsewhere, and the labels of the letters."""
    empty = values.isna().to_numpy()
    why = reason.astype(object).where(reason.notna(), "").to_numpy()
    marks, labels = np.zeros(len(values), dtype=np.uint8), dict[float, str]()
    for name, (letter, text) in missing_letters(entry.left_open).items():
        step = ord(letter) - ord("a") + 1
        labels[_LONG_MISSING + step] = text
        marks[empty & (why == name)] = step
    return marks, labels


def _mark_missing(path: Path, marks: dict[int, NDArray[np.uint8]], columns: int, rows: int) -> None:
    """Put extended missing values into columns of bytes and doubles: pandas writes only the plain one."""
    if not marks or not rows:
        return
    content = bytearray(path.read_bytes())
    offsets = np.frombuffer(content, "<i8", 14, content.index(b"<map>") + len(b"<map>"))
    types = np.frombuffer(content, "<u2", columns, int(offsets[2]) + len(b"<variable_types>"))
    widths = [_WIDTH.get(int(t), int(t)) for t in types]
    starts, width = np.cumsum([0, *widths]), sum(widths)
    data = np.frombuffer(content, np.uint8, rows * width, int(offsets[9]) + len(b"<data>")).reshape(rows, width)
    for place, steps in marks.items():
        if widths[place] not in (1, 8):
            raise AssertionError("a column with reasons is a byte or a double")
        one_byte, chosen = widths[place] == 1, np.flatnonzero(steps)
        step = steps[chosen].astype(np.int64)
        values = _BYTE_MISSING + step if one_byte else _DOUBLE_MISSING + _DOUBLE_STEP * step
        bytes_of = values.astype("<u8").view(np.uint8).reshape(len(values), 8)[:, : widths[place]]
        data[chosen, starts[place] : starts[place] + widths[place]] = bytes_of
    path.write_bytes(content)


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 3] + "..."
