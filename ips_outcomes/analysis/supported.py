"""What every estimator supports, declared where it is defined and kept in one table.

An unsupported combination raises; it never gives a wrong answer in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

import pandas as pd

from ips_outcomes.errors import UnsupportedError

__all__ = ["DIMENSIONS", "capabilities", "supports"]

P = ParamSpec("P")
R = TypeVar("R")

#: What an estimator may be asked to respect, and the keyword that asks for it ("" where it is in the data).
DIMENSIONS: dict[str, str] = {
    "entry": "entry", "frequency_weights": "weights", "probability_weights": "weight_type", "cluster": "cluster",
    "strata": "strata", "ties": "", "competing": "",
}  # fmt: skip

#: The keywords that ask for something, in words.
_ASKED = {
    "entry": "delayed entry", "weights": "weights", "weight_type": "probability weights", "cluster": "clusters",
    "strata": "strata",
}  # fmt: skip

_TABLE: dict[str, dict[str, str]] = {}


def supports(
    *, entry: bool = False, frequency_weights: bool = False, probability_weights: bool = False, cluster: bool = False,
    strata: bool = False, ties: str = "exact", competing: str = "no", instead: str = "",
) -> Callable[[Callable[P, R]], Callable[P, R]]:  # fmt: skip
    """Declare what an estimator supports; a keyword that it lacks is refused with a word on what to use.

    Parameters
    ----------
    entry, frequency_weights, probability_weights, cluster, strata : bool
    ties : str
        How tied times are handled, in a word: "exact", "Efron, Breslow".
    competing : str
        "yes", "no", or in a word what becomes of competing events.
    instead : str
        What to use where something is not supported, shown in the message.

    Examples
    --------
    >>> @supports(strata=True)
    ... def counted(data, strata=None):
    ...     return len(data)
    >>> counted([1, 2], entry="start")
    Traceback (most recent call last):
    ...
    ips_outcomes.errors.UnsupportedError: counted does not support delayed entry (entry=)
    """
    said = {
        "entry": entry, "frequency_weights": frequency_weights, "probability_weights": probability_weights,
        "cluster": cluster, "strata": strata,
    }  # fmt: skip
    row = {name: "yes" if value else "no" for name, value in said.items()} | {"ties": ties, "competing": competing}

    def declared(function: Callable[P, R]) -> Callable[P, R]:
        if function.__module__.startswith("ips_outcomes."):
            _TABLE[function.__name__] = row
        parameters = signature(function).parameters
        own = set(parameters)
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            # what is passed on to another estimator is respected where the declaration says so
            own |= {DIMENSIONS[name] for name, value in said.items() if value}

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for keyword, what in _ASKED.items():
                if keyword in kwargs and keyword not in own:
                    if kwargs[keyword] in (None, "frequency"):
                        del kwargs[keyword]
                        continue
                    more = f"; {instead}" if instead else ""
                    raise UnsupportedError(f"{function.__name__} does not support {what} ({keyword}=){more}")
            asked = kwargs.get("weight_type") == "probability"
            if asked and not probability_weights:
                raise UnsupportedError(
                    f"{function.__name__} does not support probability weights{f'; {instead}' if instead else ''}"
                )
            return function(*args, **kwargs)

        return checked

    return declared


def capabilities() -> pd.DataFrame:
    """One row an estimator: which of entry, weights, clusters, strata, ties and competing events it respects.

    Returns
    -------
    pandas.DataFrame
        Index ``estimator``; columns as `DIMENSIONS`: "yes", "no", or a word.

    Examples
    --------
    >>> import ips_outcomes.analysis
    >>> capabilities().loc["cumulative_incidence", "competing"]
    'yes'
    """
    from ips_outcomes import analysis

    # what an example or a test declares is no estimator of the package
    rows = {name: row for name, row in _TABLE.items() if name in analysis.__all__}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(DIMENSIONS)).sort_index()
    return table.rename_axis("estimator")
