"""Keys: the same person has a different key in every delivery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.convert import as_text
from ips_outcomes.loaders.identity import judge_column
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.study import Key, Study

__all__ = ["attach_people", "read_keys"]

#: A delivery that knows under this share of the participants stops the run.
LEAST_MATCHED = 0.5


def _read_list(study: Study, name: str, key: Key) -> pd.DataFrame:
    path = next(iter(sorted(study.folder.glob(str(key.file)))))
    try:
        header = pd.read_csv(path, sep=key.delimiter, encoding=key.encoding, nrows=0, dtype=str)
        wrong = [
            Problem(path.name, f"there is no column {column}", f"mend keys.{name} in the study file, or the file")
            for column in (key.participant, key.delivery)
            if column not in header.columns
        ]
        if wrong:
            raise DataError(wrong)
        columns = list(dict.fromkeys([key.participant, key.delivery]))
        table = pd.read_csv(path, sep=key.delimiter, encoding=key.encoding, dtype=str, na_filter=False, usecols=columns)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        remedy = "a linkage file is delimited text; name its delimiter and encoding in the study file"
        raise DataError([Problem(Path(str(key.file)).name, "the linkage file cannot be read", remedy)]) from None
    held = [judge_column(path.name, column, as_text(table[column])) for column in columns]
    if any(held):
        raise DataError([problem for problem in held if problem is not None])
    pairs = {"person_id": as_text(table[key.participant]), "delivery_key": as_text(table[key.delivery])}
    return pd.DataFrame(pairs)


def read_keys(study: Study, name: str, people: pd.Series, ledger: Ledger) -> pd.DataFrame:
    """The linkage list of one source: ``person_id``, ``delivery_key``, participants of the trial only.

    A delivery key that stands for several people belongs to nobody: it cannot
    be said whose the rows are. A participant with several delivery keys keeps
    them all. Both are counted.
    """
    key = study.keys[name]
    if key.carries_participant_key:
        listed = pd.DataFrame({"person_id": people, "delivery_key": people})
        ledger.note(name, "participants on the linkage list", len(listed), len(people),
                    "the delivery carries the participant key", unit="people")  # fmt: skip
        return listed.reset_index(drop=True)
    file = Path(str(key.file)).name
    pairs = _read_list(study, name, key)
    blank = (pairs["delivery_key"] == "") | (pairs["person_id"] == "")
    listed = pairs[~blank].drop_duplicates()
    in_trial = listed["person_id"].isin(people)
    ledger.note(name, "linkage rows for people who are not in the trial", (~in_trial).sum(), len(listed), "not used")
    listed = listed[in_trial]
    people_per_key = listed.groupby("delivery_key")["person_id"].transform("nunique")
    ledger.note(name, "delivery keys that stand for several participants", listed["delivery_key"][people_per_key > 1].nunique(),
                listed["delivery_key"].nunique(), "not used: whose rows they are cannot be said",
                severity="severe", unit="keys")  # fmt: skip
    listed = listed[people_per_key == 1]
    keys_per_person = listed.groupby("person_id")["delivery_key"].nunique()
    ledger.note(name, "participants with several keys in the delivery", (keys_per_person > 1).sum(), len(keys_per_person),
                "all their keys are used", severity="warning", unit="people")  # fmt: skip
    matched = listed["person_id"].nunique()
    ledger.note(name, "participants on no linkage list", len(people) - matched, len(people),
                "not observed, reason not_linked", severity="warning", unit="people")  # fmt: skip
    if matched < LEAST_MATCHED * len(people):
        rule = f"the list of {name} matches {matched:,} of {len(people):,} participants, under half"
        remedy = f"check that keys.{name} names the right columns, and that keys were not damaged (leading zeros, Excel)"
        raise DataError([Problem(file, rule, remedy, count=len(people) - matched)])
    return listed.reset_index(drop=True)


def attach_people(rows: pd.DataFrame, listed: pd.DataFrame, name: str, ledger: Ledger) -> pd.DataFrame:
    """Replace delivery keys by ``person_id``; rows of people on no list are set aside and counted."""
    owner = listed.drop_duplicates("delivery_key").set_index("delivery_key")["person_id"]
    person = rows["person_key"].map(owner)
    if len(rows) and not person.notna().any():
        rule = "no key in the delivery is on its linkage list"
        remedy = f"check that keys.{name} names the right column or list, and that keys were not damaged (leading zeros, Excel)"
        raise DataError([Problem(name, rule, remedy, count=len(rows))])
    kept = rows.assign(person_id=person.to_numpy())
    unknown = person.isna().to_numpy()
    strangers = rows["person_key"][unknown].nunique()
    ledger.note(name, "people in the register who are not in the trial", strangers,
                rows["person_key"].nunique(), "their rows are not used", unit="people")  # fmt: skip
    kept = ledger.set_aside(kept, unknown, name, "row of a person on no linkage list", "not used", severity="note")
    return kept.astype({"person_id": object}) if len(kept) else kept.assign(person_id=np.array([], dtype=object))
