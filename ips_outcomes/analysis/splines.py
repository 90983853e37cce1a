"""Natural cubic splines of a number: smooth, and straight lines beyond the outermost knots.

References
----------
Durrleman S, Simon R. Flexible regression models with cubic splines. Stat Med 1989;8:551-561. doi:10.1002/sim.4780080504
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.errors import UnsupportedError

__all__ = ["NaturalSpline", "spline_of"]

Floats = NDArray[np.float64]

#: More bends than this follow the noise of any trial.
MOST = 10


@dataclass(frozen=True)
class NaturalSpline:
    """Where the pieces of a curve meet.

    Attributes
    ----------
    low, high : float
        Boundary knots.
    knots : tuple of float
        Between them.
    """

    low: float
    high: float
    knots: tuple[float, ...]

    @property
    def width(self) -> int:
        """How many columns the basis has, without a constant."""
        return len(self.knots) + 1

    def basis(self, x: Floats) -> Floats:
        """Columns whose combinations, with a constant, are all natural cubic splines with these knots.

        They span what R's ``splines::ns`` spans, so that fitted curves are the same; single coefficients are others.

        Examples
        --------
        >>> NaturalSpline(0.0, 4.0, ()).basis(np.array([0.0, 1.0, 4.0])).tolist()
        [[0.0], [0.25], [1.0]]
        """
        u = (np.asarray(x, dtype=float) - self.low) / (self.high - self.low)
        inner = (np.array(self.knots) - self.low) / (self.high - self.low)

        def bent(knot: float) -> Floats:
            cubes = np.maximum(u - knot, 0.0) ** 3 - np.maximum(u - 1.0, 0.0) ** 3
            return np.asarray(cubes / (1.0 - knot))

        first = bent(0.0)
        return np.column_stack([u, *(first - bent(float(knot)) for knot in inner)])


def spline_of(x: Floats, spline_df: int, knots: Sequence[float] | None, name: str) -> NaturalSpline:
    """Knots for the values of some people: at quantiles, as R's ``ns``, or where one wants them.

    Parameters
    ----------
    x : array
        Known values.
    spline_df : int
        Number of columns; 1 is a straight line.
    knots : list of float, optional
        Inner knots in place of quantiles.
    name : str
        What the number is called, for messages.

    Raises
    ------
    UnsupportedError
        For knots outside the range or twice the same, and too few different values.

    Examples
    --------
    >>> spline_of(np.arange(10.0), 3, None, "age").knots
    (3.0, 6.0)
    """
    if isinstance(spline_df, bool) or not isinstance(spline_df, int | np.integer) or not 1 <= spline_df <= MOST:
        raise UnsupportedError(f"spline_df= is a whole number from 1 (a straight line) to {MOST}")
    chosen = np.quantile(x, np.linspace(0, 1, spline_df + 1)[1:-1]) if knots is None else np.asarray(list(knots), dtype=float)
    if len(chosen) >= MOST:
        raise UnsupportedError(f"knots= takes at most {MOST - 1} values")
    different = len(np.unique(x))
    if different < len(chosen) + 2:
        raise UnsupportedError(
            f"{name} has {different} different values, too few for a curve with {len(chosen) + 1} degrees of freedom: lower "
            "spline_df=, or ask subgroup_effects for effects by level"
        )
    low, high = float(x.min()), float(x.max())
    inside = np.isfinite(chosen).all() and (np.diff(np.concatenate([[low], chosen, [high]])) > 0).all()
    if not inside:
        what = "quantiles that fall together: lower spline_df=, or name knots=" if knots is None else "knots= that are not"
        more = "" if knots is None else " different values in rising order, inside the range of the data"
        raise UnsupportedError(f"{name} has {what}{more}")
    return NaturalSpline(low, high, tuple(float(k) for k in chosen))
