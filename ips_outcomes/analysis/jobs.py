"""How many jobs people hold and how long the longest lasts, of everybody: none for those who had none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.analysis.arm_means import arm_means
from ips_outcomes.analysis.folding import row_weights
from ips_outcomes.analysis.inputs import Data, group_name, own_reference, require
from ips_outcomes.analysis.staying import possible
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under
from ips_outcomes.followup import FollowUp

__all__ = ["jobs_held", "people_with_jobs"]

REFERENCES = (
    "Manski CF. Nonparametric bounds on treatment effects. Am Econ Rev 1990;80:319-323.",
    "Welch BL. The generalization of 'Student's' problem when several different population variances are involved. "
    "Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28",
)


def people_with_jobs(followed: FollowUp) -> pd.DataFrame:
    """A row a participant: arm, number of jobs, months of the longest, months not known.

    Examples
    --------
    >>> from ips_outcomes import follow_up, load_cohort, load_study
    >>> followed = follow_up(load_cohort(load_study("data/synthetic/study.toml")))
    >>> list(people_with_jobs(followed).columns)
    ['person_id', 'arm', 'number_of_jobs', 'longest_job', 'months_unknown', 'months']
    """
    months = followed.person_months[followed.person_months["month"] > 0]
    # a month after death holds no job: it is known
    unknown = months[followed.study.primary_definition].isna() & (months["reason"] != "dead")
    people = followed.baseline[["person_id", "arm"]]
    held = followed.jobs.groupby("person_id")["months"].agg(["size", "max"]).reindex(people["person_id"]).fillna(0)
    return people.assign(
        number_of_jobs=held["size"].to_numpy(dtype=np.int64), longest_job=held["max"].to_numpy(dtype=np.int64),
        months_unknown=unknown.groupby(months["person_id"]).sum().reindex(people["person_id"]).to_numpy(dtype=np.int64),
        months=int(months["month"].max()),
    ).reset_index(drop=True)  # fmt: skip


def _number(table: pd.DataFrame, column: str) -> np.ndarray:
    """Numbers from zero; missing is NaN."""
    value = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    bad = int((np.isinf(value) | (value < 0) | (np.isnan(value) & table[column].notna().to_numpy())).sum())
    if bad:
        raise UnsupportedError(f"{bad} values of {column} are negative or no numbers")
    return value


@supports(frequency_weights=True)
def jobs_held(
    data: Data, jobs: str = "number_of_jobs", longest: str = "longest_job", arm: str = "arm", reference: str | None = None, *,
    unknown: str | None = None, months: int | None = None, weights: str | None = None,
) -> Estimates:  # fmt: skip
    """Mean number of jobs and mean length of the longest job, 0 for those who had none, by arm and compared.

    Everybody counts, so that arms may be compared. Months that are not known
    may hold jobs: what is seen is the least.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp, or one row a person.
    jobs, longest : str
        Columns: number of jobs, and months of the longest one; 0 without a job.
        People of whom one is missing are left out, and counted in ``notes``.
    arm, reference : str
        Column, and the arm that others are compared with.
    unknown : str, optional
        Column: months of the person that are not known (not those after death). A FollowUp knows.
    months : int, optional
        Months followed: no job lasts longer.
    weights : str, optional
        Column with whole numbers of people.

    Returns
    -------
    Estimates
        ``outcome`` is "number_of_jobs" or "longest_job" (months), ``measure``
        "mean" (by ``group``) or "mean_difference" (by ``contrast``), ``events``
        people with any. ``bound``: "least" (what is seen); for the longest job
        "most" (every month not known belongs to it), and for contrasts
        "least_possible" and "most_possible" (one arm's least against the
        other's most, without an interval); "known" (people whose every month
        is known) where some have months that are not.

    Raises
    ------
    UnsupportedError
        For unknown columns or reference, and for numbers that are negative or all missing.

    References
    ----------
    Manski CF. Am Econ Rev 1990;80:319-323. Welch BL. Biometrika 1947;34:28-35.

    Examples
    --------
    >>> rows = pd.DataFrame({"arm": ["a", "a", "b", "b"], "number_of_jobs": [2, 1, 0, 1], "longest_job": [9, 30, 0, 5]})
    >>> jobs_held(rows, reference="b").table[["outcome", "measure", "estimate"]].values.tolist()[:3]
    [['number_of_jobs', 'mean', 1.5], ['number_of_jobs', 'mean', 0.5], ['number_of_jobs', 'mean_difference', 1.0]]
    """
    table = people_with_jobs(data) if isinstance(data, FollowUp) else data
    if isinstance(data, FollowUp):
        unknown, months = "months_unknown", int(table["months"].max()) if len(table) else None
    require(table, [jobs, longest, arm, *(c for c in (unknown, weights) if c)])
    if not len(table):
        raise UnsupportedError("there is nobody in the data")
    gone = _number(table, unknown) if unknown else np.zeros(len(table))
    seen = _number(table, longest)
    people = np.ones(len(table)) if weights is None else row_weights(table[weights], weights, "frequency")
    rows = pd.DataFrame({
        "arm": [group_name(level) for level in table[arm]], "number_of_jobs": _number(table, jobs), "longest_job": seen,
        "people": people, "most": seen + gone if months is None else np.minimum(seen + gone, months), "gone": gone,
    })  # fmt: skip
    rows = rows[rows["people"] > 0]
    if rows.empty:
        raise UnsupportedError(f"nobody is there: {weights} is zero in all {len(table)} rows")
    told = rows[["number_of_jobs", "longest_job", "gone"]].notna().all(axis=1)
    left_out = float(rows.loc[~told, "people"].sum())
    rows = rows[told]
    if rows.empty:
        raise UnsupportedError(
            f"{jobs} or {longest} is missing in all {len(table)} rows; nobody without a job is missing: they have 0"
        )
    arms, base = sorted(rows["arm"].unique()), own_reference(data, reference)
    if (base is None and len(arms) > 1) or (base is not None and base not in arms):
        if not (isinstance(data, FollowUp) and len(arms) == 1):
            raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
        base = None
    place = None if base is None or len(arms) < 2 else arms.index(base)
    known = rows[rows["gone"] == 0]
    parts = []
    for outcome in ("number_of_jobs", "longest_job"):
        own = [arm_means(rows, outcome, arms, place, "people").assign(bound="least")]
        if len(known) < len(rows):
            if outcome == "longest_job":
                most = arm_means(rows.assign(longest_job=rows["most"]), outcome, arms, place, "people").assign(bound="most")
                own += [most] if place is None else [most, possible(under([_blank(own[0]), _blank(most)]))]
            own.append(arm_means(known, outcome, arms, place, "people").assign(bound="known"))
        parts += own
    lacking = float(rows.loc[rows["gone"] > 0, "people"].sum())
    notes: tuple[str, ...] = (
        (f"{round(lacking)} people have months that are not known: what is seen is the least",) if lacking else ()
    )
    notes += (f"{round(left_out)} people left out: {jobs} or {longest} is missing",) if left_out else ()
    return Estimates(
        tidy(under(parts)), "Jobs held", "Means of everybody, 0 without a job; differences with Welch's interval", REFERENCES, "forest", notes
    )  # fmt: skip


def _blank(table: pd.DataFrame) -> pd.DataFrame:
    """Empty names as empty text."""
    return table.assign(**{c: table[c].fillna("") for c in ("group", "contrast") if c in table})
