"""Values of a Parquet delivery are typed in the engine just as the loaders type them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ips_outcomes.engine import Engine, typed
from ips_outcomes.errors import DataError
from ips_outcomes.loaders.convert import convert
from ips_outcomes.months import NO_MONTH
from ips_outcomes.study import Column, Layout, Source

KINDS = {
    "key": Column(type="key", meaning="a key", missing=("999",)),
    "text": Column(type="text", meaning="a text"),
    "code": Column(type="code", meaning="a code", codes={"1": "one", "2": "two", "a": "letter"}, missing=("9",)),
    "number": Column(type="number", meaning="a number", missing=("-1",)),
    "integer": Column(type="integer", meaning="a whole number"),
    "month": Column(type="month", meaning="a month", missing=("000000",)),
    **{f"date_{d}": Column(type="date", dates=d, meaning="a date", missing=("99999999",))
       for d in ("iso", "yyyymmdd", "yyyymm_first", "yyyymm_last", "stata", "native")},
}  # fmt: skip
# no table has columns of all kinds, so the check of a layout against its table is left out here
LAYOUT = Layout.model_construct(table="jobs", columns=KINDS)

_WRITTEN = [
    "", " ", "a", " a ", "vaf", "\u00a0b\u00a0", "1", "2", "9", "007", "999", "1 234,50", "1.234", "8,5", "8.5", "1\u00a0234", "-1",
    "1,5,5", "--3", "+4,25", "12345,678", "2015-02-28", "2015-02-29", "2016-02-29", "2015-13-01", "1849-12-31", "1850-01-01",
    "2100-12-31", "2101-01-01", "20150228", "20150229", "20160229", "20151301", "00000000", "99999999", "201502", "201513",
    "201612", "000000", "184912", "185001", "210012", "210101", "0", "x9", "2015-2-8", "1e5", "nan", "None", "20150131 ",
]  # fmt: skip
TEXTS = st.one_of(
    st.none(), st.sampled_from(_WRITTEN), st.dates().map(str), st.dates().map(lambda d: d.strftime("%Y%m%d").zfill(8)),
    st.integers(-99_999, 99_999_999).map(str), st.from_regex(r"\A[0-9]{1,3}( [0-9]{3}){0,2}(,[0-9]{1,2})?\Z"),
)  # fmt: skip
WHOLE = st.one_of(st.sampled_from([0, 1, 2, 9, -1, 999, 20150228, 20150229, 201502, 201513, 19000, 51_500, 51_501, -40_176,
                                   -40_177, 13_500_000_000, 10**15, -(10**15)]), st.integers(-(10**9), 10**11))  # fmt: skip
FLOATS = st.one_of(st.none(), WHOLE.map(float), st.integers(-(10**6), 10**6).map(lambda n: n / 4))


def loaded(values: pd.Series) -> pd.DataFrame:
    """What the loaders make of one column by every kind of the layout."""
    made = {}
    for name, spec in KINDS.items():
        value, bad = convert(values, spec, decimal=",")
        made[name], made[f"bad_{name}"] = value, bad
    return pd.DataFrame(made)


def in_engine(engine: Engine, values: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame({"n": np.arange(len(values)), **dict.fromkeys(KINDS, values)})
    return engine.collect(typed(engine.from_frame(frame), LAYOUT), ["n"])


def plain(values: pd.Series, name: str) -> list[object]:
    if name.startswith("date"):
        return [None if pd.isna(v) else str(pd.Timestamp(v).date()) for v in values]
    if name == "month":
        return [None if pd.isna(v) or v == NO_MONTH else int(v) for v in values]
    return [None if pd.isna(v) else v for v in values]


def assert_alike(engine: Engine, values: pd.Series) -> None:
    want, got = loaded(values), in_engine(engine, values)
    for name in KINDS:
        assert got[f"bad_{name}"].tolist() == want[f"bad_{name}"].tolist(), (name, values.tolist())
        assert plain(got[name], name) == plain(want[name], name), (name, values.tolist())


LOOSE = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LOOSE
@given(values=st.lists(TEXTS, min_size=1, max_size=200))
def test_text_is_typed_as_the_loaders_do(duck: Engine, values: list[str | None]) -> None:
    assert_alike(duck, pd.Series(values, dtype=object))


@LOOSE
@given(values=st.lists(WHOLE, min_size=1, max_size=200))
def test_whole_numbers_are_typed_as_the_loaders_do(duck: Engine, values: list[int]) -> None:
    assert_alike(duck, pd.Series(values, dtype="int64"))


@LOOSE
@given(values=st.lists(FLOATS, min_size=1, max_size=200))
def test_numbers_with_gaps_are_typed_as_the_loaders_do(duck: Engine, values: list[float | None]) -> None:
    assert_alike(duck, pd.Series(values, dtype="float64"))


@pytest.mark.parametrize("values", [
    pd.Series([None, *_WRITTEN], dtype=object), pd.Series([0, 1, 9, 20150228, 20150229, 201502, 19000, 51_501], dtype="int64"),
    pd.Series([None, 1.0, 8.5, 20150228.0, 19000.0, -40_177.0, 13_500_000_000.0]),
], ids=["texts", "whole", "gaps"])  # fmt: skip
def test_spark_types_as_the_loaders_do(spark: Engine, values: pd.Series) -> None:
    assert_alike(spark, values)


def test_dates_of_the_file_itself_are_dates(any_engine: Engine, tmp_path: Path) -> None:
    days = pd.to_datetime(["2015-02-28", None, "1700-01-01"])
    frame = pd.DataFrame({"n": [1, 2, 3], "date_iso": days, "date_stata": days.date, "month": days})
    frame.to_parquet(tmp_path / "dates.parquet")
    table = any_engine.collect(typed(any_engine.read_parquet([tmp_path / "dates.parquet"]), LAYOUT), ["n"])
    for name in ("date_iso", "date_stata"):
        assert plain(table[name], "date") == ["2015-02-28", None, None]
        assert table[f"bad_{name}"].tolist() == [False, False, True]
    assert plain(table["month"], "month") == [45 * 12 + 1, None, None]


def test_the_study_s_own_codes_missing_and_decimal_mark(any_engine: Engine) -> None:
    source = Source(layout="x", files="x", values={"code": {"7": "seven"}}, missing={"number": ("8.5",)}, decimal=".")
    frame = pd.DataFrame({"n": [1, 2], "code": ["7", "1"], "number": ["8.5", "1,234.5"]})
    table = any_engine.collect(typed(any_engine.from_frame(frame), LAYOUT, source), ["n"])
    assert table["code"].tolist() == ["seven", None]
    assert table["bad_code"].tolist() == [False, True]
    assert table["number"].isna().tolist() == [True, False]
    assert table["number"][1] == 1234.5


def test_a_type_that_cannot_be_is_told_with_its_column(duck: Engine) -> None:
    frame = pd.DataFrame({"number": pd.to_datetime(["2015-02-28"])})
    with pytest.raises(DataError, match="column number") as told:
        typed(duck.from_frame(frame), LAYOUT)
    assert "2015" not in str(told.value)
