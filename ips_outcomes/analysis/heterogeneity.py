"""For whom, as the data say it: is there anything to find, who would gain most, and what are they like?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.heterogeneity_scores import CrossFittedScores, ScoreOptions, cross_fitted_scores
from ips_outcomes.analysis.heterogeneity_splits import Told, calibration, curve, groups_of, means_by_group, over_splits, quantile
from ips_outcomes.analysis.inputs import Data
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, Shape, tidy

__all__ = ["heterogeneity_test", "sorted_groups", "targeting_curve"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Random numbers held at once.
CELLS = 2_000_000
#: Shares at which a targeting curve is told.
SHARES = tuple(round(k / 20, 2) for k in range(1, 21))
AREAS = (
    "Yadlowsky S, Fleming S, Shah N, Brunskill E, Wager S. Evaluating treatment prioritization rules via rank-weighted average "
    "treatment effects. J Am Stat Assoc 2025;120:38-51. doi:10.1080/01621459.2024.2393466",
)
CALIBRATED = (
    "Athey S, Wager S. Estimating treatment effects with causal forests: an application. Obs Stud 2019;5:37-51. "
    "doi:10.1353/obs.2019.0001",
)
INSTEAD = "rows are people, each counted once and independent of the others; subgroup_effects takes clusters"


def _scores(
    data: Data | CrossFittedScores, outcome: str | None, covariates: str | Sequence[str] | None, arm: str, reference: str | None,
    at: int | None, seed: int | None, options: ScoreOptions,
) -> CrossFittedScores:  # fmt: skip
    """Scores as they were given, or made."""
    if not isinstance(data, CrossFittedScores):
        return cross_fitted_scores(data, outcome, covariates, arm, reference, at, seed=seed, **options)
    if options or any(v is not None for v in (outcome, covariates, reference, at)):
        raise UnsupportedError("the scores are made already: outcome, covariates and how they were made are not asked again")
    return data


def _rows(scores: CrossFittedScores, told: Told) -> pd.DataFrame:
    """The common columns of numbers that all splits tell."""
    own = scores.subjects
    table = pd.DataFrame({
        "estimate": told.estimate, "std_error": told.std_error, "conf_low": told.low, "conf_high": told.high, "p_value": told.p_value,
    })  # fmt: skip
    scale = "risk_difference" if own.binary else "mean_difference"
    return table.assign(outcome=own.name, month=own.month, contrast=scores.contrast, n=own.number, scale=scale)


def _estimates(scores: CrossFittedScores, table: pd.DataFrame, title: str, how: str, *references: str) -> Estimates:
    shape: Shape = "curve" if "share" in table else "forest"
    return Estimates(tidy(table), title, f"{how}; {scores.method}; two-sided 95 %", (*references, *scores.references),
                     shape, scores.notes)  # fmt: skip


@supports(strata=True, ties="none: no times", instead=INSTEAD)
def heterogeneity_test(
    data: Data | CrossFittedScores, outcome: str | None = None, covariates: str | Sequence[str] | None = None, arm: str = "arm",
    reference: str | None = None, at: int | None = None, *, seed: int | None = None, **options: Unpack[ScoreOptions],
) -> Estimates:  # fmt: skip
    """Calibration test: do effects differ predictably by covariates at all?

    People's doubly robust scores are regressed on the effects that other
    people predicted for them (the best linear predictor of the effect). Where
    the slope is 0 the predictions tell nothing, where it is 1 they are right;
    it is tested against 0 from above, since a rule that ranks people the wrong
    way round has found nothing.

    Parameters
    ----------
    data : FollowUp, pandas.DataFrame or CrossFittedScores
        Scores that are made already are used as they are.
    outcome, covariates, arm, reference, at, seed
        As in `cross_fitted_scores`.
    **options
        ``learner``, ``folds``, ``repeats``, ``propensity``, ``strata``,
        ``month``, ``person_id``, as there.

    Returns
    -------
    Estimates
        Measure "mean_prediction": the mean effect, in units of the outcome.
        Measure "differential_prediction": the slope, with a one-sided p;
        empty where the regression mostly finds nothing to tell people apart.
        Medians over splits; limits are medians of 97.5 % intervals and p is
        twice the median p, so that both hold at 95 and 5 % whatever the splits.

    Raises
    ------
    UnsupportedError
        As `cross_fitted_scores`.

    References
    ----------
    Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. NBER Working Paper
    24678, 2018. Athey S, Wager S. Obs Stud 2019;5:37-51. Wager S.
    arXiv:2405.05534, 2024.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 100, "young": rng.random(200) < 0.5})
    >>> people["works"] = rng.random(200) < 0.2 + 0.6 * ((people["arm"] == "ips") & people["young"])
    >>> found = heterogeneity_test(people, "works", "young", reference="control", repeats=3).table
    >>> found["measure"].tolist(), bool(found["p_value"].iloc[1] < 0.01)
    (['mean_prediction', 'differential_prediction'], True)
    """
    scores = _scores(data, outcome, covariates, arm, reference, at, seed, options)
    told = over_splits([calibration(s.score, s.prediction, s.fold) for s in scores.splits])
    table = _rows(scores, told).assign(measure=["mean_prediction", "differential_prediction"], method=["HC3", "HC3, one-sided p"])
    table.loc[1, "scale"] = ""
    how = "Best linear predictor of the effect: scores on predicted effects"
    return _estimates(scores, table, "Do effects differ predictably?", how, *CALIBRATED)


@supports(strata=True, ties="none: no times", instead=INSTEAD)
def targeting_curve(
    data: Data | CrossFittedScores, outcome: str | None = None, covariates: str | Sequence[str] | None = None, arm: str = "arm",
    reference: str | None = None, at: int | None = None, *, shares: Sequence[float] = SHARES, draws: int = 500,
    seed: int | None = None, **options: Unpack[ScoreOptions],
) -> Estimates:  # fmt: skip
    """Gain against the share treated, those with the largest predicted effect first.

    Parameters
    ----------
    data, outcome, covariates, arm, reference, at, seed, **options
        As in `heterogeneity_test`.
    shares : sequence of float
        Shares treated, above 0 and at most 1.
    draws : int
        Of the multiplier bootstrap behind errors and bands: each person's
        score counts as often as a random number says, ranks included.

    Returns
    -------
    Estimates
        Rows by ``share``. Measure "gain": what everybody gains on average if
        this share is treated, best first (at share 1 the mean effect). Measure
        "targeting": mean effect among the treated share minus that in
        everybody (the targeting operator characteristic). ``conf_low`` and
        ``conf_high`` hold at one share, ``band_low`` and ``band_high`` at all
        of them. Measure "autoc": area under "targeting"; measure
        "qini_coefficient": area between "gain" and the straight line of
        treating people in no order; with tests of whether they are 0 (no
        ``share``). People with equal predictions count as their mean.

    Raises
    ------
    UnsupportedError
        As `cross_fitted_scores`, and for shares outside 0 to 1.

    References
    ----------
    Yadlowsky S, Fleming S, Shah N, Brunskill E, Wager S. J Am Stat Assoc
    2025;120:38-51. Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. NBER
    Working Paper 24678, 2018.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 100, "young": rng.random(200) < 0.5})
    >>> people["works"] = rng.random(200) < 0.2 + 0.6 * ((people["arm"] == "ips") & people["young"])
    >>> found = targeting_curve(people, "works", "young", reference="control", repeats=3, shares=[0.5, 1]).table
    >>> found["measure"].tolist()
    ['gain', 'gain', 'targeting', 'targeting', 'autoc', 'qini_coefficient']
    """
    wanted = np.asarray(shares, dtype=float)
    if not len(wanted) or not ((wanted > 0) & (wanted <= 1)).all() or (np.diff(wanted) <= 0).any():
        raise UnsupportedError("shares= are rising numbers above 0 and at most 1")
    if draws < 50:
        raise UnsupportedError("draws= is a number from 50")
    scores = _scores(data, outcome, covariates, arm, reference, at, seed, options)
    splits, seed = scores.splits, scores.seed if seed is None else seed
    level = 2 * float(special.ndtr(quantile(len(splits)))) - 1
    found = [curve(s.score, s.prediction, s.fold, wanted, _multipliers(seed, number, draws, len(s.score)), level)
             for number, s in enumerate(splits)]  # fmt: skip
    parts = []
    for measure, answers, reach in (("gain", [c.gain for c in found], [c.gain_reach for c in found]),
                                    ("targeting", [c.targeting for c in found], [c.targeting_reach for c in found])):  # fmt: skip
        told, band = over_splits(answers), over_splits(answers, np.array(reach))
        parts.append(
            _rows(scores, told).assign(measure=measure, share=wanted, band_low=band.low, band_high=band.high, p_value=np.nan)
        )
    areas = _rows(scores, over_splits([c.areas for c in found]))
    parts.append(areas.assign(measure=["autoc", "qini_coefficient"], share=np.nan, band_low=np.nan, band_high=np.nan))
    table = pd.concat(parts, ignore_index=True).assign(method=f"multiplier bootstrap, {draws} draws")
    how = f"People treated in the order of their predicted effect; errors by multiplier bootstrap ({draws} draws)"
    return _estimates(scores, table, "Gain by the share treated", how, *AREAS)


def _multipliers(seed: int, split: int, draws: int, people: int) -> Iterator[Floats]:
    """How often each person's score counts, some draws at a time."""
    rng, step = np.random.default_rng([seed, split, 1]), max(CELLS // people, 1)
    for start in range(0, draws, step):
        yield rng.standard_exponential((min(step, draws - start), people))


@supports(strata=True, ties="none: no times", instead=INSTEAD)
def sorted_groups(
    data: Data | CrossFittedScores, outcome: str | None = None, covariates: str | Sequence[str] | None = None, arm: str = "arm",
    reference: str | None = None, at: int | None = None, *, groups: int = 4, seed: int | None = None,
    **options: Unpack[ScoreOptions],
) -> Estimates:  # fmt: skip
    """Effects in groups of people sorted by predicted effect, and what the groups are like.

    Parameters
    ----------
    data, outcome, covariates, arm, reference, at, seed, **options
        As in `heterogeneity_test`.
    groups : int
        Groups of equal size, from the smallest to the largest predicted effect.

    Returns
    -------
    Estimates
        Measure "group_effect": mean score in each group (sorted group average
        effects), with ``predicted_effect``, the mean of what was predicted.
        Measure "group_difference": largest minus smallest. Measures
        "covariate_mean" (a share where the covariate has levels) and
        "covariate_difference": what groups are like; ``subgroup`` is the
        covariate, ``level`` its level. Medians over splits; limits and p as in
        `heterogeneity_test`, p two-sided.

    Raises
    ------
    UnsupportedError
        As `cross_fitted_scores`, and where a fold has fewer than two people a group.

    References
    ----------
    Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. NBER Working Paper
    24678, 2018.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 100, "young": rng.random(200) < 0.5})
    >>> people["works"] = rng.random(200) < 0.2 + 0.6 * ((people["arm"] == "ips") & people["young"])
    >>> found = sorted_groups(people, "works", "young", reference="control", repeats=3, groups=2).table
    >>> found.loc[found["measure"] == "group_effect", "group"].tolist()
    ['1 (smallest)', '2 (largest)']
    """
    if groups < 2:
        raise UnsupportedError("groups= is a number from 2")
    scores = _scores(data, outcome, covariates, arm, reference, at, seed, options)
    smallest = int(min(np.bincount(s.fold).min() for s in scores.splits))
    if smallest < 2 * groups:
        raise UnsupportedError(
            f"a fold has {smallest} people: {groups} groups need at least {2 * groups}; use fewer groups or folds"
        )
    sorted_by = [groups_of(s.prediction, s.fold, s.lot, groups) for s in scores.splits]
    names = ["1 (smallest)", *(str(k) for k in range(2, groups)), f"{groups} (largest)"]
    sizes = np.median([np.bincount(g[g >= 0], minlength=groups) for g in sorted_by], axis=0).round().astype(int)
    told = _by_group(scores, [s.score for s in scores.splits], sorted_by, groups)
    predicted = _by_group(scores, [s.prediction for s in scores.splits], sorted_by, groups)
    parts = [_group_rows(scores, told, names, sizes, "group").assign(predicted_effect=predicted.estimate)]
    for shown in scores.subjects.shown:
        told = _by_group(scores, [shown.values] * len(scores.splits), sorted_by, groups)
        rows = _group_rows(scores, told, names, sizes, "covariate")
        parts.append(rows.assign(subgroup=shown.covariate, level=shown.level, predicted_effect=np.nan))
    table = pd.concat([p.assign(subgroup=p.get("subgroup", ""), level=p.get("level", "")) for p in parts], ignore_index=True)
    how = f"Mean scores in {groups} groups sorted by predicted effect"
    return _estimates(scores, table.assign(method="means, HC2"), "Effects in groups sorted by predicted effect", how)


def _by_group(scores: CrossFittedScores, values: list[Floats], sorted_by: list[Ints], groups: int) -> Told:
    return over_splits([means_by_group(v, s.fold, g, groups) for v, s, g in zip(values, scores.splits, sorted_by, strict=True)])


def _group_rows(scores: CrossFittedScores, told: Told, names: list[str], sizes: Ints, what: str) -> pd.DataFrame:
    """A row a group, then the difference."""
    effect = "group_effect" if what == "group" else "covariate_mean"
    rows = _rows(scores, told).assign(
        measure=[effect] * len(names) + [f"{what}_difference"], group=[*names, f"{names[-1]} - {names[0]}"],
        n=[*sizes.tolist(), int(sizes[-1] + sizes[0])],
    )  # fmt: skip
    # a mean of a covariate is no question, and belongs to no contrast of arms
    return rows if what == "group" else rows.assign(contrast="", scale="", p_value=[np.nan] * len(names) + [told.p_value[-1]])
