"""Reading a study file: all that is wrong with it, at once, with its line."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ips_outcomes.errors import Problem, StudyError
from ips_outcomes.study.checking import crosswise
from ips_outcomes.study.model import Study
from ips_outcomes.study.pointing import Lines, as_problem, lines_of, place_of, unknown_key

__all__ = ["as_study", "load_study"]

#: The study as a whole has one rule of its own: what may leave unchecked.
_WHOLE = ("disclosure.profile", 'name a profile such as "primary5", or say so if nobody here exists')


def as_study(study: Study | str | Path, tell: Callable[[str], None] = lambda _: None) -> Study:
    """A study as it is, or read from the path of its file."""
    if isinstance(study, Study):
        return study
    tell("Reading the study file")
    return load_study(study)


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
    lines = lines_of(text)
    reserved = [key for key in ("folder", "file") if key in content]
    problems = [unknown_key(path.name, (key,), lines, Study) for key in reserved]
    for key in reserved:
        del content[key]
    study, wrong, left_out = _what_holds(content, path)
    problems += [as_problem(path.name, details, lines, Study, _WHOLE) for details in wrong]
    problems += _missing_files(content, path, lines)
    if study is not None:
        problems += crosswise(study, path.name, lines, left_out)
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


def _missing_files(content: dict[str, Any], path: Path, lines: Lines) -> list[Problem]:
    problems = []
    for table, entry in (("sources", "files"), ("keys", "file")):
        parts = content.get(table)
        for name, part in parts.items() if isinstance(parts, dict) else ():
            pattern = part.get(entry) if isinstance(part, dict) else None
            if not isinstance(pattern, str):
                continue
            place = place_of((table, name, entry), lines)
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
