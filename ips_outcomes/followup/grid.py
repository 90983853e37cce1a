"""The grid: people by months since their index date, and which cells are observed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.loaders import Cohort
from ips_outcomes.months import day_in_month, month_number

__all__ = ["BREAK", "REASONS", "Grid", "Observation", "observe"]

#: Why a month is not observed; the code of a reason is its place here.
REASONS = ("observed", "dead", "abroad", "not_linked", "before_source", "after_extraction", "file_missing", "blank")
OBSERVED, DEAD, ABROAD, NOT_LINKED, BEFORE_SOURCE, AFTER_EXTRACTION, FILE_MISSING, BLANK = range(len(REASONS))

#: January 2015, when a-ordningen replaced the Aa-register, as a calendar month.
BREAK = 540

_FOREVER = np.datetime64("9999-12-31")


@dataclass(frozen=True)
class Grid:
    """People by months: months run from ``-history`` to the end of follow-up.

    With ``lead`` it starts so many months earlier, for rules that look back
    from the first month shown.
    """

    cohort: Cohort
    lead: int = 0

    @cached_property
    def months(self) -> NDArray[np.int64]:
        plan = self.cohort.study.follow_up
        return np.arange(-plan.history - self.lead, plan.months + 1)

    @cached_property
    def zero(self) -> int:
        """The column of month 0."""
        return self.cohort.study.follow_up.history + self.lead

    @cached_property
    def index_month(self) -> NDArray[np.int64]:
        return self.cohort.participants["index_month"].to_numpy()

    @cached_property
    def calendar(self) -> NDArray[np.int64]:
        """Calendar month of every cell."""
        return self.index_month[:, None] + self.months[None, :]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.index_month), len(self.months)

    @cached_property
    def _row_of(self) -> pd.Series:
        people = self.cohort.participants["person_id"]
        return pd.Series(np.arange(len(people)), index=people.to_numpy())

    def rows(self, person_id: pd.Series) -> NDArray[np.int64]:
        """The grid row of each person."""
        return self._row_of.reindex(person_id.to_numpy()).to_numpy(dtype=np.int64)

    @cached_property
    def death(self) -> NDArray[np.datetime64]:
        """Date of death, NaT while alive."""
        dates = self.cohort.residence.dropna(subset="death_date").drop_duplicates("person_id")
        death = np.full(self.shape[0], np.datetime64("NaT"), dtype="datetime64[D]")
        death[self.rows(dates["person_id"])] = dates["death_date"].to_numpy().astype("datetime64[D]")
        return death

    def listed(self, source: str) -> NDArray[np.bool_]:
        """Who stands on the linkage list of a source."""
        keys = self.cohort.keys
        return self.cohort.participants["person_id"].isin(keys.loc[keys["source"] == source, "person_id"]).to_numpy()

    def delivered(self, source: str) -> NDArray[np.bool_]:
        """Cells that lie in a delivered month of a source."""
        if source not in self._delivered:
            coverage = self.cohort.coverage
            months = coverage.loc[(coverage["source"] == source) & coverage["delivered"], "month"].to_numpy()
            self._delivered[source] = np.isin(self.calendar, months)
            # every caller gets the same array
            self._delivered[source].flags.writeable = False
        return self._delivered[source]

    @cached_property
    def _delivered(self) -> dict[str, NDArray[np.bool_]]:
        return {}

    def spoken(self, source: str) -> NDArray[np.bool_]:
        """Cells that a source speaks for: a delivered month of somebody on its linkage list."""
        return self.delivered(source) & self.listed(source)[:, None]

    def spoken_by(self, sources: Iterable[str]) -> NDArray[np.bool_]:
        """Cells that one of some sources speaks for."""
        known = np.zeros(self.shape, dtype=bool)
        for name in sources:
            known |= self.spoken(name)
        return known

    def within(
        self, source: NDArray[np.object_], person: NDArray[np.int64], column: NDArray[np.int64]
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Which cells of rows lie in a delivered month of the row's own source."""
        found = np.zeros(len(source), dtype=bool)
        for name in dict.fromkeys(source):
            own = source == name
            found[own] = self.delivered(name)[person[own], column[own]]
        return found

    def blank(self, source: str) -> NDArray[np.bool_]:
        """Cells that a table with a column a month left blank, of people of whom it says nothing else that month."""
        found = np.zeros(self.shape, dtype=bool)
        if self.cohort.study.layouts[source].wide is None:
            return found
        jobs = self.cohort.employment
        own = jobs[(jobs["source"] == source) & (jobs["record"] == "month")]
        # blanks first, then what has something to say
        for blank in (True, False):
            rows = own[(own["kind"] == "unknown") == blank]
            person, month = self.rows(rows["person_id"]), rows["month"].to_numpy(dtype=np.int64)
            row, column = self.spread(person, month, month)
            found[person[row], column] = blank
        return found

    def spread(
        self, person: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cells of spells: for calendar months first to last of each spell, (spell, grid column) pairs.

        Months outside the grid are cut off before anything is expanded.
        """
        base = self.index_month[person]
        begin = np.maximum(first - base, self.months[0])
        end = np.minimum(last - base, self.months[-1])
        length = np.maximum(end - begin + 1, 0)
        spell = np.repeat(np.arange(len(person)), length)
        offset = np.arange(len(spell)) - np.repeat(np.cumsum(length) - length, length)
        return spell, begin[spell] + offset + self.zero

    def spell_cells(
        self, spells: pd.DataFrame, *, any_day: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """Cells of spells (``person_id``, ``source``, ``start``, ``end``): place of the spell, grid row, grid column.

        A cell is one where the spell holds on the 16th, or on some day of the
        month under ``any_day``. A spell says nothing of months that its
        delivery does not reach, and one without an end goes on no further.
        """
        person = self.rows(spells["person_id"])
        start = spells["start"].to_numpy().astype("datetime64[D]")
        end = spells["end"].to_numpy().astype("datetime64[D]")
        last = self.calendar.max() if len(spells) else 0
        spell, column = self.spread(person, month_number(start), np.where(np.isnat(end), last, month_number(end)))
        row = person[spell]
        here = self.within(spells["source"].to_numpy()[spell], row, column)
        if not any_day:
            day = day_in_month(self.calendar[row, column], 16)
            here &= (start[spell] <= day) & (np.isnat(end[spell]) | (end[spell] >= day))
        return spell[here], row[here], column[here]


@dataclass(frozen=True)
class Observation:
    """Whether each cell is observed, why not, and through which register system."""

    reason: NDArray[np.int8]
    system: NDArray[np.int8]
    systems: tuple[str, ...]
    by_source: dict[str, NDArray[np.bool_]]

    @property
    def observed(self) -> NDArray[np.bool_]:
        return self.reason == OBSERVED


def observe(grid: Grid, *, on_status_day: bool) -> Observation:
    """Which cells are observed, by the day that a month rule looks at.

    A month is observed where the person stands on the delivery's list, is
    alive and resident on that day (the 16th, or some day of the month), and
    the month was delivered. Where several reasons hold, the first of
    `REASONS` is given: somebody who died is dead, whatever else is missing.
    """
    study = grid.cohort.study
    jobs = study.sources_of("jobs", "job_months")
    answered = {name: grid.spoken(name) for name in jobs}
    # a month that a wide table left blank is one that its register does not speak for
    by_source = {name: answered[name] & ~grid.blank(name) for name in jobs}
    seen = np.logical_or.reduce(list(by_source.values()))
    reason = np.full(grid.shape, FILE_MISSING, dtype=np.int8)
    periods = np.array([study.sources[name].period_numbers for name in jobs])
    reason[grid.calendar < periods[:, 0].min()] = BEFORE_SOURCE
    reason[grid.calendar > periods[:, 1].max()] = AFTER_EXTRACTION
    delivered = np.logical_or.reduce([grid.delivered(name) for name in jobs])
    reason[delivered & ~seen] = NOT_LINKED
    reason[np.logical_or.reduce(list(answered.values())) & ~seen] = BLANK
    reason[seen] = OBSERVED
    if study.follow_up.residence == "register":
        resident, known, reach = _resident(grid, on_status_day=on_status_day)
        reason[(reason == OBSERVED) & (reach != OBSERVED)] = reach[(reason == OBSERVED) & (reach != OBSERVED)]
        # somebody on no population list may have left: nothing can be said
        reason[(reason == OBSERVED) & ~known[:, None]] = NOT_LINKED
        reason[(reach == OBSERVED) & known[:, None] & ~resident] = ABROAD
    day = day_in_month(grid.calendar, 16 if on_status_day else 1)
    reason[~np.isnat(grid.death)[:, None] & (grid.death[:, None] <= day)] = DEAD
    systems = tuple(dict.fromkeys(study.layouts[name].source_system or name for name in jobs))
    system = np.full(grid.shape, -1, dtype=np.int8)
    for name in jobs:
        system[by_source[name] & (reason == OBSERVED)] = systems.index(study.layouts[name].source_system or name)
    return Observation(reason, system, systems, by_source)


def _resident(grid: Grid, *, on_status_day: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int8]]:
    """Residence on the day, who has any residence spell, and how far the residence register reaches."""
    study = grid.cohort.study
    spells = grid.cohort.residence.dropna(subset="resident_from")
    person = grid.rows(spells["person_id"])
    start = spells["resident_from"].to_numpy().astype("datetime64[D]")
    end = spells["resident_to"].to_numpy().astype("datetime64[D]")
    end = np.where(np.isnat(end), _FOREVER, end)
    last_month = np.where(end == _FOREVER, grid.calendar.max() + 1, month_number(end))
    spell, column = grid.spread(person, month_number(start), last_month)
    calendar = grid.calendar[person[spell], column]
    on = np.ones(len(spell), dtype=bool)
    if on_status_day:
        day = day_in_month(calendar, 16)
        on = (start[spell] <= day) & (end[spell] >= day)
    resident = np.zeros(grid.shape, dtype=bool)
    resident[person[spell[on]], column[on]] = True
    known = np.zeros(grid.shape[0], dtype=bool)
    known[person] = True
    reach = np.full(grid.shape, OBSERVED, dtype=np.int8)
    periods = np.array([study.sources[name].period_numbers for name in study.sources_of("residence")])
    reach[grid.calendar < periods[:, 0].min()] = BEFORE_SOURCE
    reach[grid.calendar > periods[:, 1].max()] = AFTER_EXTRACTION
    return resident, known, reach
