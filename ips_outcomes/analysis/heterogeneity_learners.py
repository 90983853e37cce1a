"""What learns who is helped: ridge regression of the outcome on arm, covariates and their products, penalties by cross-validation.

Everything that the choice of penalties needs is a sum over people, so that it is added up once for every fold and costs no more for a
million people than for a hundred.

References
----------
Hoerl AE, Kennard RW. Technometrics 1970;12:55-67. doi:10.1080/00401706.1970.10488634
le Cessie S, van Houwelingen JC. Appl Stat 1992;41:191-201. doi:10.2307/2347628
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["INNER", "Chances", "Effects", "Outcomes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Folds within the people learned from, for the choice of penalties.
INNER = 5
#: Penalties tried, in people: a coefficient is shrunken by as much as this many people of no information would.
PENALTIES = 4.0 ** np.arange(7)
#: On intercept and arm of a logistic model: next to nothing, but enough to be finite where an arm has no event.
ALMOST_NOTHING = 0.05
#: Newton's steps; a ridge has a highest point, so that far fewer are needed.
STEPS = 50


@dataclass(frozen=True)
class Effects:
    """A fitted model of the outcome.

    Attributes
    ----------
    mean : float
    arm : float
        Coefficient of the arm, coded one half and minus one half.
    main, product : array
        Coefficients of the covariates, and of the arm times the covariates.
    logistic : bool
    """

    mean: float
    arm: float
    main: Floats
    product: Floats
    logistic: bool

    def predicted(self, basis: Floats) -> tuple[Floats, Floats]:
        """Outcome under the reference and under the other arm."""
        middle, half = self.mean + basis @ self.main, (self.arm + basis @ self.product) / 2
        if self.logistic:
            return special.expit(middle - half), special.expit(middle + half)
        return middle - half, middle + half

    def effect(self, basis: Floats) -> Floats:
        """Other arm minus reference; exactly the same number for everybody where nothing tells people apart."""
        if self.logistic:
            low, high = self.predicted(basis)
            return np.asarray(high - low)
        return np.asarray(self.arm + basis @ self.product)


class _Sums:
    """Cross-products by fold and inner fold, of which those of any set of folds are a sum."""

    def __init__(self, design: Floats, y: Floats, fold: Ints, inner: Ints) -> None:
        width, folds = design.shape[1], int(fold.max()) + 1
        self.square = np.zeros((folds, INNER, width, width))
        self.product = np.zeros((folds, INNER, width))
        self.total = np.zeros((folds, INNER))
        for k in range(folds):
            for i in range(INNER):
                rows = (fold == k) & (inner == i)
                part = design[rows]
                self.square[k, i], self.product[k, i] = part.T @ part, part.T @ y[rows]
                self.total[k, i] = y[rows] @ y[rows]

    def losses(self, folds: Sequence[int], columns: slice, penalties: Floats) -> Floats:
        """Squared error in the inner fold left out, summed over inner folds; one number a row of penalties."""
        square = self.square[list(folds)].sum(axis=0)[:, columns, columns]
        product = self.product[list(folds)].sum(axis=0)[:, columns]
        total = self.total[list(folds)].sum()
        left = square.sum(axis=0) - square
        ridge = left[:, None] + penalties[None, :, :, None] * np.eye(penalties.shape[1])
        right = np.broadcast_to((product.sum(axis=0) - product)[:, None, :, None], (*ridge.shape[:3], 1))
        beta = np.linalg.solve(ridge, right)[..., 0]
        # beta' (S beta - 2 s), one number an inner fold and penalty
        moved = np.matmul(beta, square) - 2 * product[:, None, :]
        return np.asarray(total + (beta * moved).sum(axis=(0, 2)))

    def solved(self, folds: Sequence[int], columns: slice, penalty: Floats) -> Floats:
        """Coefficients learned from the folds."""
        square = self.square[list(folds)].sum(axis=(0, 1))[columns, columns]
        return np.linalg.solve(square + np.diag(penalty), self.product[list(folds)].sum(axis=(0, 1))[columns])


def _logistic(y: Floats, design: Floats, penalty: Floats) -> Floats:
    """Ridge logistic regression by Newton's method."""
    beta = np.zeros(design.shape[1])

    def loss(b: Floats) -> float:
        predictor = design @ b
        return float(np.logaddexp(0, predictor).sum() - y @ predictor + penalty @ b**2 / 2)

    now = loss(beta)
    for _ in range(STEPS):
        mean = special.expit(design @ beta)
        slope = mean * (1 - mean)
        hessian = design.T @ (slope[:, None] * design) + np.diag(penalty)
        step = np.linalg.solve(hessian, design.T @ (y - mean) - penalty * beta)
        size = 1.0
        while (then := loss(beta + size * step)) > now + 1e-12 * abs(now) and size > 1e-6:
            size /= 2
        beta, now = beta + size * step, then
        if np.abs(step).max() < 1e-10:
            break
    return beta


class Outcomes:
    """Learns the outcome by arm and covariates from any set of folds.

    Parameters
    ----------
    y : array
    treated : array of bool
    basis : array, people x columns
        Standardised.
    fold, inner : array of int
        Fold of each person, and inner fold (0 to 4).
    binary : bool
        Yes or no: logistic, otherwise linear.

    Notes
    -----
    Two penalties are chosen, one after the other, by the squared error on
    inner folds (of yes/no outcomes the Brier score of the linear model): that
    of the covariates, then that of their products with the arm, where leaving
    out all products is one of the choices. The logistic model takes the same
    penalties times the mean variance of the outcome, which is what they are
    worth on its scale.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, treated = rng.normal(size=(400, 1)), np.arange(400) % 2 == 0
    >>> y = x[:, 0] * treated + rng.normal(size=400) / 10
    >>> own = Outcomes(y, treated, x, np.arange(400) % 4 // 2, np.arange(400) // 4 % 5, False).learn([0, 1])
    >>> own.effect(np.array([[0.0], [1.0]])).round().astype(int).tolist()
    [0, 1]
    """

    def __init__(self, y: Floats, treated: NDArray[np.bool_], basis: Floats, fold: Ints, inner: Ints, binary: bool) -> None:
        arm = np.where(treated, 0.5, -0.5)
        self.width = basis.shape[1]
        self.design = np.column_stack([np.ones(len(y)), arm, basis, arm[:, None] * basis])
        self.y, self.fold, self.binary = y, fold, binary
        # far from 0, sums of squares would lose what people differ by
        self.centre = float(y.mean())
        self.sums = _Sums(self.design, y - self.centre, fold, inner)

    def learn(self, folds: Sequence[int]) -> Effects:
        """Fit on people of these folds only."""
        main, every = slice(0, 2 + self.width), slice(0, 2 + 2 * self.width)
        free = np.zeros((len(PENALTIES), 2))
        of_main = np.column_stack([free, np.repeat(PENALTIES[:, None], self.width, axis=1)])
        losses = self.sums.losses(folds, main, of_main)
        best = of_main[int(losses.argmin())]
        # a product has a quarter of the size of its covariate
        of_products = np.column_stack([np.tile(best, (len(PENALTIES), 1)), np.repeat(PENALTIES[:, None] / 4, self.width, axis=1)])
        with_products = self.sums.losses(folds, every, of_products)
        told = with_products.min() < losses.min()
        columns, penalty = (every, of_products[int(with_products.argmin())]) if told else (main, best)
        beta = self._logistic(folds, columns, penalty) if self.binary else self.sums.solved(folds, columns, penalty)
        product = beta[2 + self.width :] if told else np.zeros(self.width)
        middle = float(beta[0]) + (0.0 if self.binary else self.centre)
        return Effects(middle, float(beta[1]), beta[2 : 2 + self.width], product, self.binary)

    def _logistic(self, folds: Sequence[int], columns: slice, penalty: Floats) -> Floats:
        rows = np.isin(self.fold, list(folds))
        y = self.y[rows]
        # one half on either side: an outcome that all share has room left
        share = (y.sum() + 0.5) / (len(y) + 1)
        scaled = penalty * share * (1 - share)
        scaled[:2] = ALMOST_NOTHING
        return _logistic(y, self.design[rows, columns], scaled)


class Chances:
    """Learns who gets the other arm: ridge logistic regression on the covariates, the penalty by cross-validation.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> treated = np.arange(40) % 2 == 0
    >>> found = Chances(treated, x, np.arange(40) // 2 % 2, np.arange(40) // 4 % 5)
    >>> found.learn([0])(x).round(1).tolist() == [0.5] * 40
    True
    """

    def __init__(self, treated: NDArray[np.bool_], basis: Floats, fold: Ints, inner: Ints) -> None:
        self.design = np.column_stack([np.ones(len(treated)), basis])
        self.y, self.fold = treated.astype(float), fold
        self.sums = _Sums(self.design, self.y, fold, inner)

    def learn(self, folds: Sequence[int]) -> _Chance:
        """Fit on people of these folds only."""
        width = self.design.shape[1] - 1
        tried = np.column_stack([np.zeros(len(PENALTIES)), np.repeat(PENALTIES[:, None], width, axis=1)])
        penalty = tried[int(self.sums.losses(folds, slice(0, width + 1), tried).argmin())]
        rows = np.isin(self.fold, list(folds))
        share = float(self.y[rows].mean())
        scaled = penalty * share * (1 - share)
        scaled[0] = ALMOST_NOTHING
        return _Chance(_logistic(self.y[rows], self.design[rows], scaled))


@dataclass(frozen=True)
class _Chance:
    coefficients: Floats

    def __call__(self, basis: Floats) -> Floats:
        return np.asarray(special.expit(self.coefficients[0] + basis @ self.coefficients[1:]))
