"""The one currency: every analysis returns `Estimates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ips_outcomes import _drawing

__all__ = ["COMMON_COLUMNS", "Estimates", "combine", "stacked", "tidy", "under"]

#: The columns that every table of estimates has, in this order.
COMMON_COLUMNS: dict[str, str] = {
    "outcome": "object",
    "subgroup": "object",
    "level": "object",
    "measure": "object",
    "group": "object",
    "contrast": "object",
    "month": "Int64",
    "time": "Int64",
    "n": "Int64",
    "events": "Int64",
    "estimate": "float64",
    "std_error": "float64",
    "conf_low": "float64",
    "conf_high": "float64",
    "p_value": "float64",
    "method": "object",
}

Shape = Literal["curve", "steps", "forest"]


def _missing(values: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.isnan(values) if getattr(values.dtype, "kind", "O") == "f" else pd.isna(values), dtype=bool)


def _whole(values: Any) -> bool:
    numbers = np.asarray(pd.to_numeric(values, errors="coerce"), dtype=float)
    numbers = numbers[~np.isnan(numbers)]
    return bool((numbers == np.round(numbers)).all())


def _typed(values: Any, dtype: str) -> Any:
    """A column's array in its type. NumPy's numbers go in by hand, as pandas asks each array a hundred questions."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if dtype == "float64" and kind in "iuf":
        return values.astype(np.float64)
    if dtype == "Int64" and kind in "iu":
        return pd.arrays.IntegerArray(values.astype(np.int64), np.zeros(len(values), dtype=bool))
    if dtype == "Int64" and kind == "f" and _whole(values):
        gaps = np.isnan(values)
        return pd.arrays.IntegerArray(np.where(gaps, 0, values).astype(np.int64), gaps)
    return values.astype(dtype) if not isinstance(values, np.ndarray) or dtype == "object" else pd.array(values).astype(dtype)


def stacked(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of parts that stand under one another, each given by name as an array, or as one value for all its rows.

    All parts have the same columns. What comes out goes into `tidy`, so that many small groups cost one frame in all.

    Examples
    --------
    >>> import numpy as np
    >>> columns = stacked([{"group": "a", "time": np.array([1, 2])}, {"group": "b", "time": np.array([1])}])
    >>> {name: values.tolist() for name, values in columns.items()}
    {'group': ['a', 'a', 'b'], 'time': [1, 2, 1]}
    """
    lengths = [max(len(v) for v in part.values() if isinstance(v, np.ndarray)) for part in parts]
    columns: dict[str, Any] = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        if all(isinstance(value, np.ndarray) for value in values):
            columns[name] = np.concatenate(values)
            continue
        # one value a part: numbers stay numbers, all else is an object a row
        alike = (
            np.array(values) if all(isinstance(v, (int, float, np.number)) for v in values) else np.array(values, dtype=object)
        )
        columns[name] = np.repeat(alike, lengths)
    return columns


def under(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables under one another; a column that one of them lacks is empty there.

    Examples
    --------
    >>> under([pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2], "b": ["x"]})])["b"].tolist()
    [nan, 'x']
    """
    names = dict.fromkeys(name for table in tables for name in table.columns)
    # values, not frames: pandas would guess the type of a column from tables that have nothing in it
    columns = {n: [v for t in tables for v in (t[n].tolist() if n in t else [float("nan")] * len(t))] for n in names}
    return pd.DataFrame(columns, columns=list(names))


def tidy(rows: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
    """Put a table, or columns by name, into the common shape: common columns first, typed, gaps empty."""
    given = {name: rows[name].array for name in rows.columns} if isinstance(rows, pd.DataFrame) else dict(rows)
    size, columns = len(rows) if isinstance(rows, pd.DataFrame) else len(next(iter(given.values()))), {}
    for column, dtype in COMMON_COLUMNS.items():
        if column not in given:
            gap: Any = "" if dtype == "object" else float("nan")
            columns[column] = pd.array([pd.NA] * size, dtype="Int64") if dtype == "Int64" else np.full(size, gap, dtype=dtype)
            continue
        values = given[column]
        if column == "events" and not pd.api.types.is_integer_dtype(values.dtype) and not _whole(values):
            # events under probability weights are sums of weights
            dtype = "Float64"
        columns[column] = _typed(values, dtype)
        if dtype == "object" and (gaps := _missing(columns[column])).any():
            columns[column] = np.where(gaps, "", np.asarray(columns[column], dtype=object))
    return pd.DataFrame({**columns, **{name: values for name, values in given.items() if name not in COMMON_COLUMNS}})


@dataclass(frozen=True, repr=False)
class Estimates:
    """A tidy table of estimates that knows what it is.

    Parameters
    ----------
    table : pandas.DataFrame
        One row an estimate. Columns: ``outcome``, ``subgroup`` and ``level``
        (empty for everybody), ``measure``, ``group`` or ``contrast``,
        ``month`` or ``time`` (months since the index date), ``n`` (people),
        ``events`` (people), ``estimate``, ``std_error``, ``conf_low``,
        ``conf_high``, ``p_value``, ``method``; then columns of the analysis's
        own. Proportions are 0 to 1.
    title : str
        What was estimated.
    method : str
        How, in words.
    references : tuple of str
        Where the methods are described.
    shape : {"curve", "steps", "forest"}
        The picture that suits the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from ips_outcomes import employment_rates
    >>> people = pd.DataFrame({"arm": ["ips", "ips", "control"], "employed": [1, 0, 0]})
    >>> rates = employment_rates(people, outcome="employed", by="arm")
    >>> rates.table[["group", "n", "events", "estimate"]].to_dict("records")
    [{'group': 'control', 'n': 1, 'events': 0, 'estimate': 0.0}, {'group': 'ips', 'n': 2, 'events': 1, 'estimate': 0.5}]
    """

    table: pd.DataFrame
    title: str
    method: str
    references: tuple[str, ...] = ()
    shape: Shape = "forest"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        missing = [column for column in COMMON_COLUMNS if column not in self.table]
        if missing:
            raise ValueError(f"an estimates table lacks the columns {missing}")

    def __repr__(self) -> str:
        return f"<Estimates: {self.title}, {len(self.table)} rows; {self.method}>"

    def __len__(self) -> int:
        return len(self.table)

    def with_table(self, table: pd.DataFrame, *notes: str) -> Estimates:
        """The same estimates over another table, such as the released one."""
        return replace(self, table=tidy(table), notes=(*self.notes, *notes))

    def select(self, **values: Any) -> Estimates:
        """Only the rows where each named column has the given value or one of the given list."""
        keep = pd.Series(True, index=self.table.index)
        for column, value in values.items():
            wanted = value if isinstance(value, list | tuple | set) else [value]
            keep &= self.table[column].isin(list(wanted))
        return replace(self, table=self.table[keep].reset_index(drop=True))

    def plot(self, **options: Any) -> Any:
        """Draw the estimates; returns a `matplotlib.figure.Figure`."""
        if _drawing.drawer is None:  # pragma: no cover - set by the package's front door
            raise RuntimeError("import ips_outcomes before drawing")
        return _drawing.drawer(self, **options)

    def _repr_html_(self) -> str:
        shown = self.table.dropna(axis="columns", how="all")
        shown = shown[[c for c in shown.columns if not (shown[c].astype(str) == "").all()]]
        return f"<p><b>{self.title}</b><br>{self.method}</p>{shown.to_html(index=False)}"


def combine(parts: list[Estimates], title: str) -> Estimates:
    """Stack estimates of one kind into one table."""
    if not parts:
        raise ValueError("nothing to combine")
    first = parts[0]
    table = pd.concat([part.table for part in parts if len(part)] or [first.table], ignore_index=True)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(first, table=tidy(table), title=title, notes=notes)
