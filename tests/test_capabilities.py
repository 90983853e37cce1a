"""The capability table tells the truth: what it promises is answered and matters, what it does not is refused with its name."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from asked import ASKED, ask, data_for, numbers, repeated

from ips_outcomes import Estimates, analysis
from ips_outcomes.analysis.supported import DIMENSIONS, capabilities
from ips_outcomes.errors import UnsupportedError

TABLE = capabilities()
#: Public names of the room that estimate nothing or describe only.
NOT_ESTIMATORS = {"baseline_table", "event_table", "capabilities", "centre_values", "credibility", "cross_fitted_scores",
                  "service_funnel"}  # fmt: skip
#: A word of the message that refuses each thing.
NAMES = {"entry": "entry", "frequency_weights": "weights", "probability_weights": "probability weights", "cluster": "cluster",
         "strata": "strata"}  # fmt: skip


def cells(dimension: str, supported: bool) -> list[str]:
    return [name for name in TABLE.index if (TABLE.loc[name, dimension] != "no") is supported]


def apart(a: Estimates, b: Estimates, columns: list[str]) -> bool:
    """Whether two answers differ in one of the columns."""
    if len(a) != len(b):
        return True
    x, y = numbers(a), numbers(b)
    return any(not np.allclose(x[c], y[c], rtol=1e-9, atol=1e-12, equal_nan=True) for c in columns if c in x)


def equal(a: Estimates, b: Estimates, columns: list[str] | None = None) -> None:
    x, y = numbers(a), numbers(b)
    pd.testing.assert_frame_equal(x[columns or list(x)], y[columns or list(y)], rtol=1e-10, atol=1e-12)


def told(columns: pd.DataFrame) -> list[str]:
    """The column that carries the answer: an estimate, or the statistic of a test."""
    return ["estimate"] if columns["estimate"].notna().any() else ["statistic"]


# ---------------------------------------------------------------- the table itself


def test_every_estimator_has_a_row_here_and_there() -> None:
    assert set(TABLE.index) == set(ASKED), "a new estimator needs @supports and a row in tests/asked.py"
    public = {name for name in analysis.__all__ if inspect.isfunction(getattr(analysis, name))}
    estimators = {n for n in public if inspect.signature(getattr(analysis, n)).return_annotation in ("Estimates", Estimates)}
    assert estimators - NOT_ESTIMATORS == set(TABLE.index), "public estimators are those of the table"


def test_every_cell_is_filled() -> None:
    assert list(TABLE.columns) == list(DIMENSIONS)
    assert TABLE.notna().all().all()
    # an estimator without times has no ties and no competing events
    assert (TABLE.loc[[n for n in TABLE.index if ASKED[n].kind == "times"]] != "").all().all()
    for dimension in NAMES:
        assert set(TABLE[dimension]) <= {"yes", "no"}


# ---------------------------------------------------------------- what is promised is answered, and matters


@pytest.mark.parametrize("name", cells("entry", True))
def test_delayed_entry_matters(name: str) -> None:
    data = data_for(name)
    plain, late = ask(name, data), ask(name, data, entry="entry")
    assert apart(plain, late, told(numbers(plain)))
    # everybody there from month 0 on, and nothing happens in month 0: as if nothing had been said
    equal(ask(name, data.assign(entry=0), entry="entry"), plain)
    if "at_risk" in late.table and "time" in late.table:
        rows = late.table[late.table["time"].notna()]
        for group, time, at_risk in rows[["group", "time", "at_risk"]].itertuples(index=False, name=None):
            part = data[data["arm"] == group]
            assert at_risk == ((part["entry"] < time) & (time <= part["time"])).sum()


@pytest.mark.parametrize("name", cells("frequency_weights", True))
def test_a_weight_of_two_is_two_rows(name: str) -> None:
    data = data_for(name)
    if ASKED[name].kind == "months":
        data["copies"] = data["person_id"] % 3 + 1
    weighted = ask(name, data, weights="copies")
    columns = ["estimate", "std_error"] if ASKED[name].drawn else None
    equal(weighted, ask(name, repeated(data)), columns)
    assert apart(weighted, ask(name, data), told(numbers(weighted)))
    twice = ask(name, data.assign(two=2), weights="two")
    equal(twice, ask(name, repeated(data.assign(copies=2))), columns)


@pytest.mark.parametrize("name", cells("probability_weights", True))
def test_probability_weights_have_no_size_of_their_own(name: str) -> None:
    data = data_for(name)
    if ASKED[name].kind == "months":
        data["weight"] = 0.5 + data["person_id"] % 7 / 3
    options = {"weights": "weight", "weight_type": "probability"}
    weighted = ask(name, data, **options)
    # three times as much of everything is the same answer, errors included
    columns = ["estimate", "std_error"]
    equal(weighted, ask(name, data.assign(weight=3 * data["weight"]), **options), columns)
    assert apart(weighted, ask(name, data), told(numbers(weighted)))
    # whole numbers estimate the same as frequencies, with other errors: a weight is not so many people
    if TABLE.loc[name, "frequency_weights"] == "yes":
        data["copies"] = data["person_id"] % 3 + 1
        # Efron's handling shares a tie among rows, of which people have more than weights do: R's, too
        ties = {"ties": "breslow"} if "breslow" in TABLE.loc[name, "ties"].lower() else {}
        as_people = ask(name, data, weights="copies", **ties)
        as_weights = ask(name, data, weights="copies", weight_type="probability", **ties)
        equal(as_weights, as_people, ["estimate"])
        assert apart(as_weights, as_people, ["std_error", "conf_low", "conf_high"])


@pytest.mark.parametrize("name", cells("cluster", True))
def test_clusters_change_errors_and_nothing_else(name: str) -> None:
    data = data_for(name)
    plain, clustered = ask(name, data), ask(name, data, cluster="employer")
    shared = [m for m in plain.table["measure"].unique() if m in set(clustered.table["measure"])]
    plain, clustered = plain.select(measure=shared), clustered.select(measure=shared)
    equal(plain, clustered, ["estimate"])
    assert apart(plain, clustered, ["std_error", "conf_low", "conf_high", "p_value"])


@pytest.mark.parametrize("name", cells("strata", True))
def test_strata_matter(name: str) -> None:
    data = data_for(name)
    plain, stratified = ask(name, data), ask(name, data, strata="site", **ASKED[name].with_strata)
    assert apart(plain, stratified, list(numbers(plain)))
    # one stratum is none
    if ASKED[name].kind == "times" and not ASKED[name].drawn:
        equal(ask(name, data.assign(site="a"), strata="site", **ASKED[name].with_strata), plain)


@pytest.mark.parametrize("name", list(TABLE.index))
def test_ties_are_not_broken_by_the_order_of_rows(name: str) -> None:
    data = data_for(name)
    mixed = data.sample(frac=1, random_state=5)
    columns = ["estimate", "std_error"] if ASKED[name].drawn else None
    equal(ask(name, data), ask(name, mixed), columns)


@pytest.mark.parametrize("name", [n for n in TABLE.index if "breslow" in TABLE.loc[n, "ties"].lower()])
def test_the_handling_of_ties_is_as_declared(name: str) -> None:
    data = data_for(name)
    if "efron" in TABLE.loc[name, "ties"].lower():
        assert apart(ask(name, data, ties="efron"), ask(name, data, ties="breslow"), ["estimate", "statistic"])
        with pytest.raises(UnsupportedError, match="ties"):
            ask(name, data, ties="exact")


TIMES = [name for name in TABLE.index if name in ASKED and ASKED[name].kind == "times"]


@pytest.mark.parametrize("name", [n for n in TIMES if TABLE.loc[n, "competing"] == "yes"])
def test_competing_events_matter(name: str) -> None:
    data = data_for(name)
    censored = data.assign(event=data["event"].where(data["event"] != 2, 0))
    plain = ask(name, data)
    assert apart(plain, ask(name, censored), told(numbers(plain)))


@pytest.mark.parametrize("name", [n for n in TIMES if not ASKED[n].competing])
def test_competing_events_are_not_censored_in_silence(name: str) -> None:
    data = data_for(name)
    other = data.assign(event=data["event"].where(np.arange(len(data)) % 5 != 0, 2))
    with pytest.raises(UnsupportedError, match="compet"):
        ask(name, other)
    censored = other.assign(event=other["event"].where(other["event"] != 2, 0))
    equal(ask(name, other, competing="censor"), ask(name, censored))


@pytest.mark.parametrize("name", [n for n in TIMES if ASKED[n].competing and TABLE.loc[n, "competing"] != "yes"])
def test_where_other_causes_are_censored_it_is_so(name: str) -> None:
    data = data_for(name)
    censored = data.assign(event=data["event"].where(data["event"] != 2, 0))
    equal(ask(name, data), ask(name, censored))


# ---------------------------------------------------------------- what is not promised is refused, by name


@pytest.mark.parametrize(("dimension", "name"), [(d, n) for d in NAMES for n in cells(d, False)])
def test_what_is_not_supported_is_refused(dimension: str, name: str) -> None:
    asked = {
        "entry": {"entry": "entry"}, "frequency_weights": {"weights": "copies"},
        "probability_weights": {"weights": "weight", "weight_type": "probability"}, "cluster": {"cluster": "employer"},
        "strata": {"strata": "site"},
    }[dimension]  # fmt: skip
    with pytest.raises(UnsupportedError) as refused:
        ask(name, data_for(name), **asked)
    message = str(refused.value)
    word = "weights" if dimension == "probability_weights" and TABLE.loc[name, "frequency_weights"] == "no" else NAMES[dimension]
    assert word in message
    assert name in message
