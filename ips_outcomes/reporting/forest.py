"""A forest plot of subgroups: both scales, counts, intervals in numbers; as wide as a journal's page, its column, or a phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import style
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.forest_axis import axis_limits, axis_ticks, tick_label
from ips_outcomes.reporting.forest_rows import Block, Mark, Row, blocks, is_ratio
from ips_outcomes.reporting.measured import line_height, width_of, wrapped

__all__ = ["COLUMN", "PAGE", "forest"]

#: Millimetres: a journal's page and column. On a phone a column is shown as wide as the screen.
PAGE, COLUMN = 183.0, 89.0
SIZE = 7.0
GAP, MARGIN = 0.09, 0.06
#: Figures from here on have room for two panels and for numbers beside them.
ROOM = 5.4
LINE = line_height(SIZE)
#: Between the rows and the words under an axis.
UNDER = 0.21
CLIPPED = "_clipped"


@dataclass(frozen=True)
class _Columns:
    """Left edges and widths in inches."""

    label: float
    counts: tuple[float, float]
    panels: tuple[float, ...]
    panel: float
    texts: tuple[float, ...]


def forest(
    estimates: Estimates, canvas: Canvas, *, width: float | None = None, headings: Mapping[str, str] | None = None,
    shrunken: bool = False, limits: Mapping[str, tuple[float, float]] | None = None, better: str | None = "higher",
) -> Figure:  # fmt: skip
    """Draw the effects within subgroups that `subgroup_effects` gives.

    Parameters
    ----------
    estimates : Estimates
    canvas : Canvas
    width : float, optional
        Millimetres; a page's 183 by default, a column's 89 on a narrow
        canvas. From 137 on both scales stand side by side, with numbers;
        below, one under the other.
    headings : dict, optional
        By subgroup, what it is called.
    shrunken : bool
        Show shrunken effects as small light diamonds beside the raw ones.
    limits : dict, optional
        By scale, both ends of the axis; by default what shows all but the
        widest intervals. Intervals that go on end in an arrow.
    better : {"higher", "lower"} or None
        Which end of the axis favours the arm that is compared; None: not said.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnsupportedError
        Where there is no effect to draw, and for unknown words.
    """
    if better not in ("higher", "lower", None):
        raise UnsupportedError('better= is "higher", "lower" or None')
    inches = (width or (COLUMN if canvas.narrow else PAGE)) / 25.4
    if inches < 2.9:
        raise UnsupportedError("width= is at least 74 mm")
    parts = []
    for block in blocks(estimates.table, canvas, headings):
        together = [block.scales] if inches >= ROOM else [(scale,) for scale in block.scales]
        parts += [_Part(block, scales, canvas, inches, shrunken, limits or {}, better) for scales in together]
    key = _Key(parts, canvas, inches, shrunken)
    figure = Figure(figsize=(inches, sum(part.height for part in parts) + key.height + 2 * MARGIN))
    top = figure.get_figheight() - MARGIN
    for part in parts:
        part.draw(figure, top)
        top -= part.height
    key.draw(figure, top)
    return figure


def _write(
    figure: Figure, x: float, y: float, text: str, *, ha: str = "left", bold: bool = False, colour: str = style.INK
) -> None:
    """One line of text at inches from the left and the bottom; y is the middle of its small letters."""
    if text:
        figure.text(x / figure.get_figwidth(), (y - 0.27 * SIZE / 72) / figure.get_figheight(), text, ha=ha, va="baseline", fontsize=SIZE,
                    fontweight="bold" if bold else "normal", color=colour, parse_math=False)  # fmt: skip


class _Part:
    """Rows of a block with one panel or two: a header, the rows, the axes, what favours whom."""

    def __init__(
        self, block: Block, scales: tuple[str, ...], canvas: Canvas, width: float, shrunken: bool,
        limits: Mapping[str, tuple[float, float]], better: str | None,
    ) -> None:  # fmt: skip
        self.block, self.scales, self.canvas, self.width, self.shrunken = block, scales, canvas, width, shrunken
        self.limits = {s: limits.get(s) or axis_limits(s, self._marks(s), shrunken) for s in scales}
        self.columns = self._columns(width)
        self.better = better
        self.labels = [self._label(row) for row in block.rows]
        self.heights = [self._row_height(row, label) for row, label in zip(block.rows, self.labels, strict=True)]
        # a shrunken mark hangs a little under its row
        self.heights[-1] += 0.04
        self.header = self._header()
        self.favours = [self._favours(i) for i in range(len(scales))]
        lines = max((len(lines) for lines in self.favours), default=0)
        self.title = LINE * 1.5 if block.title else 0.0
        self.top = max(len(lines) for *_, lines in self.header) * LINE + 0.06
        self.bottom = UNDER + lines * LINE + 0.10
        self.height = self.title + self.top + sum(self.heights) + self.bottom

    def _marks(self, scale: str) -> list[Mark]:
        return [row.marks[scale] for row in self.block.rows if scale in row.marks]

    # ------------------------------------------------------------------ widths
    def _columns(self, width: float) -> _Columns:
        wide = width >= ROOM
        rows = self.block.rows
        names = [self.canvas.arms.get(arm, arm) for arm in self.block.arms]
        counts = [max([width_of(row.counts[i], SIZE, row.everybody) for row in rows] + [width_of(self._unit(), SIZE)]
                      + [width_of(word, SIZE, True) for word in names[i].split() if width_of(word, SIZE, True) < 0.6])
                  for i in range(2)]  # fmt: skip
        longest = max(
            width_of(row.label, SIZE, row.everybody) + (0.0 if row.everybody else 0.09) for row in rows if not row.heading
        )
        for share, with_text in ((0.24, True), (0.18, True), (0.24, False), (0.18, False)):
            label = min(longest + 0.02, (share if wide else share + 0.08) * width)
            texts = tuple(
                max(width_of(r.marks[s].text, SIZE, r.everybody) for r in rows if s in r.marks) if wide and with_text else 0.0
                for s in self.scales
            )
            number = len(self.scales)
            taken = 2 * MARGIN + label + sum(counts) + sum(texts) + GAP * (2 + number + sum(t > 0 for t in texts)) + 0.08 * number
            panel = (width - taken) / number
            if panel >= (0.85 if wide else 1.2):
                break
        panel = max(panel, 0.5)
        first = MARGIN + label + GAP + counts[0]
        x = first + GAP + counts[1]
        panels, ends = [], []
        for text in texts:
            x += GAP + 0.04
            panels.append(x)
            x += panel + 0.04 + (GAP + text if text else 0.0)
            ends.append(x)
        return _Columns(label, (first, first + GAP + counts[1]), tuple(panels), panel, tuple(ends))

    def _unit(self) -> str:
        return self.canvas.words("forest.events" if self.block.events else "forest.people")

    # ----------------------------------------------------------------- heights
    def _label(self, row: Row) -> list[str]:
        if row.heading:
            return wrapped(row.label, self.columns.counts[1] - MARGIN, SIZE, True)
        return wrapped(row.label, self.columns.label - (0.0 if row.everybody else 0.09), SIZE, row.everybody)

    def _room(self, i: int) -> tuple[float, float]:
        """Where words about a panel may stand."""
        return self.columns.panels[i] - 0.04, max(self.columns.texts[i], self.columns.panels[i] + self.columns.panel)

    def _under(self, i: int) -> tuple[float, float]:
        """Where words under an axis may stand."""
        start = self.columns.panels[i] - 0.04
        return start, min(self._room(i)[1], start + max(self.columns.panel + 0.08, 1.15))

    def _tests(self, row: Row) -> list[list[str]]:
        """The words about differences between levels, in as many lines as they need."""
        found = []
        for i, scale in enumerate(self.scales):
            left, right = self._room(i)
            # all headings of a panel say it in the same way
            fits = all(width_of(r.tests.get(scale, ("", ""))[0], SIZE) <= right - left for r in self.block.rows)
            long, short = row.tests.get(scale, ("", ""))
            found.append([long] if fits else wrapped(short, right - left, SIZE))
        return found

    def _row_height(self, row: Row, label: list[str]) -> float:
        if row.heading:
            lines = max(len(label), *(len(t) for t in self._tests(row)))
            return lines * LINE + 0.09
        return len(label) * LINE + (0.06 if row.everybody else 0.035)

    def _header(self) -> list[tuple[float, str, list[str]]]:
        """Column titles: x, alignment, lines."""
        left, made = self.columns, []
        widths = (left.counts[0] - MARGIN - left.label - GAP, left.counts[1] - left.counts[0] - GAP)
        for i, arm in enumerate(self.block.arms):
            made.append(
                (left.counts[i], "right", [*wrapped(self.canvas.arms.get(arm, arm), widths[i], SIZE, True), self._unit()])
            )
        for i, scale in enumerate(self.scales):
            start, end = self._room(i)
            made.append((start, "left", wrapped(self.canvas.words(f"forest.{scale}"), end - start, SIZE, True)))
        return made

    def _favours(self, i: int) -> list[tuple[str, str]]:
        """Under each axis, whom its ends favour: in one line where there is room, otherwise in lines of their own."""
        if self.better is None:
            return []
        start, end = self._under(i)
        names = [self.canvas.arms.get(arm, arm) for arm in self.block.arms]
        low, high = (names[1], names[0]) if self.better == "higher" else (names[0], names[1])
        left = wrapped(self.canvas.words("forest.favours_low", arm=low), end - start, SIZE)
        right = wrapped(self.canvas.words("forest.favours_high", arm=high), end - start, SIZE)
        if len(left) == len(right) == 1 and width_of(left[0], SIZE) + width_of(right[0], SIZE) + GAP <= end - start:
            return [(left[0], right[0])]
        return [*((line, "") for line in left), *(("", line) for line in right)]

    # ----------------------------------------------------------------- drawing
    def draw(self, figure: Figure, top: float) -> None:
        """Everything between ``top`` and ``top`` minus ``height``, in inches from the bottom."""
        if self.block.title:
            _write(figure, MARGIN, top - LINE * 0.6, self.block.title, bold=True)
        top -= self.title
        for x, align, lines in self.header:
            for j, line in enumerate(lines):
                unit = align == "right" and j == len(lines) - 1
                # the last lines stand on one level, just over the rows
                y = top - self.top + 0.06 + LINE * (len(lines) - j - 0.5)
                _write(figure, x, y, line, ha=align, bold=not unit, colour=style.MUTED if unit else style.INK)
        top -= self.top
        rows_height = sum(self.heights)
        rule = mpl.lines.Line2D([MARGIN / self.width, 1 - MARGIN / self.width], [top / figure.get_figheight()] * 2, color=style.MUTED,
                                linewidth=0.6)  # fmt: skip
        figure.add_artist(rule)
        bounds = [(x / self.width, (top - rows_height) / figure.get_figheight(), self.columns.panel / self.width,
                   rows_height / figure.get_figheight()) for x in self.columns.panels]  # fmt: skip
        panels = [figure.add_axes(box) for box in bounds]
        for axes, scale in zip(panels, self.scales, strict=True):
            self._axis(axes, scale, rows_height)
        y = 0.0
        for row, label, height in zip(self.block.rows, self.labels, self.heights, strict=True):
            self._draw_row(figure, panels, row, label, top - y, height, rows_height - y)
            y += height
        below = top - rows_height - UNDER
        for i, favoured in enumerate(self.favours):
            start, end = self._under(i)
            for j, (left, right) in enumerate(favoured):
                where = below - LINE * (j + 0.5)
                _write(figure, start, where, left, colour=style.MUTED)
                _write(figure, end, where, right, ha="right", colour=style.MUTED)

    def _axis(self, axes: Axes, scale: str, height: float) -> None:
        low, high = self.limits[scale]
        axes.set_ylim(0, height)
        if is_ratio(scale):
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.patch.set_visible(False)
        factor = 100 if scale == "risk_difference" else 1
        ticks = axis_ticks(low, high, is_ratio(scale), self.columns.panel, factor, SIZE)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tick_label(v * factor)))
        axes.tick_params(axis="x", labelsize=SIZE, length=2.5, pad=2)
        everybody = next((row.marks[scale].value for row in self.block.rows if row.everybody and scale in row.marks), None)
        for top, bottom in self._runs(height):
            axes.plot([1 if is_ratio(scale) else 0] * 2, [bottom, top], color=style.INK, linewidth=0.8, zorder=1)
            if everybody is not None and low <= everybody <= high:
                axes.plot([everybody] * 2, [bottom, top], color=style.MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)

    def _runs(self, height: float) -> list[tuple[float, float]]:
        """Tops and bottoms of rows without a heading between them: words of a heading are not crossed by lines."""
        found, y, top = list[tuple[float, float]](), height, height
        for row, tall in zip(self.block.rows, self.heights, strict=True):
            if row.heading:
                found += [(top, y)] if top > y else []
                top = y - tall
            y -= tall
        return [*found, (top, 0.0)]

    def _draw_row(
        self, figure: Figure, panels: list[Axes], row: Row, label: list[str], top: float, height: float, inside: float
    ) -> None:
        middle = top - height / 2
        if row.heading:
            # words stand at the row's foot, over the levels they are about
            tests, foot = self._tests(row), top - height + 0.02
            for j, line in enumerate(label):
                _write(figure, MARGIN, foot + LINE * (len(label) - j - 0.5), line, bold=True)
            for i, lines in enumerate(tests):
                for j, line in enumerate(lines):
                    _write(figure, self._room(i)[0], foot + LINE * (len(lines) - j - 0.5), line, colour=style.MUTED)
            return
        for j, line in enumerate(label):
            _write(
                figure,
                MARGIN + (0.0 if row.everybody else 0.09),
                middle + LINE * ((len(label) - 1) / 2 - j),
                line,
                bold=row.everybody,
            )
        for x, text in zip(self.columns.counts, row.counts, strict=True):
            _write(figure, x, middle, text, ha="right", bold=row.everybody)
        for i, scale in enumerate(self.scales):
            if scale not in row.marks:
                continue
            self._draw_mark(panels[i], row.marks[scale], scale, inside - height / 2, everybody=row.everybody)
            if self.columns.texts[i] > self.columns.panels[i] + self.columns.panel + GAP:
                _write(figure, self.columns.texts[i], middle, row.marks[scale].text, ha="right", bold=row.everybody)

    def _draw_mark(self, axes: Axes, mark: Mark, scale: str, y: float, *, everybody: bool) -> None:
        low, high = self.limits[scale]
        arm = self.block.arms[0]
        colour = style.INK if everybody else self.canvas.styles.get(arm, {"color": style.ARM_COLOURS[0]})["color"]
        if not (np.isnan(mark.low) or np.isnan(mark.high)):
            ends = max(mark.low, low), min(mark.high, high)
            if ends[0] < ends[1]:
                axes.plot(ends, [y, y], color=colour, linewidth=1.1, solid_capstyle="butt", zorder=2)
            for beyond, end, marker in ((mark.low < low, low, "<"), (mark.high > high, high, ">")):
                if beyond:
                    axes.plot([end], [y], marker=marker, color=colour, markersize=4, markeredgewidth=0, linestyle="none", clip_on=False,
                              label=CLIPPED, zorder=3)  # fmt: skip
        most = max(m.people for m in self._marks(scale))
        if low <= mark.value <= high:
            axes.plot([mark.value], [y], marker="s" if everybody else "o", color=colour, markersize=2.6 + 2.6 * np.sqrt(mark.people / most),
                      markerfacecolor=style.PAPER if mark.hollow else colour, markeredgewidth=0.9, linestyle="none", zorder=4)  # fmt: skip
        if self.shrunken and mark.shrunken is not None and low <= mark.shrunken <= high:
            axes.plot([mark.shrunken], [y - 0.045], marker="D", color=style.PAPER, markeredgecolor=colour, markersize=2.6, markeredgewidth=0.6,
                      linestyle="none", alpha=0.75, zorder=5)  # fmt: skip


class _Key:
    """What the marks mean, in lines under the last axis."""

    def __init__(self, parts: list[_Part], canvas: Canvas, width: float, shrunken: bool) -> None:
        rows = [row for part in parts for row in part.block.rows]
        marks = [mark for row in rows for mark in row.marks.values()]
        say, self.width = canvas.words, width
        clipped = any(m.low < low or m.high > high for p in parts for s, (low, high) in p.limits.items() for m in p._marks(s))
        items = [
            ("line", say("forest.key_everybody"), any(row.everybody for row in rows)), ("o", say("forest.key_few"), any(m.hollow for m in marks)),
            ("D", say("forest.key_shrunken"), shrunken and any(m.shrunken is not None for m in marks)), (">", say("forest.key_clipped"), clipped),
        ]  # fmt: skip
        self.lines: list[list[tuple[float, str, str]]] = [[]]
        x = MARGIN
        for mark, text, shown in items:
            pieces = wrapped(text, width - 2 * MARGIN - 0.2, SIZE) if shown else []
            for j, piece in enumerate(pieces):
                needed = 0.2 + width_of(piece, SIZE) + 0.2
                if self.lines[-1] and (j or x + needed - 0.2 > width - MARGIN):
                    self.lines.append([])
                    x = MARGIN
                self.lines[-1].append((x, mark if j == 0 else "", piece))
                x += needed
        self.lines = [line for line in self.lines if line]
        self.height = len(self.lines) * (LINE + 0.02)

    def draw(self, figure: Figure, top: float) -> None:
        """The key from ``top`` downwards."""
        for i, line in enumerate(self.lines):
            y = top - (LINE + 0.02) * (i + 0.5)
            for x, mark, text in line:
                _write(figure, x + 0.2, y, text, colour=style.MUTED)
                if mark:
                    self._mark(figure, x, y, mark)

    def _mark(self, figure: Figure, x: float, y: float, mark: str) -> None:
        across, up = self.width, figure.get_figheight()
        if mark == "line":
            line = mpl.lines.Line2D(
                [x / across, (x + 0.15) / across], [y / up] * 2, color=style.MUTED, linewidth=0.8, linestyle=(0, (3, 2))
            )
        else:
            hollow = mark in ("o", "D")
            line = mpl.lines.Line2D([(x + 0.08) / across], [y / up], marker=mark, markersize=4.5 if mark == "o" else 3.2, color=style.MUTED,
                                    markerfacecolor=style.PAPER if hollow else style.MUTED, markeredgewidth=0.8, linestyle="none")  # fmt: skip
        figure.add_artist(line)
