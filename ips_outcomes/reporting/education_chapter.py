"""The chapter on education: who attends a course, who has completed school, and the young in neither work nor school.

What leaves: numbers of people by arm and month, without those that are small
or leave a small number over, and shares, intervals and comparisons that can be
computed from the numbers that are left. Those who attend a course are those in
the state of education and those who are in an earlier state beside it: where
these are few, the number of the chapter on states would tell how few.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from ips_outcomes.analysis import compare_arms, employment_rates
from ips_outcomes.estimates import Estimates, combine
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import figures, numbers
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.state_words import state_labels
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hidden_contrasts, hidden_rates, hide, small
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

if TYPE_CHECKING:
    from ips_outcomes.reporting.chapters import Answers

__all__ = ["OUTCOMES", "answers", "plans", "release", "sentences", "tables"]

#: Columns of person-months that the chapter is about, in its order.
OUTCOMES = ("neet", "in_education", "upper_secondary_since")

#: A curve of which a smaller share of the months can be shown is no picture.
_LEAST = 0.6


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """Shares by arm and month, and arms compared at the landmarks, of what the study's sources can tell."""
    months = followed.person_months
    counted = months[months["month"] >= 1]
    asked = [name for name in OUTCOMES if name in months and counted[name].notna().any()]
    if not asked:
        return {}
    every = list(range(study.follow_up.months + 1))
    rates = combine([employment_rates(followed, name, by="arm", at=every) for name in asked], "Education")
    rates = rates.with_table(rates.table.assign(beside=_beside(study, months, rates.table)))
    if not compared(study, arms_with_people(study, followed)):
        return {"education_rates": rates}
    at = list(study.follow_up.landmarks)
    contrasts = combine([compare_arms(followed, name, at=at) for name in asked], "Education: arms compared")
    return {"education_rates": rates, "education_contrasts": contrasts}


def _beside(study: Study, months: pd.DataFrame, rates: pd.DataFrame) -> pd.Series:
    """Of those who attend a course, people whose month is in another state; missing where no state is that of courses."""
    states = [] if study.states is None else [name for name, rule in study.states.rules.items() if rule.course]
    if not states or "in_education" not in months:
        return pd.Series(pd.NA, index=rates.index, dtype="Int64")
    other = months["in_education"].fillna(False).astype(bool) & ~months["state"].isin(states)
    found = other.groupby([months["arm"], months["month"]], observed=True).sum().to_dict()
    keys = zip(rates["group"], rates["month"], rates["outcome"], strict=True)
    return pd.Series(
        [found.get((g, m), 0) if o == "in_education" else pd.NA for g, m, o in keys], index=rates.index, dtype="Int64"
    )


def release(asked: Answers, profile: Profile, words: Words) -> Answers:
    """Counts that are not small, and what follows from them."""
    exact = cast(Estimates, asked["education_rates"])
    rates = hidden_rates(exact, profile.threshold).table
    few = small(exact.table["beside"], profile.threshold)
    rates = hide(rates, few | rates["hidden"].to_numpy(dtype=bool), ["events", *NUMBERS])
    found: dict[str, Estimates | pd.DataFrame] = {"education_rates": exact.with_table(rates.drop(columns="beside"))}
    compared = hidden_contrasts(cast("Estimates | None", asked.get("education_contrasts")), profile.threshold)
    if compared is None:
        return found
    gone = {(o, m, g) for o, m, g in exact.table.loc[few, ["outcome", "month", "group"]].itertuples(index=False, name=None)}
    table = compared.table
    tells = np.array(
        [any((o, m, arm) in gone for arm in str(c).split(" - ")) for o, m, c in zip(table["outcome"], table["month"], table["contrast"], strict=True)],
        dtype=bool,
    )  # fmt: skip
    counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
    table = hide(table, tells | table["hidden"].to_numpy(dtype=bool), [*counts, *NUMBERS])
    return {**found, "education_contrasts": compared.with_table(table)}


def _rates(asked: Answers) -> Estimates:
    return cast(Estimates, asked["education_rates"])


def _outcomes(asked: Answers) -> list[str]:
    return list(dict.fromkeys(_rates(asked).table["outcome"]))


def _label(name: str, study: Study, canvas: Canvas) -> str:
    neet = None if study.states is None else study.states.neet
    return canvas.words(f"education.{name}", age=neet.age_below if neet else "")


def plans(study: Study, asked: Answers, canvas: Canvas) -> list[Plan]:
    """A curve by arm of each outcome of which most months can be shown; the others stand in the table alone."""
    say, last, made = canvas.words, study.follow_up.months, []
    for name in _outcomes(asked):
        part = _rates(asked).select(outcome=name)
        shown = part.table["estimate"]
        if shown.notna().mean() < _LEAST or not (shown > 0).any():
            continue
        text = ", ".join(f"{canvas.arms[a]} {numbers.percent(cell(pick(part, group=a, month=last)))}"
                         for a in canvas.arms if a in set(part.table["group"]))  # fmt: skip
        caption = say(f"education.caption_{name}", label=_label(name, study, canvas))
        if "hidden" in part.table and part.table["hidden"].any():
            caption += " " + say("caption.blank")
        end = study.follow_up.programme_end_month
        alt = say("education.alt", label=_label(name, study, canvas), month=last, text=text)
        made.append(Plan(name, partial(figures.curve, part, programme_end=end), part.table, caption, alt))
    return made


def tables(study: Study, asked: Answers, canvas: Canvas) -> dict[str, Shown]:
    """Shares at the landmarks by arm, with the arms' difference where there are two."""
    say, table = canvas.words, _rates(asked).table
    arms = [a for a in canvas.arms if a in set(table["group"])]
    compared = cast("Estimates | None", asked.get("education_contrasts")) if len(arms) == 2 else None
    rows = []
    for name in _outcomes(asked):
        rows.append(Row((_label(name, study, canvas),), heading=True))
        for month in study.follow_up.landmarks:
            found = [pick(table, outcome=name, group=a, month=month) for a in arms]
            cells = [_share(row) for row in found]
            if compared is not None:
                row = pick(compared, outcome=name, month=month, measure="risk_difference")
                cells.append(numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.points))
            rows.append(Row((say("axis.month", month=month), *cells), indent=True))
    columns = (say("column.month"), *(say("education.column", arm=canvas.arms[a]) for a in arms),
               *((say("column.risk_difference"),) if compared is not None else ()))  # fmt: skip
    return {"education_at_landmarks": Shown(say("education.table"), columns, tuple(rows), (say("education.note"),))}


def _share(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["events"]):
        return numbers.NOTHING
    if not row["n"]:
        return numbers.NOTHING
    return f"{numbers.count(row['events'])} / {numbers.count(row['n'])} ({numbers.percent(row['estimate'])})"


def sentences(study: Study, asked: Answers, canvas: Canvas) -> list[str]:
    """What each outcome is, and the arms' difference at the last landmark."""
    say, lines = canvas.words, []
    labels = state_labels(study, say)
    compared = cast("Estimates | None", asked.get("education_contrasts"))
    month = study.follow_up.landmarks[-1]
    for name in _outcomes(asked):
        neet = None if study.states is None else study.states.neet
        text = say(f"education.what_{name}", age=neet.age_below if neet else "",
                   states=", ".join(labels[s] for s in neet.active) if neet else "")  # fmt: skip
        rows = pd.DataFrame() if compared is None else compared.select(outcome=name, month=month, measure="risk_difference").table
        for _, row in rows.iterrows():
            arm, reference = str(row["contrast"]).split(" - ")
            if pd.isna(row["estimate"]):
                continue
            text += " " + say("education.difference", month=month, arm=canvas.arms[arm], reference=canvas.arms[reference],
                              points=numbers.points(row["estimate"]), low=numbers.points(row["conf_low"]),
                              high=numbers.points(row["conf_high"]))  # fmt: skip
            if not pd.isna(row["conf_low"]):
                text += " " + say(f"finding.{'excludes' if row['conf_low'] > 0 or row['conf_high'] < 0 else 'includes'}_zero")
        lines.append(text)
    return lines
