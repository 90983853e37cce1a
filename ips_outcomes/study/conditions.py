"""Subgroups as structured conditions on what was known at inclusion."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BASELINE_COLUMNS", "UNKNOWN", "Subgroup", "subgroup_levels"]

#: The level of people for whom a condition cannot be answered.
UNKNOWN = "Unknown"

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

    @property
    def columns(self) -> tuple[str, ...]:
        """The baseline columns that the condition looks at."""
        return (self.column,)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the levels in the order they are shown, unknown not among them."""
        return (self.label, self.label_other)

    @property
    def reference_label(self) -> str:
        """The level that others are compared with."""
        return self.label_other


def subgroup_levels(table: pd.DataFrame, subgroup: Subgroup) -> NDArray[Any]:
    """The level of each row of a table that has the condition's columns.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a person, with the columns of ``subgroup.columns``.
    subgroup : Subgroup

    Returns
    -------
    array of str
        One of ``subgroup.labels``, or "Unknown" where the condition cannot be answered.

    Examples
    --------
    >>> young = Subgroup(label="Young", label_other="Older", column="age", at_most=30)
    >>> subgroup_levels(pd.DataFrame({"age": [25, 40, None]}), young).tolist()
    ['Young', 'Older', 'Unknown']
    """
    values = table[subgroup.column]
    if subgroup.values is not None:
        member = values.isin(subgroup.values)
    else:
        numbers = values.astype("Float64").fillna(np.nan).to_numpy(dtype=float)
        low = -np.inf if subgroup.at_least is None else subgroup.at_least
        high = np.inf if subgroup.at_most is None else subgroup.at_most
        member = pd.Series((numbers >= low) & (numbers <= high), index=values.index)
    return np.where(values.isna(), UNKNOWN, np.where(member, subgroup.label, subgroup.label_other)).astype(object)
