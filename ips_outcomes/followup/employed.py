"""Employed in a month: yes, no or unknown, by a definition of the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.benefits import benefit_rules
from ips_outcomes.followup.courses import attending
from ips_outcomes.followup.grid import Grid, Observation
from ips_outcomes.followup.jobs import JobMonths, cells, counted, held_at_start
from ips_outcomes.followup.pay import asks_pay_in_month, month_pay_rule, without, year_pay_rule
from ips_outcomes.followup.rule import Rule, rule
from ips_outcomes.followup.schemes import schemes_known, taken_by_schemes
from ips_outcomes.study import Definition

__all__ = ["Answer", "answer", "hours_of"]


@dataclass(frozen=True)
class Answer:
    """One definition over the grid: 1 yes, 0 no, -1 unknown."""

    value: NDArray[np.int8]
    work: NDArray[np.int8]
    """The same before courses are asked about: what jobs alone say."""
    observation: Observation
    unanswerable: NDArray[np.bool_]
    at_stake: NDArray[np.bool_]
    left: pd.DataFrame
    """Jobs that count, without those that a scheme names: a row a job and month."""
    blank: NDArray[np.bool_]
    """Cells with a job whose kind was left blank: it may count, too."""
    foreign_key: NDArray[np.bool_]
    """A scheme names an employer whose key the month's register never uses."""
    silent: dict[str, NDArray[np.bool_]]
    """By rule: observed cells that its sources cannot answer."""
    left_open: dict[str, NDArray[np.bool_]]
    """By rule: observed cells left unknown because a record lacks the value."""
    turned_down: dict[str, NDArray[np.bool_]]
    """By rule on benefits: observed cells that are a no for this rule alone."""


def answer(jobs: JobMonths, definition: Definition, *, new_employer: bool = False) -> Answer:
    """Yes, no or unknown for every cell.

    A month is a yes where every rule of the definition is met, a no where one
    is not, and open where a value is missing on which it depends. With
    ``new_employer`` only jobs count that began after month 0, with an
    employer whom the person did not have then. Jobs that a scheme names are
    taken out first: their hours and pay count for nothing. Where education
    counts too, attending a course makes an observed month a yes whatever the
    jobs say; a no needs both to be a no, and a month that no delivery of
    courses speaks for is unknown of everybody (unless skipped). With ``new_employer`` only courses
    count that began after month 0.
    """
    grid, observation = jobs.grid, jobs.observation(definition)
    chosen = _new_jobs if new_employer else _all_jobs
    rows = chosen(jobs, counted(jobs, definition))
    taken = taken_by_schemes(jobs, definition, rows)
    rules = [rule("job", cells(grid, taken.left))]
    if asks_pay_in_month(definition):
        rules.append(month_pay_rule(jobs, definition, observation, taken.left))
    if definition.minimum_weekly_hours is not None:
        silent = without(observation, jobs.hour_sources)
        rules.append(_hours_rule(grid, taken.left, definition.minimum_weekly_hours, silent))
    if definition.wage_subsidy != "keep":
        rules.append(rule("schemes", taken.counts, silent=~schemes_known(grid)))
    # what the month's own records say; one whose kind was left blank may be what they lack
    blank = cells(grid, counted(jobs, definition, kinds=("unknown",)))
    rules = [Rule(r.name, np.where(blank & (r.holds == 0), -1, r.holds).astype(np.int8), r.silent) for r in rules]
    if definition.minimum_yearly_pay_g is not None:
        rules.append(year_pay_rule(jobs, definition, chosen))
    on_benefits = benefit_rules(grid, definition)
    rules += on_benefits
    value = _all_of(rules, grid)
    seen = observation.observed
    unanswerable = np.logical_or.reduce([r.silent for r in rules]) & seen
    decided = seen & ~unanswerable if definition.if_unanswerable == "unknown" else seen
    left_open = {r.name: (r.holds == -1) & ~r.silent & (value == -1) & decided for r in rules}
    left_open["blank"] = blank & (value == -1) & decided
    turned_down = {
        r.name: (r.holds == 0) & ~r.silent & decided & (_all_of([o for o in rules if o is not r], grid) == 1) for r in on_benefits
    }
    work = _all_of([r for r in rules if r.name != "schemes"], grid) == 1
    at_stake = work & (taken.strict != taken.lenient) & seen
    value[~decided] = -1
    work = value.copy()
    silence = {r.name: r.silent & seen for r in rules if r.silent.any()}
    if definition.or_education:
        course = attending(grid, any_day=definition.month_rule == "any_day", new=new_employer)
        silence["education"] = (course == -1) & seen
        unanswerable = unanswerable | silence["education"]
        value[(course == 1) & seen] = 1
        if definition.if_unanswerable == "unknown":
            # of everybody: if those with a job, or on a course, were known, all who are known would be a yes
            value[unanswerable] = -1
            left_open = {name: where & ~unanswerable for name, where in left_open.items()}
        at_stake &= course != 1
        left_open = {name: where & (value == -1) for name, where in left_open.items()}
        turned_down = {name: where & (value == 0) for name, where in turned_down.items()}
    return Answer(
        value, work, observation, unanswerable, at_stake, taken.left, blank, taken.foreign_key & seen,
        silence, left_open, turned_down,
    )  # fmt: skip


def _all_of(rules: list[Rule], grid: Grid) -> NDArray[np.int8]:
    """1 where every rule is met, 0 where one is not, -1 where that is open; a rule that nobody answers is off."""
    value = np.ones(grid.shape, dtype=np.int8)
    missed = np.zeros(grid.shape, dtype=bool)
    for part in rules:
        value[(part.holds == -1) & ~part.silent] = -1
        missed |= (part.holds == 0) & ~part.silent
    value[missed] = 0
    return value


def _all_jobs(jobs: JobMonths, rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def _new_jobs(jobs: JobMonths, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~held_at_start(jobs, rows)]


def _hours_rule(grid: Grid, rows: pd.DataFrame, least: float, silent: NDArray[np.bool_]) -> Rule:
    """Enough hours over the jobs that count; a job without hours leaves it open unless the rest is enough."""
    total, missing = hours_of(grid, rows)
    return rule("hours", total >= round(least * 100), left_open=missing, silent=silent)


def hours_of(grid: Grid, rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Weekly hours of the jobs by cell, in hundredths, and the cells with a job of unknown hours."""
    # hundredths of an hour, so that the sum does not depend on the order
    hours = np.rint(rows["weekly_hours"].fillna(0).to_numpy() * 100).astype(np.int64)
    total = np.zeros(grid.shape, dtype=np.int64)
    np.add.at(total, (rows["person"].to_numpy(), rows["column"].to_numpy()), hours)
    return total, cells(grid, rows[rows["weekly_hours"].isna()])
