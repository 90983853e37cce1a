"""Person-months and first jobs, with everything that was counted on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ips_outcomes.followup.amounts import Amounts, amounts
from ips_outcomes.followup.courses import attending, completed_since, course_sources, level_sources
from ips_outcomes.followup.crossover import crossover_of
from ips_outcomes.followup.employed import Answer, answer
from ips_outcomes.followup.first_job import first_job_times
from ips_outcomes.followup.grid import ABROAD, BREAK, DEAD, REASONS, Grid, Observation
from ips_outcomes.followup.jobs import JobMonths
from ips_outcomes.followup.jobs_held import held_jobs
from ips_outcomes.followup.process import process_of
from ips_outcomes.followup.states import month_states, neet_months
from ips_outcomes.loaders import Cohort
from ips_outcomes.study import Study
from ips_outcomes.study.conditions import subgroup_levels

__all__ = ["FollowUp", "follow_up"]


@dataclass(frozen=True)
class FollowUp:
    """A cohort on its clock.

    Attributes
    ----------
    study : Study
    person_months : pandas.DataFrame
        One row a participant and month, from ``-history`` to the last month:
        ``person_id``, ``arm``, ``month`` (since the index date),
        ``calendar_month`` (yyyymm), ``observed``, ``reason`` (why not),
        ``source_system``, ``crosses_2015_break`` (the person's months 1 to the
        last lie on both sides of January 2015), one nullable true/false column
        a definition of employed, ``<primary>_composite`` where the dead
        count as not in work, and, of the jobs that the primary definition
        counts, ``pay_nok`` (kroner in the month), ``pay_g`` (in twelfths of
        the G of the month) and ``weekly_hours``, missing where not known;
        where the study names states, ``state``, and ``neet`` where it says
        what that is (missing for people of other ages); where a source of
        courses or levels is there, ``in_education`` (attends a course on the
        16th) and ``upper_secondary_since`` (has completed upper secondary
        school since inclusion; missing for those who had before, and where
        that is not known).
    first_job : pandas.DataFrame
        One row a participant: ``at_risk``, ``not_at_risk_because``, ``time``
        (months), ``event`` (0 censored, 1 first job, 2 death), ``ended_by``.
    jobs : pandas.DataFrame
        One row a job in months 1 to the last that the primary definition
        counts, of those who had any: ``person_id``, ``arm``, ``job`` (1, 2 and
        so on, in the order in which they begin), ``first_month``,
        ``last_month``, ``months`` (with the job, gaps not counted),
        ``held_before`` (in month 0 or before, too), ``ended_by`` ("ended",
        "end_of_follow_up", or why its end cannot be seen). A job is one
        employer's months; ``job_gap_months`` says which gaps do not end it.
    after_first_job : pandas.DataFrame
        One row a person who got a first job (not a course, where that counts too): ``person_id``, ``arm``, ``month``
        (of the first job), ``tenure`` (months from then to its last month),
        ``ended`` (1, or 0 where its end was not seen), ``ended_by``; after an
        end ``back_after`` (months until next in work) and ``back`` (1, 2 died
        before, 0 not known any more). For description only: see `job_tenure`.
    baseline : pandas.DataFrame
        One row a participant: what was known at inclusion, months in work in
        the year before, and the level of each subgroup.
    flow : pandas.DataFrame
        From offered to analysed: ``step``, ``people``, ``left``, ``reason``,
        ``arms`` (people by arm).
    quality : pandas.DataFrame
        Counted rules of the loaders and of the follow-up.
    process : pandas.DataFrame
        One row a participant: ``person_id``, ``arm``, ``centre``; whole days
        from the index date to the first ``contact``, ``employer_contact`` and
        ``job_plan`` that the service recorded (``contact_days``, missing
        without one) and how many days one would have been seen
        (``contact_seen``, missing where no delivery speaks for the person);
        the same in months for the first job (``job_months``, ``job_seen``,
        missing for people not at risk of one); ``practice_days``, the longest
        stretch of work practice begun after inclusion (0 without one), and
        ``practice_ended``.
    crossover : pandas.DataFrame
        One row a participant, whatever the arm: ``person_id``, ``arm``,
        ``month`` in which supported employment was first started (missing
        without a start) and ``scheme`` (its code, or the kind of record);
        ``time`` and ``event`` (1 started, 2 died, 0 censored) for
        time-to-event functions, missing where nothing would have been seen.
    centre_measures : pandas.DataFrame
        A row a centre, measure and date: ``centre``, ``source``, ``measure``
        (fidelity, caseload), ``date``, ``value``.
    """

    study: Study
    person_months: pd.DataFrame
    first_job: pd.DataFrame
    jobs: pd.DataFrame
    after_first_job: pd.DataFrame
    baseline: pd.DataFrame
    flow: pd.DataFrame
    quality: pd.DataFrame
    process: pd.DataFrame
    crossover: pd.DataFrame
    centre_measures: pd.DataFrame

    @property
    def at_risk(self) -> pd.DataFrame:
        """`first_job` of those at risk, with their baseline: ready for time-to-event functions."""
        rows = self.first_job[self.first_job["at_risk"]].drop(columns=["not_at_risk_because", "at_risk", "arm"])
        return rows.merge(self.baseline, on="person_id", validate="one_to_one")

    def months_with(self, columns: list[str]) -> pd.DataFrame:
        """Person-months with baseline columns joined to them where they are not there yet."""
        wanted = [c for c in columns if c not in self.person_months and c in self.baseline]
        if not wanted:
            return self.person_months
        # both tables keep the order of participants, so the join is a repeat
        times = len(self.person_months) // len(self.baseline)
        repeated = {c: self.baseline[c].repeat(times).reset_index(drop=True) for c in wanted}
        return self.person_months.assign(**repeated)


def follow_up(cohort: Cohort) -> FollowUp:
    """Put a cohort on its clock: monthly employment and time to first job.

    Every rule that decides a number is a key of the study file; see
    `docs/rules.md` for their meaning.

    Parameters
    ----------
    cohort : Cohort
        From `load_cohort`.

    Returns
    -------
    FollowUp

    Examples
    --------
    >>> from ips_outcomes import follow_up, load_cohort, load_study
    >>> months = follow_up(load_cohort(load_study("data/synthetic/study.toml"))).person_months
    >>> sorted(months["reason"].unique())[:3]
    ['', 'abroad', 'dead']
    """
    study, grid = cohort.study, Grid(cohort)
    jobs = JobMonths(grid)
    answers = {name: answer(jobs, definition) for name, definition in study.employed.items()}
    primary = answers[study.primary_definition]
    sums = amounts(jobs, study.employed[study.primary_definition], primary)
    months = _person_months(grid, answers, study.primary_definition, sums)
    unanswered = _add_states(months, grid, answers) + _add_education(months, grid, primary.observation)
    first = first_job_times(grid, jobs, study.employed[study.primary_definition], primary)
    held, after, followed_jobs = held_jobs(grid, primary, first)
    baseline = _baseline(grid, primary)
    flow = pd.concat([cohort.flow, pd.DataFrame(_flow(study, grid, primary, first))], ignore_index=True)
    process, rules = process_of(grid, first)
    started, of_starts = crossover_of(grid, primary.observation)
    counted = [*_counted(study, grid, answers, sums, first), *rules, *of_starts, *unanswered, *followed_jobs]
    quality = pd.concat([cohort.quality, pd.DataFrame(counted)], ignore_index=True)
    return FollowUp(study, months, first, held, after, baseline, flow, quality, process, started, cohort.centre_measures)


def _add_states(months: pd.DataFrame, grid: Grid, answers: dict[str, Answer]) -> list[dict[str, object]]:
    """The state of each month, where the study names states; and what could not be answered on the way, counted."""
    study = grid.cohort.study
    if study.states is None:
        return []
    found, unanswered = month_states(grid, answers, study.states, answers[study.primary_definition].observation)
    months["state"] = pd.Categorical.from_codes(found.ravel(), list(study.states.names))
    window = slice(grid.zero + 1, None)
    total = found[:, window].size
    counted: list[dict[str, object]] = []
    if study.states.neet is not None:
        neet, unknown = neet_months(grid, answers, found, study.states)
        months["neet"] = _nullable(neet)
        people = len(unknown)
        counted.append({
            "source": "states", "rule": "age not known, so that NEET is not known", "unit": "people", "count": int(unknown.sum()),
            "total": people, "share": float(unknown.mean()) if people else float("nan"),
            "severity": "warning" if unknown.any() else "note", "action": "left out of NEET", "set_aside": 0, "example_rows": "",
        })  # fmt: skip
    return counted + [
        {"source": "states", "rule": f"state not known, as nothing answers: {name}", "unit": "person-months",
         "count": int(cells[:, window].sum()), "total": total, "share": float(cells[:, window].mean()) if total else float("nan"),
         "severity": "warning" if cells[:, window].any() else "note", "action": "not observed", "set_aside": 0, "example_rows": ""}
        for name, cells in unanswered.items()
    ]  # fmt: skip


def _add_education(months: pd.DataFrame, grid: Grid, observation: Observation) -> list[dict[str, object]]:
    """Courses and completed school by month, while people are alive and resident; people whose school is not known, counted."""
    study = grid.cohort.study
    gone = np.isin(observation.reason, (DEAD, ABROAD))
    if course_sources(study):
        months["in_education"] = _nullable(np.where(gone, -1, attending(grid, any_day=False)))
    if not level_sources(study):
        return []
    months["upper_secondary_since"] = _nullable(np.where(gone, -1, completed_since(grid)))
    unknown = grid.cohort.participants["upper_secondary"].isna().to_numpy()
    return [{
        "source": "follow-up", "rule": "education at inclusion not known, so that completed school since then is not known",
        "unit": "people", "count": int(unknown.sum()), "total": len(unknown),
        "share": float(unknown.mean()) if len(unknown) else float("nan"), "severity": "warning" if unknown.any() else "note",
        "action": "left out of completed school", "set_aside": 0, "example_rows": "",
    }]  # fmt: skip


def _nullable(value: np.ndarray) -> pd.arrays.BooleanArray:
    flat = value.ravel()
    return pd.arrays.BooleanArray(flat == 1, flat == -1)


def _person_months(grid: Grid, answers: dict[str, Answer], primary: str, sums: Amounts) -> pd.DataFrame:
    people, columns = grid.cohort.participants, grid.shape[1]
    seen = answers[primary].observation
    calendar = grid.calendar.ravel()
    before = grid.index_month + 1 < BREAK
    after = grid.index_month + grid.months[-1] >= BREAK
    names = np.array(["", *REASONS[1:]], dtype=object)
    systems = np.array([*seen.systems, ""], dtype=object)
    table = pd.DataFrame({
        "person_id": np.repeat(people["person_id"].to_numpy(), columns),
        "arm": np.repeat(people["arm"].to_numpy(), columns),
        "month": np.tile(grid.months, grid.shape[0]),
        "calendar_month": (1970 + calendar // 12) * 100 + calendar % 12 + 1,
        "observed": seen.observed.ravel(),
        "reason": names[seen.reason.ravel()],
        "source_system": systems[seen.system.ravel()],
        "crosses_2015_break": np.repeat(before & after, columns),
    })  # fmt: skip
    for name, given in answers.items():
        table[name] = _nullable(given.value)
    composite = answers[primary].value.copy()
    composite[seen.reason == DEAD] = 0
    table[f"{primary}_composite"] = _nullable(composite)
    for name in ("pay_nok", "pay_g", "weekly_hours"):
        table[name] = getattr(sums, name).ravel()
    return table


def _baseline(grid: Grid, primary: Answer) -> pd.DataFrame:
    """What was known at inclusion; nothing here looks past month -1."""
    study = grid.cohort.study
    table = grid.cohort.participants.copy()
    year = primary.value[:, max(grid.zero - 12, 0) : grid.zero]
    known = (year != -1).all(1) & (year.shape[1] == 12)
    table["months_in_work_before"] = pd.arrays.IntegerArray((year == 1).sum(1).astype(np.int64), ~known)
    for name, subgroup in study.subgroups.items():
        table[name] = subgroup_levels(table, subgroup)
    return table


def _by_arm(study: Study, grid: Grid, chosen: np.ndarray) -> dict[str, int]:
    arm = grid.cohort.participants["arm"].to_numpy()
    return {name: int((chosen & (arm == name)).sum()) for name in study.arm_labels}


def _flow(study: Study, grid: Grid, primary: Answer, first: pd.DataFrame) -> list[dict[str, object]]:
    """Boxes after inclusion: linked, known at each landmark, at risk of a first job."""

    def step(name: str, chosen: np.ndarray, reason: str = "", left: np.ndarray | None = None) -> dict[str, object]:
        return {"step": name, "people": int(chosen.sum()), "left": 0 if left is None else int(left.sum()),
                "reason": reason, "arms": _by_arm(study, grid, chosen),
                "left_arms": _by_arm(study, grid, left) if left is not None else {}}  # fmt: skip

    listed = np.logical_or.reduce([grid.listed(s) for s in study.sources_of("jobs", "job_months")])
    steps = [step("linked", listed, "on no register's linkage list", ~listed)]
    for month in study.follow_up.landmarks:
        column = grid.zero + month
        known = primary.value[:, column] != -1
        reasons = primary.observation.reason[:, column]
        gone = [f"{REASONS[code]}:{int((reasons[~known] == code).sum())}" for code in np.unique(reasons[~known])]
        steps.append(step(f"month_{month}", known, ";".join(gone), ~known))
    at_risk = first["at_risk"].to_numpy()
    why = first["not_at_risk_because"][~at_risk].value_counts()
    reason = ";".join(f"{name}:{number}" for name, number in sorted(why.items()))
    steps.append(step("at_risk_of_first_job", at_risk, reason, ~at_risk))
    return steps


#: Why a rule of a definition has no answer, or turns a month down; the gap holds the benefit.
_SILENT = {
    "pay_in_month": "pay: the month's register does not know it",
    "pay_in_year": "pay in the twelve months: one of them is not seen by a register of pay, or the month is 1 to 11",
    "hours": "hours: the month's register does not know them",
    "schemes": "schemes: no scheme delivery speaks for the month",
    "education": "education: no delivery of courses speaks for the month",
    "without": "{}: no delivery of this benefit speaks for the month",
    "not_above": "{}: no delivery of this benefit speaks for the month, or for month 0",
}
_OPEN = {
    "hours": "hours missing, so that the answer is open",
    "blank": "kind of job left blank, so that the answer is open",
    "without": "degree of {} missing, so that the answer is open",
    "not_above": "degree of {} missing in the month or in month 0, so that the answer is open",
}
_TURNED_DOWN = {
    "without": "would be in work, but is on {}",
    "not_above": "would be in work, but at a higher degree of {} than in month 0",
}


def _words(texts: dict[str, str], rule: str) -> str:
    """The text of a rule; rules on benefits carry the benefit after the rule's name."""
    for kind in ("without", "not_above"):
        if rule.startswith(f"{kind}_"):
            return texts[kind].format(rule.removeprefix(f"{kind}_").replace("_", " "))
    return texts[rule]


def _counted(
    study: Study, grid: Grid, answers: dict[str, Answer], sums: Amounts, first: pd.DataFrame
) -> list[dict[str, object]]:  # fmt: skip
    """Person-months that are not observed, or that a definition or an amount leaves open."""
    rows: list[dict[str, object]] = []
    window = slice(grid.zero + 1, None)

    def add(source: str, rule: str, count: int, total: int, action: str, severity: str, unit: str) -> None:
        rows.append({
            "source": source, "rule": rule, "unit": unit, "count": count, "total": total,
            "share": count / total if total else float("nan"), "severity": severity if count else "note",
            "action": action, "set_aside": 0, "example_rows": "",
        })  # fmt: skip

    primary = answers[study.primary_definition]
    reason = primary.observation.reason[:, window]
    for code, name in enumerate(REASONS[1:], start=1):
        add("follow-up", f"month not observed: {name}", int((reason == code).sum()), reason.size,
            "neither yes nor no", "note" if name in ("dead", "abroad") else "warning", "person-months")  # fmt: skip
    observed = primary.observation.observed[:, window]
    for what, amount in (("pay", sums.pay_nok), ("weekly hours", sums.weekly_hours)):
        add("follow-up", f"{what} not known in an observed month", int((observed & np.isnan(amount[:, window])).sum()),
            int(observed.sum()), "missing, never 0", "note", "person-months")  # fmt: skip
    for name, given in answers.items():
        definition = study.employed[name]
        seen = int(given.observation.observed[:, window].sum())
        bases = grid.cohort.employment["basis"].dropna().unique()
        unheard = [b for b in definition.basis if b not in bases] if len(bases) else []
        add(f"definition {name}", "basis that no job record has", len(unheard), len(definition.basis),
            "check its spelling", "severe" if len(unheard) == len(definition.basis) else "note", "codes")  # fmt: skip
        action = "unknown for this definition" if definition.if_unanswerable == "unknown" else "the rule is skipped there"
        add(f"definition {name}", "a rule that its source cannot answer", int(given.unanswerable[:, window].sum()), seen,
            action, "warning", "person-months")  # fmt: skip
        for rule, cells in given.silent.items():
            add(f"definition {name}", _words(_SILENT, rule), int(cells[:, window].sum()), seen, action, "warning",
                "person-months")  # fmt: skip
        for rule, cells in given.left_open.items():
            if rule in ("hours", "blank") or rule.startswith(("without_", "not_above_")):
                add(f"definition {name}", _words(_OPEN, rule), int(cells[:, window].sum()), seen,
                    "unknown for this definition", "warning", "person-months")  # fmt: skip
        for rule, cells in given.turned_down.items():
            add(f"definition {name}", _words(_TURNED_DOWN, rule), int(cells[:, window].sum()), seen, "counts as no", "note",
                "person-months")  # fmt: skip
        if definition.or_education:
            alone = (given.value == 1) & (given.work != 1)
            add(f"definition {name}", "a yes by a course alone", int(alone[:, window].sum()), seen, "counts as yes", "note",
                "person-months")  # fmt: skip
        if definition.wage_subsidy != "keep":
            add(f"definition {name}", "months at stake between strict and lenient", int(given.at_stake[:, window].sum()),
                seen, f"{definition.wage_subsidy} is used", "note", "person-months")  # fmt: skip
            add(f"definition {name}", "scheme names an employer whose key the month's register never uses",
                int(given.foreign_key[:, window].sum()), seen, "treated as naming none", "note", "person-months")  # fmt: skip
    excluded = int((~first["at_risk"]).sum())
    add("follow-up", "not at risk of a first job", excluded, len(first), "left out of time to first job only", "note", "people")
    return rows
