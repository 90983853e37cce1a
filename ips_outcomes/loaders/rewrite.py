"""Writing a file again with some columns changed and all else as it was.

Text files keep every other byte: delimiter, quotes, line ends, encoding. Stata
and SPSS files keep labels, formats and missing codes, Parquet its schema.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.files import TEXT
from ips_outcomes.loaders.identity_rules import masked

__all__ = ["FORMATS", "RawFile", "raw_file"]

FORMATS = (*TEXT, ".dta", ".sav", ".zsav", ".parquet", ".xlsx")
#: A column's name, some of its values and the data row of the first of them: the values to write, None for nothing.
Replace = Callable[[str, pd.Series, int], np.ndarray]
_ROWS = 50_000


def _refuse(path: Path, rule: str, remedy: str) -> DataError:
    return DataError([Problem(masked(path.name), rule, remedy)])


class RawFile(ABC):
    """One file, all columns as they stand in it."""

    names: list[str]
    labels: list[object]

    def __init__(self, path: Path) -> None:
        self.path, self.labels = path, []

    @property
    def ending(self) -> str:
        """The ending of the file that `rewrite` writes."""
        return self.path.suffix

    @abstractmethod
    def chunks(self) -> Iterator[pd.DataFrame]:
        """Every column, some rows at a time."""

    @abstractmethod
    def rewrite(self, target: Path, columns: set[str], replace: Replace) -> None:
        """Write the file again with the values of some columns replaced."""


def raw_file(path: Path, delimiter: str | None = None) -> RawFile:
    """Open a file of any format that can be written again.

    Raises
    ------
    DataError
        If the format is another one, or the file is empty or damaged.
    """
    kind = path.suffix.lower()
    if kind in TEXT:
        return _Text(path, delimiter)
    if kind in (".dta", ".sav", ".zsav"):
        return _Statistics(path)
    if kind == ".parquet":
        return _Parquet(path)
    if kind == ".xlsx":
        return _Workbook(path)
    raise _refuse(path, f"files of type {kind or 'unknown'} are not rewritten", f"save it as one of: {', '.join(FORMATS)}")


class _Text(RawFile):
    def __init__(self, path: Path, delimiter: str | None) -> None:
        super().__init__(path)
        self._encoding = self._encoded()
        self._delimiter = delimiter or self._delimited()
        header = next((fields for fields, _ in self._records() if _says_something(fields)), None)
        if header is None:
            raise _refuse(path, "the file is empty", "ask for the delivery again")
        self.names = [_plain(field.lstrip("\ufeff")) for field in header]

    def _encoded(self) -> str:
        """An encoding that gives every byte back; the marks at the start of a file are kept as text."""
        with self.path.open("rb") as file:
            start = file.read(2)
            if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16-le" if start == codecs.BOM_UTF16_LE else "utf-16-be"
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                while block := file.read(1 << 20):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "latin-1"
        return "utf-8"

    def _delimited(self) -> str:
        with self.path.open(encoding=self._encoding, newline="") as file:
            lines = [line.rstrip("\r\n") for _, line in zip(range(50), file, strict=False) if line.strip("\ufeff \t\r\n")]
        widths = {mark: [len(_split(line, mark) or ()) for line in lines] for mark in ";\t,|"}
        likely = [mark for mark, width in widths.items() if width and width[0] > 1]
        even = [mark for mark in likely if len(set(widths[mark])) == 1]
        if len(even or likely) > 1:
            raise _refuse(self.path, "several characters could stand between the columns", "name the right one with --delimiter")
        return (even or likely or [";"])[0]

    def _records(self) -> Iterator[tuple[list[str], str]]:
        """The fields of each record as written, quotes and all, and its line end."""
        begun = ""
        with self.path.open(encoding=self._encoding, newline="") as file:
            for line in file:
                record = begun + line
                text = record.rstrip("\r\n") if not begun else record[: len(record) - len(line) + len(line.rstrip("\r\n"))]
                fields = _split(text, self._delimiter)
                if fields is None:
                    begun = record
                    continue
                begun = ""
                yield fields, record[len(text) :]
        if begun:
            raise _refuse(self.path, "a quotation mark is opened and never closed", "check the quoting")

    def _batches(self) -> Iterator[tuple[list[tuple[list[str], str]], list[list[str]]]]:
        """Some records at a time, and the data rows among them: neither the header nor empty lines."""
        batch: list[tuple[list[str], str]] = []
        rows: list[list[str]] = []
        headed = False
        for fields, end in self._records():
            batch.append((fields, end))
            if headed and (len(fields) > 1 or fields[0].strip()):
                rows.append(fields)
            headed = headed or _says_something(fields)
            if len(batch) == _ROWS:
                yield batch, rows
                batch, rows = [], []
        yield batch, rows

    def chunks(self) -> Iterator[pd.DataFrame]:
        for _, rows in self._batches():
            width = max([len(self.names), *map(len, rows)])
            names = [*self.names, *(f"(column {number + 1})" for number in range(len(self.names), width))]
            cells = [[_plain(row[i]) if i < len(row) else None for row in rows] for i in range(width)]
            table = pd.DataFrame(dict(enumerate(cells)), index=range(len(rows)), dtype=object)
            yield table.set_axis(pd.Index(names, dtype=object), axis=1)

    def rewrite(self, target: Path, columns: set[str], replace: Replace) -> None:
        places, done = [i for i, name in enumerate(self.names) if name in columns], 0
        with target.open("w", encoding=self._encoding, newline="") as file:
            for batch, rows in self._batches():
                for i in places:
                    cells = [_inner(fields[i]) if i < len(fields) else "" for fields in rows]
                    new = replace(self.names[i], pd.Series(cells, dtype=object), done + 1)
                    for fields, old, value in zip(rows, cells, new, strict=True):
                        if value != old and i < len(fields):
                            quote = '"' if fields[i] != old else ""
                            fields[i] = f"{quote}{'' if value is None else value}{quote}"
                done += len(rows)
                file.writelines(self._delimiter.join(fields) + end for fields, end in batch)


def _says_something(fields: list[str]) -> bool:
    return any(field.strip("\ufeff \t") for field in fields)


def _split(record: str, mark: str) -> list[str] | None:
    """The fields of a record as written; None where a quotation mark is still open."""
    if '"' not in record:
        return record.split(mark)
    other = f"[^{re.escape(mark)}]*"
    field = re.compile(rf'((?:\ufeff)?"(?:[^"]|"")*+"{other}|(?!\ufeff?"){other})({re.escape(mark)}|\Z)', re.DOTALL)
    fields, at = [], 0
    while True:
        found = field.match(record, at)
        if found is None:
            return None
        fields.append(found[1])
        at = found.end()
        if not found[2]:
            return fields


def _inner(field: str) -> str:
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


def _plain(field: str) -> str:
    return _inner(field).replace('""', '"') if field.startswith('"') else field


class _Statistics(RawFile):
    """A Stata or SPSS file, held in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyreadstat

        reader = pyreadstat.read_dta if path.suffix.lower() == ".dta" else pyreadstat.read_sav
        try:
            self._table, self._meta = reader(str(path), disable_datetime_conversion=True, user_missing=True)
        except Exception as error:
            # pyreadstat has its own error types; their text could hold a value
            if type(error).__module__.startswith("pyreadstat") or isinstance(error, UnicodeDecodeError):
                raise _refuse(path, "the file is damaged or not of this format", "ask for the delivery again") from None
            raise
        self.names = list(map(str, self._table.columns))
        meta = self._meta
        self.labels = [meta.file_label, *meta.column_labels, *(meta.notes or [])]
        for labels in meta.variable_value_labels.values():
            self.labels += [*labels.keys(), *labels.values()]

    def chunks(self) -> Iterator[pd.DataFrame]:
        yield self._table

    def rewrite(self, target: Path, columns: set[str], replace: Replace) -> None:
        import pyreadstat

        meta, table = self._meta, self._table.copy(deep=False)
        for name in table.columns:
            if name in columns:
                new = replace(name, table[name], 1)
                table[name] = pd.Series(["" if value is None else value for value in new], dtype=object, index=table.index)
            elif meta.readstat_variable_types[name] in ("int8", "int16", "int32") and table[name].dtype.kind == "i":
                table[name] = table[name].astype(meta.readstat_variable_types[name])

        def kept(settings: dict[str, Any]) -> dict[str, Any]:
            return {name: setting for name, setting in settings.items() if name not in columns}

        common: dict[str, Any] = {
            "file_label": meta.file_label or "", "column_labels": meta.column_names_to_labels,
            "variable_value_labels": kept(meta.variable_value_labels), "variable_format": kept(meta.original_variable_types),
        }  # fmt: skip
        if target.suffix.lower() == ".dta":
            pyreadstat.write_dta(table, str(target), missing_user_values=kept(meta.missing_user_values) or None, **common)
            return
        ranges = {
            name: [one["lo"] if one["lo"] == one["hi"] else one for one in several]
            for name, several in kept(meta.missing_ranges).items()
        }
        pyreadstat.write_sav(
            table, str(target), compress=target.suffix.lower() == ".zsav", note=meta.notes or None, missing_ranges=ranges or None,
            variable_measure={name: str(one) for name, one in meta.variable_measure.items()}, variable_display_width=kept(meta.variable_display_width), **common,
        )  # fmt: skip


class _Parquet(RawFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow as pa
        from pyarrow import parquet

        try:
            self._schema = parquet.read_schema(path)
        except pa.ArrowInvalid:
            raise _refuse(path, "the file is damaged or not of this format", "ask for the delivery again") from None
        self.names = self._schema.names
        metadata = {**(self._schema.metadata or {})}
        metadata.pop(b"pandas", None)
        fields = [value for field in self._schema for value in (field.metadata or {}).values()]
        self.labels = [value.decode("utf-8", "replace") for value in (*metadata.values(), *fields)]

    def _batches(self) -> Iterator[Any]:
        from pyarrow import parquet

        with parquet.ParquetFile(self.path) as file:
            yield from file.iter_batches(_ROWS)

    def chunks(self) -> Iterator[pd.DataFrame]:
        # numbers stay whole where some are missing: no float in between
        yield from (pd.DataFrame(batch.to_pandas(integer_object_nulls=True, ignore_metadata=True)) for batch in self._batches())

    def rewrite(self, target: Path, columns: set[str], replace: Replace) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        schema = self._schema
        for i, name in enumerate(self.names):
            if name in columns:
                schema = schema.set(i, schema.field(i).with_type(pa.string()))
        if schema.metadata and b"pandas" in schema.metadata:
            told = json.loads(schema.metadata[b"pandas"])
            for column in told.get("columns", []):
                if column.get("name") in columns:
                    column.update(pandas_type="unicode", numpy_type="object", metadata=None)
            schema = schema.with_metadata({**schema.metadata, b"pandas": json.dumps(told).encode()})
        row = 1
        with parquet.ParquetWriter(target, schema) as writer:
            for batch in self._batches():
                arrays = list(batch.columns)
                for i, name in enumerate(self.names):
                    if name in columns:
                        values = pd.Series(batch.column(i).to_pandas(integer_object_nulls=True))
                        arrays[i] = pa.array(replace(name, values, row), type=pa.string())
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                row += batch.num_rows


class _Workbook(RawFile):
    """An Excel workbook with one sheet: written again as CSV, for no part of this program writes workbooks."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        from python_calamine import CalamineError, CalamineWorkbook

        try:
            book = CalamineWorkbook.from_path(str(path))
            sheets = [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=True)) for name in book.sheet_names]
        except CalamineError:
            raise _refuse(path, "the file is damaged or not of this format", "save it again, or as CSV") from None
        filled = [(name, rows) for name, rows in sheets if rows]
        if len(filled) != 1:
            raise _refuse(path, f"the workbook has {len(filled)} sheets that hold something", "save each sheet as CSV")
        self._rows = [[_cell(value) for value in row] for row in filled[0][1]]
        self.names = self._rows.pop(0)
        self.labels = [filled[0][0]]

    @property
    def ending(self) -> str:
        return ".csv"

    def chunks(self) -> Iterator[pd.DataFrame]:
        yield pd.DataFrame(self._rows, columns=pd.Index(self.names, dtype=object), dtype=object)

    def rewrite(self, target: Path, columns: set[str], replace: Replace) -> None:
        rows = [list(row) for row in self._rows]
        for i, name in enumerate(self.names):
            if name in columns:
                new = replace(name, pd.Series([row[i] for row in rows], dtype=object), 1)
                for row, value in zip(rows, new, strict=True):
                    row[i] = "" if value is None else value
        with target.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";", lineterminator="\n").writerows([self.names, *rows])


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
