"""Time to the first job: who is at risk, when it comes, and why the wait was cut short."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.employed import Answer, answer
from ips_outcomes.followup.grid import REASONS, Grid
from ips_outcomes.followup.jobs import JobMonths
from ips_outcomes.months import NO_MONTH, month_number
from ips_outcomes.study import Definition

__all__ = ["first_job_times"]


def first_job_times(grid: Grid, jobs: JobMonths, definition: Definition, given: Answer) -> pd.DataFrame:
    """One row a participant: ``at_risk``, ``time``, ``event``, ``ended_by``.

    ``event`` is 1 for a first job, 2 for death, 0 for censored; time and event
    are missing for those not at risk. The clock
    starts at month 0 and is read in whole months. People in work in month 0
    are not at risk of a first job unless the study says otherwise; neither are
    people of whom month 0 is not known. A first job and a death in the same
    month count as the first job.
    """
    value, zero = given.value, grid.zero
    at_start = value[:, zero]
    choice = grid.cohort.study.follow_up.already_working
    if choice == "new_employer" and (at_start == 1).any():
        other = answer(jobs, definition, new_employer=True).value
        value = np.where(at_start[:, None] == 1, other, value)
    after = value[:, zero + 1 :]
    months = after.shape[1]
    never = months + 1
    first = np.where((after == 1).any(1), (after == 1).argmax(1) + 1, never)
    unknown = np.where((after == -1).any(1), (after == -1).argmax(1) + 1, never)
    death = month_number(grid.death)
    # a death before the index date cannot be true; it is counted by the loaders, and nothing is built on it here
    index_date = grid.cohort.participants["index_date"].to_numpy().astype("datetime64[D]")
    death = np.where((death == NO_MONTH) | (grid.death < index_date), never, death - grid.index_month)
    time = np.minimum(np.minimum(first, unknown - 1), months)
    event = np.where((first < unknown) & (first <= months), 1, 0)
    # death counts in its own month, also where the status day comes after it
    dies = (death <= months) & (death < first) & (death <= unknown)
    time, event = np.where(dies, death, time), np.where(dies, 2, event)
    at_risk = np.ones(len(value), dtype=bool)
    why = np.full(len(value), "", dtype=object)
    if choice == "exclude":
        at_risk, why = at_start != 1, np.where(at_start == 1, "in work in month 0", why)
    # somebody who died in month 0 is known to have died before a first job; "include" does not ask about month 0
    lost = (at_start == -1) & (death != 0) & (choice != "include")
    at_risk, why = at_risk & ~lost, np.where(lost, "month 0 not known", why)
    ended = _ended_by(event, time, months, given, zero)
    return pd.DataFrame({
        "person_id": grid.cohort.participants["person_id"].to_numpy(),
        "arm": grid.cohort.participants["arm"].to_numpy(),
        "at_risk": at_risk, "not_at_risk_because": why,
        "time": pd.arrays.IntegerArray(time.astype(np.int64), ~at_risk),
        "event": pd.arrays.IntegerArray(event.astype(np.int64), ~at_risk),
        "ended_by": np.where(at_risk, ended, ""),
    })  # fmt: skip


def _ended_by(event: NDArray[np.int64], time: NDArray[np.int64], months: int, given: Answer, zero: int) -> NDArray[np.object_]:
    """``first_job``, ``death``, ``end_of_follow_up``, or the reason why the next month is not known."""
    following = np.minimum(time + zero + 1, zero + months)
    reason = np.array([*REASONS, "definition_unknown"], dtype=object)
    code = given.observation.reason[np.arange(len(time)), following]
    text = np.where(code == 0, "definition_unknown", reason[code])
    text = np.where(time >= months, "end_of_follow_up", text)
    return np.where(event == 1, "first_job", np.where(event == 2, "death", text))
