"""Monthly counts of a nation, without a row a person-month: job files are counted where they lie.

People, lists, residence and schemes are read as for a trial. The job
deliveries, which have hundreds of rows for each of those, stay in the engine:
one pass turns them into words of months, one row a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ips_outcomes.engine import Engine, word_numbers
from ips_outcomes.followup.employed import answer
from ips_outcomes.followup.grid import Grid
from ips_outcomes.followup.job_delivery import JobDelivery
from ips_outcomes.followup.jobs import JobMonths
from ips_outcomes.followup.observed import observed_words, part_of
from ips_outcomes.followup.schemes import NOT_ORDINARY, WORK_PRACTICE
from ips_outcomes.followup.words import PersonWords, Words, columns_of, pack, refuse_sums
from ips_outcomes.loaders import Cohort, registers
from ips_outcomes.loaders.checked import Reading
from ips_outcomes.loaders.keys import read_keys
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.loaders.linking import Engines
from ips_outcomes.loaders.participants import load_participants
from ips_outcomes.study import Definition, Study, load_study

__all__ = ["NationalCounts", "count_months"]

#: People with a scheme that subtracts, put on a grid at a time.
_BLOCK = 20_000


@dataclass(frozen=True)
class NationalCounts:
    """Monthly counts, and what became of every row.

    Attributes
    ----------
    months : pandas.DataFrame
        ``definition``, ``arm``, ``month`` (since the index date), ``n`` (people whose answer is known), ``events`` (people
        with a yes), ``rate`` (a proportion, 0 to 1).
    rows : pandas.DataFrame
        Job rows by ``source`` and ``rule``: "used", or why they were set aside. They add up to the rows delivered. A row
        that repeats another is used: a month is set however often it is said.
    words : PersonWords
        The words themselves, one row a participant.
    """

    months: pd.DataFrame
    rows: pd.DataFrame
    words: PersonWords


def count_months(
    study: Study | str | Path, *, definitions: Sequence[str] | None = None, engine: Engine | None = None,
    progress: Callable[[str], None] | None = None,
) -> NationalCounts:  # fmt: skip
    """People known and employed by definition, arm and month, for a study of any size.

    The answers are those of `follow_up`, by the same rules; nothing is
    expanded to person-months save for people with a scheme that subtracts.

    Parameters
    ----------
    study : Study, str or pathlib.Path
        A study from `load_study`, or the path of its file. Its ``[engine]`` says where the job rows are counted.
    definitions : sequence of str, optional
        Names under ``[employed]``; all of them by default.
    engine : Engine, optional
        One that is open already, used instead.
    progress : callable, optional
        Called with a word on each file that is staged.

    Returns
    -------
    NationalCounts

    Raises
    ------
    UnsupportedError
        If a definition looks at hours, pay, benefits or courses.
    DataError
        If an extract is not what the study file says.

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes.simulation.national import simulate_national
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = count_months(simulate_national(f"{folder}/nation", rows=20_000, seed=1))
    >>> sorted(counts.months.columns)
    ['arm', 'definition', 'events', 'month', 'n', 'rate']
    """
    if not isinstance(study, Study):
        study = load_study(study)
    asked = {name: study.employed[name] for name in definitions or study.employed}
    for name, definition in asked.items():
        refuse_sums(name, definition)
    cohort = _people(study)
    tell = progress or (lambda _: None)
    if engine is not None:
        return _counted(study, cohort, asked, engine, tell)
    with Engines(study.engine) as engines:
        return _counted(study, cohort, asked, engines.open(), tell)


def _people(study: Study) -> Cohort:
    """Everything but the jobs, as for a trial."""
    ledger = Ledger()
    participants = load_participants(study, ledger)
    lists = [read_keys(study, name, participants["person_id"], ledger).assign(source=name) for name in study.keys]
    keys = pd.concat(lists, ignore_index=True)
    with Engines(study.engine) as engines:
        reading = Reading(study, keys, ledger, engines)
        people = registers.load_people(reading)
        programmes, residence = registers.load_programmes(reading), registers.load_residence(reading, people)
    nothing = _nothing()
    return Cohort(
        study=study, participants=participants, keys=keys, employment=nothing, pay=nothing, programmes=programmes,
        residence=residence, benefits=nothing, education=nothing, income=nothing, services=nothing,
        centre_measures=nothing,
        coverage=registers.load_coverage(study, ledger), flow=pd.DataFrame(ledger.steps), quality=ledger.quality(),
        reconciliation=ledger.reconciliation(), files=ledger.files(), employer_keys={},
    )  # fmt: skip


def _counted(
    study: Study, cohort: Cohort, asked: dict[str, Definition], engine: Engine, tell: Callable[[str], None]
) -> NationalCounts:  # fmt: skip
    window = (-study.follow_up.history, study.follow_up.months)
    people = cohort.participants
    place = pd.Series(np.arange(len(people), dtype=np.int64), index=people["person_id"].to_numpy())
    yes = {name: np.zeros((len(people), len(word_numbers(window))), dtype=np.int64) for name in asked}
    subtracted = _Subtracted.of(cohort, asked, place)
    deliveries, rows = [JobDelivery(study, name, engine, tell) for name in study.sources_of("jobs", "job_months")], []
    for delivery in deliveries:
        listed = cohort.keys[cohort.keys["source"] == delivery.name].drop_duplicates("delivery_key")
        person = place.reindex(listed["person_id"].to_numpy()).to_numpy()
        keys = pd.DataFrame({
            "delivery_key": listed["delivery_key"].to_numpy(), "person": person,
            "index_month": people["index_month"].to_numpy()[person], "told": np.isin(person, subtracted.chosen),
        })  # fmt: skip
        delivery.link(keys)
        made = delivery.count(asked, window, tell_jobs=len(subtracted.chosen) > 0)
        used = made["rule"] == 0
        for name in asked:
            yes[name][made["person"][used]] |= columns_of(made, name, window)[used]
        rows.append(delivery.rows_by_rule(made))
    known: dict[str, Words] = {}
    observed = {
        rule: observed_words(cohort, on_status_day=rule) for rule in {d.month_rule == "status_day" for d in asked.values()}
    }
    for name, definition in asked.items():
        seen, schemes = observed[definition.month_rule == "status_day"]
        must = definition.wage_subsidy != "keep" and definition.if_unanswerable == "unknown"
        known[name] = seen & schemes if must else seen
        yes[name] &= known[name]
    _subtract_schemes(cohort, subtracted, deliveries, place, known, yes, window)
    words = PersonWords(people["person_id"].to_numpy(), people["arm"].to_numpy(), window, known, yes)
    months = words.counts()
    months["rate"] = months["events"] / months["n"].where(months["n"] > 0)
    return NationalCounts(months, pd.concat(rows, ignore_index=True), words)


@dataclass(frozen=True)
class _Subtracted:
    """Definitions that schemes are subtracted from, and the places of the people who have such a scheme."""

    definitions: dict[str, Definition]
    schemes: pd.DataFrame
    chosen: np.ndarray

    @classmethod
    def of(cls, cohort: Cohort, asked: dict[str, Definition], place: pd.Series) -> _Subtracted:
        definitions = {name: d for name, d in asked.items() if d.wage_subsidy != "keep"}
        codes = NOT_ORDINARY + (WORK_PRACTICE if any(d.work_practice_subtracts for d in definitions.values()) else ())
        schemes = cohort.programmes[cohort.programmes["scheme"].isin(codes if definitions else ())]
        return cls(definitions, schemes, np.unique(place.reindex(schemes["person_id"].to_numpy()).to_numpy(dtype=np.intp)))


def _subtract_schemes(
    cohort: Cohort, subtracted: _Subtracted, deliveries: list[JobDelivery], place: pd.Series,
    known: dict[str, Words], yes: dict[str, Words], window: tuple[int, int],
) -> None:  # fmt: skip
    """Answer for people with a scheme that subtracts as for a trial, and put their words in place."""
    chosen = subtracted.chosen
    if not len(chosen):
        return
    named = subtracted.schemes["employer"].dropna().unique()
    used = {d.name: d.employers_among(named) for d in deliveries}
    jobs = pd.concat([d.jobs(place.index.to_numpy()) for d in deliveries], ignore_index=True)
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        part = part_of(Cohort(**{**vars(cohort), "employment": jobs, "pay": _nothing(), "employer_keys": used}), block)
        months = JobMonths(Grid(part))
        for name, definition in subtracted.definitions.items():
            value = answer(months, definition).value
            known[name][block] = pack(value != -1, window[0])
            yes[name][block] = pack(value == 1, window[0])


def _nothing() -> pd.DataFrame:
    """A table of nobody."""
    return pd.DataFrame({"person_id": pd.Series(dtype=object)})
