"""The monthly panel in one model: arms compared over months by generalised estimating equations.

References
----------
Liang KY, Zeger SL. Biometrika 1986;73:13-22. doi:10.1093/biomet/73.1.13
Halekoh U, Hojsgaard S, Yan J. J Stat Softw 2006;15(2):1-11. doi:10.18637/jss.v015.i02
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.adjusted import design_matrix
from ips_outcomes.analysis.inputs import Data, as_list, months_table, own_reference, with_arm, yes_no
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import ratio_or_difference
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["Correlation", "Family", "estimating_equations", "panel_effect"]

Floats = NDArray[np.floating]
Family = Literal["logit", "log", "identity"]
Correlation = Literal["independence", "exchangeable", "ar1"]

REFERENCES = (
    "Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika 1986;73:13-22. doi:10.1093/biomet/73.1.13",
    "Halekoh U, Hojsgaard S, Yan J. The R package geepack for generalized estimating equations. J Stat Softw 2006;15(2):1-11. "
    "doi:10.18637/jss.v015.i02",
)
#: The measure that a coefficient is, on the scale of the link.
_MEASURE = {"logit": "odds_ratio", "log": "risk_ratio", "identity": "risk_difference"}
STEPS = 200


@dataclass(frozen=True)
class Panel:
    """Coefficients, their robust covariance, the working correlation and the dispersion."""

    coefficients: Floats
    covariance: Floats
    correlation: float
    dispersion: float


def _moments(family: Family, predictor: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, its derivative in the predictor, and the binomial variance."""
    if family == "logit":
        mean = special.expit(predictor)
        slope = mean * special.expit(-predictor)
        return mean, slope, slope
    mean = np.exp(np.minimum(predictor, 700)) if family == "log" else predictor
    return mean, mean if family == "log" else np.ones_like(mean), mean * (1 - mean)


class _Working:
    """The inverse of the working correlation, applied to rows sorted by person and month."""

    def __init__(self, person: NDArray[np.int64], month: Floats, kind: Correlation) -> None:
        self.kind = kind
        self.person, self.number = person, int(person.max()) + 1
        self.size = np.bincount(person, minlength=self.number).astype(float)
        self.follows = np.concatenate([[False], person[1:] == person[:-1]])
        self.gap = np.where(self.follows, np.diff(month, prepend=month[0]), 0.0)
        self.month = month

    def sums(self, values: Floats) -> Floats:
        return np.column_stack([np.bincount(self.person, weights=v, minlength=self.number) for v in values.T])

    def inverse(self, values: Floats, alpha: float) -> Floats:
        """R^-1 times the columns of values, person by person."""
        if self.kind == "independence" or alpha == 0:
            return values
        if self.kind == "exchangeable":
            share = alpha / (1 + (self.size - 1) * alpha)
            return (values - (share[:, None] * self.sums(values))[self.person]) / (1 - alpha)
        # the months of an autoregressive process differ from what the month before foretells, independently
        tie = np.where(self.follows, np.sign(alpha) ** self.gap * np.abs(alpha) ** self.gap, 0.0)
        spread = 1 - tie**2
        before = np.vstack([np.zeros((1, values.shape[1])), values[:-1]])
        white = (values - tie[:, None] * before) / spread[:, None]
        carried = np.vstack([(tie[:, None] * white)[1:], np.zeros((1, values.shape[1]))])
        return white - carried

    def estimate(self, residual: Floats, before: float) -> tuple[float, float]:
        """Dispersion and correlation from Pearson residuals, by moments as in geepack."""
        dispersion = float((residual**2).mean())
        if self.kind == "independence":
            return dispersion, 0.0
        if self.kind == "exchangeable":
            total = self.sums(residual[:, None])[:, 0] ** 2
            pairs = float((self.size * (self.size - 1)).sum())
            alpha = float(total.sum() - (residual**2).sum()) / (pairs * dispersion) if pairs else 0.0
        else:
            alpha = self._autoregression(residual / np.sqrt(dispersion), before)
        least = -1 / (self.size.max() - 1) if self.kind == "exchangeable" and self.size.max() > 1 else -1.0
        if not least < alpha < 1:
            raise UnsupportedError(f"the working correlation runs to {alpha:.3f}: choose correlation='independence'")
        return dispersion, alpha

    def _autoregression(self, residual: Floats, before: float) -> float:
        """Least squares of products of residuals on powers of the correlation, all pairs of months of a person."""
        if not hasattr(self, "grid"):
            span = int(self.month.max() - self.month.min()) + 1
            self.grid = (span, (self.month - self.month.min()).astype(np.int64))
        span, at = self.grid
        dense, seen = np.zeros((self.number, span)), np.zeros((self.number, span))
        dense[self.person, at], seen[self.person, at] = residual, 1.0
        lags = np.arange(1, span)
        products = np.array([float((dense[:, lag:] * dense[:, :-lag]).sum()) for lag in lags])
        pairs = np.array([float((seen[:, lag:] * seen[:, :-lag]).sum()) for lag in lags])

        def score(alpha: float) -> float:
            return float((lags * alpha ** (lags - 1.0) * (products - pairs * alpha**lags)).sum())

        if not pairs.sum():
            return 0.0
        from scipy.optimize import brentq

        grid = np.linspace(-0.995, 0.9999, 400)
        values = np.array([score(a) for a in grid])
        falls = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
        if not len(falls):
            return float(grid[np.argmin(np.abs(values))])
        place = falls[np.argmin(np.abs(grid[falls] - (before or 0.5)))]
        return float(brentq(score, grid[place], grid[place + 1], xtol=1e-15, rtol=1e-14))


def estimating_equations(
    y: Floats, design: Floats, person: NDArray[np.int64], month: Floats, family: Family, correlation: Correlation
) -> Panel:
    """Solve generalised estimating equations; rows may come in any order, months may be missing.

    Correlation and dispersion are found by moments, as in R's geepack (pairs
    and residuals are not reduced by the number of coefficients). The
    covariance is the sandwich between persons, without small-sample factor.

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), [0, 0, 0, 1, 1, 1]])
    >>> fit = estimating_equations(np.array([0.0, 1, 0, 1, 1, 0]), x, np.array([0, 0, 1, 2, 2, 3]), np.array([1.0, 2, 1, 1, 2, 1]),
    ...                            "logit", "independence")
    >>> fit.coefficients.round(4).tolist()
    [-0.6931, 1.3863]
    """
    order = np.lexsort([month, person])
    y, design, person, month = y[order], design[order], person[order], month[order]
    if ((person[1:] == person[:-1]) & (month[1:] == month[:-1])).any():
        raise UnsupportedError(
            "panel_effect: several rows in one month share a cluster (cluster= names the person, who has one row a month): adjust for centres with adjust="
        )
    working = _Working(person, month, correlation)
    share = float(y.mean())
    if not 0 < share < 1:
        raise UnsupportedError("everybody or nobody has the outcome in every month: nothing to compare")
    centre = {"logit": special.logit(share), "log": np.log(share), "identity": share}[family]
    beta = np.linalg.lstsq(design, np.full(len(y), centre), rcond=None)[0]
    alpha = 0.0
    for _ in range(STEPS):
        mean, slope, variance = _moments(family, design @ beta)
        if not (variance > 0).all():
            raise UnsupportedError(
                f'family="{family}": a fitted risk leaves 0 to 1, or a month has no event in an arm; use "logit", or fewer months'
            )
        root = np.sqrt(variance)
        residual, scaled = (y - mean) / root, (slope / root)[:, None] * design
        dispersion, alpha = working.estimate(residual, alpha)
        through = working.inverse(scaled, alpha)
        try:
            step = np.linalg.solve(through.T @ scaled, through.T @ residual)
        except np.linalg.LinAlgError:
            raise UnsupportedError("the covariates follow from one another, or separate the outcome: leave some out") from None
        moved = float(np.abs(design @ step).max())
        beta = beta + step * min(1.0, 2.0 / moved if family != "identity" and moved > 0 else 1.0)
        if moved < 1e-11:
            bread = np.linalg.inv(through.T @ scaled)
            scores = working.sums(through * residual[:, None])
            return Panel(beta, bread @ (scores.T @ scores) @ bread, alpha, dispersion)
        if np.abs(design @ beta).max() > 30:
            break
    raise UnsupportedError(
        "the panel model has no finite answer: a month has no event (or only events) in an arm, or it did not converge"
    )


@supports(ties="", competing="", instead="people are the clusters of a panel; adjust for centres with adjust=")
def panel_effect(
    data: Data, outcome: str, arm: str = "arm", reference: str | None = None, months: Sequence[int] | None = None,
    adjust: str | Sequence[str] | None = None, cluster: str = "person_id", family: Family = "logit",
    correlation: Correlation = "independence", *, month: str | None = None,
) -> Estimates:  # fmt: skip
    """Arms compared in every month and on average over months, all months in one model.

    Generalised estimating equations with an indicator of every arm, month and
    arm by month, and covariates; errors are robust between persons, so they
    hold whatever the correlation is. Only months in which a person was
    observed count: no value is filled in, and the answer holds where being
    observed does not depend on the outcome, given arm, month and covariates.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    outcome : str
        True/false; missing means not observed.
    arm : str
        Column that holds the arm.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    months : list of int, optional
        Which months; all from 1 by default.
    adjust : str or list of str, optional
        Baseline columns.
    cluster : str
        Column that says which rows belong together; a person.
    family : {"logit", "log", "identity"}
        Link of the binomial model, and so what is compared: odds ratio, risk
        ratio, risk difference.
    correlation : {"independence", "exchangeable", "ar1"}
        Working correlation of a person's months. "ar1" falls with the
        months between two observations.
    month : str, optional
        The month column of a DataFrame.

    Returns
    -------
    Estimates
        A row a contrast and month, and one with an empty month: the average
        over months (of logarithms, for ratios), all months alike. Measure
        ``risk_difference`` with an empty month: everybody's risk under
        either arm, averaged over people and months observed (delta method).
        Measure ``interaction``: Wald's test that all months have one effect
        (``statistic``, ``degrees_of_freedom``). ``correlation`` is the
        working correlation found.

    Raises
    ------
    UnsupportedError
        For unknown columns, one arm, under 30 persons, months in which an
        arm has no event, several rows a person and month.

    References
    ----------
    Liang KY, Zeger SL. Biometrika 1986;73:13-22. Halekoh U, Hojsgaard S,
    Yan J. J Stat Softw 2006;15(2):1-11.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> rows = pd.DataFrame({"person_id": np.repeat(np.arange(80), 3), "month": np.tile([1, 2, 3], 80)})
    >>> rows["arm"] = np.where(rows["person_id"] % 2, "ips", "control")
    >>> rows["works"] = (rng.random(240) < np.where(rows["arm"] == "ips", 0.6, 0.3)).astype(int)
    >>> found = panel_effect(rows, "works", reference="control").table
    >>> found[["measure", "month"]].astype(str).values.tolist()[-3:]
    [['odds_ratio', '<NA>'], ['risk_difference', '<NA>'], ['interaction', '<NA>']]
    """
    if family not in _MEASURE or correlation not in ("independence", "exchangeable", "ar1"):
        raise UnsupportedError("family= is logit, log or identity; correlation= is independence, exchangeable or ar1")
    reference = own_reference(data, reference)
    covariates = as_list(adjust)
    at = list(months) if months is not None else None
    table, month = months_table(data, list(dict.fromkeys([outcome, arm, *covariates, cluster])), at, month)
    if month is None:
        raise UnsupportedError("the data has no month column; name it with month=, or use compare_arms for one point in time")
    table, left_out = with_arm(table, arm)
    levels = sorted(table[arm].unique())
    if reference is None or reference not in levels:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(levels)}")
    if len(levels) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    seen = table[table[outcome].notna()]
    used = seen.dropna(subset=[*covariates, cluster, month])
    notes = [*left_out, f"{len(seen)} of {len(table)} person-months were observed and count; none is filled in"]
    if len(used) < len(seen):
        notes.append(f"{len(seen) - len(used)} of {len(seen)} rows left out: a covariate, person or month is missing")
    when = sorted(used[month].unique())
    for_all = used.groupby([arm, month], observed=True).size()
    if len(for_all) < len(levels) * len(when) or not len(used):
        raise UnsupportedError("an arm has nobody observed in a month: choose other months=")
    value = pd.Series(yes_no(used[outcome], outcome), index=used.index)
    shares = value.groupby([used[arm], used[month]]).mean()
    empty = int(shares.isin((0.0, 1.0)).sum())
    if 0 < empty < len(shares):
        raise UnsupportedError(
            f"in {empty} of {len(shares)} combinations of arm and month nobody, or everybody, has {outcome}: a month has no event, "
            "or only events, in an arm; choose other months="
        )
    people = pd.factorize(used[cluster])[0].astype(np.int64)
    if people.max() + 1 < FEW_CLUSTERS:
        raise UnsupportedError(
            f"{people.max() + 1} of {cluster} are too few for a panel's robust errors (least {FEW_CLUSTERS}); "
            "compare months one by one with compare_arms"
        )
    model = _PanelModel(used, outcome, arm, reference, month, when, covariates)
    fit = estimating_equations(model.y, model.design, people, used[month].to_numpy(dtype=float), family, correlation)
    rows = pd.DataFrame(model.rows(fit, family)).assign(outcome=outcome, correlation=fit.correlation)
    words = f"Generalised estimating equations, {family} link, {correlation} working correlation, arm by month"
    words += f", adjusted for {', '.join(covariates)}" if covariates else ""
    return Estimates(tidy(rows), f"{outcome} compared between arms over months", f"{words}; errors robust between persons ({cluster}), "
                     "two-sided 95 % normal limits", REFERENCES, "forest", tuple(notes))  # fmt: skip


class _PanelModel:
    """Design of arm, month, arm by month and covariates, and the contrasts that are read from it."""

    def __init__(
        self, used: pd.DataFrame, outcome: str, arm: str, reference: str, month: str, when: list[int], covariates: list[str]
    ) -> None:
        self.y = yes_no(used[outcome], outcome)
        base, self.others = design_matrix(used, arm, reference, covariates)
        self.reference, self.when = reference, when
        at = used[month].to_numpy()
        self.arms = len(self.others)
        later = np.column_stack([at == m for m in when[1:]]).astype(float) if len(when) > 1 else np.zeros((len(used), 0))
        self.later, self.covariates = later, base[:, 1 + self.arms :]
        self.design = self._built(base[:, 1 : 1 + self.arms])
        self.codes = used[arm].to_numpy()
        self.at = at

    def _built(self, arms: Floats) -> Floats:
        crossed = [arms[:, [a]] * self.later for a in range(self.arms)]
        return np.column_stack([np.ones(len(arms)), arms, self.later, *crossed, self.covariates])

    def rows(self, fit: Panel, family: Family) -> list[dict[str, object]]:
        made: list[dict[str, object]] = []
        ratio, extra = family != "identity", len(self.when) - 1
        for a, other in enumerate(self.others):
            start = 1 + self.arms + extra * (1 + a)
            every = np.zeros((len(self.when), self.design.shape[1]))
            every[:, 1 + a] = 1
            every[np.arange(1, extra + 1), start + np.arange(extra)] = 1
            sign = "/" if ratio else "-"
            for m, slope in [*zip(self.when, every, strict=True), (pd.NA, every.mean(axis=0))]:
                centre, error = float(slope @ fit.coefficients), float(np.sqrt(slope @ fit.covariance @ slope))
                row = ratio_or_difference(_MEASURE[family], f"{other} {sign} {self.reference}", float(np.exp(centre)) if ratio else centre,
                                          error, "GEE, robust" if m is not pd.NA else "GEE, robust, mean over months", ratio=ratio)  # fmt: skip
                made.append({**row, "month": m, **self._sizes(other, m)})
            if ratio:
                made.append(self._standardised(fit, family, a, other))
            if extra:
                own = slice(start, start + extra)
                statistic = float(fit.coefficients[own] @ np.linalg.solve(fit.covariance[own, own], fit.coefficients[own]))
                made.append({"measure": "interaction", "contrast": f"{other} {sign} {self.reference}", "month": pd.NA,
                             "statistic": statistic, "degrees_of_freedom": extra, "p_value": float(special.chdtrc(extra, statistic)),
                             "method": "Wald, robust", **self._sizes(other, pd.NA)})  # fmt: skip
        return made

    def _sizes(self, other: str, month: object) -> dict[str, int]:
        inside = np.ones(len(self.y), dtype=bool) if month is pd.NA else self.at == month
        sizes = {}
        for name, level in (("arm", other), ("reference", self.reference)):
            own = inside & (self.codes == level)
            sizes[f"n_{name}"], sizes[f"events_{name}"] = int(own.sum()), int(self.y[own].sum())
        return sizes | {"n": sizes["n_arm"] + sizes["n_reference"], "events": sizes["events_arm"] + sizes["events_reference"]}

    def _standardised(self, fit: Panel, family: Family, a: int, other: str) -> dict[str, object]:
        means, slopes = [], []
        for chosen in (a, None):
            arms = np.zeros((len(self.y), self.arms))
            if chosen is not None:
                arms[:, chosen] = 1
            forced = self._built(arms)
            mean, slope, _ = _moments(family, forced @ fit.coefficients)
            means.append(float(mean.mean()))
            slopes.append(slope @ forced / len(forced))
        gradient = slopes[0] - slopes[1]
        error = float(np.sqrt(gradient @ fit.covariance @ gradient))
        row = ratio_or_difference("risk_difference", f"{other} - {self.reference}", means[0] - means[1], error,
                                  "GEE, robust, standardised over person-months", ratio=False)  # fmt: skip
        return {**row, "month": pd.NA, **self._sizes(other, pd.NA)}
