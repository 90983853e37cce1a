"""No setting of a definition decides a number in silence: each that is not the default stands in the report in words."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

import ips_outcomes as ips
from ips_outcomes.reporting.definition_words import definition_lines
from ips_outcomes.reporting.words import words
from ips_outcomes.study import Definition

#: A value that is not the default, as the study file writes it, and what the report then says.
CHANGED = {
    "month_rule": ('"any_day"', "a job on any day of the month"),
    "kinds": ('["ordinary", "freelance"]', "kinds of job that count: ordinary, freelance"),
    "basis": ('["1a", "2b"]', "a-ordningen's bases that count: 1a, 2b"),
    "minimum_weekly_hours": ("7.5", "at least 7.5 hours a week over the jobs that count"),
    "minimum_monthly_pay_nok": ("10000", "at least NOK 10000 paid in the month"),
    "minimum_monthly_pay_g": ("0.5", "at least 0.5 G/12 paid in the month, with that month's own G"),
    "minimum_yearly_pay_g": ("1", "at least 1 G paid over the twelve months that end in the month, with the mean of their G"),
    "without_benefits": ("{ aap = 50, sickness = 0 }",
                         "not on work assessment allowance (AAP) at 50 percent or more; sickness benefit at any degree"),
    "benefits_not_above_inclusion": ('["aap", "disability"]', "not at a higher degree than in month 0 of: work assessment allowance (AAP), "
                                     "disability benefit"),
    "wage_subsidy": ('"keep"', "wage-subsidised and sheltered work counts"),
    "work_practice_subtracts": ("true", "work practice subtracts a month as well"),
    "if_unanswerable": ('"skip"', "where a source cannot answer a rule, the rule is off"),
    "or_education": ("true", "or attending a course: education makes the month a yes as work does"),
}  # fmt: skip


#: Benefits that the definitions name, so that a source can deliver them.
LAYOUT = """
title = "Benefits by code"
table = "benefits"
kind = "EVENT"
knowledge = "Invented for tests."
certainty = "derived"
columns.person_key = { name = "person", type = "key", required = true, meaning = "Person" }
columns.benefit = { name = "benefit", type = "code", required = true, meaning = "Kind", codes = { A = "aap", S = "sickness", D = "disability" } }
columns.start = { name = "start", type = "date", required = true, meaning = "First day" }
columns.end = { name = "end", type = "date", required = true, meaning = "Last day" }
"""
SOURCE = """
[sources.known_benefits]
layout = "benefits.toml"
files = "benefits.csv"
period = ["2011-01", "2018-12"]

[keys.known_benefits]
carries_participant_key = true
"""


def table(name: str, setting: str) -> str:
    return f'\n[employed.only_{name}]\nlabel = "Only {name}"\n{name} = {setting}\n'


def test_every_setting_is_looked_for_here():
    assert set(CHANGED) == set(Definition.model_fields) - {"label"}


def test_defaults_are_one_line():
    assert definition_lines(Definition(label="Work"), words("en")) == ["a job on the 16th of the month"]


@pytest.mark.parametrize("benefit", Definition.model_fields["benefits_not_above_inclusion"].annotation.__args__[0].__args__)
def test_every_benefit_has_words(benefit: str):
    lines = definition_lines(Definition(label="Work", without_benefits={benefit: 0}), words("en"))
    assert lines[1].startswith("not on ")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = ips.simulate_study(tmp_path_factory.mktemp("worded") / "study", seed=3, participants=40)
    (path.parent / "benefits.toml").write_text(LAYOUT, encoding="utf-8")
    somebody = ips.load_cohort(path).participants["person_id"].iloc[0]
    (path.parent / "benefits.csv").write_text(f"person;benefit;start;end\n{somebody};A;2013-01-01;2013-02-01\n", encoding="utf-8")
    text = path.read_text(encoding="utf-8") + SOURCE + "".join(table(name, setting) for name, (setting, _) in CHANGED.items())
    # the primary definition asks for something too: the estimand must say so
    text = re.sub(r"(?m)^(\[employed\.ordinary\])$", r"\1\nminimum_weekly_hours = 4", text)
    path.write_text(text, encoding="utf-8")
    ips.write_report(path, path.parent.parent / "out")
    return path.parent.parent / "out"


@pytest.mark.parametrize("side", ["internal", "release"])
def test_every_setting_stands_in_the_report(report: Path, side: str):
    text = html.unescape((report / side / "report.html").read_text(encoding="utf-8"))
    for name, (_, said) in CHANGED.items():
        own = [part[: part.index("</p>")] for part in text.split(f"Only {name}: ")[1:]]
        assert any(said in part for part in own), name
    estimand = text[text.index('<section id="estimand">') :]
    assert "At least 4 hours a week over the jobs that count." in estimand[: estimand.index("</section>")]
