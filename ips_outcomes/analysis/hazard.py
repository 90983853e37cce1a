"""Cause-specific hazard ratios between arms, from the event table."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import event_table, patterns
from ips_outcomes.analysis.inputs import Data, require, times_table, with_arm
from ips_outcomes.analysis.limits import Z95
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["hazard_ratio"]

METHOD = "Cause-specific Cox regression on the arm alone, Efron's handling of ties; other events censored; Wald 95 % interval"
REFERENCES = (
    "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x",
    "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565. doi:10.1080/01621459.1977.10480613",
)


def hazard_ratio(
    data: Data, time: str = "time", event: str = "event", arm: str = "arm", reference: str | None = None, cause: int = 1
) -> Estimates:
    """Cause-specific hazard ratio of each arm against the reference.

    With the arm as the only covariate, people who share arm, time and event
    are alike, so that the partial likelihood follows from counts by month: no
    row a person is touched twice.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (people at risk of a first job), or one row a person.
    time, event : str
        As in `cumulative_incidence`.
    arm : str
        Column that holds the arm.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    cause : int
        The code of the event of interest.

    Returns
    -------
    Estimates
        Measure ``hazard_ratio``, a row an arm; ``std_error`` is that of its
        logarithm.

    Raises
    ------
    UnsupportedError
        If there is one arm, an arm without events, or no finite answer.

    Notes
    -----
    Equal to R's ``survival::coxph(Surv(time, event == cause) ~ arm)``.

    References
    ----------
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
    Efron B. The efficiency of Cox's likelihood function for censored data.
    J Am Stat Assoc 1977;72:557-565.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "b"] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> round(float(hazard_ratio(people, reference="b").table["estimate"][0]), 3)
    1.728
    """
    if reference is None and not isinstance(data, pd.DataFrame):
        reference = data.study.reference
    reference = None if reference is None else str(reference)
    table = times_table(data)
    require(table, [time, event, arm])
    table, left_out = with_arm(table, arm)
    arms = sorted(table[arm].unique())
    if len(arms) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    if reference not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    ordered = [reference, *(a for a in arms if a != reference)]
    counted = [event_table(patterns(table[table[arm] == a], time, event, None, None, "frequency"), cause) for a in ordered]
    longest = max(len(c.time) for c in counted)
    at_risk = np.stack([np.pad(c.at_risk, (0, longest - len(c.time))) for c in counted])
    events = np.stack([np.pad(c.events[:, 0], (0, longest - len(c.time))) for c in counted])
    empty = [a for a, d in zip(ordered, events, strict=True) if not d.any()]
    if empty:
        raise UnsupportedError(f"no event in {', '.join(empty)}: the hazard ratio is zero or infinite")
    log_ratio, std_error = _maximised(at_risk, events)
    rows = []
    for i, other in enumerate(ordered[1:]):
        low, high = log_ratio[i] - Z95 * std_error[i], log_ratio[i] + Z95 * std_error[i]
        rows.append({
            "outcome": event, "measure": "hazard_ratio", "contrast": f"{other} / {reference}",
            "n": int(table[arm].isin([other, reference]).sum()), "events": int(events[[0, i + 1]].sum()),
            "estimate": np.exp(log_ratio[i]), "std_error": std_error[i], "conf_low": np.exp(low), "conf_high": np.exp(high),
            "p_value": erfc(abs(log_ratio[i] / std_error[i]) / sqrt(2)), "method": "cause-specific Cox, Efron",
        })  # fmt: skip
    return Estimates(tidy(pd.DataFrame(rows)), "Hazard ratio", METHOD, REFERENCES, "forest", left_out)


def _maximised(at_risk: NDArray[np.float64], events: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log hazard ratios of all arms but the first, and their standard errors.

    Efron: of d events in a month, the l-th finds the month's risk set with
    l / d of those d already gone.
    """
    tied = events.sum(axis=0).astype(np.int64)
    month = np.repeat(np.arange(len(tied)), tied)
    gone = (np.arange(len(month)) - np.repeat(np.cumsum(tied) - tied, tied)) / tied[month]
    present = at_risk[:, month] - gone * events[:, month]
    happened = events.sum(axis=1)
    log_ratio = np.zeros(len(at_risk) - 1)
    for _ in range(50):
        share = present * np.exp(np.concatenate([[0.0], log_ratio]))[:, None]
        share = share / share.sum(axis=0)
        score = (happened - share.sum(axis=1))[1:]
        information = np.diag(share.sum(axis=1)) - share @ share.T
        information = information[1:, 1:]
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            break
        # no step is longer than a factor of e^2, so that a poor start cannot overshoot for ever
        log_ratio = log_ratio + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-12:
            return log_ratio, np.sqrt(np.diag(np.linalg.inv(information)))
    raise UnsupportedError("the hazard ratio has no finite answer: in no month with events are both arms at risk")
