"""Where in a file a fault stands, and what is wrong there, in a reader's words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel

from ips_outcomes.errors import Problem

__all__ = ["Add", "Lines", "as_problem", "lines_of", "place_of", "unknown_key"]

Lines = dict[tuple[str, ...], int]
#: How a check says what is wrong: the place, the rule, the remedy.
Add = Callable[[tuple[str | int, ...], str, str], None]

_TABLE = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_ENTRY = re.compile(r"^\s*([A-Za-z0-9_\-\."
                    r'"]+)\s*=')  # fmt: skip


def lines_of(text: str) -> Lines:
    """The line on which each table or key of a TOML text stands."""
    found: Lines = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = tuple(part.strip(' "') for part in header[1].split("."))
            found.setdefault(table, number)
        elif entry := _ENTRY.match(line):
            found.setdefault((*table, *(part.strip(' "') for part in entry[1].split("."))), number)
    return found


def place_of(location: tuple[Any, ...], lines: Lines) -> str:
    """The line and the key, or the nearest table that holds it."""
    # a place in a list is counted from 1, as a reader would
    parts = tuple(str(part + 1 if isinstance(part, int) else part) for part in location if part != "[key]")
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


def unknown_key(file: str, location: tuple[Any, ...], lines: Lines, root: type[BaseModel]) -> Problem:
    """A key that nothing knows, with what was perhaps meant."""
    model = _model_at(location[:-1], root)
    known = [field.alias or key for key, field in model.model_fields.items() if key not in ("folder", "file")]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"known keys here: {', '.join(known)}"
    return Problem(file, "there is no such key", remedy, place_of(location, lines))


def as_problem(file: str, details: Any, lines: Lines, root: type[BaseModel], whole: tuple[str, str] = ("", "")) -> Problem:
    """What pydantic found, said as a problem of the file; ``whole`` is the place and the remedy of a rule about all of it."""
    location, kind, context = tuple(details["loc"]), details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(file, location, lines, root)
    place = place_of(location or tuple(filter(None, whole[0].split("."))), lines)
    if kind == "missing":
        return Problem(file, "this key is needed and is not there", f"add {location[-1]}", place)
    if kind == "literal_error":
        return Problem(file, "this value is not one of those allowed", f"allowed: {context['expected']}", place)
    if kind == "value_error":
        remedy = "change the value" if location or not whole[1] else whole[1]
        return Problem(file, str(context["error"]), remedy, place)
    if kind == "string_pattern_mismatch":
        rule = "names are lower-case letters, digits and underscores, and start with a letter"
        return Problem(file, rule, "rename it", place)
    rule, remedy = _PLAIN.get(kind, (details["msg"], "change the value"))
    return Problem(file, rule, remedy, place)


#: What pydantic says in its own terms, said in a reader's.
_PLAIN = {
    "finite_number": ("this is a number", "write one that has an end"),
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
