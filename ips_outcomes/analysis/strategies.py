"""Supported employment started whatever the arm, and what arms differ by until it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.incidence import REFERENCES as INCIDENCE
from ips_outcomes.analysis.incidence import cumulative_incidence
from ips_outcomes.analysis.inputs import Data, as_list, own_reference, require, with_arm
from ips_outcomes.analysis.leaving_weights import REFERENCES as WEIGHTING
from ips_outcomes.analysis.leaving_weights import Staying, staying_weights, weighted_differences, weighted_months
from ips_outcomes.analysis.rates import employment_rates
from ips_outcomes.analysis.restricted_mean import months_gained
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.work_totals import months_in_work
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under
from ips_outcomes.followup import FollowUp

__all__ = ["STRATEGIES", "crossover", "treatment_strategies"]

#: What becomes of months after a crossover, in the order of the tables.
STRATEGIES = ("treatment_policy", "while_on_treatment", "weighted")
E9 = (
    "International Council for Harmonisation. ICH E9(R1): Addendum on estimands and sensitivity analysis in clinical trials to the "
    "guideline on statistical principles for clinical trials. Step 4, 20 November 2019.",
)
_METHOD = (
    "Treatment policy: everybody as randomised, whatever was started later. While on treatment: months from the start of supported "
    "employment on are not counted in {arms}, as if censored; shares by Wilson and Newcombe, sums over months by Welch, "
    "the first job by Aalen and Johansen{weighted}; two-sided 95 %"
)
INFORMATIVE = (
    "censoring at crossover is informative unless those who start are like those who do not, in every month and within their arm"
)


@supports(frequency_weights=True, probability_weights=True, cluster=True, competing="yes")
def crossover(
    data: Data, by: str | Sequence[str] | None = "arm", time: str = "time", event: str = "event", *, weights: str | None = None,
    weight_type: WeightType = "frequency", cluster: str | None = None, interval: Literal["log-log", "log", "plain"] = "log-log",
) -> Estimates:  # fmt: skip
    """Share who have started supported employment by each month, by arm, death competing.

    In the reference arm this is crossover, in the others uptake of what they
    were offered. What counts as a start is said by ``[crossover]`` in the
    study file.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (`FollowUp.crossover`), or one row a person.
    by : str or list of str, optional
        Columns that make the groups; of a FollowUp also baseline columns.
    time, event : str
        Whole months from 0; 0 censored, 1 started, 2 died.
    weights, weight_type, cluster, interval
        As in `cumulative_incidence`.

    Returns
    -------
    Estimates
        As `cumulative_incidence`, ``outcome`` "crossover": a row a group and
        month from 0, which counts, as a start in month 0 is one.

    Raises
    ------
    UnsupportedError
        Where nobody is known in month 0, and as `cumulative_incidence`.

    References
    ----------
    Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous
    Markov chains based on censored observations. Scand J Stat 1978;5:141-150.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["ips"] * 2 + ["control"] * 4, "time": [0, 1, 3, 3, 2, 3], "event": [1, 1, 0, 0, 1, 2]})
    >>> found = crossover(people).select(time=3).table
    >>> found[["group", "estimate"]].values.tolist()
    [['control', 0.25]]
    """
    table, notes = data, tuple[str, ...]()
    if isinstance(data, FollowUp):
        columns = [c for c in (*as_list(by), *as_list(weights), *as_list(cluster)) if c not in data.crossover]
        require(data.baseline, columns)
        table = data.crossover.merge(data.baseline[["person_id", *columns]], on="person_id", validate="one_to_one")
        known = table["time"].notna()
        if not known.all():
            notes = (f"{int((~known).sum())} people left out: whether they had started is not known in month 0",)
        table = table[known]
    assert isinstance(table, pd.DataFrame)
    if table.empty:
        raise UnsupportedError("there is nobody of whom it is known in month 0 whether supported employment had started")
    found = cumulative_incidence(table, time=time, event=event, by=by, weights=weights, weight_type=weight_type, cluster=cluster,
                                 interval=interval)  # fmt: skip
    return replace(found, table=found.table.assign(outcome="crossover"), title="Supported employment started",
                   references=INCIDENCE, notes=(*found.notes, *notes))  # fmt: skip


@supports(
    ties="", competing="", instead="employment_rates, compare_arms and months_in_work take it, on months before a crossover"
)
def treatment_strategies(
    data: Data, outcome: str, arm: str = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    covariates: str | Sequence[str] | None = None, *, until: str | Sequence[str] | None = None, crossover: str = "crossover",
    dead: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """The arms compared as randomised, and until supported employment starts in the reference arm, side by side.

    Three answers to what becomes of a control who starts the service.
    "treatment_policy": nothing, the person counts where randomised; this is
    the main answer. "while_on_treatment": months from the start on are not
    counted. "weighted": the same, with those who stay on weighted up to
    stand for those who left and were like them at inclusion (inverse
    probability of not having started, from a Cox model of starting).

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    outcome : str
        True/false column; missing means not observed.
    arm, reference : str
        Column, and the arm that others are compared with; a FollowUp knows it.
    at : int or list of int, optional
        Months of the shares; a FollowUp's landmarks, or the last month.
    covariates : str or list of str, optional
        What is known at inclusion and explains who starts: asks for
        "weighted". Of a FollowUp those of ``[crossover] weights``.
        Missing groups are a level, missing numbers are taken as the median.
    until : str or list of str, optional
        Arms whose months after a start are left out; the reference.
    crossover : str
        Column of a DataFrame: month of the person's start, the same in all of
        their rows; missing without.
    dead : str, optional
        True/false column of a DataFrame. Months after death are no months in work.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        ``strategy`` as above; ``crossed``, the people of the row's arms whose
        months are left out who started by its month. Measures "rate" (by ``group`` and month) and
        "risk_difference" (by ``contrast``), 0 to 1; "months_in_work" and
        "months_in_work_difference" (months 1 to the last); of a FollowUp also
        ``outcome`` "first_job": "cumulative_incidence" at ``time`` by group,
        and "mean" and "mean_difference" (months since the first job, up to
        ``time``). Weighted answers are of rates and months in work.

    Raises
    ------
    UnsupportedError
        Without a reference arm; for unknown columns or months, and starts that
        are not whole or differ within a person.

    Notes
    -----
    Somebody who starts in month m is not counted from month m on. Errors of
    weighted answers take the weights as known, which tends to make them too
    wide. They are left out, with a note, where fewer than 5 starts stand
    behind a coefficient. After death nobody starts: a weight stays what it was.

    References
    ----------
    ICH E9(R1), 2019. Robins JM, Finkelstein DM. Correcting for noncompliance
    and dependent censoring in an AIDS clinical trial with inverse probability
    of censoring weighted (IPCW) log-rank tests. Biometrics 2000;56:779-788.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4] * 2, "month": [1] * 4 + [2] * 4, "arm": ["ips", "ips", "tau", "tau"] * 2,
    ...                      "works": [0, 1, 0, 0, 1, 1, 0, 1], "crossover": [None, None, None, 2] * 2})
    >>> found = treatment_strategies(rows, "works", reference="tau").select(measure="rate", group="tau").table
    >>> found[["strategy", "n", "estimate"]].values.tolist()
    [['treatment_policy', 2, 0.5], ['while_on_treatment', 1, 0.0]]
    """
    names = as_list(covariates)
    if isinstance(data, FollowUp):
        names = names or list(data.study.crossover_plan.weights)
        at = data.study.follow_up.landmarks if at is None else at
        started = data.crossover.set_index("person_id")["month"]
        table = data.months_with([arm, *names])
        require(table, [outcome, arm, *names])
        until_seen = data.crossover.set_index("person_id")["time"]
        table = table.assign(crossover=table["person_id"].map(started), dead=(table["reason"] == "dead"),
                             _seen=table["person_id"].map(until_seen))  # fmt: skip
        month, person_id, crossover, dead = "month", "person_id", "crossover", "dead"
    else:
        month = month or "month"
        require(data, [outcome, arm, month, person_id, crossover, *as_list(dead), *names])
        # checked before anything is left out: a start is one of the person's whole rows
        table = data.assign(**{crossover: _starts(data, crossover, person_id)})
        table = table.assign(dead=False) if dead is None else table
        dead = dead or "dead"
    table, notes = with_arm(table[table[month] >= 0], arm)
    if table.empty:
        raise UnsupportedError("there is nobody in the data")
    base = own_reference(data, reference)
    arms = sorted(table[arm].unique())
    if base is None or base not in arms:
        raise UnsupportedError(f"name the arm that others are compared with: reference=, one of {', '.join(arms)}")
    left = as_list(until) or [base]
    if strange := [name for name in left if name not in arms]:
        raise UnsupportedError(f"there is nobody in arm {', '.join(strange)} (until=); there are: {', '.join(arms)}")
    table = table[table[month] >= 1]
    wanted = [int(table[month].max())] if at is None else [at] if isinstance(at, int) else list(at)
    start = table[crossover].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    gone = table[arm].isin(left).to_numpy() & (table[month].to_numpy(dtype=float) >= start)
    tables = {"treatment_policy": table,
              "while_on_treatment": table.assign(**{outcome: table[outcome].mask(gone), dead: table[dead].mask(gone, False)})}  # fmt: skip
    parts = []
    for strategy, own in tables.items():
        found = [
            employment_rates(own, outcome, by=arm, at=wanted, month=month).table,
            compare_arms(own, outcome, arm, base, at=wanted, month=month).select(measure="risk_difference").table,
            months_in_work(own, outcome, arm, base, dead=dead, month=month, person_id=person_id).table,
        ]
        parts.append(under(found).assign(strategy=strategy))
    if isinstance(data, FollowUp):
        parts += [rows.assign(strategy=name) for name, rows in _first_jobs(data, arm, base, left, wanted).items()]
    weighted = ""
    if names:
        given = Staying(table, outcome, arm, left, month, person_id, crossover, dead, gone, "_seen" if "_seen" in table else None)
        weights, told = staying_weights(given, names)
        notes = (*notes, *told)
        if weights is not None:
            own = tables["while_on_treatment"].assign(_weight=weights)
            rates = employment_rates(
                own, outcome, by=arm, at=wanted, month=month, weights="_weight", weight_type="probability"
            ).table
            rows = [rates, weighted_differences(rates, base), weighted_months(given, weights, base)]
            parts.append(under(rows).assign(strategy="weighted"))
            weighted = f"; weighted by the inverse probability of not having started, given {', '.join(names)} (Cox)"
    last = int(table[month].max())
    firsts = pd.DataFrame({"arm": table[arm], "start": start, "person": table[person_id]}).drop_duplicates("person")
    crossed = {name: np.sort(firsts.loc[firsts["arm"] == name, "start"].dropna()) for name in left}
    by_last = sum(int(np.searchsorted(starts, last, side="right")) for starts in crossed.values())
    notes = (*notes, f"{by_last} people in {', '.join(left)} started by month {last}; {INFORMATIVE}")
    found_table = under(parts).assign(subgroup="", level="")
    until_then = found_table["month"].astype("Float64").fillna(found_table["time"].astype("Float64")).to_numpy(dtype=float)
    sides = [[group] if group else contrast.split(" - ") for group, contrast in
             zip(found_table["group"].fillna(""), found_table["contrast"].fillna(""), strict=True)]  # fmt: skip
    found_table["crossed"] = [sum(int(np.searchsorted(crossed[name], then, side="right")) for name in names_ if name in crossed)
                              for names_, then in zip(sides, until_then, strict=True)]  # fmt: skip
    found_table["outcome"] = found_table["outcome"].replace("event", "first_job")
    return Estimates(tidy(found_table[[c for c in found_table if c not in (arm, "critical")]]),
                     "As randomised, and while on treatment", _METHOD.format(arms=", ".join(left), weighted=weighted),
                     (*E9, *(WEIGHTING if weighted else ())), "forest", notes)  # fmt: skip


def _starts(table: pd.DataFrame, crossover: str, person_id: str) -> np.ndarray:
    """Month of the start in each row of a person, empty without one."""
    start = pd.to_numeric(table[crossover], errors="coerce").astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    strange = (np.isnan(start) & table[crossover].notna().to_numpy()) | (np.isfinite(start) & (start != np.floor(start)))
    if strange.any():
        raise UnsupportedError(f"{int(strange.sum())} values of {crossover} are no whole months: write the month of the start")
    each = pd.DataFrame({"person": table[person_id].to_numpy(), "start": start}).drop_duplicates()
    many = int((each["person"].value_counts() > 1).sum())
    if many:
        raise UnsupportedError(f"{many} people have rows that differ in {crossover}: write the month of the start in all of them")
    return start


def _first_jobs(data: FollowUp, arm: str, base: str, left: Sequence[str], at: Sequence[int]) -> dict[str, pd.DataFrame]:
    """Time to the first job under both strategies: incidence at the months, and months since the job."""
    people = data.at_risk
    people = people[people[arm].notna()].assign(**{arm: lambda t: t[arm].astype(str)})
    if people.empty:
        return {}
    start = people["person_id"].map(data.crossover.set_index("person_id")["month"]).astype("Float64")
    start = start.to_numpy(dtype=float, na_value=np.inf)
    time, event = people["time"].to_numpy(dtype=np.int64), people["event"].to_numpy(dtype=np.int64)
    gone = people[arm].isin(left).to_numpy() & (start <= time)
    cut = people.assign(time=np.where(gone, np.where(gone, start, 0) - 1, time).astype(np.int64), event=np.where(gone, 0, event))
    made = {}
    # somebody who had started in month 0 has no time on treatment
    for name, rows in {"treatment_policy": people, "while_on_treatment": cut[cut["time"] >= 0]}.items():
        curve = cumulative_incidence(rows, by=arm).table
        # the row of a month counts the events of that month alone: here they are those until then
        curve["events"] = curve.groupby("group")["events"].cumsum()
        parts = [curve[curve["time"].isin(list(at))]]
        if set(rows[arm]) > {base}:
            for horizon in at:
                try:
                    means = months_gained(rows, by=arm, horizon=horizon, reference=base).select(
                        measure=["mean", "mean_difference"]
                    )
                except UnsupportedError:
                    # nobody is followed so far in some arm: that month has no mean
                    continue
                parts.append(means.table.assign(time=horizon, events=pd.NA))
        common = ["outcome", "measure", "group", "contrast", "time", "n", "events", "estimate", "std_error", "conf_low", "conf_high",
                  "p_value", "method"]  # fmt: skip
        joined = under(parts)
        made[name] = joined[[c for c in common if c in joined]].assign(outcome="first_job")
    return made
