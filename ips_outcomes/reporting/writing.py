"""The one place that writes files: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ips_outcomes.errors import UnsupportedError

__all__ = ["MARK", "sha256", "whole_folder", "write_csv", "write_json"]

#: The file that says a folder was written here, and may be replaced.
MARK = "manifest.json"


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that takes the place of ``out`` only when all went well.

    Raises
    ------
    UnsupportedError
        If ``out`` holds something that was not written here.
    """
    aside = out.with_name(f".{out.name}.previous")
    if aside.exists() and not out.exists():
        # an earlier run died between its two renames: what it put aside is the report
        aside.replace(out)
    if out.exists() and not out.is_dir():
        raise UnsupportedError(f"{out} is a file; choose a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UnsupportedError(f"{out} holds files that are not a report of ips_outcomes; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        yield work
        work.chmod(0o755)
        shutil.rmtree(aside, ignore_errors=True)
        if out.exists():
            out.replace(aside)
        try:
            work.replace(out)
        except OSError:
            if aside.exists():
                aside.replace(out)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """A table as CSV: UTF-8, comma, point, full precision, the same bytes on every platform."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def write_json(content: dict[str, Any], path: Path) -> None:
    """A JSON file that people can read."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8", newline="\n")


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
