"""Identity numbers out, keyed pseudonyms in: the same in every file and format, all else as it was, no value and no key told."""

from __future__ import annotations

import codecs
import hashlib
import hmac
import re
from base64 import b32encode
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyreadstat
import pytest
from click.testing import CliRunner, Result
from identity_numbers import several
from pyarrow import parquet

from ips_outcomes.cli import main
from ips_outcomes.errors import DataError, UnsupportedError
from ips_outcomes.loaders import rewrite
from ips_outcomes.loaders.pseudonymise import pseudonym, pseudonymise, read_key

KEY = b"a key of this test, and no secret at all"
#: Born on the first nine days, so that the zero in front can be lost.
NUMBERS = several(30, 1, first_days=range(1, 10))
NAMES = dict(zip(NUMBERS, (pseudonym(number, KEY) for number in NUMBERS), strict=True))


def written(number: str, i: int) -> str:
    """One of the ways in which a number stands in a file."""
    return [number, number[1:], f"{number[:6]} {number[6:]}", f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:]}",
            f"{number}.0", f" {number} "][i % 6]  # fmt: skip


def command(*arguments: object, key: bytes | None = KEY) -> Result:
    """The command, which never tells a number or the key."""
    environment = {} if key is None else {"THE_KEY": key.decode()}
    result = CliRunner().invoke(main, ["pseudonymise", *map(str, arguments)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert KEY.decode() not in result.output and not re.search(r"\d{6}.?\d{5}", result.output)
    return result


def only(folder: Path) -> Path:
    (path,) = [path for path in folder.iterdir() if path.name != ".ips_outcomes.json"]
    return path


def test_the_pseudonym_is_the_keyed_hash_of_the_digits() -> None:
    expected = "P" + b32encode(hmac.new(KEY, b"15108695088", hashlib.sha256).digest()).decode()[:20]
    assert pseudonym("15108695088", KEY) == expected
    assert pseudonym("15108695088", KEY + b"2") != expected


FILES = {
    "plain": ("utf-8", ";", "\n", '"'), "mark at the start": ("utf-8-sig", ";", "\r\n", '"'), "latin-1": ("latin-1", "\t", "\r\n", '"'),
    "utf-16": ("utf-16", ",", "\n", '"'), "no quotes": ("utf-8", "|", "\n", ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_text_files_change_in_those_cells_alone(tmp_path: Path, kind: str) -> None:
    encoding, mark, end, quote = FILES[kind]
    path = tmp_path / "skjema.txt"

    def text(numbers: list[str]) -> str:
        rows = [["løpenr", f"{quote}Fødselsnr{quote}", "beløp", "notat"]]
        for i, number in enumerate(numbers):
            note = f'{quote}sa ""hei{mark}{end}på deg{quote}' if quote and i % 3 == 0 else f"  blå{i} "
            rows.append([f"{i:03d}", f"{quote}{number}{quote}" if i % 2 else number, f"{i}.50", note])
        return end + end.join(mark.join(row) for row in rows) + (end + end if kind == "plain" else "")

    before = [written(number, i) for i, number in enumerate(NUMBERS)]
    path.write_bytes(text(before).encode(encoding))
    result = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "skjema.txt").read_bytes() == text([NAMES[number] for number in NUMBERS]).encode(encoding)
    assert result.stdout.splitlines() == ["skjema.txt, column Fødselsnr: 30 cells replaced", str(tmp_path / "out")]


def test_a_big_text_file_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "_ROWS", 700)
    numbers = [written(NUMBERS[i % 30], i) for i in range(3001)]
    path = tmp_path / "big.csv"
    path.write_text("n;fnr\n" + "".join(f"{i};{number}\n" for i, number in enumerate(numbers)), encoding="utf-8")
    assert pseudonymise([path], tmp_path / "out", KEY)[0].cells == 3001
    lines = (tmp_path / "out" / "big.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == [f"{i};{NAMES[NUMBERS[i % 30]]}" for i in range(3001)]


def test_the_same_person_in_every_format(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    floats = pd.DataFrame(
        {"fnr": [*map(float, NUMBERS), np.nan], "n": range(31), "day": [20000.0] * 30 + [np.nan], "s": ["ø"] * 31}
    )
    labels = {"column_labels": {"fnr": "Fødselsnummer", "n": "Nummer"}, "variable_value_labels": {"n": {1: "en", 2: "to"}}}
    pyreadstat.write_dta(floats, folder / "a.dta", file_label="fil", variable_format={"day": "%td"}, **labels)
    pyreadstat.write_sav(floats, folder / "b.sav", note="laget", missing_ranges={"n": [3]}, variable_measure={"n": "nominal"},
                         variable_format={"fnr": "F11.0", "day": "DATE11"}, **labels)  # fmt: skip
    pyreadstat.write_sav(floats.assign(fnr=[*NUMBERS, ""]), folder / "c.zsav", compress=True)
    floats.assign(fnr=pd.array([*map(int, NUMBERS), None], dtype="Int64")).to_parquet(folder / "d.parquet")
    book = openpyxl.Workbook()
    book.active.append(["fnr", "n", "dag"])
    for i, number in enumerate(NUMBERS):
        book.active.append([int(number) if i % 2 else number, i + 0.5, pd.Timestamp("2020-02-03").to_pydatetime()])
    book.save(folder / "e.xlsx")
    pd.DataFrame({"PID": [written(number, i) for i, number in enumerate(NUMBERS)]}).to_csv(folder / "f.csv", index=False)
    result = command(*sorted(folder.iterdir()), "--out", out, "--key-env", "THE_KEY")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("30 cells replaced") == 6
    expected = [NAMES[number] for number in NUMBERS]

    stata, meta = pyreadstat.read_dta(out / "a.dta", disable_datetime_conversion=True)
    assert stata["fnr"].tolist() == [*expected, ""]
    pd.testing.assert_frame_equal(stata.drop(columns="fnr"), floats.drop(columns="fnr"), check_dtype=False)
    assert meta.column_names_to_labels["fnr"] == "Fødselsnummer" and meta.variable_value_labels == {"n": {1: "en", 2: "to"}}
    assert meta.original_variable_types["day"] == "%td" and meta.file_label == "fil"
    spss, meta = pyreadstat.read_sav(out / "b.sav", disable_datetime_conversion=True, user_missing=True)
    assert spss["fnr"].tolist() == [*expected, ""]
    pd.testing.assert_frame_equal(spss.drop(columns="fnr"), floats.drop(columns="fnr"), check_dtype=False)
    assert meta.missing_ranges == {"n": [{"lo": 3.0, "hi": 3.0}]} and meta.notes == ["laget"]
    assert meta.variable_measure["n"] == "nominal" and meta.original_variable_types["day"] == "DATE11"
    assert meta.column_names_to_labels["n"] == "Nummer" and meta.variable_value_labels == {"n": {1.0: "en", 2.0: "to"}}
    assert pyreadstat.read_sav(out / "c.zsav")[0]["fnr"].tolist() == [*expected, ""]
    table = pd.read_parquet(out / "d.parquet")
    assert table["fnr"].tolist() == [*expected, None]
    pd.testing.assert_frame_equal(table.drop(columns="fnr"), floats.drop(columns="fnr"))
    lines = (out / "e.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["fnr;n;dag", f"{expected[0]};0.5;2020-02-03"]
    assert pd.read_csv(out / "f.csv")["PID"].tolist() == expected
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert KEY not in everything and not any(number.encode() in everything for number in NUMBERS)


def test_stata_types_and_coded_missing_values_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.dta"
    table = pd.DataFrame(
        {"fnr": NUMBERS, "svar": pd.Series([1, "a", "b"] * 10, dtype=object), "antall": np.arange(30, dtype="int16")}
    )
    pyreadstat.write_dta(table, path, missing_user_values={"svar": ["a", "b"]})
    pseudonymise([path], tmp_path / "out", KEY)
    (old, before), (new, after) = (pyreadstat.read_dta(p, user_missing=True) for p in (path, tmp_path / "out" / "a.dta"))
    assert new["svar"].tolist() == old["svar"].tolist() == [1, "a", "b"] * 10
    assert after.missing_user_values == before.missing_user_values
    assert after.readstat_variable_types["antall"] == before.readstat_variable_types["antall"]


def test_parquet_keeps_types_categories_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"kat": pa.array(["a", None, "b"]).dictionary_encode(), "id": pa.array(NUMBERS[:3]).dictionary_encode(),
                      "n": pa.array([1, None, 2**53 + 1], pa.int64())}).replace_schema_metadata({"kilde": "register"})  # fmt: skip
    parquet.write_table(table, path)
    pseudonymise([path], tmp_path / "out", KEY)
    after = parquet.read_table(tmp_path / "out" / "a.parquet")
    assert after["id"].to_pylist() == [NAMES[number] for number in NUMBERS[:3]]
    assert after.drop_columns("id").equals(table.drop_columns("id")) and after.schema.metadata == table.schema.metadata


def test_numbers_in_free_text_and_file_names(tmp_path: Path) -> None:
    one, two = NUMBERS[:2]
    path = tmp_path / f"notat_{one}.csv"
    path.write_text(f'id;notat\n1;"ring ""{one[:6]} {one[6:]}"" og {two}, nå"\n2;ingen\n3;{one},{two}\n', encoding="utf-8")
    stopped = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY")
    assert stopped.exit_code == 1 and "row 2 (1 cell)" in stopped.stderr and "notat_***********.csv" in stopped.stderr
    assert not (tmp_path / "out").exists()
    done = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--others", "keep")
    assert "notat_***********.csv, column notat: 2 cells replaced, 1 without a number kept" in done.stdout
    new = only(tmp_path / "out")
    assert new.name == f"notat_{NAMES[one]}.csv"
    assert new.read_text(encoding="utf-8") == (
        f'id;notat\n1;"ring ""{NAMES[one]}"" og {NAMES[two]}, nå"\n2;ingen\n3;{NAMES[one]},{NAMES[two]}\n'
    )


def test_a_file_name_alone_is_worth_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / f"{NUMBERS[0]}.csv"
    path.write_bytes(b"a;b\n1;2\n")
    assert pseudonymise([path], tmp_path / "out", KEY) == []
    assert only(tmp_path / "out").name == f"{NAMES[NUMBERS[0]]}.csv" and only(tmp_path / "out").read_bytes() == b"a;b\n1;2\n"


@pytest.mark.parametrize("others, cells", [("keep", ["ukjent", "1234"]), ("blank", ["", ""])])
def test_what_is_no_number_is_refused_kept_or_emptied(tmp_path: Path, others: str, cells: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,Key\n" + "".join(f'{i},"{value}"\n' for i, value in enumerate([NUMBERS[0], "ukjent", "", "1234"])))
    stopped = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--columns", "key")
    assert stopped.exit_code == 1 and "a.csv, column Key, rows 2, 4 (2 cells)" in stopped.stderr
    assert "ukjent" not in stopped.output and not (tmp_path / "out").exists()
    done = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--columns", "key", "--others", others)
    assert done.exit_code == 0, done.output
    first, second = cells
    assert (tmp_path / "out" / "a.csv").read_text() == f'id,Key\n0,"{NAMES[NUMBERS[0]]}"\n1,"{first}"\n2,""\n3,"{second}"\n'


def test_what_is_left_elsewhere_stops_it(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text("mor;far\n" + "".join(f"{a};{b}\n" for a, b in zip(NUMBERS[:15], NUMBERS[15:], strict=True)))
    left = command(csv, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--columns", "mor")
    assert left.exit_code == 1 and "a.csv, column far (15 values)" in left.stderr and "--columns" in left.stderr
    assert command(csv, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--columns", "mor", "--columns", "far").exit_code == 0
    header = tmp_path / "b.csv"
    header.write_text(f"fnr;svar {NUMBERS[0]}\n{NUMBERS[1]};1\n")
    label = tmp_path / "c.sav"
    pyreadstat.write_sav(
        pd.DataFrame({"fnr": NUMBERS, "n": range(30)}), label, variable_value_labels={"n": {1: f"som {NUMBERS[3]}"}}
    )
    variable = tmp_path / "d.dta"
    pyreadstat.write_dta(pd.DataFrame({"fnr": NUMBERS, "n": range(30)}), variable, column_labels={"n": f"fra {NUMBERS[3]}"})
    for path, place in ((header, "column names"), (label, "labels and notes"), (variable, "labels and notes")):
        before = sorted(tmp_path.rglob("*"))
        stopped = command(path, "--out", tmp_path / "other", "--key-env", "THE_KEY")
        assert stopped.exit_code == 1 and f"{path.name}, {place} (1 value)" in stopped.stderr
        assert sorted(tmp_path.rglob("*")) == before


def test_labels_of_a_replaced_column_go_with_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.sav"
    labels = {"fnr": {float(NUMBERS[0]): "Ola"}}
    pyreadstat.write_sav(pd.DataFrame({"fnr": list(map(float, NUMBERS))}), path, variable_value_labels=labels)
    pseudonymise([path], tmp_path / "out", KEY)
    assert pyreadstat.read_sav(tmp_path / "out" / "a.sav")[1].variable_value_labels == {}


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.txt").write_bytes(KEY + b"\r\n")
    monkeypatch.setenv("THE_KEY", KEY.decode())
    assert read_key(tmp_path / "key.txt") == read_key(variable="THE_KEY") == KEY
    (tmp_path / "short").write_bytes(b"s" * 31 + b"\n")
    for wrong, said in (("short", "31 bytes"), ("nowhere", "no key file")):
        with pytest.raises(UnsupportedError, match=f"{said}.*secrets.token_hex"):
            read_key(tmp_path / wrong)
    with pytest.raises(UnsupportedError, match="not set"):
        read_key(variable="ANOTHER_KEY")
    with pytest.raises(UnsupportedError, match="needs at least 32"):
        pseudonymise([], tmp_path / "out", b"short")


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"fnr\n{NUMBERS[0]}\n")
    for more in ((), ("--key-env", "THE_KEY", "--key-file", path), ("--key-env", "THE_KEY", "--delimiter", "ab")):
        assert command(path, "--out", tmp_path / "out", *more).exit_code == 2
    assert command("--out", tmp_path / "out", "--key-env", "THE_KEY").exit_code == 2
    assert command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY", key=None).exit_code == 1


def test_inputs_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.csv"
    path.parent.mkdir()
    path.write_text(f"fnr\n{NUMBERS[0]}\n")
    (tmp_path / "in2").mkdir()
    twin = tmp_path / "in2" / "A.csv"
    twin.write_text(f"fnr\n{NUMBERS[1]}\n")
    for files, out, said in (([path], path.parent, "lies in the folder"), ([path, twin], tmp_path / "out", "two files would be written"),
                             ([path.with_name("b.csv")], tmp_path / "out", "no such file"), ([path], path, "lies in the folder")):  # fmt: skip
        with pytest.raises((DataError, UnsupportedError), match=said):
            pseudonymise(files, out, KEY)
    assert path.read_text() == f"fnr\n{NUMBERS[0]}\n" and not (tmp_path / "out").exists()
    pseudonymise([path], tmp_path / "out", KEY)
    with pytest.raises(DataError, match="lies in the folder"):
        pseudonymise([tmp_path / "out" / "a.csv"], tmp_path / "out", KEY)


@pytest.mark.parametrize("name, content, said", [
    ("a.doc", b"x", "not rewritten"), ("a.csv", b"", "empty"), ("a.csv", b'fnr\n"15', "never closed"), ("a.sav", b"x", "damaged"),
    ("a.parquet", b"x", "damaged"), ("a.xlsx", b"x", "damaged"), ("a.csv", b"a;b,c\n1;2,3\n", "several characters"),
    ("a.csv", b"navn;alder\nx;3\n", "no column of these files holds"),
])  # fmt: skip
def test_what_cannot_be_done_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    result = command(tmp_path / name, "--out", tmp_path / "out", "--key-env", "THE_KEY")
    assert result.exit_code == 1 and said in result.stderr
    assert not (tmp_path / "out").exists()


def test_columns_that_are_in_some_of_the_files(tmp_path: Path) -> None:
    for name, column in (("a.csv", "fnr"), ("b.csv", "lnr")):
        (tmp_path / name).write_text(f"{column};x\n{NUMBERS[0] if column == 'fnr' else 'K1'};1\n")
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    pseudonymise(files, tmp_path / "out", KEY, ["fnr"])
    assert (tmp_path / "out" / "b.csv").read_bytes() == files[1].read_bytes()
    with pytest.raises(DataError, match=r"(?s)a.csv and 1 more files.*there is no column \*{11}"):
        pseudonymise(files, tmp_path / "out", KEY, ["fnr", NUMBERS[0]])


def test_a_stated_delimiter_and_damaged_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    raw = codecs.BOM_UTF8 + f'fnr;b,c\n{NUMBERS[0]};2",3\n"{NUMBERS[1]}"x;"a""b"\n'.encode() + b"\n\n"
    path.write_bytes(raw)
    done = command(path, "--out", tmp_path / "out", "--key-env", "THE_KEY", "--delimiter", ";")
    assert done.exit_code == 0, done.output
    expected = raw.replace(NUMBERS[0].encode(), NAMES[NUMBERS[0]].encode())
    assert (tmp_path / "out" / "a.csv").read_bytes() == expected.replace(NUMBERS[1].encode(), NAMES[NUMBERS[1]].encode())


def test_a_workbook_of_several_sheets_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["fnr"])
    book.create_sheet("andre").append([NUMBERS[0]])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="2 sheets that hold something"):
        pseudonymise([tmp_path / "a.xlsx"], tmp_path / "out", KEY)
