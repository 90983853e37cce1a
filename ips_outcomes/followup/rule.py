"""One rule of a definition over the grid: it holds, it does not, it is open, or its source is silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rule", "rule"]


@dataclass(frozen=True)
class Rule:
    """What one rule says of every cell.

    ``holds`` is 1 where the rule is met, 0 where it is not, -1 where a value
    that the record lacks leaves it open. Where ``silent`` is true no source
    can answer the rule at all; ``holds`` then says nothing.
    """

    name: str
    holds: NDArray[np.int8]
    silent: NDArray[np.bool_]


def rule(
    name: str, met: NDArray[np.bool_], *, left_open: NDArray[np.bool_] | None = None, silent: NDArray[np.bool_] | None = None
) -> Rule:
    """A rule that is met in some cells; elsewhere it is not met, unless it is left open or nobody can say."""
    holds = met.astype(np.int8)
    if left_open is not None:
        holds[left_open & ~met] = -1
    return Rule(name, holds, np.zeros(met.shape, dtype=bool) if silent is None else silent)
