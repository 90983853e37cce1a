"""A small invented world in plain rows, and the harmonised tables that the loaders would make of it: no files."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

import ips_outcomes as ips
from ips_outcomes.loaders.schemas import SCHEMAS
from ips_outcomes.study import Study

LAYOUTS = Path(__file__).parent / "layouts"
TYPES = {"Int64", "int64", "float64", "bool"}


@dataclass(frozen=True)
class Feed:
    """One delivery: its layout, the months (years and months) that it speaks for, and who stands on its list."""

    layout: str
    first: tuple[int, int]
    last: tuple[int, int]
    missing: frozenset[tuple[int, int]] = frozenset()
    listed: frozenset[str] | None = None

    def months(self) -> list[tuple[int, int]]:
        every = [(year, month) for year in range(self.first[0], self.last[0] + 1) for month in range(1, 13)]
        return [m for m in every if self.first <= m <= self.last and m not in self.missing]


@dataclass
class World:
    """Who there is and what happened to them; rows are dictionaries with the columns of the harmonised tables."""

    people: dict[str, date]
    feeds: dict[str, Feed]
    jobs: list[dict[str, Any]] = field(default_factory=list)
    pay: list[dict[str, Any]] = field(default_factory=list)
    schemes: list[dict[str, Any]] = field(default_factory=list)
    benefits: list[dict[str, Any]] = field(default_factory=list)
    courses: list[dict[str, Any]] = field(default_factory=list)
    moves: dict[str, list[tuple[date, date | None]]] = field(default_factory=dict)
    deaths: dict[str, date] = field(default_factory=dict)
    months: int = 14
    history: int = 2
    already_working: str = "exclude"

    def employer_keys(self) -> dict[str, set[str]]:
        """Every employer key that a source of jobs uses."""
        found: dict[str, set[str]] = {name: set() for name in self.feeds}
        for row in self.jobs:
            found[row["source"]] |= {row["employer"]} - {None}
        return found

    def residence(self, person: str) -> list[tuple[date, date | None]]:
        return self.moves.get(person, [(date(1980, 1, 1), None)])


def number(month: tuple[int, int]) -> int:
    """A year and month as the package counts months."""
    return (month[0] - 1970) * 12 + month[1] - 1


def study_of(world: World, employed: dict[str, dict[str, Any]], primary: str = "") -> Study:
    feeds = {**world.feeds, "moves": Feed("f_demo", (1990, 1), (2030, 12))}
    text = {
        name: f"{feed.first[0]}-{feed.first[1]:02d}|{feed.last[0]}-{feed.last[1]:02d}".split("|") for name, feed in feeds.items()
    }
    return Study.model_validate({
        "title": "Invented world", "synthetic": True, "primary_definition": primary or next(iter(employed)),
        "follow_up": {"months": world.months, "history": world.history, "landmarks": [world.months],
                      "already_working": world.already_working},
        "sources": {"trial": {"layout": "trial", "files": "-"}} | {
            name: {"layout": feed.layout, "files": "-", "period": text[name]} for name, feed in feeds.items()
        },
        "employed": {name: {"label": name, **settings} for name, settings in employed.items()},
        "disclosure": {"profile": "none"},
        "folder": LAYOUTS,
    })  # fmt: skip


def frame(table: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the harmonised table of that name, missing columns empty."""
    made = {}
    for name, column in SCHEMAS[table].columns.items():
        values = [row.get(name) for row in rows]
        kind = str(column.dtype)
        dtype = "datetime64[s]" if kind.startswith("datetime64") else kind if kind in TYPES else "object"
        made[name] = pd.Series(values, dtype=dtype)
    return SCHEMAS[table].validate(pd.DataFrame(made))


def cohort_of(world: World, employed: dict[str, dict[str, Any]], primary: str = "") -> ips.Cohort:
    """The cohort that the loaders would hand over."""
    study = study_of(world, employed, primary)
    participants = [
        {"person_id": p, "arm": "all", "index_date": day, "index_month": number((day.year, day.month))}
        for p, day in world.people.items()
    ]
    listed = {name: sorted(world.people if feed.listed is None else feed.listed) for name, feed in world.feeds.items()}
    residence = [
        {"person_id": p, "resident_from": first, "resident_to": last, "death_date": world.deaths.get(p)}
        for p in world.people for first, last in world.residence(p)
    ]  # fmt: skip
    coverage = [
        {"source": name, "table": study.layouts[name].table, "source_system": study.layouts[name].source_system or name,
         "month": number(month), "delivered": month not in feed.missing}
        for name, feed in world.feeds.items() for month in Feed(feed.layout, feed.first, feed.last).months()
    ]  # fmt: skip
    tables = {
        "participants": participants,
        "keys": [{"source": name, "person_id": p, "delivery_key": p} for name, people in listed.items() for p in people],
        "employment": [
            {**row, "source_system": study.layouts[row["source"]].source_system or row["source"],
             "month": None if row["month"] is None else number(row["month"])}
            for row in world.jobs
        ],
        "pay": [{**row, "month": number(row["month"])} for row in world.pay],
        "programmes": world.schemes, "benefits": world.benefits,
        "education": [{"record": "course", **course} for course in world.courses], "residence": residence, "coverage": coverage,
    }  # fmt: skip
    ready: dict[str, Any] = {name: frame(name, tables.get(name, [])) for name in SCHEMAS}
    ready |= {"study": study, "flow": pd.DataFrame(), "quality": pd.DataFrame(), "reconciliation": pd.DataFrame(),
              "employer_keys": {name: frozenset(keys) for name, keys in world.employer_keys().items()}}  # fmt: skip
    return ips.Cohort(**{part.name: ready.get(part.name, pd.DataFrame()) for part in fields(ips.Cohort)})
