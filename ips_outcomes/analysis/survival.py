"""Kaplan-Meier curves, their quantiles, and the Nelson-Aalen cumulative hazard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import EventTable, event_table
from ips_outcomes.analysis.folding import Group, WeightType, folded
from ips_outcomes.analysis.influence import of_hazard, of_survival, remaining
from ips_outcomes.analysis.inputs import Data, as_list, times_table
from ips_outcomes.analysis.limits import FEW_CLUSTERS, Scale, limits, t_quantile
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, stacked, tidy

__all__ = ["Competing", "kaplan_meier", "nelson_aalen", "survival_quantiles"]

Floats = NDArray[np.float64]
Competing = Literal["refuse", "censor"]

#: R finds a quantile where the curve is within this of the probability.
_TOLERANCE = float(np.sqrt(np.finfo(float).eps))

KAPLAN_MEIER = (
    "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481. "
    "doi:10.1080/01621459.1958.10501452"
)
GREENWOOD = "Greenwood M. The natural duration of cancer. Reports on Public Health and Medical Subjects 1926;33:1-26."
THERNEAU = (
    "Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000. doi:10.1007/978-1-4757-3294-8"
)
BROOKMEYER = (
    "Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41. doi:10.2307/2530286"
)
AALEN = "Aalen O. Nonparametric inference for a family of counting processes. Ann Stat 1978;6:701-726. doi:10.1214/aos/1176344247"
_SCALES = {"log-log": "on the log(-log) scale", "log": "on the log scale", "plain": "symmetric, cut at 0 and 1"}


def groups_of(
    data: Data, time: str, event: str, by: str | Sequence[str] | None, entry: str | None, weights: str | None,
    weight_type: WeightType, cluster: str | None, competing: Competing | None,
) -> list[Group]:  # fmt: skip
    """Fold the rows by group; codes from 2 are refused or become censored where they have no meaning."""
    if competing not in ("refuse", "censor", None):
        raise UnsupportedError("competing is refuse or censor")
    table = times_table(data)
    found = folded(
        table, as_list(by), time, event, entry=entry, weights=weights, weight_type=weight_type, cluster=cluster
    )  # fmt: skip
    if not found:
        raise UnsupportedError("there is nobody in the data")
    if competing is None:
        return found
    others = round(sum(float(g.people.count[g.people.event > 1].sum()) for g in found))
    if others and competing == "refuse":
        raise UnsupportedError(
            f'{others} rows of {event} hold a competing event (2 or higher): say competing="censor" to count them as censored, '
            "or use cumulative_incidence, which respects them"
        )
    return [
        replace(g, people=replace(g.people, event=np.where(g.people.event > 1, 0, g.people.event))) if others else g
        for g in found
    ]


def named(columns: dict[str, Any], group: Group) -> dict[str, Any]:
    """Columns with their group's name, people, and the level of each column that made the group."""
    levels = {c: v for c, v in group.levels.items() if c not in columns and c not in ("group", "n")}
    return {**columns, "group": group.name, "n": group.n, **levels}


def is_robust(weights: str | None, weight_type: WeightType, cluster: str | None) -> bool:
    """Whether errors come from the infinitesimal jackknife: frequencies have a formula, probability weights and clusters none."""
    return cluster is not None or (weights is not None and weight_type == "probability")


def ratio(over: Floats, under: Floats) -> Floats:
    """Division that is 0 where nobody is at risk."""
    return np.divide(over, under, out=np.zeros(len(over)), where=under > 0)


def survival_of(counted: EventTable) -> Floats:
    """The Kaplan-Meier curve of an event table; where nobody is at risk it stays where it was."""
    rest = remaining(counted.at_risk, counted.events[:, 0])
    return np.cumprod(np.where(counted.at_risk > 0, ratio(rest, counted.at_risk), 1.0), dtype=np.float64)


def greenwood(counted: EventTable) -> Floats:
    """Steps of Greenwood's sum, d / (n (n - d)); 0 where the curve falls to 0."""
    events = counted.events[:, 0]
    return ratio(ratio(events, counted.at_risk), remaining(counted.at_risk, events))


def degrees_of(*groups: Group) -> float:
    """Degrees of freedom of limits and p: clusters less one where they are few; none given (NaN) otherwise."""
    clusters = [group.people.cluster for group in groups if group.people.cluster is not None]
    number = len(np.unique(np.concatenate(clusters))) if clusters else FEW_CLUSTERS
    return number - 1.0 if number < FEW_CLUSTERS else float("nan")


def few_notes(groups: Sequence[Group]) -> tuple[str, ...]:
    """What to say where a group's people come in few clusters."""
    few = {group.name: degrees_of(group) + 1 for group in groups}
    told = ", ".join(f"{name} {number:.0f}" for name, number in few.items() if np.isfinite(number))
    if not told:
        return ()
    return (
        f"few clusters ({told}): limits and p-values from t with clusters - 1 degrees of freedom; the errors tend to be too small",
    )


def bounded(estimate: Floats, std_error: Floats, interval: Scale, degrees: float = float("nan")) -> tuple[Floats, Floats]:
    """Limits as R's survfit draws them: cut at 0 and 1, empty for log(-log) at 0 and 1 and for log at 0."""
    if interval not in _SCALES:
        raise UnsupportedError(f"interval is one of {', '.join(_SCALES)}")
    low, high = limits(estimate, std_error, interval, t_quantile(np.array(degrees)))
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _curve(group: Group, robust: bool, interval: Scale) -> dict[str, Floats]:
    counted = event_table(group.people)
    survival = survival_of(counted)
    if robust:
        std_error = np.sqrt(of_survival(group.people, counted, survival).variance())
    else:
        # at 0 the formula is 0 times infinity: empty, as in R
        std_error = np.where(survival > 0, survival * np.sqrt(np.cumsum(greenwood(counted))), np.nan)
    low, high = bounded(survival, std_error, interval, degrees_of(group))
    return {
        "time": counted.time, "at_risk": counted.at_risk, "entered": counted.entered, "events": counted.events[:, 0],
        "censored": counted.censored, "estimate": survival, "std_error": std_error, "conf_low": low, "conf_high": high,
    }  # fmt: skip


def _method(robust: bool, cluster: str | None) -> str:
    return ("infinitesimal-jackknife" + (f" (clusters: {cluster})" if cluster else "") if robust else "Greenwood's") + " errors"


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="refused, or censored on request")
def kaplan_meier(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", cluster: str | None = None,
    interval: Literal["log-log", "log", "plain"] = "log-log", competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Share still without the event after each time.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (people at risk of a first job), or one row a person. Counts
        by group, time and event go in as rows with their number as ``weights``.
    time : str
        Whole months (or days) to the event or to the end of observation, from 0.
    event : str
        0 censored, 1 the event.
    by : str or list of str, optional
        Columns that make the groups; a missing level is the group "Unknown".
    entry : str, optional
        Time after which a person is at risk (delayed entry): at risk at t are those with entry < t <= time.
    weights : str, optional
        Frequencies, or probability weights with ``weight_type="probability"``.
    weight_type : {"frequency", "probability"}
    cluster : str, optional
        Column of the clusters; errors are then between clusters.
    interval : {"log-log", "log", "plain"}
        Scale on which the 95 % limits are symmetric.
    competing : {"refuse", "censor"}
        What codes from 2 get: an error, or the place of a censoring.

    Returns
    -------
    Estimates
        A row a group and time, from 0 to the group's last: ``n`` (people),
        ``at_risk`` (just before the time's events), ``entered``, ``events``,
        ``censored`` (sums of weights where there are weights), ``estimate``
        (survival, 0 to 1), ``std_error`` of the survival itself, limits. Every
        whole time is listed up to 1,000; past that only 0 and times at which somebody leaves.

    Raises
    ------
    UnsupportedError
        For times or events that are missing, negative or not whole, an entry
        at or after the time, weights that are not allowed, competing events.

    Notes
    -----
    Equal to R's ``survival::survfit(Surv(time, event) ~ group)``. Greenwood's
    errors for people and frequencies, the infinitesimal jackknife for
    probability weights and clusters. Where the survival is 0, Greenwood's
    error and all limits are empty (the jackknife's error is 0); log(-log)
    limits are also empty while it is still 1. A risk set that late entry
    leaves empty in the middle changes nothing; once the curve is at 0 it stays there.

    References
    ----------
    Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481.
    Greenwood M. The natural duration of cancer. Reports on Public Health and Medical Subjects 1926;33:1-26.
    Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 1, 1, 0]})
    >>> kaplan_meier(six).table["estimate"].round(4).tolist()
    [1.0, 0.8333, 0.6667, 0.4444, 0.2222]
    """
    found = groups_of(data, time, event, by, entry, weights, weight_type, cluster, competing)
    robust = is_robust(weights, weight_type, cluster)
    said = {"outcome": event, "measure": "survival", "method": "Kaplan-Meier"}
    rows = stacked([named(_curve(group, robust, interval), group) | said for group in found])
    method = f"Kaplan-Meier; {_method(robust, cluster)}, 95 % interval {_SCALES[interval]}"
    return Estimates(tidy(rows), "Kaplan-Meier", method, (KAPLAN_MEIER, THERNEAU if robust else GREENWOOD), "steps",
                     few_notes(found))  # fmt: skip


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="refused, or censored on request")
def nelson_aalen(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", cluster: str | None = None,
    interval: Literal["log", "plain"] = "log", competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Cumulative hazard: the sum over times of events among those at risk.

    Parameters
    ----------
    data, time, event, by, entry, weights, weight_type, cluster, competing
        As in `kaplan_meier`.
    interval : {"log", "plain"}
        Scale on which the 95 % limits are symmetric; plain limits stop at 0.

    Returns
    -------
    Estimates
        Rows as in `kaplan_meier`; ``estimate`` is the cumulative hazard (from 0 up, no share).

    Raises
    ------
    UnsupportedError
        As `kaplan_meier`.

    Notes
    -----
    Estimate and error are ``cumhaz`` and ``std.chaz`` of R's ``survival::survfit``: tied events share their risk set, and
    the variance is the sum of d / n^2; the infinitesimal jackknife for probability weights and clusters.

    References
    ----------
    Aalen O. Nonparametric inference for a family of counting processes. Ann Stat 1978;6:701-726.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 1, 1, 0]})
    >>> nelson_aalen(six).table["estimate"].round(4).tolist()
    [0.0, 0.1667, 0.3667, 0.7, 1.2]
    """
    if interval not in ("log", "plain"):
        raise UnsupportedError("interval is log or plain")
    found = groups_of(data, time, event, by, entry, weights, weight_type, cluster, competing)
    robust = is_robust(weights, weight_type, cluster)
    parts = []
    for group in found:
        counted = event_table(group.people)
        hazard = np.cumsum(ratio(counted.events[:, 0], counted.at_risk))
        if robust:
            std_error = np.sqrt(of_hazard(group.people, counted).variance())
        else:
            std_error = np.sqrt(np.cumsum(ratio(ratio(counted.events[:, 0], counted.at_risk), counted.at_risk)))
        low, high = limits(hazard, std_error, interval, t_quantile(np.array(degrees_of(group))))
        parts.append(named({
            "time": counted.time, "at_risk": counted.at_risk, "entered": counted.entered, "events": counted.events[:, 0],
            "censored": counted.censored, "estimate": hazard, "std_error": std_error, "conf_low": np.maximum(low, 0.0),
            "conf_high": high, "outcome": event, "measure": "cumulative_hazard", "method": "Nelson-Aalen",
        }, group))  # fmt: skip
    rows = stacked(parts)
    error = _method(robust, cluster) if robust else "Aalen's errors"
    scale = _SCALES["log"] if interval == "log" else "symmetric, cut at 0"
    references = (AALEN, THERNEAU) if robust else (AALEN,)
    return Estimates(tidy(rows), "Cumulative hazard", f"Nelson-Aalen; {error}, 95 % interval {scale}", references, "steps",
                     few_notes(found))  # fmt: skip


def _crossing(times: Floats, gone: Floats, probability: float) -> float:
    """First time at which the share gone passes the probability; the middle of the flat stretch where it equals it."""
    known = np.isfinite(gone)
    ends_known, last = bool(known[-1]), float(times[-1])
    times, gone = times[known], gone[known]
    # limits need not fall all the way: R looks them up in order of size, each value at its first time
    gone, first = np.unique(gone, return_index=True)
    times = times[first]
    if probability == 0:
        return 0.0
    above, below = (int(np.searchsorted(gone + shift, probability)) for shift in (_TOLERANCE, -_TOLERANCE))
    if above >= len(gone):
        return float("nan")
    if ends_known and above == len(gone) - 1 and abs(probability - gone[-1]) < _TOLERANCE:
        return (float(times[-1]) + last) / 2
    return (float(times[above]) + float(times[below])) / 2 if below < len(gone) else float("nan")


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="refused, or censored on request")
def survival_quantiles(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None,
    probability: float | Sequence[float] = 0.5, entry: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", cluster: str | None = None,
    interval: Literal["log-log", "log", "plain"] = "log-log", competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Time by which a share of the people have had the event: the median with its interval, or other quantiles.

    Parameters
    ----------
    data, time, event, by, entry, weights, weight_type, cluster, interval, competing
        As in `kaplan_meier`.
    probability : float or list of float
        Share with the event, 0 to 1; 0.5 is the median.

    Returns
    -------
    Estimates
        Measure "survival_quantile", a row a group and ``probability``;
        ``estimate`` and limits in the unit of time, empty where the curve (or
        its limit) does not come down that far.

    Raises
    ------
    UnsupportedError
        As `kaplan_meier`, and for a probability outside 0 to 1.

    Notes
    -----
    Equal to R's ``quantile(survfit(...))``: the first time at which the curve
    is below 1 - probability. Where the curve is flat at exactly 1 -
    probability, the middle of the flat stretch (to the last time where the
    curve ends there). Limits are where the pointwise limits of the curve cross.

    References
    ----------
    Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 1, 1, 0]})
    >>> survival_quantiles(six).table[["estimate", "conf_low"]].values.tolist()
    [[3.0, 1.0]]
    """
    wanted = [float(p) for p in np.atleast_1d(np.asarray(probability, dtype=float))]
    if not all(0 <= p <= 1 for p in wanted):
        raise UnsupportedError("a probability lies between 0 and 1")
    found = groups_of(data, time, event, by, entry, weights, weight_type, cluster, competing)
    robust = is_robust(weights, weight_type, cluster)
    rows: list[dict[str, Any]] = []
    for group in found:
        curve = _curve(group, robust, interval)
        times = np.concatenate([[0.0], curve["time"].astype(float)])
        gone = {c: np.concatenate([[0.0], 1 - curve[c]]) for c in ("estimate", "conf_low", "conf_high")}
        values = {c: np.array([_crossing(times, gone[c], p) for p in wanted]) for c in gone}
        rows.append(named({"probability": np.array(wanted), "events": curve["events"].sum(), **values, "outcome": event,
                           "measure": "survival_quantile", "method": "Kaplan-Meier quantile"}, group))  # fmt: skip
    table = stacked(rows)
    method = f"Quantiles of the Kaplan-Meier curve; limits where its 95 % limits cross ({_method(robust, cluster)}, {_SCALES[interval]})"
    return Estimates(tidy(table), "Quantiles of time", method, (KAPLAN_MEIER, BROOKMEYER), "forest", few_notes(found))
