"""Two deliveries compared: hand-made changes come out exactly, by person-months, first jobs and results."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from small_study import job, record, write_small_study

import ips_outcomes as ips
from ips_outcomes.cli import main
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import MARK
from ips_outcomes.reporting.changes import ABSENT, Changes, compare_deliveries
from ips_outcomes.reporting.changes_page import changes_page, summary_lines

PEOPLE = [{"person": f"XQ710{i}", "arm": arm} for i, arm in enumerate(["ips", "control", "ips", "control"], start=1)]
#: Month 0 is March 2013: 2015-02 is month 23 and the missing file is month 24.
ALWAYS = [record("XQ7103", f"2015-0{m}") for m in range(1, 7)]
LENIENT = '\n[employed.any_work]\nlabel = "Any work"\nwage_subsidy = "keep"\n'


def write(folder: Path, *, end: str, late: bool, missing: tuple[str, ...], people: list[dict] = PEOPLE, **study) -> Path:
    records = [*ALWAYS, *([record("XQ7102", "2015-02")] if late else [])]
    path = write_small_study(
        folder, people=people, jobs=[job("XQ7101", "2013-05-01", end)], records=records, missing_files=missing, arms=True, months=27,
        employed=LENIENT, **study,
    )  # fmt: skip
    path.write_text(path.read_text(encoding="utf-8").replace("landmarks = [1]", "landmarks = [5, 23]"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The later delivery has a corrected end date, a late a-melding message, and the file that was missing."""
    place = tmp_path_factory.mktemp("compare")
    first = write(place / "march", end="2013-09-30", late=False, missing=("2015-03",))
    return first, write(place / "june", end="2013-07-31", late=True, missing=())


@pytest.fixture(scope="module")
def changes(paths: tuple[Path, Path]) -> Changes:
    return compare_deliveries(*map(ips.load_study, paths))


def rows(table: pd.DataFrame, *columns: str) -> set[tuple]:
    found = list(table[list(columns)].itertuples(index=False, name=None))
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.parametrize("definition", ["ordinary", "any_work"])
def test_person_months_change_as_they_were_changed(changes: Changes, definition: str):
    moved = changes.changed("person_months")
    own = moved[moved["definition"] == definition]
    assert rows(own, "arm", "part", "year", "before", "after", "person_months") == {
        ("ips", "follow-up", 2013, "yes", "no", 2),
        ("control", "follow-up", 2015, "no", "yes", 1),
        ("ips", "follow-up", 2015, "not known", "yes", 1),
        ("ips", "follow-up", 2015, "not known", "no", 1),
        ("control", "follow-up", 2015, "not known", "no", 2),
    }
    whole = changes.person_months[changes.person_months["definition"] == definition]
    assert whole["person_months"].sum() == 4 * (12 + 1 + 27)
    assert set(whole.loc[whole["part"] == "month 0", "person_months"]) == {2}


def test_reasons_systems_and_months_delivered(changes: Changes):
    assert rows(changes.changed("reasons"), "arm", "year", "before", "after", "person_months") == {
        ("ips", 2015, "file_missing", "observed", 2), ("control", 2015, "file_missing", "observed", 2),
    }  # fmt: skip
    assert rows(changes.changed("systems"), "arm", "before", "after", "person_months") == {
        ("ips", "none", "a_ordning", 2), ("control", "none", "a_ordning", 2),
    }  # fmt: skip
    assert rows(changes.coverage, "source", "change", "months", "which") == {("monthly", "gained", 1, "2015-03")}


def test_first_jobs(changes: Changes):
    assert rows(changes.changed("first_job"), "arm", "before", "after", "time", "people") == {
        ("control", "file_missing", "first_job", "same", 1), ("control", "file_missing", "end_of_follow_up", "later", 1),
    }  # fmt: skip
    assert changes.first_job["people"].sum() == 4


def test_results_before_and_after(changes: Changes):
    found = {
        (r["measure"], r["group"] or r["contrast"], r["month"]): (r["before"], r["after"])
        for r in changes.results[changes.results["outcome"] == "ordinary"].to_dict("records")
    }
    assert found["rate", "ips", 5] == (0.5, 0.0)
    assert found["rate", "control", 23] == (0.0, 0.5)
    assert found["rate", "ips", 23] == (0.5, 0.5)
    assert found["risk_difference", "ips - control", 5] == (0.5, 0.0)
    assert found["risk_difference", "ips - control", 23] == (0.5, 0.0)
    # before, nobody's every month was known; after, 3 and 6 months against 1 and 0
    assert pd.isna(found["mean_months_in_work", "ips", 27][0]) and found["mean_months_in_work", "ips", 27][1] == 4.5
    assert found["mean_months_in_work", "control", 27][1] == 0.5
    assert found["mean_difference_months_in_work", "ips - control", 27][1] == pytest.approx(4.0)
    job_getters = changes.results[changes.results["outcome"] == "first_job"].set_index("group")
    assert job_getters.loc["control", ["before", "after"]].tolist() == [0.0, 0.5]
    assert job_getters.loc["ips", ["before", "after"]].tolist() == [1.0, 1.0]
    moved = changes.changed("results")
    assert ("rate", "ips", 23) not in rows(moved[moved["outcome"] == "ordinary"], "measure", "group", "month")


def test_deaths_count_as_months_without_work(paths: tuple[Path, Path], tmp_path: Path):
    """Whoever died has worked in none of the months after; the twin with the death has the same other months."""
    dead = write(tmp_path / "dead", end="2013-07-31", late=True, missing=(), deaths={"XQ7103": "20150110"})
    changed = compare_deliveries(ips.load_study(paths[1]), ips.load_study(dead))
    means = changed.results[(changed.results["measure"] == "mean_months_in_work") & (changed.results["outcome"] == "ordinary")]
    assert means.set_index("group").loc["ips", ["before", "after"]].tolist() == [4.5, 1.5]
    assert rows(changed.changed("reasons"), "before", "after", "person_months") == {("observed", "dead", 6)}


def test_files_rows_and_rules(changes: Changes):
    table = changes.deliveries.set_index("source")
    # each monthly file holds a stranger too
    assert table.loc["monthly", ["files", "files_after", "rows_in", "rows_in_after"]].tolist() == [5, 6, 10, 13]
    assert set(changes.changed("deliveries")["source"]) == {"monthly"}
    rules = changes.quality.set_index(["source", "rule"])
    assert rules.loc[("monthly", "monthly file missing (2015-03)"), "count_before"] == 1
    assert rules.loc[("follow-up", "month not observed: file_missing"), ["count_before", "count_after"]].tolist() == [4, 0]
    assert not len(changes.settings)


def test_same_delivery_changes_nothing(paths: tuple[Path, Path]):
    study = ips.load_study(paths[0])
    same = compare_deliveries(study, study)
    assert not same.anything
    assert all(same.changed(name).empty for name in same.tables())
    assert summary_lines(same)[-1] == "Nothing changed."
    assert "Nothing differs between" in changes_page(same)


def test_people_who_come_go_and_move(paths: tuple[Path, Path], tmp_path: Path):
    people = [
        {"person": "XQ7101", "arm": "control"},
        {"person": "XQ7103", "arm": "ips", "index": "2013-03-20"},
        {"person": "XQ7104", "arm": "control", "index": "2013-04-02"},
        {"person": "XQ7105", "arm": "ips"},
    ]
    later = write(tmp_path / "later", end="2013-09-30", late=False, missing=("2015-03",), people=people)
    changed = compare_deliveries(ips.load_study(paths[0]), ips.load_study(later))
    assert rows(changed.changed("participants"), "what", "arm", "people") == {
        ("gained", "ips", 1), ("lost", "control", 1), ("another arm", "control", 1), ("another index date, same month", "ips", 1),
        ("another index month", "control", 1),
    }  # fmt: skip
    months = changed.person_months[changed.person_months["definition"] == "ordinary"]
    absent = months.groupby(["before", "after"])["person_months"].sum()
    # the lost person's 40 months, and the first month of history of whoever starts a month later
    assert absent[:, ABSENT].sum() == 41
    assert absent[ABSENT].sum() == 41
    ended = changed.changed("first_job")
    assert ("ips", ABSENT, "file_missing", "", 1) in rows(ended, "arm", "before", "after", "time", "people")


def test_other_people_altogether_are_refused(tmp_path: Path):
    arms = ["ips", "control"]
    first = PEOPLE + [{"person": f"AA{i}", "arm": a} for i, a in enumerate(arms)]
    second = [PEOPLE[0], PEOPLE[2]] + [{"person": f"ZZ{i}", "arm": a} for i, a in enumerate(2 * arms)]
    studies = [
        ips.load_study(write(tmp_path / name, end="2013-09-30", late=False, missing=(), people=people))
        for name, people in (("one", first), ("two", second))
    ]
    with pytest.raises(UnsupportedError, match="only 2 of 6 participants are in both"):
        compare_deliveries(*studies)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_other_questions_are_told_first(paths: tuple[Path, Path], tmp_path: Path):
    folder = Path(shutil.copytree(paths[0].parent, tmp_path / "asked"))
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace('label = "Ordinary work"', 'label = "Ordinary work"\nmonth_rule = "any_day"').replace(
        "Hand-made", "Other"
    )
    (folder / "study.toml").write_text(text + "\n", encoding="utf-8")
    result = call("compare", paths[0], folder / "study.toml", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[:3] == [
        "Settings that differ: 2, of which 1 change what is asked",
        "  [asked] employed.ordinary.month_rule: status_day -> any_day",
        "  title: Hand-made people -> Other people",
    ]
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "ask different things" in page and "employed.ordinary.month_rule: status_day → any_day" in page
    table = pd.read_csv(tmp_path / "out" / "settings.csv")
    assert table.loc[table["asks"], "setting"].tolist() == ["employed.ordinary.month_rule"]


def test_command_takes_folders_and_writes_counts_only(paths: tuple[Path, Path], changes: Changes, tmp_path: Path):
    result = call("compare", paths[0].parent, paths[1].parent, "--out", tmp_path / "out", "--strict")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == str(tmp_path / "out" / "compare.html")
    assert "monthly: 1 month gained (2015-03)" in result.stdout
    said = re.sub(r"\s+", " ", result.stdout)
    assert "Person-months, ordinary: 7 of 160 changed (no -> yes 1; not known -> no 3; not known -> yes 1; yes -> no 2)" in said
    assert "Difference at month 23, percentage points, IPS − Usual care: 50.0 -> 0.0" in said
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {MARK, "compare.html", *(f"{name}.csv" for name in changes.tables())}
    written = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "out").iterdir())
    assert "XQ71" not in written + result.stdout + result.stderr
    assert "must not leave the server" in written
    found = pd.read_csv(tmp_path / "out" / "person_months.csv")
    assert found["person_months"].sum() == changes.person_months["person_months"].sum() == 2 * 160
    # nothing differs: nothing to be strict about
    assert call("compare", paths[0], paths[0], "--strict").exit_code == 0


def test_paths_that_lead_nowhere(paths: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "nowhere", tmp_path / "empty"):
        result = call("compare", paths[0], place)
        assert result.exit_code == 1 and "there is no such file" in result.stderr
    assert ips.load_study(paths[0].parent).folder == ips.load_study(paths[0]).folder


def test_one_arm_has_no_comparison(tmp_path: Path):
    path = write_small_study(tmp_path / "one", people=("P1", "P2"), jobs=[job("P1", "2013-05-01")])
    study = ips.load_study(path)
    changed = compare_deliveries(study, study)
    assert set(changed.results["measure"]) == {"rate", "mean_months_in_work", "cumulative_incidence"}
    assert "Nothing differs" in changes_page(changed)
