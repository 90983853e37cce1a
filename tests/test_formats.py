"""Every format gives the same values as every other, in pieces of any size, or is refused whole with no value told."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes.errors import DataError
from ips_outcomes.loaders import text_files
from ips_outcomes.loaders.convert import convert
from ips_outcomes.loaders.files import chunks, column_names, open_raw, read_text
from ips_outcomes.study import Column, Layout, Source

FORMATS = ("csv", "parquet", "dta", "sav", "zsav", "xpt", "xlsx")
DAYS = [dt.date(2015, 1, 16), dt.date(1999, 12, 31), dt.date(2020, 2, 29)]
SECRET = "qz81secret"


def layout(**columns: str) -> Layout:
    made = {name: Column(type="text", name=name, meaning=name, required=how == "required") for name, how in columns.items()}
    # columns of any name: the check of a layout against its table is left out here
    return Layout.model_construct(title="t", table="job_months", kind="EVENT", knowledge="k", certainty="assumed", columns=made)


class PaddingSource(Source):
    short_rows: str = "refuse"
    sheet: str | None = None


def source(**settings: object) -> PaddingSource:
    return PaddingSource(layout="t", files="*", **settings)


ANY = layout(key="")


def write(path: Path, table: pd.DataFrame, dates: dict[str, dict[str, str]] | None = None) -> Path:
    """One table in the format that the file's name says; ``dates`` gives a column's format in each system."""
    kind, own = path.suffix[1:], {c: f.get(path.suffix[1:], "") for c, f in (dates or {}).items()}
    own = {column: name for column, name in own.items() if name}
    if kind == "csv":
        table.to_csv(path, sep=";", index=False)
    elif kind == "parquet":
        table.to_parquet(path)
    elif kind == "xlsx":
        table.to_excel(path, index=False)
    elif kind == "dta":
        pyreadstat.write_dta(table, str(path), variable_format=own)
    elif kind in ("sav", "zsav"):
        pyreadstat.write_sav(table, str(path), variable_format=own, compress=kind == "zsav")
    else:
        pyreadstat.write_xport(table, str(path), variable_format=own)
    return path


def everything(path: Path, size: int = 500_000, how: Source | None = None) -> pd.DataFrame:
    raw = open_raw(path, ANY, how or source())
    return pd.concat(list(chunks(raw, size=size)))


def refused(path: Path, *said: str, how: Source | None = None) -> str:
    with pytest.raises(DataError) as error:
        everything(path, how=how)
    message = str(error.value)
    assert path.name in message
    assert SECRET not in message
    for text in said:
        assert text in message
    return message


def found(path: Path, how: Source | None = None) -> dict[str, tuple[int, int]]:
    raw = open_raw(path, ANY, how or source())
    for _ in chunks(raw, size=2):
        pass
    return {finding.rule: (finding.count, finding.total) for finding in raw.findings}


# --------------------------------------------------------- dates in every format


def number(day: dt.date, kind: str) -> float:
    since = {"stata": dt.date(1960, 1, 1), "sas": dt.date(1960, 1, 1), "sas_datetime": dt.date(1960, 1, 1),
             "spss": dt.date(1582, 10, 14), "unix_days": dt.date(1970, 1, 1)}  # fmt: skip
    if kind in since:
        days = (day - since[kind]).days
        return float(days * 86_400 if kind in ("sas_datetime", "spss") else days)
    text = {"yyyymmdd": "%Y%m%d", "ddmmyyyy": "%d%m%Y", "yyyymm_first": "%Y%m", "yyyymm_last": "%Y%m", "yyyy_first": "%Y",
            "yyyy_last": "%Y"}[kind]  # fmt: skip
    return float(day.strftime(text))


def meant(day: dt.date, kind: str) -> dt.date:
    if kind == "yyyymm_first":
        return day.replace(day=1)
    if kind == "yyyymm_last":
        return (day.replace(day=1) + dt.timedelta(32)).replace(day=1) - dt.timedelta(1)
    return {"yyyy_first": dt.date(day.year, 1, 1), "yyyy_last": dt.date(day.year, 12, 31)}.get(kind, day)


NUMBERED = ("yyyymmdd", "ddmmyyyy", "yyyymm_first", "yyyymm_last", "yyyy_first", "yyyy_last", "stata", "sas", "sas_datetime",
            "spss", "unix_days")  # fmt: skip


def dated(path: Path, kind: str, *, how: Source | None = None) -> list[dt.date | None]:
    raw = open_raw(path, ANY, how or source())
    table = pd.concat(chunks(raw, ["day"]))
    values, bad = convert(table["day"], Column(type="date", dates=kind, meaning="d"), file_format=raw.formats.get("day", ""))
    assert (bad == (values.isna() & (table["day"].astype(str) != "") & table["day"].notna())).all()
    return [None if pd.isna(value) else value.date() for value in values]


@pytest.mark.parametrize("kind", NUMBERED)
@pytest.mark.parametrize("file", FORMATS)
def test_dates_written_as_numbers(tmp_path, file, kind):
    expected = [meant(day, kind) for day in DAYS]
    numbers = [number(day, kind) for day in DAYS]
    path = write(tmp_path / f"a.{file}", pd.DataFrame({"key": list("abcd"), "day": [*numbers, np.nan]}))
    assert dated(path, kind) == [*expected, None]
    texts = [f"{int(value)}" for value in numbers]
    path = write(tmp_path / f"b.{file}", pd.DataFrame({"key": list("abcd"), "day": [*texts, ""]}))
    assert dated(path, kind) == [*expected, None]
    # under any other kind no number becomes the file's own date
    assert dated(path, "native") == [None] * 4


@pytest.mark.parametrize("kind, texts", [
    ("iso", ["2015-01-16", "1999-12-31T23:59:59", "2020-02-29 00:00:00"]),
    ("iso", ["2015-01-16T00:00:00Z", "1999-12-31T10:00:00.000+01:00", "2020-02-29 12:00"]),
    ("ddmmyyyy", ["16.01.2015", "31/12/1999", "29-02-2020"]), ("ddmmyyyy", ["16012015", "31121999", "29.2.2020 00:00:00"]),
    ("yyyymmdd", ["20150116.0", "19991231", "20200229,0"]), ("stata", ["16jan2015", "31dec1999", "29feb2020"]),
    ("sas", ["16JAN2015", "31DEC1999", "2020-02-29"]), ("sas_datetime", ["16JAN2015:10:00:00", "31DEC1999:00:00:00", "2020-02-29"]),
    ("native", ["2015-01-16", "1999-12-31", "2020-02-29"]),
])  # fmt: skip
@pytest.mark.parametrize("file", FORMATS)
def test_dates_written_as_text(tmp_path, file, kind, texts):
    assert dated(write(tmp_path / f"a.{file}", pd.DataFrame({"day": texts})), kind) == DAYS


OWN = {"dta": "%td", "sav": "DATE11", "zsav": "EDATE10", "xpt": "DATE9."}
OWN_TIME = {"dta": "%tc", "sav": "DATETIME20", "zsav": "DATETIME20", "xpt": "DATETIME20."}


@pytest.mark.parametrize("kind", ["native", "iso", "yyyymmdd", "stata", "spss", "sas", "unix_days", "yyyymm_last"])
@pytest.mark.parametrize("file", FORMATS[1:])
def test_dates_of_the_file_s_own_are_dates_whatever_the_layout_says(tmp_path, file, kind):
    path = write(tmp_path / f"a.{file}", pd.DataFrame({"key": list("abcd"), "day": [*DAYS, None]}), {"day": OWN})
    assert dated(path, kind) == [*DAYS, None]
    times = pd.Series([dt.datetime.combine(day, dt.time(23, 59, 58)) for day in DAYS])
    assert dated(write(tmp_path / f"b.{file}", pd.DataFrame({"day": times}), {"day": OWN_TIME}), kind) == DAYS


@pytest.mark.parametrize("own, expected", [
    ("td", DAYS), ("tc", DAYS), ("tm", [day.replace(day=1) for day in DAYS]), ("ty", [day.replace(month=1, day=1) for day in DAYS]),
    ("tq", [dt.date(2015, 1, 1), dt.date(1999, 10, 1), dt.date(2020, 1, 1)]),
    ("th", [dt.date(2015, 1, 1), dt.date(1999, 7, 1), dt.date(2020, 1, 1)]),
])  # fmt: skip
def test_stata_s_coarser_dates(tmp_path, own, expected):
    table = pd.DataFrame({"day": pd.to_datetime([str(day) for day in DAYS])})
    table.to_stata(tmp_path / "a.dta", convert_dates={"day": own}, write_index=False, version=118)
    assert dated(tmp_path / "a.dta", "native") == expected


def test_stata_s_weeks_are_fifty_two_a_year(tmp_path):
    pyreadstat.write_dta(
        pd.DataFrame({"day": [2862.0, 39 * 52 + 51, 3128, np.nan]}), tmp_path / "a.dta", variable_format={"day": "%tw"}
    )
    assert dated(tmp_path / "a.dta", "native") == [dt.date(2015, 1, 15), dt.date(1999, 12, 24), dt.date(2020, 2, 26), None]


def test_a_month_of_stata_ends_where_the_layout_says(tmp_path):
    table = pd.DataFrame({"day": pd.to_datetime(["2015-02-01"])})
    table.to_stata(tmp_path / "a.dta", convert_dates={"day": "tm"}, write_index=False, version=118)
    assert dated(tmp_path / "a.dta", "yyyymm_last") == [dt.date(2015, 2, 28)]


def test_excel_dates_beside_text(tmp_path):
    book = openpyxl.Workbook()
    for value in ("day", DAYS[0], "31.12.1999", dt.datetime(2020, 2, 29, 7), None, "20200229"):
        book.active.append(["key", value])
    book.save(tmp_path / "a.xlsx")
    assert dated(tmp_path / "a.xlsx", "ddmmyyyy") == [*DAYS, None, None]
    assert dated(tmp_path / "a.xlsx", "yyyymmdd") == [DAYS[0], None, DAYS[2], None, DAYS[2]]


@pytest.mark.parametrize(
    "kind", [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "Europe/Oslo")]
)
def test_parquet_dates(tmp_path, kind):
    middays = [dt.datetime.combine(day, dt.time(22)) for day in DAYS]
    values = pa.array([*(DAYS if pa.types.is_date(kind) else middays), None]).cast(kind)
    pq.write_table(pa.table({"day": values}), tmp_path / "a.parquet")
    assert dated(tmp_path / "a.parquet", "native") == [*DAYS, None]
    zoned = any("time zone" in rule for rule in found(tmp_path / "a.parquet"))
    assert zoned == (getattr(kind, "tz", None) is not None)


# --------------------------------------------------------- values in every format


def mixed(rows: int = 23) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    numbers = rng.integers(-50, 3000, rows).astype(float)
    numbers[::5] = np.nan
    return pd.DataFrame({
        "key": [f"{n:03d}a" for n in range(rows)], "text": [("ærlig", "", "b c", "å;ø")[n % 4] for n in range(rows)],
        "whole": numbers, "part": rng.integers(0, 4000, rows) / 16, "day": [DAYS[n % 3] for n in range(rows)],
    })  # fmt: skip


@pytest.mark.parametrize("file", FORMATS)
def test_pieces_of_any_size_make_the_same_table(tmp_path, file):
    table = mixed()
    path = write(tmp_path / f"a.{file}", table, {"day": OWN})
    whole = everything(path)
    assert whole["key"].tolist() == table["key"].tolist()
    assert whole["text"].tolist() == table["text"].tolist()
    for column in ("whole", "part"):
        numbers, bad = convert(whole[column], Column(type="number", meaning=column), decimal=".")
        assert not bad.any()
        np.testing.assert_array_equal(numbers.to_numpy(dtype=float), table[column])
    for size in (1, 7, 23):
        raw = open_raw(path, ANY, source())
        parts = list(chunks(raw, size=size))
        assert [len(part) for part in parts] == [size] * (23 // size) + [23 % size] * bool(23 % size)
        pd.testing.assert_frame_equal(pd.concat(parts), whole)
        assert raw.rows in (None, 23)
    asked = pd.concat(list(chunks(open_raw(path, ANY, source()), ["part", "key"], size=5)))
    pd.testing.assert_frame_equal(asked, whole[["part", "key"]])


@pytest.mark.parametrize("file", [f for f in FORMATS if f != "xpt"])
def test_file_without_rows_is_one_empty_piece(tmp_path, file):
    path = write(tmp_path / f"a.{file}", mixed().iloc[:0])
    parts = list(chunks(open_raw(path, ANY, source())))
    assert len(parts) == 1
    assert list(parts[0].columns) == list(mixed().columns)
    assert parts[0].empty


@pytest.mark.parametrize("file", FORMATS)
def test_damaged_and_truncated_files_are_refused_whole(tmp_path, file):
    table = pd.DataFrame({"key": [SECRET] * 500, "n": np.arange(500.0), "last": ["x"] * 500})
    path = write(tmp_path / f"a.{file}", table)
    content = path.read_bytes()
    cuts = (
        [content[: content.rindex(b"x") - 1]] if file == "csv" else [content[:n] for n in (90, len(content) // 2, -160, -80, -3)]
    )
    for changed in [b"", b"\x00\x01" * 300, b"PK\x03\x04" * 50 + b"\0", *cuts]:
        path.write_bytes(changed)
        refused(path)


def test_sas_transport_file_of_version_5(tmp_path):
    path = tmp_path / "a.xpt"
    table = pd.DataFrame({"KEY": [SECRET] * 50, "N": np.arange(50.0)})
    pyreadstat.write_xport(table, str(path), file_format_version=5)
    assert everything(path, 7)["N"].tolist() == list(range(50))
    content = path.read_bytes()
    # a cut behind a whole row that is a whole record too cannot be seen in this version
    for cut in (-80, -160):
        path.write_bytes(content[:cut])
        refused(path)


def test_parquet_values(tmp_path):
    from decimal import Decimal

    big = 2**60 + 1
    table = pa.table({
        "holes": pa.array([big, None, 3], pa.int64()), "long": pa.array([big, 1, 2], pa.int64()), "small": pa.array([1, None, 3], pa.int8()),
        "kind": pa.array(["a", None, "a"]).dictionary_encode(), "money": pa.array([Decimal("12.50"), None, Decimal("1.25")]),
        "count": pa.array([Decimal(5), None, Decimal(7)]), "yes": pa.array([True, None, False]), "half": pa.array([0.5, None, 1.0], pa.float32()),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    got = everything(tmp_path / "a.parquet", size=2)
    assert got["holes"].tolist() == [str(big), "", "3"]
    assert got["long"].tolist() == [big, 1, 2]
    assert got["kind"].tolist() == ["a", "", "a"]
    np.testing.assert_array_equal(got["yes"].to_numpy(dtype=float), [1, np.nan, 0])
    assert got["count"].tolist() == ["5", "", "7"]
    for column, expected in (("small", [1, np.nan, 3]), ("money", [12.5, np.nan, 1.25]), ("half", [0.5, np.nan, 1])):
        np.testing.assert_array_equal(got[column].to_numpy(dtype=float), expected)
    pq.write_table(pa.table({"nested": [[1], [2]]}), tmp_path / "b.parquet")
    refused(tmp_path / "b.parquet", "column nested")


def test_codes_declared_missing_in_spss_are_missing_and_counted(tmp_path):
    table = pd.DataFrame({"a": [1.0, 99, 98, np.nan], "b": ["x", "uk", "", "y"], "c": [1.0, -5, -3, 2]})
    pyreadstat.write_sav(table, str(tmp_path / "a.sav"), missing_ranges={"a": [98, 99], "b": ["uk"], "c": [{"lo": -9, "hi": -1}]},
                         variable_value_labels={"a": {1: "Kari sin kode"}}, column_labels={"a": "navn"}, note="et notat")  # fmt: skip
    raw = open_raw(tmp_path / "a.sav", ANY, source())
    got = pd.concat(list(chunks(raw, size=3)))
    np.testing.assert_array_equal(got["a"], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(got["c"], [1, np.nan, np.nan, 2])
    assert got["b"].tolist() == ["x", "", "", "y"]
    assert {f.rule.split(":")[0]: (f.count, f.total) for f in raw.findings} == {
        "column a": (2, 4),
        "column b": (1, 4),
        "column c": (2, 4),
    }
    assert {"Kari sin kode", "navn", "et notat"} <= set(raw.labels)


def test_stata_s_extended_missing_values_are_missing_and_counted(tmp_path):
    table = pd.DataFrame({"n": [1, "a", "z", 4], "s": ["x" * 3000, "", "å", "y"]})
    pyreadstat.write_dta(table, str(tmp_path / "a.dta"), missing_user_values={"n": ["a", "z"]}, version=15)
    assert found(tmp_path / "a.dta") == {"column n: codes that the file declares missing": (2, 4)}
    got = everything(tmp_path / "a.dta")
    np.testing.assert_array_equal(got["n"], [1, np.nan, np.nan, 4])
    long = pd.DataFrame({"s": ["å" * 3000, "", "b"]})
    long.to_stata(tmp_path / "b.dta", version=118, convert_strl=["s"], write_index=False)
    assert everything(tmp_path / "b.dta", size=2)["s"].tolist() == ["å" * 3000, "", "b"]


def test_excel_as_people_make_it(tmp_path):
    book = openpyxl.Workbook()
    cover = book.active
    cover.title, cover.sheet_state = "skjult", "hidden"
    cover.append(["not this"])
    sheet = book.create_sheet("Data")
    for row in (
        [],
        ["key", "n", "code", None, "hours"],
        ["001", 1, 7, None, "8,5"],
        [123, 2.5, "x", None, 7.5],
        [4, None, 8, None, 7],
    ):
        sheet.append(row)
    sheet["B5"].data_type, sheet["B5"].value = "e", "#N/A"
    book.create_sheet("Mer").append(["other"])
    book.save(tmp_path / "a.xlsx")
    got = everything(tmp_path / "a.xlsx")
    assert got.to_dict("list") == {
        "key": ["001", "123", "4"], "n": ["1", "2,5", "#N/A"], "code": ["7", "x", "8"], "hours": ["8,5", "7,5", "7"]}  # fmt: skip
    _, bad = convert(got["n"], Column(type="number", meaning="n"), decimal=",")
    assert bad.tolist() == [False, False, True]
    findings = found(tmp_path / "a.xlsx")
    assert findings["column n: cells whose formula went wrong (#N/A and the like)"] == (1, 3)
    assert findings["the workbook has further sheets (1 hidden)"] == (2, 3)
    assert column_names(tmp_path / "a.xlsx", ANY, source(sheet="Mer")) == ["other"]
    refused(tmp_path / "a.xlsx", "there is no sheet Nei", "Data", how=source(sheet="Nei"))
    assert everything(tmp_path / "a.xlsx", how=source(sheet="skjult")).empty


def test_excel_with_a_title_or_merged_names_is_refused(tmp_path):
    book = openpyxl.Workbook()
    for row in (["Uttrekk 2015"], ["key", "n"], [SECRET, 2]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    refused(tmp_path / "a.xlsx", "have no name", "one row of names")
    openpyxl.Workbook().save(tmp_path / "b.xlsx")
    refused(tmp_path / "b.xlsx", "is empty")


# --------------------------------------------------------- delimited text

FIELD = st.text(st.sampled_from('ab;"\n\r, åÃ¥'), max_size=4)


@st.composite
def texts(draw: st.DrawFn) -> str:
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=6))
    out = io.StringIO()
    style = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(out, delimiter=";", quoting=style, lineterminator=end + draw(st.sampled_from(["", "", end, " " + end])))
    tail = draw(st.sampled_from([[], [], [""]]))
    writer.writerow([f"c{n}" for n in range(width)] + draw(st.sampled_from([tail, []])))
    writer.writerows([row + tail for row in rows])
    text = out.getvalue()
    spot = draw(st.integers(0, len(text)))
    # now and then something that no writer would write, or a file cut short
    spoilt = draw(st.sampled_from([text, text, text[:spot], text[:spot] + draw(FIELD) + text[spot:]]))
    return draw(st.sampled_from(["", "\n", " \n"])) + spoilt


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("text")


def road(path: Path, fast: bool, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, object]:
    def closed(*_: object) -> object:
        raise text_files._OddError

    with monkeypatch.context() as patch:
        if not fast:
            patch.setattr(text_files, "_fast", closed)
        try:
            return "read", everything(path, size).to_dict("list")
        except DataError as error:
            return "refused", str(error)


@settings(max_examples=150, deadline=None)
@given(text=texts(), size=st.sampled_from([1, 2, 100]), encoding=st.sampled_from(["utf-8", "latin-1", "utf-8-sig"]))
def test_the_fast_and_the_careful_road_lead_to_the_same(one_folder, text, size, encoding):
    path = one_folder / "a.csv"
    path.write_bytes(text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        assert road(path, True, size, patch) == road(path, False, 100, patch)


def test_the_fast_road_is_taken(tmp_path, monkeypatch):
    def closed(*_: object) -> object:
        raise AssertionError("the careful road was taken")

    monkeypatch.setattr(text_files, "_careful", closed)
    (tmp_path / "a.csv").write_bytes('\n"a;";b\n1;"x\ny"\n\n \n"2";å\n'.encode("latin-1"))
    assert everything(tmp_path / "a.csv", 1, source(encoding="latin-1")).to_dict("list") == {"a;": ["1", "2"], "b": ["x\ny", "å"]}


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16"])
def test_text_of_any_delimiter_and_encoding(tmp_path, delimiter, encoding):
    path = tmp_path / "a.csv"
    how = source(delimiter=delimiter, encoding="utf-8" if encoding == "utf-16" else encoding)
    path.write_bytes(f"nøkkel{delimiter}pris\næ{delimiter}8.5\nå{delimiter}\n".encode(encoding))
    got = everything(path, how=how)
    assert got.to_dict("list") == {"nøkkel": ["æ", "å"], "pris": ["8.5", ""]}


def test_oddity_late_in_a_file_changes_no_row_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_BLOCK", 1 << 12)
    careful, calls = text_files._careful, []
    monkeypatch.setattr(text_files, "_careful", lambda *how: calls.append(1) or careful(*how))
    path, rows = tmp_path / "a.csv", "".join(f"{n};x{n}\n" for n in range(3000))
    path.write_text("a;b\n" + rows + "3000;y;\n")
    parts = chunks(open_raw(path, ANY, source()), size=100)
    first = next(parts)
    assert not calls
    assert pd.concat([first, *parts])["a"].astype(int).tolist() == list(range(3001))
    assert calls
    path.write_text("a;b\n" + rows + f"{SECRET};y;z\n")
    refused(path, "data row 3001 (1 row)")


def test_short_rows_are_filled_up_only_where_the_study_says(tmp_path):
    path, pad = tmp_path / "a.csv", source(short_rows="pad")
    path.write_text(f"key;b;c\n{SECRET};2;3\n1;2\n1\n1;2;3\n")
    message = refused(path, 'short_rows = "pad"', "data rows 2, 3 (2 rows)")
    assert "the file is whole" in message
    assert everything(path, how=pad)["c"].tolist() == ["3", "", "", "3"]
    assert found(path, pad) == {"rows shorter than the header": (2, 4)}
    for cut in ("key;b;c\n1;2;3\n1;2\n", "key;b;c\n1;2;3\n1;2\n1;2\n1\n", "key;b;c\n1;2\n1;2;3\n1;2", "key;b;c\n1;2\n1;2\n",
                "key;b;c\n1;2\n1;2;3\n1;2;3;4\n", 'key;b;c\n1;2\n1;2;3\n1;2;"3'):  # fmt: skip
        path.write_text(cut)
        refused(path, how=pad)
    # a column that the layout needs is never made up
    path.write_text("key;b;c\n1;2\n1;2;3\n1;2\n1;2\n")
    assert len(everything(path, how=pad)) == 4
    with pytest.raises(DataError, match="another number of columns"):
        list(chunks(open_raw(path, layout(c="required"), pad)))


def test_file_that_ends_inside_quotes_is_damaged(tmp_path):
    (tmp_path / "a.csv").write_text(f'a;b\n1;2\n3;"{SECRET}\n')
    refused(tmp_path / "a.csv", "damaged")


def test_garbled_letters_are_counted_and_columns_still_found(tmp_path):
    path = tmp_path / "a.csv"
    for shown in ("latin-1", "cp1252"):
        garbled = "når ÆØÅ é".encode().decode(shown)
        header = "fødselsår".encode().decode(shown)
        path.write_text(f"key;{header}\n1;{garbled}\n2;på\n3;{garbled}\n4;\ufffd\n", encoding="utf-8")
        findings = found(path)
        assert findings["column names with UTF-8 letters shown as Latin-1"] == (1, 2)
        assert findings["column fødselsår: values with UTF-8 letters shown as Latin-1"] == (2, 4)
        assert findings["column fødselsår: values with letters that an earlier program has lost"] == (1, 4)
        assert column_names(path, ANY, source()) == ["key", "fødselsår"]
        assert next(chunks(open_raw(path, ANY, source()), ["fødselsår"]))["fødselsår"].tolist()[1] == "på"
        assert read_text(path, ";", "utf-8", [header]).shape == (4, 1)
        assert open_raw(path, ANY, source()).columns == ["key", header]


def test_encoding_stated_wrongly(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(f"a;b\n{SECRET}å;2\n".encode())
    for stated in ("latin-1", "cp1252"):
        refused(path, "this is utf-8 text", 'encoding = "utf-8"', how=source(encoding=stated))
    path.write_bytes(f"a;b\n{SECRET}å;2\n".encode("latin-1"))
    refused(path, "not utf-8 text", 'encoding = "latin-1"')
    path.write_bytes(b"\xef\xbb\xbf" + "a;b\nå;2\n".encode())
    assert everything(path, how=source(encoding="latin-1"))["a"].tolist() == ["å"]
    assert list(found(path, source(encoding="latin-1"))) == [
        "the file begins with a mark that it is utf-8, not latin-1 as stated"
    ]
    assert found(path) == {}
