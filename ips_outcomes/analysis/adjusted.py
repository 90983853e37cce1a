"""Adjusted and clustered comparisons: linear, logistic (g-computation) and modified Poisson regression.

References
----------
Zou G. Am J Epidemiol 2004;159:702-706. doi:10.1093/aje/kwh090
Stefanski LA, Boos DD. Am Stat 2002;56:29-38 (estimating equations stacked). doi:10.1198/000313002753631330
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.inputs import yes_no
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.regression import Fit, Model, firth_profile, fit_model, ratio_or_difference
from ips_outcomes.analysis.regression_errors import Errors, combination_error
from ips_outcomes.analysis.small_clusters import ALL_SIGNS, wild_bootstrap
from ips_outcomes.errors import UnsupportedError

__all__ = [
    "Errors",
    "Model",
    "Plan",
    "Population",
    "SmallClusters",
    "by_regression",
    "describe",
    "design_matrix",
    "planned",
    "references",
]

Floats = NDArray[np.float64]
Population: TypeAlias = Literal["fixed", "sampled"]
SmallClusters: TypeAlias = Literal["cr2", "wild"]

_REFERENCES = {
    "poisson": "Zou G. A modified Poisson regression approach to prospective studies with binary data. "
    "Am J Epidemiol 2004;159:702-706. doi:10.1093/aje/kwh090",
    "sampled": "Stefanski LA, Boos DD. The calculus of M-estimation. Am Stat 2002;56:29-38. doi:10.1198/000313002753631330",
    "cr2": "Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with multi-stage samples. "
    "Surv Methodol 2002;28:169-181.",
    "cr2 more": "Pustejovsky JE, Tipton E. Small-sample methods for cluster-robust variance estimation and hypothesis testing in "
    "fixed effects models. J Bus Econ Stat 2018;36:672-683. doi:10.1080/07350015.2016.1247004",
    "wild": "Cameron AC, Gelbach JB, Miller DL. Bootstrap-based improvements for inference with clustered errors. "
    "Rev Econ Stat 2008;90:414-427. doi:10.1162/rest.90.3.414",
    "firth": "Heinze G, Schemper M. A solution to the problem of separation in logistic regression. "
    "Stat Med 2002;21:2409-2419. doi:10.1002/sim.1047",
    "logistic": "Localio AR, Margolis DJ, Berlin JA. Relative risks and confidence intervals were easily computed indirectly from "
    "multivariable logistic regression. J Clin Epidemiol 2007;60:874-882. doi:10.1016/j.jclinepi.2006.12.001",
}


@dataclass(frozen=True)
class Plan:
    """What is to be fitted, and how errors come about."""

    binary: bool
    model: Model
    errors: Errors
    covariates: Population
    small_clusters: SmallClusters
    firth: bool
    cluster: str | None
    probability: bool
    replicates: int
    seed: int


def planned(
    *, binary: bool, model: Model | None, errors: Errors | None, covariates: Population | None, small_clusters: SmallClusters,
    penalty: str | None, cluster: str | None, probability: bool, replicates: int, seed: int,
) -> Plan:  # fmt: skip
    """Fill in what was not said, and refuse what has no answer."""
    for name, value, known in (
        ("model", model, ("logistic", "poisson", "linear")), ("errors", errors, ("model", "robust")),
        ("covariates", covariates, ("fixed", "sampled")), ("small_clusters", small_clusters, ("cr2", "wild")),
        ("penalty", penalty, ("firth",)),
    ):  # fmt: skip
        if value is not None and value not in known:
            raise UnsupportedError(f"{name}= is one of: {', '.join(known)}")
    if not binary and model not in (None, "linear"):
        raise UnsupportedError(f'model="{model}" is for true/false outcomes; a number has the linear model')
    chosen: Model = model or ("logistic" if binary else "linear")
    sure = (chosen == "logistic" or not binary) and not (cluster or probability) and covariates != "sampled"
    if errors == "model" and not sure:
        raise UnsupportedError(
            'errors="model" would be wrong here: clusters, probability weights, sampled covariates and the linear or Poisson '
            "model of a true/false outcome need robust errors"
        )
    if covariates and chosen != "logistic":
        raise UnsupportedError("covariates= is for g-computation over the logistic model")
    if penalty and (chosen != "logistic" or cluster or probability or errors == "robust" or covariates == "sampled"):
        raise UnsupportedError(
            'penalty="firth" is for the logistic model with its own errors, without clusters or probability weights'
        )
    if small_clusters == "wild" and chosen != "linear":
        raise UnsupportedError('small_clusters="wild" is for linear models; say model="linear", or use "cr2"')
    population: Population = covariates or ("sampled" if probability or errors == "robust" else "fixed")
    return Plan(binary, chosen, "model" if sure and errors != "robust" else "robust", population, small_clusters,
                penalty == "firth", cluster, probability, replicates, seed)  # fmt: skip


def describe(plan: Plan, covariates: list[str]) -> str:
    """The model in words."""
    words = {
        "linear": "linear regression", "poisson": "modified Poisson regression",
        "logistic": "logistic regression, standardised over everybody (g-computation)",
    }[plan.model]  # fmt: skip
    words += " with Firth's penalty" if plan.firth else ""
    words += f", adjusted for {', '.join(covariates)}" if covariates else ""
    words += "; probability weights" if plan.probability else ""
    if plan.cluster:
        words += f"; errors robust to clusters of {plan.cluster}"
    elif plan.errors == "robust":
        words += "; robust (sandwich) errors"
    if plan.model == "logistic" and plan.covariates == "sampled":
        words += " that count covariates as sampled, too"
    limits = "t" if plan.errors == "model" and plan.model == "linear" else "normal"
    few = f" (under {FEW_CLUSTERS} clusters as the notes say)" if plan.cluster else ""
    return f"{words[0].upper()}{words[1:]}; two-sided 95 % limits from the {limits} distribution{few}"


def references(plan: Plan) -> tuple[str, ...]:
    """Where the methods of a plan are described."""
    keys = [plan.model, *(["firth"] if plan.firth else [])]
    keys += ["sampled"] if plan.model == "logistic" and plan.covariates == "sampled" else []
    keys += ([plan.small_clusters, "cr2 more"] if plan.small_clusters == "cr2" else ["wild"]) if plan.cluster else []
    return tuple(_REFERENCES[key] for key in keys if key in _REFERENCES)


def by_regression(
    table: pd.DataFrame, outcome: str, arm: str, reference: str, month: str | None, covariates: list[str], weight: Floats,
    plan: Plan,
) -> tuple[pd.DataFrame, tuple[str, ...]]:  # fmt: skip
    """One model a month: arms, covariates, errors as planned."""
    rows, notes = [], []
    arms = sorted(table[arm].unique())
    table = table.assign(_weight=weight)[weight > 0]
    for key, part in table.groupby(month, sort=True) if month else [(pd.NA, table)]:
        where = f"month {key}: " if month else ""
        used = part[part[outcome].notna()]
        complete = used.dropna(subset=[*covariates, *([plan.cluster] if plan.cluster else [])])
        if len(complete) < len(used):
            notes.append(f"{where}{len(used) - len(complete)} of {len(used)} rows left out: a covariate is missing")
        empty = [a for a in arms if not (complete[arm] == a).any()]
        if empty:
            where = where.removesuffix(": ") or "all rows"
            notes.append(f"{where}: no estimate, as nobody with known values is in {', '.join(empty)}")
            continue
        found, said = _Comparison(complete, outcome, arm, reference, covariates, plan).rows()
        rows += [{**row, "month": key} for row in found]
        notes += [where + note for note in said]
    if not rows:
        raise UnsupportedError("; ".join(notes) or "there is nobody to compare")
    return pd.DataFrame(rows), tuple(notes)


def design_matrix(part: pd.DataFrame, arm: str, reference: str, covariates: list[str]) -> tuple[Floats, list[str]]:
    """Intercept, an indicator an arm, then covariates (numbers as they are, categories as indicators)."""
    others = [a for a in sorted(part[arm].unique()) if a != reference]
    columns = [np.ones(len(part)), *[(part[arm] == a).to_numpy(dtype=float) for a in others]]
    for name in covariates:
        values = part[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            columns.append(values.to_numpy(dtype=float))
        else:
            dummies = pd.get_dummies(values.astype(str), drop_first=True, dtype=float)
            columns += [dummies[c].to_numpy() for c in dummies]
    design = np.column_stack(columns)
    if not np.isfinite(design).all():
        raise UnsupportedError(f"{int((~np.isfinite(design)).any(axis=1).sum())} rows have a covariate that is not finite")
    size = np.sqrt((design**2).sum(axis=0))
    # of the triangular factor, which is as small as the number of columns
    known = len(design) >= design.shape[1] and (size > 0).all()
    if not known or np.linalg.matrix_rank(np.linalg.qr(design / size, mode="r"), rtol=1e-10) < len(size):
        raise UnsupportedError("a covariate is constant, or follows from the others: leave it out of adjust=")
    return design, others


class _Comparison:
    """One model fitted to one table, and the rows that come of it."""

    def __init__(self, part: pd.DataFrame, outcome: str, arm: str, reference: str, covariates: list[str], plan: Plan) -> None:
        self.plan, self.reference = plan, reference
        self.y = yes_no(part[outcome], outcome) if plan.binary else part[outcome].to_numpy(dtype=float)
        if not np.isfinite(self.y).all():
            raise UnsupportedError(f"{int((~np.isfinite(self.y)).sum())} values of {outcome} are not finite")
        self.weight = part["_weight"].to_numpy(dtype=float)
        self.design, self.others = design_matrix(part, arm, reference, covariates)
        self.people = self.weight if not plan.probability else np.ones(len(part))
        self.in_arm = {a: (part[arm] == a).to_numpy() for a in [*self.others, reference]}
        self.clusters: NDArray[np.int64] | None = None
        self.notes: list[str] = []
        self.few = False
        if plan.cluster:
            self._sort_clusters(part[plan.cluster])
        self.fit: Fit = fit_model(self.y, self.design, self.weight, plan.model, firth=plan.firth)

    def _sort_clusters(self, values: pd.Series) -> None:
        self.clusters = pd.factorize(values)[0].astype(np.int64)
        number = int(self.clusters.max()) + 1
        self.few = number < FEW_CLUSTERS
        in_arms = {a: len(np.unique(self.clusters[rows])) for a, rows in self.in_arm.items()}
        # an arm that is one cluster and nothing else: its level and that cluster's cannot be told apart
        alone = [a for a, count in in_arms.items() if count == 1 and len(in_arms) > 1 and self._whole(a)]
        if number < 2 or alone:
            why = (
                f"{', '.join(alone)} is one cluster" if alone and number > 1 else "errors come from differences between clusters"
            )
            raise UnsupportedError(
                f"{number} cluster{'s are' if number > 1 else ' is'} too few for cluster-robust errors: {why}; "
                "put the clusters into adjust= or strata= if individuals were randomised"
            )
        if self.few and self.plan.model == "logistic" and self.plan.covariates == "sampled":
            self.notes.append(f"covariates count as fixed: with {number} clusters there is CR2 for the model's coefficients only")

    def _whole(self, arm: str) -> bool:
        assert self.clusters is not None
        own = self.clusters[self.in_arm[arm]]
        return not np.isin(self.clusters[~self.in_arm[arm]], own).any()

    def rows(self) -> tuple[list[dict[str, object]], list[str]]:
        made = {"linear": self._linear, "poisson": self._poisson, "logistic": self._standardised}[self.plan.model]()
        if self.few:
            assert self.clusters is not None
            number = int(self.clusters.max()) + 1
            if self.plan.small_clusters == "wild":
                said = f"wild cluster bootstrap, {2**number if number <= ALL_SIGNS else self.plan.replicates} vectors of signs"
                if number < 6:
                    said += "; under 6 clusters it can never reach 5 %, so there are no limits"
            else:
                said = "CR2 errors, limits and p from t with Satterthwaite's degrees of freedom"
                degrees = [float(str(r["degrees_of_freedom"])) for r in made]
                if np.nanmin([*degrees, np.inf]) < 4:
                    said += " (under 4: read p-values with reserve)"
            self.notes.append(f"{number} clusters of {self.plan.cluster} are few: {said}")
        return made, self.notes

    def _sizes(self, other: str) -> dict[str, object]:
        sizes: dict[str, int] = {}
        for name, arm in (("arm", other), ("reference", self.reference)):
            rows = self.in_arm[arm]
            sizes[f"n_{name}"] = round(float(self.people[rows].sum()))
            if self.plan.binary:
                sizes[f"events_{name}"] = round(float((self.people * self.y)[rows].sum()))
        sizes["n"] = sizes["n_arm"] + sizes["n_reference"]
        if self.plan.binary:
            sizes["events"] = sizes["events_arm"] + sizes["events_reference"]
        return dict(sizes)

    def _errors(self, slope: Floats, own: Floats | None = None) -> tuple[float, float]:
        """Standard error of a combination of coefficients (plus each row's ``own`` part), and degrees of freedom."""
        plan = self.plan
        return combination_error(self.fit, slope, own, errors=plan.errors, clusters=self.clusters, frequency=not plan.probability)

    def _row(
        self, measure: str, other: str, estimate: float, errors: tuple[float, float], method: str, *, ratio: bool
    ) -> dict[str, object]:
        contrast = f"{other} {'/' if ratio else '-'} {self.reference}"
        how = "CR2, Satterthwaite" if self.few else "cluster-robust" if self.clusters is not None else ""
        how = how or ("robust" if self.plan.errors == "robust" else "")
        row = ratio_or_difference(measure, contrast, estimate, errors[0], f"{method}, {how}" if how else method,
                                  ratio=ratio, degrees=errors[1])  # fmt: skip
        more = {"degrees_of_freedom": errors[1]} if self.few else {}
        return {**row, **more, **self._sizes(other)}

    def _coefficient(self, position: int) -> Floats:
        slope = np.zeros(self.design.shape[1])
        slope[position] = 1
        return slope

    def _linear(self) -> list[dict[str, object]]:
        measure = "risk_difference" if self.plan.binary else "mean_difference"
        made = []
        for i, other in enumerate(self.others, start=1):
            estimate = float(self.fit.coefficients[i])
            if self.few and self.plan.small_clusters == "wild":
                assert self.clusters is not None
                found = wild_bootstrap(self.fit, self.clusters, i, replicates=self.plan.replicates, seed=self.plan.seed)
                made.append({"measure": measure, "contrast": f"{other} - {self.reference}", "estimate": estimate,
                             **found._asdict(), "method": "OLS, wild cluster bootstrap", **self._sizes(other)})  # fmt: skip
                continue
            errors = self._errors(self._coefficient(i))
            method = "OLS, t limits" if self.plan.errors == "model" else "OLS" if self.few else "OLS, normal limits"
            made.append(self._row(measure, other, estimate, errors, method, ratio=False))
        return made

    def _poisson(self) -> list[dict[str, object]]:
        made = []
        for i, other in enumerate(self.others, start=1):
            errors = self._errors(self._coefficient(i))
            made.append(
                self._row("risk_ratio", other, float(np.exp(self.fit.coefficients[i])), errors, "modified Poisson", ratio=True)
            )
        return made

    def _under(self, position: int) -> tuple[float, Floats, Floats]:
        """Everybody's risk under one arm: its mean, the mean's slope in the coefficients, each row's distance from it."""
        forced = self.design.copy()
        forced[:, 1 : len(self.others) + 1] = 0
        if position:
            forced[:, position] = 1
        predictor = forced @ self.fit.coefficients
        each, total = special.expit(predictor), self.weight.sum()
        mean = float(self.weight @ each / total)
        return mean, (self.weight * each * special.expit(-predictor)) @ forced / total, self.weight * (each - mean) / total

    def _standardised(self) -> list[dict[str, object]]:
        """Everybody's risk under each arm, averaged; errors by the delta method or the whole influence function."""
        fixed = self.plan.covariates == "fixed" or self.few
        base, base_slope, base_own = self._under(0)
        made = []
        for i, other in enumerate(self.others, start=1):
            risk, slope, own = self._under(i)
            scales = {
                "risk_difference": (risk - base, 1.0, 1.0), "risk_ratio": (risk / base, 1 / risk, 1 / base),
                "odds_ratio": (risk / (1 - risk) / (base / (1 - base)), 1 / (risk * (1 - risk)), 1 / (base * (1 - base))),
            }  # fmt: skip
            for measure, (estimate, a, b) in scales.items():
                errors = self._errors(a * slope - b * base_slope, None if fixed else a * own - b * base_own)
                method = "g-computation, delta method" if fixed else "g-computation, influence function"
                ratio = measure != "risk_difference"
                made.append(self._row(measure, other, estimate, errors, method, ratio=ratio))
            if self.plan.firth:
                low, high, p_value = firth_profile(self.fit, i)
                error = float(np.sqrt(self.fit.bread[i, i]))
                made.append({"measure": "conditional_odds_ratio", "contrast": f"{other} / {self.reference}",
                             "estimate": float(np.exp(self.fit.coefficients[i])), "std_error": error,
                             "conf_low": float(np.exp(low)), "conf_high": float(np.exp(high)), "p_value": p_value,
                             "method": "Firth, profile penalised likelihood", **self._sizes(other)})  # fmt: skip
        return made
