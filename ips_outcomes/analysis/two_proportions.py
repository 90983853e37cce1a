"""What two independent proportions differ by: intervals on three scales; arrays in, arrays out.

Arguments are always people with the event and people of the arm (``e1``,
``n1``), then of the reference (``e0``, ``n0``).

References
----------
Newcombe RG. Stat Med 1998;17:873-890 (method 10).
doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
Miettinen O, Nurminen M. Stat Med 1985;4:213-226. doi:10.1002/sim.4780040211
Agresti A, Caffo B. Am Stat 2000;54:280-288. doi:10.1080/00031305.2000.10474560
Koopman PAR. Biometrics 1984;40:513-517. doi:10.2307/2531405
Katz D, Baptista J, Azen SP, Pike MC. Biometrics 1978;34:469-474. doi:10.2307/2530610
Woolf B. Ann Hum Genet 1955;19:251-253. doi:10.1111/j.1469-1809.1955.tb01348.x
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import Z95
from ips_outcomes.analysis.proportions import wilson

__all__ = [
    "INTERVALS", "agresti_caffo", "koopman", "miettinen_nurminen", "miettinen_nurminen_odds", "miettinen_nurminen_ratio",
    "newcombe", "odds_ratio", "profile_odds", "risk_ratio", "wald_difference",
]  # fmt: skip

Floats = NDArray[np.float64]
Limits = tuple[Floats, Floats]

#: Halvings of the stretch that holds a limit: past the last bit of a double.
HALVINGS = 64
#: Ratios are looked for between exp(-FAR) and exp(FAR).
FAR = 40.0


def newcombe(e1: Floats, n1: Floats, e0: Floats, n0: Floats, quantile: float = Z95) -> Limits:
    """Newcombe's hybrid score interval of a risk difference, from two Wilson intervals, so many errors wide.

    Examples
    --------
    >>> low, high = newcombe(*np.array([[2.0], [3.0], [1.0], [3.0]]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (-0.3158, 0.7178)
    """
    low1, high1 = wilson(e1, n1, quantile)
    low0, high0 = wilson(e0, n0, quantile)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p0 = e1 / n1, e0 / n0
        difference = p1 - p0
        low = difference - np.sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
        high = difference + np.sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    return low, high


def wald_difference(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Risk difference plus and minus 1.96 unpooled errors, cut at -1 and 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p0 = e1 / n1, e0 / n0
        half = Z95 * np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
        return np.maximum(p1 - p0 - half, -1.0), np.minimum(p1 - p0 + half, 1.0)


def agresti_caffo(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Wald's interval after one person with and one without the event were added to either arm; empty for an empty arm."""
    low, high = wald_difference(e1 + 1, n1 + 2, e0 + 1, n0 + 2)
    full = (n1 > 0) & (n0 > 0)
    return np.where(full, low, np.nan), np.where(full, high, np.nan)


def _inverted(statistic: Callable[[Floats], Floats], least: Floats, most: Floats) -> Limits:
    """Where a statistic that falls along its argument passes 1.96 and -1.96, by halving."""
    found = []
    for target in (Z95, -Z95):
        below, above = least.copy(), most.copy()
        for _ in range(HALVINGS):
            middle = (below + above) / 2
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                # 0 over 0 is where the value fits the data perfectly
                left = np.nan_to_num(statistic(middle), nan=0.0) > target
            below, above = np.where(left, middle, below), np.where(left, above, middle)
        found.append((below + above) / 2)
    return found[0], found[1]


def _difference_risks(difference: Floats, e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> tuple[Floats, Floats]:
    """Most likely risks whose difference is given: the root of a cubic (Miettinen and Nurminen, appendix I)."""
    total, events = n1 + n0, e1 + e0
    l2 = (n1 + 2 * n0) * difference - total - events
    l1 = (n0 * difference - total - 2 * e0) * difference + events
    l0 = e0 * difference * (1 - difference)
    a, b, c = l2 / total, l1 / total, l0 / total
    q = a**3 / 27 - a * b / 6 + c / 2
    p = np.where(q < 0, -1, 1) * np.sqrt(np.maximum(a**2 / 9 - b / 3, 0))
    # a triple root has p = 0, whatever the angle
    angle = (np.pi + np.arccos(np.clip(q / np.where(p == 0, 1, p**3), -1, 1))) / 3
    risk0 = np.clip(2 * p * np.cos(angle) - a / 3, np.maximum(0, -difference), np.minimum(1, 1 - difference))
    return np.clip(risk0 + difference, 0, 1), risk0


def miettinen_nurminen(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Score interval of a risk difference, variance with n / (n - 1).

    Examples
    --------
    >>> low, high = miettinen_nurminen(*np.array([[2.0], [3.0], [1.0], [3.0]]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (-0.4496, 0.8266)
    """
    e1, n1, e0, n0 = (np.asarray(x, dtype=float) for x in (e1, n1, e0, n0))

    def statistic(difference: Floats) -> Floats:
        risk1, risk0 = _difference_risks(difference, e1, n1, e0, n0)
        variance = (risk1 * (1 - risk1) / n1 + risk0 * (1 - risk0) / n0) * (n1 + n0) / (n1 + n0 - 1)
        return (e1 / n1 - e0 / n0 - difference) / np.sqrt(variance)

    low, high = _inverted(statistic, np.full_like(e1, -1.0), np.full_like(e1, 1.0))
    full = (n1 > 0) & (n0 > 0)
    # nobody in one arm and everybody in the other: the border itself
    with np.errstate(invalid="ignore", divide="ignore"):
        high = np.where((e1 == n1) & (e0 == 0), 1.0, high)
        low = np.where((e1 == 0) & (e0 == n0), -1.0, low)
    return np.where(full, low, np.nan), np.where(full, high, np.nan)


def _opened(low: Floats, high: Floats, zero: NDArray[np.bool_], endless: NDArray[np.bool_], empty: NDArray[np.bool_]) -> Limits:
    """A ratio's limits from logarithms: 0 where the data allow any small ratio, infinite where any large one."""
    lower, upper = np.where(zero, 0.0, np.exp(low)), np.where(endless, np.inf, np.exp(high))
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


def _score_ratio(e1: Floats, n1: Floats, e0: Floats, n0: Floats, *, corrected: bool) -> Limits:
    e1, n1, e0, n0 = (np.asarray(x, dtype=float) for x in (e1, n1, e0, n0))
    total = n1 + n0
    factor = total / (total - 1) if corrected else np.ones_like(total)

    def statistic(logarithm: Floats) -> Floats:
        ratio = np.exp(logarithm)
        # the most likely risk of the reference is the smaller root of total ratio p^2 - b p + e1 + e0; root of the discriminant
        # and complements are written so that nothing cancels close to 0 and 1
        apart, corner = (n1 + e0) * ratio - (e1 + n0), 4 * ratio * (n1 - e1) * (n0 - e0)
        root = np.sqrt(apart**2 + corner)
        plus = np.where(apart < 0, corner / (root - apart), root + apart)
        minus = np.where(apart > 0, corner / (root + apart), root - apart)
        whole = ratio * (n1 + e0) + e1 + n0 + root
        risk0, risk1 = 2 * (e1 + e0) / whole, 2 * ratio * (e1 + e0) / whole
        rest0, rest1 = (plus + 2 * (n0 - e0)) / whole, (minus + 2 * ratio * (n1 - e1)) / whole
        variance = (risk1 * rest1 / n1 + ratio**2 * risk0 * rest0 / n0) * factor
        return (e1 / n1 - ratio * e0 / n0) / np.sqrt(variance)

    low, high = _inverted(statistic, np.full_like(e1, -FAR), np.full_like(e1, FAR))
    return _opened(low, high, e1 == 0, e0 == 0, (n1 == 0) | (n0 == 0))


def koopman(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Koopman's score interval of a risk ratio; finite on one side where an arm has no event.

    Examples
    --------
    >>> low, high = koopman(*np.array([[2.0, 0.0], [3.0, 3.0], [1.0, 1.0], [3.0, 3.0]]))
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.4078, 0.0], [11.8588, 2.9993])
    """
    return _score_ratio(e1, n1, e0, n0, corrected=False)


def miettinen_nurminen_ratio(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Score interval of a risk ratio, variance with n / (n - 1)."""
    return _score_ratio(e1, n1, e0, n0, corrected=True)


def _odds_risks(ratio: Floats, e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Most likely risks of arm and reference whose odds ratio is given, and their complements."""
    events, others = e1 + e0, (n1 + n0) - (e1 + e0)
    a = n0 * (ratio - 1)
    b = n1 * ratio + n0 - events * (ratio - 1)
    root = np.sqrt(np.maximum(b**2 + 4 * a * events, 0))
    risk0 = np.where(b >= 0, 2 * events / (b + root), (root - b) / (2 * a))
    # the complement solves the mirrored equation; from it, no digit is lost close to 1
    b = n1 / ratio + n0 - others * (1 / ratio - 1)
    a = n0 * (1 / ratio - 1)
    root = np.sqrt(np.maximum(b**2 + 4 * a * others, 0))
    rest0 = np.where(b >= 0, 2 * others / (b + root), (root - b) / (2 * a))
    risk0, rest0 = np.where(risk0 < 0.5, risk0, 1 - rest0), np.where(risk0 < 0.5, 1 - risk0, rest0)
    return ratio * risk0 / (ratio * risk0 + rest0), rest0 / (ratio * risk0 + rest0), risk0, rest0


def _odds_limits(statistic: Callable[[Floats], Floats], e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    low, high = _inverted(statistic, np.full_like(e1, -FAR), np.full_like(e1, FAR))
    # without any event, or any person without one, the data say nothing about odds
    return _opened(low, high, (e1 == 0) | (e0 == n0), (e1 == n1) | (e0 == 0), (n1 == 0) | (n0 == 0))


def miettinen_nurminen_odds(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Score interval of an odds ratio, variance with n / (n - 1); finite on one side where one cell is zero."""
    e1, n1, e0, n0 = (np.asarray(x, dtype=float) for x in (e1, n1, e0, n0))

    def statistic(logarithm: Floats) -> Floats:
        risk1, rest1, risk0, rest0 = _odds_risks(np.exp(logarithm), e1, n1, e0, n0)
        information = 1 / (n1 * risk1 * rest1) + 1 / (n0 * risk0 * rest0)
        return (e1 * rest1 - (n1 - e1) * risk1) * np.sqrt(information * (n1 + n0 - 1) / (n1 + n0))

    return _odds_limits(statistic, e1, n1, e0, n0)


def profile_odds(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    """Profile likelihood interval of an odds ratio: where twice the loss of log likelihood is 3.84.

    Examples
    --------
    >>> low, high = profile_odds(*np.array([[2.0], [3.0], [1.0], [3.0]]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.1524, 208.0104)
    """
    from scipy.special import xlogy

    e1, n1, e0, n0 = (np.asarray(x, dtype=float) for x in (e1, n1, e0, n0))

    def likelihood(risk1: Floats, rest1: Floats, risk0: Floats, rest0: Floats) -> Floats:
        return xlogy(e1, risk1) + xlogy(n1 - e1, rest1) + xlogy(e0, risk0) + xlogy(n0 - e0, rest0)

    with np.errstate(invalid="ignore", divide="ignore"):
        best = likelihood(e1 / n1, (n1 - e1) / n1, e0 / n0, (n0 - e0) / n0)

    def statistic(logarithm: Floats) -> Floats:
        risks = _odds_risks(np.exp(logarithm), e1, n1, e0, n0)
        return np.sign(e1 * risks[1] - (n1 - e1) * risks[0]) * np.sqrt(np.maximum(2 * (best - likelihood(*risks)), 0))

    return _odds_limits(statistic, e1, n1, e0, n0)


def _log_wald(ratio: Floats, std_error: Floats) -> Limits:
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


def _ratio_wald(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    return risk_ratio(e1, n1, e0, n0)[2:]


def _odds_wald(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Limits:
    return odds_ratio(e1, n1, e0, n0)[2:]


#: By measure and name: how it is called in tables, and the function. The first of a measure is the default.
INTERVALS: dict[str, dict[str, tuple[str, Callable[[Floats, Floats, Floats, Floats], Limits]]]] = {
    "risk_difference": {
        "newcombe": ("Newcombe", newcombe), "miettinen-nurminen": ("Miettinen-Nurminen", miettinen_nurminen),
        "wald": ("Wald", wald_difference), "agresti-caffo": ("Agresti-Caffo", agresti_caffo),
    },
    "risk_ratio": {
        "log-wald": ("log Wald", _ratio_wald), "koopman": ("Koopman", koopman),
        "miettinen-nurminen": ("Miettinen-Nurminen", miettinen_nurminen_ratio),
    },
    "odds_ratio": {
        "log-wald": ("log Wald", _odds_wald), "miettinen-nurminen": ("Miettinen-Nurminen", miettinen_nurminen_odds),
        "profile": ("profile likelihood", profile_odds),
    },
}  # fmt: skip
