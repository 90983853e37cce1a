"""One delivery: find its files and columns, read and type them, count what cannot be read."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.convert import convert
from ips_outcomes.loaders.files import TEXT, column_names, read_columns
from ips_outcomes.loaders.identity import judge_column
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.months import NO_MONTH, parse_month
from ips_outcomes.study import Column, Layout, Source, Study

__all__ = ["Delivery", "file_month", "read_delivery"]

#: Above this share of unreadable values the layout, not the data, is wrong.
_LAYOUT_IS_WRONG = 0.5


class Delivery:
    """Typed rows of one source: the layout's columns, ``file``, ``row`` and ``bad_<column>``."""

    def __init__(self, name: str, layout: Layout, source: Source, rows: pd.DataFrame, files: list[Path]):
        self.name, self.layout, self.source, self.rows, self.files = name, layout, source, rows, files

    @property
    def label(self) -> str:
        """The files, as a message names them."""
        return self.files[0].name + (f" and {len(self.files) - 1} more files" if self.files[1:] else "")


def file_month(path: Path, layout: Layout) -> int:
    """The calendar month that a file's name gives, or NO_MONTH."""
    match = re.search(layout.file_month, path.name) if layout.file_month else None
    if match is None or not 1 <= int(match["month"]) <= 12:
        return NO_MONTH
    return parse_month(f"{int(match['year']):04d}-{int(match['month']):02d}")


def _find(column: str, spec: Column, source: Source, names: list[str]) -> tuple[str | None, str]:
    """The name in the file of one column of the layout, or why there is none."""
    wanted = source.columns.get(column, spec.name)
    if not wanted:
        return None, ""
    if names.count(wanted) > 1:
        return None, f"{names.count(wanted)} columns are called {wanted}"
    if wanted in names:
        return wanted, ""
    lower = wanted.lower()
    by_suffix = spec.match == "suffix" and column not in source.columns
    found = [n for n in names if n.lower() == lower or (by_suffix and n.lower().endswith("_" + lower))]
    if len(found) == 1:
        return found[0], ""
    if len(found) > 1:
        return None, f"{len(found)} columns could be {wanted}"
    if spec.required or column in source.columns:
        return None, f"there is no column {wanted}"
    return None, ""


def _columns_of(path: Path, layout: Layout, source: Source) -> tuple[dict[str, str], list[Problem]]:
    names = column_names(path, layout, source)
    columns, problems = {}, []
    found = {column: _find(column, spec, source, names) for column, spec in layout.columns.items()}
    claimed: dict[str, str] = {}
    for column, (name, _) in found.items():
        if name is not None and claimed.setdefault(name, column) != column:
            rule = f"column {name} is named both for {claimed[name]} and for {column}"
            problems.append(Problem(path.name, rule, "mend the columns under the source in the study file"))
    for column, spec in layout.columns.items():
        name, trouble = found[column]
        if name is not None:
            columns[column] = name
        if trouble:
            wanted = source.columns.get(column, spec.name)
            # a column that another role claims has not become this one
            free = [name for name in names if name not in claimed]
            close = difflib.get_close_matches(wanted, free, n=1, cutoff=0.5)
            hint = f"did it become {close[0]}? " if close else ""
            if len(names) == 1 and path.suffix.lower() in TEXT:
                hint = "the file has one column: is the delimiter right? "
            remedy = f'{hint}write columns.{column} = "..." under the source in the study file'
            problems.append(Problem(path.name, f"{trouble} ({spec.meaning})", remedy))
    return columns, problems


def read_delivery(study: Study, name: str, ledger: Ledger) -> Delivery:
    """Read every file of a source into typed rows.

    Raises
    ------
    DataError
        With all problems of all the source's files.
    """
    source, layout = study.sources[name], study.layouts[name]
    paths = study.paths(name)
    problems: list[Problem] = []
    parts: list[_Raw] = []
    absent: dict[str, int] = dict.fromkeys(layout.columns, 0)
    for path in paths:
        try:
            columns, trouble = _columns_of(path, layout, source)
            if trouble:
                problems += trouble
                continue
            parts.append(_raw(path, columns, layout, source))
        except DataError as error:
            problems += error.problems
            continue
        for column in layout.columns.keys() - columns.keys():
            absent[column] += 1
        if layout.file_month and file_month(path, layout) == NO_MONTH:
            rule = "the file's name does not say which month it is"
            problems.append(Problem(path.name, rule, "narrow the pattern in files, or rename the file"))
    problems += _same_month_twice(paths, layout)
    if problems:
        raise DataError(_folded(problems))
    for column, count in absent.items():
        if count and (layout.columns[column].name or column in source.columns):
            ledger.note(name, f"column {column} is not delivered", count, len(paths), "treated as unknown", unit="files")
    rows = _typed(parts, layout, source)
    _refuse_identity_numbers(paths, rows, layout, source)
    ledger.rows_in[name] = len(rows)
    delivery = Delivery(name, layout, source, rows, paths)
    _refuse_wrong_layout(delivery)
    empty = [path.name for path, part in zip(paths, parts, strict=True) if part.table.empty]
    if empty and layout.table != "participants":
        # a register without rows says of everybody that nothing happened: that must not pass for an answer unseen
        shown = ", ".join(empty[:3]) + (" and more" if empty[3:] else "")
        ledger.note(name, f"file without any row ({shown})", len(empty), len(paths), "read as: nobody has a record in it",
                    severity="severe", unit="files")  # fmt: skip
    return delivery


@dataclass(frozen=True)
class _Raw:
    """What one file holds, under the layout's names, before anything is typed."""

    table: pd.DataFrame
    formats: tuple[tuple[str, str], ...]

    @property
    def alike(self) -> tuple[object, ...]:
        """Files alike in columns, types and formats are typed in one go."""
        return tuple(self.table.columns), tuple(self.table.dtypes.astype(str)), self.formats


def _raw(path: Path, columns: dict[str, str], layout: Layout, source: Source) -> _Raw:
    raw, formats = read_columns(path, layout, source, list(dict.fromkeys(columns.values())))
    table = pd.DataFrame({column: raw[name].to_numpy() for column, name in columns.items()}, index=range(len(raw)))
    table["file"], table["file_month"] = path.name, file_month(path, layout)
    # the row as a person would find it: data rows from 1, the header not counted
    table["row"] = np.arange(1, len(raw) + 1)
    return _Raw(table, tuple((column, formats.get(name, "")) for column, name in columns.items()))


def _typed(parts: list[_Raw], layout: Layout, source: Source) -> pd.DataFrame:
    order: dict[tuple[object, ...], list[_Raw]] = {}
    for part in parts:
        order.setdefault(part.alike, []).append(part)
    tables = []
    for same in order.values():
        raw = pd.concat([part.table for part in same], ignore_index=True) if len(same) > 1 else same[0].table
        formats = dict(same[0].formats)
        typed: dict[str, object] = {c: raw[c].to_numpy() for c in ("file", "file_month", "row")}
        for column, spec in layout.columns.items():
            if column not in raw:
                typed[column] = _nothing(len(raw), spec)
                continue
            values, bad = convert(
                raw[column], spec, file_format=formats[column], decimal=source.decimal or layout.text.decimal,
                codes=source.values.get(column), missing=source.missing.get(column, ()),
            )  # fmt: skip
            typed[column] = values.to_numpy()
            if bad.any():
                typed[f"bad_{column}"] = bad
        tables.append(pd.DataFrame(typed, index=range(len(raw))))
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]


def _refuse_identity_numbers(paths: list[Path], rows: pd.DataFrame, layout: Layout, source: Source) -> None:
    file = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more files"
    texts = [column for column, spec in layout.columns.items() if spec.type in ("key", "text")]
    judged = [judge_column(file, source.columns.get(c, layout.columns[c].name or c), rows[c]) for c in texts]
    problems = [problem for problem in judged if problem is not None]
    if problems:
        raise DataError(problems)


def _nothing(number: int, spec: Column) -> np.ndarray:
    if spec.type == "date":
        return np.full(number, np.datetime64("NaT"), dtype="datetime64[s]")
    if spec.type == "month":
        return np.full(number, NO_MONTH)
    return np.full(number, np.nan) if spec.type in ("number", "integer") else np.full(number, None, dtype=object)


def _same_month_twice(paths: list[Path], layout: Layout) -> list[Problem]:
    months = [file_month(path, layout) for path in paths]
    twice = {m for m in months if m != NO_MONTH and months.count(m) > 1}
    rule = "two files speak for the same month; one may be a stale copy"
    return [Problem(p.name, rule, "keep one of them") for p, m in zip(paths, months, strict=True) if m in twice]


def _folded(problems: list[Problem]) -> list[Problem]:
    """The same trouble in many files is one problem with a count of files."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.rule, problem.remedy), []).append(problem)
    return [
        same[0] if len(same) == 1
        else Problem(f"{same[0].file} and {len(same) - 1} more files", rule, remedy, same[0].place)
        for (rule, remedy), same in groups.items()
    ]  # fmt: skip


def _refuse_wrong_layout(delivery: Delivery) -> None:
    problems, rows, layout = [], delivery.rows, delivery.layout
    for column, spec in layout.columns.items():
        if f"bad_{column}" not in rows:
            continue
        rows[f"bad_{column}"] = rows[f"bad_{column}"].eq(True)
        bad = int(rows[f"bad_{column}"].sum())
        known = int(rows[column].notna().sum()) if spec.type != "month" else int((rows[column] != NO_MONTH).sum())
        if bad and bad > _LAYOUT_IS_WRONG * (bad + known):
            rule = f"most values are not of the kind that the layout says ({spec.type}"
            rule += f", {spec.dates})" if spec.type == "date" else ")"
            remedy = "check the layout, or the codes and column names in the study file"
            called = delivery.source.columns.get(column, spec.name) or column
            problems.append(Problem(delivery.label, rule, remedy, f"column {called}", bad))
    if problems:
        raise DataError(problems)
