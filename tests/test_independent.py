"""The package against the oracle: a second computation from the raw files, written from the rules and not from the code."""

from __future__ import annotations

import csv
import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from oracle import DEFINITIONS, Oracle

import ips_outcomes as ips

#: seed, participants, one arm, shaken
STUDIES = {
    "as simulated": (11, 120, False, False),
    "one arm": (13, 120, True, False),
    "shaken": (21, 150, False, True),
}


@pytest.fixture(scope="module", params=STUDIES)
def both(request, tmp_path_factory):
    seed, participants, one_arm, shaken = STUDIES[request.param]
    folder = tmp_path_factory.mktemp("independent") / "study"
    ips.simulate_study(folder, seed=seed, participants=participants, one_arm=one_arm)
    if shaken:
        shake(folder, random.Random(seed))
    return ips.follow_up(ips.load_cohort(ips.load_study(folder))), Oracle(folder)


def missing_to_none(value):
    return None if pd.isna(value) else value


# ------------------------------------------------------------ cell by cell


def test_every_cell_has_the_oracle_s_observation_and_reason(both):
    months, oracle = both[0].person_months, both[1]
    package = {(r.person_id, r.month): (r.calendar_month, r.observed, r.reason) for r in months.itertuples()}
    assert len(package) == len(months)
    expected = {
        key: (now["calendar"][0] * 100 + now["calendar"][1], now["observed"], now["reason"]) for key, now in oracle.cells.items()
    }
    assert package == expected


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_cell_has_the_oracle_s_answer(both, definition):
    months, oracle = both[0].person_months, both[1]
    package = {
        (person, month): missing_to_none(value)
        for person, month, value in zip(months["person_id"], months["month"], months[definition], strict=True)
    }
    assert package == {key: now[definition] for key, now in oracle.cells.items()}


def test_composite_counts_the_dead_as_not_in_work_and_nobody_else(both):
    months, oracle = both[0].person_months, both[1]
    package = {
        (person, month): missing_to_none(value)
        for person, month, value in zip(months["person_id"], months["month"], months["ordinary_composite"], strict=True)
    }
    assert package == {key: False if now["reason"] == "dead" else now["ordinary"] for key, now in oracle.cells.items()}


def test_every_cell_has_the_oracle_s_pay_and_hours(both):
    months, oracle = both[0].person_months, both[1]
    # whole øre and hundredths of an hour
    package = {
        (r.person_id, r.month): tuple(None if pd.isna(v) else round(v * 100) for v in (r.pay_nok, r.weekly_hours))
        for r in months.itertuples()
    }
    hours = {key: None if now["hours"] is None else round(now["hours"] * 100) for key, now in oracle.cells.items()}
    assert package == {key: (now["ore"], hours[key]) for key, now in oracle.cells.items()}
    assert sum(now["ore"] is not None and now["ore"] > 0 for now in oracle.cells.values()) > 400


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_rates_have_the_oracle_s_people_and_events_in_every_month(both, definition):
    followed, oracle = both
    table = ips.employment_rates(followed, outcome=definition, by="arm").table
    package = {(row["group"], row["month"]): (row["n"], row["events"]) for row in table.to_dict("records")}
    assert package == oracle.counts(definition)
    for row in table.to_dict("records"):
        assert row["estimate"] == pytest.approx(row["events"] / row["n"], abs=1e-15)


def test_first_job_has_the_oracle_s_time_event_and_ending(both):
    first, oracle = both[0].first_job, both[1]
    assert list(first["person_id"].sort_values()) == sorted(oracle.people)
    at_risk = first[first["at_risk"]]
    package = {
        r.person_id: {"at_risk": True, "time": int(r.time), "event": int(r.event), "ended_by": r.ended_by}
        for r in at_risk.itertuples()
    }
    assert package == {person: now for person, now in oracle.first_job.items() if now["at_risk"]}


def test_people_in_work_in_month_0_are_not_at_risk_and_stay_in_the_rates(both):
    followed, oracle = both
    first = followed.first_job.set_index("person_id")
    working = [person for person in oracle.people if oracle.cells[person, 0]["ordinary"]]
    assert working
    assert not first.loc[working, "at_risk"].any()
    assert followed.person_months.set_index("person_id").loc[working, "ordinary"].notna().any()


def test_levels_of_every_subgroup_unknown_included_add_up_to_the_arm(both):
    followed, oracle = both
    arms = oracle.counts("ordinary")
    for name in ("age_18_30", "no_upper_secondary", "severe_illness"):
        table = ips.employment_rates(followed, outcome="ordinary", by=["arm", name], at=[12, 18, 43]).table
        for month in (12, 18, 43):
            for arm in {arm for arm, _ in arms}:
                rows = table[(table["arm"] == arm) & (table["month"] == month)]
                assert (rows["n"].sum(), rows["events"].sum()) == arms[arm, month], (name, arm, month)


# --------------------------------------------------------- whole-study facts


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "study"
    ips.simulate_study(folder, seed=31, participants=60)
    cohort = ips.load_cohort(ips.load_study(folder))
    return folder, cohort, ips.follow_up(cohort)


def test_deleting_one_monthly_file_leaves_that_month_alone_unobserved_for_everybody(whole, tmp_path):
    before = whole[2].person_months
    folder = Path(shutil.copytree(whole[0], tmp_path / "study"))
    (folder / "extracts" / "ameld_statdata_2016_m3.dta").unlink()
    cohort = ips.load_cohort(ips.load_study(folder))
    after = ips.follow_up(cohort).person_months
    gone = after["calendar_month"] == 201603
    was_observed = gone & before["observed"]
    assert was_observed.sum() > 50
    assert not after.loc[gone, "observed"].any()
    assert set(after.loc[was_observed, "reason"]) == {"file_missing"}
    # the dead and those abroad stay what they were; the others are not observed for want of the file
    assert set(after.loc[gone, "reason"]) <= {"file_missing", "dead", "abroad"}
    for definition in DEFINITIONS:
        assert after.loc[gone, definition].isna().all()
    # a year of pay also looks back on the month that is gone
    later = (after["calendar_month"] > 201603) & (after["calendar_month"] <= 201702)
    assert after.loc[later & before["observed"], "one_g_year"].isna().all()
    pd.testing.assert_frame_equal(after[~gone].drop(columns="one_g_year"), before[~gone].drop(columns="one_g_year"))
    pd.testing.assert_series_equal(after.loc[~gone & ~later, "one_g_year"], before.loc[~gone & ~later, "one_g_year"])
    counts = cohort.quality.loc[cohort.quality["rule"].str.startswith("monthly file missing"), ["source", "count", "total"]]
    assert counts.to_numpy().tolist() == [["a_ordning", 1, 48]]


def test_running_twice_gives_identical_tables(whole):
    folder, first_cohort, first = whole
    cohort = ips.load_cohort(ips.load_study(folder))
    again = ips.follow_up(cohort)
    for name in ("participants", "keys", "employment", "pay", "programmes", "residence", "coverage", "flow", "quality"):
        pd.testing.assert_frame_equal(getattr(cohort, name), getattr(first_cohort, name))
    for name in ("person_months", "first_job", "baseline", "flow", "quality"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(first, name))


# ----------------------------------------------------------------- shaking


def shake(folder: Path, chance: random.Random) -> None:
    """Make a synthetic study nastier: what a real delivery may hold and the generator seldom writes."""
    extracts = folder / "extracts"
    _shake_trial(extracts / "trial.sav", chance)
    _shake_csv(extracts / "linkage.csv", chance, _linkage)
    _shake_csv(extracts / "faste_opplysninger.csv", chance, _deaths)
    _shake_csv(extracts / "f_demo.csv", chance, _moves)
    _shake_csv(extracts / "f_jobber.csv", chance, _jobs)
    monthly = sorted(extracts.glob("ameld_statdata_*.dta"))
    for path in chance.sample(monthly, 3):
        path.unlink()
        monthly.remove(path)
    for path in monthly:
        _shake_month(path, chance)
    _shake_schemes(extracts, chance)


def _shake_csv(path: Path, chance: random.Random, change) -> None:
    with path.open(encoding="latin-1", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names = list(rows[0])
    changed = [new for row in rows for new in change(row, names, chance)]
    with path.open("w", encoding="latin-1", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=";")
        writer.writeheader()
        writer.writerows(changed)


def _near_the_16th(chance: random.Random) -> date:
    return date(chance.randint(2012, 2018), chance.randint(1, 12), chance.choice([1, 14, 15, 16, 17, 18, 28]))


def _shake_trial(path: Path, chance: random.Random) -> None:
    table, meta = pyreadstat.read_sav(str(path))
    included = [i for i in table.index if table.at[i, "status"] == 1]
    for i in chance.sample(included, 30):  # some clocks reach out of the deliveries on either side
        table.at[i, "rand_dato"] = date(chance.choice([2011, 2012, 2015, 2016]), chance.randint(1, 12), chance.randint(1, 28))
    again = table.loc[chance.sample(included, 5)].copy()
    again["rand_dato"] = [day + timedelta(days=chance.choice([-200, 40, 400])) for day in again["rand_dato"]]
    table = pd.concat([table, again], ignore_index=True)
    pyreadstat.write_sav(table, str(path), variable_format=meta.original_variable_types)


def _linkage(row, names, chance):
    for name in ("lnr_aareg", "lnr_ameld", "lnr_befolkning"):
        if chance.random() < 0.05:
            row[name] = ""
    return [row]


def _deaths(row, names, chance):
    if not row["doeds_dato"] and chance.random() < 0.2:
        row["doeds_dato"] = f"{_near_the_16th(chance):%Y%m%d}"
    return [row]


def _moves(row, names, chance):
    if row["AVGDATO"] or chance.random() > 0.25:
        return [row] if chance.random() > 0.03 else [row, dict(row)]
    left = _near_the_16th(chance)
    back = left + timedelta(days=chance.choice([1, 15, 31, 200, 600]))
    first = {**row, "AVGDATO": f"{left:%Y%m%d}"}
    second = {**row, "TILGDATO": f"{back:%Y%m%d}", "AVGDATO": chance.choice(["", "20180716", "20100101"])}
    return [second, first]


def _jobs(row, names, chance):
    if chance.random() < 0.2:  # the same months with another employer, so that some have two
        other = {**row, "orgn_ref": "899999999"}
        return [row, dict(row), other]
    if chance.random() < 0.1:
        row["tomdato_mnd"] = chance.choice(["201299", "200912", "201306", ""])
    return [row]


def _shake_month(path: Path, chance: random.Random) -> None:
    table = pd.read_stata(path)
    year, month = (int(part) for part in path.stem.replace("ameld_statdata_", "").split("_m"))
    for i in table.index:
        if chance.random() < 0.1:
            table.at[i, "arb_type"] = chance.choice(
                ["frilanserOppdragstakerHonorarPersonerMm", "maritimtArbeidsforhold", "forenkletOppgjoersordning"]
            )
        if chance.random() < 0.1:
            table.at[i, "arb_slutt"] = pd.Timestamp(year, month, chance.choice([3, 15, 16, 17]))
        if chance.random() < 0.1:
            table.at[i, "arb_start"] = pd.Timestamp(year, month, chance.choice([1, 15, 16, 17, 25]))
        if chance.random() < 0.1:
            table.at[i, "arb_syss"] = chance.choice(["1b", "2a", "4a"])
    table.to_stata(path, write_index=False, convert_dates={"arb_start": "td", "arb_slutt": "td"}, version=118)


def _shake_schemes(extracts: Path, chance: random.Random) -> None:
    """More subtracting schemes, with the employer's key of one register, of none, or with nothing."""
    with (extracts / "linkage.csv").open(encoding="latin-1", newline="") as file:
        lists = list(csv.DictReader(file, delimiter=";"))
    person_of = {row["lnr_tiltak"]: row for row in lists}
    own: dict[str, list[str]] = {}
    with (extracts / "f_jobber.csv").open(encoding="latin-1", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            own.setdefault(row["w20_0450_lopenr_person"], []).append(row["orgn_ref"])
    for path in sorted(extracts.glob("ameld_statdata_201[56]_m6.dta")):
        table = pd.read_stata(path, columns=["lopenr_person", "lopenr_virksomhet"])
        for key, employer in zip(table["lopenr_person"], table["lopenr_virksomhet"], strict=True):
            own.setdefault(key, []).append(employer)

    styles: dict[str, str] = {}

    def change(row, names, chance):
        # one style a person: a named and an unnamed scheme at once is a test of its own in test_rules.py
        style = styles.setdefault(row["lopenr_person"], chance.choice(["nobody", "lnr_aareg", "lnr_ameld", "lnr_ameld"]))
        row["tiltakskode"] = chance.choice(["MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR", "ARBTREN", row["tiltakskode"]])
        row["deltakerStatus"] = chance.choice(["DELTAR", "HAR_SLUTTET", "FULLFORT", "AVBRUTT", "VENTELISTE", "FEILREGISTRERT"])
        if chance.random() < 0.1:
            row["sluttDato"] = ""
        keys = person_of.get(row["lopenr_person"], {"lnr_aareg": "", "lnr_ameld": ""})
        employers = own.get(keys.get(style, ""), [])
        row["lopenr_virksomhet"] = chance.choice(employers or ["", "111111111"])
        longer = {**row, "startDato": "2012-02-17", "sluttDato": "2017-11-15"}
        return [row, longer] if chance.random() < 0.3 else [row]

    _shake_csv(extracts / "tiltak.csv", chance, change)
