"""Months in work: what the employment curves add up to."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.curves import CRUMB, curves, size
from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.few_clusters import ONE_DECIDES, arms_of_rows, few, note, small_error
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.limits import limits, t_p, t_quantile
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["Missing", "Totals", "dead_as_no", "months_in_work", "rule_of", "stretch", "table_of", "totals"]

Floats = NDArray[np.float64]
Missing = Literal["available", "exclude", "refuse"]

REFERENCES = (
    "Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio for the design and analysis of "
    "randomized trials with a time-to-event outcome. BMC Med Res Methodol 2013;13:152. doi:10.1186/1471-2288-13-152",
    "Welch BL. The generalization of 'Student's' problem when several different population variances are involved. "
    "Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28",
)
_RULES = {
    "available": "a month that was not observed is left out of that month's rate, and the rates are added up",
    "exclude": "people with a month that was not observed are left out",
    "refuse": "every month was observed",
}


def rule_of(matrix: MonthsMatrix, missing: Missing) -> str:
    """What becomes of months that are not known, in words."""
    rule = _RULES[missing]
    return rule.replace("observed", "known").replace("rate", "mean") if matrix.numbers else rule


def dead_as_no(matrix: MonthsMatrix) -> MonthsMatrix:
    """Months after death counted as observed and not in work: a sum over months goes on where a rate stops."""
    return replace(matrix, observed=np.where(matrix.dead, 1.0, matrix.observed), dead=np.zeros_like(matrix.dead))


def stretch(matrix: MonthsMatrix, start: int, end: int | None) -> MonthsMatrix:
    """The months from start to end, both counted; every month between them must be there.

    Raises
    ------
    UnsupportedError
        Where the data lacks one of the months.
    """
    end = int(matrix.months.max()) if end is None else end
    lacking = sorted(set(range(start, end + 1)) - set(matrix.months.tolist()))
    if lacking or end < start:
        raise UnsupportedError(
            f"months {start} to {end} are asked for; the data has no month {', '.join(map(str, lacking)) or end}"
        )
    return months_matrix(replace(matrix), matrix.outcome, at=range(start, end + 1), numbers=matrix.numbers)


class Totals:
    """Mean months in work (or mean sum of a number over months) by arm, with the influence of each row.

    Attributes
    ----------
    matrix : MonthsMatrix
        The rows that are used: after death 0, incomplete people left out where the rule says so.
    n, mean : array by arm
    influence : array, rows x 1
    """

    def __init__(self, matrix: MonthsMatrix, missing: Missing) -> None:
        self.gaps, self.notes = dead_as_no(matrix), list(matrix.notes)
        self.matrix = self.gaps
        unseen = self.gaps.observed == 0
        people = float(self.gaps.count[unseen.any(axis=1)].sum())
        months = float((self.gaps.count[:, None] * unseen).sum())
        if people:
            said = f"{round(months)} person-months of {round(people)} people were not {'known' if matrix.numbers else 'observed'}"
            if missing == "refuse":
                raise UnsupportedError(f"{said}: say what to do with them, missing='available' or missing='exclude'")
            self.notes.append(f"{said}; {rule_of(matrix, missing)}")
            if missing == "exclude":
                self.matrix = self.gaps.where(~unseen.any(axis=1))
        found = curves(self.matrix)
        self.mean: Floats = found.rate.sum(axis=1)
        self.influence: Floats = found.influence.sum(axis=1, keepdims=True)
        self.present = self.matrix.observed.max(axis=1, keepdims=True, initial=0.0)
        self.n: Floats = self.matrix.in_arms(self.matrix.count * self.present[:, 0])

    def error(self, arm: int, other: int | None = None) -> tuple[float, float]:
        """Standard error of an arm's mean, or of what it has more than another, and degrees of freedom where clusters are few.

        People alone: each arm's variance with n - 1, as a t-test for unequal
        variances has it. Clusters: as `vcovCL` of R's sandwich. Few clusters:
        CR2 of the linear model with a coefficient for every arm and month,
        whose sum over months the mean is; where every month was observed it
        is the linear model of each person's total.
        """
        return self.error_of({arm: 1.0} if other is None else {arm: 1.0, other: -1.0})

    def ratio_error(self, arm: int, other: int) -> tuple[float, float]:
        """Of the logarithm of an arm's mean over another's, by the delta method; empty where a mean is not above zero."""
        if not (self.mean[arm] > 0 and self.mean[other] > 0):
            return float("nan"), float("nan")
        return self.error_of({arm: 1.0 / float(self.mean[arm]), other: -1.0 / float(self.mean[other])})

    def error_of(self, parts: dict[int, float]) -> tuple[float, float]:
        """Of the means of some arms, each multiplied by a number and added up."""
        sides = list(parts)
        if not few(self.gaps, sides):
            return self._plain_error(parts), float("nan")
        if not np.isfinite(self.mean[sides]).all():
            return float("nan"), float("nan")
        months = len(self.matrix.months)
        return small_error(self.matrix, sides, list(parts.values()), np.eye(months), np.ones(months))

    def _plain_error(self, parts: dict[int, float]) -> float:
        sides = list(parts)
        inside = np.isin(self.matrix.arm, sides)[:, None]
        if not np.isfinite(self.mean[sides]).all():
            return float("nan")
        if self.matrix.cluster is not None:
            factor = np.zeros(len(self.matrix.arms))
            factor[sides] = list(parts.values())
            signed = self.influence * factor[self.matrix.arm][:, None]
            return float(size(self.matrix, signed, self.present * inside, len(sides))[0])
        variance = 0.0
        for side, factor_of in parts.items():
            own, n = self.matrix.arm == side, float(self.n[side])
            sum_of_squares = float(self.matrix.count[own] @ self.influence[own, 0] ** 2)
            variance += factor_of**2 * sum_of_squares * n / (n - 1) if n > 1 else float("nan")
        return float(np.sqrt(variance))


def totals(matrix: MonthsMatrix, missing: Missing) -> Totals:
    """Mean months in work of each arm of a matrix; see `months_in_work`."""
    if missing not in _RULES:
        raise UnsupportedError("missing is available, exclude or refuse")
    return Totals(matrix, missing)


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def months_in_work(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, start: int = 1, end: int | None = None,
    missing: Missing = "available", *, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", dead: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Mean number of months in work, and the difference between arms: the area between the employment curves.

    Months after death count as 0, so that a person who dies early has few
    months and is not forgotten.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        One row a person and month; see `months_matrix`.
    outcome : str
        True/false column; missing means not observed.
    arm : str or None
        Column of the arm; None for everybody.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    start, end : int
        First and last month counted; 1 and the last of the data.
    missing : {"available", "exclude", "refuse"}
        Months not observed for another reason than death are never 0.
        ``"available"`` (default): the mean is the sum of each month's rate
        among those observed, so it is the area under the curve that
        `employment_curves` shows (dead as 0), nobody who was seen in part is
        thrown away, and it is right where being observed in a month has
        nothing to do with work in that month within an arm. ``"exclude"``:
        only people observed throughout. ``"refuse"``: raise.
    cluster : str, optional
        Column; robust errors over clusters; under 30 clusters of an
        arm or contrast CR2 with limits and p from t.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    dead : str, optional
        True/false column of a DataFrame: the person had died. A FollowUp knows.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``months_in_work`` (a row a group; ``n`` people) and
        ``months_in_work_difference`` (a row a contrast), in months. Limits are
        normal; ``time`` is the last month. Few clusters: limits of t, and
        ``degrees_of_freedom`` (Satterthwaite's).

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, and, with
        ``missing="refuse"``, for months that were not observed.

    References
    ----------
    Royston P, Parmar MKB. BMC Med Res Methodol 2013;13:152 (means up to a
    horizon as areas under curves). Welch BL. Biometrika 1947;34:28-35.
    Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683 (few clusters).

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4] * 2, "month": [1] * 4 + [2] * 4, "arm": ["a", "a", "b", "b"] * 2,
    ...                      "works": [0, 1, 0, 0, 1, 1, 0, 1]})
    >>> months_in_work(rows, "works", reference="b").table[["measure", "estimate"]].values.tolist()
    [['months_in_work', 1.5], ['months_in_work', 0.5], ['months_in_work_difference', 1.0]]
    """
    matrix = months_matrix(data, outcome, arm, month=month, person_id=person_id, cluster=cluster, weights=weights,
                           weight_type=weight_type, dead=dead)  # fmt: skip
    base = reference_of(data, matrix, reference)
    matrix = stretch(matrix, start, end)
    found = totals(matrix, missing)
    table, references, notes = table_of(found, base, missing, "months_in_work", "months_in_work_difference")
    method = f"Mean months with {outcome} over months {matrix.months[0]} to {matrix.months[-1]}, 0 after death; {_RULES[missing]}"
    table = table.assign(outcome=outcome)
    return Estimates(tidy(table), f"Months with {outcome}", method, references, "forest", (*found.notes, *notes))


def table_of(
    found: Totals, base: int | None, missing: Missing, mean: str, difference: str, ratio: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:  # fmt: skip
    """Rows of the means, of what the arms differ by and of their ratios under these names; references; notes."""
    matrix = found.gaps
    others = [] if base is None else [place for place in range(len(matrix.arms)) if place != base]
    rows = [
        {"measure": mean, "group": name, "contrast": "", "n": round(float(found.n[place])), "estimate": found.mean[place],
         "errors": found.error(place)}
        for place, name in enumerate(matrix.arms)
    ]  # fmt: skip
    for measure in (difference, ratio) if ratio else (difference,):
        for place in others:
            assert base is not None
            row = {"measure": measure, "group": "", "contrast": f"{matrix.arms[place]} - {matrix.arms[base]}",
                   "n": round(float(found.n[place] + found.n[base]))}  # fmt: skip
            if measure == ratio:
                errors = found.ratio_error(place, base)
                # a ratio that has no logarithm stands where it is a number, without an interval
                over = float(found.mean[base])
                row |= {"estimate": found.mean[place] / over if over > 0 else np.nan, "errors": errors}
            else:
                row |= {"estimate": found.mean[place] - found.mean[base], "errors": found.error(place, base)}
            rows.append(row)
    error, degrees = np.array([row.pop("errors") for row in rows]).T
    table = pd.DataFrame(rows)
    estimate, who = table["estimate"].to_numpy(dtype=float), arms_of_rows(matrix, base)
    small = (table["group"] + table["contrast"]).map({name: few(matrix, arms) for name, arms in who.items()}).to_numpy(dtype=bool)
    if matrix.numbers:
        # where everybody has the same, a crumb of arithmetic is no spread
        largest = float(np.abs(matrix.value).sum(axis=1).max(initial=0.0))
        error[error <= CRUMB * np.where(table["measure"] == ratio, 1.0, largest)] = 0.0
    low, high = limits(estimate, error, "plain", t_quantile(degrees))
    logs = (table["measure"] == ratio).to_numpy(dtype=bool) if ratio else np.zeros(len(table), dtype=bool)
    apart = estimate.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        # the error of a ratio is that of its logarithm
        low[logs], high[logs] = limits(estimate[logs], (error * estimate)[logs], "log", t_quantile(degrees)[logs])
        apart[logs] = np.log(estimate[logs])
        p_value = t_p(np.where((table["contrast"] != "") & (error > 0), apart / error, np.nan), degrees)
    kind = "Welch" if matrix.cluster is None else "clusters"
    said = np.where(small, f"clusters, CR2 and t; {missing}", f"{kind}; {missing}")
    said = np.where(np.isfinite(error), said, np.where(small, ONE_DECIDES, "no error: one person or cluster"))
    said = np.where(np.isfinite(estimate), said, "nobody observed in some month")
    if ratio:
        # by row: whether the two means have a ratio with a logarithm
        sides = [[float(found.mean[arm]) for arm in who[group + contrast]] for group, contrast in
                 zip(table["group"], table["contrast"], strict=True)]  # fmt: skip
        lacking = np.array([min(side) <= 0 and np.isfinite(side).all() for side in sides]) & logs
        said = np.where(lacking, "no ratio: a mean is not above zero", said)
    if small.any():
        table = table.assign(degrees_of_freedom=degrees)
    table = table.assign(std_error=error, time=int(matrix.months[-1]), conf_low=low, conf_high=high,
                         p_value=p_value, method=said)  # fmt: skip
    return table, (*REFERENCES, *CR2_REFERENCES) if small.any() else REFERENCES, note(matrix, who, degrees)
