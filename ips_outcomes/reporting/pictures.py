"""Which picture suits a table of estimates: behind the ``plot`` method."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import style
from ips_outcomes.reporting.centre_figures import centre_figures
from ips_outcomes.reporting.effect_figures import effect_by_number
from ips_outcomes.reporting.figures import Canvas, DotRow, curve, dots, steps
from ips_outcomes.reporting.forest import forest
from ips_outcomes.reporting.forest_rows import arms_of
from ips_outcomes.reporting.targeting_figure import targeting
from ips_outcomes.reporting.words import words

__all__ = ["draw_estimates"]


def draw_estimates(
    estimates: Estimates, *, arms: dict[str, str] | None = None, narrow: bool = False, **options: Any
) -> Figure:  # fmt: skip
    """The picture that suits an `Estimates`: used by its ``plot`` method.

    Parameters
    ----------
    estimates : Estimates
    arms : dict, optional
        Name of each group to its label, in the order wanted.
    narrow : bool
        As wide as a phone instead of a journal page.
    **options
        Of the effects within subgroups: those of `forest` (``width`` in millimetres, ``shrunken``, ``headings``, ``limits``,
        ``better``).
    """
    table = estimates.table
    if {"compared_with", "scale"} <= set(table.columns):
        return _subgroups(estimates, arms, narrow, options)
    if options:
        raise UnsupportedError(f"this picture has no option {', '.join(options)}")
    groups = [g for g in dict.fromkeys(table["group"]) if g]
    canvas = Canvas(words("en"), arms or {g: g for g in groups}, narrow)
    with mpl.rc_context(style.rc()):
        if (drawn := centre_figures(estimates, canvas)) is not None:
            return drawn
        if "value" in table:
            # an effect along a number
            return effect_by_number(estimates, canvas)
        if "share" in table and table["share"].notna().any():
            return targeting(estimates, canvas)
        if estimates.shape == "steps":
            of_jobs = (table["measure"] == "still_in_job").all()
            return steps(estimates, canvas, axis="axis.months_since_job" if of_jobs else "axis.months")
        if estimates.shape == "curve" and table["month"].notna().any() and table["month"].nunique() > 3:
            return curve(estimates, canvas)
        return _plain_forest(estimates, canvas)


def _subgroups(estimates: Estimates, arms: dict[str, str] | None, narrow: bool, options: dict[str, Any]) -> Figure:
    pairs = [arms_of(contrast) for contrast in dict.fromkeys(estimates.table["contrast"])]
    names = dict.fromkeys([*(arm for arm, _ in pairs), *(reference for _, reference in pairs)])
    with mpl.rc_context(style.rc()):
        return forest(estimates, Canvas(words("en"), arms or {name: name for name in names}, narrow), **options)


def _plain_forest(estimates: Estimates, canvas: Canvas) -> Figure:
    """One row an estimate; measures on scales of their own get panels of their own."""
    table = estimates.table[estimates.table["estimate"].notna()]
    if table.empty:
        raise UnsupportedError("there is no estimate to draw")
    # measures have scales of their own: the first is drawn, the others stand in the table
    measure = str(table["measure"].iloc[0])
    table = table[table["measure"] == measure]
    scale = 100.0 if measure == "risk_difference" else 1.0
    rows = [
        DotRow(label, False, {"value": tuple(scale * float(v) for v in limits)})  # type: ignore[dict-item]
        for label, limits in zip(_row_labels(table), table[["estimate", "conf_low", "conf_high"]].to_numpy(float), strict=True)
    ]
    only = {"value": {"color": style.ARM_COLOURS[0], "marker": "o"}}
    label = canvas.words("axis.difference") if measure == "risk_difference" else measure.replace("_", " ").capitalize()
    return dots({estimates.title: rows}, canvas, percent=measure in ("rate", "share", "cumulative_incidence"),
                zero="difference" in measure, series=only, axis_label=label,
                reference_lines=(1.0,) if "ratio" in measure else ())  # fmt: skip


def _row_labels(table: pd.DataFrame) -> list[str]:
    """What tells each row from the others; what all rows share is left out."""
    parts = {c: table[c].astype(str).tolist() for c in ("outcome", "subgroup", "level", "group", "contrast")}
    parts["month"] = [f"month {m}" if pd.notna(m) else "" for m in table["month"]]
    telling = [values for values in parts.values() if len(set(values)) > 1]
    telling = telling or [parts["contrast"] if any(parts["contrast"]) else parts["group"]]
    return [" · ".join(part for part in row if part) for row in zip(*telling, strict=True)]
