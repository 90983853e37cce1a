"""Rules on pay: in the month, in kroner or in that month's own G, and over a year."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.basic_amount import g_of_month
from ips_outcomes.followup.grid import Observation
from ips_outcomes.followup.jobs import YEAR_BEFORE, JobMonths, among, counted
from ips_outcomes.followup.rule import Rule, rule
from ips_outcomes.followup.schemes import schemes_known, taken_by_schemes
from ips_outcomes.study import Definition

__all__ = ["asks_pay_in_month", "month_pay_rule", "monthly_pay", "without", "year_pay_rule"]

#: A fraction of G is read to six decimals, so that sums and thresholds are compared as whole numbers.
_MILLION = 1_000_000


def asks_pay_in_month(definition: Definition) -> bool:
    """Whether a definition looks at the pay of the month itself."""
    least = (definition.minimum_monthly_pay_nok, definition.minimum_monthly_pay_g)
    return definition.month_rule == "paid_in_month" or any(part is not None for part in least)


def without(observation: Observation, sources: set[str]) -> NDArray[np.bool_]:
    """Observed cells that none of the given sources speaks for."""
    return observation.observed & ~_spoken(observation, sources)


def month_pay_rule(jobs: JobMonths, definition: Definition, observation: Observation, left: pd.DataFrame) -> Rule:
    """The jobs that count paid more than nothing, and as much as the definition asks for, in the month."""
    total = _pay_of(jobs, definition, left)
    enough = total >= max(round((definition.minimum_monthly_pay_nok or 0) * 100), 1)
    if definition.minimum_monthly_pay_g is not None:
        known = observation.observed & _spoken(observation, jobs.paid_sources)
        g = np.zeros(jobs.grid.shape, dtype=np.int64)
        g[known] = g_of_month(jobs.grid.calendar[known])
        enough &= total * (12 * _MILLION) >= _millionths(definition.minimum_monthly_pay_g) * g
    return rule("pay_in_month", enough, silent=without(observation, jobs.paid_sources))


def year_pay_rule(
    jobs: JobMonths, definition: Definition, new: Callable[[JobMonths, pd.DataFrame], pd.DataFrame]
) -> Rule:  # fmt: skip
    """Pay over the twelve months that end in each month, against the mean of those months' G.

    All pay of the kinds and bases that count is added up, whether or not the
    job was held on the day of the month rule, without what schemes take. All
    twelve months must be seen by a source of pay, and by one of schemes where
    these subtract. Months 1 to 11 look back past the inclusion and are not
    answered.
    """
    longer = jobs.with_year_before
    pay, seen = monthly_pay(longer, definition, new(longer, counted(longer, definition, any_day=True)))
    whole = _over_a_year(seen.astype(np.int64)) == YEAR_BEFORE + 1
    g = np.zeros(seen.shape, dtype=np.int64)
    g[seen] = g_of_month(longer.grid.calendar[seen])
    # twelve times pay against the sum of twelve G is pay against their mean
    enough = _over_a_year(pay) * (12 * _MILLION) >= _millionths(definition.minimum_yearly_pay_g or 0) * _over_a_year(g)
    back = (jobs.grid.months >= 1) & (jobs.grid.months <= YEAR_BEFORE)
    return rule("pay_in_year", enough, silent=~whole | back[None, :])


def monthly_pay(
    jobs: JobMonths, definition: Definition, rows: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """Pay of the jobs in the rows in each month, whole øre, without what schemes take; and where it is known.

    It is known where the month is observed and a source of pay speaks for it,
    and one of schemes where these subtract.
    """
    taken = taken_by_schemes(jobs, definition, rows)
    pay = np.where(taken.counts, _pay_of(jobs, definition, taken.left), 0)
    observation = jobs.observation(definition)
    known = observation.observed & _spoken(observation, jobs.paid_sources)
    if definition.wage_subsidy != "keep" and definition.if_unanswerable == "unknown":
        known &= schemes_known(jobs.grid)
    return pay, known


def _over_a_year(monthly: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums over the twelve months that end in each month, from the first month that has eleven before it."""
    sums = np.cumsum(np.pad(monthly, ((0, 0), (1, 0))), axis=1)
    return sums[:, YEAR_BEFORE + 1 :] - sums[:, : -(YEAR_BEFORE + 1)]


def _millionths(fraction: float) -> int:
    return max(round(fraction * _MILLION), 1)


def _spoken(observation: Observation, sources: set[str]) -> NDArray[np.bool_]:
    spoken = np.zeros(observation.reason.shape, dtype=bool)
    for name in sources:
        spoken |= observation.by_source[name]
    return spoken


def _pay_of(jobs: JobMonths, definition: Definition, left: pd.DataFrame) -> NDArray[np.int64]:
    """Pay by cell, whole øre, of the jobs that are left; pay without an employer's key counts with them."""
    pay = jobs.pay[jobs.pay["kind"].isin(definition.kinds)]
    pay = pay[pay["basis"].isna() | pay["basis"].isin(definition.basis)]
    named = pay["employer"].notna()
    pay = pay[~named | among(pay, left, ["person", "column", "employer"])]
    total = np.zeros(jobs.grid.shape, dtype=np.int64)
    np.add.at(total, (pay["person"].to_numpy(), pay["column"].to_numpy()), pay["amount"].to_numpy())
    return total
