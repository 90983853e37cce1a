"""Two proportions: score and profile intervals and exact tests against R, by hand, and what must hold whatever the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ips_outcomes import UnsupportedError, compare_arms
from ips_outcomes.analysis.compare import chosen_intervals
from ips_outcomes.analysis.exact_tests import fisher_p, mid_p, pearson_p
from ips_outcomes.analysis.two_proportions import INTERVALS, miettinen_nurminen, newcombe

GOLDEN = Path(__file__).parent / "golden"
CELLS = ["e1", "n1", "e0", "n0"]
quick = settings(max_examples=50, deadline=None)


def answers() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "rates_two.csv", float_precision="round_trip")


def cells(table: pd.DataFrame) -> list[np.ndarray]:
    return [table[c].to_numpy(float) for c in CELLS]


@pytest.mark.parametrize(
    ("measure", "interval"),
    [(m, i) for m, known in INTERVALS.items() for i in known if i != "log-wald"],
)
def test_intervals_of_two_proportions_equal_r(measure: str, interval: str) -> None:
    # R finds most likely risks by search where Python has closed forms
    theirs = answers().query("measure == @measure and interval == @interval")
    assert len(theirs) == 12
    low, high = INTERVALS[measure][interval][1](*cells(theirs))
    np.testing.assert_allclose(low, theirs["conf_low"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(high, theirs["conf_high"], rtol=1e-7, atol=1e-9)


def test_exact_tests_equal_r() -> None:
    theirs = answers().drop_duplicates(CELLS)
    np.testing.assert_allclose(fisher_p(*cells(theirs)), theirs["fisher"], rtol=1e-8)
    np.testing.assert_allclose(mid_p(*cells(theirs)), theirs["mid_p"], rtol=1e-8)


def test_fisher_by_hand() -> None:
    # 2 of 3 against 1 of 3: of 20 ways to give 3 jobs to 6 people, 1, 9, 9, 1 put 0, 1, 2, 3 into the first arm.
    # The table seen has 9/20; none of the others is more likely, so p = 1; mid-p leaves out half of 18/20.
    one = [np.array([x]) for x in (2.0, 3.0, 1.0, 3.0)]
    assert fisher_p(*one)[0] == pytest.approx(1)
    assert mid_p(*one)[0] == pytest.approx(2 / 20 + 18 / 40)
    # 3 of 3 against none: 2/20, and half of it
    far = [np.array([x]) for x in (3.0, 3.0, 0.0, 3.0)]
    assert (fisher_p(*far)[0], mid_p(*far)[0]) == pytest.approx((0.1, 0.05))


def test_exact_tests_agree_with_scipy_for_large_numbers() -> None:
    table = [900.0, 5000.0, 1000.0, 5100.0]
    found = fisher_p(*(np.array([x]) for x in table))[0]
    assert found == pytest.approx(stats.fisher_exact([[900, 4100], [1000, 4100]]).pvalue, rel=1e-7)


def test_an_empty_arm_or_column_has_a_defined_answer() -> None:
    nobody = [np.array([x]) for x in (0.0, 0.0, 1.0, 3.0)]
    for known in INTERVALS.values():
        for _, function in known.values():
            assert np.isnan(function(*nobody)).all()
    assert np.isnan(fisher_p(*nobody)).all() and np.isnan(pearson_p(*nobody)).all()
    none = [np.array([x]) for x in (0.0, 10.0, 0.0, 12.0)]
    assert fisher_p(*none)[0] == 1 and np.isnan(pearson_p(*none)[0])
    low, high = INTERVALS["risk_ratio"]["koopman"][1](*none)
    assert (low[0], high[0]) == (0.0, np.inf)
    low, high = miettinen_nurminen(*none)
    assert -1 < low[0] < 0 < high[0] < 1


def test_no_event_in_an_arm_leaves_one_side_of_a_ratio() -> None:
    people = pd.DataFrame({"arm": ["a"] * 10 + ["b"] * 10, "works": [0] * 10 + [1] * 4 + [0] * 6})
    found = compare_arms(people, "works", reference="b", intervals="score").table.set_index("measure")
    for measure in ("risk_ratio", "odds_ratio"):
        assert found.loc[measure, "estimate"] == found.loc[measure, "conf_low"] == 0
        assert 0 < found.loc[measure, "conf_high"] < np.inf
        assert found.loc[measure, "method"] in ("Koopman", "Miettinen-Nurminen")
    assert np.isfinite(found.loc["risk_difference", ["conf_low", "conf_high"]].astype(float)).all()


def test_intervals_and_tests_are_chosen_by_name() -> None:
    people = pd.DataFrame({"arm": ["a"] * 9 + ["b"] * 8, "works": [1] * 6 + [0] * 3 + [1] * 2 + [0] * 6})
    found = compare_arms(people, "works", reference="b", intervals={"odds_ratio": "profile"}, test="mid-p")
    assert found.table["method"].tolist() == ["Newcombe", "log Wald", "profile likelihood"]
    e = [np.array([x]) for x in (6.0, 9.0, 2.0, 8.0)]
    assert found.table["p_value"].tolist() == [mid_p(*e)[0]] * 3
    assert "mid-p" in found.method and any("Lancaster" in r for r in found.references)
    assert chosen_intervals("score")["risk_ratio"] == "koopman"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intervals": "exact"}, "intervals= is one of"), ({"intervals": {"risk_ratio": "newcombe"}}, "no interval newcombe"),
        ({"intervals": {"slope": "wald"}}, "no interval wald"), ({"test": "chi"}, "test= is one of"),
        ({"test": "fisher", "adjust": "age"}, "unadjusted"), ({"intervals": "score", "strata": "age"}, "unadjusted"),
    ],
)  # fmt: skip
def test_names_that_are_not_known_are_refused(options: dict, message: str) -> None:
    people = pd.DataFrame({"arm": ["a", "b"] * 4, "works": [0, 1, 1, 0] * 2, "age": range(8)})
    with pytest.raises(UnsupportedError, match=message):
        compare_arms(people, "works", reference="b", **options)


# ---------------------------------------------------------------- properties


@st.composite
def pairs(draw: st.DrawFn) -> list[np.ndarray]:
    n1, n0 = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    return [np.array([float(x)]) for x in (draw(st.integers(0, n1)), n1, draw(st.integers(0, n0)), n0)]


@quick
@given(pairs())
def test_intervals_hold_the_estimate_and_stay_in_range(table: list[np.ndarray]) -> None:
    e1, n1, e0, n0 = (float(x[0]) for x in table)
    for measure, known in INTERVALS.items():
        odds = e1 * (n0 - e0), e0 * (n1 - e1)
        ratio = (e1 / n1, e0 / n0) if measure == "risk_ratio" else odds
        for name, (_, function) in known.items():
            low, high = (float(x[0]) for x in function(*table))
            if measure == "risk_difference":
                slack = 1e-9
                # Agresti and Caffo shrink towards no difference and may miss an estimate at the border
                assert -1 <= low <= high <= 1
                assert name == "agresti-caffo" or low - slack <= e1 / n1 - e0 / n0 <= high + slack
            elif not np.isnan(low):
                assert 0 <= low <= high
                if min(ratio) > 0:
                    assert low * (1 - 1e-9) <= ratio[0] / ratio[1] <= high * (1 + 1e-9)


@quick
@given(pairs())
def test_changing_arms_turns_every_interval_round(table: list[np.ndarray]) -> None:
    back = [*table[2:], *table[:2]]
    for measure, known in INTERVALS.items():
        for _, function in known.values():
            (low, high), (other_low, other_high) = function(*table), function(*back)
            with np.errstate(divide="ignore"):
                turned = (-other_high, -other_low) if measure == "risk_difference" else (1 / other_high, 1 / other_low)
            np.testing.assert_allclose([low, high], turned, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose([fisher_p(*table), mid_p(*table)], [fisher_p(*back), mid_p(*back)], rtol=1e-9)


@quick
@given(pairs())
def test_one_more_event_moves_the_interval_up(table: list[np.ndarray]) -> None:
    if table[0][0] == table[1][0]:
        return
    more = [table[0] + 1, *table[1:]]
    for function in (newcombe, miettinen_nurminen, INTERVALS["risk_ratio"]["koopman"][1], INTERVALS["odds_ratio"]["profile"][1]):
        before, after = np.array(function(*table)), np.array(function(*more))
        assert (after >= before * (1 - 1e-9) - 1e-9).all()


@quick
@given(pairs())
def test_mid_p_is_below_fisher(table: list[np.ndarray]) -> None:
    fisher, mid = fisher_p(*table)[0], mid_p(*table)[0]
    assert 0 < mid <= fisher <= 1
    assert mid >= fisher / 2


def test_thousands_of_tables_in_one_call_are_those_one_by_one() -> None:
    rng = np.random.default_rng(5)
    n1, n0 = rng.integers(1, 300, 3000).astype(float), rng.integers(1, 300, 3000).astype(float)
    e1, e0 = np.floor(rng.random(3000) * (n1 + 1)), np.floor(rng.random(3000) * (n0 + 1))
    for known in INTERVALS.values():
        for _, function in known.values():
            low, high = function(e1, n1, e0, n0)
            for i in (0, 1500, 2999):
                one = function(e1[[i]], n1[[i]], e0[[i]], n0[[i]])
                np.testing.assert_array_equal([low[i], high[i]], np.ravel(one))
