"""The report: from a study file to internal/ and release/, whole or not at all."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ips_outcomes._version import __version__
from ips_outcomes.folders import whole_folder
from ips_outcomes.followup import FollowUp
from ips_outcomes.loaders import Cohort
from ips_outcomes.reporting import chapters, narrative
from ips_outcomes.reporting.estimands import Estimand, Terms, as_table, head_of
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.for_whom_tables import for_whom_tables, for_whom_words
from ips_outcomes.reporting.gallery import Plan, draw_all, plan_figures
from ips_outcomes.reporting.gate import through_gate
from ips_outcomes.reporting.page import Drawn, render
from ips_outcomes.reporting.provenance import inputs
from ips_outcomes.reporting.results import Results, compute_results
from ips_outcomes.reporting.steps import Tell, put_on_clocks, read_extracts
from ips_outcomes.reporting.suppression import Profile, load_profile
from ips_outcomes.reporting.tables import Shown, all_tables, csv_tables
from ips_outcomes.reporting.words import words
from ips_outcomes.reporting.writing import write_csv, write_json
from ips_outcomes.study import Study, as_study

__all__ = ["write_report"]

#: Packages whose versions can change a number or a picture.
_VERSIONED = ("numpy", "pandas", "scipy", "formulaic", "lifelines", "matplotlib", "pyreadstat", "pandera", "pydantic")


def write_report(study: Study | str | Path, out: str | Path, progress: Tell | None = None) -> Path:
    """Run a study and write its report.

    Parameters
    ----------
    study : Study, str or pathlib.Path
        A study from `load_study`, or the path of its file.
    out : str or pathlib.Path
        Folder to write. It appears whole or not at all; an earlier report
        there is replaced only when the new one is ready, and only if it is
        still just as it was written.
    progress : callable, optional
        Called with a short sentence at the start of each step.

    Returns
    -------
    pathlib.Path
        The page of ``release/``. ``internal/`` beside it holds what has not
        passed the disclosure gate.

    Raises
    ------
    StudyError, DataError
        As `load_study` and `load_cohort`.
    UnsupportedError
        If ``out`` holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from ips_outcomes import simulate_study, write_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = write_report(simulate_study(f"{folder}/study", participants=60), f"{folder}/report")
    ...     page.name, sorted(p.name for p in page.parent.iterdir())
    ('report.html', ['figures', 'manifest.json', 'report.html', 'tables'])
    """
    tell, out = progress or (lambda _: None), Path(out)
    clock = _Clock(tell)
    study = as_study(study, clock)
    with whole_folder(out, "report") as work:
        cohort = read_extracts(study, clock, detail=tell)
        followed = put_on_clocks(cohort, clock)
        clock("Computing the answers")
        results = replace(compute_results(cohort, followed), chapters=chapters.ask(study, cohort, followed))
        say = words(study.language)
        profile = load_profile(study.disclosure.profile)
        released = through_gate(
            results, profile, say, study.arm_labels, horizons=study.follow_up.landmarks, reference=study.reference,
            question=study.subgroup_plan,
        )  # fmt: skip
        released = replace(released, chapters=chapters.release(results.chapters, profile, say))
        clock("Drawing and writing internal/")
        facts = _provenance(study, cohort, followed, profile)
        drawn = _write_side(work / "internal", study, results, profile, "internal", None)
        clock("Drawing and writing release/")
        # where nothing was hidden, the pictures are the same
        _write_side(work / "release", study, released, profile, "release", drawn if profile.threshold == 0 else None)
        clock.stop()
        write_json({**facts, "made": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": clock.seconds,
                    "rows": _rows(results)}, work / "internal" / "manifest.json")  # fmt: skip
        write_json({**facts, "rows": _rows(released)}, work / "release" / "manifest.json")
    return out / "release" / "report.html"


class _Clock:
    """Tells each step and keeps how long it took."""

    def __init__(self, tell: Tell):
        self.tell, self.seconds = tell, dict[str, float]()
        self._name, self._since = "", time.monotonic()

    def __call__(self, name: str) -> None:
        self.stop()
        self._name, self._since = name, time.monotonic()
        self.tell(name)

    def stop(self) -> None:
        if self._name:
            self.seconds[self._name] = round(time.monotonic() - self._since, 3)


def _provenance(study: Study, cohort: Cohort, followed: FollowUp, profile: Profile) -> dict[str, Any]:
    return {
        "ips_outcomes": __version__,
        **inputs(study),
        "seed": study.seed,
        "engine": "in memory (pandas and numpy)",
        "disclosure_profile": profile.name,
        "python": platform.python_version(),
        "platform": sys.platform,
        "packages": {name: metadata.version(name) for name in _VERSIONED},
        "person_months": len(followed.person_months),
    }


def _rows(results: Results) -> list[dict[str, Any]]:
    table = results.reconciliation.astype(object).where(results.reconciliation.notna(), None)
    return table.to_dict("records")


def _canvas(study: Study, *, narrow: bool = False) -> Canvas:
    return Canvas(words(study.language), study.arm_labels, narrow)


def _write_side(
    folder: Path,
    study: Study,
    results: Results,
    profile: Profile,
    audience: str,
    drawn: dict[str, tuple[Plan, dict[str, bytes], Drawn]] | None,
) -> dict[str, tuple[Plan, dict[str, bytes], Drawn]]:
    """One folder: page, figures with their tables, tables."""
    (folder / "figures").mkdir(parents=True)
    alone = chapters.person_level()
    for name, table in csv_tables(results).items():
        # a table of single people stands beside its figure, in internal/
        if name not in alone:
            write_csv(table, folder / "tables" / f"{name}.csv")
    canvas = _canvas(study)
    blocks = chapters.estimands(Terms(study, results, canvas))
    write_csv(as_table(blocks, canvas.words), folder / "tables" / "estimands.csv")
    drawn = drawn or _draw(study, results)
    if audience != "internal":
        drawn = {name: made for name, made in drawn.items() if name not in alone}
    for name, (plan, files, _) in drawn.items():
        write_csv(plan.table, folder / "figures" / f"{name}.csv")
        for kind, content in files.items():
            (folder / "figures" / f"{name}.{kind}").write_bytes(content)
    page = _page(study, results, profile, audience, {name: shown for name, (_, _, shown) in drawn.items()}, blocks)
    (folder / "report.html").write_text(page, encoding="utf-8", newline="\n")
    return drawn


def _draw(study: Study, results: Results) -> dict[str, tuple[Plan, dict[str, bytes], Drawn]]:
    wide, narrow = _canvas(study), _canvas(study, narrow=True)
    made = {}
    planned = [("", plan) for plan in plan_figures(study, results, wide)]
    for chapter in chapters.CHAPTERS:
        if chapter.name in results.chapters:
            planned += [(chapter.name, plan) for plan in chapter.plans(study, results.chapters[chapter.name], wide)]
    pictures = draw_all([plan for _, plan in planned], wide, narrow)
    for (name, plan), (files, size, small) in zip(planned, pictures, strict=True):
        shown = Drawn(plan.name, plan.caption, plan.alt, files["svg"], small["svg"], size, name)
        made[plan.name] = (plan, files, shown)
    return made


def _page(
    study: Study, results: Results, profile: Profile, audience: str, drawn: dict[str, Drawn], blocks: list[Estimand]
) -> str:
    say, canvas = words(study.language), _canvas(study)
    tables = {**all_tables(study, results, canvas), **for_whom_tables(study, results, canvas)}
    sections = _sections(study, results, profile, canvas, tables, drawn)
    order = [p.name for s in sections for p in s["parts"] if isinstance(p, Drawn)]
    contents = [("findings", say("section.findings")), ("estimand", say("section.estimand"))]
    contents += [(s["id"], s["title"]) for s in sections]
    contents += [
        ("estimands", say("section.estimands")),
        ("references", say("section.references")),
        ("reproduce", say("section.reproduce")),
    ]
    return render(
        say=say, title=study.title, question=study.question, audience=audience, synthetic=study.synthetic,
        banner=say(f"page.{audience}_banner", profile=profile.title.lower()), contents=contents,
        cards=narrative.cards(study, results, canvas), plain=narrative.plain_words(study, results, canvas),
        alerts=narrative.alerts(results, canvas),
        head=head_of(blocks, say), estimands=blocks, sections=sections, references=narrative.references(results),
        numbers_of={name: i for i, name in enumerate(order, start=1)}, version=__version__,
        command=say("reproduce.command", file=study.file),
    )  # fmt: skip


def _sections(
    study: Study, results: Results, profile: Profile, canvas: Canvas, tables: dict[str, Shown], drawn: dict[str, Drawn]
) -> list[dict[str, Any]]:
    """The page's sections; a part that this study does not have is left out, not shown empty."""
    say = canvas.words

    def section(id_: str, title: str, pictures: list[str], shown: list[str], folded: list[str], intro: list[str] | None = None
                ) -> dict[str, Any]:  # fmt: skip
        parts: list[Drawn | Shown] = [drawn[p] for p in pictures if p in drawn]
        parts += [tables[t] for t in shown if t in tables]
        return {"id": id_, "title": title, "parts": parts, "intro": intro or [],
                "folded": [(tables[t].caption, tables[t]) for t in folded if t in tables]}  # fmt: skip

    landmarks = say("section.landmarks" if results.contrasts is not None else "section.landmarks_one")
    made = [
        section("flow", say("section.flow"), ["flow"], [], ["flow"]),
        section("baseline", say("section.baseline"), [], ["baseline"], []),
        section("employment", say("section.employment"), ["employment", "difference"], [], []),
        section("landmarks", landmarks, [], ["contrasts", "landmarks", "sensitivity"], []),
        section("first-job", say("section.first_job"), ["first_job"], ["first_job", "gained", "curve_tests", "hazard"], ["ended"]),
        section("subgroups", say("section.subgroups"), ["subgroup_forest"], ["interactions", "subgroup_effects"], ["subgroups"],
                for_whom_words(study, results, canvas)),
        section("observation", say("section.observation"), ["observation"], [], []),
        section("quality", say("section.quality"), [], ["quality"], ["reconciliation"]),
        section("methods", say("section.methods"), [], [], ["definitions", "settings"],
                narrative.methods(study, results, canvas, profile)),
    ]  # fmt: skip
    for id_, name in (("baseline", "balance"), ("subgroups", "subgroup_curves")):
        # pictures that stand under their section's tables
        if name in drawn:
            next(s for s in made if s["id"] == id_)["parts"].append(drawn[name])
    for chapter in chapters.CHAPTERS:
        if chapter.name not in results.chapters:
            continue
        answers = results.chapters[chapter.name]
        own, names = chapter.tables(study, answers, canvas), [d.name for d in drawn.values() if d.section == chapter.name]
        tables = {**tables, **own}
        shown = [name for name in own if name not in chapter.folded]
        place = chapters.place_after(chapter.after, [s["id"] for s in made])
        made.insert(place, section(chapter.name, say(f"section.{chapter.name}"), names, shown, list(chapter.folded),
                                   chapter.sentences(study, answers, canvas)))  # fmt: skip
    return [s for s in made if s["parts"] or s["folded"] or s["intro"]]
