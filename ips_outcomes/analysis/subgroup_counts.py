"""Effects within subgroups, and differences between them, from counts alone: what a table without people can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import MISSING
from ips_outcomes.analysis.many_looks import holm
from ips_outcomes.analysis.subgroups import REFERENCES, subgroup_effects
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under

__all__ = ["interactions_from_counts"]

KEYS = ["outcome", "month"]
SCALES = ("risk_difference", "risk_ratio", "odds_ratio")


def interactions_from_counts(
    counts: pd.DataFrame, reference: str, scale: str = "risk_difference", *, compared_with: Mapping[str, str] | None = None,
    least_events: int = 5, tests: int | None = None,
) -> Estimates:  # fmt: skip
    """Effects within levels and differences between them, by the formulas of `subgroup_effects`, from released counts.

    Without covariates a yes/no outcome needs no more than the people and
    events of every cell: the variance of a difference between levels is a sum
    over its cells. Step-down p-values and shrunken effects rest on people who
    are in several subgroups at once and cannot be had from counts.

    Parameters
    ----------
    counts : pandas.DataFrame
        A row for every outcome, month, subgroup, level and arm, with columns
        ``outcome``, ``month``, ``subgroup``, ``level``, ``group`` (the arm),
        ``n`` and ``events``; everybody has an empty subgroup and level. Levels
        stand in the order wanted. Empty counts are hidden ones: their level
        has no answer.
    reference : str
        The arm that others are compared with.
    scale : {"risk_difference", "risk_ratio", "odds_ratio"}
        The primary scale.
    compared_with : dict, optional
        By subgroup, the level that others are compared with; the last known
        one by default.
    least_events : int
        As for `subgroup_effects`.
    tests : int, optional
        Number of tests in the family where some of them are hidden: those
        count as if nothing was found, so that ``p_holm`` is never too small.

    Returns
    -------
    Estimates
        Rows and columns as those of `subgroup_effects`; ``p_adjusted`` and
        ``shrunken`` are empty.

    Raises
    ------
    UnsupportedError
        For an unknown scale, missing columns and counts that cannot be.

    References
    ----------
    Wang R et al. N Engl J Med 2007;357:2189-2194. VanderWeele TJ, Knol MJ.
    Epidemiol Methods 2014;3:33-72. Holm S. Scand J Stat 1979;6:65-70.

    Examples
    --------
    >>> counts = pd.DataFrame({"outcome": "works", "month": 12, "subgroup": "age", "level": ["young", "young", "old", "old"],
    ...                        "group": ["ips", "control"] * 2, "n": 20, "events": [15, 5, 10, 10]})
    >>> found = interactions_from_counts(counts, "control").select(measure="interaction").table
    >>> found[["level", "compared_with", "estimate"]].values.tolist()
    [['young', 'old', 0.5]]
    """
    if scale not in SCALES:
        raise UnsupportedError(f"scale= is one of: {', '.join(SCALES)}")
    lacking = [c for c in (*KEYS, "subgroup", "level", "group", "n", "events") if c not in counts]
    if lacking:
        raise UnsupportedError(f"a table of counts needs the column {', '.join(lacking)}")
    n, events = (counts[c].astype("Float64") for c in ("n", "events"))
    wrong = int(((n < 0) | (events < 0) | (events > n)).fillna(False).sum())
    if wrong:
        raise UnsupportedError(f"{wrong} rows of counts have more events than people, or fewer than none")
    parts = []
    for (outcome, month), asked in counts.groupby(KEYS, sort=False, dropna=False):
        for arm in [arm for arm in dict.fromkeys(asked["group"]) if arm != reference]:
            for subgroup, rows in asked.groupby("subgroup", sort=False):
                found = _answers(rows, str(arm), reference, scale, (compared_with or {}).get(str(subgroup)), least_events)
                month_of = None if pd.isna(month) else int(month)
                parts += [] if found is None else [found.assign(outcome=outcome, month=month_of, subgroup=subgroup)]
    if not parts:
        raise UnsupportedError("no level has counts in two arms: there is nobody to compare")
    return _family(under(parts), tests, scale)


def _answers(
    rows: pd.DataFrame, arm: str, reference: str, scale: str, other: str | None, least_events: int
) -> pd.DataFrame | None:  # fmt: skip
    """One subgroup in two arms: `subgroup_effects` of the people that its counts stand for."""
    told = rows[rows["group"].isin([arm, reference])]
    hidden = set(told.loc[told["n"].isna() | told["events"].isna(), "level"])
    told = told[~told["level"].isin(hidden)]
    levels = [x for x in dict.fromkeys(told["level"]) if told.loc[told["level"] == x, "n"].sum() > 0]
    known = [x for x in levels if x != MISSING]
    codes: dict[str, str | None] = {x: f"{i:04d}" for i, x in enumerate(known)} | ({MISSING: None} if MISSING in levels else {})
    people = [_people(row, codes[row["level"]]) for row in told.to_dict("records") if row["level"] in codes]
    # a level alone cannot be asked about: it stands beside levels of everybody, who are not told
    more = [f"9{i:03d}" for i in range(2 - len(known))]
    people += [part.assign(level=code) for code in more for part in people]
    if not people:
        return None
    other = other if other in known else None if other is None else ""
    against = codes[other or known[-1]] if known else None
    compared = {} if more or against is None else {"level": against}
    try:
        found = subgroup_effects(pd.concat(people, ignore_index=True), "level", "y", reference=reference, scale=scale, kind="rate",
                                 compared_with=compared, least_events=least_events, draws=1, seed=1).table  # fmt: skip
    except UnsupportedError:
        # one arm has nobody in any level that is told
        return None
    names = {"" if code is None else code: x for x, code in codes.items()} | {"": ""}
    names[MISSING] = MISSING
    found = found[(found["subgroup"] != "") & ~found["level"].isin(more)]
    if more or other == "":
        found = found[~found["measure"].str.startswith("interaction")]
    return found.assign(level=found["level"].map(names), compared_with=found["compared_with"].map(names))


def _people(row: Mapping[Any, Any], code: str | None) -> pd.DataFrame:
    number = int(row["n"])
    level = pd.Series([code] * number, dtype="object")
    return pd.DataFrame({"arm": str(row["group"]), "level": level, "y": np.arange(number) < int(row["events"])})


def _family(table: pd.DataFrame, tests: int | None, scale: str) -> Estimates:
    """The rows with Holm's p over all differences on the primary scale."""
    for column in ("p_adjusted", "p_holm", "shrunken", "shrunken_low", "shrunken_high", "prior_sd"):
        table[column] = np.nan
    at = np.flatnonzero((table["measure"] == "interaction") & table["p_value"].notna())
    number = len(at) if tests is None else tests
    if number < len(at):
        raise UnsupportedError(f"tests= is at least the {len(at)} tests that these counts allow")
    alone = table["p_value"].to_numpy(dtype=float)[at]
    table.loc[at, "p_holm"] = holm(np.append(alone, np.ones(number - len(at))))[: len(at)]
    table["compared_with"] = table["compared_with"].fillna("")
    table["tests"] = pd.array([pd.NA] * len(table), dtype="Int64")
    table.loc[at, "tests"] = number
    method = (
        f"Effects within levels and differences between them, from counts; primary scale: {scale.replace('_', ' ')}; {number} "
        "tests in the family, Holm; two-sided 95 %"
    )
    return Estimates(tidy(table), "Effects within subgroups, and differences between them", method,
                     (*REFERENCES, "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70."),
                     "forest")  # fmt: skip
