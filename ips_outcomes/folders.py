"""Folders that appear whole or not at all, and that take the place of nothing but themselves."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ips_outcomes._version import __version__
from ips_outcomes.errors import UnsupportedError

__all__ = ["MARK", "STAGED", "sha256", "whole_folder"]

#: The file that says what was written here: only such a folder, unchanged, is ever replaced.
MARK = ".ips_outcomes.json"
#: Where the loaders keep typed copies of large files, beside the study that they belong to: no part of what was written.
STAGED = ".ips_outcomes_staged"


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    inside = (path for path in folder.rglob("*") if path.is_file() and path != folder / MARK)
    return sorted(path for path in inside if path.relative_to(folder).parts[0] != STAGED)


def _check(out: Path, kind: str) -> None:
    """Refuse a folder that holds anything else than what was written here as this kind."""
    here = Path.cwd().resolve()
    if out == here or out in here.parents:
        raise UnsupportedError(f"{out} is the current folder or holds it; choose a folder of its own")
    if out.exists() and not out.is_dir():
        raise UnsupportedError(f"{out} is a file; choose a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    try:
        mark: dict[str, Any] = json.loads((out / MARK).read_text(encoding="utf-8"))
        written = dict(mark["files"])
        same_kind = mark["kind"] == kind
    except (OSError, ValueError, KeyError, TypeError):
        raise UnsupportedError(f"{out} holds something that is not a {kind} of ips_outcomes; choose another folder") from None
    if not same_kind:
        raise UnsupportedError(f"{out} holds a {mark['kind']}, not a {kind}; choose another folder")
    foreign = [path for path in _files(out) if path.relative_to(out).as_posix() not in written]
    changed = [n for n, digest in written.items() if (out / n).is_file() and sha256(out / n) != digest]
    if foreign or changed:
        names = ", ".join([path.relative_to(out).as_posix() for path in foreign][:3] + changed[:3])
        raise UnsupportedError(
            f"{out} holds {len(foreign)} files that were added and {len(changed)} that were changed since it was written "
            f"({names}): move them, or choose another folder"
        )


@contextmanager
def whole_folder(out: Path, kind: str) -> Iterator[Path]:
    """A folder to write into that takes the place of ``out`` only when all went well.

    An earlier folder of the same kind is replaced, and only if it holds just
    what was written then; a list of files with their hashes is kept for that.

    Parameters
    ----------
    out : pathlib.Path
        Where the folder shall stand.
    kind : str
        What it is, such as ``"report"``.

    Raises
    ------
    UnsupportedError
        If ``out`` is a file, the current folder or one that holds it, or holds
        files that were not written here or were changed since.
    """
    out = out.resolve()
    aside = out.with_name(f".{out.name}.previous")
    if aside.exists() and not out.exists():
        # an earlier run died between its two renames: what it put aside is the last whole one
        aside.replace(out)
    _check(out, kind)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        yield work
        files = {path.relative_to(work).as_posix(): sha256(path) for path in _files(work)}
        mark = {"written_by": f"ips_outcomes {__version__}", "kind": kind, "files": files}
        (work / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8", newline="\n")
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
