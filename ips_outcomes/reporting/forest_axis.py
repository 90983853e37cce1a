"""Axes of a forest plot: where they end, and which round numbers stand under them."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from ips_outcomes.reporting.forest_rows import Mark, is_ratio
from ips_outcomes.reporting.measured import width_of

__all__ = ["axis_limits", "axis_ticks", "tick_label"]

#: Ticks that an axis of ratios may have.
RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)

#: Inches.
BEYOND = 0.09


def axis_limits(scale: str, marks: list[Mark], shrunken: bool) -> tuple[float, float]:
    """Ends of an axis that show every estimate and all but the widest intervals."""
    ratio = is_ratio(scale)
    turned = np.log if ratio else np.asarray
    shown = [m for m in marks if np.isfinite(m.value) and (m.value > 0 or not ratio)]
    with np.errstate(divide="ignore"):
        values = turned(
            np.array([m.value for m in shown] + [m.shrunken for m in shown if shrunken and m.shrunken is not None], dtype=float)
        )
        ends = turned(np.array([[m.low, m.high] for m in shown], dtype=float).reshape(-1, 2))
    none = 0.0
    bottom, top = min(values.min(initial=none), none), max(values.max(initial=none), none)
    finite = ends[np.isfinite(ends).all(axis=1)]
    # as far beyond the estimates as twice the middling interval reaches
    reach = 2.0 * float(np.median(finite[:, 1] - finite[:, 0]) / 2) if len(finite) else 0.0
    low = max(bottom - reach, min(bottom, finite[:, 0].min(initial=bottom)))
    high = min(top + reach, max(top, finite[:, 1].max(initial=top)))
    pad = 0.04 * (high - low) or 0.1
    low, high = low - pad, high + pad
    return (float(np.exp(low)), float(np.exp(high))) if ratio else (float(low), float(high))


def tick_label(value: float) -> str:
    """A round number as it stands under an axis."""
    return f"{value:.6g}".replace("-", "\u2212")


def axis_ticks(low: float, high: float, ratio: bool, width: float, factor: float, size: float) -> list[float]:
    """As many round numbers as have room for their labels, no effect among them."""
    turned = np.log if ratio else np.asarray
    found = [1.0 if ratio else 0.0]
    choices = [[t for t in RATIO_TICKS if low <= t <= high]]
    choices += [choices[0][choices[0].index(1) % n :: n] for n in (2, 3)] if 1 in choices[0] else []
    if not ratio:
        locators = [MaxNLocator(n, steps=[1, 2, 2.5, 5, 10]) for n in (7, 6, 5, 4, 3, 2)]
        choices = [[float(t) for t in locator.tick_values(low, high) if low <= t <= high] for locator in locators]
    for ticks in choices:
        places = (turned(np.array(ticks)) - turned(low)) / (turned(high) - turned(low)) * width
        halves = np.array([width_of(tick_label(t * factor), size) for t in ticks]) / 2
        # a label may stand out a little at either end, where nothing else stands
        inside = (places - halves >= -BEYOND) & (places + halves <= width + BEYOND)
        ticks, places, halves = [t for t, fits in zip(ticks, inside, strict=True) if fits], places[inside], halves[inside]
        if len(ticks) > 1 and (np.diff(places) >= halves[1:] + halves[:-1] + 0.07).all():
            return ticks
    return found
