"""Registers in other shapes than the project's own; what must come out was decided before they were run."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
<<<<<<< HEAD
from unseen_study import P, counts, followed, refused, text, write_study

NAN = float("nan")
JOBS = {"layout": "job_spells", "files": "jobs.csv", "period": ["2015-01", "2016-12"]}


def jobs(folder, rows):
    """Generic job spells: (person, start, end)."""
    return text(folder / "jobs.csv", pd.DataFrame(rows, columns=["person_key", "start", "end"]))


def ameld(folder, year, month, rows, *, key="lopenr_person", name=None, **columns):
    """A monthly file: rows of (person, basis, start, end)."""
    day = lambda d: (np.datetime64(d) - np.datetime64("1960-01-01")).astype(float) if d else NAN  # noqa: E731
    table = pd.DataFrame({
        key: [str(r[0]) for r in rows], "lopenr_virksomhet": [f"8{n:09d}" for n in range(len(rows))],
        "arb_type": ["ordinaertArbeidsforhold"] * len(rows), "arb_syss": [r[1] for r in rows],
        "arb_start": np.array([day(r[2]) for r in rows], dtype=float), "arb_slutt": np.array([day(r[3]) for r in rows], dtype=float),
        "arb_arbeidstid": [37.5] * len(rows), "lonn_kontant": [30_000.0] * len(rows),
    })  # fmt: skip
    for column, values in columns.items():
        table[column] = values
    path = folder / (name or f"ameld_statdata_{year}_m{month}.dta")
    path.parent.mkdir(parents=True, exist_ok=True)
    pyreadstat.write_dta(table, path)
    return table


AMELD = {"layout": "ameld_statdata", "files": "ameld_statdata_*_m*.dta", "period": ["2015-04", "2016-03"]}

=======
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
>>>>>>> h-unseen

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
<<<<<<< HEAD


# ---------------------------------------------------------------- keys


def linkage(folder, keys, **more):
    text(folder / "koblingsnokkel.csv", pd.DataFrame({"deltaker": P[: len(keys)], "lnr": keys, **more}))
    return {"jobs": {"file": "koblingsnokkel.csv", "participant": "deltaker", "delivery": "lnr"}}


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


def trial_people(**columns):
    base = {"pas": P, "dato": ["2015-03-10"] * 6, "arm": [1, 2, 1, 2, 1, 2], "kjonn": [1, 2, 1, 2, 1, 2], "utd": ["401101"] * 6}
    return pd.DataFrame({**base, **columns})


TRIAL = {"layout": "trial", "columns": {"person_key": "pas", "index_date": "dato", "arm": "arm", "sex": "kjonn", "education": "utd"},
         "values": {"arm": {"1": "ips", "2": "tau"}, "sex": {"1": "man", "2": "woman"}}}  # fmt: skip
ARMS = {"arms": {"reference": "tau", "labels": {"ips": "IPS", "tau": "Usual care"}}}


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
=======
>>>>>>> h-unseen
