"""The state of every month, by the ordered rule of the study file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.followup.benefits import benefit_sources
from ips_outcomes.followup.courses import attending
from ips_outcomes.followup.employed import Answer
from ips_outcomes.followup.grid import ABROAD, DEAD, Grid, Observation
from ips_outcomes.study.states import StateRule, States

__all__ = ["month_states", "neet_months"]

Flags = NDArray[np.int8]


def month_states(
    grid: Grid, answers: Mapping[str, Answer], states: States, observation: Observation
) -> tuple[NDArray[np.int8], dict[str, NDArray[np.bool_]]]:  # fmt: skip
    """The place in ``states.names`` of every cell, and by state the cells that its rule could not answer when asked.

    Parameters
    ----------
    grid : Grid
    answers : dict
        Every definition of employed, answered.
    states : States
    observation : Observation
        Of the primary definition: who is dead or abroad.
    """
    names = states.names
    found = np.full(grid.shape, names.index("none"), dtype=np.int8)
    gone = np.isin(observation.reason, (DEAD, ABROAD))
    open_still = ~gone
    unanswered: dict[str, NDArray[np.bool_]] = {}
    for place, name in enumerate(states.order):
        holds = _holds(grid, answers, states.rules[name])
        unanswered[name] = open_still & (holds == -1)
        found[open_still & (holds == 1)] = place
        # a month of which an earlier state is not known is in no later one
        found[unanswered[name]] = names.index("not_observed")
        open_still &= holds == 0
    found[observation.reason == ABROAD] = names.index("abroad")
    found[observation.reason == DEAD] = names.index("dead")
    return found, unanswered


def neet_months(
    grid: Grid, answers: Mapping[str, Answer], found: NDArray[np.int8], states: States
) -> tuple[Flags, NDArray[np.bool_]]:  # fmt: skip
    """1 where somebody young is in no active state, 0 where in one, -1 where nothing can be said; and whose age is not known.

    Whoever is in no active state is so also where no source says which of the
    others the month is. Where nothing answers for one active state, nothing is
    said, also of those who are in another: left out alone, those in none would
    make NEET too rare.
    """
    neet = states.neet
    if neet is None:
        raise ValueError("the study does not say what NEET is")
    names = states.names
    age = grid.cohort.participants["age"].to_numpy(dtype=float, na_value=np.nan)
    value = np.where(np.isin(found, [names.index(n) for n in neet.active]), 0, 1).astype(np.int8)
    value[np.isin(found, [names.index(n) for n in ("abroad", "dead")])] = -1
    for name in neet.active:
        value[_holds(grid, answers, states.rules[name]) == -1] = -1
    value[~(age < neet.age_below)] = -1
    return value, np.isnan(age)


def _holds(grid: Grid, answers: Mapping[str, Answer], rule: StateRule) -> Flags:
    """1, 0, or -1 where no source speaks for the month."""
    if rule.employed is not None:
        return np.asarray(answers[rule.employed].value, dtype=np.int8)
    study = grid.cohort.study
    if rule.benefits is not None:
        every = grid.cohort.benefits
        parts = [_spells(grid, every[every["benefit"] == kind], benefit_sources(study, kind)) for kind in rule.benefits]
        return np.asarray(np.where((np.array(parts) == 1).any(axis=0), 1, np.array(parts).min(axis=0)), dtype=np.int8)
    if rule.schemes is not None:
        spells = grid.cohort.programmes
        return _spells(grid, spells[spells["scheme"].isin(rule.schemes)], study.sources_of("programmes"))
    return attending(grid, any_day=False)


def _spells(grid: Grid, spells, sources: list[str]) -> Flags:  # type: ignore[no-untyped-def]
    """Months in which a spell holds on the 16th, of months that a source speaks for."""
    found = np.where(grid.spoken_by(sources), 0, -1).astype(np.int8)
    _, row, column = grid.spell_cells(spells, any_day=False)
    found[row, column] = 1
    return found
