"""What a forest plot of subgroups shows, row by row, read from the estimates and not yet placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.study.conditions import UNKNOWN

__all__ = ["Block", "Mark", "Row", "arms_of", "blocks", "is_ratio"]

ADDITIVE = ("risk_difference", "mean_difference")
RATIOS = ("risk_ratio", "mean_ratio", "hazard_ratio", "odds_ratio", "conditional_odds_ratio")


def is_ratio(scale: str) -> bool:
    """Whether a scale has one where there is no effect, and a logarithmic axis."""
    return scale in RATIOS


@dataclass(frozen=True)
class Mark:
    """One effect on one scale; ``shrunken`` is None where there is none."""

    value: float
    low: float
    high: float
    people: float
    hollow: bool
    text: str
    shrunken: float | None = None


@dataclass(frozen=True)
class Row:
    """A line of the plot.

    Attributes
    ----------
    label : str
    heading : bool
        Names a subgroup; has no marks of its own.
    counts : tuple of str
        Of the compared arm and of the reference.
    marks : dict
        By scale.
    tests : dict
        By scale, the words about the difference between the levels, long and short.
    """

    label: str
    heading: bool = False
    everybody: bool = False
    counts: tuple[str, str] = ("", "")
    marks: dict[str, Mark] = field(default_factory=dict)
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Rows of one outcome, month and contrast."""

    title: str
    arms: tuple[str, str]
    events: bool
    scales: tuple[str, ...]
    rows: tuple[Row, ...]


def arms_of(contrast: object) -> tuple[str, str]:
    """The two arms of a contrast, which is written with a minus sign or a slash.

    Examples
    --------
    >>> arms_of("ips - control"), arms_of("ips / control")
    (('ips', 'control'), ('ips', 'control'))
    """
    arm, _, reference = str(contrast).replace(" / ", " - ").partition(" - ")
    return arm, reference


def blocks(table: pd.DataFrame, canvas: Canvas, headings: Mapping[str, str] | None = None) -> list[Block]:
    """The blocks of a table from `subgroup_effects`.

    Raises
    ------
    UnsupportedError
        Where no effect can be drawn.
    """
    table = table.assign(_arms=[arms_of(c) for c in table["contrast"]])
    asked = {"outcome": table["outcome"], "month": table["month"].astype(object).where(table["month"].notna(), None)}
    keys = list(zip(asked["outcome"], asked["month"], table["_arms"], strict=True))
    telling = [len({key[i] for key in keys}) > 1 for i in range(3)]
    found = []
    for key in dict.fromkeys(keys):
        part = table[[k == key for k in keys]]
        outcome, month, (arm, reference) = key
        words = [str(outcome), canvas.words("axis.month", month=month), canvas.arms.get(arm, arm)]
        title = ", ".join(word for word, tells in zip(words, telling, strict=True) if tells)
        made = _block(part, canvas, title, (arm, reference), headings or {})
        found += [made] if made is not None else []
    if not found:
        raise UnsupportedError("there is no effect to draw")
    return found


def _scales(table: pd.DataFrame) -> tuple[str, ...]:
    """One additive and one multiplicative scale; the primary one among them."""
    here = [s for s in dict.fromkeys(table["measure"]) if s in (*ADDITIVE, *RATIOS)]
    primary = set(table.loc[table["measure"].isin(["interaction", "interaction_test"]), "scale"])
    chosen = [
        next((s for s in here if s in kind and s in primary), next((s for s in here if s in kind), ""))
        for kind in (ADDITIVE, RATIOS)
    ]
    return tuple(s for s in chosen if s)


def _block(table: pd.DataFrame, canvas: Canvas, title: str, arms: tuple[str, str], headings: Mapping[str, str]) -> Block | None:
    scales = _scales(table[table["estimate"].notna()])
    effects = table[table["measure"].isin(scales) & table["estimate"].notna()]
    if effects.empty:
        return None
    events = "events_arm" in effects and bool(effects["events_arm"].notna().any())
    rows = []
    everybody = effects[effects["subgroup"] == ""]
    if len(everybody):
        rows.append(_row(everybody, canvas.words("axis.everybody"), events, everybody=True))
    for name in dict.fromkeys(n for n in effects["subgroup"] if n):
        part = effects[effects["subgroup"] == name]
        heading = headings.get(name, name.replace("_", " ").capitalize())
        rows.append(Row(heading, heading=True, tests=_tests(table[table["subgroup"] == name], scales, canvas)))
        present = list(dict.fromkeys(part["level"]))
        for level in sorted(present, key=lambda x: x == UNKNOWN):
            rows.append(_row(part[part["level"] == level], str(level), events))
    return Block(title, arms, events, scales, tuple(rows))


def _number(scale: str, value: float, digits: int) -> str:
    return numbers.points(value) if scale == "risk_difference" else numbers.decimal(value, digits)


def _row(rows: pd.DataFrame, label: str, events: bool, *, everybody: bool = False) -> Row:
    marks = {}
    for row in rows.to_dict("records"):
        scale = row["measure"]
        digits = 2 if is_ratio(scale) else 1
        low, high = float(row["conf_low"]), float(row["conf_high"])
        text = _number(scale, row["estimate"], digits)
        if not (np.isnan(low) or np.isnan(high)):
            text += f" ({_number(scale, low, digits)} to {_number(scale, high, digits)})"
        drawn = row.get("shrunken")
        marks[scale] = Mark(float(row["estimate"]), low, high, float(row["n"]), row.get("few_events") is True, text,
                            None if drawn is None or pd.isna(drawn) else float(drawn))  # fmt: skip
    first = rows.iloc[0]

    def count(side: str) -> str:
        people = numbers.count(first[f"n_{side}"])
        return f"{numbers.count(first[f'events_{side}'])}/{people}" if events else people

    return Row(label, everybody=everybody, counts=(count("arm"), count("reference")), marks=marks)


def _tests(rows: pd.DataFrame, scales: tuple[str, ...], canvas: Canvas) -> dict[str, tuple[str, str]]:
    """The p of the difference between levels by scale; of three levels or more that of all differences at once."""
    found, say = {}, canvas.words
    for scale in scales:
        primary = rows[(rows["measure"] == "interaction") & (rows["scale"] == scale)]
        pairs = primary if len(primary) else rows[rows["measure"] == f"interaction_{scale}"]
        pairs = pairs[pairs["p_value"].notna()]
        if pairs.empty:
            continue
        together = rows[(rows["measure"] == "interaction_test") & (rows["scale"] == scale) & rows["p_value"].notna()]
        if len(pairs) > 1 and together.empty:
            continue
        p_value = numbers.p_value((together if len(pairs) > 1 else pairs)["p_value"].iloc[0])
        adjusted = next((c for c in ("p_adjusted", "p_holm") if c in pairs and pairs[c].notna().all()), None)
        if adjusted is None:
            found[scale] = (say("forest.p", p=p_value), say("forest.p_short", p=p_value))
            continue
        smallest = numbers.p_value(pairs[adjusted].min())
        found[scale] = (say(f"forest.{adjusted}", p=p_value, adjusted=smallest),
                        say(f"forest.{adjusted}_short", p=p_value, adjusted=smallest))  # fmt: skip
    return found
