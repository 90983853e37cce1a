"""Keys, trial files and tables in other shapes than the project's own; what must come out was decided beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from unseen_study import (
    AMELD,
    ARMS,
    JOBS,
    NAN,
    TRIAL,
    P,
    ameld,
    counts,
    followed,
    jobs,
    linkage,
    refused,
    text,
    trial_people,
    write_study,
)

# ---------------------------------------------------------------- keys


ZEROS = ["0012345678", "0234567891", "3456789012", "4567890123", "5678901234", "6789012345"]


@pytest.mark.parametrize("delivered", ["short", "short float"])
@pytest.mark.parametrize("engine", [None, {"staging": "always"}])
def test_keys_that_lost_their_zeros_are_no_strangers(tmp_path, delivered, engine):
    """Two of six would be out of work for ever, and a third of the keys is too few for any other rule to see."""
    rows = [(key.lstrip("0") + (".0" if "float" in delivered else ""), "2015-01-01", "") for key in ZEROS]
    jobs(tmp_path, rows)
    said = refused(
        write_study(tmp_path, {"jobs": JOBS}, keys=linkage(tmp_path, ZEROS), engine=engine), *ZEROS, *(r[0] for r in rows)
    )
    assert "leading zero" in said


def test_keys_that_lost_their_zeros_in_the_list(tmp_path):
    jobs(tmp_path, [(key, "2015-01-01", "") for key in ZEROS])
    said = refused(write_study(tmp_path, {"jobs": JOBS}, keys=linkage(tmp_path, [z.lstrip("0") for z in ZEROS])), *ZEROS)
    assert "leading zero" in said


@pytest.mark.parametrize("side", ["delivery", "list", "both"])
def test_keys_written_as_floats_are_the_same_keys(tmp_path, side):
    keys = [f"{k}.0" for k in P]
    jobs(tmp_path, [(k, "2015-01-01", "") for k in (P if side == "list" else keys)])
    found = followed(write_study(tmp_path, {"jobs": JOBS}, keys=linkage(tmp_path, P if side == "delivery" else keys)))
    assert found.yes(P[0]) == list(range(13))


def test_a_key_of_the_trial_written_as_a_float(tmp_path):
    text(tmp_path / "t.csv", pd.DataFrame({"id": [float(p) for p in P], "dato": "2015-03-10"}))
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    trial = {"layout": "trial", "files": "t.csv", "columns": {"person_key": "id", "index_date": "dato"}}
    assert followed(write_study(tmp_path, {"jobs": JOBS}, trial=trial)).yes(P[3]) == list(range(13))


def test_one_to_many_and_many_to_one(tmp_path):
    table = pd.DataFrame({"deltaker": [*P, P[0], P[1]], "lnr": ["K1", "K2", "K2", "K4", "", "K6", "K7", "K9"]})
    text(tmp_path / "l.csv", table)
    jobs(tmp_path, [("K1", "2015-04-01", "2015-05-31"), ("K7", "2015-08-01", "2015-09-30"), ("K2", "2015-01-01", ""),
                    ("K9", "2015-06-01", "2015-06-30"), ("K4", "2015-01-01", ""), ("K6", "2015-01-01", ""), ("K0", "2015-01-01", "")])  # fmt: skip
    keys = {"jobs": {"file": "l.csv", "participant": "deltaker", "delivery": "lnr"}}
    found = followed(write_study(tmp_path, {"jobs": JOBS}, keys=keys))
    assert found.yes(P[0]) == [1, 2, 5, 6]
    assert found.yes(P[1]) == [3]  # K2 stands for two people and is nobody's
    assert found.unknown(P[2]) == found.unknown(P[4]) == list(range(13))
    assert found.reason(P[4], 1) == "not_linked"
    assert found.count("jobs", "delivery keys that stand for several") == 1
    assert found.count("jobs", "row of a person on no linkage list") == 2


# ---------------------------------------------------------------- trial files


def test_spss_trial_with_user_missing_codes_and_labels(tmp_path):
    table = trial_people(utd=[401101.0, 999999.0, 201199.0, 99901.0, 3.0, -99.0], kjonn=[1.0, 2.0, 9.0, 2.0, 1.0, 2.0],
                         dato=[pd.Timestamp("2015-03-10")] * 6)  # fmt: skip
    table["arm"] = table["arm"].astype(float)
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    pyreadstat.write_sav(table, tmp_path / "t.sav", missing_ranges={"kjonn": [9], "utd": [{"lo": -99, "hi": -90}]},
                         variable_value_labels={"kjonn": {1: "Mann", 2: "Kvinne", 9: "Ubesvart"}, "arm": {1: "IPS", 2: "TAU"}})  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS}, trial={**TRIAL, "files": "t.sav"}, top=ARMS))
    people = found.cohort.participants.set_index("person_id")
    assert people["education_level"].reindex(P).fillna(-1).tolist() == [4, -1, 2, 0, 3, -1]
    assert people["sex"].reindex(P).isna().tolist() == [False, False, True, False, False, False]
    assert people["arm"].reindex(P).tolist() == ["ips", "tau"] * 3


def test_education_from_a_column_that_pandas_made_a_float(tmp_path):
    text(tmp_path / "t.csv", trial_people(utd=[401101.0, 99901.0, 201199.0, NAN, 601101.0, 999999.0], arm=[1.0, 2.0] * 3))
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    found = followed(write_study(tmp_path, {"jobs": JOBS}, trial={**TRIAL, "files": "t.csv"}, top=ARMS))
    people = found.cohort.participants.set_index("person_id").reindex(P)
    assert people["education_level"].fillna(-1).tolist() == [4, 0, 2, -1, 6, -1]
    assert people["arm"].tolist() == ["ips", "tau"] * 3


def test_trial_from_excel_with_dates_typed_and_as_text(tmp_path):
    table = trial_people(dato=[pd.Timestamp("2015-03-10").to_pydatetime(), "10.03.2015", "10.03.2015", "2015-03-10",
                               pd.Timestamp("2015-03-10").to_pydatetime(), "10/3/2015"])  # fmt: skip
    table.to_excel(tmp_path / "t.xlsx", index=False)
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    source = {**TRIAL, "files": "t.xlsx", "dates": {"index_date": "ddmmyyyy"}}
    found = followed(write_study(tmp_path, {"jobs": JOBS}, trial=source, top=ARMS))
    assert found.cohort.participants["index_date"].dt.strftime("%Y-%m-%d").tolist() == ["2015-03-10"] * 6
    said = refused(write_study(tmp_path, {"jobs": JOBS}, trial={**TRIAL, "files": "t.xlsx"}, top=ARMS))
    assert "ddmmyyyy" in said or "dates.index_date" in said


def test_sex_coded_nine_in_the_trial_is_asked_about(tmp_path):
    text(tmp_path / "t.csv", trial_people(kjonn=[1, 2, 9, 2, 1, 2]))
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    said = refused(write_study(tmp_path, {"jobs": JOBS}, trial={**TRIAL, "files": "t.csv"}, top=ARMS))
    assert "column kjonn (1 row)" in said and "values.sex" in said


def test_a_status_left_blank_is_told(tmp_path):
    text(tmp_path / "t.csv", trial_people(st=["1", "1", "", "2", "1", ""]))
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    source = {**TRIAL, "files": "t.csv", "columns": {**TRIAL["columns"], "status": "st"},
              "values": {**TRIAL["values"], "status": {"1": "included", "2": "declined"}}}  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS}, trial=source, top=ARMS))
    assert found.count("trial", "status left blank") == 2


REDCAP = """record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_data_access_group,rand_dato,gruppe,diag___1,diag___2,diag____99,baseline_complete,kontakt_dato,notat
101,baseline_arm_1,,,oslo,2015-03-10,1,1,0,0,2,,"sa ""ja"", kommer
i morgen"
101,oppf_arm_1,kontakt,1,oslo,,,,,,,2015-04-02,
101,oppf_arm_1,kontakt,2,oslo,,,,,,,2015-04-02,
102,baseline_arm_1,,,oslo,2015-03-20,2,1,1,0,2,,
102,oppf_arm_1,,,oslo,,,,,,2,,
103,baseline_arm_1,,,bergen,2015-04-10,1,0,0,1,2,,
104,baseline_arm_1,,,bergen,2015-04-11,2,0,0,0,2,,
104,oppf_arm_1,kontakt,1,bergen,,,,,,,2015-05-09,
"""
OWN = """
title = "REDCap trial with a checkbox"
table = "participants"
kind = "FIXED"
knowledge = "The project's own codebook"
certainty = "verified"
[text]
delimiter = ","
decimal = "."
[rows]
redcap_event_name = ["baseline_arm_1"]
[columns.person_key]
name = "record_id"
type = "key"
required = true
meaning = "Participant"
[columns.index_date]
name = "rand_dato"
type = "date"
dates = "iso"
required = true
meaning = "Day of randomisation"
[columns.arm]
name = "gruppe"
type = "code"
codes = { 1 = "ips", 2 = "tau" }
meaning = "Arm"
[columns.centre]
name = "redcap_data_access_group"
type = "code"
meaning = "Centre"
[columns.diagnosis_group]
name = "diag"
type = "checkbox"
meaning = "Diagnoses ticked"
"""


def test_redcap_with_events_repeats_and_checkboxes(tmp_path):
    (tmp_path / "rc.csv").write_text(REDCAP, encoding="utf-8")
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    jobs(tmp_path, [("101", "2015-04-12", ""), ("104", "2015-01-01", "")])
    # the arm is named by the own layout, and so needs no columns.arm
    trial = {"layout": "own.toml", "files": "rc.csv"}
    contacts = {"layout": "redcap_repeats", "files": "rc.csv", "period": ["2015-01", "2016-12"], "delimiter": ",",
                "columns": {"date": "kontakt_dato"}, "rows": {"redcap_repeat_instrument": ["kontakt"]}}  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS, "contacts": contacts}, trial=trial, top=ARMS))
    people = found.cohort.participants
    assert people["diagnosis_group"].fillna("none").tolist() == ["1", "1+2", "-99", "none"]
    assert people["index_month"].sub(people["index_month"].iloc[0]).tolist() == [0, 0, 1, 1]
    assert len(found.cohort.services) == 3
    assert found.yes("101") == list(range(1, 13))


def test_redcap_where_the_event_is_not_chosen(tmp_path):
    (tmp_path / "rc.csv").write_text(REDCAP, encoding="utf-8")
    jobs(tmp_path, [("101", "2015-04-12", "")])
    trial = {"layout": "redcap_trial", "files": "rc.csv", "delimiter": ",", "columns": {"index_date": "rand_dato", "arm": "gruppe"},
             "values": {"arm": {"1": "ips", "2": "tau"}}}  # fmt: skip
    said = refused(write_study(tmp_path, {"jobs": JOBS}, trial=trial, top=ARMS))
    assert "redcap_event_name" in said


# ---------------------------------------------------------------- education, income, wide tables


def test_wide_education_that_lost_its_zeros(tmp_path):
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    text(tmp_path / "bu.csv", pd.DataFrame({
        "w19_0634_lnr": P, "mor_lnr": P[::-1], "far_lnr": P[::-1],
        "BU_2013": [99901.0, 201199.0, NAN, 999999.0, 301101.0, NAN],
        "BU_2014": [99901.0, 401101.0, NAN, 999999.0, 301101.0, 999999.0],
        "BU_2015": [99901.0, 401101.0, 701101.0, 601101.0, 401101.0, 999999.0],
    }), encoding="utf-8-sig")  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS, "bu": {"layout": "bu_wide", "files": "bu.csv"}},
                                 follow_up={"education": "register"}))  # fmt: skip
    people = found.cohort.participants.set_index("person_id").reindex(P)
    assert people["education_level"].fillna(-1).tolist() == [0, 4, -1, -1, 3, -1]
    assert people["upper_secondary"].fillna("unknown").tolist() == [
        "not_completed", "completed", "unknown", "unknown", "not_completed", "unknown"]  # fmt: skip


@pytest.mark.parametrize("year", ["201310", "13"])
def test_a_year_that_is_none_is_not_read_as_one(tmp_path, year):
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    text(tmp_path / "bu.csv", pd.DataFrame({"lnr": P, "aargang": year, "BU": "401101"}))
    text(tmp_path / "inntekt.csv", pd.DataFrame({"lnr": P, "aargang": year, "WLONN": "300000"}))
    said = refused(write_study(tmp_path, {"jobs": JOBS, "bu": {"layout": "nudb_bu", "files": "bu.csv"}}))
    assert "aargang" in said
    said = refused(write_study(tmp_path, {"jobs": JOBS, "income": {"layout": "inntekt", "files": "inntekt.csv"}}))
    assert "aargang" in said


def test_two_totals_of_one_year_and_income_with_blanks(tmp_path):
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    text(tmp_path / "INNTEKT.CSV", pd.DataFrame({
        "w19_0634_LNR": [P[0], P[0], P[1], P[2]], "AARGANG": [2015, 2015, 2015, 2016],
        "wlonn": ["300 000,50", "310 000", "1.250.000", "-4 000,00"],
    }), encoding="latin-1")  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS, "income": {"layout": "inntekt", "files": "INNTEKT.CSV"}}))
    amounts = found.cohort.income.set_index("person_id")["amount_ore"]
    assert amounts.reindex(P[:3]).fillna(-1).tolist() == [-1, 125_000_000, -400_000]
    assert found.count("income", "several totals of one person and year") == 2


def test_a_month_table_with_blanks(tmp_path):
    table = pd.DataFrame({"person_key": P[:3], "jobb_2015m04": [1, 0, ""], "jobb_2015m05": [1, "", 1], "jobb_2015m06": [0, 1, ""],
                          "jobb_2015m8": [1, 1, 1]})  # fmt: skip
    text(tmp_path / "m.csv", table)
    found = followed(write_study(tmp_path, {"jobs": {"layout": "month_table", "files": "m.csv", "period": ["2015-04", "2015-08"]}},
                                 months=6, people=P[:4]))  # fmt: skip
    assert found.months(P[0]) == {0: None, 1: True, 2: True, 3: False, 4: None, 5: True, 6: None}
    assert found.months(P[1]) == {0: None, 1: False, 2: None, 3: True, 4: None, 5: True, 6: None}
    assert found.reason(P[0], 4) == "file_missing" and found.reason(P[1], 2) == "blank"
    assert found.reason(P[0], 6) == "after_extraction"


def test_status_once_a_year_is_never_a_year(tmp_path):
    text(tmp_path / "m.csv", pd.DataFrame({"person_key": P, "work_2015_11": 1, "work_2016_11": 1}))
    found = followed(
        write_study(tmp_path, {"jobs": {"layout": "month_table", "files": "m.csv", "period": ["2015-01", "2016-12"]}})
    )
    assert found.yes(P[0]) == [8] and len(found.unknown(P[0])) == 12
    assert any("once a year" in rule for rule in counts(found, "severe"))


def test_benefits_with_a_degree_left_out(tmp_path):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    pyreadstat.write_dta(pd.DataFrame({
        "w20_0450_lopenr_person": P[:3], "pnsjtilg_mnd": [201505.0] * 3, "pnsjavg_mnd": [201508.0, NAN, 201508.0],
        "UFG": [NAN, 40.0, 60.0],
    }), tmp_path / "f_pensj_ufp.dta")  # fmt: skip
    source = {"layout": "f_pensj_ufp", "files": "*.dta", "period": ["2015-01", "2015-12"]}
    found = followed(
        write_study(tmp_path, {"jobs": JOBS, "dis": source}, months=8, ordinary={"without_benefits": {"disability": 50}})
    )
    assert found.unknown(P[0]) == [2, 3, 4, 5] and found.yes(P[0]) == [0, 1, 6, 7, 8]
    assert found.yes(P[1]) == list(range(9))
    assert found.yes(P[2]) == [0, 1, 6, 7, 8] and found.unknown(P[2]) == []


# ---------------------------------------------------------------- what a file may look like


def test_thousands_of_columns_and_others_twice(tmp_path):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"person_key": P, "start": "2015-01-01", "end": ""})
    wide = pd.DataFrame(rng.integers(0, 9, (6, 4000)), columns=[f"v{n % 3900}" for n in range(4000)])
    text(tmp_path / "jobs.csv", pd.concat([wide, table], axis=1))
    assert followed(write_study(tmp_path, {"jobs": JOBS})).yes(P[5]) == list(range(13))
    text(tmp_path / "jobs.csv", pd.concat([wide, table, table[["start"]]], axis=1))
    assert "2 columns are called start" in refused(tmp_path / "study.toml")


def test_headers_with_garbled_letters_and_blanks_around(tmp_path):
    table = pd.DataFrame({"lÃ¸penr": P, " start": "2015-01-01", "slutt ": ""})
    text(tmp_path / "jobs.csv", table)
    columns = {"person_key": "løpenr", "start": "start", "end": "slutt"}
    found = followed(write_study(tmp_path, {"jobs": {**JOBS, "columns": columns}}))
    assert found.yes(P[0]) == list(range(13))


def test_short_rows_and_trailing_marks(tmp_path):
    lines = [
        "person_key;start;end",
        f"{P[0]};2015-01-01",
        f"{P[1]};2015-01-01;2015-05-31",
        f"{P[2]};2015-01-01",
        f"{P[3]};2015-02-01;",
    ]
    (tmp_path / "jobs.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    said = refused(write_study(tmp_path, {"jobs": JOBS}))
    assert "short_rows" in said
    columns = {**JOBS, "short_rows": "pad"}
    # a column that is needed is not filled up, and it is said
    assert "needed" in refused(write_study(tmp_path, {"jobs": columns}))


def test_own_layout_that_names_a_status_is_heard(tmp_path):
    (tmp_path / "own.toml").write_text(
        OWN.replace('[rows]\nredcap_event_name = ["baseline_arm_1"]\n', "") + '[columns.status]\nname = "inkl"\ntype = "code"\n'
        'codes = { J = "included", N = "declined" }\nmeaning = "Included"\n', encoding="utf-8")  # fmt: skip
    text(tmp_path / "t.csv", pd.DataFrame({"record_id": P, "rand_dato": "2015-03-10", "gruppe": [1, 2] * 3, "inkl": list("JJNJNJ"),
                                           "redcap_data_access_group": "a"}), sep=",")  # fmt: skip
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    found = followed(write_study(tmp_path, {"jobs": JOBS}, trial={"layout": "own.toml", "files": "t.csv"}, top=ARMS))
    assert len(found.cohort.participants) == 4
    assert found.data.flow.set_index("step")["left"]["declined"] == 2


def test_participant_keys_of_the_list_that_lost_their_zeros(tmp_path):
    people = ["001", "012", "113", "214", "315", "416"]
    text(tmp_path / "l.csv", pd.DataFrame({"deltaker": [int(p) for p in people], "lnr": P}))
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    keys = {"jobs": {"file": "l.csv", "participant": "deltaker", "delivery": "lnr"}}
    assert "leading zeros" in refused(write_study(tmp_path, {"jobs": JOBS}, people=people, keys=keys), "001", "012")


# ---------------------------------------------------------------- what was silent


@pytest.mark.parametrize("engine", [None, {"staging": "always"}], ids=["memory", "duckdb"])
def test_a_register_without_a_row_on_every_road(tmp_path, engine):
    jobs(tmp_path, [])
    found = followed(write_study(tmp_path, {"jobs": JOBS}, engine=engine))
    assert found.yes(P[0]) == [] and any("file without any row" in rule for rule in counts(found, "severe"))


def test_a_period_that_is_longer_than_the_delivery(tmp_path):
    """Months after the last delivered one would be a no for everybody."""
    people = [f"73{n:08d}" for n in range(10203141, 10203181)]
    ends = pd.date_range("2013-02-01", periods=40, freq="17D").strftime("%Y-%m-%d")
    jobs(tmp_path, [(p, "2013-01-01", end) for p, end in zip(people, ends, strict=True)])
    wide = {**JOBS, "period": ["2011-01", "2018-12"]}
    found = followed(write_study(tmp_path, {"jobs": wide}, people=people, index="2014-03-10"))
    assert found.count("jobs", "last months of the delivery's period") == 49  # from December 2014 on
    right = followed(
        write_study(tmp_path, {"jobs": {**wide, "period": ["2011-01", "2014-12"]}}, people=people, index="2014-03-10")
    )
    assert right.count("jobs", "last months of the delivery's period") == 0


def test_a_death_that_stands_in_a_person_s_second_row(tmp_path):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    text(tmp_path / "fast.csv", pd.DataFrame({"lnr": [*P, P[0]], "foedsels_aar_mnd": ["198001"] * 5 + ["", "198001"],
                                              "doeds_dato": [""] * 6 + ["20150801"]}))  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS, "people": {"layout": "faste_opplysninger", "files": "fast.csv"}}))
    assert found.yes(P[0]) == [0, 1, 2, 3, 4] and found.reason(P[0], 5) == "dead"
    assert found.cohort.participants["birth_month"].isna().sum() == 1


def test_a_code_for_missing_that_nobody_explained_is_severe(tmp_path):
    text(tmp_path / "jobs.csv", pd.DataFrame({"person_key": P, "start": "2015-01-01", "end": ["NA"] * 2 + ["2015-06-30"] * 4}))
    found = followed(write_study(tmp_path, {"jobs": JOBS}))
    assert counts(found, "severe")["jobs: impossible date in end"] == 2
    found = followed(write_study(tmp_path, {"jobs": {**JOBS, "missing": {"end": ["NA"]}}}))
    assert found.yes(P[0]) == list(range(13))


def test_a_month_table_of_true_and_false(tmp_path):
    table = pa.table({"person_key": P, "work_2015_04": [True] * 6, "work_2015_05": [False] * 3 + [None] * 3})
    pq.write_table(table, tmp_path / "m.parquet")
    source = {"layout": "month_table", "files": "m.parquet", "period": ["2015-04", "2015-05"]}
    found = followed(write_study(tmp_path, {"jobs": source}, months=2))
    assert found.months(P[0]) == {0: None, 1: True, 2: False} and found.months(P[5])[2] is None


def test_one_g_a_year_by_hand(tmp_path):
    for month in pd.period_range("2015-01", "2016-12", freq="M"):
        ameld(tmp_path, month.year, month.month, [(P[0], "1a", "2014-01-01", ""), (P[1], "1a", "2014-01-01", "")],
              lonn_kontant=[7600.0, 7400.0])  # fmt: skip
    source = {"ameld": {**AMELD, "period": ["2015-01", "2016-12"]}}
    found = followed(write_study(tmp_path, source, index="2014-12-15", months=24, ordinary={"minimum_yearly_pay_g": 1.0},
                                 definitions={"monthly": {"minimum_monthly_pay_g": 1.0, "wage_subsidy": "keep"}}))  # fmt: skip
    # 91,200 a year: the mean G of the months to October 2016 is 90,068 + 6 * 209 = 91,322
    assert found.yes(P[0]) == list(range(12, 22)) and found.unknown(P[0]) == list(range(12))
    assert found.yes(P[1]) == []  # 88,800 is below the mean of 2015, 89,502
    # G/12 is 7,364 to April 2015, 7,506 to April 2016 and 7,715 from then on
    assert found.yes(P[0], "monthly") == list(range(1, 17)) and found.yes(P[1], "monthly") == [1, 2, 3, 4]


@pytest.mark.parametrize("where", ["label", "note in the list", "exponent"])
def test_identity_numbers_in_odd_places(tmp_path, where):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    trial, keys = None, None
    if where == "label":
        pyreadstat.write_sav(pd.DataFrame({"pas": P, "dato": pd.Timestamp("2015-03-10")}), tmp_path / "t.sav",
                             column_labels={"pas": "nr 15108695088"})  # fmt: skip
        trial = {"layout": "trial", "files": "t.sav", "columns": {"person_key": "pas", "index_date": "dato"}}
    elif where == "exponent":
        text(
            tmp_path / "jobs.csv",
            pd.DataFrame({"person_key": P, "start": "2015-01-01", "end": "", "merk": ["1.5108695088e+10"] + ["3"] * 5}),
        )
    else:
        keys = linkage(tmp_path, P, merknad=["se 151086 95088", *[""] * 5])
    said = refused(write_study(tmp_path, {"jobs": JOBS}, trial=trial, keys=keys), "15108695088", "95088", "1.51")
    assert "national identity number" in said


def test_residence_in_months_from_stata(tmp_path):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    pyreadstat.write_dta(pd.DataFrame({
        "w20_0450_lopenr_person": [*P, P[0]], "regstat": [1.0] * 7, "tilgdato_mnd": [198001.0] * 6 + [201510.0],
        "avgdato_mnd": [201506.0] + [NAN] * 6, "tomdato_mnd": [201506.0] + [999912.0] * 6,
    }), tmp_path / "w20_0450_f_demo.dta")  # fmt: skip
    demo = {"layout": "f_demo", "files": "*f_demo.dta", "period": ["2014-01", "2016-12"],
            "columns": {"start": "tilgdato_mnd", "end": "avgdato_mnd", "technical_end": "tomdato_mnd"},
            "dates": {"start": "yyyymm_first", "end": "yyyymm_last", "technical_end": "yyyymm_last"}}  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": JOBS, "residence": demo}))
    assert found.yes(P[0]) == [0, 1, 2, 3, 7, 8, 9, 10, 11, 12] and found.reason(P[0], 4) == "abroad"


def test_month_tables_that_contradict_each_other(tmp_path):
    text(tmp_path / "m1.csv", pd.DataFrame({"person_key": P, "work_2015_04": 1, "work_2015_05": 1}))
    text(tmp_path / "m2.csv", pd.DataFrame({"person_key": P, "work_2015_05": [0] * 5 + [""], "work_2015_06": 0}))
    source = {"layout": "month_table", "files": "m*.csv", "period": ["2015-04", "2015-06"]}
    found = followed(write_study(tmp_path, {"jobs": source}, months=3))
    assert counts(found, "severe")["jobs: cells of one person and month that say different things"] == 10
    assert found.months(P[0]) == {0: None, 1: True, 2: True, 3: False}


@pytest.mark.parametrize("levels", [["401101", "201199"], ["201199", "401101"]])
def test_two_levels_of_education_on_one_day_in_any_order(tmp_path, levels):
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    text(tmp_path / "bu.csv", pd.DataFrame({"lnr": P[0], "aargang": 2014, "BU": levels}))
    found = followed(write_study(tmp_path, {"jobs": JOBS, "bu": {"layout": "nudb_bu", "files": "bu.csv"}}))
    assert found.cohort.participants.set_index("person_id").loc[P[0], "education_level"] == 4
    assert counts(found, "severe")["bu: different levels of education of one person on one day"] == 2


def test_residence_register_that_also_holds_people_abroad(tmp_path):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    text(tmp_path / "f.csv", pd.DataFrame({
        "w20_0450_lnr": [*P, P[0]], "REGSTAT": ["1.0"] * 6 + ["3.0"], "TILGDATO": [19800101] * 6 + [20150601],
        "AVGDATO": ["20150531"] + [""] * 6, "TOMDATO": 20161231,
    }))  # fmt: skip
    demo = {"layout": "f_demo", "files": "f.csv", "period": ["2014-01", "2016-12"]}
    told = followed(write_study(tmp_path, {"jobs": JOBS, "residence": demo}))
    assert any("regstat has several codes" in rule for rule in counts(told, "severe"))
    found = followed(write_study(tmp_path, {"jobs": JOBS, "residence": {**demo, "rows": {"REGSTAT": ["1"]}}}))
    assert found.yes(P[0]) == [0, 1, 2] and found.reason(P[0], 4) == "abroad"
    assert not any("regstat" in rule for rule in counts(found, "severe"))
