"""One test that the arm made no difference to anybody, with power where it made one in a subgroup: the arms drawn again."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.modifiers import Subgroups
from ips_outcomes.analysis.subgroup_people import People, people_of
from ips_outcomes.analysis.subgroup_questions import Kind, Question, kind_of, outcomes_of, questions, with_times
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["subgroup_global_test"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REFERENCES = (
    "Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley 1993.",
    "Edgington ES, Onghena P. Randomization Tests. 4th ed. Chapman & Hall/CRC 2007. doi:10.1201/9781420011814",
    "Phipson B, Smyth GK. Permutation p-values should never be zero: calculating exact p-values when permutations are randomly "
    "drawn. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585",
)
#: Numbers held at once.
CELLS = 4_000_000
#: Statistics this much below the one seen, relative, are still as large: crumbs of arithmetic.
TIE = 1e-9


@supports(strata=True, ties="", competing="censored", instead="arms are drawn again within strata=")
def subgroup_global_test(
    data: Data, subgroups: Subgroups = None, outcome: str | None = None, arm: str = "arm", reference: str | None = None,
    at: int | None = None, *, kind: Kind | None = None, strata: str | None = None, permutations: int = 10_000,
    seed: int | None = None, start: int = 1, end: int | None = None, time: str | None = None, event: str | None = None,
    cause: int = 1, dead: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Test that the arm made no difference to anybody, in any subgroup, by drawing the arms again.

    The statistic is the largest studentised effect, whatever its sign, over
    everybody and all levels of all subgroups. This is no test of an
    interaction: where the arm has the same effect in everybody the hypothesis
    is false, and a small p is right. Where there is a main effect, differences
    between levels are tested by `subgroup_effects` alone.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        As in `subgroup_effects`.
    subgroups, outcome, arm, reference, at, kind
        As in `subgroup_effects`; one outcome, one month.
    strata : str, optional
        Column within which the arms were drawn.
    permutations, seed : int
        Seed: the study's by default, otherwise 1.
    start, end, time, event, cause, dead, month, person_id
        As in `subgroup_effects`. Times have log-rank scores of each level.

    Returns
    -------
    Estimates
        A row an arm: measure "global_test", ``statistic`` (the largest
        studentised effect), where it was found (``found_in``), ``p_value``,
        ``n`` and ``permutations``.

    Raises
    ------
    UnsupportedError
        As `subgroup_effects`, and where no stratum has people of both arms.

    References
    ----------
    Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley 1993.
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 40, "age": (["young"] * 2 + ["old"] * 2) * 20,
    ...                        "works": [1, 0, 1, 1] * 8 + [0, 0, 1, 0] * 6 + [1, 1, 0, 1] * 6})
    >>> found = subgroup_global_test(people, "age", "works", reference="control").table
    >>> found[["measure", "found_in", "statistic"]].round(2).values.tolist()
    [['global_test', 'age: young', 2.5]]
    """
    if permutations < 1:
        raise UnsupportedError("permutations must be at least 1")
    outcomes = outcomes_of(data, as_list(outcome), time, event)
    if len(outcomes) > 1:
        raise UnsupportedError("one outcome at a time")
    kind = kind_of(data, outcomes, kind, time, event)
    columns = (time or "time", event or "event")
    people = people_of(data, subgroups, arm, reference, as_list(strata), None, month, person_id, None,
                       columns if kind == "time" else ())  # fmt: skip
    if kind == "time":
        table = with_times(people.table, *columns)
        asked = Question(outcomes[0], "time", "robust", (), 0, cause=cause)
    else:
        table = people.table
        asked = questions(data, people, outcomes, kind, at, start, end, dead, "robust", [], 0)[0]
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    stratum = np.zeros(people.number, dtype=np.int64)
    if strata:
        stratum = pd.factorize(people.table[strata], use_na_sentinel=False)[0].astype(np.int64)
    rows = [_one(people, table, asked, other, stratum, permutations, seed) for other in people.arms[1:]]
    within = f" within {strata}" if strata else ""
    method = (
        f"Largest studentised effect over everybody and all levels; {permutations} permutations of the arms{within} (seed {seed}); "
        "tests that the arm made no difference to anybody, not that effects differ"
    )
    return Estimates(
        tidy(pd.DataFrame(rows)), "Did the arm make a difference to anybody", method, REFERENCES, "forest", people.notes
    )


def _one(
    people: People, table: pd.DataFrame, asked: Question, other: str, stratum: Ints, permutations: int, seed: int
) -> dict[str, object]:  # fmt: skip
    """The test of one arm against the reference."""
    seen = np.ones(people.number, dtype=bool)
    if asked.column is not None:
        seen = asked.column.notna().to_numpy()
    elif asked.seen is not None:
        seen = asked.seen.observed.max(axis=1, initial=0.0) > 0
    rows = np.flatnonzero(np.isin(people.arm, [other, people.arms[0]]) & seen)
    row = {"outcome": asked.outcome, "measure": "global_test", "contrast": f"{other} - {people.arms[0]}", "month": asked.month,
           "time": asked.time, "n": len(rows), "permutations": permutations, "method": "permutation of arms"}  # fmt: skip
    treated = people.arm[rows] == other
    if not any(0 < treated[stratum[rows] == s].sum() < (stratum[rows] == s).sum() for s in np.unique(stratum[rows])):
        raise UnsupportedError("no stratum has people of both arms with an outcome: the arms could not have been otherwise")
    groups = [("everybody", np.ones(len(rows), dtype=bool))]
    for modifier in people.modifiers:
        groups += [(f"{modifier.name}: {name}", modifier.codes[rows] == i) for i, name in enumerate(modifier.levels)]
    inside = np.column_stack([own for _, own in groups]).astype(float)
    scores = np.column_stack([_scores(asked, table, rows, own) for _, own in groups])
    order = np.argsort(stratum[rows], kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(stratum[rows][order])) + 1)
    observed = _largest(treated[None, :].astype(float), inside, scores, blocks)
    if not np.isfinite(observed).any():
        return row | {"statistic": np.nan, "p_value": np.nan, "found_in": "", "method": "no test: nothing varies"}
    most, beyond = float(np.nanmax(observed)), 0
    rng, step = np.random.default_rng(seed), max(CELLS // len(rows), 1)
    for begin in range(0, permutations, step):
        drawn = np.repeat(treated[None, :].astype(float), min(step, permutations - begin), axis=0)
        for block in blocks:
            drawn[:, block] = rng.permuted(drawn[:, block], axis=1)
        largest = np.nan_to_num(_largest(drawn, inside, scores, blocks)).max(axis=1)
        beyond += int((largest >= most * (1 - TIE)).sum())
    where = groups[int(np.nanargmax(observed))][0]
    return row | {"statistic": most, "p_value": (beyond + 1) / (permutations + 1), "found_in": where}


def _largest(treated: Floats, inside: Floats, scores: Floats, blocks: list[Ints]) -> Floats:
    """Studentised effects, draws x groups; empty where an arm has nobody or nothing varies.

    Within each stratum of a group an arm's sum is compared with what is
    expected of as many people drawn without replacement; strata are added up.
    """
    effect, variance = np.zeros((len(treated), inside.shape[1])), np.zeros((len(treated), inside.shape[1]))
    for block in blocks:
        n = inside[block].sum(axis=0)
        mean = np.divide(scores[block].sum(axis=0), n, out=np.zeros(len(n)), where=n > 0)
        centred = scores[block] - inside[block] * mean
        own = treated[:, block] @ inside[block]
        effect += treated[:, block] @ centred
        variance += own * (n - own) * np.divide((centred**2).sum(axis=0), n * (n - 1), out=np.zeros(len(n)), where=n > 1)
    return np.asarray(np.divide(np.abs(effect), np.sqrt(variance), out=np.full_like(effect, np.nan), where=variance > 1e-12))


def _scores(asked: Question, table: pd.DataFrame, rows: Ints, own: NDArray[np.bool_]) -> Floats:
    """What each person of a group adds: the outcome less its mean; months less the month's rates; the log-rank score."""
    found = np.zeros(len(rows))
    here = rows[own]
    if not len(here):
        return found
    if asked.column is not None:
        values = asked.column.to_numpy(dtype=float)[here]
    elif asked.seen is not None:
        value, observed = asked.seen.value[here], asked.seen.observed[here]
        people = observed.sum(axis=0)
        rate = np.divide(value.sum(axis=0), people, out=np.zeros(len(people)), where=people > 0)
        values = (value - observed * rate).sum(axis=1)
    else:
        time, happened = table["time"].to_numpy()[here], (table["event"].to_numpy() == asked.cause)[here]
        place = np.unique(time, return_inverse=True)[1]
        at_risk = np.bincount(place)[::-1].cumsum()[::-1]
        hazard = np.bincount(place, weights=happened) / at_risk
        values = happened - hazard.cumsum()[place]
    found[own] = values - values.mean()
    size = float(np.abs(found).max())
    # crumbs of a constant are no variation; on one size, so that the same holds within strata
    return found / size if size > 1e-12 * max(1.0, float(np.abs(values).max())) else np.zeros(len(rows))
