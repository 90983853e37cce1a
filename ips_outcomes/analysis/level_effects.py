"""An effect in every level of a subgroup, on every scale, with what each person contributes to it.

All subgroup answers hang on one thing: the influence of each person on each effect. Differences between levels, the joint
covariance of levels that overlap, many tests at once and shrinkage all follow from it, whatever the outcome is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import Z95, normal_p, t_p, t_quantile

__all__ = [
    "ADDITIVE", "MULTIPLICATIVE", "ONE_CLUSTER", "RATIOS", "SIGNS", "Effect", "LevelEffects", "Pair", "few_clusters_note",
    "independent", "on_log", "sizes_of", "tested",
]  # fmt: skip

Floats = NDArray[np.float64]

#: Scales on which effects are told, by what they are ratios of; the logarithm is what errors belong to.
RATIOS = ("risk_ratio", "odds_ratio", "conditional_odds_ratio", "mean_ratio", "hazard_ratio")
#: The scale that "additive" and "multiplicative" mean, by kind of outcome.
ADDITIVE = {"rate": "risk_difference", "mean": "mean_difference", "months": "mean_difference", "time": "mean_difference"}
MULTIPLICATIVE = {"rate": "risk_ratio", "mean": "mean_ratio", "months": "mean_ratio", "time": "hazard_ratio"}
#: Said of a row whose clusters tell no error.
ONE_CLUSTER = "one cluster holds a whole arm of a level"
#: What stands between the arms of a contrast.
SIGNS = {True: "/", False: "-"}


def on_log(scale: str) -> bool:
    """Whether a scale is one of ratios.

    Examples
    --------
    >>> on_log("risk_ratio"), on_log("risk_difference")
    (True, False)
    """
    return scale in RATIOS


@dataclass(frozen=True)
class Effect:
    """An effect in one level on one scale; ratios are logarithms here.

    Attributes
    ----------
    level : int
        Position of the level; -1 for everybody.
    value, std_error : float
    degrees : float
        Infinite: limits and p from the normal distribution.
    influence : array
        What each person adds to ``value``; 0 for people of other levels. Its sum of squares is about ``std_error`` squared.
    sizes : dict
        ``n``, ``n_arm``, ``n_reference`` and, where there are events, ``events`` and so on.
    method : str
    limits : tuple of float, optional
        Where they are not ``value`` plus and minus so many errors; on the natural scale.
    p_value : float, optional
        Where it is not Wald's.
    small : bool
        Few events in this level: exact or penalised.
    """

    level: int
    scale: str
    value: float
    std_error: float
    degrees: float
    influence: Floats
    sizes: dict[str, int]
    method: str
    limits: tuple[float, float] | None = None
    p_value: float | None = None
    small: bool = False


@dataclass(frozen=True)
class Pair:
    """The difference between the effects in two levels; ratios of ratios are logarithms here.

    Attributes
    ----------
    p_many : float, optional
        The p-value that enters step-down tests, where it is not ``p_value``: far out in the tail, where many tests look,
        small groups need more care than a single test at 5 % does.
    """

    level: int
    other: int
    scale: str
    value: float
    std_error: float
    degrees: float
    influence: Floats
    method: str
    limits: tuple[float, float] | None = None
    p_value: float | None = None
    small: bool = False
    p_many: float | None = None


class LevelEffects(Protocol):
    """Effects of one arm against the reference within the levels of one subgroup."""

    notes: list[str]

    def effects(self) -> list[Effect]:
        """One an estimable level and scale."""

    def pair(self, level: int, other: int, scale: str, *, wald: bool = False) -> Pair | None:
        """Level minus other; None where one of them has no effect. ``wald``: only value and error count, and they may be quick."""

    def sizes(self, level: int) -> dict[str, int]:
        """People (and events) of a level, by arm; also of one without an effect."""

    def lacking(self, level: int, scale: str) -> str:
        """Why a level has no effect on a scale."""


def tested(value: float, error: float, degrees: float) -> tuple[float, float, float]:
    """Two-sided limits and p of a value from t or the normal distribution; empty where nothing varies.

    Examples
    --------
    >>> [round(x, 3) for x in tested(2.0, 1.0, float("inf"))]
    [0.04, 3.96, 0.046]
    """
    if not (np.isfinite(value) and np.isfinite(error) and error > 0 and degrees > 0):
        return float("nan"), float("nan"), float("nan")
    if np.isinf(degrees):
        return value - Z95 * error, value + Z95 * error, float(normal_p(value / error))
    known = np.array([degrees])
    quantile = float(t_quantile(known)[0])
    return value - quantile * error, value + quantile * error, float(t_p(np.array([value / error]), known)[0])


def sizes_of(level: int, n: NDArray[Any], events: NDArray[Any] | None = None) -> dict[str, int]:
    """People, and events where there are any to count, of a level; its arms are the two columns, the reference first.

    Examples
    --------
    >>> sizes_of(0, np.array([[3, 4]]))
    {'n_reference': 3, 'n_arm': 4, 'n': 7}
    >>> sizes_of(1, np.array([[3, 4]]))
    {'n_reference': 0, 'n_arm': 0, 'n': 0}
    """
    n0, n1 = (round(float(x)) for x in n[level]) if level < len(n) else (0, 0)
    found = {"n_reference": n0, "n_arm": n1, "n": n0 + n1}
    if events is not None:
        e0, e1 = (round(float(x)) for x in events[level]) if level < len(events) else (0, 0)
        found |= {"events_reference": e0, "events_arm": e1, "events": e0 + e1}
    return found


def few_clusters_note(number: int) -> str:
    """What to say where clusters are few."""
    reserve = " (under 4: read p-values with reserve)" if number < 4 else ""
    return f"{number} clusters are few: CR2 errors, limits and p from t with Satterthwaite's degrees of freedom{reserve}"


def independent(cells: NDArray[np.int64], covariates: Floats) -> list[int]:
    """Covariates that do not follow from the levels, the arms and the covariates before them.

    Examples
    --------
    >>> independent(np.array([0, 0, 1, 1]), np.array([[1.0, 5, 3], [2, 5, 5], [4, 6, 9], [3, 6, 7]]))
    [0]
    """
    if not covariates.shape[1]:
        return []
    count = np.bincount(cells).astype(float)
    kept: list[int] = []
    basis: list[Floats] = []
    for j, column in enumerate(covariates.T):
        middle = column - column.mean()
        size = float(np.sqrt((middle**2).sum()))
        left = middle
        # twice, so that no digit is lost
        for _ in range(2):
            left = left - (np.bincount(cells, weights=left) / np.maximum(count, 1))[cells]
            for other in basis:
                left = left - (other @ left) * other
        length = float(np.sqrt((left**2).sum()))
        if size > 0 and length > 1e-9 * size:
            kept.append(j)
            basis.append(left / length)
    return kept
