"""A formula to a matrix: terms named as in the formula, the reference first, nothing dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import require
from ips_outcomes.errors import UnsupportedError

__all__ = ["Design", "design"]

#: How formulaic marks the level of a treatment-coded column.
_LEVEL = re.compile(r"\[(?:T\.)?(.*)\]$")


@dataclass(frozen=True)
class Design:
    """The covariates of a regression without intercept.

    Attributes
    ----------
    matrix : array
        A row a used row, a column a coefficient; centred and in standard deviations.
    centre, scale : array
        What was subtracted, then divided by.
    terms, levels, contrasts : tuple of str
        By column: the term as in the formula; the level (or levels, joined)
        where it is categorical; "level / reference" for a categorical main effect.
    names : tuple of str
        Term and level in one, for messages and for people.
    used : array of bool
        Which rows of the table are in the matrix.
    notes : tuple of str
        Rows left out, counted.
    """

    matrix: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    contrasts: tuple[str, ...]
    names: tuple[str, ...]
    used: NDArray[np.bool_]
    notes: tuple[str, ...]
    spec: Any
    categories: dict[str, list[Any]]

    def at(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """The same columns for other people; a level that was not in the fit is refused."""
        names = sorted(self.spec.required_variables)
        require(table, names)
        rows = _prepared(table[names], self.categories)
        if rows.isna().to_numpy().any():
            raise UnsupportedError(f"a covariate is missing, or has a level that was not in the fit ({', '.join(names)})")
        found = np.asarray(self.spec.get_model_matrix(rows, na_action="ignore"), dtype=float)
        return (found[:, [i for i, c in enumerate(self.spec.column_names) if c != "Intercept"]] - self.centre) / self.scale


def _prepared(table: Mapping[Any, pd.Series] | pd.DataFrame, categories: dict[str, list[Any]]) -> pd.DataFrame:
    """Columns as formulaic should see them: yes/no as 1 and 0, text as categories, nullable numbers as floats."""
    columns = {}
    for name in table:
        values = table[name]
        if name in categories:
            columns[name] = pd.Series(pd.Categorical(values, categories=categories[name]), index=values.index)
        elif isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
            columns[name] = values
        else:
            columns[name] = values.astype("Float64").astype("float64")
    return pd.DataFrame(columns, copy=False)


def _categories(values: pd.Series, reference: Any) -> list[Any] | None:
    """The levels in use, the reference first; None for numbers and yes/no."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels = list(values.cat.remove_unused_categories().cat.categories)
    elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return None
    else:
        known = values.dropna()
        if known.map(type).isin([bool, np.bool_]).all() and len(known):
            return None
        levels = sorted(known.unique(), key=lambda v: (str(type(v)), v))
    chosen = [v for v in levels if str(v) == str(reference)] if reference is not None else []
    return [*chosen, *(v for v in levels if v not in chosen)]


def design(table: pd.DataFrame, formula: str, reference: dict[str, Any] | None = None) -> Design:
    """Build the covariate matrix of a formula such as ``"arm * age + sex"``.

    Text and categories are treatment-coded; the reference is the first level
    (in the order of the categories, or of the alphabet) unless named. Rows in
    which a covariate is missing are left out and counted.

    Raises
    ------
    UnsupportedError
        For a formula that cannot be read, an unknown column, a column that is
        constant or follows from the others, and values that are not finite.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["ips", "control", "ips", "ips"], "age": [20, 30, None, 40]})
    >>> found = design(people, "arm + age", {"arm": "ips"})
    >>> found.terms, found.contrasts, found.notes
    (('arm', 'age'), ('control / ips', ''), ('1 rows left out: age is missing',))
    """
    from formulaic import Formula

    try:
        parsed = Formula(formula)
    except Exception as error:
        raise UnsupportedError(f"the formula {formula!r} cannot be read: {error}") from None
    if hasattr(parsed, "lhs"):
        raise UnsupportedError("the formula names covariates only: time= and event= name the outcome")
    names = sorted(parsed.required_variables)
    require(table, names)
    if not names:
        raise UnsupportedError(f"the formula {formula!r} names no covariate")
    # column by column: a copy of a million rows is not free
    missing = {c: table[c].isna().to_numpy() for c in names}
    used = ~np.any(list(missing.values()), axis=0)
    notes = tuple(f"{int(lost.sum())} rows left out: {c} is missing" for c, lost in missing.items() if lost.any())
    rows = {c: table[c][used] if notes else table[c] for c in names}
    if not used.any():
        raise UnsupportedError("no row has all covariates" if notes else "the data has no rows")
    found = {c: _categories(rows[c], (reference or {}).get(c)) for c in names}
    categories = {c: levels for c, levels in found.items() if levels is not None}
    single = [c for c, levels in categories.items() if len(levels) < 2]
    if single:
        raise UnsupportedError(f"{', '.join(single)} is constant (one level only): nothing to compare; leave it out")
    factors_of = [[str(factor) for factor in term.factors] for term in parsed]
    plain = not categories and all(len(factors) == 1 and factors[0] in {*names, "1"} for factors in factors_of)
    try:
        with np.errstate(all="ignore"):
            # numbers as they are need no formula: two rows tell formulaic's order, the columns are then copied once
            some = {c: v.iloc[:2] for c, v in rows.items()} if plain else rows
            modelled = parsed.get_model_matrix(_prepared(some, categories), na_action="ignore")
    except Exception as error:
        raise UnsupportedError(f"the formula {formula!r} cannot be computed: {error}") from None
    spec = modelled.model_spec
    terms, levels, contrasts, keep = [], [], [], []
    for term, place in spec.term_slices.items():
        factors = [str(factor) for factor in term.factors]
        for i in range(place.start, place.stop):
            if str(term) == "1":
                continue
            parts = _split(spec.column_names[i], factors)
            level = ", ".join(marked.group(1) for part in parts if (marked := _LEVEL.search(part)))
            own = len(factors) == 1 and factors[0] in categories
            keep.append(i)
            terms.append(":".join(factors))
            levels.append(level)
            contrasts.append(f"{level} / {categories[factors[0]][0]}" if own and level else "")
    labels = [f"{t}[{v}]" if v else t for t, v in zip(terms, levels, strict=True)]
    if not keep:
        raise UnsupportedError(f"the formula {formula!r} names no covariate")
    # a copy of our own, row by row: it is centred and scaled in place
    matrix = np.empty((int(used.sum()), len(keep)))
    if plain:
        whole = _prepared(rows, categories)
        for j, name in enumerate(terms):
            matrix[:, j] = whole[name].to_numpy()
    else:
        matrix[:] = np.asarray(modelled)[:, keep]
    centre, scale = _standardise(matrix, labels)
    return Design(
        matrix, centre, scale, tuple(terms), tuple(levels), tuple(contrasts), tuple(labels), used, notes, spec, categories
    )


def _split(column: str, factors: list[str]) -> list[str]:
    """A column's name by factor: the factors' own names may hold colons."""
    if len(factors) == 1:
        return [column]
    parts, rest = [], column
    for this, after in zip(factors, [*factors[1:], None], strict=True):
        end = len(rest) if after is None else rest.index(":" + after, len(this))
        parts.append(rest[:end])
        rest = rest[end + 1 :]
    return parts


def _standardise(matrix: NDArray[np.float64], labels: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and scale in place; refuse columns that are not finite, constant, or follow from those before them."""
    number, step = len(matrix), 1 << 14
    centre = np.ones(number) @ matrix / number
    for j, name in enumerate(labels):
        if not np.isfinite(centre[j]):
            raise UnsupportedError(f"{name} is not finite in {int((~np.isfinite(matrix[:, j])).sum())} rows")
    gram = np.zeros((len(labels), len(labels)))
    for a in range(0, number, step):
        part = matrix[a : a + step]
        part -= centre
        gram += part.T @ part
    scale = np.sqrt(np.diag(gram) / number)
    constant = [name for name, flat in zip(labels, scale <= 1e-10 * np.abs(centre), strict=True) if flat]
    if constant:
        raise UnsupportedError(f"{', '.join(constant)} is constant: leave it out of the formula")
    for a in range(0, number, step):
        matrix[a : a + step] /= scale
    # correlations of the centred columns, each on those before it
    gram /= number * np.outer(scale, scale)
    for j in range(1, len(labels)):
        weights, *_ = np.linalg.lstsq(gram[:j, :j], gram[:j, j], rcond=1e-11)
        if 1 - gram[:j, j] @ weights < 1e-9:
            partners = ", ".join(labels[i] for i in np.flatnonzero(np.abs(weights) > 1e-6))
            raise UnsupportedError(f"{labels[j]} follows from the columns before it ({partners}): leave one out of the formula")
    return centre, scale
