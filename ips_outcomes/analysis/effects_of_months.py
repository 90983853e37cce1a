"""Effects within levels on months in work: sums over months of the rates in each level and arm, months after death being 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.few_clusters import small_error
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.level_effects import Effect, Pair, tested
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
    """

    value: Floats
    observed: Floats
    months: Ints


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
    matrix = months_matrix(rows, outcome, month=column, person_id=person_id, cluster="_person", dead=dead)
    assert matrix.cluster is not None
    shape = (len(people), len(matrix.months))
    value, observed = np.zeros(shape), np.zeros(shape)
    at = np.unique(place[place >= 0])[matrix.cluster]
    value[at], observed[at] = matrix.value, np.where(matrix.dead, 1.0, matrix.observed)
    return PersonMonths(value, observed, matrix.months)


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
        known = self.observed.max(axis=1, initial=0.0) > 0
        self.n = np.bincount(self.cell, weights=known, minlength=size)
        seen_by = np.stack([np.bincount(self.cell, weights=o, minlength=size) for o in self.observed.T], axis=1)
        worked = np.stack([np.bincount(self.cell, weights=v, minlength=size) for v in self.value.T], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = worked / seen_by
            self.mean = rate.sum(axis=1)
            share = 1.0 / seen_by
        self.influence = (
            (self.value - self.observed * rate[self.cell]) * np.where(self.observed > 0, share[self.cell], 0.0)
        ).sum(axis=1)
        self.influence = np.nan_to_num(self.influence)
        full = np.isfinite(self.mean).reshape(levels, 2).all(axis=1) & (self.n.reshape(levels, 2).min(axis=1) > 0)
        self.present = np.flatnonzero(full).tolist()
        self.clusters = None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        gaps = int((known & (self.observed.min(axis=1, initial=1.0) == 0)).sum())
        if gaps:
            self.notes.append(f"{gaps} people were not observed in some month: it is left out of that month's rate")
        self.few = self.clusters is not None and int(self.clusters.max(initial=-1)) + 1 < FEW_CLUSTERS
        if self.few and self.clusters is not None:
            self.notes.append(
                f"{int(self.clusters.max()) + 1} clusters are few: CR2 errors, limits and p from t with Satterthwaite's degrees of "
                "freedom (under 4 of them: read p-values with reserve)"
            )

    def _scale(self, level: int, scale: str) -> tuple[float, dict[int, float]] | None:
        """Value, and what each cell's mean is multiplied by in it."""
        base, arm = 2 * level, 2 * level + 1
        m0, m1 = float(self.mean[base]), float(self.mean[arm])
        if scale == "mean_difference":
            return m1 - m0, {arm: 1.0, base: -1.0}
        if min(m1, m0) <= 0:
            return None
        return float(np.log(m1 / m0)), {arm: 1 / m1, base: -1 / m0}

    def _error(self, parts: dict[int, float]) -> tuple[float, float, Floats]:
        factor = np.zeros(len(self.mean))
        factor[list(parts)] = list(parts.values())
        own = self.influence * factor[self.cell]
        influence = np.zeros(self.people)
        np.add.at(influence, self.rows, own)
        if self.clusters is None:
            variance = np.bincount(self.cell, weights=own**2, minlength=len(self.mean))
            here = np.array(list(parts))
            if (self.n[here] < 2).any():
                return float("nan"), float("inf"), influence
            return float(np.sqrt((variance[here] * self.n[here] / (self.n[here] - 1)).sum())), float("inf"), influence
        if self.few:
            matrix = self._matrix(list(parts))
            months = len(self.months)
            error, degrees = small_error(matrix, range(len(parts)), list(parts.values()), np.eye(months), np.ones(months))
            return error, degrees, influence
        sums = np.bincount(self.clusters, weights=own)
        inside = np.isin(self.cell, list(parts)) & (self.observed.max(axis=1) > 0)
        groups, people = len(np.unique(self.clusters[inside])), int(inside.sum())
        factor_of = groups / (groups - 1) * (people - 1) / (people - len(parts)) if groups > 1 and people > len(parts) else np.nan
        return float(np.sqrt(factor_of * (sums**2).sum())), float("inf"), influence

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

    def _method(self) -> str:
        how = "area between the monthly rates"
        return f"{how}, CR2" if self.few else f"{how}, cluster-robust" if self.clusters is not None else how

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        made = []
        for level in self.present:
            for scale in SCALES:
                found = self._scale(level, scale)
                if found is None:
                    continue
                error, degrees, influence = self._error(found[1])
                n0, n1 = round(float(self.n[2 * level])), round(float(self.n[2 * level + 1]))
                sizes = {"n_reference": n0, "n_arm": n1, "n": n0 + n1}
                made.append(Effect(level, scale, found[0], error, degrees, influence, sizes, self._method()))
        return made

    def pair(self, level: int, other: int, scale: str) -> Pair | None:
        """Level minus other."""
        if level not in self.present or other not in self.present:
            return None
        one, two = self._scale(level, scale), self._scale(other, scale)
        if one is None or two is None:
            return None
        value = one[0] - two[0]
        error, degrees, influence = self._error({**one[1], **{cell: -x for cell, x in two[1].items()}})
        low, high, p_value = tested(value, error, degrees)
        return Pair(level, other, scale, value, error, degrees, influence, self._method(), (low, high), p_value)
