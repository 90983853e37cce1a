"""Writing what a service records about its work as a REDCap export, and what its centres are rated by.

One file holds everything: a row of the baseline event for each participant,
one of the visit at 12 months for those who came (an event without data is not
exported), and a row for each contact, employer contact and job plan of people
who get IPS, which are repeating forms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import calendar_month, day_in_month
from ips_outcomes.simulation.files import pick, write_csv
from ips_outcomes.simulation.people import FIRST_MONTH, People

__all__ = ["draw_services", "write_centre_measures", "write_redcap"]

_FORMS = {"contact": "contact_date", "employer_contact": "employer_date", "job_plan": "plan_date"}
_COLUMNS = [
    "record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group",
    "rand_date", "arm", "birth_ym", "sex", "nus2000", "diagnosis", "treatment___1", "treatment___2", "treatment___3",
    "treatment___99", "baseline_complete", "visit_date", "satisfaction", "visit_complete", "contact_date", "contact_type",
    "contact_minutes", "contact_complete", "employer_date", "employer_way", "employer_contact_complete", "plan_date",
    "plan_revised", "job_plan_complete",
]  # fmt: skip


def draw_services(truth: dict[str, Any], people: People, schemes: pd.DataFrame, works: np.ndarray, rng: np.random.Generator
                  ) -> pd.DataFrame:  # fmt: skip
    """Contacts, employer contacts and plans of the IPS arm: person, form, month, date, and what is written of them."""
    share, number = truth["services"], len(people)
    support = schemes[(schemes["scheme"] == "INDJOBSTOT") & people.ips[schemes["person"].to_numpy(dtype=np.int64)]]
    months = int(support["last"].max()) + 1 if len(support) else 1
    of_support = np.full((number, months), -1)
    for row in support.itertuples(index=False):
        of_support[row.person, row.first : row.last + 1] = np.arange(row.last - row.first + 1)
    held = works[:, -FIRST_MONTH : -FIRST_MONTH + months]
    rate = np.where(of_support < 6, share["contacts_a_month_first"], share["contacts_a_month_later"])
    plans = (rng.random(number) < share["plan_share"])[:, None] & (of_support % 6 == rng.integers(0, 2, number)[:, None])
    counts = {
        "contact": rng.poisson(np.where(of_support >= 0, rate, 0.0)),
        "employer_contact": rng.poisson(np.where((of_support >= 0) & ~held, share["employer_contacts_a_month"], 0.0)),
        "job_plan": (plans & (of_support >= 0)).astype(np.int64),
    }
    parts = []
    for form, table in counts.items():
        person, month = np.nonzero(table)
        times = table[person, month]
        parts.append(pd.DataFrame({"form": form, "person": np.repeat(person, times), "month": np.repeat(month, times)}))
    every = pd.concat(parts, ignore_index=True)
    days = rng.integers(1, 29, len(every)) - 1
    every["date"] = day_in_month(people.index_month[every["person"]] + every["month"].to_numpy(), 1) + days
    # one record of a kind a day: the same day twice is a mistake, and those come later
    every = every.drop_duplicates(["person", "form", "date"]).sort_values(["person", "form", "date"], ignore_index=True)
    every["type"] = rng.choice(["1", "2", "3"], len(every), p=[0.6, 0.3, 0.1])
    every["minutes"] = (rng.integers(1, 7, len(every)) * 15).astype(str)
    return every


def write_redcap(folder: Path, truth: dict[str, Any], people: People, took_part: pd.DataFrame, services: pd.DataFrame,
                 rng: np.random.Generator, *, one_arm: bool) -> None:  # fmt: skip
    """Write ``redcap.csv``, raw codes, as the project would be exported."""
    share, quirks, number = truth["services"], truth["quirks"], len(people)
    record = took_part["deltaker"].to_numpy()
    group = np.char.add("senter_", np.array(list("abcdef"))[people.centre])
    boxes = rng.random((number, 3)) < np.array([0.55, 0.35, 0.20])
    baseline = pd.DataFrame({
        "record_id": record, "redcap_event_name": "baseline_arm_1", "redcap_data_access_group": group,
        "rand_date": _iso(people.index_date), "arm": _whole(took_part["gruppe"]), "birth_ym": _whole(took_part["fodt_aarmnd"]),
        "sex": _whole(took_part["kjonn"]), "nus2000": took_part["nus2000"].to_numpy(), "diagnosis": _whole(took_part["diag_gr"]),
        **{f"treatment___{box + 1}": boxes[:, box].astype(int).astype(str) for box in range(3)},
        "treatment___99": (~boxes.any(1)).astype(int).astype(str),
        "baseline_complete": rng.choice(["2", "1", "0"], number, p=[0.95, 0.03, 0.02]),
    })  # fmt: skip
    came = (rng.random(number) < share["visit_12_share"]) & (np.minimum(people.death_month, people.abroad_from) > 12)
    visit = pd.DataFrame({
        "record_id": record, "redcap_event_name": "month_12_arm_1", "redcap_data_access_group": group,
        "visit_date": _iso(day_in_month(people.index_month + 12, 1) + rng.integers(0, 28, number)),
        "satisfaction": rng.integers(1, 8, number).astype(str), "visit_complete": "2",
    })[came]  # fmt: skip
    repeats = _with_mistakes(quirks, people, services, rng)
    repeats["instance"] = repeats.groupby(["person", "form"]).cumcount() + 1
    who, form = repeats["person"].to_numpy(), repeats["form"]
    rows = pd.DataFrame({
        "record_id": record[who], "redcap_event_name": "service_arm_1", "redcap_repeat_instrument": form,
        "redcap_repeat_instance": repeats["instance"].astype(str), "redcap_data_access_group": group[who],
    })  # fmt: skip
    for name, column in _FORMS.items():
        rows[column] = np.where(form == name, repeats["written"], "")
        rows[f"{name}_complete"] = np.where(form == name, "2", "")
    rows["contact_type"] = np.where(form == "contact", repeats["type"], "")
    rows["contact_minutes"] = np.where(form == "contact", repeats["minutes"], "")
    rows["employer_way"] = np.where(form == "employer_contact", repeats["type"], "")
    rows["plan_revised"] = np.where(form == "job_plan", (repeats["instance"] > 1).astype(int).astype(str), "")
    tests = baseline.iloc[: quirks["test_records"]].copy()
    tests["record_id"] = [f"TEST{i + 1}" for i in range(len(tests))]
    every = pd.concat([baseline, visit, rows, tests]).reindex(columns=_COLUMNS).fillna("")
    order = every["redcap_event_name"].map({"baseline_arm_1": 0, "service_arm_1": 1, "month_12_arm_1": 2})
    every = every.assign(order=order).sort_values(["record_id", "order"], kind="stable").drop(columns="order")
    if one_arm:
        every = every.drop(columns="arm")
    write_csv(every, folder / "redcap.csv", "utf-8", delimiter=",")


def write_centre_measures(folder: Path, truth: dict[str, Any], rng: np.random.Generator) -> None:
    """Write ``centre_measures.csv``: fidelity and caseload of each centre, rated once a year."""
    rated, centres = truth["centres"], len(truth["trial"]["centre_shares"])
    years = np.arange(rated["first_year"], rated["last_year"] + 1)
    level = rng.normal(rated["fidelity"], rated["fidelity_between"], centres)
    later = rated["fidelity_a_year"] * np.arange(len(years))
    fidelity = level[:, None] + later + rng.normal(0, rated["fidelity_within"], (centres, len(years)))
    caseload = rng.normal(rated["caseload"], rated["caseload_between"], centres)[:, None] + rng.normal(
        0, rated["caseload_within"], (centres, len(years))
    )
    november = day_in_month(calendar_month(years, np.full(len(years), 11)), 1)
    days = _iso(november[None, :] + rng.integers(0, 30, (centres, len(years))))
    parts = [
        pd.DataFrame({"senter": np.repeat(np.arange(1, centres + 1), len(years)), "dato": days.ravel(), "maal": name,
                      "verdi": values.ravel()})
        for name, values in {"fidelity": np.rint(np.clip(fidelity, 25, 125)), "caseload": np.rint(np.maximum(caseload, 1))}.items()
    ]  # fmt: skip
    table = pd.concat(parts).astype({"verdi": int}).sort_values(["senter", "dato", "maal"], kind="stable")
    write_csv(table, folder / "centre_measures.csv", "utf-8")


def _with_mistakes(quirks: dict[str, Any], people: People, services: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The records as somebody typed them: wrong years, another century, the same contact twice."""
    contacts = np.flatnonzero(services["form"] == "contact")
    twice = services.iloc[contacts[pick(rng, len(contacts), quirks["contacts_entered_twice"])]]
    typed = pd.concat([services, twice]).sort_values(["person", "form", "date"], kind="stable", ignore_index=True)
    written = _iso(typed["date"].to_numpy()).astype(object)
    chosen = pick(rng, len(contacts), quirks["contacts_before_inclusion"] + quirks["contacts_in_another_century"])
    for at, place in enumerate(np.flatnonzero(typed["form"] == "contact")[chosen]):
        year = int(written[place][:4])
        wrong = year - 2 if at < quirks["contacts_before_inclusion"] else year + 100
        written[place] = f"{wrong}{written[place][4:]}"
    return typed.assign(written=written)


def _iso(days: np.ndarray) -> np.ndarray:
    return np.datetime_as_string(np.asarray(days).astype("datetime64[D]"))


def _whole(values: pd.Series) -> np.ndarray:
    return values.astype("Int64").astype(str).replace("<NA>", "").to_numpy()
