"""For whom: effects within subgroups, and whether they differ between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.many_looks import REFERENCES as MANY
from ips_outcomes.analysis.modifiers import Subgroups, columns_needed
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.shrinkage import REFERENCES as SHRUNKEN
from ips_outcomes.analysis.subgroup_family import Family
from ips_outcomes.analysis.subgroup_people import people_of
from ips_outcomes.analysis.subgroup_questions import Kind, Question, kind_of, outcomes_of, primary_scale, questions, with_times
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.study.subgroup_checks import WHY

__all__ = ["Kind", "subgroup_effects"]

REFERENCES = (
    "Wang R, Lagakos SW, Ware JH, Hunter DJ, Drazen JM. Statistics in medicine: reporting of subgroup analyses in clinical trials. "
    "N Engl J Med 2007;357:2189-2194. doi:10.1056/NEJMsr077003",
    "VanderWeele TJ, Knol MJ. A tutorial on interaction. Epidemiol Methods 2014;3:33-72. doi:10.1515/em-2013-0005",
)


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
        ratios; by default the longest that all levels with ``least_events``
        allow. A level that was not followed so long has none.
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
        penalised rows, and levels without an effect, which keep their row and
        say why in ``method``. ``p_holm`` is Holm's of ``p_value``;
        ``p_adjusted`` takes small groups into account beyond that (see
        `many_looks.multiplier_draws`).

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
    ...                        "works": [1, 0, 1, 1] * 8 + [0, 0, 1, 0] * 6 + [1, 1, 0, 1] * 6})
    >>> found = subgroup_effects(people, "age", "works", reference="control").table
    >>> found.loc[found["measure"] == "interaction", ["level", "compared_with", "estimate"]].round(3).values.tolist()
    [['young', 'old', 0.4]]
    """
    if errors not in ("robust", "model"):
        raise UnsupportedError("errors= is one of: robust, model")
    if least_events < 0:
        raise UnsupportedError("least_events= is a number from 0")
    if prior_sd is not None and not (np.isfinite(prior_sd) and prior_sd >= 0):
        raise UnsupportedError("prior_sd= is a number from 0")
    if draws < 1:
        raise UnsupportedError("draws= is a number from 1")
    covariates, outcomes = as_list(adjust), outcomes_of(data, as_list(outcome), time, event)
    kind = kind_of(data, outcomes, kind, time, event)
    columns = (time or "time", event or "event")
    later = set(columns_needed(data, subgroups)) & {*outcomes, *(columns if kind == "time" else ())}
    if later:
        raise UnsupportedError(f"{', '.join(sorted(later))} is the outcome itself: {WHY}")
    people = people_of(data, subgroups, arm, reference, covariates, cluster, month, person_id, compared_with,
                       columns if kind == "time" else ())  # fmt: skip
    if kind == "time":
        asked = [Question(outcomes[0], "time", errors, tuple(covariates), least_events, cause=cause, horizon=horizon)]
        people = replace(people, table=with_times(people.table, *columns))
    else:
        asked = questions(data, people, outcomes, kind, at, start, end, dead, errors, covariates, least_events)
    primary = {q.kind: primary_scale(q.kind, scale, bool(covariates)) for q in asked}
    family = Family(people, primary, prior_sd)
    for question in asked:
        for other in people.arms[1:]:
            family.answer(question, other)
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    table, tests = family.table(draws, seed, bool(cluster))
    scales = ", ".join(dict.fromkeys(primary.values())).replace("_", " ")
    method = (
        f"Effects within levels and differences between them; primary scale: {scales}; {tests} tests in the family, "
        f"step-down over a studentised multiplier bootstrap ({draws} draws, seed {seed}); two-sided 95 %"
    )
    method += f"; adjusted for {', '.join(covariates)}" if covariates else ""
    method += f"; errors robust to clusters of {cluster}" if cluster else ""
    return Estimates(tidy(table), "Effects within subgroups, and differences between them", method,
                     (*REFERENCES, *MANY, *SHRUNKEN), "forest", tuple(dict.fromkeys(family.notes)))  # fmt: skip
