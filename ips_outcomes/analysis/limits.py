"""Errors, limits and p-values that every estimator shares, so that "95 %" is written once.

References
----------
Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley 2002 (limits on transformed scales).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["FEW_CLUSTERS", "Z95", "Scale", "Transform", "limits", "normal_p", "t_p", "t_quantile", "transform"]

Floats = NDArray[np.float64]
Scale = Literal["plain", "log", "log-log", "logit"]

#: Two-sided 95 %.
Z95 = float(special.ndtri(0.975))

#: Below this many clusters the plain robust error is too small, and the normal distribution too narrow.
FEW_CLUSTERS = 30


class Transform(NamedTuple):
    """A scale on which limits are drawn: there, the slope there (for the delta method), and back."""

    there: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


_TRANSFORMS: dict[str, Transform] = {
    "plain": Transform(lambda p: p, np.ones_like, lambda x: x),
    "log": Transform(np.log, lambda p: 1 / p, np.exp),
    "log-log": Transform(lambda p: np.log(-np.log(p)), lambda p: 1 / (p * np.log(p)), lambda x: np.exp(-np.exp(x))),
    "logit": Transform(special.logit, lambda p: 1 / (p * (1 - p)), special.expit),
}


def transform(scale: Scale) -> Transform:
    """The scale of that name.

    Examples
    --------
    >>> round(float(transform("logit").back(transform("logit").there(0.2))), 3)
    0.2
    """
    return _TRANSFORMS[scale]


def limits(estimate: Floats, std_error: Floats, scale: Scale = "plain", quantile: Floats | float = Z95) -> tuple[Floats, Floats]:
    """Two-sided limits, drawn symmetrically on a scale and brought back.

    Parameters
    ----------
    estimate, std_error : array
        On the estimate's own scale (a proportion, a difference, a ratio).
    scale : {"plain", "log", "log-log", "logit"}
    quantile : float or array
        How many errors to either side: 1.96 for 95 %, a t quantile where degrees of freedom are few.

    Returns
    -------
    tuple of arrays
        Lower and upper; empty (NaN) where the scale has no room, such as a logarithm of 0.

    Examples
    --------
    >>> low, high = limits(np.array([0.5]), np.array([0.1]), "log-log")
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.2952, 0.6745)
    """
    chosen = transform(scale)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        estimate, std_error = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
        centre = chosen.there(estimate)
        half = quantile * std_error * np.abs(chosen.slope(estimate))
        ends = chosen.back(centre - half), chosen.back(centre + half)
    low, high = (ends[1], ends[0]) if scale == "log-log" else ends
    known = np.isfinite(centre) & np.isfinite(half)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def normal_p(z: Floats | float) -> Floats:
    """Two-sided p-value of a standard normal statistic; empty where there is none.

    Examples
    --------
    >>> round(float(normal_p(1.959963984540054)), 6)
    0.05
    """
    z = np.asarray(z, dtype=float)
    return np.where(np.isfinite(z), 2 * special.ndtr(-np.abs(z)), np.nan)


def t_quantile(degrees: Floats) -> Floats:
    """How many errors to either side: of t, and of the normal distribution where no degrees of freedom are given (NaN).

    Examples
    --------
    >>> t_quantile(np.array([5.0, np.nan])).round(4).tolist()
    [2.5706, 1.96]
    """
    known = np.isfinite(degrees)
    return np.where(known, special.stdtrit(np.where(degrees > 0, degrees, np.nan), 0.975), Z95)


def t_p(statistic: Floats, degrees: Floats) -> Floats:
    """Two-sided p of t, or normal where there are no degrees of freedom; empty where there is no statistic.

    Examples
    --------
    >>> t_p(np.array([2.5706, 1.96, np.nan]), np.array([5.0, np.nan, 5.0])).round(3).tolist()
    [0.05, 0.05, nan]
    """
    known = np.isfinite(degrees) & np.isfinite(statistic)
    filled = np.where(known & (degrees > 0), degrees, np.nan), -np.abs(np.where(known, statistic, 0.0))
    return np.where(known, 2 * special.stdtr(*filled), normal_p(statistic))
