"""Hand-made people with known answers: one test a rule. Everybody starts in March 2013, so month 7 is October 2013."""

from __future__ import annotations

import pandas as pd
import pytest
from small_study import FREELANCE, follow, job, record, scheme, write_small_study

import ips_outcomes as ips

LENIENT_AND_KEEP = """
[employed.lenient]
label = "Lenient"
wage_subsidy = "lenient"

[employed.keep]
label = "Any paid job"
wage_subsidy = "keep"
"""

#: January to June 2015 are months 22 to 27 of somebody who started in March 2013.
JANUARY_2015 = 22


def through(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


# ------------------------------------------------------------------- death


def test_month_of_death_is_observed_only_if_the_16th_was_survived(tmp_path):
    deaths = {"P15": "20131015", "P16": "20131016", "P17": "20131017"}
    made = follow(tmp_path, people=tuple(deaths), deaths=deaths, jobs=[job(person, "2012-01-01") for person in deaths])
    assert [made.months(person)[6] for person in deaths] == [True, True, True]
    assert [made.months(person)[7] for person in deaths] == [None, None, True]
    assert [made.reason(person, 7) for person in deaths] == ["dead", "dead", ""]
    assert [made.unknown(person) for person in deaths] == [through(7, 21), through(7, 21), through(8, 21)]


def test_death_without_a_job_is_event_2_in_its_month_on_either_side_of_the_16th(tmp_path):
    deaths = {"P1": "20131003", "P2": "20131030"}
    made = follow(tmp_path, people=("P1", "P2", "P3"), deaths=deaths, jobs=[job("P3", "2013-05-01")])
    assert made.first_job("P1") == made.first_job("P2") == (7, 2, "death")


def test_first_job_and_death_in_the_same_month_is_a_first_job(tmp_path):
    made = follow(tmp_path, deaths={"P1": "20131030"}, jobs=[job("P1", "2013-10-01")])
    assert made.yes("P1") == [7]
    assert made.first_job("P1") == (7, 1, "first_job")


def test_death_after_a_first_job_leaves_the_first_job(tmp_path):
    made = follow(tmp_path, deaths={"P1": "20131030"}, jobs=[job("P1", "2013-06-01", "2013-07-31")])
    assert made.first_job("P1") == (3, 1, "first_job")


def test_death_in_month_0_after_the_16th_is_event_2_at_time_0(tmp_path):
    made = follow(tmp_path, people=("P1", "P2"), deaths={"P1": "20130328"}, jobs=[job("P2", "2013-05-01")])
    assert made.months("P1")[0] is False
    assert made.first_job("P1") == (0, 2, "death")
    assert set(made.unknown("P1")) == set(through(1, 21))


def test_death_in_month_0_before_the_16th_is_event_2_at_time_0_as_well(tmp_path):
    made = follow(tmp_path, people=("P1", "P2"), deaths={"P1": "20130312"}, jobs=[job("P2", "2013-05-01")])
    assert made.reason("P1", 0) == "dead"
    assert made.first_job("P1") == (0, 2, "death")


def test_composite_counts_a_dead_month_as_not_in_work(tmp_path):
    made = follow(tmp_path, deaths={"P1": "20131003"}, jobs=[job("P1", "2013-06-01")])
    composite = made.months("P1", "ordinary_composite")
    assert composite[6] is True
    assert composite[7] is False
    assert composite[21] is False


# ----------------------------------------------------------------- abroad


def test_months_abroad_are_unobserved_and_rates_resume_on_return(tmp_path):
    made = follow(
        tmp_path, moves={"P1": [("19800101", "20130715"), ("20131016", "")]}, jobs=[job("P1", "2014-01-01")], months=21
    )  # fmt: skip
    assert made.unknown("P1") == [4, 5, 6]  # gone on 16 July, back on 16 October
    assert {made.reason("P1", month) for month in (4, 5, 6)} == {"abroad"}
    assert made.months("P1")[7] is False
    assert made.yes("P1") == through(10, 21)


def test_time_to_job_is_censored_before_leaving_and_does_not_start_again(tmp_path):
    made = follow(
        tmp_path, moves={"P1": [("19800101", "20130715"), ("20131016", "")]}, jobs=[job("P1", "2014-01-01")], months=21
    )  # fmt: skip
    assert made.first_job("P1") == (3, 0, "abroad")


def test_last_and_first_day_as_a_resident_count(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), months=12, jobs=[job("P1", "2011-01-01")],
        moves={"P1": [("19800101", "20130716"), ("20130916", "")]},
    )  # fmt: skip
    assert made.unknown("P1") == [5]


def test_death_abroad_is_censored_at_leaving_and_not_event_2(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), jobs=[job("P2", "2013-05-01")], moves={"P1": [("19800101", "20130701")]},
        deaths={"P1": "20131103"},
    )  # fmt: skip
    assert made.first_job("P1") == (3, 0, "abroad")
    assert made.reason("P1", 7) == "abroad"
    assert made.reason("P1", 8) == "dead"


def test_residence_that_is_assumed_leaves_nobody_abroad_and_the_dead_dead(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), months=12, follow_up='residence = "assumed"', jobs=[job("P1", "2013-04-01")],
        deaths={"P1": "20130901"}, moves={"P2": [("19800101", "20130501")]},
    )  # fmt: skip
    assert made.yes("P1") == through(1, 5)
    assert made.reason("P1", 6) == "dead"
    assert made.unknown("P2") == []


# -------------------------------------------------------- several jobs, hours


def test_two_overlapping_part_time_jobs_count_once(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), months=12,
        jobs=[job("P1", "2013-05-01", "2013-08-31", "E1", "10"), job("P1", "2013-07-01", "2013-10-31", "E2", "12")],
    )  # fmt: skip
    assert made.yes("P1") == through(2, 7)
    table = ips.employment_rates(made.data, outcome="ordinary", at=[4]).table
    assert table[["n", "events"]].values.tolist() == [[2, 1]]


def test_hours_of_simultaneous_jobs_are_added_up_for_the_minimum(tmp_path):
    made = follow(
        tmp_path, months=12, ordinary="minimum_weekly_hours = 20",
        jobs=[job("P1", "2013-05-01", "2013-08-31", "E1", "8,5"), job("P1", "2013-07-01", "2013-10-31", "E2", "11,5")],
    )  # fmt: skip
    assert made.yes("P1") == [4, 5]
    assert made.unknown("P1") == []


def test_number_with_the_wrong_decimal_mark_is_never_read_ten_times_too_large(tmp_path):
    # the layout expects 8,5; a file that writes 8.5 is marked or read right, and is not 85 hours a week
    odd = job("P1", "2013-05-01", "2013-08-31", "E1", "8.5")
    made = follow(
        tmp_path / "one", months=12, jobs=[odd, *(job("P1", f"2013-0{m}-01", f"2013-0{m}-28", "E2", "8,5") for m in (2, 3))]
    )
    assert made.cohort.employment["weekly_hours"].dropna().tolist() == [8.5, 8.5]
    assert (made.cohort.quality["rule"] == "unreadable value in weekly_hours").any()
    # where most values are so, the study file is wrong, and nothing is guessed
    with pytest.raises(ips.DataError, match="not of the kind"):
        follow(tmp_path / "all", months=12, jobs=[odd])


def test_missing_hours_leave_the_month_unknown_unless_the_rest_is_enough(tmp_path):
    made = follow(
        tmp_path, months=12, ordinary="minimum_weekly_hours = 20",
        jobs=[job("P1", "2013-05-01", "2013-08-31", "E1", ""), job("P1", "2013-07-01", "2013-07-31", "E2", "20")],
    )  # fmt: skip
    assert made.yes("P1") == [4]
    assert made.unknown("P1") == [2, 3, 5]


# ------------------------------------------------------------- wage subsidy


def subsidised(tmp_path, *, employer, jobs=None, code="MIDLONTIL", **more):
    """In work with E1 from April and with E2 from June to August; on a scheme from May to September (months 2 to 6)."""
    jobs = jobs or [job("P1", "2013-04-01", "2013-10-31", "E1"), job("P1", "2013-06-01", "2013-08-31", "E2")]
    return follow(
        tmp_path, months=12, jobs=jobs, schemes=[scheme("P1", code, "2013-05-01", "2013-09-30", employer)],
        employed=LENIENT_AND_KEEP, **more,
    )  # fmt: skip


def test_wage_subsidy_with_the_employer_s_key_takes_only_that_employer_s_job(tmp_path):
    made = subsidised(tmp_path, employer="E1")
    assert made.yes("P1") == [1, 3, 4, 5, 7]
    assert made.yes("P1", "lenient") == [1, 3, 4, 5, 7]
    assert made.yes("P1", "keep") == through(1, 7)
    assert made.count("definition ordinary", "months at stake") == 0


def test_wage_subsidy_without_a_key_takes_the_month_if_strict_and_the_only_job_if_lenient(tmp_path):
    made = subsidised(tmp_path, employer="")
    assert made.yes("P1") == [1, 7]
    assert made.yes("P1", "lenient") == [1, 3, 4, 5, 7]
    assert made.yes("P1", "keep") == through(1, 7)
    assert made.count("definition ordinary", "months at stake") == 3


def test_employer_s_key_that_the_job_register_never_uses_counts_as_no_key(tmp_path):
    made = subsidised(tmp_path, employer="KEY OF ANOTHER DELIVERY")
    assert made.yes("P1") == [1, 7]
    assert made.yes("P1", "lenient") == [1, 3, 4, 5, 7]


def test_employer_s_key_of_somebody_else_s_job_takes_nothing(tmp_path):
    made = subsidised(
        tmp_path, employer="E9", people=("P1", "P2"),
        jobs=[job("P1", "2013-04-01", "2013-10-31", "E1"), job("P2", "2013-04-01", "2013-10-31", "E9")],
    )  # fmt: skip
    assert made.yes("P1") == made.yes("P1", "lenient") == through(1, 7)


def test_employer_s_key_that_the_register_uses_in_a_row_that_is_not_used_is_still_a_key(tmp_path):
    made = subsidised(
        tmp_path, employer="E9", jobs=[job("P1", "2013-04-01", "2013-10-31", "E1"), job("STRANGER", "2013-04-01", "", "E9")]
    )  # fmt: skip
    assert made.yes("P1") == made.yes("P1", "lenient") == through(1, 7)


def test_two_spells_with_one_employer_are_one_job_to_the_lenient_rule(tmp_path):
    made = subsidised(
        tmp_path, employer="", jobs=[job("P1", "2013-04-01", "2013-10-31", "E1"), job("P1", "2013-05-10", "2013-10-31", "E1")]
    )  # fmt: skip
    assert made.yes("P1", "lenient") == [1, 7]


def each_on_its_own(tmp_path, codes, **more):
    """One person a scheme, named after it: in work from month 1 to 7, on the scheme from month 2 to 6."""
    return follow(
        tmp_path, months=12, people=codes, jobs=[job(code, "2013-04-01", "2013-10-31") for code in codes],
        schemes=[scheme(code, code, "2013-05-01", "2013-09-30") for code in codes], employed=LENIENT_AND_KEEP, **more,
    )  # fmt: skip


def test_four_schemes_subtract_and_work_practice_and_supported_employment_do_not(tmp_path):
    subtract = ("MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR")
    keep = ("ARBTREN", "ARBFORB", "INDJOBSTOT", "IPSUNG")
    made = each_on_its_own(tmp_path, (*subtract, *keep))
    for code in subtract:
        assert made.yes(code) == made.yes(code, "lenient") == [1, 7], code
    for code in keep:
        assert made.yes(code) == made.yes(code, "lenient") == through(1, 7), code


def test_work_practice_subtracts_only_where_the_definition_says_so_and_supported_employment_never(tmp_path):
    made = each_on_its_own(
        tmp_path, ("ARBTREN", "ARBFORB", "INDJOBSTOT", "IPSUNG"), ordinary="work_practice_subtracts = true"
    )  # fmt: skip
    for code in ("ARBTREN", "ARBFORB"):
        assert made.yes(code) == [1, 7], code
        assert made.yes(code, "lenient") == through(1, 7), code  # that definition does not say so
    for code in ("INDJOBSTOT", "IPSUNG"):
        assert made.yes(code) == through(1, 7), code


def test_participation_that_never_started_takes_nothing(tmp_path):
    started = ("DELTAR", "HAR_SLUTTET", "FULLFORT", "AVBRUTT")
    never = ("VENTELISTE", "IKKE_AKTUELL", "FEILREGISTRERT", "AVBRUTT_UTKAST", "VENTER_PA_OPPSTART")
    people = (*started, *never)
    made = follow(
        tmp_path, months=12, people=people, jobs=[job(person, "2013-04-01", "2013-10-31") for person in people],
        schemes=[scheme(person, "MIDLONTIL", "2013-05-01", "2013-09-30", status=person) for person in people],
    )  # fmt: skip
    assert [made.yes(person) for person in started] == [[1, 7]] * 4
    assert [made.yes(person) for person in never] == [through(1, 7)] * 5
    assert made.count("schemes", "participation that never started") == 5


def test_scheme_takes_the_months_whose_16th_it_covers(tmp_path):
    made = follow(
        tmp_path, months=12, jobs=[job("P1", "2013-04-01")],
        schemes=[scheme("P1", "MIDLONTIL", "2013-05-17", "2013-07-16"), scheme("P1", "VASV", "2013-09-16", "2013-10-15")],
    )  # fmt: skip
    assert [month for month in through(1, 12) if not made.months("P1")[month]] == [3, 4, 6]


def test_hours_of_a_subtracted_job_do_not_help_the_other_job_over_the_minimum(tmp_path):
    made = follow(
        tmp_path, months=12, ordinary="minimum_weekly_hours = 20",
        jobs=[job("P1", "2013-04-01", "2013-08-31", "E1", "15"), job("P1", "2013-04-01", "2013-08-31", "E2", "10")],
        schemes=[scheme("P1", "MIDLONTIL", "2013-06-01", "2013-07-31", "E1")],
    )  # fmt: skip
    assert made.yes("P1") == [1, 2, 5]  # in months 3 and 4 ten ordinary hours are left


def test_missing_hours_of_a_subtracted_job_leave_nothing_open(tmp_path):
    made = follow(
        tmp_path, months=12, ordinary="minimum_weekly_hours = 20",
        jobs=[job("P1", "2013-06-01", "2013-07-31", "E1", "")],
        schemes=[scheme("P1", "MIDLONTIL", "2013-06-01", "2013-07-31", "E1")],
    )  # fmt: skip
    assert made.months("P1")[3] is False
    assert made.months("P1")[4] is False


def test_pay_of_a_subtracted_job_does_not_make_an_unpaid_job_paid(tmp_path):
    made = follow(
        tmp_path, months=27, ordinary='month_rule = "paid_in_month"',
        records=[record("P1", "2015-02", employer="M1", pay=9_000.0), record("P1", "2015-02", employer="M2", pay=0.0)],
        schemes=[scheme("P1", "MIDLONTIL", "2015-02-01", "2015-02-28", "M1")],
    )  # fmt: skip
    assert made.months("P1")[JANUARY_2015 + 1] is False


def test_lenient_keeps_an_unnamed_scheme_s_month_where_a_named_scheme_has_another_job(tmp_path):
    made = follow(
        tmp_path, months=12, employed=LENIENT_AND_KEEP,
        jobs=[job("P1", "2013-05-01", "2013-05-31", "E1"), job("P1", "2013-05-01", "2013-05-31", "E2")],
        schemes=[scheme("P1", "MIDLONTIL", "2013-05-01", "2013-05-31", "E1"),
                 scheme("P1", "VASV", "2013-05-01", "2013-05-31")],
    )  # fmt: skip
    assert made.months("P1", "ordinary")[2] is False
    assert made.months("P1", "lenient")[2] is True  # E2 is not the only job of the month


# -------------------------------------------------------------- month rules

ANY_DAY = '[employed.any_day]\nlabel = "Any day"\nmonth_rule = "any_day"\n'


def test_job_from_the_3rd_to_the_10th_counts_under_any_day_and_not_on_the_status_day(tmp_path):
    made = follow(tmp_path, months=12, jobs=[job("P1", "2013-06-03", "2013-06-10")], employed=ANY_DAY)
    assert made.yes("P1") == []
    assert made.yes("P1", "any_day") == [3]


def test_status_day_includes_a_job_that_starts_or_ends_on_the_16th(tmp_path):
    jobs = [job("P1", "2013-06-16", "2013-06-30"), job("P1", "2013-08-01", "2013-08-16"), job("P1", "2013-10-17", "2013-11-15")]
    assert follow(tmp_path, months=12, jobs=jobs).yes("P1") == [3, 5]


def test_monthly_record_speaks_for_its_own_month_only(tmp_path):
    made = follow(
        tmp_path, months=27,
        records=[record("P1", "2015-03", start="2015-01-01"), record("P1", "2015-05", start="2015-05-20"),
                 record("P1", "2015-06", end="2015-06-15")],
    )  # fmt: skip
    assert made.yes("P1") == [JANUARY_2015 + 2]


def test_freelance_work_and_other_bases_do_not_count(tmp_path):
    made = follow(
        tmp_path, months=27,
        records=[record("P1", "2015-01", kind=FREELANCE), record("P1", "2015-02", basis="2a"), record("P1", "2015-03"),
                 record("P1", "2015-04", basis="1b")],
    )  # fmt: skip
    assert made.yes("P1") == [JANUARY_2015 + 2, JANUARY_2015 + 3]
    assert made.months("P1")[JANUARY_2015] is False


def test_paid_in_month_is_unknown_where_the_source_has_no_pay(tmp_path):
    made = follow(
        tmp_path, months=27, ordinary='month_rule = "paid_in_month"', jobs=[job("P1", "2013-06-01", "2013-08-31")],
        records=[record("P1", "2015-02", pay=100.0), record("P1", "2015-03", pay=0.0)],
    )  # fmt: skip
    assert made.unknown("P1") == through(-12, JANUARY_2015 - 1)
    assert made.yes("P1") == [JANUARY_2015 + 1]
    assert made.count("definition ordinary", "a rule that its source cannot answer") == JANUARY_2015 - 1


def test_paid_in_month_falls_back_on_the_status_day_where_the_rule_is_skipped(tmp_path):
    made = follow(
        tmp_path, months=27, ordinary='month_rule = "paid_in_month"\nif_unanswerable = "skip"',
        jobs=[job("P1", "2013-06-01", "2013-08-15"), job("P1", "2013-10-03", "2013-10-10")],
        records=[record("P1", "2015-02", start="2015-02-20", pay=100.0), record("P1", "2015-03", pay=0.0)],
    )  # fmt: skip
    assert made.yes("P1") == [3, 4, JANUARY_2015 + 1]
    assert made.unknown("P1") == []
    assert made.count("definition ordinary", "a rule that its source cannot answer") == JANUARY_2015 - 1


def test_paid_in_month_counts_pay_of_the_definition_s_bases_only(tmp_path):
    made = follow(
        tmp_path, months=27, ordinary='month_rule = "paid_in_month"',
        records=[record("P1", "2015-02", basis="4a", pay=500.0), record("P1", "2015-03", basis="1a", pay=500.0)],
    )  # fmt: skip
    assert made.yes("P1") == [JANUARY_2015 + 2]


# ------------------------------------------------------------- not observed


def test_month_that_no_delivery_covers_is_not_observed(tmp_path):
    made = follow(
        tmp_path, months=30, jobs_until="2014-10", jobs=[job("P1", "2012-01-01")], records=[record("P1", "2015-01")],
    )  # fmt: skip
    assert made.unknown("P1") == [20, 21, 28, 29, 30]
    assert {made.reason("P1", month) for month in (28, 29, 30)} == {"after_extraction"}
    assert made.reason("P1", 20) == "file_missing"


def test_months_before_the_first_delivery_are_before_source(tmp_path):
    made = follow(tmp_path, people=[{"person": "P1", "index": "2011-04-10"}], jobs=[job("P1", "2005-01-01")])
    assert made.unknown("P1") == through(-12, -4)
    assert {made.reason("P1", month) for month in through(-12, -4)} == {"before_source"}


def test_missing_monthly_file_is_file_missing_and_never_no(tmp_path):
    made = follow(tmp_path, people=("P1", "P2"), months=27, records=[record("P1", "2015-02")], missing_files=("2015-05",))
    for person in ("P1", "P2"):
        assert made.unknown(person) == [JANUARY_2015 + 4]
        assert made.reason(person, JANUARY_2015 + 4) == "file_missing"


def test_person_on_no_linkage_list_is_not_linked_and_never_no(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2", "P3"), months=12, jobs=[job("P1", "2013-05-01")], lists={"jobs": ["P1", "P2"]}
    )  # fmt: skip
    assert set(made.unknown("P3")) == set(through(-12, 12))
    assert {made.reason("P3", month) for month in through(-12, 12)} == {"not_linked"}
    assert made.first_job("P3") == "month 0 not known"
    assert made.unknown("P2") == []  # on the list without a record: that is a no
    assert made.yes("P2") == []
    assert made.count("jobs", "participants on no linkage list") == 1


def test_person_on_one_register_s_list_is_observed_in_its_months_only(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), months=27, jobs=[job("P1", "2012-01-01"), job("P2", "2012-01-01")],
        records=[record("P1", "2015-01")], lists={"monthly": ["P1"]},
    )  # fmt: skip
    assert made.yes("P2") == through(-12, JANUARY_2015 - 1)
    assert made.unknown("P2") == through(JANUARY_2015, 27)
    assert made.reason("P2", JANUARY_2015) == "not_linked"


def test_old_spell_without_an_end_goes_on_until_its_delivery_ends_and_no_further(tmp_path):
    made = follow(
        tmp_path, people=("P1", "P2"), months=27, jobs=[job("P1", "2001-02-01")], records=[record("P2", "2015-01")]
    )  # fmt: skip
    assert made.yes("P1") == through(-12, JANUARY_2015 - 1)
    assert made.unknown("P1") == []
    assert made.count("jobs", "spell without an end") == 1


def test_spell_that_ends_before_it_starts_is_not_used_and_counted(tmp_path):
    made = follow(tmp_path, months=12, jobs=[job("P1", "2013-08-01", "2013-05-01"), job("P1", "2013-10-01", "2013-10-31")])
    assert made.yes("P1") == [7]
    assert made.count("jobs", "spell that ends before it starts") == 1


def test_person_in_a_register_who_is_not_in_the_trial_is_counted_and_not_used(tmp_path):
    made = follow(tmp_path, months=12, jobs=[job("P1", "2013-05-01"), job("STRANGER", "2013-05-01")])
    assert list(made.cohort.participants["person_id"]) == ["P1"]
    assert set(made.cohort.employment["person_id"]) == {"P1"}
    assert made.count("jobs", "people in the register who are not in the trial") == 1


# -------------------------------------------------------- working at the start


def at_work(tmp_path, choice, **more):
    """In work with E1 over month 0 until month 3, with E1 again from month 6, with E2 from month 9."""
    jobs = [job("P1", "2012-01-01", "2013-06-30", "E1"), job("P1", "2013-09-01", "2014-12-31", "E1"),
            job("P1", "2013-12-01", "2014-12-31", "E2")]  # fmt: skip
    return follow(tmp_path, months=21, jobs=jobs, follow_up=f'already_working = "{choice}"', **more)


def test_somebody_in_work_in_month_0_is_not_at_risk_and_stays_in_the_rates(tmp_path):
    made = at_work(tmp_path, "exclude")
    assert made.first_job("P1") == "in work in month 0"
    assert made.yes("P1") == [*through(-12, 3), *through(6, 21)]
    assert made.count("follow-up", "not at risk of a first job") == 1


def test_somebody_in_work_in_month_0_who_is_included_has_the_first_month_in_work(tmp_path):
    assert at_work(tmp_path, "include").first_job("P1") == (1, 1, "first_job")


def test_somebody_in_work_in_month_0_may_wait_for_a_new_employer(tmp_path):
    made = at_work(tmp_path, "new_employer")
    assert made.first_job("P1") == (9, 1, "first_job")
    assert made.yes("P1") == [*through(-12, 3), *through(6, 21)]


def test_same_job_under_another_delivery_s_key_is_not_a_new_employer(tmp_path):
    made = follow(
        tmp_path, months=27, follow_up='already_working = "new_employer"', jobs=[job("P1", "2012-01-01", "", "E1")],
        records=[record("P1", f"2015-{month:02}", start="2012-01-01", employer="M1") for month in range(1, 7)],
    )  # fmt: skip
    assert made.first_job("P1") != (JANUARY_2015, 1, "first_job")


def test_somebody_out_of_work_in_month_0_has_the_same_time_under_every_choice(tmp_path):
    for choice in ("exclude", "include", "new_employer"):
        made = follow(
            tmp_path / choice, months=12, follow_up=f'already_working = "{choice}"',
            jobs=[job("P1", "2012-01-01", "2013-03-15", "E1"), job("P1", "2013-07-01", "2013-07-31", "E1")],
        )  # fmt: skip
        assert made.first_job("P1") == (4, 1, "first_job")


def test_wage_subsidised_job_is_not_a_first_job(tmp_path):
    made = follow(
        tmp_path, months=12, jobs=[job("P1", "2013-04-01", "2013-12-31", "E1")],
        schemes=[scheme("P1", "MIDLONTIL", "2013-04-01", "2013-08-31", "E1")],
    )  # fmt: skip
    assert made.first_job("P1") == (6, 1, "first_job")


# ----------------------------------------------------------- included twice

TWICE = [{"person": "P1", "index": "2013-05-20"}, {"person": "P1", "index": "2013-03-10"}, {"person": "P2"}]


@pytest.mark.parametrize(("choice", "kept"), [("first", "2013-03-10"), ("last", "2013-05-20")])
def test_somebody_included_twice_has_one_clock(tmp_path, choice, kept):
    made = follow(tmp_path, people=TWICE, months=12, follow_up=f'included_twice = "{choice}"', jobs=[job("P1", "2013-06-01")])
    people = made.cohort.participants.set_index("person_id")
    assert list(people.index) == ["P1", "P2"]
    assert people.loc["P1", "index_date"] == pd.Timestamp(kept)
    assert made.first_job("P1") == ((3 if choice == "first" else 1), 1, "first_job")
    assert made.count("trial", "participant included again") == 1


def test_somebody_included_twice_may_stop_the_run(tmp_path):
    study = ips.load_study(write_small_study(tmp_path, people=TWICE, follow_up='included_twice = "refuse"'))
    with pytest.raises(ips.DataError, match="twice") as caught:
        ips.load_cohort(study)
    assert "P1" not in str(caught.value)


# ------------------------------------------------------------- age, education

AGE = '[subgroups.young]\nlabel = "18-30"\nlabel_other = "Over 30"\ncolumn = "age"\nat_least = 18\nat_most = 30\n'


def test_age_is_completed_years_at_the_index_month(tmp_path):
    expected = {"198204": (30, "18-30"), "198203": (31, "Over 30"), "199503": (18, "18-30"), "199504": (17, "Over 30"),
                "": (None, "Unknown")}  # fmt: skip
    people = [{"person": f"born-{birth}", "birth": birth} for birth in expected]
    rows = follow(tmp_path, people=people, months=12, employed=AGE).data.baseline.set_index("person_id")
    found = {birth: (rows.loc[f"born-{birth}", "age"], rows.loc[f"born-{birth}", "young"]) for birth in expected}
    assert {birth: (None if pd.isna(age) else age, level) for birth, (age, level) in found.items()} == expected


def test_education_is_the_first_digit_and_unknown_is_a_level_of_its_own(tmp_path):
    low = '[subgroups.low]\nlabel = "Not completed"\nlabel_other = "Completed"\ncolumn = "education_level"\nat_most = 3\n'
    expected = {
        "301105": (3, "not_completed", "Not completed"), "401101": (4, "completed", "Completed"),
        "751908": (7, "completed", "Completed"), "999999": (None, None, "Unknown"), "": (None, None, "Unknown"),
        "99901": (0, "not_completed", "Not completed"), "099901": (0, "not_completed", "Not completed"),
        "909901": (None, None, "Unknown"),
    }  # fmt: skip
    people = [{"person": f"code-{nus}", "education": nus} for nus in expected]
    rows = follow(tmp_path, people=people, months=12, employed=low).data.baseline.set_index("person_id")
    found = {}
    for nus in expected:
        row = rows.loc[f"code-{nus}", ["education_level", "upper_secondary", "low"]]
        found[nus] = tuple(None if pd.isna(value) else value for value in row)
    assert found == expected


# --------------------------------------------------------------- the arms


def test_counts_by_arm_are_those_of_the_people_by_hand(tmp_path):
    people = [{"person": f"P{i}", "arm": "ips" if i <= 3 else "control"} for i in range(1, 6)]
    made = follow(
        tmp_path, people=people, arms=True, months=12, deaths={"P3": "20130601"},
        jobs=[job("P1", "2013-04-01"), job("P3", "2013-04-01"), job("P4", "2013-09-01")],
    )  # fmt: skip
    table = ips.employment_rates(made.data, outcome="ordinary", by="arm", at=[1, 6]).table
    counted = {(row["group"], row["month"]): (row["n"], row["events"]) for row in table.to_dict("records")}
    assert counted == {("ips", 1): (3, 2), ("ips", 6): (2, 1), ("control", 1): (2, 0), ("control", 6): (2, 1)}
