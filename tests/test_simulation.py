"""The synthetic study: the same bytes from the same seed, and a truth that the package finds again."""

from __future__ import annotations

import filecmp
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import ips_outcomes as ips
from ips_outcomes.simulation import load_truth
from ips_outcomes.simulation.people import FIRST_MONTH, LAST_MONTH, draw_people, true_probability, work_states
from ips_outcomes.simulation.study import DEMO_SEED


def differing(one: Path, other: Path) -> list[str]:
    names = {p.relative_to(one).as_posix() for p in one.rglob("*") if p.is_file()}
    names |= {p.relative_to(other).as_posix() for p in other.rglob("*") if p.is_file()}
    return [
        n for n in sorted(names) if not ((one / n).is_file() and (other / n).is_file() and filecmp.cmp(one / n, other / n, False))
    ]


def test_the_committed_study_is_what_its_seed_makes(demo_study: Path, tmp_path: Path) -> None:
    made = ips.simulate_study(tmp_path / "again", seed=DEMO_SEED)
    assert differing(made.parent, demo_study.parent) == []
    assert sum(p.stat().st_size for p in demo_study.parent.rglob("*") if p.is_file()) < 10_000_000


def test_another_seed_makes_other_people(small_study_folder: Path, tmp_path: Path) -> None:
    same = ips.simulate_study(tmp_path / "same", seed=5, participants=80).parent
    assert differing(same, small_study_folder) == []
    other = ips.simulate_study(tmp_path / "other", seed=6, participants=80).parent
    assert "extracts/trial.sav" in differing(other, small_study_folder)


def test_it_says_in_plain_words_that_the_people_are_invented(demo_study: Path) -> None:
    assert "The people in these files are invented." in (demo_study.parent / "README.md").read_text(encoding="utf-8")
    _, meta = pyreadstat.read_sav(str(demo_study.parent / "extracts" / "trial.sav"), metadataonly=True)
    assert "Invented people" in meta.file_label


def test_the_trial_file_has_labels_and_missing_codes(demo_study: Path) -> None:
    table, meta = pyreadstat.read_sav(str(demo_study.parent / "extracts" / "trial.sav"), user_missing=True)
    assert meta.variable_value_labels["gruppe"] == {1.0: "IPS", 2.0: "Vanlig oppfølging"}
    assert meta.missing_ranges["diag_gr"] == [{"lo": 99.0, "hi": 99.0}]
    assert (table["diag_gr"] == 99).any()
    assert (table["status"] == 1).sum() == 410


def test_every_delivery_has_keys_of_its_own(demo_study: Path) -> None:
    keys = pd.read_csv(demo_study.parent / "extracts" / "linkage.csv", sep=";", dtype=str).dropna()
    columns = [set(keys[column]) for column in keys]
    assert all(not a & b for i, a in enumerate(columns) for b in columns[:i])


def test_windows_cross_the_break_of_2015(demo_followup: ips.FollowUp) -> None:
    assert demo_followup.person_months["crosses_2015_break"].mean() > 0.9
    assert {"aa_register", "a_ordning"} <= set(demo_followup.person_months["source_system"])


def test_the_truth_holds_what_is_published_and_says_what_is_not() -> None:
    work = load_truth()["work"]
    rows = list(zip(work["months"], work["ips"], work["control"], work["source"], strict=True))
    assert [row for row in rows if row[3] == "published"] == [(12, 0.366, 0.271, "published"), (18, 0.374, 0.271, "published")]
    assert [row[0] for row in rows if row[3] == "direction"] == [24, 31, 43]
    later = [row for row in rows if row[0] >= 18]
    assert all(b[1] > a[1] and b[2] < a[2] for a, b in pairwise(later))


def test_states_have_the_true_share_in_every_month() -> None:
    truth = load_truth()
    truth["events"] |= {"death": 0.0, "emigration": 0.0}
    rng = np.random.default_rng(1)
    people = draw_people(truth, rng, 60_000, one_arm=False)
    share = true_probability(truth, people)
    states = work_states(truth, people, rng)
    for chosen in (people.ips, ~people.ips, people.ips & people.groups["severe"], ~people.ips & people.groups["age_18_30"]):
        error = np.sqrt(0.25 / chosen.sum())
        assert np.abs(states[chosen].mean(0) - share[chosen].mean(0)).max() < 5 * error
    months = np.arange(FIRST_MONTH, LAST_MONTH + 1)
    assert share[people.ips].mean(0)[months == 18] == pytest.approx(0.374, abs=0.003)


@pytest.mark.slow
def test_the_package_finds_the_truth_again_from_the_extracts(tmp_path: Path) -> None:
    number = 6000
    study = ips.load_study(ips.simulate_study(tmp_path / "large", seed=3, participants=number))
    followed = ips.follow_up(ips.load_cohort(study))
    work = load_truth()["work"]
    # people who left are out of the rates at random, so that the share among those observed is the true one
    table = ips.employment_rates(followed, "ordinary", by="arm", at=[6, 12, 18, 24, 31, 43]).table
    for row in table.itertuples():
        true = work[row.group][work["months"].index(row.month)]
        assert abs(row.estimate - true) < 4 * row.std_error + 0.012, (row.group, row.month, row.estimate, true)
    # the built-in modifiers come out in the right order
    effects = {}
    for name, subgroup in study.subgroups.items():
        rates = ips.employment_rates(followed, "ordinary", by=["arm", name], at=43).table.set_index(["arm", name])["estimate"]
        effects[name] = [rates["ips", level] - rates["control", level] for level in (subgroup.label, subgroup.label_other)]
    assert all(inside > outside for inside, outside in effects.values())


@pytest.mark.parametrize("participants", [19, 100_001])
def test_a_size_out_of_range_is_refused(tmp_path: Path, participants: int) -> None:
    with pytest.raises(ips.UnsupportedError, match="between 20 and"):
        ips.simulate_study(tmp_path / "x", participants=participants)


def test_a_folder_with_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ips.UnsupportedError, match="choose another folder"):
        ips.simulate_study(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").is_file()
