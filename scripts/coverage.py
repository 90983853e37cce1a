"""Do 95 % intervals hold the truth 95 times in 100? A simulation study of the public functions, seeded and bounded in time.

    python scripts/coverage.py [--replicates 10000] [--small-replicates 2000] [--seed 20260101] [--only NAME ...]

Writes docs/coverage/coverage.csv, small_trials.csv and README.md. The answer depends on the seed and the number of replicates,
not on the number of processes. Truth is computed (scripts/coverage_worlds.py), never simulated.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

# the processes are the parallelism: one thread each
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from coverage_worlds import World, large, small  # noqa: E402

from ips_outcomes.errors import UnsupportedError  # noqa: E402

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "coverage"
#: Replicates a task: small enough to spread, large enough not to wait for the next.
CHUNK = 100
#: What a large sample must reach.
GOOD = (0.94, 0.96)

Tally = dict[str, list[float]]


def one_chunk(asked: tuple[str, str, int, int, int]) -> tuple[str, str, Tally, Counter[str], float]:
    """Run some replicates of one world: by quantity replicates, intervals, covered, sums of estimate, square and width, and time."""
    table, name, seed, chunk, replicates = asked
    worlds = {w.name: w for w in (large() if table == "coverage" else small())}
    world = worlds[name]
    place = sorted(worlds).index(name)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table == "small_trials", place, chunk)))
    truth = world.truth()
    tally: Tally = {quantity: [0.0] * 7 for quantity in truth}
    refusals: Counter[str] = Counter()
    spent = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(replicates):
            data = world.draw(rng)
            began = time.perf_counter()
            try:
                answers = list(world.ask(data))
            except UnsupportedError as error:
                # a refusal is an answer, too: counted, and told with its words
                refusals[str(error)[:160]] += 1
                answers = []
            spent += time.perf_counter() - began
            for row in tally.values():
                row[0] += 1
            for quantity, estimate, low, high in answers:
                row, true = tally[quantity], truth[quantity]
                if math.isfinite(low) and math.isfinite(high) and math.isfinite(estimate):
                    row[1] += 1
                    row[2] += low <= true <= high
                    row[3] += estimate
                    row[4] += estimate * estimate
                    row[5] += high - low
                    row[6] += true < low
    return table, name, tally, refusals, spent


def tasks(table: str, worlds: list[World], seed: int, replicates: int) -> Iterator[tuple[str, str, int, int, int]]:
    for world in worlds:
        for chunk in range(math.ceil(replicates / CHUNK)):
            yield table, world.name, seed, chunk, min(CHUNK, replicates - chunk * CHUNK)


def summed(world: World, tallies: list[Tally]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for quantity, true in world.truth().items():
        total, intervals, covered, first, second, width, above = (sum(t[quantity][i] for t in tallies) for i in range(7))
        share = covered / intervals if intervals else math.nan
        mean = first / intervals if intervals else math.nan
        rows.append({
            "world": world.name, "estimator": world.estimator, "what": world.what, "quantity": quantity, "n": world.n,
            "clusters": world.clusters or "", "replicates": int(total), "with_interval": int(intervals), "truth": f"{true:.6f}",
            "mean_estimate": f"{mean:.6f}",
            "spread": f"{math.sqrt(max(second / intervals - mean * mean, 0.0)) if intervals else math.nan:.6f}",
            "mean_width": f"{width / intervals if intervals else math.nan:.6f}",
            "coverage": f"{share:.4f}",
            "monte_carlo_error": f"{math.sqrt(share * (1 - share) / intervals) if intervals else math.nan:.4f}",
            "truth_below": f"{above / intervals if intervals else math.nan:.4f}",
        })  # fmt: skip
    return rows


def page(parts: dict[str, list[dict[str, object]]], refusals: dict[str, Counter[str]], command: str) -> str:
    lines = [
        "# Do the intervals cover?", "",
        f"Made by `{command}` with ips_outcomes' public functions, numpy {version('numpy')}, pandas {version('pandas')}, "
        f"scipy {version('scipy')}. Truth is computed from the hazards by month, not simulated (scripts/coverage_worlds.py). Times are "
        "whole months 1 to 43, so ties are heavy everywhere. *Coverage* is the share of 95 % intervals that hold the truth, with its "
        "Monte-Carlo error; *below* the share of replicates where the truth lies below the interval (2.5 % where both tails are even).",
        "",
    ]  # fmt: skip
    titles = {
        "coverage": ("## At least 400 people, at least 40 clusters", "Goal: between 94 and 96 %. What lies outside is in bold."),
        "small_trials": ("## Small trials and six centres, as they are",
                         "No goal: what a small trial can expect. *No interval* counts replicates without an answer or an interval."),
    }  # fmt: skip
    for table, rows in parts.items():
        lines += [titles[table][0], "", titles[table][1], "",
                  "| world | what | quantity | n | clusters | truth | mean | coverage % | ± | below % | no interval |",
                  "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
        for row in rows:
            share = float(str(row["coverage"]))
            told = f"{100 * share:.1f}" if math.isfinite(share) else ""
            if table == "coverage" and not GOOD[0] <= share <= GOOD[1]:
                told = f"**{told}**"
            error, below = (float(str(row[k])) for k in ("monte_carlo_error", "truth_below"))
            cells = [row["world"], row["what"], row["quantity"], row["n"], row["clusters"], f"{float(str(row['truth'])):.4f}",
                     f"{float(str(row['mean_estimate'])):.4f}", told, f"{100 * error:.2f}", f"{100 * below:.1f}",
                     int(str(row["replicates"])) - int(str(row["with_interval"])) or ""]  # fmt: skip
            lines.append("| " + " | ".join("" if str(c) == "nan" else str(c) for c in cells) + " |")
        inside = sum(GOOD[0] <= float(str(r["coverage"])) <= GOOD[1] for r in rows)
        if table == "coverage":
            lines += ["", f"{inside} of {len(rows)} quantities lie between 94 and 96 %; {rows[0]['replicates']} replicates each."]
        lines.append("")
    told_refusals = [(world, words, count) for world, counter in refusals.items() for words, count in counter.most_common(3)]
    if told_refusals:
        lines += ["## What was refused, in the functions' own words", ""]
        lines += [f"- {world}: {count} times: {words}" for world, words, count in told_refusals]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--small-replicates", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--only", nargs="+", help="worlds whose names begin so")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    plan = {"coverage": (large(), asked.replicates), "small_trials": (small(), asked.small_replicates)}
    if asked.only:
        plan = {t: ([w for w in worlds if w.name.startswith(tuple(asked.only))], k) for t, (worlds, k) in plan.items()}
    plan = {table: (worlds, k) for table, (worlds, k) in plan.items() if worlds and k}
    jobs = [job for table, (worlds, k) in plan.items() for job in tasks(table, worlds, asked.seed, k)]
    found: dict[tuple[str, str], list[Tally]] = {}
    refusals: dict[str, Counter[str]] = {}
    seconds: dict[tuple[str, str], float] = {}
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        # in order, so that sums of floats are the same again
        for table, name, tally, refused, spent in pool.imap(one_chunk, jobs):
            found.setdefault((table, name), []).append(tally)
            refusals.setdefault(name, Counter()).update(refused)
            seconds[table, name] = seconds.get((table, name), 0.0) + spent
    for (table, name), spent in seconds.items():
        runs = len(found[table, name]) and sum(job[4] for job in jobs if job[:2] == (table, name))
        print(f"{table:13s} {name:40s} {1000 * spent / runs:8.1f} ms a call", file=sys.stderr)
    print(f"{time.perf_counter() - began:.0f} s in all", file=sys.stderr)
    asked.out.mkdir(parents=True, exist_ok=True)
    parts = {table: [row for w in worlds for row in summed(w, found[table, w.name])] for table, (worlds, _) in plan.items()}
    for table, rows in parts.items():
        with (asked.out / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    command = f"python scripts/coverage.py --replicates {asked.replicates} --small-replicates {asked.small_replicates} --seed {asked.seed}"
    (asked.out / "README.md").write_text(page(parts, refusals, command), encoding="utf-8")


if __name__ == "__main__":
    main()
