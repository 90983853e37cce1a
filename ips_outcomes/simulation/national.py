"""A synthetic national delivery: monthly Parquet files of job records, as many rows as a nation has, written as they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import whole_folder
from ips_outcomes.months import day_in_month, parse_month

__all__ = ["MONTHS", "simulate_national"]

#: Monthly files, from January 2015.
MONTHS = 43
_FIRST = parse_month("2015-01")
#: People drawn at a time; the draw of a person does not depend on how many there are.
_BLOCK = 50_000
#: Share of the people in the job files who are in the study.
_IN_STUDY = 0.125
_KINDS = (
    "ordinaertArbeidsforhold", "frilanserOppdragstakerHonorarPersonerMm", "pensjonOgAndreTyperYtelserUtenAnsettelsesforhold",
)  # fmt: skip

_STUDY = """# A synthetic national delivery: nobody here exists.
title = "Synthetic nation, {rows} job rows, seed {seed}"
design = "comparison"
synthetic = true
seed = {seed}
primary_definition = "any_job"

[arms]
reference = "other"
labels = {{ ips = "IPS", other = "Other services" }}

[follow_up]
months = 43
history = 0
landmarks = [12, 18, 43]
residence = "register"

[sources.people]
layout = "trial"
files = "extracts/participants.csv"
delimiter = ";"

[sources.people.columns]
person_key = "person"
arm = "arm"
index_date = "index_date"

[sources.people.values]
arm = {{ ips = "ips", other = "other" }}

[sources.a_ordning]
layout = "ameld_statdata"
files = "extracts/ameld_statdata_*_m*.parquet"
period = ["2015-01", "2018-07"]

[sources.population]
layout = "faste_opplysninger"
files = "extracts/faste_opplysninger.csv"
delimiter = ";"

[sources.residence]
layout = "f_demo"
files = "extracts/f_demo.csv"
delimiter = ";"
period = ["2015-01", "2018-07"]

[sources.schemes]
layout = "nav_schemes"
files = "extracts/tiltak.csv"
delimiter = ";"
period = ["2015-01", "2018-07"]

[keys]
a_ordning = {{ carries_participant_key = true }}
population = {{ carries_participant_key = true }}
residence = {{ carries_participant_key = true }}
schemes = {{ carries_participant_key = true }}

[employed.any_job]
label = "Any paid job, wage subsidy included"
wage_subsidy = "keep"

[employed.some_day]
label = "Any paid job on some day of the month"
month_rule = "any_day"
wage_subsidy = "keep"

[employed.ordinary]
label = "Ordinary work"
wage_subsidy = "strict"

[disclosure]
profile = "none"
"""


def simulate_national(out: str | Path, *, rows: int, seed: int, progress: Callable[[str], None] | None = None) -> Path:
    """Write a synthetic national delivery of at least ``rows`` job records in 43 monthly Parquet files.

    One person in eight of the job files is in the study, as where those who
    got a service are looked for in a nation's register. A few rows in a
    hundred thousand have an impossible date or end before they start; a
    seventh of the people have pension records beside their jobs.

    Parameters
    ----------
    out : path
        Folder to write. It must not exist, or be empty, or hold an earlier one just as it was written, which is replaced.
    rows : int
        Job records, 10,000 to 500 million.
    seed : int
        The same seed and rows give the same bytes.
    progress : callable, optional
        Called with a line for each month.

    Returns
    -------
    pathlib.Path
        The path of ``study.toml``, which `ips_outcomes.followup.national.count_months` runs.

    Raises
    ------
    UnsupportedError
        If ``rows`` or ``seed`` is out of range, or the folder holds something else.
    """
    if not 10_000 <= rows <= 500_000_000:
        raise UnsupportedError("rows must lie between 10,000 and 500 million")
    if seed < 0:
        raise UnsupportedError("a seed is zero or a positive whole number")
    out = Path(out)
    with whole_folder(out, "synthetic nation") as work:
        (work / "extracts").mkdir()
        _write(work / "extracts", rows, seed, progress or (lambda _: None))
        (work / "study.toml").write_text(_STUDY.format(rows=f"{rows:,}", seed=seed), encoding="utf-8", newline="\n")
    return out / "study.toml"


def _draw(rows: int, seed: int) -> tuple[int, dict[str, NDArray[Any]]]:
    """Jobs and pensions as spells of months since January 2015, for as many people as give the rows."""
    parts: list[dict[str, NDArray[Any]]] = []
    people, total = 0, 0
    while total < rows:
        rng = np.random.default_rng([seed, len(parts)])
        spells = []
        for kind, share, mean in ((0, 0.8, 60), (0, 0.45, 30), (1, 0.03, 12), (2, 0.14, 80)):
            person = np.flatnonzero(rng.random(_BLOCK) < share)
            first = rng.integers(-48, MONTHS, len(person))
            last = first + rng.geometric(1 / mean, len(person)) - 1
            begins, ends = rng.integers(1, 29, len(person)), rng.integers(1, 29, len(person))
            spells.append(
                (
                    people + person,
                    np.full(len(person), kind),
                    first,
                    last,
                    begins,
                    np.maximum(ends, np.where(last == first, begins, 1)),
                )
            )
        person, sort, first, last, begins, ends = (np.concatenate(column) for column in zip(*spells, strict=True))
        seen = np.asarray((last >= 0) & (first < MONTHS))
        part = {"person": person[seen], "kind": sort[seen], "first": first[seen], "last": last[seen],
                "begins": begins[seen], "ends": ends[seen]}  # fmt: skip
        length = np.minimum(part["last"], MONTHS - 1) - np.maximum(part["first"], 0) + 1
        needed = rows - total
        if length.sum() > needed:
            # only as many people as the rows need
            by_person = np.bincount(part["person"] - people, weights=length, minlength=_BLOCK)
            count = int(np.searchsorted(np.cumsum(by_person), needed)) + 1
            part = {name: column[part["person"] < people + count] for name, column in part.items()}
            length = length[:0] if count == 0 else np.minimum(part["last"], MONTHS - 1) - np.maximum(part["first"], 0) + 1
            people += count
        else:
            people += _BLOCK
        total += int(length.sum())
        parts.append(part)
    spells_of_all = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rng = np.random.default_rng([seed, 10**6])
    number = len(spells_of_all["person"])
    spells_of_all["employer"] = rng.integers(0, max(people // 12, 5), number)
    spells_of_all["percent"] = rng.choice([20.0, 50.0, 80.0, 100.0], number)
    spells_of_all["basis"] = np.where(spells_of_all["kind"] == 2, 2, (rng.random(number) < 0.02).astype(np.int64))
    return people, spells_of_all


def _write(folder: Path, rows: int, seed: int, progress: Callable[[str], None]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    people, spells = _draw(rows, seed)
    rng = np.random.default_rng([seed, 10**6 + 1])
    # keys say nothing about the order in which people were drawn
    order = rng.permutation(people)
    keys = pa.array(np.char.add("P", np.char.zfill(order.astype(str), 8)).tolist())
    _write_people(folder, people, keys, seed)
    employers = pa.array([f"V{number:07d}" for number in range(int(spells["employer"].max()) + 1)])
    kinds, bases = pa.array(_KINDS), pa.array(["1a", "1b", "2a"])
    start = day_in_month(_FIRST + spells["first"], 1) + (spells["begins"] - 1).astype("timedelta64[D]")
    end = day_in_month(_FIRST + spells["last"], 1) + (spells["ends"] - 1).astype("timedelta64[D]")
    for month in range(MONTHS):
        now = np.flatnonzero((spells["first"] <= month) & (spells["last"] >= month))
        now = now[np.argsort(spells["person"][now], kind="stable")]
        number, noise = len(now), np.random.default_rng([seed, 10**7 + month])
        begun = start[now].copy()
        begun[noise.random(number) < 2e-5] = np.datetime64("2999-01-01")
        ended = end[now].copy()
        turned = noise.random(number) < 2e-5
        ended[turned] = begun[turned] - np.timedelta64(40, "D")
        going_on = (spells["last"][now] > month) & ~turned
        percent = spells["percent"][now]
        table = pa.table({
            "lopenr_person": keys.take(pa.array(spells["person"][now])),
            "lopenr_virksomhet": employers.take(pa.array(spells["employer"][now])),
            "arb_type": pa.DictionaryArray.from_arrays(pa.array(spells["kind"][now].astype(np.int8)), kinds),
            "arb_start": pa.array(begun), "arb_slutt": pa.array(ended, mask=going_on),
            "arb_stillingspst": percent, "arb_arbeidstid": percent * 0.375,
            "arb_syss": pa.DictionaryArray.from_arrays(pa.array(spells["basis"][now].astype(np.int8)), bases),
            "lonn_kontant": np.rint(percent * 420 + noise.normal(0, 2_500, number)).clip(0),
        })  # fmt: skip
        calendar = _FIRST + month
        name = f"ameld_statdata_{1970 + calendar // 12}_m{calendar % 12 + 1}.parquet"
        pq.write_table(table, folder / name, compression="zstd", compression_level=1)
        progress(f"  {name}: {number:,} rows")


def _write_people(folder: Path, people: int, keys: Any, seed: int) -> None:
    """Participants, fixed information, residence and schemes: nobody outside the study has any of these."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng([seed, 10**6 + 2])
    inside = np.flatnonzero(rng.random(people) < _IN_STUDY)
    number, own = len(inside), keys.take(pa.array(inside))

    def compact(days: NDArray[np.datetime64]) -> NDArray[np.str_]:
        return np.char.replace(np.datetime_as_string(days, unit="D"), "-", "")

    def days(first: str, length: int, how_many: int) -> NDArray[np.datetime64]:
        return np.datetime64(first) + rng.integers(0, length, how_many).astype("timedelta64[D]")

    def write(name: str, **columns: Any) -> None:
        table = pa.table({column: values if isinstance(values, pa.Array) else pa.array(values.tolist())
                          for column, values in columns.items()})  # fmt: skip
        csv.write_csv(table, folder / name, csv.WriteOptions(delimiter=";", quoting_style="none"))

    index = days("2015-01-01", 700, number)
    write("participants.csv", person=own, arm=np.where(rng.random(number) < 0.1, "ips", "other"),
          index_date=np.datetime_as_string(index))  # fmt: skip
    born = days("1953-01-01", 16_000, number)
    dead = np.where(rng.random(number) < 0.01, compact(days("2015-02-01", 1_250, number)), "")
    birth = np.array([text[:6] for text in compact(born)])
    write("faste_opplysninger.csv", lnr=own, foedsels_aar_mnd=birth, doeds_dato=dead)
    left = np.where(rng.random(number) < 0.02, compact(days("2015-02-01", 1_250, number)), "")
    write("f_demo.csv", lnr=own, TILGDATO=compact(born), AVGDATO=left)
    on = np.flatnonzero(rng.random(number) < 0.005)
    begins = days("2015-02-01", 900, len(on))
    write("tiltak.csv", lopenr_person=own.take(pa.array(on)), tiltakskode=rng.choice(["MIDLONTIL", "INDJOBSTOT", "ARBTREN"], len(on)),
          deltakerStatus=np.full(len(on), "FULLFORT"), startDato=np.datetime_as_string(begins),
          sluttDato=np.datetime_as_string(begins + np.timedelta64(150, "D")),
          lopenr_virksomhet=np.full(len(on), ""))  # fmt: skip
