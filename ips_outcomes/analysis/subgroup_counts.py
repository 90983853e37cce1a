"""Effects within subgroups, and differences between them, from counts alone: what a table without people can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.effects_of_means import YES_NO, MeanEffects, MeanRows
from ips_outcomes.analysis.inputs import MISSING
from ips_outcomes.analysis.level_effects import SIGNS, Pair, on_log, tested
from ips_outcomes.analysis.many_looks import holm
from ips_outcomes.analysis.subgroups import REFERENCES
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["interactions_from_counts"]

KEYS = ["outcome", "month"]


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
    if scale not in YES_NO:
        raise UnsupportedError(f"scale= is one of: {', '.join(YES_NO)}")
    lacking = [c for c in (*KEYS, "subgroup", "level", "group", "n", "events") if c not in counts]
    if lacking:
        raise UnsupportedError(f"a table of counts needs the column {', '.join(lacking)}")
    n, events = (counts[c].astype("Float64") for c in ("n", "events"))
    wrong = int(((n < 0) | (events < 0) | (events > n)).fillna(False).sum())
    if wrong:
        raise UnsupportedError(f"{wrong} rows of counts have more events than people, or fewer than none")
    made, notes = list[dict[str, Any]](), list[str]()
    for (outcome, month), asked in counts.groupby(KEYS, sort=False, dropna=False):
        arms = [arm for arm in dict.fromkeys(asked["group"]) if arm != reference]
        for arm in arms:
            for subgroup, rows in asked.groupby("subgroup", sort=False):
                cells = _Cells(rows, arm, reference)
                same = {"outcome": outcome, "month": None if pd.isna(month) else int(month), "subgroup": subgroup}
                rows_made, said = cells.answers(same, scale, (compared_with or {}).get(str(subgroup)), least_events)
                made += rows_made
                notes += [f"{subgroup}: {note}" for note in said]
    if not made:
        raise UnsupportedError("no level has counts in two arms: there is nobody to compare")
    return _family(pd.DataFrame(made), tests, scale, notes)


class _Cells:
    """One subgroup in two arms, as the people that its counts stand for."""

    def __init__(self, rows: pd.DataFrame, arm: str, reference: str) -> None:
        self.arm, self.reference = arm, reference
        table = rows.set_index(["level", "group"])[["n", "events"]].astype("Float64")
        self.levels = [x for x in dict.fromkeys(rows["level"]) if self._known(table, x)]
        # Unknown is shown last and is never tested
        self.levels = sorted(self.levels, key=lambda x: x == MISSING)
        sizes = [(i, side, *table.loc[(level, who)].astype(int)) for i, level in enumerate(self.levels)
                 for side, who in enumerate((reference, arm))]  # fmt: skip
        level, side, y = [], [], []
        for i, s, n, events in sizes:
            level.append(np.full(n, i))
            side.append(np.full(n, s))
            y.append((np.arange(n) < events).astype(float))
        joined = [np.concatenate(part) if part else np.zeros(0) for part in (level, side, y)]
        people = len(joined[0])
        self.rows = MeanRows(
            np.asarray(joined[2], dtype=np.float64), joined[1] == 1, np.asarray(joined[0], dtype=np.int64), np.arange(people),
            people, np.zeros((people, 0)), None, True,
        )  # fmt: skip

    def _known(self, table: pd.DataFrame, level: str) -> bool:
        """Whether both arms have people here whose counts are told."""
        both = [(level, who) for who in (self.reference, self.arm)]
        return all(where in table.index and table.loc[where].notna().all() and table.loc[where, "n"] > 0 for where in both)

    def answers(
        self, same: dict[str, Any], scale: str, other: str | None, least_events: int
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Rows of effects, of differences and of all differences at once."""
        if not self.levels:
            return [], []
        found, made = MeanEffects(self.rows, least_events=least_events), list[dict[str, Any]]()
        sizes = dict[int, int]()
        for effect in found.effects():
            low, high, p_value = tested(effect.value, effect.std_error, effect.degrees)
            natural = np.exp if on_log(effect.scale) else float
            low, high = (float(natural(low)), float(natural(high))) if effect.limits is None else effect.limits
            sizes[effect.level] = effect.sizes["n"]
            made.append({
                **same, **self._contrast(effect.scale), "level": self.levels[effect.level], "measure": effect.scale,
                "estimate": float(natural(effect.value)), "std_error": effect.std_error, "conf_low": low, "conf_high": high,
                "p_value": p_value if effect.p_value is None else effect.p_value, "method": effect.method, **effect.sizes,
                "few_events": effect.small, "compared_with": "",
            })  # fmt: skip
        known = [i for i, level in enumerate(self.levels) if level != MISSING]
        against = self.levels[known[-1]] if other is None and known else other
        if len(known) < 2 or against not in self.levels:
            return made, found.notes
        reference = self.levels.index(str(against))
        for on in (scale, *(s for s in YES_NO if s != scale)):
            pairs = [p for i in known if i != reference and (p := found.pair(i, reference, on)) is not None]
            made += [self._difference(same, pair, sizes, primary=on == scale) for pair in pairs]
            if on == scale and len(pairs) > 1:
                made.append(self._together(same, pairs))
        return made, found.notes

    def _contrast(self, scale: str) -> dict[str, str]:
        return {"scale": scale, "contrast": f"{self.arm} {SIGNS[on_log(scale)]} {self.reference}"}

    def _difference(self, same: dict[str, Any], pair: Pair, sizes: dict[int, int], *, primary: bool) -> dict[str, Any]:
        low, high, p_value = tested(pair.value, pair.std_error, pair.degrees)
        low, high = (low, high) if pair.limits is None else pair.limits
        natural = np.exp if on_log(pair.scale) else float
        return {
            **same, **self._contrast(pair.scale), "level": self.levels[pair.level], "compared_with": self.levels[pair.other],
            "few_events": pair.small, "measure": "interaction" if primary else f"interaction_{pair.scale}",
            "n": sizes[pair.level] + sizes[pair.other], "estimate": float(natural(pair.value)), "std_error": pair.std_error,
            "conf_low": float(natural(low)), "conf_high": float(natural(high)),
            "p_value": p_value if pair.p_value is None else pair.p_value, "method": pair.method,
        }  # fmt: skip

    def _together(self, same: dict[str, Any], pairs: list[Pair]) -> dict[str, Any]:
        """All differences of a subgroup with several levels at once, by Wald's test."""
        values = np.array([p.value for p in pairs])
        parts = np.column_stack([p.influence for p in pairs])
        covariance = _scaled(parts.T @ parts, np.array([p.std_error for p in pairs]))
        statistic = float("nan")
        if np.isfinite(covariance).all() and np.linalg.matrix_rank(covariance) == len(values):
            statistic = float(values @ np.linalg.solve(covariance, values))
        degrees = len(values)
        p_value = float(special.chdtrc(degrees, statistic)) if np.isfinite(statistic) else float("nan")
        return {**same, **self._contrast(pairs[0].scale), "level": "", "compared_with": "", "measure": "interaction_test",
                "statistic": statistic, "degrees_of_freedom": float(degrees), "method": "Wald's chi-square", "p_value": p_value}  # fmt: skip


def _scaled(raw: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.sqrt(np.diag(raw))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(raw / np.outer(size, size) * np.outer(errors, errors))


def _family(table: pd.DataFrame, tests: int | None, scale: str, notes: list[str]) -> Estimates:
    """The rows with Holm's p over all differences on the primary scale."""
    for column in ("p_adjusted", "p_holm", "shrunken", "shrunken_low", "shrunken_high", "prior_sd"):
        table[column] = np.nan
    at = np.flatnonzero((table["measure"] == "interaction") & table["p_value"].notna())
    number = len(at) if tests is None else tests
    if number < len(at):
        raise UnsupportedError(f"tests= is at least the {len(at)} tests that these counts allow")
    alone = table["p_value"].to_numpy(dtype=float)[at]
    table.loc[at, "p_holm"] = holm(np.append(alone, np.ones(number - len(at))))[: len(at)]
    table["tests"] = pd.array([pd.NA] * len(table), dtype="Int64")
    table.loc[at, "tests"] = number
    method = (
        f"Effects within levels and differences between them, from counts; primary scale: {scale.replace('_', ' ')}; {number} "
        "tests in the family, Holm; two-sided 95 %"
    )
    return Estimates(tidy(table), "Effects within subgroups, and differences between them", method,
                     (*REFERENCES, "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70."),
                     "forest", tuple(dict.fromkeys(notes)))  # fmt: skip
