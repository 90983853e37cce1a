"""Random people with tied whole times, for the tests of Cox regression."""

from __future__ import annotations

import numpy as np
import pandas as pd


def random_people(seed: int, number: int) -> pd.DataFrame:
    """Arms, covariates, offices, entry, time and event (2 competes)."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 4, number)
    return pd.DataFrame({
        "arm": rng.choice(["control", "ips"], number), "age": rng.integers(20, 60, number).astype(float),
        "woman": rng.integers(0, 2, number), "office": rng.integers(0, 40, number), "entry": entry,
        "time": entry + rng.integers(1, 12, number), "event": rng.choice([0, 1, 1, 2], number),
    })  # fmt: skip
