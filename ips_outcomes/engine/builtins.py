"""Functions that the engines have and Ibis lacks, declared by name; imported only once an engine is open."""

from __future__ import annotations

import datetime

import ibis

__all__ = ["add", "bit_or", "btrim", "char", "date_add", "parse_filename", "trim"]


@ibis.udf.agg.builtin(name="bit_or")
def bit_or(word: int) -> int:  # type: ignore[empty-body]
    """Union of words over rows (both); Ibis 12 has no Spark rule for its own."""


@ibis.udf.scalar.builtin(name="parse_filename")
def parse_filename(path: str) -> str:  # type: ignore[empty-body]
    """The last part of a path (DuckDB)."""


@ibis.udf.scalar.builtin(name="trim")
def trim(text: str, marks: str) -> str:  # type: ignore[empty-body]
    """Text without the marks at its ends (DuckDB)."""


@ibis.udf.scalar.builtin(name="btrim")
def btrim(text: str, marks: str) -> str:  # type: ignore[empty-body]
    """Text without the marks at its ends (Spark)."""


@ibis.udf.scalar.builtin(name="add")
def add(day: datetime.date, days: int) -> datetime.date:  # type: ignore[empty-body]
    """A date some days later (DuckDB)."""


@ibis.udf.scalar.builtin(name="date_add")
def date_add(day: datetime.date, days: int) -> datetime.date:  # type: ignore[empty-body]
    """A date some days later (Spark)."""


@ibis.udf.scalar.builtin(name="char")
def char(number: int) -> str:  # type: ignore[empty-body]
    """The mark of a number (Spark)."""
