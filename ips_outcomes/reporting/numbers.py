"""The one place for rounding and number format."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

__all__ = ["count", "decimal", "estimate_with_interval", "interval", "p_value", "percent", "points", "ratio"]

#: What stands where there is nothing to show.
NOTHING = "–"
_NARROW = "\u202f"
_MINUS = "\u2212"


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) or bool(pd.isna(value))


def decimal(value: Any, digits: int = 1) -> str:
    """A number with fixed digits, a real minus sign, and no minus zero.

    Examples
    --------
    >>> decimal(-0.04), decimal(12.345, 2)
    ('0.0', '12.35')
    """
    if _missing(value):
        return NOTHING
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else _MINUS + "∞"
    # halves go away from zero, as a reader with a pencil would round
    scaled = math.floor(abs(value) * 10**digits + 0.5 + 1e-9) / 10**digits
    text = f"{scaled:,.{digits}f}".replace(",", _NARROW)
    return _MINUS + text if value < 0 and scaled > 0 else text


def count(value: Any) -> str:
    """A count of people or rows."""
    return NOTHING if _missing(value) else f"{int(value):,}".replace(",", _NARROW)


def percent(value: Any, digits: int = 1) -> str:
    """A proportion as per cent.

    Examples
    --------
    >>> percent(0.366)
    '36.6\u202f%'
    """
    return NOTHING if _missing(value) else decimal(float(value) * 100, digits) + _NARROW + "%"


def points(value: Any, digits: int = 1) -> str:
    """A difference of proportions in percentage points."""
    return NOTHING if _missing(value) else decimal(float(value) * 100, digits)


def ratio(value: Any) -> str:
    """A ratio with two digits."""
    return decimal(value, 2)


def p_value(value: Any) -> str:
    """A p-value: three digits, never zero.

    Examples
    --------
    >>> p_value(0.0004), p_value(0.0321)
    ('<0.001', '0.032')
    """
    if _missing(value):
        return NOTHING
    return "<0.001" if float(value) < 0.001 else decimal(value, 3)


def interval(low: Any, high: Any, style: Any) -> str:
    """Two limits in one style, joined by a word that a minus sign cannot be confused with."""
    if _missing(low) or _missing(high):
        return NOTHING
    return f"{style(low)} to {style(high)}"


def estimate_with_interval(row: Any, style: Any) -> str:
    """An estimate with its interval in brackets."""
    if _missing(row["estimate"]):
        return NOTHING
    # the sign of per cent stands once, at the estimate
    bare = points if style is percent else style
    limits = interval(row["conf_low"], row["conf_high"], bare)
    return style(row["estimate"]) + (f" ({limits})" if limits != NOTHING else "")
