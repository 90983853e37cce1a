"""Supported employment started outside its arm: who, when, and both strategies beside each other."""

from __future__ import annotations

import re
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from small_study import follow, job, scheme

import ips_outcomes as ips
from ips_outcomes.analysis.leaving_weights import Staying, _times
from ips_outcomes.analysis.strategies import STRATEGIES
from ips_outcomes.reporting import crossover_chapter as chapter
from ips_outcomes.reporting.results import compute_results
from ips_outcomes.reporting.suppression import NUMBERS, load_profile
from ips_outcomes.reporting.words import words

GOLDEN = Path(__file__).parent / "golden"
K = 5

# ---------------------------------------------------------------- who started: hand-made people, all included on 10 March 2013


def started(followed) -> dict[str, tuple]:
    table = followed.data.crossover.set_index("person_id")
    return {
        key: tuple(None if pd.isna(v) or v == "" else v for v in row)
        for key, row in zip(table.index, table[["month", "scheme", "time", "event"]].to_numpy(dtype=object), strict=True)
    }


def test_each_way_of_starting(tmp_path: Path) -> None:
    people = [{"person": f"P{i}", "arm": "control"} for i in range(1, 9)]
    found = started(
        follow(
            tmp_path, people=people, arms=True, months=12,
            schemes=[
                scheme("P1", "INDJOBSTOT", "2013-05-20", "2013-12-31"),
                scheme("P2", "IPSUNG", "2013-03-28", "2013-12-31"),
                scheme("P3", "INDJOBSTOT", "2012-11-01", "2013-06-30"),
                scheme("P4", "INDJOBSTOT", "2012-01-01", "2012-12-31"),
                scheme("P5", "ARBTREN", "2013-05-01", "2013-06-30"),
                scheme("P6", "INDJOBSTOT", "2013-08-01", "2013-08-31"), scheme("P6", "IPSUNG", "2013-07-01", "2013-07-31"),
                scheme("P7", "INDJOBSTOT", "2013-09-01", "2013-12-31"),
                scheme("P8", "INDJOBSTOT", "2014-04-01", ""),
            ],
            deaths={"P5": "20131016"}, moves={"P7": [("19800101", "20130630")]},
        )
    )  # fmt: skip
    # the spell of May is two calendar months after March
    assert found["P1"] == (2, "INDJOBSTOT", 2, 1)
    # in the month of inclusion: month 0
    assert found["P2"] == (0, "IPSUNG", 0, 1)
    # under way at inclusion: the person has the service from the start
    assert found["P3"] == (0, "INDJOBSTOT", 0, 1)
    # over before inclusion: never started since
    assert found["P4"] == (None, None, 12, 0)
    # work practice is no supported employment; death in October, month 7
    assert found["P5"] == (None, None, 7, 2)
    # the first of two
    assert found["P6"] == (4, "IPSUNG", 4, 1)
    # abroad from July (month 4) on: a start after that is known, but time ends while it would have been seen
    assert found["P7"] == (6, "INDJOBSTOT", 3, 0)
    # month 13 lies after the end of follow-up
    assert found["P8"] == (None, None, 12, 0)


def test_a_scheme_that_ended_before_inclusion_is_no_start(tmp_path: Path) -> None:
    found = started(
        follow(
            tmp_path, people=[{"person": f"P{i}", "arm": "control"} for i in range(1, 4)], arms=True, months=12,
            schemes=[
                # everybody is included on 10 March 2013
                scheme("P1", "INDJOBSTOT", "2013-03-01", "2013-03-05"),
                scheme("P2", "INDJOBSTOT", "2013-03-01", "2013-03-10"),
                scheme("P3", "INDJOBSTOT", "2013-03-01", "2013-03-09"), scheme("P3", "IPSUNG", "2013-06-01", "2013-06-30"),
            ],
        )
    )  # fmt: skip
    assert found["P1"] == (None, None, 12, 0)
    assert found["P2"] == (0, "INDJOBSTOT", 0, 1)
    assert found["P3"] == (3, "IPSUNG", 3, 1)


def test_a_study_says_which_schemes_count(tmp_path: Path) -> None:
    schemes = [scheme("P1", "INDJOBSTOT", "2013-05-20", "2013-12-31"), scheme("P2", "ARBTREN", "2013-06-01", "2013-06-30")]
    path = ips.load_study(
        follow(tmp_path, people=("P1", "P2"), schemes=schemes, months=6).cohort.study.folder / "study.toml"
    ).folder
    file = path / "study.toml"
    file.write_text(file.read_text() + '\n[crossover]\nschemes = ["ARBTREN", "NEVERSEEN"]\n')
    data = ips.follow_up(ips.load_cohort(ips.load_study(file)))
    assert data.crossover["scheme"].tolist() == ["", "ARBTREN"]
    rule = data.quality[data.quality["rule"] == "scheme code that no record has"]
    assert rule["count"].tolist() == [1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[crossover]\nschemes = []\n', "at least one scheme"),
        ('[crossover]\nrecords = ["contact"]\n', "no source holds records"),
        ('[crossover]\nweights = ["shoe_size"]\n', "not known at inclusion: shoe_size"),
        ('[crossover]\nschemes = ["A", "A"]\n', "written once"),
        ('[published]\ncompare_with = ["nobody_1999"]\n', "no published rate is called nobody_1999"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_told_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    file = follow(tmp_path, people=("P1",), months=2).cohort.study.folder / "study.toml"
    file.write_text(file.read_text() + "\n" + written)
    with pytest.raises(ips.StudyError, match=re.escape(said)):
        ips.load_study(file)


def test_records_of_the_service_count_where_the_study_says_so(small_study_folder: Path, tmp_path: Path) -> None:
    file = small_study_folder / "study.toml"
    plain = ips.follow_up(ips.load_cohort(ips.load_study(file))).crossover
    own = file.parent / "with_records.toml"
    own.write_text(file.read_text() + '\n[crossover]\nschemes = []\nrecords = ["contact", "job_plan"]\n')
    try:
        data = ips.follow_up(ips.load_cohort(ips.load_study(own)))
    finally:
        own.unlink()
    assert set(data.crossover["scheme"]) <= {"", "contact", "job_plan"}
    # the first of both kinds of record, in days, lies in the month that is told
    first = data.process[["contact_days", "job_plan_days"]].min(axis=1)
    assert (first.notna() <= data.crossover["month"].notna()).all()
    assert plain["scheme"].isin(["", "INDJOBSTOT", "IPSUNG"]).all()


# ---------------------------------------------------------------- both strategies, by hand


def six() -> pd.DataFrame:
    """Three controls, of whom C starts in month 2 and then works; three in IPS, of whom F dies in month 3."""
    work = {"A": [0, 1, 1], "B": [0, 0, 0], "C": [0, 1, 1], "D": [1, 1, 1], "E": [0, 1, 0], "F": [1, 1, None]}
    rows = [
        {"person_id": p, "month": m, "arm": "control" if p in "ABC" else "ips", "works": w, "dead": p == "F" and m == 3,
         "crossover": 2 if p == "C" else 1 if p in "DE" else None}
        for p, months in work.items() for m, w in enumerate(months, start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def value(found: ips.Estimates, strategy: str, measure: str, **which) -> float:
    rows = found.select(strategy=strategy, measure=measure, **which).table
    assert len(rows) == 1
    return float(rows["estimate"].iloc[0])


def test_six_people_by_hand() -> None:
    found = ips.treatment_strategies(six(), "works", reference="control", at=[1, 2, 3], dead="dead")
    # as randomised: control 0/3, 2/3, 2/3; IPS 2/3, 3/3, 1/2 (F is dead)
    assert [value(found, "treatment_policy", "rate", group="control", month=m) for m in (1, 2, 3)] == pytest.approx(
        [0, 2 / 3, 2 / 3]
    )
    assert [value(found, "treatment_policy", "rate", group="ips", month=m) for m in (1, 2, 3)] == pytest.approx([2 / 3, 1, 1 / 2])
    # C does not count from month 2 on: 0/3, 1/2, 1/2; D and E started what they were offered, and stay
    assert [value(found, "while_on_treatment", "rate", group="control", month=m) for m in (1, 2, 3)] == pytest.approx(
        [0, 1 / 2, 1 / 2]
    )
    assert [value(found, "while_on_treatment", "rate", group="ips", month=m) for m in (1, 2, 3)] == pytest.approx(
        [2 / 3, 1, 1 / 2]
    )
    # months in work: 0 + 2/3 + 2/3 and 0 + 1/2 + 1/2; F's month 3 counts as 0, so 2/3 + 1 + 1/3
    assert value(found, "treatment_policy", "months_in_work", group="control") == pytest.approx(4 / 3)
    assert value(found, "while_on_treatment", "months_in_work", group="control") == pytest.approx(1)
    assert value(found, "while_on_treatment", "months_in_work", group="ips") == pytest.approx(2)
    assert value(found, "while_on_treatment", "months_in_work_difference") == pytest.approx(1)
    crossed = found.select(strategy="while_on_treatment", measure="rate", group="control").table["crossed"].tolist()
    assert crossed == [0, 1, 1]
    assert any("1 people in control started by month 3" in note for note in found.notes)


def test_a_death_after_a_start_is_no_month_out_of_work() -> None:
    rows = six()
    rows.loc[(rows["person_id"] == "C") & (rows["month"] == 3), ["works", "dead"]] = [None, True]
    found = ips.treatment_strategies(rows, "works", reference="control", dead="dead")
    # months 2 and 3 of C are gone with the death in them: 0 + 1/2 + 1/2
    assert value(found, "while_on_treatment", "months_in_work", group="control") == pytest.approx(1)
    # as randomised the dead have 0: 0 + 2/3 + 1/3
    assert value(found, "treatment_policy", "months_in_work", group="control") == pytest.approx(1)


def test_first_jobs_are_cut_before_the_start(tmp_path: Path) -> None:
    data = follow(
        tmp_path, people=[{"person": p, "arm": "control" if p in "ABC" else "ips"} for p in "ABCDE"], arms=True, months=6,
        jobs=[job("A", "2013-05-01"), job("B", "2013-06-01"), job("D", "2013-04-01")],
        schemes=[scheme("B", "INDJOBSTOT", "2013-06-20", "2013-12-31"), scheme("C", "INDJOBSTOT", "2013-03-15", "2013-12-31")],
    ).data  # fmt: skip
    found = ips.treatment_strategies(data, "ordinary", at=[6])
    jobs = found.select(outcome="first_job", measure="cumulative_incidence", group="control")
    # as randomised two of three have a job; B started in the month of the job, which no longer counts, C has no time at all:
    # of A and B at risk in month 1, A has the job in month 2 and B is censored there after month 2
    assert value(jobs, "treatment_policy", "cumulative_incidence") == pytest.approx(2 / 3)
    curve = ips.cumulative_incidence(pd.DataFrame({"time": [2, 2], "event": [1, 0]})).table["estimate"].iloc[-1]
    means = found.select(outcome="first_job", measure="mean", group="control", strategy="while_on_treatment").table
    assert curve == 0.5
    # nobody is followed past month 2, so that month 6 has no mean on treatment
    assert means.empty
    assert not len(jobs.select(strategy="while_on_treatment"))


def test_without_a_start_both_strategies_are_one() -> None:
    rows = six().assign(crossover=None)
    found = ips.treatment_strategies(rows, "works", reference="control", at=[1, 2, 3], dead="dead", covariates=["works"])
    numbers = [found.select(strategy=name).table[NUMBERS].astype(float).to_numpy() for name in STRATEGIES[:2]]
    np.testing.assert_array_equal(*numbers)
    assert any("nobody in control started" in note for note in found.notes)


def test_what_cannot_be_asked_is_refused() -> None:
    rows = six()
    for wrong, message in (
        ({}, "name the arm"), ({"reference": "tau"}, "name the arm"), ({"reference": "control", "until": "tau"}, "nobody in arm tau"),
        ({"reference": "control", "at": 9}, "no month 9"), ({"reference": "control", "crossover": "when"}, "no column when"),
    ):  # fmt: skip
        with pytest.raises(ips.UnsupportedError, match=message):
            ips.treatment_strategies(rows, "works", **wrong)
    # a start is one whole month a person, and a strange value is told by its number alone
    first = rows["person_id"].iloc[0]
    for start, message in (
        ([2.5] * len(rows), "no whole months"), (["in May"] * len(rows), "no whole months"),
        (np.where((rows["person_id"] == first) & (rows["month"] > 1), 2, np.nan), "1 people have rows that differ in crossover"),
    ):  # fmt: skip
        with pytest.raises(ips.UnsupportedError, match=message) as told:
            ips.treatment_strategies(rows.assign(crossover=start), "works", reference="control")
        assert "May" not in str(told.value)
    with pytest.raises(ips.UnsupportedError, match="nobody"):
        ips.treatment_strategies(rows.iloc[:0], "works", reference="control")
    with pytest.raises(ips.UnsupportedError, match="nobody"):
        ips.crossover(pd.DataFrame({"arm": [], "time": [], "event": []}))


def test_few_starts_give_no_weights_but_a_word() -> None:
    found = ips.treatment_strategies(
        six().assign(age=[30, 31, 32, 33, 34, 35] * 3), "works", reference="control", covariates="age"
    )
    assert not (found.table["strategy"] == "weighted").any()
    assert any("no weighted answer" in note for note in found.notes)


def test_a_start_after_a_gap_is_no_event_of_the_weights() -> None:
    # seen until month 2, abroad, back, and started in month 5: at risk as long as anybody who left and did not start
    rows = pd.DataFrame({"person_id": np.repeat(["gap", "stayed", "started"], 6), "month": list(range(1, 7)) * 3, "works": 0.0,
                         "arm": "control", "crossover": np.repeat([5.0, np.nan, 4.0], 6), "dead": False,
                         "seen": np.repeat([2, 6, 4], 6), "age": 30})  # fmt: skip
    given = Staying(
        rows, "works", "arm", ["control"], "month", "person_id", "crossover", "dead", np.zeros(18, dtype=bool), "seen"
    )
    found = _times(given, "control", ["age"]).set_index("person_id")
    assert found["time"].to_dict() == {"gap": 2, "stayed": 6, "started": 4}
    assert found["event"].to_dict() == {"gap": 0, "stayed": 0, "started": 1}


# ---------------------------------------------------------------- against R


@pytest.fixture(scope="module")
def in_r() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "data_strategies.csv")


def test_strategies_and_weights_against_r(in_r: pd.DataFrame) -> None:
    theirs = pd.read_csv(GOLDEN / "strategies.csv", skipinitialspace=True)
    found = ips.treatment_strategies(
        in_r, "works", reference="control", at=[4, 10], dead="dead", covariates=["age", "site"]
    ).table
    found = found.assign(month=found["month"].fillna(found["time"]), group=found["group"] + found["contrast"])
    both = theirs.merge(found, on=["strategy", "measure", "group", "month"], suffixes=("_r", ""), validate="one_to_one")
    assert len(both) == len(theirs) == 27
    np.testing.assert_allclose(both["estimate"], both["estimate_r"], rtol=1e-8)
    known = both["std_error_r"].notna()
    np.testing.assert_allclose(both.loc[known, "std_error"], both.loc[known, "std_error_r"], rtol=1e-6)
    # the answers differ, so that the comparison means something
    assert both[both["measure"] == "months_in_work_difference"]["estimate"].nunique() == 3


def test_who_has_started_against_cmprsk(in_r: pd.DataFrame) -> None:
    people = in_r.drop_duplicates("person_id").set_index("person_id")
    death = in_r[in_r["dead"] == 1].groupby("person_id")["month"].min().reindex(people.index)
    event = np.where(people["crossover"].notna(), 1, np.where(death.notna(), 2, 0))
    time = people["crossover"].fillna(death).fillna(10).astype(int)
    theirs = pd.read_csv(GOLDEN / "strategies_incidence.csv", skipinitialspace=True)
    for variance in ("estimate", "std_error"):
        table = (ips.crossover if variance == "estimate" else _aalen)(people.assign(time=time, event=event)).table
        both = theirs.merge(table, on=["group", "time"], suffixes=("_r", ""), validate="one_to_one")
        # ours ends where everybody in IPS has started, in month 2
        assert len(both) == 12
        np.testing.assert_allclose(both[variance], both[f"{variance}_r"], rtol=1e-8 if variance == "estimate" else 1e-6)


def _aalen(people: pd.DataFrame) -> ips.Estimates:
    # cmprsk's errors are Aalen's; those of `crossover` are the infinitesimal jackknife of survival, proven in the table of agreement
    return ips.cumulative_incidence(people, by="arm", variance="aalen")


# ---------------------------------------------------------------- properties


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_only_months_before_a_start_matter_on_treatment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"person_id": np.repeat(np.arange(30), 4), "month": np.tile([1, 2, 3, 4], 30)})
    rows["arm"] = np.where(rows["person_id"] < 15, "control", "ips")
    rows["works"] = rng.integers(0, 2, len(rows))
    rows["crossover"] = np.repeat(np.where(rng.random(30) < 0.4, rng.integers(2, 6, 30), 99), 4)
    other = rows.assign(
        works=np.where((rows["arm"] == "control") & (rows["month"] >= rows["crossover"]), 1 - rows["works"], rows["works"])
    )
    one, two = (
        ips.treatment_strategies(t, "works", reference="control", at=[1, 2, 3, 4]).select(strategy="while_on_treatment").table
        for t in (rows, other)
    )
    pd.testing.assert_frame_equal(one, two)


# ---------------------------------------------------------------- the report and its gate


def test_the_demo_tells_both_answers(demo_followup: ips.FollowUp, demo_study: Path) -> None:
    study = demo_followup.study
    given_ = chapter.answers(study, None, demo_followup)
    found = given_["crossover_incidence"].table
    controls = demo_followup.crossover.query("arm == 'control'")
    assert found.loc[found["group"] == "control", "events"].sum() == (controls["event"] == 1).sum() > 0
    assert set(given_["crossover_strategies"].table["strategy"]) == set(STRATEGIES[:2])
    policy = given_["crossover_strategies"].select(strategy="treatment_policy", measure="risk_difference").table
    main = ips.compare_arms(demo_followup, "ordinary", at=[12, 18, 43]).select(measure="risk_difference").table
    np.testing.assert_array_equal(policy["estimate"], main["estimate"])
    facts = compute_results(ips.load_cohort(ips.load_study(demo_study)), demo_followup).facts
    assert facts["crossed"] == controls["month"].notna().sum()


def made(folder: Path, **options) -> ips.FollowUp:
    return ips.follow_up(ips.load_cohort(ips.load_study(ips.simulate_study(folder / "study", **options))))


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> ips.FollowUp:
    return made(tmp_path_factory.mktemp("sixty"), seed=11, participants=60)


def released(data: ips.FollowUp) -> dict[str, ips.Estimates]:
    return chapter.release(chapter.answers(data.study, None, data), load_profile("primary5"), words("en"))


@pytest.mark.parametrize("seed", [77])
def test_first_jobs_between_landmarks_are_enough(seed: int, tmp_path: Path) -> None:
    table = released(made(tmp_path, seed=seed, participants=150))["crossover_strategies"].table
    curve = table[(table["measure"] == "cumulative_incidence") & ~table["hidden"]]
    assert len(curve)
    for _, rows in curve.groupby(["strategy", "group"]):
        between = np.diff(rows.sort_values("time")["events"].to_numpy(dtype=float), prepend=0.0)
        assert not ((between > 0) & (between < K)).any()


@pytest.mark.parametrize("which", ["demo", "sixty"])
def test_what_leaves_holds_no_few(which: str, demo_followup: ips.FollowUp, sixty: ips.FollowUp) -> None:
    out = released(demo_followup if which == "demo" else sixty)

    def few(values: pd.Series) -> bool:
        return bool(((values > 0) & (values < K)).any())

    curve = out["crossover_incidence"].table
    assert not any(few(curve[c].dropna()) for c in ("n", "events", "competing", "censored", "at_risk"))
    table = out["crossover_strategies"].table
    for n, events in (("n", "events"), ("n_arm", "events_arm"), ("n_reference", "events_reference")):
        assert not few(table[n].dropna())
        assert not few(table[events].dropna())
        assert not few((table[n] - table[events]).dropna())
    assert table["crossed"].isna().all()
    assert table.loc[table["hidden"], NUMBERS].isna().all(axis=None)
    rates = table[(table["measure"] == "rate") & ~table["hidden"]]
    assert np.allclose(rates["estimate"], rates["events"] / rates["n"])
    # nor does one strategy less the other tell few people
    wide = rates.pivot_table(index=["group", "month"], columns="strategy", values=["n", "events"], aggfunc="first")
    for column in ("n", "events"):
        apart = (wide[column]["treatment_policy"] - wide[column]["while_on_treatment"]).dropna()
        assert not few(apart.abs())
    # a difference stands only where both arms do
    for row in table[(table["measure"] == "risk_difference") & ~table["hidden"]].itertuples():
        sides = rates[(rates["strategy"] == row.strategy) & (rates["month"] == row.month)]["group"]
        assert set(sides) == {"ips", "control"}
    if which == "sixty":
        crossed = sixty.crossover.query("arm == 'control'")["month"].notna().sum()
        assert 0 < crossed < K
        later = table[(table["strategy"] != "treatment_policy") & table["group"].isin(["", "control"])]
        assert later["hidden"].all()
        assert not any("started by month" in note for note in out["crossover_strategies"].notes)


def without(study, data: ips.FollowUp, arm: str) -> ips.FollowUp:
    """The same follow-up, as if nobody in the arm had started."""
    from dataclasses import replace

    table = data.crossover.copy()
    own = table["arm"] == arm
    table.loc[own & (table["event"] == 1), "event"] = 0
    table.loc[own, "month"] = pd.NA
    return replace(data, crossover=table)


def test_nobody_started_is_said_and_nothing_is_set_beside(demo_followup: ips.FollowUp) -> None:
    from ips_outcomes.reporting.report import _canvas

    study = demo_followup.study
    data = without(study, demo_followup, "control")
    given_ = chapter.answers(study, None, data)
    assert "crossover_strategies" not in given_
    for answers in (given_, chapter.release(given_, load_profile("primary5"), words("en"))):
        text = " ".join(chapter.sentences(study, answers, _canvas(study)))
        assert "Nobody in Usual care" in text
        assert chapter.tables(study, answers, _canvas(study))


def test_the_chapter_is_absent_where_there_is_nothing_to_cross_to(small_study_folder: Path, tmp_path: Path) -> None:
    one = made(tmp_path, seed=3, participants=40, one_arm=True)
    assert not chapter.answers(one.study, None, one)
    lone = follow(tmp_path / "lone", people=[{"person": p, "arm": "control"} for p in "AB"], arms=True, months=3).data
    assert not chapter.answers(lone.study, None, lone)
