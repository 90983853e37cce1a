"""Adjusted comparisons against R: robust errors, few clusters, Firth's penalty; by hand, and what is refused.

tests/golden/rates.R made R's answers (sandwich, survey, clubSandwich, and by other ways where there is no package).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes import UnsupportedError, compare_arms
from ips_outcomes.analysis.regression import firth_profile, fit_model
from ips_outcomes.analysis.small_clusters import cr2, wild_bootstrap

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = {
    "estimate": 1e-8,
    "std_error": 1e-6,
    "conf_low": 1e-6,
    "conf_high": 1e-6,
    "p_value": 1e-6,
    "degrees_of_freedom": 1e-6,
}
ADJUST = {"adjust": ["age", "site"]}
WEIGHTED = {"weights": "weight", "weight_type": "probability"}
CASES: dict[str, dict] = {
    "influence": ADJUST | {"errors": "robust"},
    "influence_clustered": ADJUST | {"cluster": "employer", "covariates": "sampled"},
    "influence_probability": ADJUST | WEIGHTED,
    "influence_probability_clustered": ADJUST | WEIGHTED | {"cluster": "employer"},
    "survey_alone": WEIGHTED,
    "poisson": ADJUST | {"model": "poisson"},
    "poisson_clustered": ADJUST | {"model": "poisson", "cluster": "employer"},
    "linear": ADJUST | {"model": "linear"},
    "cr2_hours": ADJUST | {"outcome": "hours", "cluster": "region"},
    "cr2_hours_weighted": ADJUST | WEIGHTED | {"outcome": "hours", "cluster": "region"},
    "cr2_linear": ADJUST | {"model": "linear", "cluster": "region"},
    "cr2_linear_copies": ADJUST | {"model": "linear", "cluster": "region", "weights": "copies"},
    "cr2_poisson": ADJUST | {"model": "poisson", "cluster": "region"},
    "cr2_poisson_copies": ADJUST | {"model": "poisson", "cluster": "region", "weights": "copies"},
    "cr2_logistic": ADJUST | {"cluster": "region"},
}


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"{name}.csv", float_precision="round_trip")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return golden("rates_people")


@pytest.mark.parametrize("case", CASES)
def test_adjusted_comparisons_equal_r(people: pd.DataFrame, case: str) -> None:
    ours = compare_arms(people, reference="control", **({"outcome": "works"} | CASES[case])).table.set_index(
        ["measure", "contrast"]
    )
    theirs = golden("rates_regression").query("case == @case").set_index(["measure", "contrast"])
    assert len(theirs) == len(ours) >= 2
    for column, tolerance in TOLERANCE.items():
        if column == "degrees_of_freedom" and not case.startswith("cr2"):
            assert column not in ours
            continue
        np.testing.assert_allclose(ours.loc[theirs.index, column].astype(float), theirs[column], rtol=tolerance)


@pytest.mark.parametrize("case", ["firth", "firth_separated"])
def test_firth_equals_a_general_optimiser(people: pd.DataFrame, case: str) -> None:
    rows = (
        golden("rates_separated") if case == "firth_separated" else people[(people["arm"] != "ips_plus") & (people["id"] <= 150)]
    )
    found = (
        compare_arms(rows, "works", reference="control", adjust="age", penalty="firth")
        .select(measure="conditional_odds_ratio")
        .table
    )
    theirs = golden("rates_regression").query("case == @case").iloc[0]
    # BFGS on numerical derivatives stops about 1e-8 from the top; the likelihood there, and so limits and p, are flat
    for column in ("estimate", "std_error"):
        assert found[column][0] == pytest.approx(theirs[column], rel=1e-7)
    for column in ("conf_low", "conf_high", "p_value"):
        assert found[column][0] == pytest.approx(theirs[column], rel=1e-8)


@pytest.mark.parametrize(
    ("y", "arm"), [([0, 1, 1], [0, 0, 1]), ([1, 0], [0, 1]), ([1, 1, 1, 0], [0, 1, 1, 1]), ([0] * 7 + [1], [0] * 7 + [1])]
)
def test_firth_where_an_arm_is_one_person(y: list[int], arm: list[int]) -> None:
    # a share of its own for each arm: half an event and half a person without it are added, (events + 1/2) / (n + 1)
    y, arm = np.array(y, dtype=float), np.array(arm)
    fit = fit_model(y, np.column_stack([np.ones(len(y)), arm]), np.ones(len(y)), "logistic", firth=True)
    share = np.array([(y[arm == a].sum() + 0.5) / ((arm == a).sum() + 1) for a in arm])
    np.testing.assert_allclose(fit.mean, share, rtol=1e-9)


def test_firth_by_hand() -> None:
    # a saturated two by two table: the penalty adds 1/2 to every cell. 3 of 3 against 1 of 3:
    # (3.5 / 0.5) / (1.5 / 2.5) = 35 / 3; logit risks 3.5 / 4 and 1.5 / 4
    six = pd.DataFrame({"arm": ["ips"] * 3 + ["control"] * 3, "works": [1, 1, 1, 1, 0, 0]})
    found = compare_arms(six, "works", reference="control", penalty="firth").table.set_index("measure")["estimate"]
    assert found["conditional_odds_ratio"] == pytest.approx(35 / 3)
    assert found["odds_ratio"] == pytest.approx(35 / 3)
    assert found["risk_difference"] == pytest.approx(0.5)
    assert found["risk_ratio"] == pytest.approx(3.5 / 1.5)


def test_wild_bootstrap_equals_refitted_least_squares(people: pd.DataFrame) -> None:
    rows = people[people["hours"].notna() & (people["region"] < 8)]
    x = np.column_stack([np.ones(len(rows)), rows["arm"] == "ips", rows["arm"] == "ips_plus", rows["age"]]).astype(float)
    clusters = rows["region"].to_numpy(np.int64)
    for value, p_value in golden("rates_wild").itertuples(index=False, name=None):
        fit = fit_model(rows["hours"].to_numpy() - value * x[:, 1], x, np.ones(len(rows)), "linear")
        # 256 vectors of signs: a count, equal to the last
        assert wild_bootstrap(fit, clusters, 1).p_value == pytest.approx(p_value, abs=1e-12)
    found = compare_arms(rows, "hours", reference="control", adjust="age", cluster="region", small_clusters="wild")
    row = found.table.iloc[0]
    assert row["p_value"] == pytest.approx(golden("rates_wild")["p_value"][0], abs=1e-12)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    assert "256 vectors of signs" in found.notes[0]
    # the limits are where the test changes its mind
    for end, inside in ((row["conf_low"], 1e-6), (row["conf_high"], -1e-6)):
        for shift, rejected in ((inside, False), (-inside, True)):
            fit = fit_model(rows["hours"].to_numpy() - (end + shift) * x[:, 1], x, np.ones(len(rows)), "linear")
            assert (wild_bootstrap(fit, clusters, 1).p_value <= 0.05) == rejected


def test_wild_bootstrap_is_seeded(people: pd.DataFrame) -> None:
    rows = people.assign(place=people["employer"] % 20)
    options = {"reference": "control", "cluster": "place", "model": "linear", "small_clusters": "wild", "replicates": 999}
    one, again, other = (compare_arms(rows, "works", **options, seed=s).table["p_value"].tolist() for s in (1, 1, 2))
    assert one == again
    assert one != other and one == pytest.approx(other, abs=0.06)


def test_cr2_by_hand() -> None:
    # Three clusters of one ips and one control person; ips - control within them is 1, 2, 0. The difference of means is 1.
    # Each difference has the same weight 1/3, so the error is that of a mean of three: sqrt(((0)^2 + 1 + 1) / (3 * 2)),
    # with 3 - 1 degrees of freedom: what a paired t test says.
    six = pd.DataFrame({"arm": ["control", "ips"] * 3, "hours": [1.0, 2, 3, 5, 2, 2], "site": [1, 1, 2, 2, 3, 3]})
    found = compare_arms(six, "hours", reference="control", cluster="site")
    row = found.table.iloc[0]
    assert row["estimate"] == pytest.approx(1)
    assert row["std_error"] == pytest.approx(np.sqrt(2 / 6))
    assert row["degrees_of_freedom"] == pytest.approx(2)
    assert row["conf_high"] == pytest.approx(1 + 4.302652729911275 * np.sqrt(1 / 3))
    assert found.notes == (
        "3 clusters of site are few: CR2 errors, limits and p from t with Satterthwaite's degrees of freedom (under 4: read p-values with reserve)",
    )


def test_clusters_of_one_person_give_hc2(people: pd.DataFrame) -> None:
    rows = people[people["hours"].notna()].head(25)
    x = np.column_stack([np.ones(25), rows["age"]])
    fit = fit_model(rows["hours"].to_numpy(), x, np.ones(25), "linear")
    error, _ = cr2(fit, np.arange(25), np.array([[0.0, 1.0]]), frequency=True)
    bread = np.linalg.inv(x.T @ x)
    residual, leverage = fit.y - fit.mean, np.einsum("ij,jk,ik->i", x, bread, x)
    hc2 = bread @ (x.T * (residual**2 / (1 - leverage))) @ x @ bread
    assert error[0] == pytest.approx(np.sqrt(hc2[1, 1]))


def test_from_thirty_clusters_nothing_is_said(people: pd.DataFrame) -> None:
    found = compare_arms(people, "works", reference="control", cluster="employer")
    assert found.notes == () and "degrees_of_freedom" not in found.table


@pytest.mark.parametrize(
    "options", [{"adjust": "age"}, {"model": "poisson"}, {"model": "linear"}, {"model": "linear", "small_clusters": "wild"}]
)
def test_order_of_rows_and_names_of_clusters_do_not_matter(people: pd.DataFrame, options: dict) -> None:
    mixed = people.sample(frac=1, random_state=1).assign(region=lambda t: "r" + (10 - t["region"]).astype(str))
    columns = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
    ours, theirs = (
        compare_arms(t, "works", reference="control", cluster="region", **options).table[columns] for t in (people, mixed)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_changing_arms_turns_adjusted_comparisons_round(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"arm": rng.permutation(["a", "b"] * 40), "works": rng.permutation([0, 1] * 40), "age": rng.normal(size=80),
                         "site": np.arange(80) % 8})  # fmt: skip
    for options in ({"cluster": "site", "adjust": "age"}, {"errors": "robust", "adjust": "age"}, {"model": "poisson", "cluster": "site"},
                    {"penalty": "firth"}):  # fmt: skip
        forth, back = (compare_arms(rows, "works", reference=arm, **options).table.set_index("measure") for arm in "ab")
        for measure in forth.index:
            a, b = forth.loc[measure], back.loc[measure]
            turn = (lambda x: -x) if measure == "risk_difference" else (lambda x: 1 / x)
            assert [b["estimate"], b["conf_low"], b["conf_high"]] == pytest.approx(
                [turn(a["estimate"]), turn(a["conf_high"]), turn(a["conf_low"])], rel=1e-6
            )
            assert [b["std_error"], b["p_value"]] == pytest.approx([a["std_error"], a["p_value"]], rel=1e-6)


# ---------------------------------------------------------------- what has no answer


def six(**change: list) -> pd.DataFrame:
    return pd.DataFrame({"arm": ["ips"] * 4 + ["control"] * 4, "works": [1, 1, 1, 0, 1, 0, 0, 0], "age": [1.0, 2, 3, 4, 2, 3, 1, 5],
                         "site": [1, 1, 2, 2, 1, 1, 2, 2]} | change)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"site": [1] * 8}, {"cluster": "site"}, "1 cluster is too few"),
        ({"site": [1, 1, 1, 1, 2, 2, 2, 2]}, {"cluster": "site"}, "2 clusters are too few"),
        ({"works": [1] * 4 + [0] * 4}, {"adjust": "age"}, "no finite answer"),
        ({"works": [1] * 4 + [1, 0, 0, 0]}, {"adjust": "age"}, "no finite answer"),
        ({"works": [0] * 4 + [1, 0, 0, 0]}, {"model": "poisson"}, "no finite answer"),
        ({"works": [0] * 8}, {"errors": "robust"}, "no finite answer"),
        ({"works": [1] * 8}, {"errors": "robust"}, "no finite answer"),
        ({"age": [1.0] * 8}, {"adjust": "age"}, "constant"),
        ({"age": [np.inf] + [1.0] * 7}, {"adjust": "age"}, "not finite"),
        ({"age": [None] * 4 + [1.0] * 4}, {"adjust": "age"}, "nobody with known values is in ips"),
        ({}, {"model": "probit"}, "model= is one of"),
        ({}, {"errors": "model", "cluster": "site"}, "would be wrong"),
        ({}, {"errors": "model", "model": "poisson"}, "would be wrong"),
        ({}, {"covariates": "sampled", "model": "linear"}, "g-computation"),
        ({}, {"penalty": "firth", "cluster": "site"}, "penalty="),
        ({}, {"small_clusters": "wild", "cluster": "site"}, "for linear models"),
        ({}, {"model": "poisson", "outcome": "age"}, "true/false outcomes"),
        ({}, {"strata": "site", "errors": "robust"}, "strata= has no model"),
    ],
)  # fmt: skip
def test_what_has_no_answer_says_so(change: dict, options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        compare_arms(six(**change), **({"outcome": "works", "reference": "control"} | options))


def test_few_clusters_count_covariates_as_fixed() -> None:
    rows = six(site=[1, 2, 3, 4, 1, 2, 3, 4]).assign(w=1.0)
    found = compare_arms(rows, "works", reference="control", cluster="site", covariates="sampled")
    assert any("covariates count as fixed" in note for note in found.notes)


def test_under_six_clusters_the_bootstrap_has_no_limits() -> None:
    rows = six(site=[1, 2, 3, 4, 1, 2, 3, 4])
    found = compare_arms(rows, "age", reference="control", cluster="site", small_clusters="wild")
    assert found.table[["conf_low", "conf_high"]].isna().all(axis=None)
    assert 0.125 <= found.table["p_value"][0] <= 1 and "no limits" in found.notes[0]


def test_missing_values_are_left_out_and_counted() -> None:
    found = compare_arms(six(age=[1.0, 2, 3, 4, 2, 3, 1, None]), "works", reference="control", adjust="age", penalty="firth")
    assert found.notes == ("1 of 8 rows left out: a covariate is missing",)
    assert found.table["n"].tolist() == [7] * 4


def test_sampled_covariates_widen_the_error_where_effects_differ() -> None:
    rng = np.random.default_rng(8)
    rows = pd.DataFrame({"arm": ["a", "b"] * 300, "age": rng.normal(size=600)})
    rows["works"] = (rng.random(600) < 1 / (1 + np.exp(-(rows["arm"] == "a") - 2 * rows["age"]))).astype(int)
    fixed, sampled = (
        compare_arms(rows, "works", reference="b", adjust="age", errors="robust", covariates=c).table["std_error"][0]
        for c in ("fixed", "sampled")
    )
    assert fixed < sampled < 1.2 * fixed


def test_profile_of_firth_is_open_where_the_likelihood_stays_flat() -> None:
    fit = fit_model(np.array([1.0, 1, 0, 0]), np.column_stack([np.ones(4), [1, 1, 0, 0]]), np.ones(4), "logistic", firth=True)
    low, high, p_value = firth_profile(fit, 1)
    assert low < fit.coefficients[1] < high and 0 < p_value < 1
