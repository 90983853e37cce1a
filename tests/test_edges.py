"""At the edges every estimator has a defined answer or a clear refusal: never an error from below, never a warning, never infinity.

Warnings are errors in this suite, so a division by zero that nobody thought of fails here, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from asked import ASKED, ask, data_for

from ips_outcomes import Estimates
from ips_outcomes.analysis.supported import capabilities
from ips_outcomes.errors import UnsupportedError

TABLE = capabilities()
NAMES = [name for name in TABLE.index if name in ASKED]
TIMES = [name for name in NAMES if ASKED[name].kind == "times"]
OUTCOMES = [name for name in NAMES if ASKED[name].kind != "times"]
#: Take numbers as well as yes and no, or have outcomes of their own.
NUMBERS_TOO = {"compare_arms", "subgroup_effects", "subgroup_global_test", "work_sums", "centre_effects", "centre_modifiers", "process_table",
               "heterogeneity_test", "sorted_groups", "targeting_curve", "jobs_held",
               "months_in_states", "state_occupation", "state_shares", "state_transitions"}  # fmt: skip
STATES = ["months_in_states", "state_occupation", "state_shares", "state_transitions"]
MODELS = [name for name in NAMES if ASKED[name].formula]

Change = Callable[[pd.DataFrame], pd.DataFrame]


def sound(answer: Estimates) -> None:
    """An answer holds no infinity, no probability outside its range, and no estimate outside its limits."""
    table = answer.table
    # a ratio to nothing is without end, and says so; nothing else may be
    ratio = table["measure"].isin(["risk_ratio", "odds_ratio"])
    assert not np.isinf(table.loc[~ratio, "estimate"].astype(float)).any()
    for column in ("std_error", "p_value"):
        assert not np.isinf(table[column].astype(float)).any(), column
    errors, p = table["std_error"].astype(float), table["p_value"].astype(float)
    assert (errors.dropna() >= 0).all()
    assert p.dropna().between(0, 1).all()
    low, estimate, high = (table[c].astype(float) for c in ("conf_low", "estimate", "conf_high"))
    known = low.notna() & high.notna() & estimate.notna()
    assert ((low <= estimate + 1e-9) & (estimate <= high + 1e-9))[known].all()


def clear(error: pytest.ExceptionInfo[UnsupportedError]) -> None:
    """A refusal is a sentence, not a repr from below."""
    message = str(error.value)
    assert len(message) >= 20
    for below in ("Traceback", "array(", "nan", "LinAlg", "singular matrix", "object at 0x"):
        assert below not in message


def answered_or_refused(name: str, data: pd.DataFrame, **options: object) -> Estimates | None:
    try:
        answer = ask(name, data, **options)
    except UnsupportedError as error:
        assert len(str(error)) >= 20
        return None
    sound(answer)
    return answer


def refused(name: str, data: pd.DataFrame, **options: object) -> str:
    with pytest.raises(UnsupportedError) as error:
        ask(name, data, **options)
    clear(error)
    return str(error.value)


def value(column: str, number: object, row: int = 3) -> Change:
    def change(data: pd.DataFrame) -> pd.DataFrame:
        out = data.astype({column: float}) if isinstance(number, float) else data.copy()
        out.loc[out.index[row], column] = number
        return out

    return change


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    "change",
    [
        value("time", -1),
        value("time", 2.5),
        value("time", np.nan),
        value("event", np.nan),
        value("event", 0.5),
        value("event", -1),
    ],
    ids=["negative time", "fractional time", "missing time", "missing event", "fractional event", "negative event"],
)
def test_impossible_times_and_events_are_refused(name: str, change: Change) -> None:
    message = refused(name, change(data_for(name)))
    # how many rows, and never the value itself
    assert "1" in message
    assert "2.5" not in message


@pytest.mark.parametrize("name", [n for n in TIMES if TABLE.loc[n, "entry"] == "yes"])
@pytest.mark.parametrize("what", ["equal", "after", "negative", "fractional", "missing"])
def test_impossible_entries_are_refused(name: str, what: str) -> None:
    data = data_for(name)
    time = int(data["time"].iloc[3])
    change = {"equal": time, "after": time + 1, "negative": -2, "fractional": 0.5, "missing": np.nan}[what]
    refused(name, value("entry", change)(data), entry="entry")


@pytest.mark.parametrize("name", TIMES)
def test_nobody_has_an_event(name: str) -> None:
    answered_or_refused(name, data_for(name).assign(event=0))


@pytest.mark.parametrize("name", TIMES)
def test_everybody_has_the_event(name: str) -> None:
    answered_or_refused(name, data_for(name).assign(event=1))


@pytest.mark.parametrize("name", TIMES)
def test_one_arm_has_no_event(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(event=data["event"].where(data["arm"] == "control", 0)))


@pytest.mark.parametrize("name", TIMES)
def test_only_competing_events(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(event=data["event"].where(data["event"] == 0, 2)))


@pytest.mark.parametrize("name", TIMES)
def test_everybody_at_one_time(name: str) -> None:
    answered_or_refused(name, data_for(name).assign(time=12))


@pytest.mark.parametrize("name", TIMES)
def test_events_in_month_zero(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(time=data["time"].where(np.arange(len(data)) % 7 != 0, 0)))


# ---------------------------------------------------------------- groups


@pytest.mark.parametrize("name", NAMES)
def test_nobody_at_all(name: str) -> None:
    refused(name, data_for(name).iloc[:0])


@pytest.mark.parametrize("name", NAMES)
def test_one_person(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data[data["person_id"] == 0])


@pytest.mark.parametrize("name", NAMES)
def test_two_people(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data[data["person_id"] < 2])


@pytest.mark.parametrize("name", NAMES)
def test_one_arm_is_empty(name: str) -> None:
    data = data_for(name)
    only = data[data["arm"] == "control"]
    answered_or_refused(name, only)
    # an arm that the categories name and nobody is in
    answered_or_refused(name, only.assign(arm=pd.Categorical(only["arm"], ["control", "ips"])))
    answered_or_refused(name, data.assign(arm=pd.Categorical(data["arm"], ["control", "ips", "nobody"])))


@pytest.mark.parametrize("name", NAMES)
def test_one_person_in_an_arm(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data[(data["arm"] == "control") | (data["person_id"] == 1)])


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_arm_is_never_dropped_in_silence(name: str) -> None:
    data = data_for(name)
    answer = answered_or_refused(name, data.assign(arm=data["arm"].where(data["person_id"] != 3)))
    if answer is not None and ASKED[name].options == {"by": "arm"} and "statistic" in answer.table:
        # a third group: two degrees of freedom
        assert int(answer.table["degrees_of_freedom"].iloc[0]) == 2
    elif answer is not None and "arm" in [v for v in ASKED[name].options.values() if isinstance(v, str)]:
        assert "Unknown" in set(answer.table["group"]) | set(answer.table["contrast"]) or any(
            "missing" in n for n in answer.notes
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_not_there(name: str) -> None:
    column = "event" if name in TIMES else {"process_table": "contact_days", **dict.fromkeys(STATES, "state")}.get(name, "works")
    assert column in refused(name, data_for(name).drop(columns=column))


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("name", [n for n in NAMES if TABLE.loc[n, "frequency_weights"] == "yes"])
@pytest.mark.parametrize("weight", [np.nan, -1.0, 1.5], ids=["missing", "negative", "fractional"])
def test_impossible_weights_are_refused(name: str, weight: float) -> None:
    refused(name, value("copies", weight)(data_for(name).assign(copies=1)), weights="copies")


@pytest.mark.parametrize("name", [n for n in NAMES if TABLE.loc[n, "frequency_weights"] == "yes"])
def test_weights_of_zero(name: str) -> None:
    data = data_for(name).assign(copies=1)
    gone = data["person_id"] < 5
    answer = answered_or_refused(name, data.assign(copies=data["copies"].where(~gone, 0)), weights="copies")
    if answer is not None:
        without = ask(name, data[~gone], weights="copies")
        pd.testing.assert_series_equal(answer.table["estimate"], without.table["estimate"], rtol=1e-9)
    answered_or_refused(name, data.assign(copies=0), weights="copies")


@pytest.mark.parametrize("name", ["bootstrap_curves", "bootstrap_rmst", "randomisation_test"])
def test_an_arm_of_weight_zero_is_not_there(name: str) -> None:
    data = data_for(name).assign(copies=1)
    third = data["person_id"] % 3 == 0
    data["arm"] = data["arm"].astype(object).where(~third, "third")
    answer = ask(name, data.assign(copies=(~third).astype(int)), weights="copies")
    without = ask(name, data[~third], weights="copies")
    pd.testing.assert_frame_equal(answer.table, without.table)
    with pytest.raises(UnsupportedError, match="nobody is there: copies is zero in all"):
        ask(name, data.assign(copies=0), weights="copies")


@pytest.mark.parametrize("name", [n for n in NAMES if TABLE.loc[n, "probability_weights"] == "yes"])
@pytest.mark.parametrize("weight", [np.nan, -1.0, np.inf], ids=["missing", "negative", "infinite"])
def test_impossible_probability_weights_are_refused(name: str, weight: float) -> None:
    refused(name, value("weight", weight)(data_for(name)), weights="weight", weight_type="probability")


# ---------------------------------------------------------------- outcomes


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("works", [0, 1])
def test_nobody_or_everybody_works(name: str, works: int) -> None:
    answered_or_refused(name, data_for(name).assign(works=works))


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_arm_decides_the_outcome(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(works=data["ips"]))


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_that_nobody_saw(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(works=pd.array([pd.NA] * len(data), dtype="boolean")))
    partly = data.astype({"works": "Int64"}).assign(works=lambda t: t["works"].where(t["person_id"] % 9 != 0))
    assert answered_or_refused(name, partly) is not None


@pytest.mark.parametrize("name", [n for n in OUTCOMES if n not in NUMBERS_TOO])
def test_an_outcome_that_is_no_yes_or_no(name: str) -> None:
    data = data_for(name)
    refused(name, data.assign(works=data["works"] + 0.5))


@pytest.mark.parametrize("options", [{"adjust": "age"}, {"adjust": ["age", "ips"]}, {"adjust": "flat"}, {"strata": "flat"}, {"strata": "ips"},
                                     {"cluster": "flat"}, {"adjust": "empty"}], ids=str)  # fmt: skip
def test_compare_arms_with_columns_that_say_nothing(options: dict[str, object]) -> None:
    data = data_for("compare_arms").assign(flat=1, empty=np.nan)
    answered_or_refused("compare_arms", data, **options)
    answered_or_refused("compare_arms", data.assign(works=data["ips"]), **options)


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_that_is_constant(name: str) -> None:
    answered_or_refused(name, data_for(name).assign(age=40))


@pytest.mark.parametrize("name", MODELS)
def test_covariates_that_repeat_each_other(name: str) -> None:
    data = data_for(name)
    answered_or_refused(name, data.assign(age=data["ips"]))


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_that_separates(name: str) -> None:
    data = data_for(name)
    apart = data.assign(event=data["event"].where(data["ips"] == 1, 0))
    answered_or_refused(name, apart)
    # the earlier, the older: the likelihood has no highest point
    answered_or_refused(name, data.assign(age=-data["time"]))


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_that_is_missing(name: str) -> None:
    data = data_for(name)
    partly = data.assign(age=data["age"].where(data["person_id"] % 9 != 0))
    answer = answered_or_refused(name, partly)
    if answer is not None:
        assert any("missing" in note for note in answer.notes), "rows left out are counted in the notes"
    refused(name, data.assign(age=np.nan))


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_without_end(name: str) -> None:
    refused(name, value("age", np.inf)(data_for(name)))


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_of_another_size(name: str) -> None:
    # kroner instead of millions: the same model
    data = data_for(name)
    small, large = ask(name, data).table, ask(name, data.assign(age=data["age"] * 1e6)).table
    assert large["estimate"].iloc[0] == pytest.approx(small["estimate"].iloc[0], rel=1e-6, nan_ok=True)
