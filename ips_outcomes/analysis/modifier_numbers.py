"""What the two ways to follow an effect along a number share: who is in, and what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.effects_of_months import PersonMonths
from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.level_effects import SIGNS, on_log
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.subgroup_people import People, covariate_columns, people_of
from ips_outcomes.analysis.subgroup_questions import questions
from ips_outcomes.errors import UnsupportedError

__all__ = ["NumberKind", "Followed", "followed"]

Floats = NDArray[np.float64]
NumberKind: TypeAlias = Literal["rate", "mean", "months"]


@dataclass(frozen=True)
class Followed:
    """Everybody with an arm, one outcome and one number known at inclusion.

    Attributes
    ----------
    people : People
    modifier, outcome : str
    kind : {"rate", "mean", "months"}
    month, time : int, optional
        Of the outcome in a month, and the last month of a sum.
    value : array
        The modifier; NaN where it is unknown.
    y : array
        The outcome of a month; NaN where it is unknown. Empty for months.
    seen : PersonMonths, optional
    covariates : array
    usable : array of bool
        Modifier, outcome and covariates are known.
    notes : list of str
        Who was left out.
    """

    people: People
    modifier: str
    outcome: str
    kind: NumberKind
    month: int | None
    time: int | None
    value: Floats
    y: Floats
    seen: PersonMonths | None
    covariates: Floats
    usable: NDArray[np.bool_]
    notes: list[str]

    def pair(self, other: str) -> NDArray[np.int64]:
        """Positions of those to be compared: this arm and the reference."""
        return np.flatnonzero(np.isin(self.people.arm, [other, self.people.arms[0]]) & self.usable)

    def common(self, other: str, scale: str) -> dict[str, object]:
        """What all rows of a contrast share."""
        return {
            "outcome": self.outcome, "subgroup": self.modifier, "month": self.month, "time": self.time, "scale": scale,
            "contrast": f"{other} {SIGNS[on_log(scale)]} {self.people.arms[0]}",
        }  # fmt: skip


def followed(
    data: Data, modifier: str, outcome: str | None, arm: str, reference: str | None, at: int | None, kind: NumberKind | None,
    errors: Errors, adjust: str | Sequence[str] | None, cluster: str | None, start: int, end: int | None, dead: str | None,
    month: str | None, person_id: str,
) -> Followed:  # fmt: skip
    """Read and check what is asked.

    Raises
    ------
    UnsupportedError
        For a modifier that is no number or changes within a person, unknown
        columns, and where nobody is left.
    """
    covariates = as_list(adjust)
    if kind not in (None, *get_args(NumberKind)):
        raise UnsupportedError(f"kind= is one of: {', '.join(get_args(NumberKind))}")
    if errors not in get_args(Errors):
        raise UnsupportedError("errors= is one of: robust, model")
    if not isinstance(modifier, str):
        raise UnsupportedError("modifier= is the name of one column")
    if modifier in covariates:
        raise UnsupportedError(f"{modifier} is the modifier: its curve is in the model, leave it out of adjust=")
    if outcome is None:
        if isinstance(data, pd.DataFrame):
            raise UnsupportedError("name the outcome: outcome= takes a column")
        outcome = data.study.primary_definition
    if not isinstance(outcome, str) or isinstance(at, list | tuple):
        raise UnsupportedError("one outcome in one month is followed at a time: outcome= is a column, at= a month")
    if outcome in (modifier, *covariates):
        raise UnsupportedError(f"{outcome} is the outcome: it is no modifier and no covariate")
    # a column, even where the study calls one of its subgroups the same
    people = people_of(data, {modifier: modifier}, arm, reference, covariates, cluster, month, person_id, None)
    asked = questions(data, people, [outcome], kind, at, start, end, dead, errors, [], 0)[0]
    assert asked.kind != "time"
    value = _number(people.table[modifier], modifier)
    columns, known = covariate_columns(people.table, covariates)
    if asked.seen is not None:
        y, answered = np.zeros(0), asked.seen.observed.max(axis=1, initial=0.0) > 0
    else:
        assert asked.column is not None
        y = asked.column.to_numpy(dtype=float, na_value=np.nan)
        answered = ~np.isnan(y)
    usable = answered & known & ~np.isnan(value)
    notes = [*people.notes, *_left_out(answered, value, known, modifier)]
    if not usable.any():
        raise UnsupportedError(f"nobody has a known outcome and a known {modifier}")
    return Followed(people, modifier, outcome, asked.kind, asked.month, asked.time, value, y, asked.seen, columns, usable, notes)


def _left_out(answered: NDArray[np.bool_], value: Floats, known: NDArray[np.bool_], modifier: str) -> list[str]:
    missing = np.isnan(value)
    told = {
        "the outcome is unknown": ~answered, f"{modifier} is unknown": answered & missing,
        "a covariate is missing": answered & ~missing & ~known,
    }  # fmt: skip
    return [f"{int(who.sum())} people left out: {why}" for why, who in told.items() if who.any()]


def _number(values: pd.Series, name: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        raise UnsupportedError(f"{name} is no number: effects by level are subgroup_effects' answer")
    found = values.to_numpy(dtype=float, na_value=np.nan)
    strange = int(np.isinf(found).sum())
    if strange:
        raise UnsupportedError(f"{strange} values of {name} are not finite")
    return found
