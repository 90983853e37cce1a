"""Firth's penalised partial likelihood: finite hazard ratios also where events fall on one side only.

The log likelihood gains half the logarithm of the information's determinant.
Limits and p-values come from the profile of the penalised likelihood, as
Wald's are poor exactly where the penalty is needed.

References
----------
Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.
Heinze G, Schemper M. A solution to the problem of monotone likelihood in Cox regression. Biometrics 2001;57:114-119.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums, at_risk_sums, cell_sums
from ips_outcomes.analysis.limits import Z95, normal_p
from ips_outcomes.errors import UnsupportedError

__all__ = ["firth", "penalised"]

Floats = NDArray[np.float64]


def penalised(sets: RiskSets, beta: Floats) -> tuple[float, Floats, Sums]:
    """The penalised log likelihood, its slope, and the plain sums.

    The slope of half the log determinant needs third moments, but only
    through x' A x with A the inverse information: one more number a person.
    """
    sums = sets.at(beta)
    sign, size = np.linalg.slogdet(sums.information)
    if sign <= 0 or not np.isfinite(size):
        return -np.inf, np.full(len(beta), np.nan), sums
    inverse = np.linalg.inv(sums.information)
    second, second_own = (np.stack(parts, axis=1) for parts in zip(
        *(at_risk_sums(sets, cell_sums(sets, sums.risk * column)[1]) for column in sets.matrix.T), strict=True))  # fmt: skip
    quadratic = np.einsum("ij,jk,ik->i", sets.matrix, inverse, sets.matrix)
    q_cells = cell_sums(sets, sums.risk * quadratic)
    (q0, own0), (q1, own1) = (at_risk_sums(sets, values) for values in q_cells)
    slope = np.zeros(len(beta))
    ends = np.cumsum(sets.tied)
    bounds = np.unique([0, *np.searchsorted(ends, np.arange(1 << 13, int(ends[-1]), 1 << 13)).tolist(), len(ends)])
    for a, b in pairwise(bounds):
        part = sets.tied[a:b]
        at = np.repeat(np.arange(a, b), part)
        drawn = np.arange(len(at)) - np.repeat(np.cumsum(part) - part, part)
        f = drawn / sets.tied[at] if sets.ties == "efron" else np.zeros(len(at))
        one = 1 / (sums.s0[at] - f * sums.d0[at])
        mean = one[:, None] * (sums.s1[at] - f[:, None] * sums.d1[at])
        moment = one[:, None, None] * (second[at] - f[:, None, None] * second_own[at])
        third = one[:, None] * (q1[at] - f[:, None] * own1[at])
        trace = one * (q0[at] - f * own0[at])
        pulled = mean @ inverse
        bend = np.einsum("djk,dk->dj", moment, pulled) - mean * np.einsum("dj,dj->d", mean, pulled)[:, None]
        slope += (sets.mass / sets.tied)[at] @ (third - trace[:, None] * mean - 2 * bend)
    return sums.loglik + size / 2, sums.score + slope / 2, sums


def _climbed(sets: RiskSets, beta: Floats, free: NDArray[np.bool_], names: Sequence[str]) -> tuple[Floats, float, Sums]:
    """The highest place over the free coefficients."""
    height, slope, sums = penalised(sets, beta)
    for _ in range(200):
        inner = sums.information[np.ix_(free, free)]
        if not free.any():
            return beta, height, sums
        step = np.zeros(len(beta))
        try:
            step[free] = np.linalg.solve(inner, slope[free])
        except np.linalg.LinAlgError:
            break
        gain = float(step @ slope)
        if gain < 1e-20:
            return beta, height, sums
        step *= min(1.0, 2.0 / np.abs(step).max())
        for _halved in range(40):
            tried = penalised(sets, beta + step)
            if tried[0] >= height - 1e-13 * (1 + abs(height)):
                break
            step /= 2
        else:
            # nothing higher in reach: the top, to rounding
            return beta, height, sums
        beta = beta + step
        height, slope, sums = tried
    raise UnsupportedError(
        f"the penalised likelihood of {', '.join(names)} did not converge: leave covariates out of the formula"
    )


def firth(sets: RiskSets, names: Sequence[str]) -> tuple[Floats, Sums, Floats, Floats, Floats]:
    """Coefficients, the sums there, profile limits and p-values."""
    from scipy.optimize import brentq

    width = sets.matrix.shape[1]
    everything = np.ones(width, dtype=bool)
    beta, top, sums = _climbed(sets, np.zeros(width), everything, names)
    errors = np.sqrt(np.diag(np.linalg.inv(sums.information)))
    low, high, p_value = (np.full(width, np.nan) for _ in range(3))
    for j in range(width):
        free = everything.copy()
        free[j] = False

        def depth(value: float, j: int = j, free: NDArray[np.bool_] = free) -> float:
            start = beta.copy()
            start[j] = value
            return 2 * (top - _climbed(sets, start, free, names)[1])

        p_value[j] = normal_p(np.sqrt(max(depth(0.0), 0.0)))
        for limits, way in ((low, -1.0), (high, 1.0)):
            reach = 2 * errors[j]
            while depth(beta[j] + way * reach) < Z95**2 and reach < 200:
                reach *= 1.5
            if reach < 200:
                limits[j] = brentq(lambda v, d=depth: d(v) - Z95**2, beta[j], beta[j] + way * reach, xtol=1e-10, rtol=1e-12)
    return beta, sums, low, high, p_value
