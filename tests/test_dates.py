"""Dates of every kind, and what is told of a column of dates that lie where none can be."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes.loaders.convert import convert
from ips_outcomes.loaders.dates import days_of, implausible_dates, own_unit
from ips_outcomes.months import NO_MONTH
from ips_outcomes.study import Column

DAY = st.dates(dt.date(1850, 1, 1), dt.date(2100, 12, 31))
ZERO = {"stata": dt.date(1960, 1, 1), "sas": dt.date(1960, 1, 1), "unix_days": dt.date(1970, 1, 1),
        "sas_datetime": dt.date(1960, 1, 1), "spss": dt.date(1582, 10, 14)}  # fmt: skip
WRITTEN = {"iso": "%Y-%m-%d", "yyyymmdd": "%Y%m%d", "ddmmyyyy": "%d.%m.%Y"}


def read(values: list, kind: str, file_format: str = "", **settings: object) -> tuple[list[dt.date | None], list[bool]]:
    column = Column(type="date", dates=kind, meaning="d", **settings)
    typed, bad = convert(pd.Series(values), column, file_format=file_format)
    return [None if pd.isna(value) else value.date() for value in typed], bad.tolist()


@pytest.mark.parametrize("kind", ZERO)
@settings(deadline=None, max_examples=40)
@given(days=st.lists(DAY, min_size=1, max_size=5))
def test_numbers_since_a_day(kind, days):
    unit = 86_400 if kind in ("spss", "sas_datetime") else 1
    numbers = [(day - ZERO[kind]).days * unit for day in days]
    for written in (numbers, [float(n) for n in numbers], [str(n) for n in numbers], [f"{n}.0" for n in numbers]):
        assert read(written, kind) == (days, [False] * len(days))


@pytest.mark.parametrize("kind", WRITTEN)
@settings(deadline=None, max_examples=40)
@given(days=st.lists(DAY, min_size=1, max_size=5))
def test_days_as_text(kind, days):
    assert read([day.strftime(WRITTEN[kind]) for day in days], kind)[0] == days
    for other in WRITTEN.keys() - {kind}:
        # written one way, no day is another day under another kind
        assert not any(read([day.strftime(WRITTEN[kind]) for day in days], other)[0])


@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9]{1,8}[./-]?[0-9]{0,4}", fullmatch=True)), min_size=1))
@pytest.mark.parametrize("kind", [*ZERO, *WRITTEN, "yyyymm_first", "yyyymm_last", "yyyy_first", "yyyy_last", "native"])
def test_any_text_is_a_plausible_day_or_bad_or_missing(kind, values):
    days, bad = read(values, kind)
    for value, day, wrong in zip(values, days, bad, strict=True):
        assert (day is None) == (wrong or not value.strip())
        assert day is None or dt.date(1850, 1, 1) <= day <= dt.date(2100, 12, 31)


@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.floats(), min_size=1))
@pytest.mark.parametrize("kind", [*ZERO, "yyyymmdd", "ddmmyyyy", "yyyymm_last", "yyyy_first", "iso", "native"])
def test_any_number_is_a_plausible_day_or_bad_or_missing(kind, values):
    days, bad = read(values, kind)
    assert [day is None for day in days] == [wrong or np.isnan(value) for value, wrong in zip(values, bad, strict=True)]


@pytest.mark.parametrize("value, kind", [
    ("20150229", "yyyymmdd"), ("20151301", "yyyymmdd"), ("201513", "yyyymm_first"), ("201500", "yyyymm_first"), ("2015", "yyyymm_first"),
    ("201503", "yyyy_first"), ("201503", "yyyymmdd"), ("31.02.2015", "ddmmyyyy"), ("01.02/2015", "ddmmyyyy"), ("1.2.15", "ddmmyyyy"),
    ("2015-02-29", "iso"), ("2015-03-01X", "iso"), ("20150301", "iso"), (20148.5, "stata"), (20148.5, "unix_days"), ("0", "yyyymmdd"),
    (20148.0, "native"), ("16xyz2015", "stata"), (np.inf, "spss"), (1e300, "sas_datetime"), (-1e15, "stata"),
])  # fmt: skip
def test_what_is_no_day_is_bad(value, kind):
    assert read([value, value], kind) == ([None, None], [True, True])


def test_codes_for_missing_are_no_days():
    assert read([99999999.0, 20150301.0, np.nan], "yyyymmdd", missing=("99999999",)) == (
        [None, dt.date(2015, 3, 1), None],
        [False] * 3,
    )
    assert read(["99999999", "", "20150301"], "yyyymmdd", missing=("99999999",)) == (
        [None, None, dt.date(2015, 3, 1)],
        [False] * 3,
    )


@pytest.mark.parametrize("own, unit", [
    ("%td", "stata"), ("%d", "stata"), ("%-tdD_m_Y", "stata"), ("%tcCCYY", "stata_ms"), ("%tm", "stata_m"), ("%8.0g", ""), ("%s", ""),
    ("SPSS DATE11", "spss"), ("SPSS ADATE10", "spss"), ("SPSS DATETIME20", "spss"), ("SPSS F8.2", ""), ("SPSS TIME8", ""),
    ("SPSS DTIME10", ""), ("SAS DATE9", "sas"), ("SAS YYMMDD10", "sas"), ("SAS DATETIME20", "sas_datetime"), ("SAS BEST12", ""),
    ("SAS TIME8", ""), ("Arrow date32[day]", "typed"), ("Arrow int64", ""), ("Excel date", "typed"), ("", ""),
])  # fmt: skip
def test_only_a_date_s_own_format_says_that_it_is_a_date(own, unit):
    assert own_unit(own) == unit


def test_months():
    column = Column(type="month", meaning="m")
    values = pd.Series(["201503", "201503.0", "201513", "", "2015-03"])
    numbers, bad = convert(values, column)
    assert numbers.tolist() == [542, 542, NO_MONTH, NO_MONTH, NO_MONTH]
    assert bad.tolist() == [False, False, True, False, True]
    assert convert(pd.Series([662.0, np.nan]), column, file_format="%tm")[0].tolist() == [542, NO_MONTH]
    assert convert(pd.Series([201503.0]), column)[0].tolist() == [542]


def written(kind: str) -> pd.Series:
    days = pd.date_range("2013-01-01", "2017-12-31", freq="7D")
    if kind in ZERO:
        unit = 86_400 if kind in ("spss", "sas_datetime") else 1
        return pd.Series([(day.date() - ZERO[kind]).days * unit for day in days])
    text = {**WRITTEN, "yyyymm_first": "%Y%m", "yyyy_first": "%Y"}[kind]
    return pd.Series([day.strftime(text) for day in days])


@pytest.mark.parametrize(
    "true", ["iso", "yyyymmdd", "ddmmyyyy", "yyyymm_first", "yyyy_first", "sas", "unix_days", "spss", "sas_datetime"]
)
@pytest.mark.parametrize("said", ["iso", "yyyymmdd", "yyyymm_last", "yyyy_last", "sas", "unix_days", "spss"])
def test_the_kind_that_would_make_a_column_plausible_is_named(true, said):
    rule = implausible_dates(written(true), said, "2010-01-01", "2019-12-31")
    if true.split("_")[0] == said.split("_")[0] and true != "sas_datetime":
        assert rule == ""
    elif true == "iso" and said in ("sas", "spss"):
        # text that is a date beyond doubt is taken where numbers were expected
        assert rule == ""
    else:
        assert f"read as {true} they would lie in 2013 to 2017" in rule
        assert said in rule


def test_a_column_that_no_kind_makes_plausible():
    assert "the month is 13 or more" in implausible_dates(
        pd.Series(["201551", "201513"] * 5), "yyyymm_first", "2010-01-01", "2019-12-31"
    )
    assert "no other kind" in implausible_dates(pd.Series([3.0, 4, 5]), "sas", "2010-01-01", "2019-12-31")
    assert implausible_dates(pd.Series([np.nan, np.nan]), "sas", "2010-01-01", "2019-12-31") == ""
    assert implausible_dates(pd.Series([20148.0] * 9 + [3.0]), "stata", "2010-01-01", "2019-12-31") == ""


def test_days_of_an_empty_column():
    assert len(days_of(pd.Series([], dtype=object), "iso")) == 0
    assert np.isnat(days_of(pd.Series([None, None], dtype=object), "iso")).all()
