"""A person's follow-up in machine words: employed and observed by month, one row a person.

Month m of the person's clock is bit m modulo 60 of word m // 60 (see
`ips_outcomes.engine.words`). Words answer what yes and no answer; sums of
hours and pay by month they do not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.engine import WORD, word_name, word_numbers
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.study import Definition

__all__ = ["PersonWords", "columns_of", "first_month", "longest_run", "pack", "popcount", "refuse_sums", "unpack"]

#: People turned into person-months at a time.
_BLOCK = 100_000

Words = NDArray[np.int64]


def pack(cells: NDArray[np.bool_], first_month: int) -> Words:
    """Words of person-months: a row a person, a column a word, for months from ``first_month`` on.

    Examples
    --------
    >>> pack(np.array([[True, True, False, True]]), 0).tolist()
    [[11]]
    """
    number = cells.shape[1]
    words = word_numbers((first_month, first_month + number - 1))
    packed = np.zeros((len(cells), len(words)), dtype=np.int64)
    for column in range(number):
        month = first_month + column
        packed[:, month // WORD - words[0]] |= cells[:, column].astype(np.int64) << np.int64(month % WORD)
    return packed


def unpack(words: Words, window: tuple[int, int]) -> NDArray[np.bool_]:
    """Person-months of words: a row a person, a column a month of the window.

    Examples
    --------
    >>> unpack(np.array([[11]]), (0, 4)).astype(int).tolist()
    [[1, 1, 0, 1, 0]]
    """
    cells = np.empty((len(words), window[1] - window[0] + 1), dtype=bool)
    for column, number in enumerate(word_numbers(window)):
        low, high = max(WORD * number, window[0]), min(WORD * number + WORD - 1, window[1])
        # the bytes of a word, lowest first, are its months in their order
        bytes_ = np.ascontiguousarray(words[:, column], dtype="<i8").view(np.uint8).reshape(-1, 8)
        bits = np.unpackbits(bytes_, axis=1, bitorder="little").view(bool)
        cells[:, low - window[0] : high - window[0] + 1] = bits[:, low - WORD * number : high - WORD * number + 1]
    return cells


def popcount(words: Words) -> NDArray[np.int64]:
    """Number of months set, by person.

    Examples
    --------
    >>> popcount(np.array([[11, 1]])).tolist()
    [4]
    """
    # NumPy before 2.0 has no bit count
    n = words - ((words >> 1) & 0x5555555555555555)
    n = (n & 0x3333333333333333) + ((n >> 2) & 0x3333333333333333)
    n = (n + (n >> 4)) & 0x0F0F0F0F0F0F0F0F
    counts = np.zeros(len(words), dtype=np.int64)
    for byte in range(8):
        counts += ((n >> (8 * byte)) & 0xFF).sum(axis=1)
    return counts


def first_month(words: Words, window: tuple[int, int], none: int) -> NDArray[np.int64]:
    """The first month set, by person; ``none`` where there is no such month.

    Examples
    --------
    >>> first_month(np.array([[8], [0]]), (0, 43), -1).tolist()
    [3, -1]
    """
    first = np.full(len(words), none, dtype=np.int64)
    for column, number in reversed(list(enumerate(word_numbers(window)))):
        word = words[:, column]
        # below the lowest bit that is set, all bits are ones in this difference
        below = popcount(((word & -word) - 1)[:, None])
        first = np.where(word != 0, WORD * number + below, first)
    return first


def longest_run(words: Words, window: tuple[int, int]) -> NDArray[np.int64]:
    """The longest stretch of months set, by person, across words.

    Examples
    --------
    >>> longest_run(np.array([[0b1110110]]), (0, 43)).tolist()
    [3]
    """
    run = best = np.zeros(len(words), dtype=np.int64)
    for month in range(window[0], window[1] + 1):
        bit = (words[:, month // WORD - window[0] // WORD] >> np.int64(month % WORD)) & 1
        run = (run + 1) * bit
        best = np.maximum(best, run)
    return best


def refuse_sums(name: str, definition: Definition) -> None:
    """Refuse a definition that needs sums by month, naming the rule.

    Raises
    ------
    UnsupportedError
        If the definition looks at hours, pay, benefits or courses.
    """
    rules = {
        'month_rule = "paid_in_month"': definition.month_rule == "paid_in_month",
        "minimum_weekly_hours": definition.minimum_weekly_hours is not None,
        "minimum_monthly_pay_nok": definition.minimum_monthly_pay_nok is not None,
        "minimum_monthly_pay_g": definition.minimum_monthly_pay_g is not None,
        "minimum_yearly_pay_g": definition.minimum_yearly_pay_g is not None,
        "without_benefits": bool(definition.without_benefits),
        "benefits_not_above_inclusion": bool(definition.benefits_not_above_inclusion),
        "or_education": definition.or_education,
    }
    asked = [rule for rule, there in rules.items() if there]
    if asked:
        raise UnsupportedError(
            f"employed.{name} has {' and '.join(asked)}, and words of months hold no hours, pay, benefits or courses: "
            "leave the rule out, or use follow_up"
        )


@dataclass(frozen=True)
class PersonWords:
    """Words of every person of a study, by definition of employed.

    Attributes
    ----------
    person_id, arm : numpy.ndarray
        One value a person; the arm may be a pandas Categorical.
    window : (int, int)
        First and last month.
    known, yes : dict
        By definition, words of the months with an answer, and of the months whose answer is yes.
    """

    person_id: NDArray[np.object_]
    arm: NDArray[np.object_] | pd.Categorical
    window: tuple[int, int]
    known: Mapping[str, Words]
    yes: Mapping[str, Words]

    def counts(self) -> pd.DataFrame:
        """People known and employed by definition, arm and month: ``definition``, ``arm``, ``month``, ``n``, ``events``."""
        code, arms = pd.factorize(self.arm, sort=True)
        months = np.arange(self.window[0], self.window[1] + 1)
        parts = []
        for name in self.known:
            n, events = (_by_group(words[name], code, len(arms), self.window) for words in (self.known, self.yes))
            parts.append(pd.DataFrame({
                "definition": name, "arm": np.repeat(np.asarray(arms, dtype=object), len(months)), "month": np.tile(months, len(arms)),
                "n": n.ravel(), "events": events.ravel(),
            }))  # fmt: skip
        return pd.concat(parts, ignore_index=True)

    def person_months(self, definition: str) -> Iterator[pd.DataFrame]:
        """Person-months in blocks of people: ``person_id``, ``arm``, ``month`` and the answer (missing where unknown)."""
        months = np.arange(self.window[0], self.window[1] + 1)
        for start in range(0, len(self.arm), _BLOCK):
            part = slice(start, start + _BLOCK)
            yes, known = (unpack(words[definition][part], self.window) for words in (self.yes, self.known))
            yield pd.DataFrame({
                "person_id": np.repeat(self.person_id[part], len(months)), "arm": np.repeat(self.arm[part], len(months)),
                "month": np.tile(months, len(yes)),
                definition: pd.arrays.BooleanArray(yes.ravel() & known.ravel(), ~known.ravel()),
            })  # fmt: skip


def _by_group(words: Words, code: NDArray[np.intp], groups: int, window: tuple[int, int]) -> NDArray[np.int64]:
    counts = np.zeros((groups, window[1] - window[0] + 1), dtype=np.int64)
    patterns = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.int64)
    # how many people of a group have each pattern of eight months says how many have each month, and no month is ever spread out
    for start in range(0, len(words), _BLOCK):
        own = code[start : start + _BLOCK] * 256
        for column, number in enumerate(word_numbers(window)):
            eights = np.ascontiguousarray(words[start : start + _BLOCK, column], dtype="<i8").view(np.uint8).reshape(-1, 8)
            for eight in range(8):
                first = WORD * number + 8 * eight - window[0]
                # a word's last four bits are no months: the next word begins there
                months = slice(max(-first, 0), min(8, WORD - 8 * eight, counts.shape[1] - first))
                if months.start < months.stop:
                    seen = np.bincount(own + eights[:, eight], minlength=256 * groups).reshape(groups, 256)
                    counts[:, first + months.start : first + months.stop] += seen @ patterns[:, months]
    return counts


def columns_of(table: pd.DataFrame | Mapping[str, NDArray[np.int64]], name: str, window: tuple[int, int]) -> Words:
    """The words of one name in what an engine brought, one column each."""
    columns = [np.asarray(table[word_name(name, number)], dtype=np.int64) for number in word_numbers(window)]
    # one column needs no copy
    return columns[0][:, None] if len(columns) == 1 else np.stack(columns, axis=1)
