"""The analysis data as files for Stata, R and others on the same server, with a codebook."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ips_outcomes._version import __version__
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import sha256, whole_folder
from ips_outcomes.followup import FollowUp
from ips_outcomes.reporting.codebook import Entry, analysis_tables, codebook, missing_letters
from ips_outcomes.reporting.page import render
from ips_outcomes.reporting.provenance import inputs
from ips_outcomes.reporting.stata import stata_names, write_stata
from ips_outcomes.reporting.steps import Tell, put_on_clocks, read_extracts, refuse_release
from ips_outcomes.reporting.tables import Noted, Row, Shown
from ips_outcomes.reporting.words import words
from ips_outcomes.reporting.writing import write_csv, write_json
from ips_outcomes.study import Study, as_study

__all__ = ["FORMATS", "export_study", "handed_on"]

FORMATS = ("parquet", "stata", "csv")
_ENDING = {"parquet": "parquet", "stata": "dta", "csv": "csv"}
_VERSIONED = ("numpy", "pandas", "pyarrow")
_ARROW = {"text": pa.string(), "yes/no": pa.bool_(), "date": pa.date32(), "month": pa.int32(), "number": pa.int64()}


def export_study(
    study: Study | str | Path, out: str | Path, formats: Iterable[str] = FORMATS, progress: Tell | None = None
) -> Path:
    """Write a study's person-months, first jobs and baseline for those who go on elsewhere.

    Parameters
    ----------
    study : Study, str or pathlib.Path
        A study from `load_study`, or the path of its file.
    out : str or pathlib.Path
        Folder to write, whole or not at all. It holds rows of persons and stays on the server.
    formats : iterable of {"parquet", "stata", "csv"}
    progress : callable, optional
        Called with a short sentence at each step.

    Returns
    -------
    pathlib.Path
        The README of the folder.

    Raises
    ------
    StudyError, DataError
        As `load_study` and `load_cohort`.
    UnsupportedError
        For an unknown format, a folder inside ``release``, or one that holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes import simulate_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     readme = export_study(simulate_study(f"{folder}/study", participants=30), f"{folder}/data", ["csv"])
    ...     sorted(p.name for p in readme.parent.glob("*.csv"))
    ['baseline.csv', 'codebook.csv', 'first_job.csv', 'person_months.csv']
    """
    tell, out, chosen = progress or (lambda _: None), Path(out), tuple(dict.fromkeys(formats))
    wrong = [f for f in chosen if f not in FORMATS]
    if wrong or not chosen:
        raise UnsupportedError(f"{wrong[0] if wrong else 'nothing'} is no format; choose from {', '.join(FORMATS)}")
    refuse_release(out, "rows of persons never leave")
    study = as_study(study, tell)
    with whole_folder(out, "analysis data") as work:
        followed = put_on_clocks(read_extracts(study, tell), tell)
        tell("Writing the analysis data")
        _write(followed, work, chosen)
    return out / "README.md"


def _write(followed: FollowUp, folder: Path, formats: tuple[str, ...]) -> None:
    study, book = followed.study, codebook(followed)
    shapes = {}
    for name, table in analysis_tables(followed).items():
        plain = handed_on(table, book[name])
        shapes[name] = {"rows": len(plain), "columns": len(plain.columns)}
        for kind in formats:
            path = folder / f"{name}.{_ENDING[kind]}"
            if kind == "parquet":
                _write_parquet(plain, book[name], path)
            elif kind == "stata":
                write_stata(plain, book[name], path, f"{study.title}: {name}")
            else:
                write_csv(_ones(plain), path)
    write_csv(_codebook_table(book), folder / "codebook.csv")
    (folder / "codebook.html").write_text(_codebook_page(study, book), encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(_readme(study, formats), encoding="utf-8", newline="\n")
    facts: dict[str, Any] = {
        "ips_outcomes": __version__, **inputs(study), "packages": {name: metadata.version(name) for name in _VERSIONED},
        "tables": shapes, "formats": list(formats),
        "files_sha256": {p.name: sha256(p) for p in sorted(folder.iterdir())},
    }  # fmt: skip
    write_json(facts, folder / "manifest.json")


def handed_on(table: pd.DataFrame, entries: tuple[Entry, ...]) -> pd.DataFrame:
    """A table of the follow-up with one type a kind of column: an empty text is empty, calendar months are yyyymm."""
    made = {}
    for entry in entries:
        values = table[entry.column]
        if entry.kind == "text":
            text = values.astype(object)
            made[entry.column] = text.where(text.notna() & (text != ""), None)
        elif entry.kind == "yes/no":
            made[entry.column] = values.astype("boolean")
        elif entry.kind == "month":
            number = values.astype("Int64")
            made[entry.column] = (1970 + number // 12) * 100 + number % 12 + 1 if entry.since_1970 else number
        elif entry.kind == "number":
            made[entry.column] = values.astype("Float64" if _fractions(values) else "Int64")
        else:
            made[entry.column] = values.astype("datetime64[s]")
    return pd.DataFrame(made)


def _fractions(values: pd.Series) -> bool:
    return str(values.dtype).lower().startswith("float")


def _ones(table: pd.DataFrame) -> pd.DataFrame:
    """Yes and no as 1 and 0, dates as yyyy-mm-dd: what every reader of CSV takes for what it is."""
    whole = {c: table[c].astype("Int8") for c in table if table[c].dtype == "boolean"}
    days = {c: table[c].dt.strftime("%Y-%m-%d") for c in table if str(table[c].dtype).startswith("datetime64")}
    return table.assign(**whole, **days)


def _write_parquet(table: pd.DataFrame, entries: tuple[Entry, ...], path: Path) -> None:
    fields = [
        pa.field(
            e.column, pa.float64() if table[e.column].dtype == "Float64" else _ARROW[e.kind], metadata={"description": e.meaning}
        )
        for e in entries
    ]
    pq.write_table(pa.Table.from_pandas(table, schema=pa.schema(fields), preserve_index=False), path)


def _codebook_table(book: dict[str, tuple[Entry, ...]]) -> pd.DataFrame:
    rows = []
    for name, entries in book.items():
        legal = stata_names([e.column for e in entries])
        for e in entries:
            rows.append({"table": name, "column": e.column, "stata_name": legal[e.column], "type": e.kind, "meaning": e.meaning,
                         "unit": e.unit, "values": e.values or _values(e), "missing_means": e.missing,
                         "stata_missing": _letters(e.left_open) if e.reasons else ""})  # fmt: skip
    return pd.DataFrame(rows)


def _values(entry: Entry) -> str:
    return "yes or no (1 or 0 in CSV and Stata, true or false in Parquet)" if entry.kind == "yes/no" else ""


def _letters(left_open: str) -> str:
    return "; ".join(f".{letter} {text}" for letter, text in missing_letters(left_open).values())


def _codebook_page(study: Study, book: dict[str, tuple[Entry, ...]]) -> str:
    say = words(study.language)
    sections = []
    for name, entries in book.items():
        legal, rows = stata_names([e.column for e in entries]), []
        for e in entries:
            notes = [e.meaning, *([e.values] if e.values else [])]
            notes += [] if legal[e.column] == e.column else [say("export.stata_name", name=legal[e.column])]
            rows.append(Row((Noted(e.column, *notes), f"{e.kind}, {e.unit}" if e.unit else e.kind, e.missing)))
        columns = tuple(say(f"export.{c}") for c in ("column", "type", "missing"))
        shown = Shown(say(f"export.{name}"), columns, tuple(rows), text_columns=frozenset({0, 1, 2}), stacked=True)
        sections.append({"id": name, "title": name, "tables": [shown], "folded": [], "intro": []})
    letters = [Row((f".{letter}", text)) for letter, text in missing_letters().values()]
    shown = Shown(
        say("export.letters"), (say("export.letter"), say("export.meaning")), tuple(letters), text_columns=frozenset({0, 1})
    )
    sections.append(
        {"id": "stata", "title": say("export.stata"), "tables": [shown], "folded": [], "intro": [say("export.stata_intro")]}
    )
    return render("sheet.html.j2", say=say, kind=say("export.kind"), title=study.title, lead=say("export.lead"),
                  banner=say("export.banner"), synthetic=study.synthetic, alerts_title="", alerts=[], cards=[],
                  plain=[say("export.plain")], sections=sections, version=__version__)  # fmt: skip


def _readme(study: Study, formats: tuple[str, ...]) -> str:
    primary, legal = study.primary_definition, stata_names([*study.employed])[study.primary_definition]
    text = [
        f"# Analysis data: {study.title}\n",
        "Internal: one row a person, or a person and month. Keys are pseudonyms; the folder stays on the server.\n",
        "| table | one row a |\n| --- | --- |\n| person_months | participant and month |\n| first_job | participant |\n"
        "| baseline | participant |\n",
        "Tables are joined by `person_id`. Every column is explained in `codebook.html` and `codebook.csv`; hashes of what the\n"
        "folder was made from, and of its files, stand in `manifest.json`. An empty cell of a yes/no column is not a no: the\n"
        "month is not known.\n",
    ]
    if "stata" in formats:
        text.append("## Stata\n\n```stata\nuse person_months.dta, clear\nmerge m:1 person_id using baseline.dta, nogenerate\n"
                    f"tabulate arm {legal} if month == {study.follow_up.months}, missing row\n```\n")  # fmt: skip
    if "csv" in formats:
        text.append('## R\n\n```r\ntext <- subset(read.csv("codebook.csv"), table == "person_months" & type == "text")$column\n'
                    'months <- read.csv("person_months.csv", na.strings = "", colClasses = setNames(rep("character", length(text)), text))\n'
                    f'with(subset(months, month == {study.follow_up.months}), tapply({primary}, arm, mean, na.rm = TRUE))\n```\n')  # fmt: skip
    if "parquet" in formats:
        text.append("## Parquet\n\nIn R `arrow::read_parquet(\"person_months.parquet\")`, in Python "
                    "`pandas.read_parquet(\"person_months.parquet\")`: types and empty cells come as they are.\n")  # fmt: skip
    return "\n".join(text)
