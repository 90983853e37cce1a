"""Tests of whether groups share one curve: log-rank for hazards, Gray's for cumulative incidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.event_table import Patterns
from ips_outcomes.analysis.folding import folded
from ips_outcomes.analysis.inputs import Data, as_list, group_name, times_table
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["expected_events", "gray_test", "log_rank"]

Floats = NDArray[np.float64]

MANTEL = "Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer Chemother Rep 1966;50:163-170."
GRAY = (
    "Gray RJ. A class of K-sample tests for comparing the cumulative incidence of a competing risk. Ann Stat 1988;16:1141-1154. "
    "doi:10.1214/aos/1176350951"
)


@dataclass(frozen=True)
class _Stratum:
    """Counts of every group at the times with an event of the cause (and, for Gray's test, a competing one): groups by times."""

    at_risk: Floats
    own: Floats
    other: Floats


def _strata(
    data: Data, time: str, event: str, by: str | Sequence[str] | None, cause: int, strata: str | Sequence[str] | None,
    entry: str | None, weights: str | None,
) -> tuple[dict[str, int], list[_Stratum]]:  # fmt: skip
    """People by group, and each stratum's counts."""
    if cause < 1:
        raise UnsupportedError("cause is the code of an event, 1 or higher; 0 is censored")
    columns, layers = as_list(by), as_list(strata)
    if not columns:
        raise UnsupportedError("name the column of the groups with by=")
    found = folded(times_table(data), [*layers, *columns], time, event, entry=entry, weights=weights)
    if not found:
        raise UnsupportedError("there is nobody in the data")
    people: dict[str, int] = {}
    members: dict[str, list[tuple[str, Patterns]]] = {}
    for group in found:
        layer, name = (group_name(tuple(group.levels[c] for c in part)) for part in (layers, columns))
        people[name] = people.get(name, 0) + group.n
        members.setdefault(layer, []).append((name, group.people))
    if len(people) < 2:
        raise UnsupportedError("there is one group only: nothing to compare")
    order = {name: i for i, name in enumerate(people)}
    return people, [_counted([(order[name], p) for name, p in parts], len(order), cause) for parts in members.values()]


def _counted(parts: list[tuple[int, Patterns]], size: int, cause: int) -> _Stratum:
    times = np.unique(np.concatenate([p.time[p.event > 0] for _, p in parts]))
    at_risk, own, other = (np.zeros((size, len(times))) for _ in range(3))
    for i, people in parts:
        # at risk at t: entry < t <= time
        left = np.bincount(np.searchsorted(times, people.time, side="right"), weights=people.mass, minlength=len(times) + 1)
        come = np.bincount(np.searchsorted(times, people.entry, side="right"), weights=people.mass, minlength=len(times) + 1)
        at_risk[i] = (np.cumsum(come) - np.cumsum(left))[: len(times)]
        for counts, chosen in ((own, people.event == cause), (other, (people.event > 0) & (people.event != cause))):
            at = np.searchsorted(times, people.time[chosen])
            counts[i] = np.bincount(at, weights=people.mass[chosen], minlength=len(times))
    return _Stratum(at_risk, own, other)


def _quadratic(score: Floats, covariance: Floats, informative: NDArray[np.bool_]) -> tuple[float, int]:
    """Statistic and degrees of freedom, one group left out as the scores add up to nothing."""
    kept = np.flatnonzero(informative)[:-1]
    if not len(kept):
        return float("nan"), 0
    statistic = float(score[kept] @ np.linalg.pinv(covariance[np.ix_(kept, kept)], hermitian=True) @ score[kept])
    return max(statistic, 0.0), len(kept)


def _tested(
    people: dict[str, int], score: Floats, covariance: Floats, informative: NDArray[np.bool_], events: float, event: str,
    measure: str, method: str,
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # fmt: skip
    statistic, freedom = _quadratic(score, covariance, informative)
    notes = () if freedom else ("no time at which groups could differ: nothing is tested",)
    row = {
        "outcome": event, "measure": measure, "contrast": ", ".join(people), "n": sum(people.values()), "events": events,
        "statistic": statistic, "degrees_of_freedom": freedom, "method": method,
        # the upper tail itself: one minus the lower would be 0 below 1e-16
        "p_value": float(special.chdtrc(freedom, statistic)) if freedom else float("nan"),
    }  # fmt: skip
    return tidy(pd.DataFrame([row])), notes


def _log_rank(layer: _Stratum) -> tuple[Floats, Floats, Floats]:
    """Observed and expected events by group, and the covariance of observed under one common hazard."""
    everyone, events = layer.at_risk.sum(axis=0), layer.own.sum(axis=0)
    share = np.divide(layer.at_risk, everyone, out=np.zeros_like(layer.at_risk), where=everyone > 0)
    # tied events are drawn without replacement: hypergeometric
    drawn = events * np.divide(everyone - events, everyone - 1, out=np.zeros(len(events)), where=everyone > 1)
    covariance = np.diag(share @ drawn) - (share * drawn) @ share.T
    return layer.own.sum(axis=1), share @ events, covariance


@supports(entry=True, frequency_weights=True, strata=True, competing="censored", instead="cox with cluster= or weight_type=")
def log_rank(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, cause: int = 1,
    strata: str | Sequence[str] | None = None, entry: str | None = None, weights: str | None = None,
) -> Estimates:  # fmt: skip
    """Test of one common hazard of the event in all groups.

    Parameters
    ----------
    data, time, event, entry, weights
        As in `kaplan_meier`; weights are frequencies.
    by : str or list of str
        Columns that make the groups.
    cause : int
        The code of the event of interest; other events count as censored (a test of the cause-specific hazard).
    strata : str or list of str, optional
        Columns within whose levels groups are compared.

    Returns
    -------
    Estimates
        One row, measure "log_rank": ``statistic`` (chi-square),
        ``degrees_of_freedom``, ``p_value``; empty where no event could tell
        groups apart (said in ``notes``). `expected_events` has observed and expected by group.

    Raises
    ------
    UnsupportedError
        For one group only, probability weights, and as `kaplan_meier`.

    Notes
    -----
    Equal to R's ``survival::survdiff``; with delayed entry to the score test of ``coxph(..., ties = "exact")``.

    References
    ----------
    Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer Chemother
    Rep 1966;50:163-170.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [1, 2, 3, 4], "event": [1, 1, 1, 1]})
    >>> log_rank(people, by="arm").table[["statistic", "degrees_of_freedom", "p_value"]].round(4).values.tolist()
    [[2.8824, 1.0, 0.0896]]
    """
    people, layers = _strata(data, time, event, by, cause, strata, entry, weights)
    observed, expected, covariance = (sum(x) for x in zip(*map(_log_rank, layers), strict=True))
    method = "log-rank" + (", stratified" if strata else "")
    table, notes = _tested(
        people, observed - expected, covariance, expected > 0, observed.sum(), event, "log_rank", method
    )  # fmt: skip
    words = f"Log-rank test of the cause-specific hazard, other events censored{', stratified' if strata else ''}; hypergeometric variance"
    return Estimates(table, "Log-rank test", words, (MANTEL,), "forest", notes)


@supports(entry=True, frequency_weights=True, strata=True, competing="censored")
def expected_events(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, cause: int = 1,
    strata: str | Sequence[str] | None = None, entry: str | None = None, weights: str | None = None,
) -> Estimates:  # fmt: skip
    """Events seen in each group, and those expected under one common hazard: what `log_rank` compares.

    Parameters
    ----------
    data, time, event, by, cause, strata, entry, weights
        As in `log_rank`.

    Returns
    -------
    Estimates
        Measure "expected_events", a row a group: ``events`` (observed) and ``estimate`` (expected).

    Raises
    ------
    UnsupportedError
        As `log_rank`.

    References
    ----------
    Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer Chemother
    Rep 1966;50:163-170.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [1, 2, 3, 4], "event": [1, 1, 1, 1]})
    >>> expected_events(people, by="arm").table[["events", "estimate"]].round(3).values.tolist()
    [[2, 0.833], [2, 3.167]]
    """
    people, layers = _strata(data, time, event, by, cause, strata, entry, weights)
    observed, expected, _ = (sum(x) for x in zip(*map(_log_rank, layers), strict=True))
    rows = pd.DataFrame({
        "outcome": event, "measure": "expected_events", "group": list(people), "n": list(people.values()), "events": observed,
        "estimate": expected, "method": "log-rank",
    })  # fmt: skip
    return Estimates(tidy(rows), "Observed and expected events", "Expected under one common hazard", (MANTEL,), "forest")


def _gray(layer: _Stratum) -> tuple[Floats, Floats]:
    """Gray's score and its covariance (rho = 0) in one stratum.

    Notation of the paper: F_k and S_k of group k just before a time, risk sets R_k = Y_k (1 - F_k) / S_k kept
    up by those who had a competing event, F the incidence that all groups share under the hypothesis.
    """
    at_risk, own, other = layer.at_risk, layer.own, layer.other
    present = at_risk > 0

    def over(x: Floats, y: Floats) -> Floats:
        return np.divide(x, y, out=np.zeros(np.broadcast(x, y).shape), where=y > 0)

    free = np.cumprod(np.where(present, over(at_risk - own - other, at_risk), 1.0), axis=1, dtype=np.float64)
    before = np.concatenate([np.ones((len(free), 1)), free[:, :-1]], axis=1)
    incidence = np.cumsum(over(before * own, at_risk), axis=1)
    had = np.concatenate([np.zeros((len(free), 1)), incidence[:, :-1]], axis=1)
    events = own.sum(axis=0)
    scaled = over(at_risk, before)
    kept_up = scaled * (1 - had)
    score = own.sum(axis=1) - (over(kept_up, kept_up.sum(axis=0)) * events).sum(axis=1)
    # one common incidence
    total = scaled.sum(axis=0)
    step = over(events, total)
    common = np.cumsum(step)
    common_before = np.concatenate([[0.0], common[:-1]])
    # a[i, k, t]: what an event in group k does to the score of group i at once; c: what it does later
    share = over(scaled, total)
    a = np.eye(len(at_risk))[:, :, None] * scaled[None] - scaled[:, None] * share[None]
    c = np.cumsum(a * over(step, 1 - common_before), axis=2)
    later = c - c[:, :, -1:]
    lasting = over(1 - common[None], free)
    tied = np.where(events > 1, 1 - over(np.ones_like(at_risk) * (events - 1), total * before - 1), 1.0)
    own_weight = tied * over(before * step, at_risk)
    own_effect = a - np.where(free > 0, 1 - lasting, 1.0)[None] * later
    tied = np.where(other > 1, 1 - over(other - 1.0, at_risk - 1.0), 1.0)
    other_weight = np.where(free > 0, tied * over(before**2 * other, at_risk**2), 0.0)
    other_effect = lasting[None] * later
    covariance = np.einsum("kt,ikt,jkt->ij", own_weight, own_effect, own_effect)
    covariance += np.einsum("kt,ikt,jkt->ij", other_weight, other_effect, other_effect)
    return score, covariance


@supports(frequency_weights=True, strata=True, competing="yes", instead="fine_gray")
def gray_test(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, cause: int = 1,
    strata: str | Sequence[str] | None = None, weights: str | None = None,
) -> Estimates:  # fmt: skip
    """Test of one common cumulative incidence of the event in all groups, when other events can come first.

    Parameters
    ----------
    data, time, event, by, cause, strata, weights
        As in `log_rank`, but other events compete. Delayed entry is refused.

    Returns
    -------
    Estimates
        One row, measure "gray_test": ``statistic`` (chi-square),
        ``degrees_of_freedom``, ``p_value``.

    Raises
    ------
    UnsupportedError
        For one group only, delayed entry, probability weights.

    Notes
    -----
    Equal to R's ``cmprsk::cuminc`` with ``rho = 0``.

    References
    ----------
    Gray RJ. A class of K-sample tests for comparing the cumulative incidence of a competing risk. Ann Stat 1988;16:1141-1154.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": list("aaabbb"), "time": [1, 2, 3, 1, 4, 5], "event": [1, 1, 2, 2, 1, 0]})
    >>> gray_test(people, by="arm").table["degrees_of_freedom"].tolist()
    [1]
    """
    people, layers = _strata(data, time, event, by, cause, strata, None, weights)
    score, covariance = (sum(x) for x in zip(*(_gray(layer) for layer in layers), strict=True))
    events = sum(float(layer.own.sum()) for layer in layers)
    method = "Gray" + (", stratified" if strata else "")
    informative = np.diag(covariance) > 1e-12
    table, notes = _tested(people, score, covariance, informative, events, event, "gray_test", method)
    words = f"Gray's test of the cumulative incidence, other events competing{', stratified' if strata else ''}"
    return Estimates(table, "Gray's test", words, (GRAY,), "forest", notes)
