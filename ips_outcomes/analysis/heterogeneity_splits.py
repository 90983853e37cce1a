"""What one split tells about who is helped, and what many splits tell together.

In each fold people are ranked by a prediction that has not seen them, and their scores are looked at in that order. Folds are
averaged by their size; splits by their median.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.limits import Z95, normal_p

__all__ = ["Answer", "Curve", "Told", "calibration", "curve", "groups_of", "means_by_group", "over_splits", "quantile"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """Numbers of one split.

    ``one_sided`` marks those whose p asks only whether they are above 0.
    """

    estimate: Floats
    std_error: Floats
    one_sided: NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """Numbers of all splits together."""

    estimate: Floats
    std_error: Floats
    low: Floats
    high: Floats
    p_value: Floats


def quantile(splits: int) -> float:
    """How many errors to either side an interval of one split goes, so that the median of many holds 95 %.

    Examples
    --------
    >>> round(quantile(1), 2), round(quantile(20), 2)
    (1.96, 2.24)
    """
    return Z95 if splits == 1 else float(special.ndtri(1 - 0.05 / 4))


def over_splits(answers: Sequence[Answer], reach: Floats | float | None = None) -> Told:
    """Medians over splits: estimates, errors, limits of 97.5 % intervals, and twice the median p.

    A split in which nothing varies tells nothing: its interval has no ends and its p is 1.

    Parameters
    ----------
    answers : sequence of Answer
    reach : array, optional
        Of each split, how many errors the limits go to either side, where they are those of a band.

    References
    ----------
    Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. NBER Working Paper 24678, 2018, section 3. doi:10.3386/w24678

    Examples
    --------
    >>> one = Answer(np.array([1.0]), np.array([0.5]), np.array([False]))
    >>> found = over_splits([one])
    >>> found.low.round(2).tolist(), found.p_value.round(4).tolist()
    ([0.02], [0.0455])
    >>> over_splits([one] * 3).p_value.round(3).tolist()
    [0.091]
    """
    estimate, error = np.array([a.estimate for a in answers]), np.array([a.std_error for a in answers])
    known = np.isfinite(estimate) & (error > 0)
    safe = np.where(known, error, 1.0)
    z = np.where(known, estimate, 0.0) / safe
    p = np.where(answers[0].one_sided, special.ndtr(-z), normal_p(z))
    p = np.median(np.where(known, p, 1.0), axis=0)
    half = np.broadcast_to(quantile(len(answers)) if reach is None else reach, len(answers))[:, None] * safe
    low = np.median(np.where(known, np.where(known, estimate, 0.0) - half, -np.inf), axis=0)
    high = np.median(np.where(known, np.where(known, estimate, 0.0) + half, np.inf), axis=0)
    ends = np.isfinite(low) & np.isfinite(high)
    # the median of nothing is nothing, without a word of warning
    middle = np.array([np.median(e[np.isfinite(e)]) if np.isfinite(e).any() else np.nan for e in estimate.T])
    spread = np.array([np.median(e[k]) if k.any() else np.nan for e, k in zip(error.T, known.T, strict=True)])
    times = 1 if len(answers) == 1 else 2
    return Told(middle, np.where(ends, spread, np.nan), np.where(ends, low, np.nan), np.where(ends, high, np.nan),
                np.minimum(times * p, 1.0))  # fmt: skip


def _judged(prediction: Floats) -> NDArray[np.bool_]:
    """People whose effect was predicted by folds before theirs."""
    return np.isfinite(prediction)


def calibration(score: Floats, prediction: Floats, fold: Ints) -> Answer:
    """Best linear predictor of the effect: scores on predictions, centred in each fold, with HC3 errors.

    Returns
    -------
    Answer
        The mean effect; and the slope, which is 0 where predictions tell
        nothing and 1 where they are right, tested against 0 from above.

    Examples
    --------
    >>> found = calibration(np.array([1.0, 3.0, 2.0, 6.0]), np.array([0.0, 2.0, 0.0, 2.0]), np.zeros(4, dtype=int))
    >>> found.estimate.tolist()
    [3.0, 1.5]
    """
    rows = _judged(prediction)
    psi, x, own = score[rows], prediction[rows].copy(), fold[rows]
    people = np.bincount(own)
    x -= (np.bincount(own, weights=x) / np.maximum(people, 1))[own]
    # what rounding leaves of one prediction for all is no difference
    x[np.abs(x) <= 1e-12 * np.abs(prediction[rows]).max()] = 0.0
    number, size = len(psi), float(x @ x)
    mean = float(psi.mean())
    slope = float(x @ psi) / size if size > 0 else np.nan
    leverage = 1 / number + (x**2 / size if size > 0 else 0.0)
    residual = (psi - mean - (slope * x if size > 0 else 0.0)) / np.maximum(1 - leverage, 1e-12)
    error = np.sqrt((residual**2).sum()) / number
    of_slope = np.sqrt(((x * residual) ** 2).sum()) / size if size > 0 else np.nan
    return Answer(np.array([mean, slope]), np.array([error, of_slope]), np.array([False, True]))


def groups_of(prediction: Floats, fold: Ints, lot: Floats, number: int) -> Ints:
    """Group of each person within the fold by predicted effect, 0 the smallest; ties by lot; -1 in the first fold.

    Examples
    --------
    >>> groups_of(np.array([np.nan, 3.0, 1.0, 2.0, 4.0]), np.array([0, 1, 1, 1, 1]), np.zeros(5), 2).tolist()
    [-1, 1, 0, 0, 1]
    """
    found = np.full(len(fold), -1, dtype=np.int64)
    for k in np.unique(fold[_judged(prediction)]):
        rows = np.flatnonzero((fold == k) & _judged(prediction))
        order = rows[np.lexsort((lot[rows], prediction[rows]))]
        found[order] = np.arange(len(rows)) * number // len(rows)
    return found


def means_by_group(values: Floats, fold: Ints, group: Ints, number: int) -> Answer:
    """Mean of each group, and largest group minus smallest: averages over folds of what each fold's people say.

    Missing values are left out; a group of fewer than two in a fold has no error.

    Examples
    --------
    >>> found = means_by_group(np.array([1.0, 3.0, 2.0, 6.0]), np.zeros(4, dtype=int), np.array([0, 0, 1, 1]), 2)
    >>> found.estimate.tolist(), found.std_error.round(3).tolist()
    ([2.0, 4.0, 2.0], [1.0, 2.0, 2.236])
    """
    rows = (group >= 0) & np.isfinite(values)
    folds = np.unique(fold[group >= 0])
    share = np.array([((fold == k) & (group >= 0)).sum() for k in folds]) / (group >= 0).sum()
    cell = np.searchsorted(folds, fold[rows]) * number + group[rows]
    size = np.bincount(cell, minlength=len(folds) * number)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell, weights=values[rows], minlength=len(size)) / size
        square = np.bincount(cell, weights=(values[rows] - mean[cell]) ** 2, minlength=len(size))
        variance = np.where(size > 1, square / (size - 1) / size, np.nan)
    mean, variance = mean.reshape(len(folds), number), variance.reshape(len(folds), number)
    estimate, spread = share @ mean, share**2 @ variance
    return Answer(np.append(estimate, estimate[-1] - estimate[0]), np.sqrt(np.append(spread, spread[-1] + spread[0])),
                  np.zeros(number + 1, dtype=bool))  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """Targeting by predicted effect in one split.

    ``targeting`` and ``gain`` by share, ``areas`` (AUTOC, Qini coefficient); ``targeting_reach`` and ``gain_reach`` are
    how many errors a band goes to either side.
    """

    targeting: Answer
    gain: Answer
    areas: Answer
    targeting_reach: float
    gain_reach: float


def _numbers(score: Floats, prediction: Floats, weights: Floats, shares: Floats) -> Floats:
    """Targeting by share, gain by share, AUTOC and Qini coefficient: one row a row of weights."""
    order = np.argsort(-prediction, kind="stable")
    psi, sorted_by = score[order], prediction[order]
    near = 1e-12 * float(np.abs(sorted_by).max())
    starts = np.flatnonzero(np.append(True, np.diff(sorted_by) < -near))
    own = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(psi))))
    weights = weights[:, order]
    if len(starts) == len(psi):
        gained = weights * psi
    else:
        # people of one prediction come in no order: each counts as their mean
        sums = np.add.reduceat(weights * psi, starts, axis=1) / np.add.reduceat(weights, starts, axis=1)
        gained = weights * sums[:, own]
    total = weights.sum(axis=1, keepdims=True)
    reached, summed = np.cumsum(weights, axis=1) / total, np.cumsum(gained, axis=1) / total
    everybody = summed[:, -1:]
    # mean effect among the first people minus that of all
    above = summed / reached - everybody
    autoc = (weights * above).sum(axis=1) / total[:, 0]
    qini = (weights * reached * above).sum(axis=1) / total[:, 0]
    reached, summed = (np.column_stack([np.zeros(len(total)), part]) for part in (reached, summed))
    # all rows are searched at once: each starts two further up
    above_all = 2.0 * np.arange(len(total))[:, None]
    place = np.searchsorted((reached + above_all).ravel(), (shares + above_all).ravel()).reshape(len(total), -1)
    place = np.clip(place - above_all.astype(np.int64) // 2 * reached.shape[1], 1, reached.shape[1] - 1)
    (x0, x1), (y0, y1) = ([np.take_along_axis(part, at, axis=1) for at in (place - 1, place)] for part in (reached, summed))
    gain = y0 + (shares - x0) / (x1 - x0) * (y1 - y0)
    return np.column_stack([gain / shares - everybody, gain, autoc, qini])


def curve(
    score: Floats, prediction: Floats, fold: Ints, shares: Floats, multipliers: Iterable[Floats], level: float = 0.95
) -> Curve:  # fmt: skip
    """Targeting curve of one split, folds averaged, with errors and bands from the multiplier bootstrap.

    Every person's score counts as often as a random number of mean 1 and
    variance 1 says, ranks included.

    Parameters
    ----------
    score, prediction : array
        Predictions are missing for people who are not judged.
    fold : array of int
    shares : array
        Shares treated, above 0 and at most 1.
    multipliers : iterable of arrays, draws x people
        Some draws at a time.
    level : float
        Of the band.

    References
    ----------
    Yadlowsky S, Fleming S, Shah N, Brunskill E, Wager S. Evaluating treatment prioritization rules via rank-weighted average
    treatment effects. J Am Stat Assoc 2025;120:38-51. doi:10.1080/01621459.2024.2393466

    Examples
    --------
    >>> found = curve(np.array([4.0, 2.0, 0.0, 2.0]), np.array([3.0, 2.0, 1.0, 0.0]), np.zeros(4, dtype=int), np.array([0.5, 1.0]),
    ...               [np.ones((2, 4))])
    >>> found.targeting.estimate.tolist(), found.gain.estimate.tolist(), found.areas.estimate.tolist()
    ([1.0, 0.0], [1.5, 2.0], [0.75, 0.25])
    """
    judged, number = _judged(prediction), 2 * len(shares) + 2
    folds = [np.flatnonzero(judged & (fold == k)) for k in np.unique(fold[judged])]
    parts = [len(rows) / judged.sum() for rows in folds]
    own = [_numbers(score[rows], prediction[rows], np.ones((1, len(rows))), shares)[0] for rows in folds]
    estimate = np.asarray(sum(part * found for part, found in zip(parts, own, strict=True)))
    moved = []
    for some in multipliers:
        now = np.zeros((len(some), number))
        for rows, part, found in zip(folds, parts, own, strict=True):
            # with one score fewer than there are: a variance over n - 1
            size = part * np.sqrt(len(rows) / (len(rows) - 1))
            now += size * (_numbers(score[rows], prediction[rows], some[:, rows], shares) - found)
        moved.append(now)
    drawn = np.concatenate(moved)
    error = drawn.std(axis=0)
    error[error <= 1e-12 * max(float(np.abs(score[judged]).max()), 1e-300)] = 0.0
    width = len(shares)
    pieces = [slice(0, width), slice(width, 2 * width), slice(2 * width, number)]
    answers = [Answer(estimate[p], error[p], np.zeros(len(error[p]), dtype=bool)) for p in pieces]
    reach = [_reach(drawn[:, p], error[p], level) for p in pieces[:2]]
    return Curve(answers[0], answers[1], answers[2], reach[0], reach[1])


def _reach(drawn: Floats, error: Floats, level: float) -> float:
    """How many errors wide a band is that holds at all shares at once; never narrower than at one share."""
    moves = error > 0
    alone = float(special.ndtri((1 + level) / 2))
    if not moves.any():
        return alone
    return max(alone, float(np.quantile(np.abs(drawn[:, moves] / error[moves]).max(axis=1), level)))
