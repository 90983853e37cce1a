"""Bootstrap of employment curves and months in work: thousands of replicates, and no loop over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.curves import Curves, contrast_influence, curves, size
from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.resampling import (
    KINDS,
    REFERENCES,
    IntervalKind,
    Units,
    acceleration,
    bootstrap_interval,
    resampled_sums,
)
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.work_totals import Missing, dead_as_no, stretch, totals
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, stacked, tidy

__all__ = ["bootstrap_curves", "curve_replicates", "curve_units", "draw_blocks", "told"]

Floats = NDArray[np.float64]
Statistic = Literal["risk_difference", "months_in_work"]


@dataclass(frozen=True)
class _Answer:
    """One quantity (an arm's rate, a difference) by column, with all that any interval asks for."""

    names: dict[str, str]
    n: NDArray[np.int64]
    estimate: Floats
    replicates: Floats
    error: Floats | None = None
    errors: Floats | None = None
    accelerated: Floats | None = None


def draw_blocks(matrix: MonthsMatrix) -> NDArray[np.int64]:
    """Where each row is drawn: within its arm and stratum; whole clusters, within arms where none has people of several."""
    block = matrix.arm * len(matrix.strata) + matrix.stratum
    if matrix.cluster is None:
        return block
    homes = pd.DataFrame({"cluster": matrix.cluster, "arm": matrix.arm, "stratum": matrix.stratum})
    spread = homes.groupby("cluster").nunique()
    if (spread["stratum"] > 1).any():
        raise UnsupportedError(
            f"{int((spread['stratum'] > 1).sum())} clusters lie in several strata: they cannot be drawn whole within one"
        )
    return matrix.stratum if (spread["arm"] > 1).any() else block


def curve_units(matrix: MonthsMatrix, block: NDArray[np.int64]) -> Units:
    """What each person or cluster adds to weight observed and weight with the outcome, by arm and month.

    Columns: arms x (observed, with the outcome) x months.
    """
    months, arms = len(matrix.months), len(matrix.arms)
    sums = np.zeros((len(matrix.arm), arms, 2, months))
    rows = np.arange(len(sums))
    sums[rows, matrix.arm, 0] = matrix.weight[:, None] * matrix.observed
    sums[rows, matrix.arm, 1] = matrix.weight[:, None] * matrix.value
    flat = sums.reshape(len(sums), -1)
    if matrix.cluster is None:
        return Units(block, matrix.count, flat)
    first = np.unique(matrix.cluster, return_index=True)[1]
    return Units(block[first], np.ones(len(first)), matrix.unit_sums(flat)[0])


def curve_replicates(matrix: MonthsMatrix, replicates: int, seed: int, chunk: int | None = None) -> tuple[Floats, Floats]:
    """Bootstrapped rates and weights observed.

    Returns
    -------
    tuple of arrays, replicates x arms x months
        Rates (empty where a replicate observed nobody) and the weight they rest on.
    """
    drawn = resampled_sums(curve_units(matrix, draw_blocks(matrix)), replicates, seed, chunk)
    drawn = drawn.reshape(replicates, len(matrix.arms), 2, len(matrix.months))
    with np.errstate(invalid="ignore", divide="ignore"):
        return drawn[:, :, 1] / drawn[:, :, 0], drawn[:, :, 0]


def _accelerated(matrix: MonthsMatrix, influence: Floats, sides: list[int]) -> Floats:
    """Acceleration of an estimate that rests on some arms only."""
    part = matrix.where(np.isin(matrix.arm, sides))
    block = draw_blocks(part)
    sums, count = part.unit_sums(influence[np.isin(matrix.arm, sides)])
    if part.cluster is not None:
        block = block[np.unique(part.cluster, return_index=True)[1]]
    return acceleration(sums, count, np.unique(block, return_inverse=True)[1])


def _by_month(
    matrix: MonthsMatrix, found: Curves, place: int, other: int | None, rates: Floats, mass: Floats, interval: str
) -> _Answer:
    with np.errstate(invalid="ignore", divide="ignore"):
        if other is None:
            sides, estimate, drawn = [place], found.rate[place], rates[:, place]
            influence = found.influence * (matrix.arm == place)[:, None]
        else:
            sides = [place, other]
            estimate, drawn = found.rate[place] - found.rate[other], rates[:, place] - rates[:, other]
            influence = contrast_influence(matrix, found.influence, place, other)
        n = found.n[sides].sum(axis=0).round().astype(np.int64)
        answer = _Answer(told(matrix, place, other), n, estimate, drawn)
        if interval == "studentised":
            variance = (rates[:, sides] * (1 - rates[:, sides]) / mass[:, sides]).sum(axis=1)
            return replace(answer, error=size(matrix, influence, matrix.observed), errors=np.sqrt(variance))
    return replace(answer, accelerated=_accelerated(matrix, influence, sides)) if interval == "bca" else answer


def _summed(matrix: MonthsMatrix, place: int, other: int | None, rates: Floats, missing: Missing) -> _Answer:
    found = totals(matrix, missing)
    sides = [place] if other is None else [place, other]
    mean = rates.sum(axis=2)
    estimate, drawn = found.mean[place], mean[:, place]
    influence = found.influence * (found.matrix.arm == place)[:, None]
    if other is not None:
        estimate, drawn = estimate - found.mean[other], drawn - mean[:, other]
        influence = contrast_influence(found.matrix, found.influence, place, other)
    n = np.array([round(float(found.n[sides].sum()))])
    accelerated = _accelerated(found.matrix, influence, sides)
    return _Answer(told(matrix, place, other), n, np.array([estimate]), drawn[:, None], accelerated=accelerated)


def told(matrix: MonthsMatrix, place: int, other: int | None) -> dict[str, str]:
    """How a row names its arm or its contrast."""
    name = matrix.arms[place]
    return {"group": name, "contrast": ""} if other is None else {"group": "", "contrast": f"{name} - {matrix.arms[other]}"}


@supports(frequency_weights=True, probability_weights=True, cluster=True, strata=True)
def bootstrap_curves(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    *, statistic: Statistic = "risk_difference", replicates: int = 2000, interval: IntervalKind = "percentile", seed: int = 1,
    strata: str | None = None, cluster: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency",
    missing: Missing = "available", dead: str | None = None, month: str | None = None, person_id: str = "person_id",
    chunk: int | None = None,
) -> Estimates:  # fmt: skip
    """Bootstrap employment rates and their difference by month, or months in work.

    People are drawn with replacement within their arm (and stratum), all
    months of a person together. Clusters are drawn whole: within arms where
    every cluster belongs to one, otherwise out of all.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        One row a person and month; see `months_matrix`.
    outcome : str
        True/false column; missing means not observed.
    arm : str or None
        Column of the arm; None for everybody.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months; for ``"months_in_work"`` the first to the last of them.
    statistic : {"risk_difference", "months_in_work"}
        Rates and differences by month, or means over months; see
        `employment_curves` and `months_in_work`.
    replicates, seed : int
    interval : {"percentile", "basic", "normal", "studentised", "bca"}
        As `boot.ci` of R's boot. Studentised: rates and differences by month
        of people who stand alone and count whole.
    strata, cluster : str, optional
        Columns. Bootstrapping few clusters is no cure for their being few.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights (carried along).
    missing, dead : str, optional
        For ``"months_in_work"``; see there.
    month, person_id : str, optional
        Columns of a DataFrame.
    chunk : int, optional
        Replicates at a time, for memory; never changes the answer.

    Returns
    -------
    Estimates
        Measures ``rate`` and ``risk_difference``, or ``months_in_work`` and
        ``months_in_work_difference``; ``std_error`` is the standard deviation
        over ``replicates`` (those with an answer). No p-values: see
        `randomisation_test`.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or arms, fewer than two replicates, and
        combinations named above.

    References
    ----------
    Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall
    1993. Davison AC, Hinkley DV. Bootstrap Methods and their Application.
    Cambridge University Press 1997.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": range(40), "month": 1, "arm": ["a", "b"] * 20, "works": [1, 0, 0, 0, 1, 1, 0, 0] * 5})
    >>> table = bootstrap_curves(rows, "works", reference="b", seed=3).select(measure="risk_difference").table
    >>> float(table["estimate"][0]), bool(0.1 < table["std_error"][0] < 0.2)
    (0.25, True)
    """
    if statistic not in ("risk_difference", "months_in_work"):
        raise UnsupportedError("statistic is risk_difference or months_in_work")
    if interval not in KINDS or replicates < 2:
        raise UnsupportedError(f"interval is one of: {', '.join(KINDS)}; replicates at least 2")
    by_month = statistic == "risk_difference"
    matrix = months_matrix(data, outcome, arm, at if by_month else None, month=month, person_id=person_id, strata=strata,
                           cluster=cluster, weights=weights, weight_type=weight_type, dead=dead)  # fmt: skip
    if interval == "studentised" and not (by_month and matrix.independent):
        raise UnsupportedError(
            "studentised intervals are for rates by month of people who stand alone and count whole; use 'bca'"
        )
    base = reference_of(data, matrix, reference)
    notes = list(matrix.notes)
    if not by_month:
        wanted = [1, int(matrix.months.max())] if at is None else [at] if isinstance(at, int) else list(at)
        matrix = stretch(matrix, min(wanted), max(wanted))
        used = totals(matrix, missing)
        notes, matrix = used.notes, used.matrix if missing == "exclude" else dead_as_no(matrix)
    rates, mass = curve_replicates(matrix, replicates, seed, chunk)
    places: list[tuple[int, int | None]] = [(place, None) for place in range(len(matrix.arms))]
    places += [(place, base) for place in range(len(matrix.arms)) if base is not None and place != base]
    found, parts = curves(matrix), []
    for place, other in places:
        answer = (
            _by_month(matrix, found, place, other, rates, mass, interval)
            if by_month
            else _summed(matrix, place, other, rates, missing)
        )
        measure = ("rate" if by_month else statistic) if other is None else statistic + ("" if by_month else "_difference")
        when = {"month": matrix.months} if by_month else {"time": int(matrix.months[-1])}
        parts.append({**answer_rows(answer, interval), "measure": measure, **when, "outcome": outcome})
    drawn = "clusters" if matrix.cluster is not None else "people"
    method = (
        f"Bootstrap, {replicates} replicates (seed {seed}): {drawn} drawn with replacement within "
        f"{'arm' if len(matrix.arms) > 1 else 'everybody'}{f' and {strata}' if strata else ''}; {interval} 95 % interval"
    )
    return Estimates(
        tidy(stacked(parts)), f"{outcome}, bootstrapped", method, REFERENCES, "curve" if by_month else "forest", tuple(notes)
    )


def answer_rows(answer: _Answer, interval: IntervalKind) -> dict[str, Any]:
    """Columns of some rows: estimate, bootstrap error and interval, with what is empty said."""
    low, high = bootstrap_interval(answer.replicates, answer.estimate, interval, std_error=answer.error,
                                   replicate_errors=answer.errors, accelerated=answer.accelerated)  # fmt: skip
    finite = np.isfinite(answer.replicates)
    drawn = finite.sum(axis=0)
    # nearly always there is nothing to leave out, and no copy to make
    every = bool(finite.all())
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (answer.replicates if every else np.where(finite, answer.replicates, 0.0)).sum(axis=0) / drawn
        away = answer.replicates - mean
        error = np.sqrt(((away if every else np.where(finite, away, 0.0)) ** 2).sum(axis=0) / (drawn - 1))
    known = np.isfinite(answer.estimate)
    said = np.select(
        [~known, drawn < 2, ~np.isfinite(low)],
        ["nobody observed", "no replicate has an answer", f"{interval}: no interval, replicates do not vary around the estimate"],
        f"bootstrap, {interval}",
    )
    return {"n": answer.n, "estimate": answer.estimate, "std_error": np.where(known, error, np.nan),
        "conf_low": np.where(known, low, np.nan), "conf_high": np.where(known, high, np.nan), "replicates": drawn,
        "method": said, **answer.names}  # fmt: skip
