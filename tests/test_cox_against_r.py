"""Cox, its tests and predictions, and Fine-Gray against R: tests/golden/cox.R made data and answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ips_outcomes import cox, fine_gray, fit_cox, predicted_incidence

GOLDEN = Path(__file__).parent / "golden" / "cox"
FORMULA = "arm + age + score"
ENTRY = {"entry": "entry"}
PROBABILITY = {"weights": "ipw", "weight_type": "probability"}
CASES = {
    "plain": {}, "entry": ENTRY, "strata": ENTRY | {"strata": "centre"}, "frequency": ENTRY | {"weights": "count"},
    "frequency_cluster": ENTRY | {"weights": "count", "strata": "centre", "cluster": "office"}, "probability": PROBABILITY,
    "probability_entry": PROBABILITY | ENTRY, "cluster": {"cluster": "office"}, "cluster_entry": ENTRY | {"cluster": "office"},
    "cluster_all": ENTRY | PROBABILITY | {"strata": "centre", "cluster": "office"},
}  # fmt: skip


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"{name}.csv", float_precision="round_trip")


def rows(name: str, **values: object) -> pd.DataFrame:
    """R's rows of one case."""
    table = read(name)
    found = table[np.logical_and.reduce([table[column] == value for column, value in values.items()])]
    assert len(found)
    return found


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by R's names: the level behind its variable."""
    parts = zip(table["term"], table["level"], strict=True)
    return table.set_axis([t.replace("arm", f"arm{v}") if v else t for t, v in parts])


def agree(ours: pd.DataFrame, theirs: pd.DataFrame, columns: tuple[str, ...]) -> None:
    assert len(theirs) == len(ours)
    for row in theirs.to_dict("records"):
        for column in columns:
            tolerance = 1e-8 if column in ("coefficient", "estimate") else 1e-6
            assert ours.at[row["name"], column] == pytest.approx(row[column], rel=tolerance), (row["name"], column)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("case", CASES)
def test_cox(case: str, ties: str) -> None:
    theirs = rows("answers_cox", case=f"{ties}_{case}")
    fit = fit_cox(read("data_cox"), FORMULA, ties=ties, **CASES[case])
    agree(named(fit.estimates.table), theirs, ("coefficient", "estimate", "std_error", "conf_low", "conf_high", "p_value"))
    if "probability" not in case and case != "cluster_all":
        assert fit.loglik == pytest.approx(theirs["loglik"].iloc[0], rel=1e-10)


def test_interactions_and_another_cause() -> None:
    columns = ("coefficient", "std_error", "p_value")
    data = read("data_cox")
    agree(named(cox(data, "arm * woman + age:score").table), rows("answers_cox", case="interaction"), columns)
    agree(named(cox(data, "arm + age", cause=2).table), rows("answers_cox", case="other_cause"), columns)


@pytest.mark.parametrize("case", ["plain", "entry", "strata"])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_proportional_hazards(case: str, ties: str) -> None:
    answers = rows("answers_cox_zph", case=case, ties=ties)
    fit = fit_cox(read("data_cox"), FORMULA, ties=ties, **CASES[case])
    assert answers["transform"].nunique() == 4
    for transform, theirs in answers.groupby("transform"):
        ours = fit.proportionality(transform).table.set_index("term")
        for row in theirs.to_dict("records"):
            assert ours.at[row["term"], "statistic"] == pytest.approx(row["statistic"], rel=1e-6)
            assert ours.at[row["term"], "degrees_of_freedom"] == row["df"]
            assert ours.at[row["term"], "p_value"] == pytest.approx(row["p_value"], rel=1e-6)


def test_r_has_no_efron_in_multi_state_models() -> None:
    """Why incidence under Efron is compared with R's models cause by cause: asked for Efron's, R gives Breslow's."""
    asked, given = (rows("answers_cox_curves", case=f"{ties}_multi_state")["value"].to_numpy() for ties in ("efron", "breslow"))
    assert asked.tolist() == given.tolist()
    own = rows("answers_cox_curves", case="efron_by_cause")["value"].to_numpy()
    assert np.abs(own - asked).max() > 0.005


@pytest.mark.parametrize(
    ("case", "ties"),
    [("survival", "efron"), ("survival", "breslow"), ("by_cause", "efron"), ("by_cause", "breslow"), ("multi_state", "breslow")],
)
def test_prediction(case: str, ties: str) -> None:
    theirs, data = rows("answers_cox_curves", case=f"{ties}_{case}"), read("data_cox")
    if case == "survival":
        data["event"] = (data["event"] == 1).astype(int)
    who = pd.DataFrame({"arm": ["ips"], "age": [35], "score": [0.5]})
    at = theirs["time"].astype(int).tolist()
    ours = predicted_incidence(data, FORMULA, covariates=who, entry="entry", ties=ties, at=at).table["estimate"].to_numpy()
    wanted = theirs["value"].to_numpy()
    assert (1 - ours if case == "survival" else ours) == pytest.approx(wanted, rel=1e-8)


def test_predictions_know_delayed_entry() -> None:
    """The library lifelines predicts as if everybody had been there from the start (its issue 1416): here both are R's."""
    theirs, data = read("answers_cox_late"), read("data_cox")
    data["event"] = (data["event"] == 1).astype(int)
    who, at = pd.DataFrame({"age": [30]}), theirs["time"].astype(int).tolist()
    for column, options in (("late", ENTRY), ("from_the_start", {})):
        ours = predicted_incidence(data, "age", covariates=who, at=at, **options).table["estimate"].to_numpy()
        assert 1 - ours == pytest.approx(theirs[column].to_numpy(), rel=1e-8)
        # and the baseline of the model, moved from the mean age to this one
        fit = fit_cox(data, "age", **options)
        ratio = np.exp(fit.coefficients["age"] * (30 - data["age"].mean()))
        assert fit.baseline.set_index("time").loc[at, "survival"].to_numpy() ** ratio == pytest.approx(1 - ours, rel=1e-8)
    assert (theirs["from_the_start"] - theirs["late"]).min() > 0.08


@pytest.mark.parametrize("cause", [1, 2])
@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("crr_tied", {"ties": "breslow", "censoring": "with_events"}),
        # crr on the same people with every censoring half a month later: the tie is broken by design
        ("crr_broken", {"ties": "breslow"}),
        ("finegray_efron", {}),
        ("finegray_breslow", {"ties": "breslow"}),
    ],
)
def test_fine_gray(case: str, options: dict[str, str], cause: int) -> None:
    theirs = rows("answers_fine_gray", case=case, cause=cause)
    ours = named(fine_gray(read("data_cox"), FORMULA, cause=cause, **options).table)
    # coxph on expanded rows takes the censoring weights as known, so that its errors are others
    agree(ours, theirs, ("coefficient", "std_error") if case.startswith("crr") else ("coefficient",))


def test_errors_of_predictions_are_the_jackknifes_limit() -> None:
    """The closed form against derivatives by the weights, one person at a time."""
    data = read("data_cox").head(40).assign(w=1.0)

    def at(weights: np.ndarray) -> pd.DataFrame:
        return predicted_incidence(data.assign(w=weights), "arm + age", entry="entry", at=[5, 12], **(PROBABILITY | {"weights": "w"})).table  # fmt: skip

    influence, step = [], 1e-4
    for i in range(len(data)):
        one = np.eye(len(data))[i] * step
        influence.append((at(1 + one)["estimate"] - at(1 - one)["estimate"]) / (2 * step))
    wanted = np.sqrt((np.array(influence) ** 2).sum(axis=0))
    assert at(np.ones(len(data)))["std_error"].to_numpy() == pytest.approx(wanted, rel=1e-6)
