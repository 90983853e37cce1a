"""For whom: effects within subgroups, and whether they differ between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.effects_of_means import MeanEffects, MeanRows
from ips_outcomes.analysis.effects_of_months import MonthEffects, PersonMonths, person_months
from ips_outcomes.analysis.effects_of_times import TimeEffects
from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.level_effects import ADDITIVE, MULTIPLICATIVE, SIGNS, Effect, LevelEffects, Pair, on_log, tested
from ips_outcomes.analysis.limits import FEW_CLUSTERS
from ips_outcomes.analysis.many_looks import REFERENCES as MANY
from ips_outcomes.analysis.many_looks import holm, multiplier_draws, step_down
from ips_outcomes.analysis.modifiers import Modifier, Subgroups, columns_needed
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.shrinkage import PRIOR, shrunken
from ips_outcomes.analysis.shrinkage import REFERENCES as SHRUNKEN
from ips_outcomes.analysis.subgroup_people import People, covariate_columns, people_of
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.study.subgroup_checks import WHY

__all__ = ["Kind", "subgroup_effects"]

Floats = NDArray[np.float64]
Kind: TypeAlias = Literal["rate", "mean", "months", "time"]

KINDS = ("rate", "mean", "months", "time")
#: Scales that an outcome of each kind is told on.
SCALES = {
    "rate": ("risk_difference", "risk_ratio", "odds_ratio", "conditional_odds_ratio"), "mean": ("mean_difference", "mean_ratio"),
    "months": ("mean_difference", "mean_ratio"), "time": ("hazard_ratio", "mean_difference"),
}  # fmt: skip
#: Of a number: how far subgroups' effects may lie apart before seeing the data, in standard deviations of the outcome.
PRIOR_OF_NUMBERS = 0.2

REFERENCES = (
    "Wang R, Lagakos SW, Ware JH, Hunter DJ, Drazen JM. Statistics in medicine: reporting of subgroup analyses in clinical trials. "
    "N Engl J Med 2007;357:2189-2194. doi:10.1056/NEJMsr077003",
    "VanderWeele TJ, Knol MJ. A tutorial on interaction. Epidemiol Methods 2014;3:33-72. doi:10.1515/em-2013-0005",
)


@dataclass(frozen=True)
class _Asked:
    """What is asked of every subgroup."""

    outcome: str
    kind: Kind
    month: int | None
    time: int | None
    errors: Errors
    adjust: tuple[str, ...]
    least_events: int
    cause: int
    horizon: float | None
    column: pd.Series | None
    seen: PersonMonths | None


@supports(
    cluster=True, ties="Efron (time to an event)", competing="as events of their own (months gained); censored (hazard ratio)"
)
def subgroup_effects(
    data: Data, subgroups: Subgroups = None, outcome: str | Sequence[str] | None = None, arm: str = "arm",
    reference: str | None = None, at: int | Sequence[int] | None = None, scale: str | None = None, *,
    kind: Kind | None = None, adjust: str | Sequence[str] | None = None, cluster: str | None = None,
    compared_with: dict[str, str] | None = None, errors: Errors = "robust", least_events: int = 5, draws: int = 10_000,
    seed: int | None = None, prior_sd: float | None = None, start: int = 1, end: int | None = None, time: str | None = None,
    event: str | None = None, cause: int = 1, horizon: float | None = None, dead: str | None = None, month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Effects of the arm within the levels of subgroups, and the differences between levels.

    A difference between levels (an interaction) is told on the additive and
    on the multiplicative scale; with an effect in everybody and groups that
    differ in prognosis it cannot be absent on both. One scale is primary: its
    interactions of all subgroups, outcomes and months of the call are one
    family of tests. Two effects of which one is "significant" and the other
    is not are no difference: only the interaction's row is a test of one.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person (and month).
    subgroups : str, list of str, dict or None
        Columns whose values are levels, names of the study's subgroups, or a
        dictionary of names and conditions (`Subgroup`). None: all of the study.
        Missing is a level of its own, "Unknown", which is shown and not tested.
    outcome : str or list of str, optional
        Column: yes/no, or a number. A FollowUp has its primary definition by
        default, and "first_job" for the time to a first job.
    arm, reference : str
        Column, and the arm that others are compared with.
    at : int or list of int, optional
        Months; the last one by default.
    scale : str, optional
        The primary scale: "additive" (default but for times) or
        "multiplicative", or by name: "risk_difference", "risk_ratio",
        "odds_ratio"; "mean_difference", "mean_ratio"; "hazard_ratio" (default
        for times).
    kind : {"rate", "mean", "months", "time"}, optional
        A yes/no outcome in a month; a number; the number of months with a
        yes/no outcome, or the sum of a number such as pay, from ``start`` to
        ``end`` (after death 0; a month not observed is left out of that
        month's rate or mean); the time to an event. By default what the
        outcome looks like.
    adjust : str or list of str, optional
        Baseline columns. Yes/no outcomes: logistic regression with arm by
        level and the covariates, standardised over the people of the level;
        adds the "conditional_odds_ratio". Numbers: linear regression. Times:
        in the Cox model. Not for months.
    cluster : str, optional
        Column; errors robust to clusters, CR2 under 30 (times: wild score
        bootstrap).
    compared_with : dict, optional
        By subgroup, the level that others are compared with; the people
        outside of a condition, or a column's first level, by default.
    errors : {"robust", "model"}
        Of numbers: "robust" is HC2, without covariates Welch's; "model" is
        that of ``lm``.
    least_events : int
        With fewer people with or without the event in an arm of a level,
        answers are exact or penalised and say so.
    draws : int
        Of the multiplier bootstrap behind ``p_adjusted``.
    seed : int, optional
        The study's by default, otherwise 1.
    prior_sd : float, optional
        Of the shrunken effects: standard deviation of the subgroups' effects
        around their mean, logarithms for ratios. Default: 0.10 for a risk
        difference, 0.35 for the logarithm of a ratio, a tenth of the months
        for months, 0.2 standard deviations of the outcome (of each person's
        sum) for other numbers.
    start, end : int
        First and last month counted, for ``kind="months"``.
    time, event : str, optional
        Columns of times; naming ``event`` (or ``time``) means ``kind="time"``.
    cause : int
        The event of interest.
    horizon : float, optional
        Of months gained (area under the cumulative incidence), beside hazard
        ratios; the longest that all levels allow, by default.
    dead : str, optional
        True/false column of a DataFrame, for ``kind="months"``.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Rows of effects: ``subgroup`` and ``level`` (both empty for
        everybody), ``measure`` (the scale), ``contrast``, ``n``, ``events``
        and both by arm; on the primary scale ``shrunken`` with
        ``shrunken_low``, ``shrunken_high`` and ``prior_sd``. Rows of
        differences: measure "interaction" on the primary scale, and
        "interaction_risk_ratio" and so on for the others; ``level`` against
        ``compared_with``; a ratio of ratios where the scale is one of ratios,
        with ``std_error`` of its logarithm. ``p_adjusted`` (step-down),
        ``p_holm`` and ``tests`` (the number in the family) stand at the
        primary scale. A subgroup of three known levels or more has
        "interaction_test": all its differences at once, Wald's chi-square.
        ``scale`` names each row's scale. ``few_events`` marks exact and
        penalised rows.

    Raises
    ------
    UnsupportedError
        For unknown columns, levels and scales, subgroups that change within
        a person, and where nothing can be estimated.

    References
    ----------
    Wang R et al. N Engl J Med 2007;357:2189-2194. VanderWeele TJ, Knol MJ.
    Epidemiol Methods 2014;3:33-72. Romano JP, Wolf M. J Am Stat Assoc
    2005;100:94-108. Dixon DO, Simon R. Biometrics 1991;47:871-881. Firth D.
    Biometrika 1993;80:27-38.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 40, "age": (["young"] * 2 + ["old"] * 2) * 20,
    ...                        "works": ([1, 0, 1, 1] * 10 + [1, 0, 0, 0] * 10)})
    >>> found = subgroup_effects(people, "age", "works", reference="control").table
    >>> found.loc[found["measure"] == "interaction", ["level", "compared_with", "estimate"]].values.tolist()
    [['young', 'old', 1.0]]
    """
    if errors not in ("robust", "model"):
        raise UnsupportedError("errors= is one of: robust, model")
    covariates, outcomes = as_list(adjust), as_list(outcome)
    if not outcomes:
        outcomes = (
            [event or "event"] if (time or event) else [] if isinstance(data, pd.DataFrame) else [data.study.primary_definition]
        )
    if not outcomes:
        raise UnsupportedError("name the outcome: outcome= takes a column, or a list of them")
    if kind not in (None, *KINDS):
        raise UnsupportedError(f"kind= is one of: {', '.join(KINDS)}")
    job = not isinstance(data, pd.DataFrame) and outcomes == ["first_job"]
    timed = kind == "time" or (kind is None and (job or time is not None or event is not None))
    columns = (time or "time", event or "event")
    later = set(columns_needed(data, subgroups)) & {*outcomes, *(columns if timed else ())}
    if later:
        raise UnsupportedError(f"{', '.join(sorted(later))} is the outcome itself: {WHY}")
    people = people_of(data, subgroups, arm, reference, covariates, cluster, month, person_id, compared_with,
                       columns if timed else ())  # fmt: skip
    if timed:
        asked = [_Asked(outcomes[0], "time", None, None, errors, tuple(covariates), least_events, cause, horizon, None, None)]
        people = replace(people, table=_times(people.table, *columns))
    else:
        asked = _questions(data, people, outcomes, kind, at, start, end, dead, errors, covariates, least_events)
    primary = {q.kind: _scale(q.kind, scale, bool(covariates)) for q in asked}
    family = _Family(people, primary, prior_sd)
    for question in asked:
        for other in people.arms[1:]:
            family.answer(question, other)
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    return family.estimates(draws, seed, covariates, cluster)


def _scale(kind: Kind, scale: str | None, adjusted: bool) -> str:
    known = _scales(kind, adjusted)
    named = {"additive": ADDITIVE[kind], "multiplicative": MULTIPLICATIVE[kind], None: known[0]}
    found = named.get(scale, scale)
    if found not in known:
        raise UnsupportedError(f"scale= is additive, multiplicative or one of: {', '.join(known)}")
    return str(found)


def _scales(kind: Kind, adjusted: bool) -> list[str]:
    return [s for s in SCALES[kind] if adjusted or s != "conditional_odds_ratio"]


def _times(table: pd.DataFrame, time: str, event: str) -> pd.DataFrame:
    """Whole times and events under the names that the answers know them by."""
    from ips_outcomes.analysis.folding import whole_numbers

    return table.assign(time=whole_numbers(table[time], time), event=whole_numbers(table[event], event))


def _questions(
    data: Data, people: People, outcomes: list[str], kind: Kind | None, at: int | Sequence[int] | None, start: int,
    end: int | None, dead: str | None, errors: Errors, covariates: list[str], least_events: int,
) -> list[_Asked]:  # fmt: skip
    """One question an outcome and month."""
    table = data if isinstance(data, pd.DataFrame) else data.person_months
    rest = (errors, tuple(covariates), least_events, 1, None)
    asked = []
    for outcome in outcomes:
        if kind == "months":
            if people.month is None:
                raise UnsupportedError("months need a month column; name it with month=")
            if covariates:
                raise UnsupportedError("months are not adjusted: leave out adjust=")
            last = int(table[people.month].max()) if end is None else end
            seen = person_months(data, outcome, people.ids, range(start, last + 1), month=people.month,
                                 person_id=people.person_id, dead=dead)  # fmt: skip
            asked.append(_Asked(outcome, "months", None, last, *rest, None, seen))
            continue
        for month, values in _columns(data, table, people, outcome, at):
            numbers = pd.to_numeric(values.astype("Float64"), errors="coerce")
            seems: Kind = "rate" if numbers.dropna().isin((0.0, 1.0)).all() else "mean"
            if kind == "rate" and seems != "rate":
                raise UnsupportedError(f"{outcome} must be true, false or missing (1, 0 or missing)")
            if not np.isfinite(numbers.dropna().to_numpy(dtype=float)).all():
                raise UnsupportedError(f"some values of {outcome} are not finite")
            asked.append(_Asked(outcome, kind or seems, month, None, *rest, numbers, None))
    return asked


def _columns(
    data: Data, table: pd.DataFrame, people: People, outcome: str, at: int | Sequence[int] | None
) -> list[tuple[int | None, pd.Series]]:  # fmt: skip
    """Everybody's outcome, by month where there are months."""
    if outcome not in table:
        if not isinstance(data, pd.DataFrame) and outcome in data.baseline:
            return [(None, people.table[outcome].reset_index(drop=True))]
        raise UnsupportedError(f"there is no column {outcome}; there are: {', '.join(map(str, table.columns))}")
    if people.month is None:
        if at is not None:
            raise UnsupportedError("at= chooses months, and the data has no month column; name it with month=")
        return [(None, table.loc[people.kept, outcome].reset_index(drop=True))]
    months = [int(table[people.month].max())] if at is None else [at] if isinstance(at, int) else list(at)
    present = set(table[people.month].unique())
    strange = [m for m in months if m not in present]
    if strange:
        raise UnsupportedError(f"the data has no month {', '.join(map(str, strange))}")
    found: list[tuple[int | None, pd.Series]] = []
    for m in months:
        rows = table[table[people.month] == m]
        repeated = int(rows[people.person_id].duplicated().sum())
        if repeated:
            raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
        found.append((m, rows.set_index(people.person_id)[outcome].reindex(people.ids).reset_index(drop=True)))
    return found


def _spread_of_sums(seen: PersonMonths) -> float:
    """Standard deviation of people's sums; where months are lacking, what is seen stands for them."""
    known = seen.observed.sum(axis=1)
    own = seen.value.sum(axis=1)[known > 0] / known[known > 0] * len(seen.months)
    return float(np.std(own, ddof=1)) if len(own) > 1 else float("nan")


class _Family:
    """The rows of all questions, and their tests as one family."""

    def __init__(self, people: People, primary: dict[Kind, str], prior_sd: float | None) -> None:
        self.people, self.primary, self.prior_sd = people, primary, prior_sd
        self.rows: list[dict[str, object]] = []
        self.tests: list[tuple[int, Floats]] = []
        self.notes: list[str] = list(people.notes)

    def answer(self, asked: _Asked, other: str) -> None:
        """All rows of one outcome, month and contrast."""
        everybody = Modifier("", ("",), np.zeros(self.people.number, dtype=np.int64), 0)
        overall = self._effects(asked, other, everybody)
        self._effect_rows(asked, other, everybody, overall.effects())
        shown: list[tuple[int, Effect]] = []
        for modifier in self.people.modifiers:
            found = self._effects(asked, other, modifier)
            effects = found.effects()
            first = len(self.rows)
            self._effect_rows(asked, other, modifier, effects)
            shown += [(first + i, e) for i, e in enumerate(effects) if e.scale == self.primary[asked.kind]]
            self._lost(asked, modifier, effects)
            self._pairs(asked, other, modifier, found)
            where = f"{modifier.name}: "
            self.notes += [where + note for note in found.notes]
        self._shrink(asked, shown)

    def _effects(self, asked: _Asked, other: str, modifier: Modifier) -> LevelEffects:
        people = self.people
        two = np.isin(people.arm, [other, people.arms[0]])
        if asked.kind == "time":
            rows = np.flatnonzero(two)
            table = people.table.iloc[rows].reset_index(drop=True)
            return TimeEffects(
                table, people.arm[rows] == other, modifier.codes[rows], rows, people.number, cause=asked.cause,
                horizon=asked.horizon, adjust=list(asked.adjust), clusters=None if people.cluster is None else people.cluster[rows],
                least_events=asked.least_events,
            )  # fmt: skip
        if asked.seen is not None:
            rows = np.flatnonzero(two)
            return MonthEffects(asked.seen, people.arm[rows] == other, modifier.codes[rows], rows,
                                None if people.cluster is None else people.cluster[rows])  # fmt: skip
        assert asked.column is not None
        covariates, known = covariate_columns(people.table, asked.adjust)
        answered = asked.column.notna().to_numpy()
        rows = np.flatnonzero(two & answered & known)
        lost = int((two & answered & ~known).sum())
        if lost:
            self.notes.append(f"{lost} people left out: a covariate is missing")
        values = MeanRows(
            asked.column.to_numpy(dtype=float, na_value=np.nan)[rows], people.arm[rows] == other, modifier.codes[rows], rows,
            people.number, covariates[rows], None if people.cluster is None else people.cluster[rows], asked.kind == "rate",
        )  # fmt: skip
        return MeanEffects(values, errors=asked.errors, least_events=asked.least_events)

    def _common(self, asked: _Asked, other: str, modifier: Modifier, scale: str) -> dict[str, object]:
        sign = SIGNS[on_log(scale)]
        return {"outcome": asked.outcome, "subgroup": modifier.name, "month": asked.month, "time": asked.time, "scale": scale,
                "contrast": f"{other} {sign} {self.people.arms[0]}"}  # fmt: skip

    def _effect_rows(self, asked: _Asked, other: str, modifier: Modifier, effects: list[Effect]) -> None:
        for effect in effects:
            low, high, p_value = tested(effect.value, effect.std_error, effect.degrees)
            natural = np.exp if on_log(effect.scale) else float
            low, high = (float(natural(low)), float(natural(high))) if effect.limits is None else effect.limits
            self.rows.append({
                **self._common(asked, other, modifier, effect.scale), "level": modifier.levels[effect.level],
                "measure": effect.scale, "estimate": float(natural(effect.value)), "std_error": effect.std_error,
                "conf_low": low, "conf_high": high, "p_value": p_value if effect.p_value is None else effect.p_value,
                "method": effect.method, **effect.sizes, "few_events": effect.small,
            })  # fmt: skip

    def _lost(self, asked: _Asked, modifier: Modifier, effects: list[Effect]) -> None:
        """Levels without an effect are said by name: nothing is dropped in silence."""
        told = {effect.level for effect in effects if effect.scale == self.primary[asked.kind]}
        for position, level in enumerate(modifier.levels):
            if position not in told:
                self.notes.append(
                    f"{modifier.name}: no effect in {level} on {asked.outcome}: an arm has nobody there, or no event"
                )

    def _pairs(self, asked: _Asked, other: str, modifier: Modifier, found: LevelEffects) -> None:
        primary = self.primary[asked.kind]
        scales = [primary, *(s for s in _scales(asked.kind, bool(asked.adjust)) if s != primary)]
        for scale in scales:
            pairs = [p for level in modifier.compared if (p := found.pair(level, modifier.reference, scale)) is not None]
            for pair in pairs:
                low, high, p_value = self._ends(pair)
                natural = np.exp if on_log(scale) else float
                if scale == primary:
                    self.tests.append((len(self.rows), pair.influence))
                self.rows.append({
                    **self._common(asked, other, modifier, scale), "level": modifier.levels[pair.level],
                    "compared_with": modifier.levels[pair.other], "few_events": pair.small,
                    "measure": "interaction" if scale == primary else f"interaction_{scale}",
                    "n": self._people_in(asked, modifier, pair, other), "estimate": float(natural(pair.value)),
                    "std_error": pair.std_error, "conf_low": float(natural(low)), "conf_high": float(natural(high)),
                    "p_value": p_value, "method": pair.method, "_statistic": pair.value / pair.std_error if pair.std_error else np.nan,
                })  # fmt: skip
            if scale == primary and len(pairs) > 1:
                self._together(asked, other, modifier, pairs)

    @staticmethod
    def _ends(pair: Pair) -> tuple[float, float, float]:
        low, high, p_value = tested(pair.value, pair.std_error, pair.degrees)
        if pair.limits is not None:
            low, high = pair.limits
        return low, high, p_value if pair.p_value is None else pair.p_value

    def _people_in(self, asked: _Asked, modifier: Modifier, pair: Pair, other: str) -> int | None:
        rows = [r for r in self.rows if r["subgroup"] == modifier.name and r["outcome"] == asked.outcome
                and r["month"] == asked.month and r["measure"] == pair.scale and str(r["contrast"]).startswith(f"{other} ")]  # fmt: skip
        wanted = {modifier.levels[pair.level], modifier.levels[pair.other]}
        sizes = [r["n"] for r in rows if r["level"] in wanted]
        return int(sum(int(str(n)) for n in sizes)) if len(sizes) == 2 else None

    def _together(self, asked: _Asked, other: str, modifier: Modifier, pairs: list[Pair]) -> None:
        """All differences of a subgroup with several levels at once."""
        from scipy import special

        values = np.array([p.value for p in pairs])
        covariance = self._covariance([p.influence for p in pairs], np.array([p.std_error for p in pairs]))
        statistic = float("nan")
        if np.isfinite(covariance).all() and np.linalg.matrix_rank(covariance) == len(values):
            statistic = float(values @ np.linalg.solve(covariance, values))
        scale = pairs[0].scale
        self.rows.append({
            **self._common(asked, other, modifier, scale), "level": "", "measure": "interaction_test", "statistic": statistic,
            "degrees_of_freedom": float(len(values)), "method": "Wald's chi-square",
            "p_value": float(special.chdtrc(len(values), statistic)) if np.isfinite(statistic) else np.nan,
        })  # fmt: skip

    def _covariance(self, influences: list[Floats], errors: Floats) -> Floats:
        """Joint covariance: correlations of the influences, errors as they are told."""
        parts = self._units(np.column_stack(influences))
        raw = parts.T @ parts
        size = np.sqrt(np.diag(raw))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(raw / np.outer(size, size) * np.outer(errors, errors))

    def _units(self, influence: Floats) -> Floats:
        """People, or clusters whose people are added up."""
        cluster = self.people.cluster
        if cluster is None:
            return influence
        sums = np.zeros((int(cluster.max()) + 1, influence.shape[1]))
        np.add.at(sums, cluster, influence)
        return sums

    def _shrink(self, asked: _Asked, shown: list[tuple[int, Effect]]) -> None:
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

    def _prior(self, asked: _Asked) -> float:
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

    def estimates(self, draws: int, seed: int, covariates: list[str], cluster: str | None) -> Estimates:
        """Everything as one table, with the family's tests."""
        if not self.rows:
            raise UnsupportedError("; ".join(dict.fromkeys(self.notes)) or "there is nobody to compare")
        table = pd.DataFrame(self.rows)
        for column in ("p_adjusted", "p_holm", "shrunken", "shrunken_low", "shrunken_high", "prior_sd", "compared_with"):
            if column not in table:
                table[column] = "" if column == "compared_with" else np.nan
        table["compared_with"] = table["compared_with"].fillna("")
        table["tests"] = pd.array([pd.NA] * len(table), dtype="Int64")
        at = [i for i, _ in self.tests]
        usable = [i for i in at if np.isfinite(self.rows[i]["p_value"])]  # type: ignore[call-overload]
        if usable:
            alone = table.loc[usable, "p_value"].to_numpy(dtype=float)
            adjusted = holm(alone)
            table.loc[usable, "p_holm"], table.loc[usable, "tests"] = adjusted, len(usable)
            influence = self._units(np.column_stack([influence for i, influence in self.tests if i in set(usable)]))
            if cluster and len(influence) < FEW_CLUSTERS:
                self.notes.append(f"{len(influence)} clusters are too few for a multiplier bootstrap: p_adjusted is Holm's")
            else:
                statistics = table.loc[usable, "_statistic"].to_numpy(dtype=float)
                # a test among many is never surer than alone
                adjusted = np.maximum(step_down(statistics, multiplier_draws(influence, draws, seed)), alone)
            table.loc[usable, "p_adjusted"] = adjusted
        table = table.drop(columns=["_statistic"], errors="ignore")
        scales = ", ".join(dict.fromkeys(self.primary.values())).replace("_", " ")
        method = (
            f"Effects within levels and differences between them; primary scale: {scales}; {len(usable)} tests in the family, "
            f"step-down over a studentised multiplier bootstrap ({draws} draws, seed {seed}); two-sided 95 %"
        )
        method += f"; adjusted for {', '.join(covariates)}" if covariates else ""
        method += f"; errors robust to clusters of {cluster}" if cluster else ""
        return Estimates(tidy(table), "Effects within subgroups, and differences between them", method,
                         (*REFERENCES, *MANY, *SHRUNKEN), "forest", tuple(dict.fromkeys(self.notes)))  # fmt: skip
