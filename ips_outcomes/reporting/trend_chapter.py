"""The chapter on the trend: does the share in work go on rising after the programme, and faster in one arm.

Asked where the study names the programme's last month. The slope runs from
the month after it to the last; the paired change ("still rising") over the
last `trend_change_months`; a line with a knot at the programme's end tells
the slope before and after.

What leaves: all three are model results. An arm's leave with at least the
profile's events for each coefficient, enough people over and above the
coefficients, no small group of people with or without the outcome, and fixed
digits; a difference leaves if both arms' results do (`hidden_models`). A paired
change stays where it tells how few came into work or went out of it. Points
of the figure are the shares by month, released as all others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ips_outcomes.analysis import employment_rates, piecewise_trends, trends
from ips_outcomes.estimates import Estimates
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import figures, numbers, style
from ips_outcomes.reporting.by_arm import asked
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hidden_models, hidden_rates, hide
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["answers", "plans", "release", "sentences", "tables"]

Answers = Mapping[str, Estimates | pd.DataFrame]


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """Slope and paired change after the programme, the line with a knot, and the shares that both summarise."""
    plan, outcome = study.follow_up, study.primary_definition
    knot, last = plan.programme_end_month, plan.months
    if knot is None or knot + 1 >= last:
        return {}
    start = knot + 1
    since = max(start, last - plan.trend_change_months)
    after = asked(study, followed, lambda d: trends(d, outcome, start=start, end=last, change_start=since))
    if after is None:
        return {}
    found = {"trend": after, "trend_shares": employment_rates(followed, outcome, by="arm", at=list(range(1, last + 1)))}
    bent = None if knot < 2 else asked(study, followed, lambda d: piecewise_trends(d, outcome, knot=knot, start=1, end=last))
    return found if bent is None else {**found, "trend_knot": bent}


def release(given: Answers, profile: Profile, words: Words) -> Answers:
    """What may leave."""
    made = {}
    for name, parameters in (("trend", 2), ("trend_knot", 3)):
        part = given.get(name)
        if isinstance(part, Estimates):
            made[name] = hidden_models(part, profile, parameters) or part
    shares = given["trend_shares"]
    assert isinstance(shares, Estimates)
    if "trend" in made:
        exact, shown = given["trend"], made["trend"]
        assert isinstance(exact, Estimates) and isinstance(shown, Estimates)
        rows = _tells_of_few(exact.table, shares.table, profile.threshold) | shown.table["hidden"].to_numpy(dtype=bool)
        made["trend"] = shown.with_table(hide(shown.table, rows, ["events", *NUMBERS]))
    return {**made, "trend_shares": hidden_rates(shares, profile.threshold)}


def _tells_of_few(table: pd.DataFrame, shares: pd.DataFrame, threshold: int) -> np.ndarray:
    """Changes that tell how few came into work, went out of it or stayed as they were, and differences that rest on them.

    A change and its error say how many went each way; with the shares of its two months that makes the whole table of
    before and after.
    """
    gone = set[str]()
    for row in table[(table["measure"] == "change") & (table["group"] != "")].to_dict("records"):
        if pd.isna(row["estimate"]):
            continue
        net = round(row["estimate"] * row["n"])
        up, down = (row["events"] + net) // 2, (row["events"] - net) // 2
        cells = [up, down]
        for month, moved in ((row["start"], down), (row["end"], up)):
            share = pick(shares, group=row["group"], month=int(month))
            # with people who were seen in one of the months alone, who stayed is not known exactly
            if share is not None and share["n"] == row["n"]:
                stayed = share["events"] - moved
                cells += [stayed, row["n"] - up - down - stayed]
        if any(0 < cell < threshold for cell in cells):
            gone.add(row["group"])
    change = table["measure"].isin(["change", "change_difference"])
    names = [{group} if group else set(str(contrast).split(" - ")) for group, contrast in
             zip(table["group"], table["contrast"], strict=True)]  # fmt: skip
    return change.to_numpy(dtype=bool) & np.array([bool(name & gone) for name in names], dtype=bool)


def _table(given: Answers, name: str) -> pd.DataFrame | None:
    part = given.get(name)
    return part.table if isinstance(part, Estimates) else None


def _ordered(table: pd.DataFrame, canvas: Canvas) -> pd.DataFrame:
    """Arms as the study file has them, then contrasts."""
    place = {arm: i for i, arm in enumerate(canvas.arms)}
    return table.assign(_place=table["group"].map(place).fillna(len(place))).sort_values("_place", kind="stable")


def _points(row: pd.Series | None) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.points)


def _contrast(name: str, canvas: Canvas) -> str:
    arm, reference = name.split(" - ")
    return canvas.words("trend.contrast", arm=canvas.arms[arm], reference=canvas.arms[reference])


def tables(study: Study, given: Answers, canvas: Canvas) -> dict[str, Shown]:
    """Slope and paired change by arm and between arms; slopes before and after the programme's end."""
    say, table = canvas.words, _table(given, "trend")
    assert table is not None
    rows = []
    for measure in ("slope", "change"):
        part = table[table["measure"].isin([measure, f"{measure}_difference"])]
        first, last = int(part["start"].iloc[0]), int(part["end"].iloc[0])
        rows.append(Row((say(f"trend.{measure}_heading", first=first, last=last),), heading=True))
        for _, row in _ordered(part, canvas).iterrows():
            name = canvas.arms[row["group"]] if row["group"] else _contrast(row["contrast"], canvas)
            rows.append(Row((name, numbers.count(row["n"]), _points(row), numbers.p_value(row["p_value"])), indent=True))
    columns = (say("column.arm"), say("column.people"), say("trend.points"), say("column.p"))
    made = {"trend": Shown(say("trend.table"), columns, tuple(rows), (say("trend.note"),))}
    bent = _table(given, "trend_knot")
    if bent is not None:
        who = [("group", arm, canvas.arms[arm]) for arm in canvas.arms if (bent["group"] == arm).any()]
        who += [("contrast", name, _contrast(name, canvas)) for name in dict.fromkeys(bent["contrast"]) if name]
        lines = []
        for kind, key, name in who:
            end = "_difference" if kind == "contrast" else ""
            found = [
                pick(bent, measure=f"{measure}{end}", **{kind: key})
                for measure in ("slope_before", "slope_after", "slope_change")
            ]
            lines.append(Row((name, *map(_points, found), numbers.p_value(cell(found[2], "p_value")))))
        knot = int(bent["knot"].iloc[0])
        first, last = int(bent["start"].iloc[0]), int(bent["end"].iloc[0])
        heads = (say("column.arm"), say("trend.before", first=first, last=knot), say("trend.after", first=knot, last=last),
                   say("trend.bend"), say("trend.bend_p"))  # fmt: skip
        made["trend_knot"] = Shown(say("trend.knot_table", knot=knot), heads, tuple(lines), (say("trend.knot_note"),))
    return made


def _direction(row: pd.Series) -> str:
    """What the interval says, and nothing that it does not."""
    if pd.isna(row["estimate"]) or pd.isna(row["conf_low"]):
        return "nothing"
    return "rose" if row["conf_low"] > 0 else "fell" if row["conf_high"] < 0 else "open"


def sentences(study: Study, given: Answers, canvas: Canvas) -> list[str]:
    """Still rising? and faster? in sentences that follow from the intervals."""
    say, table = canvas.words, _table(given, "trend")
    assert table is not None
    label = study.employed[study.primary_definition].label.lower()
    paragraphs = []
    for measure in ("change", "slope"):
        lines = []
        part = table[table["measure"].isin([measure, f"{measure}_difference"])]
        for _, row in _ordered(part, canvas).iterrows():
            said = {"label": label, "first": int(row["start"]), "last": int(row["end"]), "points": numbers.points(row["estimate"]),
                    "interval": numbers.interval(row["conf_low"], row["conf_high"], numbers.points)}  # fmt: skip
            if row["group"]:
                lines.append(say(f"trend.{measure}_{_direction(row)}", arm=canvas.arms[row["group"]], **said))
            else:
                arm, reference = row["contrast"].split(" - ")
                lines.append(say(f"trend.{measure}_difference_{_direction(row)}", arm=canvas.arms[arm],
                                 reference=canvas.arms[reference], **said))  # fmt: skip
        paragraphs.append(" ".join(lines))
    return paragraphs


def plans(study: Study, given: Answers, canvas: Canvas) -> list[Plan]:
    """The shares by month and the lines that the slopes are of."""
    say, bent, shares = canvas.words, _table(given, "trend_knot"), _table(given, "trend_shares")
    if bent is None or shares is None or not bent.loc[bent["measure"] == "level", "estimate"].notna().any():
        return []
    text = []
    for arm in (a for a in canvas.arms if (bent["group"] == a).any()):
        before, after = (pick(bent, measure=m, group=arm) for m in ("slope_before", "slope_after"))
        text.append(
            say("trend.alt_arm", arm=canvas.arms[arm], before=numbers.points(cell(before)), after=numbers.points(cell(after)))
        )
    knot = int(bent["knot"].iloc[0])
    return [Plan("trend", lambda c: _draw(shares, bent, c), shares, say("trend.caption", knot=knot),
                 say("trend.alt", text="; ".join(text)))]  # fmt: skip


def _draw(shares: pd.DataFrame, bent: pd.DataFrame, canvas: Canvas) -> Figure:
    figure = canvas.figure(3.3, 3.2)
    axes = figure.add_subplot()
    knot, first, last = (int(bent[name].iloc[0]) for name in ("knot", "start", "end"))
    arms = [arm for arm in canvas.arms if (shares["group"] == arm).any()]
    tops = [shares["estimate"].to_numpy(dtype=float)]
    for arm in arms:
        look, rows = canvas.styles[arm], shares[shares["group"] == arm]
        axes.plot(rows["month"].to_numpy(float), rows["estimate"].to_numpy(float), color=look["color"], marker=look["marker"],
                  markersize=2.6, linestyle="none", alpha=0.6)  # fmt: skip
        level, before, after = (cell(pick(bent, measure=m, group=arm)) for m in ("level", "slope_before", "slope_after"))
        if level is None or before is None or after is None or not np.isfinite([level, before, after]).all():
            continue
        line = np.array([level + before * (first - knot) / 12, level, level + after * (last - knot) / 12])
        axes.plot([first, knot, last], line, color=look["color"], linestyle=look["linestyle"], linewidth=2)
        tops.append(line)
    figures.percent_axis(axes, np.concatenate(tops))
    axes.grid(axis="y")
    axes.axvspan(0, knot, color=style.SHADE, linewidth=0, zorder=0)
    axes.text(knot / 2, 0.985, canvas.words("axis.programme"), transform=axes.get_xaxis_transform(), ha="center", va="top",
              fontsize=8, color=style.MUTED)  # fmt: skip
    figures.month_ticks(axes, 0, last, every=12 if canvas.narrow else 6)
    axes.set_xlabel(canvas.words("axis.months"))
    figures.arms_legend(axes, canvas, arms)
    return figure
