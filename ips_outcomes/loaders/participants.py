"""The trial file: who was offered a place, who was included, and what was known of them then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ips_outcomes.errors import DataError, Problem
from ips_outcomes.loaders.delivery import Delivery, read_delivery
from ips_outcomes.loaders.ledger import Ledger
from ips_outcomes.months import NO_MONTH, month_number
from ips_outcomes.study import Study
from ips_outcomes.study.layout import ROLES

__all__ = ["completed_upper_secondary", "education_level", "load_participants"]

_STATUSES = ("included", "declined", "not_eligible")
_REASONS = {"declined": "declined", "not_eligible": "not eligible"}


def education_level(nus: pd.Series) -> pd.Series:
    """Level 0 to 8 of NUS2000 codes: the first of six digits; 9, and all else, is unknown.

    A code of five digits lost its leading zero on the way (099901 is level 0,
    not 9). A single digit is taken as the level itself.
    """
    text = nus.fillna("").astype(str).str.strip()
    text = text.where(text.str.fullmatch(r"\d|\d{5,6}"), "")
    full = text.where(text.str.len() <= 1, text.str.zfill(6))
    level = pd.to_numeric(full.str[:1], errors="coerce")
    return level.where(level <= 8).astype("Int64")


def completed_upper_secondary(level: pd.Series) -> pd.Series:
    """``completed`` for level 4 to 8, ``not_completed`` for 0 to 3, missing where unknown."""
    known = level.notna()
    words = np.where(level.fillna(0) >= 4, "completed", "not_completed").astype(object)
    words[~known.to_numpy()] = None
    return pd.Series(words, index=level.index, dtype=object)


def load_participants(study: Study, ledger: Ledger) -> pd.DataFrame:
    """One row a participant, after the flow from offered to included."""
    name = study.sources_of("participants")[0]
    delivery = _whole(read_delivery(study, name, ledger))
    _check(study, delivery)
    rows, told = delivery.rows, bool(_called(delivery, "status"))
    arms = list(study.arm_labels)
    rows["arm"] = rows["arm"] if study.arms else "all"
    status = rows["status"] if told else pd.Series("included", index=rows.index)
    if told:
        ledger.flag(rows, status.isna(), name, "status left blank", "counted as included", "severe")
    rows["status"] = status.fillna("included")
    blank = rows["person_key"].isna()
    rows = ledger.set_aside(rows, blank, name, "row without a participant key", "not used", severity="severe")
    same = rows.duplicated([c for c in rows.columns if c not in ("row", "file", "file_month")])
    rows = ledger.set_aside(rows, same, name, "row that repeats another", "not used")
    offered = rows["person_key"].nunique()
    ledger.step("offered", offered)
    for word in _STATUSES[1:]:
        out = rows["status"] == word
        people_out = rows["person_key"][out].nunique()
        rows = ledger.set_aside(rows, out, name, f"person who {'declined' if word == 'declined' else 'was not eligible'}",
                                "in the flow chart only", severity="note")  # fmt: skip
        if told:
            ledger.step(word, rows["person_key"].nunique(), _REASONS[word], people_out)
    if study.arms:
        # an arm that the data knows and the study leaves out; unknown codes were refused above
        elsewhere = ~rows["arm"].isin(arms)
        rows = ledger.set_aside(rows, elsewhere, name, "person in an arm that the study does not analyse",
                                "in the flow chart only", severity="note")  # fmt: skip
        if elsewhere.any():
            ledger.step("other_arm", rows["person_key"].nunique(), "arm not in this study", int(elsewhere.sum()))
    rows = _once(study, name, rows, ledger)
    ledger.used(name, rows)
    if rows.empty:
        rule, remedy = "nobody is included", "check the codes of status and arm in the study file"
        raise DataError([Problem(delivery.files[0].name, rule, remedy)])
    counts = rows["arm"].value_counts()
    nobody = [label for arm, label in study.arm_labels.items() if arm not in counts]
    if nobody:
        ledger.note(name, f"arm without a participant ({', '.join(nobody)})", len(nobody), len(arms),
                    "comparisons with it are left out", severity="severe", unit="arms")  # fmt: skip
    ledger.step("included", len(rows), arm={arm: int(counts.get(arm, 0)) for arm in arms})
    return _harmonised(rows)


def _whole(delivery: Delivery) -> Delivery:
    """With every column that participants may have: a layout of the study's own need not have them all."""
    rows, number = delivery.rows, len(delivery.rows)
    lacking = {c: np.full(number, NO_MONTH) if c == "birth_month" else np.full(number, None, dtype=object)
               for c in ROLES["participants"] if c not in rows}  # fmt: skip
    return replace(delivery, rows=rows.assign(**lacking))


def _called(delivery: Delivery, column: str) -> str:
    """The file's column as the study or the layout names it; empty where neither does."""
    spec = delivery.layout.columns.get(column)
    return delivery.source.columns.get(column, spec.name if spec else "")


def _check(study: Study, delivery: Delivery) -> None:
    """Codes nobody explained, dates that cannot be, and included people without what they need."""
    rows, file = delivery.rows, delivery.files[0].name
    values = {c: delivery.source.values.get(c) or spec.codes for c, spec in delivery.layout.columns.items()}
    values = {c: codes for c, codes in values.items() if codes}
    problems = []
    included = rows["status"].fillna("included") == "included" if "status" in values else pd.Series(True, index=rows.index)
    for column in delivery.layout.columns:
        bad = rows[f"bad_{column}"].to_numpy() & included.to_numpy()
        if bad.any():
            rule = "a code has no meaning in the study file" if column in values else "a value is not a possible date or number"
            remedy = f"add the code to values.{column}" if column in values else "correct the extract at its source"
            if delivery.layout.columns[column].type == "date":
                remedy += f", or say how they are written: dates.{column} under the source"
            problems.append(Problem(file, rule, remedy, f"column {_called(delivery, column) or column}", int(bad.sum())))
    if "status" in values:
        strange = set(values["status"].values()) - set(_STATUSES)
        if strange:
            remedy = f"use {', '.join(_STATUSES)}"
            problems.append(Problem(study.file, "a status is not one that the flow chart knows", remedy, "values.status"))
    needed = ["index_date", *(["arm"] if study.arms else [])]
    for column in needed:
        gone = rows[column].isna() & included & ~rows[f"bad_{column}"]
        if gone.any():
            rule = f"an included person has no {column.replace('_', ' ')}"
            remedy = "complete the extract, or give these people a status that is not included"
            if "redcap_repeat_instrument" in delivery.layout.rows and "redcap_event_name" not in delivery.source.rows:
                remedy += '; of a REDCap project with events keep one: rows.redcap_event_name = ["..."] under the source'
            problems.append(Problem(file, rule, remedy, f"column {_called(delivery, column) or column}", int(gone.sum())))
    if problems:
        raise DataError(problems)


def _once(study: Study, name: str, rows: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Somebody included twice has one clock: the first inclusion, unless the study says otherwise."""
    choice = study.follow_up.included_twice
    ordered = rows.sort_values(["index_date", "row"], kind="stable")
    twice = ordered.duplicated("person_key", keep="last" if choice == "last" else "first").to_numpy()
    if twice.any() and choice == "refuse":
        rule = "a participant stands twice in the trial file"
        remedy = 'correct the file, or choose included_twice = "first" or "last" in the study file'
        raise DataError([Problem(str(ordered["file"].iloc[0]), rule, remedy, "participant key", int(twice.sum()))])
    in_both = int(ordered.drop_duplicates(["person_key", "arm"]).duplicated("person_key").sum())
    if in_both:
        ledger.note(name, "participant included in two arms", in_both, ordered["person_key"].nunique(),
                    f"analysed in the arm of the {choice} inclusion", severity="severe", unit="people")  # fmt: skip
    kept = ledger.set_aside(ordered, twice, name, "participant included again", f"the {choice} inclusion is kept")
    if twice.any():
        ledger.step("included_twice", len(kept), "included again, counted once", int(twice.sum()))
    return kept.sort_values("person_key", kind="stable")


def _harmonised(rows: pd.DataFrame) -> pd.DataFrame:
    index_month = month_number(rows["index_date"])
    birth = rows["birth_month"].to_numpy()
    level = education_level(rows["education"])
    table = pd.DataFrame({
        "person_id": rows["person_key"].to_numpy(),
        "arm": rows["arm"].to_numpy(),
        "centre": rows["centre"].to_numpy(),
        "index_date": rows["index_date"].to_numpy(),
        "index_month": index_month,
        "birth_month": pd.array(birth, dtype="Int64"),
        "sex": rows["sex"].to_numpy(),
        "education": rows["education"].to_numpy(),
        "education_level": level.array,
        "upper_secondary": completed_upper_secondary(level).to_numpy(),
        "diagnosis_group": rows["diagnosis_group"].to_numpy(),
    })  # fmt: skip
    table.loc[(birth == NO_MONTH), "birth_month"] = pd.NA
    return table.reset_index(drop=True)
