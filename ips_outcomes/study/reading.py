"""Reading a study file: all that is wrong with it, at once, with its line."""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ips_outcomes.errors import Problem, StudyError
from ips_outcomes.study.layout import Layout, builtin_layouts, load_layout
from ips_outcomes.study.model import RESERVED, Study

__all__ = ["load_study"]

_TABLE = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_ENTRY = re.compile(r"^\s*([A-Za-z0-9_\-\."
                    r'"]+)\s*=')  # fmt: skip


def load_study(path: str | Path) -> Study:
    """Read and check a study file; no extract is opened.

    Parameters
    ----------
    path : str or pathlib.Path
        A ``study.toml``, or the folder that holds one. Files named in it are
        looked for relative to its folder.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        With every problem found: unknown keys, impossible values, missing
        files, layouts that do not exist, keys without a source. Each names the
        file, the line and the remedy.

    Examples
    --------
    >>> from ips_outcomes import load_study
    >>> load_study("data/synthetic/study.toml").primary_definition
    'ordinary'
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.toml"
    if not path.is_file():
        raise StudyError([Problem(str(path), "there is no such file", "give the path of a study.toml")])
    try:
        text = path.read_bytes().decode("utf-8-sig")
        content = tomllib.loads(text)
    except UnicodeDecodeError:
        raise StudyError([Problem(path.name, "a study file is UTF-8 text", "save it again as UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        remedy = "mend the line; strings need quotes, and each key stands once"
        raise StudyError([Problem(path.name, f"not readable as TOML: {error}", remedy)]) from None
    lines = _lines(text)
    reserved = [key for key in ("folder", "file") if key in content]
    problems = [_unknown(path.name, (key,), lines, Study) for key in reserved]
    for key in reserved:
        del content[key]
    study, wrong, left_out = _what_holds(content, path)
    problems += [_as_problem(path.name, details, lines, content) for details in wrong]
    problems += _missing_files(content, path, lines)
    if study is not None:
        problems += _crosswise(study, path.name, lines, left_out)
    if problems or study is None:
        raise StudyError(_unique(problems))
    return study


def _what_holds(content: dict[str, Any], path: Path) -> tuple[Study | None, list[Any], set[tuple[str, ...]]]:
    """The study without what is wrong in it, all that is wrong, and which parts were left out for it.

    One wrong key hides other faults: pydantic looks at a table as a whole only
    when each of its keys holds. So what is wrong is taken out, and the rest is
    looked at again.
    """
    rest, wrong, left_out = copy.deepcopy(content), list[Any](), set[tuple[str, ...]]()
    while True:
        try:
            return Study.model_validate({**rest, "folder": path.parent, "file": path.name}), wrong, left_out
        except ValidationError as error:
            gone, hopeless = set(left_out), False
            for details in error.errors():
                place = tuple(str(part) for part in details["loc"] if part != "[key]")
                # a table may be wrong as a whole only because a part of it was taken out
                follows = any(part[: len(place)] == place if place else len(part) == 1 for part in gone)
                if not follows:
                    wrong.append(details)
                taken = _take_out(rest, place or ("disclosure",))
                hopeless |= taken is None
                left_out.add(taken or place)
            if hopeless:
                return None, wrong, left_out


def _take_out(rest: dict[str, Any], place: tuple[str, ...]) -> tuple[str, ...] | None:
    """Remove a place, or the table that cannot be without it; None where nothing can be done."""
    table, depth = rest, 0
    while depth < len(place) - 1 and isinstance(table.get(place[depth]), dict):
        table, depth = table[place[depth]], depth + 1
    if place[depth] in table:
        del table[place[depth]]
        return place[: depth + 1]
    if depth:
        return _take_out(rest, place[:depth])
    # needed by every study: a stand-in keeps the rest readable
    employed = rest.get("employed")
    stand_in = {"title": "-", "primary_definition": next(iter(employed), "") if isinstance(employed, dict) else ""}.get(place[0])
    if not stand_in:
        return None
    rest[place[0]] = stand_in
    return place[:1]


def _unique(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line on which each table or key of a TOML text stands."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = tuple(part.strip(' "') for part in header[1].split("."))
            found.setdefault(table, number)
        elif entry := _ENTRY.match(line):
            found.setdefault((*table, *(part.strip(' "') for part in entry[1].split("."))), number)
    return found


def _place(location: tuple[Any, ...], lines: dict[tuple[str, ...], int]) -> str:
    parts = tuple(str(part) for part in location if part != "[key]")
    for length in range(len(parts), 0, -1):
        if parts[:length] in lines:
            return f"line {lines[parts[:length]]}, {'.'.join(parts)}"
    return ".".join(parts) or "the file as a whole"


def _model_at(location: tuple[Any, ...], model: type[BaseModel]) -> type[BaseModel]:
    for part in location:
        field = model.model_fields.get(str(part))
        annotation: Any = field.annotation if field else None
        candidates = [annotation, *get_args(annotation)]
        candidates += [inner for candidate in list(candidates) for inner in get_args(candidate)]
        inner = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if inner is not None:
            model = inner
    return model


def _unknown(file: str, location: tuple[Any, ...], lines: dict[tuple[str, ...], int], root: type[BaseModel]) -> Problem:
    model = _model_at(location[:-1], root)
    known = [key for key in model.model_fields if key not in ("folder", "file")]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known keys here: {', '.join(known)}"
    return Problem(file, "there is no such key", remedy, _place(location, lines))


def _as_problem(file: str, details: Any, lines: dict[tuple[str, ...], int], content: dict[str, Any]) -> Problem:
    location, kind, context = tuple(details["loc"]), details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(file, location, lines, Study)
    # the study as a whole has one rule of its own: what may leave unchecked
    place = _place(location or ("disclosure", "profile"), lines)
    if kind == "missing":
        return Problem(file, "this key is needed and is not there", f"add {location[-1]}", place)
    if kind == "literal_error":
        return Problem(file, "this value is not one of those allowed", f"allowed: {context['expected']}", place)
    if kind == "value_error":
        remedy = "change the value" if location else 'name a profile such as "primary5", or say so if nobody here exists'
        return Problem(file, str(context["error"]), remedy, place)
    if kind == "string_pattern_mismatch":
        rule = "names are lower-case letters, digits and underscores, and start with a letter"
        return Problem(file, rule, "rename it", place)
    rule, remedy = _PLAIN.get(kind, (details["msg"], "change the value"))
    return Problem(file, rule, remedy, place)


#: What pydantic says in its own terms, said in a reader's.
_PLAIN = {
    "tuple_type": ("this is a list", 'write it in brackets, such as ["2015-01", "2018-12"]'),
    "dict_type": ("this is a table of keys, not a single value", "see the study file that ips-outcomes demo writes"),
    "model_type": ("this is a table of keys, not a single value", "see the study file that ips-outcomes demo writes"),
    "string_type": ("this is text", "put it in quotes"),
    "int_type": ("this is a whole number", "write it without quotes or decimals"),
    "int_parsing": ("this is a whole number", "write it without quotes or decimals"),
    "int_from_float": ("this is a whole number", "write it without quotes or decimals"),
    "float_type": ("this is a number", "write it without quotes, with a decimal point"),
    "float_parsing": ("this is a number", "write it without quotes, with a decimal point"),
    "bool_type": ("this is yes or no", "write true or false, without quotes"),
    "bool_parsing": ("this is yes or no", "write true or false, without quotes"),
}


def _missing_files(content: dict[str, Any], path: Path, lines: dict[tuple[str, ...], int]) -> list[Problem]:
    problems = []
    for table, entry in (("sources", "files"), ("keys", "file")):
        parts = content.get(table)
        for name, part in parts.items() if isinstance(parts, dict) else ():
            pattern = part.get(entry) if isinstance(part, dict) else None
            if not isinstance(pattern, str):
                continue
            place = _place((table, name, entry), lines)
            if not pattern or Path(pattern).is_absolute() or pattern.startswith("/"):
                rule = "files are named relative to the study file's folder"
                problems.append(Problem(path.name, rule, "write a relative path", place))
            elif not _files(path.parent, pattern):
                rule = f'no file matches "{pattern}"'
                problems.append(Problem(path.name, rule, "put the file there, or mend the path", place))
    return problems


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in folder.glob(pattern) if path.is_file()]
    except (ValueError, IndexError, NotImplementedError, OSError):
        # not a pattern at all, such as "." or "a**"
        return []


def _crosswise(
    study: Study, file: str, lines: dict[tuple[str, ...], int], left_out: set[tuple[str, ...]]
) -> list[Problem]:  # fmt: skip
    """What no single part of the study file can know about the others.

    Nothing is said about parts that were left out because they are wrong in
    themselves, nor about what their absence brings.
    """
    problems: list[Problem] = []

    def add(location: tuple[str, ...], rule: str, remedy: str) -> None:
        if not any(location[: len(part)] == part for part in left_out):
            problems.append(Problem(file, rule, remedy, _place(location, lines)))

    layouts: dict[str, Layout] = {}
    for name, source in study.sources.items():
        try:
            layouts[name] = load_layout(source.layout, study.folder)
        except (FileNotFoundError, IsADirectoryError):
            close = difflib.get_close_matches(source.layout, builtin_layouts(), n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            remedy = f"{hint}known layouts: {', '.join(builtin_layouts())}; or name a .toml file of your own"
            add(("sources", name, "layout"), "there is no such layout", remedy)
        except ValidationError as error:
            parts = sorted({".".join(str(part) for part in details["loc"]) for details in error.errors()})
            add(("sources", name, "layout"), f"the layout file is not a layout: look at {', '.join(parts)}",
                "mend the layout file; the package's own layouts show how one looks")  # fmt: skip
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            add(("sources", name, "layout"), "the layout file is not readable as TOML", "mend it, and save it as UTF-8")
    for name, layout in layouts.items():
        _check_source(study, name, layout, add)
    if len(layouts) == len(study.sources) and not any(part[0] == "sources" and len(part) <= 2 for part in left_out):
        _check_sources_together(study, layouts, add)
    for name in study.keys:
        if name not in study.sources and ("sources", name) not in left_out:
            add(("keys", name), "these keys belong to no source", "remove them, or add the source")
    if study.primary_definition not in study.employed and ("employed", study.primary_definition) not in left_out:
        add(("primary_definition",), "this is not one of [employed.*]", f"choose one of: {', '.join(study.employed)}")
    for table, names in (("employed", study.employed), ("subgroups", study.subgroups)):
        for name in sorted(names.keys() & RESERVED):
            add((table, name), "this name is taken by a column of the package", "choose another name")
    if study.design == "one_arm" and study.reference is not None:
        add(("design",), "a study of one arm has no arms to compare", 'say "randomised" or "comparison", or name one arm')
    for name in sorted(study.employed.keys() & study.subgroups.keys()):
        add(("subgroups", name), "a definition of employed has this name too", "choose another name")
    profiles = resources.files("ips_outcomes") / "reporting" / "profiles"
    if not (profiles / f"{study.disclosure.profile}.toml").is_file():
        known = sorted(p.name.removesuffix(".toml") for p in profiles.iterdir() if p.name.endswith(".toml"))
        add(("disclosure", "profile"), "there is no such profile", f"known profiles: {', '.join(known)}")
    return problems


def _check_sources_together(study: Study, layouts: dict[str, Layout], add: Any) -> None:
    tables = [layout.table for layout in layouts.values()]
    if tables.count("participants") != 1:
        add(("sources",), "exactly one source lists the participants", "give one source a participants layout")
    else:
        _check_subgroups(study, layouts, add)
    if not {"jobs", "job_months"} & set(tables):
        add(("sources",), "no source says who has a job", "add a job register")
    if study.follow_up.residence == "register" and "residence" not in tables:
        add(("follow_up", "residence"), "there is no residence source",
            'add one, or say residence = "assumed"')  # fmt: skip
    for name, definition in study.employed.items():
        subtracts = definition.wage_subsidy != "keep"
        if subtracts and definition.if_unanswerable == "unknown" and "programmes" not in tables:
            # without this, every month of the definition would be unknown
            add(("employed", name, "wage_subsidy"), "no source says who is on a scheme, so a wage subsidy cannot be subtracted",
                'add a source of schemes, or say wage_subsidy = "keep", or if_unanswerable = "skip"')  # fmt: skip


#: Columns of the trial file that subgroups on baseline columns rest on.
_RESTS_ON = {"sex": "sex", "education_level": "education", "upper_secondary": "education",
             "diagnosis_group": "diagnosis_group", "centre": "centre"}  # fmt: skip


def _check_subgroups(study: Study, layouts: dict[str, Layout], add: Any) -> None:
    """A subgroup that nobody can be in, because nothing says who is."""
    name, layout = next((n, layout) for n, layout in layouts.items() if layout.table == "participants")
    trial, tables = study.sources[name], {other.table for other in layouts.values()}

    def known(column: str) -> bool:
        return column in trial.columns or bool(layout.columns[column].name if column in layout.columns else "")

    for label, group in study.subgroups.items():
        column = _RESTS_ON.get(group.column, "")
        if column and not known(column):
            add(("subgroups", label, "column"), f"no column of the trial file holds {column}",
                f'add columns.{column} = "..." under sources.{name}, or leave the subgroup out')  # fmt: skip
        if group.column == "age" and not known("birth_month") and "people" not in tables:
            add(("subgroups", label, "column"), "no source holds the month of birth",
                f'add columns.birth_month = "..." under sources.{name}, or leave the subgroup out')  # fmt: skip
        if group.values is None:
            continue
        meant = set(trial.values.get(column, {}).values())
        if group.column == "upper_secondary":
            meant = {"completed", "not_completed"}
        strange = [value for value in group.values if meant and value not in meant]
        if strange:
            add(("subgroups", label, "values"), f"nobody can have the value {', '.join(strange)}",
                f"choose among: {', '.join(sorted(meant))}")  # fmt: skip


def _check_source(study: Study, name: str, layout: Layout, add: Any) -> None:
    source = study.sources[name]
    for table in ("columns", "values", "missing"):
        for column in getattr(source, table):
            if column not in layout.columns:
                close = difflib.get_close_matches(column, layout.columns, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(layout.columns)}"
                add(("sources", name, table, column), "the layout has no such column", hint)
    for column, spec in layout.columns.items():
        if spec.required and not spec.name and column not in source.columns:
            add(("sources", name, "columns", column), f"the layout needs to know which column holds {column}",
                f'add columns.{column} = "..."')  # fmt: skip
    if layout.table in ("jobs", "job_months", "programmes", "residence") and source.period is None:
        add(("sources", name, "period"), "the study must say which months this delivery covers",
            'add period = ["2015-01", "2018-12"]')  # fmt: skip
    if layout.table != "participants" and name not in study.keys:
        add(("keys", name), "the study does not say how people are matched to this delivery",
            f"add [keys.{name}] with its linkage file")  # fmt: skip
    if layout.table == "participants" and study.arms and "arm" not in source.columns:
        add(("sources", name, "columns", "arm"), "the study has arms, but no column holds the arm",
            'add columns.arm = "..."')  # fmt: skip
    if layout.table == "participants" and study.arms and "arm" in source.values:
        strangers = sorted(set(study.arms.labels) - set(source.values["arm"].values()))
        if strangers:
            add(("arms", "labels"), f"no code in values.arm gives: {', '.join(strangers)}",
                "make the names in values.arm and arms.labels the same")  # fmt: skip
