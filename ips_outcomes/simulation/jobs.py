"""From true months in work to jobs with employers, dates, hours and pay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import day_in_month
from ips_outcomes.simulation.people import FIRST_MONTH, LAST_MONTH, People, work_states

__all__ = ["draw_jobs", "draw_schemes"]


def _runs(states: np.ndarray) -> pd.DataFrame:
    """Unbroken runs of months in work: person, first and last month since index."""
    edges = np.diff(np.pad(states.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    person, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    return pd.DataFrame({"person": person, "first": first + FIRST_MONTH, "last": last + FIRST_MONTH})


def draw_jobs(truth: dict[str, Any], people: People, rng: np.random.Generator) -> pd.DataFrame:
    """Ordinary jobs: person, first and last month, dates, employer, hours, monthly pay.

    A job starts on day 1 to 16 of its first month and ends on day 16 to 28 of
    its last, so that registers which know only months give the same answer on
    the 16th as registers which know days.
    """
    events = truth["events"]
    runs = _runs(work_states(truth, people, rng))
    parts = []
    for run in runs.itertuples(index=False):
        first = run.first
        length = run.last - first
        changes = np.flatnonzero(rng.random(length) < events["job_change"]) + first if length else []
        for change in changes:
            parts.append((run.person, first, change, False))
            first = change + 1
        parts.append((run.person, first, run.last, False))
        if rng.random() < events["second_job"] * (length + 1):
            parts.append((run.person, run.first + length // 2, run.last, True))
    jobs = pd.DataFrame(parts, columns=["person", "first", "last", "second"])
    number = len(jobs)
    base = people.index_month[jobs["person"]]
    jobs["start"] = day_in_month(base + jobs["first"].to_numpy(), 1) + rng.integers(0, 16, number)
    jobs["end"] = day_in_month(base + jobs["last"].to_numpy(), 16) + rng.integers(0, 13, number)
    # a job still held when the truth runs out is open
    jobs["open"] = (jobs["last"] >= LAST_MONTH).to_numpy()
    jobs["employer"] = rng.integers(0, 4000, number)
    percent = rng.choice([20.0, 40.0, 50.0, 60.0, 80.0, 100.0], number, p=[0.1, 0.12, 0.22, 0.1, 0.16, 0.3])
    jobs["percent"] = np.where(jobs["second"], 20.0, percent)
    jobs["pay"] = np.round(jobs["percent"] / 100 * (23_000 + 14_000 * rng.random(number)), 2)
    jobs["subsidised"] = False
    short = rng.random((len(people), LAST_MONTH)) < events["short_job"]
    person, month = np.nonzero(short)
    alive = (month + 1 < people.death_month[person]) & (month + 1 < people.abroad_from[person])
    person, month = person[alive], month[alive] + 1
    start = day_in_month(people.index_month[person] + month, 3)
    brief = pd.DataFrame({
        "person": person, "first": month, "last": month, "second": False, "start": start,
        "end": start + np.timedelta64(7, "D"), "open": False, "employer": rng.integers(0, 4000, len(person)),
        "percent": 100.0, "pay": np.round(6_000 + 3_000 * rng.random(len(person)), 2), "subsidised": False,
    })  # fmt: skip
    return pd.concat([jobs, brief], ignore_index=True) if len(brief) else jobs


def draw_schemes(
    truth: dict[str, Any], people: People, jobs: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """NAV scheme spells, and the jobs that wage subsidies create."""
    share = truth["schemes"]
    number = len(people)
    rows: list[tuple[int, str, int, int, int, str]] = []

    def spell(person: int, code: str, first: int, length: int, employer: int = -1, status: str = "FULLFORT") -> None:
        stop = min(first + length - 1, people.death_month[person] - 1, people.abroad_from[person] - 1)
        if stop >= first:
            rows.append((person, code, first, int(stop), employer, status))

    starts_ips = np.where(people.ips, 0.97, share["control_starts_ips"])
    subsidy = np.where(people.ips, share["wage_subsidy_ips"], share["wage_subsidy_control"])
    draws = rng.random((number, 4))
    lengths = rng.integers(3, 10, (number, 4))
    firsts = rng.integers(2, 31, (number, 4))
    employers = rng.integers(0, 4000, number)
    created = []
    for person in range(number):
        if draws[person, 0] < starts_ips[person]:
            begin = int(people.ips[person]) if people.ips[person] else int(firsts[person, 0])
            spell(person, "INDJOBSTOT", begin, int(lengths[person, 0]) * 3)
        if draws[person, 1] < subsidy[person]:
            named = rng.random() < share["employer_named"]
            first, length = int(firsts[person, 1]), int(lengths[person, 1])
            before = len(rows)
            spell(person, "MIDLONTIL", first, length, int(employers[person]) if named else -1)
            if len(rows) > before:
                created.append((person, first, rows[-1][3], int(employers[person])))
        if draws[person, 2] < share["work_practice"]:
            spell(person, "ARBTREN", int(firsts[person, 2]), int(lengths[person, 2]))
        if draws[person, 3] < 0.02:
            spell(person, "VARLONTIL", int(firsts[person, 3]), 6, status="IKKE_AKTUELL")
    columns = ["person", "scheme", "first", "last", "employer", "status"]
    schemes = pd.DataFrame(rows, columns=columns)
    base = people.index_month[schemes["person"].to_numpy(dtype=int)]
    schemes["start"] = day_in_month(base + schemes["first"].to_numpy(), 1)
    schemes["end"] = day_in_month(base + schemes["last"].to_numpy(), 28)
    extra = pd.DataFrame(created, columns=["person", "first", "last", "employer"])
    base = people.index_month[extra["person"].to_numpy(dtype=int)]
    extra["second"], extra["open"], extra["subsidised"] = False, False, True
    extra["start"] = day_in_month(base + extra["first"].to_numpy(), 1)
    extra["end"] = day_in_month(base + extra["last"].to_numpy(), 28)
    extra["percent"], extra["pay"] = 100.0, 24_500.0
    # an empty table has no types of its own and would take away the others'
    return schemes, pd.concat([jobs, extra], ignore_index=True) if len(extra) else jobs
