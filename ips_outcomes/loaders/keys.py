"""Keys: the same person has a different key in every delivery."""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.convert import as_key
from ips_outcomes.loaders.files import TEXT, read_text
from ips_outcomes.loaders.identity import IdentityScan
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.study import Key, Study

__all__ = ["list_problems", "read_keys", "without_zeros"]

#: Lengths that keys are filled up to with zeros: pseudonyms have ten digits, others up to eleven.
_FILLED = range(2, 12)
#: A delivery that knows under this share of the participants stops the run.
LEAST_MATCHED = 0.5


def _read_list(study: Study, key: Key) -> pd.DataFrame:
    others = {other.delivery for other in study.keys.values() if other.file == key.file} | {key.participant}
    # one list often serves several deliveries: its problems are worded alike, so that each is told once
    paths = sorted(path for path in study.folder.glob(str(key.file)) if path.is_file())
    path = paths[0]
    if len(paths) > 1:
        raise DataError([Problem(str(key.file), f"{len(paths)} files match, and one linkage file is read",
                                 "name one file under [keys] in the study file")])  # fmt: skip
    if path.suffix.lower() not in TEXT:
        raise DataError([Problem(path.name, "a linkage file is delimited text", f"save it as one of: {', '.join(TEXT)}")])
    names = [str(name) for name in read_text(path, key.delimiter, key.encoding, None).columns]
    if len(names) == 1 and key.participant != key.delivery:
        rule = f'the file has one column, so that "{key.delimiter}" is not what stands between its columns'
        raise DataError([Problem(path.name, rule, 'write delimiter = "..." under each [keys] table that names the file')])
    wanted, wrong = list(dict.fromkeys([key.participant, key.delivery])), []
    for column in wanted:
        if names.count(column) != 1:
            # the column of another delivery's keys has not become this one
            free = [name for name in names if name not in others]
            close = difflib.get_close_matches(column, free, n=1, cutoff=0.5)
            hint = f"did it become {close[0].strip()}? " if close and column not in names else ""
            number = f"{names.count(column)} columns are called" if column in names else "there is no column"
            wrong.append(
                Problem(path.name, f"{number} {column}", f"{hint}mend it under [keys] in the study file, or in the file")
            )
    if wrong:
        raise DataError(wrong)
    table = _whole_list(path, key.delimiter, key.encoding, tuple(dict.fromkeys(names)), path.stat().st_mtime_ns)
    pairs = {"person_id": as_key(table[key.participant]), "delivery_key": as_key(table[key.delivery])}
    return pd.DataFrame(pairs)


@lru_cache(maxsize=2)
def _whole_list(path: Path, delimiter: str, encoding: str, names: tuple[str, ...], changed: int) -> pd.DataFrame:
    """A linkage file, all its columns looked through for identity numbers: one file often serves many deliveries.

    Its name, the time it was changed and how it is read make it the same file.
    """
    table = read_text(path, delimiter, encoding, list(names))
    scan = IdentityScan(path.name)
    scan.look_at_names(list(names))
    scan.look_at(table)
    refused, _ = scan.verdict()
    if refused:
        raise DataError(refused)
    return table


def list_problems(study: Study, name: str) -> list[Problem]:
    """What is wrong with the linkage file of a source, before anybody is looked for in it."""
    try:
        if study.keys[name].file is not None:
            _read_list(study, study.keys[name])
    except DataError as error:
        return list(error.problems)
    return []


def without_zeros(keys: pd.Series) -> list[str]:
    """The forms that keys of digits take where leading zeros are lost, or were not: none that is a key itself.

    Examples
    --------
    >>> without_zeros(pd.Series(["0012", "7100000000", "K3"]))[:2]
    ['00000000012', '0000000012']
    """
    known, found = set(keys), set[str]()
    for key in keys:
        if key.isascii() and key.isdigit() and (bare := key.lstrip("0")):
            found |= {bare, *(bare.zfill(width) for width in _FILLED)} - known
    return sorted(found)


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
    pairs = _read_list(study, key)
    blank = (pairs["delivery_key"] == "") | (pairs["person_id"] == "")
    listed = pairs[~blank].drop_duplicates()
    in_trial = listed["person_id"].isin(people)
    if damaged := int(listed["person_id"][~in_trial].drop_duplicates().isin(without_zeros(people)).sum()):
        rule = "participant keys of the list are those of the trial but for their leading zeros"
        raise DataError([Problem(file, rule, "keep keys as text in both files (Excel and columns of numbers take zeros away)",
                                 f"column {key.participant}", damaged, "keys")])  # fmt: skip
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
        raise DataError([Problem(file, rule, remedy, f"column {key.delivery}")])
    return listed.reset_index(drop=True)
