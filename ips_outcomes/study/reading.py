"""Reading a study file: all that is wrong with it, at once, with its line."""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ips_outcomes.errors import Problem, StudyError
from ips_outcomes.study.layout import Layout, builtin_layouts, load_layout
from ips_outcomes.study.model import Study

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
    try:
        study = Study.model_validate({**content, "folder": path.parent, "file": path.name})
    except ValidationError as error:
        problems += [_as_problem(path.name, details, lines, content) for details in error.errors()]
        problems += _missing_files(content, path, lines)
        raise StudyError(_unique(problems)) from None
    problems += _missing_files(content, path, lines)
    problems += _crosswise(study, path.name, lines)
    if problems:
        raise StudyError(_unique(problems))
    return study


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
    place = _place(location, lines)
    if kind == "missing":
        return Problem(file, "this key is needed and is not there", f"add {location[-1]}", place)
    if kind == "literal_error":
        return Problem(file, "this value is not one of those allowed", f"allowed: {context['expected']}", place)
    if kind == "value_error":
        return Problem(file, str(context["error"]), "change the value", place)
    if kind == "string_pattern_mismatch":
        rule = "names are lower-case letters, digits and underscores, and start with a letter"
        return Problem(file, rule, "rename it", place)
    return Problem(file, details["msg"], "change the value", place)


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
            elif not any(path.parent.glob(pattern)):
                rule = f'no file matches "{pattern}"'
                problems.append(Problem(path.name, rule, "put the file there, or mend the path", place))
    return problems


def _crosswise(study: Study, file: str, lines: dict[tuple[str, ...], int]) -> list[Problem]:
    """What no single part of the study file can know about the others."""
    problems: list[Problem] = []

    def add(location: tuple[str, ...], rule: str, remedy: str) -> None:
        problems.append(Problem(file, rule, remedy, _place(location, lines)))

    layouts: dict[str, Layout] = {}
    for name, source in study.sources.items():
        try:
            layouts[name] = load_layout(source.layout, study.folder)
        except FileNotFoundError:
            remedy = f"known layouts: {', '.join(builtin_layouts())}; or name a .toml file of your own"
            add(("sources", name, "layout"), "there is no such layout", remedy)
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            add(("sources", name, "layout"), f"the layout file is not a layout: {error}", "mend the layout file")
    for name, layout in layouts.items():
        _check_source(study, name, layout, add)
    tables = [layout.table for layout in layouts.values()]
    if tables.count("participants") != 1 and len(layouts) == len(study.sources):
        add(("sources",), "exactly one source lists the participants", "give one source a participants layout")
    if not {"jobs", "job_months"} & set(tables):
        add(("sources",), "no source says who has a job", "add a job register")
    if study.follow_up.residence == "register" and "residence" not in tables:
        add(("follow_up", "residence"), "there is no residence source",
            'add one, or say residence = "assumed"')  # fmt: skip
    for name in study.keys:
        if name not in study.sources:
            add(("keys", name), "these keys belong to no source", "remove them, or add the source")
    profiles = resources.files("ips_outcomes") / "reporting" / "profiles"
    if not (profiles / f"{study.disclosure.profile}.toml").is_file():
        known = sorted(p.name.removesuffix(".toml") for p in profiles.iterdir() if p.name.endswith(".toml"))
        add(("disclosure", "profile"), "there is no such profile", f"known profiles: {', '.join(known)}")
    return problems


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
            add(("sources", name, "columns"), f"the layout needs to know which column holds {column}",
                f'add columns.{column} = "..."')  # fmt: skip
    if layout.table in ("jobs", "job_months", "programmes", "residence") and source.period is None:
        add(("sources", name), "the study must say which months this delivery covers",
            'add period = ["2015-01", "2018-12"]')  # fmt: skip
    if layout.table != "participants" and name not in study.keys:
        add(("sources", name), "the study does not say how people are matched to this delivery",
            f"add [keys.{name}] with its linkage file")  # fmt: skip
    if layout.table == "participants" and study.arms and "arm" not in source.columns:
        add(("sources", name, "columns"), "the study has arms, but no column holds the arm",
            'add columns.arm = "..."')  # fmt: skip
    if layout.table == "participants" and study.arms and "arm" in source.values:
        strangers = sorted(set(study.arms.labels) - set(source.values["arm"].values()))
        if strangers:
            add(("arms", "labels"), f"no code in values.arm gives: {', '.join(strangers)}",
                "make the names in values.arm and arms.labels the same")  # fmt: skip
