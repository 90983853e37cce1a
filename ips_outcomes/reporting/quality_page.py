"""The page of a quality check: findings by source, reconciliation, flow. Internal: it names rows of the extracts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ips_outcomes._version import __version__
from ips_outcomes.reporting import numbers
from ips_outcomes.reporting.checking import Checked, by_source, problem_table
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.flow_figure import reason_words, step_label
from ips_outcomes.reporting.page import render
from ips_outcomes.reporting.tables import Badge, Noted, Row, Shown
from ips_outcomes.reporting.words import Words, words

__all__ = ["quality_page"]


def quality_page(checked: Checked) -> str:
    """The page as HTML."""
    say = words(checked.study.language)
    sections: list[dict[str, Any]] = []
    if checked.problems:
        sections.append(
            _section("problems", say("check.problems"), [_problems(checked, say)], intro=[say("check.problems_intro")])
        )
    if checked.cohort is not None:
        found, clean = _findings(checked.quality, say), _clean(checked.quality, say)
        sections.append(_section("findings", say("check.findings"), [found] if found.rows else [], [clean] if clean.rows else [],
                                 [] if found.rows else [say("check.nothing")]))  # fmt: skip
        sections.append(_section("reconciliation", say("check.reconciliation"), _reconciliation(checked, say),
                                 intro=[say("check.reconciliation_intro")]))  # fmt: skip
        sections.append(_section("flow", say("section.flow"), [_flow(checked, say)]))
    return render("sheet.html.j2", say=say, kind=say("check.kind"), title=checked.study.title, lead=_lead(checked, say),
                  banner=say("check.banner"), synthetic=checked.study.synthetic, alerts_title=say("finding.severe"),
                  alerts=_alerts(checked, say), cards=_cards(checked, say), plain=[], sections=sections,
                  version=__version__)  # fmt: skip


def _section(id_: str, title: str, tables: list[Shown], folded: list[Shown] | None = None, intro: list[str] | None = None
             ) -> dict[str, Any]:  # fmt: skip
    return {"id": id_, "title": title, "tables": tables, "folded": folded or [], "intro": intro or []}


def source_title(source: str, say: Words) -> str:
    """What a group of rules is called."""
    if source == "follow-up":
        return say("check.follow_up")
    if source.startswith("definition "):
        return say("check.definition", name=source.removeprefix("definition "))
    return say("check.source", name=source)


def badge(severity: str, say: Words) -> Badge:
    """Severity in a word and a colour."""
    return Badge(say.label("severity", severity), severity)


def _lead(checked: Checked, say: Words) -> str:
    if checked.error is not None:
        return say("check.stopped")
    severe = checked.count("severe")
    return say("check.look", count=severe) if severe else say("check.sound")


def _alerts(checked: Checked, say: Words) -> list[str]:
    table = checked.quality
    severe = table[(table["severity"] == "severe") & (table["count"] > 0)] if len(table) else table
    return [
        say("finding.severe_line", rule=r["rule"], count=numbers.count(r["count"]), total=numbers.count(r["total"]), unit=r["unit"],
            source=r["source"], action=r["action"]) for r in severe.to_dict("records")
    ]  # fmt: skip


def _cards(checked: Checked, say: Words) -> list[dict[str, Any]]:
    if checked.cohort is None:
        number = len(checked.problems)
        return [_card(say("check.problems"), number, say("check.card_problems"), [say("check.card_problems_line")], "severe")]
    quality, rows, people = checked.quality, checked.cohort.reconciliation, checked.cohort.participants
    severe, warning = checked.count("severe"), checked.count("warning")
    arms = [f"{label}: {numbers.count((people['arm'] == arm).sum())}" for arm, label in checked.study.arm_labels.items()]
    return [
        _card(say("check.card_severity"), severe, say("check.card_severe"),
              [say("check.card_warnings", warnings=numbers.count(warning), notes=numbers.count(checked.count("note")))],
              "severe" if severe else "good"),
        _card(say("check.card_rules"), len(quality), say("check.card_checked"),
              [say("check.card_met", count=numbers.count((quality["count"] > 0).sum()))]),
        _card(say("check.card_rows"), rows["rows_in"].sum(), say("check.card_in"),
              [say("check.card_used", used=numbers.count(rows["rows_used"].sum()),
                   aside=numbers.count(rows["rows_set_aside"].sum()))]),
        _card(say("column.people"), len(people), say("check.card_included"), arms if len(arms) > 1 else []),
    ]  # fmt: skip


def _card(title: str, value: Any, of: str, lines: list[str], tone: str = "") -> dict[str, Any]:
    return {"title": title, "value": numbers.count(value), "of": of, "lines": lines, "tone": tone}


def _problems(checked: Checked, say: Words) -> Shown:
    rows: list[Row] = []
    for file, part in problem_table(checked.problems).groupby("file", sort=False):
        rows.append(Row((str(file),), heading=True))
        for r in part.to_dict("records"):
            count = "" if pd.isna(r["count"]) else f"{numbers.count(r['count'])} {r['unit']}"
            rows.append(Row((Noted(r["rule"], say("check.remedy", remedy=r["remedy"])), r["place"], count)))
    columns = tuple(say(f"column.{c}") for c in ("rule", "place", "count"))
    return Shown(say("check.problems_caption"), columns, tuple(rows), text_columns=frozenset({0, 1}), stacked=True)


def _findings(quality: pd.DataFrame, say: Words) -> Shown:
    """What met something: a heading a source, the worst first."""
    rows = []
    for source, rules in by_source(quality):
        rows.append(Row((source_title(source, say),), heading=True))
        for r in rules.to_dict("records"):
            where = ", ".join(str(r[c]) for c in ("file", "example_rows") if c in r and r[c] and not pd.isna(r[c]))
            notes = [str(r["action"]), *([say("check.rows", rows=where)] if where else [])]
            share = "<0.1\u202f%" if 0 < r["share"] < 0.001 else numbers.percent(r["share"])
            rows.append(Row((Noted(str(r["rule"]), *notes), badge(str(r["severity"]), say), numbers.count(r["count"]),
                             f"{numbers.count(r['total'])} {r['unit']}", share)))  # fmt: skip
    columns = tuple(say(f"column.{n}") for n in ("rule", "severity", "count", "of", "share"))
    return Shown(say("table.quality"), columns, tuple(rows), text_columns=frozenset({0, 1}), stacked=True)


def _clean(quality: pd.DataFrame, say: Words) -> Shown:
    """What was checked and met nothing: zero is an answer."""
    clean = quality[quality["count"] == 0]
    rows: list[Row] = []
    for source, rules in clean.groupby("source", sort=False):
        rows.append(Row((source_title(str(source), say),), heading=True))
        rows += [Row((str(r["rule"]), f"{numbers.count(r['total'])} {r['unit']}"), indent=True) for r in rules.to_dict("records")]
    return Shown(say("check.clean", count=len(clean)), (say("column.rule"), say("check.out_of")), tuple(rows))


def _reconciliation(checked: Checked, say: Words) -> list[Shown]:
    """Every source with the rules that set rows aside, then every file."""
    assert checked.cohort is not None
    table, quality = checked.cohort.files, checked.quality
    counted = ["rows_in", "rows_used", "rows_set_aside"]
    rows = []
    for source, part in table.groupby("source", sort=False):
        files = len(checked.study.paths(str(source))) if str(source) in checked.study.sources else 0
        rows.append(Row((str(source), numbers.count(files), *(numbers.count(part[c].sum()) for c in counted))))
        aside = quality[(quality["source"] == source) & (quality["set_aside"] > 0)]
        rows += [Row((str(r["rule"]), "", "", "", numbers.count(r["set_aside"])), indent=True) for r in aside.to_dict("records")]
    total = [numbers.count(table[c].sum()) for c in counted]
    rows.append(Row((say("check.total"), "", *total)))
    columns = (say("column.source"), say("column.files"), *(say(f"column.{c}") for c in counted))
    shown = [Shown(say("table.reconciliation"), columns, tuple(rows))]
    each: list[Row] = []
    for source, part in table.groupby("source", sort=False):
        each.append(Row((str(source),), heading=True))
        each += [Row((str(r["file"]), *(numbers.count(r[c]) for c in counted)), indent=True) for r in part.to_dict("records")]
    columns = (say("column.file"), *(say(f"column.{c}") for c in counted))
    shown.append(Shown(say("check.by_file"), columns, tuple(each)))
    return shown


def _flow(checked: Checked, say: Words) -> Shown:
    arms, canvas = checked.study.arm_labels, Canvas(say, checked.study.arm_labels, False)
    rows = []
    for step in checked.flow.to_dict("records"):
        by_arm = step["arms"] if isinstance(step["arms"], dict) else {}
        each = [numbers.count(by_arm.get(a)) if by_arm else "" for a in arms] if len(arms) > 1 else []
        left = numbers.count(step["left"]) if step["left"] else ""
        label = step_label(step["step"], canvas)
        rows.append(Row((label, numbers.count(step["people"]), *each, left, reason_words(step["reason"], canvas))))
    labels = tuple(arms.values()) if len(arms) > 1 else ()
    columns = (say("column.step"), say("column.people"), *labels, say("column.left"), say("column.why"))
    return Shown(say("table.flow"), columns, tuple(rows), text_columns=frozenset({0, len(columns) - 1}))
