"""What must hold for Cox regression whoever the people are, and Firth's penalty by a slow way of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import job, write_small_study

import ips_outcomes as ips

COLUMNS = ["coefficient", "std_error", "p_value", "conf_low", "conf_high"]
FORMULA = "arm + woman"
quick = settings(max_examples=25, deadline=None)


@st.composite
def people(draw: st.DrawFn) -> pd.DataFrame:
    """Ten to thirty people with tied months, delayed entry and competing events."""
    person = st.tuples(
        st.sampled_from("ab"), st.integers(0, 1), st.integers(0, 3), st.integers(1, 6), st.sampled_from([0, 1, 1, 2])
    )
    table = pd.DataFrame(draw(st.lists(person, min_size=10, max_size=30)), columns=["arm", "woman", "entry", "time", "event"])
    return table.assign(time=table["entry"] + table["time"])


def answer(data: pd.DataFrame, **options: object) -> np.ndarray | None:
    """Numbers, or nothing where the question is refused."""
    try:
        return ips.cox(data, FORMULA, **{"entry": "entry", **options}).table[COLUMNS].to_numpy(float)
    except ips.UnsupportedError:
        return None


def same(ours: np.ndarray | None, theirs: np.ndarray | None) -> None:
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert ours == pytest.approx(theirs, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    "changed",
    [
        lambda t: t.sample(frac=1, random_state=3),
        # an order of time, and months as days
        lambda t: t.assign(time=30 * t["time"], entry=30 * t["entry"]),
        lambda t: t.iloc[::-1].reset_index(drop=True),
    ],
    ids=["shuffled", "days", "reversed"],
)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@quick
@given(data=people())
def test_neither_the_order_of_rows_nor_the_unit_of_time_matters(
    changed: Callable[[pd.DataFrame], pd.DataFrame], ties: str, data: pd.DataFrame
) -> None:
    same(answer(changed(data), ties=ties), answer(data, ties=ties))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@quick
@given(data=people())
def test_everybody_twice_is_a_weight_of_two(ties: str, data: pd.DataFrame) -> None:
    same(answer(data.assign(two=2), weights="two", ties=ties), answer(pd.concat([data, data]), ties=ties))


@quick
@given(data=people())
def test_one_stratum_is_none(data: pd.DataFrame) -> None:
    same(answer(data.assign(site="x"), strata="site"), answer(data))


@quick
@given(data=people())
def test_the_other_reference_turns_the_sign(data: pd.DataFrame) -> None:
    ours, theirs = answer(data), answer(data.assign(arm=data["arm"].map({"a": "z", "b": "b"})))
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert ours[:, 0] == pytest.approx(theirs[:, 0] * [-1, 1], rel=1e-7, abs=1e-9)
        assert ours[:, 1:3] == pytest.approx(theirs[:, 1:3], rel=1e-7)
        assert ours[0, 3] == pytest.approx(1 / theirs[0, 4], rel=1e-7)


@quick
@given(data=people())
def test_clusters_of_one_are_robust_errors(data: pd.DataFrame) -> None:
    alone = data.assign(one=1.0, who=np.arange(len(data)))
    ours = answer(alone, cluster="who")
    theirs = answer(alone, weights="one", weight_type="probability")
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        # with few clusters limits and p-values come from a bootstrap
        assert ours[:, :2] == pytest.approx(theirs[:, :2], rel=1e-7, abs=1e-9)


@quick
@given(data=people())
def test_a_month_without_events_before_everything_changes_nothing(data: pd.DataFrame) -> None:
    same(answer(data.assign(time=data["time"] + 5, entry=data["entry"] + 5)), answer(data))


# ---------------------------------------------------------------- the study's reference


def test_the_reference_is_the_studys(tmp_path: Path) -> None:
    arms = {f"P{i}": "ips" if i % 2 else "control" for i in range(1, 9)}
    starts = {
        "P1": "2013-05-02",
        "P2": "2013-08-02",
        "P3": "2013-06-02",
        "P4": "2013-06-05",
        "P6": "2013-11-02",
        "P7": "2014-02-02",
    }
    path = write_small_study(
        tmp_path / "study", people=[{"person": key, "arm": arm} for key, arm in arms.items()], arms=True,
        jobs=[job(key, start) for key, start in starts.items()],
    )  # fmt: skip
    found = {}
    for reference in ("control", "ips"):
        text = path.read_text(encoding="utf-8").replace('reference = "control"', f'reference = "{reference}"')
        path.write_text(text, encoding="utf-8")
        followed = ips.follow_up(ips.load_cohort(ips.load_study(path)))
        found[reference] = ips.cox(followed, "arm").table.iloc[0]
        assert len(followed.at_risk) == 8
    # the second is not the first level by name: without the study's word it would not be the reference
    assert found["control"]["contrast"] == "ips / control"
    assert found["ips"]["contrast"] == "control / ips"
    assert found["ips"]["events"] == 6
    assert found["ips"]["coefficient"] == pytest.approx(-found["control"]["coefficient"], rel=1e-9)
    assert found["control"]["estimate"] != pytest.approx(1, abs=0.05)


# ---------------------------------------------------------------- Firth's penalty

SEPARATED = pd.DataFrame({
    "x": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1], "y": [0.5, 1, 2, 3, -1, 4, 5, 2, 1, 0, -2, 3],
    "time": [1, 2, 2, 3, 5, 5, 6, 3, 7, 8, 8, 2], "event": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
})  # fmt: skip


def log_likelihood(beta: np.ndarray, data: pd.DataFrame) -> complex:
    """Efron's partial log likelihood, event by event; complex coefficients give exact slopes."""
    x, time = data[["x", "y"]].to_numpy(float), data["time"].to_numpy()
    happened = data["event"].to_numpy() == 1
    risk, total = np.exp(x @ beta), 0.0 + 0.0j
    for t in np.unique(time[happened]):
        tied = np.flatnonzero(happened & (time == t))
        for drawn, who in enumerate(tied):
            total += x[who] @ beta - np.log(risk[time >= t].sum() - drawn / len(tied) * risk[tied].sum())
    return total


def height(beta: np.ndarray, data: pd.DataFrame) -> float:
    """The log likelihood and half the log determinant of the information, the latter by numerical derivatives."""

    def slope(at: np.ndarray) -> np.ndarray:
        return np.array([log_likelihood(at + 1e-30j * e, data).imag / 1e-30 for e in np.eye(2)])

    def bend(e: np.ndarray, h: float) -> np.ndarray:
        return (slope(beta + h * e) - slope(beta - h * e)) / (2 * h)

    # central differences of two steps, so that the error is of the fourth order
    information = -np.array([(4 * bend(e, 1e-3) - bend(e, 2e-3)) / 3 for e in np.eye(2)])
    return float(log_likelihood(beta.astype(complex), data).real + np.linalg.slogdet(information)[1] / 2)


def test_firth_by_a_slow_maximisation_without_our_own_code() -> None:
    from scipy.optimize import minimize, minimize_scalar
    from scipy.stats import chi2

    with pytest.raises(ips.UnsupportedError, match="towards plus infinity"):
        ips.cox(SEPARATED, "x + y")
    ours = ips.cox(SEPARATED, "x + y", penalty="firth").table
    best = minimize(lambda b: -height(b, SEPARATED), np.zeros(2), method="Nelder-Mead",
                    options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 2000})  # fmt: skip
    # a maximum is flat: coefficients are known to about the root of rounding
    assert ours["coefficient"].to_numpy() == pytest.approx(best.x, abs=2e-6)
    for j in range(2):

        def profile(value: float, j: int = j) -> float:
            def other(free: float) -> float:
                return -height(np.array([value, free] if j == 0 else [free, value]), SEPARATED)

            return float(-minimize_scalar(other, bracket=(best.x[1 - j] - 0.5, best.x[1 - j] + 0.5), tol=1e-6).fun)

        def depth(value: float) -> float:
            return 2 * (-best.fun - profile(value))

        for end in ("conf_low", "conf_high"):
            assert depth(float(np.log(ours[end].iloc[j]))) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-6)
        assert ours["p_value"].iloc[j] == pytest.approx(chi2.sf(depth(0.0), 1), abs=1e-7)
