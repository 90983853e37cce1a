"""The only file that imports lifelines, so that its bound on pandas can lift in one line.

lifelines is right for parametric models; docs/dependencies.md says what else
it offers and why that is not used.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import patterns
from ips_outcomes.analysis.inputs import Data, as_list, group_name, require, times_table
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["parametric_survival"]

METHOD = "Parametric survival models by maximum likelihood; other events censored; a lower AIC fits better"
REFERENCES = (
    "Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley 2002.",
    "Davidson-Pilon C. J Open Source Softw 2019;4(40):1317. doi:10.21105/joss.01317",
)

_FITTERS = {"weibull": "WeibullFitter", "log_normal": "LogNormalFitter", "log_logistic": "LogLogisticFitter"}


@supports(ties="interval-censored months", competing="censored", instead="use kaplan_meier")
def parametric_survival(data: Data, time: str = "time", event: str = "event", by: str | None = None, cause: int = 1) -> Estimates:
    """Median time to the event under three smooth models, and which of them fits.

    Months are whole, so an event in month t is treated as having come between
    t - 1 and t (interval censoring); somebody censored at t had none by then.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
    time, event : str
        As in `cumulative_incidence`; other causes count as censored.
    by : str, optional
        Column that makes the groups.
    cause : int
        The code of the event of interest.

    Returns
    -------
    Estimates
        Measure ``median_time`` in months, a row a group and model (``level``:
        weibull, log_normal, log_logistic), with ``aic``.

    Raises
    ------
    UnsupportedError
        For times that are not whole, events in month 0, a group with no event, or
        a model that finds no highest likelihood.

    References
    ----------
    Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time
    Data. 2nd ed. Wiley 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"time": [3, 5, 8, 9, 12, 14, 20, 24, 24, 24], "event": [1] * 7 + [0] * 3})
    >>> parametric_survival(people).table[["level", "n", "events"]].values.tolist()[0]
    ['weibull', 10, 7]
    """
    table = times_table(data)
    require(table, [time, event, *as_list(by)])
    if not len(table):
        raise UnsupportedError("the data has no rows")
    rows = []
    for key, part in table.groupby(by, sort=True, dropna=False, observed=True) if by else [("all", table)]:
        patterns(part, time, event, None, None, "frequency")
        happened = (part[event] == cause).to_numpy(dtype=bool)
        months = part[time].to_numpy(dtype=float)
        if not happened.any():
            raise UnsupportedError(f"no event in {group_name(key)}: a median cannot be fitted")
        if (months[happened] == 0).any():
            raise UnsupportedError("an event in month 0 has no month before it: such people are not at risk")
        known = happened | (months > 0)
        lower = np.where(happened, months - 1, months)[known]
        upper = np.where(happened, months, np.inf)[known]
        for name, fitter in _FITTERS.items():
            median, aic = _fitted(fitter, lower, upper, f"{name} in {group_name(key)}, {int(happened.sum())} events")
            rows.append({
                "outcome": event, "level": name, "measure": "median_time", "group": group_name(key), "n": len(part),
                "events": int(happened.sum()), "estimate": median, "aic": aic,
                "method": "maximum likelihood, lifelines",
            })  # fmt: skip
    return Estimates(tidy(pd.DataFrame(rows)), "Median time under smooth models", METHOD, REFERENCES, "forest")


def _fitted(fitter: str, lower: NDArray[np.float64], upper: NDArray[np.float64], what: str) -> tuple[float, float]:
    """Median and AIC; what lifelines says of its optimiser is a refusal, not a warning to overlook."""
    import lifelines
    from lifelines.exceptions import ConvergenceError

    refusal = f"no highest likelihood for {what}: too few events, or all in the same month"
    model = getattr(lifelines, fitter)()
    with warnings.catch_warnings():
        # lifelines' warnings are of this kind: a likelihood without curvature at its end has no top there
        warnings.simplefilter("error", RuntimeWarning)
        try:
            model.fit_interval_censoring(lower, upper)
        except (ConvergenceError, RuntimeWarning, np.linalg.LinAlgError):
            raise UnsupportedError(refusal) from None
    median, aic = float(model.median_survival_time_), float(model.AIC_)
    if not (np.isfinite(median) and np.isfinite(aic)):
        raise UnsupportedError(refusal)
    return median, aic
