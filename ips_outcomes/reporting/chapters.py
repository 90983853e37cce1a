"""Parts of the report that stand for themselves: each asks, passes the gate, draws and tells in a file of its own.

A chapter is a section of the page. The report knows no more of it than the
functions below, so that a new chapter is a new file and a line in `CHAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ips_outcomes.estimates import Estimates
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import (
    break_chapter,
    crossover_chapter,
    education_chapter,
    services_chapter,
    states_chapter,
    staying_answers,
    staying_chapter,
    staying_release,
    trend_chapter,
    variants_chapter,
)
from ips_outcomes.reporting.chapter_estimands import BY_CHAPTER
from ips_outcomes.reporting.estimands import Estimand, Terms, main_estimands
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.suppression import Profile
from ips_outcomes.reporting.tables import Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["CHAPTERS", "Answers", "Chapter", "ask", "estimands", "person_level", "place_after", "release"]

#: Estimates and tables by name; the name is that of the file in ``tables/``.
Answers = Mapping[str, Estimates | pd.DataFrame]


@dataclass(frozen=True)
class Chapter:
    """A section of the report.

    Attributes
    ----------
    name : str
        The section's id; its title is the word ``section.<name>``.
    after : str
        Id of the section that it follows; of a chapter that a study lacks, that chapter's own place.
    answers : callable
        Of study, cohort and follow-up. Nothing where the study does not have
        what the chapter is about; comparisons are absent where
        ``study.reference`` is, or where one arm alone has people.
    release : callable
        Of answers, profile and words: what may leave under a profile with a
        threshold. Profile ``none`` never asks it.
    plans, tables, sentences : callable
        Of study, answers (exact or released) and canvas: figures, tables for reading
        by name, and paragraphs at the section's head.
    folded : tuple of str
        Tables that stand folded at the section's end.
    internal : frozenset of str
        Answers, and the figures of the same names, that hold single people:
        they stand in internal/ alone, whatever the profile.
    estimand : callable, optional
        Of the sheet's terms (study, results, canvas): the chapter's blocks of
        the estimand sheet. Without it, those of `chapter_estimands`, if any.
    """

    name: str
    after: str
    answers: Callable[[Study, Cohort, FollowUp], Answers]
    release: Callable[[Answers, Profile, Words], Answers]
    plans: Callable[[Study, Answers, Canvas], list[Plan]]
    tables: Callable[[Study, Answers, Canvas], dict[str, Shown]]
    sentences: Callable[[Study, Answers, Canvas], list[str]]
    folded: tuple[str, ...] = ()
    internal: frozenset[str] = frozenset()
    estimand: Callable[[Terms], list[Estimand]] | None = None


#: In the order of the page, where several follow the same section.
CHAPTERS: tuple[Chapter, ...] = (
    Chapter("trend", "employment", trend_chapter.answers, trend_chapter.release, trend_chapter.plans, trend_chapter.tables,
            trend_chapter.sentences),
    Chapter("variants", "landmarks", variants_chapter.answers, variants_chapter.release, variants_chapter.plans,
            variants_chapter.tables, variants_chapter.sentences),
    Chapter("break", "variants", break_chapter.answers, break_chapter.release, break_chapter.plans, break_chapter.tables,
            break_chapter.sentences),
    Chapter("staying", "first-job", staying_answers.answers, staying_release.release, staying_chapter.plans, staying_chapter.tables,
            staying_chapter.sentences, staying_chapter.FOLDED),
    Chapter("states", "staying", states_chapter.answers, states_chapter.release, states_chapter.plans, states_chapter.tables,
            states_chapter.sentences, ("state_flows", "state_transitions"), frozenset({states_chapter.PERSON_LEVEL})),
    Chapter("education", "states", education_chapter.answers, education_chapter.release, education_chapter.plans,
            education_chapter.tables, education_chapter.sentences),
    Chapter("crossover", "education", crossover_chapter.answers, crossover_chapter.release, crossover_chapter.plans,
            crossover_chapter.tables, crossover_chapter.sentences),
    Chapter("services", "subgroups", services_chapter.answers, services_chapter.release, services_chapter.plans,
            services_chapter.tables, services_chapter.sentences),
)  # fmt: skip


def ask(study: Study, cohort: Cohort, followed: FollowUp) -> dict[str, Answers]:
    """The answers of every chapter that this study has."""
    found = {chapter.name: chapter.answers(study, cohort, followed) for chapter in CHAPTERS}
    return {name: answers for name, answers in found.items() if answers}


def release(asked: Mapping[str, Answers], profile: Profile, words: Words) -> dict[str, Answers]:
    """The answers of every chapter as they may leave: under any profile without those of single people."""
    kept = {name: {k: v for k, v in answers.items() if k not in person_level()} for name, answers in asked.items()}
    if profile.threshold == 0:
        return dict(kept)
    return {c.name: c.release(kept[c.name], profile, words) for c in CHAPTERS if c.name in kept}


def person_level() -> frozenset[str]:
    """Names of the answers and figures of every chapter that hold single people."""
    return frozenset().union(*(chapter.internal for chapter in CHAPTERS))


def place_after(after: str, sections: Sequence[str]) -> int:
    """How many sections stand before a chapter that follows ``after``."""
    homes = {chapter.name: chapter.after for chapter in CHAPTERS}
    while after not in sections and after in homes:
        after = homes[after]
    return sections.index(after) + 1 if after in sections else len(sections)


def estimands(terms: Terms) -> list[Estimand]:
    """The estimand sheet: the report's own answers, and those of the chapters that this study has."""
    blocks = main_estimands(terms)
    for chapter in CHAPTERS:
        bring = chapter.estimand or BY_CHAPTER.get(chapter.name)
        if chapter.name in terms.results.chapters and bring is not None:
            blocks += bring(terms)
    return blocks
