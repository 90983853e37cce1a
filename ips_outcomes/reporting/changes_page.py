"""Two deliveries side by side, in words: a page and a short text. Internal."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd

from ips_outcomes._version import __version__
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.changes import ABSENT, Changes
from ips_outcomes.reporting.page import render
from ips_outcomes.reporting.quality_page import source_title
from ips_outcomes.reporting.tables import Badge, Noted, Row, Shown
from ips_outcomes.reporting.words import Words, words

__all__ = ["changes_page", "summary_lines"]

_STATES = ("yes", "no", "not known", ABSENT)


def changes_page(changes: Changes) -> str:
    """The page as HTML."""
    say = words(changes.after.language)
    primary = changes.after.primary_definition
    others = [name for name in changes.person_months["definition"].unique() if name != primary]
    made = [
        ("settings", [_settings(changes, say)], [], [say("compare.settings_intro")]),
        ("results", [_results(changes, [primary, "first_job"], say)],
         [_results(changes, others, say)], [say("compare.results_intro")]),
        ("person_months", [_matrix(changes, primary, say)],
         [*(_matrix(changes, name, say) for name in others), _moves(changes, say)], [say("compare.person_months_intro")]),
        ("observation", [_pairs(changes, "reasons", say), _pairs(changes, "systems", say)], [], []),
        ("first_job", [_first_job(changes, say)], [], []),
        ("participants", [_participants(changes, say)], [], []),
        ("deliveries", [_deliveries(changes, say), _coverage(changes, say)], [], []),
        ("quality", [_quality(changes, say)], [], []),
    ]  # fmt: skip
    sections: list[dict[str, Any]] = []
    for name, tables, folded, intro in made:
        tables, folded = [t for t in tables if t.rows], [t for t in folded if t.rows]
        empty = [] if tables else [say("compare.nothing")]
        sections.append({"id": name.replace("_", "-"), "title": say(f"compare.{name}"), "tables": tables, "folded": folded,
                         "intro": (intro if tables else []) + empty})  # fmt: skip
    return render("sheet.html.j2", say=say, kind=say("compare.kind"), title=changes.after.title, lead=_lead(changes, say),
                  banner=say("compare.banner"), synthetic=changes.after.synthetic, alerts_title=say("compare.asks"),
                  alerts=_asks(changes), cards=_cards(changes, say), plain=[], sections=sections, version=__version__)  # fmt: skip


def _asks(changes: Changes) -> list[str]:
    table = changes.settings[changes.settings["asks"]]
    return [f"{r['setting']}: {r['before'] or '–'} → {r['after'] or '–'}" for r in table.to_dict("records")]


def _lead(changes: Changes, say: Words) -> str:
    return say("compare.lead") if changes.anything else say("compare.same")


def _card(title: str, value: int, of: str, lines: list[str]) -> dict[str, Any]:
    return {"title": title, "value": numbers.count(value), "of": of, "lines": lines, "tone": "warning" if value else "good"}


def _cards(changes: Changes, say: Words) -> list[dict[str, Any]]:
    primary = changes.after.primary_definition
    months = changes.person_months[changes.person_months["definition"] == primary]
    moved = changes.changed("person_months")
    moved = moved[moved["definition"] == primary]
    people = changes.participants.groupby("what")["people"].sum()
    rows = changes.deliveries
    jobs, results = changes.changed("first_job"), changes.changed("results")
    used = int((rows["rows_used_after"] - rows["rows_used"]).sum())
    return [
        _card(say("compare.person_months"), int(moved["person_months"].sum()), say("compare.card_changed"),
              [say("compare.card_of", total=numbers.count(months["person_months"].sum()), what=changes.after.employed[primary].label)
               if primary in changes.after.employed else ""]),
        _card(say("compare.results"), len(results), say("compare.card_changed"),
              [say("compare.card_results", total=numbers.count(len(changes.results)))]),
        _card(say("compare.first_job"), int(jobs["people"].sum()), say("compare.card_people"), []),
        _card(say("compare.deliveries"), len(changes.changed("deliveries")), say("compare.card_sources"),
              [say("compare.card_rows", rows=_signed(used)), say("compare.card_in_both", people=numbers.count(people["in both"]))]),
    ]  # fmt: skip


def _signed(number: Any) -> str:
    if pd.isna(number):
        return ""
    return ("+" if number > 0 else "\u2212" if number < 0 else "") + numbers.count(abs(int(number)))


def _settings(changes: Changes, say: Words) -> Shown:
    rows = [
        Row((r["setting"], Badge(say("compare.asked"), "warning") if r["asks"] else Badge(say("compare.delivered"), "note"),
             r["before"] or "–", r["after"] or "–")) for r in changes.settings.to_dict("records")
    ]  # fmt: skip
    columns = (say("column.setting"), say("compare.kind_of"), say("compare.before"), say("compare.after"))
    return Shown(say("compare.settings"), columns, tuple(rows), text_columns=frozenset({0, 1, 2, 3}), stacked=True)


def _number(measure: str, value: Any) -> str:
    if measure in ("rate", "cumulative_incidence"):
        return numbers.percent(value)
    return numbers.points(value) if measure == "risk_difference" else numbers.decimal(value)


def _with_limits(row: dict[str, Any], side: str) -> str:
    text = _number(row["measure"], row[side])
    low, high = row[f"conf_low_{side}"], row[f"conf_high_{side}"]
    bare = numbers.decimal if row["measure"].startswith("mean") else numbers.points
    text = text if pd.isna(low) or pd.isna(high) else f"{text} ({numbers.interval(low, high, bare)})"
    return text if pd.isna(row[f"n_{side}"]) else Noted(text, f"n = {numbers.count(row[f'n_{side}'])}")


def _difference(row: dict[str, Any], say: Words) -> str:
    if pd.isna(row["before"]) or pd.isna(row["after"]):
        return "" if pd.isna(row["before"]) and pd.isna(row["after"]) else say("compare.one_only")
    if abs(row["difference"]) < 1e-12:
        return "0"
    scale = numbers.decimal if row["measure"].startswith("mean") else numbers.points
    return ("+" if row["difference"] > 0 else "") + scale(row["difference"], 2)


def _who(row: dict[str, Any], changes: Changes) -> str:
    if row["group"]:
        return changes.after.arm_labels.get(row["group"], row["group"])
    return " − ".join(changes.after.arm_labels.get(a, a) for a in str(row["contrast"]).split(" - "))


def _what(outcome: str, changes: Changes, say: Words) -> str:
    return changes.after.employed[outcome].label if outcome in changes.after.employed else say("section.first_job")


def _results(changes: Changes, outcomes: list[str], say: Words) -> Shown:
    """The main answers before and after, a heading an outcome."""
    rows: list[Row] = []
    for outcome, part in changes.results[changes.results["outcome"].isin(outcomes)].groupby("outcome", sort=False):
        rows.append(Row((_what(str(outcome), changes, say),), heading=True))
        for r in part.to_dict("records"):
            label = f"{say('compare.measure_' + r['measure'], month=r['month'])}: {_who(r, changes)}"
            rows.append(Row((label, _with_limits(r, "before"), _with_limits(r, "after"), _difference(r, say)), indent=True))
    columns = (say("compare.answer"), say("compare.before"), say("compare.after"), say("compare.difference"))
    caption = say("compare.results_caption" if "first_job" in outcomes else "compare.results_others")
    return Shown(caption, columns, tuple(rows), (say("compare.months_note"),), stacked=True)


def _matrix(changes: Changes, definition: str, say: Words) -> Shown:
    """Person-months of one definition: answers before down, after across."""
    table = changes.person_months[changes.person_months["definition"] == definition]
    cells = table.groupby(["before", "after"])["person_months"].sum()
    there = [s for s in _STATES if s in set(table["before"]) | set(table["after"])]
    rows = [
        Row((say.label("compare_state", before.replace(" ", "_")), *(numbers.count(cells.get((before, after), 0)) for after in there)))
        for before in there if (table["before"] == before).any()
    ]  # fmt: skip
    columns = (say("compare.before_down"), *(say.label("compare_state", s.replace(" ", "_")) for s in there))
    return Shown(say("compare.matrix", label=_what(definition, changes, say)), columns, tuple(rows))


def _moves(changes: Changes, say: Words) -> Shown:
    rows: list[Row] = []
    for definition, part in changes.changed("person_months").groupby("definition", sort=False):
        rows.append(Row((_what(str(definition), changes, say),), heading=True))
        for r in part.to_dict("records"):
            rows.append(Row((f"{r['before']} → {r['after']}", changes.after.arm_labels.get(r["arm"], r["arm"]), r["part"],
                             str(r["year"]), numbers.count(r["person_months"])), indent=True))  # fmt: skip
    columns = tuple(say(f"compare.{c}") for c in ("change", "arm", "part", "year", "months"))
    return Shown(say("compare.moves"), columns, tuple(rows), text_columns=frozenset({0, 1, 2}))


def _pairs(changes: Changes, name: str, say: Words) -> Shown:
    table = changes.changed(name).groupby(["before", "after", "year"], sort=False)["person_months"].sum().reset_index()
    kind = "reason" if name == "reasons" else "source"
    rows = [
        Row(
            (f"{say.label(kind, r['before'])} → {say.label(kind, r['after'])}", str(r["year"]), numbers.count(r["person_months"]))
        )
        for r in table.to_dict("records")
    ]
    columns = tuple(say(f"compare.{c}") for c in ("change", "year", "months"))
    return Shown(say(f"compare.{name}"), columns, tuple(rows))


def _first_job(changes: Changes, say: Words) -> Shown:
    rows = [
        Row((f"{say.label('reason', r['before'])} → {say.label('reason', r['after'])}", changes.after.arm_labels.get(r["arm"], r["arm"]),
             say.label("compare_time", r["time"]) if r["time"] else "", numbers.count(r["people"])))
        for r in changes.changed("first_job").to_dict("records")
    ]  # fmt: skip
    columns = (say("compare.change"), say("compare.arm"), say("compare.time"), say("column.people"))
    return Shown(say("compare.first_job_caption"), columns, tuple(rows), text_columns=frozenset({0, 1, 2}))


def _participants(changes: Changes, say: Words) -> Shown:
    table, labels = changes.participants, changes.after.arm_labels
    arms = list(dict.fromkeys(table["arm"]))
    rows = []
    for what, part in table.groupby("what", sort=False):
        by_arm = part.set_index("arm")["people"]
        each = [numbers.count(by_arm.get(a, 0)) for a in arms] if len(arms) > 1 else []
        rows.append(Row((str(what), numbers.count(part["people"].sum()), *each)))
    columns = (say("column.people"), say("compare.all"), *([labels.get(a, a) for a in arms] if len(arms) > 1 else []))
    return Shown(say("compare.participants_caption"), columns, tuple(rows))


def _deliveries(changes: Changes, say: Words) -> Shown:
    rows = [
        Row((r["source"], numbers.count(r["files"]), numbers.count(r["files_after"]), numbers.count(r["rows_in"]),
             numbers.count(r["rows_in_after"]), numbers.count(r["rows_used"]), numbers.count(r["rows_used_after"]),
             _signed(r["rows_used_after"] - r["rows_used"])))
        for r in changes.deliveries.to_dict("records")
    ]  # fmt: skip
    pairs = [
        f"{say(f'column.{c}')}, {say(f'compare.{side}').lower()}"
        for c in ("files", "rows_in", "rows_used")
        for side in ("before", "after")
    ]
    return Shown(
        say("compare.deliveries_caption"), (say("column.source"), *pairs, say("compare.difference")), tuple(rows), stacked=True
    )


def _coverage(changes: Changes, say: Words) -> Shown:
    rows = [Row((r["source"], r["change"], numbers.count(r["months"]), r["which"])) for r in changes.coverage.to_dict("records")]
    columns = (say("column.source"), say("compare.change"), say("compare.calendar_months"), say("compare.which"))
    return Shown(say("compare.coverage"), columns, tuple(rows), text_columns=frozenset({0, 1, 3}))


def _quality(changes: Changes, say: Words) -> Shown:
    rows: list[Row] = []
    for source, part in changes.quality.groupby("source", sort=False):
        rows.append(Row((source_title(str(source), say),), heading=True))
        for r in part.to_dict("records"):
            severity = r["severity_after"] if isinstance(r["severity_after"], str) else r["severity_before"]
            rows.append(Row((r["rule"], Badge(say.label("severity", severity), severity), numbers.count(r["count_before"]),
                             numbers.count(r["count_after"]), _signed(r["difference"])), indent=True))  # fmt: skip
    columns = (say("column.rule"), say("column.severity"), say("compare.before"), say("compare.after"), say("compare.difference"))
    return Shown(say("compare.quality_caption"), columns, tuple(rows), text_columns=frozenset({0, 1}), stacked=True)


def summary_lines(changes: Changes, width: int = 100) -> list[str]:
    """What the command prints: what is asked otherwise first, then what the extract changed."""
    say = words(changes.after.language)
    lines: list[str] = []
    if len(changes.settings):
        asks = int(changes.settings["asks"].sum())
        lines.append(f"Settings that differ: {len(changes.settings)}, of which {asks} change what is asked")
        lines += [
            f"  {'[asked] ' if r['asks'] else ''}{r['setting']}: {r['before'] or '-'} -> {r['after'] or '-'}"
            for r in changes.settings.to_dict("records")
        ]
    for r in changes.changed("deliveries").to_dict("records"):
        lines.append(
            f"{r['source']}: {r['files']} -> {r['files_after']} files, {r['rows_used']:,} -> {r['rows_used_after']:,} rows used"
        )
    lines += [
        f"{r['source']}: {r['months']} month{'' if r['months'] == 1 else 's'} {r['change']} ({r['which']})"
        for r in changes.coverage.to_dict("records")
    ]
    people = changes.participants.groupby("what", sort=False)["people"].sum()
    lines.append(
        "Participants: " + ", ".join(f"{number:,} {what}" for what, number in people.items() if number or what == "in both")
    )
    lines += [f"Quality: {len(changes.quality)} rules count otherwise"] if len(changes.quality) else []
    for definition, part in changes.person_months.groupby("definition", sort=False):
        moved = part[part["before"] != part["after"]]
        by = moved.groupby(["before", "after"])["person_months"].sum()
        how = "; ".join(f"{a} -> {b} {number:,}" for (a, b), number in by.items())
        lines.append(f"Person-months, {definition}: {moved['person_months'].sum():,} of {part['person_months'].sum():,} changed"
                     + (f" ({how})" if how else ""))  # fmt: skip
    lines.append(f"First jobs: {changes.changed('first_job')['people'].sum():,} people changed")
    moved = changes.changed("results")
    lines.append(f"Results: {len(moved)} of {len(changes.results)} changed")
    main = moved[(moved["outcome"] == changes.after.primary_definition)]
    for r in main.to_dict("records"):
        label = f"{say('compare.measure_' + r['measure'], month=r['month'])}, {_who(r, changes)}"
        lines.append(f"  {label}: {_number(r['measure'], r['before'])} -> {_number(r['measure'], r['after'])}")
    lines.append("" if changes.anything else "Nothing changed.")
    return [
        part for line in lines if line for part in textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)
    ]
