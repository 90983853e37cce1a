"""Registers in other shapes than the project's own; what must come out was decided before they were run."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from unseen_study import (
    AMELD,
    JOBS,
    NAN,
    P,
    ameld,
    counts,
    followed,
    jobs,
    refused,
    text,
    write_study,
)

# ---------------------------------------------------------------- FD-Trygd, Stata


def fd_trygd(folder, **months):
    rows = {
        "W20_0450_LOPENR_PERSON": P[:4],
        "TILGDATO_MND": [201501.0, 201505.0, 201502.0, 201601.0],
        "AVGDATO_MND": [201506.0, NAN, NAN, 201602.0],
        "TOMDATO_MND": [201506.0, 201612.0, 201509.0, 201602.0],
    }
    folder.mkdir(parents=True, exist_ok=True)
    pyreadstat.write_dta(pd.DataFrame({**rows, **months}), folder / "w20_0450_f_aap.dta")


def test_fd_trygd_from_stata_with_floats_and_capitals(tmp_path):
    fd_trygd(tmp_path)
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    aap = {"layout": "f_aap", "files": "w20_0450_f_*.dta", "period": ["2015-01", "2016-12"]}
    reported = followed(write_study(tmp_path, {"jobs": JOBS, "aap": aap}, ordinary={"without_benefits": {"aap": 0}}))
    assert reported.yes(P[0]) == [4, 5, 6, 7, 8, 9, 10, 11, 12]  # AAP to June 2015, month 3
    assert reported.yes(P[1]) == [0, 1]  # from May on, no reported end: goes on
    assert reported.yes(P[2]) == []
    assert reported.yes(P[3]) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    technical = followed(write_study(tmp_path, {"jobs": JOBS, "aap": {**aap, "spell_end": "technical"}},
                                     ordinary={"without_benefits": {"aap": 0}}))  # fmt: skip
    assert technical.yes(P[2]) == [7, 8, 9, 10, 11, 12]


def test_months_read_as_days_are_refused(tmp_path):
    fd_trygd(tmp_path)
    jobs(tmp_path, [(P[0], "2015-01-01", "")])
    aap = {"layout": "f_aap", "files": "*.dta", "period": ["2015-01", "2016-12"], "dates": {"start": "yyyymmdd"}}
    said = refused(write_study(tmp_path, {"jobs": JOBS, "aap": aap}))
    assert "TILGDATO_MND" in said or "tilgdato" in said
    assert "yyyymm" in said


@pytest.mark.parametrize("filler", [99991231, 20991231])
def test_a_technical_end_that_is_always_filled_is_no_reason_to_refuse(tmp_path, filler):
    jobs(tmp_path, [(p, "2015-01-01", "") for p in P])
    text(tmp_path / "f_demo.csv", pd.DataFrame({
        "w20_0450_lnr": P, "REGSTAT": 1, "TILGDATO": 19800101, "AVGDATO": ["20150720", *[""] * 5], "TOMDATO": filler,
    }))  # fmt: skip
    text(
        tmp_path / "fast.csv",
        pd.DataFrame({"w20_0450_lnr": P, "doeds_aar_mnd": ["201507", *[""] * 5], "kjoenn": [1, 2, 9, 1, 2, 1]}),
    )
    found = followed(write_study(tmp_path, {
        "jobs": JOBS, "residence": {"layout": "f_demo", "files": "f_demo.csv", "period": ["2015-01", "2016-12"]},
        "people": {"layout": "faste_opplysninger_mnd", "files": "fast.csv"},
    }))  # fmt: skip
    assert found.yes(P[1]) == list(range(13))
    assert found.yes(P[2]) == list(range(13))  # sex coded 9 is no reason to lose a person
    assert found.yes(P[0]) == [0, 1, 2, 3] and found.reason(P[0], 4) == "dead"


@pytest.mark.parametrize("written", [99991231, "9999-12-31"])
def test_an_end_in_the_year_9999_is_open(tmp_path, written):
    rows = [(P[0], "2015-06-01", "99991231"), (P[1], "2015-01-01", "20150420"), (P[2], "2016-01-01", "99991231")]
    days = pd.DataFrame(rows, columns=["person_key", "start", "end"])
    if isinstance(written, int):
        days[["start", "end"]] = days[["start", "end"]].apply(lambda c: c.str.replace("-", ""))
    else:
        days["end"] = pd.to_datetime(days["end"].replace("99991231", "20150101")).dt.strftime("%Y-%m-%d").where(
            days["end"] != "99991231", written)  # fmt: skip
    text(tmp_path / "jobs.csv", days)
    source = {**JOBS, "dates": {"start": "yyyymmdd", "end": "yyyymmdd"}} if isinstance(written, int) else JOBS
    found = followed(write_study(tmp_path, {"jobs": source}))
    assert found.yes(P[0]) == list(range(3, 13)) and found.yes(P[1]) == [0, 1]
    assert found.count("jobs", "spell without an end") == 2


# ---------------------------------------------------------------- a-ordningen


def test_a_family_of_monthly_files_that_drifts(tmp_path):
    for n, month in enumerate(pd.period_range("2015-04", "2016-03", freq="M")):
        rows = [(P[0], "1a", "2014-01-01", ""), (P[1], "1a", "2014-01-01", ""), (P[2], "2b", "2014-01-01", "")]
        rows = rows[:: -1 if n % 2 else 1]
        if n in (4, 5, 6):
            continue
        key = "lopenr_person" if n < 3 else "w19_0345_lopenr_person"
        extra = {"kjoenn": [1.0, 2.0, 9.0] if n % 2 else ["1", "2", "9"], "kommnr": ["0301"] * 3}
        if n == 7:
            ameld(tmp_path, month.year, month.month, [], key=key)
        else:
            ameld(tmp_path, month.year, month.month, rows, key=key, **extra)
    found = followed(write_study(tmp_path, {"ameld": AMELD}))
    assert found.unknown(P[0]) == [0, 5, 6, 7]
    assert found.reason(P[0], 5) == "file_missing"
    assert found.yes(P[0]) == [1, 2, 3, 4, 9, 10, 11, 12] == found.yes(P[1])
    assert found.yes(P[2]) == []
    assert any("monthly file missing (2015-08, 2015-09, 2015-10)" in rule for rule in counts(found, "severe"))
    assert any("file without any row" in rule for rule in counts(found, "severe"))
    assert found.count("ameld", "column person_key has several names") == 2


@pytest.mark.parametrize("odd", ["1A", "1A ", " 1a"])
def test_basis_in_other_letters_is_the_same_basis(tmp_path, odd):
    for month in range(4, 10):
        ameld(tmp_path, 2015, month, [(P[0], odd if month == 6 else "1a", "2014-01-01", "")])
    found = followed(write_study(tmp_path, {"ameld": {**AMELD, "period": ["2015-04", "2015-09"]}}, months=6))
    assert found.yes(P[0]) == [1, 2, 3, 4, 5, 6]


def test_a_basis_that_nobody_explained_is_told(tmp_path):
    for month in range(4, 10):
        ameld(tmp_path, 2015, month, [(P[0], "7q" if month == 6 else "1a", "2014-01-01", "")])
    found = followed(write_study(tmp_path, {"ameld": {**AMELD, "period": ["2015-04", "2015-09"]}}, months=6))
    assert any("basis" in rule and "does not know" in rule for rule in counts(found, "severe"))


def test_a_stale_copy_of_a_month(tmp_path):
    for month in range(4, 10):
        ameld(tmp_path, 2015, month, [(P[0], "1a", "2014-01-01", "")])
    ameld(tmp_path, 2015, 6, [(P[1], "1a", "2014-01-01", "")], name="old/ameld_statdata_2015_m6.dta")
    said = refused(write_study(tmp_path, {"ameld": {**AMELD, "files": "**/ameld_statdata_*.dta"}}))
    assert "stale copy" in said


def test_a_stale_copy_of_a_spell_file(tmp_path):
    jobs(tmp_path, [(P[0], "2015-01-01", "2015-05-31"), (P[1], "2015-01-01", "")])
    jobs(tmp_path / "old", [(P[0], "2015-01-01", ""), (P[1], "2015-01-01", "")])
    study = write_study(tmp_path, {"jobs": {**JOBS, "files": "**/jobs.csv"}})
    assert "old" in refused(study)
    # the same name in a folder for each year is one delivery
    (tmp_path / "old").rename(tmp_path / "2016")
    assert followed(study).yes(P[1]) == list(range(13))


def test_microdata_names_with_unix_days(tmp_path):
    for month in range(4, 10):
        text(tmp_path / f"ARBLONN_2015_{month:02d}.csv", pd.DataFrame({
            "ARBEIDSFORHOLD_PERSON": P[:3], "ARBLONN_ARB_TYPE": "ordinaertArbeidsforhold", "ARBLONN_ARB_SYSS": "1a",
            "ARBLONN_ARB_START": ["16071", "16632", "16071"], "ARBLONN_ARB_SLUTT": ["", "", "16583"],
            "ARBLONN_LONN_KONTANT_INNRAPP": "31250,50", "ARBLONN_ARB_ARBEIDSTID": "37,5",
        }), sep="|")  # fmt: skip
    source = {"layout": "arblonn", "files": "ARBLONN_*.csv", "period": ["2015-04", "2015-09"], "delimiter": "|"}
    found = followed(write_study(tmp_path, {"ameld": source}, months=6, definitions={"paid": {"minimum_monthly_pay_nok": 31250.5,
                                                                                               "wage_subsidy": "keep"}}))  # fmt: skip
    assert found.yes(P[0]) == found.yes(P[0], "paid") == [1, 2, 3, 4, 5, 6]
    assert found.yes(P[1]) == [4, 5, 6]  # day 16632 is 16 July 2015
    assert found.yes(P[2]) == [1, 2]  # day 16583 is 28 May 2015


# ---------------------------------------------------------------- job spells


def test_f_jobber_with_open_ends_and_points_for_missing(tmp_path):
    """SAS and Stata write a lone point where a number is missing."""
    text(tmp_path / "f_jobber.csv", pd.DataFrame({
        "w20_0450_lopenr_person": P[:3], "tilgdato_mnd": ["201301", "200901", "201306"], "tomdato_mnd": ["201305", ".", "."],
        "regtom_mnd": ["201305", "201412", "201412"], "orgn_ref": ["A", ".", "B"],
    }), sep="\t")  # fmt: skip
    source = {"layout": "aa_jobs", "files": "f_jobber.csv", "period": ["2012-01", "2014-12"], "delimiter": "\t"}
    found = followed(write_study(tmp_path, {"jobs": source}, index="2013-03-10"))
    assert found.yes(P[0]) == [0, 1, 2]
    assert found.yes(P[1]) == list(range(13))
    assert found.yes(P[2]) == list(range(3, 13))
    assert found.count("jobs", "spell without an end") == 2


@pytest.mark.parametrize(("sep", "encoding", "bom"), [(";", "latin-1", False), ("\t", "utf-16", True), ("|", "utf-8-sig", True)])
def test_aa_register_with_norwegian_numbers(tmp_path, sep, encoding, bom):
    text(tmp_path / "aareg.csv", pd.DataFrame({
        "w19_0345_lopenr_person": P[:3], "Ansettelsesperiode_FOM": ["01.02.2015", "20.05.2015", "03.06.2015"],
        "Ansettelsesperiode_TOM": ["", "", "10.06.2015"], "arbeidsforholdstype": "ordinaertArbeidsforhold",
        "stillingsprosent": ["100,00", "53,33", "1 000,5"], "avtaltArbeidstimerPerUke": ["37,5", "20,0", "37,5"],
        "stillingstittel": ["Renholder på kjøkken", "Ærlig; «arbeid»", "linje 1\nlinje 2"],
    }), sep=sep, encoding=encoding)  # fmt: skip
    source = {"layout": "aareg_dated", "files": "aareg.csv", "period": ["2015-01", "2016-12"], "delimiter": sep,
              "dates": {"start": "ddmmyyyy", "end": "ddmmyyyy"}} | ({} if bom else {"encoding": encoding})  # fmt: skip
    found = followed(write_study(tmp_path, {"jobs": source}, definitions={
        "any": {"month_rule": "any_day", "wage_subsidy": "keep"},
        "hours": {"minimum_weekly_hours": 21, "wage_subsidy": "keep"},
    }))  # fmt: skip
    assert found.yes(P[0]) == found.yes(P[0], "hours") == list(range(13))
    assert found.yes(P[1]) == list(range(3, 13)) and found.yes(P[1], "hours") == []
    assert found.yes(P[2]) == [] and found.yes(P[2], "any") == [3]
    assert found.count("jobs", "position above 200") == 1


def test_numbers_with_a_point_where_the_layout_says_comma(tmp_path):
    table = pd.DataFrame({"lnr": P, "fom": "2015-01-01", "tom": "", "arbeidsforholdstype": "ordinaertArbeidsforhold",
                          "stillingsprosent": 53.25, "avtaltArbeidstimerPerUke": 37.5})  # fmt: skip
    text(tmp_path / "aareg.csv", table)
    source = {"layout": "aareg_dated", "files": "aareg.csv", "period": ["2015-01", "2016-12"]}
    said = refused(write_study(tmp_path, {"jobs": source}))
    assert 'decimal = "."' in said
    found = followed(write_study(tmp_path, {"jobs": {**source, "decimal": "."}}))
    assert found.yes(P[0]) == list(range(13))


def test_hours_with_three_decimals_are_no_thousands(tmp_path):
    """37.500 is 37 and a half: where every number has a point before its last three digits, it may be either."""
    table = pd.DataFrame({"lnr": P, "fom": "2015-01-01", "tom": "", "arbeidsforholdstype": "ordinaertArbeidsforhold",
                          "stillingsprosent": "100.000", "avtaltArbeidstimerPerUke": "37.500"})  # fmt: skip
    text(tmp_path / "aareg.csv", table)
    source = {"layout": "aareg_dated", "files": "aareg.csv", "period": ["2015-01", "2016-12"]}
    found = followed(write_study(tmp_path, {"jobs": source}))
    assert any("above 168" in rule for rule in counts(found)), "not read as hours without a word"


def test_a_wrong_epoch_is_refused(tmp_path):
    table = pd.DataFrame({"person_key": P, "start": np.arange(20120, 20126.0), "end": NAN})  # 2015 in days since 1960
    pyreadstat.write_dta(table, tmp_path / "jobs.dta")
    source = {**JOBS, "files": "jobs.dta", "dates": {"start": "unix_days", "end": "unix_days"}}
    assert "stata" in refused(write_study(tmp_path, {"jobs": source})) or "sas" in refused(tmp_path / "study.toml")
    source["dates"] = {"start": "stata", "end": "stata"}
    assert followed(write_study(tmp_path, {"jobs": source})).yes(P[0]) == list(range(13))


def test_parquet_of_every_type(tmp_path):
    n = len(P)
    table = pa.table({
        "w20_0450_lopenr_person": pa.array(P).dictionary_encode(),
        "ansettelsesperiode.fom": pa.array(pd.to_datetime(["2015-06-10"] * n)).cast(pa.date32()),
        "ansettelsesperiode.tom": pa.array([*[None] * (n - 1), pd.Timestamp("2015-08-15T23:30:00")]).cast(pa.timestamp("us", "Europe/Oslo")),
        "arbeidsforholdstype": pa.array(["ordinaertArbeidsforhold"] * n).dictionary_encode(),
        "stillingsprosent": pa.array([Decimal(100)] * n, pa.decimal128(5, 0)),
        "avtaltArbeidstimerPerUke": pa.array([Decimal("37.50")] * n, pa.decimal128(6, 2)),
        "mor_lnr": pa.array(P),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "jobs.parquet")
    source = {"layout": "aareg_dated", "files": "jobs.parquet", "period": ["2015-01", "2016-12"]}
    found = followed(write_study(tmp_path, {"jobs": source}, ordinary={"minimum_weekly_hours": 37.5}))
    assert found.yes(P[0]) == list(range(3, 13))
    assert found.yes(P[-1]) == [3, 4, 5]  # half past one on 16 August in Oslo
