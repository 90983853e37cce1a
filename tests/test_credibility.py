"""The checklist of a subgroup's credibility: each question by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes.analysis.checklist import QUESTIONS, credibility
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.study import Subgroup

RATIOS = {"risk_ratio", "odds_ratio"}


def difference(estimate: float = 0.1, *, scale: str = "risk_difference", subgroup: str = "young", level: str = "Young",
               against: str = "Older", outcome: str = "works", month: int = 43, p: float = 0.002, adjusted: float = 0.004,
               tests: int = 2) -> dict:  # fmt: skip
    """One row of an interaction as `subgroup_effects` writes it."""
    primary = scale == "risk_difference"
    return {
        "outcome": outcome, "subgroup": subgroup, "level": level, "compared_with": against, "month": month, "scale": scale,
        "measure": "interaction" if primary else f"interaction_{scale}", "contrast": f"ips {'/' if scale in RATIOS else '-'} control",
        "estimate": estimate, "p_value": p, "p_adjusted": adjusted if primary else np.nan, "tests": tests if primary else pd.NA,
    }  # fmt: skip


def estimates(*rows: dict) -> Estimates:
    effects = [{"subgroup": row["subgroup"], "level": level, "measure": "risk_difference", "outcome": row["outcome"],
                "month": row["month"], "scale": "risk_difference", "compared_with": "", "contrast": "ips - control"}
               for row in rows for level in (row["level"], row["compared_with"])]  # fmt: skip
    table = pd.DataFrame([*effects, *rows])
    return Estimates(tidy(table), "By hand", "By hand")


def answer(question: str, found: Estimates, *args: object, **keys: object) -> tuple[str, str]:
    table = credibility(found, *args, **keys).set_index("question")
    row = table.loc[QUESTIONS[question]]
    return row["answer"], row["why"]


@pytest.mark.parametrize(("given", "expected"), [(True, "yes"), (False, "no"), (None, "unclear")])
def test_chosen_in_advance(given: bool | None, expected: str) -> None:
    found = estimates(difference())
    assert answer("prespecified", found, prespecified=given)[0] == expected
    said = {
        "young": Subgroup(label="Young", label_other="Older", column="age", at_most=30, prespecified=given, rationale="Hope.")
    }
    told, why = answer("prespecified", found, said)
    assert told == expected and "because: Hope." in why
    assert answer("cut", found, said) [0] == expected  # fmt: skip
    # what is said in the call goes before the study
    assert answer("prespecified", found, said, prespecified={"young": True})[0] == "yes"


@pytest.mark.parametrize(("early", "direction", "value", "expected"), [
    (True, "larger", 0.1, "yes"), (True, "larger", -0.1, "no"), (True, "smaller", -0.1, "yes"), (True, "smaller", 0.1, "no"),
    (None, "larger", 0.1, "unclear"), (None, "larger", -0.1, "no"), (False, "larger", 0.1, "no"), (True, None, 0.1, "unclear"),
    (True, "larger", np.nan, "unclear"),
])  # fmt: skip
def test_direction_named_in_advance_and_as_found(early: bool | None, direction: str, value: float, expected: str) -> None:
    told, why = answer("direction", estimates(difference(value)), prespecified=early, expected=direction)
    assert told == expected, why


def test_no_difference_expected() -> None:
    assert answer("direction", estimates(difference(adjusted=0.3)), prespecified=True, expected="none")[0] == "yes"
    told, why = answer("direction", estimates(difference(adjusted=0.04)), prespecified=True, expected="none")
    assert (told, why) == ("no", "no difference was expected, and one was found (p = 0.040)")
    told, _ = answer("direction", estimates(difference(adjusted=np.nan, p=np.nan)), prespecified=True, expected="none")
    assert told == "unclear"


def test_the_first_level_is_meant_whichever_is_the_reference() -> None:
    # the rows of effects say that "18-30" comes first; here it is the reference, and the effect in it is larger
    rows = [difference(-0.1, level="31-45", against="18-30"), difference(-0.2, level="46 and over", against="18-30")]
    found = estimates(*rows)
    found = found.with_table(found.table.sort_values("level", kind="stable", ignore_index=True))
    assert found.table["level"].iloc[0] == "18-30"
    assert answer("direction", found, prespecified=True, expected="larger") == (
        "yes", "a larger effect was expected in the first level, and found in 2 of 2 differences",
    )  # fmt: skip
    rows[1]["estimate"] = 0.2
    mixed = estimates(*rows)
    mixed = mixed.with_table(mixed.table.sort_values("level", kind="stable", ignore_index=True))
    assert answer("direction", mixed, prespecified=True, expected="larger")[0] == "unclear"


@pytest.mark.parametrize(("number", "expected"), [(1, "yes"), (3, "yes"), (4, "unclear"), (10, "unclear"), (11, "no")])
def test_few_tested(number: int, expected: str) -> None:
    told, why = answer("few_tested", estimates(difference(tests=number)))
    assert told == expected and why == f"{number} {'test' if number == 1 else 'tests'} in the family of this call"


@pytest.mark.parametrize(("adjusted", "expected"), [(0.0004, "yes"), (0.01, "yes"), (0.02, "unclear"), (0.05, "unclear"), (0.06, "no"),
                                                    (np.nan, "yes")])  # fmt: skip
def test_chance(adjusted: float, expected: str) -> None:
    told, why = answer("chance", estimates(difference(adjusted=adjusted, p=0.0002)))
    assert told == expected and "p < 0.001" in why


def test_chance_without_adjusted_tests_is_holms() -> None:
    # of two tests the smaller p is doubled: 0.008 becomes 0.016
    found = estimates(difference(p=0.008, adjusted=np.nan), difference(p=0.4, adjusted=np.nan, month=12))
    told, why = answer("chance", found)
    assert told == "unclear" and "p = 0.008" in why and "p = 0.016 (the smallest of 2 differences)" in why
    assert answer("chance", estimates(difference(p=np.nan, adjusted=np.nan)))[0] == "unclear"


def test_a_cut_is_asked_of_where_a_number_was_cut() -> None:
    found = estimates(difference(), difference(subgroup="school"), difference(subgroup="site"))
    said = {"young": Subgroup(column="age", breaks=[31], prespecified=True),
            "school": Subgroup(label="a", label_other="b", column="upper_secondary", values=["completed"], prespecified=True)}  # fmt: skip
    table = credibility(found, said)
    asked = table[table["question"] == QUESTIONS["cut"]].set_index("subgroup")["answer"]
    assert asked.to_dict() == {"young": "yes", "site": "unclear"}
    assert list(dict.fromkeys(table["subgroup"])) == ["young", "school", "site"]


def test_consistent_over_outcomes_and_months() -> None:
    assert answer("outcomes_and_months", estimates(difference()))[0] == "unclear"
    same = estimates(difference(0.1), difference(0.3, month=12), difference(0.01, outcome="hours"))
    assert answer("outcomes_and_months", same) == ("yes", "the same direction over 3 combinations of outcome, month and arms")
    turned = estimates(difference(0.1), difference(-0.3, month=12))
    told, why = answer("outcomes_and_months", turned)
    assert told == "no" and why.endswith("Young against Older")
    # what could not be estimated says nothing
    assert answer("outcomes_and_months", estimates(difference(0.1), difference(np.nan, month=12)))[0] == "unclear"


def test_consistent_on_both_scales() -> None:
    assert answer("scales", estimates(difference()))[0] == "unclear"
    same = estimates(difference(0.1), difference(1.2, scale="risk_ratio"), difference(1.3, scale="odds_ratio"))
    assert answer("scales", same) == ("yes", "in 1 of 1 differences the scales point the same way")
    # a ratio of ratios below 1 beside a difference above 0
    turned = estimates(difference(0.1), difference(0.9, scale="risk_ratio"), difference(0.2, month=12),
                       difference(1.9, scale="risk_ratio", month=12))  # fmt: skip
    assert answer("scales", turned) == ("no", "in 1 of 2 differences the scales point the same way")


def test_what_is_not_there_is_refused() -> None:
    rates = ips.employment_rates(pd.DataFrame({"arm": ["a", "b"], "works": [1, 0]}), "works", by="arm")
    with pytest.raises(ips.UnsupportedError, match="no differences between subgroups"):
        credibility(rates)
    with pytest.raises(ips.UnsupportedError, match="prespecified= names old, which the estimates do not have"):
        credibility(estimates(difference()), prespecified={"old": True})
    with pytest.raises(ips.UnsupportedError, match="one of: larger, smaller, none"):
        credibility(estimates(difference()), expected="bigger")


def test_the_study_fills_what_it_says(demo_followup: ips.FollowUp) -> None:
    study = demo_followup.study
    found = ips.subgroup_effects(demo_followup, at=[18, 43], draws=200)
    table = credibility(found, study)
    assert list(table.columns) == ["subgroup", "question", "answer", "why"]
    assert set(table["answer"]) <= {"yes", "no", "unclear"} and (table["why"] != "").all()
    assert list(dict.fromkeys(table["subgroup"])) == list(study.subgroups)
    asked = table.set_index(["subgroup", "question"])["answer"]
    assert asked["age_18_30", QUESTIONS["prespecified"]] == "yes" and asked["age_18_30", QUESTIONS["cut"]] == "yes"
    late = "young_without_upper_secondary"
    assert asked[late, QUESTIONS["prespecified"]] == asked[late, QUESTIONS["cut"]] == "no"
    assert asked[late, QUESTIONS["direction"]] == "unclear"
    assert ("severe_illness", QUESTIONS["cut"]) not in asked.index
    # four subgroups at two months are eight tests
    assert (asked.xs(QUESTIONS["few_tested"], level=1) == "unclear").all()
    # the built-in truth makes effects larger in each of the three; signs as the table has them
    rows = found.table[found.table["measure"] == "interaction"]
    for name in ("age_18_30", "no_upper_secondary", "severe_illness"):
        signs = rows.loc[rows["subgroup"] == name, "estimate"] > 0
        expected = "yes" if signs.all() else "unclear" if signs.any() else "no"
        assert asked[name, QUESTIONS["direction"]] == expected
