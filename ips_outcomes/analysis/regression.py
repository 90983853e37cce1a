"""Linear, logistic and Poisson regression with weights, and Firth's penalty; small, so that every error can be had from it.

References
----------
McCullagh P, Nelder JA. Generalized Linear Models. 2nd ed. Chapman and Hall 1989.
Firth D. Biometrika 1993;80:27-38. doi:10.1093/biomet/80.1.27
Heinze G, Schemper M. Stat Med 2002;21:2409-2419. doi:10.1002/sim.1047
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import Z95, normal_p
from ips_outcomes.errors import UnsupportedError

__all__ = ["Fit", "Model", "firth_profile", "fit_model", "ratio_or_difference"]

Floats = NDArray[np.floating]
Model = Literal["linear", "logistic", "poisson"]

#: Newton's steps before a model counts as not converging; separation is told long before.
STEPS = 100
#: A linear predictor that still moves this far from 0 belongs to a probability of 0 or 1.
ENDLESS = 25.0
#: Half the chi-square quantile by which a profile likelihood interval is cut.
HALF_QUANTILE = Z95**2 / 2

SEPARATED = (
    "the covariates separate the outcome: the {model} model has no finite answer; leave covariates out, join levels"
    ', or (logistic) ask for penalty="firth"'
)


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    ``bread`` is the inverse of the information ``X' W X``, without a
    dispersion; ``slope`` is the derivative of the mean in the linear
    predictor, ``variance`` the variance function of the mean.
    """

    model: Model
    coefficients: Floats
    design: Floats
    y: Floats
    weight: Floats
    mean: Floats
    slope: Floats
    variance: Floats
    bread: Floats

    def scores(self) -> Floats:
        """Every row's estimating function, its weight included."""
        return (self.weight * (self.y - self.mean) * self.slope / self.variance)[:, None] * self.design


def _moments(model: Model, predictor: Floats) -> tuple[Floats, Floats]:
    """Mean, and its derivative, which is the variance, too (links are canonical)."""
    if model == "logistic":
        mean = special.expit(predictor)
        return mean, mean * special.expit(-predictor)
    if model == "poisson":
        mean = np.exp(np.clip(predictor, -700, 700))
        return mean, mean
    return predictor, np.ones_like(predictor)


def fit_model(y: Floats, design: Floats, weight: Floats, model: Model, *, firth: bool = False) -> Fit:
    """Fit by Newton's method until the last bit, with weights.

    Raises
    ------
    UnsupportedError
        Where the outcome is separated, so that coefficients run to infinity.

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    >>> fit = fit_model(np.array([1.0, 0, 0, 1, 1, 0]), x, np.ones(6), "logistic")
    >>> fit.coefficients.round(4).tolist()
    [-0.6931, 1.3863]
    """
    if firth:
        return _fitted(y, design, weight, _penalised(y, design, weight, None)[0], "logistic")
    if model == "linear":
        root = np.sqrt(weight)
        beta = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        return _fitted(y, design, weight, beta, model)
    beta = np.zeros(design.shape[1])
    share = np.average(y, weights=weight)
    if not 0 < share < (1 if model == "logistic" else np.inf):
        raise UnsupportedError(SEPARATED.format(model=model))
    predictor = np.full(len(y), special.logit(share) if model == "logistic" else np.log(share))
    first = True
    for _ in range(STEPS):
        mean, slope = _moments(model, predictor)
        work = weight * slope
        try:
            target = predictor + np.divide(y - mean, slope, out=np.zeros_like(y), where=slope > 0)
            new = np.linalg.solve(design.T @ (work[:, None] * design), design.T @ (work * target))
        except np.linalg.LinAlgError:
            raise UnsupportedError(SEPARATED.format(model=model)) from None
        moved = design @ new
        step = float(np.abs(moved - predictor).max())
        # the first step starts from the overall share; later ones are cut so that no overshooting looks like separation
        if not first and step > 8:
            new = beta + (new - beta) * 8 / step
            moved = design @ new
        beta, predictor, first = new, moved, False
        if step < 1e-10 * max(1.0, float(np.abs(predictor).max())):
            return _fitted(y, design, weight, beta, model)
        if step > 0.1 and np.abs(predictor[np.abs(moved) > ENDLESS]).size and _runs_away(model, y, predictor):
            break
    raise UnsupportedError(SEPARATED.format(model=model))


def _runs_away(model: Model, y: Floats, predictor: Floats) -> bool:
    """Whether the rows far out are those that the outcome already agrees with."""
    far = np.abs(predictor) > ENDLESS
    return bool((y[far] == 0).all()) if model == "poisson" else bool(((predictor[far] > 0) == (y[far] > 0)).all())


def _fitted(y: Floats, design: Floats, weight: Floats, beta: Floats, model: Model) -> Fit:
    mean, slope = _moments(model, design @ beta)
    bread = np.linalg.inv(design.T @ ((weight * slope)[:, None] * design))
    return Fit(model, beta, design, y, weight, mean, slope, slope, bread)


def _penalised(y: Floats, design: Floats, weight: Floats, held: tuple[int, float] | None) -> tuple[Floats, float]:
    """Largest penalised likelihood, with one coefficient held where asked: coefficients and its logarithm."""
    beta = np.zeros(design.shape[1])
    free = np.arange(len(beta))
    if held:
        beta[held[0]] = held[1]
        free = np.delete(free, held[0])

    def likelihood(beta: Floats) -> float:
        predictor = design @ beta
        own = np.where(y > 0, -np.logaddexp(0, -predictor), -np.logaddexp(0, predictor))
        _, slope = _moments("logistic", predictor)
        sign, logarithm = np.linalg.slogdet(design.T @ ((weight * slope)[:, None] * design))
        return float(weight @ own + logarithm / 2) if sign > 0 else -np.inf

    best = likelihood(beta)
    for _ in range(1000):
        mean, slope = _moments("logistic", design @ beta)
        information = design.T @ ((weight * slope)[:, None] * design)
        # leverage of one person; a row of several people counts as often below
        leverage = slope * np.einsum("ij,jk,ik->i", design, np.linalg.inv(information), design)
        score = design.T @ (weight * (y - mean + leverage * (0.5 - mean)))
        # the penalty bends the likelihood as if each person counted 1 + leverage times; without it, where one person is all that
        # a coefficient rests on, every step goes twice too far and the next one all the way back
        bent = design.T @ ((weight * slope * (1 + leverage))[:, None] * design)
        step = np.linalg.solve(bent[np.ix_(free, free)], score[free])
        if not len(free) or np.abs(design[:, free] @ step).max() < 1e-11:
            return beta, best
        step *= min(1.0, 5 / float(np.abs(step).max()))
        for _ in range(40):
            new = beta.copy()
            new[free] += step
            value = likelihood(new)
            if value >= best - 1e-10 * abs(best):
                break
            step /= 2
        beta, best = new, value
    raise UnsupportedError("the penalised logistic model did not converge")


def firth_profile(fit: Fit, position: int) -> tuple[float, float, float]:
    """Profile penalised likelihood of one coefficient: limits and p-value (Heinze and Schemper).

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    >>> fit = fit_model(np.array([0.0, 0, 0, 1, 1, 0]), x, np.ones(6), "logistic", firth=True)
    >>> low, high, p = firth_profile(fit, 1)
    >>> bool(low < fit.coefficients[1] < high)
    True
    """
    from scipy.optimize import brentq

    top = _penalised(fit.y, fit.design, fit.weight, None)[1]
    centre = float(fit.coefficients[position])

    def loss(value: float) -> float:
        return top - _penalised(fit.y, fit.design, fit.weight, (position, value))[1]

    ends = []
    for side in (-1.0, 1.0):
        width = 2 * float(np.sqrt(fit.bread[position, position]))
        for _ in range(60):
            if loss(centre + side * width) > HALF_QUANTILE:
                break
            width *= 2
        else:
            ends.append(side * np.inf)
            continue
        ends.append(float(brentq(lambda x: loss(x) - HALF_QUANTILE, centre, centre + side * width, xtol=1e-11)))
    return ends[0], ends[1], float(special.chdtrc(1, max(2 * loss(0.0), 0.0)))


def ratio_or_difference(
    measure: str, contrast: str, estimate: float, std_error: float, method: str, *, ratio: bool, degrees: float = np.inf
) -> dict[str, object]:
    """A row of a table of estimates: limits and p from the normal or t distribution, ratios on the log scale."""
    row: dict[str, object] = {"measure": measure, "contrast": contrast, "estimate": estimate}
    if not (std_error > 0) or not np.isfinite(std_error) or not degrees > 0 or (ratio and not 0 < estimate < np.inf):
        nothing = float("nan")
        return row | {"std_error": nothing, "conf_low": nothing, "conf_high": nothing, "p_value": nothing,
                      "method": "no interval: a cell is zero or empty"}  # fmt: skip
    back: Callable[[float], float] = np.exp if ratio else float
    centre = float(np.log(estimate)) if ratio else estimate
    quantile = float(special.stdtrit(degrees, 0.975)) if np.isfinite(degrees) else Z95
    z = centre / std_error
    p_value = 2 * special.stdtr(degrees, -abs(z)) if np.isfinite(degrees) else normal_p(z)
    return row | {"std_error": std_error, "conf_low": float(back(centre - quantile * std_error)),
                  "conf_high": float(back(centre + quantile * std_error)), "p_value": float(p_value), "method": method}  # fmt: skip
