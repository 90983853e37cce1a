"""Keys, dates, text files and mistakes in the ways that registers have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.months import NO_MONTH

__all__ = ["Keys", "draw_keys", "employer_key", "pick", "with_quirks", "write_csv", "yyyymm", "yyyymmdd"]

#: The key of each person in each delivery; ``""`` for people whom no delivery could match.
Keys = dict[str, np.ndarray]


def draw_keys(rng: np.random.Generator, number: int, width: int) -> np.ndarray:
    """Distinct pseudonymous keys of one delivery."""
    low, high = 10 ** (width - 1), 10**width
    drawn = np.array([], dtype=np.int64)
    while len(drawn) < number:
        more = rng.integers(low, high, number)
        drawn = np.array(list(dict.fromkeys([*drawn.tolist(), *more.tolist()])), dtype=np.int64)
    return drawn[:number].astype(str)


def pick(rng: np.random.Generator, total: int, number: int) -> np.ndarray:
    """Places of some rows among all, in rising order."""
    return np.sort(rng.permutation(total)[: min(number, total)])


def employer_key(employer: pd.Series, prefix: str) -> np.ndarray:
    """A different key for the same employer in every delivery, as with people."""
    numbers = employer.to_numpy(dtype=np.int64)
    return np.char.add(prefix, np.char.zfill((numbers * 7919 % 99_999_989).astype(str), 8))


def yyyymm(months: np.ndarray) -> np.ndarray:
    """Calendar month numbers as six digits."""
    safe = np.where(months == NO_MONTH, 0, months).astype("datetime64[M]")
    return np.char.replace(np.datetime_as_string(safe), "-", "")


def yyyymmdd(dates: np.ndarray) -> np.ndarray:
    """Dates as eight digits."""
    return np.char.replace(np.datetime_as_string(np.asarray(dates).astype("datetime64[D]")), "-", "")


def with_quirks(
    quirks: dict[str, Any], table: pd.DataFrame, rng: np.random.Generator, *, start: str, end: str, code: str | None = None,
    technical: str | None = None, plain: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The rows and, among them, those that no careful reader would take at face value.

    Some ends never were reported. Beside the rows stand spells that end before
    they start, months and days that no calendar has, codes that mean something else, spells
    inside a longer one, people not in the trial, and the same row twice.
    ``plain`` are further sound rows.
    """
    key = table.columns[0]
    table = table if plain is None else pd.concat([table, plain], ignore_index=True)
    if table.empty:
        return table
    closed = np.flatnonzero(table[end] != "")
    inside = table.iloc[closed[pick(rng, len(closed), quirks["overlapping_spells"])]].copy()
    inside[start] = inside[end]
    # late ones, so that a spell that only seems to go on reaches few months
    recent = closed[table[start].to_numpy()[closed].astype(str) >= "2017"]
    table.loc[recent[pick(rng, len(recent), quirks["unended_benefits"])], end] = ""

    def odd(number: int) -> pd.DataFrame:
        return table.iloc[pick(rng, len(table), number)].copy()

    reversed_, impossible, strangers = (odd(quirks[n]) for n in ("reversed_spells", "impossible_dates", "unknown_people"))
    ends = [end] if technical is None else [end, technical]
    days = table[start].str.contains("-").any()
    reversed_[start], reversed_[ends] = ("2016-06-01", "2016-01-15") if days else ("201606", "201601")
    impossible[start], impossible[ends] = ("2013-02-31", "2014-06-30") if days else ("201313", "201406")
    strangers[key] = draw_keys(rng, len(strangers), 10)
    parts = [table, inside, reversed_, impossible, strangers]
    if code is not None:
        # a code that has never been known to mean the benefit
        unknown = odd(quirks["other_codes"])
        unknown[code] = "95"
        parts.append(unknown)
    again = odd(max(1, round(len(table) * quirks["repeated_rows"])))
    return pd.concat([*parts, again]).sort_values([key, start, end], kind="stable", ignore_index=True)


def write_csv(table: pd.DataFrame, path: Path, encoding: str, *, delimiter: str = ";") -> None:
    """Write a text file with the same line ends on every system."""
    table.to_csv(path, sep=delimiter, index=False, encoding=encoding, lineterminator="\n")
