"""The effect of the arm in overlapping windows along a number known at inclusion: people of like age, and those a little older."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.effects_of_means import MeanEffects, MeanRows
from ips_outcomes.analysis.effects_of_months import MonthEffects
from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.level_effects import Effect, on_log, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS, Z95, t_quantile
from ips_outcomes.analysis.many_looks import critical_value, multiplier_draws
from ips_outcomes.analysis.modifier_numbers import Followed, NumberKind, followed
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.subgroup_questions import primary_scale
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["effect_in_windows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Windows that a picture can still show.
MOST_WINDOWS = 1000

REFERENCES = (
    "Bonetti M, Gelber RD. A graphical method to assess treatment-covariate interactions using the Cox model on subsets of the "
    "data. Stat Med 2000;19:2595-2609. doi:10.1002/1097-0258(20001015)19:19<2595::AID-SIM562>3.0.CO;2-M",
    "Bonetti M, Gelber RD. Patterns of treatment effects in subsets of patients in clinical trials. Biostatistics 2004;5:465-481. "
    "doi:10.1093/biostatistics/kxh002",
    "Chernozhukov V, Chetverikov D, Kato K. Gaussian approximations and multiplier bootstrap for maxima of sums of "
    "high-dimensional random vectors. Ann Stat 2013;41:2786-2819. doi:10.1214/13-AOS1161",
)


@supports(cluster=True, ties="", competing="")
def effect_in_windows(
    data: Data, modifier: str = "age", outcome: str | None = None, arm: str = "arm", reference: str | None = None,
    at: int | None = None, scale: str | None = None, *, kind: NumberKind | None = None, width: int | None = None,
    step: int | None = None, adjust: str | Sequence[str] | None = None, cluster: str | None = None, errors: Errors = "robust",
    least_events: int = 5, draws: int = 10_000, seed: int | None = None, start: int = 1, end: int | None = None,
    dead: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Effect of the arm in overlapping groups of about equal size along a number such as age.

    The first window holds the people with the smallest values, each next one
    drops some of them and takes in as many with larger values, and the last
    holds the people with the largest. No model of how the effect varies is
    needed; `effect_by` is smoother and surer where its curve fits.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person (and month).
    modifier : str
        Column: a number known at inclusion. People without it are left out
        and counted in the notes.
    outcome, arm, reference, at, scale, kind, errors, least_events
        As in `effect_by` and `subgroup_effects`.
    width : int, optional
        People in a window, both arms together; a fifth of all by default.
        People of the same value stay together, so that a window may hold more.
    step : int, optional
        How many people the next window drops at least; a fifth of ``width``
        by default.
    adjust : str or list of str, optional
        Baseline columns, in each window a regression of its own.
    cluster : str, optional
        Column; errors robust to clusters. Under 30 clusters errors are CR2
        with t, and there is neither a band nor a test.
    draws : int
        Of the multiplier bootstrap behind the band and the test.
    seed : int, optional
        The study's by default, otherwise 1.
    start, end : int
        First and last month counted, for ``kind="months"``.
    dead : str, optional
        True/false column of a DataFrame, for ``kind="months"``.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        A row for everybody (``subgroup`` empty), then one a window:
        ``value_low``, ``value_high`` and ``value`` (smallest, largest and
        median value in it), ``measure`` the scale, ``n``, ``events`` and both
        by arm, ``conf_low`` and ``conf_high`` for that window alone,
        ``band_low`` and ``band_high`` for all windows at once,
        ``few_events``. Row "interaction_test": the largest distance of a
        window's effect from everybody's, in errors of that distance
        (``statistic``), with p from the multiplier bootstrap.

    Raises
    ------
    UnsupportedError
        For a modifier that is no number or changes within a person, and
        where no two windows have an effect.

    References
    ----------
    Bonetti M, Gelber RD. Stat Med 2000;19:2595-2609; Biostatistics
    2004;5:465-481. Chernozhukov V et al. Ann Stat 2013;41:2786-2819.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 40, "age": sorted([20, 30, 40, 50] * 20)})
    >>> people["works"] = ((people["arm"] == "ips") & (people["age"] < 40) | (people.index % 3 == 0)).astype(int)
    >>> found = effect_in_windows(people, "age", "works", reference="control", width=40, step=20, draws=200).table
    >>> found.loc[found["value"].notna(), ["value_low", "value_high", "n", "estimate"]].round(2).values.tolist()
    [[20.0, 30.0, 40, 0.65], [30.0, 40.0, 40, 0.3], [40.0, 50.0, 40, 0.05]]
    """
    asked = followed(data, modifier, outcome, arm, reference, at, kind, errors, adjust, cluster, start, end, dead, month,
                     person_id)  # fmt: skip
    scale = primary_scale(asked.kind, scale, bool(as_list(adjust)))
    if asked.kind == "months" and as_list(adjust):
        raise UnsupportedError("months in windows are not adjusted: leave out adjust=, or ask effect_by")
    if draws < 1:
        raise UnsupportedError("draws= is a number from 1")
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    rows: list[dict[str, object]] = []
    notes = list(asked.notes)
    for other in asked.people.arms[1:]:
        rows += _contrast(asked, other, scale, width, step, errors, least_events, draws, seed, notes)
    method = f"effects in overlapping windows along {modifier}; two-sided 95 %"
    method += f"; adjusted for {', '.join(as_list(adjust))}" if as_list(adjust) else ""
    method += f"; errors robust to clusters of {cluster}" if cluster else ""
    if any(row["measure"] == "interaction_test" for row in rows):
        method += f"; band and test by a studentised multiplier bootstrap ({draws} draws, seed {seed})"
    notes.append("neighbouring windows share people: only interaction_test asks whether the effect varies")
    return Estimates(tidy(pd.DataFrame(rows)), f"Effect by {modifier}, in windows", method, REFERENCES, "forest",
                     tuple(dict.fromkeys(notes)))  # fmt: skip


def windows_of(value: Floats, width: int, step: int) -> list[tuple[float, float]]:
    """Smallest and largest value of each window; people of one value are never parted.

    Examples
    --------
    >>> windows_of(np.array([18.0, 19, 19, 20, 21, 22, 23]), 3, 2)
    [(18.0, 19.0), (20.0, 22.0), (21.0, 23.0)]
    """
    values, counts = np.unique(value, return_counts=True)
    # how many people lie below each different value
    below = np.concatenate([[0], np.cumsum(counts)])
    # the last window reaches as far down as it needs to be full
    last = int(np.searchsorted(below, below[-1] - width, side="right")) - 1
    found, first = [], 0
    while first < last:
        end = int(np.searchsorted(below, below[first] + width))
        found.append((float(values[first]), float(values[end - 1])))
        if end == len(values):
            break
        first = int(np.searchsorted(below, below[first] + step))
    if not found or found[-1][1] < values[-1]:
        found.append((float(values[max(last, 0)]), float(values[-1])))
    return found


def _sizes(people: int, width: int | None, step: int | None) -> tuple[int, int]:
    width = max(people // 5, 2) if width is None else width
    step = max(width // 5, 1) if step is None else step
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or not 2 <= width < people:
        raise UnsupportedError(f"width= is a number of people from 2 to fewer than all {people}")
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 1 <= step <= width:
        raise UnsupportedError("step= is a number of people from 1 to width=: windows without a gap between them")
    return int(width), int(step)


def _contrast(
    asked: Followed, other: str, scale: str, width: int | None, step: int | None, errors: Errors, least_events: int, draws: int,
    seed: int, notes: list[str],
) -> list[dict[str, object]]:  # fmt: skip
    """All rows of one arm against the reference."""
    who = asked.pair(other)
    value, name = asked.value[who], asked.modifier
    width, step = _sizes(len(who), width, step)
    ends = windows_of(value, width, step)
    if not 2 <= len(ends) <= MOST_WINDOWS:
        raise UnsupportedError(
            f"{len(ends)} windows: choose width= and step= for 2 to {MOST_WINDOWS}, or ask subgroup_effects where {name} has few values"
        )
    overall = _effect(asked, other, who, scale, errors, least_events, notes)
    told: list[tuple[dict[str, object], Effect]] = []
    lost: Counter[str] = Counter()
    for low, high in ends:
        inside = who[(value >= low) & (value <= high)]
        try:
            found = _effect(asked, other, inside, scale, errors, least_events, [])
        except UnsupportedError as error:
            lost[str(error)] += 1
            continue
        if found is None:
            lost["an arm has nobody there, or a mean of 0"] += 1
            continue
        where: dict[str, object] = {"value_low": low, "value_high": high, "value": float(np.median(asked.value[inside]))}
        told.append(({"level": f"{low:g} to {high:g}", **where}, found))
    notes += [f"{number} of {len(ends)} windows have no effect: {why}" for why, number in lost.items()]
    if overall is None or len(told) < 2:
        raise UnsupportedError("fewer than two windows have an effect: choose a larger width=")
    notes.append(f"windows of at least {width} people, the next at least {step} people further on: {len(ends)}")
    if any(effect.small for _, effect in told):
        notes.append(
            f"a window has fewer than {least_events} people with or without the event in an arm: exact or penalised there"
        )
    quantile, test = _together(asked, who, overall, [effect for _, effect in told], draws, seed, notes)
    common = asked.common(other, scale)
    rows = [{**common, "subgroup": "", "level": "", **_told(overall, None), "value": np.nan}]
    rows += [{**common, **where, **_told(effect, quantile)} for where, effect in told]
    if test is not None:
        rows.append({**common, "measure": "interaction_test", "value": np.nan, **test})
    return rows


def _told(effect: Effect, quantile: float | None) -> dict[str, object]:
    """One effect's row on the natural scale."""
    low, high, p_value = tested(effect.value, effect.std_error, effect.degrees)
    natural = np.exp if on_log(effect.scale) else float
    low, high = (float(natural(low)), float(natural(high))) if effect.limits is None else effect.limits
    row: dict[str, object] = {
        "measure": effect.scale, "estimate": float(natural(effect.value)), "std_error": effect.std_error, "conf_low": low,
        "conf_high": high, "p_value": p_value if effect.p_value is None else effect.p_value, "method": effect.method,
        **effect.sizes, "few_events": effect.small, "band_low": np.nan, "band_high": np.nan,
    }  # fmt: skip
    if quantile is not None and np.isfinite(effect.std_error) and effect.std_error > 0:
        wide = quantile if np.isinf(effect.degrees) else max(quantile, float(t_quantile(np.array([effect.degrees]))[0]))
        ends = (float(natural(effect.value + side * wide * effect.std_error)) for side in (-1, 1))
        # a score or exact interval may reach further than so many errors: the band holds it
        row["band_low"], row["band_high"] = (pick(x for x in pair if np.isfinite(x))
                                             for pick, pair in zip((min, max), zip(ends, (low, high), strict=True), strict=True))  # fmt: skip
    return row


def _together(
    asked: Followed, who: Ints, overall: Effect, effects: list[Effect], draws: int, seed: int, notes: list[str]
) -> tuple[float | None, dict[str, object] | None]:  # fmt: skip
    """How wide the band is, and whether the windows differ from everybody."""
    cluster = asked.people.cluster
    if cluster is not None and (number := len(np.unique(cluster[who]))) < FEW_CLUSTERS:
        notes.append(
            f"{number} clusters are few: CR2 errors, limits and p from t; no simultaneous band and no test, which would need more "
            "clusters"
        )
        return None, None
    usable = [e for e in effects if np.isfinite(e.std_error) and e.std_error > 0]
    if not usable:
        notes.append("no band and no test: no window has an error")
        return None, None
    if len(usable) < len(effects):
        notes.append(f"{len(effects) - len(usable)} windows without an error are not in the band and the test")
    own = _units(np.column_stack([e.influence for e in usable]), cluster)
    quantile = max(critical_value(multiplier_draws(own, draws, seed)), Z95)
    apart = own - _units(overall.influence[:, None], cluster)
    error = np.sqrt((apart**2).sum(axis=0))
    # a window that holds everybody is no distance away
    far = error > 1e-8 * np.sqrt((own**2).sum(axis=0))
    if not far.any():
        return quantile, None
    distance = np.abs(np.array([e.value for e in usable])[far] - overall.value)
    statistic = float((distance / error[far]).max())
    largest = np.abs(multiplier_draws(apart[:, far], draws, seed)).max(axis=1)
    p_value = float(((largest >= statistic * (1 - 1e-12)).sum() + 1) / (draws + 1))
    return quantile, {"statistic": statistic, "p_value": p_value,
                      "method": "largest distance from everybody's effect, multiplier bootstrap"}  # fmt: skip


def _units(influence: Floats, cluster: Ints | None) -> Floats:
    """People, or clusters whose people are added up."""
    if cluster is None:
        return influence
    sums = np.zeros((int(cluster.max()) + 1, influence.shape[1]))
    np.add.at(sums, cluster, influence)
    return sums


def _effect(
    asked: Followed, other: str, rows: Ints, scale: str, errors: Errors, least_events: int, notes: list[str]
) -> Effect | None:  # fmt: skip
    """The effect among some people, whose influence is counted among everybody."""
    people = asked.people
    treated, everyone = people.arm[rows] == other, np.zeros(len(rows), dtype=np.int64)
    clusters = None if people.cluster is None else people.cluster[rows]
    if not treated.any() or treated.all():
        return None
    if asked.seen is not None:
        months = MonthEffects(asked.seen, treated, everyone, rows, clusters)
        notes += [note for note in months.notes if "clusters are few" not in note]
        effects = months.effects()
    else:
        values = MeanRows(asked.y[rows], treated, everyone, rows, people.number, asked.covariates[rows], clusters,
                          asked.kind == "rate")  # fmt: skip
        means = MeanEffects(values, errors=errors, least_events=least_events)
        # exact limits take their time: only on the scale asked for
        means.scales = (scale,)
        effects = means.effects()
    return next((e for e in effects if e.scale == scale), None)
