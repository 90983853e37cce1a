"""Log-rank and Gray's test: against R, by hand, and at the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ips_outcomes.analysis import expected_events, gray_test, log_rank
from ips_outcomes.errors import UnsupportedError

GOLDEN = Path(__file__).parent / "golden"
ANSWERS = pd.read_csv(GOLDEN / "survival_tests.csv").set_index("case")


def rows(case: str) -> pd.DataFrame:
    people = pd.read_csv(GOLDEN / "survival_people.csv")
    people = people[people["arm"].isin(["control", "ips", "other"])]
    # R's exact score test costs too much for more than a few people
    return people[people["arm"] != "other"] if "two" in case else people.head(50) if "entry" in case else people


@pytest.mark.parametrize("case", ANSWERS.index)
def test_as_in_r(case: str) -> None:
    options = {"strata": {"strata": "site"}, "frequency": {"weights": "copies"}, "entry": {"entry": "entry"}}
    asked = next((o for word, o in options.items() if word in case), {})
    found = (gray_test if case.startswith("gray") else log_rank)(rows(case), by="arm", cause=int(case[-1]), **asked).table
    assert len(found) == 1
    theirs = ANSWERS.loc[case]
    assert found["statistic"][0] == pytest.approx(theirs["statistic"], rel=1e-8)
    assert found["degrees_of_freedom"][0] == theirs["freedom"]
    assert found["p_value"][0] == pytest.approx(theirs["p_value"], rel=1e-6)


def test_expected_events_as_in_r() -> None:
    theirs = pd.read_csv(GOLDEN / "survival_expected.csv")
    ours = expected_events(rows(""), by="arm").table
    assert ours["group"].tolist() == theirs["group"].tolist() and ours["events"].tolist() == theirs["events"].tolist()
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-8)


def test_log_rank_by_hand() -> None:
    # expected in a: 2/4 + 1/3; variance 1/4 + 2/9 (one event a time); the last two times hold b alone
    people = pd.DataFrame({"arm": list("aabb"), "time": [1, 2, 3, 4], "event": 1})
    assert log_rank(people, by="arm").table["statistic"][0] == pytest.approx((2 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))


def test_tiny_p_values_are_not_zero() -> None:
    counts = pd.DataFrame({"arm": list("aabb"), "time": [1, 5, 1, 5], "event": [1, 0, 1, 0], "n": [900, 100, 300, 700]})
    p = log_rank(counts, by="arm", weights="n").table["p_value"][0]
    assert 0 < p < 1e-100


@pytest.mark.parametrize("test", [log_rank, gray_test])
def test_nothing_to_tell_groups_apart(test) -> None:
    people = pd.DataFrame({"arm": list("aabb"), "time": [1, 2, 3, 4], "event": 0})
    found = test(people, by="arm")
    assert np.isnan(found.table["p_value"][0]) and found.notes
    with pytest.raises(UnsupportedError, match="one group"):
        test(people.head(2), by="arm")


@pytest.mark.parametrize("test", [log_rank, gray_test])
def test_a_group_without_events_is_still_compared(test) -> None:
    people = pd.DataFrame({"arm": list("aaabbb"), "time": [1, 2, 4, 3, 4, 5], "event": [1, 1, 0, 0, 0, 0]})
    assert 0 < test(people, by="arm").table["p_value"][0] < 1


def test_what_is_not_supported_is_refused() -> None:
    people = pd.DataFrame({"arm": list("aabb"), "time": [1, 2, 3, 4], "event": 1, "entry": 0, "w": 1.5})
    with pytest.raises(UnsupportedError, match="delayed entry"):
        gray_test(people, by="arm", entry="entry")
    with pytest.raises(UnsupportedError, match="probability weights"):
        log_rank(people, by="arm", weights="w", weight_type="probability")
