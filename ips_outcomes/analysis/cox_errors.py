"""Robust and cluster errors of a Cox model: score residuals that respect ties and delayed entry.

References
----------
Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat Assoc 1989;84:1074-1078.
Therneau TM, Grambsch PM. Modeling Survival Data. Springer 2000, section 4.6 (Efron's residuals) and 8.2 (clusters).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums

__all__ = ["cluster_scores", "meat", "residuals_in_cells", "score_residuals"]

Floats = NDArray[np.float64]


def score_residuals(sets: RiskSets, sums: Sums, a: int, b: int) -> Floats:
    """Weighted score residuals of rows a to b, in the order of the cells."""
    cell = np.searchsorted(sets.starts, np.arange(a, b), "right") - 1
    return residuals_in_cells(sets, sums, sets.matrix[a:b], sets.weight[a:b], sums.risk[a:b], cell)


def residuals_in_cells(
    sets: RiskSets, sums: Sums, matrix: Floats, weight: Floats, risk: Floats, cell: NDArray[np.int64]
) -> Floats:
    """Score residuals of rows whose cells are known; ``risk`` has the weights in it."""
    found = matrix * (-risk * sums.exposure[cell])[:, None]
    found += risk[:, None] * sums.pulled[cell]
    mine = np.flatnonzero(sets.own[cell] > 0)
    at = sets.last[cell[mine]]
    found[mine] += weight[mine, None] * (matrix[mine] - sums.mean[at])
    return found


def cluster_scores(sets: RiskSets, sums: Sums, cluster: NDArray[np.int64], number: int) -> Floats:
    """Sums of the score residuals by cluster; ``cluster`` holds codes in the input's order."""
    codes = cluster[sets.order]
    width = sets.matrix.shape[1]
    found = np.zeros((number, width))
    # a chunk is not much smaller than the clusters are many, so that adding up costs no more than the residuals
    step = max(1 << 16, number // 4)
    for a in range(0, len(codes), step):
        b = min(a + step, len(codes))
        part, at = score_residuals(sets, sums, a, b), codes[a:b]
        for j in range(width):
            found[:, j] += np.bincount(at, weights=part[:, j], minlength=number)
    return found


def meat(sets: RiskSets, sums: Sums, frequency: bool) -> Floats:
    """Sum of squares of every person's own score residual.

    Under frequency weights a row of weight w is w people, each with the same residual.
    """
    width = sets.matrix.shape[1]
    found = np.zeros((width, width))
    for a in range(0, len(sets.matrix), 1 << 16):
        b = min(a + (1 << 16), len(sets.matrix))
        part = score_residuals(sets, sums, a, b)
        found += part.T @ (part / sets.weight[a:b, None] if frequency else part)
    return found
