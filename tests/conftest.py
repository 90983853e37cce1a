"""What several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

import ips_outcomes as ips

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
