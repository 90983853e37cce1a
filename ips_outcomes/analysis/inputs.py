"""One door for data: a FollowUp or a plain DataFrame, checked once, in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ips_outcomes.errors import UnsupportedError
from ips_outcomes.followup import FollowUp

__all__ = ["Data", "as_list", "group_name", "months_table", "own_reference", "require", "times_table", "with_arm", "yes_no"]

Data: TypeAlias = FollowUp | pd.DataFrame

#: What a group is called whose level is missing.
MISSING = "Unknown"


def as_list(names: str | Sequence[str] | None) -> list[str]:
    """No name, one name or several, as a list."""
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a table that lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        known = ", ".join(map(str, table.columns))
        raise UnsupportedError(f"there is no column {', '.join(missing)}; there are: {known}")


def months_table(
    data: Data, columns: list[str], at: int | Sequence[int] | None, month: str | None
) -> tuple[pd.DataFrame, str | None]:
    """Rows of the wanted months, and the name of the month column (None without months)."""
    if isinstance(data, FollowUp):
        table, month = data.months_with(columns), "month"
        require(table, columns)
        wanted = range(1, int(table["month"].max()) + 1) if at is None else [at] if isinstance(at, int) else at
    else:
        table = data
        require(table, columns)
        if month is None and "month" in table.columns:
            month = "month"
        if month is None:
            if at is not None:
                raise UnsupportedError("at= chooses months, and the data has no month column; name it with month=")
            return table, None
        require(table, [month])
        if at is None:
            return table, month
        wanted = [at] if isinstance(at, int) else at
    present = set(table[month].unique())
    strange = [m for m in wanted if m not in present]
    if strange:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, strange))}")
    return table[table[month].isin(list(wanted))], month


def own_reference(data: object, reference: object) -> str | None:
    """The arm that others are compared with: as named, or as a FollowUp knows it; None where nobody says."""
    if reference is None and isinstance(data, FollowUp):
        reference = data.study.reference
    return None if reference is None else str(reference)


def times_table(data: Data) -> pd.DataFrame:
    """People at risk with their times, from a FollowUp, or the rows as given."""
    return data.at_risk if isinstance(data, FollowUp) else data


def yes_no(values: pd.Series, name: str) -> np.ndarray:
    """An outcome as floats 1, 0 and NaN; anything but yes, no and missing is refused."""
    numbers = pd.to_numeric(values.astype("Float64"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
        raise UnsupportedError(f"{name} must be true, false or missing (1, 0 or missing)")
    return numbers


def group_name(key: Any) -> str:
    """One group's name, levels of several columns joined; a missing level has a name, too."""
    return ", ".join(map(group_name, key)) if isinstance(key, tuple) else MISSING if pd.isna(key) else str(key)


def with_arm(table: pd.DataFrame, arm: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows that have an arm, arms as text; and a note on how many have none."""
    known = table[arm].notna()
    notes = () if known.all() else (f"{int((~known).sum())} rows left out: {arm} is missing",)
    return table[known].assign(**{arm: table.loc[known, arm].astype(str)}), notes
