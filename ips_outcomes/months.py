"""Calendar months as plain integers.

A calendar month is the number of months since January 1970, the same integer
that NumPy keeps inside ``datetime64[M]``. Differences are then follow-up
months, exactly, with no day counts and no rounding.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_MONTH", "calendar_month", "day_in_month", "month_label", "month_labels", "month_number", "parse_month"]

#: Stands for "no month" in integer arrays; far outside any register.
NO_MONTH = -(10**6)

_MONTH_TEXT = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")


_Whole = TypeVar("_Whole", int, NDArray[np.int64])


def calendar_month(year: _Whole, month: _Whole) -> _Whole:
    """Calendar month number of a year and a month of it, 1 to 12.

    Examples
    --------
    >>> calendar_month(2015, 1)
    540
    """
    return (year - 1970) * 12 + month - 1


def parse_month(text: str) -> int:
    """Calendar month number of a text such as ``"2015-01"``.

    Raises
    ------
    ValueError
        If the text is not a year and a month joined by a hyphen.

    Examples
    --------
    >>> parse_month("2015-01")
    540
    """
    match = _MONTH_TEXT.match(text)
    if match is None:
        raise ValueError('a month is written as year and month, such as "2015-01"')
    return calendar_month(int(match[1]), int(match[2]))


def month_label(number: int) -> str:
    """Text of a calendar month number.

    Examples
    --------
    >>> month_label(540)
    '2015-01'
    """
    return f"{1970 + number // 12:04d}-{number % 12 + 1:02d}"


def month_labels(numbers: NDArray[np.int64]) -> NDArray[np.str_]:
    """Texts of many calendar month numbers at once."""
    return np.datetime_as_string(np.asarray(numbers).astype("datetime64[M]"))


def month_number(dates: Any) -> NDArray[np.int64]:
    """Calendar month number of each date; missing dates give `NO_MONTH`."""
    values = np.asarray(dates, dtype="datetime64[D]")
    numbers = values.astype("datetime64[M]").astype(np.int64)
    return np.where(np.isnat(values), NO_MONTH, numbers)


def day_in_month(numbers: Any, day: int) -> NDArray[np.datetime64]:
    """The date of one day, 1 to 28, in each calendar month."""
    months: NDArray[np.datetime64] = np.asarray(numbers, dtype=np.int64).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[D]") + np.timedelta64(day - 1, "D"), dtype="datetime64[D]")
