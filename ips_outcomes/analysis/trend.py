"""Is the outcome still rising: slopes after a landmark, and the paired change between two months."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import WeightType
from ips_outcomes.analysis.few_clusters import REFERENCES as CR2_REFERENCES
from ips_outcomes.analysis.few_clusters import arms_of_rows, few, note, small_error
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.month_models import Correction, finite_sample, with_limits
from ips_outcomes.analysis.person_months import MonthsData, MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["trends"]

Floats = NDArray[np.float64]

REFERENCES = (
    "Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika 1986;73:13-22. "
    "doi:10.1093/biomet/73.1.13",
    "Zeileis A, Koll S, Graham N. Various versatile variances: an object-oriented implementation of clustered covariances in R. "
    "J Stat Softw 2020;95:1-36. doi:10.18637/jss.v095.i01",
)


@dataclass(frozen=True)
class _Fit:
    """A coefficient of each arm, what every row does to it, and what a finite-sample factor needs."""

    estimate: Floats
    influence: Floats
    rows: Floats
    people: Floats
    events: Floats
    present: NDArray[np.bool_]
    parameters: int
    linear: tuple[MonthsMatrix, Floats, Floats]
    """The same as a linear model of person-months: its rows, covariates of a month, and the combination of coefficients."""

    def error(
        self, matrix: MonthsMatrix, arms: list[int], signs: list[float], correction: Correction
    ) -> dict[str, float]:  # fmt: skip
        """Cluster-robust error of a coefficient, or of a difference of two from the model of both arms together.

        With degrees of freedom where clusters are few.
        """
        if few(matrix, arms):
            rows, design, combination = self.linear
            found = (np.nan, np.nan)
            if np.isfinite(self.estimate[arms]).all():
                found = small_error(rows, arms, signs, design, combination)
            return {"std_error": found[0], "degrees_of_freedom": found[1]}
        return {"std_error": self._plain_error(matrix, arms, signs, correction), "degrees_of_freedom": np.nan}

    def _plain_error(self, matrix: MonthsMatrix, arms: list[int], signs: list[float], correction: Correction) -> float:
        sign = np.zeros(len(matrix.arms))
        sign[arms] = signs
        inside = np.isin(matrix.arm, arms) & self.present
        sums, count = matrix.unit_sums((self.influence * sign[matrix.arm])[:, None])
        variance = float(count @ sums[:, 0] ** 2)
        if correction == "CR1":
            variance *= finite_sample(matrix.units(inside), float(self.rows[arms].sum()), self.parameters * len(arms))
        return float(np.sqrt(variance))


def _slope(matrix: MonthsMatrix) -> _Fit:
    """Least squares of the person-month outcome on the month, within arm; per 12 months."""
    time = matrix.months / 12
    seen = matrix.mass[:, None] * matrix.observed
    by_month, with_outcome = matrix.in_arms(seen), matrix.in_arms(matrix.mass[:, None] * matrix.value)
    total = by_month.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre, level = by_month @ time / total, with_outcome.sum(axis=1) / total
        away = time - centre[:, None]
        spread = (by_month * away**2).sum(axis=1)
        spread = np.where(spread > 1e-12 * np.maximum(total, 1.0), spread, np.nan)
        slope = (with_outcome * away).sum(axis=1) / spread
    fitted = np.nan_to_num(level[:, None] + slope[:, None] * away)[matrix.arm]
    residual = matrix.weight[:, None] * matrix.observed * (matrix.value - fitted)
    # the score of the slope is orthogonal to that of the level once the month is centred
    influence = (residual * np.nan_to_num(away / spread[:, None])[matrix.arm]).sum(axis=1)
    present = np.asarray(matrix.observed.any(axis=1))
    people = matrix.in_arms(matrix.count * present)
    events = matrix.in_arms(matrix.count * (matrix.value > 0).any(axis=1))
    rows = matrix.in_arms(matrix.count[:, None] * matrix.observed).sum(axis=1)
    # the month is centred for the sake of the arithmetic; the slope is the same
    linear = matrix, np.column_stack([np.ones(len(time)), time - time.mean()]), np.array([0.0, 1.0])
    return _Fit(slope, influence, rows, people, events, present, 2, linear)


def _change(matrix: MonthsMatrix, start: int, end: int) -> _Fit:
    """Mean of each person's outcome at the end less that at the start, among people observed at both."""
    first, last = (int(np.flatnonzero(matrix.months == m)[0]) for m in (start, end))
    both = matrix.observed[:, first] * matrix.observed[:, last]
    change = both * (matrix.value[:, last] - matrix.value[:, first])
    total = matrix.in_arms(matrix.mass * both)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = matrix.in_arms(matrix.mass * change) / total
        influence = np.nan_to_num((matrix.weight * both * (change - mean[matrix.arm])) / total[matrix.arm])
    people, events = matrix.in_arms(matrix.count * both), matrix.in_arms(matrix.count * (change != 0))
    month = replace(
        matrix, months=matrix.months[[last]], value=change[:, None], observed=both[:, None], dead=matrix.dead[:, [last]]
    )
    return _Fit(mean, influence, people, people, events, both > 0, 1, (month, np.ones((1, 1)), np.ones(1)))


@supports(frequency_weights=True, probability_weights=True, cluster=True)
def trends(
    data: MonthsData, outcome: str, arm: str | None = "arm", reference: str | None = None, start: int = 19, end: int = 43,
    cluster: str | None = "person_id", *, change_start: int | None = None, correction: Correction = "CR1",
    weights: str | None = None, weight_type: WeightType = "frequency", month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """How fast an outcome rises or falls between two months, by arm, and what the arms differ by.

    The slope is least squares of the person-month outcome on the month within
    the arm, in proportion per 12 months. The change is the mean over people
    observed at both months of the outcome at the end less that at the start:
    the same people, so nobody's leaving looks like a trend.

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
    start, end : int
        First and last month, both counted.
    cluster : str
        Person by default. Under 30 clusters of an arm or contrast: CR2 errors
        with limits and p from t.
    change_start : int, optional
        Where the paired change starts; ``start`` by default. "Still rising"
        is asked from month 31 to 43 beside the slope over 19 to 43.
    correction : {"CR1", "CR0"}
        ``"CR1"`` (default): variance times G / (G - 1) x (n - 1) / (n - k), for
        G clusters, n person-months (people, for the change) and k
        coefficients of the model: that of one arm for a slope or change, that
        of both arms with their interaction for a difference. ``"CR0"``: none.
        Few clusters have CR2 whatever is said here.
    weights, weight_type : str, optional
        Column with whole numbers, or probability weights.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measures ``slope``, ``slope_difference``, ``change``,
        ``change_difference``; columns ``start`` and ``end``. ``n`` is people
        who took part, ``events`` those who had the outcome in one of the months
        (for a change: whose outcome changed). Normal 95 % limits and p-values; few clusters: of t, and
        ``degrees_of_freedom`` (Satterthwaite's).

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference, and an end not after its start.

    References
    ----------
    Liang KY, Zeger SL. Biometrika 1986;73:13-22. Zeileis A, Koll S, Graham N.
    J Stat Softw 2020;95:1-36 (the corrections). Pustejovsky JE, Tipton E.
    J Bus Econ Stat 2018;36:672-683 (few clusters).

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4] * 3, "month": [1] * 4 + [2] * 4 + [3] * 4, "arm": ["a", "a", "b", "b"] * 3,
    ...                      "works": [0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1]})
    >>> table = trends(rows, "works", reference="b", start=1, end=3).table
    >>> [[m, round(e, 6)] for m, e in table[["measure", "estimate"]].values.tolist()]
    [['slope', 6.0], ['slope', 0.0], ['slope_difference', 6.0], ['change', 1.0], ['change', 0.0], ['change_difference', 1.0]]
    """
    if correction not in ("CR1", "CR0"):
        raise UnsupportedError("correction is CR1 or CR0")
    since = start if change_start is None else change_start
    if not start <= since < end:
        raise UnsupportedError(f"the end ({end}) must come after the start ({start}), and the change start within them")
    matrix = months_matrix(data, outcome, arm, month=month, person_id=person_id, weights=weights, weight_type=weight_type,
                           cluster=person_id if cluster in (None, "person_id", person_id) else cluster)  # fmt: skip
    base = reference_of(data, matrix, reference)
    lacking = [m for m in (start, since, end) if m not in set(matrix.months.tolist())]
    if lacking:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, dict.fromkeys(lacking)))}")
    wanted = [m for m in matrix.months.tolist() if start <= m <= end]
    matrix = months_matrix(matrix, outcome, at=wanted)
    rows = []
    for measure, fit, begin in (("slope", _slope(matrix), start), ("change", _change(matrix, since, end), since)):
        common = {"start": begin, "end": end}
        for place, name in enumerate(matrix.arms):
            rows.append({"measure": measure, "group": name, "contrast": "", "n": round(float(fit.people[place])),
                         "events": round(float(fit.events[place])), "estimate": fit.estimate[place], **fit.error(matrix, [place], [1.0], correction), **common})  # fmt: skip
        for place, name in enumerate(matrix.arms):
            if base is not None and place != base:
                rows.append({"measure": f"{measure}_difference", "group": "", "contrast": f"{name} - {matrix.arms[base]}",
                             "n": round(float(fit.people[place] + fit.people[base])),
                             "events": round(float(fit.events[place] + fit.events[base])),
                             "estimate": fit.estimate[place] - fit.estimate[base],
                             **fit.error(matrix, [place, base], [1.0, -1.0], correction), **common})  # fmt: skip
    table = pd.DataFrame(rows)
    who, degrees = arms_of_rows(matrix, base), table["degrees_of_freedom"].to_numpy(dtype=float)
    small = (table["group"] + table["contrast"]).map({name: few(matrix, arms) for name, arms in who.items()}).to_numpy(dtype=bool)
    table = with_limits(table.assign(outcome=outcome, tested=True, few=small), correction)
    short = [f"{name}: {round(float(n))} people; robust errors of so few are too small"
             for name, n in zip(matrix.arms, matrix.in_arms(matrix.count), strict=True)
             if n < FEW_CLUSTERS and not few(matrix, who[name])]  # fmt: skip
    short += note(matrix, who, degrees)
    how = "CR2" if small.all() else f"{correction} (CR2 and t where clusters are few)" if small.any() else correction
    units = "people" if matrix.cluster is None else str(cluster)
    method = (
        f"Least squares of {outcome} on the month, {start} to {end}, within arm, per 12 months; paired change from month {since} "
        f"to {end} among people observed at both; {how} errors over {units}; two-sided 95 %, {'t' if small.all() else 'normal'}"
    )
    return Estimates(tidy(table), f"Trend of {outcome}", method, (*REFERENCES, *CR2_REFERENCES) if small.any() else REFERENCES, "forest",
                     (*matrix.notes, *short))  # fmt: skip
