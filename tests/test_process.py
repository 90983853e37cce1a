"""Process measures: six people by hand with dates at the edges, ratings of centres, and what is set aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import job, scheme, write_small_study

import ips_outcomes as ips
from ips_outcomes.analysis import centre_values, process_table
from ips_outcomes.analysis.process_measures import _PERSON
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.study.layout import load_layout

#: Everybody is included on 10 March 2013: day 14 is 24 March, day 15 the 25th, day 28 is 7 April.
_SOURCES = """
[sources.diary]
layout = "services"
files = "diary.csv"
delimiter = ";"
period = ["{first}", "{last}"]

[sources.ratings]
layout = "centre_measures"
files = "ratings.csv"
delimiter = ";"
values.centre = {{ 1 = "North", 2 = "South" }}

[keys.diary]
carries_participant_key = true

[employed.ordinary]"""


def study(
    folder: Path, diary: list[tuple[str, str, str]], ratings: str = "", *, first: str = "2013-01", last: str = "2015-12", centres: str = "",
    **more,
) -> Path:  # fmt: skip
    """A small study with a diary (person, date, measure) and ratings of its two centres; odd people are in the north."""
    path = write_small_study(folder, **more)
    text = path.read_text(encoding="utf-8").replace("[employed.ordinary]", _SOURCES.format(first=first, last=last))
    text = text.replace('education = "education"\n', 'education = "education"\ncentre = "centre"\n')
    path.write_text(text, encoding="utf-8")
    trial = pd.read_csv(folder / "trial.csv", sep=";", dtype=str)
    centre = np.where(trial["person"].str[-1].astype(int) % 2 == 1, "North", "South")
    trial.assign(centre=centres or centre).to_csv(folder / "trial.csv", sep=";", index=False)
    pd.DataFrame(diary, columns=["person_key", "date", "measure"]).to_csv(folder / "diary.csv", sep=";", index=False)
    (folder / "ratings.csv").write_text("centre;date;measure;value\n" + ratings, encoding="utf-8")
    return path


def followed(path: Path) -> ips.FollowUp:
    return ips.follow_up(ips.load_cohort(ips.load_study(path)))


def counted(data: ips.FollowUp, source: str, rule: str) -> int:
    rows = data.quality[(data.quality["source"] == source) & data.quality["rule"].str.contains(rule, regex=False)]
    assert len(rows)
    return int(rows["count"].sum())


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> ips.FollowUp:
    """P1 day 14, P2 day 15, P3 day 28 and no earlier, P4 nobody ever met, P5 died on day 10 unmet, P6 left on day 20 unmet."""
    diary = [
        ("P1", "2013-03-24", "contact"), ("P1", "2013-04-07", "job_plan"), ("P1", "2013-03-10", "employer_contact"),
        ("P2", "2013-03-25", "contact"), ("P2", "2013-04-08", "job_plan"), ("P2", "2013-03-30", "contact"),
        ("P3", "2013-04-07", "contact"), ("P3", "2013-04-07", "job_plan"),
        # before inclusion, a century early, a century late, and after death
        ("P3", "2012-03-20", "contact"), ("P3", "1913-03-20", "contact"), ("P3", "2113-03-20", "contact"),
        ("P5", "2013-05-01", "contact"), ("P2", "2016-05-01", "employer_contact"),
    ]  # fmt: skip
    schemes = [
        # exactly 28 days; 29 days in two spells that touch; goes on; begun before inclusion; another scheme
        scheme("P1", "ARBTREN", "2013-05-01", "2013-05-28"), scheme("P2", "ARBTREN", "2013-05-01", "2013-05-14"),
        scheme("P2", "ARBFORB", "2013-05-15", "2013-05-29"), scheme("P3", "ARBTREN", "2013-05-01"),
        scheme("P4", "ARBTREN", "2013-03-01", "2013-08-01"), scheme("P6", "INDJOBSTOT", "2013-03-11", "2013-09-01"),
    ]  # fmt: skip
    ratings = (
        "1;2013-11-01;caseload;20\n1;2014-11-01;caseload;21\n2;2013-11-01;caseload;15\n2;2014-11-01;fidelity;99\n"
        "1;2014-11-01;fidelity;100\n1;2015-11-01;fidelity;24\n3;2014-11-01;fidelity;100\n2;2014-12-01;fidelity;\n"
    )
    # months 1 to 6 are April to September: P1 in work from 16 September on, P2 from 16 October on, P4 in month 0 already
    jobs = [job("P1", "2013-09-16"), job("P2", "2013-10-16"), job("P4", "2013-01-01")]
    path = study(
        tmp_path_factory.mktemp("process") / "s", diary, ratings, people=("P1", "P2", "P3", "P4", "P5", "P6"), jobs=jobs, schemes=schemes,
        deaths={"P5": "20130320"}, moves={"P6": [("19800101", "20130330")]},
    )  # fmt: skip
    return followed(path)


def test_days_of_six_people(six: ips.FollowUp) -> None:
    table = six.process.set_index("person_id")
    assert table["contact_days"].tolist()[:3] == [14, 15, 28] and table["contact_days"].isna().tolist()[3:] == [True] * 3
    assert table["job_plan_days"].dropna().to_dict() == {"P1": 28, "P2": 29, "P3": 28}
    assert table["employer_contact_days"].dropna().to_dict() == {"P1": 0}
    # to 31 December 2014, the last day of month 21; to death; to the last day in the country
    assert table["contact_seen"].to_dict() == dict.fromkeys(("P1", "P2", "P3", "P4"), 661) | {"P5": 10, "P6": 20}
    assert table["practice_days"].to_dict() == {"P1": 28, "P2": 29, "P3": 610, "P4": 0, "P5": 0, "P6": 0}
    assert table["practice_ended"].to_dict() == {p: p != "P3" for p in table.index}
    assert table["job_months"].dropna().to_dict() == {"P1": 6, "P2": 7}
    assert table["job_seen"].isna().to_dict()["P4"]
    assert table["centre"].tolist() == ["North", "South"] * 3


def test_what_is_set_aside_is_counted(six: ips.FollowUp) -> None:
    assert counted(six, "diary", "impossible date") == 1
    assert counted(six, "diary", "before the person's inclusion") == 2
    assert counted(six, "diary", "after the delivery's period") == 1
    assert counted(six, "diary", "after the person's death") == 1
    assert counted(six, "ratings", "fidelity below 25") == 1
    assert counted(six, "ratings", "code in centre that the layout does not know") == 1
    assert counted(six, "ratings", "lacks its centre") == 1
    assert len(six.centre_measures) == 5


def test_shares_of_six_people(six: ips.FollowUp) -> None:
    found = process_table(six)
    whole = found.table[found.table["subgroup"] == ""].set_index("outcome")
    # P5 and P6: the one died before day 14 and is in neither number, the other was seen for 20 days
    shares = {
        "contact_within_14_days": (1, 5, 1), "employer_contact_within_14_days": (1, 5, 1), "job_plan_within_28_days": (2, 4, 2),
        "job_within_6_months": (1, 3, 2), "work_practice_at_most_28_days": (1, 3, 0), "caseload_at_most_20": (2, 3, None),
        "fidelity_at_least_100": (1, 2, None),
    }  # fmt: skip
    for outcome, (events, n, lost) in shares.items():
        row = whole.loc[outcome]
        assert (row["events"], row["n"]) == (events, n), outcome
        assert row["estimate"] == pytest.approx(events / n)
        assert np.isnan(row["not_seen"]) if lost is None else row["not_seen"] == lost
    # Wilson of 1 in 5
    assert whole.loc["contact_within_14_days", ["conf_low", "conf_high"]].tolist() == pytest.approx([0.0362, 0.6245], abs=1e-4)
    assert whole["target"].to_dict()["caseload_at_most_20"] == 20 and whole["unit"].to_dict()["job_within_6_months"] == "months"
    assert any("1 people were not seen for 14 days" in note for note in found.notes)


def test_medians_of_six_people(six: ips.FollowUp) -> None:
    """At risk 6, 10: P5 leaves; day 14: 5 at risk, 15: 4, 20: P6 leaves, 28: 2, so 1 - 4/5 * 3/4 * 1/2 = 0.7."""
    table = process_table(six).table.set_index(["outcome", "level"])
    row = table.loc[("days_to_contact", "")]
    assert (row["n"], row["events"], row["estimate"]) == (6, 3, 28)
    # of three in the north one contact on day 14, one death, one on day 28
    assert table.loc[("days_to_contact", "North"), "estimate"] == 21
    assert np.isnan(table.loc[("days_to_employer_contact", ""), "estimate"])
    assert table.loc[("days_to_contact", ""), "target"] == 14


def test_centres_add_up_to_all(six: ips.FollowUp) -> None:
    table = process_table(six).table
    shares = table[table["measure"] == "share"]
    whole, parts = shares[shares["subgroup"] == ""].set_index("outcome"), shares[shares["subgroup"] == "centre"]
    assert set(parts["level"]) == {"North", "South"}
    for column in ("n", "events"):
        assert parts.groupby("outcome")[column].sum().to_dict() == whole[column].to_dict()


def test_what_centres_are_like(six: ips.FollowUp) -> None:
    found = centre_values(six).set_index("centre")
    assert found["caseload"].to_dict() == {"North": 20.5, "South": 15}
    assert found["fidelity"].to_dict() == {"North": 100, "South": 99}
    assert found.loc["North", "contact_days"] == 21


def test_people_outside_of_what_the_diary_speaks_for(tmp_path: Path) -> None:
    diary = [("P1", "2013-04-20", "contact")]
    data = followed(study(tmp_path, diary, first="2013-04", people=("P1", {"person": "P2", "index": "2013-04-02"})))
    table = data.process.set_index("person_id")
    # of P1 contacts before April would not be there; plans are kept by no delivery
    assert table["contact_seen"].isna().to_dict() == {"P1": True, "P2": False}
    assert table["contact_days"].isna().all() and table["job_plan_seen"].isna().all()
    found = process_table(data)
    assert "job_plan_within_28_days" not in set(found.table["outcome"])
    assert any("no delivery holds job plans" in note for note in found.notes)


def test_only_arms_that_get_the_service(tmp_path: Path) -> None:
    people = ("P1", {"person": "P2", "arm": "control"}, "P3")
    data = followed(study(tmp_path, [("P1", "2013-03-12", "contact")], people=people, arms=True))
    found = process_table(data).table
    row = found[(found["outcome"] == "contact_within_14_days") & (found["subgroup"] == "")]
    assert row[["group", "n", "events"]].values.tolist() == [["ips", 2, 1]]
    asked = process_table(data, arm="control").table
    assert asked.loc[asked["outcome"] == "contact_within_14_days", "n"].tolist() == [1, 1]
    with pytest.raises(UnsupportedError, match="nobody in arm x"):
        process_table(data, arm="x")


def test_tables_that_cannot_be() -> None:
    with pytest.raises(UnsupportedError, match="no column"):
        process_table(pd.DataFrame({"arm": ["ips"], "centre": ["A"]}))
    empty = pd.DataFrame({"arm": ["ips"], "centre": ["A"]}).reindex(columns=["arm", "centre", *_PERSON])
    with pytest.raises(UnsupportedError, match="no process measure can be told"):
        process_table(empty)
    with pytest.raises(UnsupportedError, match="nobody who gets the service"):
        process_table(empty.assign(arm=None))


def test_a_centre_that_is_missing_is_a_level() -> None:
    table = pd.DataFrame({"arm": "ips", "centre": ["A", None], "contact_days": [3, None], "contact_seen": [90, 90]})
    found = process_table(table.reindex(columns=["arm", "centre", *_PERSON])).table
    assert found.loc[found["outcome"] == "contact_within_14_days", "level"].tolist() == ["", "A", "Unknown"]


days = st.one_of(st.none(), st.integers(0, 60))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(days, st.integers(0, 60), st.sampled_from(["A", "B"])), min_size=1, max_size=15))
def test_everybody_is_counted_once(rows: list) -> None:
    table = pd.DataFrame({"arm": "ips", "centre": [c for *_, c in rows],
                          "contact_days": pd.array([None if d is None or d > s else d for d, s, _ in rows], dtype="Int64"),
                          "contact_seen": [s for _, s, _ in rows]}).reindex(columns=["arm", "centre", *_PERSON])  # fmt: skip
    found = process_table(table).table
    share = found[found["outcome"] == "contact_within_14_days"]
    assert (share["n"] + share["not_seen"]).tolist()[0] == len(rows)
    assert share["n"].iloc[1:].sum() == share["n"].iloc[0]
    mixed = process_table(table.sample(frac=1, random_state=1)).table
    pd.testing.assert_frame_equal(found, mixed)


# ---------------------------------------------------------------- the layout of centres


def test_a_delivery_of_centres_needs_no_keys_and_may_have_none(tmp_path: Path) -> None:
    path = study(tmp_path, [])
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("[keys.diary]", "[keys.ratings]\ncarries_participant_key = true\n\n[keys.diary]"), encoding="utf-8"
    )
    with pytest.raises(ips.StudyError, match="holds no people, and so no keys"):
        ips.load_study(path)


def test_one_file_a_measure(tmp_path: Path) -> None:
    path = study(tmp_path, [])
    text = path.read_text(encoding="utf-8").replace(
        'files = "ratings.csv"', 'files = "ratings.csv"\nconstants.measure = "fidelity"'
    )
    path.write_text(text, encoding="utf-8")
    (tmp_path / "ratings.csv").write_text("centre;date;value\n1;2013-11-01;101\n", encoding="utf-8")
    assert followed(path).centre_measures[["centre", "measure", "value"]].values.tolist() == [["North", "fidelity", 101.0]]
    assert "measure" in load_layout("centre_measures").columns


def test_centres_called_otherwise_are_severe(tmp_path: Path) -> None:
    path = study(tmp_path, [], "1;2013-11-01;fidelity;101\n", centres="Elsewhere")
    data = followed(path)
    rows = data.quality[data.quality["rule"] == "measure of a centre that no participant belongs to"]
    assert rows[["count", "severity"]].values.tolist() == [[1, "severe"]] and data.centre_measures.empty
