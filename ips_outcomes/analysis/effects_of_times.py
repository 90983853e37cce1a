"""Effects within levels on time to an event: hazard ratios of one Cox model, and months gained up to a horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.cox_errors import cluster_scores
from ips_outcomes.analysis.cox_regression import CoxFit, fit_cox
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.folding import Patterns
from ips_outcomes.analysis.incidence import incidence_from_table
from ips_outcomes.analysis.influence import area_to, of_incidence
from ips_outcomes.analysis.level_effects import ONE_CLUSTER, Effect, Pair, independent, sizes_of, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS, t_p
from ips_outcomes.errors import UnsupportedError

__all__ = ["TimeEffects"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Cox:
    """One Cox model: its fit, everybody's influence on the coefficients, and the levels that have a hazard ratio in it."""

    fit: CoxFit
    shares: Floats
    levels: list[int]
    penalised: bool

    def at(self, name: str) -> int:
        return list(self.fit.coefficients.index).index(name)

    def row(self, name: str) -> tuple[float, float, float]:
        """Limits (of the ratio) and p-value of a coefficient."""
        row = self.fit.estimates.table.set_index("term").loc[name]
        return float(row["conf_low"]), float(row["conf_high"]), float(row["p_value"])


class TimeEffects:
    """Effects within levels on time to an event; see `LevelEffects`.

    Parameters
    ----------
    table : pandas.DataFrame
        People of two arms, with columns ``time`` and ``event``.
    treated, level : array
    rows : array of int
        Where each row stands among all people.
    people : int
    cause : int
    horizon : float or None
        Of months gained; by default the longest that all levels with enough events allow.
    covariates : array, rows x columns
        Of the Cox model; months gained are never adjusted.
    clusters : array of int, optional
    least_events : int
        A level with fewer events in an arm takes its answers from a penalised model.

    Examples
    --------
    >>> table = pd.DataFrame({"time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 1, 0, 1, 1, 1, 1]})
    >>> found = TimeEffects(table, np.array([0, 1] * 4) == 1, np.array([0] * 4 + [1] * 4), np.arange(8), 8, cause=1, horizon=None,
    ...                     covariates=np.zeros((8, 0)), clusters=None, least_events=0)
    >>> [(e.level, e.scale, round(e.value, 3)) for e in found.effects()][:2]
    [(0, 'hazard_ratio', -0.759), (0, 'mean_difference', -1.0)]
    """

    def __init__(
        self, table: pd.DataFrame, treated: NDArray[np.bool_], level: Ints, rows: Ints, people: int, *, cause: int,
        horizon: float | None, covariates: Floats, clusters: Ints | None, least_events: int,
    ) -> None:  # fmt: skip
        self.notes: list[str] = []
        self.rows, self.people, self.cause, self.least = rows, people, cause, least_events
        self.treated, self.level, self.clusters = treated, level, clusters
        self.time, self.event = table["time"].to_numpy(dtype=np.int64), table["event"].to_numpy(dtype=np.int64)
        levels = int(level.max()) + 1 if len(level) else 0
        self.cell = 2 * level + treated
        self.n = np.bincount(self.cell, minlength=2 * levels).reshape(levels, 2)
        self.events = np.bincount(self.cell, weights=self.event == cause, minlength=2 * levels).reshape(levels, 2)
        self.present = [i for i in range(levels) if self.n[i].min() > 0]
        self.small = {i for i in self.present if self.events[i].min() < least_events}
        self.few = clusters is not None and len(np.unique(clusters)) < FEW_CLUSTERS
        # a cluster that holds a whole arm of a level tells no error: its scores there add up to 0 whatever happens
        self.alone: set[int] = set()
        if clusters is not None:
            groups = np.bincount(np.unique(np.column_stack([self.cell, clusters]), axis=0)[:, 0], minlength=2 * levels)
            self.alone = {i for i in self.present if groups[2 * i : 2 * i + 2].min() < 2}
            if self.few:
                self.notes.append(
                    f"{len(np.unique(clusters))} clusters are few: limits and p-values of hazard ratios are from a wild score "
                    "bootstrap over clusters, those of months gained from t; read them with care"
                )
        chosen = independent(self.cell, covariates) if len(self.cell) else []
        self.covariates = covariates[:, chosen]
        if len(chosen) < covariates.shape[1]:
            self.notes.append(
                f"{covariates.shape[1] - len(chosen)} of {covariates.shape[1]} columns of adjust= are constant or follow from the "
                "levels: left out of this model"
            )
        self._models: dict[bool, _Cox | None] = {}
        self._trouble = ""
        self._areas = self._gained(horizon)

    # ---------------------------------------------------------------- hazard ratios

    def _design(
        self, penalised: bool, pair: tuple[int, int] | None = None
    ) -> tuple[pd.DataFrame, str, NDArray[np.bool_], list[int]]:
        """A column a level, and one for the arm in each level; or, for one pair, its difference as a column of its own.

        Plain: a cell without events has an infinite coefficient, and at that limit its people say nothing on the others.
        """
        happened = self.events > 0
        if penalised:
            # a level without any event in either arm has no hazard ratio, penalised or not
            used = {i for i in self.present if happened[i].any()}
            keep, told = np.isin(self.level, list(used)), sorted(used)
        else:
            keep, told = happened.ravel()[self.cell], [i for i in self.present if happened[i].all()]
        level, treated = self.level[keep], self.treated[keep].astype(float)
        columns: dict[str, NDArray[np.generic]] = {"time": self.time[keep], "event": self.event[keep]}
        names = [f"_level_{i}" for i in np.unique(level).tolist()[1:]]
        columns |= {name: (level == int(name[7:])).astype(float) for name in names}
        for i in told:
            # the reference level's effect is shared by both of a pair, so that the other column is what one has more
            inside = np.isin(level, pair) if pair is not None and i == pair[1] else level == i
            columns[f"_effect_{i}"] = np.where(inside, treated, 0.0)
            names.append(f"_effect_{i}")
        for j, values in enumerate(self.covariates[keep].T):
            columns[f"_covariate_{j}"] = values
            names.append(f"_covariate_{j}")
        columns["_cluster"] = np.full(len(level), -1) if self.clusters is None else self.clusters[keep]
        return pd.DataFrame(columns), " + ".join(names), keep, told

    def _model(self, penalised: bool) -> _Cox | None:
        """Plain, or penalised where it was asked for or nothing else is finite; None where neither is."""
        if penalised not in self._models:
            self._models[penalised] = self._fitted(penalised)
        return self._models[penalised]

    def _fitted(self, penalised: bool) -> _Cox | None:
        table, formula, keep, told = self._design(penalised)
        if not told:
            return None
        try:
            fit = fit_cox(table, formula, cause=self.cause, cluster=None if self.clusters is None else "_cluster",
                          penalty="firth" if penalised else None)  # fmt: skip
        except UnsupportedError as error:
            if penalised or self.clusters is not None:
                self._trouble = str(error)
                return None
            self.notes.append("no finite hazard ratio without a penalty: Firth's penalty")
            return self._model(True)
        used = np.flatnonzero(keep)[fit.people.rows]
        scores = cluster_scores(fit.sets, fit.sums, np.arange(len(used), dtype=np.int64), len(used))
        shares = np.zeros((self.people, scores.shape[1]))
        scale = fit.people.design.scale
        np.add.at(shares, self.rows[used], (scores @ (fit.model_covariance.to_numpy() * np.outer(scale, scale))) / scale)
        return _Cox(fit, shares, told, penalised)

    def _cox(self, *levels: int) -> _Cox | None:
        """The model that answers on some levels; the penalty has no robust errors, so clusters have the plain one."""
        found = self._model(self.clusters is None and bool(set(levels) & self.small))
        return found if found is not None and set(levels) <= set(found.levels) else None

    def _method(self, model: _Cox, *levels: int) -> str:
        how = "Cox, one model"
        if model.penalised:
            few = bool(set(levels) & self.small)
            return f"{how}, Firth's penalty" + (f": fewer than {self.least} events in a level and arm" if few else "")
        if self.clusters is None:
            return how
        if set(levels) & self.alone:
            return f"{how}: {ONE_CLUSTER}"
        return f"{how}, wild score bootstrap" if self.few else f"{how}, cluster-robust"

    def _hazard(self, level: int) -> Effect | None:
        model = self._cox(level)
        if model is None:
            return None
        name = f"_effect_{level}"
        value, error = float(model.fit.coefficients[name]), float(np.sqrt(model.fit.covariance.loc[name, name]))
        low, high, p_value = model.row(name)
        if level in self.alone:
            error = low = high = p_value = float("nan")
        return Effect(level, "hazard_ratio", value, error, float("inf"), model.shares[:, model.at(name)], self.sizes(level),
                      self._method(model, level), (low, high), p_value, level in self.small or model.penalised)  # fmt: skip

    def _hazards(self, level: int, other: int, wald: bool) -> Pair | None:
        model = self._cox(level, other)
        if model is None:
            return None
        a, b = f"_effect_{level}", f"_effect_{other}"
        covariance = model.fit.covariance
        value = float(model.fit.coefficients[a] - model.fit.coefficients[b])
        error = float(np.sqrt(covariance.loc[a, a] + covariance.loc[b, b] - 2 * covariance.loc[a, b]))
        influence = model.shares[:, model.at(a)] - model.shares[:, model.at(b)]
        if {level, other} & self.alone:
            error = float("nan")
        degrees = float("inf") if self.clusters is None or not self.few else float(len(np.unique(self.clusters)) - 1)
        low, high, p_value = tested(value, error, degrees)
        method = self._method(model, level, other)
        if np.isfinite(error) and (self.few or model.penalised) and not wald:
            # limits and p that are not Wald's belong to a coefficient: the difference becomes one
            table, formula, *_ = self._design(model.penalised, (level, other))
            try:
                again = fit_cox(table, formula, cause=self.cause, cluster="_cluster" if self.clusters is not None else None,
                                penalty="firth" if model.penalised else None)  # fmt: skip
                ratio_low, ratio_high, p_value = _Cox(again, model.shares, [], model.penalised).row(a)
                low, high = float(np.log(ratio_low)), float(np.log(ratio_high))
            except UnsupportedError:
                method += ", Wald limits"
        return Pair(level, other, "hazard_ratio", value, error, degrees, influence, method, (low, high), p_value,
                    bool({level, other} & self.small) or model.penalised, self._among_many(level, other, p_value))  # fmt: skip

    def _among_many(self, level: int, other: int, p_value: float) -> float | None:
        """The p-value that enters step-down tests: the normal score of ``p_value`` taken for t.

        A logarithm of a hazard has a variance of about one over its events,
        known about as well as from so many people: Welch's degrees of freedom
        follow from the events of the four cells.
        """
        if self.clusters is not None or not np.isfinite(p_value):
            return None
        events = np.maximum(self.events[[level, other]].ravel(), 1.0)
        degrees = float((1 / events).sum() ** 2 / (1 / events**2 / np.maximum(events - 1, 1.0)).sum())
        score = -special.ndtri(max(p_value, 1e-300) / 2)
        return float(t_p(np.array([score]), np.array([degrees]))[0])

    # ---------------------------------------------------------------- months gained

    def _gained(self, horizon: float | None) -> dict[int, tuple[float, Floats]]:
        """Area under the cumulative incidence of each cell, and everybody's influence on it."""
        cells = {}
        for cell in [2 * i + side for i in self.present for side in (0, 1)]:
            inside = np.flatnonzero(self.cell == cell)
            ones = np.ones(len(inside))
            people = Patterns(np.full(len(inside), -1, dtype=np.int64), self.time[inside], self.event[inside], ones, ones, ones)
            counted = event_table(people, self.cause)
            rows = incidence_from_table(counted)
            # a curve that has nobody left to lose goes on as it is
            last = np.inf if rows["event_free"][-1] == 0 else float(people.time.max())
            cells[cell] = (inside, people, counted, rows, last)
        found: dict[int, tuple[float, Floats]] = {}
        self.horizon = float("nan")
        if not cells:
            return found
        # a handful of people, say of unknown level, must not cut everybody's horizon
        large = [last for cell, (*_, last) in cells.items() if cell // 2 not in self.small]
        longest = min(large or [last for *_, last in cells.values()])
        longest = longest if np.isfinite(longest) else float(self.time.max())
        self.horizon = float(longest if horizon is None else horizon)
        ends = np.array([self.horizon])
        for cell, (inside, people, counted, rows, last) in cells.items():
            if self.horizon > last:
                continue
            influence = np.zeros(self.people)
            if people.time.max() > 0:
                own = of_incidence(people, counted, self.cause, rows["estimate"], rows["event_free"]).areas(ends)[:, 0]
                np.add.at(influence, self.rows[inside], own)
            found[cell] = (float(area_to(counted.time, rows["estimate"], ends)[0]), influence)
        return found

    def _months(self, level: int) -> tuple[float, Floats] | None:
        """Months gained in a level, and everybody's influence."""
        if level not in self.present or 2 * level not in self._areas or 2 * level + 1 not in self._areas:
            return None
        (a1, i1), (a0, i0) = self._areas[2 * level + 1], self._areas[2 * level]
        return a1 - a0, i1 - i0

    def _error(self, influence: Floats, *levels: int) -> tuple[float, float, str]:
        """Error of an area from everybody's influence on it, degrees of freedom, and how."""
        how = f"months gained by {self.horizon:g}"
        if self.clusters is None:
            return float(np.sqrt((influence**2).sum())), float("inf"), how
        if set(levels) & self.alone:
            return float("nan"), float("nan"), f"{how}: {ONE_CLUSTER}"
        own = np.bincount(self.clusters, weights=influence[self.rows])
        groups = len(np.unique(self.clusters[np.isin(self.level, levels)]))
        degrees = float(groups - 1) if groups < FEW_CLUSTERS else float("inf")
        return float(np.sqrt(groups / (groups - 1) * (own**2).sum())), degrees, f"{how}, cluster-robust"

    # ---------------------------------------------------------------- what `LevelEffects` asks

    def sizes(self, level: int) -> dict[str, int]:
        """People, and those with the event."""
        return sizes_of(level, self.n, self.events)

    def lacking(self, level: int, scale: str) -> str:
        """Why a level has no effect on a scale."""
        if level not in self.present:
            return "nobody of an arm in this level"
        if scale == "mean_difference":
            return f"followed for less than the horizon of {self.horizon:g}"
        return self._trouble or "no answer: an arm has no event here"

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        made = []
        for level in self.present:
            hazard, months = self._hazard(level), self._months(level)
            if hazard is not None:
                made.append(hazard)
            if months is not None:
                error, degrees, method = self._error(months[1], level)
                made.append(Effect(level, "mean_difference", months[0], error, degrees, months[1], self.sizes(level), method,
                                   small=level in self.small))  # fmt: skip
        return made

    def pair(self, level: int, other: int, scale: str, *, wald: bool = False) -> Pair | None:
        """Level minus other; the difference of hazard ratios is the interaction of arm and level."""
        if scale == "hazard_ratio":
            return self._hazards(level, other, wald)
        one, two = self._months(level), self._months(other)
        if one is None or two is None:
            return None
        value, influence = one[0] - two[0], one[1] - two[1]
        error, degrees, method = self._error(influence, level, other)
        low, high, p_value = tested(value, error, degrees)
        return Pair(level, other, scale, value, error, degrees, influence, method, (low, high), p_value,
                    bool({level, other} & self.small))  # fmt: skip
