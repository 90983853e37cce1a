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
from ips_outcomes.analysis.compare import chosen_intervals
from ips_outcomes.analysis.exact_tests import fisher_p, pearson_p
from ips_outcomes.analysis.level_effects import Effect, Pair, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import Fit, firth_profile, fit_model
from ips_outcomes.analysis.regression_errors import Errors, combination_error
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


@dataclass(frozen=True)
class _Version:
    """Two means of a level with their slopes in the coefficients, by one fit."""

    fit: Fit
    risk: tuple[float, float]
    slope: tuple[Floats, Floats]


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
        self.rows, self.errors, self.notes = rows, errors, list[str]()
        self.adjusted = rows.covariates.shape[1] > 0
        self.scales = (*YES_NO, *(("conditional_odds_ratio",) if self.adjusted else ())) if rows.binary else NUMBER
        side = rows.treated.astype(np.int64)
        levels = int(rows.level.max()) + 1 if len(rows.level) else 0
        self.n = np.bincount(2 * rows.level + side, minlength=2 * levels).reshape(levels, 2)
        self.events = np.bincount(2 * rows.level + side, weights=rows.y, minlength=2 * levels).reshape(levels, 2)
        self.present = [i for i in range(levels) if self.n[i].min() > 0]
        few = np.minimum(self.events, self.n - self.events).min(axis=1) < least_events if rows.binary else np.zeros(levels, bool)
        self.small = {i for i in self.present if few[i]}
        self.least = least_events
        keep = np.isin(rows.level, self.present)
        self.kept = keep
        self.place = {level: i for i, level in enumerate(self.present)}
        self.clusters = None if rows.clusters is None else np.unique(rows.clusters[keep], return_inverse=True)[1].astype(np.int64)
        self.few = self.clusters is not None and len(keep) > 0 and int(self.clusters.max(initial=-1)) + 1 < FEW_CLUSTERS
        self._versions: dict[bool, _Fitted] = {}
        if self.present:
            self._said()

    def _said(self) -> None:
        if self.clusters is not None and int(self.clusters.max()) < 1:
            raise UnsupportedError("one cluster is too few for cluster-robust errors: leave out cluster=")
        if self.few and self.clusters is not None:
            self.notes.append(
                f"{int(self.clusters.max()) + 1} clusters are few: CR2 errors, limits and p from t with Satterthwaite's degrees of "
                "freedom (under 4 of them: read p-values with reserve)"
            )

    def _fitted(self, penalised: bool) -> _Fitted:
        if penalised not in self._versions:
            self._versions[penalised] = _Fitted(self, penalised)
        return self._versions[penalised]

    def _of(self, level: int, penalised: bool) -> _Version:
        return self._fitted(penalised).version(level)

    def _penalised(self, *levels: int) -> bool:
        """Whether a level with few events takes part: then all its answers on a model come from the penalised fit."""
        return self.rows.binary and any(level in self.small for level in levels)

    def _on_scale(self, level: int, scale: str, penalised: bool) -> tuple[float, Floats] | None:
        """Value and slope of an effect; None where the scale has no room for it."""
        found = self._of(level, penalised)
        (m1, m0), (s1, s0) = found.risk, found.slope
        if scale in ("risk_difference", "mean_difference"):
            return m1 - m0, s1 - s0
        if scale == "conditional_odds_ratio":
            slope = np.zeros(len(s1))
            slope[2 * self.place[level] + 1], slope[2 * self.place[level]] = 1.0, -1.0
            return float(slope @ found.fit.coefficients), slope
        if min(m1, m0) <= 0:
            return None
        if scale in ("risk_ratio", "mean_ratio"):
            return float(np.log(m1 / m0)), s1 / m1 - s0 / m0
        if max(m1, m0) >= 1:
            return None
        return float(special.logit(m1) - special.logit(m0)), s1 / (m1 * (1 - m1)) - s0 / (m0 * (1 - m0))

    def _told(self, value: float, slope: Floats, penalised: bool) -> tuple[float, float, float, Floats]:
        """Value, its error, degrees of freedom, and each person's influence, scaled so that it has that error."""
        error, degrees, parts = self._fitted(penalised).error(slope)
        influence = np.zeros(self.rows.people)
        np.add.at(influence, self.rows.person[self.kept], parts)
        return value, error, degrees, influence

    def _method(self, penalised: bool) -> str:
        if not self.rows.binary:
            how = "OLS" if self.adjusted or self.errors == "model" else "means"
        elif self.adjusted:
            how = "g-computation"
        else:
            how = "proportions"
        if penalised:
            how += f", Firth's penalty: fewer than {self.least} with or without the event"
        if self.few:
            return f"{how}, CR2"
        if self.clusters is not None:
            return f"{how}, cluster-robust"
        return how if self.rows.binary or self.errors == "model" else f"{how}, HC2"

    def _sizes(self, level: int) -> dict[str, int]:
        found = {"n_reference": int(self.n[level, 0]), "n_arm": int(self.n[level, 1]), "n": int(self.n[level].sum())}
        if self.rows.binary:
            e0, e1 = (round(float(x)) for x in self.events[level])
            found |= {"events_reference": e0, "events_arm": e1, "events": e0 + e1}
        return found

    def effects(self) -> list[Effect]:
        """Every effect that can be told."""
        return [found for level in self.present for scale in self.scales if (found := self._effect(level, scale)) is not None]

    def _effect(self, level: int, scale: str) -> Effect | None:
        small = self._penalised(level)
        # a difference needs no penalty: its score interval holds with no event at all
        penalised = small and (self.adjusted or scale != "risk_difference")
        found = self._on_scale(level, scale, penalised)
        if found is None:
            return None
        value, error, degrees, influence = self._told(*found, penalised)
        sizes, method, ends, p_value = self._sizes(level), self._method(penalised), None, None
        if self.rows.binary and not self.adjusted and self.clusters is None:
            ends, p_value, method = self._counted(level, scale, small)
        return Effect(level, scale, value, error, degrees, influence, sizes, method, ends, p_value, small)

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
        own = self.rows.level[self.kept] == level
        x = np.column_stack([np.ones(int(own.sum())), self.rows.treated[self.kept][own]]).astype(float)
        fit = fit_model(self.rows.y[self.kept][own], x, np.ones(len(x)), "logistic", firth=True)
        low_log, high_log, _ = firth_profile(fit, 1)
        return (float(np.exp(low_log)), float(np.exp(high_log))), p_value, f"Firth's penalty, profile limits, {exact}"

    def pair(self, level: int, other: int, scale: str) -> Pair | None:
        """Level minus other, on one scale."""
        if level not in self.place or other not in self.place:
            return None
        penalised = self._penalised(level, other)
        one, two = self._on_scale(level, scale, penalised), self._on_scale(other, scale, penalised)
        if one is None or two is None:
            return None
        value, error, degrees, influence = self._told(one[0] - two[0], one[1] - two[1], penalised)
        low, high, p_value = tested(value, error, degrees)
        return Pair(
            level, other, scale, value, error, degrees, influence, self._method(penalised), (low, high), p_value, penalised
        )


class _Fitted:
    """One fit of the cells' means, plain or penalised."""

    def __init__(self, of: MeanEffects, penalised: bool) -> None:
        rows, keep = of.rows, of.kept
        self.of, self.penalised = of, penalised
        self.cells = np.array([2 * of.place[i] for i in rows.level[keep].tolist()], dtype=np.int64) + rows.treated[keep]
        self.number = 2 * len(of.present)
        y, design = rows.y[keep], np.zeros((int(keep.sum()), self.number))
        design[np.arange(len(y)), self.cells] = 1.0
        self.logistic = rows.binary and of.adjusted
        self.covariates = rows.covariates[keep]
        if of.adjusted:
            design = np.column_stack([design, self.covariates])
            size = np.sqrt((design**2).sum(axis=0))
            if len(design) < design.shape[1] or not (size > 0).all() or (
                np.linalg.matrix_rank(np.linalg.qr(design / size, mode="r"), rtol=1e-10) < len(size)
            ):  # fmt: skip
                raise UnsupportedError(
                    "a covariate is constant, or follows from the others, the arm and the subgroup: leave it out of adjust="
                )
        if penalised and not of.adjusted:
            # of a model with a coefficient for every cell, Firth's penalty adds one half to either side of each
            n = np.bincount(self.cells, minlength=self.number)
            mean = (np.bincount(self.cells, weights=y, minlength=self.number) + 0.5) / (n + 1)
            self.fit = fit_model(y, design, np.ones(len(y)), "linear")
            self.mean, self.n = mean, n
        else:
            self.fit = fit_model(y, design, np.ones(len(y)), "logistic" if self.logistic else "linear", firth=penalised)
            self.mean = np.asarray(self.fit.coefficients[: self.number], dtype=np.float64)
            self.n = np.bincount(self.cells, minlength=self.number)

    def version(self, level: int) -> _Version:
        """Means of both arms in a level, over its own people where there are covariates, and their slopes."""
        place = self.of.place[level]
        base = 2 * place
        width = len(self.fit.coefficients)
        risks, slopes = [], []
        inside = (self.cells // 2) == place
        x = self.covariates[inside]
        for side in (1, 0):
            slope = np.zeros(width)
            slope[base + side] = 1.0
            if not self.of.adjusted:
                risks.append(float(self.mean[base + side]))
            elif not self.logistic:
                slope[self.number :] = x.mean(axis=0)
                risks.append(float(slope @ self.fit.coefficients))
            else:
                predictor = self.fit.coefficients[base + side] + x @ self.fit.coefficients[self.number :]
                each = special.expit(predictor)
                steep = each * special.expit(-predictor)
                slope[base + side] = steep.mean()
                slope[self.number :] = (steep @ x) / len(x)
                risks.append(float(each.mean()))
            slopes.append(slope)
        return _Version(self.fit, (risks[0], risks[1]), (slopes[0], slopes[1]))

    def error(self, slope: Floats) -> tuple[float, float, Floats]:
        """Standard error of a combination, its degrees of freedom, and the rows' influence, which has that error."""
        of = self.of
        if self.penalised and not of.adjusted and of.clusters is None:
            variance = self.mean * (1 - self.mean) / (self.n + 1)
            residual = (of.rows.y[of.kept] - self.mean[self.cells]) / self.n[self.cells]
            raw = np.bincount(self.cells, weights=residual**2, minlength=self.number)
            parts = residual * np.sqrt(np.divide(variance, raw, out=np.zeros_like(raw), where=raw > 0))[self.cells]
            return float(np.sqrt(slope**2 @ variance)), np.inf, parts * slope[self.cells]
        parts = self.fit.scores() @ (self.fit.bread @ slope)
        if of.clusters is None and not of.rows.binary and of.errors == "robust":
            return self._unequal(slope, parts)
        # a proportion's sandwich without a factor is its binomial error
        proportions = of.rows.binary and not of.adjusted and of.clusters is None
        if proportions:
            return float(np.sqrt((parts**2).sum())), np.inf, parts
        error, degrees = combination_error(
            self.fit, slope, errors="model" if of.rows.binary or of.errors == "model" else "robust", clusters=of.clusters
        )
        return error, degrees, parts

    def _unequal(self, slope: Floats, parts: Floats) -> tuple[float, float, Floats]:
        """HC2: without covariates each cell's own variance over its size, and Welch's degrees of freedom."""
        hat = np.einsum("ij,jk,ik->i", self.fit.design, self.fit.bread, self.fit.design)
        left = np.where(hat < 1 - 1e-12, 1 - hat, np.nan)
        needed = np.abs(parts) > 0
        if np.isnan(left[needed]).any() or self._alone(slope):
            return float("nan"), float("nan"), parts
        parts = np.where(needed, parts / np.sqrt(np.where(np.isnan(left), 1.0, left)), 0.0)
        variance = np.bincount(self.cells, weights=parts**2, minlength=self.number)
        total = float(variance.sum())
        if self.of.adjusted:
            degrees = float(len(parts) - self.fit.design.shape[1])
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                spread = np.where(variance > 0, variance**2 / (self.n - 1), 0.0).sum()
                degrees = float(total**2 / spread) if spread > 0 else float("nan")
        return float(np.sqrt(total)), degrees, parts

    def _alone(self, slope: Floats) -> bool:
        """Whether a mean of one person takes part, which has no variance."""
        return not self.of.adjusted and bool(((slope[: self.number] != 0) & (self.n < 2)).any())
