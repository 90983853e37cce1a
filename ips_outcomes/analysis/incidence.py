"""Cumulative incidence with competing events (Aalen-Johansen)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.capabilities import supports
from ips_outcomes.analysis.event_table import EventTable, Patterns, WeightType, event_table, patterns
from ips_outcomes.analysis.inputs import Data, as_list, group_name, require, times_table
from ips_outcomes.analysis.limits import Z95
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["cumulative_incidence", "incidence_from_table"]

METHOD = (
    "Aalen-Johansen cumulative incidence, other events competing; infinitesimal-jackknife standard errors, "
    "95 % interval on the log(-log) scale"
)
REFERENCES = (
    "Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on censored observations. "
    "Scand J Stat 1978;5:141-150.",
    "Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000. doi:10.1007/978-1-4757-3294-8",
)


@supports(entry=True, frequency_weights=True, probability_weights=True, competing="yes")
def cumulative_incidence(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, cause: int = 1,
    entry: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency",
) -> Estimates:  # fmt: skip
    """Share who have had the event by each month, when other events can come first.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (people at risk of a first job), or one row a person.
    time : str
        Whole months to the event or to the end of observation.
    event : str
        0 censored, 1 the event, 2 and up events that compete.
    by : str or list of str, optional
        Columns that make the groups.
    cause : int
        The code of the event of interest.
    entry : str, optional
        Whole month after which a person is at risk (delayed entry).
    weights : str, optional
        Frequencies, or probability weights with ``weight_type="probability"``.
    weight_type : {"frequency", "probability"}

    Returns
    -------
    Estimates
        A row a group and month from 0 to the group's last: ``n`` (people),
        ``at_risk`` (just before the month's events; entry < t <= time),
        ``events``, ``competing``, ``censored`` in that month (sums of weights
        where there are weights), ``estimate`` (0 to 1), ``std_error``,
        interval.

    Raises
    ------
    UnsupportedError
        For times or events that are missing, negative or not whole, an entry
        at or after the time, or weights that are not allowed.

    Notes
    -----
    Equal to R's ``survival::survfit(Surv(time, factor(event)) ~ group)`` with
    ``conf.type = "log-log"``; ties are exact, nothing is jittered.

    References
    ----------
    Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous
    Markov chains based on censored observations. Scand J Stat 1978;5:141-150.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 2, 1, 0]})
    >>> cumulative_incidence(six).table["estimate"].round(4).tolist()
    [0.0, 0.1667, 0.3333, 0.3333, 0.5556]
    """
    table, groups = times_table(data), as_list(by)
    require(table, [time, event, *groups, *as_list(entry), *as_list(weights)])
    if cause < 1:
        raise UnsupportedError("cause is the code of an event, 1 or higher; 0 is censored")
    if table.empty:
        raise UnsupportedError("there is nobody in the data")
    parts = []
    # whoever lacks a group is a group of its own, not left out in silence
    for key, part in table.groupby(groups, sort=True, dropna=False, observed=True) if groups else [(("all",), table)]:
        people = patterns(part, time, event, entry, weights, weight_type)
        counted = event_table(people, cause)
        rows = incidence_from_table(counted)
        error = _jackknife(people, counted, cause, weight_type)
        rows = rows.assign(std_error=error, **_interval(rows["estimate"].to_numpy(), error))
        name = group_name(key if len(groups) > 1 else key[0])
        levels = dict(zip(groups, key, strict=True)) if groups else {}
        parts.append(
            rows.assign(
                group=name,
                n=_people(people, weights, weight_type),
                **{c: v for c, v in levels.items() if c not in ("group", "time")},
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(outcome=event, measure="cumulative_incidence", method="Aalen-Johansen")
    return Estimates(tidy(rows), "Cumulative incidence", METHOD, REFERENCES, "steps")


def _people(people: Patterns, weights: str | None, weight_type: WeightType) -> int:
    """How many people: a frequency stands for that many, a probability weight for one."""
    copies = people.weight if weights and weight_type == "frequency" else 1.0
    return round(float((people.count * copies).sum()))


def incidence_from_table(counted: EventTable) -> pd.DataFrame:
    """The curve that follows from an event table, with its counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(counted.at_risk[:, None] > 0, counted.events / counted.at_risk[:, None], 0.0)
    free = np.cumprod(1 - hazard.sum(axis=1))
    before = np.concatenate([[1.0], free[:-1]])
    return pd.DataFrame({
        "time": counted.time, "at_risk": counted.at_risk, "events": counted.events[:, 0],
        "competing": counted.events[:, 1], "censored": counted.censored,
        "estimate": np.cumsum(before * hazard[:, 0]), "event_free": free,
    })  # fmt: skip


def _jackknife(people: Patterns, counted: EventTable, cause: int, weight_type: WeightType) -> NDArray[np.float64]:
    """Standard error from each person's influence on the curve, folded over equal people.

    The influence of one person on F(t) is the derivative of F(t) with respect
    to that person's weight; the variance is the sum of squared influences,
    each multiplied by the weight where weights are probabilities.
    """
    grid = counted.time[None, :]
    at_risk = np.maximum(counted.at_risk, 1e-300)
    hazard = np.where(counted.at_risk[:, None] > 0, counted.events / at_risk[:, None], 0.0)
    any_hazard = hazard.sum(axis=1)
    free = np.cumprod(1 - any_hazard)
    before = np.concatenate([[1.0], free[:-1]])
    present = (people.entry[:, None] < grid) & (grid <= people.time[:, None])
    here = grid == people.time[:, None]
    own = here & (people.event == cause)[:, None]
    some = here & (people.event > 0)[:, None]
    # d hazard(t) / d weight
    own_slope = (own - present * hazard[:, 0]) / at_risk
    any_slope = (some - present * any_hazard) / at_risk
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(any_hazard < 1, any_slope / np.maximum(1 - any_hazard, 1e-300), 0.0)
    # d event-free(t-) / d weight, for the product up to the month before
    shifted = np.concatenate([np.zeros((len(people.time), 1)), np.cumsum(relative, axis=1)[:, :-1]], axis=1)
    influence = np.cumsum(before * own_slope - before * shifted * hazard[:, 0], axis=1)
    power = 2 if weight_type == "probability" else 1
    variance = (people.count * people.weight**power) @ influence**2
    return np.sqrt(variance)


def _interval(estimate: NDArray[np.float64], std_error: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """log(-log) interval; without any event yet, or once everybody had it, there is no spread to draw."""
    inside = (estimate > 0) & (estimate < 1)
    safe = np.where(inside, estimate, 0.5)
    exponent = Z95 * std_error / (safe * np.log(safe))
    # exponent is negative, so the first is the upper limit
    low, high = safe ** np.exp(-exponent), safe ** np.exp(exponent)
    return {"conf_low": np.where(inside, low, np.nan), "conf_high": np.where(inside, high, np.nan)}
