"""The baseline table: who the participants were, by arm, and how alike the arms are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import require, with_arm
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["baseline_table"]

METHOD = (
    "Counts and shares of those known, mean and standard deviation of numbers; standardised difference against the "
    "reference arm (for categories over all levels at once); missing counted apart"
)
REFERENCES = (
    "Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between treatment groups in "
    "propensity-score matched samples. Stat Med 2009;28:3083-3107. doi:10.1002/sim.3697",
    "Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using SAS. "
    "SAS Global Forum 2012, paper 335 (categories).",
)

Kind = Literal["number", "category"]


def baseline_table(people: pd.DataFrame, columns: dict[str, Kind], arm: str = "arm", reference: str | None = None) -> Estimates:
    """Describe baseline columns by arm.

    Parameters
    ----------
    people : pandas.DataFrame
        One row a person.
    columns : dict
        Column name to ``"number"`` or ``"category"``.
    arm : str
        Column that holds the arm.
    reference : str, optional
        With it, standardised differences of every other arm are added.

    Raises
    ------
    UnsupportedError
        For unknown columns, kinds or reference.

    Returns
    -------
    Estimates
        Measure ``share`` (a row a level), ``mean`` (with ``std_deviation``),
        ``missing`` and ``standardised_difference``.

    References
    ----------
    Austin PC. Balance diagnostics for comparing the distribution of baseline
    covariates. Stat Med 2009;28:3083-3107.

    Examples
    --------
    >>> import pandas as pd
    >>> four = pd.DataFrame({"arm": ["a", "a", "b", "b"], "age": [20, 30, 30, 40]})
    >>> table = baseline_table(four, {"age": "number"}, reference="b").table
    >>> round(float(table.set_index("measure").loc["standardised_difference", "estimate"]), 3)
    -1.414
    """
    require(people, [arm, *columns])
    strange = [c for c, kind in columns.items() if kind not in ("number", "category")]
    if strange:
        raise UnsupportedError(f"{', '.join(strange)}: a column is a number or a category")
    people, left_out = with_arm(people, arm)
    reference = None if reference is None else str(reference)
    rows: list[dict[str, object]] = []
    arms = sorted(people[arm].unique())
    if reference is not None and reference not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    for column, kind in columns.items():
        for name in arms:
            values = people.loc[people[arm] == name, column]
            rows += _described(values, column, kind, name, people[column])
        for name in arms if reference is not None else []:
            if name != reference:
                ours = people.loc[people[arm] == name, column].dropna()
                theirs = people.loc[people[arm] == reference, column].dropna()
                difference = _numbers(ours, theirs) if kind == "number" else _categories(ours, theirs)
                rows.append({"outcome": column, "measure": "standardised_difference", "contrast": f"{name} - {reference}",
                             "estimate": difference, "n": len(ours) + len(theirs), "method": "Austin; Yang and Dalton"})  # fmt: skip
    return Estimates(tidy(pd.DataFrame(rows)), "Baseline", METHOD, REFERENCES, "forest", left_out)


def _described(values: pd.Series, column: str, kind: Kind, arm: str, everybody: pd.Series) -> list[dict[str, object]]:
    known = values.dropna()
    common = {"outcome": column, "group": arm, "n": len(known)}
    rows: list[dict[str, object]] = []
    if kind == "number":
        numbers = known.to_numpy(dtype=float)
        deviation = float(numbers.std(ddof=1)) if len(numbers) > 1 else float("nan")
        mean = float(numbers.mean()) if len(numbers) else float("nan")
        rows.append({**common, "measure": "mean", "estimate": mean, "std_deviation": deviation})
    else:
        for level in sorted(map(str, everybody.dropna().unique())):
            events = int((known.astype(str) == level).sum())
            share = events / len(known) if len(known) else float("nan")
            rows.append({**common, "measure": "share", "level": level, "events": events, "estimate": share})
    missing = len(values) - len(known)
    share = missing / len(values) if len(values) else float("nan")
    rows.append({**common, "n": len(values), "measure": "missing", "events": missing, "estimate": share})
    return rows


def _numbers(ours: pd.Series, theirs: pd.Series) -> float:
    a, b = ours.to_numpy(dtype=float), theirs.to_numpy(dtype=float)
    if len(a) < 2 or len(b) < 2:
        return float("nan")
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float((a.mean() - b.mean()) / pooled) if pooled > 0 else float("nan")


def _categories(ours: pd.Series, theirs: pd.Series) -> float:
    """Mahalanobis distance between the two vectors of shares, the first level left out."""
    levels = sorted({*map(str, ours), *map(str, theirs)})[1:]
    if not levels or not len(ours) or not len(theirs):
        return 0.0 if len(ours) and len(theirs) else float("nan")
    a = np.array([(ours.astype(str) == level).mean() for level in levels])
    b = np.array([(theirs.astype(str) == level).mean() for level in levels])
    spread = (np.diag(a) - np.outer(a, a) + np.diag(b) - np.outer(b, b)) / 2
    difference = a - b
    distance = float(np.sqrt(max(difference @ np.linalg.pinv(spread) @ difference, 0.0)))
    # with two levels there is a direction to tell
    return float(np.copysign(distance, difference[0])) if len(levels) == 1 else distance
