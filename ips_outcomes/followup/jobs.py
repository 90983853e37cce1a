"""Every job in every month it may speak for, and which of them a definition counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid, Observation, observe
from ips_outcomes.months import NO_MONTH, day_in_month, month_number
from ips_outcomes.study import Definition

__all__ = ["JobMonths", "among", "cells", "counted", "employers", "held_at_start"]

#: Months before a month that a year of pay looks back on.
YEAR_BEFORE = 11


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
        return table[grid.within(source, table["person"].to_numpy(), table["column"].to_numpy())].reset_index(drop=True)

    @cached_property
    def with_year_before(self) -> JobMonths:
        """The same people on a grid that starts eleven months earlier, for rules on a year of pay."""
        return JobMonths(Grid(self.grid.cohort, lead=YEAR_BEFORE))

    @cached_property
    def on_status_day(self) -> Observation:
        """What is observed by definitions that look at the 16th."""
        return observe(self.grid, on_status_day=True)

    @cached_property
    def on_some_day(self) -> Observation:
        """What is observed by definitions that look at any day of the month."""
        return observe(self.grid, on_status_day=False)

    def observation(self, definition: Definition) -> Observation:
        """What is observed by the day that a definition looks at."""
        return self.on_status_day if definition.month_rule == "status_day" else self.on_some_day

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


def counted(
    jobs: JobMonths, definition: Definition, *, any_day: bool = False, kinds: tuple[str, ...] | None = None
) -> pd.DataFrame:  # fmt: skip
    """Job-months that a definition counts, before schemes are subtracted.

    With ``any_day`` whatever its month rule; with ``kinds`` of other kinds
    than it counts.
    """
    rows = jobs.table
    keep = rows["kind"].isin(kinds or definition.kinds) & (rows["basis"].isna() | rows["basis"].isin(definition.basis))
    if any_day or definition.month_rule == "any_day":
        keep &= rows["on_any_day"]
    elif definition.month_rule == "paid_in_month":
        # where a rule on pay cannot be answered and is skipped, the status day decides
        keep &= rows["on_any_day"].where(rows["source"].isin(jobs.paid_sources), rows["on_status_day"])
    else:
        keep &= rows["on_status_day"]
    return rows[keep]


def held_at_start(jobs: JobMonths, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Jobs with an employer of month 0, or that began by then.

    Employers have other keys in other deliveries: a job that crosses from one
    register to the next is known by when it began. Without a known beginning
    and employer, a job is not said to be new.
    """
    began = rows["began"].to_numpy()
    by_then = (began != NO_MONTH) & (began <= jobs.grid.index_month[rows["person"].to_numpy()])
    untold = rows["employer"].isna().to_numpy() & (began == NO_MONTH)
    here = jobs.table[jobs.table["column"] == jobs.grid.zero]
    return by_then | untold | among(rows, here, ["person", "employer"])


def among(rows: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Rows whose values in the columns also stand in the other table; a missing employer is like no other."""
    known = pd.MultiIndex.from_frame(other[columns].dropna())
    return pd.MultiIndex.from_frame(rows[columns]).isin(known)


def cells(grid: Grid, rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Where the grid has at least one of the rows."""
    found = np.zeros(grid.shape, dtype=bool)
    found[rows["person"], rows["column"]] = True
    return found


def employers(grid: Grid, rows: pd.DataFrame) -> NDArray[np.int64]:
    """Employers by cell; a job without an employer key is an employer of its own."""
    distinct = rows.assign(employer=rows["employer"].where(rows["employer"].notna(), rows["job"].astype(str)))
    distinct = distinct.drop_duplicates(["person", "column", "source", "employer"])
    number = np.zeros(grid.shape, dtype=np.int64)
    np.add.at(number, (distinct["person"].to_numpy(), distinct["column"].to_numpy()), 1)
    return number
