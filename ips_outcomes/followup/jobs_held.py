"""Jobs as people hold them: an employer's months after one another, how long each lasts, and what comes after the first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.employed import Answer
from ips_outcomes.followup.grid import REASONS, Grid
from ips_outcomes.months import NO_MONTH, month_number

__all__ = ["Held", "held_jobs"]

Whole = NDArray[np.int64]

#: A beginning that is not told; after every other, so that the earliest of several is one that is told.
UNTOLD = np.iinfo(np.int64).max
#: Why a job is not seen to end, beside the reasons why a month is not observed.
ENDED, STILL_THERE, OPEN = "ended", "end_of_follow_up", "definition_unknown"


class Held:
    """The jobs of everybody on a grid, of the months that a definition counts as work.

    A job is one employer's months. A gap of at most ``job_gap_months`` known
    months does not end it; months that are not known never do. Registers use
    other keys for the same employer: across them a job is the same where the
    key, or the month in which it began, is the same and no longer gap lies
    between. A record without an employer is known by when it began.

    Attributes
    ----------
    chains : pandas.DataFrame
        A row a job: ``person`` (grid row), ``first``, ``last`` (grid columns),
        ``months`` (array of grid columns with the job) as rows of ``cells``.
    cells : pandas.DataFrame
        A row a job and month: ``chain``, ``person``, ``column``, ``hours``.
    torn : int
        Jobs that follow each other at a change of register, where neither key nor
        beginning could say whether they are one: they count as two.
    nameless : int
        Job-months without an employer.
    by_course : int
        People whose first job is none: a course came first, where education counts too.
    """

    def __init__(self, grid: Grid, given: Answer) -> None:
        self.grid, self.given = grid, given
        self.gap = grid.cohort.study.follow_up.job_gap_months
        # a course that counts is no job: what jobs alone say decides here
        known = given.work != -1
        self.by_course = 0
        self._known_before = np.concatenate([np.zeros((len(known), 1), dtype=np.int64), known.cumsum(axis=1)], axis=1)
        rows = self._rows()
        rows["piece"] = self._pieces(rows)
        pieces = rows.groupby("piece").agg(
            person=("person", "first"), source=("source", "first"), key=("key", "first"), named=("named", "first"),
            first=("column", "min"), last=("column", "max"), began=("began", "min"),
        )  # fmt: skip
        joined, self.torn = self._across_registers(pieces)
        rows["chain"] = joined[rows["piece"].to_numpy(dtype=np.int64)]
        self.cells = rows.groupby(["chain", "person", "column"], as_index=False).agg(hours=("hours", "sum"))
        self.chains = self.cells.groupby("chain").agg(person=("person", "first"), first=("column", "min"), last=("column", "max"))

    def _rows(self) -> pd.DataFrame:
        """A row an employer, source and month in which the person is in work."""
        left = self.given.left
        left = left[self.given.work[left["person"], left["column"]] == 1]
        named = left["employer"].notna()
        self.nameless = int((~named).sum())
        began = left["began"].astype("int64").replace(NO_MONTH, UNTOLD)
        rows = pd.DataFrame({
            "person": left["person"], "source": left["source"].astype(str), "named": named, "began": began,
            "key": left["employer"].astype(str).where(named, "began " + began.astype(str)),
            "column": left["column"], "hours": left["weekly_hours"].fillna(0.0),
        })  # fmt: skip
        keys = ["person", "source", "named", "key", "column"]
        return rows.groupby(keys, as_index=False).agg(began=("began", "min"), hours=("hours", "sum"))

    def _between(self, person: Whole, first: Whole, last: Whole) -> Whole:
        """Known months strictly between two columns."""
        return self._known_before[person, np.maximum(last, first + 1)] - self._known_before[person, first + 1]

    def _pieces(self, rows: pd.DataFrame) -> Whole:
        """Number of each row's stretch with one employer in one register; rows are sorted by person, employer and month."""
        person, column = rows["person"].to_numpy(dtype=np.int64), rows["column"].to_numpy(dtype=np.int64)
        new = np.ones(len(rows), dtype=bool)
        same = np.logical_and.reduce(
            [rows[c].to_numpy()[1:] == rows[c].to_numpy()[:-1] for c in ("person", "source", "named", "key")]
        )
        new[1:] = ~same | (self._between(person[1:], column[:-1], column[1:]) > self.gap)
        return np.cumsum(new) - 1

    def _across_registers(self, pieces: pd.DataFrame) -> tuple[Whole, int]:
        """Which stretches in different registers are one job: the number of the first of them; and how many cannot be told."""
        own = pieces.reset_index()
        pairs = own.merge(own, on="person", suffixes=("", "_next"))
        pairs = pairs[(pairs["source"] != pairs["source_next"]) & (pairs["first"] <= pairs["first_next"])]
        pairs = pairs[pairs["piece"] != pairs["piece_next"]]
        gap = self._between(*(pairs[c].to_numpy(dtype=np.int64) for c in ("person", "last", "first_next")))
        pairs = pairs.assign(gap=gap)[gap <= self.gap]
        same_key = pairs["named"] & pairs["named_next"] & (pairs["key"] == pairs["key_next"])
        told = (pairs["began"] != UNTOLD) & (pairs["began_next"] != UNTOLD)
        alike = pairs[same_key | (told & (pairs["began"] == pairs["began_next"]))]
        # the nearest first, and each stretch once before and once after another
        alike = alike.sort_values(["person", "first_next", "gap", "piece", "piece_next"], kind="stable")
        root, before, after = np.arange(len(pieces)), set[int](), set[int]()
        for piece, following in alike[["piece", "piece_next"]].to_numpy(dtype=np.int64).tolist():
            if piece not in before and following not in after:
                before.add(piece)
                after.add(following)
                root[following] = root[piece]
        # the sort ran by the beginning of the later stretch, so what comes before was settled first, except at equal starts
        while not np.array_equal(root[root], root):
            root = root[root]
        doubtful = pairs[~same_key & ~told & ~pairs["piece"].isin(before) & ~pairs["piece_next"].isin(after)]
        return root, int(doubtful["piece_next"].nunique())

    def _ended_by(self, person: Whole, last: Whole) -> NDArray[np.object_]:
        """``ended`` once more known months have passed than a gap may have, or why that is not seen."""
        reasons = np.array([*REASONS, OPEN], dtype=object)
        found = np.full(len(person), ENDED, dtype=object)
        waiting, end = np.ones(len(person), dtype=bool), self.grid.shape[1] - 1
        for later in range(1, self.gap + 2):
            column = np.minimum(last + later, end)
            over = waiting & (last + later > end)
            unknown = waiting & ~over & (self.given.work[person, column] == -1)
            code = self.given.observation.reason[person, column]
            found[over] = STILL_THERE
            found[unknown] = np.where(code == 0, OPEN, reasons[code])[unknown]
            waiting &= ~over & ~unknown
        return found

    def jobs(self) -> pd.DataFrame:
        """Jobs of months 1 to the last, a row each, in the order in which they begin."""
        zero, people = self.grid.zero, self.grid.cohort.participants
        inside = self.cells[self.cells["column"] > zero]
        table = inside.groupby("chain").agg(
            person=("person", "first"), first=("column", "min"), last=("column", "max"), months=("column", "size")
        )  # fmt: skip
        table["held_before"] = self.chains["first"].reindex(table.index) <= zero
        table["ended_by"] = self._ended_by(table["person"].to_numpy(), table["last"].to_numpy())
        table = table.sort_values(["person", "first", "last"], kind="stable")
        person = table["person"].to_numpy()
        return pd.DataFrame({
            "person_id": people["person_id"].to_numpy()[person], "arm": people["arm"].to_numpy()[person],
            "job": table.groupby("person").cumcount().to_numpy(dtype=np.int64) + 1,
            "first_month": table["first"].to_numpy(dtype=np.int64) - zero, "last_month": table["last"].to_numpy(dtype=np.int64) - zero,
            "months": table["months"].to_numpy(dtype=np.int64), "held_before": table["held_before"].to_numpy(dtype=bool),
            "ended_by": table["ended_by"].to_numpy(dtype=object),
        })  # fmt: skip

    def after_first_job(self, first: pd.DataFrame) -> pd.DataFrame:
        """A row a person who got a first job: how long it lasted, and when work came back after its end.

        Whoever was not in a job in that month, but in a course that counts too, has no row.
        """
        zero, people = self.grid.zero, self.grid.cohort.participants
        found = (first["event"] == 1).fillna(False).to_numpy(dtype=bool)
        person = np.flatnonzero(found)
        start = first.loc[found, "time"].to_numpy(dtype=np.int64) + zero
        there = self.cells.merge(pd.DataFrame({"person": person, "column": start}), on=["person", "column"])
        there["chain_first"], there["last"] = (
            self.chains["first"].loc[there["chain"]].to_numpy(),
            self.chains["last"].loc[there["chain"]].to_numpy(),
        )
        there["older"] = there["chain_first"] < there["column"]
        # of several the one that begins then, then the one with most hours: nothing that is known only later
        there = there.sort_values(["person", "older", "hours", "chain"], ascending=[True, True, False, True], kind="stable")
        there = there.drop_duplicates("person").set_index("person")
        working = np.isin(person, there.index.to_numpy())
        self.by_course = int((~working).sum())
        person, start = person[working], start[working]
        there = there.loc[person]
        last = there["last"].to_numpy(dtype=np.int64)
        ended_by = self._ended_by(person, last)
        ended = ended_by == ENDED
        back, event = self._back(person, last)
        arm = people["arm"].to_numpy()[person]
        return pd.DataFrame({
            "person_id": people["person_id"].to_numpy()[person], "arm": arm, "month": start - zero, "tenure": last - start + 1,
            "ended": ended.astype(np.int64), "ended_by": ended_by,
            "back_after": pd.arrays.IntegerArray(back, ~ended), "back": pd.arrays.IntegerArray(event, ~ended),
        })  # fmt: skip

    def _back(self, person: Whole, last: Whole) -> tuple[Whole, Whole]:
        """Months from a job's last month to the next month in work, to death (2), or to where it is not known any more (0)."""
        value, months = self.given.value[person], self.grid.shape[1]
        later = np.arange(months)[None, :] > last[:, None]
        never = months
        work = np.where(((value == 1) & later).any(1), ((value == 1) & later).argmax(1), never)
        unknown = np.where(((value == -1) & later).any(1), ((value == -1) & later).argmax(1), never)
        death = month_number(self.grid.death)[person]
        death = np.where(death == NO_MONTH, never, death - self.grid.index_month[person] + self.grid.zero)
        time = np.minimum(np.minimum(work, unknown - 1), months - 1)
        event = np.where((work < unknown) & (work < never), 1, 0)
        dies = (death < never) & (death < work) & (death <= unknown) & (death > last)
        return np.where(dies, death, time) - last, np.where(dies, 2, event)


def held_jobs(grid: Grid, given: Answer, first: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, object]]]:
    """Jobs of months 1 to the last, what came after the first job, and counted rules."""
    held = Held(grid, given)
    jobs, after = held.jobs(), held.after_first_job(first)
    total, months = len(jobs), len(held.cells)
    counted = [
        ("job-months without an employer", held.nameless, months, "job-months", "known by the month in which the job began"),
        ("job follows one in another register, and neither employer nor beginning joins them", held.torn, total, "jobs", "counts as another job"),
        ("a course, and no job, ended the wait for a first job", held.by_course, held.by_course + len(after), "people", "not among first jobs"),
    ]  # fmt: skip
    rows: list[dict[str, object]] = [
        {"source": "jobs held", "rule": rule, "unit": unit, "count": count, "total": of, "share": count / of if of else float("nan"),
         "severity": "warning" if count else "note", "action": action, "set_aside": 0, "example_rows": ""}
        for rule, count, of, unit, action in counted
    ]  # fmt: skip
    return jobs, after, rows
