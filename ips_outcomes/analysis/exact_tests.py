"""Tests of two proportions; arrays in, arrays out.

References
----------
Pearson K. Philos Mag 1900;50:157-175. doi:10.1080/14786440009463897
Fisher RA. J R Stat Soc 1935;98:39-82. doi:10.2307/2342435
Lancaster HO. J Am Stat Assoc 1961;56:223-234 (mid-p). doi:10.1080/01621459.1961.10482105
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["TESTS", "Test", "fisher_p", "mid_p", "pearson_p"]

Floats = NDArray[np.float64]
Test = Literal["pearson", "fisher", "mid-p"]

#: Tables whose probabilities differ by less than this, relatively, are equally likely (as in R's fisher.test).
SAME = 1e-7


def pearson_p(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Floats:
    """p-value of Pearson's chi-square test of two proportions, without continuity correction."""
    total, events = n1 + n0, e1 + e0
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = total * (e1 * (n0 - e0) - e0 * (n1 - e1)) ** 2 / (events * (total - events) * n1 * n0)
        return np.atleast_1d(np.where(np.isfinite(statistic), special.erfc(np.sqrt(statistic / 2)), np.nan))


def _tables(e1: float, n1: float, e0: float, n0: float) -> tuple[Floats, float]:
    """Probabilities of every table with these margins where arms do not differ, and of the one seen."""
    events = e1 + e0
    seen = np.arange(max(0.0, events - n0), min(events, n1) + 1)
    logarithm = -(
        special.gammaln(seen + 1) + special.gammaln(n1 - seen + 1) + special.gammaln(events - seen + 1)
        + special.gammaln(n0 - events + seen + 1)
    )  # fmt: skip
    weight = np.exp(logarithm - logarithm.max())
    # what is left out of the logarithm is the same for all, so the sum brings it back
    weight /= weight.sum()
    return weight, float(weight[int(e1 - seen[0])])


def _exact(e1: Floats, n1: Floats, e0: Floats, n0: Floats, share: float) -> Floats:
    found = []
    for row in zip(*(np.atleast_1d(np.asarray(x, dtype=float)) for x in (e1, n1, e0, n0)), strict=True):
        if not (row[1] > 0 and row[3] > 0):
            found.append(np.nan)
            continue
        weight, own = _tables(*row)
        equal = np.abs(weight - own) <= SAME * own
        found.append(min(float(weight[(weight < own) & ~equal].sum() + share * weight[equal].sum()), 1.0))
    return np.array(found)


def fisher_p(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Floats:
    """Fisher's exact test, two-sided: the probability, margins fixed, of all tables that are not more likely than the one seen.

    Examples
    --------
    >>> fisher_p(*np.array([[3.0], [3.0], [0.0], [3.0]])).round(10).tolist()
    [0.1]
    """
    return _exact(e1, n1, e0, n0, 1.0)


def mid_p(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> Floats:
    """Fisher's exact test with Lancaster's mid-p: tables as likely as the one seen count half.

    Examples
    --------
    >>> mid_p(*np.array([[3.0], [3.0], [0.0], [3.0]])).round(10).tolist()
    [0.05]
    """
    return _exact(e1, n1, e0, n0, 0.5)


#: By name: what the method's description says, and the function.
TESTS = {
    "pearson": ("Pearson's chi-square test without continuity correction", pearson_p),
    "fisher": ("Fisher's exact test (two-sided by the probability of the tables)", fisher_p),
    "mid-p": ("Fisher's exact test with mid-p (tables as likely as the one seen count half)", mid_p),
}
