"""Effects by centre against what the centres are like: fidelity, caseload, how soon things happen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ips_outcomes.analysis.centre_inputs import CentreOptions, Centres, Kind, centres_of, check_ways
from ips_outcomes.analysis.inputs import MISSING, Data, as_list, require
from ips_outcomes.analysis.level_effects import on_log
from ips_outcomes.analysis.process_measures import centre_values
from ips_outcomes.analysis.random_effects import INTERVALS, METHODS, REFERENCES, Interval, Method, pool
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["FEWEST_TESTED", "centre_modifiers"]

#: Under so many centres a slope rests on a few points: plotted, not tested.
FEWEST_TESTED = 10

_NOT_AN_EFFECT = (
    "no centre was allotted its {}: centres that differ in it differ in other things too, and what holds between centres need not "
    "hold between their participants"
)


@supports(competing="", ties="", instead="subgroup_effects with the centre as a subgroup")
def centre_modifiers(
    data: Data, values: pd.DataFrame | None = None, modifier: str | Sequence[str] = "fidelity",
    outcome: str | Sequence[str] | None = None, centre: str = "centre", arm: str = "arm", reference: str | None = None,
    at: int | Sequence[int] | None = None, scale: str | None = None, *, kind: Kind | None = None, method: Method = "reml",
    interval: Interval = "hartung-knapp", least_events: int = 5, start: int = 1, end: int | None = None, dead: str | None = None,
    month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """The effect in each centre against a number that the centre has, and from ten centres on the slope.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
    values : pandas.DataFrame, optional
        One row a centre: the ``centre`` column, and a column of numbers for
        each modifier. Of a FollowUp, `centre_values` by default: fidelity
        (IPS-25, 25 to 125), caseload (participants per job specialist), median
        days to contact, employer contact and plan.
    modifier : str or list of str
        Columns of ``values``.
    outcome, centre, arm, reference, at, scale, kind, method, interval, least_events, start, end, dead, month, person_id
        As in `centre_effects`.

    Returns
    -------
    Estimates
        Rows of centres: ``modifier``, its ``value``, ``level`` (the centre),
        ``measure`` (the scale), the centre's effect and limits, ``n``. From
        ten centres with an effect and a value: measure "slope" (change of the
        effect per unit of the modifier; a ratio of ratios where the scale is
        one, with ``std_error`` of its logarithm), "intercept" (effect where
        the modifier is 0, needed to draw the line), "residual_sd" (spread
        between centres that the line leaves) and "residual_heterogeneity"
        (Cochran's Q of it). Fewer centres: points only, and a note.

    Raises
    ------
    UnsupportedError
        For unknown columns, a centre named twice, values that are no numbers,
        no centre with both, a modifier that is the same everywhere (from ten
        centres), and as `centre_effects`.

    Notes
    -----
    Equal to R's ``metafor::rma(yi, vi, mods = ~ modifier, test = "knha")``.

    References
    ----------
    Knapp G, Hartung J. Stat Med 2003;22:2693-2710. Thompson SG, Higgins JPT.
    How should meta-regression analyses be undertaken and interpreted? Stat Med
    2002;21:1559-1573.

    Examples
    --------
    >>> people = pd.DataFrame([
    ...     {"centre": c, "arm": a, "works": int(i < e)}
    ...     for c, es in {"A": (12, 6), "B": (9, 7), "C": (14, 5)}.items() for a, e in zip(("ips", "control"), es) for i in range(20)])
    >>> rated = pd.DataFrame({"centre": ["A", "B", "C"], "fidelity": [101.0, 84.0, 112.0]})
    >>> found = centre_modifiers(people, rated, outcome="works", reference="control")
    >>> found.table[["level", "value", "estimate"]].round(2).values.tolist()
    [['A', 101.0, 0.3], ['B', 84.0, 0.1], ['C', 112.0, 0.45]]
    >>> found.notes[0]
    'fidelity: 3 centres, under 10: a slope would rest on a few points, so they are drawn and not tested'
    """
    check_ways(method, interval)
    names = as_list(modifier)
    if not names:
        raise UnsupportedError("modifier= is empty: name at least one column of values=")
    if values is None:
        if isinstance(data, pd.DataFrame):
            raise UnsupportedError("values= is needed: one row a centre, with a column for each modifier")
        values, key = centre_values(data), "centre"
    else:
        key = centre
    lookup = _looked_up(values, key, names)
    asked = CentreOptions(outcome, centre, arm, reference, at, scale, kind, least_events, start, end, dead, month, person_id)
    tables, notes = list[pd.DataFrame](), list[str]()
    for centres in centres_of(data, asked):
        for name in names:
            rows, said = _of_modifier(centres, name, lookup[name], method, interval)
            tables, notes = [*tables, rows], [*notes, *said]
        notes += centres.notes
    if not tables:
        raise UnsupportedError("no centre has people in both arms: there is no effect by centre")
    words = (
        f"Effects by centre against a number of the centre; from {FEWEST_TESTED} centres a random-effects regression, spread by "
        f"{METHODS[method]}, slope by {INTERVALS[interval]}; two-sided 95 %"
    )
    return Estimates(tidy(pd.concat(tables, ignore_index=True)), "Effects by centre and what centres are like", words,
                     (*REFERENCES, "Thompson SG, Higgins JPT. Stat Med 2002;21:1559-1573. doi:10.1002/sim.1187"), "forest",
                     tuple(dict.fromkeys(notes)))  # fmt: skip


def _looked_up(values: pd.DataFrame, key: str, names: list[str]) -> pd.DataFrame:
    """Numbers by centre, as text as the centres of the data are."""
    require(values, [key, *names])
    rows = values[values[key].notna()]
    twice = int(rows[key].astype(str).duplicated().sum())
    if twice:
        raise UnsupportedError(f"{twice} centres have several rows in values=: one row a centre is needed")
    made = {}
    for name in names:
        numbers = pd.to_numeric(rows[name], errors="coerce")
        strange = int((numbers.isna() & rows[name].notna()).sum()) + int(np.isinf(numbers.astype(float)).sum())
        if strange:
            raise UnsupportedError(f"{strange} values of {name} are no finite numbers")
        made[name] = numbers.astype(float).to_numpy(na_value=np.nan)
    return pd.DataFrame(made, index=pd.Index(rows[key].astype(str)))


_KEPT = ("outcome", "subgroup", "level", "measure", "contrast", "month", "time", "n", "events", "estimate", "std_error", "conf_low",
         "conf_high", "p_value", "method", "scale", "n_arm", "events_arm", "n_reference", "events_reference", "few_events")  # fmt: skip


def _of_modifier(
    centres: Centres, name: str, lookup: pd.Series, method: Method, interval: Interval
) -> tuple[pd.DataFrame, list[str]]:  # fmt: skip
    points = centres.rows[[c for c in _KEPT if c in centres.rows]].assign(modifier=name)
    points = points.assign(value=lookup.reindex(points["level"]).to_numpy(dtype=float), centre_known=centres.rows["known"])
    points = points[points["level"] != MISSING]
    without = int(points["value"].isna().sum())
    said = [f"{name}: {without} centres without a value are left out"] if without else []
    points = points[points["value"].notna()]
    if points.empty:
        raise UnsupportedError(f"no centre of the data has a value of {name}: are centres called alike in both?")
    used = points["centre_known"].to_numpy(dtype=bool)
    points = points.drop(columns="centre_known")
    number = int(used.sum())
    if number < FEWEST_TESTED:
        rest = "a slope would rest on a few points, so they are drawn and not tested"
        return points, [f"{name}: {number} centres, under {FEWEST_TESTED}: {rest}", *said, _NOT_AN_EFFECT.format(name)]
    place = centres.known["level"].isin(points["level"]).to_numpy()
    x = points.loc[used, "value"].to_numpy(dtype=float)
    if np.ptp(x) == 0:
        raise UnsupportedError(f"{name} is the same in all {number} centres: there is no slope")
    fitted = pool(
        centres.values[place], centres.variances[place], np.column_stack([np.ones(number), x]), method=method, interval=interval
    )
    natural = np.exp if on_log(centres.scale) else float
    same = {**centres.common, "modifier": name, "centres": number}
    degrees = fitted.degrees if np.isfinite(fitted.degrees) else np.nan
    lines: list[dict[str, object]] = []
    for position, measure in ((1, "slope"), (0, "intercept")):
        low, high, p_value = fitted.limits(position)
        lines.append({
            **same, "measure": measure, "estimate": float(natural(fitted.coefficients[position])),
            "std_error": float(fitted.std_errors[position]), "conf_low": float(natural(low)), "conf_high": float(natural(high)),
            "p_value": p_value if measure == "slope" else np.nan, "degrees_of_freedom": degrees,
            "method": f"{METHODS[method]}, {INTERVALS[interval]}" + ("; per unit of the modifier" if measure == "slope" else ""),
        })  # fmt: skip
    lines.append({**same, "measure": "residual_sd", "estimate": float(np.sqrt(fitted.tau2)), "conf_low": float(np.sqrt(fitted.tau2_low)),
                  "conf_high": float(np.sqrt(fitted.tau2_high)), "method": f"{METHODS[method]}, limits by Q-profile"})  # fmt: skip
    lines.append({**same, "measure": "residual_heterogeneity", "statistic": fitted.q, "degrees_of_freedom": float(fitted.q_degrees),
                  "p_value": fitted.q_p, "method": "Cochran's Q"})  # fmt: skip
    return pd.concat([points, pd.DataFrame(lines)], ignore_index=True), [*said, _NOT_AN_EFFECT.format(name)]
