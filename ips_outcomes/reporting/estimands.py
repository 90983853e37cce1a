"""The estimand sheet: for each answer of the report, what exactly is estimated, after ICH E9(R1).

Every sentence follows from the study file, and from the released counts that
stand in it: a block never says what the study has not chosen. The short block
at the head of the page is made of the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.definition_words import definition_lines
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.results import Results
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Definition, Study

__all__ = ["ICH", "Estimand", "Event", "Strategy", "Terms", "as_table", "head_of", "listed", "main_estimands"]

#: The guideline behind the sheet.
ICH = "ICH E9(R1). Addendum on estimands and sensitivity analysis in clinical trials. European Medicines Agency, EMA/CHMP/ICH/436221/2017."

#: The guideline's strategies. "While alive" and "while resident" are its "while on treatment", said of another event.
Strategy = Literal[
    "treatment_policy", "composite", "while_alive", "while_resident", "while_on_treatment", "hypothetical", "principal_stratum"
]  # fmt: skip


@dataclass(frozen=True)
class Event:
    """An intercurrent event, and what an answer makes of it.

    Attributes
    ----------
    name : str
        Short name, the same in every block.
    event, how : str
        In words.
    strategy : str
        One of `Strategy`.
    """

    name: str
    event: str
    strategy: Strategy
    how: str


@dataclass(frozen=True)
class Estimand:
    """What one answer of the report estimates.

    Attributes
    ----------
    name : str
        Short name of the answer, unique on the page.
    answer : str
        Title of the block.
    population, arms, variable, summary : tuple of str
        The guideline's attributes, in sentences.
    intercurrent : tuple of Event
    not_observed : tuple of str
        What becomes of months that no register shows. The guideline keeps
        missing data apart from the estimand; so does the sheet.
    """

    name: str
    answer: str
    population: tuple[str, ...]
    arms: tuple[str, ...]
    variable: tuple[str, ...]
    intercurrent: tuple[Event, ...]
    not_observed: tuple[str, ...]
    summary: tuple[str, ...]

    def attributes(self) -> tuple[tuple[str, Sequence[str] | Sequence[Event]], ...]:
        """Name and content of each part, in the order of print."""
        order = ("population", "arms", "variable", "intercurrent", "not_observed", "summary")
        return tuple((name, getattr(self, name)) for name in order)

    def by_strategy(self) -> dict[Strategy, list[str]]:
        """The events that each strategy is used for, in the order in which they are met."""
        found: dict[Strategy, list[str]] = {}
        for event in self.intercurrent:
            found.setdefault(event.strategy, []).append(event.event)
        return found


def listed(parts: Iterable[object], say: Words, joined: str = "and") -> str:
    """Parts of a sentence: a, b and c; parts with commas of their own are kept apart by semicolons."""
    *first, last = [str(part) for part in parts]
    mark = "; " if any("," in part for part in [*first, last]) else ", "
    return say(f"estimands.{joined}", first=mark.join(first), last=last) if first else last


@dataclass(frozen=True)
class Terms:
    """What several blocks say in the same words, from the study file and the counts that may be shown.

    Attributes
    ----------
    study : Study
    results : Results
        Exact or released: a hidden count is told as hidden.
    canvas : Canvas
    """

    study: Study
    results: Results
    canvas: Canvas

    @property
    def say(self) -> Words:
        return self.canvas.words

    @property
    def compared(self) -> bool:
        """Whether arms are compared."""
        return self.results.contrasts is not None

    @property
    def primary(self) -> Definition:
        return self.study.employed[self.study.primary_definition]

    @property
    def reference(self) -> str:
        """Label of the arm that others are compared with."""
        return self.canvas.arms[str(self.study.reference)]

    @cached_property
    def landmarks(self) -> str:
        """The landmarks within a sentence."""
        return listed(self.study.follow_up.landmarks, self.say)

    def count(self, name: str) -> str:
        """A count of people within a sentence."""
        number = self.results.facts[name]
        return self.say("finding.hidden_number") if number is None else numbers.count(number)

    def told(self, name: str, **values: Any) -> str:
        """A sentence of the sheet."""
        return self.say(f"estimands.{name}", **values)

    # ------------------------------------------------------------ attributes
    def population(self, *more: str) -> tuple[str, ...]:
        """Everybody included, and what an answer adds."""
        twice = self.study.follow_up.included_twice
        again = () if twice == "refuse" else (self.told(f"twice_{twice}"),)
        return (self.told("everybody", n=self.count("participants")), *again, *more)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The conditions compared."""
        names = listed([self.canvas.arms[a] for a in self.results.facts["arms_present"]], self.say)
        design = self.study.design if self.study.design in ("randomised", "comparison") else "unsaid"
        end = self.study.follow_up.programme_end_month
        return (
            self.told(f"arms_{design if self.compared else 'one'}", arms=names),
            *((self.told("arms_reference", reference=self.reference),) if self.compared else ()),
            *((self.told("programme", month=end),) if end is not None else ()),
        )

    def rules(self, definition: Definition) -> tuple[str, ...]:
        """What makes a month a yes, in sentences."""
        first, *rest = definition_lines(definition, self.say)
        return self.told("month_is", label=definition.label, rule=first), *(f"{line[0].upper()}{line[1:]}." for line in rest)

    def unknown(self, definition: Definition, *more: str) -> tuple[str, ...]:
        """Which months are not observed, and what becomes of them."""
        residence = self.study.follow_up.residence
        return (self.told(f"observed_{residence}"), self.told(f"unanswerable_{definition.if_unanswerable}"), *more)

    # --------------------------------------------------- intercurrent events
    @property
    def deaths_known(self) -> bool:
        """Whether a delivery has a column of deaths."""
        layouts = self.study.layouts
        return any({"death_date", "death_month"} & set(layouts[s].columns) for s in self.study.sources_of("people"))

    def event(self, name: str, strategy: Strategy, how: str, **values: Any) -> Event:
        """An event by its name in the words."""
        return Event(name, self.told(f"event.{name}"), strategy, self.told(f"how.{how}", **values))

    def events(
        self, definition: Definition, death: Iterable[Event], emigration: Event, crossover: Event | None = None
    ) -> tuple[Event, ...]:  # fmt: skip
        """All events of an answer about work; those that its definition and the study decide come from there.

        Parameters
        ----------
        definition : Definition
            Of the months in work that the answer counts.
        death, emigration : Event
            What the answer makes of them where the study can see them.
        crossover : Event, optional
            Somebody of the reference arm starts the service; by default they
            stay where they were.
        """
        found = (*self.gone(death), self.away(emigration), *self._benefits(definition), *self._schemes(definition),
                 self._education(definition))  # fmt: skip
        return (*found, *self.service(crossover))

    def gone(self, death: Iterable[Event]) -> tuple[Event, ...]:
        """Death, as far as the study can see it; where it cannot, absence from a job register is a no."""
        return tuple(death) if self.deaths_known else (self.event("death", "composite", "death_unseen"),)

    def away(self, emigration: Event) -> Event:
        """Emigration, as far as the study can see it."""
        seen = self.study.follow_up.residence == "register"
        return emigration if seen else self.event("emigration", "treatment_policy", "emigration_unseen")

    def service(self, crossover: Event | None = None) -> tuple[Event, ...]:
        """Stopping the service, and, where arms are compared, starting the other arm's."""
        stopping = self.event("stopping", "treatment_policy", "stopping")
        return (stopping, crossover or self._stays()) if self.compared else (stopping,)

    def _benefits(self, definition: Definition) -> tuple[Event, ...]:
        """Disability pension, and each benefit that the definition asks about."""
        named = dict.fromkeys(["disability", *definition.without_benefits, *definition.benefits_not_above_inclusion])
        return tuple(self._benefit(kind, definition) for kind in named)

    def _benefit(self, kind: str, definition: Definition) -> Event:
        title = self.told("event.disability") if kind == "disability" else self.told(
            "event.benefit", benefit=self.say(f"benefit.{kind}"))  # fmt: skip
        degree = definition.without_benefits.get(kind)  # type: ignore[call-overload]
        said = []
        if degree is not None:
            said.append(
                self.told("how.benefit_at", degree=numbers.decimal(degree, 0)) if degree else self.told("how.benefit_any")
            )
        if kind in definition.benefits_not_above_inclusion:
            said.append(self.told("how.benefit_above"))
        if said:
            return Event(kind, title, "composite", " ".join(said))
        return Event(kind, title, "treatment_policy", self.told("how.benefit_ignored"))

    def _schemes(self, definition: Definition) -> tuple[Event, ...]:
        """Subsidised and sheltered work; work practice where it subtracts."""
        rule = definition.wage_subsidy
        if rule != "keep" and not self.study.sources_of("programmes"):
            # the study's checks let a rule without its source pass only where it is switched off
            return (self.event("subsidised", "treatment_policy", "subsidy_unseen"),)
        strategy: Strategy = "treatment_policy" if rule == "keep" else "composite"
        found: tuple[Event, ...] = (self.event("subsidised", strategy, f"subsidy_{rule}"),)
        if definition.work_practice_subtracts and rule != "keep":
            found += (self.event("work_practice", "composite", "work_practice"),)
        return found

    def _education(self, definition: Definition) -> Event:
        return self.event("education", "composite", "education_counts") if definition.or_education else self.event(
            "education", "treatment_policy", "education")  # fmt: skip

    @property
    def schemes(self) -> str:
        """What gives a control what the service gives, in words: schemes, and records of the service."""
        codes = (*self.study.crossover_plan.schemes, *self.study.crossover_plan.records)
        return listed([self.say.label("estimands.scheme", code) for code in codes], self.say, "or")

    def _stays(self) -> Event:
        """Nobody changes arm: with the number who started the service, where a delivery tells."""
        if "crossed" not in self.results.facts:
            return self.event("crossover", "treatment_policy", "crossover_unseen", reference=self.reference)
        return self.event(
            "crossover", "treatment_policy", "crossover", reference=self.reference, n=self.count("reference_people"),
            crossed=self.count("crossed"), schemes=self.schemes, months=self.study.follow_up.months,
        )  # fmt: skip


# ------------------------------------------------------------ the main answers
def main_estimands(terms: Terms) -> list[Estimand]:
    """Blocks of the answers that the report itself gives; the chapters bring their own."""
    found = [_rates(terms), _composite(terms)]
    if terms.results.incidence is not None:
        found.append(_first_job(terms))
    if terms.results.subgroup_effects is not None:
        found.append(_subgroups(terms))
    return found


def _rates(terms: Terms) -> Estimand:
    told, study = terms.told, terms.study
    others = [d.label for name, d in study.employed.items() if name != study.primary_definition]
    beside = (told("other_definitions", labels=listed(others, terms.say)),) if others else ()
    return Estimand(
        "rates", told("answer.rates", label=terms.primary.label), terms.population(told("population_rates")), terms.arms,
        (told("yes_no", months=study.follow_up.months), *terms.rules(terms.primary), *beside),
        terms.events(terms.primary, [terms.event("death", "while_alive", "death_alive")],
                     terms.event("emigration", "while_resident", "emigration_away")),
        terms.unknown(terms.primary, told("missing_rates")),
        (told("summary_rates" if terms.compared else "summary_rates_one", landmarks=terms.landmarks),),
    )  # fmt: skip


def _composite(terms: Terms) -> Estimand:
    told = terms.told
    return Estimand(
        "composite", told("answer.composite", label=terms.primary.label), terms.population(told("population_composite")), terms.arms,
        (told("alive_and", months=terms.study.follow_up.months), *terms.rules(terms.primary)),
        terms.events(terms.primary, [terms.event("death", "composite", "death_no")],
                     terms.event("emigration", "while_resident", "emigration_away")),
        terms.unknown(terms.primary, told("missing_rates")),
        (told("summary_rates" if terms.compared else "summary_rates_one", landmarks=terms.landmarks),),
    )  # fmt: skip


def _first_job(terms: Terms) -> Estimand:
    told, plan = terms.told, terms.study.follow_up
    death = [terms.event("death", "composite", "death_competes")]
    if terms.compared:
        death.append(terms.event("death_hazard", "while_alive", "death_hazard"))
    death.append(terms.event("death_until", "hypothetical", "death_until"))
    return Estimand(
        "first_job", told("answer.first_job"),
        terms.population(told(f"population_{plan.already_working}", at_risk=terms.count("at_risk"))), terms.arms,
        (told(f"first_month_{plan.already_working}", months=plan.months), told("month_zero"), *terms.rules(terms.primary)),
        terms.events(terms.primary, death, terms.event("emigration", "hypothetical", "emigration_wait")),
        terms.unknown(terms.primary, told("missing_first_job")),
        (told("summary_first_job" if terms.compared else "summary_first_job_one", landmarks=terms.landmarks, months=plan.months),),
    )  # fmt: skip


def _subgroups(terms: Terms) -> Estimand:
    told, study = terms.told, terms.study
    plan = study.subgroup_plan
    asked = [study.employed[name] for name in plan.outcomes]
    rules = [line for definition in asked for line in terms.rules(definition)]
    # each outcome has the events of its own definition; what they share is told once
    events = [e for d in asked for e in terms.events(d, [terms.event("death", "while_alive", "death_alive")],
                                                     terms.event("emigration", "while_resident", "emigration_away"))]  # fmt: skip
    unknown = [line for definition in asked for line in terms.unknown(definition)]
    names = [subgroup.label for subgroup in study.subgroups.values()]
    return Estimand(
        "subgroups", told("answer.subgroups"),
        terms.population(told("population_subgroups", names=listed(names, terms.say)), told("population_rates")), terms.arms,
        (told("yes_no_at", months=listed(plan.months, terms.say)), *dict.fromkeys(rules)),
        tuple(dict.fromkeys(events)), (*dict.fromkeys(unknown), told("missing_rates")),
        (told("summary_subgroups", scale=told(f"scale.{plan.scale}")),),
    )  # fmt: skip


# ------------------------------------------------------------- other renderings
def head_of(blocks: Sequence[Estimand], say: Words) -> tuple[Estimand, list[str]]:
    """The first block, and in a sentence each where the other answers differ from it.

    An answer differs by who is counted, and by events that it handles otherwise.
    """
    first, lines = blocks[0], []
    same = {(e.name, e.strategy) for e in first.intercurrent}
    for block in blocks[1:]:
        said = [line for line in block.population if line not in first.population]
        other = [e for e in block.intercurrent if (e.name, e.strategy) not in same]
        said += [say("estimands.handled", event=e.event, strategy=say(f"estimands.strategy.{e.strategy}")) for e in other]
        if said:
            lines.append(say("estimands.differs", answer=block.answer, how=" ".join(said)))
    return first, lines


def as_table(blocks: Sequence[Estimand], say: Words) -> pd.DataFrame:
    """The sheet as data: a row a sentence, with the event and its strategy where it is about one."""
    rows = []
    for block in blocks:
        for name, content in block.attributes():
            for part in content:
                event = part if isinstance(part, Event) else None
                rows.append({
                    "answer": block.answer, "attribute": say(f"estimands.{name}"), "event": event.event if event else "",
                    "strategy": say(f"estimands.strategy.{event.strategy}") if event else "",
                    "text": event.how if event else part,
                })  # fmt: skip
    return pd.DataFrame(rows, columns=["answer", "attribute", "event", "strategy", "text"])
