"""The monthly panel by estimating equations: against geepack and statsmodels, by hand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes import UnsupportedError
from ips_outcomes.analysis import panel_effect
from ips_outcomes.analysis.panel import estimating_equations

GOLDEN = Path(__file__).parent / "golden"
MEASURE = {"logit": "odds_ratio", "log": "risk_ratio", "identity": "risk_difference"}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "panel_people.csv")


@pytest.mark.parametrize("family", MEASURE)
@pytest.mark.parametrize("correlation", ["independence", "exchangeable", "ar1"])
def test_panels_equal_geepack(people: pd.DataFrame, family: str, correlation: str) -> None:
    theirs = pd.read_csv(GOLDEN / "panel_answers.csv", float_precision="round_trip").query(
        "link == @family and correlation == @correlation"
    )
    found = panel_effect(
        people, "works", reference="control", adjust="age" if family == "logit" else None, family=family, correlation=correlation
    )
    ours = found.select(measure=MEASURE[family]).table
    assert len(theirs) == len(ours) == 6
    assert ours["month"].tolist()[:5] == [1, 2, 3, 4, 5] and pd.isna(ours["month"][5])
    estimate = ours["estimate"] if family == "identity" else np.log(ours["estimate"])
    np.testing.assert_allclose(estimate, theirs["estimate"], rtol=1e-8)
    np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
    np.testing.assert_allclose(ours["correlation"], theirs["alpha"], rtol=1e-8)
    assert found.notes[0] == f"{people['works'].notna().sum()} of 450 person-months were observed and count; none is filled in"


def test_independence_equals_statsmodels(people: pd.DataFrame) -> None:
    import statsmodels.api as sm

    seen = people.dropna(subset="works")
    x = np.column_stack([np.ones(len(seen)), seen["arm"] == "ips", seen["month"], seen["age"]]).astype(float)
    fit = estimating_equations(
        seen["works"].to_numpy(float), x, seen["person_id"].to_numpy() - 1, seen["month"].to_numpy(float), "logit", "independence"
    )
    theirs = sm.GEE(seen["works"].to_numpy(float), x, groups=seen["person_id"], family=sm.families.Binomial()).fit(ctol=1e-12)
    np.testing.assert_allclose(fit.coefficients, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), theirs.bse, rtol=1e-6)


def test_one_month_by_hand(people: pd.DataFrame) -> None:
    """One month without covariates is a table of two by two; robust errors of a risk are p (1 - p) / n."""
    one = people[people["month"] == 2].dropna(subset="works")
    rates, n = one.groupby("arm")["works"].mean(), one.groupby("arm").size()
    row = panel_effect(one, "works", reference="control", family="identity").table.iloc[0]
    assert row["estimate"] == pytest.approx(rates["ips"] - rates["control"])
    assert row["std_error"] == pytest.approx(np.sqrt((rates * (1 - rates) / n).sum()))


def test_months_without_covariates_are_the_rates_month_by_month(people: pd.DataFrame) -> None:
    ours = panel_effect(people, "works", reference="control", family="identity").table
    each = ips.compare_arms(people, "works", reference="control").select(measure="risk_difference").table
    np.testing.assert_allclose(ours["estimate"][:5], each["estimate"])
    np.testing.assert_allclose(ours["std_error"][:5], each["std_error"])
    assert ours["estimate"][5] == pytest.approx(each["estimate"].mean())
    assert ours["n"].tolist()[:5] == each["n"].tolist()


@pytest.mark.parametrize("correlation", ["exchangeable", "ar1"])
def test_order_of_rows_does_not_matter_and_arms_turn_round(people: pd.DataFrame, correlation: str) -> None:
    forth, mixed = (
        panel_effect(t, "works", reference="control", correlation=correlation).table
        for t in (people, people.sample(frac=1, random_state=2))
    )
    columns = ["estimate", "std_error", "p_value"]
    np.testing.assert_allclose(forth[columns].astype(float), mixed[columns].astype(float), rtol=1e-7)
    back = panel_effect(people, "works", reference="ips", correlation=correlation).table
    odds = forth["measure"] == "odds_ratio"
    np.testing.assert_allclose(back.loc[odds, "estimate"], 1 / forth.loc[odds, "estimate"], rtol=1e-7)
    np.testing.assert_allclose(back.loc[~odds, "p_value"], forth.loc[~odds, "p_value"], rtol=1e-6)


def test_a_follow_up_goes_in(demo_followup: ips.FollowUp) -> None:
    found = panel_effect(demo_followup, "ordinary", months=[12, 18, 24])
    assert set(found.table["measure"]) == {"odds_ratio", "risk_difference", "interaction"}
    rates = ips.compare_arms(demo_followup, "ordinary", at=[12, 18, 24]).select(measure="odds_ratio").table
    np.testing.assert_allclose(found.select(measure="odds_ratio").table["estimate"][:3], rates["estimate"], rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"reference": "nobody"}, "name the reference arm"),
        ({"arm": "control"}, {}, "one arm only"),
        ({"month": 1}, {}, "several rows in one month"),
        ({"works": 0.0}, {}, "everybody or nobody"),
        ({"person_id": 1}, {"months": [1]}, "too few for a panel"),
        ({"age": 3}, {"adjust": "age"}, "constant"),
        ({}, {"family": "probit"}, "family= is"),
        ({}, {"months": [9]}, "no month 9"),
        ({}, {"weights": "age"}, "does not support weights"),
    ],
)  # fmt: skip
def test_what_has_no_answer_says_so(people: pd.DataFrame, change: dict, options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        panel_effect(people.assign(**change), "works", **({"reference": "control"} | options))


def test_a_month_without_events_in_an_arm_is_refused(people: pd.DataFrame) -> None:
    none = people.assign(works=people["works"].where(~((people["month"] == 3) & (people["arm"] == "ips")), 0.0))
    for family in MEASURE:
        with pytest.raises(UnsupportedError, match="month has no event"):
            panel_effect(none, "works", reference="control", family=family)


def test_a_table_without_months_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(UnsupportedError, match="no month column"):
        panel_effect(people.drop(columns="month"), "works", reference="control")
