"""What the public functions refuse, and what the smooth models find."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import ips_outcomes as ips


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    number = 4000
    exact = 30 * rng.weibull(1.3, number)
    limit = 43
    return pd.DataFrame({
        "arm": np.where(rng.random(number) < 0.5, "ips", "control"),
        "time": np.minimum(np.ceil(exact), limit).astype(int), "event": (exact <= limit).astype(int),
    })  # fmt: skip


def test_the_weibull_model_finds_the_true_median_and_fits_best(people: pd.DataFrame) -> None:
    table = ips.parametric_survival(people).table.set_index("level")
    assert table.loc["weibull", "estimate"] == pytest.approx(30 * np.log(2) ** (1 / 1.3), rel=0.03)
    assert table["aic"].idxmin() == "weibull"


def test_groups_of_the_smooth_models(people: pd.DataFrame) -> None:
    table = ips.parametric_survival(people, by="arm").table
    assert len(table) == 6
    assert table.drop_duplicates("group")["n"].sum() == len(people)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": 0}, "no event"),
        ({"time": 0}, "month 0"),
        ({"time": 1.5}, "not whole"),
        ({"time": -1}, "negative"),
        ({"time": None}, "missing"),
    ],
)
def test_smooth_models_refuse_what_they_cannot_answer(people: pd.DataFrame, change: dict, message: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=message):
        ips.parametric_survival(people.assign(**change))


def test_a_smooth_model_without_a_top_is_refused() -> None:
    # everything in one month: the likelihood rises as the hazard narrows to it
    people = pd.DataFrame({"time": [7] * 30, "event": [1] * 30})
    with pytest.raises(ips.UnsupportedError, match="no highest likelihood for weibull in all, 30 events"):
        ips.parametric_survival(people)


@pytest.mark.parametrize("trouble", ["ConvergenceError", "StatisticalWarning", "ApproximationWarning"])
def test_what_lifelines_says_of_its_optimiser_is_a_refusal(
    people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    from lifelines import LogNormalFitter, exceptions

    kind = getattr(exceptions, trouble)

    def troubled(self: LogNormalFitter, *args: object, **options: object) -> LogNormalFitter:
        if issubclass(kind, Warning):
            warnings.warn("not inverted", kind, stacklevel=2)
            return self
        raise kind("did not converge")

    monkeypatch.setattr(LogNormalFitter, "fit_interval_censoring", troubled)
    with pytest.raises(ips.UnsupportedError, match="no highest likelihood for log_normal in all"):
        ips.parametric_survival(people)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "nobody"}, "name the reference arm"),
        ({}, "name the reference arm"),
        ({"reference": "ips", "outcome": "none"}, "no column none"),
        ({"reference": "ips", "at": 3}, "no month column"),
        ({"reference": "ips", "adjust": "time", "strata": "arm"}, "strata= does not go together"),
        ({"reference": "ips", "cluster": "arm"}, "2 clusters are too few"),
        ({"reference": "ips", "adjust": "one"}, "constant"),
        ({"reference": "ips", "adjust": "event"}, "no finite answer"),
    ],
)
def test_comparisons_refuse_what_they_cannot_answer(people: pd.DataFrame, options: dict, message: str) -> None:
    options = {"outcome": "event", **options}
    with pytest.raises(ips.UnsupportedError, match=message):
        ips.compare_arms(people.assign(one=1.0), **options)


def test_one_arm_has_nothing_to_compare(people: pd.DataFrame) -> None:
    one = people[people["arm"] == "ips"]
    for function in (lambda: ips.compare_arms(one, "event", reference="ips"), lambda: ips.hazard_ratio(one, reference="ips")):
        with pytest.raises(ips.UnsupportedError, match="one arm only"):
            function()


def test_an_arm_without_events_has_no_hazard_ratio(people: pd.DataFrame) -> None:
    none = people.assign(event=people["event"].where(people["arm"] == "control", 0))
    with pytest.raises(ips.UnsupportedError, match="no event in ips"):
        ips.hazard_ratio(none, reference="control")


def test_people_without_an_arm_are_left_out_and_counted(people: pd.DataFrame) -> None:
    some = people.assign(arm=people["arm"].where(people.index >= 7))
    for found in (ips.compare_arms(some, "event", reference="control"), ips.hazard_ratio(some, reference="control")):
        assert found.notes == ("7 rows left out: arm is missing",)
    assert ips.employment_rates(some, "event", by="arm").table["group"].tolist() == ["control", "ips", "Unknown"]


def test_an_outcome_that_is_not_yes_or_no_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(ips.UnsupportedError, match="true, false or missing"):
        ips.employment_rates(people, "time")


def test_a_zero_cell_gives_an_estimate_and_a_reason_instead_of_an_interval() -> None:
    people = pd.DataFrame({"arm": ["a"] * 5 + ["b"] * 5, "works": [0] * 5 + [1, 1, 0, 0, 0]})
    table = ips.compare_arms(people, "works", reference="b").table.set_index("measure")
    assert table.loc["risk_ratio", "estimate"] == 0
    assert np.isnan(table.loc["risk_ratio", "conf_low"])
    assert "a cell is zero" in table.loc["risk_ratio", "method"]
    assert np.isfinite(table.loc["risk_difference", ["conf_low", "conf_high"]].to_numpy(float)).all()


def test_every_estimates_draws_itself(demo_followup: ips.FollowUp, people: pd.DataFrame) -> None:
    parts = [
        ips.employment_rates(demo_followup, "ordinary", by="arm"),
        ips.employment_rates(demo_followup, "ordinary", by="arm", at=[12, 43]),
        ips.cumulative_incidence(demo_followup, by="arm"),
        ips.compare_arms(demo_followup, "ordinary", at=[12, 18, 43]),
        ips.hazard_ratio(demo_followup),
        ips.parametric_survival(people, by="arm"),
        ips.baseline_table(demo_followup.baseline, {"age": "number", "sex": "category"}, reference="control"),
    ]
    for part in parts:
        assert isinstance(part.plot(), Figure), part.title
        assert part.title in repr(part)
        assert part.method in part._repr_html_()
        assert part.references, part.title


def test_adjusting_leaves_out_whom_it_must_and_says_so(demo_followup: ips.FollowUp) -> None:
    found = ips.compare_arms(demo_followup, "ordinary", at=43, adjust=["age", "upper_secondary"])
    missing = demo_followup.months_with(["upper_secondary"])
    missing = missing[(missing["month"] == 43) & missing["ordinary"].notna() & missing["upper_secondary"].isna()]
    assert len(missing) > 0
    assert found.notes == (
        f"month 43: {len(missing)} of {found.table['n'].iloc[0] + len(missing)} rows left out: a covariate is missing",
    )
