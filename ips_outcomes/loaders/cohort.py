"""The cohort: all extracts of a study, harmonised, checked and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders import records, registers
from ips_outcomes.loaders.checked import Reading
from ips_outcomes.loaders.checks import check_between
from ips_outcomes.loaders.delivery import look_at
from ips_outcomes.loaders.keys import list_problems, read_keys
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.linking import Engines
from ips_outcomes.loaders.participants import completed_upper_secondary, load_participants
from ips_outcomes.loaders.schemas import empty, validate
from ips_outcomes.months import month_label
from ips_outcomes.study import Study, as_study

__all__ = ["Cohort", "load_cohort"]


@dataclass(frozen=True)
class Cohort:
    """Harmonised tables of one study.

    Attributes
    ----------
    study : Study
    participants, keys, employment, pay, programmes, residence, coverage, benefits, education, income, services, centre_measures : pandas.DataFrame
        The harmonised tables; columns, units and allowed values stand in
        `ips_outcomes.loaders.schemas.SCHEMAS`.
    flow : pandas.DataFrame
        From offered to included: ``step``, ``people`` (who remain), ``left``,
        ``reason``, ``arms``.
    quality : pandas.DataFrame
        Every counted rule: ``source``, ``rule``, ``unit``, ``count``,
        ``total``, ``share``, ``severity``, ``action``, ``set_aside`` (rows that
        the rule took out), ``example_rows`` (row numbers, never values).
    reconciliation, files : pandas.DataFrame
        Rows in, used and set aside for every source, and for every file.
    employer_keys : dict
        Every employer key that a source uses, to tell whether another
        source's keys are the same.
    """

    study: Study
    participants: pd.DataFrame
    keys: pd.DataFrame
    employment: pd.DataFrame
    pay: pd.DataFrame
    programmes: pd.DataFrame
    residence: pd.DataFrame
    coverage: pd.DataFrame
    benefits: pd.DataFrame
    education: pd.DataFrame
    income: pd.DataFrame
    services: pd.DataFrame
    centre_measures: pd.DataFrame
    flow: pd.DataFrame
    quality: pd.DataFrame
    reconciliation: pd.DataFrame
    files: pd.DataFrame
    employer_keys: dict[str, frozenset[object]]


def load_cohort(study: Study | str, progress: Callable[[str], None] | None = None) -> Cohort:
    """Read all extracts of a study into harmonised tables.

    Parameters
    ----------
    study : Study or str
        A study from `load_study`, or the path of its file.
    progress : callable, optional
        Called with the name of each source before it is read.

    Returns
    -------
    Cohort

    Raises
    ------
    DataError
        With the problems of all sources at once: damaged files, columns that
        are not there, codes nobody explained, impossible dates in the trial
        file, keys that match nobody. Lesser trouble is counted in ``quality``.

    Examples
    --------
    >>> from ips_outcomes import load_cohort, load_study
    >>> cohort = load_cohort(load_study("data/synthetic/study.toml"))
    >>> len(cohort.participants)
    410
    """
    study = as_study(study)
    tell = progress or (lambda _: None)
    ledger = Ledger()
    problems: list[Problem] = []
    participants: pd.DataFrame | None = None
    tell("trial file")
    try:
        participants = load_participants(study, ledger)
    except DataError as error:
        problems += error.problems
    people_ids = participants["person_id"] if participants is not None else pd.Series(dtype=object)
    key_parts = []
    for name in study.keys:
        tell(f"keys of {name}")
        try:
            if participants is None:
                problems += list_problems(study, name)
            else:
                key_parts.append(read_keys(study, name, people_ids, ledger).assign(source=name))
        except DataError as error:
            problems += error.problems
    if problems:
        # the other extracts are still opened, so that all their problems are told too
        problems += _problems_of_rest(study, tell)
        raise DataError(dict.fromkeys(problems))
    assert participants is not None
    keys = pd.concat(key_parts, ignore_index=True) if key_parts else empty("keys")
    coverage = registers.load_coverage(study, ledger)
    with Engines(study.engine) as engines:
        tables = _tables(Reading(study, keys, ledger, engines, tell), set(participants["centre"].dropna()))
    _refuse_outside(study, participants, coverage, ledger)
    participants = _with_age(participants, tables["people"], ledger, study)
    participants = _with_education(participants, tables["education"], ledger, study)
    check_between(study, participants, tables, keys, ledger)
    ledger.reconcile()

    def whole(name: str) -> pd.DataFrame:
        return validate(name, tables[name].drop(columns=["file", "row"], errors="ignore"))

    return Cohort(
        study=study,
        participants=validate("participants", participants),
        keys=validate("keys", keys),
        employment=whole("employment"),
        pay=whole("pay"),
        programmes=whole("programmes"),
        residence=whole("residence"),
        coverage=validate("coverage", coverage),
        benefits=whole("benefits"),
        education=whole("education"),
        income=whole("income"),
        services=whole("services"),
        centre_measures=whole("centre_measures"),
        flow=pd.DataFrame(ledger.steps),
        quality=ledger.quality(),
        reconciliation=ledger.reconciliation(),
        files=ledger.files(),
        employer_keys=ledger.employers,
    )


def _tables(reading: Reading, centres: set[str]) -> dict[str, pd.DataFrame]:
    """Every register's table, or the problems of all of them."""
    problems: list[Problem] = []
    # stands in where the population file has problems, so that those of the residence file are told too
    tables = {"people": pd.DataFrame({"person_id": pd.Series(dtype=object), "death_date": pd.Series(dtype="datetime64[s]")})}

    def employment() -> dict[str, pd.DataFrame]:
        jobs, pay = registers.load_employment(reading)
        return {"employment": jobs, "pay": pay}

    loads: list[tuple[str, Callable[[], dict[str, pd.DataFrame]]]] = [
        ("population", lambda: {"people": registers.load_people(reading)}),
        ("residence", lambda: {"residence": registers.load_residence(reading, tables["people"])}),
        ("jobs", employment),
        ("schemes", lambda: {"programmes": registers.load_programmes(reading)}),
        ("benefits", lambda: {"benefits": records.load_benefits(reading)}),
        ("education", lambda: {"education": records.load_education(reading)}),
        ("income", lambda: {"income": records.load_income(reading)}),
        ("services", lambda: {"services": records.load_services(reading)}),
        ("centre_measures", lambda: {"centre_measures": records.load_centre_measures(reading, centres)}),
    ]
    for name, load in loads:
        reading.tell(name)
        try:
            tables |= load()
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(dict.fromkeys(problems))
    return tables


def _problems_of_rest(study: Study, tell: Callable[[str], None]) -> list[Problem]:
    problems: list[Problem] = []
    for name, layout in study.layouts.items():
        if layout.table == "participants":
            continue
        tell(name)
        try:
            look_at(study, name, tell)
        except DataError as error:
            problems += error.problems
    return problems


def _refuse_outside(study: Study, participants: pd.DataFrame, coverage: pd.DataFrame, ledger: Ledger) -> None:
    """People whose whole follow-up lies where no job delivery speaks: their index date may be wrong."""
    jobs = coverage[coverage["table"].isin(["jobs", "job_months"])]["month"]
    index = participants["index_month"]
    outside = ((index + study.follow_up.months < jobs.min()) | (index + 1 > jobs.max())).to_numpy()
    if not outside.any():
        return
    trial = study.sources_of("participants")[0]
    if outside.all():
        rule = (
            f"no follow-up month of anybody lies in {month_label(jobs.min())} to {month_label(jobs.max())}, which the jobs cover"
        )
        remedy = "check how the layout says that dates are written, and the periods in the study file"
        column = study.sources[trial].columns.get("index_date", "index_date")
        raise DataError([Problem(study.paths(trial)[0].name, rule, remedy, f"column {column}", len(outside))])
    ledger.note(trial, "index date so early or late that no job delivery covers the follow-up", outside.sum(), len(outside),
                "no month is observed; check the date", severity="severe", unit="people")  # fmt: skip


def _with_age(participants: pd.DataFrame, people: pd.DataFrame, ledger: Ledger, study: Study) -> pd.DataFrame:
    """Completed years at the index month; the register's month of birth fills what the trial lacks."""
    registered = participants["person_id"].map(people.set_index("person_id")["birth_month"]).astype("Int64")
    own = participants["birth_month"]
    both = own.notna() & registered.notna()
    trial = study.sources_of("participants")[0]
    if both.any():
        ledger.note(trial, "month of birth differs from the population register", (both & (own != registered)).sum(),
                    int(both.sum()), "the trial's is kept", severity="warning", unit="people")  # fmt: skip
    birth = own.fillna(registered)
    age = ((participants["index_month"] - birth) // 12).astype("Int64")
    impossible = ((age < 0) | (age > 120)).fillna(False)
    ledger.note(trial, "age at inclusion below 0 or above 120", impossible.sum(), len(age), "age is unknown",
                severity="severe", unit="people")  # fmt: skip
    position = participants.columns.get_loc("birth_month")
    table = participants.assign(birth_month=birth)
    table.insert(int(str(position)) + 1, "age", age.mask(impossible))
    return table


def _with_education(participants: pd.DataFrame, education: pd.DataFrame, ledger: Ledger, study: Study) -> pd.DataFrame:
    """The level held before the index date, from the register where the study says so or the trial is silent.

    A level dated on or after the index date is never looked at: it would carry
    what happened later into what was known at inclusion.
    """
    if not study.sources_of("education"):
        return participants
    held = education[education["record"] == "highest"].sort_values(
        ["person_id", "start", "level"], kind="stable", na_position="first"
    )
    start = held["person_id"].map(participants.set_index("person_id")["index_date"])
    last = held[(held["start"] < start).to_numpy()].drop_duplicates("person_id", keep="last").set_index("person_id")
    registered = participants["person_id"].map(last["level"]).astype("Int64")
    nus = participants["person_id"].map(last["nus"])
    own = participants["education_level"]
    trial = study.sources_of("participants")[0]
    both = own.notna() & registered.notna()
    use = registered.notna() if study.follow_up.education == "register" else own.isna() & registered.notna()
    action = "the register's counts" if study.follow_up.education == "register" else "the trial's is kept"
    ledger.note(trial, "level of education differs from the register's before inclusion", (both & (own != registered)).sum(),
                int(both.sum()), action, severity="note", unit="people")  # fmt: skip
    ledger.note(trial, "level of education taken from the register", use.sum(), len(own), "the last one dated before inclusion",
                unit="people")  # fmt: skip
    level = own.mask(use, registered)
    return participants.assign(
        education=participants["education"].mask(use, nus), education_level=level,
        upper_secondary=completed_upper_secondary(level).to_numpy(),
    )  # fmt: skip
