"""Subgroups as structured conditions: who is in which level, and what a study file may not ask."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from small_study import write_small_study

import ips_outcomes as ips
from ips_outcomes.analysis.modifiers import columns_needed, modifiers
from ips_outcomes.estimates import COMMON_COLUMNS
from ips_outcomes.loaders.participants import completed_upper_secondary, education_level
from ips_outcomes.reporting.codebook import codebook
from ips_outcomes.reporting.condition_words import condition_words, heading
from ips_outcomes.reporting.words import words
from ips_outcomes.study.conditions import UNKNOWN, Condition, Subgroup, bind, subgroup_levels
from ips_outcomes.study.subgroup_checks import OF_ESTIMATES

YOUNG = Subgroup(label="Young", label_other="Older", column="age", at_least=18, at_most=30)
LOW = Subgroup(label="Low", label_other="Completed", column="upper_secondary", values=("not_completed",))


def levels(subgroup: Subgroup, **columns: list) -> list[str]:
    return subgroup_levels(pd.DataFrame(columns), subgroup).tolist()


def combined(kind: str, *members: object) -> Subgroup:
    return Subgroup(label="yes", label_other="no", **{kind: members})


# ------------------------------------------------------ unknown, by hand

ANSWERS = {"yes": "y", "no": "n", "Unknown": None}
#: Kleene's strong tables: unknown unless the other answer decides.
AND = {("yes", "yes"): "yes", ("yes", "no"): "no", ("no", "no"): "no", ("no", "Unknown"): "no", ("yes", "Unknown"): "Unknown",
       ("Unknown", "Unknown"): "Unknown"}  # fmt: skip
OR = {("yes", "yes"): "yes", ("yes", "no"): "yes", ("no", "no"): "no", ("no", "Unknown"): "Unknown", ("yes", "Unknown"): "yes",
      ("Unknown", "Unknown"): "Unknown"}  # fmt: skip


@pytest.mark.parametrize(("kind", "table"), [("all_of", AND), ("any_of", OR)])
@pytest.mark.parametrize(("one", "other"), list(product(ANSWERS, ANSWERS)))
def test_answers_combine_as_in_kleenes_tables(kind: str, table: dict, one: str, other: str) -> None:
    group = combined(kind, {"column": "a", "values": ["y"]}, {"column": "b", "values": ["y"]})
    expected = table.get((one, other), table.get((other, one)))
    assert levels(group, a=[ANSWERS[one]], b=[ANSWERS[other]]) == [expected]


def test_young_and_no_upper_secondary_by_hand() -> None:
    group = Subgroup(label="Young, low", label_other="Others", all_of=[YOUNG, LOW])
    age = [18, 30, 31, None, None, None, 25]
    school = ["not_completed", "completed", "not_completed", "completed", "not_completed", None, None]
    # unknown age, school completed: whatever the age is, the answer is no
    expected = ["Young, low", "Others", "Others", "Others", UNKNOWN, UNKNOWN, UNKNOWN]
    assert levels(group, age=age, upper_secondary=school) == expected
    union = Subgroup(label="Either", label_other="Neither", any_of=[YOUNG, LOW])
    expected = ["Either", "Either", "Either", UNKNOWN, "Either", UNKNOWN, "Either"]
    assert levels(union, age=age, upper_secondary=school) == expected


def test_the_opposite_of_unknown_is_unknown() -> None:
    opposite = combined("all_of", {"column": "age", "at_most": 30, "negate": True})
    assert levels(opposite, age=[30, 31, None]) == ["no", "yes", UNKNOWN]
    twice = combined("all_of", {"all_of": [{"column": "age", "at_most": 30, "negate": True}], "negate": True})
    assert levels(twice, age=[30, 31, None]) == ["yes", "no", UNKNOWN]


def test_conditions_nest_as_deep_as_one_likes() -> None:
    # at every second depth the opposite: forty of them are even, so that the answer is the innermost one
    member: dict = {"column": "age", "at_most": 30}
    for _ in range(40):
        member = {"any_of": [{"all_of": [member]}], "negate": True}
    deep = combined("all_of", member)
    assert levels(deep, age=[30, 31, None]) == ["yes", "no", UNKNOWN]
    mixed = combined("all_of", {"any_of": [{"column": "age", "at_most": 20}, {"column": "age", "at_least": 60}]},
                     {"column": "sex", "values": ["man"]})  # fmt: skip
    assert levels(mixed, age=[20, 40, 60, None, None], sex=["man", "man", "woman", "woman", "man"]) == [
        "yes", "no", "no", "no", UNKNOWN,
    ]  # fmt: skip


def test_names_of_subgroups_are_looked_up() -> None:
    both = combined("all_of", "young", {"subgroup": "low", "negate": True})
    study = bind({"both": both, "young": YOUNG, "low": LOW})
    assert study["both"].columns == ("age", "upper_secondary")
    assert study["both"].rule == "(18 <= age <= 30) and (not (upper_secondary is not_completed))"
    school = ["completed", "not_completed", None]
    assert levels(study["both"], age=[20, 20, 20], upper_secondary=school) == ["yes", "no", UNKNOWN]
    assert study["young"] == YOUNG
    with pytest.raises(ips.UnsupportedError, match="names the subgroup young, which is not known here"):
        levels(both, age=[20], upper_secondary=["completed"])


# --------------------------------------------------------- bands and values

BANDS = Subgroup(column="age", breaks=(18, 31, 46))


def test_bands_at_their_edges_by_hand() -> None:
    assert BANDS.labels == ("Under 18", "18-30", "31-45", "46 and over")
    assert BANDS.reference_label == "46 and over"
    expected = ["Under 18", "18-30", "18-30", "31-45", "31-45", "46 and over", "46 and over", UNKNOWN]
    assert levels(BANDS, age=[17, 18, 30, 31, 45, 46, 90, None]) == expected
    assert levels(BANDS, age=[30.9, 31.0]) == ["18-30", "31-45"]


def test_names_of_bands() -> None:
    assert Subgroup(column="age", breaks=(18, 19)).labels == ("Under 18", "18", "19 and over")
    assert Subgroup(column="score", breaks=(0.5, 2)).labels == ("Under 0.5", "0.5 to under 2", "2 and over")
    own = Subgroup(column="age", breaks=(31,), labels=("Young", "Older"), reference="Young", label="Age")
    assert (own.labels, own.reference_label, own.title) == (("Young", "Older"), "Young", "Age")
    assert levels(own, age=[30, 31]) == ["Young", "Older"]


def test_each_value_is_a_level_in_its_natural_order() -> None:
    centres = Subgroup(column="centre", levels="each", reference="B")
    table = pd.DataFrame({"centre": ["B", "A", None, "A"]})
    assert subgroup_levels(table, centres).tolist() == ["B", "A", UNKNOWN, "A"]
    assert centres.labels_in(table) == ("A", "B")
    assert centres.reference_in(("A", "B")) == "B"
    numbers = Subgroup(column="education_level", levels="each")
    table = pd.DataFrame({"education_level": pd.array([10, 2, None, 2], dtype="Int64")})
    assert numbers.labels_in(table) == ("2", "10")
    assert numbers.labels_in(table.astype(float)) == ("2", "10")
    assert numbers.reference_in(("2", "10")) == "2"


def test_the_reference_is_a_level_that_somebody_is_in() -> None:
    table = pd.DataFrame({"age": [20, 40, 25]})
    found = modifiers(table, table, {"bands": BANDS})[0]
    # nobody is 46 or older: the last band with people takes its place
    assert found.levels == ("18-30", "31-45") and found.levels[found.reference] == "31-45"
    named = Subgroup(column="age", breaks=(18, 31, 46), reference="Under 18")
    with pytest.raises(ips.UnsupportedError, match="nobody is in Under 18"):
        modifiers(table, table, {"bands": named})
    assert modifiers(table, table, {"bands": named}, {"bands": "18-30"})[0].reference == 0
    centres = pd.DataFrame({"centre": ["B", "A", "C"]})
    own = modifiers(centres, centres, {"centre": Subgroup(column="centre", levels="each", reference="C")})[0]
    assert (own.levels, own.reference) == (("A", "B", "C"), 2)


# --------------------------------------------------- completed upper secondary

CODES = {"001101": "n", "099901": "n", "99901": "n", "101101": "n", "201199": "n", "301105": "n", "401101": "y", "501101": "y",
         "601101": "y", "751908": "y", "841101": "y", "901101": None, "999999": None, "": None, None: None}  # fmt: skip


def test_completed_is_level_4_to_8_and_unknown_stays_unknown() -> None:
    codes = pd.Series(list(CODES), dtype=object)
    table = pd.DataFrame({"upper_secondary": completed_upper_secondary(education_level(codes))})
    group = Subgroup(label="y", label_other="n", column="upper_secondary", values=("completed",))
    assert subgroup_levels(table, group).tolist() == [answer or UNKNOWN for answer in CODES.values()]


SCHOOL = """
[subgroups.low]
label = "Not completed"
label_other = "Completed"
column = "upper_secondary"
values = ["not_completed"]

[subgroups.young]
label = "Young"
label_other = "Older"
column = "age"
at_most = 30

[subgroups.both]
label = "Young, not completed"
label_other = "Others"
all_of = [{ subgroup = "low" }, { subgroup = "young" }]

[subgroups.bands]
column = "age"
breaks = [31, 46]

[subgroups.school_level]
column = "education_level"
levels = "each"
"""
REGISTER = """
[sources.bu]
layout = "bu_wide"
files = "bu.csv"
delimiter = ";"

[keys.bu]
carries_participant_key = true
"""


def test_the_register_says_who_completed_by_inclusion(tmp_path: Path) -> None:
    # inclusion in March 2013: the status of October 2013 came later and is not looked at
    people = [{"person": "P1", "education": "401101", "birth": "199001"}, {"person": "P2", "education": "201101"},
              {"person": "P3", "education": "301101", "birth": ""}, {"person": "P4", "education": ""}]  # fmt: skip
    path = write_small_study(tmp_path, people=people, months=12, follow_up='education = "register"', employed=SCHOOL + REGISTER)
    rows = [
        "lnr;BU_2011;BU_2012;BU_2013",
        "P1;301101;301101;401101",
        "P2;301101;451101;451101",
        "P3;999999;;401101",
        "P4;99901;;",
    ]
    (tmp_path / "bu.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    followed = ips.follow_up(ips.load_cohort(ips.load_study(path)))
    found = followed.baseline.set_index("person_id")[["low", "young", "both", "bands", "school_level"]]
    assert found.loc["P1"].tolist() == ["Not completed", "Young", "Young, not completed", "Under 31", "3"]
    assert found.loc["P2"].tolist() == ["Completed", "Older", "Others", "31-45", "4"]
    # the register knows nothing before inclusion: the trial's level stands
    assert found.loc["P3"].tolist() == ["Not completed", UNKNOWN, UNKNOWN, UNKNOWN, "3"]
    assert found.loc["P4"].tolist() == ["Not completed", "Older", "Others", "31-45", "0"]
    book = {entry.column: entry for entry in codebook(followed)["baseline"]}
    assert book["both"].meaning == "Subgroup: Young, not completed ((upper_secondary is not_completed) and (age <= 30))"
    assert book["bands"].values == "Under 31; 31-45; 46 and over; Unknown"
    assert (book["school_level"].meaning, book["school_level"].values) == (
        "Subgroup: education level (each value of education_level)",
        "0; 3; 4; Unknown",
    )
    # the same condition in Python, by the study's names and by itself
    again = {"mine": Subgroup(label="In", label_other="Out", all_of=["young", LOW])}
    assert columns_needed(followed, again) == ["age", "upper_secondary"]
    mine = modifiers(followed, followed.baseline, again)[0]
    assert [mine.levels[code] for code in mine.codes] == ["In", "Out", UNKNOWN, "Out"]
    with pytest.raises(ips.UnsupportedError, match="known only after inclusion; comparing people sorted by what happened later"):
        columns_needed(followed, "ordinary")


# ------------------------------------------------------- words for readers


def test_conditions_in_words() -> None:
    say = words("en")
    both = bind({"young": YOUNG, "both": Subgroup(label="Both", label_other="Others", any_of=[
        {"subgroup": "young", "negate": True}, {"column": "sex", "values": ["man"]}])})["both"]  # fmt: skip
    assert heading(both, say) == "Both (not (Age, years: 18 to 30) or (Sex: man))"
    assert condition_words(both.any_of[0], say) == "not (Age, years: 18 to 30)"
    assert heading(BANDS, say) == "Age, years, cut at 18, 31, 46"
    assert heading(Subgroup(label="Where", column="centre", levels="each"), say) == "Where (Centre, each value)"
    assert Subgroup(column="centre", levels="each").rule == "each value of centre"
    assert BANDS.rule == "age cut at 18, 31, 46"


def test_who_chose_a_cut() -> None:
    assert YOUNG.cut and BANDS.cut and combined("any_of", LOW, YOUNG).cut
    assert not LOW.cut and not Subgroup(column="centre", levels="each").cut
    assert bind({"young": YOUNG, "x": combined("all_of", "young")})["x"].cut


# ------------------------------------------------------------ plain tables


def test_a_plain_table_may_have_columns_of_its_own() -> None:
    table = pd.DataFrame({"nodegree": [1, 0, np.nan], "married": [True, False, True], "score": [0.4, 1.2, np.nan]})
    for values in (table["nodegree"], table["nodegree"].astype("Int64"), table["nodegree"].astype(object),
                   table["nodegree"].astype("category")):  # fmt: skip
        found = subgroup_levels(
            table.assign(nodegree=values), Subgroup(label="y", label_other="n", column="nodegree", values=[1])
        )
        assert found.tolist() == ["y", "n", UNKNOWN]
    assert levels(Subgroup(label="y", label_other="n", column="married", values=[True]), married=[True, False, None]) == [
        "y",
        "n",
        UNKNOWN,
    ]
    assert levels(Subgroup(label="y", label_other="n", column="score", at_least=1), score=table["score"]) == ["n", "y", UNKNOWN]
    empty = pd.DataFrame({"age": pd.Series([], dtype=float)})
    assert subgroup_levels(empty, YOUNG).tolist() == subgroup_levels(empty, BANDS).tolist() == []
    assert levels(YOUNG, age=[None, None]) == levels(BANDS, age=[None, None]) == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(("group", "columns", "said"), [
    (YOUNG, {"age": ["twenty", "thirty"]}, "age is not a number"),
    (BANDS, {"age": ["twenty", None]}, "age is not a number"),
    (YOUNG, {"age": [True, False]}, "age is not a number"),
    (YOUNG, {"years": [20]}, "there is no column age; there are: years"),
    (LOW, {"upper_secondary": [1, 0]}, "holds numbers: write values without quotes"),
    (Subgroup(label="y", label_other="n", column="site", values=[1, 2]), {"site": ["1", None]}, "holds text: put values in quotes"),
])  # fmt: skip
def test_what_a_column_does_not_hold_is_refused_without_a_value(group: Subgroup, columns: dict, said: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=said) as caught:
        levels(group, **columns)
    assert "twenty" not in str(caught.value)


def test_the_outcome_itself_is_no_subgroup() -> None:
    people = pd.DataFrame({"arm": ["ips", "control"] * 10, "works": [1, 0, 1, 1, 0] * 4, "age": list(range(20, 40))})
    with pytest.raises(ips.UnsupportedError, match="works is the outcome itself: comparing people sorted by what happened later"):
        ips.subgroup_effects(people, "works", "works", reference="control")
    again = {"young": YOUNG, "both": combined("any_of", "young", {"column": "age", "at_least": 38})}
    found = ips.subgroup_effects(people, again, "works", reference="control", draws=100).table
    assert set(found["level"]) == {"", "Young", "Older", "yes", "no"}


GOOD = {"label": "a", "label_other": "b", "column": "age"}


@pytest.mark.parametrize(("keys", "said"), [
    ({**GOOD}, "either a range"),
    ({**GOOD, "at_most": 3, "values": ["x"]}, "either a range"),
    ({**GOOD, "at_most": 3, "at_least": 4}, "nobody can be in this range"),
    ({**GOOD, "at_most": float("nan")}, "finite"),
    ({**GOOD, "values": ["3"]}, "age is a number"),
    ({**GOOD, "column": "sex", "at_most": 3}, "sex is not a number"),
    ({**GOOD, "column": "sex", "values": [1]}, "put them in quotes"),
    ({**GOOD, "column": "sex", "values": [["man"]]}, "a value is text, a number"),
    ({**GOOD, "at_most": 3, "all_of": [LOW]}, "by one of"),
    ({"label": "a", "label_other": "b"}, "by one of"),
    ({"label": "a", "label_other": "b", "all_of": []}, "this list is empty"),
    ({"label": "a", "label_other": "b", "all_of": [LOW], "at_most": 3}, "go with a column"),
    ({"label": "a", "label_other": "b", "all_of": [{"column": "age"}]}, "either a range"),
    ({"label": "a", "label_other": "b", "all_of": [{"negate": True}]}, "a condition is one of"),
    ({"label": "a", "label_other": "b", "all_of": [{"subgroup": "x", "at_most": 3}]}, "go with a column"),
    ({"label": "a", "label_other": "b", "all_of": [{"subgroup": "x", "column": "age", "at_most": 3}]}, "a condition is one of"),
    ({"label": "a", "column": "age", "at_most": 3}, "give label and label_other"),
    ({**GOOD, "label": "b", "at_most": 3}, "a name of its own"),
    ({**GOOD, "label": "Unknown", "at_most": 3}, "a name of its own"),
    ({**GOOD, "at_most": 3, "reference": "c"}, "not one of the levels"),
    ({**GOOD, "at_most": 3, "labels": ["c", "d"]}, "labels name the bands"),
    ({"column": "age", "breaks": [31, 18]}, "in rising order"),
    ({"column": "age", "breaks": [18, 18]}, "in rising order"),
    ({"column": "age", "breaks": []}, "this list is empty"),
    ({"column": "age", "breaks": [18], "labels": ["one"]}, "2 bands: give as many labels"),
    ({"column": "age", "breaks": [18], "labels": ["one", "one"]}, "a name of its own"),
    ({"column": "age", "breaks": [18], "at_most": 3}, "levels already"),
    ({"column": "age", "breaks": [18], "levels": "each"}, "either breaks or levels"),
    ({"column": "age", "breaks": [18], "reference": "19-30"}, "not one of the levels"),
    ({"column": "sex", "breaks": [18]}, "sex is not a number"),
    ({"breaks": [18]}, "levels already"),
    ({"column": "centre", "levels": "each", "labels": ["A"]}, "each value of a column is its own name"),
    ({"column": "centre", "levels": "each", "label_other": "b"}, "levels already"),
    ({"column": "centre", "levels": "some"}, "each"),
    ({**GOOD, "at_most": 3, "expected": "huge"}, "larger"),
])  # fmt: skip
def test_conditions_that_cannot_be(keys: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Subgroup(**keys)


def test_a_subgroup_of_several_levels_is_no_condition() -> None:
    with pytest.raises(ips.UnsupportedError, match="has several levels"):
        combined("all_of", BANDS)


# ---------------------------------------------------- what a study file may ask

TWO = '[subgroups.young]\nlabel = "Young"\nlabel_other = "Older"\ncolumn = "age"\nat_most = 30\n'


def refused(folder: Path, text: str) -> list[str]:
    path = write_small_study(folder, employed=text, months=12)
    with pytest.raises(ips.StudyError) as caught:
        ips.load_study(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    told = []
    for problem in caught.value.problems:
        number, key = problem.place.removeprefix("line ").split(", ", 1)
        parts = key.split(".")
        # the line is that of the key, or of the table that it stands in
        assert (
            lines[int(number) - 1].strip("[]") in (".".join(parts[:2]), parts[0])
            or lines[int(number) - 1].split(" =")[0] in parts
        )
        told.append(f"{key}: {problem.rule} -> {problem.remedy}")
    return told


def both(members: str) -> str:
    return f'{TWO}[subgroups.both]\nlabel = "Both"\nlabel_other = "Others"\nall_of = [{members}]\n'


LATER = "comparing people sorted by what happened later is not a subgroup effect"


@pytest.mark.parametrize(("column", "said"), [
    ("ordinary", f"ordinary is a definition of employed, known only after inclusion: {LATER}"),
    ("ordinary_composite", "is a definition of employed"),
    ("month", f"month is a column of person-months, known only after inclusion: {LATER}"),
    ("first_job", f"first_job is part of the time to a first job, known only after inclusion: {LATER}"),
    ("pay_nok", f"pay_nok is an outcome, known only after inclusion: {LATER}"),
    ("agee", f"{LATER}, as the arm itself may have sorted them -> did you mean age?"),
    ("shoe_size", f"{LATER}, as the arm itself may have sorted them -> known at inclusion are: age, sex"),
    ("arm", "the arm is what is compared"),
    ("young", 'write subgroup = "young"'),
])  # fmt: skip
def test_a_condition_on_anything_but_baseline_is_refused_with_its_reason(tmp_path: Path, column: str, said: str) -> None:
    told = refused(tmp_path / "nested", both(f'{{ subgroup = "young" }}, {{ column = "{column}", at_least = 1 }}'))
    assert len(told) == 1 and said in told[0]
    # the second member, counted from 1
    assert told[0].startswith("subgroups.both.all_of.2.column: ")
    alone = f'{TWO}[subgroups.other]\nlabel = "Yes"\nlabel_other = "No"\ncolumn = "{column}"\nvalues = ["x"]\n'
    told = refused(tmp_path / "alone", alone)
    assert len(told) == 1 and said in told[0] and told[0].startswith("subgroups.other.column: ")


@pytest.mark.parametrize(("text", "said"), [
    (both('{ subgroup = "yung" }'), ["both.all_of.1.subgroup: there is no such subgroup -> did you mean young?"]),
    (both('"yung"'), ["both.all_of.1.subgroup: there is no such subgroup -> did you mean young?"]),
    (both('{ subgroup = "age" }'), ['this is a column, not a subgroup of the study -> write column = "age"']),
    (both('{ subgroup = "ordinary" }'), ["ordinary is a definition of employed, known only after inclusion"]),
    (both('{ subgroup = "both" }'), ["subgroups.both: this subgroup leads back to itself: both -> both"]),
    (both('{ any_of = [{ subgroup = "third" }] }')
     + '[subgroups.third]\nlabel = "x"\nlabel_other = "y"\nall_of = ["young", "both"]\n', ["leads back to itself: both -> third -> both"]),
    (both('"bands"') + '[subgroups.bands]\ncolumn = "age"\nbreaks = [31]\n', ["bands has several levels"]),
    (both('{ colum = "age", at_most = 3 }'), ["both.all_of.1.colum: there is no such key -> did you mean column?"]),
    (both('{ column = "age", at_mos = 3 }'), ["both.all_of.1.at_mos: there is no such key -> did you mean at_most?"]),
    (both('{ column = "age", at_most = "3x" }'), ["both.all_of.1.at_most: this is a number"]),
    (both('{ column = "age", values = ["3"] }'), ["both.all_of.1: age is a number: give a range"]),
    (both('{ column = "upper_secondary", values = ["done"] }'),
     ["all_of.1.values: nobody can have the value done -> choose among: completed, not_completed"]),
    (both('{ column = "sex", values = ["man"] }'), ["all_of.1.column: no column of the trial file holds sex"]),
    (both(""), ["both.all_of: this list is empty"]),
    (both('{ any_of = [{ column = "age", at_most = 3 }, { column = "x1", at_most = 3 }, { column = "x2", at_most = 3 }] }'),
     ["all_of.1.any_of.2.column", "all_of.1.any_of.3.column"]),
    # what is wrong in itself is told once, and not again where it is named
    (both('{ subgroup = "young" }').replace("at_most = 30", 'at_most = "many"'), ["subgroups.young.at_most"]),
    ('[subgroups.bands]\ncolumn = "age"\nbreaks = [31]\nlabls = ["a", "b"]\n', ["labls: there is no such key -> did you mean labels?"]),
    ('[subgroups.sites]\ncolumn = "centre"\nlevels = "each"\n', ["sites.column: no column of the trial file holds centre"]),
    (TWO.replace("young", "level"), ["subgroups.level: this name is taken by a column of the package"]),
    (TWO.replace("young", "index_date"), ["subgroups.index_date: this name is taken by a column of the package"]),
    (TWO.replace("at_most = 30", 'at_most = 30\nexpected = "bigger"'), ["young.expected: this value is not one of those allowed"]),
    (TWO.replace("at_most = 30", 'at_most = 30\nprespecified = "yes please"'), ["young.prespecified: this is yes or no"]),
    ('[subgroup_analysis]\nscale = "hazard"\n', ["subgroup_analysis.scale: this value is not one of those allowed"]),
    ('[subgroup_analysis]\noutcomes = ["ordinry"]\n', ["outcomes.1: this is not one of [employed.*] -> did you mean ordinary?"]),
    ("[subgroup_analysis]\nmonths = [6, 43]\n", ["subgroup_analysis.months: months 43 lie outside months 1 to 12"]),
    ("[subgroup_analysis]\nmonths = [6, 6]\n", ["subgroup_analysis.months: each is written once"]),
    ("[subgroup_analysis]\ndraws = 5\n", ["subgroup_analysis.draws"]),
    ("[subgroup_analysis]\nprior_sd = 0\n", ["subgroup_analysis.prior_sd"]),
])  # fmt: skip
def test_a_wrong_condition_is_told_with_its_place_and_remedy(tmp_path: Path, text: str, said: list[str]) -> None:
    told = refused(tmp_path, text)
    assert len(told) == len(said), told
    for line, part in zip(told, said, strict=True):
        assert part in line


def test_a_study_says_what_is_asked_of_subgroups(tmp_path: Path) -> None:
    plan = '[subgroup_analysis]\nscale = "odds_ratio"\nmonths = [6]\nprior_sd = 0.2\n'
    study = ips.load_study(write_small_study(tmp_path / "a", employed=both('"young"') + plan, months=12))
    assert study.subgroups["both"].columns == ("age",)
    assert study.subgroup_plan.model_dump() == {
        "scale": "odds_ratio", "outcomes": ("ordinary",), "months": (6,), "least_events": 5, "draws": 10_000, "prior_sd": 0.2,
    }  # fmt: skip
    usual = ips.load_study(write_small_study(tmp_path / "b", months=12))
    assert usual.subgroup_plan.months == (1,) and usual.subgroup_plan.scale == "risk_difference"


def test_names_that_estimates_use_are_known() -> None:
    assert set(COMMON_COLUMNS) == OF_ESTIMATES


def test_a_changed_condition_within_others_is_told_by_its_place(tmp_path: Path) -> None:
    from ips_outcomes.reporting.changes import _settings

    bands = '[subgroups.bands]\ncolumn = "age"\nbreaks = [31]\nlabels = ["Young", "Older"]\n'
    texts = [both(f'"young", {{ column = "age", at_least = {low} }}') + bands.replace("Older", word)
             for low, word in ((18, "Older"), (20, "Others"))]  # fmt: skip
    before, after = (ips.load_study(write_small_study(tmp_path / str(i), employed=text)) for i, text in enumerate(texts))
    rows = _settings(before, after)[["setting", "before", "after"]].values.tolist()
    assert rows == [["subgroups.both.all_of.2.at_least", "18.0", "20.0"],
                    ["subgroups.bands.labels", "Young, Older", "Young, Others"]]  # fmt: skip


def test_a_report_shows_bands_values_and_unions(tmp_path: Path) -> None:
    import re

    births = ["199006", "199106", "198001", "197001", "", "199506", "198106", "196001"]
    people = [{"person": f"P{i}", "birth": birth, "education": "201101" if i % 2 else "401101", "arm": "ips" if i < 4 else "control"}
              for i, birth in enumerate(births)]  # fmt: skip
    path = write_small_study(tmp_path / "study", people=people, months=2, arms=True, employed=SCHOOL)
    page = ips.write_report(path, tmp_path / "out")
    text = re.sub(r"<[^>]+>", " ", Path(page).read_text(encoding="utf-8"))
    said = ["Young, not completed ((Upper secondary school: not completed) and (Age, years: at most 30))", "Age, years, cut at 31, 46",
            "Education, NUS level, each value", "46 and over"]  # fmt: skip
    assert [line for line in said if line not in text] == []


# -------------------------------------------------------------- properties

ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(15, 70)), st.sampled_from([None, "completed", "not_completed"]),
              st.sampled_from([None, "A", "B", "C"])), min_size=1, max_size=12)  # fmt: skip
LEAF = st.one_of(
    st.builds(
        lambda low, span: {"column": "age", "at_least": low, "at_most": low + span}, st.integers(15, 70), st.integers(0, 30)
    ),
    st.sampled_from([{"column": "upper_secondary", "values": ["completed"]}, {"column": "centre", "values": ["A", "C"]}]),
)
TREE = st.recursive(
    st.builds(lambda leaf, no: {**leaf, "negate": no}, LEAF, st.booleans()),
    lambda inner: st.builds(lambda kind, members, no: {kind: members, "negate": no}, st.sampled_from(["any_of", "all_of"]),
                            st.lists(inner, min_size=1, max_size=3), st.booleans()), max_leaves=8)  # fmt: skip


def frame(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["age", "upper_secondary", "centre"], dtype=object)
    return table.assign(age=table["age"].astype("Int64"))


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, breaks=st.sets(st.integers(15, 70), min_size=1, max_size=4), member=TREE)
def test_levels_always_add_up_to_everybody(rows: list, breaks: set, member: dict) -> None:
    table = frame(rows)
    for group in (
        Subgroup(column="age", breaks=sorted(breaks)),
        Subgroup(column="centre", levels="each"),
        combined("all_of", member),
    ):
        found = pd.Series(subgroup_levels(table, group))
        counts = found.value_counts()
        assert counts.reindex([*group.labels_in(table), UNKNOWN], fill_value=0).sum() == len(table)
        known = table[list(group.columns)].notna().all(axis=1).to_numpy()
        # whoever is known in every column is in a level
        assert (found[known] != UNKNOWN).all()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, members=st.lists(TREE, min_size=1, max_size=3))
def test_complement_and_de_morgan(rows: list, members: list) -> None:
    table = frame(rows)
    flipped = {"yes": "no", "no": "yes", UNKNOWN: UNKNOWN}
    for kind, dual in (("any_of", "all_of"), ("all_of", "any_of")):
        straight = subgroup_levels(table, combined(kind, *members)).tolist()
        complement = subgroup_levels(table, combined("all_of", {kind: members, "negate": True})).tolist()
        assert complement == [flipped[level] for level in straight]
        opposites = [{**member, "negate": not member["negate"]} for member in members]
        assert subgroup_levels(table, combined(dual, *opposites)).tolist() == complement


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, member=TREE, seed=st.integers(0, 99))
def test_what_is_unknown_cannot_change_an_answer(rows: list, member: dict, seed: int) -> None:
    """An answer that is given although something is unknown holds whatever the unknown turns out to be."""
    table, group = frame(rows), combined("all_of", member)
    rng = np.random.default_rng(seed)
    age = [int(rng.integers(15, 71)) if pd.isna(v) else v for v in table["age"]]
    school = [rng.choice(["completed", "not_completed"]) if v is None else v for v in table["upper_secondary"]]
    centre = [rng.choice(["A", "B", "C"]) if v is None else v for v in table["centre"]]
    before = subgroup_levels(table, group)
    after = subgroup_levels(pd.DataFrame({"age": age, "upper_secondary": school, "centre": centre}), group)
    assert (after != UNKNOWN).all()
    assert (before[before != UNKNOWN] == after[before != UNKNOWN]).all()


def test_conditions_are_values() -> None:
    one, two = (combined("all_of", {"column": "age", "at_most": 30}, LOW) for _ in range(2))
    assert one == two and hash(one) == hash(two)
    assert isinstance(one.all_of[0], Condition)
    assert Subgroup.model_validate(one.model_dump(by_alias=True)) == one
