"""The ledger: every row that leaves does so by a named rule, and is counted."""

from __future__ import annotations

from collections import Counter
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
    """Counted rules, and for every source and file rows in, used and set aside."""

    entries: list[dict[str, object]] = field(default_factory=list)
    steps: list[dict[str, object]] = field(default_factory=list)
    rows_in: dict[tuple[str, str], int] = field(default_factory=dict)
    rows_used: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows_aside: Counter[tuple[str, str]] = field(default_factory=Counter)
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

    def flag(
        self, table: pd.DataFrame, bad: pd.Series | np.ndarray, source: str, rule: str, action: str,
        severity: Severity = "warning",
    ) -> None:  # fmt: skip
        """Count rows that are kept in spite of a rule."""
        bad = np.asarray(bad, dtype=bool)
        self.note(source, rule, bad.sum(), len(table), action, severity=severity, rows=row_names(table[bad]))

    def set_aside(
        self, table: pd.DataFrame, bad: pd.Series | np.ndarray, source: str, rule: str, action: str,
        severity: Severity = "warning",
    ) -> pd.DataFrame:  # fmt: skip
        """Take the bad rows out of a table that has the columns ``file`` and ``row``, and count them."""
        bad = np.asarray(bad, dtype=bool)
        self.note(source, rule, bad.sum(), len(table), action, severity=severity, set_aside=True,
                  rows=row_names(table[bad]))  # fmt: skip
        if not bad.any():
            return table
        self.count_aside(source, table["file"][bad].value_counts().to_dict())
        return table[~bad]

    def count_aside(self, source: str, by_file: dict[str, int]) -> None:
        """Rows of each file that were set aside elsewhere than in `set_aside`."""
        self.rows_aside.update({(source, file): int(number) for file, number in by_file.items()})

    def used(self, source: str, table: pd.DataFrame) -> None:
        """The rows that are left, by file."""
        self.rows_used.update({(source, file): int(number) for file, number in table["file"].value_counts().items()})

    def step(self, name: str, people: int, reason: str = "", left: int = 0, arm: dict[str, int] | None = None) -> None:
        """One box of the flow chart: who is still here, who left, and why."""
        self.steps.append({"step": name, "people": people, "left": left, "reason": reason, "arms": arm or {}})

    def reconcile(self) -> None:
        """Rows in = rows used + rows set aside, for every file of every source, or nothing goes on."""
        problems = []
        rule_of = "{:,} rows came in, {:,} were used and {:,} set aside: the sums differ"
        for (source, file), number in self.rows_in.items():
            used, aside = self.rows_used[source, file], self.rows_aside[source, file]
            if number != used + aside:
                problems.append(Problem(f"{source}: {file}", rule_of.format(number, used, aside), _FAULT))
        for source in {source for source, _ in self.rows_in}:
            # the rules, counted on their own way, must tell the same
            by_rule = sum(int(str(e["set_aside"])) for e in self.entries if e["source"] == source)
            by_file = sum(number for (of, _), number in self.rows_aside.items() if of == source)
            if by_rule != by_file:
                rule = f"{by_rule:,} rows were set aside by the rules and {by_file:,} by the files: the sums differ"
                problems.append(Problem(source, rule, _FAULT))
        if problems:
            raise DataError(problems)

    def quality(self) -> pd.DataFrame:
        """The counted rules as a table; ``set_aside`` are the rows that a rule took out of the count that goes on."""
        columns = ["source", "rule", "unit", "count", "total", "share", "severity", "action", "set_aside", "example_rows"]
        table = pd.DataFrame(self.entries)
        table["share"] = table["count"] / table["total"].where(table["total"] > 0)
        return table[columns]

    def files(self) -> pd.DataFrame:
        """Rows in, used and set aside, a row a source and file."""
        rows = [
            {"source": source, "file": file, "rows_in": number, "rows_used": self.rows_used[source, file],
             "rows_set_aside": self.rows_aside[source, file]}
            for (source, file), number in self.rows_in.items()
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["source", "file", "rows_in", "rows_used", "rows_set_aside"])

    def reconciliation(self) -> pd.DataFrame:
        """Rows in, used and set aside, a row a source."""
        return self.files().drop(columns="file").groupby("source", sort=False, as_index=False).sum()


_FAULT = "this is a fault in ips_outcomes; please report it"
