"""Figures of effects by centre: the forest of centres, and effects against what centres are like."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas

__all__ = ["centre_figures", "centre_forest", "modifier_scatter"]

_ALONE, _SHRUNKEN = style.ARM_COLOURS[0], style.ARM_COLOURS[1]


def centre_figures(estimates: Estimates, canvas: Canvas) -> Figure | None:
    """The figure of centres, where the estimates are of centres; None otherwise."""
    if (estimates.table["measure"] == "mean_over_centres").any():
        return centre_forest(estimates, canvas)
    if {"modifier", "value"} <= set(estimates.table.columns):
        return modifier_scatter(estimates, canvas)
    return None


def _is_ratio(scale: str) -> bool:
    return scale.endswith("ratio")


def _factor(scale: str) -> float:
    return 100.0 if scale == "risk_difference" else 1.0


def _digits(scale: str) -> int:
    return 0 if scale == "risk_difference" else 2


def _axis_label(scale: str, canvas: Canvas) -> str:
    return canvas.words("axis.difference") if scale == "risk_difference" else scale.replace("_", " ").capitalize()


def _first_question(table: pd.DataFrame) -> pd.DataFrame:
    """One figure answers one outcome, month and contrast; the others stand in the table."""
    first = table.iloc[0]
    same = table["outcome"].eq(first["outcome"]) & table["contrast"].eq(first["contrast"])
    same &= table["month"].isna() if pd.isna(first["month"]) else table["month"].eq(first["month"])
    return table[same]


def _effect_axis(axes: Axes, scale: str, values: np.ndarray, *, axis: str = "x") -> None:
    """Ratios on a logarithmic axis; a line where there is no effect."""
    line = axes.axvline if axis == "x" else axes.axhline
    line(1.0 if _is_ratio(scale) else 0.0, color=style.INK, linewidth=1, zorder=1)
    which = axes.xaxis if axis == "x" else axes.yaxis
    known = values[np.isfinite(values)]
    if not _is_ratio(scale):
        which.set_major_formatter(FuncFormatter(lambda v, _: numbers.decimal(v, 0 if np.ptp(known) > 5 else 2)))
        return
    (axes.set_xscale if axis == "x" else axes.set_yscale)("log")
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if known.min() / 2 <= t <= known.max() * 2]
    which.set_major_locator(mpl.ticker.FixedLocator(ticks))
    which.set_minor_locator(NullLocator())
    which.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    which.set_minor_formatter(NullFormatter())


def centre_forest(estimates: Estimates, canvas: Canvas) -> Figure:
    """Each centre alone and drawn towards the mean, the mean as a diamond, and where a new centre would lie."""
    table = _first_question(estimates.table)
    scale = str(table["scale"].iloc[0])
    factor = _factor(scale)
    centres = table[table["level"] != ""]
    whole = table.set_index("measure")
    mean, ahead = whole.loc["mean_over_centres"], whole.loc["prediction_interval"]
    number = len(centres)
    height = 0.36 * (number + 2) + 1.55
    figure = canvas.figure(height)
    axes = figure.add_subplot()
    drawn: list[float] = []
    labels = []
    for place, row in enumerate(centres.itertuples(index=False)):
        y = number + 2 - place
        own = factor * np.array([row.estimate, row.conf_low, row.conf_high], dtype=float)
        best = factor * np.array([row.shrunken, row.shrunken_low, row.shrunken_high], dtype=float)
        drawn += [v for v in (*own, *best) if np.isfinite(v) and (not _is_ratio(scale) or v > 0)]
        weight = float(row.weight) if np.isfinite(row.weight) else 0.0
        few = bool(row.few_events) if not pd.isna(row.few_events) else False
        _interval(axes, y + 0.13, own, _ALONE, 1.6, scale)
        axes.plot(own[:1], [y + 0.13], marker="s", markersize=3.5 + 9 * np.sqrt(weight), color=_ALONE, linestyle="none",
                  markerfacecolor=style.PAPER if few else _ALONE)  # fmt: skip
        _interval(axes, y - 0.2, best, _SHRUNKEN, 1.1, scale)
        axes.plot(best[:1], [y - 0.2], marker="D", markersize=4, color=_SHRUNKEN, linestyle="none")
        labels.append(f"{row.level} ({canvas.words('centres.people', n=numbers.count(row.n))})")
    low, middle, high = (factor * float(mean[c]) for c in ("conf_low", "estimate", "conf_high"))
    axes.fill([low, middle, high, middle], [2, 2.26, 2, 1.74], color=style.INK, linewidth=0)
    axes.axvline(middle, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=0)
    ends = factor * float(ahead["conf_low"]), factor * float(ahead["conf_high"])
    axes.plot(ends, [1, 1], color=style.INK, linewidth=3, solid_capstyle="butt", alpha=0.55)
    drawn += [low, high, *ends]
    _effect_axis(axes, scale, np.array(drawn))
    axes.set_yticks([*(number + 2 - i for i in range(number)), 2, 1],
                    [*labels, canvas.words("centres.mean"), canvas.words("centres.prediction")])  # fmt: skip
    for text, bold in zip(axes.get_yticklabels(), [*[False] * number, True, False], strict=True):
        text.set_color(style.INK)
        text.set_fontweight("bold" if bold else "normal")
        text.set_fontsize(7.0 if canvas.narrow else 8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0.4, number + 2.7)
    axes.grid(axis="x")
    axes.set_xlabel(_axis_label(scale, canvas))
    if not canvas.narrow:
        _numbers_beside(axes, [(number + 2 - i, row) for i, (_, row) in enumerate(centres.iterrows())], mean, ahead, scale)
    handles = [mpl.lines.Line2D([], [], color=_ALONE, marker="s", linewidth=1.6, label=canvas.words("centres.alone")),
               mpl.lines.Line2D([], [], color=_SHRUNKEN, marker="D", linewidth=1.1, markersize=4, label=canvas.words("centres.shrunken"))]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper left", ncols=1 if canvas.narrow else 2)
    figure.text(0.01, 0.0, _spread(whole, scale, canvas), fontsize=6.5 if canvas.narrow else 8, color=style.MUTED, va="bottom")
    figure.get_layout_engine().set(rect=(0, 0.28 / height, 1, 1 - 0.28 / height))  # type: ignore[union-attr, call-arg]
    return figure


def _interval(axes: Axes, y: float, triple: np.ndarray, colour: str, width: float, scale: str) -> None:
    if np.isfinite(triple).all() and not (_is_ratio(scale) and triple[1] <= 0):
        axes.plot(triple[1:], [y, y], color=colour, linewidth=width, solid_capstyle="butt")


def _numbers_beside(axes: Axes, rows: list[tuple[int, pd.Series]], mean: pd.Series, ahead: pd.Series, scale: str) -> None:
    """The centre's own effect in figures, and under it the mean and the prediction interval."""
    factor, digits = _factor(scale), _digits(scale)
    for y, row in [*rows, (2, mean), (1, ahead)]:
        low, high = (numbers.decimal(factor * float(row[c]), digits) for c in ("conf_low", "conf_high"))
        text = f"{numbers.decimal(factor * float(row['estimate']), digits)} ({low} to {high})"
        if row is ahead:
            text = f"({low} to {high})"
        axes.annotate(text, (1, y), xytext=(8, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
                      fontsize=8.5, fontweight="bold" if row is mean else "normal", annotation_clip=False)  # fmt: skip


def _spread(whole: pd.DataFrame, scale: str, canvas: Canvas) -> str:
    spread, test = whole.loc["between_centre_sd"], whole.loc["heterogeneity_test"]
    factor = _factor(scale)
    tau, low, high = (
        numbers.decimal(factor * float(spread[c]), 1 if factor > 1 else 2) for c in ("estimate", "conf_low", "conf_high")
    )
    return canvas.words(
        "centres.spread_log" if _is_ratio(scale) else "centres.spread", tau=tau, low=low, high=high, i2=numbers.percent(whole.loc["i2", "estimate"], 0),
        p=numbers.p_value(test["p_value"]),
    )  # fmt: skip


def modifier_scatter(estimates: Estimates, canvas: Canvas) -> Figure:
    """The effect in each centre against a number of the centre, a panel a modifier; points sized by people."""
    table = _first_question(estimates.table)
    names = list(dict.fromkeys(table["modifier"]))
    figure = canvas.figure(3.4 if len(names) < 3 else 2.9 * -(-len(names) // 2), 3.1 * len(names))
    columns = 1 if canvas.narrow or len(names) == 1 else 2
    shape = (-(-len(names) // columns), columns)
    panels = figure.subplots(*shape, squeeze=False, sharey=True).ravel()
    points = table[table["level"] != ""]
    scale = str(table["scale"].iloc[0])
    factor = _factor(scale)
    effects = factor * points[["estimate", "conf_low", "conf_high"]].to_numpy(float)
    shown = effects[np.isfinite(effects) & ((effects > 0) | (not _is_ratio(scale)))]
    most = float(points["n"].max())
    for place, (axes, name) in enumerate(zip(panels, names, strict=False)):
        own = points[points["modifier"] == name]
        rest = table[(table["modifier"] == name) & (table["level"] == "")].set_index("measure")
        for row, (right, up) in zip(own.itertuples(index=False), _label_places(own["value"].to_numpy(float)), strict=True):
            x = float(row.value)
            triple = factor * np.array([row.estimate, row.conf_low, row.conf_high], dtype=float)
            if np.isfinite(triple).all() and not (_is_ratio(scale) and triple[1] <= 0):
                axes.plot([x, x], triple[1:], color=_ALONE, linewidth=0.9, alpha=0.55)
            axes.scatter([x], triple[:1], s=140 * float(row.n) / most, color=_ALONE, alpha=0.8, linewidth=0, zorder=3)
            axes.annotate(_short(str(row.level)), (x, triple[0]), xytext=(6 * right, 7 * up), textcoords="offset points", fontsize=7,
                          color=style.MUTED, ha="left" if right > 0 else "right", va="center")  # fmt: skip
        if "slope" in rest.index:
            _line(axes, own, rest, scale)
        _effect_axis(axes, scale, shown, axis="y")
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.12)
        axes.set_xlabel(canvas.words.label("centres", name))
        axes.set_title(_told(rest, own, scale, canvas), fontweight="normal", color=style.MUTED, fontsize=8)
        if place % columns == 0:
            axes.set_ylabel(_axis_label(scale, canvas))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    return figure


def _label_places(x: np.ndarray) -> list[tuple[int, int]]:
    """Which corner of its point each name takes: points that nearly share a value take different ones."""
    corners = [(1, 1), (-1, 1), (1, -1), (-1, -1)]
    places, near, span = [corners[0]] * len(x), 0, float(np.ptp(x)) or 1.0
    order = np.argsort(x, kind="stable")
    for before, now in pairwise(order):
        near = near + 1 if x[now] - x[before] < 0.04 * span else 0
        places[now] = corners[near % 4]
    return places


def _short(level: str) -> str:
    """The last word of a centre's name, where it is short enough to tell it."""
    last = level.split()[-1] if level.split() else level
    return last if len(last) <= 3 else level[:14]


def _line(axes: Axes, own: pd.DataFrame, rest: pd.DataFrame, scale: str) -> None:
    x = np.linspace(own["value"].min(), own["value"].max(), 50)
    slope, base = float(rest.loc["slope", "estimate"]), float(rest.loc["intercept", "estimate"])
    y = base * slope**x if _is_ratio(scale) else _factor(scale) * (base + slope * x)
    axes.plot(x, y, color=style.INK, linewidth=1.4)


def _told(rest: pd.DataFrame, own: pd.DataFrame, scale: str, canvas: Canvas) -> str:
    if "slope" not in rest.index:
        return canvas.words("centres.few", number=len(own))
    row, factor = rest.loc["slope"], _factor(scale)
    slope, low, high = (numbers.decimal(factor * float(row[c]), 2) for c in ("estimate", "conf_low", "conf_high"))
    return canvas.words("centres.slope", slope=slope, low=low, high=high, p=numbers.p_value(row["p_value"]))
