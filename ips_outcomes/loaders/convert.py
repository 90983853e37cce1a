"""From what a file holds to typed values, as the layout says; what fails is marked, not guessed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ips_outcomes.months import NO_MONTH
from ips_outcomes.study import Column

__all__ = ["as_text", "convert"]

_FIRST_DAY, _LAST_DAY = np.datetime64("1850-01-01"), np.datetime64("2100-12-31")
_STATA_ZERO, _SPSS_ZERO = np.datetime64("1960-01-01"), np.datetime64("1582-10-14")


def as_text(values: pd.Series) -> pd.Series:
    """Text of each value, whole numbers without a decimal point, nothing as ``""``."""
    if pd.api.types.is_numeric_dtype(values):
        whole = values.notna() & (values == np.floor(values))
        text = values.astype(str)
        text[whole] = values[whole].astype("int64").astype(str)
        return text.where(values.notna(), "").astype(object)
    return values.fillna("").astype(str).str.strip().astype(object)


def convert(
    values: pd.Series, column: Column, *, file_format: str = "", decimal: str = ".",
    codes: dict[str, str] | None = None, missing: tuple[str, ...] = (),
) -> tuple[pd.Series, np.ndarray]:  # fmt: skip
    """Typed values, and where a value was there but could not be read.

    Keys, text and codes become text (None where missing), dates become
    ``datetime64[s]``, months become calendar month numbers (NO_MONTH where
    missing), numbers become floats.
    """
    if column.type == "date" and column.dates in ("stata", "native") and pd.api.types.is_numeric_dtype(values):
        return _plausible(_numeric_dates(values, column.dates, file_format), values.isna().to_numpy(), values.index)
    text = as_text(values)
    empty = (text == "") | text.isin([*column.missing, *missing])
    if column.type in ("key", "text"):
        return text.mask(empty, None), np.zeros(len(text), dtype=bool)
    if column.type == "code":
        mapping = codes if codes is not None else column.codes
        if not mapping:
            return text.mask(empty, None), np.zeros(len(text), dtype=bool)
        translated = text.map(mapping).astype(object)
        bad = translated.isna() & ~empty
        return translated.where(translated.notna(), None), bad.to_numpy()
    if column.type in ("number", "integer"):
        numbers = _numbers(values, text, empty, decimal)
        bad = numbers.isna() & ~empty
        if column.type == "integer":
            bad |= numbers.notna() & (numbers != np.floor(numbers))
            numbers = numbers.mask(bad)
        return numbers, bad.to_numpy()
    if column.type == "month":
        days = _from_digits(text, "yyyymm_first")
        bad = np.isnat(days) & ~empty.to_numpy()
        numbers = days.astype("datetime64[M]").astype(np.int64)
        return pd.Series(np.where(np.isnat(days), NO_MONTH, numbers), index=values.index), bad
    return _plausible(_dates(text, column.dates), empty.to_numpy(), values.index)


def _plausible(days: np.ndarray, empty: np.ndarray, index: pd.Index) -> tuple[pd.Series, np.ndarray]:
    """Dates between 1850 and 2100, and where something was written that is none."""
    days[empty] = np.datetime64("NaT")
    days[(days < _FIRST_DAY) | (days > _LAST_DAY)] = np.datetime64("NaT")
    return pd.Series(days.astype("datetime64[s]"), index=index), np.isnat(days) & ~empty


def _numbers(values: pd.Series, text: pd.Series, empty: pd.Series, decimal: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float).mask(empty)
    # A blank, a no-break space or the other mark may group thousands, and only thousands: where decimals are
    # written with a comma, 1.234 is a thousand and more, and 8.5 is not a number at all.
    mark, group = re.escape(decimal), re.escape("." if decimal == "," else ",")
    whole = rf"[+-]?(?:\d+|\d{{1,3}}(?:[\s\u00a0\u202f]\d{{3}})+|\d{{1,3}}(?:{group}\d{{3}})+)"
    written = text.str.fullmatch(rf"{whole}(?:{mark}\d+)?")
    plain = text.where(written).str.replace(rf"[\s\u00a0\u202f]|{group}", "", regex=True)
    return pd.to_numeric(plain.str.replace(decimal, ".", regex=False).mask(empty), errors="coerce")


def _numeric_dates(values: pd.Series, dates: str, file_format: str) -> np.ndarray:
    raw = values.to_numpy(dtype=float)
    known = np.isfinite(raw) & (np.abs(raw) < 1e15)
    whole = np.where(known, raw, 0)
    if dates == "native" and not file_format.startswith("%"):
        days = _SPSS_ZERO + (whole // 86_400).astype("timedelta64[D]")
    elif file_format.startswith(("%tc", "%-tc")):
        days = _STATA_ZERO + (whole // 86_400_000).astype("timedelta64[D]")
    else:
        days = _STATA_ZERO + np.clip(whole, -(10**6), 10**6).astype("timedelta64[D]")
    return np.where(known, days, np.datetime64("NaT", "D"))


def _dates(text: pd.Series, dates: str) -> np.ndarray:
    if dates in ("yyyymmdd", "yyyymm_first", "yyyymm_last"):
        return _from_digits(text, dates)
    # text in a file whose layout expects a date type of its own is read as ISO
    return pd.to_datetime(text.mask(text == ""), format="%Y-%m-%d", errors="coerce").to_numpy().astype("datetime64[D]")


def _from_digits(text: pd.Series, dates: str) -> np.ndarray:
    if dates == "yyyymmdd":
        parsed = pd.to_datetime(text.where(text.str.fullmatch(r"\d{8}")), format="%Y%m%d", errors="coerce")
        return parsed.to_numpy().astype("datetime64[D]")
    parsed = pd.to_datetime(text.where(text.str.fullmatch(r"\d{6}")), format="%Y%m", errors="coerce")
    months = parsed.to_numpy().astype("datetime64[M]")
    if dates == "yyyymm_last":
        return (months + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    return months.astype("datetime64[D]")
