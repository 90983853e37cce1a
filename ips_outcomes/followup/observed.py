"""Which months of every person are observed, for a whole nation: the grid's own rules, asked once for people alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid, observe
from ips_outcomes.followup.schemes import schemes_known
from ips_outcomes.followup.words import Words, pack
from ips_outcomes.loaders import Cohort
from ips_outcomes.months import day_in_month

__all__ = ["observed_words", "part_of"]

#: People put on a grid at a time.
_BLOCK = 20_000


def part_of(cohort: Cohort, chosen: NDArray[np.intp]) -> Cohort:
    """The cohort of some of its participants, by their places."""
    people = cohort.participants.iloc[chosen].reset_index(drop=True)
    wanted = people["person_id"]
    tables = {name: (table := getattr(cohort, name))[table["person_id"].isin(wanted)]
              for name in ("keys", "employment", "pay", "programmes", "residence")}  # fmt: skip
    return replace(cohort, participants=people, **tables)


def _alike(cohort: Cohort) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """One person of every group of people of whom the same months are observed, and the group of each person.

    Most people of a nation stand on the same lists, are alive throughout and
    resident throughout, or on no population list at all: of those with the
    same index month one can answer for all. Everybody else answers alone.
    """
    study, people = cohort.study, cohort.participants
    number = len(people)
    place = dict(zip(people["person_id"], range(number), strict=True))
    index = people["index_month"].to_numpy()
    first = day_in_month(index - study.follow_up.history, 1)
    after = day_in_month(index + study.follow_up.months + 1, 1)
    residence = cohort.residence
    row = residence["person_id"].map(place).to_numpy(dtype=np.intp)
    death = residence["death_date"].to_numpy().astype("datetime64[D]")
    start = residence["resident_from"].to_numpy().astype("datetime64[D]")
    end = residence["resident_to"].to_numpy().astype("datetime64[D]")
    dies = np.zeros(number, dtype=bool)
    dies[row[~np.isnat(death) & (death < after[row])]] = True
    there = ~np.isnat(start)
    spells = np.bincount(row[there], minlength=number)
    through = there & (start <= first[row]) & (np.isnat(end) | (end >= after[row]))
    always = np.zeros(number, dtype=bool)
    always[row[through]] = True
    plain = ~dies & ((always & (spells == 1)) | (spells == 0))
    group = index.astype(np.int64) * 2 + always
    for name in study.keys:
        group = group * 2 + people["person_id"].isin(cohort.keys.loc[cohort.keys["source"] == name, "person_id"]).to_numpy()
    # beyond every group's number, a number of one's own
    own = np.where(plain, group, np.abs(group).max() + 1 + np.arange(number))
    _, chosen, inverse = np.unique(own, return_index=True, return_inverse=True)
    return chosen, inverse


def observed_words(cohort: Cohort, *, on_status_day: bool) -> tuple[Words, Words]:
    """Words of the months observed, and of the months that some scheme delivery speaks for, a row a participant.

    Equal to ``observe(Grid(cohort), ...)`` for everybody, by asking it for one
    of each group of people who are alike.
    """
    chosen, inverse = _alike(cohort)
    seen, schemes = [], []
    for start in range(0, len(chosen), _BLOCK):
        grid = Grid(part_of(cohort, chosen[start : start + _BLOCK]))
        seen.append(pack(observe(grid, on_status_day=on_status_day).observed, int(grid.months[0])))
        schemes.append(pack(schemes_known(grid), int(grid.months[0])))
    return np.concatenate(seen)[inverse], np.concatenate(schemes)[inverse]
