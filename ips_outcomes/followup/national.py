"""Monthly counts of a nation, without a row a person-month: job files are counted where they lie.

People, lists, residence and schemes are read as for a trial. The job
deliveries, which have hundreds of rows for each of those, stay in the engine:
one pass turns them into words of months, one row a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.engine import Engine, linked, open_engine, spell_words, typed, word_numbers
from ips_outcomes.errors import DataError, Problem, UnsupportedError
from ips_outcomes.followup.employed import NOT_ORDINARY, WORK_PRACTICE, JobMonths, answer
from ips_outcomes.followup.grid import Grid
from ips_outcomes.followup.observed import observed_words, part_of
from ips_outcomes.followup.words import PersonWords, Words, columns_of, pack, refuse_sums
from ips_outcomes.loaders import Cohort, registers
from ips_outcomes.loaders.delivery import file_month
from ips_outcomes.loaders.identity import judge_column
from ips_outcomes.loaders.keys import read_keys
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.participants import load_participants
from ips_outcomes.months import day_in_month
from ips_outcomes.study import Column, Definition, Layout, Source, Study, load_study

__all__ = ["NationalCounts", "count_months"]

#: People with a scheme that subtracts, put on a grid at a time.
_BLOCK = 20_000
#: Rows of a key column that are looked at for identity numbers.
_LOOKED_AT = 20_000
#: The columns of a job delivery that say whether and when somebody works.
_ROLES = ("person_key", "start", "end", "kind", "basis")


@dataclass(frozen=True)
class NationalCounts:
    """Monthly counts, and what became of every row.

    Attributes
    ----------
    months : pandas.DataFrame
        ``definition``, ``arm``, ``month`` (since the index date), ``n`` (people whose answer is known), ``events`` (people
        with a yes), ``rate`` (a proportion, 0 to 1).
    rows : pandas.DataFrame
        Job rows by ``source`` and ``rule``: "used", or why they were set aside. They add up to the rows delivered. A row
        that repeats another is used: a month is set however often it is said.
    words : PersonWords
        The words themselves, one row a participant.
    """

    months: pd.DataFrame
    rows: pd.DataFrame
    words: PersonWords


def count_months(
    study: Study | str | Path, *, engine: str | Engine = "duckdb", definitions: Sequence[str] | None = None,
    master: str | None = None, memory_limit: str | None = None, threads: int | None = None,
    spill_folder: str | Path | None = None,
) -> NationalCounts:  # fmt: skip
    """People known and employed by definition, arm and month, for a study whose job deliveries are Parquet.

    The answers are those of `follow_up`, by the same rules; nothing is
    expanded to person-months save for people with a scheme that subtracts.

    Parameters
    ----------
    study : Study, str or pathlib.Path
        A study from `load_study`, or the path of its file. Its sources of jobs are Parquet files.
    engine : {"duckdb", "spark"} or Engine
        Where the job rows are counted.
    definitions : sequence of str, optional
        Names under ``[employed]``; all of them by default.
    master, memory_limit, threads, spill_folder
        As for `ips_outcomes.engine.open_engine`.

    Returns
    -------
    NationalCounts

    Raises
    ------
    UnsupportedError
        If a definition looks at hours or pay, or a source of jobs is not Parquet.
    DataError
        If an extract is not what the study file says.

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes.simulation.national import simulate_national
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = count_months(simulate_national(f"{folder}/nation", rows=20_000, seed=1))
    >>> sorted(counts.months.columns)
    ['arm', 'definition', 'events', 'month', 'n', 'rate']
    """
    if not isinstance(study, Study):
        study = load_study(study)
    asked = {name: study.employed[name] for name in definitions or study.employed}
    for name, definition in asked.items():
        refuse_sums(name, definition)
    _refuse_sources(study)
    cohort = _people(study)
    if isinstance(engine, Engine):
        return _counted(study, cohort, asked, engine)
    with open_engine(engine, master=master, memory_limit=memory_limit, threads=threads, spill_folder=spill_folder) as opened:
        return _counted(study, cohort, asked, opened)


def _refuse_sources(study: Study) -> None:
    for name in study.sources_of("jobs", "job_months"):
        if any(path.suffix != ".parquet" for path in study.paths(name)):
            raise UnsupportedError(f"source {name} is not Parquet: stage it first, or use follow_up")
        if study.layouts[name].table == "jobs" and study.layouts[name].file_month:
            raise UnsupportedError(f"source {name} has job spells in a file a month, which are not counted here: use follow_up")


def _people(study: Study) -> Cohort:
    """Everything but the jobs, as for a trial."""
    ledger = Ledger()
    participants = load_participants(study, ledger)
    lists = [read_keys(study, name, participants["person_id"], ledger).assign(source=name) for name in study.keys]
    keys = pd.concat(lists, ignore_index=True)
    people = registers.load_people(study, keys, ledger)
    nothing = _nothing()
    return Cohort(
        study=study, participants=participants, keys=keys, employment=nothing, pay=nothing,
        programmes=registers.load_programmes(study, keys, ledger),
        residence=registers.load_residence(study, keys, people, ledger),
        coverage=registers.load_coverage(study, ledger), flow=pd.DataFrame(ledger.steps), quality=ledger.quality(),
        reconciliation=nothing, employer_keys={},
    )  # fmt: skip


def _counted(study: Study, cohort: Cohort, asked: dict[str, Definition], engine: Engine) -> NationalCounts:
    window = (-study.follow_up.history, study.follow_up.months)
    people = cohort.participants
    place = pd.Series(np.arange(len(people), dtype=np.int64), index=people["person_id"].to_numpy())
    yes = {name: np.zeros((len(people), len(word_numbers(window))), dtype=np.int64) for name in asked}
    deliveries, rows = [_Delivery(study, name, engine) for name in study.sources_of("jobs", "job_months")], []
    for delivery in deliveries:
        listed = cohort.keys[cohort.keys["source"] == delivery.name].drop_duplicates("delivery_key")
        person = place.reindex(listed["person_id"].to_numpy()).to_numpy()
        keys = pd.DataFrame({
            "delivery_key": listed["delivery_key"].to_numpy(), "person": person,
            "index_month": people["index_month"].to_numpy()[person],
        })  # fmt: skip
        delivery.link(keys)
        made = engine.collect(delivery.words(asked, window))
        used = made[made["rule"] == 0]
        for name in asked:
            yes[name][used["person"].to_numpy()] |= columns_of(used, name, window)
        rows.append(delivery.counts(made))
    known: dict[str, Words] = {}
    observed = {rule: observed_words(cohort, on_status_day=rule) for rule in {d.month_rule == "status_day" for d in asked.values()}}
    for name, definition in asked.items():
        seen, schemes = observed[definition.month_rule == "status_day"]
        must = definition.wage_subsidy != "keep" and definition.if_unanswerable == "unknown"
        known[name] = seen & schemes if must else seen
        yes[name] &= known[name]
    _subtract_schemes(cohort, asked, deliveries, place, known, yes, window)
    words = PersonWords(people["person_id"].to_numpy(), people["arm"].to_numpy(), window, known, yes)
    months = words.counts()
    months["rate"] = months["events"] / months["n"].where(months["n"] > 0)
    return NationalCounts(months, pd.concat(rows, ignore_index=True), words)


def _subtract_schemes(
    cohort: Cohort, asked: dict[str, Definition], deliveries: list[_Delivery], place: pd.Series,
    known: dict[str, Words], yes: dict[str, Words], window: tuple[int, int],
) -> None:  # fmt: skip
    """Answer for people with a scheme that subtracts as for a trial, and put their words in place."""
    subtracting = {name: d for name, d in asked.items() if d.wage_subsidy != "keep"}
    codes = NOT_ORDINARY + (WORK_PRACTICE if any(d.work_practice_subtracts for d in subtracting.values()) else ())
    spells = cohort.programmes[cohort.programmes["scheme"].isin(codes)]
    chosen = np.unique(place.reindex(spells["person_id"].to_numpy()).to_numpy(dtype=np.intp))
    if not subtracting or not len(chosen):
        return
    named = spells["employer"].dropna().unique()
    used = {d.name: d.employers_among(named) for d in deliveries}
    jobs = pd.concat([d.jobs_of(chosen, place.index.to_numpy()) for d in deliveries], ignore_index=True)
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        part = part_of(Cohort(**{**vars(cohort), "employment": jobs, "pay": _nothing(), "employer_keys": used}), block)
        months = JobMonths(Grid(part))
        for name, definition in subtracting.items():
            value = answer(months, definition).value
            known[name][block] = pack(value != -1, window[0])
            yes[name][block] = pack(value == 1, window[0])


def _nothing() -> pd.DataFrame:
    """A table of nobody."""
    return pd.DataFrame({"person_id": pd.Series(dtype=object)})


class _Delivery:
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
            found, wrong = _find_columns(self.engine.columns(path), self.layout.columns, self.source, path.name)
            problems += wrong
            mapping = tuple((role, found[role]) for role in roles if role in found)
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
        return _stacked(parts)

    def _linked(self, roles: Sequence[str], keys: Any) -> Any:
        """Typed rows of the people on a list: who is nobody's is left behind before anything else is typed."""
        parts = self._parts(roles)
        rest = [role for role in roles if role != "person_key" and any(role in part.columns for part in parts)]
        made = []
        for part in parts:
            table = self._typed(linked(self._typed(part, ["person_key"]), "person_key", keys), rest)
            absent = {role: _nothing_of(self.layout.columns[role]) for role in rest if role not in part.columns}
            # a column that some files lack is unknown there
            made.append(table.mutate(**absent, **{f"bad_{role}": _never() for role in absent}))
        return _stacked(made)

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
        if self.monthly:
            outside = (table["month"] < self.period[0]) | (table["month"] > self.period[1])
            rules.append(("month outside the delivery's period", outside))
        return rules

    def _rows(self, roles: Sequence[str], keys: Any) -> Any:
        """Rows of people on the list, with ``rule``: 0 where used, else the number of the first rule met."""
        import ibis

        table = self._linked(roles, keys)
        if self.monthly:
            months = sorted({file_month(path, self.layout) for path in self.paths})
            by_month = {m: [p.name for p in self.paths if file_month(p, self.layout) == m] for m in months}
            calendar = pd.DataFrame([(file, m) for m, files in by_month.items() for file in files], columns=["file", "month"])
            for name, day, ahead in (("first_day", 1, 0), ("sixteenth", 16, 0), ("next_month", 1, 1)):
                calendar[name] = day_in_month(calendar["month"].to_numpy() + ahead, day).astype(object)
            table = table.join(self.engine.from_frame(calendar), "file")
        rules = self._rules(table)
        branches = [(condition, number) for number, (_, condition) in enumerate(rules, start=1)]
        return table.mutate(rule=ibis.cases(*branches, else_=0)) if branches else table.mutate(rule=0)

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
        import ibis

        def month(day: Any) -> Any:
            return ((day.year() - 1970) * 12 + day.month() - 1).cast("int64")

        made = {}
        for rule in ("status", "any"):
            start, end = month(rows["start"]), month(rows["end"])
            if rule == "status":
                start = start + (rows["start"].day() > 16).ifelse(1, 0)
                end = end - (rows["end"].day() < 16).ifelse(1, 0)
            end = rows["end"].isnull().ifelse(self.period[1], end)
            made[f"first_{rule}"] = ibis.greatest(start, self.period[0]) - rows["index_month"]
            made[f"last_{rule}"] = ibis.least(end, self.period[1]) - rows["index_month"]
        return rows.mutate(**made)

    def counts(self, made: pd.DataFrame) -> pd.DataFrame:
        """Rows by rule; those of people on no list are what is left of the delivery."""
        table = self._rows([role for role in _ROLES if role in self.layout.columns], self._keys)
        rules = ["used", *(rule for rule, _ in self._rules(table))]
        numbers = [int(made.loc[made["rule"] == number, "rows of a rule"].sum()) for number in range(len(rules))]
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
            "employer": found["employer"] if "employer" in found else nothing,
            "kind": found["kind"] if "kind" in found else "ordinary",
            "basis": found["basis"] if "basis" in found else nothing, "weekly_hours": np.nan,
        })  # fmt: skip


def _stacked(parts: list[Any]) -> Any:
    """Parts under one another, in the columns that the first has."""
    table = parts[0]
    for part in parts[1:]:
        table = table.union(part.select(table.columns))
    return table


def _never() -> Any:
    import ibis

    return ibis.literal(False)


def _nothing_of(spec: Column) -> Any:
    import ibis

    return ibis.null("date" if spec.type == "date" else "string")


def _find_columns(
    names: list[str], wanted: dict[str, Column], source: Source, file: str
) -> tuple[dict[str, str], list[Problem]]:
    """Name in the file of each column of the layout, by the loaders' rules."""
    from ips_outcomes.loaders.delivery import _find

    found, problems = {}, []
    for column, spec in wanted.items():
        name, trouble = _find(column, spec, source, names)
        if name is not None:
            found[column] = name
        if trouble:
            remedy = 'write columns.{} = "..." under the source in the study file'.format(column)
            problems.append(Problem(file, f"{trouble} ({spec.meaning})", remedy))
    return found, problems
