"""Opening files: every format gives text or plain numbers, and nothing is guessed.

CSV is read as text and converted by the layout, because every reader leaves
"1 234,50" as text in silence. Stata and SPSS dates are read as the raw numbers
that the file holds and converted here, for the same reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.study import Layout, Source

__all__ = ["column_names", "read_columns"]


def _pyreadstat() -> Any:
    import pyreadstat

    return pyreadstat


def _text_options(layout: Layout, source: Source) -> dict[str, Any]:
    return {
        "sep": source.delimiter or layout.text.delimiter,
        "encoding": source.encoding or layout.text.encoding,
        "dtype": str, "keep_default_na": False, "na_filter": False,
    }  # fmt: skip


def _refuse(path: Path, rule: str, remedy: str) -> DataError:
    return DataError([Problem(path.name, rule, remedy)])


def _read(path: Path, layout: Layout, source: Source, columns: list[str] | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """The wanted columns (or only the header where ``columns`` is None) and the file's own format of each."""
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".txt", ".tsv"):
            options = _text_options(layout, source)
            if columns is None:
                return pd.read_csv(path, nrows=0, **options), {}
            return pd.read_csv(path, usecols=columns, **options)[columns], {}
        if kind in (".dta", ".sav", ".zsav"):
            reader = _pyreadstat().read_dta if kind == ".dta" else _pyreadstat().read_sav
            if columns is None:
                table, meta = reader(str(path), metadataonly=True)
                return pd.DataFrame(columns=meta.column_names), dict(meta.original_variable_types)
            table, meta = reader(str(path), usecols=columns, disable_datetime_conversion=True)
            return table[columns], dict(meta.original_variable_types)
    except UnicodeDecodeError:
        encoding = _text_options(layout, source)["encoding"]
        remedy = 'name the encoding in the study file, such as encoding = "latin-1"'
        raise _refuse(path, f"this is not {encoding} text", remedy) from None
    except pd.errors.EmptyDataError:
        raise _refuse(path, "the file is empty", "ask for the delivery again") from None
    except pd.errors.ParserError:
        raise _refuse(path, "rows have different numbers of columns", "check the delimiter and quoting") from None
    except Exception as error:
        # pyreadstat has its own error types; the type says enough, the text could hold a value
        if type(error).__module__.startswith("pyreadstat"):
            raise _refuse(path, "the file is damaged or not of this format", "ask for the delivery again") from None
        raise
    formats = ".csv, .txt, .tsv, .dta, .sav, .zsav"
    raise _refuse(path, f"files of type {kind or 'unknown'} are not read", f"formats read: {formats}")


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
