"""Kaplan-Meier, Nelson-Aalen, quantiles, incidence and areas: against R, by hand, and at the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ips_outcomes.analysis import (
    cumulative_incidence,
    kaplan_meier,
    longest_horizon,
    months_gained,
    nelson_aalen,
    rmst,
    survival_quantiles,
)
from ips_outcomes.errors import UnsupportedError

GOLDEN = Path(__file__).parent / "golden"
EDGES = ["all_gone", "emptied_by_event", "emptied_by_censoring", "exact_half", "no_events", "one_person", "days"]
# what R was asked, in our words
OPTIONS: dict[str, dict] = {
    "ties": {}, "entry": {"entry": "entry"}, "frequency": {"weights": "copies"},
    "probability": {"weights": "weight", "weight_type": "probability"},
    "probability_entry": {"weights": "weight", "weight_type": "probability", "entry": "entry"},
    "cluster": {"cluster": "cluster"},
    "probability_cluster": {"weights": "weight", "weight_type": "probability", "cluster": "cluster"},
    "probability_entry_cluster": {"weights": "weight", "weight_type": "probability", "cluster": "cluster", "entry": "entry"},
    "six": {}, "edge": {"entry": "entry"}, "edge_weighted": {"weights": "weight", "weight_type": "probability", "entry": "entry"},
}  # fmt: skip


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"survival_{name}.csv", keep_default_na=False, na_values=[""])


def rows(case: str) -> pd.DataFrame:
    people = golden("people")
    if case == "six":
        return people[people["arm"] == "six"]
    if case.startswith("edge"):
        # in R an entry of 0 is from the start, time 0 has nobody
        return people[people["arm"].isin(EDGES)]
    return people[people["arm"].isin(["control", "ips", "other"])]


def close(ours: pd.Series, theirs: pd.Series, rel: float, what: str) -> None:
    np.testing.assert_allclose(ours.to_numpy(float), theirs.to_numpy(float), rtol=rel, atol=1e-10, err_msg=what)


def agree(ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> None:
    both = theirs.merge(ours, on=keys, how="left", suffixes=("_r", ""), validate="one_to_one", indicator=True)
    assert len(both) and (both["_merge"] == "both").all()
    for column in ("estimate", "std_error", "conf_low", "conf_high", "at_risk", "events"):
        if f"{column}_r" in both:
            close(both[column], both[f"{column}_r"], 1e-8 if column in ("estimate", "at_risk", "events") else 1e-6, column)


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
@pytest.mark.parametrize("case", [case for case in OPTIONS if case != "probability_entry_cluster"])
def test_kaplan_meier_as_in_r(case: str, interval: str) -> None:
    theirs = golden("curves").query("case == @case and interval == @interval")
    ours = kaplan_meier(rows(case), by="arm", interval=interval, competing="censor", **OPTIONS[case]).table
    agree(ours, theirs, ["group", "time"])


@pytest.mark.parametrize("case", [case for case in OPTIONS if case != "probability_entry_cluster"])
def test_nelson_aalen_as_in_r(case: str) -> None:
    theirs = golden("curves").query("case == @case and interval == 'log'")[["group", "time", "cumhaz", "std_chaz"]]
    ours = nelson_aalen(rows(case), by="arm", competing="censor", **OPTIONS[case]).table
    agree(ours, theirs.rename(columns={"cumhaz": "estimate", "std_chaz": "std_error"}), ["group", "time"])


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
@pytest.mark.parametrize("case", [case for case in OPTIONS if case != "probability_entry_cluster"])
def test_quantiles_as_in_r(case: str, interval: str) -> None:
    theirs = golden("quantiles").query("case == @case and interval == @interval").round({"probability": 12})
    wanted = [0.1, 0.25, 1 / 3, 0.5, 0.75]
    ours = survival_quantiles(
        rows(case), by="arm", probability=wanted, interval=interval, competing="censor", **OPTIONS[case]
    ).table  # fmt: skip
    agree(ours.round({"probability": 12}), theirs, ["group", "probability"])


@pytest.mark.parametrize("case", ["cluster", "probability_cluster", "probability_entry_cluster", "aalen"])
@pytest.mark.parametrize("cause", [1, 2])
def test_incidence_as_in_r(case: str, cause: int) -> None:
    theirs = golden("incidence").query("case == @case and cause == @cause")
    options = {"variance": "aalen"} if case == "aalen" else OPTIONS[case]
    agree(cumulative_incidence(rows("ties"), by="arm", cause=cause, **options).table, theirs, ["group", "time"])


@pytest.mark.parametrize(
    "case", ["ties", "entry", "frequency", "probability", "cluster", "probability_cluster", "gained", "gained_probability",
             "gained_cluster"],
)  # fmt: skip
def test_areas_as_in_r(case: str) -> None:
    theirs = golden("means").query("case == @case")
    options = OPTIONS["ties" if case == "gained" else case.removeprefix("gained_")]
    asked = {"by": "arm", "horizon": [12, 36, 38.5], "reference": "control", **options}
    found = months_gained(rows("ties"), **asked) if "gained" in case else rmst(rows("ties"), competing="censor", **asked)
    ours = found.table.assign(group=found.table["group"].where(found.table["contrast"] == "", found.table["contrast"]))
    agree(ours, theirs, ["measure", "group", "horizon"])
    assert len(ours) == len(theirs)


# ---------------------------------------------------------------- by hand


def test_six_people_by_hand() -> None:
    six = pd.DataFrame({"time": [1, 2, 2, 3, 4, 4], "event": [1, 1, 0, 1, 1, 0]})
    found = kaplan_meier(six).table
    # 5/6; times 4/5; times 2/3 (one of three); times 1/2
    assert found["estimate"].tolist() == pytest.approx([1, 5 / 6, 2 / 3, 4 / 9, 2 / 9])
    # Greenwood: 1/(6*5), + 1/(5*4), + 1/(3*2), + 1/(2*1), each times S^2
    sums = np.cumsum([0, 1 / 30, 1 / 20, 1 / 6, 1 / 2])
    assert found["std_error"].tolist() == pytest.approx(list(found["estimate"] * np.sqrt(sums)))
    # area to 4: 1 + 5/6 + 2/3 + 4/9; still to come after months 1, 2 and 3: 35/18, 10/9, 4/9
    area = rmst(six, horizon=4).table.iloc[0]
    assert area["estimate"] == pytest.approx(53 / 18)
    assert area["std_error"] ** 2 == pytest.approx((35 / 18) ** 2 / 30 + (10 / 9) ** 2 / 20 + (4 / 9) ** 2 / 6)


def test_months_gained_by_hand() -> None:
    # a: F is 1/2 from month 2, so (4 - 2) / 2 = 1; without censoring the error is that of a mean of 2 and 0
    found = months_gained(pd.DataFrame({"time": [2, 4], "event": [1, 0]}), horizon=4).table.iloc[0]
    assert found["estimate"] == 1
    assert found["std_error"] ** 2 == pytest.approx(((2 - 1) ** 2 + (0 - 1) ** 2) / 4)


# ---------------------------------------------------------------- horizons

ARMS = pd.DataFrame({"arm": ["a", "a", "b", "b"], "time": [3, 9, 4, 7], "event": [1, 0, 1, 1]})


def test_a_horizon_past_the_shortest_group_is_refused_with_the_longest_allowed() -> None:
    assert longest_horizon(ARMS, by="arm") == 9
    assert len(rmst(ARMS, by="arm", horizon=9).table) == 2
    with pytest.raises(UnsupportedError, match="longest allowed is 9"):
        rmst(ARMS, by="arm", horizon=10)
    everybody = ARMS.assign(event=1)
    assert longest_horizon(everybody, by="arm") == np.inf
    assert rmst(everybody, by="arm", horizon=100).table["estimate"].tolist() == [6, 5.5]
    with pytest.raises(UnsupportedError, match="longest allowed is 7"):
        months_gained(ARMS.assign(event=0), by="arm", horizon=8)


def test_without_a_horizon_the_longest_is_taken_and_said() -> None:
    found = rmst(ARMS, by="arm")
    assert set(found.table["horizon"]) == {9} and "9" in found.notes[0]


@pytest.mark.parametrize(("asked", "message"), [({"horizon": 0}, "above zero"), ({"reference": "c"}, "not a group")])
def test_impossible_wishes_for_areas(asked: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        rmst(ARMS, by="arm", **asked)


# ---------------------------------------------------------------- edges

SMALL = pd.DataFrame({"time": [1, 2, 3], "event": [1, 0, 2]})


@pytest.mark.parametrize(
    ("function", "data", "options", "message"),
    [
        (kaplan_meier, SMALL, {}, "1 rows of event hold a competing event"),
        (kaplan_meier, SMALL.iloc[:0], {}, "nobody"),
        (kaplan_meier, SMALL.assign(time=[1, -2, 3]), {}, "1 values of time"),
        (kaplan_meier, SMALL.assign(time=[1, 2.5, None]), {}, "2 values of time"),
        (kaplan_meier, SMALL.assign(entry=[1, 0, 0]), {"entry": "entry"}, "1 rows enter at or after"),
        (kaplan_meier, SMALL.assign(w=[1.5, 1, 1]), {"weights": "w"}, "whole numbers"),
        (kaplan_meier, SMALL.assign(w=[np.inf, 1, 1]), {"weights": "w"}, "1 weights"),
        (kaplan_meier, SMALL.assign(k=[None, "x", "y"]), {"cluster": "k"}, "1 rows have no cluster"),
        (kaplan_meier, SMALL.assign(event=[1, 0, 1]), {"interval": "wide"}, "interval"),
        (cumulative_incidence, SMALL.assign(k=1), {"cluster": "k", "variance": "aalen"}, "no clusters"),
    ],
)  # fmt: skip
def test_refused_with_a_reason(function, data: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        function(data, **options)


def test_groups_keep_their_order_and_the_missing_are_a_group() -> None:
    arm = pd.Categorical(["late", "early", None, "late"], categories=["late", "early", "unused"])
    people = pd.DataFrame({"arm": arm, "time": [1, 2, 3, 4], "event": [1, 1, 0, 0]})
    assert list(dict.fromkeys(kaplan_meier(people, by="arm").table["group"])) == ["late", "early", "Unknown"]
    two = kaplan_meier(people.assign(sex=["f", "m", "f", "f"]), by=["arm", "sex"]).table
    assert set(two["group"]) == {"late, f", "early, m", "Unknown, f"}


def test_everyone_dead_at_time_zero() -> None:
    people = pd.DataFrame({"time": [0, 0], "event": [1, 1]})
    assert kaplan_meier(people).table["estimate"].tolist() == [0]
    assert rmst(people, horizon=5).table["estimate"].tolist() == [0]


def test_a_nation_as_counts() -> None:
    rng = np.random.default_rng(1)
    counts = pd.DataFrame([(g, t, e) for g in "ab" for t in range(1, 44) for e in (0, 1, 2)], columns=["arm", "time", "event"])
    counts["n"] = rng.integers(1000, 80_000, len(counts))
    found = cumulative_incidence(counts, by="arm", weights="n").table
    assert found["n"].iloc[0] == counts.query("arm == 'a'")["n"].sum() and counts["n"].sum() > 10_000_000
    # a thousandth of every count has the same curve and errors larger by the square root of thousand
    few = cumulative_incidence(counts.assign(n=counts["n"] * 1000), by="arm", weights="n").table
    close(few["estimate"], found["estimate"], 1e-10, "estimate")
    close(few["std_error"] * np.sqrt(1000), found["std_error"], 1e-8, "error")


# ---------------------------------------------------------------- properties


@st.composite
def people(draw: st.DrawFn) -> pd.DataFrame:
    person = st.tuples(st.sampled_from("ab"), st.integers(1, 7), st.integers(0, 1), st.integers(1, 3), st.integers(1, 3))
    table = pd.DataFrame(draw(st.lists(person, min_size=2, max_size=25)), columns=["arm", "time", "event", "copies", "k"])
    return table.assign(entry=(table["time"] - table["k"]).clip(lower=0))


NUMBERS = ["time", "at_risk", "events", "estimate", "std_error", "conf_low", "conf_high"]


@settings(max_examples=25, deadline=None)
@given(people(), st.randoms(use_true_random=False))
def test_order_frequencies_and_days(table: pd.DataFrame, random) -> None:
    base = kaplan_meier(table, by="arm", entry="entry").table
    mixed = table.iloc[random.sample(range(len(table)), len(table))]
    pd.testing.assert_frame_equal(kaplan_meier(mixed, by="arm", entry="entry").table, base, rtol=1e-10)
    repeated = kaplan_meier(table.loc[table.index.repeat(table["copies"])], by="arm", entry="entry").table
    weighted = kaplan_meier(table, by="arm", entry="entry", weights="copies").table
    pd.testing.assert_frame_equal(weighted[NUMBERS], repeated[NUMBERS], rtol=1e-10)
    # days so many that the grid holds the distinct times only
    days = kaplan_meier(table.assign(time=table["time"] * 3000, entry=table["entry"] * 3000), by="arm", entry="entry").table
    merged = days.assign(time=days["time"] // 3000).merge(base, on=["group", "time"], suffixes=("", "_m"))
    assert len(merged) == len(days)
    pd.testing.assert_series_equal(merged["estimate"], merged["estimate_m"], check_names=False, rtol=1e-12)
    pd.testing.assert_series_equal(merged["std_error"], merged["std_error_m"], check_names=False, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(people())
def test_jackknife_is_greenwood_without_late_entry(table: pd.DataFrame) -> None:
    plain = kaplan_meier(table).table
    robust = kaplan_meier(table.assign(person=range(len(table))), cluster="person").table
    known = plain["std_error"].notna()
    # a crumb: squares that cancel leave 1e-16, whose root is 1e-8
    np.testing.assert_allclose(robust["std_error"][known], plain["std_error"][known], rtol=1e-8, atol=1e-9)
    incidence = cumulative_incidence(table).table
    np.testing.assert_allclose(incidence["estimate"], 1 - plain["estimate"], atol=1e-12)


def test_few_clusters_are_said_and_have_wider_limits() -> None:
    # the error stays R's; six centres do not bear the normal distribution
    rng = np.random.default_rng(11)
    people = pd.DataFrame({"time": rng.integers(1, 30, 240), "event": rng.integers(0, 2, 240), "arm": rng.choice(["a", "b"], 240),
                           "centre": rng.integers(0, 6, 240), "ward": np.arange(240) // 4})  # fmt: skip
    for function, options in (
        (kaplan_meier, {}), (cumulative_incidence, {}), (rmst, {"horizon": 20, "reference": "a"}), (months_gained, {"horizon": 20, "reference": "a"}),
    ):  # fmt: skip
        few, many = (function(people, by="arm", cluster=c, **options) for c in ("centre", "ward"))
        assert any("few clusters" in note for note in few.notes), function
        assert not any("few clusters" in note for note in many.notes), function
    row = rmst(people, by="arm", cluster="centre", horizon=20, reference="a").select(measure="rmst_difference").table.iloc[0]
    wide = stats.t.ppf(0.975, 5)
    assert row["conf_high"] == pytest.approx(row["estimate"] + wide * row["std_error"], rel=1e-12)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(row["estimate"] / row["std_error"]), 5), rel=1e-12)


def test_one_cluster_has_no_limits() -> None:
    people = pd.DataFrame({"time": [1, 2, 3, 4], "event": [1, 0, 1, 0], "centre": 1})
    table = kaplan_meier(people, cluster="centre").table
    assert table["conf_low"].isna().all()
