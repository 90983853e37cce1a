"""Effects within subgroups from counts alone: those of `subgroup_effects`, as long as nothing is hidden."""

from __future__ import annotations

from math import isclose, log, sqrt

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.analysis.subgroup_counts import interactions_from_counts

SCALES = ("risk_difference", "risk_ratio", "odds_ratio")
#: What only people can tell.
OWN = ["p_adjusted", "shrunken", "shrunken_low", "shrunken_high", "prior_sd"]


def counted(table: pd.DataFrame, subgroups: list[str], outcome: str = "works") -> pd.DataFrame:
    """Counts of every cell, Unknown named as the estimators name it, everybody first."""
    parts = []
    for name in ["", *subgroups]:
        level = pd.Series("", index=table.index) if name == "" else table[name].fillna("Unknown")
        rows = table.assign(level=level).dropna(subset=[outcome]).groupby(["level", "arm"])[outcome].agg(n="size", events="sum")
        parts.append(rows.reset_index().rename(columns={"arm": "group"}).assign(subgroup=name))
    return pd.concat(parts, ignore_index=True).assign(outcome=outcome, month=pd.NA, events=lambda t: t["events"].astype(int))


def people(n: int, seed: int, arms: tuple[str, ...] = ("ips", "control"), rate: float = 0.4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "arm": rng.choice(arms, n), "two": rng.choice(["a", "b"], n), "four": rng.choice(["p", "q", "r", "s"], n), "works": rng.random(n) < rate,
    })  # fmt: skip
    table["two"] = table["two"].mask(rng.random(n) < 0.1)
    return table


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("n", "rate", "arms"),
    [(400, 0.4, ("ips", "control")), (90, 0.15, ("ips", "control")), (300, 0.4, ("ips", "other", "control"))],
)
def test_equals_the_answer_from_people(n: int, rate: float, arms: tuple[str, ...], scale: str):
    table = people(n, 8, arms, rate)
    compared = {"two": "a", "four": "p"}
    asked = ips.subgroup_effects(
        table, ["two", "four"], "works", reference="control", scale=scale, draws=5, compared_with=compared
    )
    made = interactions_from_counts(counted(table, ["two", "four"]), "control", scale, compared_with=compared)
    assert list(made.table.columns.sort_values()) == list(asked.table.columns.sort_values())
    columns = [c for c in asked.table.columns if c not in OWN]
    pd.testing.assert_frame_equal(made.table[columns], asked.table[columns], check_dtype=False, rtol=1e-10)
    assert asked.table["few_events"].eq(True).any() == (n < 400)
    assert made.table[OWN].isna().all(axis=None)


#: arm, level: people and events.
BY_HAND = {("ips", "young"): (20, 12), ("control", "young"): (25, 5), ("ips", "old"): (40, 16), ("control", "old"): (30, 9)}


def by_hand() -> pd.DataFrame:
    rows = [{"group": a, "level": x, "n": n, "events": e} for (a, x), (n, e) in BY_HAND.items()]
    return pd.DataFrame(rows).assign(outcome="work", month=43, subgroup="age")


def test_by_hand():
    # the young: 12/20 - 5/25 = 0.4; the old: 16/40 - 9/30 = 0.1; the difference between them 0.3
    row = interactions_from_counts(by_hand(), "control").select(measure="interaction").table.iloc[0]
    assert isclose(row["estimate"], 0.3)
    error = sqrt(0.6 * 0.4 / 20 + 0.2 * 0.8 / 25 + 0.4 * 0.6 / 40 + 0.3 * 0.7 / 30)
    assert isclose(row["std_error"], error)
    assert isclose(row["conf_low"], 0.3 - 1.959963984540054 * error, rel_tol=1e-12)
    assert (row["level"], row["compared_with"], row["n"], row["tests"]) == ("young", "old", 115, 1)
    # ratios of 3 and 4/3: their ratio 2.25
    ratio = interactions_from_counts(by_hand(), "control").select(measure="interaction_risk_ratio").table.iloc[0]
    assert isclose(ratio["estimate"], 2.25)
    assert isclose(ratio["std_error"], sqrt(8 / (20 * 12) + 20 / (25 * 5) + 24 / (40 * 16) + 21 / (30 * 9)))
    assert isclose(log(ratio["conf_high"] / 2.25), 1.959963984540054 * ratio["std_error"], rel_tol=1e-12)
    odds = interactions_from_counts(by_hand(), "control").select(measure="interaction_odds_ratio").table.iloc[0]
    assert isclose(odds["estimate"], (12 * 20 / (8 * 5)) / (16 * 21 / (24 * 9)))
    assert isclose(odds["std_error"], sqrt(sum(1 / e + 1 / (n - e) for n, e in BY_HAND.values())))


def test_hidden_levels_have_no_answer_and_hidden_tests_still_count():
    table = people(600, 4)
    counts = counted(table, ["two", "four"])
    whole = interactions_from_counts(counts, "control")
    gone = (counts["subgroup"] == "four") & counts["level"].isin(["q", "r"]) & (counts["group"] == "ips")
    hidden = counts.assign(events=counts["events"].astype("Int64").mask(gone))
    made = interactions_from_counts(
        hidden, "control", compared_with={"two": "b", "four": "s"}, tests=int(whole.table["tests"].max())
    )
    four = made.select(subgroup="four").table
    assert set(four["level"]) == {"p", "s"}
    kept = whole.table.set_index(["subgroup", "level", "measure"])
    for row in made.table.to_dict("records"):
        same = kept.loc[(row["subgroup"], row["level"], row["measure"])]
        assert isclose(row["estimate"], same["estimate"]) and isclose(row["p_value"], same["p_value"])
        # two of four tests are hidden: as if nothing had been found in them, so never surer than with all of them
        if row["measure"] == "interaction":
            assert row["tests"] == 4 and row["p_holm"] >= same["p_holm"] - 1e-12
    alone = np.sort(made.select(measure="interaction").table["p_value"])
    assert np.allclose(
        np.sort(made.select(measure="interaction").table["p_holm"]),
        np.minimum([4 * alone[0], max(4 * alone[0], 3 * alone[1])], 1),
    )
    # a reference level that is hidden leaves effects, but nothing to compare them with
    without = counts.assign(
        events=counts["events"].astype("Int64").mask((counts["subgroup"] == "two") & (counts["level"] == "b"))
    )
    made = interactions_from_counts(without, "control", compared_with={"two": "b", "four": "s"})
    assert set(made.select(subgroup="two").table["measure"]) == set(SCALES)


def test_refuses_what_cannot_be():
    counts = by_hand()
    with pytest.raises(ips.UnsupportedError, match="scale= is one of"):
        interactions_from_counts(counts, "control", "hazard_ratio")
    with pytest.raises(ips.UnsupportedError, match="needs the column events"):
        interactions_from_counts(counts.drop(columns="events"), "control")
    with pytest.raises(ips.UnsupportedError, match="1 rows of counts have more events"):
        interactions_from_counts(counts.assign(events=[30, 5, 16, 9]), "control")
    with pytest.raises(ips.UnsupportedError, match="nobody to compare"):
        interactions_from_counts(counts[counts["group"] == "ips"], "control")
    with pytest.raises(ips.UnsupportedError, match="at least the 1 tests"):
        interactions_from_counts(counts, "control", tests=0)
    # an arm without anybody in a level, and cells without any event
    nobody = counts.assign(n=[0, 25, 40, 30], events=[0, 5, 16, 9])
    made = interactions_from_counts(nobody, "control").table
    assert set(made.loc[made["estimate"].notna(), "level"]) == {"old"}
    none = interactions_from_counts(counts.assign(events=[0, 0, 16, 9]), "control")
    assert none.select(level="young", measure="risk_difference").table["few_events"].tolist() == [True]
    assert none.table["estimate"].notna().all()
