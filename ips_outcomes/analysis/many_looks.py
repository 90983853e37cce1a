"""Many tests at once: Holm's and Romano and Wolf's step-down p-values.

References
----------
Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
Romano JP, Wolf M. Exact and approximate stepdown methods for multiple hypothesis testing. J Am Stat Assoc 2005;100:94-108.
doi:10.1198/016214504000000539
Chernozhukov V, Chetverikov D, Kato K. Gaussian approximations and multiplier bootstrap for maxima of sums of high-dimensional
random vectors. Ann Stat 2013;41:2786-2819. doi:10.1214/13-AOS1161
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError

__all__ = ["REFERENCES", "critical_value", "holm", "multiplier_draws", "step_down"]

Floats = NDArray[np.float64]

#: Random numbers held at once.
CELLS = 2_000_000

REFERENCES = (
    "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "Romano JP, Wolf M. Exact and approximate stepdown methods for multiple hypothesis testing. J Am Stat Assoc "
    "2005;100:94-108. doi:10.1198/016214504000000539",
    "Chernozhukov V, Chetverikov D, Kato K. Gaussian approximations and multiplier bootstrap for maxima of sums of "
    "high-dimensional random vectors. Ann Stat 2013;41:2786-2819. doi:10.1214/13-AOS1161",
)


def holm(p_values: Floats) -> Floats:
    """Holm's adjusted p-values; missing ones are no tests.

    Parameters
    ----------
    p_values : array

    Returns
    -------
    array
        Of the same order; the familywise error is controlled whatever the tests have to do with each other.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    found = np.full(len(p_values), np.nan)
    tests = np.flatnonzero(np.isfinite(p_values))
    order = tests[np.argsort(p_values[tests], kind="stable")]
    raised = p_values[order] * np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return found


def multiplier_draws(influence: Floats, draws: int, seed: int) -> Floats:
    """What studentised statistics would be if nothing were there: draws x statistics.

    Every unit's influence, over the standard error, is multiplied by a
    standard normal number, the same for all statistics, so that their
    dependence is kept.

    Parameters
    ----------
    influence : array, units x statistics
        Units are people, or clusters whose people were added up.
    draws, seed : int

    Returns
    -------
    array, draws x statistics
        0 where nothing varies.

    Notes
    -----
    What was tried, by familywise error at 5 % (n = 410, 12 overlapping
    subgroups of 8 to 50 %, main effect 0.10 on the rate, 1,500 to 20,000
    trials a setting; `scripts/familywise.py` measures what is in use):

    - Draws divided by their own error (self-normalised), Wald statistics:
      7.3 to 7.5 %. Self-normalised sums have lighter tails than the normal
      distribution, and statistics of small groups have heavier ones.
    - Plain normal draws, Wald statistics: 5.4 to 7.5 %; Holm on Wald's p-values
      (those of R's glm): 5.0 to 7.1 %. What is left over is Wald's test in
      the far tail: at 0.05 / 12 it rejects up to twice too often in a level
      of 33 people.
    - The same, each statistic the normal quantile of its p-value from t with
      Welch's degrees of freedom and half a person more on either side of each
      proportion: 3.7 to 4.4 % for Bonferroni's bound, 3.9 to 4.5 % for the
      step-down test itself (2,000 trials each). This is in use.
    - Hazard ratios: 7.3 % of 550 trials with the p-values of each test alone,
      3.5 % of 375 with t and degrees of freedom from the events of the four
      cells, which is in use.

    Examples
    --------
    >>> multiplier_draws(np.array([[1.0], [-1.0], [2.0]]), 2, seed=1).shape
    (2, 1)
    """
    if draws < 1:
        raise UnsupportedError("draws= is a number from 1")
    # over the largest first, so that squares of tiny numbers do not vanish
    peak = np.abs(influence).max(axis=0, initial=0.0)
    scaled = np.divide(influence, peak, out=np.zeros_like(influence, dtype=float), where=peak > 0)
    size = np.sqrt((scaled**2).sum(axis=0))
    scaled = np.divide(scaled, size, out=np.zeros_like(scaled), where=size > 0)
    # units that touch nothing are not drawn
    scaled = scaled[(scaled != 0).any(axis=1)]
    rng, found = np.random.default_rng(seed), np.zeros((draws, influence.shape[1]))
    step = max(CELLS // max(len(scaled), 1), 1)
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        found[start:stop] = rng.standard_normal((stop - start, len(scaled))) @ scaled
    return found


def step_down(statistics: Floats, drawn: Floats) -> Floats:
    """Romano and Wolf's step-down p-values from the largest of what is left, two-sided.

    Parameters
    ----------
    statistics : array
        Estimates over their standard errors; missing ones are no tests.
    drawn : array, draws x statistics

    Returns
    -------
    array

    Examples
    --------
    >>> drawn = np.array([[0.5, 1.0], [2.0, 0.1], [1.0, 1.0]])
    >>> step_down(np.array([3.0, 0.9]), drawn).tolist()
    [0.25, 0.75]
    """
    found = np.full(len(statistics), np.nan)
    tests = np.flatnonzero(np.isfinite(statistics))
    order = tests[np.argsort(-np.abs(statistics[tests]), kind="stable")]
    if not len(order):
        return found
    # the largest among the test itself and all that come after it
    largest = np.maximum.accumulate(np.abs(drawn[:, order])[:, ::-1], axis=1)[:, ::-1]
    reached = (largest >= np.abs(statistics[order]) * (1 - 1e-12)).sum(axis=0)
    found[order] = np.maximum.accumulate((reached + 1) / (len(drawn) + 1))
    return found


def critical_value(drawn: Floats, level: float = 0.95) -> float:
    """How many errors wide a band is that holds for all statistics at once.

    Examples
    --------
    >>> critical_value(np.array([[0.5, 1.0], [2.0, 0.1], [1.0, 1.0]]), 0.5)
    1.0
    """
    return float(np.quantile(np.abs(drawn).max(axis=1), level))
