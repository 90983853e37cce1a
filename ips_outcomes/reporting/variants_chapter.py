"""The chapter on other definitions: employment month by month under each definition of the study file, side by side.

Nothing is named here: a definition that is added to the study file has its
panel. Differences at the landmarks stand in the table of sensitivity.

What leaves: each share as all shares by month. Definitions are mostly nested
(the lenient one counts the strict one's months and some more), so that two
shares of the same month could be subtracted: where the people or the people
in work of two definitions differ by fewer than the threshold, the later one
is hidden in that month and arm; the primary definition comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ips_outcomes.analysis import employment_rates
from ips_outcomes.estimates import Estimates, combine
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.small_multiples import level_curves
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hidden_rates, hide, near_definitions
from ips_outcomes.reporting.tables import Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["answers", "plans", "release", "sentences", "tables"]

Answers = Mapping[str, Estimates | pd.DataFrame]

#: Months with fewer people of an arm stand in the table, not in the picture.
FEW = 20


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """Shares by arm and month under every definition; nothing where there is one alone."""
    if len(study.employed) < 2:
        return {}
    plan = study.follow_up
    months = list(range(-plan.history, plan.months + 1))
    names = list(dict.fromkeys([study.primary_definition, *study.employed]))
    found = combine([employment_rates(followed, name, by="arm", at=months) for name in names], "Shares by definition")
    # a definition without any answer has no curve
    known = found.table.groupby("outcome")["n"].transform("sum") > 0
    return {"rates_by_definition": found.with_table(found.table[known].reset_index(drop=True))} if known.any() else {}


def release(given: Answers, profile: Profile, words: Words) -> Answers:
    """What may leave."""
    exact = given["rates_by_definition"]
    assert isinstance(exact, Estimates)
    shown = hidden_rates(exact, profile.threshold)
    near = near_definitions(exact.table, shown.table["hidden"].to_numpy(dtype=bool), profile.threshold)
    hidden = near | shown.table["hidden"].to_numpy(dtype=bool)
    table = hide(shown.table, hidden, ["events", *NUMBERS])
    table["n"] = table["n"].mask(near)
    return {"rates_by_definition": shown.with_table(table)}


def plans(study: Study, given: Answers, canvas: Canvas) -> list[Plan]:
    """A panel a definition."""
    estimates = given["rates_by_definition"]
    assert isinstance(estimates, Estimates)
    table = estimates.table
    labels = {name: study.employed[name].label for name in dict.fromkeys([study.primary_definition, *study.employed])}
    if len(set(labels.values())) < len(labels):
        labels = {name: f"{label} ({name})" for name, label in labels.items()}
    many = table["estimate"].notna() & (table["n"].fillna(0) >= FEW)
    told = [name for name in labels if (many & (table["outcome"] == name)).any()]
    if len(told) < 2:
        return []
    drawn = estimates.with_table(table.assign(subgroup="definition", level=table["outcome"].map(labels)))
    # a share of a handful has a band as tall as the picture
    few = (table["n"].fillna(0) < FEW).to_numpy(dtype=bool)
    drawn.table.loc[few, ["estimate", "conf_low", "conf_high"]] = np.nan
    levels, end, say = {"definition": [labels[name] for name in told]}, study.follow_up.programme_end_month, canvas.words
    caption = say("variants.caption", few=FEW)
    if "hidden" in table and table["hidden"].any():
        caption += " " + say("variants.hidden")
    return [Plan("definitions", lambda c: level_curves(drawn, c, levels, headings={"definition": ""}, programme_end=end), table, caption,
                 say("variants.alt", text="; ".join(labels[name] for name in told)))]  # fmt: skip


def tables(study: Study, given: Answers, canvas: Canvas) -> dict[str, Shown]:
    """None: differences under each definition stand beside the main comparison."""
    return {}


def sentences(study: Study, given: Answers, canvas: Canvas) -> list[str]:
    """How to read the panels; nothing where there is no panel."""
    return [canvas.words("variants.intro")] if plans(study, given, canvas) else []
