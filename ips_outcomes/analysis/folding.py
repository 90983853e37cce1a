"""Rows to patterns: one pass over the people, whole-number codes, no sorting of rows.

People who share group, entry, time, event (and cluster) are one pattern with
the sum of their weights and of their squared weights. That is all that point
estimates and errors of time to event need, so a nation's rows become a few
hundred patterns, and collapsed counts are patterns already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import group_name, require
from ips_outcomes.errors import UnsupportedError

__all__ = ["Group", "Patterns", "WeightType", "folded", "group_codes", "row_weights", "whole_numbers"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
WeightType = Literal["frequency", "probability"]

#: Rows read at a time, so that what is computed from them stays in the processor's cache.
_CHUNK = 1 << 14
#: Above this the code of a pattern could overflow 64 bits.
_LARGEST = 1 << 62


@dataclass(frozen=True)
class Patterns:
    """People who share entry, time, event and cluster, counted together."""

    entry: Ints
    """Time after which they are at risk; -1 from the start, time 0 included."""
    time: Ints
    event: Ints
    count: Floats
    """Rows."""
    mass: Floats
    """Sum of weights."""
    square: Floats
    """What a squared influence is multiplied by: the number of people, or the sum of squared probability weights."""
    cluster: Ints | None = None

    @staticmethod
    def empty() -> Patterns:
        """Nobody."""
        whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Patterns(whole, whole, whole, real, real, real)


@dataclass(frozen=True)
class Group:
    """One group of people: its name, its levels by column, and its patterns."""

    name: str
    levels: dict[str, Any]
    people: Patterns
    n: int
    """People: the sum of frequencies, otherwise rows."""


def whole_numbers(values: pd.Series, name: str, what: str = "times are whole months and events whole codes") -> Ints:
    """Whole numbers from zero, or an error that counts what is not."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iub":
        numbers = values.to_numpy()
        if numbers.dtype.kind == "b":
            return numbers.view(np.int8)
        if not len(numbers) or (numbers.min() >= 0 and int(numbers.max()) < _LARGEST):
            return numbers.astype(np.int64) if numbers.dtype == np.uint64 else numbers
        bad = (numbers < 0) | (numbers >= _LARGEST)
    else:
        real = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = ~((real >= 0) & (real == np.floor(real)) & (real < float(_LARGEST)))
        numbers = np.where(bad, 0, real).astype(np.int64)
    if bad.any():
        raise UnsupportedError(f"{int(bad.sum())} values of {name} are missing, negative or not whole: {what}")
    return numbers


def group_codes(table: pd.DataFrame, columns: Sequence[str]) -> tuple[Ints, list[tuple[Any, ...]]]:
    """A code a row, and the levels of each code: in order of the levels, a missing level last, unused ones not listed."""
    if not columns:
        return np.zeros(len(table), dtype=np.int8), [()]
    parts: list[tuple[Ints, list[Any]]] = []
    for column in columns:
        values = table[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            codes, levels = values.cat.codes.to_numpy(), values.cat.categories.tolist()
        else:
            codes, found = pd.factorize(values, sort=True)
            levels = pd.Index(found).tolist()
        if len(codes) and codes.min() < 0:
            named = [group_name(level) for level in levels]
            unknown = named.index("Unknown") if "Unknown" in named else len(levels)
            levels = levels if unknown < len(levels) else [*levels, None]
            codes = np.where(codes < 0, unknown, codes)
        parts.append((codes, levels))
    codes, levels = parts[0]
    keys: list[tuple[Any, ...]] = [(level,) for level in levels]
    for more, added in parts[1:]:
        codes = codes.astype(np.int64) * len(added) + more
        used, codes = np.unique(codes, return_inverse=True)
        keys = [(*keys[int(u) // len(added)], added[int(u) % len(added)]) for u in used]
    return codes, keys


def row_weights(values: pd.Series, name: str, weight_type: WeightType) -> Floats:
    """Weights from zero, whole where they are frequencies, or an error that counts what is not."""
    weight = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = ~((weight >= 0) & np.isfinite(weight))
    if bad.any():
        raise UnsupportedError(
            f"{int(bad.sum())} weights are missing, negative or infinite: weights are numbers from zero ({name})"
        )
    if weight_type == "frequency" and (weight != np.floor(weight)).any():
        raise UnsupportedError('frequency weights are whole numbers; say weight_type="probability" for others')
    return weight


@dataclass(frozen=True)
class _Cells:
    """Patterns over all groups: their codes by column, and sums."""

    codes: list[Ints]
    count: Floats
    sums: list[Floats]


def _dense(columns: list[Ints], shape: list[int], weights: list[Floats]) -> _Cells:
    """Count into a table that holds every possible pattern."""
    size, rows = int(np.prod(shape)), len(columns[0])
    totals = [np.zeros(size) for _ in range(1 + len(weights))]
    space = np.empty(min(rows, _CHUNK), dtype=np.int64)
    for start in range(0, rows, _CHUNK):
        stop = min(start + _CHUNK, rows)
        key = space[: stop - start]
        np.multiply(columns[0][start:stop], shape[1], out=key, dtype=np.int64)
        key += columns[1][start:stop]
        for column, levels in zip(columns[2:], shape[2:], strict=True):
            key *= levels
            key += column[start:stop]
        totals[0] += np.bincount(key, minlength=size)
        for total, weight in zip(totals[1:], weights, strict=True):
            total += np.bincount(key, weights=weight[start:stop], minlength=size)
    cells = np.flatnonzero(totals[0])
    codes = [c.astype(np.int64) for c in np.unravel_index(cells, shape)]
    return _Cells(codes, totals[0][cells], [total[cells] for total in totals[1:]])


def _sparse(columns: list[Ints], shape: list[int], weights: list[Floats]) -> _Cells:
    """Count only the patterns that are there, through a hash table of their codes."""
    key, size = columns[0].astype(np.int64), shape[0]
    for column, levels in zip(columns[1:], shape[1:], strict=True):
        if size * levels >= _LARGEST:
            key, used = pd.factorize(key, sort=True)
            size = len(used)
        if size * levels >= _LARGEST:
            column, used = pd.factorize(column, sort=True)
            levels = len(used)
        key = key * levels + column
        size *= levels
    found, distinct = pd.factorize(key)
    order = np.argsort(distinct)
    first = np.empty(len(distinct), dtype=np.int64)
    first[found[::-1]] = np.arange(len(found))[::-1]
    first = first[order]
    sums = [np.bincount(found, weights=w, minlength=len(distinct))[order].astype(np.float64) for w in weights]
    count = np.bincount(found, minlength=len(distinct))[order].astype(float)
    return _Cells([c[first].astype(np.int64) for c in columns], count, sums)


def folded(
    table: pd.DataFrame, groups: Sequence[str], time: str, event: str, *, entry: str | None = None,
    weights: str | None = None, weight_type: WeightType = "frequency", cluster: str | None = None,
) -> list[Group]:  # fmt: skip
    """Check the rows and fold them, group by group.

    Raises
    ------
    UnsupportedError
        For columns that are not there, missing, negative or fractional times,
        events that are not whole numbers from 0, an entry not before its
        time, weights that are not allowed, and a missing cluster.
    """
    wanted = [time, event, *groups, *(c for c in (entry, weights, cluster) if c)]
    require(table, wanted)
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    frequency = weights is not None and weight_type == "frequency"
    if frequency and len(table) and (table[weights] == 0).any():
        # a row that stands for nobody is not there
        row_weights(table[weights], str(weights), weight_type)
        table = table[table[weights] != 0]
    times, events = whole_numbers(table[time], time), whole_numbers(table[event], event)
    codes, keys = group_codes(table, groups)
    if not len(times):
        return []
    last, codes_of_event = int(times.max()), int(events.max()) + 1
    columns, shape = [codes, times, events], [len(keys), last + 1, codes_of_event]
    if entry:
        entries = whole_numbers(table[entry], entry)
        late = entries >= times
        if late.any():
            raise UnsupportedError(f"{int(late.sum())} rows enter at or after the end of their time ({entry}, {time})")
        columns, shape = [codes, entries, times, events], [len(keys), int(entries.max()) + 1, last + 1, codes_of_event]
    clusters = None
    if cluster:
        clusters, names = pd.factorize(table[cluster])
        if (clusters < 0).any():
            raise UnsupportedError(f"{int((clusters < 0).sum())} rows have no cluster ({cluster})")
        columns, shape = [columns[0], clusters, *columns[1:]], [shape[0], len(names), *shape[1:]]
    weight = [] if weights is None else [row_weights(table[weights], weights, weight_type)]
    if weight and weight_type == "probability":
        weight.append(weight[0] ** 2)
    size = 1
    for levels in shape:
        size *= levels
    cells = (_dense if size <= max(2 * len(times), 1 << 18) else _sparse)(columns, shape, weight)
    mass = cells.sums[0] if weight else cells.count
    square = cells.sums[-1] if weight else cells.count
    ends = np.searchsorted(cells.codes[0], np.arange(len(keys) + 1))
    found = []
    for i, key in enumerate(keys):
        part = slice(int(ends[i]), int(ends[i + 1]))
        if part.start == part.stop:
            continue
        entering = cells.codes[-3][part] if entry else np.full(part.stop - part.start, -1, dtype=np.int64)
        people = Patterns(
            entering, cells.codes[-2][part], cells.codes[-1][part], cells.count[part], mass[part], square[part],
            cells.codes[1][part] if cluster else None,
        )  # fmt: skip
        n = round(float((people.mass if frequency else people.count).sum()))
        name = group_name(key if len(key) > 1 else key[0]) if key else "all"
        found.append(Group(name, dict(zip(groups, key, strict=True)), people, n))
    return found
