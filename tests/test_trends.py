"""Slopes after a landmark and paired changes: by hand, against R, and whatever the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from curves_world import SIX, agree_with_r, golden, quick, row, same, spread_out, studies
from hypothesis import given
from hypothesis import strategies as st

import ips_outcomes as ips
from ips_outcomes.analysis import trends
from ips_outcomes.errors import UnsupportedError

NUMBERS = ["measure", "n", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
MEASURES = ["slope", "slope_difference", "change", "change_difference"]


def test_six_people_by_hand() -> None:
    result = trends(SIX, "works", reference="b", start=1, end=3, correction="CR0")
    # a: rates 1/3, 2/3, 3/3 rise by 1/3 a month, 4 a year
    slope = row(result, measure="slope", group="a")
    assert (slope["n"], slope["estimate"]) == (3, pytest.approx(4))
    # residuals from 1/3, 2/3, 1: person 1 (-1/3, 1/3, 0), person 2 (-1/3, -2/3, 0), person 3 (2/3, 1/3, 0); the month less 2 is
    # -1, 0, 1 with squares adding to 6 over three people; scores 1/3, 1/3, -2/3, squares 6/9; variance 6/9/36 a month squared
    assert slope["std_error"] == pytest.approx(12 * np.sqrt(6 / 9 / 36))
    # CR1: G / (G - 1) = 3/2, (n - 1) / (n - 2) = 8/7
    adjusted = row(trends(SIX, "works", reference="b", start=1, end=3), measure="slope", group="a")
    assert adjusted["std_error"] == pytest.approx(slope["std_error"] * np.sqrt(3 / 2 * 8 / 7))
    # the change of a: 1, 1, 0, mean 2/3, squares about it 2/3, over 3^2
    change = row(result, measure="change", group="a")
    assert (change["n"], change["estimate"], change["std_error"]) == (3, pytest.approx(2 / 3), pytest.approx(np.sqrt(2 / 27)))
    # of b persons 4 and 6 were seen at both: 1 and 0, mean 1/2, squares 1/2 over 2^2
    change = row(result, measure="change", group="b")
    assert (change["n"], change["estimate"], change["std_error"]) == (2, pytest.approx(1 / 2), pytest.approx(np.sqrt(1 / 8)))
    difference = row(result, measure="change_difference")
    assert difference["estimate"] == pytest.approx(1 / 6) and difference["std_error"] == pytest.approx(np.sqrt(2 / 27 + 1 / 8))
    assert difference["contrast"] == "a - b" and len(result.notes) == 2 and "a: 3 people" in result.notes[0]


@pytest.mark.parametrize("correction", ["CR1", "CR0"])
@pytest.mark.parametrize(
    ("case", "options"),
    [("plain", {}), ("copies", {"weights": "copies"}), ("weighted", {"weights": "weight", "weight_type": "probability"}),
     ("sites", {"cluster": "site"})],
)  # fmt: skip
def test_trends_equal_r(case: str, options: dict, correction: str) -> None:
    ours = trends(golden("data_curves.csv"), "works", reference="control", start=3, end=12, correction=correction, **options)  # type: ignore[arg-type]
    agree_with_r(ours, f"{case} {correction}", MEASURES)


def test_the_change_may_start_later_than_the_slope(demo_followup: ips.FollowUp) -> None:
    later = trends(demo_followup, "ordinary", start=19, end=43, change_start=31)
    same(later.select(measure=["slope", "slope_difference"]).table[NUMBERS],
         trends(demo_followup, "ordinary", start=19, end=43).select(measure=["slope", "slope_difference"]).table[NUMBERS])  # fmt: skip
    same(later.select(measure=["change", "change_difference"]).table[NUMBERS],
         trends(demo_followup, "ordinary", start=31, end=43).select(measure=["change", "change_difference"]).table[NUMBERS])  # fmt: skip
    assert set(later.select(measure="change").table["start"]) == {31} and set(later.table["end"]) == {43}
    assert not later.notes and later.table["measure"].tolist() == [
        *["slope"] * 2,
        "slope_difference",
        *["change"] * 2,
        "change_difference",
    ]


@quick
@given(studies(), st.integers(0, 1000))
def test_order_copies_and_reference(rows: pd.DataFrame, seed: int) -> None:
    options = {"start": 1, "end": 4}
    table = trends(rows, "works", reference="a", weights="copies", **options).table
    same(table, trends(rows.sample(frac=1, random_state=seed), "works", reference="a", weights="copies", **options).table)
    same(table, trends(spread_out(rows), "works", reference="a", **options).table, atol=1e-9)
    other = trends(rows, "works", reference="b", weights="copies", **options)
    for measure in ("slope_difference", "change_difference"):
        left, right = table[table["measure"] == measure].iloc[0], row(other, measure=measure)
        np.testing.assert_allclose(left["estimate"], -right["estimate"], atol=1e-9)
        np.testing.assert_allclose(left["std_error"], right["std_error"], atol=1e-9)


@quick
@given(studies(missing=False))
def test_a_slope_over_two_months_is_the_change_between_them(rows: pd.DataFrame) -> None:
    rows = rows[rows["month"].isin([1, 4])]
    table = trends(rows, "works", reference="a", start=1, end=4, correction="CR0").table
    slopes = table[table["measure"].str.startswith("slope")]
    changes = table[table["measure"].str.startswith("change")]
    # three months apart: a quarter of a year
    np.testing.assert_allclose(slopes["estimate"], 4 * changes["estimate"].to_numpy(), atol=1e-10)
    np.testing.assert_allclose(slopes["std_error"], 4 * changes["std_error"].to_numpy(), atol=1e-10)


def test_an_outcome_that_never_changes_has_no_p() -> None:
    rows = SIX.assign(works=(SIX["arm"] == "a").astype(float))
    result = trends(rows, "works", reference="b", start=1, end=3)
    assert (result.table["estimate"].abs() < 1e-12).all() and (result.table["std_error"] == 0).all()
    assert result.table["p_value"].isna().all() and result.table["method"].str.contains("residuals are all zero").all()


def test_an_arm_seen_in_one_month_only_has_no_slope() -> None:
    rows = SIX[(SIX["arm"] == "a") | (SIX["month"] == 1)]
    result = trends(rows, "works", reference="b", start=1, end=3)
    for where in ({"measure": "slope", "group": "b"}, {"measure": "slope_difference"}, {"measure": "change_difference"}):
        found = row(result, **where)
        assert np.isnan(found["estimate"]) and found["method"] == "too few months or people observed"
    assert row(result, measure="change", group="b")["n"] == 0


def test_one_person_has_a_slope_without_error() -> None:
    result = trends(SIX[SIX["person_id"] == 1], "works", start=1, end=3)
    assert result.table["estimate"].notna().all() and result.table["std_error"].isna().all()
    assert (result.table["method"] == "no error: too few people").all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"start": 3, "end": 3}, "must come after"), ({"end": 7}, "no month 7"), ({"change_start": 0}, "must come after"),
     ({"correction": "CR2"}, "CR1 or CR0"), ({"reference": "c"}, "name the reference"),
     ({"strata": "site"}, "does not support strata")],
)  # fmt: skip
def test_wrong_questions_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        trends(SIX.assign(site=SIX["person_id"] % 2), "works", **({"reference": "b", "start": 1, "end": 3} | options))


def test_another_name_for_the_person() -> None:
    renamed = SIX.rename(columns={"person_id": "who", "month": "m"})
    same(trends(renamed, "works", reference="b", start=1, end=3, person_id="who", month="m").table[NUMBERS],
         trends(SIX, "works", reference="b", start=1, end=3).table[NUMBERS])  # fmt: skip
