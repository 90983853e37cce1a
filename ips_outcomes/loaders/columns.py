"""Which column of a file is which column of its layout."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ips_outcomes.errors import Problem
from ips_outcomes.loaders.files import TEXT
from ips_outcomes.study import Column, Layout, Source

__all__ = ["Found", "find_columns"]


@dataclass(frozen=True)
class Found:
    """The columns of one file: the layout's name to the file's own.

    ``boxes`` are the columns of a checkbox group with their codes; ``wide``
    the columns that repeat by month or year, with that year and month (month
    0 where columns are years); ``rows`` the columns that say which rows
    belong here, with the values that do.
    """

    names: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    wide: list[tuple[str, int, int]] = field(default_factory=list)
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _find(column: str, spec: Column, source: Source, names: Sequence[str]) -> tuple[str | None, str]:
    """The name in the file of one column of the layout, or why there is none."""
    named = source.columns.get(column)
    wanted = [named] if named else [name for name in (spec.name, *spec.aliases) if name]
    if not wanted:
        return None, ""
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        return None, f"{names.count(twice[0])} columns are called {twice[0]}"
    found: list[str] = []
    by_suffix = spec.match == "suffix" and not named
    for name in wanted:
        # the name itself, else in other letters, else behind a delivery's number (w19_0634_), else behind anything:
        # a delivery that holds mor_lnr and far_lnr beside w19_0634_lnr has one key of the person
        ways = [re.escape(name), rf"\s*(?i:{re.escape(name)})\s*"]
        ways += [rf"(?i:w\d\d_\d{{4}}_{re.escape(name)})", rf"(?i:.*_{re.escape(name)})"] if by_suffix else []
        found = next((hits for way in ways if (hits := [n for n in names if re.fullmatch(way, n)])), [])
        if found:
            break
    if len(found) == 1:
        return found[0], ""
    if len(found) > 1:
        return None, f"{len(found)} columns could be {wanted[0]}"
    return None, f"there is no column {wanted[0]}" if spec.required or named else ""


def find_columns(path: Path, names: Sequence[str], layout: Layout, source: Source) -> tuple[Found, list[Problem]]:
    """Match a file's columns with the layout's, or say all that is in the way."""
    problems: list[Problem] = []
    columns, boxes = {}, {}
    wide = layout.wide.cells(names) if layout.wide is not None else []
    found: dict[str, tuple[str | None, str]] = {}
    for column, spec in layout.columns.items():
        if layout.wide is not None and column == layout.wide.becomes:
            found[column] = (None, "" if wide else "no column is called as the layout's wide pattern says")
        elif spec.type == "checkbox":
            boxes[column] = _boxes(source.columns.get(column, spec.name), names)
            missing = not boxes[column] and (spec.required or column in source.columns)
            wanted = source.columns.get(column, spec.name)
            found[column] = (None, f"there is no column {wanted}___1 or the like" if missing else "")
        else:
            found[column] = _find(column, spec, source, names)
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
    rows = {**layout.rows, **source.rows}
    for name, values in list(rows.items()):
        if name not in names and "" in values:
            # a project without repeating instruments has no such column: its rows are all of the wanted kind
            del rows[name]
        elif names.count(name) != 1:
            rule = f"there is no column {name}, which says which rows belong to this source"
            problems.append(Problem(path.name, rule, "mend rows under the source in the study file"))
    return Found(columns, {c: group for c, group in boxes.items() if group}, wide, rows), problems


def _boxes(wanted: str, names: Sequence[str]) -> list[tuple[str, str]]:
    if not wanted:
        return []
    # REDCap writes a negative code with an underscore of its own: field____1 is -1
    pattern = re.compile(re.escape(wanted) + r"___(_?[A-Za-z0-9]+)")
    matches = [(name, pattern.fullmatch(name)) for name in names]
    return [(name, re.sub(r"^_", "-", match[1])) for name, match in matches if match]
