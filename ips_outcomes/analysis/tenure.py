"""What became of first jobs, among those who got one: for description, never for comparing arms.

Whoever gets a job in one arm need not be like whoever gets one in another: the
service itself decides who they are. So nothing here has a p-value or a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.survival import Competing, kaplan_meier, survival_quantiles
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.followup import FollowUp

__all__ = ["DESCRIPTIVE", "job_tenure", "re_entry", "tenure_quartiles"]

#: Said first in every method here.
DESCRIPTIVE = "Descriptive, among people who got a job; arms are not to be compared"


def _people(data: Data) -> pd.DataFrame:
    if not isinstance(data, FollowUp):
        return data
    if data.after_first_job.empty:
        raise UnsupportedError("nobody got a first job in these months")
    return data.after_first_job


@supports(frequency_weights=True, competing="refused, or censored on request")
def job_tenure(
    data: Data, time: str = "tenure", event: str = "ended", by: str | Sequence[str] | None = "arm", *, weights: str | None = None,
    competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Share of first jobs that still last, by months since they began: description of people who got a job.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (the first job of those at risk of one), or a row a job.
    time : str
        Whole months from the beginning to the last month of the job, or to the last month in which it was seen.
    event : str
        1 it ended; 0 it still lasted at the end of follow-up, or its end was not seen.
    by : str or list of str, optional
        Columns that make the groups.
    weights : str, optional
        Column with whole numbers.
    competing : {"refuse", "censor"}
        What codes from 2 get: an error, or the place of a censoring.

    Returns
    -------
    Estimates
        A row a group and month as `kaplan_meier` has it, measure
        "still_in_job": ``estimate`` is the share of jobs that last longer.

    Raises
    ------
    UnsupportedError
        As `kaplan_meier`; where nobody got a job.

    Notes
    -----
    A person who dies or moves abroad is censored in the last month of the job.
    A job that may go on after a gap (``job_gap_months`` of the study) is
    censored where the follow-up ends before that is known.

    References
    ----------
    Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.

    Examples
    --------
    >>> jobs = pd.DataFrame({"tenure": [1, 2, 2, 3, 4, 4], "ended": [1, 1, 0, 1, 1, 0]})
    >>> job_tenure(jobs, by=None).table["estimate"].round(4).tolist()
    [1.0, 0.8333, 0.6667, 0.4444, 0.2222]
    """
    found = kaplan_meier(_people(data), time, event, by=by, weights=weights, competing=competing)
    table = found.table.assign(measure="still_in_job", outcome="first_job")
    return replace(found, table=table, title="How long first jobs last", method=f"{DESCRIPTIVE}. {found.method}")


@supports(frequency_weights=True, competing="refused, or censored on request")
def tenure_quartiles(
    data: Data, time: str = "tenure", event: str = "ended", by: str | Sequence[str] | None = "arm", *, weights: str | None = None,
    competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Months after which a quarter, half and three quarters of first jobs have ended: description of people who got a job.

    Parameters
    ----------
    data, time, event, by, weights, competing
        As in `job_tenure`.

    Returns
    -------
    Estimates
        Rows as `survival_quantiles` has them, measure "tenure_quantile", with
        ``probability`` 0.25, 0.5 and 0.75; empty where too few have ended.

    Raises
    ------
    UnsupportedError
        As `job_tenure`.

    References
    ----------
    Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.

    Examples
    --------
    >>> jobs = pd.DataFrame({"tenure": [1, 2, 2, 3, 4, 4], "ended": [1, 1, 0, 1, 1, 0]})
    >>> tenure_quartiles(jobs, by=None).table["estimate"].tolist()
    [2.0, 3.0, 4.0]
    """
    found = survival_quantiles(
        _people(data), time, event, by=by, weights=weights, competing=competing, probability=(0.25, 0.5, 0.75)
    )
    table = found.table.assign(measure="tenure_quantile", outcome="first_job")
    return replace(found, table=table, title="Quartiles of first jobs", method=f"{DESCRIPTIVE}. {found.method}")


@supports(frequency_weights=True, competing="yes")
def re_entry(
    data: Data, at: int | Sequence[int] = (1, 3, 6, 12), time: str = "back_after", event: str = "back",
    by: str | Sequence[str] | None = "arm", *, weights: str | None = None,
) -> Estimates:  # fmt: skip
    """Share of people in work again within some months after the last month of their first job: description, death competing.

    Somebody who goes straight to another job, or has a second one, is back
    after one month.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp, or a row a person whose first job was seen to end.
    at : int or list of int
        Months after the last month of the job.
    time : str
        Whole months from then to the next month in work, to death, or to the last month that is known.
    event : str
        1 in work again, 2 died before, 0 not known any more.
    by : str or list of str, optional
        Columns that make the groups.
    weights : str, optional
        Column with whole numbers.

    Returns
    -------
    Estimates
        A row a group and month: ``n`` people whose first job ended, ``events`` (so
        many were seen in work again by then), ``at_risk`` (just before the month),
        ``estimate``. Measure "back_in_work". Empty where nobody is followed so long.

    Raises
    ------
    UnsupportedError
        As `cumulative_incidence`; where nobody's first job ended; for months below 0.

    References
    ----------
    Aalen OO, Johansen S. Scand J Stat 1978;5:141-150.

    Examples
    --------
    >>> people = pd.DataFrame({"back_after": [1, 2, 4, 6, 9], "back": [1, 1, 2, 1, 0]})
    >>> re_entry(people, at=[3, 6], by=None).table["estimate"].round(4).tolist()
    [0.4, 0.6]
    """
    people = _people(data)
    if isinstance(data, FollowUp):
        people = people[people["ended"] == 1].astype({time: "int64", event: "int64"})
        if people.empty:
            raise UnsupportedError("nobody's first job was seen to end")
    months = [int(m) for m in np.atleast_1d(np.asarray(at))]
    if not months or min(months) < 0:
        raise UnsupportedError("at= names months from 0")
    found = cumulative_incidence(people, time, event, by=by, weights=weights)
    rows = [_at(part, month) for _, part in found.table.groupby("group", sort=False) for month in months]
    table = pd.DataFrame(rows).assign(measure="back_in_work", outcome="first_job")
    return Estimates(tidy(table), "Back in work after the first job", f"{DESCRIPTIVE}. {found.method}", found.references, "forest",
                     found.notes)  # fmt: skip


def _at(curve: pd.DataFrame, month: int) -> dict[str, object]:
    """The curve at a month; past its end it stays only where nobody was left who could come back."""
    last = curve.iloc[-1]
    row = curve[curve["time"] <= month].iloc[-1].to_dict()
    row["events"] = curve.loc[curve["time"] <= month, "events"].sum()
    if month > last["time"]:
        left = float(last["at_risk"]) - float(last["events"]) - float(last["competing"]) - float(last["censored"])
        row["at_risk"] = left
        if float(last["censored"]) > 0:
            row |= dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high"), np.nan)
            row["method"] = f"nobody is followed for {month} months"
    return {name: value for name, value in row.items() if name not in ("competing", "censored", "entered", "event_free")} | {
        "time": month
    }
