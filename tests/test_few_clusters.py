"""Rates, months in work and trends with fewer than 30 clusters: against clubSandwich, by hand, and at the edges.

tests/golden/few_clusters.R made R's answers from the same rows as curves.R.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from curves_world import golden, row
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes.analysis import compare_arms, employment_curves, months_in_work, trends
from ips_outcomes.analysis.few_clusters import ONE_DECIDES
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates

NUMBERS = ["estimate", "std_error", "degrees_of_freedom", "conf_low", "conf_high", "p_value"]
CASES: dict[str, dict] = {
    "region": {"cluster": "region"},
    "ward": {"cluster": "ward"},
    "copies": {"cluster": "region", "weights": "copies"},
    "weighted": {"cluster": "region", "weights": "weight", "weight_type": "probability"},
}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rows = golden("data_curves.csv")
    return rows.assign(region=np.ceil(rows["site"] / 6), ward=rows["arm"] + (rows["site"] * 0.6).pow(0.5).astype(int).astype(str))


def equals_r(ours: Estimates, case: str, by_month: bool = False) -> None:
    table = ours.table.assign(who=ours.table["group"] + ours.table["contrast"])
    theirs = golden("few_clusters.csv").query("case == @case")
    theirs = theirs[theirs["measure"].isin(table["measure"])]
    key = ["measure", "who", *(["month"] if by_month else [])]
    assert len(theirs) == len(table) >= 3
    ours_by, theirs_by = table.set_index(key).sort_index(), theirs.set_index(key).sort_index()
    assert ours_by.index.tolist() == theirs_by.index.tolist()
    # a p-value is for contrasts and trends: a rate of 0 is no question
    asked = ours_by["p_value"].notna()
    assert asked.sum() >= len(table) / 3
    for column in NUMBERS:
        here = asked if column == "p_value" else asked | True
        np.testing.assert_allclose(
            ours_by.loc[here, column].astype(float), theirs_by.loc[here, column], rtol=1e-8 if column == "estimate" else 1e-6
        )


@pytest.mark.parametrize("case", CASES)
def test_rates_equal_r(people: pd.DataFrame, case: str) -> None:
    ours = employment_curves(people, "works", reference="control", at=[1, 6, 12], **CASES[case])
    equals_r(ours, case, by_month=True)
    assert ours.table[["band_low", "band_high", "critical", "p_adjusted"]].isna().all(axis=None)
    assert (ours.table["method"] == "CR2 and t; no band: few clusters").all()
    assert any("no simultaneous band" in note for note in ours.notes) and any("Pustejovsky" in r for r in ours.references)


@pytest.mark.parametrize("case", CASES)
def test_trends_equal_r(people: pd.DataFrame, case: str) -> None:
    ours = trends(people, "works", reference="control", start=3, end=12, **CASES[case])
    equals_r(ours, case)
    assert (ours.table["method"] == "least squares, CR2 errors, t").all()
    assert any(note.startswith("few clusters (control ") for note in ours.notes)
    assert not any("robust errors of so few" in note for note in ours.notes)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("missing", ["available", "exclude"])
def test_months_in_work_equal_r(people: pd.DataFrame, case: str, missing: str) -> None:
    ours = months_in_work(people, "works", reference="control", missing=missing, dead="dead", **CASES[case])  # type: ignore[arg-type]
    equals_r(ours, case if missing == "available" else f"{case} exclude")
    assert any("read p-values with reserve" in note or "Satterthwaite" in note for note in ours.notes)


def six(**more: list[int]) -> pd.DataFrame:
    """Six clusters of one person each, three in either arm, two months."""
    return pd.DataFrame({"person_id": [*range(6)] * 2, "site": [*range(6)] * 2, "arm": ["a", "a", "a", "b", "b", "b"] * 2,
                         "month": [1] * 6 + [2] * 6, "works": [1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0]} | more)  # fmt: skip


def test_six_clusters_by_hand() -> None:
    # totals of a: 2, 1, 0, mean 1, squares about it 2; of b: 0, 1, 0, mean 1/3, squares 2/3
    # CR2 of a mean of n clusters of one: residuals over root(1 - 1/n), so the sum of squares over n (n - 1): 2/6 and (2/3)/6
    table = months_in_work(six(), "works", reference="b", cluster="site")
    a, b = (row(table, measure="months_in_work", group=name) for name in "ab")
    assert a["std_error"] == pytest.approx(np.sqrt(2 / 6)) and b["std_error"] == pytest.approx(np.sqrt(2 / 18))
    # the variance of n people alone has n - 1 degrees of freedom
    assert a["degrees_of_freedom"] == pytest.approx(2) and b["degrees_of_freedom"] == pytest.approx(2)
    # the difference: 2/3, variances added up; equal arms under the working model, so 4 degrees of freedom
    difference = row(table, measure="months_in_work_difference")
    assert difference["estimate"] == pytest.approx(2 / 3) and difference["std_error"] == pytest.approx(np.sqrt(2 / 6 + 2 / 18))
    assert difference["degrees_of_freedom"] == pytest.approx(4)
    # t: 2/3 / (2/3) = 1 with 4 degrees of freedom has p = 0.3739; t's 97.5 % quantile is 2.776445
    assert difference["p_value"] == pytest.approx(0.373900966300059)
    assert difference["conf_high"] == pytest.approx(2 / 3 + 2.7764451051977987 * 2 / 3)
    # the change of a: 0, 1, 0, squares about 1/3 are 2/3, over 6; of b the same: no difference
    change = row(trends(six(), "works", reference="b", start=1, end=2, cluster="site"), measure="change", group="a")
    assert change["std_error"] == pytest.approx(1 / 3) and change["degrees_of_freedom"] == pytest.approx(2)
    # rates of month 1: a 1/3, squares 2/3, over 6; b 0 and never anything else
    rates = employment_curves(six(), "works", reference="b", cluster="site")
    assert row(rates, measure="rate", group="a", month=1)["std_error"] == pytest.approx(1 / 3)
    still = row(rates, measure="rate", group="b", month=1)
    assert still["std_error"] == 0 and still["method"] == "CR2 and t; no variation in this month"


def test_one_month_is_the_linear_comparison_of_arms(people: pd.DataFrame) -> None:
    month = people[people["month"] == 6].dropna(subset=["works"])
    ours = row(employment_curves(month, "works", reference="control", cluster="region"), measure="risk_difference")
    theirs = row(compare_arms(month, "works", reference="control", cluster="region", model="linear"), measure="risk_difference")
    for column in NUMBERS:
        assert ours[column] == pytest.approx(theirs[column], rel=1e-9), column


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_collapsed_counts_and_order_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, months = 40, 4
    who = pd.DataFrame({"person_id": range(n), "site": rng.integers(0, 6, n), "arm": rng.permutation(["a", "b"] * (n // 2)),
                        "copies": rng.integers(1, 4, n)})  # fmt: skip
    rows = who.loc[who.index.repeat(months)].assign(month=[*range(1, months + 1)] * n, works=rng.random(n * months) < 0.5)
    rows = rows[rng.random(len(rows)) < 0.95].reset_index(drop=True)
    people = rows.loc[rows.index.repeat(rows["copies"])]
    copy = people.groupby(["person_id", "month"]).cumcount()
    people = people.assign(person_id=people["person_id"].astype(str) + "-" + copy.astype(str)).sample(frac=1, random_state=seed)
    for function, options in ((months_in_work, {}), (trends, {"start": 1, "end": months}), (employment_curves, {})):
        collapsed = function(rows, "works", reference="a", cluster="site", weights="copies", **options).table
        plain = function(people, "works", reference="a", cluster="site", **options).table
        for column in NUMBERS:
            np.testing.assert_allclose(collapsed[column].astype(float), plain[column].astype(float), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("site", ["everybody", "arm", "one of b"])
def test_what_one_cluster_decides_has_no_error(site: str) -> None:
    sites = {"everybody": [1] * 12, "arm": [1, 1, 1, 2, 2, 2] * 2, "one of b": [1, 2, 3, 4, 4, 4] * 2}[site]
    rows = six(site=sites)
    for function, options in ((months_in_work, {}), (trends, {"start": 1, "end": 2}), (employment_curves, {})):
        table = function(rows, "works", reference="b", cluster="site", **options).table
        assert table["estimate"].notna().all()
        alone = table[table["group"] != "a"] if site == "one of b" else table
        assert alone[["std_error", "conf_low", "conf_high", "p_value", "degrees_of_freedom"]].isna().all(axis=None)
        assert (alone["method"] == ONE_DECIDES).all()
        assert table.drop(alone.index)["std_error"].notna().all()


def test_a_month_that_one_cluster_alone_was_seen_in() -> None:
    rows = six().astype({"works": float})
    rows.loc[(rows["month"] == 2) & rows["person_id"].isin([0, 1]), "works"] = np.nan
    table = months_in_work(rows, "works", reference="b", cluster="site")
    # month 2 of a rests on person 2: its rate is there, how it varies is not
    a = row(table, measure="months_in_work", group="a")
    assert a["estimate"] == pytest.approx(1 / 3) and np.isnan(a["std_error"]) and a["method"] == ONE_DECIDES
    assert row(table, measure="months_in_work", group="b")["std_error"] > 0
    # nobody at all: no estimate either
    rows.loc[(rows["month"] == 2) & (rows["arm"] == "a"), "works"] = np.nan
    curve = employment_curves(rows, "works", reference="b", cluster="site")
    assert row(curve, measure="rate", group="a", month=2)["method"] == "nobody observed"
    assert row(months_in_work(rows, "works", reference="b", cluster="site"), measure="months_in_work", group="a")["method"] == (
        "nobody observed in some month"
    )


def test_each_row_is_few_or_not_by_its_own_clusters() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"person_id": range(200), "month": 1, "site": np.repeat(range(40), 5), "works": rng.random(200) < 0.4,
                         "arm": np.repeat(["a", "b"], 100)})  # fmt: skip
    table = employment_curves(rows, "works", reference="b", cluster="site", draws=200)
    assert table.select(measure="rate").table["degrees_of_freedom"].notna().all()
    difference = row(table, measure="risk_difference")
    assert np.isnan(difference["degrees_of_freedom"]) and difference["critical"] > 1.9 and "sup-t" in difference["method"]
    assert "few clusters (a 20, b 20)" in table.notes[-2]
    enough = employment_curves(rows.assign(arm="x"), "works", cluster="site", draws=200)
    assert "degrees_of_freedom" not in enough.table and not enough.notes


def test_weights_of_their_own_for_too_many_people_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ips_outcomes.analysis.few_clusters.MOST_PATTERNS", 3)
    rows = six(site=[1, 1, 2, 2, 3, 3] * 2).assign(w=lambda t: 1 + t["person_id"] / 10)
    with pytest.raises(UnsupportedError, match="a cluster holds 4 months of people with different weights, more than 3"):
        months_in_work(rows, "works", reference="b", cluster="site", weights="w", weight_type="probability")
