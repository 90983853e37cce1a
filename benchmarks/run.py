"""Peers side by side, each run in a process of its own; tables go to benchmarks/results."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
GOALS = {"rates": 20, "panel": 10}
LIMITS = {"rates": "700 MiB", "panel": "700 MiB"}
CEILINGS = {"rates": 1024, "panel": 2048}


def write_spells(folder: Path, number: int) -> dict[str, Path]:
    """About three spells a person, starting from three years before to the end of follow-up."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv as arrow_csv

    rng = np.random.default_rng(number)
    people = number // 3
    person = rng.integers(0, people, number)
    first = rng.integers(-36, 44, number)
    table = pa.table({
        "person": person, "arm": pa.array(np.where(np.arange(people) % 2 == 0, "ips", "control")[person].tolist()),
        "first": first, "last": first + rng.geometric(1 / 12, number),
    })  # fmt: skip
    paths = {kind: folder / f"spells_{number}.{kind}" for kind in ("parquet", "csv")}
    pq.write_table(table, paths["parquet"])
    arrow_csv.write_csv(table, paths["csv"], arrow_csv.WriteOptions(quoting_style="none"))
    return paths


def once(task: str, peer: str, path: Path) -> dict | None:
    command = [sys.executable, str(HERE / "peers.py"), task, peer, str(path), LIMITS[task]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # killed for memory, or stopped: said in the table
        print(f"  {task} {peer} {path.name}: ended with {done.returncode} {done.stderr[-200:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> str:
    names = ("duckdb", "ibis-framework", "pandas", "polars", "numpy", "pyarrow")
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ""
    )
    tools = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, {tools}; {os.cpu_count()} cores ({cpu or platform.machine()})"


def exponent(rows: list[dict], task: str, peer: str, kind: str) -> float | None:
    points = [(math.log(r["spells"]), math.log(r["seconds"])) for r in rows
              if (r["task"], r["peer"], r["file"]) == (task, peer, kind) and r["spells"] >= 10**6 and r["seconds"]]  # fmt: skip
    if len(points) < 2:
        return None
    (x0, y0), (x1, y1) = points[0], points[-1]
    return (y1 - y0) / (x1 - x0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--name", default="spells")
    parser.add_argument("--peers", nargs="+", default=["pandas", "polars", "ips"])
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            paths = write_spells(Path(folder), size)
            for kind, path in paths.items():
                for task in ("rates", "panel"):
                    marks = set()
                    for peer in asked.peers:
                        runs = [once(task, peer, path) for _ in range(5 if size < 10**6 else asked.runs if size == 10**6 else 1)]
                        good = [run for run in runs if run is not None]
                        marks |= {run["fingerprint"] for run in good}
                        rows.append({
                            "task": task, "spells": size, "file": kind, "peer": peer, "runs": len(good),
                            "seconds": round(statistics.median(r["seconds"] for r in good), 4) if good else None,
                            "peak_mib": round(max(r["peak_mib"] for r in good)) if good else None,
                            "start_seconds": round(statistics.median(r["start"] for r in good), 2) if good else None,
                        })  # fmt: skip
                        print(rows[-1], file=sys.stderr, flush=True)
                    if len(marks) != 1:
                        raise SystemExit(f"{task} {kind} {size}: the peers' answers differ")
            for path in paths.values():
                path.unlink()
    report(rows, asked.name)


def report(rows: list[dict], name: str) -> None:
    out = HERE / "results"
    out.mkdir(exist_ok=True)
    with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    command = " ".join(["python", "benchmarks/run.py", *sys.argv[1:]])
    lines = [f"# Spells to monthly rates and to a person-month panel ({name})", "", f"Command: `{command}`. {machine()}.", "",
             "Every peer gave the same answer (checked by fingerprint). Seconds from the first read to the answer, median of the",
             "runs; peak is the whole process's resident memory; start is imports and opening the engine, not in seconds.", "",
             "| task | spells | file | peer | seconds | peak MiB | start | times faster than the better of pandas and polars | goal |",
             "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | --- |"]  # fmt: skip
    for row in rows:
        same = [r for r in rows if all(r[k] == row[k] for k in ("task", "spells", "file"))]
        others = [r["seconds"] for r in same if r["peer"] != "ips" and r["seconds"]]
        faster, goal = "", ""
        if row["peer"] == "ips" and row["seconds"]:
            if others:
                times = min(others) / row["seconds"]
                faster = f"{times:.1f}"
                if row["spells"] == 10**6:
                    goal = f"at least {GOALS[row['task']]}: " + ("met" if times >= GOALS[row["task"]] else "**missed**")
            if row["spells"] == 10**7:
                ceiling = CEILINGS[row["task"]]
                goal = f"under {ceiling} MiB: " + ("met" if row["peak_mib"] < ceiling else "**missed**")
        told = [row["task"], f"{row['spells']:,}", row["file"], row["peer"], row["seconds"] or "did not end", row["peak_mib"] or "",
                row["start_seconds"] if row["start_seconds"] is not None else "", faster, goal]  # fmt: skip
        lines.append("| " + " | ".join(str(cell) for cell in told) + " |")
    growth = []
    for task in ("rates", "panel"):
        for kind in ("parquet", "csv"):
            power = exponent(rows, task, "ips", kind)
            if power is not None:
                growth.append(f"- {task} from {kind}: exponent {power:.2f} from 1 to 10 million "
                              f"(goal at most 1.1: {'met' if power <= 1.1 else '**missed**'})")  # fmt: skip
    if growth:
        lines += ["", "Growth of ips_outcomes:", "", *growth]
    (out / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
