"""Whether a study's files are sound: read, counted, told on the console and saved."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ips_outcomes.errors import DataError, IpsOutcomesError, Problem
from ips_outcomes.folders import whole_folder
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting.steps import Tell, put_on_clocks, read_extracts
from ips_outcomes.reporting.writing import write_csv
from ips_outcomes.study import Study

__all__ = ["SEVERITIES", "Checked", "check_study", "console_lines", "by_source", "write_check"]

#: From what must be looked at first to what is only counted.
SEVERITIES = ("severe", "warning", "note")


@dataclass(frozen=True)
class Checked:
    """What reading a study's extracts brought up.

    Attributes
    ----------
    study : Study
    cohort : Cohort, optional
        None where the extracts could not be read.
    followed : FollowUp, optional
        None where the cohort could not be put on its clock.
    error : IpsOutcomesError, optional
        What stopped it.
    """

    study: Study
    cohort: Cohort | None = None
    followed: FollowUp | None = None
    error: IpsOutcomesError | None = None

    @property
    def quality(self) -> pd.DataFrame:
        """Every counted rule, of the loaders and, where people are on their clocks, of the follow-up."""
        if self.followed is not None:
            return self.followed.quality
        return self.cohort.quality if self.cohort is not None else pd.DataFrame()

    @property
    def flow(self) -> pd.DataFrame:
        """The steps from offered to analysed."""
        if self.followed is not None:
            return self.followed.flow
        return self.cohort.flow if self.cohort is not None else pd.DataFrame()

    @property
    def problems(self) -> list[Problem]:
        """What stopped the reading, one by one."""
        if self.error is None:
            return []
        if isinstance(self.error, DataError):
            return list(self.error.problems)
        return [Problem(self.study.file, str(self.error), "change the study file or the extracts")]

    def count(self, severity: str) -> int:
        """Rules of one severity that met something."""
        table = self.quality
        return int(((table["severity"] == severity) & (table["count"] > 0)).sum()) if len(table) else 0


def check_study(study: Study, progress: Tell | None = None) -> Checked:
    """Read a study's extracts and put people on their clocks, without analysing anything.

    Parameters
    ----------
    study : Study
        From `load_study`.
    progress : callable, optional
        Called with a short sentence at each step.

    Returns
    -------
    Checked
        Errors of the extracts are kept in ``error``, not raised.

    Examples
    --------
    >>> from ips_outcomes import load_study
    >>> checked = check_study(load_study("data/synthetic/study.toml"))
    >>> checked.error is None, checked.count("severe")
    (True, 0)
    """
    tell = progress or (lambda _: None)
    cohort = None
    try:
        cohort = read_extracts(study, tell)
        return Checked(study, cohort, put_on_clocks(cohort, tell))
    except IpsOutcomesError as error:
        return Checked(study, cohort, error=error)


def by_source(quality: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rules that met something, grouped by source: the source with the worst finding first, each group worst first."""
    met = quality[quality["count"].isna() | (quality["count"] > 0)]
    met = met.assign(_order=met["severity"].map({name: i for i, name in enumerate(SEVERITIES)}))
    worst = met.groupby("source", sort=False)["_order"].min().sort_values(kind="stable")
    for source in worst.index:
        rows = met[met["source"] == source].sort_values("_order", kind="stable")
        yield str(source), rows.drop(columns="_order")


def share_words(share: Any) -> str:
    """A share as plain text: at least one digit that is not zero, and never a rounded nothing."""
    if pd.isna(share):
        return ""
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{100 * share:.1f} %"


def console_lines(checked: Checked, width: int = 100) -> list[str]:
    """What the command prints: findings by source, reconciliation, verdict.

    Parameters
    ----------
    checked : Checked
        Without an error.
    width : int
        Columns of the terminal.
    """
    assert checked.cohort is not None
    quality, lines = checked.quality, list[str]()
    met = int((quality["count"] > 0).sum())
    lines += [f"{len(quality)} rules were checked; {met} met something.", ""]
    rows_of = {str(r["source"]): r for r in checked.cohort.reconciliation.to_dict("records")}
    for source, rules in by_source(quality):
        lines.append(source)
        for rule in rules.to_dict("records"):
            share = f" ({share_words(rule['share'])})" if share_words(rule["share"]) else ""
            said = f"[{rule['severity']}] {source}: {rule['rule']}: {rule['count']} of {rule['total']} {rule['unit']}{share}"
            where = f"rows {rule['example_rows']}; " if rule["example_rows"] else ""
            lines += textwrap.wrap(said, width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
            lines += textwrap.wrap(f"{where}{rule['action']}", width, initial_indent="      ", subsequent_indent="      ",
                                   break_on_hyphens=False)  # fmt: skip
        lines.append("")
    lines.append("Rows in = rows used + rows set aside:")
    name = max(map(len, rows_of), default=0)
    numbers = {s: [f"{int(r[c]):,}" for c in ("rows_in", "rows_used", "rows_set_aside")] for s, r in rows_of.items()}
    wide = [max((len(n[i]) for n in numbers.values()), default=0) for i in range(3)]
    for source, (came, used, aside) in numbers.items():
        lines.append(
            f"  {source + ':':<{name + 1}} {came:>{wide[0]}} rows in, {used:>{wide[1]}} used, {aside:>{wide[2]}} set aside"
        )
    verdict = _verdict(checked)
    return [*lines, "", *([verdict] if len(verdict) <= width else verdict.replace(": ", ":\n  ", 1).splitlines())]


def _verdict(checked: Checked) -> str:
    assert checked.cohort is not None
    arms, people = checked.cohort.participants["arm"], len(checked.cohort.participants)
    by_arm = ", ".join(f"{label} {(arms == arm).sum()}" for arm, label in checked.study.arm_labels.items())
    severe = checked.count("severe")
    need = "finding above needs" if severe == 1 else "findings above need"
    said = f"can be run, but {severe} severe {need} a look" if severe else "is sound"
    return f"The study {said}: {people:,} participants ({by_arm})."


def write_check(checked: Checked, out: str | Path) -> Path:
    """Write what was found: a page, and its tables as CSV.

    Parameters
    ----------
    checked : Checked
        With or without an error: problems that stopped the reading are listed too.
    out : str or pathlib.Path
        Folder to write, whole or not at all. It stays on the server: it names
        rows of the extracts.

    Returns
    -------
    pathlib.Path
        The page, ``quality.html``.

    Raises
    ------
    UnsupportedError
        If ``out`` holds something else.
    """
    from ips_outcomes.reporting.quality_page import quality_page

    out = Path(out)
    with whole_folder(out, "quality check") as work:
        (work / "quality.html").write_text(quality_page(checked), encoding="utf-8", newline="\n")
        if checked.problems:
            write_csv(problem_table(checked.problems), work / "problems.csv")
        if checked.cohort is not None:
            write_csv(checked.quality, work / "quality.csv")
            write_csv(checked.cohort.files, work / "reconciliation.csv")
            write_csv(_flat_flow(checked), work / "flow.csv")
    return out / "quality.html"


def problem_table(problems: list[Problem]) -> pd.DataFrame:
    """Problems as a table: file, place, count, unit, rule, remedy."""
    rows = [{"file": p.file, "place": p.place, "count": p.count, "unit": p.unit if p.count is not None else "", "rule": p.rule,
             "remedy": p.remedy} for p in problems]  # fmt: skip
    table = pd.DataFrame(rows, columns=["file", "place", "count", "unit", "rule", "remedy"])
    return table.assign(count=table["count"].astype("Int64"))


def _flat_flow(checked: Checked) -> pd.DataFrame:
    flow = checked.flow
    table = flow[["step", "people", "left", "reason"]].copy()
    for arm in checked.study.arm_labels:
        table[f"people_{arm}"] = pd.array([(x or {}).get(arm) for x in flow["arms"]], dtype="Int64")
    return table
