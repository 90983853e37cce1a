"""What is asked of every subgroup: one question an outcome and month, with everybody's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from ips_outcomes.analysis.effects_of_months import PersonMonths, person_months
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.level_effects import ADDITIVE, MULTIPLICATIVE
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.subgroup_people import People
from ips_outcomes.errors import UnsupportedError

__all__ = ["KINDS", "Kind", "Question", "kind_of", "outcomes_of", "primary_scale", "questions", "scales_of", "with_times"]

Kind: TypeAlias = Literal["rate", "mean", "months", "time"]

KINDS = ("rate", "mean", "months", "time")
#: Scales that an outcome of each kind is told on.
SCALES = {
    "rate": ("risk_difference", "risk_ratio", "odds_ratio", "conditional_odds_ratio"), "mean": ("mean_difference", "mean_ratio"),
    "months": ("mean_difference", "mean_ratio"), "time": ("hazard_ratio", "mean_difference"),
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One outcome (in one month), and how it is answered.

    Attributes
    ----------
    column : pandas.Series, optional
        Everybody's value, in the order of the people.
    seen : PersonMonths, optional
        Everybody's months, for ``kind="months"``.
    """

    outcome: str
    kind: Kind
    errors: Errors
    adjust: tuple[str, ...]
    least_events: int
    month: int | None = None
    time: int | None = None
    cause: int = 1
    horizon: float | None = None
    column: pd.Series | None = None
    seen: PersonMonths | None = None


def outcomes_of(data: Data, outcomes: list[str], time: str | None, event: str | None) -> list[str]:
    """The outcomes named, or the ones that go without saying."""
    if not outcomes and (time or event):
        return [event or "event"]
    if not outcomes and not isinstance(data, pd.DataFrame):
        return [data.study.primary_definition]
    if not outcomes:
        raise UnsupportedError("name the outcome: outcome= takes a column, or a list of them")
    return outcomes


def kind_of(data: Data, outcomes: list[str], kind: Kind | None, time: str | None, event: str | None) -> Kind | None:
    """Say "time" where that is what is asked; otherwise the kind named, if any."""
    if kind not in (None, *KINDS):
        raise UnsupportedError(f"kind= is one of: {', '.join(KINDS)}")
    job = not isinstance(data, pd.DataFrame) and outcomes == ["first_job"]
    timed = kind == "time" or (kind is None and (job or time is not None or event is not None))
    if timed and len(outcomes) > 1:
        raise UnsupportedError("one time to an event at a time: outcome= names one")
    return "time" if timed else kind


def scales_of(kind: Kind, adjusted: bool) -> list[str]:
    """Scales that an outcome of a kind is told on.

    Examples
    --------
    >>> scales_of("rate", False)
    ['risk_difference', 'risk_ratio', 'odds_ratio']
    """
    return [s for s in SCALES[kind] if adjusted or s != "conditional_odds_ratio"]


def primary_scale(kind: Kind, scale: str | None, adjusted: bool) -> str:
    """The scale that the tests are about, by its own name.

    Examples
    --------
    >>> primary_scale("time", None, False), primary_scale("time", "additive", False)
    ('hazard_ratio', 'mean_difference')
    """
    known = scales_of(kind, adjusted)
    named = {"additive": ADDITIVE[kind], "multiplicative": MULTIPLICATIVE[kind], None: known[0]}
    found = named.get(scale, scale)
    if found not in known:
        raise UnsupportedError(f"scale= is additive, multiplicative or one of: {', '.join(known)}")
    return str(found)


def with_times(table: pd.DataFrame, time: str, event: str) -> pd.DataFrame:
    """Whole times and events under the names that the answers know them by."""
    from ips_outcomes.analysis.folding import whole_numbers

    return table.assign(time=whole_numbers(table[time], time), event=whole_numbers(table[event], event))


def questions(
    data: Data, people: People, outcomes: list[str], kind: Kind | None, at: int | Sequence[int] | None, start: int,
    end: int | None, dead: str | None, errors: Errors, covariates: list[str], least_events: int,
) -> list[Question]:  # fmt: skip
    """One question an outcome and month."""
    table = data if isinstance(data, pd.DataFrame) else data.person_months
    adjust = tuple(covariates)
    asked = []
    for outcome in outcomes:
        if kind == "months":
            if people.month is None:
                raise UnsupportedError("months need a month column; name it with month=")
            if covariates:
                raise UnsupportedError("months are not adjusted: leave out adjust=")
            if outcome not in table:
                raise UnsupportedError(f"there is no column {outcome}; there are: {', '.join(map(str, table.columns))}")
            last = int(table[people.month].max()) if end is None else end
            if last < start:
                raise UnsupportedError(f"months {start} to {last} are asked for: there are none")
            seen = person_months(data, outcome, people.ids, range(start, last + 1), month=people.month,
                                 person_id=people.person_id, dead=dead)  # fmt: skip
            asked.append(Question(outcome, "months", errors, adjust, least_events, time=last, seen=seen))
            continue
        for month, values in _columns(data, table, people, outcome, at):
            numbers = _numbers(values, outcome)
            seems: Kind = "rate" if numbers.dropna().isin((0.0, 1.0)).all() else "mean"
            if kind == "rate" and seems != "rate":
                raise UnsupportedError(f"{outcome} must be true, false or missing (1, 0 or missing)")
            asked.append(Question(outcome, kind or seems, errors, adjust, least_events, month=month, column=numbers))
    return asked


def _numbers(values: pd.Series, outcome: str) -> pd.Series:
    numbers = pd.to_numeric(values.astype(object), errors="coerce").astype(float)
    strange = int((numbers.isna() & values.notna()).sum())
    if strange:
        raise UnsupportedError(f"{strange} values of {outcome} are no numbers and not true or false")
    if np.isinf(numbers).any():
        raise UnsupportedError(f"{int(np.isinf(numbers).sum())} values of {outcome} are not finite")
    return pd.Series(numbers)


def _columns(
    data: Data, table: pd.DataFrame, people: People, outcome: str, at: int | Sequence[int] | None
) -> list[tuple[int | None, pd.Series]]:  # fmt: skip
    """Everybody's outcome, by month where there are months."""
    if outcome not in table:
        if not isinstance(data, pd.DataFrame) and outcome in data.baseline:
            return [(None, people.table[outcome].reset_index(drop=True))]
        raise UnsupportedError(f"there is no column {outcome}; there are: {', '.join(map(str, table.columns))}")
    if people.month is None:
        if at is not None:
            raise UnsupportedError("at= chooses months, and the data has no month column; name it with month=")
        return [(None, table.loc[people.kept, outcome].reset_index(drop=True))]
    months = [int(table[people.month].max())] if at is None else [at] if isinstance(at, int) else list(at)
    present = set(table[people.month].unique())
    strange = [m for m in months if m not in present]
    if strange:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, strange))}")
    found: list[tuple[int | None, pd.Series]] = []
    for m in months:
        rows = table[table[people.month] == m]
        repeated = int(rows[people.person_id].duplicated().sum())
        if repeated:
            raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
        found.append((m, rows.set_index(people.person_id)[outcome].reindex(people.ids).reset_index(drop=True)))
    return found
