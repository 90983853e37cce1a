"""What every kind of file gives once it is open: names, formats, labels, and rows in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from ips_outcomes.errors import DataError, Problem

__all__ = ["DAMAGED", "Finding", "RawFile", "Tally", "pieces", "refuse"]

DAMAGED = ("the file is damaged or not of this format", "ask for the delivery again")


def refuse(path: Path, rule: str, remedy: str, place: str = "", count: int | None = None, unit: str = "rows") -> DataError:
    """One problem of one file, ready to be raised."""
    return DataError([Problem(path.name, rule, remedy, place, count, unit)])


@dataclass(frozen=True)
class Finding:
    """A counted oddity that does not stop the run; its parts are those of `Ledger.note`.

    Parameters
    ----------
    rule : str
        What was met, with the column where there is one, and never a value.
    count, total : int
        How many, and out of how many.
    action : str
        What was done about it.
    severity : {"note", "warning", "severe"}
    unit : str
        What is counted: values, rows, columns, labels, sheets, files.
    """

    rule: str
    count: int
    total: int
    action: str
    severity: Literal["note", "warning", "severe"] = "warning"
    unit: str = "values"


class Tally:
    """Oddities counted while a file's pieces go by."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, Literal["note", "warning", "severe"], str], int] = {}
        self.rows = 0

    def clear(self) -> None:
        self._counts, self.rows = {}, 0

    def add(
        self, rule: str, count: int, action: str, severity: Literal["note", "warning", "severe"] = "warning", unit: str = "values"
    ) -> None:
        """Count more of one oddity; none is no finding."""
        if count:
            key = (rule, action, severity, unit)
            self._counts[key] = self._counts.get(key, 0) + int(count)

    def findings(self) -> tuple[Finding, ...]:
        """What was counted, out of all values of a column: each row has one."""
        return tuple(Finding(r, n, self.rows, a, s, u) for (r, a, s, u), n in self._counts.items())


#: Positions of the wanted columns, rows in a piece, and where oddities are counted.
Reader = Callable[[list[int], int, Tally], Iterator[pd.DataFrame]]


@dataclass(frozen=True)
class RawFile:
    """A file that is open for reading: nothing of it is typed yet.

    Parameters
    ----------
    path : Path
    columns : list of str
        Names as written in the file.
    formats : dict of str to str
        The file's own format of each column, ``""`` where it has none:
        ``"%td"`` (Stata), ``"SPSS DATE11"``, ``"SAS DATE9"``,
        ``"Arrow date32[day]"``, ``"Excel date"``.
    labels : tuple of str
        Variable labels, value labels, notes and sheet names: what a person may
        have typed, for the scan for identity numbers.
    opened : tuple of Finding
        What was odd on opening.
    rows : int or None
        Number of rows where the file tells it.
    """

    path: Path
    columns: list[str]
    formats: dict[str, str]
    labels: tuple[str, ...]
    opened: tuple[Finding, ...]
    reader: Reader = field(repr=False, compare=False)
    rows: int | None = None
    #: True where no letter outside ASCII is in the file, so that none can be wrong.
    plain: bool = False
    tally: Tally = field(default_factory=Tally, repr=False, compare=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Oddities met so far: all of them once the pieces of the file have gone by."""
        return self.opened + self.tally.findings()


def pieces(table: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    """A table in pieces of some rows; an empty table is one empty piece."""
    for start in range(0, max(len(table), 1), size):
        yield table.iloc[start : start + size]
