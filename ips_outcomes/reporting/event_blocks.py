"""Curves of time to event leave from one rounded event table, whose steps each hold enough people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.analysis.event_table import EventTable
from ips_outcomes.reporting.suppression import NUMBERS, hide, small

__all__ = ["counts_of_rows", "released_event_table", "with_counts", "without_curve"]


def counts_of_rows(rows: pd.DataFrame) -> EventTable:
    """The event table behind one group's rows of a cumulative incidence."""
    return EventTable(
        rows["time"].to_numpy(dtype=np.int64), rows["at_risk"].to_numpy(float), np.zeros(len(rows)),
        rows[["events", "competing"]].to_numpy(float), rows["censored"].to_numpy(float),
    )  # fmt: skip


def with_counts(rows: pd.DataFrame, folded: EventTable) -> pd.DataFrame:
    """One group's rows with the counts of another event table."""
    return rows.assign(
        at_risk=folded.at_risk, events=folded.events[:, 0], competing=folded.events[:, 1], censored=folded.censored
    )  # fmt: skip


def without_curve(rows: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """One group's rows with nothing but their times, where even the whole holds too few."""
    curve = ["events", "competing", "censored", "at_risk", "event_free", *NUMBERS]
    hidden = hide(rows, np.ones(len(rows), dtype=bool), curve).astype({"events": "float64"})
    hidden.loc[small(rows["n"], threshold), "n"] = pd.NA
    return hidden


def released_event_table(counted: EventTable, threshold: int) -> tuple[EventTable | None, bool]:
    """Hold back each way out (event, competing event, censored) until it has gathered at least ``threshold`` people.

    Returns the folded table (None where even the whole holds too few) and
    whether competing events were too few and went with the censored.
    """
    own, competing = counted.events[:, 0], counted.events[:, 1]
    merged = bool(0 < competing.sum() < threshold)
    gone = counted.censored + (competing if merged else 0)
    competing = np.zeros_like(competing) if merged else competing
    if own.sum() < threshold or 0 < gone.sum() < threshold:
        return None, merged
    # each for itself: three people abroad early on do not hold back all first jobs after them
    own, competing, gone = (_gathered(column, threshold) for column in (own, competing, gone))
    leaving = own + competing + gone
    at_risk = counted.at_risk[0] - np.concatenate([[0.0], np.cumsum(leaving)[:-1]])
    return EventTable(counted.time, at_risk, counted.entered, np.column_stack([own, competing]), gone), merged


def _gathered(people: np.ndarray, threshold: int) -> np.ndarray:
    """The same people in steps of at least the threshold; what is left over joins the last step, at the last one's time."""
    folded, waiting, step = np.zeros(len(people)), 0.0, 0
    for time, number in enumerate(people):
        waiting += number
        if waiting >= threshold:
            folded[time], waiting, step = waiting, 0.0, time
    if waiting:
        last = int(np.flatnonzero(people)[-1])
        waiting, folded[step] = waiting + folded[step], 0.0
        folded[last] = waiting
    return folded
