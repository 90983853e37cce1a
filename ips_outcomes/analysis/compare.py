"""Arms compared: how much more often the outcome happens, on three scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ips_outcomes.analysis import adjusted, proportions
from ips_outcomes.analysis.inputs import Data, as_list, months_table, with_arm, yes_no
from ips_outcomes.analysis.rates import counts_by
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


def compare_counts(counts: pd.DataFrame, arm: str, reference: str, keys: list[str]) -> pd.DataFrame:
    """The three measures, a row each, for every other arm of a table of counts, within each combination of keys."""
    base = counts[counts[arm] == reference].rename(columns={"n": "n_reference", "events": "events_reference"})
    others = counts[counts[arm] != reference].rename(columns={"n": "n_arm", "events": "events_arm"})
    if keys:
        pairs = others.merge(base[[*keys, "n_reference", "events_reference"]], on=keys, how="inner")
    else:
        pairs = others.merge(base[["n_reference", "events_reference"]], how="cross")
    values = [pairs[c].to_numpy(dtype=float) for c in ("events_arm", "n_arm", "events_reference", "n_reference")]
    e1, n1, e0, n0 = values
    p_value = proportions.pearson_p(e1, n1, e0, n0)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p0 = e1 / n1, e0 / n0
        wald = np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    results = {
        "risk_difference": (p1 - p0, wald, *proportions.newcombe(e1, n1, e0, n0), "Newcombe"),
        "risk_ratio": (*proportions.risk_ratio(e1, n1, e0, n0), "log Wald"),
        "odds_ratio": (*proportions.odds_ratio(e1, n1, e0, n0), "log Wald"),
    }
    parts = []
    for measure, (estimate, std_error, low, high, method) in results.items():
        finite = np.isfinite(np.asarray(low, dtype=float))
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


def compare_arms(
    data: Data, outcome: str, arm: str = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    adjust: str | Sequence[str] | None = None, strata: str | None = None, cluster: str | None = None, *,
    month: str | None = None,
) -> Estimates:  # fmt: skip
    """Compare an outcome between arms, by month where there are months.

    A true/false outcome gives the risk difference, risk ratio and odds ratio
    of every arm against the reference; a number gives the mean difference.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
    outcome : str
        True/false column, or a number. Missing means not observed.
    arm : str
        Column that holds the arm.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months; all from 1 by default.
    adjust : str or list of str, optional
        Baseline columns to adjust for. True/false outcomes: logistic
        regression standardised over everybody (g-computation) with
        delta-method errors; numbers: linear regression. Rows where one of the
        columns is missing are left out of the model and counted in the notes.
    strata : str, optional
        One column; Mantel-Haenszel over its levels. Not with ``adjust``.
    cluster : str, optional
        One column; errors robust to clusters, through the regression of
        ``adjust`` (without columns to adjust for, arms alone). From 30
        clusters; below, errors of this kind are too small and are refused.
    month : str, optional
        The month column of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``risk_difference``, ``risk_ratio``, ``odds_ratio`` or
        ``mean_difference``; ``contrast`` names the arms; ``n`` and ``events``
        are both arms together, and ``n_arm``, ``events_arm``,
        ``n_reference``, ``events_reference`` stand beside them. ``std_error``
        of ratios is that of the logarithm. One p-value serves the three
        measures of an unadjusted comparison.

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
    Biometrics 1985;41:55-68.

    Examples
    --------
    >>> import pandas as pd
    >>> arms = ["ips"] * 10 + ["control"] * 10
    >>> people = pd.DataFrame({"arm": arms, "works": [1] * 6 + [0] * 4 + [1] * 3 + [0] * 7})
    >>> result = compare_arms(people, outcome="works", reference="control").table
    >>> result[["measure", "contrast"]].values.tolist()[0], round(float(result["estimate"][0]), 3)
    (['risk_difference', 'ips - control'], 0.3)
    """
    reference = _own_reference(data) if reference is None else str(reference)
    covariates = as_list(adjust)
    needed = [outcome, arm, *covariates, *as_list(strata), *as_list(cluster)]
    table, month = months_table(data, list(dict.fromkeys(needed)), at, month)
    table, left_out = with_arm(table, arm)
    levels = sorted(table[arm].unique())
    if reference is None or reference not in levels:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(levels)}")
    if len(levels) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    if strata and (covariates or cluster):
        raise UnsupportedError("strata= does not go together with adjust= or cluster=; put the strata into adjust=")
    binary = _is_binary(table[outcome])
    if strata and not binary:
        raise UnsupportedError("strata= is for true/false outcomes; put the strata of a number into adjust=")
    if covariates or cluster or not binary:
        rows, notes = adjusted.by_regression(table, outcome, arm, reference, month, covariates, cluster, binary=binary)
        return Estimates(tidy(rows.assign(outcome=outcome)), f"{outcome} compared between arms",
                         adjusted.describe(binary, covariates, cluster), adjusted.REFERENCES, "forest", (*left_out, *notes))  # fmt: skip
    if strata:
        rows, notes = adjusted.mantel_haenszel(table, outcome, arm, reference, month, strata)
        return Estimates(tidy(rows.assign(outcome=outcome)), f"{outcome} compared between arms",
                         f"Mantel-Haenszel over {strata}", adjusted.REFERENCES, "forest", (*left_out, *notes))  # fmt: skip
    counts = counts_by(table, outcome, [arm, *([month] if month else [])])
    rows = compare_counts(counts, arm, reference, [month] if month else []).assign(outcome=outcome)
    return Estimates(
        tidy(rows.rename(columns={month: "month"}) if month else rows),
        f"{outcome} compared between arms",
        METHOD,
        REFERENCES,
        "forest",
        left_out,
    )


def _own_reference(data: Data) -> str | None:
    return None if isinstance(data, pd.DataFrame) else data.study.reference


def _is_binary(values: pd.Series) -> bool:
    if values.dtype in ("bool", "boolean"):
        return True
    numbers = pd.to_numeric(values, errors="coerce")
    if (numbers.isna() & values.notna()).any():
        yes_no(values, str(values.name))
    return bool(numbers.dropna().isin((0, 1)).all())
