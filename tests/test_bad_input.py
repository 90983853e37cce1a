"""What a careless or unlucky user does to a study: each ends in a message that says where and what to do, or is counted.

No message ever holds a key of anybody in the data.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner, Result

import ips_outcomes as ips
from ips_outcomes.cli import main

HEADING = re.compile(r"^\d+ problem", re.MULTILINE)
REMEDY = re.compile(r"^ +-> \S", re.MULTILINE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return ips.simulate_study(tmp_path_factory.mktemp("bad") / "study", seed=5, participants=60).parent


@pytest.fixture(scope="module")
def keys(whole) -> set[str]:
    """Every participant and delivery key of the data, those of strangers to the trial included."""
    tables = [pd.read_csv(whole / "extracts/linkage.csv", sep=";", dtype=str)]
    tables += [pd.read_csv(p, sep=";", dtype=str, encoding="latin-1").iloc[:, :1] for p in (whole / "extracts").glob("f*.csv")]
    found = {str(key) for table in tables for column in table for key in table[column].dropna()}
    found |= set(pyreadstat.read_sav(str(whole / "extracts/trial.sav"))[0]["deltaker"].astype(str))
    assert len(found) > 200
    assert all(len(key) > 3 for key in found)
    return found


@pytest.fixture
def study(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "study"))


@pytest.fixture
def check(keys) -> Callable[[Path], Result]:
    def run(path: Path) -> Result:
        result = CliRunner().invoke(main, ["check", str(path)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        assert not [key for key in keys if key in result.output]
        return result

    return run


@pytest.fixture
def refused(check) -> Callable[..., str]:
    def run(path: Path, *said: str) -> str:
        result = check(path)
        assert result.exit_code == 1, result.output
        assert HEADING.search(result.stderr)
        assert REMEDY.search(result.stderr)
        for text in said:
            assert text in result.stderr
        return result.stderr

    return run


def problems(message: str) -> int:
    return len(REMEDY.findall(message))


def edit(study: Path, *changes: tuple[str, str]) -> None:
    path = study / "study.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def without(study: Path, *tables: str) -> None:
    """Take whole tables out of the study file."""
    path = study / "study.toml"
    parts = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    kept = [part for part in parts if not part.startswith(tables)]
    assert len(kept) < len(parts)
    path.write_text("".join(kept), encoding="utf-8")


def change(study: Path, file: str, how: Callable[[bytes], bytes]) -> None:
    path = study / "extracts" / file
    path.write_bytes(how(path.read_bytes()))


def change_trial(study: Path, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = str(study / "extracts" / "trial.sav")
    table = pyreadstat.read_sav(path, disable_datetime_conversion=True)[0]
    pyreadstat.write_sav(how(table), path, variable_format={"rand_dato": "DATE11"})


def included(column: str, value: object, number: int = 2) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def how(table: pd.DataFrame) -> pd.DataFrame:
        rows = table.index[table["status"] == 1][:number]
        table.loc[rows, column] = value
        return table

    return how


def spss_day(year: int) -> float:
    return (dt.date(year, 1, 1) - dt.date(1582, 10, 14)).days * 86_400.0


def count(study: Path, source: str, rule: str) -> int:
    table = ips.load_cohort(ips.load_study(study)).quality
    rows = table[(table["source"] == source) & table["rule"].str.startswith(rule)]
    return int(rows["count"].sum())


def line_of(study: Path, start: str) -> int:
    lines = (study / "study.toml").read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, start=1) if line.startswith(start))


# ---------------------------------------------------------- the study file


@pytest.mark.parametrize("old, new, key, said", [
    ("seed = 5", "sead = 5", "sead", "did you mean seed?"),
    ("months = 43", "monts = 43", "follow_up.monts", "did you mean months?"),
    ('arm = "gruppe"', 'armm = "gruppe"', "sources.trial.columns.armm", "did you mean arm?"),
    ('layout = "f_demo"', 'layout = "f_dmo"', "sources.residence.layout", "did you mean f_demo?"),
    ('wage_subsidy = "keep"', 'wage_subsidy = "kep"', "employed.any_job.wage_subsidy", "'strict', 'lenient' or 'keep'"),
    ("history = 24", "history = -2", "follow_up.history", "greater than or equal to 0"),
    ("months = 43", 'months = "many"', "follow_up.months", "this is a whole number"),
    ("landmarks = [12, 18, 43]", "landmarks = [12, 99]", "follow_up.landmarks", "outside months 1 to 43"),
    ("landmarks = [12, 18, 43]", "landmarks = [18, 12]", "follow_up.landmarks", "in rising order"),
    ("landmarks = [12, 18, 43]", "landmarks = 12", "follow_up.landmarks", "in brackets"),
    ("synthetic = true", 'synthetic = "perhaps"', "synthetic", "write true or false"),
    ("synthetic = true", "synthetic = false", "disclosure.profile", "primary5"),
    ('profile = "none"', 'profile = "noen"', "disclosure.profile", "known profiles"),
    ('primary_definition = "ordinary"', 'primary_definition = "ordnary"', "primary_definition", "choose one of: ordinary"),
    ("[employed.any_job]", "[employed.age]", "employed.age", "taken by a column"),
    ("[employed.any_job]", "[employed.severe_illness]", "subgroups.severe_illness", "choose another name"),
    ('"bipolar"]', '"bipolr"]', "subgroups.severe_illness.values", "nobody can have the value bipolr"),
    ('diagnosis_group = "diag_gr"\n', "", "subgroups.severe_illness.column", "leave the subgroup out"),
    ('period = ["2011-01", "2014-12"]', 'period = ["2011-13", "2014-12"]', "sources.aa_register.period", '"2015-01"'),
    ('period = ["2011-01", "2014-12"]', 'period = ["2014-01", "2011-12"]', "sources.aa_register.period", "before it starts"),
    ('period = ["2011-01", "2014-12"]', "", "sources.aa_register.period", "add period"),
    ('files = "extracts/f_demo.csv"', 'files = "extracts/f_dmo.csv"', "sources.residence.files", "put the file there"),
    ('files = "extracts/f_demo.csv"', 'files = "extracts"', "sources.residence.files", "put the file there"),
    ('files = "extracts/f_demo.csv"', 'files = "."', "sources.residence.files", "mend the path"),
    ('files = "extracts/f_demo.csv"', 'files = "extracts/a**"', "sources.residence.files", "mend the path"),
    ('files = "extracts/f_demo.csv"', 'files = "/etc/passwd"', "sources.residence.files", "write a relative path"),
    ('"lnr_aareg"', '"lnr_aareg"\nencoding = "klingon"', "keys.aa_register.encoding", "latin-1"),
    ('"lnr_aareg"', '"lnr_aareg"\nencoding = "base64"', "keys.aa_register.encoding", "latin-1"),
    ('"lnr_aareg"', '"lnr_aareg"\ndelimiter = "\\n"', "keys.aa_register.delimiter", "one mark"),
    ("[keys.schemes]", "[keys.scemes]", "keys.scemes", "these keys belong to no source"),
    ('control = "Usual care"', 'control = "IPS"', "arms", "label of its own"),
    ('reference = "control"', 'reference = "placebo"', "arms", "reference is not one of the arms"),
])  # fmt: skip
def test_study_file_names_line_key_and_remedy(study, refused, old, new, key, said):
    edit(study, (old, new))
    message = refused(study, "study.toml", key, said)
    placed = re.search(rf"line (\d+), {re.escape(key)}\n", message)
    assert placed
    lines = (study / "study.toml").read_text(encoding="utf-8").splitlines()
    last = key.rsplit(".", 1)[-1]
    line = lines[int(placed[1]) - 1]
    # a key that is not there is placed at its table
    assert last in line or line.startswith("["), line


def test_different_faults_in_a_study_file_are_told_in_one_run(study, refused):
    edit(study, ("months = 43", "monts = 43"), ("landmarks = [12, 18, 43]", "landmarks = [18, 12]"),
         ('wage_subsidy = "keep"', 'wage_subsidy = "kep"'), ('layout = "f_demo"', 'layout = "f_dmo"'),
         ('primary_definition = "ordinary"', 'primary_definition = "x"'), ('"extracts/tiltak.csv"', '"extracts/x.csv"'))  # fmt: skip
    message = refused(study, "monts", "rising order", "'keep'", "f_demo?", "primary_definition", "x.csv")
    assert problems(message) == 6


def test_one_wrong_key_brings_no_further_complaints(study, refused):
    for old, new in [('layout = "f_demo"', "layout = 5"), ('label = "Ordinary work"\n', ""),
                     ('delivery = "lnr_tiltak"', 'delivry = "lnr_tiltak"'), ("synthetic = true", "synthetc = true")]:  # fmt: skip
        shutil.copy(study / "study.toml", study / "kept.toml")
        edit(study, (old, new))
        assert problems(refused(study)) == 1
        shutil.copy(study / "kept.toml", study / "study.toml")


@pytest.mark.parametrize("content, said", [
    (b"", "add title"),
    (b'title = "x"\nmonths = \n', "line 2"),
    (b'title = "a"\ntitle = "b"\n', "each key stands once"),
    (b'title = "\xe6"\n', "save it again as UTF-8"),
    ('title = "x"\n'.encode("utf-16"), "save it again as UTF-8"),
    (b'title = 1\nsources = "x"\nkeys = 3\nemployed = [1]\nprimary_definition = "a"\n', "a table of keys"),
    (b'title = "1"\nprimary_definition = "a"\n[sources]\na = "x"\n[keys]\nb = 2\n', "sources.a"),
])  # fmt: skip
def test_study_file_that_is_none(tmp_path, refused, content, said):
    (tmp_path / "study.toml").write_bytes(content)
    refused(tmp_path, "study.toml", said)


def test_empty_study_file_names_all_that_is_needed(tmp_path, refused):
    (tmp_path / "study.toml").touch()
    refused(tmp_path, "add title", "add sources", "add employed", "add primary_definition")


def test_study_file_with_a_byte_order_mark_is_read(study, check):
    path = study / "study.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert check(path).exit_code == 0


def test_path_that_is_no_study_file(study, refused):
    refused(study / "nowhere.toml", "there is no such file")
    refused(study / "extracts", "study.toml", "there is no such file")
    refused(study / "extracts" / "linkage.csv", "linkage.csv", "not readable as TOML")
    refused(study / "extracts" / "trial.sav", "trial.sav", "UTF-8")


@pytest.mark.parametrize("content", [b'title = "x"\nfoo = 1\n', b'title = "\xe6"\n', b"title =\n"])
def test_layout_of_one_s_own_that_is_none(study, refused, content):
    (study / "mine.toml").write_bytes(content)
    edit(study, ('layout = "f_demo"', 'layout = "mine.toml"'))
    message = refused(study, "sources.residence.layout", "the layout file is not")
    # a file that can be read as TOML is told fault by fault: five keys that are needed, one that nothing knows
    assert problems(message) == (7 if b"foo" in content else 1)
    assert ("mine.toml, line 2, foo" in message) == (b"foo" in content)
    assert "pydantic" not in message


def test_subtracting_wage_subsidy_needs_a_source_of_schemes(study, refused, check):
    without(study, "[sources.schemes]", "[keys.schemes]")
    message = refused(study, "employed.ordinary.wage_subsidy", 'wage_subsidy = "keep"', 'if_unanswerable = "skip"')
    # six definitions and a state
    assert problems(message) == 7
    text = (study / "study.toml").read_text(encoding="utf-8")
    text = text.replace('if_unanswerable = "unknown"', "").replace('"lenient" ', '"keep" ')
    text = re.sub(r"(label = .*\n)(?=(month_rule|minimum|without|or_education))", r'\1if_unanswerable = "skip"\n', text)
    text = re.sub(r"\[states\.supported_work\]\n.*\n.*\n", "", text).replace('"supported_work", ', "")
    (study / "study.toml").write_text(text, encoding="utf-8")
    assert check(study).exit_code == 0


# ------------------------------------------------------------- files that fail


@pytest.mark.parametrize("gone, key", [
    ("f_jobber.csv", "sources.aa_register.files"),
    ("ameld_statdata_*", "sources.a_ordning.files"),
    ("linkage.csv", "keys.population.file"),
])  # fmt: skip
def test_missing_file(study, refused, gone, key):
    for path in (study / "extracts").glob(gone):
        path.unlink()
    refused(study, "study.toml, line", key, "no file matches")


def test_missing_monthly_file_is_counted_and_named(study, check):
    (study / "extracts/ameld_statdata_2015_m3.dta").unlink()
    result = check(study)
    assert result.exit_code == 0
    assert "[severe] a_ordning: monthly file missing (2015-03): 1 of 48 months" in result.stdout


CSV = ("f_jobber.csv", "f_demo.csv", "faste_opplysninger.csv", "tiltak.csv", "linkage.csv")


@pytest.mark.parametrize("file", CSV)
def test_text_file_that_is_damaged(whole, study, refused, file):
    raw = (whole / "extracts" / file).read_bytes()
    for content, said in [
        (b"", "the file is empty"),
        (b"\n\n  \n", "the file is empty"),
        (raw.replace(b";", b","), "one column"),
        (bytes(range(256)) * 20, ""),
        (raw + b"1;2;3;4;5;6;7;8;9\n", "rows have another number of columns"),
        (raw + b"1\n", "rows have another number of columns"),
        (raw + b'"1;2\n', "rows have another number of columns"),
        (raw.replace(b";", b";x;", 1), ""),
    ]:
        change(study, file, lambda _, content=content: content)
        assert file in refused(study, said)


@pytest.mark.parametrize("file", CSV)
def test_text_file_that_is_merely_written_otherwise(whole, study, file):
    wanted = ips.load_cohort(ips.load_study(whole))
    raw = (whole / "extracts" / file).read_bytes()
    header, rows = raw.split(b"\n", 1)
    quoted = b"\n".join(b";".join(b'"' + field + b'"' for field in line.split(b";")) for line in raw.strip().split(b"\n"))
    ways = [b"\xef\xbb\xbf" + raw, raw.replace(b"\n", b"\r\n"), raw + b"\n\n \n", quoted, raw.replace(b"\n", b";\n"),
            header + b"\n" + rows.replace(b"\n", b";\n"), raw.decode("latin-1").encode("utf-16"), raw + rows]  # fmt: skip
    for content in ways:
        change(study, file, lambda _, content=content: content)
        got = ips.load_cohort(ips.load_study(study))
        for table in ("participants", "keys", "employment", "pay", "programmes", "residence"):
            pd.testing.assert_frame_equal(getattr(got, table), getattr(wanted, table))


def test_column_called_twice_is_not_chosen_between(study, refused):
    change(study, "f_demo.csv", lambda raw: raw.replace(b"AVGDATO", b"TILGDATO", 1))
    refused(study, "f_demo.csv", "2 columns are called TILGDATO")
    change(study, "linkage.csv", lambda raw: raw.replace(b"lnr_ameld", b"lnr_aareg", 1))
    refused(study, "linkage.csv", "2 columns are called lnr_aareg")


def test_wrong_encoding(study, refused):
    change(study, "f_jobber.csv", lambda raw: raw + b"\xe6;\xf8;\xe5;1\n")
    refused(study, "f_jobber.csv", "not utf-8 text", 'encoding = "latin-1"')


def test_file_cut_in_the_middle_of_a_row(study, refused):
    change(study, "f_jobber.csv", lambda raw: raw.rstrip().rsplit(b";", 2)[0])
    refused(study, "f_jobber.csv, data row", "the file is whole")


@pytest.mark.parametrize("source, file", [("aa_register", "f_jobber.csv"), ("schemes", "tiltak.csv")])
def test_register_with_a_header_only_is_a_severe_finding(study, check, source, file):
    change(study, file, lambda raw: raw.split(b"\n")[0] + b"\n")
    result = check(study)
    assert result.exit_code == 0
    assert f"[severe] {source}: file without any row ({file})" in result.stdout


@pytest.mark.parametrize("file", ["f_demo.csv", "faste_opplysninger.csv", "linkage.csv"])
def test_people_file_with_a_header_only(study, refused, file):
    change(study, file, lambda raw: raw.split(b"\n")[0] + b"\n")
    refused(study, file, "under half")


@pytest.mark.parametrize("file", ["trial.sav", "ameld_statdata_2015_m3.dta"])
def test_statistics_file_that_is_damaged(whole, study, refused, file):
    raw = (whole / "extracts" / file).read_bytes()
    for content in (b"", raw[:100], raw[: len(raw) // 2], raw[:-200], b"a;b\n1;2\n"):
        change(study, file, lambda _, content=content: content)
        refused(study, file, "damaged", "ask for the delivery again")


def test_stata_file_called_csv(study, refused):
    shutil.copy(study / "extracts/ameld_statdata_2015_m3.dta", study / "extracts/f_jobber.csv")
    refused(study, "f_jobber.csv")


@pytest.mark.parametrize("name, said", [
    ("f_jobber.json", "files of type .json"), ("f_jobber", "files of type unknown"), ("f_jobber.xls", "files of type .xls"),
])  # fmt: skip
def test_file_type_that_is_not_read(study, refused, name, said):
    (study / "extracts/f_jobber.csv").rename(study / "extracts" / name)
    edit(study, ("extracts/f_jobber.csv", f"extracts/{name}"))
    refused(study, name, said, ".csv")


def test_linkage_file_of_another_type_or_of_several(study, refused):
    text = (study / "study.toml").read_text(encoding="utf-8")
    shutil.copy(study / "extracts/linkage.csv", study / "extracts/linkage.xlsx")
    (study / "study.toml").write_text(text.replace("linkage.csv", "linkage.xlsx"), encoding="utf-8")
    refused(study, "linkage.xlsx", "delimited text")
    (study / "study.toml").write_text(text.replace("linkage.csv", "linkage.*"), encoding="utf-8")
    refused(study, "2 files match")


def test_stale_copy_of_a_monthly_file(study, refused):
    folder = study / "extracts"
    shutil.copy(folder / "ameld_statdata_2015_m1.dta", folder / "ameld_statdata_2015_m01.dta")
    refused(study, "ameld_statdata_2015_m", "the same month", "keep one")


@pytest.mark.parametrize("name", ["ameld_statdata_kopi_m1.dta", "ameld_statdata_2015_m13.dta"])
def test_monthly_file_of_no_month(study, refused, name):
    shutil.copy(study / "extracts/ameld_statdata_2015_m1.dta", study / "extracts" / name)
    refused(study, name, "does not say which month")


# --------------------------------------------------------- columns and values


def test_column_renamed(study, refused):
    change_trial(study, lambda table: table.rename(columns={"gruppe": "gruppa"}))
    refused(study, "trial.sav", "there is no column gruppe", "did it become gruppa?", "columns.arm")


def test_faults_in_all_extracts_are_told_in_one_run(study, refused):
    change_trial(study, lambda table: table.rename(columns={"gruppe": "gruppa"}))
    change(study, "f_jobber.csv", lambda raw: raw.replace(b"tilgdato_mnd", b"tilgdato", 1))
    change(study, "linkage.csv", lambda raw: raw.replace(b"lnr_tiltak", b"lnr_til", 1))
    change(study, "f_demo.csv", lambda raw: b"")
    change(study, "ameld_statdata_2015_m3.dta", lambda raw: raw[:500])
    message = refused(study, "gruppa", "tilgdato", "lnr_til", "f_demo.csv", "ameld_statdata_2015_m3.dta")
    assert problems(message) == 5


def test_faults_in_several_registers_are_told_in_one_run(study, refused):
    change(study, "f_jobber.csv", lambda raw: re.sub(rb"(?m)^(\d)", rb"0\1", raw))
    change(study, "ameld_statdata_2015_m3.dta", lambda raw: raw[:500])
    change(study, "faste_opplysninger.csv", lambda raw: raw.replace(b"doeds_dato", b"x", 1))
    change(study, "f_demo.csv", lambda raw: b"")
    change(study, "tiltak.csv", lambda raw: raw.replace(b"tiltakskode", b"kode", 1))
    assert problems(refused(study, "f_jobber.csv", "on its linkage list but for their leading zeros")) == 5


@pytest.mark.parametrize("column, value, said", [
    ("gruppe", 9, "add the code to values.arm"),
    ("gruppe", None, "an included person has no arm"),
    ("status", 9, "add the code to values.status"),
    ("kjonn", 9, "add the code to values.sex"),
    ("rand_dato", None, "an included person has no index date"),
    ("rand_dato", 0.0, "not a possible date"),
    ("rand_dato", 1e13, "not a possible date"),
    ("fodt_aarmnd", 198013, "not a possible date"),
])  # fmt: skip
def test_impossible_value_in_the_trial_file(study, refused, column, value, said):
    change_trial(study, included(column, value))
    refused(study, f"trial.sav, column {column} (2 rows)", said)


@pytest.mark.parametrize("year", [1900, 2090])
def test_index_date_far_from_every_delivery(study, check, refused, year):
    change_trial(study, included("rand_dato", spss_day(year)))
    assert "[severe] trial: index date so early or late that no job delivery covers" in check(study).stdout
    change_trial(study, included("rand_dato", spss_day(year), 999))
    refused(study, "trial.sav, column rand_dato (60 rows)", "2011-01 to 2018-12")


@pytest.mark.parametrize("file, pattern, new, column", [
    ("f_demo.csv", rb";(\d{4})(\d\d)(\d\d)", rb";\1-\2-\3", "TILGDATO"),
    ("tiltak.csv", rb"(\d{4})-(\d\d)-(\d\d)", rb"\3.\2.\1", "startDato"),
    ("tiltak.csv", rb"HAR_SLUTTET|DELTAR|FULLFORT|AVBRUTT", rb"X", "deltakerStatus"),
])  # fmt: skip
def test_most_values_of_another_kind(study, refused, file, pattern, new, column):
    change(study, file, lambda raw: re.sub(pattern, new, raw))
    refused(study, f"{file}, column {column}", "check the layout")


def test_nobody_included(study, refused):
    change_trial(study, lambda table: table.assign(status=2.0))
    refused(study, "trial.sav", "nobody is included")
    change_trial(study, lambda table: table.iloc[:0])
    refused(study, "trial.sav", "nobody is included")


def test_arm_with_nobody_is_a_severe_finding(study, check):
    change_trial(study, lambda table: table.assign(gruppe=1.0))
    result = check(study)
    assert "[severe] trial: arm without a participant (Usual care)" in result.stdout
    assert "(IPS 60, Usual care 0)" in result.stdout


# --------------------------------------------------------- twice, and nobody


@pytest.mark.parametrize("choice", ["first", "last", "refuse"])
def test_participant_twice(study, refused, choice):
    def again(table: pd.DataFrame) -> pd.DataFrame:
        more = table[table["status"] == 1].iloc[:3].assign(rand_dato=lambda t: t["rand_dato"] + 90 * 86_400)
        return pd.concat([table, more], ignore_index=True)

    before = ips.load_cohort(ips.load_study(study)).participants.set_index("person_id")["index_date"]
    change_trial(study, again)
    edit(study, ('included_twice = "first"', f'included_twice = "{choice}"'))
    if choice == "refuse":
        refused(study, "trial.sav", "(3 rows)", "stands twice", "included_twice")
        return
    after = ips.load_cohort(ips.load_study(study)).participants.set_index("person_id")["index_date"]
    assert count(study, "trial", "participant included again") == 3
    assert (after != before).sum() == (3 if choice == "last" else 0)


def test_participant_in_two_arms_is_a_severe_finding(study, check):
    def other(table: pd.DataFrame) -> pd.DataFrame:
        more = table[table["status"] == 1].iloc[:3].assign(gruppe=lambda t: 3 - t["gruppe"])
        return pd.concat([table, more], ignore_index=True)

    change_trial(study, other)
    assert "[severe] trial: participant included in two arms: 3 of 60 people" in check(study).stdout


def test_trial_rows_repeated_exactly_are_counted_once(study):
    change_trial(study, lambda table: pd.concat([table, table], ignore_index=True))
    assert count(study, "trial", "row that repeats another") == 76
    assert len(ips.load_cohort(ips.load_study(study)).participants) == 60


def test_keys_with_spaces_are_the_same_keys(whole, study):
    change_trial(study, lambda table: table.assign(deltaker=" " + table["deltaker"].astype(str) + "  "))
    change(study, "linkage.csv", lambda raw: raw.replace(b"\n", b" \n "))
    change(study, "linkage.csv", lambda raw: raw.replace(b" \n ", b"\n", 1))
    pd.testing.assert_frame_equal(
        ips.load_cohort(ips.load_study(study)).keys, ips.load_cohort(ips.load_study(whole)).keys
    )  # fmt: skip


def linkage(study: Path, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = study / "extracts/linkage.csv"
    how(pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)).to_csv(path, sep=";", index=False)


def test_key_that_stands_for_two_people_is_used_for_neither(study):
    def share(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[1, "lnr_aareg"] = table.loc[0, "lnr_aareg"]
        return table

    linkage(study, share)
    assert count(study, "aa_register", "delivery keys that stand for several participants") == 1
    assert count(study, "aa_register", "participants on no linkage list") == 3


def test_person_with_two_keys_keeps_both(study):
    linkage(study, lambda table: pd.concat([table, table.iloc[[0]].assign(lnr_aareg="999111222")]))
    assert count(study, "aa_register", "participants with several keys") == 1


def test_list_of_under_half(study, refused):
    linkage(study, lambda table: table.iloc[:20])
    refused(study, "linkage.csv, column lnr_ameld", "matches 19 of 60 participants, under half")


@pytest.mark.parametrize("delivery", ["lnr_tiltak", "deltaker"])
def test_delivery_that_matches_nobody(study, refused, delivery):
    edit(study, ('delivery = "lnr_aareg"', f'delivery = "{delivery}"'))
    refused(study, "f_jobber.csv (54 rows)", "no key in the delivery is on its linkage list", "leading zeros")


def add_job(study: Path, key: str, start: str, end: str) -> None:
    def how(raw: bytes) -> bytes:
        names = raw.split(b"\n")[0].decode().split(";")
        cells = {"tilgdato_mnd": start, "tomdato_mnd": end}
        row = [key if name.endswith("lopenr_person") else cells.get(name, "") for name in names]
        return raw + ";".join(row).encode() + b"\n"

    change(study, "f_jobber.csv", how)


def test_person_in_a_register_but_not_in_the_trial_is_counted(study):
    before = count(study, "aa_register", "people in the register who are not in the trial")
    add_job(study, "111222333", "201201", "201212")
    assert count(study, "aa_register", "people in the register who are not in the trial") == before + 1


def test_spell_that_ends_before_it_starts_and_impossible_date_are_counted(study):
    before = [count(study, "aa_register", rule) for rule in ("spell that ends before", "impossible date in start")]
    linked = pd.read_csv(study / "extracts/linkage.csv", sep=";", dtype=str)["lnr_aareg"].dropna().iloc[0]
    add_job(study, linked, "201212", "201201")
    add_job(study, linked, "201399", "")
    after = [count(study, "aa_register", rule) for rule in ("spell that ends before", "impossible date in start")]
    assert after == [before[0] + 1, before[1] + 1]


# ------------------------------------------------ unusual, and quite all right


def test_studies_that_lack_something_are_sound(whole, tmp_path, check):
    def made(name: str) -> Path:
        return Path(shutil.copytree(whole, tmp_path / name))

    without(one := made("no subgroups"), "[subgroups.")
    edit(two := made("short"), ("landmarks = [12, 18, 43]", "landmarks = [6]"), ("months = 43", "months = 6"))
    edit(three := made("no history"), ("history = 24", "history = 0"))
    edit(four := made("last landmark"), ("landmarks = [12, 18, 43]", "landmarks = [43]"))
    without(five := made("no arms"), "[arms]")
    edit(six := made("one arm"), ('ips = "IPS", control', "control"))
    edit(seven := made("no centre"), ('centre = "senter"\n', ""))
    without(eight := made("assumed"), "[sources.population]", "[sources.residence]", "[keys.population]", "[keys.residence]")
    edit(eight, ('residence = "register"', 'residence = "assumed"'))
    edit(nine := made("three arms"), ('control = "Usual care" }', 'control = "Usual care", more = "More" }'),
         ('2 = "control" }', '2 = "control", 3 = "more" }'))  # fmt: skip
    without(ten := made("bare æøå Ærlig"), "[subgroups.")
    edit(ten, ('sex = "kjonn"\n', ""), ('education = "nus2000"\n', ""), ('diagnosis_group = "diag_gr"\n', ""))
    for study in (one, two, three, four, five, six, seven, eight, nine, ten):
        assert check(study).exit_code == 0, study.name


def test_identity_numbers_in_a_linkage_list_stop_the_run(study, refused):
    # Skatteetaten's synthetic person, as in the package's own example: nobody's number
    linkage(study, lambda table: table.assign(lnr_aareg="15108695088"))
    message = refused(study, "linkage.csv, column lnr_aareg", "national identity numbers")
    assert "15108695088" not in message
