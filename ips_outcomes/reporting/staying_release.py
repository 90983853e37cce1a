"""What may leave of staying in work.

Rates are shown with their counts: hidden where a count or its complement is
small, and where it differs by a small number from a count that it holds or is
held by (who worked 12 months in a row also worked 6; what is seen is the least
of what may be). Means are model results: of at least twice the threshold of
people, in every month that they use, not where a small number of people (or
all but a small number) have any, in fixed digits and without counts. What
rests on months that are not known is hidden where few people have such
months. First jobs: nothing of an arm whose job-getters, or the others at risk,
are few; curves, quartiles and re-entry come from an event table rounded as
that of the first job, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ips_outcomes.analysis import cumulative_incidence, job_tenure, re_entry, tenure_quartiles
from ips_outcomes.estimates import COMMON_COLUMNS, Estimates, tidy
from ips_outcomes.reporting.event_blocks import counts_of_rows, released_event_table
from ips_outcomes.reporting.first_job import leaving
from ips_outcomes.reporting.staying_answers import BACK_WITHIN
from ips_outcomes.reporting.suppression import NUMBERS, Profile, hide, small, unsafe
from ips_outcomes.reporting.words import Words

__all__ = ["release"]

#: What the released table has.
_COLUMNS = {*COMMON_COLUMNS, "bound", "first_month", "last_month", "hidden"}
#: Decimals of means; kroner in hundreds.
DIGITS = {"number_of_jobs": 2, "pay_nok": -2, "pay_g": 2}


def release(asked: Mapping[str, Estimates | pd.DataFrame], profile: Profile, words: Words) -> dict[str, Estimates | pd.DataFrame]:
    """The chapter's answers as they may leave."""
    made: dict[str, Estimates | pd.DataFrame] = {}
    twins = asked["staying"]
    assert isinstance(twins, Estimates)
    made["staying"] = _twins(twins, profile)
    counts = asked.get("first_jobs")
    if isinstance(counts, pd.DataFrame):
        made |= _first_jobs(asked, counts, profile.threshold)
    return made


def _held_by(inner: tuple[str, str], outer: tuple[str, str]) -> bool:
    """Whether everybody of the first (outcome, bound) is one of the second."""
    (a, low), (b, high) = inner, outer
    if low == "most" and high == "least":
        return False
    if a == b or b == "ever_in_work":
        return True
    runs = [name.removeprefix("sustained_") for name in (a, b) if name.startswith("sustained_")]
    return len(runs) == 2 and int(runs[0]) >= int(runs[1])


def _rates_to_hide(rows: pd.DataFrame, k: int) -> set[int]:
    """Rows of one arm's rates that are small, or too close to one that is shown and holds them; the least is shown first."""
    few = unsafe(rows, "n", "events", k)
    hidden = set(rows.index[few])
    shown: list[tuple[tuple[str, str], int]] = []
    for index, row in rows[~few].sort_values("bound", kind="stable").iterrows():
        own, events = (str(row["outcome"]), str(row["bound"])), int(row["events"])
        close = any(0 < abs(events - other) < k and (_held_by(own, name) or _held_by(name, own)) for name, other in shown)
        if close:
            hidden.add(index)
        else:
            shown.append((own, events))
    return hidden


def _twins(given: Estimates, profile: Profile) -> Estimates:
    k, table = profile.threshold, given.table.copy()
    grouped = (table["group"] != "").to_numpy()
    rate, mean = (table["measure"] == "rate").to_numpy(), (table["measure"] == "mean").to_numpy()
    gone: set[int] = set()
    for _, rows in table[rate & grouped].groupby("group"):
        gone |= _rates_to_hide(rows, k)
    few = mean & ((table["n"] < 2 * k).to_numpy() | unsafe(table, "n", "events", k))
    few |= mean & (table["least_known"] < 2 * k).to_numpy()
    open_ = small(table["people_unknown"], k)
    few |= mean & open_ & table["bound"].isin(["most", "known"]).to_numpy() & (table["first_month"] == 1).to_numpy()
    # people of whom every month of a stretch is known, beside all of them
    everybody = table[mean & (table["bound"] == "least")].groupby("group")["n"].first()
    close = mean & small(table["group"].map(everybody).astype("Float64") - table["n"].astype("Float64"), k)
    few |= close & (table["bound"] == "known").to_numpy()
    gone |= set(table.index[few])
    hidden = table.index.isin(gone)
    lost = {(r["outcome"], r["bound"], r["first_month"], r["group"]) for _, r in table[hidden].iterrows()}
    for index, row in table[~grouped].iterrows():
        sides = str(row["contrast"]).split(" - ", 1)
        bounds = ("least", "most") if str(row["bound"]).endswith("possible") else (row["bound"],)
        if any((row["outcome"], b, row["first_month"], side) in lost for b in bounds for side in sides):
            hidden[index] = True
    table = hide(table, hidden, ["n", "events", *NUMBERS])
    means = table["measure"].isin(["mean", "mean_difference"]).to_numpy()
    table.loc[means, "events"] = pd.NA
    # a mean over months keeps no number of people where it would tell that few were never seen
    uneven = close | ((table["measure"] == "mean_difference") & (table["bound"] == "available")).to_numpy()
    table.loc[uneven, "n"] = pd.NA
    table.loc[means & _close_sizes(table, means, k), "n"] = pd.NA
    for name in dict.fromkeys(table.loc[means, "outcome"]):
        own = means & (table["outcome"] == name).to_numpy()
        decimals = DIGITS.get(str(name), 1)
        table.loc[own, NUMBERS[:-1]] = table.loc[own, NUMBERS[:-1]].round(decimals)
    table["p_value"] = table["p_value"].round(profile.model_digits)
    # columns of counts stay behind; those of a contrast stand in the rows of its arms
    table = table[[column for column in table.columns if column in _COLUMNS]]
    return replace(given, table=tidy(table), notes=())


def _close_sizes(table: pd.DataFrame, rows: np.ndarray, k: int) -> np.ndarray:
    """Numbers of people that differ by a small number from one shown before in the same arm or contrast."""
    close, shown = np.zeros(len(table), dtype=bool), dict[tuple[str, str], set[int]]()
    for place in np.flatnonzero(rows & table["n"].notna().to_numpy()):
        row = table.iloc[place]
        sizes, own = shown.setdefault((row["group"], row["contrast"]), set()), int(row["n"])
        close[place] = any(0 < abs(own - other) < k for other in sizes)
        if not close[place]:
            sizes.add(own)
    return close


def _first_jobs(
    asked: Mapping[str, Estimates | pd.DataFrame], counts: pd.DataFrame, k: int
) -> dict[str, Estimates | pd.DataFrame]:  # fmt: skip
    few = unsafe(counts, "at_risk", "people", k)
    no_end = few | unsafe(counts, "people", "ended", k)
    shown = counts.astype({"at_risk": "Int64", "people": "Int64", "ended": "Int64"})
    shown["ended"] = shown["ended"].mask(no_end)
    shown["people"], shown["at_risk"] = shown["people"].mask(few), shown["at_risk"].mask(small(counts["at_risk"], k))
    made: dict[str, Estimates | pd.DataFrame] = {"first_jobs": shown}
    told = set(counts.loc[~no_end, "arm"])
    tenure = asked["first_job_tenure"]
    assert isinstance(tenure, Estimates)
    rows = _rounded(tenure.table.assign(competing=0.0), told, k)
    if len(rows):
        rows = rows.rename(columns={"time": "tenure", "event": "ended"})
        made |= {
            "first_job_tenure": _marked(job_tenure(rows, weights="people")),
            "first_job_quartiles": _marked(tenure_quartiles(rows, weights="people")),
        }
    times = asked.get("back_in_work_times")
    if isinstance(times, pd.DataFrame):
        curve = cumulative_incidence(times, "back_after", "back", by="arm", weights="people").table
        rows = _rounded(curve, told, k).rename(columns={"time": "back_after", "event": "back"})
        if len(rows):
            made["back_in_work"] = _marked(re_entry(rows, at=BACK_WITHIN, weights="people"))
    return made


def _rounded(curve: pd.DataFrame, told: set[str], k: int) -> pd.DataFrame:
    """Counts by arm, time and event of the rounded event table; none of an arm with too few."""
    parts = []
    for group, rows in curve.groupby("group", sort=True):
        if group not in told:
            continue
        folded, _ = released_event_table(counts_of_rows(rows), k)
        if folded is not None:
            parts.append(pd.DataFrame({"group": group, "time": folded.time, "events": folded.events[:, 0],
                                       "competing": folded.events[:, 1], "censored": folded.censored}))  # fmt: skip
    return leaving(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame()


def _marked(found: Estimates) -> Estimates:
    return replace(found, table=found.table.assign(hidden=False), notes=())
