"""The gate for states: people by state add up to their arm, flows add up to states, so hiding one number hides others.

A number of people from 1 to k-1 is hidden. In each sum that a reader could
make (the states of an arm in a month; the flows out of a state and into one,
whose sums are the states at the two landmarks) at least two numbers that are
not zero are hidden, or none, and those hidden hold at least k people
together. Then the sums are solved as a reader would solve them: as long as a
hidden number is left with one value only, one more is hidden. A share that
stands in another table of the report too (those in work, dead, abroad) is the
last to be chosen, as it would be read there.

A state's person-months stand in the table of moves and, divided by people, in
that of mean months: they are the sum of its months in the table of shares. So
a state's sum is not told where it would tell what its hidden months hold
(`untold_sums`), neither as a mean nor as a number of moves.

Mean months in a state are a model result in fixed digits. They are hidden,
too, where few people were ever in the state, with one more where one alone is
hidden, because means add up to the number of months.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hide, small, unsafe

__all__ = ["Sums", "released_flows_and_shares", "released_months", "released_transitions", "untold_sums"]

Flags = NDArray[np.bool_]


@dataclass
class Sums:
    """Numbers and the sums that tie them: what must be hidden so that none that is hidden can be found.

    ``lines`` are places of numbers that add up: to a number that everybody
    knows, or, with a ``total``, to the number at that place.
    """

    value: list[float] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    #: The lower, the sooner a number is chosen to be hidden.
    rank: list[int] = field(default_factory=list)
    lines: list[tuple[list[int], int | None]] = field(default_factory=list)

    def add(self, value: float, hidden: bool, rank: int = 0) -> int:
        """One number; its place."""
        self.value.append(value)
        self.hidden.append(hidden)
        self.rank.append(rank)
        return len(self.value) - 1

    def protect(self, least: int) -> Flags:
        """Which numbers are hidden."""
        while True:
            chosen = self._lonely(least)
            if chosen is None:
                chosen = self._found()
            if chosen is None:
                return np.array(self.hidden, dtype=bool)
            self.hidden[chosen] = True

    def _choice(self, places: list[int]) -> int | None:
        shown = [p for p in places if not self.hidden[p] and self.value[p] > 0]
        return min(shown, key=lambda p: (self.rank[p], self.value[p], p), default=None)

    def _lonely(self, least: int) -> int | None:
        """One more number of a line in which one alone is hidden, or too few people are."""
        for parts, total in self.lines:
            places = parts if total is None else [*parts, total]
            gone = [p for p in places if self.hidden[p]]
            if not gone:
                continue
            few = sum(self.value[p] for p in gone) < least and (total is None or not self.hidden[total])
            if len(gone) == 1 or few:
                chosen = self._choice(parts)
                chosen = self._choice(places) if chosen is None else chosen
                if chosen is not None:
                    return chosen
        return None

    def _found(self) -> int | None:
        """One more number of a line with a hidden one that the sums leave one value only."""
        places = np.flatnonzero(self.hidden)
        if not len(places):
            return None
        column = {int(p): i for i, p in enumerate(places)}
        matrix = np.zeros((len(self.lines), len(places)))
        for row, (parts, total) in enumerate(self.lines):
            for part in parts:
                if part in column:
                    matrix[row, column[part]] = 1.0
            if total is not None and total in column:
                matrix[row, column[total]] = -1.0
        _, size, axes = np.linalg.svd(matrix, full_matrices=True)
        free = axes[int((size > 1e-9).sum()) :]
        for place in places[np.abs(free).max(axis=0, initial=0.0) < 1e-9]:
            # its own sums first; where nothing is left in them, the other sums that it is found with
            weight = np.linalg.lstsq(matrix.T, (places == place).astype(float), rcond=None)[0]
            used = [line for line, w in zip(self.lines, weight, strict=True) if abs(w) > 1e-9]
            for parts, total in sorted(used, key=lambda line: place not in line[0] and place != line[1]):
                chosen = self._choice(parts if total is None else [*parts, total])
                if chosen is not None:
                    return chosen
        return None


def _few(number: float, least: int) -> bool:
    return 0 < number < least


def released_flows_and_shares(
    shares: Estimates, flows: Estimates, profile: Profile, elsewhere: frozenset[str]
) -> tuple[Estimates, Estimates]:  # fmt: skip
    """People by state and month, and flows between landmarks, hidden together; ``elsewhere`` are states other tables tell."""
    k = profile.threshold
    of_shares, of_flows = shares.table.reset_index(drop=True), flows.table.reset_index(drop=True)
    gone, gone_flows, gone_from = np.zeros(len(of_shares), bool), np.zeros(len(of_flows), bool), np.zeros(len(of_flows), bool)
    for group, rows in of_shares.groupby("group", sort=False):
        if _few(float(rows["n"].iloc[0]), k):
            gone[rows.index] = True
            inside = (of_flows["group"] == group).to_numpy()
            gone_flows |= inside
            gone_from |= inside
            continue
        moves = of_flows[of_flows["group"] == group]
        marks = {int(m) for m in (*moves["month"], *moves["to_month"])}
        together = Sums()
        place: dict[tuple[int, str], int] = {}
        where: dict[int, int] = {}
        for month, part in rows.groupby("month", sort=True):
            sums = together if month in marks else Sums()
            own = [sums.add(float(e), _few(float(e), k), 1 + (s in elsewhere))
                   for e, s in zip(part["events"], part["state"], strict=True)]  # fmt: skip
            sums.lines.append((own, None))
            if sums is not together:
                gone[part.index] = sums.protect(k)[own]
                continue
            place |= {(int(month), s): p for s, p in zip(part["state"], own, strict=True)}
            where |= dict(zip(part.index, own, strict=True))
        at = {i: together.add(float(e), _few(float(e), k)) for i, e in moves["events"].items()}
        for ends, state in (("month", "from_state"), ("to_month", "to_state")):
            for _, part in moves.groupby(["month", state], sort=True):
                total = place[int(part[ends].iloc[0]), part[state].iloc[0]]
                together.lines.append(([at[i] for i in part.index], total))
        found = together.protect(k)
        gone[list(where)] = found[list(where.values())]
        gone_flows[list(at)] = found[list(at.values())]
        gone_from[moves.index] = [found[place[int(m), s]] for m, s in zip(moves["month"], moves["from_state"], strict=True)]
    table = hide(of_shares, gone, ["events", *NUMBERS])
    table.loc[small(of_shares["n"], k), "n"] = pd.NA
    moved = hide(of_flows, gone_flows, ["events"])
    moved.loc[gone_from, "n"] = pd.NA
    unknown = gone_flows | gone_from
    moved.loc[unknown, [c for c in NUMBERS if c in moved]] = np.nan
    return shares.with_table(table), flows.with_table(moved.drop(columns="people"))


#: Months whose sums can be read: those that moves start from, and those that moves end in and means add up.
FROM, TO = "from", "to"


def untold_sums(
    exact: Estimates, released: Estimates, threshold: int, elsewhere: frozenset[str] = frozenset()
) -> set[tuple[str, str, str]]:  # fmt: skip
    """Sums over months that must not be told: (group, state, `FROM` or `TO`).

    Every hidden number is 1 or more. A state's sum is not told where its hidden
    months hold so little beyond that, that one of them could not be as large as
    the threshold; nor where it gives away, with the sums of other states and
    with the months' own sums, a hidden number or such a sum. Numbers of moves
    are given up before means, and states that other tables tell, too, last.
    """
    table, gone = exact.table, released.table["hidden"].to_numpy(dtype=bool)
    first, last = int(table["month"].min()), int(table["month"].max())
    untold: set[tuple[str, str, str]] = set()
    for group, rows in table[gone].groupby("group", sort=False):
        if _few(float(rows["n"].iloc[0]), threshold):
            untold |= {(str(group), str(s), end) for s in rows["state"].unique() for end in (FROM, TO)}
            continue
        months, value = rows["month"].to_numpy(), rows["events"].to_numpy(float)
        own = [(months == month).astype(float) for month in np.unique(months)]
        sums = {}
        for state in rows["state"].unique():
            here = (rows["state"] == state).to_numpy()
            for end, inside in ((FROM, months < last), (TO, months > first)):
                if (here & inside).any():
                    sums[str(group), str(state), end] = (here & inside).astype(float)
        tight = {key for key, line in sums.items() if line @ value - line.sum() < threshold - 1}
        secrets = [*np.eye(len(rows)), *(sums[key] for key in tight)]
        told = [key for key in sums if key not in tight]
        while told:
            given = _gives_away(np.array(own), [sums[key] for key in told], np.array(secrets))
            if not given:
                break
            order = [(key[2] == TO, key[1] in elsewhere, float(sums[key] @ value), key) for key in (told[i] for i in given)]
            told.remove(min(order)[-1])
        untold |= set(sums) - set(told)
    return untold


def _gives_away(always: NDArray[np.float64], told: list[NDArray[np.float64]], secrets: NDArray[np.float64]) -> list[int]:
    """Which of the sums that are told help to find a secret; none where no secret can be found."""
    lines = np.vstack([always, *told])
    weights = np.linalg.lstsq(lines.T, secrets.T, rcond=None)[0]
    found = np.abs(lines.T @ weights - secrets.T).max(axis=0) < 1e-9
    if not found.any():
        return []
    return [int(i) for i in np.flatnonzero((np.abs(weights[len(always) :, found]) > 1e-9).any(axis=1))]


def released_transitions(given: Estimates, profile: Profile, untold: Collection[tuple[str, str, str]] = ()) -> Estimates:
    """Moves from month to month: those that few people made are hidden, with others of the same row and column."""
    k, table = profile.threshold, given.table.reset_index(drop=True)
    gone, gone_from = np.zeros(len(table), bool), np.zeros(len(table), bool)
    for group, rows in table.groupby("group", sort=False):
        sums = Sums()
        at = {
            i: sums.add(float(e), _few(float(p), k)) for i, e, p in zip(rows.index, rows["events"], rows["people"], strict=True)
        }
        totals = {}
        for state, part in rows.groupby("from_state", sort=False):
            n = float(part["n"].iloc[0])
            totals[state] = sums.add(n, _few(n, k) or (group, state, FROM) in untold, 1)
            sums.lines.append(([at[i] for i in part.index], totals[state]))
        for state, part in rows.groupby("to_state", sort=False):
            # months in the second state can be counted in the table of shares, if none that matters is hidden there
            total = sums.add(float(part["events"].sum()), True) if (group, state, TO) in untold else None
            sums.lines.append(([at[i] for i in part.index], total))
        found = sums.protect(k)
        gone[list(at)] = found[list(at.values())]
        gone_from[rows.index] = [found[totals[s]] for s in rows["from_state"]]
    hidden = hide(table, gone, ["events"])
    hidden.loc[gone_from, "n"] = pd.NA
    hidden.loc[gone | gone_from, [c for c in NUMBERS if c in hidden]] = np.nan
    return given.with_table(hidden.drop(columns="people"))


def released_months(given: Estimates, profile: Profile, untold: Collection[tuple[str, str, str]] = ()) -> Estimates:
    """Mean months in each state in fixed digits, without those that rest on few people or tell a hidden share."""
    k, table = profile.threshold, given.table.reset_index(drop=True)
    rows = (table["measure"] == "months_in_state").to_numpy()
    gone = rows & (unsafe(table, "n", "events", k) | small(table["n"], 2 * k))
    gone |= rows & np.array([(g, s, TO) in untold for g, s in zip(table["group"], table["state"], strict=True)], dtype=bool)
    for _, part in table[rows].groupby("group", sort=False):
        own = part.index.to_numpy()
        left = own[~gone[own] & (part["estimate"].to_numpy(float) > 0)]
        if gone[own].sum() == 1 and len(left):
            gone[part.loc[left, "estimate"].astype(float).idxmin()] = True
    hidden_cells = set(zip(table.loc[gone, "group"], table.loc[gone, "state"], strict=True))

    def opens(contrast: str, state: str) -> bool:
        return any((arm, state) in hidden_cells for arm in contrast.split(" - "))

    compared = [bool(c) and opens(c, s) for c, s in zip(table["contrast"], table["state"], strict=True)]
    made = hide(table, gone | np.array(compared, dtype=bool), ["events", *NUMBERS])
    made.loc[small(table["n"], k), "n"] = pd.NA

    return given.with_table(made.assign(**made[NUMBERS].astype(float).round(profile.model_digits)))
