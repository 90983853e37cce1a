"""The event table: at risk, events by cause and censored, at every whole month.

Everything nonparametric about time to event follows from this table. The
convention is that of R and SAS: at risk at t are those with entry < t <= time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError

__all__ = ["EventTable", "Patterns", "event_table", "patterns"]

WeightType = Literal["frequency", "probability"]


@dataclass(frozen=True)
class Patterns:
    """People who share entry, time, event (and probability weight) count as one row with a weight."""

    entry: NDArray[np.int64]
    time: NDArray[np.int64]
    event: NDArray[np.int64]
    weight: NDArray[np.float64]
    count: NDArray[np.float64]


@dataclass(frozen=True)
class EventTable:
    """Weighted counts at times 0 to the last, one entry a month."""

    time: NDArray[np.int64]
    at_risk: NDArray[np.float64]
    entered: NDArray[np.float64]
    events: NDArray[np.float64]
    """Events by time and cause; column 0 is the cause of interest, 1 all others."""
    censored: NDArray[np.float64]


def patterns(
    table: pd.DataFrame, time: str, event: str, entry: str | None, weights: str | None, weight_type: WeightType
) -> Patterns:
    """Check times and events, and fold people who share them.

    Raises
    ------
    UnsupportedError
        For missing, negative or fractional times, events that are not whole
        numbers from 0, an entry not before its time, and negative weights.
    """
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    entries = _whole(table[entry], entry) if entry else np.full(len(table), -1)
    times, events = _whole(table[time], time), _whole(table[event], event)
    if entry and (entries >= times).any():
        raise UnsupportedError(f"{int((entries >= times).sum())} rows enter at or after the end of their time ({entry}, {time})")
    weight = np.ones(len(table)) if weights is None else table[weights].to_numpy(dtype=float, na_value=np.nan)
    if np.isnan(weight).any() or (weight < 0).any():
        raise UnsupportedError(f"weights must be numbers from zero ({weights})")
    if weights is not None and weight_type == "frequency" and (weight != np.floor(weight)).any():
        raise UnsupportedError('frequency weights are whole numbers; say weight_type="probability" for others')
    folded = pd.DataFrame({"entry": entries, "time": times, "event": events, "weight": weight})
    sizes = folded.groupby(["entry", "time", "event", "weight"], sort=True).size().reset_index(name="count")
    entry_, time_, event_ = (sizes[c].to_numpy(np.int64) for c in ("entry", "time", "event"))
    return Patterns(entry_, time_, event_, sizes["weight"].to_numpy(float), sizes["count"].to_numpy(float))


def _whole(values: pd.Series, name: str | None) -> NDArray[np.int64]:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = np.isnan(numbers) | (numbers < 0) | (numbers != np.floor(numbers))
    if bad.any():
        raise UnsupportedError(
            f"{int(bad.sum())} values of {name} are missing, negative or not whole: times are whole months and events whole codes"
        )
    return numbers.astype(np.int64)


def event_table(people: Patterns, cause: int = 1) -> EventTable:
    """Count at every month from 0 to the last time.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 2, 1, 0]})
    >>> counted = event_table(patterns(six, "time", "event", None, None, "frequency"))
    >>> counted.at_risk.tolist()
    [6.0, 6.0, 5.0, 3.0, 2.0]
    """
    last = int(people.time.max()) if len(people.time) else 0
    mass = people.weight * people.count

    def by_time(chosen: NDArray[np.bool_], at: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(at[chosen], weights=mass[chosen], minlength=last + 1).astype(np.float64)

    everyone = np.ones(len(mass), dtype=bool)
    leaving = by_time(everyone, people.time)
    late = people.entry >= 0
    entering = np.bincount(people.entry[late], weights=mass[late], minlength=last + 1)[: last + 1].astype(np.float64)
    at_start = mass[~late].sum()
    # at risk at t: entered before t, not left before t
    at_risk = at_start + np.concatenate([[0.0], np.cumsum(entering)[:-1]]) - np.concatenate([[0.0], np.cumsum(leaving)[:-1]])
    own = by_time(people.event == cause, people.time)
    others = by_time((people.event != cause) & (people.event > 0), people.time)
    return EventTable(
        np.arange(last + 1), at_risk, entering, np.column_stack([own, others]), by_time(people.event == 0, people.time)
    )
