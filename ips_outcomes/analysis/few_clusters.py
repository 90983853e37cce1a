"""Errors of rates by month, their sums and their slopes where clusters are few.

A rate is a mean, a sum of rates is a combination of means and a slope is least squares: all are linear models of the
person-month outcome with coefficients of their own for each arm, so that CR2 errors and Satterthwaite's degrees of freedom
hold for them as for any linear model. People of one cluster, arm and weight who are observed in the same month share their
covariates, so they are added up first: the work grows with clusters and months, not with people.

References
----------
Bell RM, McCaffrey DF. Surv Methodol 2002;28:169-181.
Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683. doi:10.1080/07350015.2016.1247004
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.person_months import MonthsMatrix, fold
from ips_outcomes.analysis.small_clusters import MOST_PATTERNS, cr2_of_rows
from ips_outcomes.errors import UnsupportedError

__all__ = ["ONE_DECIDES", "REFERENCES", "arms_of_rows", "few", "note", "small_error"]

Floats = NDArray[np.float64]

REFERENCES = (
    "Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage samples. "
    "Surv Methodol 2002;28:169-181.",
    "Pustejovsky JE, Tipton E. Small-sample methods for cluster-robust variance estimation and hypothesis testing in fixed "
    "effects models. J Bus Econ Stat 2018;36:672-683. doi:10.1080/07350015.2016.1247004",
)
#: Said of a row that has an estimate and no error.
ONE_DECIDES = "no error: one cluster decides it alone"
#: A cluster whose share in a coefficient is this near to 1 decides it alone.
ALONE = 1e-9


def few(matrix: MonthsMatrix, arms: Sequence[int]) -> bool:
    """Whether people of these arms come in clusters, and in fewer than 30."""
    return matrix.cluster is not None and matrix.units(np.isin(matrix.arm, arms)) < FEW_CLUSTERS


def arms_of_rows(matrix: MonthsMatrix, base: int | None) -> dict[str, list[int]]:
    """The arms that each row of a table is about, by the name of its arm or contrast."""
    who = {name: [place] for place, name in enumerate(matrix.arms)}
    if base is not None:
        who |= {f"{name} - {matrix.arms[base]}": [place, base] for place, name in enumerate(matrix.arms) if place != base}
    return who


def note(matrix: MonthsMatrix, who: dict[str, list[int]], degrees: Floats) -> tuple[str, ...]:
    """What to say of rows with few clusters, told by name; nothing where there are none."""
    small = [f"{name} {matrix.units(np.isin(matrix.arm, arms)):.0f}" for name, arms in who.items() if few(matrix, arms)]
    if not small:
        return ()
    known = degrees[np.isfinite(degrees)]
    reserve = " (under 4: read p-values with reserve)" if len(known) and known.min() < 4 else ""
    return (
        f"few clusters ({', '.join(small)}): CR2 errors, limits and p from t with Satterthwaite's degrees of freedom{reserve}",
    )


def small_error(
    matrix: MonthsMatrix, arms: Sequence[int], signs: Sequence[float], design: Floats, combination: Floats
) -> tuple[float, float]:
    """CR2 error and Satterthwaite degrees of freedom of a combination of coefficients, added up over arms with signs.

    Parameters
    ----------
    matrix : MonthsMatrix
        With clusters.
    arms, signs : sequence
        Positions of the arms, and what their combination is multiplied by.
    design : array, months x coefficients
        Covariates of a month, the same in every arm; each arm has coefficients of its own.
    combination : array
        Of the coefficients of one arm.

    Returns
    -------
    tuple of float
        Empty (NaN) where one cluster alone decides a coefficient: nothing
        then tells how much it would vary.

    Raises
    ------
    UnsupportedError
        For probability weights so many that a cluster's matrix would not fit.

    Examples
    --------
    >>> import pandas as pd
    >>> from ips_outcomes.analysis.person_months import months_matrix
    >>> rows = pd.DataFrame({"person_id": range(6), "site": range(6), "month": 1, "works": [0, 1, 1, 0, 0, 0]})
    >>> error, degrees = small_error(months_matrix(rows, "works", cluster="site"), [0], [1.0], np.ones((1, 1)), np.ones(1))
    >>> round(error**2, 6), round(degrees, 6)
    (0.044444, 5.0)
    """
    assert matrix.cluster is not None
    inside = np.isin(matrix.arm, arms)
    cluster, arm, weight = matrix.cluster[inside], matrix.arm[inside], matrix.weight[inside]
    first, pattern = fold([cluster, arm, weight])
    people, with_outcome = np.zeros((len(first), len(design))), np.zeros((len(first), len(design)))
    count = matrix.count[inside][:, None]
    np.add.at(people, pattern, count * matrix.observed[inside])
    np.add.at(with_outcome, pattern, count * matrix.value[inside])
    row, month = np.nonzero(people)
    root, share, own = np.sqrt(people[row, month]), with_outcome[row, month] / people[row, month], weight[first][row]
    width = design.shape[1]
    x = np.zeros((len(row), len(arms) * width))
    for place, name in enumerate(arms):
        here = arm[first][row] == name
        x[here, place * width : (place + 1) * width] = design[month[here]]
    codes = np.unique(cluster[first][row], return_inverse=True)[1].astype(np.int64)
    plain = bool((own == 1).all())
    if not plain and len(codes) and int(np.bincount(codes).max()) > MOST_PATTERNS:
        raise UnsupportedError(
            f"a cluster holds {int(np.bincount(codes).max())} months of people with different weights, more than {MOST_PATTERNS}: "
            "CR2 errors need a matrix of that size; round the weights, so that people share them"
        )
    u = root[:, None] * x
    information = u.T @ (own[:, None] * u)
    contrast = np.concatenate([sign * combination for sign in signs])
    if not len(row) or np.linalg.matrix_rank(information) < len(contrast) or _one_decides(u, own, codes, information, contrast):
        return float("nan"), float("nan")
    residual = root * (share - x @ np.linalg.solve(information, u.T @ (own * root * share)))
    error, degrees = cr2_of_rows(u, own, np.ones(len(row)), residual, codes, contrast[None, :])
    return float(error[0]), float(degrees[0])


def _one_decides(u: Floats, work: Floats, codes: NDArray[np.int64], information: Floats, contrast: Floats) -> bool:
    """Whether a part of the contrast rests on one cluster alone, so that its residuals there are zero whatever happens."""
    inverse = np.linalg.inv(np.linalg.cholesky(information))
    seen = inverse @ contrast
    for name in range(int(codes.max()) + 1):
        own = (inverse @ u[codes == name].T) * np.sqrt(work[codes == name])
        share, direction = np.linalg.eigh(own @ own.T)
        alone = direction[:, share > 1 - ALONE].T @ seen
        if (alone**2).sum() > ALONE * (seen**2).sum():
            return True
    return False
