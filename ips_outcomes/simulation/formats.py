"""The same deliveries as other kinds of file: Parquet, Stata, Excel."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd

from ips_outcomes.errors import UnsupportedError

__all__ = ["FORMATS", "check_formats", "rewrite"]

#: Kinds of file that a delivery can be written as, beside CSV.
FORMATS = ("parquet", "dta", "xlsx")

#: Deliveries that can be written as another kind; a linkage list is always a text file.
_DELIVERIES = (
    "bu", "f_aap", "f_arbsok", "f_demo", "f_jobber", "f_shj", "f_sp", "faste_opplysninger", "inntekt", "nudb_kurs", "tiltak",
)  # fmt: skip

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def check_formats(formats: Mapping[str, str]) -> None:
    """Refuse deliveries and kinds that there are none of."""
    names, kinds = sorted(set(formats) - set(_DELIVERIES)), sorted(set(formats.values()) - set(FORMATS))
    if names:
        raise UnsupportedError(f"no such delivery: {', '.join(names)}; there are {', '.join(_DELIVERIES)}")
    if kinds:
        raise UnsupportedError(f"no such kind of file: {', '.join(kinds)}; there are {', '.join(FORMATS)}")


def rewrite(extracts: Path, formats: Mapping[str, str]) -> None:
    """Write deliveries anew as another kind of file, in place of the CSV.

    The first column, the key, stays text. Where every value of another column
    is a whole number without a leading zero it becomes one, as when somebody
    opened the delivery and saved it.
    """
    for name, kind in formats.items():
        source = extracts / f"{name}.csv"
        table = pd.read_csv(source, sep=";", dtype=str, keep_default_na=False, encoding="latin-1")
        for column in table.columns[1:]:
            filled = table[column] != ""
            if filled.any() and table.loc[filled, column].str.fullmatch(r"0|[1-9]\d{0,14}").all():
                table[column] = pd.to_numeric(table[column].where(filled)).astype("Int64")
        path = source.with_suffix(f".{kind}")
        if kind == "parquet":
            table.to_parquet(path, index=False)
        elif kind == "dta":
            # Stata has no whole number that may be missing
            plain = table.astype({c: float for c in table if table[c].dtype == "Int64"})
            plain.to_stata(path, write_index=False, version=118, time_stamp=pd.Timestamp("2020-01-01").to_pydatetime(),
                           data_label="Invented people")  # fmt: skip
        else:
            _write_excel(table, path)
        source.unlink()


def _write_excel(table: pd.DataFrame, path: Path) -> None:
    """A workbook with one sheet. Written by hand: what writes Excel files dates them, and the same seed gives the same bytes."""
    rows = [[str(name) for name in table], *table.astype(object).where(table.notna(), None).to_numpy().tolist()]
    cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), head + content, zipfile.ZIP_DEFLATED)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
