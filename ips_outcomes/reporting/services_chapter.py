"""Chapter: how the service worked, from offered to in work, its time targets, and results in print beside its own.

What leaves: a step of the funnel is hidden where few came so far or few were
lost since any step that is shown; so are the shares that rest on it. Shares
against targets and the service's own share beside those in print are those of
counts that may leave, with their complements, and shares at several months
only where enough people came between; medians need 2k people with a record.
Few people who were not seen are left out. Results in print are public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ips_outcomes.analysis import beside_published, process_table, published_rates, service_funnel
from ips_outcomes.analysis.process_measures import TARGETS
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import figures, numbers, style
from ips_outcomes.reporting.by_arm import arms_with_people
from ips_outcomes.reporting.figures import Canvas, DotRow
from ips_outcomes.reporting.gallery import Plan
from ips_outcomes.reporting.lookup import pick
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hide, small, unsafe
from ips_outcomes.reporting.tables import Row, Shown
from ips_outcomes.reporting.words import Words
from ips_outcomes.study import Study

__all__ = ["answers", "funnel_bars", "plans", "release", "sentences", "tables"]

Answers = Mapping[str, Estimates | pd.DataFrame]


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Answers:
    """The funnel; targets where records or jobs tell them; results in print where asked, and of a service alone by default."""
    made: dict[str, Estimates | pd.DataFrame] = {}
    arms = [arm for arm in arms_with_people(study, followed) if arm != study.reference]
    if not arms:
        return made
    if study.reference is not None and not study.sources_of("services"):
        # without records of the service its arm has its first jobs elsewhere on the page
        return _with_print(study, followed, made) if study.published else made
    made["services_funnel"] = service_funnel(followed)
    try:
        found = process_table(followed, by_centre=False)
        # ratings are of centres, not of people
        targets = found.table[found.table["group"] != ""]
        if len(targets):
            made["services_targets"] = found.with_table(targets)
    except UnsupportedError:
        # no record, no scheme, and nobody at risk of a first job
        pass
    return _with_print(study, followed, made)


def _with_print(study: Study, followed: FollowUp, made: dict[str, Estimates | pd.DataFrame]) -> Answers:
    names = list(study.published.compare_with) if study.published else None
    if names == [] or (names is None and study.reference is not None):
        return made
    if names is None and not published_rates()["month"].isin(study.follow_up.landmarks).any():
        return made
    found = beside_published(followed, names=names)
    funnel = made.get("services_funnel")
    if (found.table["measure"] == "of_offered").any() and isinstance(funnel, Estimates):
        own = funnel.table[(funnel.table["outcome"] == "had_job") & (funnel.table["measure"] == "share_of_first")]
        if (funnel.table["outcome"] == "offered").any() and len(own):
            row = own.assign(measure="of_offered", published=False, outcome=study.primary_definition)
            found = found.with_table(pd.concat([found.table, row], ignore_index=True))
    made["services_published"] = found
    return made


def release(given: Answers, profile: Profile, words: Words) -> Answers:
    """What of them may leave."""
    made: dict[str, Estimates | pd.DataFrame] = {}
    for name, part in given.items():
        assert isinstance(part, Estimates)
        gate = {"services_funnel": _funnel, "services_targets": _targets, "services_published": _published}[name]
        # how many were not seen is told where it may leave, and not in a sentence
        made[name] = replace(gate(part, profile.threshold), notes=())
    funnel, beside = made.get("services_funnel"), made.get("services_published")
    if isinstance(funnel, Estimates) and isinstance(beside, Estimates):
        # the share of those offered stands in both, so it goes in both
        row = pick(funnel, outcome="had_job", measure="share_of_first")
        if row is not None and bool(row["hidden"]):
            own = ((beside.table["measure"] == "of_offered") & ~beside.table["published"].astype(bool)).to_numpy()
            gone = own | beside.table["hidden"].to_numpy(dtype=bool)
            made["services_published"] = beside.with_table(hide(beside.table, gone, ["n", "events", *NUMBERS]))
    return made


def _funnel(given: Estimates, k: int) -> Estimates:
    table, hidden = given.table.reset_index(drop=True), np.zeros(len(given.table), dtype=bool)
    for _, own in table.groupby("group", sort=False):
        counts = own.drop_duplicates("outcome").set_index("outcome")["events"].astype(int)
        shown: dict[str, int] = {}
        for step, number in counts.items():
            if not 0 < number < k and not any(0 < before - number < k for before in shown.values()):
                shown[str(step)] = number
        steps = list(counts.index)
        for place, row in own.iterrows():
            before = steps[max(steps.index(row["outcome"]) - 1, 0)] if row["measure"] == "share_of_previous" else steps[0]
            hidden[int(str(place))] = row["outcome"] not in shown or before not in shown
    table = hide(table, hidden, ["events", "n", *NUMBERS])
    return given.with_table(table)


def _targets(given: Estimates, k: int) -> Estimates:
    table = given.table.reset_index(drop=True)
    few, median = unsafe(table, "n", "events", k), (table["measure"] == "median_days").to_numpy()
    # the middle of many days says nothing of the few without a record; how many they are does
    table["events"] = table["events"].mask(median & few)
    rows = (few & ~median) | (median & (small(table["n"], 2 * k) | small(given.table["events"].reset_index(drop=True), 2 * k)))
    if "not_seen" in table:
        lost = table["not_seen"].astype("Int64")
        table["not_seen"] = lost.mask(small(lost, k) | rows)
    table = hide(table, rows, ["events", *NUMBERS])
    table.loc[small(table["n"], k), "n"] = pd.NA
    return given.with_table(table)


def _published(given: Estimates, k: int) -> Estimates:
    table = given.table.reset_index(drop=True)
    own = ~table["published"].astype(bool).to_numpy()
    rows = own & (unsafe(table.fillna({"n": 0, "events": 0}), "n", "events", k) | (table["n"].fillna(0) == 0).to_numpy())
    for _, part in table[own & (table["measure"] == "by_month").to_numpy()].sort_values("month").groupby("group"):
        last = 0
        for place, number in part["events"].items():
            # jobs between two months are a count, too
            rows[int(str(place))] |= 0 < int(number) - last < k
            last = last if rows[int(str(place))] else int(number)
    lost = table["not_seen"].astype("Int64")
    table["not_seen"] = lost.mask(small(lost, k) | rows)
    table = hide(table, rows, ["n", "events", *NUMBERS])
    return given.with_table(table)


def _step(study: Study, name: str, canvas: Canvas) -> str:
    return canvas.words(f"services.{name}", month=study.follow_up.landmarks[-1])


def funnel_bars(funnel: Estimates, canvas: Canvas, names: Mapping[str, str]) -> Figure:
    """People at each step as bars, one panel an arm; a hidden step has no bar."""
    table = funnel.table
    groups = [g for g in canvas.arms if (table["group"] == g).any()]
    number = max(table.loc[table["group"] == g, "outcome"].nunique() for g in groups)
    height = (0.46 * number + 0.45) * len(groups)
    figure = canvas.figure(height, height)
    for axes, group in zip(np.atleast_1d(figure.subplots(len(groups), 1, squeeze=False).ravel()), groups, strict=True):
        own = table[table["group"] == group]
        steps = list(dict.fromkeys(own["outcome"]))
        top = float(own["events"].fillna(0).max()) or 1.0
        for place, step in enumerate(steps):
            rows = own[own["outcome"] == step]
            row = rows.iloc[0]
            y = len(steps) - 1 - place
            if pd.isna(row["events"]):
                axes.text(0.01 * top, y, canvas.words("services.hidden"), va="center", fontsize=8.5, color=style.MUTED)
                continue
            people = float(row["events"])
            axes.barh(y, people, height=0.62, color=canvas.styles[group]["color"], alpha=1.0 if place else 0.55, linewidth=0)
            share = "" if place == 0 or pd.isna(row["estimate"]) else f"  ({numbers.percent(row['estimate'])})"
            axes.text(people + 0.012 * top, y, f"{numbers.count(people)}{share}", va="center", fontsize=8.5, color=style.INK)
        axes.set_yticks(range(len(steps)), [names[step] for step in reversed(steps)])
        axes.tick_params(axis="y", length=0)
        for text in axes.get_yticklabels():
            text.set_color(style.INK)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        # room for the number beside the longest bar
        axes.set_xlim(0, top * (1.42 if canvas.narrow else 1.2))
        axes.set_ylim(-0.55, len(steps) - 0.45)
        if len(groups) > 1:
            axes.set_title(canvas.arms[group])
    return figure


def _first(table: pd.DataFrame) -> str:
    return "offered" if (table["outcome"] == "offered").any() else "joined"


def plans(study: Study, given: Answers, canvas: Canvas) -> list[Plan]:
    """The funnel, and the dots beside results in print."""
    say, made = canvas.words, []
    funnel = given.get("services_funnel")
    if isinstance(funnel, Estimates) and funnel.table["events"].notna().any():
        names = {step: _step(study, step, canvas) for step in dict.fromkeys(funnel.table["outcome"])}
        narrow = {step: text.replace(", ", ",\n") for step, text in names.items()}
        counts = funnel.table.drop_duplicates(["group", "outcome"])
        text = "; ".join(
            f"{canvas.arms.get(r.group, r.group)}, {names[r.outcome]}: {numbers.count(r.events)}" for r in counts.itertuples()
        )
        caption = say("services.caption", first=say(f"services.from_{_first(funnel.table)}"))
        if counts["events"].isna().any():
            caption += " " + say("services.caption_hidden")
        made.append(Plan("services_funnel", lambda c: funnel_bars(funnel, c, narrow if c.narrow else names), funnel.table, caption,
                         say("services.alt", text=text + ".")))  # fmt: skip
    beside = given.get("services_published")
    if isinstance(beside, Estimates) and (beside.table["estimate"].notna() & ~beside.table["published"].astype(bool)).any():
        shown = _dot_rows(beside.table, canvas)
        text = "; ".join(f"{row.label} {numbers.percent(next(iter(row.values.values()))[0])}" for row in shown if not row.heading)
        series = {"own": {"color": style.ARM_COLOURS[0], "marker": "o"}, "print": {"color": style.MUTED, "marker": "s"}}
        legend = {name: say(f"services.{name}") for name in series}
        made.append(Plan("services_published", lambda c: figures.dots({"": _dot_rows(beside.table, c)}, c, percent=True, zero=False,
                         series=series, axis_label=c.words("axis.share"), legend=legend, level=True), beside.table,
                         say("services.caption_published"), say("services.alt_published", text=text + ".")))  # fmt: skip
    return made


def _kinds(table: pd.DataFrame) -> list[tuple[str, object]]:
    """What was measured and when: months in their order, then what has no month."""
    pairs = dict.fromkeys(zip(table["measure"], table["month"], strict=True))
    return sorted(pairs, key=lambda p: (pd.isna(p[1]), 0 if pd.isna(p[1]) else int(p[1]), p[0] != "in_month"))


def _of_kind(table: pd.DataFrame, measure: str, month: object) -> pd.DataFrame:
    same = table["month"].isna() if pd.isna(month) else (table["month"] == month).fillna(False)
    return table[(table["measure"] == measure).to_numpy() & same.to_numpy(dtype=bool)].sort_values("published", kind="stable")


def _dot_rows(table: pd.DataFrame, canvas: Canvas) -> list[DotRow]:
    rows = []
    for measure, month in _kinds(table):
        rows.append(DotRow(canvas.words(f"services.{measure}", month=month), True, {}))
        for row in _of_kind(table, measure, month).to_dict("records"):
            printed = bool(row["published"])
            label = str(row["outcome"]) if printed else _own_label(str(row["group"]), canvas)
            # where the label stands beside the axis a long name would take the page
            label = label if len(label) <= 34 or not canvas.narrow else label.split(" (")[0]
            value = tuple(float(row[c]) for c in ("estimate", "conf_low", "conf_high"))
            rows.append(DotRow(label, False, {"print" if printed else "own": value}))  # type: ignore[dict-item]
    return rows


def _own_label(group: str, canvas: Canvas) -> str:
    own = canvas.words("services.own")
    return own if len(canvas.arms) == 1 else f"{own}, {canvas.arms.get(group, group)}"


def tables(study: Study, given: Answers, canvas: Canvas) -> dict[str, Shown]:
    """Funnel, targets, and results in print with where they were read."""
    made: dict[str, Shown] = {}
    funnel, targets, beside = (given.get(f"services_{name}") for name in ("funnel", "targets", "published"))
    if isinstance(funnel, Estimates):
        made["services_steps"] = _funnel_table(study, funnel, canvas)
    if isinstance(targets, Estimates):
        shown = _target_table(targets, canvas)
        if shown.rows:
            made["services_time_targets"] = shown
    if isinstance(beside, Estimates):
        made["services_in_print"] = _print_table(study, beside, canvas)
    return made


def _share(row: pd.Series | None) -> str:
    return numbers.NOTHING if row is None else numbers.estimate_with_interval(row, numbers.percent)


def _funnel_table(study: Study, funnel: Estimates, canvas: Canvas) -> Shown:
    say, table, rows = canvas.words, funnel.table, []
    groups = list(dict.fromkeys(table["group"]))
    for group in groups:
        if len(groups) > 1:
            rows.append(Row((canvas.arms[group],), heading=True))
        own = table[table["group"] == group]
        for place, step in enumerate(dict.fromkeys(own["outcome"])):
            found = [pick(own, outcome=step, measure=m) for m in ("share_of_first", "share_of_previous")]
            people = own.loc[own["outcome"] == step, "events"].iloc[0]
            shares = ["", ""] if place == 0 else [_share(found[0]), _share(found[1])]
            rows.append(Row((_step(study, step, canvas), numbers.count(people), *shares), indent=len(groups) > 1))
    columns = (say("column.step"), say("column.people"), say("services.of_first"), say("services.of_previous"))
    return Shown(say("services.table_funnel", first=say(f"services.from_{_first(table)}")), columns, tuple(rows))


_MEDIANS = {"contact_within_14_days": "days_to_contact", "employer_contact_within_14_days": "days_to_employer_contact",
            "job_plan_within_28_days": "days_to_job_plan"}  # fmt: skip


def _target_table(targets: Estimates, canvas: Canvas) -> Shown:
    say, table, rows = canvas.words, targets.table, []
    groups = list(dict.fromkeys(table["group"]))
    for group in groups:
        if len(groups) > 1:
            rows.append(Row((canvas.arms[group],), heading=True))
        for name in TARGETS:
            row = pick(table, group=group, outcome=name, measure="share")
            if row is None or (pd.notna(row["n"]) and row["n"] == 0):
                continue
            if pd.isna(row["n"]) and pd.isna(row["events"]):
                continue
            median = pick(table, group=group, outcome=_MEDIANS.get(name, ""), measure="median_days")
            days = numbers.NOTHING if median is None else numbers.estimate_with_interval(median, lambda v: numbers.decimal(v, 0))
            met = f"{numbers.count(row['events'])} / {numbers.count(row['n'])}"
            rows.append(
                Row((say(f"services.{name}"), met, _share(row), days if name in _MEDIANS else ""), indent=len(groups) > 1)
            )
    columns = (say("services.target"), say("services.met"), say("services.met_share"), say("services.median"))
    return Shown(say("services.table_targets"), columns, tuple(rows), (say("services.note_days"),))


def _print_table(study: Study, beside: Estimates, canvas: Canvas) -> Shown:
    say, table, rows = canvas.words, beside.table, []
    for measure, month in _kinds(table):
        rows.append(Row((say(f"services.{measure}", month=month),), heading=True))
        for _, row in _of_kind(table, measure, month).iterrows():
            share = _share(row)
            if row["published"]:
                if abs(100 * row["estimate"] - round(100 * row["estimate"])) < 1e-9:
                    # printed without a decimal
                    share = share.replace(numbers.percent(row["estimate"]), numbers.percent(row["estimate"], 0), 1)
                source = f"doi:{row['doi']}" if isinstance(row["doi"], str) and row["doi"] else str(row["source"])
                who = f"{row['population']}, {row['country']}. {row['what']}."
                cells = (str(row["outcome"]), share, f"{who[0].upper()}{who[1:]}", source)
            else:
                key = {"in_month": "own_in_month", "of_offered": "own_of_offered"}.get(measure, "own_text")
                text = say(f"services.{key}", month=study.follow_up.landmarks[-1])
                who = f"{numbers.count(row['n'])} {say('column.people').lower()}, {text}"
                cells = (_own_label(str(row["group"]), canvas), share, who, "")
            rows.append(Row(cells, indent=True))
    columns = (say("services.study"), say("services.share"), say("services.population"), say("services.source"))
    return Shown(
        say("services.table_published"), columns, tuple(rows), (say("services.warning"),), frozenset({0, 2, 3}), stacked=True
    )


def sentences(study: Study, given: Answers, canvas: Canvas) -> list[str]:
    """Of how many people how many joined and worked."""
    say, told = canvas.words, list[str]()
    funnel = given.get("services_funnel")
    if isinstance(funnel, Estimates):
        first, month = _first(funnel.table), study.follow_up.landmarks[-1]
        for group in dict.fromkeys(funnel.table["group"]):
            for step, text in (("joined", "joined_of_offered"), ("had_job", "told")):
                row = pick(funnel, group=group, outcome=step, measure="share_of_first")
                if row is None or pd.isna(row["estimate"]):
                    continue
                arm = "" if len(canvas.arms) == 1 else canvas.arms.get(group, group) + ": "
                told.append(say(f"services.{text}", arm=arm, n=numbers.count(row["n"]), month=month,
                                people=numbers.count(row["events"]), share=numbers.percent(row["estimate"]),
                                first=say(f"services.first_{first}"), low=numbers.points(row["conf_low"]),
                                high=numbers.points(row["conf_high"])))  # fmt: skip
                told[-1] = told[-1][0].upper() + told[-1][1:]
        told.append(say("services.least"))
    if "services_published" in given:
        told.append(say("services.warning"))
    return told
