"""The ledger: every row that leaves does so by a named rule, and is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem

__all__ = ["Ledger", "Severity", "row_names"]

Severity = Literal["note", "warning", "severe"]

_EXAMPLES = 5


def row_names(rows: pd.DataFrame) -> list[str]:
    """Where a person would find some rows: the row's number, and its file where there are several."""
    first = rows.head(_EXAMPLES)
    if len(set(rows["file"])) > 1:
        return [f"{file}:{row}" for file, row in zip(first["file"], first["row"], strict=True)]
    return [str(row) for row in first["row"]]


@dataclass
class Ledger:
    """Counted rules, and for every source rows in, used and set aside."""

    entries: list[dict[str, object]] = field(default_factory=list)
    steps: list[dict[str, object]] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    rows_used: dict[str, int] = field(default_factory=dict)
    employers: dict[str, frozenset[object]] = field(default_factory=dict)

    def note(
        self, source: str, rule: str, count: int, total: int, action: str, *,
        severity: Severity = "note", set_aside: bool = False, rows: object = None, unit: str = "rows",
    ) -> None:  # fmt: skip
        """Count one rule. Rules that met nothing are kept too: zero is an answer."""
        examples = "" if rows is None else ", ".join(str(r) for r in np.asarray(rows)[:_EXAMPLES])
        self.entries.append({
            "source": source, "rule": rule, "unit": unit, "count": int(count), "total": int(total),
            "action": action, "severity": severity if count else "note",
            "set_aside": int(count) if set_aside else 0, "example_rows": examples,
        })  # fmt: skip

    def set_aside(
        self, table: pd.DataFrame, bad: pd.Series | np.ndarray, source: str, rule: str, action: str,
        severity: Severity = "warning",
    ) -> pd.DataFrame:  # fmt: skip
        """Take the bad rows out of a table that has a ``row`` column, and count them."""
        bad = np.asarray(bad, dtype=bool)
        self.note(source, rule, bad.sum(), len(table), action, severity=severity, set_aside=True,
                  rows=row_names(table[bad]))  # fmt: skip
        return table[~bad]

    def step(self, name: str, people: int, reason: str = "", left: int = 0, arm: dict[str, int] | None = None) -> None:
        """One box of the flow chart: who is still here, who left, and why."""
        self.steps.append({"step": name, "people": people, "left": left, "reason": reason, "arms": arm or {}})

    def reconcile(self) -> None:
        """Rows in = rows used + rows set aside, for every source, or nothing goes on."""
        problems = []
        for source, number in self.rows_in.items():
            aside = sum(int(str(e["set_aside"])) for e in self.entries if e["source"] == source)
            used = self.rows_used.get(source, 0)
            if number != used + aside:
                rule = f"{number:,} rows came in, {used:,} were used and {aside:,} set aside: the sums differ"
                problems.append(Problem(source, rule, "this is a fault in ips_outcomes; please report it"))
        if problems:
            raise DataError(problems)

    def quality(self) -> pd.DataFrame:
        """The counted rules as a table, with the reconciliation of each source."""
        columns = ["source", "rule", "unit", "count", "total", "share", "severity", "action", "example_rows"]
        table = pd.DataFrame(self.entries)
        table["share"] = table["count"] / table["total"].where(table["total"] > 0)
        return table[columns]

    def reconciliation(self) -> pd.DataFrame:
        """Rows in, used and set aside, a row a source."""
        rows = [
            {"source": s, "rows_in": n, "rows_used": self.rows_used.get(s, 0), "rows_set_aside": n - self.rows_used.get(s, 0)}
            for s, n in self.rows_in.items()
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["source", "rows_in", "rows_used", "rows_set_aside"])
