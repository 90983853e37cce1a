"""The chapters on trend, definitions and the break: what they say follows from the numbers, and what leaves tells of nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.reporting import break_chapter, chapters, report, trend_chapter, variants_chapter
from ips_outcomes.reporting.estimands import Terms
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import history_words, rendered
from ips_outcomes.reporting.gate import through_gate
from ips_outcomes.reporting.results import compute_results
from ips_outcomes.reporting.suppression import hidden_composite, hidden_models, load_profile, unsafe
from ips_outcomes.reporting.tables import csv_tables
from ips_outcomes.reporting.words import words

K = 5
OWN = {"trend": trend_chapter, "variants": variants_chapter, "break": break_chapter}
Change = Callable[[str], str]


@dataclass
class Run:
    """A study on its clocks, and the answers of a chapter."""

    study: ips.Study
    cohort: ips.Cohort
    followed: ips.FollowUp

    @property
    def canvas(self) -> Canvas:
        return Canvas(words("en"), self.study.arm_labels)

    def ask(self, name: str, released: bool = False) -> dict:
        answers = OWN[name].answers(self.study, self.cohort, self.followed)
        return dict(OWN[name].release(answers, load_profile("primary5"), words("en")) if released and answers else answers)


def run_of(path: Path) -> Run:
    study = ips.load_study(path)
    cohort = ips.load_cohort(study)
    return Run(study, cohort, ips.follow_up(cohort))


@pytest.fixture(scope="module")
def demo(demo_study: Path, demo_followup: ips.FollowUp) -> Run:
    study = ips.load_study(demo_study)
    return Run(study, demo_followup.cohort if hasattr(demo_followup, "cohort") else ips.load_cohort(study), demo_followup)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(ips.simulate_study(tmp_path_factory.mktemp("sixty") / "study", seed=3, participants=60))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(ips.simulate_study(tmp_path_factory.mktemp("alone") / "study", seed=3, participants=60, one_arm=True))


def changed(run: Run, **settings: object) -> Run:
    """The same people under other settings of the follow-up."""
    plan = run.study.follow_up.model_copy(update=settings)
    return Run(run.study.model_copy(update={"follow_up": plan}), run.cohort, run.followed)


# ------------------------------------------------------------------ what is asked


def test_trend_follows_from_the_study_file(demo: Run) -> None:
    answers = demo.ask("trend")
    slope, change = (answers["trend"].select(measure=m).table for m in ("slope", "change"))
    assert set(slope["start"]) == {19} and set(change["start"]) == {31} and set(change["end"]) == {43}
    direct = ips.trends(demo.followed, "ordinary", start=19, end=43, change_start=31).table
    pd.testing.assert_frame_equal(answers["trend"].table, direct)
    other = changed(demo, programme_end_month=24, trend_change_months=6).ask("trend")
    assert set(other["trend"].select(measure="slope").table["start"]) == {25}
    assert set(other["trend"].select(measure="change").table["start"]) == {37} and set(other["trend_knot"].table["knot"]) == {24}
    # a change does not start before the slope
    assert set(changed(demo, trend_change_months=40).ask("trend")["trend"].table["start"]) == {19}


def test_without_a_programme_end_there_is_no_trend(demo: Run) -> None:
    for end in (None, 42, 43, 60):
        assert changed(demo, programme_end_month=end).ask("trend") == {}
    # a programme of one month leaves no line before the knot
    assert "trend_knot" not in changed(demo, programme_end_month=1).ask("trend")


def test_each_definition_has_its_panel(demo: Run) -> None:
    answers = demo.ask("variants")
    table = answers["rates_by_definition"].table
    assert list(dict.fromkeys(table["outcome"])) == list(demo.study.employed)
    primary = table[table["outcome"] == "ordinary"].reset_index(drop=True)
    rates = ips.employment_rates(demo.followed, "ordinary", by="arm", at=list(range(-24, 44))).table
    pd.testing.assert_frame_equal(primary[["month", "group", "events", "n"]], rates[["month", "group", "events", "n"]])
    (plan,) = variants_chapter.plans(demo.study, answers, demo.canvas)
    assert all(definition.label in plan.alt for definition in demo.study.employed.values())
    one = demo.study.model_copy(update={"employed": {"ordinary": demo.study.employed["ordinary"]}})
    assert variants_chapter.answers(one, demo.cohort, demo.followed) == {}


def test_the_sides_of_the_break_add_up(demo: Run) -> None:
    table = demo.ask("break")["break_sides_rates"].table
    counts = table.pivot_table(index=["group", "month"], columns="level", values=["n", "events"], aggfunc="sum", fill_value=0)
    for column in ("n", "events"):
        parts = counts[column]
        assert (parts["all"] == parts.drop(columns="all").sum(axis=1)).all()
    crossing = demo.followed.person_months.drop_duplicates("person_id")["crosses_2015_break"]
    assert 0 < crossing.sum() < len(crossing)
    differences = demo.ask("break")["break_sides"].select(level="all").table
    plain = ips.compare_arms(demo.followed, "ordinary", at=[12, 18, 43]).select(measure="risk_difference").table
    np.testing.assert_allclose(differences["estimate"], plain["estimate"])


def test_nobody_across_the_break_is_no_chapter(demo: Run) -> None:
    followed = demo.followed
    months = followed.person_months.assign(crosses_2015_break=False)

    class Other:
        person_months, baseline = months, followed.baseline

    assert break_chapter.answers(demo.study, demo.cohort, Other()) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OWN)
def test_one_arm_is_smaller_not_empty(alone: Run, name: str) -> None:
    answers = alone.ask(name)
    assert answers
    for part in answers.values():
        assert not part.table["contrast"].astype(bool).any()
    shown = OWN[name].tables(alone.study, answers, alone.canvas)
    assert all(table.rows and all(len(r.cells) in (1, len(table.columns)) for r in table.rows) for table in shown.values())
    for text in OWN[name].sentences(alone.study, answers, alone.canvas):
        assert "less that in" not in text and "{" not in text
    for plan in OWN[name].plans(alone.study, answers, alone.canvas):
        assert rendered(plan, alone.canvas, ("svg",))[0]["svg"]


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.05, "rose"), (-0.05, -0.01, "fell"), (-0.01, 0.05, "open"), (np.nan, np.nan, "cannot be shown")],
)
def test_sentences_follow_from_the_interval(demo: Run, low: float, high: float, word: str) -> None:
    answers = demo.ask("trend")
    table = answers["trend"].table.assign(conf_low=low, conf_high=high)
    lines = trend_chapter.sentences(demo.study, {**answers, "trend": answers["trend"].with_table(table)}, demo.canvas)
    said = [s for line in lines for s in re.split(r"(?<=\.) (?=[A-Z])", line)]
    assert len(said) == 6
    arms = [s for s in said if "less" not in s and "difference" not in s and "compared" not in s]
    assert len(arms) == 4 and all(word in s for s in arms)
    for other in {"rose", "fell", "leaves both"} - {word, "leaves both" if word == "open" else word}:
        assert not any(other in s for s in arms)


def test_the_text_has_the_numbers_of_the_table(demo: Run) -> None:
    answers = demo.ask("trend")
    row = answers["trend"].select(measure="change", group="ips").table.iloc[0]
    text = " ".join(trend_chapter.sentences(demo.study, answers, demo.canvas))
    assert f"{100 * row['estimate']:.1f} percentage points" in text and "month 31" in text and "month 19" in text
    shown = trend_chapter.tables(demo.study, answers, demo.canvas)["trend"]
    assert [r.cells[0] for r in shown.rows if not r.heading] == ["IPS", "Usual care", "IPS less Usual care"] * 2


@pytest.mark.parametrize(
    ("low", "p", "said"), [(-0.01, 0.4, ("includes no", "no difference in its")), (0.01, 0.01, ("not alike", "curves differed"))]
)
def test_the_placebo_check_says_what_its_interval_says(demo: Run, low: float, p: float, said: tuple[str, str]) -> None:
    history = ips.history_check(demo.followed, "ordinary")
    table = history.table.copy()
    table.loc[table["measure"] == "mean_difference", "conf_low"] = low
    table.loc[table["measure"] == "joint_test", "p_value"] = p
    text = history_words(SimpleNamespace(history=history.with_table(table)), demo.canvas)  # type: ignore[arg-type]
    assert all(part in text for part in said) and "−24 to −1" in text


def test_the_composite_stands_beside_the_rate_of_the_living(small: Run) -> None:
    results = compute_results(small.cohort, small.followed)
    assert results.composite is not None and results.history is not None
    both = results.composite.table.merge(results.rates.table, on=["group", "month"], suffixes=("", "_alive"))
    assert len(both) == 2 * 43 and (both["events"] == both["events_alive"]).all() and (both["n"] >= both["n_alive"]).all()
    assert set(results.history.table["measure"]) == {"mean", "mean_difference", "joint_test"}


# ------------------------------------------------------------------ what leaves


@pytest.mark.parametrize("run", ["demo", "small", "alone"])
@pytest.mark.parametrize("name", OWN)
def test_no_small_count_leaves(run: str, name: str, request: pytest.FixtureRequest) -> None:
    study = request.getfixturevalue(run)
    for key, part in study.ask(name, released=True).items():
        table = part.table
        assert "hidden" in table
        gone = table["hidden"].to_numpy(dtype=bool)
        assert table.loc[gone, ["events", "estimate", "std_error", "conf_low", "conf_high", "p_value"]].isna().all(axis=None), key
        for n, events in (("n", "events"), ("n_arm", "events_arm"), ("n_reference", "events_reference")):
            if n in table:
                for counts in (table[n], table[events], table[n] - table[events]):
                    assert not ((counts > 0) & (counts < K)).any(), (key, n)
        if name == "trend" and key != "trend_shares":
            shown = table.loc[~gone, "estimate"].dropna()
            np.testing.assert_allclose(shown, shown.round(3), atol=1e-12)
    # and what is left can be read and drawn
    answers = study.ask(name, released=True)
    OWN[name].sentences(study.study, answers, study.canvas)
    OWN[name].tables(study.study, answers, study.canvas)
    for plan in OWN[name].plans(study.study, answers, study.canvas) if run == "small" else []:
        assert rendered(plan, study.canvas, ("svg",))[0]["svg"]


def test_sides_of_the_break_hide_together(demo: Run) -> None:
    exact, released = (demo.ask("break", released=r)["break_sides_rates"].table for r in (False, True))
    parts = exact[exact["level"] != "all"]
    touched = set(parts.loc[unsafe(parts, "n", "events", K), "month"])
    assert touched, "the synthetic study has few people on one side"
    rows = released[(released["level"] != "all") & released["month"].isin(touched)]
    assert rows[["n", "events", "estimate"]].isna().all(axis=None)
    contrasts = demo.ask("break", released=True)["break_sides"].table
    assert (
        contrasts.loc[(contrasts["level"] != "all") & contrasts["month"].isin(touched), ["n", "n_arm", "estimate"]]
        .isna()
        .all(axis=None)
    )
    assert contrasts.loc[contrasts["level"] == "all", "estimate"].notna().all()


def test_definitions_that_differ_by_few_do_not_stand_side_by_side(demo: Run) -> None:
    table = demo.ask("variants", released=True)["rates_by_definition"].table
    for _, rows in table[table["events"].notna()].groupby(["group", "month"]):
        for column in (rows["n"], rows["events"], rows["n"] - rows["events"]):
            values = column.to_numpy(dtype=float)
            gaps = np.abs(values[:, None] - values)
            assert not ((gaps > 0) & (gaps < K)).any()
    exact = demo.ask("variants")["rates_by_definition"].table
    shown = table[(table["outcome"] == "ordinary") & table["events"].notna()]
    assert len(shown) == (~unsafe(exact[exact["outcome"] == "ordinary"], "n", "events", K)).sum(), (
        "the primary definition is hidden for none"
    )


def model(**columns: list) -> Estimates:
    return Estimates(tidy(pd.DataFrame(columns)), "", "")


def test_a_difference_leaves_if_both_arms_do() -> None:
    given = model(measure=["slope", "slope", "slope_difference", "mean", "mean", "mean_difference", "joint_test"],
                  group=["a", "b", "", "a", "b", "", ""], contrast=["", "", "b - a", "", "", "b - a", ""], n=[50, 50, 100, 50, 4, 54, 54],
                  events=[25, 3, 28, 25, 2, 27, np.nan], estimate=[0.12345] * 6 + [np.nan], p_value=[0.5] * 7)  # fmt: skip
    shown = hidden_models(given, load_profile("primary5"))
    assert shown is not None
    assert shown.table["hidden"].tolist() == [False, True, True, False, True, True, True]
    assert shown.table["estimate"].iloc[0] == 0.123 and shown.table["n"].isna().tolist() == [False] * 4 + [True] * 3
    # of many coefficients more events are asked
    assert hidden_models(given, load_profile("primary5"), 3).table["hidden"].all()  # type: ignore[union-attr]


def test_overlapping_spans_do_not_tell_how_few_worked_in_one_month() -> None:
    # 71 in work in some month of 18 to 43 and 69 of 19 to 43: two people worked in month 18 and never after
    given = model(measure=["slope", "rate"], group=["a", "a"], contrast=["", ""], month=[pd.NA, 12], n=[140, 140], events=[71, 44],
                  estimate=[0.1, 0.3], p_value=[0.5, 0.5])  # fmt: skip
    shown = hidden_models(given, load_profile("primary5"))
    assert shown is not None and not shown.table["hidden"].any()
    assert shown.table["events"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("before", "after", "moved", "hidden"),
    [(30, 46, 24, True), (30, 36, 24, False), (14, 14, 24, True), (70, 66, 24, False), (30, 30, 20, False)],
)
def test_a_change_does_not_tell_how_few_stopped(before: int, after: int, moved: int, hidden: bool) -> None:
    # of 80 people: (moved - net) / 2 stopped, and before less those stayed in work
    n, net = 80, after - before
    trend = model(measure=["change", "change", "change_difference"], group=["a", "b", ""], contrast=["", "", "b - a"],
                  start=[31] * 3, end=[43] * 3, n=[n, n, 2 * n], events=[40, moved, 40 + moved], estimate=[0.0, net / n, net / n],
                  p_value=[0.5] * 3)  # fmt: skip
    shares = model(measure=["rate"] * 4, group=["a", "a", "b", "b"], month=[31, 43] * 2, n=[n] * 4, events=[40, 40, before, after],
                   estimate=[0.5, 0.5, before / n, after / n])  # fmt: skip
    shown = trend_chapter.release({"trend": trend, "trend_shares": shares}, load_profile("primary5"), words("en"))["trend"].table
    assert shown["hidden"].tolist() == [False, hidden, hidden]
    assert shown["estimate"].isna().tolist() == [False, hidden, hidden]


@pytest.mark.parametrize("which", ["small", "alone"])
def test_definitions_at_the_landmarks_cannot_be_subtracted(which: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(which)
    exact = compute_results(run.cohort, run.followed)
    shown = through_gate(exact, load_profile("primary5"), words("en"), reference=run.study.reference)
    tables = [shown.landmark_rates.table[["outcome", "group", "month", "n", "events"]]]
    for arm, side in (("ips", "arm"), ("control", "reference")) if shown.contrasts is not None else ():
        part = shown.contrasts.select(measure="risk_difference").table
        tables.append(pd.DataFrame({"outcome": part["outcome"], "group": arm, "month": part["month"], "n": part[f"n_{side}"],
                                    "events": part[f"events_{side}"]}))  # fmt: skip
    known = pd.concat(tables)
    known = known[known["events"].notna() & ~known["outcome"].str.endswith("_composite")]
    assert len(known)
    for _, rows in known.groupby(["group", "month"]):
        for column in (rows["n"], rows["events"], rows["n"] - rows["events"]):
            values = column.to_numpy(dtype=float)
            gaps = np.abs(values[:, None] - values)
            assert not ((gaps > 0) & (gaps < K)).any()
    # the primary definition is hidden for none but itself
    own = exact.landmark_rates.select(outcome=run.study.primary_definition).table
    told = shown.landmark_rates.select(outcome=run.study.primary_definition).table
    assert told["hidden"].tolist() == unsafe(own, "n", "events", K).tolist()


def test_the_composite_does_not_tell_how_few_died() -> None:
    alive = model(group=["a", "a", "a"], month=[1, 2, 3], n=[100, 97, 90], events=[30, 30, 30], estimate=[0.3] * 3)
    composite = model(group=["a", "a", "a"], month=[1, 2, 3], n=[100, 100, 100], events=[30, 30, 30], estimate=[0.3] * 3)
    shown = hidden_composite(composite, alive, K)
    assert (
        shown is not None
        and shown.table["hidden"].tolist() == [False, True, False]
        and shown.table["n"].isna().tolist() == [False, True, False]
    )


def test_the_page_has_the_chapters_and_hides_with_them(small: Run) -> None:
    profile, say = load_profile("primary5"), words("en")
    exact = replace(
        compute_results(small.cohort, small.followed), chapters=chapters.ask(small.study, small.cohort, small.followed)
    )
    released = through_gate(exact, profile, say, small.study.arm_labels, horizons=(12, 18, 43), reference="control",
                            question=small.study.subgroup_plan)  # fmt: skip
    released = replace(released, chapters=chapters.release(exact.chapters, profile, say))
    blocks = chapters.estimands(Terms(small.study, released, Canvas(say, small.study.arm_labels)))
    page = report._page(small.study, released, profile, "release", {}, blocks)
    order = re.findall(r'<section id="([a-z-]+)">', page)
    assert order.index("trend") == order.index("employment") + 1 if "employment" in order else "trend" in order
    assert order.index("break") > order.index("landmarks")
    tables = csv_tables(released)
    for name in (
        "trend",
        "trend_knot",
        "trend_shares",
        "rates_by_definition",
        "break_adjusted",
        "history_check",
        "composite_by_month",
    ):
        assert "hidden" in tables[name]
    assert "trend_change_months" in page
    # who died is few: the composite at the landmarks does not tell
    rates = tables["rates_at_landmarks"].set_index(["outcome", "group", "month"])["n"]
    dead = (rates["ordinary_composite"] - rates["ordinary"]).dropna()
    assert not ((dead > 0) & (dead < K)).any()
    both = tables["contrasts_at_landmarks"].query("outcome == 'ordinary_composite'")
    hidden = rates["ordinary_composite"].isna().groupby("month").any()
    assert hidden.any() and (both.set_index("month")["estimate"].isna().groupby("month").all() >= hidden).all()


@pytest.fixture(scope="module")
def three(small: Run) -> Run:
    """The same people in three arms."""
    people = small.followed.baseline["person_id"].tolist()
    third = set(people[::3])

    def moved(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(arm=table["arm"].where(~table["person_id"].isin(third), "other"))

    arms = small.study.arms.model_copy(update={"labels": {**small.study.arms.labels, "other": "Something else"}})
    study = small.study.model_copy(update={"arms": arms})
    followed = replace(
        small.followed, study=study, person_months=moved(small.followed.person_months), baseline=moved(small.followed.baseline)
    )
    return Run(study, small.cohort, followed)


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_three_arms_each_have_their_say(three: Run, name: str, released: bool) -> None:
    answers = three.ask(name, released)
    text = " ".join(OWN[name].sentences(three.study, answers, three.canvas))
    shown = OWN[name].tables(three.study, answers, three.canvas)
    labels = {cell for table in shown.values() for line in table.rows for cell in line.cells}
    if name == "trend":
        assert {"Something else", "Something else less Usual care", "IPS less Usual care"} <= labels and "Something else" in text
    if name == "break":
        assert {"Something else", "IPS"} <= labels
    for plan in OWN[name].plans(three.study, answers, three.canvas):
        assert rendered(plan, replace(three.canvas, narrow=True), ("svg",))[0]["svg"]


def test_nobody_observed_after_the_programme_is_no_trend(small: Run) -> None:
    months = small.followed.person_months
    late = months["month"] > 18
    followed = replace(
        small.followed, person_months=months.assign(ordinary=months["ordinary"].mask(late), observed=months["observed"] & ~late)
    )
    assert Run(small.study, small.cohort, followed).ask("trend") == {}
    nobody = replace(
        small.followed,
        person_months=months.assign(**{n: pd.array([pd.NA] * len(months), dtype="boolean") for n in small.study.employed}),
    )
    for name in OWN:
        answers = Run(small.study, small.cohort, nobody).ask(name)
        assert not answers or not OWN[name].plans(small.study, answers, small.canvas)
