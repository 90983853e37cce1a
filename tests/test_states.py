"""States by month: by hand on six people, against R's multi-state curves, and what must always hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ips_outcomes.analysis import months_in_states, state_occupation, state_transitions, staying_in_work
from ips_outcomes.errors import UnsupportedError

GOLDEN = Path(__file__).parent / "golden"
STATES = ["work", "aap", "none", "dead"]


def rows(paths: dict[str, str], arms: str = "") -> pd.DataFrame:
    """A letter a month: w work, a aap, n none, d dead, . not observed."""
    names = {"w": "work", "a": "aap", "n": "none", "d": "dead", ".": "not_observed"}
    made = [
        {"person_id": person, "arm": arms[i] if arms else "all", "month": month, "state": names[letter], "works": letter == "w"}
        for i, (person, path) in enumerate(paths.items())
        for month, letter in enumerate(path)
    ]
    return pd.DataFrame(made)


SIX = {"p1": "nww", "p2": "nnw", "p3": "aaa", "p4": "an.", "p5": "n.w", "p6": "ndd"}


def test_by_hand_on_six_people() -> None:
    # month 0: none 4 of 6, aap 2 of 6
    # month 1, those known at 0 and 1: from none (p1 w, p2 n, p6 d): work 1/3, none 1/3, dead 1/3; from aap (p3 a, p4 n): half each
    one = np.array([4 / 6 / 3, 2 / 6 / 2, 4 / 6 / 3 + 2 / 6 / 2, 4 / 6 / 3])
    # month 2, those known at 1 and 2: work stays (p1), none goes to work (p2), aap stays (p3), dead stays (p6)
    two = np.array([one[0] + one[2], one[1], 0.0, one[3]])
    found = state_occupation(rows(SIX), by=None, states=STATES).table.pivot(index="month", columns="state", values="estimate")[
        STATES
    ]
    assert found.loc[0].tolist() == pytest.approx([0, 2 / 6, 4 / 6, 0])
    assert found.loc[1].tolist() == pytest.approx(one)
    assert found.loc[2].tolist() == pytest.approx(two)
    months = months_in_states(rows(SIX), by=None, states=STATES).table.set_index("state")["estimate"]
    assert months[STATES].tolist() == pytest.approx(one + two)
    moves = state_transitions(rows(SIX), by=None, states=STATES).table.set_index(["from_state", "to_state"])
    assert moves.loc[("none", "work"), ["events", "n"]].tolist() == [2, 4]
    assert moves.loc[("aap", "none"), ["events", "n"]].tolist() == [1, 3]
    between = state_transitions(rows(SIX), by=None, states=STATES, between=[0, 2]).table.set_index(["from_state", "to_state"])
    # p5 is known at both landmarks, whatever happened between
    assert between.loc[("none", "work"), ["events", "n", "month", "to_month"]].tolist() == [3, 4, 0, 2]


@pytest.mark.parametrize(("name", "call"), [("occupation", state_occupation), ("months", months_in_states)])
def test_against_r(name: str, call) -> None:  # type: ignore[no-untyped-def]
    people = pd.read_csv(GOLDEN / "states_people.csv")
    keys = ["group", "state", *(["month"] if name == "occupation" else [])]
    wanted = pd.read_csv(GOLDEN / f"states_{name}.csv").set_index(keys)
    found = call(people, states=STATES).table.set_index(keys).loc[wanted.index]
    np.testing.assert_allclose(found["estimate"], wanted["estimate"], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(found["std_error"].fillna(0), wanted["std_error"].fillna(0), rtol=1e-6, atol=1e-14)


def test_differences_are_those_of_the_arms_and_clusters_change_errors_only() -> None:
    people = pd.read_csv(GOLDEN / "states_people.csv").assign(site=lambda t: t["person_id"] % 40)
    plain = months_in_states(people, states=STATES, reference="control").table
    alone = plain[plain["measure"] == "months_in_state"].pivot(index="state", columns="group", values="estimate")
    between = plain[plain["measure"] == "months_in_state_difference"].set_index("state")
    np.testing.assert_allclose(between["estimate"], (alone["ips"] - alone["control"])[between.index])
    clustered = months_in_states(people, states=STATES, reference="control", cluster="site").table
    np.testing.assert_allclose(clustered["estimate"], plain["estimate"])
    assert not np.allclose(clustered["std_error"], plain["std_error"])
    lonely = months_in_states(people, states=STATES, reference="control", cluster="person_id").table
    np.testing.assert_allclose(lonely["std_error"], plain["std_error"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("wan.", min_size=4, max_size=4), min_size=2, max_size=12), st.randoms())
def test_states_add_up_and_order_is_nothing(paths: list[str], random) -> None:  # type: ignore[no-untyped-def]
    paths = ["n" + path for path in paths]
    people = rows({f"p{i}": path for i, path in enumerate(paths)})
    found = state_occupation(people, by=None, states=STATES).table
    np.testing.assert_allclose(found.groupby("month")["estimate"].sum(), 1.0)
    months = months_in_states(people, by=None, states=STATES).table
    assert months["estimate"].sum() == pytest.approx(4.0)
    shuffled = people.sample(frac=1, random_state=random.randrange(1000))
    again = state_occupation(shuffled, by=None, states=STATES).table
    np.testing.assert_allclose(again["estimate"], found["estimate"], atol=1e-12)
    np.testing.assert_allclose(again["std_error"], found["std_error"], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("wand", min_size=5, max_size=5), min_size=1, max_size=15))
def test_where_everything_is_known_occupation_is_the_share(paths: list[str]) -> None:
    people = rows({f"p{i}": path for i, path in enumerate(paths)})
    found = state_occupation(people, by=None, states=STATES).table.set_index(["state", "month"])
    shares = people.groupby("month")["state"].value_counts(normalize=True)
    for (month, state), share in shares.items():
        row = found.loc[(state, month)]
        assert row["estimate"] == pytest.approx(share)
        # and its error is that of a proportion
        assert row["std_error"] == pytest.approx(np.sqrt(share * (1 - share) / len(paths)), abs=1e-9)


def test_bad_input_is_refused_in_words() -> None:
    people = rows(SIX)
    with pytest.raises(UnsupportedError, match="does not name dead"):
        state_occupation(people, by=None, states=["work", "aap", "none"])
    with pytest.raises(UnsupportedError, match="repeat a person and month"):
        state_occupation(pd.concat([people, people.head(1)]), by=None)
    with pytest.raises(UnsupportedError, match="no month 3"):
        state_occupation(people, by=None, end=3)
    with pytest.raises(UnsupportedError, match="rising months"):
        state_transitions(people, by=None, between=[2, 0])
    with pytest.raises(UnsupportedError, match="is not a group"):
        months_in_states(rows(SIX, "aabbab"), reference="c")


def test_staying_in_work_by_hand() -> None:
    # months 1 to 6; a month not observed is out of work at least, in work at most
    paths = {"p1": "wwwwww", "p2": "wwn.ww", "p3": "nnnnnn", "p4": "nwwwnn", "p5": "wwddd.", "p6": "......"}
    people = rows({p: "n" + path for p, path in paths.items()}, "aaabbb").assign(dead=lambda t: t["state"] == "dead")
    people["works"] = people["works"].astype("boolean").mask(people["state"].isin(["not_observed", "dead"]))
    people.loc[(people["person_id"] == "p5") & (people["month"] == 6), "dead"] = True
    found = staying_in_work(people, "works", reference="b", steady=4, sustained=[3], dead="dead").table

    def rate(outcome: str, group: str, bound: str) -> tuple[int, int]:
        row = found[(found["outcome"] == outcome) & (found["group"] == group) & (found["bound"] == bound)].iloc[0]
        return int(row["events"]), int(row["n"])

    # a: p1 6, p2 4 (5 at most), p3 0. b: p4 3, p5 2 and then dead, p6 nothing known (6 at most)
    assert [rate("steady_worker", g, b) for g in "ab" for b in ("least", "most")] == [(2, 3), (2, 3), (0, 3), (1, 3)]
    # three in a row: p1; p2 only if month 4 was in work (wwn?ww has three at most: months 4 to 6); p4; p6 at most
    assert [rate("sustained_3", g, b) for g in "ab" for b in ("least", "most")] == [(1, 3), (2, 3), (1, 3), (2, 3)]
    assert [rate("ever_in_work", g, b) for g in "ab" for b in ("least", "most")] == [(2, 3), (2, 3), (2, 3), (3, 3)]
    longest = found[(found["outcome"] == "longest_stretch") & (found["measure"] == "mean")].set_index(["group", "bound"])[
        "estimate"
    ]
    assert longest.to_dict() == pytest.approx(
        {("a", "least"): 8 / 3, ("b", "least"): 5 / 3, ("a", "most"): 9 / 3, ("b", "most"): 11 / 3}
    )
    possible = found[(found["outcome"] == "steady_worker") & found["bound"].str.endswith("possible")].set_index("bound")[
        "estimate"
    ]
    assert possible.to_dict() == pytest.approx({"least_possible": 2 / 3 - 1 / 3, "most_possible": 2 / 3 - 0.0})
