"""Cox regression: weights as rows, edges, separation, Firth's penalty, few clusters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from cox_people import random_people

import ips_outcomes as ips
from ips_outcomes.analysis.cox_firth import penalised

COUNTED = ["coefficient", "std_error", "conf_low", "conf_high", "p_value"]


@pytest.fixture
def people() -> pd.DataFrame:
    return random_people(1, 200)


def test_six_people_by_hand() -> None:
    # events at 1 (x=1) and 3 (x=0 and x=1, tied); censored at 2 (x=0), 4 (x=0), 4 (x=1)
    six = pd.DataFrame({"x": [1, 0, 0, 1, 0, 1], "time": [1, 2, 3, 3, 4, 4], "event": [1, 0, 1, 1, 0, 0]})
    # with r = exp(b): at 1 three of each at risk, share of x=1: 3r / (3 + 3r);
    # at 3 two of each; Efron: first 2r / (2 + 2r), then with half of both gone 1.5r / (1.5 + 1.5r).
    # score 2 - 3 r / (1 + r) = 0 gives r = 2; information 3 r / (1 + r)^2 = 2/3
    row = ips.cox(six, "x").table.iloc[0]
    assert row["estimate"] == pytest.approx(2, rel=1e-12)
    assert row["std_error"] == pytest.approx(np.sqrt(1.5), rel=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"ties": "breslow"}, {"cluster": "office"}, {"entry": "entry", "strata": "woman"}], ids=str
)
def test_counts_give_the_same_as_rows(people: pd.DataFrame, options: dict[str, str]) -> None:
    counts = people.assign(count=np.arange(len(people)) % 4)
    rows = people.loc[people.index.repeat(counts["count"])]
    ours = ips.cox(counts, "arm + age", weights="count", **options).table
    theirs = ips.cox(rows, "arm + age", **options).table
    assert ours[COUNTED].to_numpy() == pytest.approx(theirs[COUNTED].to_numpy(), rel=1e-10)
    assert ours["n"].tolist() == theirs["n"].tolist()


def test_fine_gray_counts_give_the_same_as_rows(people: pd.DataFrame) -> None:
    counts = people.assign(count=1 + np.arange(len(people)) % 3)
    rows = people.loc[people.index.repeat(counts["count"])]
    ours, theirs = ips.fine_gray(counts, "arm + age", weights="count").table, ips.fine_gray(rows, "arm + age").table
    assert ours[COUNTED].to_numpy() == pytest.approx(theirs[COUNTED].to_numpy(), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"event": 0}, {}, "no event of cause 1"),
        ({}, {"cause": 7}, "no event of cause 7"),
        ({"age": 3.0}, {"formula": "arm + age"}, "age is constant"),
        ({"arm": "ips"}, {}, "arm is constant"),
        ({"time": 1.5}, {}, "not whole"),
        ({"time": -1}, {}, "negative"),
        ({"entry": 50}, {"entry": "entry"}, "enter at or after"),
        ({"w": 1.5}, {"weights": "w"}, "whole numbers"),
        ({"office": 1}, {"cluster": "office"}, "one level only"),
        ({}, {"formula": "arm + nothing"}, "no column nothing"),
        ({}, {"formula": "arm + age + {2 * age}"}, "follows from"),
        ({}, {"formula": "time ~ arm"}, "covariates only"),
        ({}, {"penalty": "firth", "cluster": "office"}, "firth"),
        ({"age": np.nan}, {"formula": "age"}, "no row has all covariates"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_refused(people: pd.DataFrame, change: dict, options: dict, message: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=message):
        ips.cox(people.assign(**change), **options)


def test_missing_covariates_are_counted_and_yes_no_are_numbers(people: pd.DataFrame) -> None:
    some = people.assign(age=people["age"].where(people.index >= 9), works=people["woman"] == 1)
    found = ips.cox(some, "age + works")
    assert found.notes == ("9 rows left out: age is missing",)
    assert found.table["term"].tolist() == ["age", "works"]
    assert found.table["n"].iloc[0] == 191
    nullable = some.assign(works=some["works"].astype("boolean"), age=some["age"].astype("Float64"))
    assert ips.cox(nullable, "age + works").table["coefficient"].tolist() == found.table["coefficient"].tolist()


def test_levels_in_their_order_without_the_unused(people: pd.DataFrame) -> None:
    ordered = people.assign(arm=pd.Categorical(people["arm"], ["unused", "ips", "control"]))
    assert ips.cox(ordered).table["contrast"].tolist() == ["control / ips"]
    assert ips.cox(people).table["contrast"].tolist() == ["ips / control"]
    assert ips.cox(people, "arm:age + age").table["term"].tolist() == ["age", "arm:age"]


def test_a_stratum_without_events_adds_nothing(people: pd.DataFrame) -> None:
    quiet = people.assign(site="quiet", event=0)
    both = pd.concat([people.assign(site="busy"), quiet], ignore_index=True)
    alone = ips.cox(people, "arm + age").table
    assert ips.cox(both, "arm + age", strata="site").table["coefficient"].to_numpy() == pytest.approx(
        alone["coefficient"].to_numpy(), rel=1e-10
    )


def test_separation_is_named_and_firth_answers() -> None:
    split = pd.DataFrame({"x": [1, 1, 1, 1, 0, 0, 0, 0, 0], "y": [0, 1, 2, 3, 4, 5, 2, 1, 0], "time": [1, 2, 3, 4, 5, 6, 7, 8, 8],
                          "event": [1] * 4 + [0] * 5})  # fmt: skip
    with pytest.raises(ips.UnsupportedError, match=r'x \(towards plus infinity\).*penalty="firth"'):
        ips.cox(split, "x")
    table = ips.cox(split, "x + y", penalty="firth").table
    assert np.isfinite(table[COUNTED].to_numpy(float)).all()
    arms = split.assign(arm=np.where(split["x"] == 1, "ips", "control"))
    with pytest.raises(ips.UnsupportedError, match="no event in control"):
        ips.cox(arms)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_firths_slope_is_the_derivative(people: pd.DataFrame, ties: str) -> None:
    fit = ips.fit_cox(people, "arm + age", entry="entry", ties=ties)
    beta, step = np.array([0.3, -0.2]), 1e-5
    slope = [(penalised(fit.sets, beta + e)[0] - penalised(fit.sets, beta - e)[0]) / (2 * step) for e in np.eye(2) * step]
    assert penalised(fit.sets, beta)[1] == pytest.approx(np.array(slope), abs=1e-6)


def test_few_clusters_are_said_and_never_too_narrow(people: pd.DataFrame) -> None:
    few = people.assign(office=people["office"] % 8)
    found = ips.cox(few, "arm + age", cluster="office")
    assert any("8 clusters are few" in note for note in found.notes)
    rejected = found.table["p_value"] <= 0.05
    outside = (found.table["conf_low"] > 1) | (found.table["conf_high"] < 1)
    assert rejected.tolist() == outside.tolist()
    five = ips.cox(people.assign(office=people["office"] % 5), "arm", cluster="office").table
    assert five["conf_low"].isna().all()
    again = [ips.cox(people.assign(office=people["office"] % 20), "arm", cluster="office", seed=3).table for _ in range(2)]
    pd.testing.assert_frame_equal(*again)


def test_incidences_and_survival_add_up(people: pd.DataFrame) -> None:
    one, two = (ips.predicted_incidence(people, "arm + age", cause=c, at=[4, 9]).table for c in (1, 2))
    assert ((one["estimate"] + two["estimate"]) < 1).all()
    assert (one["std_error"] > 0).all()
    with pytest.raises(ips.UnsupportedError, match="last time"):
        ips.predicted_incidence(people, at=999)


def test_fine_gray_takes_times_of_any_size() -> None:
    # seconds since some day: only their order matters, and no table by second is made
    rng = np.random.default_rng(5)
    people = pd.DataFrame({"time": rng.integers(1, 40, 200), "event": rng.integers(0, 3, 200), "x": rng.normal(size=200)})
    short = ips.fine_gray(people, "x").table
    long = ips.fine_gray(people.assign(time=people["time"] * 10**15), "x").table
    pd.testing.assert_frame_equal(short, long)


def test_advice_is_only_given_where_it_helps(people: pd.DataFrame) -> None:
    quiet = people.assign(event=people["event"].where(people["arm"] == "ips", 0))
    with pytest.raises(ips.UnsupportedError, match=r'no event in control \(arm\).*penalty="firth"'):
        ips.cox(quiet)
    for function in (ips.fine_gray, ips.predicted_incidence):
        with pytest.raises(ips.UnsupportedError, match=r"no event in control \(arm\)") as refused:
            function(quiet)
        assert "firth" not in str(refused.value)
        assert "leave it out" in str(refused.value)
    split = people.assign(age=(people["event"] == 1).astype(float))
    with pytest.raises(ips.UnsupportedError, match="towards plus infinity") as refused:
        ips.fine_gray(split, "age")
    assert "firth" not in str(refused.value)


@pytest.mark.parametrize("function", [ips.cox, ips.fine_gray, ips.predicted_incidence, ips.proportional_hazards_test])
def test_no_other_ties(people: pd.DataFrame, function: Callable[..., ips.Estimates]) -> None:
    with pytest.raises(ips.UnsupportedError, match='ties is "efron" or "breslow"'):
        function(people, "arm", ties="exact")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster": "office"}, "without cluster="),
        ({"weights": "age", "weight_type": "probability"}, "without cluster= and probability weights"),
        ({"penalty": "firth"}, "without penalty"),
    ],
    ids=str,
)
def test_proportionality_is_not_tested_where_the_score_test_is_wrong(people: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=message):
        ips.fit_cox(people, **options).proportionality()


def test_proportionality_needs_times_to_compare(people: pd.DataFrame) -> None:
    with pytest.raises(ips.UnsupportedError, match="events at 1 event times"):
        ips.proportional_hazards_test(people.assign(time=20), "arm + age")
