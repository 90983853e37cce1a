"""The chapter on states: where people are month by month, how long they stay there, and how they move.

What leaves: people by state in each month and flows between landmarks with
every small number hidden and others with it (`state_gate`); the shares that
leave are those of the numbers that leave. Mean months are a model result in
fixed digits. The picture with a line a person, and its table, never leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd

from ips_outcomes.analysis import months_in_states, state_shares, state_transitions
from ips_outcomes.analysis.states import NOT_OBSERVED
from ips_outcomes.estimates import Estimates
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import numbers, state_figures
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import cell, pick
from ips_outcomes.reporting.state_gate import released_flows_and_shares, released_months, released_transitions, untold_sums
from ips_outcomes.reporting.state_words import state_labels
from ips_outcomes.reporting.suppression import Profile
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

if TYPE_CHECKING:
    from ips_outcomes.reporting.chapters import Answers

__all__ = ["PERSON_LEVEL", "answers", "plans", "release", "sentences", "tables"]

#: The table and picture that hold single people.
PERSON_LEVEL = "state_sequences"
#: Stands for months that are not observed where they are a state like others.
_UNSEEN = "not observed"


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """Shares, mean months, moves and flows; and each person's path."""
    if study.states is None or not len(followed.baseline):
        return {}
    names, months = study.states.names, followed.person_months
    reference = study.reference if compared(study, arms_with_people(study, followed)) else None
    shares = state_shares(months, states=names)
    marks = [0, *study.follow_up.landmarks]
    seen = months.assign(state=months["state"].astype(str).replace(NOT_OBSERVED, _UNSEEN))
    moves = state_transitions(seen, states=[*names[:-1], _UNSEEN], between=marks)
    moves = moves.with_table(moves.table.replace({c: {_UNSEEN: NOT_OBSERVED} for c in ("from_state", "to_state")}))
    found: dict[str, Estimates | pd.DataFrame] = {
        "state_shares": shares, "months_in_states": months_in_states(months, reference=reference, states=names),
        "state_flows": moves,
    }  # fmt: skip
    steps = state_transitions(months, states=names)
    if len(steps.table):
        found["state_transitions"] = steps
    return {**found, PERSON_LEVEL: _paths(study, months)}


def _paths(study: Study, months: pd.DataFrame) -> pd.DataFrame:
    """A row a person without name, a column a month; those longest in the first state at the bottom."""
    states = [] if study.states is None else list(study.states.names)
    rows = months[months["month"] >= 0]
    wide = rows.assign(state=rows["state"].astype(str)).pivot(index="person_id", columns="month", values="state")
    wide.columns = [str(month) for month in wide.columns]
    wide.insert(0, "arm", rows.drop_duplicates("person_id").set_index("person_id")["arm"].reindex(wide.index))
    later = wide.drop(columns=["arm", "0"], errors="ignore")
    keys = {f"_{s}": (later == s).sum(axis=1) for s in states}
    ordered = wide.assign(**keys).sort_values(list(keys), ascending=False, kind="stable").drop(columns=list(keys))
    return ordered.reset_index(drop=True)


def _estimates(asked: Answers, name: str) -> Estimates:
    return cast(Estimates, asked[name])


def release(asked: Answers, profile: Profile, words: Words) -> Answers:
    """What may leave: `state_gate` says how."""
    # in work, dead and abroad stand in other tables too
    elsewhere = frozenset({"dead", "abroad", NOT_OBSERVED, *_first(asked)})
    shares, flows = released_flows_and_shares(
        _estimates(asked, "state_shares"), _estimates(asked, "state_flows"), profile, elsewhere
    )
    untold = untold_sums(_estimates(asked, "state_shares"), shares, profile.threshold, elsewhere)
    found: dict[str, Estimates | pd.DataFrame] = {
        "state_shares": shares, "months_in_states": released_months(_estimates(asked, "months_in_states"), profile, untold),
        "state_flows": flows,
    }  # fmt: skip
    if "state_transitions" in asked:
        found["state_transitions"] = released_transitions(_estimates(asked, "state_transitions"), profile, untold)
    return found


def _first(asked: Answers) -> list[str]:
    return _estimates(asked, "state_shares").table["state"].head(1).tolist()


def _arms(asked: Answers, canvas: Canvas) -> list[str]:
    there = set(_estimates(asked, "state_shares").table["group"])
    return [arm for arm in canvas.arms if arm in there]


def plans(study: Study, asked: Answers, canvas: Canvas) -> list[Plan]:
    """Areas, flows, and, where nothing has been through the gate, a line a person."""
    say, labels = canvas.words, state_labels(study, canvas.words)
    shares, flows = _estimates(asked, "state_shares").table, _estimates(asked, "state_flows").table
    last, first = study.follow_up.months, next(iter(labels))
    hidden = "hidden" in shares and bool(shares["hidden"].any())
    texts = [
        say("states.alt_arm", arm=canvas.arms[a], text=", ".join(
            f"{labels[s]} {numbers.percent(cell(pick(shares, group=a, state=s, month=last)))}" for s in labels))
        for a in _arms(asked, canvas)
    ]  # fmt: skip
    caption = say("states.caption_areas", first=labels[first]) + (" " + say("states.caption_hidden") if hidden else "")
    end = study.follow_up.programme_end_month
    if end is not None:
        caption += " " + say("states.caption_programme", month=end)
    made = [Plan("state_areas", lambda c: state_figures.areas(shares, c, labels, programme_end=end), shares, caption,
                 say("states.alt_areas", month=last, text="; ".join(texts)))]  # fmt: skip
    if len(flows):
        marks = ", ".join(map(str, [0, *study.follow_up.landmarks]))
        caption = say("states.caption_flows", months=marks) + (" " + say("states.caption_hidden_flows") if hidden else "")
        made.append(Plan("state_flows", lambda c: state_figures.flows(shares, flows, c, labels), flows, caption,
                         say("states.alt_flows", months=marks, text=_largest(flows, canvas, labels))))  # fmt: skip
    if PERSON_LEVEL in asked:
        paths = cast(pd.DataFrame, asked[PERSON_LEVEL])
        made.append(Plan(PERSON_LEVEL, lambda c: state_figures.sequences(paths, c, labels), paths,
                         say("states.caption_sequences", first=labels[first]), say("states.alt_sequences", people=len(paths))))  # fmt: skip
    return made


def _largest(flows: pd.DataFrame, canvas: Canvas, labels: dict[str, str]) -> str:
    """The largest move to another state in each arm, from the last landmark but one to the last."""
    last = flows[(flows["to_month"] == flows["to_month"].max()) & (flows["from_state"] != flows["to_state"])]
    texts = []
    for arm in canvas.arms:
        own = last[(last["group"] == arm) & last["events"].notna()]
        if len(own):
            row = own.loc[own["events"].astype(float).idxmax()]
            texts.append(canvas.words("states.largest", arm=canvas.arms[arm], before=labels[row["from_state"]],
                                      after=labels[row["to_state"]], people=numbers.count(row["events"])))  # fmt: skip
    return "; ".join(texts) or numbers.NOTHING


def sentences(study: Study, asked: Answers, canvas: Canvas) -> list[str]:
    """What states are, and how long people were in the first of them."""
    say, labels = canvas.words, state_labels(study, canvas.words)
    if study.states is None:
        return []
    order = ", ".join(labels[s] for s in study.states.order)
    lines = [say("states.order", order=order)]
    table, first = _estimates(asked, "months_in_states").table, study.states.order[0]
    differences = table[(table["measure"] == "months_in_state_difference") & (table["state"] == first)]
    for _, row in differences.dropna(subset=["estimate", "conf_low"]).iterrows():
        arm, reference = str(row["contrast"]).split(" - ")
        means = [numbers.decimal(cell(pick(table, measure="months_in_state", group=a, state=first))) for a in (arm, reference)]
        lines.append(say("states.difference", arm=canvas.arms[arm], reference=canvas.arms[reference], state=labels[first],
                         months=row["time"], mean=means[0], reference_mean=means[1], difference=numbers.decimal(row["estimate"]),
                         low=numbers.decimal(row["conf_low"]), high=numbers.decimal(row["conf_high"])) + " "
                     + say(f"finding.{'excludes' if row['conf_low'] > 0 or row['conf_high'] < 0 else 'includes'}_zero"))  # fmt: skip
    if PERSON_LEVEL not in asked:
        lines.append(say("states.no_sequences"))
    return lines


def tables(study: Study, asked: Answers, canvas: Canvas) -> dict[str, Shown]:
    """Shares at the landmarks, mean months, moves."""
    labels, arms = state_labels(study, canvas.words), _arms(asked, canvas)
    made = {
        "states_at_landmarks": _at_landmarks(study, asked, canvas, labels, arms),
        "months_in_states": _months(asked, canvas, labels, arms),
        "state_flows": _moves(_estimates(asked, "state_flows").table, canvas, labels, arms, between=True),
    }
    if "state_transitions" in asked:
        made["state_transitions"] = _moves(_estimates(asked, "state_transitions").table, canvas, labels, arms, between=False)
    return {name: shown for name, shown in made.items() if shown.rows}


def _people(row: pd.Series | None) -> str:
    return (
        numbers.NOTHING
        if row is None or pd.isna(row["events"])
        else f"{numbers.count(row['events'])} ({numbers.percent(row['estimate'])})"
    )


def _at_landmarks(study: Study, asked: Answers, canvas: Canvas, labels: dict[str, str], arms: list[str]) -> Shown:
    say, table = canvas.words, _estimates(asked, "state_shares").table
    rows = []
    for month in (0, *study.follow_up.landmarks):
        rows.append(Row((say("axis.month", month=month),), heading=True))
        rows += [Row((label, *(_people(pick(table, group=a, state=s, month=month)) for a in arms)), indent=True)
                 for s, label in labels.items()]  # fmt: skip
    return Shown(say("states.table_landmarks"), (say("states.state"), *(canvas.arms[a] for a in arms)), tuple(rows))


def _months(asked: Answers, canvas: Canvas, labels: dict[str, str], arms: list[str]) -> Shown:
    """Mean months by state; differences stand in the table where there are two arms, else in the CSV."""
    say, table = canvas.words, _estimates(asked, "months_in_states").table
    compared = len(arms) == 2 and (table["measure"] == "months_in_state_difference").any()
    rows = []
    for state, label in labels.items():
        found = [pick(table, measure="months_in_state", group=a, state=state) for a in arms]
        if all(row is None for row in found):
            continue
        cells = [numbers.NOTHING if r is None else numbers.estimate_with_interval(r, numbers.decimal) for r in found]
        if compared:
            row = pick(table, measure="months_in_state_difference", state=state)
            cells += [numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.decimal),
                      numbers.p_value(cell(row, "p_value"))]  # fmt: skip
        rows.append(Row((label, *cells)))
    columns = (say("states.state"), *(canvas.arms[a] for a in arms),
               *((say("column.months_difference"), say("column.p")) if compared else ()))  # fmt: skip
    last = int(table["time"].max())
    return Shown(say("states.table_months", months=last), columns, tuple(rows), (say("states.note_months", months=last),))


def _moves(table: pd.DataFrame, canvas: Canvas, labels: dict[str, str], arms: list[str], *, between: bool) -> Shown:
    """Moves to another state by the state they start in: from month to month, or from landmark to landmark."""
    say, rows = canvas.words, []
    pairs = list(dict.fromkeys(zip(table["month"], table["to_month"], strict=True))) if between else [(None, None)]
    for before, after in pairs:
        part = table[(table["month"] == before) & (table["to_month"] == after)] if between else table
        if between:
            rows.append(Row((say("states.from_to_month", before=before, after=after),), heading=True))
        kinds = set(zip(part["from_state"], part["to_state"], strict=True))
        for a in labels:
            for b in labels:
                if a == b or (a, b) not in kinds:
                    continue
                cells = [_move(pick(part, group=arm, from_state=a, to_state=b), between=between) for arm in arms]
                rows.append(Row((say("states.from_to", before=labels[a], after=labels[b]), *cells), indent=between))
    title = say("states.table_flows" if between else "states.table_transitions")
    note = () if between else (say("states.note_transitions"),)
    return Shown(title, (say("states.move"), *(canvas.arms[a] for a in arms)), tuple(rows), note)


def _move(row: pd.Series | None, *, between: bool) -> str:
    if row is None:
        return "0"
    if pd.isna(row["events"]):
        return numbers.NOTHING
    rate = numbers.percent(row["estimate"]) if between else numbers.decimal(100 * float(row["estimate"]), 2)
    return f"{numbers.count(row['events'])} ({rate})"
