"""The first steps of everything that is written, each told as it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup import FollowUp, follow_up
from ips_outcomes.loaders import Cohort, load_cohort
from ips_outcomes.study import Study

__all__ = ["Tell", "put_on_clocks", "read_extracts", "refuse_release"]

Tell = Callable[[str], None]


def read_extracts(study: Study, tell: Tell, step: str = "Reading the extracts", *, detail: Tell | None = None) -> Cohort:
    """The cohort; the step is told, and under it (or to ``detail``) each source."""
    tell(step)
    under = detail or tell
    return load_cohort(study, progress=lambda name: under(f"  {name}"))


def put_on_clocks(cohort: Cohort, tell: Tell) -> FollowUp:
    """The cohort followed up."""
    tell("Putting people on their clocks")
    return follow_up(cohort)


def refuse_release(out: Path, why: str) -> None:
    """Refuse a folder in ``release``, for what must not leave the server."""
    if "release" in out.resolve().parts:
        raise UnsupportedError(f"{out} lies in a folder named release; {why}: choose another folder")
