"""The command that counts: its files, what it refuses, and that it agrees with the report's person-months."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner

import ips_outcomes as ips
from ips_outcomes.cli import main


def call(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_counts_are_those_of_the_person_months(small_study_folder: Path, tmp_path: Path) -> None:
    done = call("count", small_study_folder / "study.toml", "--out", tmp_path / "out", "--definition", "ordinary")
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == ["manifest.json", "months.csv", "rows.csv"]
    months = pd.read_csv(tmp_path / "out" / "months.csv")
    table = ips.follow_up(ips.load_cohort(ips.load_study(small_study_folder))).person_months
    want = table.groupby(["arm", "month"])["ordinary"].agg(n="count", events="sum").reset_index()
    got = months.sort_values(["arm", "month"], ignore_index=True)[["arm", "month", "n", "events"]]
    pd.testing.assert_frame_equal(got, want, check_dtype=False)
    known = months[months["n"] > 0]
    assert np.allclose(known["rate"], known["events"] / known["n"]) and len(known) > 20


def test_a_definition_that_looks_at_pay_is_refused_by_its_rule(small_study_folder: Path, tmp_path: Path) -> None:
    done = call("count", small_study_folder / "study.toml", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "minimum_weekly_hours" in done.output
    assert not (tmp_path / "out").exists()


def test_counts_never_lie_in_a_release(small_study_folder: Path, tmp_path: Path) -> None:
    done = call("count", small_study_folder / "study.toml", "--out", tmp_path / "release" / "x", "--definition", "any_job")
    assert done.exit_code == 1 and "release" in done.output
