"""A small study folder, written by hand: invented people whose every month is known beforehand.

Everybody starts on 10 March 2013 unless a row says otherwise, and is a resident since birth. Jobs are spells with dates
(source ``jobs``, 2011 to the end of 2014) and, from January to June 2015, a-ordningen records (source ``monthly``). Every
delivery carries the participant key unless a linkage list is given.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import ips_outcomes as ips

ORDINARY = "ordinaertArbeidsforhold"
FREELANCE = "frilanserOppdragstakerHonorarPersonerMm"
NOTHING: dict = {}

_STUDY = """
title = "Hand-made people"
synthetic = true
primary_definition = "ordinary"
{arms}
[follow_up]
months = {months}
history = 12
landmarks = [1]
{follow_up}

[sources.trial]
layout = "trial"
files = "trial.csv"
delimiter = ";"

[sources.trial.columns]
person_key = "person"
index_date = "index"
birth_month = "birth"
education = "education"
{trial_arm}
[sources.jobs]
layout = "job_spells"
files = "jobs.csv"
delimiter = ";"
period = ["2011-01", "{jobs_until}"]
{sources}
[sources.population]
layout = "faste_opplysninger"
files = "population.csv"
delimiter = ";"

[sources.residence]
layout = "f_demo"
files = "residence.csv"
delimiter = ";"
period = ["2011-01", "2018-12"]

[sources.schemes]
layout = "nav_schemes"
files = "schemes.csv"
delimiter = ";"
period = ["2011-01", "2018-12"]
{keys}
[employed.ordinary]
label = "Ordinary work"
{ordinary}
{employed}
[disclosure]
profile = "none"
"""


def _write(path: Path, names: list[str], rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=";", restval="")
        writer.writeheader()
        writer.writerows(rows)


def job(person: str, start: str, end: str = "", employer: str = "E1", hours: str = "") -> dict:
    return {"person_key": person, "start": start, "end": end, "employer": employer, "weekly_hours": hours}


def record(
    person: str, month: str, *, start: str = "2010-01-01", end: str = "", employer: str = "M1", kind: str = ORDINARY,
    basis: str = "1a", hours: float = 37.5, pay: float = 30_000.0,
) -> dict:  # fmt: skip
    return {"person": person, "month": month, "start": start, "end": end, "employer": employer, "kind": kind,
            "basis": basis, "hours": hours, "pay": pay}  # fmt: skip


def scheme(
    person: str, code: str, start: str, end: str = "", employer: str = "", status: str = "FULLFORT"
) -> dict:  # fmt: skip
    return {"lopenr_person": person, "tiltakskode": code, "deltakerStatus": status, "startDato": start, "sluttDato": end,
            "lopenr_virksomhet": employer}  # fmt: skip


@dataclass(frozen=True)
class Followed:
    """What the package makes of a small study, one person at a time."""

    cohort: ips.Cohort
    data: ips.FollowUp

    def months(self, person: str, definition: str = "ordinary") -> dict[int, bool | None]:
        table = self.data.person_months
        own = table[table["person_id"] == person]
        answers = [None if pd.isna(value) else bool(value) for value in own[definition]]
        return dict(zip(own["month"], answers, strict=True))

    def yes(self, person: str, definition: str = "ordinary") -> list[int]:
        return [month for month, value in self.months(person, definition).items() if value]

    def unknown(self, person: str, definition: str = "ordinary") -> list[int]:
        return [month for month, value in self.months(person, definition).items() if value is None]

    def reason(self, person: str, month: int) -> str:
        table = self.data.person_months
        return table[(table["person_id"] == person) & (table["month"] == month)]["reason"].item()

    def first_job(self, person: str) -> tuple[int, int, str] | str:
        """Time, event and what ended it; or why the person is not at risk."""
        row = self.data.first_job.set_index("person_id").loc[person]
        return (int(row["time"]), int(row["event"]), row["ended_by"]) if row["at_risk"] else row["not_at_risk_because"]

    def count(self, source: str, rule: str) -> int:
        table = self.data.quality
        return int(table[(table["source"] == source) & table["rule"].str.startswith(rule)]["count"].sum())


def write_small_study(
    folder: Path, *, people: list[dict] | tuple[str, ...] = ("P1",), jobs: list[dict] = (), records: list[dict] | None = None,
    record_months: tuple[str, str] = ("2015-01", "2015-06"), missing_files: tuple[str, ...] = (), deaths: dict = NOTHING,
    moves: dict = NOTHING, schemes: list[dict] = (), lists: dict = NOTHING, arms: bool = False, months: int = 21,
    jobs_until: str = "2014-12", follow_up: str = "", ordinary: str = "", employed: str = "",
) -> Path:  # fmt: skip
    """Write the study and give the path of its file.

    ``lists`` names, for a source, the participants on its linkage list; ``moves`` gives a person's spells as a resident;
    ``records`` None leaves the monthly source out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = [{"person": row} if isinstance(row, str) else row for row in people]
    people = [{"index": "2013-03-10", "birth": "198001", "education": "401101", "arm": "ips", **row} for row in people]
    keys = sorted({row["person"] for row in people})
    _write(folder / "trial.csv", ["person", "index", "birth", "education", "arm"], people)
    _write(folder / "jobs.csv", ["person_key", "start", "end", "employer", "weekly_hours"], list(jobs))
    population = [{"lnr": key, "foedsels_aar_mnd": "", "doeds_dato": deaths.get(key, "")} for key in keys]
    _write(folder / "population.csv", ["lnr", "foedsels_aar_mnd", "doeds_dato"], population)
    spells = [(key, *spell) for key in keys for spell in moves.get(key, [("19800101", "")])]
    _write(folder / "residence.csv", ["lnr", "TILGDATO", "AVGDATO"],
           [{"lnr": key, "TILGDATO": first, "AVGDATO": last} for key, first, last in spells])  # fmt: skip
    names = ["lopenr_person", "tiltakskode", "deltakerStatus", "startDato", "sluttDato", "lopenr_virksomhet"]
    _write(folder / "schemes.csv", names, list(schemes))
    sources = ["jobs", "population", "residence", "schemes"]
    monthly = ""
    if records is not None:
        sources.append("monthly")
        monthly = (
            '\n[sources.monthly]\nlayout = "ameld_statdata"\nfiles = "ameld_statdata_*_m*.dta"\n'
            f'period = ["{record_months[0]}", "{record_months[1]}"]\n'
        )
        _write_monthly_files(folder, records, record_months, missing_files)
    for source, listed in lists.items():
        _write(folder / f"list_{source}.csv", ["person", "key"], [{"person": key, "key": key} for key in listed])
    tables = [
        f'[keys.{source}]\nfile = "list_{source}.csv"\nparticipant = "person"\ndelivery = "key"\n'
        if source in lists
        else f"[keys.{source}]\ncarries_participant_key = true\n"
        for source in sources
    ]
    text = _STUDY.format(
        months=months, follow_up=follow_up, jobs_until=jobs_until, sources=monthly, keys="\n" + "\n".join(tables),
        ordinary=ordinary, employed=employed,
        arms='\n[arms]\nreference = "control"\nlabels = { ips = "IPS", control = "Usual care" }\n' if arms else "",
        trial_arm='arm = "arm"\n\n[sources.trial.values]\narm = { ips = "ips", control = "control" }\n' if arms else "",
    )  # fmt: skip
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


def _write_monthly_files(folder: Path, records: list[dict], period: tuple[str, str], missing: tuple[str, ...]) -> None:
    for month in pd.period_range(*period, freq="M"):
        if str(month) in missing:
            continue
        own = [row for row in records if row["month"] == str(month)]
        # a file without rows would have no column types: a stranger works in every month
        own = [*own, record("stranger", str(month), employer="M0")]
        table = pd.DataFrame({
            "lopenr_person": [row["person"] for row in own],
            "lopenr_virksomhet": [row["employer"] for row in own],
            "arb_type": [row["kind"] for row in own],
            "arb_start": pd.to_datetime([row["start"] for row in own]),
            "arb_slutt": pd.to_datetime([row["end"] or None for row in own]),
            "arb_arbeidstid": [row["hours"] for row in own],
            "arb_syss": [row["basis"] for row in own],
            "lonn_kontant": [row["pay"] for row in own],
        })  # fmt: skip
        path = folder / f"ameld_statdata_{month.year}_m{month.month}.dta"
        table.to_stata(path, write_index=False, convert_dates={"arb_start": "td", "arb_slutt": "td"}, version=118)


def follow(folder: Path, **study) -> Followed:
    """Write a small study and follow it up."""
    cohort = ips.load_cohort(ips.load_study(write_small_study(folder, **study)))
    return Followed(cohort, ips.follow_up(cohort))
