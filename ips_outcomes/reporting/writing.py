"""How tables and facts become files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["write_csv", "write_json"]


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """A table as CSV: UTF-8, comma, point, full precision, the same bytes on every platform."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def write_json(content: dict[str, Any], path: Path) -> None:
    """A JSON file that people can read."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8", newline="\n")
