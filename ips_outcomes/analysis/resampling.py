"""Resampling without loops: draws as a matrix of counts times a matrix of what each unit adds, one product.

A bootstrap replicate says how often each unit (a person or a cluster) was drawn; a permutation says which units went to the
arm. Both are rows of whole numbers. Whatever is computed from sums over people (rates by month, events and numbers at risk)
then follows for all replicates from one matrix product, in chunks of bounded memory, with the same bytes whatever their size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.errors import UnsupportedError

__all__ = [
    "IntervalKind",
    "Units",
    "acceleration",
    "bootstrap_interval",
    "chunks",
    "in_blocks",
    "permuted_sums",
    "resampled_sums",
]

Floats = NDArray[np.float64]
IntervalKind = Literal["percentile", "basic", "normal", "studentised", "bca"]

KINDS = ("percentile", "basic", "normal", "studentised", "bca")
#: Numbers that a block of rows may hold (32 MB of doubles), however wide a row is.
CELLS = 4_000_000
#: Numbers that a chunk holds where rows are narrow: few enough to stay in the processor's own memory.
NEAR = 100_000
#: Multiplications in one product that OpenBLAS leaves to a single thread.
UNTHREADED = 262_144
#: Whole numbers up to here are exact in single precision, which multiplies twice as fast.
EXACT_SINGLE = 2.0**24

REFERENCES = (
    "Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall 1993. doi:10.1201/9780429246593",
    "Davison AC, Hinkley DV. Bootstrap Methods and their Application. Cambridge University Press 1997. "
    "doi:10.1017/CBO9780511802843",
)


def _block(width: int, columns: int | None = None) -> int:
    """Rows multiplied at a time, a power of two: a question of the data alone, never of how much memory was allowed.

    Small products are kept below the size where OpenBLAS starts threads:
    waiting for them costs more than the product.
    """
    widest = 1 << (int(np.clip(CELLS // max(width, 1), 1, 256)).bit_length() - 1)
    alone = UNTHREADED // max(width * columns, 1) if columns else 0
    return min(widest, 1 << (alone.bit_length() - 1)) if alone >= 8 else widest


def chunks(rows: int, width: int, chunk: int | None = None, held: int | None = None) -> Iterator[int]:
    """Sizes of chunks that add up to ``rows``; all but the last are whole blocks.

    ``held`` is how many numbers a row holds at its widest, where that is not ``width``.

    Examples
    --------
    >>> list(chunks(600, 10, chunk=300))
    [512, 88]
    """
    block = _block(width)
    wanted = max(NEAR // max(held or width, 1), 1) if chunk is None else chunk
    step = -(-wanted // block) * block
    for start in range(0, rows, step):
        yield min(step, rows - start)


def in_blocks(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """A matrix product made of products of one size, so that the last digit of a row never depends on how many rows there are.

    Examples
    --------
    >>> in_blocks(np.ones((3, 2)), np.array([[1.0], [2.0]])).tolist()
    [[3.0], [3.0], [3.0]]
    """
    rows, width = left.shape
    block = _block(width, right.shape[1])
    if rows % block:
        padded = np.zeros((-(-rows // block) * block, width), dtype=left.dtype)
        padded[:rows] = left
        left = padded
    product: NDArray[Any] = np.matmul(left.reshape(-1, block, width), np.ascontiguousarray(right))
    return product.reshape(-1, right.shape[1])[:rows]


@dataclass(frozen=True)
class Units:
    """What is drawn: people or clusters, those that are equal as one row.

    Attributes
    ----------
    block : array of int
        Draws stay within a block: arm and stratum.
    count : array of float
        How many units the row stands for.
    sums : array, rows x quantities
        What one such unit adds to each quantity.
    """

    block: NDArray[np.int64]
    count: Floats
    sums: Floats

    def parts(self) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Counts and sums of each block, in the order of their numbers."""
        for name in np.unique(self.block):
            inside = self.block == name
            yield self.count[inside].astype(np.int64), self.sums[inside]


def _added(draw: Any, count: NDArray[np.int64], sums: Floats, times: float, total: Floats, chunk: int | None) -> None:
    """Draw counts of one block chunk by chunk and add what they amount to; columns equal for every unit need no product."""
    varies = (sums != sums[:1]).any(axis=0)
    total += times * np.where(varies, 0.0, sums[0])
    columns = np.flatnonzero(varies)
    if not len(columns):
        return
    right = sums[:, columns]
    whole = bool((right == np.floor(right)).all()) and float(np.abs(right).max()) * float(count.sum()) < EXACT_SINGLE
    kind: Any = np.float32 if whole else np.float64
    right, done = right.astype(kind), 0
    # an arm's columns stand beside one another: added in place, without a copy
    where: Any = slice(int(columns[0]), int(columns[-1]) + 1) if columns[-1] - columns[0] + 1 == len(columns) else columns
    for rows in chunks(len(total), len(count), chunk, held=max(int(min(count.sum(), 8 * len(count))), len(count))):
        total[done : done + rows, where] += in_blocks(draw(rows).astype(kind), right)
        done += rows


def resampled_sums(units: Units, replicates: int, seed: int, chunk: int | None = None) -> Floats:
    """Sums over units drawn with replacement within their block, a row a replicate.

    Parameters
    ----------
    units : Units
    replicates : int
    seed : int
        Every block has a stream of its own, spawned from the seed.
    chunk : int, optional
        Replicates at a time; the answer has the same bytes whatever it is.

    Returns
    -------
    array, replicates x quantities

    Examples
    --------
    >>> two = Units(np.array([0, 0]), np.array([1.0, 3.0]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> resampled_sums(two, 3, seed=1)[:, 0].tolist()
    [4.0, 4.0, 4.0]
    """
    total = np.zeros((replicates, units.sums.shape[1]))
    parts = list(units.parts())
    for (count, sums), stream in zip(parts, np.random.SeedSequence(seed).spawn(len(parts)), strict=True):
        rng, number, kinds = np.random.default_rng(stream), int(count.sum()), len(count)
        whose = np.repeat(np.arange(kinds), count)

        def draw(rows: int, rng: Any = rng, count: Any = count, number: int = number, whose: Any = whose) -> NDArray[np.int64]:
            if number > 8 * len(count):
                return np.asarray(rng.multinomial(number, count / number, rows))
            drawn = rng.integers(0, number, (rows, number))
            if number > len(count):
                drawn = whose[drawn]
            drawn += len(count) * np.arange(rows)[:, None]
            return np.bincount(drawn.ravel(), minlength=rows * len(count)).reshape(rows, len(count))

        _added(draw, count, sums, number, total, chunk)
    return total


def permuted_sums(units: Units, chosen: NDArray[np.int64], replicates: int, seed: int, chunk: int | None = None) -> Floats:
    """Sums over units chosen without replacement: as many of each block as went to the arm, a row a permutation.

    Parameters
    ----------
    units : Units
    chosen : array of int
        Units that went to the arm, a number for each block in the order of the blocks.
    replicates, seed, chunk : int
        As in `resampled_sums`.

    Examples
    --------
    >>> two = Units(np.array([0, 0]), np.array([1.0, 3.0]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> sorted(set(permuted_sums(two, np.array([2]), 50, seed=1)[:, 1].tolist()))
    [1.0, 2.0]
    """
    total = np.zeros((replicates, units.sums.shape[1]))
    parts = list(units.parts())
    streams = np.random.SeedSequence(seed).spawn(len(parts))
    for (count, sums), stream, taken in zip(parts, streams, chosen.tolist(), strict=True):
        rng, number = np.random.default_rng(stream), int(count.sum())
        labels = (np.arange(number) < taken).astype(np.int16)
        starts = np.concatenate([[0], np.cumsum(count)[:-1]])

        def draw(
            rows: int, rng: Any = rng, count: Any = count, labels: Any = labels, starts: Any = starts, taken: int = taken
        ) -> NDArray[Any]:
            if len(labels) > 8 * len(count):
                return np.asarray(rng.multivariate_hypergeometric(count, taken, rows, method="marginals"))
            shuffled = rng.permuted(np.broadcast_to(labels, (rows, len(labels))), axis=1)
            return shuffled if len(labels) == len(count) else np.add.reduceat(shuffled, starts, axis=1)

        _added(draw, count, sums, taken, total, chunk)
    return total


def acceleration(influence: Floats, count: Floats, block: NDArray[np.int64]) -> Floats:
    """Acceleration of the BCa interval, by column, from influence functions centred within blocks.

    Examples
    --------
    >>> float(acceleration(np.array([[-1.0], [1.0]]), np.ones(2), np.zeros(2, dtype=int))[0])
    0.0
    """
    size = np.bincount(block, weights=count)
    centre = np.stack([np.bincount(block, weights=count * column, minlength=len(size)) for column in influence.T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = influence - (centre / size[:, None])[block]
        return np.asarray((count @ centred**3) / (6 * (count @ centred**2) ** 1.5), dtype=np.float64)


def _quantiles(ordered: Floats, alpha: Floats) -> Floats:
    """Quantiles of sorted rows, interpolated on the normal scale as R's boot does; extremes stand for what lies beyond."""
    number = ordered.shape[1]
    rank = (number + 1) * alpha
    below = np.clip(np.trunc(np.nan_to_num(rank)), 0, number).astype(np.int64)
    inner = np.clip(below, 1, number - 1) if number > 1 else np.ones_like(below)
    low = np.take_along_axis(ordered, inner - 1, axis=1)
    high = np.take_along_axis(ordered, np.minimum(inner, number - 1), axis=1)
    z, z0, z1 = special.ndtri(alpha), special.ndtri(inner / (number + 1)), special.ndtri((inner + 1) / (number + 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(z1 > z0, low + (z - z0) / (z1 - z0) * (high - low), low)
    answer = np.where(below <= 0, ordered[:, :1], np.where(below >= number, ordered[:, -1:], between))
    return np.where(np.isnan(alpha), np.nan, answer)


def bootstrap_interval(
    replicates: Floats, estimate: Floats, kind: IntervalKind = "percentile", *, std_error: Floats | None = None,
    replicate_errors: Floats | None = None, accelerated: Floats | None = None, level: float = 0.95,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Bootstrap confidence limits, equal to `boot.ci` of R's boot given the same replicates.

    Parameters
    ----------
    replicates : array, replicates x quantities
        Replicates that are not finite are left out, quantity by quantity.
    estimate : array
        One a quantity, from the data.
    kind : {"percentile", "basic", "normal", "studentised", "bca"}
    std_error, replicate_errors : array, optional
        For ``"studentised"``: error of the estimate and of every replicate.
    accelerated : array, optional
        For ``"bca"``: from `acceleration`.
    level : float

    Returns
    -------
    tuple of arrays
        Lower and upper limits; empty where there are fewer than two finite
        replicates, or where all replicates lie on one side of the estimate
        (``"bca"``).

    Raises
    ------
    UnsupportedError
        For an unknown kind, and where what a kind needs is not given.

    References
    ----------
    Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall
    1993. Davison AC, Hinkley DV. Bootstrap Methods and their Application.
    Cambridge University Press 1997, chapter 5.

    Examples
    --------
    >>> draws = np.arange(1.0, 1000.0)[:, None]
    >>> low, high = bootstrap_interval(draws, np.array([500.0]), "percentile")
    >>> float(low[0].round(6)), float(high[0].round(6))
    (25.0, 975.0)
    """
    if kind not in KINDS:
        raise UnsupportedError(f"interval is one of: {', '.join(KINDS)}")
    if kind == "studentised" and (std_error is None or replicate_errors is None):
        raise UnsupportedError("a studentised interval needs the error of the estimate and of every replicate")
    if kind == "bca" and accelerated is None:
        raise UnsupportedError("a BCa interval needs the acceleration, from the influence of each unit")
    low, high = np.full(len(estimate), np.nan), np.full(len(estimate), np.nan)
    if kind == "studentised" and std_error is not None and replicate_errors is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            replicates = (replicates - estimate) / replicate_errors
    finite = np.isfinite(replicates)
    # quantities with the same number of finite replicates are answered together: nearly always all of them
    numbers = finite.sum(axis=0)
    for number in np.unique(numbers[numbers > 1]):
        some = np.flatnonzero(numbers == number)
        t0 = estimate[some]
        if number == len(replicates) and len(some) == replicates.shape[1]:
            ordered = np.sort(replicates.T, axis=1)
        else:
            ordered = np.sort(np.where(finite[:, some], replicates[:, some], np.inf).T, axis=1)[:, :number]
        ends = np.broadcast_to(np.array([(1 - level) / 2, (1 + level) / 2]), (len(some), 2))
        if kind == "normal":
            centre, half = 2 * t0 - ordered.mean(axis=1), ordered.std(axis=1, ddof=1) * special.ndtri((1 + level) / 2)
            low[some], high[some] = centre - half, centre + half
            continue
        if kind == "bca" and accelerated is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                bias = special.ndtri((ordered < t0[:, None]).mean(axis=1))[:, None]
                bias = np.where(np.isfinite(bias), bias, np.nan)
                moved = bias + special.ndtri(ends)
                ends = special.ndtr(bias + moved / (1 - accelerated[some][:, None] * moved))
        found = _quantiles(ordered, ends)
        if kind == "basic":
            found = 2 * t0[:, None] - found[:, ::-1]
        elif kind == "studentised" and std_error is not None:
            found = (t0 - std_error[some] * found.T[::-1]).T
        low[some], high[some] = found[:, 0], found[:, 1]
    return low, high
