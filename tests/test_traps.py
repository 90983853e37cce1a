"""Where libraries that people lean on were seen to answer otherwise than R, the answer here is R's.

R's answers: tests/golden/traps.R. What the libraries did stands beside each test, as seen in the versions named; whether they
still do it is theirs to say, so only our answer is asserted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ips_outcomes import analysis
from ips_outcomes.errors import UnsupportedError

GOLDEN = Path(__file__).parent / "golden"
TEN = pd.DataFrame({"time": [1, 1, 2, 2, 2, 3, 4, 5, 5, 6], "event": [1, 2, 1, 1, 0, 2, 0, 1, 1, 0]})


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    table = pd.read_csv(GOLDEN / "data_traps.csv", float_precision="round_trip")
    return table.assign(ips=(table["arm"] == "ips").astype(int), job=(table["event"] == 1).astype(int))


def answers(case: str) -> pd.DataFrame:
    table = pd.read_csv(GOLDEN / "answers_traps.csv", float_precision="round_trip", dtype={"key": str})
    return table[table["case"] == case].set_index("key")


def same(ours: pd.Series, theirs: pd.Series, name: str) -> None:
    """1e-8 for estimates, 1e-6 for errors and limits; matched by key."""
    tolerance = 1e-8 if name in ("estimate", "coefficient") else 1e-6
    found = ours.reindex(theirs.index).to_numpy(dtype=float)
    assert len(found)
    np.testing.assert_allclose(found, theirs.to_numpy(dtype=float), rtol=tolerance, atol=0, err_msg=name)


def by_time(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(key=table["time"].astype(str)).set_index("key")


def test_ties_are_exact_and_not_jittered() -> None:
    # lifelines 0.30.3 breaks ties at random and seeds the generator of the whole process (issues 1521, 629)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (by_time(analysis.cumulative_incidence(TEN).table) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    for column in ("estimate", "std_error"):
        same(first[column], answers("ties")[column], column)


def test_shuffled_rows_give_the_same_curve() -> None:
    mixed = TEN.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(analysis.cumulative_incidence(TEN).table, analysis.cumulative_incidence(mixed).table)


def test_the_error_of_a_restricted_mean_is_a_sampling_error(people: pd.DataFrame) -> None:
    # lifelines' restricted_mean_survival_time(return_variance=True) is the variance of a person's time (issue 1682)
    table = analysis.rmst(people, event="job", by="arm", horizon=12, reference="control").table
    ours = table[table["measure"] == "rmst"].set_index("group")
    for column in ("estimate", "std_error"):
        same(ours[column], answers("rmst")[column], column)


def test_delayed_entry_counts_in_the_curve(people: pd.DataFrame) -> None:
    # lifelines predicts with entry_col as if everybody had been there from the start (issue 1416)
    ours = by_time(analysis.kaplan_meier(people, event="job", entry="entry").table)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        same(ours[column], answers("entry_curve")[column], column)
    ignoring = by_time(analysis.kaplan_meier(people, event="job").table)
    assert abs(ignoring.loc["12", "estimate"] - ours.loc["12", "estimate"]) > 1e-3


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_robust_errors_respect_ties_entry_and_clusters(people: pd.DataFrame, ties: str) -> None:
    # lifelines' robust errors ignore ties and delayed entry
    ours = analysis.cox(people, "ips + age", event="job", entry="entry", cluster="employer", ties=ties).table.set_index("term")
    theirs = answers(f"cox_{ties}")
    same(ours["coefficient"], theirs["estimate"], "estimate")
    same(ours["std_error"], theirs["std_error"], "std_error")


def test_weights_that_are_not_counts_have_robust_errors(people: pd.DataFrame) -> None:
    # lifelines' weighted Kaplan-Meier takes weights for people: intervals about 30 % too narrow (issue 510)
    ours = by_time(analysis.kaplan_meier(people, event="job", weights="weight", weight_type="probability").table)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        same(ours[column], answers("weighted_curve")[column], column)


def test_at_risk_counts_who_leaves_in_that_month(people: pd.DataFrame) -> None:
    # lifelines' table under the figure counts T > t, R and SAS T >= t (issue 1383)
    theirs = answers("at_risk")["estimate"]
    for table in (
        analysis.kaplan_meier(people, event="job").table,
        analysis.cumulative_incidence(people, event="event").table,
    ):
        ours = by_time(table)["at_risk"].astype(float)
        assert ours.reindex(theirs.index).tolist() == theirs.tolist()


def test_entry_equal_to_exit_is_refused() -> None:
    # lifelines 0.30.3 then says that nobody survives (issue 1604)
    nobody_at_risk = pd.DataFrame({"entry": [0, 3, 1], "time": [4, 3, 2], "event": [1, 1, 0]})
    for function in (analysis.kaplan_meier, analysis.cumulative_incidence):
        with pytest.raises(UnsupportedError, match="1 row"):
            function(nobody_at_risk, entry="entry")


def test_days_over_a_fraction_are_refused() -> None:
    # R's survival needs timefix, as 365.25 breaks ties: whole days or months only
    days = pd.DataFrame({"time": np.array([30, 61, 92]) / 30.4375, "event": [1, 1, 0]})
    for function in (analysis.kaplan_meier, analysis.cumulative_incidence):
        with pytest.raises(UnsupportedError, match="whole"):
            function(days)


def test_a_horizon_past_the_follow_up_of_an_arm_is_refused() -> None:
    # one package carries the curve on in silence
    arms = pd.DataFrame({"arm": list("aaabbb"), "time": [2, 5, 9, 1, 4, 6], "event": [1, 0, 0, 1, 1, 0]})
    allowed = analysis.rmst(arms, by="arm", horizon=6, reference="a").table
    assert (allowed["measure"] == "rmst_difference").any()
    with pytest.raises(UnsupportedError, match=r"\b6\b"):
        analysis.rmst(arms, by="arm", horizon=7, reference="a")
    # where an arm's curve has reached 0, there is nothing left to carry on
    ended = arms.assign(event=[1, 0, 0, 1, 1, 1])
    assert len(analysis.rmst(ended, by="arm", horizon=9, reference="a").table)


@pytest.mark.parametrize(("censoring", "case"), [("after_events", "fine_gray_survival"), ("with_events", "fine_gray_cmprsk")])
def test_fine_gray_under_heavy_ties_says_which_of_r_s_two_answers(people: pd.DataFrame, censoring: str, case: str) -> None:
    # cmprsk and survival's finegray differ in the third digit, in how ties with censorings weigh; Python packages give one or
    # the other without saying so
    ours = analysis.fine_gray(people, "ips + age", ties="breslow", censoring=censoring).table.set_index("term")
    theirs = answers(case)
    np.testing.assert_allclose(
        ours["coefficient"].reindex(theirs.index).to_numpy(float), theirs["estimate"].to_numpy(float), rtol=1e-6
    )


def test_the_prediction_of_a_model_knows_delayed_entry(people: pd.DataFrame) -> None:
    # the baseline hazard counts who is at risk: with everybody's entry moved to just before their time, few are
    late = people.assign(late=np.maximum(people["time"] - 1, 0))
    plain = analysis.kaplan_meier(people, event="job").table
    moved = analysis.kaplan_meier(late, event="job", entry="late").table
    assert moved["at_risk"].astype(float).sum() < plain["at_risk"].astype(float).sum()
