"""Employed in a month: yes, no or unknown, by a definition of the study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid, Observation, observe
from ips_outcomes.months import NO_MONTH, day_in_month, month_number
from ips_outcomes.study import Definition

__all__ = ["NOT_ORDINARY", "WORK_PRACTICE", "Answer", "JobMonths", "answer", "schemes_known"]

#: Schemes that create the job they stand beside: wage subsidy and sheltered work.
NOT_ORDINARY = ("MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR")
#: Schemes without pay; they subtract only in a named sensitivity.
WORK_PRACTICE = ("ARBTREN", "ARBFORB")


@dataclass(frozen=True)
class Answer:
    """One definition over the grid: 1 yes, 0 no, -1 unknown."""

    value: NDArray[np.int8]
    observation: Observation
    unanswerable: NDArray[np.bool_]
    at_stake: NDArray[np.bool_]
    foreign_key: NDArray[np.bool_]
    """A scheme names an employer whose key the month's register never uses."""


@dataclass(frozen=True)
class JobMonths:
    """Every job in every month it may speak for: one row a job, person and month."""

    grid: Grid

    @cached_property
    def table(self) -> pd.DataFrame:
        jobs, grid = self.grid.cohort.employment, self.grid
        person = grid.rows(jobs["person_id"])
        monthly = (jobs["record"] == "month").to_numpy()
        own = jobs["month"].fillna(NO_MONTH).to_numpy(dtype=np.int64)
        last_of = {s: self._period(s)[1] for s in jobs["source"].unique()}
        first_of = {s: self._period(s)[0] for s in jobs["source"].unique()}
        start = jobs["start"].to_numpy().astype("datetime64[D]")
        end = jobs["end"].to_numpy().astype("datetime64[D]")
        last_delivered = jobs["source"].map(last_of).to_numpy(dtype=np.int64)
        first = np.where(monthly, own, np.maximum(month_number(start), jobs["source"].map(first_of).to_numpy(dtype=np.int64)))
        last = np.where(monthly, own, np.where(np.isnat(end), last_delivered, np.minimum(month_number(end), last_delivered)))
        job, column = grid.spread(person, first, last)
        calendar = grid.calendar[person[job], column]
        source = jobs["source"].to_numpy()[job]
        begins, ends = start[job], end[job]
        sixteenth = day_in_month(calendar, 16)
        first_day, next_month = day_in_month(calendar, 1), day_in_month(calendar + 1, 1)
        table = pd.DataFrame({
            "person": person[job], "column": column, "source": source,
            "employer": jobs["employer"].to_numpy()[job], "kind": jobs["kind"].to_numpy()[job],
            "basis": jobs["basis"].to_numpy()[job], "weekly_hours": jobs["weekly_hours"].to_numpy()[job],
            "on_status_day": (np.isnat(begins) | (begins <= sixteenth)) & (np.isnat(ends) | (ends >= sixteenth)),
            "on_any_day": (np.isnat(begins) | (begins < next_month)) & (np.isnat(ends) | (ends >= first_day)),
            "began": month_number(begins), "job": job,
        })  # fmt: skip
        delivered = np.zeros(len(table), dtype=bool)
        for name in last_of:
            cells = grid.delivered(name)
            of_source = source == name
            delivered[of_source] = cells[table["person"][of_source], table["column"][of_source]]
        return table[delivered].reset_index(drop=True)

    @cached_property
    def on_status_day(self) -> Observation:
        """What is observed by definitions that look at the 16th."""
        return observe(self.grid, on_status_day=True)

    @cached_property
    def on_some_day(self) -> Observation:
        """What is observed by definitions that look at any day of the month."""
        return observe(self.grid, on_status_day=False)

    def _period(self, source: str) -> tuple[int, int]:
        return self.grid.cohort.study.sources[source].period_numbers or (0, 0)

    @cached_property
    def pay(self) -> pd.DataFrame:
        """Pay by person, grid column and kind of job, whole øre."""
        pay, grid = self.grid.cohort.pay, self.grid
        person = grid.rows(pay["person_id"])
        column = pay["month"].to_numpy(dtype=np.int64) - grid.index_month[person] + grid.zero
        table = pd.DataFrame({
            "person": person, "column": column, "kind": pay["kind"].to_numpy(), "employer": pay["employer"].to_numpy(),
            "basis": pay["basis"].to_numpy(), "amount": pay["amount_ore"].to_numpy(dtype=np.int64),
        })  # fmt: skip
        return table[(column >= 0) & (column < grid.shape[1])]

    @cached_property
    def paid_sources(self) -> set[str]:
        """Sources that know pay."""
        study = self.grid.cohort.study
        return {s for s in study.sources_of("job_months") if "pay" in study.layouts[s].columns}

    @cached_property
    def hour_sources(self) -> set[str]:
        """Sources that know weekly hours."""
        study = self.grid.cohort.study
        return {s for s in study.sources_of("jobs", "job_months") if "weekly_hours" in study.layouts[s].columns}


def answer(jobs: JobMonths, definition: Definition, *, new_employer: bool = False) -> Answer:
    """Yes, no or unknown for every cell.

    With ``new_employer`` only jobs count that began after month 0, with an
    employer whom the person did not have then. Jobs that a scheme names are
    taken out first: their hours and pay count for nothing.
    """
    grid = jobs.grid
    observation = jobs.on_status_day if definition.month_rule == "status_day" else jobs.on_some_day
    rows = _counted(jobs, definition)
    rows = rows[~_held_at_start(jobs, rows)] if new_employer else rows
    taken, unnamed, foreign = _on_schemes(jobs, definition, rows)
    left = rows[~_among(rows, taken, ["person", "column", "employer"])]
    yes, unanswerable = _cells(grid, left), np.zeros(grid.shape, dtype=bool)
    if definition.month_rule == "paid_in_month" or definition.minimum_monthly_pay_nok is not None:
        silent = _without(observation, jobs.paid_sources)
        yes, unanswerable = np.where(silent, yes, yes & _paid(jobs, definition, left)), unanswerable | silent
    open_answer = np.zeros(grid.shape, dtype=bool)
    if definition.minimum_weekly_hours is not None:
        silent = _without(observation, jobs.hour_sources)
        unanswerable |= silent
        enough, missing = _hours(grid, left, definition.minimum_weekly_hours)
        open_answer = yes & missing & ~silent
        yes = np.where(silent, yes, yes & enough)
    several = _employers(grid, rows) > 1
    strict, lenient = ~unnamed, ~unnamed | several
    counts = {"strict": strict, "lenient": lenient, "keep": np.ones(grid.shape, dtype=bool)}[definition.wage_subsidy]
    at_stake = yes & (strict != lenient) if definition.wage_subsidy != "keep" else np.zeros(grid.shape, dtype=bool)
    if definition.wage_subsidy != "keep":
        unanswerable |= ~schemes_known(grid)
    value = (yes & counts).astype(np.int8)
    value[open_answer & counts] = -1
    if definition.if_unanswerable == "unknown":
        value[unanswerable] = -1
    value[~observation.observed] = -1
    seen = observation.observed
    return Answer(value, observation, unanswerable & seen, at_stake & seen, foreign & seen)


def _counted(jobs: JobMonths, definition: Definition) -> pd.DataFrame:
    """Job-months that a definition counts, before schemes are subtracted."""
    rows = jobs.table
    keep = rows["kind"].isin(definition.kinds) & (rows["basis"].isna() | rows["basis"].isin(definition.basis))
    if definition.month_rule == "any_day":
        keep &= rows["on_any_day"]
    elif definition.month_rule == "paid_in_month":
        # where a rule on pay cannot be answered and is skipped, the status day decides
        keep &= rows["on_any_day"].where(rows["source"].isin(jobs.paid_sources), rows["on_status_day"])
    else:
        keep &= rows["on_status_day"]
    return rows[keep]


def _among(rows: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Rows whose values in the columns also stand in the other table; a missing employer is like no other."""
    known = pd.MultiIndex.from_frame(other[columns].dropna())
    return pd.MultiIndex.from_frame(rows[columns]).isin(known)


def _held_at_start(jobs: JobMonths, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Jobs with an employer of month 0, or that began by then.

    Employers have other keys in other deliveries: a job that crosses from one
    register to the next is known by when it began. Without a known beginning
    and employer, a job is not said to be new.
    """
    began = rows["began"].to_numpy()
    by_then = (began != NO_MONTH) & (began <= jobs.grid.index_month[rows["person"].to_numpy()])
    untold = rows["employer"].isna().to_numpy() & (began == NO_MONTH)
    here = jobs.table[jobs.table["column"] == jobs.grid.zero]
    return by_then | untold | _among(rows, here, ["person", "employer"])


def _cells(grid: Grid, rows: pd.DataFrame) -> NDArray[np.bool_]:
    cells = np.zeros(grid.shape, dtype=bool)
    cells[rows["person"], rows["column"]] = True
    return cells


def _without(observation: Observation, sources: set[str]) -> NDArray[np.bool_]:
    """Observed cells that none of the given sources speaks for."""
    spoken = np.zeros(observation.reason.shape, dtype=bool)
    for name in sources:
        spoken |= observation.by_source[name]
    return observation.observed & ~spoken


def _paid(jobs: JobMonths, definition: Definition, left: pd.DataFrame) -> NDArray[np.bool_]:
    """Cells where the jobs that count paid enough, and more than nothing."""
    pay = jobs.pay[jobs.pay["kind"].isin(definition.kinds)]
    pay = pay[pay["basis"].isna() | pay["basis"].isin(definition.basis)]
    named = pay["employer"].notna()
    pay = pay[~named | _among(pay, left, ["person", "column", "employer"])]
    total = np.zeros(jobs.grid.shape, dtype=np.int64)
    np.add.at(total, (pay["person"].to_numpy(), pay["column"].to_numpy()), pay["amount"].to_numpy())
    threshold = round((definition.minimum_monthly_pay_nok or 0) * 100)
    return total >= max(threshold, 1)


def _hours(grid: Grid, rows: pd.DataFrame, least: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells with enough hours, and cells where missing hours leave it open."""
    # hundredths of an hour, so that the sum does not depend on the order
    hours = np.rint(rows["weekly_hours"].fillna(0).to_numpy() * 100).astype(np.int64)
    total = np.zeros(grid.shape, dtype=np.int64)
    np.add.at(total, (rows["person"].to_numpy(), rows["column"].to_numpy()), hours)
    missing = _cells(grid, rows[rows["weekly_hours"].isna()])
    enough = total >= round(least * 100)
    return enough, missing & ~enough


def schemes_known(grid: Grid) -> NDArray[np.bool_]:
    """Cells that some scheme delivery speaks for."""
    known = np.zeros(grid.shape, dtype=bool)
    for name in grid.cohort.study.sources_of("programmes"):
        known |= grid.delivered(name) & grid.listed(name)[:, None]
    return known


def _scheme_months(grid: Grid, definition: Definition) -> pd.DataFrame:
    """Months on a scheme that subtracts: person, column, employer."""
    codes = NOT_ORDINARY + (WORK_PRACTICE if definition.work_practice_subtracts else ())
    spells = grid.cohort.programmes[grid.cohort.programmes["scheme"].isin(codes)]
    person = grid.rows(spells["person_id"])
    start = spells["start"].to_numpy().astype("datetime64[D]")
    end = spells["end"].to_numpy().astype("datetime64[D]")
    # a spell that goes on is known to go on only as long as the delivery reaches
    last = grid.calendar.max() if len(spells) else 0
    spell, column = grid.spread(person, month_number(start), np.where(np.isnat(end), last, month_number(end)))
    on = np.ones(len(spell), dtype=bool)
    if definition.month_rule != "any_day":
        day = day_in_month(grid.calendar[person[spell], column], 16)
        on = (start[spell] <= day) & (np.isnat(end[spell]) | (end[spell] >= day))
    return pd.DataFrame({
        "person": person[spell][on], "column": column[on], "employer": spells["employer"].to_numpy()[spell][on],
    })  # fmt: skip


def _on_schemes(
    jobs: JobMonths, definition: Definition, rows: pd.DataFrame
) -> tuple[pd.DataFrame, NDArray[np.bool_], NDArray[np.bool_]]:
    """Jobs that a scheme names, cells with a job beside a scheme that names none, and those without a known key.

    A scheme that names its employer takes only that employer's job. It counts
    as naming nobody in a source that never uses the employer's key: keys
    differ between deliveries.
    """
    unnamed = np.zeros(jobs.grid.shape, dtype=bool)
    if definition.wage_subsidy == "keep":
        return rows.iloc[:0], unnamed, unnamed
    schemes = _scheme_months(jobs.grid, definition).rename(columns={"employer": "scheme_employer"})
    pairs = rows.merge(schemes, on=["person", "column"])
    used = jobs.grid.cohort.employer_keys
    named = np.array(
        [key in used.get(source, frozenset()) for source, key in zip(pairs["source"], pairs["scheme_employer"], strict=True)],
        dtype=bool,
    )
    unnamed[pairs["person"][~named], pairs["column"][~named]] = True
    foreign = np.zeros(jobs.grid.shape, dtype=bool)
    keyed = ~named & pairs["scheme_employer"].notna().to_numpy(dtype=bool)
    foreign[pairs["person"][keyed], pairs["column"][keyed]] = True
    return pairs[named & (pairs["employer"] == pairs["scheme_employer"]).to_numpy(dtype=bool)], unnamed, foreign


def _employers(grid: Grid, rows: pd.DataFrame) -> NDArray[np.int64]:
    """Employers by cell; a job without an employer key is an employer of its own."""
    distinct = rows.assign(employer=rows["employer"].where(rows["employer"].notna(), rows["job"].astype(str)))
    distinct = distinct.drop_duplicates(["person", "column", "source", "employer"])
    number = np.zeros(grid.shape, dtype=np.int64)
    np.add.at(number, (distinct["person"].to_numpy(), distinct["column"].to_numpy()), 1)
    return number
