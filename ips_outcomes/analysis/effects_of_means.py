"""Effects within levels for outcomes that have a mean: yes or no in a month, hours, pay, a score; adjusted or not.

One regression holds a mean for every level and arm (and covariates, the same in all levels), so that an effect is a combination
of its coefficients and so is the difference between two effects. Without covariates the means are those of the people, whatever
the model; with them a yes/no outcome has the logistic model, standardised over the people of the level (g-computation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis import two_proportions
from ips_outcomes.analysis.cell_means import CellMeans, Told
from ips_outcomes.analysis.compare import chosen_intervals
from ips_outcomes.analysis.exact_tests import fisher_p, pearson_p
from ips_outcomes.analysis.level_effects import ONE_CLUSTER, Effect, Pair, few_clusters_note, independent, sizes_of, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS, t_p
from ips_outcomes.analysis.regression import firth_profile, fit_model
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.errors import UnsupportedError

__all__ = ["MeanEffects", "MeanRows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Scales of a yes/no outcome and of a number.
YES_NO = ("risk_difference", "risk_ratio", "odds_ratio")
NUMBER = ("mean_difference", "mean_ratio")


@dataclass(frozen=True)
class MeanRows:
    """Rows of two arms with a known outcome.

    Attributes
    ----------
    y : array
    treated : array of bool
        Of the arm that is compared with the reference.
    level : array of int
    person : array of int
        Where each row stands among all people.
    people : int
        How many people there are in all.
    covariates : array, rows x columns
    clusters : array of int, optional
    binary : bool
    """

    y: Floats
    treated: NDArray[np.bool_]
    level: Ints
    person: Ints
    people: int
    covariates: Floats
    clusters: Ints | None
    binary: bool


class MeanEffects:
    """Effects within levels, and their differences; see `LevelEffects`.

    Examples
    --------
    >>> rows = MeanRows(np.array([0.0, 1, 1, 1, 0, 0, 0, 1]), np.array([1, 1, 1, 1, 0, 0, 0, 0]) == 1, np.array([0, 0, 1, 1] * 2),
    ...                 np.arange(8), 8, np.zeros((8, 0)), None, True)
    >>> found = MeanEffects(rows, least_events=0)
    >>> [(e.level, e.value) for e in found.effects() if e.scale == "risk_difference"]
    [(0, 0.5), (1, 0.5)]
    >>> found.pair(1, 0, "risk_difference").value
    0.0
    """

    def __init__(self, rows: MeanRows, *, errors: Errors = "robust", least_events: int = 5) -> None:
        self.rows, self.errors, self.least = rows, errors, least_events
        self.notes: list[str] = []
        self.adjusted = rows.covariates.shape[1] > 0
        self.scales = (*YES_NO, *(("conditional_odds_ratio",) if self.adjusted else ())) if rows.binary else NUMBER
        cell = 2 * rows.level + rows.treated.astype(np.int64)
        levels = int(rows.level.max()) + 1 if len(rows.level) else 0
        self.n = np.bincount(cell, minlength=2 * levels).reshape(levels, 2)
        self.events = np.bincount(cell, weights=rows.y, minlength=2 * levels).reshape(levels, 2)
        self.present = [i for i in range(levels) if self.n[i].min() > 0]
        few = np.minimum(self.events, self.n - self.events).min(axis=1) < least_events if rows.binary else np.zeros(levels, bool)
        self.small = {i for i in self.present if few[i]}
        self.kept = np.isin(rows.level, self.present)
        self.cell = cell[self.kept]
        self.columns = independent(self.cell, rows.covariates[self.kept]) if self.present else []
        if self.present and len(self.columns) < rows.covariates.shape[1]:
            self.notes.append(
                f"{rows.covariates.shape[1] - len(self.columns)} of {rows.covariates.shape[1]} columns of adjust= are constant or "
                "follow from the levels: left out of this model"
            )
        self._fits: dict[bool, CellMeans | None] = {}
        self._trouble = ""
        if self.present and rows.clusters is not None:
            number = len(np.unique(rows.clusters[self.kept]))
            if number < 2:
                raise UnsupportedError("one cluster is too few for cluster-robust errors: leave out cluster=")
            if number < FEW_CLUSTERS:
                self.notes.append(few_clusters_note(number))

    def _fit(self, penalised: bool) -> CellMeans | None:
        """Plain, or penalised where it was asked for or nothing else is finite; None where neither is."""
        if penalised not in self._fits:
            rows, keep = self.rows, self.kept
            clusters = None if rows.clusters is None else rows.clusters[keep]
            found: CellMeans | None = None
            try:
                found = CellMeans(rows.y[keep], self.cell, rows.covariates[keep][:, self.columns], clusters, binary=rows.binary,
                                  penalised=penalised)  # fmt: skip
            except (UnsupportedError, np.linalg.LinAlgError) as error:
                if not penalised and rows.binary and self.adjusted:
                    found = self._fit(True)
                    self.notes.append("the covariates separate the outcome: Firth's penalty")
                else:
                    self._trouble = str(error)
            self._fits[penalised] = found
        return self._fits[penalised]

    def _penalised(self, *levels: int) -> bool:
        """Whether a level with few events takes part: then all its answers on a model come from the penalised fit."""
        return self.rows.binary and any(level in self.small for level in levels)

    def _on_scale(self, level: int, scale: str, fit: CellMeans | None) -> tuple[float, Floats] | None:
        """Value and slope of an effect; None where the scale has no room for it."""
        if fit is None or not fit.has(level):
            return None
        found = fit.level(level)
        (m1, m0), (s1, s0) = found.mean, found.slope
        if scale in ("risk_difference", "mean_difference"):
            return m1 - m0, s1 - s0
        if scale == "conditional_odds_ratio":
            slope = np.zeros(len(s1))
            base, arm = fit.columns(level)
            slope[arm], slope[base] = 1.0, -1.0
            return float(slope @ fit.fit.coefficients), slope
        if min(m1, m0) <= 0:
            return None
        if scale in ("risk_ratio", "mean_ratio"):
            return float(np.log(m1 / m0)), s1 / m1 - s0 / m0
        if max(m1, m0) >= 1:
            return None
        return float(special.logit(m1) - special.logit(m0)), s1 / (m1 * (1 - m1)) - s0 / (m0 * (1 - m0))

    def _influence(self, told: Told) -> Floats:
        influence = np.zeros(self.rows.people)
        np.add.at(influence, self.rows.person[self.kept], told.parts)
        return influence

    def _method(self, fit: CellMeans, told: Told) -> str:
        if not self.rows.binary:
            how = "OLS" if self.adjusted or self.errors == "model" else "means"
        else:
            how = "g-computation" if self.adjusted else "proportions"
        if fit.penalised:
            how += f", Firth's penalty: fewer than {self.least} with or without the event" if self.small else ", Firth's penalty"
        if self.rows.clusters is not None:
            how += ", CR2" if told.few else ", cluster-robust"
            return how if np.isfinite(told.error) else f"{how}: {ONE_CLUSTER}"
        return how if self.rows.binary or self.errors == "model" else f"{how}, HC2"

    def sizes(self, level: int) -> dict[str, int]:
        """People, and of a yes/no outcome those with it."""
        return sizes_of(level, self.n, self.events if self.rows.binary else None)

    def lacking(self, level: int, scale: str) -> str:
        """Why a level has no effect on a scale."""
        if level not in self.present:
            return "nobody of an arm in this level"
        if self._trouble:
            return self._trouble
        if not self.rows.binary:
            return "no ratio: a mean is not above 0"
        return "no answer: an arm has no event here, or nobody without it"

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        return [found for level in self.present for scale in self.scales if (found := self._effect(level, scale)) is not None]

    def _effect(self, level: int, scale: str) -> Effect | None:
        small = self._penalised(level)
        # a difference of counts needs no penalty: its score interval holds with no event at all
        counted = not self.adjusted and self.rows.clusters is None
        fit = self._fit(small and not (counted and scale == "risk_difference"))
        found = self._on_scale(level, scale, fit)
        if fit is None or found is None:
            return None
        told = fit.told(found[1], self.errors)
        method, ends, p_value = self._method(fit, told), None, None
        if self.rows.binary and counted:
            ends, p_value, method = self._counted(level, scale, small)
        return Effect(level, scale, found[0], told.error, told.degrees, self._influence(told), self.sizes(level), method, ends,
                      p_value, small or fit.penalised)  # fmt: skip

    def _counted(self, level: int, scale: str, small: bool) -> tuple[tuple[float, float], float, str]:
        """Limits and p of one level's counts, as `compare_arms` gives them; of few events exact or penalised."""
        (e0, e1), (n0, n1) = self.events[level], self.n[level].astype(float)
        cells = np.array([float(e1)]), np.array([float(n1)]), np.array([float(e0)]), np.array([float(n0)])
        if not small:
            method, limits_of = two_proportions.INTERVALS[scale][chosen_intervals(None)[scale]]
            low, high = limits_of(*cells)
            return (float(low[0]), float(high[0])), float(pearson_p(*cells)[0]), method
        p_value, exact = float(fisher_p(*cells)[0]), f"Fisher's p: fewer than {self.least} with or without the event"
        if scale == "risk_difference":
            low, high = two_proportions.newcombe(*cells)
            return (float(low[0]), float(high[0])), p_value, f"Newcombe, {exact}"
        if scale == "risk_ratio":
            low, high = two_proportions.koopman(*cells)
            said = "Firth's penalty, Koopman limits" + ("" if np.isfinite(high[0]) else " (no upper one)")
            return (float(low[0]), float(high[0])), p_value, f"{said}, {exact}"
        # the four cells of the table, each as many people as are there
        count = np.array([n0 - e0, e0, n1 - e1, e1], dtype=float)
        there = count > 0
        x, y = np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]])[there], np.array([0.0, 1, 0, 1])[there]
        try:
            low_log, high_log, _ = firth_profile(fit_model(y, x, count[there], "logistic", firth=True), 1)
            ends = "profile"
        except UnsupportedError:
            # one or two people in a cell: the penalised likelihood has no peak that is found; half a person to either side has one
            half = np.array([n0 - e0, e0, n1 - e1, e1]) + 0.5
            low_log, high_log, _ = tested(float(np.log(half) @ [1, -1, -1, 1]), float(np.sqrt((1 / half).sum())), np.inf)
            ends = "Wald"
        return (float(np.exp(low_log)), float(np.exp(high_log))), p_value, f"Firth's penalty, {ends} limits, {exact}"

    def pair(self, level: int, other: int, scale: str, *, wald: bool = False) -> Pair | None:
        """Level minus other, on one scale."""
        if level not in self.present or other not in self.present:
            return None
        fit = self._fit(self._penalised(level, other))
        one, two = self._on_scale(level, scale, fit), self._on_scale(other, scale, fit)
        if fit is None or one is None or two is None:
            return None
        value, slope = one[0] - two[0], one[1] - two[1]
        told = fit.told(slope, self.errors)
        low, high, p_value = tested(value, told.error, told.degrees)
        many = self._among_many(fit, value, slope, told) if scale == "risk_difference" and self.rows.clusters is None else None
        return Pair(level, other, scale, value, told.error, told.degrees, self._influence(told), self._method(fit, told),
                    (low, high), p_value, fit.penalised, many)  # fmt: skip

    def _among_many(self, fit: CellMeans, value: float, slope: Floats, told: Told) -> float:
        """The p-value of a difference of differences that enters step-down tests.

        Without covariates: half a person is added to either side of each
        proportion, and t has Welch's degrees of freedom; with them: each
        cell's share of the variance with n / (n - 1), and the same degrees.
        """
        if self.adjusted:
            parts = np.bincount(fit.cells, weights=told.parts[fit.rows] ** 2, minlength=fit.number)
            variance = parts * fit.n / np.maximum(fit.n - 1, 1)
            error = max(float(np.sqrt(variance.sum())), told.error)
        else:
            mean = (np.bincount(fit.cells, weights=fit.y, minlength=fit.number) + 0.5) / (fit.n + 1)
            value, variance = float(slope @ mean), slope**2 * mean * (1 - mean) / fit.n
            error = float(np.sqrt(variance.sum()))
        if not error > 0:
            return float("nan")
        return float(t_p(np.array([value / error]), np.array([fit.welch(variance)]))[0])
