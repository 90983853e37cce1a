"""National identity numbers out of a file, keyed pseudonyms in: the same number gives the same pseudonym everywhere."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem, UnsupportedError
from ips_outcomes.folders import whole_folder
from ips_outcomes.loaders.identity import IdentityScan
from ips_outcomes.loaders.identity_rules import FILLED, as_digits, judge, masked, replace_embedded, whole_numbers
from ips_outcomes.loaders.rewrite import RawFile, raw_file

__all__ = ["Others", "Replaced", "pseudonym", "pseudonymise", "read_key"]

Others = Literal["refuse", "keep", "blank"]

_SHORTEST = 32
_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_hex(32))", and keep it apart from the data'


def read_key(file: Path | None = None, variable: str | None = None) -> bytes:
    """The key, from a file or an environment variable; white space around it is no part of it.

    Parameters
    ----------
    file : pathlib.Path, optional
        A file that holds nothing but the key.
    variable : str, optional
        The name of an environment variable that holds it.

    Raises
    ------
    UnsupportedError
        If there is none, or it has under 32 bytes. The key itself is never shown.
    """
    if file is not None:
        if not file.is_file():
            raise UnsupportedError(f"there is no key file {masked(str(file))}; {_MAKE_ONE}")
        key = file.read_bytes().strip()
    else:
        key = os.environ.get(variable or "", "").encode("utf-8", "surrogateescape").strip()
        if not key:
            raise UnsupportedError(f"the environment variable {variable} is not set or empty; {_MAKE_ONE}")
    _check_key(key)
    return key


def _check_key(key: bytes) -> None:
    if len(key) < _SHORTEST:
        raise UnsupportedError(f"the key has {len(key)} bytes and needs at least {_SHORTEST}, or it can be guessed; {_MAKE_ONE}")


def pseudonym(digits: str, key: bytes) -> str:
    """``P`` and 20 letters and digits that stand for eleven digits under a key (HMAC-SHA256, 100 bits of it).

    Examples
    --------
    >>> len(pseudonym("15108695088", b"k" * 32))
    21
    """
    return "P" + base64.b32encode(hmac.digest(key, digits.encode("ascii"), "sha256"))[:20].decode("ascii")


@dataclass
class Replaced:
    """What was done in one column of one file.

    Parameters
    ----------
    file, column : str
        As messages show them: without digits that could be an identity number.
    cells : int
        Cells in which numbers were replaced.
    others : int
        Cells without any number, kept or made blank.
    rows : list of int
        Data rows of the first of these others, counted from 1 without the header.
    """

    file: str
    column: str
    cells: int = 0
    others: int = 0
    rows: list[int] = field(default_factory=list)


class _Replacer:
    """Replaces the numbers in the columns of one file, and counts."""

    def __init__(self, file: str, key: bytes, others: Others) -> None:
        self._file, self._key, self._others = file, key, others
        self.done: dict[str, Replaced] = {}

    def write(self, number: int) -> str:
        return pseudonym(f"{number:011d}", self._key)

    def __call__(self, column: str, values: pd.Series, first_row: int) -> np.ndarray:
        done = self.done.setdefault(column, Replaced(self._file, f"column {masked(column)}"))
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = pd.Series(values.to_numpy())
        new = np.array([None if missing else _written(v) for v, missing in zip(values, values.isna(), strict=True)], dtype=object)
        filled = np.array([bool(text and text.strip()) for text in new], dtype=bool)
        whole = whole_numbers(values)
        met = whole >= 0
        met[met] = judge(whole[met] % FILLED)[1]
        names = {number: pseudonym(digits, self._key)
                 for number, digits in zip(np.unique(whole[met]).tolist(), as_digits(np.unique(whole[met])), strict=True)}  # fmt: skip
        new[met] = [names[number] for number in whole[met].tolist()]
        for i in np.flatnonzero(filled & ~met):
            new[i], count = replace_embedded(new[i], self.write)
            met[i] = count > 0
        others = np.flatnonzero(filled & ~met)
        done.cells += int(met.sum())
        done.others += len(others)
        done.rows += [first_row + int(i) for i in others[: 5 - len(done.rows)]]
        if self._others == "blank":
            new[others] = None
        return new

    def problems(self) -> list[Problem]:
        """Columns with values that are no identity numbers, where that was not allowed."""
        rule = "cells hold something else than an identity number"
        remedy = "mend them, or say --others keep (leave them as they are) or --others blank (empty them)"
        return [
            Problem(done.file, rule, remedy, f"{done.column}, row{'' if done.others == 1 else 's'} {', '.join(map(str, done.rows))}"
                    + (" and more" if done.others > len(done.rows) else ""), done.others, "cells")
            for done in self.done.values() if done.others and self._others == "refuse"
        ]  # fmt: skip


def _written(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _scan(raw: RawFile, name: str) -> IdentityScan:
    scan = IdentityScan(name)
    scan.look_at_names(raw.names, raw.labels)
    for chunk in raw.chunks():
        scan.look_at(chunk)
    return scan


def _wanted(raws: list[RawFile], columns: Sequence[str]) -> list[set[str]]:
    """The columns to replace in each file, by their names in it."""
    if not columns:
        return [set(_scan(raw, raw.path.name).columns()) for raw in raws]
    found: list[set[str]] = [set() for _ in raws]
    problems = []
    for column in columns:
        here = [{n for n in raw.names if n == column} or {n for n in raw.names if n.lower() == column.lower()} for raw in raws]
        if not any(here):
            files = masked(raws[0].path.name) + (f" and {len(raws) - 1} more files" if raws[1:] else "")
            problems.append(Problem(files, f"there is no column {masked(column)}", "name the columns as the files do"))
        found = [one | other for one, other in zip(found, here, strict=True)]
    if problems:
        raise DataError(problems)
    return found


def _check_files(files: Sequence[Path], out: Path) -> None:
    problems = []
    for path in files:
        if not path.is_file():
            problems.append(Problem(masked(path.name), "there is no such file", "check its name and folder"))
        elif path.resolve().is_relative_to(out.resolve()):
            problems.append(
                Problem(masked(path.name), "the file lies in the folder to write", "choose another folder with --out")
            )
    if problems:
        raise DataError(problems)


def pseudonymise(
    files: Sequence[Path], out: Path, key: bytes, columns: Sequence[str] = (), *,
    others: Others = "refuse", delimiter: str | None = None,
) -> list[Replaced]:  # fmt: skip
    """Write files again with keyed pseudonyms in the place of identity numbers.

    A number gives the same pseudonym in every file and however it is written
    (blanks, dots, floats, a lost leading zero), so that files can still be
    linked. Numbers in file names are replaced too. The key is not written.

    Parameters
    ----------
    files : sequence of pathlib.Path
        CSV, TXT, TSV, Stata, SPSS and Parquet keep their format; an Excel
        workbook of one sheet becomes CSV.
    out : pathlib.Path
        The folder to write; it appears when all went well, or not at all.
    key : bytes
        At least 32.
    columns : sequence of str
        The columns to replace in. Empty: every column that holds identity
        numbers by the verdict of `IdentityScan`.
    others : {"refuse", "keep", "blank"}
        What to do with cells of these columns that hold no identity number.
    delimiter : str, optional
        What stands between the columns of text files, where it is not clear.

    Returns
    -------
    list of Replaced
        Counts by file and column, in order.

    Raises
    ------
    DataError
        If a file or column is not there, a cell is no identity number and
        ``others`` is "refuse", or the written files still hold numbers.
    UnsupportedError
        If the key is too short, nothing is to be replaced, or ``out`` holds
        other things.
    """
    _check_key(key)
    _check_files(files, out)
    raws = [raw_file(path, delimiter) for path in files]
    wanted = _wanted(raws, columns)
    names = [replace_embedded(f"{raw.path.stem}{raw.ending}", lambda n: pseudonym(f"{n:011d}", key))[0] for raw in raws]
    twice = [Problem(masked(raw.path.name), f"two files would be written as {name}", "rename one of them")
             for raw, name in zip(raws, names, strict=True) if [n.lower() for n in names].count(name.lower()) > 1]  # fmt: skip
    if twice:
        raise DataError(twice)
    if not any(wanted) and all(raw.path.stem + raw.ending == name for raw, name in zip(raws, names, strict=True)):
        raise UnsupportedError("no column of these files holds identity numbers, and nothing was written; "
                               "name columns with --columns if you know better")  # fmt: skip
    replaced: list[Replaced] = []
    problems: list[Problem] = []
    with whole_folder(out, "folder of pseudonymised files") as work:
        for raw, name, here in zip(raws, names, wanted, strict=True):
            replacer = _Replacer(masked(raw.path.name), key, others)
            raw.rewrite(work / name, here, replacer)
            replaced += [replacer.done.get(c) or Replaced(masked(raw.path.name), f"column {masked(c)}") for c in sorted(here)]
            problems += replacer.problems()
            left = _scan(raw_file(work / name, delimiter if name.endswith(raw.path.suffix) else ";"), name).verdict()[0]
            if not replacer.problems():
                problems += [_left(problem) for problem in left]
        if problems:
            raise DataError(problems)
    return replaced


def _left(problem: Problem) -> Problem:
    """What a written file still holds, told with the remedy that is left."""
    remedy = "name this column with --columns too, or empty what is no number with --others blank"
    remedy = remedy if problem.place.startswith("column ") else problem.remedy
    rule = f"after replacing, {problem.rule}; nothing was written"
    return Problem(problem.file, rule, remedy, problem.place, problem.count, problem.unit)
