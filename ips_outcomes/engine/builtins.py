"""What the engines have and Ibis lacks, declared by name; imported only once an engine is open."""

from __future__ import annotations

import ibis

__all__ = ["bit_or"]


@ibis.udf.agg.builtin(name="bit_or")
def bit_or(word: int) -> int:  # type: ignore[empty-body]
    """Union of words over rows (both); Ibis 12 has no Spark rule for its own."""
