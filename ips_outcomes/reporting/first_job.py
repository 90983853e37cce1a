"""What is said of the first job from counts alone: the curve, the months gained, and the tests of curves.

The same function runs on everybody's times, and, for what leaves, on the times
that the gate's rounded event table tells: curve, means and tests agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ips_outcomes.analysis import cumulative_incidence, gray_test, log_rank, months_gained, rmst
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under

__all__ = ["FirstJob", "counts_of", "first_job_answers", "leaving"]


@dataclass(frozen=True)
class FirstJob:
    """Answers about the time to a first job, by arm."""

    incidence: Estimates
    gained: Estimates
    """Measures "mean" and "mean_difference" (months since the first job), "rmst" and "rmst_difference" (months until it, other
    events censored), by horizon. A horizon past what the data allow is a row with the reason in ``method``."""
    tests: Estimates | None
    """"log_rank" and "gray", where two arms can be compared."""


def counts_of(people: pd.DataFrame) -> pd.DataFrame:
    """How many people share arm, time and event."""
    return people.groupby(["arm", "time", "event"], sort=True).size().reset_index(name="people")


def leaving(incidence: pd.DataFrame) -> pd.DataFrame:
    """The same counts, read from the rows of a table of incidence without late entries."""
    ways = {"events": 1, "competing": 2, "censored": 0}
    parts = [incidence[["group", "time"]].assign(event=code, people=incidence[way]) for way, code in ways.items()]
    rows = pd.concat(parts, ignore_index=True).rename(columns={"group": "arm"})
    rows = rows[rows["people"].fillna(0) > 0].astype({"time": "int64", "people": "int64"})
    return rows.sort_values(["arm", "time", "event"], ignore_index=True)


def first_job_answers(counts: pd.DataFrame, horizons: Sequence[int], reference: str | None) -> FirstJob:
    """Answers from counts by arm, time and event.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``arm``, ``time`` (months), ``event`` (0, 1, 2), ``people``.
    horizons : sequence of int
        Months up to which time counts.
    reference : str or None
        The arm that others are compared with; without it, or without its people, nothing is compared.
    """
    arms = sorted(counts["arm"].unique())
    compared = reference if reference in arms and len(arms) > 1 else None
    return FirstJob(
        cumulative_incidence(counts, by="arm", weights="people"),
        _gained(counts, horizons, compared),
        None if compared is None else _tests(counts),
    )


def _gained(counts: pd.DataFrame, horizons: Sequence[int], reference: str | None) -> Estimates:
    parts, refused = [], []
    for horizon in horizons:
        try:
            parts.append(months_gained(counts, by="arm", horizon=horizon, reference=reference, weights="people"))
            until = rmst(counts, by="arm", horizon=horizon, reference=reference, weights="people", competing="censor")
            parts.append(until.select(measure=["rmst", "rmst_difference"]))
        except UnsupportedError as reason:
            refused.append(
                {"outcome": "event", "measure": "mean", "horizon": float(horizon), "time": horizon, "method": str(reason)}
            )
    table = under([*(part.table for part in parts), pd.DataFrame(refused)])
    return _together(parts, tidy(table), "Months since and until the first job")


def _tests(counts: pd.DataFrame) -> Estimates:
    parts = [log_rank(counts, by="arm", weights="people"), gray_test(counts, by="arm", weights="people")]
    return _together(parts, tidy(under([part.table for part in parts])), "Tests of the curves")


def _together(parts: list[Estimates], table: pd.DataFrame, title: str) -> Estimates:
    """Several answers in one table, each method and reference said once."""
    once = {name: tuple(dict.fromkeys(x for part in parts for x in getattr(part, name))) for name in ("references", "notes")}
    method = "; ".join(dict.fromkeys(part.method for part in parts))
    return Estimates(table, title, method, once["references"], "forest", once["notes"])
