"""The study file's parts, typed."""

from __future__ import annotations

import codecs
import re
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ips_outcomes.months import parse_month
from ips_outcomes.study.conditions import BASELINE_COLUMNS, Subgroup, bind
from ips_outcomes.study.layout import Benefit, DateKind, Layout, load_layout, name_pattern
from ips_outcomes.study.services import Crossover, Published
from ips_outcomes.study.states import States

__all__ = ["Arms", "Benefit", "Definition", "EngineSettings", "FollowUpPlan", "Key", "Source", "Study", "SubgroupAnalysis"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _text_encoding(name: str) -> str:
    try:
        # some codecs turn bytes into bytes: only one that gives text can read a file
        if isinstance(codecs.decode(b"a", name), str):
            return name
    except (LookupError, ValueError, TypeError):
        pass
    raise ValueError('there is no such text encoding; usual ones are "utf-8", "latin-1" and "cp1252"')


def _one_mark(mark: str) -> str:
    if mark == "\t" or (len(mark) == 1 and mark.isascii() and mark.isprintable() and not mark.isalnum() and mark not in "\"'"):
        return mark
    raise ValueError('a delimiter is one mark, such as ";", "," or "\\t"')


Encoding = Annotated[str, AfterValidator(_text_encoding)]
Delimiter = Annotated[str, AfterValidator(_one_mark)]

#: Words that person-month tables use for columns of their own.
RESERVED = {
    "person_id", "arm", "month", "calendar_month", "observed", "reason", "source_system",
    "crosses_2015_break", "pay_nok", "pay_g", "weekly_hours", "state", "in_education", "upper_secondary_since", "neet", *BASELINE_COLUMNS,
}  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arms(_Strict):
    """The arms compared: code to label, in the order they are shown."""

    labels: Annotated[dict[Name, str], Field(min_length=1)]
    reference: Name | None = None

    @model_validator(mode="after")
    def _reference_is_an_arm(self) -> Arms:
        written = [label.strip() for label in self.labels.values()]
        if not all(written) or len(set(written)) < len(written):
            raise ValueError("each arm needs a label of its own, or nobody can tell the arms apart in the report")
        if self.reference is not None and self.reference not in self.labels:
            raise ValueError(f"reference is not one of the arms: {', '.join(self.labels)}")
        if self.reference is None and len(self.labels) > 1:
            raise ValueError(f"name the reference arm, one of: {', '.join(self.labels)}")
        return self


class FollowUpPlan(_Strict):
    """The clock: months 1 to ``months`` count; history is months -1 and below.

    Of staying in work: ``job_gap_months`` away from an employer do not end a
    job, ``steady_months`` in work make a steady worker, and work is sustained
    over each of ``sustained_months`` in a row. Lengths that a follow-up does
    not have are left out of the report.
    """

    months: Annotated[int, Field(ge=1, le=240)] = 43
    history: Annotated[int, Field(ge=0, le=120)] = 24
    landmarks: Annotated[tuple[int, ...], Field(min_length=1)] = (12, 18, 43)
    programme_end_month: Annotated[int, Field(ge=1)] | None = None
    trend_change_months: Annotated[int, Field(ge=1)] = 12
    already_working: Literal["exclude", "new_employer", "include"] = "exclude"
    included_twice: Literal["first", "last", "refuse"] = "first"
    residence: Literal["register", "assumed"] = "register"
    education: Literal["trial", "register"] = "trial"
    job_gap_months: Annotated[int, Field(ge=0, le=12)] = 1
    steady_months: Annotated[int, Field(ge=1)] = 22
    sustained_months: tuple[Annotated[int, Field(ge=1)], ...] = (3, 6, 12)

    @field_validator("sustained_months")
    @classmethod
    def _lengths_in_order(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if list(lengths) != sorted(set(lengths)):
            raise ValueError("sustained_months are written once each, in rising order")
        return lengths

    @field_validator("landmarks")
    @classmethod
    def _landmarks_inside(cls, landmarks: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        months = info.data.get("months")
        outside = [m for m in landmarks if months is not None and not 1 <= m <= months]
        if outside:
            raise ValueError(f"landmarks {outside} lie outside months 1 to {months}")
        if list(landmarks) != sorted(set(landmarks)):
            raise ValueError("landmarks are written once each, in rising order")
        return landmarks


class Source(_Strict):
    """One delivery: where its files are and how they look.

    ``spell_end`` says which of two end dates counts where a register has both:
    the reported one (often missing: the spell is open) or the technical one
    (always filled). ``rows`` keeps only rows whose raw column holds one of the
    values. ``sheet`` names the sheet of an Excel file. ``short_rows`` says what
    becomes of text rows that lack empty cells at their end.

    Three settings change the layout itself: ``constants`` (the whole file is
    one benefit, one kind of income, one measure), ``dates`` (this delivery
    writes a column's dates in another way), ``wide`` (the pattern of columns
    that repeat by year or month).
    """

    layout: str
    files: str
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    period: tuple[str, str] | None = None
    extracted: date | None = None
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    decimal: Literal[",", "."] | None = None
    sheet: str | None = None
    short_rows: Literal["refuse", "pad"] = "refuse"
    spell_end: Literal["reported", "technical"] = "reported"
    rows: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    dates: dict[str, DateKind] = Field(default_factory=dict)
    wide: str | None = None

    @field_validator("wide")
    @classmethod
    def _wide_is_a_pattern(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None else name_pattern(pattern, "year")

    @field_validator("period")
    @classmethod
    def _period_is_two_months(cls, period: tuple[str, str] | None) -> tuple[str, str] | None:
        if period is not None and parse_month(period[0]) > parse_month(period[1]):
            raise ValueError("the period ends before it starts")
        return period

    def adapt(self, layout: Layout) -> Layout:
        """The source's layout with what the study file changes in it."""
        return layout.adapted(self.constants, self.dates, self.wide)

    @property
    def period_numbers(self) -> tuple[int, int] | None:
        """First and last delivered calendar month, as numbers."""
        return None if self.period is None else (parse_month(self.period[0]), parse_month(self.period[1]))


class Key(_Strict):
    """The linkage file of one delivery: participant key to delivery key."""

    file: str | None = None
    participant: str = ""
    delivery: str = ""
    delimiter: Delimiter = ";"
    encoding: Encoding = "utf-8"
    carries_participant_key: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Key:
        by_file = self.file is not None and bool(self.participant) and bool(self.delivery)
        if by_file == self.carries_participant_key:
            raise ValueError(
                "name a linkage file with its participant and delivery columns, or say carries_participant_key = true"
            )
        return self


class Definition(_Strict):
    """What "employed" means in a month. Every part is a choice of the study.

    Off unless named: ``minimum_weekly_hours``; ``minimum_monthly_pay_nok`` or
    ``minimum_monthly_pay_g`` (a fraction of that month's own G/12);
    ``minimum_yearly_pay_g`` (pay over the 12 months that end in the month,
    against the mean of their G, from month 12 on); ``without_benefits`` (a
    month on the benefit at this degree or more does not count; 0 is any
    degree); ``benefits_not_above_inclusion`` (a month at a higher degree than
    in month 0 does not count); ``or_education`` (attending a course makes a
    month a yes as well: work or education).
    """

    label: str
    month_rule: Literal["status_day", "any_day", "paid_in_month"] = "status_day"
    kinds: Annotated[tuple[Literal["ordinary", "freelance"], ...], Field(min_length=1)] = ("ordinary",)
    basis: Annotated[tuple[str, ...], Field(min_length=1)] = ("1a", "1b")
    minimum_weekly_hours: Annotated[float, Field(gt=0, le=75)] | None = None
    minimum_monthly_pay_nok: Annotated[float, Field(gt=0)] | None = None
    minimum_monthly_pay_g: Annotated[float, Field(gt=0, le=20)] | None = None
    minimum_yearly_pay_g: Annotated[float, Field(gt=0, le=20)] | None = None
    without_benefits: dict[Benefit, Annotated[float, Field(ge=0, le=100)]] = Field(default_factory=dict)
    benefits_not_above_inclusion: tuple[Benefit, ...] = ()
    wage_subsidy: Literal["strict", "lenient", "keep"] = "strict"
    work_practice_subtracts: bool = False
    if_unanswerable: Literal["unknown", "skip"] = "unknown"
    or_education: bool = False


class EngineSettings(_Strict):
    """Where registers are read, cut and joined: DuckDB in the process, or Apache Spark.

    ``master`` is Spark's address (``local[2]``, ``spark://host:7077``).
    ``memory_limit`` such as ``"4GB"``: work that needs more is spilled to
    ``spill_folder``. ``staging`` is the folder for files that no engine reads,
    kept as Parquet by the hash of their content: ``auto`` keeps small ones in
    memory.
    """

    name: Literal["duckdb", "spark"] = "duckdb"
    master: str | None = None
    memory_limit: Annotated[str, Field(pattern=r"^[1-9]\d*(MB|GB)$")] | None = None
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    spill_folder: str | None = None
    staging: Literal["auto", "always"] = "auto"
    staging_folder: str | None = None

    @model_validator(mode="after")
    def _master_belongs_to_spark(self) -> EngineSettings:
        if self.master is not None and self.name != "spark":
            raise ValueError('a master address belongs to name = "spark"')
        return self


class SubgroupAnalysis(_Strict):
    """What is asked of every subgroup, written down before anybody looks.

    One ``scale`` is primary: its tests over all subgroups, ``outcomes`` and
    ``months`` are one family, and the other scales stand beside it.
    ``outcomes`` are definitions of employed (the primary one by default),
    ``months`` lie within the follow-up (the last landmark by default). An arm
    of a level with fewer than ``least_events`` people with or without the
    event gets exact or penalised answers. ``draws`` are those of the
    multiplier bootstrap. ``prior_sd`` is how far subgroups' effects may lie
    apart, for the shrunken estimates (on the primary scale, logarithms for
    ratios).
    """

    scale: Literal["risk_difference", "risk_ratio", "odds_ratio"] = "risk_difference"
    outcomes: tuple[Name, ...] = ()
    months: tuple[int, ...] = ()
    least_events: Annotated[int, Field(ge=0, le=1000)] = 5
    draws: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    prior_sd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @field_validator("outcomes", "months")
    @classmethod
    def _once_each(cls, given: tuple[str | int, ...]) -> tuple[str | int, ...]:
        if len(set(given)) < len(given):
            raise ValueError("each is written once")
        return given


class Disclosure(_Strict):
    """What may leave: a profile of the gate."""

    profile: str = "primary5"


class Study(_Strict):
    """A study: everything that is asked, and where the extracts are.

    Made by `load_study`, never by hand; every attribute mirrors a key of the
    study file, and ``folder`` is where the file stood.

    Examples
    --------
    >>> from ips_outcomes import load_study
    >>> study = load_study("data/synthetic/study.toml")
    >>> study.follow_up.months
    43
    """

    title: str
    question: str = ""
    design: Literal["randomised", "one_arm", "comparison"] | None = None
    synthetic: bool = False
    public: bool = False
    language: Literal["en"] = "en"
    seed: Annotated[int, Field(ge=0)] = 0
    arms: Arms | None = None
    follow_up: FollowUpPlan = FollowUpPlan()
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    keys: dict[Name, Key] = Field(default_factory=dict)
    primary_definition: Name
    employed: Annotated[dict[Name, Definition], Field(min_length=1)]
    subgroups: dict[Name, Subgroup] = Field(default_factory=dict)
    subgroup_analysis: SubgroupAnalysis = SubgroupAnalysis()
    states: States | None = None
    crossover: Crossover | None = None
    published: Published | None = None
    disclosure: Disclosure = Disclosure()
    engine: EngineSettings = EngineSettings()
    folder: Path = Field(default=Path(), exclude=True)
    file: str = Field(default="study.toml", exclude=True)

    @field_validator("subgroups")
    @classmethod
    def _names_in_conditions_are_looked_up(cls, subgroups: dict[str, Subgroup]) -> dict[str, Subgroup]:
        return bind(subgroups)

    @model_validator(mode="after")
    def _release_needs_a_reason(self) -> Study:
        if self.disclosure.profile == "none" and not (self.synthetic or self.public):
            raise ValueError('profile "none" is allowed only with synthetic = true or public = true')
        return self

    @cached_property
    def layouts(self) -> dict[str, Layout]:
        """The layout of each source."""
        return {name: source.adapt(load_layout(source.layout, self.folder)) for name, source in self.sources.items()}

    def sources_of(self, *tables: str) -> list[str]:
        """Names of the sources that feed one of the given harmonised tables."""
        return [name for name, layout in self.layouts.items() if layout.table in tables]

    def paths(self, source: str) -> list[Path]:
        """The files of a source that exist, in the order of their names' numbers."""
        found = (path for path in self.folder.glob(self.sources[source].files) if path.is_file())
        return sorted(found, key=lambda path: _natural(path.name))

    @property
    def subgroup_plan(self) -> SubgroupAnalysis:
        """What is asked of subgroups, with the outcomes and months that stand where the study file names none."""
        plan = self.subgroup_analysis
        return plan.model_copy(
            update={
                "outcomes": plan.outcomes or (self.primary_definition,),
                "months": plan.months or self.follow_up.landmarks[-1:],
            }
        )

    @property
    def crossover_plan(self) -> Crossover:
        """What counts as starting supported employment: as the study file says, or job support and its form for the young."""
        return self.crossover or Crossover()

    @property
    def arm_labels(self) -> dict[str, str]:
        """Label of each arm, in the order they are shown."""
        return dict(self.arms.labels) if self.arms else {"all": "All participants"}

    @property
    def reference(self) -> str | None:
        """The arm others are compared with, if there are others."""
        return self.arms.reference if self.arms and len(self.arms.labels) > 1 else None


def _natural(name: str) -> list[tuple[int, str]]:
    # m2 sorts before m10, as a person would put them
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
