"""How many people are in each state, month by month: all states, those not observed too, so that they add up to the group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.analysis.states import NOT_OBSERVED, paths_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["state_shares"]


@supports(competing="as states")
def state_shares(
    data: Data, state: str = "state", by: str | None = "arm", start: int = 0, end: int | None = None, *,
    states: Sequence[str] | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Share of all people who are in each state, month by month.

    Nobody leaves the number below the line: the dead, those abroad and those
    not observed are in states of their own, and the shares of a month add up
    to one. What the shares of the states would be if all were observed is
    `state_occupation`.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    state : str
        Column of the state; missing, "not_observed" and a month without a row
        are the state "not_observed".
    by : str or None
        Column of the group; None for everybody.
    start, end : int
        First and last month.
    states : list of str, optional
        All states in the order they are shown; the study's, or those found.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measure "share", a row a group, state and month, ``state`` beside it:
        ``n`` (people of the group), ``events`` (those in the state),
        ``estimate`` (a proportion), with Wilson's 95 % limits.

    Raises
    ------
    UnsupportedError
        As `state_occupation`.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 1, 2, 2], "month": [0, 1, 0, 1], "state": ["none", "work", "none", None]})
    >>> found = state_shares(rows, by=None).table
    >>> found.loc[found["month"] == 1, ["state", "events", "estimate"]].values.tolist()
    [['none', 0, 0.0], ['work', 1, 0.5], ['not_observed', 1, 0.5]]
    """
    paths = paths_of(data, state, by, start, end, states, month, person_id, None)
    names = [*paths.states, NOT_OBSERVED]
    parts = []
    for code, group in enumerate(paths.groups):
        own = paths.place[paths.group == code]
        for place, name in enumerate(names):
            wanted = -1 if name == NOT_OBSERVED else place
            parts.append(pd.DataFrame({
                "group": group, "state": name, "month": paths.months, "n": len(own), "events": (own == wanted).sum(axis=0),
            }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    events, n = table["events"].to_numpy(float), table["n"].to_numpy(float)
    share = events / n
    low, high = wilson(events, n)
    table = table.assign(estimate=share, std_error=np.sqrt(share * (1 - share) / n), conf_low=low, conf_high=high,
                         outcome=state, measure="share", method="Wilson")  # fmt: skip
    return Estimates(tidy(table), "Where people are, month by month", "Shares of everybody in the group, those not observed too; "
                     "two-sided 95 % limits by Wilson's score", (
        "Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc 1927;22:209-212. "
        "doi:10.1080/01621459.1927.10502953",), "curve", paths.notes)  # fmt: skip
