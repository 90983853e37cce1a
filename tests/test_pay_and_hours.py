"""Pay and hours on the clock, and their sums over months: by hand, against R, and at the edges.

tests/golden/pay_sums.R made R's answers. Every cell against the oracles: test_definitions.py and test_independent.py.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from curves_world import SIX, golden, quick, row
from hypothesis import given
from hypothesis import strategies as st
from small_study import write_small_study
from world import Feed, World, cohort_of

import ips_outcomes as ips
from ips_outcomes.analysis import compare_arms, employment_curves, months_in_work, months_matrix, subgroup_effects, work_sums
from ips_outcomes.errors import StudyError, UnsupportedError
from ips_outcomes.reporting.codebook import codebook
from ips_outcomes.reporting.export import handed_on
from ips_outcomes.reporting.stata import write_stata

AMOUNTS = ["pay_nok", "pay_g", "weekly_hours"]
ALL = frozenset({"died", "before 2015", "two jobs", "subsidy", "abroad"})
FEEDS = {
    "old": Feed("aa_jobs", (2013, 1), (2014, 12), frozenset(), ALL),
    "monthly": Feed("ameld_statdata", (2015, 1), (2016, 12), frozenset(), ALL),
    "schemes": Feed("nav_schemes", (2013, 1), (2016, 12)),
}


def world(**more: Any) -> World:
    more.setdefault("feeds", FEEDS)
    return World(months=14, history=2, **more)


def employ(made: World, person: str, month: tuple[int, int], employer: str, nok: float, hours: float | None, **more: Any) -> None:
    """A job record of the month with its pay."""
    common = {"person_id": person, "source": "monthly", "month": month, "employer": employer, "kind": "ordinary", "basis": "1a"}
    made.jobs.append({**common, "record": "month", "start": None, "end": None, "weekly_hours": hours, **more})
    pay = {name: made.jobs[-1][name] for name in common}
    made.pay.append({**pay, "amount_ore": round(nok * 100)})


def scheme(made: World, month: int, code: str, employer: str | None) -> None:
    made.schemes.append({"person_id": "subsidy", "source": "schemes", "start": date(2015, month, 1), "end": date(2015, month, 28),
                         "scheme": code, "employer": employer})  # fmt: skip


def six_people() -> World:
    """Everybody starts in March 2015, one in June 2014: month 1 is April 2015, and July 2014."""
    start = date(2015, 3, 10)
    people = dict.fromkeys(("died", "two jobs", "subsidy", "abroad", "not linked"), start) | {"before 2015": date(2014, 6, 10)}
    made = world(people=people, deaths={"died": date(2015, 6, 10)},
                 moves={"abroad": [(date(1980, 1, 1), date(2015, 3, 31)), (date(2015, 6, 1), None)]})  # fmt: skip
    for month in range(3, 8):
        employ(made, "died", (2015, month), "E1", 10_000, 20)
        employ(made, "abroad", (2015, month), "E1", 7_000, 12)
        employ(made, "not linked", (2015, month), "E1", 7_000, 12)
    made.jobs.append({"person_id": "before 2015", "source": "old", "record": "spell", "month": None, "start": date(2013, 1, 1),
                      "end": date(2014, 12, 31), "employer": "A1", "kind": "ordinary", "basis": None, "weekly_hours": None})  # fmt: skip
    employ(made, "before 2015", (2015, 1), "E1", 9_999.99, 15)
    # April: the second job begins after the 16th; June: the first is an absence without pay; August: a job until the 10th
    employ(made, "two jobs", (2015, 4), "E1", 10_000.50, 20)
    employ(made, "two jobs", (2015, 4), "E2", 5_000.25, 17.5, start=date(2015, 4, 20))
    employ(made, "two jobs", (2015, 5), "E1", 10_000.50, 20)
    employ(made, "two jobs", (2015, 5), "E2", 5_000.25, 17.5)
    employ(made, "two jobs", (2015, 6), "E1", 1_000, 20, basis="4a")
    employ(made, "two jobs", (2015, 6), "E2", 5_000.25, 17.5)
    employ(made, "two jobs", (2015, 8), "E2", 3_000, 17.5, end=date(2015, 8, 10))
    employ(made, "two jobs", (2015, 9), "E2", 3_000, None)
    for month in (4, 5, 6):
        employ(made, "subsidy", (2015, month), "E1", 12_000, 20)
        employ(made, "subsidy", (2015, month), "E2", 8_000, 10)
    scheme(made, 4, "MIDLONTIL", "E1")
    scheme(made, 5, "MIDLONTIL", None)
    scheme(made, 6, "IPSUNG", None)
    return made


def told(made: World, person: str, **settings: Any) -> pd.DataFrame:
    months = ips.follow_up(cohort_of(made, {"work": settings})).person_months
    return months[months["person_id"] == person].set_index("month")


def pay_of(table: pd.DataFrame, months: list[int]) -> list[tuple[float | None, float | None]]:
    """Kroner and hours."""
    return [tuple(None if pd.isna(v) else float(v) for v in table.loc[m, ["pay_nok", "weekly_hours"]]) for m in months]


# ---------------------------------------------------------------- six people by hand


def test_months_after_death_stay_missing_with_their_reason() -> None:
    own = told(six_people(), "died")
    assert pay_of(own, [0, 1, 2, 3, 4]) == [(10_000, 20)] * 3 + [(None, None)] * 2
    assert own.loc[[3, 4], "reason"].tolist() == ["dead", "dead"]
    assert own.loc[3:, AMOUNTS].isna().all(axis=None)


def test_before_2015_nobody_knows_pay_or_hours_of_those_in_work_or_out_of_it() -> None:
    made = six_people()
    own = told(made, "before 2015")
    assert own.loc[1:6, "work"].all() and (own.loc[1:6, "reason"] == "").all()
    assert own.loc[:6, AMOUNTS].isna().all(axis=None)
    assert pay_of(own, [7, 8]) == [(9_999.99, 15), (0, 0)]
    # out of work in the old register: a zero for these alone would leave a mean of zeros
    made.jobs = [j for j in made.jobs if j["source"] != "old"]
    own = told(made, "before 2015")
    assert not own.loc[1:6, "work"].any() and own.loc[:6, AMOUNTS].isna().all(axis=None)


def test_two_jobs_in_a_month_are_added_up() -> None:
    own = told(six_people(), "two jobs")
    # pay comes in over the month, hours are those of the 16th
    assert pay_of(own, [1, 2, 3, 4]) == [(15_000.75, 20), (15_000.75, 37.5), (5_000.25, 17.5), (0, 0)]
    # paid until the 10th: not in work on the 16th, and the money is there
    assert not own.loc[5, "work"] and pay_of(own, [5]) == [(3_000, 0)]
    # a job whose hours nobody wrote down
    assert own.loc[6, "work"] and pay_of(own, [6]) == [(3_000, None)]
    # April 2015 is the last month but one of a G of 88,370
    assert own.loc[1, "pay_g"] == 12 * 15_000.75 / 88_370 and own.loc[2, "pay_g"] == 12 * 15_000.75 / 90_068
    assert own.loc[4, "pay_g"] == 0


def test_wage_subsidy_takes_its_pay_and_hours() -> None:
    made = six_people()
    # with the employer's key that job; without it the month; a scheme of support takes nothing
    assert pay_of(told(made, "subsidy"), [1, 2, 3]) == [(8_000, 10), (0, 0), (20_000, 30)]
    # lenient: with two employers nothing can be told apart, so that nothing is taken
    assert pay_of(told(made, "subsidy", wage_subsidy="lenient"), [1, 2, 3]) == [(8_000, 10), (20_000, 30), (20_000, 30)]
    assert pay_of(told(made, "subsidy", wage_subsidy="keep"), [1, 2, 3]) == [(20_000, 30)] * 3


def test_abroad_and_not_linked_are_missing_and_never_0() -> None:
    made = six_people()
    own = told(made, "abroad")
    assert pay_of(own, [0, 1, 2, 3, 5]) == [(7_000, 12), (None, None), (None, None), (7_000, 12), (0, 0)]
    assert own.loc[[1, 2], "reason"].tolist() == ["abroad", "abroad"]
    assert told(made, "not linked")[AMOUNTS].isna().all(axis=None)


def test_sums_of_the_six_by_hand() -> None:
    followed = ips.follow_up(cohort_of(six_people(), {"work": {}}))
    table = work_sums(followed, "pay_nok", end=3).table
    # April, May, June: the dead are 0 in June; who was not known is in no month's mean
    by_month = [(10_000 + 15_000.75 + 8_000) / 3, (10_000 + 15_000.75 + 0) / 3, (0 + 5_000.25 + 20_000 + 7_000) / 4]
    assert table["measure"].tolist() == ["mean_sum"] and table["n"].tolist() == [4]
    assert table["estimate"][0] == pytest.approx(sum(by_month), rel=1e-14)
    whole = work_sums(followed, "pay_nok", end=3, missing="exclude").table
    sums = np.array([20_000, 35_001.75, 28_000])
    assert whole["n"].tolist() == [3] and whole["estimate"][0] == pytest.approx(sums.mean(), rel=1e-14)
    assert whole["std_error"][0] == pytest.approx(sums.std(ddof=1) / 3**0.5, rel=1e-12)
    hours = work_sums(followed, "weekly_hours", end=3).table
    assert hours["estimate"][0] == pytest.approx((20 + 20 + 10) / 3 + (20 + 37.5 + 0) / 3 + (0 + 17.5 + 30 + 12) / 4, rel=1e-14)
    in_g = work_sums(followed, "pay_g", end=2).table
    assert in_g["estimate"][0] == pytest.approx(12 * by_month[0] / 88_370 + 12 * by_month[1] / 90_068, rel=1e-14)
    with pytest.raises(UnsupportedError, match=r"8 person-months of 3 people were not known"):
        work_sums(followed, "pay_nok", end=3, missing="refuse")
    notes = work_sums(followed, "pay_nok", end=3).notes
    assert any(
        "8 person-months of 3 people were not known; a month that was not known is left out of that month's mean" in n
        for n in notes
    )


# ---------------------------------------------------------------- further rules


def test_pay_of_a_job_without_a_kind_leaves_the_month_open() -> None:
    made = world(people={"died": date(2015, 3, 10)})
    for month in (4, 5, 6):
        employ(made, "died", (2015, month), "E1", 9_000, 20)
    employ(made, "died", (2015, 4), "E2", 500, 10, kind="unknown")
    employ(made, "died", (2015, 5), "E2", 0, 10, kind="unknown")
    employ(made, "died", (2015, 6), "E2", 500, 10, kind="unknown", basis="4a")
    own = told(made, "died")
    assert own.loc[1:3, "work"].all()
    # nothing was paid for it in May; in June its basis counts nowhere
    assert pay_of(own, [1, 2, 3]) == [(None, None), (9_000, None), (9_000, 20)]


def test_pay_in_g_is_missing_past_the_table_and_pay_is_not() -> None:
    made = world(people={"P": date(2029, 3, 1)}, feeds={"monthly": Feed("ameld_statdata", (2015, 1), (2030, 12)),
                                                        "schemes": Feed("nav_schemes", (2015, 1), (2030, 12))})  # fmt: skip
    employ(made, "P", (2029, 4), "E1", 30_000, 30)
    own = told(made, "P")
    assert pay_of(own, [1, 2]) == [(30_000, 30), (0, 0)] and own["pay_g"].isna().all()


def test_a_study_without_pay_or_hours_has_the_columns_empty(tmp_path: Path) -> None:
    path = write_small_study(tmp_path / "study", jobs=[{"person_key": "P1", "start": "2013-05-01", "end": "", "employer": "E1",
                                                        "weekly_hours": ""}])  # fmt: skip
    months = ips.follow_up(ips.load_cohort(ips.load_study(path))).person_months
    assert months["pay_nok"].isna().all() and months["pay_g"].isna().all()
    # the register of spells knows hours, and this job has none
    works = months["ordinary"] == True  # noqa: E712
    assert works.any() and months.loc[works, "weekly_hours"].isna().all()
    assert (months.loc[months["ordinary"] == False, "weekly_hours"] == 0).all()  # noqa: E712


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_definition_may_not_take_the_name_of_an_amount(tmp_path: Path, name: str) -> None:
    path = write_small_study(tmp_path / "study", employed=f'[employed.{name}]\nlabel = "x"\n')
    with pytest.raises(StudyError, match="this name is taken by a column of the package"):
        ips.load_study(path)


def test_the_quality_table_counts_months_without_amounts() -> None:
    quality = ips.follow_up(cohort_of(six_people(), {"work": {}})).quality.set_index("rule")
    # months 1 to 6 of the one who began in 2014; and the hours of one job
    assert quality.loc["pay not known in an observed month", "count"] == 6
    assert quality.loc["weekly hours not known in an observed month", "count"] == 7


def test_stata_and_codebook_say_why_an_amount_is_missing(tmp_path: Path) -> None:
    followed = ips.follow_up(cohort_of(six_people(), {"work": {}}))
    entries = codebook(followed)["person_months"]
    plain = handed_on(followed.person_months, entries)
    write_stata(plain, entries, tmp_path / "months.dta", "months")
    frame, meta = pyreadstat.read_dta(str(tmp_path / "months.dta"), user_missing=True)
    own = followed.person_months
    letter = {"": "z", "dead": "a", "abroad": "b", "not_linked": "c"}
    for name in AMOUNTS:
        wanted = [letter[r] if pd.isna(v) else v for v, r in zip(own[name], own["reason"], strict=True)]
        assert frame[name].tolist() == wanted and {"a", "b", "c", "z"} <= set(wanted)
        assert meta.variable_storage_width[name] == 8
    assert meta.variable_value_labels["pay_nok"]["b"] == "abroad"
    assert meta.variable_value_labels["weekly_hours"]["z"].startswith("not known in an observed month: no register of hours")
    again = pd.read_stata(tmp_path / "months.dta", convert_categoricals=False)
    pd.testing.assert_series_equal(again["pay_nok"], own["pay_nok"], check_dtype=False)
    said = {e.column: e for e in entries}
    assert said["pay_nok"].unit.startswith("kroner") and said["pay_g"].unit == "G/12 of that month"
    assert "jobs that work (work) counts" in said["weekly_hours"].meaning


# ---------------------------------------------------------------- sums against R


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rows = golden("data_pay_sums.csv")
    return rows.assign(region=np.ceil(rows["site"] / 6))


CASES: dict[str, dict[str, Any]] = {
    "exclude": {"missing": "exclude"}, "exclude site": {"missing": "exclude", "cluster": "site"}, "available": {},
    "region": {"cluster": "region"},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_sums_equal_r(people: pd.DataFrame, case: str) -> None:
    table = work_sums(people, "pay", reference="control", dead="dead", **CASES[case]).table
    theirs = golden("answers_pay_sums.csv").query("case == @case").fillna({"group": ""}).set_index(["measure", "group"])
    ours = table.set_index(["measure", "group"])
    assert len(ours) == len(theirs) == 4
    theirs = theirs.loc[ours.index]
    assert ours["n"].tolist() == theirs["n"].tolist()
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-8)
    # the log-linear model of "exclude site" is iterated
    np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
    if case == "region":
        np.testing.assert_allclose(ours["degrees_of_freedom"].astype(float), theirs["degrees_of_freedom"], rtol=1e-6)
    else:
        assert "degrees_of_freedom" not in ours and theirs["degrees_of_freedom"].isna().all()


def test_limits_and_p_of_a_ratio_are_those_of_its_logarithm(people: pd.DataFrame) -> None:
    ratio = row(work_sums(people, "pay", reference="control", dead="dead"), measure="mean_ratio")
    half = 1.959963984540054 * ratio["std_error"]
    assert np.log([ratio["conf_low"], ratio["conf_high"]]) == pytest.approx(
        [np.log(ratio["estimate"]) - half, np.log(ratio["estimate"]) + half]
    )
    other = row(work_sums(people, "pay", reference="ips", dead="dead"), measure="mean_ratio")
    assert other["estimate"] == pytest.approx(1 / ratio["estimate"]) and other["p_value"] == pytest.approx(ratio["p_value"])


@pytest.mark.parametrize("options", [{}, {"missing": "exclude"}, {"cluster": "site"}], ids=str)
def test_of_yes_and_no_the_answers_are_those_of_months_in_work(options: dict[str, Any]) -> None:
    rows = SIX.assign(site=SIX["person_id"] % 2)
    sums = work_sums(rows, "works", reference="b", dead="dead", **options).table
    months = months_in_work(rows, "works", reference="b", dead="dead", **options).table
    names = {"months_in_work": "mean_sum", "months_in_work_difference": "mean_difference"}
    found = sums[sums["measure"] != "mean_ratio"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, months.replace({"measure": names}))
    assert len(sums) == len(months) + 1


def test_a_definition_of_a_follow_up_may_be_summed(demo_followup: ips.FollowUp) -> None:
    sums = work_sums(demo_followup, "ordinary").table
    months = months_in_work(demo_followup, "ordinary").table
    assert sums["estimate"].tolist()[:3] == months["estimate"].tolist()
    assert (
        row(work_sums(demo_followup, "ordinary"), measure="mean_ratio")["estimate"]
        == months["estimate"][1] / months["estimate"][0]
    )


# ---------------------------------------------------------------- properties and edges

amounts = st.lists(
    st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.0, 1.25, 12_345.67, -200.0])), min_size=3, max_size=3),
    min_size=4,
    max_size=9,
)


def long(values: list[list[float | None]]) -> pd.DataFrame:
    return pd.DataFrame([
        {"person_id": i, "arm": "ab"[i % 2], "month": m + 1, "pay": v, "copies": 1 + i % 3}
        for i, own in enumerate(values) for m, v in enumerate(own)
    ]).astype({"pay": float})  # fmt: skip


@quick
@given(amounts, st.integers(0, 99))
def test_order_and_counts_change_nothing(values: list[list[float | None]], seed: int) -> None:
    rows = long(values)
    table = work_sums(rows, "pay", reference="a").table
    pd.testing.assert_frame_equal(
        work_sums(rows.sample(frac=1, random_state=seed), "pay", reference="a").table, table, check_exact=True
    )
    copies = rows.loc[rows.index.repeat(rows["copies"])]
    copies = copies.assign(person_id=copies["person_id"] * 10 + copies.groupby(["person_id", "month"]).cumcount())
    one = work_sums(rows, "pay", reference="a", weights="copies").table
    pd.testing.assert_frame_equal(one, work_sums(copies, "pay", reference="a").table, check_exact=True)


@quick
@given(amounts)
def test_the_mean_is_the_sum_of_the_means_by_month(values: list[list[float | None]]) -> None:
    rows = long(values)
    table = work_sums(rows, "pay", reference="a").table
    means = rows.groupby(["arm", "month"])["pay"].mean().unstack().sum(axis=1, skipna=False)
    assert table["estimate"][:2].tolist() == pytest.approx(means.tolist(), rel=1e-9, abs=1e-9, nan_ok=True)
    # people of whom every month is known: Welch's t-test
    whole = rows.groupby("person_id").agg(arm=("arm", "first"), total=("pay", lambda v: v.sum(skipna=False))).dropna()
    found = row(work_sums(rows, "pay", reference="a", missing="exclude"), measure="mean_difference")
    a, b = (whole.loc[whole["arm"] == arm, "total"] for arm in "ab")
    if min(len(a), len(b)) > 1:
        welch = (a.var() / len(a) + b.var() / len(b)) ** 0.5
        assert found["std_error"] == pytest.approx(welch, rel=1e-9, abs=1e-8)


def test_ratio_needs_means_above_zero() -> None:
    nobody = long([[0.0, 0.0, 0.0]] * 6)
    table = work_sums(nobody, "pay", reference="a").table.set_index("measure")
    assert table.loc["mean_difference", ["estimate", "std_error"]].tolist() == [0, 0] and pd.isna(
        table.loc["mean_difference", "p_value"]
    )
    assert (
        pd.isna(table.loc["mean_ratio", "estimate"]) and table.loc["mean_ratio", "method"] == "no ratio: a mean is not above zero"
    )
    some = long([[10.0, 0.0, 0.0], [0.0, 0.0, 0.0]] * 3)
    ratio = row(work_sums(some, "pay", reference="a"), measure="mean_ratio")
    # nothing in the arm: a ratio of 0 without an interval
    assert ratio["estimate"] == 0 and pd.isna(ratio["conf_low"]) and ratio["method"] == "no ratio: a mean is not above zero"


def test_where_everybody_has_the_same_there_is_no_error_and_no_p() -> None:
    table = work_sums(long([[0.1, 0.2, 0.3], [0.7, 0.1, 0.1]] * 4), "pay", reference="a").table
    assert (table["std_error"] == 0).all() and table["p_value"].isna().all()
    assert table["conf_low"].tolist() == pytest.approx(table["estimate"].tolist())


def test_one_person_an_empty_arm_and_a_month_that_nobody_knows() -> None:
    two = work_sums(long([[1.0, 2.0, 3.5], [4.0, 5.0, 6.0]]), "pay", reference="a").table
    assert two["estimate"].tolist() == [6.5, 15.0, 8.5, 15 / 6.5]
    assert two["std_error"].isna().all() and (two["method"] == "no error: one person or cluster").all()
    gaps = long([[1.0, None, 2.0], [1.0, 2.0, 3.0], [1.0, None, 3.0], [2.0, 3.0, 4.0]])
    table = work_sums(gaps, "pay", reference="b").table.set_index(["measure", "group"])
    assert pd.isna(table.loc[("mean_sum", "a"), "estimate"])
    assert table.loc[("mean_difference", ""), "method"] == "nobody observed in some month"
    assert table.loc[("mean_ratio", ""), "method"] == "nobody observed in some month"
    left = work_sums(gaps, "pay", reference="b", missing="exclude").table.set_index(["measure", "group"])
    assert left.loc[("mean_sum", "a"), "n"] == 0 and left.loc[("mean_sum", "b"), "estimate"] == 7.5


def test_dead_months_are_0_and_others_never() -> None:
    rows = long([[10.0, None, None], [10.0, 10.0, 10.0], [20.0, 20.0, 20.0], [10.0, 10.0, 10.0]])
    dead = work_sums(rows.assign(dead=rows["pay"].isna()), "pay", reference="b", dead="dead").table
    assert dead["estimate"][0] == (10 + 60) / 2
    assert work_sums(rows, "pay", reference="b").table["estimate"][0] == 15 + 20 + 20


@pytest.mark.parametrize(("pay", "message"), [
    (["x"] * 12, "12 values of pay are no finite numbers"), ([1.5, float("inf")] * 6, "6 values of pay are no finite numbers"),
])  # fmt: skip
def test_what_is_no_number_is_refused(pay: list[Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        work_sums(long([[0.0] * 3] * 4).assign(pay=pay), "pay", reference="a")


def test_numbers_are_refused_where_yes_or_no_is_asked_for() -> None:
    rows = long([[1.5, 2.0, 3.0]] * 4)
    for ask in (months_in_work, employment_curves):
        with pytest.raises(UnsupportedError, match="must be true, false or missing"):
            ask(rows, "pay", reference="a")
        with pytest.raises(UnsupportedError, match="pay is a number: its sums are those of work_sums"):
            ask(months_matrix(rows, "pay", "arm", numbers=True), "pay", reference="a")
    matrix = months_matrix(rows, "pay", "arm", numbers=True)
    assert (
        work_sums(matrix, "pay", reference="a").table["estimate"].tolist()
        == work_sums(rows, "pay", reference="a").table["estimate"].tolist()
    )


# ---------------------------------------------------------------- other analyses take them


def test_subgroups_sum_pay_and_hours(demo_followup: ips.FollowUp) -> None:
    options = {"kind": "months", "start": 37, "end": 43}
    table = subgroup_effects(demo_followup, "age_18_30", "pay_nok", draws=200, **options).table
    whole = work_sums(demo_followup, "pay_nok", start=37, end=43)
    everybody = table[table["subgroup"] == ""].set_index("measure")
    for measure in ("mean_difference", "mean_ratio"):
        ours, theirs = everybody.loc[measure], row(whole, measure=measure)
        for column in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "n"):
            assert ours[column] == pytest.approx(theirs[column], rel=1e-9), (measure, column)
    for level in table.loc[table["measure"] == "mean_difference", "level"].unique():
        if level:
            inside = demo_followup.baseline.loc[demo_followup.baseline["age_18_30"] == level, "person_id"]
            months = demo_followup.person_months
            months = months[months["person_id"].isin(inside) & (months["month"] >= 37)]
            alone = row(work_sums(months.assign(dead=months["reason"] == "dead"), "pay_nok", reference="control", start=37, dead="dead"),
                        measure="mean_difference")  # fmt: skip
            own = table[(table["measure"] == "mean_difference") & (table["level"] == level)].iloc[0]
            assert [own["estimate"], own["std_error"]] == pytest.approx([alone["estimate"], alone["std_error"]], rel=1e-9)
    # shrunken towards each other by a prior in kroner, not in months
    shrunk = table.dropna(subset="shrunken")
    assert len(shrunk) == 2 and (shrunk["prior_sd"] > 1000).all()
    hours = subgroup_effects(demo_followup, "age_18_30", "weekly_hours", draws=200, **options).table
    assert hours["estimate"].notna().any() and (hours["prior_sd"].dropna() > 1).all()


def test_arms_are_compared_on_pay_in_a_month(demo_followup: ips.FollowUp) -> None:
    table = compare_arms(demo_followup, "pay_nok", at=43).table
    now = demo_followup.person_months.query("month == 43").groupby("arm")["pay_nok"].mean()
    assert table["measure"].tolist() == ["mean_difference"]
    assert table["estimate"][0] == pytest.approx(now["ips"] - now["control"])


def test_the_columns_agree_with_the_definition(demo_followup: ips.FollowUp) -> None:
    months = demo_followup.person_months
    yes, no = (months["ordinary"] == answer for answer in (True, False))
    assert (months.loc[months["observed"] & (months["source_system"] == "a_ordning") & no, "weekly_hours"] == 0).all()
    assert (months.loc[yes, "weekly_hours"].dropna() > 0).all()
    assert months.loc[~months["observed"] | (months["calendar_month"] < 201501), AMOUNTS].isna().all(axis=None)
    assert months.loc[months["observed"] & (months["calendar_month"] >= 201501), "pay_nok"].notna().all()
    # whole øre
    ore = months["pay_nok"].dropna() * 100
    assert np.allclose(ore, ore.round(), atol=1e-6)
