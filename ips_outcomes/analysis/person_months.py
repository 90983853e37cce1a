"""An outcome as a matrix: one row a person (or a pattern that several people share), one column a month.

Rates by month, their sums, their trends and every resampling of them are sums over the rows of this matrix, so that all of
them are matrix products. Equal people are folded into one row with a count and rows stand in an order of their own, whatever
the order of the data: rows and collapsed counts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.folding import row_weights
from ips_outcomes.analysis.inputs import Data, group_name, months_table, own_reference, yes_no
from ips_outcomes.errors import UnsupportedError

__all__ = [
    "EVERYBODY",
    "MonthsData",
    "MonthsMatrix",
    "fold",
    "months_matrix",
    "reference_of",
]

Floats = NDArray[np.float64]

#: What the only group is called where no arm is named.
EVERYBODY = "all"


@dataclass(frozen=True)
class MonthsMatrix:
    """A checked person x month matrix of a yes/no outcome, or of a number.

    Attributes
    ----------
    outcome : str
    months : array of int
        Months since the index date, ascending: the columns.
    value, observed : array of float, people x months
        1 and 0 (``value`` any number, where ``numbers``); ``value`` is 0 where nothing was observed.
    dead : array of bool, people x months
        Not observed because the person had died.
    arm, stratum : array of int
        Positions in ``arms`` and ``strata``.
    cluster : array of int or None
        None where every person stands alone.
    count : array of float
        How many people the row stands for.
    weight : array of float
        Probability weight of each of them.
    numbers : bool
        The outcome is an amount, such as pay or hours, and not yes or no.
    """

    outcome: str
    months: NDArray[np.int64]
    value: Floats
    observed: Floats
    dead: NDArray[np.bool_]
    arm: NDArray[np.int64]
    arms: tuple[str, ...]
    stratum: NDArray[np.int64]
    strata: tuple[str, ...]
    cluster: NDArray[np.int64] | None
    count: Floats
    weight: Floats
    weight_type: WeightType = "frequency"
    notes: tuple[str, ...] = ()
    numbers: bool = False

    @property
    def independent(self) -> bool:
        """Whether people stand alone and count whole, so that binomial formulas hold."""
        return self.cluster is None and self.weight_type == "frequency"

    @property
    def mass(self) -> Floats:
        """Weight that a row carries: people times probability weight."""
        return self.count * self.weight

    def in_arms(self, totals: Floats) -> Floats:
        """Sums over the rows of each arm."""
        belongs = (np.arange(len(self.arms))[:, None] == self.arm).astype(float)
        return belongs @ totals

    def unit_sums(self, rows: Floats) -> tuple[Floats, Floats]:
        """Row values summed over independent units, and how many units each result stands for.

        A person who stands alone is a unit; in clusters a unit is a cluster
        and its rows are added, each as often as it counts.
        """
        if self.cluster is None:
            return rows, self.count
        order = np.argsort(self.cluster, kind="stable")
        starts = np.flatnonzero(np.diff(self.cluster[order], prepend=-1))
        sums = np.add.reduceat((self.count[:, None] * rows)[order], starts, axis=0) if len(rows) else rows
        return sums, np.ones(len(sums))

    def units(self, inside: NDArray[np.bool_]) -> float:
        """Number of independent units (people or clusters) among some rows."""
        if self.cluster is None:
            return float(self.count[inside].sum())
        return float(len(np.unique(self.cluster[inside])))

    def where(self, rows: NDArray[np.bool_]) -> MonthsMatrix:
        """Only some rows; arms keep their names also where nobody is left."""
        cluster = None if self.cluster is None else self.cluster[rows]
        return replace(self, value=self.value[rows], observed=self.observed[rows], dead=self.dead[rows], arm=self.arm[rows],
                       stratum=self.stratum[rows], cluster=cluster, count=self.count[rows], weight=self.weight[rows])  # fmt: skip


MonthsData: TypeAlias = Data | MonthsMatrix


def fold(keys: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Equal rows found and put into an order of their own.

    Parameters
    ----------
    keys : sequence of arrays
        One entry (or one row) a person each; the first is sorted by first.
        Matrices of true/false are packed into words of 64.

    Returns
    -------
    tuple of arrays
        Position of the first row of each pattern, in order; and the pattern of every row.

    Examples
    --------
    >>> first, pattern = fold([np.array([2, 1, 2])])
    >>> first.tolist(), pattern.tolist()
    ([1, 0], [1, 0, 1])
    """
    words: list[NDArray[Any]] = []
    for key in keys:
        if key.ndim == 1:
            words.append(key)
            continue
        packed = np.packbits(key.astype(bool), axis=1)
        wide = np.zeros((len(key), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
        wide[:, : packed.shape[1]] = packed
        words += list(wide.view(">u8").astype(np.uint64).T)
    order = np.lexsort(words[::-1])
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for word in words:
        new[1:] |= word[order][1:] != word[order][:-1]
    pattern = np.empty(len(order), dtype=np.int64)
    pattern[order] = np.cumsum(new) - 1
    return order[new], pattern


def _levels(values: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Positions and sorted names of levels; missing is -1."""
    codes, found = pd.factorize(values)
    names = np.array([group_name(level) for level in found], dtype=object)
    unique = sorted(set(names.tolist()))
    place = {name: i for i, name in enumerate(unique)}
    renumbered = np.array([*(place[name] for name in names.tolist()), -1], dtype=np.int64)
    return renumbered[codes], tuple(unique)


def _answers(values: pd.Series, name: str, numbers: bool) -> Floats:
    """1, 0 and NaN (or any number); true/false without gaps, by far the most common column, needs no checking."""
    if numbers:
        found = pd.to_numeric(values, errors="coerce").astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        bad = int((np.isinf(found) | (np.isnan(found) & values.notna().to_numpy())).sum())
        if bad:
            raise UnsupportedError(f"{bad} values of {name} are no finite numbers")
        return found
    return values.to_numpy(dtype=float) if values.dtype == bool else yes_no(values, name)


def _of_person(values: NDArray[Any], person: NDArray[np.int64], first: NDArray[np.int64], what: str) -> NDArray[Any]:
    """What belongs to a person and must not change between months."""
    own = values[first]
    differing = int((values != own[person]).sum())
    if differing:
        raise UnsupportedError(f"{what} changes within a person in {differing} rows: it must be the same in every month")
    return own


def _weights(
    table: pd.DataFrame, weights: str | None, weight_type: WeightType, person: NDArray[np.int64], first: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    ones = np.ones(len(first))
    if weights is None:
        return ones, ones
    own = _of_person(row_weights(table[weights], weights, weight_type), person, first, weights)
    return (ones, own) if weight_type == "probability" else (own, ones)


def months_matrix(
    data: MonthsData, outcome: str, arm: str | None = None, at: int | Sequence[int] | None = None, *, month: str | None = None,
    person_id: str = "person_id", strata: str | None = None, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", dead: str | None = None, numbers: bool = False,
) -> MonthsMatrix:  # fmt: skip
    """Put a yes/no outcome into a person x month matrix, checked once.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        A DataFrame has one row a person and month, in any order; a month
        without a row is not observed. A MonthsMatrix comes back as it is.
    outcome : str
        True/false column; missing means not observed.
    arm : str, optional
        Column of the arm; without it everybody is one group, ``"all"``.
    at : int or list of int, optional
        Months; a FollowUp from 1 to its last, a DataFrame all it has.
    month, person_id : str, optional
        Columns of a DataFrame; ``"month"`` and ``"person_id"`` by default.
    strata, cluster : str, optional
        Columns. ``cluster="person_id"`` means that people stand alone.
    weights : str, optional
        Column with whole numbers (a row stands for so many people who share
        every month), or probability weights where ``weight_type`` says so.
    weight_type : {"frequency", "probability"}
    dead : str, optional
        True/false column of a DataFrame: the person had died. A FollowUp knows.
    numbers : bool
        Take any finite number for an outcome, such as pay or hours.

    Returns
    -------
    MonthsMatrix
        Equal people folded into one row with a count.

    Raises
    ------
    UnsupportedError
        For unknown columns and months, repeated person-months, months that are
        not whole, missing keys, and arms, strata, clusters or weights that
        change within a person; and for a number where yes or no is asked for.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 1, 2, 2, 3], "month": [1, 2, 1, 2, 1], "works": [0, 1, 0, 1, 1]})
    >>> matrix = months_matrix(rows, "works")
    >>> matrix.value.tolist(), matrix.count.tolist(), matrix.observed.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [1.0, 2.0], [[1.0, 0.0], [1.0, 1.0]])
    """
    if isinstance(data, MonthsMatrix):
        if data.numbers and not numbers:
            raise UnsupportedError(f"{data.outcome} is a number: its sums are those of work_sums")
        return _chosen(data, at)
    followed = not isinstance(data, pd.DataFrame)
    alone = cluster is None or cluster == person_id
    asked = [person_id, outcome, *([] if alone else [str(cluster)]), *(c for c in (arm, strata, weights) if c)]
    table, column = months_table(data, list(dict.fromkeys([*asked, *([dead] if dead else [])])), at, month)
    if column is None:
        raise UnsupportedError("curves need a month column; name it with month=")
    notes: list[str] = []
    if arm is not None and table[arm].isna().any():
        notes.append(f"{int(table[arm].isna().sum())} rows left out: {arm} is missing")
        table = table[table[arm].notna()]
    for key in (person_id, *([] if alone else [str(cluster)])):
        if table[key].isna().any():
            raise UnsupportedError(f"{int(table[key].isna().sum())} rows have no {key}")
    months = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if (np.isnan(months) | (months != np.floor(months))).any():
        raise UnsupportedError(f"{int((np.isnan(months) | (months != np.floor(months))).sum())} months are missing or not whole")
    grid, place = np.unique(months.astype(np.int64), return_inverse=True)
    if not len(grid):
        raise UnsupportedError("there are no rows to count")
    person, people = pd.factorize(table[person_id])
    first = np.full(len(people), len(person), dtype=np.int64)
    np.minimum.at(first, person, np.arange(len(person)))
    shape = (len(people), len(grid))
    cell = person * len(grid) + place
    repeated = len(cell) - np.count_nonzero(np.bincount(cell, minlength=shape[0] * shape[1]))
    if repeated:
        raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
    answers = _answers(table[outcome], outcome, numbers)
    known = ~np.isnan(answers)
    # yes and no are folded as such, however they were asked for
    numbers = numbers and not np.isin(answers[known], (0.0, 1.0)).all()
    value, observed, gone = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    value.ravel()[cell], observed.ravel()[cell] = np.where(known, answers, 0.0), known
    if dead or (followed and "reason" in table):
        gone.ravel()[cell] = (yes_no(table[dead], dead) == 1 if dead else (table["reason"] == "dead").to_numpy()) & ~known
    arm_of, arms = _levels(table[arm]) if arm else (np.zeros(len(table), dtype=np.int64), (EVERYBODY,))
    named = table[strata].astype(object).where(table[strata].notna(), group_name(None)) if strata else None
    stratum_of, names = _levels(named) if named is not None else (np.zeros(len(table), dtype=np.int64), (EVERYBODY,))
    own_arm = _of_person(arm_of, person, first, str(arm))
    own_stratum = _of_person(stratum_of, person, first, str(strata))
    own_cluster = None if alone else _of_person(pd.factorize(table[cluster], sort=True)[0], person, first, str(cluster))
    count, weight = _weights(table, weights, weight_type, person, first)
    if weights and not (count * weight > 0).any():
        raise UnsupportedError(f"nobody is there: {weights} is zero in all {len(table)} rows")
    if weights and (count * weight == 0).any():
        notes.append(f"{int((count * weight == 0).sum())} people of weight zero left out")
        # rows of weight zero are not there, so an arm of such rows is not there either
        left = np.unique(own_arm[count * weight > 0])
        arms, place_of = tuple(arms[i] for i in left.tolist()), np.zeros(len(arms), dtype=np.int64)
        place_of[left] = np.arange(len(left))
        own_arm = place_of[own_arm]
    whole = MonthsMatrix(outcome, grid, value, observed, gone, own_arm, arms, own_stratum, names, own_cluster, count, weight,
                         weight_type, tuple(notes), numbers).where(count * weight > 0)  # fmt: skip
    return _folded(whole)


def _folded(matrix: MonthsMatrix) -> MonthsMatrix:
    """Equal people as one row; rows by arm, stratum and cluster, then those who worked most in the first months first."""
    keys = [matrix.arm, matrix.stratum, *([] if matrix.cluster is None else [matrix.cluster]), matrix.weight]
    # answers are packed into words; amounts are a key a month
    values = list(matrix.value.T) if matrix.numbers else [matrix.value == 0]
    first, pattern = fold([*keys, *values, matrix.observed == 0, matrix.dead])
    # people may have clusters of any number; they were numbered by name, so they keep their order
    count = np.bincount(pattern, weights=matrix.count, minlength=len(first)).astype(np.float64)
    rows = matrix.where(np.zeros(0, dtype=np.int64)) if not len(first) else matrix.where(first)  # type: ignore[arg-type]
    return replace(rows, count=count)


def _chosen(matrix: MonthsMatrix, at: int | Sequence[int] | None) -> MonthsMatrix:
    """Only some months of a matrix that is there already."""
    if at is None:
        return matrix
    wanted = sorted({at} if isinstance(at, int) else set(at))
    strange = sorted(set(wanted) - set(matrix.months.tolist()))
    if strange:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, strange))}")
    keep = np.isin(matrix.months, wanted)
    return _folded(replace(matrix, months=matrix.months[keep], value=matrix.value[:, keep], observed=matrix.observed[:, keep],
                           dead=matrix.dead[:, keep]))  # fmt: skip


def reference_of(data: object, matrix: MonthsMatrix, reference: str | None) -> int | None:
    """Position of the reference arm; None where there is one arm.

    Raises
    ------
    UnsupportedError
        Where there are several arms and none, or an unknown one, is named.
    """
    reference = own_reference(data, reference)
    if reference is None and len(matrix.arms) < 2:
        return None
    if reference is None or reference not in matrix.arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(matrix.arms)}")
    return matrix.arms.index(reference)
