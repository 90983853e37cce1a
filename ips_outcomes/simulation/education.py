"""Invented education: the highest level by year and courses (NUDB), and yearly wage income."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import day_in_month, parse_month
from ips_outcomes.simulation.files import Keys, pick, with_quirks, write_csv
from ips_outcomes.simulation.people import FIRST_MONTH, LAST_MONTH, People

__all__ = ["BU_YEARS", "COURSE_PERIOD", "Education", "NUS", "draw_education", "write_education", "write_income"]

#: NUS2000 codes used here, by level; the level is the first digit.
NUS = np.array(["099901", "101199", "201199", "301105", "401101", "501103", "631103", "731199"])

BU_YEARS = range(2008, 2019)
COURSE_PERIOD = ("2008-08", "2018-12")

#: Age in years at which each level is usually reached, and months of study that lead to it.
_USUAL_AGE = np.array([13, 13, 16, 17, 19, 20, 23, 25])
_STUDY_MONTHS = np.array([0, 0, 0, 11, 35, 11, 35, 59])


@dataclass(frozen=True)
class Education:
    """Highest level before and after courses, and the courses themselves."""

    level: np.ndarray
    attained: np.ndarray
    later_level: np.ndarray
    later_attained: np.ndarray
    courses: pd.DataFrame

    def level_in(self, year: int) -> np.ndarray:
        """Level held on 1 October of a year; -1 before the first level."""
        october = parse_month(f"{year}-10")
        held = np.where(self.attained < october, self.level, np.minimum(self.level, 2))
        return np.where(self.later_attained < october, self.later_level, held)


def draw_education(truth: dict[str, Any], people: People, level: np.ndarray, works: np.ndarray, rng: np.random.Generator
                   ) -> Education:  # fmt: skip
    """Courses and levels; ``level`` is the level at inclusion, which the trial file also knows.

    People out of work, the young and those without upper secondary start
    courses more often; the arm matters only through work.
    """
    share, number, base = truth["education"], len(people), people.index_month
    # the register ranks basic upper secondary (level 3) below lower secondary and writes it as such
    known = np.where(level == 3, 2, level)
    none = people.groups["no_upper_secondary"] & (rng.random(number) < share["no_schooling"])
    known = np.where(none, 0, known)
    last_october = (base - 9) // 12 * 12 + 9
    attained = np.minimum((people.birth_month // 12 + _USUAL_AGE[known]) * 12 + 5, last_october - 4)
    parts = []
    school = (known >= 4) & (attained >= parse_month("2009-01"))
    from_school = attained - _STUDY_MONTHS[known] + 1
    parts.append(_courses(np.flatnonzero(school), known[school], from_school[school], attained[school], True))
    begun = (people.birth_month // 12 + 16) * 12 + 7
    left = (known <= 2) & (begun >= parse_month(COURSE_PERIOD[0])) & (rng.random(number) < share["begun_and_left"])
    left &= begun + 16 < base
    until = begun + rng.integers(2, 16, number)
    parts.append(_courses(np.flatnonzero(left), np.full(left.sum(), 4), begun[left], until[left], False))
    later_level, later_attained = known.copy(), np.full(number, 10**6)
    busy_until = np.full(number, FIRST_MONTH)
    gone = np.minimum(people.death_month, people.abroad_from)
    for month in range(1, LAST_MONTH + 1):
        draws = rng.random((number, 3))
        chance = share["starts_each_august"] * np.where(people.groups["age_18_30"], share["young_factor"], 1.0)
        chance = chance * np.where(known <= 2, share["no_upper_secondary_factor"], 1.0)
        chance = chance * np.where(works[:, month - FIRST_MONTH], share["in_work_factor"], 1.0)
        free = (busy_until < month) & (gone > month) & (later_attained == 10**6)
        starts = free & ((base + month) % 12 == 7) & (draws[:, 0] < chance)
        aim = np.where(known <= 2, 4, np.minimum(known + 1 + (draws[:, 1] < 0.5), 7))
        length = np.minimum(_STUDY_MONTHS[aim], 23)
        completes = (draws[:, 2] < share["completes"]) & (gone > month + length)
        stop = np.where(completes, month + length - 1, month + 1 + (draws[:, 1] * length * 0.8).astype(np.int64))
        stop = np.minimum(stop, gone - 1)
        for done in (True, False):
            chosen = np.flatnonzero(starts & (completes == done))
            parts.append(_courses(chosen, aim[chosen], (base + month)[chosen], (base + stop)[chosen], done))
        finished = starts & completes
        later_level = np.where(finished, np.maximum(aim, known), later_level)
        later_attained = np.where(finished, base + stop, later_attained)
        busy_until = np.where(starts, stop, busy_until)
    courses = pd.concat(parts, ignore_index=True)
    first, last = courses["first"].to_numpy(dtype=np.int64), courses["last"].to_numpy(dtype=np.int64)
    courses["start"] = day_in_month(first, 1) + rng.integers(0, 16, len(courses))
    courses["end"] = day_in_month(last, 16) + rng.integers(0, 5, len(courses))
    return Education(known, attained, later_level, later_attained, courses.sort_values(["person", "first"], ignore_index=True))


def _courses(person: np.ndarray, level: np.ndarray, first: np.ndarray, last: np.ndarray, completed: bool) -> pd.DataFrame:
    last = np.maximum(first, last)
    return pd.DataFrame({"person": person, "level": level, "first": first, "last": last, "completed": completed})


def write_education(folder: Path, truth: dict[str, Any], people: People, education: Education, keys: Keys,
                    rng: np.random.Generator) -> None:  # fmt: skip
    """Write ``bu.csv`` (highest education, a column a year; empty after death) and ``nudb_kurs.csv`` (courses)."""
    share, quirks, key = truth["education"], truth["quirks"], keys["education"]
    number = len(key)
    wide = pd.DataFrame({"w21_5590_lnr": key})
    unknown = rng.random(number) < share["register_unknown"]
    for year in BU_YEARS:
        codes = NUS[education.level_in(year)]
        if year in quirks["years_without_leading_zeros"]:
            # somebody read the column as numbers once and wrote it back
            codes = np.char.lstrip(codes, "0")
        dead = people.index_month + people.death_month < parse_month(f"{year}-10")
        wide[f"BU_{year}"] = np.where(dead, "", np.where(unknown, "999999", codes))
    abroad = rng.random(number) < share["schooled_abroad"]
    wide = wide[(key != "") & ~abroad]
    again = wide.iloc[pick(rng, len(wide), max(1, round(len(wide) * quirks["repeated_rows"])))]
    write_csv(pd.concat([wide, again]).sort_values("w21_5590_lnr", kind="stable"), folder / "bu.csv", "latin-1")
    first, last = (parse_month(text) for text in COURSE_PERIOD)
    courses = education.courses
    courses = courses[(courses["last"] >= first) & (courses["first"] <= last) & (key[courses["person"]] != "")]
    ongoing = (courses["last"] > last).to_numpy()
    table = pd.DataFrame({
        "w21_5590_lnr": key[courses["person"]], "nus2000": NUS[courses["level"]],
        "utd_aktivitet_start": np.datetime_as_string(courses["start"].to_numpy().astype("datetime64[D]")),
        "utd_aktivitet_slutt": np.where(ongoing, "", np.datetime_as_string(courses["end"].to_numpy().astype("datetime64[D]"))),
        # only "8", completed, is known; the other code is invented
        "utd_fullfoertkode": np.where(ongoing, "", np.where(courses["completed"], "8", "1")),
    })  # fmt: skip
    table = with_quirks(quirks, table, rng, start="utd_aktivitet_start", end="utd_aktivitet_slutt")
    write_csv(table, folder / "nudb_kurs.csv", "latin-1")


def write_income(folder: Path, truth: dict[str, Any], people: People, jobs: pd.DataFrame, paid: pd.DataFrame, keys: Keys,
                 rng: np.random.Generator) -> None:  # fmt: skip
    """Write ``inntekt.csv``: wages of each calendar year, whole kroner.

    From 2015 they are the sums of the monthly pay in the job records
    (``paid``: person, month, pay); before, of the pay of the jobs.
    """
    first, split = parse_month("2011-01"), parse_month("2015-01")
    start = np.maximum(people.index_month[jobs["person"]] + jobs["first"].to_numpy(), first)
    stop = np.minimum(people.index_month[jobs["person"]] + jobs["last"].to_numpy(), split - 1)
    length = np.maximum(stop - start + 1, 0)
    row = np.repeat(np.arange(len(jobs)), length)
    month = start[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    earlier = pd.DataFrame({"person": jobs["person"].to_numpy()[row], "month": month, "pay": jobs["pay"].to_numpy()[row]})
    every = pd.concat([earlier, paid], ignore_index=True)
    every["year"] = 1970 + every["month"] // 12
    totals = every.groupby(["person", "year"])["pay"].sum()
    years = np.arange(2011, 2019)
    person = np.repeat(np.arange(len(people)), len(years))
    table = pd.DataFrame({"person": person, "year": np.tile(years, len(people))})
    table["wage"] = totals.reindex(pd.MultiIndex.from_frame(table)).fillna(0.0).round().astype("int64").to_numpy()
    dead = people.index_month + people.death_month
    # nobody pays tax in the years after death; who lives without wages has a row with 0
    table = table[table["year"] <= 1970 + dead[table["person"]] // 12]
    key = keys["income"][table["person"]]
    table = pd.DataFrame({"w21_5590_lopenr_person": key, "aargang": table["year"].astype(str), "WLONN": table["wage"]})[key != ""]
    again = table.iloc[pick(rng, len(table), max(1, round(len(table) * truth["quirks"]["repeated_rows"])))]
    table = pd.concat([table, again]).sort_values(["w21_5590_lopenr_person", "aargang"], kind="stable")
    write_csv(table, folder / "inntekt.csv", "latin-1")
