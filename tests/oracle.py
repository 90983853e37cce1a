"""The rules once more, slowly: every cell of a synthetic study straight from its raw extract files.

Written from the page of rules, not from the package, and it imports nothing of it. Loops and dictionaries only.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import pyreadstat

MONTHS, HISTORY, STATUS_DAY = 43, 24, 16
AA_PERIOD = ((2011, 1), (2014, 12))
A_ORDNING_PERIOD = ((2015, 1), (2018, 12))
SUBTRACTING = {"MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR"}
REALLY_STARTED = {"DELTAR", "HAR_SLUTTET", "FULLFORT", "AVBRUTT"}
NOT_ORDINARY_TYPES = ("frilanser", "pensjon")
DEFINITIONS = {"ordinary": "strict", "ordinary_lenient": "lenient", "any_job": "keep"}
ARMS = {1: "ips", 2: "control"}


def plus(month: tuple[int, int], number: int) -> tuple[int, int]:
    """The calendar month a number of months later."""
    count = month[0] * 12 + month[1] - 1 + number
    return count // 12, count % 12 + 1


def month_from(text: str) -> tuple[int, int] | None:
    """201402 as (2014, 2); None for a month that does not exist."""
    year, month = int(text[:4]), int(text[4:])
    return (year, month) if len(text) == 6 and 1 <= month <= 12 else None


def day_from(text: str) -> date | None:
    """20140227 or 2014-02-27 as a date; None where nothing stands."""
    digits = text.strip().replace("-", "")
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if digits else None


def rows_of(path: Path) -> list[dict[str, str]]:
    """A semicolon-delimited file."""
    with path.open(encoding="latin-1", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def cell(row: dict[str, str], ending: str) -> str:
    """The column whose name ends so, whatever delivery prefix stands before it."""
    return next(str(value or "").strip() for name, value in row.items() if name.lower().endswith(ending.lower()))


def is_missing(value: object) -> bool:
    return value is None or value == "" or value != value


class Oracle:
    """Everything recomputed for one synthetic study folder.

    ``people``: person to arm and index month; ``cells``: (person, month) to a dictionary with ``observed``,
    ``reason`` and yes (True), no (False) or not known (None) for each definition; ``first_job``: person to a dictionary.
    """

    def __init__(self, folder: Path) -> None:
        self.extracts = Path(folder) / "extracts"
        self.lists: dict[str, dict[str, str]] = {}
        self.people: dict[str, dict] = {}
        self.deaths: dict[str, date] = {}
        self.residence: dict[str, list[tuple[date, date | None]]] = {}
        self.jobs: dict[tuple[str, tuple[int, int]], set[str]] = {}
        self.records: dict[tuple[str, tuple[int, int]], list[dict]] = {}
        self.employers: dict[str, set[str]] = {"aa": set(), "a": set()}
        self.files: set[tuple[int, int]] = set()
        self.schemes: dict[str, list[tuple[date, date, str]]] = {}
        self._read_trial()
        self._read_lists()
        self._read_population()
        self._read_aa_register()
        self._read_a_ordning()
        self._read_schemes()
        self.cells = {
            (person, month): self._cell(person, month) for person in self.people for month in range(-HISTORY, MONTHS + 1)
        }
        self.first_job = {person: self._first_job(person) for person in self.people}

    # ------------------------------------------------------------ the files

    def _read_trial(self) -> None:
        table, _ = pyreadstat.read_sav(str(self.extracts / "trial.sav"))
        for row in table.to_dict("records"):
            if row["status"] != 1:
                continue
            person, index = row["deltaker"], row["rand_dato"]
            if person in self.people and self.people[person]["index"] <= index:
                continue  # the first inclusion is kept
            arm = ARMS[int(row["gruppe"])] if "gruppe" in row else "all"
            self.people[person] = {"arm": arm, "index": index}

    def _read_lists(self) -> None:
        for name in ("lnr_aareg", "lnr_ameld", "lnr_befolkning", "lnr_tiltak"):
            self.lists[name] = {}
        for row in rows_of(self.extracts / "linkage.csv"):
            if row["deltaker"] in self.people:
                for name, keys in self.lists.items():
                    if row[name].strip():
                        keys[row[name].strip()] = row["deltaker"]

    def _read_population(self) -> None:
        keys = self.lists["lnr_befolkning"]
        for row in rows_of(self.extracts / "faste_opplysninger.csv"):
            died = day_from(cell(row, "doeds_dato"))
            if cell(row, "lnr") in keys and died is not None:
                self.deaths[keys[cell(row, "lnr")]] = died
        for row in rows_of(self.extracts / "f_demo.csv"):
            first, last = day_from(cell(row, "TILGDATO")), day_from(cell(row, "AVGDATO"))
            if cell(row, "lnr") in keys and first is not None and (last is None or last >= first):
                self.residence.setdefault(keys[cell(row, "lnr")], []).append((first, last))

    def _read_aa_register(self) -> None:
        keys = self.lists["lnr_aareg"]
        for row in rows_of(self.extracts / "f_jobber.csv"):
            employer = cell(row, "orgn_ref")
            self.employers["aa"].add(employer)
            first = month_from(cell(row, "tilgdato_mnd"))
            last = month_from(cell(row, "tomdato_mnd")) if cell(row, "tomdato_mnd") else AA_PERIOD[1]
            if cell(row, "lopenr_person") not in keys or first is None or last is None or last < first:
                continue
            month = max(first, AA_PERIOD[0])
            while month <= min(last, AA_PERIOD[1]):
                self.jobs.setdefault((keys[cell(row, "lopenr_person")], month), set()).add(employer)
                month = plus(month, 1)

    def _read_a_ordning(self) -> None:
        keys = self.lists["lnr_ameld"]
        for path in sorted(self.extracts.glob("ameld_statdata_*.dta")):
            found = re.search(r"_(\d{4})_m(\d{1,2})\.dta$", path.name)
            month = (int(found[1]), int(found[2]))
            self.files.add(month)
            day = date(*month, STATUS_DAY)
            table, _ = pyreadstat.read_dta(str(path))
            seen = set()
            for row in table.to_dict("records"):
                employer = row[next(name for name in row if name.endswith("lopenr_virksomhet"))]
                self.employers["a"].add(employer)
                person = keys.get(row[next(name for name in row if name.endswith("lopenr_person"))])
                start, end = row["arb_start"], row["arb_slutt"]
                # a row that says once more what another says is one row
                said = tuple("" if is_missing(v) else str(v) for v in row.values())
                if person is not None and said not in seen:
                    seen.add(said)
                    self._record(person, month, employer, row)
                counts = row["arb_syss"] in ("1a", "1b") and not row["arb_type"].startswith(NOT_ORDINARY_TYPES)
                counts = counts and start <= day and (is_missing(end) or (end >= day and end >= start))
                if person is not None and counts:
                    self.jobs.setdefault((person, month), set()).add(employer)

    def _record(self, person: str, month: tuple[int, int], employer: str, row: dict) -> None:
        """A record of the kinds and bases that count, with its pay and hours."""
        start, end = row["arb_start"], row["arb_slutt"]
        if row["arb_syss"] not in ("1a", "1b") or row["arb_type"].startswith(NOT_ORDINARY_TYPES):
            return
        if not is_missing(end) and end < start:
            return
        first, day, following = date(*month, 1), date(*month, STATUS_DAY), date(*plus(month, 1), 1)
        self.records.setdefault((person, month), []).append({
            "employer": employer, "some_day": start < following and (is_missing(end) or end >= first),
            "on_the_day": start <= day and (is_missing(end) or end >= day),
            "ore": 0 if is_missing(row["lonn_kontant"]) else round(row["lonn_kontant"] * 100),
            "hours": None if is_missing(row["arb_arbeidstid"]) or row["arb_arbeidstid"] <= 0 else row["arb_arbeidstid"],
        })  # fmt: skip

    def _read_schemes(self) -> None:
        keys = self.lists["lnr_tiltak"]
        for row in rows_of(self.extracts / "tiltak.csv"):
            person = keys.get(cell(row, "lopenr_person"))
            if person is None or row["tiltakskode"] not in SUBTRACTING or row["deltakerStatus"] not in REALLY_STARTED:
                continue
            first, last = day_from(row["startDato"]), day_from(row["sluttDato"]) or date(2018, 12, 31)
            if first <= last:
                self.schemes.setdefault(person, []).append((first, last, cell(row, "lopenr_virksomhet")))

    # ------------------------------------------------------------ the rules

    def _reason(self, person: str, calendar: tuple[int, int]) -> str:
        """Why the month is not observed, "" where it is."""
        day = date(*calendar, STATUS_DAY)
        if person in self.deaths and self.deaths[person] <= day:
            return "dead"
        # what the registers cannot know of that month is not said of it: one who left in 2016 may be back by 2019
        if calendar < AA_PERIOD[0]:
            return "before_source"
        if calendar > A_ORDNING_PERIOD[1]:
            return "after_extraction"
        spells = self.residence.get(person, [])
        if spells and not any(first <= day and (last is None or day <= last) for first, last in spells):
            return "abroad"
        # a month that nobody has comes before a list that this person is not on
        if calendar >= A_ORDNING_PERIOD[0] and calendar not in self.files:
            return "file_missing"
        job_list = self.lists["lnr_aareg" if calendar <= AA_PERIOD[1] else "lnr_ameld"]
        if not spells or person not in job_list.values():
            return "not_linked"
        return ""

    def _in_work(self, person: str, calendar: tuple[int, int], wage_subsidy: str) -> bool:
        employers = self.jobs.get((person, calendar), set())
        day = date(*calendar, STATUS_DAY)
        known = self.employers["aa" if calendar <= AA_PERIOD[1] else "a"]
        left = set(employers)
        for first, last, employer in self.schemes.get(person, []):
            if wage_subsidy == "keep" or not first <= day <= last:
                continue
            if employer and employer in known:
                left.discard(employer)
            elif wage_subsidy == "strict" or len(employers) == 1:
                left.clear()
        return bool(left)

    def _after_schemes(self, person: str, calendar: tuple[int, int], employers: set[str]) -> set[str]:
        """Employers that schemes leave, by the strict rule."""
        day, left = date(*calendar, STATUS_DAY), set(employers)
        for first, last, employer in self.schemes.get(person, []):
            if first <= day <= last:
                left = left - {employer} if employer and employer in self.employers["a"] else set()
        return left

    def _pay_and_hours(self, person: str, calendar: tuple[int, int], reason: str, works: bool | None) -> dict:
        """Øre in the month, and hours a week, of ordinary work; before a-ordningen nobody knows."""
        if reason or calendar < A_ORDNING_PERIOD[0]:
            return {"ore": None, "hours": None}
        own = self.records.get((person, calendar), [])
        payers = self._after_schemes(person, calendar, {r["employer"] for r in own if r["some_day"]})
        ore = sum(r["ore"] for r in own if r["employer"] in payers)
        if not works:
            return {"ore": ore, "hours": 0}
        left = self._after_schemes(person, calendar, {r["employer"] for r in own if r["on_the_day"]})
        hours = [r["hours"] for r in own if r["on_the_day"] and r["employer"] in left]
        return {"ore": ore, "hours": None if None in hours else sum(hours)}

    def _cell(self, person: str, month: int) -> dict:
        index = self.people[person]["index"]
        calendar = plus((index.year, index.month), month)
        reason = self._reason(person, calendar)
        answers = {name: None if reason else self._in_work(person, calendar, how) for name, how in DEFINITIONS.items()}
        amounts = self._pay_and_hours(person, calendar, reason, answers["ordinary"])
        return {"calendar": calendar, "observed": not reason, "reason": reason, **answers, **amounts}

    def _first_job(self, person: str, definition: str = "ordinary") -> dict:
        before = self.cells[person, 0]
        index, died = self.people[person]["index"], self.deaths.get(person)
        month_of_death = None if died is None else (died.year - index.year) * 12 + died.month - index.month
        # a death in month 0 counts in its month, on whichever side of the 16th; one before the index date is an error
        died_at_once = month_of_death == 0 and died >= index
        if before[definition] or (before[definition] is None and not died_at_once):
            return {"at_risk": False, "time": None, "event": None, "ended_by": None}
        if died_at_once:
            return {"at_risk": True, "time": 0, "event": 2, "ended_by": "death"}
        for month in range(1, MONTHS + 1):
            now = self.cells[person, month]
            if now[definition]:
                return {"at_risk": True, "time": month, "event": 1, "ended_by": "first_job"}
            if month == month_of_death:
                return {"at_risk": True, "time": month, "event": 2, "ended_by": "death"}
            if now[definition] is None:
                return {"at_risk": True, "time": month - 1, "event": 0, "ended_by": now["reason"]}
        return {"at_risk": True, "time": MONTHS, "event": 0, "ended_by": "end_of_follow_up"}

    # ----------------------------------------------------------- the counts

    def counts(self, definition: str) -> dict[tuple[str, int], tuple[int, int]]:
        """People observed and people in work, by arm and month 1 to 43."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for (person, month), now in self.cells.items():
            if month >= 1:
                arm = self.people[person]["arm"]
                n, events = found.get((arm, month), (0, 0))
                found[arm, month] = (n + (now[definition] is not None), events + (now[definition] is True))
        return found
