"""The cohort: all extracts of a study, harmonised, checked and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders import registers
from ips_outcomes.loaders.keys import list_problems, read_keys
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.participants import load_participants
from ips_outcomes.loaders.schemas import SCHEMAS, validate
from ips_outcomes.months import month_label
from ips_outcomes.study import Study, load_study

__all__ = ["Cohort", "load_cohort"]


@dataclass(frozen=True)
class Cohort:
    """Harmonised tables of one study.

    Attributes
    ----------
    study : Study
    participants, keys, employment, pay, programmes, residence, coverage : pandas.DataFrame
        The harmonised tables; columns, units and allowed values stand in
        `ips_outcomes.loaders.schemas.SCHEMAS`.
    flow : pandas.DataFrame
        From offered to included: ``step``, ``people`` (who remain), ``left``,
        ``reason``, ``arms``.
    quality : pandas.DataFrame
        Every counted rule: ``source``, ``rule``, ``unit``, ``count``,
        ``total``, ``share``, ``severity``, ``action``, ``example_rows`` (row
        numbers, never values).
    reconciliation : pandas.DataFrame
        Rows in, used and set aside for every source.
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
    flow: pd.DataFrame
    quality: pd.DataFrame
    reconciliation: pd.DataFrame
    employer_keys: dict[str, frozenset[object]]
    benefits: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SCHEMAS["benefits"].columns)))


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
    if not isinstance(study, Study):
        study = load_study(study)
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
    keys = pd.concat(key_parts, ignore_index=True) if key_parts else pd.DataFrame(
        {"source": pd.Series(dtype=object), "person_id": pd.Series(dtype=object), "delivery_key": pd.Series(dtype=object)}
    )  # fmt: skip
    coverage = registers.load_coverage(study, ledger)
    loaded: dict[str, pd.DataFrame] = {}

    def attempt(name: str, load: Callable[[], None]) -> None:
        tell(name)
        try:
            load()
        except DataError as error:
            problems.extend(error.problems)

    def employment() -> None:
        loaded["employment"], loaded["pay"] = registers.load_employment(study, keys, ledger)

    def programmes() -> None:
        loaded["programmes"] = registers.load_programmes(study, keys, ledger)

    def people() -> None:
        loaded["people"] = registers.load_people(study, keys, ledger)

    def residence() -> None:
        loaded["residence"] = registers.load_residence(study, keys, loaded.get("people", nobody), ledger)

    # stands in where the population file has problems, so that those of the residence file are told too
    nobody = pd.DataFrame({"person_id": pd.Series(dtype=object), "death_date": pd.Series(dtype="datetime64[s]")})
    attempt("population", people)
    attempt("residence", residence)
    attempt("jobs", employment)
    attempt("schemes", programmes)
    if problems:
        raise DataError(dict.fromkeys(problems))
    _refuse_outside(study, participants, coverage, ledger)
    participants = _with_age(participants, loaded["people"], ledger, study)
    _compare_dates(participants, loaded, ledger)
    ledger.reconcile()
    return Cohort(
        study=study,
        participants=validate("participants", participants),
        keys=validate("keys", keys),
        employment=validate("employment", loaded["employment"]),
        pay=validate("pay", loaded["pay"]),
        programmes=validate("programmes", loaded["programmes"]),
        residence=validate("residence", loaded["residence"]),
        coverage=validate("coverage", coverage),
        flow=pd.DataFrame(ledger.steps),
        quality=ledger.quality(),
        reconciliation=ledger.reconciliation(),
        employer_keys=ledger.employers,
    )


def _problems_of_rest(study: Study, tell: Callable[[str], None]) -> list[Problem]:
    from ips_outcomes.loaders.delivery import read_delivery

    problems: list[Problem] = []
    for name, layout in study.layouts.items():
        if layout.table == "participants":
            continue
        tell(name)
        try:
            read_delivery(study, name, Ledger())
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


def _compare_dates(participants: pd.DataFrame, loaded: dict[str, pd.DataFrame], ledger: Ledger) -> None:
    """Things that cannot both be true, between tables."""
    index = participants.set_index("person_id")["index_date"]
    deaths = loaded["residence"].dropna(subset="death_date").drop_duplicates("person_id").set_index("person_id")["death_date"]
    early = (deaths < index.reindex(deaths.index)).sum()
    ledger.note("residence", "death before the index date", early, len(deaths), "months from the death on are not observed",
                severity="severe", unit="people")  # fmt: skip
    jobs = loaded["employment"]
    after = (jobs["start"] > jobs["person_id"].map(deaths)).sum()
    ledger.note("jobs", "job that starts after the person's death", after, len(jobs), "the months are not observed",
                severity="severe")  # fmt: skip
