"""What leaves: no small count, no complement of one, nothing computed from one, and no row that a subtraction opens."""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import ips_outcomes as ips
from ips_outcomes.analysis.event_table import EventTable
from ips_outcomes.reporting.event_blocks import released_event_table
from ips_outcomes.reporting.first_job import counts_of, first_job_answers, leaving
from ips_outcomes.reporting.suppression import load_profile

K = 5
STUDIES = {"120": {"participants": 120}, "20": {"participants": 20}, "one arm": {"participants": 60, "one_arm": True}}


@pytest.fixture(scope="module", params=list(STUDIES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("gate")
    study = ips.simulate_study(place / "study", seed=11, **STUDIES[request.param])
    study.write_text(study.read_text(encoding="utf-8").replace('profile = "none"', 'profile = "primary5"'), encoding="utf-8")
    ips.write_report(study, place / "out")
    return place / "out"


def read(folder: Path, name: str, side: str = "release") -> pd.DataFrame:
    return pd.read_csv(folder / side / "tables" / f"{name}.csv")


def has(folder: Path, name: str) -> bool:
    return (folder / "release" / "tables" / f"{name}.csv").exists()


def small(values: pd.Series) -> pd.Series:
    return (values > 0) & (values < K)


COUNTS = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference", "people", "left", "person_months",
          "at_risk", "competing", "censored", "rows_set_aside"]  # fmt: skip


def test_no_small_count_in_any_released_csv(folder: Path):
    for path in sorted((folder / "release").rglob("*.csv")):
        table = pd.read_csv(path)
        for column in table.columns:
            if column in COUNTS or column.startswith(("people_", "left_")):
                assert not small(table[column]).any(), (path.name, column)
        for n, events in (("n", "events"), ("n_arm", "events_arm"), ("n_reference", "events_reference")):
            # an incidence row holds the events of one month, not of all people
            if n in table and events in table and "at_risk" not in table:
                assert not small(table[n] - table[events]).any(), (path.name, events)
    quality = read(folder, "quality")
    assert not small(quality["count"]).any()
    people = quality[quality["unit"] == "people"]
    assert not small(people["total"] - people["count"]).any()
    assert quality.loc[quality["count"].isna(), "share"].isna().all()


def test_what_follows_from_a_hidden_count_is_hidden(folder: Path):
    for name in ("rates_by_month", "rates_at_landmarks", "subgroup_rates", "baseline"):
        table = read(folder, name)
        table = table[table["measure"].isin(["rate", "share", "missing"])]
        gone = table["events"].isna()
        assert table.loc[gone, ["estimate", "std_error", "conf_low", "conf_high", "p_value"]].isna().all(axis=None), name
        assert (table["hidden"] == gone).all()
        shown = table[~gone & (table["n"] > 0)]
        assert np.allclose(shown["estimate"], shown["events"] / shown["n"])
    if not has(folder, "contrasts_at_landmarks"):
        return
    for name in ("contrasts_at_landmarks", "contrasts_by_month", "subgroup_contrasts"):
        table = read(folder, name)
        gone = table["hidden"]
        columns = [*COUNTS[:6], "estimate", "std_error", "conf_low", "conf_high", "p_value"]
        assert table.loc[gone, columns].isna().all(axis=None), name
        shown = table[~gone & (table["measure"] == "risk_difference")]
        expected = shown["events_arm"] / shown["n_arm"] - shown["events_reference"] / shown["n_reference"]
        # where nobody's answer is known there is no difference either
        assert np.allclose(shown["estimate"], expected, equal_nan=True)


def test_contrasts_hide_wherever_either_arm_is_hidden(folder: Path):
    if not has(folder, "contrasts_by_month"):
        pytest.skip("one arm")
    rates = read(folder, "rates_by_month")
    hidden = set(rates.loc[rates["hidden"], "month"])
    contrasts = read(folder, "contrasts_by_month").set_index("month")["hidden"]
    assert set(contrasts[contrasts].index) == hidden - {0}


def test_flow_rows_cannot_be_subtracted(folder: Path):
    flow = read(folder, "flow")
    inside = read(folder, "flow", "internal")
    for prefix, total in (("people_", "people"), ("left_", "left")):
        arms = [c for c in flow if c.startswith(prefix)]
        for i, row in flow.iterrows():
            hidden = [a for a in arms if pd.isna(row[a]) and pd.notna(inside.loc[i, a])]
            assert len(hidden) != 1 or pd.isna(row[total]), row["step"]
    # people and those missing from them are each other's complement
    for i, row in flow.iterrows():
        if pd.isna(row["left"]):
            assert pd.isna(row["people"]), row["step"]
        for part in str(row["reason"]).split(";"):
            _, colon, number = part.partition(":")
            assert not colon or int(number) >= K
        numbers = [":" in part for part in str(inside.loc[i, "reason"]).split(";")]
        parts = [":" in part for part in str(row["reason"]).split(";")]
        assert parts == numbers or not any(parts), "either all the reasons have numbers or none has"


def test_register_shares_do_not_tell_a_hidden_count(folder: Path):
    table = read(folder, "register_sources")
    assert (table["person_months"].isna() == table["share"].isna()).all()
    for _, rows in table.groupby("month"):
        assert rows["person_months"].isna().all() or rows["person_months"].notna().all()
        if rows["person_months"].notna().all():
            assert np.allclose(rows["share"], rows["person_months"] / rows["person_months"].sum())


def test_observation_and_endings_hide_complements(folder: Path):
    sizes = read(folder, "flow", "internal").set_index("step").loc["included"]
    for _, row in read(folder, "not_observed").iterrows():
        assert not 0 < sizes[f"people_{row['arm']}"] - row["people"] < K
    inside, released = read(folder, "first_job_ended_by", "internal"), read(folder, "first_job_ended_by")
    total = inside.groupby("arm")["people"].transform("sum")
    rest = total - released["people"]
    assert not small(rest).any()


def test_released_incidence_is_recomputed(folder: Path):
    inside = read(folder, "first_job_incidence", "internal")
    for group, rows in read(folder, "first_job_incidence").groupby("group"):
        rows = rows.sort_values("time")
        if rows["hidden"].all():
            assert rows[["at_risk", "events", "competing", "censored", "estimate", "event_free"]].isna().all(axis=None)
            continue
        for column in ("events", "competing", "censored"):
            assert (rows[column].eq(0) | rows[column].ge(K)).all(), column
        leaving = rows[["events", "competing", "censored"]].sum(axis=1)
        assert leaving.sum() == rows["n"].iloc[0] == rows["at_risk"].iloc[0]
        assert np.allclose(rows["at_risk"], rows["n"] - leaving.cumsum().shift(fill_value=0))
        risk = rows["at_risk"].where(rows["at_risk"] > 0, np.inf)
        free = (1 - (rows["events"] + rows["competing"]) / risk).cumprod()
        curve = (free.shift(fill_value=1.0) * rows["events"] / risk).cumsum()
        assert np.allclose(rows["estimate"], curve)
        assert rows["hidden"].eq(False).all()
        exact = inside[inside["group"] == group]
        assert rows["events"].sum() == exact["events"].sum()
        # folding moves steps; it does not make another curve
        assert abs(rows["estimate"].iloc[-1] - exact["estimate"].iloc[-1]) < 0.05


def test_released_curve_months_and_tests_follow_from_the_released_event_table(folder: Path):
    # a reader with nothing but the released counts finds every error, mean and test of the page
    released = read(folder, "first_job_incidence")
    shown = released[released["hidden"] != True]  # noqa: E712
    if shown.empty:
        assert not has(folder, "first_job_months")
        return
    ways = {"events": 1, "competing": 2, "censored": 0}
    people = [
        (group, int(time), event) for way, event in ways.items()
        for group, time, number in shown[["group", "time", way]].itertuples(index=False) for _ in range(int(number))
    ]  # fmt: skip
    rows = pd.DataFrame(people, columns=["arm", "time", "event"])
    again = ips.cumulative_incidence(rows, by="arm").table.set_index(["group", "time"])
    for row in shown.to_dict("records"):
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert np.isclose(row[column], again.at[(row["group"], row["time"]), column], rtol=1e-9, equal_nan=True)
    months = read(folder, "first_job_months")
    for row in months[months["measure"] == "mean"].dropna(subset=["estimate"]).to_dict("records"):
        mean = ips.months_gained(rows, by="arm", horizon=row["horizon"]).select(group=row["group"], measure="mean").table
        assert np.isclose(row["estimate"], mean["estimate"][0], rtol=1e-9)
    if has(folder, "first_job_tests"):
        tests = read(folder, "first_job_tests").set_index("measure")
        assert np.isclose(tests.at["log_rank", "p_value"], ips.log_rank(rows, by="arm").table["p_value"][0], rtol=1e-7)
        assert np.isclose(tests.at["gray_test", "p_value"], ips.gray_test(rows, by="arm").table["p_value"][0], rtol=1e-7)


def test_hazard_ratio_has_the_profiles_digits(folder: Path):
    if not has(folder, "first_job_hazard_ratio"):
        pytest.skip("no hazard ratio")
    profile = load_profile("primary5")
    exact = read(folder, "first_job_hazard_ratio", "internal")
    for i, row in read(folder, "first_job_hazard_ratio").iterrows():
        events, n = exact.loc[i, "events"], exact.loc[i, "n"]
        if events < profile.least_events_per_parameter or 0 < n - events < K:
            assert row["hidden"] and pd.isna(row["estimate"]) and pd.isna(row["events"])
        else:
            assert row["estimate"] == round(row["estimate"], profile.model_digits)


def test_the_release_page_tells_nothing_more(folder: Path):
    page = (folder / "release" / "report.html").read_text(encoding="utf-8")
    assert "Differences between released numbers" in page and "output checker" in page
    assert not list((folder / "release").rglob("*example_rows*"))
    assert "example_rows" not in read(folder, "quality").columns
    assert "None" not in re.sub(r'src(set)?="[^"]*"', "", page) and "nan" not in re.findall(r"<td[^>]*>([^<]*)</td>", page)
    # counts out of counts, in every table of the page
    for events, n in re.findall(r">(\d+) / (\d+)(?: \(|<)", page):
        assert int(events) == 0 or int(events) >= K
        assert int(n) == int(events) or int(n) - int(events) >= K
    # sentences, captions and text alternatives
    for words in re.findall(r'alt="([^"]*)"', page):
        for number in re.findall(r"(?:dead|abroad|not linked|offered|observed[^,]*) (\d+)\b(?! months?)", words):
            assert int(number) >= K or int(number) == 0
    facts = re.search(r"Of (\S+) people, (.+?) have follow-up", page)
    if facts and facts[1].isdigit() and facts[2].isdigit():
        rest = int(facts[1]) - int(facts[2])
        assert rest == 0 or rest >= K


def test_profile_none_needs_invented_or_public_people(tmp_path: Path):
    study = ips.simulate_study(tmp_path / "study", participants=20)
    study.write_text(study.read_text(encoding="utf-8").replace("synthetic = true", ""), encoding="utf-8")
    with pytest.raises(ips.StudyError, match="none"):
        ips.load_study(study)


def test_profile_none_hides_nothing_but_row_numbers(tmp_path: Path):
    study = ips.simulate_study(tmp_path / "study", participants=20)
    ips.write_report(study, tmp_path / "out")
    for path in sorted((tmp_path / "out" / "internal" / "tables").glob("*.csv")):
        inside, released = pd.read_csv(path), pd.read_csv(tmp_path / "out" / "release" / "tables" / path.name)
        pd.testing.assert_frame_equal(inside.drop(columns=["example_rows", "set_aside"], errors="ignore"), released)


steps = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=12)


@given(steps, st.integers(2, 9))
def test_released_event_table_properties(rows: list[tuple[int, int, int]], threshold: int):
    counted = np.array(rows, dtype=float)
    total = counted.sum()
    at_risk = total - np.concatenate([[0.0], counted.sum(axis=1).cumsum()[:-1]])
    table = EventTable(np.arange(len(rows)), at_risk, np.zeros(len(rows)), counted[:, :2], counted[:, 2])
    released, merged = released_event_table(table, threshold)
    own, competing, censored = counted.sum(axis=0)
    assert merged == (0 < competing < threshold)
    if released is None:
        others = censored + (competing if merged else 0)
        assert own < threshold or 0 < others < threshold
        return
    cells = np.column_stack([released.events, released.censored])
    assert ((cells == 0) | (cells >= threshold)).all()
    assert cells.sum() == total and cells[:, 0].sum() == own
    assert cells[:, 1].sum() == (0 if merged else competing)
    assert released.at_risk[0] == total
    assert np.array_equal(released.at_risk, total - np.concatenate([[0.0], cells.sum(axis=1).cumsum()[:-1]]))
    assert (cells.sum(axis=1) <= released.at_risk).all()
    # nobody is told to have had the event before they had it
    assert (cells[:, 0].cumsum() <= counted[:, 0].cumsum()).all()


def test_a_horizon_that_not_everybody_reaches_is_a_row_with_the_reason():
    people = pd.DataFrame({"arm": ["ips"] * 12 + ["control"] * 12, "time": [3] * 6 + [20] * 6 + [5] * 4 + [12] * 8,
                           "event": [1] * 6 + [0] * 6 + [1] * 4 + [0] * 8})  # fmt: skip
    made = first_job_answers(counts_of(people), [6, 18], "control")
    refused = made.gained.select(time=18).table
    assert refused["estimate"].isna().all()
    assert len(refused) == 1
    assert "the longest allowed is 12" in refused["method"][0]
    assert made.gained.select(time=6, measure="mean_difference").table["estimate"].notna().all()
    # and where no horizon is allowed, the reasons stand alone
    nothing = first_job_answers(counts_of(people), [30, 40], "control")
    assert nothing.gained.table["method"].str.contains("the longest allowed is 12").tolist() == [True, True]


def test_counts_are_read_back_from_the_curve():
    people = pd.DataFrame({"arm": list("aabbbb"), "time": [1, 2, 2, 2, 3, 3], "event": [1, 0, 2, 1, 0, 0]})
    made = first_job_answers(counts_of(people), [1], "a")
    pd.testing.assert_frame_equal(leaving(made.incidence.table), counts_of(people))
