"""Whose the rows of a delivery are: joined to its linkage list where they lie, in memory or in an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.keys import without_zeros
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.staging import Staged, arrow_schema
from ips_outcomes.study import EngineSettings, Layout, Study

if TYPE_CHECKING:
    from ips_outcomes.engine import Engine

__all__ = ["Engines", "link"]


class Engines:
    """The study's engine, opened when it is first needed and once for all of its sources."""

    def __init__(self, settings: EngineSettings):
        self._settings = settings
        self._engine: Engine | None = None

    def open(self) -> Engine:
        """The engine, open."""
        if self._engine is None:
            from ips_outcomes.engine import open_engine

            wanted = self._settings
            self._engine = open_engine(
                wanted.name, master=wanted.master, memory_limit=wanted.memory_limit, threads=wanted.threads,
                spill_folder=wanted.spill_folder,
            )  # fmt: skip
        return self._engine

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()


def link(
    study: Study, engines: Engines, label: str, name: str, staged: Staged, listed: pd.DataFrame, ledger: Ledger
) -> pd.DataFrame:  # fmt: skip
    """Rows of the people on the list, with ``person_id``; rows of all others are set aside and counted.

    Raises
    ------
    DataError
        If the delivery knows nobody on the list.
    """
    owner = listed.drop_duplicates("delivery_key")
    if staged.parquet:
        rows, strangers, people, employers, damaged = _in_engine(engines.open(), staged, owner, study.layouts[name])
    else:
        rows, strangers, people, employers, damaged = _in_memory(staged, owner)
    if damaged:
        # their rows would be strangers', and in a job register absence is a no
        rule = "keys of the delivery are on its linkage list but for their leading zeros"
        remedy = "keep keys as text on both sides (Excel and columns of numbers take zeros away), or fill them up in one file"
        raise DataError([Problem(label, rule, remedy, count=damaged, unit="keys")])
    number, of_file = sum(staged.rows_in.values()), rows["file"].value_counts()
    if number and not len(rows):
        rule = "no key in the delivery is on its linkage list"
        remedy = f"check that keys.{name} names the right column or list, and that keys were not damaged (leading zeros, Excel)"
        raise DataError([Problem(label, rule, remedy, count=number)])
    if employers is not None:
        # every key that the register uses, also in rows that are set aside
        ledger.employers[name] = employers
    ledger.note(name, "people in the register who are not in the trial", strangers, people, "their rows are not used",
                unit="people")  # fmt: skip
    ledger.note(name, "row of a person on no linkage list", number - len(rows), number, "not used", set_aside=True)
    ledger.count_aside(name, {f: n - int(of_file.get(f, 0)) for f, n in staged.rows_in.items() if n > of_file.get(f, 0)})
    # one order on every road: the files as a person would put them, then their rows
    place = {file: number for number, file in enumerate(staged.rows_in)}
    by = [rows["file"].map(place), rows["row"], rows["file_month"], *([rows["year"]] if "year" in rows else [])]
    order = np.lexsort([np.asarray(values, dtype=float) for values in reversed(by)])
    return rows.iloc[order].reset_index(drop=True).astype({"person_id": object})


_Linked = tuple[pd.DataFrame, int, int, frozenset[object] | None, int]


def _in_memory(staged: Staged, owner: pd.DataFrame) -> _Linked:
    table = staged.table
    person = table["person_key"].map(owner.set_index("delivery_key")["person_id"])
    known = person.notna().to_numpy()
    rows = table.drop(columns="person_key").assign(person_id=person.to_numpy())[known]
    if not len(rows):
        rows = rows.assign(person_id=np.array([], dtype=object))
    employers = frozenset(table["employer"].dropna()) if "employer" in table else None
    strange = table["person_key"][~known].drop_duplicates()
    damaged = int(strange.isin(without_zeros(owner["delivery_key"])).sum())
    return rows, strange.nunique(), table["person_key"].nunique(), employers, damaged


def _in_engine(engine: Engine, staged: Staged, owner: pd.DataFrame, layout: Layout) -> _Linked:
    """The same, where the rows lie: only those of the people on the list, and counts, come into memory."""
    from ips_outcomes.engine import link_counts, linked

    columns = arrow_schema(layout).names
    table = engine.read_parquet(staged.parquet, {column: column for column in columns})
    keys = engine.from_frame(owner[["delivery_key", "person_id"]].astype(str))
    counts = engine.collect(link_counts(table, "person_key", keys)).iloc[0]
    rows = engine.collect(linked(table, "person_key", keys))
    damaged, otherwise = 0, without_zeros(owner["delivery_key"])
    if otherwise:
        forms = engine.from_frame(pd.DataFrame({"delivery_key": otherwise}))
        near = engine.collect(link_counts(table, "person_key", forms)).iloc[0]
        damaged = _number(near["people"]) - _number(near["strangers"])
    employers = None
    if "employer" in columns:
        known = engine.collect(table.select("employer").distinct())["employer"].dropna()
        employers = frozenset(known)
    return _as_typed(rows, layout), _number(counts["strangers"]), _number(counts["people"]), employers, damaged


def _number(counted: float | None) -> int:
    """A count of an engine, whose sum over no rows is nothing."""
    return 0 if counted is None or pd.isna(counted) else int(counted)


def _as_typed(rows: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """What comes back from an engine in the types that a table in memory has."""
    for column, spec in layout.columns.items():
        if column == "person_key":
            continue
        if spec.type == "date":
            rows[column] = pd.to_datetime(rows[column]).astype("datetime64[s]")
        elif spec.type in ("number", "integer"):
            rows[column] = rows[column].astype(float)
        elif spec.type != "month":
            rows[column] = rows[column].astype(object).where(rows[column].notna(), None)
    return rows
