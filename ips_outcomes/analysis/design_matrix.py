"""A formula to a matrix: terms named as in the formula, the reference first, nothing dropped in silence."""

from __future__ import annotations

import re
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
        A row a used row, a column a coefficient.
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
        return found[:, [i for i, c in enumerate(self.spec.column_names) if c != "Intercept"]]


def _prepared(table: pd.DataFrame, categories: dict[str, list[Any]]) -> pd.DataFrame:
    """Columns as formulaic should see them: yes/no as 1 and 0, text as categories, nullable numbers as floats."""
    columns = {}
    for name in table.columns:
        values = table[name]
        if name in categories:
            columns[name] = pd.Series(pd.Categorical(values, categories=categories[name]), index=table.index)
        elif isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
            columns[name] = values
        else:
            columns[name] = values.astype("Float64").astype("float64")
    return pd.DataFrame(columns, index=table.index)


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
    >>> people = pd.DataFrame({"arm": ["ips", "control", "ips"], "age": [20, 30, None]})
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
    missing = table[names].isna()
    used = ~missing.to_numpy().any(axis=1)
    notes = tuple(f"{int(missing[c].sum())} rows left out: {c} is missing" for c in names if missing[c].any())
    rows = table.loc[used, names] if notes else table[names]
    if not len(rows):
        raise UnsupportedError("no row has all covariates" if notes else "the data has no rows")
    found = {c: _categories(rows[c], (reference or {}).get(c)) for c in names}
    categories = {c: levels for c, levels in found.items() if levels is not None}
    single = [c for c, levels in categories.items() if len(levels) < 2]
    if single:
        raise UnsupportedError(f"{', '.join(single)} is constant (one level only): nothing to compare; leave it out")
    try:
        with np.errstate(all="ignore"):
            modelled = parsed.get_model_matrix(_prepared(rows, categories), na_action="ignore")
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
            level = ", ".join(found.group(1) for part in parts if (found := _LEVEL.search(part)))
            own = len(factors) == 1 and factors[0] in categories
            keep.append(i)
            terms.append(":".join(factors))
            levels.append(level)
            contrasts.append(f"{level} / {categories[factors[0]][0]}" if own and level else "")
    labels = [f"{t}[{v}]" if v else t for t, v in zip(terms, levels, strict=True)]
    # a copy of our own, row by row: it is centred and scaled in place later
    matrix = np.ascontiguousarray(np.asarray(modelled, dtype=np.float64)[:, keep])
    if not keep:
        raise UnsupportedError(f"the formula {formula!r} names no covariate")
    _check(matrix, labels)
    return Design(matrix, tuple(terms), tuple(levels), tuple(contrasts), tuple(labels), used, notes, spec, categories)


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


def _check(matrix: NDArray[np.float64], labels: list[str]) -> None:
    """Refuse columns that are not finite, constant, or follow from those before them."""
    centre = matrix.mean(axis=0)
    for j, name in enumerate(labels):
        if not np.isfinite(centre[j]) and not np.isfinite(matrix[:, j]).all():
            raise UnsupportedError(f"{name} is not finite in {int((~np.isfinite(matrix[:, j])).sum())} rows")
    spread = matrix.max(axis=0) - matrix.min(axis=0)
    size = np.maximum(np.abs(matrix).max(axis=0), 1e-300)
    constant = [name for name, flat in zip(labels, spread <= 1e-12 * size, strict=True) if flat]
    if constant:
        raise UnsupportedError(f"{', '.join(constant)} is constant: leave it out of the formula")
    # correlations of the centred columns, orthogonalised one after the other
    gram = np.zeros((len(labels), len(labels)))
    for a in range(0, len(matrix), 1 << 15):
        part = (matrix[a : a + (1 << 15)] - centre) / spread
        gram += part.T @ part
    gram /= np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    for j in range(1, len(labels)):
        weights, *_ = np.linalg.lstsq(gram[:j, :j], gram[:j, j], rcond=1e-11)
        if 1 - gram[:j, j] @ weights < 1e-9:
            partners = ", ".join(labels[i] for i in np.flatnonzero(np.abs(weights) > 1e-6))
            raise UnsupportedError(f"{labels[j]} follows from the columns before it ({partners}): leave one out of the formula")
