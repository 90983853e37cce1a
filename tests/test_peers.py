"""The same questions to other Python libraries, live, on seeded data, where those libraries are right.

Where they are not, tests/test_traps.py says so. Peers are compared on the part of their answer that estimates the same thing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from ips_outcomes import analysis

SEEDS = [1, 2, 3]


@pytest.fixture(autouse=True)
def peers_may_warn() -> Iterator[None]:
    """A peer's own deprecations are not ours to fail on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def people(seed: int, n: int = 300) -> pd.DataFrame:
    """Monthly times with many ties, two arms, three kinds of ending, delayed entry, covariates and clusters."""
    rng = np.random.default_rng(seed)
    ips, age = rng.integers(0, 2, n), rng.normal(0, 1, n)
    rate = 0.06 * np.exp(0.5 * ips - 0.2 * age)
    time = np.minimum(1 + rng.geometric(np.clip(rate, 0.001, 0.9)), 24)
    event = np.where(time >= 24, 0, rng.choice([0, 1, 2], n, p=[0.2, 0.6, 0.2]))
    return pd.DataFrame({
        "ips": ips, "arm": np.where(ips == 1, "ips", "control"), "age": age, "time": time, "event": event,
        "job": (event == 1).astype(int), "entry": np.minimum(rng.integers(0, 6, n), time - 1), "centre": rng.integers(0, 40, n),
    })  # fmt: skip


def curve(table: pd.DataFrame, group: str, column: str, times: np.ndarray) -> np.ndarray:
    """A column of our answer at the given times."""
    rows = table[table["group"] == group]
    return rows.assign(time=rows["time"].astype(int)).set_index("time")[column].astype(float).reindex(times).to_numpy()


def arms(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for arm, part in table.groupby("arm"):
        yield str(arm), part


# ---------------------------------------------------------------- Kaplan-Meier


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_and_its_limits(seed: int) -> None:
    from lifelines import KaplanMeierFitter
    from sksurv.nonparametric import kaplan_meier_estimator
    from statsmodels.duration.survfunc import SurvfuncRight
    from surpyval import KaplanMeier

    table = people(seed)
    ours = analysis.kaplan_meier(table, event="job", by="arm").table
    for arm, part in arms(table):
        time, job = part["time"].to_numpy(), part["job"].to_numpy()
        times, survival, limits = kaplan_meier_estimator(job == 1, time, conf_type="log-log")
        inside = (survival > 0) & (survival < 1)
        np.testing.assert_allclose(curve(ours, arm, "estimate", times), survival, rtol=1e-10)
        np.testing.assert_allclose(curve(ours, arm, "conf_low", times)[inside], limits[0][inside], rtol=1e-8)
        np.testing.assert_allclose(curve(ours, arm, "conf_high", times)[inside], limits[1][inside], rtol=1e-8)
        fit = SurvfuncRight(time, job)
        np.testing.assert_allclose(curve(ours, arm, "std_error", fit.surv_times), fit.surv_prob_se, rtol=1e-9)
        pyval = KaplanMeier.fit(time, c=1 - job)
        np.testing.assert_allclose(curve(ours, arm, "estimate", pyval.x), pyval.R, rtol=1e-10)
        lifelines = KaplanMeierFitter().fit(time, job).survival_function_.iloc[1:, 0]
        np.testing.assert_allclose(curve(ours, arm, "estimate", lifelines.index.to_numpy()), lifelines, rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_with_delayed_entry(seed: int) -> None:
    from lifelines import KaplanMeierFitter

    table = people(seed)
    ours = analysis.kaplan_meier(table, event="job", by="arm", entry="entry").table
    for arm, part in arms(table):
        fit = KaplanMeierFitter().fit(part["time"], part["job"], entry=part["entry"]).survival_function_.iloc[:, 0]
        times = np.sort(part["time"].unique())
        np.testing.assert_allclose(curve(ours, arm, "estimate", times), fit.reindex(times), rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_nelson_aalen(seed: int) -> None:
    from lifelines import NelsonAalenFitter

    table = people(seed)
    ours = analysis.nelson_aalen(table, event="job", by="arm").table
    for arm, part in arms(table):
        # without smoothing, ties are added up one by one in lifelines: the plain sum d / n is its other setting
        fit = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(part["time"], part["job"]).cumulative_hazard_.iloc[1:, 0]
        np.testing.assert_allclose(curve(ours, arm, "estimate", fit.index.to_numpy()), fit, rtol=1e-10)


# ---------------------------------------------------------------- cumulative incidence and tests


@pytest.mark.parametrize("seed", SEEDS)
def test_cumulative_incidence_and_its_errors(seed: int) -> None:
    from sksurv.nonparametric import cumulative_incidence_competing_risks
    from statsmodels.duration.survfunc import CumIncidenceRight

    table = people(seed)
    for cause in (1, 2):
        ours = analysis.cumulative_incidence(table, by="arm", cause=cause).table
        for arm, part in arms(table):
            time, event = part["time"].to_numpy(), part["event"].to_numpy()
            fit = CumIncidenceRight(time, event)
            np.testing.assert_allclose(curve(ours, arm, "estimate", fit.times), fit.cinc[cause - 1], rtol=1e-9, atol=1e-15)
            np.testing.assert_allclose(curve(ours, arm, "std_error", fit.times), fit.cinc_se[cause - 1], rtol=1e-8, atol=1e-15)
            times, incidence = cumulative_incidence_competing_risks(event, time)
            np.testing.assert_allclose(curve(ours, arm, "estimate", times), incidence[cause], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_gray(seed: int) -> None:
    from comprisk import gray_test

    table = people(seed)
    for cause in (1, 2):
        ours = analysis.gray_test(table, by="arm", cause=cause).table.iloc[0]
        theirs = gray_test(table["time"].to_numpy(), table["event"].to_numpy(), table["arm"].to_numpy(), cause=cause)
        assert ours["statistic"] == pytest.approx(theirs.stat, rel=1e-8)
        assert ours["p_value"] == pytest.approx(theirs.pvalue, rel=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_log_rank_plain_and_stratified(seed: int) -> None:
    from statsmodels.duration.survfunc import survdiff

    table = people(seed).assign(site=lambda t: t["centre"] % 3)
    plain = analysis.log_rank(table, event="job", by="arm").table.iloc[0]
    statistic, p = survdiff(table["time"], table["job"], table["arm"])
    assert (plain["statistic"], plain["p_value"]) == (pytest.approx(statistic, rel=1e-9), pytest.approx(p, rel=1e-8))
    stratified = analysis.log_rank(table, event="job", by="arm", strata="site").table.iloc[0]
    statistic, p = survdiff(table["time"], table["job"], table["arm"], strata=table["site"])
    assert (stratified["statistic"], stratified["p_value"]) == (pytest.approx(statistic, rel=1e-9), pytest.approx(p, rel=1e-8))


@pytest.mark.parametrize("seed", SEEDS)
def test_restricted_mean(seed: int) -> None:
    from surpyval import KaplanMeier, rmst_diff

    table = people(seed)
    ours = analysis.rmst(table, event="job", by="arm", horizon=18, reference="control").table
    fits = {arm: KaplanMeier.fit(part["time"].to_numpy(), c=1 - part["job"].to_numpy()) for arm, part in arms(table)}
    theirs = rmst_diff(fits["ips"], fits["control"], tau=18)
    row = ours[ours["measure"] == "rmst_difference"].iloc[0]
    assert row["estimate"] == pytest.approx(theirs["difference"], rel=1e-9)
    assert row["std_error"] == pytest.approx(theirs["se"], rel=1e-7)
    assert ours[ours["measure"] == "rmst_ratio"].iloc[0]["estimate"] == pytest.approx(theirs["ratio"], rel=1e-9)


# ---------------------------------------------------------------- regression


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_with_clusters_and_entry(seed: int, ties: str) -> None:
    from surpyval import CoxPH

    table = people(seed, 500)
    covariates, censored = table[["ips", "age"]].to_numpy(dtype=float), (1 - table["job"]).to_numpy()
    for entry in (None, "entry"):
        ours = analysis.cox(table, "ips + age", event="job", entry=entry, cluster="centre", ties=ties).table.set_index("term")
        late = {"tl": table[entry].to_numpy()} if entry else {}
        fit = CoxPH.fit(table["time"].to_numpy(), covariates, c=censored, tie_method=ties, **late)
        np.testing.assert_allclose(ours.loc[["ips", "age"], "coefficient"].to_numpy(float), fit.params, rtol=1e-7)
        errors = np.sqrt(np.diag(fit.robust_covariance(table["centre"].to_numpy())))
        np.testing.assert_allclose(ours.loc[["ips", "age"], "std_error"].to_numpy(float), errors, rtol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_cox_without_clusters(seed: int) -> None:
    from lifelines import CoxPHFitter
    from statsmodels.duration.hazard_regression import PHReg

    table = people(seed)
    ours = analysis.cox(table, "ips + age", event="job").table.set_index("term").loc[["ips", "age"]]
    fit = PHReg(table["time"], table[["ips", "age"]].to_numpy(dtype=float), status=table["job"], ties="efron").fit()
    np.testing.assert_allclose(ours["coefficient"].to_numpy(float), fit.params, rtol=1e-5)
    np.testing.assert_allclose(ours["std_error"].to_numpy(float), fit.bse, rtol=1e-5)
    lifelines = CoxPHFitter().fit(table[["ips", "age", "time", "job"]], "time", "job", fit_options={"precision": 1e-12})
    # lifelines stops some steps short of the top
    np.testing.assert_allclose(ours["coefficient"].to_numpy(float), lifelines.params_.to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(ours["std_error"].to_numpy(float), lifelines.standard_errors_.to_numpy(), rtol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_fine_gray(seed: int) -> None:
    from comprisk import FineGrayRegression

    table = people(seed)
    ours = (
        analysis.fine_gray(table, "ips + age", ties="breslow", censoring="with_events")
        .table.set_index("term")
        .loc[["ips", "age"]]
    )
    fit = FineGrayRegression(max_iter=50, gtol=1e-12)
    fit.fit(table[["ips", "age"]].to_numpy(dtype=float), time=table["time"].to_numpy(float), event=table["event"].to_numpy())
    # comprisk follows cmprsk::crr; under heavy ties survival's finegray differs in the third digit: docs/does-it-match-r.md
    np.testing.assert_allclose(ours["coefficient"].to_numpy(float), np.asarray(fit.coef_), rtol=1e-6)


# ---------------------------------------------------------------- proportions and smooth models


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("interval", "theirs"), [("wilson", "wilson"), ("clopper-pearson", "beta"), ("jeffreys", "jeffreys")])
def test_intervals_of_a_rate(seed: int, interval: str, theirs: str) -> None:
    from statsmodels.stats.proportion import proportion_confint

    table = people(seed)
    ours = analysis.employment_rates(table, outcome="job", by="arm", interval=interval).table
    for row in ours.to_dict("records"):
        low, high = proportion_confint(row["events"], row["n"], method=theirs)
        assert (row["conf_low"], row["conf_high"]) == (pytest.approx(low, rel=1e-8), pytest.approx(high, rel=1e-8))


@pytest.mark.parametrize("seed", SEEDS)
def test_newcombe(seed: int) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    table = people(seed)
    row = analysis.compare_arms(table, outcome="job", reference="control").select(measure="risk_difference").table.iloc[0]
    low, high = confint_proportions_2indep(
        row["events_arm"], row["n_arm"], row["events_reference"], row["n_reference"], compare="diff", method="newcomb"
    )
    assert (row["conf_low"], row["conf_high"]) == (pytest.approx(low, rel=1e-8), pytest.approx(high, rel=1e-8))


@pytest.mark.parametrize("seed", SEEDS)
def test_parametric_medians(seed: int) -> None:
    from lifelines import WeibullFitter

    table = people(seed)
    ours = analysis.parametric_survival(table, event="event", by="arm").table
    for arm, part in arms(table):
        lower = np.where(part["job"] == 1, part["time"] - 1, part["time"])
        upper = np.where(part["job"] == 1, part["time"], np.inf)
        theirs = WeibullFitter().fit_interval_censoring(lower, upper).median_survival_time_
        row = ours[(ours["group"] == arm) & (ours["level"] == "weibull")].iloc[0]
        assert row["estimate"] == pytest.approx(theirs, rel=1e-9)
