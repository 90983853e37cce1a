"""Studies in any shape: sources, keys and definitions as plain dictionaries, files as the test writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
from small_study import Followed

import ips_outcomes as ips

#: Keys of ten digits without a leading zero, as Statistics Norway's are text of ten.
P = [f"71{n:08d}" for n in (10403021, 20906113, 31207255, 40108347, 50309479, 60500531)]


def toml(value: Any) -> str:
    """One value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(k))} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def write_study(
    folder: Path, sources: dict[str, dict], *, keys: dict[str, dict] | None = None, months: int = 12, index: str = "2015-03-10",
    people: list[str] | None = None, trial: dict | None = None, follow_up: dict | None = None, ordinary: dict | None = None,
    definitions: dict[str, dict] | None = None, engine: dict | None = None, top: dict | None = None,
) -> Path:  # fmt: skip
    """A study file, and a trial file of six people unless ``trial`` describes another."""
    folder.mkdir(parents=True, exist_ok=True)
    if trial is None:
        own = P if people is None else people
        text(folder / "trial.csv", pd.DataFrame({"pas": own, "dato": index}))
        trial = {"layout": "trial", "files": "trial.csv", "columns": {"person_key": "pas", "index_date": "dato"}}
    sources = {"trial": trial, **sources}
    plain = {"label": "Work", "wage_subsidy": "strict" if "schemes" in sources else "keep", **(ordinary or {})}
    plan = {"months": months, "history": 0, "landmarks": [1], **(follow_up or {})}
    if "residence" not in sources:
        plan["residence"] = "assumed"
    lines = [f"{k} = {toml(v)}" for k, v in {"title": "Unseen", "synthetic": True, "primary_definition": "ordinary",
                                             **(top or {})}.items()]  # fmt: skip
    parts = {"follow_up": plan, "disclosure": {"profile": "none"}, "employed.ordinary": plain}
    parts |= {f"employed.{name}": {"label": name, **what} for name, what in (definitions or {}).items()}
    parts |= {f"sources.{name}": what for name, what in sources.items()}
    given = keys or {}
    parts |= {f"keys.{n}": given.get(n, {"carries_participant_key": True}) for n in sources if n != "trial"}
    if engine:
        parts["engine"] = engine
    for name, what in parts.items():
        lines += [f"\n[{name}]", *(f"{json.dumps(k)} = {toml(v)}" for k, v in what.items())]
    path = folder / "study.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def text(path: Path, table: pd.DataFrame, sep: str = ";", encoding: str = "utf-8", **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep=sep, index=False, encoding=encoding, **how)
    return path


def followed(study: Path) -> Followed:
    cohort = ips.load_cohort(ips.load_study(study))
    return Followed(cohort, ips.follow_up(cohort))


def refused(study: Path, *values: object) -> str:
    """What a refusal says; it must be one of the package's own and hold nobody's value."""
    try:
        followed(study)
    except (ips.DataError, ips.StudyError) as error:
        said = str(error)
        for value in (*P, *values):
            assert str(value) not in said, "a person's value is told"
        return said
    raise AssertionError("the study was not refused")


def counts(found: Followed, severity: str = "") -> dict[str, int]:
    """Counted rules that met something, by source and rule."""
    table = found.data.quality
    table = table[(table["count"] > 0) & ((table["severity"] == severity) if severity else True)]
    return {f"{s}: {r}": int(n) for s, r, n in zip(table["source"], table["rule"], table["count"], strict=True)}


NAN = float("nan")
JOBS = {"layout": "job_spells", "files": "jobs.csv", "period": ["2015-01", "2016-12"]}
AMELD = {"layout": "ameld_statdata", "files": "ameld_statdata_*_m*.dta", "period": ["2015-04", "2016-03"]}


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


def linkage(folder, keys, **more):
    text(folder / "koblingsnokkel.csv", pd.DataFrame({"deltaker": P[: len(keys)], "lnr": keys, **more}))
    return {"jobs": {"file": "koblingsnokkel.csv", "participant": "deltaker", "delivery": "lnr"}}


def trial_people(**columns):
    base = {"pas": P, "dato": ["2015-03-10"] * 6, "arm": [1, 2, 1, 2, 1, 2], "kjonn": [1, 2, 1, 2, 1, 2], "utd": ["401101"] * 6}
    return pd.DataFrame({**base, **columns})


TRIAL = {"layout": "trial", "columns": {"person_key": "pas", "index_date": "dato", "arm": "arm", "sex": "kjonn", "education": "utd"},
         "values": {"arm": {"1": "ips", "2": "tau"}, "sex": {"1": "man", "2": "woman"}}}  # fmt: skip
ARMS = {"arms": {"reference": "tau", "labels": {"ips": "IPS", "tau": "Usual care"}}}
