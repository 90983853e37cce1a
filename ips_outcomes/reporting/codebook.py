"""The codebook: what every column of the analysis data means, said once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup import FollowUp
from ips_outcomes.followup.grid import REASONS
from ips_outcomes.loaders.schemas import SCHEMAS
from ips_outcomes.reporting.definition_words import every_setting
from ips_outcomes.reporting.state_words import state_labels
from ips_outcomes.reporting.words import Words, words
from ips_outcomes.study.conditions import UNKNOWN

__all__ = ["CODEBOOK", "Entry", "analysis_tables", "codebook", "missing_letters"]

Kind = Literal["text", "number", "yes/no", "date", "month"]


@dataclass(frozen=True)
class Entry:
    """One column.

    Attributes
    ----------
    column : str
    kind : {"text", "number", "yes/no", "date", "month"}
        ``month`` is a calendar month, written yyyymm.
    meaning, unit, values, missing : str
        In words; ``missing`` says what an empty cell means.
    labels : tuple of (int, str)
        What the codes of a number stand for.
    since_1970 : bool
        The follow-up keeps this month as a count of months since January 1970.
    reasons : bool
        An empty cell has its reason in the column ``reason``.
    """

    column: str
    kind: Kind
    meaning: str
    unit: str = ""
    values: str = ""
    missing: str = "never empty"
    labels: tuple[tuple[int, str], ...] = ()
    since_1970: bool = False
    reasons: bool = False
    left_open: str = ""
    """What an empty cell without a reason means, where it has reasons."""


_REASON_WORDS = {
    "dead": "dead", "abroad": "abroad", "not_linked": "on no register's linkage list", "before_source": "before the register starts",
    "after_extraction": "after the extraction", "file_missing": "the month's file is missing",
    "blank": "left blank by the register",
}  # fmt: skip
_OPEN = "not known for this definition: a rule has no answer, or the day it looks at is not observed"
_NO_PAY = "not known in an observed month: no register of pay, or of schemes, speaks for it, or a paid job has no kind"
_NO_G = "not known in an observed month: the pay is not known, or the month's G is not"
_NO_HOURS = "not known in an observed month: no register of hours speaks for it, a job lacks them, or the answer is open"
_WHY = "not known, never 0: the column reason says why; without a reason, "
_PERSON = Entry("person_id", "text", "The participant's pseudonymous key")
_ARM = Entry("arm", "text", "Arm")
_NOT_AT_RISK = "not at risk of a first job"
_UNKNOWN = "not known"

#: Columns of person-months that depend on the study's sources.
_OF_SOURCES = (
    Entry("in_education", "yes/no", "Attends a course on the 16th", missing="no delivery of courses speaks for the month, or dead or abroad"),
    Entry("upper_secondary_since", "yes/no", "Has completed upper secondary school since inclusion",
          missing="completed or not known at inclusion, month before 0, after the delivery's last date, or dead or abroad"),
    Entry("neet", "yes/no", "Not in employment, education or training, by the study file's states",
          missing="of another age at inclusion, or the state is dead, abroad or not observed"),
)  # fmt: skip

#: Every column that does not depend on the study, by table. Definitions and subgroups are added by `codebook`.
CODEBOOK: dict[str, tuple[Entry, ...]] = {
    "person_months": (
        _PERSON, _ARM,
        Entry("month", "number", "Month since the month of the index date: 0 is that month, shown and never counted; below 0 is history", "months"),
        Entry("calendar_month", "month", "Calendar month", "yyyymm"),
        Entry("observed", "yes/no", "Whether the primary definition's registers could see the person in this month"),
        Entry("reason", "text", "Why the month is not observed", values="; ".join(f"{r}: {_REASON_WORDS[r]}" for r in REASONS[1:]),
              missing="the month is observed"),
        Entry("source_system", "text", "Register system that speaks for the month; levels of different systems are not comparable",
              missing="the month is not observed"),
        Entry("crosses_2015_break", "yes/no", "Whether the person's months 1 to the last lie on both sides of January 2015, when a-ordningen replaced the Aa-register"),
    ),
    "first_job": (
        _PERSON, _ARM,
        Entry("at_risk", "yes/no", "Whether the person is at risk of a first job"),
        Entry("not_at_risk_because", "text", "Why the person is not at risk", missing="the person is at risk"),
        Entry("time", "number", "Months to the first job, to death, or to the last month known", "months", missing=_NOT_AT_RISK),
        Entry("event", "number", "How the wait ended", values="0 censored; 1 first job; 2 death",
              missing=_NOT_AT_RISK, labels=((0, "censored"), (1, "first job"), (2, "death"))),
        Entry("ended_by", "text", "What ended the wait: first_job, death, end_of_follow_up, or why the next month is not known",
              missing=_NOT_AT_RISK),
    ),
    "baseline": (
        _PERSON, _ARM,
        Entry("centre", "text", "Centre or office", missing=_UNKNOWN),
        Entry("index_date", "date", "The date that starts the person's clock"),
        Entry("index_month", "month", "Calendar month of the index date", "yyyymm", since_1970=True),
        Entry("birth_month", "month", "Calendar month of birth", "yyyymm", missing=_UNKNOWN, since_1970=True),
        Entry("age", "number", "Completed years at the index month", "years", "0 to 120", _UNKNOWN),
        Entry("sex", "text", "Sex, as the study file names it", missing=_UNKNOWN),
        Entry("education", "text", "NUS2000 code as delivered; text, since it may begin with a zero", missing=_UNKNOWN),
        Entry("education_level", "number", "First digit of the NUS2000 code", values="0 to 8", missing=_UNKNOWN),
        Entry("upper_secondary", "text", "Upper secondary school", values="completed: level 4 to 8; not_completed: level 0 to 3",
              missing=_UNKNOWN),
        Entry("diagnosis_group", "text", "Diagnosis group at inclusion", missing=_UNKNOWN),
        Entry("months_in_work_before", "number", "Months in work, by the primary definition, among the 12 before inclusion", "months",
              "0 to 12", "not all 12 months are known"),
    ),
}  # fmt: skip


def missing_letters(left_open: str = "") -> dict[str, tuple[str, str]]:
    """Stata's extended missing values: letter and label of each reason; the empty reason is an answer left open."""
    letters = {reason: (chr(ord("a") + i), _REASON_WORDS[reason]) for i, reason in enumerate(REASONS[1:])}
    return {**letters, "": ("z", left_open or _OPEN)}


def analysis_tables(followed: FollowUp) -> dict[str, pd.DataFrame]:
    """The tables that are handed on, by name."""
    return {"person_months": followed.person_months, "first_job": followed.first_job, "baseline": followed.baseline}


def codebook(followed: FollowUp) -> dict[str, tuple[Entry, ...]]:
    """What each column means, by table, in the tables' own order.

    Parameters
    ----------
    followed : FollowUp

    Raises
    ------
    UnsupportedError
        If a table has a column that the codebook does not know.
    """
    study, say = followed.study, words(followed.study.language)
    own = _of_study(followed, say)
    arms = "; ".join(f"{arm}: {label}" for arm, label in study.arm_labels.items())
    made = {}
    for name, table in analysis_tables(followed).items():
        known = {e.column: e for e in (*CODEBOOK[name], *own.get(name, ()))}
        if name == "baseline":
            known = {**_of_schema(), **known}
        unknown = [c for c in table if c not in known]
        if unknown:
            raise UnsupportedError(
                f"the codebook does not know {name}.{unknown[0]}: this is a fault in ips_outcomes; please report it"
            )
        made[name] = tuple(replace(known[c], values=arms) if c == "arm" else known[c] for c in table)
    return made


def _of_study(followed: FollowUp, say: Words) -> dict[str, list[Entry]]:
    """Definitions and subgroups: columns that the study file names."""
    study, months, levels = followed.study, [], []
    why = "not known: the column reason says why; without a reason, " + _OPEN
    for name, definition in study.employed.items():
        months.append(Entry(name, "yes/no", f"In work: {definition.label}. Counts where: {'; '.join(every_setting(definition, say))}", missing=why,
                            reasons=True))  # fmt: skip
    primary = study.primary_definition
    label = study.employed[primary].label
    of_jobs = f"jobs that {primary} ({label}) counts, without what schemes take"
    months.append(
        Entry(f"{primary}_composite", "yes/no", f"In work: {label}, the dead counted as not in work", missing=why, reasons=True)
    )
    months += [
        Entry("pay_nok", "number", f"Pay in the month, held on its day or not: {of_jobs}", "kroner, with øre as decimals",
              "0 where nothing was paid; a correction may be negative", _WHY + _NO_PAY, reasons=True, left_open=_NO_PAY),
        Entry("pay_g", "number", f"Pay in the month in twelfths of the G in force: {of_jobs}", "G/12 of that month",
              "1 is pay at the rate of one G a year; sums over months divided by 12 are in G", _WHY + _NO_G, reasons=True,
              left_open=_NO_G),
        Entry("weekly_hours", "number", f"Agreed weekly hours: {of_jobs}", "hours a week",
              "from 0; 0 where the answer is no", _WHY + _NO_HOURS, reasons=True, left_open=_NO_HOURS),
    ]  # fmt: skip
    if study.states is not None:
        labels = state_labels(study, say)
        months.append(Entry("state", "text", "The one state of the month, by the study file's ordered rule",
                            values="; ".join(f"{state}: {label}" for state, label in labels.items())))  # fmt: skip
    months += [entry for entry in _OF_SOURCES if entry.column in followed.person_months]
    for name, group in study.subgroups.items():
        # where each value of a column is a level, the data says which there are
        named = group.labels or group.ordered(followed.baseline[name].tolist())
        levels.append(Entry(name, "text", f"Subgroup: {group.title} ({group.rule})", values="; ".join([*named, UNKNOWN])))
    return {"person_months": months, "baseline": levels}


def _of_schema() -> dict[str, Entry]:
    """Columns that a participant may have beside the common ones, as the loaders describe them."""
    found = {}
    for name, column in SCHEMAS["participants"].columns.items():
        dtype = str(column.dtype).lower()
        kind: Kind = (
            "date"
            if "datetime" in dtype
            else "yes/no"
            if "bool" in dtype
            else "number"
            if "int" in dtype or "float" in dtype
            else "text"
        )
        missing = _UNKNOWN if column.nullable else "never empty"
        found[str(name)] = Entry(str(name), kind, str(column.description or name), missing=missing)
    return found
