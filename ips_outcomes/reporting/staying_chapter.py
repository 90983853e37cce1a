"""The section on staying in work: everybody's months, jobs and pay first, then, for description, what became of first jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import figures, numbers
from ips_outcomes.reporting.figures import Canvas, DotRow
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.staying_answers import BACK_WITHIN, KNOWN
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.study import Study

__all__ = ["FOLDED", "plans", "sentences", "tables"]

Given = Mapping[str, Estimates | pd.DataFrame]

#: The table of bounds stands folded: the main one has those of the steady worker.
FOLDED = ("staying_bounds",)
_STYLES: dict[str, Any] = {"number_of_jobs": numbers.ratio, "pay_g": numbers.ratio, "pay_nok": lambda v: numbers.decimal(v, 0)}
_NUMBERED = ("months_in_work", "longest_stretch", "longest_job", "number_of_jobs")
_SUMS = ("weekly_hours", "pay_nok", "pay_g")


def _table(answers: Given, name: str) -> pd.DataFrame:
    found = answers.get(name)
    return found.table if isinstance(found, Estimates) else pd.DataFrame() if found is None else found


def _arms(answers: Given, canvas: Canvas) -> dict[str, str]:
    there = set(_table(answers, "staying")["group"])
    return {arm: label for arm, label in canvas.arms.items() if arm in there}


def _contrasts(answers: Given) -> list[str]:
    return [c for c in dict.fromkeys(_table(answers, "staying")["contrast"]) if c]


def _style(outcome: str, *, difference: bool = False) -> Any:
    if outcome in ("ever_in_work", "steady_worker") or outcome.startswith("sustained_"):
        return numbers.points if difference else numbers.percent
    return _STYLES.get(outcome, numbers.decimal)


def _named(study: Study, outcome: str, canvas: Canvas, start: int = 1) -> str:
    say, last = canvas.words, study.follow_up.months
    if outcome.startswith("sustained_"):
        return say("staying.sustained", months=outcome.removeprefix("sustained_"))
    return say(f"staying.{outcome}", months=last, steady=study.follow_up.steady_months, start=start)


def _line(answers: Given, canvas: Canvas, name: str, *, indent: bool = False, **where: Any) -> Row | None:
    """One outcome in every arm, and what each differs by from the reference; nothing where all of it is empty."""
    table, outcome = _table(answers, "staying"), where["outcome"]
    levels = [pick(table, group=arm, **where) for arm in _arms(answers, canvas)]
    apart = [pick(table, contrast=contrast, **where) for contrast in _contrasts(answers)]
    cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, _style(outcome)) for r in levels]
    cells += [
        numbers.NOTHING if r is None else numbers.estimate_with_interval(r, _style(outcome, difference=True)) for r in apart
    ]
    return Row((name, *cells), indent=indent) if any(text != numbers.NOTHING for text in cells) else None


def _possible(answers: Given, canvas: Canvas, outcome: str, name: str) -> Row | None:
    """From the least to the most that the difference can be, whatever the months not known were."""
    table, style = _table(answers, "staying"), _style(outcome, difference=True)
    cells = []
    for contrast in _contrasts(answers):
        low, high = (cell(pick(table, outcome=outcome, bound=f"{end}_possible", contrast=contrast)) for end in ("least", "most"))
        cells.append(numbers.interval(low, high, style))
    if not cells or all(text == numbers.NOTHING for text in cells):
        return None
    return Row((name, *[""] * len(_arms(answers, canvas)), *cells), indent=True)


def _columns(answers: Given, canvas: Canvas) -> tuple[str, ...]:
    say, contrasts = canvas.words, _contrasts(answers)
    heads = [say("staying.difference") if len(contrasts) == 1 else say("staying.difference_of", arm=canvas.arms[c.split(" - ")[0]])
             for c in contrasts]  # fmt: skip
    return (say("staying.outcome"), *_arms(answers, canvas).values(), *heads)


def tables(study: Study, answers: Given, canvas: Canvas) -> dict[str, Shown]:
    """The table of everybody, its bounds, and the table of those who got a job."""
    made = {"staying": _everybody(study, answers, canvas), "staying_bounds": _bounds(study, answers, canvas),
            "first_jobs": _getters(answers, canvas)}  # fmt: skip
    return {name: table for name, table in made.items() if table.rows}


def _outcomes(answers: Given) -> list[str]:
    return list(dict.fromkeys(_table(answers, "staying")["outcome"]))


def _everybody(study: Study, answers: Given, canvas: Canvas) -> Shown:
    say, there = canvas.words, _outcomes(answers)
    rows: list[Row | None] = []
    for outcome in _NUMBERED:
        bound = "available" if outcome == "months_in_work" else "least"
        rows.append(_line(answers, canvas, _named(study, outcome, canvas), outcome=outcome, bound=bound))
    for outcome in ("ever_in_work", *(o for o in there if o.startswith("sustained_")), "steady_worker"):
        rows.append(_line(answers, canvas, _named(study, outcome, canvas), outcome=outcome, bound="least"))
    rows.append(_line(answers, canvas, say("staying.most"), indent=True, outcome="steady_worker", bound="most"))
    rows.append(_possible(answers, canvas, "steady_worker", say("staying.possible")))
    starts = sorted({int(m) for m in _table(answers, "staying")["first_month"].dropna()})
    for outcome in _SUMS:
        for start in reversed(starts):
            bound = "available" if start == 1 else "known"
            rows.append(
                _line(answers, canvas, _named(study, outcome, canvas, start), outcome=outcome, bound=bound, first_month=start)
            )
    notes = [say("staying.note_methods"), say("staying.note_least"), say("staying.note_jobs", gap=study.follow_up.job_gap_months)]
    if any(outcome in there for outcome in _SUMS):
        notes.append(say("staying.note_sums"))
        if starts[-1] > 1:
            notes.append(say("staying.note_early"))
            notes.append(
                say("staying.note_known", start=starts[-1], share=numbers.percent(KNOWN, 0), people=_known(answers, canvas))
            )
    return Shown(
        say("table.staying", months=study.follow_up.months), _columns(answers, canvas), tuple(r for r in rows if r), tuple(notes)
    )


def _known(answers: Given, canvas: Canvas) -> str:
    table = _table(answers, "staying")
    rows = {a: pick(table, outcome="pay_nok", bound="known", group=a) for a in _arms(answers, canvas)}
    return ", ".join(f"{canvas.arms[a]} {numbers.count(cell(r, 'n'))}" for a, r in rows.items() if r is not None)


def _bounds(study: Study, answers: Given, canvas: Canvas) -> Shown:
    say, rows = canvas.words, list[Row]()
    for outcome in _outcomes(answers):
        own = [_line(answers, canvas, say(f"staying.{bound}"), indent=True, outcome=outcome, bound=bound, first_month=1)
               for bound in ("least", "most", "known")]  # fmt: skip
        own.append(_possible(answers, canvas, outcome, say("staying.possible")))
        found = [row for row in own if row]
        if len(found) > 1:
            rows += [Row((_named(study, outcome, canvas),), heading=True), *found]
    return Shown(say("table.staying_bounds"), _columns(answers, canvas), tuple(rows))


def _getters(answers: Given, canvas: Canvas) -> Shown:
    say, counts = canvas.words, _table(answers, "first_jobs")
    arms = {a: label for a, label in canvas.arms.items() if len(counts) and a in set(counts["arm"])}

    def line(name: str, cells: list[str], *, indent: bool = False) -> Row:
        return Row((name, *cells), indent=indent)

    if not arms:
        return Shown("", (), ())
    rows = [line(say(f"staying.getters_{c}"), [numbers.count(cell(pick(counts, arm=a), c)) for a in arms])
            for c in ("at_risk", "people", "ended")]  # fmt: skip
    quartiles, back = _table(answers, "first_job_quartiles"), _table(answers, "back_in_work")
    if len(quartiles):
        rows.append(Row((say("staying.tenure_heading"),), heading=True))
        for probability, name in ((0.5, "median"), (0.25, "quarter"), (0.75, "three_quarters")):
            found = [pick(quartiles, group=a, probability=probability) for a in arms]
            rows.append(line(say(f"staying.{name}"), [_months(r) for r in found], indent=True))
    if len(back):
        rows.append(Row((say("staying.back_heading"),), heading=True))
        for month in BACK_WITHIN:
            found = [pick(back, group=a, time=month) for a in arms]
            cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, numbers.percent) for r in found]
            rows.append(line(say("staying.back_one" if month == 1 else "staying.back", months=month), cells, indent=True))
    columns = (say("staying.among"), *arms.values())
    return Shown(
        say("table.first_jobs"),
        columns,
        tuple(rows),
        (say("staying.note_getters"), say("staying.note_ended"), say("staying.note_getters_methods")),
    )


def _months(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["estimate"]):
        return numbers.NOTHING
    low, high = (numbers.NOTHING if pd.isna(row[c]) else numbers.decimal(row[c], 0) for c in ("conf_low", "conf_high"))
    text = numbers.decimal(row["estimate"], 0 if float(row["estimate"]).is_integer() else 1)
    return text if numbers.NOTHING == low == high else f"{text} ({low} to {high})"


def plans(study: Study, answers: Given, canvas: Canvas) -> list[Plan]:
    """Everybody's shares first, then how long first jobs last, by arm."""
    return [*_shares(study, answers, canvas), *_tenure(answers, canvas)]


def _shares(study: Study, answers: Given, canvas: Canvas) -> list[Plan]:
    """Shares of everybody who worked at all, so many months in a row, and steadily: as seen."""
    table, say = _table(answers, "staying"), canvas.words
    table = table[(table["measure"] == "rate") & (table["bound"] == "least")]
    order = [o for o in dict.fromkeys(table["outcome"]) if o != "steady_worker"] + ["steady_worker"]
    rows, text, arms = [], [], _arms(answers, canvas)
    for outcome in order:
        found = {arm: pick(table, outcome=outcome, group=arm) for arm in arms}
        values = {a: tuple(r[["estimate", "conf_low", "conf_high"]].to_numpy(float)) for a, r in found.items() if r is not None}
        values = {a: v for a, v in values.items() if pd.notna(v[0])}
        if values:
            name = say("staying.steady_short", steady=study.follow_up.steady_months, months=study.follow_up.months)
            name = name if outcome == "steady_worker" else _named(study, outcome, canvas)
            rows.append(DotRow(name, False, values))
            text.append(f"{name}: {', '.join(f'{arms[a]} {numbers.percent(v[0])}' for a, v in values.items())}")
    if not rows:
        return []
    legend = arms if len(arms) > 1 else None
    series = {arm: canvas.styles[arm] for arm in arms}

    def draw(c: Canvas) -> Figure:
        return figures.dots(
            {"": rows}, c, percent=True, zero=False, series=series, legend=legend, axis_label=c.words("axis.share_of_all")
        )

    return [
        Plan(
            "staying",
            draw,
            table,
            say("caption.staying", months=study.follow_up.months),
            say("alt.staying", text="; ".join(text)),
        )
    ]


def _tenure(answers: Given, canvas: Canvas) -> list[Plan]:
    curve, say = answers.get("first_job_tenure"), canvas.words
    if not isinstance(curve, Estimates) or not (curve.table["time"] > 0).any():
        return []
    quartiles = _table(answers, "first_job_quartiles")
    text = []
    for arm, label in canvas.arms.items():
        row = pick(quartiles, group=arm, probability=0.5) if len(quartiles) else None
        if row is not None:
            known = not pd.isna(row["estimate"])
            text.append(say("staying.alt_median", arm=label, months=numbers.decimal(row["estimate"], 0)) if known
                        else say("staying.alt_no_median", arm=label))  # fmt: skip
    released = "hidden" in curve.table
    caption = say("caption.first_job_tenure") + (" " + say("caption.tenure_grouped") if released else "")
    return [Plan("first_job_tenure", lambda c: figures.steps(curve, c, axis="axis.months_since_job"), curve.table, caption,
                 say("alt.first_job_tenure", text="; ".join(text)))]  # fmt: skip


def sentences(study: Study, answers: Given, canvas: Canvas) -> list[str]:
    """What everybody's numbers say, and why those of job-getters cannot be compared."""
    say, told = canvas.words, _table(answers, "staying")
    arms, lines = _arms(answers, canvas), list[str]()
    main = {"outcome": "months_in_work", "bound": "available"}
    last = study.follow_up.months
    for contrast in _contrasts(answers):
        arm, other = contrast.split(" - ", 1)
        sides = [cell(pick(told, group=side, **main)) for side in (arm, other)]
        row = pick(told, contrast=contrast, **main)
        if row is None or pd.isna(row["estimate"]) or any(pd.isna(side) for side in sides):
            continue
        lines.append(say("staying.sentence_months", last=last, arm=canvas.arms[arm], other=canvas.arms[other], own=numbers.decimal(sides[0]),
                         others=numbers.decimal(sides[1]), difference=numbers.decimal(row["estimate"])) + _surely(row, canvas))  # fmt: skip
        ends = [pick(told, outcome="steady_worker", bound=f"{e}_possible", contrast=contrast) for e in ("least", "most")]
        steady = pick(told, outcome="steady_worker", bound="least", contrast=contrast)
        if steady is not None and not pd.isna(steady["estimate"]):
            text = say("staying.sentence_steady", steady=study.follow_up.steady_months, last=last, arm=canvas.arms[arm],
                       other=canvas.arms[other], difference=numbers.points(steady["estimate"])) + _surely(steady, canvas, numbers.points)  # fmt: skip
            if all(e is not None and not pd.isna(e["estimate"]) for e in ends):
                text += " " + say(
                    "staying.sentence_bounds", low=numbers.points(cell(ends[0])), high=numbers.points(cell(ends[1]))
                )
            lines.append(text)
    if not _contrasts(answers):
        for arm, label in arms.items():
            row = pick(told, group=arm, **main)
            if row is not None and not pd.isna(row["estimate"]):
                lines.append(
                    say("staying.sentence_one", last=last, arm=label, own=numbers.estimate_with_interval(row, numbers.decimal))
                )
    if "first_jobs" in answers:
        lines.append(say("staying.sentence_getters" if len(arms) > 1 else "staying.sentence_getters_one"))
    return lines


def _surely(row: pd.Series, canvas: Canvas, style: Any = numbers.decimal) -> str:
    """The interval, and on which side of zero it lies."""
    if pd.isna(row["conf_low"]):
        return ". " + canvas.words("finding.no_interval")
    text = canvas.words("staying.interval", low=style(row["conf_low"]), high=style(row["conf_high"]))
    clear = row["conf_low"] > 0 or row["conf_high"] < 0
    return f" {text}. " + canvas.words("finding.excludes_zero" if clear else "finding.includes_zero")
