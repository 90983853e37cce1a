"""Cumulative incidence with competing events (Aalen-Johansen)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import EventTable, event_table
from ips_outcomes.analysis.folding import WeightType
from ips_outcomes.analysis.influence import of_incidence, remaining, shifted
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.survival import bounded, degrees_of, few_notes, groups_of, is_robust, named, ratio
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, stacked, tidy

Floats = NDArray[np.float64]

__all__ = ["cumulative_incidence", "incidence_from_table"]

METHOD = "Aalen-Johansen cumulative incidence, other events competing; {error} standard errors, 95 % interval {scale}"
_SCALES = {"log-log": "on the log(-log) scale", "log": "on the log scale", "plain": "symmetric, cut at 0 and 1"}
REFERENCES = (
    "Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on censored observations. "
    "Scand J Stat 1978;5:141-150.",
    "Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000. doi:10.1007/978-1-4757-3294-8",
)
_AALEN = (
    "Aalen O. Nonparametric estimation of partial transition probabilities in multiple decrement models. Ann Stat 1978;6:534-545."
)


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="yes")
def cumulative_incidence(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, cause: int = 1,
    entry: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency",
    cluster: str | None = None, interval: Literal["log-log", "log", "plain"] = "log-log",
    variance: Literal["jackknife", "aalen"] = "jackknife",
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
    cluster : str, optional
        Column of the clusters; errors are then between clusters.
    interval : {"log-log", "log", "plain"}
        Scale on which the 95 % limits are symmetric.
    variance : {"jackknife", "aalen"}
        Infinitesimal jackknife, or Aalen's formula, which knows people and frequencies only.

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
    ``variance="aalen"`` is that of ``cmprsk::cuminc``, tied events drawn without replacement.
    Limits are empty while nobody had the event and once everybody had it (log(-log)), as in R.

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
    if cause < 1:
        raise UnsupportedError("cause is the code of an event, 1 or higher; 0 is censored")
    if variance not in ("jackknife", "aalen"):
        raise UnsupportedError("variance is jackknife or aalen")
    if variance == "aalen" and is_robust(weights, weight_type, cluster):
        raise UnsupportedError('Aalen\'s variance knows no probability weights and no clusters: use variance="jackknife"')
    parts = []
    found = groups_of(data, time, event, by, entry, weights, weight_type, cluster, None)
    for group in found:
        counted = event_table(group.people, cause)
        rows = incidence_from_table(counted)
        estimate = rows["estimate"]
        if variance == "aalen":
            squared = _aalen(counted, estimate, rows["event_free"])
        else:
            squared = of_incidence(group.people, counted, cause, estimate, rows["event_free"]).variance()
        # nobody or everybody had the event: nothing varies, and no crumb of rounding is left of it
        error = np.sqrt(np.where((estimate > 0) & (estimate < 1), squared, 0.0))
        low, high = bounded(estimate, error, interval, degrees_of(group))
        said = {"outcome": event, "measure": "cumulative_incidence", "method": "Aalen-Johansen"}
        parts.append(named({**rows, "std_error": error, "conf_low": low, "conf_high": high, **said}, group))
    words = "Aalen's" if variance == "aalen" else "infinitesimal-jackknife" + (f" (clusters: {cluster})" if cluster else "")
    references = (REFERENCES[0], _AALEN) if variance == "aalen" else REFERENCES
    return Estimates(
        tidy(stacked(parts)), "Cumulative incidence", METHOD.format(error=words, scale=_SCALES[interval]), references, "steps",
        few_notes(found),
    )  # fmt: skip


def incidence_from_table(counted: EventTable) -> dict[str, NDArray[Any]]:
    """The curve that follows from an event table, with its counts."""
    every: Floats = counted.events[:, 0] + counted.events[:, 1]
    free = np.cumprod(
        np.where(counted.at_risk > 0, ratio(remaining(counted.at_risk, every), counted.at_risk), 1.0), dtype=np.float64
    )
    summed = np.cumsum(shifted(free, 1.0) * ratio(counted.events[:, 0], counted.at_risk))
    # until a competing event comes it is one minus the curve, to the last digit
    alone = np.cumsum(counted.events[:, 1]) == 0
    return {
        "time": counted.time, "at_risk": counted.at_risk, "entered": counted.entered, "events": counted.events[:, 0],
        "competing": counted.events[:, 1], "censored": counted.censored,
        # two ways of adding up must not let the curve step down by a crumb
        "estimate": np.maximum.accumulate(np.where(alone, 1 - free, np.minimum(summed, 1.0))),
        "event_free": free,
    }  # fmt: skip


def _aalen(counted: EventTable, incidence: Floats, event_free: Floats) -> Floats:
    """Aalen's variance: each time's events, with the correction for ties, times what they do to the curve afterwards.

    An event of any cause at s takes away the share (F(t) - F(s)) / S(s) that was still to come; one of the
    cause of interest also adds one. Squared and multiplied out, the sum over s follows from cumulative sums.
    """
    at_risk, before = counted.at_risk, shifted(event_free, 1.0)
    total = np.zeros(len(at_risk))
    after = np.divide(1.0, event_free, out=np.zeros(len(at_risk)), where=event_free > 0)
    for column in (0, 1):
        tied = counted.events[:, column]
        together = np.where(tied > 1, 1 - ratio(tied - 1, at_risk - 1), 1.0)
        weight = ratio(before**2 * together * tied, at_risk**2)
        if column:
            weight = np.where(event_free > 0, weight, 0.0)
        # (1 or 0) + F(s) / S(s) - F(t) / S(s)
        fixed = (1.0 - column) + incidence * after
        total += np.cumsum(weight * fixed**2) - 2 * incidence * np.cumsum(weight * fixed * after)
        total += incidence**2 * np.cumsum(weight * after**2)
    return np.maximum(total, 0.0)
