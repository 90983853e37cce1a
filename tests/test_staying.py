"""Staying in work: jobs of people whose every month is known beforehand, against R, against the synthetic truth, and by properties."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from small_study import follow, job, record
from world import Feed, World, cohort_of

import ips_outcomes as ips
from ips_outcomes.analysis.jobs import people_with_jobs
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.simulation.people import load_truth
from ips_outcomes.simulation.study import DEMO_SEED, draw_study

GOLDEN = Path(__file__).parent / "golden"
FEEDS = {"monthly": Feed("ameld_statdata", (2014, 1), (2016, 12)), "schemes": Feed("nav_schemes", (2014, 1), (2016, 12))}


def at(month: int) -> tuple[int, int]:
    """The calendar month of a month since March 2015."""
    total = 2015 * 12 + 2 + month
    return total // 12, total % 12 + 1


def months(employer: str | None, numbers: list[int], person: str = "P1", **more: Any) -> list[dict[str, Any]]:
    return [{"person_id": person, "source": "monthly", "record": "month", "month": at(m), "start": None, "end": None,
             "employer": employer, "kind": "ordinary", "basis": "1a", "weekly_hours": 37.5, **more} for m in numbers]  # fmt: skip


def followed(jobs: list[dict[str, Any]], *, gap: int = 1, already_working: str = "exclude", **more: Any) -> ips.FollowUp:
    more.setdefault("people", {"P1": date(2015, 3, 10)})
    more.setdefault("feeds", FEEDS)
    cohort = cohort_of(World(months=14, history=2, jobs=jobs, already_working=already_working, **more), {"ordinary": {}})
    plan = cohort.study.follow_up.model_copy(update={"job_gap_months": gap})
    object.__setattr__(cohort, "study", cohort.study.model_copy(update={"follow_up": plan}))
    return ips.follow_up(cohort)


def spans(found: ips.FollowUp, person: str = "P1") -> list[tuple[int, int, int]]:
    own = found.jobs[found.jobs["person_id"] == person]
    return list(own[["first_month", "last_month", "months"]].itertuples(index=False, name=None))


def through(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


# ---------------------------------------------------------------- jobs by hand


def test_a_gap_of_one_month_does_not_end_a_job_and_does_not_count():
    rows = months("E1", [2, 3, 5, 8, 9])
    # month 4 is bridged; 6 and 7 are two months away
    assert spans(followed(rows)) == [(2, 5, 3), (8, 9, 2)]
    assert spans(followed(rows, gap=0)) == [(2, 3, 2), (5, 5, 1), (8, 9, 2)]
    assert spans(followed(rows, gap=2)) == [(2, 9, 5)]


def test_two_employers_are_two_jobs_also_at_the_same_time():
    assert spans(followed(months("E1", through(2, 6)) + months("E2", through(4, 9)))) == [(2, 6, 5), (4, 9, 6)]


def test_months_that_are_not_known_do_not_end_a_job():
    feeds = {**FEEDS, "monthly": Feed("ameld_statdata", (2014, 1), (2016, 12), frozenset({at(5), at(6), at(7)}))}
    found = followed(months("E1", [3, 4, 8, 9]), feeds=feeds)
    assert spans(found) == [(3, 9, 4)]
    # without anything after the gap its end is not seen
    cut = followed(months("E1", [3, 4]), feeds=feeds)
    assert cut.jobs[["last_month", "ended_by"]].values.tolist() == [[4, "file_missing"]]
    assert cut.after_first_job[["tenure", "ended", "ended_by"]].values.tolist() == [[2, 0, "file_missing"]]


def test_how_jobs_end():
    moves = {"P3": [(date(1980, 1, 1), date(2015, 10, 1))]}
    people = {f"P{i}": date(2015, 3, 10) for i in range(1, 6)}
    jobs = [row for p, months_of in {"P1": [2, 3], "P2": [12, 13], "P3": [5, 6], "P4": [5, 6], "P5": [13, 14]}.items()
            for row in months("E1", months_of, p)]  # fmt: skip
    found = followed(jobs, people=people, moves=moves, deaths={"P4": date(2015, 10, 3)})
    # P2: one month away may be a gap still, and there is no more to see
    assert dict(zip(found.jobs["person_id"], found.jobs["ended_by"], strict=True)) == {
        "P1": "ended", "P2": "end_of_follow_up", "P3": "abroad", "P4": "dead", "P5": "end_of_follow_up"
    }  # fmt: skip
    assert found.after_first_job["tenure"].tolist() == [2] * 5
    assert found.after_first_job["ended"].tolist() == [1, 0, 0, 0, 0]


def test_a_job_held_before_is_known_and_counts_its_months_from_1_on():
    found = followed(months("E1", through(-2, 4)) + months("E2", [6]), already_working="include")
    assert found.jobs["held_before"].tolist() == [True, False]
    assert spans(found) == [(1, 4, 4), (6, 6, 1)]
    # counted from the first month of work after inclusion
    assert found.after_first_job[["month", "tenure"]].values.tolist() == [[1, 4]]
    assert followed(months("E1", through(-2, 4))).after_first_job.empty, "in work in month 0: not at risk of a first job"


def test_a_first_job_of_two_that_begin_together_is_the_one_with_more_hours():
    rows = months("E1", [2], weekly_hours=10.0) + months("E2", [2, 3, 4], weekly_hours=20.0)
    assert followed(rows).after_first_job["tenure"].tolist() == [3]
    rows = months("E1", [2], weekly_hours=30.0) + months("E2", [2, 3, 4], weekly_hours=20.0)
    found = followed(rows).after_first_job
    assert found["tenure"].tolist() == [1], "nothing that is known only later chooses the job"
    assert found[["back_after", "back"]].values.tolist() == [[1, 1]], "in work the next month, with the other"


def test_back_in_work_death_and_the_end():
    people = {f"P{i}": date(2015, 3, 10) for i in range(1, 5)}
    jobs = [row for p in people for row in months("E1", [2, 3], p)] + months("E9", [8], "P1")
    found = followed(
        jobs, people=people, deaths={"P2": date(2015, 9, 20)}, moves={"P4": [(date(1980, 1, 1), date(2015, 11, 30))]}
    )
    # P1 back after 5 months; P2 dies in month 6; P3 is seen for 11 months more; P4 is abroad from month 9 on
    assert found.after_first_job[["back_after", "back"]].astype(int).values.tolist() == [[5, 1], [3, 2], [11, 0], [5, 0]]


def test_a_record_without_an_employer_is_known_by_when_it_began():
    began, later = date(2015, 5, 1), date(2015, 8, 1)
    found = followed(months(None, [2, 3, 4], start=began) + months(None, [5, 6], start=later))
    assert spans(found) == [(2, 4, 3), (5, 6, 2)]
    assert spans(followed(months(None, [2, 3, 4]))) == [(2, 4, 3)]
    rules = found.quality.set_index("rule")["count"]
    assert rules["job-months without an employer"] == 5


def test_a_scheme_that_takes_a_job_leaves_none():
    taken = [
        {
            "person_id": "P1",
            "source": "schemes",
            "scheme": "VARLONTIL",
            "employer": "E1",
            "start": date(*at(1), 1),
            "end": date(*at(14), 20),
        }
    ]
    assert spans(followed(months("E1", [2, 3]) + months("E2", [5]), schemes=taken)) == [(5, 5, 1)]


def test_a_job_goes_on_from_one_register_to_the_next(tmp_path: Path):
    made = follow(
        tmp_path, people=("P1", "P2", "P3"), months=24,
        jobs=[job("P1", "2014-10-01", employer="E1"), job("P2", "2014-10-01", "2014-12-31", employer="E1"), job("P3", "2014-10-01", employer="E1")],
        # other keys: the beginning joins P1's; P2 begins a new job; P3's beginning differs by a month
        records=[record(p, m, start=s, employer="M9") for p, s in {"P1": "2014-10-01", "P2": "2015-01-02", "P3": "2014-11-01"}.items()
                 for m in ("2015-01", "2015-02")],
    )  # fmt: skip
    found = made.data.jobs.groupby("person_id")[["first_month", "last_month", "months"]].agg(list)
    assert found.loc["P1"].tolist() == [[19], [23], [5]]
    assert found.loc["P2"].tolist() == [[19, 22], [21, 23], [3, 2]]
    assert found.loc["P3"].tolist() == [[19, 22], [21, 23], [3, 2]]


def test_nobody_in_work():
    found = followed([])
    assert found.jobs.empty and found.after_first_job.empty
    assert ips.jobs_held(found).table["estimate"].tolist() == [0.0, 0.0]
    for question in (ips.job_tenure, ips.tenure_quartiles, ips.re_entry):
        with pytest.raises(UnsupportedError, match="nobody got a first job"):
            question(found)


# ---------------------------------------------------------------- by properties, against an oracle that thinks in single people


def _oracle(pattern: str, gap: int) -> list[tuple[int, int, int]]:
    """Jobs of one employer: w in work, n not, u not known."""
    found, away = list[list[int]](), 99
    for month, letter in enumerate(pattern, start=1):
        if letter == "w":
            if found and away <= gap:
                found[-1][1:] = [month, found[-1][2] + 1]
            else:
                found.append([month, month, 1])
            away = 0
        elif letter == "n":
            away += 1
    return [tuple(row) for row in found]  # type: ignore[misc]


@settings(max_examples=25, deadline=None)
@given(st.text("wnu", min_size=14, max_size=14), st.integers(0, 3))
def test_jobs_are_those_of_a_plain_loop(pattern: str, gap: int):
    missing = frozenset(at(m) for m, letter in enumerate(pattern, start=1) if letter == "u")
    feeds = {**FEEDS, "monthly": Feed("ameld_statdata", (2014, 1), (2016, 12), missing)}
    found = followed(months("E1", [m for m, letter in enumerate(pattern, start=1) if letter == "w"]), gap=gap, feeds=feeds)
    assert spans(found) == _oracle(pattern, gap)


# ---------------------------------------------------------------- the synthetic study


def test_jobs_of_the_synthetic_study_are_the_true_ones(demo_followup: ips.FollowUp):
    truth = load_truth()
    drawn = draw_study(truth, np.random.default_rng(DEMO_SEED), DEMO_SEED, truth["trial"]["participants"], one_arm=False)
    jobs = drawn.jobs[~drawn.jobs["subsidised"]]
    # brief jobs miss the 16th
    jobs = jobs[~((jobs["first"] == jobs["last"]) & (jobs["end"] - jobs["start"] < pd.Timedelta(days=8)))]
    # people whose register is as they lived: no scheme takes a month, everybody there in every month
    plain = set(range(truth["trial"]["participants"])) - set(
        drawn.schemes.loc[drawn.schemes["scheme"].isin(["MIDLONTIL", "VARLONTIL"]), "person"]
    )
    found = people_with_jobs(demo_followup)
    # codes of participants are sorted as the people are drawn
    order = {code: place for place, code in enumerate(sorted(found["person_id"]))}
    assert len(order) == truth["trial"]["participants"]
    own = found.assign(person=found["person_id"].map(order))
    own = own[(own["months_unknown"] == 0) & own["person"].isin(plain)]
    seen = jobs[jobs["person"].isin(plain) & (jobs["last"] >= 1) & (jobs["first"] <= 43)].copy()
    seen["held"] = np.minimum(seen["last"], 43) - np.maximum(seen["first"], 1) + 1
    true = seen.groupby("person")["held"].agg(["size", "max"]).reindex(own["person"]).fillna(0)
    same = (own["number_of_jobs"].to_numpy() == true["size"].to_numpy()) & (
        own["longest_job"].to_numpy() == true["max"].to_numpy()
    )
    assert len(own) > 330, len(own)
    # a few rows of each delivery are spoilt on purpose
    assert same.mean() > 0.97, same.mean()


def test_no_arm_keeps_jobs_longer_in_truth_and_everybodys_months_differ(demo_followup: ips.FollowUp):
    # truth.toml: chances to leave depend on the person, not on the arm; yet months in work differ
    held = ips.jobs_held(demo_followup).select(bound="least", measure="mean_difference").table.set_index("outcome")
    assert (held["conf_low"] > 0).all()
    quartiles = ips.tenure_quartiles(demo_followup).table
    assert quartiles["p_value"].isna().all() and (quartiles["contrast"] == "").all()
    assert ips.re_entry(demo_followup).table["p_value"].isna().all()


# ---------------------------------------------------------------- the functions


PEOPLE = pd.read_csv(GOLDEN / "staying_people.csv")
ANSWERS = pd.read_csv(GOLDEN / "staying_answers.csv")


@pytest.mark.parametrize("weights", [None, "copies"])
def test_against_r(weights: str | None):
    case = weights or "plain"
    tables = {
        "tenure": ips.job_tenure(PEOPLE, weights=weights).table,
        "quartile": ips.tenure_quartiles(PEOPLE, weights=weights).table.assign(
            time=lambda t: (100 * t["probability"]).astype(int)
        ),
        "back": ips.re_entry(PEOPLE, weights=weights).table,
    }
    held = ips.jobs_held(PEOPLE, reference="control", weights=weights).table
    for name in ("number_of_jobs", "longest_job"):
        own = held[held["outcome"] == name]
        tables[name] = own.assign(group=own["group"] + own["contrast"])
    for question, table in tables.items():
        for _, answer in ANSWERS[ANSWERS["question"] == f"{question} {case}"].iterrows():
            rows = table[table["group"] == answer["group"]]
            row = rows[rows["time"] == answer["time"]].iloc[0] if pd.notna(answer["time"]) else rows.iloc[0]
            assert row["estimate"] == pytest.approx(answer["estimate"], rel=1e-8)
            for ours, theirs in (("std_error", "std_error"), ("conf_low", "low"), ("conf_high", "high"), ("p_value", "p")):
                if pd.notna(answer[theirs]):
                    assert row[ours] == pytest.approx(answer[theirs], rel=1e-6), (question, answer["group"], ours)


def test_jobs_held_by_hand():
    rows = pd.DataFrame(
        {"arm": ["a", "a", "b", "b"], "number_of_jobs": [2, 0, 1, 1], "longest_job": [10, 0, 4, 8], "gone": [0, 3, 0, 6]}
    )
    found = ips.jobs_held(rows, reference="b", unknown="gone", months=12)
    table = found.table[found.table["outcome"] == "longest_job"].set_index(["bound", "group", "contrast"])["estimate"]
    # least 5 and 6; most: 3 added in a, and 8 + 6 cut at 12 in b: 6.5 and 8
    assert table["least", "a", ""] == 5 and table["least", "b", ""] == 6 and table["least", "", "a - b"] == -1
    assert table["most", "a", ""] == 6.5 and table["most", "b", ""] == 8
    assert table["least_possible", "", "a - b"] == 5 - 8 and table["most_possible", "", "a - b"] == 6.5 - 6
    # one person of each arm is known throughout
    assert table["known", "a", ""] == 10 and table["known", "b", ""] == 4
    assert found.notes == ("2 people have months that are not known: what is seen is the least",)


def test_numbers_of_jobs_that_are_missing_are_counted_and_negative_ones_refused():
    rows = pd.DataFrame({"arm": list("aabb"), "number_of_jobs": [1, -1, 2, 3], "longest_job": 5.0})
    with pytest.raises(UnsupportedError, match="1 values of number_of_jobs"):
        ips.jobs_held(rows, reference="b")
    rows = rows.assign(number_of_jobs=[1, 2, 2, 3], longest_job=[1.0, None, 2.0, 3.0])
    found = ips.jobs_held(rows, reference="b")
    assert found.notes == ("1 people left out: number_of_jobs or longest_job is missing",)
    assert found.select(outcome="number_of_jobs", measure="mean").table["n"].tolist() == [1, 2]
    with pytest.raises(UnsupportedError, match="missing in all 4 rows"):
        ips.jobs_held(rows.assign(longest_job=np.nan), reference="b")


def test_re_entry_past_the_follow_up():
    censored = pd.DataFrame({"back_after": [1, 2, 4], "back": [1, 0, 0]})
    table = ips.re_entry(censored, at=[3, 6], by=None).table
    assert table["estimate"].notna().tolist() == [True, False]
    assert table["method"].iloc[1] == "nobody is followed for 6 months"
    # everybody came back: the share stays
    assert ips.re_entry(censored.assign(back=1), at=6, by=None).table["estimate"].tolist() == [pytest.approx(1.0)]
    with pytest.raises(UnsupportedError, match="months from 0"):
        ips.re_entry(censored, at=[-1], by=None)


def test_every_description_says_so(demo_followup: ips.FollowUp):
    for found in (ips.job_tenure(demo_followup), ips.tenure_quartiles(demo_followup), ips.re_entry(demo_followup)):
        assert found.method.startswith("Descriptive, among people who got a job")


def test_an_arm_may_have_a_dash_in_its_name():
    rows = pd.DataFrame({"arm": ["ips - plus"] * 2 + ["b"] * 2, "number_of_jobs": [2, 1, 0, 1], "longest_job": [9, 30, 0, 5],
                         "lost": [0, 1, 0, 2]})  # fmt: skip
    table = ips.jobs_held(rows, reference="b", unknown="lost").table
    own = table[(table["outcome"] == "longest_job") & (table["contrast"] == "ips - plus - b")].set_index("bound")["estimate"]
    # least 39/2 and 5/2, most 40/2 and 7/2
    assert own[["least", "least_possible", "most_possible"]].tolist() == [17.0, 16.0, 17.5]
