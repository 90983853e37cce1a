"""Do people stay in work: what the chapter asks, of everybody first, then of those who got a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ips_outcomes.analysis import (
    job_tenure,
    jobs_held,
    months_in_work,
    re_entry,
    staying_in_work,
    tenure_quartiles,
    work_sums,
)
from ips_outcomes.analysis.jobs import people_with_jobs
from ips_outcomes.analysis.work_totals import Missing
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy, under
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.study import Study

__all__ = ["BACK_WITHIN", "KNOWN", "answers"]

#: A month's pay is known for so large a share of each arm's people, or the stretch begins later.
KNOWN = 0.9
#: Months after the first job's end at which re-entry is told.
BACK_WITHIN = (1, 3, 6, 12)
#: What sums are divided by, besides months: twelfths of G to G.
_UNITS = {"pay_g": 12.0}
_NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]


def answers(study: Study, cohort: Cohort, followed: FollowUp) -> Mapping[str, Estimates | pd.DataFrame]:
    """Twins of everybody, and first jobs of those who got one; nothing where nobody's month is known."""
    primary, months = study.primary_definition, followed.person_months
    if months.empty or not months.loc[months["month"] > 0, primary].notna().any():
        return {}
    parts = [_twins(study, part) for part in _parts(study, followed)]
    first = parts[0]
    references = tuple(dict.fromkeys(r for part in parts for r in part.references))
    made: dict[str, Estimates | pd.DataFrame] = {
        "staying": replace(first, table=tidy(under([part.table for part in parts])), references=references)
    }
    return made | _getters(followed)


def _parts(study: Study, followed: FollowUp) -> list[FollowUp]:
    """Everybody where arms can be compared; otherwise each arm for itself, without a reference."""
    present = arms_with_people(study, followed)
    if compared(study, present):
        return [followed]
    alone = study.model_copy(update={"arms": None})
    return [
        replace(followed, study=alone, person_months=_of(followed.person_months, arm), jobs=_of(followed.jobs, arm),
                baseline=_of(followed.baseline, arm))
        for arm in present
    ]  # fmt: skip


def _of(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    return table[table["arm"] == arm].reset_index(drop=True)


def _twins(study: Study, followed: FollowUp) -> Estimates:
    """Every outcome that everybody has, in one table.

    Beside the common columns: ``bound`` (see `staying_in_work` and
    `jobs_held`; "available" or "known" of sums), ``first_month`` and
    ``last_month``, ``people_unknown`` (with a month that is not known) and
    ``least_known`` (people of whom the least known month is known), by arm.
    """
    plan, primary = study.follow_up, study.primary_definition
    last = plan.months
    sustained = [length for length in plan.sustained_months if length <= last]
    found = [staying_in_work(followed, primary, steady=plan.steady_months, sustained=sustained), jobs_held(followed)]
    tables = [part.table for part in found]
    if plan.steady_months > last:
        tables[0] = tables[0][tables[0]["outcome"] != "steady_worker"]
    sums = [
        _sum(followed, "months_in_work", 1, last),
        *(_sum(followed, name, 1, last) for name in ("weekly_hours", "pay_nok", "pay_g")),
    ]
    since = _known_since(followed)
    if since is not None and since > 1:
        sums += [_sum(followed, name, since, last, known=True) for name in ("weekly_hours", "pay_nok", "pay_g")]
    tables += [part.table for part in sums if part is not None]
    table = under(tables)
    table["first_month"] = table["first_month"].fillna(1) if "first_month" in table else 1
    table["last_month"] = last
    unknown = people_with_jobs(followed).query("months_unknown > 0").groupby("arm").size()
    table["people_unknown"] = (
        table["group"].map(unknown).where(table["group"] != "", np.nan).fillna(0).where(table["group"] != "")
    )
    parts = [*found, *(part for part in sums if part is not None)]
    references = tuple(dict.fromkeys(r for part in parts for r in part.references))
    method = "; ".join(dict.fromkeys(part.method for part in parts[:3]))
    return Estimates(tidy(table), "Staying in work", method, references)


def _sum(followed: FollowUp, name: str, start: int, last: int, *, known: bool = False) -> Estimates | None:
    """A mean sum by arm and compared, in units for reading; with people who have any, and the least known month."""
    primary = followed.study.primary_definition
    column = primary if name == "months_in_work" else name
    rule: Missing = "exclude" if known else "available"
    try:
        found = (months_in_work(followed, primary, start=start, end=last) if name == "months_in_work"
                 else work_sums(followed, name, start=start, end=last, missing=rule))  # fmt: skip
    except UnsupportedError:
        return None
    table = found.table[~found.table["measure"].str.endswith("ratio")].copy()
    if table["estimate"].isna().all():
        return None
    table["measure"] = np.where(table["contrast"] != "", "mean_difference", "mean")
    unit = _UNITS.get(name, float(last - start + 1) if name == "weekly_hours" else 1.0)
    table[_NUMBERS] = table[_NUMBERS] / unit
    rows = followed.person_months
    rows = rows[(rows["month"] >= start) & (rows["month"] <= last)]
    value = pd.to_numeric(rows[column].astype("Float64"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    dead = (rows["reason"] == "dead").to_numpy()
    told = pd.DataFrame({"arm": rows["arm"].to_numpy(), "month": rows["month"].to_numpy(), "person": rows["person_id"].to_numpy(),
                         "known": ~np.isnan(value) | dead, "any": np.nan_to_num(value) > 0})  # fmt: skip
    people = told.groupby(["arm", "person"]).agg(known=("known", "all"), any=("any", "any"))
    people = people[people["known"]] if known else people
    table["events"] = table["group"].map(people.groupby("arm")["any"].sum())
    table["least_known"] = table["group"].map(told.groupby(["arm", "month"])["known"].sum().groupby("arm").min())
    return replace(found, table=tidy(table.assign(outcome=name, bound="known" if known else "available", first_month=start)))


def _known_since(followed: FollowUp) -> int | None:
    """The first month from which pay is known for at least `KNOWN` of every arm's people, month by month."""
    rows = followed.person_months[followed.person_months["month"] > 0]
    known = (rows["pay_nok"].notna() | (rows["reason"] == "dead")).groupby([rows["arm"], rows["month"]]).mean()
    worst = known.groupby("month").min().sort_index()
    enough = (worst >= KNOWN).to_numpy()
    if not enough[-1]:
        return None
    gaps = np.flatnonzero(~enough)
    return int(worst.index[gaps[-1] + 1]) if len(gaps) else int(worst.index[0])


def _getters(followed: FollowUp) -> dict[str, Estimates | pd.DataFrame]:
    """First jobs: how many got one, how long it lasted, who came back."""
    after, at_risk = followed.after_first_job, followed.first_job[followed.first_job["at_risk"]]
    if after.empty:
        return {}
    counts = at_risk.groupby("arm").size().rename("at_risk").to_frame()
    counts["people"] = after.groupby("arm").size().reindex(counts.index).fillna(0).astype(int)
    counts["ended"] = after.groupby("arm")["ended"].sum().reindex(counts.index).fillna(0).astype(int)
    made: dict[str, Estimates | pd.DataFrame] = {
        "first_jobs": counts.reset_index(), "first_job_tenure": job_tenure(followed), "first_job_quartiles": tenure_quartiles(followed),
    }  # fmt: skip
    if after["ended"].any():
        made["back_in_work"] = re_entry(followed, at=BACK_WITHIN)
        ended = after[after["ended"] == 1]
        # the gate asks again from counts
        made["back_in_work_times"] = (
            ended.groupby(["arm", "back_after", "back"])
            .size()
            .reset_index(name="people")
            .astype({"back_after": int, "back": int})
        )
    return made
