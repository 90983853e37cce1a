"""Employment rates by month and group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import Data, as_list, group_name, months_table, yes_no
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import COMMON_COLUMNS, Estimates, tidy

__all__ = ["counts_by", "employment_rates", "rates_from_counts"]

METHOD = "Share with the outcome among people observed; Wilson 95 % interval"
REFERENCES = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
)


def counts_by(table: pd.DataFrame, outcome: str, columns: list[str]) -> pd.DataFrame:
    """People observed (``n``) and with the outcome (``events``) in each combination of columns."""
    value = yes_no(table[outcome], outcome)
    counted = table[columns].assign(n=~np.isnan(value), events=value == 1)
    if not columns:
        return pd.DataFrame({"n": [int(counted["n"].sum())], "events": [int(counted["events"].sum())]})
    return counted.groupby(columns, sort=True, observed=True, dropna=False)[["n", "events"]].sum().reset_index()


def rates_from_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Rate, standard error and Wilson interval from columns ``n`` and ``events``."""
    n, events = counts["n"].to_numpy(dtype=float), counts["events"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(n > 0, events / n, np.nan)
        std_error = np.sqrt(rate * (1 - rate) / n)
    low, high = wilson(events, n)
    return counts.assign(estimate=rate, std_error=std_error, conf_low=low, conf_high=high, method="Wilson")


def employment_rates(
    data: Data, outcome: str, by: str | Sequence[str] | None = None, at: int | Sequence[int] | None = None,
    interval: Literal["wilson"] = "wilson", *, month: str | None = None,
) -> Estimates:  # fmt: skip
    """Share of people with the outcome, by group and month, among those observed.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp, or one row a person (and month).
    outcome : str
        True/false column; missing means not observed and is left out of ``n``.
    by : str or list of str, optional
        Columns that make the groups, such as ``"arm"``; baseline columns and
        subgroups of a FollowUp can be named.
    at : int or list of int, optional
        Months; all months from 1 by default.
    interval : {"wilson"}
        Kind of 95 % interval.
    month : str, optional
        The month column of a DataFrame; ``"month"`` is found by itself, and a
        table without months gives one rate a group.

    Returns
    -------
    Estimates
        Measure ``rate``: a row a group and month with ``n`` (people observed),
        ``events``, ``estimate`` (0 to 1), ``std_error`` (Wald), interval.

    Raises
    ------
    UnsupportedError
        For unknown columns or months, and outcomes that are not true/false.

    References
    ----------
    Wilson EB. Probable inference, the law of succession, and statistical
    inference. J Am Stat Assoc 1927;22:209-212.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 3, "works": [1, 1, 0, 1, 0, None]})
    >>> employment_rates(six, outcome="works", by="arm").table[["group", "n", "estimate"]].values.tolist()
    [['a', 3, 0.6666666666666666], ['b', 2, 0.5]]
    """
    if interval != "wilson":
        raise UnsupportedError("the only interval so far is wilson")
    groups = as_list(by)
    taken = sorted({*groups} & ({*COMMON_COLUMNS} - {"group", "month", "subgroup", "level"}))
    if taken:
        raise UnsupportedError(f"rename {', '.join(taken)}: a table of estimates has columns of that name")
    table, month = months_table(data, [outcome, *groups], at, month)
    columns = [*groups, *([month] if month else [])]
    rows = rates_from_counts(counts_by(table, outcome, columns))
    keys = rows[groups].itertuples(index=False, name=None)
    names = [group_name(key if len(groups) > 1 else key[0]) for key in keys] if groups else "all"
    rows = rows.assign(group=names, month=rows[month] if month else pd.NA)
    extra = [c for c in groups if c not in ("group", "month")]
    rows = rows.assign(outcome=outcome, measure="rate")
    keep = ["outcome", "measure", "group", "month", "n", "events", "estimate", "std_error", "conf_low", "conf_high", "method"]
    return Estimates(tidy(rows[[*keep, *extra]]), f"Share with {outcome}", METHOD, REFERENCES, "curve")
