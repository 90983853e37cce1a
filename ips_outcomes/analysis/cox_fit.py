"""A fitted Cox model: what prediction and tests need beyond the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_inputs import Prepared
from ips_outcomes.analysis.cox_likelihood import RiskSets, Sums
from ips_outcomes.analysis.limits import Z95, normal_p
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["CoxFit", "ratio_table"]

Floats = NDArray[np.float64]


def ratio_table(people: Prepared, beta: Floats, std_error: Floats, event: str, happened: NDArray[np.bool_], method: str,
                low: Floats | None = None, high: Floats | None = None, p_value: Floats | None = None) -> pd.DataFrame:  # fmt: skip
    """The tidy table of hazard ratios; limits on the coefficient's scale, Wald's unless given."""
    low = beta - Z95 * std_error if low is None else low
    high = beta + Z95 * std_error if high is None else high
    design = people.design
    with np.errstate(over="ignore"):
        return tidy(pd.DataFrame({
            "outcome": event, "level": design.levels, "measure": "hazard_ratio", "contrast": design.contrasts,
            "n": int(people.people.sum()), "events": int(people.people[happened].sum()), "estimate": np.exp(beta),
            "std_error": std_error, "conf_low": np.exp(low), "conf_high": np.exp(high),
            "p_value": normal_p(beta / std_error) if p_value is None else p_value, "method": method,
            "term": design.terms, "coefficient": beta,
        }))  # fmt: skip


@dataclass(frozen=True, repr=False)
class CoxFit:
    """A Cox model with its covariance, its baseline and its risk sets.

    Made by `fit_cox`; `cox` keeps only ``estimates``.

    Attributes
    ----------
    estimates : Estimates
        The table of hazard ratios.
    coefficients : pandas.Series
        Log hazard ratios by name (term and level).
    covariance : pandas.DataFrame
        Of the coefficients; robust where clusters or probability weights were given.
    model_covariance : pandas.DataFrame
        The inverse information.
    loglik, loglik_null : float
        Partial log likelihood at the estimate and with all coefficients 0.
    """

    estimates: Estimates
    coefficients: pd.Series
    covariance: pd.DataFrame
    model_covariance: pd.DataFrame
    loglik: float
    loglik_null: float
    people: Prepared
    sets: RiskSets
    sums: Sums
    options: dict[str, object]

    def __repr__(self) -> str:
        return f"<CoxFit: {len(self.coefficients)} coefficients, {int(self.sets.tied.sum())} events>"

    @property
    def sums_beta(self) -> Floats:
        """The coefficients per standard deviation, as the risk sets' covariates are."""
        return self.coefficients.to_numpy() * self.people.design.scale

    @cached_property
    def baseline(self) -> pd.DataFrame:
        """Cumulative hazard and survival by stratum and event time, at the mean of the covariates.

        As R's ``survfit(coxph)``: Breslow's or Efron's increments, survival exp(-hazard).
        """
        sets = self.sets
        names = np.asarray(self.people.strata or ("",), dtype=object)
        table = pd.DataFrame({"stratum": names[sets.stratum], "time": sets.time, "increment": self.sums.hazard})
        table["cumulative_hazard"] = table.groupby("stratum", sort=False)["increment"].cumsum()
        table["survival"] = np.exp(-table["cumulative_hazard"])
        return table.drop(columns="increment")

    def proportionality(self, transform: str = "km") -> Estimates:
        """Grambsch and Therneau's test by term; see `proportional_hazards_test`."""
        from ips_outcomes.analysis.cox_after import proportional_hazards_test

        return proportional_hazards_test(self, transform=transform)  # type: ignore[arg-type]
