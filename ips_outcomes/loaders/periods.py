"""Which calendar months a file speaks for."""

from __future__ import annotations

import re
from pathlib import Path

from ips_outcomes.loaders.files import column_names
from ips_outcomes.months import NO_MONTH, calendar_month
from ips_outcomes.study import Layout, Study

__all__ = ["file_month", "wide_months"]


def file_month(path: Path, layout: Layout) -> int:
    """The calendar month that a file's name gives, or NO_MONTH."""
    match = re.search(layout.file_month, path.name) if layout.file_month else None
    if match is None or not 1 <= int(match["month"]) <= 12:
        return NO_MONTH
    return calendar_month(int(match["year"]), int(match["month"]))


def wide_months(study: Study, name: str) -> list[int]:
    """The calendar months that a source's files have columns for; none where its columns are no months."""
    layout, source = study.layouts[name], study.sources[name]
    if layout.wide is None or not layout.wide.by_month:
        return []
    names = [column for path in study.paths(name) for column in column_names(path, layout, source)]
    return [calendar_month(year, month) for _, year, month in layout.wide.cells(names)]
