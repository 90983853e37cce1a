"""Effects along a number: against R, by hand, and by what must not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes import Estimates, compare_arms
from ips_outcomes.analysis import effect_by, effect_in_windows, months_in_work, subgroup_effects
from ips_outcomes.analysis.many_looks import multiplier_draws
from ips_outcomes.analysis.smooth_fit import SmoothFit, SmoothRows, curve_of
from ips_outcomes.analysis.splines import NaturalSpline, spline_of
from ips_outcomes.analysis.window_effects import windows_of
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup import FollowUp

GOLDEN = Path(__file__).parent / "golden"
GRID = [20, 25, 30, 35, 40, 45, 50, 55]
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
FEW: dict[str, Any] = {"reference": "control", "draws": 200}


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, float_precision="round_trip")


PEOPLE = golden("smooth_people.csv")


def long(people: pd.DataFrame) -> pd.DataFrame:
    """A row a person and month."""
    parts = [people.assign(month=m, working=people[f"m{m}"]) for m in range(1, 7)]
    return pd.concat(parts, ignore_index=True)


def effects(found: Estimates) -> pd.DataFrame:
    """The rows of single values or windows."""
    return found.table[found.table["value"].notna()].reset_index(drop=True)


def test_row(found: Estimates, measure: str = "interaction_test") -> pd.Series:
    rows = found.table[found.table["measure"] == measure]
    assert len(rows) == 1
    return rows.iloc[0]


test_row.__test__ = False  # type: ignore[attr-defined]

# ---------------------------------------------------------------- against R

ADJUSTED: dict[str, Any] = {"outcome": "works", "adjust": ["sex", "score"]}
HOURS: dict[str, Any] = {"outcome": "hours", "adjust": "sex"}
CASES: dict[str, dict[str, Any]] = {
    **{f"plain {s}": {"outcome": "works", "scale": s} for s in ("risk_difference", "risk_ratio", "odds_ratio")},
    "own knots": {"outcome": "works", "knots": [28, 45]},
    **{f"adjusted {s}": ADJUSTED | {"scale": s} for s in ("risk_difference", "odds_ratio", "conditional_odds_ratio")},
    **{f"hours {e} {s}": HOURS | {"scale": s, "errors": e} for s in ("mean_difference", "mean_ratio") for e in ("model", "robust")},
    "hours line": {"outcome": "hours", "spline_df": 1, "errors": "model"},
    "wards": {"outcome": "works", "cluster": "ward"}, "hours wards": HOURS | {"cluster": "ward"},
    "regions": {"outcome": "works", "cluster": "region"}, "hours regions": HOURS | {"cluster": "region"},
    "months": {"outcome": "working", "kind": "months"}, "months regions": {"outcome": "working", "kind": "months", "cluster": "region"},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_equals_r(case: str) -> None:
    answers = golden("smooth_answers.csv")
    theirs = answers[answers["case"] == case]
    assert len(theirs) >= len(GRID)
    data = long(PEOPLE) if case.startswith("months") else PEOPLE
    found = effect_by(data, "age", grid=GRID, **FEW, **CASES[case]).table
    for row in theirs.to_dict("records"):
        value = row["value"]
        mine = found[
            (found["measure"] == row["measure"]) & (found["value"].isna() if np.isnan(value) else found["value"] == value)
        ]
        assert len(mine) == 1, row["measure"]
        for column in [*NUMBERS, "statistic"]:
            if not np.isnan(row[column]):
                tolerance = 1e-8 if column == "estimate" else 1e-6
                assert float(mine[column].iloc[0]) == pytest.approx(row[column], rel=tolerance, abs=1e-14), (column, value)


def test_the_answers_of_r_are_all_asked_for() -> None:
    assert set(golden("smooth_answers.csv")["case"]) == set(CASES)


# ---------------------------------------------------------------- by hand


def test_a_straight_line_by_hand() -> None:
    # control: 1 at 20, 2 at 30, 3 at 40 (slope 0.1); ips: 5 at 20, 4 at 30, 3.6 at 40
    people = pd.DataFrame({"arm": ["control"] * 3 + ["ips"] * 3, "age": [20, 30, 40] * 2, "hours": [1.0, 2, 3.6, 5, 4, 3.6]})
    found = effect_by(people, "age", "hours", grid=[20, 30, 40], spline_df=1, errors="model", **FEW)
    # slope of control (3.6 - 1) / 20 = 0.13, its mean 2.2 at age 30; of ips -0.07 and 4.2
    table = effects(found)
    assert table["estimate"].to_numpy() == pytest.approx([4.0, 2.0, 0.0])
    # residuals of control 0.1, -0.2, 0.1 and of ips 0.1, -0.2, 0.1: 0.12 over 6 - 4 degrees of freedom
    variance = 0.12 / 2
    # of a line's value at its mean 1/3 of it, and 1/3 + 1/2 of it ten years away; two arms
    assert table["std_error"].to_numpy() == pytest.approx(np.sqrt(2 * variance * np.array([5 / 6, 1 / 3, 5 / 6])))
    row = test_row(found)
    # slopes differ by -0.2, with variance 2 * 0.06 / 200
    assert row["statistic"] == pytest.approx(0.04 / (2 * variance / 200))
    assert row["degrees_of_freedom"] == 1
    assert "nonlinearity_test" not in set(found.table["measure"])


def test_two_ages_are_two_groups() -> None:
    # a straight line through two ages is the two groups' own rates
    rng = np.random.default_rng(4)
    people = pd.DataFrame({"arm": ["ips", "control"] * 60, "age": np.repeat([25, 45], 60), "works": rng.integers(0, 2, 120)})
    found = effects(effect_by(people, "age", "works", spline_df=1, grid=[25, 45], **FEW))
    for age, row in zip([25, 45], found.to_dict("records"), strict=True):
        p1, p0 = (people.loc[(people["arm"] == a) & (people["age"] == age), "works"].mean() for a in ("ips", "control"))
        assert row["estimate"] == pytest.approx(p1 - p0)
        assert row["std_error"] == pytest.approx(np.sqrt(p1 * (1 - p1) / 30 + p0 * (1 - p0) / 30))
    by_level = subgroup_effects(people, "age", "works", scale="odds_ratio", **FEW).table
    interaction = by_level[by_level["measure"] == "interaction"].iloc[0]
    wald = test_row(effect_by(people, "age", "works", spline_df=1, scale="odds_ratio", **FEW))
    assert wald["p_value"] == pytest.approx(interaction["p_value"])


def test_months_everybody_observed_is_one_regression_of_the_sums() -> None:
    full = PEOPLE.dropna()
    total = full.assign(total=full[[f"m{m}" for m in range(1, 7)]].sum(axis=1))
    asked: list[dict[str, Any]] = [{}, {"cluster": "region"}, {"cluster": "ward"}, {"adjust": "sex"}]
    for options in asked:
        months = effect_by(long(full), "age", "working", kind="months", grid=GRID, **FEW, **options).table
        sums = effect_by(total, "age", "total", kind="mean", grid=GRID, **FEW, **options).table
        for column in [*NUMBERS, "band_low"]:
            np.testing.assert_allclose(months[column].astype(float), sums[column].astype(float), rtol=1e-9, atol=1e-12)


def test_the_average_of_months_is_that_of_months_in_work() -> None:
    # a modifier that has nothing to do with anything: the line's value at the mean age is the difference of means
    balanced = PEOPLE.assign(half=np.tile([0.0, 1.0], 160))
    balanced = balanced.sort_values(["arm", "half"]).groupby(["arm", "half"]).head(60)
    data = long(balanced.assign(**{f"m{m}": balanced[f"m{m}"].fillna(0) for m in range(1, 7)}))
    middle = effects(effect_by(data, "half", "working", kind="months", spline_df=1, grid=[0.5], **FEW))
    gained = months_in_work(data, outcome="working", reference="control").table
    difference = gained[gained["contrast"] != ""].iloc[0]
    assert middle["estimate"].iloc[0] == pytest.approx(difference["estimate"])


def test_the_band_by_hand() -> None:
    # the influence of each person on a line's effect in OLS, multiplied and studentised by hand
    people = PEOPLE
    found = effects(effect_by(people, "age", "hours", spline_df=1, grid=[25, 45], errors="model", draws=300, seed=9,
                              reference="control"))  # fmt: skip
    x, a = people["age"].to_numpy(float), (people["arm"] == "ips").to_numpy(float)
    design = np.column_stack([np.ones(len(x)), x, a, a * x])
    bread = np.linalg.inv(design.T @ design)
    residual = people["hours"].to_numpy() - design @ (bread @ design.T @ people["hours"].to_numpy())
    influence = (residual[:, None] * design) @ bread @ np.array([[0, 0, 1, 25], [0, 0, 1, 45.0]]).T
    drawn = multiplier_draws(influence, 300, 9)
    wide = np.quantile(np.abs(drawn).max(axis=1), 0.95)
    np.testing.assert_allclose(found["band_high"], found["estimate"] + wide * found["std_error"], rtol=1e-9)
    assert (found["band_low"] < found["conf_low"]).all()


def test_windows_by_hand() -> None:
    ages = np.array([18, 18, 20, 21, 21, 21, 25, 30, 31, 40.0])
    # four people at least: 18, 18, 20 and all of 21; two at least are dropped: from 20 on; then 20 and all of 21: from 25 on
    assert windows_of(ages, 4, 2) == [(18, 21), (20, 21), (25, 40)]
    # one at a time: 18 goes as a pair, 21 as three; the last window reaches back to be full
    assert windows_of(ages, 4, 1) == [(18, 21), (20, 21), (21, 25), (25, 40)]
    # everybody of one age in one window, and a last window that is full
    assert windows_of(np.array([1.0, 2, 2, 2, 2]), 3, 1) == [(1, 2)]
    assert windows_of(np.arange(10.0), 4, 4) == [(0, 3), (4, 7), (6, 9)]


@pytest.mark.parametrize("scale", ["risk_difference", "risk_ratio", "odds_ratio"])
def test_windows_are_the_arms_compared_in_each(scale: str) -> None:
    found = effect_in_windows(PEOPLE, "age", "works", scale=scale, **FEW)
    table = effects(found)
    assert len(table) > 10
    assert table["value"].is_monotonic_increasing
    for row in table.iloc[[0, 5, -1]].to_dict("records"):
        inside = PEOPLE[PEOPLE["age"].between(row["value_low"], row["value_high"])]
        assert len(inside) == row["n"] >= 64
        assert row["value"] == inside["age"].median()
        direct = compare_arms(inside, outcome="works", reference="control").select(measure=scale).table.iloc[0]
        for column in ("estimate", "conf_low", "conf_high"):
            assert row[column] == pytest.approx(direct[column])
    everybody = found.table.iloc[0]
    assert (everybody["subgroup"], everybody["n"]) == ("", len(PEOPLE))
    assert everybody["estimate"] == pytest.approx(
        compare_arms(PEOPLE, outcome="works", reference="control").select(measure=scale).table["estimate"].iloc[0]
    )


def test_the_test_of_windows_by_hand() -> None:
    # ages in two halves and windows that do not overlap: the distance from everybody, from each person's share in a mean
    rng = np.random.default_rng(8)
    people = pd.DataFrame({"arm": ["ips", "control"] * 40, "age": np.repeat([20, 50], 40), "works": rng.integers(0, 2, 80)})
    found = effect_in_windows(people, "age", "works", width=40, step=40, draws=400, seed=3, reference="control")
    y, ips, young = people["works"].to_numpy(), (people["arm"] == "ips").to_numpy(), (people["age"] == 20).to_numpy()

    def share(inside: np.ndarray) -> tuple[float, np.ndarray]:
        effect, parts = 0.0, np.zeros(80)
        for sign, arm in ((1, ips), (-1, ~ips)):
            own = inside & arm
            effect += sign * y[own].mean()
            parts[own] += sign * (y[own] - y[own].mean()) / own.sum()
        return effect, parts

    everybody, shares = share(np.ones(80, dtype=bool))
    apart = [share(half) for half in (young, ~young)]
    statistics = [abs(e - everybody) / np.sqrt(((p - shares) ** 2).sum()) for e, p in apart]
    row = test_row(found)
    assert row["statistic"] == pytest.approx(max(statistics))
    drawn = np.abs(multiplier_draws(np.column_stack([p - shares for _, p in apart]), 400, 3)).max(axis=1)
    assert row["p_value"] == pytest.approx(((drawn >= max(statistics)).sum() + 1) / 401)


# ---------------------------------------------------------------- what must not change, and what must


@pytest.mark.parametrize("scale", ["risk_difference", "odds_ratio"])
def test_arms_relabelled_turn_the_effect_around(scale: str) -> None:
    for function in (effect_by, effect_in_windows):
        one = function(PEOPLE, "age", "works", scale=scale, **FEW)
        two = function(PEOPLE, "age", "works", scale=scale, **{**FEW, "reference": "ips"})
        a, b = effects(one), effects(two)
        turn = (lambda x: -x) if scale == "risk_difference" else (lambda x: 1 / x)
        np.testing.assert_allclose(a["estimate"], turn(b["estimate"]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(a["band_low"], turn(b["band_high"]), rtol=1e-8, atol=1e-12)
        for measure in set(one.table["measure"]) - {scale}:
            assert test_row(one, measure)["p_value"] == pytest.approx(test_row(two, measure)["p_value"])


@given(shift=st.floats(-1e3, 1e3), stretch=st.floats(0.01, 100))
@settings(max_examples=8, deadline=None)
def test_another_unit_moves_the_grid_and_nothing_else(shift: float, stretch: float) -> None:
    moved = PEOPLE.assign(age=PEOPLE["age"] * stretch + shift)
    # inside the range, so that rounding cannot push an end out of it
    one = effect_by(PEOPLE, "age", "works", grid=[22, 30, 50], **FEW)
    two = effect_by(moved, "age", "works", grid=[22 * stretch + shift, 30 * stretch + shift, 50 * stretch + shift], **FEW)
    for column in [*NUMBERS, "band_low", "band_high", "statistic"]:
        np.testing.assert_allclose(one.table[column].astype(float), two.table[column].astype(float), rtol=1e-6, atol=1e-9)


def test_rows_in_another_order_and_the_same_seed() -> None:
    mixed = PEOPLE.sample(frac=1, random_state=2)
    for function in (effect_by, effect_in_windows):
        one = function(PEOPLE, "age", "works", **FEW).table
        pd.testing.assert_frame_equal(one, function(PEOPLE, "age", "works", **FEW).table)
        two = function(mixed, "age", "works", **FEW).table
        # random numbers go to people in their order: only the band and its test move, a little
        np.testing.assert_allclose(one[NUMBERS[:4]].astype(float), two[NUMBERS[:4]].astype(float), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one["band_low"], two["band_low"], atol=0.15)


def test_the_span_is_that_of_natural_splines() -> None:
    spline = NaturalSpline(18.0, 60.0, (28.0, 40.0))
    x = np.linspace(10, 70, 601)
    second = np.diff(np.column_stack([spline.basis(x)]), 2, axis=0) / (x[1] - x[0]) ** 2
    # straight beyond the boundary knots, bends that meet: second differences change by small steps everywhere
    assert np.abs(second[(x[1:-1] < 17.8) | (x[1:-1] > 60.2)]).max() < 1e-8
    assert np.abs(np.diff(second, axis=0)).max() < 0.02 * np.abs(second).max()
    assert spline.width == 3


def test_contrasts_of_a_line_have_no_bend() -> None:
    points = np.array([18.0, 25, 37, 60])
    contrasts = curve_of(points)
    assert np.allclose(contrasts @ np.ones(4), 0)
    assert np.allclose(contrasts[1:] @ points, 0)
    assert contrasts[0] @ points > 0


def test_a_bent_effect_is_found_and_a_level_one_is_not() -> None:
    rng = np.random.default_rng(12)
    n = 600
    people = pd.DataFrame({"arm": rng.choice(["ips", "control"], n), "age": rng.uniform(18, 60, n)})
    noise = rng.normal(0, 1, n)
    bent = people.assign(hours=noise + (people["arm"] == "ips") * ((people["age"] - 39) / 10) ** 2)
    level = people.assign(hours=noise + (people["arm"] == "ips") * 2 + people["age"] / 10)
    for data, bends in ((bent, True), (level, False)):
        curve = effect_by(data, "age", "hours", **FEW)
        windows = effect_in_windows(data, "age", "hours", **FEW)
        assert bool(test_row(curve, "nonlinearity_test")["p_value"] < 1e-6) is bends
        assert bool(test_row(curve)["p_value"] < 1e-6) is bends
        assert bool(test_row(windows)["p_value"] < 0.01) is bends
    # an effect that is there all along lies within both bands
    for function in (effect_by, effect_in_windows):
        table = effects(function(level, "age", "hours", **FEW))
        assert ((table["band_low"] < 2) & (table["band_high"] > 2)).all()


# ---------------------------------------------------------------- what is left out, scarce or refused


def test_unknown_values_are_left_out_and_counted() -> None:
    gaps = PEOPLE.astype({"age": float})
    gaps.loc[:6, "age"] = np.nan
    gaps.loc[10:12, "arm"] = None
    gaps["works"] = gaps["works"].astype("Int64")
    gaps.loc[20:23, "works"] = pd.NA
    gaps.loc[30:31, "sex"] = None
    for function in (effect_by, effect_in_windows):
        found = function(gaps, "age", "works", adjust="sex", **FEW)
        told = " ".join(found.notes)
        for part in ("7 people left out: age is unknown", "3 rows left out: arm is missing", "4 people left out: the outcome",
                     "2 people left out: a covariate"):  # fmt: skip
            assert part in told
        left = gaps.dropna(subset=["age", "arm", "works", "sex"])
        direct = function(left, "age", "works", adjust="sex", **FEW)
        np.testing.assert_allclose(found.table["estimate"], direct.table["estimate"], rtol=1e-9)


def test_few_events_are_penalised_and_say_so() -> None:
    rare = PEOPLE.assign(works=((PEOPLE["arm"] == "ips") & (PEOPLE["age"] > 40) & (PEOPLE["sex"] == "man")).astype(int))
    found = effect_by(rare, "age", "works", spline_df=2, **FEW)
    assert np.isfinite(effects(found)[NUMBERS].astype(float)).all(axis=None)
    assert any("Firth's penalty" in note for note in found.notes)
    assert effects(found)["method"].str.contains("Firth").all()
    windows = effect_in_windows(rare, "age", "works", **FEW)
    table = effects(windows)
    assert table["few_events"].any()
    assert np.isfinite(table[["estimate", "conf_low", "conf_high"]].astype(float)).all(axis=None)


def test_few_clusters_have_no_band_and_say_so() -> None:
    for function in (effect_by, effect_in_windows):
        found = function(PEOPLE, "age", "works", cluster="region", **FEW)
        assert effects(found)[["band_low", "band_high"]].isna().all(axis=None)
        assert effects(found)[["conf_low", "conf_high"]].notna().all(axis=None)
        assert any("7 clusters are few" in note for note in found.notes)
        many = function(PEOPLE, "age", "works", cluster="ward", **FEW)
        assert effects(many)[["band_low", "band_high"]].notna().all(axis=None)
    row = test_row(effect_by(PEOPLE, "age", "hours", cluster="region", **FEW))
    assert np.isnan(row["statistic"])
    assert 0 < row["p_value"] <= 1
    assert "Bonferroni" in row["method"]


def test_few_clusters_take_the_smallest_of_the_contrasts() -> None:
    rows = SmoothRows(
        PEOPLE["hours"].to_numpy(), None, (PEOPLE["arm"] == "ips").to_numpy(), PEOPLE["age"].to_numpy(float), np.zeros((320, 0)),
        PEOPLE["region"].to_numpy(), False,
    )  # fmt: skip
    fit = SmoothFit(rows, spline_of(rows.value, 1, None, "age"))
    effect, slopes = fit.effects(np.array([20.0, 60.0]), "mean_difference")
    error, degrees = fit.std_errors((slopes[1] - slopes[0])[None, :])
    from scipy import stats

    p = 2 * stats.t.sf(abs(effect[1] - effect[0]) / error[0], degrees[0])
    found = effect_by(PEOPLE, "age", "hours", spline_df=1, cluster="region", **FEW)
    assert test_row(found)["p_value"] == pytest.approx(p)


def test_an_outcome_without_scatter_has_no_interval() -> None:
    exact = PEOPLE.assign(hours=5.0 + 2 * (PEOPLE["arm"] == "ips"))
    found = effect_by(exact, "age", "hours", **FEW)
    assert effects(found)["estimate"].to_numpy() == pytest.approx(2.0)
    assert effects(found)[["std_error", "conf_low", "band_low", "p_value"]].isna().all(axis=None)
    assert np.isnan(test_row(found)["p_value"])


def test_three_arms_are_compared_one_by_one() -> None:
    three = PEOPLE.assign(arm=np.where(PEOPLE.index % 3 == 0, "group", PEOPLE["arm"]))
    found = effect_by(three, "age", "works", **FEW).table
    assert set(found["contrast"]) == {"group - control", "ips - control", "group / control", "ips / control"}
    two = effect_by(three[three["arm"] != "group"], "age", "works", **FEW).table
    np.testing.assert_allclose(
        found[found["contrast"].isin(["ips - control", "ips / control"])]["estimate"], two["estimate"], rtol=1e-9
    )


def test_a_scale_without_room_is_empty_and_said() -> None:
    debts = PEOPLE.assign(hours=PEOPLE["hours"] - 30)
    found = effect_by(debts, "age", "hours", scale="mean_ratio", **FEW)
    assert effects(found)["estimate"].isna().all()
    assert any("0 or less" in note for note in found.notes)


def changing(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(age=data["age"] + data["month"])


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (PEOPLE, {"modifier": "sex"}, "no number"),
        (PEOPLE, {"modifier": "agee"}, "no column agee"),
        (PEOPLE.assign(age=30), {}, "one level of age"),
        (PEOPLE.assign(age=PEOPLE["age"] > 30), {}, "no number"),
        (PEOPLE.assign(age=PEOPLE["age"].replace(30, np.inf)), {}, "not finite"),
        (PEOPLE.assign(age=np.nan), {}, "one level of age"),
        (changing(long(PEOPLE)), {"outcome": "working"}, "age changes over the months of 320 people"),
        (PEOPLE, {"adjust": "age"}, "leave it out of adjust="),
        (PEOPLE, {"outcome": "age"}, "no modifier"),
        (PEOPLE, {"outcome": None}, "name the outcome"),
        (PEOPLE, {"kind": "time"}, "kind= is one of"),
        (PEOPLE, {"scale": "hazard_ratio"}, "scale= is"),
        (PEOPLE, {"scale": "conditional_odds_ratio"}, "scale= is"),
        (PEOPLE, {"errors": "HC9"}, "errors= is"),
        (PEOPLE, {"draws": 0}, "draws="),
        (PEOPLE, {"at": 3}, "no month column"),
        (PEOPLE, {"reference": "usual"}, "name the reference arm"),
        (PEOPLE.assign(arm="ips"), {"reference": "ips"}, "one arm only"),
        (PEOPLE.assign(works=pd.NA), {}, "nobody has a known outcome"),
        (PEOPLE.assign(one=1), {"cluster": "one"}, "one cluster"),
        (PEOPLE.assign(one=1.0), {"adjust": "one"}, "constant"),
    ],
)  # fmt: skip
def test_refused_by_both(data: pd.DataFrame, options: dict[str, Any], said: str) -> None:
    for function in (effect_by, effect_in_windows):
        with pytest.raises(UnsupportedError, match=said):
            function(data, **{"outcome": "works", **FEW, **options})


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (PEOPLE, {"grid": [10, 30]}, "1 values of grid="),
        (PEOPLE, {"grid": [30, 99, 100]}, "2 values of grid="),
        (PEOPLE, {"grid": []}, "grid= takes"),
        (PEOPLE, {"grid": [np.nan]}, "grid= takes"),
        (PEOPLE, {"grid": np.linspace(20, 50, 1001)}, "grid= takes"),
        (PEOPLE, {"spline_df": 0}, "spline_df="),
        (PEOPLE, {"spline_df": 2.5}, "spline_df="),
        (PEOPLE, {"spline_df": 11}, "spline_df="),
        (PEOPLE, {"knots": [30, 25]}, "rising order"),
        (PEOPLE, {"knots": [10]}, "inside the range"),
        (PEOPLE.assign(age=(PEOPLE["age"] > 30).astype(int)), {}, "2 different values"),
        (PEOPLE.assign(age=PEOPLE["age"].clip(upper=25)), {}, "fall together"),
        (PEOPLE.assign(age=PEOPLE["age"].where(PEOPLE["arm"] == "ips", 30)), {}, "an arm has too few different values"),
        (PEOPLE.assign(age=PEOPLE["age"] + 100 * (PEOPLE["arm"] == "ips")), {}, "in common"),
        (PEOPLE.assign(works=0), {}, "same outcome"),
        (PEOPLE.head(12), {"outcome": "hours", "adjust": ["sex", "score", "ward", "region", "m1"]}, "too few"),
        (long(PEOPLE), {"outcome": "working", "kind": "months", "errors": "model"}, 'errors="model" needs'),
        (PEOPLE.assign(rare=(PEOPLE.index == 5).astype(float)), {"outcome": "hours", "adjust": "rare"}, "one person alone"),
    ],
)  # fmt: skip
def test_refused_by_curves(data: pd.DataFrame, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        effect_by(data, **{"outcome": "works", **FEW, **options})


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (PEOPLE, {"width": 1}, "width="),
        (PEOPLE, {"width": 320}, "width="),
        (PEOPLE, {"width": 50, "step": 60}, "step="),
        (PEOPLE, {"step": 0}, "step="),
        (PEOPLE.assign(age=np.where(PEOPLE.index < 5, 20, 30)), {"width": 200}, "1 windows"),
        (long(PEOPLE), {"outcome": "working", "kind": "months", "adjust": "sex"}, "not adjusted"),
        (PEOPLE.assign(age=PEOPLE["age"] + 100 * (PEOPLE["arm"] == "ips")), {"width": 150, "step": 150}, "fewer than two windows"),
    ],
)  # fmt: skip
def test_refused_by_windows(data: pd.DataFrame, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        effect_in_windows(data, **{"outcome": "works", **FEW, **options})


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("scale", ["risk_difference", "odds_ratio"])
def test_the_picture_shows_the_line_and_both_bands(scale: str, narrow: bool) -> None:
    for function in (effect_by, effect_in_windows):
        found = function(PEOPLE, "age", "works", scale=scale, **FEW)
        figure = found.plot(narrow=narrow)
        figure.canvas.draw()
        axes = figure.axes[0]
        table, factor = effects(found), 100 if scale == "risk_difference" else 1
        table = table[table["measure"] == scale]
        line = axes.lines[0]
        np.testing.assert_allclose(line.get_xdata(), table["value"])
        np.testing.assert_allclose(line.get_ydata(), factor * table["estimate"])
        # two bands, the wider one first and lighter
        wide, close = axes.collections
        assert wide.get_alpha() < close.get_alpha()
        for band, low, high in ((wide, "band_low", "band_high"), (close, "conf_low", "conf_high")):
            corners = band.get_paths()[0].vertices[:, 1]
            assert corners.min() == pytest.approx(factor * table[low].min())
            assert corners.max() == pytest.approx(factor * table[high].max())
        assert "Does the effect vary with age? p" in axes.get_xlabel()
        assert axes.get_yscale() == ("log" if scale == "odds_ratio" else "linear")
        # no mark for a person: one line, the line of no effect, and everybody's where there are windows
        assert len(axes.lines) == (2 if function is effect_by else 3)


def test_people_stand_under_the_picture_only_when_given() -> None:
    from ips_outcomes.reporting.effect_figures import effect_by_number
    from ips_outcomes.reporting.figures import Canvas
    from ips_outcomes.reporting.words import words

    found = effect_by(PEOPLE, "age", "works", cluster="region", **FEW)
    canvas = Canvas(words("en"), {"ips": "IPS", "control": "Ordinary"})
    assert len(effect_by_number(found, canvas).axes) == 1
    counts = pd.DataFrame({"group": ["ips", "ips", "control", "control"], "value_low": [20, 30] * 2, "value_high": [30, 40] * 2,
                           "n": pd.array([41, pd.NA, 52, 63], dtype="Int64")})  # fmt: skip
    below = effect_by_number(found, canvas, counts=counts).axes[1]
    told = [text.get_text() for text in below.texts]
    assert {"IPS", "Ordinary", "41", "52", "63", "\u2013"} <= set(told)


def test_nothing_to_draw_is_said() -> None:
    debts = PEOPLE.assign(hours=PEOPLE["hours"] - 30)
    with pytest.raises(UnsupportedError, match="no effect to draw"):
        effect_by(debts, "age", "hours", scale="mean_ratio", **FEW).plot()


# ---------------------------------------------------------------- a study


def test_a_study_is_asked_by_its_names(demo_followup: FollowUp) -> None:
    followed = demo_followup
    found = effect_by(followed, at=12, cluster="centre", draws=100)
    rows = effects(found)
    assert set(rows["outcome"]) == {followed.study.primary_definition}
    assert set(rows["month"]) == {12}
    # the same people, as a plain table
    month = followed.person_months.query("month == 12").set_index("person_id")[followed.study.primary_definition]
    plain = followed.baseline.assign(works=followed.baseline["person_id"].map(month))
    direct = effect_by(plain, "age", "works", reference=followed.study.reference, cluster="centre", draws=100)
    np.testing.assert_allclose(rows["estimate"], effects(direct)["estimate"], rtol=1e-9)
    assert any("6 clusters are few" in note for note in found.notes)
    # people who leave the country are not observed in all months
    months = effect_by(followed, kind="months", end=12, draws=100)
    assert set(effects(months)["time"]) == {12}
    assert effects(months)["conf_low"].notna().all()
    windows = effect_in_windows(followed, kind="months", end=12, draws=100)
    assert abs(effects(windows)["estimate"].mean() - effects(months)["estimate"].mean()) < 0.5


def test_windows_of_months_are_months_in_work_of_each() -> None:
    data = long(PEOPLE)
    table = effects(effect_in_windows(data, "age", "working", kind="months", width=120, step=60, **FEW))
    for row in table.to_dict("records"):
        inside = data[data["age"].between(row["value_low"], row["value_high"])]
        gained = months_in_work(inside, outcome="working", reference="control").table
        direct = gained[gained["contrast"] != ""].iloc[0]
        assert row["estimate"] == pytest.approx(direct["estimate"])
        assert row["std_error"] == pytest.approx(direct["std_error"])
