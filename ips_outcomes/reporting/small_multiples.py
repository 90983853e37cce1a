"""Employment month by month within each level of each subgroup: many small pictures on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import numbers, style
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.forest import COLUMN, PAGE
from ips_outcomes.reporting.measured import line_height, width_of, wrapped

__all__ = ["level_curves"]

SIZE = 7.0
LINE = line_height(SIZE)
MARGIN, GAP = 0.06, 0.22
TALL = 1.35


def level_curves(
    rates: Estimates, canvas: Canvas, levels: Mapping[str, Sequence[str]], *, width: float | None = None,
    headings: Mapping[str, str] | None = None, programme_end: int | None = None,
) -> Figure:  # fmt: skip
    """Shares by arm and month, a panel a level; two columns on a page, one in a journal's column or on a phone.

    Parameters
    ----------
    rates : Estimates
        Rows by ``subgroup``, ``level``, ``group`` (the arm) and ``month``.
    canvas : Canvas
    levels : dict
        By subgroup, the levels to show in order.
    width : float, optional
        Millimetres; 183 by default, 89 on a narrow canvas.
    headings : dict, optional
        By subgroup, what it is called.
    programme_end : int, optional
        Months up to here are shaded.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = {name: list(order) for name, order in levels.items() if order}
    if not shown:
        raise UnsupportedError("there is no level to draw")
    return _Pictures(
        rates.table, canvas, shown, (width or (COLUMN if canvas.narrow else PAGE)) / 25.4, headings or {}, programme_end
    ).draw()


class _Pictures:
    """Sizes and places in inches from the top left."""

    def __init__(
        self, table: pd.DataFrame, canvas: Canvas, levels: dict[str, list[str]], width: float, headings: Mapping[str, str],
        programme_end: int | None,
    ) -> None:  # fmt: skip
        self.canvas, self.levels, self.width, self.headings, self.end = canvas, levels, width, headings, programme_end
        wanted = {(name, level) for name, order in levels.items() for level in order}
        keys = list(zip(table["subgroup"], table["level"], strict=True))
        self.table = table[[key in wanted for key in keys]]
        self.arms = [arm for arm in canvas.arms if (self.table["group"] == arm).any()]
        self.first, self.last = int(self.table["month"].min()), int(self.table["month"].max())
        self.columns = 2 if width >= 5.4 else 1
        names = [canvas.arms[arm] for arm in self.arms]
        # where people are counted at the very first month, half their number stands left of the panel
        self.over = width_of(numbers.count(self.table["n"].max()), SIZE) / 2 if self.first % 6 == 0 else 0.0
        self.left = min(
            max([width_of(name, SIZE) + self.over for name in names] + [width_of("100 %", SIZE)]) + 0.16,
            0.32 * width / self.columns,
        )
        self.names = {arm: wrapped(canvas.arms[arm], self.left - self.over - 0.14, SIZE) for arm in self.arms}
        self.panel = (width - 2 * MARGIN - self.columns * (self.left + 0.12) - (self.columns - 1) * GAP) / self.columns
        self.ticks = self._ticks()
        bounds = self.table["conf_high"].to_numpy(dtype=float)
        self.top_share = min(1.0, float(np.ceil(np.nanmax(bounds, initial=0.1) * 10 + 0.2) / 10))
        self.counted = LINE * (1 + sum(len(lines) for lines in self.names.values()))

    def _ticks(self) -> list[int]:
        """Months at which people are counted, and the last one, as far apart as their numbers need."""
        most = numbers.count(self.table["n"].max())
        for every in (6, 12, 24, 48):
            ticks = [m for m in range(every * (self.first // every), self.last + 1, every) if m >= self.first]
            ticks = [*(m for m in ticks if self.last - m >= every / 2), self.last]
            if every / (self.last - self.first + 1.4) * self.panel / 2 >= width_of(most, SIZE) + 0.06:
                break
        return ticks

    def _rows(self) -> list[tuple[str | None, list[tuple[str, str]]]]:
        """Rows of panels; the first row of a subgroup has its heading."""
        found: list[tuple[str | None, list[tuple[str, str]]]] = []
        for name, order in self.levels.items():
            for start in range(0, len(order), self.columns):
                panels = [(name, level) for level in order[start : start + self.columns]]
                found.append((self.headings.get(name, name.replace("_", " ").capitalize()) if start == 0 else None, panels))
        return found

    def draw(self) -> Figure:
        """The figure, as tall as it needs to be."""
        rows, sizes = self._rows(), []
        for heading, panels in rows:
            head = (len(wrapped(heading, self.width - 2 * MARGIN, SIZE + 1, True)) * LINE * 1.15 + 0.05) if heading else 0.0
            titles = max(len(wrapped(level, self.panel, SIZE)) for _, level in panels) * LINE + 0.04
            sizes.append((head, titles, head + titles + TALL + 0.2 + self.counted + 0.16))
        entries = self._entries()
        legend = LINE * (entries[-1][1] + 1.4)
        height = 2 * MARGIN + legend + sum(size for *_, size in sizes) + LINE
        figure = Figure(figsize=(self.width, height))
        y = MARGIN
        self._legend(figure, y + LINE / 2, entries)
        y += legend
        for (heading, panels), (head, titles, size) in zip(rows, sizes, strict=True):
            if heading:
                for j, line in enumerate(wrapped(heading, self.width - 2 * MARGIN, SIZE + 1, True)):
                    self._write(figure, MARGIN, y + LINE * 1.15 * (j + 0.5) + 0.02, line, bold=True, size=SIZE + 1)
            for i, (name, level) in enumerate(panels):
                x = MARGIN + self.left + i * (self.left + self.panel + 0.12 + GAP)
                lines = wrapped(level, self.panel, SIZE)
                for j, line in enumerate(lines):
                    self._write(
                        figure, x, y + head + titles - 0.04 - LINE * (len(lines) - j - 0.5), line, bold=True, colour=style.MUTED
                    )
                self._panel(figure, x, y + head + titles, name, level)
            y += size
        self._write(figure, MARGIN + self.left, y + LINE * 0.5, self.canvas.words("axis.months"), colour=style.MUTED)
        return figure

    def _write(self, figure: Figure, x: float, y: float, text: str, *, ha: str = "left", bold: bool = False, size: float = SIZE,
               colour: str = style.INK) -> None:  # fmt: skip
        up = figure.get_figheight()
        figure.text(x / self.width, 1 - (y + 0.27 * size / 72) / up, text, ha=ha, va="baseline", fontsize=size,
                    fontweight="bold" if bold else "normal", color=colour, parse_math=False)  # fmt: skip

    def _entries(self) -> list[tuple[float, int, str]]:
        """Where each arm's name stands in the legend: from the left, in which line."""
        found, x, line = list[tuple[float, int, str]](), MARGIN + self.left, 0
        for arm in self.arms:
            needed = 0.31 + width_of(self.canvas.arms[arm], SIZE)
            if found and x + needed > self.width - MARGIN:
                x, line = MARGIN + self.left, line + 1
            found.append((min(x, max(MARGIN, self.width - MARGIN - needed)), line, arm))
            x += needed + 0.2
        return found

    def _legend(self, figure: Figure, y: float, entries: list[tuple[float, int, str]]) -> None:
        up = figure.get_figheight()
        for x, line, arm in entries:
            look, here = self.canvas.styles[arm], y + line * LINE
            figure.add_artist(mpl.lines.Line2D([x / self.width, (x + 0.25) / self.width], [1 - here / up] * 2, color=look["color"],
                                               linestyle=look["linestyle"], linewidth=1.6))  # fmt: skip
            self._write(figure, x + 0.31, here, self.canvas.arms[arm])

    def _panel(self, figure: Figure, x: float, y: float, name: str, level: str) -> None:
        up = figure.get_figheight()
        axes = figure.add_axes((x / self.width, 1 - (y + TALL) / up, self.panel / self.width, TALL / up))
        part = self.table[(self.table["subgroup"] == name) & (self.table["level"] == level)]
        if self.end is not None and self.end > self.first:
            axes.axvspan(max(self.first - 0.7, 0.0), self.end, color=style.SHADE, linewidth=0, zorder=0)
        if self.first < 0:
            axes.axvline(0, color=style.MUTED, linewidth=0.8)
        for arm in self.arms:
            rows = part[part["group"] == arm].sort_values("month")
            self._curve(axes, rows, self.canvas.styles[arm])
        axes.set_xlim(self.first - 0.7, self.last + 0.7)
        axes.set_ylim(0, self.top_share)
        axes.set_xticks(self.ticks)
        axes.set_yticks([t for t in (0, 0.2, 0.4, 0.6, 0.8, 1.0) if t <= self.top_share + 1e-9])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 100:.0f} %"))
        axes.tick_params(labelsize=SIZE, length=2.5, pad=2)
        axes.grid(axis="y")
        self._write(figure, x - self.over - 0.08, y + TALL + 0.2 + LINE * 0.5, self.canvas.words("axis.observed"), ha="right",
                    colour=style.MUTED)  # fmt: skip
        below = y + TALL + 0.2 + LINE
        for arm in self.arms:
            lines = self.names[arm]
            for j, line in enumerate(lines):
                self._write(
                    figure,
                    x - self.over - 0.08,
                    below + LINE * (j + 0.5),
                    line,
                    ha="right",
                    colour=self.canvas.styles[arm]["color"],
                )
            people = part[part["group"] == arm].set_index("month")["n"].reindex(self.ticks)
            for month, n in people.items():
                place = (float(month) - self.first + 0.7) / (self.last - self.first + 1.4) * self.panel
                self._write(figure, x + place, below + LINE * 0.5, numbers.count(n), ha="center")
            below += LINE * len(lines)

    @staticmethod
    def _curve(axes: Axes, rows: pd.DataFrame, look: Mapping[str, object]) -> None:
        month, share, low, high = (rows[c].to_numpy(dtype=float) for c in ("month", "estimate", "conf_low", "conf_high"))
        axes.fill_between(month, low, high, color=look["color"], alpha=0.15, linewidth=0)
        axes.plot(month, share, color=look["color"], linestyle=look["linestyle"], linewidth=1.4)
        # a month between two hidden ones has no line to show it
        known = np.isfinite(share)
        alone = known & ~np.r_[False, known[:-1]] & ~np.r_[known[1:], False]
        axes.plot(month[alone], share[alone], color=look["color"], marker=".", markersize=3, linestyle="none")
