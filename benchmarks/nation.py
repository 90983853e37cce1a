"""A nation's monthly rates against a scan of the same columns, in one run; each in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from peers import peak  # noqa: E402
from run import machine  # noqa: E402

COLUMNS = {"person_key": "lopenr_person", "start": "arb_start", "end": "arb_slutt", "kind": "arb_type", "basis": "arb_syss"}
LIMIT = "2 GiB"


def scan(study: Path) -> dict:
    """Read every value of the columns that the counts need, and keep the largest of each."""
    from ips_outcomes.engine import open_engine

    paths = sorted((study.parent / "extracts").glob("ameld_*.parquet"))
    with open_engine(memory_limit=LIMIT, threads=2) as engine:
        start = time.perf_counter()
        table = engine.read_parquet(paths, COLUMNS)
        engine.collect(table.aggregate(n=table.count(), **{c: table[c].max() for c in COLUMNS}))
        return {"seconds": time.perf_counter() - start}


def count(study: Path, definitions: list[str] | None) -> dict:
    from ips_outcomes.engine import open_engine
    from ips_outcomes.followup.national import count_months

    with open_engine(memory_limit=LIMIT, threads=2) as engine:
        start = time.perf_counter()
        counts = count_months(study, engine=engine, definitions=definitions)
        seconds = time.perf_counter() - start
    rows = counts.rows
    return {"seconds": seconds, "rows": int(rows["rows"].sum()), "used": int(rows.loc[rows["rule"] == "used", "rows"].sum()),
            "people": len(counts.words.arm)}  # fmt: skip


def stage(study: Path) -> dict:
    """Read, look through for identity numbers, type and keep every job file, as the first count of a delivery does."""
    from ips_outcomes.loaders.delivery import look_at
    from ips_outcomes.study import load_study

    start = time.perf_counter()
    staged = look_at(load_study(study), "a_ordning", large=True)
    return {"seconds": time.perf_counter() - start, "rows": sum(staged.rows_in.values())}


def once(*words: str) -> dict:
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    parser.add_argument("--only", choices=["scan", "count", "count_keep", "stage"])
    asked = parser.parse_args()
    if asked.only:
        made = {"scan": lambda: scan(asked.study), "count": lambda: count(asked.study, None),
                "count_keep": lambda: count(asked.study, ["any_job"]), "stage": lambda: stage(asked.study)}[asked.only]()  # fmt: skip
        print(json.dumps(made | {"peak_mib": peak()}))
        return
    staged = once(str(asked.study), "--only", "stage")
    scans = sorted((once(str(asked.study), "--only", "scan") for _ in range(3)), key=lambda run: run["seconds"])
    base = scans[1]["seconds"]
    one, three = (once(str(asked.study), "--only", name) for name in ("count_keep", "count"))
    lines = ["# A nation's monthly rates, without a row a person-month", "",
             f"Command: `python benchmarks/nation.py STUDY`. {machine()}. Two threads, memory limit {LIMIT} for the engine.", "",
             f"{one['rows']:,} job rows in 43 monthly Parquet files; {one['people']:,} participants, whose {one['used']:,} rows count; "
             "end to end: study file, participants, lists, residence, deaths, schemes, job rows, counts by arm and month.", "",
             "| what | seconds | times the scan | peak MiB | goal |", "| --- | ---: | ---: | ---: | --- |",
             f"| scan of the same columns (median of 3) | {base:.1f} | 1.0 | {scans[1]['peak_mib']:.0f} | |"]  # fmt: skip
    for name, run in (("rates, one definition", one), ("rates, three definitions, one with schemes subtracted", three)):
        times = run["seconds"] / base
        good = times <= 8 and run["peak_mib"] < 4096
        lines.append(f"| {name} | {run['seconds']:.1f} | {times:.1f} | {run['peak_mib']:.0f} | at most 8 times the scan, "
                     f"under 4096 MiB: {'met' if good else '**missed**'} |")  # fmt: skip
    lines += ["", f"Staging apart, once a delivery (read, looked through for identity numbers, typed, written): {staged['seconds']:.0f} s, "
              f"{staged['rows'] / staged['seconds']:,.0f} rows a second, peak {staged['peak_mib']:.0f} MiB."]  # fmt: skip
    (HERE / "results" / "nation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    head = "what,seconds,peak_mib,rows\n"
    body = "".join(f"{n},{r['seconds']:.3f},{r['peak_mib']:.0f},{r.get('rows', '')}\n"
                   for n, r in (("scan", scans[1]), ("one_definition", one), ("three_definitions", three), ("stage", staged)))  # fmt: skip
    (HERE / "results" / "nation.csv").write_text(head + body, encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
