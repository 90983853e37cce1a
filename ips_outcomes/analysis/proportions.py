"""Intervals for one proportion; arrays in, arrays out.

References
----------
Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953
Clopper CJ, Pearson ES. Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404
Brown LD, Cai TT, DasGupta A. Stat Sci 2001;16:101-133 (Jeffreys). doi:10.1214/ss/1009213286
Korn EL, Graubard BI. Surv Methodol 1998;24:193-201 (effective numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import Z95

__all__ = ["INTERVALS", "Interval", "clopper_pearson", "jeffreys", "proportion_interval", "wald", "wilson"]

Floats = NDArray[np.float64]
Interval = Literal["wilson", "clopper-pearson", "jeffreys", "wald"]

TAIL = 0.025


def wilson(events: Floats, n: Floats, quantile: float = Z95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion, so many errors wide; empty where nobody was observed.

    Examples
    --------
    >>> low, high = wilson(np.array([3.0]), np.array([6.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.1876, 0.8124)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = events / n
        square = quantile**2
        centre = p + square / (2 * n)
        half = quantile * np.sqrt(p * (1 - p) / n + square / (4 * n**2))
        low, high = (centre - half) / (1 + square / n), (centre + half) / (1 + square / n)
    # at the borders the formula is exact only in exact arithmetic
    low, high = np.where(events == 0, 0.0, low), np.where(events == n, 1.0, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def clopper_pearson(events: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Exact interval: both tails of the binomial distribution hold at most 2.5 %; never covers less than 95 %.

    Examples
    --------
    >>> low, high = clopper_pearson(np.array([3.0]), np.array([6.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.1181, 0.8819)
    """
    events, n = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore"):
        low = np.where(events <= 0, 0.0, special.betaincinv(np.where(events > 0, events, 1), n - events + 1, TAIL))
        high = np.where(events >= n, 1.0, special.betaincinv(events + 1, np.where(events < n, n - events, 1), 1 - TAIL))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def jeffreys(events: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Equal tails of the posterior under Jeffreys' prior Beta(1/2, 1/2); 0 and 1 where nobody or everybody has the event.

    Examples
    --------
    >>> low, high = jeffreys(np.array([3.0]), np.array([6.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.1668, 0.8332)
    """
    events, n = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore"):
        low = np.where(events <= 0, 0.0, special.betaincinv(events + 0.5, n - events + 0.5, TAIL))
        high = np.where(events >= n, 1.0, special.betaincinv(events + 0.5, n - events + 0.5, 1 - TAIL))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def wald(events: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Estimate plus and minus 1.96 errors, cut at 0 and 1; of no width at the borders, and too narrow for small numbers.

    Examples
    --------
    >>> low, high = wald(np.array([3.0]), np.array([6.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.0999, 0.9001)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(n > 0, events / n, np.nan)
        half = Z95 * np.sqrt(p * (1 - p) / n)
    return np.maximum(p - half, 0.0), np.minimum(p + half, 1.0)


#: By name: how it is called in tables, and the function.
INTERVALS: dict[str, tuple[str, Callable[[Floats, Floats], tuple[Floats, Floats]]]] = {
    "wilson": ("Wilson", wilson), "clopper-pearson": ("Clopper-Pearson", clopper_pearson), "jeffreys": ("Jeffreys", jeffreys),
    "wald": ("Wald", wald),
}  # fmt: skip


def proportion_interval(events: Floats, n: Floats, interval: Interval = "wilson") -> tuple[Floats, Floats]:
    """Two-sided 95 % interval of proportions, by name of the method.

    Parameters
    ----------
    events, n : array
        People with the event, and people; need not be whole, so that effective
        numbers of a weighted or clustered sample can be given.
    interval : {"wilson", "clopper-pearson", "jeffreys", "wald"}

    Returns
    -------
    tuple of arrays
        Lower and upper; empty where ``n`` is 0.

    Examples
    --------
    >>> low, high = proportion_interval(np.array([0.0, 5.0]), np.array([5.0, 5.0]), "clopper-pearson")
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.4782], [0.5218, 1.0])
    """
    return INTERVALS[interval][1](np.asarray(events, dtype=float), np.asarray(n, dtype=float))
