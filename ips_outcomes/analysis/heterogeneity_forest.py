"""A causal forest, where econml is installed (the extra ``heterogeneity``); nothing else in the package needs it.

References
----------
Athey S, Tibshirani J, Wager S. Ann Stat 2019;47:1148-1178. doi:10.1214/18-AOS1709
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError

__all__ = ["MISSING_EXTRA", "causal_forest"]

Floats = NDArray[np.float64]

TREES, LEAF = 200, 5
MISSING_EXTRA = (
    'learner="causal_forest" needs econml, which is not installed: pip install "ips-outcomes[heterogeneity]", '
    'or use learner="regression"'
)


def causal_forest(y: Floats, treated: Floats, basis: Floats, seed: int) -> Callable[[Floats], Floats]:
    """Grow a forest on what is left of outcome and arm, and return what predicts effects.

    Parameters
    ----------
    y, treated : array
        Outcome and arm (1 or 0), both minus what covariates alone predict.
    basis : array, people x columns
    seed : int

    Raises
    ------
    UnsupportedError
        Where econml is not installed.
    """
    try:
        from econml.grf import CausalForest
    except ImportError:
        raise UnsupportedError(MISSING_EXTRA) from None
    forest = CausalForest(
        n_estimators=TREES, min_samples_leaf=LEAF, max_samples=0.45, inference=False, random_state=seed, n_jobs=1
    )
    forest.fit(basis, treated[:, None], y)

    def predict(new: Floats) -> Floats:
        return np.asarray(forest.predict(new), dtype=np.float64).ravel()

    return predict
