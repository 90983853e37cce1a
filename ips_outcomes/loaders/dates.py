"""Dates: the layout says how they are written, the file may say that they are dates of its own, and no number is guessed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ips_outcomes.months import calendar_month

__all__ = ["days_of", "implausible_dates", "own_unit"]

_NAT = np.datetime64("NaT", "D")
_ZERO_1960, _ZERO_1582, _ZERO_1970 = np.datetime64("1960-01-01"), np.datetime64("1582-10-14"), np.datetime64("1970-01-01")
#: What a number counts, by kind: the first day, and how many units make a day.
_EPOCHS = {
    "stata": (_ZERO_1960, 1), "sas": (_ZERO_1960, 1), "sas_datetime": (_ZERO_1960, 86_400),
    "spss": (_ZERO_1582, 86_400), "unix_days": (_ZERO_1970, 1),
}  # fmt: skip
_MONTHS = {m: n for n, m in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}

_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_ISO = rf"(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}}){_TIME}"
_DOTTED = rf"(?P<d>\d{{1,2}})(?P<mark>[./-])(?P<m>\d{{1,2}})(?P=mark)(?P<y>\d{{4}}){_TIME}"
_NAMED = r"(?P<d>\d{1,2})(?P<m>[A-Za-z]{3})(?P<y>\d{4})(?:[ :]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
#: A number of days or seconds, and a whole number that a program wrote with a point.
_NUMBER, _WHOLE = r"-?\d{1,15}(?:[.,]\d+)?", r"-?\d{1,15}(?:[.,]0+)?"


def own_unit(file_format: str) -> str:
    """What the numbers of a column count, as the file itself says: a kind of date, or ``""`` where it says none.

    Examples
    --------
    >>> own_unit("%td"), own_unit("SPSS DATE11"), own_unit("SAS DATETIME20"), own_unit("%9.0g"), own_unit("DATE11")
    ('stata', 'spss', 'sas_datetime', '', '')
    """
    if match := re.match(r"%-?(?:t([dcCmqhwy])|(d))", file_format):
        return {"d": "stata", "c": "stata_ms", "C": "stata_ms"}.get(match[1] or "d", f"stata_{match[1]}")
    system, _, name = file_format.upper().partition(" ")
    if system == "SPSS" and re.match(r"(A|E|S|J)?DATE\d|DATETIME\d|YMDHMS\d|MOYR\d|QYR\d|WKYR\d", name):
        return "spss"
    if system == "SAS":
        if re.match(r"DATETIME|E8601DT|B8601DT|DATEAMPM|DTDATE|DTMONYY", name):
            return "sas_datetime"
        dates = r"DATE|DDMMYY|MMDDYY|YYMMDD|YYMM|MONYY|E8601DA|B8601DA|WORDDAT|WEEKDAT|JULIAN|YYQ|NLDATE|EURDFDE|NORDFDE|DAY\d"
        return "sas" if re.match(dates, name) else ""
    return "typed" if system in ("ARROW", "EXCEL") and name.startswith(("DATE", "TIMESTAMP")) else ""


def days_of(values: pd.Series, kind: str, file_format: str = "") -> np.ndarray:
    """The day of each value, NaT where it is none of this kind.

    A value that the file itself marks as a date is that date whatever the
    layout says; any other number is read as the layout says or not at all.

    Parameters
    ----------
    values : Series
        Numbers, text, or dates of the file's own type.
    kind : str
        As ``dates`` of a layout's column.
    file_format : str
        The file's own format of the column.

    Examples
    --------
    >>> days_of(pd.Series(["20150116", "20150116.0", "2015-01-16", "20151301"]), "yyyymmdd").astype(str).tolist()
    ['2015-01-16', '2015-01-16', 'NaT', 'NaT']
    >>> days_of(pd.Series([16436.0]), "unix_days").astype(str).tolist()
    ['2015-01-01']
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.to_numpy().astype("datetime64[D]")
    codes, distinct = pd.factorize(values)
    if not len(distinct):
        return np.full(len(values), _NAT)
    if pd.api.types.is_numeric_dtype(values):
        found = _of_numbers(np.asarray(distinct, dtype=float), kind, own_unit(file_format))
    else:
        found = _of_text(pd.Series(distinct, dtype=object).astype(str).str.strip(), kind, own_unit(file_format))
    return np.where(codes >= 0, found[codes], _NAT)


def _of_numbers(numbers: np.ndarray, kind: str, unit: str) -> np.ndarray:
    if unit.startswith(("stata_m", "stata_q", "stata_h", "stata_y")) and unit != "stata_ms":
        per_year = {"m": 12, "q": 4, "h": 2, "y": 1}[unit[-1]]
        steps = _whole(numbers)
        ok = steps != _BAD
        # the year itself is written in %ty; all others count from 1960
        months = np.where(ok, steps, 0) * (12 // per_year) - (12 * 1970 if unit == "stata_y" else 120)
        return np.where(ok & (np.abs(months) < 10_000), _end_of(np.clip(months, -10_000, 10_000), kind, 12 // per_year), _NAT)
    if unit == "stata_w":
        weeks = _whole(numbers)
        ok = (weeks != _BAD) & (np.abs(weeks) < 100_000)
        safe = np.where(ok, weeks, 0)
        # 52 weeks a year, the first from 1 January
        year = (safe // 52 - 10).astype("datetime64[Y]").astype("datetime64[D]")
        return np.where(ok, year + (safe % 52 * 7).astype("timedelta64[D]"), _NAT)
    if unit:
        first, a_day = (_ZERO_1960, 86_400_000) if unit == "stata_ms" else _EPOCHS.get(unit, (_ZERO_1970, 1))
        return _nothing(numbers) if unit == "typed" else _since(np.floor(numbers / a_day), first)
    if kind in _EPOCHS:
        first, a_day = _EPOCHS[kind]
        days = numbers if a_day == 1 else np.floor(numbers / a_day)
        return _since(days, first)
    return _of_digits(_whole(numbers), kind)


def _nothing(values: np.ndarray | pd.Series) -> np.ndarray:
    return np.full(len(values), _NAT)


#: Stands for "not a whole number" among whole numbers.
_BAD = np.iinfo(np.int64).min


def _whole(numbers: np.ndarray) -> np.ndarray:
    ok = np.isfinite(numbers) & (np.abs(numbers) < 1e15)
    ok &= np.where(ok, numbers, 0) == np.floor(np.where(ok, numbers, 0))
    return np.where(ok, np.where(ok, numbers, 0).astype(np.int64), _BAD)


def _since(days: np.ndarray, first: np.datetime64) -> np.ndarray:
    """Whole days since a first day; a part of a day is no day."""
    whole = _whole(days)
    ok = (whole != _BAD) & (np.abs(np.where(whole == _BAD, 0, whole)) < 10**6)
    return np.where(ok, first + np.where(ok, whole, 0).astype("timedelta64[D]"), _NAT)


def _of_digits(digits: np.ndarray, kind: str) -> np.ndarray:
    if kind == "yyyymmdd":
        return _calendar(digits // 10_000, digits // 100 % 100, digits % 100)
    if kind == "ddmmyyyy":
        return _calendar(digits % 10_000, digits // 10_000 % 100, np.where(digits > 0, digits // 10**6, 0))
    if kind in ("yyyymm_first", "yyyymm_last"):
        year, month = digits // 100, digits % 100
        ok = (year >= 1000) & (year <= 9999) & (month >= 1) & (month <= 12)
        return np.where(ok, _end_of(np.where(ok, calendar_month(year, month), 0), kind, 1), _NAT)
    if kind in ("yyyy_first", "yyyy_last"):
        ok = (digits >= 1000) & (digits <= 9999)
        return np.where(ok, _end_of(np.where(ok, (digits - 1970) * 12, 0), kind, 12), _NAT)
    return np.full(len(digits), _NAT)


def _end_of(months: np.ndarray, kind: str, length: int) -> np.ndarray:
    """First day of a stretch of months since 1970, or its last day where the kind says so."""
    if kind.endswith("_last"):
        return (months + length).astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    return months.astype("datetime64[M]").astype("datetime64[D]")


def _calendar(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    ok = (year >= 1000) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(ok, calendar_month(year, month), 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(ok, day - 1, 0).astype("timedelta64[D]")
    return np.where(ok & (days.astype("datetime64[M]") == months), days, _NAT)


def _of_text(texts: pd.Series, kind: str, unit: str) -> np.ndarray:
    patterns = {"iso": [_ISO], "ddmmyyyy": [_DOTTED], "native": [_ISO, _NAMED], "stata": [_ISO, _NAMED], "sas": [_ISO, _NAMED],
                "sas_datetime": [_ISO, _NAMED], "spss": [_ISO]}.get(kind, [])  # fmt: skip
    if unit == "typed" and _ISO not in patterns:
        # dates of the file's own beside text in one column were written as ISO by the reader
        patterns = [*patterns, _ISO]
    found = _nothing(texts)
    for pattern in patterns:
        found = np.where(np.isnat(found), _written(texts, pattern), found)
    seconds = kind in _EPOCHS and _EPOCHS[kind][1] > 1
    plain = texts.where(texts.str.fullmatch(_NUMBER if seconds else _WHOLE))
    if kind == "ddmmyyyy":
        plain = plain.where(texts.str.fullmatch(r"\d{7,8}(?:[.,]0+)?"))
    if kind not in ("iso", "native") and plain.notna().any():
        numbers = pd.to_numeric(plain.str.replace(",", ".", regex=False), errors="coerce").to_numpy(dtype=float)
        found = np.where(np.isnat(found), _of_numbers(numbers, kind, ""), found)
    return found


def _written(texts: pd.Series, pattern: str) -> np.ndarray:
    parts = texts.where(texts.str.fullmatch(pattern)).str.extract(f"^{pattern}$")
    named = parts["m"].str.lower().map(_MONTHS) if pattern == _NAMED else parts["m"]
    numbers = (pd.to_numeric(part, errors="coerce").fillna(0) for part in (parts["y"], named, parts["d"]))
    return _calendar(*(number.astype(np.int64).to_numpy() for number in numbers))


#: Kinds that a message may propose, each with what it is called there; the first of equals is named.
_PROPOSED = ("iso", "yyyymmdd", "yyyymm_first", "yyyy_first", "ddmmyyyy", "sas", "unix_days", "spss", "sas_datetime")


def implausible_dates(
    values: pd.Series, kind: str, first: object, last: object, *, file_format: str = "", least: float = 0.5
) -> str:  # fmt: skip
    """What is wrong with a whole column of dates, or ``""`` where most of them lie where they should.

    Parameters
    ----------
    values : Series
        As the file holds them, missing ones included or not.
    kind : str
        How the layout says that they are written.
    first, last : str or datetime64
        The days between which dates of this column are expected.
    file_format : str
        The file's own format of the column.
    least : float
        Share of the values that must lie there, 0 to 1.

    Returns
    -------
    str
        A rule for a message: how the dates would lie where they are expected,
        or that they do not whatever the kind. Years only, and of the middle
        nine tenths of the values, so that nobody's own date is told.

    Examples
    --------
    >>> days = pd.Series(range(15706, 17532))
    >>> implausible_dates(days, "stata", "2011-01-01", "2019-12-31")
    'most dates lie outside 2011 to 2019 when read as stata; read as unix_days they would lie in 2013 to 2017'
    >>> implausible_dates(days, "unix_days", "2011-01-01", "2019-12-31")
    ''
    """
    start, end = np.datetime64(str(first), "D"), np.datetime64(str(last), "D")
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        written = values[values.notna()]
    else:
        written = values.dropna().astype(str).str.strip()
        written = written[written != ""]
    if written.empty:
        return ""

    def years(as_kind: str, of: str) -> str | None:
        days = days_of(written, as_kind, of)
        inside = np.sort(days[(days >= start) & (days <= end)])
        if len(inside) < least * len(written):
            return None
        low, high = inside[int(0.05 * (len(inside) - 1))], inside[int(0.95 * (len(inside) - 1))]
        return f"{str(low)[:4]} to {str(high)[:4]}"

    if years(kind, file_format) is not None:
        return ""
    read = days_of(written, kind, file_format)
    span = f"{str(start)[:4]} to {str(end)[:4]}"
    none = np.isnat(read).mean() > 0.5
    rule = f"most values are no dates of kind {kind}" if none else f"most dates lie outside {span} when read as {kind}"
    stem = kind.split("_")[0]
    for other in _PROPOSED:
        if other != kind and (other.split("_")[0] != stem or stem in ("sas", "spss")) and (found := years(other, "")):
            return f"{rule}; read as {other} they would lie in {found}"
    if own_unit(file_format) in ("", "typed") and stem == "yyyymm":
        digits = pd.to_numeric(written, errors="coerce").to_numpy(dtype=float)
        months = np.where((digits >= 100_000) & (digits < 1_000_000), digits % 100, 0)
        if (months > 12).mean() > 0.5:
            return f"{rule}: in most the month is 13 or more, so that they are a year and something else"
    return f"{rule}, and no other kind of date would put them in {span}"
