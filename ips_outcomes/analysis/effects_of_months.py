"""Effects within levels on months in work: sums over months of the rates in each level and arm, months after death being 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.few_clusters import small_error
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.level_effects import ONE_CLUSTER, Effect, Pair, few_clusters_note, sizes_of, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.person_months import MonthsMatrix, months_matrix
from ips_outcomes.errors import UnsupportedError

__all__ = ["MonthEffects", "PersonMonths", "person_months"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCALES = ("mean_difference", "mean_ratio")


@dataclass(frozen=True)
class PersonMonths:
    """Each person's months, in the order of the people table.

    Attributes
    ----------
    value, observed : array, people x months
        ``value`` is 0 where nothing was observed; months after death are observed and 0.
    months : array of int
    numbers : bool
        The outcome is an amount, such as pay or hours.
    """

    value: Floats
    observed: Floats
    months: Ints
    numbers: bool = False


def person_months(
    data: Data, outcome: str, people: pd.Index, months: range, *, month: str | None, person_id: str, dead: str | None
) -> PersonMonths:  # fmt: skip
    """Put an outcome into person x month arrays, people in a given order.

    Raises
    ------
    UnsupportedError
        As `months_matrix`, and where the data lacks one of the months.
    """
    followed = not isinstance(data, pd.DataFrame)
    table = data.person_months if not isinstance(data, pd.DataFrame) else data
    column = "month" if followed else month or "month"
    person_id = "person_id" if followed else person_id
    lacking = sorted(set(months) - set(table[column].unique()))
    if lacking:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, lacking))}")
    rows = table[table[column].isin(list(months))]
    place = people.get_indexer(rows[person_id])
    # a cluster for everybody, so that nobody is folded together with another and the order is known
    rows = rows.assign(_person=place)[place >= 0]
    if followed:
        rows, dead = rows.assign(_dead=rows["reason"] == "dead"), "_dead"
    matrix = months_matrix(rows, outcome, month=column, person_id=person_id, cluster="_person", dead=dead, numbers=True)
    assert matrix.cluster is not None
    shape = (len(people), len(matrix.months))
    value, observed = np.zeros(shape), np.zeros(shape)
    at = np.unique(place[place >= 0])[matrix.cluster]
    value[at], observed[at] = matrix.value, np.where(matrix.dead, 1.0, matrix.observed)
    return PersonMonths(value, observed, matrix.months, matrix.numbers)


class MonthEffects:
    """Effects within levels on the number of months; see `LevelEffects`."""

    def __init__(self, seen: PersonMonths, treated: NDArray[np.bool_], level: Ints, rows: Ints, clusters: Ints | None) -> None:
        self.notes: list[str] = []
        self.people = len(seen.value)
        self.value, self.observed = seen.value[rows], seen.observed[rows]
        self.rows, self.months = rows, seen.months
        self.cell = 2 * level + treated
        levels = int(level.max()) + 1 if len(level) else 0
        size = 2 * levels
        self.known = self.observed.max(axis=1, initial=0.0) > 0
        self.n = np.bincount(self.cell, weights=self.known, minlength=size)
        seen_by = np.stack([np.bincount(self.cell, weights=o, minlength=size) for o in self.observed.T], axis=1)
        worked = np.stack([np.bincount(self.cell, weights=v, minlength=size) for v in self.value.T], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = worked / seen_by
            self.mean = rate.sum(axis=1)
            share = 1.0 / seen_by
        own = (self.value - self.observed * rate[self.cell]) * np.where(self.observed > 0, share[self.cell], 0.0)
        self.influence = np.nan_to_num(own.sum(axis=1))
        full = np.isfinite(self.mean).reshape(levels, 2).all(axis=1) & (self.n.reshape(levels, 2) > 0).all(axis=1)
        self.present = np.flatnonzero(full).tolist()
        self.clusters = None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        gaps = int((self.known & (self.observed.min(axis=1, initial=1.0) == 0)).sum())
        if gaps:
            self.notes.append(f"{gaps} people were not observed in some month: it is left out of that month's rate")
        number = len(np.unique(self.clusters[self.known])) if self.clusters is not None else FEW_CLUSTERS
        if number < FEW_CLUSTERS:
            self.notes.append(few_clusters_note(number))

    def _scale(self, level: int, scale: str) -> tuple[float, dict[int, float]] | None:
        """Value, and what each cell's mean is multiplied by in it."""
        base, arm = 2 * level, 2 * level + 1
        m0, m1 = float(self.mean[base]), float(self.mean[arm])
        if scale == "mean_difference":
            return m1 - m0, {arm: 1.0, base: -1.0}
        if min(m1, m0) <= 0:
            return None
        return float(np.log(m1 / m0)), {arm: 1 / m1, base: -1 / m0}

    def _told(self, parts: dict[int, float]) -> tuple[float, float, Floats, str]:
        """Error, Welch's or Satterthwaite's degrees of freedom, everybody's influence, and how."""
        how = "area between the monthly rates"
        factor = np.zeros(len(self.mean))
        factor[list(parts)] = list(parts.values())
        own = self.influence * factor[self.cell]
        influence = np.zeros(self.people)
        np.add.at(influence, self.rows, own)
        cells, nothing = np.array(list(parts)), float("nan")
        if self.clusters is None:
            n = self.n[cells]
            if (n < 2).any():
                return nothing, nothing, influence, how
            variance = np.bincount(self.cell, weights=own**2, minlength=len(self.mean))[cells] * n / (n - 1)
            spread = float((variance**2 / (n - 1)).sum())
            degrees = float(variance.sum()) ** 2 / spread if spread > 0 else nothing
            return float(np.sqrt(variance.sum())), degrees, influence, how
        inside = np.isin(self.cell, cells) & self.known
        groups, people = len(np.unique(self.clusters[inside])), int(inside.sum())
        if min(len(np.unique(self.clusters[inside & (self.cell == c)])) for c in parts) < 2:
            # its people's residuals add up to 0 whatever happens, so nothing tells how much it would vary
            return nothing, nothing, influence, f"{how}: {ONE_CLUSTER}"
        if groups < FEW_CLUSTERS:
            months = len(self.months)
            error, degrees = small_error(self._matrix(list(parts)), range(len(parts)), list(parts.values()), np.eye(months),
                                         np.ones(months))  # fmt: skip
            return error, degrees, influence, f"{how}, CR2"
        sums = np.bincount(self.clusters, weights=own)
        scale = groups / (groups - 1) * (people - 1) / (people - len(parts))
        return float(np.sqrt(scale * (sums**2).sum())), float("inf"), influence, f"{how}, cluster-robust"

    def _matrix(self, cells: list[int]) -> MonthsMatrix:
        """The rows of some cells, each cell as an arm."""
        inside = np.isin(self.cell, cells)
        order = {cell: place for place, cell in enumerate(cells)}
        assert self.clusters is not None
        count = int(inside.sum())
        ones = np.ones(count)
        return MonthsMatrix(
            "months", self.months, self.value[inside], self.observed[inside], np.zeros((count, len(self.months)), dtype=bool),
            np.array([order[c] for c in self.cell[inside].tolist()], dtype=np.int64), tuple(map(str, cells)),
            np.zeros(count, dtype=np.int64), ("all",), self.clusters[inside], ones, ones,
        )  # fmt: skip

    def sizes(self, level: int) -> dict[str, int]:
        """People observed in some month."""
        return sizes_of(level, self.n.reshape(-1, 2))

    def lacking(self, level: int, scale: str) -> str:
        """Why a level has no effect on a scale."""
        if level in self.present:
            return "no ratio: an arm has no month in work here"
        sizes = self.sizes(level)
        if not sizes["n_arm"] or not sizes["n_reference"]:
            return "nobody of an arm in this level"
        return "nobody of an arm was observed in some month"

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        made = []
        for level in self.present:
            for scale in SCALES:
                found = self._scale(level, scale)
                if found is None:
                    continue
                error, degrees, influence, method = self._told(found[1])
                if self.clusters is None and np.isfinite(degrees):
                    # limits of a level alone are those of `months_in_work`: normal
                    degrees = float("inf")
                made.append(Effect(level, scale, found[0], error, degrees, influence, self.sizes(level), method))
        return made

    def pair(self, level: int, other: int, scale: str, *, wald: bool = False) -> Pair | None:
        """Level minus other; limits and p from t, with Welch's degrees of freedom."""
        if level not in self.present or other not in self.present:
            return None
        one, two = self._scale(level, scale), self._scale(other, scale)
        if one is None or two is None:
            return None
        value = one[0] - two[0]
        error, degrees, influence, method = self._told({**one[1], **{cell: -x for cell, x in two[1].items()}})
        low, high, p_value = tested(value, error, degrees)
        return Pair(level, other, scale, value, error, degrees, influence, method, (low, high), p_value)
