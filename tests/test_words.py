"""Months as bits: against a plain loop, at the months where words begin and end, on both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ips_outcomes.engine import Engine, gathered, link_counts, linked, open_engine, spell_words
from ips_outcomes.engine.rows import day_of_month
from ips_outcomes.errors import DataError, UnsupportedError
from ips_outcomes.followup.words import PersonWords, columns_of, first_month, longest_run, pack, popcount, unpack

EDGES = (43, 52, 53, 59, 60, 63, 64, 72, -24)


def loop(spells: pd.DataFrame, window: tuple[int, int]) -> dict[int, set[int]]:
    """Months of each person, the plain way."""
    months: dict[int, set[int]] = {}
    for row in spells.itertuples():
        own = months.setdefault(row.person, set())
        if not (pd.isna(row.first) or pd.isna(row.last)):
            own |= set(range(max(int(row.first), window[0]), min(int(row.last), window[1]) + 1))
    return months


def from_words(engine: Engine, spells: pd.DataFrame, window: tuple[int, int]) -> dict[int, set[int]]:
    table = engine.from_frame(spells.astype({"first": "Int64", "last": "Int64"}))
    made = engine.collect(spell_words(table, "person", window=window, words={"yes": None}), ["person"])
    cells = unpack(columns_of(made, "yes", window), window)
    months = np.arange(window[0], window[1] + 1)
    return {person: set(months[row].tolist()) for person, row in zip(made["person"], cells, strict=True)}


MONTHS = st.one_of(st.integers(-200, 200), st.sampled_from([*EDGES, 0, -1, 119, 120, -60, -61]))
SPELLS = st.lists(st.tuples(st.integers(1, 5), MONTHS, st.one_of(st.none(), MONTHS)), min_size=1, max_size=60)
WINDOWS = st.sampled_from([(-24, 43), (0, 43), (1, 60), (-24, 72), (-61, 121), (60, 64), (-60, -1)])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spells=SPELLS, window=WINDOWS)
def test_spells_become_the_months_of_a_plain_loop(duck: Engine, spells: list, window: tuple[int, int]) -> None:
    table = pd.DataFrame(spells, columns=["person", "first", "last"])
    assert from_words(duck, table, window) == loop(table, window)


def test_every_edge_of_a_word_on_either_engine(any_engine: Engine) -> None:
    pairs = [(a, b) for a in (*EDGES, 0, -1) for b in (*EDGES, 0, -1)]
    table = pd.DataFrame({"person": range(len(pairs)), "first": [a for a, _ in pairs], "last": [b for _, b in pairs]})
    for window in ((-24, 72), (-24, 43)):
        assert from_words(any_engine, table, window) == loop(table, window)


def test_both_engines_give_the_same_words_row_for_row(duck: Engine, spark: Engine) -> None:
    rng = np.random.default_rng(4)
    spells = pd.DataFrame({"person": rng.integers(0, 900, 5_000), "first": rng.integers(-120, 120, 5_000)})
    spells["last"] = spells["first"] + rng.integers(-2, 80, 5_000)
    spells["kind"] = rng.integers(0, 3, 5_000)
    made = []
    for engine in (duck, spark):
        table = engine.from_frame(spells)
        words = spell_words(table, "person", window=(-24, 72), words={"any": None, "one": table["kind"] == 1},
                            counts={"ones": table["kind"] == 1})  # fmt: skip
        made.append(engine.collect(words, ["person"]))
    pd.testing.assert_frame_equal(*made)
    assert made[0]["ones"].sum() == (spells["kind"] == 1).sum()


def test_month_records_speak_for_their_own_month(any_engine: Engine) -> None:
    records = pd.DataFrame({"person": [1] * len(EDGES), "month": EDGES})
    table = any_engine.from_frame(records)
    made = any_engine.collect(spell_words(table, "person", window=(-24, 72), words={"yes": None}, first="month", last="month"))
    cells = unpack(columns_of(made, "yes", (-24, 72)), (-24, 72))[0]
    assert set(np.arange(-24, 73)[cells].tolist()) == set(EDGES)


@pytest.mark.parametrize("window", [(-24, 72), (0, 43), (59, 60), (3, 3), (-61, -59), (60, 119)])
def test_counts_by_arm_are_those_of_the_months_spread_out(window: tuple[int, int]) -> None:
    rng = np.random.default_rng(9)
    number = window[1] - window[0] + 1
    seen, job = (rng.random((200, number)) < share for share in (0.8, 0.4))
    arm = rng.choice(["ips", "control"], 200).astype(object)
    known, yes = pack(seen, window[0]), pack(seen & job, window[0])
    # bits outside the window are nobody's months
    yes[:, 0] |= np.int64(1) << np.int64(62)
    counts = PersonWords(np.arange(200).astype(object), arm, window, {"job": known}, {"job": yes}).counts()
    for group in ("control", "ips"):
        own = counts[counts["arm"] == group]
        assert own["month"].tolist() == list(range(window[0], window[1] + 1))
        assert own["n"].tolist() == seen[arm == group].sum(0).tolist()
        assert own["events"].tolist() == (seen & job)[arm == group].sum(0).tolist()


def test_rows_gathered_on_the_way_are_the_rows_asked_for(any_engine: Engine) -> None:
    rows = pd.DataFrame({"person": [1, 1, 2, 3, 3], "first": [0, 2, 1, 4, 5], "last": [0, 2, 1, 4, 5],
                         "employer": ["a", None, "b", "c", "c"], "wanted": [True, True, False, True, False]})  # fmt: skip
    rows["day"] = pd.Series(pd.to_datetime("2015-03-16")).repeat(5).dt.date.to_numpy()
    table = any_engine.from_frame(rows)
    kept = any_engine.keep(spell_words(table, "person", window=(0, 43), words={"yes": None},
                                       gather={"jobs": (table["wanted"], ["first", "employer", "day"])}))  # fmt: skip
    made = any_engine.arrays(kept.drop("jobs"))
    assert dict(zip(made["person"].tolist(), made["yes_0"].tolist(), strict=True)) == {1: 0b101, 2: 0b10, 3: 0b110000}
    found = any_engine.collect(gathered(kept, "person", "jobs"), ["person", "first"])
    assert found[["person", "first"]].values.tolist() == [[1, 0], [1, 2], [3, 4]]
    assert found["employer"].fillna("").tolist() == ["a", "", "c"]
    assert found["day"].astype(str).tolist() == ["2015-03-16"] * 3


def test_columns_come_as_arrays_with_text_in_codes(any_engine: Engine) -> None:
    table = any_engine.from_frame(pd.DataFrame({"arm": ["b", "a", "b", None], "n": [1, 2, 3, 4]}))
    made = any_engine.arrays(table.order_by("n"))
    assert made["n"].tolist() == [1, 2, 3, 4]
    assert pd.Series(made["arm"]).astype(object).fillna("none").tolist() == ["b", "a", "b", "none"]
    lacking = any_engine.from_frame(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}))
    with pytest.raises(UnsupportedError, match="column n has 1 missing value"):
        any_engine.arrays(lacking)


def test_a_month_s_day_is_a_date_on_either_engine(any_engine: Engine) -> None:
    table = any_engine.from_frame(pd.DataFrame({"month": [-1, 0, 540, 551, -13]}))
    made = any_engine.collect(table.mutate(day=day_of_month(table["month"], 16)), ["month"])
    assert made["day"].astype(str).tolist() == ["1968-12-16", "1969-12-16", "1970-01-16", "2015-01-16", "2015-12-16"]


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.booleans(), min_size=1, max_size=150), start=st.integers(-70, 70))
def test_bits_counted_first_and_in_a_row(cells: list[bool], start: int) -> None:
    window = (start, start + len(cells) - 1)
    words = pack(np.array([cells]), start)
    assert unpack(words, window).tolist() == [cells]
    assert popcount(words).tolist() == [sum(cells)]
    assert first_month(words, window, 999).tolist() == [start + cells.index(True) if any(cells) else 999]
    runs = "".join("x" if cell else " " for cell in cells).split()
    assert longest_run(words, window).tolist() == [max((len(run) for run in runs), default=0)]


def test_links_and_strangers_are_counted_in_one_pass(any_engine: Engine) -> None:
    rows = any_engine.from_frame(pd.DataFrame({"person_key": ["a", "a", "b", "x", "y", "y", None], "n": range(7)}))
    keys = any_engine.from_frame(pd.DataFrame({"delivery_key": ["a", "b", "c"], "person": [1, 2, 3]}))
    counts = any_engine.collect(link_counts(rows, "person_key", keys)).iloc[0]
    assert counts.to_dict() == {"rows": 7, "rows_of_strangers": 4, "strangers": 2, "people": 4}
    kept = any_engine.collect(linked(rows, "person_key", keys), ["n"])
    assert kept.values.tolist() == [[0, 1], [1, 1], [2, 2]]


def test_files_are_read_as_one_table_under_the_names_asked_for(any_engine: Engine, tmp_path: Path) -> None:
    for part in (1, 2):
        pd.DataFrame({"a": [part, part + 10], "b": ["x", "y"]}).to_parquet(tmp_path / f"m{part}.parquet")
    paths = [tmp_path / "m1.parquet", tmp_path / "m2.parquet"]
    kept = any_engine.keep(any_engine.read_parquet(paths, {"number": "a"}))
    assert any_engine.collect(kept, ["number"]).to_dict("list") == {"number": [1, 2, 11, 12]}
    assert any_engine.collect(any_engine.read_parquet(paths), ["a"])["b"].tolist() == ["x", "x", "y", "y"]


def test_an_engine_s_error_holds_no_value(any_engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    table = any_engine.from_frame(pd.DataFrame({"a": ["15108695088x"]}))
    with pytest.raises(DataError) as told:
        any_engine.collect(table.select(b=table["a"].cast("int64")))
    assert "15108695088" not in str(told.value)
    assert told.value.__suppress_context__
    said = capfd.readouterr()
    assert "15108695088" not in said.out + said.err


def test_damaged_files_and_missing_columns_are_all_named(duck: Engine, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "good.parquet")
    with pytest.raises(DataError) as told:
        duck.read_parquet([tmp_path / "bad.parquet", tmp_path / "good.parquet"], {"x": "b"})
    assert [p.file for p in told.value.problems] == ["bad.parquet", "good.parquet"]


@pytest.mark.parametrize(("options", "said"), [
    ({"name": "oracle"}, "an engine is"), ({"master": "local[2]"}, "for Spark"), ({"threads": 0}, "at least one thread"),
    ({"memory_limit": "much"}, "memory limit is written"),
])  # fmt: skip
def test_an_engine_that_cannot_be_is_refused(options: dict, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        open_engine(**options)


def test_spark_without_java_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(UnsupportedError, match="Java 17"):
        open_engine("spark")


def test_work_larger_than_the_memory_limit_spills(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    spells = pd.DataFrame({"person": rng.permutation(6_000_000), "first": 0, "last": 5})
    spells.to_parquet(tmp_path / "spells.parquet")
    with open_engine(memory_limit="64 MiB", threads=2, spill_folder=tmp_path / "spill") as engine:
        table = engine.read_parquet([tmp_path / "spells.parquet"])
        kept = engine.keep(spell_words(table, "person", window=(0, 43), words={"yes": None}))
        spilled = sum(path.stat().st_size for path in (tmp_path / "spill").rglob("*") if path.is_file())
        assert spilled > 1_000_000
        assert engine.collect(kept.aggregate(n=kept.count(), least=kept["yes_0"].min())).values.tolist() == [[6_000_000, 63]]
    assert not list((tmp_path / "spill").iterdir())
