"""The rows that questions about subgroups are answered with, and all their tests as one family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.effects_of_means import MeanEffects, MeanRows
from ips_outcomes.analysis.effects_of_months import MonthEffects, PersonMonths
from ips_outcomes.analysis.effects_of_times import TimeEffects
from ips_outcomes.analysis.level_effects import SIGNS, Effect, LevelEffects, Pair, on_log, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.many_looks import holm, multiplier_draws, step_down
from ips_outcomes.analysis.modifiers import Modifier
from ips_outcomes.analysis.shrinkage import PRIOR, shrunken
from ips_outcomes.analysis.subgroup_people import People, covariate_columns
from ips_outcomes.analysis.subgroup_questions import Kind, Question, scales_of
from ips_outcomes.errors import UnsupportedError

__all__ = ["Family"]

Floats = NDArray[np.float64]

#: Of a number: how far subgroups' effects may lie apart before seeing the data, in standard deviations of the outcome.
PRIOR_OF_NUMBERS = 0.2
#: Columns of the answer beyond the common ones, each there in every answer.
COLUMNS = ("p_adjusted", "p_holm", "shrunken", "shrunken_low", "shrunken_high", "prior_sd")


def _interval_said(method: str, error: float, low: float, high: float) -> str:
    """How a row was made, with a word on a limit that is not there."""
    missing = [name for name, end in (("lower", low), ("upper", high)) if not np.isfinite(end)]
    if not missing:
        return method
    if len(missing) == 1:
        return method if "no upper" in method else f"{method}; no {missing[0]} limit"
    if error == 0:
        return f"{method}; no interval: nothing varies"
    if np.isfinite(error):
        return f"{method}; no interval: too little data for limits"
    return f"{method}; no interval: too few people or clusters to tell an error"


def _spread_of_sums(seen: PersonMonths) -> float:
    """Standard deviation of people's sums; where months are lacking, what is seen stands for them."""
    known = seen.observed.sum(axis=1)
    own = seen.value.sum(axis=1)[known > 0] / known[known > 0] * len(seen.months)
    return float(np.std(own, ddof=1)) if len(own) > 1 else float("nan")


class Family:
    """The rows of all questions, and their tests as one family.

    Parameters
    ----------
    people : People
    primary : dict
        The scale that is tested, by kind of outcome.
    prior_sd : float, optional
    """

    def __init__(self, people: People, primary: dict[Kind, str], prior_sd: float | None) -> None:
        self.people, self.primary, self.prior_sd = people, primary, prior_sd
        self.rows: list[dict[str, object]] = []
        #: Row, pair: what is tested.
        self.tests: list[tuple[int, Pair]] = []
        self.notes: list[str] = list(people.notes)

    def answer(self, asked: Question, other: str) -> None:
        """All rows of one outcome, month and contrast."""
        everybody = Modifier("", ("",), np.zeros(self.people.number, dtype=np.int64), 0)
        overall = self._effects(asked, other, everybody)
        self._effect_rows(asked, other, everybody, overall)
        self.notes += overall.notes
        shown: list[tuple[int, Effect]] = []
        for modifier in self.people.modifiers:
            found = self._effects(asked, other, modifier)
            shown += self._effect_rows(asked, other, modifier, found)
            self._pairs(asked, other, modifier, found)
            self.notes += [f"{modifier.name}: {note}" for note in found.notes if note not in overall.notes]
        self._shrink(asked, shown)

    def _effects(self, asked: Question, other: str, modifier: Modifier) -> LevelEffects:
        people = self.people
        covariates, known = covariate_columns(people.table, asked.adjust)
        answered = np.ones(people.number, dtype=bool) if asked.column is None else asked.column.notna().to_numpy()
        here = np.isin(people.arm, [other, people.arms[0]]) & answered
        lost = int((here & ~known).sum())
        if lost:
            self.notes.append(f"{lost} people left out: a covariate is missing")
        rows = np.flatnonzero(here & known)
        treated, level = people.arm[rows] == other, modifier.codes[rows]
        clusters = None if people.cluster is None else people.cluster[rows]
        if asked.kind == "time":
            return TimeEffects(
                people.table.iloc[rows], treated, level, rows, people.number, cause=asked.cause, horizon=asked.horizon,
                covariates=covariates[rows], clusters=clusters, least_events=asked.least_events,
            )  # fmt: skip
        if asked.seen is not None:
            return MonthEffects(asked.seen, treated, level, rows, clusters)
        assert asked.column is not None
        values = MeanRows(asked.column.to_numpy(dtype=float)[rows], treated, level, rows, people.number, covariates[rows], clusters,
                          asked.kind == "rate")  # fmt: skip
        return MeanEffects(values, errors=asked.errors, least_events=asked.least_events)

    def _common(self, asked: Question, other: str, modifier: Modifier, scale: str) -> dict[str, object]:
        sign = SIGNS[on_log(scale)]
        return {"outcome": asked.outcome, "subgroup": modifier.name, "month": asked.month, "time": asked.time, "scale": scale,
                "contrast": f"{other} {sign} {self.people.arms[0]}"}  # fmt: skip

    def _effect_rows(
        self, asked: Question, other: str, modifier: Modifier, found: LevelEffects
    ) -> list[tuple[int, Effect]]:  # fmt: skip
        """A row a level and scale, also where there is no effect: levels add up to the arm. The primary scale's come back."""
        told = {(e.level, e.scale): e for e in found.effects()}
        shown = []
        for level, name in enumerate(modifier.levels):
            for scale in scales_of(asked.kind, bool(asked.adjust)):
                row = {**self._common(asked, other, modifier, scale), "level": name, "measure": scale, **found.sizes(level)}
                effect = told.get((level, scale))
                if effect is None:
                    self.rows.append({**row, "method": f"no effect: {found.lacking(level, scale)}", "few_events": True})
                    continue
                low, high, p_value = tested(effect.value, effect.std_error, effect.degrees)
                natural = np.exp if on_log(scale) else float
                low, high = (float(natural(low)), float(natural(high))) if effect.limits is None else effect.limits
                if scale == self.primary[asked.kind]:
                    shown.append((len(self.rows), effect))
                self.rows.append({
                    **row, "estimate": float(natural(effect.value)), "std_error": effect.std_error, "conf_low": low,
                    "conf_high": high, "p_value": p_value if effect.p_value is None else effect.p_value,
                    "method": _interval_said(effect.method, effect.std_error, low, high), "few_events": effect.small,
                })  # fmt: skip
        return shown

    def _pairs(self, asked: Question, other: str, modifier: Modifier, found: LevelEffects) -> None:
        primary = self.primary[asked.kind]
        scales = [primary, *(s for s in scales_of(asked.kind, bool(asked.adjust)) if s != primary)]
        for scale in scales:
            pairs = []
            for level in modifier.compared:
                sizes = found.sizes(level)["n"], found.sizes(modifier.reference)["n"]
                row = {
                    **self._common(asked, other, modifier, scale), "level": modifier.levels[level],
                    "compared_with": modifier.levels[modifier.reference], "n": sum(sizes),
                    "measure": "interaction" if scale == primary else f"interaction_{scale}",
                }  # fmt: skip
                pair = found.pair(level, modifier.reference, scale)
                if pair is None:
                    self.rows.append({**row, "method": "no difference: one of the levels has no effect", "few_events": True})
                    continue
                pairs.append(pair)
                if scale == primary:
                    self.tests.append((len(self.rows), pair))
                self.rows.append({**row, **self._told(pair)})
            if scale == primary and len(pairs) > 1:
                self._together(asked, other, modifier, pairs, found)

    @staticmethod
    def _told(pair: Pair) -> dict[str, object]:
        low, high, p_value = tested(pair.value, pair.std_error, pair.degrees)
        if pair.limits is not None:
            low, high = pair.limits
        natural = np.exp if on_log(pair.scale) else float
        return {
            "estimate": float(natural(pair.value)), "std_error": pair.std_error, "conf_low": float(natural(low)),
            "conf_high": float(natural(high)), "p_value": p_value if pair.p_value is None else pair.p_value,
            "method": _interval_said(pair.method, pair.std_error, low, high), "few_events": pair.small,
        }  # fmt: skip

    def _together(self, asked: Question, other: str, modifier: Modifier, pairs: list[Pair], found: LevelEffects) -> None:
        """All differences of a subgroup with several levels at once."""
        values, errors = np.array([p.value for p in pairs]), np.array([p.std_error for p in pairs])
        covariance = self._covariance([p.influence for p in pairs], errors)
        if len({p.small for p in pairs}) == 1:
            # one fit: the error of the difference between two differences gives their covariance as the fit has it
            for i, a in enumerate(pairs):
                for j, b in enumerate(pairs[:i]):
                    between = found.pair(a.level, b.level, a.scale, wald=True)
                    if between is not None:
                        shared = (errors[i] ** 2 + errors[j] ** 2 - between.std_error**2) / 2
                        covariance[i, j] = covariance[j, i] = shared
        count, statistic, p_value, how = len(values), float("nan"), float("nan"), "Wald's chi-square"
        if np.isfinite(covariance).all() and np.linalg.matrix_rank(covariance) == count:
            statistic = float(values @ np.linalg.solve(covariance, values))
            p_value = float(special.chdtrc(count, statistic))
            degrees = min(p.degrees for p in pairs)
            if np.isfinite(degrees):
                p_value = float(special.fdtrc(count, degrees, statistic / count))
                how = f"Wald's chi-square, p from F with {degrees:.4g} degrees of freedom below"
        else:
            how += "; no test: too little varies"
        self.rows.append({
            **self._common(asked, other, modifier, pairs[0].scale), "level": "", "measure": "interaction_test",
            "statistic": statistic, "degrees_of_freedom": float(count), "method": how, "p_value": p_value,
            "few_events": any(p.small for p in pairs),
        })  # fmt: skip

    def _covariance(self, influences: list[Floats], errors: Floats) -> Floats:
        """Joint covariance: correlations of the influences, errors as they are told."""
        parts = self._units(np.column_stack(influences))
        raw = parts.T @ parts
        size = np.sqrt(np.diag(raw))
        with np.errstate(invalid="ignore", divide="ignore"):
            both = np.nan_to_num(raw / np.outer(size, size))
        # what nobody seen adds to (a level without any event) is taken as independent
        np.fill_diagonal(both, 1.0)
        return np.asarray(both * np.outer(errors, errors))

    def _units(self, influence: Floats) -> Floats:
        """People, or clusters whose people are added up."""
        cluster = self.people.cluster
        if cluster is None:
            return influence
        sums = np.zeros((int(cluster.max()) + 1, influence.shape[1]))
        np.add.at(sums, cluster, influence)
        return sums

    def _shrink(self, asked: Question, shown: list[tuple[int, Effect]]) -> None:
        told = [(i, e) for i, e in shown if np.isfinite(e.value) and np.isfinite(e.std_error) and e.std_error > 0]
        if len(told) < 2:
            return
        prior = self._prior(asked) if self.prior_sd is None else self.prior_sd
        values, errors = np.array([e.value for _, e in told]), np.array([e.std_error for _, e in told])
        found = shrunken(values, self._covariance([e.influence for _, e in told], errors), prior)
        for (i, effect), value, error in zip(told, found.value, found.std_error, strict=True):
            low, high, _ = tested(float(value), float(error), float("inf"))
            natural = np.exp if on_log(effect.scale) else float
            self.rows[i] |= {"shrunken": float(natural(value)), "shrunken_low": float(natural(low)),
                             "shrunken_high": float(natural(high)), "prior_sd": prior}  # fmt: skip

    def _prior(self, asked: Question) -> float:
        scale = self.primary[asked.kind]
        if scale in PRIOR:
            return PRIOR[scale]
        if asked.seen is not None and asked.seen.numbers:
            return PRIOR_OF_NUMBERS * _spread_of_sums(asked.seen)
        if asked.seen is not None:
            return len(asked.seen.months) / 10
        if asked.column is not None:
            return PRIOR_OF_NUMBERS * float(asked.column.std())
        return (asked.horizon or float(self.people.table["time"].max())) / 10

    def table(self, draws: int, seed: int, clustered: bool) -> tuple[pd.DataFrame, int]:
        """Everything as one table, with the tests as one family, and how many they are.

        Raises
        ------
        UnsupportedError
            Where there is no effect at all.
        """
        table = pd.DataFrame(self.rows)
        if "estimate" not in table or table["estimate"].isna().all():
            said = dict.fromkeys([*self.notes, *(str(row["method"]) for row in self.rows)])
            raise UnsupportedError(f"nothing can be estimated: {'; '.join(said)}")
        for column in COLUMNS:
            if column not in table:
                table[column] = np.nan
        table["compared_with"] = table["compared_with"].fillna("")
        table["tests"] = pd.array([pd.NA] * len(table), dtype="Int64")
        usable = [(i, p) for i, p in self.tests if np.isfinite(float(str(self.rows[i]["p_value"])))]
        if not usable:
            return table, 0
        at = [i for i, _ in usable]
        alone = table.loc[at, "p_value"].to_numpy(dtype=float)
        adjusted = holm(alone)
        table.loc[at, "p_holm"], table.loc[at, "tests"] = adjusted, len(usable)
        influence = self._units(np.column_stack([pair.influence for _, pair in usable]))
        if clustered and len(influence) < FEW_CLUSTERS:
            self.notes.append(f"{len(influence)} clusters are too few for a multiplier bootstrap: p_adjusted is Holm's")
        else:
            among = np.array([p if pair.p_many is None else pair.p_many for p, (_, pair) in zip(alone, usable, strict=True)])
            # a test among many is never surer than alone
            among = np.maximum(np.where(np.isfinite(among), among, alone), alone)
            # each statistic as the normal quantile of its own p-value, so that t, profiles and Wald stand side by side
            statistics = -special.ndtri(np.clip(among, 1e-300, 1.0) / 2)
            adjusted = np.maximum(step_down(statistics, multiplier_draws(influence, draws, seed)), alone)
        table.loc[at, "p_adjusted"] = adjusted
        return table, len(usable)
