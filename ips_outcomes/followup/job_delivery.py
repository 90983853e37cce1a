"""One delivery of jobs inside an engine: its rows by rule, and its months as words."""

# Ibis has isnull and notnull, and neither isna nor notna
# ruff: noqa: PD003, PD004

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.engine import Engine, gathered, linked, spell_words
from ips_outcomes.engine.rows import day_of_month, earlier, first_true, later, never
from ips_outcomes.errors import DataError, Problem, UnsupportedError
from ips_outcomes.loaders.delivery import look_at
from ips_outcomes.study import Definition, Layout, Study

__all__ = ["JobDelivery"]

#: The columns of a job delivery that say whether and when somebody works.
_ROLES = ("person_key", "start", "end", "kind", "basis")
#: The columns of a job that a person with a scheme that subtracts is judged by.
_COLUMNS = ("file_month", "start", "end", "kind", "basis")
_BLANK = "kind of job left blank"


class JobDelivery:
    """One delivery of jobs inside an engine, read from its staged files."""

    def __init__(self, study: Study, name: str, engine: Engine, tell: Callable[[str], None]):
        self.name, self.engine = name, engine
        self.layout: Layout = study.layouts[name]
        self.period = study.sources[name].period_numbers or (0, 0)
        self.monthly = self.layout.table == "job_months"
        paths = study.paths(name)
        self.label = paths[0].name + (f" and {len(paths) - 1} more files" if paths[1:] else "")
        staged = look_at(study, name, tell, large=True)
        self._files = staged.parquet
        # marks that no row bears need not be read
        self._marked = {column for column, number in staged.tally.bad.items() if number}
        self.rows_in = sum(staged.rows_in.values())
        self._keys: Any = None
        self._counted: Any = None
        self._named_rules: list[str] = []

    def _read(self, roles: Sequence[str]) -> Any:
        """Columns of the staged files, with the marks of what could not be read."""
        columns = [role for role in roles if role in self.layout.columns]
        # a monthly record is judged by its own month, and rows of another event belong to nobody's job
        columns += ["left_out", *(["file_month"] if self.monthly else [])]
        columns += [f"bad_{role}" for role in roles if role in self._marked and self._judged(role)]
        return self.engine.read_parquet(self._files, {column: column for column in columns})

    def link(self, keys: pd.DataFrame) -> None:
        """Take the linkage list: ``delivery_key``, ``person`` (a number), ``index_month``, and ``told``: whose jobs are asked for."""
        self._keys = self.engine.from_frame(keys)

    def _judged(self, role: str) -> bool:
        """Whether a value of the role that could not be read sets its row aside."""
        return self.layout.columns[role].type in ("date", "code", "checkbox")

    def _rules(self, table: Any) -> list[tuple[str, Any]]:
        """What sets a row aside, in the loaders' order."""
        rules = [("row of another event or form", table["left_out"])]
        for column, spec in self.layout.columns.items():
            if column not in _ROLES or not self._judged(column):
                continue
            marked = table[f"bad_{column}"] if column in self._marked else never()
            rules.append((f"impossible date in {column}" if spec.type == "date"
                          else f"code in {column} that the layout does not know", marked))  # fmt: skip
        if not self.monthly:
            rules.append(("spell without a start", table["start"].isnull()))
        if {"start", "end"} <= set(table.columns):
            rules.append(("spell that ends before it starts", (table["end"] < table["start"]).fill_null(False)))
        if "kind" in table.columns:
            rules.append(("pension or benefit record, not a job", (table["kind"] == "none").fill_null(False)))
            rules.append((_BLANK, table["kind"].isnull()))
        if self.monthly:
            outside = (table["file_month"] < self.period[0]) | (table["file_month"] > self.period[1])
            rules.append(("month outside the delivery's period", outside))
        return rules

    def count(self, asked: dict[str, Definition], window: tuple[int, int], *, tell_jobs: bool) -> dict[str, np.ndarray]:
        """One row a person and rule, in one pass over the files: words by definition, and the number of rows.

        ``rule`` is 0 where rows are used, else the number of the first rule met. With ``tell_jobs`` the jobs of the people
        asked for are kept on the way, for `jobs`: a second pass would cost as much as the first.
        """
        told = ["employer"] if tell_jobs else []
        rows = linked(self._read([*_ROLES, *told]), "person_key", self._keys)
        rules = self._rules(rows)
        self._named_rules = ["used", *(rule for rule, _ in rules)]
        rows = rows.mutate(rule=first_true([condition for _, condition in rules]))
        columns = [c for c in (*_COLUMNS, *told) if c in rows.columns]
        gather = {"jobs": (rows["told"] & (rows["rule"] == 0), columns)} if tell_jobs else {}
        words = self._words(rows, asked, window, gather)
        self._counted = self.engine.keep(words) if tell_jobs else words
        return self.engine.arrays(self._counted.drop(*gather))

    def _words(self, rows: Any, asked: dict[str, Definition], window: tuple[int, int], gather: dict[str, Any]) -> Any:
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
        return spell_words(rows, ["person", "rule"], window=window, words=conditions, first=first, last=last, counts=counts,
                           gather=gather)  # fmt: skip

    def _monthly_span(self, rows: Any) -> Any:
        """A record speaks for its own month, where its tenure touches the day that the rule looks at."""
        true = rows["rule"].notnull()
        made = {"at": rows["file_month"] - rows["index_month"]}
        # a record from outside the period is set aside, and need not have a month that is one
        month = later(earlier(rows["file_month"], self.period[1]), self.period[0])
        # dates made from the month, not looked up: an engine may join a calendar to every row before it drops strangers
        sixteenth, first_day, next_month = (day_of_month(month + ahead, day) for ahead, day in ((0, 16), (0, 1), (1, 1)))
        for rule in ("status", "any"):
            on = true
            if "start" in rows.columns:
                begun = rows["start"] <= sixteenth if rule == "status" else rows["start"] < next_month
                on = on & (rows["start"].isnull() | begun)
            if "end" in rows.columns:
                on = on & (rows["end"].isnull() | (rows["end"] >= (sixteenth if rule == "status" else first_day)))
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

    def rows_by_rule(self, made: dict[str, np.ndarray]) -> pd.DataFrame:
        """Rows by rule; those of people on no list are what is left of the delivery."""
        rules = list(self._named_rules)
        numbers = np.bincount(made["rule"], weights=made["rows of a rule"], minlength=len(rules)).astype(np.int64).tolist()
        if blank := dict(zip(rules, numbers, strict=True)).get(_BLANK):
            raise UnsupportedError(f"source {self.name}: {blank:,} rows leave the kind of job blank, so that a month may be unknown "
                                   "for it: use follow_up")  # fmt: skip
        if self.rows_in and not sum(numbers):
            rule = "no key in the delivery is on its linkage list"
            remedy = f"check that keys.{self.name} names the right column or list, and that keys were not damaged"
            raise DataError([Problem(self.label, rule, remedy, count=self.rows_in)])
        rules.append("row of a person on no linkage list")
        numbers.append(self.rows_in - sum(numbers))
        return pd.DataFrame({"source": self.name, "rule": rules, "rows": numbers})

    def employers_among(self, named: np.ndarray) -> frozenset[object]:
        """Which of some employer keys this delivery uses at all."""
        if "employer" not in self.layout.columns or not len(named):
            return frozenset()
        rows = self._read(["employer"])
        listed = self.engine.from_frame(pd.DataFrame({"key": named}))
        return frozenset(self.engine.collect(listed.semi_join(rows, listed["key"] == rows["employer"]))["key"])

    def jobs(self, person_id: np.ndarray) -> pd.DataFrame:
        """The used rows of the people asked for, as the harmonised table of employment."""
        found = self.engine.collect(gathered(self._counted, "person", "jobs"))
        number = len(found)
        nothing = np.full(number, None, dtype=object)
        dates = {c: pd.to_datetime(found[c]) if c in found else pd.Series(pd.NaT, index=found.index) for c in ("start", "end")}
        return pd.DataFrame({
            "person_id": person_id[found["person"].to_numpy(dtype=np.intp)], "source": self.name,
            "record": "month" if self.monthly else "spell",
            "month": found["file_month"].astype("Int64") if self.monthly else pd.array([pd.NA] * number, dtype="Int64"),
            **{name: days.astype("datetime64[s]") for name, days in dates.items()},
            "employer": found.get("employer", nothing),
            "kind": found.get("kind", "ordinary"),
            "basis": found.get("basis", nothing), "weekly_hours": np.nan,
        })  # fmt: skip
