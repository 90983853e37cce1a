"""Which files a folder was made from."""

from __future__ import annotations

import hashlib
from typing import Any

from ips_outcomes.folders import sha256
from ips_outcomes.study import Study

__all__ = ["inputs"]


def inputs(study: Study) -> dict[str, Any]:
    """The study file and every file that it names, by hash."""
    paths = {p for name in study.sources for p in study.paths(name)}
    paths |= {p for key in study.keys.values() if key.file for p in study.folder.glob(key.file)}
    hashes = {p.relative_to(study.folder).as_posix(): sha256(p) for p in sorted(paths)}
    return {
        "study": study.title,
        "study_file": study.file,
        "study_file_sha256": sha256(study.folder / study.file),
        "inputs_sha256": hashes,
        "inputs_together_sha256": hashlib.sha256("".join(hashes.values()).encode()).hexdigest(),
    }
