"""Few clusters: limits and p-values from a wild score bootstrap.

Sandwich errors of six centres are too small and their z has heavy tails. Here
a value b of a coefficient is tested with the clusters' scores at the fit where
that coefficient is b: under b each cluster's score might as well have had the
other sign. All signs are tried where there are at most 12 clusters, else a
seeded sample. The limits are the values that the test does not refuse.

The scores at b are taken linear in b (their derivative at the estimate, by
central differences), so that no model is fitted twice, and the limits follow
sign vector by sign vector in closed form.

Under 6 clusters fewer than one sign vector in twenty is as extreme as can be:
no 95 % limits exist, and none are given.

References
----------
Kline P, Santos A. A score based approach to wild bootstrap inference. J Econom Methods 2012;1:23-41.
MacKinnon JG, Webb MD. The wild bootstrap for few (treated) clusters. Econom J 2018;21:114-135.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_errors import cluster_scores
from ips_outcomes.analysis.cox_inputs import Prepared
from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums

__all__ = ["wild_limits"]

Floats = NDArray[np.float64]

#: Up to here all sign vectors are tried.
ENUMERATED = 12
DRAWS = 9_999


def _signs(number: int, seed: int) -> Floats:
    """Sign vectors; the first is the data's own."""
    if number <= ENUMERATED:
        bits = np.arange(1 << number)[:, None] >> np.arange(number)
        return np.asarray(1.0 - 2.0 * (bits & 1), dtype=float)
    drawn = np.random.default_rng(seed).integers(0, 2, (DRAWS, number))
    return np.asarray(np.vstack([np.ones(number), 1.0 - 2.0 * drawn]), dtype=float)


def wild_limits(sets: RiskSets, people: Prepared, beta: Floats, sums: Sums, seed: int) -> tuple[Floats, Floats, Floats]:
    """Lower and upper limits of the coefficients, and p-values of their being 0."""
    if people.cluster is None:  # pragma: no cover - callers have clusters
        raise ValueError("no clusters")
    number, width = people.clusters, len(beta)
    codes = people.cluster
    here = cluster_scores(sets, sums, codes, number)
    inverse = np.linalg.inv(sums.information)
    # how each cluster's score moves with each coefficient
    moves = np.empty((number, width, width))
    step = 1e-3 * np.sqrt(np.diag(inverse))
    for k in range(width):
        ends = []
        for way in (1.0, -1.0):
            moved = beta.copy()
            moved[k] += way * step[k]
            ends.append(cluster_scores(sets, sets.at(moved), codes, number))
        moves[:, :, k] = (ends[0] - ends[1]) / (2 * step[k])
    signs = _signs(number, seed)
    low, high, p_value = (np.full(width, np.nan) for _ in range(3))
    for j in range(width):
        # along this direction the other coefficients stay at their best
        direction = inverse[:, j] / inverse[j, j]
        fixed = signs @ (here @ inverse[j])
        slope = signs @ np.einsum("i,gij,j->g", inverse[j], moves, direction)
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = np.stack([fixed / (1 - slope), -fixed / (1 + slope)])
        # a sign vector whose score moves as fast as the data's own is taken as never less extreme: without that,
        # six clusters rejected a true null in 9.5 % of 1,500 simulated trials, with it in 4.7 %
        always = np.abs(slope) >= 1 - 1e-6
        up, down = np.where(always, np.inf, roots.max(axis=0)), np.where(always, -np.inf, roots.min(axis=0))
        # the same acceptance for the p-value, so that it and the limits never disagree
        p_value[j] = np.mean(up >= -beta[j] if beta[j] < 0 else down <= -beta[j])
        allowed = int(0.05 * len(signs))
        upper, lower = np.sort(up)[::-1][allowed], np.sort(down)[allowed]
        if np.isfinite(upper) and np.isfinite(lower):
            low[j], high[j] = beta[j] + lower, beta[j] + upper
    return low, high, p_value
