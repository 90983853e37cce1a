"""The disclosure gate: what may leave, and what is hidden on the way.

Primary suppression: a count from 1 to k-1 is hidden, and so is its complement
to the people observed, and whatever could be computed from either. Rates,
intervals and tests are computed again from what is left. Curves of time to
event come from an event table whose steps each hold at least k people.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np
import pandas as pd

from ips_outcomes.analysis.event_table import EventTable
from ips_outcomes.analysis.incidence import incidence_from_table
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting.results import Results
from ips_outcomes.reporting.words import Words

__all__ = ["Profile", "load_profile", "through_gate"]

_NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


@dataclass(frozen=True)
class Profile:
    """A disclosure profile, as its file states it."""

    name: str
    title: str
    source: str
    certainty: str
    threshold: int
    least_events_per_parameter: int
    least_residual_degrees_of_freedom: int
    model_digits: int
    limits: str


def load_profile(name: str) -> Profile:
    """Read a profile of the package."""
    text = (resources.files("ips_outcomes.reporting") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    return Profile(name=name, **tomllib.loads(text))


def _small(values: pd.Series, threshold: int) -> np.ndarray:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    return (numbers > 0) & (numbers < threshold)


def _unsafe(table: pd.DataFrame, n: str, events: str, threshold: int) -> np.ndarray:
    """Rows whose events, or people without the event, are fewer than the threshold but not none."""
    rest = table[n].astype("Float64") - table[events].astype("Float64")
    return _small(table[n], threshold) | _small(table[events], threshold) | _small(rest, threshold)


def _hide(table: pd.DataFrame, rows: np.ndarray, columns: list[str]) -> pd.DataFrame:
    table = table.copy()
    for column in columns:
        if column in table:
            table.loc[rows, column] = pd.NA if str(table[column].dtype) == "Int64" else np.nan
    table["hidden"] = rows
    return table


def _rates(given: Estimates, threshold: int) -> Estimates:
    unsafe = _unsafe(given.table, "n", "events", threshold)
    few = _small(given.table["n"], threshold)
    table = _hide(given.table, unsafe, ["events", *_NUMBERS])
    table.loc[few, "n"] = pd.NA
    return given.with_table(table)


def _contrasts(given: Estimates | None, threshold: int) -> Estimates | None:
    if given is None:
        return None
    table = given.table
    unsafe = _unsafe(table, "n_arm", "events_arm", threshold) | _unsafe(table, "n_reference", "events_reference", threshold)
    counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
    return given.with_table(_hide(table, unsafe, [*counts, *_NUMBERS]))


def _model(given: Estimates | None, profile: Profile) -> Estimates | None:
    """A model result leaves with enough events and people behind each parameter, in fixed digits."""
    if given is None:
        return None
    events = given.table["events"].to_numpy(dtype=float)
    people = given.table["n"].to_numpy(dtype=float)
    few = (events < profile.least_events_per_parameter) | (people - 1 < profile.least_residual_degrees_of_freedom)
    table = _hide(given.table, few, ["events", *_NUMBERS])
    table[_NUMBERS] = table[_NUMBERS].round(profile.model_digits)
    return given.with_table(table)


def _baseline(given: Estimates, threshold: int) -> Estimates:
    """Small levels are hidden; so are means of few people, and differences that rest on a hidden level."""
    table = given.table
    shares = table["measure"].isin(["share", "missing"]).to_numpy()
    unsafe = shares & _unsafe(table, "n", "events", threshold)
    unsafe |= (table["measure"] == "mean").to_numpy() & _small(table["n"], 2 * threshold)
    touched = set(table.loc[unsafe, "outcome"])
    unsafe |= ((table["measure"] == "standardised_difference") & table["outcome"].isin(touched)).to_numpy()
    return given.with_table(_hide(table, unsafe, ["events", "std_deviation", *_NUMBERS]))


def released_event_table(counted: EventTable, threshold: int) -> tuple[EventTable | None, bool]:
    """Fold months until each step holds at least ``threshold`` events, and each other way out none or as many.

    Returns the folded table (None where even the whole holds too few) and
    whether competing events were too few and went with the censored.
    """
    own, competing = counted.events[:, 0], counted.events[:, 1]
    merged = 0 < competing.sum() < threshold
    censored = counted.censored + (competing if merged else 0)
    competing = np.zeros_like(competing) if merged else competing
    times: list[int] = []
    blocks: list[np.ndarray] = []
    open_block = np.zeros(3)
    for time in range(len(counted.time)):
        open_block = open_block + np.array([own[time], competing[time], censored[time]])
        safe = open_block[0] >= threshold and all(x == 0 or x >= threshold for x in open_block[1:])
        if safe:
            times.append(time)
            blocks.append(open_block)
            open_block = np.zeros(3)
    if open_block.any():
        if not blocks:
            return None, bool(merged)
        # what is left over joins the last step that is safe
        blocks[-1] = blocks[-1] + open_block
        times[-1] = len(counted.time) - 1
        if any(0 < x < threshold for x in blocks[-1]):
            return None, bool(merged)
    last = len(counted.time)
    events, gone = np.zeros((last, 2)), np.zeros(last)
    for time, block in zip(times, blocks, strict=True):
        events[time], gone[time] = block[:2], block[2]
    leaving = events.sum(axis=1) + gone
    at_risk = counted.at_risk[0] - np.concatenate([[0.0], np.cumsum(leaving)[:-1]])
    return EventTable(counted.time, at_risk, counted.entered, events, gone), bool(merged)


def _incidence(given: Estimates, threshold: int, words: Words) -> Estimates:
    parts, notes = [], []
    for group, rows in given.table.groupby("group", sort=True):
        counted = EventTable(
            rows["time"].to_numpy(dtype=np.int64), rows["at_risk"].to_numpy(float), np.zeros(len(rows)),
            rows[["events", "competing"]].to_numpy(float), rows["censored"].to_numpy(float),
        )  # fmt: skip
        folded, merged = released_event_table(counted, threshold)
        if folded is None:
            hidden = _hide(rows, np.ones(len(rows), dtype=bool), ["events", "competing", "censored", "at_risk", *_NUMBERS])
            parts.append(hidden)
            notes.append(words("note.hidden_group", group=group))
            continue
        if merged:
            notes.append(words("note.merged_deaths", group=group))
        released = incidence_from_table(folded)
        table = rows.assign(**{c: released[c].to_numpy() for c in released if c in rows}, hidden=False)
        # errors of the exact curve would tell more than the released steps do
        table[["std_error", "conf_low", "conf_high"]] = np.nan
        parts.append(table)
    notes.append(words("note.blocks", threshold=threshold))
    return given.with_table(pd.concat(parts, ignore_index=True), *notes)


def _counts(table: pd.DataFrame, columns: list[str], threshold: int) -> pd.DataFrame:
    table = table.copy()
    for column in columns:
        small = _small(table[column], threshold)
        table[column] = table[column].astype("Int64").mask(small)
    return table


def _flow(flow: pd.DataFrame, threshold: int) -> pd.DataFrame:
    def safe(counts: object) -> dict[str, int | None]:
        pairs = counts.items() if isinstance(counts, dict) else ()
        return {arm: (None if 0 < number < threshold else number) for arm, number in pairs}

    def reasons(text: object) -> str:
        parts = [part.split(":") for part in str(text or "").split(";") if part]
        return ";".join(p[0] if len(p) < 2 or 0 < int(p[1]) < threshold else ":".join(p) for p in parts)

    table = _counts(flow, ["people", "left"], threshold)
    return table.assign(
        arms=[safe(a) for a in flow["arms"]], left_arms=[safe(a) for a in flow["left_arms"]],
        reason=[reasons(r) for r in flow["reason"]],
    )  # fmt: skip


def through_gate(results: Results, profile: Profile, words: Words) -> Results:
    """What of the results may leave under a profile; under ``none`` all of it, without row numbers."""
    quality = results.quality.drop(columns="example_rows")
    if profile.threshold == 0:
        return replace(results, quality=quality)
    k = profile.threshold
    quality = _counts(quality, ["count"], k)
    quality.loc[quality["count"].isna(), "share"] = np.nan
    facts = {name: (None if isinstance(v, int) and 0 < v < k else v) for name, v in results.facts.items()}
    return replace(
        results,
        facts=facts,
        flow=_flow(results.flow, k),
        baseline=_baseline(results.baseline, k),
        rates=_rates(results.rates, k),
        landmark_rates=_rates(results.landmark_rates, k),
        contrasts=_contrasts(results.contrasts, k),
        monthly_contrasts=_contrasts(results.monthly_contrasts, k),
        incidence=_incidence(results.incidence, k, words) if results.incidence is not None else None,
        hazard=_model(results.hazard, profile),
        subgroup_rates=_rates(results.subgroup_rates, k) if results.subgroup_rates is not None else None,
        subgroup_contrasts=_contrasts(results.subgroup_contrasts, k),
        sources=_counts(results.sources, ["person_months"], k),
        observation=_counts(results.observation, ["people"], k),
        ended=_counts(results.ended, ["people"], k),
        quality=quality,
        reconciliation=_counts(results.reconciliation, ["rows_set_aside"], k).assign(
            rows_used=lambda t: t["rows_used"].astype("Int64").mask(t["rows_set_aside"].isna())
        ),
    )
