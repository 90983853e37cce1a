"""Slopes before and after a knot, such as the programme's end: did the rise go on, and at what speed."""

from __future__ import annotations

import numpy as np

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.few_clusters import arms_of_rows, note
from ips_outcomes.analysis.month_models import ArmModel, Asked, Correction, answered, said_of_errors
from ips_outcomes.analysis.person_months import MonthsData, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.trend import REFERENCES as SLOPE_REFERENCES
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["piecewise_trends"]

REFERENCES = (
    "Wagner AK, Soumerai SB, Zhang F, Ross-Degnan D. Segmented regression analysis of interrupted time series studies in "
    "medication use research. J Clin Pharm Ther 2002;27:299-309. doi:10.1046/j.1365-2710.2002.00430.x",
    *SLOPE_REFERENCES,
)


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def piecewise_trends(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, knot: int = 18, start: int = 1,
    end: int = 43, cluster: str | None = "person_id", *, correction: Correction = "CR1", weights: str | None = None,
    weight_type: WeightType = "frequency", month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """How fast an outcome rises before and after a knot, by arm, and what the arms differ by.

    A line that bends once and does not jump (a linear spline with one knot) is
    fitted to the person-months of each arm by least squares. Its slopes are in
    proportion per 12 months.

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
    knot : int
        Month in which the line may bend, such as the programme's last.
    start, end : int
        First and last month, both counted.
    cluster : str
        Person by default. Under 30 clusters of an arm or contrast: CR2 errors
        with limits and p from t.
    correction : {"CR1", "CR0"}
        As in `trends`; k is 3 coefficients an arm.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``slope_before``, ``slope_after``, ``slope_change`` (after less
        before) and ``level`` (proportion at the knot, as fitted), each with
        ``_difference`` between arms; columns ``start``, ``end`` and ``knot``.
        ``n`` is people observed in those months, ``events`` those who had the
        outcome in one of them. Normal 95 % limits and p; few clusters: of t,
        and ``degrees_of_freedom``.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, and a knot that is not
        between start and end.

    References
    ----------
    Wagner AK et al. J Clin Pharm Ther 2002;27:299-309 (the model). Zeileis A,
    Koll S, Graham N. J Stat Softw 2020;95:1-36 (errors). Pustejovsky JE,
    Tipton E. J Bus Econ Stat 2018;36:672-683 (few clusters).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"person_id": [1, 2] * 5, "month": np.repeat([1, 2, 3, 4, 5], 2),
    ...                      "works": [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]})
    >>> table = piecewise_trends(rows, "works", arm=None, start=1, knot=3, end=5).table
    >>> [[m, round(e, 6)] for m, e in table[["measure", "estimate"]].values.tolist()]
    [['slope_before', 6.0], ['slope_after', 0.0], ['slope_change', -6.0], ['level', 1.0]]
    """
    if correction not in ("CR1", "CR0"):
        raise UnsupportedError("correction is CR1 or CR0")
    if not start < knot < end:
        raise UnsupportedError(f"the knot ({knot}) must lie between the start ({start}) and the end ({end})")
    matrix = months_matrix(data, outcome, arm, month=month, person_id=person_id, weights=weights, weight_type=weight_type,
                           cluster=person_id if cluster in (None, "person_id", person_id) else cluster)  # fmt: skip
    base = reference_of(data, matrix, reference)
    lacking = [m for m in (start, knot, end) if m not in set(matrix.months.tolist())]
    if lacking:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, lacking))}")
    matrix = months_matrix(matrix, outcome, at=[m for m in matrix.months.tolist() if start <= m <= end])
    time = (matrix.months - knot) / 12
    model = ArmModel(matrix, np.column_stack([np.ones(len(time)), time, np.maximum(time, 0.0)]))
    columns = {"start": start, "end": end, "knot": knot}
    before, after = matrix.months <= knot, matrix.months >= knot
    table = answered(model, [
        Asked("slope_before", "slope_before_difference", np.array([0.0, 1.0, 0.0]), before, columns),
        Asked("slope_after", "slope_after_difference", np.array([0.0, 1.0, 1.0]), after, columns),
        Asked("slope_change", "slope_change_difference", np.array([0.0, 0.0, 1.0]), before | after, columns),
        Asked("level", "level_difference", np.array([1.0, 0.0, 0.0]), before | after, columns, tested=False),
    ], base, correction).assign(outcome=outcome)  # fmt: skip
    small = "degrees_of_freedom" in table
    notes = note(matrix, arms_of_rows(matrix, base), table["degrees_of_freedom"].to_numpy(dtype=float)) if small else ()
    method = (
        f"Least squares of {outcome} on the month, {start} to {end}, with a knot at month {knot}, within arm, slopes per 12 months; "
        f"{said_of_errors(matrix, table, correction, cluster)}"
    )
    return Estimates(tidy(table), f"Trend of {outcome} before and after month {knot}", method,
                     (*REFERENCES, *CR2_REFERENCES) if small else REFERENCES, "forest", (*matrix.notes, *notes))  # fmt: skip
