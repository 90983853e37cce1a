"""What must hold whatever the data."""

from __future__ import annotations

from math import isfinite

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ips_outcomes import compare_arms, cumulative_incidence, employment_rates, hazard_ratio
from ips_outcomes.analysis.event_table import event_table, patterns
from ips_outcomes.analysis.incidence import incidence_from_table
from ips_outcomes.errors import UnsupportedError

quick = settings(max_examples=40, deadline=None)

NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
CURVE = ["at_risk", "events", "competing", "censored", "estimate", "std_error", "conf_low", "conf_high"]


@st.composite
def times(draw: st.DrawFn, events: tuple[int, ...] = (0, 1, 2), first: int = 0) -> pd.DataFrame:
    """2 to 30 people with an entry before their time, both arms there, in few months, so that ties abound."""
    size = draw(st.integers(2, 30))
    rows = []
    for i in range(size):
        time = draw(st.integers(first, 7))
        arm = ("a", "b")[i] if i < 2 else draw(st.sampled_from("ab"))
        rows.append((arm, draw(st.integers(0, max(time - 1, 0))), time, draw(st.sampled_from(events)), draw(st.integers(1, 3))))
    return pd.DataFrame(rows, columns=["arm", "entry", "time", "event", "copies"])


@st.composite
def two_arms(draw: st.DrawFn, least: int = 0) -> pd.DataFrame:
    """Two arms of 1 to 40 people; ``least`` people with and without the outcome in each."""
    parts = []
    for arm in ("a", "b"):
        events, others = draw(st.integers(least, 20)), draw(st.integers(least, 20))
        assume(events + others > 0)
        parts.append(pd.DataFrame({"arm": arm, "works": [1] * events + [0] * others}))
    return pd.concat(parts, ignore_index=True)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- order of rows


@quick
@given(times(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter_to_incidence(people: pd.DataFrame, random) -> None:
    order = random.sample(range(len(people)), len(people))
    same(cumulative_incidence(people, by="arm").table, cumulative_incidence(people.iloc[order], by="arm").table)


@quick
@given(two_arms(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter_to_rates_and_comparisons(people: pd.DataFrame, random) -> None:
    mixed = people.iloc[random.sample(range(len(people)), len(people))]
    same(employment_rates(people, "works", by="arm").table, employment_rates(mixed, "works", by="arm").table)
    same(compare_arms(people, "works", reference="a").table, compare_arms(mixed, "works", reference="a").table)


# ---------------------------------------------------------------- frequencies


@quick
@given(times(first=1))
def test_repeated_rows_equal_frequencies(people: pd.DataFrame) -> None:
    repeated = people.loc[people.index.repeat(people["copies"])]
    for cause in (1, 2):
        weighted = cumulative_incidence(people, by="arm", cause=cause, entry="entry", weights="copies").table
        plain = cumulative_incidence(repeated, by="arm", cause=cause, entry="entry").table
        same(weighted[["group", "time", *CURVE]], plain[["group", "time", *CURVE]])


def test_frequencies_count_as_people() -> None:
    two_rows = pd.DataFrame({"time": [1, 2], "event": [1, 0], "copies": [3, 2]})
    assert cumulative_incidence(two_rows, weights="copies").table["n"].tolist() == [5, 5, 5]


def test_probability_weights_need_not_add_up_to_whole_numbers() -> None:
    people = pd.DataFrame({"time": [1, 2, 3], "event": [1, 2, 0], "weight": [0.5, 1.25, 0.75]})
    found = cumulative_incidence(people, weights="weight", weight_type="probability").table
    # 0.5 of 2.5 have the event in month 1
    assert found["estimate"].tolist() == pytest.approx([0, 0.2, 0.2, 0.2])


@quick
@given(times(), st.sampled_from([0.5, 2.0, 4.0]))
def test_scaling_probability_weights_changes_nothing(people: pd.DataFrame, factor: float) -> None:
    # weights 2, 4 and 6, or half, twice or four times as much: sums stay whole numbers
    options = {"by": "arm", "weight_type": "probability", "weights": "weight"}
    base = cumulative_incidence(people.assign(weight=2.0 * people["copies"]), **options).table
    scaled = cumulative_incidence(people.assign(weight=2.0 * factor * people["copies"]), **options).table
    same(base[["group", "time", "estimate", "std_error"]], scaled[["group", "time", "estimate", "std_error"]])


# ---------------------------------------------------------------- arms swapped


def mirrored(forth: pd.DataFrame, back: pd.DataFrame) -> None:
    """Differences change their sign, ratios are turned over, limits change places, errors and p stay."""
    forth, back = forth.set_index("measure"), back.set_index("measure")
    assert set(forth.index) == set(back.index)
    for measure in forth.index:
        a, b = forth.loc[measure, NUMBERS].astype(float), back.loc[measure, NUMBERS].astype(float)
        difference = measure.endswith("difference")
        for one, other in (("estimate", "estimate"), ("conf_low", "conf_high"), ("conf_high", "conf_low")):
            if difference:
                assert b[other] == pytest.approx(-a[one], rel=1e-9, abs=1e-12, nan_ok=True)
            elif isfinite(a[one]) and a[one] > 0:
                assert b[other] == pytest.approx(1 / a[one], rel=1e-9)
            elif np.isnan(a[one]):
                assert np.isnan(b[other])
            else:
                assert {a[one], b[other]} == {0.0, np.inf}
        for column in ("std_error", "p_value"):
            assert b[column] == pytest.approx(a[column], rel=1e-9, abs=1e-12, nan_ok=True)


@quick
@given(two_arms())
def test_swapping_arms_mirrors_the_comparison(people: pd.DataFrame) -> None:
    mirrored(compare_arms(people, "works", reference="a").table, compare_arms(people, "works", reference="b").table)


@quick
@given(two_arms(least=1), two_arms(least=1))
def test_swapping_arms_mirrors_the_stratified_comparison(one: pd.DataFrame, two: pd.DataFrame) -> None:
    people = pd.concat([one.assign(site=1), two.assign(site=2)], ignore_index=True)
    mirrored(*(compare_arms(people, "works", reference=arm, strata="site").table for arm in "ab"))


@settings(max_examples=20, deadline=None)
@given(two_arms(least=3))
def test_swapping_arms_mirrors_the_adjusted_comparison(people: pd.DataFrame) -> None:
    people["age"] = np.arange(len(people)) * 7 % 11
    mirrored(*(compare_arms(people, "works", reference=arm, adjust="age").table for arm in "ab"))


def test_swapping_arms_turns_the_hazard_ratio_over() -> None:
    people = pd.DataFrame(
        {"arm": ["a", "b"] * 5, "time": [1, 2, 3, 3, 5, 4, 4, 6, 7, 7], "event": [1, 1, 0, 1, 1, 1, 2, 0, 1, 1]}
    )
    mirrored(hazard_ratio(people, reference="a").table, hazard_ratio(people, reference="b").table)


# ---------------------------------------------------------------- an answer or a refusal, never a crash or a guess


@pytest.mark.parametrize(
    ("a", "b"), [([0, 0], [0, 0]), ([0, 0], [1, 0]), ([1, 0], [0, 0]), ([1, 1], [1, 1]), ([1, 1], [0, 0])], ids=str
)
def test_empty_cells_do_not_crash_the_stratified_comparison(a: list[int], b: list[int]) -> None:
    # both sites alike: two people an arm
    arms = pd.DataFrame({"arm": ["a", "a", "b", "b"], "works": [*a, *b]})
    people = pd.concat([arms.assign(site=1), arms.assign(site=2)], ignore_index=True)
    found = compare_arms(people, "works", reference="b", strata="site").table.set_index("measure")
    assert found.loc["risk_difference", "estimate"] == pytest.approx(np.mean(a) - np.mean(b))
    assert not np.isinf(found[["std_error", "conf_low", "conf_high"]].to_numpy()).any()


def test_strata_with_one_arm_each_are_refused_or_empty() -> None:
    people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "works": [1, 0, 1, 0], "site": [1, 1, 2, 2]})
    try:
        found = compare_arms(people, "works", reference="b", strata="site").table
    except UnsupportedError:
        return
    assert found["estimate"].isna().all()


def test_strata_do_not_go_unheard_with_a_number() -> None:
    people = pd.DataFrame({"arm": ["a", "b"] * 6, "hours": [float(i * i % 7) for i in range(12)], "site": [1] * 5 + [2] * 7})
    with pytest.raises(UnsupportedError):
        compare_arms(people, "hours", reference="b", strata="site")


@pytest.mark.parametrize("compare", [compare_arms, hazard_ratio])
def test_the_reference_can_be_a_number(compare) -> None:
    people = pd.DataFrame({"arm": [0, 1] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    options = {"outcome": "event"} if compare is compare_arms else {}
    for reference, contrast in ((0, "1 / 0"), (1, "0 / 1")):
        assert contrast in compare(people, reference=reference, **options).table["contrast"].tolist()


# ---------------------------------------------------------------- curves


@quick
@given(times(first=1), st.booleans())
def test_incidences_and_event_free_share_add_up_to_one(people: pd.DataFrame, late: bool) -> None:
    folded = patterns(people, "time", "event", "entry" if late else None, None, "frequency")
    one, two = (pd.DataFrame(incidence_from_table(event_table(folded, cause))) for cause in (1, 2))
    assert (one["estimate"] + two["estimate"] + one["event_free"]).to_numpy() == pytest.approx(1)
    for curve in (one, two):
        assert (curve["estimate"].diff().dropna() >= 0).all()


def kaplan_meier(people: pd.DataFrame) -> list[float]:
    rows, curve, free = people[["time", "event"]].to_numpy().tolist(), [], 1.0
    for month in range(max(time for time, _ in rows) + 1):
        at_risk = sum(time >= month for time, _ in rows)
        free *= 1 - sum(time == month and event == 1 for time, event in rows) / at_risk
        curve.append(free)
    return curve


@quick
@given(times(events=(0, 1)))
def test_without_competing_events_incidence_is_one_minus_kaplan_meier(people: pd.DataFrame) -> None:
    found = cumulative_incidence(people).table["estimate"].to_numpy()
    assert found == pytest.approx(1 - np.array(kaplan_meier(people)), abs=1e-12)


@quick
@given(times(first=1))
def test_incidence_interval_holds_the_estimate(people: pd.DataFrame) -> None:
    found = cumulative_incidence(people, entry="entry").table.dropna(subset=["conf_low", "conf_high"])
    assert (found["conf_low"] >= 0).all() and (found["conf_high"] <= 1).all()
    assert (found["conf_low"] <= found["estimate"] + 1e-12).all() and (found["estimate"] <= found["conf_high"] + 1e-12).all()


@quick
@given(st.integers(1, 500), st.data())
def test_rate_interval_holds_the_rate_and_lies_between_zero_and_one(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    row = employment_rates(pd.DataFrame({"works": [1] * events + [0] * (n - events)}), "works").table.iloc[0]
    assert 0 <= row["conf_low"] <= row["estimate"] <= row["conf_high"] <= 1
    assert row["conf_low"] < row["conf_high"]
