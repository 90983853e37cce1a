"""The gate for subgroups: levels add up to their arm, so a hidden level takes others with it.

Within an arm, month and subgroup the levels are a partition: the arm's total, which stands elsewhere in the report, minus the
levels shown is what is hidden. So where a level is hidden others go too, until what a reader can find by subtraction is the sum
of at least two levels and no small count itself. Effects and differences come from the counts that are left; what only a model
can say (step-down p-values, shrunken effects) leaves with enough events and people behind each parameter, in fixed digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.analysis.subgroup_counts import interactions_from_counts
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting.for_whom import Model, family_size
from ips_outcomes.reporting.suppression import NUMBERS, Profile
from ips_outcomes.study.conditions import UNKNOWN

__all__ = ["hidden_cells", "level_sizes", "released_contrasts", "released_effects", "released_rates"]

_SHRUNKEN = ["shrunken", "shrunken_low", "shrunken_high"]
_KEYS = ["outcome", "month", "contrast", "subgroup", "level", "measure"]


def _small(number: int, threshold: int) -> bool:
    return 0 < number < threshold


def _unsafe(n: int, events: int, threshold: int) -> bool:
    return _small(n, threshold) or _small(events, threshold) or _small(n - events, threshold)


def _closed(start: set[int], n: Sequence[int], events: Sequence[int], order: list[int], threshold: int) -> set[int]:
    """The levels to hide so that their sum, which subtraction gives, is of two levels or more and no small count."""
    hidden = set(start)
    while hidden and len(hidden) < len(order):
        total = sum(n[i] for i in hidden), sum(events[i] for i in hidden)
        if len(hidden) > 1 and not _unsafe(*total, threshold):
            break
        hidden.add(next(i for i in order if i not in hidden))
    return hidden


def hidden_cells(
    levels: Sequence[str], n: Sequence[int], events: Sequence[int], threshold: int, sizes: Mapping[str, int] | None = None
) -> tuple[set[int], set[int]]:
    """Which levels of one subgroup, arm and month lose their people, and which their events.

    Parameters
    ----------
    levels : sequence of str
    n, events : sequence of int
        People and events of each level; all levels of the arm.
    threshold : int
        Counts from 1 to one less are hidden, and so are their complements.
    sizes : dict, optional
        By level, what tells the smallest; the same for all arms and months
        keeps the second hidden level the same. The people by default.

    Returns
    -------
    people, events : set of int
        Positions; whoever loses people loses events. Unknown goes first as a
        second level, then the smallest.

    Examples
    --------
    >>> hidden_cells(["Young", "Old", "Unknown"], [40, 60, 3], [10, 20, 1], 5)
    ({0, 2}, {0, 2})
    >>> hidden_cells(["Young", "Old"], [40, 60], [4, 20], 5)
    (set(), {0, 1})
    """
    # a level of nobody hides nothing
    order = sorted(
        (i for i in range(len(levels)) if n[i] > 0), key=lambda i: (levels[i] != UNKNOWN, (sizes or {}).get(levels[i], n[i]), i)
    )
    people = _closed({i for i in order if _small(n[i], threshold)}, n, [0] * len(n), order, threshold)
    start = people | {i for i in order if _unsafe(n[i], events[i], threshold)}
    return people, _closed(start, n, events, order, threshold)


def level_sizes(curves: Estimates | None) -> dict[str, dict[str, int]]:
    """By subgroup, people of each level over all arms and months: one order for every table, arm and month."""
    if curves is None:
        return {}
    sums = curves.table.groupby(["subgroup", "level"])["n"].sum()
    found: dict[str, dict[str, int]] = {}
    for (subgroup, level), people in sums.items():
        found.setdefault(subgroup, {})[level] = int(people)
    return found


def released_rates(given: Estimates | None, threshold: int, sizes: Mapping[str, Mapping[str, int]]) -> Estimates | None:
    """Rates of levels by arm and month; rows of everybody (no subgroup) are hidden for themselves."""
    if given is None:
        return None
    table = given.table.reset_index(drop=True)
    people, events = np.zeros(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    keys = ["outcome", "subgroup", "month", "group"]
    n, happened = (table[c].to_numpy(dtype=np.int64) for c in ("n", "events"))
    for (_, subgroup, _, _), rows in table.groupby(keys, sort=False).groups.items():
        at = np.asarray(rows)
        if subgroup == "":
            few = [_small(n[i], threshold) for i in at]
            unsafe = [_unsafe(n[i], happened[i], threshold) for i in at]
            people[at], events[at] = few, unsafe
            continue
        gone, quiet = hidden_cells(table["level"].iloc[at].tolist(), n[at].tolist(), happened[at].tolist(), threshold,
                                   sizes.get(subgroup))  # fmt: skip
        people[at[sorted(gone)]], events[at[sorted(quiet)]] = True, True
    for column in ("events", *NUMBERS):
        table.loc[events, column] = pd.NA if column == "events" else np.nan
    table.loc[people, "n"] = pd.NA
    return given.with_table(table.assign(hidden=events))


def _arms(contrast: object) -> list[str]:
    return str(contrast).replace(" / ", " - ").split(" - ", 1)


def _hidden_keys(rates: Estimates) -> set[tuple[Any, ...]]:
    """Outcome, month, subgroup, level and arm of every cell that is hidden."""
    table = rates.table[rates.table["hidden"].astype(bool)]
    return set(table[["outcome", "month", "subgroup", "level", "group"]].itertuples(index=False, name=None))


def released_contrasts(given: Estimates | None, rates: Estimates | None) -> Estimates | None:
    """Comparisons within levels: hidden where either arm's cell is."""
    if given is None or rates is None:
        return None
    gone, table = _hidden_keys(rates), given.table.copy()
    keys = table[["outcome", "month", "subgroup", "level", "contrast"]].itertuples(index=False, name=None)
    hidden = np.array([any((*key, arm) in gone for arm in _arms(contrast)) for *key, contrast in keys], dtype=bool)
    for column in ("n", "events", "n_arm", "events_arm", "n_reference", "events_reference"):
        table[column] = table[column].astype("Int64").mask(hidden)
    table.loc[hidden, NUMBERS] = np.nan
    return given.with_table(table.assign(hidden=hidden))


def released_effects(
    given: Estimates | None, counts: Estimates | None, profile: Profile, reference: str | None, scale: str, least_events: int,
    model: Model | None, note: str,
) -> Estimates | None:  # fmt: skip
    """Effects, differences and Holm's p from released counts; step-down p and shrunken effects as far as a model result may leave.

    Parameters
    ----------
    given : Estimates or None
        `subgroup_effects` of the people.
    counts : Estimates or None
        Released counts of every cell and of everybody.
    profile : Profile
    reference, scale, least_events
        As the study asked.
    model : callable or None
        Effects of some of the subgroups: shrunken effects are drawn towards
        each other, so those of hidden subgroups must not take part.
    note : str
        Said where anything is hidden.
    """
    if given is None or counts is None or reference is None:
        return None
    exact, gone = given.table, _hidden_keys(counts)
    compared = exact[exact["measure"] == "interaction"].drop_duplicates("subgroup").set_index("subgroup")["compared_with"]
    tests = family_size(given)
    try:
        found = interactions_from_counts(counts.table, reference, scale, compared_with=compared.to_dict(),
                                         least_events=least_events, tests=tests)  # fmt: skip
    except UnsupportedError:
        found = given.with_table(exact.iloc[:0])
    # the rows of the exact table, so that a reader sees what is hidden; what they say comes from the released counts
    told = found.table.set_index(pd.MultiIndex.from_frame(_named(found.table)))
    wanted = pd.MultiIndex.from_frame(_named(exact))
    table = told.reindex(wanted)[[c for c in exact.columns if c in told]].reset_index(drop=True)
    hidden = ~wanted.isin(told.index)
    for column in (*_KEYS, "time", "scale", "compared_with"):
        table[column] = exact[column].to_numpy()
    table.loc[hidden, "method"] = ""
    # subgroups of which nothing is hidden, by question
    touched = {(outcome, month, subgroup, arm) for outcome, month, subgroup, _, arm in gone}
    whole = [
        not any((r["outcome"], r["month"], r["subgroup"], arm) in touched for arm in _arms(r["contrast"]))
        for r in exact[_KEYS].to_dict("records")
    ]
    strong = np.array(whole) & _enough(exact, profile)
    table["p_adjusted"] = exact["p_adjusted"].where(strong).round(profile.model_digits).to_numpy()
    names = [name for name in dict.fromkeys(exact["subgroup"]) if name and name not in {key[2] for key in gone}]
    again = given if not gone else model(names) if model is not None and names else None
    for column in (*_SHRUNKEN, "prior_sd"):
        table[column] = np.nan
    if again is not None:
        drawn = again.table.set_index(pd.MultiIndex.from_frame(_named(again.table)))[[*_SHRUNKEN, "prior_sd"]].reindex(wanted)
        table.loc[strong, _SHRUNKEN] = drawn[_SHRUNKEN].round(profile.model_digits).to_numpy()[strong]
        table.loc[strong, "prior_sd"] = drawn["prior_sd"].to_numpy()[strong]
    notes = (*found.notes, note) if hidden.any() else found.notes
    released = Estimates(exact.iloc[:0], given.title, given.method, given.references, given.shape, tuple(notes))
    return released.with_table(table.assign(hidden=hidden))


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table[_KEYS].astype(object).where(table[_KEYS].notna(), None)


def _enough(table: pd.DataFrame, profile: Profile) -> np.ndarray:
    """Rows whose subgroup has enough events and people for its parameters, one for each level and arm."""
    keys = ["outcome", "month", "contrast", "subgroup"]
    # contrasts of ratios and differences are written with other signs
    arms = table["contrast"].map(lambda c: " - ".join(_arms(c)))
    rows = table.assign(contrast=arms)
    first = rows[rows["measure"] == rows["scale"]].drop_duplicates([*keys, "level"])
    sums = first.groupby(keys, dropna=False).agg(n=("n", "sum"), events=("events", "sum"), levels=("level", "size"))
    parameters = 2 * sums["levels"]
    enough = (sums["events"] >= profile.least_events_per_parameter * parameters) & (
        sums["n"] - parameters >= profile.least_residual_degrees_of_freedom
    )
    found = enough.reindex(pd.MultiIndex.from_frame(rows[keys]))
    return np.asarray(found.fillna(False).to_numpy(dtype=bool))
