"""From a table and a formula to what a Cox model is fitted on, every row checked or counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.design_matrix import Design, design
from ips_outcomes.analysis.folding import WeightType, row_weights, whole_numbers
from ips_outcomes.analysis.inputs import Data, as_list, group_name, require, times_table
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup import FollowUp

__all__ = ["Prepared", "check_levels", "check_ties", "prepared", "references"]


@dataclass(frozen=True)
class Prepared:
    """Checked columns of the rows in use; the design's matrix is centred and scaled."""

    design: Design
    time: NDArray[np.int64]
    entry: NDArray[np.int64] | None
    event: NDArray[np.int64]
    weight: NDArray[np.float64]
    stratum: NDArray[np.int64]
    strata: tuple[str, ...]
    cluster: NDArray[np.int64] | None
    clusters: int
    frequency: bool
    notes: tuple[str, ...]
    rows: NDArray[np.int64]
    """Where each row in use stands in the table."""

    @property
    def people(self) -> NDArray[np.float64]:
        """How many people each row stands for."""
        return self.weight if self.frequency else np.ones(len(self.weight))


def references(data: Data, arm: str = "arm") -> dict[str, Any]:
    """A FollowUp knows its reference arm."""
    return {arm: data.study.reference} if isinstance(data, FollowUp) and data.study.reference is not None else {}


def prepared(
    data: Data, formula: str, time: str, event: str, entry: str | None, strata: str | Sequence[str] | None,
    cluster: str | None, weights: str | None, weight_type: WeightType,
) -> Prepared:  # fmt: skip
    """Check everything that a Cox model is told."""
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    if weights is None and weight_type == "probability":
        raise UnsupportedError("probability weights need the name of their column: weights=")
    table = times_table(data)
    by = as_list(strata)
    require(table, [c for c in (time, event, entry, *by, cluster, weights) if c])
    notes: list[str] = []
    keep = np.ones(len(table), dtype=bool)
    weight = np.ones(len(table))
    if weights:
        weight = row_weights(table[weights], weights, weight_type)
        keep &= weight > 0
        if not keep.all():
            notes.append(f"{int((~keep).sum())} rows left out: {weights} is zero")
    if cluster:
        unknown = table[cluster].isna().to_numpy() & keep
        if unknown.any():
            notes.append(f"{int(unknown.sum())} rows left out: {cluster} is missing")
            keep &= ~unknown
    if not keep.all():
        table, weight = table[keep], weight[keep]
    if not len(table):
        raise UnsupportedError("the data has no rows")
    found = design(table, formula, references(data))
    rows = np.flatnonzero(keep)
    if not found.used.all():
        table, weight, rows = table[found.used], weight[found.used], rows[found.used]
    times = whole_numbers(table[time], time, "times are whole months (or days)").astype(np.int64)
    events = whole_numbers(table[event], event, "0 is censored, 1 the event, 2 and up competing events").astype(np.int64)
    entries = whole_numbers(table[entry], entry, "times are whole months (or days)").astype(np.int64) if entry else None
    if entries is not None and (entries >= times).any():
        raise UnsupportedError(f"{int((entries >= times).sum())} rows enter at or after the end of their time ({entry}, {time})")
    stratum = np.zeros(len(table), dtype=np.int64)
    names: tuple[str, ...] = ()
    if by:
        keys = pd.MultiIndex.from_frame(table[by]) if len(by) > 1 else table[by[0]]
        codes, levels = pd.factorize(keys, use_na_sentinel=False, sort=False)
        labels = [group_name(level) for level in levels]
        ranks = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        stratum, names = ranks[codes].astype(np.int64), tuple(sorted(labels))
    codes, number = None, 0
    if cluster:
        codes, levels = pd.factorize(table[cluster])
        codes, number = codes.astype(np.int64), len(levels)
        if number < 2:
            raise UnsupportedError(f"{cluster} has one level only: cluster errors need at least two clusters")
    if weight_type == "probability":
        # the coefficients do not know the weights' unit, but rules for stopping do
        weight = weight / weight.mean()
    return Prepared(found, times, entries, events, weight, stratum, names, codes, number,
                    weight_type == "frequency", (*notes, *found.notes), rows)  # fmt: skip


def check_ties(ties: str) -> None:
    """Tied times are handled in two ways here."""
    if ties not in ("efron", "breslow"):
        raise UnsupportedError('ties is "efron" or "breslow"')


def check_levels(people: Prepared, happened: NDArray[np.bool_], advice: str) -> None:
    """A level of a category without any event is said in the field's words before the likelihood runs away."""
    design = people.design
    single = [i for i, c in enumerate(design.contrasts) if c]
    for term in dict.fromkeys(design.terms[i] for i in single):
        columns = [i for i in single if design.terms[i] == term]
        # indicators were centred and scaled, so the upper of two values is the level
        levels = design.matrix[:, columns] > 0
        if not ((levels.sum(axis=1) <= 1).all()):
            continue
        empty = [
            design.levels[i] for i, some in zip(columns, np.atleast_1d(levels[happened].any(axis=0)), strict=True) if not some
        ]
        if (levels[happened].sum(axis=1) > 0).all():
            empty.insert(0, design.contrasts[columns[0]].rsplit(" / ", 1)[-1])
        if empty:
            raise UnsupportedError(f"no event in {', '.join(empty)} ({term}): the hazard ratio is zero or infinite; {advice}")
