"""Linear models of person-months, with coefficients of its own in every arm, and what the arms differ by.

The outcome of a person in a month is a straight-line function of what is known of the month; each arm has its own. Rates,
blocks of months, slopes with a knot and a shift between calendar periods are all combinations of its coefficients. Errors are
those of independent units (people, or clusters); under 30 clusters CR2 with t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.few_clusters import ONE_DECIDES, few, small_error
from ips_outcomes.analysis.limits import limits, t_p, t_quantile
from ips_outcomes.analysis.person_months import MonthsMatrix

__all__ = [
    "CRUMB",
    "ArmModel",
    "Asked",
    "Correction",
    "Joint",
    "answered",
    "finite_sample",
    "joint_test",
    "said_of_errors",
    "with_limits",
]

Floats = NDArray[np.float64]
Correction = Literal["CR1", "CR0"]

#: An error this small beside what it is about is a crumb of arithmetic: the outcome does not vary.
CRUMB = 1e-13
#: A direction of the covariates with less than this share of the largest is not in the data.
FLAT = 1e-10


def finite_sample(groups: float, rows: float, parameters: float) -> float:
    """The factor of CR1, for a variance; empty where there are too few units or rows.

    Examples
    --------
    >>> finite_sample(3, 9, 2)
    1.7142857142857142
    """
    if groups < 2 or rows <= parameters:
        return float("nan")
    return groups / (groups - 1) * (rows - 1) / (rows - parameters)


@dataclass(frozen=True)
class Asked:
    """One combination of an arm's coefficients.

    Attributes
    ----------
    measure, difference : str
        What it is called in an arm, and between two.
    combination : array
        Of the coefficients.
    among : array of bool
        Columns of the matrix whose people are counted.
    columns : dict
        Further columns of the table.
    tested : bool
        Whether zero is a question in one arm: a share of 0 is none.
    """

    measure: str
    difference: str
    combination: Floats
    among: NDArray[np.bool_]
    columns: dict[str, Any] = field(default_factory=dict)
    tested: bool = True


class ArmModel:
    """Least squares within each arm.

    Parameters
    ----------
    matrix : MonthsMatrix
    design : array, columns of the matrix x coefficients
        Covariates, the same in every arm.
    """

    def __init__(self, matrix: MonthsMatrix, design: Floats):
        self.matrix, self.design = matrix, design
        seen, worked = matrix.mass[:, None] * matrix.observed, matrix.mass[:, None] * matrix.value
        by_column, outcome = matrix.in_arms(seen), matrix.in_arms(worked)
        size = design.shape[1]
        self.bread, self.rank = np.zeros((len(matrix.arms), size, size)), np.zeros(len(matrix.arms))
        self.coefficients, self.known = np.zeros((len(matrix.arms), size)), np.zeros((len(matrix.arms), size, size))
        for arm in range(len(matrix.arms)):
            # a direction that no row of the arm tells of is left out, and what rests on it is not answered
            values, vectors = np.linalg.eigh((design.T * by_column[arm]) @ design)
            there = values > FLAT * max(float(values.max(initial=0.0)), 1e-300)
            kept = vectors[:, there]
            self.bread[arm], self.rank[arm] = (kept / values[there]) @ kept.T, there.sum()
            self.coefficients[arm], self.known[arm] = self.bread[arm] @ (design.T @ outcome[arm]), kept @ kept.T
        fitted = (self.coefficients @ design.T)[matrix.arm]
        self.residual = matrix.weight[:, None] * matrix.observed * (matrix.value - fitted)
        self.rows = matrix.in_arms(matrix.count[:, None] * matrix.observed).sum(axis=1)
        self.present = np.asarray(matrix.observed.any(axis=1))

    def estimate(self, arm: int, combination: Floats) -> float:
        """The combination in an arm; empty where the arm's rows do not tell it."""
        if np.abs(self.known[arm] @ combination - combination).max() > 1e-6:
            return float("nan")
        return float(combination @ self.coefficients[arm])

    def influence(self, arms: Sequence[int], signs: Sequence[float], combination: Floats) -> Floats:
        """What each row of the matrix adds to the combination, summed over arms with signs."""
        towards = np.zeros((len(self.matrix.arms), len(self.design)))
        for arm, sign in zip(arms, signs, strict=True):
            towards[arm] = sign * (self.design @ (self.bread[arm] @ combination))
        return np.asarray((self.residual * towards[self.matrix.arm]).sum(axis=1))

    def factor(self, arms: Sequence[int], correction: Correction) -> float:
        """Of the variance, for the model of these arms together."""
        if correction == "CR0":
            return 1.0
        inside = np.isin(self.matrix.arm, list(arms)) & self.present
        return finite_sample(self.matrix.units(inside), float(self.rows[list(arms)].sum()), float(self.rank[list(arms)].sum()))

    def error(
        self, arms: Sequence[int], signs: Sequence[float], combination: Floats, correction: Correction
    ) -> tuple[float, float]:
        """Error, and degrees of freedom where clusters are few."""
        if any(np.isnan(self.estimate(arm, combination)) for arm in arms):
            return float("nan"), float("nan")
        if few(self.matrix, arms):
            return small_error(self.matrix, arms, signs, self.design, combination)
        sums, count = self.matrix.unit_sums(self.influence(arms, signs, combination)[:, None])
        return float(np.sqrt(count @ sums[:, 0] ** 2 * self.factor(arms, correction))), float("nan")


def answered(model: ArmModel, asked: Sequence[Asked], base: int | None, correction: Correction) -> pd.DataFrame:
    """A row an arm and a contrast for every question, with errors, 95 % limits and p."""
    matrix, rows = model.matrix, []
    for question in asked:
        seen = matrix.observed[:, question.among].any(axis=1)
        people = matrix.in_arms(matrix.count * seen)
        events = matrix.in_arms(matrix.count * (matrix.value[:, question.among] > 0).any(axis=1))
        value = [model.estimate(arm, question.combination) for arm in range(len(matrix.arms))]
        for arm, name in enumerate(matrix.arms):
            error = model.error([arm], [1.0], question.combination, correction)
            rows.append({"measure": question.measure, "group": name, "contrast": "", "n": round(people[arm]),
                         "events": round(events[arm]), "estimate": value[arm], "std_error": error[0], "degrees_of_freedom": error[1],
                         "tested": question.tested, "few": few(matrix, [arm]), **question.columns})  # fmt: skip
        for arm, name in enumerate(matrix.arms):
            if base is None or arm == base:
                continue
            error = model.error([arm, base], [1.0, -1.0], question.combination, correction)
            rows.append({"measure": question.difference, "group": "", "contrast": f"{name} - {matrix.arms[base]}",
                         "n": round(people[arm] + people[base]), "events": round(events[arm] + events[base]),
                         "estimate": value[arm] - value[base], "std_error": error[0], "degrees_of_freedom": error[1],
                         "tested": True, "few": few(matrix, [arm, base]), **question.columns})  # fmt: skip
    return with_limits(pd.DataFrame(rows), correction)


def with_limits(table: pd.DataFrame, correction: Correction) -> pd.DataFrame:
    """Rows of least squares with their 95 % limits, p and method; ``tested`` and ``few`` say by row what to do, and go."""
    estimate, error = table["estimate"].to_numpy(dtype=float), table["std_error"].to_numpy(dtype=float)
    degrees, small = table["degrees_of_freedom"].to_numpy(dtype=float), table["few"].to_numpy(dtype=bool)
    error = np.where(np.isfinite(estimate), np.where(error < CRUMB, 0.0, error), np.nan)
    low, high = limits(estimate, error, "plain", t_quantile(degrees))
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = t_p(np.where(error > 0, estimate / error, np.nan), degrees)
    said = np.select(
        [~np.isfinite(estimate), ~np.isfinite(error) & small, ~np.isfinite(error), error == 0, small],
        ["too few months or people observed", ONE_DECIDES, "no error: too few people",
         "the residuals are all zero: no error, no p", "least squares, CR2 errors, t"],
        f"least squares, {correction} errors",
    )  # fmt: skip
    table = table.assign(
        std_error=error, conf_low=low, conf_high=high, p_value=np.where(table["tested"], p_value, np.nan), method=said
    )
    return table.drop(columns=["tested", "few", *([] if small.any() else ["degrees_of_freedom"])])


class Joint(NamedTuple):
    """A test of several combinations at once."""

    statistic: float
    numerator: float
    denominator: float
    p_value: float


def joint_test(model: ArmModel, combinations: Floats, base: int, correction: Correction) -> Joint:
    """Whether all combinations are the same in every arm as in the reference: Wald's test with Hotelling's F.

    The variance is estimated from so many people that only their number less
    that of the arms is free; Hotelling's F takes that into account, where a
    chi-square would find too much. Combinations that do not vary apart from
    the others are counted once. Empty where clusters are few, or where too
    few people are left for the number of combinations.

    Parameters
    ----------
    model : ArmModel
    combinations : array
        One row a combination of the coefficients.
    base : int
        Position of the reference arm.
    correction : {"CR1", "CR0"}
    """
    matrix, empty = model.matrix, float("nan")
    arms = list(range(len(matrix.arms)))
    others = [arm for arm in arms if arm != base]
    gaps = [model.estimate(arm, c) - model.estimate(base, c) for arm in others for c in combinations]
    units = matrix.units(model.present)
    if few(matrix, arms) or not len(gaps) or not np.isfinite(gaps).all():
        return Joint(empty, empty, empty, empty)
    rows = np.column_stack([model.influence([arm, base], [1.0, -1.0], c) for arm in others for c in combinations])
    sums, count = matrix.unit_sums(rows)
    variance = (sums.T * count) @ sums * model.factor(arms, correction)
    if not np.isfinite(variance).all():
        return Joint(empty, empty, empty, empty)
    values, vectors = np.linalg.eigh(variance)
    there = values > FLAT * max(float(values.max(initial=0.0)), CRUMB**2)
    free = units - len(arms)
    number, rest = float(there.sum()), free - float(there.sum()) + 1
    if not number or rest < 1:
        return Joint(empty, number, empty, empty)
    wald = float(((vectors[:, there].T @ np.array(gaps)) ** 2 / values[there]).sum())
    statistic = wald * rest / (free * number)
    return Joint(statistic, number, rest, float(special.fdtrc(number, rest, statistic)))


def said_of_errors(matrix: MonthsMatrix, table: pd.DataFrame, correction: Correction, cluster: str | None) -> str:
    """Errors and limits in words, for the method of an answer."""
    units = "people" if matrix.cluster is None else str(cluster)
    said = table.loc[table["measure"] != "joint_test", "method"]
    small = bool(said.str.contains("CR2").any())
    every = small and not said.str.contains("CR1|CR0").any()
    how = "CR2" if every else f"{correction} (CR2 and t where clusters are few)" if small else correction
    return f"{how} errors over {units}; two-sided 95 %, {'t' if every else 'normal'}"
