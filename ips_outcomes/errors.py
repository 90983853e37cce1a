"""Errors that people can act on.

Every problem names the file, the place in it, how many rows it touches, the
rule that was broken and the remedy. No problem ever holds a person's value:
messages travel further than data does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DataError", "IpsOutcomesError", "Problem", "StudyError", "UnsupportedError"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what to do about it.

    Parameters
    ----------
    file : str
        The file as the study names it.
    rule : str
        What should have been true, in one sentence.
    remedy : str
        What the reader can do.
    place : str, optional
        Column, key or line inside the file.
    count : int, optional
        How many are affected.
    unit : str, optional
        What is counted: rows, people, keys, values.
    """

    file: str
    rule: str
    remedy: str
    place: str = ""
    count: int | None = None
    unit: str = "rows"

    def __str__(self) -> str:
        where = self.file + (f", {self.place}" if self.place else "")
        one = {"people": "person"}.get(self.unit, self.unit.removesuffix("s"))
        how_many = f" ({self.count:,} {one if self.count == 1 else self.unit})" if self.count else ""
        return f"{where}{how_many}\n    {self.rule}\n    -> {self.remedy}"


class IpsOutcomesError(Exception):
    """Base of every error that the package raises on purpose."""


class _ManyProblems(IpsOutcomesError):
    place = ""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        number = len(self.problems)
        lines = [f"{number} problem{'' if number == 1 else 's'} in the {self.place}:"]
        lines += [f"{i:>3}. {problem}" for i, problem in enumerate(self.problems, start=1)]
        super().__init__("\n".join(lines))


class StudyError(_ManyProblems):
    """The study file asks for something that cannot be; nothing was read."""

    place = "study file"


class DataError(_ManyProblems):
    """The extracts are not what the study file says; nothing was written."""

    place = "extracts"


class UnsupportedError(IpsOutcomesError):
    """A combination of arguments that no estimator here answers correctly."""
