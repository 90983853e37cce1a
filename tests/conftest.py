"""What several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ips_outcomes as ips
from ips_outcomes.engine import Engine, open_engine
from ips_outcomes.errors import UnsupportedError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def demo_study() -> Path:
    """The committed synthetic study."""
    return ROOT / "data" / "synthetic" / "study.toml"


@pytest.fixture(scope="session")
def demo_followup(demo_study: Path) -> ips.FollowUp:
    return ips.follow_up(ips.load_cohort(ips.load_study(demo_study)))


@pytest.fixture(scope="session")
def small_study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated study of 80 people, not to be changed."""
    return ips.simulate_study(tmp_path_factory.mktemp("small") / "study", seed=5, participants=80).parent


@pytest.fixture(scope="session")
def duck() -> Iterator[Engine]:
    """DuckDB with two threads, one for all tests."""
    with open_engine("duckdb", memory_limit="1 GiB", threads=2) as engine:
        yield engine


@pytest.fixture(scope="session")
def spark() -> Iterator[Engine]:
    """One Spark session in this process for all tests, or a word why there is none."""
    try:
        engine = open_engine("spark", memory_limit="1 GiB", threads=2)
    except UnsupportedError as error:
        pytest.skip(str(error))
    with engine:
        yield engine


@pytest.fixture(params=["duckdb", "spark"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    """Either engine: a test that takes it runs on both."""
    return request.getfixturevalue("duck" if request.param == "duckdb" else "spark")
