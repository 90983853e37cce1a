"""Fine and Gray's subdistribution hazard model, without expanding rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_errors import score_residuals
from ips_outcomes.analysis.cox_fit import ratio_table
from ips_outcomes.analysis.cox_inputs import Prepared, check_levels, check_ties, prepared
from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums, Ties, binned, risk_sets
from ips_outcomes.analysis.cox_maximum import maximised
from ips_outcomes.analysis.event_table import EVERY_TIME
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates

__all__ = ["fine_gray"]

Floats = NDArray[np.float64]
Censoring = Literal["after_events", "with_events"]

REFERENCES = (
    "Fine JP, Gray RJ. A proportional hazards model for the subdistribution of a competing risk. J Am Stat Assoc 1999;94:496-509. doi:10.1080/01621459.1999.10474144",
    "Geskus RB. Cause-specific cumulative incidence estimation and the Fine and Gray model under both left truncation and right censoring. "
    "Biometrics 2011;67:39-49. doi:10.1111/j.1541-0420.2010.01420.x",
)

#: Firth's penalty is for `cox` only.
ADVICE = "leave it out of the formula, or join levels"


@supports(frequency_weights=True, cluster=True, ties="Efron, Breslow", competing="yes", instead="use cox (cause-specific)")
def fine_gray(
    data: Data, formula: str = "arm", time: str = "time", event: str = "event", cause: int = 1, cluster: str | None = None,
    weights: str | None = None, ties: Ties = "efron", censoring: Censoring = "after_events",
) -> Estimates:  # fmt: skip
    """Subdistribution hazard ratios: covariates on the cumulative incidence of one cause.

    People with a competing event stay at risk with the weight G(t-) / G(T-),
    where G is the probability of not being censored. The weights depend on
    time only, so they enter the risk sums by cumulation: no row is expanded.

    Parameters
    ----------
    data, formula, time, event, cause
        As in `cox`; other causes compete.
    cluster : str, optional
        Column of people who belong together: errors are robust to it.
    weights : str, optional
        Whole-number frequencies.
    ties : {"efron", "breslow"}
    censoring : {"after_events", "with_events"}
        Who is at risk of being censored in month t: those without an event
        up to and with month t (the rule of Kaplan-Meier: who is censored in t
        was seen without an event in t), or also those with an event in t.

    Returns
    -------
    Estimates
        Measure ``subdistribution_hazard_ratio``; ``term``, ``level``,
        ``contrast``, ``coefficient``, ``estimate``, ``std_error`` (of the
        coefficient; it knows that the censoring weights are estimated).

    Raises
    ------
    UnsupportedError
        As `cox`; for delayed entry, strata and probability weights.

    Notes
    -----
    Coefficients equal R's ``survival::finegray`` followed by ``coxph``. With
    ``ties="breslow", censoring="with_events"`` everything equals R's
    ``cmprsk::crr``. The two R packages differ, in the third digit, only where
    censorings are tied with events: ``crr`` keeps those with an event in month
    t among those who could be censored in t. Written out with censorings half
    a month later, ``crr`` gives the answer of ``"after_events"``. Only this
    one agrees with Aalen-Johansen: S(t) G(t) is then the share still followed.
    Where there are few clusters, limits are the normal distribution's.

    References
    ----------
    Fine JP, Gray RJ. J Am Stat Assoc 1999;94:496-509.
    Geskus RB. Biometrics 2011;67:39-49.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["b", "a"] * 5, "time": [1, 2, 3, 4, 5, 6, 7, 8, 3, 5], "event": [1, 2, 0, 1, 1, 0, 1, 1, 2, 0]})
    >>> fine_gray(people, "arm").table[["term", "contrast", "events", "estimate"]].round(3).values.tolist()
    [['arm', 'b / a', 5, 2.285]]
    """
    check_ties(ties)
    if censoring not in ("after_events", "with_events"):
        raise UnsupportedError('censoring is "after_events" or "with_events"')
    people = prepared(data, formula, time, event, None, None, cluster, weights, "frequency")
    happened, competing = people.event == cause, (people.event > 0) & (people.event != cause)
    if not happened.any():
        raise UnsupportedError(f"no event of cause {cause} among {int(people.people.sum())} people: there is nothing to model")
    check_levels(people, happened, ADVICE)
    if int(people.time.max()) > EVERY_TIME:
        # only the order of times matters: ranks keep it, and a table by time small
        people = replace(people, time=np.unique(people.time, return_inverse=True)[1].astype(np.int64))
    curve = _Censoring(people, censoring)
    sets = risk_sets(people.design.matrix, people.time, happened, people.weight, people.people, people.stratum, None, ties,
                     np.where(competing, 1 / curve.before[people.time], 0.0), curve.before)  # fmt: skip
    beta, sums, _ = maximised(sets, people.design.names, ADVICE)
    scores = _scores(people, sets, sums, curve)
    if people.cluster is not None:
        scores = binned(scores, people.cluster, people.clusters)
        meat = scores.T @ scores
    else:
        meat = scores.T @ (scores / people.weight[:, None])
    inverse = np.linalg.inv(sums.information)
    scale = people.design.scale
    errors = np.sqrt(np.diag(inverse @ meat @ inverse)) / scale
    said = f"Fine-Gray, {ties.capitalize()}, errors robust to {'clusters' if cluster else 'estimated censoring weights'}"
    table = ratio_table(people, beta / scale, errors, event, happened, said)
    table["measure"] = "subdistribution_hazard_ratio"
    notes = people.notes
    if people.cluster is not None and people.clusters < FEW_CLUSTERS:
        notes = (*notes, f"{people.clusters} clusters are few: sandwich errors tend to be too small")
    return Estimates(table, "Subdistribution hazard ratio", f"{said}; censoring {censoring.replace('_', ' ')}; two-sided 95 % limits",
                     REFERENCES, "forest", notes)  # fmt: skip


class _Censoring:
    """Kaplan-Meier of being censored, by whole month."""

    def __init__(self, people: Prepared, rule: Censoring) -> None:
        last = int(people.time.max())
        censored = people.event == 0
        all_, lost = (np.bincount(people.time[c], weights=people.weight[c], minlength=last + 1) for c in (slice(None), censored))
        self.rule = rule
        self.at_risk = np.cumsum(all_[::-1])[::-1]
        if rule == "after_events":
            self.at_risk = self.at_risk - (all_ - lost)
        # where nobody is at risk nobody is censored
        self.at_risk = np.maximum(self.at_risk, 1.0)
        self.hazard = lost / self.at_risk
        self.before = np.concatenate([[1.0], np.cumprod(1 - self.hazard)[:-1]])


def _scores(people: Prepared, sets: RiskSets, sums: Sums, curve: _Censoring) -> Floats:
    """Each row's influence on the score, its part in the estimated censoring weights included."""
    number, width = people.design.matrix.shape
    own = np.empty((number, width))
    step = 1 << 16
    for a in range(0, number, step):
        b = min(a + step, number)
        own[sets.order[a:b]] = score_residuals(sets, sums, a, b)
    if sets.after is None or not (sets.after > 0).any() or not (curve.hazard > 0).any():
        return own
    months = len(curve.hazard)
    # those who stay at risk after a competing event, by its month
    cell = sets.cell
    kept = np.flatnonzero(sets.after[cell] > 0)
    month = people.time[sets.order[kept]]
    stays = sums.risk[kept] * sets.after[cell[kept]]
    # censorings stand after the events of their month, or among them: then that month's competing events are not
    # yet weighted, and that month's events already feel them
    among = curve.rule == "with_events"
    a0 = _earlier(np.bincount(month, weights=stays, minlength=months).astype(float), among)
    a1 = _earlier(binned(sets.matrix[kept] * stays[:, None], month, months), among)
    tail = np.zeros(len(sets.key)) if sets.tail is None else sets.tail
    b0 = _later(np.bincount(sets.time, weights=tail * sums.hazard, minlength=months).astype(float), among)
    b1 = _later(binned(tail[:, None] * sums.pull, sets.time, months), among)
    # as cmprsk: the censoring hazard's error moves the logarithm of G one for one
    effect = (a1 * b0[:, None] - a0[:, None] * b1) / curve.at_risk[:, None]
    through = np.cumsum(effect * curve.hazard[:, None], axis=0)
    before = np.concatenate([np.zeros((1, width)), through[:-1]])
    censored = people.event == 0
    with_own = censored | (curve.rule == "with_events")
    for a in range(0, number, step):
        part = slice(a, a + step)
        t, c = people.time[part], censored[part]
        change = np.where(with_own[part, None], -through[t], -before[t])
        change[c] += effect[t[c]]
        own[part] += people.weight[part, None] * change
    return own


def _earlier(values: Floats, strictly: bool) -> Floats:
    """Sums up to each month, with it or without."""
    return np.cumsum(values, axis=0) - (values if strictly else 0)


def _later(values: Floats, inclusive: bool) -> Floats:
    """Sums from each month on, with it or without."""
    return np.cumsum(values[::-1], axis=0)[::-1] - (0 if inclusive else values)
