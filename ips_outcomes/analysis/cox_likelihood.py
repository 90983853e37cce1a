"""The partial likelihood on an integer time grid, from sums over cells.

People who share first and last event time at risk (and whether the event is
theirs) form a cell. Every risk-set sum follows from the cells' sums by
cumulation, and the information needs no risk set's second moments at all:

    sum over event times k of d_k S2_k / S0_k = X' diag(r_i H_i) X,

where H_i is the cumulative hazard over the times at which i was at risk. One
pass over the rows gives the sums, a second one the matrix.

References
----------
Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHUNK", "RiskSets", "Sums", "risk_sets"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ties = Literal["efron", "breslow"]

#: Rows that are worked on at once: small enough to stay in the processor's cache.
CHUNK = 1 << 13


@dataclass(frozen=True)
class RiskSets:
    """People ordered by cell, and the event times (one a stratum and time).

    Attributes
    ----------
    order : array
        Which input row stands at each place.
    starts : array
        First row of each cell, and the number of rows last.
    first, last : array
        By cell: first and last event time at risk (``first > last``: at none).
    own : array
        By cell: 1 where the event happens at ``last``, else 0.
    key, stratum_starts : array
        Event times as stratum x width + time; where each stratum's begin.
    tied : array
        Events at each event time: how many times Efron's denominator is drawn down.
    after, tail : array
        Fine and Gray: a cell stays at risk after ``last`` with weight
        after x tail of the time; empty otherwise.
    """

    matrix: Floats
    weight: Floats
    order: Ints
    starts: Ints
    first: Ints
    last: Ints
    own: Floats
    key: Ints
    time: Ints
    stratum: Ints
    stratum_starts: Ints
    tied: Ints
    mass: Floats
    """Sum of the weights of the events at each time."""
    observed: Floats
    """Weighted sum of the covariates of those with the event."""
    ties: Ties
    late: bool
    after: Floats | None = None
    tail: Floats | None = None

    @property
    def cell(self) -> Ints:
        """Cell of each row."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.starts))

    def at(self, beta: Floats) -> Sums:
        """Everything that follows from the coefficients."""
        return _sums(self, beta)


def risk_sets(
    matrix: Floats, time: Ints, happened: NDArray[np.bool_], weight: Floats, count: Floats, stratum: Ints,
    entry: Ints | None, ties: Ties, after: Floats | None = None, censoring: Floats | None = None,
) -> RiskSets:  # fmt: skip
    """Order people by cell.

    ``count`` is how many people a row stands for: replicated rows under
    frequency weights (so that counts and rows are tied alike), 1 under
    probability weights (R's convention: the tied events share their mean weight).
    ``after`` (by row, 0 for most) and ``censoring`` (the function G(t-) by
    time) keep people at risk after a competing event.
    """
    width = int(time.max()) + 2
    late, several = entry is not None, bool(stratum.any())
    place = stratum * width + time
    present = np.zeros(int(place.max()) + 1, dtype=bool) if int(place.max()) < 4 * len(time) + 1_000_000 else None
    if present is not None:
        present[place[happened]] = True
        key = np.flatnonzero(present)
    else:
        key = np.unique(place[happened])
    number = len(key)
    last = np.searchsorted(key, place, "right") - 1
    first = np.searchsorted(key, stratum * width + (0 if entry is None else entry + 1), "left") if late or several else place * 0
    own = happened.astype(np.int64)
    code = (last + 1) * 2 + own
    if late or several:
        code = code * (number + 1) + first
    if after is not None:
        # the weight after a competing event depends on its time, so these cells are by time
        code = code * (width + 1) + np.where(after > 0, time + 1, 0)
    code = code.astype(np.int16) if int(code.max()) < 32_000 else code
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1, [len(order)]])
    head = order[starts[:-1]]
    at = last[happened]
    tied = np.bincount(at, weights=count[happened], minlength=number)
    strata, times = np.divmod(key, width)
    observed = (weight * happened) @ matrix
    return RiskSets(
        matrix[order], weight[order], order, starts, first[head], last[head], own[head].astype(float), key, times, strata,
        np.flatnonzero(np.diff(strata, prepend=-1)), np.rint(tied).astype(np.int64),
        np.bincount(at, weights=weight[happened], minlength=number).astype(float), observed, ties, entry is not None,
        None if after is None else after[head], None if censoring is None else censoring[times],
    )  # fmt: skip


@dataclass(frozen=True)
class Sums:
    """The partial likelihood at one value of the coefficients, and what robust errors and predictions need.

    By event time: ``hazard`` (increment of the baseline cumulative hazard),
    ``drawn`` (Efron's part of it that those with the event do not meet),
    ``pull`` and ``pull_drawn`` (the same, times the mean covariates), ``mean``
    (mean covariates among those at risk).
    """

    risk: Floats
    loglik: float
    score: Floats
    information: Floats
    hazard: Floats
    drawn: Floats
    pull: Floats
    pull_drawn: Floats
    mean: Floats
    s0: Floats
    d0: Floats
    s1: Floats
    d1: Floats
    squared: tuple[Floats, Floats, Floats]
    exposure: Floats
    """By cell: cumulative hazard while at risk."""
    pulled: Floats
    """By cell: cumulative hazard times mean covariates."""


def reversed_sums(values: Floats, starts: Ints) -> Floats:
    """Sums from each time to the last of its stratum."""
    out = np.empty_like(values)
    for a, b in zip(starts, [*starts[1:], len(values)], strict=True):
        out[a:b] = np.cumsum(values[a:b][::-1], axis=0)[::-1]
    return out


def binned(values: Floats, at: Ints, number: int) -> Floats:
    """Column sums by bin."""
    if values.ndim == 1:
        return np.bincount(at, weights=values, minlength=number).astype(float)
    return np.column_stack([np.bincount(at, weights=column, minlength=number) for column in values.T])


def cell_sums(sets: RiskSets, risk: Floats) -> tuple[Floats, Floats]:
    """Sums of risk, and of risk times covariates, by cell."""
    starts, matrix = sets.starts, sets.matrix
    cells = len(starts) - 1
    s0 = np.add.reduceat(risk, starts[:-1])
    s1 = np.empty((cells, matrix.shape[1]))
    if len(matrix) >= 32 * cells:
        for c, (a, b) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            s1[c] = risk[a:b] @ matrix[a:b]
    else:
        # many small cells: chunks of whole cells
        bounds = [0, *np.unique(np.searchsorted(starts[:-1], np.arange(CHUNK, len(matrix), CHUNK))).tolist(), cells]
        for c, d in pairwise(bounds):
            if c < d:
                a, b = starts[c], starts[d]
                s1[c:d] = np.add.reduceat(matrix[a:b] * risk[a:b, None], starts[c:d] - a, axis=0)
    return s0, s1


def at_risk_sums(sets: RiskSets, values: Floats) -> tuple[Floats, Floats]:
    """From cells to event times: sums over those at risk, and over those with the event."""
    number = len(sets.key)
    counted = sets.first <= sets.last
    part, last = values[counted], sets.last[counted]
    total = reversed_sums(binned(part, last, number), sets.stratum_starts)
    if sets.late:
        entering = binned(part, sets.first[counted], number)
        total -= reversed_sums(entering, sets.stratum_starts) - entering
    if sets.after is not None and sets.tail is not None:
        weights = sets.after if values.ndim == 1 else sets.after[:, None]
        tail = sets.tail if values.ndim == 1 else sets.tail[:, None]
        # a competing event before the first event time stays at risk from that time on
        stays = np.cumsum(binned(values * weights, sets.last + 1, number + 1), axis=0)[:-1]
        total += tail * stays
    mine = (sets.own > 0) & counted
    return total, binned(values[mine], sets.last[mine], number)


def draws(sets: RiskSets, s0: Floats, d0: Floats) -> tuple[Floats, ...]:
    """Sums over the tied events of 1/D, f/D, 1/D2, f/D2, f2/D2 and log D, where D = S0 - f d0 is each one's denominator."""
    m = sets.tied
    if sets.ties == "breslow":
        zero = np.zeros(len(m))
        number = m.astype(float)
        return number / s0, zero, number / s0**2, zero, zero, number * np.log(s0)
    out = [np.empty(len(m)) for _ in range(6)]
    # chunks of whole event times, about a million events at once
    ends = np.cumsum(m)
    bounds = np.unique([0, *np.searchsorted(ends, np.arange(1 << 20, int(ends[-1]), 1 << 20)).tolist(), len(m)])
    for a, b in pairwise(bounds):
        part = m[a:b]
        begin = np.cumsum(part) - part
        f = (np.arange(int(part.sum())) - np.repeat(begin, part)) / np.repeat(part, part)
        left = np.repeat(s0[a:b], part) - f * np.repeat(d0[a:b], part)
        one = 1 / left
        for place, values in enumerate((one, f * one, one * one, f * one * one, (f * one) ** 2, np.log(left))):
            out[place][a:b] = np.add.reduceat(values, begin)
    return tuple(out)


def _sums(sets: RiskSets, beta: Floats) -> Sums:
    linear = sets.matrix @ beta
    # on one array: temporaries of a million rows cost more than the arithmetic
    risk = np.exp(np.clip(linear, -600, 600, out=linear), out=linear)
    risk *= sets.weight
    c0, c1 = cell_sums(sets, risk)
    s0, d0 = at_risk_sums(sets, c0)
    s1, d1 = at_risk_sums(sets, c1)
    a1, b1, a2, b2, c2, logs = draws(sets, s0, d0)
    share = sets.mass / sets.tied
    hazard, drawn = share * a1, share * b1
    mean_sum = hazard[:, None] * s1 - drawn[:, None] * d1
    pull = share[:, None] * (a2[:, None] * s1 - b2[:, None] * d1)
    pull_drawn = share[:, None] * (b2[:, None] * s1 - c2[:, None] * d1)
    exposure, pulled = exposures(sets, hazard, drawn), exposures(sets, pull, pull_drawn)
    score = sets.observed - mean_sum.sum(axis=0)
    loglik = float(sets.observed @ beta - share @ logs)
    gram = weighted_gram(sets.matrix, risk, np.repeat(exposure, np.diff(sets.starts)))
    cross = s1.T @ ((share * b2)[:, None] * d1)
    information = gram - s1.T @ ((share * a2)[:, None] * s1) + cross + cross.T - d1.T @ ((share * c2)[:, None] * d1)
    mean = mean_sum / sets.mass[:, None]
    return Sums(risk, loglik, score, information, hazard, drawn, pull, pull_drawn, mean, s0, d0, s1, d1, (a2, b2, c2),
                exposure, pulled)  # fmt: skip


def exposures(sets: RiskSets, by_time: Floats, drawn: Floats) -> Floats:
    """By cell: sums over the event times at risk, less Efron's part at one's own event."""
    wide = by_time.ndim > 1
    total = np.concatenate([np.zeros((1, *by_time.shape[1:])), np.cumsum(by_time, axis=0)])
    own = sets.own[:, None] if wide else sets.own
    counted = sets.first <= sets.last
    found = np.zeros((len(sets.first), *by_time.shape[1:]))
    last = np.maximum(sets.last, 0)
    found[counted] = (total[last + 1] - total[np.minimum(sets.first, len(sets.key))] - own * drawn[last])[counted]
    if sets.after is not None and sets.tail is not None:
        tail = sets.tail[:, None] * by_time if wide else sets.tail * by_time
        rest = np.concatenate([np.cumsum(tail[::-1], axis=0)[::-1], np.zeros((1, *by_time.shape[1:]))])
        found += (sets.after[:, None] if wide else sets.after) * rest[sets.last + 1]
    return found


def weighted_gram(matrix: Floats, risk: Floats, factor: Floats) -> Floats:
    """X' diag(risk x factor) X, a chunk of rows at a time."""
    width = matrix.shape[1]
    found = np.zeros((width, width))
    weight = risk * factor
    for a in range(0, len(matrix), CHUNK):
        part = matrix[a : a + CHUNK]
        found += (part * weight[a : a + CHUNK, None]).T @ part
    return (found + found.T) / 2
