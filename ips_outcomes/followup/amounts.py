"""Pay and hours in each month, of the jobs that a definition of employed counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.followup.basic_amount import g_known, g_of_month
from ips_outcomes.followup.employed import Answer, hours_of
from ips_outcomes.followup.jobs import JobMonths, counted
from ips_outcomes.followup.pay import monthly_pay, without
from ips_outcomes.study import Definition

__all__ = ["Amounts", "amounts"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Amounts:
    """Numbers over the grid; NaN where they are not known.

    Attributes
    ----------
    pay_nok : array
        Kroner in the calendar month.
    pay_g : array
        The same in twelfths of the G in force: 1 is pay at the rate of one G a year.
    weekly_hours : array
        Agreed hours a week on the day of the month rule.
    """

    pay_nok: Floats
    pay_g: Floats
    weekly_hours: Floats


def amounts(jobs: JobMonths, definition: Definition, given: Answer) -> Amounts:
    """Pay and weekly hours of every cell.

    Pay is what came in over the month: that of all jobs of the kinds and
    bases that count, whether or not they were held on the day of the month
    rule, as in a year of pay. Hours are those of the work that the definition
    finds: those of the jobs that make a yes, and 0 where it says no.
    What schemes take counts in neither.
    """
    ore, known = monthly_pay(jobs, definition, counted(jobs, definition, any_day=True))
    known &= ~_pay_of_unknown_kind(jobs, definition)
    pay_nok, pay_g = np.full(ore.shape, np.nan), np.full(ore.shape, np.nan)
    pay_nok[known] = ore[known] / 100
    # a study that asks for nothing in G may reach beyond the table of G
    in_g = known & g_known(jobs.grid.calendar)
    pay_g[in_g] = 12 * ore[in_g] / g_of_month(jobs.grid.calendar[in_g])
    hundredths, unknown = hours_of(jobs.grid, given.left)
    # where the register knows no hours, those out of work are left out with those in work: a mean of zeros would be left
    told = given.observation.observed & ~without(given.observation, jobs.hour_sources)
    # a course has no hours of work
    told &= (given.work == 0) | ((given.work == 1) & ~unknown & ~given.blank)
    hours = np.where(told, np.where(given.work == 1, hundredths, 0) / 100, np.nan)
    return Amounts(pay_nok, pay_g, hours)


def _pay_of_unknown_kind(jobs: JobMonths, definition: Definition) -> NDArray[np.bool_]:
    """Cells with pay of a job whose kind was left blank: it may count, too."""
    pay = jobs.pay
    blank = (pay["kind"] == "unknown") & (pay["basis"].isna() | pay["basis"].isin(definition.basis)) & (pay["amount"] != 0)
    found = np.zeros(jobs.grid.shape, dtype=bool)
    found[pay.loc[blank, "person"], pay.loc[blank, "column"]] = True
    return found
