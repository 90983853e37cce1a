"""Bootstrap and randomisation tests as weight matrices: against R's boot and survival, exact enumeration, and a plain loop."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from curves_world import SIX, golden, quick, row, same, spread_out, studies
from hypothesis import given
from hypothesis import strategies as st

import ips_outcomes as ips
from ips_outcomes.analysis import (
    bootstrap_curves,
    bootstrap_interval,
    bootstrap_rmst,
    employment_curves,
    months_in_work,
    months_matrix,
    randomisation_test,
)
from ips_outcomes.analysis.bootstrap import curve_replicates
from ips_outcomes.analysis.resampling import Units, acceleration, chunks, in_blocks, permuted_sums, resampled_sums
from ips_outcomes.analysis.times_bootstrap import rmst_of_tables
from ips_outcomes.errors import UnsupportedError

KINDS = ["percentile", "basic", "normal", "studentised", "bca"]
FEW = {"replicates": 60}

# ---------------------------------------------------------------- intervals against R


def test_intervals_equal_boot_ci() -> None:
    theirs = golden("answers_boot.csv").set_index("kind")
    drawn, linear = golden("data_replicates.csv"), golden("data_influence.csv")
    quicker = acceleration(linear[["influence"]].to_numpy(), np.ones(len(linear)), linear["block"].to_numpy())
    for kind in KINDS:
        answer = theirs.loc[kind]
        low, high = bootstrap_interval(
            drawn[["replicate"]].to_numpy(), np.array([answer["estimate"]]), kind, std_error=np.sqrt([answer["variance"]]),
            replicate_errors=np.sqrt(drawn[["variance"]].to_numpy()), accelerated=quicker,
        )  # fmt: skip
        np.testing.assert_allclose([low[0], high[0]], [answer["low"], answer["high"]], rtol=1e-10, err_msg=kind)


def test_replicates_without_an_answer_are_left_out() -> None:
    draws = golden("data_replicates.csv")[["replicate"]].to_numpy()
    holes = np.insert(draws, [0, 7, 100], np.nan, axis=0)
    both = np.column_stack([np.concatenate([draws, np.full((3, 1), 5.0)]), holes])
    for kind in ("percentile", "basic", "normal"):
        alone = bootstrap_interval(draws, np.array([0.1]), kind)
        together = bootstrap_interval(both, np.array([0.1, 0.1]), kind)
        np.testing.assert_allclose(np.ravel(alone), [together[0][1], together[1][1]])


def test_intervals_of_hopeless_replicates_are_empty() -> None:
    constant = np.full((50, 1), 0.5)
    assert np.isnan(bootstrap_interval(constant, np.array([0.5]), "bca", accelerated=np.zeros(1))).all()
    np.testing.assert_array_equal(bootstrap_interval(constant, np.array([0.5])), [[0.5], [0.5]])
    assert np.isnan(bootstrap_interval(np.full((50, 1), np.nan), np.array([0.5]))).all()
    with pytest.raises(UnsupportedError, match="one of"):
        bootstrap_interval(constant, np.array([0.5]), "exact")  # type: ignore[arg-type]
    for kind in ("studentised", "bca"):
        with pytest.raises(UnsupportedError, match="needs"):
            bootstrap_interval(constant, np.array([0.5]), kind)  # type: ignore[arg-type]


# ---------------------------------------------------------------- replicated event tables against R


def test_restricted_means_of_drawn_people_equal_survfit() -> None:
    people, months = golden("data_draws.csv"), np.arange(8)
    for answer in golden("answers_draws.csv").to_dict("records"):
        own = people[people["arm"] == answer["arm"]]
        count = own[f"draw{answer['draw']}"].to_numpy(dtype=float)
        time, event = own["time"].to_numpy()[:, None], own["event"].to_numpy()[:, None]
        mean, error = rmst_of_tables(count @ (months <= time), count @ ((months == time) * event))
        np.testing.assert_allclose(mean, answer["estimate"], rtol=1e-10)
        np.testing.assert_allclose(error, answer["std_error"], rtol=1e-8)


def test_log_rank_equals_survdiff() -> None:
    people = golden("data_draws.csv")
    for answer in golden("answers_logrank_draws.csv").to_dict("records"):
        strata = None if answer["strata"] == "none" else "site"
        test = randomisation_test(people, reference="control", statistic="log_rank", strata=strata, permutations=20)
        assert float(test.table["estimate"][0]) ** 2 == pytest.approx(answer["chisq"], rel=1e-10)


# ---------------------------------------------------------------- one matrix product is the loop that it replaces


def test_replicates_are_what_a_loop_over_people_gives() -> None:
    rows = golden("data_curves.csv")
    matrix = months_matrix(rows, "works", "arm")
    rates, _ = curve_replicates(matrix, 5, seed=9)
    # the same streams, one for each arm, drawn one replicate at a time and looked up person by person
    for arm, stream in enumerate(np.random.SeedSequence(9).spawn(2)):
        rng, own = np.random.default_rng(stream), matrix.where(matrix.arm == arm)
        whose = np.repeat(np.arange(len(own.arm)), own.count.astype(int))
        for replicate in range(5):
            drawn = whose[rng.integers(0, len(whose), len(whose))]
            seen = pd.DataFrame(np.where(own.observed[drawn] > 0, own.value[drawn], np.nan))
            np.testing.assert_allclose(rates[replicate, arm], seen.mean(), rtol=1e-13)


@pytest.mark.parametrize("copies", [1, 40])
def test_draws_have_the_size_and_the_moments_of_drawing_with_replacement(copies: int) -> None:
    count = np.array([1.0, 2.0, 3.0]) * copies
    units = Units(np.zeros(3, dtype=int), count, np.column_stack([np.eye(3), np.ones(3)]))
    drawn = resampled_sums(units, 4000, seed=4)
    assert (drawn[:, 3] == count.sum()).all() and (drawn[:, :3].sum(axis=1) == count.sum()).all()
    np.testing.assert_allclose(drawn[:, :3].mean(axis=0), count, rtol=0.05)
    share = count / count.sum()
    np.testing.assert_allclose(drawn[:, :3].var(axis=0), count.sum() * share * (1 - share), rtol=0.1)
    chosen = permuted_sums(units, np.array([3 * copies]), 4000, seed=4)
    assert (chosen[:, 3] == 3 * copies).all() and (chosen[:, :3] <= count).all()
    np.testing.assert_allclose(chosen[:, :3].mean(axis=0), count / 2, rtol=0.05)


def test_bootstrap_errors_are_close_to_those_of_influence_functions(demo_followup: ips.FollowUp) -> None:
    drawn = bootstrap_curves(demo_followup, "ordinary", at=[1, 20, 43], replicates=2000).table
    formula = employment_curves(demo_followup, "ordinary", at=[1, 20, 43]).table
    np.testing.assert_allclose(drawn["std_error"], formula["std_error"], rtol=0.08)
    same(drawn[["n", "estimate", "month"]], formula[["n", "estimate", "month"]])
    for missing in ("available", "exclude"):
        drawn = bootstrap_curves(demo_followup, "ordinary", statistic="months_in_work", missing=missing).table
        formula = months_in_work(demo_followup, "ordinary", missing=missing).table
        np.testing.assert_allclose(drawn["std_error"], formula["std_error"], rtol=0.08)
        same(drawn[["measure", "n", "estimate"]], formula[["measure", "n", "estimate"]])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_interval_is_close_to_the_plain_one(demo_followup: ips.FollowUp, kind: str) -> None:
    plain = employment_curves(demo_followup, "ordinary", at=[43], interval="plain", draws=50).table
    drawn = bootstrap_curves(demo_followup, "ordinary", at=[43], interval=kind).table  # type: ignore[arg-type]
    np.testing.assert_allclose(drawn[["conf_low", "conf_high"]], plain[["conf_low", "conf_high"]], atol=0.02)
    restricted = bootstrap_rmst(demo_followup, interval=kind, competing="censor").table  # type: ignore[arg-type]
    width = (restricted["conf_high"] - restricted["conf_low"]) / restricted["std_error"]
    np.testing.assert_allclose(width, 2 * 1.96, rtol=0.08)


def test_whole_clusters_and_strata() -> None:
    rows = golden("data_curves.csv")
    # clusters of people of both arms are drawn out of all; the error is near the sandwich of the formula
    clustered = bootstrap_curves(rows, "works", reference="control", cluster="site", at=[1, 6], interval="bca").table
    formula = employment_curves(rows, "works", reference="control", cluster="site", at=[1, 6]).table
    np.testing.assert_allclose(clustered["std_error"], formula["std_error"], rtol=0.2)
    assert clustered["method"].eq("bootstrap, bca").all()
    # within strata the mix of strata never changes, so that a rate that only depends on the stratum never varies
    fixed = rows.assign(half=rows["site"] % 2, works=rows["site"] % 2)
    drawn = bootstrap_curves(fixed, "works", reference="control", strata="half", at=1, **FEW).table
    np.testing.assert_allclose(drawn["std_error"], 0, atol=1e-12)
    with pytest.raises(UnsupportedError, match="clusters lie in several strata"):
        bootstrap_curves(
            rows.assign(odd=rows["person_id"] % 2), "works", reference="control", cluster="site", strata="odd", **FEW
        )
    # centres that were randomised: drawn within their arm
    own = rows.assign(site=rows["arm"] + rows["site"].astype(str))
    table = bootstrap_curves(own, "works", reference="control", cluster="site", at=1, **FEW).table
    assert table["std_error"].gt(0).all()


# ---------------------------------------------------------------- randomisation tests


def exact(rows: pd.DataFrame, statistic: object) -> float:
    """Share of all ways to choose as many people whose statistic is as far from 0."""
    people = rows.groupby("person_id")["arm"].first()
    treated = tuple(people.index[people == "a"])
    observed = abs(statistic(rows, treated))  # type: ignore[operator]
    every = [abs(statistic(rows, chosen)) for chosen in combinations(people.index, len(treated))]  # type: ignore[operator]
    return float(np.mean([value >= observed - 1e-9 for value in every]))


def test_six_people_every_way_to_draw_them() -> None:
    rows = SIX[SIX["month"] == 1].assign(works=[1, 1, 1, 0, 0, 1])

    def difference(data: pd.DataFrame, treated: tuple) -> float:
        inside = data["person_id"].isin(treated)
        return data.loc[inside, "works"].mean() - data.loc[~inside, "works"].mean()

    # four of six work; a has 3 of 3, b 1 of 3. As far: choose 3 of the 4 workers, 4 ways, or both idle and 1 of 4, 4 ways: 8 of 20
    assert exact(rows, difference) == pytest.approx(8 / 20)
    test = randomisation_test(rows, "works", reference="b", permutations=20_000).table
    assert float(test["estimate"][0]) == pytest.approx(2 / 3)
    assert float(test["p_value"][0]) == pytest.approx(8 / 20, abs=0.015)


def test_months_in_work_and_log_rank_against_every_way() -> None:
    rows = pd.DataFrame({"person_id": list(range(8)) * 2, "month": [1] * 8 + [2] * 8, "arm": (["a"] * 4 + ["b"] * 4) * 2,
                         "works": [1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0]})  # fmt: skip

    def months(data: pd.DataFrame, treated: tuple) -> float:
        inside = data["person_id"].isin(treated)
        return data[inside].groupby("month")["works"].mean().sum() - data[~inside].groupby("month")["works"].mean().sum()

    test = randomisation_test(rows, "works", reference="b", statistic="months_in_work", permutations=20_000).table
    assert float(test["p_value"][0]) == pytest.approx(exact(rows, months), abs=0.015)
    times = pd.DataFrame(
        {"person_id": range(8), "arm": ["a"] * 4 + ["b"] * 4, "time": [1, 1, 2, 3, 3, 4, 5, 5], "event": [1, 1, 1, 0, 1, 1, 1, 0]}
    )

    def z(data: pd.DataFrame, treated: tuple) -> float:
        from ips_outcomes.analysis.randomisation import log_rank_statistic

        grid, own = np.arange(6), data["person_id"].isin(treated).to_numpy(dtype=float)
        at_risk = data["time"].to_numpy()[:, None] >= grid
        events = (data["time"].to_numpy()[:, None] == grid) * data["event"].to_numpy()[:, None]
        score, variance = log_rank_statistic(at_risk.sum(axis=0), events.sum(axis=0), own @ at_risk, own @ events)
        return float(score / np.sqrt(variance))

    test = randomisation_test(times, reference="b", statistic="log_rank", permutations=20_000).table
    assert float(test["p_value"][0]) == pytest.approx(exact(times, z), abs=0.015)


def test_permuting_within_strata_and_whole_centres() -> None:
    # in each stratum both arms work equally: nothing is left within strata, much between them
    rows = pd.DataFrame({"person_id": range(24), "month": 1, "site": ["x"] * 12 + ["y"] * 12, "arm": ["a"] * 10 + ["b"] * 2 + ["a"] * 2 + ["b"] * 10,
                         "works": [1] * 12 + [0] * 12})  # fmt: skip
    pooled, within = (randomisation_test(rows, "works", reference="b", strata=s, permutations=500).table for s in (None, "site"))
    assert pooled["p_value"][0] < 0.02 and within["p_value"][0] == 1
    # 6 centres, 3 of each arm; people of a centre agree. As extreme as all against none: 2 of 20 ways
    centres = pd.DataFrame(
        {"person_id": range(30), "month": 1, "centre": np.repeat(range(6), 5), "arm": np.repeat(["a", "b"], 15)}
    )
    centres["works"] = (centres["arm"] == "a").astype(int)
    test = randomisation_test(centres, "works", reference="b", cluster="centre", permutations=20_000).table
    assert test["p_value"][0] == pytest.approx(2 / 20, abs=0.01)
    times = centres.assign(time=centres["person_id"] % 4 + 1, event=centres["works"])
    test = randomisation_test(times, reference="b", cluster="centre", statistic="log_rank", permutations=2000).table
    assert test["p_value"][0] == pytest.approx(2 / 20, abs=0.03)
    with pytest.raises(UnsupportedError, match="1 clusters have people of both arms"):
        randomisation_test(centres.assign(centre=centres["centre"].replace(5, 0)), "works", reference="b", cluster="centre")
    with pytest.raises(UnsupportedError, match="could not have been otherwise"):
        randomisation_test(rows, "works", reference="b", strata="arm")


def test_the_p_of_many_months_is_no_smaller_than_that_of_one(demo_followup: ips.FollowUp) -> None:
    table = randomisation_test(demo_followup, "ordinary", permutations=500).table
    assert len(table) == 43 and (table["p_adjusted"] >= table["p_value"]).all() and table["p_value"].min() >= 1 / 501
    one = randomisation_test(demo_followup, "ordinary", at=7, permutations=500).table
    assert one["p_adjusted"][0] == one["p_value"][0]


def test_without_an_effect_p_values_are_spread_evenly() -> None:
    rng = np.random.default_rng(6)
    p = []
    for i in range(150):
        rows = pd.DataFrame(
            {"person_id": range(60), "month": 1, "arm": rng.permutation(["a", "b"] * 30), "works": rng.random(60) < 0.4}
        )
        p.append(float(randomisation_test(rows, "works", reference="b", permutations=199, seed=i).table["p_value"][0]))
    # at most 5 % below 0.05, give or take three standard deviations
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert 0.4 < np.mean(p) < 0.7


# ---------------------------------------------------------------- properties


@quick
@given(studies(), st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 256, 1000]))
def test_chunks_order_and_copies_change_no_byte(rows: pd.DataFrame, seed: int, chunk: int) -> None:
    options = {"reference": "a", "seed": seed, "replicates": 300, "interval": "bca"}
    table = bootstrap_curves(rows, "works", weights="copies", **options).table
    others = [
        bootstrap_curves(rows, "works", weights="copies", chunk=chunk, **options),
        bootstrap_curves(rows.sample(frac=1, random_state=seed), "works", weights="copies", **options),
        bootstrap_curves(spread_out(rows), "works", **options),
    ]
    for other in others:
        pd.testing.assert_frame_equal(table, other.table, check_exact=True)
    options = {"reference": "a", "seed": seed, "permutations": 300}
    table = randomisation_test(rows, "works", weights="copies", **options).table
    for data, more in ((rows, {"weights": "copies", "chunk": chunk}), (spread_out(rows), {})):
        pd.testing.assert_frame_equal(table, randomisation_test(data, "works", **more, **options).table, check_exact=True)


@pytest.mark.parametrize("chunk", [1, 300, 700])
def test_chunks_change_no_byte_of_fractional_weights(chunk: int) -> None:
    rows = golden("data_curves.csv")
    options = {"reference": "control", "weights": "weight", "weight_type": "probability", "replicates": 900}
    whole, parts = (bootstrap_curves(rows, "works", chunk=c, **options).table for c in (None, chunk))
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)
    rng = np.random.default_rng(1)
    left, right = rng.random((300, 30)), rng.random((30, 4))
    np.testing.assert_array_equal(in_blocks(left, right)[:40], in_blocks(left[:40], right))
    np.testing.assert_allclose(in_blocks(left, right), left @ right)
    assert sum(chunks(900, 30, chunk)) == 900


@quick
@given(studies(), st.integers(0, 2**32 - 1))
def test_the_other_arm_as_reference_flips_a_bootstrap(rows: pd.DataFrame, seed: int) -> None:
    one, other = (
        bootstrap_curves(rows, "works", reference=r, seed=seed, **FEW).select(measure="risk_difference").table for r in "ab"
    )
    for left, right in (("estimate", "estimate"), ("conf_low", "conf_high")):
        np.testing.assert_allclose(one[left], -other[right], atol=1e-12)
    np.testing.assert_allclose(one["std_error"], other["std_error"], atol=1e-12)


@st.composite
def timed(draw: st.DrawFn) -> pd.DataFrame:
    size = draw(st.integers(4, 20))
    rows = [
        ("ab"[i % 2], draw(st.integers(3, 6)), draw(st.integers(0, 1)), draw(st.integers(0, 2)), draw(st.integers(1, 3)), i)
        for i in range(size)
    ]
    return pd.DataFrame(rows, columns=["arm", "time", "event", "entry", "copies", "person_id"])


@quick
@given(timed(), st.integers(0, 2**32 - 1), st.sampled_from([None, "entry"]))
def test_times_in_any_order_counted_or_not(rows: pd.DataFrame, seed: int, entry: str | None) -> None:
    options = {"reference": "a", "seed": seed, "entry": entry, "horizon": 3, "interval": "bca"}
    table = bootstrap_rmst(rows, weights="copies", **options, **FEW).table
    people = spread_out(rows)
    for data, more in ((rows.sample(frac=1, random_state=seed), {"weights": "copies", "chunk": 7}), (people, {})):
        pd.testing.assert_frame_equal(table, bootstrap_rmst(data, **more, **options, **FEW).table, check_exact=True)
    options = {"reference": "a", "seed": seed, "entry": entry, "statistic": "log_rank", "permutations": 100}
    left, right = randomisation_test(rows, weights="copies", **options).table, randomisation_test(people, **options).table
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_restricted_means_with_clusters_and_probability_weights() -> None:
    people = golden("data_draws.csv").assign(own=lambda d: range(len(d)), w=2.0)
    alone = bootstrap_rmst(people, reference="control", horizon=8, interval="bca").table
    np.testing.assert_allclose(alone["estimate"][:2], golden("answers_draws.csv")["estimate"][:2], rtol=1e-10)
    weighted = bootstrap_rmst(
        people, reference="control", horizon=8, weights="w", weight_type="probability", interval="bca"
    ).table
    same(alone.drop(columns=["events"]), weighted.drop(columns=["events"]))
    # a cluster each: the same quantity, other draws
    each = bootstrap_rmst(people, reference="control", horizon=8, cluster="own", interval="bca").table
    np.testing.assert_allclose(each["std_error"], alone["std_error"], rtol=0.1)
    # sites with people of both arms
    sites = bootstrap_rmst(people, reference="control", horizon=8, cluster="site", **FEW).table
    same(sites[["estimate", "n"]], alone[["estimate", "n"]])


# ---------------------------------------------------------------- edges


def test_horizons() -> None:
    people = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 3, "time": [2, 4, 5, 3, 3, 9], "event": [1, 0, 0, 1, 1, 0]})
    assert bootstrap_rmst(people, reference="b", **FEW).table["time"].tolist() == [5, 5, 5]
    for horizon in (6, 0):
        with pytest.raises(UnsupportedError, match="from 1 to 5"):
            bootstrap_rmst(people, reference="b", horizon=horizon, **FEW)
    # an arm that nobody is left in sets no limit
    gone = people.assign(event=[1, 1, 1, 1, 1, 0])
    assert bootstrap_rmst(gone, reference="b", **FEW).table["time"].tolist() == [9, 9, 9]
    assert bootstrap_rmst(people.assign(event=1), reference="b", horizon=20, **FEW).table["time"].tolist() == [20] * 3


def test_no_event_at_all() -> None:
    people = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 3, "time": 4, "event": 0})
    table = bootstrap_rmst(people, reference="b", **FEW).table
    assert table["estimate"].tolist() == [4, 4, 0] and (table["std_error"] == 0).all()
    assert bootstrap_rmst(people, reference="b", interval="bca", **FEW).table["method"].str.contains("no interval").all()
    test = randomisation_test(people, reference="b", statistic="log_rank", permutations=20).table
    assert test[["estimate", "p_value"]].isna().all(axis=None) and "no event" in test["method"][0]


def test_empty_months_constant_outcomes_and_single_people() -> None:
    empty = SIX.assign(works=SIX["works"].where(SIX["month"] != 2))
    table = bootstrap_curves(empty, "works", reference="b", **FEW).table
    assert (
        table.loc[table["month"] == 2, "method"].eq("nobody observed").all()
        and table.loc[table["month"] == 2, "std_error"].isna().all()
    )
    test = randomisation_test(empty, "works", reference="b", permutations=30).table
    assert np.isnan(test["p_value"][1]) and np.isfinite(test["p_value"][0])
    constant = bootstrap_curves(SIX.assign(works=1), "works", reference="b", **FEW).table
    assert (constant["std_error"] == 0).all() and constant["conf_low"].tolist() == constant["estimate"].tolist()
    assert randomisation_test(SIX.assign(works=1), "works", reference="b", permutations=30).table["p_value"].tolist() == [1, 1, 1]
    one = bootstrap_curves(SIX[SIX["person_id"] == 1], "works", **FEW).table
    assert one["estimate"].tolist() == [0, 1, 1] and (one["std_error"] == 0).all()
    # a month seen in one person of three is missing from some replicates, and they are counted
    rare = bootstrap_curves(
        SIX.assign(works=SIX["works"].where((SIX["month"] != 3) | ~SIX["person_id"].isin([1, 2]))),
        "works",
        reference="b",
        replicates=400,
    )
    assert row(rare, measure="rate", group="a", month=3)["replicates"] == pytest.approx(400 * (1 - (2 / 3) ** 3), abs=40)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"interval": "exact"}, "interval is one of"), ({"replicates": 1}, "at least 2"), ({"statistic": "median"}, "statistic is"),
     ({"interval": "studentised", "statistic": "months_in_work"}, "use 'bca'"), ({"interval": "studentised", "cluster": "site"}, "use 'bca'"),
     ({"reference": None}, "name the reference"), ({"entry": "month"}, "does not support delayed entry")],
)  # fmt: skip
def test_wrong_bootstraps_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        bootstrap_curves(SIX.assign(site=SIX["person_id"] % 2), "works", **({"reference": "b"} | options))


TIMES = pd.DataFrame(
    {"arm": ["a", "a", "b", "b"], "time": [1, 2, 3, 4], "event": [1, 0, 1, 2], "half": 0.5, "late": [1, 0, 0, 0]}
)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [({}, {}, "1 rows have a competing event"), ({"event": 1, "time": [1.5, 2, -1, 4]}, {}, "2 values of time are missing, negative or not whole"),
     ({"event": 1}, {"entry": "late"}, "1 rows enter at or after"), ({"event": 1}, {"weights": "half"}, "whole numbers"),
     ({"event": 1}, {"reference": "c"}, "name the reference"), ({"event": 1, "arm": None}, {}, "name the reference|no rows"),
     ({"event": 1, "half": -1}, {"weights": "half"}, "from zero"), ({"event": 1}, {"weights": "half", "weight_type": "other"}, "frequency or"),
     ({"event": 1}, {"interval": "studentised", "cluster": "late"}, "use 'bca'"), ({"event": 1}, {"interval": "exact"}, "one of"),
     ({"event": 1, "half": [None, 1, 1, 1]}, {"cluster": "half"}, "1 rows have no half"),
     ({"event": 1, "half": [1, 2, 1, 2], "late": [1, 1, 1, 2]}, {"cluster": "half", "strata": "late"}, "1 clusters lie in several strata")],
)  # fmt: skip
def test_wrong_times_are_refused(change: dict, options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        bootstrap_rmst(TIMES.assign(**change), **({"reference": "b", "replicates": 20} | options))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [(SIX, {"outcome": None}, "name the outcome"), (SIX, {"statistic": "median"}, "statistic is"), (SIX, {"permutations": 0}, "at least 1"),
     (SIX[SIX["arm"] == "a"], {"reference": None}, "one arm only"), (SIX, {"weight_type": "probability"}, "does not support probability"),
     (TIMES, {"statistic": "log_rank"}, "competing event"), (TIMES, {"statistic": "log_rank", "reference": None, "competing": "censor"}, "name the")],
)  # fmt: skip
def test_wrong_tests_are_refused(data: pd.DataFrame, options: dict, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        randomisation_test(data, **({"outcome": "works", "reference": "b"} | options))
    with pytest.raises(UnsupportedError, match="one row a person"):
        randomisation_test(months_matrix(SIX, "works", "arm"), reference="b", statistic="log_rank")


def test_missing_arms_of_times_are_left_out_and_counted() -> None:
    people = TIMES.assign(event=1, arm=["a", "a", "b", None])
    assert bootstrap_rmst(people, reference="b", **FEW).notes == ("1 rows left out: arm is missing",)
