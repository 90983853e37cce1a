"""What the service did for each person, and when: first contact, first employer contact, plan, first job, work practice."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid
from ips_outcomes.followup.schemes import WORK_PRACTICE
from ips_outcomes.months import day_in_month

__all__ = ["RECORDS", "process_of"]

#: Records of the service that people wait for, as the measures of the harmonised services table are called.
RECORDS = ("contact", "employer_contact", "job_plan")

Days = NDArray[np.datetime64]
_NEVER = np.datetime64("NaT", "D")
_FOREVER = np.datetime64("9999-12-31", "D")
_DAY = np.timedelta64(1, "D")


def process_of(grid: Grid, first_job: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """One row a participant, and the rules that were counted on the way.

    ``<record>_days`` are whole days from the index date to the first record
    (missing without one), ``<record>_seen`` the days for which one would have
    been seen: to death, to leaving the country, to the end of follow-up or of
    the delivery, whichever comes first; missing where no delivery speaks for
    the person from the index date on. ``job_months`` and ``job_seen`` are the
    same for the first job, in months. ``practice_days`` is the longest stretch
    of work practice begun after inclusion (0 without one, missing where no
    scheme delivery speaks for the person), ``practice_ended`` whether it is
    known to be over.
    """
    people = grid.cohort.participants
    index = people["index_date"].to_numpy().astype("datetime64[D]")
    last = _last_day(grid, index)
    table = {"person_id": people["person_id"].to_numpy(), "arm": people["arm"].to_numpy(), "centre": people["centre"].to_numpy()}
    records, counted = _records(grid, index)
    for name in RECORDS:
        first, until = _first(grid, records, name, index)
        seen = np.minimum(until, last)
        known = ~np.isnat(until) & (seen >= index)
        there = known & ~np.isnat(first) & (first <= seen)
        table[f"{name}_days"] = _whole((first - index).astype(np.int64), there)
        table[f"{name}_seen"] = _whole((seen - index).astype(np.int64), known)
    at_risk = first_job["at_risk"].to_numpy(dtype=bool)
    time = first_job["time"].fillna(0).to_numpy(dtype=np.int64)
    worked = (first_job["event"] == 1).fillna(False).to_numpy(dtype=bool)
    table["job_months"], table["job_seen"] = _whole(time, at_risk & worked), _whole(time, at_risk)
    table["practice_days"], table["practice_ended"] = _practice(grid, index, last)
    return pd.DataFrame(table), counted


def _whole(values: NDArray[np.int64], known: NDArray[np.bool_]) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(np.where(known, values, 0), ~known)


def _last_day(grid: Grid, index: Days) -> Days:
    """The last day on which a person can be followed: alive, in the country, in follow-up."""
    after = day_in_month(grid.index_month + grid.cohort.study.follow_up.months + 1, 1) - _DAY
    dead = np.where(np.isnat(grid.death) | (grid.death < index), _FOREVER, grid.death)
    return np.minimum(np.minimum(after, dead), _leaving(grid, index))


def _leaving(grid: Grid, index: Days) -> Days:
    """The last day of the stay in the country that holds the index date; never, where no spell says otherwise."""
    spells = grid.cohort.residence.dropna(subset="resident_from").sort_values(["person_id", "resident_from"], kind="stable")
    leaves = np.full(len(index), _FOREVER)
    person = grid.rows(spells["person_id"])
    start = spells["resident_from"].to_numpy().astype("datetime64[D]")
    end = spells["resident_to"].to_numpy().astype("datetime64[D]")
    end = np.where(np.isnat(end), _FOREVER, end)
    stay = np.full(len(index), _NEVER)
    for row, begin, stop in zip(person.tolist(), start, end, strict=True):
        if begin <= index[row] <= stop:
            stay[row] = stop if np.isnat(stay[row]) else max(stay[row], stop)
        elif not np.isnat(stay[row]) and stay[row] != _FOREVER and begin <= stay[row] + _DAY:
            stay[row] = max(stay[row], stop)
    # somebody abroad on the index date is not censored before anything could be seen
    leaves[~np.isnat(stay)] = stay[~np.isnat(stay)]
    return leaves


def _records(grid: Grid, index: Days) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """The service's records of each person from the index date on; others are set aside by counted rules."""
    table = grid.cohort.services
    kept, counted = [], list[dict[str, object]]()
    for source, rows in table.groupby("source", sort=False):
        person = grid.rows(rows["person_id"])
        date = rows["date"].to_numpy().astype("datetime64[D]")
        end = _period(grid, str(source))[1]
        early = date < index[person]
        late = ~early & (date > end)
        dead = ~early & ~late & ~np.isnat(grid.death[person]) & (date > grid.death[person])
        for bad, rule, severity in (
            (early, "record from before the person's inclusion", "warning"),
            (late, "record from after the delivery's period", "warning"),
            (dead, "record from after the person's death", "severe"),
        ):  # fmt: skip
            number = int(bad.sum())
            counted.append({
                "source": str(source), "rule": rule, "unit": "rows", "count": number, "total": len(rows),
                "share": number / len(rows), "severity": severity if number else "note",
                "action": "not used for process measures", "set_aside": 0, "example_rows": "",
            })  # fmt: skip
        good = ~(early | late | dead)
        kept.append(pd.DataFrame({"person": person[good], "measure": rows["measure"].to_numpy()[good], "date": date[good],
                                  "source": str(source)}))  # fmt: skip
    if not kept:
        return pd.DataFrame(
            {"person": np.array([], np.int64), "measure": [], "date": np.array([], "datetime64[D]"), "source": []}
        ), []
    return pd.concat(kept, ignore_index=True), counted


def _period(grid: Grid, source: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last day that a delivery speaks for."""
    numbers = grid.cohort.study.sources[source].period_numbers
    if numbers is None:
        return np.datetime64("0001-01-01", "D"), _FOREVER
    return day_in_month(np.array([numbers[0]]), 1)[0], day_in_month(np.array([numbers[1] + 1]), 1)[0] - _DAY


def _first(grid: Grid, records: pd.DataFrame, name: str, index: Days) -> tuple[Days, Days]:
    """Day of the first record of a kind, and the last day on which one would have been seen."""
    own = records[records["measure"] == name]
    first, until = np.full(len(index), _NEVER), np.full(len(index), _NEVER)
    when = own.groupby("person")["date"].min()
    first[when.index.to_numpy(dtype=np.int64)] = when.to_numpy().astype("datetime64[D]")
    # a delivery in which nobody has a record of the kind does not keep such records
    for source in own["source"].unique():
        start, end = _period(grid, str(source))
        speaks = grid.listed(str(source)) & (index >= start) & (index <= end)
        until[speaks] = np.where(np.isnat(until[speaks]), end, np.maximum(until[speaks], end))
    return first, until


def _practice(grid: Grid, index: Days, last: Days) -> tuple[pd.arrays.IntegerArray, pd.arrays.BooleanArray]:
    """Longest stretch of work practice begun after inclusion, spells that touch put together; and whether it is over."""
    study = grid.cohort.study
    known = np.zeros(len(index), dtype=bool)
    for source in study.sources_of("programmes"):
        start, end = _period(grid, source)
        known |= grid.listed(source) & (index >= start) & (index <= end)
    spells = grid.cohort.programmes
    spells = spells[spells["scheme"].isin(WORK_PRACTICE)].sort_values(["person_id", "start"], kind="stable")
    longest, over = np.zeros(len(index), dtype=np.int64), np.ones(len(index), dtype=bool)
    reach: dict[int, tuple[np.datetime64, np.datetime64, bool]] = {}
    ends = {source: _period(grid, str(source))[1] for source in spells["source"].unique()}
    for row, source, begin, stop in zip(
        grid.rows(spells["person_id"]).tolist(), spells["source"], spells["start"].to_numpy().astype("datetime64[D]"),
        spells["end"].to_numpy().astype("datetime64[D]"), strict=True,
    ):  # fmt: skip
        if begin < index[row] or begin > last[row]:
            continue
        ended = not np.isnat(stop)
        stop = stop if ended else max(begin, min(ends[source], last[row]))
        if row in reach and begin <= reach[row][1] + _DAY:
            first, before, was = reach[row]
            begin, ended = first, was and ended
            stop = max(before, stop)
        reach[row] = (begin, stop, ended)
        days = int((stop - begin).astype(np.int64)) + 1
        if days >= longest[row] or not ended:
            longest[row], over[row] = max(days, int(longest[row])), over[row] and ended
    return _whole(longest, known), pd.arrays.BooleanArray(over, ~known)
