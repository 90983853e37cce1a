"""Wage subsidy and sheltered work: which jobs and months they take from a definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid
from ips_outcomes.followup.jobs import JobMonths, among, employers
from ips_outcomes.study import Definition

__all__ = ["NOT_ORDINARY", "WORK_PRACTICE", "Taken", "schemes_known", "taken_by_schemes"]

#: Schemes that create the job they stand beside: wage subsidy and sheltered work.
NOT_ORDINARY = ("MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR")
#: Schemes without pay; they subtract only in a named sensitivity.
WORK_PRACTICE = ("ARBTREN", "ARBFORB")


@dataclass(frozen=True)
class Taken:
    """What schemes leave of the jobs that a definition counts."""

    left: pd.DataFrame
    """Jobs that no scheme names."""
    strict: NDArray[np.bool_]
    """Cells that the strict rule leaves standing."""
    lenient: NDArray[np.bool_]
    """Cells that the lenient rule leaves standing."""
    counts: NDArray[np.bool_]
    """Cells that the definition's own rule leaves standing."""
    foreign_key: NDArray[np.bool_]
    """A scheme names an employer whose key the month's register never uses."""


def taken_by_schemes(jobs: JobMonths, definition: Definition, rows: pd.DataFrame) -> Taken:
    """Take the jobs that schemes name out of the rows, and say which months they take.

    A scheme that names its employer takes only that employer's job. It counts
    as naming nobody in a source that never uses the employer's key: keys
    differ between deliveries.
    """
    everywhere = np.ones(jobs.grid.shape, dtype=bool)
    if definition.wage_subsidy == "keep":
        return Taken(rows, everywhere, everywhere, everywhere, ~everywhere)
    schemes = _scheme_months(jobs.grid, definition).rename(columns={"employer": "scheme_employer"})
    pairs = rows.merge(schemes, on=["person", "column"])
    used = jobs.grid.cohort.employer_keys
    named = np.array(
        [key in used.get(source, frozenset()) for source, key in zip(pairs["source"], pairs["scheme_employer"], strict=True)],
        dtype=bool,
    )
    unnamed, foreign = ~everywhere, ~everywhere
    unnamed[pairs["person"][~named], pairs["column"][~named]] = True
    keyed = ~named & pairs["scheme_employer"].notna().to_numpy(dtype=bool)
    foreign[pairs["person"][keyed], pairs["column"][keyed]] = True
    taken = pairs[named & (pairs["employer"] == pairs["scheme_employer"]).to_numpy(dtype=bool)]
    left = rows[~among(rows, taken, ["person", "column", "employer"])]
    strict = ~unnamed
    # employers are told apart only where it matters
    there = rows[unnamed[rows["person"].to_numpy(), rows["column"].to_numpy()]]
    lenient = strict | (employers(jobs.grid, there) > 1)
    return Taken(left, strict, lenient, strict if definition.wage_subsidy == "strict" else lenient, foreign)


def schemes_known(grid: Grid) -> NDArray[np.bool_]:
    """Cells that some scheme delivery speaks for."""
    return grid.spoken_by(grid.cohort.study.sources_of("programmes"))


def _scheme_months(grid: Grid, definition: Definition) -> pd.DataFrame:
    """Months on a scheme that subtracts: person, column, employer."""
    codes = NOT_ORDINARY + (WORK_PRACTICE if definition.work_practice_subtracts else ())
    spells = grid.cohort.programmes[grid.cohort.programmes["scheme"].isin(codes)]
    spell, row, column = grid.spell_cells(spells, any_day=definition.month_rule == "any_day")
    return pd.DataFrame({"person": row, "column": column, "employer": spells["employer"].to_numpy()[spell]})
