"""Blocks of the estimand sheet for answers that stand in chapters of their own, by the chapter's name.

A chapter that brings blocks itself (`Chapter.estimand`) is asked first.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from ips_outcomes.analysis import months_in_work
from ips_outcomes.estimates import Estimates
from ips_outcomes.followup.schemes import NOT_ORDINARY
from ips_outcomes.reporting.estimands import Estimand, Event, Terms, listed
from ips_outcomes.study.states import StateRule, States

__all__ = ["BY_CHAPTER"]


def _default(function: Callable[..., Any], name: str) -> Any:
    """What an analysis takes a setting to be; the words follow it."""
    return signature(function).parameters[name].default


def _staying(terms: Terms) -> list[Estimand]:
    told, plan, one = terms.told, terms.study.follow_up, "" if terms.compared else "_one"
    rules = terms.rules(terms.primary)
    zero = [terms.event("death", "composite", "death_zero")]
    asked = _outcomes(terms, "staying")
    added = tuple(told(f"sum_{name}") for name in ("weekly_hours", "pay_nok", "pay_g") if name in asked)
    sums = Estimand(
        "months_in_work", told("answer.months_in_work"), terms.population(), terms.arms,
        (told("months_sum", months=plan.months), *rules, *added),
        terms.events(terms.primary, zero, terms.event("emigration", "hypothetical", "emigration_sum")),
        terms.unknown(terms.primary, told(f"missing_{_default(months_in_work, 'missing')}")), (told(f"summary_months{one}"),),
    )  # fmt: skip
    steady = plan.steady_months
    lengths = [n for n in plan.sustained_months if n <= plan.months]
    parts = [told("whole_stretch", months=plan.months), told("longest_stretch")]
    parts += [told("steady", steady=steady)] if steady <= plan.months else []
    parts += [told("sustained", lengths=listed(lengths, terms.say))] if lengths else []
    parts += [told(name, gap=plan.job_gap_months) for name in ("longest_job", "number_of_jobs") if name in asked]
    runs = Estimand(
        "staying", told("answer.staying"), terms.population(), terms.arms, (*parts, told("never_worked"), *rules),
        terms.events(terms.primary, zero, terms.event("emigration", "treatment_policy", "emigration_bounds")),
        terms.unknown(terms.primary, told("missing_bounds")), (told(f"summary_staying{one}"),),
    )  # fmt: skip
    return [sums, runs]


def _outcomes(terms: Terms, chapter: str) -> set[str]:
    """What the tables of a chapter are about."""
    found: set[str] = set()
    for part in terms.results.chapters.get(chapter, {}).values():
        table = part.table if isinstance(part, Estimates) else part
        found |= set(table["outcome"].dropna()) if "outcome" in table else set()
    return found


def _trend(terms: Terms) -> list[Estimand]:
    told, plan, one = terms.told, terms.study.follow_up, "" if terms.compared else "_one"
    if plan.programme_end_month is None:
        return []
    start = plan.programme_end_month + 1
    since = max(start, plan.months - plan.trend_change_months)
    knot = (told("knot", month=plan.programme_end_month),) if "trend_knot" in terms.results.chapters.get("trend", {}) else ()
    return [Estimand(
        "trend", told("answer.trend"), terms.population(told("population_rates"), told("population_both_months")), terms.arms,
        (told("slope_variable", start=start, months=plan.months), *knot,
         told("change_variable", change_start=since, months=plan.months), *terms.rules(terms.primary)),
        terms.events(terms.primary, [terms.event("death", "while_alive", "death_both")],
                     terms.event("emigration", "while_resident", "emigration_away")),
        terms.unknown(terms.primary, told("missing_slope")), (told(f"summary_trend{one}"),),
    )]  # fmt: skip


def _states(terms: Terms) -> list[Estimand]:
    told, study, one = terms.told, terms.study, "" if terms.compared else "_one"
    states = study.states
    if states is None:
        return []
    first = [told("state_dead")] if terms.deaths_known else []
    first += [told("state_abroad")] if study.follow_up.residence == "register" else []
    named = [*first, *(_rule(states.rules[name], terms) for name in states.order), told("state_none")]
    kinds: dict[str, Callable[[StateRule], bool]] = {
        "disability": lambda rule: "disability" in (rule.benefits or ()),
        "subsidised": lambda rule: bool(set(NOT_ORDINARY) & set(rule.schemes or ())),
        "education": lambda rule: rule.course,
    }
    events = (*terms.gone([terms.event("death", "composite", "death_state")]),
              terms.away(terms.event("emigration", "composite", "emigration_state")),
              *(_own_state(kind, holds, states, terms) for kind, holds in kinds.items()), *terms.service())  # fmt: skip
    used = dict.fromkeys(rule.employed for rule in states.rules.values() if rule.employed is not None)
    rules = [line for name in used for line in terms.rules(study.employed[name])]
    return [Estimand(
        "states", told("answer.states"), terms.population(told("population_states")), terms.arms,
        (told("state_variable", months=study.follow_up.months, states=listed(named, terms.say)), *rules), events,
        (told("missing_states"),), (told(f"summary_states{one}"),),
    )]  # fmt: skip


def _rule(rule: StateRule, terms: Terms) -> str:
    """A state and who is in it."""
    if rule.employed is not None:
        return terms.told("state_employed", label=rule.label, definition=terms.study.employed[rule.employed].label)
    if rule.course:
        return terms.told("state_course", label=rule.label)
    what = [terms.say(f"benefit.{kind}") for kind in rule.benefits or ()] or list(rule.schemes or ())
    return terms.told("state_by", label=rule.label, what=", ".join(what))


def _own_state(kind: str, holds: Callable[[StateRule], bool], states: States, terms: Terms) -> Event:
    """An event that has a state of its own, or none."""
    labels = [states.rules[name].label for name in states.order if holds(states.rules[name])]
    if labels:
        return terms.event(kind, "composite", "state_of_its_own", label=listed(labels, terms.say))
    return terms.event(kind, "treatment_policy", "state_under")


def _crossover(terms: Terms) -> list[Estimand]:
    told, study = terms.told, terms.study
    if not terms.compared or "crossed" not in terms.results.facts:
        return []
    left = terms.event("crossover", "while_on_treatment", "crossover_left_out", schemes=terms.schemes)
    return [Estimand(
        "crossover", told("answer.crossover", reference=terms.reference), terms.population(told("population_rates")), terms.arms,
        (told("until_start", months=study.follow_up.months, schemes=terms.schemes), *terms.rules(terms.primary)),
        terms.events(terms.primary, [terms.event("death", "while_alive", "death_alive")],
                     terms.event("emigration", "while_resident", "emigration_away"), left),
        terms.unknown(terms.primary, told("missing_rates")), (told("summary_crossover"),),
    )]  # fmt: skip


#: Blocks by the name of the chapter whose answers they are about.
BY_CHAPTER: dict[str, Callable[[Terms], list[Estimand]]] = {
    "trend": _trend, "staying": _staying, "states": _states, "crossover": _crossover,
}  # fmt: skip
