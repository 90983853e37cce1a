"""The section "For whom" in tables and sentences, all from released numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.for_whom import family_size, in_order
from ips_outcomes.reporting.forest_rows import ADDITIVE, arms_of, is_ratio
from ips_outcomes.reporting.lookup import pick
from ips_outcomes.reporting.results import Results
from ips_outcomes.reporting.tables import Noted, Row, Shown, definition_label
from ips_outcomes.study import Study

__all__ = ["for_whom_tables", "for_whom_words", "headings"]

#: Below it a difference is said to be there.
LEVEL = 0.05


def headings(study: Study, canvas: Canvas) -> dict[str, str]:
    """What each subgroup is called: the characteristic it divides people by, or its own label where that is not one."""
    columns = {name: getattr(subgroup, "column", None) for name, subgroup in study.subgroups.items()}
    found = {}
    for name, column in columns.items():
        label = study.subgroups[name].title
        if column is None:
            found[name] = label
            continue
        found[name] = canvas.words.label("baseline", column)
        if list(columns.values()).count(column) > 1:
            found[name] += f": {label}"
    return found


def for_whom_tables(study: Study, results: Results, canvas: Canvas) -> dict[str, Shown]:
    """Tables of differences between groups, and of raw and shrunken effects; none where arms cannot be compared."""
    if results.subgroup_effects is None:
        return {}
    made = {
        "interactions": _interactions(study, results.subgroup_effects, canvas),
        "subgroup_effects": _effects(study, results.subgroup_effects, canvas),
    }
    return {name: table for name, table in made.items() if table.rows}


def _primary(table: pd.DataFrame) -> str:
    """The scale whose differences are the family of tests."""
    rows = table[table["measure"] == "interaction"]
    return str((rows if len(rows) else table)["scale"].iloc[0])


def _other(primary: str) -> str:
    """The scale shown beside it: ratios beside differences, and the reverse."""
    return "risk_ratio" if primary in ADDITIVE else "risk_difference"


def _style(scale: str) -> Callable[[Any], str]:
    return numbers.ratio if is_ratio(scale) else numbers.points


def _questions(table: pd.DataFrame) -> list[tuple[Any, Any, tuple[str, str]]]:
    keys = zip(table["outcome"], table["month"], [arms_of(c) for c in table["contrast"]], strict=True)
    return list(dict.fromkeys(keys))


def _part(table: pd.DataFrame, question: tuple[Any, Any, tuple[str, str]]) -> pd.DataFrame:
    outcome, month, arms = question
    own = np.array([arms_of(c) == arms for c in table["contrast"]], dtype=bool)
    return table[(table["outcome"] == outcome) & (table["month"] == month) & own]


def _telling(study: Study, table: pd.DataFrame, canvas: Canvas) -> dict[Any, str]:
    """What tells each question from the others."""
    questions = _questions(table)
    several = [len({q[i] for q in questions}) > 1 for i in range(3)]
    return {
        (outcome, month, arms): ", ".join(word for word, tells in zip(
            (definition_label(study, outcome, canvas), canvas.words("axis.month", month=month).lower(), canvas.arms.get(arms[0], arms[0])),
            several, strict=True) if tells)
        for outcome, month, arms in questions
    }  # fmt: skip


def _about(study: Study, table: pd.DataFrame, canvas: Canvas) -> str:
    """Outcome and month of all rows, as far as they are the same."""
    outcomes, months = list(dict.fromkeys(table["outcome"])), list(dict.fromkeys(table["month"]))
    parts = [definition_label(study, outcomes[0], canvas)] if len(outcomes) == 1 else []
    parts += [canvas.words("axis.month", month=months[0]).lower()] if len(months) == 1 else []
    return ", ".join(parts) or canvas.words("for_whom.several")


def _interval(row: pd.Series | None, scale: str) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, _style(scale))


def _interactions(study: Study, effects: Estimates, canvas: Canvas) -> Shown:
    say, table = canvas.words, effects.table
    primary, other = _primary(table), _other(_primary(table))
    telling, names = _telling(study, table, canvas), headings(study, canvas)
    rows = []
    for subgroup in dict.fromkeys(s for s in table["subgroup"] if s):
        made = []
        for question, told in telling.items():
            part = _part(table[table["subgroup"] == subgroup], question)
            for _, row in part[part["measure"] == "interaction"].iterrows():
                beside = pick(part, measure=f"interaction_{other}", level=row["level"])
                name = say("for_whom.against", level=row["level"], other=row["compared_with"]) + (f" ({told})" if told else "")
                made.append(Row((
                    name, _interval(row, primary), numbers.p_value(row["p_value"]), numbers.p_value(row["p_adjusted"]),
                    numbers.p_value(row["p_holm"]), _interval(beside, other),
                    numbers.NOTHING if beside is None else numbers.p_value(beside["p_value"]),
                ), indent=True))  # fmt: skip
            together = part[part["measure"] == "interaction_test"]
            for _, row in together.iterrows():
                name = say("for_whom.together") + (f" ({told})" if told else "")
                made.append(Row((name, "", numbers.p_value(row["p_value"]), "", "", "", ""), indent=True))
        rows += [Row((names.get(subgroup, subgroup),), heading=True), *made] if made else []
    columns = tuple(
        say(f"column.{c}") for c in ("groups", f"interaction_{primary}", "p", "p_adjusted", "p_holm", f"interaction_{other}", "p")
    )
    caption = say("table.interactions", about=_about(study, table, canvas), tests=family_size(effects))
    return Shown(caption, columns, tuple(rows), (say("note.interactions"),))


def _effects(study: Study, effects: Estimates, canvas: Canvas) -> Shown:
    say, table = canvas.words, effects.table
    primary, other = _primary(table), _other(_primary(table))
    telling, names = _telling(study, table, canvas), headings(study, canvas)
    rows = list[Row]()
    for question, told in telling.items():
        part = _part(table, question)
        rows += [Row((told,), heading=True)] if told else []
        for subgroup in dict.fromkeys(part["subgroup"]):
            levels = part[(part["subgroup"] == subgroup) & (part["measure"] == primary)]
            if subgroup:
                rows.append(Row((names.get(subgroup, subgroup),), heading=True))
            for level in in_order(study, subgroup, levels["level"]):
                row = levels[levels["level"] == level].iloc[0]
                name = level or say("axis.everybody")
                rows.append(Row((
                    Noted(name, say("forest.key_few")) if pd.notna(row["few_events"]) and row["few_events"] else name,
                    *(_count(row, side) for side in ("arm", "reference")), _interval(row, primary),
                    _shrunken(row, primary), _interval(pick(part, subgroup=subgroup, level=level, measure=other), other),
                ), indent=bool(subgroup)))  # fmt: skip
    compared = _questions(table)
    arm = canvas.arms.get(compared[0][2][0]) if len({q[2] for q in compared}) == 1 else None
    reference = canvas.arms.get(compared[0][2][1], compared[0][2][1])
    sides = (say("column.in_work_of", arm=arm or say("for_whom.arm")), say("column.in_work_of", arm=reference))
    columns = (say("column.subgroup"), *sides, say(f"column.{primary}"), say("column.shrunken"), say(f"column.{other}"))
    prior = table["prior_sd"].dropna()
    notes = (
        [say("note.shrunken", prior=_style(primary)(prior.iloc[0]) if not is_ratio(primary) else numbers.ratio(prior.iloc[0]))]
        if len(prior)
        else []
    )
    for note in effects.notes:
        name, colon, text = note.partition(": ")
        notes.append(f"{names[name]}: {text}" if colon and name in names else note)
    return Shown(say("table.subgroup_effects", about=_about(study, table, canvas)), columns, tuple(rows), tuple(notes))


def _count(row: pd.Series, side: str) -> str:
    if pd.isna(row[f"n_{side}"]):
        return numbers.NOTHING
    return f"{numbers.count(row[f'events_{side}'])} / {numbers.count(row[f'n_{side}'])}"


def _shrunken(row: pd.Series, scale: str) -> str:
    drawn = pd.Series({"estimate": row["shrunken"], "conf_low": row["shrunken_low"], "conf_high": row["shrunken_high"]})
    return _interval(drawn, scale)


def for_whom_words(study: Study, results: Results, canvas: Canvas) -> list[str]:
    """What the tests of the family say, in sentences."""
    if results.subgroup_effects is None:
        return []
    say, table = canvas.words, results.subgroup_effects.table
    tests = family_size(results.subgroup_effects)
    rows = table[(table["measure"] == "interaction")]
    # a p that the gate holds back is told by Holm's, which rests on counts
    p_value = rows["p_adjusted"].where(rows["p_adjusted"].notna(), rows["p_holm"])
    shown = rows[p_value.notna()].assign(_p=p_value[p_value.notna()])
    if rows.empty:
        return []
    hidden = int(rows["hidden"].sum()) if "hidden" in rows else 0
    if shown.empty:
        return [say("for_whom.all_hidden" if hidden else "for_whom.nothing"), say("for_whom.no_test")]
    scale, telling = _primary(table), _telling(study, table, canvas)
    lines = []
    for _, row in shown[shown["_p"] < LEVEL].iterrows():
        up = row["estimate"] > (1 if is_ratio(scale) else 0)
        told = telling[(row["outcome"], row["month"], arms_of(row["contrast"]))]
        lines.append(say(
            "for_whom.larger" if up else "for_whom.smaller", level=row["level"], other=row["compared_with"], about=f" ({told})" if told else "",
            difference=say(f"for_whom.{'ratio' if is_ratio(scale) else 'difference'}", value=_interval(row, scale)),
            p=_below(row["_p"]), tests=tests,
        ))  # fmt: skip
    if not lines:
        smallest = _below(shown["_p"].min())
        lines = [say("for_whom.none_one", p=smallest) if tests == 1 else say("for_whom.none", tests=tests, p=smallest)]
    if hidden:
        lines.append(say("for_whom.hidden", hidden=hidden, tests=tests))
    return [" ".join(lines), say("for_whom.no_test")]


def _below(p_value: float) -> str:
    shown = numbers.p_value(p_value)
    return shown if shown.startswith("<") else f"= {shown}"
