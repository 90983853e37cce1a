"""A placebo check: before anybody was included, the arms' curves should not differ."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.few_clusters import arms_of_rows, note
from ips_outcomes.analysis.inputs import months_table
from ips_outcomes.analysis.month_models import ArmModel, Asked, Correction, answered, joint_test, said_of_errors
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under

__all__ = ["history_check"]

REFERENCES = (
    "Hotelling H. The generalization of Student's ratio. Ann Math Stat 1931;2:360-378. doi:10.1214/aoms/1177732979",
    "Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika 1986;73:13-22. "
    "doi:10.1093/biomet/73.1.13",
)


def _start(data: MonthsData, outcome: str, month: str | None, start: int | None, end: int) -> int:
    """The first month of history, where nobody names it."""
    if start is not None:
        return start
    if isinstance(data, MonthsMatrix):
        months = data.months
    elif isinstance(data, pd.DataFrame):
        table, column = months_table(data, [outcome], None, month)
        if column is None:
            raise UnsupportedError("history needs a month column; name it with month=")
        months = table[column].to_numpy()
    else:
        return -data.study.follow_up.history
    return int(months.min()) if len(months) else end


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def history_check(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, start: int | None = None, end: int = -1,
    block: int = 3, cluster: str | None = "person_id", *, correction: Correction = "CR1", weights: str | None = None,
    weight_type: WeightType = "frequency", month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Whether the arms were alike before month 0: mean difference over the history, and one joint test of its shape.

    Nothing that the arms got can have worked before they were formed. A
    difference here is chance (a trial) or selection (a comparison), and says
    how far the arms may be trusted to be alike.

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
        First and last month, both counted: all months below 0 by default.
    block : int
        Months that the joint test takes together. Neighbouring months say
        nearly the same; 3 keeps a curve's shape and leaves the test degrees of
        freedom.
    cluster : str
        Person by default. Under 30 clusters: CR2 errors with limits and p
        from t, and no joint test.
    correction : {"CR1", "CR0"}
        As in `trends`.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``mean`` (share of observed person-months with the outcome, by
        arm), ``mean_difference`` (by contrast) and ``joint_test`` (all blocks
        and contrasts at once: ``statistic`` is F with ``degrees_of_freedom``
        and ``denominator``, p in ``p_value``); columns ``start`` and ``end``.
        ``n`` is people, ``events`` those with the outcome in one of the months.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, and no months before ``end``.

    References
    ----------
    Hotelling H. Ann Math Stat 1931;2:360-378 (the joint test). Liang KY,
    Zeger SL. Biometrika 1986;73:13-22 (errors over people).

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": range(8), "arm": ["ips", "control"] * 4, "works": [0, 1, 1, 0, 0, 0, 1, 0]})
    >>> rows = pd.concat([rows.assign(month=-2), rows.assign(month=-1)])
    >>> table = history_check(rows, "works", reference="control").table
    >>> table[["measure", "estimate", "p_value"]].round(3).values.tolist()
    [['mean', 0.25, nan], ['mean', 0.5, nan], ['mean_difference', 0.25, 0.495], ['joint_test', nan, 0.52]]
    """
    if correction not in ("CR1", "CR0"):
        raise UnsupportedError("correction is CR1 or CR0")
    if block < 1:
        raise UnsupportedError("a block has one month or more")
    start = _start(data, outcome, month, start, end)
    if start > end:
        raise UnsupportedError(f"there are no months of history: the first month is {start} and the last to look at {end}")
    # a FollowUp has its history only where it is asked for by month
    wanted = None if isinstance(data, (pd.DataFrame, MonthsMatrix)) else list(range(start, end + 1))
    matrix = months_matrix(data, outcome, arm, wanted, month=month, person_id=person_id, weights=weights, weight_type=weight_type,
                           cluster=person_id if cluster in (None, "person_id", person_id) else cluster)  # fmt: skip
    base = reference_of(data, matrix, reference)
    lacking = [m for m in dict.fromkeys((start, end)) if m not in set(matrix.months.tolist())]
    if lacking:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, lacking))}")
    matrix = months_matrix(matrix, outcome, at=[m for m in matrix.months.tolist() if start <= m <= end])
    every = np.ones(len(matrix.months), dtype=bool)
    columns = {"start": start, "end": end}
    level = ArmModel(matrix, np.ones((len(matrix.months), 1)))
    question = Asked("mean", "mean_difference", np.ones(1), every, columns, tested=False)
    table = answered(level, [question], base, correction)
    small, degrees = "degrees_of_freedom" in table, table.get("degrees_of_freedom", pd.Series(dtype=float)).to_numpy(dtype=float)
    notes = [*matrix.notes, *(note(matrix, arms_of_rows(matrix, base), degrees) if small else ())]
    if base is not None:
        # blocks end with the last month, so that a short one is the oldest
        number = (end - matrix.months) // block
        blocks = number.max() - number
        design = (blocks[:, None] == np.arange(blocks.max() + 1)).astype(float)
        seen = matrix.in_arms(matrix.count[:, None] * matrix.observed) @ design
        told = (seen > 0).all(axis=0)
        if not told.all():
            notes.append(
                f"{int((~told).sum())} of {len(told)} blocks of months left out of the joint test: an arm was not observed"
            )
        keep = (design[:, told] > 0).any(axis=1)
        late = months_matrix(matrix, outcome, at=matrix.months[keep].tolist()) if keep.any() else None
        joint = (
            None if late is None else joint_test(ArmModel(late, design[keep][:, told]), np.eye(int(told.sum())), base, correction)
        )
        found = joint is not None and np.isfinite(joint.p_value)
        units = matrix.units(level.present)
        table = under([table, pd.DataFrame([{
            "measure": "joint_test", "n": round(float(matrix.count[level.present].sum())),
            "statistic": joint.statistic if joint else np.nan, "degrees_of_freedom": joint.numerator if joint else np.nan,
            "denominator": joint.denominator if joint else np.nan, "p_value": joint.p_value if joint else np.nan, **columns,
            "method": f"Hotelling's F over blocks of {block} months, {correction} variance" if found
            else f"no joint test: {units:.0f} people or clusters are too few, or nothing varies",
        }])])  # fmt: skip
    method = (
        f"Share of person-months with {outcome}, months {start} to {end}, "
        f"{said_of_errors(matrix, table, correction, cluster)}; one test of the difference in all "
        f"blocks of {block} months (Hotelling's F)"
    )
    return Estimates(tidy(table.assign(outcome=outcome)), f"{outcome} before inclusion", method,
                     (*REFERENCES, *CR2_REFERENCES) if small else REFERENCES, "forest", tuple(notes))  # fmt: skip
