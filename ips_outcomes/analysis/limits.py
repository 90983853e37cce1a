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

__all__ = ["Z95", "Scale", "Transform", "limits", "normal_p", "transform"]

Floats = NDArray[np.float64]
Scale = Literal["plain", "log", "log-log", "logit"]

#: Two-sided 95 %.
Z95 = float(special.ndtri(0.975))


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
