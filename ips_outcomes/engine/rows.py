"""Small expressions over rows, so that no other room needs Ibis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["day_of_month", "earlier", "first_true", "later", "never"]

Value = Any


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


def day_of_month(month: Value, day: int) -> Value:
    """The date of a day in calendar months counted from January 1970."""
    import ibis

    # whole division and remainder differ between engines below 0; from year 0 on there is nothing below it
    months = month + 12 * 1970
    return ibis.date((months // 12).cast("int32"), (months % 12 + 1).cast("int32"), ibis.literal(day, "int32"))


def never() -> Value:
    """A condition that no row meets."""
    import ibis

    return ibis.literal(False)
