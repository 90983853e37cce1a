"""The only file that imports lifelines, so that its bound on pandas can lift in one line.

lifelines is right for point estimates and model-based errors of a Cox model;
see docs/dependencies.md for what of it is not used, and why.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.analysis.event_table import patterns
from ips_outcomes.analysis.inputs import Data, require, times_table
from ips_outcomes.analysis.proportions import Z95
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["hazard_ratio"]

METHOD = "Cause-specific Cox regression on the arm alone, Efron's handling of ties; other events censored; Wald 95 % interval"
REFERENCES = (
    "Cox DR. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x",
    "Efron B. J Am Stat Assoc 1977;72:557-565. doi:10.1080/01621459.1977.10480613",
    "Davidson-Pilon C. J Open Source Softw 2019;4(40):1317. doi:10.21105/joss.01317",
)


def hazard_ratio(
    data: Data, time: str = "time", event: str = "event", arm: str = "arm", reference: str | None = None, cause: int = 1
) -> Estimates:
    """Cause-specific hazard ratio of each arm against the reference.

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
        If there is one arm, an arm without events, or no convergence.

    References
    ----------
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
    Efron B. J Am Stat Assoc 1977;72:557-565.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "b"] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> round(float(hazard_ratio(people, reference="b").table["estimate"][0]), 3)
    1.728
    """
    if reference is None and not isinstance(data, pd.DataFrame):
        reference = data.study.reference
    table = times_table(data)
    require(table, [time, event, arm])
    patterns(table, time, event, None, None, "frequency")
    arms = sorted(map(str, table[arm].dropna().unique()))
    if len(arms) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    if reference not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    happened = table[event].to_numpy() == cause
    empty = [a for a in arms if not happened[(table[arm].astype(str) == a).to_numpy()].any()]
    if empty:
        raise UnsupportedError(f"no event in {', '.join(empty)}: the hazard ratio is zero or infinite")
    others = [a for a in arms if a != reference]
    frame = pd.DataFrame({f"arm_{a}": (table[arm].astype(str) == a).astype(float) for a in others})
    frame["time"], frame["event"] = table[time].to_numpy(float), happened.astype(float)
    # lifelines takes no time of zero into account: nobody has an event there that it could order
    frame = frame[table[time].to_numpy() > 0]

    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    try:
        # tighter than the default, so that the answer equals R's to the eighth digit
        fitted = CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-10})
    except ConvergenceError:
        raise UnsupportedError("the Cox model did not converge") from None
    rows = []
    for other in others:
        log_ratio, std_error = fitted.params_[f"arm_{other}"], fitted.standard_errors_[f"arm_{other}"]
        both = table[arm].astype(str).isin([other, reference]).to_numpy()
        rows.append({
            "outcome": event, "measure": "hazard_ratio", "contrast": f"{other} / {reference}", "n": int(both.sum()),
            "events": int((happened & both).sum()), "estimate": np.exp(log_ratio), "std_error": std_error,
            "conf_low": np.exp(log_ratio - Z95 * std_error), "conf_high": np.exp(log_ratio + Z95 * std_error),
            "p_value": fitted.summary.loc[f"arm_{other}", "p"], "method": "Cox, Efron",
        })  # fmt: skip
    return Estimates(tidy(pd.DataFrame(rows)), "Hazard ratio", METHOD, REFERENCES, "forest")
