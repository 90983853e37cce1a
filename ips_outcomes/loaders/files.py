"""Opening files: every format gives text or plain numbers, and nothing is guessed.

CSV is read as text and converted by the layout, because every reader leaves
"1 234,50" as text in silence. Stata and SPSS dates are read as the raw numbers
that the file holds and converted here, for the same reason.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.study import Layout, Source

__all__ = ["column_names", "read_columns", "read_text"]

#: Text files. A linkage list is always one of these.
TEXT = (".csv", ".txt", ".tsv")


def _pyreadstat() -> Any:
    import pyreadstat

    return pyreadstat


def _refuse(path: Path, rule: str, remedy: str) -> DataError:
    return DataError([Problem(path.name, rule, remedy)])


def _encoding(path: Path, stated: str) -> str:
    """The encoding that the study states, unless the file itself begins with a mark of its own."""
    with path.open("rb") as file:
        start = file.read(3)
    if start == b"\xef\xbb\xbf":
        return "utf-8-sig"
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else stated


def read_text(path: Path, delimiter: str, encoding: str, columns: list[str] | None) -> pd.DataFrame:
    """The wanted columns of a text file as text, or no rows and every column where ``columns`` is None.

    pandas takes a row with too few or too many fields without a word, and moves
    every column by one where all rows have one field too many. Here each row
    has the header's number of fields, save empty ones at its end.

    Raises
    ------
    DataError
        If the file is empty or damaged, in another encoding, or has rows of
        other lengths than its header.
    """
    encoding = _encoding(path, encoding)
    try:
        with path.open(encoding=encoding, newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            header = next((row for row in rows if any(field.strip() for field in row)), None)
            if header is None:
                raise _refuse(path, "the file is empty", "ask for the delivery again")
            while not header[-1].strip():
                header.pop()
            if columns is None:
                return pd.DataFrame([], columns=pd.Index(header, dtype=object))
            width, longest, number, wrong = len(header), len(header), 0, []
            for row in rows:
                if len(row) == width:
                    number += 1
                elif row and (len(row) > 1 or row[0].strip()):
                    number, longest = number + 1, max(longest, len(row))
                    if len(row) < width or any(row[width:]):
                        wrong.append(number)
    except (UnicodeDecodeError, UnicodeError):
        remedy = 'name the encoding in the study file, such as encoding = "latin-1"'
        raise _refuse(path, f"this is not {encoding} text", remedy) from None
    except csv.Error:
        raise _refuse(path, "the file is damaged or not text", "check the quoting, or ask for the delivery again") from None
    if wrong:
        place = f"data row{'' if len(wrong) == 1 else 's'} {', '.join(map(str, wrong[:5]))}{' and more' if wrong[5:] else ''}"
        rule = "rows have another number of columns than the header"
        remedy = "check the delimiter and quoting, and that the file is whole"
        raise DataError([Problem(path.name, rule, remedy, place, len(wrong))])
    # by position, as wide as the widest row: pandas then has nothing to guess
    numbers = [header.index(column) for column in columns]
    table = pd.read_csv(path, sep=delimiter, encoding=encoding, dtype=str, keep_default_na=False, na_filter=False,
                        header=None, names=range(longest), usecols=sorted(set(numbers)))  # fmt: skip
    return table[numbers].iloc[1:].set_axis(pd.Index(columns, dtype=object), axis=1).reset_index(drop=True)


def _read(path: Path, layout: Layout, source: Source, columns: list[str] | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """The wanted columns (or only the header where ``columns`` is None) and the file's own format of each."""
    kind = path.suffix.lower()
    if kind in TEXT:
        delimiter, encoding = source.delimiter or layout.text.delimiter, source.encoding or layout.text.encoding
        return read_text(path, delimiter, encoding, columns), {}
    if kind not in (".dta", ".sav", ".zsav"):
        formats = ".csv, .txt, .tsv, .dta, .sav, .zsav"
        raise _refuse(path, f"files of type {kind or 'unknown'} are not read", f"save it as one of: {formats}")
    reader = _pyreadstat().read_dta if kind == ".dta" else _pyreadstat().read_sav
    try:
        if columns is None:
            table, meta = reader(str(path), metadataonly=True)
            return pd.DataFrame(columns=meta.column_names), dict(meta.original_variable_types)
        table, meta = reader(str(path), usecols=columns, disable_datetime_conversion=True)
        return table[columns], dict(meta.original_variable_types)
    except Exception as error:
        # pyreadstat has its own error types; the type says enough, the text could hold a value
        if type(error).__module__.startswith("pyreadstat") or isinstance(error, UnicodeDecodeError):
            raise _refuse(path, "the file is damaged or not of this format", "ask for the delivery again") from None
        raise


def column_names(path: Path, layout: Layout, source: Source) -> list[str]:
    """Names of a file's columns, as written in the file."""
    return [str(name) for name in _read(path, layout, source, None)[0].columns]


def read_columns(path: Path, layout: Layout, source: Source, columns: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Some columns of a file, with the file's own format of each.

    Raises
    ------
    DataError
        If the file is empty, damaged, in another encoding, or of a type that
        is not read.
    """
    return _read(path, layout, source, columns)
