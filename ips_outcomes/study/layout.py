"""Layouts: how one kind of extract looks, as data.

A layout is a TOML file. It says which harmonised table the extract feeds, how
its columns are called and typed, and how sure the knowledge is. Adding a
register is adding such a file, or naming one's own in the study file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ips_outcomes.months import parse_month

__all__ = [
    "CONSTANTS",
    "OF_NOBODY",
    "ROLES",
    "WORDS",
    "Benefit",
    "Column",
    "DateKind",
    "Layout",
    "Wide",
    "builtin_layouts",
    "load_layout",
]

Table = Literal[
    "participants",
    "jobs",
    "job_months",
    "people",
    "residence",
    "programmes",
    "benefits",
    "education",
    "income",
    "services",
    "centre_measures",
]
Certainty = Literal["verified", "secondary", "derived", "assumed"]
DateKind = Literal[
    "iso", "yyyymmdd", "ddmmyyyy", "yyyymm_first", "yyyymm_last", "yyyy_first", "yyyy_last", "stata", "sas", "sas_datetime",
    "spss", "unix_days", "native",
]  # fmt: skip
Benefit = Literal[
    "aap", "disability", "temporary_disability", "sickness", "unemployment", "individual_support", "social_assistance",
    "qualification", "rehabilitation",
]  # fmt: skip

_JOB = ("person_key", "start", "end", "employer", "kind", "basis", "position_percent", "weekly_hours")
#: What a layout's columns may become, by the harmonised table that it feeds.
ROLES: dict[str, tuple[str, ...]] = {
    "participants": ("person_key", "status", "arm", "centre", "index_date", "birth_month", "sex", "education",
                     "diagnosis_group"),
    "jobs": _JOB,
    "job_months": (*_JOB, "pay"),
    "people": ("person_key", "birth_month", "death_date", "death_month", "sex"),
    "residence": ("person_key", "start", "end", "technical_end"),
    "programmes": ("person_key", "scheme", "status", "start", "end", "employer"),
    "benefits": ("person_key", "benefit", "start", "end", "technical_end", "degree", "amount"),
    "education": ("person_key", "nus", "year", "start", "end", "completed"),
    "income": ("person_key", "income", "year", "amount"),
    "services": ("person_key", "measure", "date", "value", "instance"),
    "centre_measures": ("centre", "measure", "date", "value"),
}  # fmt: skip
#: What a table cannot do without, in a column or (where one can be) as a constant or by a wide pattern.
_NEEDED: dict[str, tuple[str, ...]] = {
    "participants": ("person_key", "index_date"), "jobs": ("person_key", "start", "end"), "job_months": ("person_key",),
    "people": ("person_key",), "residence": ("person_key", "start", "end"),
    "programmes": ("person_key", "scheme", "start", "end"), "benefits": ("person_key", "start", "end"),
    "education": ("person_key",), "income": ("person_key", "amount"), "services": ("person_key", "date"),
    "centre_measures": ("centre", "date", "value"),
}  # fmt: skip
#: What a table's rows may all have in common.
CONSTANTS = {"benefits": "benefit", "education": "record", "income": "income", "services": "measure",
             "centre_measures": "measure"}  # fmt: skip
#: Tables whose rows are of no person, so that no linkage list belongs to them.
OF_NOBODY = ("centre_measures",)
#: The words that codes are translated into, where the package knows them all.
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("participants", "status"): ("included", "declined", "not_eligible"),
    ("jobs", "kind"): ("ordinary", "freelance", "none"),
    ("job_months", "kind"): ("ordinary", "freelance", "none"),
    ("programmes", "status"): ("started", "not_started"),
    ("benefits", "benefit"): (*get_args(Benefit), "none"),
    ("education", "completed"): ("yes", "no"),
    ("education", "record"): ("highest", "course"),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column of an extract and what it becomes.

    ``type``: ``key`` (pseudonymous key, kept as text), ``text``, ``code``
    (translated through ``codes``), ``integer``, ``number``, ``date``,
    ``month``. ``dates`` says how a date is written: ``iso``, ``yyyymmdd``,
    ``ddmmyyyy``, ``yyyymm_first`` and ``yyyymm_last`` (the first or last day of
    that month), ``yyyy_first`` and ``yyyy_last`` (of that year), ``stata`` and
    ``sas`` (days since 1960, or a date of that program), ``sas_datetime``
    (seconds since 1960), ``spss`` (seconds since 14 October 1582),
    ``unix_days`` (days since 1970), ``native`` (a date by the file's own
    format, and nothing else). A value that the file itself marks as a date is
    read as that date under every kind. ``certainty`` is given where it differs from the layout's.

    ``aliases`` are other names that deliveries give the same column, tried in
    their order after ``name`` and matched as it is (so by suffix too).
    ``codes`` may name a range of whole numbers (``"10-60"``; ``"00-09"`` where
    codes are written with zeros).
    ``valid_from`` says from which month (``YYYY-MM``) a code meant anything.
    ``checkbox`` stands for REDCap's ``name___code`` columns: the value is the
    code of the box that is ticked, or several codes joined by ``+`` in the
    order of the columns.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    match: Literal["exact", "suffix"] = "exact"
    type: Literal["key", "text", "code", "integer", "number", "date", "month", "checkbox"]
    dates: DateKind = "iso"
    codes: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    required: bool = False
    unit: str = ""
    valid_from: dict[str, str] = Field(default_factory=dict)
    certainty: Certainty | None = None
    meaning: str

    @field_validator("codes")
    @classmethod
    def _ranges_written_out(cls, codes: dict[str, str]) -> dict[str, str]:
        plain: dict[str, str] = {}
        for code, meaning in codes.items():
            ends = re.fullmatch(r"(\d+)-(\d+)", code)
            if ends and int(ends[1]) > int(ends[2]):
                raise ValueError(f"the range {code} ends before it starts")
            width = len(ends[1]) if ends and ends[1].startswith("0") else 0
            named = [f"{n:0{width}d}" for n in range(int(ends[1]), int(ends[2]) + 1)] if ends else [code]
            if twice := sorted(plain.keys() & set(named)):
                raise ValueError(f"the code {twice[0]} is given two meanings")
            plain |= dict.fromkeys(named, meaning)
        return plain

    @model_validator(mode="after")
    def _valid_from_speaks_of_codes(self) -> Column:
        for code, month in self.valid_from.items():
            if code not in self.codes:
                raise ValueError(f"valid_from names {code}, which is not one of the codes")
            parse_month(month)
        return self


def name_pattern(pattern: str, *groups: str) -> str:
    """The pattern, where it is one and has the named groups."""
    try:
        found = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"this is not a pattern: {error}") from None
    if lacking := [group for group in groups if group not in found]:
        raise ValueError(f"the pattern needs the named group {' and '.join(lacking)}, such as (?P<{lacking[0]}>...)")
    return pattern


class Wide(_Strict):
    """Columns that repeat by month or year, one cell each: every cell becomes a row.

    ``pattern`` is matched against whole column names and has the named group
    ``year``, and ``month`` where columns are months. ``becomes`` is the
    layout's column that holds the cells. The cell's month becomes the row's
    month (as if it came from a file of that month); its year the column
    ``year``.
    """

    pattern: str
    becomes: str

    @field_validator("pattern")
    @classmethod
    def _pattern_names_year(cls, pattern: str) -> str:
        return name_pattern(pattern, "year")

    @property
    def by_month(self) -> bool:
        """Whether a column is a month; otherwise it is a year."""
        return "month" in re.compile(self.pattern).groupindex

    def cells(self, names: Iterable[str]) -> list[tuple[str, int, int]]:
        """Columns that the pattern names, each with its year and month (0 where columns are years)."""
        matches = ((name, re.fullmatch(self.pattern, name)) for name in names)
        return [(name, int(match["year"]), int(match["month"]) if self.by_month else 0) for name, match in matches if match]


class TextFormat(_Strict):
    """How a text file is written."""

    delimiter: str = ";"
    encoding: str = "utf-8"
    decimal: Literal[",", "."] = ","


class Layout(_Strict):
    """A kind of extract.

    ``constants`` are values that every row has, such as ``benefit = "aap"``.
    ``rows`` keeps only rows whose raw column holds one of the values (an event
    of REDCap, say); the others are set aside and counted. An empty list means
    that the study must say which. ``open_end`` says what a spell without an
    end is: still going on, or not usable. ``first_month`` and ``last_month``
    (``YYYY-MM``) are the months for which the register exists at all.
    """

    title: str
    table: Table
    kind: Literal["FIXED", "STATUS", "EVENT", "ACCUMULATED"]
    knowledge: str
    certainty: Certainty
    source_system: str = ""
    file_month: str = ""
    first_month: str | None = None
    last_month: str | None = None
    constants: dict[str, str] = Field(default_factory=dict)
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    open_end: Literal["open", "drop"] = "open"
    wide: Wide | None = None
    text: TextFormat = TextFormat()
    columns: dict[str, Column]

    @field_validator("file_month")
    @classmethod
    def _pattern_names_year_and_month(cls, pattern: str) -> str:
        return name_pattern(pattern, "year", "month") if pattern else pattern

    @field_validator("first_month", "last_month")
    @classmethod
    def _is_a_month(cls, month: str | None) -> str | None:
        if month is not None:
            parse_month(month)
        return month

    @model_validator(mode="after")
    def _fits_its_table(self) -> Layout:
        table, wide = self.table, self.wide
        if wide is not None and wide.becomes not in self.columns:
            raise ValueError(f"wide.becomes is not a column of the layout: {wide.becomes}")
        known = ROLES[table]
        if strange := [role for role in self.columns if role not in known]:
            raise ValueError(f"{table} has no {', '.join(strange)}; its columns are {', '.join(known)}")
        if strange := [role for role in self.constants if role != CONSTANTS.get(table)]:
            possible = CONSTANTS.get(table, "none")
            raise ValueError(f"constants of {table} cannot be {', '.join(strange)}; possible: {possible}")
        if both := [role for role in self.constants if role in self.columns]:
            raise ValueError(f"{', '.join(both)} is given both as a column and as a constant")
        lacking = [role for role in _NEEDED[table] if role not in self.columns]
        if table == "job_months" and not self.file_month and (wide is None or not wide.by_month):
            lacking.append("file_month, or a wide pattern with the group month")
        if table == "income" and wide is None and "year" not in self.columns:
            lacking.append("year")
        if table == "people" and not {"birth_month", "death_date", "death_month", "sex"} & set(self.columns):
            lacking.append("birth_month, death_date, death_month or sex")
        if table == "education":
            held = {"year", "start"} & set(self.columns) or wide is not None
            lacking += [] if held else ["start or year"]
            lacking += [] if self.constants else ["constants.record"]
            highest = self.constants.get("record") == "highest"
            lacking += [role for role in (("nus",) if highest else ("start", "end")) if role not in self.columns]
        if table == "centre_measures" and "measure" not in self.columns and not self.constants:
            lacking.append("measure")
        if lacking:
            raise ValueError(f"{table} cannot do without {', '.join(dict.fromkeys(lacking))}")
        for role, words in self._translations():
            meant = WORDS.get((table, role))
            if meant and (strange := sorted(set(words) - set(meant))):
                raise ValueError(f"{role} cannot mean {', '.join(strange)}; possible: {', '.join(meant)}")
        return self

    def _translations(self) -> list[tuple[str, list[str]]]:
        return [*((role, list(spec.codes.values())) for role, spec in self.columns.items()),
                *((role, [word]) for role, word in self.constants.items())]  # fmt: skip

    def adapted(self, constants: dict[str, str], dates: dict[str, DateKind], wide: str | None = None) -> Layout:
        """The layout as a study file changes it: a constant takes its column's place."""
        columns = {role: spec.model_copy(update={"dates": dates.get(role, spec.dates)})
                   for role, spec in self.columns.items() if role not in constants}  # fmt: skip
        pattern = Wide(pattern=wide, becomes=self.wide.becomes) if wide and self.wide else self.wide
        changes = {"constants": {**self.constants, **constants}, "columns": columns, "wide": pattern}
        return Layout.model_validate({**{name: getattr(self, name) for name in Layout.model_fields}, **changes})


def builtin_layouts() -> list[str]:
    """Names of the layouts that come with the package."""
    folder = resources.files("ips_outcomes.study") / "layouts"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_layout(name: str, folder: Path | None = None) -> Layout:
    """Read a layout that comes with the package, or a ``.toml`` file of the study's own.

    Raises
    ------
    FileNotFoundError
        If there is no such layout.
    pydantic.ValidationError
        If the file is not a layout.

    Examples
    --------
    >>> load_layout("ameld_statdata").table
    'job_months'
    """
    if name.endswith(".toml") and folder is not None:
        text = (folder / name).read_text(encoding="utf-8")
    else:
        resource = resources.files("ips_outcomes.study") / "layouts" / f"{name}.toml"
        text = resource.read_text(encoding="utf-8")
    return Layout.model_validate(tomllib.loads(text))
