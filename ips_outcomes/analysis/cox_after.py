"""After a Cox model: are the hazards proportional?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_fit import CoxFit
from ips_outcomes.analysis.cox_likelihood import exposures, weighted_gram
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["proportional_hazards_test"]

Floats = NDArray[np.float64]
Transform = Literal["km", "identity", "log", "rank"]

REFERENCES = (
    "Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals. Biometrika 1994;81:515-526. doi:10.1093/biomet/81.3.515",
)


@supports(entry=True, frequency_weights=True, strata=True, ties="Efron, Breslow", competing="cause-specific: other events censored",
          instead="the score test takes everybody as independent")  # fmt: skip
def proportional_hazards_test(
    data: Data | CoxFit, formula: str = "arm", transform: Transform = "km", **options: Any
) -> Estimates:  # fmt: skip
    """Score test that hazard ratios do not change with time, by term and for all together.

    Parameters
    ----------
    data : CoxFit, FollowUp or pandas.DataFrame
        A model from `fit_cox`, or data and what `fit_cox` needs.
    formula : str
        As in `cox`; not used with a CoxFit.
    transform : {"km", "identity", "log", "rank"}
        The scale of time on which a coefficient might have a slope: one minus
        Kaplan-Meier, time, its logarithm, or its rank among everybody's times.
    **options
        As in `fit_cox`.

    Returns
    -------
    Estimates
        Measure ``proportional_hazards``: a row a ``term`` and one ``GLOBAL``;
        ``statistic`` (chi-squared), ``degrees_of_freedom``, ``p_value``.

    Raises
    ------
    UnsupportedError
        As `cox`; for a logarithm of time 0; for models with robust errors or a
        penalty, which this score test does not know; where events are at too few times.

    Notes
    -----
    Equal to R's ``survival::cox.zph`` (version 3 and later): a score test of
    covariates times g(t), not the older approximation.

    References
    ----------
    Grambsch PM, Therneau TM. Biometrika 1994;81:515-526.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"age": [20, 31, 25, 40, 28, 33, 51, 47], "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> proportional_hazards_test(people, "age").table[["term", "statistic", "p_value"]].round(3).values.tolist()
    [['age', 0.6, 0.438], ['GLOBAL', 0.6, 0.438]]
    """
    from scipy.special import chdtrc

    fit = data if isinstance(data, CoxFit) else None
    if fit is None:
        from ips_outcomes.analysis.cox_regression import fit_cox

        fit = fit_cox(data, formula, **options)
    if fit.options["robust"]:
        raise UnsupportedError("the score test takes everybody as independent: fit without cluster= and probability weights")
    if fit.options["penalty"]:
        raise UnsupportedError('the score test needs the highest likelihood: fit without penalty="firth"')
    g = _time_scale(fit, transform)
    g = g - np.average(g, weights=fit.sets.tied)
    score = _slope_score(fit, g)
    parts = [_information(fit, power) for power in (np.ones_like(g), g, g * g)]
    solved = np.linalg.solve(parts[0], parts[1])
    # what is left of the slopes' information once the coefficients are known to be estimated
    left = parts[2] - parts[1].T @ solved
    size, all_of_it = np.diag(left), np.diag(parts[2])
    if not (size > 1e-10 * all_of_it.max()).all() or _flat(left):
        raise UnsupportedError(
            f"{int(fit.sets.tied.sum())} events at {len(fit.sets.key)} event times cannot tell whether hazard ratios change with time"
        )
    rows = []
    terms = fit.people.design.terms
    for term in [*dict.fromkeys(terms), "GLOBAL"]:
        chosen = np.flatnonzero([term in (t, "GLOBAL") for t in terms])
        statistic = float(score[chosen] @ np.linalg.solve(left[np.ix_(chosen, chosen)], score[chosen]))
        rows.append({
            "outcome": str(fit.options["event"]), "measure": "proportional_hazards", "n": int(fit.people.people.sum()),
            "events": int(fit.sets.tied.sum()), "p_value": float(chdtrc(len(chosen), statistic)), "term": term,
            "statistic": statistic, "degrees_of_freedom": len(chosen), "method": f"score test, time as {transform}",
        })  # fmt: skip
    method = f"Grambsch and Therneau's score test of proportional hazards; time as {transform}"
    return Estimates(tidy(pd.DataFrame(rows)), "Are hazards proportional?", method, REFERENCES, "forest", fit.people.notes)


def _flat(matrix: Floats) -> bool:
    """Whether some mixture of covariates has no information of its own."""
    size = np.sqrt(np.diag(matrix))
    return bool(np.linalg.eigvalsh(matrix / np.outer(size, size))[0] < 1e-10)


def _time_scale(fit: CoxFit, transform: str) -> Floats:
    """g(t) at every event time."""
    times = fit.sets.time.astype(float)
    if transform == "identity":
        return times
    if transform == "log":
        if (times == 0).any():
            raise UnsupportedError("an event in month 0 has no logarithm: choose another transform")
        return np.log(times)
    if transform == "rank":
        # among the times of everybody, censored or not, as R
        here = np.bincount(fit.people.time, weights=fit.people.people)
        return (np.cumsum(here) - (here - 1) / 2)[fit.sets.time]
    if transform != "km":
        raise UnsupportedError('transform is "km", "identity", "log" or "rank"')
    people, last = fit.people, int(fit.people.time.max())
    count = people.people
    leaving = np.bincount(people.time, weights=count, minlength=last + 1)
    at_risk = np.cumsum(leaving[::-1])[::-1]
    if people.entry is not None:
        late = np.bincount(people.entry, weights=count, minlength=last + 1)
        # not yet there at t: entry >= t
        at_risk = at_risk - np.cumsum(late[::-1])[::-1]
    events = np.bincount(fit.sets.time, weights=fit.sets.tied, minlength=last + 1)
    survival = np.cumprod(1 - events / np.maximum(at_risk, 1))
    before = np.concatenate([[1.0], survival[:-1]])
    return 1 - before[fit.sets.time]


def _slope_score(fit: CoxFit, g: Floats) -> Floats:
    """The sum over events of g(t) times the Schoenfeld residual."""
    sets, sums = fit.sets, fit.sums
    cell = sets.cell
    mine = np.flatnonzero(sets.own[cell] > 0)
    at = sets.last[cell[mine]]
    weighted = sets.weight[mine] * g[at]
    return weighted @ sets.matrix[mine] - (g * sets.mass) @ sums.mean


def _information(fit: CoxFit, factor: Floats) -> Floats:
    """The information with every event time's part times a factor."""
    sets, sums = fit.sets, fit.sums
    a2, b2, c2 = sums.squared
    share = factor * sets.mass / sets.tied
    exposure = exposures(sets, factor * sums.hazard, factor * sums.drawn)
    gram = weighted_gram(sets.matrix, sums.risk, np.repeat(exposure, np.diff(sets.starts)))
    cross = sums.s1.T @ ((share * b2)[:, None] * sums.d1)
    return gram - sums.s1.T @ ((share * a2)[:, None] * sums.s1) + cross + cross.T - sums.d1.T @ ((share * c2)[:, None] * sums.d1)
