"""Rules on benefits: months on a benefit, and months on more of it than at inclusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.followup.grid import Grid
from ips_outcomes.followup.rule import Rule, rule
from ips_outcomes.study import Benefit, Definition, Study

__all__ = ["benefit_rules", "benefit_sources"]

#: More than nothing, less than any degree a register writes.
_SOME = np.nextafter(0.0, 1.0)


@dataclass(frozen=True)
class _Degrees:
    """The degree of one benefit by cell, between two limits that differ where a register does not say."""

    on: NDArray[np.bool_]
    least: NDArray[np.float64]
    most: NDArray[np.float64]


def benefit_rules(grid: Grid, definition: Definition) -> list[Rule]:
    """One rule a benefit that the definition looks at."""
    made = []
    for benefit, threshold in definition.without_benefits.items():
        silent = ~_known(grid, benefit)
        degrees = _degrees(grid, benefit, definition)
        if threshold == 0:
            # any degree: also one that the register does not say
            off, left_open = ~degrees.on, None
        else:
            off = degrees.most < threshold
            left_open = ~off & (degrees.least < threshold)
        made.append(rule(f"without_{benefit}", off, left_open=left_open, silent=silent))
    for benefit in dict.fromkeys(definition.benefits_not_above_inclusion):
        known, degrees = _known(grid, benefit), _degrees(grid, benefit, definition)
        at_start = slice(grid.zero, grid.zero + 1)
        not_above = degrees.most <= degrees.least[:, at_start]
        # a month is never above itself, whatever its degree
        not_above[:, grid.zero] = True
        left_open = ~not_above & (degrees.least <= degrees.most[:, at_start])
        made.append(rule(f"not_above_{benefit}", not_above, left_open=left_open, silent=~known | ~known[:, at_start]))
    return made


def benefit_sources(study: Study, benefit: Benefit) -> list[str]:
    """Sources whose layout, or whose codes in the study file, can deliver a benefit."""
    found = []
    for name in study.sources_of("benefits"):
        layout = study.layouts[name]
        if "benefit" in layout.columns and "benefit" not in layout.constants:
            codes = study.sources[name].values.get("benefit", layout.columns["benefit"].codes)
            # without codes the column holds the benefits' own names
            able = not codes or benefit in codes.values()
        else:
            able = layout.constants.get("benefit") == benefit
        found += [name] if able else []
    return found


def _known(grid: Grid, benefit: Benefit) -> NDArray[np.bool_]:
    """Cells that some delivery of the benefit speaks for."""
    return grid.spoken_by(benefit_sources(grid.cohort.study, benefit))


def _degrees(grid: Grid, benefit: Benefit, definition: Definition) -> _Degrees:
    """The highest degree on the day of the month rule: the 16th, or any day under ``any_day``."""
    spells = grid.cohort.benefits
    spells = spells[spells["benefit"] == benefit]
    spell, row, column = grid.spell_cells(spells, any_day=definition.month_rule == "any_day")
    degree = spells["degree"].to_numpy(dtype=np.float64)[spell]
    untold = np.isnan(degree)
    on = np.zeros(grid.shape, dtype=bool)
    on[row, column] = True
    least, most = np.zeros(grid.shape), np.zeros(grid.shape)
    np.maximum.at(least, (row, column), np.where(untold, _SOME, degree))
    np.maximum.at(most, (row, column), np.where(untold, 100.0, degree))
    return _Degrees(on, least, most)
