"""One delivery of jobs inside an engine: its rows by rule, and its months as words."""

# Ibis has isnull and notnull, and neither isna nor notna
# ruff: noqa: PD003, PD004

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.engine import Engine, linked, spell_words, typed
from ips_outcomes.engine.rows import earlier, first_true, later, missing_column, never, stacked
from ips_outcomes.errors import DataError, Problem, UnsupportedError
from ips_outcomes.loaders.columns import find_columns
from ips_outcomes.loaders.identity import judge_column
from ips_outcomes.loaders.periods import file_month
from ips_outcomes.months import day_in_month
from ips_outcomes.study import Definition, Layout, Source, Study

__all__ = ["JobDelivery"]

#: Rows of a key column that are looked at for identity numbers.
_LOOKED_AT = 20_000
#: The columns of a job delivery that say whether and when somebody works.
_ROLES = ("person_key", "start", "end", "kind", "basis")


_BLANK = "kind of job left blank"


class JobDelivery:
    """One delivery of jobs inside an engine."""

    def __init__(self, study: Study, name: str, engine: Engine):
        self.name, self.engine = name, engine
        self.layout: Layout = study.layouts[name]
        self.source: Source = study.sources[name]
        self.paths = study.paths(name)
        self.period = self.source.period_numbers or (0, 0)
        self.monthly = self.layout.table == "job_months"
        self.label = self.paths[0].name + (f" and {len(self.paths) - 1} more files" if self.paths[1:] else "")
        self._keys: Any = None

    def _parts(self, roles: Sequence[str]) -> list[Any]:
        """The delivery's columns as they lie, under the layout's names; files that differ in columns are parts of their own."""
        groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
        problems = []
        for path in self.paths:
            found, wrong = find_columns(path, self.engine.columns(path), self.layout, self.source)
            problems += wrong
            mapping = tuple((role, found.names[role]) for role in roles if role in found.names)
            groups.setdefault(mapping, []).append(path)
        if problems:
            raise DataError(dict.fromkeys(problems))
        return [self.engine.read_parquet(paths, dict(found), with_file=self.monthly) for found, paths in groups.items()]

    def _typed(self, table: Any, roles: Sequence[str]) -> Any:
        some = {role: self.layout.columns[role] for role in roles}
        return typed(table, self.layout.model_copy(update={"columns": some}), self.source)

    def _column(self, role: str) -> Any:
        """One typed column of all files."""
        parts = [self._typed(part, [role]).select(role) for part in self._parts([role]) if role in part.columns]
        return stacked(parts)

    def _linked(self, roles: Sequence[str], keys: Any) -> Any:
        """Typed rows of the people on a list: who is nobody's is left behind before anything else is typed."""
        parts = self._parts(roles)
        rest = [role for role in roles if role != "person_key" and any(role in part.columns for part in parts)]
        made = []
        for part in parts:
            table = self._typed(linked(self._typed(part, ["person_key"]), "person_key", keys), rest)
            absent = {role: missing_column(self.layout.columns[role]) for role in rest if role not in part.columns}
            # a column that some files lack is unknown there
            made.append(table.mutate(**absent, **{f"bad_{role}": never() for role in absent}))
        return stacked(made)

    def link(self, keys: pd.DataFrame) -> None:
        """Take the linkage list, refuse identity numbers, and count what was delivered."""
        self._keys = self.engine.from_frame(keys)
        rows = self._column("person_key")
        looked_at = self.engine.collect(rows.select("person_key").limit(_LOOKED_AT))["person_key"]
        problem = judge_column(self.label, self.layout.columns["person_key"].name, looked_at)
        if problem is not None:
            raise DataError([problem])
        self.rows_in = int(self.engine.collect(rows.aggregate(n=rows.count()))["n"][0])

    def _rules(self, table: Any) -> list[tuple[str, Any]]:
        """What sets a row aside, in the loaders' order."""
        rules = []
        for column, spec in self.layout.columns.items():
            if f"bad_{column}" in table.columns and spec.type == "date":
                rules.append((f"impossible date in {column}", table[f"bad_{column}"]))
            elif f"bad_{column}" in table.columns and spec.type == "code":
                rules.append((f"code in {column} that the layout does not know", table[f"bad_{column}"]))
        if not self.monthly:
            rules.append(("spell without a start", table["start"].isnull()))
        if {"start", "end"} <= set(table.columns):
            rules.append(("spell that ends before it starts", (table["end"] < table["start"]).fill_null(False)))
        if "kind" in table.columns:
            rules.append(("pension or benefit record, not a job", (table["kind"] == "none").fill_null(False)))
            rules.append((_BLANK, table["kind"].isnull()))
        if self.monthly:
            outside = (table["month"] < self.period[0]) | (table["month"] > self.period[1])
            rules.append(("month outside the delivery's period", outside))
        return rules

    def _rows(self, roles: Sequence[str], keys: Any) -> Any:
        """Rows of people on the list, with ``rule``: 0 where used, else the number of the first rule met."""
        table = self._linked(roles, keys)
        if self.monthly:
            months = sorted({file_month(path, self.layout) for path in self.paths})
            by_month = {m: [p.name for p in self.paths if file_month(p, self.layout) == m] for m in months}
            calendar = pd.DataFrame([(file, m) for m, files in by_month.items() for file in files], columns=["file", "month"])
            for name, day, ahead in (("first_day", 1, 0), ("sixteenth", 16, 0), ("next_month", 1, 1)):
                calendar[name] = day_in_month(calendar["month"].to_numpy() + ahead, day).astype(object)
            table = table.join(self.engine.from_frame(calendar), "file")
        rules = self._rules(table)
        return table.mutate(rule=first_true([condition for _, condition in rules]))

    def words(self, asked: dict[str, Definition], window: tuple[int, int]) -> Any:
        """One row a person and rule: words by definition, and the number of rows."""
        rows = self._rows([role for role in _ROLES if role in self.layout.columns], self._keys)
        rows = self._monthly_span(rows) if self.monthly else self._span(rows)
        conditions, first, last = {}, {}, {}
        for name, definition in asked.items():
            kept = rows["rule"].notnull()
            if "kind" in rows.columns:
                kept = kept & rows["kind"].isin(list(definition.kinds))
            elif "ordinary" not in definition.kinds:
                kept = kept & (rows["rule"] < 0)
            if "basis" in rows.columns:
                kept = kept & (rows["basis"].isnull() | rows["basis"].isin(list(definition.basis)))
            rule = "status" if definition.month_rule == "status_day" else "any"
            if self.monthly:
                kept = kept & rows[f"on_{rule}"]
            conditions[name] = kept
            first[name], last[name] = ("at", "at") if self.monthly else (f"first_{rule}", f"last_{rule}")
        rows = rows.mutate(one=rows["rule"].notnull())
        counts = {"rows of a rule": rows["one"]}
        return spell_words(rows, ["person", "rule"], window=window, words=conditions, first=first, last=last, counts=counts)

    def _monthly_span(self, rows: Any) -> Any:
        """A record speaks for its own month, where its tenure touches the day that the rule looks at."""
        true = rows["rule"].notnull()
        made = {"at": rows["month"] - rows["index_month"]}
        for rule, latest_start, earliest_end in (("status", "sixteenth", "sixteenth"), ("any", "next_month", "first_day")):
            on = true
            if "start" in rows.columns:
                begun = rows["start"] <= rows[latest_start] if rule == "status" else rows["start"] < rows[latest_start]
                on = on & (rows["start"].isnull() | begun)
            if "end" in rows.columns:
                on = on & (rows["end"].isnull() | (rows["end"] >= rows[earliest_end]))
            made[f"on_{rule}"] = on
        return rows.mutate(**made)

    def _span(self, rows: Any) -> Any:
        """First and last month of each spell on the person's clock, cut to the delivered period."""

        def month(day: Any) -> Any:
            return ((day.year() - 1970) * 12 + day.month() - 1).cast("int64")

        made = {}
        for rule in ("status", "any"):
            start, end = month(rows["start"]), month(rows["end"])
            if rule == "status":
                start = start + (rows["start"].day() > 16).ifelse(1, 0)
                end = end - (rows["end"].day() < 16).ifelse(1, 0)
            end = rows["end"].isnull().ifelse(self.period[1], end)
            made[f"first_{rule}"] = later(start, self.period[0]) - rows["index_month"]
            made[f"last_{rule}"] = earlier(end, self.period[1]) - rows["index_month"]
        return rows.mutate(**made)

    def counts(self, made: pd.DataFrame) -> pd.DataFrame:
        """Rows by rule; those of people on no list are what is left of the delivery."""
        table = self._rows([role for role in _ROLES if role in self.layout.columns], self._keys)
        rules = ["used", *(rule for rule, _ in self._rules(table))]
        numbers = [int(made.loc[made["rule"] == number, "rows of a rule"].sum()) for number in range(len(rules))]
        if blank := dict(zip(rules, numbers, strict=True)).get(_BLANK):
            raise UnsupportedError(f"source {self.name}: {blank:,} rows leave the kind of job blank, so that a month may be unknown "
                                   "for it: use follow_up")  # fmt: skip
        if self.rows_in and not sum(numbers):
            rule = "no key in the delivery is on its linkage list"
            remedy = f"check that keys.{self.name} names the right column or list, and that keys were not damaged"
            raise DataError([Problem(self.label, rule, remedy, count=self.rows_in)])
        wrong = [(rule, number) for rule, number in zip(rules, numbers, strict=True)
                 if rule.startswith(("impossible date", "code in")) and number > 0.5 * sum(numbers)]  # fmt: skip
        if wrong:
            remedy = "check the layout, or the codes and column names in the study file"
            raise DataError([Problem(self.label, f"most rows have an {rule}" if rule[0] == "i" else f"most rows have a {rule}",
                                     remedy, count=number) for rule, number in wrong])  # fmt: skip
        rules.append("row of a person on no linkage list")
        numbers.append(self.rows_in - sum(numbers))
        return pd.DataFrame({"source": self.name, "rule": rules, "rows": numbers})

    def employers_among(self, named: np.ndarray) -> frozenset[object]:
        """Which of some employer keys this delivery uses at all."""
        if "employer" not in self.layout.columns or not len(named):
            return frozenset()
        rows = self._column("employer")
        listed = self.engine.from_frame(pd.DataFrame({"key": named}))
        return frozenset(self.engine.collect(listed.semi_join(rows, listed["key"] == rows["employer"]))["key"])

    def jobs_of(self, chosen: np.ndarray, person_id: np.ndarray) -> pd.DataFrame:
        """The used rows of some people, as the harmonised table of employment."""
        some = self.engine.from_frame(pd.DataFrame({"person": chosen.astype(np.int64)}))
        keys = self._keys.semi_join(some, "person")
        roles = [role for role in (*_ROLES, "employer") if role in self.layout.columns]
        rows = self._rows(roles, keys)
        found = self.engine.collect(rows.filter(rows["rule"] == 0))
        number = len(found)
        nothing = np.full(number, None, dtype=object)
        dates = {c: pd.to_datetime(found[c]) if c in found else pd.Series(pd.NaT, index=found.index) for c in ("start", "end")}
        return pd.DataFrame({
            "person_id": person_id[found["person"].to_numpy(dtype=np.intp)], "source": self.name,
            "record": "month" if self.monthly else "spell",
            "month": found["month"].astype("Int64") if self.monthly else pd.array([pd.NA] * number, dtype="Int64"),
            **{name: days.astype("datetime64[s]") for name, days in dates.items()},
            "employer": found.get("employer", nothing),
            "kind": found.get("kind", "ordinary"),
            "basis": found.get("basis", nothing), "weekly_hours": np.nan,
        })  # fmt: skip
