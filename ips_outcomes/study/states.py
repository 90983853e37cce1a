"""States: what a person is in, month by month, by an ordered rule of the study file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ips_outcomes.study.layout import Benefit

__all__ = ["ALWAYS", "Neet", "StateRule", "States"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

#: States that every study has: the first ones come before every rule, "none" after all of them.
ALWAYS = ("dead", "abroad", "none", "not_observed")


class StateRule(BaseModel):
    """One state: a month is in it where the first of these holds and no earlier state did.

    Exactly one of ``employed`` (the name of a definition), ``benefits`` (on
    one of them, at any degree), ``schemes`` (on one of NAV's schemes, by
    code) and ``course`` (attending one).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    employed: Name | None = None
    benefits: Annotated[tuple[Benefit, ...], Field(min_length=1)] | None = None
    schemes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    course: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> StateRule:
        given = [self.employed is not None, self.benefits is not None, self.schemes is not None, self.course]
        if sum(given) != 1:
            raise ValueError("a state has exactly one of: employed, benefits, schemes, course = true")
        return self


class Neet(BaseModel):
    """Not in employment, education or training: the young whose month is in none of the ``active`` states.

    Asked of people younger than ``age_below`` at the index date, in months of
    which the active states are known, while they are alive and resident.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    age_below: Annotated[int, Field(ge=16, le=120)] = 30
    active: Annotated[tuple[Name, ...], Field(min_length=1)]


class States(BaseModel):
    """The states of a study, in the order in which they are asked.

    Somebody dead is dead and somebody abroad is abroad, whatever else is
    recorded; then the rules in their order; "none" is who meets no rule. A
    month is not observed where a rule cannot be answered before one holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Annotated[tuple[Name, ...], Field(min_length=1)]
    rules: Annotated[dict[Name, StateRule], Field(min_length=1)]
    neet: Neet | None = None

    @model_validator(mode="before")
    @classmethod
    def _tables_are_rules(cls, given: object) -> object:
        # [states.aap] stands beside order, so that a state reads like a subgroup
        if isinstance(given, dict) and "rules" not in given:
            own = {k: given[k] for k in ("order", "neet") if k in given}
            return {"order": (), **own, "rules": {k: v for k, v in given.items() if k not in own}}
        return given

    @model_validator(mode="after")
    def _order_names_the_rules(self) -> States:
        if len(set(self.order)) < len(self.order):
            raise ValueError("order names a state twice")
        taken = sorted(set(ALWAYS) & set(self.rules))
        if taken:
            raise ValueError(f"{', '.join(taken)}: every study has this state; choose another name")
        if set(self.order) != set(self.rules):
            missing = sorted(set(self.order) ^ set(self.rules))
            raise ValueError(f"order and the states' tables must name the same states: {', '.join(missing)} stands in one only")
        labels = [rule.label for rule in self.rules.values()]
        if len(set(labels)) < len(labels):
            raise ValueError("each state needs a label of its own")
        return self

    @model_validator(mode="after")
    def _active_states_come_first(self) -> States:
        if self.neet is None:
            return self
        strange = sorted(set(self.neet.active) - set(self.order))
        if strange:
            raise ValueError(f"neet: {', '.join(strange)} is no state of this study")
        number = len(set(self.neet.active))
        if set(self.order[:number]) != set(self.neet.active):
            # a student on a benefit would be in the benefit's state, and count as out of education
            raise ValueError(
                "neet: the active states come first in order, or a month in one of them and in another state is lost"
            )
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All states as they are shown: the rules in order, none, abroad, dead, not observed."""
        return (*self.order, "none", "abroad", "dead", "not_observed")
