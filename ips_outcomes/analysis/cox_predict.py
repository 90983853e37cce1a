"""Cumulative incidence predicted from cause-specific Cox models, by arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.analysis.cox_errors import residuals_in_cells
from ips_outcomes.analysis.cox_fit import CoxFit
from ips_outcomes.analysis.cox_inputs import Prepared, WeightType, check_ties, prepared
from ips_outcomes.analysis.cox_likelihood import Ties, binned
from ips_outcomes.analysis.cox_regression import fitted
from ips_outcomes.analysis.inputs import Data, times_table
from ips_outcomes.analysis.limits import limits
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["predicted_incidence"]

Floats = NDArray[np.float64]
ROWS = 1 << 13
ADVICE = "leave it out of the formula, or join levels or causes"

REFERENCES = (
    "Cheng SC, Fine JP, Wei LJ. Prediction of cumulative incidence function under the proportional hazards model. Biometrics 1998;54:219-228. doi:10.2307/2534009",
    "Ozenne BMH, Scheike TH, Staerk L, Gerds TA. On the estimation of average treatment effects with right-censored time to event outcome and "
    "competing risks. Biom J 2020;62:751-763. doi:10.1002/bimj.201800298",
)


@supports(entry=True, frequency_weights=True, probability_weights=True, cluster=True, ties="Efron, Breslow", competing="yes",
          instead="put the strata's column into the formula")  # fmt: skip
def predicted_incidence(
    data: Data, formula: str = "arm", time: str = "time", event: str = "event", cause: int = 1, by: str = "arm",
    covariates: pd.DataFrame | None = None, at: int | Sequence[int] | None = None, entry: str | None = None,
    cluster: str | None = None, weights: str | None = None, weight_type: WeightType = "frequency", ties: Ties = "efron",
) -> Estimates:  # fmt: skip
    """Cumulative incidence had everybody been in each arm, from Cox models of every cause.

    A Cox model is fitted to each event code; together they give everybody's
    incidence of ``cause`` month by month. Every arm's curve is the mean over
    all people, each with own covariates and that arm (g-formula); with
    ``covariates=`` it is the curve of people like those rows instead.

    Parameters
    ----------
    data, formula, time, event, cause, entry, cluster, weights, weight_type, ties
        As in `cox`. The incidence counts from time 0, also with delayed entry.
    by : str
        The column that is set to each of its levels in turn; in the formula.
    covariates : pandas.DataFrame, optional
        Rows with the formula's columns: a curve a row, nothing standardised.
        A column ``group`` names the rows, else they are numbered.
    at : int or list of int, optional
        Times to report; every event time unless given.

    Returns
    -------
    Estimates
        Measure ``predicted_incidence``: group, time, estimate, std_error and
        log-log limits.

    Raises
    ------
    UnsupportedError
        As `cox`; where ``by`` is not in the formula; for times after the last event.

    Notes
    -----
    Baseline hazards as in R's ``survfit(coxph)``; a month's loss 1 - exp(-h)
    is shared between causes as their hazards are, so that incidences and
    survival add up to one. R's multi-state ``survfit`` gives the same under
    ``ties="breslow"``; asked for Efron's method, R's multi-state ``coxph``
    fits Breslow's in silence, so there R's models cause by cause are the
    comparison.
    Errors are infinitesimal jackknife: everybody's influence on coefficients,
    baseline hazards and on who is averaged over, in closed form.

    References
    ----------
    Cheng SC, Fine JP, Wei LJ. Biometrics 1998;54:219-228.
    Ozenne BMH et al. Biom J 2020;62:751-763.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["b", "a"] * 5, "time": [1, 2, 3, 4, 5, 6, 7, 8, 3, 5], "event": [1, 2, 0, 1, 1, 0, 1, 1, 2, 2]})
    >>> found = predicted_incidence(people, "arm", at=5).table
    >>> found[["group", "time", "estimate"]].round(3).values.tolist()
    [['a', 5, 0.147], ['b', 5, 0.497]]
    """
    check_ties(ties)
    people = prepared(data, formula, time, event, entry, None, cluster, weights, weight_type)
    codes = sorted({cause, *np.unique(people.event[people.event > 0]).tolist()})
    fits = [fitted(people, event, code, ties, None, False, advice=ADVICE) for code in codes]
    grid = np.unique(np.concatenate([fit.sets.time for fit in fits]))
    wanted = grid if at is None else np.atleast_1d(np.asarray(at, dtype=np.int64))
    if (wanted < 0).any() or (wanted > int(people.time.max())).any():
        raise UnsupportedError(f"at= goes from 0 to {int(people.time.max())}, the last time in the data")
    curves = _curves(people, fits, codes.index(cause), grid, np.searchsorted(grid, wanted, "right") - 1)
    table = times_table(data).iloc[people.rows]
    groups: list[tuple[str, Floats, Floats]] = []
    if covariates is None:
        design = people.design
        if by not in design.spec.required_variables:
            raise UnsupportedError(f"{by} (by=) is not in the formula {formula!r}: every group would have the same curve")
        levels = design.categories.get(by) or sorted(table[by].astype("Float64").dropna().unique())
        if len(levels) > 20:
            raise UnsupportedError(f"{by} (by=) has {len(levels)} levels: name an arm, or give covariates=")
        needed = sorted(design.spec.required_variables)
        for level in levels:
            # as many rows as people, but a few columns only
            here = table[needed].assign(**{by: pd.Series([level] * len(table), index=table.index, dtype=table[by].dtype)})
            groups.append((str(level), *curves.standardised(design.at(here))))
    else:
        names = covariates["group"].astype(str) if "group" in covariates else [str(i + 1) for i in range(len(covariates))]
        matrix = people.design.at(covariates)
        groups = [(name, *curves.at(matrix[i : i + 1])) for i, name in enumerate(names)]
    rows = []
    for name, estimate, error in groups:
        low, high = limits(estimate, error, "log-log")
        rows.append(pd.DataFrame({
            "outcome": event, "measure": "predicted_incidence", "group": name, "time": wanted, "n": int(people.people.sum()),
            "events": int(people.people[people.event == cause].sum()), "estimate": estimate, "std_error": error,
            "conf_low": low, "conf_high": high, "method": "cause-specific Cox models",
        }))  # fmt: skip
    how = "standardised over everybody" if covariates is None else "at given covariates"
    method = f"Cause-specific Cox models of every cause, {how}; infinitesimal-jackknife errors; log-log 95 % limits"
    return Estimates(tidy(pd.concat(rows)), "Predicted cumulative incidence", method, REFERENCES, "steps", people.notes)


@dataclass(frozen=True)
class _Curves:
    people: Prepared
    fits: list[CoxFit]
    own: int
    places: list[NDArray[np.int64]]
    hazards: list[Floats]
    wanted: NDArray[np.int64]

    def standardised(self, matrix: Floats) -> tuple[Floats, Floats]:
        """The mean over everybody, with its error."""
        return self._estimated(matrix, self.people.weight, own_too=True)

    def at(self, matrix: Floats) -> tuple[Floats, Floats]:
        """The curve of people like one row, with its error."""
        return self._estimated(matrix, np.ones(len(matrix)), own_too=False)

    def _estimated(self, matrix: Floats, weight: Floats, own_too: bool) -> tuple[Floats, Floats]:
        causes, width, months = len(self.fits), matrix.shape[1], len(self.hazards[0])
        total = weight.sum()
        mean = np.zeros(months)
        shift, level = np.zeros((causes, months)), np.zeros((causes, months))
        tilt = np.zeros((causes, months, width))
        each = np.zeros((len(matrix), len(self.wanted))) if own_too else None
        for a in range(0, len(matrix), ROWS):
            part, w = matrix[a : a + ROWS], weight[a : a + ROWS] / total
            ratio = [np.exp(np.clip(part @ fit.sums_beta, -600, 600)) for fit in self.fits]
            z = [r[:, None] * h for r, h in zip(ratio, self.hazards, strict=True)]
            q = np.sum(z, axis=0)
            total_before = np.cumsum(q, axis=1) - q
            before = np.exp(-total_before)
            # (1 - exp(-q)) / q and its slope, steady at 0
            small = q < 1e-5
            safe = np.where(small, 1.0, q)
            g = np.where(small, 1 - q / 2, -np.expm1(-safe) / safe)
            bend = np.where(small, -0.5 + q / 3, (np.exp(-safe) - g) / safe)
            found = np.cumsum(before * g * z[self.own], axis=1)
            mean += w @ found
            if each is not None:
                each[a : a + ROWS] = found[:, self.wanted]
            for c in range(causes):
                direct = before * (bend * z[self.own] + (g if c == self.own else 0.0))
                weighted = w * ratio[c]
                shift[c] += weighted @ (direct + found)
                level[c] += weighted @ found
                slope = np.cumsum(z[c] * (direct + found), axis=1) - found * np.cumsum(z[c], axis=1)
                tilt[c] += slope.T @ (part * w[:, None])
        estimate = np.where(self.wanted < 0, 0.0, mean[self.wanted])
        return estimate, np.where(self.wanted < 0, 0.0, self._error(shift, level, tilt, mean, each))

    def _error(self, shift: Floats, level: Floats, tilt: Floats, mean: Floats, each: Floats | None) -> Floats:
        people, wanted = self.people, self.wanted
        matrix, weight = people.design.matrix, people.weight
        jobs = []
        for c, (fit, place) in enumerate(zip(self.fits, self.places, strict=True)):
            sets, sums = fit.sets, fit.sums
            # effect of each hazard on each wanted month's incidence: nothing from later months
            effect = (shift[c][place][:, None] - level[c][wanted]) * (place[:, None] <= wanted)
            pull = tilt[c][wanted] - effect.T @ sums.pull
            a2, b2, _ = (sets.mass / sets.tied * part for part in sums.squared)
            running = np.vstack([np.zeros(len(wanted)), np.cumsum(effect * a2[:, None], axis=0)])
            counted = sets.first <= sets.last
            at_risk = np.zeros((len(sets.first), len(wanted)))
            at_risk[counted] = running[sets.last[counted] + 1] - running[sets.first[counted]]
            last = np.maximum(sets.last, 0)
            at_risk -= sets.own[:, None] * effect[last] * b2[last, None]
            event = sets.own[:, None] * effect[last] * (sums.hazard / sets.mass)[last, None]
            cell = np.empty(len(matrix), dtype=np.int64)
            cell[sets.order] = sets.cell
            jobs.append((fit, cell, at_risk, event, np.linalg.solve(sums.information, pull.T)))
        whole = people.cluster is not None
        found = np.zeros((people.clusters, len(wanted))) if whole else np.zeros(len(wanted))
        step = max(ROWS, people.clusters // 4)
        for a in range(0, len(matrix), step):
            rows = slice(a, a + step)
            w = weight[rows]
            influence = np.zeros((len(w), len(wanted)))
            if each is not None:
                influence += w[:, None] * (each[rows] - mean[wanted]) / weight.sum()
            for fit, cell, at_risk, event, solved in jobs:
                here = cell[rows]
                risk = w * np.exp(np.clip(matrix[rows] @ fit.sums_beta, -600, 600))
                influence += residuals_in_cells(fit.sets, fit.sums, matrix[rows], w, risk, here) @ solved
                influence += w[:, None] * event[here] - risk[:, None] * at_risk[here]
            if people.cluster is not None:
                found += binned(influence, people.cluster[rows], people.clusters)
            else:
                found += (influence**2 / (w[:, None] if people.frequency else 1)).sum(axis=0)
        return np.sqrt((found**2).sum(axis=0) if whole else found)


def _curves(people: Prepared, fits: list[CoxFit], own: int, grid: NDArray[np.int64], wanted: NDArray[np.int64]) -> _Curves:
    places = [np.searchsorted(grid, fit.sets.time) for fit in fits]
    hazards = []
    for fit, place in zip(fits, places, strict=True):
        hazard = np.zeros(len(grid))
        hazard[place] = fit.sums.hazard
        hazards.append(hazard)
    return _Curves(people, fits, own, places, hazards, wanted)
