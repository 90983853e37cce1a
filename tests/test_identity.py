"""Raw national identity numbers stop the run, and no message holds one."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from identity_numbers import KINDS, build, closed, several, weighted
from scipy import stats

import ips_outcomes as ips
from ips_outcomes.loaders import identity
from ips_outcomes.loaders.identity import IdentityScan, identity_numbers, judge_column
from ips_outcomes.loaders.identity_rules import whole_numbers

#: The nine of the field guide: from Skatteetaten's and python-stdnum's documentation, or built there by the published rules.
NINE = {
    "documentation example": "15108695088", "2032 example, birth in the future": "02013299997", "2032 example": "30108299920",
    "2032 example, new first digit": "30108299939", "synthetic + 80": "01912450097", "synthetic + 40": "01512450004",
    "synthetic + 65": "01762450050", "D-number + 80": "41912450080", "FH-number": "80000000098",
}  # fmt: skip
WRITTEN = {
    "with a space": "151086 95088", "with dots": "15.10.86.95088", "with hyphens": "151086-950-88", "with a slash": "151086/95088",
    "with a no-break space": "151086\u00a095088", "with a dash": "151086–95088", "leading zero lost": "1912450097",
    "float": "15108695088.0", "float with comma": "15108695088,00", "exponent": "1.5108695088e10", "Excel's exponent": "1,5108695088E+10",
    "exponent, zero lost": "1.912450097e9", "Excel's apostrophe": "'15108695088", "Excel's formula": '="15108695088"',
}  # fmt: skip
EXAMPLE = "15108695088"


def refused(values: object, column: str = "lnr") -> list[ips.errors.Problem]:
    scan = IdentityScan("file.csv")
    scan.look_at(pd.DataFrame({column: values}))
    return scan.verdict()[0]


@pytest.mark.parametrize("number", [*NINE.values(), *WRITTEN.values()], ids=[*NINE, *WRITTEN])
def test_every_kind_of_number_is_found(number: str) -> None:
    assert identity_numbers(pd.Series([number]))[0]
    assert len(refused([number])) == 1
    assert len(refused([number] * 50 + [None, ""])) == 1


@pytest.mark.parametrize("text", ["", "15108695089", "123", "abcdefghijk", "99999999999", "00000000000", "115108695088", "3.15108695088",
                                  "2020-01-15 12:34:56"])  # fmt: skip
def test_what_is_no_number_is_not_found(text: str) -> None:
    assert not identity_numbers(pd.Series([text]))[0]
    assert refused([text]) == []


@pytest.mark.parametrize("values", [
    np.array([15108695088, 1912450097]), np.array([15108695088.0, np.nan]), pd.array([15108695088, None], dtype="Int64"),
    pd.Series([15108695088, "a", None, 2.5], dtype=object), pd.Categorical([EXAMPLE, None]), pd.Categorical([15108695088, None]),
    pd.array([EXAMPLE, None], dtype="string"), pd.Series([15108695088.0, "02013299997"], dtype=object), pd.Series([EXAMPLE.encode()]),
    np.array([15108695088], dtype="uint64"),
], ids=["integers", "floats", "nullable", "mixed", "categories", "numeric categories", "string", "mixed floats", "bytes", "unsigned"])  # fmt: skip
def test_every_type_of_column_is_looked_at(values: object) -> None:
    assert len(refused(values)) == 1


def test_columns_that_hold_no_numbers_of_any_length_are_passed_over() -> None:
    frame = pd.DataFrame(
        {"flag": [True, False], "day": pd.to_datetime(["2020-01-01", None]), "part": [0.5, np.inf], "none": [None, None]}
    )
    scan = IdentityScan("file.csv")
    scan.look_at(frame)
    scan.look_at(frame.head(0))
    assert scan.verdict() == ([], [])


@given(st.sampled_from([*KINDS]), st.integers(1, 31), st.integers(1, 12), st.integers(0, 99), st.integers(0, 999), st.integers(0, 3),
       st.lists(st.sampled_from(["", "", " ", ".", "-", " - "]), min_size=10, max_size=10), st.sampled_from(["float", "text", "exponent"]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_number_is_found_however_it_is_written(kind, day, month, year, individual, remainder, between, as_) -> None:
    number = build(day, month, year, individual, kind, remainder)
    assume(number is not None)
    apart = "".join(digit + mark for digit, mark in zip(number, [*between, ""], strict=True))
    unfilled = number.removeprefix("0")
    written = [apart, number, unfilled]
    if as_ == "float":
        written.append(float(number))
    elif as_ == "exponent" and len(unfilled.rstrip("0")) > 8:
        written += [f"{int(number):.10e}", f"{int(number):.10E}".replace(".", ",")]
    found = identity_numbers(pd.Series(written, dtype=object))
    assert found.all()
    assert (identity_numbers(pd.Series(written, dtype=object), strict=True) == (remainder == 0)).all()
    for value in written:
        problems = refused([value])
        assert len(problems) == 1
        assert not set("".join(map(str, written)).split()) & set(str(problems[0]).split())
    if remainder == 0:
        grouped = f"{number[:6]} {number[6:]}"
        assert len(refused([f"sjekk {number}, takk", f"og ({grouped})"])) == 1


def test_the_rules_agree_with_a_plain_reading_of_them() -> None:
    """Digit by digit, in Python, of random numbers and of random numbers whose control digits were mended."""
    drawn = np.random.default_rng(3)
    numbers = [f"{number:011d}" for number in drawn.integers(0, 10**11, 4000)]
    numbers += [made for number in numbers if (made := closed(number[:9], int(drawn.integers(0, 5)))) is not None]

    def plain(number: str, remainders: range) -> bool:
        day, month = int(number[:2]), int(number[2:4])
        dated = (1 <= day <= 31 or 41 <= day <= 71) and any(1 <= month - more <= 12 for more in (0, 40, 65, 80))
        allowed = remainders if dated else range(1 if number[0] in "89" else 0)
        return weighted(number[:10], "3761894521") % 11 in allowed and weighted(number, "54327654321") % 11 == 0

    found, strict = identity_numbers(pd.Series(numbers)), identity_numbers(pd.Series(numbers), strict=True)
    assert found.tolist() == [plain(number, range(4)) for number in numbers]
    assert strict.tolist() == [plain(number, range(1)) for number in numbers]
    assert 200 < strict.sum() < found.sum() < len(numbers) / 2


@pytest.mark.parametrize("text", ["ring 151086 95088 i morgen", "15.10.86 95088", "f. 15.10.86-95088.", f"({EXAMPLE})", f"fnr{EXAMPLE}",
                                  f"fnr_{EXAMPLE}_v2", f"{EXAMPLE}, 8001", "12 151086 95088", f"a\n{EXAMPLE}", f"{EXAMPLE};{EXAMPLE}",
                                  "D-nr 41912450080 (Tenor)", "pas. 01512450004 og", "mor 01762450050"])  # fmt: skip
def test_a_number_in_free_text_is_found_by_itself(text: str) -> None:
    rest = [f"Møte nr {number}, kom {number % 29} minutter for sent" for number in range(5000)]
    problems = refused([*rest, text], "notat")
    assert [(problem.place, problem.count) for problem in problems] == [("column notat", 1)]
    assert "151086" not in str(problems[0]) and "95088" not in str(problems[0])


@pytest.mark.parametrize("text", ["115108695088 er et løpenummer", "kode 1510869508812", "beløp 0.15108695088 av 1", "kr 15108695088.50",
                                  "01.02.2020 125 mg", "tlf 22 33 44 55 500", "ring 15108695089", "konto 1510.86.9508"])  # fmt: skip
def test_other_numbers_in_free_text_pass(text: str) -> None:
    assert refused(["god dag", text], "notat") == []


@pytest.mark.parametrize("header", ["fnr", "FNR", "barn_fnr", "fodselsnr", "Fødselsnummer", "FÃ¸dselsnr", "personnummer", "PID", "brukerFnr",
                                    "d_nummer", "fnr1"])  # fmt: skip
def test_a_header_that_says_it_is_enough_with_any_number_of_that_length(header: str) -> None:
    keys = np.random.default_rng(1).integers(10**10, 10**11, 400).astype(str)
    assert refused(keys, "lnr") == []
    assert len(refused(keys, header)) == 1
    assert refused(["A17", "B4", None], header) == [] and refused(["PNG4BTV7HPSPDOF25YZ53"], header) == []


@pytest.mark.parametrize("place", ["file", "header", "label", "note"])
@pytest.mark.parametrize("number", [EXAMPLE, "151086 95088", "41912450080"])
def test_names_and_labels_are_looked_at_and_masked(place: str, number: str) -> None:
    scan = IdentityScan(f"skjema_{number}.csv" if place == "file" else "skjema.csv")
    scan.look_at(pd.DataFrame({f"svar {number}" if place == "header" else "svar": [1, 2]}))
    scan.look_at_names(
        ["svar"], [None, 1.0, "Ja", number if place == "label" else "Nei", f"rettet for {number}" if place == "note" else ""]
    )
    problems, doubts = scan.verdict()
    where = {"file": "the file's name", "header": "column names", "label": "labels and notes", "note": "labels and notes"}[place]
    assert [problem.place for problem in problems] == [where] and doubts == []
    assert number not in str(problems[0])
    assert ("***********" in problems[0].file) == (place == "file")


def test_a_column_called_by_a_number_is_told_of_without_it() -> None:
    problems = refused([EXAMPLE] * 3, f"svar {EXAMPLE}")
    assert {problem.place for problem in problems} == {"column svar ***********", "column names"}
    assert EXAMPLE not in " ".join(map(str, problems))


KEYS = {
    "eleven digits": lambda drawn, n: drawn.integers(10**10, 10**11, n).astype(str),
    "eleven digits, numeric": lambda drawn, n: drawn.integers(10**10, 10**11, n),
    "ten digits": lambda drawn, n: drawn.integers(10**9, 10**10, n).astype(str),
    "ten digits, numeric": lambda drawn, n: drawn.integers(10**9, 10**10, n),
    "ten digits, zeros in front": lambda drawn, n: [f"{key:010d}" for key in drawn.integers(0, 10**10, n)],
    "day and three digits": lambda drawn, n: [f"{y}{m:02d}{d:02d}{k:03d}" for y, m, d, k in zip(
        drawn.integers(1930, 2021, n), drawn.integers(1, 13, n), drawn.integers(1, 29, n), drawn.integers(0, 1000, n), strict=True)],
    "job codes": lambda drawn, n: [f"JOB{key}X" for key in drawn.integers(10**10, 10**11, n)],
    "hexadecimal": lambda drawn, n: [drawn.bytes(20).hex() for _ in range(n)],
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_columns_of_pseudonyms_pass(kind: str) -> None:
    for size, columns, most in ((3, 30, 1), (20, 30, 1), (60, 15, 1), (400, 8, 0), (5000, 2, 0)):
        frame = pd.DataFrame({f"key{seed}": KEYS[kind](np.random.default_rng([size, seed]), size) for seed in range(columns)})
        scan = IdentityScan("file.csv")
        scan.look_at(frame)
        assert len(scan.columns()) <= most, size


@pytest.mark.parametrize("kind", list(KEYS)[:6])
def test_keys_are_refused_no_more_often_than_promised(kind: str) -> None:
    """At most 2 of 1,000 columns by each of three rules; a column of one to three values is the worst."""
    for size, most in (
        (1, 0.025),
        (2, 0.025),
        (3, 0.01),
        (12, 0.008),
        (19, 0.008),
        (20, 0.008),
        (45, 0.008),
        (100, 0.008),
        (1000, 0.002),
    ):
        columns = 400
        drawn = pd.Series(KEYS[kind](np.random.default_rng(size), size * columns))
        numbers = whole_numbers(drawn).reshape(columns, size)
        assert sum(identity._judged(np.unique(row)).refused for row in numbers) <= most * columns, size


@pytest.mark.parametrize("values", [
    lambda drawn: drawn.integers(800_000_000, 1_000_000_000, 20_000), lambda drawn: drawn.integers(4_740_000_000, 4_799_999_999, 20_000),
    lambda drawn: drawn.normal(32_000, 9_000, 20_000), lambda drawn: drawn.lognormal(18, 3, 20_000).round(),
    lambda drawn: [f"{pay:.2f}" for pay in drawn.lognormal(18, 3, 20_000)], lambda drawn: [f"{pay:.6f}" for pay in drawn.normal(32_000, 9_000, 20_000)],
    lambda drawn: [f"+47 {a} {b} {c:03d}" for a, b, c in drawn.integers(100, 999, (20_000, 3))],
    lambda drawn: pd.to_datetime(drawn.integers(0, 10**9, 20_000), unit="s").strftime("%Y-%m-%d %H:%M:%S.%f"),
], ids=["organisations", "phones", "pay", "turnover", "turnover as text", "pay as text", "phones as text", "times"])  # fmt: skip
def test_other_long_numbers_pass(values) -> None:
    assert [refused(values(np.random.default_rng(seed))) for seed in range(3)] == [[]] * 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent, expected", [(0, "passed"), (3, "told"), (8, "refused"), (100, "refused")])
def test_the_share_decides_in_a_column_of_keys(kind: str, percent: int, expected: str) -> None:
    keys = np.random.default_rng(4).integers(10**10, 10**11, 2000 - 20 * percent).astype(str)
    clean = keys[~identity_numbers(pd.Series(keys, dtype=object))].tolist() if len(keys) else []
    scan = IdentityScan("file.csv")
    scan.look_at(pd.DataFrame({"lnr": [*clean, *several(20 * percent, 5, kind)]}))
    problems, doubts = scan.verdict()
    assert ("refused" if problems else "told" if doubts else "passed") == expected
    if doubts:
        assert (doubts[0].place, doubts[0].count, doubts[0].total) == ("column lnr", 60, len(clean) + 60)


def test_ten_percent_of_twenty_values_is_refused_and_a_new_kind_of_number_in_a_short_column() -> None:
    keys = [f"99{number:09d}" for number in range(18)]
    clean = pd.Series(keys)[~identity_numbers(pd.Series(keys))].tolist()
    assert len(refused([*clean, *several(2, 6)])) == 1
    assert len(refused(several(3, 7, remainder=2))) == 1
    assert refused([clean[0], clean[1], several(1, 7, remainder=2)[0]]) == []


def test_a_share_is_of_different_values() -> None:
    keys = np.random.default_rng(8).integers(10**10, 10**11, 3000).astype(str)
    hit = keys[identity_numbers(pd.Series(keys, dtype=object))][:1]
    assert refused([*keys, *np.repeat(hit, 5000)]) == []


def test_one_long_amount_among_many_is_no_number_without_its_zero() -> None:
    amounts = np.arange(1000, 3000)
    assert refused([*amounts, 1912450097]) == []
    assert len(refused([1912450097, 1512450004])) == 1


@pytest.mark.parametrize("kept", [200_000, 300])
def test_chunks_and_their_order_do_not_change_the_verdict(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(identity, "_KEPT", kept)
    drawn = np.random.default_rng(9)
    keys = drawn.integers(10**10, 10**11, 1900).astype(str).tolist()
    columns = {"clean": [*keys, *keys[:100]], "three": [*keys, *several(60, 10), *keys[:40]], "ten": [*keys[:1800], *several(200, 11)],
               "text": [f"rad {i}" for i in range(1999)] + [f"ring {EXAMPLE}"], "empty": [None] * 1000 + [""] * 1000}  # fmt: skip
    frame = pd.DataFrame(columns)

    def verdict(parts: list[pd.DataFrame]) -> tuple:
        scan = IdentityScan("file.csv")
        for part in parts:
            scan.look_at(part)
        return scan.verdict()

    whole = verdict([frame])
    assert [problem.place for problem in whole[0]] == ["column ten", "column text"]
    # a sample of 300 may doubt where all of 2,000 do not; it must not stop
    assert {doubt.place for doubt in whole[1]} >= {"column three"}
    assert max(doubt.total for doubt in whole[1]) <= kept
    for size in (170, 500, 1999):
        assert verdict([frame[i : i + size] for i in range(0, len(frame), size)]) == whole
    end = frame.tail(25)
    assert verdict([end[i : i + 1] for i in range(25)]) == verdict([end]) != ([], [])
    assert verdict([frame.iloc[drawn.permutation(len(frame))]]) == whole


def test_memory_is_bounded_and_the_sample_is_even() -> None:
    numbers = identity._Numbers()
    for start in range(10**10, 10**10 + 600_000, 100_000):
        numbers.add(np.arange(start, start + 100_000))
    kept = numbers.values()
    assert len(kept) == 200_000
    assert abs((kept - 10**10).mean() / 300_000 - 1) < 0.01


@pytest.mark.parametrize("trials, chance", [(1, 1 / 121), (19, 4 / 121), (60, 1 / 121), (5000, 4 / 121), (200_000, 1 / 121)])
def test_the_tail_is_the_binomial_one(trials: int, chance: float) -> None:
    for hits in {*range(min(trials, 12) + 1), trials // 20, trials // 2, trials}:
        expected = stats.binom.sf(hits - 1, trials, chance) if hits > trials * chance else 1.0
        assert identity._tail(hits, trials, chance) == pytest.approx(expected, rel=1e-6, abs=1e-250)


def test_one_column_by_itself() -> None:
    problem = judge_column("file.csv", "note", pd.Series([EXAMPLE, None]))
    assert problem is not None and (problem.file, problem.place, problem.count) == ("file.csv", "column note", 1)
    assert "ips-outcomes pseudonymise" in problem.remedy
    assert judge_column("file.csv", "note", pd.Series([None, None], dtype=object)) is None


@pytest.mark.parametrize("place", ["linkage", "register"])
def test_a_column_of_numbers_stops_the_run_without_echoing_one(tmp_path: Path, small_study_folder: Path, place: str) -> None:
    folder = shutil.copytree(small_study_folder, tmp_path / "study")
    name, column = {"linkage": ("linkage.csv", "lnr_ameld"), "register": ("f_jobber.csv", "w20_0450_lopenr_person")}[place]
    path = folder / "extracts" / name
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter=";"))
    numbers = several(len(rows), 2)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows({**row, column: number} for row, number in zip(rows, numbers, strict=True))
    with pytest.raises(ips.DataError, match="national identity numbers") as caught:
        ips.load_cohort(ips.load_study(folder))
    assert not any(number in str(caught.value) for number in numbers)
    assert name in str(caught.value)
