"""Sums over months: pay, hours, or months in work, added up by person and compared between arms."""

from __future__ import annotations

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.person_months import MonthsData, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.work_totals import Missing, rule_of, stretch, table_of, totals
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["work_sums"]


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def work_sums(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, start: int = 1, end: int | None = None,
    missing: Missing = "available", *, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", dead: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Mean sum of pay, hours or months in work over a stretch of months, by arm; the difference and the ratio of the means.

    Months after death count as 0; other months that are not known never do.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        One row a person and month; see `months_matrix`.
    outcome : str
        A number: of a FollowUp ``"pay_nok"``, ``"pay_g"`` or
        ``"weekly_hours"``; or a true/false column such as a definition of
        employed, whose answers are those of `months_in_work`. Missing means
        not known.
    arm : str or None
        Column of the arm; None for everybody.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    start, end : int
        First and last month counted; 1 and the last of the data.
    missing : {"available", "exclude", "refuse"}
        ``"available"`` (default): each month's mean among those of whom it is
        known, added up; right where being known has nothing to do with the
        amount within an arm and month. ``"exclude"``: only people of whom
        every month is known. ``"refuse"``: raise.
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
        Measures ``mean_sum`` (a row a group; ``n`` people),
        ``mean_difference`` and ``mean_ratio`` (a row a contrast); ``time`` is
        the last month. A sum of ``pay_nok`` is in kroner, one of ``pay_g`` in
        twelfths of G (twelve are one G), one of ``weekly_hours`` in hours a
        week times months (divided by the number of months: mean weekly
        hours). Errors are Welch's, as of a t-test for unequal variances;
        limits are normal. ``std_error`` of a ratio is that of its logarithm,
        by the delta method. A ratio needs means above zero: otherwise its
        interval is empty, and ``method`` says why. Few clusters: limits of t,
        and ``degrees_of_freedom`` (Satterthwaite's).

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, values that are no finite
        numbers, and, with ``missing="refuse"``, for months that are not known.

    References
    ----------
    Welch BL. Biometrika 1947;34:28-35. Royston P, Parmar MKB. BMC Med Res
    Methodol 2013;13:152 (means over a stretch of time as sums by month).
    Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683 (few clusters).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4] * 2, "month": [1] * 4 + [2] * 4, "arm": ["a", "a", "b", "b"] * 2,
    ...                      "pay_nok": [0, 9000, 0, 3000, 4000, 9000, 0, 8000.0]})
    >>> work_sums(rows, "pay_nok", reference="b").table[["measure", "estimate"]].values.tolist()
    [['mean_sum', 11000.0], ['mean_sum', 5500.0], ['mean_difference', 5500.0], ['mean_ratio', 2.0]]
    """
    matrix = months_matrix(data, outcome, arm, month=month, person_id=person_id, cluster=cluster, weights=weights,
                           weight_type=weight_type, dead=dead, numbers=True)  # fmt: skip
    base = reference_of(data, matrix, reference)
    matrix = stretch(matrix, start, end)
    found = totals(matrix, missing)
    table, references, notes = table_of(found, base, missing, "mean_sum", "mean_difference", "mean_ratio")
    over = f"months {matrix.months[0]} to {matrix.months[-1]}"
    method = f"Mean sum of {outcome} over {over}, 0 after death; {rule_of(matrix, missing)}"
    return Estimates(
        tidy(table.assign(outcome=outcome)), f"Sum of {outcome} over {over}", method, references, "forest", (*found.notes, *notes)
    )
