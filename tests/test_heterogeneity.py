"""Data-driven heterogeneity: by hand on six people, against R on one split, by properties, and at the edges."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from curves_world import GOLDEN, golden
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes.analysis import cross_fitted_scores, heterogeneity_test, sorted_groups, targeting_curve
from ips_outcomes.analysis.heterogeneity_forest import MISSING_EXTRA
from ips_outcomes.analysis.heterogeneity_inputs import basis_of
from ips_outcomes.analysis.heterogeneity_scores import CrossFittedScores, aipw
from ips_outcomes.analysis.heterogeneity_splits import (
    Answer,
    calibration,
    curve,
    groups_of,
    means_by_group,
    over_splits,
)
from ips_outcomes.errors import UnsupportedError

COVARIATES = ["age", "site"]
QUESTIONS = [heterogeneity_test, targeting_curve, sorted_groups]
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]


@cache
def people(strength: float = 0.0, n: int = 160, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ips, age, site = np.arange(n) % 2, rng.integers(20, 60, n), rng.choice(["a", "b", "c"], n)
    score = age / 10 + ips * (1 + strength * (age < 40)) + rng.normal(size=n)
    return pd.DataFrame({
        "person_id": np.arange(n), "arm": np.where(ips == 1, "ips", "control"), "age": age, "site": site, "score": score,
        "works": (score > np.median(score)).astype(int),
    })  # fmt: skip


def made(data: pd.DataFrame, outcome: str = "score", **options: object) -> CrossFittedScores:
    return cross_fitted_scores(data, outcome, COVARIATES, reference="control", **({"repeats": 3} | options))  # type: ignore[arg-type]


# ---------------------------------------------------------------- by hand


def test_six_people_by_hand() -> None:
    outcome, treated = np.array([1.0, 0, 1, 0, 1, 0]), np.array([1, 1, 1, 0, 0, 0]) == 1
    propensity = np.array([0.5, 0.5, 0.25, 0.5, 0.5, 0.75])
    low, high = np.array([0.2, 0.4, 0.0, 0.2, 0.5, 0.5]), np.array([0.6, 0.4, 0.5, 0.4, 0.5, 0.75])
    by_hand = [
        0.6 - 0.2 + (1 - 0.6) / 0.5,  # treated: what the prediction lacked, at twice its size
        0.4 - 0.4 + (0 - 0.4) / 0.5,
        0.5 - 0.0 + (1 - 0.5) / 0.25,
        0.4 - 0.2 - (0 - 0.2) / 0.5,  # not treated: the same with the other sign
        0.5 - 0.5 - (1 - 0.5) / 0.5,
        0.75 - 0.5 - (0 - 0.5) / 0.25,
    ]
    scores = aipw(outcome, treated, propensity, low, high)
    assert scores == pytest.approx(by_hand)
    assert scores == pytest.approx([1.2, -0.8, 2.5, 0.6, -1.0, 2.25])


def test_targeting_six_people_by_hand() -> None:
    # ranked 3 2 1 1 0 0: the third and fourth share a prediction, and so do the last two
    score, prediction = np.array([6.0, 3.0, 4.0, 0.0, 1.0, -2.0]), np.array([3.0, 2.0, 1.0, 1.0, 0.0, 0.0])
    found = curve(score, prediction, np.zeros(6, dtype=int), np.array([1 / 6, 0.5, 1.0]), [np.ones((2, 6))])
    # ties count as their means: 6, 3, 2, 2, -0.5, -0.5; everybody's mean is 2
    above = [6 - 2, 9 / 2 - 2, 11 / 3 - 2, 13 / 4 - 2, 12.5 / 5 - 2, 0]
    assert found.targeting.estimate == pytest.approx([above[0], above[2], 0])
    assert found.gain.estimate == pytest.approx([6 / 6, 11 / 6, 12 / 6])
    assert found.areas.estimate == pytest.approx([sum(above) / 6, sum(a * (i + 1) / 6 for i, a in enumerate(above)) / 6])
    # the order of people who share a prediction is none
    swapped = [1, 0, 3, 2, 5, 4]
    again = curve(
        score[[0, 1, 3, 2, 5, 4]], prediction[[0, 1, 3, 2, 5, 4]], np.zeros(6, dtype=int), np.array([0.5]), [np.ones((2, 6))]
    )
    assert again.areas.estimate == pytest.approx(found.areas.estimate)
    assert groups_of(prediction, np.zeros(6, dtype=int), np.arange(6.0), 3)[swapped].tolist() == [2, 2, 1, 1, 0, 0]


def test_the_calibration_of_six_people_by_hand() -> None:
    score, prediction = np.array([1.0, 2.0, 3.0, 5.0, 0.0, 7.0]), np.array([0.0, 1.0, 5.0, 6.0, np.nan, np.nan])
    # in each fold of two the predictions are half a unit to either side; the last two people are judged by nobody
    found = calibration(score, prediction, np.array([1, 1, 2, 2, 0, 0]))
    slope = (0.5 * (2 - 1) + 0.5 * (5 - 3)) / (4 * 0.25)
    assert found.estimate == pytest.approx([11 / 4, slope])
    residual = (np.array([1, 2, 3, 5]) - 11 / 4 - slope * np.array([-0.5, 0.5, -0.5, 0.5])) / (1 - (0.25 + 0.25))
    assert found.std_error == pytest.approx([np.sqrt((residual**2).sum()) / 4, np.sqrt((0.25 * residual**2).sum())])


def test_medians_of_splits_by_hand() -> None:
    answers = [
        Answer(np.array([e]), np.array([s]), np.array([one]))
        for e, s, one in ((1.0, 1.0, False), (2.0, 1.0, False), (3.0, 2.0, False))
    ]
    told = over_splits(answers)
    reach = 2.241402727604947
    assert told.estimate == pytest.approx([2.0]) and told.std_error == pytest.approx([1.0])
    assert told.low == pytest.approx([1 - reach]) and told.high == pytest.approx([2 + reach])
    # p of z = 1, 2 and 1.5: the median is that of 1.5, doubled
    assert told.p_value == pytest.approx([2 * 0.1336144], rel=1e-6)
    # two splits of three in which nothing varies: no interval, and no evidence
    nothing = over_splits([answers[1], *(Answer(np.array([np.nan]), np.array([np.nan]), np.array([False])),) * 2])
    assert np.isnan(nothing.low[0]) and nothing.p_value[0] == 1 and nothing.estimate[0] == 2


# ---------------------------------------------------------------- against R


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, np.ndarray]:
    rows = golden("data_heterogeneity.csv")
    return rows, pd.read_csv(GOLDEN / "data_heterogeneity_multipliers.csv", header=None).to_numpy(dtype=float)


def test_one_split_equals_r(world: tuple[pd.DataFrame, np.ndarray]) -> None:
    rows, multipliers = world
    theirs = golden("heterogeneity.csv")
    columns = {c: rows[c].to_numpy(dtype=float) for c in ("outcome", "propensity", "reference", "other", "prediction", "lot")}
    fold, treated = rows["fold"].to_numpy(), rows["treated"].to_numpy() == 1
    score = aipw(columns["outcome"], treated, columns["propensity"], columns["reference"], columns["other"])
    group = groups_of(columns["prediction"], fold, columns["lot"], 4)
    means = means_by_group(score, fold, group, 4)
    shares = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    found = curve(score, columns["prediction"], fold, shares, [multipliers[:25], multipliers[25:]])
    ours = {"calibration": calibration(score, columns["prediction"], fold), "group": means, "targeting": found.targeting,
            "gain": found.gain, "area": found.areas}  # fmt: skip
    np.testing.assert_allclose(score, theirs.loc[theirs["what"] == "score", "estimate"], rtol=1e-12)
    for what, answer in ours.items():
        own = theirs[theirs["what"] == what]
        np.testing.assert_allclose(answer.estimate, own["estimate"], rtol=1e-8, atol=1e-14, err_msg=what)
        np.testing.assert_allclose(answer.std_error, own["std_error"], rtol=1e-8, atol=1e-14, err_msg=what)
    reach = theirs.loc[theirs["what"] == "reach", "estimate"]
    np.testing.assert_allclose([found.targeting_reach, found.gain_reach], reach, rtol=1e-8)


def test_the_rows_that_r_read_are_made_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(GOLDEN / "heterogeneity_data.py"), str(tmp_path)], check=True)
    for name in ("data_heterogeneity.csv", "data_heterogeneity_multipliers.csv"):
        assert (tmp_path / name).read_text() == (GOLDEN / name).read_text()


# ---------------------------------------------------------------- what scores are


def test_nobody_is_predicted_by_a_fold_that_holds_them() -> None:
    data = people()
    before = made(data, repeats=1).splits[0]
    person = int(np.flatnonzero(before.fold == 3)[0])
    changed = data.assign(score=data["score"].where(data["person_id"] != person, 100.0))
    after = made(changed, repeats=1).splits[0]
    np.testing.assert_array_equal(before.fold, after.fold)
    own, later = before.fold == 3, before.fold == 4
    # neither outcomes nor effects of the own fold, nor effects of folds before, know of the person's outcome
    np.testing.assert_allclose(before.reference[own], after.reference[own], rtol=1e-9)
    np.testing.assert_allclose(before.prediction[before.fold <= 3], after.prediction[before.fold <= 3], rtol=1e-9)
    assert not np.allclose(before.prediction[later], after.prediction[later])
    assert not np.allclose(before.reference[~own], after.reference[~own])


def test_every_fold_has_its_share_of_either_arm() -> None:
    scores = made(people(), folds=4)
    counts = scores.table.groupby(["split", "fold", "treated"]).size()
    assert counts.min() == counts.max() == 20
    assert scores.table.loc[scores.table["fold"] == 1, "predicted_effect"].isna().all()
    assert scores.table.loc[scores.table["fold"] > 1, "predicted_effect"].notna().all()
    assert len(scores.people) == 160 and (scores.table["propensity"] == 0.5).all()


def test_the_same_seed_gives_the_same_bytes_in_any_order_of_rows() -> None:
    data = people(1.0)
    for question in QUESTIONS:
        answers = [question(d, "works", COVARIATES, reference="control", repeats=2, seed=4).table
                   for d in (data, data.sample(frac=1, random_state=3))]  # fmt: skip
        pd.testing.assert_frame_equal(*answers, check_exact=True)
    # without a name for people, what is known of them puts them in order
    bare = data.drop(columns="person_id")
    shuffled = bare.sample(frac=1, random_state=3)
    one, two = (heterogeneity_test(d, "score", COVARIATES, reference="control", repeats=2).table for d in (bare, shuffled))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    other = heterogeneity_test(bare, "score", COVARIATES, reference="control", repeats=2, seed=9).table
    assert not one["estimate"].equals(other["estimate"])


def test_swapping_the_arms_turns_effects_round() -> None:
    data = people(1.0)
    swapped = data.assign(arm=data["arm"].map({"ips": "control", "control": "ips"}))
    one, two = made(data), made(swapped)
    for a, b in zip(one.splits, two.splits, strict=True):
        np.testing.assert_allclose(a.score, -b.score, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(a.prediction, -b.prediction, rtol=1e-9, atol=1e-12)
    first, second = heterogeneity_test(one).table, heterogeneity_test(two).table
    np.testing.assert_allclose(first["estimate"] * [-1, 1], second["estimate"], rtol=1e-9)
    np.testing.assert_allclose(first.loc[1, NUMBERS].astype(float), second.loc[1, NUMBERS].astype(float), rtol=1e-9)


@settings(max_examples=5, deadline=None)
@given(st.floats(-1e4, 1e4), st.sampled_from([0.01, 3.0, 1000.0]))
def test_where_an_outcome_starts_and_its_unit_change_nothing(shift: float, unit: float) -> None:
    data = people(1.0)
    other = data.assign(score=shift + unit * data["score"])
    for question in QUESTIONS:
        a, b = question(made(data)).table, question(made(other)).table
        rows = ~a["measure"].isin(["differential_prediction", "covariate_mean", "covariate_difference"])
        for column in NUMBERS:
            size = np.where(rows, unit, 1.0)
            np.testing.assert_allclose(size * a[column], b[column], rtol=1e-5, atol=1e-7 * unit)


def test_one_prediction_for_all_gains_nothing() -> None:
    rng = np.random.default_rng(1)
    found = curve(
        rng.normal(size=40), np.full(40, 0.3), np.arange(40) % 2, np.array([0.25, 1.0]), [rng.standard_exponential((50, 40))]
    )
    assert found.areas.estimate == pytest.approx([0, 0], abs=1e-15) and (found.areas.std_error == 0).all()
    assert found.targeting.estimate == pytest.approx([0, 0], abs=1e-15)
    slope = calibration(rng.normal(size=40), np.full(40, 0.3), np.arange(40) % 2)
    assert np.isnan(slope.estimate[1])
    # tenths are no exact numbers: what rounding leaves is no difference either
    assert np.isnan(calibration(rng.normal(size=40), np.full(40, 0.1) + 1e-17, np.zeros(40, dtype=int)).estimate[1])


# ---------------------------------------------------------------- what is said


def test_strong_differences_are_found_and_nothing_is_said_to_be_nothing() -> None:
    strong, none = made(people(4.0)), made(people(0.0, seed=5))
    for question in QUESTIONS:
        assert not any("no sign" in note for note in question(strong).notes)
        notes = [note for note in question(none).notes if "no sign" in note]
        assert len(notes) == 1 and "must not be over-read" in notes[0] and "p = " in notes[0]
    table = heterogeneity_test(strong).table
    assert table.loc[1, "p_value"] < 1e-6 and table.loc[1, "conf_low"] < 1 < table.loc[1, "conf_high"]
    groups = sorted_groups(strong).table.set_index("measure")
    assert groups.loc["group_difference", "conf_low"] > 1.5
    effects = groups.loc["group_effect"]
    assert effects["estimate"].iloc[-1] > effects["estimate"].iloc[0] and effects["n"].sum() == 128
    ages = groups[(groups["subgroup"] == "age") & (groups.index == "covariate_difference")]
    assert float(ages["conf_high"].iloc[0]) < 0  # the young gain more
    areas = targeting_curve(strong).table.set_index("measure")
    assert areas.loc["autoc", "p_value"] < 0.01 and areas.loc["qini_coefficient", "conf_low"] > 0
    gain = areas.loc["gain"]
    assert gain["estimate"].iloc[-1] == pytest.approx(heterogeneity_test(strong).table["estimate"].iloc[0])
    assert ((gain["band_low"] <= gain["conf_low"]) & (gain["conf_high"] <= gain["band_high"])).all()


def test_scores_that_are_made_are_used_and_nothing_is_asked_again() -> None:
    data = people(1.0)
    scores = made(data)
    for question in QUESTIONS:
        direct = question(data, "score", COVARIATES, reference="control", repeats=3)
        pd.testing.assert_frame_equal(question(scores).table, direct.table, check_exact=True)
        with pytest.raises(UnsupportedError, match="made already"):
            question(scores, "works")
        with pytest.raises(UnsupportedError, match="made already"):
            question(scores, repeats=4)


def test_months_are_chosen_and_covariates_are_of_inclusion() -> None:
    data = people(1.0)
    long = pd.concat([data.assign(month=m, score=data["score"] * (m == 2)) for m in (1, 2)])
    one = heterogeneity_test(data, "score", COVARIATES, reference="control", repeats=2).table
    two = heterogeneity_test(long, "score", COVARIATES, reference="control", repeats=2, at=2).table
    pd.testing.assert_frame_equal(one.drop(columns="month"), two.drop(columns="month"))
    assert (two["month"] == 2).all()
    with pytest.raises(UnsupportedError, match="age changes over the months of 160 people"):
        heterogeneity_test(long.assign(age=long["age"] + long["month"]), "score", COVARIATES, reference="control")


def test_chances_by_stratum_column_and_regression() -> None:
    data = people(1.0)
    data = data.assign(chance=np.where(data["site"] == "a", 0.4, 0.5))
    within = made(data, strata="site").table
    share = (data["arm"] == "ips").groupby(data["site"]).mean()
    assert within["propensity"].to_numpy() == pytest.approx(
        data.set_index("person_id")["site"].map(share)[within["person"]].to_numpy()
    )
    assert set(made(data, propensity="chance").table["propensity"]) == {0.4, 0.5}
    learned = made(data, propensity="logistic")
    assert learned.table["propensity"].between(0.02, 0.98).all() and any("logistic regression" in n for n in learned.notes)
    # those who always get the other arm are kept at the edge, and counted
    old = made(data.assign(age=np.where(data["arm"] == "ips", 50, 20) + data["age"] % 7), propensity="logistic")
    assert old.table["propensity"].max() == 0.98 and any("stood there" in n and "at most 0" not in n for n in old.notes)
    with pytest.raises(UnsupportedError, match="strata have one arm only"):
        made(data.assign(site=data["arm"]), strata="site")
    with pytest.raises(UnsupportedError, match="1 values of chance"):
        made(data.assign(chance=data["chance"].where(data["person_id"] != 4)), propensity="chance")


def test_unknown_is_a_level_and_an_unknown_number_has_an_indicator() -> None:
    table = pd.DataFrame({"site": ["a", None, "b", "a"] * 3, "age": [20.0, 30.0, np.nan, 40.0] * 3})
    basis, shown = basis_of(table, ["site", "age"])
    assert [(s.covariate, s.level) for s in shown] == [
        ("site", "a"),
        ("site", "b"),
        ("site", "Unknown"),
        ("age", ""),
        ("age", "Unknown"),
    ]
    assert basis.shape == (12, 5) and basis.mean(axis=0) == pytest.approx(0, abs=1e-12) and basis.std(axis=0) == pytest.approx(1)
    # an unknown number stands at the mean of those known
    assert basis[2, 3] == pytest.approx(0, abs=1e-12)
    data = people(1.0).assign(age=lambda t: t["age"].where(t["person_id"] % 7 != 0))
    groups = sorted_groups(data, "score", COVARIATES, reference="control", repeats=2).table
    unknown = groups[(groups["level"] == "Unknown") & (groups["measure"] == "covariate_mean")]
    assert unknown["subgroup"].eq("age").all() and unknown["estimate"].between(0, 1).all()


def test_people_without_an_outcome_are_counted() -> None:
    data = people(1.0).assign(score=lambda t: t["score"].where(t["person_id"] >= 10))
    scores = made(data)
    assert scores.subjects.number == 150 and any("10 people left out: score is missing" in n for n in scores.notes)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("change", "options", "said"), [
    (lambda t: t.assign(age=40), {}, "age is the same for everybody"),
    (lambda t: t.assign(age=np.nan), {}, "age is the same for everybody"),
    (lambda t: t.assign(age=np.where(t["age"] < 30, np.inf, t["age"])), {}, "values of age are not finite"),
    (lambda t: t.assign(site=t["person_id"].astype(str)), {}, "site has 160 levels"),
    (lambda t: t.assign(score=1.0), {}, "score is the same for everybody"),
    (lambda t: t.assign(score="much"), {}, "neither yes or no nor a number"),
    (lambda t: t.assign(score=t["score"].where(t["age"] > 30, np.inf)), {}, "values of score are not finite"),
    (lambda t: t.assign(arm=t["site"].map({"a": "ips", "b": "control", "c": "third"})), {}, "here are 3"),
    (lambda t: t[t["arm"] == "control"], {}, "here are 1"),
    (lambda t: t.head(30), {}, "15 people in control with a known outcome: 5 folds need at least 20"),
    (lambda t: t, {"folds": 1}, "folds= is a number from 2"),
    (lambda t: t, {"repeats": 0}, "repeats= one from 1"),
    (lambda t: t, {"learner": "guess"}, "learner= is one of"),
    (lambda t: t, {"propensity": "logistic", "strata": "site"}, "they go with"),
    (lambda t: t, {"at": 3}, "no month column"),
], ids=lambda v: v if isinstance(v, str) else None)  # fmt: skip
def test_what_cannot_be_answered_is_refused(change: object, options: dict, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        made(change(people()), **options)  # type: ignore[operator]


def test_other_refusals() -> None:
    data = people()
    with pytest.raises(UnsupportedError, match="covariates= takes baseline columns"):
        cross_fitted_scores(data, "score", reference="control")
    with pytest.raises(UnsupportedError, match="other columns than the outcome"):
        cross_fitted_scores(data, "score", ["age", "score"], reference="control")
    with pytest.raises(UnsupportedError, match="name the outcome"):
        cross_fitted_scores(data, None, ["age"], reference="control")
    with pytest.raises(UnsupportedError, match="name the reference arm"):
        cross_fitted_scores(data, "score", ["age"])
    scores = made(data)
    for shares in ([], [0.0, 1.0], [0.5, 1.2], [0.5, 0.5]):
        with pytest.raises(UnsupportedError, match="shares="):
            targeting_curve(scores, shares=shares)
    with pytest.raises(UnsupportedError, match="draws="):
        targeting_curve(scores, draws=10)
    with pytest.raises(UnsupportedError, match="groups= is a number"):
        sorted_groups(scores, groups=1)
    with pytest.raises(UnsupportedError, match="a fold has 32 people: 20 groups need at least 40"):
        sorted_groups(scores, groups=20)


# ---------------------------------------------------------------- the forest, and the picture


def test_without_econml_the_forest_is_refused_and_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("econml", "econml.grf"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedError) as refused:
        made(people(), learner="causal_forest", repeats=1)
    assert str(refused.value) == MISSING_EXTRA and "ips-outcomes[heterogeneity]" in MISSING_EXTRA


@pytest.mark.slow
def test_a_causal_forest_finds_strong_differences() -> None:
    pytest.importorskip("econml.grf", reason="econml is not installed: the extra heterogeneity was not tried")
    one, two = (made(people(4.0), learner="causal_forest", repeats=1) for _ in range(2))
    assert one.table.equals(two.table) and "econml" in one.method
    assert heterogeneity_test(one).table.loc[1, "p_value"] < 0.001
    # outcomes and scores stay the regression's
    pd.testing.assert_series_equal(one.table["score"], made(people(4.0), repeats=1).table["score"])


def test_the_targeting_curve_is_drawn_by_share() -> None:
    scores = made(people(1.0), "works")
    curves = targeting_curve(scores, draws=50)
    axes = curves.plot().axes[0]
    gain = curves.table[curves.table["measure"] == "gain"]
    lines = {line.get_label(): line for line in axes.get_lines()}
    drawn = lines["Treated by predicted effect"].get_xydata()
    np.testing.assert_allclose(drawn[1:, 0], 100 * gain["share"])
    np.testing.assert_allclose(drawn[1:, 1], 100 * gain["estimate"])
    assert drawn[0].tolist() == [0, 0]
    straight = lines["Treated in no order"].get_xydata()
    np.testing.assert_allclose(straight, [[0, 0], [100, 100 * gain["estimate"].iloc[-1]]])
    assert "percentage points" in axes.get_title(loc="left")
    narrow = curves.select(measure="targeting").plot(narrow=True)
    assert narrow.get_size_inches()[0] == 4.0 and "everybody" in narrow.axes[0].get_title(loc="left")
