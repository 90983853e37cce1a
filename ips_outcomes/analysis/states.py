"""Which state people are in: shares by month, mean months in each state, and how they move between states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.inputs import Data, group_name, require, with_arm
from ips_outcomes.analysis.limits import Z95, limits, normal_p
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["NOT_OBSERVED", "Paths", "months_in_states", "paths_of", "state_occupation", "state_transitions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The state that says that nothing is known.
NOT_OBSERVED = "not_observed"

REFERENCES = (
    "Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on censored observations. "
    "Scand J Stat 1978;5:141-150.",
    "Datta S, Satten GA. Validity of the Aalen-Johansen estimators of stage occupation probabilities and Nelson-Aalen estimators "
    "of integrated transition hazards for non-Markov models. Stat Probab Lett 2001;55:403-411. doi:10.1016/S0167-7152(01)00155-9",
)


@dataclass(frozen=True)
class Paths:
    """Each person's state by month: a position in ``states``, -1 where it is not known."""

    place: Ints
    months: Ints
    states: tuple[str, ...]
    group: Ints
    groups: tuple[str, ...]
    cluster: Ints | None
    notes: tuple[str, ...]


def paths_of(
    data: Data, state: str, by: str | None, start: int, end: int | None, states: Sequence[str] | None, month: str | None,
    person_id: str, cluster: str | None,
) -> Paths:  # fmt: skip
    """The data as paths, one a person; refuses what is no path."""
    if isinstance(data, pd.DataFrame):
        table, column = data, month or "month"
    else:
        table, column, person_id = data.months_with([c for c in (by, cluster) if c]), "month", "person_id"
        own = getattr(data.study, "states", None)
        states = states or (None if own is None else own.names)
    require(table, [state, column, person_id, *(c for c in (by, cluster) if c)])
    if table.empty:
        raise UnsupportedError("the data has no rows: nobody's months to count")
    notes: tuple[str, ...] = ()
    if by is not None:
        table, notes = with_arm(table, by)
    last = int(table[column].max()) if end is None else end
    lacking = sorted(set(range(start, last + 1)) - set(table[column].unique()))
    if lacking or last <= start:
        raise UnsupportedError(
            f"months {start} to {last} are asked for; the data has no month {', '.join(map(str, lacking)) or last}"
        )
    table = table[table[column].between(start, last)]
    person, people = pd.factorize(table[person_id])
    if (person < 0).any():
        raise UnsupportedError(f"{int((person < 0).sum())} rows have no {person_id}")
    at = table[column].to_numpy(dtype=np.int64) - start
    repeated = len(table) - len(np.unique(person * (last - start + 1) + at))
    if repeated:
        raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
    found = [str(s) for s in pd.unique(table[state].dropna())]
    known = [s for s in (states or sorted(found)) if s != NOT_OBSERVED]
    strange = sorted(set(found) - set(known) - {NOT_OBSERVED})
    if strange:
        raise UnsupportedError(f"states= does not name {', '.join(strange)}, which the data has")
    place = np.full((len(people), last - start + 1), -1, dtype=np.int64)
    place[person, at] = pd.Index(known).get_indexer(table[state].astype(str).where(table[state].notna(), NOT_OBSERVED))
    first = np.unique(person, return_index=True)[1]
    codes: Ints = np.zeros(len(people), dtype=np.int64)
    names: tuple[str, ...] = ("all",)
    if by is not None:
        codes, levels = pd.factorize(table[by].iloc[first].map(group_name), sort=True)
        names = tuple(map(str, levels))
    own_cluster = None if cluster in (None, person_id) else pd.factorize(table[cluster].iloc[first])[0].astype(np.int64)
    return Paths(place, np.arange(start, last + 1), tuple(known), np.asarray(codes, dtype=np.int64), names, own_cluster, notes)


@dataclass(frozen=True)
class _Occupation:
    """Probability of each state by month in one group, and each person's influence on sums of it."""

    probability: Floats
    variance: Floats
    total: Floats
    total_influence: Floats
    """People x states: on the sum over the months after the first."""
    at_risk: Ints


def _sizes(influence: Floats, cluster: Ints | None) -> Floats:
    """Sum of squares over people, or over clusters whose people are added up."""
    if cluster is None:
        return np.asarray((influence**2).sum(axis=0))
    number = int(cluster.max()) + 1
    sums = np.zeros((number, influence.shape[1]))
    np.add.at(sums, cluster, influence)
    return np.asarray(number / max(number - 1, 1) * (sums**2).sum(axis=0))


def _occupied(place: Ints, size: int, cluster: Ints | None) -> _Occupation:
    """Aalen and Johansen's product over months; people count in a step whose two months are both known."""
    people, months = place.shape
    eye = np.eye(size)
    known = place[:, 0] >= 0
    n = int(known.sum())
    probability, variance = np.full((months, size), np.nan), np.full((months, size), np.nan)
    at_risk = (place >= 0).sum(axis=0)
    influence = np.zeros((people, size))
    total_influence, total = np.zeros((people, size)), np.zeros(size)
    if n == 0:
        return _Occupation(probability, variance, np.full(size, np.nan), total_influence, at_risk)
    current = np.bincount(place[known, 0], minlength=size) / n
    influence[known] = (eye[place[known, 0]] - current) / n
    probability[0], variance[0] = current, _sizes(influence, cluster)
    for t in range(1, months):
        both = (place[:, t - 1] >= 0) & (place[:, t] >= 0)
        came, went = place[both, t - 1], place[both, t]
        counts = np.zeros((size, size))
        np.add.at(counts, (came, went), 1.0)
        from_each = counts.sum(axis=1)
        # where nobody tells how a state is left, it is not left
        step = np.where(from_each[:, None] > 0, counts / np.maximum(from_each, 1)[:, None], eye)
        influence = influence @ step
        influence[both] += (current[came] / from_each[came])[:, None] * (eye[went] - step[came])
        current = current @ step
        probability[t], variance[t] = current, _sizes(influence, cluster)
        total += current
        total_influence += influence
    return _Occupation(probability, variance, total, total_influence, at_risk)


@supports(cluster=True, competing="as states")
def state_occupation(
    data: Data, state: str = "state", by: str | None = "arm", start: int = 0, end: int | None = None, *,
    states: Sequence[str] | None = None, cluster: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Probability of being in each state, month by month.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    state : str
        Column of the state; missing and "not_observed" mean not known.
    by : str or None
        Column of the group; None for everybody.
    start, end : int
        First and last month.
    states : list of str, optional
        All states in the order they are shown; the study's, or those found.
    cluster : str, optional
        Column; errors over clusters.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        Measure "occupation", a row a group, state and month, ``state`` beside
        it. ``n`` are the people whose state is known in that month. Where
        everybody's is always known, the estimate is their share. Limits are
        on the logit scale, from the infinitesimal jackknife.

    Raises
    ------
    UnsupportedError
        For unknown columns, months that are not there, repeated
        person-months, and states that ``states=`` does not name.

    References
    ----------
    Aalen OO, Johansen S. Scand J Stat 1978;5:141-150. Datta S, Satten GA.
    Stat Probab Lett 2001;55:403-411 (right also where the past matters).

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 1, 2, 2], "month": [0, 1, 0, 1], "state": ["none", "work", "none", "none"]})
    >>> found = state_occupation(rows, by=None).table
    >>> found.loc[found["month"] == 1, ["state", "estimate"]].values.tolist()
    [['none', 0.5], ['work', 0.5]]
    """
    paths = paths_of(data, state, by, start, end, states, month, person_id, cluster)
    parts = []
    for code, group in enumerate(paths.groups):
        inside = paths.group == code
        own = None if paths.cluster is None else np.unique(paths.cluster[inside], return_inverse=True)[1].astype(np.int64)
        found = _occupied(paths.place[inside], len(paths.states), own)
        error = np.sqrt(found.variance)
        low, high = limits(found.probability, error, "logit")
        for place, name in enumerate(paths.states):
            parts.append(pd.DataFrame({
                "group": group, "state": name, "month": paths.months, "n": found.at_risk, "estimate": found.probability[:, place],
                "std_error": error[:, place], "conf_low": low[:, place], "conf_high": high[:, place],
            }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True).assign(outcome=state, measure="occupation", method="Aalen-Johansen")
    return Estimates(tidy(table), "Where people are, month by month",
                     "Aalen-Johansen estimates of the probability of each state; errors by the infinitesimal jackknife; two-sided "
                     "95 % limits on the logit scale", REFERENCES, "curve", paths.notes)  # fmt: skip


@supports(cluster=True, competing="as states")
def months_in_states(
    data: Data, state: str = "state", by: str | None = "arm", reference: str | None = None, start: int = 0, end: int | None = None, *,
    states: Sequence[str] | None = None, cluster: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Mean number of months in each state after the first month, and the differences between groups.

    Parameters
    ----------
    data, state, by, start, end, states, cluster, month, person_id
        As in `state_occupation`. Months ``start + 1`` to ``end`` are added up.
    reference : str, optional
        The group that others are compared with; a FollowUp knows its own.

    Returns
    -------
    Estimates
        Measures "months_in_state" and "months_in_state_difference", ``state``
        beside them; over the states the means add up to the number of months.
        ``events`` are the people who were ever seen in the state in those
        months. ``time`` is the last month.

    Raises
    ------
    UnsupportedError
        As `state_occupation`, and for an unknown reference.

    References
    ----------
    As `state_occupation`.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 1, 2, 2], "month": [0, 1, 0, 1], "state": ["none", "work", "none", "none"]})
    >>> months_in_states(rows, by=None).table[["state", "estimate"]].values.tolist()
    [['none', 0.5], ['work', 0.5]]
    """
    paths = paths_of(data, state, by, start, end, states, month, person_id, cluster)
    if reference is None and not isinstance(data, pd.DataFrame) and by == "arm":
        reference = data.study.reference
    if reference is not None and str(reference) not in paths.groups:
        raise UnsupportedError(f"{reference} is not a group; there are: {', '.join(paths.groups)}")
    totals, influences, sizes, seen = [], [], [], []
    for code in range(len(paths.groups)):
        inside = paths.group == code
        found = _occupied(paths.place[inside], len(paths.states), None)
        whole = np.zeros((len(paths.place), len(paths.states)))
        whole[inside] = found.total_influence
        totals.append(found.total)
        influences.append(whole)
        sizes.append(int((paths.place[inside] >= 0).any(axis=1).sum()))
        later = paths.place[inside, 1:]
        seen.append([int((later == place).any(axis=1).sum()) for place in range(len(paths.states))])
    base = None if reference is None else paths.groups.index(str(reference))
    codes = paths.cluster
    rows = []
    for code, group in enumerate(paths.groups):
        error = np.sqrt(_sizes(influences[code], codes))
        rows += _rows(
            "months_in_state", {"group": group}, paths.states, totals[code], error, sizes[code], seen[code], tested=False
        )
    for code, group in enumerate(paths.groups):
        if base is None or code == base:
            continue
        error = np.sqrt(_sizes(influences[code] - influences[base], codes))
        contrast = {"contrast": f"{group} - {paths.groups[base]}"}
        rows += _rows("months_in_state_difference", contrast, paths.states, totals[code] - totals[base], error,
                      sizes[code] + sizes[base], [a + b for a, b in zip(seen[code], seen[base], strict=True)], tested=True)  # fmt: skip
    table = pd.DataFrame(rows).assign(outcome=state, time=int(paths.months[-1]), method="Aalen-Johansen")
    return Estimates(tidy(table), "Mean months in each state",
                     f"Sums of Aalen-Johansen occupation probabilities over months {paths.months[1]} to {paths.months[-1]}; errors by "
                     "the infinitesimal jackknife; two-sided 95 %", REFERENCES, "forest", paths.notes)  # fmt: skip


def _rows(
    measure: str, who: dict[str, str], states: Sequence[str], value: Floats, error: Floats, n: int, seen: list[int], *, tested: bool
) -> list[dict[str, object]]:  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = normal_p(np.where((error > 0) & tested, value / error, np.nan))
    half = np.where(error > 0, Z95 * error, np.nan)
    return [{"measure": measure, **who, "state": s, "n": n, "events": seen[i], "estimate": value[i], "std_error": error[i],
             "conf_low": value[i] - half[i], "conf_high": value[i] + half[i], "p_value": p_value[i]}
            for i, s in enumerate(states)]  # fmt: skip


@supports(competing="as states")
def state_transitions(
    data: Data, state: str = "state", by: str | None = "arm", start: int = 0, end: int | None = None, *,
    between: Sequence[int] | None = None, states: Sequence[str] | None = None, month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """How often people move from each state to each other: month by month, or between landmarks.

    Parameters
    ----------
    data, state, by, start, end, states, month, person_id
        As in `state_occupation`.
    between : list of int, optional
        Landmarks: from each to the next. By default from each month to the
        next, all months together.

    Returns
    -------
    Estimates
        Measure "transition", a row a group and pair of states that was seen:
        ``from_state``, ``to_state``, ``events`` (moves), ``people`` (who made
        one), ``n`` (person-months, or people, in the first state with both
        known), ``estimate`` (share).
        Descriptive: person-months of one person are no independent draws, so
        there are no limits for months; between landmarks they are Wilson's,
        with ``month`` and ``to_month``.

    Raises
    ------
    UnsupportedError
        As `state_occupation`, and for landmarks outside the months.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 1, 2, 2], "month": [0, 1, 0, 1], "state": ["none", "work", "none", "none"]})
    >>> state_transitions(rows, by=None).table[["from_state", "to_state", "events", "n"]].values.tolist()
    [['none', 'none', 1, 2], ['none', 'work', 1, 2]]
    """
    from ips_outcomes.analysis.proportions import wilson

    paths = paths_of(data, state, by, start, end, states, month, person_id, None)
    pairs: list[tuple[Ints, Ints, int | None, int | None]] = []
    if between is None:
        pairs.append((np.arange(len(paths.months) - 1), np.arange(1, len(paths.months)), None, None))
    else:
        marks = list(between)
        if len(marks) < 2 or marks != sorted(set(marks)) or marks[0] < paths.months[0] or marks[-1] > paths.months[-1]:
            raise UnsupportedError(f"between= takes two or more rising months from {paths.months[0]} to {paths.months[-1]}")
        for a, b in pairwise(marks):
            pairs.append((np.array([a - paths.months[0]]), np.array([b - paths.months[0]]), a, b))
    size, rows = len(paths.states), []
    for code, group in enumerate(paths.groups):
        inside = paths.place[paths.group == code]
        for first, second, month_from, month_to in pairs:
            came, went = inside[:, first].ravel(), inside[:, second].ravel()
            person = np.repeat(np.arange(len(inside)), len(first))
            both = (came >= 0) & (went >= 0)
            move = came[both] * size + went[both]
            counts = np.bincount(move, minlength=size * size).reshape(size, size)
            # each person once a kind of move
            kinds = np.unique(person[both] * size * size + move) % (size * size)
            people = np.bincount(kinds, minlength=size * size).reshape(size, size)
            for a, b in zip(*np.nonzero(counts), strict=True):
                n, moved = int(counts[a].sum()), int(counts[a, b])
                row: dict[str, object] = {"group": group, "from_state": paths.states[a], "to_state": paths.states[b], "n": n,
                                          "events": moved, "people": int(people[a, b]), "estimate": moved / n}  # fmt: skip
                if month_from is not None:
                    low, high = wilson(np.array([float(moved)]), np.array([float(n)]))
                    row |= {"month": month_from, "to_month": month_to, "conf_low": float(low[0]), "conf_high": float(high[0])}
                rows.append(row)
    columns = ["group", "from_state", "to_state", "n", "events", "people", "estimate"]
    if between is not None:
        columns += ["month", "to_month", "conf_low", "conf_high"]
    table = pd.DataFrame(rows, columns=columns).assign(
        outcome=state, measure="transition", method="counts" if between is None else "Wilson"
    )
    how = "from each month to the next" if between is None else "between landmarks, Wilson's 95 % limits"
    return Estimates(tidy(table), "Moves between states", f"Shares of those in the first state, {how}", (), "forest", paths.notes)
