"""The forest plot of subgroups and the curves by level: nothing overlaps, what goes on ends in an arrow, the same bytes twice."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import ips_outcomes as ips
from ips_outcomes.estimates import Estimates
from ips_outcomes.reporting import style
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.forest import CLIPPED, COLUMN, PAGE, forest
from ips_outcomes.reporting.forest_axis import axis_limits, axis_ticks
from ips_outcomes.reporting.forest_rows import Mark, blocks
from ips_outcomes.reporting.gallery import Plan, rendered
from ips_outcomes.reporting.measured import width_of, wrapped
from ips_outcomes.reporting.small_multiples import level_curves
from ips_outcomes.reporting.words import words

ARMS = {"ips": "Individual placement and support", "control": "Usual care"}
#: Levels of each subgroup, so that rows with everybody and headings are 3, 12 and 40.
SHAPES = {3: [2], 12: [2, 3, 4], 40: [2, 3, 4, 5, 6, 7, 6]}


def canvas(narrow: bool = False) -> Canvas:
    return Canvas(words("en"), ARMS, narrow)


def people(levels: list[int], n: int = 900, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    arm = rng.choice(["ips", "control"], n)
    table = pd.DataFrame(
        {"arm": arm, "works": rng.random(n) < np.where(arm == "ips", 0.5, 0.3), "pay": rng.normal(12000, 9000, n)}
    )
    for i, number in enumerate(levels):
        names = [f"Level {k} of a subgroup that has a rather long name" for k in range(number)]
        table[f"subgroup_{i}"] = pd.Series(rng.choice(names, n)).mask(rng.random(n) < 0.01)
    return table


def found(levels: list[int], outcome: str = "works", **more: object) -> Estimates:
    names = [f"subgroup_{i}" for i in range(len(levels))]
    return ips.subgroup_effects(people(levels), names, outcome, reference="control", draws=20, **more)


def texts_of(figure: Figure) -> list[mpl.text.Text]:
    ticks = [label for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return [text for text in (*figure.texts, *ticks) if text.get_visible() and text.get_text()]


def assert_room_for_all(figure: Figure) -> None:
    FigureCanvasAgg(figure)
    figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    assert boxes
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 0.5 or up <= 0.5, (one, other, across, up)


@pytest.mark.parametrize("number", SHAPES)
@pytest.mark.parametrize("width", [COLUMN, PAGE])
def test_no_text_overlaps_and_the_height_grows(number: int, width: float):
    estimates = found(SHAPES[number])
    drawn = forest(estimates, canvas(), width=width, shrunken=True)
    assert drawn.get_figwidth() == pytest.approx(width / 25.4)
    assert_room_for_all(drawn)
    rows = blocks(estimates.table, canvas())[0].rows
    assert len([r for r in rows if r.label != "Unknown"]) >= number
    assert drawn.get_figheight() > 0.14 * len(rows)


@pytest.mark.parametrize("width", [COLUMN, PAGE, 120.0])
def test_numbers_several_arms_and_wide_intervals_have_room(width: float):
    table = people([2, 3])
    table["arm"] = np.where(np.arange(len(table)) % 5 == 0, "other", table["arm"])
    several = ips.subgroup_effects(table, ["subgroup_0", "subgroup_1"], "pay", reference="control", draws=20)
    assert_room_for_all(forest(several, canvas(), width=width, better=None))
    few = ips.subgroup_effects(people([2, 3], n=60), ["subgroup_1"], "works", reference="control", draws=20)
    assert_room_for_all(forest(few, canvas(), width=width, better="lower", shrunken=True))


def test_rows_are_everybody_then_headings_with_their_levels_and_unknown_last():
    estimates = found([2, 3])
    block = blocks(estimates.table, canvas(), {"subgroup_0": "First"})[0]
    labels = [row.label for row in block.rows]
    assert labels[0] == "Everybody" and block.rows[0].everybody
    assert [row.label for row in block.rows if row.heading] == ["First", "Subgroup 1"]
    assert labels[labels.index("Subgroup 1") - 1] == labels[-1] == "Unknown"
    assert block.scales == ("risk_difference", "risk_ratio")
    row = estimates.select(measure="risk_ratio", subgroup="subgroup_0").table.iloc[0]
    shown = block.rows[2]
    assert shown.counts == (
        f"{row['events_arm']:.0f}/{row['n_arm']:.0f}",
        f"{row['events_reference']:.0f}/{row['n_reference']:.0f}",
    )
    assert shown.marks["risk_ratio"].text == f"{row['estimate']:.2f} ({row['conf_low']:.2f} to {row['conf_high']:.2f})"
    # of numbers there are people only
    assert "/" not in blocks(found([2], "pay").table, canvas())[0].rows[0].counts[0]


def test_the_p_of_a_heading_is_that_of_all_its_differences():
    estimates = found([2, 4])
    table = estimates.table
    rows = {row.label: row for row in blocks(table, canvas())[0].rows if row.heading}
    two = table[(table["measure"] == "interaction") & (table["subgroup"] == "subgroup_0")].iloc[0]
    assert f"p {two['p_value']:.3f}, adjusted {two['p_adjusted']:.3f}" in rows["Subgroup 0"].tests["risk_difference"][0]
    four = table[table["subgroup"] == "subgroup_1"]
    together = four.loc[four["measure"] == "interaction_test", "p_value"].iloc[0]
    smallest = four.loc[four["measure"] == "interaction", "p_adjusted"].min()
    assert f"p {together:.3f}, adjusted {smallest:.3f}" in rows["Subgroup 1"].tests["risk_difference"][0]
    # on the other scale no test of all differences at once was asked for
    assert set(rows["Subgroup 1"].tests) == {"risk_difference"} and "risk_ratio" in rows["Subgroup 0"].tests
    # where the gate held the step-down p back, Holm's stands there under its name
    held = table.assign(p_adjusted=np.nan)
    rows = {row.label: row for row in blocks(held, canvas())[0].rows if row.heading}
    assert f"Holm {two['p_holm']:.3f}" in rows["Subgroup 0"].tests["risk_difference"][0]


def arrows(figure: Figure) -> list[str]:
    return [line.get_marker() for axes in figure.axes for line in axes.lines if line.get_label() == CLIPPED]


def test_a_clipped_interval_ends_in_an_arrow():
    estimates = found([2])
    free = {"risk_difference": (-2.0, 2.0), "risk_ratio": (0.001, 1000.0)}
    assert arrows(forest(estimates, canvas(), limits=free)) == []
    rows = estimates.select(measure="risk_difference").table
    end = float(rows["conf_high"].iloc[0]) - 1e-6
    tight = {**free, "risk_difference": (-2.0, end)}
    assert arrows(forest(estimates, canvas(), limits=tight)) == [">"] * int((rows["conf_high"] > end).sum())
    # and an estimate beyond the axis is not drawn at its end
    beyond = forest(estimates, canvas(), limits={**free, "risk_difference": (-2.0, float(rows["conf_low"].min()) - 0.01)})
    assert all(line.get_xdata()[0] <= 2 for axes in beyond.axes[:1] for line in axes.lines)
    assert not any(line.get_marker() == "o" for line in beyond.axes[0].lines)


def test_an_interval_without_end_ends_in_an_arrow_and_few_events_are_hollow():
    table = people([2], n=200)
    table["works"] &= ~((table["arm"] == "control") & (table["subgroup_0"].str.startswith("Level 1")))
    estimates = ips.subgroup_effects(table, "subgroup_0", "works", reference="control", draws=20)
    figure = forest(estimates, canvas())
    assert ">" in arrows(figure)
    hollow = [line for line in figure.axes[0].lines if line.get_marker() == "o" and line.get_markerfacecolor() == style.PAPER]
    assert len(hollow) == int(estimates.select(measure="risk_difference").table["few_events"].sum()) > 0
    assert "few events: exact or penalised" in [t.get_text() for t in figure.texts]


def test_shrunken_effects_stand_beside_where_they_are_asked_for():
    estimates = found([2])
    wanted = estimates.select(measure="risk_difference").table["shrunken"].dropna()
    drawn = [line.get_xdata()[0] for line in forest(estimates, canvas(), shrunken=True).axes[0].lines if line.get_marker() == "D"]
    assert drawn == wanted.tolist() and len(drawn) >= 2
    assert not [line for axes in forest(estimates, canvas()).axes for line in axes.lines if line.get_marker() == "D"]


def test_the_axis_says_whom_it_favours():
    said = [t.get_text() for t in forest(found([2]), canvas(), better="lower").figure.texts]
    assert any("\u2190 favours Individual" in t for t in said) and any("favours Usual care \u2192" in t for t in said)
    assert not any("favours" in t.get_text() for t in forest(found([2]), canvas(), better=None).texts)


def test_plot_draws_it_and_refuses_what_it_does_not_know():
    estimates = found([2])
    assert estimates.plot(arms=ARMS, narrow=True).get_figwidth() == pytest.approx(COLUMN / 25.4)
    assert estimates.plot(width=150, shrunken=True).get_figwidth() == pytest.approx(150 / 25.4)
    with pytest.raises(ips.UnsupportedError, match="better="):
        estimates.plot(better="more")
    with pytest.raises(ips.UnsupportedError, match="width="):
        estimates.plot(width=40)
    with pytest.raises(ips.UnsupportedError, match="no effect"):
        estimates.with_table(estimates.table.assign(estimate=np.nan)).plot()
    with pytest.raises(ips.UnsupportedError, match="no option shrunken"):
        ips.employment_rates(people([2]), "works", by="arm").plot(shrunken=True)


def test_same_bytes_twice():
    estimates = found([2, 3])
    plan = Plan("forest", lambda c: forest(estimates, c, shrunken=True), estimates.table, "", "")
    assert rendered(plan, canvas(), ("svg", "pdf", "png")) == rendered(plan, canvas(), ("svg", "pdf", "png"))


def test_limits_show_every_estimate_and_ticks_have_room():
    marks = [Mark(0.1, 0.0, 0.2, 10, False, ""), Mark(0.3, 0.2, 0.4, 10, False, ""), Mark(0.2, -5.0, 5.0, 2, True, "")]
    low, high = axis_limits("risk_difference", marks, shrunken=False)
    assert -1 < low < 0 and 0.4 < high < 1
    low, high = axis_limits("risk_ratio", [Mark(2.0, 1.0, np.inf, 10, True, "")], shrunken=False)
    assert low < 1 and 2 < high < np.inf
    for ratio, (low, high), factor in ((True, (0.03, 40.0), 1), (False, (-0.3, 0.62), 100), (False, (-25000.0, 90000.0), 1)):
        ticks = axis_ticks(low, high, ratio, 1.2, factor, 7.0)
        assert (
            ticks == sorted(ticks) and all(low <= t <= high for t in ticks) and (1 if ratio else 0) in ticks and len(ticks) >= 2
        )


def test_wrapped_lines_fit():
    text = "Upper secondary school not completed, vocational-programme-without-a-certificate included"
    for width in (0.5, 1.0, 3.0):
        lines = wrapped(text, width, 7)
        assert all(width_of(line, 7) <= width for line in lines)
    assert " ".join(wrapped(text, 2.0, 7)).replace("- ", "") == text
    assert wrapped("", 1.0, 7) == [""]


# ------------------------------------------------------------ curves by level
def curves(months: int = 43) -> Estimates:
    rng = np.random.default_rng(5)
    rows = [{"subgroup": s, "level": f"{level} of {s}", "group": arm, "month": m, "n": 100 - m, "events": int(rng.integers(0, 50))}
            for s in ("age", "school") for level in ("First level", "Second level") for arm in ARMS for m in range(1, months + 1)]  # fmt: skip
    table = pd.DataFrame(rows)
    share = table["events"] / table["n"]
    table = table.assign(estimate=share, conf_low=share - 0.05, conf_high=share + 0.05, outcome="work", measure="rate")
    empty = ips.employment_rates(people([2]), "works", by="arm")
    return empty.with_table(table)


LEVELS = {name: [f"{level} of {name}" for level in ("First level", "Second level")] for name in ("age", "school")}


@pytest.mark.parametrize("width", [COLUMN, PAGE])
@pytest.mark.parametrize("months", [12, 43])
def test_panels_stand_in_columns_on_the_same_axes_and_nothing_overlaps(width: float, months: int):
    with mpl.rc_context(style.rc()):
        figure = level_curves(curves(months), canvas(), LEVELS, width=width, programme_end=6)
        assert_room_for_all(figure)
    assert len(figure.axes) == 4
    assert len({axes.get_position().x0 for axes in figure.axes}) == (2 if width == PAGE else 1)
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    # people observed at the last month, once an arm and panel
    assert [t.get_text() for t in figure.texts].count(str(100 - months)) == 8


def test_a_hidden_month_is_a_gap_and_a_month_alone_a_dot():
    given = curves(6)
    hidden = given.table.assign(estimate=given.table["estimate"].mask(given.table["month"].isin([2, 4])))
    figure = level_curves(given.with_table(hidden), canvas(), {"age": LEVELS["age"][:1]})
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert [line.get_xdata().tolist() for line in dots] == [[1, 3], [1, 3]]
    with pytest.raises(ips.UnsupportedError, match="no level"):
        level_curves(given, canvas(), {"age": []})
