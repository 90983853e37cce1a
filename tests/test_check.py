"""What `check` prints and writes: every counted rule, worst first, every row accounted for, and problems where it stopped."""

from __future__ import annotations

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from small_study import job, write_small_study

import ips_outcomes as ips
from ips_outcomes.cli import main
from ips_outcomes.folders import MARK
from ips_outcomes.reporting.checking import Checked, by_source, check_study, console_lines
from ips_outcomes.reporting.quality_page import quality_page


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; one job ends before it starts, one person died in follow-up."""
    jobs = [job("P1", "2013-05-01", "2013-09-30"), job("P2", "2013-09-01", "2013-01-31"), job("P2", "2014-01-01")]
    path = write_small_study(tmp_path_factory.mktemp("check") / "s", people=("P1", "P2"), jobs=jobs, deaths={"P2": "20140310"})
    path.write_text(
        path.read_text(encoding="utf-8").replace('"Hand-made people"', '"<b>Hand-made</b> & people"'), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def checked(study: Path) -> Checked:
    return check_study(ips.load_study(study))


def test_prints_findings_by_source_worst_first(study: Path):
    result = call("check", study)
    assert result.exit_code == 0, result.stderr
    assert "[warning] jobs: spell that ends before it starts: 1 of 3 rows (33.3 %)\n      rows 2; not used" in result.stdout
    assert re.search(r"jobs: +3 rows in, 2 used, 1 set aside", result.stdout)
    assert "[note] follow-up: month not observed: dead: 10 of 42 person-months" in result.stdout
    marks = re.findall(r"^([\w-][\w -]*)$|^  \[(\w+)\]", result.stdout, re.MULTILINE)
    worst = [first for (source, _), (_, first) in pairwise(marks) if source and first]
    order = ["severe", "warning", "note"]
    assert worst == sorted(worst, key=order.index) and len(worst) >= 2


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(checked: Checked, width: int):
    lines = console_lines(checked, width)
    assert max(map(len, lines)) <= width
    assert "can be run, but 1 severe finding above needs a look: 2 participants (All" in " ".join(lines).replace("   ", " ")


def test_severe_comes_first_in_its_source_and_its_source_comes_first():
    table = pd.DataFrame({
        "source": ["a", "a", "b", "b", "c"], "rule": list("vwxyz"), "count": [1, 0, 2, 3, 4],
        "severity": ["warning", "note", "note", "severe", "note"],
    })  # fmt: skip
    found = [(source, list(rows["rule"])) for source, rows in by_source(table)]
    assert found == [("b", ["y", "x"]), ("a", ["v"]), ("c", ["z"])]


def test_folder_holds_the_page_and_its_tables(study: Path, checked: Checked, tmp_path: Path):
    result = call("check", study, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == str(tmp_path / "out" / "quality.html")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"quality.html", "quality.csv", "reconciliation.csv", "flow.csv", MARK}
    quality = pd.read_csv(tmp_path / "out" / "quality.csv", dtype={"example_rows": "str"})
    assert len(quality) == len(checked.quality)
    row = quality[(quality["source"] == "jobs") & (quality["rule"] == "spell that ends before it starts")].iloc[0]
    assert (row["source"], row["count"], row["total"], row["example_rows"]) == ("jobs", 1, 3, "2")
    rows = pd.read_csv(tmp_path / "out" / "reconciliation.csv")
    assert (rows["rows_in"] == rows["rows_used"] + rows["rows_set_aside"]).all()
    flow = pd.read_csv(tmp_path / "out" / "flow.csv")
    assert flow.set_index("step").loc["at_risk_of_first_job", "people"] == 2
    # the same again: replaced; something added: refused
    assert call("check", study, "--out", tmp_path / "out").exit_code == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert call("check", study, "--out", tmp_path / "out").exit_code == 1


def test_page_is_internal_escaped_self_contained_and_complete(checked: Checked):
    page = quality_page(checked)
    assert "must not leave the server" in page
    assert "<b>Hand-made" not in page and "&lt;b&gt;Hand-made" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page) and "<script" not in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "spell that ends before it starts not used Rows 2 warning 1 3 rows" in text
    assert "month not observed: dead neither yes nor no note 10 42 person-months" in text
    assert "jobs 1 3 2 1" in text
    for rule in checked.quality.loc[checked.quality["count"] == 0, "rule"]:
        assert rule.replace("'", " ") in text.replace("&#39;", " ")


def test_page_shows_files_and_the_rules_that_set_rows_aside(checked: Checked):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", quality_page(checked)))
    assert "jobs 1 3 2 1 spell that ends before it starts 1" in text
    assert "jobs.csv 3 2 1" in text
    assert any(re.search(r"jobs: +3 rows in", line) for line in console_lines(checked))


def test_extracts_that_cannot_be_read_are_listed(study: Path, tmp_path: Path):
    folder = Path(shutil.copytree(study.parent, tmp_path / "study"))
    (folder / "residence.csv").write_bytes(b"")
    (folder / "jobs.csv").write_text("person_key;employer\nP1;E1\n", encoding="utf-8")
    plain = call("check", folder / "study.toml")
    result = call("check", folder / "study.toml", "--out", tmp_path / "out")
    assert plain.exit_code == result.exit_code == 1
    assert plain.stdout == result.stdout == ""
    assert plain.stderr in result.stderr.replace(f"What must be mended is listed in {tmp_path / 'out' / 'quality.html'}\n", "")
    table = pd.read_csv(tmp_path / "out" / "problems.csv")
    assert list(table.columns) == ["file", "place", "count", "unit", "rule", "remedy"]
    assert set(table["file"]) == {"residence.csv", "jobs.csv"}
    page = (tmp_path / "out" / "quality.html").read_text(encoding="utf-8")
    assert "the file is empty" in page and "cannot be run" in page
    assert not (tmp_path / "out" / "quality.csv").exists()


def test_a_wrong_study_file_writes_nothing(study: Path, tmp_path: Path):
    folder = Path(shutil.copytree(study.parent, tmp_path / "study"))
    text = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(text.replace("history = 12", "histroy = 12"), encoding="utf-8")
    result = call("check", folder / "study.toml", "--out", tmp_path / "out")
    assert result.exit_code == 1 and "histroy" in result.stderr
    assert not (tmp_path / "out").exists()
