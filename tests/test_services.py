"""How a service worked: the funnel, the shares beside those in print, and what of them may leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from scipy import stats

import ips_outcomes as ips
from ips_outcomes.reporting import services_chapter as chapter
from ips_outcomes.reporting.report import _canvas
from ips_outcomes.reporting.suppression import NUMBERS, load_profile
from ips_outcomes.reporting.words import words
from ips_outcomes.study.services import Published, printed

K = 5


def made(folder: Path, **options) -> ips.FollowUp:
    return ips.follow_up(ips.load_cohort(ips.load_study(ips.simulate_study(folder / "study", **options))))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> ips.FollowUp:
    """Sixty people of a service without a control group."""
    return made(tmp_path_factory.mktemp("service"), seed=11, participants=60, one_arm=True)


# ---------------------------------------------------------------- the funnel


def test_a_study_of_two_numbers() -> None:
    table = ips.service_funnel(pd.DataFrame({"step": ["offered", "in a job"], "people": [153, 78]})).table
    row = table[table["measure"] == "share_of_first"].iloc[0]
    interval = stats.binomtest(78, 153).proportion_ci(method="wilson")
    assert (row["n"], row["events"], row["estimate"]) == (153, 78, 78 / 153)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_each_share_has_its_own_denominator() -> None:
    counts = pd.DataFrame({"stage": ["a", "b", "c"], "number": [40, 20, 5]})
    table = ips.service_funnel(counts, step="stage", people="number").table
    found = {(r.outcome, r.measure): (r.n, r.events, r.estimate) for r in table.itertuples() if r.measure != "count"}
    assert found == {
        ("b", "share_of_first"): (40, 20, 0.5), ("b", "share_of_previous"): (40, 20, 0.5),
        ("c", "share_of_first"): (40, 5, 0.125), ("c", "share_of_previous"): (20, 5, 0.25),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "people", "said"),
    [
        (["a", "b"], [10, 11], "cannot widen"), (["a", "b"], [10, 1.5], "count people"), (["a", "b"], [10, None], "count people"),
        (["a", "b"], [10, -1], "count people"), (["a", "a"], [10, 9], "name of its own"), (["a", "b"], [0, 0], "nobody"),
        ([], [], "nobody"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_funnel(steps: list, people: list, said: str) -> None:
    with pytest.raises(ips.UnsupportedError, match=said):
        ips.service_funnel(pd.DataFrame({"step": steps, "people": people}))


def test_a_step_that_nobody_reached_has_no_share_after_it() -> None:
    table = ips.service_funnel(pd.DataFrame({"step": ["a", "b", "c"], "people": [9, 0, 0]})).table
    last = table[(table["outcome"] == "c") & (table["measure"] == "share_of_previous")].iloc[0]
    assert np.isnan(last["estimate"])
    assert last["method"] == "nobody at the step before"


def test_the_funnel_of_a_follow_up_counts_people(service: ips.FollowUp) -> None:
    months = service.person_months[service.person_months["month"].between(1, 43)]
    ever = months.loc[months["ordinary"].fillna(False).astype(bool), "person_id"].nunique()
    now = months.loc[(months["month"] == 43) & months["ordinary"].fillna(False).astype(bool), "person_id"].nunique()
    table = ips.service_funnel(service).table.drop_duplicates("outcome")
    offered = int(service.flow.loc[service.flow["step"] == "offered", "people"].iloc[0])
    assert dict(zip(table["outcome"], table["events"], strict=True)) == {
        "offered": offered,
        "joined": 60,
        "had_job": ever,
        "in_work": now,
    }
    with pytest.raises(ips.UnsupportedError, match="nobody in arm tau"):
        ips.service_funnel(service, arm="tau")
    with pytest.raises(ips.UnsupportedError, match="month= lies in 1 to 43"):
        ips.service_funnel(service, month=44)


def test_a_trial_offers_to_both_arms_and_its_funnel_begins_at_inclusion(demo_followup: ips.FollowUp) -> None:
    table = ips.service_funnel(demo_followup).table
    assert set(table["group"]) == {"ips"}
    assert table["outcome"].iloc[0] == "joined"


# ---------------------------------------------------------------- results in print


def test_print_holds_shares_of_people_with_a_source() -> None:
    table = ips.published_rates()
    assert table["name"].is_unique
    assert table["share"].between(0, 1, inclusive="neither").all()
    assert table["measured"].isin(["in_month", "by_month", "of_offered"]).all()
    assert (table["source"].str.len() > 10).all()
    # only what was measured without a fixed time has no month
    assert (table["month"].isna() == (table["measured"] == "of_offered")).all()
    counted = table[table["n"].notna()]
    assert (counted["people"] / counted["n"]).tolist() == counted["share"].tolist()
    # EQOLISE prints 55 % beside 85 of 156, which is 54.5
    assert counted.set_index("name").loc["eqolise_2007", "share"] == 85 / 156
    # what stands in the reference as memory, or with disputed numbers of people, is not here
    assert not table["study"].str.contains("Nuechterlein|Michon|Oshima|Holm").any()
    with pytest.raises(ips.UnsupportedError, match="no published rate is called reme"):
        ips.published_rates("reme")


def three() -> pd.DataFrame:
    """A works at the start; B gets a job in month 2; C never does; D is not seen in month 2."""
    work = {"A": [1, 1, 1], "B": [0, 0, 1], "C": [0, 0, 0], "D": [0, 0, None]}
    return pd.DataFrame(
        [{"person_id": p, "arm": "ips", "month": m, "works": w} for p, ws in work.items() for m, w in enumerate(ws)]
    )


def test_own_shares_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"country": "X", "population": "p", "what": "w", "source": "nowhere at all"}
    for name, kind in (("now", "in_month"), ("ever", "by_month")):
        monkeypatch.setitem(printed(), name, {"study": name, "measured": kind, "month": 2, "percent": 50.0, **entry})
    table = ips.beside_published(three(), "works", ["now", "ever"]).table
    own = table[~table["published"]].set_index("measure")
    # month 2: A and B of A, B and C
    assert (own.loc["in_month", "events"], own.loc["in_month", "n"]) == (2, 3)
    # any job by month 2: A had one at the start; B of B and C; D was not seen throughout
    assert (own.loc["by_month", "events"], own.loc["by_month", "n"], own.loc["by_month", "not_seen"]) == (1, 2, 1)
    assert table.loc[table["published"], "estimate"].tolist() == [0.5, 0.5]
    assert table.loc[table["published"], "conf_low"].isna().all()


@pytest.mark.parametrize(
    ("month", "reference", "said"),
    [([12, 12, 12], None, "1 rows repeat"), ([12, 12.5, 12], None, "1 months are missing or not whole"),
     ([12, 12, np.nan], None, "1 months are missing or not whole"), ([12, 11, 12], "tau", "nobody in arm tau")],
)  # fmt: skip
def test_rows_that_cannot_be_counted_beside_print_are_refused(month: list, reference: str | None, said: str) -> None:
    rows = pd.DataFrame({"person_id": [1, 1, 2], "month": month, "works": [1, 1, 0], "arm": "ips"})
    with pytest.raises(ips.UnsupportedError, match=said):
        ips.beside_published(rows, "works", "reme_2019_month_12", reference=reference)


def test_a_month_past_the_data_has_no_row_of_its_own() -> None:
    table = ips.beside_published(three(), "works", ["eqolise_2007"]).table
    assert table["published"].tolist() == [True]
    # counts in print give Wilson's interval
    assert table["conf_low"].notna().all()
    for wrong, said in (({"outcome": None}, "name the outcome"), ({"outcome": "pay"}, "no column pay")):
        with pytest.raises(ips.UnsupportedError, match=said):
            ips.beside_published(three(), **wrong)
    with pytest.raises(ips.UnsupportedError, match="nobody"):
        ips.beside_published(three(), "works", reference="ips")


def test_default_names_are_those_of_the_landmarks(service: ips.FollowUp) -> None:
    found = ips.beside_published(service)
    assert set(found.table["month"]) == {12, 18}
    own = found.table[~found.table["published"]]
    assert sorted(zip(own["measure"], own["month"], strict=True)) == [
        ("by_month", 12),
        ("by_month", 18),
        ("in_month", 12),
        ("in_month", 18),
    ]
    rates = ips.employment_rates(service, "ordinary", by="arm", at=[12]).table
    own = found.table[~found.table["published"] & (found.table["measure"] == "in_month") & (found.table["month"] == 12)]
    assert own["estimate"].tolist() == rates["estimate"].tolist()
    assert "no sign that a service" in found.notes[0]


# ---------------------------------------------------------------- the chapter


def with_print(data: ips.FollowUp, *names: str) -> ips.FollowUp:
    return replace(data, study=data.study.model_copy(update={"published": Published(compare_with=names)}))


def test_what_each_study_has(service: ips.FollowUp, demo_followup: ips.FollowUp) -> None:
    def has(data: ips.FollowUp) -> set[str]:
        return {name.removeprefix("services_") for name in chapter.answers(data.study, None, data)}

    assert has(service) == {"funnel", "targets", "published"}
    assert has(with_print(service)) == {"funnel", "targets"}
    # a trial is set beside results in print only where it asks
    assert has(demo_followup) == {"funnel", "targets"}
    assert has(with_print(demo_followup, "reme_2019_month_12")) == {"funnel", "targets", "published"}


def test_of_those_offered_stands_beside_the_service_that_counted_them(service: ips.FollowUp) -> None:
    data = with_print(service, "vips_sandefjord_2015")
    table = chapter.answers(data.study, None, data)["services_published"].table
    assert table["published"].tolist() == [True, False]
    funnel = ips.service_funnel(service).select(outcome="had_job", measure="share_of_first").table
    assert table["estimate"].iloc[1] == funnel["estimate"].iloc[0]
    canvas = _canvas(data.study)
    assert any("Got a job" in row.cells[0] for row in chapter.tables(data.study, {"services_published": chapter.answers(data.study, None, data)["services_published"]}, canvas)["services_in_print"].rows)  # fmt: skip


def test_every_part_is_drawn_and_told(service: ips.FollowUp) -> None:
    study, canvas = service.study, _canvas(service.study)
    exact = chapter.answers(study, None, service)
    for answers in (exact, chapter.release(exact, load_profile("primary5"), words("en"))):
        for plan in chapter.plans(study, answers, canvas):
            for narrow in (False, True):
                figure = plan.draw(_canvas(study, narrow=narrow))
                figure.draw_without_rendering()
        shown = chapter.tables(study, answers, canvas)
        assert {"services_steps", "services_in_print"} <= set(shown)
        assert all(len(row.cells) == len(table.columns) or row.heading for table in shown.values() for row in table.rows)
        assert chapter.sentences(study, answers, canvas)


# ---------------------------------------------------------------- what may leave


def few(values: pd.Series) -> bool:
    known = values.dropna()
    return bool(((known > 0) & (known < K)).any())


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5))
def test_no_step_tells_few_people(counts: list[int]) -> None:
    steps = sorted(counts, reverse=True)
    if steps[0] == 0:
        return
    exact = ips.service_funnel(pd.DataFrame({"step": [f"s{i}" for i in range(len(steps))], "people": steps}))
    table = chapter._funnel(exact, K).table
    shown = table.drop_duplicates("outcome")["events"].dropna().astype(int).tolist()
    assert not any(0 < n < K for n in shown)
    assert not any(0 < a - b < K for i, a in enumerate(shown) for b in shown[i + 1 :])
    known = table[table["estimate"].notna()]
    assert set(known["n"]) | set(known["events"]) <= set(shown)
    assert table.loc[table["hidden"], NUMBERS].isna().all(axis=None)
    # nothing is hidden without a reason
    if all(n == 0 or n >= K for n in steps) and all(a == b or a - b >= K for i, a in enumerate(steps) for b in steps[i + 1 :]):
        assert not table["hidden"].any()


def test_targets_and_print_leave_without_few(service: ips.FollowUp, demo_followup: ips.FollowUp) -> None:
    for data in (service, demo_followup, with_print(service, "reme_2019_month_12", "vips_sandefjord_2015", "eqolise_2007")):
        out = chapter.release(chapter.answers(data.study, None, data), load_profile("primary5"), words("en"))
        targets = out["services_targets"].table
        for column in ("n", "events", "not_seen"):
            assert not few(targets[column])
        assert not few(targets["n"] - targets["events"])
        shares = targets[targets["measure"] == "share"]
        assert shares.loc[shares["events"].isna(), NUMBERS].isna().all(axis=None)
        if "services_published" in out:
            table = out["services_published"].table
            assert not few(table["n"])
            assert not few(table["events"])
            assert not few(table["n"] - table["events"])
            assert not few(table["not_seen"])
            assert table.loc[table["published"].astype(bool), "estimate"].notna().all()
        assert all(not part.notes for part in out.values())
