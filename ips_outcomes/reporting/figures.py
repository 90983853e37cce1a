"""The report's figures, each drawn from a released table and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.words import Words

__all__ = [
    "Canvas",
    "arms_legend",
    "blocks",
    "curve",
    "dots",
    "month_ticks",
    "observation",
    "percent_axis",
    "steps",
    "under_table",
]


@dataclass(frozen=True)
class Canvas:
    """What a figure needs to know besides its table."""

    words: Words
    arms: dict[str, str]
    narrow: bool = False

    def figure(self, height: float, narrow_height: float | None = None) -> Figure:
        """An empty figure, as wide as a journal page or as a phone."""
        if self.narrow:
            return Figure(figsize=(4.0, narrow_height or height), layout="constrained")
        return Figure(figsize=(7.6, height), layout="constrained")

    @property
    def styles(self) -> dict[str, dict[str, Any]]:
        return style.arm_styles(list(self.arms))


def percent_axis(axes: Axes, values: np.ndarray, *, axis: str = "y") -> None:
    """Per cent from 0 to a little above the largest value."""
    top = np.nanmax(values) if np.isfinite(values).any() else 1.0
    top = min(1.0, np.ceil(top * 10 + 0.2) / 10)
    (axes.set_ylim if axis == "y" else axes.set_xlim)(0, top)
    # no steps of two and a half: their labels would be rounded
    side = axes.yaxis if axis == "y" else axes.xaxis
    side.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    side.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.0f} %"))


def month_ticks(axes: Axes, first: int, last: int, *, every: int) -> list[int]:
    """Ticks at whole years or half years, and at the last month."""
    ticks = [m for m in range(-240, 241, every) if first <= m <= last]
    if last not in ticks:
        # the last month is always named; a tick that would touch it gives way
        ticks = [m for m in ticks if last - m >= every // 2] + [last]
    axes.set_xticks(ticks)
    axes.set_xlim(first - 0.7, last + 0.7)
    return ticks


def arms_legend(axes: Axes, canvas: Canvas, arms: list[str], *, lines: bool = True, thin: str | None = None) -> None:
    """The arms' names over the picture, and what a thin line means."""
    handles = []
    for arm in arms:
        look = canvas.styles[arm]
        handles.append(mpl.lines.Line2D([], [], color=look["color"], linestyle=look["linestyle"] if lines else "none",
                                        marker=None if lines else look["marker"], linewidth=2, label=canvas.arms[arm]))  # fmt: skip
    if thin is not None:
        handles.append(mpl.lines.Line2D([], [], color=style.INK, linewidth=0.8, label=thin))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(handles), borderaxespad=0.2,
                handlelength=2.6)  # fmt: skip


def under_table(axes: Axes, canvas: Canvas, title: str, rows: dict[str, list[str]], ticks: list[int], xlim: tuple[float, float]
                 ) -> None:  # fmt: skip
    """Numbers lined up under the axis, one row an arm."""
    axes.set_xlim(*xlim)
    axes.set_ylim(-0.2, len(rows) + 0.75)
    axes.axis("off")
    size = 7.0 if canvas.narrow else 8.0
    axes.text(0, len(rows) + 0.25, title, transform=axes.get_yaxis_transform(), fontsize=size, color=style.MUTED, va="center",
              fontweight="bold")  # fmt: skip
    for i, (arm, texts) in enumerate(rows.items()):
        y = len(rows) - 1 - i + 0.35
        # half a number stands left of the first tick: the name keeps clear of it
        axes.annotate(canvas.arms[arm], (0, y), xytext=(-8, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      ha="right", va="center", fontsize=size, color=canvas.styles[arm]["color"], annotation_clip=False)  # fmt: skip
        for tick, text in zip(ticks, texts, strict=True):
            axes.text(tick, y, text, ha="center", va="center", fontsize=size)


def _at(table: pd.DataFrame, arm: str, months: list[int], column: str, month: str) -> list[str]:
    rows = table[table["group"] == arm].drop_duplicates(month).set_index(month)[column].reindex(months)
    return [numbers.count(v) for v in rows]


def curve(
    rates: Estimates, canvas: Canvas, *, programme_end: int | None = None, sources: pd.DataFrame | None = None,
    composite: Estimates | None = None,
) -> Figure:  # fmt: skip
    """Monthly shares by arm with bands; numbers observed and the register behind each month below.

    A thin line shows the composite, in which the dead are not in work.
    """
    table = rates.table
    first, last = int(table["month"].min()), int(table["month"].max())
    arms = [a for a in canvas.arms if (table["group"] == a).any()]
    figure = canvas.figure(4.9, 4.7)
    heights = [6.2, 0.34 * (len(arms) + 1), 0.34] if sources is not None else [6.2, 0.34 * (len(arms) + 1)]
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.02)
    axes = figure.add_subplot(grid[0])
    for arm in arms:
        rows = table[table["group"] == arm].sort_values("month")
        x, y = rows["month"].to_numpy(float), rows["estimate"].to_numpy(float)
        look = canvas.styles[arm]
        axes.fill_between(x, rows["conf_low"].to_numpy(float), rows["conf_high"].to_numpy(float), color=look["color"],
                          alpha=0.15, linewidth=0)  # fmt: skip
        axes.plot(x, y, color=look["color"], linestyle=look["linestyle"], linewidth=2)
        if composite is not None:
            rows = composite.table[composite.table["group"] == arm].sort_values("month")
            axes.plot(rows["month"].to_numpy(float), rows["estimate"].to_numpy(float), color=style.INK, linewidth=0.8)
    percent_axis(axes, table["conf_high"].to_numpy(float))
    axes.grid(axis="y")
    if programme_end is not None:
        axes.axvspan(0, programme_end, color=style.SHADE, linewidth=0, zorder=0)
        axes.text(programme_end / 2, 0.985, canvas.words("axis.programme"), transform=axes.get_xaxis_transform(), ha="center",
                  va="top", fontsize=8, color=style.MUTED)  # fmt: skip
    axes.axvline(0, color=style.MUTED, linewidth=1)
    ticks = month_ticks(axes, first, last, every=12 if canvas.narrow else 6)
    axes.set_xlabel(canvas.words("axis.months"))
    # on a phone there is room for the arms alone; the caption says it, too
    thin = canvas.words("axis.composite") if composite is not None and not canvas.narrow else None
    arms_legend(axes, canvas, arms, thin=thin)
    below = figure.add_subplot(grid[1])
    texts = {arm: _at(table, arm, ticks, "n", "month") for arm in arms}
    under_table(below, canvas, canvas.words("axis.observed"), texts, ticks, axes.get_xlim())
    if sources is not None:
        _source_strip(figure.add_subplot(grid[2]), canvas, sources, axes.get_xlim())
    return figure


def _source_strip(axes: Axes, canvas: Canvas, sources: pd.DataFrame, xlim: tuple[float, float]) -> None:
    systems = list(dict.fromkeys(sources.sort_values("month")["source_system"]))
    colours = style.source_colours(systems)
    months = np.arange(sources["month"].min(), sources["month"].max() + 1)
    floor = np.zeros(len(months))
    for system in systems:
        share = sources[sources["source_system"] == system].set_index("month")["share"].reindex(months).fillna(0).to_numpy(float)
        blocks(axes, months, floor, floor + share, colours[system])
        floor = floor + share
    axes.set_xlim(*xlim)
    axes.set_ylim(0, 1)
    axes.axis("off")
    handles = [mpl.patches.Patch(color=colours[s], label=canvas.words.label("source", s)) for s in systems]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.1), ncols=len(handles), fontsize=8, handlelength=1.2,
                borderaxespad=0, columnspacing=1.2, title=None)  # fmt: skip
    axes.annotate(canvas.words("axis.sources"), (0, 0.5), xytext=(-8, 0), xycoords="axes fraction", textcoords="offset points",
                  ha="right", va="center", fontsize=7.0 if canvas.narrow else 8.0, color=style.MUTED)  # fmt: skip


def blocks(axes: Axes, months: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str, label: str | None = None) -> None:
    """Stacked blocks a month wide, without the hairlines that touching bars leave."""
    edges = np.append(months - 0.5, months[-1] + 0.5)
    axes.stairs(
        np.asarray(high, float), edges, baseline=np.asarray(low, float), fill=True, color=colour, linewidth=0, label=label
    )


def difference_curve(contrasts: Estimates, canvas: Canvas, *, programme_end: int | None = None) -> Figure:
    """Difference between arms by month, in percentage points, with bands."""
    table = contrasts.table
    figure = canvas.figure(3.1, 3.0)
    axes = figure.add_subplot()
    first, last = int(table["month"].min()), int(table["month"].max())
    compared = [str(contrast).split(" - ")[0] for contrast in dict.fromkeys(table["contrast"])]
    for contrast, rows in table.groupby("contrast", sort=False):
        arm = str(contrast).split(" - ")[0]
        look = canvas.styles.get(arm, {"color": style.INK, "linestyle": "-"})
        for part in (rows[rows["month"] < 0], rows[rows["month"] > 0]):
            x = part["month"].to_numpy(float)
            axes.fill_between(x, 100 * part["conf_low"].to_numpy(float), 100 * part["conf_high"].to_numpy(float),
                              color=look["color"], alpha=0.15, linewidth=0)  # fmt: skip
            axes.plot(x, 100 * part["estimate"].to_numpy(float), color=look["color"], linewidth=2, linestyle=look["linestyle"])
    if programme_end is not None:
        axes.axvspan(0, programme_end, color=style.SHADE, linewidth=0, zorder=0)
    axes.axhline(0, color=style.INK, linewidth=1)
    axes.axvline(0, color=style.MUTED, linewidth=1)
    axes.grid(axis="y")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: numbers.decimal(v, 0)))
    month_ticks(axes, first, last, every=12 if canvas.narrow else 6)
    axes.set_xlabel(canvas.words("axis.months"))
    if len(compared) > 1:
        # a legend takes the title's place
        axes.set_ylabel(canvas.words("axis.difference"))
        arms_legend(axes, canvas, [arm for arm in compared if arm in canvas.arms])
    else:
        axes.set_title(canvas.words("axis.difference"), fontweight="normal", color=style.MUTED)
    return figure


def steps(incidence: Estimates, canvas: Canvas, *, axis: str = "axis.months") -> Figure:
    """A curve by time (cumulative incidence, survival) as steps with bands, and people at risk below; ``axis`` is the word under it."""
    table = incidence.table
    last = int(table["time"].max())
    arms = [a for a in canvas.arms if (table["group"] == a).any()]
    figure = canvas.figure(4.2, 4.2)
    grid = figure.add_gridspec(2, 1, height_ratios=[5.6, 0.34 * (len(arms) + 1)], hspace=0.02)
    axes = figure.add_subplot(grid[0])
    for arm in arms:
        rows = table[table["group"] == arm].sort_values("time")
        x, look = rows["time"].to_numpy(float), canvas.styles[arm]
        low, high = rows["conf_low"].to_numpy(float), rows["conf_high"].to_numpy(float)
        if np.isfinite(low).any():
            axes.fill_between(x, low, high, step="post", color=look["color"], alpha=0.15, linewidth=0)
        axes.step(
            x, rows["estimate"].to_numpy(float), where="post", color=look["color"], linestyle=look["linestyle"], linewidth=2
        )
    tops = table["conf_high"].fillna(table["estimate"]).to_numpy(float)
    percent_axis(axes, tops)
    axes.grid(axis="y")
    ticks = month_ticks(axes, 0, last, every=12 if canvas.narrow else 6)
    axes.set_xlabel(canvas.words(axis))
    arms_legend(axes, canvas, arms)
    below = figure.add_subplot(grid[1])
    texts = {arm: _at(table, arm, ticks, "at_risk", "time") for arm in arms}
    under_table(below, canvas, canvas.words("axis.at_risk"), texts, ticks, axes.get_xlim())
    return figure


@dataclass(frozen=True)
class DotRow:
    """One row of a dot chart: its name, whether it heads a group, and a value a series."""

    label: str
    heading: bool
    values: dict[str, tuple[float, float, float]]


def dots(
    panels: dict[str, list[DotRow]], canvas: Canvas, *, percent: bool, zero: bool, series: dict[str, dict[str, Any]],
    axis_label: str, beyond: tuple[float, float] | None = None, reference_lines: tuple[float, ...] = (),
    legend: dict[str, str] | None = None, level: bool = False,
) -> Figure:  # fmt: skip
    """Dots with intervals in rows, one panel a month: rates, differences, balance. ``level``: each row has one series, on its line."""
    number = max(len(rows) for rows in panels.values())
    stacked = canvas.narrow and len(panels) > 1
    # three marks and more in a row need a taller row
    height = (0.30 if len(series) < 3 else 0.1 * len(series) + 0.08) * number + 1.05
    figure = canvas.figure(height, height * (len(panels) if stacked else 1))
    shape = (len(panels), 1) if stacked else (1, len(panels))
    axes_list = figure.subplots(*shape, sharex=True, squeeze=False).ravel()
    spread = [v for rows in panels.values() for row in rows for triple in row.values.values() for v in triple if np.isfinite(v)]
    for axes, (title, rows) in zip(axes_list, panels.items(), strict=True):
        for i, row in enumerate(rows):
            y = number - 1 - i
            reach = 0.14 if len(series) < 3 else 0.28
            offsets = np.linspace(reach, -reach, len(series)) if len(series) > 1 and not level else [0.0] * len(series)
            for offset, (name, look) in zip(offsets, series.items(), strict=True):
                if name not in row.values or not np.isfinite(row.values[name][0]):
                    continue
                value, low, high = row.values[name]
                if np.isfinite(low) and np.isfinite(high):
                    axes.plot([low, high], [y + offset] * 2, color=look["color"], linewidth=1.6, solid_capstyle="butt")
                axes.plot([value], [y + offset], color=look["color"], marker=look["marker"], markersize=5.5, linestyle="none")
        named = stacked or axes is axes_list[0]
        axes.set_yticks([number - 1 - i for i in range(len(rows))], [row.label if named else "" for row in rows])
        for text, row in zip(axes.get_yticklabels(), rows, strict=True):
            text.set_color(style.INK)
            text.set_fontweight("bold" if row.heading else "normal")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-0.6, number - 0.4)
        axes.set_title(title)
        axes.grid(axis="x")
        if zero:
            axes.axvline(0, color=style.INK, linewidth=1)
        for line in reference_lines:
            axes.axvline(line, color=style.MUTED, linewidth=0.9, linestyle=(0, (1.5, 1.5)))
        if percent:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.0f} %"))
            # the limits hold for all panels: setting one end alone would stop at the first panel's data
            axes.set_xlim(0, min(1.0, 1.04 * max(spread, default=1.0)) or 1.0)
        else:
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda v, _: numbers.decimal(v, 0 if max(map(abs, spread), default=1) > 5 else 2))
            )
        if not stacked or axes is axes_list[-1]:
            axes.set_xlabel(axis_label)
    if beyond is not None:
        for axes in axes_list:
            left, right = axes.get_xlim()
            axes.set_xlim(max(left, beyond[0]), min(right, beyond[1]))
    if legend:
        handles = [mpl.lines.Line2D([], [], color=series[n]["color"], marker=series[n]["marker"], linestyle="none", label=t)
                   for n, t in legend.items()]  # fmt: skip
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


def observation(table: pd.DataFrame, canvas: Canvas, first: int, last: int) -> Figure:
    """People not observed by month, stacked by reason."""
    figure = canvas.figure(2.7, 3.0)
    axes = figure.add_subplot()
    months = np.arange(first, last + 1)
    counts = table.groupby(["month", "reason"])["people"].sum().unstack("reason").reindex(months).fillna(0)
    reasons = [r for r in style.REASONS if r in counts]
    floor = np.zeros(len(months))
    for reason in reasons:
        values = counts[reason].to_numpy(float)
        if not values.any():
            continue
        blocks(axes, months, floor, floor + values, style.REASONS[reason], canvas.words.label("reason", reason))
        floor = floor + values
    axes.axvline(0, color=style.MUTED, linewidth=1)
    axes.set_ylim(0, max(1.0, floor.max() * 1.15))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y")
    month_ticks(axes, first, last, every=12 if canvas.narrow else 6)
    axes.set_xlabel(canvas.words("axis.months"))
    axes.set_title(canvas.words("axis.not_observed"), fontweight="normal", color=style.MUTED)
    drawn = [r for r in reasons if counts[r].any()]
    if not drawn:
        # an empty frame would look like an error
        text = canvas.words("finding.hidden" if table["people"].isna().any() else "axis.all_observed")
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=style.MUTED,
                  bbox={"facecolor": style.PAPER, "edgecolor": "none"})  # fmt: skip
    else:
        # under the axis: beside the title there is no room for many reasons, nor on a phone
        figure.legend(loc="outside lower center", ncols=min(3 if canvas.narrow else 6, len(drawn)), fontsize=8,
                      columnspacing=1.2, handlelength=1.4)  # fmt: skip
    return figure
