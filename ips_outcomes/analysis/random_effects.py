"""Effects of several centres (or studies) that differ beyond chance: their mean, their spread, each drawn towards the mean.

A small core without any data of its own: values and their variances in, numbers out. Effects by centre use it, and so may any
summary of published studies.

References
----------
DerSimonian R, Laird N. Meta-analysis in clinical trials. Control Clin Trials 1986;7:177-188. doi:10.1016/0197-2456(86)90046-2
Paule RC, Mandel J. Consensus values and weighting factors. J Res Natl Bur Stand 1982;87:377-385. doi:10.6028/jres.087.022
Viechtbauer W. Bias and efficiency of meta-analytic variance estimators in the random-effects model. J Educ Behav Stat
2005;30:261-293. doi:10.3102/10769986030003261 (restricted likelihood)
Knapp G, Hartung J. Improved tests for a random effects meta-regression with a single covariate. Stat Med 2003;22:2693-2710.
doi:10.1002/sim.1482
Viechtbauer W. Confidence intervals for the amount of heterogeneity in meta-analysis. Stat Med 2007;26:37-52. doi:10.1002/sim.2514
Higgins JPT, Thompson SG, Spiegelhalter DJ. A re-evaluation of random-effects meta-analysis. J R Stat Soc A 2009;172:137-159.
doi:10.1111/j.1467-985X.2008.00552.x (prediction)
Raudenbush SW, Bryk AS. Empirical Bayes meta-analysis. J Educ Stat 1985;10:75-98. doi:10.3102/10769986010002075
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import t_p, t_quantile
from ips_outcomes.errors import UnsupportedError

__all__ = ["INTERVALS", "METHODS", "REFERENCES", "Interval", "Method", "Pooled", "pool"]

Floats = NDArray[np.float64]
Method: TypeAlias = Literal["reml", "paule-mandel", "dersimonian-laird"]
Interval: TypeAlias = Literal["hartung-knapp", "hartung-knapp-wide", "normal"]

#: Ways to estimate the spread, and to tell the mean's uncertainty, in words.
METHODS: dict[str, str] = {
    "reml": "restricted likelihood", "paule-mandel": "Paule-Mandel", "dersimonian-laird": "DerSimonian-Laird",
}  # fmt: skip
INTERVALS: dict[str, str] = {
    "hartung-knapp": "Hartung-Knapp", "hartung-knapp-wide": "Hartung-Knapp, never narrower than the plain error",
    "normal": "normal distribution",
}  # fmt: skip
assert set(METHODS) == set(get_args(Method)) and set(INTERVALS) == set(get_args(Interval))

REFERENCES = (
    "Viechtbauer W. J Educ Behav Stat 2005;30:261-293. doi:10.3102/10769986030003261",
    "Knapp G, Hartung J. Stat Med 2003;22:2693-2710. doi:10.1002/sim.1482",
    "Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-159. doi:10.1111/j.1467-985X.2008.00552.x",
)


@dataclass(frozen=True)
class Pooled:
    """A random-effects model of k values, fitted.

    Attributes
    ----------
    coefficients, std_errors : array
        Of the design's columns; of the mean alone where there is no design.
    covariance : array
        Of the coefficients, with Hartung and Knapp's factor where asked for.
    degrees : float
        Of the t distribution; infinite means the normal one.
    factor : float
        Hartung and Knapp's: how much the values spread for what the model
        expects. Under 1 their interval is narrower than the plain one.
    tau2, tau2_low, tau2_high : float
        Variance between the values' truths, and its 95 % interval (Q-profile).
    q, q_degrees, q_p : float
        Cochran's test of no spread (with a design: of none that is left).
    i2 : float
        Share of the values' spread that is not chance, 0 to 1.
    weights : array
        Of each value, adding up to 1.
    best, best_error : array
        Each value's best linear unbiased prediction: drawn to the mean (or the line) the more, the less it is known.
    """

    coefficients: Floats
    std_errors: Floats
    covariance: Floats
    degrees: float
    factor: float
    tau2: float
    tau2_low: float
    tau2_high: float
    q: float
    q_degrees: int
    q_p: float
    i2: float
    weights: Floats
    best: Floats
    best_error: Floats

    @property
    def quantile(self) -> float:
        """How many errors to either side make 95 %."""
        return float(t_quantile(np.array([self._known]))[0])

    @property
    def _known(self) -> float:
        return self.degrees if np.isfinite(self.degrees) else float("nan")

    def limits(self, at: int = 0) -> tuple[float, float, float]:
        """Two-sided limits and p of one coefficient."""
        value, error = float(self.coefficients[at]), float(self.std_errors[at])
        if not error > 0:
            return float("nan"), float("nan"), float("nan")
        p_value = float(t_p(np.array([value / error]), np.array([self._known]))[0])
        return value - self.quantile * error, value + self.quantile * error, p_value

    def prediction(self, row: Floats | None = None) -> tuple[float, float]:
        """Where the true effect of a new centre lies with 95 % (degrees of freedom as for the mean)."""
        row = np.ones(1) if row is None else row
        value = float(row @ self.coefficients)
        half = self.quantile * float(np.sqrt(row @ self.covariance @ row + self.tau2))
        return value - half, value + half


class _Weighted:
    """What every formula needs at one tau squared: weights, fit, residual matrix."""

    def __init__(self, values: Floats, variances: Floats, design: Floats, tau2: float) -> None:
        self.w = 1.0 / (variances + tau2)
        weighted = design * self.w[:, None]
        self.bread = np.linalg.inv(design.T @ weighted)
        self.coefficients = self.bread @ (weighted.T @ values)
        self.residual = values - design @ self.coefficients
        # residual matrix: W - W X (X'WX)^-1 X'W
        self.p = np.diag(self.w) - weighted @ self.bread @ weighted.T

    @property
    def q(self) -> float:
        return float((self.w * self.residual**2).sum())

    def restricted(self) -> float:
        """Restricted log likelihood, but for a constant."""
        return 0.5 * float(np.log(self.w).sum() + np.linalg.slogdet(self.bread)[1] - self.q)


def pool(
    values: Floats, variances: Floats, design: Floats | None = None, *, method: Method = "reml", interval: Interval = "hartung-knapp"
) -> Pooled:  # fmt: skip
    """Fit a random-effects model (with a design: a random-effects regression).

    Parameters
    ----------
    values : array
        Effects; ratios as logarithms.
    variances : array
        Their squared standard errors, above 0.
    design : array, values x columns, optional
        The first column is usually one of ones; None is the mean alone.
    method : {"reml", "paule-mandel", "dersimonian-laird"}
        How the spread between the true effects is estimated.
    interval : {"hartung-knapp", "hartung-knapp-wide", "normal"}
        Hartung and Knapp's error with t of k - columns degrees of freedom; the
        same with a factor of at least 1 (where values differ by less than
        chance would make them, the first is too sure); or the plain error with
        the normal distribution.

    Returns
    -------
    Pooled

    Raises
    ------
    UnsupportedError
        For values that are not finite, variances not above 0, and fewer
        values than the design's columns and one more.

    Notes
    -----
    Equal to R's ``metafor::rma`` (``test = "knha"``, ``"adhoc"`` or ``"z"``), ``predict``, ``blup`` and ``confint``. The prediction
    interval has the mean's degrees of freedom (k - 1 under Hartung-Knapp), as ``predict`` has; Higgins et al. take k - 2.

    Examples
    --------
    >>> found = pool(np.array([0.10, 0.30, 0.35, 0.65]), np.array([0.03, 0.03, 0.05, 0.01]))
    >>> round(float(found.coefficients[0]), 4), round(found.tau2, 4), round(found.q, 3)
    (0.3772, 0.0429, 9.024)
    """
    y, v = np.asarray(values, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    x = np.ones((len(y), 1)) if design is None else np.asarray(design, dtype=np.float64)
    k, columns = x.shape
    if method not in METHODS:
        raise UnsupportedError(f"method= is one of: {', '.join(METHODS)}")
    if interval not in INTERVALS:
        raise UnsupportedError(f"interval= is one of: {', '.join(INTERVALS)}")
    if len(v) != len(y) or k != len(y):
        raise UnsupportedError("values, variances and design must have the same number of rows")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all() and np.isfinite(x).all()):
        raise UnsupportedError("values must be finite and variances above 0")
    if k <= columns:
        raise UnsupportedError(f"{k} values are too few for {columns} coefficients and a spread")
    if np.linalg.matrix_rank(x) < columns:
        raise UnsupportedError("a column of the design is constant, or follows from the others")

    def at(tau2: float) -> _Weighted:
        return _Weighted(y, v, x, tau2)

    free = k - columns
    plain = at(0.0)
    tau2 = {"reml": _reml, "paule-mandel": _paule_mandel, "dersimonian-laird": _dersimonian_laird}[method](at, plain, free)
    fitted = at(tau2)
    factor = fitted.q / free
    covariance = fitted.bread * {"normal": 1.0, "hartung-knapp": factor}.get(interval, max(factor, 1.0))
    low, high = (_level(at, free, float(special.chdtri(free, tail))) for tail in (0.025, 0.975))
    typical = free / float(np.trace(plain.p))
    pull = tau2 / (v + tau2)
    line = x @ fitted.coefficients
    best_variance = pull * v + (1 - pull) ** 2 * np.einsum("ij,jk,ik->i", x, covariance, x)
    return Pooled(
        coefficients=fitted.coefficients, std_errors=np.sqrt(np.diag(covariance)), covariance=covariance,
        degrees=float("inf") if interval == "normal" else float(free), factor=factor, tau2=tau2,
        tau2_low=low, tau2_high=high, q=plain.q, q_degrees=free, q_p=float(special.chdtrc(free, plain.q)),
        i2=tau2 / (tau2 + typical), weights=fitted.w / fitted.w.sum(), best=pull * y + (1 - pull) * line,
        best_error=np.sqrt(best_variance),
    )  # fmt: skip


At: TypeAlias = Callable[[float], _Weighted]


def _dersimonian_laird(at: At, plain: _Weighted, free: int) -> float:
    return max(0.0, (plain.q - free) / float(np.trace(plain.p)))


def _paule_mandel(at: At, plain: _Weighted, free: int) -> float:
    return _level(at, free, float(free))


def _level(at: At, free: int, wanted: float) -> float:
    """The tau squared at which the weighted sum of squares falls to a level; 0 where it never was above."""
    if at(0.0).q <= wanted:
        return 0.0
    high = 1.0
    while at(high).q > wanted:
        high *= 2.0
        if high > 1e100:  # pragma: no cover - the sum falls like one over tau squared
            return float("inf")
    low = 0.0
    # halving to the last digit: the sum falls strictly, and k is small
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if at(middle).q > wanted:
            low = middle
        else:
            high = middle


def _reml(at: At, plain: _Weighted, free: int) -> float:
    """Highest restricted likelihood: Fisher scoring from several starts, and the border."""
    moment = _dersimonian_laird(at, plain, free)
    size = max(float(plain.residual @ plain.residual) / free, moment, 1e-300)
    best, highest = 0.0, plain.restricted()
    # the likelihood may have more than one top
    for start in (moment, size, size / 30, 10 * size):
        found = _scored(at, start)
        likelihood = at(found).restricted()
        if likelihood > highest + 1e-12:
            best, highest = found, likelihood
    return best


def _scored(at: At, tau2: float) -> float:
    for _ in range(1000):
        now = at(tau2)
        squared = now.p @ now.p
        step = float(now.residual @ (now.w**2 * now.residual) - np.trace(now.p)) / float(np.trace(squared))
        changed = tau2 + step
        if changed < 0:
            # half the way to the border, or the border itself where one is close
            changed = tau2 / 2 if tau2 > 1e-14 else 0.0
        if abs(changed - tau2) <= 1e-14 * max(tau2, 1e-12):
            return changed
        tau2 = changed
    return tau2
