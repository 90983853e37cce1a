"""Hand-made people with known answers, for what a definition may ask beside a job. Everybody starts in March 2015.

Month 7 is October 2015, month 12 March 2016. Job records, pay, schemes and benefits are there from 2014 to 2016.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from small_study import follow, record
from world import Feed, World, cohort_of

import ips_outcomes as ips
from ips_outcomes.followup.basic_amount import g_of_month
from ips_outcomes.months import parse_month

FEEDS = {
    "monthly": Feed("ameld_statdata", (2014, 1), (2016, 12)),
    "schemes": Feed("nav_schemes", (2014, 1), (2016, 12)),
    "aap": Feed("aap.toml", (2014, 1), (2016, 12)),
}
G_BEFORE_MAY_2015, G_FROM_MAY_2015 = 88_370, 90_068


def world(feeds: dict[str, Feed] | None = None, **more: Any) -> World:
    more.setdefault("people", {"P1": date(2015, 3, 10)})
    return World(feeds={**FEEDS, **(feeds or {})}, months=14, history=2, **more)


def at(month: int) -> tuple[int, int]:
    """The calendar month of a month since March 2015."""
    total = 2015 * 12 + 2 + month
    return total // 12, total % 12 + 1


def job(month: int, employer: str | None = "E1", **more: Any) -> dict[str, Any]:
    return {"person_id": "P1", "source": "monthly", "record": "month", "month": at(month), "start": None, "end": None,
            "employer": employer, "kind": "ordinary", "basis": "1a", "weekly_hours": 37.5, **more}  # fmt: skip


def paid(month: int, nok: float, employer: str | None = "E1", **more: Any) -> dict[str, Any]:
    return {"person_id": "P1", "source": "monthly", "month": at(month), "employer": employer, "kind": "ordinary", "basis": "1a",
            "amount_ore": round(nok * 100), **more}  # fmt: skip


def on_aap(first: date, last: date | None, degree: float | None = None, source: str = "aap") -> dict[str, Any]:
    return {"person_id": "P1", "source": source, "benefit": "aap", "degree": degree, "start": first, "end": last}


def followed(made: World, **settings: Any) -> ips.FollowUp:
    return ips.follow_up(cohort_of(made, {"work": settings}))


def answers(made: World, **settings: Any) -> dict[int, bool | None]:
    table = followed(made, **settings).person_months
    own = table[table["person_id"] == "P1"]
    return {month: None if pd.isna(value) else bool(value) for month, value in zip(own["month"], own["work"], strict=True)}


def yes(found: dict[int, bool | None]) -> list[int]:
    return [month for month, value in found.items() if value]


def unknown(found: dict[int, bool | None]) -> list[int]:
    return [month for month, value in found.items() if value is None]


def through(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def count(made: World, rule: str, **settings: Any) -> int:
    quality = followed(made, **settings).quality
    return int(quality.loc[quality["rule"] == rule, "count"].sum())


# ---------------------------------------------------------------- kinds and bases


@pytest.mark.parametrize("basis", ["1a", "1b", "2a", "2b", "2c", "3", "4a", "4b", "5a", "5b"])
def test_each_basis_counts_where_the_definition_names_it_and_only_1a_and_1b_otherwise(basis):
    made = world(jobs=[job(3, basis=basis)])
    assert yes(answers(made)) == ([3] if basis in ("1a", "1b") else [])
    assert yes(answers(made, basis=[basis])) == [3]
    others = [b for b in ("1a", "1b", "2b", "2c", "4a") if b != basis]
    assert yes(answers(made, basis=others)) == []


def test_freelance_work_counts_where_the_definition_names_it():
    made = world(jobs=[job(3, kind="freelance"), job(5)])
    assert yes(answers(made)) == [5]
    assert yes(answers(made, kinds=["freelance"])) == [3]
    assert yes(answers(made, kinds=["ordinary", "freelance"])) == [3, 5]


def test_pension_and_benefit_records_among_the_jobs_never_count(tmp_path):
    made = follow(
        tmp_path, months=27, ordinary='kinds = ["ordinary", "freelance"]\nbasis = ["1a", "1b", "2a", "2b", "2c", "4a"]',
        records=[record("P1", "2015-02", kind="pensjonOgAndreTyperYtelserUtenAnsettelsesforhold"), record("P1", "2015-04")],
    )  # fmt: skip
    assert made.yes("P1") == [25]


def test_any_support_stands_beside_ordinary_work():
    made = world(jobs=[job(m) for m in through(1, 4)],
                 schemes=[{"person_id": "P1", "source": "schemes", "scheme": "VARLONTIL", "employer": "E1",
                           "start": date(*at(2), 1), "end": date(*at(3), 20)}])  # fmt: skip
    cohort = cohort_of(made, {"ordinary": {}, "any_support": {"wage_subsidy": "keep"}})
    months = ips.follow_up(cohort).person_months.set_index("month")
    assert months.index[months["ordinary"].fillna(False).astype(bool)].tolist() == [1, 4]
    assert months.index[months["any_support"].fillna(False).astype(bool)].tolist() == [1, 2, 3, 4]


def test_open_scheme_takes_nothing_after_its_delivery_ends_where_the_rule_is_skipped():
    made = world({"schemes": Feed("nav_schemes", (2014, 1), (2015, 8))}, jobs=[job(m) for m in through(1, 14)],
                 schemes=[{"person_id": "P1", "source": "schemes", "scheme": "MIDLONTIL", "employer": "E1",
                           "start": date(*at(2), 1), "end": None}])  # fmt: skip
    assert yes(answers(made, if_unanswerable="skip")) == [1, *through(6, 14)]
    found = answers(made)
    assert yes(found) == [1]
    assert unknown(found) == through(6, 14)


# ---------------------------------------------------------------- blank


WIDE = {"wide": Feed("wide.toml", (2014, 1), (2016, 12))}


def cell(month: int, kind: str) -> dict[str, Any]:
    return job(month, None, source="wide", kind=kind, basis=None, weekly_hours=None)


def test_month_that_a_wide_table_left_blank_is_not_observed_and_says_why():
    made = World(people={"P1": date(2015, 3, 10)}, months=14, history=2, jobs=[cell(2, "ordinary"), cell(3, "unknown")],
                 feeds={**WIDE, "schemes": FEEDS["schemes"]})  # fmt: skip
    months = followed(made).person_months.set_index("month")
    assert months["reason"].to_dict() == {m: "blank" if m == 3 else "" for m in through(-2, 14)}
    assert yes(answers(made)) == [2]
    assert unknown(answers(made)) == [3]
    assert count(made, "month not observed: blank") == 1


def test_blank_month_is_a_yes_where_another_register_has_a_job_and_open_where_it_has_none():
    made = world(WIDE, jobs=[cell(2, "unknown"), job(2), cell(3, "unknown"), cell(4, "unknown"), job(4, kind="freelance")])
    found = answers(made)
    assert yes(found) == [2]
    assert unknown(found) == [3, 4]
    assert count(made, "kind of job left blank, so that the answer is open") == 2


def test_job_whose_kind_is_blank_is_not_the_whole_month_of_a_register_that_lists_jobs():
    made = world(jobs=[job(2, kind="unknown"), job(3, kind="unknown"), job(3, "E2"), job(4, kind="unknown", basis="2a")])
    months = followed(made).person_months.set_index("month")
    assert months["observed"].all()
    found = answers(made)
    assert (found[2], found[3], found[4]) == (None, True, False)


# ---------------------------------------------------------------- G


def test_g_takes_effect_on_the_first_of_may_of_every_year():
    known = {"2009-05": 72_881, "2010-04": 72_881, "2015-04": G_BEFORE_MAY_2015, "2015-05": G_FROM_MAY_2015, "2027-04": 136_549}
    assert g_of_month([parse_month(m) for m in known]).tolist() == [nok * 100 for nok in known.values()]
    every = g_of_month(range(parse_month("2009-05"), parse_month("2027-04") + 1)).reshape(-1, 12)
    assert len(every) == 18
    assert (every == every[:, :1]).all()
    assert (every[1:, 0] > every[:-1, 0]).all()


@pytest.mark.parametrize("month", ["2009-04", "2027-05", "1995-01"])
def test_month_without_a_known_g_stops_and_says_how_far_the_table_reaches(month):
    with pytest.raises(ips.DataError, match="reaches from 2009-05 to 2027-04") as caught:
        g_of_month([parse_month("2015-01"), parse_month(month)])
    assert month in str(caught.value)


def test_pay_in_the_month_is_held_against_that_month_s_own_g():
    # G/12 is 7,364.1667 in April 2015 (month 1) and 7,505.6667 in May (month 2)
    made = world(jobs=[job(m) for m in through(1, 4)],
                 pay=[paid(1, 7_364.17), paid(2, 7_364.17), paid(3, 7_505.67), paid(4, 7_505.66)])  # fmt: skip
    assert yes(answers(made, minimum_monthly_pay_g=1)) == [1, 3]
    assert yes(answers(made, minimum_monthly_pay_g=0.5)) == [1, 2, 3, 4]


def test_threshold_that_is_met_to_the_ore_is_met():
    # 0.12 of G/12 is exactly 900.68 NOK from May 2015
    made = world(jobs=[job(2), job(3)], pay=[paid(2, 900.68), paid(3, 900.67)])
    assert yes(answers(made, minimum_monthly_pay_g=0.12)) == [2]


def test_pay_of_two_jobs_is_added_up_and_that_of_a_subsidised_one_left_out():
    made = world(jobs=[job(2), job(2, "E2"), job(3), job(3, "E2")], pay=[paid(m, 4_000, e) for m in (2, 3) for e in ("E1", "E2")],
                 schemes=[{"person_id": "P1", "source": "schemes", "scheme": "MIDLONTIL", "employer": "E2",
                           "start": date(*at(3), 1), "end": date(*at(3), 28)}])  # fmt: skip
    assert yes(answers(made, minimum_monthly_pay_g=1)) == [2]


def test_pay_in_g_is_unknown_where_the_register_has_no_pay():
    spells = {"monthly": Feed("ameld_statdata", (2015, 8), (2016, 12)), "spells": Feed("job_spells", (2014, 1), (2015, 7))}
    made = world(spells, jobs=[job(6)], pay=[paid(6, 20_000)])
    found = answers(made, minimum_monthly_pay_g=1)
    assert unknown(found) == through(-2, 4)
    assert yes(found) == [6]
    assert count(made, "pay: the month's register does not know it", minimum_monthly_pay_g=1) == 4
    assert unknown(answers(made, minimum_monthly_pay_g=1, if_unanswerable="skip")) == []


# ---------------------------------------------------------------- a year of pay


def year_of(nok: float, months: list[int], **more: Any) -> World:
    return world(jobs=[job(m) for m in through(-13, 14)], pay=[paid(m, nok) for m in months], **more)


def test_year_of_pay_is_asked_from_month_12_on_and_of_history_and_month_0():
    # the twelve months to March 2016 hold April 2015 with the old G and eleven with the new: their mean is 89,926.50
    made = year_of(7_493.88, through(1, 12))
    found = answers(made, minimum_yearly_pay_g=1)
    assert unknown(found) == through(1, 11)
    # twelve times 7,493.88 is 89,926.56; in month 13 there are eleven paid months left, and before month 1 none
    assert yes(found) == [12]
    assert [m for m, value in found.items() if value is False] == [-2, -1, 0, 13, 14]
    assert yes(answers(year_of(7_493.87, through(1, 12)), minimum_yearly_pay_g=1)) == []  # 89,926.44


def test_year_of_pay_of_history_and_month_0_looks_back_on_the_year_before_them():
    # 8,000 a month from March 2014 to February 2015; the old G is 85,245 until April 2014, then 88,370
    made = year_of(8_000, through(-12, -1))
    found = answers(made, minimum_yearly_pay_g=1)
    # 88,000 by January against a mean of 87,588.75; 96,000 by February; 88,000 by March against 88,109.58
    assert (found[-2], found[-1], found[0]) == (True, True, False)


def test_year_of_pay_that_is_met_to_the_ore_is_met():
    # the twelve months to April 2016 (month 13) all have the G of May 2015
    assert answers(world(jobs=[job(13), job(5)], pay=[paid(5, G_FROM_MAY_2015)]), minimum_yearly_pay_g=1)[13] is True
    assert answers(world(jobs=[job(13), job(5)], pay=[paid(5, G_FROM_MAY_2015 - 0.01)]), minimum_yearly_pay_g=1)[13] is False


def test_year_of_pay_asks_for_a_job_in_the_month_itself_but_counts_pay_of_jobs_not_held_on_the_16th():
    made = world(jobs=[job(m, start=date(*at(m), 17)) for m in through(1, 11)] + [job(12)],
                 pay=[paid(m, 10_000) for m in through(1, 11)])  # fmt: skip
    found = answers(made, minimum_yearly_pay_g=1)
    assert yes(found) == [12]
    assert found[13] is False


@pytest.mark.parametrize("gap", [1, 6, 12])
def test_one_month_that_is_not_seen_leaves_the_year_unknown(gap):
    feed = {"monthly": Feed("ameld_statdata", (2014, 1), (2016, 12), frozenset({at(gap)}))}
    made = world(
        feed, jobs=[job(m) for m in through(1, 14) if m != gap], pay=[paid(m, 10_000) for m in through(1, 14) if m != gap]
    )
    found = answers(made, minimum_yearly_pay_g=1)
    assert found[12] is None
    assert found[13] is (True if gap == 1 else None)


def test_year_of_pay_is_unknown_until_a_register_of_pay_has_spoken_for_twelve_months():
    feeds = {"monthly": Feed("ameld_statdata", (2015, 5), (2016, 12)), "spells": Feed("job_spells", (2013, 1), (2015, 4))}
    made = world(feeds, jobs=[job(m) for m in through(2, 14)], pay=[paid(m, 10_000) for m in through(2, 14)])
    found = answers(made, minimum_yearly_pay_g=1)
    assert unknown(found) == through(-2, 12)
    assert yes(found) == [13, 14]


def test_months_that_a_scheme_takes_give_no_pay_to_the_year():
    made = world(jobs=[job(m) for m in through(1, 14)], pay=[paid(m, 8_000) for m in through(1, 14)],
                 schemes=[{"person_id": "P1", "source": "schemes", "scheme": "VASV", "employer": None,
                           "start": date(*at(1), 1), "end": date(*at(1), 28)}])  # fmt: skip
    found = answers(made, minimum_yearly_pay_g=1)  # 88,000 in eleven months, then 96,000
    assert (found[12], found[13]) == (False, True)
    assert answers(made, minimum_yearly_pay_g=1, wage_subsidy="keep")[12] is True


# ---------------------------------------------------------------- benefits


def employed_on_aap(*spells: dict[str, Any], **more: Any) -> World:
    return world(more.pop("feeds", None), jobs=[job(m) for m in through(-2, 14)], benefits=list(spells), **more)


def test_month_on_a_benefit_at_the_degree_or_more_is_a_no():
    made = employed_on_aap(on_aap(date(*at(2), 1), date(*at(3), 28), 49), on_aap(date(*at(4), 1), date(*at(4), 28), 50))
    assert yes(answers(made, without_benefits={"aap": 50})) == [m for m in through(-2, 14) if m != 4]
    assert yes(answers(made, without_benefits={"aap": 0})) == [m for m in through(-2, 14) if m not in (2, 3, 4)]
    assert count(made, "would be in work, but is on aap", without_benefits={"aap": 0}) == 3


def test_unknown_degree_is_any_degree_and_leaves_a_threshold_open():
    made = employed_on_aap(on_aap(date(*at(2), 1), date(*at(3), 28)))
    assert [answers(made, without_benefits={"aap": 0})[m] for m in (1, 2, 3, 4)] == [True, False, False, True]
    assert unknown(answers(made, without_benefits={"aap": 1})) == [2, 3]
    assert count(made, "degree of aap missing, so that the answer is open", without_benefits={"aap": 1}) == 2


def test_unknown_degree_leaves_nothing_open_where_the_month_is_a_no_already():
    made = world(jobs=[job(4)], benefits=[on_aap(date(*at(3), 1), date(*at(4), 28))])
    found = answers(made, without_benefits={"aap": 50})
    assert (found[3], found[4]) == (False, None)


def test_highest_of_two_degrees_counts_and_a_known_one_may_decide_beside_an_unknown_one():
    first, last = date(*at(2), 1), date(*at(2), 28)
    assert answers(employed_on_aap(on_aap(first, last, 30), on_aap(first, last, 60)), without_benefits={"aap": 50})[2] is False
    assert answers(employed_on_aap(on_aap(first, last, 30), on_aap(first, last, 30)), without_benefits={"aap": 50})[2] is True
    assert answers(employed_on_aap(on_aap(first, last), on_aap(first, last, 60)), without_benefits={"aap": 50})[2] is False
    assert answers(employed_on_aap(on_aap(first, last), on_aap(first, last, 30)), without_benefits={"aap": 50})[2] is None


def test_benefit_is_looked_at_on_the_16th_or_on_any_day():
    made = employed_on_aap(on_aap(date(*at(2), 3), date(*at(2), 10), 100), on_aap(date(*at(4), 16), date(*at(4), 16), 100))
    assert [m for m, value in answers(made, without_benefits={"aap": 50}).items() if value is False] == [4]
    any_day = answers(made, without_benefits={"aap": 50}, month_rule="any_day")
    assert [m for m, value in any_day.items() if value is False] == [2, 4]


def test_month_that_no_delivery_of_the_benefit_covers_is_unknown_or_skipped():
    feeds = {"aap": Feed("aap.toml", (2014, 1), (2015, 8), frozenset({at(2)}))}
    made = employed_on_aap(on_aap(date(*at(1), 1), None, 100), feeds=feeds)
    found = answers(made, without_benefits={"aap": 50})
    assert unknown(found) == [2, *through(6, 14)]
    assert yes(found) == [-2, -1, 0]
    # an open spell says nothing after its delivery has ended
    assert yes(answers(made, without_benefits={"aap": 50}, if_unanswerable="skip")) == [-2, -1, 0, 2, *through(6, 14)]
    assert count(made, "aap: no delivery of this benefit speaks for the month", without_benefits={"aap": 50}) == 10


def test_person_on_no_benefit_list_is_unknown_and_never_off_benefit():
    made = employed_on_aap(feeds={"aap": Feed("aap.toml", (2014, 1), (2016, 12), listed=frozenset())})
    assert unknown(answers(made, without_benefits={"aap": 50})) == through(-2, 14)
    assert yes(answers(made)) == through(-2, 14)


def test_two_deliveries_of_one_benefit_cover_each_what_they_can():
    feeds = {"aap": Feed("aap.toml", (2014, 1), (2015, 8)), "several": Feed("several.toml", (2015, 9), (2016, 2))}
    made = employed_on_aap(
        on_aap(date(*at(4), 1), None, 100), on_aap(date(*at(7), 1), date(*at(7), 30), 100, "several"), feeds=feeds
    )
    found = answers(made, without_benefits={"aap": 50})
    assert [m for m, value in found.items() if value is False] == [4, 5, 7]
    assert unknown(found) == [12, 13, 14]
    # only the second can deliver sickness benefit, and none of the two unemployment benefit
    assert unknown(answers(made, without_benefits={"sickness": 0})) == [*through(-2, 5), 12, 13, 14]
    assert unknown(answers(made, without_benefits={"unemployment": 0})) == through(-2, 14)


def test_higher_degree_than_at_inclusion_is_a_no_and_the_same_or_a_lower_one_is_not():
    made = employed_on_aap(on_aap(date(2014, 6, 1), date(*at(3), 28), 50), on_aap(date(*at(4), 1), date(*at(5), 28), 60),
                           on_aap(date(*at(6), 1), date(*at(7), 28), 40))  # fmt: skip
    found = answers(made, benefits_not_above_inclusion=["aap"])
    assert [m for m, value in found.items() if value is False] == [4, 5]
    rule = "would be in work, but at a higher degree of aap than in month 0"
    assert count(made, rule, benefits_not_above_inclusion=["aap"]) == 2


def test_benefit_that_the_person_did_not_have_at_inclusion_is_above_whatever_its_degree():
    made = employed_on_aap(on_aap(date(*at(4), 1), date(*at(4), 28)), on_aap(date(*at(6), 1), date(*at(6), 28), 20))
    found = answers(made, benefits_not_above_inclusion=["aap"])
    assert [m for m, value in found.items() if value is False] == [4, 6]
    assert unknown(found) == []


def test_unknown_degree_at_inclusion_leaves_months_on_the_benefit_open_and_no_others():
    made = employed_on_aap(on_aap(date(2014, 6, 1), date(*at(2), 28)), on_aap(date(*at(4), 1), date(*at(4), 28), 20))
    found = answers(made, benefits_not_above_inclusion=["aap"])
    assert found[0] is True  # a month is never above itself
    assert unknown(found) == [-2, -1, 1, 2, 4]


def test_full_benefit_at_inclusion_is_never_exceeded():
    made = employed_on_aap(on_aap(date(*at(0), 1), date(*at(0), 28), 100), on_aap(date(*at(4), 1), date(*at(4), 28)))
    assert yes(answers(made, benefits_not_above_inclusion=["aap"])) == through(-2, 14)


def test_inclusion_that_no_benefit_delivery_covers_leaves_every_month_unknown():
    made = employed_on_aap(feeds={"aap": Feed("aap.toml", (2015, 4), (2016, 12))})
    assert unknown(answers(made, benefits_not_above_inclusion=["aap"])) == through(-2, 14)
    assert yes(answers(made, benefits_not_above_inclusion=["aap"], if_unanswerable="skip")) == through(-2, 14)


def test_dead_and_moved_people_are_not_observed_whatever_a_definition_asks():
    settings = {"minimum_yearly_pay_g": 0.5, "without_benefits": {"aap": 50}, "if_unanswerable": "skip"}
    died = employed_on_aap(deaths={"P1": date(*at(7), 16)})
    months = followed(died, **settings).person_months.set_index("month")
    assert months["reason"].to_dict() == {m: "dead" if m >= 7 else "" for m in through(-2, 14)}
    assert months.loc[7:, "work"].isna().all()
    moved = employed_on_aap(moves={"P1": [(date(1990, 1, 1), date(*at(3), 20)), (date(*at(6), 2), None)]})
    months = followed(moved, **settings).person_months.set_index("month")
    assert months.index[months["work"].isna()].tolist() == [4, 5]
    assert set(months.loc[[4, 5], "reason"]) == {"abroad"}


def test_time_to_first_job_is_by_all_the_rules_of_the_definition():
    made = world(jobs=[job(m) for m in through(2, 14)], benefits=[on_aap(date(*at(0), 1), date(*at(4), 28), 100)])
    first = followed(made, without_benefits={"aap": 50}).first_job.iloc[0]
    assert (first["at_risk"], first["time"], first["event"]) == (True, 5, 1)
    assert followed(made).first_job.iloc[0]["time"] == 2


def test_source_system_and_the_break_are_carried_to_the_person_month():
    feeds = {"monthly": Feed("ameld_statdata", (2015, 1), (2016, 12)), "spells": Feed("aa_jobs", (2013, 1), (2014, 12))}
    made = world(feeds, people={"P1": date(2014, 9, 10), "P2": date(2015, 3, 10)})
    months = followed(made).person_months.set_index(["person_id", "month"])
    assert months.loc[("P1", 3), "source_system"] == "aa_register"
    assert months.loc[("P1", 4), "source_system"] == "a_ordning"
    assert months.loc["P1", "crosses_2015_break"].all()
    assert not months.loc["P2", "crosses_2015_break"].any()
