"""Invented identity numbers, built here from the published rules alone and not from the package."""

from __future__ import annotations

import numpy as np

#: What is added to day and month.
KINDS = {"birth number": (0, 0), "D-number": (40, 0), "NAV + 40": (0, 40), "Helsenett + 65": (0, 65), "Tenor + 80": (0, 80),
         "D-number + 80": (40, 80), "D-number + 40": (40, 40), "D-number + 65": (40, 65)}  # fmt: skip


def weighted(digits: str, weights: str) -> int:
    return sum(int(digit) * int(weight) for digit, weight in zip(digits, weights, strict=True))


def build(day: int, month: int, year: int, individual: int, kind: str = "birth number", remainder: int = 0) -> str | None:
    """Eleven digits with right control digits, or None where the rules give this number to nobody."""
    more_day, more_month = KINDS[kind]
    base = f"{day + more_day:02d}{month + more_month:02d}{year:02d}{individual:03d}"
    return closed(base, remainder)


def closed(base: str, remainder: int = 0) -> str | None:
    first = (remainder - weighted(base, "376189452")) % 11
    if first == 10:
        return None
    second = -weighted(base + str(first), "5432765432") % 11
    return None if second == 10 else base + str(first) + str(second)


def several(count: int, seed: int, kind: str = "Tenor + 80", remainder: int = 0, first_days: range = range(1, 29)) -> list[str]:
    """Different numbers of one kind."""
    drawn, made = np.random.default_rng(seed), {}
    while len(made) < count:
        day = int(drawn.choice(first_days))
        number = build(day, *(int(drawn.integers(low, high)) for low, high in ((1, 13), (0, 100), (0, 1000))), kind, remainder)
        if number is not None:
            made[number] = None
    return list(made)
