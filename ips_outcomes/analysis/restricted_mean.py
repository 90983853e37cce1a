"""Mean time up to a horizon: without the event (RMST), or since the event (months gained)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import event_table
from ips_outcomes.analysis.folding import Group, WeightType
from ips_outcomes.analysis.incidence import incidence_from_table
from ips_outcomes.analysis.influence import area_to, of_incidence, of_survival
from ips_outcomes.analysis.inputs import Data, as_list, own_reference
from ips_outcomes.analysis.limits import limits, t_p, t_quantile
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.survival import Competing, degrees_of, few_notes, greenwood, groups_of, is_robust, named, survival_of
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, stacked, tidy

__all__ = ["longest_horizon", "months_gained", "rmst"]

Floats = NDArray[np.float64]

REFERENCES = (
    "Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio. BMC Med Res Methodol 2013;13:152. "
    "doi:10.1186/1471-2288-13-152",
    "Uno H, et al. Moving beyond the hazard ratio in quantifying the between-group difference. J Clin Oncol 2014;32:2380-2385. "
    "doi:10.1200/JCO.2014.55.2208",
)
LOST = (
    "Andersen PK. Decomposition of number of life years lost according to causes of death. Stat Med 2013;32:5278-5285. "
    "doi:10.1002/sim.5903"
)


@dataclass(frozen=True)
class _Arm:
    """One group's areas: a value and a variance a horizon, and influences by cluster where clusters can span arms."""

    group: Group
    area: Floats
    variance: Floats
    influence: tuple[NDArray[np.int64], Floats] | None
    events: Floats


def _last(groups: list[Group]) -> list[float]:
    """Of each group the last observed time, without limit where everybody had an event by then."""
    found = []
    for group in groups:
        free = incidence_from_table(event_table(group.people))["event_free"]
        found.append(float("inf") if free[-1] == 0 else float(group.people.time.max()))
    return found


def _horizons(horizon: float | Sequence[float] | None, groups: list[Group]) -> tuple[Floats, tuple[str, ...]]:
    ends = _last(groups)
    longest = min(ends)
    if horizon is None:
        chosen = longest if np.isfinite(longest) else float(max(int(g.people.time.max()) for g in groups))
        return np.array([chosen]), (f"no horizon was named: the longest that every group allows, {chosen:g}",)
    wanted = np.atleast_1d(np.asarray(horizon, dtype=float))
    if not len(wanted) or not (np.isfinite(wanted) & (wanted > 0)).all():
        raise UnsupportedError("a horizon is a number above zero")
    if (wanted > longest).any():
        short = [group.name for group, end in zip(groups, ends, strict=True) if end < wanted.max()]
        raise UnsupportedError(
            f"a horizon of {wanted.max():g} lies past the last observed time of {', '.join(short)}: the longest allowed is {longest:g}"
        )
    return wanted, ()


def _arm(group: Group, ends: Floats, cause: int | None, robust: bool) -> _Arm:
    people, counted = group.people, event_table(group.people, cause or 1)
    events = np.array([float(counted.events[counted.time <= end, 0].sum()) for end in ends])
    if cause is None:
        curve = survival_of(counted)
        influence = of_survival(people, counted, curve) if robust else None
    else:
        rows = incidence_from_table(counted)
        curve = rows["estimate"]
        influence = of_incidence(people, counted, cause, curve, rows["event_free"])
    area = area_to(counted.time, curve, ends)
    if influence is None:
        # what is still to come after each event, squared, times Greenwood's step
        until = area_to(counted.time, curve, counted.time.astype(float))
        to_come = np.maximum(area[:, None] - until, 0.0) * (counted.time < ends[:, None])
        return _Arm(group, area, to_come**2 @ greenwood(counted), None, events)
    values = influence.areas(ends)
    if people.cluster is None:
        return _Arm(group, area, people.square @ values**2, None, events)
    clusters, code = np.unique(people.cluster, return_inverse=True)
    sums: Floats = np.stack(
        [np.bincount(code, weights=people.mass * v, minlength=len(clusters)).astype(np.float64) for v in values.T], axis=1
    )
    return _Arm(group, area, (sums**2).sum(axis=0), (clusters, sums), events)


def _covariance(one: _Arm, other: _Arm) -> Floats:
    """Between arms: none unless clusters have people in both."""
    if one.influence is None or other.influence is None:
        return np.zeros(len(one.area))
    _, i, j = np.intersect1d(one.influence[0], other.influence[0], assume_unique=True, return_indices=True)
    return (one.influence[1][i] * other.influence[1][j]).sum(axis=0)


def _alone(arm: _Arm, ends: Floats, measure: str) -> pd.DataFrame:
    error = np.sqrt(arm.variance)
    low, high = limits(arm.area, error, "plain", t_quantile(np.array(degrees_of(arm.group))))
    columns = {
        "measure": measure, "horizon": ends, "events": arm.events, "estimate": arm.area, "std_error": error,
        "conf_low": np.maximum(low, 0.0), "conf_high": np.minimum(high, ends),
    }  # fmt: skip
    return pd.DataFrame(stacked([named(columns, arm.group)]))


def _difference(arm: _Arm, base: _Arm, ends: Floats, measure: str) -> pd.DataFrame:
    estimate = arm.area - base.area
    error = np.sqrt(np.maximum(arm.variance + base.variance - 2 * _covariance(arm, base), 0.0))
    return _contrast(arm, base, ends, measure, " - ", estimate, error, *_tested(estimate, error, arm, base))


def _ratio(arm: _Arm, base: _Arm, ends: Floats, measure: str) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where((arm.area > 0) & (base.area > 0), arm.area / base.area, np.nan)
        relative = arm.variance / arm.area**2 + base.variance / base.area**2
        relative = relative - 2 * _covariance(arm, base) / (arm.area * base.area)
        error = np.where(np.isfinite(estimate), np.sqrt(np.maximum(relative, 0.0)), np.nan)
        middle = np.log(estimate)
    low, high, p_value = _tested(middle, error, arm, base)
    return _contrast(arm, base, ends, measure, " / ", estimate, error, np.exp(low), np.exp(high), p_value)


def _tested(estimate: Floats, error: Floats, arm: _Arm, base: _Arm) -> tuple[Floats, Floats, Floats]:
    """Limits and two-sided p, none where nothing varies; of t where clusters are few."""
    degrees = np.array(degrees_of(arm.group, base.group))
    statistic = np.divide(estimate, error, out=np.full(len(error), np.nan), where=error > 0)
    return *limits(estimate, error, "plain", t_quantile(degrees)), t_p(statistic, np.full(len(error), degrees))


def _contrast(
    arm: _Arm, base: _Arm, ends: Floats, measure: str, sign: str, estimate: Floats, error: Floats, low: Floats, high: Floats,
    p_value: Floats,
) -> pd.DataFrame:  # fmt: skip
    return pd.DataFrame({
        "measure": measure, "contrast": f"{arm.group.name}{sign}{base.group.name}", "horizon": ends,
        "n": arm.group.n + base.group.n, "events": arm.events + base.events, "estimate": estimate, "std_error": error,
        "conf_low": low, "conf_high": high, "p_value": p_value,
    })  # fmt: skip


def _table(
    arms: list[_Arm], ends: Floats, reference: str | None, event: str, measure: str, difference: str, ratio: str | None
) -> pd.DataFrame:
    parts = [_alone(arm, ends, measure) for arm in arms]
    if reference is not None:
        base = next((arm for arm in arms if arm.group.name == reference), None)
        if base is None:
            raise UnsupportedError(f"{reference} is not a group; there are: {', '.join(arm.group.name for arm in arms)}")
        others = [arm for arm in arms if arm is not base]
        if not others:
            raise UnsupportedError("there is one group only: nothing to compare")
        parts += [_difference(arm, base, ends, difference) for arm in others]
        parts += [_ratio(arm, base, ends, ratio) for arm in others] if ratio else []
    rows = pd.concat(parts, ignore_index=True)
    whole = rows["horizon"] == np.floor(rows["horizon"])
    return rows.assign(outcome=event, time=rows["horizon"].where(whole).astype("Int64"))


def _reference(data: Data, by: str | Sequence[str] | None, reference: object) -> str | None:
    if as_list(by) == ["arm"]:
        reference = own_reference(data, reference)
    if reference is not None and by is None:
        raise UnsupportedError("a reference needs groups: name their column with by=")
    return None if reference is None else str(reference)


def longest_horizon(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", competing: Competing | None = None,
) -> float:  # fmt: skip
    """Longest horizon at which `rmst` and `months_gained` answer: the smallest, over groups, of the last observed time.

    Parameters
    ----------
    data, time, event, by, entry, weights, weight_type
        As in `kaplan_meier`.
    competing : {"refuse", "censor"}, optional
        As in `kaplan_meier`, for `rmst`. By default competing events end a person's time, as in `months_gained`.

    Returns
    -------
    float
        In the unit of time; infinite where every group's people all had an event.

    Raises
    ------
    UnsupportedError
        As `kaplan_meier`.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [3, 9, 4, 7], "event": [1, 0, 1, 1]})
    >>> longest_horizon(people, by="arm")
    9.0
    """
    return min(_last(groups_of(data, time, event, by, entry, weights, weight_type, None, competing)))


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="refused, or censored on request")
def rmst(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None,
    horizon: float | Sequence[float] | None = None, reference: str | None = None, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", cluster: str | None = None,
    competing: Competing = "refuse",
) -> Estimates:  # fmt: skip
    """Mean time without the event up to a horizon, by group, and its differences and ratios.

    Parameters
    ----------
    data, time, event, by, entry, weights, weight_type, cluster, competing
        As in `kaplan_meier`.
    horizon : float or list of float, optional
        Up to when time counts, in the unit of time; several are landmarks.
        None: the longest that every group allows (said in ``notes``).
    reference : str, optional
        Group that others are compared with; a FollowUp by arm knows its own.

    Returns
    -------
    Estimates
        Measures "rmst" (a row a group), and with a reference
        "rmst_difference" (contrast "a - b") and "rmst_ratio" ("a / b", whose
        ``std_error`` is that of its logarithm), with ``p_value``; column
        ``horizon`` (and ``time`` where it is whole); ``events`` up to then.

    Raises
    ------
    UnsupportedError
        For a horizon past the smallest, over groups, of the last observed
        time (a group whose curve has reached 0 sets no limit); the message
        names the longest allowed. Otherwise as `kaplan_meier`.

    Notes
    -----
    Area under the Kaplan-Meier curve. Its variance is the sum over events of
    (area still to come)^2 d / (n (n - d)), as in R's
    ``print(survfit(...), rmean = horizon)``; the infinitesimal jackknife for
    probability weights and clusters, which also sees clusters that have people in two groups.

    References
    ----------
    Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio. BMC Med Res Methodol 2013;13:152.
    Uno H, et al. Moving beyond the hazard ratio in quantifying the between-group difference. J Clin Oncol 2014;32:2380-2385.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [2, 4, 1, 3], "event": [1, 0, 1, 0]})
    >>> found = rmst(people, by="arm", horizon=3, reference="b").table
    >>> found[["measure", "estimate"]].round(2).values.tolist()
    [['rmst', 2.5], ['rmst', 2.0], ['rmst_difference', 0.5], ['rmst_ratio', 1.25]]
    """
    base = _reference(data, by, reference)
    groups = groups_of(data, time, event, by, entry, weights, weight_type, cluster, competing)
    ends, notes = _horizons(horizon, groups)
    robust = is_robust(weights, weight_type, cluster)
    arms = [_arm(group, ends, None, robust) for group in groups]
    rows = _table(arms, ends, base, event, "rmst", "rmst_difference", "rmst_ratio").assign(method="area under Kaplan-Meier")
    error = "infinitesimal-jackknife" + (f" (clusters: {cluster})" if cluster else "") if robust else "Greenwood-type"
    method = f"Restricted mean time without the event: area under Kaplan-Meier; {error} errors, normal 95 % interval (ratio: log)"
    return Estimates(tidy(rows), "Restricted mean time", method, REFERENCES, "forest", (*notes, *few_notes(groups)))


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, competing="yes")
def months_gained(
    data: Data, time: str = "time", event: str = "event", by: str | Sequence[str] | None = None,
    horizon: float | Sequence[float] | None = None, reference: str | None = None, cause: int = 1, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", cluster: str | None = None,
) -> Estimates:  # fmt: skip
    """Mean time since the event, of the time up to a horizon: the area under the cumulative incidence.

    With months to the first job this is "months since first job, of 43".

    Parameters
    ----------
    data, time, event, by, entry, weights, weight_type, cluster, cause
        As in `cumulative_incidence`.
    horizon, reference
        As in `rmst`.

    Returns
    -------
    Estimates
        Measures "mean" (a row a group), and with a reference
        "mean_difference" (contrast "a - b") with ``p_value``; column ``horizon``.

    Raises
    ------
    UnsupportedError
        As `rmst`; a group whose people all had some event sets no limit to the horizon.

    Notes
    -----
    Errors by the infinitesimal jackknife, as R's ``print(survfit(...), rmean = horizon)`` of a multi-state curve.
    People with a competing event gain nothing.

    References
    ----------
    Andersen PK. Decomposition of number of life years lost according to causes of death. Stat Med 2013;32:5278-5285.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [2, 4, 1, 4], "event": [1, 0, 2, 0]})
    >>> found = months_gained(people, by="arm", horizon=4, reference="b").table
    >>> found[["measure", "estimate"]].values.tolist()
    [['mean', 1.0], ['mean', 0.0], ['mean_difference', 1.0]]
    """
    if cause < 1:
        raise UnsupportedError("cause is the code of an event, 1 or higher; 0 is censored")
    base = _reference(data, by, reference)
    groups = groups_of(data, time, event, by, entry, weights, weight_type, cluster, None)
    ends, notes = _horizons(horizon, groups)
    arms = [_arm(group, ends, cause, True) for group in groups]
    rows = _table(arms, ends, base, event, "mean", "mean_difference", None).assign(method="area under Aalen-Johansen")
    error = "infinitesimal-jackknife" + (f" (clusters: {cluster})" if cluster else "")
    method = (
        f"Mean time since the event: area under the Aalen-Johansen cumulative incidence; {error} errors, normal 95 % interval"
    )
    return Estimates(tidy(rows), "Months gained", method, (LOST, REFERENCES[0]), "forest", (*notes, *few_notes(groups)))
