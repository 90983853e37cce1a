"""Text of values by the quick road, against the plain one: each value stripped and printed by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ips_outcomes.loaders.convert import as_text

TEXTS: list[list[object]] = [
    [" a", "b\n", "c", None], ["a", "å", "å "], ["a", 1.0, None], ["x\ny", "a"], [], ["a\n"], ["\x1ca"], [np.nan, "z"], ["", ""],
    [b"q", "r"], [b"q"], ["a\ufeff"], ["\ud800"], ["a\xa0"], [None, None], [True, "x"],
]  # fmt: skip


@pytest.mark.parametrize("values", TEXTS, ids=range(len(TEXTS)))
def test_text_that_needs_no_stripping_is_kept_and_all_other_text_is_stripped(values: list[object]) -> None:
    column = pd.Series(values, dtype=object)
    plain = ["" if pd.isna(v) else (v.decode() if isinstance(v, bytes) else str(v)).strip() for v in values]
    assert as_text(column).tolist() == plain


def test_each_different_value_written_once_is_what_each_value_is_written_as() -> None:
    rng = np.random.default_rng(1)
    for few in (
        pd.Series([1.0, 2.5, np.nan, -0.0, 0.0, 1e20, np.inf, 15108695088.0]), pd.Series([3, -4]), pd.Series([3, None], dtype="Int64"),
        pd.Series(pd.to_datetime(["2015-01-02", None])), pd.Series([True, False]), pd.Series(["b", "a"]),
        pd.Series(["a", " b", None], dtype="string"),
    ):  # fmt: skip
        drawn = rng.integers(0, len(few), 3_000)
        many = as_text(few.take(drawn))
        assert many.tolist() == as_text(few).to_numpy()[drawn].tolist()
        assert many.index.tolist() == drawn.tolist()
        assert many.dtype == object
