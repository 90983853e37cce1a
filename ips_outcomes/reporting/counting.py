"""Monthly counts of a study of any size, as files: for whoever has a nation's registers and no use for a row a person-month."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ips_outcomes._version import __version__
from ips_outcomes.folders import sha256, whole_folder
from ips_outcomes.followup.national import count_months
from ips_outcomes.reporting.provenance import inputs
from ips_outcomes.reporting.steps import Tell, refuse_release
from ips_outcomes.reporting.writing import write_csv, write_json
from ips_outcomes.study import Study, as_study

__all__ = ["write_counts"]


def write_counts(
    study: Study | str | Path, out: str | Path, definitions: Sequence[str] | None = None,
    progress: Tell | None = None,
) -> Path:  # fmt: skip
    """Write people known and employed by definition, arm and month, and what became of every job row.

    Parameters
    ----------
    study : Study, str or pathlib.Path
        A study from `load_study`, or the path of its file.
    out : str or pathlib.Path
        Folder to write, whole or not at all: ``months.csv`` (``definition``,
        ``arm``, ``month``, ``n``, ``events``, ``rate`` from 0 to 1),
        ``rows.csv`` (job rows by source and rule) and ``manifest.json``. Small
        counts are not hidden: it stays on the server.
    definitions : sequence of str, optional
        Names under ``[employed]``; all of them by default.
    progress : callable, optional
        Called with a word on each step.

    Returns
    -------
    pathlib.Path
        The path of ``months.csv``.

    Raises
    ------
    UnsupportedError
        If a definition looks at hours, pay, benefits or courses, or the folder
        lies inside ``release`` or holds something else.
    DataError
        If an extract is not what the study file says.

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes import simulate_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_counts(simulate_study(f"{folder}/study", participants=30), f"{folder}/counts", ["any_job"])
    ...     path.name
    'months.csv'
    """
    tell, out = progress or (lambda _: None), Path(out)
    refuse_release(out, "small counts are not hidden here")
    study = as_study(study, tell)
    with whole_folder(out, "monthly counts") as work:
        tell("Counting months")
        counts = count_months(study, definitions=definitions, progress=tell)
        write_csv(counts.months, work / "months.csv")
        write_csv(counts.rows, work / "rows.csv")
        facts: dict[str, Any] = {"ips_outcomes": __version__, **inputs(study),
                                 "files_sha256": {path.name: sha256(path) for path in sorted(work.iterdir())}}  # fmt: skip
        write_json(facts, work / "manifest.json")
    return out / "months.csv"
