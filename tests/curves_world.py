"""What the tests of curves, trends and resampling share: R's answers, six people, and random studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from ips_outcomes.estimates import Estimates

GOLDEN = Path(__file__).parent / "golden"
quick = settings(max_examples=25, deadline=None)

#: Six people, three months; ? is not observed. Person 5 dies before month 3.
#:            arm  month 1  2  3
#: person 1    a         0  1  1
#: person 2    a         0  0  1
#: person 3    a         1  1  1
#: person 4    b         0  0  1
#: person 5    b         1  0  dead
#: person 6    b         0  ?  0
SIX = pd.DataFrame({
    "person_id": [1, 2, 3, 4, 5, 6] * 3, "arm": ["a", "a", "a", "b", "b", "b"] * 3, "month": [1] * 6 + [2] * 6 + [3] * 6,
    "works": [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, None, 1, 1, 1, 1, None, 0], "dead": [0] * 16 + [1, 0],
})  # fmt: skip


def golden(name: str) -> pd.DataFrame:
    """A table of R's, with every digit."""
    return pd.read_csv(GOLDEN / name, float_precision="round_trip", keep_default_na=False, na_values=[""])


def row(result: Estimates, **where: Any) -> dict[str, Any]:
    """The only row where the columns have these values."""
    table = result.select(**where).table
    assert len(table) == 1, where
    return table.to_dict("records")[0]


def same(left: pd.DataFrame, right: pd.DataFrame, atol: float = 1e-12) -> None:
    """Equal to 1e-10, in the same order."""
    pd.testing.assert_frame_equal(left, right, rtol=1e-10, atol=atol)


def agree_with_r(ours: Estimates, case: str, measures: list[str]) -> None:
    """Every row of R's for this case is here once: estimates to 1e-8, errors to 1e-6, relative."""
    theirs = golden("answers_curves.csv")
    theirs = theirs[(theirs["case"] == case) & theirs["measure"].isin(measures)]
    assert len(theirs)
    for answer in theirs.to_dict("records"):
        found = ours.table[ours.table["measure"] == answer["measure"]]
        found = found[(found["group"] == answer["who"]) | (found["contrast"] == answer["who"])]
        if not np.isnan(answer["month"]):
            found = found[found["month"] == answer["month"]]
        assert len(found) == 1, answer
        np.testing.assert_allclose(found["estimate"], answer["estimate"], rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(found["std_error"], answer["std_error"], rtol=1e-6)
        if not np.isnan(answer["n"]):
            assert int(found["n"].iloc[0]) == answer["n"]


@st.composite
def studies(draw: st.DrawFn, missing: bool = True) -> pd.DataFrame:
    """4 to 14 people in two arms over 4 months, with copies; some months missing."""
    size = draw(st.integers(4, 14))
    choice = [0.0, 1.0, None] if missing else [0.0, 1.0]
    rows = []
    for person in range(size):
        arm = "ab"[person % 2] if person < 4 else draw(st.sampled_from("ab"))
        copies = draw(st.integers(1, 3))
        for month in range(1, 5):
            works = float(person // 2) if person < 4 else draw(st.sampled_from(choice))
            if person < 4 and month == 4:
                works = float(draw(st.integers(0, 1)))
            rows.append((person, arm, month, works, copies))
    return pd.DataFrame(rows, columns=["person_id", "arm", "month", "works", "copies"])


def spread_out(rows: pd.DataFrame) -> pd.DataFrame:
    """One person for every copy."""
    again = rows.loc[rows.index.repeat(rows["copies"])].copy()
    again["person_id"] = again["person_id"].astype(str) + "/" + again.groupby(level=0).cumcount().astype(str)
    return again.drop(columns="copies").reset_index(drop=True)
