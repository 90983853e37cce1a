"""Every setting of a definition once more, slowly: one person and month at a time, day by day.

Written from the page of rules, not from the package, of which it imports nothing. It reads the plain rows of a `World`.
A verdict is True, False, None (open: a value is missing) or "silent" (no source can answer).
"""

from __future__ import annotations

import calendar
import csv
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

SUBTRACT = {"MIDLONTIL", "VARLONTIL", "VASV", "VATIAROR"}
PRACTICE = {"ARBTREN", "ARBFORB"}
#: What each layout of the tests can tell.
KNOWS_PAY = {"ameld_statdata"}
KNOWS_HOURS = {"ameld_statdata", "job_spells"}
JOB_LAYOUTS = {"ameld_statdata", "job_spells", "aa_jobs", "wide.toml"}
CAN_DELIVER = {"aap.toml": {"aap"}, "several.toml": {"aap", "sickness"}}
G_FILE = Path(__file__).parent.parent / "ips_outcomes" / "followup" / "grunnbelop.csv"

DEFAULTS: dict[str, Any] = {
    "month_rule": "status_day", "kinds": ["ordinary"], "basis": ["1a", "1b"], "minimum_weekly_hours": None,
    "minimum_monthly_pay_nok": None, "minimum_monthly_pay_g": None, "minimum_yearly_pay_g": None, "without_benefits": {},
    "benefits_not_above_inclusion": [], "wage_subsidy": "strict", "work_practice_subtracts": False,
    "if_unanswerable": "unknown", "or_education": False,
}  # fmt: skip

Month = tuple[int, int]


def plus(month: Month, count: int) -> Month:
    total = month[0] * 12 + month[1] - 1 + count
    return total // 12, total % 12 + 1


def days_of(month: Month) -> list[date]:
    return [date(*month, day) for day in range(1, calendar.monthrange(*month)[1] + 1)]


def g_in_nok(month: Month) -> int:
    """The last G that took effect by the month's first day."""
    with G_FILE.open(encoding="utf-8", newline="") as file:
        known = [(row["valid_from"], int(row["amount_nok"])) for row in csv.DictReader(file)]
    return max((day, amount) for day, amount in known if day <= date(*month, 1).isoformat())[1]


class DefinitionOracle:
    """One definition over one world."""

    def __init__(self, world: Any, **settings: Any) -> None:
        self.world = world
        self.rule = {**DEFAULTS, **settings}
        self.g: dict[Month, int] = {}

    # ------------------------------------------------------------ who is seen

    def looked_at(self, month: Month) -> list[date]:
        """The days on which somebody must be alive and resident."""
        return [date(*month, 16)] if self.rule["month_rule"] == "status_day" else days_of(month)

    def on_scheme_or_benefit_days(self, month: Month) -> list[date]:
        return days_of(month) if self.rule["month_rule"] == "any_day" else [date(*month, 16)]

    def on_list(self, person: str, feed: Any) -> bool:
        return feed.listed is None or person in feed.listed

    def speaks(self, person: str, name: str, month: Month) -> bool:
        feed = self.world.feeds[name]
        return self.on_list(person, feed) and month in feed.months()

    def is_blank(self, person: str, name: str, month: Month) -> bool:
        """A table with a column a month left the cell blank, and says nothing else of the person that month."""
        if self.world.feeds[name].layout != "wide.toml":
            return False
        own = [j for j in self.world.jobs if (j["person_id"], j["source"], j["month"]) == (person, name, month)]
        return bool(own) and all(j["kind"] == "unknown" for j in own)

    def job_sources(self, person: str, month: Month) -> list[str]:
        """Registers of jobs that say something of the person in the month."""
        names = [name for name, feed in self.world.feeds.items() if feed.layout in JOB_LAYOUTS]
        return [n for n in names if self.speaks(person, n, month) and not self.is_blank(person, n, month)]

    def reason(self, person: str, month: Month) -> str:
        died = self.world.deaths.get(person)
        days = self.looked_at(month)
        if died is not None and not any(day < died for day in days):
            return "dead"
        spells = self.world.residence(person)
        if not any(first <= day and (last is None or day <= last) for day in days for first, last in spells):
            return "abroad"
        if self.job_sources(person, month):
            return ""
        feeds = {name: feed for name, feed in self.world.feeds.items() if feed.layout in JOB_LAYOUTS}
        if month < min(feed.first for feed in feeds.values()):
            return "before_source"
        if month > max(feed.last for feed in feeds.values()):
            return "after_extraction"
        if not any(month in feed.months() for feed in feeds.values()):
            return "file_missing"
        return "blank" if any(self.speaks(person, name, month) for name in feeds) else "not_linked"

    # ------------------------------------------------------------ jobs

    def jobs(self, person: str, month: Month, any_day: bool = False, kinds: list[str] | None = None) -> list[dict]:
        """Jobs that count in the month, before any scheme is looked at."""
        found = []
        for job in self.world.jobs:
            feed = self.world.feeds[job["source"]]
            if job["person_id"] != person or month not in feed.months():
                continue
            if job["record"] == "month" and job["month"] != month:
                continue
            if job["kind"] not in (kinds or self.rule["kinds"]):
                continue
            if job["basis"] is not None and job["basis"] not in self.rule["basis"]:
                continue
            every_day = any_day or self.rule["month_rule"] == "any_day"
            every_day = every_day or (self.rule["month_rule"] == "paid_in_month" and feed.layout in KNOWS_PAY)
            days = days_of(month) if every_day else [date(*month, 16)]
            start, end = job["start"] or date.min, job["end"] or date.max
            if any(start <= day <= end for day in days):
                found.append(job)
        return found

    def schemes(self, person: str, month: Month) -> list[dict]:
        """Schemes that subtract, on the day."""
        codes = SUBTRACT | (PRACTICE if self.rule["work_practice_subtracts"] else set())
        return [
            s for s in self.world.schemes
            if s["person_id"] == person and s["scheme"] in codes and month in self.world.feeds[s["source"]].months()
            and any(s["start"] <= day <= (s["end"] or date.max) for day in self.on_scheme_or_benefit_days(month))
        ]  # fmt: skip

    def after_schemes(self, person: str, month: Month, jobs: list[dict]) -> tuple[list[dict], bool]:
        """Jobs that no scheme names, and whether the month is left standing."""
        if self.rule["wage_subsidy"] == "keep":
            return jobs, True
        used = self.world.employer_keys()
        named, nameless = set(), False
        for scheme in self.schemes(person, month):
            for job in jobs:
                # the keys of the register that the job stands in
                if scheme["employer"] is not None and scheme["employer"] in used[job["source"]]:
                    named.add(scheme["employer"])
                else:
                    nameless = True
        left = [job for job in jobs if job["employer"] is None or job["employer"] not in named]
        if not nameless:
            return left, True
        if self.rule["wage_subsidy"] == "strict":
            return left, False
        different = {(job["source"], job["employer"]) for job in jobs if job["employer"] is not None}
        alone = sum(job["employer"] is None for job in jobs)
        return left, len(different) + alone > 1

    def scheme_register_speaks(self, person: str, month: Month) -> bool:
        names = [name for name, feed in self.world.feeds.items() if feed.layout == "nav_schemes"]
        return any(self.speaks(person, name, month) for name in names)

    # ------------------------------------------------------------ pay

    def pay_is_known(self, person: str, month: Month) -> bool:
        return any(self.world.feeds[name].layout in KNOWS_PAY for name in self.job_sources(person, month))

    def pay(self, person: str, month: Month, jobs: list[dict]) -> int:
        """Whole øre paid by the employers of the jobs; pay without an employer counts with it."""
        employers = {job["employer"] for job in jobs}
        total = 0
        for row in self.world.pay:
            if (row["person_id"], row["month"]) != (person, month) or row["kind"] not in self.rule["kinds"]:
                continue
            if row["basis"] is not None and row["basis"] not in self.rule["basis"]:
                continue
            if row["employer"] is None or row["employer"] in employers:
                total += row["amount_ore"]
        return total

    def g_ore(self, month: Month) -> int:
        if month not in self.g:
            self.g[month] = 100 * g_in_nok(month)
        return self.g[month]

    def year_of_pay(self, person: str, m: int, month: Month) -> Any:
        if 1 <= m <= 11:
            return "silent"
        total, mean_g = 0, Fraction(0)
        for back in range(12):
            now = plus(month, -back)
            if self.reason(person, now) or not self.pay_is_known(person, now):
                return "silent"
            asks = self.rule["wage_subsidy"] != "keep" and self.rule["if_unanswerable"] == "unknown"
            if asks and not self.scheme_register_speaks(person, now):
                return "silent"
            left, stands = self.after_schemes(person, now, self.jobs(person, now, any_day=True))
            total += self.pay(person, now, left) if stands else 0
            mean_g += Fraction(self.g_ore(now), 12)
        return total >= Fraction(str(self.rule["minimum_yearly_pay_g"])) * mean_g

    # ------------------------------------------------------------ benefits

    def benefit_is_known(self, person: str, month: Month, benefit: str) -> bool:
        able = [name for name, feed in self.world.feeds.items() if benefit in CAN_DELIVER.get(feed.layout, ())]
        return any(self.speaks(person, name, month) for name in able)

    def degrees(self, person: str, month: Month, benefit: str) -> list[float | None]:
        """The degree of each spell on the day; None where the register does not say."""
        return [
            b["degree"] for b in self.world.benefits
            if b["person_id"] == person and b["benefit"] == benefit and month in self.world.feeds[b["source"]].months()
            and any(b["start"] <= day <= (b["end"] or date.max) for day in self.on_scheme_or_benefit_days(month))
        ]  # fmt: skip

    def without(self, person: str, month: Month, benefit: str, threshold: float) -> Any:
        if not self.benefit_is_known(person, month, benefit):
            return "silent"
        degrees = self.degrees(person, month, benefit)
        if threshold == 0:
            return not degrees
        if any(d is not None and d >= threshold for d in degrees):
            return False
        return None if None in degrees else True

    def not_above(self, person: str, month: Month, start: Month, benefit: str) -> Any:
        if not self.benefit_is_known(person, month, benefit) or not self.benefit_is_known(person, start, benefit):
            return "silent"
        if month == start:
            return True
        # an unknown degree may be any above nothing, up to 100
        tiny = Fraction(1, 10**12)
        possible = [Fraction(0), tiny, *(Fraction(d) for d in (20, 40, 50, 60, 80, 100))]

        def could_be(degrees: list[float | None]) -> set[Fraction]:
            known = max([Fraction(d) for d in degrees if d is not None], default=Fraction(0))
            if None not in degrees:
                return {known}
            return {max(known, d) for d in possible if d > 0}

        answers = {
            now <= then for now in could_be(self.degrees(person, month, benefit))
            for then in could_be(self.degrees(person, start, benefit))
        }  # fmt: skip
        return answers.pop() if len(answers) == 1 else None

    # ------------------------------------------------------------ the answer

    def of_the_job(self, person: str, month: Month) -> list[Any]:
        """What the month's own job records say."""
        rule = self.rule
        jobs = self.jobs(person, month)
        left, stands = self.after_schemes(person, month, jobs)
        verdicts: list[Any] = [bool(left)]
        asks = rule["minimum_monthly_pay_nok"], rule["minimum_monthly_pay_g"]
        if rule["month_rule"] == "paid_in_month" or any(part is not None for part in asks):
            if self.pay_is_known(person, month):
                paid = self.pay(person, month, left)
                verdicts.append(paid > 0)
                if asks[0] is not None:
                    verdicts.append(paid >= Fraction(str(asks[0])) * 100)
                if asks[1] is not None:
                    verdicts.append(paid >= Fraction(str(asks[1])) * self.g_ore(month) / 12)
            else:
                verdicts.append("silent")
        if rule["minimum_weekly_hours"] is not None:
            if any(self.world.feeds[n].layout in KNOWS_HOURS for n in self.job_sources(person, month)):
                known = sum(Fraction(str(job["weekly_hours"])) for job in left if job["weekly_hours"] is not None)
                untold = any(job["weekly_hours"] is None for job in left)
                enough = known >= Fraction(str(rule["minimum_weekly_hours"]))
                verdicts.append(True if enough else None if untold else False)
            else:
                verdicts.append("silent")
        if rule["wage_subsidy"] != "keep":
            verdicts.append(stands if self.scheme_register_speaks(person, month) else "silent")
        # a record whose kind was left blank may be the one that is lacking
        if self.jobs(person, month, kinds=["unknown"]):
            verdicts = [None if verdict is False else verdict for verdict in verdicts]
        return verdicts

    def attends(self, person: str, month: Month) -> Any:
        """On a course on the day; silent where no delivery of courses speaks for the person's month."""
        names = [name for name, feed in self.world.feeds.items() if feed.layout == "nudb_kurs"]
        if not any(self.speaks(person, name, month) for name in names):
            return "silent"
        return any(
            course["person_id"] == person and month in self.world.feeds[course["source"]].months()
            and any(course["start"] <= day <= (course["end"] or date.max) for day in self.on_scheme_or_benefit_days(month))
            for course in self.world.courses
        )  # fmt: skip

    def answer(self, person: str, m: int) -> bool | None:
        work = self.work(person, m)
        start = (self.world.people[person].year, self.world.people[person].month)
        month = plus(start, m)
        if not self.rule["or_education"] or self.reason(person, month):
            return work
        course = self.attends(person, month)
        # what no source could have told is unknown of everybody, or only those with a yes would be known
        if self.rule["if_unanswerable"] == "unknown" and (course == "silent" or "silent" in self.verdicts(person, m)):
            return None
        return True if course is True else work

    def verdicts(self, person: str, m: int) -> list[Any]:
        """Of every rule on jobs and benefits: met, not met, open, or silent."""
        start = (self.world.people[person].year, self.world.people[person].month)
        month = plus(start, m)
        verdicts = self.of_the_job(person, month)
        if self.rule["minimum_yearly_pay_g"] is not None:
            verdicts.append(self.year_of_pay(person, m, month))
        for benefit, threshold in self.rule["without_benefits"].items():
            verdicts.append(self.without(person, month, benefit, threshold))
        for benefit in self.rule["benefits_not_above_inclusion"]:
            verdicts.append(self.not_above(person, month, start, benefit))
        return verdicts

    def work(self, person: str, m: int) -> bool | None:
        """The answer of the jobs alone."""
        start = (self.world.people[person].year, self.world.people[person].month)
        if self.reason(person, plus(start, m)):
            return None
        verdicts = self.verdicts(person, m)
        if "silent" in verdicts and self.rule["if_unanswerable"] == "unknown":
            return None
        if any(verdict is False for verdict in verdicts):
            return False
        return None if any(verdict is None for verdict in verdicts) else True

    # ------------------------------------------------------------ pay and hours

    def pay_of_month(self, person: str, m: int) -> int | None:
        """Whole øre in the month, of jobs of the kinds and bases that count, on whatever day, without what schemes take."""
        start = (self.world.people[person].year, self.world.people[person].month)
        month = plus(start, m)
        if self.reason(person, month) or not self.pay_is_known(person, month):
            return None
        asks = self.rule["wage_subsidy"] != "keep" and self.rule["if_unanswerable"] == "unknown"
        if asks and not self.scheme_register_speaks(person, month):
            return None
        for row in self.world.pay:
            # what was paid for a job of no known kind may be pay that counts
            blank = (row["person_id"], row["month"], row["kind"]) == (person, month, "unknown") and row["amount_ore"] != 0
            if blank and (row["basis"] is None or row["basis"] in self.rule["basis"]):
                return None
        left, stands = self.after_schemes(person, month, self.jobs(person, month, any_day=True))
        return self.pay(person, month, left) if stands else 0

    def hours_of_month(self, person: str, m: int) -> Fraction | None:
        """Weekly hours of the jobs behind a yes; nothing at a no; both only where a register of hours speaks."""
        start = (self.world.people[person].year, self.world.people[person].month)
        month, works = plus(start, m), self.work(person, m)
        if works is None or not any(self.world.feeds[n].layout in KNOWS_HOURS for n in self.job_sources(person, month)):
            return None
        if not works:
            return Fraction(0)
        left, _ = self.after_schemes(person, month, self.jobs(person, month))
        hours = [job["weekly_hours"] for job in left]
        if None in hours or self.jobs(person, month, kinds=["unknown"]):
            return None
        return sum((Fraction(str(h)) for h in hours), Fraction(0))

    def amounts(self) -> dict[tuple[str, int], tuple[float | None, float | None, float | None]]:
        """Kroner, kroner in twelfths of that month's G, and hours a week."""
        found = {}
        for person, day in self.world.people.items():
            for m in range(-self.world.history, self.world.months + 1):
                pay, hours = self.pay_of_month(person, m), self.hours_of_month(person, m)
                in_g = None if pay is None else float(Fraction(12 * pay, self.g_ore(plus((day.year, day.month), m))))
                found[person, m] = (
                    None if pay is None else float(Fraction(pay, 100)),
                    in_g,
                    None if hours is None else float(hours),
                )
        return found

    def answers(self) -> dict[tuple[str, int], bool | None]:
        months = range(-self.world.history, self.world.months + 1)
        return {(person, m): self.answer(person, m) for person in self.world.people for m in months}

    def reasons(self) -> dict[tuple[str, int], str]:
        found = {}
        for person, day in self.world.people.items():
            for m in range(-self.world.history, self.world.months + 1):
                found[person, m] = self.reason(person, plus((day.year, day.month), m))
        return found
