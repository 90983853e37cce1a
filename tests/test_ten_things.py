"""The ten things most likely to go wrong with Norwegian registers: a test for each, in the field guide's order."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from small_study import Followed, follow, job, record, scheme, write_small_study

import ips_outcomes as ips


def write(path: Path, *rows: dict) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def with_source(folder: Path, name: str, layout: str, *rows: dict, period: tuple[str, str] | None = ("2011-01", "2016-12"),
                settings: str = "", **study) -> Followed:  # fmt: skip
    """A small study with one more delivery, which carries the participants' own keys."""
    path = write_small_study(folder, **study)
    write(folder / f"{name}.csv", *rows)
    dates = f'period = ["{period[0]}", "{period[1]}"]\n' if period else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(f'\n[sources.{name}]\nlayout = "{layout}"\nfiles = "{name}.csv"\ndelimiter = ";"\n{dates}{settings}\n')
        file.write(f"\n[keys.{name}]\ncarries_participant_key = true\n")
    cohort = ips.load_cohort(ips.load_study(path))
    return Followed(cohort, ips.follow_up(cohort))


def test_1_the_break_of_2015_is_carried_by_every_person_month(tmp_path: Path) -> None:
    done = follow(tmp_path, people=[{"person": "P1"}, {"person": "P2", "index": "2011-03-10"}], months=24,
                  jobs=[job("P1", "2014-01-01")], records=[record("P1", "2015-02")])  # fmt: skip
    months = done.data.person_months.set_index(["person_id", "month"])
    assert months.loc[("P1", 21), "source_system"] == "job_spells"  # December 2014
    assert months.loc[("P1", 22), "source_system"] == "a_ordning"  # January 2015
    assert months.loc["P1"]["crosses_2015_break"].all()
    assert not months.loc["P2"]["crosses_2015_break"].any()
    # the old register's open job ends with the old register: January is a no, not a yes carried over
    assert done.months("P1")[21] is True and done.months("P1")[22] is False and done.months("P1")[23] is True


@pytest.mark.parametrize(
    ("basis", "works"), [("1a", True), ("1b", True), ("2a", False), ("3b", False), ("4b", False), ("5b", False)]
)
def test_2_a_record_in_a_ordningen_is_not_the_same_as_work(tmp_path: Path, basis: str, works: bool) -> None:
    done = follow(tmp_path, records=[record("P1", "2015-02", basis=basis)], months=24)
    assert done.months("P1")[23] is works


def test_2_a_pension_in_the_file_is_set_aside_and_counted(tmp_path: Path) -> None:
    pension = record("P1", "2015-02", kind="pensjonOgAndreTyperYtelserUtenAnsettelsesforhold", basis="1a")
    done = follow(tmp_path, records=[pension], months=24)
    assert done.months("P1")[23] is False
    assert done.count("monthly", "pension or benefit record") == 1


def test_3_zero_pay_is_not_the_same_as_not_working(tmp_path: Path) -> None:
    done = follow(tmp_path, records=[record("P1", "2015-02", pay=0.0)], months=24)
    assert done.months("P1")[23] is True
    assert done.count("monthly", "employed without pay in the month") == 1


def test_4_a_wage_subsidised_job_is_not_ordinary_work(tmp_path: Path) -> None:
    done = follow(tmp_path, jobs=[job("P1", "2013-05-01", "2013-12-31")], months=12,
                  schemes=[scheme("P1", "MIDLONTIL", "2013-06-01", "2013-07-31")],
                  employed='[employed.any_support]\nlabel = "With any support"\nwage_subsidy = "keep"\n')  # fmt: skip
    assert done.yes("P1") == [2, 5, 6, 7, 8, 9]
    assert done.yes("P1", "any_support") == [2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(("which", "until"), [("reported", date(2013, 9, 30)), ("technical", date(2013, 6, 30))])
def test_5_two_end_dates_in_fd_trygd_are_never_mixed(tmp_path: Path, which: str, until: date) -> None:
    rows = [{"w20_0450_lnr": "P1", "TILGDATO": "201303", "AVGDATO": "201309", "TOMDATO": "201306"},
            {"w20_0450_lnr": "P1", "TILGDATO": "201401", "AVGDATO": "", "TOMDATO": "201402"}]  # fmt: skip
    done = with_source(tmp_path, "aap", "f_aap", *rows, settings=f'spell_end = "{which}"')
    first, second = done.cohort.benefits.itertuples()
    assert first.end.date() == until
    assert pd.isna(second.end) if which == "reported" else second.end.date() == date(2014, 2, 28)
    assert done.count("aap", "reported and technical end differ") == 1
    assert done.count("aap", "no reported end, only a technical one") == 1


def test_6_what_a_missing_end_means_differs_by_table(tmp_path: Path) -> None:
    old = [{"lnr": "P1", "PNSJKODE": "20", "PNSJTILG": "200903", "PNSJAVG": "", "UFG": "50"}]
    dropped = with_source(tmp_path / "old", "pension", "f_ufp", *old, period=("2005-01", "2010-12"))
    assert dropped.cohort.benefits.empty
    assert dropped.count("pension", "spell without an end, which means an error in this register") == 1
    new = [{"lnr": "P1", "pnsjtilg": "201203", "pnsjavg": "", "pnsjtom": "201612", "ufg": "50"}]
    kept = with_source(tmp_path / "new", "pension", "f_pensj_ufp", *new)
    assert kept.cohort.benefits["end"].isna().all() and len(kept.cohort.benefits) == 1


def test_7_a_lost_leading_zero_does_not_become_level_nine(tmp_path: Path) -> None:
    # 099901 is "no education"; read as a number it is 99901, which looks like unknown
    rows = [{"w19_0634_lnr": "P1", "BU_2010": "99901", "BU_2011": "99901", "BU_2012": "99901"},
            {"w19_0634_lnr": "P2", "BU_2010": "999999", "BU_2011": "", "BU_2012": "999999"},
            {"w19_0634_lnr": "P3", "BU_2010": "301101", "BU_2011": "401101", "BU_2012": "401101"}]  # fmt: skip
    people = [{"person": key, "education": ""} for key in ("P1", "P2", "P3")]
    done = with_source(tmp_path, "bu", "bu_wide", *rows, period=None, people=people)
    table = done.cohort.participants.set_index("person_id")
    assert table.loc["P1", "education_level"] == 0 and table.loc["P1", "upper_secondary"] == "not_completed"
    assert pd.isna(table.loc["P2", "education_level"]) and table.loc["P2", "upper_secondary"] is None
    assert table.loc["P3", "education_level"] == 4 and table.loc["P3", "upper_secondary"] == "completed"
    assert done.count("bu", "NUS code that lost its leading zero") == 3


def test_8_completed_upper_secondary_is_level_four_and_never_three(tmp_path: Path) -> None:
    levels = {f"P{level}": f"{level}01101" for level in range(9)}
    done = follow(tmp_path, people=[{"person": key, "education": nus} for key, nus in levels.items()])
    said = done.cohort.participants.set_index("person_id")["upper_secondary"]
    assert said.to_dict() == {key: "completed" if int(key[1]) >= 4 else "not_completed" for key in levels}


def test_8_a_level_dated_on_or_after_inclusion_is_not_looked_at(tmp_path: Path) -> None:
    rows = [{"lnr": "P1", "aargang": year, "BU": nus} for year, nus in ((2011, "301101"), (2012, "301101"), (2013, "401101"))]
    done = with_source(tmp_path, "bu", "nudb_bu", *rows, period=None, people=[{"person": "P1", "education": ""}])
    assert done.cohort.participants["upper_secondary"].tolist() == ["not_completed"]


@pytest.mark.parametrize(("kind", "written"), [
    ("stata", "20102"), ("sas", "20102"), ("sas_datetime", "1736812800"), ("spss", "13640572800"), ("unix_days", "16449"),
    ("iso", "2015-01-14"), ("yyyymmdd", "20150114"), ("ddmmyyyy", "14.01.2015"),
])  # fmt: skip
def test_9_each_date_epoch_is_the_layout_s_to_say(tmp_path: Path, kind: str, written: str) -> None:
    rows = [{"person_key": "P1", "benefit": "aap", "start": written, "end": written}]
    done = with_source(tmp_path, "benefits", "benefit_spells", *rows,
                       settings=f'dates = {{ start = "{kind}", end = "{kind}" }}')  # fmt: skip
    assert done.cohort.benefits["start"].dt.date.tolist() == [date(2015, 1, 14)]


def test_9_a_date_read_with_the_wrong_epoch_is_refused_and_not_shifted(tmp_path: Path) -> None:
    rows = [{"person_key": "P1", "benefit": "aap", "start": "201501", "end": "201512"}]
    with pytest.raises(ips.DataError, match="start"):
        with_source(tmp_path, "benefits", "benefit_spells", *rows, settings='dates = { start = "yyyymmdd", end = "yyyymmdd" }')


@pytest.mark.parametrize(("column", "number"), [
    ("comment", "15108695088"), ("comment", "151086 95088"), ("comment", "01912450097"), ("comment", "41912450080"),
    ("mother_pid", "30108299939"),
])  # fmt: skip
def test_10_any_eleven_digits_may_be_a_national_identity_number(tmp_path: Path, column: str, number: str) -> None:
    # also in a column that no layout asks for; the last one is valid only by the rule of 2032
    text = f"ring {number}" if column == "comment" else number
    rows = [{"person_key": "P1", "benefit": "aap", "start": "2015-01-14", "end": "", column: text}]
    with pytest.raises(ips.DataError) as caught:
        with_source(tmp_path, "benefits", "benefit_spells", *rows)
    told = str(caught.value)
    assert column in told and "identity number" in told
    assert number not in told and number.replace(" ", "") not in told
