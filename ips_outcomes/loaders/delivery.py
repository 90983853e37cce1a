"""One delivery: read and typed, its people matched, what cannot be read counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.dates import implausible_dates
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.linking import Engines, link
from ips_outcomes.loaders.staging import Staged, stage
from ips_outcomes.months import day_in_month
from ips_outcomes.study import Column, Layout, Source, Study

__all__ = ["Delivery", "look_at", "read_delivery", "read_linked"]

#: Above this share of unreadable values the layout, not the data, is wrong.
_LAYOUT_IS_WRONG = 0.5
_DISTANT = "2100-12-31"


@dataclass(frozen=True)
class Delivery:
    """Typed rows of one source, of the people asked for, and what the source is called by.

    ``rows`` has the layout's columns, ``bad_<column>``, ``file``, ``file_month``
    and ``row``; and ``person_id`` where people were matched.
    """

    name: str
    layout: Layout
    source: Source
    rows: pd.DataFrame
    files: list[Path] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The files, as a message names them."""
        return self.files[0].name + (f" and {len(self.files) - 1} more files" if self.files[1:] else "")


def read_delivery(study: Study, name: str, ledger: Ledger) -> Delivery:
    """Read every file of a source into typed rows, whoever they belong to.

    Raises
    ------
    DataError
        With all problems of all the source's files.
    """
    delivery = _without_rows(study, name)
    staged = look_at(study, name, large=False)
    _note_files(delivery, staged, ledger)
    return _of_this_form(delivery, staged.table, ledger)


def read_linked(
    study: Study, name: str, ledger: Ledger, listed: pd.DataFrame, engines: Engines, tell: Callable[[str], None] = lambda _: None
) -> Delivery:
    """Read a source and bring the rows of the people ``listed`` (``person_id``, ``delivery_key``) into memory.

    The rows of others are counted where they lie.

    Raises
    ------
    DataError
        With all problems of all the source's files, or if the source knows nobody on the list.
    """
    delivery = _without_rows(study, name)
    staged = look_at(study, name, tell)
    _note_files(delivery, staged, ledger)
    return _of_this_form(delivery, link(study, engines, delivery.label, name, staged, listed, ledger), ledger)


def look_at(study: Study, name: str, tell: Callable[[str], None] = lambda _: None, *, large: bool | None = None) -> Staged:
    """Read and type a source, and refuse it where it is not what its layout says.

    Raises
    ------
    DataError
        With all problems of all the source's files.
    """
    staged = stage(study, name, tell, large=large)
    _refuse_wrong_layout(_without_rows(study, name), staged)
    return staged


def _without_rows(study: Study, name: str) -> Delivery:
    return Delivery(name, study.layouts[name], study.sources[name], pd.DataFrame(), study.paths(name))


def _of_this_form(delivery: Delivery, rows: pd.DataFrame, ledger: Ledger) -> Delivery:
    rows = ledger.set_aside(rows, rows["left_out"], delivery.name, "row of another event or form", "not used", severity="note")
    return replace(delivery, rows=rows.drop(columns="left_out"))


def _note_files(delivery: Delivery, staged: Staged, ledger: Ledger) -> None:
    name, layout, number = delivery.name, delivery.layout, len(delivery.files)
    ledger.rows_in |= {(name, file): rows for file, rows in staged.rows_in.items()}
    for column, count in staged.absent.items():
        if count and (layout.columns[column].name or column in delivery.source.columns):
            ledger.note(name, f"column {column} is not delivered", count, number, "treated as unknown", unit="files")
    for column, names in staged.names.items():
        if len(names) > 1:
            ledger.note(name, f"column {column} has several names ({', '.join(sorted(names))})", len(names), number,
                        "read as one column", unit="names")  # fmt: skip
    for column, kinds in staged.kinds.items():
        if len(kinds) > 1:
            ledger.note(name, f"column {column} is text in some files and a number in others", number, number,
                        "read by the layout in both", unit="files")  # fmt: skip
    empty = [file for file, rows in staged.rows_in.items() if not rows]
    if empty and layout.table != "participants":
        # a register without rows says of everybody that nothing happened: that must not pass for an answer unseen
        shown = ", ".join(empty[:3]) + (" and more" if empty[3:] else "")
        ledger.note(name, f"file without any row ({shown})", len(empty), number, "read as: nobody has a record in it",
                    severity="severe", unit="files")  # fmt: skip
    for finding in staged.findings:
        ledger.note(name, f"{finding['file']}: {finding['rule']}", finding["count"], finding["total"], finding["action"],
                    severity=finding["severity"], unit=finding["unit"])  # fmt: skip


def _refuse_wrong_layout(delivery: Delivery, staged: Staged) -> None:
    problems, layout, source = [], delivery.layout, delivery.source
    for column, spec in layout.columns.items():
        bad, known = staged.tally.bad[column], staged.tally.known[column]
        called = source.columns.get(column, spec.name) or column
        if column == "technical_end" and source.spell_end == "reported":
            # always filled, often with a date that is none; here it decides nothing
            continue
        if bad and bad > _LAYOUT_IS_WRONG * (bad + known):
            rule = f"most values are not of the kind that the layout says ({spec.type}"
            rule += f", {spec.dates})" if spec.type == "date" else ")"
            remedy = "check the layout, or the codes and column names in the study file"
            if spec.type == "number":
                mark, other = ("comma", ".") if (source.decimal or layout.text.decimal) == "," else ("point", ",")
                remedy += f'; decimals are read with a {mark}: where the file has the other mark, write decimal = "{other}"'
            if spec.type == "date" and (meant := _meant(staged, column, spec, "1900-01-01", _DISTANT)):
                rule, remedy = meant, f"{remedy}, or say dates.{column} under the source"
            problems.append(Problem(delivery.label, rule, remedy, f"column {called}", bad))
        elif spec.type == "date" and column == "start" and source.period_numbers is not None:
            # a wrong epoch shifts dates by ten years or more, and each of them still looks like a date
            until = day_in_month(np.array([source.period_numbers[1] + 24]), 1)[0]
            if wrong := _meant(staged, column, spec, "1900-01-01", until):
                remedy = f"check dates.{column} and the period under the source"
                problems.append(Problem(delivery.label, wrong, remedy, f"column {called}"))
    if problems:
        raise DataError(problems)


def _meant(staged: Staged, column: str, spec: Column, first: object, last: object) -> str:
    if column not in staged.samples:
        return ""
    values, file_format = staged.samples[column]
    if not pd.api.types.is_numeric_dtype(values) and values.dtype.kind != "M":
        values = values.mask(values.isin(spec.missing))
    return implausible_dates(values, spec.dates, first, last, file_format=file_format)
