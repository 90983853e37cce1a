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

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["Column", "Layout", "builtin_layouts", "load_layout"]

Table = Literal["participants", "jobs", "job_months", "people", "residence", "programmes"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column of an extract and what it becomes.

    ``type``: ``key`` (pseudonymous key, kept as text), ``text``, ``code``
    (translated through ``codes``), ``integer``, ``number``, ``date``,
    ``month``. ``dates`` says how a date is written: ``iso`` (a time part is
    passed over), ``yyyymmdd``, ``ddmmyyyy`` ("16.01.2015", also with slash or
    hyphen), ``yyyymm_first`` and ``yyyymm_last`` (the first or last day of
    that month), ``yyyy_first`` and ``yyyy_last`` (of that year), ``stata`` and
    ``sas`` (days since 1960), ``sas_datetime`` (seconds since 1960), ``spss``
    (seconds since 14 October 1582), ``unix_days`` (days since 1970),
    ``native`` (a date by the file's own format, and nothing else). A value
    that the file itself marks as a date is read as that date under every kind.
    ``certainty`` is given where it differs from the layout's.
    """

    name: str = ""
    match: Literal["exact", "suffix"] = "exact"
    type: Literal["key", "text", "code", "integer", "number", "date", "month"]
    dates: Literal[
        "iso", "yyyymmdd", "ddmmyyyy", "yyyymm_first", "yyyymm_last", "yyyy_first", "yyyy_last",
        "stata", "sas", "sas_datetime", "spss", "unix_days", "native",
    ] = "iso"  # fmt: skip
    codes: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    required: bool = False
    unit: str = ""
    certainty: Literal["verified", "secondary", "derived", "assumed"] | None = None
    meaning: str


class TextFormat(_Strict):
    """How a text file is written."""

    delimiter: str = ";"
    encoding: str = "utf-8"
    decimal: Literal[",", "."] = ","


class Layout(_Strict):
    """A kind of extract."""

    title: str
    table: Table
    kind: Literal["FIXED", "STATUS", "EVENT", "ACCUMULATED"]
    knowledge: str
    certainty: Literal["verified", "secondary", "derived", "assumed"]
    source_system: str = ""
    file_month: str = ""
    text: TextFormat = TextFormat()
    columns: dict[str, Column]

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
