"""Effects within subgroups: by hand on eight people, by properties, beside the estimators of one group, and at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes import Estimates
from ips_outcomes.analysis import compare_arms, hazard_ratio, months_gained, months_in_work, subgroup_effects
from ips_outcomes.analysis.level_effects import tested as limits_of
from ips_outcomes.analysis.many_looks import holm, multiplier_draws, step_down
from ips_outcomes.analysis.shrinkage import shrunken
from ips_outcomes.errors import UnsupportedError

NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


def world(seed: int = 3, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    arm = np.where(rng.permutation(n) % 2, "ips", "control")
    table = pd.DataFrame({"person_id": np.arange(n), "arm": arm, "age": rng.integers(18, 60, n), "site": rng.integers(0, 40, n)})
    table["sex"] = rng.choice(["man", "woman"], n)
    table["edu"] = rng.choice(["basic", "middle", "upper", None], n, p=[0.4, 0.3, 0.2, 0.1])
    table["works"] = (rng.random(n) < 0.3 + 0.15 * (arm == "ips") + 0.1 * (table["sex"] == "man")).astype(int)
    table["pay"] = rng.gamma(2.0, 10.0, n).round(2) + 5 * (arm == "ips")
    table["time"] = np.minimum(rng.geometric(0.06 + 0.03 * (arm == "ips"), n), 24)
    return table.assign(event=np.where(table["time"] == 24, 0, rng.choice([0, 1, 2], n, p=[0.1, 0.8, 0.1])))


def long(seed: int = 5, n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = world(seed, n).drop(columns=["works"])
    rows = rows.loc[rows.index.repeat(4)].reset_index(drop=True).assign(month=np.tile([1, 2, 3, 4], n))
    return rows.assign(works=(rng.random(len(rows)) < 0.4 + 0.1 * (rows["arm"] == "ips")).astype(int))


def ask(data: pd.DataFrame, subgroups: Any = "sex", outcome: Any = "works", **options: Any) -> Estimates:
    return subgroup_effects(data, subgroups, outcome, reference="control", **{"draws": 60, **options})


def told(answer: Estimates) -> pd.DataFrame:
    return answer.table.set_index(["subgroup", "level", "measure"])


def said(answer: Estimates) -> None:
    """No limit is missing and no estimate is lacking without a word."""
    rows = answer.table[answer.table["measure"] != "interaction_test"]
    for row in rows.to_dict("records"):
        ends = np.isfinite([row["conf_low"], row["conf_high"]])
        if not ends.all():
            assert any(word in row["method"] for word in ("no interval", "no upper", "no lower", "no effect", "no difference")), (
                row
            )
        if not np.isfinite(row["estimate"]):
            assert "no effect" in row["method"] or "no difference" in row["method"], row


# ---------------------------------------------------------------- by hand


def test_eight_people_by_hand() -> None:
    # young: ips works 2 of 2, control 1 of 2; old: ips 1 of 2, control 1 of 2
    people = pd.DataFrame({"arm": ["ips", "ips", "control", "control"] * 2, "age": ["young"] * 4 + ["old"] * 4,
                           "works": [1, 1, 1, 0, 1, 0, 1, 0]})  # fmt: skip
    rows = told(ask(people, "age", least_events=0, draws=500, seed=4))
    young, old, all_ = (rows.loc[(s, v, "risk_difference")] for s, v in (("age", "young"), ("age", "old"), ("", "")))
    assert (young["estimate"], old["estimate"], all_["estimate"]) == (0.5, 0.0, 0.25)
    assert [int(young[c]) for c in ("n", "n_arm", "events_arm", "n_reference", "events_reference")] == [4, 2, 2, 2, 1]
    # p (1 - p) / n: 0 + 1/8 in the young, 1/8 + 1/8 in the old
    np.testing.assert_allclose([young["std_error"], old["std_error"]], np.sqrt([1 / 8, 2 / 8]))
    pair = rows.loc[("age", "young", "interaction")]
    assert pair["estimate"] == 0.5 and pair["compared_with"] == "old" and pair["n"] == 8
    np.testing.assert_allclose(pair["std_error"], np.sqrt(3 / 8))
    np.testing.assert_allclose(
        pair[["conf_low", "conf_high"]].astype(float), 0.5 + np.array([-1, 1]) * 1.959963984540054 * np.sqrt(3 / 8)
    )
    # a ratio of ratios: (1 / 0.5) / (0.5 / 0.5), with variances (1 - p) / (n p): 0 + 1/2 + 1/2 + 1/2
    ratio = rows.loc[("age", "young", "interaction_risk_ratio")]
    np.testing.assert_allclose([ratio["estimate"], ratio["std_error"]], [2.0, np.sqrt(1.5)])
    # everybody in the arm works, so there are no odds
    assert "no difference" in rows.loc[("age", "young", "interaction_odds_ratio"), "method"]
    assert "no effect" in rows.loc[("age", "young", "odds_ratio"), "method"]
    # the family's p adds half a person to both sides: 2.5/3 - 1.5/3 - 0, variance p (1 - p) / 2 of each cell
    mean = np.array([2.5, 1.5, 1.5, 1.5]) / 3
    variance = mean * (1 - mean) / 2
    _, _, p = limits_of(1 / 3, float(np.sqrt(variance.sum())), float(variance.sum() ** 2 / (variance**2).sum()))
    assert pair["tests"] == 1 and pair["p_holm"] == pair["p_value"]
    # one test: the share of draws beyond its normal score is its p, up to the noise of 500 draws
    assert pair["p_adjusted"] == pytest.approx(max(p, pair["p_value"]), abs=0.08)
    # shrunken: prior 0.1 around the common mean of two independent estimates
    weight = 1 / (np.array([1 / 8, 2 / 8]) + 0.01)
    mean_of_both = (weight * [0.5, 0.0]).sum() / weight.sum()
    by_hand = mean_of_both + 0.01 * weight * ([0.5, 0.0] - mean_of_both)
    np.testing.assert_allclose([young["shrunken"], old["shrunken"]], by_hand)


def test_step_down_equals_a_slow_loop_with_the_same_multipliers() -> None:
    rng = np.random.default_rng(8)
    influence, draws = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 4)), 300
    statistics = np.array([2.5, -0.4, 1.8, 2.1])
    xi = np.random.default_rng(2).standard_normal((draws, 30))
    drawn = multiplier_draws(influence, draws, seed=2)
    for b in (0, 7, 299):
        by_hand = [sum(xi[b, i] * influence[i, k] for i in range(30)) / np.sqrt((influence[:, k] ** 2).sum()) for k in range(4)]
        np.testing.assert_allclose(drawn[b], by_hand, atol=1e-12)
    # Romano and Wolf, written out: drop the largest, and never fall below what came before
    order, left, before, expected = np.argsort(-np.abs(statistics)), [0, 1, 2, 3], 0.0, np.zeros(4)
    for k in order.tolist():
        beyond = sum(max(abs(drawn[b, j]) for j in left) >= abs(statistics[k]) for b in range(draws))
        before = max(before, (beyond + 1) / (draws + 1))
        expected[k] = before
        left.remove(k)
    np.testing.assert_allclose(step_down(statistics, drawn), expected)
    assert np.isnan(step_down(np.array([np.nan, 1.0]), drawn[:, :2])[0])


def test_draws_come_in_pieces_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from ips_outcomes.analysis import many_looks

    influence = np.random.default_rng(1).normal(size=(50, 3))
    whole = multiplier_draws(influence, 101, seed=9)
    monkeypatch.setattr(many_looks, "CELLS", 500)
    np.testing.assert_allclose(multiplier_draws(influence, 101, seed=9), whole, rtol=1e-12)
    assert (multiplier_draws(np.zeros((4, 2)), 3, seed=1) == 0).all()
    tiny = multiplier_draws(influence * 1e-200, 101, seed=9)
    np.testing.assert_allclose(tiny, whole, rtol=1e-9)


def test_shrunken_with_overlap_is_the_posterior_by_integration() -> None:
    values, covariance, sd = np.array([0.3, 0.0, 0.1]), np.array([[0.02, 0.01, 0], [0.01, 0.03, 0.005], [0, 0.005, 0.01]]), 0.1
    # a very wide normal prior of the mean stands for knowing nothing of it
    prior = sd**2 * np.eye(3) + 100.0
    gain = prior @ np.linalg.inv(covariance + prior)
    found = shrunken(values, covariance, sd)
    np.testing.assert_allclose(found.value, gain @ values, atol=1e-4)
    np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(prior - gain @ prior)), rtol=1e-3)
    np.testing.assert_allclose(shrunken(values, covariance, 0.0).value, np.full(3, found_mean(values, covariance)))


def found_mean(values: np.ndarray, covariance: np.ndarray) -> float:
    weight = np.linalg.inv(covariance).sum(axis=0)
    return float(weight @ values / weight.sum())


# ---------------------------------------------------------------- properties


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_levels_add_up_and_labels_do_not_matter(seed: int) -> None:
    data = world(seed, 90)
    table = ask(data, ["sex", "edu"]).table
    whole = table[(table["subgroup"] == "") & (table["measure"] == "risk_difference")].iloc[0]
    for subgroup in ("sex", "edu"):
        rows = table[(table["subgroup"] == subgroup) & (table["measure"] == "risk_difference")]
        for column in ("n", "n_arm", "n_reference", "events", "events_arm", "events_reference"):
            assert rows[column].sum() == whole[column]
    assert "Unknown" in set(table["level"]) and not ((table["level"] == "Unknown") & table["measure"].str.contains("inter")).any()
    plain = told(ask(data, least_events=0))
    # compared the other way round, the sign flips
    flipped = told(ask(data, compared_with={"sex": "woman"}, least_events=0))
    one, two = plain.loc[("sex", "woman", "interaction")], flipped.loc[("sex", "man", "interaction")]
    np.testing.assert_allclose(
        [one["estimate"], one["std_error"], one["p_value"]], [-two["estimate"], two["std_error"], two["p_value"]]
    )
    ratio, other = plain.loc[("sex", "woman", "interaction_odds_ratio")], flipped.loc[("sex", "man", "interaction_odds_ratio")]
    np.testing.assert_allclose(ratio["estimate"] * other["estimate"], 1.0)
    # the arms the other way round
    turned = told(subgroup_effects(data, "sex", "works", reference="ips", draws=60, least_events=0))
    np.testing.assert_allclose(turned.loc[("sex", "woman", "interaction"), "estimate"], -one["estimate"], atol=1e-12)
    # rows in another order: all the same but what is drawn
    shuffled = told(ask(data.sample(frac=1, random_state=seed), least_events=0))
    pd.testing.assert_frame_equal(shuffled.drop(columns="p_adjusted"), plain.drop(columns="p_adjusted"), rtol=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_one_level_is_what_one_group_is(seed: int) -> None:
    data = world(seed, 300)
    rows = told(ask(data))
    for level in ("man", "woman"):
        own = data[data["sex"] == level]
        alone = compare_arms(own, "works", reference="control").table.set_index("measure")
        for measure in ("risk_difference", "risk_ratio", "odds_ratio"):
            np.testing.assert_allclose(
                rows.loc[("sex", level, measure), NUMBERS].astype(float), alone.loc[measure, NUMBERS].astype(float)
            )
    # numbers: compare_arms has one variance in both arms, here each arm has its own (Welch)
    number = told(ask(data, outcome="pay")).loc[("sex", "man", "mean_difference")]
    parts = [data.loc[(data["sex"] == "man") & (data["arm"] == a), "pay"] for a in ("ips", "control")]
    np.testing.assert_allclose(number["std_error"], np.sqrt(sum(p.var() / len(p) for p in parts)))
    own = data[data["sex"] == "man"]
    np.testing.assert_allclose(number["estimate"], compare_arms(own, "pay", reference="control").table["estimate"][0])


def test_months_and_times_of_one_level_are_those_of_one_group() -> None:
    rows = long()
    # two people unseen in a month, one dead from month 3
    rows["works"] = rows["works"].astype(float).mask(rows["person_id"].isin([3, 8]) & (rows["month"] == 2))
    rows["dead"] = (rows["person_id"] == 5) & (rows["month"] > 2)
    rows["works"] = rows["works"].mask(rows["dead"])
    answer = ask(rows, kind="months", dead="dead")
    found = told(answer)
    for level in ("man", "woman"):
        alone = months_in_work(rows[rows["sex"] == level], "works", reference="control", dead="dead").table
        alone = alone[alone["measure"] == "months_in_work_difference"].iloc[0]
        np.testing.assert_allclose(
            found.loc[("sex", level, "mean_difference"), NUMBERS].astype(float), alone[NUMBERS].astype(float)
        )
    assert any("2 people were not observed" in note for note in answer.notes)
    data = world(4, 300)
    found = told(ask(data, "sex", None, event="event", horizon=20))
    for level in ("man", "woman"):
        alone = months_gained(data[data["sex"] == level], by="arm", horizon=20, reference="control").table
        alone = alone[alone["measure"] == "mean_difference"].iloc[0]
        np.testing.assert_allclose(
            found.loc[("sex", level, "mean_difference"), NUMBERS].astype(float), alone[NUMBERS].astype(float)
        )
    everybody = hazard_ratio(data, reference="control").table.iloc[0]
    np.testing.assert_allclose(found.loc[("", "", "hazard_ratio"), "estimate"], everybody["estimate"], rtol=1e-8)


def test_pairs_and_effects_hang_together() -> None:
    data = world(6, 300)
    for options in ({}, {"adjust": "age"}, {"outcome": "pay"}, {"cluster": "site"}):
        table = ask(data, "edu", least_events=0, **options).table
        scale = table.loc[table["measure"] == "interaction", "scale"].iloc[0]
        effects = table[table["measure"] == scale].set_index(["subgroup", "level"])["estimate"]
        for row in table[table["measure"] == "interaction"].to_dict("records"):
            expected = effects[("edu", row["level"])] - effects[("edu", row["compared_with"])]
            np.testing.assert_allclose(row["estimate"], expected, atol=1e-10)


def test_the_family_is_all_subgroups_outcomes_and_arms() -> None:
    data = world(7, 300)
    data["arm"] = np.where(np.arange(300) % 5 == 0, "other", data["arm"])
    data["looks"] = (data["pay"] > 20).astype(int)
    answer = ask(data, ["sex", "edu"], ["works", "looks"])
    tests = answer.table[answer.table["measure"] == "interaction"]
    # (1 + 2 differences) x 2 outcomes x 2 arms
    assert len(tests) == 12 and (tests["tests"] == 12).all() and "12 tests in the family" in answer.method
    np.testing.assert_allclose(tests["p_holm"], holm(tests["p_value"].to_numpy(dtype=float)))
    assert (tests["p_adjusted"] >= tests["p_value"]).all()
    assert answer.table.loc[answer.table["measure"] != "interaction", "p_adjusted"].isna().all()
    again = ask(data, ["sex", "edu"], ["works", "looks"])
    pd.testing.assert_frame_equal(answer.table, again.table)
    assert not ask(data, ["sex", "edu"], ["works", "looks"], seed=99).table["p_adjusted"].equals(answer.table["p_adjusted"])


# ---------------------------------------------------------------- edges


def damaged(name: str) -> pd.DataFrame:
    data = world(9, 120)
    woman, ips = data["sex"] == "woman", data["arm"] == "ips"
    if name == "level without an arm":
        return data[~(woman & ips)].reset_index(drop=True)
    if name == "all events":
        return data.assign(works=1, event=1)
    if name == "all events in a cell":
        return data.assign(works=data["works"].where(~(woman & ips), 1))
    if name == "no events in a level":
        return data.assign(
            works=data["works"].where(~woman, 0), event=data["event"].where(~woman, 0), pay=data["pay"].where(~woman, 0.0)
        )
    if name == "one person in a cell":
        return data[~(woman & ips) | (np.arange(120) == np.flatnonzero(woman & ips)[0])].reset_index(drop=True)
    if name == "constant":
        return data.assign(pay=7.0)
    if name == "level known in one arm only":
        return data.assign(sex=data["sex"].where(~(woman & ips), None))
    if name == "missing outcome":
        return data.assign(works=data["works"].astype(float).where(np.arange(120) % 3 > 0), pay=data["pay"].where(~woman))
    if name == "clusters in levels":
        return data.assign(site=np.where(woman, 0, data["site"]))
    if name == "clusters are arms":
        return data.assign(site=ips.astype(int))
    if name == "six clusters":
        return data.assign(site=np.arange(120) % 6)
    return data


NAMES = ["level without an arm", "all events", "all events in a cell", "no events in a level", "one person in a cell", "constant",
         "level known in one arm only", "missing outcome", "clusters in levels", "clusters are arms", "six clusters"]  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "rate": {}, "rate, no penalty": {"least_events": 0}, "adjusted": {"adjust": ["age"]}, "clustered": {"cluster": "site"},
    "number": {"outcome": "pay"}, "number adjusted": {"outcome": "pay", "adjust": "age"},
    "number clustered": {"outcome": "pay", "cluster": "site"}, "time": {"outcome": None, "event": "event"},
    "time clustered": {"outcome": None, "event": "event", "cluster": "site"},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_damaged_groups_are_answered_with_a_word(name: str, way: str) -> None:
    answer = ask(damaged(name), **WAYS[way])
    said(answer)
    known = answer.table[answer.table["p_value"].notna()]
    assert known["p_value"].between(0, 1).all()
    # no error out of nothing: where nobody's residual tells anything there is no p-value of 0
    assert not (known["p_value"] < 1e-14).any()
    if "clustered" not in way and "number" not in way and name in ("six clusters", "clusters in levels"):
        assert answer.table["p_adjusted"].notna().any()


def test_one_cluster_tells_no_error() -> None:
    for way in ("clustered", "number clustered", "time clustered"):
        rows = ask(damaged("clusters in levels"), **WAYS[way]).table
        woman = rows[rows["level"] == "woman"]
        assert woman["std_error"].isna().all() and woman["method"].str.contains("one cluster holds a whole arm").all()


def test_unknown_everywhere_and_twenty_levels() -> None:
    data = world(10, 400)
    with pytest.raises(UnsupportedError, match="nothing to compare"):
        ask(data.assign(sex=None))
    many = data.assign(centre=np.arange(400) % 20)
    answer = ask(many, "centre")
    said(answer)
    levels = answer.table.loc[answer.table["measure"] == "risk_difference", "level"].tolist()
    # numbers in their own order, the first the reference
    assert levels == ["", *map(str, range(20))]
    assert (answer.table["measure"] == "interaction").sum() == 19


@pytest.mark.parametrize("kind", ["bool", "category", "float", "Int64", "blank"])
def test_level_columns_of_every_type(kind: str) -> None:
    data = world(11, 120)
    woman = data["sex"] == "woman"
    values: dict[str, Any] = {
        "bool": woman, "category": pd.Categorical(data["sex"], ["woman", "man"]), "float": woman.astype(float).where(data["age"] > 20),
        "Int64": woman.astype("Int64"), "blank": data["sex"].where(data["age"] > 20, " "),
    }  # fmt: skip
    table = ask(data.assign(g=values[kind]), "g").table
    levels = [x for x in dict.fromkeys(table["level"]) if x]
    expected = {"bool": ["False", "True"], "category": ["woman", "man"], "float": ["0.0", "1.0", "Unknown"], "Int64": ["0", "1"],
                "blank": ["man", "woman", "Unknown"]}  # fmt: skip
    assert levels == expected[kind]
    assert table.loc[table["measure"] == "interaction", "compared_with"].tolist() == [expected[kind][0]]


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"works": "no"}, {}, "120 values of works are no numbers"),
        ({"pay": np.inf}, {"outcome": "pay"}, "not finite"),
        ({"works": np.nan}, {}, "nothing can be estimated"),
        ({"arm": "ips"}, {}, "name the reference"),
        ({"site": None}, {"cluster": "site"}, "120 people have no site"),
        ({"time": np.nan}, {"outcome": None, "event": "event"}, "time"),
        ({}, {"prior_sd": -1.0}, "prior_sd"),
        ({}, {"least_events": -1}, "least_events"),
        ({}, {"draws": 0}, "draws"),
        ({}, {"scale": "hazard_ratio"}, "scale="),
        ({}, {"errors": "none"}, "errors="),
        ({}, {"kind": "rates"}, "kind="),
        ({}, {"outcome": ["works", "pay"], "kind": "time"}, "one time"),
        ({}, {"kind": "months"}, "month column"),
        ({}, {"subgroups": "nothing"}, "no column nothing"),
        ({}, {"compared_with": {"sex": "child"}}, "no level child"),
        ({}, {"at": 3}, "no month column"),
        ({"works": 2}, {"kind": "rate"}, "true, false or missing"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change: dict[str, Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        ask(world(12, 120).assign(**change), **options)


def test_repeated_person_months_and_changing_levels_are_refused() -> None:
    rows = long()
    with pytest.raises(UnsupportedError, match="repeat a person and month"):
        ask(pd.concat([rows, rows.tail(1)]))
    with pytest.raises(UnsupportedError, match="changes over the months of 1 people"):
        ask(rows.assign(sex=rows["sex"].where(rows.index != 0, "other")))


def test_a_covariate_that_is_the_subgroup_is_left_out_of_its_model_only() -> None:
    data = world(13, 300)
    answer = ask(data, ["sex", "edu"], adjust=["sex", "age"])
    assert [note for note in answer.notes if "left out of this model" in note] == [
        "sex: 1 of 2 columns of adjust= are constant or follow from the levels: left out of this model"
    ]
    alone = told(ask(data, "sex", adjust=["age"])).loc[("sex", "woman", "interaction")]
    np.testing.assert_allclose(
        told(answer).loc[("sex", "woman", "interaction"), NUMBERS].astype(float), alone[NUMBERS].astype(float)
    )


def test_a_small_level_leaves_the_others_as_they_are() -> None:
    data = world(14, 300)
    data.loc[:5, "edu"], data.loc[:5, "works"] = "none", 0
    data.loc[:5, "event"] = 0
    for options in ({"adjust": "age"}, {"outcome": None, "event": "event"}):
        with_few = told(ask(data, "edu", compared_with={"edu": "basic"}, **options)).loc[("edu", "middle", "interaction")]
        without = told(ask(data.loc[6:].reset_index(drop=True), "edu", **options)).loc[("edu", "middle", "interaction")]
        assert not with_few["few_events"]
        np.testing.assert_allclose(with_few["estimate"], without["estimate"], rtol=1e-6)
    few = told(ask(data, "edu", adjust="age")).loc[("edu", "none", "risk_difference")]
    assert few["few_events"] and "Firth" in few["method"] and np.isfinite(few["std_error"])


def test_a_handful_of_unknown_does_not_cut_the_horizon() -> None:
    data = world(15, 300)
    data["sex"] = data["sex"].where(np.arange(300) > 3, None)
    data.loc[:3, ["time", "event"]] = [2, 0]
    rows = told(ask(data, "sex", None, event="event"))
    assert rows.loc[("sex", "man", "mean_difference"), "method"] == "months gained by 24"
    assert "followed for less" in rows.loc[("sex", "Unknown", "mean_difference"), "method"]
    assert rows.loc[("sex", "Unknown", "mean_difference"), "n"] == 4


def test_a_condition_may_have_the_name_of_a_column() -> None:
    from ips_outcomes.study.conditions import Subgroup

    data = world(16, 120)
    young = Subgroup(label="18-30", label_other="31+", column="age", at_most=30)
    table = ask(data, {"age": young}).table
    rows = table[(table["subgroup"] == "age") & (table["measure"] == "risk_difference")].set_index("level")
    assert rows.index.tolist() == ["18-30", "31+"] and rows.loc["18-30", "n"] == (data["age"] <= 30).sum()
