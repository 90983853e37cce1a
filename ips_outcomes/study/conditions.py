"""Subgroups as structured conditions on what was known at inclusion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BASELINE_COLUMNS", "Subgroup"]

#: Columns of `participants` that a subgroup may look at. All are fixed at the
#: index date, so a condition on anything later cannot be written at all.
BASELINE_COLUMNS: dict[str, Literal["number", "category"]] = {
    "age": "number",
    "sex": "category",
    "education_level": "number",
    "upper_secondary": "category",
    "diagnosis_group": "category",
    "centre": "category",
    "months_in_work_before": "number",
}


class Subgroup(BaseModel):
    """People for whom a baseline column lies in a range or in a list of values.

    Where the column is unknown the person is in neither level but in a level
    of its own, so that levels always add up to the arm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    label_other: str
    column: Literal[tuple(BASELINE_COLUMNS)]  # type: ignore[valid-type]
    at_least: float | None = None
    at_most: float | None = None
    values: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_condition(self) -> Subgroup:
        ranged = self.at_least is not None or self.at_most is not None
        if ranged == (self.values is not None):
            raise ValueError("give either a range (at_least, at_most) or a list of values, not both or neither")
        if ranged and BASELINE_COLUMNS[self.column] != "number":
            raise ValueError(f"{self.column} is not a number: give values, not a range")
        if not ranged and BASELINE_COLUMNS[self.column] == "number":
            raise ValueError(f"{self.column} is a number: give a range (at_least, at_most), not values")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is larger than at_most: nobody can be in this range")
        return self

    @property
    def rule(self) -> str:
        """The condition in words."""
        if self.values is not None:
            return f"{self.column} is {' or '.join(self.values)}"
        low = f"{self.at_least:g} <= " if self.at_least is not None else ""
        high = f" <= {self.at_most:g}" if self.at_most is not None else ""
        return f"{low}{self.column}{high}"
