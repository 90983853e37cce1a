"""Tables as people read them: the page's tables, made from released estimates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.condition_words import heading
from ips_outcomes.reporting.definition_words import setting_text
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.flow_figure import reason_words, step_label
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.results import BASELINE, Results
from ips_outcomes.study import Study

__all__ = ["Badge", "Noted", "Row", "Shown", "all_tables", "csv_tables", "definition_label", "flat_flow"]


class Badge(str):
    """A word in a cell that colour sets off; the word alone says it too."""

    tone: str

    def __new__(cls, text: str, tone: str) -> Badge:
        badge = super().__new__(cls, text)
        badge.tone = tone
        return badge


class Noted(str):
    """A cell with smaller lines under it."""

    notes: tuple[str, ...]

    def __new__(cls, text: str, *notes: str) -> Noted:
        cell = super().__new__(cls, text)
        cell.notes = notes
        return cell


@dataclass(frozen=True)
class Row:
    """Cells of one row; a heading spans the table."""

    cells: tuple[str, ...]
    heading: bool = False
    indent: bool = False


@dataclass(frozen=True)
class Shown:
    """A table for reading: caption, columns (the first names the row), rows, notes; stacked rows become cards on a phone."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    text_columns: frozenset[int] = field(default=frozenset({0}))
    stacked: bool = False


def _share(row: pd.Series | None) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.percent)


def _of(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["n"]):
        return numbers.NOTHING
    return f"{numbers.count(row['events'])} / {numbers.count(row['n'])}"


def all_tables(study: Study, results: Results, canvas: Canvas) -> dict[str, Shown]:
    """Every table of the page, by name."""
    arms = {a: canvas.arms[a] for a in results.facts["arms_present"]}
    made: dict[str, Shown | None] = {
        "flow": _flow(results, canvas, arms),
        "baseline": _baseline(results, canvas, arms),
        "landmarks": _landmarks(study, results, canvas, arms),
        "contrasts": _contrasts(study, results, canvas),
        "sensitivity": _sensitivity(study, results, canvas),
        "first_job": _first_job(study, results, canvas, arms),
        "gained": _gained(study, results, canvas, arms),
        "curve_tests": _curve_tests(results, canvas),
        "hazard": _hazard(results, canvas),
        "ended": _ended(results, canvas, arms),
        "subgroups": _subgroups(study, results, canvas, arms),
        "quality": _quality(results, canvas),
        "reconciliation": _reconciliation(results, canvas),
        "settings": _settings(study, canvas),
        "definitions": _definitions(study, canvas),
    }
    return {name: table for name, table in made.items() if table is not None and table.rows}


def _flow(results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown:
    say = canvas.words
    rows = []
    for step in results.flow.to_dict("records"):
        by_arm = step["arms"] if isinstance(step["arms"], dict) else {}
        why = reason_words(step["reason"], canvas)
        left = numbers.count(step["left"]) if pd.isna(step["left"]) or step["left"] else ""
        cells = [step_label(step["step"], canvas), numbers.count(step["people"])]
        cells += [numbers.count(by_arm.get(a)) if by_arm else "" for a in arms] if len(arms) > 1 else []
        rows.append(Row((*cells, left, why)))
    columns = (
        say("column.step"),
        say("column.people"),
        *(arms.values() if len(arms) > 1 else ()),
        say("column.left"),
        say("column.why"),
    )
    return Shown(say("table.flow"), columns, tuple(rows), text_columns=frozenset({0, len(columns) - 1}))


def _baseline(results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown:
    say, table = canvas.words, results.baseline.table
    compared = (table["measure"] == "standardised_difference").any()
    contrasts = list(dict.fromkeys(table.loc[table["measure"] == "standardised_difference", "contrast"]))
    rows = []
    for column, kind in BASELINE.items():
        part = table[table["outcome"] == column]
        if part.empty or not (part.loc[part["measure"] != "missing", "n"].fillna(1) > 0).any():
            continue
        unknown = [numbers.count(cell(pick(part, measure="missing", group=a), "events")) for a in arms]
        differences = [
            numbers.decimal(cell(pick(part, measure="standardised_difference", contrast=c), "estimate"), 2) for c in contrasts
        ]
        name = say.label("baseline", column)
        if kind == "number":
            cells = [_mean(pick(part, measure="mean", group=a)) for a in arms]
            rows.append(Row((name, *cells, *(differences if compared else ()))))
        else:
            rows.append(Row((name, *[""] * len(arms), *(differences if compared else ()))))
            for level in dict.fromkeys(part.loc[part["measure"] == "share", "level"]):
                shares = [_number_and_share(pick(part, measure="share", group=a, level=level)) for a in arms]
                text = f"NUS {level}" if column == "education_level" else say.label("baseline", str(level))
                rows.append(Row((text, *shares, *([""] * len(contrasts) if compared else ())), indent=True))
        if any(text != "0" for text in unknown):
            rows.append(Row((say("column.missing"), *unknown, *([""] * len(contrasts) if compared else ())), indent=True))
    heads = [f"{label}" for label in arms.values()]
    labels = [say("column.standardised_difference") for _ in contrasts] if compared else []
    return Shown(say("table.baseline"), (say("column.characteristic"), *heads, *labels), tuple(rows))


def _mean(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["estimate"]):
        return numbers.NOTHING
    return f"{numbers.decimal(row['estimate'])} ({numbers.decimal(row['std_deviation'])})"


def _number_and_share(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["events"]):
        return numbers.NOTHING
    return f"{numbers.count(row['events'])} ({numbers.percent(row['estimate'])})"


def definition_label(study: Study, outcome: str, canvas: Canvas) -> str:
    """The label of a definition, or of its composite."""
    if outcome in study.employed:
        return study.employed[outcome].label
    return canvas.words("definition.composite", label=study.employed[study.primary_definition].label)


def _landmarks(study: Study, results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown:
    say, table = canvas.words, results.landmark_rates.table
    columns = [say("column.definition")]
    for label in arms.values():
        columns += ([f"{label}: {say('column.in_work').lower()} / {say('column.n').lower()}", f"{label}: {say('column.rate').lower()}"]
                    if len(arms) > 1 else [f"{say('column.in_work')} / {say('column.n').lower()}", say("column.rate")])  # fmt: skip
    rows = []
    for month in study.follow_up.landmarks:
        rows.append(Row((say("axis.month", month=month),), heading=True))
        for outcome in dict.fromkeys(table["outcome"]):
            cells = []
            for arm in arms:
                row = pick(table, outcome=outcome, month=month, group=arm)
                cells += [_of(row), _share(row)]
            rows.append(Row((definition_label(study, outcome, canvas), *cells), indent=True))
    return Shown(say("table.landmarks"), tuple(columns), tuple(rows))


def _contrasts(study: Study, results: Results, canvas: Canvas) -> Shown | None:
    if results.contrasts is None:
        return None
    say, table = canvas.words, results.contrasts.select(outcome=study.primary_definition).table
    several = len({re.split(" [-/] ", contrast)[0] for contrast in table["contrast"]}) > 1
    rows = []
    for month in study.follow_up.landmarks:
        part = table[table["month"] == month]
        for arm in dict.fromkeys(c.split(" - ")[0] for c in part.loc[part["measure"] == "risk_difference", "contrast"]):
            of_arm = part[part["contrast"].str.startswith((f"{arm} - ", f"{arm} / "))]
            cells = [numbers.estimate_with_interval(pick(of_arm, measure=m), style) for m, style in _STYLES.items()]
            name = say("axis.month", month=month) + (f", {canvas.arms[arm]}" if several else "")
            rows.append(Row((name, *cells, numbers.p_value(cell(pick(of_arm, measure="risk_difference"), "p_value")))))
    columns = (say("column.month"), *(say(f"column.{m}") for m in _STYLES), say("column.p"))
    return Shown(say("table.contrasts", label=study.employed[study.primary_definition].label), columns, tuple(rows))


_STYLES: dict[str, Callable[[Any], str]] = {
    "risk_difference": numbers.points, "risk_ratio": numbers.ratio, "odds_ratio": numbers.ratio,
}  # fmt: skip


def _sensitivity(study: Study, results: Results, canvas: Canvas) -> Shown | None:
    if results.contrasts is None:
        return None
    say, table = canvas.words, results.contrasts.select(measure="risk_difference").table
    contrasts = list(dict.fromkeys(table["contrast"]))
    rows = []
    for outcome in dict.fromkeys(table["outcome"]):
        for contrast in contrasts:
            picked = [pick(table, outcome=outcome, contrast=contrast, month=m) for m in study.follow_up.landmarks]
            cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, numbers.points) for r in picked]
            name = definition_label(study, outcome, canvas)
            name += f": {canvas.arms[contrast.split(' - ')[0]]}" if len(contrasts) > 1 else ""
            rows.append(Row((name, *cells)))
    within = results.stratified.select(measure="risk_difference").table if results.stratified is not None else table.iloc[:0]
    for contrast in dict.fromkeys(within["contrast"]):
        picked = [pick(within, contrast=contrast, month=m) for m in study.follow_up.landmarks]
        cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, numbers.points) for r in picked]
        name = say("definition.stratified", label=study.employed[study.primary_definition].label)
        name += f": {canvas.arms[contrast.split(' - ')[0]]}" if len(contrasts) > 1 else ""
        rows.append(Row((name, *cells)))
    columns = (say("column.definition"), *(say("axis.month", month=m) for m in study.follow_up.landmarks))
    hidden = "hidden" in table and bool(table["hidden"].any())
    notes = (*_fewer_answers(study, results, canvas), *((say("variants.hidden"),) if hidden else ()))
    return Shown(say("table.sensitivity"), columns, tuple(rows), notes)


def _fewer_answers(study: Study, results: Results, canvas: Canvas) -> tuple[str, ...]:
    """A note on definitions that registers answer for fewer people than they observe: such rows are about other people."""
    people = results.landmark_rates.table.astype({"n": "Float64"}).pivot_table(
        index=["group", "month"], columns="outcome", values="n", aggfunc="first"
    )  # fmt: skip
    if study.primary_definition not in people:
        return ()
    fewer = people.lt(0.9 * people[study.primary_definition], axis=0).any()
    labels = [definition.label for name, definition in study.employed.items() if fewer.get(name, False)]
    return (canvas.words("note.fewer_answers", labels="; ".join(labels)),) if labels else ()


def _first_job(study: Study, results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown | None:
    if results.incidence is None:
        return None
    say, table = canvas.words, results.incidence.table
    rows = []
    for month in study.follow_up.landmarks:
        for arm, label in arms.items():
            row = pick(table, group=arm, time=month)
            name = say("axis.month", month=month) + (f", {label}" if len(arms) > 1 else "")
            at_risk = numbers.NOTHING if row is None else numbers.count(row["at_risk"])
            rows.append(Row((name, at_risk, _share(row))))
    return Shown(say("table.first_job"), (say("column.month"), say("column.at_risk"), say("column.had_job")), tuple(rows),
                 results.incidence.notes)  # fmt: skip


def _gained(study: Study, results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown | None:
    """Months since and until the first job, by horizon; a horizon that the data do not reach says why."""
    if results.gained is None:
        return None
    say, table = canvas.words, results.gained.table
    # with three arms or more the differences stand in the CSV: a row has one place for one
    compared = len(arms) == 2 and (table["measure"] == "mean_difference").any()
    rows = []
    for measure in ("mean", "rmst"):
        made = []
        for month in study.follow_up.landmarks:
            name = say("axis.month", month=month)
            cells = [_months(pick(table, measure=measure, group=arm, time=month)) for arm in arms]
            if all(shown == numbers.NOTHING for shown in cells):
                why = pick(table, measure="mean", group="", time=month)
                made += (
                    []
                    if why is None
                    else [Row((Noted(name, say("note.horizon")), *cells, *([numbers.NOTHING] * 2 if compared else [])))]
                )
                continue
            row = pick(table, measure=f"{measure}_difference", time=month) if compared else None
            cells += [_months(row), numbers.NOTHING if row is None else numbers.p_value(row["p_value"])] if compared else []
            made.append(Row((name, *cells)))
        rows += [Row((say(f"heading.{measure}"),), heading=True), *made] if made else []
    columns = (say("column.month"), *arms.values(), *((say("column.months_difference"), say("column.p")) if compared else ()))
    return Shown(say("table.gained"), columns, tuple(rows))


def _months(row: pd.Series | None) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.decimal)


def _curve_tests(results: Results, canvas: Canvas) -> Shown | None:
    if results.curve_tests is None:
        return None
    say = canvas.words
    rows = [Row((say(f"test.{row['measure']}"), numbers.decimal(row["statistic"], 2), numbers.count(row["degrees_of_freedom"]),
                 numbers.p_value(row["p_value"]))) for _, row in results.curve_tests.table.iterrows()]  # fmt: skip
    columns = tuple(say(f"column.{name}") for name in ("test", "statistic", "degrees_of_freedom", "p"))
    return Shown(say("table.curve_tests"), columns, tuple(rows))


def _hazard(results: Results, canvas: Canvas) -> Shown | None:
    if results.hazard is None:
        return None
    say = canvas.words
    rows = [Row((_contrast_label(row["contrast"], canvas), numbers.count(row["n"]), numbers.count(row["events"]),
                 numbers.estimate_with_interval(row, numbers.ratio), numbers.p_value(row["p_value"])))
            for _, row in results.hazard.table.iterrows()]  # fmt: skip
    columns = (
        say("column.contrast"),
        say("column.people"),
        say("reason.first_job").capitalize(),
        say("column.hazard_ratio"),
        say("column.p"),
    )
    return Shown(say("table.hazard"), columns, tuple(rows), (say("note.hazard"),))


def _contrast_label(contrast: str, canvas: Canvas) -> str:
    arm, _, reference = contrast.replace(" - ", " / ").partition(" / ")
    return f"{canvas.arms.get(arm, arm)} / {canvas.arms.get(reference, reference)}"


def _ended(results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown:
    say, table = canvas.words, results.ended
    rows = []
    for reason in dict.fromkeys(["first_job", "death", "end_of_follow_up", *table["ended_by"]]):
        if reason not in set(table["ended_by"]):
            continue
        cells = [cell(pick(table, arm=a, ended_by=reason), "people") for a in arms]
        rows.append(Row((say.label("reason", reason).capitalize(), *["0" if c is None else numbers.count(c) for c in cells])))
    return Shown(say("table.ended"), (say("column.ended_by"), *arms.values()), tuple(rows))


def _subgroups(study: Study, results: Results, canvas: Canvas, arms: dict[str, str]) -> Shown | None:
    if results.subgroup_rates is None:
        return None
    say, table = canvas.words, results.subgroup_rates.table
    months = list(dict.fromkeys(table["month"]))
    contrasts = results.subgroup_contrasts
    # with three arms or more the differences stand in the CSV: a row has one place for one
    compared = contrasts is not None and len(arms) == 2
    columns = [say("column.subgroup"), say("column.month"), *(say("column.in_work_of", arm=label) for label in arms.values())]
    columns += [say("column.risk_difference")] if compared else []
    rows = []
    for name, subgroup in study.subgroups.items():
        rows.append(Row((heading(subgroup, say),), heading=True))
        present = dict.fromkeys(table.loc[table["subgroup"] == name, "level"])
        levels = list(subgroup.ordered(list(present)))
        levels += [x for x in present if x not in levels]
        for level in levels:
            for month in months:
                found = [pick(table, subgroup=name, level=level, group=arm, month=month) for arm in arms]
                cells = [
                    _of(r) if r is None or pd.isna(r["estimate"]) else f"{_of(r)} ({numbers.percent(r['estimate'])})"
                    for r in found
                ]
                if compared and contrasts is not None:
                    row = pick(contrasts.table, subgroup=name, level=level, month=month, measure="risk_difference")
                    cells.append(numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.points))
                rows.append(Row((level if month == months[0] else "", str(month), *cells), indent=True))
    return Shown(say("table.subgroups"), tuple(columns), tuple(rows))


def _quality(results: Results, canvas: Canvas) -> Shown:
    say, table = canvas.words, results.quality
    met = table[table["count"].isna() | (table["count"] > 0)]
    order = {"severe": 0, "warning": 1, "note": 2}
    met = met.assign(_order=met["severity"].map(order)).sort_values("_order", kind="stable")
    rows = [
        Row((str(r["rule"]), str(r["source"]), numbers.count(r["count"]), f"{numbers.count(r['total'])} {r['unit']}",
             numbers.percent(r["share"]), str(r["action"]), say.label("severity", str(r["severity"]))))
        for _, r in met.iterrows()
    ]  # fmt: skip
    columns = tuple(say(f"column.{c}") for c in ("rule", "source", "count", "of", "share", "action", "severity"))
    return Shown(say("table.quality"), columns, tuple(rows), text_columns=frozenset({0, 1, 5, 6}))


def _reconciliation(results: Results, canvas: Canvas) -> Shown:
    say, table = canvas.words, results.reconciliation
    rows = [
        Row((str(r["source"]), *(numbers.count(r[c]) for c in ("rows_in", "rows_used", "rows_set_aside"))))
        for _, r in table.iterrows()
    ]
    return Shown(
        say("table.reconciliation"),
        tuple(say(f"column.{c}") for c in ("source", "rows_in", "rows_used", "rows_set_aside")),
        tuple(rows),
    )


def _settings(study: Study, canvas: Canvas) -> Shown:
    say = canvas.words
    values = study.follow_up.model_dump()
    rows = [Row((name, setting_text(value, say), say(f"setting.{name}"))) for name, value in values.items()]
    columns = (say("column.setting"), say("column.value"), say("column.meaning"))
    return Shown(say("table.settings"), columns, tuple(rows), text_columns=frozenset({0, 1, 2}))


def _definitions(study: Study, canvas: Canvas) -> Shown:
    say = canvas.words
    names = list(study.employed)
    keys = [k for k in next(iter(study.employed.values())).model_dump() if k != "label"]
    rows = [
        Row((key, *(setting_text(getattr(study.employed[n], key), say) for n in names), say(f"setting.{key}"))) for key in keys
    ]
    columns = (say("column.setting"), *(study.employed[n].label for n in names), say("column.meaning"))
    return Shown(say("table.definitions"), columns, tuple(rows), text_columns=frozenset(range(len(columns))))


def csv_tables(results: Results) -> dict[str, pd.DataFrame]:
    """Every released table as data, by file name."""
    parts: dict[str, Estimates | pd.DataFrame | None] = {
        "baseline": results.baseline, "rates_by_month": results.rates, "composite_by_month": results.composite, "history_check": results.history, "rates_at_landmarks": results.landmark_rates,
        "contrasts_at_landmarks": results.contrasts, "contrasts_within_centres": results.stratified, "contrasts_by_month": results.monthly_contrasts,
        "first_job_incidence": results.incidence, "first_job_months": results.gained, "first_job_tests": results.curve_tests, "first_job_hazard_ratio": results.hazard,
        "subgroup_rates": results.subgroup_rates, "subgroup_contrasts": results.subgroup_contrasts,
        "subgroup_rates_by_month": results.subgroup_curves, "subgroup_counts": results.subgroup_counts, "subgroup_effects": results.subgroup_effects,
        "register_sources": results.sources, "not_observed": results.observation, "first_job_ended_by": results.ended,
        "quality": results.quality, "reconciliation": results.reconciliation, "flow": flat_flow(results),
        **{name: part for answers in results.chapters.values() for name, part in answers.items()},
    }  # fmt: skip
    return {name: (part.table if isinstance(part, Estimates) else part) for name, part in parts.items() if part is not None}


def flat_flow(results: Results) -> pd.DataFrame:
    """From offered to analysed, a column an arm."""
    arms = results.facts["arms_present"]
    table = results.flow[["step", "people", "left", "reason"]].copy()
    for prefix, column in (("people", "arms"), ("left", "left_arms")):
        for arm in arms:
            table[f"{prefix}_{arm}"] = pd.array([(x or {}).get(arm) for x in results.flow[column]], dtype="Int64")
    return table
