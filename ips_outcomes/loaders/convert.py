"""From what a file holds to typed values, as the layout says; what fails is marked, not guessed."""

from __future__ import annotations

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
    days = _dates(values, text, column.dates, file_format)
    days[empty.to_numpy()] = np.datetime64("NaT")
    implausible = (days < _FIRST_DAY) | (days > _LAST_DAY)
    days[implausible] = np.datetime64("NaT")
    bad = np.isnat(days) & ~empty.to_numpy()
    return pd.Series(days.astype("datetime64[s]"), index=values.index), bad


def _numbers(values: pd.Series, text: pd.Series, empty: pd.Series, decimal: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float).mask(empty)
    group = "." if decimal == "," else ","
    # a blank, a no-break space and the other mark group thousands
    plain = text.str.replace("[\\s\u00a0]", "", regex=True).str.replace(group, "", regex=False)
    return pd.to_numeric(plain.str.replace(decimal, ".", regex=False).mask(empty), errors="coerce")


def _dates(values: pd.Series, text: pd.Series, dates: str, file_format: str) -> np.ndarray:
    if dates in ("stata", "native") and pd.api.types.is_numeric_dtype(values):
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
