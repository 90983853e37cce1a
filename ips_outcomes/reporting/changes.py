"""What a new extract changed: two deliveries of one study, by person-months and by result."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ips_outcomes.analysis import compare_arms, cumulative_incidence, employment_rates
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.folders import whole_folder
from ips_outcomes.followup import FollowUp, follow_up
from ips_outcomes.loaders import Cohort
from ips_outcomes.months import month_label
from ips_outcomes.reporting.by_arm import arms_with_people, compared
from ips_outcomes.reporting.steps import Tell, read_extracts
from ips_outcomes.reporting.writing import write_csv
from ips_outcomes.study import Study

__all__ = ["Changes", "compare_deliveries", "write_changes"]

#: A month that one of the two follow-ups does not have: the person or the clock differs.
ABSENT = "not followed"
#: Parts of a study file that say where the extracts are, not what is asked of them.
_DELIVERY = ("sources", "keys", "engine", "title", "seed", "disclosure", "synthetic", "public", "language", "question")
#: The main answers, in the order in which they are told.
MEASURES = ("rate", "risk_difference", "mean_months_in_work", "mean_difference_months_in_work", "cumulative_incidence")
_KEYS = {
    "settings": ["setting"], "deliveries": ["source"], "coverage": ["source", "change"], "participants": ["what", "arm"],
    "quality": ["source", "rule", "unit"],
    "person_months": ["definition", "arm", "part", "year", "before", "after"],
    "reasons": ["arm", "part", "year", "before", "after"], "systems": ["arm", "part", "year", "before", "after"],
    "first_job": ["arm", "before", "after", "time"],
    "results": ["outcome", "measure", "group", "contrast", "month"],
}  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """Two deliveries side by side. Counts only: no key of a person.

    Attributes
    ----------
    before, after : Study
    settings : pandas.DataFrame
        Settings of the study files that differ: ``setting``, ``asks`` (whether
        it changes what is asked, not only where the extracts are), ``before``,
        ``after``.
    deliveries : pandas.DataFrame
        Files and rows of every source, before and after.
    coverage : pandas.DataFrame
        Delivered months gained and lost by source.
    participants : pandas.DataFrame
        People in both, gained, lost, with another arm or index date, by arm.
    quality : pandas.DataFrame
        Counted rules whose count or severity differs.
    person_months : pandas.DataFrame
        Person-months by definition, arm, part of the clock, calendar year and
        answer before and after (yes, no, not known, not followed). Unchanged
        ones are counted too. People's months meet by calendar month.
    reasons, systems : pandas.DataFrame
        The same for why a month is not observed, and for the register system
        that speaks for it.
    first_job : pandas.DataFrame
        People by how their wait ended before and after, and whether the time is
        the same, earlier or later.
    results : pandas.DataFrame
        The main answers before, after, and their difference.
    """

    before: Study
    after: Study
    settings: pd.DataFrame
    deliveries: pd.DataFrame
    coverage: pd.DataFrame
    participants: pd.DataFrame
    quality: pd.DataFrame
    person_months: pd.DataFrame
    reasons: pd.DataFrame
    systems: pd.DataFrame
    first_job: pd.DataFrame
    results: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("before", "after")}

    def changed(self, name: str) -> pd.DataFrame:
        """Only the rows of a table that tell of a change."""
        table: pd.DataFrame = getattr(self, name)
        if name in ("settings", "coverage", "quality"):
            return table
        if name == "participants":
            return table[(table["what"] != "in both") & (table["people"] > 0)]
        if name == "deliveries":
            columns = ["files", "rows_in", "rows_used"]
            return table[(table[columns].to_numpy() != table[[f"{c}_after" for c in columns]].to_numpy()).any(axis=1)]
        if name == "results":
            return table[_differs(table)]
        if name == "first_job":
            return table[(table["before"] != table["after"]) | (table["time"] != "same")]
        return table[table["before"] != table["after"]]

    @property
    def anything(self) -> bool:
        """Whether anything differs."""
        return any(len(self.changed(name)) for name in self.tables())


def _differs(table: pd.DataFrame) -> pd.Series:
    differs = pd.Series(False, index=table.index)
    for column in ("before", "conf_low_before", "conf_high_before", "n_before"):
        first = table[column].astype("Float64")
        second = table[column.replace("before", "after")].astype("Float64")
        differs |= (first.isna() != second.isna()) | ((first - second).abs() > 1e-12).fillna(False)
    return differs


def compare_deliveries(before: Study, after: Study, progress: Tell | None = None) -> Changes:
    """Say what a new extract changed.

    Parameters
    ----------
    before, after : Study
        The same study over the earlier and over the later delivery.
    progress : callable, optional
        Called with a short sentence at each step.

    Returns
    -------
    Changes

    Raises
    ------
    DataError
        As `load_cohort`.
    UnsupportedError
        If fewer than half of the smaller study's participants are in the other.

    Examples
    --------
    >>> from ips_outcomes import load_study
    >>> study = load_study("data/synthetic/study.toml")
    >>> compare_deliveries(study, study).anything
    False
    """
    tell = progress or (lambda _: None)
    first = read_extracts(before, tell, "Reading the earlier delivery")
    second = read_extracts(after, tell, "Reading the later delivery")
    people = _participants(first, second)
    tell("Putting people on their clocks")
    old, new = follow_up(first), follow_up(second)
    tell("Comparing")
    shared = [name for name in before.employed if name in after.employed]
    both = _side_by_side(old, new, shared)
    return Changes(
        before=before, after=after, settings=_settings(before, after), deliveries=_deliveries(first, second),
        coverage=_coverage(first, second), participants=people, quality=_quality(old.quality, new.quality),
        person_months=_transitions(both, shared), reasons=_pairs(both, "reason"), systems=_pairs(both, "source_system"),
        first_job=_first_jobs(old, new), results=_results(old, new, shared),
    )  # fmt: skip


def _flat(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        found: dict[str, str] = {}
        for key, part in value.items():
            found |= _flat(part, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        # conditions within conditions: one line a setting
        return _flat({str(place): part for place, part in enumerate(value, start=1)}, name)
    return {name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)}


def _settings(before: Study, after: Study) -> pd.DataFrame:
    """Settings that differ; those that change what is asked first."""
    one, two = (_flat(s.model_dump(mode="json", by_alias=True)) for s in (before, after))
    names = [n for n in dict.fromkeys([*one, *two]) if one.get(n) != two.get(n)]
    rows = [
        {"setting": n, "asks": n.split(".")[0] not in _DELIVERY, "before": one.get(n, ""), "after": two.get(n, "")} for n in names
    ]
    table = pd.DataFrame(rows, columns=["setting", "asks", "before", "after"])
    return table.sort_values("asks", ascending=False, kind="stable", ignore_index=True)


def _deliveries(first: Cohort, second: Cohort) -> pd.DataFrame:
    parts = []
    for cohort in (first, second):
        rows = cohort.reconciliation.groupby("source", sort=False)[["rows_in", "rows_used", "rows_set_aside"]].sum()
        files = [len(cohort.study.paths(s)) if s in cohort.study.sources else 0 for s in rows.index]
        parts.append(rows.assign(files=files)[["files", "rows_in", "rows_used", "rows_set_aside"]])
    table = parts[0].join(parts[1], how="outer", rsuffix="_after", sort=False).astype("Int64").fillna(0)
    return table.reset_index()


def _coverage(first: Cohort, second: Cohort) -> pd.DataFrame:
    """Months that one delivery speaks for and the other does not."""
    months = []
    for cohort in (first, second):
        given = cohort.coverage[cohort.coverage["delivered"]]
        months.append({source: set(rows["month"]) for source, rows in given.groupby("source", sort=False)})
    rows = []
    for source in dict.fromkeys([*months[0], *months[1]]):
        old, new = months[0].get(source, set()), months[1].get(source, set())
        for change, found in (("gained", new - old), ("lost", old - new)):
            if found:
                rows.append({"source": source, "change": change, "months": len(found), "which": _spans(sorted(found))})
    return pd.DataFrame(rows, columns=["source", "change", "months", "which"])


def _spans(months: list[int]) -> str:
    """2015-03, 2016-01 to 2016-04."""
    parts: list[list[int]] = []
    for month in months:
        if parts and month == parts[-1][1] + 1:
            parts[-1][1] = month
        else:
            parts.append([month, month])
    return ", ".join(month_label(a) if a == b else f"{month_label(a)} to {month_label(b)}" for a, b in parts)


def _participants(first: Cohort, second: Cohort) -> pd.DataFrame:
    old, new = (c.participants.set_index("person_id")[["arm", "index_date", "index_month"]] for c in (first, second))
    both = old.join(new, how="inner", rsuffix="_after")
    smaller = min(len(old), len(new))
    if 2 * len(both) < smaller:
        raise UnsupportedError(
            f"only {len(both):,} of {smaller:,} participants are in both deliveries: these are different studies, or the "
            "participants' keys were made anew; compare deliveries that carry the same participant keys"
        )
    kinds = {
        "in both": both["arm_after"], "gained": new.loc[new.index.difference(old.index), "arm"],
        "lost": old.loc[old.index.difference(new.index), "arm"],
        "another arm": both.loc[both["arm"] != both["arm_after"], "arm_after"],
        "another index date, same month": both.loc[(both["index_date"] != both["index_date_after"])
                                                   & (both["index_month"] == both["index_month_after"]), "arm_after"],
        "another index month": both.loc[both["index_month"] != both["index_month_after"], "arm_after"],
    }  # fmt: skip
    arms = list(dict.fromkeys([*first.study.arm_labels, *second.study.arm_labels]))
    rows = [{"what": what, "arm": arm, "people": int((found == arm).sum())} for what, found in kinds.items() for arm in arms]
    return pd.DataFrame(rows)


def _quality(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    keys, values = ["source", "rule", "unit"], ["count", "total", "severity"]
    tables = [t.groupby(keys, sort=False).agg({"count": "sum", "total": "sum", "severity": "first"}) for t in (old, new)]
    both = tables[0].join(tables[1], how="outer", lsuffix="_before", rsuffix="_after", sort=False)
    counts = [f"{c}_{side}" for c in values[:2] for side in ("before", "after")]
    both[counts] = both[counts].astype("Int64")
    alike = (both["count_before"].fillna(0) == both["count_after"].fillna(0)) & (
        (both["severity_before"] == both["severity_after"]) | both["severity_before"].isna() | both["severity_after"].isna()
    )
    both["difference"] = both["count_after"].fillna(0) - both["count_before"].fillna(0)
    return both[~alike].reset_index()[[*keys, "count_before", "count_after", "difference", "total_before", "total_after",
                                       "severity_before", "severity_after"]]  # fmt: skip


def _side_by_side(old: FollowUp, new: FollowUp, shared: list[str]) -> pd.DataFrame:
    """Everybody's calendar months in both follow-ups."""
    columns = ["person_id", "calendar_month", "arm", "month", "reason", "source_system", *shared]
    tables = [f.person_months[columns] for f in (old, new)]
    both = tables[0].merge(tables[1], on=["person_id", "calendar_month"], how="outer", suffixes=("_before", "_after"),
                           validate="one_to_one", indicator=True)  # fmt: skip
    month = both["month_after"].fillna(both["month_before"])
    return both.assign(
        arm=both["arm_after"].fillna(both["arm_before"]), year=both["calendar_month"] // 100,
        part=np.select([month < 0, month == 0], ["history", "month 0"], "follow-up"),
    )  # fmt: skip


def _state(both: pd.DataFrame, column: str, side: str) -> np.ndarray:
    """yes, no, not known, or not followed."""
    value = both[f"{column}_{side}"].astype("boolean").to_numpy(dtype=float, na_value=np.nan)
    there = (both["_merge"] != ("right_only" if side == "before" else "left_only")).to_numpy()
    return np.select([~there, value == 1, value == 0], [ABSENT, "yes", "no"], "not known").astype(object)


def _count(both: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    keys = (
        [*columns, "arm", "part", "year", "before", "after"]
        if "before" not in columns
        else ["arm", "part", "year", "before", "after"]
    )
    return both.assign(**columns).groupby(keys, sort=True, observed=True).size().reset_index(name="person_months")


def _transitions(both: pd.DataFrame, shared: list[str]) -> pd.DataFrame:
    parts = [
        _count(both, before=_state(both, name, "before"), after=_state(both, name, "after")).assign(definition=name)
        for name in shared
    ]
    columns = [*_KEYS["person_months"], "person_months"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _pairs(both: pd.DataFrame, column: str) -> pd.DataFrame:
    """Why a month is not observed, or who speaks for it, before and after."""
    empty = "observed" if column == "reason" else "none"
    sides = {}
    for side in ("before", "after"):
        gone = both["_merge"] == ("right_only" if side == "before" else "left_only")
        sides[side] = both[f"{column}_{side}"].replace("", empty).mask(gone, ABSENT)
    return _count(both, **sides)


def _first_jobs(old: FollowUp, new: FollowUp) -> pd.DataFrame:
    """How each wait ended, before and after, and whether its time moved."""
    sides = []
    for followed in (old, new):
        table = followed.first_job.set_index("person_id")
        ended = table["ended_by"].where(table["at_risk"], "not at risk: " + table["not_at_risk_because"])
        sides.append(pd.DataFrame({"arm": table["arm"], "ended": ended, "time": table["time"].astype("Float64")}))
    both = sides[0].join(sides[1], how="outer", lsuffix="_before", rsuffix="_after")
    earlier, later = (both["time_after"] < both["time_before"]), (both["time_after"] > both["time_before"])
    time = np.select([earlier.fillna(False), later.fillna(False), both["time_after"].isna() | both["time_before"].isna()],
                     ["earlier", "later", ""], "same")  # fmt: skip
    before, after = both["ended_before"].fillna(ABSENT), both["ended_after"].fillna(ABSENT)
    # people who were never at risk have no time that could move
    time = np.where((time == "") & (before == after), "same", time)
    rows = pd.DataFrame({"arm": both["arm_after"].fillna(both["arm_before"]), "before": before, "after": after, "time": time})
    return rows.groupby(_KEYS["first_job"], sort=True).size().reset_index(name="people")


def _results(old: FollowUp, new: FollowUp, shared: list[str]) -> pd.DataFrame:
    sides = [_answers(f, shared) for f in (old, new)]
    keys = _KEYS["results"]
    both = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("_before", "_after"), sort=False)
    both = both.rename(columns={"estimate_before": "before", "estimate_after": "after"})
    both["difference"] = both["after"] - both["before"]
    place = {name: i for i, name in enumerate([*shared, "first_job"])}
    measures = {name: i for i, name in enumerate(MEASURES)}
    arms = {name: i for i, name in enumerate(new.study.arm_labels)}
    both = both.assign(_1=both["outcome"].map(place), _2=both["measure"].map(measures), _3=both["group"].map(arms))
    both = both.sort_values(["_1", "_2", "month", "_3"], kind="stable", ignore_index=True)
    return both[[*keys, "before", "after", "difference", "n_before", "n_after", "conf_low_before", "conf_high_before",
                 "conf_low_after", "conf_high_after"]]  # fmt: skip


def _answers(followed: FollowUp, shared: list[str]) -> pd.DataFrame:
    """The report's main answers: rates at the landmarks, risk differences, months in work, first jobs."""
    study, parts = followed.study, []
    landmarks = list(study.follow_up.landmarks)
    arms = arms_with_people(study, followed)
    two = compared(study, arms)
    for name in shared:
        parts.append(employment_rates(followed, name, by="arm", at=landmarks).table)
        if two:
            parts.append(compare_arms(followed, name, at=landmarks).select(measure="risk_difference").table)
        worked = _months_in_work(followed, name)
        means = worked.groupby("arm")["months_in_work"].agg(["count", "mean"]).reset_index()
        parts.append(pd.DataFrame({"outcome": name, "measure": "mean_months_in_work", "group": means["arm"], "contrast": "",
                                   "month": study.follow_up.months, "n": means["count"], "estimate": means["mean"]}))  # fmt: skip
        known = worked.dropna(subset="months_in_work").assign(months_in_work=lambda t: t["months_in_work"].astype(float))
        if two and known.groupby("arm").size().reindex(arms, fill_value=0).min() > 1:
            found = compare_arms(known, "months_in_work", reference=study.reference).table
            parts.append(found.assign(outcome=name, measure="mean_difference_months_in_work", month=study.follow_up.months))
    if len(followed.at_risk):
        curve = cumulative_incidence(followed, by="arm").table
        last = curve[curve["time"] == curve.groupby("group")["time"].transform("max")]
        parts.append(last.assign(outcome="first_job", measure="cumulative_incidence", month=study.follow_up.months))
    columns = [*_KEYS["results"], "n", "estimate", "conf_low", "conf_high"]
    table = pd.concat([p.reindex(columns=columns).astype({"n": "Int64", "month": "Int64", "estimate": float, "conf_low": float,
                                                          "conf_high": float}) for p in parts], ignore_index=True)  # fmt: skip
    return table.assign(group=table["group"].fillna(""), contrast=table["contrast"].fillna(""))


def _months_in_work(followed: FollowUp, name: str) -> pd.DataFrame:
    """Months 1 to the last in work, of people whose every month is known; months after death count as none."""
    months = followed.person_months[followed.person_months["month"] >= 1]
    value = months[name].mask(months["reason"] == "dead", False)
    by_person = value.astype("boolean").groupby(months["person_id"], sort=False)
    table = followed.baseline[["person_id", "arm"]].set_index("person_id")
    total = by_person.sum().astype("Int64").mask(value.isna().groupby(months["person_id"], sort=False).any())
    return table.assign(months_in_work=total).reset_index()


def write_changes(changes: Changes, out: str | Path) -> Path:
    """Write the comparison: a page, and every table as CSV; whole or not at all.

    Returns
    -------
    pathlib.Path
        The page, ``compare.html``. It is internal.
    """
    from ips_outcomes.reporting.changes_page import changes_page

    out = Path(out)
    with whole_folder(out, "comparison of deliveries") as work:
        (work / "compare.html").write_text(changes_page(changes), encoding="utf-8", newline="\n")
        for name, table in changes.tables().items():
            write_csv(table, work / f"{name}.csv")
    return out / "compare.html"
