"""Writing invented people as extracts, in the registers' own layouts.

Every delivery has keys of its own, and the quirks that real deliveries have:
keys renamed between files, late messages sent again, spells never ended,
benefit records among jobs, codes for missing answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import day_in_month, month_label, month_number, parse_month
from ips_outcomes.simulation.files import Keys, draw_keys, employer_key, pick, write_csv, yyyymm, yyyymmdd
from ips_outcomes.simulation.people import People

__all__ = ["AAREG_PERIOD", "AMELD_PERIOD", "write_aareg", "write_ameld", "write_linkage", "write_population",
           "write_schemes", "write_trial"]  # fmt: skip

AAREG_PERIOD = ("2011-01", "2014-12")
AMELD_PERIOD = ("2015-01", "2018-12")

_LABELS = {
    "senter": {float(i + 1): f"Senter {letter}" for i, letter in enumerate("ABCDEF")},
    "status": {1.0: "Inkludert", 2.0: "Takket nei", 3.0: "Ikke aktuell"},
    "gruppe": {1.0: "IPS", 2.0: "Vanlig oppfølging"},
    "kjonn": {1.0: "Mann", 2.0: "Kvinne", 9.0: "Ikke besvart"},
    "diag_gr": {1.0: "Psykoselidelse", 2.0: "Bipolar lidelse", 3.0: "Depresjon", 4.0: "Angst",
                5.0: "Annet", 99.0: "Ikke registrert"},
}  # fmt: skip


def write_trial(folder: Path, truth: dict[str, Any], people: People, rng: np.random.Generator, *, one_arm: bool
                ) -> pd.DataFrame:  # fmt: skip
    """Write ``trial.sav`` with everybody who was offered a place.

    Returns the rows of those who took part, in the order of ``people``, with
    the education level (``level``) that some of them left blank.
    """
    import pyreadstat

    number = len(people)
    share = truth["people"]
    extra = round(number * (truth["trial"]["offered_per_participant"] - 1))
    level = np.where(people.groups["no_upper_secondary"], rng.integers(1, 4, number), rng.integers(4, 8, number))
    # NUS2000: first digit the level; level 3 stands for begun upper secondary
    nus = np.array(["", "101199", "201199", "301105", "401101", "501103", "631103", "731199"])[level]
    unknown = rng.random(number) < share["education_unknown"]
    nus = np.where(unknown, np.where(rng.random(number) < 0.5, "999999", ""), nus)
    severe = people.groups["severe"]
    diagnosis = np.where(severe, rng.integers(1, 3, number), rng.integers(3, 6, number)).astype(float)
    diagnosis[rng.random(number) < share["diagnosis_unknown"]] = 99.0
    sex = np.where(people.woman, 2.0, 1.0)
    sex[rng.random(number) < share["sex_unknown"]] = 9.0
    birth = np.char.replace(np.datetime_as_string(people.birth_month.astype("datetime64[M]")), "-", "").astype(float)
    order = rng.permutation(number + extra)
    names = np.array([f"P{i + 1:05d}" for i in range(number + extra)])
    participant = names[np.argsort(order)][:number] if extra else names
    participant = np.sort(participant)
    others = np.setdiff1d(names, participant)
    status = np.where(rng.random(extra) < truth["trial"]["declined_share"], 2.0, 3.0)
    trial = pd.DataFrame({
        "deltaker": [*participant, *others],
        "status": [*np.ones(number), *status],
        "senter": [*(people.centre + 1.0), *(rng.integers(1, 7, extra) + 0.0)],
        "gruppe": [*np.where(people.ips, 1.0, 2.0), *([np.nan] * extra)],
        "rand_dato": [*people.index_date.astype(object), *([None] * extra)],
        "fodt_aarmnd": [*birth, *([np.nan] * extra)],
        "kjonn": [*sex, *([np.nan] * extra)],
        "nus2000": [*nus, *([""] * extra)],
        "diag_gr": [*diagnosis, *([np.nan] * extra)],
    })  # fmt: skip
    took_part = trial.iloc[:number].assign(level=level)
    trial = trial.sort_values("deltaker")
    if one_arm:
        trial = trial.drop(columns="gruppe")
    path = folder / "trial.sav"
    labels = {name: codes for name, codes in _LABELS.items() if name in trial}
    pyreadstat.write_sav(
        trial, str(path), file_label="Invented people: no person in this file exists",
        column_labels={
            "deltaker": "Deltakers nøkkel", "status": "Hva ble det til", "senter": "Senter", "gruppe": "Trukket gruppe",
            "rand_dato": "Dato for trekning", "fodt_aarmnd": "Fødselsår og -måned", "kjonn": "Kjønn",
            "nus2000": "Høyeste utdanning (NUS2000)", "diag_gr": "Diagnosegruppe",
        } if not one_arm else None,
        variable_value_labels=labels, missing_ranges={"kjonn": [9.0], "diag_gr": [99.0]},
        variable_format={"rand_dato": "EDATE10"},
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    # the header holds the moment of writing; a fixed one keeps the bytes the same
    content[92:101], content[101:109] = b"01 Jan 20", b"00:00:00"
    path.write_bytes(bytes(content))
    return took_part


def write_linkage(folder: Path, truth: dict[str, Any], participant: np.ndarray, rng: np.random.Generator,
                  later: np.random.Generator) -> Keys:  # fmt: skip
    """Write ``linkage.csv``: the participant's key and the key in each delivery.

    ``later`` draws the keys of deliveries that joined the study later, so that
    the first ones keep theirs.
    """
    number = len(participant)
    keys = {name: draw_keys(rng, number, 9) for name in ("aareg", "ameld", "population", "schemes")}
    keys |= {name: draw_keys(later, number, 9) for name in ("benefits", "education", "income")}
    lost = pick(rng, number, max(1, round(number * truth["trial"]["not_linked_share"])))
    table = pd.DataFrame({
        "deltaker": participant, "lnr_aareg": keys["aareg"], "lnr_ameld": keys["ameld"],
        "lnr_befolkning": keys["population"], "lnr_tiltak": keys["schemes"], "lnr_trygd": keys["benefits"],
        "lnr_utdanning": keys["education"], "lnr_inntekt": keys["income"],
    })  # fmt: skip
    table.loc[lost, table.columns[1:]] = ""
    # deliveries hold nothing on people who were never matched
    for name in keys:
        keys[name] = np.where(np.isin(np.arange(number), lost), "", keys[name])
    # linkage lists come in an order of their own
    table = table.iloc[rng.permutation(number)]
    write_csv(table, folder / "linkage.csv", "utf-8")
    return keys


def write_population(folder: Path, people: People, keys: Keys, rng: np.random.Generator) -> None:
    """Write deaths and birth months, and residence spells."""
    key, base = keys["population"], people.index_month
    end = parse_month(AMELD_PERIOD[1])
    dead = base + people.death_month <= end
    death = day_in_month(np.where(dead, base + people.death_month, 0), 1) + (people.death_day - 1)
    fixed = pd.DataFrame({
        "w19_0634_lnr": key,
        "foedsels_aar_mnd": yyyymm(people.birth_month),
        "kjoenn": np.where(people.woman, "2", "1"),
        "doeds_dato": np.where(dead, yyyymmdd(death), ""),
    })  # fmt: skip
    write_csv(fixed[key != ""].sort_values("w19_0634_lnr"), folder / "faste_opplysninger.csv", "latin-1")
    left = (base + people.abroad_from <= end) & (people.abroad_from < people.death_month)
    back = left & (base + people.abroad_to <= end) & (people.abroad_to < people.death_month)
    born = day_in_month(people.birth_month, 15)
    last_day = day_in_month(np.where(left, base + people.abroad_from, 0), 1) - np.timedelta64(1, "D")
    first = pd.DataFrame({
        "w19_0634_lnr": key, "REGSTAT": "1", "TILGDATO": yyyymmdd(born),
        "AVGDATO": np.where(left, yyyymmdd(last_day), np.where(dead, yyyymmdd(death), "")),
    })  # fmt: skip
    again = pd.DataFrame({
        "w19_0634_lnr": key, "REGSTAT": "1",
        "TILGDATO": yyyymmdd(day_in_month(np.where(back, base + people.abroad_to, 0), 1)),
        "AVGDATO": np.where(dead, yyyymmdd(death), ""),
    })[back]  # fmt: skip
    spells = pd.concat([first, again])
    # the technical end is always filled; the real end is what counts
    spells["TOMDATO"] = np.where(spells["AVGDATO"] == "", "20181231", spells["AVGDATO"])
    spells = spells[spells["w19_0634_lnr"] != ""].sort_values(["w19_0634_lnr", "TILGDATO"])
    write_csv(spells, folder / "f_demo.csv", "latin-1")


def write_aareg(folder: Path, truth: dict[str, Any], people: People, jobs: pd.DataFrame, keys: Keys,
                rng: np.random.Generator) -> None:  # fmt: skip
    """Write ``f_jobber.csv``: Aa-register spells to December 2014, months only."""
    quirks = truth["quirks"]
    first, last = (parse_month(text) for text in AAREG_PERIOD)
    # small and short jobs were not reportable in the old register
    long_enough = (jobs["end"] - jobs["start"]).dt.days >= 14
    reported = jobs[long_enough].copy()
    start, end = month_number(reported["start"]), month_number(reported["end"])
    inside = (start <= last) & (end >= first)
    reported, start, end = reported[inside], start[inside], end[inside]
    open_end = (end > last) | reported["open"].to_numpy()
    key = keys["aareg"][reported["person"]]
    table = pd.DataFrame({
        "w20_0450_lopenr_person": key,
        "tilgdato_mnd": yyyymm(start),
        "tomdato_mnd": np.where(open_end, "", yyyymm(end)),
        "regtom_mnd": yyyymm(np.minimum(end + 1, last)),
        "orgn_ref": employer_key(reported["employer"], "8"),
    })  # fmt: skip
    table = table[key != ""].reset_index(drop=True)
    closed = np.flatnonzero(table["tomdato_mnd"] != "")
    never_ended = closed[pick(rng, len(closed), quirks["unended_spells"])]
    table.loc[never_ended, "tomdato_mnd"] = ""
    strange = table.iloc[pick(rng, len(table), quirks["reversed_spells"] + quirks["impossible_dates"])].copy()
    cut = quirks["reversed_spells"]
    strange.iloc[:cut, 2] = "201101"
    strange.iloc[:cut, 1] = "201206"
    strange.iloc[cut:, 1] = "201313"
    unknown = pd.DataFrame({
        "w20_0450_lopenr_person": draw_keys(rng, quirks["unknown_people"], 10), "tilgdato_mnd": "201303",
        "tomdato_mnd": "201309", "regtom_mnd": "201310", "orgn_ref": "800000001",
    })  # fmt: skip
    table = pd.concat([table, strange, unknown]).sort_values(["w20_0450_lopenr_person", "tilgdato_mnd", "tomdato_mnd"])
    write_csv(table, folder / "f_jobber.csv", "utf-8")


def write_ameld(folder: Path, truth: dict[str, Any], people: People, jobs: pd.DataFrame, keys: Keys,
                rng: np.random.Generator) -> pd.DataFrame:  # fmt: skip
    """Write ``ameld_statdata_YYYY_mM.dta``: one Stata file a month from January 2015.

    Returns the pay in it, late messages counted once: person, month, pay.
    """
    first, last = (parse_month(text) for text in AMELD_PERIOD)
    start = month_number(jobs["start"])
    end = np.where(jobs["open"], last, month_number(jobs["end"]))
    begin, stop = np.maximum(start, first), np.minimum(end, last)
    length = np.maximum(stop - begin + 1, 0)
    row = np.repeat(np.arange(len(jobs)), length)
    month = begin[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
    records = jobs.iloc[row].reset_index(drop=True)
    records["month"] = month
    records["arb_type"] = "ordinaertArbeidsforhold"
    records["arb_syss"] = np.where(rng.random(len(records)) < 0.02, "1b", "1a")
    records = pd.concat([records, _not_work(people, records, rng, first, last)], ignore_index=True)
    records = records[keys["ameld"][records["person"]] != ""]
    # two rows alike in everything are one message to whoever reads the file
    paid = records.drop_duplicates([name for name in records if name not in ("first", "last", "subsidised")])
    paid = paid[["person", "month", "pay"]]
    again = records.iloc[pick(rng, len(records), round(len(records) * truth["quirks"]["repeated_rows"]))]
    records = pd.concat([records, again]).sort_values(["month", "person", "employer"], kind="stable")
    for number in range(first, last + 1):
        _write_ameld_month(folder, number, records[records["month"] == number], people, keys)
    return paid


def _not_work(people: People, records: pd.DataFrame, rng: np.random.Generator, first: int, last: int) -> pd.DataFrame:
    """Rows that share the file but are not work: benefits, late pay, unpaid absence, a freelancer without pay."""
    number = len(people)
    kinds = [("pensjonOgAndreTyperYtelserUtenAnsettelsesforhold", "2a", 0.30, 12), ("ordinaertArbeidsforhold", "4a", 0.04, 4),
             ("frilanserOppdragstakerHonorarPersonerMm", "4b", 0.03, 6)]  # fmt: skip
    parts = []
    for kind, basis, share, longest in kinds:
        person = np.flatnonzero(rng.random(number) < share)
        begin = first + rng.integers(0, last - first - longest, len(person))
        length = rng.integers(1, longest + 1, len(person))
        row = np.repeat(np.arange(len(person)), length)
        month = begin[row] + np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        parts.append(_bare_records(person[row], month, kind, basis))
    # pay that arrives the month after a job ended
    ended = records[~records["open"]].drop_duplicates(["person", "employer"], keep="last")
    late = ended[(rng.random(len(ended)) < 0.25) & (ended["month"] < last)]
    parts.append(_bare_records(late["person"].to_numpy(), late["month"].to_numpy() + 1, "ordinaertArbeidsforhold", "3b"))
    extra = pd.concat(parts, ignore_index=True)
    gone = extra["month"].to_numpy() - people.index_month[extra["person"]]
    return extra[(gone < people.death_month[extra["person"]]) & (gone < people.abroad_from[extra["person"]])]


def _bare_records(person: np.ndarray, month: np.ndarray, kind: str, basis: str) -> pd.DataFrame:
    start = day_in_month(month - 3, 1)
    return pd.DataFrame({
        "person": person, "month": month, "arb_type": kind, "arb_syss": basis, "start": start,
        "end": start, "open": True, "employer": 4001, "percent": 0.0,
        "pay": 3_500.0 if basis == "3b" else 0.0, "second": False, "subsidised": False, "first": 0, "last": 0,
    })  # fmt: skip


def _write_ameld_month(folder: Path, number: int, rows: pd.DataFrame, people: People, keys: Keys) -> None:
    label = month_label(number)
    year, month = int(label[:4]), int(label[5:])
    # the key is renamed inside the family of files, as in the real delivery
    key_name = "w19_0345_lopenr_person" if year >= 2017 else "lopenr_person"
    still_open = rows["open"].to_numpy() | (month_number(rows["end"]) > number)
    hours = np.round(37.5 * rows["percent"].to_numpy() / 100, 2)
    works = rows["arb_syss"].isin(["1a", "1b"]).to_numpy()
    woman = people.woman[rows["person"]]
    table = pd.DataFrame({
        key_name: keys["ameld"][rows["person"]],
        "lopenr_virksomhet": employer_key(rows["employer"], "9"),
        "lopenr_foretak": employer_key(rows["employer"] // 3, "7"),
        "arb_type": rows["arb_type"].to_numpy(),
        "arb_start": rows["start"].astype("datetime64[ns]").to_numpy(),
        "arb_slutt": rows["end"].astype("datetime64[ns]").where(~still_open).to_numpy(),
        "arb_stillingspst": np.where(rows["percent"] > 0, rows["percent"], np.nan),
        "arb_arbeidstid": np.where(rows["percent"] > 0, hours, np.nan),
        "arb_timeant_fulltid": np.where(rows["percent"] > 0, 37.5, np.nan),
        "arb_tid_ordning": np.where(works, "ikkeSkift", ""),
        "arb_syss": rows["arb_syss"].to_numpy(),
        "arb_kilde": np.where(rows["arb_syss"] == "1b", "fiktivt", "a-melding t og sfu"),
        "arb_hovedarbeid": np.where(rows["second"], "0", "1"),
        "lonn_kontant": rows["pay"].to_numpy(),
        "lonn_fast": rows["pay"].to_numpy(),
        # the type of this column drifts between years
        "pers_kjoenn": np.where(woman, "2", "1") if year < 2016 else np.where(woman, 2.0, 1.0),
        "edag_periode": f"{label}-01",
    })  # fmt: skip
    table.to_stata(
        folder / f"ameld_statdata_{year}_m{month}.dta", write_index=False, version=118,
        time_stamp=pd.Timestamp("2020-01-01").to_pydatetime(), data_label="Invented people",
        convert_dates={"arb_start": "td", "arb_slutt": "td"},
    )  # fmt: skip


def write_schemes(folder: Path, schemes: pd.DataFrame, keys: Keys, extraction: str) -> None:
    """Write ``tiltak.csv``: participations in NAV schemes."""
    key = keys["schemes"][schemes["person"]]
    # the employer is named in a-ordningen's keys, and so only where the job stands there
    named = (schemes["employer"] >= 0) & (schemes["start"] >= np.datetime64(f"{AMELD_PERIOD[0]}-01"))
    ongoing = schemes["end"] > np.datetime64(extraction)
    table = pd.DataFrame({
        "lopenr_person": key,
        "tiltakskode": schemes["scheme"],
        "deltakerStatus": np.where(ongoing & (schemes["status"] == "FULLFORT"), "DELTAR", schemes["status"]),
        "startDato": np.datetime_as_string(schemes["start"].to_numpy().astype("datetime64[D]")),
        "sluttDato": np.where(ongoing, "", np.datetime_as_string(schemes["end"].to_numpy().astype("datetime64[D]"))),
        "lopenr_virksomhet": np.where(named, employer_key(schemes["employer"].clip(lower=0), "9"), ""),
    })  # fmt: skip
    started = schemes["start"] <= np.datetime64(extraction)
    table = table[(key != "") & started].sort_values(["lopenr_person", "startDato", "tiltakskode"])
    write_csv(table, folder / "tiltak.csv", "utf-8")
