"""Levels add up to their arm: no subtraction opens a hidden level, in any table, and what is shown follows from what is shown."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import ips_outcomes as ips
from ips_outcomes.analysis.subgroup_counts import interactions_from_counts
from ips_outcomes.reporting.subgroup_gate import hidden_cells
from ips_outcomes.reporting.suppression import load_profile

K = 5


def unsafe(n: int, events: int) -> bool:
    return any(0 < x < K for x in (n, events, n - events))


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), min_size=1, max_size=6))
def test_what_is_hidden_cannot_be_found_by_subtraction(cells: list[tuple[int, float]]):
    n = [size for size, _ in cells]
    events = [round(size * share) for size, share in cells]
    people, gone = hidden_cells([f"level {i}" for i in range(len(cells))], n, events, K)
    real = {i for i in range(len(cells)) if n[i] > 0}
    assert people <= gone <= real
    # all small counts are hidden, and small numbers of people are hidden as people
    assert {i for i in real if unsafe(n[i], events[i])} <= gone and {i for i in real if 0 < n[i] < K} <= people
    if not any(unsafe(n[i], events[i]) for i in real):
        assert not gone
    # the arm's total minus what is shown is no small count, unless it is the whole arm, which is hidden or shown in its own right
    for hidden, counts in ((people, [(n[i], 0) for i in people]), (gone, [(n[i], events[i]) for i in gone])):
        if hidden and hidden != real:
            assert len(hidden) > 1 and not unsafe(sum(a for a, _ in counts), sum(b for _, b in counts))
    # with the sum known, a hidden count has more than one possible value, but for nobody or everybody, which are no small counts
    total, happened = sum(n[i] for i in gone), sum(events[i] for i in gone)
    for i in gone if gone != real else ():
        others = total - n[i]
        low, high = max(0, happened - others), min(n[i], happened)
        assert low < high or happened in (0, total)


def test_unknown_goes_first_then_the_smallest():
    names = ["young", "middle", "old", "Unknown"]
    assert hidden_cells(names, [30, 40, 50, 20], [3, 20, 20, 10], K) == (set(), {0, 3})
    assert hidden_cells(names[:3], [30, 40, 50], [3, 20, 20], K) == (set(), {0, 1})
    # sizes that hold for all arms and months keep the second level the same
    assert hidden_cells(names[:3], [30, 40, 50], [3, 20, 20], K, {"young": 9, "middle": 8, "old": 7}) == (set(), {0, 2})
    # two that are small together are a small count, so a third goes too
    assert hidden_cells(names[:3], [30, 40, 50], [1, 2, 20], K) == (set(), {0, 1, 2})
    # a level of nobody hides nothing
    assert hidden_cells(["young", "old", "Unknown"], [3, 50, 0], [1, 20, 0], K) == ({0, 1}, {0, 1})


# ------------------------------------------------------------------ in reports
@pytest.fixture(scope="module", params=[150, 36])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("subgroups")
    study = ips.simulate_study(place / "study", seed=5, participants=request.param)
    study.write_text(study.read_text(encoding="utf-8").replace('profile = "none"', 'profile = "primary5"'), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        # pictures take most of the time, and hide nothing
        patch.setattr("ips_outcomes.reporting.report._draw", lambda *_: {})
        ips.write_report(study, place / "out")
    return place / "out"


def read(folder: Path, name: str, side: str = "release") -> pd.DataFrame:
    return pd.read_csv(
        folder / side / "tables" / f"{name}.csv", keep_default_na=True, dtype={"subgroup": str, "level": str}
    ).fillna({"subgroup": "", "level": ""})


KEYS = ["subgroup", "level", "group", "month"]


def test_an_attacker_with_every_released_table_finds_no_hidden_level(folder: Path):
    exact = read(folder, "subgroup_rates_by_month", "internal").set_index(KEYS)
    shown = read(folder, "subgroup_rates_by_month")
    totals = {}
    for name in ("rates_by_month", "rates_at_landmarks"):
        table = read(folder, name)
        for row in table[table["outcome"] == "ordinary"].to_dict("records"):
            totals[(row["group"], row["month"])] = row["n"], row["events"]
    opened = 0
    for (_, arm, month), rows in shown.groupby(["subgroup", "group", "month"]):
        real = [tuple(row[k] for k in KEYS) for row in rows.to_dict("records")]
        truth = exact.loc[real]
        people = truth["n"].to_numpy() > 0
        for column, other in (("n", None), ("events", "n")):
            gone = rows[column].isna().to_numpy() & people
            if not gone.any():
                continue
            opened += 1
            total = totals[(arm, month)][0 if column == "n" else 1]
            if np.isnan(total):
                continue
            # the arm's total minus what is shown: the sum of what is hidden
            left = total - rows.loc[~gone, column].sum()
            assert left == truth[column][gone].sum()
            assert gone.sum() > 1 or people.sum() == 1
            assert not 0 < left < K
            if other:
                assert not 0 < truth[other][gone].sum() - left < K
    assert opened, "a study so small has something to hide"


def test_the_same_cell_is_hidden_in_every_table(folder: Path):
    curves = read(folder, "subgroup_rates_by_month").set_index(KEYS)
    for name in ("subgroup_rates", "subgroup_counts"):
        table = read(folder, name)
        table = table[table["subgroup"] != ""].set_index(KEYS)
        pd.testing.assert_frame_equal(table[["n", "events"]], curves.loc[table.index, ["n", "events"]], check_dtype=False)
    rates = read(folder, "subgroup_rates")
    gone = set(rates.loc[rates["hidden"], KEYS].itertuples(index=False, name=None))
    for name in ("subgroup_contrasts", "subgroup_effects"):
        table = read(folder, name)
        for row in table[(table["subgroup"] != "") & table["n_arm"].notna()].to_dict("records"):
            for arm in ("ips", "control"):
                assert (row["subgroup"], row["level"], arm, row["month"]) not in gone, name


def test_effects_and_differences_follow_from_the_released_counts(folder: Path):
    effects, counts = read(folder, "subgroup_effects"), read(folder, "subgroup_counts")
    inside = read(folder, "subgroup_effects", "internal")
    key = ["subgroup", "level", "measure"]
    # every row of the people's answer is there, hidden or not
    assert effects[key].values.tolist() == inside[key].values.tolist()
    hidden = effects["hidden"].astype(bool)
    told = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference", "estimate", "std_error", "conf_low", "conf_high",
            "p_value", "p_adjusted", "p_holm", "tests", "shrunken", "few_events", "method"]  # fmt: skip
    assert effects.loc[hidden, told].isna().all(axis=None)
    if hidden.all():
        return
    compared = inside[inside["measure"] == "interaction"].set_index("subgroup")["compared_with"].to_dict()
    again = interactions_from_counts(counts, "control", compared_with=compared, tests=int(inside["tests"].max())).table.set_index(
        key
    )
    for row in effects[~hidden].to_dict("records"):
        same = again.loc[tuple(row[k] for k in key)]
        for column in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "p_holm"):
            assert np.isclose(row[column], same[column], rtol=1e-9, equal_nan=True), column
    # and what is shown is what the people say
    same = ["estimate", "conf_low", "conf_high", "p_value"]
    assert np.allclose(effects.loc[~hidden, same], inside.loc[~hidden, same], rtol=1e-9, equal_nan=True)


def test_model_results_need_a_whole_subgroup_and_enough_events(folder: Path):
    profile = load_profile("primary5")
    effects, inside, counts = (
        read(folder, "subgroup_effects"),
        read(folder, "subgroup_effects", "internal"),
        read(folder, "subgroup_counts"),
    )
    touched = set(counts.loc[counts["hidden"], "subgroup"])
    for subgroup in [s for s in dict.fromkeys(effects["subgroup"]) if s]:
        rows = effects["subgroup"] == subgroup
        levels = inside[rows & (inside["measure"] == "risk_difference")]
        enough = levels["events"].sum() >= profile.least_events_per_parameter * 2 * len(levels)
        enough &= levels["n"].sum() - 2 * len(levels) >= profile.least_residual_degrees_of_freedom
        told = effects.loc[rows, ["p_adjusted", "shrunken", "shrunken_low", "shrunken_high"]]
        if subgroup in touched or not enough:
            assert told.isna().all(axis=None), subgroup
        else:
            assert told["p_adjusted"].notna().any() and told["shrunken"].notna().any()
            assert np.allclose(told, told.round(profile.model_digits), equal_nan=True)


def test_the_page_says_what_is_hidden(folder: Path):
    page = (folder / "release" / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="subgroups">') :]
    section = section[: section.index("</section>")]
    effects = read(folder, "subgroup_effects")
    differences = effects[effects["measure"] == "interaction"]
    if differences["hidden"].all():
        assert "hidden by the disclosure gate: a group is too small" in section
    elif differences["hidden"].any():
        assert f"tests, {int(differences['hidden'].sum())} are hidden by the disclosure gate" in section
    if effects["hidden"].any():
        assert "another is hidden with it" in section
    # notes of the people's answer name arms that have nobody: they stay inside
    assert "an arm has nobody there" not in section
