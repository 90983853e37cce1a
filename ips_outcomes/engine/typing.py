"""From what a Parquet delivery holds to typed values inside the engine, by the rules of ``loaders.convert``.

Only whole-number arithmetic and guarded casts are used: with ANSI mode Spark
stops a whole job at the first value that cannot be cast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ips_outcomes.errors import DataError, Problem, UnsupportedError
from ips_outcomes.study import Column, Layout, Source

__all__ = ["typed"]

Table = Any
Value = Any

#: What Python's ``str.strip`` takes away, save two marks (vertical tab and form feed) that are written for Spark as the letters
#: v and f, by Ibis's own strip too: they come in by number.
_BLANKS = (
    " \t\n\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
#: Kinds of dates that are read here; files with others are staged first.
_READ = ("iso", "yyyymmdd", "yyyymm_first", "yyyymm_last", "stata", "native")
_FIRST_YEAR, _LAST_YEAR = 1850, 2100
_FARTHEST_MONTH = 3_507
#: Days from 1582-10-14 and 1960-01-01 to 1970-01-01.
_SPSS_TO_1970, _STATA_TO_1970 = 141_428, 3_653
#: Days from 1970-01-01 to 1850-01-01 and to 2100-12-31.
_FIRST_DAY, _LAST_DAY = -43_829, 47_846


def typed(table: Table, layout: Layout, source: Source | None = None) -> Table:
    """Columns of a delivery as the layout's types.

    Parameters
    ----------
    table : ibis Table
        Delivered columns under the layout's names; others pass through.
    layout : Layout
        How the delivery looks.
    source : Source, optional
        The study's own codes, missing codes and decimal mark.

    Returns
    -------
    ibis Table
        Keys, text and codes as text (null where missing or empty), dates as dates, months as calendar month numbers (months
        since January 1970), numbers as 64-bit floats; ``bad_<column>`` where a value was there and could not be read. A
        column of the layout that was not delivered is left out.

    Raises
    ------
    DataError
        If a column has a type that the layout's cannot come from, such as a date for a number.

    Examples
    --------
    >>> import pandas as pd
    >>> from ips_outcomes.engine import open_engine
    >>> from ips_outcomes.study import load_layout
    >>> with open_engine() as engine:
    ...     raw = engine.from_frame(pd.DataFrame({"person_key": ["a"], "start": [201301], "end": [201313]}))
    ...     row = engine.collect(typed(raw, load_layout("aa_jobs"))).iloc[0]
    >>> str(row["start"])[:10], bool(row["bad_end"])
    ('2013-01-01', True)
    """
    spark = table.get_backend().name == "pyspark"
    decimal = (source.decimal if source else None) or layout.text.decimal
    typings = []
    for name, spec in layout.columns.items():
        if name in table.columns:
            missing = (*spec.missing, *(source.missing.get(name, ()) if source else ()))
            codes = source.values.get(name) if source and name in source.values else spec.codes
            typings.append(_Typing(name, table.schema()[name], spec, missing, dict(codes or {}), decimal, spark))
    kept = [c for c in table.columns if c not in layout.columns]
    # in steps, each a query of its own: written in one, every value would repeat the text it comes from twenty times
    for step in ("read", "parse", "judge"):
        made: dict[str, Value] = {c: table[c] for c in kept}
        for typing in typings:
            made |= getattr(typing, step)(table)
        table = table.select(**made)
    return table


@dataclass(frozen=True)
class _Typing:
    """One delivered column on its way to a type, in three steps."""

    name: str
    kind: Any
    spec: Column
    missing: tuple[str, ...]
    codes: dict[str, str]
    decimal: str
    spark: bool

    def __post_init__(self) -> None:
        kind = self.kind
        if self.spec.type == "checkbox" or (self.spec.type == "date" and self.spec.dates not in _READ):
            what = self.spec.dates if self.spec.type == "date" else self.spec.type
            raise UnsupportedError(f"column {self.name} is of the kind {what}, which is not read where it lies: use follow_up")
        if not (kind.is_numeric() or kind.is_string() or self.temporal):
            raise self._wrong("text, a number or a date")
        if self.temporal and self.spec.type not in ("date", "month"):
            raise self._wrong({"key": "text or a whole number"}.get(self.spec.type, self.spec.type))

    @property
    def temporal(self) -> bool:
        return bool(self.kind.is_date() or self.kind.is_timestamp())

    @property
    def days(self) -> bool:
        """Whether a number counts time from some day."""
        return bool(self.spec.type == "date" and self.spec.dates in ("stata", "native") and self.kind.is_numeric())

    def _wrong(self, wanted: str) -> DataError:
        rule = f"the column's type in the Parquet file is {str(self.kind).split('(')[0]}, and the layout needs {wanted}"
        return DataError([Problem("Parquet delivery", rule, "check the layout, or the way the file was written",
                                  f"column {self.name}")])  # fmt: skip

    def read(self, table: Table) -> dict[str, Value]:
        """The value, and its text where the layout looks at that."""
        value = table[self.name]
        if self.kind.is_numeric() and not self.kind.is_integer():
            value = value.cast("float64")
            # what pandas takes for missing is so here too
            value = value.isnan().ifelse(None, value)
        made = {self.name: value}
        if not (self.temporal or self.days):
            made[f"{self.name}__text"] = self._text(value)
        return made

    def _text(self, value: Value) -> Value:
        from ips_outcomes.engine import builtins

        if self.kind.is_string():
            if self.spark:
                bare = builtins.btrim(value, builtins.char(11) + builtins.char(12) + _BLANKS)
            else:
                bare = builtins.trim(value, "\x0b\x0c" + _BLANKS)
            # almost no value has a blank at its end, and to look for thirty kinds of blank takes longer than all else
            return value.re_search("^[^!-~]|[^!-~]$").ifelse(bare, value)
        if self.kind.is_integer():
            return value.cast("string")
        whole = (value == value.floor()) & (value.abs() < 2.0**63)
        return whole.ifelse(whole.ifelse(value, 0.0).cast("int64").cast("string"), value.cast("string"))

    def parse(self, table: Table) -> dict[str, Value]:
        """The value's parts, and whether there was one."""
        value, name, spec = table[self.name], self.name, self.spec
        if self.temporal:
            date = value.date() if self.kind.is_timestamp() else value
            return {name: date, f"{name}__there": date.notnull()}
        if self.days:
            return {f"{name}__days": self._days(value.cast("float64"), spec.dates), f"{name}__there": value.notnull()}
        text = table[f"{name}__text"]
        there = text.notnull() & (text != "")
        if self.missing:
            there = there & text.notin(list(self.missing))
        made = {f"{name}__there": there.fill_null(False), f"{name}__text": text}
        if spec.type == "code" and self.codes:
            made[f"{name}__code"] = text.cases(*self.codes.items(), else_=None)
        elif spec.type in ("number", "integer"):
            made[f"{name}__number"] = value.cast("float64") if self.kind.is_numeric() else self._number(text)
        elif spec.type in ("month", "date"):
            made |= {f"{name}__{part}": number for part, number in self._parts(text).items()}
        return made

    def _number(self, text: Value) -> Value:
        mark, group = re.escape(self.decimal), re.escape("." if self.decimal == "," else ",")
        blank = "[ \t\n\r\u00a0\u202f]"
        form = f"[+-]?([0-9]+|[0-9]{{1,3}}({blank}[0-9]{{3}})+|[0-9]{{1,3}}({group}[0-9]{{3}})+)({mark}[0-9]+)?"
        written = text.re_search(f"^({form})$").fill_null(False)
        plain = text.re_replace(f"{blank}|{group}", "").replace(self.decimal, ".")
        # a cast sees only what it can read
        return written.ifelse(written.ifelse(plain, "0").cast("float64"), None)

    def _parts(self, text: Value) -> dict[str, Value]:
        """Year, month and day as whole numbers; null where the text has another form."""
        form, places = "^[0-9]{6}$", [(0, 4), (4, 2)]
        if self.spec.type == "date" and self.spec.dates == "yyyymmdd":
            form, places = "^[0-9]{8}$", [(0, 4), (4, 2), (6, 2)]
        elif self.spec.type == "date" and not self.spec.dates.startswith("yyyymm"):
            # text in a file whose layout expects a date type of its own is read as ISO
            form, places = "^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$", []
        written = text.re_search(form).fill_null(False)
        safe = written.ifelse(text, "1970-01-01")
        texts = [safe.substr(at, width) for at, width in places] or [safe.split("-")[place] for place in range(3)]
        numbers = [written.ifelse(part, "0").cast("int32") for part in texts]
        return dict(zip(("year", "month", "day"), numbers, strict=False))

    def _days(self, number: Value, dates: str) -> Value:
        """Whole days since 1970; SPSS counts seconds, Stata days."""
        known = (number.abs() < 1e15).fill_null(False)
        safe = known.ifelse(number, 0.0)
        towards_zero = (safe < 0).ifelse(safe.ceil(), safe.floor())
        days = (safe / 86_400).floor() - _SPSS_TO_1970 if dates == "native" else towards_zero - _STATA_TO_1970
        return known.ifelse(days, None)

    def judge(self, table: Table) -> dict[str, Value]:
        """The typed value, and whether what was there could not be read."""
        import ibis

        from ips_outcomes.engine import builtins

        name, spec, there = self.name, self.spec, table[f"{self.name}__there"]
        if self.temporal:
            date = table[name]
            good = ((date >= ibis.date(f"{_FIRST_YEAR}-01-01")) & (date <= ibis.date(f"{_LAST_YEAR}-12-31"))).fill_null(False)
            value = date if spec.type == "date" else ((date.year() - 1970) * 12 + date.month() - 1).cast("int64")
            return {name: good.ifelse(value, None), f"bad_{name}": there & ~good}
        if self.days:
            days, start = table[f"{name}__days"], ibis.date("1970-01-01")
            good = ((days >= _FIRST_DAY) & (days <= _LAST_DAY)).fill_null(False)
            safe = good.ifelse(days, 0.0).cast("int32")
            date = builtins.date_add(start, safe) if self.spark else builtins.add(start, safe)
            return {name: good.ifelse(date, None), f"bad_{name}": there & ~good}
        text = table[f"{name}__text"]
        if spec.type in ("key", "text") or (spec.type == "code" and not self.codes):
            return {name: there.ifelse(text, None), f"bad_{name}": ibis.literal(False)}
        if spec.type == "code":
            code = table[f"{name}__code"]
            return {name: code, f"bad_{name}": code.isnull() & there}
        if spec.type in ("number", "integer"):
            number = table[f"{name}__number"]
            good = there & number.notnull()
            if spec.type == "integer":
                good = good & (number == number.floor())
            good = good.fill_null(False)
            return {name: good.ifelse(number, None), f"bad_{name}": there & ~good}
        year, month = table[f"{name}__year"], table[f"{name}__month"]
        good = there & (month >= 1) & (month <= 12) & (year >= 1)
        if spec.type == "month":
            number = ((year - 1970) * 12 + month - 1).cast("int64")
            # the months that a pandas timestamp reaches, 1677 to 2262: what the loaders read
            good = good & (number.abs() <= _FARTHEST_MONTH)
            return {name: good.ifelse(number, None), f"bad_{name}": there & ~good}
        last = _days_in_month(year, month)
        if spec.dates.startswith("yyyymm_"):
            day = last if spec.dates == "yyyymm_last" else ibis.literal(1, "int32")
        else:
            day = table[f"{name}__day"]
            good = good & (day >= 1) & (day <= last)
        good = good & (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
        parts = [good.ifelse(part, instead).cast("int32") for part, instead in ((year, 1970), (month, 1), (day, 1))]
        return {name: good.ifelse(ibis.date(*parts), None), f"bad_{name}": there & ~good}


def _days_in_month(year: Value, month: Value) -> Value:
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return month.cases((2, leap.ifelse(29, 28)), (4, 30), (6, 30), (9, 30), (11, 30), else_=31)
