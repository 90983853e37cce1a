"""Standard errors of combinations of regression coefficients, for people, clusters, and few clusters.

References
----------
White H. Econometrica 1980;48:817-838. doi:10.2307/1912934
Bell RM, McCaffrey DF. Surv Methodol 2002;28:169-181.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import Fit
from ips_outcomes.analysis.small_clusters import cr2

__all__ = ["Errors", "combination_error"]

Floats = NDArray[np.float64]
Errors: TypeAlias = Literal["model", "robust"]


def combination_error(
    fit: Fit, slope: Floats, own: Floats | None = None, *, errors: Errors = "model", clusters: NDArray[np.int64] | None = None,
    frequency: bool = True,
) -> tuple[float, float]:  # fmt: skip
    """Standard error of a combination of coefficients, and its degrees of freedom (infinite: the normal distribution).

    Parameters
    ----------
    fit : Fit
    slope : array
        What each coefficient is multiplied by.
    own : array, optional
        What each row adds of its own, such as its distance from a standardised mean (robust errors only).
    errors : {"model", "robust"}
        Without clusters: the model's own errors, or the sandwich (HC1 for linear models, otherwise HC0).
    clusters : array of int, optional
        Under 30: CR2 and Satterthwaite. From 30: the sandwich with G / (G - 1), and (n - 1) / (n - k) where rows are people.
    frequency : bool
        Whether the weights of the fit count people.

    Examples
    --------
    >>> from ips_outcomes.analysis.regression import fit_model
    >>> x = np.column_stack([np.ones(6), [0, 1, 0, 1, 0, 1]])
    >>> fit = fit_model(np.array([1.0, 2, 3, 5, 2, 2]), x, np.ones(6), "linear")
    >>> error, degrees = combination_error(fit, np.array([0.0, 1.0]))
    >>> round(error, 6), degrees
    (1.154701, 4.0)
    """
    if clusters is not None and int(clusters.max()) + 1 < FEW_CLUSTERS:
        error, degrees = cr2(fit, clusters, slope[None, :], frequency=frequency)
        return float(error[0]), float(degrees[0])
    total, coefficients = float(fit.weight.sum()), len(slope)
    if errors == "model" and clusters is None:
        scale, degrees_left = 1.0, np.inf
        if fit.model == "linear":
            degrees_left = total - coefficients
            scale = float(fit.weight @ (fit.y - fit.mean) ** 2) / degrees_left if degrees_left > 0 else np.nan
        return float(np.sqrt(scale * (slope @ fit.bread @ slope))), degrees_left
    people = total if frequency else float(len(fit.y))
    parts = fit.scores() @ (fit.bread @ slope)
    if own is not None:
        parts = parts + own
    if clusters is not None:
        units = np.bincount(clusters, weights=parts)
        factor = len(units) / (len(units) - 1)
        if frequency:
            factor *= (people - 1) / (people - coefficients)
        return float(np.sqrt(factor * (units**2).sum())), np.inf
    if not frequency:
        return float(np.sqrt(people / (people - 1) * (parts**2).sum())), np.inf
    # a row of several people is so many equal contributions
    factor = people / (people - coefficients) if fit.model == "linear" else 1.0
    return float(np.sqrt(factor * (parts**2 / fit.weight).sum())), np.inf
