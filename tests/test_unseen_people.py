"""People made by hand, whose every month is known, on every engine."""

from __future__ import annotations

import pandas as pd
import pytest
from unseen_study import (
    AMELD,
    ameld,
    followed,
    text,
    write_study,
)

# ---------------------------------------------------------------- hand-made people, on every engine

#: person: what is told of them; months in work by definition. Everybody starts on 10 March 2014; twelve months of follow-up
#: cross from job spells (to December 2014) to monthly records (from January 2015, February is not delivered).
NAMES = ["died", "moved", "parttime", "subsidised", "unkeyed", "short", "unlisted", "zombie", "nojob"]
KEY = dict(zip(NAMES, (f"62{n}3104857" for n in range(9)), strict=True))
PEOPLE_JOBS = [
    ("died", "2014-01-01", "", "A", "37,5"), ("moved", "2014-01-01", "", "A", "37,5"),
    ("parttime", "2014-04-01", "2014-07-31", "A", "12,5"), ("parttime", "2014-05-20", "2014-12-31", "B", "10,0"),
    ("subsidised", "2014-01-01", "", "A", "20,0"), ("subsidised", "2014-05-01", "2014-08-31", "S", "20,0"),
    ("unkeyed", "2014-01-01", "", "A", "20,0"), ("unkeyed", "2014-05-01", "2014-08-31", "S", "20,0"),
    ("short", "2014-06-03", "2014-06-10", "A", "37,5"), ("unlisted", "2014-01-01", "", "A", "37,5"),
    ("zombie", "1998-02-01", "", "Z", ""), ("nobody", "2014-01-01", "", "Q", "37,5"),
]  # fmt: skip
RECORDS = {1: ["moved", "parttime", "unkeyed"], 3: ["moved", "short"]}
ANSWERS = {
    "ordinary": {
        "died": [0, 1, 2, 3, 4, 5, 6],  # dead from 5 October, month 7, on
        "moved": [0, 1, 2, 3, 6, 7, 8, 9, 10, 12],  # abroad on 16 July and August
        "parttime": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        "subsidised": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],  # the other job stands
        "unkeyed": [0, 1, 6, 7, 8, 9, 10],  # nobody knows which job is subsidised: the months go
        "short": [12], "unlisted": [], "zombie": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "nojob": [],
    },
    "lenient": {"unkeyed": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "subsidised": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]},
    "any_day": {"short": [3, 12], "moved": [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12]},
    "twenty": {"parttime": [3, 4, 10], "subsidised": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "died": [0, 1, 2, 3, 4, 5, 6]},
}  # fmt: skip


def hand_made(folder, engine):
    listed = [n for n in NAMES if n != "unlisted"]
    text(folder / "t.csv", pd.DataFrame({"pas": NAMES, "dato": "10.03.2014"}))
    text(folder / "l.csv", pd.DataFrame({"deltaker": NAMES, "aareg": [KEY[n] if n in listed else "" for n in NAMES],
                                         "ameld": [KEY[n][::-1] if n in listed else "" for n in NAMES]}))  # fmt: skip
    other = {**KEY, "nobody": "9999999990"}
    text(folder / "aareg.csv", pd.DataFrame([(other[n], *rest) for n, *rest in PEOPLE_JOBS], columns=[
        "w19_0345_lopenr_person", "fom", "tom", "w19_0345_lopenr_virksomhet", "avtaltArbeidstimerPerUke"])
        .assign(arbeidsforholdstype="ordinaertArbeidsforhold").sample(frac=1, random_state=4))  # fmt: skip
    for month, people in RECORDS.items():
        ameld(folder, 2015, month, [(KEY[n][::-1], "1a", "2014-01-01", "") for n in people] + [("0000000017", "1a", "", "")])
    text(folder / "f_demo.csv", pd.DataFrame({
        "w20_0450_lnr": [KEY[n] for n in NAMES] + [KEY["moved"]], "REGSTAT": 1,
        "TILGDATO": ["19800101"] * 9 + ["20140905"], "AVGDATO": ["20141005", "20140712", *[""] * 7, ""], "TOMDATO": 99991231,
    }))  # fmt: skip
    text(folder / "fast.csv", pd.DataFrame({"lnr": [KEY[n] for n in NAMES], "doeds_dato": ["20141005", *["."] * 8]}))
    text(folder / "tiltak.csv", pd.DataFrame({
        "w20_0450_lopenr_person": [KEY["subsidised"], KEY["unkeyed"], KEY["nojob"]], "tiltakskode": ["MIDLONTIL", "midlontil", "INDJOBSTOT"],
        "deltakerStatus": "FULLFORT", "startDato": "2014-05-01", "sluttDato": "2014-08-31", "lopenr_virksomhet": ["S", "", ""],
    }))  # fmt: skip
    span = {"period": ["2013-01", "2015-12"]}
    own = {"file": "l.csv", "participant": "deltaker", "delivery": "aareg"}
    population = {"file": "p.csv", "participant": "deltaker", "delivery": "lnr"}
    text(folder / "p.csv", pd.DataFrame({"deltaker": NAMES, "lnr": [KEY[n] for n in NAMES]}))
    return write_study(
        folder, {
            "aareg": {"layout": "aareg_dated", "files": "aareg.csv", "period": ["2013-01", "2014-12"]},
            "ameld": {**AMELD, "period": ["2015-01", "2015-03"]},
            "residence": {"layout": "f_demo", "files": "f_demo.csv", **span},
            "people": {"layout": "faste_opplysninger", "files": "fast.csv"},
            "schemes": {"layout": "nav_schemes", "files": "tiltak.csv", **span},
        },
        keys={"aareg": own, "ameld": {**own, "delivery": "ameld"},
              **dict.fromkeys(("residence", "people", "schemes"), population)},
        trial={"layout": "trial", "files": "t.csv", "columns": {"person_key": "pas", "index_date": "dato"},
               "dates": {"index_date": "ddmmyyyy"}},
        definitions={"lenient": {"wage_subsidy": "lenient"}, "any_day": {"month_rule": "any_day"},
                     "twenty": {"minimum_weekly_hours": 20, "wage_subsidy": "keep"}},
        engine=engine, follow_up={"residence": "register"},
    )  # fmt: skip


def check_hand_made(folder, engine):
    found = followed(hand_made(folder, engine))
    for definition, people in ANSWERS.items():
        for person, months in people.items():
            assert found.yes(person, definition) == months, (person, definition)
    assert found.unknown("nojob") == [11] and found.reason("nojob", 11) == "file_missing"
    assert found.unknown("died") == [7, 8, 9, 10, 11, 12] and found.reason("died", 7) == "dead"
    assert found.months("died", "ordinary_composite")[8] is False
    assert found.unknown("moved") == [4, 5, 11] and found.reason("moved", 4) == "abroad"
    assert found.unknown("unlisted") == list(range(13)) and found.reason("unlisted", 1) == "not_linked"
    assert found.unknown("zombie", "twenty") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
    assert found.first_job("died") == "in work in month 0" == found.first_job("zombie")
    assert found.first_job("parttime") == (1, 1, "first_job")
    assert found.first_job("short") == (10, 0, "file_missing") and found.first_job("nojob") == (10, 0, "file_missing")
    return found


@pytest.mark.parametrize("engine", [None, {"name": "duckdb", "staging": "always"}], ids=["memory", "duckdb"])
def test_hand_made_people(tmp_path, engine):
    check_hand_made(tmp_path, engine)


@pytest.mark.slow
def test_hand_made_people_on_spark(tmp_path, spark):
    here = check_hand_made(tmp_path / "memory", None)
    there = check_hand_made(tmp_path / "spark", {"name": "spark", "staging": "always"})
    pd.testing.assert_frame_equal(here.data.person_months, there.data.person_months)
    pd.testing.assert_frame_equal(here.data.first_job, there.data.first_job)
    pd.testing.assert_frame_equal(here.data.quality, there.data.quality)
