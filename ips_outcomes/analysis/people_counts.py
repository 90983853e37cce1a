"""How many people a row stands for: rows, frequencies, or counts of people and events."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.folding import WeightType
from ips_outcomes.analysis.inputs import require, yes_no
from ips_outcomes.errors import UnsupportedError

__all__ = ["PEOPLE", "WeightType", "counts_by", "from_counts", "person_weights"]

#: The column of numbers of people that `from_counts` adds.
PEOPLE = "_people"


def person_weights(table: pd.DataFrame, weights: str | None, weight_type: WeightType = "frequency") -> NDArray[np.float64]:
    """Weights of the rows, checked: whole frequencies, or probability weights from 0; 1 without a column."""
    if weight_type not in ("frequency", "probability"):
        raise UnsupportedError("weight_type is frequency or probability")
    if weights is None:
        if weight_type == "probability":
            raise UnsupportedError('weight_type="probability" needs weights=, the column that holds them')
        return np.ones(len(table))
    require(table, [weights])
    values = pd.to_numeric(table[weights], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        raise UnsupportedError(
            f"{int(bad.sum())} values of {weights} are missing, negative or not finite: weights are numbers from 0"
        )
    if weight_type == "frequency" and (values != np.floor(values)).any():
        raise UnsupportedError(
            f"{int((values != np.floor(values)).sum())} values of {weights} are not whole: frequencies are whole numbers; "
            'say weight_type="probability" for others'
        )
    return values


def from_counts(table: pd.DataFrame, outcome: str, people: str) -> pd.DataFrame:
    """A table of counts as rows with frequencies: one row of those with the outcome and one of those without.

    Raises
    ------
    UnsupportedError
        For counts that are missing, negative, not whole, or more events than people.

    Examples
    --------
    >>> counts = pd.DataFrame({"arm": ["ips", "control"], "n": [6, 5], "events": [4, 1]})
    >>> from_counts(counts, "events", "n")[["arm", "events", "_people"]].values.tolist()
    [['ips', 1.0, 4.0], ['control', 1.0, 1.0], ['ips', 0.0, 2.0], ['control', 0.0, 4.0]]
    """
    if outcome == people:
        raise UnsupportedError("outcome= names the counts of people with the outcome, and people= those of all people")
    n, events = (pd.to_numeric(table[c], errors="coerce").to_numpy(dtype=float, na_value=np.nan) for c in (people, outcome))
    for values, name in ((n, people), (events, outcome)):
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
        if bad.any():
            raise UnsupportedError(
                f"{int(bad.sum())} values of {name} are missing, negative or not whole: they are counts of people"
            )
    if (events > n).any():
        raise UnsupportedError(
            f"{int((events > n).sum())} rows have more people with the outcome ({outcome}) than people ({people})"
        )
    parts = [table.assign(**{outcome: value, PEOPLE: count}) for value, count in ((1.0, events), (0.0, n - events))]
    return pd.concat(parts, ignore_index=True)


def counts_by(table: pd.DataFrame, outcome: str, columns: list[str], weight: NDArray[np.float64] | None = None) -> pd.DataFrame:
    """People observed (``n``) and with the outcome (``events``) in each combination of columns; rows may count several times."""
    value = yes_no(table[outcome], outcome)
    copies = np.ones(len(table), dtype=np.int64) if weight is None else weight.astype(np.int64)
    counted = table[columns].assign(n=copies * ~np.isnan(value), events=copies * (value == 1))
    if not columns:
        return pd.DataFrame({"n": [int(counted["n"].sum())], "events": [int(counted["events"].sum())]})
    return counted.groupby(columns, sort=True, observed=True, dropna=False)[["n", "events"]].sum().reset_index()
