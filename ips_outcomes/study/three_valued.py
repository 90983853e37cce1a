"""Answers yes, no and open about the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError

__all__ = ["NO", "OPEN", "YES", "level_name", "numbers_of", "one_of"]

#: In this order "and" is the smallest answer, "or" the largest, and "not" is YES minus the answer (Kleene's strong logic).
NO, OPEN, YES = 0, 1, 2


def _holds(values: pd.Series) -> str:
    """What a column holds, whatever its type says: "number", "truth", "text" or "nothing"."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_bool_dtype(values):
        return "truth"
    if pd.api.types.is_numeric_dtype(values):
        return "number"
    kind = pd.api.types.infer_dtype(values, skipna=True)
    kinds = {"integer": "number", "floating": "number", "mixed-integer-float": "number", "boolean": "truth", "empty": "nothing"}
    return kinds.get(kind, "text")


def numbers_of(values: pd.Series) -> NDArray[np.float64]:
    """Numbers, with NaN where they are missing.

    Raises
    ------
    UnsupportedError
        If the column holds something else.
    """
    if _holds(values) not in ("number", "nothing"):
        raise UnsupportedError(f"{values.name} is not a number: give values, not a range or breaks")
    return pd.to_numeric(values.astype(object)).to_numpy(dtype=float, na_value=np.nan)


def one_of(values: pd.Series, wanted: Sequence[Any]) -> NDArray[np.int8]:
    """Whether each value is one of those wanted; open where it is missing.

    Raises
    ------
    UnsupportedError
        If text is asked of numbers or numbers of text: nobody could ever have such a value.
    """
    holds = _holds(values)
    text = [value for value in wanted if isinstance(value, str)]
    if (holds in ("number", "truth") and text) or (holds == "text" and len(text) < len(wanted)):
        found = "text: put values in quotes" if holds == "text" else f"{holds}s: write values without quotes"
        raise UnsupportedError(f"{values.name} holds {found}")
    missing = values.isna().to_numpy(dtype=bool)
    member = values.astype(object).isin(list(wanted)).to_numpy(dtype=bool)
    return np.where(missing, OPEN, np.where(member, YES, NO)).astype(np.int8)


def level_name(value: Any) -> str:
    """A value as the name of a level: whole numbers without decimals.

    Examples
    --------
    >>> level_name(3.0), level_name("Centre A")
    ('3', 'Centre A')
    """
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)
