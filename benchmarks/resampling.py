"""Two thousand bootstrap replicates of 410 people: the 43-month difference curve and the RMST difference, peers side by side.

    python benchmarks/resampling.py [--replicates 2000] [--loop 100]

Through the public functions, from a data frame to the table with intervals; the smallest of several runs. Loops over pandas and
lifelines run ``--loop`` replicates and are told for all of them. R is timed inside R. The estimate of every peer must be the
same and its error alike before its time is written.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from run import machine  # noqa: E402

PEOPLE, MONTHS = 410, 43


def study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Person-months and times to first job of one trial."""
    rng = np.random.default_rng(43)
    arm = np.repeat(["control", "ips"], PEOPLE // 2)
    level = rng.standard_normal((PEOPLE, 1)) + np.where(arm == "ips", 0.4, 0.0)[:, None]
    works = level + 0.6 * rng.standard_normal((PEOPLE, MONTHS)) + np.linspace(-0.5, 0.3, MONTHS) > 0.6
    months = pd.DataFrame({"person_id": np.repeat(np.arange(PEOPLE), MONTHS), "arm": pd.Categorical(np.repeat(arm, MONTHS)),
                           "month": np.tile(np.arange(1, MONTHS + 1), PEOPLE), "works": works.ravel()})  # fmt: skip
    event = works.any(axis=1)
    first = np.where(event, works.argmax(axis=1) + 1, MONTHS)
    return months, pd.DataFrame({"arm": pd.Categorical(arm), "time": first, "event": event.astype(int)})


def best(task, runs: int):
    """Smallest time of several, and the answer."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        answer = task()
        seconds.append(time.perf_counter() - start)
    return min(seconds), answer


def ours(months: pd.DataFrame, times: pd.DataFrame, replicates: int):
    from ips_outcomes.analysis import bootstrap_curves, bootstrap_rmst

    tasks = {"curve": lambda: bootstrap_curves(months, "works", reference="control", replicates=replicates),
             "rmst": lambda: bootstrap_rmst(times, horizon=MONTHS, reference="control", replicates=replicates)}  # fmt: skip
    for name, task in tasks.items():
        task()
        seconds, answer = best(task, 7)
        last = answer.table.iloc[-1]
        yield name, "ips_outcomes", seconds, float(last["estimate"]), float(last["std_error"])


def pandas_loop(months: pd.DataFrame, replicates: int, loop: int):
    wide = months.pivot_table(index=["person_id", "arm"], columns="month", values="works", observed=True).reset_index("arm")

    def difference(rows: pd.DataFrame) -> pd.Series:
        rates = rows.groupby("arm", observed=True).mean()
        return rates.loc["ips"] - rates.loc["control"]

    rng, drawn = np.random.default_rng(1), []
    start = time.perf_counter()
    for _ in range(loop):
        drawn.append(
            difference(wide.groupby("arm", observed=True)[wide.columns.tolist()].sample(frac=1, replace=True, random_state=rng))
        )
    seconds = (time.perf_counter() - start) * replicates / loop
    yield (
        "curve",
        "loop over pandas",
        seconds,
        float(difference(wide).iloc[-1]),
        float(np.std([d.iloc[-1] for d in drawn], ddof=1)),
    )


def lifelines_loop(times: pd.DataFrame, replicates: int, loop: int):
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    def difference(rows: pd.DataFrame) -> float:
        means = {}
        for arm in ("ips", "control"):
            own = rows[rows["arm"] == arm]
            fitted = KaplanMeierFitter().fit(own["time"], own["event"])
            means[arm] = restricted_mean_survival_time(fitted, t=MONTHS)
        return means["ips"] - means["control"]

    rng, drawn = np.random.default_rng(1), []
    start = time.perf_counter()
    for _ in range(loop):
        drawn.append(
            difference(times.groupby("arm", observed=True)[times.columns.tolist()].sample(frac=1, replace=True, random_state=rng))
        )
    seconds = (time.perf_counter() - start) * replicates / loop
    yield "rmst", "loop over lifelines", seconds, difference(times), float(np.std(drawn, ddof=1))


def r_peers(months: pd.DataFrame, times: pd.DataFrame, replicates: int):
    if shutil.which("Rscript") is None:
        print("R is not here: its boot and survival are left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        wide = months.assign(works=months["works"].astype(int)).pivot_table(
            index=["person_id", "arm"], columns="month", values="works", observed=True
        )
        wide.reset_index("arm").to_csv(Path(folder) / "months.csv", index=False)
        times.to_csv(Path(folder) / "times.csv", index=False)
        command = ["Rscript", str(HERE / "resampling_peers.R"), folder, str(replicates)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"R could not run (packages boot and survival are needed): {done.stderr.strip().splitlines()[-1]}")
        return
    for line in done.stdout.splitlines():
        name, seconds, estimate, error = line.split()
        yield name, "R boot" if name == "curve" else "R boot and survfit", float(seconds), float(estimate), float(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=100, help="replicates that the loops over pandas and lifelines really run")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    months, times = study()
    rows = [*ours(months, times, options.replicates), *pandas_loop(months, options.replicates, options.loop),
            *lifelines_loop(times, options.replicates, options.loop), *r_peers(months, times, options.replicates)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["task", "peer", "seconds", "estimate", "std_error"])
    own = table[table["peer"] == "ips_outcomes"].set_index("task")
    table["times slower"] = table["seconds"] / table["task"].map(own["seconds"])
    for row in table.itertuples(index=False):
        assert abs(row.estimate - own.at[row.task, "estimate"]) < 1e-8, f"{row.peer} answers another question: {row.estimate}"
        assert abs(row.std_error / own.at[row.task, "std_error"] - 1) < 0.35, f"{row.peer}: error {row.std_error}"
    table = table.sort_values(["task", "seconds"]).round({"seconds": 4, "estimate": 8, "std_error": 4, "times slower": 1})
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "resampling.csv", index=False)
    lines = [f"# {options.replicates:,} bootstrap replicates of {PEOPLE} people", "", f"Loops ran {options.loop} replicates. {machine()}", "",
             "| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]  # fmt: skip
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    (options.out / "resampling.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
