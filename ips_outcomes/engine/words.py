"""Months as bits: spells and month records become machine words, words become counts, inside the engine.

A word holds 60 months: word k covers months 60k to 60k + 59 on the person's
clock, so that history (months below 0) has words of its own, k = -1 and below.
Bit i of word k is month 60k + i; bits 60 to 63 stay 0. A month range is cut to
the word before anything is shifted: DuckDB refuses a shift by 63 or by a
negative number, and the JVM takes it modulo 64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ips_outcomes.errors import UnsupportedError

__all__ = ["WORD", "gathered", "linked", "link_counts", "spell_words", "word_name", "word_numbers"]

#: Months in a word.
WORD = 60

Table = Any
Column = Any


def word_numbers(window: tuple[int, int]) -> range:
    """The words that months from the first to the last of a window need.

    Examples
    --------
    >>> list(word_numbers((-24, 43)))
    [-1, 0]
    >>> list(word_numbers((0, 60)))
    [0, 1]
    """
    if window[0] > window[1]:
        raise UnsupportedError("the window ends before it starts")
    return range(window[0] // WORD, window[1] // WORD + 1)


def word_name(name: str, number: int) -> str:
    """The column of one word: ``yes_0``, or ``yes_m1`` for the word that ends with month -1."""
    return f"{name}_{number}" if number >= 0 else f"{name}_m{-number}"


def _one() -> Column:
    import ibis

    # as written, 1 is 32 bits wide on both engines
    return ibis.literal(1, "int32").cast("int64")


def _every() -> Column:
    """A word with all its months."""
    import ibis

    return ibis.literal(2**WORD - 1, "int64")


def _mask(first: Column, last: Column, number: int, window: tuple[int, int]) -> Column:
    """Bits of one word for months first to last, where they touch it."""
    import ibis

    low, high = max(WORD * number, window[0]), min(WORD * number + WORD - 1, window[1])
    if first.equals(last):
        # a month record: one bit
        at = ibis.least(ibis.greatest(first, low), high) - WORD * number
        return first.between(low, high).ifelse(_one() << at.cast("int32"), 0)
    start = ibis.greatest(first, low) - WORD * number
    stop = ibis.least(last, high) - WORD * number
    touches = (first <= high) & (last >= low) & (first <= last)
    # shifted right, since DuckDB looks at every word for an overflow when it shifts left
    up_to_stop, before_start = (_every() >> (WORD - bits).cast("int32") for bits in (stop + 1, start))
    return touches.ifelse(up_to_stop - before_start, 0)


def spell_words(
    spells: Table, by: str | Sequence[str], *, window: tuple[int, int], words: Mapping[str, Column | None],
    first: str | Mapping[str, str] = "first", last: str | Mapping[str, str] = "last",
    counts: Mapping[str, Column] | None = None, carry: Sequence[str] = (),
    gather: Mapping[str, tuple[Column, Sequence[str]]] | None = None,
) -> Table:  # fmt: skip
    """Union of spells as words, one row a person, in one pass over the spells.

    Parameters
    ----------
    spells : ibis Table
        One row a spell, with months on the person's clock in two whole-number columns.
    by : str or sequence of str
        The person's column.
    window : (int, int)
        First and last month kept; history is negative.
    words : mapping
        Name of a word -> which spells count for it (a boolean column), or None for all.
    first, last : str or mapping
        Columns of the first and last month, for all words or by word. A spell with an empty one, or that ends before it starts, sets no bit.
    counts : mapping, optional
        Further columns: name -> boolean column whose true rows are counted.
    carry : sequence of str
        Columns that are the same in all rows of a person, such as the arm: kept, and not grouped by, which is quicker.
    gather : mapping, optional
        Further columns: name -> which rows are kept as they are, and their columns; `gathered` spreads them again.

    Returns
    -------
    ibis Table
        ``by``, one column a word (`word_name`), and the counts.

    Examples
    --------
    >>> import pandas as pd
    >>> from ips_outcomes.engine import open_engine
    >>> with open_engine() as engine:
    ...     jobs = engine.from_frame(pd.DataFrame({"person": [7, 7], "first": [0, 3], "last": [1, 3]}))
    ...     engine.collect(spell_words(jobs, "person", window=(0, 43), words={"yes": None}))["yes_0"].tolist()
    [11]
    """
    import ibis

    from ips_outcomes.engine import builtins

    made: dict[str, Column] = {}
    for name, counted in words.items():
        for number in word_numbers(window):
            start, stop = (column if isinstance(column, str) else column[name] for column in (first, last))
            mask = _mask(spells[start], spells[stop], number, window)
            mask = mask if counted is None else counted.fill_null(False).ifelse(mask, 0)
            # a spell with an empty month gives an empty mask, and a person whose masks are all empty an empty word
            made[word_name(name, number)] = builtins.bit_or(mask.fill_null(0))
    for name, rows in (counts or {}).items():
        made[name] = rows.fill_null(False).cast("int64").sum()
    for name, (wanted, columns) in (gather or {}).items():
        made[name] = ibis.struct({column: spells[column] for column in columns}).collect(where=wanted.fill_null(False))
    kept = {name: spells[name].arbitrary() for name in carry}
    return spells.group_by(list(by) if not isinstance(by, str) else by).aggregate(**kept, **made)


def gathered(people: Table, by: str, name: str) -> Table:
    """The rows that `spell_words` gathered under a name, one row each, with the person's column."""
    # of people without such rows DuckDB holds nothing, and Spark an empty list
    held = people.filter(people[name].notnull() & (people[name].length() > 0))
    return held.select(held[by], **{name: held[name].unnest()}).unpack(name)


def linked(table: Table, key: str, keys: Table, *, listed_key: str = "delivery_key") -> Table:
    """The rows of people on a linkage list, with the list's other columns instead of the delivery's key.

    The list holds each delivery key once: whose the rows are must be one person's.
    """
    others = [c for c in keys.columns if c != listed_key]
    joined = table.inner_join(keys, table[key] == keys[listed_key])
    return joined.select(*[table[c] for c in table.columns if c != key and c not in others], *[keys[c] for c in others])


def link_counts(table: Table, key: str, keys: Table, *, listed_key: str = "delivery_key") -> Table:
    """One row: ``rows``, ``rows_of_strangers``, ``strangers`` (distinct keys on no list) and ``people`` (distinct keys), in one pass."""
    listed = keys.select(keys[listed_key]).distinct()
    per_key = table.group_by(key).aggregate(n=lambda t: t.count())
    joined = per_key.left_join(listed, per_key[key] == listed[listed_key])
    strange = joined[listed_key].isnull()
    return joined.aggregate(
        rows=joined["n"].sum(), rows_of_strangers=strange.ifelse(joined["n"], 0).sum(),
        strangers=(strange & joined[key].notnull()).cast("int64").sum(), people=joined[key].count(),
    )  # fmt: skip
