"""Education on the clock: who attends a course, and who has completed upper secondary school since inclusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid
from ips_outcomes.months import month_number
from ips_outcomes.study import Study

__all__ = ["attending", "completed_since", "course_sources", "level_sources"]

Flags = NDArray[np.int8]

#: First digit of NUS2000 from which upper secondary school is completed.
_COMPLETED = 4
_SCHOOL_YEAR = 12


def course_sources(study: Study) -> list[str]:
    """Sources that say who attends a course."""
    return [s for s in study.sources_of("education") if study.layouts[s].constants.get("record") == "course"]


def level_sources(study: Study) -> list[str]:
    """Sources that say which level of education people have reached."""
    return [s for s in study.sources_of("education") if study.layouts[s].constants.get("record") == "highest"]


def attending(grid: Grid, *, any_day: bool, new: bool = False) -> Flags:
    """1 where somebody attends a course, 0 where not, -1 where no delivery of courses speaks for the month.

    Parameters
    ----------
    grid : Grid
    any_day : bool
        On some day of the month; else on the 16th.
    new : bool
        Only courses that began after month 0.
    """
    courses = grid.cohort.education
    courses = courses[courses["record"] == "course"]
    if new:
        begun = month_number(courses["start"].to_numpy()) - grid.index_month[grid.rows(courses["person_id"])]
        courses = courses[begun > 0]
    found = np.where(grid.spoken_by(course_sources(grid.cohort.study)), 0, -1).astype(np.int8)
    _, row, column = grid.spell_cells(courses, any_day=any_day)
    found[row, column] = 1
    return found


def completed_since(grid: Grid) -> Flags:
    """1 from the month in which upper secondary school is first known as completed, 0 before, -1 where it cannot be said.

    Asked of people who had not completed it at inclusion, in months from 0
    on. Levels have a date and no delivered period: a delivery is taken to
    speak until its last date, and until the end of that school year where all
    its dates are the 1st of October (the day that yearly levels refer to).
    """
    found = np.full(grid.shape, -1, dtype=np.int8)
    held = grid.cohort.education
    held = held[(held["record"] == "highest").to_numpy()]
    if held.empty:
        return found
    before = (grid.cohort.participants["upper_secondary"] == "not_completed").to_numpy(dtype=bool)
    for source in level_sources(grid.cohort.study):
        dates = held.loc[held["source"] == source, "start"]
        if dates.empty:
            continue
        yearly = bool(((dates.dt.month == 10) & (dates.dt.day == 1)).all())
        last = int(month_number(dates.to_numpy()).max()) + (_SCHOOL_YEAR - 1 if yearly else 0)
        # a person of whom the delivery has no level at all may have one that it does not know
        own = np.isin(np.arange(grid.shape[0]), grid.rows(held.loc[held["source"] == source, "person_id"]))
        found[own[:, None] & (grid.calendar <= last)] = 0
    reached = held[(held["level"] >= _COMPLETED).fillna(False).to_numpy(dtype=bool)]
    row, month = grid.rows(reached["person_id"]), month_number(reached["start"].to_numpy())
    since = month - grid.index_month[row]
    never = int(grid.months[-1]) + 1
    first = np.full(grid.shape[0], never)
    np.minimum.at(first, row[since >= 0], since[since >= 0])
    done = grid.months[None, :] >= first[:, None]
    # what is completed stays completed, also after the delivery's end
    found[done] = 1
    found[~before] = -1
    found[:, : grid.zero] = -1
    return found
