"""Slopes with a knot, the placebo check on history, and rates adjusted for a break: by hand, against R, and at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from curves_world import SIX, golden, quick, row, same, spread_out, studies
from hypothesis import given
from hypothesis import strategies as st

import ips_outcomes as ips
from ips_outcomes.analysis import compare_arms, history_check, period_adjusted_rates, piecewise_trends, trends
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates

CASES: dict[str, dict[str, Any]] = {
    "plain CR1": {}, "plain CR0": {"correction": "CR0"}, "copies CR1": {"weights": "copies"},
    "weighted CR1": {"weights": "weight", "weight_type": "probability"}, "sites CR1": {"cluster": "site"},
    "region": {"cluster": "region"},
}  # fmt: skip
ASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "piecewise": (piecewise_trends, {"start": 1, "knot": 5, "end": 12}),
    "history": (history_check, {"start": 1, "end": 12}),
    "period": (period_adjusted_rates, {"at": [1, 6, 12]}),
}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rows = golden("data_curves.csv")
    since = rows["person_id"] % 9 + rows["month"]
    return rows.assign(region=np.ceil(rows["site"] / 6), calendar_month=(2014 + since // 12) * 100 + since % 12 + 1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ASKED)
def test_answers_equal_r(people: pd.DataFrame, name: str, case: str) -> None:
    function, options = ASKED[name]
    ours: Estimates = function(people, "works", reference="control", **options, **CASES[case])
    theirs = golden("month_models.csv")
    theirs = theirs[(theirs["case"] == case) & (theirs["question"] == name)]
    asked = ours.table[ours.table["p_value"].notna() | (ours.table["measure"] != "joint_test")]
    assert len(theirs) == len(asked) >= 3
    for answer in theirs.to_dict("records"):
        if answer["measure"] == "joint_test":
            found = row(ours, measure="joint_test")
            assert (
                found["degrees_of_freedom"] == answer["degrees_of_freedom"] == 4
                and found["denominator"] == answer["n"] - 2 - 4 + 1
            )
            np.testing.assert_allclose([found["statistic"], found["p_value"]], [answer["estimate"], answer["p_value"]], rtol=1e-6)
            continue
        found = asked[(asked["measure"] == answer["measure"]) & (asked["group"] + asked["contrast"] == answer["who"])]
        if not np.isnan(answer["month"]):
            found = found[found["month"] == answer["month"]]
        assert len(found) == 1, answer
        np.testing.assert_allclose(found["estimate"], answer["estimate"], rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(found["std_error"], answer["std_error"], rtol=1e-6)
        if found["p_value"].notna().all():
            np.testing.assert_allclose(found["p_value"], answer["p_value"], rtol=1e-6)
        if case == "region":
            np.testing.assert_allclose(found["degrees_of_freedom"], answer["degrees_of_freedom"], rtol=1e-6)
    # a share of 0 in an arm is no question; a slope or shift of 0 is
    untested = ours.select(measure=["mean", "rate", "mean_rate", "level"]).table
    assert untested["p_value"].isna().all() and untested["conf_low"].notna().all()


# ---------------------------------------------------------------- by hand


def test_a_knot_by_hand() -> None:
    # two people: 0 0 1 and 0 1 1; the shares 0, 1/2, 1 lie on one line, so the slopes are 1/2 a month on both sides
    rows = pd.DataFrame({"person_id": [1, 2] * 3, "month": [1, 1, 2, 2, 3, 3], "works": [0, 0, 0, 1, 1, 1]})
    result = piecewise_trends(rows, "works", arm=None, start=1, knot=2, end=3, correction="CR0")
    assert [
        row(result, measure=m)["estimate"] for m in ("slope_before", "slope_after", "slope_change", "level")
    ] == pytest.approx([6, 6, 0, 0.5])
    # three coefficients for three months: fitted are the means, residuals -1/2 and 1/2 in month 2 alone. The level's influence
    # is -1/4 and 1/4 (half of it), squares 2/16; before is (level - share of month 1) x 12: 12 times that; after its negative
    spread = np.sqrt(2 / 16)
    assert row(result, measure="level")["std_error"] == pytest.approx(spread)
    assert row(result, measure="slope_before")["std_error"] == pytest.approx(12 * spread)
    assert row(result, measure="slope_change")["std_error"] == pytest.approx(24 * spread)
    assert row(result, measure="level")["n"] == 2 and row(result, measure="slope_before")["events"] == 1


def test_history_of_six_by_hand() -> None:
    result = history_check(SIX, "works", reference="b", start=1, end=3, correction="CR0")
    # a: 6 of 9 person-months; b: 2 of 7 (4 was in work in month 3, 5 in month 1)
    assert [row(result, measure="mean", group=g)["estimate"] for g in "ab"] == pytest.approx([6 / 9, 2 / 7])
    # a: persons add 2, 1, 3 less 2/3 x 3 each: 0, -1, 1 over 9. b: 1 - 6/7, 1 - 4/7, 0 - 4/7 = 1/7, 3/7, -4/7 over 7
    variance = 2 / 81 + (1 + 9 + 16) / 49 / 49
    difference = row(result, measure="mean_difference")
    assert difference["estimate"] == pytest.approx(6 / 9 - 2 / 7) and difference["std_error"] == pytest.approx(np.sqrt(variance))
    # one block of three months: the joint test is the square of that, against F(1, 6 - 2)
    joint = row(result, measure="joint_test")
    assert joint["statistic"] == pytest.approx((difference["estimate"] / difference["std_error"]) ** 2)
    assert (joint["degrees_of_freedom"], joint["denominator"], joint["n"]) == (1, 4, 6)


def test_a_shift_by_hand() -> None:
    # month 1 lies before the break for persons 1 to 4 and after it for 5 to 8, month 2 after it for all
    rows = pd.DataFrame({"person_id": [*range(1, 9)] * 2, "month": [1] * 8 + [2] * 8,
                         "calendar_month": [201412] * 4 + [201506] * 4 + [201501] * 4 + [201507] * 4,
                         "works": [1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0]})  # fmt: skip
    result = period_adjusted_rates(rows, "works", arm=None)
    # month 1: 3/4 before, 2/4 since: the shift is -1/4, and month 1 as if all were counted since then is 2/4
    assert row(result, measure="shift")["estimate"] == pytest.approx(-1 / 4)
    assert [row(result, measure="rate", month=m)["estimate"] for m in (1, 2)] == pytest.approx([2 / 4, 3 / 8])
    assert row(result, measure="mean_rate")["estimate"] == pytest.approx(7 / 16)
    # the shift's error: residuals of four and four in month 1, squares 3 x 1/16 + 9/16 = 3/4 and 4 x 1/4 = 1, over 4^2 each
    plain = period_adjusted_rates(rows, "works", arm=None, correction="CR0")
    assert row(plain, measure="shift")["std_error"] == pytest.approx(np.sqrt((3 / 4 + 1) / 16))


# ---------------------------------------------------------------- properties


@quick
@given(studies(), st.integers(0, 1000))
def test_order_copies_and_reference(rows: pd.DataFrame, seed: int) -> None:
    start = rows["person_id"] % 3 + rows["month"]
    rows = rows.assign(calendar_month=np.where(start < 4, 201409 + start, 201497 + start))
    for function, options in ((piecewise_trends, {"start": 1, "knot": 2, "end": 4}), (history_check, {"start": 1, "end": 4, "block": 2}),
                              (period_adjusted_rates, {})):  # fmt: skip
        asked = {"reference": "a", **options}
        table = function(rows, "works", weights="copies", **asked).table
        same(table, function(rows.sample(frac=1, random_state=seed), "works", weights="copies", **asked).table)
        numbers = ["n", "events", "estimate", "std_error"]
        same(table[numbers], function(spread_out(rows), "works", **asked).table[numbers], atol=1e-9)
        other = function(rows, "works", weights="copies", **{**asked, "reference": "b"}).table
        differences = table["contrast"] != ""
        np.testing.assert_allclose(table.loc[differences, "estimate"], -other.loc[differences, "estimate"], atol=1e-9)
        np.testing.assert_allclose(table.loc[differences, "std_error"], other.loc[differences, "std_error"], atol=1e-9)


@quick
@given(studies(missing=False))
def test_slopes_of_two_straight_pieces_join_the_slope_of_trends(rows: pd.DataFrame) -> None:
    # with three months and a knot between them each piece is the change between two months
    rows = rows[rows["month"] <= 3]
    bent = piecewise_trends(rows, "works", reference="a", start=1, knot=2, end=3, correction="CR0")
    for measure, months in (("slope_before", (1, 2)), ("slope_after", (2, 3))):
        change = trends(rows, "works", reference="a", start=months[0], end=months[1], correction="CR0").select(measure="slope")
        np.testing.assert_allclose(bent.select(measure=measure).table["estimate"], change.table["estimate"], atol=1e-9)
        np.testing.assert_allclose(bent.select(measure=measure).table["std_error"], change.table["std_error"], atol=1e-9)


@quick
@given(studies())
def test_where_all_are_on_one_side_of_each_month_nothing_is_known(rows: pd.DataFrame) -> None:
    result = period_adjusted_rates(
        rows.assign(calendar_month=201410 + rows["month"] + 88 * (rows["month"] > 2)), "works", reference="a"
    )
    assert result.table["estimate"].isna().sum() >= 3 and row(result, measure="shift_difference")["method"].startswith(
        "not known"
    )
    # months since the break need no shift: they are what they are
    late = result.select(measure="rate", month=4).table
    plain = rows[rows["month"] == 4].dropna(subset=["works"]).groupby("arm")["works"].mean()
    np.testing.assert_allclose(late["estimate"], plain.reindex(late["group"]), atol=1e-9)


# ---------------------------------------------------------------- the synthetic study


def test_months_since_the_break_are_the_plain_rates(demo_followup: ips.FollowUp) -> None:
    adjusted = row(period_adjusted_rates(demo_followup, "ordinary", at=43), measure="risk_difference")
    plain = row(compare_arms(demo_followup, "ordinary", at=43), measure="risk_difference")
    # month 43 lies after the break for everybody
    assert adjusted["estimate"] == pytest.approx(plain["estimate"], abs=1e-9) and adjusted["n"] == plain["n"]


def test_history_of_the_synthetic_trial_is_alike(demo_followup: ips.FollowUp) -> None:
    result = history_check(demo_followup, "ordinary")
    assert set(result.table["start"]) == {-24} and set(result.table["end"]) == {-1}
    seen = demo_followup.person_months.query("month < 0 and observed")
    shares = seen.groupby("arm")["ordinary"].mean()
    assert row(result, measure="mean", group="ips")["estimate"] == pytest.approx(shares["ips"])
    # the arms were drawn by lot
    assert row(result, measure="mean_difference")["p_value"] > 0.05 and row(result, measure="joint_test")["p_value"] > 0.05


# ---------------------------------------------------------------- edges


def test_one_arm_has_no_comparison() -> None:
    assert history_check(SIX, "works", arm=None, start=1, end=3).table["measure"].tolist() == ["mean"]
    assert not piecewise_trends(SIX, "works", arm=None, start=1, knot=2, end=3).table["measure"].str.contains("difference").any()


def test_three_arms_are_tested_together() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"person_id": np.repeat(range(90), 6), "arm": np.repeat(["a", "b", "c"] * 30, 6), "month": [*range(-6, 0)] * 90,
                         "works": rng.integers(0, 2, 540)})  # fmt: skip
    result = history_check(rows, "works", reference="a")
    assert result.select(measure="mean_difference").table["contrast"].tolist() == ["b - a", "c - a"]
    joint = row(result, measure="joint_test")
    assert (joint["degrees_of_freedom"], joint["denominator"]) == (4, 90 - 3 - 4 + 1)


def test_few_clusters_have_no_joint_test() -> None:
    rows = SIX.assign(site=SIX["person_id"])
    result = history_check(rows, "works", reference="b", start=1, end=3, cluster="site")
    joint = row(result, measure="joint_test")
    assert np.isnan(joint["p_value"]) and joint["method"].startswith("no joint test: 6")
    assert row(result, measure="mean_difference")["method"] == "least squares, CR2 errors, t"
    assert any(n.startswith("few clusters") for n in result.notes)


def test_nothing_that_varies_is_no_test() -> None:
    rows = SIX.assign(works=0)
    joint = row(history_check(rows, "works", reference="b", start=1, end=3), measure="joint_test")
    assert np.isnan(joint["p_value"]) and joint["method"].startswith("no joint test")
    bent = piecewise_trends(rows, "works", reference="b", start=1, knot=2, end=3).table
    assert (bent["estimate"].abs() < 1e-12).all() and (bent["std_error"] == 0).all() and bent["p_value"].isna().all()


def test_a_block_that_an_arm_did_not_live_through_is_left_out() -> None:
    rows = SIX.assign(works=SIX["works"].where((SIX["arm"] == "a") | (SIX["month"] > 1)))
    result = history_check(rows, "works", reference="b", start=1, end=3, block=1)
    assert any("1 of 3 blocks" in n for n in result.notes)
    # two of the three are left; months 2 and 3 of five people
    assert row(result, measure="joint_test")["degrees_of_freedom"] <= 2


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (piecewise_trends, {"knot": 3}, "must lie between"),
        (piecewise_trends, {"end": 9}, "no month 9"),
        (piecewise_trends, {"correction": "CR3"}, "CR1 or CR0"),
        (piecewise_trends, {"reference": "c"}, "name the reference"),
        (history_check, {"start": 4}, "no months of history"),
        (history_check, {"start": -5}, "no month -5"),
        (history_check, {"block": 0}, "one month or more"),
        (history_check, {"correction": "CR3"}, "CR1 or CR0"),
        (period_adjusted_rates, {}, "no column calendar_month"),
        (period_adjusted_rates, {"calendar": "month"}, "18 values of month are no calendar months"),
        (period_adjusted_rates, {"since": 201513, "calendar": "when"}, "since is a calendar month"),
        (period_adjusted_rates, {"at": 7, "calendar": "when"}, "no month 7"),
        (period_adjusted_rates, {"calendar": "wrong"}, "changes within a person"),
        (period_adjusted_rates, {"strata": "arm"}, "does not support strata"),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused(function: Any, options: dict[str, Any], message: str) -> None:
    own: dict[str, Any] = {piecewise_trends: {"start": 1, "knot": 2, "end": 3}, history_check: {"start": 1, "end": 3}}.get(
        function, {}
    )
    rows = SIX.assign(when=201411 + SIX["month"] + 88 * (SIX["month"] > 1), wrong=201501)
    with pytest.raises(UnsupportedError, match=message):
        function(rows, "works", **{"reference": "b", **own, **options})


def test_one_person_has_estimates_without_errors() -> None:
    alone = SIX[SIX["person_id"] == 1].assign(calendar_month=[201411, 201412, 201501])
    assert piecewise_trends(alone, "works", arm=None, start=1, knot=2, end=3).table["std_error"].isna().all()
    assert history_check(alone, "works", arm=None, start=1, end=3).table["std_error"].isna().all()
    assert period_adjusted_rates(alone, "works", arm=None, at=3).select(measure="rate").table["std_error"].isna().all()
