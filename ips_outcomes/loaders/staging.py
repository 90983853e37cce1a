"""Every file of a source as typed rows: small sources in memory, large ones once as Parquet.

No engine reads Stata, SPSS, SAS or Excel files, and each reads text in its own
way. So a file is read here, in pieces, by one reader; looked through for
identity numbers, all its columns; typed by its layout; and, where the source
is large, kept as Parquet under the hash of its content and of the settings it
was read with. What is staged once is not read again until one of them changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ips_outcomes._version import __version__
from ips_outcomes.errors import DataError, Problem
from ips_outcomes.folders import STAGED, sha256
from ips_outcomes.loaders.columns import find_columns
from ips_outcomes.loaders.files import chunks, open_raw
from ips_outcomes.loaders.identity import IdentityScan, Suspicion
from ips_outcomes.loaders.letters import as_meant
from ips_outcomes.loaders.periods import file_month
from ips_outcomes.loaders.typed import Tally, as_rows, typed, yearly
from ips_outcomes.months import NO_MONTH
from ips_outcomes.study import Layout, Source, Study

__all__ = ["Staged", "arrow_schema", "stage", "staging_folder"]

#: Sources larger than this are staged as Parquet; smaller ones stay in memory.
_LARGE = 64 * 2**20
#: Rows kept as written, to say how a column of dates may be meant.
_SAMPLE = 1_000
#: Columns that say of a row whether it speaks of a resident at all; what their codes mean, the study must know.
_STANDING = {"residence": "regstat"}
#: Bump when the staged form changes.
_FORM = 1


@dataclass
class Staged:
    """The typed rows of a source, and what was counted while they were read."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    parquet: list[Path] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    absent: dict[str, int] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    samples: dict[str, tuple[pd.Series, str]] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """All typed rows, where they are in memory."""
        filled = [table for table in self.tables if len(table)] or self.tables[:1]
        return pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]


@dataclass(frozen=True)
class _Piece:
    """Rows of one file under the layout's names, not typed yet."""

    rows: pd.DataFrame
    file: str
    formats: dict[str, str]

    @property
    def alike(self) -> tuple[object, ...]:
        """Pieces alike in columns, types and formats are typed in one go."""
        return tuple(self.rows.columns), tuple(self.rows.dtypes.astype(str)), tuple(self.formats.items())


def stage(study: Study, name: str, tell: Callable[[str], None] = lambda _: None, *, large: bool | None = None) -> Staged:
    """Read, look through and type every file of a source.

    Raises
    ------
    DataError
        With all problems of all the source's files: columns that are not
        there, damaged files, identity numbers.
    """
    layout, paths = study.layouts[name], study.paths(name)
    if large is None:
        size = sum(path.stat().st_size for path in paths)
        large = study.engine.staging == "always" or study.engine.name == "spark" or size > _LARGE
    result = Staged(absent=dict.fromkeys(layout.columns, 0))
    problems: list[Problem] = []
    pieces: list[_Piece] = []
    opened: list[_OneFile] = []
    for number, path in enumerate(paths, start=1):
        if large:
            tell(f"  staging {name}: {number} of {len(paths)}")
        try:
            if large:
                _stage_file(study, name, path, result, tell)
            else:
                file = _OneFile(study, name, path, scan_later=True)
                pieces += list(file.pieces())
                file.sample(result)
                opened.append(file)
        except DataError as error:
            problems += error.problems
    problems += _same_month_twice(paths, layout) or _stale(paths, study.folder)
    problems += _scanned(opened)
    if problems:
        raise DataError(_folded(problems))
    if not large:
        for file in opened:
            file.settle(result)
        result.tables = _typed_together(pieces, layout, study.sources[name])
        for table in result.tables:
            result.tally.add(table, layout)
    return result


def _scanned(files: list[_OneFile]) -> list[Problem]:
    """Identity numbers in small files: files alike in columns are looked through together, which is quicker.

    Only where something is found is each file looked through on its own, to name it.
    """
    alike: dict[tuple[str, ...], list[_OneFile]] = {}
    for file in files:
        alike.setdefault(tuple(file.raw.columns), []).append(file)
    problems: list[Problem] = []
    for same in alike.values():
        frames = [frame for file in same for frame in file.frames]
        label = same[0].path.name + (f" and {len(same) - 1} more files" if same[1:] else "")
        scan = IdentityScan(label)
        scan.look_at_names([], [text for file in same for text in (file.path.name, *file.raw.labels)])
        scan.look_at(pd.concat(frames, ignore_index=True) if frames[1:] else frames[0])
        refused, same[0].doubtful = scan.verdict()
        if refused:
            each = [problem for file in same for problem in file.scan_now()]
            problems += each or refused
    return problems


class _OneFile:
    """One file on its way: opened, its columns matched, its pieces looked through as they pass or later."""

    def __init__(self, study: Study, name: str, path: Path, *, scan_later: bool = False):
        self.layout, self.source, self.path = study.layouts[name], study.sources[name], path
        self.label = path.relative_to(study.folder).as_posix() if _names_repeat(study, name) else path.name
        self.scan_later = scan_later
        self.frames: list[pd.DataFrame] = []
        self.rows = 0
        self.doubtful: list[Suspicion] = []
        self.samples: dict[str, tuple[pd.Series, str]] = {}
        self.kinds: dict[str, set[str]] = {}
        self.standing: set[object] = set()
        self.raw = open_raw(self.path, self.layout, self.source)
        # names whose letters were garbled are read as they were meant
        self.columns = [as_meant(name) for name in self.raw.columns]
        self.found, problems = find_columns(self.path, self.columns, self.layout, self.source)
        self.month = file_month(self.path, self.layout)
        if self.layout.file_month and self.month == NO_MONTH:
            rule = "the file's name does not say which month it is"
            problems.append(Problem(self.path.name, rule, "narrow the pattern in files, or rename the file"))
        if problems:
            raise DataError(problems)

    @cached_property
    def formats(self) -> dict[str, str]:
        own = dict(zip(self.columns, (self.raw.formats.get(name, "") for name in self.raw.columns), strict=True))
        formats = {column: own[name] for column, name in self.found.names.items()}
        if self.layout.wide is not None and self.found.wide:
            formats[self.layout.wide.becomes] = own[self.found.wide[0][0]]
        return formats

    def pieces(self) -> Iterator[_Piece]:
        """The file's rows, piece by piece, every column of them looked through for identity numbers."""
        first, scan = 1, None if self.scan_later else self._scan()
        for frame in chunks(self.raw, None):
            if scan is None:
                self.frames.append(frame)
            else:
                scan.look_at(frame)
            frame = frame.set_axis(pd.Index(self.columns, dtype=object), axis=1)
            for number, name in enumerate(self.columns):
                if name.casefold() == _STANDING.get(self.layout.table) and name not in self.found.rows:
                    self.standing |= set(frame.iloc[:, number].dropna().unique())
            for column, name in self.found.names.items():
                self.kinds.setdefault(column, set()).add("number" if frame[name].dtype.kind in "iuf" else "text")
                if self.layout.columns[column].type == "date" and column not in self.samples:
                    self.samples[column] = (frame[name].head(_SAMPLE), self.formats[column])
            rows = as_rows(frame, self.found, self.layout, first, self.month)
            first += len(frame)
            self.rows += len(rows)
            yield _Piece(rows, self.label, self.formats)
        if scan is not None:
            refused, self.doubtful = scan.verdict()
            if refused:
                raise DataError(refused)

    def _scan(self) -> IdentityScan:
        scan = IdentityScan(self.path.name)
        scan.look_at_names(self.raw.columns, self.raw.labels)
        return scan

    def scan_now(self) -> list[Problem]:
        """The verdict on this file alone."""
        scan = self._scan()
        for frame in self.frames:
            scan.look_at(frame)
        return scan.verdict()[0]

    def sample(self, result: Staged) -> None:
        """Some dates as they are written, for a message that says what would make sense of them."""
        for column, sample in self.samples.items():
            result.samples.setdefault(column, sample)

    def settle(self, result: Staged) -> None:
        """What was learnt of the file, once it has passed."""
        _settle(result, self.facts(), self.layout, self.source)

    def facts(self) -> dict[str, Any]:
        """The same as plain values, to be kept beside a staged file."""
        findings = [
            {"rule": f.rule, "count": f.count, "total": f.total, "unit": f.unit, "action": f.action, "severity": f.severity}
            for f in self.raw.findings
        ]  # fmt: skip
        findings += [
            {"rule": f"{doubt.place}: {doubt.rule}", "count": doubt.count, "total": doubt.total, "unit": "values",
             "severity": "severe", "action": "look at the column: too many for chance, too few to be sure"}
            for doubt in self.doubtful
        ]  # fmt: skip
        if len(self.standing) > 1:
            findings.append({
                "rule": f"column {_STANDING[self.layout.table]} has several codes, and the study does not say which are residents",
                "count": len(self.standing), "total": len(self.standing), "unit": "codes", "severity": "severe",
                "action": "every row is read as one of a resident; name the codes with rows under the source",
            })  # fmt: skip
        return {"file": self.label, "rows": self.rows, "names": self.found.names, "findings": findings,
                "kinds": {c: sorted(k) for c, k in self.kinds.items()},
                "absent": sorted(set(self.layout.columns) - set(self.found.names) - set(self.found.boxes)
                                 - ({self.layout.wide.becomes} if self.layout.wide else set()))}  # fmt: skip


def _settle(result: Staged, facts: dict[str, Any], layout: Layout, source: Source) -> None:
    result.rows_in[facts["file"]] = facts["rows"]
    for column in facts["absent"]:
        result.absent[column] += 1
    for column, name in facts["names"].items():
        result.names.setdefault(column, set()).add(name)
    for column, kinds in facts["kinds"].items():
        result.kinds.setdefault(column, set()).update(kinds)
    result.findings += [{**finding, "file": facts["file"]} for finding in facts["findings"]]


def _names_repeat(study: Study, name: str) -> bool:
    paths = study.paths(name)
    return len({path.name for path in paths}) < len(paths)


def _typed_together(pieces: list[_Piece], layout: Layout, source: Source) -> list[pd.DataFrame]:
    groups: dict[tuple[object, ...], list[_Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.alike, []).append(piece)
    tables = []
    for same in groups.values():
        rows = pd.concat([piece.rows for piece in same], ignore_index=True) if len(same) > 1 else same[0].rows
        files = pd.Series([piece.file for piece in same], dtype=object).repeat([len(piece.rows) for piece in same])
        tables.append(typed(rows, files.to_numpy(), layout, source, same[0].formats))
    return tables


# ---------------------------------------------------------------- on disk


_KINDS: dict[str, Any] = {"date": "datetime64[s]", "number": float, "text": object}


def arrow_schema(layout: Layout) -> pa.Schema:
    """Types of the staged columns."""
    kinds = {"date": pa.date32(), "month": pa.int64(), "number": pa.float64(), "integer": pa.float64()}
    fields = [("file", pa.string()), ("file_month", pa.int64()), ("row", pa.int64()), ("left_out", pa.bool_())]
    for column, spec in layout.columns.items():
        fields += [(column, kinds.get(spec.type, pa.string())), (f"bad_{column}", pa.bool_())]
    fields += [("year", pa.float64())] if yearly(layout) else []
    fields += [(column, pa.string()) for column in layout.constants]
    return pa.schema(fields)


def staging_folder(study: Study) -> Path:
    """Where staged files lie: the study's own folder unless it says otherwise."""
    chosen = study.engine.staging_folder
    return study.folder / (chosen or STAGED)


def _stage_file(study: Study, name: str, path: Path, result: Staged, tell: Callable[[str], None]) -> None:
    layout, source = study.layouts[name], study.sources[name]
    settings = source.model_dump_json(include={"layout", "columns", "values", "missing", "encoding", "delimiter", "decimal",
                                               "sheet", "short_rows", "rows"})  # fmt: skip
    digest = sha256(path)
    told = f"{_FORM}|{__version__}|{layout.model_dump_json()}|{settings}|{path.name}"
    folder = staging_folder(study)
    stem = f"{name}-{hashlib.sha256(f'{digest}|{told}'.encode()).hexdigest()[:32]}"
    table, beside = folder / f"{stem}.parquet", folder / f"{stem}.json"
    if not beside.is_file() or not table.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _write_staged(_OneFile(study, name, path), table, beside, tell)
    known = json.loads(beside.read_text(encoding="utf-8"))
    _settle(result, known["facts"], layout, source)
    tally = Tally()
    tally.bad.update(known["bad"])
    tally.known.update(known["known"])
    result.tally.merge(tally)
    for column, (kind, values, file_format) in known["samples"].items():
        result.samples.setdefault(column, (pd.Series(values, dtype=_KINDS[kind]), file_format))
    result.parquet.append(table)


def _write_staged(file: _OneFile, table: Path, beside: Path, tell: Callable[[str], None]) -> None:
    schema, tally = arrow_schema(file.layout), Tally()
    handle, partial = tempfile.mkstemp(prefix=".partial-", dir=table.parent)
    os.close(handle)
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for piece in file.pieces():
                rows = typed(piece.rows, piece.file, file.layout, file.source, piece.formats)
                tally.add(rows, file.layout)
                writer.write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))
                tell(f"  staging {file.path.name}: {file.rows:,} rows")
        Path(partial).replace(table)
    finally:
        Path(partial).unlink(missing_ok=True)
    samples = {
        column: ("date", values.astype(str).tolist(), of) if values.dtype.kind == "M"
        else ("number", values.astype(float).where(values.notna(), None).tolist(), of) if values.dtype.kind in "iuf"
        else ("text", values.fillna("").astype(str).tolist(), of)
        for column, (values, of) in file.samples.items()
    }  # fmt: skip
    facts = {"facts": file.facts(), "bad": tally.bad, "known": tally.known, "samples": samples}
    # the facts come last: a staged file without them is staged again
    scratch = beside.with_suffix(".tmp")
    scratch.write_text(json.dumps(facts), encoding="utf-8")
    scratch.replace(beside)


# ---------------------------------------------------------------- files as a whole


def _same_month_twice(paths: list[Path], layout: Layout) -> list[Problem]:
    months = [file_month(path, layout) for path in paths]
    twice = {m for m in months if m != NO_MONTH and months.count(m) > 1}
    rule = "two files speak for the same month; one may be a stale copy"
    return [Problem(p.name, rule, "keep one of them") for p, m in zip(paths, months, strict=True) if m in twice]


#: Folders in which people keep what was replaced, without the marks around the word.
_KEPT_ASIDE = {"old", "bak", "backup", "gammel", "gamle", "gml", "kopi", "copy", "arkiv", "archive", "forrige", "previous"}


def _stale(paths: list[Path], folder: Path) -> list[Problem]:
    """Files of a name that also stands elsewhere, in a folder for what was replaced: read, their rows would count beside the new."""
    names = [path.name.casefold() for path in paths]
    aside = [{part.casefold().strip("_-. ") for part in path.relative_to(folder).parts[:-1]} & _KEPT_ASIDE for path in paths]
    rule = "a file of this name stands in another folder too, and this folder is called as one for stale copies"
    remedy = "keep one of them, or narrow the pattern in files"
    return [Problem(path.relative_to(folder).as_posix(), rule, remedy)
            for path, name, old in zip(paths, names, aside, strict=True) if old and names.count(name) > 1]  # fmt: skip


def _folded(problems: list[Problem]) -> list[Problem]:
    """The same trouble in many files is one problem with a count of files."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.rule, problem.remedy), []).append(problem)
    return [
        same[0] if len(same) == 1
        else Problem(f"{same[0].file} and {len(same) - 1} more files", rule, remedy, same[0].place)
        for (rule, remedy), same in groups.items()
    ]  # fmt: skip
