"""Every setting of a definition against the slow oracle, on worlds drawn to be nasty; and the G that they rest on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
from definition_oracle import DEFAULTS, DefinitionOracle
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from world import Feed, World, cohort_of

import ips_outcomes as ips
from ips_outcomes.study import Definition

nasty = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# ---------------------------------------------------------------- the worlds

YEARS = (2014, 2015, 2016)
DAYS = st.builds(
    lambda year, month, day: date(year, month, min(day, 28 if month == 2 and year != 2016 else 29 if month == 2 else 30)),
    st.sampled_from(YEARS), st.integers(1, 12), st.sampled_from([1, 2, 10, 15, 16, 17, 29, 30]),
)  # fmt: skip
PEOPLE = ("P1", "P2")
EMPLOYERS = st.sampled_from(["E1", "E2", "M1", "M2", None])


@st.composite
def spells(draw: st.DrawFn) -> tuple[date, date | None]:
    """Two days in order, often the same one, or a day and no end."""
    first, second = sorted([draw(DAYS), draw(DAYS)])
    return draw(st.sampled_from([(first, second), (first, first), (first, None)]))


@st.composite
def months(draw: st.DrawFn) -> tuple[int, int]:
    return draw(st.sampled_from(YEARS)), draw(st.integers(1, 12))


@st.composite
def feeds(draw: st.DrawFn) -> dict[str, Feed]:
    lists = st.sampled_from([None] * 8 + [frozenset({"P1"}), frozenset()])
    gone = st.sampled_from([frozenset()] * 4 + [frozenset({(2015, 8)}), frozenset({(2016, 2), (2016, 3)})])
    made = {
        "monthly": Feed("ameld_statdata", (2014, draw(st.sampled_from([1, 10]))), (2016, draw(st.sampled_from([9, 12]))),
                        draw(gone), draw(lists)),
        "schemes": Feed("nav_schemes", draw(st.sampled_from([(2013, 1), (2014, 12)])), (2016, 12), frozenset(), draw(lists)),
        "aap": Feed("aap.toml", (2013, 1), draw(st.sampled_from([(2015, 6), (2016, 12), (2016, 12)])), draw(gone), draw(lists)),
    }  # fmt: skip
    if draw(st.booleans()):
        made["spells"] = Feed(draw(st.sampled_from(["job_spells", "aa_jobs"])), (2013, 1), (2015, 5), frozenset(), draw(lists))
    if draw(st.booleans()):
        made["wide"] = Feed("wide.toml", (2015, 1), (2015, 12), frozenset(), draw(lists))
    if draw(st.booleans()):
        made["several"] = Feed("several.toml", (2015, 5), (2016, 10), frozenset(), draw(lists))
    if draw(st.booleans()):
        made["courses"] = Feed("nudb_kurs", (2014, 8), draw(st.sampled_from([(2015, 6), (2016, 12)])), draw(gone), draw(lists))
    return made


@st.composite
def contracts(draw: st.DrawFn, delivered: list[tuple[int, int]], person: str) -> tuple[list[dict], list[dict]]:
    """A run of monthly records with one employer, each with its pay; some months lack hours, pay or the kind."""
    start, end = draw(spells())
    begin = draw(st.integers(0, max(len(delivered) // 2, 0)))
    length = draw(st.sampled_from([2, 5, 14, 20, 36]))
    common = {"person_id": person, "source": "monthly", "employer": draw(EMPLOYERS)}
    kind = draw(st.sampled_from(["ordinary"] * 5 + ["freelance", "unknown"]))
    basis = draw(st.sampled_from(["1a", "1a", "1b", "1b", "2b", "4a", None]))
    hours = draw(st.sampled_from([None, 7.5, 12.25, 20.0]))
    # near a twelfth of G (7,364 to 7,715 NOK), and near a whole one
    amount = draw(st.sampled_from([-500, 0, 1, 375_284, 750_567, 771_467, 771_467, 900_000, 900_000]))
    paid = draw(st.booleans()) or draw(st.booleans())
    tenure = (start, end) if draw(st.integers(0, 3)) == 0 else (None, None)
    jobs = [
        {**common, "record": "month", "month": month, "start": tenure[0], "end": tenure[1], "kind": kind, "basis": basis,
         "weekly_hours": hours}
        for month in delivered[begin : begin + length]
    ]  # fmt: skip
    pay = [{**common, "kind": kind, "basis": basis, "month": job["month"], "amount_ore": amount} for job in jobs if paid]
    return jobs, pay


@st.composite
def worlds(draw: st.DrawFn) -> World:
    made = feeds()
    delivering = draw(made)
    people = {p: date(draw(st.sampled_from([2014, 2015])), draw(st.integers(1, 12)), draw(st.sampled_from([1, 16, 28])))
              for p in PEOPLE}  # fmt: skip
    world = World(people, delivering, months=draw(st.sampled_from([3, 14, 14, 14])), history=draw(st.sampled_from([0, 2])))
    who = st.sampled_from(PEOPLE)
    if draw(st.booleans()):
        # a steady job, so that there is something for the rules to turn down
        steady = {"person_id": "P1", "source": "monthly", "employer": "M1", "kind": "ordinary", "basis": "1a"}
        when = delivering["monthly"].months()
        late = draw(st.sets(st.integers(1, 12), max_size=2))  # months in which it is there after the 16th alone
        world.jobs += [{**steady, "record": "month", "month": m, "start": date(*m, 17) if m[1] in late else None, "end": None,
                        "weekly_hours": 12.25} for m in when]  # fmt: skip
        world.pay += [{**steady, "month": m, "amount_ore": 771_467} for m in when]
    for _ in range(draw(st.integers(0, 4))):
        jobs, pay = draw(contracts(delivering["monthly"].months(), draw(who)))
        world.jobs += jobs
        world.pay += pay
    for _ in range(draw(st.integers(0, 3)) if "spells" in delivering else 0):
        start, end = draw(spells())
        hours = draw(st.sampled_from([None, 4.0, 8.0])) if delivering["spells"].layout == "job_spells" else None
        world.jobs.append({"person_id": draw(who), "source": "spells", "record": "spell", "month": None, "start": start, "end": end,
                           "employer": draw(EMPLOYERS), "kind": "ordinary", "basis": None, "weekly_hours": hours})  # fmt: skip
    for month in delivering["wide"].months() if "wide" in delivering else []:
        for person in PEOPLE:
            kind = draw(st.sampled_from(["ordinary", "unknown", None]))
            if kind is not None:
                world.jobs.append({"person_id": person, "source": "wide", "record": "month", "month": month, "start": None,
                                   "end": None, "employer": None, "kind": kind, "basis": None, "weekly_hours": None})  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        start, end = draw(spells())
        world.schemes.append({"person_id": draw(who), "source": "schemes", "start": start, "end": end, "employer": draw(EMPLOYERS),
                              "scheme": draw(st.sampled_from(["MIDLONTIL", "VASV", "ARBTREN", "IPSUNG"]))})  # fmt: skip
    for _ in range(draw(st.integers(0, 4))):
        start, end = draw(spells())
        source = draw(st.sampled_from([name for name in ("aap", "several") if name in delivering]))
        benefit = draw(st.sampled_from(["aap", "sickness"])) if source == "several" else "aap"
        world.benefits.append({"person_id": draw(who), "source": source, "benefit": benefit, "start": start, "end": end,
                               "degree": draw(st.sampled_from([None, 0.0, 20.0, 50.0, 60.0, 100.0]))})  # fmt: skip
    for _ in range(draw(st.integers(0, 2)) if "courses" in delivering else 0):
        start, end = draw(spells())
        world.courses.append({"person_id": draw(who), "source": "courses", "start": start, "end": end})
    for person in PEOPLE:
        if draw(st.integers(0, 9)) == 0:
            world.deaths[person] = draw(DAYS)
        elif draw(st.integers(0, 5)) == 0:
            gone, back = sorted([draw(DAYS), draw(DAYS)])
            world.moves[person] = [(date(1990, 1, 1), gone), (back, None)]
    return world


OPTIONAL: dict[str, Any] = {
    "kinds": st.sampled_from([["ordinary", "freelance"], ["freelance"]]),
    "basis": st.sampled_from([["1a"], ["1a", "1b", "2b", "2c", "4a"]]),
    "minimum_weekly_hours": st.sampled_from([4.0, 12.25, 20.0]),
    "minimum_monthly_pay_nok": st.sampled_from([1.0, 7505.67, 8_000.0]),
    "minimum_monthly_pay_g": st.sampled_from([0.5, 1.0]),
    "minimum_yearly_pay_g": st.sampled_from([0.5, 1.0]),
    "without_benefits": st.dictionaries(st.sampled_from(["aap", "sickness"]), st.sampled_from([0.0, 50.0, 100.0]), min_size=1),
    "benefits_not_above_inclusion": st.lists(st.sampled_from(["aap", "sickness"]), min_size=1, max_size=2),
    "work_practice_subtracts": st.just(True),
    "if_unanswerable": st.just("skip"),
    "or_education": st.just(True),
}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of which most are off, so that each is seen alone and beside others."""
    chosen = {
        "month_rule": draw(st.sampled_from(["status_day", "any_day", "paid_in_month"])),
        "wage_subsidy": draw(st.sampled_from(["strict", "lenient", "keep"])),
    }
    often = ("minimum_yearly_pay_g", "without_benefits", "benefits_not_above_inclusion", "or_education")
    for name in sorted(set(draw(st.lists(st.sampled_from([*sorted(OPTIONAL), *often]), max_size=3)))):
        chosen[name] = draw(OPTIONAL[name])
    return chosen


def package(world: World, chosen: list[dict[str, Any]]) -> tuple[list[dict], dict]:
    """What the package answers for each of several definitions, and why it sees a month or not."""
    months = ips.follow_up(cohort_of(world, {f"work{i}": one for i, one in enumerate(chosen)})).person_months
    keys = list(zip(months["person_id"], months["month"], strict=True))
    answers = [
        dict(zip(keys, [None if pd.isna(value) else bool(value) for value in months[f"work{i}"]], strict=True))
        for i in range(len(chosen))
    ]  # fmt: skip
    return answers, dict(zip(keys, months["reason"], strict=True))


def differences(one: dict, other: dict) -> dict:
    return {key: (value, other.get(key)) for key, value in one.items() if value != other.get(key)}


@nasty
@given(worlds(), st.lists(definitions(), min_size=1, max_size=4))
def test_every_month_has_the_oracle_s_answer_and_reason(world: World, chosen: list[dict[str, Any]]) -> None:
    answers, reasons = package(world, chosen)
    assert differences(reasons, DefinitionOracle(world, **chosen[0]).reasons()) == {}
    for settings_of_one, found in zip(chosen, answers, strict=True):
        event(f"in work in some month: {True in found.values()}")
        assert differences(found, DefinitionOracle(world, **settings_of_one).answers()) == {}, settings_of_one


def amounts(world: World, chosen: dict[str, Any]) -> dict[tuple[str, int], tuple[float | None, ...]]:
    """Pay in kroner and in G/12, and weekly hours, as the package has them."""
    months = ips.follow_up(cohort_of(world, {"work": chosen})).person_months
    columns = [months[name] for name in ("person_id", "month", "pay_nok", "pay_g", "weekly_hours")]
    return {(person, month): tuple(None if pd.isna(v) else v for v in own) for person, month, *own in zip(*columns, strict=True)}


@nasty
@given(worlds(), definitions())
def test_every_month_has_the_oracle_s_pay_and_hours(world: World, chosen: dict[str, Any]) -> None:
    found = amounts(world, chosen)
    event(f"paid in some month: {any(pay for pay, _, _ in found.values())}")
    event(f"hours in some month: {any(hours for _, _, hours in found.values())}")
    assert differences(found, DefinitionOracle(world, **chosen).amounts()) == {}, chosen


@st.composite
def paid_years(draw: st.DrawFn) -> World:
    """Two jobs through the years, that pay what a threshold asks for to the øre, a little less, or nothing."""
    lost = draw(st.sampled_from([frozenset(), frozenset(), frozenset({(2015, 4)}), frozenset({(2016, 1)})]))
    world = World({"P1": date(2015, draw(st.integers(3, 5)), 10)}, {
        "monthly": Feed("ameld_statdata", (2014, 1), (2016, 12), lost),
        "schemes": Feed("nav_schemes", draw(st.sampled_from([(2014, 1), (2014, 1), (2015, 6)])), (2016, 12)),
    }, months=14, history=2)  # fmt: skip
    for employer in ("M1", "M2"):
        first = draw(st.sampled_from([(2014, 1), (2014, 1), (2015, 9)]))
        # 900.68 is 0.12 of the twelfth of G from May 2015 on; the second job mostly pays nothing, so that the first decides
        amounts = [90_068, 90_068, 90_067, 90_400, 755_000] if employer == "M1" else [0, 0, 0, 900_680]
        amount = draw(st.sampled_from(amounts))
        late = draw(st.sets(st.integers(1, 12), max_size=3))  # months in which the job is there after the 16th alone
        for month in world.feeds["monthly"].months():
            if month >= first:
                common = {
                    "person_id": "P1",
                    "source": "monthly",
                    "employer": employer,
                    "kind": "ordinary",
                    "basis": "1a",
                    "month": month,
                }
                start = date(*month, 17) if month[1] in late else None
                world.jobs.append({**common, "record": "month", "start": start, "end": None, "weekly_hours": 20.0})
                world.pay.append({**common, "amount_ore": amount})
    for _ in range(draw(st.integers(0, 2))):
        start, end = draw(spells())
        world.schemes.append({"person_id": "P1", "source": "schemes", "start": start, "end": end, "scheme": "VASV",
                              "employer": draw(st.sampled_from(["M1", None, "X"]))})  # fmt: skip
    return world


@nasty
@given(paid_years(), st.sampled_from(["strict", "lenient", "keep"]), st.sampled_from(["status_day", "any_day", "paid_in_month"]))
def test_pay_in_g_is_the_oracle_s_to_the_ore(world: World, wage_subsidy: str, month_rule: str) -> None:
    common = {"wage_subsidy": wage_subsidy, "month_rule": month_rule}
    chosen = [
        {**common, setting: fraction}
        for setting in ("minimum_monthly_pay_g", "minimum_yearly_pay_g") for fraction in (0.12, 1.0)
    ] + [{**common, "minimum_yearly_pay_g": 0.12, "if_unanswerable": "skip"}]  # fmt: skip
    answers, _ = package(world, chosen)
    for settings_of_one, found in zip(chosen, answers, strict=True):
        assert differences(found, DefinitionOracle(world, **settings_of_one).answers()) == {}, settings_of_one
    assert differences(amounts(world, common), DefinitionOracle(world, **common).amounts()) == {}, common


def test_oracle_knows_every_setting() -> None:
    fields = {name: field.get_default(call_default_factory=True) for name, field in Definition.model_fields.items()}
    del fields["label"]
    assert {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()} == DEFAULTS
