"""A mean for every level and arm, by one regression: what effects within levels and their differences are combined from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import Fit, Model, fit_model
from ips_outcomes.analysis.regression_errors import Errors, combination_error
from ips_outcomes.analysis.small_clusters import cr2

__all__ = ["CellMeans", "LevelMeans", "Told"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class LevelMeans:
    """Means of the arm and of the reference in one level, and their slopes in the coefficients."""

    mean: tuple[float, float]
    slope: tuple[Floats, Floats]


@dataclass(frozen=True)
class Told:
    """The error of a combination of coefficients.

    Attributes
    ----------
    error, degrees : float
        Degrees of freedom are infinite where limits are normal.
    parts : array
        What each row given adds, scaled so that it has that error where people stand alone.
    few : bool
        Clusters were few: CR2.
    """

    error: float
    degrees: float
    parts: Floats
    few: bool = False


class CellMeans:
    """One fit of the means of all levels and arms (cells), plain or with Firth's penalty.

    Parameters
    ----------
    y : array
    cell : array of int
        Twice the level, and one more in the arm.
    covariates : array, rows x columns
        None of them follows from the cells.
    clusters : array of int, optional
    binary : bool
    penalised : bool

    Raises
    ------
    UnsupportedError
        Where covariates separate a yes/no outcome (plain), or the penalised fit finds no end.

    Examples
    --------
    >>> fit = CellMeans(np.array([0.0, 1, 1, 1]), np.array([0, 0, 1, 1]), np.zeros((4, 0)), None, binary=True, penalised=False)
    >>> fit.level(0).mean
    (1.0, 0.5)
    """

    def __init__(
        self, y: Floats, cell: Ints, covariates: Floats, clusters: Ints | None, *, binary: bool, penalised: bool
    ) -> None:  # fmt: skip
        self.binary, self.adjusted, self.penalised = binary, covariates.shape[1] > 0, penalised
        self.logistic = binary and self.adjusted
        self.given = len(y)
        n, events = np.bincount(cell), np.bincount(cell, weights=y)
        # a cell where all or none have the event has no finite coefficient, and at its limit says nothing on the others
        use = ((events > 0) & (events < n))[cell] if self.logistic and not penalised else np.ones(len(y), dtype=bool)
        self.rows = np.flatnonzero(use)
        self.names, place = np.unique(cell[use], return_inverse=True)
        self.cells = place.astype(np.int64)
        self.number = len(self.names)
        self.n = np.bincount(self.cells, minlength=self.number)
        self.covariates = covariates[use]
        self.clusters = None if clusters is None else np.unique(clusters[use], return_inverse=True)[1].astype(np.int64)
        self.y = y[use]
        design = np.zeros((len(self.y), self.number))
        design[np.arange(len(self.y)), self.cells] = 1.0
        design = np.column_stack([design, self.covariates])
        ones = np.ones(len(self.y))
        if self.adjusted:
            model: Model = "logistic" if self.logistic else "linear"
            self.fit: Fit = fit_model(self.y, design, ones, model, firth=penalised and self.logistic)
        else:
            # sums over people, so that a cell where everybody works has a mean of 1 and not of nearly 1
            share = np.bincount(self.cells, weights=self.y, minlength=self.number) / self.n
            self.fit = Fit("linear", share, design, self.y, ones, share[self.cells], ones, ones, np.diag(1 / self.n))
        self.mean: Floats = np.asarray(self.fit.coefficients[: self.number], dtype=np.float64)
        if penalised and not self.adjusted:
            # of a model with a coefficient for every cell, Firth's penalty adds one half to either side of each
            self.mean = (np.bincount(self.cells, weights=self.y, minlength=self.number) + 0.5) / (self.n + 1)

    def has(self, level: int) -> bool:
        """Whether both arms of a level are there."""
        return bool(np.isin([2 * level, 2 * level + 1], self.names).all())

    def columns(self, level: int) -> tuple[int, int]:
        """Where the coefficients of the reference and of the arm stand."""
        at = int(np.searchsorted(self.names, 2 * level))
        return at, at + 1

    def level(self, level: int) -> LevelMeans:
        """Means of both arms in a level, over its own people where there are covariates."""
        base, arm = self.columns(level)
        beta, width = self.fit.coefficients, len(self.fit.coefficients)
        x = self.covariates[(self.cells == base) | (self.cells == arm)]
        means, slopes = [], []
        for at in (arm, base):
            slope = np.zeros(width)
            slope[at] = 1.0
            if not self.adjusted:
                means.append(float(self.mean[at]))
            elif not self.logistic:
                slope[self.number :] = x.mean(axis=0)
                means.append(float(slope @ beta))
            else:
                predictor = beta[at] + x @ beta[self.number :]
                each = special.expit(predictor)
                steep = each * special.expit(-predictor)
                slope[at] = steep.mean()
                slope[self.number :] = (steep @ x) / len(x)
                means.append(float(each.mean()))
            slopes.append(slope)
        return LevelMeans((means[0], means[1]), (slopes[0], slopes[1]))

    def told(self, slope: Floats, errors: Errors) -> Told:
        """The error of a combination of coefficients, and what each row adds to it."""
        if self.penalised and not self.adjusted and self.clusters is None:
            variance = self.mean * (1 - self.mean) / (self.n + 1)
            residual = (self.y - self.mean[self.cells]) / self.n[self.cells]
            raw = np.bincount(self.cells, weights=residual**2, minlength=self.number)
            scale = np.sqrt(np.divide(variance, raw, out=np.zeros_like(raw), where=raw > 0))
            return Told(float(np.sqrt(slope**2 @ variance)), np.inf, self._all(residual * scale[self.cells] * slope[self.cells]))
        parts = self.fit.scores() @ (self.fit.bread @ slope)
        if self.clusters is not None:
            told = self._clustered(slope, parts)
            if not self.penalised:
                return told
            # a cell where nobody differs has no residuals: its error is that of the penalised model without clusters
            own = slope @ self.fit.bread @ slope if self.adjusted else slope**2 @ (self.mean * (1 - self.mean) / (self.n + 1))
            return replace(told, error=float(np.maximum(told.error, np.sqrt(own))))
        if not self.binary and errors == "robust":
            return self._unequal(slope, parts)
        if self.binary and not self.adjusted:
            # a proportion's sandwich without a factor is its binomial error
            return Told(float(np.sqrt((parts**2).sum())), np.inf, self._all(parts))
        error, degrees = combination_error(self.fit, slope, errors="model")
        return Told(error, degrees, self._all(parts))

    def _all(self, parts: Floats) -> Floats:
        """Over the rows given: those that were not used add nothing."""
        found = np.zeros(self.given)
        found[self.rows] = parts
        return found

    def _clustered(self, slope: Floats, parts: Floats) -> Told:
        assert self.clusters is not None
        touched = np.flatnonzero(slope[: self.number])
        inside = np.isin(self.cells, touched)
        few = len(np.unique(self.clusters if self.adjusted else self.clusters[inside])) < FEW_CLUSTERS
        pairs = np.unique(np.column_stack([self.cells, self.clusters])[inside], axis=0)
        if np.bincount(pairs[:, 0], minlength=self.number)[touched].min() < 2:
            # its people's residuals add up to 0 whatever happens, so nothing tells how much it would vary
            return Told(np.nan, np.nan, self._all(parts), few)
        if few:
            error, degrees = cr2(self.fit, self.clusters, slope[None, :], frequency=True)
            return Told(float(error[0]), float(degrees[0]), self._all(parts), True)
        error_of, degrees_of = combination_error(self.fit, slope, errors="robust", clusters=self.clusters)
        return Told(error_of, degrees_of, self._all(parts))

    def _unequal(self, slope: Floats, parts: Floats) -> Told:
        """HC2: without covariates each cell's own variance over its size, and Welch's degrees of freedom."""
        hat = (self.fit.design @ self.fit.bread * self.fit.design).sum(axis=1)
        alone = not self.adjusted and bool(((slope[: self.number] != 0) & (self.n < 2)).any())
        # somebody who decides a coefficient alone has no residual
        if alone or (hat[np.abs(parts) > 0] > 1 - 1e-12).any():
            return Told(np.nan, np.nan, self._all(parts))
        parts = np.where(hat > 1 - 1e-12, 0.0, parts / np.sqrt(np.maximum(1 - hat, 1e-12)))
        if self.adjusted:
            degrees = float(len(parts) - self.fit.design.shape[1])
        else:
            degrees = self.welch(np.bincount(self.cells, weights=parts**2, minlength=self.number).astype(float))
        return Told(float(np.sqrt((parts**2).sum())), degrees if degrees > 0 else np.nan, self._all(parts))

    def welch(self, variance: NDArray[np.floating]) -> float:
        """Degrees of freedom of a sum of independent cells' variances (Welch, Satterthwaite)."""
        spread = float((variance**2 / np.maximum(self.n - 1, 1)).sum())
        return float(variance.sum()) ** 2 / spread if spread > 0 else float("nan")
