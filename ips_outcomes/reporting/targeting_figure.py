"""Gain against the share treated, those with the largest predicted effect first."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas

__all__ = ["targeting"]


def targeting(estimates: Estimates, canvas: Canvas) -> Figure:
    """Draw the gain by share treated with its interval and band, and the straight line of treating in no order.

    Parameters
    ----------
    estimates : Estimates
        Rows by ``share``: the first measure is drawn, "gain" of a `targeting_curve`.
    canvas : Canvas
    """
    table = estimates.table[estimates.table["share"].notna() & estimates.table["estimate"].notna()]
    if table.empty:
        raise UnsupportedError("there is no share to draw")
    measure = str(table["measure"].iloc[0])
    rows = table[table["measure"] == measure].sort_values("share")
    yes_no = _yes_or_no(rows)
    scale = 100.0 if yes_no else 1.0
    figure = canvas.figure(4.0, 4.2)
    axes = figure.add_subplot()
    start = [0.0] if measure == "gain" else []
    share = 100 * np.append(start, rows["share"].to_numpy(float))
    columns = {c: scale * np.append(start, rows[c].to_numpy(float)) for c in ("estimate", "conf_low", "conf_high", "band_low",
                                                                              "band_high")}  # fmt: skip
    colour, words = style.ARM_COLOURS[0], canvas.words
    axes.fill_between(share, columns["band_low"], columns["band_high"], color=colour, alpha=0.10, linewidth=0,
                      label=words("targeting.band"))  # fmt: skip
    axes.fill_between(share, columns["conf_low"], columns["conf_high"], color=colour, alpha=0.22, linewidth=0,
                      label=words("targeting.interval"))  # fmt: skip
    axes.plot(share, columns["estimate"], color=colour, linewidth=2, label=words(f"targeting.{measure}_line"))
    if measure == "gain" and rows["share"].iloc[-1] == 1:
        axes.plot([0, 100], [0, columns["estimate"][-1]], color=style.INK, linewidth=1.2, linestyle=style.LINES[1],
                  label=words("targeting.no_order"))  # fmt: skip
    axes.axhline(0, color=style.INK, linewidth=1)
    axes.grid(axis="y")
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0f} %"))
    span = float(np.ptp(axes.get_ylim()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: numbers.decimal(v, 0 if span >= 5 else 1 if span >= 0.5 else 2)))
    axes.set_xlabel(words("targeting.share"))
    title = f"targeting.{measure}_percent" if yes_no else f"targeting.{measure}"
    axes.set_title(words(title), fontweight="normal", color=style.MUTED)
    # under the axis: a curve that gains lies where a legend would
    figure.legend(loc="outside lower center", ncols=1 if canvas.narrow else 2, fontsize=8, handlelength=2.4, columnspacing=1.6)
    return figure


def _yes_or_no(rows: pd.DataFrame) -> bool:
    """Whether gains are shares of people, which are told in percentage points."""
    return "scale" in rows and bool((rows["scale"] == "risk_difference").all())
