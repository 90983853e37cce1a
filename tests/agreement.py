"""Every estimator beside R on one hard data set (tests/golden/agreement.R): what is compared, and how far apart it is.

tests/test_does_it_match_r.py asserts it, and scripts/r_page.py writes the same numbers into docs/does-it-match-r.md, so that
the page cannot say anything else than what the tests see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes import Estimates, analysis

GOLDEN = Path(__file__).parent / "golden"
ESTIMATE, ERROR = 1e-8, 1e-6
ERRORS = ["std_error", "conf_low", "conf_high", "p_value"]
#: Where the answer is exactly 0, arithmetic in another order leaves a crumb of at most this size. Never for p-values.
CRUMB = 1e-14


@dataclass(frozen=True)
class Case:
    """One question, asked here and in R."""

    estimator: str
    case: str
    #: In R: package and function.
    r: str
    options: dict[str, Any]
    #: Column of our answer that R's estimate stands for.
    estimate: str = "estimate"
    data: str = "data_agreement.csv"
    formula: str | None = None
    #: Columns left out of the comparison, with the reason.
    without: tuple[str, ...] = ()
    #: A looser tolerance of the estimate and of errors, with the reason beside the case.
    tolerance: tuple[float, float] = (ESTIMATE, ERROR)


COPIES, WEIGHTS, ENTRY = {"weights": "copies"}, {"weights": "weight", "weight_type": "probability"}, {"entry": "entry"}
JOB, ARMS = {"event": "job", "by": "arm"}, {"by": "arm", "reference": "control"}
SURVFIT = "survival::survfit"
TREND = {"outcome": "works", "reference": "control"}


def _curves() -> list[Case]:
    cases = [Case("kaplan_meier", f"interval {i}", SURVFIT, {**JOB, "interval": i}) for i in ("log-log", "log", "plain")]
    for case, options in {
        "entry": ENTRY, "copies": COPIES, "copies, entry": COPIES | ENTRY, "weights": WEIGHTS, "weights, entry": WEIGHTS | ENTRY,
        "cluster": {"cluster": "employer"}, "weights, cluster": WEIGHTS | {"cluster": "employer"},
    }.items():  # fmt: skip
        cases.append(Case("kaplan_meier", case, SURVFIT, JOB | options))
    cases += [Case("nelson_aalen", case, SURVFIT, JOB | options) for case, options in {"plain": {}, "entry": ENTRY}.items()]
    for case, options in {"plain": {}, "entry": ENTRY}.items():
        cases.append(Case("survival_quantiles", case, "survival::quantile.survfit", JOB | {"probability": [0.25, 0.5]} | options))
    for case, options in {
        "plain": {}, "entry": ENTRY, "copies, entry": COPIES | ENTRY, "weights": WEIGHTS, "weights, entry": WEIGHTS | ENTRY,
    }.items():  # fmt: skip
        for cause in (1, 2):
            cases.append(Case("cumulative_incidence", f"{case}, cause {cause}", SURVFIT, {"by": "arm", "cause": cause} | options))
    return cases


def _tests_and_means() -> list[Case]:
    cases = []
    for case, options in {"three groups": {"by": "site"}, "two arms": {}, "strata": {"strata": "site"}, "copies": COPIES}.items():
        cases.append(Case("log_rank", case, "survival::survdiff", JOB | options, estimate="statistic"))
    for case, options in {"cause 1": {"cause": 1}, "cause 2": {"cause": 2}, "three groups": {"by": "site"}}.items():
        cases.append(Case("gray_test", case, "cmprsk::cuminc", {"by": "arm"} | options, estimate="statistic"))
    # R gives an arm's mean and its error; the interval of an arm alone is ours
    for case, options in {"month 12": {"horizon": 12}, "month 36": {"horizon": 36}, "entry": {"horizon": 36} | ENTRY,
                          "copies": {"horizon": 36} | COPIES}.items():  # fmt: skip
        cases.append(Case("rmst", case, SURVFIT, {"event": "job"} | ARMS | options))
    for horizon in (12, 36):
        cases.append(Case("months_gained", f"month {horizon}", SURVFIT, ARMS | {"horizon": horizon}))
    return cases


def _regression() -> list[Case]:
    cases = []
    for case, options in {
        "efron": {}, "breslow": {"ties": "breslow"}, "entry": ENTRY, "strata": {"strata": "site"}, "cluster": {"cluster": "employer"},
        "cluster, entry, strata": {"cluster": "employer", "strata": "site"} | ENTRY,
        "cluster, breslow": {"cluster": "employer", "ties": "breslow"}, "copies": COPIES, "weights": WEIGHTS,
        "weights, entry, cluster": WEIGHTS | ENTRY | {"cluster": "employer"},
    }.items():  # fmt: skip
        cases.append(Case("cox", case, "survival::coxph", {"event": "job"} | options, formula="ips + age"))
    cases.append(Case("cox", "interaction", "survival::coxph", {"event": "job"}, formula="ips * age"))
    cases.append(Case("cox", "other cause", "survival::coxph", {"cause": 2}, formula="ips + age"))
    cases.append(
        Case("proportional_hazards_test", "km", "survival::cox.zph", {"event": "job"}, estimate="statistic", formula="ips + age")
    )
    # finegray's robust errors take the censoring weights as known; ours, like crr's, count that they are estimated
    known = ("std_error", "conf_low", "conf_high", "p_value")
    for ties in ("efron", "breslow"):
        case = f"survival::finegray {ties}"
        cases.append(Case("fine_gray", case, "survival::finegray", {"ties": ties}, formula="ips + age", without=known))
    crr = {"ties": "breslow", "censoring": "with_events"}
    cases.append(Case("fine_gray", "cmprsk::crr", "cmprsk::crr", crr, formula="ips + age"))
    return cases


def _rates() -> list[Case]:
    people = {"outcome": "works"}
    compared = people | {"reference": "control"}
    cases = [Case("employment_rates", i, r, people | {"by": "arm", "interval": i}, without=("std_error",))
             for i, r in {"wilson": "stats::prop.test", "clopper-pearson": "stats::binom.test"}.items()]  # fmt: skip
    cases.append(Case("compare_arms", "plain", "stats::prop.test, metafor::escalc", compared))
    # the covariates held as they are, as in R's glm and delta method
    cases.append(Case("compare_arms", "adjusted", "stats::glm and the delta method", compared | {"adjust": ["age", "site"]}))
    months = "data_agreement_months.csv"
    cases.append(Case("employment_curves", "plain", "stats::aggregate", TREND | {"draws": 200, "at": [1, 6, 12]}, data=months))
    cases.append(Case("months_in_work", "plain", "stats::t.test", TREND, data=months))
    cases.append(Case("trends", "CR0", "sandwich::vcovCL", TREND | {"start": 4, "end": 12, "correction": "CR0"}, data=months))
    return cases


CASES: tuple[Case, ...] = tuple(_curves() + _tests_and_means() + _regression() + _rates())

#: Estimators without an answer of R's in this table, and where they are proven instead.
ELSEWHERE = {
    "expected_events": "what survival::survdiff adds up, through log_rank: tests/golden/agreement.R",
    "bootstrap_curves": "R's boot with the same resamples: tests/golden/curves.R",
    "bootstrap_rmst": "R's boot with the same resamples: tests/golden/curves.R",
    "randomisation_test": "the same permutations in R: tests/golden/curves.R",
    "panel_effect": "geepack::geeglm: tests/golden/panel.R",
    "predicted_incidence": "survival::survfit of a model: tests/golden/cox.R",
    "parametric_survival": "lifelines, live: tests/test_peers.py",
    "compare_arms, employment_rates: further intervals and tests, Mantel-Haenszel, modified Poisson, weights, Firth": "stats, "
    "metafor, sandwich, survey and hand-written R: tests/golden/rates.R",
    "compare_arms, months_in_work, trends, employment_curves under 30 clusters": "clubSandwich: tests/golden/few_clusters.R",
    "piecewise_trends": "lm with sandwich and clubSandwich: tests/golden/month_models.R",
    "history_check": "lm with sandwich and clubSandwich: tests/golden/month_models.R",
    "period_adjusted_rates": "lm with sandwich and clubSandwich: tests/golden/month_models.R",
    "hazard_ratio": "survival::coxph: tests/golden/make_golden.R",
    "jobs_held": "stats::t.test: tests/golden/staying.R",
    "job_tenure": "survival::survfit: tests/golden/staying.R",
    "tenure_quartiles": "survival::survfit: tests/golden/staying.R",
    "re_entry": "survival::survfit: tests/golden/staying.R",
    "staying_in_work": "by hand on six people, and the functions of its rates and means: tests/test_states.py",
    "work_sums": "stats::t.test, sandwich, clubSandwich: tests/golden/pay_sums.R",
    "heterogeneity_test": "lm with sandwich's HC3, one split: tests/golden/heterogeneity.R",
    "sorted_groups": "lm with sandwich's HC2, one split: tests/golden/heterogeneity.R",
    "targeting_curve": "written out in R, same multipliers: tests/golden/heterogeneity.R",
    "effect_by": "glm, lm with splines::ns and the delta method, sandwich, clubSandwich: tests/golden/smooth.R",
    "effect_in_windows": "compare_arms in each window, and the test by hand: tests/test_smooth_effects.py",
    "centre_effects": "metafor::escalc, rma, predict, blup, confint: tests/golden/centres.R",
    "centre_modifiers": "metafor::rma with mods=: tests/golden/centres.R",
    "crossover": "cumulative_incidence of those who start, and cmprsk::cuminc: tests/golden/strategies.R",
    "treatment_strategies": "stats, and survival::coxph for the weights: tests/golden/strategies.R",
    "beside_published": "by hand; Wilson as above: tests/test_services.py",
    "state_occupation": "survival::survfit, multi-state: tests/golden/states.R",
    "months_in_states": "survival::survfit, multi-state: tests/golden/states.R",
    "state_shares": "counts by hand; Wilson as above: tests/test_states_chapter.py",
    "state_transitions": "counts by hand; Wilson as above: tests/test_states.py",
    "process_table": "by hand; Wilson and Kaplan-Meier as above: tests/test_process.py",
    "subgroup_effects": "glm, lm with sandwich, survival::coxph, clubSandwich, metafor: tests/golden/subgroups.R",
    "subgroup_global_test": "all arrangements of eight people, written out: tests/test_subgroup_global.py",
}


@cache
def read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, float_precision="round_trip", keep_default_na=False, na_values=[""], dtype={"key": str})


def asked(case: Case, seed: int | None = None) -> Estimates:
    """Our answer, on R's rows; with a seed, on the same rows shuffled."""
    function: Callable[..., Estimates] = getattr(analysis, case.estimator)
    rows = read(case.data).copy() if seed is None else read(case.data).sample(frac=1, random_state=seed)
    return function(rows, *([case.formula] if case.formula else []), **case.options)


def _keyed(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows by the words that R's rows carry."""
    if not by:
        return table.assign(key="").set_index("key")
    columns = [table[c].astype(object).where(table[c].notna(), "").map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
               for c in by.split(", ")]  # fmt: skip
    key = columns[0]
    for column in columns[1:]:
        key = key + " " + column
    return table.assign(key=key).set_index("key")


@dataclass(frozen=True)
class Difference:
    """Largest relative differences of one case."""

    case: Case
    rows: int
    estimate: float
    error: float


def _furthest(ours: pd.Series, theirs: pd.Series, p_value: bool) -> float:
    """Largest relative difference; infinite where one is empty and the other not."""
    a, b = ours.to_numpy(dtype=float), theirs.to_numpy(dtype=float)
    told = ~np.isnan(b)
    if np.isnan(a[told]).any():
        return float("inf")
    a, b = a[told], b[told]
    nothing = (np.maximum(np.abs(a), np.abs(b)) <= CRUMB) & (not p_value)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(nothing | (a == b), 0.0, np.abs(a - b) / np.abs(b))
    return float(apart.max()) if len(apart) else 0.0


def difference(case: Case) -> Difference:
    """Ask here, find every row of R's, and tell how far apart they are."""
    answers = read("answers_agreement.csv")
    theirs = answers[(answers["estimator"] == case.estimator) & (answers["case"] == case.case)]
    if theirs.empty:
        raise LookupError(f"R has no answer for {case.estimator}, {case.case}")
    by = theirs["by"].iloc[0]
    found = _keyed(asked(case).table, "" if pd.isna(by) else by)
    theirs = theirs.assign(key=theirs["key"].fillna("")).set_index("key")
    if not found.index.is_unique or not theirs.index.isin(found.index).all():
        raise LookupError(
            f"{case.estimator}, {case.case}: R's rows are not here once each: {sorted(set(theirs.index) - set(found.index))[:3]}"
        )
    ours = found.loc[theirs.index]
    errors = [c for c in ERRORS if c not in case.without and theirs[c].notna().any()]
    return Difference(
        case, len(theirs), _furthest(ours[case.estimate], theirs["estimate"], p_value=False),
        max((_furthest(ours[c], theirs[c], c == "p_value") for c in errors), default=float("nan")),
    )  # fmt: skip
