"""What counts as starting supported employment, and which results in print a service is set beside."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["SUPPORTED_EMPLOYMENT", "Crossover", "Published", "printed"]

#: NAV's codes of schemes that give what the service gives: job support after the model, and its form for the young.
SUPPORTED_EMPLOYMENT = ("INDJOBSTOT", "IPSUNG")


class Crossover(BaseModel):
    """Who has started supported employment, whatever their arm.

    ``schemes`` are codes of the schemes source; ``records`` are kinds of
    record of the service itself whose first date counts as a start, too.
    ``weights`` are baseline columns, or subgroups, that explain who starts:
    with them, the answer while on treatment is also given weighted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schemes: tuple[Annotated[str, Field(min_length=1)], ...] = SUPPORTED_EMPLOYMENT
    records: tuple[Literal["contact", "employer_contact", "job_plan"], ...] = ()
    weights: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ...] = ()

    @field_validator("schemes", "records", "weights")
    @classmethod
    def _once_each(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(given)) < len(given):
            raise ValueError("each is written once")
        return given

    @model_validator(mode="after")
    def _something_counts(self) -> Crossover:
        if not self.schemes and not self.records:
            raise ValueError("name at least one scheme or kind of record, or leave the table out")
        return self


class Published(BaseModel):
    """Results in print that stand beside the service's own: names of `published_rates`, or none at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compare_with: tuple[Annotated[str, Field(min_length=1)], ...]


@cache
def printed() -> dict[str, dict[str, Any]]:
    """Shares in work in print, by name, as the package's file has them."""
    return tomllib.loads((resources.files("ips_outcomes.study") / "published_rates.toml").read_text(encoding="utf-8"))
