"""The invented deliveries of benefits, education, income and process records: their truth found again by plain reading."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import ips_outcomes as ips
from ips_outcomes.months import parse_month
from ips_outcomes.simulation import load_truth
from ips_outcomes.simulation.benefits import benefit_states, draw_benefits, months_in_work
from ips_outcomes.simulation.jobs import draw_jobs, draw_schemes
from ips_outcomes.simulation.people import FIRST_MONTH, draw_people
from ips_outcomes.simulation.study import DEMO_SEED, Invented, draw_study, generator

FIRST, LAST = parse_month("2011-01"), parse_month("2018-12")

#: The extracts as they were when the seed was chosen for its rates; of linkage.csv the first five columns.
FIRST_EXTRACTS = ["faste_opplysninger.csv", "f_demo.csv", "f_jobber.csv", "tiltak.csv", "trial.sav"]
FIRST_DIGEST = "d5f8a3e8832febb07c2dfc6a5e648ac0fc493adc711df7c84dbdc9f5d42818d1"


@pytest.fixture(scope="module")
def extracts(demo_study: Path) -> Path:
    return demo_study.parent / "extracts"


@pytest.fixture(scope="module")
def drawn() -> Invented:
    """What is true of the people of the committed study."""
    return draw_study(load_truth(), np.random.default_rng(DEMO_SEED), DEMO_SEED, 410, one_arm=False)


@pytest.fixture(scope="module")
def trial(extracts: Path) -> pd.DataFrame:
    """Those who took part, in the order in which they were drawn."""
    table, _ = pyreadstat.read_sav(str(extracts / "trial.sav"))
    return table[table["status"] == 1].sort_values("deltaker", ignore_index=True)


@pytest.fixture(scope="module")
def places(extracts: Path, trial: pd.DataFrame) -> dict[str, pd.Series]:
    """The place of each person among the drawn, by the key of each delivery."""
    linkage = read(extracts / "linkage.csv")
    place = linkage["deltaker"].map({name: i for i, name in enumerate(trial["deltaker"])})
    return {column: place[linkage[column] != ""].set_axis(linkage.loc[linkage[column] != "", column]) for column in linkage}


def read(path: Path, delimiter: str = ";") -> pd.DataFrame:
    return pd.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False, encoding="utf-8")


def number(months: pd.Series) -> pd.Series:
    """Calendar month numbers of six digits; empty for what no calendar has."""
    return pd.to_datetime(months, format="%Y%m", errors="coerce").map(lambda d: d.year * 12 + d.month - 1 - 1970 * 12)


def months_of(first: pd.Series, last: pd.Series, person: pd.Series) -> set[tuple[int, int]]:
    rows = zip(person.astype(int), first.astype(int), last.astype(int), strict=True)
    return {(p, m) for p, a, b in rows for m in range(max(a, FIRST), min(b, LAST) + 1)}


def true_months(drawn: Invented, benefit: str, linked: pd.Series) -> set[tuple[int, int]]:
    spells = drawn.benefits[(drawn.benefits["benefit"] == benefit) & drawn.benefits["person"].isin(linked)]
    base = drawn.people.index_month[spells["person"]]
    # what still went on when the truth runs out goes on to the end of the register
    last = np.where(spells["ongoing"], LAST, base + spells["last"])
    return months_of(base + spells["first"], pd.Series(last), spells["person"])


def test_the_first_extracts_are_as_when_the_seed_was_chosen(extracts: Path) -> None:
    names = sorted([*FIRST_EXTRACTS, *(p.name for p in extracts.glob("ameld_statdata_*.dta"))])
    assert len(names) == 53
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + (extracts / name).read_bytes())
    lines = (extracts / "linkage.csv").read_text(encoding="utf-8").splitlines()
    digest.update("\n".join(";".join(line.split(";")[:5]) for line in lines).encode())
    assert digest.hexdigest() == FIRST_DIGEST


TABLES = {
    "aap": ("f_aap.csv", "TILGDATO", "AVGDATO", "TOMDATO", None, ()),
    "sickness": ("f_sp.csv", "SPTILG", "SPAVG", None, "SPKODE", ("10", "20", "30", "60", "90")),
    "unemployment": ("f_arbsok.csv", "ASOKTILG", "ASOKAVG", "ASOKTOM", "YTELSE", ("DP",)),
    "individual_support": ("f_arbsok.csv", "ASOKTILG", "ASOKAVG", "ASOKTOM", "YTELSE", ("ID",)),
    "social_assistance": ("f_shj.csv", "SHJ_TILG", "SHJ_AVG", "TOMDATO", "SHJKODE", ("0",)),
    "disability": ("f_pensj_ufp.dta", "pnsjtilg", "pnsjavg", "pnsjtom", None, ()),
}


def benefit_table(extracts: Path, file: str) -> pd.DataFrame:
    if file.endswith(".csv"):
        return read(extracts / file)
    table = pd.read_stata(extracts / file)
    return pd.DataFrame(
        {n: table[n].astype("Int64").astype(str).replace("<NA>", "") if table[n].dtype == float else table[n] for n in table}
    )


@pytest.mark.parametrize("benefit", TABLES)
def test_months_on_a_benefit_are_found_again(benefit: str, extracts: Path, drawn: Invented, places: dict[str, pd.Series]) -> None:
    file, start, end, technical, code, codes = TABLES[benefit]
    table = benefit_table(extracts, file)
    key, quirks = table.columns[0], load_truth()["quirks"]
    assert table.duplicated().any()
    assert (~table[key].isin(places["lnr_trygd"].index)).sum() >= quirks["unknown_people"]
    if code is not None:
        assert benefit != "sickness" or (table[code] == "95").sum() >= quirks["other_codes"]
        table = table[table[code].isin(codes)]
    table = table[table[key].isin(places["lnr_trygd"].index)]
    first, last = number(table[start]), number(table[end]).fillna(LAST)
    sound = first.notna() & (first <= last)
    found = months_of(first[sound], last[sound], table.loc[sound, key].map(places["lnr_trygd"]))
    true = true_months(drawn, benefit, places["lnr_trygd"])
    assert len(true) > 200
    assert true <= found
    # beyond the truth are only the few spells whose end never was reported
    beyond = found - true
    assert all(month >= parse_month("2017-01") for _, month in beyond)
    assert len({person for person, _ in beyond}) <= quirks["unended_benefits"]
    if technical is not None:
        assert (table[technical] != "").all()
        closed = table[end] != ""
        assert (table.loc[closed, technical] >= table.loc[closed, end]).all()
        assert (~closed).any()


def test_both_ends_differ_now_and_then_and_mistakes_are_there(extracts: Path) -> None:
    table = read(extracts / "f_aap.csv")
    assert ((table["AVGDATO"] != "") & (table["AVGDATO"] != table["TOMDATO"])).mean() == pytest.approx(0.08, abs=0.03)
    assert ((table["AVGDATO"] != "") & (table["AVGDATO"] < table["TILGDATO"])).sum() >= 2
    assert (table["TILGDATO"] == "201313").sum() >= 2
    # a longer spell holds another one
    ordered = table.drop_duplicates().sort_values(["w20_0451_lnr", "TILGDATO"])
    before = ordered.groupby("w20_0451_lnr")["AVGDATO"].shift()
    assert (before.notna() & (before != "") & (before >= ordered["TILGDATO"])).sum() >= 3
    assert set(read(extracts / "f_sp.csv")["SPGRAD"]) == {"20", "40", "50", "60", "80", "100"}


def test_benefits_follow_work_and_know_nothing_of_the_arm() -> None:
    truth = load_truth()
    rng = np.random.default_rng(2)
    people = draw_people(truth, rng, 20_000, one_arm=False)
    jobs = draw_jobs(truth, people, rng)
    _, jobs = draw_schemes(truth, people, jobs, rng)
    works = months_in_work(people, jobs)
    states, _, _ = benefit_states(truth, people, works, generator(2, "benefits"))
    on_aap = states == 2
    for month in (-24, -12, -1):
        gap = on_aap[people.ips, month - FIRST_MONTH].mean() - on_aap[~people.ips, month - FIRST_MONTH].mean()
        assert abs(gap) < 4 * np.sqrt(0.25 / 5_000)
    late = 43 - FIRST_MONTH
    assert on_aap[works[:, late], late].mean() < 0.6 * on_aap[~works[:, late], late].mean()
    assert on_aap[people.ips, late].mean() < on_aap[~people.ips, late].mean() - 0.02
    # the same share on the allowance in both arms among those who never worked
    idle = ~works.any(1)
    gap = on_aap[people.ips & idle, late].mean() - on_aap[~people.ips & idle, late].mean()
    assert abs(gap) < 4 * np.sqrt(0.5 / (people.ips & idle).sum())
    spells = draw_benefits(truth, people, works, generator(2, "benefits"))
    length = spells["last"] - spells["first"] + 1
    assert length[spells["benefit"] == "aap"].max() == 12
    assert (spells["end"] >= spells["start"]).all()


def test_wages_of_a_year_are_the_sums_of_the_monthly_pay(
    extracts: Path, trial: pd.DataFrame, places: dict[str, pd.Series]
) -> None:
    parts = []
    for path in sorted(extracts.glob("ameld_statdata_*.dta")):
        month = pd.read_stata(path).drop_duplicates()
        key = next(name for name in month if name.endswith("lopenr_person"))
        parts.append(pd.DataFrame({
            "person": month[key].map(places["lnr_ameld"]), "year": month["edag_periode"].str[:4], "pay": month["lonn_kontant"],
        }))  # fmt: skip
    sums = pd.concat(parts).groupby(["person", "year"])["pay"].sum()
    wages = read(extracts / "inntekt.csv")
    assert wages.duplicated().any()
    wages = wages.drop_duplicates()
    assert not wages.duplicated(["w21_5590_lopenr_person", "aargang"]).any()
    assert set(wages["aargang"]) == {str(year) for year in range(2011, 2019)}
    known = wages.set_index([wages["w21_5590_lopenr_person"].map(places["lnr_inntekt"]), "aargang"])["WLONN"].astype(int)
    recent = known[known.index.get_level_values(1) >= "2015"]
    expected = sums.reindex(recent.index).fillna(0.0)
    assert np.abs(recent.to_numpy() - expected.to_numpy()).max() <= 0.5
    assert (known == 0).any()
    assert (known[known.index.get_level_values(1) < "2015"] > 0).any()


def test_highest_education_before_inclusion_is_what_the_trial_wrote(
    extracts: Path, trial: pd.DataFrame, places: dict[str, pd.Series]
) -> None:
    table = read(extracts / "bu.csv")
    assert table.duplicated().any()
    table = table.drop_duplicates().set_index("w21_5590_lnr")
    table.index = table.index.map(places["lnr_utdanning"])
    assert table.index.is_unique
    assert 0 < len(places["lnr_utdanning"]) - len(table) < 50
    assert list(table.columns) == [f"BU_{year}" for year in range(2008, 2019)]
    october = pd.to_datetime(trial["rand_dato"]).map(lambda day: day.year if (day.month, day.day) > (10, 1) else day.year - 1)
    codes = pd.Series({person: table.at[person, f"BU_{october[person]}"] for person in table.index})
    unknown = codes == "999999"
    assert 0 < unknown.sum() < 30
    # read as it stands, a lost zero looks like level 9
    shrunk = codes.str.len() == 5
    assert shrunk.any()
    assert set(codes[shrunk]) == {"99901"}
    level = codes.str.zfill(6).str[0].astype(int)[~unknown]
    written = trial["nus2000"].reindex(level.index)
    known = written.ne("") & written.ne("999999")
    trial_level = written[known].str[0].astype(int)
    # the register writes basic upper secondary as lower secondary
    agree = level[known] == trial_level.replace(3, 2)
    assert (agree | (level[known] == 0)).all()
    assert ((level[known] >= 4) == (trial_level >= 4)).all()


def test_a_level_rises_only_by_a_course_that_was_completed(extracts: Path, places: dict[str, pd.Series]) -> None:
    table = read(extracts / "bu.csv").drop_duplicates().set_index("w21_5590_lnr")
    courses = read(extracts / "nudb_kurs.csv")
    assert set(courses["utd_fullfoertkode"]) == {"8", "1", ""}
    assert courses.duplicated().any()
    assert (courses["utd_aktivitet_start"] == "2013-02-31").any()
    assert (courses["utd_aktivitet_slutt"] == "").any()
    done = courses[courses["utd_fullfoertkode"] == "8"]
    won = set(zip(done["w21_5590_lnr"], done["nus2000"], done["utd_aktivitet_slutt"].str[:7], strict=True))
    people = read(extracts / "faste_opplysninger.csv").set_index("w19_0634_lnr")["doeds_dato"]
    died = places["lnr_befolkning"].to_frame("place").join(people)
    died = died[died["doeds_dato"].between("2011", "20180930")].set_index("place")["doeds_dato"]
    empty = set(table.index[table["BU_2018"] == ""].map(places["lnr_utdanning"]))
    assert empty == set(died.index) & set(table.index.map(places["lnr_utdanning"]))
    rises = 0
    for year in range(2015, 2019):
        before, after = table[f"BU_{year - 1}"].str.zfill(6), table[f"BU_{year}"].str.zfill(6)
        # nothing stands in the years after death
        for key in table.index[(before != after) & (table[f"BU_{year}"] != "")]:
            rises += 1
            months = {f"{year - 1}-{month:02d}" for month in (10, 11, 12)} | {f"{year}-{month:02d}" for month in range(1, 10)}
            assert any((key, after[key], month) in won for month in months)
    assert rises > 5


@pytest.fixture(scope="module")
def redcap(extracts: Path) -> pd.DataFrame:
    return read(extracts / "redcap.csv", ",")


def test_the_redcap_export_has_the_form_of_one(redcap: pd.DataFrame, trial: pd.DataFrame) -> None:
    assert list(redcap.columns[:5]) == ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group"]  # fmt: skip
    assert redcap["redcap_event_name"].str.endswith("_arm_1").all()
    identity = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    assert not redcap.duplicated(identity).any()
    repeats = redcap["redcap_repeat_instrument"] != ""
    assert ((redcap["redcap_repeat_instance"] != "") == repeats).all()
    base = redcap[redcap["redcap_event_name"] == "baseline_arm_1"].set_index("record_id")
    assert set(base.index) == {*trial["deltaker"], "TEST1"}
    base = base.reindex(trial["deltaker"])
    assert (base["rand_date"] == trial["rand_dato"].astype(str).to_numpy()).all()
    assert (base["arm"].astype(float).to_numpy() == trial["gruppe"].to_numpy()).all()
    boxes = base[[f"treatment___{box}" for box in (1, 2, 3, 99)]].astype(int)
    assert boxes.isin([0, 1]).all(axis=None)
    assert (boxes["treatment___99"] == (boxes.iloc[:, :3].sum(axis=1) == 0)).all()
    assert set(base["baseline_complete"]) == {"0", "1", "2"}
    # an event without data is not exported: a visit missed has no row
    visits = redcap[redcap["redcap_event_name"] == "month_12_arm_1"]
    assert 0.6 < len(visits) / len(trial) < 0.85
    assert (visits["satisfaction"] != "").all()


def test_process_records_are_those_of_the_ips_arm(redcap: pd.DataFrame, trial: pd.DataFrame, drawn: Invented) -> None:
    quirks = load_truth()["quirks"]
    repeats = redcap[redcap["redcap_repeat_instrument"] != ""]
    assert set(repeats["record_id"]) <= set(trial.loc[trial["gruppe"] == 1, "deltaker"])
    person = repeats["record_id"].map({name: i for i, name in enumerate(trial["deltaker"])})
    for form, column in {"employer_contact": "employer_date", "job_plan": "plan_date", "contact": "contact_date"}.items():
        rows = repeats["redcap_repeat_instrument"] == form
        true = drawn.services[drawn.services["form"] == form]
        written = set(zip(person[rows], repeats.loc[rows, column], strict=True))
        wanted = set(zip(true["person"], true["date"].astype(str), strict=True))
        assert (repeats.loc[rows, f"{form}_complete"] == "2").all()
        if form != "contact":
            assert written == wanted
            assert rows.sum() == len(true)
            continue
        assert rows.sum() == len(true) + quirks["contacts_entered_twice"]
        days = repeats.loc[rows, column]
        content = ["record_id", column, "contact_type", "contact_minutes"]
        assert repeats.loc[rows].duplicated(content).sum() == quirks["contacts_entered_twice"]
        before = days.to_numpy() < trial["rand_dato"].astype(str).to_numpy()[person[rows]]
        assert before.sum() == quirks["contacts_before_inclusion"]
        assert (days.str[:2] == "21").sum() == quirks["contacts_in_another_century"]
        assert len(wanted - written) <= quirks["contacts_before_inclusion"] + quirks["contacts_in_another_century"]
    # nobody looks for an employer while work is held
    employer = drawn.services[drawn.services["form"] == "employer_contact"]
    assert not drawn.works[employer["person"], employer["month"] - FIRST_MONTH].any()


def test_a_service_without_controls_keeps_records_of_everybody(tmp_path: Path) -> None:
    folder = ips.simulate_study(tmp_path / "one", seed=4, participants=60, one_arm=True).parent / "extracts"
    table = read(folder / "redcap.csv", ",")
    assert "arm" not in table
    assert table.loc[table["redcap_repeat_instrument"] == "contact", "record_id"].nunique() > 50
    assert len(read(folder / "linkage.csv")) == 60


def test_deliveries_as_other_kinds_of_file_hold_the_same(tmp_path: Path) -> None:
    kinds = {"f_aap": "parquet", "bu": "xlsx", "f_jobber": "dta", "tiltak": "xlsx"}
    plain = ips.simulate_study(tmp_path / "plain", seed=4, participants=60)
    other = ips.simulate_study(tmp_path / "other", seed=4, participants=60, formats=kinds)
    again = ips.simulate_study(tmp_path / "again", seed=4, participants=60, formats=kinds)
    readers = {"parquet": pd.read_parquet, "xlsx": pd.read_excel, "dta": pd.read_stata}
    for name, kind in kinds.items():
        path = Path("extracts") / f"{name}.{kind}"
        assert (other.parent / path).read_bytes() == (again.parent / path).read_bytes()
        assert not (other.parent / "extracts" / f"{name}.csv").exists()
        expected = read(plain.parent / "extracts" / f"{name}.csv")
        found = readers[kind](other.parent / path, **({"dtype": str} if kind == "xlsx" else {}))
        text = pd.DataFrame({n: found[n].astype("Int64").astype(str) if found[n].dtype.kind in "if" else found[n] for n in found})
        text = text.replace("<NA>", "").fillna("")
        assert text.astype(str).equals(expected)
    assert pd.read_parquet(other.parent / "extracts" / "f_aap.parquet")["TILGDATO"].dtype == "Int64"
    # what the study file asks for is what was written
    lines = plain.read_text(encoding="utf-8").splitlines()
    for name, kind in kinds.items():
        lines = [line.replace(f'"extracts/{name}.csv"', f'"extracts/{name}.{kind}"') for line in lines]
    assert other.read_text(encoding="utf-8").splitlines() == lines
    assert 'files = "extracts/f_jobber.dta"' in lines
    # keys stay text, codes become numbers: that is how Excel takes leading zeros away
    cells = pd.read_excel(other.parent / "extracts" / "bu.xlsx", dtype=object)
    assert cells["w21_5590_lnr"].map(type).eq(str).all()
    assert cells["BU_2012"].dropna().map(type).eq(int).all()
    assert "f_aap.parquet" in (other.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("formats", "says"), [({"f_app": "dta"}, "no such delivery: f_app"), ({"f_aap": "sas7bdat"}, "no such kind")]
)
def test_a_kind_that_there_is_none_of_is_refused(tmp_path: Path, formats: dict[str, str], says: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=says):
        ips.simulate_study(tmp_path / "x", formats=formats)
    assert not (tmp_path / "x").exists()


def test_centres_are_rated_once_a_year(extracts: Path, demo_followup: ips.FollowUp) -> None:
    table = read(extracts / "centre_measures.csv")
    assert table.groupby(["senter", "maal"]).size().tolist() == [4] * 12
    values = table.astype({"verdi": int}).groupby("maal")["verdi"].agg(["min", "max"])
    assert values.loc["fidelity"].between(25, 125).all() and values.loc["caseload"].between(1, 60).all()
    kept = demo_followup.centre_measures
    named = {str(i + 1): f"Centre {letter}" for i, letter in enumerate("ABCDEF")}
    theirs = sorted(zip(table["senter"].map(named), table["maal"], table["dato"], table["verdi"].astype(float), strict=True))
    ours = zip(kept["centre"], kept["measure"], kept["date"].dt.strftime("%Y-%m-%d"), kept["value"], strict=True)
    assert sorted(ours) == theirs


def test_the_service_s_own_waits_are_found_again(drawn: Invented, demo_followup: ips.FollowUp, trial: pd.DataFrame) -> None:
    """Days to the first plan, which no quirk touches, of everybody as they were drawn."""
    own = drawn.services[drawn.services["form"] == "job_plan"]
    first = own.groupby("person")["date"].min().to_numpy().astype("datetime64[D]")
    person = np.sort(own["person"].unique())
    wanted = pd.Series((first - drawn.people.index_date[person]).astype(int), index=person)
    # plans drawn for days before inclusion, in the month of inclusion, are set aside
    table = demo_followup.process["job_plan_days"].astype(float)
    same = wanted[wanted >= 0]
    ours = table.iloc[same.index].to_numpy()
    assert len(same) > 100 and (ours == same.to_numpy()).mean() > 0.99
