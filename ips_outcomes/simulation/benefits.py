"""Invented benefit spells, month by month, that follow a person's work and know nothing of the arm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import NO_MONTH, day_in_month, parse_month
from ips_outcomes.simulation.people import FIRST_MONTH, LAST_MONTH, People

__all__ = ["benefit_states", "draw_benefits", "months_in_work", "runs_of"]

#: States of a month; a person has one of them, and social assistance beside it.
STATES = ("none", "sickness", "aap", "disability", "unemployment", "individual_support")

#: Work assessment allowance began in March 2010; the table of disability benefit begins in January 2011.
_EARLIEST = {"aap": parse_month("2010-03"), "disability": parse_month("2011-01")}


def months_in_work(people: People, jobs: pd.DataFrame) -> np.ndarray:
    """Whether a person has a paid job on the 16th, person by month, FIRST_MONTH to LAST_MONTH."""
    span = LAST_MONTH - FIRST_MONTH + 1
    change = np.zeros((len(people), span + 1), dtype=np.int64)
    long_enough = ((jobs["end"] - jobs["start"]).dt.days >= 14).to_numpy()
    person = jobs["person"].to_numpy(dtype=np.int64)[long_enough]
    first, last = (jobs[name].to_numpy(dtype=np.int64)[long_enough] - FIRST_MONTH for name in ("first", "last"))
    np.add.at(change, (person, first), 1)
    np.add.at(change, (person, np.minimum(last, span - 1) + 1), -1)
    return np.cumsum(change, axis=1)[:, :span] > 0


def _cumulative(rows: dict[str, dict[str, float]]) -> np.ndarray:
    """Cumulative probabilities of the next state, by state; what is not named stays as it is."""
    table = np.zeros((len(STATES), len(STATES)))
    for state, following in rows.items():
        for other, probability in following.items():
            table[STATES.index(state), STATES.index(other)] = probability
    table[np.diag_indices(len(STATES))] += 1 - table.sum(1)
    return np.cumsum(table, axis=1)


def benefit_states(
    truth: dict[str, Any], people: People, works: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State of each month, social assistance in each month, and months already spent at the start.

    The next state depends on this one and on whether the person works; the
    arm matters only through work.
    """
    share = truth["benefits"]
    number, span = works.shape
    months = np.arange(FIRST_MONTH, LAST_MONTH + 1)[None, :]
    gone = (months >= people.death_month[:, None]) | (
        (months >= people.abroad_from[:, None]) & (months < people.abroad_to[:, None])
    )
    at_start = (share["start_out_of_work"], share["start_in_work"])
    start = np.cumsum([[row.get(state, 0.0) for state in STATES] for row in at_start], axis=1)
    step = np.stack([_cumulative(share["monthly_out_of_work"]), _cumulative(share["monthly_in_work"])])
    uniform = rng.random((number, span, 2))
    before = np.asarray(rng.integers(0, 18, number))
    states = np.zeros((number, span), dtype=np.int64)
    social = np.zeros((number, span), dtype=bool)
    works = works.astype(np.int64)
    states[:, 0] = np.minimum((uniform[:, 0, :1] >= start[works[:, 0]]).sum(1), len(STATES) - 1)
    sickness, aap = STATES.index("sickness"), STATES.index("aap")
    longest = share["sickness_longest_months"]
    before = np.where(states[:, 0] == sickness, before % 10, before)
    length = before + 1
    enters = np.array([share["social_assistance"][name] for name in ("starts_without_benefit", "starts_with_benefit")])
    for month in range(1, span):
        now = states[:, month - 1]
        following = np.minimum((uniform[:, month, :1] >= step[works[:, month], now]).sum(1), len(STATES) - 1)
        # sickness benefit lasts a year at most: then comes work assessment allowance
        following = np.where((now == sickness) & (following == sickness) & (length >= longest), aap, following)
        states[:, month] = np.where(gone[:, month], 0, following)
        length = np.where(states[:, month] == now, length + 1, 1)
        poor = (works[:, month] == 0) & ~gone[:, month]
        begins = uniform[:, month, 1] < enters[(states[:, month] > 0).astype(int)]
        stays = uniform[:, month, 1] >= share["social_assistance"]["ends"]
        social[:, month] = poor & np.where(social[:, month - 1], stays, begins)
    return states, social, before


def runs_of(states: np.ndarray) -> pd.DataFrame:
    """Unbroken runs of one state above zero: person, state, first and last month since index."""
    padded = np.pad(states.astype(np.int64), ((0, 0), (1, 1)))
    changes = padded[:, 1:] != padded[:, :-1]
    person, first = np.nonzero(changes[:, :-1] & (states > 0))
    last = np.nonzero(changes[:, 1:] & (states > 0))[1]
    return pd.DataFrame({
        "person": person, "state": states[person, first], "first": first + FIRST_MONTH, "last": last + FIRST_MONTH,
    })  # fmt: skip


def draw_benefits(truth: dict[str, Any], people: People, works: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Benefit spells: person, benefit, first and last month, dates, degree.

    A spell starts on day 1 to 16 of its first month and ends on day 16 to 28
    of its last, so that the 16th finds it in each of its months and nowhere
    else. Work assessment allowance is granted for a year at a time: a long
    run is several spells that touch. Only sickness has a degree.
    """
    share = truth["benefits"]
    states, social, before = benefit_states(truth, people, works, rng)
    main, extra = runs_of(states), runs_of(social)
    main["benefit"] = np.array(STATES)[main["state"]]
    extra["benefit"] = "social_assistance"
    spells = pd.concat([main, extra], ignore_index=True)
    base = people.index_month[spells["person"]]
    # what was under way when the truth begins has lasted for a while
    earlier = np.where((spells["first"] == FIRST_MONTH) & (spells["benefit"] != "social_assistance"),
                       before[spells["person"]], 0)  # fmt: skip
    limit = spells["benefit"].map(_EARLIEST).fillna(NO_MONTH).to_numpy(dtype=np.int64) - base
    spells["first"] = np.maximum(spells["first"].to_numpy() - earlier, np.minimum(limit, FIRST_MONTH))
    spells["ongoing"] = (spells["last"] == LAST_MONTH).to_numpy()
    spells = _by_decision(spells, share["aap_decision_months"])
    base, number = people.index_month[spells["person"]], len(spells)
    day_from, day_to = rng.integers(0, 16, number), rng.integers(0, 13, number)
    touches_before, touches_after = spells["renewed"].to_numpy(), spells["goes_on"].to_numpy()
    spells["start"] = day_in_month(base + spells["first"].to_numpy(), 1) + np.where(touches_before, 0, day_from)
    last = base + spells["last"].to_numpy()
    month_end = day_in_month(last + 1, 1) - np.timedelta64(1, "D")
    spells["end"] = np.where(touches_after, month_end, day_in_month(last, 16) + day_to)
    at = np.clip(spells["first"].to_numpy() - FIRST_MONTH, 0, None)
    graded = works[spells["person"], at] & (rng.random(number) < share["graded_while_working"])
    degree = np.where(graded, rng.choice([20.0, 40.0, 50.0, 60.0, 80.0], number), 100.0)
    spells["degree"] = np.where(spells["benefit"] == "sickness", degree, np.nan)
    columns = ["person", "benefit", "first", "last", "start", "end", "ongoing", "degree"]
    return spells[columns].sort_values(["person", "benefit", "first"], ignore_index=True)


def _by_decision(spells: pd.DataFrame, longest: int) -> pd.DataFrame:
    """Long runs of work assessment allowance cut into one spell a decision."""
    length = (spells["last"] - spells["first"] + 1).to_numpy()
    pieces = np.where(spells["benefit"] == "aap", -(-length // longest), 1)
    row = np.repeat(np.arange(len(spells)), pieces)
    piece = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut = spells.iloc[row].reset_index(drop=True)
    several = np.repeat(pieces > 1, pieces)
    cut["renewed"], cut["goes_on"] = piece > 0, piece < np.repeat(pieces, pieces) - 1
    first = cut["first"].to_numpy() + piece * longest
    cut["last"] = np.where(several & cut["goes_on"], first + longest - 1, cut["last"])
    cut["first"] = np.where(several, first, cut["first"])
    cut["ongoing"] = cut["ongoing"] & ~cut["goes_on"]
    return cut
