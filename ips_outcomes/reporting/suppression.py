"""What every part of the disclosure gate does: which counts are too small, and how a row is hidden."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from ips_outcomes.estimates import Estimates

__all__ = [
    "NUMBERS",
    "Profile",
    "hidden_composite",
    "hidden_contrasts",
    "hidden_models",
    "hidden_rates",
    "hide",
    "load_profile",
    "near_definitions",
    "part_of_arm",
    "small",
    "unsafe",
]

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


def near_definitions(table: pd.DataFrame, hidden: np.ndarray, threshold: int) -> np.ndarray:
    """Rows that differ by few people from a shown one of an earlier definition, in the same arm and month.

    Definitions are mostly nested, so that two shares of the same month could
    be subtracted. Rows come in the order of the definitions, the primary one first.
    """
    near = np.zeros(len(table), dtype=bool)
    n, events = table["n"].to_numpy(dtype=float), table["events"].to_numpy(dtype=float)
    for _, rows in table.groupby(["group", "month"], sort=False).indices.items():
        shown = list[int]()
        for i in rows:
            if hidden[i]:
                continue
            gaps = np.abs(np.concatenate([n[shown] - n[i], events[shown] - events[i], (n - events)[shown] - (n - events)[i]]))
            if ((gaps > 0) & (gaps < threshold)).any():
                near[i] = True
            else:
                shown.append(i)
    return near


def hidden_contrasts(given: Estimates | None, threshold: int) -> Estimates | None:
    """Comparisons of two groups, without those where a count of either is small."""
    if given is None:
        return None
    table = given.table
    rows = unsafe(table, "n_arm", "events_arm", threshold) | unsafe(table, "n_reference", "events_reference", threshold)
    counts = ["n", "events", "n_arm", "events_arm", "n_reference", "events_reference"]
    return given.with_table(hide(table, rows, [*counts, *NUMBERS]))


def hidden_composite(given: Estimates | None, alive: Estimates, threshold: int) -> Estimates | None:
    """Shares that count the dead, without months in which those of the living beside them would tell how few had died.

    ``alive`` has the same groups and months, before anything of it is hidden.
    """
    if given is None:
        return None
    shown = hidden_rates(given, threshold)
    own = alive.table[alive.table["month"].notna()]
    living = {(g, m): n for g, m, n in own[["group", "month", "n"]].itertuples(index=False, name=None)}
    keys = given.table[["group", "month"]].itertuples(index=False, name=None)
    dead = given.table["n"] - pd.Series([living.get(key, pd.NA) for key in keys], index=given.table.index, dtype="Int64")
    rows = small(dead, threshold)
    return shown.with_table(hide(shown.table, rows | shown.table["hidden"].to_numpy(dtype=bool), ["events", *NUMBERS]).assign(
        n=lambda t: t["n"].mask(rows)))  # fmt: skip


#: What a difference of model results is a difference of, where the name does not say it.
_PARTS = {"risk_difference": ("rate",), "mean_difference": ("mean", "mean_rate")}


def hidden_models(given: Estimates | None, profile: Profile, parameters: int = 1) -> Estimates | None:
    """Results of models of person-months, by arm and between arms.

    An arm's result leaves with enough people who had the event (and who had it
    not), enough of them for each parameter, and enough people: a mean of fewer
    than twice the threshold tells of each. A difference leaves if both arms'
    results do, and a joint test if all do. Numbers have fixed digits. How many
    had the event in a span of months stays inside: spans overlap (18 to 43, 19
    to 43), and what one has more than another is a count of few.
    """
    if given is None:
        return None
    table, k = given.table, profile.threshold
    n, events = table["n"].to_numpy(dtype=float), table["events"].to_numpy(dtype=float, na_value=np.nan)
    few = unsafe(table, "n", "events", k) | small(table["n"], 2 * k)
    few |= (events < parameters * profile.least_events_per_parameter) | (
        n - parameters < profile.least_residual_degrees_of_freedom
    )
    arms = (table["group"] != "").to_numpy()
    few &= arms
    month = table["month"].astype(object).where(table["month"].notna(), None)
    keys = list(zip(table["measure"], table["group"], month, strict=True))
    gone = {key for key, hidden in zip(keys, few, strict=True) if hidden}
    nobody = {(m, g, w) for (m, g, w), tiny in zip(keys, small(table["n"], k), strict=True) if tiny and g}
    hidden, uncounted = few.copy(), small(table["n"], k)
    for i, (measure, contrast, when) in enumerate(zip(table["measure"], table["contrast"], month, strict=True)):
        if arms[i]:
            continue
        names = str(contrast).split(" - ") if contrast else list(dict.fromkeys(g for _, g, _ in keys if g))
        parts = _PARTS.get(measure, (measure.removesuffix("_difference"),)) if contrast else tuple({m for m, g, _ in keys if g})
        hidden[i] = any((part, name, when) in gone for part in parts for name in names)
        uncounted[i] |= any((part, name, when) in nobody for part in parts for name in names)
    shown = hide(table, hidden, ["events", "statistic", "degrees_of_freedom", "denominator", *NUMBERS])
    shown["n"] = shown["n"].mask(uncounted)
    shown["events"] = shown["events"].mask(table["month"].isna().to_numpy(dtype=bool))
    digits = [c for c in (*NUMBERS, "statistic", "degrees_of_freedom") if c in shown]
    shown[digits] = shown[digits].astype(float).round(profile.model_digits)
    return given.with_table(shown)


def part_of_arm(table: pd.DataFrame, people_of: dict[str, int], threshold: int) -> pd.DataFrame:
    """Hide small counts, and those that leave few of the arm over."""
    counted = table["people"].astype("Int64")
    rest = table["arm"].map(people_of).astype("Int64") - counted
    return table.assign(people=counted.mask(small(counted, threshold) | small(rest, threshold)))
