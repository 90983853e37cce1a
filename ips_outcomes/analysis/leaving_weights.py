"""Weights for those who stay, so that they stand for those who left: inverse probability of censoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_regression import fit_cox
from ips_outcomes.analysis.inputs import group_name
from ips_outcomes.analysis.limits import limits, normal_p
from ips_outcomes.errors import UnsupportedError

__all__ = ["LEAST_STARTS", "REFERENCES", "Staying", "staying_weights", "weighted_differences", "weighted_months"]

Floats = NDArray[np.float64]

#: Starts behind each coefficient of the model of starting; with fewer, weights would be noise.
LEAST_STARTS = 5
REFERENCES = (
    "Robins JM, Finkelstein DM. Correcting for noncompliance and dependent censoring in an AIDS clinical trial with inverse "
    "probability of censoring weighted (IPCW) log-rank tests. Biometrics 2000;56:779-788. doi:10.1111/j.0006-341X.2000.00779.x",
)


@dataclass(frozen=True)
class Staying:
    """Person-months from 1 on, and which of them lie after a start."""

    table: pd.DataFrame
    outcome: str
    arm: str
    until: Sequence[str]
    month: str
    person_id: str
    crossover: str
    dead: str
    gone: NDArray[np.bool_]
    #: Column of the last month in which a start would have been seen; without it, the person's last month.
    seen: str | None = None


def _times(given: Staying, name: str, covariates: Sequence[str]) -> pd.DataFrame:
    """One row a person of an arm: month of the start, of death or the last one, and what was known at inclusion."""
    rows = given.table[given.table[given.arm] == name]
    last = int(given.table[given.month].max())
    people = rows.drop_duplicates(given.person_id).set_index(given.person_id)
    died = rows[rows[given.dead].fillna(False).astype(bool)].groupby(given.person_id)[given.month].min()
    death = people.index.to_series().map(died).to_numpy(dtype=float)
    start = people[given.crossover].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    if given.seen:
        until = people[given.seen].astype("Float64").to_numpy(dtype=float, na_value=-1.0)
    else:
        until = rows.groupby(given.person_id)[given.month].max().reindex(people.index).to_numpy(dtype=float)
    end = np.where(np.isnan(death), until, np.minimum(death, until))
    # a start after months in which none would have been seen is not counted: others leave the risk set before such months
    started = (start <= np.minimum(end, last)) & (end >= 0)
    table = people[list(covariates)].assign(time=np.where(started, start, end).astype(np.int64), event=started.astype(int),
                                            death=np.where(np.isnan(death), np.inf, death))  # fmt: skip
    return table.reset_index()


def _filled(table: pd.DataFrame, covariates: Sequence[str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Covariates without gaps; those that vary; and what was filled, in words."""
    used, told, columns = [], [], {}
    for name in covariates:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            number = values.astype("Float64")
            if number.isna().any() and number.notna().any():
                told.append(f"{name} is missing for {int(number.isna().sum())} people: the median stands for it in the weights")
                number = number.fillna(number.median())
            columns[name] = number.to_numpy(dtype=float, na_value=np.nan)
        else:
            columns[name] = values.map(group_name).astype(str)
        if len(set(columns[name])) > 1:
            used.append(name)
    return table.assign(**columns), used, told


def staying_weights(given: Staying, covariates: Sequence[str]) -> tuple[Floats | None, tuple[str, ...]]:
    """One over the chance of not having started by each month, given what was known at inclusion.

    In each arm of ``until`` a Cox model of the month of starting, others
    censored (Efron's ties), gives everybody's chance of not having started.
    Other arms have weight 1, and so have months after a start, which do not count.

    Returns
    -------
    tuple
        A weight for each row of the table, or None where too few started; and
        notes in words.
    """
    weight, notes = np.ones(len(given.table)), list[str]()
    for name in given.until:
        people, used, told = _filled(_times(given, name, covariates), covariates)
        notes += told
        starts = int(people["event"].sum())
        if starts == 0:
            notes.append(f"nobody in {name} started: nothing is weighted there")
            continue
        if not used:
            return None, (*notes, f"no weighted answer: {', '.join(covariates)} does not vary in {name}")
        try:
            fit = fit_cox(people[people["time"] >= 0], " + ".join(used), cause=1)
        except UnsupportedError as reason:
            return None, (*notes, f"no weighted answer: {reason}")
        if starts < LEAST_STARTS * len(fit.coefficients):
            return None, (*notes, f"no weighted answer: {starts} starts in {name} are fewer than {LEAST_STARTS} for each of "
                                  f"{len(fit.coefficients)} coefficients")  # fmt: skip
        ratio = pd.Series(
            np.exp(fit.people.design.matrix @ fit.sums_beta), index=people[given.person_id].to_numpy()[fit.people.rows]
        )
        rows = (given.table[given.arm] == name).to_numpy() & ~given.gone
        who = given.table.loc[rows, given.person_id]
        # the dead cannot start any more
        until = np.minimum(given.table.loc[rows, given.month].to_numpy(dtype=float),
                           who.map(people.set_index(given.person_id)["death"]).to_numpy(dtype=float))  # fmt: skip
        base = fit.baseline
        place = np.searchsorted(base["time"].to_numpy(dtype=float), until, side="right")
        hazard = np.append(0.0, base["cumulative_hazard"].to_numpy(dtype=float))[place]
        # of whom month 0 is not known the model knows nothing: the chance of the mean person stands in
        weight[rows] = np.exp(hazard * who.map(ratio).fillna(1.0).to_numpy(dtype=float))
        notes.append(f"weights in {name} go from {weight[rows].min():.2f} to {weight[rows].max():.2f}")
    # where nobody started, there is nothing to weight
    return None if (weight == 1).all() else weight, tuple(notes)


def weighted_differences(rates: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Weighted shares of each other arm less the reference's, month by month, with Wald limits."""
    base = rates[rates["group"] == reference].set_index("month")
    others = rates[rates["group"] != reference]
    beside = base.reindex(others["month"]).reset_index()
    estimate = others["estimate"].to_numpy(dtype=float) - beside["estimate"].to_numpy(dtype=float)
    error = np.hypot(others["std_error"].to_numpy(dtype=float), beside["std_error"].to_numpy(dtype=float))
    low, high = limits(estimate, error, "plain")
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = normal_p(np.where(error > 0, estimate / error, np.nan))
    counts = {f"{name}_arm": others[name].array for name in ("n", "events")}
    counts |= {f"{name}_reference": beside[name].array for name in ("n", "events")}
    return pd.DataFrame({
        "outcome": others["outcome"].to_numpy(), "measure": "risk_difference", "contrast": others["group"].to_numpy() + f" - {reference}",
        "month": others["month"].array, **counts, "n": counts["n_arm"] + counts["n_reference"],
        "events": counts["events_arm"] + counts["events_reference"], "estimate": estimate, "std_error": error,
        "conf_low": np.maximum(low, -1.0), "conf_high": np.minimum(high, 1.0), "p_value": p_value,
        "method": np.where(np.isfinite(error) & (error > 0), "weighted, Wald", "no interval: nothing varies, or one person"),
    })  # fmt: skip


def weighted_months(given: Staying, weights: Floats, reference: str) -> pd.DataFrame:
    """Mean months with the outcome, each month's share weighted, 0 after death; and differences.

    The error is that of each person's sum of influence over the months,
    weights taken as known, with n - 1.
    """
    table, found = given.table, dict[str, tuple[float, float, int]]()
    value = table[given.outcome].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    died = table[given.dead].fillna(False).to_numpy(dtype=bool)
    value = np.where(given.gone, np.nan, np.where(died, 0.0, value))
    for name in sorted(table[given.arm].unique()):
        own = (table[given.arm] == name).to_numpy() & np.isfinite(value)
        rows = pd.DataFrame({"person": table.loc[own, given.person_id].to_numpy(), "month": table.loc[own, given.month].to_numpy(),
                             "w": weights[own], "y": value[own]})  # fmt: skip
        rows["wy"] = rows["w"] * rows["y"]
        sums = rows.groupby("month")[["w", "wy"]].transform("sum")
        rows["influence"] = rows["w"] * (rows["y"] - sums["wy"] / sums["w"]) / sums["w"]
        months = rows.groupby("month")[["w", "wy"]].sum()
        whole = len(months) == table[given.month].nunique()
        each = rows.groupby("person")["influence"].sum().to_numpy()
        n = len(each)
        error = float(np.sqrt((each**2).sum() * n / (n - 1))) if n > 1 else np.nan
        mean = float((months["wy"] / months["w"]).sum()) if whole else np.nan
        found[name] = (mean, error if whole else np.nan, n)
    made = [{"measure": "months_in_work", "group": name, "contrast": "", "estimate": mean, "std_error": error, "n": n}
            for name, (mean, error, n) in found.items()]  # fmt: skip
    base = found[reference]
    for name, (mean, error, n) in found.items():
        if name != reference:
            made.append({"measure": "months_in_work_difference", "group": "", "contrast": f"{name} - {reference}",
                         "estimate": mean - base[0], "std_error": float(np.hypot(error, base[1])), "n": n + base[2]})  # fmt: skip
    rows = pd.DataFrame(made)
    low, high = limits(rows["estimate"].to_numpy(float), rows["std_error"].to_numpy(float), "plain")
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = normal_p(np.where(rows["contrast"] != "", rows["estimate"] / rows["std_error"], np.nan))
    return rows.assign(outcome=given.outcome, conf_low=low, conf_high=high, p_value=p_value, time=int(table[given.month].max()),
                       method=np.where(rows["estimate"].notna(), "weighted, Wald", "nobody observed in some month"))  # fmt: skip
