"""Effects within levels on time to an event: hazard ratios of one Cox model, and months gained up to a horizon."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_errors import cluster_scores
from ips_outcomes.analysis.cox_regression import CoxFit, fit_cox
from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.folding import Patterns
from ips_outcomes.analysis.incidence import incidence_from_table
from ips_outcomes.analysis.influence import area_to, of_incidence
from ips_outcomes.analysis.level_effects import Effect, Pair, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.errors import UnsupportedError

__all__ = ["TimeEffects"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TimeEffects:
    """Effects within levels on time to an event; see `LevelEffects`.

    Parameters
    ----------
    table : pandas.DataFrame
        People of two arms, with columns ``time`` and ``event`` and those of ``adjust``.
    treated, level : array
    rows : array of int
        Where each row stands among all people.
    people : int
    cause : int
    horizon : float or None
        Of months gained; the longest that all levels and arms allow, by default.
    adjust : list of str
        Covariates of the Cox model; months gained are never adjusted.
    clusters : array of int, optional
    least_events : int
        A level with fewer events in an arm makes the Cox model a penalised one.
    """

    def __init__(
        self, table: pd.DataFrame, treated: NDArray[np.bool_], level: Ints, rows: Ints, people: int, *, cause: int,
        horizon: float | None, adjust: list[str], clusters: Ints | None, least_events: int,
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
        self._table, self._adjust = table, adjust
        self._cox: CoxFit | None = None
        self._areas = self._gained(horizon)
        # a level without any event in either arm has no hazard ratio, penalised or not
        self.modelled = [i for i in self.present if self.events[i].sum() > 0]
        if self.modelled:
            self._fit()

    def _design(self, pair: tuple[int, int] | None = None) -> tuple[pd.DataFrame, str]:
        """A column a level, and one for the arm in each level; or, for one pair, its difference as a column of its own."""
        keep = np.isin(self.level, self.modelled)
        table = self._table[keep].copy()
        level, treated = self.level[keep], self.treated[keep].astype(float)
        names = []
        for i in self.modelled[1:]:
            table[f"_level_{i}"] = (level == i).astype(float)
            names.append(f"_level_{i}")
        for i in self.modelled:
            inside = level == i
            if pair is not None and i == pair[1]:
                # the reference level's effect is shared by both, so that the other column is what one has more
                inside = np.isin(level, pair)
            table[f"_effect_{i}"] = np.where(inside, treated, 0.0)
            names.append(f"_effect_{i}")
        table["_cluster"] = -1 if self.clusters is None else self.clusters[keep]
        return table, " + ".join([*names, *self._adjust])

    def _fit(self) -> None:
        table, formula = self._design()
        penalised = any(i in self.small for i in self.modelled)
        cluster = None if self.clusters is None else "_cluster"
        if penalised and cluster:
            # the penalty has no robust errors: without it where all is finite
            self._cox = fit_cox(table, formula, cause=self.cause, cluster=cluster)
        else:
            self._cox = fit_cox(table, formula, cause=self.cause, cluster=cluster, penalty="firth" if penalised else None)
        self.notes += [note for note in self._cox.estimates.notes if "covariate" in note or "missing" in note]
        used = np.flatnonzero(np.isin(self.level, self.modelled))[self._cox.people.rows]
        scores = cluster_scores(self._cox.sets, self._cox.sums, np.arange(len(used), dtype=np.int64), len(used))
        scale = self._cox.people.design.scale
        inverse = self._cox.model_covariance.to_numpy() * np.outer(scale, scale)
        shares = (scores @ inverse) / scale
        self._shares = np.zeros((self.people, shares.shape[1]))
        np.add.at(self._shares, self.rows[used], shares)
        self._penalised = penalised and not cluster

    def _gained(self, horizon: float | None) -> dict[int, tuple[float, Floats]]:
        """Area under the cumulative incidence of each cell, and everybody's influence on it."""
        found: dict[int, tuple[float, Floats]] = {}
        cells = {}
        for i in self.present:
            for side in (0, 1):
                inside = np.flatnonzero(self.cell == 2 * i + side)
                ones = np.ones(len(inside))
                people = Patterns(
                    np.full(len(inside), -1, dtype=np.int64), self.time[inside], self.event[inside], ones, ones, ones
                )
                counted = event_table(people, self.cause)
                rows = incidence_from_table(counted)
                last = np.inf if rows["event_free"][-1] == 0 else float(people.time.max())
                cells[2 * i + side] = (inside, people, counted, rows, last)
        if not cells:
            return found
        longest = min(last for *_, last in cells.values())
        longest = longest if np.isfinite(longest) else float(self.time.max())
        if horizon is not None and horizon > longest:
            self.notes.append(
                f"no months gained: some level's last observed time is {longest:g}, before the horizon of {horizon:g}"
            )
            return found
        self.horizon = float(longest if horizon is None else horizon)
        ends = np.array([self.horizon])
        for cell, (inside, people, counted, rows, _) in cells.items():
            influence = np.zeros(self.people)
            if people.time.max() > 0:
                own = of_incidence(people, counted, self.cause, rows["estimate"], rows["event_free"]).areas(ends)[:, 0]
                np.add.at(influence, self.rows[inside], own)
            found[cell] = (float(area_to(counted.time, rows["estimate"], ends)[0]), influence)
        return found

    def _sizes(self, level: int) -> dict[str, int]:
        e0, e1 = (round(float(x)) for x in self.events[level])
        n0, n1 = (int(x) for x in self.n[level])
        return {"n_reference": n0, "n_arm": n1, "n": n0 + n1, "events_reference": e0, "events_arm": e1, "events": e0 + e1}

    def _name(self, level: int) -> str:
        return f"_effect_{level}"

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        made = []
        for level in self.present:
            if level in self.modelled and self._cox is not None:
                made.append(self._hazard(level))
            if 2 * level in self._areas:
                (a1, i1), (a0, i0) = self._areas[2 * level + 1], self._areas[2 * level]
                error, degrees = self._size(i1 - i0)
                made.append(Effect(level, "mean_difference", a1 - a0, error, degrees, i1 - i0, self._sizes(level),
                                   f"months gained by {self.horizon:g}"))  # fmt: skip
        return made

    def _hazard(self, level: int) -> Effect:
        assert self._cox is not None
        name, names = self._name(level), list(self._cox.coefficients.index)
        value = float(self._cox.coefficients[name])
        error = float(np.sqrt(self._cox.covariance.loc[name, name]))
        row = self._cox.estimates.table.set_index("term").loc[name]
        ends = (float(row["conf_low"]), float(row["conf_high"]))
        return Effect(level, "hazard_ratio", value, error, float("inf"), self._shares[:, names.index(name)], self._sizes(level),
                      self._method(), ends, float(row["p_value"]), level in self.small)  # fmt: skip

    def _method(self) -> str:
        how = "Cox, one model"
        if self._penalised:
            return f"{how}, Firth's penalty: fewer than {self.least} events in a level and arm"
        return f"{how}, wild score bootstrap" if self.few else f"{how}, cluster-robust" if self.clusters is not None else how

    def _size(self, influence: Floats) -> tuple[float, float]:
        """Error of an area from everybody's influence on it."""
        if self.clusters is None:
            return float(np.sqrt((influence**2).sum())), float("inf")
        own = np.bincount(self.clusters, weights=influence[self.rows])
        groups = len(np.unique(self.clusters[influence[self.rows] != 0]))
        if groups < 2:
            return float("nan"), float("nan")
        degrees = float(groups - 1) if self.few else float("inf")
        return float(np.sqrt(groups / (groups - 1) * (own**2).sum())), degrees

    def pair(self, level: int, other: int, scale: str) -> Pair | None:
        """Level minus other; the difference of hazard ratios is the interaction of arm and level."""
        if scale == "mean_difference":
            if 2 * level not in self._areas or 2 * other not in self._areas:
                return None
            effects = [(self._areas[2 * x + 1], self._areas[2 * x]) for x in (level, other)]
            (one, two) = [(a[0] - b[0], a[1] - b[1]) for a, b in effects]
            value, influence = one[0] - two[0], one[1] - two[1]
            error, degrees = self._size(influence)
            low, high, p_value = tested(value, error, degrees)
            return Pair(
                level, other, scale, value, error, degrees, influence, f"months gained by {self.horizon:g}", (low, high), p_value
            )
        if self._cox is None or level not in self.modelled or other not in self.modelled:
            return None
        a, b = self._name(level), self._name(other)
        covariance, names = self._cox.covariance, list(self._cox.coefficients.index)
        value = float(self._cox.coefficients[a] - self._cox.coefficients[b])
        error = float(np.sqrt(covariance.loc[a, a] + covariance.loc[b, b] - 2 * covariance.loc[a, b]))
        influence = self._shares[:, names.index(a)] - self._shares[:, names.index(b)]
        low, high, p_value = tested(value, error, float("inf"))
        small = self._penalised and bool({level, other} & self.small)
        if self.few or self._penalised:
            # limits and p that are not Wald's belong to a coefficient: the difference becomes one
            table, formula = self._design((level, other))
            try:
                again = fit_cox(table, formula, cause=self.cause, cluster="_cluster" if self.clusters is not None else None,
                                penalty="firth" if self._penalised else None)  # fmt: skip
                row = again.estimates.table.set_index("term").loc[a]
                low, high, p_value = float(np.log(row["conf_low"])), float(np.log(row["conf_high"])), float(row["p_value"])
            except UnsupportedError as error_found:
                self.notes.append(f"Wald limits for the hazard ratio: {error_found}")
        return Pair(level, other, scale, value, error, float("inf"), influence, self._method(), (low, high), p_value, small)
