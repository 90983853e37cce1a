"""Invented people: who they are, and in which months they truly work."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.months import month_number

__all__ = ["FIRST_MONTH", "LAST_MONTH", "People", "draw_people", "load_truth", "true_probability", "work_states"]

#: Months since the index date for which a truth exists.
FIRST_MONTH, LAST_MONTH = -24, 60

GROUPS = ("age_18_30", "no_upper_secondary", "severe")


@dataclass(frozen=True)
class People:
    """Everybody who was randomised; arrays of one length."""

    index_date: NDArray[np.datetime64]
    birth_month: NDArray[np.int64]
    ips: NDArray[np.bool_]
    centre: NDArray[np.int64]
    woman: NDArray[np.bool_]
    groups: dict[str, NDArray[np.bool_]]
    death_month: NDArray[np.int64]
    death_day: NDArray[np.int64]
    abroad_from: NDArray[np.int64]
    abroad_to: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index_date)

    @property
    def index_month(self) -> NDArray[np.int64]:
        return month_number(self.index_date)


def load_truth() -> dict[str, Any]:
    """The parameters of the invented truth, as in ``truth.toml``.

    Examples
    --------
    >>> load_truth()["work"]["ips"][5]
    0.366
    """
    return tomllib.loads((resources.files("ips_outcomes.simulation") / "truth.toml").read_text(encoding="utf-8"))


def draw_people(truth: dict[str, Any], rng: np.random.Generator, participants: int, *, one_arm: bool) -> People:
    """Draw participants; arms are allocated in permuted blocks of four within centre."""
    number = participants
    first = np.datetime64(truth["trial"]["first_index_date"], "D")
    last = np.datetime64(truth["trial"]["last_index_date"], "D")
    index_date = np.sort(first + rng.integers(0, int((last - first) / np.timedelta64(1, "D")) + 1, number))
    edges = np.cumsum(truth["trial"]["centre_shares"])
    centre = np.minimum(np.searchsorted(edges, rng.random(number)), len(edges) - 1)
    ips = np.ones(number, dtype=bool)
    if not one_arm:
        for c in range(len(edges)):
            members = np.flatnonzero(centre == c)
            blocks = rng.permuted(np.tile([True, True, False, False], (-(-len(members) // 4), 1)), axis=1)
            ips[members] = blocks.ravel()[: len(members)]
    share = truth["people"]
    groups = {name: rng.random(number) < share[name] for name in GROUPS}
    # whole months of age at inclusion: 18 to 30 completed years, or 31 to 60
    age_months = np.where(groups["age_18_30"], rng.integers(18 * 12, 31 * 12, number), rng.integers(31 * 12, 61 * 12, number))
    span = LAST_MONTH - FIRST_MONTH + 1
    events = truth["events"]
    dies = rng.random((number, LAST_MONTH)) < events["death"]
    leaves = rng.random((number, LAST_MONTH)) < events["emigration"]
    death = np.where(dies.any(1), dies.argmax(1) + 1, span * 10)
    abroad_from = np.where(leaves.any(1), leaves.argmax(1) + 1, span * 10)
    returns = rng.random(number) < events["return_share"]
    abroad_to = np.where(returns, abroad_from + rng.integers(3, 13, number), span * 10)
    return People(
        index_date=index_date,
        birth_month=month_number(index_date) - age_months,
        ips=ips,
        centre=centre,
        woman=rng.random(number) < share["woman"],
        groups=groups,
        death_month=death,
        death_day=rng.integers(1, 29, number),
        abroad_from=np.where(abroad_from >= death, span * 10, abroad_from),
        abroad_to=abroad_to,
    )


def true_probability(truth: dict[str, Any], people: People) -> NDArray[np.float64]:
    """Each person's probability of ordinary work, months FIRST_MONTH to LAST_MONTH."""
    work, share = truth["work"], truth["people"]
    months = np.arange(FIRST_MONTH, LAST_MONTH + 1)
    control = np.interp(months, work["months"], work["control"])
    difference = np.interp(months, work["months"], work["ips"]) - control
    centred = {name: member - share[name] for name, member in people.groups.items()}
    modifier = 1 + sum(work["difference_modifier"][name] * values for name, values in centred.items())
    level = 1 + sum(work["prognosis"][name] * values for name, values in centred.items())
    gain = np.where(people.ips, modifier, 0.0)[:, None] * difference[None, :]
    return np.clip(level[:, None] * control[None, :] + gain, 0.005, 0.74)


def work_states(truth: dict[str, Any], people: People, rng: np.random.Generator) -> NDArray[np.bool_]:
    """In ordinary work on the 16th, person by month.

    A two-state Markov chain within each frailty class. Its entry probability
    is solved from the wanted share, p[m+1] = p[m] (1 - exit) + (1 - p[m]) entry,
    so that the share in each month is exactly the true probability.
    """
    frailty = truth["work"]["frailty"]
    share = true_probability(truth, people)
    near = rng.random(len(people)) < frailty["near_share"]
    near_level = (1 - (1 - frailty["near_share"]) * frailty["far_relative_level"]) / frailty["near_share"]
    share = share * np.where(near, near_level, frailty["far_relative_level"])[:, None]
    leave = np.where(near, frailty["monthly_exit_near"], frailty["monthly_exit_far"])
    uniform = rng.random(share.shape)
    states = np.empty(share.shape, dtype=bool)
    states[:, 0] = uniform[:, 0] < share[:, 0]
    for month in range(1, share.shape[1]):
        before, now = share[:, month - 1], share[:, month]
        # where the wanted share falls faster than people leave, they leave faster
        exits = np.maximum(leave, 1 - now / before)
        entry = (now - before * (1 - exits)) / (1 - before)
        states[:, month] = np.where(states[:, month - 1], uniform[:, month] >= exits, uniform[:, month] < entry)
    months = np.arange(FIRST_MONTH, LAST_MONTH + 1)[None, :]
    gone = (months >= people.death_month[:, None]) | (
        (months >= people.abroad_from[:, None]) & (months < people.abroad_to[:, None])
    )
    return states & ~gone
