"""Effects by centre and centre-level modifiers: by hand, against R's metafor, by properties, at the edges."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import stats

import ips_outcomes as ips
from ips_outcomes.analysis import centre_effects, centre_modifiers, subgroup_effects
from ips_outcomes.analysis.random_effects import INTERVALS, METHODS, pool
from ips_outcomes.errors import UnsupportedError

GOLDEN = Path(__file__).parent / "golden"
VALUES = pd.read_csv(GOLDEN / "centres_values.csv")
PEOPLE = pd.read_csv(GOLDEN / "centres_people.csv")
ANSWERS = pd.read_csv(GOLDEN / "centres_answers.csv")
#: What R's cases are called; the counts are asked with Hartung and Knapp's interval alone.
MODELS = [(s, m, i) for s in VALUES["set"].unique() for m in METHODS for i in INTERVALS]
COUNTS = [
    (s, m, scale) for s in ("people", "empty") for m in METHODS for scale in ("risk_difference", "risk_ratio", "odds_ratio")
]


def one_row_each(counts: pd.DataFrame) -> pd.DataFrame:
    """People behind the counts of each centre."""
    return pd.DataFrame([
        {"centre": row.centre, "arm": arm, "works": int(i < events)}
        for row in counts.itertuples()
        for arm, n, events in (("ips", row.ips, row.works), ("control", row.control, row.works_control))
        for i in range(n)
    ])  # fmt: skip


def answers(**wanted: str) -> dict[tuple[str, int, str], float]:
    rows = ANSWERS
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows)
    return {(w, p, n): v for w, p, n, v in rows[["what", "place", "number", "value"]].itertuples(index=False, name=None)}


def same(ours: float, theirs: float, tolerance: float) -> None:
    assert ours == pytest.approx(theirs, rel=tolerance, abs=1e-12)


# ---------------------------------------------------------------- the core, against metafor


@pytest.mark.parametrize(("name", "method", "interval"), MODELS)
def test_the_model_is_metafors(name: str, method: str, interval: str) -> None:
    rows, theirs = VALUES[VALUES["set"] == name], answers(set=name, method=method, interval=interval)
    fit = pool(rows["yi"].to_numpy(), rows["vi"].to_numpy(), method=method, interval=interval)
    low, high, p_value = fit.limits()
    ahead = fit.prediction()
    ours = {("mean", 0, k): v for k, v in {
        "estimate": fit.coefficients[0], "std_error": fit.std_errors[0], "conf_low": low, "conf_high": high, "p_value": p_value,
        "tau2": fit.tau2, "q": fit.q, "q_p": fit.q_p, "i2": fit.i2,
    }.items()} | {("prediction", 0, "conf_low"): ahead[0], ("prediction", 0, "conf_high"): ahead[1],
                  ("spread", 0, "tau2_low"): fit.tau2_low, ("spread", 0, "tau2_high"): fit.tau2_high}  # fmt: skip
    for i, (best, error, weight) in enumerate(zip(fit.best, fit.best_error, fit.weights, strict=True), start=1):
        ours |= {("blup", i, "estimate"): best, ("blup", i, "std_error"): error, ("blup", i, "weight"): weight,
                 ("blup", i, "conf_low"): best - fit.quantile * error, ("blup", i, "conf_high"): best + fit.quantile * error}  # fmt: skip
    if rows["x"].notna().all():
        line = pool(rows["yi"].to_numpy(), rows["vi"].to_numpy(), np.column_stack([np.ones(len(rows)), rows["x"]]),
                    method=method, interval=interval)  # fmt: skip
        for at in (0, 1):
            low, high, p_value = line.limits(at)
            ours |= {("line", at, "estimate"): line.coefficients[at], ("line", at, "std_error"): line.std_errors[at],
                     ("line", at, "conf_low"): low, ("line", at, "conf_high"): high, ("line", at, "p_value"): p_value}  # fmt: skip
        ours |= {("line", 9, k): v for k, v in {"tau2": line.tau2, "q": line.q, "q_p": line.q_p, "i2": line.i2}.items()}
    assert set(theirs) <= set(ours)
    for key, value in theirs.items():
        same(ours[key], value, 1e-8 if key[2] in ("estimate", "tau2", "q", "i2", "weight") else 1e-6)


def test_a_spread_is_found_and_left_by_r_s_sets() -> None:
    """The sets hold both a spread and none, so that neither side of the border goes unseen."""
    tau2 = {name: answers(set=name, method="reml", interval="normal")["mean", 0, "tau2"] for name in VALUES["set"].unique()}
    assert tau2["alike"] == 0 and min(tau2["spread"], tau2["three"], tau2["mixed"]) > 0
    assert answers(set="mixed", method="reml", interval="normal")["line", 9, "tau2"] > 0


# ---------------------------------------------------------------- from people, against metafor


@pytest.mark.parametrize(("name", "method", "scale"), COUNTS)
def test_centres_are_metafors(name: str, method: str, scale: str) -> None:
    counts = PEOPLE[PEOPLE["set"] == name]
    theirs = answers(set=name, method=method, interval="hartung-knapp")
    # metafor adds halves where a cell is empty, and there alone
    least = 0 if name == "people" else 1
    found = centre_effects(one_row_each(counts), "works", reference="control", scale=scale, method=method, least_events=least)
    table, back = found.table, np.exp if scale != "risk_difference" else float
    whole = table.set_index("measure")
    mean = whole.loc["mean_over_centres"]
    same(mean["estimate"], back(theirs[scale, 0, "estimate"]), 1e-8)
    for column in ("conf_low", "conf_high"):
        same(mean[column], back(theirs[scale, 0, column]), 1e-6)
        same(whole.loc["prediction_interval", column], back(theirs[f"{scale} prediction", 0, column]), 1e-6)
    for ours, key in ((mean["std_error"], "std_error"), (mean["p_value"], "p_value"), (whole.loc["i2", "estimate"], "i2"),
                      (whole.loc["between_centre_sd", "estimate"] ** 2, "tau2"), (whole.loc["heterogeneity_test", "statistic"], "q"),
                      (whole.loc["heterogeneity_test", "p_value"], "q_p")):  # fmt: skip
        same(ours, theirs[scale, 0, key], 1e-6)
    centres = table[table["level"] != ""].reset_index(drop=True)
    order = sorted(counts["centre"])
    assert centres["level"].tolist() == order
    for i, row in centres.iterrows():
        place = counts["centre"].tolist().index(order[i]) + 1
        for column, number in (("shrunken", "estimate"), ("shrunken_low", "conf_low"), ("shrunken_high", "conf_high")):
            same(row[column], back(theirs[f"{scale} blup", place, number]), 1e-6)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("scale", ["risk_difference", "risk_ratio", "odds_ratio"])
def test_the_slope_is_metafors(method: str, scale: str) -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"]
    found = centre_modifiers(one_row_each(counts), counts, outcome="works", reference="control", scale=scale, method=method,
                             least_events=0)  # fmt: skip
    theirs, row = answers(set="people", method=method, interval="hartung-knapp"), found.select(measure="slope").table.iloc[0]
    back = np.exp if scale != "risk_difference" else float
    for column in ("estimate", "conf_low", "conf_high"):
        same(row[column], back(theirs[f"{scale} line", 1, column]), 1e-6)
    for column in ("std_error", "p_value"):
        same(row[column], theirs[f"{scale} line", 1, column], 1e-6)
    points = found.table[found.table["level"] != ""]
    assert len(points) == 12
    by_centre = counts.set_index("centre")["fidelity"]
    assert points["value"].tolist() == [by_centre[level] for level in points["level"]]


# ---------------------------------------------------------------- by hand


def test_three_centres_by_hand() -> None:
    """Ten people in each arm of each centre: 9 against 2 in work, 4 against 5, 6 against 2."""
    works = {"A": (9, 2), "B": (4, 5), "C": (6, 2)}
    people = one_row_each(pd.DataFrame([
        {"centre": c, "ips": 10, "works": e1, "control": 10, "works_control": e0} for c, (e1, e0) in works.items()
    ]))  # fmt: skip
    found = centre_effects(people, "works", reference="control", method="dersimonian-laird", least_events=0).table
    effects = [0.7, -0.1, 0.4]
    variances = [0.9 * 0.1 / 10 + 0.2 * 0.8 / 10, 0.4 * 0.6 / 10 + 0.5 * 0.5 / 10, 0.6 * 0.4 / 10 + 0.2 * 0.8 / 10]
    w = [1 / v for v in variances]
    mean = sum(a * b for a, b in zip(w, effects, strict=True)) / sum(w)
    q = sum(a * (b - mean) ** 2 for a, b in zip(w, effects, strict=True))
    tau2 = max(0.0, (q - 2) / (sum(w) - sum(a * a for a in w) / sum(w)))
    assert tau2 > 0
    w = [1 / (v + tau2) for v in variances]
    mean = sum(a * b for a, b in zip(w, effects, strict=True)) / sum(w)
    factor = sum(a * (b - mean) ** 2 for a, b in zip(w, effects, strict=True)) / 2
    error, t2 = math.sqrt(factor / sum(w)), stats.t.ppf(0.975, 2)
    rows = found.set_index("measure")
    assert found.loc[:2, "estimate"].tolist() == pytest.approx(effects)
    assert rows.loc["mean_over_centres", "estimate"] == pytest.approx(mean, rel=1e-12)
    assert rows.loc["mean_over_centres", ["conf_low", "conf_high"]].tolist() == pytest.approx(
        [mean - t2 * error, mean + t2 * error]
    )
    wide = t2 * math.sqrt(error**2 + tau2)
    assert rows.loc["prediction_interval", ["conf_low", "conf_high"]].tolist() == pytest.approx([mean - wide, mean + wide])
    assert rows.loc["heterogeneity_test", ["statistic", "degrees_of_freedom"]].tolist() == pytest.approx([q, 2])
    assert rows.loc["between_centre_sd", "estimate"] == pytest.approx(math.sqrt(tau2))
    pull = tau2 / (variances[0] + tau2)
    assert found.loc[0, "shrunken"] == pytest.approx(pull * 0.7 + (1 - pull) * mean)
    assert found.loc[:2, "weight"].tolist() == pytest.approx([x / sum(w) for x in w])
    assert rows.loc["mean_over_centres", ["n", "events", "centres"]].tolist() == [60, 28, 3]


def test_numbers_take_welch_errors() -> None:
    rng = np.random.default_rng(4)
    people = pd.DataFrame({"centre": np.repeat(list("abcd"), 12), "arm": ["ips", "control"] * 24, "pay": rng.gamma(2, 100, 48)})
    found = centre_effects(people, "pay", reference="control").table
    for row in found[found["level"] != ""].itertuples():
        own = people[people["centre"] == row.level]
        one, two = (own.loc[own["arm"] == arm, "pay"] for arm in ("ips", "control"))
        assert row.estimate == pytest.approx(one.mean() - two.mean())
        assert row.std_error == pytest.approx(math.sqrt(one.var() / 6 + two.var() / 6))
    assert set(found["scale"]) == {"mean_difference"}


def test_months_are_the_area_between_the_curves() -> None:
    rng = np.random.default_rng(5)
    people = pd.DataFrame({"person_id": range(60), "centre": np.repeat(list("abc"), 20), "arm": ["ips", "control"] * 30})
    long = people.loc[people.index.repeat(4)].assign(month=np.tile([1, 2, 3, 4], 60))
    long["works"] = (rng.random(240) < 0.3 + 0.2 * (long["arm"] == "ips")).astype(int)
    found = centre_effects(long, "works", reference="control", kind="months").table
    total = long.groupby(["centre", "arm", "person_id"])["works"].sum().groupby(["centre", "arm"]).mean().unstack()
    assert found.loc[:2, "estimate"].tolist() == pytest.approx((total["ips"] - total["control"]).tolist())


# ---------------------------------------------------------------- at the edges


def counts_of(*cells: tuple[int, int, int, int]) -> pd.DataFrame:
    names = ["works", "ips", "works_control", "control"]
    return pd.DataFrame([dict(zip(names, cell, strict=True)) | {"centre": f"c{i:02d}"} for i, cell in enumerate(cells)])


def test_under_three_centres_nothing_is_pooled() -> None:
    people = one_row_each(counts_of((6, 20, 3, 20), (7, 20, 4, 20)))
    with pytest.raises(UnsupportedError, match=r"2 centres have an effect.*subgroup_effects"):
        centre_effects(people, "works", reference="control")


def test_whole_centres_that_were_randomised_are_refused() -> None:
    people = pd.DataFrame({"centre": list("aabbccdd"), "arm": ["ips"] * 4 + ["control"] * 4, "works": [1, 0] * 4})
    with pytest.raises(UnsupportedError, match="no centre has people in both arms"):
        centre_effects(people, "works", reference="control")
    with pytest.raises(UnsupportedError, match="no centre has people in both arms"):
        centre_modifiers(people, pd.DataFrame({"centre": list("abcd"), "fidelity": 1.0}), outcome="works", reference="control")


@pytest.mark.parametrize("scale", ["risk_difference", "risk_ratio", "odds_ratio"])
def test_a_centre_without_events_is_pooled_with_halves_and_says_so(scale: str) -> None:
    people = one_row_each(counts_of((6, 20, 3, 20), (7, 20, 4, 20), (0, 10, 0, 12), (9, 15, 4, 16)))
    found = centre_effects(people, "works", reference="control", scale=scale)
    row = found.table[found.table["level"] == "c02"].iloc[0]
    assert np.isfinite([row["estimate"], row["shrunken"], row["shrunken_low"], row["shrunken_high"], row["weight"]]).all()
    assert row["few_events"] and "Fisher" in row["method"]
    assert any("1 centres where nobody or everybody" in note for note in found.notes)
    assert (found.table.loc[found.table["measure"] == scale, "weight"]).sum() == pytest.approx(1)


def test_a_centre_with_one_arm_and_people_of_no_centre() -> None:
    people = one_row_each(counts_of((6, 20, 3, 20), (7, 20, 4, 20), (9, 15, 4, 16)))
    more = pd.DataFrame({"centre": ["d"] * 4 + [None] * 4, "arm": ["ips"] * 4 + ["ips", "control"] * 2, "works": [1, 0] * 4})
    plain = centre_effects(people, "works", reference="control")
    found = centre_effects(pd.concat([people, more]), "works", reference="control")
    assert any("no effect in d" in note for note in found.notes)
    assert any("people of no known centre (4)" in note for note in found.notes)
    one, two = (x.select(measure="mean_over_centres").table for x in (plain, found))
    pd.testing.assert_frame_equal(one, two)
    unknown = found.table[found.table["level"] == "Unknown"].iloc[0]
    assert unknown["n"] == 4 and math.isnan(unknown["shrunken"])


def test_the_first_centre_may_lack_an_arm() -> None:
    people = one_row_each(counts_of((6, 20, 3, 20), (7, 20, 4, 20), (9, 15, 4, 16)))
    more = pd.DataFrame({"centre": ["a"] * 4, "arm": ["ips"] * 4, "works": [1, 0] * 2})
    found = centre_effects(pd.concat([people, more]), "works", reference="control", scale="multiplicative").table
    assert found.loc[found["level"] != "", "level"].tolist() == ["c00", "c01", "c02"]
    assert set(found["scale"]) == {"risk_ratio"}


def test_hartung_and_knapp_say_when_they_are_narrow() -> None:
    people = one_row_each(counts_of(*[(10, 20, 5, 20), (10, 20, 6, 20), (10, 20, 5, 20), (11, 20, 6, 20)]))
    plain, narrow, wide = (
        centre_effects(people, "works", reference="control", interval=name)
        for name in ("normal", "hartung-knapp", "hartung-knapp-wide")
    )
    errors = [x.select(measure="mean_over_centres").table["std_error"].item() for x in (plain, narrow, wide)]
    assert errors[1] < errors[0] == pytest.approx(errors[2])
    assert any("narrower" in note for note in narrow.notes)
    assert not any("narrower" in note for x in (plain, wide) for note in x.notes)


@pytest.mark.parametrize(("options", "said"), [
    ({"method": "ml"}, "method= is one of"), ({"interval": "t"}, "interval= is one of"), ({"kind": "time"}, "kind= is one of"),
    ({"scale": "hazard_ratio"}, "scale= is"), ({"reference": "x"}, "name the reference arm"), ({"centre": "site"}, "no column site"),
    ({"outcome": None}, "name the outcome"),
])  # fmt: skip
def test_what_cannot_be_is_refused(options: dict, said: str) -> None:
    people = one_row_each(counts_of((6, 20, 3, 20), (7, 20, 4, 20), (9, 15, 4, 16)))
    with pytest.raises(UnsupportedError, match=said):
        centre_effects(people, **({"outcome": "works", "reference": "control"} | options))


@pytest.mark.parametrize(("values", "variances", "design", "said"), [
    ([1.0, np.nan, 2.0], [1.0, 1, 1], None, "finite"), ([1.0, 2, 3], [1.0, 0, 1], None, "above 0"), ([1.0], [1.0], None, "too few"),
    ([1.0, 2, 3], [1.0, 1], None, "same number"), ([1.0, 2, 3], [1.0, 1, 1], [[1, 2], [1, 2], [1, 2]], "constant"),
    ([1.0, 2], [1.0, 1], [[1, 2], [1, 3]], "too few"),
])  # fmt: skip
def test_values_that_cannot_be_pooled(values: list, variances: list, design: list | None, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        pool(np.array(values), np.array(variances), None if design is None else np.array(design, dtype=float))


def test_values_all_alike() -> None:
    found = pool(np.full(4, 0.3), np.full(4, 0.1))
    assert (found.tau2, found.i2, found.q) == (0, 0, pytest.approx(0, abs=1e-20))
    assert found.best == pytest.approx(0.3)


# ---------------------------------------------------------------- modifiers


def test_under_ten_centres_points_only() -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"].head(9)
    found = centre_modifiers(one_row_each(counts), counts, outcome="works", reference="control")
    assert set(found.table["measure"]) == {"risk_difference"} and len(found.table) == 9
    assert any("9 centres, under 10" in note and "not tested" in note for note in found.notes)
    own = subgroup_effects(one_row_each(counts), "centre", "works", reference="control", draws=1).table
    own = own[(own["subgroup"] == "centre") & (own["measure"] == "risk_difference")]
    assert found.table["estimate"].tolist() == own["estimate"].tolist()


def test_modifiers_that_cannot_be() -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"]
    people, ask = one_row_each(counts), {"outcome": "works", "reference": "control"}
    for values, said in (
        (None, "values= is needed"), (counts.drop(columns="fidelity"), "no column fidelity"),
        (pd.concat([counts, counts.head(1)]), "1 centres have several rows"),
        (counts.assign(fidelity="high"), "12 values of fidelity are no finite numbers"),
        (counts.assign(fidelity=np.inf), "no finite numbers"), (counts.assign(fidelity=100), "the same in all 12"),
        (counts.assign(centre="elsewhere").head(1), "called alike"),
    ):  # fmt: skip
        with pytest.raises(UnsupportedError, match=said):
            centre_modifiers(people, values, **ask)
    with pytest.raises(UnsupportedError, match="is empty"):
        centre_modifiers(people, counts, [], **ask)


def test_a_centre_without_a_value_is_left_out_and_counted() -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"].reset_index(drop=True)
    gap = counts.assign(fidelity=counts["fidelity"].astype(float).where(counts.index != 3))
    found = centre_modifiers(one_row_each(counts), gap, outcome="works", reference="control")
    fewer = counts.drop(index=3)
    alone = centre_modifiers(one_row_each(fewer), fewer, outcome="works", reference="control")
    assert any("1 centres without a value" in note for note in found.notes)
    pd.testing.assert_frame_equal(found.table, alone.table)
    assert found.select(measure="slope").table["centres"].item() == 11


def test_the_study_s_own_centres(demo_followup: ips.FollowUp) -> None:
    found = centre_modifiers(demo_followup, modifier=["fidelity", "caseload", "employer_contact_days", "job_plan_days"])
    assert found.table.groupby("modifier").size().to_dict() == dict.fromkeys(
        ["fidelity", "caseload", "employer_contact_days", "job_plan_days"], 6
    )
    assert sum("not tested" in note for note in found.notes) == 4
    effects = centre_effects(demo_followup, at=[12, 43])
    assert effects.table.groupby("month").size().tolist() == [11, 11]


# ---------------------------------------------------------------- properties


effects_and_variances = st.lists(
    st.tuples(st.floats(-2, 2, allow_subnormal=False), st.floats(0.01, 2)), min_size=3, max_size=12
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(effects_and_variances, st.sampled_from(list(METHODS)), st.floats(-3, 3), st.permutations(range(12)))
def test_shifting_turning_and_shuffling(pairs: list, method: str, shift: float, order: list[int]) -> None:
    y, v = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    base = pool(y, v, method=method)
    moved, turned = pool(y + shift, v, method=method), pool(-y, v, method=method)
    place = [i for i in order if i < len(y)]
    mixed = pool(y[place], v[place], method=method)
    assert moved.coefficients[0] == pytest.approx(base.coefficients[0] + shift, abs=1e-6)
    assert turned.coefficients[0] == pytest.approx(-base.coefficients[0], abs=1e-6)
    for other in (moved, turned, mixed):
        assert other.tau2 == pytest.approx(base.tau2, rel=1e-5, abs=1e-7)
    # a prediction lies between a value and the mean, and is never less sure than the value alone under the plain error
    plain = pool(y, v, method=method, interval="normal")
    low, high = np.minimum(y, plain.coefficients[0]), np.maximum(y, plain.coefficients[0])
    assert ((plain.best >= low - 1e-9) & (plain.best <= high + 1e-9)).all()
    assert plain.weights.sum() == pytest.approx(1)
    assert (plain.best_error <= np.sqrt(v) + 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(effects_and_variances)
def test_the_restricted_likelihood_is_at_its_top(pairs: list) -> None:
    y, v = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])

    def likelihood(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return 0.5 * (np.log(w).sum() - np.log(w.sum()) - (w * (y - mean) ** 2).sum())

    best = likelihood(pool(y, v).tau2)
    assert all(likelihood(tau2) <= best + 1e-9 for tau2 in np.concatenate([[0.0], np.geomspace(1e-6, 50, 200)]))


def test_relabelling_the_arms_turns_the_effects() -> None:
    people = one_row_each(PEOPLE[PEOPLE["set"] == "people"])
    one = centre_effects(people, "works", reference="control", scale="odds_ratio").table
    two = centre_effects(people, "works", reference="ips", scale="odds_ratio").table
    pick = ["mean_over_centres", "odds_ratio", "prediction_interval"]
    a, b = (t[t["measure"].isin(pick)].reset_index(drop=True) for t in (one, two))
    np.testing.assert_allclose(a["estimate"], 1 / b["estimate"], rtol=1e-9)
    np.testing.assert_allclose(a["shrunken"].dropna(), 1 / b["shrunken"].dropna(), rtol=1e-9)


def test_rows_in_another_order() -> None:
    people = one_row_each(PEOPLE[PEOPLE["set"] == "people"])
    one = centre_effects(people, "works", reference="control").table
    two = centre_effects(people.sample(frac=1, random_state=2), "works", reference="control").table
    pd.testing.assert_frame_equal(one, two, rtol=1e-10)


# ---------------------------------------------------------------- figures


def texts_apart(figure: mpl.figure.Figure) -> None:
    """No two texts of a figure lie on each other."""
    FigureCanvasAgg(figure).draw()
    found = [t for t in figure.findobj(mpl.text.Text) if t.get_text().strip() and t.get_visible()]
    boxes = [(t.get_window_extent(), t.get_text()) for t in found]
    for i, (box, text) in enumerate(boxes):
        for other, said in boxes[i + 1 :]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert width < 1 or height < 2, f"{text} lies on {said}"


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("number", [3, 12])
@pytest.mark.parametrize("scale", ["risk_difference", "odds_ratio"])
def test_the_forest_holds_every_centre(narrow: bool, number: int, scale: str) -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"].head(number)
    found = centre_effects(one_row_each(counts), "works", reference="control", scale=scale)
    figure = found.plot(narrow=narrow)
    texts_apart(figure)
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert len(labels) == number + 2 and labels[-2].startswith("Mean") and labels[0].startswith("Centre A (n ")


def test_the_scatter_has_a_line_only_where_it_is_tested() -> None:
    counts = PEOPLE[PEOPLE["set"] == "people"]
    for number, lines in ((9, 0), (12, 1)):
        part = counts.head(number)
        found = centre_modifiers(one_row_each(part), part, outcome="works", reference="control")
        (axes,) = found.plot().axes
        curves = [line for line in axes.lines if len(line.get_xdata()) == 50]
        assert len(curves) == lines and len(axes.collections) == number
        sizes = [c.get_sizes()[0] for c in axes.collections]
        people = found.table.loc[found.table["level"] != "", "n"].tolist()
        assert all((a < b) == (x < y) or x == y for (a, b), (x, y) in zip(pairwise(sizes), pairwise(people), strict=True))
