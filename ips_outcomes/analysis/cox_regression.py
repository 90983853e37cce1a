"""Cox regression: ties, strata, delayed entry, weights, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from ips_outcomes.analysis.cox_errors import cluster_scores, meat
from ips_outcomes.analysis.cox_fit import CoxFit, ratio_table
from ips_outcomes.analysis.cox_inputs import Prepared, WeightType, check_levels, check_ties, prepared
from ips_outcomes.analysis.cox_likelihood import RiskSets, Ties, risk_sets
from ips_outcomes.analysis.cox_maximum import FIRTH as PENALTY
from ips_outcomes.analysis.cox_maximum import maximised
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates

__all__ = ["cox", "fit_cox"]

REFERENCES = (
    "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x",
    "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565. doi:10.1080/01621459.1977.10480613",
)
BRESLOW = "Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99. doi:10.2307/2529620"
ROBUST = "Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat Assoc 1989;84:1074-1078. doi:10.1080/01621459.1989.10478874"
FIRTH = "Heinze G, Schemper M. A solution to the problem of monotone likelihood in Cox regression. Biometrics 2001;57:114-119. doi:10.1111/j.0006-341X.2001.00114.x"
SMALL = "Kline P, Santos A. A score based approach to wild bootstrap inference. J Econom Methods 2012;1:23-41. doi:10.1515/2156-6674.1006"


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, strata=True, ties="Efron, Breslow",
          competing="cause-specific: other events censored")  # fmt: skip
def cox(
    data: Data, formula: str = "arm", time: str = "time", event: str = "event", cause: int = 1, entry: str | None = None,
    strata: str | Sequence[str] | None = None, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", ties: Ties = "efron", penalty: Literal["firth"] | None = None, seed: int = 0,
) -> Estimates:  # fmt: skip
    """Hazard ratios by Cox regression, cause-specific where other events compete.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (people at risk of a first job), or one row a person, or a
        row a pattern with ``weights=``.
    formula : str
        Covariates, as in ``"arm * age + C(centre)"``. Text and categories are
        compared with their first level (for a FollowUp's arm: the study's
        reference). Rows with a missing covariate are left out and counted.
    time, event : str
        Whole times from 0; 0 is censored, 1 the event, 2 and up competing events.
    cause : int
        The code of the event of interest; others count as censored.
    entry : str, optional
        Delayed entry: at risk at t are those with entry < t <= time.
    strata : str or list of str, optional
        Columns with a baseline hazard a level; a missing level is a stratum, Unknown.
    cluster : str, optional
        Column of people who belong together: errors are robust to it. Under
        30 clusters limits and p-values come from a wild score bootstrap.
    weights : str, optional
    weight_type : {"frequency", "probability"}
        Whole numbers of people (the same answer as that many rows), or
        inverse probabilities with robust errors.
    ties : {"efron", "breslow"}
    penalty : {"firth"}, optional
        Firth's penalised likelihood: finite also where events fall on one
        side only; limits and p-values from its profile.
    seed : int
        For the wild bootstrap, where the clusters are too many to try every sign.

    Returns
    -------
    Estimates
        Measure ``hazard_ratio``, a row a coefficient: ``term`` (as in the
        formula, ``a:b`` for interactions), ``level``, ``contrast``,
        ``coefficient``, ``estimate`` (hazard ratio), ``std_error`` (of the
        coefficient; robust where ``cluster=`` or probability weights).

    Raises
    ------
    UnsupportedError
        Without events; for times that are not whole; for a covariate that is
        constant, follows from others, or has no finite hazard ratio.

    Notes
    -----
    Equal to R's ``survival::coxph``, with one intended difference: under
    Efron's method R lets tied events share their mean weight, so that weight 2
    is not the same as two rows. Here frequency weights are people, and the
    same as rows; probability weights are as in R.

    References
    ----------
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
    Efron B. The efficiency of Cox's likelihood function for censored data.
    J Am Stat Assoc 1977;72:557-565.
    Lin DY, Wei LJ. The robust inference for the Cox proportional hazards
    model. J Am Stat Assoc 1989;84:1074-1078.
    Heinze G, Schemper M. A solution to the problem of monotone likelihood in
    Cox regression. Biometrics 2001;57:114-119.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["b", "a"] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> cox(people, "arm").table[["term", "contrast", "events", "estimate"]].round(3).values.tolist()
    [['arm', 'b / a', 6, 1.728]]
    """
    return fit_cox(data, formula, time=time, event=event, cause=cause, entry=entry, strata=strata, cluster=cluster,
                   weights=weights, weight_type=weight_type, ties=ties, penalty=penalty, seed=seed).estimates  # fmt: skip


def fit_cox(
    data: Data, formula: str = "arm", *, time: str = "time", event: str = "event", cause: int = 1, entry: str | None = None,
    strata: str | Sequence[str] | None = None, cluster: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", ties: Ties = "efron", penalty: Literal["firth"] | None = None, seed: int = 0,
) -> CoxFit:  # fmt: skip
    """The same as `cox`, with what prediction and tests need: covariance, baseline, risk sets.

    Returns
    -------
    CoxFit

    References
    ----------
    As `cox`.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["b", "a"] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> fit_cox(people, "arm").covariance.round(3)
            arm[b]
    arm[b]   0.839
    """
    check_ties(ties)
    if penalty not in (None, "firth"):
        raise UnsupportedError('penalty is "firth" or nothing')
    robust = cluster is not None or weight_type == "probability"
    if penalty and robust:
        raise UnsupportedError('penalty="firth" has no robust errors: leave out cluster= and probability weights')
    people = prepared(data, formula, time, event, entry, strata, cluster, weights, weight_type)
    return fitted(people, event, cause, ties, penalty, robust, seed)


def risk_sets_of(people: Prepared, cause: int, ties: Ties) -> RiskSets:
    """The risk sets of a cause-specific model; refused where nothing happens."""
    happened = people.event == cause
    if not happened.any():
        raise UnsupportedError(f"no event of cause {cause} among {int(people.people.sum())} people: there is nothing to model")
    return risk_sets(people.design.matrix, people.time, happened, people.weight, people.people, people.stratum,
                     people.entry, ties)  # fmt: skip


def fitted(
    people: Prepared, event: str, cause: int, ties: Ties, penalty: str | None, robust: bool, seed: int = 0, advice: str = PENALTY,
) -> CoxFit:  # fmt: skip
    """Fit to people who have been prepared; ``advice`` is what to do where no hazard ratio is finite."""
    sets, names, scale = risk_sets_of(people, cause, ties), people.design.names, people.design.scale
    if not penalty:
        check_levels(people, people.event == cause, advice)
    notes, low, high, p_value = people.notes, None, None, None
    said = ["cause-specific Cox" if (people.event > 0)[people.event != cause].any() else "Cox", ties.capitalize()]
    sources = list(REFERENCES if ties == "efron" else (REFERENCES[0], BRESLOW))
    if penalty:
        from ips_outcomes.analysis.cox_firth import firth

        beta, sums, low, high, p_value = firth(sets, names)
        null = float(sets.at(np.zeros(len(beta))).loglik)
        said.append("Firth's penalty, profile limits")
        sources.append(FIRTH)
    else:
        beta, sums, null = maximised(sets, names, advice)
    inverse = np.linalg.inv(sums.information)
    covariance = inverse
    if robust:
        sources.append(ROBUST)
        if people.cluster is None:
            covariance = inverse @ meat(sets, sums, people.frequency) @ inverse
            said.append("robust errors")
        else:
            scores = cluster_scores(sets, sums, people.cluster, people.clusters)
            covariance = inverse @ (scores.T @ scores) @ inverse
            said.append("errors robust to clusters")
            if people.clusters < FEW_CLUSTERS:
                from ips_outcomes.analysis.cox_small import wild_limits

                low, high, p_value = wild_limits(sets, people, beta, sums, seed)
                said.append("wild score bootstrap")
                sources.append(SMALL)
                notes = (*notes, f"{people.clusters} clusters are few: limits and p-values are from a wild score bootstrap over "
                         "clusters; read them with care")  # fmt: skip
    errors = np.sqrt(np.diag(covariance)) / scale
    low, high = (None if x is None else x / scale for x in (low, high))
    table = ratio_table(people, beta / scale, errors, event, people.event == cause, ", ".join(said), low, high, p_value)
    method = f"{'; '.join(said)}; other events censored; two-sided 95 % limits"
    both = np.outer(scale, scale)
    return CoxFit(
        Estimates(table, "Hazard ratio", method, tuple(sources), "forest", notes),
        pd.Series(beta / scale, index=list(names)), pd.DataFrame(covariance / both, list(names), list(names)),
        pd.DataFrame(inverse / both, list(names), list(names)), sums.loglik, null, people, sets, sums,
        {"event": event, "cause": cause, "ties": ties, "robust": robust, "penalty": penalty},
    )  # fmt: skip
