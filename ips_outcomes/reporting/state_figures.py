"""Pictures of states: areas by month, flows between landmarks, and, for the server alone, a line a person."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter

from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas, blocks, month_ticks

__all__ = ["HIDDEN", "areas", "flows", "sequences"]

#: What the numbers that the gate has hidden are together: the rest of the arm.
HIDDEN = "hidden"
#: Half the width of a pillar of the flow picture, in landmarks.
_PILLAR = 0.14
#: States that are drawn hatched, so that they are not read as a state somebody is in.
_HATCHED = {"not_observed": "....", HIDDEN: "////"}


def _with_rest(table: pd.DataFrame, arm: str, month: int, states: list[str]) -> dict[str, float]:
    """Share of each state in a month; what is hidden is one part."""
    rows = table[(table["group"] == arm) & (table["month"] == month)].set_index("state")["estimate"]
    shares = {state: float(rows.get(state, 0.0)) for state in states}
    rest = 1.0 - sum(v for v in shares.values() if not np.isnan(v))
    hidden = any(np.isnan(v) for v in shares.values())
    return {**{s: 0.0 if np.isnan(v) else v for s, v in shares.items()}, HIDDEN: max(rest, 0.0) if hidden else 0.0}


def _panels(figure: Figure, canvas: Canvas, arms: list[str], **options: Any) -> list[Axes]:
    """A panel an arm, side by side on a page; one under the other on a phone."""
    across = 1 if canvas.narrow else min(len(arms), 2)
    down = -(-len(arms) // across)
    made = list(figure.subplots(down, across, squeeze=False, sharex=True, **options).ravel())
    for axes, arm in zip(made, arms, strict=False):
        axes.set_title(canvas.arms[arm], color=canvas.styles[arm]["color"])
    for axes in made[len(arms) :]:
        axes.set_visible(False)
    for axes in made[max(len(arms) - across, 0) : len(arms)]:
        # the key stands under a phone's last panel, and would meet a label of the whole figure
        axes.set_xlabel(canvas.words("axis.months"))
    return made[: len(arms)]


def _height(canvas: Canvas, arms: list[str], one: float, legend: float) -> float:
    return one * (len(arms) if canvas.narrow else -(-len(arms) // 2)) + legend


def _patch(state: str, colour: str, label: str) -> mpl.patches.Patch:
    return mpl.patches.Patch(
        facecolor=colour, edgecolor=style.MUTED, hatch=_HATCHED.get(state), label=label, linewidth=0.5 if state in _HATCHED else 0
    )


def _key(figure: Figure, canvas: Canvas, states: list[str], labels: dict[str, str], colours: dict[str, str]) -> None:
    """The key in the order of the picture: top first, beside it on a page; under it on a phone."""
    handles = [_patch(s, colours[s], labels[s]) for s in reversed(states)]
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": 2} if canvas.narrow else {"loc": "outside right center"}
    figure.legend(handles=handles, fontsize=8, handlelength=1.3, handleheight=1.1, columnspacing=1.2, **place)


def _area(axes: Axes, state: str, months: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    blocks(axes, months, low, high, colour)
    if state in _HATCHED:
        edges = np.append(months - 0.5, months[-1] + 0.5)
        axes.stairs(
            high, edges, baseline=low, fill=True, facecolor="none", edgecolor=style.MUTED, linewidth=0, hatch=_HATCHED[state]
        )


def areas(
    table: pd.DataFrame, canvas: Canvas, labels: dict[str, str], *, programme_end: int | None = None
) -> Figure:  # fmt: skip
    """Share of an arm's people in each state, month by month, one upon the other; the first state at the bottom."""
    arms = [a for a in canvas.arms if (table["group"] == a).any()]
    states = [s for s in labels if s != HIDDEN]
    months = np.arange(int(table["month"].min()), int(table["month"].max()) + 1)
    every = {arm: [_with_rest(table, arm, int(m), states) for m in months] for arm in arms}
    drawn = [s for s in [*states, HIDDEN] if any(shares[s] > 0 for arm in arms for shares in every[arm])]
    colours = style.state_colours([*states, HIDDEN])
    figure = canvas.figure(_height(canvas, arms, 3.3, 0.3), _height(canvas, arms, 2.4, 0.4 + 0.1 * len(drawn)))
    for axes, arm in zip(_panels(figure, canvas, arms, sharey=True), arms, strict=True):
        floor = np.zeros(len(months))
        for state in drawn:
            top = floor + np.array([shares[state] for shares in every[arm]])
            _area(axes, state, months, floor, top, colours[state])
            # a line between neighbours, which need not rest on colour then
            axes.stairs(top, np.append(months - 0.5, months[-1] + 0.5), baseline=None, color=style.PAPER, linewidth=0.6)
            floor = top
        if programme_end is not None:
            axes.axvline(programme_end, color=style.INK, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.0f} %"))
        month_ticks(axes, int(months[0]), int(months[-1]), every=12)
        axes.set_xlim(months[0] - 0.5, months[-1] + 0.5)
    _key(figure, canvas, drawn, {**labels, HIDDEN: canvas.words("states.hidden")}, colours)
    return figure


def sequences(table: pd.DataFrame, canvas: Canvas, labels: dict[str, str]) -> Figure:
    """One line a person: for the server alone."""
    months = [int(c) for c in table.columns if c != "arm"]
    arms = [a for a in canvas.arms if (table["arm"] == a).any()]
    states = list(labels)
    colours = style.state_colours(states)
    cells = {arm: table.loc[table["arm"] == arm].drop(columns="arm") for arm in arms}
    drawn = [s for s in states if any((part == s).any(axis=None) for part in cells.values())]
    figure = canvas.figure(_height(canvas, arms, 4.2, 0.3), _height(canvas, arms, 3.4, 0.4 + 0.1 * len(drawn)))
    for axes, arm in zip(_panels(figure, canvas, arms), arms, strict=True):
        codes = cells[arm].apply(lambda column: column.map(states.index)).to_numpy(dtype=float)
        axes.imshow(codes, aspect="auto", interpolation="nearest", cmap=ListedColormap([colours[s] for s in states]), vmin=-0.5,
                    vmax=len(states) - 0.5, extent=(months[0] - 0.5, months[-1] + 0.5, 0.0, float(len(codes))), origin="lower")  # fmt: skip
        month_ticks(axes, months[0], months[-1], every=12)
        axes.set_xlim(months[0] - 0.5, months[-1] + 0.5)
    figure.supylabel(canvas.words("axis.people"), fontsize=9)
    _key(figure, canvas, drawn, labels, colours)
    return figure


def _band(axes: Axes, x: tuple[float, float], left: float, right: float, size: float, colour: str) -> None:
    """A band between two pillars, as high as the share of the arm that goes this way."""
    middle = sum(x) / 2
    upper = [(x[0], left + size), (middle, left + size), (middle, right + size), (x[1], right + size)]
    lower = [(x[1], right), (middle, right), (middle, left), (x[0], left)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    shape = Path([*upper, *lower, upper[0]], codes)
    axes.add_patch(mpl.patches.PathPatch(shape, facecolor=colour, alpha=0.45, linewidth=0))


def flows(shares: pd.DataFrame, moves: pd.DataFrame, canvas: Canvas, labels: dict[str, str]) -> Figure:
    """Where people go from landmark to landmark: pillars of states, and a band for each way that somebody went.

    What the gate has hidden is one hatched part of each pillar; bands that are
    hidden are left out, so that their place at the pillar is empty.
    """
    arms = [a for a in canvas.arms if (shares["group"] == a).any()]
    states = [s for s in labels if s != HIDDEN]
    marks = sorted({int(m) for m in (*moves["month"], *moves["to_month"])})
    colours = style.state_colours([*states, HIDDEN])
    figure = canvas.figure(_height(canvas, arms, 3.9, 0.3), _height(canvas, arms, 3.2, 0.9))
    seen: dict[str, bool] = {}
    for axes, arm in zip(_panels(figure, canvas, arms, sharey=True), arms, strict=True):
        people = float(shares.loc[shares["group"] == arm, "n"].astype("Float64").fillna(0).max())
        pillars = {m: _with_rest(shares, arm, m, states) for m in marks}
        own = moves[moves["group"] == arm]
        for i, month in enumerate(marks):
            floor = 0.0
            for state, share in pillars[month].items():
                if share <= 0:
                    continue
                seen[state] = True
                axes.bar(i, share, width=2 * _PILLAR, bottom=floor, color=colours[state], edgecolor=style.MUTED if state in _HATCHED else style.PAPER,
                         linewidth=0.6, hatch=_HATCHED.get(state), zorder=3)  # fmt: skip
                if share >= 0.07 and state not in _HATCHED:
                    axes.text(i, floor + share / 2, numbers.percent(share, 0), ha="center", va="center", fontsize=6.5, zorder=4,
                              color=style.PAPER if _dark(colours[state]) else style.INK)  # fmt: skip
                floor += share
        for i, (before, after) in enumerate(pairwise(marks)):
            part = own[(own["month"] == before) & own["events"].notna()]
            _bands(axes, part, pillars[before], pillars[after], people, (i + _PILLAR, i + 1 - _PILLAR), colours)
        axes.set_xticks(range(len(marks)), [str(m) for m in marks])
        axes.tick_params(axis="x", length=0, labelbottom=True)
        axes.set_yticks([])
        axes.set_ylim(0, 1)
        axes.set_xlim(-_PILLAR - 0.05, len(marks) - 1 + _PILLAR + 0.05)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
    drawn = [s for s in [*states, HIDDEN] if seen.get(s)]
    _key(figure, canvas, drawn, {**labels, HIDDEN: canvas.words("states.hidden")}, colours)
    return figure


def _dark(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def _bands(
    axes: Axes, moves: pd.DataFrame, before: dict[str, float], after: dict[str, float], people: float, x: tuple[float, float],
    colours: dict[str, str],
) -> None:  # fmt: skip
    """Bands in the order of the pillars on both sides, so that those of one state lie together."""
    if people <= 0:
        return
    order = list(before)

    def part_of(state: str, pillar: dict[str, float]) -> str:
        # a state whose own share is hidden is part of the hidden part
        return state if pillar[state] > 0 else HIDDEN

    left = dict(zip(order, np.cumsum([0.0, *before.values()])[:-1], strict=True))
    right = dict(zip(order, np.cumsum([0.0, *after.values()])[:-1], strict=True))
    rows = [
        (part_of(a, before), part_of(b, after), float(n) / people)
        for a, b, n in zip(moves["from_state"], moves["to_state"], moves["events"], strict=True)
    ]
    starts = {}
    for i, (a, _, size) in sorted(enumerate(rows), key=lambda row: (order.index(row[1][0]), order.index(row[1][1]))):
        starts[i], left[a] = left[a], left[a] + size
    for i, (a, b, size) in sorted(enumerate(rows), key=lambda row: (order.index(row[1][1]), order.index(row[1][0]))):
        _band(axes, x, starts[i], right[b], size, colours[a])
        right[b] += size
