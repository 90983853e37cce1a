"""Parts of the report that stand for themselves: each asks, passes the gate, draws and tells in a file of its own.

A chapter is a section of the page. The report knows no more of it than the
functions below, so that a new chapter is a new file and a line in `CHAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ips_outcomes.estimates import Estimates
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting.chapter_estimands import BY_CHAPTER
from ips_outcomes.reporting.estimands import Estimand, Terms, main_estimands
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.suppression import Profile
from ips_outcomes.reporting.tables import Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["CHAPTERS", "Answers", "Chapter", "ask", "estimands", "release"]

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
        Id of the section that it follows.
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
    estimand: Callable[[Terms], list[Estimand]] | None = None


#: In the order of the page.
CHAPTERS: tuple[Chapter, ...] = ()


def ask(study: Study, cohort: Cohort, followed: FollowUp) -> dict[str, Answers]:
    """The answers of every chapter that this study has."""
    found = {chapter.name: chapter.answers(study, cohort, followed) for chapter in CHAPTERS}
    return {name: answers for name, answers in found.items() if answers}


def release(asked: Mapping[str, Answers], profile: Profile, words: Words) -> dict[str, Answers]:
    """The answers of every chapter as they may leave."""
    if profile.threshold == 0:
        return dict(asked)
    return {c.name: c.release(asked[c.name], profile, words) for c in CHAPTERS if c.name in asked}


def estimands(terms: Terms) -> list[Estimand]:
    """The estimand sheet: the report's own answers, and those of the chapters that this study has."""
    blocks = main_estimands(terms)
    for chapter in CHAPTERS:
        bring = chapter.estimand or BY_CHAPTER.get(chapter.name)
        if chapter.name in terms.results.chapters and bring is not None:
            blocks += bring(terms)
    return blocks
