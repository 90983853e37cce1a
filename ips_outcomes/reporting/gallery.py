"""Which figures a report has: how each is drawn, what it says, and the table behind it."""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ips_outcomes.reporting import figures, numbers, style
from ips_outcomes.reporting.by_arm import compared
from ips_outcomes.reporting.figures import Canvas, DotRow
from ips_outcomes.reporting.flow_figure import flow_chart, step_label
from ips_outcomes.reporting.for_whom import in_order
from ips_outcomes.reporting.for_whom_tables import for_whom_words, headings
from ips_outcomes.reporting.forest import forest
from ips_outcomes.reporting.forest_rows import arms_of
from ips_outcomes.reporting.lookup import pick
from ips_outcomes.reporting.results import BASELINE, Results
from ips_outcomes.reporting.small_multiples import level_curves
from ips_outcomes.reporting.tables import definition_label, flat_flow
from ips_outcomes.study import Study

__all__ = ["FORMATS", "Plan", "draw_all", "history_words", "plan_figures", "rendered"]

#: Kinds of file that a figure is written as.
FORMATS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Plan:
    """A figure to be drawn."""

    name: str
    draw: Callable[[Canvas], Figure]
    table: pd.DataFrame
    caption: str
    alt: str


Pictures = tuple[dict[str, bytes], tuple[int, int], dict[str, bytes]]


def draw_all(plans: list[Plan], wide: Canvas, narrow: Canvas) -> list[Pictures]:
    """Every plan in every format, and as narrow as a phone; on two processors where that is safe."""

    def one(number: int) -> Pictures:
        files, size = rendered(plans[number], wide, FORMATS)
        return files, size, rendered(plans[number], narrow, ("svg",))[0]

    # A forked child shares the tables and needs no second import; with other threads about, or elsewhere than on
    # Linux, forking is not safe, and starting anew would take longer than it saves.
    alone = sys.platform == "linux" and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1
    if not alone:
        return [one(number) for number in range(len(plans))]
    return _halves(one, len(plans))


def _halves(one: Callable[[int], Pictures], number: int) -> list[Pictures]:
    """Even numbers in a forked child, odd ones here."""
    receive, send = multiprocessing.Pipe(duplex=False)
    with warnings.catch_warnings():
        # Python 3.12 warns of any thread, and the idle ones of a BLAS library are not taken along into the child
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:  # pragma: no cover - the child's lines are not seen from here
        code = 1
        try:
            receive.close()
            send.send([one(i) for i in range(0, number, 2)])
            code = 0
        finally:
            os._exit(code)
    send.close()
    odd = {i: one(i) for i in range(1, number, 2)}
    try:
        even = receive.recv()
    except EOFError:
        # the child died, by a limit on memory perhaps: draw its half here
        even = [one(i) for i in range(0, number, 2)]
    os.waitpid(child, 0)
    drawn = {**odd, **dict(zip(range(0, number, 2), even, strict=True))}
    return [drawn[i] for i in range(number)]


def rendered(plan: Plan, canvas: Canvas, formats: tuple[str, ...]) -> tuple[dict[str, bytes], tuple[int, int]]:
    """The figure in each format, the same bytes for the same table, and its size in CSS pixels."""
    with mpl.rc_context(style.rc()):
        figure = plan.draw(canvas)
        # the layout is solved once, not again for each format
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        width, height = figure.get_size_inches()
        files = {kind: _printed(figure, kind) for kind in formats}
    return files, (round(width * 96), round(height * 96))


def _printed(figure: Figure, kind: str) -> bytes:
    # savefig would draw each figure twice, the first time only to settle a layout that is settled here
    buffer = io.BytesIO()
    if kind == "svg":
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": "ips_outcomes"})
    elif kind == "pdf":
        FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None, "Creator": "ips_outcomes", "Producer": None})
    else:
        figure.set_dpi(160)
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _shares(results: Results, canvas: Canvas, month: int, arms: list[str]) -> str:
    parts = []
    for arm in arms:
        row = pick(results.rates, group=arm, month=month)
        parts.append(f"{canvas.arms[arm]} {numbers.percent(None if row is None else row['estimate'])}")
    return ", ".join(parts)


def plan_figures(study: Study, results: Results, canvas: Canvas) -> list[Plan]:
    """The figures of this study, in the order of the page."""
    say, plan = canvas.words, study.follow_up
    arms = results.facts["arms_present"]
    label = study.employed[study.primary_definition].label.lower()
    last, end = plan.months, plan.programme_end_month
    text = "; ".join(f"{say('axis.month', month=m).lower()}: {_shares(results, canvas, m, arms)}" for m in plan.landmarks)
    plans = [_flow(results, canvas)]
    if results.contrasts is not None:
        plans.append(_balance(results, canvas))
    rates = {arm: pick(results.rates, group=arm, month=last) for arm in arms}
    shares = {arm: numbers.percent(None if row is None else row["estimate"]) for arm, row in rates.items()}
    if compared(study, arms):
        first = next(a for a in arms if a != study.reference)
        caption = say("caption.employment_two", label=label, month=last, arm=canvas.arms[first], rate=shares[first],
                      reference=canvas.arms[str(study.reference)], reference_rate=shares[str(study.reference)])  # fmt: skip
    else:
        caption = say("caption.employment_one", label=label, month=last, rate=", ".join(shares.values()))
    composite = results.composite
    if composite is not None and composite.table["estimate"].isna().all():
        composite = None
    if composite is not None:
        caption += " " + say("caption.composite")
        if composite.table["estimate"].isna().any():
            caption += " " + say("caption.composite_hidden")
    caption += history_words(results, canvas)
    plans.append(Plan("employment", lambda c: figures.curve(results.rates, c, programme_end=end, sources=results.sources, composite=composite),
                      results.rates.table, caption, say("alt.employment", first=-plan.history, last=last, text=text)))  # fmt: skip
    monthly = results.monthly_contrasts
    if monthly is not None:
        texts = [_difference_text(results, canvas, m) for m in plan.landmarks]
        plans.append(Plan("difference", lambda c: figures.difference_curve(monthly, c, programme_end=end), monthly.table,
                          say("caption.difference", label=label), say("alt.difference", text="; ".join(texts))))  # fmt: skip
    incidence = results.incidence
    if incidence is not None:
        final = [pick(incidence, group=a, time=last) for a in arms]
        words = [
            f"{canvas.arms[a]} {numbers.percent(None if r is None else r['estimate'])}" for a, r in zip(arms, final, strict=True)
        ]
        bands = incidence.table["conf_low"].notna().any()
        caption = say("caption.first_job" if bands else "caption.first_job_released")
        plans.append(Plan("first_job", lambda c: figures.steps(incidence, c), incidence.table, caption,
                          say("alt.first_job", text=f"{say('axis.month', month=last)}: {', '.join(words)}")))  # fmt: skip
    if results.subgroup_curves is not None:
        plans += _subgroups(study, results, canvas, label)
    return [*plans, _observation(study, results, canvas)]


def history_words(results: Results, canvas: Canvas) -> str:
    """What the placebo check says, in a sentence a contrast and one on the joint test."""
    if results.history is None:
        return ""
    say, table = canvas.words, results.history.table
    lines = []
    for _, row in table[table["measure"] == "mean_difference"].iterrows():
        arm, reference = (canvas.arms[name] for name in row["contrast"].split(" - "))
        said = {
            "first": numbers.decimal(row["start"], 0),
            "last": numbers.decimal(row["end"], 0),
            "arm": arm,
            "reference": reference,
        }
        if pd.isna(row["conf_low"]):
            lines.append(say("history.nothing", **said))
            continue
        alike = "alike" if row["conf_low"] <= 0 <= row["conf_high"] else "apart"
        lines.append(say(f"history.{alike}", **said, points=numbers.points(row["estimate"]), low=numbers.points(row["conf_low"]),
                         high=numbers.points(row["conf_high"])))  # fmt: skip
    joint = pick(table, measure="joint_test")
    if joint is not None and pd.notna(joint["p_value"]):
        text = numbers.p_value(joint["p_value"])
        shown = text if text.startswith("<") else f"= {text}"
        lines.append(say("history.joint_apart" if joint["p_value"] < LEVEL else "history.joint_alike", p=shown))
    return " " + " ".join(lines)


def _difference_text(results: Results, canvas: Canvas, month: int) -> str:
    rows = pd.DataFrame() if results.monthly_contrasts is None else results.monthly_contrasts.select(month=month).table
    texts = []
    for _, row in rows.iterrows():
        name = f"{canvas.arms[row['contrast'].split(' - ')[0]]} " if len(rows) > 1 else ""
        texts.append(name + numbers.estimate_with_interval(row, numbers.points))
    return f"{canvas.words('axis.month', month=month).lower()}: {', '.join(texts) or numbers.NOTHING}"


def _flow(results: Results, canvas: Canvas) -> Plan:
    text = ", ".join(
        f"{step_label(s, canvas)} {numbers.count(p)}" for s, p in zip(results.flow["step"], results.flow["people"], strict=True)
    )
    return Plan("flow", lambda c: flow_chart(results.flow, c), flat_flow(results), canvas.words("caption.flow"),
                canvas.words("alt.flow", text=text))  # fmt: skip


def _balance(results: Results, canvas: Canvas) -> Plan:
    table = results.baseline.select(measure="standardised_difference").table
    contrasts = list(dict.fromkeys(table["contrast"]))
    series = {c: canvas.styles.get(c.split(" - ")[0], canvas.styles[next(iter(canvas.arms))]) for c in contrasts}
    rows = []
    for column in BASELINE:
        part = table[table["outcome"] == column].set_index("contrast")["estimate"]
        if part.notna().any():
            values = {c: (float(part.get(c, np.nan)), np.nan, np.nan) for c in contrasts}
            rows.append(DotRow(canvas.words.label("baseline", column), False, values))
    largest = table["estimate"].abs().max()
    legend = {c: canvas.arms[c.split(" - ")[0]] for c in contrasts} if len(contrasts) > 1 else None

    def draw(c: Canvas) -> Figure:
        return figures.dots({"": rows}, c, percent=False, zero=True, series=series, legend=legend,
                            axis_label=c.words("axis.standardised"), reference_lines=(-0.1, 0.1))  # fmt: skip

    alt = canvas.words("alt.balance", largest=numbers.decimal(largest, 2))
    return Plan("balance", draw, table, canvas.words("caption.balance"), alt)


#: A joint test below this is told as a difference.
LEVEL = 0.05
#: Levels with at most this many people in an arm stand in the table, not in the picture.
FEW = 19


def _levels(study: Study, curves: pd.DataFrame) -> dict[str, list[str]]:
    """Levels that have something to show in every arm, by subgroup."""
    told = curves[curves["estimate"].notna() & (curves["n"] > FEW)]
    arms = curves["group"].nunique()
    found = {}
    for name in study.subgroups:
        part = told[told["subgroup"] == name]
        large = [level for level, rows in part.groupby("level") if rows["group"].nunique() == arms]
        found[name] = in_order(study, name, large)
    return found


def _subgroups(study: Study, results: Results, canvas: Canvas, label: str) -> list[Plan]:
    say, names = canvas.words, headings(study, canvas)
    plans = list[Plan]()
    effects = results.subgroup_effects
    if effects is not None:
        question = study.subgroup_plan
        # one outcome and month; the table has all
        shown = effects.select(outcome=question.outcomes[0], month=question.months[-1])
        if shown.table["estimate"].notna().any():
            arms = ", ".join(canvas.arms.get(a, a) for a in dict.fromkeys(arms_of(c)[0] for c in shown.table["contrast"]))
            label_of = definition_label(study, question.outcomes[0], canvas).lower()
            caption = say("caption.subgroup_forest", arm=arms, label=label_of, month=question.months[-1])
            if "hidden" in shown.table and shown.table["hidden"].any():
                caption += " " + say("caption.groups_hidden")
            plans.append(Plan("subgroup_forest", lambda c: forest(shown, c, headings=names, shrunken=True), shown.table, caption,
                              say("alt.subgroup_forest", text=" ".join(for_whom_words(study, results, canvas)[:1]))))  # fmt: skip
    curves = results.subgroup_curves
    levels = _levels(study, curves.table) if curves is not None else {}
    if curves is not None and any(levels.values()):
        end, few = study.follow_up.programme_end_month, FEW + 1
        text = ", ".join(level for order in levels.values() for level in order)
        plans.append(Plan("subgroup_curves", lambda c: level_curves(curves, c, levels, headings=names, programme_end=end), curves.table,
                          say("caption.subgroup_curves", label=label[0].upper() + label[1:], few=few), say("alt.subgroup_curves", text=text)))  # fmt: skip
    return plans


def _observation(study: Study, results: Results, canvas: Canvas) -> Plan:
    table = results.observation
    # a sum over hidden counts is hidden: it would be too low
    by_reason = {r: rows["people"].sum(skipna=False) for r, rows in table.groupby("reason")}
    shown = [
        canvas.words("alt.not_observed", reason=canvas.words.label("reason", str(r)), months=numbers.count(n))
        for r, n in by_reason.items()
    ]
    caption = canvas.words("caption.observation")
    if table["people"].isna().any():
        caption += " " + canvas.words("caption.blank")
    plan = study.follow_up
    return Plan("observation", lambda c: figures.observation(table, c, -plan.history, plan.months), table,
                caption, canvas.words("alt.observation", text="; ".join(shown) or "0"))  # fmt: skip
