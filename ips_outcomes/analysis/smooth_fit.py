"""One regression with a smooth curve of a number for each arm: effects at any value, with errors and each person's influence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import Fit, fit_model
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.small_clusters import cr2
from ips_outcomes.analysis.splines import NaturalSpline
from ips_outcomes.errors import UnsupportedError

__all__ = ["SmoothFit", "SmoothRows", "curve_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Numbers in a design of people by months that CR2 is willing to hold.
MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class SmoothRows:
    """People of two arms whose number and outcome are known.

    Attributes
    ----------
    y : array, people or people x months
    observed : array of bool, people x months, optional
        Where the outcome is a sum over months; nobody is without any month.
    treated : array of bool
    value : array
        The number that may change the effect.
    covariates : array, people x columns
    clusters : array of int, optional
    binary : bool
    """

    y: Floats
    observed: NDArray[np.bool_] | None
    treated: NDArray[np.bool_]
    value: Floats
    covariates: Floats
    clusters: Ints | None
    binary: bool


class SmoothFit:
    """The model, fitted: logistic for yes or no, linear for numbers and (month by month) for sums of months.

    Examples
    --------
    >>> x = np.arange(12.0)
    >>> treated = np.arange(12) % 2 == 1
    >>> rows = SmoothRows(1 + treated * x, None, treated, x, np.zeros((12, 0)), None, False)
    >>> fit = SmoothFit(rows, NaturalSpline(0.0, 11.0, ()))
    >>> fit.effects(np.array([2.0, 10.0]), "mean_difference")[0].round(8).tolist()
    [2.0, 10.0]
    """

    def __init__(
        self, rows: SmoothRows, spline: NaturalSpline, *, errors: Errors = "robust", least_events: int = 5
    ) -> None:  # fmt: skip
        self.rows, self.spline, self.errors = rows, spline, errors
        self.penalised = False
        self.people = len(rows.value)
        raw = np.column_stack([np.ones(self.people), spline.basis(rows.value)])
        # columns at right angles: the same curves, without the rounding that powers of a number bring
        self._turn = np.linalg.inv(np.linalg.qr(raw, mode="r")) * np.sqrt(self.people)
        curve = raw @ self._turn
        own = curve * rows.treated[:, None]
        for side in (rows.treated, ~rows.treated):
            if side.sum() < curve.shape[1] or _lacking(curve[side]):
                raise UnsupportedError(
                    f"an arm has too few different values for {spline.width} degrees of freedom: lower spline_df="
                )
        design = np.column_stack([curve, own, rows.covariates])
        if self.people <= design.shape[1] or _lacking(design):
            raise UnsupportedError(
                "a covariate is constant, or follows from the others, the arm and the modifier (leave it out of adjust=), or there "
                f"are too few people: {self.people} for {design.shape[1]} coefficients"
            )
        self.design = design
        self.fits = self._fitted(least_events)
        self.coefficients = np.sum([fit.coefficients for _, fit in self.fits], axis=0)
        clusters = rows.clusters
        self.clusters = None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        self.number = 0 if self.clusters is None else int(self.clusters.max()) + 1
        if self.number == 1:
            raise UnsupportedError("one cluster is too few for cluster-robust errors: leave out cluster=")
        #: Few clusters: errors combination by combination, none of them joint.
        self.few = 0 < self.number < FEW_CLUSTERS
        #: Of the limits; infinite for the normal distribution.
        plain = not rows.binary and self.clusters is None
        self.degrees = float(self.people - design.shape[1]) if plain else float("inf")
        self._hats = self._leverage() if plain and errors == "robust" else []

    def _fitted(self, least_events: int) -> list[tuple[Ints, Fit]]:
        rows, everybody = self.rows, np.arange(self.people)
        if rows.observed is not None and not rows.observed.all():
            if self.errors == "model":
                raise UnsupportedError('errors="model" needs everybody observed in all months: leave it out for robust errors')
            made = []
            for m in range(rows.y.shape[1]):
                seen = np.flatnonzero(rows.observed[:, m])
                if len(seen) <= self.design.shape[1] or _lacking(self.design[seen]):
                    raise UnsupportedError(
                        "too few people were observed in some month: lower spline_df=, or choose start= and end="
                    )
                made.append((seen, fit_model(rows.y[seen, m], self.design[seen], np.ones(len(seen)), "linear")))
            return made
        ones = np.ones(self.people)
        if not rows.binary:
            return [(everybody, fit_model(rows.y if rows.y.ndim == 1 else rows.y.sum(axis=1), self.design, ones, "linear"))]
        events = [rows.y[side].sum() for side in (rows.treated, ~rows.treated)]
        without = [(1 - rows.y[side]).sum() for side in (rows.treated, ~rows.treated)]
        if sum(events) == 0 or sum(without) == 0:
            raise UnsupportedError("everybody has the same outcome: there is no effect to follow")
        self.penalised = min(*events, *without) < least_events
        if not self.penalised:
            try:
                return [(everybody, fit_model(rows.y, self.design, ones, "logistic"))]
            except UnsupportedError:
                # nobody, or everybody, has the outcome at one end of the number: the penalty keeps the curves finite
                self.penalised = True
        return [(everybody, fit_model(rows.y, self.design, ones, "logistic", firth=True))]

    def _leverage(self) -> list[Floats]:
        hats = []
        for _, fit in self.fits:
            left = 1 - np.einsum("ij,jk,ik->i", fit.design, fit.bread, fit.design)
            if left.min() < 1e-10:
                raise UnsupportedError(
                    "one person alone decides a coefficient: leave out the covariate with the rare level, or lower spline_df="
                )
            hats.append(np.sqrt(left))
        return hats

    @property
    def scales(self) -> tuple[str, ...]:
        """What effects may be told on."""
        if not self.rows.binary:
            return ("mean_difference", "mean_ratio")
        own = ("conditional_odds_ratio",) if self.rows.covariates.shape[1] else ()
        return ("risk_difference", "risk_ratio", "odds_ratio", *own)

    def effects(self, points: Floats, scale: str) -> tuple[Floats, Floats]:
        """Effects at some values, ratios as logarithms, and their slopes in the coefficients (values x coefficients).

        Covariates are averaged over everybody at each value. Empty where the scale has no room, such as a ratio of means under 0.
        """
        curve = np.column_stack([np.ones(len(points)), self.spline.basis(points)]) @ self._turn
        nothing, others = np.zeros_like(curve), self.rows.covariates.shape[1]
        if scale == "conditional_odds_ratio":
            slope = np.column_stack([nothing, curve, np.zeros((len(points), others))])
            return slope @ self.coefficients, slope
        (m1, s1), (m0, s0) = (self._means(np.column_stack([curve, second])) for second in (curve, nothing))
        if scale in ("risk_difference", "mean_difference"):
            return m1 - m0, s1 - s0
        with np.errstate(invalid="ignore", divide="ignore"):
            if scale in ("risk_ratio", "mean_ratio"):
                known = (m1 > 0) & (m0 > 0)
                value, slope = np.log(m1 / m0), s1 / m1[:, None] - s0 / m0[:, None]
            else:
                known = (np.minimum(m1, m0) > 0) & (np.maximum(m1, m0) < 1)
                value = special.logit(m1) - special.logit(m0)
                slope = s1 / (m1 * (1 - m1))[:, None] - s0 / (m0 * (1 - m0))[:, None]
        return np.where(known, value, np.nan), np.where(known[:, None], slope, np.nan)

    def _means(self, own: Floats) -> tuple[Floats, Floats]:
        """Means with these columns of curve and arm, over everybody's covariates, and their slopes."""
        x = self.rows.covariates
        if not self.rows.binary or not x.shape[1]:
            slope = np.column_stack([own, np.tile(x.mean(axis=0), (len(own), 1))])
            if not self.rows.binary:
                # a sum over months has its constant in every month's fit
                return slope @ self.coefficients, slope
            mean = special.expit(slope @ self.coefficients)
            return mean, slope * (mean * (1 - mean))[:, None]
        width = own.shape[1]
        shift, means, slopes = x @ self.coefficients[width:], [], []
        for row in own:
            predictor = float(row @ self.coefficients[:width]) + shift
            each = special.expit(predictor)
            steep = each * special.expit(-predictor)
            means.append(each.mean())
            slopes.append(np.concatenate([row * steep.mean(), steep @ x / len(x)]))
        return np.array(means), np.array(slopes)

    def _parts(self, slopes: Floats) -> Floats:
        """What each person adds to combinations of coefficients: people x combinations."""
        found = np.zeros((self.people, len(slopes)))
        for place, (rows, fit) in enumerate(self.fits):
            scores = fit.scores()
            if self._hats:
                scores = scores / self._hats[place][:, None]
            found[rows] += scores @ (fit.bread @ slopes.T)
        return found

    def influence(self, slopes: Floats) -> Floats:
        """Units x combinations: people, or clusters whose people are added up."""
        parts = self._parts(slopes)
        if self.clusters is None:
            return parts
        sums = np.zeros((self.number, parts.shape[1]))
        np.add.at(sums, self.clusters, parts)
        return sums

    def covariance(self, slopes: Floats) -> Floats:
        """Joint covariance of combinations; not for few clusters."""
        rows, fit = self.rows, self.fits[0][1]
        if self.clusters is None and (rows.binary or self.errors == "model"):
            size = 1.0 if rows.binary else float(((fit.y - fit.mean) ** 2).sum()) / self.degrees
            return np.asarray(size * slopes @ fit.bread @ slopes.T)
        parts, factor = self.influence(slopes), 1.0
        if self.clusters is not None:
            factor = self.number / (self.number - 1) * (self.people - 1) / (self.people - self.design.shape[1])
        return np.asarray(factor * parts.T @ parts)

    def std_errors(self, slopes: Floats) -> tuple[Floats, Floats]:
        """Standard errors of combinations, and degrees of freedom (infinite: the normal distribution)."""
        told = np.isfinite(slopes).all(axis=1)
        error, degrees = np.full(len(slopes), np.nan), np.full(len(slopes), self.degrees)
        if not told.any() or self._exact():
            return error, degrees
        if self.few:
            assert self.clusters is not None
            fit, clusters, wide = self._stacked(slopes[told])
            error[told], degrees[told] = cr2(fit, clusters, wide, frequency=True)
        else:
            error[told] = np.sqrt(np.diag(self.covariance(slopes[told])))
        return error, degrees

    def _exact(self) -> bool:
        """Whether the outcome lies on the curves without any scatter: nothing can be said of its chance then."""
        left = sum(float(((fit.y - fit.mean) ** 2).sum()) for _, fit in self.fits)
        return left <= 1e-24 * sum(float((fit.y**2).sum()) for _, fit in self.fits)

    def _stacked(self, slopes: Floats) -> tuple[Fit, Ints, Floats]:
        """The fits of all months as one, so that people of a cluster are together over months."""
        assert self.clusters is not None
        if len(self.fits) == 1:
            return self.fits[0][1], self.clusters, slopes
        width, lengths = self.design.shape[1], [len(rows) for rows, _ in self.fits]
        columns = width * len(self.fits)
        if sum(lengths) * columns > MOST_CELLS:
            raise UnsupportedError(
                f"{self.number} clusters are few, and people were not observed in some month: CR2 over {len(self.fits)} months is "
                "too large here; leave out cluster=, or choose start= and end= so that everybody is observed"
            )
        design, bread = np.zeros((sum(lengths), columns)), np.zeros((columns, columns))
        start = 0
        for i, (rows, fit) in enumerate(self.fits):
            own = slice(width * i, width * (i + 1))
            design[start : start + len(rows), own], bread[own, own] = fit.design, fit.bread
            start += len(rows)
        y, mean = (np.concatenate([getattr(fit, name) for _, fit in self.fits]) for name in ("y", "mean"))
        ones = np.ones(len(y))
        coefficients = np.concatenate([fit.coefficients for _, fit in self.fits])
        fit = Fit("linear", coefficients, design, y, ones, mean, ones, ones, bread)
        clusters = np.concatenate([self.clusters[rows] for rows, _ in self.fits])
        return fit, clusters, np.tile(slopes, (1, len(self.fits)))


def _lacking(columns: Floats) -> bool:
    """Whether a column is empty or follows from the others."""
    size = np.sqrt((columns**2).sum(axis=0))
    if not (size > 0).all():
        return True
    return bool(np.linalg.matrix_rank(np.linalg.qr(columns / size, mode="r"), rtol=1e-10) < len(size))


def curve_of(points: Floats) -> Floats:
    """Contrasts of effects at some values: straight line, then bends of rising order (orthogonal polynomials in the values).

    A curve of k degrees of freedom is known from k + 1 of its values, so that all contrasts together ask whether the effect
    varies at all, and all but the first whether it is other than a straight line.

    Examples
    --------
    >>> curve_of(np.array([1.0, 2.0, 6.0])).round(4).tolist()
    [[-0.5345, -0.2673, 0.8018], [0.6172, -0.7715, 0.1543]]
    """
    centred = (points - points.mean()) / np.ptp(points)
    q, r = np.linalg.qr(np.vander(centred, increasing=True))
    return np.asarray((q * np.sign(np.diag(r)))[:, 1:].T)
