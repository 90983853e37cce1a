"""Arms compared: how much more often the outcome happens, on three scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from ips_outcomes.analysis import adjusted, mantel_haenszel, two_proportions
from ips_outcomes.analysis.exact_tests import TESTS, Test
from ips_outcomes.analysis.inputs import Data, as_list, months_table, own_reference, with_arm, yes_no
from ips_outcomes.analysis.people_counts import PEOPLE, WeightType, counts_by, from_counts, person_weights
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["METHOD", "REFERENCES", "compare_arms", "compare_counts"]

METHOD = (
    "Risk difference with Newcombe's interval, risk ratio and odds ratio with log Wald intervals, "
    "p from Pearson's chi-square test without continuity correction; two-sided 95 %"
)
REFERENCES = (
    "Newcombe RG. Interval estimation for the difference between independent proportions: comparison of eleven methods. "
    "Stat Med 1998;17:873-890. doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I",
    "Katz D, Baptista J, Azen SP, Pike MC. Obtaining confidence intervals for the risk ratio in cohort studies. "
    "Biometrics 1978;34:469-474. doi:10.2307/2530610",
    "Woolf B. On estimating the relation between blood group and disease. "
    "Ann Hum Genet 1955;19:251-253. doi:10.1111/j.1469-1809.1955.tb01348.x",
    "Pearson K. On the criterion that a given system of deviations from the probable in the case of a correlated system of "
    "variables is such that it can be reasonably supposed to have arisen from random sampling. "
    "Philos Mag 1900;50:157-175. doi:10.1080/14786440009463897",
)


#: A kind of interval for all measures, or one by measure.
Intervals: TypeAlias = Literal["score", "wald"] | Mapping[str, str] | None

_KINDS: dict[str, dict[str, str]] = {
    "score": {"risk_difference": "miettinen-nurminen", "risk_ratio": "koopman", "odds_ratio": "miettinen-nurminen"},
    "wald": {"risk_difference": "wald", "risk_ratio": "log-wald", "odds_ratio": "log-wald"},
}
_MORE_REFERENCES = {
    "miettinen-nurminen": "Miettinen O, Nurminen M. Comparative analysis of two rates. Stat Med 1985;4:213-226. "
    "doi:10.1002/sim.4780040211",
    "koopman": "Koopman PAR. Confidence intervals for the ratio of two binomial proportions. Biometrics 1984;40:513-517. "
    "doi:10.2307/2531405",
    "agresti-caffo": "Agresti A, Caffo B. Simple and effective confidence intervals for proportions and differences of proportions "
    "result from adding two successes and two failures. Am Stat 2000;54:280-288. doi:10.1080/00031305.2000.10474560",
    "fisher": "Fisher RA. The logic of inductive inference. J R Stat Soc 1935;98:39-82. doi:10.2307/2342435",
    "mid-p": "Lancaster HO. Significance tests in discrete distributions. J Am Stat Assoc 1961;56:223-234. "
    "doi:10.1080/01621459.1961.10482105",
}


def chosen_intervals(intervals: Intervals) -> dict[str, str]:
    """The name of the interval of each measure; defaults are Newcombe's and log Wald.

    Examples
    --------
    >>> chosen_intervals({"odds_ratio": "profile"})
    {'risk_difference': 'newcombe', 'risk_ratio': 'log-wald', 'odds_ratio': 'profile'}
    """
    chosen = {measure: next(iter(known)) for measure, known in two_proportions.INTERVALS.items()}
    if intervals is None:
        return chosen
    if isinstance(intervals, str):
        if intervals not in _KINDS:
            raise UnsupportedError(f"intervals= is one of {', '.join(_KINDS)}, or a dictionary by measure")
        return _KINDS[intervals]
    for measure, name in intervals.items():
        if name not in two_proportions.INTERVALS.get(measure, {}):
            known = "; ".join(f"{m}: {', '.join(names)}" for m, names in two_proportions.INTERVALS.items())
            raise UnsupportedError(f"there is no interval {name} for {measure}; there are {known}")
    return chosen | dict(intervals)


def compare_counts(
    counts: pd.DataFrame, arm: str, reference: str, keys: list[str], intervals: Intervals = None, test: Test = "pearson"
) -> pd.DataFrame:
    """The three measures, a row each, for every other arm of a table of counts, within each combination of keys."""
    chosen = chosen_intervals(intervals)
    base = counts[counts[arm] == reference].rename(columns={"n": "n_reference", "events": "events_reference"})
    others = counts[counts[arm] != reference].rename(columns={"n": "n_arm", "events": "events_arm"})
    if keys:
        pairs = others.merge(base[[*keys, "n_reference", "events_reference"]], on=keys, how="inner")
    else:
        pairs = others.merge(base[["n_reference", "events_reference"]], how="cross")
    values = [pairs[c].to_numpy(dtype=float) for c in ("events_arm", "n_arm", "events_reference", "n_reference")]
    e1, n1, e0, n0 = values
    p_value = TESTS[test][1](e1, n1, e0, n0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p0 = e1 / n1, e0 / n0
        wald = np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    points = {
        "risk_difference": (p1 - p0, wald), "risk_ratio": two_proportions.risk_ratio(e1, n1, e0, n0)[:2],
        "odds_ratio": two_proportions.odds_ratio(e1, n1, e0, n0)[:2],
    }  # fmt: skip
    results = {}
    for measure, point in points.items():
        method, function = two_proportions.INTERVALS[measure][chosen[measure]]
        results[measure] = (*point, *function(e1, n1, e0, n0), method)
    parts = []
    for measure, (estimate, std_error, low, high, method) in results.items():
        # a score interval may end at infinity; one that is empty is no interval
        finite = ~np.isnan(np.asarray(low, dtype=float))
        parts.append(pairs.assign(
            measure=measure, estimate=estimate, std_error=std_error, conf_low=low, conf_high=high, p_value=p_value,
            method=np.where(finite, method, "no interval: a cell is zero or empty"),
            contrast=pairs[arm].astype(str) + " - " + reference if measure == "risk_difference"
            else pairs[arm].astype(str) + " / " + reference,
        ))  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    rows["n"], rows["events"] = rows["n_arm"] + rows["n_reference"], rows["events_arm"] + rows["events_reference"]
    order = {name: i for i, name in enumerate(results)}
    rows = rows.assign(_order=rows["measure"].map(order)).sort_values([*keys, arm, "_order"], kind="stable")
    return rows.drop(columns=["_order", arm])


@supports(frequency_weights=True, probability_weights=True, cluster=True, strata=True, ties="", competing="")
def compare_arms(
    data: Data, outcome: str, arm: str = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    adjust: str | Sequence[str] | None = None, strata: str | None = None, cluster: str | None = None, *,
    month: str | None = None, people: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency",
    intervals: Intervals = None, test: Test = "pearson", model: adjusted.Model | None = None,
    errors: adjusted.Errors | None = None, covariates: adjusted.Population | None = None,
    small_clusters: adjusted.SmallClusters = "cr2", penalty: Literal["firth"] | None = None, replicates: int = 9999, seed: int = 1,
) -> Estimates:  # fmt: skip
    """Compare an outcome between arms, by month where there are months.

    A true/false outcome gives the risk difference, risk ratio and odds ratio
    of every arm against the reference; a number gives the mean difference.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp, one row a person (and month), or a table of counts.
    outcome : str
        True/false column, or a number. Missing means not observed. With
        ``people=``, the column that counts people with the outcome.
    arm : str
        Column that holds the arm.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months; all from 1 by default.
    adjust : str or list of str, optional
        Baseline columns to adjust for, by ``model``. Rows where one of the
        columns is missing are left out of the model and counted in the notes.
    strata : str, optional
        One column; Mantel-Haenszel over its levels. Not with ``adjust``.
    cluster : str, optional
        One column; errors robust to clusters, through the regression of
        ``adjust`` (without columns to adjust for, arms alone). From 30
        clusters the sandwich with G / (G - 1) (n - 1) / (n - k) and normal
        limits; below, ``small_clusters``, with a note.
    month : str, optional
        The month column of a DataFrame.
    people : str, optional
        The column that counts people observed, where ``data`` is a table of
        counts: ``compare_arms(counts.months, "events", people="n")``.
    weights : str, optional
        Whole frequencies, or probability weights with ``weight_type``.
    weight_type : {"frequency", "probability"}
        Probability weights go through the regression with robust errors.
    intervals : {"score", "wald"} or dict, optional
        Of the unadjusted comparison. By measure: ``risk_difference``
        "newcombe" (default), "miettinen-nurminen", "wald", "agresti-caffo";
        ``risk_ratio`` "log-wald" (default), "koopman", "miettinen-nurminen";
        ``odds_ratio`` "log-wald" (default), "miettinen-nurminen", "profile".
        "score" is Miettinen-Nurminen's, Koopman's and Miettinen-Nurminen's:
        a zero cell leaves these finite on one side at least.
    test : {"pearson", "fisher", "mid-p"}
        Of the unadjusted comparison. Fisher's is two-sided by the
        probability of the tables, as R's fisher.test; mid-p counts tables as
        likely as the one seen half.
    model : {"logistic", "poisson", "linear"}, optional
        For true/false outcomes: "logistic" (default) is standardised over
        everybody (g-computation); "poisson" gives the risk ratio by Zou's
        modified Poisson regression; "linear" the risk difference by least
        squares. Numbers always have "linear".
    errors : {"model", "robust"}, optional
        "robust": sandwich errors also without clusters (HC0; HC1 for linear).
        "model" by default where the model's own errors are right.
    covariates : {"fixed", "sampled"}, optional
        Of g-computation. "fixed": the delta method, for these people's mix
        of covariates. "sampled": the people are a sample, and its mix varies,
        too: the full influence function (M-estimation). By default "sampled"
        with probability weights or ``errors="robust"``, otherwise "fixed".
    small_clusters : {"cr2", "wild"}
        Under 30 clusters: CR2 errors with Satterthwaite's degrees of
        freedom, or (linear models) the wild cluster bootstrap, null imposed.
    penalty : {"firth"}, optional
        Logistic regression with Firth's penalty, finite under separation;
        adds ``conditional_odds_ratio`` with profile limits.
    replicates : int
        Of the bootstrap from 13 clusters; up to 12 every sign is tried.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimates
        Measures ``risk_difference``, ``risk_ratio``, ``odds_ratio`` or
        ``mean_difference``; ``contrast`` names the arms; ``n`` and ``events``
        are both arms together, and ``n_arm``, ``events_arm``,
        ``n_reference``, ``events_reference`` stand beside them. ``std_error``
        of ratios is that of the logarithm. One p-value serves the three
        measures of an unadjusted comparison. Stratified: ``p_cmh``
        (Cochran-Mantel-Haenszel) and ``p_homogeneity`` (Breslow-Day-Tarone,
        of equal odds ratios). CR2: ``degrees_of_freedom``.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, fewer than two arms, or a
        combination of arguments that has no answer here.

    References
    ----------
    Newcombe RG. Stat Med 1998;17:873-890. Katz D et al. Biometrics
    1978;34:469-474. Woolf B. Ann Hum Genet 1955;19:251-253. Mantel N,
    Haenszel W. J Natl Cancer Inst 1959;22:719-748. Greenland S, Robins JM.
    Biometrics 1985;41:55-68. Miettinen O, Nurminen M. Stat Med
    1985;4:213-226. Koopman PAR. Biometrics 1984;40:513-517. Zou G. Am J
    Epidemiol 2004;159:702-706. Bell RM, McCaffrey DF. Surv Methodol
    2002;28:169-181. Pustejovsky JE, Tipton E. J Bus Econ Stat
    2018;36:672-683. Cameron AC, Gelbach JB, Miller DL. Rev Econ Stat
    2008;90:414-427. Heinze G, Schemper M. Stat Med 2002;21:2409-2419.

    Examples
    --------
    >>> import pandas as pd
    >>> arms = ["ips"] * 10 + ["control"] * 10
    >>> people = pd.DataFrame({"arm": arms, "works": [1] * 6 + [0] * 4 + [1] * 3 + [0] * 7})
    >>> result = compare_arms(people, outcome="works", reference="control").table
    >>> result[["measure", "contrast"]].values.tolist()[0], round(float(result["estimate"][0]), 3)
    (['risk_difference', 'ips - control'], 0.3)
    """
    reference = own_reference(data, reference)
    columns = as_list(adjust)
    if people and (weights or cluster):
        raise UnsupportedError("people= counts people in rows: it does not go together with weights= or cluster=")
    needed = [outcome, arm, *columns, *as_list(strata), *as_list(cluster), *as_list(people), *as_list(weights)]
    table, month = months_table(data, list(dict.fromkeys(needed)), at, month)
    table, left_out = with_arm(table, arm)
    levels = sorted(table[arm].unique())
    if reference is None or reference not in levels:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(levels)}")
    if len(levels) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    if strata and (columns or cluster):
        raise UnsupportedError("strata= does not go together with adjust= or cluster=; put the strata into adjust=")
    if people:
        table = from_counts(table, outcome, people)
    # counts of people with the outcome are frequencies, too
    weighted = PEOPLE if people else weights
    weight = person_weights(table, weighted, weight_type)
    binary = _is_binary(table[outcome])
    title = f"{outcome} compared between arms"
    plan = adjusted.planned(
        binary=binary, model=model, errors=errors, covariates=covariates, small_clusters=small_clusters, penalty=penalty,
        cluster=cluster, probability=weight_type == "probability", replicates=replicates, seed=seed,
    )  # fmt: skip
    regression = bool(columns or cluster or not binary or model or errors or covariates or penalty or plan.probability)
    if (strata or regression) and (intervals is not None or test != "pearson"):
        raise UnsupportedError("intervals= and test= are for the unadjusted comparison of true/false outcomes")
    if strata:
        if not binary:
            raise UnsupportedError("strata= is for true/false outcomes; put the strata of a number into adjust=")
        if regression:
            raise UnsupportedError("strata= has no model and no probability weights; put the strata into adjust=")
        rows, notes = mantel_haenszel.mantel_haenszel(table, outcome, arm, reference, month, strata, weight)
        return Estimates(tidy(rows.assign(outcome=outcome)), title, f"Mantel-Haenszel over {strata}",
                         mantel_haenszel.REFERENCES, "forest", (*left_out, *notes))  # fmt: skip
    if regression:
        rows, notes = adjusted.by_regression(table, outcome, arm, reference, month, columns, weight, plan)
        return Estimates(tidy(rows.assign(outcome=outcome)), title, adjusted.describe(plan, columns),
                         adjusted.references(plan), "forest", (*left_out, *notes))  # fmt: skip
    if test not in TESTS:
        raise UnsupportedError(f"test= is one of: {', '.join(TESTS)}")
    counts = counts_by(table, outcome, [arm, *([month] if month else [])], weight if weighted else None)
    rows = compare_counts(counts, arm, reference, [month] if month else [], intervals, test).assign(outcome=outcome)
    rows = rows.rename(columns={month: "month"}) if month else rows
    return Estimates(tidy(rows), title, *_described(intervals, test), "forest", left_out)


def _described(intervals: Intervals, test: Test) -> tuple[str, tuple[str, ...]]:
    chosen = chosen_intervals(intervals)
    if chosen == chosen_intervals(None) and test == "pearson":
        return METHOD, REFERENCES
    named = {measure: two_proportions.INTERVALS[measure][name][0] for measure, name in chosen.items()}
    method = (
        f"Intervals: risk difference {named['risk_difference']}, risk ratio {named['risk_ratio']}, "
        f"odds ratio {named['odds_ratio']}; p from {TESTS[test][0]}; two-sided 95 %"
    )
    more = [_MORE_REFERENCES[name] for name in dict.fromkeys([*chosen.values(), test]) if name in _MORE_REFERENCES]
    return method, (*REFERENCES, *more)


def _is_binary(values: pd.Series) -> bool:
    if values.dtype in ("bool", "boolean"):
        return True
    numbers = pd.to_numeric(values, errors="coerce")
    if (numbers.isna() & values.notna()).any():
        yes_no(values, str(values.name))
    return bool(numbers.dropna().isin((0, 1)).all())
