"""What the page says in words; every sentence follows from a released number."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.definition_words import definition_lines
from ips_outcomes.reporting.estimands import ICH
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.results import Results
from ips_outcomes.reporting.suppression import Profile
from ips_outcomes.study import Study

__all__ = ["alerts", "cards", "methods", "plain_words", "references"]


def _count(number: int | None, canvas: Canvas) -> str:
    """A count within a sentence."""
    return canvas.words("finding.hidden_number") if number is None else numbers.count(number)


def cards(study: Study, results: Results, canvas: Canvas) -> list[dict[str, Any]]:
    """The key numbers: the landmarks (the last three), and the first job."""
    arms, say = results.facts["arms_present"], canvas.words
    looks = canvas.styles
    made = []
    for month in study.follow_up.landmarks[-3:]:
        rows = {a: pick(results.landmark_rates, outcome=study.primary_definition, group=a, month=month) for a in arms}
        shown = [
            {"name": canvas.arms[a], "value": numbers.percent(cell(r)), "colour": looks[a]["color"]} for a, r in rows.items()
        ]
        lines = []
        if results.contrasts is not None:
            found = results.contrasts.select(outcome=study.primary_definition, month=month, measure="risk_difference").table
            lines = [line for _, row in found.iterrows() for line in _difference(row, canvas, named=len(found) > 1)]
        else:
            for row in rows.values():
                if row is not None and not pd.isna(row["estimate"]):
                    lines.append(say("finding.landmark_one", rate=numbers.percent(row["estimate"]), n=numbers.count(row["n"]),
                                     low=numbers.percent(row["conf_low"]), high=numbers.percent(row["conf_high"])))  # fmt: skip
        made.append({"title": say("finding.landmark", month=month), "numbers": shown, "lines": lines})
    last = study.follow_up.months
    if results.incidence is not None:
        shown = []
        for arm in arms:
            row = pick(results.incidence, group=arm, time=_last_time(results.incidence, arm, last))
            shown.append({"name": canvas.arms[arm], "value": numbers.percent(cell(row)), "colour": looks[arm]["color"]})
        gained = pick(results.gained, measure="mean_difference", time=last) if len(arms) == 2 else None
        lines = []
        if gained is not None and not pd.isna(gained["estimate"]):
            lines.append(f"{say('finding.gained')}: {numbers.estimate_with_interval(gained, numbers.decimal)}")
        hazards = results.hazard.table if results.hazard is not None else pd.DataFrame()
        for _, hazard in hazards.iterrows():
            if not pd.isna(hazard["estimate"]):
                name = f"{_arm(hazard, canvas)}: " if len(hazards) > 1 else ""
                lines.append(f"{name}{say('column.hazard_ratio')}: {numbers.estimate_with_interval(hazard, numbers.ratio)}")
        made.append({"title": say("finding.first_job", month=last), "numbers": shown, "lines": lines})
    return made


def alerts(results: Results, canvas: Canvas) -> list[str]:
    """Severe findings of data quality: what a reader must know before any number."""
    met = results.quality[(results.quality["severity"] == "severe") & results.quality["count"].fillna(1).gt(0)]
    return [
        canvas.words("finding.severe_line", rule=r["rule"], count=numbers.count(r["count"]), total=numbers.count(r["total"]),
                     unit=r["unit"], source=r["source"], action=r["action"])
        for _, r in met.iterrows()
    ]  # fmt: skip


def _last_time(incidence: Estimates, arm: str, last: int) -> int:
    times = incidence.table.loc[incidence.table["group"] == arm, "time"]
    return min(last, int(times.max())) if len(times) else last


def _arm(row: pd.Series, canvas: Canvas) -> str:
    """The label of the arm that a contrast is about."""
    arm = str(row["contrast"]).replace(" / ", " - ").split(" - ")[0]
    return canvas.arms.get(arm, arm)


def _difference(row: pd.Series, canvas: Canvas, *, named: bool) -> list[str]:
    """The difference in words; with several arms, whose it is, and no sentence about zero for each."""
    say = canvas.words
    name = f"{_arm(row, canvas)}: " if named else ""
    if pd.isna(row["estimate"]):
        return [name + say("finding.hidden")]
    if pd.isna(row["conf_low"]):
        return [name + say("finding.no_interval")]
    text = say("finding.difference", points=numbers.points(row["estimate"]), low=numbers.points(row["conf_low"]),
               high=numbers.points(row["conf_high"]))  # fmt: skip
    if named:
        return [f"{name}{text}."]
    clear = row["conf_low"] > 0 or row["conf_high"] < 0
    return [text[0].upper() + text[1:] + ".", say("finding.excludes_zero" if clear else "finding.includes_zero")]


def plain_words(study: Study, results: Results, canvas: Canvas) -> list[str]:
    """One sentence that anybody can read."""
    say, month = canvas.words, study.follow_up.landmarks[-1]
    arms = results.facts["arms_present"]
    label = study.employed[study.primary_definition].label.lower()
    shares = {}
    for arm in arms:
        value = cell(pick(results.landmark_rates, outcome=study.primary_definition, group=arm, month=month))
        if value is None or pd.isna(value):
            return []
        shares[arm] = numbers.decimal(100 * float(value), 0)
    if results.contrasts is None:
        return [say("finding.plain_one", label=label, share=shares[arms[0]], month=month)] if len(arms) == 1 else []
    return [
        say("finding.plain_two", label=label, arm=canvas.arms[a], share=shares[a], month=month, reference=canvas.arms[str(study.reference)],
            reference_share=shares[str(study.reference)])
        for a in arms if a != study.reference
    ]  # fmt: skip


def methods(study: Study, results: Results, canvas: Canvas, profile: Profile) -> list[str]:
    """What was done, in words."""
    say, facts = canvas.words, results.facts
    lines = [say("methods.intro"), say("methods.observed")]
    if study.follow_up.residence == "assumed":
        lines.append(say("methods.assumed"))
    lines += [
        say("methods.definition", label=definition.label, rules="; ".join(definition_lines(definition, say)))
        for definition in study.employed.values()
    ]
    lines.append(say("methods.rates", method=results.rates.method))
    if results.contrasts is not None:
        lines.append(say("methods.contrasts", method=results.contrasts.method))
        if results.stratified is not None:
            lines.append(say("methods.small", clusters=facts["centres"]))
    if results.incidence is not None:
        lines.append(say("methods.incidence", method=results.incidence.method))
    for name, part in (("gained", results.gained), ("curve_tests", results.curve_tests)):
        if part is not None:
            lines.append(say(f"methods.{name}", method=part.method))
    if results.subgroup_effects is not None:
        lines.append(say("methods.subgroups", method=results.subgroup_effects.method))
    if results.hazard is not None:
        lines.append(say("methods.hazard", method=results.hazard.method))
    lines.append(say("methods.baseline", method=results.baseline.method))
    lines.append(say("methods.break", people=_count(facts["participants"], canvas), crossing=_count(facts["crossing"], canvas)))
    lines.append(say("methods.gate", profile=profile.name, limits=profile.limits))
    clean = int((results.quality["count"] == 0).sum())
    lines.append(say("methods.checked", clean=clean))
    return lines


def references(results: Results) -> list[str]:
    """Each method's references, once."""
    parts = [
        results.rates,
        results.history,
        results.contrasts,
        results.stratified,
        results.incidence,
        results.gained,
        results.curve_tests,
        results.hazard,
        results.subgroup_effects,
        results.baseline,
        *(answer for answers in results.chapters.values() for answer in answers.values() if isinstance(answer, Estimates)),
    ]
    found = [reference for part in parts if part is not None for reference in part.references]
    return list(dict.fromkeys([*found, ICH]))
