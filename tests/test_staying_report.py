"""The chapter on staying in work: studies of every shape, and what may leave."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.estimates import COMMON_COLUMNS, Estimates
from ips_outcomes.reporting import chapters
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.suppression import load_profile
from ips_outcomes.reporting.words import words
from ips_outcomes.study import Study

K = 5
SAY = words("en")
CHAPTER = next(c for c in chapters.CHAPTERS if c.name == "staying")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


def released(answers: chapters.Answers) -> chapters.Answers:
    return CHAPTER.release(answers, load_profile("primary5"), SAY)


def drawn(study: Study, answers: chapters.Answers) -> tuple[dict, list[str], list[str]]:
    canvas = Canvas(SAY, study.arm_labels)
    plans = CHAPTER.plans(study, answers, canvas)
    for plan in plans:
        for narrow in (False, True):
            plan.draw(Canvas(SAY, study.arm_labels, narrow))
        assert plan.caption and plan.alt
    return CHAPTER.tables(study, answers, canvas), CHAPTER.sentences(study, answers, canvas), [plan.name for plan in plans]


@pytest.fixture(scope="module")
def demo(demo_followup: ips.FollowUp) -> chapters.Answers:
    return CHAPTER.answers(demo_followup.study, None, demo_followup)  # type: ignore[arg-type]


def with_study(followed: ips.FollowUp, arms: dict[str, str] | None = None, **plan: object) -> ips.FollowUp:
    """The same people under another plan, or in other arms (old to new)."""
    study = followed.study.model_copy(update={"follow_up": followed.study.follow_up.model_copy(update=plan)})
    tables = {name: getattr(followed, name) for name in ("person_months", "first_job", "jobs", "after_first_job", "baseline")}
    if arms is not None:
        own = None if set(arms.values()) == {"all"} else followed.study.arms
        study = study.model_copy(update={"arms": own})
        tables = {name: table.assign(arm=table["arm"].map(arms)) for name, table in tables.items()}
    return replace(followed, study=study, **tables)


def asked(followed: ips.FollowUp) -> chapters.Answers:
    return CHAPTER.answers(followed.study, None, followed)  # type: ignore[arg-type]


def table_of(answers: chapters.Answers, name: str) -> pd.DataFrame:
    found = answers[name]
    return found.table if isinstance(found, Estimates) else found


# ---------------------------------------------------------------- what it says


def test_everybody_first_then_description_without_comparison(demo: chapters.Answers, demo_followup: ips.FollowUp):
    shown, said, pictures = drawn(demo_followup.study, demo)
    assert list(shown) == ["staying", "staying_bounds", "first_jobs"]
    assert pictures == ["staying", "first_job_tenure"]
    assert "cannot tell what the service does" in said[-1]
    # job-getters: a column an arm and nothing beside them
    assert shown["first_jobs"].columns[1:] == ("IPS", "Usual care")
    for name in ("first_job_tenure", "first_job_quartiles", "back_in_work"):
        table = table_of(demo, name)
        assert table["p_value"].isna().all() and (table["contrast"] == "").all()
    text = " ".join([*said, *(c for t in shown.values() for r in t.rows for c in r.cells)])
    assert "effect" not in text and "{" not in text


def test_numbers_of_the_page_are_those_of_the_functions(demo: chapters.Answers, demo_followup: ips.FollowUp):
    table = table_of(demo, "staying")
    months = ips.months_in_work(demo_followup, "ordinary").table
    own = table[table["outcome"] == "months_in_work"]
    np.testing.assert_allclose(own["estimate"], months["estimate"], rtol=1e-12)
    pay = ips.work_sums(demo_followup, "pay_g", start=23, missing="exclude").table
    own = table[(table["outcome"] == "pay_g") & (table["bound"] == "known") & (table["group"] == "ips")].iloc[0]
    assert own["first_month"] == 23 and own["estimate"] == pytest.approx(pay.iloc[1]["estimate"] / 12, rel=1e-12)
    hours = ips.work_sums(demo_followup, "weekly_hours").table
    own = table[(table["outcome"] == "weekly_hours") & (table["bound"] == "available") & (table["group"] == "ips")].iloc[0]
    assert own["estimate"] == pytest.approx(hours.iloc[1]["estimate"] / 43, rel=1e-12)
    # before month 23 pay is known for less than nine in ten of an arm, from then on for more
    rows = demo_followup.person_months
    known = (rows["pay_nok"].notna() | (rows["reason"] == "dead")).groupby([rows["arm"], rows["month"]]).mean()
    assert known.loc[:, 22].min() < 0.9 <= min(known.loc[:, m].min() for m in range(23, 44))


def test_the_sentence_follows_the_interval(demo: chapters.Answers, demo_followup: ips.FollowUp):
    def said(low: float) -> str:
        found = demo["staying"]
        assert isinstance(found, Estimates)
        table = found.table.copy()
        table.loc[(table["outcome"] == "months_in_work") & (table["contrast"] != ""), "conf_low"] = low
        return drawn(demo_followup.study, {**demo, "staying": replace(found, table=table)})[1][0]

    assert "lies on one side of zero" in said(0.5)
    assert "includes zero" in said(-0.5)


# ---------------------------------------------------------------- studies of other shapes


def test_lengths_that_the_follow_up_does_not_have_are_left_out(demo_followup: ips.FollowUp):
    rows = demo_followup.person_months
    short = with_study(replace(demo_followup, person_months=rows[rows["month"] <= 10]), months=10)
    # jobs were cut at month 43: only the lengths matter here
    outcomes = set(table_of(asked(short), "staying")["outcome"])
    assert "steady_worker" not in outcomes and "sustained_12" not in outcomes and "sustained_6" in outcomes
    assert drawn(short.study, asked(short))[1]


def test_one_arm_without_a_reference(demo_followup: ips.FollowUp):
    one = with_study(demo_followup, {"ips": "all", "control": "all"})
    answers = asked(one)
    assert (table_of(answers, "staying")["contrast"] == "").all()
    shown, said, _ = drawn(one.study, answers)
    assert len(shown["staying"].columns) == 2
    assert said == [said[0], SAY("staying.sentence_getters_one")] and "on average" in said[0]
    drawn(one.study, released(answers))


def test_a_reference_without_people_compares_nothing(demo_followup: ips.FollowUp):
    own = demo_followup.baseline["arm"] == "ips"
    people = set(demo_followup.baseline.loc[own, "person_id"])
    tables = {
        name: getattr(demo_followup, name) for name in ("person_months", "first_job", "jobs", "after_first_job", "baseline")
    }
    only = replace(demo_followup, **{name: t[t["person_id"].isin(people)].reset_index(drop=True) for name, t in tables.items()})
    answers = asked(only)
    assert set(table_of(answers, "staying")["group"]) == {"ips"}
    drawn(only.study, answers)


def test_three_arms(demo_followup: ips.FollowUp):
    arms = demo_followup.study.arms
    assert arms is not None
    third = demo_followup.baseline["person_id"][demo_followup.baseline["centre"] == "Centre A"]
    tables = {
        name: getattr(demo_followup, name) for name in ("person_months", "first_job", "jobs", "after_first_job", "baseline")
    }
    tables = {n: t.assign(arm=t["arm"].where(~t["person_id"].isin(third), "young")) for n, t in tables.items()}
    labels = {**arms.labels, "young": "IPS for the young"}
    study = demo_followup.study.model_copy(update={"arms": arms.model_copy(update={"labels": labels})})
    many = replace(demo_followup, study=study, **tables)
    shown, said, _ = drawn(study, asked(many))
    assert shown["staying"].columns[-2:] == ("Difference: IPS", "Difference: IPS for the young")
    assert len(said) == 5
    drawn(study, released(asked(many)))


def test_nobody_observed_and_nobody_in_work(demo_followup: ips.FollowUp):
    rows = demo_followup.person_months.assign(ordinary=pd.array([pd.NA] * len(demo_followup.person_months), dtype="boolean"))
    assert asked(replace(demo_followup, person_months=rows)) == {}
    idle = rows.assign(ordinary=pd.array([False] * len(rows), dtype="boolean"), pay_nok=np.nan, pay_g=np.nan, weekly_hours=np.nan)
    nothing = {name: getattr(demo_followup, name).iloc[:0] for name in ("jobs", "after_first_job")}
    followed = replace(demo_followup, person_months=idle, **nothing)
    answers = asked(followed)
    assert set(answers) == {"staying"}
    shown, _, pictures = drawn(followed.study, answers)
    assert "first_jobs" not in shown and pictures == ["staying"]
    drawn(followed.study, released(answers))


@pytest.mark.parametrize("options", [{"participants": 60}, {"participants": 20}, {"participants": 60, "one_arm": True}],
                         ids=["60", "20", "one arm"])  # fmt: skip
def test_small_studies_tell_nothing_small(tmp_path: Path, options: dict):
    study = ips.load_study(ips.simulate_study(tmp_path / "study", seed=11, **options))
    followed = ips.follow_up(ips.load_cohort(study))
    answers = asked(followed)
    left = released(answers)
    nothing_small(answers, left)
    drawn(study, left)


# ---------------------------------------------------------------- what leaves


def small(values: pd.Series) -> pd.Series:
    return (values > 0) & (values < K)


def nothing_small(inside: chapters.Answers, left: chapters.Answers) -> None:
    table = table_of(left, "staying")
    assert set(table.columns) == {*COMMON_COLUMNS, "bound", "first_month", "last_month", "hidden"}
    rates = table[table["measure"] == "rate"]
    for column in (rates["n"], rates["events"], rates["n"] - rates["events"], table["n"]):
        assert not small(column).any()
    gone = table["hidden"]
    assert table.loc[gone, ["n", "events", *NUMBERS]].isna().all(axis=None)
    shown = rates[~rates["hidden"]]
    assert np.allclose(shown["estimate"].astype(float), (shown["events"] / shown["n"]).astype(float))
    for _, own in shown.groupby("group"):
        # whoever stayed 12 months in a row also stayed 6, and all of them were in work
        for inner, outer in (("sustained_6", "sustained_3"), ("sustained_12", "sustained_6"), ("sustained_12", "sustained_3"),
                             *((o, "ever_in_work") for o in own["outcome"].unique())):  # fmt: skip
            for low, high in (("least", "least"), ("most", "most"), ("least", "most")):
                a, b = (own[(own["outcome"] == o) & (own["bound"] == x)]["events"] for o, x in ((inner, low), (outer, high)))
                if len(a) and len(b):
                    assert not 0 < abs(int(b.iloc[0]) - int(a.iloc[0])) < K, (inner, low, outer, high)
    means = table[table["measure"].isin(["mean", "mean_difference"])]
    assert means["events"].isna().all()
    told = means[means["measure"].eq("mean") & ~means["hidden"]]
    assert (told["n"].dropna() >= 2 * K).all()
    for _, rows in means.groupby(["group", "contrast"]):
        sizes = sorted({int(n) for n in rows["n"].dropna()})
        assert not any(0 < b - a < K for a, b in pairwise(sizes))
    # a difference never stands beside a hidden arm
    by = table[table["group"] != ""].set_index(["outcome", "bound", "first_month", "group"])["hidden"]
    for _, row in table[(table["contrast"] != "") & ~gone].iterrows():
        for side in row["contrast"].split(" - "):
            bounds = ("least", "most") if row["bound"].endswith("possible") else (row["bound"],)
            for bound in bounds:
                assert not by.get((row["outcome"], bound, row["first_month"], side), False)
    if "first_jobs" not in left:
        return
    counts = table_of(left, "first_jobs")
    for column in (counts["people"], counts["ended"], counts["at_risk"] - counts["people"], counts["people"] - counts["ended"]):
        assert not small(column).any()
    assert "back_in_work_times" not in left
    for name in ("first_job_tenure", "back_in_work"):
        if name in left:
            rows = table_of(left, name)
            for column in ("events", "censored", "competing"):
                if column in rows:
                    assert not small(rows[column]).any(), (name, column)


def test_the_synthetic_study_leaves_without_small_counts(demo: chapters.Answers, demo_followup: ips.FollowUp):
    left = released(demo)
    nothing_small(demo, left)
    table = table_of(left, "staying")
    # few people are followed in their first months by a register of pay
    assert table[(table["bound"] == "available") & table["outcome"].str.startswith("pay")]["hidden"].all()
    told = table[(table["outcome"] == "months_in_work") & (table["contrast"] != "")].iloc[0]
    assert told["estimate"] == round(told["estimate"], 1) and pd.isna(told["n"])
    shown, said, pictures = drawn(demo_followup.study, left)
    assert list(shown) == ["staying", "staying_bounds", "first_jobs"] and pictures == ["staying", "first_job_tenure"]
    # quartiles are those of the released curve
    curve, quartiles = table_of(left, "first_job_tenure"), table_of(left, "first_job_quartiles")
    for group, rows in curve.groupby("group"):
        median = quartiles[(quartiles["group"] == group) & (quartiles["probability"] == 0.5)]["estimate"].item()
        assert rows.loc[rows["estimate"] <= 0.5, "time"].min() == median
    assert len(said) == 3


def test_settings_are_read_printed_and_refused(demo_study: Path, tmp_path: Path, demo_followup: ips.FollowUp):
    text = demo_study.read_text(encoding="utf-8")
    for wrong in ("job_gap_months = -1", "steady_months = 0", "sustained_months = [6, 3]"):
        (tmp_path / "study.toml").write_text(text.replace("[follow_up]", f"[follow_up]\n{wrong}"), encoding="utf-8")
        with pytest.raises(ips.StudyError, match=wrong.split(" ")[0]):
            ips.load_study(tmp_path / "study.toml")
    other = with_study(demo_followup, steady_months=12, sustained_months=(9,))
    shown = drawn(other.study, asked(other))[0]
    names = [row.cells[0] for row in shown["staying"].rows]
    assert "In work 9 months in a row" in names and "Steady worker: in work at least 12 of 43 months" in names
    assert re.search(r"do not end it: 1\.", " ".join(shown["staying"].notes))
