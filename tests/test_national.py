"""A nation's counts are those of the person-month road, on both engines, and every row is accounted for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.engine import Engine
from ips_outcomes.errors import DataError, UnsupportedError
from ips_outcomes.followup.grid import Grid, observe
from ips_outcomes.followup.national import NationalCounts, count_months
from ips_outcomes.followup.observed import observed_words
from ips_outcomes.followup.words import unpack

MORE = """
[employed.some_day]
label = "Some day of the month, freelance too"
month_rule = "any_day"
kinds = ["ordinary", "freelance"]
wage_subsidy = "keep"

[employed.some_day_strict]
label = "Some day of the month, work practice subtracted"
month_rule = "any_day"
wage_subsidy = "strict"
work_practice_subtracts = true
if_unanswerable = "skip"

[subgroups.age_18_30]"""


#: Of the synthetic study's definitions, those that look at months alone.
ASKED = ("ordinary", "ordinary_lenient", "any_job", "some_day", "some_day_strict")


def with_more_definitions(study: Path, out: Path) -> Path:
    shutil.copytree(study.parent, out)
    text = (out / "study.toml").read_text(encoding="utf-8")
    (out / "study.toml").write_text(text.replace("[subgroups.age_18_30]", MORE), encoding="utf-8")
    return out / "study.toml"


def by_person_months(study: Path) -> tuple[ips.Cohort, pd.DataFrame]:
    """The counts of the ordinary road."""
    cohort = ips.load_cohort(ips.load_study(study))
    table = ips.follow_up(cohort).person_months
    parts = []
    for name in ASKED:
        counts = table.groupby(["arm", "month"])[name].agg(n="count", events="sum").reset_index()
        parts.append(counts.assign(definition=name)[["definition", "arm", "month", "n", "events"]].astype({"events": "int64"}))
    return cohort, pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def small(small_study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ips.Cohort, pd.DataFrame]:
    path = with_more_definitions(small_study_folder / "study.toml", tmp_path_factory.mktemp("national") / "small")
    return path, *by_person_months(path)


@pytest.fixture(scope="module")
def demo(demo_study: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ips.Cohort, pd.DataFrame]:
    path = with_more_definitions(demo_study, tmp_path_factory.mktemp("national") / "demo")
    return path, *by_person_months(path)


def assert_same_counts(counts: NationalCounts, want: pd.DataFrame) -> None:
    order = ["definition", "arm", "month"]
    got = counts.months.sort_values(order, ignore_index=True)[want.columns.tolist()]
    pd.testing.assert_frame_equal(got, want.sort_values(order, ignore_index=True), check_dtype=False)
    assert (want["events"] > 0).any()


def assert_rows_accounted_for(counts: NationalCounts, cohort: ips.Cohort) -> None:
    quality, told = cohort.quality, cohort.reconciliation.set_index("source")
    for source, rows in counts.rows.groupby("source"):
        assert rows["rows"].sum() == told.loc[source, "rows_in"]
        own = quality[quality["source"] == source].set_index("rule")["count"]
        mine = rows.set_index("rule")["rows"]
        assert mine["row of a person on no linkage list"] == own["row of a person on no linkage list"]
        # a row that repeats another is counted with the rule that it meets, or as used
        repeats = own["row that repeats another"]
        assert 0 <= mine["used"] - told.loc[source, "rows_used"] <= repeats
        others = [rule for rule in mine.index if rule not in ("used", "row of a person on no linkage list")]
        assert 0 <= sum(mine[rule] - own[rule] for rule in others) <= repeats
        assert others


def test_the_demo_s_counts_on_duckdb(demo: tuple[Path, ips.Cohort, pd.DataFrame], duck: Engine) -> None:
    path, cohort, want = demo
    counts = count_months(path, engine=duck, definitions=ASKED)
    assert_same_counts(counts, want)
    assert_rows_accounted_for(counts, cohort)


def test_a_small_study_s_counts_on_either_engine(small: tuple[Path, ips.Cohort, pd.DataFrame], any_engine: Engine) -> None:
    path, cohort, want = small
    counts = count_months(path, engine=any_engine, definitions=ASKED)
    assert_same_counts(counts, want)
    assert_rows_accounted_for(counts, cohort)


@pytest.mark.parametrize("on_status_day", [True, False])
def test_people_alike_are_observed_alike(demo: tuple[Path, ips.Cohort, pd.DataFrame], on_status_day: bool) -> None:
    cohort = demo[1]
    grid = Grid(cohort)
    seen, _ = observed_words(cohort, on_status_day=on_status_day)
    window = (int(grid.months[0]), int(grid.months[-1]))
    assert (unpack(seen, window) == observe(grid, on_status_day=on_status_day).observed).all()


@pytest.mark.parametrize(("rule", "said"), [
    ("minimum_weekly_hours = 10", "minimum_weekly_hours"), ('month_rule = "paid_in_month"', "paid_in_month"),
    ("minimum_monthly_pay_nok = 5", "minimum_monthly_pay_nok"), ("minimum_yearly_pay_g = 1", "minimum_yearly_pay_g"),
    ("without_benefits = { aap = 0 }", "without_benefits"), ("or_education = true", "or_education"),
])  # fmt: skip
def test_what_words_cannot_answer_is_refused_by_name(small: tuple[Path, ips.Cohort, pd.DataFrame], rule: str, said: str) -> None:
    path = small[0]
    text = path.read_text(encoding="utf-8").replace(
        "[employed.some_day]", f'[employed.more]\nlabel = "More"\n{rule}\n\n[employed.some_day]'
    )
    other = path.with_name("more.toml")
    other.write_text(text, encoding="utf-8")
    with pytest.raises(UnsupportedError, match=said):
        count_months(other, definitions=["more"])
    # the other definitions can still be asked for
    assert set(count_months(other, definitions=["any_job"]).months["definition"]) == {"any_job"}


def test_a_list_of_another_delivery_stops_the_run(small: tuple[Path, ips.Cohort, pd.DataFrame], duck: Engine) -> None:
    other = small[0].with_name("other_list.toml")
    other.write_text(small[0].read_text(encoding="utf-8").replace('"lnr_ameld"', '"lnr_tiltak"'), encoding="utf-8")
    with pytest.raises(DataError, match="no key in the delivery"):
        count_months(other, engine=duck, definitions=ASKED)
