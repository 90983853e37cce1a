"""Things that cannot both be true: checks between rows and between tables, each a named and counted rule.

Nothing is taken away here. What a rule means for the months that follow is
decided in the follow-up; here it is said how often it happened, and where.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ips_outcomes.loaders.ledger import Ledger, Severity
from ips_outcomes.months import NO_MONTH, calendar_month, day_in_month, month_number
from ips_outcomes.study import Study

__all__ = ["check_between"]

#: Reports to a-ordningen may be replaced for some months after.
_SETTLED = 3
#: So many spells would not fall silent for a year by chance.
_TELLING = 30


def check_between(
    study: Study, participants: pd.DataFrame, tables: dict[str, pd.DataFrame], keys: pd.DataFrame, ledger: Ledger
) -> None:  # fmt: skip
    """Count every contradiction between the harmonised tables."""
    residence = tables["residence"]
    deaths = residence.dropna(subset="death_date").drop_duplicates("person_id").set_index("person_id")["death_date"]
    index = participants.set_index("person_id")["index_date"]
    ledger.note("residence", "death before the index date", (deaths < index.reindex(deaths.index)).sum(), len(deaths),
                "months from the death on are not observed", severity="severe", unit="people")  # fmt: skip
    birth = participants.set_index("person_id")["birth_month"].dropna().astype(np.int64)
    for name, word in (("employment", "job"), ("benefits", "benefit"), ("programmes", "scheme"), ("education", "education")):
        for source, rows in tables[name].groupby("source", sort=False):
            _against_life(str(source), word, rows, birth, deaths, ledger)
    _while_abroad(tables["employment"], residence, deaths, ledger)
    _overlaps(tables, residence, ledger)
    _monthly(tables["employment"], tables["pay"], ledger)
    _outside_period(study, tables, ledger)
    _everywhere_or_not(study, participants, tables, keys, ledger)
    _late_reports(study, ledger)


def _against_life(
    source: str, word: str, rows: pd.DataFrame, birth: pd.Series, deaths: pd.Series, ledger: Ledger
) -> None:  # fmt: skip
    born = rows["person_id"].map(birth).to_numpy(dtype=float)
    start = month_number(rows["start"])
    too_early = np.isfinite(born) & (start != NO_MONTH) & (start < born)
    ledger.flag(
        rows, too_early, source, f"{word} that starts before the person's birth", "kept; check the key and the date", "severe"
    )
    ledger.flag(rows, (rows["start"] > rows["person_id"].map(deaths)).to_numpy(), source,
                f"{word} that starts after the person's death", "the months are not observed", "severe")  # fmt: skip


def _while_abroad(jobs: pd.DataFrame, residence: pd.DataFrame, deaths: pd.Series, ledger: Ledger) -> None:
    """Jobs on days on which the person was no resident: between two spells of residence, or after the last."""
    spells = residence.dropna(subset="resident_from").sort_values(["person_id", "resident_from"], kind="stable")
    far = np.datetime64("9999-12-31", "s")
    until = spells["resident_to"].fillna(pd.Timestamp("2262-01-01")).to_numpy().astype("datetime64[s]")
    reach = pd.Series(until.astype(np.int64)).groupby(spells["person_id"].to_numpy()).cummax().to_numpy().astype("datetime64[s]")
    last = ~spells.duplicated("person_id", keep="last").to_numpy()
    following = spells.groupby("person_id")["resident_from"].shift(-1).to_numpy().astype("datetime64[s]")
    gaps = pd.DataFrame({
        "person_id": spells["person_id"].to_numpy(), "away_from": reach + np.timedelta64(86_400, "s"),
        "away_to": np.where(last, far, following - np.timedelta64(86_400, "s")),
    })  # fmt: skip
    gaps = gaps[(gaps["away_from"] <= gaps["away_to"]) & (reach < np.datetime64("2262-01-01", "s"))]
    # the dead are not abroad
    dead_by = gaps["person_id"].map(deaths)
    gaps = gaps[~(dead_by < gaps["away_from"] + pd.Timedelta(days=1)).to_numpy()]
    place = jobs.assign(place=np.arange(len(jobs)))
    monthly = (jobs["record"] == "month").to_numpy()
    sixteenth = day_in_month(jobs["month"].fillna(0).to_numpy(dtype=np.int64), 16).astype("datetime64[s]")
    place["from"] = np.where(monthly, sixteenth, jobs["start"].to_numpy())
    place["to"] = np.where(monthly, sixteenth, jobs["end"].fillna(pd.Timestamp("2262-01-01")).to_numpy().astype("datetime64[s]"))
    pairs = place.merge(gaps, on="person_id")
    hit = pairs.loc[(pairs["from"] <= pairs["away_to"]) & (pairs["to"] >= pairs["away_from"]), "place"].unique()
    away = np.isin(place["place"], hit)
    for source, rows in jobs.groupby("source", sort=False):
        ledger.flag(rows, away[jobs["source"].to_numpy() == source], str(source), "job while the person was not a resident",
                    "months abroad are not observed", "warning")  # fmt: skip


def _overlapping(rows: pd.DataFrame, within: list[str], start: str = "start", end: str = "end") -> np.ndarray:
    """Spells that begin before an earlier one of the same kind has ended."""
    if rows.empty:
        return np.zeros(0, dtype=bool)
    order = rows.sort_values([*within, start], kind="stable")
    until = order[end].fillna(pd.Timestamp("2262-01-01")).to_numpy().astype("datetime64[s]").astype(np.int64)
    groups = [order[column].to_numpy() for column in within]
    reach = pd.Series(until).groupby(groups).cummax().groupby(groups).shift().to_numpy(dtype=float)
    begins = order[start].to_numpy().astype("datetime64[s]").astype(np.int64)
    hit = pd.Series(np.isfinite(reach) & (begins <= np.nan_to_num(reach, nan=-1e18)), index=order.index)
    return hit.reindex(rows.index).to_numpy()


def _overlaps(tables: dict[str, pd.DataFrame], residence: pd.DataFrame, ledger: Ledger) -> None:
    def tell(rows: pd.DataFrame, within: list[str], rule: str, action: str, severity: Severity) -> None:
        for source, part in rows.groupby("source", sort=False):
            ledger.flag(part, _overlapping(part, within), str(source), rule, action, severity)

    spells = tables["employment"][tables["employment"]["record"] == "spell"]
    named = spells[spells["employer"].notna()]
    tell(named, ["person_id", "employer"], "job spells with one employer that overlap", "a month counts once; hours are those of each spell",
         "warning")  # fmt: skip
    tell(spells, ["person_id"], "job spells of one person that overlap", "several jobs at once are normal", "note")
    tell(tables["benefits"], ["person_id", "benefit"], "spells of one benefit that overlap", "a month counts once", "warning")
    tell(tables["programmes"], ["person_id", "scheme"], "spells on one scheme that overlap", "a month counts once", "warning")
    known = residence.dropna(subset="resident_from")
    overlap = _overlapping(known, ["person_id"], "resident_from", "resident_to")
    ledger.note("residence", "spells of residence that overlap", overlap.sum(), len(known), "resident where one of them says so",
                severity="warning", unit="spells")  # fmt: skip


def _monthly(jobs: pd.DataFrame, pay: pd.DataFrame, ledger: Ledger) -> None:
    """What a monthly record says of itself."""
    for source, rows in jobs[jobs["record"] == "month"].groupby("source", sort=False):
        month, start, end = (rows["month"].to_numpy(dtype=np.int64), month_number(rows["start"]), month_number(rows["end"]))
        ledger.flag(rows, (start != NO_MONTH) & (start > month), str(source), "monthly record from before its job starts",
                    "the 16th decides: the month is not counted", "warning")  # fmt: skip
        ledger.flag(rows, (end != NO_MONTH) & (end < month), str(source), "monthly record from after its job has ended",
                    "the 16th decides: the month is not counted", "warning")  # fmt: skip
        if rows["basis"].notna().any():
            ledger.flag(rows, rows["basis"] == "1b", str(source), "job that Statistics Norway made from pay alone (basis 1b)",
                        "counts where the definition names 1b", "note")  # fmt: skip
            ledger.flag(rows, rows["basis"].isna(), str(source), "basis for counting as employed left blank",
                        "counts as if it were 1a", "warning")  # fmt: skip
    for source, rows in pay.groupby("source", sort=False):
        at_work = rows["basis"].isin(["1a", "1b", "2b", "2c", "4a"])
        ledger.note(str(source), "employed without pay in the month", ((rows["amount_ore"] <= 0) & at_work).sum(), int(at_work.sum()),
                    "kept: no pay is not the same as no work")  # fmt: skip
        ledger.note(str(source), "negative pay", (rows["amount_ore"] < 0).sum(), len(rows), "summed with the rest",
                    severity="warning")  # fmt: skip


def _outside_period(study: Study, tables: dict[str, pd.DataFrame], ledger: Ledger) -> None:
    """Spells that lie wholly outside what their delivery speaks for."""
    for table in ("employment", "benefits", "programmes"):
        for name, rows in tables[table].groupby("source", sort=False):
            period = study.sources[str(name)].period_numbers
            if period is None or (table == "employment" and (rows["record"] == "month").all()):
                continue
            start, end = month_number(rows["start"]), month_number(rows["end"])
            seen = np.concatenate([start[start != NO_MONTH], end[end != NO_MONTH]])
            latest = int(seen[seen <= period[1]].max(initial=period[0]))
            silent = max(period[1] - latest, 0) if len(rows) >= _TELLING and not (seen > period[1]).any() else 0
            ledger.note(str(name), "last months of the delivery's period in which nothing begins or ends",
                        silent if silent >= 12 else 0, period[1] - period[0] + 1,
                        "read as: nothing happened; does the delivery reach as far as the study file says?",
                        # of jobs something is always reported; schemes and benefits of a small study do come to an end
                        severity="severe" if table == "employment" else "warning", unit="months")  # fmt: skip
            out = (start > period[1]) | ((end != NO_MONTH) & (end < period[0]))
            ledger.flag(
                rows, out, str(name), "spell that lies wholly outside the delivery's period", "speaks for no month", "note"
            )


def _everywhere_or_not(
    study: Study, participants: pd.DataFrame, tables: dict[str, pd.DataFrame], keys: pd.DataFrame, ledger: Ledger
) -> None:  # fmt: skip
    """People with jobs whom the population register does not know."""
    for name in study.sources_of("people"):
        listed = set(keys.loc[keys["source"] == name, "person_id"])
        known = set(tables["people"]["person_id"])
        working = set(tables["employment"]["person_id"])
        ledger.note(name, "people with a job who are not in the population register", len(working - known), len(working),
                    "not observed where they stand on no list", severity="severe", unit="people")  # fmt: skip
        ledger.note(name, "people on the list whom the population register does not hold", len(listed - known), len(listed),
                    "alive as far as is known", severity="severe", unit="people")  # fmt: skip


def _late_reports(study: Study, ledger: Ledger) -> None:
    for name in study.sources_of("job_months"):
        source = study.sources[name]
        if source.period_numbers is None:
            continue
        number = source.period_numbers[1] - source.period_numbers[0] + 1
        if source.extracted is None:
            ledger.note(name, "the day of extraction is not stated", 1, 1, "late reports cannot be told from missing ones",
                        severity="warning", unit="sources")  # fmt: skip
            continue
        taken = calendar_month(source.extracted.year, source.extracted.month)
        fresh = max(0, min(number, source.period_numbers[1] + _SETTLED - taken + 1))
        ledger.note(name, f"months extracted less than {_SETTLED} months after they ended", fresh, number,
                    "reports may still be replaced", severity="warning", unit="months")  # fmt: skip
