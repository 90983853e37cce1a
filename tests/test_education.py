"""Work or education, completed school and NEET on hand-made people. Everybody starts in March 2015; month 7 is October 2015."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_definitions_by_hand import FEEDS, at, job, paid
from world import Feed, World, cohort_of

import ips_outcomes as ips
from ips_outcomes.errors import StudyError
from ips_outcomes.study.states import States

COURSES = {"courses": Feed("nudb_kurs", (2014, 8), (2015, 12))}
LEVELS = {"levels": Feed("bu_wide", (2008, 1), (2016, 12))}


def world(feeds: dict[str, Feed] | None = None, **more: Any) -> World:
    more.setdefault("people", {"P1": date(2015, 3, 10)})
    return World(feeds={**FEEDS, **COURSES, **(feeds or {})}, months=14, history=2, **more)


def course(first: date, last: date | None, person: str = "P1") -> dict[str, Any]:
    return {"person_id": person, "source": "courses", "start": first, "end": last}


def level(year: int, digit: int | None, person: str = "P1") -> dict[str, Any]:
    return {"person_id": person, "source": "levels", "record": "highest", "level": digit, "start": date(year, 10, 1)}


def followed(made: World, **settings: Any) -> ips.FollowUp:
    return ips.follow_up(cohort_of(made, {"work": {"or_education": True, **settings}}))


def column(found: ips.FollowUp, name: str, person: str = "P1") -> dict[int, Any]:
    own = found.person_months[found.person_months["person_id"] == person]
    return {m: None if pd.isna(v) else v for m, v in zip(own["month"], own[name].astype(object).tolist(), strict=True)}


def months(values: dict[int, Any], wanted: Any) -> list[int]:
    return [m for m, v in values.items() if v is wanted]


#: A course from 17 April (month 1, after the day) to 16 August 2015 (month 5, on the day).
SPRING = course(date(2015, 4, 17), date(2015, 8, 16))


def test_a_course_makes_a_yes_and_a_no_takes_two() -> None:
    found = followed(world(courses=[SPRING], jobs=[job(7), job(11)], pay=[paid(7, 9000), paid(11, 9000)]))
    work = column(found, "work")
    # the delivery of courses ends in December 2015, month 9: from then on nothing is known, a job in month 11 included, or all
    # who are known would be in work
    assert months(work, True) == [2, 3, 4, 5, 7]
    assert months(work, False) == [-2, -1, 0, 1, 6, 8, 9]
    assert months(work, None) == [10, 11, 12, 13, 14]
    assert months(column(found, "in_education"), True) == [2, 3, 4, 5]
    assert months(column(found, "in_education"), None) == [10, 11, 12, 13, 14]
    rules = found.quality.set_index(["source", "rule"])["count"]
    assert rules["definition work", "a yes by a course alone"] == 4
    assert rules["definition work", "education: no delivery of courses speaks for the month"] == 5
    assert rules["definition work", "a rule that its source cannot answer"] == 5


def test_any_day_and_skip_are_respected() -> None:
    made = world(courses=[SPRING], jobs=[job(11)], pay=[paid(11, 9000)])
    assert months(column(followed(made, month_rule="any_day"), "work"), True) == [1, 2, 3, 4, 5]
    skipped = column(followed(made, if_unanswerable="skip"), "work")
    assert months(skipped, True) == [2, 3, 4, 5, 11]
    assert months(skipped, None) == [] and months(skipped, False) == [-2, -1, 0, 1, 6, 7, 8, 9, 10, 12, 13, 14]


def test_a_course_answers_where_the_jobs_cannot() -> None:
    # hours are missing: the job leaves the month open; nobody can see schemes in the other
    made = world(
        courses=[course(date(2015, 4, 1), date(2015, 4, 30))], jobs=[job(1, weekly_hours=None), job(2, weekly_hours=None)]
    )
    work = column(followed(made, minimum_weekly_hours=20), "work")
    assert work[1] is True and work[2] is None
    unseen = world({"schemes": Feed("nav_schemes", (2014, 1), (2015, 3))}, courses=[SPRING])
    # where nobody could be seen out of a scheme, those on a course are not all there is
    assert set(months(column(followed(unseen), "work"), None)) >= {1, 2, 3, 4, 5, 6}
    assert months(column(followed(unseen, if_unanswerable="skip"), "work"), True) == [2, 3, 4, 5]


def test_nobody_studies_after_death_abroad_or_off_the_list() -> None:
    long = course(date(2015, 1, 1), None)
    dead = followed(world(courses=[long], deaths={"P1": date(2015, 6, 16)}))
    assert months(column(dead, "work"), True) == [-2, -1, 0, 1, 2] and column(dead, "in_education")[3] is None
    away = followed(world(courses=[long], moves={"P1": [(date(1990, 1, 1), date(2015, 5, 1)), (date(2015, 7, 1), None)]}))
    assert column(away, "work")[2] is None and column(away, "in_education")[3] is None and column(away, "work")[4] is True
    unlisted = followed(
        world({"courses": Feed("nudb_kurs", (2014, 8), (2015, 12), listed=frozenset())}, jobs=[job(1)], pay=[paid(1, 5)])
    )
    assert months(column(unlisted, "work"), True) == months(column(unlisted, "work"), False) == []


def test_hours_are_those_of_work_and_the_wait_ends_with_a_course() -> None:
    found = followed(world(courses=[SPRING], jobs=[job(4)], pay=[paid(4, 9000)]))
    hours = column(found, "weekly_hours")
    assert hours[3] == 0 and hours[4] == 37.5
    assert found.first_job[["time", "event"]].iloc[0].tolist() == [2, 1]
    # a course that was attended in month 0 is nothing new; one begun later is
    studying = [course(date(2015, 1, 1), date(2015, 6, 30)), course(date(2015, 8, 1), date(2015, 9, 30))]
    new = followed(world(courses=studying, already_working="new_employer"))
    assert new.first_job[["time", "event"]].iloc[0].tolist() == [5, 1]
    assert not followed(world(courses=studying)).first_job["at_risk"].iloc[0]


def test_a_course_is_no_job_that_lasts() -> None:
    # P1 waits until a course, P2 until a job; P3 has ten hours beside a course, which is too little to be the job that counts
    long = {p: course(date(2015, 4, 1), date(2015, 6, 30), p) for p in ("P1", "P3")}
    rows = [job(2, person_id="P2"), job(3, person_id="P2"), *(job(m, person_id="P3", weekly_hours=10.0) for m in (1, 2, 3))]
    made = world(people={p: date(2015, 3, 10) for p in ("P1", "P2", "P3")}, courses=list(long.values()), jobs=rows,
                 pay=[paid(m, 9000, person_id=p) for p, m in (("P2", 2), ("P2", 3), ("P3", 1), ("P3", 2), ("P3", 3))])  # fmt: skip
    found = followed(made, minimum_weekly_hours=20)
    assert found.first_job[["time", "event"]].values.tolist() == [[1, 1], [2, 1], [1, 1]]
    assert found.jobs[["person_id", "first_month", "last_month"]].values.tolist() == [["P2", 2, 3]]
    assert found.after_first_job[["person_id", "tenure", "ended"]].values.tolist() == [["P2", 2, 1]]
    rules = found.quality.set_index(["source", "rule"])["count"]
    assert rules["jobs held", "a course, and no job, ended the wait for a first job"] == 2


def cohort(made: World, states: dict[str, Any] | None = None, **people: list[Any]) -> ips.Cohort:
    """With ages and school at inclusion, and states."""
    plain = cohort_of(made, {"work": {}})
    study = plain.study if states is None else plain.study.model_copy(update={"states": States.model_validate(states)})
    return replace(plain, study=study, participants=plain.participants.assign(**people))


def test_school_is_completed_from_the_month_of_the_level() -> None:
    people = {p: date(2015, 3, 10) for p in ("P1", "P2", "P3", "P4", "P5")}
    held = [level(2014, 2), level(2015, 4), level(2014, 2, "P2"), level(2015, 2, "P2"), level(2014, 4, "P3"), level(2015, 5, "P3"),
            level(2014, 2, "P4"), level(2015, None, "P4")]  # fmt: skip
    made = world(LEVELS, people=people, courses=held)
    school = ["not_completed", "not_completed", "completed", None, "not_completed"]
    found = ips.follow_up(cohort(made, upper_secondary=pd.Series(school, dtype=object)))
    # October 2015 is month 7; levels of a year speak until the next October's eve
    one = column(found, "upper_secondary_since")
    assert months(one, True) == list(range(7, 15)) and months(one, False) == list(range(7)) and months(one, None) == [-2, -1]
    assert months(column(found, "upper_secondary_since", "P2"), False) == list(range(15))
    for nobody in ("P3", "P4", "P5"):
        # completed before; not known before; no level at all in the delivery
        assert months(column(found, "upper_secondary_since", nobody), None) == list(range(-2, 15)), nobody
    unknown = found.quality[found.quality["rule"].str.contains("completed school since then")].iloc[0]
    assert (unknown["count"], unknown["total"]) == (1, 5)
    early = ips.follow_up(cohort(world(LEVELS, courses=[level(2014, 2)]), upper_secondary=["not_completed"]))
    # nothing is known after September 2015
    assert months(column(early, "upper_secondary_since"), False) == list(range(7))


STATES = {
    "order": ["work", "school", "aap"], "neet": {"age_below": 30, "active": ["school", "work"]},
    "work": {"label": "Work", "employed": "work"}, "school": {"label": "School", "course": True},
    "aap": {"label": "AAP", "benefits": ["aap"]},
}  # fmt: skip


def test_neet_of_the_young_by_hand() -> None:
    people = {p: date(2015, 3, 10) for p in ("P1", "P2", "P3", "P4")}
    benefit = {"person_id": "P1", "source": "aap", "benefit": "aap", "degree": 100.0, "start": date(2015, 3, 1), "end": None}
    made = world(people=people, courses=[SPRING], jobs=[job(7), job(7, person_id="P2")], pay=[paid(7, 9000)], benefits=[benefit],
                 deaths={"P4": date(2015, 5, 1)})  # fmt: skip
    found = ips.follow_up(cohort(made, STATES, age=pd.array([29, 30, None, 18], dtype="Int64")))
    one = column(found, "neet")
    assert months(one, False) == [2, 3, 4, 5, 7]
    assert months(one, True) == [-2, -1, 0, 1, 6, 8, 9]
    assert months(one, None) == [10, 11, 12, 13, 14]
    # thirty is not under thirty; an unknown age is not known; the dead are in no statistic
    assert all(months(column(found, "neet", p), None) == list(range(-2, 15)) for p in ("P2", "P3"))
    assert months(column(found, "neet", "P4"), True) == [-2, -1, 0, 1]
    assert found.quality.loc[found.quality["rule"].str.contains("NEET"), "count"].tolist() == [1]


def test_neet_needs_active_states_alone_and_of_everybody() -> None:
    # nobody sees benefits from June 2015, month 3, on: without work and course P1 is NEET whatever the benefit; P2 works
    people, always = {p: date(2015, 3, 10) for p in ("P1", "P2")}, range(-2, 15)
    made = world({"aap": Feed("aap.toml", (2014, 1), (2015, 5))}, people=people,
                 jobs=[job(m, person_id="P2") for m in always], pay=[paid(m, 9000, person_id="P2") for m in always])  # fmt: skip
    found = ips.follow_up(cohort(made, STATES, age=pd.array([20, 20], dtype="Int64")))
    assert column(found, "state", "P1")[3] == "not_observed"
    assert months(column(found, "neet", "P1"), True) == list(range(-2, 10))
    # from month 10 on nobody sees courses: those in work alone would make NEET nobody's
    assert months(column(found, "neet", "P2"), False) == list(range(-2, 10))
    assert months(column(found, "neet", "P2"), None) == list(range(10, 15))


@pytest.mark.parametrize(("neet", "said"), [
    ({"active": ["school", "aap"]}, "come first in order"), ({"active": ["college"]}, "college is no state"),
    ({"active": []}, "at least 1"), ({"age_below": 12, "active": ["work"]}, "16"),
])  # fmt: skip
def test_neet_that_cannot_be_is_refused(neet: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        States.model_validate({**STATES, "neet": neet})


def test_work_or_education_needs_a_source_of_courses(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = ips.simulate_study(tmp_path / "study", participants=20, seed=3)
    text = path.read_text(encoding="utf-8")
    start = text.index("[sources.courses]")
    without = text[:start] + text[text.index("[sources.income]") :]
    start = without.index("[keys.courses]")
    path.write_text(without[:start] + without[without.index("[keys.income]") :], encoding="utf-8")
    with pytest.raises(StudyError, match="no source says who attends a course") as caught:
        ips.load_study(path)
    assert sum("attends a course" in p.rule for p in caught.value.problems) == 2


def test_at_names_the_month_that_these_tests_count() -> None:
    assert at(7) == (2015, 10) and at(9) == (2015, 12)


def test_a_first_yes_that_is_a_course_has_no_length_as_a_job(tmp_path: Path) -> None:
    path = ips.simulate_study(tmp_path / "study", participants=60, seed=5)
    text = path.read_text(encoding="utf-8").replace('primary_definition = "ordinary"', 'primary_definition = "work_or_education"')
    path.write_text(text.replace('employed = "ordinary"', 'employed = "work_or_education"'), encoding="utf-8")
    followed = ips.follow_up(ips.load_cohort(ips.load_study(path)))
    first = followed.first_job.set_index("person_id")
    yes = set(first.index[first["event"] == 1])
    jobs = followed.jobs.groupby("person_id")[["first_month", "last_month"]].agg(list)
    month = first["time"]
    with_job = {p for p in yes if p in jobs.index and any(a <= month[p] <= b for a, b in zip(*jobs.loc[p], strict=True))}
    assert set(followed.after_first_job["person_id"]) == with_job < yes
