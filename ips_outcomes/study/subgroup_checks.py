"""Whether subgroups rest on what was known at inclusion, and on something that a source holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ips_outcomes.study.conditions import BASELINE_COLUMNS, Condition, Rule, leaves
from ips_outcomes.study.layout import Layout
from ips_outcomes.study.model import Study
from ips_outcomes.study.pointing import Add

__all__ = ["LATER", "OF_ESTIMATES", "WHY", "check_conditions", "check_subgroup_analysis", "check_subgroup_sources"]

#: Why a condition must not look at what came after inclusion.
WHY = "comparing people sorted by what happened later is not a subgroup effect, as the arm itself may have sorted them"

#: Columns that hold what happened after inclusion, and what they are.
LATER = {
    **dict.fromkeys(("month", "calendar_month", "observed", "reason", "source_system"), "a column of person-months"),
    **dict.fromkeys(("first_job", "time", "event", "ended_by", "at_risk"), "part of the time to a first job"),
    **dict.fromkeys(("employed", "months_in_work", "weekly_hours", "hours", "pay", "pay_nok", "pay_g"), "an outcome"),
}

#: Columns of every table of estimates, where subgroups' own columns stand beside them.
OF_ESTIMATES = {
    "outcome", "subgroup", "level", "measure", "group", "contrast", "month", "time", "n", "events", "estimate", "std_error",
    "conf_low", "conf_high", "p_value", "method",
}  # fmt: skip

#: Columns of the trial file that subgroups on baseline columns rest on.
_RESTS_ON = {"sex": "sex", "education_level": "education", "upper_secondary": "education",
             "diagnosis_group": "diagnosis_group", "centre": "centre"}  # fmt: skip


def check_conditions(study: Study, left_out: set[tuple[str, ...]], add: Add) -> None:
    """Conditions on anything but baseline columns, names that lead nowhere, and names that lead back to themselves."""
    gone = {part[1] for part in left_out if part[0] == "subgroups" and len(part) > 1}
    all_gone = ("subgroups",) in left_out
    for name, group in study.subgroups.items():
        for place, part in leaves(group):
            where = ("subgroups", name, *place)
            if part.column is not None:
                _check_column(study, part.column, (*where, "column"), add)
            elif isinstance(part, Condition) and part.subgroup not in gone and not all_gone:
                _check_name(study, str(part.subgroup), (*where, "subgroup"), add)
    for circle in _circles(study):
        path = " -> ".join([*circle, circle[0]])
        add(
            ("subgroups", circle[0]),
            f"this subgroup leads back to itself: {path}",
            "write one of these conditions out by its columns",
        )


def _check_column(study: Study, column: str, place: tuple[str | int, ...], add: Add) -> None:
    """A column must hold what was known at inclusion."""
    if column in BASELINE_COLUMNS:
        return
    known = f"known at inclusion are: {', '.join(BASELINE_COLUMNS)}"
    what = _later(study, column)
    if what:
        add(place, f"{column} is {what}, known only after inclusion: {WHY}", known)
    elif column == "arm":
        add(place, "the arm is what is compared, within subgroups: it cannot be one", known)
    elif column in study.subgroups:
        add(
            place,
            "this is a subgroup of the study, not a column",
            f'write subgroup = "{column}", as a member of all_of or any_of',
        )
    else:
        close = difflib.get_close_matches(column, BASELINE_COLUMNS, n=1)
        add(place, "there is no such column of what was known at inclusion, and subgroups rest on nothing else: " + WHY,
            f"did you mean {close[0]}?" if close else known)  # fmt: skip


def _later(study: Study, column: str) -> str | None:
    """What a column of follow-up is; None for others."""
    if column in study.employed or column == f"{study.primary_definition}_composite":
        return "a definition of employed"
    return LATER.get(column)


def _check_name(study: Study, name: str, place: tuple[str | int, ...], add: Add) -> None:
    """The name of a subgroup in a condition."""
    other = study.subgroups.get(name)
    if other is not None:
        if other.several:
            add(
                place,
                f"{name} has several levels, and a condition needs one of them",
                "write the level out: its column with a range or values",
            )
    elif name in BASELINE_COLUMNS:
        add(place, "this is a column, not a subgroup of the study", f'write column = "{name}" with a range or values')
    elif _later(study, name):
        add(place, f"{name} is {_later(study, name)}, known only after inclusion: {WHY}", _among(name, study.subgroups))
    else:
        add(place, "there is no such subgroup", _among(name, study.subgroups))


def _among(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"choose among: {', '.join(known)}"


def _circles(study: Study) -> list[list[str]]:
    """Names of subgroups that lead back to themselves, each circle once."""
    names = {
        name: [
            str(part.subgroup) for _, part in leaves(group) if isinstance(part, Condition) and part.subgroup in study.subgroups
        ]
        for name, group in study.subgroups.items()
    }
    found: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            found.append(path[path.index(name) :])
        elif name not in done:
            for other in names[name]:
                walk(other, [*path, name])
            done.add(name)

    for name in names:
        walk(name, [])
    return found


def check_subgroup_analysis(study: Study, left_out: set[tuple[str, ...]], add: Add) -> None:
    """What is asked of subgroups: definitions that exist, months within the follow-up."""
    plan, top = study.subgroup_analysis, "subgroup_analysis"
    known = [*study.employed, f"{study.primary_definition}_composite"]
    gone = {part[1] for part in left_out if part[0] == "employed" and len(part) > 1}
    for position, outcome in enumerate(plan.outcomes):
        if outcome not in known and outcome not in gone:
            add((top, "outcomes", position), "this is not one of [employed.*]", _among(outcome, known))
    outside = [month for month in plan.months if not 1 <= month <= study.follow_up.months]
    if outside and ("follow_up", "months") not in left_out:
        add((top, "months"), f"months {', '.join(map(str, outside))} lie outside months 1 to {study.follow_up.months}",
            "choose months of the follow-up")  # fmt: skip


def check_subgroup_sources(study: Study, layouts: dict[str, Layout], add: Add) -> None:
    """A subgroup that nobody can be in, because nothing says who is."""
    name, layout = next((n, layout) for n, layout in layouts.items() if layout.table == "participants")
    trial, tables = study.sources[name], {other.table for other in layouts.values()}

    def known(column: str) -> bool:
        return column in trial.columns or bool(layout.columns[column].name if column in layout.columns else "")

    def held(asked: str, place: tuple[str | int, ...], whole: str) -> None:
        column = _RESTS_ON.get(asked, "")
        if column and not known(column):
            add(place, f"no column of the trial file holds {column}",
                f'add columns.{column} = "..." under sources.{name}, or leave the {whole} out')  # fmt: skip
        if asked == "age" and not known("birth_month") and "people" not in tables:
            add(place, "no source holds the month of birth",
                f'add columns.birth_month = "..." under sources.{name}, or leave the {whole} out')  # fmt: skip

    def meant(part: Rule) -> set[str]:
        if part.column == "upper_secondary":
            return {"completed", "not_completed"}
        return set(trial.values.get(_RESTS_ON.get(str(part.column), ""), {}).values())

    for label, group in study.subgroups.items():
        for place, part in leaves(group):
            if part.column is None:
                continue
            held(part.column, ("subgroups", label, *place, "column"), "subgroup")
            possible = meant(part)
            strange = [str(value) for value in part.values or () if possible and value not in possible]
            if strange:
                add(("subgroups", label, *place, "values"), f"nobody can have the value {', '.join(strange)}",
                    f"choose among: {', '.join(sorted(possible))}")  # fmt: skip
        if group.levels and group.reference is not None and (possible := meant(group)) and group.reference not in possible:
            add(("subgroups", label, "reference"), f"nobody can have the value {group.reference}",
                f"choose among: {', '.join(sorted(possible))}")  # fmt: skip
