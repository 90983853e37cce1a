"""What no single part of a study file can know about the others."""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from typing import get_args

from pydantic import ValidationError

from ips_outcomes.errors import Problem
from ips_outcomes.months import parse_month
from ips_outcomes.study.conditions import BASELINE_COLUMNS
from ips_outcomes.study.layout import CONSTANTS, OF_NOBODY, ROLES, WORDS, Benefit, Layout, builtin_layouts, load_layout
from ips_outcomes.study.model import RESERVED, Source, Study
from ips_outcomes.study.pointing import Add, Lines, as_problem, lines_of, place_of
from ips_outcomes.study.services import printed
from ips_outcomes.study.subgroup_checks import OF_ESTIMATES, check_conditions, check_subgroup_analysis, check_subgroup_sources

__all__ = ["crosswise"]


def crosswise(study: Study, file: str, lines: Lines, left_out: set[tuple[str, ...]]) -> list[Problem]:
    """What no single part of the study file can know about the others.

    Nothing is said about parts that were left out because they are wrong in
    themselves, nor about what their absence brings.
    """
    problems: list[Problem] = []

    def add(location: tuple[str | int, ...], rule: str, remedy: str) -> None:
        written = tuple(map(str, location))
        if not any(written[: len(part)] == part for part in left_out):
            problems.append(Problem(file, rule, remedy, place_of(location, lines)))

    layouts: dict[str, Layout] = {}
    for name, source in study.sources.items():
        layout, faults = _layout_of(study, name, add)
        problems += faults
        if layout is None:
            continue
        # other faults of the source are told too, against the layout as it stands
        layouts[name] = layout
        if _check_changes(source, name, layout, add):
            try:
                layouts[name] = source.adapt(layout)
            except ValidationError as error:
                add(("sources", name, "wide"), str(error.errors()[0].get("ctx", {}).get("error", "the pattern does not fit")),
                    "mend the pattern")  # fmt: skip
    for name, layout in layouts.items():
        _check_source(study, name, layout, add)
    if len(layouts) == len(study.sources) and not any(part[0] == "sources" and len(part) <= 2 for part in left_out):
        _check_sources_together(study, layouts, add)
    for name in study.keys:
        if name not in study.sources and ("sources", name) not in left_out:
            add(("keys", name), "these keys belong to no source", "remove them, or add the source")
    named: dict[tuple[str, ...], str] = {("primary_definition",): study.primary_definition}
    if study.states is not None:
        named |= {("states", name, "employed"): rule.employed for name, rule in study.states.rules.items() if rule.employed}
    for place, definition in named.items():
        if definition not in study.employed and ("employed", definition) not in left_out:
            add(place, "this is not one of [employed.*]", f"choose one of: {', '.join(study.employed)}")
    # levels stand beside the columns of participants, and in tables of estimates
    taken = RESERVED | OF_ESTIMATES | {*ROLES["participants"]} | {"index_month"}
    for table, names, reserved in (("employed", study.employed, RESERVED), ("subgroups", study.subgroups, taken)):
        for name in sorted(names.keys() & reserved):
            add((table, name), "this name is taken by a column of the package", "choose another name")
    check_conditions(study, left_out, add)
    check_subgroup_analysis(study, left_out, add)
    if study.design == "one_arm" and study.reference is not None:
        add(("design",), "a study of one arm has no arms to compare", 'say "randomised" or "comparison", or name one arm')
    for name in sorted(study.employed.keys() & study.subgroups.keys()):
        add(("subgroups", name), "a definition of employed has this name too", "choose another name")
    strange = [name for name in study.published.compare_with if name not in printed()] if study.published else []
    if strange:
        add(("published", "compare_with"), f"no published rate is called {', '.join(strange)}", f"known: {', '.join(printed())}")
    profiles = resources.files("ips_outcomes") / "reporting" / "profiles"
    if not (profiles / f"{study.disclosure.profile}.toml").is_file():
        known = sorted(p.name.removesuffix(".toml") for p in profiles.iterdir() if p.name.endswith(".toml"))
        add(("disclosure", "profile"), "there is no such profile", f"known profiles: {', '.join(known)}")
    return problems


def _check_sources_together(study: Study, layouts: dict[str, Layout], add: Add) -> None:
    tables = [layout.table for layout in layouts.values()]
    if tables.count("participants") != 1:
        add(("sources",), "exactly one source lists the participants", "give one source a participants layout")
    else:
        check_subgroup_sources(study, layouts, add)
    _check_benefits(study, layouts, add)
    _check_crossover(study, set(tables), add)
    if study.follow_up.education == "register" and not _delivers(layouts, "highest"):
        add(("follow_up", "education"), "no source says which education people have",
            'add a source of highest education, or say education = "trial"')  # fmt: skip
    if not {"jobs", "job_months"} & set(tables):
        add(("sources",), "no source says who has a job", "add a job register")
    if study.follow_up.residence == "register" and "residence" not in tables:
        add(("follow_up", "residence"), "there is no residence source",
            'add one, or say residence = "assumed"')  # fmt: skip
    for name, definition in study.employed.items():
        subtracts = definition.wage_subsidy != "keep"
        if subtracts and definition.if_unanswerable == "unknown" and "programmes" not in tables:
            # without this, every month of the definition would be unknown
            add(("employed", name, "wage_subsidy"), "no source says who is on a scheme, so a wage subsidy cannot be subtracted",
                'add a source of schemes, or say wage_subsidy = "keep", or if_unanswerable = "skip"')  # fmt: skip


def _check_crossover(study: Study, tables: set[str], add: Add) -> None:
    """A start that nothing could show; only what the study file says itself is checked."""
    plan = study.crossover
    if plan is None:
        return
    if "schemes" in plan.model_fields_set and plan.schemes and "programmes" not in tables:
        add(("crossover", "schemes"), "no source says who is on a scheme",
            "add a source of schemes, or say schemes = [] and name records")  # fmt: skip
    if plan.records and "services" not in tables:
        add(("crossover", "records"), "no source holds records of the service", "add one, or leave records out")
    known = (*BASELINE_COLUMNS, *study.subgroups)
    strange = [name for name in plan.weights if name not in known]
    if strange:
        add(("crossover", "weights"), f"not known at inclusion: {', '.join(strange)}", f"possible: {', '.join(known)}")


def _check_states(study: Study, layouts: dict[str, Layout], delivered: set[str], add: Add) -> None:
    """A state that nobody could be found in, because nothing says who is."""
    if study.states is None:
        return
    tables = {layout.table for layout in layouts.values()}
    for name, rule in study.states.rules.items():
        if rule.schemes is not None and "programmes" not in tables:
            add(
                ("states", name, "schemes"),
                "no source says who is on a scheme",
                "add a source of schemes, or leave the state out",
            )
        if rule.course and not _delivers(layouts, "course"):
            add(
                ("states", name, "course"),
                "no source says who attends a course",
                "add a source of courses, or leave the state out",
            )
        missing = [kind for kind in rule.benefits or () if kind not in delivered]
        if missing:
            add(("states", name, "benefits"), f"no source delivers {', '.join(missing)}",
                "add a source of the benefit, or leave it out of the state")  # fmt: skip


def _check_source(study: Study, name: str, layout: Layout, add: Add) -> None:
    source = study.sources[name]
    for column, spec in layout.columns.items():
        if spec.required and not spec.name and column not in source.columns:
            add(("sources", name, "columns", column), f"the layout needs to know which column holds {column}",
                f'add columns.{column} = "..."')  # fmt: skip
    _check_period(source, name, layout, add)
    _check_rows_and_ends(source, name, layout, add)
    if _needs_period(layout) and source.period is None:
        add(("sources", name, "period"), "the study must say which months this delivery covers",
            'add period = ["2015-01", "2018-12"]')  # fmt: skip
    if layout.table in OF_NOBODY and name in study.keys:
        add(("keys", name), "this delivery holds no people, and so no keys", "remove them")
    elif layout.table not in ("participants", *OF_NOBODY) and name not in study.keys:
        add(("keys", name), "the study does not say how people are matched to this delivery",
            f"add [keys.{name}] with its linkage file")  # fmt: skip
    if layout.table == "participants" and study.arms and "arm" not in source.columns and not _named(layout, "arm"):
        add(("sources", name, "columns", "arm"), "the study has arms, but no column holds the arm",
            'add columns.arm = "..."')  # fmt: skip
    codes = source.values.get("arm") or (layout.columns["arm"].codes if "arm" in layout.columns else {})
    if layout.table == "participants" and study.arms and codes:
        strangers = sorted(set(study.arms.labels) - set(codes.values()))
        if strangers:
            add(("arms", "labels"), f"no code in values.arm gives: {', '.join(strangers)}",
                "make the names in values.arm and arms.labels the same")  # fmt: skip


def _named(layout: Layout, column: str) -> bool:
    return column in layout.columns and bool(layout.columns[column].name)


def _layout_of(study: Study, name: str, add: Add) -> tuple[Layout | None, list[Problem]]:
    """The layout of a source; where it is a file of the study's own, its faults by line."""
    called = study.sources[name].layout
    place = ("sources", name, "layout")
    try:
        return load_layout(called, study.folder), []
    except (FileNotFoundError, IsADirectoryError):
        close = difflib.get_close_matches(called, builtin_layouts(), n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        remedy = f"{hint}known layouts: {', '.join(builtin_layouts())}; or name a .toml file of your own"
        add(place, "there is no such layout", remedy)
    except ValidationError as error:
        lines = lines_of((study.folder / called).read_text(encoding="utf-8"))
        faults = [as_problem(called, details, lines, Layout) for details in error.errors()]
        add(place, "the layout file is not a layout", f"mend {called}; the command layouts shows how one looks")
        return None, faults
    except UnicodeDecodeError:
        add(place, "the layout file is not readable as TOML", "save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        add(place, f"the layout file is not readable as TOML: {error}", "mend the line, and save the file as UTF-8")
    return None, []


def _check_changes(source: Source, name: str, layout: Layout, add: Add) -> bool:
    """Whether what the study says about a layout's columns can be said of this layout."""
    sound = True

    def wrong(location: tuple[str, ...], rule: str, remedy: str) -> None:
        nonlocal sound
        sound = False
        add(("sources", name, *location), rule, remedy)

    for table in ("columns", "values", "missing", "dates"):
        for column in getattr(source, table):
            if column not in layout.columns:
                close = difflib.get_close_matches(column, layout.columns, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(layout.columns)}"
                wrong((table, column), "the layout has no such column", hint)
            elif table == "dates" and layout.columns[column].type != "date":
                wrong((table, column), "this column is not a date", f"it is read as {layout.columns[column].type}")
    for role, constant in source.constants.items():
        if role != CONSTANTS.get(layout.table):
            possible = CONSTANTS.get(layout.table)
            remedy = f"possible here: constants.{possible}" if possible else "leave it out"
            wrong(("constants", role), f"rows of {layout.table} have no such constant", remedy)
        elif role in source.columns or role in source.values:
            wrong(("constants", role), "this is said both as a constant and as a column", "keep one of them")
        elif constant not in WORDS.get((layout.table, role), (constant,)):
            wrong(("constants", role), f"{role} cannot be {constant}", f"possible: {', '.join(WORDS[layout.table, role])}")
    for role, codes in source.values.items():
        known = WORDS.get((layout.table, role))
        if known and (strange := sorted(set(codes.values()) - set(known))):
            wrong(("values", role), f"{role} cannot mean {', '.join(strange)}", f"possible: {', '.join(known)}")
    if source.wide is not None and layout.wide is None:
        wrong(("wide",), "the layout has no columns that repeat by month or year", "leave it out, or choose a wide layout")
    return sound


def _needs_period(layout: Layout) -> bool:
    """Whether absence from the delivery says something, so that the months it speaks for must be known.

    A level of education is held until the next one, and a year of income
    speaks for itself: these need no period.
    """
    absence_speaks = {"jobs", "job_months", "programmes", "residence", "benefits", "services"}
    return layout.table in absence_speaks or layout.constants.get("record") == "course"


def _check_period(source: Source, name: str, layout: Layout, add: Add) -> None:
    """Months before a register begins or after it ends are not observed, and not months without a record."""
    if source.period_numbers is None:
        return
    first, last = source.period_numbers
    too_early = layout.first_month is not None and first < parse_month(layout.first_month)
    too_late = layout.last_month is not None and last > parse_month(layout.last_month)
    if too_early or too_late:
        known = f"from {layout.first_month or 'the start'} to {layout.last_month or 'now'}"
        add(("sources", name, "period"), f"the layout knows this register {known}",
            "shorten the period, or use a copy of the layout with other months if the delivery differs")  # fmt: skip


def _check_rows_and_ends(source: Source, name: str, layout: Layout, add: Add) -> None:
    for column, kept in layout.rows.items():
        if not kept and column not in source.rows:
            add(("sources", name, "rows"), f"the study must say which rows count, by {column}", f'add rows.{column} = ["..."]')
    technical = layout.columns.get("technical_end")
    if source.spell_end == "technical" and not (technical and (technical.name or "technical_end" in source.columns)):
        add(("sources", name, "spell_end"), "the layout has no technical end",
            'say spell_end = "reported", or choose a layout that has one')  # fmt: skip
    if layout.table == "benefits" and "benefit" not in {*layout.constants, *layout.columns, *source.constants}:
        add(("sources", name, "constants", "benefit"), "nothing says which benefit this is", 'add constants.benefit = "aap"')


def _check_benefits(study: Study, layouts: dict[str, Layout], add: Add) -> None:
    """A definition that looks at a benefit which no source delivers would never say anything."""
    delivered: set[str] = set()
    for name, layout in layouts.items():
        if layout.table != "benefits":
            continue
        column = layout.columns.get("benefit")
        codes = study.sources[name].values.get("benefit") or (column.codes if column else {})
        constant = layout.constants.get("benefit")
        # without a list of codes, the file itself says it in the package's words
        delivered |= {constant} if constant else set(codes.values()) or set(get_args(Benefit))
    for label, definition in study.employed.items():
        for key in ("without_benefits", "benefits_not_above_inclusion"):
            for benefit in getattr(definition, key):
                if benefit not in delivered:
                    add(("employed", label, key, benefit), f"no source delivers {benefit}",
                        "add one, or leave the benefit out of the definition")  # fmt: skip
        if definition.or_education and not _delivers(layouts, "course"):
            add(("employed", label, "or_education"), "no source says who attends a course",
                "add a source of courses, or leave education out of the definition")  # fmt: skip
    _check_states(study, layouts, delivered, add)


def _delivers(layouts: dict[str, Layout], record: str) -> bool:
    """Whether some source of education holds courses, or levels."""
    return any(layout.table == "education" and layout.constants.get("record") == record for layout in layouts.values())
