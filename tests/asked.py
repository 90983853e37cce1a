"""How each public estimator is asked, on which data: the ground of test_capabilities, test_edges and the page on R.

A new estimator needs a row here; test_capabilities fails until it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ips_outcomes import Estimates, analysis

Kind = Literal["times", "people", "months"]
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value", "statistic", "coefficient"]
REGRESSION = "ips + age"
#: What the three sites of `people` are rated at.
CENTRES = pd.DataFrame({"site": ["a", "b", "c"], "centre": ["a", "b", "c"], "fidelity": [101.0, 88.0, 112.0]})
#: One result in print that is measured within the months of `months`, and one after them.
STARTED_PRINT = ["reme_2019_month_12", "eqolise_2007"]
PREDICTED: dict[str, Any] = {"outcome": "works", "covariates": ["age", "site"], "reference": "control", "repeats": 2}


@dataclass(frozen=True)
class Asked:
    """One estimator: the data it takes and the arguments that it needs."""

    kind: Kind
    options: dict[str, Any] = field(default_factory=dict)
    #: Arguments on top, where strata are asked for (groups and strata together).
    with_strata: dict[str, Any] = field(default_factory=dict)
    #: How many events the data may name: estimators without competing events are asked without.
    competing: bool = False
    #: First positional argument after the data.
    formula: str | None = None
    #: Random numbers are drawn: shuffled rows give another draw, so only estimates are compared.
    drawn: bool = False


ASKED: dict[str, Asked] = {
    "kaplan_meier": Asked("times", {"by": "arm"}),
    "nelson_aalen": Asked("times", {"by": "arm"}),
    "survival_quantiles": Asked("times", {"by": "arm"}),
    "cumulative_incidence": Asked("times", {"by": "arm"}, competing=True),
    "log_rank": Asked("times", {"by": "arm"}, competing=True),
    "expected_events": Asked("times", {"by": "arm"}, competing=True),
    "gray_test": Asked("times", {"by": "arm"}, competing=True),
    "rmst": Asked("times", {"by": "arm", "horizon": 12, "reference": "control"}),
    "months_gained": Asked("times", {"by": "arm", "horizon": 12, "reference": "control"}, competing=True),
    "cox": Asked("times", competing=True, formula=REGRESSION),
    "fine_gray": Asked("times", competing=True, formula=REGRESSION),
    "proportional_hazards_test": Asked("times", competing=True, formula=REGRESSION),
    "hazard_ratio": Asked("times", {"reference": "control"}, competing=True),
    "parametric_survival": Asked("times", {"by": "arm"}, competing=True),
    "predicted_incidence": Asked("times", {"by": "arm"}, competing=True, formula="arm + age"),
    "employment_rates": Asked("people", {"outcome": "works", "by": "arm"}),
    "compare_arms": Asked("people", {"outcome": "works", "arm": "arm", "reference": "control"}),
    "employment_curves": Asked("months", {"outcome": "works", "reference": "control", "draws": 500}, drawn=True),
    "panel_effect": Asked("months", {"outcome": "works", "reference": "control", "months": [2, 5, 8]}),
    "subgroup_effects": Asked(
        "people", {"subgroups": "site", "outcome": "works", "reference": "control", "draws": 200}, drawn=True
    ),
    "effect_by": Asked(
        "people", {"modifier": "age", "outcome": "works", "kind": "rate", "reference": "control", "draws": 200}, drawn=True
    ),
    "effect_in_windows": Asked(
        "people", {"modifier": "age", "outcome": "works", "kind": "rate", "reference": "control", "draws": 200}, drawn=True
    ),
    "centre_effects": Asked("people", {"outcome": "works", "centre": "site", "reference": "control"}),
    "centre_modifiers": Asked(
        "people", {"values": CENTRES, "modifier": "fidelity", "outcome": "works", "centre": "site", "reference": "control"}
    ),
    "process_table": Asked("people", {"centre_measures": CENTRES.assign(measure="fidelity", value=CENTRES["fidelity"])}),
    "heterogeneity_test": Asked("people", PREDICTED, drawn=True),
    "targeting_curve": Asked("people", PREDICTED | {"draws": 50}, drawn=True),
    "sorted_groups": Asked("people", PREDICTED, drawn=True),
    "subgroup_global_test": Asked(
        "people", {"subgroups": "site", "outcome": "works", "reference": "control", "permutations": 200}, drawn=True
    ),
    "months_in_work": Asked("months", {"outcome": "works", "reference": "control"}),
    "work_sums": Asked("months", {"outcome": "works", "reference": "control"}),
    "staying_in_work": Asked("months", {"outcome": "works", "reference": "control"}),
    "jobs_held": Asked("people", {"jobs": "works", "longest": "age", "reference": "control"}),
    "job_tenure": Asked("times", {"time": "time", "event": "event", "by": "arm"}),
    "tenure_quartiles": Asked("times", {"time": "time", "event": "event", "by": "arm"}),
    "re_entry": Asked("times", {"time": "time", "event": "event", "by": "arm"}, competing=True),
    "bootstrap_rmst": Asked("times", {"by": "arm", "horizon": 12, "reference": "control", "replicates": 200}, drawn=True),
    "bootstrap_curves": Asked("months", {"outcome": "works", "reference": "control", "replicates": 200}, drawn=True),
    "randomisation_test": Asked("times", {"statistic": "log_rank", "reference": "control", "permutations": 200}, drawn=True),
    "crossover": Asked("times", competing=True),
    "treatment_strategies": Asked(
        "months", {"outcome": "works", "reference": "control", "crossover": "start", "covariates": ["age"]}
    ),
    "beside_published": Asked("months", {"outcome": "works", "reference": "control", "names": STARTED_PRINT}),
    "state_occupation": Asked("months", {"start": 1}),
    "state_shares": Asked("months", {"start": 1}),
    "state_transitions": Asked("months", {"start": 1}),
    "months_in_states": Asked("months", {"start": 1, "reference": "control"}),
    "trends": Asked("months", {"outcome": "works", "reference": "control", "start": 3, "end": 8}),
    "piecewise_trends": Asked("months", {"outcome": "works", "reference": "control", "start": 1, "knot": 4, "end": 8}),
    "history_check": Asked("months", {"outcome": "works", "reference": "control", "start": 1, "end": 8}),
    "period_adjusted_rates": Asked("months", {"outcome": "works", "reference": "control", "at": [2, 8]}),
}


def people(seed: int = 1, n: int = 240) -> pd.DataFrame:
    """A row a person: heavy ties, delayed entry, two kinds of weights, 40 employers, three sites; no event beyond 1."""
    rng = np.random.default_rng(seed)
    ips, age = np.arange(n) % 2, rng.integers(20, 60, n)
    rate = 0.09 * np.exp(0.5 * ips - 0.02 * (age - 40))
    time = np.minimum(rng.geometric(rate) + 1, 18)
    event = np.where(time == 18, 0, rng.choice([0, 1, 2], n, p=[0.2, 0.6, 0.2]))
    table = pd.DataFrame({
        "person_id": np.arange(n), "arm": np.where(ips == 1, "ips", "control"), "ips": ips, "age": age, "time": time, "event": event,
        "entry": np.minimum(rng.integers(0, 5, n), time - 1), "employer": rng.integers(0, 40, n),
        "site": rng.choice(["a", "b", "c"], n), "copies": rng.integers(1, 4, n), "weight": rng.uniform(0.5, 3, n).round(3),
    })  # fmt: skip
    chance = 0.2 + 0.2 * ips + 0.2 * (table["site"] == "a")
    # two centres and people of one age are alike
    table["works"] = (rng.random(n) < chance).astype(int)
    # process records, days and months from inclusion; nothing drawn, so that the rest stays as it was
    waits = {
        f"{name}_days": (7 * k * table["person_id"]) % 60 for k, name in enumerate(("contact", "employer_contact", "job_plan"), 1)
    }
    seen = {f"{name}_seen": 400 for name in ("contact", "employer_contact", "job_plan")}
    return table.assign(centre=table["site"], **waits, **seen, job_months=table["time"].where(table["event"] == 1),
                        job_seen=table["time"], practice_days=table["age"], practice_ended=True)  # fmt: skip


def months(seed: int = 1, n: int = 240) -> pd.DataFrame:
    """The same people, a row a person and month 1 to 8."""
    rng = np.random.default_rng(seed + 1)
    table = people(seed, n).drop(columns="works")
    long = table.loc[table.index.repeat(8)].reset_index(drop=True)
    long["month"] = np.tile(np.arange(1, 9), n)
    lasting = np.repeat(rng.normal(0, 1, n) + 0.5 * np.repeat(rng.normal(0, 1, 40), 1)[table["employer"].to_numpy()], 8)
    risk = -1.5 + 0.12 * long["month"] + 0.6 * long["ips"] + 0.5 * (long["site"] == "a") + lasting
    # a third of the young start another service; nothing drawn here either
    long["start"] = (long["person_id"] % 7 + 2).where((long["person_id"] % 3 == 0) & (long["age"] < 45)).astype("Int64")
    # month 0 is January to August 2014, so that some months lie on both sides of January 2015
    since = long["person_id"] % 8 + long["month"]
    long = long.assign(works=(rng.random(len(long)) < 1 / (1 + np.exp(-risk))).astype(int),
                       calendar_month=(2014 + since // 12) * 100 + since % 12 + 1)  # fmt: skip
    return long.assign(state=np.where(long["works"] == 1, "work", np.where(long["age"] % 2 == 1, "aap", "none")))


def data_for(name: str) -> pd.DataFrame:
    """Data that the estimator takes without complaint."""
    asked = ASKED[name]
    if asked.kind == "months":
        return months()
    table = people()
    if asked.kind == "times" and not asked.competing:
        table["event"] = (table["event"] == 1).astype(int)
    if name == "randomisation_test":
        # arms are drawn again as they were drawn: whole employers, where clusters are named
        table["employer"] = 2 * (table["employer"] // 2) + table["ips"]
    return table


def ask(name: str, data: pd.DataFrame, **options: Any) -> Estimates:
    asked = ASKED[name]
    function: Callable[..., Estimates] = getattr(analysis, name)
    first = [asked.formula] if asked.formula else []
    return function(data, *first, **{**asked.options, **options})


def numbers(answer: Estimates) -> pd.DataFrame:
    """The numbers of an answer, in its own order."""
    return answer.table[[c for c in NUMBERS if c in answer.table]].astype(float).reset_index(drop=True)


def repeated(data: pd.DataFrame, copies: str = "copies") -> pd.DataFrame:
    """Every row as often as it says; copies of a person are other people."""
    times = data[copies].to_numpy()
    out = data.loc[data.index.repeat(times)]
    number = np.concatenate([np.arange(k) for k in times])
    return out.assign(person_id=out["person_id"].to_numpy() * 100 + number).reset_index(drop=True)
