"""Subgroups as structured conditions on what was known at inclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.study.rules import BASELINE_COLUMNS, Condition, Limit, Rule, column_of, leaves
from ips_outcomes.study.three_valued import level_name, numbers_of

__all__ = ["BASELINE_COLUMNS", "UNKNOWN", "Condition", "Rule", "Subgroup", "bind", "leaves", "subgroup_levels"]

#: The level of people for whom a condition cannot be answered.
UNKNOWN = "Unknown"

_Rule = TypeVar("_Rule", bound=Rule)


class Subgroup(Rule):
    """Levels that everybody belongs to, by what was known at inclusion.

    Two levels, ``label`` where a condition holds and ``label_other`` where it
    does not; or bands of a number, cut at ``breaks`` (each break opens a band);
    or each value of a column (``levels = "each"``). Where a condition cannot
    be answered the person is in a level of its own, "Unknown", so that levels
    always add up to the arm.

    Parameters
    ----------
    label, label_other : str
        Names of the two levels; of bands and values ``label`` is the heading.
    column : str
        In a study file one of `BASELINE_COLUMNS`, otherwise any.
    at_least, at_most : float
        A range of the column, both ends inside.
    values : list of str (or numbers)
        Values of the column.
    any_of, all_of : list
        Members: conditions of the same keys, other subgroups (by name in a
        study, or themselves), each with ``negate`` for its opposite.
    breaks : list of float
        Rising: 18 and 31 make "Under 18", "18-30" and "31 and over".
    labels : list of str
        Own names of the bands, one more than breaks.
    levels : {"each"}
        Every value of the column is a level.
    reference : str
        Level that others are compared with: by default the people outside of
        the condition, the last band, the first value.
    prespecified : bool
        Whether the subgroup was named before anybody saw outcomes.
    expected : {"larger", "smaller", "none"}
        The effect in the first level against the others, as it was expected.
    rationale : str
        Why it was expected.

    Raises
    ------
    pydantic.ValidationError
        For conditions that cannot be.

    Examples
    --------
    >>> young = Subgroup(label="Young", label_other="Older", column="age", at_most=30)
    >>> both = Subgroup(label="Young, no school", label_other="Others",
    ...                 all_of=[young, {"column": "upper_secondary", "values": ["not_completed"]}])
    >>> both.rule
    '(age <= 30) and (upper_secondary is not_completed)'
    >>> Subgroup(column="age", breaks=[18, 31, 46]).labels
    ('Under 18', '18-30', '31-45', '46 and over')
    """

    label: str = ""
    label_other: str = ""
    breaks: tuple[Limit, ...] | None = None
    own_labels: tuple[str, ...] | None = Field(None, alias="labels")
    levels: Literal["each"] | None = None
    reference: str | None = None
    prespecified: bool | None = None
    expected: Literal["larger", "smaller", "none"] | None = None
    rationale: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Subgroup:
        if self.several:
            self._check_several()
        else:
            if sum(part is not None for part in (self.column, self.any_of, self.all_of)) != 1:
                raise ValueError(
                    'say who is in it by one of: a column (with a range, values, breaks or levels = "each"), any_of, all_of'
                )
            if self.column is not None:
                self._check_column()
            elif self.ranged or self.values is not None:
                raise ValueError("a range or values go with a column")
            if not (self.label.strip() and self.label_other.strip()):
                raise ValueError("give label and label_other: what people inside and outside of the condition are called")
            if self.own_labels is not None:
                raise ValueError("labels name the bands between breaks: here label and label_other name the levels")
        names = self.labels
        if len({name.strip() for name in names}) < len(names) or UNKNOWN in names or not all(name.strip() for name in names):
            raise ValueError(f'each level needs a name of its own, other than "{UNKNOWN}"')
        if self.reference is not None and names and self.reference not in names:
            raise ValueError(f"reference is not one of the levels: {', '.join(names)}")
        return self

    def _check_several(self) -> None:
        if self.column is None or self.ranged or self.values is not None or self.any_of or self.all_of or self.label_other:
            raise ValueError(
                "bands and values of a column are levels already: give column, and no range, values, any_of, all_of or label_other"
            )
        if self.breaks is None:
            if self.own_labels is not None:
                raise ValueError("labels name the bands between breaks: each value of a column is its own name")
            return
        if self.levels is not None:
            raise ValueError('give either breaks or levels = "each"')
        if BASELINE_COLUMNS.get(self.column) == "category":
            raise ValueError(f'{self.column} is not a number: give values, or levels = "each"')
        if any(low >= high for low, high in pairwise(self.breaks)):
            raise ValueError("breaks are written once each, in rising order")
        if self.own_labels is not None and len(self.own_labels) != len(self.breaks) + 1:
            raise ValueError(f"{len(self.breaks)} breaks make {len(self.breaks) + 1} bands: give as many labels")

    @property
    def several(self) -> bool:
        """Whether the levels are bands or values of a column, and not the two sides of a condition."""
        return self.breaks is not None or self.levels is not None

    @property
    def title(self) -> str:
        """What the subgroup is called as a whole."""
        return self.label or (self.column or "").replace("_", " ")

    @property
    def condition(self) -> Condition:
        """The condition alone, without names of levels."""
        if self.several:
            raise UnsupportedError(
                f"{self.title} has several levels: a condition needs one of them, as a range or values of its column"
            )
        made = Condition.model_construct(**{key: getattr(self, key) for key in Rule.model_fields})
        return made

    @property
    def rule(self) -> str:
        """The condition in words."""
        if self.breaks is not None:
            return f"{self.column} cut at {', '.join(f'{b:g}' for b in self.breaks)}"
        return f"each value of {self.column}" if self.levels else super().rule

    @property
    def cut(self) -> bool:
        """Whether somebody chose where to cut a number."""
        return self.breaks is not None or super().cut

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the levels in the order they are shown, unknown not among them; empty where the data decides."""
        if self.own_labels is not None:
            return self.own_labels
        if self.levels:
            return ()
        return (self.label, self.label_other) if self.breaks is None else self._bands(self.breaks)

    def _bands(self, breaks: tuple[float, ...]) -> tuple[str, ...]:
        # a study's numbers are whole: the band up to 31 ends with 30
        whole = self.column in BASELINE_COLUMNS and all(b == int(b) for b in breaks)
        between = [(f"{a:g}" if b == a + 1 else f"{a:g}-{b - 1:g}") if whole else f"{a:g} to under {b:g}"
                   for a, b in pairwise(breaks)]  # fmt: skip
        return (f"Under {breaks[0]:g}", *between, f"{breaks[-1]:g} and over")

    @property
    def reference_label(self) -> str:
        """The level that others are compared with; empty where the data decides."""
        return self.reference or (self.labels[-1] if self.labels else "")

    def ordered(self, levels: Sequence[Any]) -> tuple[str, ...]:
        """The levels that are there, in the order they are shown, unknown not among them.

        Examples
        --------
        >>> Subgroup(column="age", breaks=[18, 31]).ordered(["31 and over", "18-30", "Unknown", "18-30"])
        ('18-30', '31 and over')
        """
        present = set(levels) - {UNKNOWN}
        if self.levels:
            return tuple(sorted(present, key=_natural))
        return tuple(label for label in self.labels if label in present)

    def labels_in(self, table: pd.DataFrame) -> tuple[str, ...]:
        """The levels that somebody in a table is in, in the order they are shown."""
        return self.ordered(subgroup_levels(table, self).tolist())

    def reference_in(self, levels: Sequence[str]) -> str:
        """The level that others are compared with, of those that are there."""
        if self.reference_label in levels:
            return self.reference_label
        if self.reference is not None:
            raise UnsupportedError(f"nobody is in {self.reference}, the reference of {self.title}")
        return levels[0] if self.levels else levels[-1]


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers by size and before words."""
    number = pd.to_numeric(text, errors="coerce")
    return (0, float(number), text) if np.isfinite(number) else (1, 0.0, text)


def bind(subgroups: Mapping[str, Subgroup]) -> dict[str, Subgroup]:
    """Subgroups that know what the names of others in their conditions mean.

    A name that is unknown, that leads back to itself or that has several
    levels stays a name; answering such a condition is refused.

    Examples
    --------
    >>> young = Subgroup(label="Young", label_other="Older", column="age", at_most=30)
    >>> men = Subgroup(label="Young men", label_other="Others", all_of=["young", {"column": "sex", "values": ["man"]}])
    >>> bind({"young": young, "men": men})["men"].rule
    '(age <= 30) and (sex is man)'
    """
    found: dict[str, Condition] = {}

    def looked_up(name: str, under: tuple[str, ...]) -> Condition | None:
        other = subgroups.get(name)
        if other is None or other.several or name in under:
            return None
        if name not in found:
            found[name] = bound(other.condition, (*under, name))
        return found[name]

    def bound(rule: _Rule, under: tuple[str, ...]) -> _Rule:
        members = {key: tuple(bound(m, under) for m in part) for key in ("any_of", "all_of") if (part := getattr(rule, key))}
        new = rule.model_copy(update=members)
        if isinstance(new, Condition) and new.subgroup is not None and (meant := looked_up(new.subgroup, under)) is not None:
            new._meant = meant
        return new

    return {name: bound(subgroup, (name,)) for name, subgroup in subgroups.items()}


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
        One of the subgroup's levels, or "Unknown" where the condition cannot be answered.

    Raises
    ------
    UnsupportedError
        Where a column is not there, or does not hold what the condition asks
        for (a range of text, text of numbers).

    Examples
    --------
    >>> young = Subgroup(label="Young", label_other="Older", column="age", at_most=30)
    >>> subgroup_levels(pd.DataFrame({"age": [25, 40, None]}), young).tolist()
    ['Young', 'Older', 'Unknown']
    >>> subgroup_levels(pd.DataFrame({"age": [25, 40, None]}), Subgroup(column="age", breaks=[31])).tolist()
    ['Under 31', '31 and over', 'Unknown']
    """
    if subgroup.several:
        values = column_of(table, str(subgroup.column))
        if subgroup.breaks is None:
            codes, found = pd.factorize(values)
            names = [level_name(value) for value in found]
        else:
            numbers = numbers_of(values)
            codes, names = np.searchsorted(subgroup.breaks, numbers, side="right"), list(subgroup.labels)
            codes = np.where(np.isnan(numbers), -1, codes)
        # the last place answers for -1
        return np.array([*names, UNKNOWN], dtype=object)[codes]
    return np.array([subgroup.label_other, UNKNOWN, subgroup.label], dtype=object)[subgroup._answers(table)]
