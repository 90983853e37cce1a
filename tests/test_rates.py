"""Rates and comparisons of two proportions: by hand, against R, and what must hold whatever the data.

tests/golden/rates.R made R's answers. Estimates agree to 1e-8, errors, limits and p-values to 1e-6, relative.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ips_outcomes import UnsupportedError, compare_arms, employment_rates
from ips_outcomes.analysis.proportions import INTERVALS, proportion_interval

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"{name}.csv", float_precision="round_trip")


def close(ours: object, theirs: object, tolerance: float = 1e-6, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=tolerance, atol=atol)


SIX = pd.DataFrame({"arm": ["ips"] * 3 + ["control"] * 3, "works": [1, 1, 0, 1, 0, 0], "site": ["a", "a", "b"] * 2})
#: The same six people as a table of counts, and with an empty row.
COUNTS = pd.DataFrame({"arm": ["ips", "control", "ips"], "month": [1, 1, 1], "n": [3, 3, 0], "events": [2, 1, 0]})


# ---------------------------------------------------------------- one proportion


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_of_one_proportion_equal_r(interval: str) -> None:
    theirs = golden("rates_one").query("interval == @interval")
    low, high = proportion_interval(theirs["events"].to_numpy(float), theirs["n"].to_numpy(float), interval)
    # R's qbeta stops at about 1e-10 for limits near 0 or 1
    close(low, theirs["conf_low"], 1e-8)
    close(high, theirs["conf_high"], 1e-8)


def test_exact_interval_by_hand() -> None:
    # nobody of 3: the upper limit u has (1 - u)^3 = 0.025; everybody: the lower one has l^3 = 0.025
    rates = employment_rates(
        pd.DataFrame({"g": ["0"] * 3 + ["1"] * 3, "works": [0, 0, 0, 1, 1, 1]}), "works", by="g", interval="clopper-pearson"
    ).table
    assert rates["conf_high"][0] == pytest.approx(1 - 0.025 ** (1 / 3))
    assert rates["conf_low"][1] == pytest.approx(0.025 ** (1 / 3))
    assert rates[["conf_low", "conf_high"]].to_numpy()[[0, 1], [0, 1]].tolist() == [0.0, 1.0]
    assert set(rates["method"]) == {"Clopper-Pearson"}


@pytest.mark.parametrize("case", ["weighted", "clustered", "both"])
@pytest.mark.parametrize("interval", ["clopper-pearson", "wald"])
def test_weighted_and_clustered_rates_equal_survey(case: str, interval: str) -> None:
    options: dict = {"weights": "weight", "weight_type": "probability"} if case != "clustered" else {}
    options |= {"cluster": "employer"} if case != "weighted" else {}
    ours = employment_rates(golden("rates_people"), "works", by="arm", interval=interval, **options).table.set_index("group")
    theirs = golden("rates_sampled").query("case == @case and interval == @interval").set_index("group")
    close(ours.loc[theirs.index, "estimate"], theirs["estimate"], 1e-8)
    for column in ("std_error", "conf_low", "conf_high"):
        close(ours.loc[theirs.index, column], theirs[column])


def test_weighted_rate_by_hand() -> None:
    # weights 1, 2, 3, outcomes 1, 0, 1: share 4/6. Linearised parts w (y - 2/3) / 6: 1/18, -4/18, 3/18, squares add up to
    # 26/324; times n / (n - 1) = 3/2
    three = pd.DataFrame({"w": [1.0, 2, 3], "works": [1, 0, 1]})
    row = employment_rates(three, "works", weights="w", weight_type="probability").table.iloc[0]
    assert row["estimate"] == pytest.approx(4 / 6)
    assert row["std_error"] == pytest.approx(np.sqrt(26 / 324 * 1.5))
    assert (row["n"], row["events"]) == (3, 2)


def test_clusters_without_any_event_have_a_one_sided_answer() -> None:
    none = pd.DataFrame({"site": [1, 1, 2, 2, 3, 3], "works": 0})
    row = employment_rates(none, "works", cluster="site", interval="clopper-pearson").table.iloc[0]
    assert row["conf_low"] == 0 and row["estimate"] == 0
    # three clusters count at most as three people, so the limit is above that of three people
    assert 1 - 0.025 ** (1 / 3) < row["conf_high"] < 1
    one = employment_rates(none.assign(site=1), "works", cluster="site").table.iloc[0]
    assert np.isnan(one["conf_low"]) and "one cluster only" in one["method"]


# ---------------------------------------------------------------- counts in, the same answer out


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    columns = ["measure", "n", "events", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    pd.testing.assert_frame_equal(
        left[columns].reset_index(drop=True), right[columns].reset_index(drop=True), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("interval", INTERVALS)
def test_counts_give_the_rates_of_rows(interval: str) -> None:
    same(
        employment_rates(COUNTS, "events", people="n", by="arm", interval=interval).table,
        employment_rates(SIX, "works", by="arm", interval=interval).table,
    )


@pytest.mark.parametrize("options", [{}, {"intervals": "score", "test": "fisher"}, {"model": "poisson"}, {"errors": "robust"}])
def test_counts_give_the_comparison_of_rows(options: dict) -> None:
    same(
        compare_arms(COUNTS, "events", people="n", reference="control", **options).table,
        compare_arms(SIX, "works", reference="control", **options).table,
    )


EVERY = [
    {}, {"strata": "site"}, {"adjust": "age"}, {"adjust": "age", "errors": "robust"}, {"adjust": "age", "covariates": "sampled"},
    {"model": "poisson", "adjust": "age"}, {"model": "linear", "adjust": "age"}, {"adjust": "age", "penalty": "firth"},
    {"adjust": "age", "cluster": "employer"}, {"adjust": "age", "cluster": "region"}, {"cluster": "region", "model": "poisson"},
    {"cluster": "region", "model": "linear", "small_clusters": "wild"}, {"adjust": "age", "covariates": "sampled", "cluster": "employer"},
]  # fmt: skip


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_a_frequency_is_so_many_rows(options: dict) -> None:
    people = golden("rates_people").assign(age=lambda t: t["age"].round(-1))
    copied = people.loc[people.index.repeat(people["copies"])].sample(frac=1, random_state=3)
    weighted = compare_arms(people, "works", reference="control", weights="copies", **options)
    rows = compare_arms(copied, "works", reference="control", **options)
    # Newton's last step and Firth's linear convergence leave 1e-9; closed forms agree to 1e-10
    columns = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
    close(weighted.table[columns], rows.table[columns], 1e-8 if "penalty" in options else 1e-9)
    assert weighted.table[["n", "events"]].equals(rows.table[["n", "events"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"events": 4}, "more people with the outcome"), ({"n": -1}, "negative"), ({"n": 2.5}, "not whole"),
        ({"events": None}, "missing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [employment_rates, compare_arms])
def test_impossible_counts_are_refused(function, change: dict, message: str) -> None:
    options = {"reference": "control"} if function is compare_arms else {}
    with pytest.raises(UnsupportedError, match=message):
        function(COUNTS.assign(**change), "events", people="n", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": "guess"}, "interval= is one of"), ({"weights": "w"}, "not whole"), ({"weight_type": "probability"}, "needs weights"),
        ({"weights": "w", "people": "w"}, "does not go together"), ({"weights": "low", "weight_type": "probability"}, "numbers from 0"),
        ({"cluster": "gap"}, "1 rows have no gap"), ({"weights": "w", "weight_type": "other"}, "frequency or probability"),
        ({"strata": "w"}, "does not support strata"),
    ],
)  # fmt: skip
def test_rates_refuse_what_they_cannot_answer(options: dict, message: str) -> None:
    people = SIX.assign(w=0.5, low=-1.0, gap=[1, 2, 3, 4, 5, None])
    with pytest.raises(UnsupportedError, match=message):
        employment_rates(people, "works", **options)


# ---------------------------------------------------------------- the goldens themselves


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "packages"), [("rates", ("survey", "sandwich", "clubSandwich")), ("panel", ("geepack",))], ids=["rates", "panel"]
)
def test_r_gives_the_committed_answers_again(tmp_path: Path, script: str, packages: tuple[str, ...]) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed (no Rscript): the committed answers of R were compared, not made again")
    wanted = " && ".join(f"requireNamespace('{p}', quietly = TRUE)" for p in packages)
    if subprocess.run([rscript, "-e", f"quit(status = !({wanted}))"], capture_output=True, check=False).returncode:
        pytest.skip(f"R is here, but not all of its packages {', '.join(packages)}: answers were not made again")
    shutil.copy(GOLDEN / "data_people.csv", tmp_path)
    ran = subprocess.run([rscript, str(GOLDEN / f"{script}.R"), str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    names = {path.name for path in GOLDEN.glob(f"{script}_*.csv")}
    assert {path.name for path in tmp_path.glob(f"{script}_*.csv")} == names
    for name in sorted(names - {f"{script}_versions.csv"}):
        again, committed = (pd.read_csv(folder / name, float_precision="round_trip") for folder in (tmp_path, GOLDEN))
        # searches and optimisers of R stop a little elsewhere on another machine
        pd.testing.assert_frame_equal(again, committed, check_exact=False, rtol=1e-7, atol=1e-12, obj=name)
