"""Delimited text: each row has the header's number of fields, or the file is refused.

Two roads give the same rows. The fast one is Arrow's parser; the careful one
is Python's csv module, which looks at every row, says which are wrong, and is
taken as soon as the fast one meets anything out of the ordinary.
"""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.raw import Finding, RawFile, Tally, refuse

__all__ = ["TEXT", "open_text"]

#: Text files. A linkage list is always one of these.
TEXT = (".csv", ".txt", ".tsv")

_BLOCK = 1 << 22
_PADDED = "rows shorter than the header"
_PAD = 'if the program that wrote the file leaves out empty cells at a row\'s end, write short_rows = "pad" under the source'


@dataclass(frozen=True)
class _Text:
    """How one text file is written, and what is in it as a whole."""

    path: Path
    delimiter: str
    encoding: str
    header: list[str]
    #: Fields of the header line and of the first row, empty ones at the end included.
    wide: int
    #: Bytes up to the first row; below 0 where the encoding does not let them be counted.
    start: int
    quotes: bool
    #: The last byte: a line end where the last line is ended.
    last: bytes
    short_rows: str
    needed: int
    settings: bool


class _OddError(Exception):
    """Something that only the careful road can judge."""


def open_text(
    path: Path, delimiter: str, encoding: str, *, short_rows: str = "refuse", needed: set[str] | None = None,
    settings: bool = False,
) -> RawFile:  # fmt: skip
    """Open a delimited text file.

    A mark of the file's own (BOM) goes before the stated encoding. With
    ``short_rows="pad"`` rows that lack fields at their end are filled up with
    empty ones and counted: never the last row alone, never a column named in
    ``needed``, and not unless some row is whole. ``settings`` tells whether
    the reader of a message can set ``short_rows``.

    Raises
    ------
    DataError
        If the file is empty or damaged, or in another encoding.
    """
    stated, encoding = encoding, _own_encoding(path, encoding)
    plain, quotes, last = _look_through(path, encoding)
    try:
        header, first, start = _beginning(path, delimiter, encoding)
    except csv.Error:
        raise _damaged(path) from None
    found: tuple[Finding, ...] = ()
    if encoding != stated and codecs.lookup(stated).name != encoding.removesuffix("-sig"):
        rule = f"the file begins with a mark that it is {encoding.removesuffix('-sig')}, not {stated} as stated"
        found = (Finding(rule, 1, 1, "the file's own mark was followed", "note", "files"),)
    names = list(header)
    while not names[-1].strip():
        names.pop()
    where = [names.index(column) + 1 for column in needed or () if column in names]
    text = _Text(path, delimiter, encoding, names, max(len(header), len(first)), start, quotes, last, short_rows,
                 max(where, default=1), settings)  # fmt: skip

    def reader(positions: list[int], size: int, tally: Tally) -> Iterator[pd.DataFrame]:
        given = 0
        if text.start >= 0 and len(names) > 1:
            try:
                for piece in _fast(text, positions, size):
                    yield piece
                    given += 1
                return
            except (_OddError, pa.ArrowException, UnicodeError):
                # rows that were given stand: both roads cut the file into the same pieces
                pass
        for number, piece in enumerate(_careful(text, positions, size, tally)):
            if number >= given:
                yield piece

    return RawFile(path, names, dict.fromkeys(names, ""), (), found, reader, None, plain)


def _damaged(path: Path) -> DataError:
    return refuse(path, "the file is damaged or not text", "check the quoting, or ask for the delivery again")


def _own_encoding(path: Path, stated: str) -> str:
    """The encoding that the study states, unless the file itself begins with a mark of its own."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:3] == b"\xef\xbb\xbf":
        return "utf-8-sig"
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else stated


def _one_byte(encoding: str) -> bool:
    name = codecs.lookup(encoding).name
    return name.startswith(("iso8859", "cp125", "latin")) or name == "ascii"


def _look_through(path: Path, encoding: str) -> tuple[bool, bool, bytes]:
    """Whether all bytes are ASCII, whether there are quotes, and the last byte.

    Raises
    ------
    DataError
        If the bytes are not text in this encoding, or plainly are in another.
    """
    decoder, other = codecs.getincrementaldecoder(encoding)(), codecs.getincrementaldecoder("utf-8")()
    plain, quotes, holds_zero, last, also_utf8 = True, False, False, b"", True
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                ascii_only = block.isascii()
                plain, quotes, last = plain and ascii_only, quotes or b'"' in block, block
                holds_zero = holds_zero or b"\0" in block
                if not (plain and (_one_byte(encoding) or encoding == "utf-8")):
                    decoder.decode(block)
                if also_utf8 and not plain and _one_byte(encoding):
                    try:
                        other.decode(block)
                    except UnicodeDecodeError:
                        also_utf8 = False
            decoder.decode(b"", final=True)
    except UnicodeError:
        remedy = 'name the encoding in the study file, such as encoding = "latin-1"'
        raise refuse(path, f"this is not {encoding} text", remedy) from None
    if holds_zero and not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        raise _damaged(path)
    if _one_byte(encoding) and not plain and also_utf8:
        try:
            other.decode(b"", final=True)
        except UnicodeDecodeError:
            return plain, quotes, last[-1:]
        rule = f"this is utf-8 text, not {encoding}: every letter outside ASCII would come out as two others"
        raise refuse(path, rule, 'write encoding = "utf-8" in the study file')
    return plain, quotes, last.rstrip(b"\0")[-1:]


class _Rows:
    """Rows of a text file by the csv module, which tells no end inside a quoted field from a good one."""

    def __init__(self, path: Path, delimiter: str, encoding: str):
        self._file = path.open(encoding=encoding, newline="")
        self._over = False
        self.read = 0
        #: Fields of the header once it is known: where it has one, a row of one empty field is a row.
        self.width = 0
        self._encoding = encoding
        self._reader = csv.reader(self._lines(), delimiter=delimiter)

    def _lines(self) -> Iterator[str]:
        for line in self._file:
            self.read += len(line.encode("utf-8")) if self._encoding.startswith("utf-8") else len(line)
            yield line
        self._over = True

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[list[str]]:
        for row in self._reader:
            if self._over:
                # a row that comes when no line is left was still waiting for the end of its quotes
                raise _Unended(row)
            # a line with nothing on it is no row
            if len(row) > 1 or (row and (row[0].strip() or self.width == 1)):
                yield row

    def after_header(self, width: int) -> Iterator[list[str]]:
        """The rows below the header."""
        found = iter(self)
        next(row for row in found if any(field.strip() for field in row))
        self.width = width
        return found


class _Unended(csv.Error):
    def __init__(self, row: list[str]):
        super().__init__("the file ends inside quotes")
        self.row = row


def _beginning(path: Path, delimiter: str, encoding: str) -> tuple[list[str], list[str], int]:
    """The header, the first row, and the number of bytes before the first row."""
    name = codecs.lookup(encoding).name
    with _Rows(path, delimiter, encoding) as rows:
        found = iter(rows)
        header = next((row for row in found if any(field.strip() for field in row)), None)
        if header is None:
            raise refuse(path, "the file is empty", "ask for the delivery again")
        start = rows.read + (3 if name == "utf-8-sig" else 0)
        try:
            first = next(found, [])
        except csv.Error:
            first = []
    return header, first, start if name in ("utf-8", "utf-8-sig") or _one_byte(encoding) else -1


def _fast(text: _Text, positions: list[int], size: int) -> Iterator[pd.DataFrame]:
    wide, width = max(text.wide, len(text.header)), len(text.header)

    def judge(row: pa_csv.InvalidRow) -> str:
        return "skip" if row.actual_columns == 1 and not row.text.strip() else "error"

    names = [str(number) for number in range(wide)]
    beyond = names[width:]
    wanted = list(dict.fromkeys([names[p] for p in positions] + beyond + names[-1:]))
    with text.path.open("rb") as file:
        file.seek(text.start)
        if not file.read(1):
            yield pd.DataFrame({number: pd.Series([], dtype=object) for number in range(len(positions))})
            return
        file.seek(text.start)
        encoding = "utf8" if text.encoding.lower().startswith("utf") else text.encoding
        stream = pa_csv.open_csv(
            file,
            pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names, encoding=encoding),
            pa_csv.ParseOptions(delimiter=text.delimiter, newlines_in_values=text.quotes, invalid_row_handler=judge),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=wanted,
                                  strings_can_be_null=False, quoted_strings_can_be_null=False),
        )  # fmt: skip
        waiting: list[pa.RecordBatch] = []
        number, given, end = 0, 0, ""
        for batch in stream:
            _no_oddity(batch, beyond)
            end = batch[names[-1]][-1].as_py() if batch.num_rows else end
            while number + batch.num_rows >= size:
                part = size - number
                yield _frame([*waiting, batch.slice(0, part)], names, positions)
                waiting, number, given, batch = [], 0, given + 1, batch.slice(part)
            if batch.num_rows:
                waiting.append(batch)
                number += batch.num_rows
        if text.quotes and not _closed(text, end):
            raise _OddError
        if waiting or not given:
            yield _frame(waiting, names, positions)


def _closed(text: _Text, end: str) -> bool:
    """Whether the last field surely is no quoted one that the end of the file broke off: Arrow takes those without a word."""
    if text.last in (b"\n", b"\r"):
        return not end.endswith(("\n", "\r"))
    return text.last == b'"' and end != "" and not end.endswith('"')


def _no_oddity(batch: pa.RecordBatch, beyond: list[str]) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        bytes_in = column.nbytes
        if name in beyond and any(column.unique().to_pylist()):
            raise _OddError
        # the csv module takes no field longer than its limit: such a field is an unended quote
        if bytes_in > csv.field_size_limit() and max(len(value) for value in column.to_pylist()) > csv.field_size_limit():
            raise _OddError


def _frame(batches: list[pa.RecordBatch], names: list[str], positions: list[int]) -> pd.DataFrame:
    if not batches:
        return pd.DataFrame({number: pd.Series([], dtype=object) for number in range(len(positions))})
    table = pa.Table.from_batches(batches)
    columns = {number: table[names[p]].to_pandas().to_numpy(dtype=object) for number, p in enumerate(positions)}
    return pd.DataFrame(columns, index=range(table.num_rows))


def _careful(text: _Text, positions: list[int], size: int, tally: Tally) -> Iterator[pd.DataFrame]:
    width = len(text.header)
    padded = _judge(text)
    tally.add(_PADDED, padded, 'filled up with empty cells, as short_rows = "pad" says', unit="rows")
    with _Rows(text.path, text.delimiter, text.encoding) as rows:
        found = rows.after_header(width)
        given = 0
        while part := list(islice(found, size)):
            short = [row if len(row) >= width else row + [""] * (width - len(row)) for row in part]
            columns = {number: [row[p] for row in short] for number, p in enumerate(positions)}
            yield pd.DataFrame(columns, index=range(len(part)), dtype=object)
            given += 1
        if not given:
            yield pd.DataFrame({number: pd.Series([], dtype=object) for number in range(len(positions))})


def _judge(text: _Text) -> int:
    """How many rows are short and may be filled up; refuses the file where a row has another number of fields."""
    width, number, whole, length, unended = len(text.header), 0, 0, 0, False
    wrong: list[int] = []
    short: list[int] = []
    lengths: Counter[int] = Counter()
    try:
        with _Rows(text.path, text.delimiter, text.encoding) as rows:
            for row in rows.after_header(width):
                number, length = number + 1, len(row)
                if length == width or (length > width and not any(row[width:])):
                    whole += 1
                elif length < width:
                    short.append(number)
                    lengths[length] += 1
                else:
                    wrong.append(number)
    except _Unended as error:
        number, unended = number + 1, True
        if len(error.row) == width:
            raise _damaged(text.path) from None
        wrong.append(number)
    except csv.Error:
        raise _damaged(text.path) from None
    if text.short_rows == "pad" and short and not wrong and not unended:
        # a file that was cut ends in a short row, and so does one whose last row alone is short
        alone = len(short) == 1 or (lengths[length] == 1 and length == min(lengths))
        cut = short[-1] == number and (alone or text.last not in (b"\n", b"\r"))
        if whole and not cut and min(lengths) >= text.needed:
            return len(short)
    wrong_all = sorted(wrong + short)
    if not wrong_all:
        return 0
    shown = ", ".join(map(str, wrong_all[:5])) + (" and more" if wrong_all[5:] else "")
    rule = "rows have another number of columns than the header"
    remedy = "check the delimiter and quoting, and that the file is whole"
    if text.settings and not wrong and whole:
        remedy += f"; {_PAD}" if text.short_rows != "pad" else "; no cell of a needed column is filled up, nor a last row alone"
    place = f"data row{'' if len(wrong_all) == 1 else 's'} {shown}"
    raise DataError([Problem(text.path.name, rule, remedy, place, len(wrong_all))])
