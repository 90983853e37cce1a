"""Conditions on what was known at inclusion: a column in a range or among values, and any or all of several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.study.three_valued import NO, OPEN, YES, numbers_of, one_of

__all__ = ["BASELINE_COLUMNS", "Condition", "Limit", "Rule", "column_of", "leaves"]

#: Columns of `participants` that a study's subgroup may look at. All are fixed at
#: the index date, so a condition on anything later cannot be written at all.
BASELINE_COLUMNS: dict[str, Literal["number", "category"]] = {
    "age": "number",
    "sex": "category",
    "education_level": "number",
    "upper_secondary": "category",
    "diagnosis_group": "category",
    "centre": "category",
    "months_in_work_before": "number",
}

Limit = Annotated[float, Field(allow_inf_nan=False)]


def _scalar(value: Any) -> Any:
    if isinstance(value, str | bool | int | float):
        return value
    raise ValueError("a value is text, a number, or true or false")


Value = Annotated[Any, AfterValidator(_scalar)]


class Rule(BaseModel):
    """A question about a person, with the answers yes, no and unknown.

    One of: a ``column`` that lies in a range (``at_least``, ``at_most``, both
    inclusive) or holds one of ``values``; ``any_of`` or ``all_of`` further
    conditions. Answers combine as in Kleene's logic: unknown stays unknown
    unless the rest decides.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = None
    at_least: Limit | None = None
    at_most: Limit | None = None
    values: tuple[Value, ...] | None = None
    any_of: tuple[Condition, ...] | None = None
    all_of: tuple[Condition, ...] | None = None

    @field_validator("values", "any_of", "all_of", "breaks", mode="before", check_fields=False)
    @classmethod
    def _not_empty(cls, members: Any) -> Any:
        if isinstance(members, list | tuple) and not members:
            raise ValueError("this list is empty: name at least one, or leave the key out")
        return members

    @field_validator("any_of", "all_of", mode="before")
    @classmethod
    def _members(cls, members: Any) -> Any:
        """A subgroup stands for its condition, and a bare name for the study's subgroup of that name."""
        if not isinstance(members, list | tuple):
            return members
        named = [{"subgroup": m} if isinstance(m, str) else m for m in members]
        return [getattr(m, "condition", m) for m in named]

    @property
    def ranged(self) -> bool:
        """Whether a range is given."""
        return self.at_least is not None or self.at_most is not None

    def _check_column(self) -> None:
        """A column goes with a range or with values, as suits what it holds."""
        kind = BASELINE_COLUMNS.get(self.column or "")
        if self.ranged == (self.values is not None):
            raise ValueError("give either a range (at_least, at_most) or a list of values, not both or neither")
        if self.ranged and kind == "category":
            raise ValueError(f"{self.column} is not a number: give values, not a range")
        if not self.ranged and kind == "number":
            raise ValueError(f"{self.column} is a number: give a range (at_least, at_most), not values")
        if kind == "category" and not all(isinstance(value, str) for value in self.values or ()):
            raise ValueError(f"values of {self.column} are text: put them in quotes")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is larger than at_most: nobody can be in this range")

    def _answers(self, table: pd.DataFrame) -> NDArray[np.int8]:
        """Yes, no or open for each row."""
        if self.column is None:
            parts = [member._answers(table) for member in self.any_of or self.all_of or ()]
            return np.maximum.reduce(parts) if self.any_of else np.minimum.reduce(parts)
        values = column_of(table, self.column)
        if self.values is not None:
            return one_of(values, self.values)
        numbers = numbers_of(values)
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.at_most is None else self.at_most
        inside = np.where((numbers >= low) & (numbers <= high), YES, NO)
        return np.where(np.isnan(numbers), OPEN, inside).astype(np.int8)

    @property
    def rule(self) -> str:
        """The condition in words."""
        if self.column is None:
            return (" or " if self.any_of else " and ").join(f"({m.rule})" for m in self.any_of or self.all_of or ())
        if self.values is not None:
            return f"{self.column} is {' or '.join(map(str, self.values))}"
        low = f"{self.at_least:g} <= " if self.at_least is not None else ""
        high = f" <= {self.at_most:g}" if self.at_most is not None else ""
        return f"{low}{self.column}{high}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition looks at."""
        if self.column is not None:
            return (self.column,)
        return tuple(dict.fromkeys(c for member in self.any_of or self.all_of or () for c in member.columns))

    @property
    def cut(self) -> bool:
        """Whether somebody chose where to cut a number."""
        return self.ranged or any(member.cut for member in self.any_of or self.all_of or ())


class Condition(Rule):
    """A member of ``any_of`` or ``all_of``: a rule, or the study's ``subgroup`` of a name; with ``negate`` its opposite."""

    subgroup: str | None = None
    negate: bool = False
    _meant: Condition | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_kind(self) -> Condition:
        if sum(part is not None for part in (self.column, self.any_of, self.all_of, self.subgroup)) != 1:
            raise ValueError("a condition is one of: a column with a range or values, any_of, all_of, the name of a subgroup")
        if self.column is not None:
            self._check_column()
        elif self.ranged or self.values is not None:
            raise ValueError("a range or values go with a column")
        return self

    @property
    def meant(self) -> Condition:
        """The condition that the name of a subgroup stands for."""
        if self._meant is None:
            raise UnsupportedError(
                f"the condition names the subgroup {self.subgroup}, which is not known here, has several levels or leads back to "
                "itself: a study looks names up; without one give the Subgroup itself, or a dictionary that holds it too"
            )
        return self._meant

    def _answers(self, table: pd.DataFrame) -> NDArray[np.int8]:
        answers = super()._answers(table) if self.subgroup is None else self.meant._answers(table)
        return (YES - answers).astype(np.int8) if self.negate else answers

    @property
    def rule(self) -> str:
        """The condition in words."""
        words = super().rule if self.subgroup is None else self._meant.rule if self._meant else f"subgroup {self.subgroup}"
        return f"not ({words})" if self.negate else words

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the condition looks at."""
        return super().columns if self.subgroup is None else self.meant.columns

    @property
    def cut(self) -> bool:
        """Whether somebody chose where to cut a number."""
        return super().cut if self.subgroup is None else self.meant.cut


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """A column, or a refusal that names those that are there."""
    if name not in table:
        raise UnsupportedError(f"there is no column {name}; there are: {', '.join(map(str, table.columns))}")
    return table[name]


def leaves(rule: Rule, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Rule]]:
    """Each part of a condition that looks at a column or names a subgroup, with its place; names are not followed."""
    if rule.column is not None or getattr(rule, "subgroup", None) is not None:
        yield place, rule
    for key in ("any_of", "all_of"):
        for position, member in enumerate(getattr(rule, key) or ()):
            yield from leaves(member, (*place, key, position))
