"""Raw national identity numbers stop the run, and no message holds one."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.loaders.identity import identity_numbers, judge_column

#: From Skatteetaten's and python-stdnum's documentation, and synthetic ones built by the published rules.
KNOWN = {
    "documentation example": "15108695088", "with a space": "151086 95088", "with dots": "15.10.86.95088",
    "2032 example, birth in the future": "02013299997", "2032 example": "30108299920", "2032 example, new first digit": "30108299939",
    "synthetic + 80": "01912450097", "synthetic + 40": "01512450004", "synthetic + 65": "01762450050",
    "D-number + 80": "41912450080", "FH-number": "80000000098", "leading zero lost": "1912450097",
}  # fmt: skip


@pytest.mark.parametrize("number", KNOWN.values(), ids=KNOWN)
def test_every_kind_of_number_is_found(number: str) -> None:
    assert identity_numbers(pd.Series([number]))[0]


@pytest.mark.parametrize("text", ["", "15108695089", "123", "abcdefghijk", "99999999999", "00000000000"])
def test_what_is_no_number_is_not_found(text: str) -> None:
    assert not identity_numbers(pd.Series([text]))[0]


def test_random_keys_of_eleven_digits_pass_by_chance_about_once_in_a_hundred_and_are_not_refused() -> None:
    keys = pd.Series(np.random.default_rng(1).integers(10**10, 10**11, 200_000).astype(str))
    assert 0.005 < identity_numbers(keys).mean() < 0.03
    assert identity_numbers(keys, strict=True).mean() < 0.01
    assert judge_column("file", "lnr", keys.head(5000)) is None


def made_numbers(count: int) -> list[str]:
    """Numbers with right control digits, for days that nobody's calendar has any people on here: they are built, not found."""
    drawn = np.random.default_rng(2)
    candidates = pd.Series([f"{d:02d}{m:02d}{y:02d}{i:03d}{k:02d}" for d, m, y, i, k in zip(
        drawn.integers(1, 29, 90_000), drawn.integers(81, 93, 90_000), drawn.integers(0, 100, 90_000),
        drawn.integers(0, 1000, 90_000), drawn.integers(0, 100, 90_000), strict=True)])  # fmt: skip
    return candidates[identity_numbers(candidates, strict=True)].head(count).tolist()


@pytest.mark.parametrize("place", ["linkage", "register"])
def test_a_column_of_numbers_stops_the_run_without_echoing_one(tmp_path: Path, small_study_folder: Path, place: str) -> None:
    folder = shutil.copytree(small_study_folder, tmp_path / "study")
    name, column = {"linkage": ("linkage.csv", "lnr_ameld"), "register": ("f_jobber.csv", "w20_0450_lopenr_person")}[place]
    path = folder / "extracts" / name
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter=";"))
    numbers = made_numbers(len(rows))
    assert len(numbers) == len(rows)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows({**row, column: number} for row, number in zip(rows, numbers, strict=True))
    with pytest.raises(ips.DataError, match="national identity numbers") as caught:
        ips.load_cohort(ips.load_study(folder))
    assert not any(number in str(caught.value) for number in numbers)
    assert name in str(caught.value)
