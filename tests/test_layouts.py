"""Layouts as data: every file holds what the package can read, and a new register is a new file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT
from pydantic import ValidationError
from small_study import job, write_small_study

import ips_outcomes as ips
from ips_outcomes.cli import main
from ips_outcomes.study.describing import layouts_page
from ips_outcomes.study.layout import CONSTANTS, ROLES, WORDS, Layout, builtin_layouts, load_layout

NAMES = builtin_layouts()

#: What issue 3 asks for, by the table that it feeds.
ASKED = {
    "jobs": {"aa_jobs", "f_sys", "aareg_dated", "job_spells"},
    "job_months": {"ameld_statdata", "arblonn", "month_table"},
    "benefits": {"f_aap", "f_ufp", "f_pensj_ufp", "f_tu", "f_sp", "f_arbsok", "f_shj", "f_kvalif", "f_attf", "benefit_spells"},
    "education": {"nudb_bu", "bu_wide", "nudb_kurs", "course_spells"},
    "income": {"inntekt", "inntekt_wide"},
    "people": {"faste_opplysninger", "faste_opplysninger_mnd", "befolkning"},
    "residence": {"f_demo"},
    "programmes": {"nav_schemes"},
    "services": {"services", "redcap_repeats"},
    "centre_measures": {"centre_measures"},
    "participants": {"trial", "redcap_trial"},
}


def layout(**changes: object) -> Layout:
    """A small layout of benefits, changed."""
    column = {"type": "key", "meaning": "x"}
    date = {"type": "date", "meaning": "x"}
    whole = {"title": "x", "table": "benefits", "kind": "EVENT", "knowledge": "x", "certainty": "assumed",
             "constants": {"benefit": "aap"}, "columns": {"person_key": column, "start": date, "end": date}}  # fmt: skip
    return Layout.model_validate({**whole, **changes})


# ------------------------------------------------------------- the files that come with the package


def test_every_register_asked_for_has_its_file() -> None:
    assert {table: {name for name in NAMES if load_layout(name).table == table} for table in ASKED} == ASKED
    assert sorted(NAMES) == sorted(set().union(*ASKED.values()))


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_says_where_its_knowledge_comes_from(name: str) -> None:
    known = load_layout(name)
    assert len(known.knowledge) > 30
    assert known.certainty in ("verified", "secondary", "derived", "assumed")
    for role, column in known.columns.items():
        assert role in ROLES[known.table]
        assert column.meaning, role
        assert (column.type == "number") == bool(column.unit) or role == "value", role
        if role == "person_key":
            assert column.type == "key" and column.required
        if (known.table, role) in WORDS and column.name:
            assert column.type == "code" and column.codes, role
    # memory is never shown as fact: where a knowledge text says assumed, so does a column or the file
    if "assumed" in known.knowledge:
        assert "assumed" in {known.certainty, *(column.certainty for column in known.columns.values())}


@pytest.mark.parametrize("name", [n for n in NAMES if load_layout(n).table == "benefits"])
def test_a_layout_of_benefits_says_which_benefit(name: str) -> None:
    known = load_layout(name)
    column = known.columns.get("benefit")
    assert ("benefit" in known.constants) != (column is not None and column.required)


def test_two_deliveries_of_one_key_are_found_by_suffix() -> None:
    for name in ("f_aap", "f_shj", "nudb_bu", "bu_wide", "inntekt", "faste_opplysninger"):
        key = load_layout(name).columns["person_key"]
        assert key.match == "suffix" and "lnr" in (key.name, *key.aliases)


def test_the_registers_months_stand_in_their_files() -> None:
    months = {name: (load_layout(name).first_month, load_layout(name).last_month) for name in NAMES}
    assert months["f_sys"] == ("1992-01", "2003-12")
    assert months["aa_jobs"] == ("2004-01", "2014-12")
    assert months["ameld_statdata"] == months["arblonn"] == ("2015-01", None)
    assert months["f_aap"] == ("2010-03", None)
    assert months["f_ufp"] == ("1992-01", "2010-12")
    assert (load_layout("f_ufp").open_end, load_layout("f_pensj_ufp").open_end) == ("drop", "open")


def test_codes_of_the_public_code_mean_what_it_keeps() -> None:
    def meant(name: str, role: str, *codes: str) -> list[str | None]:
        return [load_layout(name).columns[role].codes.get(code) for code in codes]

    assert meant("f_ufp", "benefit", "19", "20", "21", "22") == ["none", "disability", "disability", "none"]
    assert meant("f_sp", "benefit", "9", "10", "60", "61", "90", "91") == ["none", *["sickness"] * 2, "none", "sickness", "none"]
    assert meant("f_sys", "kind", "1", "01", "19", "20", "99") == ["ordinary"] * 3 + ["none"] * 2
    assert meant("f_arbsok", "benefit", "DP", "ID", "HL") == ["unemployment", "individual_support", None]
    assert meant("f_attf", "benefit", "10", "13", "14") == ["rehabilitation", "rehabilitation", "none"]
    assert meant("month_table", "kind", "1", "0", "") == ["ordinary", "none", None]
    assert meant("nudb_kurs", "completed", "8", "2") == ["yes", "no"]


def test_teaching_files_have_microdata_no_s_names_and_dates() -> None:
    delivered, taught = load_layout("ameld_statdata").columns, load_layout("arblonn").columns
    for role, column in taught.items():
        # days since 1960 and days since 1970 never share a layout
        assert (column.name in delivered[role].aliases) == (column.type != "date" and role != "employer"), role
    assert {taught[role].dates for role in ("start", "end")} == {"unix_days"}
    assert {delivered[role].dates for role in ("start", "end")} == {"stata"}


@pytest.mark.parametrize("name, month", [
    ("work_2015_01", ("2015", "01")), ("201512", ("2015", "12")), ("jobb2015m1", ("2015", "1")), ("Work2015M10", ("2015", "10")),
    ("2015-01", ("2015", "01")), ("work_20151", None), ("work_201513", None), ("aap_201501", None), ("2015", None),
])  # fmt: skip
def test_names_of_months_in_a_wide_table(name: str, month: tuple[str, str] | None) -> None:
    found = re.fullmatch(load_layout("month_table").wide.pattern, name)
    assert (found and (found["year"], found["month"])) == month


# ------------------------------------------------------------- what a file cannot say


@pytest.mark.parametrize("changes, said", [
    ({"columns": {"person_key": {"type": "key", "meaning": "x"}}}, "cannot do without start, end"),
    ({"constants": {"measure": "contact"}}, "constants of benefits cannot be measure"),
    ({"constants": {"benefit": "AAP"}}, "benefit cannot mean AAP"),
    ({"first_month": "2015"}, "2015"),
    ({"wide": {"pattern": r"(\d{4})", "becomes": "start"}}, "named group year"),
    ({"wide": {"pattern": "(", "becomes": "start"}}, "not a pattern"),
    ({"wide": {"pattern": r"(?P<year>\d{4})", "becomes": "nus"}}, "not a column of the layout"),
    ({"table": "income", "constants": {}}, "income has no start, end"),
])  # fmt: skip
def test_a_file_that_no_table_can_be_fed_by(changes: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        layout(**changes)


@pytest.mark.parametrize("column, said", [
    ({"codes": {"1": "aap", "0-3": "none"}}, "two meanings"),
    ({"codes": {"9-1": "aap"}}, "ends before it starts"),
    ({"codes": {"1": "work"}}, "benefit cannot mean work"),
    ({"codes": {"1": "aap"}, "valid_from": {"2": "2012-01"}}, "not one of the codes"),
    ({"codes": {"1": "aap"}, "valid_from": {"1": "2012"}}, "2012"),
])  # fmt: skip
def test_codes_that_contradict_themselves(column: dict, said: str) -> None:
    columns = {**layout().columns, "benefit": {"type": "code", "meaning": "x", **column}}
    with pytest.raises(ValidationError, match=re.escape(said)):
        layout(columns=columns, constants={})


def test_a_constant_takes_its_column_s_place() -> None:
    generic = load_layout("benefit_spells")
    changed = generic.adapted({"benefit": "rehabilitation"}, {"start": "yyyymmdd"})
    assert "benefit" not in changed.columns and changed.constants == {"benefit": "rehabilitation"}
    assert (changed.columns["start"].dates, changed.columns["end"].dates) == ("yyyymmdd", "iso")
    assert generic.adapted({}, {}) == generic


# ------------------------------------------------------------- study files, checked before any data is read


def added(folder: Path, sources: str, **options: str) -> Path:
    """A small study with further sources; no file of theirs is ever read."""
    path = write_small_study(folder, **options)
    names = re.findall(r"\[sources\.(\w+)\]", sources)
    (folder / "data.csv").write_text("person_key\n", encoding="utf-8")
    keys = "".join(f"\n[keys.{name}]\ncarries_participant_key = true\n" for name in names)
    path.write_text(path.read_text(encoding="utf-8") + sources + keys, encoding="utf-8")
    return path


def source(layout: str, *lines: str, period: str = 'period = ["2011-01", "2018-12"]') -> str:
    """A further source called more."""
    return "\n" + "\n".join(["[sources.more]", f'layout = "{layout}"', 'files = "data.csv"', period, *lines]) + "\n"


SOUND = [
    source("f_aap", 'spell_end = "technical"', 'dates.start = "yyyymmdd"'),
    source("f_arbsok", 'rows.hovedarbstat = ["HL"]'),
    source("benefit_spells", 'constants.benefit = "rehabilitation"'),
    source("bu_wide", period=""),
    source("inntekt", 'constants.income = "work"', 'columns.amount = "WYRKINNT"', period=""),
    source("inntekt_wide", r"wide = 'L(?P<year>\d{4})'", period=""),
    source("nudb_kurs"),
    source("services", 'constants.measure = "contact"'),
    source("redcap_repeats", 'rows.redcap_repeat_instrument = ["contact"]', 'columns.date = "contact_date"'),
    source("month_table"),
]


@pytest.mark.parametrize("more", SOUND, ids=lambda text: re.search('"(.*?)"', text)[1])
def test_new_sources_are_accepted(tmp_path: Path, more: str) -> None:
    study = ips.load_study(added(tmp_path, more))
    assert study.layouts["more"].table == load_layout(study.sources["more"].layout).table


FAULTS = [
    (source("f_aap", period=""), "sources.more.period", "which months"),
    (source("nudb_kurs", period=""), "sources.more.period", "which months"),
    (source("services", period=""), "sources.more.period", "which months"),
    (source("f_aap", period='period = ["2009-01", "2018-12"]'), "sources.more.period", "from 2010-03 to now"),
    (source("f_sp", period='period = ["2011-01", "2020-12"]'), "sources.more.period", "from 1992-01 to 2019-12"),
    (source("f_sp", 'spell_end = "technical"'), "sources.more.spell_end", "no technical end"),
    (source("f_aap", 'columns.strat = "x"'), "sources.more.columns.strat", "did you mean start?"),
    (source("f_aap", 'missing.degree = ["x"]'), "sources.more.missing.degree", "no such column"),
    (source("f_aap", 'dates.begin = "iso"'), "sources.more.dates.begin", "no such column"),
    (source("f_aap", 'dates.person_key = "iso"'), "sources.more.dates.person_key", "not a date"),
    (source("f_aap", 'dates.start = "julian"'), "sources.more.dates.start", "'iso'"),
    (source("f_aap", 'constants.measure = "x"'), "sources.more.constants.measure", "possible here: constants.benefit"),
    (source("benefit_spells", 'constants.benefit = "AAP"'), "sources.more.constants.benefit", "cannot be AAP"),
    (source("benefit_spells", 'constants.benefit = "aap"', 'columns.benefit = "x"'), "sources.more.constants.benefit", "keep one"),
    (source("benefit_spells", 'values.benefit = { A = "work" }'), "sources.more.values.benefit", "cannot mean work"),
    (source("f_aap", r"wide = '(?P<year>\d{4})'"), "sources.more.wide", "no columns that repeat"),
    (source("month_table", r"wide = '(?P<year>\d{4})'"), "sources.more.wide", "the group month"),
    (source("bu_wide", "wide = 'BU_'"), "sources.more.wide", "named group year"),
    (source("f_aap", "rows.KODE = []"), "sources.more.rows.KODE", "at least 1"),
    (source("redcap_repeats", 'columns.date = "x"'), "sources.more.rows", 'add rows.redcap_repeat_instrument = ["..."]'),
    (source("redcap_repeats", 'rows.redcap_repeat_instrument = ["x"]'), "sources.more.columns.date", "which column holds date"),
]  # fmt: skip


@pytest.mark.parametrize("more, place, said", FAULTS)
def test_faults_of_new_sources_are_told_with_their_line(tmp_path: Path, more: str, place: str, said: str) -> None:
    path = added(tmp_path, more)
    with pytest.raises(ips.StudyError) as caught:
        ips.load_study(path)
    (problem,) = caught.value.problems
    number, key = re.fullmatch(r"line (\d+), (.*)", problem.place).groups()
    assert key == place and said in f"{problem.rule} {problem.remedy}"
    assert path.read_text(encoding="utf-8").splitlines()[int(number) - 1].startswith(("[sources.more]", place.split(".")[2]))


@pytest.mark.parametrize("more, ordinary, faults", [
    ("", "without_benefits = { aap = 0 }", ["without_benefits"]),
    (source("f_aap"), "without_benefits = { aap = 0 }", []),
    (source("f_aap"), 'benefits_not_above_inclusion = ["disability"]', ["benefits_not_above_inclusion"]),
    (source("f_arbsok"), "without_benefits = { unemployment = 0, individual_support = 0, sickness = 0 }", ["without_benefits"]),
    (source("benefit_spells", 'values.benefit = { A = "sickness" }'), "without_benefits = { aap = 0, sickness = 50 }",
     ["without_benefits"]),
])  # fmt: skip
def test_a_benefit_that_no_source_delivers_is_told(tmp_path: Path, more: str, ordinary: str, faults: list[str]) -> None:
    path = added(tmp_path, more, ordinary=ordinary)
    if not faults:
        assert ips.load_study(path).employed["ordinary"].without_benefits == {"aap": 0}
        return
    with pytest.raises(ips.StudyError) as caught:
        ips.load_study(path)
    assert [problem.place.split(".")[2] for problem in caught.value.problems] == faults
    assert "no source delivers" in str(caught.value)


def test_education_of_the_register_needs_a_source_of_the_highest(tmp_path: Path) -> None:
    with pytest.raises(ips.StudyError, match="which education people have"):
        ips.load_study(added(tmp_path / "a", source("nudb_kurs"), follow_up='education = "register"'))
    path = added(tmp_path / "b", source("bu_wide", period=""), follow_up='education = "register"')
    assert ips.load_study(path).follow_up.education == "register"


def test_spark_needs_no_address(tmp_path: Path) -> None:
    assert ips.load_study(added(tmp_path / "a", '\n[engine]\nname = "spark"\n')).engine.master is None
    with pytest.raises(ips.StudyError, match="belongs to name"):
        ips.load_study(added(tmp_path / "b", '\n[engine]\nmaster = "local[2]"\n'))


# ------------------------------------------------------------- a new register is a new file


OWN = """
title = "Jobs of a county's own register"
table = "jobs"
kind = "EVENT"
knowledge = "The county's own description of 1 March."
certainty = "verified"
source_system = "county"

[columns.person_key]
name = "hvem"
type = "key"
required = true
meaning = "The participant's key"

[columns.start]
name = "fra"
type = "date"
dates = "yyyymm_first"
required = true
meaning = "First month"

[columns.end]
name = "til"
type = "date"
dates = "yyyymm_last"
required = true
meaning = "Last month"

[columns.kind]
name = "slag"
type = "code"
required = true
meaning = "Kind of job"

[columns.kind.codes]
1-3 = "ordinary"
9 = "none"
"""


def own_register(folder: Path, text: str) -> Path:
    more = source("county.toml").replace("data.csv", "county.csv")
    path = added(folder, more, people=["P1", "P2"], jobs=[job("P2", "2013-01-01", "2013-02-01")])
    (folder / "county.toml").write_text(text, encoding="utf-8")
    (folder / "county.csv").write_text("hvem;fra;til;slag\nP1;201306;201308;2\nP2;201306;201308;9\n", encoding="utf-8")
    return path


def test_a_new_register_is_a_new_file(tmp_path: Path) -> None:
    """No line of code: the file alone makes the county's jobs count, and its code 9 no job."""
    cohort = ips.load_cohort(ips.load_study(own_register(tmp_path, OWN)))
    months = ips.follow_up(cohort).person_months
    worked = {
        person: months[(months["person_id"] == person) & months["ordinary"].eq(True)]["month"].tolist() for person in ("P1", "P2")
    }
    # included in March 2013: June to August are months 3 to 5, January is month -2
    assert worked == {"P1": [3, 4, 5], "P2": [-2]}


@pytest.mark.parametrize("old, new, line, said", [
    ('type = "key"', 'type = "kay"', 'type = "kay"', "allowed: 'key'"),
    ('dates = "yyyymm_first"', 'date = "x"', "date = ", "did you mean dates?"),
    ('meaning = "First month"\n', "", "[columns.start]", "add meaning"),
    ('9 = "none"', '3 = "none"', "[columns.kind.codes]", "two meanings"),
    ('9 = "none"', '9 = "nothing"', None, "kind cannot mean nothing"),
    ("[columns.end]", "[columns.slutt]", None, "jobs has no slutt"),
])  # fmt: skip
def test_faults_of_one_s_own_layout_are_told_with_their_line(tmp_path: Path, old: str, new: str, line: str, said: str) -> None:
    text = OWN.replace(old, new, 1)
    with pytest.raises(ips.StudyError) as caught:
        ips.load_study(own_register(tmp_path, text))
    outer, inner = sorted(caught.value.problems, key=lambda problem: problem.file != "study.toml")
    assert "sources.more.layout" in outer.place and inner.file == "county.toml"
    assert said in f"{inner.rule} {inner.remedy}"
    if line is not None:
        number = int(re.match(r"line (\d+)", inner.place)[1])
        assert text.splitlines()[number - 1].startswith(line)


# ------------------------------------------------------------- the command and the page


def test_the_command_lists_and_describes_layouts(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["layouts"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()].count("f_aap") == 1
    assert len(listed.output.splitlines()) == len(NAMES)
    described = CliRunner().invoke(main, ["layouts", "f_sp"]).output
    assert "10-60, 90 = sickness" in described and "Exists: from 1992-01 to 2019-12" in described
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    assert "county's own" in CliRunner().invoke(main, ["layouts", str(tmp_path / "own.toml")]).output
    (tmp_path / "own.toml").write_text(OWN + "foo = 1\n", encoding="utf-8")
    for name, said in (("f_app", "did you mean f_aap?"), (str(tmp_path / "own.toml"), "line 38, columns.kind.codes.foo")):
        refused = CliRunner().invoke(main, ["layouts", name])
        assert refused.exit_code == 1 and said in refused.stderr


def test_the_page_of_layouts_is_written_from_the_files() -> None:
    page = (ROOT / "docs" / "layouts.md").read_text(encoding="utf-8")
    assert page == layouts_page(), "run python scripts/layout_docs.py"
    assert all(f"\n## {name}\n" in page for name in NAMES)
    assert set(CONSTANTS) < set(ROLES)
