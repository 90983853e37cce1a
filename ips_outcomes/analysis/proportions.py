"""Intervals for proportions and for what two proportions differ by; arrays in, arrays out.

References
----------
Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953
Newcombe RG. Stat Med 1998;17:873-890 (method 10).
doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
Katz D, Baptista J, Azen SP, Pike MC. Biometrics 1978;34:469-474. doi:10.2307/2530610
Woolf B. Ann Hum Genet 1955;19:251-253. doi:10.1111/j.1469-1809.1955.tb01348.x
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import Z95

__all__ = ["newcombe", "odds_ratio", "pearson_p", "risk_ratio", "wilson"]

Floats = NDArray[np.float64]


def wilson(events: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion; empty where nobody was observed.

    Examples
    --------
    >>> low, high = wilson(np.array([3.0]), np.array([6.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.1876, 0.8124)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = events / n
        centre = p + Z95**2 / (2 * n)
        half = Z95 * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
        low, high = (centre - half) / (1 + Z95**2 / n), (centre + half) / (1 + Z95**2 / n)
    # at the borders the formula is exact only in exact arithmetic
    low, high = np.where(events == 0, 0.0, low), np.where(events == n, 1.0, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def newcombe(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> tuple[Floats, Floats]:
    """Newcombe's hybrid score interval of a risk difference, from two Wilson intervals."""
    low1, high1 = wilson(e1, n1)
    low0, high0 = wilson(e0, n0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p0 = e1 / n1, e0 / n0
        difference = p1 - p0
        low = difference - np.sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
        high = difference + np.sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    return low, high


def _log_wald(ratio: Floats, std_error: Floats) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore", over="ignore"):
        return ratio * np.exp(-Z95 * std_error), ratio * np.exp(Z95 * std_error)


def risk_ratio(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Risk ratio, standard error of its logarithm, and the log Wald interval.

    Where a cell is zero the logarithm has no finite error: the estimate stands
    (0, infinite or empty) and error and interval are empty.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (e1 / n1) / (e0 / n0)
        std_error = np.sqrt(1 / e1 - 1 / n1 + 1 / e0 - 1 / n0)
    std_error = np.where((e1 > 0) & (e0 > 0), std_error, np.nan)
    return ratio, std_error, *_log_wald(ratio, std_error)


def odds_ratio(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Odds ratio, standard error of its logarithm, and the log Wald (Woolf) interval; see `risk_ratio` on zeros."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (e1 / (n1 - e1)) / (e0 / (n0 - e0))
        std_error = np.sqrt(1 / e1 + 1 / (n1 - e1) + 1 / e0 + 1 / (n0 - e0))
    full = (e1 > 0) & (e0 > 0) & (e1 < n1) & (e0 < n0)
    std_error = np.where(full, std_error, np.nan)
    return ratio, std_error, *_log_wald(ratio, std_error)


def pearson_p(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Floats:
    """p-value of Pearson's chi-square test of two proportions, without continuity correction."""
    total, events = n1 + n0, e1 + e0
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = total * (e1 * (n0 - e0) - e0 * (n1 - e1)) ** 2 / (events * (total - events) * n1 * n0)
    return np.array([erfc(sqrt(x / 2)) if np.isfinite(x) else np.nan for x in np.atleast_1d(statistic)])
