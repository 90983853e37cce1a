"""One task, one peer, one file: run in a process of its own, so that its time and its peak of memory are its own.

Prints a line of JSON: seconds from typed columns in memory to estimates and errors, start (imports and reading the file),
peak of resident memory, the answer, and the errors or limits that the peer gives, on the scale it gives them.

    python benchmarks/estimator_peers.py {curve,incidence,cox} PEER FILE

Every peer answers once on 2,000 rows before the clock starts, and gets what it likes best: ours a data frame with whole-number times and events and a categorical group, the others
NumPy arrays, cut by group inside the clock, as they know no groups.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

LAST = 43
MONTHS = np.arange(LAST + 1)
COVARIATES = [f"x{i}" for i in range(10)]
FORMULA = " + ".join(COVARIATES)
Z95 = 1.959963984540054

#: What a peer's clock leaves out or its numbers mean, shown in the table.
ERRORS = {
    ("curve", "lifelines"): "limits, log-log",
    ("curve", "sksurv"): "limits, log-log",
    ("curve", "statsmodels"): "errors",
    ("curve", "surpyval"): "limits, log-log",
    ("incidence", "lifelines"): "errors",
    ("incidence", "sksurv"): "limits, log-log",
    ("incidence", "statsmodels"): "errors",
    ("incidence", "surpyval"): "limits, log-log",
    ("cox", "lifelines"): "none robust (they cost O(n^2))",
}


def by_group(columns: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Time and event of each group."""
    return [
        (columns["time"][columns["group"] == g], columns["event"][columns["group"] == g])
        for g in range(int(columns["group"].max()) + 1)
    ]


def on_months(times: Any, values: Any, start: float) -> np.ndarray:
    """A step function at months 0 to the last."""
    place = np.searchsorted(np.asarray(times, dtype=float), MONTHS, side="right") - 1
    return np.where(place >= 0, np.asarray(values, dtype=float)[np.maximum(place, 0)], start)


# ---------------------------------------------------------------- Kaplan-Meier


def lifelines_curve(columns):
    from lifelines import KaplanMeierFitter

    answers = []
    for t, e in by_group(columns):
        fit = KaplanMeierFitter().fit(t, e == 1)
        limits = fit.confidence_interval_
        answers.append((fit.survival_function_.index, fit.survival_function_.iloc[:, 0], limits.iloc[:, 0], limits.iloc[:, 1]))
    return answers


def sksurv_curve(columns):
    from sksurv.nonparametric import kaplan_meier_estimator

    answers = []
    for t, e in by_group(columns):
        times, curve, limits = kaplan_meier_estimator(e == 1, t, conf_type="log-log")
        answers.append((times, curve, limits[0], limits[1]))
    return answers


def statsmodels_curve(columns):
    from statsmodels.duration.survfunc import SurvfuncRight

    answers = []
    for t, e in by_group(columns):
        fit = SurvfuncRight(t, (e == 1).astype(int))
        answers.append((fit.surv_times, fit.surv_prob, fit.surv_prob_se))
    return answers


def surpyval_curve(columns):
    from surpyval import KaplanMeier

    answers = []
    for t, e in by_group(columns):
        fit = KaplanMeier.fit(t, c=(e != 1).astype(int))
        limits = fit.cb(fit.x, bound_type="exp")
        answers.append((fit.x, fit.R, limits[:, 0], limits[:, 1]))
    return answers


def ours_curve(frame):
    from ips_outcomes.analysis import kaplan_meier

    return kaplan_meier(frame, time="time", event="happened", by="group")


# ---------------------------------------------------------------- Aalen-Johansen


def lifelines_incidence(columns):
    from lifelines import AalenJohansenFitter

    answers = []
    for t, e in by_group(columns):
        fit = AalenJohansenFitter(calculate_variance=True).fit(t, e, event_of_interest=1)
        answers.append(
            (
                fit.cumulative_density_.index,
                fit.cumulative_density_.iloc[:, 0],
                np.sqrt(np.asarray(fit.variance_, dtype=float).ravel()),
            )
        )
    return answers


def sksurv_incidence(columns):
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    answers = []
    for t, e in by_group(columns):
        times, curve, limits = cumulative_incidence_competing_risks(e, t, conf_type="log-log")
        answers.append((times, curve[1], limits[1, 0], limits[1, 1]))
    return answers


def statsmodels_incidence(columns):
    from statsmodels.duration.survfunc import CumIncidenceRight

    answers = []
    for t, e in by_group(columns):
        fit = CumIncidenceRight(t, e)
        answers.append((fit.times, fit.cinc[0], fit.cinc_se[0]))
    return answers


def surpyval_incidence(columns):
    from surpyval import CompetingRisks

    answers = []
    names = np.array([None, "job", "death"], dtype=object)
    for t, e in by_group(columns):
        fit = CompetingRisks.fit(t, e=names[e])
        limits = fit.cb(fit.x, "job", bound_type="exp")
        answers.append((fit.x, fit.cif(fit.x, "job"), limits[:, 0], limits[:, 1]))
    return answers


def ours_incidence(frame):
    from ips_outcomes.analysis import cumulative_incidence

    return cumulative_incidence(frame, time="time", event="event", by="group")


# ---------------------------------------------------------------- Cox


def surpyval_cox(columns):
    from surpyval import CoxPH

    covariates = np.column_stack([columns[x] for x in COVARIATES])
    fit = CoxPH.fit(columns["time"], covariates, c=(columns["event"] != 1).astype(int))
    return fit.params, np.sqrt(np.diag(fit.robust_covariance(columns["cluster"])))


def statsmodels_cox(columns):
    from statsmodels.duration.hazard_regression import PHReg

    covariates = np.column_stack([columns[x] for x in COVARIATES])
    fit = PHReg(columns["time"], covariates, status=columns["event"] == 1, ties="efron").fit(groups=columns["cluster"])
    return fit.params, fit.bse


def lifelines_cox(columns):
    import pandas as pd
    from lifelines import CoxPHFitter

    table = pd.DataFrame({x: columns[x] for x in COVARIATES}).assign(time=columns["time"], happened=columns["event"] == 1)
    fit = CoxPHFitter().fit(table, "time", "happened")
    return fit.params_.to_numpy(), None


def ours_cox(frame):
    from ips_outcomes.analysis import cox

    return cox(frame, FORMULA, time="time", event="event", cluster="cluster")


# ---------------------------------------------------------------- one run


def told(task: str, peer: str, answer: Any) -> dict[str, list[float] | None]:
    """The answer as plain lists: estimates, and errors or limits."""
    if task == "cox":
        if peer == "ours":
            rows = answer.table.drop_duplicates("term").set_index("term").loc[COVARIATES]
            return {"estimate": rows["coefficient"].tolist(), "std_error": rows["std_error"].tolist()}
        estimate, error = answer
        return {"estimate": np.asarray(estimate).tolist(), "std_error": None if error is None else np.asarray(error).tolist()}
    if peer == "ours":
        rows = answer.table.astype({"time": int}).sort_values(["group", "time"])
        names = ["estimate", "std_error", "conf_low", "conf_high"]
        found = [
            rows[rows["group"] == g].set_index("time").reindex(MONTHS, method="ffill") for g in sorted(rows["group"].unique())
        ]
        return {name: np.concatenate([part[name].to_numpy(dtype=float) for part in found]).tolist() for name in names}
    names = ["estimate", "std_error"] if len(answer[0]) == 3 else ["estimate", "conf_low", "conf_high"]
    first = {"estimate": 1.0 if task == "curve" else 0.0}
    return {
        name: np.concatenate([on_months(part[0], part[i + 1], first.get(name, np.nan)) for part in answer]).tolist()
        for i, name in enumerate(names)
    }


def peak() -> float:
    """MiB of resident memory at its highest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def columns_of(path: Path) -> dict[str, np.ndarray]:
    held = np.load(path)
    return {name: held[name] for name in held.files}


def warm(task: str, peer: str) -> None:
    """Import what the function will import: starting Python is not what is measured."""
    modules = {
        "lifelines": ["lifelines"], "sksurv": ["sksurv.nonparametric"], "surpyval": ["surpyval"],
        "statsmodels": ["statsmodels.duration.survfunc", "statsmodels.duration.hazard_regression"],
        "ours": ["ips_outcomes.analysis", "formulaic"] if task == "cox" else ["ips_outcomes.analysis"],
    }  # fmt: skip
    for module in modules[peer]:
        __import__(module)
    if peer == "surpyval":
        # its modules load at first use
        from surpyval import CompetingRisks, CoxPH, KaplanMeier  # noqa: F401


def main() -> None:
    task, peer, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    warm(task, peer)
    needed = ["time", "event", "group"] if task != "cox" else ["time", "event", "cluster", *COVARIATES]
    held = np.load(path)
    data: Any = {name: held[name] for name in needed}
    if peer == "ours":
        import pandas as pd

        if task != "cox":
            data["group"] = pd.Categorical.from_codes(data["group"], ["control", "ips"])
            if task == "curve":
                data["happened"] = (data.pop("event") == 1).astype(np.int8)
        data = pd.DataFrame(data, copy=False)
    elif peer == "sksurv":
        # it breaks on events of eight bits
        data["event"] = data["event"].astype(np.int64)
    function = globals()[f"{peer}_{task}"]
    # once on a few rows, for every peer: what is loaded or compiled at first use is not what is measured
    function(data.head(2000) if peer == "ours" else {name: values[:2000] for name, values in data.items()})
    before = peak()
    start = time.perf_counter()
    answer = function(data)
    done = time.perf_counter()
    print(
        json.dumps(
            {"seconds": done - start, "start": start - began, "held_mib": before, "peak_mib": peak(), **told(task, peer, answer)}
        )
    )


if __name__ == "__main__":
    main()
