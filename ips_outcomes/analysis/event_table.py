"""The event table: at risk, events by cause and censored, at every time of the grid.

Everything nonparametric about time to event follows from this table. The
convention is that of R and SAS: at risk at t are those with entry < t <= time.
Rows are read once (`folding`): people who share group, entry, time and event are one pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.folding import Patterns, WeightType, folded

__all__ = ["EVERY_TIME", "EventTable", "Patterns", "WeightType", "event_table", "patterns"]

#: Up to this last time the table has every whole time from 0; past it (days, seconds) the times at which somebody leaves.
EVERY_TIME = 1000


@dataclass(frozen=True)
class EventTable:
    """Weighted counts of one group, one entry a time of the grid."""

    time: NDArray[np.int64]
    at_risk: NDArray[np.float64]
    entered: NDArray[np.float64]
    """Late entries at this time, or after it and before the next one of the grid."""
    events: NDArray[np.float64]
    """Events by time and cause; column 0 is the cause of interest, 1 all others."""
    censored: NDArray[np.float64]


def patterns(
    table: pd.DataFrame, time: str, event: str, entry: str | None, weights: str | None, weight_type: WeightType
) -> Patterns:
    """Check times and events, and fold people who share them, all in one group.

    Raises
    ------
    UnsupportedError
        For missing, negative or fractional times, events that are not whole
        numbers from 0, an entry not before its time, and negative weights.
    """
    found = folded(table, [], time, event, entry=entry, weights=weights, weight_type=weight_type)
    return found[0].people if found else Patterns.empty()


def grid(people: Patterns) -> NDArray[np.int64]:
    """Times of the event table: every whole time from 0 to the last, or where that is far, 0 and the times of leaving."""
    last = int(people.time.max()) if len(people.time) else 0
    if last <= EVERY_TIME:
        return np.arange(last + 1, dtype=np.int64)
    return np.unique(np.append(people.time, 0))


def places(people: Patterns, times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where on the grid people enter (-1: from the start) and leave."""
    if len(times) == int(times[-1]) + 1:
        return people.entry, people.time
    entered = np.where(people.entry < 0, -1, np.searchsorted(times, people.entry, side="right") - 1)
    return entered, np.searchsorted(times, people.time)


def event_table(people: Patterns, cause: int = 1) -> EventTable:
    """Count at every time of the grid.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 2, 1, 0]})
    >>> counted = event_table(patterns(six, "time", "event", None, None, "frequency"))
    >>> counted.at_risk.tolist()
    [6.0, 6.0, 5.0, 3.0, 2.0]
    """
    times = grid(people)
    entered, left = places(people, times)
    size, mass = len(times), people.mass

    def at(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(left[chosen], weights=mass[chosen], minlength=size)

    late = entered >= 0
    entering = np.bincount(entered[late], weights=mass[late], minlength=size)
    events = np.column_stack([at(people.event == cause), at((people.event != cause) & (people.event > 0))])
    # counted back from the end where nobody is late, so that the last risk sets are exact under fractional weights
    leaving = np.bincount(left, weights=mass, minlength=size)
    at_risk = np.cumsum(leaving[::-1])[::-1]
    if late.any():
        at_risk = at_risk - (np.cumsum(entering[::-1])[::-1])
        present = np.bincount(left, weights=people.count, minlength=size)[::-1].cumsum()[::-1]
        present = present - np.bincount(entered[late], weights=people.count[late], minlength=size)[::-1].cumsum()[::-1]
        # an empty risk set is empty, not a crumb of rounding
        at_risk = np.where(present > 0, at_risk, 0.0)
    return EventTable(times, at_risk, entering, events, at(people.event == 0))
