"""The code in docs/estimators.md and in the README's section on estimators runs, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ips_outcomes as ips

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "estimators.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """Every python block with the text block that follows it ("" where the next block is python again)."""
    found = BLOCK.findall(text)
    after = [*found[1:], ("python", "")]
    return [
        (code, said if kind == "text" else "")
        for (what, code), (kind, said) in zip(found, after, strict=True)
        if what == "python"
    ]


def runs(text: str, names: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Code, what the page says it prints, and what it prints."""
    for code, said in blocks(text):
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            exec(compile(code, "page", "exec"), names)
        yield code, said, told.getvalue()


def trimmed(text: str) -> list[str]:
    """Lines without blanks at their ends: pandas pads, editors strip."""
    return [line.rstrip() for line in text.splitlines()]


def test_the_page_of_estimators_prints_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    seen = 0
    for code, said, printed in runs(PAGE.read_text(encoding="utf-8"), {"__name__": "page"}):
        assert trimmed(printed) == trimmed(said), code
        seen += bool(said)
    assert seen > 20


def test_the_page_of_estimators_names_every_estimator() -> None:
    page = PAGE.read_text(encoding="utf-8")
    code = "".join(code for code, _ in blocks(page))
    assert [name for name in ips.capabilities().index if f"`{name}`" not in page and f"ips.{name}(" not in page] == []
    assert set(re.findall(r"\bips\.([a-z_]+)\(", code)) <= set(ips.__all__)


def test_the_readme_on_estimators_runs(demo_followup: ips.FollowUp) -> None:
    section = re.search(r"^## Estimators\n(.*?)^## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None
    ran = [code for code, _, _ in runs(section[1], {"ips": ips, "followed": demo_followup})]
    assert ran
    table = "".join(line for line in section[1].splitlines() if line.startswith("|"))
    assert [name for name in re.findall(r"`([a-z_]+)`", table) if not callable(getattr(ips, name, None))] == []
