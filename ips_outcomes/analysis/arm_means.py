"""Means of a number of each person by arm, and their differences: Student's and Welch's intervals, people counted by weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["arm_means"]


def arm_means(table: pd.DataFrame, column: str, arms: Sequence[str], base: int | None, weights: str) -> pd.DataFrame:
    """Rows "mean" (a group each) and "mean_difference" (a contrast each with the arm at ``base``).

    Parameters
    ----------
    table : pandas.DataFrame
        A row a person, or a row for so many alike; columns ``arm``, ``column`` and ``weights``.
    column : str
        A number.
    arms : list of str
        In order; an arm without anybody has no estimate.
    base : int or None
        Place of the reference arm; None compares nothing.
    weights : str
        Column with the number of people.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["a", "a", "b", "b"], "jobs": [1, 3, 0, 1], "people": 1})
    >>> arm_means(people, "jobs", ["a", "b"], 1, "people")[["measure", "estimate"]].values.tolist()
    [['mean', 2.0], ['mean', 0.5], ['mean_difference', 1.5]]
    """
    from ips_outcomes.analysis.level_effects import tested

    size, mean, variance, some = {}, {}, {}, {}
    for arm in arms:
        own = table[table["arm"] == arm]
        weight, value = own[weights].to_numpy(float), own[column].to_numpy(float)
        n = float(weight.sum())
        size[arm], some[arm] = n, float(weight[value > 0].sum())
        mean[arm] = float(weight @ value / n) if n else float("nan")
        variance[arm] = float(weight @ (value - mean[arm]) ** 2 / (n - 1) / n) if n > 1 else float("nan")
    rows: list[dict[str, object]] = []
    for arm in arms:
        low, high, _ = tested(mean[arm], np.sqrt(variance[arm]), size[arm] - 1)
        rows.append({"measure": "mean", "group": arm, "n": round(size[arm]), "events": round(some[arm]), "estimate": mean[arm],
                     "std_error": np.sqrt(variance[arm]), "conf_low": low, "conf_high": high, "method": "t"})  # fmt: skip
    for arm in arms if base is not None else []:
        other = arms[base or 0]
        if arm == other:
            continue
        error = float(np.sqrt(variance[arm] + variance[other]))
        spread = variance[arm] ** 2 / (size[arm] - 1) + variance[other] ** 2 / (size[other] - 1) if error > 0 else 0.0
        degrees = error**4 / spread if spread > 0 else float("nan")
        low, high, p_value = tested(mean[arm] - mean[other], error, degrees)
        rows.append({"measure": "mean_difference", "contrast": f"{arm} - {other}", "n": round(size[arm] + size[other]),
                     "events": round(some[arm] + some[other]), "estimate": mean[arm] - mean[other], "std_error": error,
                     "conf_low": low, "conf_high": high, "p_value": p_value, "method": "Welch"})  # fmt: skip
    return pd.DataFrame(rows).assign(outcome=column)
