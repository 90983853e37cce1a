"""An effect in every level of a subgroup, on every scale, with what each person contributes to it.

All subgroup answers hang on one thing: the influence of each person on each effect. Differences between levels, the joint
covariance of levels that overlap, many tests at once and shrinkage all follow from it, whatever the outcome is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import Z95, normal_p, t_p, t_quantile

__all__ = ["ADDITIVE", "MULTIPLICATIVE", "RATIOS", "SIGNS", "Effect", "LevelEffects", "Pair", "on_log", "tested"]

Floats = NDArray[np.float64]

#: Scales on which effects are told, by what they are ratios of; the logarithm is what errors belong to.
RATIOS = ("risk_ratio", "odds_ratio", "conditional_odds_ratio", "mean_ratio", "hazard_ratio")
#: The scale that "additive" and "multiplicative" mean, by kind of outcome.
ADDITIVE = {"rate": "risk_difference", "mean": "mean_difference", "months": "mean_difference", "time": "mean_difference"}
MULTIPLICATIVE = {"rate": "risk_ratio", "mean": "mean_ratio", "months": "mean_ratio", "time": "hazard_ratio"}
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
    """The difference between the effects in two levels; ratios of ratios are logarithms here."""

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


class LevelEffects(Protocol):
    """Effects of one arm against the reference within the levels of one subgroup."""

    notes: list[str]

    def effects(self) -> list[Effect]:
        """One an estimable level and scale."""

    def pair(self, level: int, other: int, scale: str) -> Pair | None:
        """Level minus other; None where one of them has no effect."""


@dataclass(frozen=True)
class Question:
    """What is asked of the data, once for all subgroups."""

    outcome: str
    kind: str
    arm: str
    other: str
    reference: str
    month: int | None = None
    time: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


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
