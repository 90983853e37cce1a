"""Infinitesimal jackknife of curves: each person's influence, never held as a table of people by times.

The influence of a person on a curve at t is the derivative of the curve with
respect to that person's weight. Between entry and end a person only belongs to
the risk set, and the influence is ``scale(t) (p(t) - a q(t) + b)`` with ``a``
and ``b`` fixed at entry; afterwards it is ``scale(t) (c + l q(t))`` with ``c``
and ``l`` fixed at the end. So sums of squares over people follow from
cumulative sums of a, b, c, l and their products: patterns + times, not
patterns x times.

References
----------
Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000. doi:10.1007/978-1-4757-3294-8
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ips_outcomes.analysis.event_table import EventTable, Patterns, places

__all__ = ["Influence", "area_to", "of_hazard", "of_incidence", "of_survival", "remaining", "shifted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Clusters times grid that are held at once.
_CELLS = 1 << 21


def remaining(at_risk: Floats, events: Floats) -> Floats:
    """Those left after the events; nobody where only the rounding of weights is left."""
    left = at_risk - events
    return np.where(left > 1e-11 * at_risk, left, 0.0)


def shifted(values: Floats, first: float = 0.0) -> Floats:
    """The value just before each time."""
    return np.concatenate([[first], values[:-1]])


def area_to(times: Ints, values: Floats, ends: Floats) -> Floats:
    """Area under a right-continuous step curve from 0 to each of some times; past the last time the curve stays."""
    until = np.concatenate([[0.0], np.cumsum(values[:-1] * np.diff(times))])
    return np.interp(ends, times, until) + values[-1] * np.maximum(ends - times[-1], 0.0)


@dataclass(frozen=True)
class Influence:
    """Influence of one person of each pattern on a curve."""

    people: Patterns
    time: Ints
    entered: Ints
    left: Ints
    scale: Floats
    p: Floats
    q: Floats
    a: Floats
    b: Floats
    c: Floats
    l: Floats  # noqa: E741 - the letter of the formula above

    def variance(self) -> Floats:
        """Sum of squared influences at each time: of clusters where there are any, otherwise of people."""
        cluster = self.people.cluster
        if cluster is None:
            return self._by_people(self.people.square, np.ones(len(self.left), dtype=bool))
        code = np.unique(cluster, return_inverse=True)[1]
        alone = np.bincount(code)[code] == 1
        # a cluster of one pattern is one summand, whose weight is its mass
        found = self._by_people(self.people.mass**2, alone)
        return found + self._by_clusters(code[~alone], ~alone) if not alone.all() else found

    def _by_people(self, weight: Floats, chosen: NDArray[np.bool_]) -> Floats:
        size = len(self.time)
        entered, left = np.maximum(self.entered[chosen], 0), self.left[chosen]
        w, a, b, c, slope = weight[chosen], self.a[chosen], self.b[chosen], self.c[chosen], self.l[chosen]
        anybody = np.bincount(entered, minlength=size).cumsum() - np.bincount(left, minlength=size).cumsum() > 0

        def present(x: Floats) -> Floats:
            change = np.bincount(entered, weights=x, minlength=size) - np.bincount(left, weights=x, minlength=size)
            return np.where(anybody, np.cumsum(change), 0.0)

        def gone(x: Floats) -> Floats:
            return np.cumsum(np.bincount(left, weights=x, minlength=size))

        p, q = self.p, self.q
        total = p**2 * present(w) + gone(w * c**2)
        if slope.any():
            total += 2 * q * gone(w * c * slope) + q**2 * gone(w * slope**2)
        if a.any() or b.any():
            total += present(w * b**2) + 2 * p * present(w * b)
            total += q**2 * present(w * a**2) - 2 * p * q * present(w * a) - 2 * q * present(w * a * b)
        return np.maximum(total, 0.0) * self.scale**2

    def _by_clusters(self, code: Ints, chosen: NDArray[np.bool_]) -> Floats:
        order = np.argsort(code, kind="stable")
        code = np.unique(code[order], return_inverse=True)[1]
        rows = np.flatnonzero(chosen)[order]
        size, number = len(self.time), int(code[-1]) + 1
        step = max(_CELLS // size, 1)
        total = np.zeros(size)
        for first in range(0, number, step):
            here = slice(*np.searchsorted(code, [first, first + step]))
            among, i = code[here] - first, rows[here]
            wide = min(step, number - first)
            at_entry, at_end = among * size + np.maximum(self.entered[i], 0), among * size + self.left[i]
            w = self.people.mass[i]

            def summed(cells: Ints, x: Floats, wide: int = wide) -> Floats:
                return np.bincount(cells, weights=x, minlength=wide * size).reshape(wide, size)

            def present(x: Floats, into: Ints = at_entry, out: Ints = at_end) -> Floats:
                return np.cumsum(summed(into, x) - summed(out, x), axis=1)

            sums = self.p * present(w) + np.cumsum(summed(at_end, w * self.c[i]), axis=1)
            if self.l.any():
                sums += self.q * np.cumsum(summed(at_end, w * self.l[i]), axis=1)
            if self.a.any() or self.b.any():
                sums += present(w * self.b[i]) - self.q * present(w * self.a[i])
            total += np.einsum("ij,ij->j", sums, sums)
        return total * self.scale**2

    def areas(self, ends: Floats) -> Floats:
        """Influence on the area under the curve from 0 to each end: patterns by ends."""
        start = self.time[np.maximum(self.entered, 0)].astype(float)
        found = np.zeros((len(self.left), len(ends)))
        for j, end in enumerate(ends):
            until = np.minimum(self.time[self.left].astype(float), end)
            total = np.zeros(len(self.left))
            for values, before, after in (
                (self.scale * self.p, 1.0, None), (self.scale * self.q, -self.a, self.l), (self.scale, self.b, self.c),
            ):  # fmt: skip
                at_start, at_until = area_to(self.time, values, start), area_to(self.time, values, until)
                total += before * (at_until - at_start)
                if after is not None:
                    total += after * (area_to(self.time, values, np.array([end]))[0] - at_until)
            found[:, j] = np.where(start < end, total, 0.0)
        return found


def _built(
    people: Patterns, counted: EventTable, scale: Floats, p: Floats, q: Floats, a: Floats, jump: Floats, slope: Floats
) -> Influence:
    """From what happens at a person's own end (``jump``) to the constants at entry and end."""
    entered, left = places(people, counted.time)
    late = np.maximum(entered, 0)
    b = np.where(entered < 0, 0.0, -(p[late] - a * q[late]))
    c = p[left] - a * q[left] + b + jump - slope * q[left]
    return Influence(people, counted.time, entered, left, scale, p, q, a, b, c, slope)


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.divide(over, under, out=np.zeros(len(over)), where=under > 0)


def of_survival(people: Patterns, counted: EventTable, survival: Floats) -> Influence:
    """Influence on the Kaplan-Meier curve; column 0 of the events are those of the curve."""
    events, zero = counted.events[:, 0], np.zeros(len(counted.time))
    rest = remaining(counted.at_risk, events)
    p = np.cumsum(_ratio(_ratio(events, counted.at_risk), rest))
    left = places(people, counted.time)[1]
    jump = -np.where(people.event > 0, _ratio(np.ones(len(rest)), rest)[left], 0.0)
    none = np.zeros(len(left))
    return _built(people, counted, survival, p, zero, none, jump, none)


def of_hazard(people: Patterns, counted: EventTable) -> Influence:
    """Influence on the Nelson-Aalen cumulative hazard."""
    left, ones = places(people, counted.time)[1], np.ones(len(counted.time))
    p = -np.cumsum(_ratio(_ratio(counted.events[:, 0], counted.at_risk), counted.at_risk))
    jump = np.where(people.event > 0, _ratio(ones, counted.at_risk)[left], 0.0)
    none = np.zeros(len(left))
    return _built(people, counted, ones, p, np.zeros(len(ones)), none, jump, none)


def of_incidence(people: Patterns, counted: EventTable, cause: int, incidence: Floats, event_free: Floats) -> Influence:
    """Influence on the cumulative incidence of a cause."""
    at_risk, own, every = counted.at_risk, counted.events[:, 0], counted.events.sum(axis=1)
    entered, left = places(people, counted.time)
    rest, before = remaining(at_risk, every), shifted(event_free, 1.0)
    share = _ratio(own, at_risk)
    spread = np.cumsum(_ratio(_ratio(every, at_risk), rest))
    p = np.cumsum(before * share * shifted(spread)) - np.cumsum(before * _ratio(share, at_risk))
    a = np.where(entered < 0, 0.0, spread[np.maximum(entered, 0)])
    slope = spread[left] - a - np.where(people.event > 0, _ratio(np.ones(len(rest)), rest)[left], 0.0)
    jump = np.where(people.event == cause, (before * _ratio(np.ones(len(rest)), at_risk))[left], 0.0)
    # counted from the end, so that nothing cancels where the curve has reached one
    return _built(people, counted, np.ones(len(rest)), p, incidence - incidence[-1], a, jump, slope)
