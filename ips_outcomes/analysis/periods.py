"""Rates of arms adjusted for a break in calendar time, such as a register that another took over from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.few_clusters import arms_of_rows, note
from ips_outcomes.analysis.inputs import Data, months_table
from ips_outcomes.analysis.month_models import ArmModel, Asked, Correction, answered, said_of_errors
from ips_outcomes.analysis.person_months import MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.trend import REFERENCES
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["period_adjusted_rates"]

Floats = NDArray[np.float64]

#: January 2015, when a-ordningen replaced the Aa-register.
SINCE = 201501
#: Name of the column that is made here; a person's clock starts in one calendar month.
_OWN = "calendar month of month 0"


def _with_start(table: pd.DataFrame, calendar: str, month: str) -> pd.DataFrame:
    """The calendar month of month 0, which is the same in all of a person's rows."""
    found = pd.to_numeric(table[calendar], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    year, own = np.floor(found / 100), found % 100
    bad = int((~np.isfinite(found) | (found < 190001) | (own < 1) | (own > 12) | (own != np.floor(own))).sum())
    if bad:
        raise UnsupportedError(
            f"{bad} values of {calendar} are no calendar months: write year and month as one number, such as 201501"
        )
    months = pd.to_numeric(table[month], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(months).all():
        raise UnsupportedError(f"{int((~np.isfinite(months)).sum())} months are missing or not whole")
    start = year * 12 + own - 1 - months
    return table.assign(**{_OWN: [f"{int(s):08d}" for s in start.tolist()]})


def _by_period(matrix: MonthsMatrix, since: int) -> MonthsMatrix:
    """Every month twice: before the break, then since; a person is observed in one of the two."""
    start = np.array([int(name) for name in matrix.strata], dtype=np.int64)[matrix.stratum]
    after = np.asarray(start[:, None] + matrix.months >= (since // 100) * 12 + since % 100 - 1)
    parts = [np.concatenate([cells * ~after, cells * after], axis=1) for cells in (matrix.value, matrix.observed)]
    return replace(matrix, months=np.tile(matrix.months, 2), value=parts[0], observed=parts[1],
                   dead=np.concatenate([matrix.dead & ~after, matrix.dead & after], axis=1))  # fmt: skip


def _wanted(at: int | Sequence[int] | None, months: NDArray[np.int64]) -> list[int]:
    chosen = months.tolist() if at is None else [at] if isinstance(at, int) else list(dict.fromkeys(at))
    lacking = [m for m in chosen if m not in set(months.tolist())]
    if lacking:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, lacking))}")
    return chosen


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def period_adjusted_rates(
    data: Data, outcome: str, arm: str | None = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    since: int = SINCE, cluster: str | None = "person_id", *, within: tuple[int, int] | None = None, calendar: str = "calendar_month",
    correction: Correction = "CR1", weights: str | None = None, weight_type: WeightType = "frequency", month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Rates by month as if all had been counted since a break in calendar time, and what the arms then differ by.

    A level for each month of follow-up and one shift at the break, both with
    values of their own in each arm, fitted by least squares to the
    person-months of the arm. People included at different dates stand in the
    same month of follow-up on different sides of the break: that tells the
    shift. The adjusted rate of a month is its level with the shift added in
    full. It leans on a shift that is the same in all months.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    outcome : str
        True/false column; missing means not observed.
    arm : str or None
        Column of the arm; None for everybody.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months whose rates are told; all of them by default.
    since : int
        First calendar month after the break, as year and month; January 2015
        by default.
    cluster : str
        Person by default. Under 30 clusters of an arm or contrast: CR2 errors
        with limits and p from t.
    within : (int, int), optional
        First and last month of follow-up that the model sees: those of a
        FollowUp from 1 on, and all that a DataFrame has, by default.
    calendar : str
        Column of the calendar month, such as 201501.
    correction : {"CR1", "CR0"}
        As in `trends`; k is the months and the shift of every arm.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``shift`` (rate since the break less before, in the same month
        of follow-up), ``shift_difference``; ``rate`` and ``risk_difference``
        by month; ``mean_rate`` and ``mean_difference`` over all months (those
        of ``within``). Where nobody of an arm is on the other side of the
        break in the same month, the shift is not known and neither are the
        rates that lean on it: their ``method`` says so. ``n`` is people
        observed, ``events`` those with the outcome.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference; calendar months that are none,
        or that do not go with the months of follow-up.

    References
    ----------
    Liang KY, Zeger SL. Biometrika 1986;73:13-22. Zeileis A, Koll S, Graham N.
    J Stat Softw 2020;95:1-36 (errors). Pustejovsky JE, Tipton E. J Bus Econ
    Stat 2018;36:672-683 (few clusters).

    Examples
    --------
    Half were included a year later; the new register sees one of four jobs less.

    >>> rows = pd.DataFrame({"person_id": range(8), "month": 1, "calendar_month": [201406] * 4 + [201506] * 4,
    ...                      "works": [1, 1, 1, 0, 1, 1, 0, 0]})
    >>> table = period_adjusted_rates(rows, "works", arm=None).table
    >>> [[m, round(e, 6)] for m, e in table[["measure", "estimate"]].values.tolist()]
    [['shift', -0.25], ['rate', 0.5], ['mean_rate', 0.5]]
    """
    if correction not in ("CR1", "CR0"):
        raise UnsupportedError("correction is CR1 or CR0")
    if since % 100 not in range(1, 13):
        raise UnsupportedError("since is a calendar month, year and month as one number, such as 201501")
    alone = cluster in (None, "person_id", person_id)
    columns = [person_id, outcome, calendar, *(c for c in (arm, weights, None if alone else cluster) if c)]
    table, column = months_table(data, list(dict.fromkeys(columns)), None, month)
    if column is None:
        raise UnsupportedError("rates by period need a month column; name it with month=")
    if within is not None:
        table = table[table[column].between(*within)]
    elif not isinstance(data, pd.DataFrame):
        table = table[table[column] >= 1]
    if not len(table):
        raise UnsupportedError("there are no rows to count")
    table = _with_start(table, calendar, column)
    matrix = months_matrix(table, outcome, arm, month=column, person_id=person_id, strata=_OWN, weights=weights,
                           weight_type=weight_type, cluster=person_id if alone else cluster)  # fmt: skip
    base, months = reference_of(data, matrix, reference), matrix.months
    chosen = _wanted(at, months)
    split = _by_period(matrix, since)
    after = np.r_[np.zeros(len(months), dtype=bool), np.ones(len(months), dtype=bool)]
    levels = np.tile(np.eye(len(months)), (2, 1))
    model = ArmModel(split, np.column_stack([levels, after.astype(float)]))
    shift = np.r_[np.zeros(len(months)), 1.0]
    seen = np.asarray(split.observed.any(axis=0))
    both = np.tile(seen[: len(months)] & seen[len(months) :], 2)
    span = {"start": int(months[0]), "end": int(months[-1])}
    asked = [Asked("shift", "shift_difference", shift, both, {"month": np.nan, **span})]
    for m in chosen:
        now = months == m
        asked.append(
            Asked("rate", "risk_difference", np.r_[now.astype(float), 1.0], np.tile(now, 2), {"month": m, **span}, tested=False)
        )
    mean = np.r_[np.full(len(months), 1 / len(months)), 1.0]
    asked.append(
        Asked("mean_rate", "mean_difference", mean, np.ones(len(after), dtype=bool), {"month": np.nan, **span}, tested=False)
    )
    found = answered(model, asked, base, correction).assign(outcome=outcome)
    found["method"] = found["method"].replace(
        "too few months or people observed", "not known: no month of follow-up has people on both sides of the break"
    )
    small = "degrees_of_freedom" in found
    notes = note(split, arms_of_rows(split, base), found["degrees_of_freedom"].to_numpy(dtype=float)) if small else ()
    method = (
        f"Least squares of {outcome} on the month of follow-up ({span['start']} to {span['end']}) and on the period since "
        f"{since // 100}-{since % 100:02d}, within arm; rates as if all were counted since then; "
        f"{said_of_errors(split, found, correction, cluster)}"
    )
    return Estimates(tidy(found), f"{outcome}, adjusted for the break of {since // 100}-{since % 100:02d}", method,
                     (*REFERENCES, *CR2_REFERENCES) if small else REFERENCES, "forest", (*matrix.notes, *notes))  # fmt: skip
