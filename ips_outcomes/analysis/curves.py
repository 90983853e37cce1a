"""Employment rates by month and arm, their difference, and bands that hold for the whole curve at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.exact_tests import pearson_p
from ips_outcomes.analysis.few_clusters import ONE_DECIDES, arms_of_rows, few, note, small_error
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.limits import Z95, limits, normal_p, t_p, t_quantile
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.analysis.resampling import chunks, in_blocks
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.two_proportions import newcombe
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = [
    "Curves",
    "SimultaneousBand",
    "contrast_influence",
    "curves",
    "employment_curves",
    "multiplier_maxima",
    "simultaneous_band",
    "size",
]

Floats = NDArray[np.float64]
Multiplier = Literal["gaussian", "rademacher"]

#: Smaller than this beside its largest, an error is a crumb of arithmetic and not a spread.
CRUMB = 1e-10

REFERENCES = (
    "Montiel Olea JL, Plagborg-Moller M. Simultaneous confidence bands: theory, implementation, and an application to SVARs. "
    "J Appl Econom 2019;34:1-17. doi:10.1002/jae.2656",
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
    "Newcombe RG. Interval estimation for the difference between independent proportions: comparison of eleven methods. "
    "Stat Med 1998;17:873-890. doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I",
)


@dataclass(frozen=True)
class Curves:
    """Rates by arm and month with what each row contributes to them.

    Attributes
    ----------
    n, events, rate : array, arms x months
        People observed, (weighted) people with the outcome, their share.
    mass : array, arms x months
        Weight observed.
    influence : array, rows x months
        Derivative of the own arm's rate with respect to how often the row
        counts, per person; empty months are 0.
    """

    n: Floats
    events: Floats
    mass: Floats
    rate: Floats
    influence: Floats


def curves(matrix: MonthsMatrix) -> Curves:
    """Rates and influence functions from a matrix."""
    mass = matrix.mass[:, None]
    n, weight = matrix.in_arms(matrix.count[:, None] * matrix.observed), matrix.in_arms(mass * matrix.observed)
    events = matrix.in_arms(mass * matrix.value)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(weight > 0, events / weight, np.nan)
        share = np.where(weight > 0, 1 / weight, 0.0)
    centred = matrix.observed * (matrix.value - np.nan_to_num(rate)[matrix.arm])
    return Curves(n, events, weight, rate, matrix.weight[:, None] * centred * share[matrix.arm])


def contrast_influence(matrix: MonthsMatrix, influence: Floats, arm: int, reference: int) -> Floats:
    """Influence of each row on arm minus reference."""
    sign = np.where(matrix.arm == arm, 1.0, np.where(matrix.arm == reference, -1.0, 0.0))
    return influence * sign[:, None]


def size(matrix: MonthsMatrix, influence: Floats, present: Floats, parameters: int = 1) -> Floats:
    """Standard error by column, from influence functions summed over independent units.

    Parameters
    ----------
    influence, present : array, rows x columns
        Influence functions, and 1 where a row takes part.
    parameters : int
        1 for a rate, 2 for a difference. In clusters the variance is
        multiplied by G / (G - 1) x (n - 1) / (n - parameters), as `vcovCL` of
        R's sandwich does for a linear model; people alone get the binomial
        error as it is.
    """
    sums, count = matrix.unit_sums(influence)
    variance = count @ sums**2
    if matrix.cluster is not None:
        groups, people = (matrix.unit_sums(present)[0] > 0).sum(axis=0), matrix.count @ present
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = groups / (groups - 1) * (people - 1) / (people - parameters)
        variance = np.where((groups > 1) & (people > parameters), variance * factor, np.nan)
    return np.sqrt(variance)


@dataclass(frozen=True)
class SimultaneousBand:
    """How wide a band is that holds at every month at once."""

    critical: float
    """Errors to either side; empty where no month varies."""
    p_value: Floats
    """By month: the largest of all months would be at least this many errors from no difference."""


def multiplier_maxima(units: Floats, multipliers: Floats) -> Floats:
    """Largest studentised deviation over months, one a draw.

    Parameters
    ----------
    units : array, units x months
        Influence functions, summed over each independent unit.
    multipliers : array, draws x units

    Examples
    --------
    >>> units = np.array([[3.0, 0.0], [4.0, 1.0]])
    >>> multiplier_maxima(units, np.array([[1.0, -1.0], [1.0, 1.0]])).tolist()
    [1.0, 1.4]
    """
    scale = np.sqrt((units**2).sum(axis=0))
    keep = scale > CRUMB * scale.max(initial=0.0)
    return np.abs(in_blocks(multipliers, units[:, keep] / scale[keep])).max(axis=1)


def simultaneous_band(
    units: Floats, count: Floats, statistic: Floats, draws: int = 10_000, multiplier: Multiplier = "gaussian", seed: int = 1
) -> SimultaneousBand:
    """Critical value of the studentised largest deviation over months (sup-t), by multiplier bootstrap.

    Gaussian multipliers of independent units add up to a normal vector with
    the covariance of the months, so that vector is drawn directly: the same
    distribution at the same cost for 400 people and for a million.

    Parameters
    ----------
    units, count : array
        Influence functions of units x months, and how many units each row stands for.
    statistic : array
        Estimate over its error by month, for p-values of all months at once.
    draws : int
    multiplier : {"gaussian", "rademacher"}
    seed : int
    """
    moving = (units != 0).any(axis=1)
    units, count = units[moving], count[moving]
    scale = np.sqrt(count @ units**2)
    keep = scale > CRUMB * scale.max(initial=0.0)
    empty = np.full(len(statistic), np.nan)
    if not keep.any():
        return SimultaneousBand(np.nan, empty)
    scaled = units[:, keep] / scale[keep]
    rng = np.random.default_rng(seed)
    if multiplier == "rademacher" and count.sum() <= 8 * len(count):
        scaled, count = np.repeat(scaled, count.astype(np.int64), axis=0), np.ones(int(count.sum()))
    if multiplier == "gaussian":
        values, vectors = np.linalg.eigh(scaled.T @ (count[:, None] * scaled))
        scaled = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    maxima: list[Floats] = []
    drawn: Any
    for number in chunks(draws, len(scaled)):
        if multiplier == "gaussian":
            drawn = rng.standard_normal((number, len(scaled)))
        elif (count == 1).all():
            drawn = 2.0 * rng.integers(0, 2, (number, len(scaled))) - 1
        else:
            drawn = 2.0 * rng.binomial(count.astype(np.int64), 0.5, (number, len(scaled))) - count
        maxima.append(np.abs(in_blocks(drawn, scaled)).max(axis=1))
    largest = np.sort(np.concatenate(maxima))
    # a band for many months is never narrower than the interval for one
    critical = max(float(np.quantile(largest, 0.95)), Z95)
    known = np.isfinite(statistic)
    beyond = draws - np.searchsorted(largest, np.abs(np.where(known, statistic, 0.0)), side="left")
    p_value = np.where(known, (1 + beyond) / (1 + draws), np.nan)
    return SimultaneousBand(critical, np.fmax(p_value, normal_p(statistic)))


def _limits(
    kind: str, estimate: Floats, error: Floats, quantile: float, one: tuple[Floats, Floats], other: tuple[Floats, Floats] | None
) -> tuple[Floats, Floats]:
    """Score limits of a rate (or, with another arm, of a difference by Newcombe's square-and-add), or plain ones."""
    nothing = np.full(len(estimate), np.nan)
    if not np.isfinite(quantile):
        return nothing, nothing
    if kind == "plain":
        return limits(estimate, error, "plain", quantile)
    low, high = wilson(*one, quantile) if other is None else newcombe(*one, *other, quantile)
    known = np.isfinite(estimate)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _by_month(matrix: MonthsMatrix, arms: list[int], known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """CR2 errors and degrees of freedom of rates or their differences, a linear model of its own for each month."""
    found = np.full((len(known), 2), np.nan)
    for m in np.flatnonzero(known).tolist():
        month = replace(matrix, value=matrix.value[:, [m]], observed=matrix.observed[:, [m]])
        found[m] = small_error(month, arms, [1.0, -1.0][: len(arms)], np.ones((1, 1)), np.ones(1))
    return found[:, 0], found[:, 1]


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def employment_curves(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, at: int | Sequence[int] | None = None,
    *, interval: Literal["score", "plain"] | None = None, multiplier: Multiplier = "gaussian", draws: int = 10_000, seed: int = 1,
    cluster: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency", month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Rate of an outcome by month and arm, and the difference between arms, with pointwise and simultaneous limits.

    The rate is the share of those observed in that month. ``conf_low`` and
    ``conf_high`` hold for one month at a time; ``band_low`` and ``band_high``
    cover the whole curve over the chosen months with 95 % confidence, so that
    a month picked for its size may be read from them. Each curve has a band of
    its own.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or MonthsMatrix
        One row a person and month; see `months_matrix`.
    outcome : str
        True/false column; missing means not observed.
    arm : str or None
        Column of the arm; None for one curve of everybody.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    at : int or list of int, optional
        Months that the curve, and so the band, is about.
    interval : {"score", "plain"}, optional
        ``"score"`` (default where people stand alone and count whole): Wilson
        for rates, Newcombe for differences. ``"plain"`` (default with clusters
        or probability weights): estimate and so many errors either side. Bands
        are the same formulas with the critical value of the whole curve.
    multiplier : {"gaussian", "rademacher"}
    draws, seed : int
        Of the multiplier bootstrap.
    cluster : str, optional
        Column; errors and bands from sums over clusters, times G / (G - 1).
        Under 30 clusters of an arm or contrast: CR2 errors, limits and p
        from t month by month, and no band.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``rate`` (a row a group and month) and ``risk_difference`` (a
        row a contrast and month), 0 to 1, with ``band_low``, ``band_high``,
        ``critical`` (errors to either side of the band) and, for differences,
        ``p_value`` of the month alone and ``p_adjusted`` over all the months.
        A month that nobody was observed in is empty and says so. Few
        clusters: ``degrees_of_freedom`` (Satterthwaite's), and empty bands.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference; see `months_matrix`.

    References
    ----------
    Montiel Olea JL, Plagborg-Moller M. J Appl Econom 2019;34:1-17.
    Wilson EB. J Am Stat Assoc 1927;22:209-212. Newcombe RG. Stat Med
    1998;17:873-890. Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683
    (few clusters).

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4] * 2, "month": [1] * 4 + [2] * 4, "arm": ["a", "a", "b", "b"] * 2,
    ...                      "works": [0, 1, 0, 0, 1, 1, 0, 1]})
    >>> table = employment_curves(rows, "works", reference="b").select(measure="risk_difference").table
    >>> table[["contrast", "month", "estimate"]].values.tolist()
    [['a - b', 1, 0.5], ['a - b', 2, 0.5]]
    """
    if interval not in (None, "score", "plain"):
        raise UnsupportedError("interval is score or plain")
    if multiplier not in ("gaussian", "rademacher") or draws < 1:
        raise UnsupportedError("multiplier is gaussian or rademacher, and draws at least 1")
    matrix = months_matrix(data, outcome, arm, at, month=month, person_id=person_id, cluster=cluster, weights=weights,
                           weight_type=weight_type)  # fmt: skip
    base = reference_of(data, matrix, reference)
    kind = interval or ("score" if matrix.independent else "plain")
    if kind == "score" and not matrix.independent:
        raise UnsupportedError("score intervals are for people who stand alone and count whole; use interval='plain'")
    found, parts, notes = curves(matrix), [], list(matrix.notes)

    who = arms_of_rows(matrix, base)

    def row(place: int, other: int | None) -> pd.DataFrame:
        if other is None:
            estimate, n, events = found.rate[place], found.n[place], found.events[place]
            inside = matrix.arm == place
            influence = found.influence * inside[:, None]
        else:
            estimate = found.rate[place] - found.rate[other]
            n, events = found.n[place] + found.n[other], found.events[place] + found.events[other]
            inside = np.isin(matrix.arm, (place, other))
            influence = contrast_influence(matrix, found.influence, place, other)
        degrees, arms = np.full(len(estimate), np.nan), [i for i in (place, other) if i is not None]
        small = few(matrix, arms)
        if small:
            spread, degrees = _by_month(matrix, arms, np.isfinite(estimate))
        else:
            spread = size(matrix, influence, matrix.observed * inside[:, None], len(arms))
        error = np.where(np.isfinite(estimate), spread, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = np.where(error > CRUMB * np.nanmax(error, initial=0.0), estimate / error, np.nan)
        units, count = matrix.unit_sums(influence * np.isfinite(estimate))
        # few clusters: the multipliers would only draw again what too few units show
        nothing = SimultaneousBand(np.nan, np.full(len(estimate), np.nan))
        band = nothing if small else simultaneous_band(units, count, statistic, draws, multiplier, seed)
        sides = [(found.events[i], found.n[i]) for i in arms]
        pair = sides[0], sides[1] if len(sides) > 1 else None
        low, high = limits(estimate, error, "plain", t_quantile(degrees)) if small else _limits(kind, estimate, error, Z95, *pair)
        band_low, band_high = _limits(kind, estimate, error, band.critical, *pair)
        name = matrix.arms[place]
        names = {"group": name, "contrast": ""} if other is None else {"group": "", "contrast": f"{name} - {matrix.arms[other]}"}
        label = {"score": "Wilson" if other is None else "Newcombe", "plain": "Wald"}[kind]
        label, width = ("CR2 and t", "no band: few clusters") if small else (label, f"sup-t band ({multiplier})")
        said = np.where(np.isfinite(estimate), f"{label}; {width}", "nobody observed")
        said = np.where(np.isfinite(estimate) & ~np.isfinite(statistic), f"{label}; no variation in this month", said)
        said = np.where(np.isfinite(estimate) & ~np.isfinite(error) & small, ONE_DECIDES, said)
        if not small and not np.isfinite(band.critical):
            notes.append(f"{''.join(names.values())}: no month varies, so there is no band")
        table = pd.DataFrame({"month": matrix.months, "n": n.round().astype(np.int64), "events": events, "estimate": estimate,
            "std_error": error, "conf_low": low, "conf_high": high, "band_low": band_low, "band_high": band_high,
            "critical": band.critical, "degrees_of_freedom": degrees, "method": said, **names})  # fmt: skip
        if other is None:
            return table.assign(measure="rate", p_value=np.nan, p_adjusted=np.nan)
        p_value = pearson_p(*sides[0], *sides[1]) if kind == "score" else t_p(statistic, degrees)
        return table.assign(measure="risk_difference", p_value=p_value, p_adjusted=band.p_value)

    parts = [row(place, None) for place in range(len(matrix.arms))]
    parts += [row(place, base) for place in range(len(matrix.arms)) if base is not None and place != base]
    method = (
        "Share with the outcome among people observed; pointwise 95 % limits "
        + ("by Wilson, of differences by Newcombe" if kind == "score" else "from errors of influence functions")
        + f"; simultaneous 95 % band with the studentised largest deviation over {len(matrix.months)} months "
        + f"({draws} {multiplier} multipliers, seed {seed})"
    )
    rows = pd.concat(parts, ignore_index=True).assign(outcome=outcome)
    told = note(matrix, who, rows["degrees_of_freedom"].to_numpy(dtype=float))
    if not told:
        return Estimates(
            tidy(rows.drop(columns="degrees_of_freedom")), f"{outcome} by month", method, REFERENCES, "curve", tuple(notes)
        )
    notes += [*told, "there is no simultaneous band where clusters are few: read a month named beforehand, or randomisation_test"]
    return Estimates(tidy(rows), f"{outcome} by month", method, (*REFERENCES, *CR2_REFERENCES), "curve", tuple(notes))
