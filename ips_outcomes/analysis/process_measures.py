"""How the service worked: how soon people were met, planned for and in work, and whether caseloads kept to their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import MISSING, Data, as_list, group_name, require
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.analysis.supported import supports
from ips_outcomes.analysis.survival import survival_quantiles
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["GOOD_FIDELITY", "TARGETS", "Target", "centre_values", "process_table"]


class Target(NamedTuple):
    """What a faithful service does: a number not to pass, and its unit."""

    record: str
    number: int
    unit: str


#: Targets of Norwegian services by the name of their row; people and ratings beside.
TARGETS: dict[str, Target] = {
    "contact_within_14_days": Target("contact", 14, "days"),
    "employer_contact_within_14_days": Target("employer_contact", 14, "days"),
    "job_plan_within_28_days": Target("job_plan", 28, "days"),
    "job_within_6_months": Target("job", 6, "months"),
    "work_practice_at_most_28_days": Target("practice", 28, "days"),
    "caseload_at_most_20": Target("caseload", 20, "participants per job specialist"),
}
#: Total of the IPS-25 scale from which its manual calls fidelity good (exemplary from 115, fair from 74).
GOOD_FIDELITY = 100
#: The waits whose median is told, and the target that belongs to each.
_WAITS = {"contact": 14, "employer_contact": 14, "job_plan": 28}
_PERSON = ("contact_days", "contact_seen", "employer_contact_days", "employer_contact_seen", "job_plan_days", "job_plan_seen",
           "job_months", "job_seen", "practice_days", "practice_ended")  # fmt: skip

REFERENCES = (
    "Becker DR, Swanson SJ, Reese SL, Bond GR, McLeman BM. Supported employment fidelity review manual. 4th ed. Rockville: IPS "
    "Employment Center 2019 (caseload, levels of fidelity)",
    "Bond GR, Peterson AE, Becker DR, Drake RE. Validation of the revised Individual Placement and Support Fidelity Scale (IPS-25). "
    "Psychiatr Serv 2012;63:758-763. doi:10.1176/appi.ps.201100476",
    "Wilson EB. J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
    "Brookmeyer R, Crowley J. Biometrics 1982;38:29-41 (median)",
)


@supports(competing="", ties="", instead="rows are people")
def process_table(
    data: Data, arm: str | Sequence[str] | None = None, centre_measures: pd.DataFrame | None = None, *, by_centre: bool = True
) -> Estimates:  # fmt: skip
    """Process measures of the service against their targets, in all and by centre.

    Days count from inclusion, which stands in for the day of the wish to work:
    day 14 lies within 14 days. Somebody who was not seen for the whole time
    (death, emigration, end of the delivery) and had no record until then is in
    neither number of a share, and is counted in ``not_seen``.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person with the columns of `FollowUp.process`.
    arm : str or list of str, optional
        Arms that get the service; by default every arm but the reference. Of
        a DataFrame all rows with an arm.
    centre_measures : pandas.DataFrame, optional
        Ratings of centres (``centre``, ``measure``, ``value``), those of a
        FollowUp by default. They are of the service, so no arm belongs to them.
    by_centre : bool
        Whether each centre gets rows of its own.

    Returns
    -------
    Estimates
        ``outcome`` names the measure. Measure "share" (0 to 1, Wilson): first
        contact and first employer contact within 14 days, a plan within 28, a
        first job within 6 months (of people not in work at inclusion), no
        stretch of work practice above 28 days (of people with work practice),
        caseload at most 20 and fidelity at least 100 (of ratings of centres).
        Measure "median_days" to each first record (Kaplan-Meier; people
        without one are censored). ``group`` is the arm; ``subgroup`` "centre"
        and ``level`` the centre; ``target`` and ``unit``; ``not_seen``.

    Raises
    ------
    UnsupportedError
        For unknown columns and arms, and where there is nobody.

    References
    ----------
    Becker DR et al. Supported employment fidelity review manual. 4th ed. 2019.
    Bond GR et al. Psychiatr Serv 2012;63:758-763. Wilson EB. J Am Stat Assoc
    1927;22:209-212. Brookmeyer R, Crowley J. Biometrics 1982;38:29-41.

    Examples
    --------
    >>> people = pd.DataFrame({
    ...     "arm": "ips", "centre": ["A", "A", "B"], "contact_days": [14, 15, None], "contact_seen": [900, 900, 900]}).reindex(
    ...     columns=["arm", "centre", *_PERSON])
    >>> found = process_table(people, by_centre=False).table
    >>> found.loc[found["outcome"] == "contact_within_14_days", ["n", "events", "target"]].values.tolist()
    [[3, 1, 14.0]]
    """
    table, wanted = _people(data, arm)
    rows: list[dict[str, object]] = []
    without = int((data if isinstance(data, pd.DataFrame) else data.process)["arm"].isna().sum())
    notes = [f"{without} rows left out: arm is missing"] if without else []
    if centre_measures is None and not isinstance(data, pd.DataFrame):
        centre_measures = data.centre_measures
    for name in wanted:
        own = table[table["arm"] == name]
        for subgroup, level, part in _parts(own, by_centre):
            same = {"group": name, "subgroup": subgroup, "level": level}
            for row in _shares(part):
                rows.append({**same, **row})
            for row in _medians(part):
                rows.append({**same, **row})
    for row in _ratings(centre_measures, by_centre):
        rows.append(row)
    for record, words in (("contact", "contacts"), ("employer_contact", "employer contacts"), ("job_plan", "job plans")):
        if table[f"{record}_seen"].isna().all():
            notes.append(f"no delivery holds {words} of these people: their rows are left out")
    lost = sum(
        int(str(row.get("not_seen", 0)))
        for row in rows
        if row.get("subgroup") == "" and row["outcome"] == "contact_within_14_days"
    )
    if lost:
        notes.append(f"{lost} people were not seen for 14 days and had no contact until then: in neither number of that share")
    notes.append("days count from inclusion, which stands in for the day of the wish to work")
    if not rows:
        raise UnsupportedError(
            "no process measure can be told: no delivery of contacts, plans, schemes or ratings speaks for these people"
        )
    return Estimates(
        tidy(pd.DataFrame(rows)), "Process measures",
        "Shares with Wilson's interval; median days from Kaplan-Meier, log(-log) limits; targets of Norwegian services; two-sided 95 %",
        REFERENCES, "forest", tuple(notes),
    )  # fmt: skip


def _people(data: Data, arm: str | Sequence[str] | None) -> tuple[pd.DataFrame, list[str]]:
    table = data if isinstance(data, pd.DataFrame) else data.process
    require(table, ["arm", "centre", *_PERSON])
    table = table[table["arm"].notna()].astype({"arm": str})
    present = sorted(table["arm"].unique())
    wanted = as_list(arm)
    if not wanted:
        labels = present if isinstance(data, pd.DataFrame) else list(data.study.arm_labels)
        reference = None if isinstance(data, pd.DataFrame) else data.study.reference
        wanted = [name for name in labels if name != reference and name in present]
    if strange := [name for name in wanted if name not in present]:
        raise UnsupportedError(f"there is nobody in arm {', '.join(strange)}; there are: {', '.join(present)}")
    if not wanted:
        raise UnsupportedError("there is nobody who gets the service")
    return table[table["arm"].isin(wanted)].reset_index(drop=True), wanted


def _parts(table: pd.DataFrame, by_centre: bool) -> list[tuple[str, str, pd.DataFrame]]:
    """Everybody, then each centre."""
    parts = [("", "", table)]
    if by_centre:
        named = table["centre"].map(group_name)
        levels = sorted(set(named) - {MISSING}) + ([MISSING] if MISSING in set(named) else [])
        parts += [("centre", level, table[named == level]) for level in levels]
    return parts


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    return table[column].astype("Float64").to_numpy(dtype=float, na_value=np.nan)


def _share(outcome: str, yes: np.ndarray, no: np.ndarray, unit: str, target: float, lost: int | None) -> dict[str, object]:
    events, n = int(yes.sum()), int(yes.sum() + no.sum())
    low, high = wilson(np.array([float(events)]), np.array([float(n)]))
    return {
        "outcome": outcome, "measure": "share", "n": n, "events": events, "estimate": events / n if n else np.nan,
        "conf_low": float(low[0]), "conf_high": float(high[0]), "method": "Wilson", "target": float(target), "unit": unit,
        "not_seen": lost,
    }  # fmt: skip


def _shares(table: pd.DataFrame) -> list[dict[str, object]]:
    found = []
    for outcome, target in TARGETS.items():
        if target.record == "caseload":
            continue
        if target.record == "practice":
            days, over = (
                _numbers(table, "practice_days"),
                table["practice_ended"].astype("boolean").fillna(False).to_numpy(dtype=bool),
            )
            had = days > 0
            # a stretch that goes on is too long once it has passed the target; before that it is open
            yes, no = had & over & (days <= target.number), had & (days > target.number)
            if not np.isfinite(days).any():
                continue
            found.append(_share(outcome, yes, no, target.unit, target.number, int((had & ~yes & ~no).sum())))
            continue
        suffix = "months" if target.unit == "months" else "days"
        wait, seen = _numbers(table, f"{target.record}_{suffix}"), _numbers(table, f"{target.record}_seen")
        if not np.isfinite(seen).any():
            continue
        yes = wait <= target.number
        no = ~yes & (seen >= target.number)
        found.append(_share(outcome, yes, no, target.unit, target.number, int((np.isfinite(seen) & ~yes & ~no).sum())))
    return found


def _medians(table: pd.DataFrame) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for record, target in _WAITS.items():
        wait, seen = _numbers(table, f"{record}_days"), _numbers(table, f"{record}_seen")
        known = np.isfinite(seen)
        if not known.any():
            continue
        event = np.isfinite(wait[known])
        times = pd.DataFrame({"time": np.where(event, wait[known], seen[known]).astype(int), "event": event.astype(int)})
        median = survival_quantiles(times).table.iloc[0]
        found.append({
            "outcome": f"days_to_{record}", "measure": "median_days", "n": len(times), "events": int(event.sum()),
            "estimate": float(median["estimate"]), "conf_low": float(median["conf_low"]), "conf_high": float(median["conf_high"]),
            "method": "Kaplan-Meier", "target": float(target), "unit": "days",
        })  # fmt: skip
    return found


def _ratings(measures: pd.DataFrame | None, by_centre: bool) -> list[dict[str, object]]:
    """Of ratings of centres: caseloads within their target, and good fidelity."""
    if measures is None or measures.empty:
        return []
    require(measures, ["centre", "measure", "value"])
    found: list[dict[str, object]] = []
    limit = TARGETS["caseload_at_most_20"]
    for outcome, name, target, unit in (
        ("caseload_at_most_20", "caseload", float(limit.number), limit.unit),
        (f"fidelity_at_least_{GOOD_FIDELITY}", "fidelity", float(GOOD_FIDELITY), "IPS-25 total"),
    ):  # fmt: skip
        own = measures[(measures["measure"] == name) & measures["value"].notna() & measures["centre"].notna()]
        if own.empty:
            continue
        for subgroup, level, part in _parts(own, by_centre):
            value = part["value"].to_numpy(dtype=float)
            met = value <= target if name == "caseload" else value >= target
            row = _share(outcome, met, ~met, unit, target, None)
            found.append({"group": "", "subgroup": subgroup, "level": level, **row, "method": "Wilson; of ratings of centres"})
    return found


def centre_values(
    data: Data, arm: str | Sequence[str] | None = None, centre_measures: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What each centre is like, one row a centre: the numbers that `centre_modifiers` sets effects against.

    Parameters
    ----------
    data, arm, centre_measures
        As in `process_table`.

    Returns
    -------
    pandas.DataFrame
        ``centre``; the mean over its ratings of each measure (``fidelity``,
        25 to 125; ``caseload``, participants per job specialist; others under
        their own names); ``contact_days``, ``employer_contact_days``,
        ``job_plan_days``: median days from inclusion in the arms that get the
        service, missing where fewer than half had one.

    Examples
    --------
    >>> from ips_outcomes import follow_up, load_cohort, load_study
    >>> data = follow_up(load_cohort(load_study("data/synthetic/study.toml")))
    >>> centre_values(data)[["centre", "fidelity", "caseload"]].head(2).values.tolist()
    [['Centre A', 102.25, 14.5], ['Centre B', 100.75, 18.25]]
    """
    table, _ = _people(data, arm)
    if centre_measures is None and not isinstance(data, pd.DataFrame):
        centre_measures = data.centre_measures
    rows: dict[str, dict[str, float]] = {}
    for _, level, part in _parts(table, by_centre=True)[1:]:
        if level != MISSING:
            rows[level] = {
                f"{str(row['outcome']).removeprefix('days_to_')}_days": float(str(row["estimate"])) for row in _medians(part)
            }
    if centre_measures is not None and len(centre_measures):
        means = centre_measures.groupby(["centre", "measure"])["value"].mean()
        for (centre, measure), value in means.items():
            rows.setdefault(str(centre), {})[str(measure)] = float(value)
    found = pd.DataFrame.from_dict(rows, orient="index").sort_index().rename_axis("centre").reset_index()
    first = [c for c in ("centre", "fidelity", "caseload") if c in found]
    return found[[*first, *(c for c in found if c not in first)]]
