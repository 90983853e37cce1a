"""Parquet and Excel: values keep the type that the file gives them, whole numbers stay whole."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ips_outcomes.loaders.raw import DAMAGED, Finding, RawFile, Tally, pieces, refuse

__all__ = ["EXCEL", "PARQUET", "open_excel", "open_parquet"]

PARQUET = (".parquet",)
EXCEL = (".xlsx", ".xlsm")


# ------------------------------------------------------------------ Parquet


def open_parquet(path: Path) -> RawFile:
    """Open a Parquet file; its row groups are read one after the other.

    Raises
    ------
    DataError
        If the file is damaged or calls two columns by one name.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            holes = _may_lack(file.metadata, schema)
    except (pa.ArrowException, OSError):
        raise refuse(path, *DAMAGED) from None
    names = list(schema.names)
    for name in names:
        if names.count(name) > 1:
            raise refuse(path, f"{names.count(name)} columns are called {name}", "give each column a name of its own")
    formats = {f.name: f"Arrow {f.type.value_type if pa.types.is_dictionary(f.type) else f.type}" for f in schema}
    zones = [f.name for f in schema if pa.types.is_timestamp(f.type) and f.type.tz]
    found = tuple(
        Finding(f"column {name}: times carry a time zone ({schema.field(name).type.tz})", rows, rows,
                "the day is taken in that zone")
        for name in zones
    )  # fmt: skip
    notes = [metadata for f in [schema, *schema] for metadata in [f.metadata or {}]]
    labels = [v.decode("utf-8", "replace") for m in notes for k, v in m.items() if k not in (b"ARROW:schema", b"pandas")]

    def reader(positions: list[int], size: int, tally: Tally) -> Iterator[pd.DataFrame]:
        wanted = [names[p] for p in positions]
        try:
            with pq.ParquetFile(path) as file:
                waiting: list[pa.RecordBatch] = []
                number = given = 0
                for piece in file.iter_batches(batch_size=min(size, 1 << 16), columns=wanted):
                    batch = piece
                    while number + batch.num_rows >= size:
                        part = size - number
                        yield _from_arrow(path, [*waiting, batch.slice(0, part)], wanted, holes)
                        waiting, number, given, batch = [], 0, given + 1, batch.slice(part)
                    if batch.num_rows:
                        waiting.append(batch)
                        number += batch.num_rows
                if waiting or not given:
                    empty = pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(name) for name in wanted]))
                    yield _from_arrow(path, waiting or [empty], wanted, holes)
        except (pa.ArrowException, OSError):
            raise refuse(path, *DAMAGED) from None

    return RawFile(path, names, formats, tuple(dict.fromkeys(labels)), found, reader, rows)


def _may_lack(metadata: pq.FileMetaData, schema: pa.Schema) -> set[str]:
    """Columns in which a value may be missing, as far as the file tells."""
    lacking = set()
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            known = column.statistics is not None and column.statistics.has_null_count
            if not known or column.statistics.null_count:
                lacking.add(column.path_in_schema.split(".")[0])
    return lacking & set(schema.names)


def _from_arrow(path: Path, batches: list[pa.RecordBatch], wanted: list[str], holes: set[str]) -> pd.DataFrame:
    table = pa.Table.from_batches(batches)
    made = {n: _arrow_column(path, table[name].combine_chunks(), name, name in holes) for n, name in enumerate(wanted)}
    return pd.DataFrame(made, index=range(table.num_rows))


def _arrow_column(path: Path, values: pa.Array, name: str, holes: bool) -> np.ndarray:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if pa.types.is_boolean(kind):
        # true and false stand for 1 and 0, as in every other format
        values = values.cast(pa.int8())
        kind = values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        if getattr(kind, "tz", None):
            values = pc.local_timestamp(values)
        elif pa.types.is_date64(kind):
            values = values.cast(pa.timestamp("ms"))
        if values.type == pa.date32():
            return values.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False)
        return pc.floor_temporal(values, unit="second").cast(pa.timestamp("s")).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind):
        if not holes and kind != pa.uint64():
            return values.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if kind.bit_width < 64:
            return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    elif pa.types.is_floating(kind) or (pa.types.is_decimal(kind) and kind.scale > 0):
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    elif pa.types.is_decimal(kind):
        values = values.cast(pa.decimal128(38, 0)) if kind.bit_width <= 128 else values
    elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise refuse(path, f"the column holds values of type {kind}", "write it as text, numbers or dates", f"column {name}")
    # whole numbers too long for a float, and whatever else is written plainly: digits and text as they stand
    return pc.fill_null(values.cast(pa.string()), "").to_numpy(zero_copy_only=False)


# ------------------------------------------------------------------ Excel

_ERRORS = {"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def open_excel(path: Path, sheet: str | None, decimal: str) -> RawFile:
    """Open a sheet of a workbook: the one named, or the first that is not hidden.

    A sheet is small enough to be held whole. Where a column mixes numbers and
    text, its numbers are written with ``decimal``, as the text beside them is.

    Raises
    ------
    DataError
        If the file is damaged, the sheet is not there or empty, or a column
        with values has no name.
    """
    import python_calamine

    try:
        # calamine's own errors are plain exceptions, and its reader may fall over a broken file
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        hidden = {m.name for m in book.sheets_metadata if m.visible != python_calamine.SheetVisibleEnum.Visible}
        names = list(book.sheet_names)
        seen = [name for name in names if name not in hidden]
        if sheet is not None and sheet not in names:
            raise refuse(path, f"there is no sheet {sheet}", f"write sheet = one of: {', '.join(names)}")
        chosen = sheet if sheet is not None else (seen or names)[0]
        cells = book.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
        errors = _error_cells(path, chosen)
    except python_calamine.PasswordError:
        raise refuse(path, "the workbook is locked with a password", "save it without") from None
    except (python_calamine.CalamineError, OSError, zipfile.BadZipFile, ET.ParseError, KeyError, EOFError):
        raise refuse(path, *DAMAGED) from None
    except BaseException as error:
        if type(error).__module__ == "pyo3_runtime":
            raise refuse(path, *DAMAGED) from None
        raise
    for (row, column), written in errors.items():
        if row < len(cells) and column < len(cells[row]):
            cells[row][column] = written
    header, table = _header(path, cells, chosen)
    found = []
    if sheet is None and len(names) > 1:
        rule = f"the workbook has further sheets ({len(hidden)} hidden)"
        found.append(
            Finding(rule, len(names) - 1, len(names), 'only the first was read: sheet = "..." names another', unit="sheets")
        )
    if chosen in hidden:
        found.append(Finding("the sheet that is read is hidden", 1, len(names), "read all the same", unit="sheets"))
    formats = {name: "Excel date" if _has_dates([r[n] for r in table]) else "" for name, n in header}
    columns = [_excel_column([r[n] for r in table], decimal) for _, n in header]
    wrong = {name: sum(isinstance(r[n], str) and r[n] in _ERRORS for r in table) for name, n in header}

    def reader(positions: list[int], size: int, tally: Tally) -> Iterator[pd.DataFrame]:
        for position in dict.fromkeys(positions):
            name = header[position][0]
            tally.add(f"column {name}: cells whose formula went wrong (#N/A and the like)", wrong[name], "not a value: mend the sheet",
                      "severe")  # fmt: skip
        whole = pd.DataFrame({n: columns[p] for n, p in enumerate(positions)}, index=range(len(table)))
        yield from pieces(whole, size)

    return RawFile(path, [name for name, _ in header], formats, tuple(names), tuple(found), reader, len(table))


def _header(path: Path, cells: list[list[Any]], sheet: str) -> tuple[list[tuple[str, int]], list[list[Any]]]:
    rows = [row for row in cells if any(cell not in ("", None) for cell in row)]
    if not rows:
        raise refuse(path, f"sheet {sheet} is empty", 'name the sheet with the data: sheet = "..." under the source')
    names = [_cell_text(cell, ".") for cell in rows[0]]
    blank = [n for n, name in enumerate(names) if not name.strip() and any(row[n] not in ("", None) for row in rows[1:])]
    if blank:
        rule = "columns with values have no name in the first row: it may be a title, or its cells are merged"
        remedy = "leave one row of names, a name a column, above the values"
        raise refuse(path, rule, remedy, f"sheet {sheet}", len(blank), "columns")
    return [(name, n) for n, name in enumerate(names) if name.strip()], rows[1:]


def _cell_text(cell: Any, decimal: str) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        if float(cell).is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        return repr(cell).replace(".", decimal)
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    if isinstance(cell, (dt.datetime, dt.date, dt.time)):
        return cell.isoformat()
    return "" if cell is None else str(cell)


def _has_dates(values: list[Any]) -> bool:
    return any(isinstance(value, dt.date) for value in values)


def _excel_column(values: list[Any], decimal: str) -> np.ndarray:
    filled = [value for value in values if value not in ("", None)]
    if filled and all(isinstance(value, dt.date) for value in filled):
        days = [np.datetime64(v, "s") if v not in ("", None) else np.datetime64("NaT", "s") for v in values]
        return np.array(days, dtype="datetime64[s]")
    if filled and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in filled):
        return np.array([float(v) if v not in ("", None) else np.nan for v in values])
    return np.array([_cell_text(value, decimal) for value in values], dtype=object)


def _error_cells(path: Path, sheet: str) -> dict[tuple[int, int], str]:
    """Cells that hold an error: calamine shows them as empty ones, which would be missing values in silence."""
    found = {}
    with zipfile.ZipFile(path) as parts:
        book = ET.fromstring(parts.read("xl/workbook.xml"))  # noqa: S314
        links = ET.fromstring(parts.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
        target = {link.get("Id"): link.get("Target", "") for link in links}
        number = next(s.get(_REL) for s in book.iter(f"{_MAIN}sheet") if s.get("name") == sheet)
        part = target[number]
        inside = part.lstrip("/") if part.startswith("/") else f"xl/{part}"
        raw = parts.read(inside)
    for cell in re.finditer(rb"<(?:\w+:)?c\b([^>]*\bt=\"e\"[^>]*)>(.*?)</(?:\w+:)?c>", raw, re.DOTALL):
        place = re.search(rb"\br=\"([A-Z]+)(\d+)\"", cell[1])
        written = re.search(rb"<(?:\w+:)?v>([^<]*)</", cell[2])
        if place is not None:
            column = 0
            for letter in place[1].decode():
                column = column * 26 + ord(letter) - 64
            text = written[1].decode("utf-8", "replace") if written else "#N/A"
            found[int(place[2]) - 1, column - 1] = text if text in _ERRORS else "#N/A"
    return found
