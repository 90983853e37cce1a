"""From what a file holds to typed values, as the layout says; what fails is marked, not guessed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ips_outcomes.loaders.dates import days_of
from ips_outcomes.months import NO_MONTH
from ips_outcomes.study import Column

__all__ = ["NEVER", "as_key", "as_text", "convert", "tidied"]

#: A whole number that a program wrote with a point.
_POINT_ZERO = re.compile(r"^(-?\d+)\.0+$")

#: Ends that stand for "goes on", in every way that the kinds of dates are written.
NEVER = ("9999-12-31", "99991231", "31.12.9999", "31129999", "999912", "9999")

_FIRST_DAY, _LAST_DAY = np.datetime64("1850-01-01"), np.datetime64("2100-12-31")


#: Of more values than this, each different one is written once.
_MANY = 1_000


def as_text(values: pd.Series) -> pd.Series:
    """Text of each value, whole numbers without a decimal point, days as ISO, nothing as ``""``."""
    if len(values) > _MANY and values.dtype != object:
        codes, distinct = pd.factorize(values, use_na_sentinel=False)
        return pd.Series(_written(pd.Series(distinct)).to_numpy()[codes], index=values.index, dtype=object)
    return _written(values)


def _written(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values):
        days = np.datetime_as_string(values.to_numpy().astype("datetime64[D]"))
        return pd.Series(np.where(values.isna(), "", days), index=values.index, dtype=object)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy()
        known = values.notna().to_numpy()
        whole = known & np.isfinite(np.where(known, numbers, 0)) & (np.abs(np.where(known, numbers, 0)) < 2.0**63)
        whole &= np.where(whole, numbers, 0) == np.floor(np.where(whole, numbers, 0))
        text = np.full(len(values), "", dtype=object)
        text[whole] = numbers[whole].astype(np.int64).astype(str)
        text[known & ~whole] = numbers[known & ~whole].astype(str)
        return pd.Series(text, index=values.index, dtype=object)
    if values.dtype == object and _bare(values):
        return values.fillna("")
    return values.fillna("").astype(str).str.strip().astype(object)


def _bare(values: pd.Series) -> bool:
    """Whether all values are text, or missing, and begin and end with a visible ASCII character: then there is nothing to strip."""
    try:
        texts = pa.array(values.to_numpy(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeError):
        return False
    if pa.types.is_null(texts.type):
        return True
    # bytes would pass for text if they were asked to
    return pa.types.is_string(texts.type) and not pc.any(pc.match_substring_regex(texts, r"^[^!-~]|[^!-~]$")).as_py()


def as_key(values: pd.Series) -> pd.Series:
    """Text of each value, a lone point (SAS and Stata write it where a number is missing) as ``""``, and 123.0 as 123.

    A column of whole numbers that once had a gap is written with points by many programs, and keys and codes are such.

    Examples
    --------
    >>> as_key(pd.Series([" 123.0", "007.0", ".", "1.5", "a.0", None])).tolist()
    ['123', '007', '', '1.5', 'a.0', '']
    """
    text = as_text(values)
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return text
    written = pa.array(text.to_numpy(), pa.string())
    if pc.any(pc.equal(written, ".")).as_py():
        text = text.mask(text == ".", "")
    if pc.any(pc.ends_with(written, ".0")).as_py():
        text = text.str.replace(_POINT_ZERO, r"\1", regex=True)
    return text


def convert(
    values: pd.Series, column: Column, *, file_format: str = "", decimal: str = ".",
    codes: dict[str, str] | None = None, missing: tuple[str, ...] = (),
) -> tuple[pd.Series, np.ndarray]:  # fmt: skip
    """Typed values, and where a value was there but could not be read.

    Keys, text and codes become text (None where missing), dates become
    ``datetime64[s]``, months become calendar month numbers (NO_MONTH where
    missing), numbers become floats.
    """
    if column.type in ("date", "month"):
        return _dated(values, column, file_format, [*column.missing, *missing])
    text = as_text(values)
    empty = (text == "") | text.isin([*column.missing, *missing])
    if column.type in ("key", "text"):
        return text.mask(empty, None), np.zeros(len(text), dtype=bool)
    if column.type in ("code", "checkbox"):
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
    raise ValueError(f"there is no column type {column.type}")


def tidied(values: pd.Series, spec: Column, codes: dict[str, str] | None) -> pd.Series:
    """Text as the program that first held it would show it: missing numbers, whole numbers, and letters of known codes."""
    if values.dtype != object:
        return values
    if spec.type in ("number", "integer", "date", "month"):
        return values.mask(values == ".", "")
    known = codes if codes is not None else spec.codes
    written = pc.utf8_trim_whitespace(pa.array(values.to_numpy(), pa.string(), from_pandas=True))
    if not known:
        odd = pc.or_(pc.equal(written, "."), pc.ends_with(written, ".0"))
        return as_key(values) if pc.any(odd).as_py() else values
    distinct = pc.unique(written).to_pandas().dropna()
    text = distinct.where(distinct.isin(known), as_key(distinct))
    if spec.type == "text":
        # of codes that are kept as they are, 1A is 1a
        same = {code.casefold(): code for code in known}
        text = text.where(text.isin(known), text.str.casefold().map(same).fillna(text))
    if text.eq(distinct).all():
        return values
    return pd.Series(written.to_pandas().map(dict(zip(distinct, text, strict=True))).to_numpy(dtype=object), index=values.index)


def _dated(values: pd.Series, column: Column, file_format: str, missing: list[str]) -> tuple[pd.Series, np.ndarray]:
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        empty = values.isna().to_numpy()
        if missing:
            empty |= as_text(values).isin(missing).to_numpy()
    else:
        values = as_text(values)
        empty = (values == "").to_numpy() | values.isin(missing).to_numpy()
    if column.type == "date":
        return _plausible(days_of(values, column.dates, file_format), empty, values.index)
    days = days_of(values, "yyyymm_first", file_format)
    days[empty] = np.datetime64("NaT")
    numbers = days.astype("datetime64[M]").astype(np.int64)
    return pd.Series(np.where(np.isnat(days), NO_MONTH, numbers), index=values.index), np.isnat(days) & ~empty


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
