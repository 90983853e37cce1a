"""What may change an effect: which level of a subgroup each person belongs to, unknown being a level of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import MISSING, Data, group_name
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.study.conditions import Subgroup, bind, subgroup_levels
from ips_outcomes.study.subgroup_checks import WHY

__all__ = ["Modifier", "Subgroups", "columns_needed", "modifiers"]

#: Subgroups as one may name them: columns that hold levels, or names with conditions.
Subgroups: TypeAlias = str | Sequence[str] | Mapping[str, Subgroup | str] | None


@dataclass(frozen=True)
class Modifier:
    """One subgroup: a level for everybody.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Known levels in the order they are shown, then "Unknown" where it is needed.
    codes : array of int
        Position of each row's level.
    reference : int
        Position of the level that others are compared with.
    """

    name: str
    levels: tuple[str, ...]
    codes: NDArray[np.int64]
    reference: int

    @property
    def known(self) -> list[int]:
        """Positions of the levels that are not unknown."""
        return [i for i, level in enumerate(self.levels) if level != MISSING]

    @property
    def compared(self) -> list[int]:
        """Positions of the known levels that are compared with the reference level."""
        return [i for i in self.known if i != self.reference]


def _asked(data: Data, subgroups: Subgroups) -> dict[str, Subgroup | str]:
    own: dict[str, Subgroup] = {} if isinstance(data, pd.DataFrame) else dict(data.study.subgroups)
    if subgroups is None:
        if not own:
            raise UnsupportedError("name the subgroups: subgroups= takes columns, or names with conditions")
        return dict(own)
    if isinstance(subgroups, Mapping):
        found: dict[str, Subgroup | str] = dict(subgroups)
    else:
        names = [subgroups] if isinstance(subgroups, str) else list(subgroups)
        found = {name: own.get(name, name) for name in names}
    if not found:
        raise UnsupportedError("subgroups= is empty: name at least one")
    # a condition may name the study's subgroups, and those beside it
    conditions = {name: given for name, given in found.items() if isinstance(given, Subgroup)}
    return {**found, **{name: given for name, given in bind({**own, **conditions}).items() if name in conditions}}


def columns_needed(data: Data, subgroups: Subgroups) -> list[str]:
    """The columns that subgroups look at: a FollowUp holds the levels of its own subgroups already."""
    needed: list[str] = []
    for name, given in _asked(data, subgroups).items():
        if isinstance(given, str):
            needed.append(given)
        elif _answered(data, name, given):
            needed.append(name)
        else:
            needed += given.columns
    if not isinstance(data, pd.DataFrame):
        later = [c for c in needed if c not in data.baseline and (c in data.person_months or c in data.first_job)]
        if later:
            raise UnsupportedError(f"{', '.join(dict.fromkeys(later))}: known only after inclusion; {WHY}")
    return list(dict.fromkeys(needed))


def _answered(data: Data, name: str, given: Subgroup) -> bool:
    """Whether the data holds the levels already: a FollowUp those of its own study."""
    return not isinstance(data, pd.DataFrame) and data.study.subgroups.get(name) == given


def modifiers(
    data: Data, table: pd.DataFrame, subgroups: Subgroups, compared_with: Mapping[str, str] | None = None
) -> list[Modifier]:  # fmt: skip
    """Levels of every row of a table that holds the columns of `columns_needed`.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        Where the study's own subgroups are found.
    table : pandas.DataFrame
    subgroups : str, list of str, dict or None
        Columns whose values are levels; a dictionary of names and conditions
        (`Subgroup`) or columns; None for all subgroups of the study.
    compared_with : dict, optional
        By subgroup, the level that others are compared with. By default the
        people outside the condition, or the subgroup's own ``reference``; of
        a column its first level.

    Raises
    ------
    UnsupportedError
        For unknown subgroups, columns and levels, and where everybody is in
        one level.

    Examples
    --------
    >>> table = pd.DataFrame({"sex": ["woman", "man", None]})
    >>> found = modifiers(table, table, "sex")[0]
    >>> found.levels, found.codes.tolist(), found.levels[found.reference]
    (('man', 'woman', 'Unknown'), [1, 0, 2], 'man')
    """
    made = []
    asked = _asked(data, subgroups)
    strange = sorted(set(compared_with or {}) - set(asked))
    if strange:
        raise UnsupportedError(f"compared_with= names {', '.join(strange)}, which is no subgroup here")
    for name, given in asked.items():
        reference = (compared_with or {}).get(name)
        if isinstance(given, str):
            labels, order = _named(table[given])
            usual = order[0] if order else MISSING
        else:
            labels = table[name].to_numpy(dtype=object) if _answered(data, name, given) else subgroup_levels(table, given)
            order = list(given.ordered(labels.tolist()))
            usual = given.reference_in(order) if len(order) > 1 and reference is None else MISSING
        order = [x for x in order if x != MISSING]
        if len(order) < 2:
            raise UnsupportedError(
                f"everybody is in one level of {name}" + (f" ({order[0]})" if order else "") + ": there is nothing to compare"
            )
        if reference is not None and reference not in order:
            raise UnsupportedError(f"{name} has no level {reference}; there are: {', '.join(order)}")
        usual = usual if usual in order else order[0]
        every = [*order, *([MISSING] if MISSING in set(labels.tolist()) else [])]
        codes = pd.Index(every).get_indexer(pd.Index(labels)).astype(np.int64)
        made.append(Modifier(name, tuple(every), codes, every.index(reference or usual)))
    return made


def _named(values: pd.Series) -> tuple[NDArray[Any], list[str]]:
    """Everybody's level by name, blank text being missing; and the levels: categories and numbers in their own order."""
    codes, found = pd.factorize(values)
    names = np.array([*(group_name(level).strip() or MISSING for level in found), MISSING], dtype=object)
    labels = np.asarray(names[codes], dtype=object)
    if isinstance(values.dtype, pd.CategoricalDtype):
        first = list(values.cat.categories)
    elif pd.api.types.is_numeric_dtype(values):
        first = sorted(found.tolist())
    else:
        first = sorted(set(names.tolist()))
    present = set(labels.tolist()) - {MISSING}
    return labels, [x for x in dict.fromkeys(str(level).strip() for level in first) if x in present]
