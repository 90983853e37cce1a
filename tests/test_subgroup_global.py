"""The global test: all arrangements of eight people, strata, kinds of outcomes, and what it cannot answer."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_subgroups import long, world

from ips_outcomes.analysis import subgroup_global_test
from ips_outcomes.errors import UnsupportedError


def ask(data: pd.DataFrame, subgroups: Any = "sex", outcome: Any = "works", **options: Any) -> pd.Series:
    table = subgroup_global_test(data, subgroups, outcome, reference="control", **{"permutations": 400, **options}).table
    assert len(table) == 1 and table["measure"][0] == "global_test"
    return table.iloc[0]


def test_all_arrangements_of_eight_people() -> None:
    y, level = np.array([1.0, 1, 1, 0, 1, 0, 0, 0]), np.array([1, 1, 0, 0, 1, 1, 0, 0])
    people = pd.DataFrame({"arm": ["ips"] * 4 + ["control"] * 4, "g": np.where(level, "a", "b"), "works": y})

    def largest(arm: set[int]) -> float:
        found = 0.0
        for own in (range(8), np.flatnonzero(level), np.flatnonzero(level == 0)):
            own = list(own)
            n, n1, mean = len(own), len(arm & set(own)), y[own].mean()
            square = ((y[own] - mean) ** 2).sum()
            if 0 < n1 < n and square > 0:
                effect = y[[i for i in own if i in arm]].mean() - y[[i for i in own if i not in arm]].mean()
                found = max(found, abs(effect) / np.sqrt(square / (n - 1) * (1 / n1 + 1 / (n - n1))))
        return found

    seen = largest({0, 1, 2, 3})
    exact = np.mean([largest(set(c)) >= seen - 1e-12 for c in combinations(range(8), 4)])
    row = ask(people, "g", permutations=20_000)
    np.testing.assert_allclose(row["statistic"], seen)
    assert row["p_value"] == pytest.approx(exact, abs=0.012) and row["n"] == 8


def test_strata_keep_their_arms() -> None:
    data = world(1, 120)
    # where the arm follows from the stratum in all but one stratum, only that one is drawn again
    data["centre"] = np.where(data.index < 60, data["arm"], "both")
    free, within = ask(data), ask(data, strata="centre")
    assert free["statistic"] != within["statistic"]
    # people of the other strata could not have been otherwise, so they say nothing
    alone = ask(data[data["centre"] == "both"].reset_index(drop=True))
    np.testing.assert_allclose(within["statistic"], alone["statistic"])
    assert within["p_value"] == pytest.approx(alone["p_value"], abs=0.12)
    with pytest.raises(UnsupportedError, match="no stratum has people of both arms"):
        ask(data, strata="arm")


def test_every_kind_of_outcome_finds_a_large_effect_in_one_level() -> None:
    data = world(2, 200)
    hit = (data["sex"] == "woman") & (data["arm"] == "ips")
    data["works"], data["pay"] = data["works"].where(~hit, 1), data["pay"] + 60 * hit
    data["time"] = data["time"].where(~hit, 1)
    data.loc[hit, "event"] = 1
    rows = long(5, 120)
    rows["works"] = rows["works"].where(~((rows["sex"] == "woman") & (rows["arm"] == "ips")), 1)
    found = [
        ask(data),
        ask(data, outcome="pay"),
        ask(data, outcome=None, event="event"),
        ask(rows, kind="months"),
        ask(rows, at=2),
    ]
    for row in found:
        assert row["p_value"] <= 0.01 and row["found_in"] == "sex: woman"


def test_log_rank_scores_are_observed_less_expected() -> None:
    from ips_outcomes.analysis import log_rank

    data = world(3, 150).assign(one="a")
    data.loc[0, "one"] = "b"
    data["event"] = (data["event"] == 1).astype(int)
    row = ask(data, "one", None, event="event")
    z2 = float(log_rank(data, by="arm").table["statistic"].iloc[0])
    # the permutation variance is near to the log-rank's
    assert row["statistic"] ** 2 == pytest.approx(z2, rel=0.15, abs=0.1) or row["found_in"] == "one: a"


def test_the_same_seed_and_memory_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from ips_outcomes.analysis import subgroup_global

    data = world(4, 90)
    first = ask(data, seed=3)["p_value"]
    assert ask(data, seed=3)["p_value"] == first
    monkeypatch.setattr(subgroup_global, "CELLS", 90 * 70)
    assert ask(data, seed=3)["p_value"] == pytest.approx(first, abs=0.15)


def test_what_has_no_answer() -> None:
    data = world(5, 90)
    row = ask(data.assign(works=1))
    assert np.isnan(row["p_value"]) and row["method"] == "no test: nothing varies"
    with pytest.raises(UnsupportedError, match="both arms"):
        ask(data.assign(works=np.nan))
    with pytest.raises(UnsupportedError, match="at least 1"):
        ask(data, permutations=0)
    with pytest.raises(UnsupportedError, match="one outcome"):
        ask(data, outcome=["works", "pay"])
    # a level without an arm is no part of the largest
    lonely = data.assign(g=np.where((data["arm"] == "ips") & (data["age"] < 30), "x", "y"))
    assert ask(lonely, "g")["found_in"] != "g: x"
