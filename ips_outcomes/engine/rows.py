"""Small expressions over rows, so that no other room needs Ibis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["earlier", "first_true", "later"]

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
