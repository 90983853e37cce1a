"""Where the partial likelihood is highest, or why there is no such place.

References
----------
Bryson MC, Johnson ME. The incidence of monotone likelihood in the Cox model. Technometrics 1981;23:381-383.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums
from ips_outcomes.errors import UnsupportedError

__all__ = ["maximised"]

Floats = NDArray[np.float64]

#: A squared Newton step in standard errors below this is rounding.
CLOSE = 1e-18
#: Below this the likelihood is flat, and a step that is still long goes to infinity.
FLAT = 1e-9
LONG = 0.02
FIRTH = 'penalty="firth" gives a finite answer'


def maximised(
    sets: RiskSets, names: Sequence[str], advice: str = FIRTH, start: Floats | None = None, free: NDArray[np.bool_] | None = None,
) -> tuple[Floats, Sums, float]:  # fmt: skip
    """Newton's method with halved steps; ``free`` says which coefficients may move,
    ``advice`` what to do where one has no finite value.

    Returns
    -------
    tuple
        The coefficients, the sums there, and the log likelihood at the start.

    Raises
    ------
    UnsupportedError
        Where a coefficient has no information, goes to infinity while the
        likelihood is flat (monotone likelihood), or nothing converges.
    """
    width = sets.matrix.shape[1]
    free = np.ones(width, dtype=bool) if free is None else free
    beta = np.zeros(width) if start is None else start.copy()
    now = sets.at(beta)
    first = now.loglik
    events = float(sets.mass.sum())
    diagonal = np.diag(now.information)
    silent = [name for name, d, f in zip(names, diagonal, free, strict=True) if f and not d > 1e-10 * events]
    if silent:
        raise UnsupportedError(
            f"{', '.join(silent)} never differs among those at risk when an event happens: its hazard ratio has no answer"
        )
    if not free.any():
        return beta, now, first
    decrement = np.inf
    for _ in range(60):
        step = np.zeros(width)
        step[free] = _solved(now.information[np.ix_(free, free)], now.score[free], names)
        before, decrement = decrement, float(step @ now.score)
        if decrement < FLAT * min(1.0, events):
            endless = np.abs(step) > LONG
            if endless.any():
                _infinite(names, endless, beta + step, sets, advice)
        if decrement < CLOSE or (decrement < 1e-14 and decrement >= before / 4):
            return beta, now, first
        # a factor of e^3 a standard deviation at most
        step *= min(1.0, 3.0 / np.abs(step).max())
        for _halved in range(30):
            tried = sets.at(beta + step)
            if np.isfinite(tried.loglik) and tried.loglik >= now.loglik - 1e-9 * (1 + abs(now.loglik)):
                break
            step /= 2
        beta, now = beta + step, tried
        if np.abs(beta).max() > 200:
            break
    _infinite(names, np.abs(beta) >= 0.5 * np.abs(beta).max(), beta, sets, advice)
    raise AssertionError  # pragma: no cover - the line above raises


def _solved(information: Floats, score: Floats, names: Sequence[str]) -> Floats:
    try:
        return np.asarray(np.linalg.solve(information, score), dtype=float)
    except np.linalg.LinAlgError:
        raise UnsupportedError(
            f"among those at risk when events happen, {', '.join(names)} follow from each other: leave one out of the formula"
        ) from None


def _infinite(names: Sequence[str], endless: NDArray[np.bool_], beta: Floats, sets: RiskSets, advice: str) -> None:
    told = []
    for name, up in zip(np.asarray(names)[endless], beta[endless] > 0, strict=True):
        told.append(f"{name} (towards {'plus' if up else 'minus'} infinity)")
    raise UnsupportedError(
        f"no finite hazard ratio for {', '.join(told)}: the likelihood keeps rising as the coefficient grows (separation: "
        f"events fall on one side only, out of {int(sets.tied.sum())}); {advice}"
    )
