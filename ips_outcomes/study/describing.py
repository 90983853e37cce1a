"""Layouts in words: for the command, and for docs/layouts.md."""

from __future__ import annotations

import difflib
import tomllib
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from ips_outcomes.errors import Problem, StudyError
from ips_outcomes.study.layout import CONSTANTS, ROLES, Column, Layout, builtin_layouts, load_layout
from ips_outcomes.study.pointing import as_problem, lines_of

__all__ = ["describe_layout", "layouts_page", "list_layouts"]

_SURE = {
    "verified": "read in the source named",
    "secondary": "read, but only in somebody else's copy or code",
    "derived": "follows from what was read",
    "assumed": "not read anywhere: check it against your delivery",
}


def list_layouts() -> list[tuple[str, str, str, str, str]]:
    """Name, table, kind, certainty and title of each layout of the package, by table.

    Examples
    --------
    >>> list_layouts()[0][:2]
    ('f_aap', 'benefits')
    """
    known = [(name, load_layout(name)) for name in builtin_layouts()]
    rows = [(name, layout.table, layout.kind, layout.certainty, layout.title) for name, layout in known]
    return sorted(rows, key=lambda row: (row[1], row[0] == "benefit_spells", row[0]))


def _codes(codes: dict[str, str]) -> str:
    """Codes with their meaning, runs of whole numbers written as one."""
    runs: list[list[tuple[str, str]]] = []
    for code, meaning in codes.items():
        last = runs[-1][-1] if runs else ("", "")
        follows = code.isdigit() and last[0].isdigit() and len(code) >= len(last[0]) and int(code) == int(last[0]) + 1
        if follows and meaning == last[1]:
            runs[-1].append((code, meaning))
        else:
            runs.append([(code, meaning)])
    written = [(run[0][0] if len(run) == 1 else f"{run[0][0]}-{run[-1][0]}", run[0][1]) for run in runs]
    same = [(meaning, [code for code, _ in part]) for meaning, part in groupby(written, key=lambda pair: pair[1])]
    return "; ".join(f"{', '.join(codes)} = {meaning}" for meaning, codes in same)


def _names(column: Column, wide: bool) -> str:
    names = [name for name in (column.name, *column.aliases) if name]
    if not names:
        return "the wide columns" if wide else "named by the study"
    ending = "..._" if column.match == "suffix" else ""
    return " or ".join(ending + name for name in names)


def _type(column: Column) -> str:
    return f"{column.type}, {column.dates}" if column.type == "date" else column.type


def _facts(layout: Layout) -> list[tuple[str, str]]:
    facts = [("Table", layout.table), ("Kind", layout.kind), ("Certainty", f"{layout.certainty}: {_SURE[layout.certainty]}"),
             ("Knowledge", layout.knowledge)]  # fmt: skip
    if layout.first_month or layout.last_month:
        facts.append(("Exists", f"from {layout.first_month or 'the start'} to {layout.last_month or 'now'}"))
    if layout.file_month:
        facts.append(("Month", f"from the file's name, {layout.file_month}"))
    if layout.wide is not None:
        facts.append(("Wide", f"columns {layout.wide.pattern} become {layout.wide.becomes}"))
    facts += [("Constant", f"{role} = {value}") for role, value in layout.constants.items()]
    for column, kept in layout.rows.items():
        shown = ", ".join(value or "(blank)" for value in kept) if kept else "the study says which"
        facts.append(("Rows", f"kept by {column}: {shown}"))
    if layout.open_end == "drop":
        facts.append(("Open end", "a spell without an end is not usable"))
    return facts


def describe_layout(name: str, folder: Path | None = None) -> str:
    """A layout in words: where the knowledge comes from, and each column with its type, dates and codes.

    Raises
    ------
    StudyError
        If there is no such layout, or the file is none.

    Examples
    --------
    >>> print(describe_layout("f_aap").splitlines()[0])
    f_aap: Work assessment allowance, AAP (FD-Trygd F_AAP)
    """
    layout = _read(name, folder)
    lines = [f"{name}: {layout.title}", *(f"  {word}: {text}" for word, text in _facts(layout)), "", "  Columns:"]
    for role, column in layout.columns.items():
        needed = ", needed" if column.required else ""
        sure = f" [{column.certainty}]" if column.certainty else ""
        unit = f" ({column.unit})" if column.unit else ""
        lines.append(f"    {role}: {_names(column, bool(layout.wide))}; {_type(column)}{needed}{sure}")
        lines.append(f"      {column.meaning}{unit}")
        if column.codes:
            lines.append(f"      codes: {_codes(column.codes)}")
        if column.missing:
            lines.append(f"      missing: {', '.join(column.missing)}")
        lines += [f"      {code} means something from {month} on" for code, month in column.valid_from.items()]
    return "\n".join(lines)


def _read(name: str, folder: Path | None) -> Layout:
    try:
        return load_layout(name, folder)
    except (FileNotFoundError, IsADirectoryError):
        close = difflib.get_close_matches(name, builtin_layouts(), n=1)
        remedy = f"did you mean {close[0]}?" if close else f"known layouts: {', '.join(builtin_layouts())}"
        raise StudyError([Problem(name, "there is no such layout", remedy)]) from None
    except ValidationError as error:
        lines = lines_of(((folder or Path()) / name).read_text(encoding="utf-8"))
        raise StudyError([as_problem(name, details, lines, Layout) for details in error.errors()]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StudyError([Problem(name, f"not readable as TOML: {error}", "mend it, and save it as UTF-8")]) from None


def layouts_page() -> str:
    """The page docs/layouts.md: all that the layout files say, and how to write one."""
    lines = [_HEAD, "| layout | table | kind | certainty | what it is |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| [`{name}`](#{name}) | {table} | {kind} | {sure} | {title} |" for name, table, kind, sure, title in list_layouts()
    ]
    lines += ["", *(f"- **{word}**: {text}." for word, text in _SURE.items()), "", _OWN]
    lines += ["| table | columns | constants |", "| --- | --- | --- |"]
    lines += [f"| {table} | {', '.join(f'`{role}`' for role in roles)} | {CONSTANTS.get(table, '')} |"
              for table, roles in ROLES.items()]  # fmt: skip
    for name, *_ in list_layouts():
        layout = load_layout(name)
        lines += ["", f"## {name}", "", f"{layout.title}.", ""]
        lines += [f"- {word}: {text}" for word, text in _facts(layout)]
        lines += ["", "| becomes | column | type | certainty | meaning |", "| --- | --- | --- | --- | --- |"]
        for role, column in layout.columns.items():
            codes = f" Codes: {_codes(column.codes)}." if column.codes else ""
            missing = f" Missing: {', '.join(column.missing)}." if column.missing else ""
            unit = f" ({column.unit})" if column.unit else ""
            needed = " (needed)" if column.required else ""
            cells = [f"`{role}`{needed}", _names(column, bool(layout.wide)), _type(column), column.certainty or layout.certainty,
                     f"{column.meaning}{unit}.{codes}{missing}"]  # fmt: skip
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


_HEAD = """# Layouts: how each register looks

Written by `python scripts/layout_docs.py` from the files in `ips_outcomes/study/layouts`; a test fails when it is stale.
The same is shown by `ips-outcomes layouts` and `ips-outcomes layouts NAME`.
"""

_OWN = """## A new register is a new file

Write a file such as these beside the study file, and name it: `layout = "mine.toml"`. What is wrong in it is told with its
line, before any data is read. Where only little differs, the study file says so under its source:

- `columns.start = "my_start"`: another name; `values.kind = { A = "ordinary" }`: other codes; `missing.nus = ["0"]`.
- `dates.start = "yyyymmdd"`: the delivery writes dates in another way.
- `constants.benefit = "aap"`: the whole file is one benefit, one kind of income or one measure.
- `wide = 'nus_(?P<year>\\\\d{4})'`: other names of columns that repeat by year or month.
- `rows.redcap_event_name = ["baseline_arm_1"]`: only these rows.
- `spell_end = "technical"`: the technical end counts and not the reported one.

`period` is needed where absence from the delivery says something: jobs, schemes, residence, benefits, courses and services.
A level of education is held until the next one, and a year of income speaks for itself: these need none; neither do
measures of centres, which hold no people and have no `[keys]`.

What a column may become:
""".replace("\\\\", "\\")
