"""Employment curves, their bands, and months in work: by hand, against R, and whatever the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from curves_world import GOLDEN, SIX, agree_with_r, golden, quick, row, same, spread_out, studies
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

import ips_outcomes as ips
from ips_outcomes import employment_rates
from ips_outcomes.analysis import compare_arms, employment_curves, months_in_work, months_matrix
from ips_outcomes.analysis.curves import contrast_influence, curves, multiplier_maxima, simultaneous_band
from ips_outcomes.analysis.limits import Z95
from ips_outcomes.errors import UnsupportedError

NUMBERS = [
    "n",
    "events",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "band_low",
    "band_high",
    "critical",
    "p_value",
    "p_adjusted",
]
FEW = {"draws": 400}

# ---------------------------------------------------------------- by hand


def test_six_people_curve_by_hand() -> None:
    result = employment_curves(SIX, "works", reference="b")
    rates = {(r["group"], r["month"]): (r["n"], r["estimate"]) for r in result.select(measure="rate").table.to_dict("records")}
    assert rates == {
        ("a", 1): (3, 1 / 3),
        ("a", 2): (3, 2 / 3),
        ("a", 3): (3, 1),
        ("b", 1): (3, 1 / 3),
        ("b", 2): (2, 0),
        ("b", 3): (2, 0.5),
    }
    # month 2: b has nobody in work of 2, so only a varies: 2/3 x 1/3 / 3 = 2/27
    second = row(result, measure="risk_difference", month=2)
    assert second["estimate"] == pytest.approx(2 / 3) and second["std_error"] == pytest.approx(np.sqrt(2 / 27))
    # month 1: both arms 1 of 3, twice 2/27
    assert row(result, measure="risk_difference", month=1)["std_error"] == pytest.approx(np.sqrt(4 / 27))
    # month 3: a has everybody; b one of two, 1/2 x 1/2 / 2 = 1/8
    assert row(result, measure="risk_difference", month=3)["std_error"] == pytest.approx(np.sqrt(1 / 8))
    assert row(result, measure="rate", group="a", month=3)["method"].endswith("no variation in this month")


def test_six_people_months_in_work_by_hand() -> None:
    # a: totals 2, 1, 3, mean 2, variance 1, error sqrt(1 / 3)
    result = months_in_work(SIX, "works", reference="b", missing="exclude", dead="dead")
    a = row(result, measure="months_in_work", group="a")
    assert (a["n"], a["estimate"], a["std_error"]) == (3, 2, pytest.approx(np.sqrt(1 / 3)))
    # b without person 6: totals 1 and, dead in month 3, 1
    b = row(result, measure="months_in_work", group="b")
    assert (b["n"], b["estimate"], b["std_error"]) == (2, 1, pytest.approx(0, abs=1e-12))
    # available: 1/3 + 0/2 + 1/3 with the dead person 0 in month 3
    available = months_in_work(SIX, "works", reference="b", dead="dead")
    b = row(available, measure="months_in_work", group="b")
    assert (b["n"], b["estimate"]) == (3, pytest.approx(2 / 3))
    # influence: person 4 (-1/3 + 0 + 2/3) / 3, person 5 (2/3 + 0 - 1/3) / 3, person 6 (-1/3 - 1/3) / 3; times 3 / 2
    assert b["std_error"] == pytest.approx(np.sqrt((1 / 9**2 + 1 / 9**2 + 2**2 / 9**2) * 1.5))
    difference = row(available, measure="months_in_work_difference")
    assert difference["estimate"] == pytest.approx(4 / 3) and difference["contrast"] == "a - b"
    assert difference["std_error"] == pytest.approx(np.sqrt(1 / 3 + b["std_error"] ** 2))
    assert "1 person-months of 1 people were not observed" in available.notes[0]
    with pytest.raises(UnsupportedError, match="1 person-months of 1 people"):
        months_in_work(SIX, "works", reference="b", missing="refuse", dead="dead")


def test_a_death_is_a_gap_where_nobody_says_that_it_is_one() -> None:
    with pytest.raises(UnsupportedError, match="2 person-months of 2 people"):
        months_in_work(SIX, "works", reference="b", missing="refuse")


# ---------------------------------------------------------------- against R


@pytest.mark.parametrize(
    ("case", "options"),
    [("plain", {}), ("copies", {"weights": "copies"}), ("weighted", {"weights": "weight", "weight_type": "probability"}),
     ("sites", {"cluster": "site"})],
)  # fmt: skip
def test_rates_equal_r(case: str, options: dict) -> None:
    ours = employment_curves(golden("data_curves.csv"), "works", reference="control", at=[1, 6, 12], **FEW, **options)
    agree_with_r(ours, case, ["rate", "risk_difference"])


def test_months_in_work_equal_r() -> None:
    people = golden("data_curves.csv")
    both = ["months_in_work", "months_in_work_difference"]
    for missing in ("exclude", "available"):
        agree_with_r(months_in_work(people, "works", reference="control", missing=missing, dead="dead"), missing, both)
    clustered = months_in_work(people, "works", reference="control", missing="exclude", dead="dead", cluster="site")
    agree_with_r(clustered, "exclude sites", both)


def test_largest_deviations_equal_r_with_the_same_multipliers() -> None:
    people = golden("data_curves.csv").assign(own=lambda d: d["person_id"])
    # a cluster each keeps people in the order of their numbers, which the multipliers follow
    matrix = months_matrix(people, "works", "arm", cluster="own")
    units, _ = matrix.unit_sums(contrast_influence(matrix, curves(matrix).influence, 1, 0) / matrix.count[:, None])
    multipliers = pd.read_csv(GOLDEN / "data_multipliers.csv", header=None)
    ours = multiplier_maxima(units, multipliers.to_numpy(dtype=float))
    np.testing.assert_allclose(ours, golden("answers_multipliers.csv")["maximum"], rtol=1e-10)


def test_both_kinds_of_multipliers_and_r_find_about_the_same_width() -> None:
    people = golden("data_curves.csv")
    widths = {
        kind: employment_curves(people, "works", reference="control", multiplier=kind).table
        for kind in ("gaussian", "rademacher")
    }
    gaussian, rademacher = (float(row_["critical"].iloc[-1]) for row_ in widths.values())
    assert gaussian == pytest.approx(rademacher, abs=0.06)
    # between one month and twelve unrelated months (Bonferroni)
    assert Z95 < gaussian < 2.87


# ---------------------------------------------------------------- the same answers as elsewhere in the package


def test_curves_agree_with_rates_and_comparisons(demo_followup: ips.FollowUp) -> None:
    result = employment_curves(demo_followup, "ordinary", **FEW)
    rates = employment_rates(demo_followup, "ordinary", by="arm").table
    common = ["group", "month", "n", "events", "estimate", "std_error", "conf_low", "conf_high"]
    same(result.select(measure="rate").table[common], rates[common])
    theirs = compare_arms(demo_followup, "ordinary").select(measure="risk_difference").table
    common = ["contrast", "month", "n", "events", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    same(result.select(measure="risk_difference").table[common], theirs[common])


def test_months_in_work_is_the_area_between_the_curves(demo_followup: ips.FollowUp) -> None:
    area = row(months_in_work(demo_followup, "ordinary_composite"), measure="months_in_work_difference")["estimate"]
    between = (
        employment_curves(demo_followup, "ordinary_composite", **FEW).select(measure="risk_difference").table["estimate"].sum()
    )
    assert area == pytest.approx(between, abs=1e-12)
    # the dead of a follow-up are known: without the composite the answer is the same
    assert row(months_in_work(demo_followup, "ordinary"), measure="months_in_work_difference")["estimate"] == pytest.approx(area)


# ---------------------------------------------------------------- bands


def test_a_band_is_about_the_months_that_were_asked() -> None:
    people = golden("data_curves.csv")
    one = employment_curves(people, "works", reference="control", at=6).table
    np.testing.assert_allclose(one["critical"], Z95, atol=0.06)
    whole = employment_curves(people, "works", reference="control").table
    some = employment_curves(people, "works", reference="control", at=[1, 6, 12]).table
    assert (some["critical"].unique() < whole["critical"].unique()).all()
    for table in (one, whole, some):
        assert (table["band_low"] <= table["conf_low"]).all() and (table["band_high"] >= table["conf_high"]).all()
    adjusted = whole[whole["measure"] == "risk_difference"]
    assert (adjusted["p_adjusted"] >= adjusted["p_value"] - 1e-3).all()


def test_plain_bands_are_so_many_errors_to_either_side() -> None:
    table = employment_curves(golden("data_curves.csv"), "works", reference="control", interval="plain", **FEW).table
    np.testing.assert_allclose(table["band_high"] - table["estimate"], table["critical"] * table["std_error"])
    np.testing.assert_allclose(table["estimate"] - table["conf_low"], Z95 * table["std_error"])


def test_a_band_covers_the_whole_curve_about_19_times_of_20() -> None:
    """800 trials of 200 people and 12 related months with a known curve; 95 % give or take 3 standard deviations."""
    rng = np.random.default_rng(20)
    truth = np.linspace(0.2, 0.5, 12)
    trials, covered, pointwise = 800, 0, 0
    for _ in range(trials):
        # correlation .64 between any two months of a person
        works = 0.8 * rng.standard_normal((200, 1)) + 0.6 * rng.standard_normal((200, 12)) < ndtri(truth)
        rate = works.mean(axis=0)
        influence = (works - rate) / 200
        error = np.sqrt((influence**2).sum(axis=0))
        band = simultaneous_band(influence, np.ones(200), rate / error, draws=400, seed=1)
        away = np.abs(rate - truth) / error
        covered += away.max() <= band.critical
        pointwise += away.max() <= Z95
    assert abs(covered / trials - 0.95) < 3 * np.sqrt(0.95 * 0.05 / trials) + 0.005
    assert pointwise / trials < 0.9


# ---------------------------------------------------------------- properties


@quick
@given(studies(), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: pd.DataFrame, random: object) -> None:
    shuffled = rows.sample(frac=1, random_state=random.randint(0, 1000))  # type: ignore[attr-defined]
    for multiplier in ("gaussian", "rademacher"):
        options = {"reference": "a", "weights": "copies", "multiplier": multiplier, **FEW}
        left, right = (employment_curves(data, "works", **options).table for data in (rows, shuffled))
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    same(months_in_work(rows, "works", reference="a").table, months_in_work(shuffled, "works", reference="a").table)


@quick
@given(studies())
def test_counts_give_the_answer_of_rows(rows: pd.DataFrame) -> None:
    people = spread_out(rows)
    counted = employment_curves(rows, "works", reference="a", weights="copies", **FEW).table
    pd.testing.assert_frame_equal(counted, employment_curves(people, "works", reference="a", **FEW).table, check_exact=True)
    for missing in ("available", "exclude"):
        options = {"reference": "a", "missing": missing}
        same(months_in_work(rows, "works", weights="copies", **options).table, months_in_work(people, "works", **options).table)


@quick
@given(studies())
def test_the_other_arm_as_reference_flips_signs(rows: pd.DataFrame) -> None:
    one, other = (employment_curves(rows, "works", reference=r, **FEW).select(measure="risk_difference").table for r in "ab")
    for left, right in (("estimate", "estimate"), ("conf_low", "conf_high"), ("band_low", "band_high")):
        np.testing.assert_allclose(one[left], -other[right], atol=1e-12)
    for column in ("std_error", "p_value", "critical", "p_adjusted"):
        np.testing.assert_allclose(one[column], other[column], atol=1e-12)
    one, other = (row(months_in_work(rows, "works", reference=r), measure="months_in_work_difference") for r in "ab")
    assert one["estimate"] == pytest.approx(-other["estimate"], abs=1e-12)
    assert one["std_error"] == pytest.approx(other["std_error"], nan_ok=True)


@quick
@given(studies(), st.integers(0, 2**32 - 1))
def test_a_seed_reproduces_a_band(rows: pd.DataFrame, seed: int) -> None:
    left, right = (
        employment_curves(rows, "works", reference="a", seed=seed, multiplier="rademacher", **FEW).table for _ in range(2)
    )
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_equal_probability_weights_are_no_weights() -> None:
    rows = golden("data_curves.csv").assign(w=2.5)
    options = {"reference": "control", "interval": "plain", **FEW}
    left = employment_curves(rows, "works", weights="w", weight_type="probability", **options).table
    right = employment_curves(rows, "works", **options).table
    same(left[["n", "estimate", "std_error", "conf_low"]], right[["n", "estimate", "std_error", "conf_low"]])
    np.testing.assert_allclose(left["events"], 2.5 * right["events"])


def test_a_cluster_each_is_people_alone_but_for_the_factor() -> None:
    people = golden("data_curves.csv").assign(own=lambda d: -d["person_id"])
    alone = employment_curves(people, "works", reference="control", interval="plain", **FEW).select(measure="rate").table
    clustered = employment_curves(people, "works", reference="control", cluster="own", **FEW).select(measure="rate").table
    n = alone["n"].astype(float)
    np.testing.assert_allclose(clustered["std_error"], alone["std_error"] * np.sqrt(n / (n - 1)))


# ---------------------------------------------------------------- edges


def study(works: dict[str, list[list[float | None]]]) -> pd.DataFrame:
    """Rows from arms of people of months."""
    rows, number = [], 0
    for arm, people in works.items():
        for person in people:
            number += 1
            rows += [(number, arm, month, value) for month, value in enumerate(person, start=1)]
    return pd.DataFrame(rows, columns=["person_id", "arm", "month", "works"])


def test_an_arm_that_nobody_was_observed_in_is_empty_and_says_so() -> None:
    rows = study({"a": [[None, None]], "b": [[1, 0], [0, 1]]})
    result = employment_curves(rows, "works", reference="b", **FEW)
    empty = result.select(group="a").table
    assert empty["n"].tolist() == [0, 0] and empty[["estimate", "conf_low", "band_low"]].isna().all(axis=None)
    assert (empty["method"] == "nobody observed").all()
    assert any("no month varies" in note for note in result.notes)
    assert result.select(measure="risk_difference").table[["estimate", "p_value", "p_adjusted"]].isna().all(axis=None)
    total = row(months_in_work(rows, "works", reference="b"), group="a")
    assert np.isnan(total["estimate"]) and total["method"] == "nobody observed in some month"


def test_a_month_that_nobody_was_observed_in() -> None:
    rows = study({"a": [[1, None, 1], [0, None, 1]], "b": [[1, 0, 0], [0, 1, 0]]})
    result = employment_curves(rows, "works", reference="b", **FEW)
    assert result.select(group="a").table["estimate"].isna().tolist() == [False, True, False]
    assert row(result, measure="risk_difference", month=2)["method"] == "nobody observed"
    assert np.isfinite(row(result, measure="risk_difference", month=1)["band_low"])
    assert np.isnan(row(months_in_work(rows, "works", reference="b"), measure="months_in_work_difference")["estimate"])
    assert row(months_in_work(rows, "works", reference="b", missing="exclude"), group="a")["n"] == 0


def test_everybody_dead_has_no_rate_and_no_months() -> None:
    rows = study({"a": [[None, None]] * 2, "b": [[None, None]] * 2}).assign(dead=True)
    assert employment_curves(rows, "works", reference="b", **FEW).table["estimate"].isna().all()
    months = months_in_work(rows, "works", reference="b", dead="dead").table
    assert (
        months["estimate"].tolist() == [0, 0, 0] and months["std_error"].tolist() == [0, 0, 0] and months["p_value"].isna().all()
    )


@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_outcome_has_no_band_and_says_so(value: int) -> None:
    rows = study({"a": [[value] * 2] * 3, "b": [[value] * 2] * 4})
    result = employment_curves(rows, "works", reference="b", **FEW)
    assert (result.table["std_error"] == 0).all() and result.table[["band_low", "band_high", "critical"]].isna().all(axis=None)
    assert result.table["conf_low"].notna().all(), "Wilson and Newcombe have an answer"
    assert len(result.notes) == 3 and all("no month varies" in note for note in result.notes)
    plain = employment_curves(rows, "works", reference="b", interval="plain", **FEW).table
    np.testing.assert_array_equal(plain["conf_low"], plain["estimate"])


def test_a_single_person() -> None:
    rows = study({"a": [[0, 1]]})
    result = employment_curves(rows, "works", **FEW)
    assert result.table["measure"].tolist() == ["rate", "rate"] and result.table["estimate"].tolist() == [0, 1]
    total = months_in_work(rows, "works").table
    assert total["estimate"].tolist() == [1] and total["std_error"].isna().all() and "one person" in total["method"][0]


def test_without_an_arm_everybody_is_one_curve() -> None:
    assert employment_curves(SIX, "works", None, **FEW).table["group"].tolist() == ["all"] * 3


def test_three_arms_each_against_the_reference() -> None:
    rows = study({"a": [[1, 0], [0, 1]], "b": [[1, 1], [0, 1]], "c": [[0, 0], [0, 1]]})
    contrasts = employment_curves(rows, "works", reference="b", **FEW).select(measure="risk_difference").table["contrast"]
    assert contrasts.tolist() == ["a - b", "a - b", "c - b", "c - b"]


def test_unequal_months_are_not_observed_where_rows_lack() -> None:
    rows = study({"a": [[1, 0, 1], [0]], "b": [[1, 0], [0, 1, 1]]})
    assert employment_curves(rows, "works", reference="b", **FEW).select(group="a").table["n"].tolist() == [2, 1, 1]


def test_a_missing_arm_is_left_out_and_counted() -> None:
    rows = study({"a": [[1]], "b": [[0]], "c": [[1]]}).replace({"arm": {"c": None}})
    result = employment_curves(rows, "works", reference="b", **FEW)
    assert result.notes[0] == "1 rows left out: arm is missing" and set(result.table["group"]) - {""} == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda d: pd.concat([d, d.iloc[:2]]), "2 rows repeat a person and month"),
     (lambda d: d.assign(arm=np.where((d["month"] == 2) & (d["person_id"] == 1), "b", d["arm"])), "arm changes within a person in 1 rows"),
     (lambda d: d.assign(month=d["month"] + 0.5), "18 months are missing or not whole"),
     (lambda d: d.assign(person_id=d["person_id"].replace(1, np.nan)), "3 rows have no person_id"),
     (lambda d: d.assign(works=d["works"].fillna(0) + 1), "must be true, false or missing"),
     (lambda d: d.drop(columns="month"), "need a month column"),
     (lambda d: d.drop(columns="arm"), "there is no column arm"),
     (lambda d: d.iloc[:0], "no rows|name the reference")],
)  # fmt: skip
def test_wrong_rows_are_refused(change: object, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        employment_curves(change(SIX), "works", reference="b")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"at": [1, 7]}, "no month 7"), ({"reference": "c"}, "name the reference arm"), ({"reference": None}, "name the reference arm"),
     ({"interval": "log"}, "score or plain"), ({"multiplier": "mammen"}, "gaussian or rademacher"), ({"draws": 0}, "at least 1"),
     ({"weights": "half"}, "whole numbers"), ({"weights": "minus"}, "from zero"),
     ({"weights": "month"}, "changes within a person"), ({"weights": "half", "weight_type": "other"}, "frequency or probability"),
     ({"weights": "half", "weight_type": "probability", "interval": "score"}, "stand alone and count whole"),
     ({"entry": "month"}, "does not support delayed entry"), ({"strata": "site"}, "does not support strata")],
)  # fmt: skip
def test_wrong_questions_are_refused(options: dict, message: str) -> None:
    rows = SIX.assign(site=SIX["person_id"] % 2, half=0.5, minus=-1)
    with pytest.raises(UnsupportedError, match=message):
        employment_curves(rows, "works", **({"reference": "b"} | options))


def test_months_asked_for_in_a_sum_must_be_there() -> None:
    with pytest.raises(UnsupportedError, match="no month 4, 5"):
        months_in_work(SIX, "works", reference="b", end=5)
    with pytest.raises(UnsupportedError, match="missing is"):
        months_in_work(SIX, "works", reference="b", missing="zero")
    with pytest.raises(UnsupportedError, match="months 3 to 2"):
        months_in_work(SIX, "works", reference="b", start=3, end=2)


def test_people_of_weight_zero_are_left_out_and_counted() -> None:
    rows = SIX.assign(copies=(SIX["person_id"] != 3).astype(int))
    result = employment_curves(rows, "works", reference="b", weights="copies", **FEW)
    assert "1 people of weight zero left out" in result.notes
    assert result.select(group="a").table["n"].tolist() == [2, 2, 2]


def test_a_matrix_is_taken_as_data_is() -> None:
    matrix = months_matrix(SIX, "works", "arm")
    same(employment_curves(matrix, "works", reference="b", at=[1, 3], **FEW).table,
         employment_curves(SIX, "works", reference="b", at=[1, 3], **FEW).table)  # fmt: skip
    with pytest.raises(UnsupportedError, match="no month 9"):
        employment_curves(matrix, "works", reference="b", at=9)


def test_a_missing_stratum_is_a_stratum_and_a_missing_cluster_is_refused() -> None:
    rows = SIX.assign(site=SIX["person_id"].map({1: "x", 2: "x", 3: "y"}))
    assert months_matrix(rows, "works", "arm", strata="site").strata == ("Unknown", "x", "y")
    with pytest.raises(UnsupportedError, match="9 rows have no site"):
        months_matrix(rows, "works", "arm", cluster="site")
