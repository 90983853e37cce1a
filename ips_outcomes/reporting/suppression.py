"""What every part of the disclosure gate does: which counts are too small, and how a row is hidden."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from ips_outcomes.estimates import Estimates

__all__ = ["NUMBERS", "Profile", "hidden_contrasts", "hidden_rates", "hide", "load_profile", "part_of_arm", "small", "unsafe"]

#: Columns that are computed from counts, and hidden with them.
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


@dataclass(frozen=True)
class Profile:
    """A disclosure profile, as its file states it."""

    name: str
    title: str
    source: str
    certainty: str
    threshold: int
    least_events_per_parameter: int
    least_residual_degrees_of_freedom: int
    model_digits: int
    limits: str


def load_profile(name: str) -> Profile:
    """Read a profile of the package."""
    text = (resources.files("ips_outcomes.reporting") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    return Profile(name=name, **tomllib.loads(text))


def small(values: pd.Series, threshold: int) -> np.ndarray:
    """Counts from 1 to the threshold less one."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    return (numbers > 0) & (numbers < threshold)


def unsafe(table: pd.DataFrame, n: str, events: str, threshold: int) -> np.ndarray:
    """Rows whose events, or people without the event, are fewer than the threshold but not none."""
    rest = table[n].astype("Float64") - table[events].astype("Float64")
    return small(table[n], threshold) | small(table[events], threshold) | small(rest, threshold)


def hide(table: pd.DataFrame, rows: np.ndarray, columns: list[str]) -> pd.DataFrame:
    """Columns emptied in some rows; the column ``hidden`` says which."""
    table = table.copy()
    for column in columns:
        if column in table:
            table.loc[rows, column] = pd.NA if str(table[column].dtype) == "Int64" else np.nan
    table["hidden"] = rows
    return table


def hidden_rates(given: Estimates, threshold: int) -> Estimates:
    """Rates of people by group, without those whose counts, or their complements, are small."""
    rows = unsafe(given.table, "n", "events", threshold)
    few = small(given.table["n"], threshold)
    table = hide(given.table, rows, ["events", *NUMBERS])
    table.loc[few, "n"] = pd.NA
    return given.with_table(table)


def hidden_contrasts(given: Estimates | None, threshold: int) -> Estimates | None:
    """Comparisons of two groups, without those where a count of either is small."""
    if given is None:
        return None
    table = given.table
    rows = unsafe(table, "n_arm", "events_arm", threshold) | unsafe(table, "n_reference", "events_reference", threshold)
    counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
    return given.with_table(hide(table, rows, [*counts, *NUMBERS]))


def part_of_arm(table: pd.DataFrame, people_of: dict[str, int], threshold: int) -> pd.DataFrame:
    """Hide small counts, and those that leave few of the arm over."""
    counted = table["people"].astype("Int64")
    rest = table["arm"].map(people_of).astype("Int64") - counted
    return table.assign(people=counted.mask(small(counted, threshold) | small(rest, threshold)))
