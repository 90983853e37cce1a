"""The rooms stand on one stair: study -> engine -> loaders -> followup -> analysis -> reporting. A lower one never imports a higher one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ips_outcomes"
STAIR = ["study", "engine", "loaders", "followup", "analysis", "reporting"]
#: What may be imported from everywhere, and imports no room itself.
FLOOR = {"errors", "folders", "months", "estimates", "_drawing", "_version"}
#: Beside the stair: may use only the floor.
BESIDE = {"simulation"}
DOORS = {"cli", "__init__"}
#: Libraries that one file or one room keeps to itself.
KEPT = {"lifelines": "analysis/lifelines_door.py", "matplotlib": "reporting/", "jinja2": "reporting/", "click": "cli.py",
        "pandera": "loaders/schemas.py", "ibis": "engine/", "econml": "analysis/heterogeneity_forest.py", "duckdb": "engine/", "pyspark": "engine/",
        "pyarrow": ("engine/", "loaders/", "simulation/", "reporting/export.py")}  # fmt: skip
#: Reached through Ibis alone.
UNSEEN = {"duckdb"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are written in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if parts[0] == "ips_outcomes" and len(parts) > 1 else ""


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_leads_back_up_the_stairs(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    used = {room(name) for name in imports(path)} & {*STAIR, *FLOOR, *BESIDE, *DOORS}
    if own in DOORS:
        return
    if own in FLOOR:
        assert used <= FLOOR
    elif own in BESIDE:
        assert used <= FLOOR | {own}
    else:
        assert used <= FLOOR | set(STAIR[: STAIR.index(own) + 1])


@pytest.mark.parametrize("library", KEPT)
def test_a_library_stays_in_its_room(library: str) -> None:
    users = {str(p.relative_to(PACKAGE)) for p in FILES if any(n.split(".")[0] == library for n in imports(p))}
    assert users or library in UNSEEN, f"{library} is not used at all"
    assert all(user.startswith(KEPT[library]) for user in users)


def test_every_room_of_the_stair_exists() -> None:
    assert {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"} == {*STAIR, *BESIDE}
