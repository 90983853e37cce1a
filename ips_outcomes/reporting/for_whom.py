"""What the report asks about subgroups: rates, curves, counts of every cell, effects and differences between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ips_outcomes.analysis import compare, employment_rates, subgroup_effects
from ips_outcomes.analysis.compare import compare_counts
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, combine, tidy
from ips_outcomes.followup import FollowUp
from ips_outcomes.study import Study
from ips_outcomes.study.conditions import UNKNOWN
from ips_outcomes.study.model import SubgroupAnalysis

__all__ = ["Model", "family_size", "in_order", "subgroup_answers"]

#: Effects of the subgroups named, from the people themselves: what the gate asks again without those it hides.
Model = Callable[[Sequence[str]], Estimates | None]


def in_order(study: Study, subgroup: str, present: Iterable[str]) -> list[str]:
    """Levels as the study has them, then others, and Unknown last."""
    there = list(dict.fromkeys(present))
    own = study.subgroups.get(subgroup)
    first = [] if own is None else list(own.ordered(there))
    rest = [level for level in there if level not in first and level != UNKNOWN]
    return [*first, *rest, *([UNKNOWN] if UNKNOWN in there else [])]


def family_size(effects: Estimates) -> int:
    """The number of tests that adjusted p-values are adjusted for; 0 where nothing was tested."""
    return int(effects.table["tests"].dropna().max()) if effects.table["tests"].notna().any() else 0


def _rates(study: Study, followed: FollowUp, outcome: str, name: str, at: list[int]) -> Estimates:
    """Rates of a subgroup's levels by arm and month, levels in order."""
    found = employment_rates(followed, outcome, by=["arm", name], at=at)
    rows = found.table.assign(subgroup=name, level=found.table[name], group=found.table["arm"]).drop(columns=["arm", name])
    levels = {level: i for i, level in enumerate(in_order(study, name, rows["level"]))}
    order = rows["level"].map(levels)
    return found.with_table(
        rows.assign(_order=order).sort_values(["_order", "group", "month"], kind="stable").drop(columns="_order")
    )


def subgroup_answers(study: Study, followed: FollowUp, at: list[int], two: bool) -> dict[str, Any]:
    """The fields of `Results` that are about subgroups; each None where it cannot be asked."""
    names = list(study.subgroups)
    empty = dict.fromkeys(("subgroup_rates", "subgroup_contrasts", "subgroup_curves", "subgroup_counts", "subgroup_effects",
                           "subgroup_model"))  # fmt: skip
    if not names:
        return empty
    every = list(range(1, study.follow_up.months + 1))
    # one pass over the months: the landmarks are among them
    curves = combine([_rates(study, followed, study.primary_definition, name, every) for name in names], "Subgroups by month")
    rates = curves.select(month=at)
    found = {**empty, "subgroup_rates": rates, "subgroup_curves": curves}
    if not two:
        return found
    keys = ["subgroup", "level", "outcome", "month"]
    compared = compare_counts(rates.table[[*keys, "group", "n", "events"]], "group", str(study.reference), keys)
    contrasts = Estimates(tidy(compared), "Arms compared within subgroups", compare.METHOD, compare.REFERENCES)
    question = study.subgroup_plan

    def model(shown: Sequence[str]) -> Estimates | None:
        usable = [name for name in shown if len(set(followed.baseline[name]) - {UNKNOWN}) > 1]
        if not usable:
            return None
        try:
            return subgroup_effects(followed, usable, list(question.outcomes), at=list(question.months), scale=question.scale,
                                    kind="rate", least_events=question.least_events, draws=question.draws,
                                    prior_sd=question.prior_sd)  # fmt: skip
        except UnsupportedError:
            # nobody to compare in any level: the rates say so
            return None

    effects = model(names)
    counts = None if effects is None else _counts(study, followed, question)
    return {
        **found,
        "subgroup_contrasts": contrasts,
        "subgroup_counts": counts,
        "subgroup_effects": effects,
        "subgroup_model": model,
    }


def _counts(study: Study, followed: FollowUp, question: SubgroupAnalysis) -> Estimates:
    """People and events of every cell that the effects rest on, and of everybody."""
    parts = []
    for outcome in question.outcomes:
        at = list(question.months)
        parts.append(employment_rates(followed, outcome, by="arm", at=at))
        parts += [_rates(study, followed, outcome, name, at) for name in study.subgroups]
    return combine(parts, "Counts behind the subgroup effects")
