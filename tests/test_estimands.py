"""The estimand sheet says what is computed: each choice of a study file changes the number and the words together."""

from __future__ import annotations

import html
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.analysis import months_in_work
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.reporting import chapters
from ips_outcomes.reporting.chapters import Chapter
from ips_outcomes.reporting.estimands import Estimand, Event, Terms, as_table, head_of, listed
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.results import Results, compute_results
from ips_outcomes.reporting.words import words
from tests.small_study import Followed, follow, job, scheme

SAY = words("en")
#: Index in March 2013: month 0. A works throughout; B from June (month 3); C on a wage subsidy from June; D dies in May; E leaves in
#: June; F works ten days of July (month 4); the controls G, H do nothing, and H starts IPS in May.
PEOPLE = [{"person": p, "arm": "control" if p in "GH" else "ips"} for p in "ABCDEFGH"]
WORLD = {
    "people": PEOPLE,
    "jobs": [job("A", "2012-01-01"), job("B", "2013-06-01"), job("C", "2013-06-01"), job("F", "2013-07-01", "2013-07-10")],
    "deaths": {"D": "20130510"},
    "moves": {"E": [("19800101", "20130601")]},
    "schemes": [scheme("C", "MIDLONTIL", "2013-06-01", "2014-12-31"), scheme("H", "INDJOBSTOT", "2013-05-01")],
    "arms": True,
    "months": 12,
    "follow_up": "programme_end_month = 6",
}


def terms_of(made: Followed, **changes: object) -> Terms:
    study = made.data.study
    results = replace(compute_results(made.cohort, made.data), **changes)  # type: ignore[arg-type]
    return Terms(study, results, Canvas(SAY, study.arm_labels, narrow=False))


def world(folder: Path, edit: tuple[str, str] | None = None, **changes: object) -> tuple[Followed, Terms]:
    """The people above, under a study file with some changes."""
    made = follow(folder / "study", **{**WORLD, **changes})
    if edit is not None:
        path = folder / "study" / "study.toml"
        text = path.read_text(encoding="utf-8")
        assert edit[0] in text
        path.write_text(text.replace(*edit), encoding="utf-8")
        cohort = ips.load_cohort(ips.load_study(path))
        made = Followed(cohort, ips.follow_up(cohort))
    return made, terms_of(made)


def block(terms: Terms, name: str) -> Estimand:
    return next(b for b in chapters.estimands(terms) if b.name == name)


def event(part: Estimand, name: str) -> Event:
    return next(e for e in part.intercurrent if e.name == name)


def rate(terms: Terms, outcome: str, arm: str, month: int) -> tuple[int, int]:
    found = ips.employment_rates(terms_data(terms), outcome, by="arm", at=[month]).table.set_index("group").loc[arm]
    return int(found["events"]), int(found["n"])


def terms_data(terms: Terms) -> ips.FollowUp:
    return ips.follow_up(ips.load_cohort(terms.study))


# ------------------------------------------------------- numbers and words together
@pytest.mark.parametrize(("choice", "at_risk", "said"), [
    ("exclude", 7, "Those in work in month 0 are left out here"),
    ("new_employer", 8, "wait for a job with an employer whom they did not have then"),
    ("include", 8, "also those in work in month 0"),
])  # fmt: skip
def test_already_working(tmp_path: Path, choice: str, at_risk: int, said: str):
    made, terms = world(tmp_path, follow_up=f'already_working = "{choice}"')
    assert int(made.data.first_job["at_risk"].sum()) == at_risk
    first = " ".join(block(terms, "first_job").population)
    assert f"At risk of a first job: {at_risk}" in first
    assert said in first
    # A waits in vain for a new employer; whoever may count the old job has it in month 1
    expected = {"exclude": "in work in month 0", "new_employer": (12, 0, "end_of_follow_up"), "include": (1, 1, "first_job")}
    assert made.first_job("A") == expected[choice]
    assert ("with a new employer" in " ".join(block(terms, "first_job").variable)) == (choice == "new_employer")


@pytest.mark.parametrize(
    ("rule", "works", "said"),
    [("status_day", [], "a job on the 16th of the month"), ("any_day", [4], "a job on any day of the month")],
)
def test_month_rule(tmp_path: Path, rule: str, works: list[int], said: str):
    made, terms = world(tmp_path, ordinary=f'month_rule = "{rule}"')
    assert made.yes("F") == works
    for name in ("rates", "composite", "first_job"):
        assert f"Ordinary work: {said}." in block(terms, name).variable


@pytest.mark.parametrize(("rule", "works", "strategy"), [
    ("strict", [], "composite"), ("lenient", [], "composite"), ("keep", list(range(3, 13)), "treatment_policy"),
])  # fmt: skip
def test_wage_subsidy(tmp_path: Path, rule: str, works: list[int], strategy: str):
    made, terms = world(tmp_path, ordinary=f'wage_subsidy = "{rule}"')
    assert made.yes("C") == works
    for part in chapters.estimands(terms):
        assert event(part, "subsidised").strategy == strategy


def test_a_second_job_is_what_strict_and_lenient_differ_by(tmp_path: Path):
    second = [*WORLD["jobs"], job("C", "2013-09-01", employer="E2")]
    strict, terms = world(tmp_path / "s", jobs=second)
    lenient, other = world(tmp_path / "l", jobs=second, ordinary='wage_subsidy = "lenient"')
    assert strict.yes("C") == []
    assert lenient.yes("C") == list(range(6, 13))
    assert "second job" not in event(block(terms, "rates"), "subsidised").how
    assert "the month counts if there is a second job" in event(block(other, "rates"), "subsidised").how


def test_schemes_that_no_delivery_tells_of(tmp_path: Path):
    path = tmp_path / "study" / "study.toml"
    world(tmp_path)
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\[(sources|keys)\.schemes\]\n(?:[^\[\n].*\n|\n)*", "", text)
    path.write_text(
        text.replace('label = "Ordinary work"', 'label = "Ordinary work"\nif_unanswerable = "skip"'), encoding="utf-8"
    )
    cohort = ips.load_cohort(ips.load_study(path))
    made = Followed(cohort, ips.follow_up(cohort))
    assert made.yes("C") == list(range(3, 13))
    rates = block(terms_of(made), "rates")
    assert event(rates, "subsidised").strategy == "treatment_policy"
    assert "such jobs count as work" in event(rates, "subsidised").how
    assert "no delivery tells" in event(rates, "crossover").how
    assert "that rule is off in the month" in " ".join(rates.not_observed)


def test_death_while_alive_composite_and_competing(tmp_path: Path):
    made, terms = world(tmp_path)
    # of A to F, month 12: A and B work; D is dead and E abroad
    assert rate(terms, "ordinary", "ips", 12) == (2, 4)
    assert rate(terms, "ordinary_composite", "ips", 12) == (2, 5)
    assert event(block(terms, "rates"), "death").strategy == "while_alive"
    assert event(block(terms, "composite"), "death").strategy == "composite"
    first = block(terms, "first_job")
    assert made.first_job("D") == (2, 2, "death")
    assert [e.strategy for e in first.intercurrent if e.name.startswith("death")] == ["composite", "while_alive", "hypothetical"]
    assert made.first_job("E")[1:] == (0, "abroad")
    assert event(first, "emigration").strategy == "hypothetical"
    sums = months_in_work(made.data, "ordinary").table.set_index("group")["estimate"]
    assert sums["control"] == 0


def test_residence_assumed(tmp_path: Path):
    made, terms = world(tmp_path, edit=("[follow_up]\n", '[follow_up]\nresidence = "assumed"\n'))
    assert made.months("E")[12] is False
    for part in chapters.estimands(terms):
        assert event(part, "emigration").strategy == "treatment_policy"
        assert "residence is assumed" in part.not_observed[0]
    known = block(world(tmp_path / "known")[1], "rates")
    assert event(known, "emigration").strategy == "while_resident"
    assert "residence is assumed" not in known.not_observed[0]


def test_deaths_that_no_delivery_tells_of(tmp_path: Path):
    world(tmp_path)
    path = tmp_path / "study" / "study.toml"
    text = re.sub(r"\[(sources|keys)\.population\]\n(?:[^\[\n].*\n|\n)*", "", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    cohort = ips.load_cohort(ips.load_study(path))
    made = Followed(cohort, ips.follow_up(cohort))
    assert made.months("D")[12] is False
    for part in chapters.estimands(terms_of(made)):
        assert [(e.strategy, e.name) for e in part.intercurrent if e.name.startswith("death")] == [("composite", "death")]
        assert "No delivery tells of deaths" in event(part, "death").how


def test_crossover_counts_the_controls_who_started(tmp_path: Path):
    _, terms = world(tmp_path)
    assert event(block(terms, "rates"), "crossover").how == (
        "People in Usual care: 2. Of them 1 started IPS or IPS for the young in months 0 to 12; they stay where they were."
    )
    hidden = replace(terms.results, facts={**terms.results.facts, "crossed": None, "participants": None})
    gone = block(replace(terms, results=hidden), "rates")
    assert "a hidden number started" in event(gone, "crossover").how
    assert gone.population[0] == "Everybody who was included: a hidden number."


@pytest.mark.parametrize(("setting", "kind", "said"), [
    ("without_benefits = { disability = 0 }", "disability", "at any degree"),
    ("without_benefits = { aap = 50 }", "aap", "at 50 percent or more"),
    ('benefits_not_above_inclusion = ["disability"]', "disability", "than in month 0"),
])  # fmt: skip
def test_benefits_in_a_definition_are_composite(
    simulated: Path, plain: tuple[ips.FollowUp, Terms], setting: str, kind: str, said: str
):
    changed = following(simulated, setting)
    assert changed[0].person_months["ordinary"].sum() < plain[0].person_months["ordinary"].sum()
    assert event(block(plain[1], "rates"), "disability").strategy == "treatment_policy"
    found = event(block(changed[1], "rates"), kind)
    assert found.strategy == "composite"
    assert said in found.how


# ---------------------------------------------------------------- designs and arms
def test_one_arm(tmp_path: Path):
    _, terms = world(tmp_path, arms=False)
    for part in chapters.estimands(terms):
        names = [e.name for e in part.intercurrent]
        assert "crossover" not in names
        assert "death_hazard" not in names
        assert "difference" not in " ".join(part.summary)
        assert part.arms[0] == "All participants; there is nobody to compare with."
    assert "month 12" not in " ".join(block(terms, "rates").variable)


def test_three_arms_and_a_design(tmp_path: Path):
    people = [*PEOPLE, {"person": "I", "arm": "ips"}, {"person": "J", "arm": "other"}]
    made = follow(tmp_path / "study", **{**WORLD, "people": people[:-1]})
    path = tmp_path / "study" / "study.toml"
    text = path.read_text(encoding="utf-8").replace('control = "Usual care" }', 'control = "Usual care", other = "Courses" }')
    text = text.replace('control = "control" }', 'control = "control", other = "other" }')
    path.write_text(text.replace("synthetic = true", 'synthetic = true\ndesign = "comparison"'), encoding="utf-8")
    trial = path.parent / "trial.csv"
    rows = trial.read_text(encoding="utf-8").splitlines()
    rows = [row.replace(";ips", ";other") if row.startswith("I;") else row for row in rows]
    trial.write_text("\n".join(rows) + "\n", encoding="utf-8")
    cohort = ips.load_cohort(ips.load_study(path))
    terms = terms_of(Followed(cohort, ips.follow_up(cohort)))
    assert made.data.study.design is None
    said = block(terms, "rates").arms
    assert said[0].startswith("IPS, Usual care and Courses, as they came about: nobody was randomised")
    assert said[1] == "Compared with Usual care."


# -------------------------------------------------------------------- the chapters
def fake(name: str) -> Chapter:
    nothing = lambda *_: {}  # noqa: E731
    return Chapter(name, "landmarks", nothing, nothing, lambda *_: [], nothing, lambda *_: [])


def test_a_chapters_block_stands_only_where_the_chapter_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chapters, "CHAPTERS", tuple(fake(n) for n in ("trend", "staying", "states", "crossover")))
    _, terms = world(tmp_path)
    assert [b.name for b in chapters.estimands(terms)] == ["rates", "composite", "first_job"]
    asked = Estimates(tidy(pd.DataFrame({"outcome": ["pay_nok", "longest_job"]})), "", "")
    with_parts = replace(
        terms, results=replace(terms.results, chapters={"trend": {}, "staying": {"staying": asked}, "crossover": {}})
    )
    names = [b.name for b in chapters.estimands(with_parts)]
    assert names == ["rates", "composite", "first_job", "trend", "months_in_work", "staying", "crossover"]
    assert "Yes or no in each month 7 to 12." in block(with_parts, "trend").variable
    assert "The change from month 7 to month 12, a person." in block(with_parts, "trend").variable
    assert "The same for pay in kroner." in block(with_parts, "months_in_work").variable
    runs = " ".join(block(with_parts, "staying").variable)
    assert "In work for 3, 6 and 12 months in a row." in runs
    assert "longest job" in runs
    assert "number of jobs" not in runs
    # 22 months do not fit into 12
    assert "steady worker" not in runs
    assert event(block(with_parts, "crossover"), "crossover").strategy == "while_on_treatment"
    assert event(block(with_parts, "staying"), "death").strategy == "composite"


def test_a_chapter_may_bring_blocks_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, terms = world(tmp_path)
    own = replace(block(terms, "rates"), name="own", answer="Mine")
    monkeypatch.setattr(chapters, "CHAPTERS", (replace(fake("trend"), estimand=lambda _: [own]),))
    there = replace(terms, results=replace(terms.results, chapters={"trend": {}}))
    assert [b.name for b in chapters.estimands(there)][-1] == "own"


def test_no_trend_without_the_programmes_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chapters, "CHAPTERS", (fake("trend"), fake("states")))
    _, terms = world(tmp_path, follow_up="")
    there = replace(terms, results=replace(terms.results, chapters={"trend": {}, "states": {}}))
    assert [b.name for b in chapters.estimands(there)] == ["rates", "composite", "first_job"]
    assert not any("programme" in line for b in chapters.estimands(there) for line in b.arms)


def test_states_are_those_of_the_study(plain: tuple[ips.FollowUp, Terms], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chapters, "CHAPTERS", (fake("states"),))
    _, terms = plain
    there = replace(terms, results=replace(terms.results, chapters={"states": {}}))
    found = block(there, "states")
    assert [event(found, n).strategy for n in ("death", "emigration", "disability", "subsidised", "education")] == [
        "composite"
    ] * 5
    assert "dead, abroad, Ordinary work (as defined under Ordinary work)" in found.variable[0].replace(";", ",")
    without = terms.study.states.model_copy(
        update={"order": ("ordinary_work",), "rules": {"ordinary_work": terms.study.states.rules["ordinary_work"]}}
    )
    less = replace(there, study=terms.study.model_copy(update={"states": without}))
    assert event(block(less, "states"), "disability").strategy == "treatment_policy"
    assert "Disability pension" not in block(less, "states").variable[0]


def test_words_of_months_not_seen_follow_the_function():
    rule = inspect.signature(months_in_work).parameters["missing"].default
    assert SAY(f"estimands.missing_{rule}").startswith("Unknown months are not 0")


# ------------------------------------------------------------------ the page and the file
@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = ips.simulate_study(tmp_path_factory.mktemp("estimands") / "study", seed=5, participants=40)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("draws = 10000", "draws = 200").replace('profile = "none"', 'profile = "primary5"'), encoding="utf-8"
    )
    return path


def following(path: Path, setting: str) -> tuple[ips.FollowUp, Terms]:
    """The simulated study with a setting added to its primary definition, without subgroups (they take their time)."""
    text = path.read_text(encoding="utf-8").replace("[employed.ordinary]\n", f"[employed.ordinary]\n{setting}\n", 1)
    text = re.sub(r"\[(subgroups\.\w+|subgroup_analysis)\]\n(?:[^\[\n].*\n|\n)*", "", text)
    changed = path.parent / "changed.toml"
    changed.write_text(text, encoding="utf-8")
    cohort = ips.load_cohort(ips.load_study(changed))
    followed = ips.follow_up(cohort)
    return followed, terms_of(Followed(cohort, followed))


@pytest.fixture(scope="module")
def plain(simulated: Path) -> tuple[ips.FollowUp, Terms]:
    return following(simulated, "")


@pytest.fixture(scope="module")
def report(simulated: Path) -> Path:
    ips.write_report(simulated, simulated.parent.parent / "out")
    return simulated.parent.parent / "out"


@pytest.mark.parametrize("side", ["internal", "release"])
def test_page_and_file_say_the_same(report: Path, side: str):
    table = pd.read_csv(report / side / "tables" / "estimands.csv", keep_default_na=False)
    assert list(table.columns) == ["answer", "attribute", "event", "strategy", "text"]
    text = html.unescape((report / side / "report.html").read_text(encoding="utf-8"))
    sheet = text[text.index('<section id="estimands">') :]
    sheet = sheet[: sheet.index("</section>")]
    for row in table.itertuples():
        own = sheet[sheet.index(f"<h3>{row.answer}</h3>") :]
        own = own[: own.index("</article>")]
        assert row.text in own
        assert row.event in own
    assert set(table["answer"]) == set(re.findall(r"<h3>(.*?)</h3>", sheet))
    # every answer has every attribute, and names the events that the rules name
    attributes = table.groupby("answer")["attribute"].nunique()
    assert (attributes == 6).all()
    assert {"Death", "Emigration", "Disability pension", "Education", "Stopping the service"} <= set(table["event"])
    assert (table.loc[table["event"] != "", "strategy"] != "").all()


def test_few_controls_who_started_are_hidden_in_what_leaves(report: Path):
    exact, released = (pd.read_csv(report / side / "tables" / "estimands.csv") for side in ("internal", "release"))
    started = [t.loc[t["event"] == "Starting the other arm's service", "text"].iloc[0] for t in (exact, released)]
    assert re.search(r"Of them [0-4] started", started[0])
    assert not re.search(r"Of them [1-4] started", started[1])


def test_head_and_sheet_are_the_same_blocks(report: Path):
    text = html.unescape((report / "release" / "report.html").read_text(encoding="utf-8"))
    head = text[text.index('<section id="estimand">') :]
    head = head[: head.index("</section>")]
    table = pd.read_csv(report / "release" / "tables" / "estimands.csv", keep_default_na=False)
    main = table[(table["answer"] == table["answer"].iloc[0]) & (table["event"] == "")]
    assert all(line in head for line in main["text"])
    assert 'href="#estimands"' in head


def test_head_tells_where_others_differ(tmp_path: Path):
    blocks = chapters.estimands(world(tmp_path)[1])
    first, lines = head_of(blocks, SAY)
    assert first is blocks[0]
    assert lines[0].startswith("Ordinary work, the dead counted as not in work: ")
    assert lines[0].endswith("Death: composite.")
    assert "Emigration: hypothetical." in lines[1]
    assert "Education" not in " ".join(lines)
    assert len(as_table(blocks, SAY)) == sum(len(content) for b in blocks for _, content in b.attributes())


def test_listing():
    assert listed([1], SAY) == "1"
    assert listed(["a", "b", "c"], SAY) == "a, b and c"
    assert listed(["a, too", "b", "c"], SAY, "or") == "a, too; b or c"


def test_results_have_what_the_terms_read():
    assert {"facts", "contrasts", "incidence", "subgroup_effects", "chapters"} <= set(Results.__dataclass_fields__)
