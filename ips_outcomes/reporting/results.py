"""Every answer that the report gives, computed once, before the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ips_outcomes.analysis import (
    baseline_table,
    compare_arms,
    employment_rates,
    hazard_ratio,
    history_check,
)
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, combine
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.reporting.first_job import counts_of, first_job_answers
from ips_outcomes.reporting.for_whom import Model, subgroup_answers
from ips_outcomes.study import Study

__all__ = ["BASELINE", "Results", "compute_results"]

#: Baseline characteristics of the table, in its order.
BASELINE: dict[str, Any] = {
    "age": "number", "sex": "category", "upper_secondary": "category", "education_level": "category",
    "diagnosis_group": "category", "centre": "category", "months_in_work_before": "number",
}  # fmt: skip


@dataclass(frozen=True)
class Results:
    """The report's answers; the same shape before and after the gate."""

    facts: dict[str, Any]
    flow: pd.DataFrame
    baseline: Estimates
    rates: Estimates
    landmark_rates: Estimates
    contrasts: Estimates | None
    monthly_contrasts: Estimates | None
    stratified: Estimates | None
    incidence: Estimates | None
    gained: Estimates | None
    curve_tests: Estimates | None
    hazard: Estimates | None
    subgroup_rates: Estimates | None
    subgroup_contrasts: Estimates | None
    subgroup_curves: Estimates | None
    subgroup_counts: Estimates | None
    subgroup_effects: Estimates | None
    #: Asks again about some of the subgroups; gone after the gate, because people stand behind it.
    subgroup_model: Model | None
    sources: pd.DataFrame
    observation: pd.DataFrame
    ended: pd.DataFrame
    quality: pd.DataFrame
    reconciliation: pd.DataFrame
    #: Answers of the report's chapters, by chapter and name.
    chapters: Mapping[str, Mapping[str, Estimates | pd.DataFrame]] = field(default_factory=dict)
    #: Shares by month with the dead counted as not in work.
    composite: Estimates | None = None
    #: Whether the arms were alike before inclusion.
    history: Estimates | None = None


def compute_results(cohort: Cohort, followed: FollowUp) -> Results:
    """Ask every question of the study file."""
    study = cohort.study
    plan, primary = study.follow_up, study.primary_definition
    landmarks = list(plan.landmarks)
    months = list(range(-plan.history, plan.months + 1))
    outcomes = [*study.employed, f"{primary}_composite"]
    present = arms_with_people(study, followed)
    two = compared(study, present)
    # one pass over the months: the landmarks are among them
    rates = employment_rates(followed, primary, by="arm", at=months)
    composite = employment_rates(followed, f"{primary}_composite", by="arm", at=list(range(1, plan.months + 1)))
    known = {primary: rates, f"{primary}_composite": composite}
    landmark_rates = combine([
        known[o].select(month=landmarks) if o in known else employment_rates(followed, o, by="arm", at=landmarks) for o in outcomes
    ], "Landmarks")  # fmt: skip
    contrasts = monthly = None
    if two:
        every = compare_arms(followed, primary, at=[m for m in months if m != 0])
        monthly = every.select(measure="risk_difference")
        contrasts = combine([
            every.select(month=landmarks) if o == primary else compare_arms(followed, o, at=landmarks) for o in outcomes
        ], "Arms compared at the landmarks")  # fmt: skip
    at_risk = followed.at_risk
    first = first_job_answers(counts_of(at_risk), landmarks, study.reference) if len(at_risk) else None
    return Results(
        facts=_facts(study, followed, present),
        flow=followed.flow.assign(left_arms=[x if isinstance(x, dict) else {} for x in _column(followed.flow, "left_arms")]),
        baseline=baseline_table(followed.baseline, BASELINE, reference=study.reference if two else None),
        rates=rates,
        landmark_rates=landmark_rates,
        contrasts=contrasts,
        monthly_contrasts=monthly,
        stratified=_stratified(study, followed) if two else None,
        incidence=first.incidence if first else None,
        gained=first.gained if first else None,
        curve_tests=first.tests if first else None,
        hazard=_hazard(followed) if two else None,
        **subgroup_answers(study, followed, landmarks[-2:], two),
        sources=_sources(followed),
        observation=_observation(followed),
        ended=_ended(followed),
        quality=followed.quality,
        reconciliation=cohort.reconciliation,
        composite=composite,
        history=_history(followed, primary) if two and plan.history else None,
    )


def _column(table: pd.DataFrame, name: str) -> list[Any]:
    return table[name].tolist() if name in table else [None] * len(table)


def _stratified(study: Study, followed: FollowUp) -> Estimates | None:
    """The landmarks compared within centres, where individuals were randomised at several."""
    if study.design != "randomised" or followed.baseline["centre"].nunique() < 2:
        return None
    found = compare_arms(followed, study.primary_definition, at=list(study.follow_up.landmarks), strata="centre")
    # the gate knows the common columns: tests that come from exact counts stay out of what it is given
    return replace(found, table=found.table.drop(columns=["p_cmh", "p_homogeneity"], errors="ignore"))


def _crossed(study: Study, followed: FollowUp) -> dict[str, int]:
    """People in the reference arm, and how many of them started supported employment from month 0 on."""
    if study.reference is None or not (study.sources_of("programmes") or study.crossover_plan.records):
        return {}
    controls = followed.crossover[followed.crossover["arm"] == study.reference]
    return {"reference_people": len(controls), "crossed": int(controls["month"].notna().sum())}


def _facts(study: Study, followed: FollowUp, present: list[str]) -> dict[str, Any]:
    people = followed.baseline
    crossing = followed.person_months.drop_duplicates("person_id")["crosses_2015_break"]
    return {
        "participants": len(people),
        "at_risk": int(followed.first_job["at_risk"].sum()),
        "centres": int(people["centre"].nunique()),
        "crossing": int(crossing.sum()),
        **_crossed(study, followed),
        "arms_present": present,
    }


def _history(followed: FollowUp, primary: str) -> Estimates | None:
    """The placebo check; nothing where no register speaks for the time before inclusion."""
    before = followed.person_months[followed.person_months["month"] < 0]
    if before.loc[before[primary].notna(), "arm"].nunique() < 2:
        return None
    return history_check(followed, primary)


def _hazard(followed: FollowUp) -> Estimates | None:
    try:
        return hazard_ratio(followed)
    except UnsupportedError:
        # an arm without any first job: the curve and its table say so
        return None


def _sources(followed: FollowUp) -> pd.DataFrame:
    """Observed person-months by month and register system."""
    seen = followed.person_months[followed.person_months["observed"]]
    table = seen.groupby(["month", "source_system"]).size().reset_index(name="person_months")
    total = table.groupby("month")["person_months"].transform("sum")
    return table.assign(share=table["person_months"] / total)


def _observation(followed: FollowUp) -> pd.DataFrame:
    """People not observed by month, arm and reason."""
    missing = followed.person_months[~followed.person_months["observed"]]
    return missing.groupby(["month", "arm", "reason"]).size().reset_index(name="people")


def _ended(followed: FollowUp) -> pd.DataFrame:
    """How the wait for a first job ended, by arm."""
    rows = followed.first_job[followed.first_job["at_risk"]]
    return rows.groupby(["arm", "ended_by"]).size().reset_index(name="people")
