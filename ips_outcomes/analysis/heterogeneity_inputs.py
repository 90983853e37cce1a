"""From data to what heterogeneity is learned from: one row a person, an outcome, two arms, covariates as columns of a basis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import MISSING, Data, as_list, group_name, require, with_arm
from ips_outcomes.analysis.subgroup_people import once
from ips_outcomes.errors import UnsupportedError

__all__ = ["Shown", "Subjects", "basis_of", "natural_spline", "subjects_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A number with fewer values than this is not bent.
BENT_FROM = 6
#: Where the knots of a number lie among its values.
KNOTS = (0.1, 0.5, 0.9)
#: A text with more levels than this is an identifier rather than a characteristic.
MOST_LEVELS = 50


@dataclass(frozen=True)
class Shown:
    """A covariate as people read it: a number, or whether it has a level (1 or 0); missing numbers stay missing."""

    covariate: str
    level: str
    values: Floats


@dataclass(frozen=True)
class Subjects:
    """People with an arm and an outcome, in an order that hangs on nothing but who they are.

    Attributes
    ----------
    ids : array
        Person, or number of the row.
    outcome : array
    treated : array of bool
    binary : bool
        Whether the outcome is yes or no.
    basis : array, people x columns
        Covariates, each column of mean 0 and standard deviation 1.
    shown : tuple of Shown
    stratum : array of int
    given : array, optional
        Propensity, where a column of the data holds it.
    arms : tuple of str
        The reference, the other.
    name : str
        The outcome's.
    month : int, optional
    randomised : bool, optional
        What the study file says; None for a DataFrame.
    notes : tuple of str
    """

    ids: NDArray[np.object_]
    outcome: Floats
    treated: NDArray[np.bool_]
    binary: bool
    basis: Floats
    shown: tuple[Shown, ...]
    stratum: Ints
    given: Floats | None
    arms: tuple[str, str]
    name: str
    month: int | None
    randomised: bool | None
    notes: tuple[str, ...]

    @property
    def number(self) -> int:
        """How many people there are."""
        return len(self.outcome)


def natural_spline(values: Floats, knots: Sequence[float]) -> Floats:
    """The bent part of a natural cubic spline: one column fewer than inner pieces, straight outside of the knots.

    Parameters
    ----------
    values : array
    knots : sequence of float
        At least three, rising.

    Returns
    -------
    array, values x (knots - 2)

    References
    ----------
    Harrell FE. Regression Modeling Strategies. 2nd ed. Springer 2015, section 2.4.5.

    Examples
    --------
    >>> natural_spline(np.array([0.0, 1.0, 2.0, 3.0]), [0.0, 1.0, 2.0]).ravel().tolist()
    [0.0, 0.25, 1.5, 3.0]
    """
    last, before = knots[-1], knots[-2]
    columns = []
    for knot in knots[:-2]:
        inner = np.clip(values - knot, 0, None) ** 3
        inner -= np.clip(values - before, 0, None) ** 3 * (last - knot) / (last - before)
        inner += np.clip(values - last, 0, None) ** 3 * (before - knot) / (last - before)
        columns.append(inner / (last - knots[0]) ** 2)
    return np.column_stack(columns)


def _number(values: pd.Series, name: str) -> tuple[list[Floats], list[Shown]]:
    """A number, its bent part, and who lacks it: an unknown number counts as the mean and has an indicator of its own."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    known = ~np.isnan(numbers)
    if not np.isfinite(numbers[known]).all():
        raise UnsupportedError(f"{int((~np.isfinite(numbers[known])).sum())} values of {name} are not finite")
    if not known.any():
        raise UnsupportedError(f"{name} is missing for everybody: leave it out of covariates=")
    filled = np.where(known, numbers, numbers[known].mean())
    columns, shown = [filled], [Shown(name, "", numbers)]
    distinct = np.unique(numbers[known])
    if len(distinct) >= BENT_FROM:
        knots = np.quantile(numbers[known], KNOTS)
        if (np.diff(knots) > 0).all():
            columns.append(natural_spline(filled, knots.tolist())[:, 0])
    if not known.all():
        columns.append((~known).astype(float))
        shown.append(Shown(name, MISSING, (~known).astype(float)))
    return columns, shown


def _category(values: pd.Series, name: str) -> tuple[list[Floats], list[Shown]]:
    """One indicator a level, unknown being a level."""
    named = np.array([group_name(v) for v in values.tolist()], dtype=object)
    levels = sorted(set(named.tolist()) - {MISSING}) + ([MISSING] if MISSING in set(named.tolist()) else [])
    if len(levels) > MOST_LEVELS:
        raise UnsupportedError(f"{name} has {len(levels)} levels: join some, or leave it out of covariates=")
    found = [(named == level).astype(float) for level in levels]
    # of two levels one says all; of more, each has its own, so that none of them is the one that others lean on
    return (found[1:] if len(levels) == 2 else found), [Shown(name, v, x) for v, x in zip(levels, found, strict=True)]


def basis_of(table: pd.DataFrame, names: Sequence[str]) -> tuple[Floats, tuple[Shown, ...]]:
    """Covariates as standardised columns, and as people read them.

    Raises
    ------
    UnsupportedError
        For covariates that are the same for everybody, missing for everybody,
        not finite, or of more than 50 levels.

    Examples
    --------
    >>> basis, shown = basis_of(pd.DataFrame({"sex": ["woman", "man", None, "man"]}), ["sex"])
    >>> basis.shape, [s.level for s in shown]
    ((4, 3), ['man', 'woman', 'Unknown'])
    """
    columns: list[Floats] = []
    shown: list[Shown] = []
    for name in names:
        values = table[name]
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if values.nunique(dropna=False) < 2:
            raise UnsupportedError(f"{name} is the same for everybody: leave it out of covariates=")
        more, told = _number(values, name) if number else _category(values, name)
        columns += more
        shown += told
    matrix = np.column_stack(columns)
    centred = matrix - matrix.mean(axis=0)
    size = np.sqrt((centred**2).mean(axis=0))
    # a number that is the same for all who have it leaves only the indicator of who lacks it
    kept = size > 1e-10 * np.maximum(np.abs(matrix).max(axis=0), 1e-300)
    return centred[:, kept] / size[kept], tuple(shown)


def _order(table: pd.DataFrame, columns: Sequence[str]) -> Ints:
    """Positions in an order that shuffled rows do not change: by person, then by what is known of them."""
    codes = []
    for name in columns:
        values = table[name]
        if not pd.api.types.is_numeric_dtype(values):
            values = values.map(lambda v: "" if pd.isna(v) else f"{type(v).__name__} {v}").astype(str)
        codes.append(pd.factorize(values, sort=True)[0])
    return np.lexsort(codes[::-1]).astype(np.int64)


def _outcome(values: pd.Series, name: str) -> Floats:
    try:
        numbers = values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise UnsupportedError(f"{name} is neither yes or no nor a number") from None
    if np.isinf(numbers).any():
        raise UnsupportedError(f"{int(np.isinf(numbers).sum())} values of {name} are not finite")
    return np.asarray(numbers)


def subjects_of(
    data: Data, outcome: str | None, covariates: str | Sequence[str] | None, arm: str, reference: str | None, at: int | None,
    strata: str | Sequence[str] | None, propensity: str | None, month: str | None, person_id: str,
) -> Subjects:  # fmt: skip
    """One row a person of two arms, checked; `propensity` is a column here, or None."""
    names, randomised, frame = as_list(covariates), None, isinstance(data, pd.DataFrame)
    if not isinstance(data, pd.DataFrame):
        outcome = outcome or data.study.primary_definition
        reference = data.study.reference if reference is None else reference
        # a study that does not say is not taken for a trial
        randomised = data.study.design == "randomised"
        month, person_id = "month", "person_id"
    if outcome is None:
        raise UnsupportedError("name the outcome: outcome= takes a column")
    if not names:
        raise UnsupportedError("name what effects may differ by: covariates= takes baseline columns")
    twice = {outcome, arm} & set(names)
    if twice or len(set(names)) < len(names):
        raise UnsupportedError("covariates= are other columns than the outcome and the arm, each named once")
    own = [arm, *names, *as_list(strata), *as_list(propensity)]
    table = data if isinstance(data, pd.DataFrame) else data.months_with(own)
    if frame and month is None and "month" in table.columns:
        month = "month"
    require(table, [outcome, *own, *([month, person_id] if month else [])])
    table, notes = with_arm(table, arm)
    if not len(table):
        raise UnsupportedError("there is nobody: no row has an arm")
    if month:
        if frame:
            once(table, person_id, own)
        table, at = _of_month(table, month, person_id, at)
    elif at is not None:
        raise UnsupportedError("at= chooses a month, and the data has no month column; name it with month=")
    arms = sorted(table[arm].unique())
    if reference is None or str(reference) not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    if len(arms) != 2:
        raise UnsupportedError(f"two arms are compared, and here are {len(arms)}: keep the rows of the two that you ask about")
    y = _outcome(table[outcome], outcome)
    lost = int(np.isnan(y).sum())
    notes += (f"{lost} people left out: {outcome} is missing; the rest stand for them",) if lost else ()
    table, y = table[~np.isnan(y)].reset_index(drop=True), y[~np.isnan(y)]
    if not len(y):
        raise UnsupportedError(f"nobody has a known {outcome}")
    keyed = [person_id, *names] if person_id in table else names
    order = _order(table.assign(**{outcome: y}), [*keyed, outcome, *as_list(strata), arm])
    table, y = table.iloc[order].reset_index(drop=True), y[order]
    if (y == y[0]).all():
        raise UnsupportedError(f"{outcome} is the same for everybody: no effect can differ")
    basis, shown = basis_of(table, names)
    labels = np.array([group_name(tuple(r)) for r in table[as_list(strata)].itertuples(index=False, name=None)], dtype=object)
    stratum = pd.factorize(labels, sort=True)[0] if strata else np.zeros(len(y))
    ids = table[person_id].to_numpy(dtype=object) if person_id in table else order.astype(object)
    other = next(a for a in arms if a != str(reference))
    return Subjects(
        ids, y, (table[arm] == other).to_numpy(), bool(np.isin(y, (0.0, 1.0)).all()), basis, shown, stratum.astype(np.int64),
        _given(table, propensity), (str(reference), other), outcome, at, randomised, notes,
    )  # fmt: skip


def _of_month(table: pd.DataFrame, month: str, person_id: str, at: int | None) -> tuple[pd.DataFrame, int]:
    """The rows of one month, the last by default."""
    wanted = int(table[month].max()) if at is None else at
    rows = table[table[month] == wanted]
    if rows.empty:
        raise UnsupportedError(f"the data has no month {wanted}")
    repeated = int(rows[person_id].duplicated().sum())
    if repeated:
        raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
    return rows, wanted


def _given(table: pd.DataFrame, propensity: str | None) -> Floats | None:
    if propensity is None:
        return None
    numbers = _outcome(table[propensity], propensity)
    wrong = int((~((numbers > 0) & (numbers < 1))).sum())
    if wrong:
        raise UnsupportedError(f"{wrong} values of {propensity} do not lie between 0 and 1, both excluded, or are missing")
    return numbers
