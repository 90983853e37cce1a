"""The analysis data handed on: each format gives back what the follow-up holds, every column is explained, bytes repeat."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from click.testing import CliRunner, Result
from small_study import job, write_small_study

import ips_outcomes as ips
from ips_outcomes.cli import main
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import MARK
from ips_outcomes.reporting.codebook import CODEBOOK, analysis_tables, codebook, missing_letters
from ips_outcomes.reporting.definition_words import every_setting
from ips_outcomes.reporting.export import export_study
from ips_outcomes.reporting.stata import stata_names, write_stata
from ips_outcomes.reporting.words import words as texts

TABLES = ("person_months", "first_job", "baseline")
LONG = "a_definition_with_a_name_longer_than_stata_takes"
EMPLOYED = f"""
[employed.{LONG}]
label = "Lang definisjon med æ, ø og å, og en forklaring som er lengre enn en etikett i Stata kan være"
wage_subsidy = "keep"
minimum_weekly_hours = 20.5
minimum_monthly_pay_nok = 10000.0
if_unanswerable = "unknown"

[employed.{LONG}_too]
label = "Any day"
month_rule = "any_day"

[employed.int]
label = "A reserved word"

[subgroups.young]
label = "Young"
label_other = "Older"
column = "age"
at_most = 30
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> ips.FollowUp:
    jobs = [job("007", "2013-05-01", "2013-09-30", hours="40"), job("P2", "2012-01-01", "2013-06-30"), job("P3", "2014-01-01")]
    people = [
        {"person": "007", "arm": "ips", "education": "099901"},
        {"person": "P2", "arm": "control", "index": "2014-06-30", "birth": ""},
        {"person": "P3", "arm": "ips"},
        {"person": "P4", "arm": "control", "education": ""},
    ]
    path = write_small_study(
        tmp_path_factory.mktemp("export") / "study", people=people, jobs=jobs, deaths={"P3": "20140310"}, arms=True,
        moves={"007": [("19800101", "20131130")]}, lists={"jobs": ["007", "P2", "P3"]}, employed=EMPLOYED,
    )  # fmt: skip
    return ips.follow_up(ips.load_cohort(ips.load_study(path)))


@pytest.fixture(scope="module")
def written(followed: ips.FollowUp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_study(followed.study, tmp_path_factory.mktemp("export") / "data").parent


def yyyymm(numbers: pd.Series) -> list[int | None]:
    return [None if pd.isna(n) else (1970 + int(n) // 12) * 100 + int(n) % 12 + 1 for n in numbers]


def expected(followed: ips.FollowUp, table: str) -> dict[str, list[object]]:
    """The follow-up's own values, in Python's plain types; an empty text is None."""
    own = analysis_tables(followed)[table]
    made: dict[str, list[object]] = {}
    for column in own:
        values = own[column]
        if column in ("index_month", "birth_month"):
            made[column] = yyyymm(values)
        elif column == "index_date":
            made[column] = [v.date() for v in values]
        else:
            made[column] = [None if pd.isna(v) or v == "" else v.item() if hasattr(v, "item") else v for v in values]
    return made


@pytest.mark.parametrize("table", TABLES)
def test_parquet_gives_back_the_same(followed: ips.FollowUp, written: Path, table: str):
    found = pq.read_table(written / f"{table}.parquet")
    assert found.to_pydict() == expected(followed, table)
    assert all(field.metadata[b"description"] for field in found.schema)
    again = pd.read_parquet(written / f"{table}.parquet")
    if table == "person_months":
        assert str(again["ordinary"].dtype) == "boolean"
        assert again["ordinary"].equals(followed.person_months["ordinary"])


@pytest.mark.parametrize("table", TABLES)
def test_csv_gives_back_the_same(followed: ips.FollowUp, written: Path, table: str):
    found = pd.read_csv(written / f"{table}.csv", dtype=str, keep_default_na=False)
    for column, values in expected(followed, table).items():
        texts = ["" if v is None else str(int(v)) if isinstance(v, bool) else str(v) for v in values]
        assert list(found[column]) == texts, column


@pytest.mark.parametrize("table", TABLES)
def test_stata_gives_back_the_same_to_two_readers(followed: ips.FollowUp, written: Path, table: str):
    path, wanted = written / f"{table}.dta", expected(followed, table)
    names = stata_names(list(wanted))
    # an independent reader: ReadStat knows extended missing values
    frame, meta = pyreadstat.read_dta(str(path), user_missing=True)
    pandas = pd.read_stata(path, convert_categoricals=False)
    assert list(frame.columns) == list(pandas.columns) == [names[c] for c in wanted]
    for column, values in wanted.items():
        kind = {e.column: e for e in codebook(followed)[table]}[column].kind
        for found in (list(frame[names[column]]), list(pandas[names[column]])):
            if kind == "text":
                assert [v or None for v in found] == values, column
            elif kind in ("date", "month"):
                # ReadStat gives a month as Stata keeps it: a count from January 1960
                found = [
                    date(1960 + int(v) // 12, int(v) % 12 + 1, 1) if isinstance(v, float) and not pd.isna(v) else v for v in found
                ]
                days = [None if pd.isna(v) else pd.Timestamp(v).date() for v in found]
                assert days == ([v and date(v // 100, v % 100, 1) for v in values] if kind == "month" else values), column
            else:
                numbers = [None if isinstance(v, str) or pd.isna(v) else v for v in found]
                assert numbers == [None if v is None else float(v) for v in values], column
    assert all(meta.column_names_to_labels.values())
    assert max(map(len, meta.column_names_to_labels.values())) <= 80


def test_stata_keeps_why_an_answer_is_missing(followed: ips.FollowUp, written: Path):
    frame, meta = pyreadstat.read_dta(str(written / "person_months.dta"), user_missing=True)
    letter = {reason: mark for reason, (mark, _) in missing_letters().items()}
    own = followed.person_months
    for column in ("ordinary", "ordinary_composite", LONG):
        value = own[column]
        marks = [letter[r] if pd.isna(v) else int(v) for v, r in zip(value, own["reason"], strict=True)]
        name = stata_names(list(own))[column]
        assert list(frame[name]) == marks
        assert meta.variable_value_labels[name][0] == "no" and meta.variable_value_labels[name]["b"] == "abroad"
        assert meta.variable_storage_width[name] == 1
    assert {letter["dead"], letter["abroad"], letter["not_linked"]} <= set(frame["ordinary"])
    # hours are not known: observed and open, for this definition only
    open_ = frame[(frame["person_id"] == "P2") & (frame["reason"] == "")]
    assert "z" in set(open_[stata_names(list(own))[LONG]]) and "z" not in set(open_["ordinary"])


def test_names_that_stata_takes():
    names = stata_names(["ordinary", LONG, f"{LONG}_too", "int", "str12", "strl", LONG[:32]])
    assert len(set(names.values())) == 7
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,31}", n) for n in names.values())
    assert names["ordinary"] == "ordinary" and names[LONG[:32]] == LONG[:32]
    assert not {"int", "str12", "strl"} & set(names.values())


def test_a_text_that_stata_cannot_hold_is_refused(followed: ips.FollowUp, tmp_path: Path):
    entries = codebook(followed)["first_job"]
    table = followed.first_job.assign(ended_by="æ" * 1100)
    with pytest.raises(UnsupportedError, match=r"ended_by has 2,200 bytes.*leave Stata out"):
        write_stata(table, entries, tmp_path / "x.dta", "x")


def test_every_column_is_explained_and_every_explanation_is_used(followed: ips.FollowUp, written: Path):
    book = codebook(followed)
    for name, table in analysis_tables(followed).items():
        assert [e.column for e in book[name]] == list(table)
        assert all(e.meaning and e.missing for e in book[name])
        assert {e.column for e in CODEBOOK[name]} <= set(table)
        for entry in book[name]:
            empty = table[entry.column].isna() | (table[entry.column].astype(object) == "")
            assert entry.missing != "never empty" or not empty.any(), entry.column
    csv = pd.read_csv(written / "codebook.csv", keep_default_na=False)
    assert list(zip(csv["table"], csv["column"], strict=True)) == [(t, e.column) for t, es in book.items() for e in es]
    page = (written / "codebook.html").read_text(encoding="utf-8")
    assert all(f">{e.column}" in page for entries in book.values() for e in entries)
    assert "must not leave the server" in page
    row = csv.set_index("column").loc[LONG]
    assert row["stata_name"] == LONG[:32]
    for part in (
        "20.5 hours a week",
        "NOK 10000 paid",
        "ordinary",
        "1a, 1b",
        "on the 16th",
        "wage subsidy or in sheltered work counts",
        ".b abroad",
    ):
        assert part in row["meaning"] + row["stata_missing"], part


def test_no_setting_of_a_definition_is_left_out(followed: ips.FollowUp):
    """Each setting, changed from what it is by default, changes the words."""
    from ips_outcomes.study import Definition

    changed = {
        "month_rule": "any_day", "kinds": ("freelance",), "basis": ("1c",), "minimum_weekly_hours": 4.0, "minimum_monthly_pay_nok": 5.0,
        "minimum_monthly_pay_g": 0.5, "minimum_yearly_pay_g": 1.0, "without_benefits": {"aap": 50.0}, "wage_subsidy": "keep",
        "benefits_not_above_inclusion": ("aap",), "work_practice_subtracts": True, "if_unanswerable": "skip",
        "or_education": True,
    }  # fmt: skip
    assert {*changed, "label"} == {*Definition.model_fields}
    say = texts("en")
    plain = "; ".join(every_setting(Definition(label="x"), say))
    words = {key: "; ".join(every_setting(Definition(label="x", **{key: value}), say)) for key, value in changed.items()}
    assert plain not in words.values() and len(set(words.values())) == len(changed)
    assert "aap at 50 % or more" in words["without_benefits"]


def test_a_column_that_nobody_explained_stops_the_export(followed: ips.FollowUp):
    from dataclasses import replace

    with pytest.raises(UnsupportedError, match=r"person_months\.surprise"):
        codebook(replace(followed, person_months=followed.person_months.assign(surprise=1)))


def test_same_inputs_same_bytes(followed: ips.FollowUp, written: Path, tmp_path: Path):
    again = export_study(followed.study, tmp_path / "again").parent
    prints = [{p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in f.iterdir()} for f in (written, again)]
    assert prints[0] == prints[1]
    manifest = json.loads((written / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files_sha256"] == {n: h for n, h in prints[0].items() if n not in (MARK, "manifest.json")}
    assert manifest["tables"]["person_months"]["rows"] == len(followed.person_months)
    assert set(manifest["inputs_sha256"]) >= {"trial.csv", "jobs.csv", "list_jobs.csv"}


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_code_of_the_readme_reads_the_files(followed: ips.FollowUp, written: Path):
    code = re.search(r"```r\n(.*?)```", (written / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    assert len(code[1].strip().splitlines()) == 3
    more = (
        'cat("\\n@", sum(is.na(months$ordinary)), sum(months$ordinary, na.rm = TRUE), sum(is.na(months$reason)), class(months$ordinary), '
        'months$person_id[1])\n'
        'b <- read.csv("baseline.csv", na.strings = "", colClasses = c(education = "character"))\n'
        'cat("\\n@", b$education[1], sum(is.na(b$education)), format(as.Date(b$index_date[2]), "%d"))'
    )  # fmt: skip
    done = subprocess.run(["Rscript", "-e", code[1] + more], cwd=written, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = [line[2:].split() for line in done.stdout.splitlines() if line.startswith("@")]
    own = followed.person_months
    seen = [int(own["ordinary"].isna().sum()), int(own["ordinary"].sum()), int((own["reason"] == "").sum())]
    assert first == [*map(str, seen), "integer", "007"]
    assert second == ["099901", "1", "30"]
    last = own[own["month"] == 21].groupby("arm")["ordinary"].mean()
    assert done.stdout.splitlines()[1].split() == ["NaN" if pd.isna(v) else f"{v:g}" for v in last]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_command(followed: ips.FollowUp, tmp_path: Path):
    study = followed.study.folder / "study.toml"
    result = call("export", study, "--out", tmp_path / "data", "--format", "csv, Parquet")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(tmp_path / "data" / "README.md")
    endings = {p.suffix for p in (tmp_path / "data").iterdir()}
    assert {".csv", ".parquet"} <= endings and ".dta" not in endings
    assert "```stata" not in (tmp_path / "data" / "README.md").read_text(encoding="utf-8")
    for wrong in ("xlsx", "", "csv,,stata"):
        assert call("export", study, "--out", tmp_path / "other", "--format", wrong).exit_code == 2
    refused = call("export", study, "--out", tmp_path / "report" / "release" / "data")
    assert refused.exit_code == 1 and "never leave" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_numbers_with_fractions_stay_what_they_are(tmp_path: Path):
    """Columns to come, such as hours, may hold fractions."""
    from ips_outcomes.reporting.codebook import Entry
    from ips_outcomes.reporting.export import handed_on

    entries = (Entry("hours", "number", "Hours", "hours"),)
    plain = handed_on(pd.DataFrame({"hours": [1.5, np.nan]}), entries)
    write_stata(plain, entries, tmp_path / "x.dta", "x")
    assert pd.read_stata(tmp_path / "x.dta")["hours"].tolist()[0] == 1.5
