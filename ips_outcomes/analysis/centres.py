"""Under which conditions: the effect in each centre, their mean and spread, and what centres with larger effects have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ips_outcomes.analysis.centre_inputs import CentreOptions, Centres, Kind, centres_of, check_ways
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.level_effects import on_log
from ips_outcomes.analysis.random_effects import INTERVALS, METHODS, REFERENCES, Interval, Method, Pooled, pool
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["FEWEST", "centre_effects"]

#: With fewer centres no spread between them can be estimated.
FEWEST = 3
#: With fewer the spread is hardly known, and a note says so.
_FEW = 5


@supports(competing="", ties="", instead="subgroup_effects with the centre as a subgroup")
def centre_effects(
    data: Data, outcome: str | Sequence[str] | None = None, centre: str = "centre", arm: str = "arm", reference: str | None = None,
    at: int | Sequence[int] | None = None, scale: str | None = None, *, kind: Kind | None = None, method: Method = "reml",
    interval: Interval = "hartung-knapp", least_events: int = 5, start: int = 1, end: int | None = None, dead: str | None = None,
    month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """The effect of the arm in each centre, alone and partially pooled, the mean over centres, and how far centres differ.

    Participants are compared within their centre; the centres' effects are
    then values of a random-effects model. Each centre's own estimate is drawn
    towards the mean by as much as it is uncertain and centres are alike (best
    linear unbiased prediction). For trials that randomised people within
    centres: where whole centres were randomised none holds both arms.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person (and month).
    outcome : str or list of str, optional
        Column: yes/no, or a number. A FollowUp has its primary definition by default.
    centre : str
        Column. People without a centre are told of, and have no part in the mean.
    arm, reference : str
        Column, and the arm that others are compared with.
    at : int or list of int, optional
        Months; the last one by default.
    scale : str, optional
        "additive" (default), "multiplicative", or by name: "risk_difference",
        "risk_ratio", "odds_ratio"; "mean_difference", "mean_ratio".
    kind : {"rate", "mean", "months"}, optional
        As in `subgroup_effects`; by default what the outcome looks like.
    method : {"reml", "paule-mandel", "dersimonian-laird"}
        How the variance between centres is estimated.
    interval : {"hartung-knapp", "hartung-knapp-wide", "normal"}
        Error and limits of the mean; "hartung-knapp-wide" is never narrower than the plain error.
    least_events : int
        With fewer people with or without the event in an arm of a centre, its own row is exact or penalised and says so.
    start, end : int
        First and last month counted, for ``kind="months"``.
    dead : str, optional
        True/false column of a DataFrame, for ``kind="months"``.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Rows of centres: ``subgroup`` (the column), ``level`` (the centre),
        ``measure`` (the scale), the centre's own ``estimate`` with its limits,
        ``shrunken`` with ``shrunken_low`` and ``shrunken_high`` (partially
        pooled), ``weight`` (its share in the mean, 0 to 1), numbers by arm.
        Then, with the number of ``centres``: "mean_over_centres";
        "prediction_interval" (where the effect in a new centre lies, 95 %);
        "between_centre_sd" (tau, on the logarithm for ratios, limits by
        Q-profile); "i2" (share of the spread that is not chance, 0 to 1);
        "heterogeneity_test" (Cochran's Q: ``statistic``,
        ``degrees_of_freedom``, ``p_value``).

    Raises
    ------
    UnsupportedError
        With fewer than three centres that have an effect, for times to an
        event, and as `subgroup_effects`.

    Notes
    -----
    Equal to R's ``metafor::rma(yi, vi, test = "knha")``, ``predict`` (whose
    prediction interval has t with k - 1 degrees of freedom, as the mean;
    Higgins et al. take k - 2) and ``blup``. A centre where nobody or everybody
    of an arm has the event enters with one half added to each of its cells, as
    ``metafor::escalc`` does.

    References
    ----------
    DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188. Viechtbauer W.
    J Educ Behav Stat 2005;30:261-293. Knapp G, Hartung J. Stat Med
    2003;22:2693-2710. Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc
    A 2009;172:137-159.

    Examples
    --------
    >>> counts = {"A": (12, 6), "B": (9, 7), "C": (14, 5)}
    >>> people = pd.DataFrame([
    ...     {"centre": c, "arm": a, "works": int(i < e)}
    ...     for c, es in counts.items() for a, e in zip(("ips", "control"), es) for i in range(20)])
    >>> found = centre_effects(people, "works", reference="control").table
    >>> found.loc[found["measure"] == "mean_over_centres", ["centres", "estimate"]].round(3).values.tolist()
    [[3.0, 0.291]]
    """
    check_ways(method, interval)
    asked = CentreOptions(outcome, centre, arm, reference, at, scale, kind, least_events, start, end, dead, month, person_id)
    tables, notes = [], list[str]()
    for centres in centres_of(data, asked):
        if len(centres.values) < FEWEST:
            raise UnsupportedError(
                f"{len(centres.values)} centres have an effect with an error: under {FEWEST} there is no spread to estimate, and "
                "nothing to pool. Ask subgroup_effects for the effect in each, or compare_arms with strata= for one over all"
            )
        fitted = pool(centres.values, centres.variances, method=method, interval=interval)
        tables += [_of_centres(centres, fitted), _of_all(centres, fitted, method, interval)]
        notes += [*centres.notes, *_said(fitted, interval, len(centres.values))]
    if not tables:
        raise UnsupportedError("no centre has people in both arms: where whole centres were randomised, name them as cluster= in "
                               "compare_arms")  # fmt: skip
    words = (
        f"Effects by centre; random-effects model, spread by {METHODS[method]}, mean by {INTERVALS[interval]}; each centre drawn "
        "towards the mean (best linear unbiased prediction); two-sided 95 %"
    )
    return Estimates(tidy(pd.concat(tables, ignore_index=True)), "Effects by centre", words, REFERENCES, "forest",
                     tuple(dict.fromkeys(notes)))  # fmt: skip


_KEPT = ("outcome", "subgroup", "level", "measure", "contrast", "month", "time", "n", "events", "estimate", "std_error", "conf_low",
         "conf_high", "p_value", "method", "scale", "n_arm", "events_arm", "n_reference", "events_reference", "few_events")  # fmt: skip


def _of_centres(centres: Centres, fitted: Pooled) -> pd.DataFrame:
    """One row a centre: its own effect, and beside it the one drawn towards the mean."""
    rows = centres.rows[[c for c in _KEPT if c in centres.rows]].copy()
    natural = np.exp if on_log(centres.scale) else np.asarray
    at = np.flatnonzero(centres.rows["known"])
    half = fitted.quantile * fitted.best_error
    for name, found in {
        "shrunken": natural(fitted.best), "shrunken_low": natural(fitted.best - half), "shrunken_high": natural(fitted.best + half),
        "weight": fitted.weights,
    }.items():  # fmt: skip
        values = np.full(len(rows), np.nan)
        values[at] = found
        rows[name] = values
    return rows


def _of_all(centres: Centres, fitted: Pooled, method: Method, interval: Interval) -> pd.DataFrame:
    """The mean, the prediction interval, the spread and its test."""
    natural = np.exp if on_log(centres.scale) else float
    low, high, p_value = fitted.limits()
    ahead_low, ahead_high = fitted.prediction()
    mean, degrees = float(fitted.coefficients[0]), fitted.degrees if np.isfinite(fitted.degrees) else np.nan
    spread, known = METHODS[method], centres.known
    sizes = {name: int(known[name].sum()) for name in ("n", "events", "n_arm", "events_arm", "n_reference", "events_reference")
             if name in known and known[name].notna().all()}  # fmt: skip
    quantile = f"t, k - 1 = {fitted.degrees:.0f} degrees of freedom" if np.isfinite(fitted.degrees) else "normal distribution"
    same = {**centres.common, "subgroup": "", "level": "", "centres": len(centres.values)}
    return pd.DataFrame([
        {**same, **sizes, "measure": "mean_over_centres", "estimate": float(natural(mean)), "std_error": float(fitted.std_errors[0]),
         "conf_low": float(natural(low)), "conf_high": float(natural(high)), "p_value": p_value, "degrees_of_freedom": degrees,
         "method": f"{spread}, {INTERVALS[interval]}"},
        {**same, "measure": "prediction_interval", "estimate": float(natural(mean)), "conf_low": float(natural(ahead_low)),
         "conf_high": float(natural(ahead_high)), "degrees_of_freedom": degrees, "method": f"effect in a new centre, {quantile}"},
        {**same, "measure": "between_centre_sd", "estimate": float(np.sqrt(fitted.tau2)), "conf_low": float(np.sqrt(fitted.tau2_low)),
         "conf_high": float(np.sqrt(fitted.tau2_high)), "method": f"{spread}, limits by Q-profile"},
        {**same, "measure": "i2", "estimate": fitted.i2, "method": f"from {spread}"},
        {**same, "measure": "heterogeneity_test", "statistic": fitted.q, "degrees_of_freedom": float(fitted.q_degrees),
         "p_value": fitted.q_p, "method": "Cochran's Q"},
    ])  # fmt: skip


def _said(fitted: Pooled, interval: Interval, centres: int) -> list[str]:
    said = []
    if centres < _FEW:
        said.append(f"{centres} centres: how far they differ is hardly known, and the spread's limits say so")
    if interval == "hartung-knapp" and fitted.factor < 1 - 1e-12:
        said.append(
            "the centres differ by less than chance alone would make them: Hartung and Knapp's interval is narrower here than the "
            'plain error makes it; interval="hartung-knapp-wide" does not let it be'
        )
    return said
