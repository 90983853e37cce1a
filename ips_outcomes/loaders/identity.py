"""National identity numbers must not be here: find them, stop, and echo none.

A column of pseudonymous keys with eleven digits holds about one value in a
hundred that passes the checks by chance, so the column is judged, not the
cell.

References
----------
Skatteetaten, folkeregisteret-api-dokumentasjon, nyttfnr2032.md (control digits
from 2032, synthetic numbers).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.errors import Problem

__all__ = ["identity_numbers", "judge_column"]

_FIRST = np.array([3, 7, 6, 1, 8, 9, 4, 5, 2, 1])
_SECOND = np.array([5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])
#: Added to the month: H-numbers and NAV's synthetic people, Norsk helsenett's, Skatteetaten's.
_MONTH_SHIFTS = (0, 40, 65, 80)
_HEADERS = ("fnr", "fodselsnr", "fødselsnr", "fodselsnummer", "fødselsnummer", "personnummer", "pid")

#: Of at least this many distinct values, more than this share stops the run.
_ENOUGH, _SHARE = 20, 0.05


def identity_numbers(texts: pd.Series, *, strict: bool = False) -> np.ndarray:
    """Which texts could be a birth number, D-number or a synthetic one of either.

    Spaces, dots and hyphens do not hide a number, nor does a lost leading
    zero. From 2032 the first control digit may leave a remainder of 0 to 3;
    ``strict`` asks for 0, as today.

    Examples
    --------
    >>> identity_numbers(pd.Series(["15108695088", "151086 95088", "15108695089", "8001"])).tolist()
    [True, True, False, False]
    """
    plain = texts.fillna("").astype(str).str.replace(r"[\s.\-]", "", regex=True).str.replace(r"^(\d{10})$", r"0\1", regex=True)
    shaped = plain.str.fullmatch(r"\d{11}").to_numpy(dtype=bool)
    found = np.zeros(len(texts), dtype=bool)
    if not shaped.any():
        return found
    joined = "".join(plain[shaped])
    digits = (np.frombuffer(joined.encode("ascii"), dtype=np.uint8) - ord("0")).reshape(-1, 11).astype(np.int64)
    day, month = digits[:, 0] * 10 + digits[:, 1], digits[:, 2] * 10 + digits[:, 3]
    dated = (((day >= 1) & (day <= 31)) | ((day >= 41) & (day <= 71))) & np.logical_or.reduce(
        [(month >= 1 + shift) & (month <= 12 + shift) for shift in _MONTH_SHIFTS]
    )
    remainder = (digits[:, :10] @ _FIRST) % 11
    # FH-numbers of the health sector begin with 8 or 9 and carry no date
    plausible = dated | (digits[:, 0] >= 8)
    passes = ((remainder == 0) if strict else (remainder <= 3) & dated | (remainder == 0)) & ((digits @ _SECOND) % 11 == 0)
    found[shaped] = plausible & passes
    return found


def judge_column(file: str, column: str, values: pd.Series) -> Problem | None:
    """A problem where a column holds national identity numbers; none where a few only look so by chance."""
    distinct = pd.Series(values.dropna().unique())
    if distinct.empty:
        return None
    hits = identity_numbers(distinct)
    named = column.lower() in _HEADERS or column.lower().rsplit("_", 1)[-1] in _HEADERS
    enough = len(distinct) >= _ENOUGH
    many = hits.mean() > _SHARE if enough else identity_numbers(distinct, strict=True).mean() >= 0.5
    if not many and not (named and hits.any()):
        return None
    rule = "values look like national identity numbers (fødselsnummer, D-number or synthetic ones)"
    remedy = "stop here: replace them by pseudonymous keys before the data comes near this program"
    return Problem(file, rule, remedy, f"column {column}", int(hits.sum()), "values")
