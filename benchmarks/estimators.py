"""Kaplan-Meier, Aalen-Johansen and Cox beside lifelines, scikit-survival, statsmodels, SurPyval and R, in one run.

    python benchmarks/estimators.py [--sizes 100000 1000000] [--runs 3] [--tasks curve incidence cox]

Each peer works in a process of its own on the same rows; its answer is compared with ours in the same run. Tables go to
benchmarks/results/estimators.csv and .md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from estimator_peers import COVARIATES, ERRORS

HERE = Path(__file__).parent
TASKS = {
    "curve": "Kaplan-Meier with errors",
    "incidence": "Aalen-Johansen with errors",
    "cox": "Cox, 10 covariates, cluster-robust errors",
}
PEERS = {
    "curve": ["lifelines", "sksurv", "statsmodels", "surpyval", "R", "ours"],
    "incidence": ["lifelines", "sksurv", "statsmodels", "surpyval", "R", "ours"],
    "cox": ["lifelines", "statsmodels", "surpyval", "R", "ours"],
}
NAMES = {"sksurv": "scikit-survival", "surpyval": "SurPyval", "R": "R survival", "ours": "ips_outcomes"}
#: At least so many times faster than the best peer that gives the same numbers, at a million rows.
GOALS = {"curve": 10.0, "incidence": 10.0, "cox": 2.0}
#: Seconds after which a run is stopped, and said so.
PATIENCE = 600
#: A peer left out from a size on, with the reason.
LEFT_OUT = {("cox", "lifelines"): (1_000_000, "left out: its robust errors cost O(n^2), and the plain fit is shown at 100,000")}


def write_rows(folder: Path, number: int) -> tuple[Path, Path]:
    """Monthly-tied times 0 to 43, events 0, 1 and 2, two groups, clusters of about 20, ten covariates that matter a little."""
    rng = np.random.default_rng(number)
    group = rng.integers(0, 2, number, dtype=np.int8)
    cluster = rng.integers(0, number // 20, number, dtype=np.int32)
    covariates = rng.standard_normal((number, len(COVARIATES)))
    covariates[:, ::3] = covariates[:, ::3] > 0.5
    shared = 0.3 * rng.standard_normal(number // 20)[cluster]
    risk = np.exp(covariates @ np.linspace(-0.2, 0.2, len(COVARIATES)) + 0.4 * group + shared)
    job = np.floor(rng.exponential(40 / risk))
    death = np.floor(rng.exponential(400, number))
    censored = np.where(rng.random(number) < 0.3, rng.integers(1, 44, number), 43)
    time = np.minimum(np.minimum(job, death), censored)
    event = np.where(job <= np.minimum(death, censored), 1, np.where(death <= censored, 2, 0))
    # everybody is seen at some time above 0, as in a study that excludes those who work at its start
    time, event = np.maximum(time, 1).astype(np.int32), event.astype(np.int8)
    columns = {"time": time, "event": event, "group": group, "cluster": cluster}
    columns |= {name: covariates[:, i].copy() for i, name in enumerate(COVARIATES)}
    path, plain = folder / f"rows_{number}.npz", folder / f"rows_{number}"
    np.savez(path, **columns)
    plain.mkdir()
    for name, values in columns.items():
        (plain / f"{name}.bin").write_bytes(values.astype("<f8" if values.dtype == float else "<i4").tobytes())
    return path, plain


def once(task: str, peer: str, path: Path, plain: Path, number: int) -> dict | str:
    """What one run said, or why it said nothing."""
    if peer == "R":
        if shutil.which("Rscript") is None:
            return "R is not installed"
        command = ["Rscript", str(HERE / "estimators.R"), task, str(plain), str(number)]
    else:
        command = [sys.executable, str(HERE / "estimator_peers.py"), task, peer, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment)
    except subprocess.TimeoutExpired:
        return f"stopped after {PATIENCE} s"
    if done.returncode:
        print(f"  {task} {peer} {number}: {done.stderr[-400:]}", file=sys.stderr)
        return f"ended with {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1])


def furthest(a: list, b: list) -> float:
    """Largest relative difference of two lists; where either is empty there is nothing to compare."""
    x, y = np.array(a, dtype=float), np.array(b, dtype=float)
    if x.shape != y.shape:
        return float("inf")
    known = np.isfinite(x) & np.isfinite(y) & (np.maximum(np.abs(x), np.abs(y)) > 1e-14)
    return float((np.abs(x - y)[known] / np.abs(y)[known]).max()) if known.any() else float("nan")


def same(task: str, peer: str, ours: dict, theirs: dict) -> dict[str, object]:
    """Largest differences and a yes or no for estimates (1e-6) and errors or limits (1e-5)."""
    estimate = furthest(theirs["estimate"], ours["estimate"])
    shared = [k for k in ("std_error", "conf_low", "conf_high") if theirs.get(k) and ours.get(k)]
    errors = max((furthest(theirs[k], ours[k]) for k in shared), default=float("nan"))
    return {
        "estimate_differs": estimate, "errors_differ": errors, "same_estimates": "yes" if estimate <= 1e-6 else "no",
        "same_errors": "not given" if not shared else "yes" if errors <= 1e-5 else "no",
    }  # fmt: skip


def left_out(task: str, peer: str, number: int, before: list[dict]) -> str:
    """Why a peer is not asked at this size, if it is not: a fixed reason, or a smaller size that took too long already."""
    size, reason = LEFT_OUT.get((task, peer), (0, ""))
    if reason and number >= size:
        return reason
    smaller = [r for r in before if (r["task"], r["peer"]) == (task, peer) and r["rows"] < number]
    if smaller and smaller[-1]["seconds"] is None:
        return smaller[-1]["word"]
    if smaller and smaller[-1]["seconds"] * number / smaller[-1]["rows"] > PATIENCE:
        return f"left out: {smaller[-1]['seconds']:.0f} s at {smaller[-1]['rows']:,} already"
    return ""


def measured(task: str, number: int, path: Path, plain: Path, runs: int, peers: list[str], before: list[dict]) -> list[dict]:
    rows, answers = [], {}
    for peer in [p for p in PEERS[task] if p in peers]:
        row = {
            "task": task,
            "rows": number,
            "peer": peer,
            "seconds": None,
            "peak_mib": None,
            "start_seconds": None,
            "runs": 0,
            "word": "",
        }
        found: list[dict] = []
        row["word"] = left_out(task, peer, number, before)
        if not row["word"]:
            for _ in range(runs):
                run = once(task, peer, path, plain, number)
                if isinstance(run, str):
                    row["word"] = run
                    break
                found.append(run)
                if run["seconds"] > 60:
                    break
        if found:
            answers[peer] = found[0]
            starts = [r["start"] for r in found if r["start"] is not None]
            row |= {
                "seconds": round(statistics.median(r["seconds"] for r in found), 4), "peak_mib": round(max(r["peak_mib"] for r in found)),
                "start_seconds": round(statistics.median(starts), 2) if starts else None, "runs": len(found),
            }  # fmt: skip
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    for row in rows:
        if row["peer"] in answers and "ours" in answers:
            row |= same(task, row["peer"], answers["ours"], answers[row["peer"]])
    return rows


def shown(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.0e}"


def machine() -> str:
    names = ("numpy", "pandas", "lifelines", "scikit-survival", "statsmodels", "surpyval")
    cpu = next((x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    tools = [f"{name} {version(name)}" for name in names]
    if shutil.which("Rscript"):
        asked = 'cat(as.character(getRversion()), "and survival", as.character(packageVersion("survival")))'
        tools.append("R " + subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, check=False).stdout)
    return f"Python {platform.python_version()}, {', '.join(tools)}; {os.cpu_count()} cores ({cpu or platform.machine()})"


def report(rows: list[dict], sizes: list[int], name: str) -> str:
    lines = ["# Time to event, peers side by side", "", f"Command: `python benchmarks/estimators.py {' '.join(sys.argv[1:])}`. {machine()}.", "",
             "Seconds from typed columns in memory to estimates and errors, median of the runs, each in a process of its own; imports and",
             "reading the file are not in them. Peak is the whole process's resident memory, the data included. Same numbers: estimates",
             "within 1e-6 and errors (or limits, where a peer gives those) within 1e-5 of ours, relative, in this very run. The best",
             "peer is the fastest of those that give the same numbers.", ""]  # fmt: skip
    for task in [t for t in TASKS if any(r["task"] == t for r in rows)]:
        lines += [f"## {TASKS[task]}", "",
                  "| rows | peer | seconds | peak MiB | same estimates | differ by | same errors | differ by | times ours |",
                  "| ---: | --- | ---: | ---: | --- | ---: | --- | ---: | ---: |"]  # fmt: skip
        for row in [r for r in rows if r["task"] == task]:
            ours = next(
                (r["seconds"] for r in rows if r["task"] == task and r["rows"] == row["rows"] and r["peer"] == "ours"), None
            )
            times = f"{row['seconds'] / ours:.1f}" if row["seconds"] and ours else ""
            errors = row.get("same_errors", "")
            if (task, row["peer"]) in ERRORS and errors:
                errors += f" ({ERRORS[task, row['peer']]})"
            cells = [f"{row['rows']:,}", NAMES.get(row["peer"], row["peer"]), row["seconds"] if row["seconds"] is not None else row["word"],
                     row["peak_mib"] or "", row.get("same_estimates", ""), shown(row.get("estimate_differs")), errors,
                     shown(row.get("errors_differ")), times]  # fmt: skip
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        lines += ["", *verdicts(rows, task, sizes), ""]
    return "\n".join(lines)


def verdicts(rows: list[dict], task: str, sizes: list[int]) -> list[str]:
    """Ours against the best peer, growth, and memory."""
    told = []
    here = [r for r in rows if r["task"] == task and r["seconds"]]
    ours = {r["rows"]: r for r in here if r["peer"] == "ours"}
    for size in [s for s in sizes if s in ours]:
        peers = [r for r in here if r["rows"] == size and r["peer"] != "ours"]
        good = [r for r in peers if r.get("same_estimates") == "yes" and r.get("same_errors") == "yes"]
        for what, chosen in (("the best peer with the same numbers", good), ("the fastest peer, whatever its numbers", peers)):
            if chosen:
                best = min(chosen, key=lambda r: r["seconds"])
                times = best["seconds"] / ours[size]["seconds"]
                goal = ""
                if size == 1_000_000 and what.startswith("the best"):
                    goal = f" (goal at least {GOALS[task]:g}: {'met' if times >= GOALS[task] else '**missed**'})"
                told.append(
                    f"- {size:,} rows: {times:.1f} times faster than {what}, {NAMES.get(best['peer'], best['peer'])}{goal}"
                )
    if {100_000, 1_000_000} <= set(ours):
        growth = ours[1_000_000]["seconds"] / ours[100_000]["seconds"]
        told.append(
            f"- growth: time at 1,000,000 over time at 100,000 is {growth:.1f} (goal under 12: {'met' if growth < 12 else '**missed**'})"
        )
    if task == "cox" and 1_000_000 in ours:
        peak = ours[1_000_000]["peak_mib"]
        told.append(f"- memory at 1,000,000: {peak} MiB (goal under 1024: {'met' if peak < 1024 else '**missed**'})")
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--peers", nargs="+", default=sorted({p for peers in PEERS.values() for p in peers}))
    parser.add_argument("--name", default="estimators")
    asked = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            path, plain = write_rows(Path(folder), size)
            for task in asked.tasks:
                rows += measured(task, size, path, plain, asked.runs, asked.peers, rows)
            path.unlink()
            shutil.rmtree(plain)
    out = HERE / "results"
    out.mkdir(exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (out / f"{asked.name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    (out / f"{asked.name}.md").write_text(report(rows, asked.sizes, asked.name) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
