"""The flow chart: from offered to analysed, drawn from counted steps."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas

__all__ = ["flow_chart", "reason_words", "step_label"]


def step_label(step: str, canvas: Canvas) -> str:
    """What a step is called."""
    if step.startswith("month_"):
        return canvas.words("step.observed_at", month=int(step.removeprefix("month_")))
    return canvas.words.label("step", step)


def reason_words(reason: Any, canvas: Canvas) -> str:
    """``dead:6;abroad:2`` as "6 dead, 2 abroad"."""
    parts = []
    for part in str(reason or "").split(";"):
        name, _, number = part.partition(":")
        if name:
            parts.append(f"{number} {canvas.words.label('reason', name)}".strip())
    return ", ".join(parts)


def _box(axes: Axes, x: float, y: float, width: float, height: float, text: str, *, colour: str = style.MUTED, bold: bool = False,
         size: float = 8.5) -> None:  # fmt: skip
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.06",
                                  linewidth=1.2, edgecolor=colour, facecolor=style.PAPER))  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", fontsize=size, fontweight="bold" if bold else "normal", linespacing=1.35)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": style.MUTED, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    )


def _line(axes: Axes, xs: tuple[float, float], ys: tuple[float, float]) -> None:
    axes.plot(xs, ys, color=style.MUTED, linewidth=1.1, solid_capstyle="projecting")


#: How those who are missing from a box are called; months say "not observed".
_LEFT = {"linked": "not_linked", "at_risk_of_first_job": "not_at_risk"}
_GAP = 0.2


def flow_chart(flow: pd.DataFrame, canvas: Canvas) -> Figure:
    """Boxes down the page: offered, who left, included, then one column an arm. Units are inches."""
    steps = flow.to_dict("records")
    cut = next(i for i, s in enumerate(steps) if s["step"] == "included")
    before, included, after = steps[:cut], steps[cut], steps[cut + 1 :]
    arms = [a for a in canvas.arms if a in included["arms"]]
    exits = [s for s in before if pd.isna(s["left"]) or s["left"] > 0]
    width, size = (4.0, 7.4) if canvas.narrow else (7.6, 8.5)
    line = size * 1.35 / 72
    tall, pitch = 2 * line + 0.14, 2 * line + 0.14 + _GAP
    span = width / len(arms)
    wide = min(span * 0.94, 3.4)
    letters = max(12, int(wide / (size * 0.96 * 0.57 / 72)))
    columns = [[_texts(step, arm, canvas, letters) for arm in arms] for step in after]
    heights = [line * max(text.count("\n") + 1 for text in row) + 0.14 for row in columns]
    height = 2 * pitch + len(exits) * (tall * 0.8 + _GAP) + 0.2 + tall + sum(heights) + _GAP * len(heights) + 0.1
    figure = canvas.figure(height, height)
    axes = figure.add_subplot()
    axes.set_xlim(0, width)
    axes.set_ylim(-height, 0)
    axes.axis("off")
    middle, trunk = width / 2, width * 0.36
    y = -0.05 - tall / 2
    _box(
        axes,
        middle,
        y,
        trunk,
        tall,
        f"{step_label('offered', canvas)}\n{numbers.count(steps[0]['people'])}",
        bold=True,
        size=size,
    )
    start = y - tall / 2
    y = start - _GAP
    for gone in exits:
        y -= tall * 0.4
        _arrow(axes, (middle, y), (width * 0.7, y))
        text = f"{canvas.words.label('left', gone['step'])}: {numbers.count(gone['left'])}"
        _box(axes, width * 0.845, y, width * 0.29, tall * 0.8, text, size=size)
        y -= tall * 0.4 + _GAP
    y -= tall / 2
    _arrow(axes, (middle, start), (middle, y + tall / 2))
    text = f"{step_label('included', canvas)}\n{numbers.count(included['people'])}"
    _box(axes, middle, y, trunk, tall, text, bold=True, size=size)
    fork, y = y - tall / 2 - 0.15, y - tall / 2 - 0.2 - _GAP - tall / 2
    places = [span * (i + 0.5) for i in range(len(arms))]
    # one stem, one bar across, and straight down to each arm
    _line(axes, (middle, middle), (fork + 0.15, fork))
    _line(axes, (places[0], places[-1]), (fork, fork))
    for i, (x, arm) in enumerate(zip(places, arms, strict=True)):
        colour = canvas.styles[arm]["color"]
        head = "\n".join(textwrap.wrap(canvas.arms[arm], letters, max_lines=1, placeholder=" …"))
        _arrow(axes, (x, fork), (x, y + tall / 2))
        _box(axes, x, y, wide, tall, f"{head}\n{numbers.count(included['arms'].get(arm))}", colour=colour, bold=True, size=size)
        foot = y - tall / 2
        for number, (row, deep) in enumerate(zip(columns, heights, strict=True)):
            # the months and the first job are answers side by side, not a way that people walk down
            if number < 2:
                _arrow(axes, (x, foot), (x, foot - _GAP))
            _box(axes, x, foot - _GAP - deep / 2, wide, deep, row[i], colour=colour, size=size * 0.96)
            foot -= _GAP + deep
    return figure


def _texts(step: dict[str, Any], arm: str, canvas: Canvas, letters: int) -> str:
    """A box: how many are there, and how many of the included are not."""
    left = (step.get("left_arms") or {}).get(arm)
    parts = [f"{step_label(step['step'], canvas)}: {numbers.count(step['arms'].get(arm))}"]
    if left is None or pd.isna(left) or left > 0:
        parts.append(f"({numbers.count(left)} {canvas.words('left.' + _LEFT.get(step['step'], 'not_observed'))})")
    return "\n".join(line for part in parts for line in textwrap.wrap(part, letters))
