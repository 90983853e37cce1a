"""The disclosure gate: what may leave, and what is hidden on the way.

Primary suppression: a count from 1 to k-1 is hidden, and so is its complement
to the people observed, and whatever stands in the same row and follows from
either. Levels of a subgroup add up to their arm, so others are hidden with one
(`subgroup_gate`). What else can be found by subtracting one row from another is
not hidden yet; the profile says so, and the page repeats it. Rates, intervals and tests
are those of the counts that are left. Curves of time to
event come from an event table whose steps each hold at least k people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.estimates import Estimates, under
from ips_outcomes.reporting.event_blocks import counts_of_rows, released_event_table, with_counts, without_curve
from ips_outcomes.reporting.first_job import first_job_answers, leaving
from ips_outcomes.reporting.results import Results
from ips_outcomes.reporting.subgroup_gate import level_sizes, released_contrasts, released_effects, released_rates
from ips_outcomes.reporting.suppression import (
    NUMBERS,
    Profile,
    hidden_composite,
    hidden_contrasts,
    hidden_models,
    hidden_rates,
    hide,
    near_definitions,
    part_of_arm,
    small,
    unsafe,
)
from ips_outcomes.reporting.words import Words
from ips_outcomes.study.model import SubgroupAnalysis

__all__ = ["through_gate"]


def _landmarks(results: Results, threshold: int) -> dict[str, Any]:
    """Rates and comparisons at the landmarks.

    A composite that would tell how few had died is hidden in both, and so is
    a definition that differs by few people from an earlier one.
    """
    rates, contrasts = hidden_rates(results.landmark_rates, threshold), hidden_contrasts(results.contrasts, threshold)
    gone = _would_tell(results.landmark_rates, rates.table["hidden"].to_numpy(dtype=bool), threshold)
    keys = ["outcome", "group", "month"]
    touched = set(rates.table.loc[gone, keys].itertuples(index=False, name=None))
    before = rates.table["hidden"].to_numpy(dtype=bool)
    made: dict[str, Any] = {
        "landmark_rates": rates.with_table(hide(rates.table, gone, ["n", "events", *NUMBERS]).assign(hidden=gone | before)),
        "contrasts": contrasts,
    }
    if contrasts is not None:
        rows = contrasts.table[["outcome", "contrast", "month"]].itertuples(index=False, name=None)
        near = np.array([any((o, arm, m) in touched for arm in re.split(" [-/] ", str(c))) for o, c, m in rows], dtype=bool)
        counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
        table = hide(contrasts.table, near, [*counts, *NUMBERS])
        made["contrasts"] = contrasts.with_table(table.assign(hidden=near | contrasts.table["hidden"].to_numpy(dtype=bool)))
    return made


def _would_tell(exact: Estimates, hidden: np.ndarray, threshold: int) -> np.ndarray:
    """Rows at the landmarks that another row beside them, subtracted, makes a count of few."""
    table, gone = exact.table, np.zeros(len(exact.table), dtype=bool)
    names = list(dict.fromkeys(map(str, table["outcome"])))
    composites = [name for name in names if name.endswith("_composite") and name.removesuffix("_composite") in names]
    for composite in composites:
        dead = (table["outcome"] == composite).to_numpy(dtype=bool)
        alive = exact.select(outcome=composite.removesuffix("_composite"))
        shown = hidden_composite(exact.with_table(table[dead]), alive, threshold)
        if shown is not None:
            gone[dead] = shown.table["n"].isna().to_numpy(dtype=bool)
    # the primary definition, which has the composite, comes first: as in the chapter on other definitions
    primary = {name.removesuffix("_composite") for name in composites}
    order = [*(n for n in names if n in primary), *(n for n in names if n not in primary and n not in composites)]
    place = table["outcome"].map({name: i for i, name in enumerate(order)})
    rows = place.dropna().sort_values(kind="stable").index.to_numpy()
    gone[rows] |= near_definitions(table.loc[rows].reset_index(drop=True), hidden[rows], threshold)
    return gone


def _model(given: Estimates | None, profile: Profile) -> Estimates | None:
    """A model result leaves with enough events and people behind each parameter, in fixed digits."""
    if given is None:
        return None
    events = given.table["events"].to_numpy(dtype=float)
    people = given.table["n"].to_numpy(dtype=float)
    few = (events < profile.least_events_per_parameter) | (people - 1 < profile.least_residual_degrees_of_freedom)
    # those who never had the event are a count too
    few |= unsafe(given.table, "n", "events", profile.threshold)
    table = hide(given.table, few, ["events", *NUMBERS])
    table.loc[small(given.table["n"], profile.threshold), "n"] = pd.NA
    table[NUMBERS] = table[NUMBERS].round(profile.model_digits)
    return given.with_table(table)


def _rounded(given: Estimates | None, profile: Profile) -> Estimates | None:
    """Model results leave in fixed digits."""
    return None if given is None else given.with_table(given.table.assign(**given.table[NUMBERS].round(profile.model_digits)))


def _baseline(given: Estimates, threshold: int) -> Estimates:
    """Small levels are hidden; so are means of few people, and differences that rest on a hidden level."""
    table = given.table
    shares = table["measure"].isin(["share", "missing"]).to_numpy()
    rows = shares & unsafe(table, "n", "events", threshold)
    rows |= (table["measure"] == "mean").to_numpy() & small(table["n"], 2 * threshold)
    touched = set(table.loc[rows & (table["measure"] != "missing").to_numpy(), "outcome"])
    rows |= ((table["measure"] == "standardised_difference") & table["outcome"].isin(touched)).to_numpy()
    hidden = hide(table, rows, ["events", "std_deviation", *NUMBERS])
    hidden.loc[small(table["n"], threshold), "n"] = pd.NA
    return given.with_table(hidden)


def _folded(given: Estimates, threshold: int, words: Words, labels: dict[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the exact curve with the counts of the rounded event table; nothing of a group with too few."""
    parts, notes = [], []
    for group, rows in given.table.groupby("group", sort=True):
        folded, merged = released_event_table(counts_of_rows(rows), threshold)
        if folded is None:
            parts.append(without_curve(rows, threshold))
            notes.append(words("note.hidden_group", group=labels.get(str(group), group)))
            continue
        if merged:
            notes.append(words("note.merged_deaths", group=labels.get(str(group), group)))
        parts.append(with_counts(rows, folded).assign(hidden=False))
    notes.append(words("note.blocks", threshold=threshold))
    return pd.concat(parts, ignore_index=True), notes


def _first_job(
    results: Results, threshold: int, horizons: Sequence[int], reference: str | None, words: Words, labels: dict[str, str]
) -> dict[str, Any]:  # fmt: skip
    """Curve, months gained and tests, all from the one rounded event table."""
    exact = results.incidence
    if exact is None:
        return {}
    folded, notes = _folded(exact, threshold, words, labels)
    shown = folded[~folded["hidden"]]
    if shown.empty:
        return {"incidence": exact.with_table(folded, *notes), "gained": None, "curve_tests": None}
    released = first_job_answers(leaving(shown), horizons, reference)
    table = under([released.incidence.table.assign(hidden=False), folded[folded["hidden"]]])
    return {
        "incidence": released.incidence.with_table(table.sort_values(["group", "time"], kind="stable"), *notes),
        "gained": released.gained, "curve_tests": released.tests,
    }  # fmt: skip


def _counts(table: pd.DataFrame, columns: list[str], threshold: int) -> pd.DataFrame:
    table = table.copy()
    for column in columns:
        few = small(table[column], threshold)
        table[column] = table[column].astype("Int64").mask(few)
    return table


def _sources(table: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Months in which a register speaks for few people go whole: the other register's share would tell the count."""
    few = pd.Series(small(table["person_months"], threshold), index=table.index)
    hidden = few.groupby(table["month"]).transform("any")
    return table.assign(person_months=table["person_months"].astype("Int64").mask(hidden), share=table["share"].mask(hidden))


def _quality(table: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Hide small counts, their complements among people, and the shares of both."""
    few = small(table["count"], threshold)
    few |= (table["unit"] == "people").to_numpy() & small(table["total"].astype("Int64") - table["count"], threshold)
    share = table["share"].mask(few)
    return table.assign(
        count=table["count"].astype("Int64").mask(few), share=share,
        total=table["total"].astype("Int64").mask((table["unit"] == "people") & small(table["total"], threshold)),
    )  # fmt: skip


def _flow(flow: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Hide who left where they are few, with all that a reader could subtract to find them in the same row."""
    rows = []
    for row in flow.to_dict("records"):
        people = dict(row["arms"]) if isinstance(row["arms"], dict) else {}
        left = dict(row["left_arms"]) if isinstance(row["left_arms"], dict) else {}
        hidden = {arm for arm in {**people, **left} if _few(people.get(arm), threshold) or _few(left.get(arm), threshold)}
        # one hidden arm is the total minus the others
        total = _few(row["people"], threshold) or _few(row["left"], threshold) or len(hidden) == 1
        rows.append({
            **row,
            "people": None if total else row["people"],
            "left": None if total and row["left"] != 0 else row["left"],
            "reason": _reasons(row["reason"], threshold),
            "arms": {arm: None if arm in hidden else number for arm, number in people.items()},
            "left_arms": {arm: None if arm in hidden and number else number for arm, number in left.items()},
        })  # fmt: skip
    table = pd.DataFrame(rows, columns=flow.columns, index=flow.index)
    return table.assign(people=table["people"].astype("Int64"), left=table["left"].astype("Int64"))


def _few(number: object, threshold: int) -> bool:
    return isinstance(number, int | np.integer) and bool(0 < number < threshold)


def _reasons(text: object, threshold: int) -> str:
    """``dead:6;abroad:2`` without its numbers where any is small: the others and the row's total would tell it."""
    parts = [part.partition(":") for part in str(text or "").split(";") if part]
    bare = any(number.isdigit() and _few(int(number), threshold) for _, _, number in parts)
    return ";".join(name if bare else f"{name}{colon}{number}" for name, colon, number in parts)


def _facts(facts: dict[str, Any], threshold: int) -> dict[str, Any]:
    """Counts of people in sentences; centres are no people, and arms no count."""
    people = facts["participants"]
    hidden = {
        name: None if _few(facts[name], threshold) or _few(people - facts[name], threshold) else facts[name]
        for name in ("at_risk", "crossing")
    }
    if "crossed" in facts:
        stayed = facts["reference_people"] - facts["crossed"]
        hidden["reference_people"] = None if _few(facts["reference_people"], threshold) else facts["reference_people"]
        hidden["crossed"] = None if _few(facts["crossed"], threshold) or _few(stayed, threshold) else facts["crossed"]
    return {**facts, **hidden, "participants": None if _few(people, threshold) else people}


def _subgroups(
    results: Results, profile: Profile, words: Words, reference: str | None, question: SubgroupAnalysis | None
) -> dict[str, Any]:
    """All that is told by level, hidden together: the same cell is hidden in every table."""
    k = profile.threshold
    sizes = level_sizes(results.subgroup_curves)
    rates, counts = released_rates(results.subgroup_rates, k, sizes), released_rates(results.subgroup_counts, k, sizes)
    scale, least = (question.scale, question.least_events) if question else ("risk_difference", k)
    return {
        "subgroup_rates": rates, "subgroup_contrasts": released_contrasts(results.subgroup_contrasts, rates),
        "subgroup_curves": released_rates(results.subgroup_curves, k, sizes), "subgroup_counts": counts,
        "subgroup_effects": released_effects(results.subgroup_effects, counts, profile, reference, scale, least,
                                             results.subgroup_model, words("note.hidden_levels")),
    }  # fmt: skip


def through_gate(
    results: Results, profile: Profile, words: Words, labels: dict[str, str] | None = None, *, horizons: Sequence[int] = (),
    reference: str | None = None, question: SubgroupAnalysis | None = None,
) -> Results:  # fmt: skip
    """What of the results may leave under a profile; under ``none`` all of it, without row numbers."""
    quality = results.quality.drop(columns=["set_aside", "example_rows"])
    if profile.threshold == 0:
        return replace(results, quality=quality, subgroup_model=None)
    k = profile.threshold
    included = results.flow.loc[results.flow["step"] == "included", "arms"].iloc[0]
    at_risk = results.ended.groupby("arm")["people"].sum().to_dict()
    return replace(
        results,
        facts=_facts(results.facts, k),
        flow=_flow(results.flow, k),
        baseline=_baseline(results.baseline, k),
        rates=hidden_rates(results.rates, k),
        composite=hidden_composite(results.composite, results.rates, k),
        history=hidden_models(results.history, profile),
        **_landmarks(results, k),
        stratified=_rounded(hidden_contrasts(results.stratified, k), profile),
        monthly_contrasts=hidden_contrasts(results.monthly_contrasts, k),
        **_first_job(results, k, horizons, reference, words, labels or {}),
        hazard=_model(results.hazard, profile),
        **_subgroups(results, profile, words, reference, question),
        subgroup_model=None,
        sources=_sources(results.sources, k),
        observation=part_of_arm(results.observation, included, k),
        ended=part_of_arm(results.ended, at_risk, k),
        quality=_quality(quality, k),
        reconciliation=_counts(results.reconciliation, ["rows_set_aside"], k).assign(
            rows_used=lambda t: t["rows_used"].astype("Int64").mask(t["rows_set_aside"].isna())
        ),
    )
