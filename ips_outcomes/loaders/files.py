"""Opening files: every format gives text or plain numbers, and nothing is guessed.

Text is read as text and converted by the layout, because every reader leaves
"1 234,50" as text in silence. Dates of Stata, SPSS and SAS are read as the raw
numbers that the file holds and converted by the layout, for the same reason.
A file comes in pieces, so that a nation's register need not fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ips_outcomes.loaders.letters import as_meant, garbled, garbled_labels, lost
from ips_outcomes.loaders.raw import Finding, RawFile, refuse
from ips_outcomes.loaders.statistics_files import STATISTICS, open_statistics
from ips_outcomes.loaders.table_files import EXCEL, PARQUET, open_excel, open_parquet
from ips_outcomes.loaders.text_files import TEXT, open_text
from ips_outcomes.study import Layout, Source

__all__ = ["TEXT", "Finding", "RawFile", "chunks", "column_names", "open_raw", "read_text"]

_NO_COLUMN = "the column is not in the file"


def open_raw(path: Path, layout: Layout, source: Source) -> RawFile:
    """Open one file of a source: its columns, formats and labels, and no rows yet.

    Raises
    ------
    DataError
        If the file is empty, damaged, in another encoding, or of a type that
        is not read.
    """
    kind = path.suffix.lower()
    encoding = source.encoding or layout.text.encoding
    if kind in TEXT:
        needed = {source.columns.get(c, spec.name) for c, spec in layout.columns.items() if spec.required}
        raw = open_text(path, source.delimiter or layout.text.delimiter, encoding,
                        short_rows=getattr(source, "short_rows", "refuse"), needed=needed, settings=True)  # fmt: skip
    elif kind in STATISTICS:
        raw = open_statistics(path, source.encoding)
    elif kind in PARQUET:
        raw = open_parquet(path)
    elif kind in EXCEL:
        raw = open_excel(path, getattr(source, "sheet", None), source.decimal or layout.text.decimal)
    else:
        remedy = f"save it as one of: {', '.join([*TEXT, *PARQUET, *STATISTICS, *EXCEL])}"
        raise refuse(path, f"files of type {kind or 'unknown'} are not read", remedy)
    return _with_letters(raw)


def _with_letters(raw: RawFile) -> RawFile:
    headers, labels = garbled_labels(raw.columns), garbled_labels(raw.labels)
    found = []
    if headers:
        action = "columns are found by the name as written and by the name as meant"
        found.append(
            Finding("column names with UTF-8 letters shown as Latin-1", headers, len(raw.columns), action, unit="columns")
        )
    if labels:
        found.append(Finding("labels with UTF-8 letters shown as Latin-1", labels, len(raw.labels), "not used", unit="labels"))
    return RawFile(raw.path, raw.columns, raw.formats, raw.labels, raw.opened + tuple(found), raw.reader, raw.rows, raw.plain)


def _positions(raw: RawFile, columns: list[str]) -> list[int]:
    meant = [as_meant(name) for name in raw.columns]
    found = []
    for column in columns:
        names = raw.columns if column in raw.columns else meant
        if column not in names:
            raise refuse(raw.path, _NO_COLUMN, "mend the columns under the source in the study file", f"column {column}")
        found.append(names.index(column))
    return found


def chunks(raw: RawFile, columns: list[str] | None = None, *, size: int = 500_000) -> Iterator[pd.DataFrame]:
    """The rows of a file, piece by piece.

    Parameters
    ----------
    raw : RawFile
    columns : list of str, optional
        Names as written, or as meant where a name's letters were garbled; all
        columns where none are named. The order asked for is kept.
    size : int
        Rows in a piece; the last has fewer. An empty file gives one empty piece.

    Yields
    ------
    DataFrame
        Text (``""`` where missing), floats (NaN where missing) or
        ``datetime64[s]`` (the file's own dates in Parquet and Excel). The index
        runs on from piece to piece, and a column's type is the same in each.

    Raises
    ------
    DataError
        If the file is found damaged on the way. Pieces that came before belong
        to a damaged file: whoever keeps them takes them back.

    Notes
    -----
    ``raw.findings`` is complete when the last piece has gone by, and speaks of
    the columns that were asked for.
    """
    positions = list(range(len(raw.columns))) if columns is None else _positions(raw, columns)
    names = raw.columns if columns is None else columns
    raw.tally.clear()
    for piece in raw.reader(positions, size, raw.tally):
        start = raw.tally.rows
        raw.tally.rows += len(piece)
        table = piece.set_axis(pd.RangeIndex(start, raw.tally.rows)).set_axis(pd.Index(names, dtype=object), axis=1)
        if not raw.plain:
            _count_letters(raw, table)
        yield table


def _count_letters(raw: RawFile, table: pd.DataFrame) -> None:
    for number, name in enumerate(table.columns):
        values = table.iloc[:, number]
        if values.dtype == object:
            rule = f"column {as_meant(name)}: values with UTF-8 letters shown as Latin-1"
            raw.tally.add(rule, garbled(values), "kept as written: ask how the file was made")
            rule = f"column {as_meant(name)}: values with letters that an earlier program has lost"
            raw.tally.add(rule, lost(values), "kept as written: ask for the delivery again")


def column_names(path: Path, layout: Layout, source: Source) -> list[str]:
    """Names of a file's columns, with garbled letters as they were meant."""
    return [as_meant(name) for name in open_raw(path, layout, source).columns]


def read_text(path: Path, delimiter: str, encoding: str, columns: list[str] | None) -> pd.DataFrame:
    """The wanted columns of a text file as text, or no rows and every column where ``columns`` is None.

    Raises
    ------
    DataError
        If the file is empty or damaged, in another encoding, or has rows of
        other lengths than its header.
    """
    raw = _with_letters(open_text(path, delimiter, encoding))
    if columns is None:
        return pd.DataFrame([], columns=pd.Index([as_meant(name) for name in raw.columns], dtype=object))
    return pd.concat(chunks(raw, columns))
