"""Six people at a time, worked by hand. Every step stands beside the numbers as fractions."""

from __future__ import annotations

from fractions import Fraction as F
from math import erfc, sqrt

import pandas as pd
import pytest

from ips_outcomes import compare_arms, cumulative_incidence, employment_rates
from ips_outcomes.analysis.event_table import event_table, patterns
from ips_outcomes.analysis.incidence import incidence_from_table

# Columns of the worked tables: month, at risk, events, competing, censored; then F1 (incidence of cause 1),
# F2 (of cause 2) and S (free of both) after the month. With h1, h2 the shares of those at risk:
# F1 = F1 before + S before * h1, F2 = F2 before + S before * h2, S = S before * (1 - h1 - h2).

EVENT_WITH_EVENT = (
    {"time": [1, 1, 2, 3, 4, 5], "event": [1, 1, 1, 0, 1, 0]},
    [
        (0, 6, 0, 0, 0, F(0), F(0), F(1)),
        (1, 6, 2, 0, 0, F(1, 3), F(0), F(2, 3)),  # two of six together: h1 = 2/6, S = 1 - 1/3
        (2, 4, 1, 0, 0, F(1, 2), F(0), F(1, 2)),  # h1 = 1/4: F1 = 1/3 + 2/3 * 1/4, S = 2/3 * 3/4
        (3, 3, 0, 0, 1, F(1, 2), F(0), F(1, 2)),  # one is censored, nothing moves
        (4, 2, 1, 0, 0, F(3, 4), F(0), F(1, 4)),  # h1 = 1/2: F1 = 1/2 + 1/2 * 1/2
        (5, 1, 0, 0, 1, F(3, 4), F(0), F(1, 4)),
    ],
)
EVENT_WITH_CENSORING = (
    {"time": [1, 2, 2, 3, 4, 5], "event": [0, 1, 0, 1, 0, 1]},
    [
        (0, 6, 0, 0, 0, F(0), F(0), F(1)),
        (1, 6, 0, 0, 1, F(0), F(0), F(1)),
        (2, 5, 1, 0, 1, F(1, 5), F(0), F(4, 5)),  # censored in the month of an event: still at risk in it, h1 = 1/5
        (3, 3, 1, 0, 0, F(7, 15), F(0), F(8, 15)),  # h1 = 1/3: F1 = 1/5 + 4/5 * 1/3 = 3/15 + 4/15, S = 4/5 * 2/3
        (4, 2, 0, 0, 1, F(7, 15), F(0), F(8, 15)),
        (5, 1, 1, 0, 0, F(1), F(0), F(0)),  # the last one: h1 = 1, F1 = 7/15 + 8/15
    ],
)
EVENT_WITH_COMPETING = (
    {"time": [1, 2, 2, 3, 3, 4], "event": [2, 1, 2, 1, 0, 0]},
    [
        (0, 6, 0, 0, 0, F(0), F(0), F(1)),
        (1, 6, 0, 1, 0, F(0), F(1, 6), F(5, 6)),  # h2 = 1/6
        (2, 5, 1, 1, 0, F(1, 6), F(1, 3), F(1, 2)),  # h1 = h2 = 1/5: F1 = 5/6 * 1/5, F2 = 1/6 + 1/6, S = 5/6 * 3/5
        (3, 3, 1, 0, 1, F(1, 3), F(1, 3), F(1, 3)),  # h1 = 1/3: F1 = 1/6 + 1/2 * 1/3, S = 1/2 * 2/3
        (4, 1, 0, 0, 1, F(1, 3), F(1, 3), F(1, 3)),
    ],
)
LATE_ENTRY = (
    {"entry": [0, 0, 0, 1, 2, 3], "time": [1, 3, 4, 3, 3, 5], "event": [1, 1, 0, 2, 0, 1]},
    [
        (0, 0, 0, 0, 0, F(0), F(0), F(1)),  # who enters at 0 is at risk from month 1
        (1, 3, 1, 0, 0, F(1, 3), F(0), F(2, 3)),  # the one who enters at 1 is not yet at risk in 1: h1 = 1/3
        (2, 3, 0, 0, 0, F(1, 3), F(0), F(2, 3)),  # 3 - 1 who left + 1 who entered
        (3, 4, 1, 1, 1, F(1, 2), F(1, 6), F(1, 3)),  # h1 = h2 = 1/4: F1 = 1/3 + 2/3 * 1/4, F2 = 2/3 * 1/4, S = 2/3 * 1/2
        (4, 2, 0, 0, 1, F(1, 2), F(1, 6), F(1, 3)),  # 4 - 3 who left + 1 who entered at 3
        (5, 1, 1, 0, 0, F(5, 6), F(1, 6), F(0)),  # h1 = 1: F1 = 1/2 + 1/3
    ],
)
CASES = {
    "event with event": EVENT_WITH_EVENT,
    "event with censoring": EVENT_WITH_CENSORING,
    "event with competing event": EVENT_WITH_COMPETING,
    "late entry": LATE_ENTRY,
}


@pytest.mark.parametrize("name", CASES)
def test_event_table_and_incidence(name: str) -> None:
    columns, worked = CASES[name]
    people = pd.DataFrame(columns)
    entry = "entry" if "entry" in people else None
    counted = event_table(patterns(people, "time", "event", entry, None, "frequency"))
    assert counted.time.tolist() == [row[0] for row in worked]
    assert counted.at_risk.tolist() == [row[1] for row in worked]
    assert counted.events.tolist() == [[row[2], row[3]] for row in worked]
    assert counted.censored.tolist() == [row[4] for row in worked]
    assert incidence_from_table(counted)["event_free"].tolist() == pytest.approx([float(row[7]) for row in worked])
    for cause, column in ((1, 5), (2, 6)):
        curve = cumulative_incidence(people, cause=cause, entry=entry).table
        assert curve["time"].tolist() == [row[0] for row in worked]
        assert curve["estimate"].tolist() == pytest.approx([float(row[column]) for row in worked])


def test_people_enter_in_their_month() -> None:
    people = pd.DataFrame(LATE_ENTRY[0])
    assert event_table(patterns(people, "time", "event", "entry", None, "frequency")).entered.tolist() == [3, 1, 1, 1, 0, 0]


def test_error_with_event_after_censoring() -> None:
    # Without competing events and late entry the jackknife's variance is Greenwood's, S^2 * sum of d / (n (n - d)):
    # month 1: (2/3)^2 * 2/(6*4) = 4/9 * 1/12 = 1/27, which is also 1/3 * 2/3 / 6
    # month 2: (1/2)^2 * (1/12 + 1/(4*3)) = 1/4 * 1/6 = 1/24
    # month 4: (1/4)^2 * (1/12 + 1/12 + 1/(2*1)) = 1/16 * 2/3 = 1/24
    found = cumulative_incidence(pd.DataFrame(EVENT_WITH_EVENT[0])).table["std_error"] ** 2
    assert found.tolist() == pytest.approx([0, 1 / 27, 1 / 24, 1 / 24, 1 / 24, 1 / 24])


def test_error_with_competing_events_before_censoring() -> None:
    # Up to month 3 everybody's state is known, so the variance is that of a share, p (1 - p) / 6:
    # month 2: 1/6 * 5/6 / 6 = 5/216; month 3: 1/3 * 2/3 / 6 = 1/27
    found = cumulative_incidence(pd.DataFrame(EVENT_WITH_COMPETING[0])).table["std_error"] ** 2
    assert found.tolist() == pytest.approx([0, 0, 5 / 216, 1 / 27, 1 / 27])


TWO_THIRDS_AND_ONE_THIRD = pd.DataFrame({"arm": ["ips"] * 3 + ["control"] * 3, "works": [1, 1, 0, 1, 0, 0]})


def test_rate_of_two_in_three() -> None:
    found = employment_rates(TWO_THIRDS_AND_ONE_THIRD, outcome="works", by="arm").table.set_index("group").loc["ips"]
    assert (found["n"], found["events"], found["estimate"]) == (3, 2, 2 / 3)
    assert found["std_error"] ** 2 == pytest.approx(2 / 27)  # 2/3 * 1/3 / 3


def test_two_arms_of_three() -> None:
    # 2/3 against 1/3
    found = compare_arms(TWO_THIRDS_AND_ONE_THIRD, outcome="works", reference="control").table.set_index("measure")
    assert found["estimate"].to_dict() == pytest.approx({
        "risk_difference": 1 / 3,  # 2/3 - 1/3
        "risk_ratio": 2,  # 2/3 over 1/3
        "odds_ratio": 4,  # 2/1 over 1/2
    })  # fmt: skip
    assert (found["std_error"] ** 2).to_dict() == pytest.approx({
        "risk_difference": 4 / 27,  # 2/27 + 2/27
        "risk_ratio": 5 / 6,  # 1/2 - 1/3 + 1/1 - 1/3
        "odds_ratio": 3,  # 1/2 + 1/1 + 1/1 + 1/2
    })  # fmt: skip
    # chi-square 6 * (2*2 - 1*1)^2 / (3*3*3*3) = 54/81 = 2/3, one degree of freedom
    assert found["p_value"].tolist() == pytest.approx([erfc(sqrt(1 / 3))] * 3)
