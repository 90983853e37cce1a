"""From data to people: one row a person with arm, levels, covariates and clusters, and outcomes beside them by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import Data, as_list, require, with_arm
from ips_outcomes.analysis.modifiers import Modifier, Subgroups, columns_needed, modifiers
from ips_outcomes.errors import UnsupportedError

__all__ = ["People", "covariate_columns", "once", "people_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """Everybody who has an arm.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a person: arm, covariates, clusters.
    ids : pandas.Index
        What names a person in the data: a key, or the row's number.
    arms : tuple of str
        The reference first.
    modifiers : list of Modifier
    cluster : array of int, optional
    month : str, optional
        The month column, where the data has one row a person and month.
    person_id : str
    kept : array of bool
        Rows of the data that have an arm, where a row is a person.
    notes : tuple of str
    """

    table: pd.DataFrame
    ids: pd.Index
    arm: NDArray[np.object_]
    arms: tuple[str, ...]
    modifiers: list[Modifier]
    cluster: Ints | None
    month: str | None
    person_id: str
    kept: NDArray[np.bool_]
    notes: tuple[str, ...]

    @property
    def number(self) -> int:
        """How many people there are."""
        return len(self.table)


def people_of(
    data: Data, subgroups: Subgroups, arm: str, reference: str | None, adjust: Sequence[str], cluster: str | None,
    month: str | None, person_id: str, compared_with: dict[str, str] | None, times: Sequence[str] = (),
) -> People:  # fmt: skip
    """One row a person, checked.

    Raises
    ------
    UnsupportedError
        For unknown columns or reference, one arm only, and subgroups, arms,
        covariates or clusters that change within a person: those are not
        what was known at inclusion.
    """
    needed = [arm, *columns_needed(data, subgroups), *adjust, *as_list(cluster)]
    if isinstance(data, pd.DataFrame):
        table = data
        month = month or ("month" if "month" in table.columns else None)
        require(table, [*needed, *times, *([month, person_id] if month else [])])
        kept = table[arm].notna().to_numpy()
        table, notes = with_arm(table, arm)
        if month:
            table = once(table, person_id, list(dict.fromkeys(needed)))
        ids = pd.Index(table[person_id]) if month else pd.RangeIndex(len(table))
    else:
        table = data.at_risk if times else data.baseline
        require(table, needed)
        kept = table[arm].notna().to_numpy()
        table, notes = with_arm(table, arm)
        month, person_id, ids = "month", "person_id", pd.Index(table["person_id"])
        reference = data.study.reference if reference is None else reference
    arms = sorted(table[arm].unique())
    if reference is None or str(reference) not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    if len(arms) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    table = table.reset_index(drop=True)
    found = modifiers(data, table, subgroups, compared_with)
    codes = None
    if cluster is not None and cluster != person_id:
        if table[cluster].isna().any():
            raise UnsupportedError(f"{int(table[cluster].isna().sum())} people have no {cluster}: clusters need everybody's")
        codes = pd.factorize(table[cluster], sort=True)[0].astype(np.int64)
    order = (str(reference), *(a for a in arms if a != str(reference)))
    return People(table, ids, table[arm].to_numpy(dtype=object), order, found, codes, month, person_id, kept, notes)  # fmt: skip


def once(table: pd.DataFrame, person_id: str, columns: list[str]) -> pd.DataFrame:
    """The first row of each person; what belongs to a person must not change between months."""
    if table[person_id].isna().any():
        raise UnsupportedError(f"{int(table[person_id].isna().sum())} rows have no {person_id}")
    person = pd.factorize(table[person_id])[0]
    first = np.unique(person, return_index=True)[1]
    for column in columns:
        values = pd.factorize(table[column])[0]
        changing = len(np.unique(person[values != values[first][person]]))
        if changing:
            raise UnsupportedError(
                f"{column} changes over the months of {changing} people: subgroups, arms, covariates and clusters are what was "
                "known at inclusion; a condition on anything later would compare people whom the arm itself has sorted"
            )
    return table.iloc[first]


def covariate_columns(table: pd.DataFrame, names: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
    """Numbers as they are, categories as indicators; and which rows know them all."""
    known = table[list(names)].notna().all(axis=1).to_numpy() if len(names) else np.ones(len(table), dtype=bool)
    columns: list[Floats] = []
    for name in names:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            if not np.isfinite(numbers[known]).all():
                raise UnsupportedError(f"{int((~np.isfinite(numbers[known])).sum())} values of {name} are not finite")
            if known.any() and numbers[known].min() == numbers[known].max():
                raise UnsupportedError(f"{name} is constant: leave it out of adjust=")
            columns.append(np.where(known, numbers, 0.0))
        else:
            text = values.astype(str)
            levels = sorted(set(text[known]))
            if len(levels) < 2:
                raise UnsupportedError(f"{name} has one level only: leave it out of adjust=")
            columns += [(text == level).to_numpy(dtype=float) for level in levels[1:]]
    return (np.column_stack(columns) if columns else np.zeros((len(table), 0))), known
