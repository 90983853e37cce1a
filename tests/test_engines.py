"""One harmonisation, three roads: in memory, staged and read by DuckDB, staged and read by Spark; the same to the last row."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import job, record, scheme, write_small_study

import ips_outcomes as ips
from ips_outcomes.engine import Engine
from ips_outcomes.study import EngineSettings, Study


def on(study: Study, engine: Engine, staging: Path) -> Study:
    """The study with everything staged, read by an engine."""
    settings = EngineSettings(name=engine.name, threads=2, staging="always", staging_folder=str(staging))
    return study.model_copy(update={"engine": settings})


def assert_same(one: ips.Cohort, other: ips.Cohort) -> None:
    for field in dataclasses.fields(ips.Cohort):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, pd.DataFrame):
            pd.testing.assert_frame_equal(first, second, obj=field.name)
        elif field.name != "study":
            assert first == second, field.name


def nasty_study(folder: Path, seed: int) -> Path:
    """Spells that overlap, repeat, turn round, never end and belong to nobody, under keys that are easily damaged."""
    rng = np.random.default_rng(seed)
    people = [f"{number:05d}" for number in range(12)] + ["Erlig-1", " 7", "1e5", "0012"]
    people = [key.strip() for key in people]

    def day() -> str:
        return str(np.datetime64("2011-01-01") + rng.integers(0, 1400))

    dates = ["", "2013-02-30", "201303", "2013-03-16", "2014-12-31"]
    jobs = []
    for _ in range(150):
        start = day() if rng.random() < 0.9 else str(rng.choice(dates))
        end = day() if rng.random() < 0.6 else str(rng.choice(dates))
        owner = str(rng.choice([*people, "stranger", "00x", ""]))
        jobs.append(job(owner, start, end, employer=str(rng.choice(["E1", "E2", "", "0E1"])),
                        hours=str(rng.choice(["", "7,5", "37.5", "1 000,5", "-4", "x"]))))  # fmt: skip
    jobs += jobs[:10]
    records = [
        record(str(rng.choice(people)), f"2015-0{rng.integers(1, 7)}", basis=str(rng.choice(["1a", "1b", "4a", "", "9z"])),
               employer=str(rng.choice(["M1", "M2"])), hours=float(rng.choice([0, 10, 37.5])), pay=float(rng.choice([-5, 0, 9000])))
        for _ in range(60)
    ]  # fmt: skip
    schemes = [
        scheme(str(rng.choice(people)), str(rng.choice(["MIDLONTIL", "IPSUNG", "NEWCODE"])), day(), day(),
               employer=str(rng.choice(["", "E1", "M1"])), status=str(rng.choice(["DELTAR", "IKKE_AKTUELL"])))
        for _ in range(30)
    ]  # fmt: skip
    return write_small_study(folder, people=tuple(people), jobs=jobs, records=records, schemes=schemes,
                             missing_files=("2015-03",), months=24)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_adversarial_spells_are_the_same_on_every_road(seed: int, any_engine: Engine, tmp_path: Path) -> None:
    study = ips.load_study(nasty_study(tmp_path / "study", seed))
    plain = ips.load_cohort(study)
    engine = on(study, any_engine, tmp_path / "staged")
    staged = ips.load_cohort(engine)
    assert len(plain.employment) > 50
    assert_same(plain, staged)
    # once more, from what was staged
    assert_same(plain, ips.load_cohort(engine))
    pd.testing.assert_frame_equal(ips.follow_up(plain).person_months, ips.follow_up(staged).person_months)


def test_every_register_of_the_synthetic_study_is_the_same_on_every_road(
    small_study_folder: Path, any_engine: Engine, tmp_path: Path
) -> None:
    study = ips.load_study(small_study_folder)
    plain, staged = ips.load_cohort(study), ips.load_cohort(on(study, any_engine, tmp_path / "staged"))
    assert all(len(getattr(plain, table)) for table in ("employment", "pay", "benefits", "education", "income", "services"))
    assert_same(plain, staged)


def test_a_file_is_staged_once_and_again_only_when_it_or_its_reading_changes(tmp_path: Path) -> None:
    path = write_small_study(tmp_path / "study", jobs=[job("P1", "2013-05-01")])
    settings = EngineSettings(staging="always")
    study = ips.load_study(path).model_copy(update={"engine": settings})
    folder = tmp_path / "study" / ".ips_outcomes_staged"

    def times() -> dict[str, int]:
        ips.load_cohort(study)
        return {file.name: file.stat().st_mtime_ns for file in folder.glob("jobs-*.parquet")}

    first = times()
    assert len(first) == 1 and times() == first
    jobs = tmp_path / "study" / "jobs.csv"
    jobs.write_text(jobs.read_text(encoding="utf-8").replace("2013-05-01", "2013-06-01"), encoding="utf-8")
    second = times()
    assert set(first) < set(second) and len(second) == 2
    assert ips.load_cohort(study).employment["start"].tolist() == [pd.Timestamp("2013-06-01")]


def test_nothing_is_staged_of_a_file_that_holds_identity_numbers(tmp_path: Path) -> None:
    path = write_small_study(tmp_path / "study", jobs=[job("P1", "2013-05-01", employer="15108695088")])
    study = ips.load_study(path).model_copy(update={"engine": EngineSettings(staging="always")})
    with pytest.raises(ips.DataError, match="identity"):
        ips.load_cohort(study)
    assert not list((tmp_path / "study" / ".ips_outcomes_staged").glob("jobs*"))
    assert not list((tmp_path / "study" / ".ips_outcomes_staged").glob(".partial*"))


def test_a_staged_file_with_a_wrong_epoch_is_refused_every_time(tmp_path: Path) -> None:
    path = write_small_study(tmp_path / "study", jobs=[job("P1", "2043-05-01"), job("P1", "2044-05-01")])
    study = ips.load_study(path).model_copy(update={"engine": EngineSettings(staging="always")})
    for _ in range(2):
        with pytest.raises(ips.DataError, match="most dates lie outside"):
            ips.load_cohort(study)


def test_settings_of_the_engine_come_from_the_study_file(tmp_path: Path) -> None:
    path = write_small_study(tmp_path / "study", jobs=[job("P1", "2013-05-01")])
    with path.open("a", encoding="utf-8") as file:
        file.write(
            '\n[engine]\nname = "duckdb"\nmemory_limit = "500MB"\nthreads = 1\nstaging = "always"\nstaging_folder = "kept"\n'
        )
    assert len(ips.load_cohort(ips.load_study(path)).employment) == 1
    assert list((tmp_path / "study" / "kept").glob("*.parquet"))
    path.write_text(path.read_text(encoding="utf-8").replace('name = "duckdb"', 'name = "duckdb"\nmaster = "spark://x:1"'))
    with pytest.raises(ips.StudyError, match="spark"):
        ips.load_study(path)
