"""How long 10,000 multiplier draws over 12 subgroups at n = 410 take, beside refitting: writes results/subgroups.csv and .md.

    python benchmarks/subgroups.py [--draws 10000] [--refits 20]

The loop beside it draws arms' outcomes again and fits 12 linear models with statsmodels each time; a few times, extrapolated.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ips_outcomes.analysis import subgroup_effects, subgroup_global_test

OUT = Path(__file__).parent / "results"
NAMES = [f"g{i:02d}" for i in range(12)]


def people(n: int = 410) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    common = rng.normal(size=(n, 1))
    table = pd.DataFrame(
        np.where(0.5 * common + rng.normal(size=(n, 12)) < np.linspace(-1.2, 0.0, 12), "in", "out"), columns=NAMES
    )
    table["arm"] = np.where(rng.permutation(n) < n // 2, "ips", "control")
    return table.assign(works=(rng.random(n) < 0.3 + 0.1 * (table["arm"] == "ips")).astype(int))


def seconds(call, times: int = 3) -> float:  # type: ignore[no-untyped-def]
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def refits(data: pd.DataFrame, number: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    treated = (data["arm"] == "ips").to_numpy(dtype=float)
    y = data["works"].to_numpy(dtype=float)
    for _ in range(number):
        again = y[rng.integers(0, len(y), len(y))]
        for name in NAMES:
            inside = (data[name] == "in").to_numpy(dtype=float)
            _ = sm.OLS(again, np.column_stack([np.ones(len(y)), treated, inside, treated * inside])).fit(cov_type="HC0").tvalues


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--refits", type=int, default=20)
    given = parser.parse_args()
    data = people()
    ours = seconds(lambda: subgroup_effects(data, NAMES, "works", reference="control", draws=given.draws))
    permuted = seconds(lambda: subgroup_global_test(data, NAMES, "works", reference="control", permutations=given.draws))
    loop = seconds(lambda: refits(data, given.refits), 1) * given.draws / given.refits
    rows = [
        {"what": "subgroup_effects, all rows, step-down over the draws", "draws": given.draws, "seconds": f"{ours:.2f}", "how": "measured"},
        {"what": "subgroup_global_test, permutations", "draws": given.draws, "seconds": f"{permuted:.2f}", "how": "measured"},
        {"what": "statsmodels OLS with HC0, refitted", "draws": given.draws, "seconds": f"{loop:.0f}",
         "how": f"extrapolated from {given.refits} draws"},
    ]  # fmt: skip
    OUT.mkdir(exist_ok=True)
    with (OUT / "subgroups.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["# Twelve subgroups at n = 410", "", f"Made by `python benchmarks/subgroups.py --draws {given.draws}`. Best of three.", "",
             "| What | Draws | Seconds | How |", "|---|---:|---:|---|"]  # fmt: skip
    lines += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
    (OUT / "subgroups.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
