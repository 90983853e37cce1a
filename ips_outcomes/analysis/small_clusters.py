"""Errors where clusters are few: CR2 with Satterthwaite's degrees of freedom, and the wild cluster bootstrap.

References
----------
Bell RM, McCaffrey DF. Surv Methodol 2002;28:169-181.
Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683. doi:10.1080/07350015.2016.1247004
Cameron AC, Gelbach JB, Miller DL. Rev Econ Stat 2008;90:414-427. doi:10.1162/rest.90.3.414
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.regression import Fit
from ips_outcomes.errors import UnsupportedError

__all__ = ["MOST_PATTERNS", "Wild", "cr2", "cr2_of_rows", "wild_bootstrap"]

Floats = NDArray[np.floating]

#: Up to this many clusters, every vector of signs is tried.
ALL_SIGNS = 12
#: Patterns of covariates in one cluster for which a matrix of that size is decomposed.
MOST_PATTERNS = 4000


def cr2(fit: Fit, clusters: NDArray[np.int64], contrasts: Floats, *, frequency: bool) -> tuple[Floats, Floats]:
    """Standard errors and Satterthwaite degrees of freedom of linear combinations of coefficients.

    The working model is that rows are independent with the model's variance
    (for probability weights of linear models: constant variance), as in R's
    clubSandwich. People of one cluster who share all covariates are folded
    into one row, which changes nothing in the answer and takes frequencies in
    their stride.

    Parameters
    ----------
    fit : Fit
    clusters : array of int
        Number of the cluster of every row.
    contrasts : array
        One row a combination, such as the gradient of a standardised risk.
    frequency : bool
        Whether the weights of the fit are numbers of people.

    Returns
    -------
    tuple of arrays
        Standard errors, degrees of freedom.

    Examples
    --------
    >>> from ips_outcomes.analysis.regression import fit_model
    >>> x = np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1]])
    >>> fit = fit_model(np.array([1.0, 2, 3, 5, 2, 2]), x, np.ones(6), "linear")
    >>> error, degrees = cr2(fit, np.array([0, 0, 1, 1, 2, 2]), np.array([[0.0, 1.0]]), frequency=True)
    >>> error.round(6).tolist(), degrees.round(6).tolist()
    ([0.57735], [2.0])
    """
    return cr2_of_rows(*_folded(fit, clusters, frequency), contrasts)


def cr2_of_rows(
    u: Floats, work: Floats, target: Floats, residual: Floats, codes: NDArray[np.int64], contrasts: Floats
) -> tuple[Floats, Floats]:
    """`cr2` of rows that are folded already.

    Parameters
    ----------
    u, residual : array
        Design and residuals, times the root of how many people the row stands for.
    work, target : array
        Weight of each person in the fit, and variance under the working model.
    codes : array of int
        Cluster of each row.
    contrasts : array
        One row a combination of coefficients.
    """
    bread = np.linalg.inv(u.T @ (work[:, None] * u))
    towards = bread @ np.atleast_2d(contrasts).T
    middle = u.T @ ((work**2 * target)[:, None] * u)
    core = bread @ middle @ bread
    plain = bool(np.ptp(work) == 0 and np.ptp(target) == 0 and work[0] * target[0] == 1)
    squares, diagonals, us, vs = [], [], [], []
    for rows in _members(codes):
        ug, wg, tg = u[rows], work[rows], target[rows]
        weighted = wg[:, None] * (ug @ towards)
        adjusted = _plain(ug * np.sqrt(wg)[:, None], bread, weighted) if plain else _general(ug, wg, tg, bread, core, weighted)
        squares.append((adjusted.T @ residual[rows]) ** 2)
        diagonals.append((adjusted**2 * tg[:, None]).sum(axis=0))
        us.append(ug.T @ adjusted)
        vs.append(ug.T @ ((wg * tg)[:, None] * adjusted))
    error = np.sqrt(np.sum(squares, axis=0))
    return error, _satterthwaite(np.array(diagonals), np.array(us), np.array(vs), bread, core)


def _satterthwaite(diagonals: Floats, us: Floats, vs: Floats, bread: Floats, core: Floats) -> Floats:
    """Degrees of freedom that match mean and variance of the variance estimator under the working model."""
    degrees = []
    for k in range(diagonals.shape[1]):
        u, v = us[:, :, k], vs[:, :, k]
        cross = u @ bread @ v.T
        p = np.diag(diagonals[:, k]) - cross - cross.T + u @ core @ u.T
        spread = float((p**2).sum())
        degrees.append(float(np.trace(p)) ** 2 / spread if spread > 0 else np.nan)
    return np.array(degrees)


def _folded(fit: Fit, clusters: NDArray[np.int64], frequency: bool) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.int64]]:
    """Rows of one cluster that differ in the outcome only, as one row scaled by the root of their number."""
    copies = fit.weight if frequency else np.ones(len(fit.y))
    prior = np.ones(len(fit.y)) if frequency else fit.weight
    key = np.column_stack([clusters, prior, fit.design])
    # many times faster than numpy's unique rows
    place = pd.DataFrame(key).groupby(list(range(key.shape[1])), sort=False).ngroup().to_numpy()
    first = np.unique(place, return_index=True)[1]
    root = np.sqrt(np.bincount(place, weights=copies))
    residual = np.bincount(place, weights=copies * (fit.y - fit.mean)) / root
    slope, variance, prior = fit.slope[first], fit.variance[first], prior[first]
    target = np.ones_like(variance) if fit.model == "linear" else variance / prior
    return (root * slope)[:, None] * fit.design[first], prior / variance, target, residual, clusters[first]


def _members(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(codes, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(codes[order])) + 1))


def _plain(u: Floats, bread: Floats, weighted: Floats) -> Floats:
    """Inverse root of I - U M U' times something, by way of matrices as small as the number of coefficients."""
    left, singular, _ = np.linalg.svd(u @ np.linalg.cholesky(bread), full_matrices=False)
    rest = 1 - np.minimum(singular, 1.0) ** 2
    # where a cluster decides a coefficient alone, nothing is left over: the pseudo-inverse adds nothing
    scale = np.where(rest > 1e-12, 1 / np.sqrt(np.maximum(rest, 1e-12)), 0.0)
    return weighted + left @ ((scale - 1)[:, None] * (left.T @ weighted))


def _general(u: Floats, work: Floats, target: Floats, bread: Floats, core: Floats, weighted: Floats) -> Floats:
    if len(u) > MOST_PATTERNS:
        raise UnsupportedError(
            f"a cluster holds {len(u)} different patterns of covariates, more than {MOST_PATTERNS}: round numbers in adjust= "
            "or group them, so that people share patterns"
        )
    root = np.sqrt(target)
    hat = (u @ bread @ u.T) * (work * target)[None, :]
    inner = root[:, None] * (np.diag(target) - hat - hat.T + u @ core @ u.T) * root[None, :]
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    known = values > 1e-12
    scale = np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    return root[:, None] * (vectors @ (scale[:, None] * (vectors.T @ (root[:, None] * weighted))))


class Wild(NamedTuple):
    """What the wild cluster bootstrap finds for one coefficient."""

    std_error: float
    p_value: float
    conf_low: float
    conf_high: float


def wild_bootstrap(fit: Fit, clusters: NDArray[np.int64], position: int, *, replicates: int = 9999, seed: int = 1) -> Wild:
    """Wild cluster bootstrap-t of one coefficient of a linear model, null imposed, with random signs by cluster.

    Up to 12 clusters every vector of signs is tried and nothing is random.
    The interval holds the values that the test does not reject at 5 %; it is
    open where the test can never reject (fewer than 6 clusters).

    Parameters
    ----------
    fit : Fit
        A linear model.
    clusters : array of int
    position : int
        Which coefficient.
    replicates : int
        Vectors of signs from 13 clusters on, the one that leaves all as it is included.
    seed : int

    Returns
    -------
    Wild
        Error of the plain sandwich (with its small-sample factor), p, limits.

    Examples
    --------
    >>> from ips_outcomes.analysis.regression import fit_model
    >>> x = np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1]])
    >>> fit = fit_model(np.array([1.0, 2, 3, 5, 2, 2]), x, np.ones(6), "linear")
    >>> round(wild_bootstrap(fit, np.array([0, 0, 1, 1, 2, 2]), 1).p_value, 4)
    0.5
    """
    number = int(clusters.max()) + 1
    if number <= ALL_SIGNS:
        signs = 1.0 - 2.0 * ((np.arange(2**number)[:, None] >> np.arange(number)) & 1)
    else:
        rng = np.random.default_rng(seed)
        signs = np.vstack([np.ones(number), 1.0 - 2.0 * rng.integers(0, 2, (max(replicates - 1, 1), number))])
    root = np.sqrt(fit.weight)
    x, y = fit.design * root[:, None], fit.y * root
    others = np.delete(x, position, axis=1)

    def without(values: Floats) -> Floats:
        return values - others @ np.linalg.lstsq(others, values, rcond=None)[0] if others.shape[1] else values

    own = without(x[:, position])
    size = float(own @ own)
    # residuals where the coefficient is held at b: start - b * own
    start = without(y)
    bread = np.linalg.inv(x.T @ x)

    def by_cluster(values: Floats) -> Floats:
        return np.column_stack([np.bincount(clusters, weights=v, minlength=number) for v in np.atleast_2d(values.T)])

    through = by_cluster(own[:, None] * x) @ bread
    parts = [(by_cluster((own * r)[:, None])[:, 0], by_cluster(r[:, None] * x)) for r in (start, own)]
    scores = [np.diag(direct) - through @ part.T for direct, part in parts]
    direct = [signs @ part[0] / size for part in parts]
    estimate = float(fit.coefficients[position])

    def p_value(value: float) -> float:
        shift = direct[0] - value * direct[1]
        spread = np.sqrt((((scores[0] - value * scores[1]) @ signs.T) ** 2).sum(axis=0)) / size
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(np.where(spread > 0, shift / spread, 0.0))
        # the first vector of signs leaves the data as they are; equal statistics differ in their last bits
        return float((t >= t[0] * (1 - 1e-10)).mean())

    people = float(fit.weight.sum())
    factor = number / (number - 1) * (people - 1) / (people - x.shape[1])
    spread = float(np.sqrt(factor * ((scores[0] - estimate * scores[1]).sum(axis=1) ** 2).sum())) / size
    ends = [_end(p_value, estimate, side * spread) for side in (-1.0, 1.0)]
    return Wild(spread, p_value(0.0), ends[0], ends[1])


def _end(p_value, estimate: float, step: float) -> float:  # type: ignore[no-untyped-def]
    """The last value to one side that is not rejected; empty where none is ever rejected."""
    if not abs(step) > 0:
        return float("nan")
    far = step
    for _ in range(40):
        if p_value(estimate + far) <= 0.05:
            break
        far *= 2
    else:
        return float("nan")
    kept = 0.0
    for _ in range(60):
        middle = (kept + far) / 2
        if p_value(estimate + middle) <= 0.05:
            far = middle
        else:
            kept = middle
    return estimate + (kept + far) / 2
