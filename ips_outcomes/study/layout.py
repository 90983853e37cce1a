"""Layouts: how one kind of extract looks, as data.

A layout is a TOML file. It says which harmonised table the extract feeds, how
its columns are called and typed, and how sure the knowledge is. Adding a
register is adding such a file, or naming one's own in the study file.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["Column", "Layout", "Wide", "builtin_layouts", "load_layout"]

Table = Literal[
    "participants", "jobs", "job_months", "people", "residence", "programmes", "benefits", "education", "income", "services"
]
Certainty = Literal["verified", "secondary", "derived", "assumed"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column of an extract and what it becomes.

    ``type``: ``key`` (pseudonymous key, kept as text), ``text``, ``code``
    (translated through ``codes``), ``integer``, ``number``, ``date``,
    ``month``. ``dates`` says how a date is written: ``iso``, ``yyyymmdd``,
    ``yyyymm_first`` and ``yyyymm_last`` (the first or last day of that month),
    ``stata`` (days since 1960, or a Stata date), ``native`` (the file's own
    date type). ``certainty`` is given where it differs from the layout's.

    ``aliases`` are other names that deliveries give the same column.
    ``codes`` may name a range of whole numbers (``"10-60"``).
    ``valid_from`` says from which month (``YYYY-MM``) a code meant anything.
    ``checkbox`` stands for REDCap's ``name___code`` columns: the value is the
    code of the box that is ticked, or several codes joined by ``+`` in the
    order of the columns.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    match: Literal["exact", "suffix"] = "exact"
    type: Literal["key", "text", "code", "integer", "number", "date", "month", "checkbox"]
    dates: Literal["iso", "yyyymmdd", "yyyymm_first", "yyyymm_last", "stata", "native"] = "iso"
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
            between = range(int(ends[1]), int(ends[2]) + 1) if ends else ()
            plain |= dict.fromkeys(map(str, between), meaning) if ends else {code: meaning}
        return plain


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
        if "year" not in re.compile(pattern).groupindex:
            raise ValueError("the pattern needs the named group year, and month where columns are months")
        return pattern


class TextFormat(_Strict):
    """How a text file is written."""

    delimiter: str = ";"
    encoding: str = "utf-8"
    decimal: Literal[",", "."] = ","


class Layout(_Strict):
    """A kind of extract.

    ``constants`` are values that every row has, such as ``benefit = "aap"``.
    ``rows`` keeps only rows whose raw column holds one of the values (an event
    of REDCap, say); the others are set aside and counted. ``open_end`` says
    what a spell without an end is: still going on, or not usable.
    """

    title: str
    table: Table
    kind: Literal["FIXED", "STATUS", "EVENT", "ACCUMULATED"]
    knowledge: str
    certainty: Certainty
    source_system: str = ""
    file_month: str = ""
    constants: dict[str, str] = Field(default_factory=dict)
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    open_end: Literal["open", "drop"] = "open"
    wide: Wide | None = None
    text: TextFormat = TextFormat()
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _parts_agree(self) -> Layout:
        both = sorted(set(self.constants) & set(self.columns))
        if both:
            raise ValueError(f"a column is either delivered or a constant, not both: {', '.join(both)}")
        if self.wide is not None and self.wide.becomes not in self.columns:
            raise ValueError(f"wide.becomes is not a column of the layout: {self.wide.becomes}")
        return self

    @field_validator("file_month")
    @classmethod
    def _pattern_names_year_and_month(cls, pattern: str) -> str:
        if pattern and not {"year", "month"} <= set(re.compile(pattern).groupindex):
            raise ValueError("file_month needs the named groups year and month")
        return pattern


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
