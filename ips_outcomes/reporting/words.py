"""The one place for words: labels and sentences of the report, by language."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["Words", "words"]


class Words:
    """Texts by dotted name; a name that is not there is a fault, never an empty label."""

    def __init__(self, texts: dict[str, Any]):
        self._texts = texts

    def __call__(self, name: str, /, **values: Any) -> str:
        """The text of a name with its gaps filled."""
        found: Any = self._texts
        for part in name.split("."):
            found = found[part]
        if not isinstance(found, str):
            raise KeyError(name)
        return found.format(**values) if values else found

    def table(self, name: str) -> dict[str, str]:
        """All texts under a name, in their order."""
        found: Any = self._texts
        for part in name.split("."):
            found = found[part]
        return dict(found)

    def label(self, table: str, key: str) -> str:
        """A label from a table of labels; words of the study's own stand for themselves."""
        return self.table(table).get(key, key.replace("_", " "))


@cache
def words(language: str) -> Words:
    """The words of one language."""
    text = (resources.files("ips_outcomes.reporting") / f"words_{language}.toml").read_text(encoding="utf-8")
    return Words(tomllib.loads(text))
