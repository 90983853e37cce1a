"""Every estimator against R, on the same rows.

tests/golden/make_golden.R made the data sets and R's answers; versions.csv says
with which versions. Estimates must agree to 1e-8 and standard errors, limits
and p-values to 1e-6, relative. Rows are matched by name, never by position.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ips_outcomes import compare_arms, cumulative_incidence, employment_rates, hazard_ratio
from ips_outcomes.analysis import baseline_table

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = {"estimate": 1e-8, "std_error": 1e-6, "conf_low": 1e-6, "conf_high": 1e-6, "p_value": 1e-6}
#: Where the answer is exactly 0, arithmetic in another order leaves a crumb of at most this size. Never for p-values.
CRUMB = 1e-15


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, float_precision="round_trip", dtype={"group": str}, keep_default_na=False, na_values=[""])


def check(ours: float, theirs: float, tolerance: float, what: str) -> None:
    """Equal, or both empty."""
    if np.isnan(theirs):
        assert np.isnan(ours), f"{what}: {ours!r} here, empty in R"
    else:
        nothing = max(abs(ours), abs(theirs)) <= CRUMB and not what.startswith("p_value")
        assert nothing or abs(ours - theirs) <= tolerance * abs(theirs), f"{what}: {ours!r} here, {theirs!r} in R"


def agree(ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> None:
    """Every row of R has exactly one row here with the same keys and the same numbers."""
    found = ours.set_index(keys)
    assert found.index.is_unique
    assert len(theirs)
    for row in theirs.to_dict("records"):
        key = tuple(row[k] for k in keys)
        for column, tolerance in TOLERANCE.items():
            if column in row:
                check(float(found.at[key if len(keys) > 1 else key[0], column]), row[column], tolerance, f"{column} of {key}")


# ---------------------------------------------------------------- rates and comparisons


def people_of(counts: pd.DataFrame, group: str) -> pd.DataFrame:
    """One row a person, from counts."""
    parts = [
        pd.DataFrame({group: name, "works": [1] * events + [0] * (n - events)})
        for name, events, n in counts[["group", "events", "n"]].itertuples(index=False, name=None)
    ]
    return pd.concat(parts, ignore_index=True)


def comparisons(case: str) -> pd.DataFrame:
    table = golden("answers_comparisons.csv")
    rows = table[table["case"] == case]
    sato = table[table["case"] == f"{case}_sato"]
    # the risk difference has Sato's variance; R's rows with Greenland and Robins' stand in the file for comparison
    return rows if sato.empty else pd.concat([sato, rows[rows["measure"] != "risk_difference"]], ignore_index=True)


def test_wilson_intervals_equal_prop_test() -> None:
    ours = employment_rates(people_of(golden("data_counts.csv"), "group"), outcome="works", by="group").table
    agree(ours, golden("answers_rates.csv"), ["group"])
    assert len(ours) == len(golden("answers_rates.csv"))


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("unadjusted", {}),
        ("mantel_haenszel", {"strata": "site"}),
        ("adjusted", {"adjust": ["age", "site"]}),
        # statsmodels' GLM(...).fit(cov_type="cluster") multiplies the sandwich by G / (G - 1) * (n - 1) / (n - k), with
        # G clusters, n people and k coefficients: sandwich::vcovCL(type = "HC1", cadjust = TRUE). Wald with the normal
        # distribution, not with t on G - 1 degrees of freedom.
        ("adjusted_clustered", {"adjust": ["age", "site"], "cluster": "employer"}),
        ("clustered", {"cluster": "employer"}),
    ],
)
def test_comparison_of_a_yes_no_outcome(case: str, options: dict) -> None:
    ours = compare_arms(golden("data_people.csv"), outcome="works", reference="control", **options).table
    agree(ours, comparisons(case), ["measure", "contrast"])
    assert len(ours) == len(comparisons(case))


@pytest.mark.parametrize("measure", ["risk_ratio", "odds_ratio"])
def test_mantel_haenszel_ratios_in_many_small_strata(measure: str) -> None:
    ours = compare_arms(golden("data_people.csv"), outcome="works", reference="control", strata="employer").table
    theirs = comparisons("mantel_haenszel_many")
    agree(ours, theirs[theirs["measure"] == measure], ["measure", "contrast"])


def test_mantel_haenszel_difference_in_many_small_strata() -> None:
    ours = compare_arms(golden("data_people.csv"), outcome="works", reference="control", strata="employer").table
    theirs = comparisons("mantel_haenszel_many")
    agree(ours, theirs[theirs["measure"] == "risk_difference"], ["measure", "contrast"])


def test_pairs_have_a_mantel_haenszel_error() -> None:
    # One person of each arm in each stratum: of 40 pairs, 15 where only the ips person works and 5 where only the other
    # does. The difference is 10/40 = 1/4. Its variance (Sato's; McNemar's without the difference is (15 + 5) / 40^2) is
    # not zero, but Greenland and Robins' is, as e (n - e) is 0 in every arm of one person.
    pairs = [(1, 0)] * 15 + [(0, 1)] * 5 + [(1, 1)] * 10 + [(0, 0)] * 10
    rows = [(i, arm, works) for i, pair in enumerate(pairs) for arm, works in zip(("ips", "control"), pair, strict=True)]
    people = pd.DataFrame(rows, columns=["pair", "arm", "works"])
    found = compare_arms(people, outcome="works", reference="control", strata="pair").select(measure="risk_difference").table
    assert found["estimate"][0] == pytest.approx(0.25)
    assert 0.05 < found["std_error"][0] < 0.2


@pytest.mark.parametrize(
    ("case", "e1", "n1", "e0", "n0"), [("far_apart", 180, 200, 20, 200), ("small", 3, 7, 2, 9)], ids=["far apart", "small"]
)
def test_two_proportions(case: str, e1: int, n1: int, e0: int, n0: int) -> None:
    people = people_of(pd.DataFrame({"group": ["a", "b"], "events": [e0, e1], "n": [n0, n1]}), "arm")
    agree(compare_arms(people, outcome="works", reference="a").table, comparisons(case), ["measure", "contrast"])


def test_months_are_compared_one_by_one() -> None:
    people = golden("data_people.csv")
    months = pd.concat([people.assign(month=1, works=1 - people["works"]), people.assign(month=2)])
    for case, options in [("unadjusted", {}), ("mantel_haenszel", {"strata": "site"}), ("adjusted", {"adjust": ["age", "site"]})]:
        ours = compare_arms(months, outcome="works", reference="control", **options).select(month=2).table
        agree(ours, comparisons(case), ["measure", "contrast"])


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("mean", {}),
        ("mean_adjusted", {"adjust": ["age", "site"]}),
        # the same small-sample factor as above; limits and p by the normal distribution, where plain OLS uses t
        ("mean_adjusted_clustered", {"adjust": ["age", "site"], "cluster": "employer"}),
    ],
)
def test_comparison_of_means(case: str, options: dict) -> None:
    ours = compare_arms(golden("data_people.csv"), outcome="hours", reference="control", **options).table
    agree(ours, comparisons(case), ["measure", "contrast"])
    assert len(ours) == len(comparisons(case))


def test_standardised_differences() -> None:
    ours = baseline_table(golden("data_people.csv"), {"age": "number", "site": "category"}, reference="control")
    agree(ours.select(measure="standardised_difference").table, golden("answers_baseline.csv"), ["outcome", "contrast"])


# ---------------------------------------------------------------- time to event


@pytest.mark.parametrize(
    ("case", "cause", "arms", "shift"),
    [
        ("cox_two_arms", 1, ["control", "ips"], 0),
        ("cox_three_arms", 1, ["control", "ips", "ips_plus"], 0),
        ("cox_other_cause", 2, ["control", "ips", "ips_plus"], 0),
        # time 0 is a time like others: who has the event then counts
        ("cox_from_zero", 1, ["control", "ips", "ips_plus"], 1),
    ],
)
def test_hazard_ratio(case: str, cause: int, arms: list[str], shift: int) -> None:
    times = golden("data_times.csv")
    times = times[times["arm"].isin(arms)].assign(time=lambda t: t["time"] - shift)
    ours = hazard_ratio(times, reference="control", cause=cause).table
    agree(ours, comparisons(case), ["measure", "contrast"])
    assert len(ours) == len(arms) - 1


def agree_on_curves(case: str, data: pd.DataFrame, **options: object) -> None:
    theirs = golden("answers_incidence.csv")
    theirs = theirs[theirs["case"] == case]
    for cause in (1, 2):
        ours = cumulative_incidence(data, cause=cause, **options).table  # type: ignore[arg-type]
        wanted = theirs[theirs["cause"] == cause]
        agree(ours, wanted, ["group", "time"])
        merged = ours.merge(wanted, on=["group", "time"], suffixes=("", "_r"))
        assert merged["at_risk"].to_numpy(float) == pytest.approx(merged["at_risk_r"].to_numpy(float), rel=1e-12)
        assert merged["events"].to_numpy(float) == pytest.approx(merged["events_r"].to_numpy(float), rel=1e-12)
        # months that R does not list, as nobody leaves in them: the curve and its error stay where they were
        quiet = ours.merge(wanted[["group", "time"]], on=["group", "time"], how="left", indicator=True)["_merge"] == "left_only"
        columns = ["estimate", "std_error", "conf_low", "conf_high"]
        before = ours.groupby("group")[columns].shift()
        both = quiet.to_numpy() & (ours["time"] > 0).to_numpy(bool)
        pd.testing.assert_frame_equal(ours.loc[both, columns], before.loc[both], rtol=1e-12, atol=CRUMB)
        assert (ours.loc[quiet.to_numpy(), "events"] == 0).all()


def test_incidence_with_many_ties() -> None:
    agree_on_curves("ties", golden("data_times.csv"), by="arm")


def test_incidence_with_delayed_entry() -> None:
    agree_on_curves("entry", golden("data_times.csv"), by="arm", entry="entry")


def test_incidence_with_frequencies() -> None:
    # R's rows are repeated; its own weights= would be probability weights
    agree_on_curves("frequency", golden("data_times.csv").assign(all="all"), by="all", weights="copies")


def test_incidence_with_probability_weights() -> None:
    agree_on_curves(
        "probability", golden("data_times.csv").assign(all="all"), by="all", weights="weight", weight_type="probability"
    )


def test_incidence_with_probability_weights_and_delayed_entry() -> None:
    agree_on_curves(
        "probability_entry", golden("data_times.csv").assign(all="all"), by="all", weights="weight", weight_type="probability",
        entry="entry",
    )  # fmt: skip


@pytest.mark.parametrize("case", ["from_zero", "gap", "all_events", "no_events", "emptied"])
def test_incidence_at_the_edges(case: str) -> None:
    small = golden("data_small.csv")
    small = small[small["case"] == case].assign(all="all")
    agree_on_curves(case, small, by="all", entry="entry" if small["entry"].notna().all() else None)


# ---------------------------------------------------------------- the goldens themselves

PACKAGES = ("survival", "sandwich", "metafor", "epitools")


def test_r_gives_the_committed_answers_again(tmp_path: Path) -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed (no Rscript): the committed answers of R were compared, not made again")
    wanted = " && ".join(f"requireNamespace('{p}', quietly = TRUE)" for p in PACKAGES)
    if subprocess.run([rscript, "-e", f"quit(status = !({wanted}))"], capture_output=True, check=False).returncode:
        pytest.skip(f"R is here, but not all of its packages {', '.join(PACKAGES)}: answers were not made again")
    ran = subprocess.run([rscript, str(GOLDEN / "make_golden.R"), str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    # other scripts, with tests of their own, write their files beside these
    names = {path.name for path in tmp_path.glob("*.csv")}
    read = set(re.findall(r'golden\("([a-z_]+\.csv)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert read <= names <= {path.name for path in GOLDEN.glob("*.csv")}
    for name in sorted(names - {"versions.csv"}):
        again = pd.read_csv(tmp_path / name, float_precision="round_trip")
        committed = pd.read_csv(GOLDEN / name, float_precision="round_trip")
        assert list(again) == list(committed)
        for column in committed:
            crumb = 0.0 if column == "p_value" else CRUMB
            pd.testing.assert_series_equal(again[column], committed[column], check_exact=False, rtol=1e-10, atol=crumb, obj=name)
