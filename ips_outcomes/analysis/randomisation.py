"""Randomisation tests: the arms drawn again, as they might have been, thousands of times in one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.bootstrap import curve_units
from ips_outcomes.analysis.inputs import Data, own_reference
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.resampling import Units, permuted_sums
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.times_bootstrap import TimesByArm, added_up, times_by_arm
from ips_outcomes.analysis.work_totals import Missing, dead_as_no, stretch, totals
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["log_rank_statistic", "randomisation_test"]

Floats = NDArray[np.float64]
Statistic = Literal["risk_difference", "months_in_work", "log_rank"]

REFERENCES = (
    "Edgington ES, Onghena P. Randomization Tests. 4th ed. Chapman & Hall/CRC 2007. doi:10.1201/9781420011814",
    "Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley 1993.",
    "Phipson B, Smyth GK. Permutation p-values should never be zero: calculating exact p-values when permutations are randomly "
    "drawn. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585",
)
#: Statistics this much closer to zero than the observed one, relative, are still as extreme: crumbs of arithmetic.
TIE = 1e-9


def log_rank_statistic(at_risk: Floats, events: Floats, own_at_risk: Floats, own_events: Floats) -> tuple[Floats, Floats]:
    """Observed less expected events of an arm, and its variance, over the months of the last axis.

    Examples
    --------
    >>> months = [np.array([4.0, 2.0]), np.array([1.0, 1.0]), np.array([2.0, 1.0]), np.array([1.0, 0.0])]
    >>> [float(x) for x in log_rank_statistic(*months)]
    [0.0, 0.5]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(at_risk > 0, own_at_risk / at_risk, 0.0)
        spread = np.where(at_risk > 1, events * (at_risk - events) / (at_risk - 1), 0.0)
    return (own_events - events * share).sum(axis=-1), (spread * share * (1 - share)).sum(axis=-1)


def _p_values(observed: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Two-sided p by column, and over all columns together (largest deviation in its own spread)."""
    permutations, finite = len(drawn), np.isfinite(drawn)
    size = np.where(finite, np.abs(drawn), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt((size**2).sum(axis=0) / finite.sum(axis=0))
    known = np.isfinite(observed) & np.isfinite(scale)
    level = np.abs(observed) * (1 - TIE) - 1e-12
    # a permutation that leaves nobody observed in an arm counts against us
    beyond = (~finite | (size >= level)).sum(axis=0)
    p_value = np.where(known, (1 + beyond) / (1 + permutations), np.nan)
    moving = known & (scale > 0)
    adjusted = np.full(len(observed), np.nan)
    if moving.any():
        peak = np.where(finite, size, np.inf)[:, moving] / scale[moving]
        peak = peak.max(axis=1)
        above = (peak[:, None] >= level[moving] / scale[moving]).sum(axis=0)
        adjusted[moving] = np.maximum((1 + above) / (1 + permutations), p_value[moving])
    return p_value, adjusted


def _assigned(block: NDArray[np.int64], count: Floats, treated: NDArray[np.bool_], unit: str) -> NDArray[np.int64]:
    """Units that went to the arm, by block; refused where nothing could have been otherwise."""
    names = np.unique(block)
    chosen = np.array([round(float(count[(block == name) & treated].sum())) for name in names], dtype=np.int64)
    total = np.array([round(float(count[block == name].sum())) for name in names], dtype=np.int64)
    if not ((chosen > 0) & (chosen < total)).any():
        raise UnsupportedError(f"no stratum has {unit} of both arms: the arms could not have been otherwise")
    return chosen


def _own_arm(cluster: NDArray[np.int64] | None, arm: NDArray[np.int64], stratum: NDArray[np.int64]) -> None:
    if cluster is None:
        return
    homes = pd.DataFrame({"cluster": cluster, "arm": arm, "stratum": stratum}).groupby("cluster").nunique()
    if (homes > 1).to_numpy().any():
        raise UnsupportedError(
            f"{int((homes > 1).any(axis=1).sum())} clusters have people of both arms or of several strata: whole clusters are "
            "drawn again only where clusters were randomised; put centres into strata= where individuals were"
        )


def _months_test(
    matrix: MonthsMatrix, place: int, other: int, statistic: Statistic, missing: Missing, permutations: int, seed: int,
    chunk: int | None,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Observed difference, permuted differences and people, by month (or one column of their sum)."""
    if statistic == "months_in_work":
        used = totals(matrix, missing)
        matrix = used.matrix if missing == "exclude" else dead_as_no(matrix)
    pair = matrix.where(np.isin(matrix.arm, (place, other)))
    _own_arm(pair.cluster, pair.arm, pair.stratum)
    units = curve_units(pair, pair.stratum)
    shape = (len(matrix.arms), 2, len(matrix.months))
    by_arm = units.sums.reshape(-1, *shape)
    treated = (by_arm[:, place, 0].sum(axis=1) > 0) if pair.cluster is not None else pair.arm == place
    if pair.cluster is not None:
        first = np.unique(pair.cluster, return_index=True)[1]
        treated = pair.arm[first] == place
    pooled = by_arm.sum(axis=1).reshape(len(by_arm), -1)
    chosen = _assigned(units.block, units.count, treated, "people" if pair.cluster is None else "clusters")
    own = permuted_sums(Units(units.block, units.count, pooled), chosen, permutations, seed, chunk).reshape(-1, *shape[1:])
    whole = (units.count @ pooled).reshape(shape[1:])
    seen = (units.count * treated) @ pooled
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = own[:, 1] / own[:, 0] - (whole[1] - own[:, 1]) / (whole[0] - own[:, 0])
        mine = seen.reshape(shape[1:])
        observed = mine[1] / mine[0] - (whole[1] - mine[1]) / (whole[0] - mine[0])
    people = pair.count @ pair.observed
    if statistic == "months_in_work":
        return observed.sum(keepdims=True), drawn.sum(axis=1, keepdims=True), np.array([float(pair.count.sum())])
    return observed, drawn, people


def _log_rank_test(
    people: TimesByArm, place: int, other: int, permutations: int, seed: int, chunk: int | None
) -> tuple[Floats, Floats, Floats]:
    """Observed and permuted log-rank z (arm against reference, stratified), and people."""
    pair = np.isin(people.arm, (place, other))
    arm, stratum, count, weight = people.arm[pair], people.stratum[pair], people.count[pair], people.weight[pair]
    cluster = None if people.cluster is None else people.cluster[pair]
    _own_arm(cluster, arm, stratum)
    months = np.arange(int(people.time[pair].max()) + 1)
    sums = np.concatenate([people.at_risk(months)[pair], people.happened(months)[pair]], axis=1) * weight[:, None]
    treated, block, number = arm == place, stratum, count
    if cluster is not None:
        first, which = np.unique(cluster, return_index=True, return_inverse=True)[1:]
        sums, treated = added_up(which, count[:, None] * sums), treated[first]
        block, number = block[first], np.ones(len(first))
    chosen = _assigned(block, number, treated, "people" if cluster is None else "clusters")
    score, variance, score0, variance0 = np.zeros(permutations), np.zeros(permutations), 0.0, 0.0
    streams = np.random.SeedSequence(seed).generate_state(len(np.unique(block)), np.uint64).tolist()
    for name, taken, stream in zip(np.unique(block), chosen, streams, strict=True):
        here = block == name
        one = Units(np.zeros(int(here.sum()), dtype=np.int64), number[here], sums[here])
        total = one.count @ one.sums
        at_risk, events = np.split(total, 2)
        own = permuted_sums(one, np.array([taken]), permutations, stream, chunk)
        more, wider = log_rank_statistic(at_risk, events, *np.split(own, 2, axis=1))
        score, variance = score + more, variance + wider
        more0, wider0 = log_rank_statistic(at_risk, events, *np.split((one.count * treated[here]) @ one.sums, 2))
        score0, variance0 = score0 + float(more0), variance0 + float(wider0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z, z0 = score / np.sqrt(variance), np.array([score0 / np.sqrt(variance0)]) if variance0 > 0 else np.array([np.nan])
    return z0, np.nan_to_num(z)[:, None], np.array([float(count.sum())])


@supports(entry=True, frequency_weights=True, cluster=True, strata=True, competing="censored if asked")
def randomisation_test(
    data: MonthsData, outcome: str | None = None, arm: str = "arm", reference: str | None = None,
    at: int | Sequence[int] | None = None, *, statistic: Statistic = "risk_difference", time: str = "time", event: str = "event",
    permutations: int = 10_000, seed: int = 1, strata: str | None = None, cluster: str | None = None, entry: str | None = None,
    weights: str | None = None, missing: Missing = "available", dead: str | None = None,
    competing: Literal["refuse", "censor"] = "refuse", month: str | None = None, person_id: str = "person_id",
    chunk: int | None = None,
) -> Estimates:  # fmt: skip
    """Test that the arm made no difference to anybody, by drawing the arms again as they were drawn.

    As many people as went to the arm are drawn within each stratum, or as many
    whole clusters where clusters were randomised. The p-value is the share of
    permutations, the real one counted in, whose statistic is at least as far
    from 0. With several arms each is tested against the reference among the
    people of the two.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        One row a person and month; for ``"log_rank"`` one row a person.
    outcome : str, optional
        True/false column; not for ``"log_rank"``.
    arm : str
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months; for ``"months_in_work"`` the first to the last of them.
    statistic : {"risk_difference", "months_in_work", "log_rank"}
        Difference of rates by month, of mean months in work, or the log-rank z.
    time, event, entry : str
        For ``"log_rank"``: whole months, and 0 censored or 1 the event.
    permutations, seed : int
    strata, cluster : str, optional
        How the arms were drawn.
    weights : str, optional
        Column with whole numbers.
    missing, dead : str, optional
        For ``"months_in_work"``; see there.
    competing : {"refuse", "censor"}
        For ``"log_rank"``: what becomes of event codes from 2.
    month, person_id : str, optional
        Columns of a DataFrame.
    chunk : int, optional
        Permutations at a time, for memory; never changes the answer.

    Returns
    -------
    Estimates
        Measure as the statistic, with ``p_value``, ``p_adjusted`` (over all
        months asked: largest deviation, each in its own spread) and
        ``permutations``. A test gives no interval.

    Raises
    ------
    UnsupportedError
        Where no stratum has both arms, clusters have both arms, and for
        unknown columns, months or reference.

    References
    ----------
    Edgington ES, Onghena P. Randomization Tests. 4th ed. Chapman & Hall/CRC
    2007. Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley 1993.
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": range(8), "month": 1, "arm": ["a"] * 4 + ["b"] * 4, "works": [1] * 4 + [0] * 4})
    >>> test = randomisation_test(rows, "works", reference="b", permutations=70_000).table
    >>> float(test["estimate"][0]), round(float(test["p_value"][0]), 2)
    (1.0, 0.03)
    """
    if statistic not in ("risk_difference", "months_in_work", "log_rank"):
        raise UnsupportedError("statistic is risk_difference, months_in_work or log_rank")
    if permutations < 1:
        raise UnsupportedError("permutations must be at least 1")
    months: NDArray[np.int64] | None = None
    if statistic == "log_rank":
        people, base = _times(data, time, event, arm, reference, entry=entry, strata=strata, cluster=cluster, weights=weights,
                              competing=competing)  # fmt: skip
        arms, notes, named = people.arms, people.notes, event
        results = {
            place: _log_rank_test(people, place, base, permutations, seed, chunk) for place in range(len(arms)) if place != base
        }
    else:
        if outcome is None or entry is not None:
            raise UnsupportedError("name the outcome; entry= goes with statistic='log_rank' only")
        wanted = at if statistic == "risk_difference" else None
        matrix = months_matrix(data, outcome, arm, wanted, month=month, person_id=person_id, strata=strata, cluster=cluster,
                               weights=weights, dead=dead)  # fmt: skip
        found = reference_of(data, matrix, reference)
        if found is None:
            raise UnsupportedError("there is one arm only: nothing to compare")
        if statistic == "months_in_work":
            ends = [1, int(matrix.months.max())] if at is None else [at] if isinstance(at, int) else list(at)
            matrix = stretch(matrix, min(ends), max(ends))
        base, arms, notes, named, months = found, matrix.arms, matrix.notes, outcome, matrix.months
        results = {place: _months_test(matrix, place, base, statistic, missing, permutations, seed, chunk)
                   for place in range(len(arms)) if place != base}  # fmt: skip
    if not results:
        raise UnsupportedError("there is one arm only: nothing to compare")
    parts = []
    for place, (observed, drawn, n) in results.items():
        p_value, adjusted = _p_values(observed, drawn)
        when = {"month": months} if statistic == "risk_difference" else {"time": int(months[-1])} if months is not None else {}
        said = np.where(np.isfinite(observed), "randomisation test", "nobody observed in an arm, or no event")
        measure = "months_in_work_difference" if statistic == "months_in_work" else statistic
        contrast = f"{arms[place]} - {arms[base]}"
        parts.append(pd.DataFrame({"n": n.round().astype(np.int64), "estimate": observed, "p_value": p_value,
            "p_adjusted": adjusted, "permutations": permutations, "method": said, "measure": measure,
            "contrast": contrast, **when}))  # fmt: skip
    unit = ("whole clusters" if cluster else "people") + (f" within {strata}" if strata else "")
    method = f"Randomisation test, {permutations} permutations (seed {seed}) of {unit}; two-sided"
    table = pd.concat(parts, ignore_index=True).assign(outcome=named)
    return Estimates(tidy(table), f"{named}: could chance have done this", method, REFERENCES, "forest", notes)


def _times(
    data: MonthsData | Data, time: str, event: str, arm: str, reference: str | None, *, entry: str | None, strata: str | None,
    cluster: str | None, weights: str | None, competing: str,
) -> tuple[TimesByArm, int]:  # fmt: skip
    """People with times, and the position of the reference arm."""
    if isinstance(data, MonthsMatrix):
        raise UnsupportedError("a log-rank test needs one row a person with time and event")
    people = times_by_arm(data, time, event, arm, entry=entry, strata=strata, cluster=cluster, weights=weights,
                          weight_type="frequency", competing=competing)  # fmt: skip
    reference = own_reference(data, reference)
    if reference not in people.arms or len(people.arms) < 2:
        raise UnsupportedError(f"name the reference arm, one of two or more: {', '.join(people.arms)}")
    return people, people.arms.index(reference)
