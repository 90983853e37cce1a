"""National identity numbers must not be here: find them, stop, and echo none.

A column of pseudonymous keys with eleven digits holds about one value in a
hundred that passes the checks by chance, so the column is judged, not the
cell. In free text, where such numbers are few, each is judged by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ips_outcomes.errors import Problem
from ips_outcomes.loaders.identity_rules import (
    FILLED,
    different_texts,
    embedded_numbers,
    judge,
    masked,
    says_identity,
    whole_numbers,
    whole_texts,
)

__all__ = ["IdentityScan", "Suspicion", "identity_numbers", "judge_column"]

#: Of at least this many different numbers a share is told; above the larger one the run stops, above the lesser it warns.
ENOUGH, REFUSED, DOUBTFUL = 20, 0.05, 0.015
#: A number with a plausible date has right control digits by chance in 1 of 121, under the rule from 2032 in 4.
_BY_CHANCE_TODAY, _BY_CHANCE_2032 = 1 / 121, 4 / 121
#: FH-numbers begin with 8 or 9.
_UNDATED = 8 * 10**10
#: So seldom would chance alone give as many: then it was not chance.
_NOT_CHANCE, _HARDLY_CHANCE = 0.002, 0.05
#: Different numbers kept of one column. Of more, an even sample of this size is judged.
_KEPT = 200_000

_RULE = "values look like national identity numbers (fødselsnummer, D-number or synthetic ones)"
_REPLACE = "replace them by pseudonyms before the data comes near this program: ips-outcomes pseudonymise"


def identity_numbers(texts: pd.Series, *, strict: bool = False) -> np.ndarray:
    """Which values could be a birth number, D-number, FH-number or a synthetic one.

    Blanks, dots, hyphens, a float's decimals or exponent do not hide a number,
    nor does a lost leading zero. From 2032 the first control digit may leave a
    remainder of 0 to 3; ``strict`` asks for 0, as today.

    Parameters
    ----------
    texts : pandas.Series
        Text or plain numbers.
    strict : bool
        Only today's control digits.

    Returns
    -------
    numpy.ndarray
        True where the whole value could be a number.

    Examples
    --------
    >>> identity_numbers(pd.Series(["15108695088", "151086 95088", "1.5108695088e10", "15108695089", "8001"])).tolist()
    [True, True, True, False, False]
    """
    whole = whole_numbers(texts)
    found = whole >= 0
    _, loose, today = judge(whole[found] % FILLED)
    found[found] = today if strict else loose
    return found


@dataclass(frozen=True)
class Suspicion:
    """More values than chance would give look like identity numbers, and too few to stop: a counted finding.

    Parameters
    ----------
    file, place, rule : str
        Where, and what was met.
    count, total : int
        Different values that look so, of different values of ten or eleven digits.
    """

    file: str
    place: str
    rule: str
    count: int
    total: int


class _Numbers:
    """Different numbers met, at most ``_KEPT``: those with the lowest hash, so that order and chunks do not matter."""

    def __init__(self) -> None:
        self._kept = np.empty(0, dtype=np.int64)
        self._waiting: list[np.ndarray] = []
        self._waits = 0

    def add(self, numbers: np.ndarray) -> None:
        if not len(numbers):
            return
        self._waiting.append(np.unique(numbers))
        self._waits += len(self._waiting[-1])
        if self._waits > _KEPT:
            self.values()

    def values(self) -> np.ndarray:
        if self._waiting:
            every = np.unique(np.concatenate([self._kept, *self._waiting]))
            if len(every) > _KEPT:
                every = np.sort(every[np.argpartition(_mixed(every), _KEPT)[:_KEPT]])
            self._kept, self._waiting, self._waits = every, [], 0
        return self._kept


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """A fixed scattering of numbers (splitmix64), so that the lowest are an even sample."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _tail(hits: int, trials: int, chance: float) -> float:
    """Probability of at least so many hits by chance (1 where no more than expected)."""
    if hits <= trials * chance:
        return 1.0
    log = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    term = math.exp(log + hits * math.log(chance) + (trials - hits) * math.log1p(-chance))
    total, k = 0.0, hits
    # beyond the expected number the terms shrink at least geometrically
    while term > 1e-12 * total and k <= trials:
        total += term
        term *= (trials - k) / (k + 1) * chance / (1 - chance)
        k += 1
    return total


@dataclass(frozen=True)
class _Verdict:
    refused: bool
    doubtful: bool
    count: int
    total: int


def _judged(numbers: np.ndarray, *, one_by_one: bool = False) -> _Verdict:
    """The verdict on different numbers of one place."""
    if not len(numbers):
        return _Verdict(False, False, 0, 0)
    plausible, loose, strict = judge(numbers % FILLED)
    undated = numbers % FILLED >= _UNDATED
    total, hits, today = len(numbers), int(loose.sum()), int(strict.sum())
    dated, dated_hits, dated_today = (int((found & ~undated).sum()) for found in (plausible, loose, strict))
    # numbers without a date are a kind apart: keys that begin with 9 say nothing of what is usual among dates
    chance = min(
        _tail(dated_hits, dated, _BY_CHANCE_2032), _tail(dated_today, dated, _BY_CHANCE_TODAY),
        _tail(hits - dated_hits, int(undated.sum()), _BY_CHANCE_TODAY),
    )  # fmt: skip
    if one_by_one:
        refused = today > 0 and (total < ENOUGH or chance < _NOT_CHANCE)
        return _Verdict(refused, not refused and today > 0 and chance < _HARDLY_CHANCE, today, total)
    if total < ENOUGH:
        refused = 2 * today >= total or 2 * hits > total or chance < _NOT_CHANCE
        return _Verdict(refused, not refused and today > 0, hits, total)
    refused = hits > REFUSED * total and chance < _NOT_CHANCE
    doubtful = hits > DOUBTFUL * total and chance < _HARDLY_CHANCE
    return _Verdict(refused, doubtful and not refused, hits, total)


class _Place:
    """What one column, or all names or labels of a file, were seen to hold."""

    def __init__(self) -> None:
        self.whole, self.apart, self.touched = _Numbers(), _Numbers(), _Numbers()
        self.cells = self.shaped = 0

    def look_at(self, values: pd.Series) -> None:
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = pd.Series(values.to_numpy())
        if not (pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)):
            self.cells += int(values.notna().sum())
            self._add(whole := whole_numbers(values), np.ones(len(whole), dtype=np.int64))
            return
        cells, texts, counts = different_texts(values)
        self.cells += cells
        if len(texts):
            self._add(whole := whole_texts(texts), counts)
            numbers, touched = embedded_numbers(texts.filter(pa.array(whole < 0)))
            self.apart.add(numbers[~touched])
            self.touched.add(numbers[touched])

    def _add(self, whole: np.ndarray, counts: np.ndarray) -> None:
        self.shaped += int(counts[whole >= 0].sum())
        self.whole.add(whole[whole >= 0])

    def verdicts(self) -> Iterable[tuple[str, _Verdict]]:
        whole = self.whole.values()
        if len(whole) < ENOUGH and 2 * self.shaped < self.cells:
            # where most values have other lengths, one of ten digits is an amount, not a number that lost its zero
            whole = whole[whole < FILLED]
        yield "", _judged(whole)
        yield "inside text: ", _judged(self.apart.values(), one_by_one=True)
        yield "inside text: ", _judged(self.touched.values())


class IdentityScan:
    """Looks for national identity numbers everywhere in one file, while it is read.

    Every column is judged, whatever the study makes of it. Of a column the
    different values of ten or eleven digits are kept (in memory at most
    200,000, an even sample of more), and:

    - **from 20 such values** the file is refused where more than 5 % could be
      identity numbers (the rule from 2032, zero filled in front of ten digits)
      and chance would give as many in less than 2 of 1,000 columns; above
      1.5 % and hardly by chance it is a counted finding. Values of another
      length do not dilute the share: no chance makes an identity number of them.
    - **below 20** a share says little: one chance hit among 19 is above 5 %.
      There it is refused where half of the values pass today's rule, where
      more than half pass the one from 2032, or where chance would hardly give
      so many. One such value alone in a column is therefore enough. Ten digits
      count only where most cells have ten or eleven: elsewhere they are amounts.
    - **a header** such as fnr, fodselsnr, personnummer, dnr or pid is enough
      as soon as any value has ten or eleven digits.
    - **inside text** each number is judged by itself, by today's rule. Only
      from 20 different numbers of eleven digits on, which no free text has and
      many codes do, must there be more than chance gives. The same number
      touching a letter (a job's code, a hexadecimal hash) is judged as a
      column is.

    What remains: Norwegian bank accounts have eleven digits and share a
    control digit, so a column of them is refused too; it is no less personal.
    A few identity numbers among thousands of pseudonyms of eleven digits
    cannot be told from chance.

    Parameters
    ----------
    file : str
        The file's name as messages show it. Its own digits are looked at, and masked.

    Examples
    --------
    >>> scan = IdentityScan("skjema.csv")
    >>> scan.look_at(pd.DataFrame({"note": ["ring 151086 95088 i morgen", "ok"], "age": [31, 44]}))
    >>> problems, doubts = scan.verdict()
    >>> [(problem.place, problem.count) for problem in problems], doubts
    ([('column note', 1)], [])
    """

    def __init__(self, file: str) -> None:
        self.file = masked(file)
        self._columns: dict[str, _Place] = {}
        self._named = {"the file's name": _Place(), "column names": _Place(), "labels and notes": _Place()}
        self._named["the file's name"].look_at(pd.Series([file], dtype=object))

    def look_at(self, frame: pd.DataFrame) -> None:
        """Look at some rows, as raw as they were read; may be called for one chunk after the other.

        Parameters
        ----------
        frame : pandas.DataFrame
            Any columns: text, numbers, floats, categories.
        """
        self.look_at_names([name for name in map(str, frame.columns) if name not in self._columns])
        for number, name in enumerate(map(str, frame.columns)):
            self._columns.setdefault(name, _Place()).look_at(frame.iloc[:, number])

    def look_at_names(self, columns: list[str], labels: Iterable[object] = ()) -> None:
        """Look at column names, and at variable labels, value labels and notes.

        Parameters
        ----------
        columns : list of str
            Headers.
        labels : iterable
            Labels and notes; None is passed over.
        """
        self._named["column names"].look_at(pd.Series(list(columns), dtype=object))
        self._named["labels and notes"].look_at(pd.Series([str(one) for one in labels if one is not None], dtype=object))

    def columns(self) -> list[str]:
        """The columns that the verdict refuses, by their true names: for a program, not for a message."""
        return [name for name, place in self._columns.items() if self._refused(name, place)]

    def _refused(self, name: str, place: _Place) -> int:
        counts = [verdict.count for _, verdict in place.verdicts() if verdict.refused]
        if says_identity(name):
            counts.append(len(place.whole.values()))
        return max(counts, default=0)

    def verdict(self) -> tuple[list[Problem], list[Suspicion]]:
        """What stops the run, and what is only told.

        Returns
        -------
        tuple
            Problems (no value in any of them), and findings of columns that
            hold more than chance gives but too little to stop.
        """
        problems, doubts = [], []
        for name, place in self._columns.items():
            shown = f"column {masked(name)}"
            if count := self._refused(name, place):
                called = "; rename the column if these are pseudonyms" if says_identity(name) else ""
                problems.append(Problem(self.file, _RULE, _REPLACE + called, shown, count, "values"))
                continue
            for where, verdict in place.verdicts():
                if verdict.doubtful:
                    rule = "some values look like national identity numbers, more than chance would give"
                    doubts.append(Suspicion(self.file, shown, where + rule, verdict.count, verdict.total))
        remedies = {"the file's name": f"rename the file, or {_REPLACE.split(': ')[1]}",
                    "column names": "rename the columns", "labels and notes": "mend the labels and notes"}  # fmt: skip
        for where, place in self._named.items():
            if count := self._refused("", place):
                rule = "a name or label holds what looks like a national identity number"
                problems.append(Problem(self.file, rule, remedies[where], where, count, "values"))
        return problems, doubts


def judge_column(file: str, column: str, values: pd.Series) -> Problem | None:
    """A problem where a column holds national identity numbers; none where a few only look so by chance."""
    scan = IdentityScan(file)
    scan.look_at(pd.DataFrame({column: values}))
    return next((problem for problem in scan.verdict()[0] if problem.place != "the file's name"), None)
