"""Adjusted, stratified and clustered comparisons, by way of statsmodels.

References
----------
Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748.
Sato T. Biometrics 1989;45:1323-1324 (variance of the risk difference).
Greenland S, Robins JM. Biometrics 1985;41:55-68 (of the risk ratio). doi:10.2307/2530643
Robins J, Breslow N, Greenland S. Biometrics 1986;42:311-323. doi:10.2307/2531052
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import yes_no
from ips_outcomes.analysis.limits import Z95
from ips_outcomes.errors import UnsupportedError

__all__ = ["REFERENCES", "by_regression", "describe", "mantel_haenszel"]

REFERENCES = (
    "Mantel N, Haenszel W. Statistical aspects of the analysis of data from retrospective studies of disease. J Natl Cancer Inst 1959;22:719-748.",
    "Sato T. On the variance estimator for the Mantel-Haenszel risk difference. Biometrics 1989;45:1323-1324.",
    "Greenland S, Robins JM. Estimation of a common effect parameter from sparse follow-up data. Biometrics 1985;41:55-68. doi:10.2307/2530643",
    "Robins J, Breslow N, Greenland S. Estimators of the Mantel-Haenszel variance consistent in both sparse data and "
    "large-strata limiting models. Biometrics 1986;42:311-323. doi:10.2307/2531052",
)

#: Sandwich errors need about this many clusters before they can be trusted.
LEAST_CLUSTERS = 30


def describe(binary: bool, covariates: list[str], cluster: str | None) -> str:
    """The model in words."""
    model = "logistic regression, standardised over everybody (g-computation)" if binary else "linear regression"
    with_ = f", adjusted for {', '.join(covariates)}" if covariates else ""
    errors = f"; errors robust to clusters of {cluster}" if cluster else ""
    limits = "normal" if binary or cluster else "t"
    return f"{model[0].upper()}{model[1:]}{with_}{errors}; two-sided 95 % limits from the {limits} distribution"


def _p(z: float) -> float:
    return erfc(abs(z) / sqrt(2)) if np.isfinite(z) else float("nan")


def _row(measure: str, contrast: str, estimate: float, std_error: float, method: str, *, ratio: bool) -> dict[str, object]:
    if not (std_error > 0) or not np.isfinite(std_error) or (ratio and not 0 < estimate < np.inf):
        nothing = float("nan")
        return {"measure": measure, "contrast": contrast, "estimate": estimate, "std_error": nothing, "conf_low": nothing,
                "conf_high": nothing, "p_value": nothing, "method": "no interval: a cell is zero or empty"}  # fmt: skip
    centre = float(np.log(estimate)) if ratio else estimate
    low, high = centre - Z95 * std_error, centre + Z95 * std_error
    if ratio:
        low, high = float(np.exp(low)), float(np.exp(high))
    return {"measure": measure, "contrast": contrast, "estimate": estimate, "std_error": std_error,
            "conf_low": low, "conf_high": high, "p_value": _p(centre / std_error), "method": method}  # fmt: skip


def by_regression(
    table: pd.DataFrame, outcome: str, arm: str, reference: str, month: str | None, covariates: list[str],
    cluster: str | None, *, binary: bool,
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # fmt: skip
    """One model a month: arms, covariates, errors robust to clusters where asked."""
    rows, notes = [], []
    arms = sorted(table[arm].unique())
    for key, part in table.groupby(month, sort=True) if month else [(pd.NA, table)]:
        used = part[part[outcome].notna()]
        complete = used.dropna(subset=[*covariates, *([cluster] if cluster else [])])
        if len(complete) < len(used):
            where = f"month {key}: " if month else ""
            notes.append(f"{where}{len(used) - len(complete)} of {len(used)} rows left out: a covariate is missing")
        empty = [a for a in arms if not (complete[arm] == a).any()]
        if empty:
            where = f"month {key}" if month else "all rows"
            notes.append(f"{where}: no estimate, as nobody with known values is in {', '.join(empty)}")
            continue
        rows += [{**row, "month": key} for row in _fit(complete, outcome, arm, reference, covariates, cluster, binary=binary)]
    if not rows:
        raise UnsupportedError("; ".join(notes))
    return pd.DataFrame(rows), tuple(notes)


def _design(part: pd.DataFrame, arm: str, reference: str, covariates: list[str]) -> tuple[np.ndarray, list[str]]:
    """Intercept, an indicator an arm, then covariates (numbers as they are, categories as indicators)."""
    others = [a for a in sorted(part[arm].unique()) if a != reference]
    columns = [np.ones(len(part)), *[(part[arm] == a).to_numpy(dtype=float) for a in others]]
    for name in covariates:
        values = part[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            columns.append(values.to_numpy(dtype=float))
        else:
            dummies = pd.get_dummies(values.astype(str), drop_first=True, dtype=float)
            columns += [dummies[c].to_numpy() for c in dummies]
    design = np.column_stack(columns)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise UnsupportedError("a covariate is constant, or follows from the others: leave it out of adjust=")
    return design, others


def _fit(
    part: pd.DataFrame, outcome: str, arm: str, reference: str, covariates: list[str], cluster: str | None, *, binary: bool
) -> list[dict[str, object]]:
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    y = yes_no(part[outcome], outcome) if binary else part[outcome].to_numpy(dtype=float)
    design, others = _design(part, arm, reference, covariates)
    options: dict[str, object] = {}
    if cluster:
        codes = pd.factorize(part[cluster])[0]
        number = codes.max() + 1
        if number < LEAST_CLUSTERS:
            raise UnsupportedError(
                f"{number} clusters are too few for cluster-robust errors (least {LEAST_CLUSTERS}): "
                "put them into adjust= or strata= if individuals were randomised"
            )
        options = {"cov_type": "cluster", "cov_kwds": {"groups": codes}}
    counts = {a: (part[arm] == a).to_numpy() for a in [*others, reference]}
    if not binary:
        return _linear(sm, y, design, others, reference, counts, options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            warnings.simplefilter("error", RuntimeWarning)
            # at the default tolerance the covariance is that of the step before the last
            model = sm.GLM(y, design, family=sm.families.Binomial()).fit(tol=1e-12, **options)
    except (PerfectSeparationWarning, RuntimeWarning, np.linalg.LinAlgError):
        raise UnsupportedError("the covariates separate the outcome: the logistic model has no finite answer") from None
    if not model.converged:
        raise UnsupportedError("the logistic model did not converge")
    return _standardised(model, y, design, others, reference, counts)


def _linear(sm, y, design, others, reference, counts, options) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    model = sm.OLS(y, design).fit(**options)
    low_high = np.asarray(model.conf_int())
    method = "OLS, cluster-robust, normal limits" if options else "OLS, t limits"
    rows = []
    for i, other in enumerate(others, start=1):
        rows.append({
            "measure": "mean_difference", "contrast": f"{other} - {reference}", "estimate": model.params[i],
            "std_error": model.bse[i], "conf_low": low_high[i, 0], "conf_high": low_high[i, 1],
            "p_value": model.pvalues[i], "method": method, "n": int(counts[other].sum() + counts[reference].sum()),
            "n_arm": int(counts[other].sum()), "n_reference": int(counts[reference].sum()),
        })  # fmt: skip
    return rows


def _standardised(model, y, design, others, reference, counts) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    """Everybody's risk under each arm, averaged; errors by the delta method."""

    def under(position: int) -> tuple[float, np.ndarray]:
        forced = design.copy()
        forced[:, 1 : len(others) + 1] = 0
        if position:
            forced[:, position] = 1
        risk = model.predict(forced)
        return float(risk.mean()), (risk * (1 - risk)) @ forced / len(risk)

    covariance = np.asarray(model.cov_params())
    base, base_gradient = under(0)
    rows = []
    for i, other in enumerate(others, start=1):
        risk, gradient = under(i)
        measures = [
            ("risk_difference", f"{other} - {reference}", risk - base, gradient - base_gradient, False),
            ("risk_ratio", f"{other} / {reference}", risk / base, gradient / risk - base_gradient / base, True),
            ("odds_ratio", f"{other} / {reference}", risk / (1 - risk) / (base / (1 - base)),
             gradient / (risk * (1 - risk)) - base_gradient / (base * (1 - base)), True),
        ]  # fmt: skip
        sizes = {
            "n_arm": int(counts[other].sum()), "events_arm": int(y[counts[other]].sum()),
            "n_reference": int(counts[reference].sum()), "events_reference": int(y[counts[reference]].sum()),
        }  # fmt: skip
        for measure, contrast, estimate, slope, ratio in measures:
            std_error = float(np.sqrt(slope @ covariance @ slope))
            row = _row(measure, contrast, estimate, std_error, "g-computation, delta method", ratio=ratio)
            row.update(sizes)
            rows.append({**row, "n": sizes["n_arm"] + sizes["n_reference"],
                         "events": sizes["events_arm"] + sizes["events_reference"]})  # fmt: skip
    return rows


def mantel_haenszel(
    table: pd.DataFrame, outcome: str, arm: str, reference: str, month: str | None, strata: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Mantel-Haenszel risk difference, risk ratio and odds ratio; strata with one arm only add nothing."""
    rows, notes = [], []
    arms = sorted(table[arm].unique())
    for key, part in table.groupby(month, sort=True) if month else [(pd.NA, table)]:
        value = yes_no(part[outcome], outcome)
        seen = part.assign(_yes=value)[~np.isnan(value) & part[strata].notna()]
        unknown = int((~np.isnan(value)).sum()) - len(seen)
        if unknown:
            notes.append(f"{f'month {key}: ' if month else ''}{unknown} people left out: {strata} is missing")
        cells = seen.groupby([strata, arm], observed=True)["_yes"].agg(["sum", "count"]).unstack(arm, fill_value=0)
        for other in [a for a in arms if a != reference]:
            e1, n1 = _arm_cells(cells, other)
            e0, n0 = _arm_cells(cells, reference)
            full = (n1 > 0) & (n0 > 0)
            if not full.all():
                where = f"month {key}: " if month else ""
                notes.append(
                    f"{where}{int((~full).sum())} of {len(full)} strata hold one of {other} and {reference} only and add nothing"
                )
            sizes = {"n_arm": int(n1.sum()), "events_arm": int(e1.sum()), "n_reference": int(n0.sum()),
                     "events_reference": int(e0.sum()), "n": int(n1.sum() + n0.sum()), "events": int(e1.sum() + e0.sum())}  # fmt: skip
            for row in _mantel_haenszel(e1[full], n1[full], e0[full], n0[full], other, reference):
                rows.append({**row, **sizes, "month": key})
    return pd.DataFrame(rows), tuple(notes)


def _arm_cells(cells: pd.DataFrame, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Events and people of one arm by stratum; an arm that nobody is in has none."""
    none = pd.Series(0, index=cells.index)
    events, people = (cells[part].get(arm, none).to_numpy(float) for part in ("sum", "count"))
    return events, people


def _mantel_haenszel(e1, n1, e0, n0, other: str, reference: str) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    total = n1 + n0
    weight = n1 * n0 / total
    r, s = e1 * n0 / total, e0 * n1 / total
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = float(((e1 * n0 - e0 * n1) / total).sum() / weight.sum())
        # Sato's variance holds for few large strata and for many small ones, pairs included
        part = (n1**2 * e0 - n0**2 * e1 + n1 * n0 * (n0 - n1) / 2) / total**2
        rest = (e1 * (n0 - e0) + e0 * (n1 - e1)) / (2 * total)
        difference_error = float(np.sqrt(difference * part.sum() + rest.sum()) / weight.sum())
        ratio = float(r.sum() / s.sum())
        ratio_error = float(np.sqrt(((n1 * n0 * (e1 + e0) - e1 * e0 * total) / total**2).sum() / (r.sum() * s.sum())))
        p, q = (e1 + n0 - e0) / total, (n1 - e1 + e0) / total
        ro, so = e1 * (n0 - e0) / total, e0 * (n1 - e1) / total
        odds = float(ro.sum() / so.sum())
        odds_error = float(np.sqrt(
            (p * ro).sum() / (2 * ro.sum() ** 2) + (p * so + q * ro).sum() / (2 * ro.sum() * so.sum())
            + (q * so).sum() / (2 * so.sum() ** 2)
        ))  # fmt: skip
    method = "Mantel-Haenszel"
    return [
        _row("risk_difference", f"{other} - {reference}", difference, difference_error, method, ratio=False),
        _row("risk_ratio", f"{other} / {reference}", ratio, ratio_error, method, ratio=True),
        _row("odds_ratio", f"{other} / {reference}", odds, odds_error, method, ratio=True),
    ]
