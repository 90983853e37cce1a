"""Chapter: who starts supported employment in which arm, and the arms compared with and without what comes after.

What leaves: the curve is that of an event table whose steps hold at least k
people each (`event_blocks`), as for the first job. Shares are
those of counts that may leave. Answers while on treatment stand beside those
as randomised, so a row is hidden, too, where the two differ by few people or
few events, or where the months between two landmarks added few; the number
who started stands in the curve alone. Sums over months, curves at a month and
weighted answers are results of models: at least 2k people, fixed digits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ips_outcomes.analysis import crossover, cumulative_incidence, treatment_strategies
from ips_outcomes.analysis.event_table import EventTable
from ips_outcomes.analysis.strategies import STRATEGIES
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, under
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import figures, numbers
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.reporting.event_blocks import counts_of_rows, released_event_table, with_counts, without_curve
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.first_job import leaving
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hide, small, unsafe
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["answers", "plans", "release", "sentences", "tables"]

Answers = Mapping[str, Estimates | pd.DataFrame]

#: Measures that tell of one another.
_FAMILY = {"rate": "rate", "risk_difference": "rate", "months_in_work": "months", "months_in_work_difference": "months",
           "cumulative_incidence": "first_job", "mean": "first_job", "mean_difference": "first_job"}  # fmt: skip
_COUNTS = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """The curves by arm; both strategies where somebody in the reference arm started."""
    if not compared(study, arms_with_people(study, followed)):
        return {}
    if not (study.sources_of("programmes") and study.crossover_plan.schemes) and not study.crossover_plan.records:
        return {}
    try:
        made = {"crossover_incidence": crossover(followed)}
    except UnsupportedError:
        # no delivery speaks for anybody's month 0
        return {}
    started = followed.crossover["month"].notna() & (followed.crossover["arm"] == study.reference)
    if started.any():
        made["crossover_strategies"] = treatment_strategies(followed, study.primary_definition)
    return made


def release(given: Answers, profile: Profile, words: Words) -> Answers:
    """Curves from grouped steps, and answers that differ from their neighbours by enough people."""
    made: dict[str, Estimates | pd.DataFrame] = {}
    exact = given["crossover_incidence"]
    assert isinstance(exact, Estimates)
    made["crossover_incidence"] = _curve(exact, profile.threshold, words)
    both = given.get("crossover_strategies")
    if isinstance(both, Estimates):
        made["crossover_strategies"] = _strategies(both, profile)
    return made


def _curve(exact: Estimates, threshold: int, words: Words) -> Estimates:
    shown, hidden = [], []
    for _, rows in exact.table.groupby("group", sort=True):
        counted = counts_of_rows(rows)
        folded, _ = released_event_table(counted, threshold)
        nobody = counted.events[:, 0].sum() == 0
        if folded is None and nobody and not (counted.censored + counted.events[:, 1]).sum() < threshold:
            # no start is no small count: the curve stays at zero, and when people left is told at the end alone
            gone = np.zeros(len(rows))
            gone[-1] = counted.censored.sum() + counted.events[:, 1].sum()
            at_risk = np.full(len(rows), counted.at_risk[0])
            folded = EventTable(counted.time, at_risk, counted.entered, np.zeros((len(rows), 2)), gone)
        if folded is None:
            hidden.append(without_curve(rows, threshold))
            continue
        shown.append(with_counts(rows, folded))
    parts = list(hidden)
    if shown:
        counts = leaving(pd.concat(shown, ignore_index=True))
        found = cumulative_incidence(counts, by="arm", weights="people").table
        parts.append(found.assign(hidden=False, outcome="crossover"))
    table = under(parts).sort_values(["group", "time"], kind="stable")
    return exact.with_table(table, words("crossover.blocks", threshold=threshold))


def _strategies(exact: Estimates, profile: Profile) -> Estimates:
    k, table = profile.threshold, exact.table.reset_index(drop=True)
    events = table["events"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    rows = small(table["n"], 2 * k)
    rows |= np.isfinite(events) & unsafe(table, "n", "events", k)
    if "n_arm" in table:
        rows |= unsafe(table, "n_arm", "events_arm", k) | unsafe(table, "n_reference", "events_reference", k)
    keys = ["outcome", "measure", "group", "contrast", "month", "time"]
    labels = table[keys].astype("string").fillna("").agg("|".join, axis=1)
    policy = table[table["strategy"] == STRATEGIES[0]].set_index(labels[table["strategy"] == STRATEGIES[0]])
    later = (table["strategy"] != STRATEGIES[0]).to_numpy()
    apart = {column: labels.map(policy[column]).astype("Float64") - table[column].astype("Float64") for column in ("n", "events")}
    apart["crossed"] = table["crossed"].astype("Float64")
    apart["without"] = apart["n"] - apart["events"]
    when = table["month"].astype("Float64").fillna(table["time"].astype("Float64")).to_numpy(dtype=float)
    for place in np.flatnonzero(later & (table["group"] != "")):
        # the months since the last landmark that is shown must have added none, or enough
        same = (table.loc[:place, ["strategy", "outcome", "measure", "group"]] == table.loc[place, ["strategy", "outcome", "measure",
                                                                                                    "group"]]).all(axis=1)  # fmt: skip
        earlier = [i for i in np.flatnonzero(same.to_numpy()) if i != place and not rows[i] and when[i] < when[place]]
        for difference in apart.values():
            value = difference.iloc[place]
            before = difference.iloc[earlier[-1]] if earlier else 0.0
            for step in (value, value - before if pd.notna(value) and pd.notna(before) else value):
                rows[place] |= bool(pd.notna(step) and 0 < abs(float(step)) < k)

    # first jobs leave in steps of enough people (`event_blocks`): those between two landmarks are a step, too
    first = (table["measure"] == "cumulative_incidence").to_numpy()
    for _, own in table[first].groupby(["strategy", "group"], sort=False):
        last = 0.0
        for place in own.sort_values("time", kind="stable").index:
            rows[place] |= 0 < events[place] - last < k
            last = last if rows[place] else events[place]

    # a difference tells the hidden arm where the other arm is shown, and a mean the curve that it is the area of
    def place_of(row_number: int, arm: str) -> tuple[object, ...]:
        row = table.loc[row_number]
        return row["strategy"], _FAMILY[row["measure"]], when[row_number], arm

    gone = {place_of(int(place), table.loc[place, "group"]) for place in np.flatnonzero(rows)}
    for number in range(len(table)):
        row = table.loc[number]
        sides = [row["group"]] if row["group"] else str(row["contrast"]).split(" - ")
        rows[number] |= any(place_of(number, arm) in gone for arm in sides)
    hidden = hide(table, rows, [*_COUNTS, *NUMBERS])
    rate = hidden["measure"].isin(["rate", "risk_difference"]) & (hidden["strategy"] != STRATEGIES[2])
    hidden.loc[~rate, NUMBERS] = hidden.loc[~rate, NUMBERS].round(profile.model_digits)
    hidden["crossed"] = pd.array([pd.NA] * len(hidden), dtype="Int64")
    # how many started by when stands in the curve, in grouped steps
    notes = tuple(note for note in exact.notes if " started by month " not in note and "weights in " not in note)
    return Estimates(exact.with_table(hidden).table, exact.title, exact.method, exact.references, exact.shape, notes)


def _arms(study: Study, incidence: Estimates) -> list[str]:
    return [arm for arm in study.arm_labels if (incidence.table["group"] == arm).any()]


def _at(incidence: Estimates, arm: str, month: int) -> pd.Series | None:
    """The curve at a month, or where it ends before: a curve stays where it is when nobody is left."""
    rows = incidence.table[(incidence.table["group"] == arm) & (incidence.table["time"] <= month)]
    return None if rows.empty else rows.sort_values("time").iloc[-1]


def plans(study: Study, given: Answers, canvas: Canvas) -> list[Plan]:
    """The curves by arm."""
    incidence, say = given["crossover_incidence"], canvas.words
    assert isinstance(incidence, Estimates)
    shown = incidence.table[incidence.table["estimate"].notna()]
    if shown.empty:
        return []
    drawn = incidence.with_table(shown)
    released = "hidden" in incidence.table
    text = "; ".join(
        f"{canvas.arms[a]}: {numbers.percent(cell(_at(drawn, a, study.follow_up.months)))}" for a in _arms(study, drawn)
    )
    return [Plan("crossover", lambda c: figures.steps(drawn, c), incidence.table,
                 say("crossover.caption_released" if released else "crossover.caption"), say("crossover.alt", text=text + "."))]  # fmt: skip


def tables(study: Study, given: Answers, canvas: Canvas) -> dict[str, Shown]:
    """Shares started at the landmarks, and the strategies side by side."""
    say, incidence = canvas.words, given["crossover_incidence"]
    assert isinstance(incidence, Estimates)
    arms = _arms(study, incidence)
    rows = [Row((say("axis.month", month=month), *(_share(_at(incidence, arm, month)) for arm in arms)))
            for month in study.follow_up.landmarks]  # fmt: skip
    made: dict[str, Shown] = {}
    if incidence.table["estimate"].notna().any():
        columns = (say("column.month"), *(canvas.arms[a] for a in arms))
        made["crossover_started"] = Shown(say("crossover.table_started"), columns, tuple(rows))
    both = _comparable(given)
    if both is not None:
        made["crossover_strategies_shown"] = _side_by_side(study, both, canvas)
    return made


def _comparable(given: Answers) -> Estimates | None:
    """Both strategies, where some comparison while on treatment may be shown."""
    both = given.get("crossover_strategies")
    if not isinstance(both, Estimates):
        return None
    later = both.table[(both.table["strategy"] != STRATEGIES[0]) & (both.table["contrast"] != "")]
    return both if later["estimate"].notna().any() else None


def _share(row: pd.Series | None) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.percent)


_STYLES = {"rate": numbers.percent, "risk_difference": numbers.points, "cumulative_incidence": numbers.percent}
_HEADINGS = {"rate": "rates", "months_in_work": "months", "cumulative_incidence": "first_job", "mean": "mean"}


def _side_by_side(study: Study, both: Estimates, canvas: Canvas) -> Shown:
    say, table = canvas.words, both.table
    strategies = [name for name in STRATEGIES if (table["strategy"] == name).any()]
    order = {arm: i for i, arm in enumerate(study.arm_labels)}
    rows: list[Row] = []
    headed = set[str]()
    kinds = ["rate", "risk_difference", "months_in_work", "months_in_work_difference", "cumulative_incidence", "mean",
             "mean_difference"]  # fmt: skip
    first = table[table["strategy"] == STRATEGIES[0]]
    for kind in kinds:
        own = first[first["measure"] == kind]
        own = own.assign(_month=own["month"].fillna(own["time"]), _arm=own["group"].map(order)).sort_values(["_month", "_arm"])
        if kind.startswith("mean"):
            # earlier ones stand in the CSV: they would fill the page
            own = own[own["_month"] == own["_month"].max()]
        for _, row in own.iterrows():
            if kind in _HEADINGS and kind not in headed:
                headed.add(kind)
                rows.append(Row((say(f"crossover.{_HEADINGS[kind]}_heading", month=row["_month"]),), heading=True))
            who = canvas.arms.get(row["group"], "") or _contrast(row["contrast"], canvas)
            found = [pick(table, measure=kind, group=row["group"], contrast=row["contrast"], month=_plain(row["month"]),
                          time=_plain(row["time"]), strategy=name) for name in strategies]  # fmt: skip
            style = _STYLES.get(kind, numbers.decimal)
            cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, style) for r in found]
            rows.append(Row((say(f"crossover.{kind}", month=row["_month"], arm=who), *cells), indent=True))
    columns = (
        say("crossover.what"),
        *(say(f"crossover.{n}_column" if n == "weighted" else f"crossover.{n}") for n in strategies),
    )
    notes = (say("crossover.note_hidden"),) if "hidden" in table and table["hidden"].any() else ()
    return Shown(
        say("crossover.table_strategies", label=study.employed[study.primary_definition].label), columns, tuple(rows), notes
    )


def _plain(value: object) -> object:
    return None if value is pd.NA else value


def _contrast(contrast: str, canvas: Canvas) -> str:
    arm, _, reference = contrast.partition(" - ")
    return f"{canvas.arms.get(arm, arm)} \u2212 {canvas.arms.get(reference, reference)}"


def sentences(study: Study, given: Answers, canvas: Canvas) -> list[str]:
    """How many started, what both answers are, and what leaving out assumes."""
    say, incidence, reference = canvas.words, given["crossover_incidence"], str(study.reference)
    assert isinstance(incidence, Estimates)
    plan, month, name = study.crossover_plan, study.follow_up.landmarks[-1], canvas.arms[reference]
    what = [say("crossover.schemes", codes=", ".join(plan.schemes))] if plan.schemes and study.sources_of("programmes") else []
    if plan.records:
        what.append(say("crossover.records", records=", ".join(say(f"crossover.{record}") for record in plan.records)))
    told = []
    row = _at(incidence, reference, month)
    both = given.get("crossover_strategies")
    if row is None or pd.isna(row["estimate"]):
        told.append(say("crossover.hidden", reference=name))
    elif float(row["estimate"]) == 0 and both is None:
        told.append(say("crossover.nobody", reference=name, month=month))
    else:
        ends = {"low": numbers.points(row["conf_low"]), "high": numbers.points(row["conf_high"])}
        plain = "_plain" if numbers.NOTHING in ends.values() else ""
        text = say(f"crossover.started{plain}", reference=name, share=numbers.percent(row["estimate"]), month=month, **ends)
        others = [arm for arm in _arms(study, incidence) if arm != reference and pd.notna(cell(_at(incidence, arm, month)))]
        for arm in others:
            text = say("crossover.others", started=text.rstrip("."), arm=canvas.arms[arm],
                       share=numbers.percent(cell(_at(incidence, arm, month))))  # fmt: skip
        told.append(text if text.endswith(".") else text + ".")
    told.append(say("crossover.counts", what="; ".join(what)))
    comparable = _comparable(given)
    if comparable is not None:
        told += _strategy_sentences(study, comparable, canvas, month)
    return told


def _strategy_sentences(study: Study, both: Estimates, canvas: Canvas, month: int) -> list[str]:
    say, told = canvas.words, []
    for arm in (arm for arm in study.arm_labels if arm != study.reference):
        contrast = f"{arm} - {study.reference}"
        found = [pick(both, strategy=s, measure="risk_difference", contrast=contrast, month=month) for s in STRATEGIES[:2]]
        if any(row is None or pd.isna(row["estimate"]) for row in found):
            continue
        spans: dict[str, str] = {}
        for label, row in zip(("policy", "treated"), found, strict=True):
            assert row is not None
            text = "" if pd.isna(row["conf_low"]) else say("crossover.interval", low=numbers.points(row["conf_low"]),
                                                           high=numbers.points(row["conf_high"]))  # fmt: skip
            spans |= {label: numbers.points(row["estimate"]), f"{label}_interval": text}
        told.append(
            say("crossover.policy", arm=canvas.arms[arm], reference=canvas.arms[str(study.reference)], month=month, **spans)
        )
    told.append(say("crossover.informative"))
    if (both.table["strategy"] == STRATEGIES[2]).any():
        columns = [say.label("baseline", column) if column not in study.subgroups else study.subgroups[column].label
                   for column in study.crossover_plan.weights]  # fmt: skip
        told.append(say("crossover.weighted", columns=", ".join(columns).lower()))
    return told
