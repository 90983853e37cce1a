"""Do many looks at subgroups cry wolf? Simulated trials with a main effect and no interaction, and the coverage of differences.

    python scripts/familywise.py [--replicates 2000] [--coverage-replicates 1000] [--draws 999] [--seed 20260502] [--processes 2]
        [--seconds 600] [--only rate "rate, rare" pay time coverage]

Writes docs/coverage/subgroups.csv and subgroups.md. Familywise error: the share of trials where any of 12 true null hypotheses has an
adjusted p-value of at most 5 %. Power: the same where one subgroup of 40 % has an interaction. Coverage: the share of 95 %
intervals of a difference between two levels, with heterogeneity built in, that hold the truth.
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
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ips_outcomes.analysis.subgroup_family import Family  # noqa: E402
from ips_outcomes.analysis.subgroup_people import people_of  # noqa: E402
from ips_outcomes.analysis.subgroup_questions import Question, primary_scale, with_times  # noqa: E402

OUT = ROOT / "docs" / "coverage"
PEOPLE, CHUNK = 410, 25
SHARES = np.array([0.08, 0.08, 0.10, 0.12, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.50])
#: What each subgroup's members have more (risk; the logarithm of the hazard; of pay), whatever their arm.
PROGNOSIS = np.array([-0.10, 0.10, -0.08, 0.08, -0.06, 0.06, -0.05, 0.05, -0.04, 0.04, -0.03, 0.03])
NAMES = [f"g{i:02d}" for i in range(12)]
#: The subgroup that has an interaction where power is asked, and how much (risk; hazard ratio's logarithm).
CHANGED, MORE = 8, {"rate": 0.25, "time": 0.8, "mean": 8.0}


def trial(rng: np.random.Generator, world: str, power: bool) -> pd.DataFrame:
    """One trial: correlated subgroups, an effect that is the same in everybody on the scale that is tested."""
    common = rng.normal(size=(PEOPLE, 1))
    latent = 0.5 * common + math.sqrt(0.75) * rng.normal(size=(PEOPLE, 12))
    cuts = np.array([-1.405, -1.405, -1.282, -1.175, -0.842, -0.674, -0.524, -0.385, -0.253, -0.126, 0.0, 0.0])
    inside = latent < cuts
    treated = rng.permutation(PEOPLE) < PEOPLE // 2
    prognosis = (inside - SHARES) @ PROGNOSIS
    more = (treated & inside[:, CHANGED]) if power else np.zeros(PEOPLE, dtype=bool)
    table = pd.DataFrame(np.where(inside, "in", "out"), columns=NAMES)
    table["arm"] = np.where(treated, "ips", "control")
    if world.startswith("rate"):
        base = {"rate": 0.27, "rate, rare": 0.15}[world]
        risk = np.clip(base + prognosis, 0.02, 0.88) + 0.10 * treated + MORE["rate"] * more
        table["works"] = (rng.random(PEOPLE) < np.minimum(risk, 1.0)).astype(int)
    elif world == "time":
        hazard = 0.03 * np.exp(4 * prognosis + 0.4 * treated + MORE["time"] * more)
        months = np.floor(rng.exponential(1 / hazard)).astype(int) + 1
        table["time"], table["event"] = np.minimum(months, 43), (months <= 43).astype(int)
    else:
        # skewed: many earn nothing, some a lot; the effect is added to everybody
        pay = np.where(rng.random(PEOPLE) < 0.5, 0.0, rng.lognormal(2.5 + prognosis, 0.8))
        table["pay"] = pay + 3 * treated + MORE["mean"] * more
    return table


def asked(data: pd.DataFrame, world: str, subgroups: list[str], scale: str | None = None, draws: int = 999) -> pd.DataFrame:
    """Differences on the primary scale, by the classes that `subgroup_effects` asks, without the rows of each level."""
    people = people_of(data, subgroups, "arm", "control", [], None, None, "person_id", None, ())
    if world == "time":
        people = type(people)(**{**people.__dict__, "table": with_times(people.table, "time", "event")})
        question = Question("event", "time", "robust", (), 5)
    else:
        kind, outcome = ("mean", "pay") if world == "pay" else ("rate", "works")
        question = Question(outcome, kind, "robust", (), 5, column=data[outcome].astype(float))  # type: ignore[arg-type]
    chosen = primary_scale(question.kind, scale, False)
    family = Quick(people, {question.kind: chosen}, None)
    for modifier in people.modifiers:
        family.add(question, "ips", modifier)
    return family.table(draws, 1, False)[0]


class Quick(Family):
    """Tests only."""

    def add(self, question: Question, other: str, modifier) -> None:  # type: ignore[no-untyped-def]
        found = self._effects(question, other, modifier)
        for level in modifier.compared:
            pair = found.pair(level, modifier.reference, self.primary[question.kind])
            if pair is not None:
                self.tests.append((len(self.rows), pair))
                self.rows.append({"subgroup": modifier.name, "compared_with": "", **self._told(pair)})


def looks(task: tuple[str, bool, int, int, int, int]) -> tuple[str, bool, np.ndarray]:
    """Rejections of some replicates: by p_value, p_holm and p_adjusted; with power: of the one subgroup that differs."""
    world, power, seed, chunk, replicates, draws = task
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(WORLDS.index(world), int(power), chunk)))
    counts = np.zeros(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(replicates):
            table = asked(trial(rng, world, power), world, NAMES, draws=draws)
            if power:
                table = table[table["subgroup"] == NAMES[CHANGED]]
            counts += [1, *((table[c] <= 0.05).any() for c in ("p_value", "p_holm", "p_adjusted"))]
    return world, power, counts


WORLDS = ["rate", "rate, rare", "time", "pay"]
#: Heterogeneity built in, by scale: what is asked, and the truth of the difference.
SCALES = {"risk_difference": "rate", "risk_ratio": "rate", "odds_ratio": "rate", "mean_difference": "pay", "mean_ratio": "pay",
          "hazard_ratio": "time"}  # fmt: skip
RISK = {("out", 0): 0.25, ("out", 1): 0.32, ("in", 0): 0.35, ("in", 1): 0.60}
MEAN = {("out", 0): 20.0, ("out", 1): 22.0, ("in", 0): 15.0, ("in", 1): 21.0}
HAZARD = {("out", 0): 0.03, ("out", 1): 0.036, ("in", 0): 0.02, ("in", 1): 0.045}


def truth(scale: str) -> float:
    """The difference between the two levels' effects; a ratio of ratios where the scale is one."""
    from_ = HAZARD if scale == "hazard_ratio" else MEAN if scale.startswith("mean") else RISK
    a, b, c, d = (from_[k] for k in (("in", 1), ("in", 0), ("out", 1), ("out", 0)))
    if scale.endswith("difference"):
        return (a - b) - (c - d)
    if scale == "odds_ratio":
        a, b, c, d = (x / (1 - x) for x in (a, b, c, d))
    return (a / b) / (c / d)


def covered(task: tuple[int, int, int]) -> dict[tuple[str, int], np.ndarray]:
    """Replicates, intervals and those that hold the truth, by scale and size of the smaller level."""
    seed, chunk, replicates = task
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(99, chunk)))
    found: dict[tuple[str, int], np.ndarray] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(replicates):
            for share in (0.4, 0.12):
                size = round(share * PEOPLE)
                level = np.where(rng.permutation(PEOPLE) < size, "in", "out")
                arm = rng.permutation(PEOPLE) % 2
                cell = list(zip(level.tolist(), arm.tolist(), strict=True))
                data = pd.DataFrame({"g": level, "arm": np.where(arm == 1, "ips", "control")})
                data["works"] = (rng.random(PEOPLE) < [RISK[c] for c in cell]).astype(int)
                data["pay"] = rng.gamma(2.0, np.array([MEAN[c] for c in cell]) / 2)
                # days, so that hazards stay proportional
                days = np.floor(rng.exponential(1 / np.array([HAZARD[c] for c in cell])) * 30).astype(int) + 1
                data["time"], data["event"] = np.minimum(days, 1290), (days <= 1290).astype(int)
                for scale, world in SCALES.items():
                    table = asked(data, world, ["g"], scale, draws=1)
                    row = table.iloc[0]
                    low, high, true = float(row["conf_low"]), float(row["conf_high"]), truth(scale)
                    # "in" is the first level, so that the row tells what "out" has more
                    true = -true if scale.endswith("difference") else 1 / true
                    tally = found.setdefault((scale, size), np.zeros(3))
                    tally += [1, np.isfinite(low) and np.isfinite(high), low <= true <= high]
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--coverage-replicates", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--seed", type=int, default=20260502)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long, with the trials there are")
    parser.add_argument("--only", nargs="*", default=[*WORLDS, "coverage"])
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        chosen = [w for w in WORLDS if w in given.only]
        sizes = {False: given.replicates, True: max(given.replicates // 4, CHUNK)}
        tasks = [
            (w, p, given.seed, c, CHUNK, given.draws) for w in chosen for p in (False, True) for c in range(sizes[p] // CHUNK)
        ]
        total: dict[tuple[str, bool], np.ndarray] = {}
        for world, power, counts in pool.imap_unordered(looks, tasks):
            total[world, power] = total.get((world, power), np.zeros(4)) + counts
            if time.monotonic() - began > given.seconds:
                break
        for (world, power), counts in sorted(total.items(), key=lambda x: (x[0][1], WORLDS.index(x[0][0]))):
            for column, count in zip(("p_value", "p_holm", "p_adjusted"), counts[1:], strict=True):
                rows.append(line("power" if power else "familywise error", world, column, count, counts[0]))
        if "coverage" in given.only:
            sums: dict[tuple[str, int], np.ndarray] = {}
            for part in pool.imap_unordered(covered, [(given.seed, c, CHUNK) for c in range(given.coverage_replicates // CHUNK)]):
                for key, tally in part.items():
                    sums[key] = sums.get(key, np.zeros(3)) + tally
                if time.monotonic() - began > given.seconds:
                    break
            for (scale, size), tally in sorted(sums.items(), key=lambda x: (-x[0][1], list(SCALES).index(x[0][0]))):
                rows.append(line("coverage", f"{size} of {PEOPLE} in the smaller level", scale, tally[2], tally[1]))
    OUT.mkdir(parents=True, exist_ok=True)
    # what was not asked this time stays as it was
    if (OUT / "subgroups.csv").exists():
        made = {(r["what"], r["world"], r["quantity"]) for r in rows}
        with (OUT / "subgroups.csv").open(encoding="utf-8") as file:
            rows += [dict(r) for r in csv.DictReader(file) if (r["what"], r["world"], r["quantity"]) not in made]
    rows.sort(key=lambda r: ["familywise error", "power", "coverage"].index(str(r["what"])))
    with (OUT / "subgroups.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    command = f"python scripts/familywise.py --seed {given.seed} --draws {given.draws} --only WORLD"
    (OUT / "subgroups.md").write_text(page(rows, command), encoding="utf-8")


def line(what: str, world: str, quantity: str, count: float, of: float) -> dict[str, object]:
    share = count / of
    return {"what": what, "world": world, "quantity": quantity, "replicates": int(of), "share": f"{share:.4f}",
            "monte_carlo_error": f"{math.sqrt(share * (1 - share) / of):.4f}"}  # fmt: skip


def page(rows: list[dict[str, object]], command: str) -> str:
    text = [
        "# Many looks at subgroups: do they cry wolf, and do their intervals cover?", "",
        f"Made by `{command}` (`make familywise` runs all worlds); the number of trials stands in each row. Trials of {PEOPLE} people, twelve correlated subgroups that overlap, of 8 to 50 %; "
        "their members differ in prognosis, and the arm has an effect that is the same in everybody on the scale that is tested: 0.10 "
        "on the rate (from about 27 %, or 15 %), a hazard ratio of 1.5, 3 added to a skewed pay of which half is zero. *Familywise "
        "error* is the share of trials with any p of at most 5 % among the twelve (`p_value`: without any adjustment); the goal of "
        "`p_adjusted` is 5 %. *Power* is the share where the one subgroup (40 %) that differs is found. *Coverage* is that of 95 % "
        "intervals of the difference between two levels whose effects differ; the goal is 94 to 96 %.", "",
        "| What | World | Quantity | Replicates | Share | Monte-Carlo error |", "|---|---|---|---:|---:|---:|",
    ]  # fmt: skip
    text += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
    text += [
        "", "`p_holm` is Holm's of the p-values that each test has alone, which for proportions are those of R's `glm`: a Wald test is "
        "a little too sure far out in the tail, where many looks look, and Holm inherits that in small subgroups. `p_adjusted` adds "
        "half a person to either side of each proportion and takes t for the normal distribution (hazard ratios: t, degrees of freedom from "
        "the events in the four cells).", "",
    ]  # fmt: skip
    return "\n".join(text)


if __name__ == "__main__":
    main()
