"""Files of Stata, SPSS and SAS: raw numbers and codes, with the file's own formats and missing codes.

pandas misreads some SAS files, so pyreadstat reads all of them. A piece is
read by its first row and its number of rows. Stata and SPSS files find a row
by its place (in a compressed SPSS file the rows before are passed over at
about 0.03 s a million), so that pieces cost no more than the whole. A SAS
transport file is read from its beginning for every piece, about 1 s a million
rows passed over.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError
from ips_outcomes.loaders.raw import DAMAGED, RawFile, Tally, refuse

__all__ = ["STATISTICS", "open_statistics"]

STATISTICS = (".dta", ".sav", ".zsav", ".sas7bdat", ".xpt")


def _call(path: Path, encoding: str | None, **how: Any) -> tuple[pd.DataFrame, Any]:
    import pyreadstat

    readers: dict[str, Callable[..., tuple[pd.DataFrame, Any]]] = {
        ".dta": pyreadstat.read_dta, ".sav": pyreadstat.read_sav, ".zsav": pyreadstat.read_sav,
        ".sas7bdat": pyreadstat.read_sas7bdat, ".xpt": pyreadstat.read_xport,
    }  # fmt: skip
    kind = path.suffix.lower()
    if kind != ".xpt":
        how["user_missing"] = True
    if encoding is not None:
        how["encoding"] = codecs.lookup(encoding).name
    try:
        return readers[kind](str(path), disable_datetime_conversion=True, **how)
    except (UnicodeError, ValueError, OverflowError, MemoryError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        # the type and the reader's own words say enough; the rest of the text could hold a value
        if isinstance(error, UnicodeError) or "invalid byte sequence" in str(error):
            raise _encoding_problem(path) from None
        raise refuse(path, *DAMAGED) from None


def _encoding_problem(path: Path) -> DataError:
    rule = "the file is damaged or not of this format, or its letters are in another encoding than it says"
    return refuse(path, rule, 'write encoding = "latin-1" under the source, or ask for the delivery again')


def _system(kind: str) -> str:
    return {".dta": "", ".sav": "SPSS ", ".zsav": "SPSS "}.get(kind, "SAS ")


def open_statistics(path: Path, encoding: str | None = None) -> RawFile:
    """Open a file of Stata, SPSS or SAS.

    Raises
    ------
    DataError
        If the file is damaged or not of its format.
    """
    kind = path.suffix.lower()
    _, meta = _call(path, encoding, metadataonly=True)
    told = _transport_rows(path, sum(meta.variable_storage_width.values())) if kind == ".xpt" else meta.number_rows
    if kind == ".dta":
        _ends_as_it_should(path)
    names = list(meta.column_names)
    own = meta.original_variable_types
    formats = {name: f"{_system(kind)}{own[name]}" if own.get(name) not in (None, "", "NULL") else "" for name in names}
    texts = {name for name in names if meta.readstat_variable_types.get(name) == "string"}
    rows = told if told is not None and told >= 0 else None

    def reader(positions: list[int], size: int, tally: Tally) -> Iterator[pd.DataFrame]:
        wanted = [names[p] for p in positions]
        done = 0
        while True:
            left = size if rows is None else min(size, rows - done)
            # a limit of 0 rows would mean all of them, which is the same where there are none
            table, about = _call(path, encoding, usecols=wanted, row_offset=done, row_limit=left)
            if rows is not None and len(table) != left:
                raise refuse(path, *DAMAGED)
            if rows is None and done and table.empty:
                return
            ranges = getattr(about, "missing_ranges", {}) or {}
            made = {n: _column(table[c], c, c in texts, ranges.get(c, []), tally) for n, c in enumerate(wanted)}
            yield pd.DataFrame(made, index=range(len(table)))
            done += len(table)
            if (rows is None and len(table) < size) or done == rows:
                return

    return RawFile(path, names, formats, _labels(meta), (), reader, rows)


def _ends_as_it_should(path: Path) -> None:
    """Newer Stata files close with a mark: where it lacks the file was cut, be it behind the rows."""
    with path.open("rb") as file:
        if file.read(11) == b"<stata_dta>":
            file.seek(-12, 2)
            if file.read() != b"</stata_dta>":
                raise refuse(path, *DAMAGED)


def _transport_rows(path: Path, width: int) -> int | None:
    """Rows of a SAS transport file, which version 8 tells; version 5 only shows whether it ends with a whole row.

    The file is made of records of 80 bytes, and behind the last row stand
    blanks that fill up a record.
    """
    with path.open("rb") as file:
        content, at = b"", -1
        while at < 0 and (block := file.read(1 << 16)):
            content += block
            at = content.find(b"HEADER RECORD*******OBS")
        size = path.stat().st_size
        start = at + 80
        if at < 0 or size % 80 or not width or len(content) < start:
            raise refuse(path, *DAMAGED)
        if content[at + 23 : at + 25] == b"V8" and content[at + 48 : start].split():
            told = content[at + 48 : start].split()[0]
            if not told.isdigit() or size - start < int(told) * width:
                raise refuse(path, *DAMAGED)
            return int(told)
        left = (size - start) % width
        file.seek(size - left)
        if left >= 80 or file.read().strip(b" \0"):
            raise refuse(path, *DAMAGED)
    return None


def _labels(meta: Any) -> tuple[str, ...]:
    found = [meta.file_label, meta.table_name, *(meta.notes or []), *meta.column_names_to_labels.values()]
    for labels in meta.variable_value_labels.values():
        found += [str(label) for label in labels.values()]
    return tuple(dict.fromkeys(str(label) for label in found if label))


def _column(values: pd.Series, name: str, text: bool, ranges: list[dict[str, Any]], tally: Tally) -> np.ndarray:
    """One column as text or as floats, with codes that the file declares missing taken out and counted."""
    rule, action = f"column {name}: codes that the file declares missing", "treated as missing"
    if text:
        written = values.to_numpy(dtype=object, copy=True)
        written[values.isna().to_numpy()] = ""
        if ranges:
            bare = pd.Series(written).str.strip()
            declared = (bare.isin([str(r["lo"]).strip() for r in ranges]) & (bare != "")).to_numpy()
            tally.add(rule, int(declared.sum()), action, "note")
            written[declared] = ""
        return written
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float)
    else:
        # Stata's .a to .z and SAS's .A to ._ come as letters beside numbers
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
        tally.add(rule, int((np.isnan(numbers) & values.notna().to_numpy()).sum()), action, "note")
    for limits in ranges:
        declared = (numbers >= float(limits["lo"])) & (numbers <= float(limits["hi"]))
        tally.add(rule, int(declared.sum()), action, "note")
        numbers = np.where(declared, np.nan, numbers)
    return numbers
