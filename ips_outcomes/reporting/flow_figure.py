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


def flow_chart(flow: pd.DataFrame, canvas: Canvas) -> Figure:
    """Boxes down the page: offered, who left, included, then one column an arm."""
    steps = flow.to_dict("records")
    cut = next(i for i, s in enumerate(steps) if s["step"] == "included")
    before, included, after = steps[:cut], steps[cut], steps[cut + 1 :]
    arms = [a for a in canvas.arms if a in included["arms"]]
    exits = [s for s in before if s["left"] is not pd.NA and (pd.isna(s["left"]) or s["left"] > 0)]
    rows = 2.25 + len(exits) + len(after) + 1
    pitch = 0.62
    height = rows * pitch + 0.2
    figure = canvas.figure(height, height)
    axes = figure.add_subplot()
    width = 4.0 if canvas.narrow else 7.6
    axes.set_xlim(0, width)
    axes.set_ylim(-height + 0.15, 0.15)
    axes.axis("off")
    size = 7.4 if canvas.narrow else 8.5
    middle, tall = width * (0.36 if exits else 0.5), 0.42
    wide = width * 0.46
    y = -0.25
    _box(
        axes, middle, y, wide, tall, f"{step_label('offered', canvas)}\n{numbers.count(steps[0]['people'])}", bold=True, size=size
    )
    start = y - tall / 2
    for gone in exits:
        y -= pitch
        _arrow(axes, (middle, y), (width * 0.66, y))
        text = f"{canvas.words.label('left', gone['step'])}: {numbers.count(gone['left'])}"
        _box(axes, width * 0.82, y, width * 0.32, tall * 0.8, text, size=size)
    y -= pitch
    _arrow(axes, (middle, start), (middle, y + tall / 2))
    _box(
        axes,
        middle,
        y,
        wide,
        tall,
        f"{step_label('included', canvas)}\n{numbers.count(included['people'])}",
        bold=True,
        size=size,
    )
    _columns(axes, canvas, arms, included, after, (middle, y), width, pitch, tall, size)
    return figure


#: How those who are missing from a box are called; months say "not observed".
_LEFT = {"linked": "not_linked", "at_risk_of_first_job": "not_at_risk"}


def _columns(axes: Axes, canvas: Canvas, arms: list[str], included: dict[str, Any], after: list[dict[str, Any]],
             top: tuple[float, float], width: float, pitch: float, tall: float, size: float) -> None:  # fmt: skip
    span = width / len(arms)
    wide = min(span * 0.94, 3.4)
    for i, arm in enumerate(arms):
        x, y = span * (i + 0.5), top[1] - pitch * 1.25
        colour = canvas.styles[arm]["color"]
        _arrow(axes, (top[0], top[1] - tall / 2), (x, y + tall / 2))
        _box(
            axes,
            x,
            y,
            wide,
            tall,
            f"{canvas.arms[arm]}\n{numbers.count(included['arms'].get(arm))}",
            colour=colour,
            bold=True,
            size=size,
        )
        for step in after:
            _arrow(axes, (x, y - tall / 2), (x, y - pitch + tall / 2))
            y -= pitch
            left = (step.get("left_arms") or {}).get(arm)
            name = "\n".join(textwrap.wrap(step_label(step["step"], canvas), 34))
            shown = f"{name}: {numbers.count(step['arms'].get(arm))}"
            if left is None or left > 0:
                shown += f"\n({numbers.count(left)} {canvas.words('left.' + _LEFT.get(step['step'], 'not_observed'))})"
            _box(axes, x, y, wide, tall, shown, colour=colour, size=size * 0.96)
