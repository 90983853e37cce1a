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

__all__ = ["NOT_ORDINARY", "WORK_PRACTICE", "Answer", "JobMonths", "answer"]

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
            "job": job,
        })  # fmt: skip
        delivered = np.zeros(len(table), dtype=bool)
        for name in last_of:
            cells = grid.delivered(name)
            of_source = source == name
            delivered[of_source] = cells[table["person"][of_source], table["column"][of_source]]
        return table[delivered].reset_index(drop=True)

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
            "amount": pay["amount_ore"].to_numpy(dtype=np.int64),
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

    @cached_property
    def known_employers(self) -> dict[str, set[object]]:
        """Employer keys that occur in each source."""
        jobs = self.grid.cohort.employment
        return {str(s): set(part.dropna()) for s, part in jobs.groupby("source")["employer"]}


def answer(jobs: JobMonths, definition: Definition, *, without: pd.DataFrame | None = None) -> Answer:
    """Yes, no or unknown for every cell.

    ``without`` lists (person, employer) pairs whose jobs do not count, for
    those who must find a new employer.
    """
    grid = jobs.grid
    observation = observe(grid, on_status_day=definition.month_rule == "status_day")
    rows = _counted(jobs, definition, without)
    by_pay = definition.month_rule == "paid_in_month" or definition.minimum_monthly_pay_nok is not None
    yes = _cells(grid, rows)
    unanswerable = np.zeros(grid.shape, dtype=bool)
    if by_pay:
        unanswerable |= _without(observation, jobs.paid_sources)
        paid = _paid(jobs, definition, without)
        yes = np.where(unanswerable, yes, paid if definition.month_rule == "paid_in_month" else yes & paid)
    unknown_hours = np.zeros(grid.shape, dtype=bool)
    if definition.minimum_weekly_hours is not None:
        silent = _without(observation, jobs.hour_sources)
        unanswerable |= silent
        enough, unknown_hours = _hours(grid, rows, definition.minimum_weekly_hours)
        yes = np.where(silent, yes, yes & enough)
        unknown_hours &= yes | ~enough
        unknown_hours &= ~silent
    at_stake = np.zeros(grid.shape, dtype=bool)
    if definition.wage_subsidy != "keep":
        yes, at_stake = _subtract(jobs, definition, rows, yes)
        unanswerable |= ~_schemes_known(grid)
    value = yes.astype(np.int8)
    value[unknown_hours] = -1
    if definition.if_unanswerable == "unknown":
        value[unanswerable] = -1
    value[~observation.observed] = -1
    return Answer(value, observation, unanswerable & observation.observed, at_stake & observation.observed)


def _counted(jobs: JobMonths, definition: Definition, without: pd.DataFrame | None) -> pd.DataFrame:
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
    rows = rows[keep]
    return rows if without is None else rows[~_among(rows, without)]


def _among(rows: pd.DataFrame, pairs: pd.DataFrame) -> NDArray[np.bool_]:
    known = pd.MultiIndex.from_frame(pairs[["person", "employer"]])
    return pd.MultiIndex.from_frame(rows[["person", "employer"]]).isin(known)


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


def _paid(jobs: JobMonths, definition: Definition, without: pd.DataFrame | None) -> NDArray[np.bool_]:
    pay = jobs.pay[jobs.pay["kind"].isin(definition.kinds)]
    if without is not None:
        pay = pay[~_among(pay, without)]
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


def _schemes_known(grid: Grid) -> NDArray[np.bool_]:
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


def _subtract(
    jobs: JobMonths, definition: Definition, rows: pd.DataFrame, yes: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Take scheme jobs out; also the cells where strict and lenient differ.

    A scheme that names its employer takes only that employer's job. It counts
    as naming nobody in a source that never uses the employer's key: keys
    differ between deliveries.
    """
    schemes = _scheme_months(jobs.grid, definition)
    cells = pd.MultiIndex.from_frame(schemes[["person", "column"]])
    here = rows[pd.MultiIndex.from_frame(rows[["person", "column"]]).isin(cells)]
    pairs = here.merge(schemes.rename(columns={"employer": "scheme_employer"}), on=["person", "column"])
    comparable = [
        employer in jobs.known_employers.get(source, set())
        for source, employer in zip(pairs["source"], pairs["scheme_employer"], strict=True)
    ]
    pairs["named"] = np.array(comparable, dtype=bool) & pairs["scheme_employer"].notna()
    taken = pairs[pairs["named"] & (pairs["employer"] == pairs["scheme_employer"])]
    left = rows.drop(index=rows.index[_row_in(rows, taken)])
    unnamed = np.zeros(jobs.grid.shape, dtype=bool)
    open_pairs = pairs[~pairs["named"]]
    unnamed[open_pairs["person"], open_pairs["column"]] = True
    still = yes & ~(_cells(jobs.grid, taken) & ~_cells(jobs.grid, left))
    distinct = left.assign(employer=left["employer"].where(left["employer"].notna(), left["job"].astype(str)))
    distinct = distinct.drop_duplicates(["person", "column", "source", "employer"])
    number = np.zeros(jobs.grid.shape, dtype=np.int64)
    np.add.at(number, (distinct["person"].to_numpy(), distinct["column"].to_numpy()), 1)
    strict, lenient = still & ~unnamed, still & ~(unnamed & (number <= 1))
    return (strict if definition.wage_subsidy == "strict" else lenient), strict != lenient


def _row_in(rows: pd.DataFrame, other: pd.DataFrame) -> NDArray[np.bool_]:
    columns = ["person", "column", "employer"]
    return pd.MultiIndex.from_frame(rows[columns]).isin(pd.MultiIndex.from_frame(other[columns]))
