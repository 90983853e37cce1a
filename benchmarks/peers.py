"""One task, one peer, one file: run in a process of its own, so that its time and its peak of memory are its own.

Prints a line of JSON: seconds from the first read to the answer (imports and opening the engine are told apart as start),
peak of resident memory, and the answer's fingerprint, which must be the same for every peer before its time counts.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

#: Months 1 to 43, as in a long-term follow-up: a million spells make 14 million person-months.
WINDOW = (1, 43)
NUMBER = WINDOW[1] - WINDOW[0] + 1


def pandas_expanded(path: Path):
    import pandas as pd

    spells = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    spells["first"], spells["last"] = spells["first"].clip(lower=WINDOW[0]), spells["last"].clip(upper=WINDOW[1])
    people = spells[["person", "arm"]].drop_duplicates()
    spells = spells[spells["last"] >= spells["first"]]
    length = spells["last"] - spells["first"] + 1
    months = spells.loc[spells.index.repeat(length), ["person", "arm", "first"]]
    months["month"] = months["first"] + months.groupby(level=0).cumcount()
    return people, months.drop_duplicates(["person", "month"])[["person", "arm", "month"]]


def pandas_rates(path: Path):
    people, months = pandas_expanded(path)
    events = months.groupby(["arm", "month"]).size().unstack(fill_value=0)
    return events, people["arm"].value_counts()


def pandas_panel(path: Path):
    import pandas as pd

    people, months = pandas_expanded(path)
    grid = people.merge(pd.DataFrame({"month": range(WINDOW[0], WINDOW[1] + 1)}), how="cross")
    panel = grid.merge(months[["person", "month"]].assign(employed=True), on=["person", "month"], how="left")
    panel["employed"] = panel["employed"].eq(True)
    return panel


def polars_expanded(path: Path):
    import polars as pl

    spells = pl.scan_parquet(path) if path.suffix == ".parquet" else pl.scan_csv(path)
    people = spells.select("person", "arm").unique()
    months = (
        spells.with_columns(pl.col("first").clip(lower_bound=WINDOW[0]), pl.col("last").clip(upper_bound=WINDOW[1]))
        .filter(pl.col("last") >= pl.col("first"))
        .select("person", "arm", month=pl.int_ranges("first", pl.col("last") + 1))
        .explode("month")
        .unique(["person", "month"])
    )
    return people, months


def polars_rates(path: Path):
    people, months = polars_expanded(path)
    events = months.group_by("arm", "month").len().collect().to_pandas()
    total = people.group_by("arm").len().collect().to_pandas().set_index("arm")["len"]
    return events.pivot(index="arm", columns="month", values="len").fillna(0), total


def polars_panel(path: Path):
    import polars as pl

    people, months = polars_expanded(path)
    grid = people.join(pl.LazyFrame({"month": range(WINDOW[0], WINDOW[1] + 1)}), how="cross")
    return (
        grid.join(months.select("person", "month", employed=pl.lit(True)), on=["person", "month"], how="left")
        .with_columns(pl.col("employed").fill_null(False))
        .collect()
    )


def _ips_words(engine, path: Path):
    from ips_outcomes.engine import spell_words

    # text of plain numbers without a layout: what a staged delivery is made from
    spells = engine.read_parquet([path]) if path.suffix == ".parquet" else engine._connection.read_csv(str(path))
    return spell_words(spells, "person", window=WINDOW, words={"yes": None}, carry=["arm"])


def ips_rates(path: Path, engine):
    import numpy as np

    from ips_outcomes.followup.words import PersonWords, columns_of

    people = engine.arrays(_ips_words(engine, path))
    yes = columns_of(people, "yes", WINDOW)
    known = {"job": np.full_like(yes, 2**60 - 1)}
    counts = PersonWords(people["person"], people["arm"], WINDOW, known, {"job": yes}).counts()
    return counts.pivot(index="arm", columns="month", values="events"), counts[counts["month"] == WINDOW[0]].set_index("arm")["n"]


def ips_panel(path: Path, engine):
    import numpy as np
    import pandas as pd

    from ips_outcomes.followup.words import columns_of, unpack

    people = engine.arrays(_ips_words(engine, path))
    cells = unpack(columns_of(people, "yes", WINDOW), WINDOW)
    arms, person = people["arm"], people["person"]
    if len(person) and person.max() < 2**31:
        person = person.astype(np.int32)
    return pd.DataFrame({
        "person": np.repeat(person, NUMBER), "arm": pd.Categorical.from_codes(np.repeat(arms.codes, NUMBER), dtype=arms.dtype),
        "month": np.tile(np.arange(WINDOW[0], WINDOW[1] + 1, dtype=np.int8), len(person)), "employed": cells.ravel(),
    }, copy=False)  # fmt: skip


def fingerprint_rates(answer) -> str:
    events, total = answer
    rows = [
        (arm, int(month), int(events.loc[arm, month]))
        for arm in sorted(events.index)
        for month in range(WINDOW[0], WINDOW[1] + 1)
    ]
    return hashlib.sha256(repr((rows, sorted((arm, int(n)) for arm, n in total.items()))).encode()).hexdigest()[:12]


def fingerprint_panel(panel) -> str:
    """Rows, yes by month, and a sum over persons that depends on who is employed when."""
    import numpy as np

    person, month, employed = (panel[c].to_numpy() for c in ("person", "month", "employed"))
    by_month = np.bincount(month[employed].astype(np.int64), minlength=WINDOW[1] + 1)
    mixed = int((person[employed] % 1_009 * (month[employed].astype(np.int64) + 25)).sum())
    return hashlib.sha256(repr((len(panel), by_month.tolist(), mixed)).encode()).hexdigest()[:12]


def peak() -> float:
    """MiB of resident memory at its highest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    task, peer, path, limit = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    began = time.perf_counter()
    function = globals()[f"{peer}_{task}"]
    if peer == "ips":
        from ips_outcomes.engine import open_engine
        from ips_outcomes.followup import words  # noqa: F401

        with open_engine(memory_limit=limit, threads=2) as engine:
            start = time.perf_counter()
            answer = function(path, engine)
            done = time.perf_counter()
    else:
        __import__(peer)
        if peer == "polars":
            import pandas  # noqa: F401
        start = time.perf_counter()
        answer = function(path)
        done = time.perf_counter()
    highest = peak()
    mark = fingerprint_rates(answer) if task == "rates" else fingerprint_panel(answer)
    print(json.dumps({"seconds": done - start, "start": start - began, "peak_mib": highest, "fingerprint": mark}))


if __name__ == "__main__":
    main()
