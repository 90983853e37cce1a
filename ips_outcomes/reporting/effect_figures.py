"""An effect along a number: a line, what is sure at each value, and what is sure of all values at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas, under_table

__all__ = ["effect_by_number"]

#: How dark the two bands are: each value alone, and all at once.
ALONE, AT_ONCE = 0.26, 0.11


def effect_by_number(estimates: Estimates, canvas: Canvas, *, counts: pd.DataFrame | None = None) -> Figure:
    """Draw what `effect_by` or `effect_in_windows` found. People are never drawn one by one.

    Parameters
    ----------
    estimates : Estimates
        With the column ``value``.
    canvas : Canvas
    counts : pandas.DataFrame, optional
        Numbers of people to stand under the axis: columns ``group``,
        ``value_low``, ``value_high``, ``n`` (empty where it is hidden).

    Raises
    ------
    UnsupportedError
        Where no value has an effect.
    """
    table = estimates.table
    shown = table[table["value"].notna() & table["estimate"].notna()]
    if shown.empty:
        raise UnsupportedError("there is no effect to draw")
    measure = str(shown["measure"].iloc[0])
    ratio, factor = "ratio" in measure, 100.0 if measure == "risk_difference" else 1.0
    contrasts = list(dict.fromkeys(shown["contrast"]))
    figure = canvas.figure(4.1, 3.9)
    arms = [] if counts is None else list(dict.fromkeys(counts["group"]))
    grid = figure.add_gridspec(2 if arms else 1, 1, height_ratios=[5.2, 0.34 * (len(arms) + 1)] if arms else [1], hspace=0.02)
    axes = figure.add_subplot(grid[0])
    colours = {contrast: _look(canvas, str(contrast), i) for i, contrast in enumerate(contrasts)}
    for contrast in contrasts:
        _draw(axes, shown[shown["contrast"] == contrast], colours[contrast], factor)
    everybody = table[(table["measure"] == measure) & table["value"].isna() & table["estimate"].notna()]
    for contrast, level in everybody[["contrast", "estimate"]].itertuples(index=False, name=None):
        axes.axhline(factor * level, color=colours.get(contrast, style.INK), linewidth=1.2, linestyle=(0, (2, 2)))
    axes.axhline(1.0 if ratio else 0.0, color=style.INK, linewidth=1)
    _scale(axes, shown, ratio=ratio, factor=factor)
    axes.grid(axis="y")
    name = str(shown["subgroup"].iloc[0]).replace("_", " ")
    tested = _tested(table, canvas, name)
    axes.set_xlabel(name[:1].upper() + name[1:] + (f"\n{tested}" if tested else ""))
    difference = canvas.words("axis.difference")
    axes.set_title(difference if measure == "risk_difference" else measure.replace("_", " ").capitalize(), fontweight="normal",
                   color=style.MUTED, pad=_legend(axes, canvas, shown, colours, everybody=not everybody.empty))  # fmt: skip
    if counts is not None and arms:
        _counted(figure.add_subplot(grid[1]), canvas, counts, arms, axes.get_xlim())
    return figure


def _look(canvas: Canvas, contrast: str, place: int) -> str:
    """The colour of the arm that is compared with the reference."""
    arm = contrast.split(" - ")[0].split(" / ")[0]
    return str(canvas.styles[arm]["color"]) if arm in canvas.arms else style.ARM_COLOURS[place % len(style.ARM_COLOURS)]


def _draw(axes: Axes, rows: pd.DataFrame, colour: str, factor: float) -> None:
    rows = rows.sort_values("value")
    x = rows["value"].to_numpy(float)
    for low, high, alpha in (("band_low", "band_high", AT_ONCE), ("conf_low", "conf_high", ALONE)):
        bottom, top = factor * rows[low].to_numpy(float), factor * rows[high].to_numpy(float)
        # an interval without an upper end is open: as far as the axis reaches
        top = np.where(np.isposinf(top), 1e12, top)
        axes.fill_between(x, bottom, top, color=colour, alpha=alpha, linewidth=0)
    windows = "value_low" in rows and rows["value_low"].notna().any()
    axes.plot(
        x, factor * rows["estimate"].to_numpy(float), color=colour, linewidth=2, marker="o" if windows else None, markersize=3.5
    )
    spread = np.ptp(x)
    if spread > 0:
        axes.margins(x=0.01)


def _scale(axes: Axes, shown: pd.DataFrame, *, ratio: bool, factor: float) -> None:
    """Limits of the axis: both bands, but no further than twice what each value alone needs."""
    estimate = factor * shown["estimate"].to_numpy(float)

    def ends(low: str, high: str) -> tuple[float, float]:
        values = [np.concatenate([estimate, factor * shown[column].to_numpy(float)]) for column in (low, high)]
        return min(v for v in values[0] if np.isfinite(v)), max(v for v in values[1] if np.isfinite(v))

    alone, at_once = ends("conf_low", "conf_high"), ends("band_low", "band_high")
    if not ratio:
        room = max(max(alone[1], 0) - min(alone[0], 0), 1e-9)
        low, high = max(min(at_once[0], alone[0]), alone[0] - room), min(max(at_once[1], alone[1]), alone[1] + room)
        low, high = min(low, 0.0), max(high, 0.0)
        pad = 0.04 * (high - low)
        axes.set_ylim(low - pad, high + pad)
        axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        # as many digits as the steps between ticks need
        digits = next((k for k in range(4) if high - low > 4 * 10.0**-k), 4)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: numbers.decimal(v, digits)))
        return
    axes.set_yscale("log")
    low, high = max(min(at_once[0], alone[0]), alone[0] / 3), min(max(at_once[1], alone[1]), alone[1] * 3)
    axes.set_ylim(min(low, 0.9) * 0.95, max(high, 1.1) * 1.05)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def _legend(axes: Axes, canvas: Canvas, shown: pd.DataFrame, colours: dict[str, str], *, everybody: bool) -> float:
    """What lines and bands mean, above the plot; how much room the title has to leave."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, linewidth=2, label=_named(canvas, contrast)) for contrast, colour in colours.items()
    ]
    grey = style.INK if len(colours) > 1 else next(iter(colours.values()))
    handles.append(Patch(color=grey, alpha=ALONE, linewidth=0, label=canvas.words("axis.at_each_value")))
    if shown["band_low"].notna().any():
        handles.append(Patch(color=grey, alpha=AT_ONCE, linewidth=0, label=canvas.words("axis.at_all_values")))
    if everybody:
        handles.append(Line2D([], [], color=grey, linewidth=1.2, linestyle=(0, (2, 2)), label=canvas.words("axis.everybody")))
    columns = 2 if canvas.narrow else 4 if len(handles) <= 4 else 3
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=2.0,
                columnspacing=1.2, fontsize=7.0 if canvas.narrow else 8.0)  # fmt: skip
    return 8.0 + (11.0 if canvas.narrow else 13.0) * -(-len(handles) // columns)


def _named(canvas: Canvas, contrast: str) -> str:
    """A contrast in the arms' own labels."""
    sign = " / " if " / " in contrast else " - "
    parts = [canvas.arms.get(arm, arm) for arm in contrast.split(sign)]
    return (sign if sign == " / " else " \u2212 ").join(parts)


def _tested(table: pd.DataFrame, canvas: Canvas, name: str) -> str:
    """The one test that a reader should look at, where there is one contrast."""
    rows = table[(table["measure"] == "interaction_test") & table["p_value"].notna()]
    if len(rows) != 1:
        return ""
    p = numbers.p_value(rows["p_value"].iloc[0])
    return canvas.words("axis.varies", name=name, p=p if p.startswith("<") else f"= {p}")


def _counted(axes: Axes, canvas: Canvas, counts: pd.DataFrame, arms: list[str], xlim: tuple[float, float]) -> None:
    """People by bands of the number, each number in the middle of its band."""
    bands = counts[["value_low", "value_high"]].drop_duplicates().sort_values("value_low")
    middle = bands.mean(axis=1)
    bands = bands[(middle >= xlim[0]) & (middle <= xlim[1])]
    texts = {}
    for arm in arms:
        own = counts[counts["group"] == arm].set_index(["value_low", "value_high"])["n"]
        texts[arm] = [numbers.count(own.get(band)) for band in bands.itertuples(index=False, name=None)]
    known = {arm: canvas.arms.get(arm, arm) for arm in arms}
    named = Canvas(canvas.words, {**canvas.arms, **known}, canvas.narrow)
    under_table(axes, named, canvas.words("axis.people"), texts, bands.mean(axis=1).tolist(), xlim)
