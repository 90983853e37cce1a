"""Arms compared within strata: Mantel-Haenszel estimates and the tests that go with them.

References
----------
Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-748.
Sato T. Biometrics 1989;45:1323-1324 (variance of the risk difference).
Greenland S, Robins JM. Biometrics 1985;41:55-68 (of the risk ratio). doi:10.2307/2530643
Robins J, Breslow N, Greenland S. Biometrics 1986;42:311-323. doi:10.2307/2531052
Tarone RE. Biometrika 1985;72:91-95 (homogeneity). doi:10.1093/biomet/72.1.91
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.inputs import yes_no
from ips_outcomes.analysis.regression import ratio_or_difference

__all__ = ["REFERENCES", "breslow_day", "cochran_mantel_haenszel", "mantel_haenszel"]

Floats = NDArray[np.float64]

REFERENCES = (
    "Mantel N, Haenszel W. Statistical aspects of the analysis of data from retrospective studies of disease. J Natl Cancer Inst 1959;22:719-748.",
    "Sato T. On the variance estimator for the Mantel-Haenszel risk difference. Biometrics 1989;45:1323-1324.",
    "Greenland S, Robins JM. Estimation of a common effect parameter from sparse follow-up data. Biometrics 1985;41:55-68. doi:10.2307/2530643",
    "Robins J, Breslow N, Greenland S. Estimators of the Mantel-Haenszel variance consistent in both sparse data and "
    "large-strata limiting models. Biometrics 1986;42:311-323. doi:10.2307/2531052",
    "Breslow NE, Day NE. Statistical Methods in Cancer Research I. IARC 1980.",
    "Tarone RE. On heterogeneity tests based on efficient scores. Biometrika 1985;72:91-95. doi:10.1093/biomet/72.1.91",
)


def mantel_haenszel(
    table: pd.DataFrame,
    outcome: str,
    arm: str,
    reference: str,
    month: str | None,
    strata: str,
    weight: Floats,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Mantel-Haenszel risk difference, risk ratio and odds ratio; strata with one arm only add nothing."""
    rows, notes = [], []
    arms = sorted(table[arm].unique())
    table = table.assign(_copies=weight)
    for key, part in table.groupby(month, sort=True) if month else [(pd.NA, table)]:
        value = yes_no(part[outcome], outcome)
        copies = part["_copies"].to_numpy(dtype=float)
        known = ~np.isnan(value)
        kept = known & part[strata].notna().to_numpy()
        seen = part.assign(_yes=value * copies)[kept]
        unknown = int(copies[known].sum() - copies[kept].sum())
        if unknown:
            notes.append(f"{f'month {key}: ' if month else ''}{unknown} people left out: {strata} is missing")
        cells = seen.groupby([strata, arm], observed=True)[["_yes", "_copies"]].sum().unstack(arm, fill_value=0)
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
    events, people = (cells[part].get(arm, none).to_numpy(float) for part in ("_yes", "_copies"))
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
    tests = {"p_cmh": cochran_mantel_haenszel(e1, n1, e0, n0), "p_homogeneity": breslow_day(e1, n1, e0, n0, odds)}
    return [
        ratio_or_difference("risk_difference", f"{other} - {reference}", difference, difference_error, method, ratio=False)
        | {"p_cmh": tests["p_cmh"]},
        ratio_or_difference("risk_ratio", f"{other} / {reference}", ratio, ratio_error, method, ratio=True)
        | {"p_cmh": tests["p_cmh"]},
        ratio_or_difference("odds_ratio", f"{other} / {reference}", odds, odds_error, method, ratio=True) | tests,
    ]


def cochran_mantel_haenszel(e1: Floats, n1: Floats, e0: Floats, n0: Floats) -> float:
    """P-value of the Cochran-Mantel-Haenszel test that arms do not differ in any stratum, without continuity correction.

    Examples
    --------
    >>> cells = np.array([[3.0, 2.0], [4.0, 4.0], [1.0, 1.0], [4.0, 4.0]])
    >>> round(cochran_mantel_haenszel(*cells), 4)
    0.154
    """
    total, events = n1 + n0, e1 + e0
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = events * n1 / total
        # a stratum of one person says nothing
        variance = np.where(total > 1, n1 * n0 * events * (total - events) / (total**2 * np.maximum(total - 1, 1)), 0)
        statistic = (e1 - expected).sum() ** 2 / variance.sum()
    return float(special.chdtrc(1, statistic)) if np.isfinite(statistic) else float("nan")


def breslow_day(e1: Floats, n1: Floats, e0: Floats, n0: Floats, odds: float) -> float:
    """P-value of the Breslow-Day test of equal odds ratios, with Tarone's correction; strata without variance add nothing.

    Examples
    --------
    >>> cells = np.array([[8.0, 3.0], [10.0, 10.0], [3.0, 3.0], [10.0, 10.0]])
    >>> round(breslow_day(*cells, 2.9), 4)
    0.1135
    """
    told = (e1 + e0 > 0) & (e1 + e0 < n1 + n0) & (n1 > 0) & (n0 > 0)
    if not np.isfinite(odds) or odds <= 0 or told.sum() < 2:
        return float("nan")
    e1, n1, e0, n0 = (x[told] for x in (e1, n1, e0, n0))
    events = e1 + e0
    # people of the arm with the event whom the common odds ratio expects, margins kept; without cancellation
    a, b, c = odds - 1, -((odds - 1) * (n1 + events) + n1 + n0), odds * n1 * events
    fitted = 2 * c / (-b + np.sqrt(b**2 - 4 * a * c))
    variance = 1 / (1 / fitted + 1 / (n1 - fitted) + 1 / (events - fitted) + 1 / (n0 - events + fitted))
    off = e1 - fitted
    statistic = (off**2 / variance).sum() - off.sum() ** 2 / variance.sum()
    return float(special.chdtrc(told.sum() - 1, max(statistic, 0.0)))
