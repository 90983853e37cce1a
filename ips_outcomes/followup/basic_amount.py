"""The basic amount of the Norwegian national insurance (grunnbeløpet, G), by calendar month."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.months import month_label, month_number

__all__ = ["g_known", "g_of_month"]

_FILE = "grunnbelop.csv"


def g_of_month(calendar_months: Any) -> NDArray[np.int64]:
    """G in force in each calendar month, whole øre a year.

    A G holds from 1 May for twelve months. The table, with its sources, is
    ``grunnbelop.csv`` beside this module.

    Parameters
    ----------
    calendar_months : array of int
        Calendar months, months since January 1970.

    Returns
    -------
    numpy.ndarray
        One amount a month, in the same shape.

    Raises
    ------
    DataError
        If a month lies before the first G of the table or more than twelve
        months after the last one took effect.

    Examples
    --------
    >>> from ips_outcomes.months import parse_month
    >>> g_of_month([parse_month("2015-04"), parse_month("2015-05")]).tolist()
    [8837000, 9006800]
    """
    months = np.asarray(calendar_months, dtype=np.int64)
    first, amounts = _table()
    last = first[-1] + 11
    outside = ~g_known(months)
    if outside.any():
        rule = (
            f"months {month_label(int(months[outside].min()))} to {month_label(int(months[outside].max()))} have no known G: "
            f"the table reaches from {month_label(int(first[0]))} to {month_label(int(last))}"
        )
        remedy = (
            "leave minimum_monthly_pay_g and minimum_yearly_pay_g out, mend the period of the source of pay, or add to the table"
        )
        raise DataError([Problem(_FILE, rule, remedy, "column valid_from", int(outside.sum()), "person-months")])
    return amounts[np.searchsorted(first, months, side="right") - 1]


def g_known(calendar_months: Any) -> NDArray[np.bool_]:
    """Which calendar months (months since January 1970) the table of G reaches.

    Examples
    --------
    >>> from ips_outcomes.months import parse_month
    >>> g_known([parse_month("2009-04"), parse_month("2009-05")]).tolist()
    [False, True]
    """
    months = np.asarray(calendar_months, dtype=np.int64)
    first, _ = _table()
    return (months >= first[0]) & (months <= first[-1] + 11)


@cache
def _table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Calendar months from which each G holds, rising, and the amounts in øre."""
    text = (resources.files("ips_outcomes.followup") / _FILE).read_text(encoding="utf-8")
    rows = sorted((row["valid_from"], int(row["amount_nok"])) for row in csv.DictReader(text.splitlines()))
    months = month_number(np.array([day for day, _ in rows], dtype="datetime64[D]"))
    return months, np.array([amount * 100 for _, amount in rows], dtype=np.int64)
