"""The chapter on the break of January 2015: does the comparison hold when the registers' change is taken into account.

Both answers that the rules ask for: (i) rates adjusted for the calendar
period, by arm; (ii) only people whose months of follow-up all lie on one side,
with their number, and those on both sides beside them. Absent where nobody is
followed across the break.

What leaves: adjusted rates are model results (`hidden_models`). The three kinds
of people add up to their arm: in a month where a count or its complement is
small in any of them, all three are hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ips_outcomes.analysis import compare_arms, employment_rates, period_adjusted_rates
from ips_outcomes.estimates import Estimates, combine
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.by_arm import arms_with_people, asked, compared
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import pick
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hidden_contrasts, hidden_models, hidden_rates, hide, unsafe
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["answers", "plans", "release", "sentences", "tables"]

Answers = Mapping[str, Estimates | pd.DataFrame]

#: Where a person's months of follow-up lie, in the order of the table.
SIDES = ("before", "since", "both")
#: January 2015, as person-months write it.
SINCE = 201501


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """Rates at the landmarks as they are, adjusted for the period, and of people on one side or on both."""
    months, outcome = followed.person_months, study.primary_definition
    if not months["crosses_2015_break"].any():
        return {}
    landmarks, last = list(study.follow_up.landmarks), study.follow_up.months
    found: dict[str, Estimates | pd.DataFrame] = {}
    adjusted = asked(study, followed, lambda d: period_adjusted_rates(d, outcome, at=landmarks, since=SINCE, within=(1, last)))
    if adjusted is not None:
        found["break_adjusted"] = adjusted
    first = months[months["month"] == 1].set_index("person_id")
    side = pd.Series(np.where(first["crosses_2015_break"], "both", np.where(first["calendar_month"] < SINCE, "before", "since")),
                     index=first.index)  # fmt: skip
    rows = months[months["month"].isin(landmarks)]
    rows = rows.assign(side=rows["person_id"].map(side))
    two = compared(study, arms_with_people(study, followed))
    parts = {"all": rows} | {name: rows[rows["side"] == name] for name in SIDES}
    rates, contrasts = [], []
    for name, part in parts.items():
        known = part[part[outcome].notna()]
        if known.empty:
            continue
        shares = employment_rates(part, outcome, by="arm", at=landmarks)
        rates.append(shares.with_table(shares.table.assign(subgroup="side", level=name)))
        if two and known["arm"].drop_duplicates().size > 1 and (known["arm"] == study.reference).any():
            differences = compare_arms(part, outcome, reference=study.reference, at=landmarks).select(measure="risk_difference")
            contrasts.append(differences.with_table(differences.table.assign(subgroup="side", level=name)))
    if rates:
        found["break_sides_rates"] = combine(rates, "Shares by side of January 2015")
    if contrasts:
        found["break_sides"] = combine(contrasts, "Arms compared by side of January 2015")
    return found


def release(given: Answers, profile: Profile, words: Words) -> Answers:
    """What may leave."""
    made = dict[str, Estimates | pd.DataFrame]()
    adjusted, rates, contrasts = (given.get(name) for name in ("break_adjusted", "break_sides_rates", "break_sides"))
    if isinstance(adjusted, Estimates):
        made["break_adjusted"] = hidden_models(adjusted, profile, 2) or adjusted
    if isinstance(rates, Estimates):
        parts = rates.table[rates.table["level"] != "all"]
        touched = set(parts.loc[unsafe(parts, "n", "events", profile.threshold), "month"])
        counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
        for name, part, hidden in (("break_sides_rates", rates, hidden_rates(rates, profile.threshold)),
                                   ("break_sides", contrasts, hidden_contrasts(contrasts if isinstance(contrasts, Estimates) else None,
                                                                               profile.threshold))):  # fmt: skip
            if not isinstance(part, Estimates) or hidden is None:
                continue
            gone = ((part.table["level"] != "all") & part.table["month"].isin(touched)).to_numpy(dtype=bool)
            gone |= hidden.table["hidden"].to_numpy(dtype=bool)
            sides = gone & (part.table["level"] != "all").to_numpy(dtype=bool)
            table = hide(hidden.table, gone, ["events", *NUMBERS])
            made[name] = hidden.with_table(hide(table, sides, [*counts, *NUMBERS]).assign(hidden=gone))
    return made


def plans(study: Study, given: Answers, canvas: Canvas) -> list[Plan]:
    """None: a table says it."""
    return []


def tables(study: Study, given: Answers, canvas: Canvas) -> dict[str, Shown]:
    """A row an answer, a column a landmark: differences between arms, or shares where there is nobody to compare with."""
    say, landmarks = canvas.words, study.follow_up.landmarks
    sides, adjusted = given.get("break_sides"), given.get("break_adjusted")
    two = isinstance(sides, Estimates)
    told = sides if two else given.get("break_sides_rates")
    rows = []
    key = "contrast" if two else "group"
    who = list(dict.fromkeys(told.table[key])) if isinstance(told, Estimates) else []
    order = list(canvas.arms)
    who.sort(key=lambda name: order.index(name.split(" - ")[0]))
    for name in who:
        if len(who) > 1:
            rows.append(Row((canvas.arms[name.split(" - ")[0]],), heading=True))
        for level in ("all", "adjusted", *SIDES):
            if level == "adjusted":
                table = adjusted.table if isinstance(adjusted, Estimates) else None
                found = [pick(table, measure="risk_difference" if two else "rate", month=m, **{key: name}) for m in landmarks]
            else:
                assert isinstance(told, Estimates)
                found = [pick(told.table, level=level, month=m, **{key: name}) for m in landmarks]
            if level == "adjusted" and all(row is None for row in found):
                continue
            if all(row is None for row in found):
                # nobody, and said so: their number is part of the answer
                cells = [say("break.nobody_to_compare" if two else "break.nobody")] * len(found)
                rows.append(Row((say(f"break.{level}"), *cells), indent=len(who) > 1))
            else:
                cells = [_cell(row, canvas, counted=level != "adjusted", points=two) for row in found]
                rows.append(Row((say(f"break.{level}"), *cells), indent=len(who) > 1))
    if not rows:
        return {}
    columns = (say("break.what"), *(say("axis.month", month=m) for m in landmarks))
    caption = say("break.table" if two else "break.table_one", label=study.employed[study.primary_definition].label)
    notes = [say("break.note")]
    if isinstance(told, Estimates) and "hidden" in told.table and told.table["hidden"].any():
        notes.append(say("break.hidden"))
    return {"break": Shown(caption, columns, tuple(rows), tuple(notes))}


def _cell(row: pd.Series | None, canvas: Canvas, *, counted: bool, points: bool) -> str:
    if row is None or pd.isna(row["estimate"]):
        return numbers.NOTHING
    text = numbers.estimate_with_interval(row, numbers.points if points else numbers.percent)
    return f"{text}, {canvas.words('break.people', people=numbers.count(row['n']))}" if counted and pd.notna(row["n"]) else text


def sentences(study: Study, given: Answers, canvas: Canvas) -> list[str]:
    """What the break did to each arm, from the intervals."""
    say, adjusted = canvas.words, given.get("break_adjusted")
    lines = [say("break.intro")]
    table = adjusted.table if isinstance(adjusted, Estimates) else pd.DataFrame({"measure": []})
    shifts = table[table["measure"].isin(["shift", "shift_difference"])]
    place = {arm: i for i, arm in enumerate(canvas.arms)}
    for _, row in shifts.assign(_place=shifts.get("group", pd.Series(dtype=object)).map(place)).sort_values("_place").iterrows():
        if pd.isna(row["conf_low"]):
            continue
        said = {
            "points": numbers.points(row["estimate"]),
            "interval": numbers.interval(row["conf_low"], row["conf_high"], numbers.points),
        }
        way = "up" if row["conf_low"] > 0 else "down" if row["conf_high"] < 0 else "open"
        if row["group"]:
            lines.append(say(f"break.shift_{way}", arm=canvas.arms[row["group"]], **said))
        else:
            arm, reference = row["contrast"].split(" - ")
            apart = "same" if way == "open" else "apart"
            lines.append(say(f"break.shift_{apart}", arm=canvas.arms[arm], reference=canvas.arms[reference], **said))
    return [" ".join(lines)]
