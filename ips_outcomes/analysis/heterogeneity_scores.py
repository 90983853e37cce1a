"""Each person's doubly robust score, and the effect that people of other folds predict for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.heterogeneity_forest import causal_forest
from ips_outcomes.analysis.heterogeneity_inputs import Subjects, subjects_of
from ips_outcomes.analysis.heterogeneity_learners import INNER, Chances, Effects, Outcomes
from ips_outcomes.analysis.heterogeneity_splits import calibration, over_splits
from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.errors import UnsupportedError

__all__ = ["CrossFittedScores", "Learner", "ScoreOptions", "Split", "aipw", "cross_fitted_scores"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Learner: TypeAlias = Literal["regression", "causal_forest"]

#: A logistic propensity is kept this far from 0 and 1.
CLIPPED = 0.02
#: People of either arm that a fold needs.
LEAST = 4

REFERENCES = (
    "Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. Generic machine learning inference on heterogeneous treatment effects in "
    "randomized experiments. NBER Working Paper 24678, 2018. doi:10.3386/w24678",
    "Wager S. Sequential validation of treatment heterogeneity. arXiv 2024. doi:10.48550/arXiv.2405.05534",
    "Robins JM, Rotnitzky A, Zhao LP. Estimation of regression coefficients when some regressors are not always observed. J Am "
    "Stat Assoc 1994;89:846-866. doi:10.1080/01621459.1994.10476818",
)
FOREST = (
    "Athey S, Tibshirani J, Wager S. Generalized random forests. Ann Stat 2019;47:1148-1178. doi:10.1214/18-AOS1709",
)  # fmt: skip


def aipw(
    outcome: Floats, treated: NDArray[np.bool_], propensity: Floats, reference: Floats, other: Floats
) -> Floats:  # fmt: skip
    """Doubly robust score of each person: its mean over people alike is their effect.

    Parameters
    ----------
    outcome : array
    treated : array of bool
    propensity : array
        Probability of the other arm.
    reference, other : array
        Predicted outcome under either arm.

    Returns
    -------
    array

    Examples
    --------
    >>> aipw(np.array([1.0, 0.0]), np.array([True, False]), np.array([0.5, 0.5]), np.array([0.25, 0.5]), np.array([0.5, 0.5])).tolist()
    [1.25, 1.0]
    """
    weight = np.where(treated, 1 / propensity, -1 / (1 - propensity))
    return np.asarray(other - reference + weight * (outcome - np.where(treated, other, reference)))


@dataclass(frozen=True)
class Split:
    """What one division into folds gave each person.

    Attributes
    ----------
    fold : array of int
    lot : array
        A random number by which people with equal predictions are put in order.
    propensity, reference, other : array
        From people of all other folds.
    prediction : array
        The effect that the folds before the person's own predict; missing in the first fold.
    score : array
    """

    fold: Ints
    lot: Floats
    propensity: Floats
    reference: Floats
    other: Floats
    prediction: Floats
    score: Floats


class ScoreOptions(TypedDict, total=False):
    """How scores are made; see `cross_fitted_scores`."""

    learner: Learner
    folds: int
    repeats: int
    propensity: str | None
    strata: str | Sequence[str] | None
    month: str | None
    person_id: str


@dataclass(frozen=True)
class CrossFittedScores:
    """Scores and predictions of every person in every split; ready for the functions that ask for whom it works.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a person and split: ``split`` and ``fold`` (from 1),
        ``person``, ``treated``, ``outcome``, ``propensity``,
        ``predicted_reference`` and ``predicted_arm`` (outcome under either
        arm, learned in the other folds), ``predicted_effect`` (learned in the
        folds before the person's own; empty in the first fold), ``score``.
    contrast : str
    method : str
    notes : tuple of str
    references : tuple of str
    """

    subjects: Subjects = field(repr=False)
    splits: tuple[Split, ...] = field(repr=False)
    seed: int
    method: str
    references: tuple[str, ...] = field(repr=False)
    made_notes: tuple[str, ...] = field(repr=False)

    @property
    def contrast(self) -> str:
        """Other arm minus reference."""
        return f"{self.subjects.arms[1]} - {self.subjects.arms[0]}"

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a person and split."""
        own = self.subjects
        parts = [
            pd.DataFrame({
                "split": number, "fold": s.fold + 1, "person": own.ids, "treated": own.treated, "outcome": own.outcome,
                "propensity": s.propensity, "predicted_reference": s.reference, "predicted_arm": s.other,
                "predicted_effect": s.prediction, "score": s.score,
            })
            for number, s in enumerate(self.splits, start=1)
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def people(self) -> pd.DataFrame:
        """One row a person: medians over splits of ``predicted_effect`` and ``score``."""
        numbers = self.table.groupby("person", sort=False)[["propensity", "predicted_reference", "predicted_arm",
                                                            "predicted_effect", "score"]]  # fmt: skip
        return numbers.median().reset_index()

    @cached_property
    def p_value(self) -> float:
        """Of the calibration test: whether effects differ predictably at all."""
        found = over_splits([calibration(s.score, s.prediction, s.fold) for s in self.splits])
        return float(found.p_value[1])

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and whether there is anything to find."""
        if self.p_value <= 0.05:
            return self.made_notes
        return (
            *self.made_notes,
            f"the data show no sign that effects on {self.subjects.name} differ predictably by these covariates (calibration test, "
            f"p = {self.p_value:.2f}): sorted groups, targeting curves and predicted effects must not be over-read",
        )


def cross_fitted_scores(
    data: Data, outcome: str | None = None, covariates: str | Sequence[str] | None = None, arm: str = "arm",
    reference: str | None = None, at: int | None = None, *, seed: int | None = None, learner: Learner = "regression",
    folds: int = 5, repeats: int = 20, propensity: str | None = None, strata: str | Sequence[str] | None = None,
    month: str | None = None, person_id: str = "person_id",
) -> CrossFittedScores:  # fmt: skip
    """Score every person, and predict every person's effect from people of other folds.

    A person's score is their doubly robust (augmented inverse probability
    weighted) estimate of the effect: noisy one by one, right on average in any
    group of people chosen without their own outcome. What the outcome would be
    under either arm is learned in all folds but the person's own. The effect
    by which people are ranked is learned in the folds before the person's own,
    so that no fold is judged by a rule that has seen it, nor helps to judge
    the rule that it has taught (sequential validation; pooling folds that
    teach each other makes errors up to a third too small where nothing is to
    be found). All is done again for many divisions into folds.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person (and month).
    outcome : str, optional
        Column: yes/no, or a number. A FollowUp has its primary definition by default.
    covariates : str or list of str
        Baseline columns. Text and yes/no: a missing value is a level of its
        own. Numbers are bent (natural spline, three knots); a missing number
        counts as the mean and has an indicator of its own.
    arm, reference : str
        Column of two arms, and the one that the other is compared with.
    at : int, optional
        Month; the last one by default.
    seed : int, optional
        The study's by default, otherwise 1.
    learner : {"regression", "causal_forest"}
        What predicts effects. "regression": ridge regression on covariates,
        arm and their products, linear or (yes/no) logistic, penalties by
        inner cross-validation. "causal_forest": of econml, which the extra
        ``heterogeneity`` installs; outcomes stay the regression's.
    folds, repeats : int
        Folds of a division, at least 2, and divisions.
    propensity : str, optional
        "share": the arm's known share, within strata where named, right where
        people were randomised; the default, but for a FollowUp whose study
        does not say randomised. "logistic": ridge logistic regression on the
        covariates, kept between 0.02 and 0.98; the default there. Or a column
        of known probabilities of the other arm.
    strata : str or list of str, optional
        Columns within which people were randomised.
    month, person_id : str, optional
        Columns of a DataFrame. The order of rows does not matter.

    Returns
    -------
    CrossFittedScores
        ``table`` has one row a person and split, ``people`` one row a person.

    Raises
    ------
    UnsupportedError
        For unknown columns, other than two arms, covariates that change within
        a person, an outcome that all share, fewer than four people of an arm
        in a fold, and "causal_forest" without econml.

    References
    ----------
    Chernozhukov V, Demirer M, Duflo E, Fernandez-Val I. NBER Working Paper
    24678, 2018. Wager S. arXiv:2405.05534, 2024. Robins JM, Rotnitzky A,
    Zhao LP. J Am Stat Assoc 1994;89:846-866. Athey S, Tibshirani J, Wager S.
    Ann Stat 2019;47:1148-1178.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 60, "young": rng.random(120) < 0.5})
    >>> people["works"] = rng.random(120) < 0.2 + 0.6 * ((people["arm"] == "ips") & people["young"])
    >>> found = cross_fitted_scores(people, "works", "young", reference="control", repeats=2)
    >>> found.contrast, found.table.shape, found.table.loc[found.table["fold"] == 1, "predicted_effect"].isna().all()
    ('ips - control', (240, 10), np.True_)
    """
    if learner not in ("regression", "causal_forest"):
        raise UnsupportedError("learner= is one of: regression, causal_forest")
    if folds < 2 or repeats < 1:
        raise UnsupportedError("folds= is a number from 2, and repeats= one from 1")
    column = propensity if propensity not in (None, "share", "logistic") else None
    own = subjects_of(data, outcome, covariates, arm, reference, at, strata, column, month, person_id)
    if propensity is None:
        propensity = "logistic" if own.randomised is False else "share"
    _enough(own, folds)
    if propensity != "share" and strata:
        raise UnsupportedError('strata= are those of the randomisation: they go with propensity="share"')
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    known = _known(own, propensity)
    splits = tuple(_split(own, folds, np.random.default_rng([seed, number]), learner, known) for number in range(repeats))
    notes = list(own.notes)
    if known is None:
        edge = max(int(((s.propensity <= CLIPPED) | (s.propensity >= 1 - CLIPPED)).sum()) for s in splits)
        notes.append(
            f"who got which arm was learned by logistic regression, kept between {CLIPPED} and {1 - CLIPPED:.2f} (at most {edge} "
            "people in a split stood there): right only if the covariates hold all that arm and outcome share"
        )
    elif own.randomised is None and propensity == "share":
        notes.append("people are taken as randomised, with the arm's share as everybody's chance; otherwise name propensity=")
    alike = sum(bool(_same(s)) for s in splits)
    if alike:
        notes.append(f"in {alike} of {repeats} splits nothing was found to tell people apart: all were predicted the same effect")
    return CrossFittedScores(own, splits, seed, _method(own, learner, folds, repeats, seed, propensity, as_list(strata)),
                             (*REFERENCES, *(FOREST if learner == "causal_forest" else ())), tuple(notes))  # fmt: skip


def _method(
    own: Subjects, learner: Learner, folds: int, repeats: int, seed: int, propensity: str, strata: list[str]
) -> str:  # fmt: skip
    kind = "logistic" if own.binary else "linear"
    chance = {"share": "the arm's share" + (f" within {', '.join(strata)}" if strata else ""), "logistic": "logistic regression"}
    by = f"ridge {kind} regression" if learner == "regression" else "a causal forest (econml)"
    repeated = f"median of {repeats} splits, p doubled" if repeats > 1 else "one split"
    return (
        f"AIPW scores, outcomes by ridge {kind} regression in the other folds, propensity: {chance.get(propensity, propensity)}; "
        f"people ranked by the effect that {by} predicts from the folds before ({folds} folds, {repeated}, seed {seed})"
    )


def _enough(own: Subjects, folds: int) -> None:
    for name, side in zip(own.arms, (False, True), strict=True):
        people = int((own.treated == side).sum())
        if people < LEAST * folds:
            raise UnsupportedError(
                f"{people} people in {name} with a known outcome: {folds} folds need at least {LEAST * folds}; use fewer folds, or "
                "ask by named subgroups"
            )


def _known(own: Subjects, propensity: str) -> Floats | None:
    """Propensity, where it need not be learned."""
    if propensity == "logistic":
        return None
    if own.given is not None:
        return own.given
    people = np.bincount(own.stratum)
    share = np.bincount(own.stratum, weights=own.treated) / people
    lonely = int(((share == 0) | (share == 1)).sum())
    if lonely:
        raise UnsupportedError(f"{lonely} strata have one arm only: join strata")
    return np.asarray(share[own.stratum])


def _same(split: Split) -> bool:
    """Whether each fold was predicted one effect."""
    return all(np.ptp(split.prediction[split.fold == k]) == 0 for k in range(1, int(split.fold.max()) + 1))


def _split(own: Subjects, folds: int, rng: np.random.Generator, learner: Learner, known: Floats | None) -> Split:
    """One division, with what it teaches."""
    lot = rng.random(own.number)
    fold, inner = np.zeros(own.number, dtype=np.int64), np.zeros(own.number, dtype=np.int64)
    for side in (False, True):
        rows = np.flatnonzero(own.treated == side)
        place = np.empty(len(rows), dtype=np.int64)
        place[np.argsort(lot[rows], kind="stable")] = np.arange(len(rows))
        fold[rows], inner[rows] = place % folds, place // folds % INNER
    outcomes = Outcomes(own.outcome, own.treated, own.basis, fold, inner, own.binary)
    chances = Chances(own.treated, own.basis, fold, inner) if known is None else None
    propensity = np.zeros(own.number) if known is None else known.copy()
    low, high, prediction = np.zeros(own.number), np.zeros(own.number), np.full(own.number, np.nan)
    seeds = rng.integers(2**31 - 1, size=folds)
    for k in range(folds):
        rows, others = fold == k, [f for f in range(folds) if f != k]
        fitted = outcomes.learn(others)
        low[rows], high[rows] = fitted.predicted(own.basis[rows])
        if chances is not None:
            propensity[rows] = np.clip(chances.learn(others)(own.basis[rows]), CLIPPED, 1 - CLIPPED)
        if k > 0:
            # the last fold is preceded by all others
            before = fitted if k == folds - 1 else outcomes.learn(range(k))
            if learner == "causal_forest":
                prediction[rows] = _forest(own, before, fold < k, known, chances, range(k), int(seeds[k]))(own.basis[rows])
            else:
                prediction[rows] = before.effect(own.basis[rows])
    return Split(fold, lot, propensity, low, high, prediction, aipw(own.outcome, own.treated, propensity, low, high))


def _forest(
    own: Subjects, fitted: Effects, rows: NDArray[np.bool_], known: Floats | None, chances: Chances | None, folds: Sequence[int],
    seed: int,
) -> Callable[[Floats], Floats]:  # fmt: skip
    """A forest on what covariates alone leave of outcome and arm."""
    basis, treated = own.basis[rows], own.treated[rows].astype(float)
    if known is not None:
        chance = known[rows]
    else:
        assert chances is not None
        chance = np.clip(chances.learn(folds)(basis), CLIPPED, 1 - CLIPPED)
    low, high = fitted.predicted(basis)
    return causal_forest(own.outcome[rows] - low - chance * (high - low), treated - chance, basis, seed)
