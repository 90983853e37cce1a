"""The one place for colours, line styles and what every figure shares."""

from __future__ import annotations

from typing import Any

__all__ = ["GRID", "INK", "MUTED", "PAPER", "arm_styles", "rc", "source_colours", "state_colours"]

#: Okabe and Ito's colours, told apart with every common kind of colour vision.
ARM_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
LINES = ("-", (0, (5, 1.6)), (0, (1.5, 1.2)), (0, (6, 1.2, 1.2, 1.2)))
MARKERS = ("o", "s", "^", "D")
INK, MUTED, GRID, PAPER, SHADE = "#1b2430", "#5b6675", "#e3e7ec", "#ffffff", "#eef1f5"
SOURCES = ("#9aa5b1", "#3f4c5c", "#c8b88a", "#7a6f9b")
REASONS = {
    "dead": "#3f4c5c", "abroad": "#56B4E9", "not_linked": "#E69F00", "before_source": "#c8ced6",
    "after_extraction": "#9aa5b1", "file_missing": "#CC79A7", "blank": "#F0E442",
}  # fmt: skip

#: States of a study in their order, work at the bottom: neighbours differ in lightness as well, for print without colours.
STATES = ("#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#F0E442", "#CC79A7", "#8c564b", "#7a6f9b", "#c8b88a")
ALWAYS = {"none": "#d3d9e0", "abroad": "#9aa5b1", "dead": "#3f4c5c", "not_observed": "#f4f6f8", "hidden": "#ffffff"}


def state_colours(states: list[str]) -> dict[str, str]:
    """Colour of each state, by its place in the study file; those that every study has are grey."""
    own = [state for state in states if state not in ALWAYS]
    return {state: ALWAYS.get(state) or STATES[own.index(state) % len(STATES)] for state in states}


def arm_styles(arms: list[str]) -> dict[str, dict[str, Any]]:
    """Colour, line and marker of each arm, by its place in the study file."""
    return {arm: {"color": ARM_COLOURS[i % 4], "linestyle": LINES[i % 4], "marker": MARKERS[i % 4]} for i, arm in enumerate(arms)}


def source_colours(sources: list[str]) -> dict[str, str]:
    """Colour of each register system."""
    return {source: SOURCES[i % 4] for i, source in enumerate(sources)}


def rc() -> Any:
    """Settings of matplotlib; fixed salt and no dates, so that the same table gives the same bytes."""
    return {
        "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.labelsize": 9, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
        "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False, "text.color": INK,
        "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
        "figure.facecolor": PAPER, "axes.facecolor": PAPER, "savefig.facecolor": PAPER, "grid.color": GRID,
        "grid.linewidth": 0.8, "legend.frameon": False, "svg.hashsalt": "ips_outcomes", "svg.fonttype": "path",
        "pdf.fonttype": 3, "axes.axisbelow": True,
    }  # fmt: skip
