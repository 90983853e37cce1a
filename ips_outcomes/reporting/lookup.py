"""Finding the one row that a sentence, a cell or a caption speaks of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.estimates import Estimates

__all__ = ["cell", "pick"]


def pick(table: pd.DataFrame | Estimates | None, **values: Any) -> pd.Series | None:
    """The first row in which each named column has the given value, if there is one."""
    rows = table.table if isinstance(table, Estimates) else table
    if rows is None:
        return None
    keep = np.ones(len(rows), dtype=bool)
    for column, wanted in values.items():
        keep &= rows[column].to_numpy(dtype=object, na_value=None) == wanted
    found = np.flatnonzero(keep)
    return rows.iloc[found[0]] if len(found) else None


def cell(row: pd.Series | None, column: str = "estimate") -> Any:
    """One cell of a row that may not be there."""
    return None if row is None else row[column]
