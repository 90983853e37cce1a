"""Bootstrap of restricted mean survival time: replicated event tables, and every curve that follows, at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.folding import row_weights, whole_numbers
from ips_outcomes.analysis.inputs import Data, group_name, own_reference, require, times_table
from ips_outcomes.analysis.person_months import fold
from ips_outcomes.analysis.resampling import (
    KINDS,
    REFERENCES,
    IntervalKind,
    Units,
    acceleration,
    bootstrap_interval,
    resampled_sums,
)
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["TimesByArm", "bootstrap_rmst", "rmst_of_tables", "times_by_arm"]

Floats = NDArray[np.float64]

EFRON = "Efron B. Censored data and the bootstrap. J Am Stat Assoc 1981;76:312-319. doi:10.2307/2287832"


@dataclass(frozen=True)
class TimesByArm:
    """People folded by arm, stratum, cluster, entry, time, event and weight.

    ``count`` is people a row; ``notes`` say who was left out.
    """

    arms: tuple[str, ...]
    arm: NDArray[np.int64]
    stratum: NDArray[np.int64]
    cluster: NDArray[np.int64] | None
    entry: NDArray[np.int64]
    time: NDArray[np.int64]
    event: NDArray[np.int64]
    weight: Floats
    count: Floats
    notes: tuple[str, ...]

    def at_risk(self, months: NDArray[np.int64]) -> Floats:
        """1 where the row is at risk in a month: entry < t <= time."""
        return ((self.entry[:, None] < months) & (months <= self.time[:, None])).astype(float)

    def happened(self, months: NDArray[np.int64]) -> Floats:
        """1 where the row has its event in a month."""
        return ((self.time[:, None] == months) & (self.event == 1)[:, None]).astype(float)


def _codes(values: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    codes, levels = pd.factorize(values, use_na_sentinel=False)
    names = [group_name(level) for level in levels]
    unique = sorted(set(names))
    return np.array([unique.index(name) for name in names], dtype=np.int64)[codes], tuple(unique)


def times_by_arm(
    data: Data, time: str, event: str, by: str, *, entry: str | None, strata: str | None, cluster: str | None,
    weights: str | None, weight_type: WeightType, competing: str,
) -> TimesByArm:  # fmt: skip
    """Check times, events and weights once, and fold people who share everything."""
    table = times_table(data)
    require(table, list(dict.fromkeys(c for c in (time, event, by, entry, strata, cluster, weights) if c)))
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    known = table[by].notna()
    notes = () if known.all() else (f"{int((~known).sum())} rows left out: {by} is missing",)
    table = table[known]
    times, events = (whole_numbers(table[c], c).astype(np.int64) for c in (time, event))
    entries = whole_numbers(table[entry], entry).astype(np.int64) if entry else np.full(len(table), -1, dtype=np.int64)
    if (entries >= times).any():
        raise UnsupportedError(f"{int((entries >= times).sum())} rows enter at or after the end of their time ({entry}, {time})")
    if (events > 1).any():
        if competing != "censor":
            raise UnsupportedError(f"{int((events > 1).sum())} rows have a competing event ({event} 2 and up); "
                                   "say competing='censor' to end their time there")  # fmt: skip
        events = np.where(events > 1, 0, events)
    given = np.ones(len(table)) if weights is None else row_weights(table[weights], weights, weight_type)
    whole = weight_type == "frequency"
    keep = given > 0
    if len(keep) and not keep.any():
        raise UnsupportedError(f"nobody is there: {weights} is zero in all {len(keep)} rows")
    # rows of weight zero are not there, so an arm of such rows is not there either
    table, times, events, entries, given = table[keep], times[keep], events[keep], entries[keep], given[keep]
    arm, arms = _codes(table[by])
    stratum = _codes(table[strata])[0] if strata else np.zeros(len(table), dtype=np.int64)
    if cluster and table[cluster].isna().any():
        raise UnsupportedError(f"{int(table[cluster].isna().sum())} rows have no {cluster}")
    group = pd.factorize(table[cluster], sort=True)[0].astype(np.int64) if cluster else np.zeros(len(table), dtype=np.int64)
    count, weight = (given, np.ones(len(table))) if whole else (np.ones(len(table)), given)
    keys = (arm, stratum, group, entries, times, events)
    first, pattern = fold([*keys, weight])
    counted = np.bincount(pattern, weights=count, minlength=len(first)).astype(np.float64)
    arm, stratum, group, entries, times, events = (k[first] for k in keys)
    weight = weight[first]
    return TimesByArm(arms, arm, stratum, group if cluster else None, entries, times, events, weight, counted, notes)


def _longest(people: TimesByArm) -> tuple[int, bool]:
    """The longest horizon, and whether there is any limit at all.

    It is the smallest, over arms, of the last observed time; an arm that has
    nobody left event-free sets no limit.
    """
    ends, limited = [], []
    for place in range(len(people.arms)):
        own = people.arm == place
        ends.append(int(people.time[own].max()))
        months = np.arange(ends[-1] + 1)
        at_risk, events = people.count[own] @ people.at_risk(months)[own], people.count[own] @ people.happened(months)[own]
        if not ((events >= at_risk) & (at_risk > 0)).any():
            limited.append(ends[-1])
    return (min(limited) if limited else max(ends)), bool(limited)


def rmst_of_tables(at_risk: Floats, events: Floats) -> tuple[Floats, Floats]:
    """Restricted mean and its Greenwood error, from event tables whose last axis is months 0 to the horizon less one.

    Where a replicate has nobody left at risk its curve stays where it was, as
    R's `survfit` leaves it.

    Examples
    --------
    >>> mean, error = rmst_of_tables(np.array([[2.0, 2.0, 1.0]]), np.array([[0.0, 1.0, 0.0]]))
    >>> mean.tolist(), error.round(4).tolist()
    ([2.0], [0.7071])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(at_risk > 0, events / at_risk, 0.0)
        free = np.cumprod(1 - hazard, axis=-1)
        after = np.cumsum(free[..., ::-1], axis=-1)[..., ::-1]
        left = at_risk - events
        variance = (np.where(left > 1e-12, after**2 * hazard / left, 0.0)).sum(axis=-1)
    return after[..., 0], np.sqrt(variance)


def _influence(people: TimesByArm, horizon: int) -> Floats:
    """What each person does to the restricted mean of the own arm."""
    months = np.arange(horizon)
    at_risk, happened = people.at_risk(months), people.happened(months)
    answer = np.zeros((len(people.arm), 1))
    for place in range(len(people.arms)):
        own = people.arm == place
        mass = people.count[own] * people.weight[own]
        total, events = mass @ at_risk[own], mass @ happened[own]
        with np.errstate(invalid="ignore", divide="ignore"):
            hazard = np.where(total > 0, events / total, 0.0)
            slope = np.where(total > 0, (happened[own] - at_risk[own] * hazard) / total, 0.0)
            relative = np.where(hazard < 1, slope / (1 - hazard), 0.0)
        free = np.cumprod(1 - hazard)
        after = np.cumsum(free[::-1])[::-1]
        answer[own, 0] = -people.weight[own] * (relative @ after)
    return answer


def _units(people: TimesByArm, horizon: int) -> tuple[Units, NDArray[np.int64]]:
    """At risk and events by arm and month as sums over people or clusters, and the unit of each row."""
    months = np.arange(horizon)
    rows = np.arange(len(people.arm))
    sums = np.zeros((len(rows), len(people.arms), 2, horizon))
    sums[rows, people.arm, 0] = people.weight[:, None] * people.at_risk(months)
    sums[rows, people.arm, 1] = people.weight[:, None] * people.happened(months)
    flat = sums.reshape(len(rows), -1)
    block = people.arm * (int(people.stratum.max()) + 1) + people.stratum
    if people.cluster is None:
        return Units(block, people.count, flat), rows
    homes = pd.DataFrame({"cluster": people.cluster, "arm": people.arm, "stratum": people.stratum}).groupby("cluster").nunique()
    if (homes["stratum"] > 1).any():
        raise UnsupportedError(f"{int((homes['stratum'] > 1).sum())} clusters lie in several strata")
    if (homes["arm"] > 1).any():
        block = people.stratum
    first, number = np.unique(people.cluster, return_index=True, return_inverse=True)[1:]
    return Units(block[first], np.ones(len(first)), added_up(number, people.count[:, None] * flat)), number


def added_up(number: NDArray[np.int64], rows: Floats) -> Floats:
    """Rows of the same cluster added up."""
    sums = np.zeros((int(number.max()) + 1, rows.shape[1]))
    np.add.at(sums, number, rows)
    return sums


def _accelerated(people: TimesByArm, units: Units, number: NDArray[np.int64], influence: Floats, sign: Floats) -> Floats:
    """Acceleration of a sum over arms with signs, from the units of those arms."""
    signed = influence * sign[people.arm][:, None]
    if people.cluster is not None:
        signed = added_up(number, people.count[:, None] * signed)
    kept = np.isin(np.arange(len(units.block)), number[sign[people.arm] != 0])
    return acceleration(signed[kept], units.count[kept], np.unique(units.block[kept], return_inverse=True)[1])


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, strata=True, competing="censored if asked")
def bootstrap_rmst(
    data: Data, time: str = "time", event: str = "event", by: str = "arm", horizon: int | None = None,
    reference: str | None = None, *, replicates: int = 2000, interval: IntervalKind = "percentile", seed: int = 1,
    entry: str | None = None, strata: str | None = None, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", competing: Literal["refuse", "censor"] = "refuse", chunk: int | None = None,
) -> Estimates:  # fmt: skip
    """Bootstrap restricted mean survival time by arm and its difference.

    The mean is the area under the Kaplan-Meier curve from 0 to the horizon, in
    months. People are drawn with replacement within their arm (and stratum);
    clusters whole, within arms where every cluster belongs to one.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person; of a FollowUp, time to the first job.
    time, event : str
        Whole months from 0; 0 censored, 1 the event.
    by : str
        Column of the arm.
    horizon : int, optional
        At most the smallest, over arms, of the last observed time (without
        limit where an arm has nobody left event-free); that by default.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    replicates, seed : int
    interval : {"percentile", "basic", "normal", "studentised", "bca"}
        As `boot.ci` of R's boot; studentised with Greenwood errors, for people
        who stand alone and count whole.
    entry, strata, cluster : str, optional
        Columns; at risk at t are those with entry < t <= time.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights (carried along).
    competing : {"refuse", "censor"}
        What becomes of event codes from 2.
    chunk : int, optional
        Replicates at a time, for memory; never changes the answer.

    Returns
    -------
    Estimates
        Measures ``rmst`` and ``rmst_difference``; ``time`` is the horizon,
        ``std_error`` the standard deviation over replicates.

    Raises
    ------
    UnsupportedError
        For a horizon past the longest, which the message names, competing
        events unless they are to be censored, and times that are not whole.

    References
    ----------
    Efron B. Censored data and the bootstrap. J Am Stat Assoc
    1981;76:312-319. Davison AC, Hinkley DV. Bootstrap Methods and their
    Application. Cambridge University Press 1997.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["a", "b"] * 30, "time": [2, 4, 3, 5, 6, 6] * 10, "event": [1, 1, 1, 1, 0, 0] * 10})
    >>> table = bootstrap_rmst(people, horizon=6, reference="b", seed=2).select(measure="rmst_difference").table
    >>> round(float(table["estimate"][0]), 6), bool(table["conf_high"][0] < 0)
    (-1.333333, True)
    """
    if interval not in KINDS or replicates < 2:
        raise UnsupportedError(f"interval is one of: {', '.join(KINDS)}; replicates at least 2")
    if interval == "studentised" and (cluster or weight_type == "probability"):
        raise UnsupportedError("studentised intervals are for people who stand alone and count whole; use 'bca'")
    people = times_by_arm(data, time, event, by, entry=entry, strata=strata, cluster=cluster, weights=weights,
                          weight_type=weight_type, competing=competing)  # fmt: skip
    reference = own_reference(data, reference)
    if len(people.arms) > 1 and reference not in people.arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(people.arms)}")
    if not people.arms:
        raise UnsupportedError("there are no rows to count")
    longest, limited = _longest(people)
    horizon = longest if horizon is None else horizon
    if horizon < 1 or horizon != int(horizon) or (horizon > longest and limited):
        raise UnsupportedError(
            f"the horizon must be a whole number of months from 1 to {longest}, the longest that every arm was seen for"
        )
    horizon = int(horizon)
    units, number = _units(people, horizon)
    shape = (replicates, len(people.arms), 2, horizon)
    drawn = resampled_sums(units, replicates, seed, chunk).reshape(shape)
    means, errors = rmst_of_tables(drawn[:, :, 0], drawn[:, :, 1])
    observed = (units.count @ units.sums).reshape(shape[1:])
    mean, error = rmst_of_tables(observed[:, 0], observed[:, 1])
    influence = _influence(people, horizon)
    base = people.arms.index(str(reference)) if len(people.arms) > 1 else None
    people_in = np.bincount(people.arm, weights=people.count, minlength=len(people.arms))
    events_in = np.bincount(people.arm, weights=people.count * people.weight * people.event, minlength=len(people.arms))
    pairs: list[tuple[int, int | None]] = [(place, None) for place in range(len(people.arms))]
    pairs += [(place, base) for place in range(len(people.arms)) if base is not None and place != base]
    rows = []
    for place, other in pairs:
        sign = np.zeros(len(people.arms))
        sign[place] = 1.0
        if other is not None:
            sign[other] = -1.0
        sides = np.flatnonzero(sign)
        replicated, estimate = means @ sign, float(mean @ sign)
        low, high = bootstrap_interval(
            replicated[:, None], np.array([estimate]), interval, std_error=np.sqrt([error**2 @ sign**2]),
            replicate_errors=np.sqrt(errors**2 @ sign**2)[:, None], accelerated=_accelerated(people, units, number, influence, sign),
        )  # fmt: skip
        name = people.arms[place]
        label = {"group": name, "contrast": ""} if other is None else {"group": "", "contrast": f"{name} - {people.arms[other]}"}
        said = f"bootstrap, {interval}"
        if not np.isfinite(low[0]):
            said = f"{interval}: no interval, replicates do not vary around the estimate"
        rows.append({"measure": "rmst" if other is None else "rmst_difference", **label,
                     "n": round(float(people_in[sides].sum())), "events": float(events_in[sides].sum()), "estimate": estimate,
                     "std_error": float(replicated.std(ddof=1)), "conf_low": low[0], "conf_high": high[0],
                     "method": said})  # fmt: skip
    unit = "clusters" if cluster else "people"
    method = (
        f"Area under the Kaplan-Meier curve to month {horizon}; bootstrap, {replicates} replicates (seed {seed}): "
        f"{unit} drawn with replacement within {by}{f' and {strata}' if strata else ''}; {interval} 95 % interval"
    )
    table = tidy(pd.DataFrame(rows).assign(outcome=event, time=horizon, replicates=replicates))
    return Estimates(
        table, f"Restricted mean time to {event}, bootstrapped", method, (EFRON, *REFERENCES), "forest", people.notes
    )
