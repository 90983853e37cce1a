"""Small expressions over rows, so that no other room needs Ibis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ips_outcomes.study import Column

__all__ = ["earlier", "first_true", "later", "missing_column", "never", "stacked"]

Table = Any
Value = Any


def stacked(parts: Sequence[Table]) -> Table:
    """Tables under one another, in the columns that the first has."""
    table = parts[0]
    for part in parts[1:]:
        table = table.union(part.select(table.columns))
    return table


def first_true(conditions: Sequence[Value]) -> Value:
    """The number, from 1, of the first condition that is true in a row; 0 where none is."""
    import ibis

    branches = [(condition, number) for number, condition in enumerate(conditions, start=1)]
    return ibis.cases(*branches, else_=0) if branches else ibis.literal(0)


def later(one: Value, other: Value) -> Value:
    """The larger of two values in each row."""
    import ibis

    return ibis.greatest(one, other)


def earlier(one: Value, other: Value) -> Value:
    """The smaller of two values in each row."""
    import ibis

    return ibis.least(one, other)


def never() -> Value:
    """False in every row."""
    import ibis

    return ibis.literal(False)


def missing_column(spec: Column) -> Value:
    """Nothing in every row, in the type that a column of a layout is given."""
    import ibis

    kinds = {"date": "date", "month": "int64", "number": "float64", "integer": "float64"}
    return ibis.null(kinds.get(spec.type, "string"))
