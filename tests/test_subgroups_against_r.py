"""Differences between subgroups beside R: glm, lm with sandwich, survival::coxph, clubSandwich, metafor (golden/subgroups.R)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ips_outcomes.analysis import subgroup_effects

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = ["std_error", "conf_low", "conf_high", "p_value"]
BOTH = ["young", "edu"]
RATE: dict[str, Any] = {"outcome": "works"}
CASES: dict[str, dict[str, Any]] = {
    "rate": RATE,
    "adjusted": RATE | {"adjust": "age"},
    "rate wards": RATE | {"cluster": "ward"},
    "rate sites": RATE | {"cluster": "site"},
    "number": {"outcome": "pay"},
    "number model": {"outcome": "pay", "errors": "model"},
    "number adjusted": {"outcome": "pay", "adjust": "age"},
    "time": {"event": "event"},
    "time adjusted": {"event": "event", "adjust": "age"},
    "time wards": {"event": "event", "cluster": "ward"},
    "months": {"outcome": "works", "kind": "months"},
    "months sites": {"outcome": "works", "kind": "months", "cluster": "site"},
}


@cache
def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, float_precision="round_trip", keep_default_na=False, na_values=[""])


def asked(case: str, **options: Any) -> pd.DataFrame:
    data = golden("subgroups_months.csv" if case.startswith("months") else "subgroups_people.csv")
    return subgroup_effects(data, BOTH, reference="control", **({"draws": 50, "least_events": 0} | CASES[case] | options)).table


def interactions(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["measure"].str.startswith("interaction") & (table["measure"] != "interaction_test")]
    return rows.set_index(["subgroup", "scale", "level"])


@pytest.mark.parametrize("case", CASES)
def test_differences_equal_r(case: str) -> None:
    ours, theirs = interactions(asked(case)), golden("subgroups.csv").query("case == @case and level != 'all'")
    assert len(theirs) >= 3
    for row in theirs.to_dict("records"):
        mine = ours.loc[(row["subgroup"], row["scale"], row["level"])]
        np.testing.assert_allclose(mine["estimate"], row["estimate"], rtol=1e-8, err_msg=str(row))
        np.testing.assert_allclose(mine[COLUMNS].astype(float), [row[c] for c in COLUMNS], rtol=1e-6, err_msg=str(row))


@pytest.mark.parametrize(
    ("case", "scale"), [("rate", None), ("adjusted", "conditional_odds_ratio"), ("number model", None), ("time", None)]
)
def test_all_levels_at_once_equal_r(case: str, scale: str | None) -> None:
    theirs = golden("subgroups.csv").query("case == @case and level == 'all'").iloc[0]
    ours = asked(case, scale=scale).query("measure == 'interaction_test'").iloc[0]
    # for lm R's F test, its statistic times the two differences tested
    np.testing.assert_allclose([ours["statistic"], ours["p_value"]], theirs[["estimate", "p_value"]].astype(float), rtol=1e-6)
    assert ours["degrees_of_freedom"] == 2
    assert ("from F with 354" in ours["method"]) == (case == "number model")


def test_few_events_equal_half_a_person_on_either_side() -> None:
    people = golden("subgroups_people.csv").head(60)
    people = people.assign(works=people["works"].where((people["young"] == "no") | (people["arm"] == "control"), 0))
    theirs = golden("subgroups.csv").query("case == 'few'").iloc[0]
    table = subgroup_effects(people, "young", "works", reference="control", draws=50).table
    ours = interactions(table).loc[("young", "odds_ratio", "yes")]
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-8)
    np.testing.assert_allclose(ours[COLUMNS].astype(float), theirs[COLUMNS].astype(float), rtol=1e-6)
    assert ours["few_events"] and "Firth" in ours["method"]


@pytest.mark.parametrize(("case", "subgroups"), [("shrunken", BOTH), ("shrunken metafor", ["edu"])])
def test_shrunken_estimates_equal_r(case: str, subgroups: list[str]) -> None:
    people = golden("subgroups_people.csv")
    table = subgroup_effects(people, subgroups, "works", reference="control", draws=50, least_events=0).table
    ours = table.query("measure == 'risk_difference'").set_index(["subgroup", "level"])
    theirs = golden("subgroups.csv").query("case == @case")
    assert len(theirs) == (5 if case == "shrunken" else 3) and (ours.loc[BOTH[1:], "prior_sd"] == 0.1).all()
    for row in theirs.to_dict("records"):
        mine = ours.loc[(row["subgroup"], row["level"])]
        half = (mine["shrunken_high"] - mine["shrunken_low"]) / (2 * 1.959963984540054)
        np.testing.assert_allclose([mine["shrunken"], half], [row["estimate"], row["std_error"]], rtol=1e-8)
