"""Do people stay in work: outcomes that everybody has, also those who never got a job, so that arms may be compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.arm_means import arm_means
from ips_outcomes.analysis.compare import compare_arms
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.person_months import MonthsMatrix, months_matrix, reference_of
from ips_outcomes.analysis.rates import employment_rates
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.work_totals import dead_as_no, stretch
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under

__all__ = ["longest_runs", "possible", "staying_in_work"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

REFERENCES = (
    "Manski CF. Nonparametric bounds on treatment effects. Am Econ Rev 1990;80:319-323.",
    "Welch BL. The generalization of 'Student's' problem when several different population variances are involved. "
    "Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28",
)


def longest_runs(works: Flags) -> NDArray[np.int64]:
    """The longest run of months in work of each person.

    Parameters
    ----------
    works : array of bool, people x months

    Examples
    --------
    >>> longest_runs(np.array([[True, True, False, True], [False] * 4])).tolist()
    [2, 0]
    """
    run, longest = np.zeros(len(works), dtype=np.int64), np.zeros(len(works), dtype=np.int64)
    for month in works.T:
        run = np.where(month, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest


def _people(matrix: MonthsMatrix, steady: int, sustained: Sequence[int]) -> dict[str, pd.DataFrame]:
    """One row a person, with months not observed taken as out of work (least) and as in work (most)."""
    whose = {"arm": np.array(matrix.arms, dtype=object)[matrix.arm], "people": matrix.count.astype(np.int64)}
    made = {}
    for bound, works in (("least", matrix.value == 1), ("most", (matrix.value == 1) | (matrix.observed == 0))):
        runs, months = longest_runs(works), works.sum(axis=1)
        table = pd.DataFrame({**whose, "longest_stretch": runs, "steady_worker": months >= steady, "ever_in_work": months > 0})
        for length in sustained:
            table[f"sustained_{length}"] = runs >= length
        made[bound] = table
    return made


@supports()
def staying_in_work(
    data: Data, outcome: str, arm: str = "arm", reference: str | None = None, start: int = 1, end: int | None = None,
    steady: int = 22, sustained: Sequence[int] = (3, 6, 12), *, dead: str | None = None, month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Ever in work, steady and sustained work, and the longest stretch, of everybody, by arm and compared.

    Among people who got a job, arms are no longer alike; so these outcomes
    count everybody, with no for whoever never worked. Months that were not
    observed give bounds: taken as out of work, and as in work.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    outcome : str
        True/false column; missing means not observed.
    arm, reference : str
        Column, and the arm that others are compared with.
    start, end : int
        First and last month.
    steady : int
        Months in work that make a steady worker.
    sustained : list of int
        Lengths, in months in a row.
    dead : str, optional
        True/false column of a DataFrame. Months after death are out of work.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        ``outcome`` names what is asked: "ever_in_work", "steady_worker",
        "sustained_3" and so on (measures "rate" by ``group``,
        "risk_difference" by ``contrast``) and "longest_stretch" (months;
        "mean", "mean_difference"). ``bound`` is "least" or "most". For
        contrasts "least_possible" and "most_possible" (an arm's least against
        the other's most) hold whatever the months were; they have no interval.

    Raises
    ------
    UnsupportedError
        For unknown columns, months or reference.

    References
    ----------
    Manski CF. Am Econ Rev 1990;80:319-323. Welch BL. Biometrika 1947;34:28-35.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1] * 3 + [2] * 3, "month": [1, 2, 3] * 2, "arm": ["a"] * 3 + ["b"] * 3,
    ...                      "works": [1, 1, None, 0, 0, 1]})
    >>> found = staying_in_work(rows, "works", reference="b", steady=3, sustained=[2]).table
    >>> found[(found["outcome"] == "steady_worker") & (found["group"] == "a")][["bound", "estimate"]].values.tolist()
    [['least', 0.0], ['most', 1.0]]
    """
    if steady < 1 or any(length < 1 for length in sustained):
        raise UnsupportedError("steady= and sustained= are numbers of months from 1")
    matrix = months_matrix(data, outcome, arm, month=month, person_id=person_id, dead=dead)
    base = reference_of(data, matrix, reference)
    matrix = dead_as_no(stretch(matrix, start, end))
    bounds = _people(matrix, steady, sustained)
    rates = ["ever_in_work", "steady_worker", *(f"sustained_{length}" for length in sustained)]
    parts = []
    for bound, table in bounds.items():
        for name in rates:
            found = employment_rates(table, name, by="arm", weights="people").table
            parts.append(found.assign(bound=bound, **{"group": found["arm"]} if "arm" in found else {}))
            if base is not None:
                compared = compare_arms(table, name, reference=matrix.arms[base], weights="people").select(
                    measure="risk_difference"
                )
                parts.append(compared.table.assign(bound=bound))
        parts.append(arm_means(table, "longest_stretch", matrix.arms, base, "people").assign(bound=bound))
    rows = under(parts)
    rows = under([rows, possible(rows)]) if base is not None else rows
    order = [*rates, "longest_stretch"]
    rows = rows.assign(_order=rows["outcome"].map({name: i for i, name in enumerate(order)})).sort_values("_order", kind="stable")
    months = f"months {matrix.months[0]} to {matrix.months[-1]}"
    unseen = float(matrix.count @ (matrix.observed == 0).any(axis=1))
    notes = (
        *matrix.notes,
        *((f"{round(unseen)} people have months that were not observed: least and most differ by them",) if unseen else ()),
    )
    return Estimates(
        tidy(rows.drop(columns=["_order", "arm"], errors="ignore")), "Staying in work",
        f"Of everybody over {months}; steady: at least {steady} months; rates with Wilson's, differences with Newcombe's interval, "
        "means with Welch's", REFERENCES, "forest", notes,
    )  # fmt: skip


def possible(rows: pd.DataFrame) -> pd.DataFrame:
    """The difference whatever the months not observed were: one arm's least against the other's most."""
    made = []
    levels = rows[rows["measure"].isin(["rate", "mean"])]
    for (outcome, contrast), part in rows[rows["contrast"].astype(str).str.len() > 0].groupby(
        ["outcome", "contrast"], sort=False
    ):
        own = levels[levels["outcome"] == outcome].set_index(["group", "bound"])["estimate"].sort_index()
        # an arm's own name may hold what stands between the two
        names = own.index.get_level_values("group").unique()
        arm, other = next((a, b) for a in names for b in names if f"{a} - {b}" == contrast)
        first = part.iloc[0]
        for bound, value in (("least_possible", own[arm, "least"] - own[other, "most"]),
                             ("most_possible", own[arm, "most"] - own[other, "least"])):  # fmt: skip
            made.append({"outcome": outcome, "measure": first["measure"], "contrast": contrast, "n": first["n"],
                         "estimate": float(value), "bound": bound, "method": "bound"})  # fmt: skip
    return pd.DataFrame(made)
