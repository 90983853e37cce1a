"""The effect of the arm as a smooth function of a number known at inclusion, without cutting it into groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.inputs import Data, as_list
from ips_outcomes.analysis.level_effects import on_log, tested
from ips_outcomes.analysis.limits import Z95, t_quantile
from ips_outcomes.analysis.many_looks import critical_value, multiplier_draws
from ips_outcomes.analysis.modifier_numbers import Followed, NumberKind, followed
from ips_outcomes.analysis.regression_errors import Errors
from ips_outcomes.analysis.smooth_fit import SmoothFit, SmoothRows, curve_of
from ips_outcomes.analysis.splines import spline_of
from ips_outcomes.analysis.subgroup_questions import primary_scale
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["effect_by"]

Floats = NDArray[np.float64]

#: Values at which an effect may be told.
MOST_VALUES = 1000
#: Where whole units are too coarse or too many, so many values between the percentiles.
EVEN_VALUES = 41

REFERENCES = (
    "Durrleman S, Simon R. Flexible regression models with cubic splines. Stat Med 1989;8:551-561. doi:10.1002/sim.4780080504",
    "Royston P, Sauerbrei W. A new approach to modelling interactions between treatment and continuous covariates in clinical "
    "trials by using fractional polynomials. Stat Med 2004;23:2509-2525. doi:10.1002/sim.1815",
    "Chernozhukov V, Chetverikov D, Kato K. Gaussian approximations and multiplier bootstrap for maxima of sums of "
    "high-dimensional random vectors. Ann Stat 2013;41:2786-2819. doi:10.1214/13-AOS1161",
)


@supports(cluster=True, ties="", competing="")
def effect_by(
    data: Data, modifier: str = "age", outcome: str | None = None, arm: str = "arm", reference: str | None = None,
    at: int | None = None, scale: str | None = None, *, kind: NumberKind | None = None, spline_df: int = 3,
    knots: Sequence[float] | None = None, adjust: str | Sequence[str] | None = None, cluster: str | None = None,
    grid: Sequence[float] | None = None, errors: Errors = "robust", least_events: int = 5, draws: int = 10_000,
    seed: int | None = None, start: int = 1, end: int | None = None, dead: str | None = None, month: str | None = None,
    person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """Effect of the arm along a number such as age: a curve, a band around it, and whether it is other than level.

    Each arm has a natural cubic spline of the number; the effect at a value
    is the difference (or ratio) of what the two curves say there. Nothing is
    cut into groups, so that no cut point can be looked for.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a person (and month).
    modifier : str
        Column: a number known at inclusion. People without it are left out
        and counted in the notes.
    outcome : str, optional
        Column: yes/no, or a number. A FollowUp has its primary definition by
        default.
    arm, reference : str
        Column, and the arm that others are compared with.
    at : int, optional
        Month; the last one by default.
    scale : str, optional
        "additive" (default), "multiplicative", or by name: "risk_difference",
        "risk_ratio", "odds_ratio" (and "conditional_odds_ratio" with
        covariates) of yes/no outcomes; "mean_difference", "mean_ratio" of
        numbers and months.
    kind : {"rate", "mean", "months"}, optional
        As in `subgroup_effects`; by default what the outcome looks like.
        Yes/no outcomes have a logistic model, the others a linear one.
    spline_df : int
        Degrees of freedom of each arm's curve; 1 is a straight line.
    knots : list of float, optional
        Inner knots, in place of quantiles.
    adjust : str or list of str, optional
        Baseline columns, the same in both arms. The effect at a value is
        that over the covariates of everybody (g-computation).
    cluster : str, optional
        Column; errors robust to clusters. Under 30 clusters errors are CR2
        with t, there is no simultaneous band, and tests are Bonferroni's.
    grid : list of float, optional
        Values at which the effect is told, at most 1,000, inside the range
        that both arms have. Default: whole units from the 5th to the 95th
        percentile; 41 values where these are under 5 or over 100.
    errors : {"robust", "model"}
        Of numbers and months: HC2, or those of ``lm``.
    least_events : int
        With fewer people with or without the event in an arm, and where the
        plain model has no finite answer, the model has Firth's penalty and
        says so.
    draws : int
        Of the multiplier bootstrap behind the band.
    seed : int, optional
        The study's by default, otherwise 1.
    start, end : int
        First and last month counted, for ``kind="months"``. A month in which
        somebody was not observed is left out of that month's regression;
        effects are summed over months.
    dead : str, optional
        True/false column of a DataFrame, for ``kind="months"``.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        One row a value: ``subgroup`` the modifier, ``value``, ``measure`` the
        scale, ``conf_low`` and ``conf_high`` for that value alone,
        ``band_low`` and ``band_high`` for all values at once. ``n`` and
        ``events`` (also by arm) are those of the whole model. Row
        "interaction_test": whether the effect varies at all on the scale
        asked for (Wald, as many degrees of freedom as the spline;
        ``statistic``, ``degrees_of_freedom``); row "nonlinearity_test":
        whether other than along a straight line. Where the model's own scale
        is another, "interaction_test_odds_ratio" (with covariates
        "interaction_test_conditional_odds_ratio") and the same of
        "nonlinearity_test" are the tests of all spline-by-arm coefficients.

    Raises
    ------
    UnsupportedError
        For a modifier that is no number, changes within a person or has too
        few values; for a grid outside what both arms have.

    References
    ----------
    Durrleman S, Simon R. Stat Med 1989;8:551-561. Royston P, Sauerbrei W.
    Stat Med 2004;23:2509-2525. Chernozhukov V et al. Ann Stat
    2013;41:2786-2819.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame({"arm": ["ips", "control"] * 100, "age": rng.integers(18, 60, 200)})
    >>> people["hours"] = 10 + (people["arm"] == "ips") * (60 - people["age"]) / 5 + rng.normal(0, 1, 200)
    >>> found = effect_by(people, "age", "hours", reference="control", spline_df=1, grid=[20, 50], draws=500).table
    >>> found.loc[found["measure"] == "mean_difference", ["value", "estimate"]].round(1).values.tolist()
    [[20.0, 8.3], [50.0, 2.2]]
    """
    asked = followed(data, modifier, outcome, arm, reference, at, kind, errors, adjust, cluster, start, end, dead, month,
                     person_id)  # fmt: skip
    scale = primary_scale(asked.kind, scale, bool(as_list(adjust)))
    if draws < 1:
        raise UnsupportedError("draws= is a number from 1")
    seed = (1 if isinstance(data, pd.DataFrame) else data.study.seed) if seed is None else seed
    rows: list[dict[str, object]] = []
    notes = list(asked.notes)
    for other in asked.people.arms[1:]:
        rows += _contrast(asked, other, scale, spline_df, knots, grid, errors, least_events, draws, seed, notes)
    how = "logistic" if asked.kind == "rate" else "linear"
    method = f"{how} regression, natural cubic splines of {modifier} by arm; errors by the delta method; two-sided 95 %"
    method += (
        f"; adjusted for {', '.join(as_list(adjust))}, over everybody's covariates (g-computation)" if as_list(adjust) else ""
    )
    method += f"; errors robust to clusters of {cluster}" if cluster else ""
    if any(np.isfinite(float(str(row.get("band_low", np.nan)))) for row in rows):
        method += f"; band by a studentised multiplier bootstrap ({draws} draws, seed {seed})"
    notes.append("p-values at single values ask whether there is an effect there; only interaction_test asks whether it varies")
    return Estimates(tidy(pd.DataFrame(rows)), f"Effect by {modifier}", method, REFERENCES, "forest", tuple(dict.fromkeys(notes)))


def _contrast(
    asked: Followed, other: str, scale: str, spline_df: int, knots: Sequence[float] | None, grid: Sequence[float] | None,
    errors: Errors, least_events: int, draws: int, seed: int, notes: list[str],
) -> list[dict[str, object]]:  # fmt: skip
    """All rows of one arm against the reference."""
    people, who = asked.people, asked.pair(other)
    treated, value = people.arm[who] == other, asked.value[who]
    if not treated.any() or treated.all():
        raise UnsupportedError(f"nobody of one arm has a known outcome and a known {asked.modifier}")
    spline = spline_of(value, spline_df, knots, asked.modifier)
    seen = asked.seen
    fit = SmoothFit(
        SmoothRows(
            asked.y[who] if seen is None else seen.value[who], None if seen is None else seen.observed[who] > 0, treated, value,
            asked.covariates[who], None if people.cluster is None else people.cluster[who], asked.kind == "rate",
        ),
        spline, errors=errors, least_events=least_events,
    )  # fmt: skip
    points = _grid(value, treated, grid, asked.modifier)
    notes += _said(fit, asked, knots, least_events)
    sizes = {"n": len(who), "n_arm": int(treated.sum()), "n_reference": int((~treated).sum())}
    if asked.kind == "rate":
        e1, e0 = round(float(asked.y[who][treated].sum())), round(float(asked.y[who][~treated].sum()))
        sizes |= {"events": e1 + e0, "events_arm": e1, "events_reference": e0}
    effect, slopes = fit.effects(points, scale)
    error, degrees = fit.std_errors(slopes)
    if not np.isfinite(effect).all():
        notes.append(f"no {scale.replace('_', ' ')} where a mean is 0 or less")
    width = _band(fit, slopes, error, degrees, draws, seed)
    if width is None and not fit.few:
        notes.append("no band: no value has an error")
    natural = np.exp if on_log(scale) else float
    common, method = asked.common(other, scale), _method(fit)
    rows: list[dict[str, object]] = []
    for i, point in enumerate(points.tolist()):
        low, high, p_value = tested(float(effect[i]), float(error[i]), float(degrees[i]))
        half = np.nan if width is None or np.isnan(low) else width * float(error[i])
        rows.append({
            **common, **sizes, "level": f"{point:g}", "measure": scale, "value": point, "estimate": float(natural(effect[i])),
            "std_error": float(error[i]), "conf_low": float(natural(low)), "conf_high": float(natural(high)), "p_value": p_value,
            "band_low": float(natural(effect[i] - half)), "band_high": float(natural(effect[i] + half)), "method": method,
        })  # fmt: skip
    own = ("conditional_odds_ratio" if asked.covariates.shape[1] else "odds_ratio") if asked.kind == "rate" else "mean_difference"
    for on in dict.fromkeys((scale, own)):
        for row in _tests(fit, on, "" if on == scale else f"_{on}", value, treated):
            rows.append({**asked.common(other, on), **sizes, "value": np.nan, **row})
    return rows


def _grid(value: Floats, treated: NDArray[np.bool_], grid: Sequence[float] | None, name: str) -> Floats:
    """Values at which effects are told: inside what both arms have, since beyond that one curve is a guess."""
    low = max(value[treated].min(), value[~treated].min())
    high = min(value[treated].max(), value[~treated].max())
    if low > high:
        raise UnsupportedError(f"the arms have no {name} in common: there is nothing to compare")
    if grid is None:
        first, last = (float(np.clip(q, low, high)) for q in np.quantile(value, [0.05, 0.95]))
        whole = np.arange(np.ceil(first), np.floor(last) + 1)
        return whole if 5 <= len(whole) <= 100 else np.linspace(first, last, EVEN_VALUES)
    points = np.unique(np.asarray(list(grid), dtype=float))
    if not 1 <= len(points) <= MOST_VALUES or not np.isfinite(points).all():
        raise UnsupportedError(f"grid= takes 1 to {MOST_VALUES} numbers")
    outside = int(((points < low) | (points > high)).sum())
    if outside:
        raise UnsupportedError(
            f"{outside} values of grid= lie outside the range of {name} that both arms have: a curve says nothing there"
        )
    return points


def _band(fit: SmoothFit, slopes: Floats, error: Floats, degrees: Floats, draws: int, seed: int) -> float | None:
    """How many errors wide the band is; None without one."""
    told = np.isfinite(error) & (error > 0)
    if fit.few or not told.any():
        return None
    found = critical_value(multiplier_draws(fit.influence(slopes[told]), draws, seed))
    alone = Z95 if np.isinf(degrees[0]) else float(t_quantile(degrees[:1])[0])
    # all values at once are never surer than one
    return max(found, alone)


def _tests(fit: SmoothFit, scale: str, suffix: str, value: Floats, treated: NDArray[np.bool_]) -> list[dict[str, object]]:
    """Whether the effect varies, and other than along a straight line."""
    effect, slopes = fit.effects(_test_points(fit, value, treated), scale)
    contrasts = curve_of(_test_points(fit, value, treated))
    rows: list[dict[str, object]] = []
    for measure, chosen in (("interaction_test", contrasts), ("nonlinearity_test", contrasts[1:])):
        if not len(chosen):
            continue
        row: dict[str, object] = {"measure": f"{measure}{suffix}", "degrees_of_freedom": float(len(chosen))}
        statistic, p_value, method = _joint(fit, chosen @ effect, chosen @ slopes)
        rows.append({**row, "statistic": statistic, "p_value": p_value, "method": method})
    return rows


def _test_points(fit: SmoothFit, value: Floats, treated: NDArray[np.bool_]) -> Floats:
    """As many values as a curve with a constant has degrees of freedom, spread as the people are.

    On the model's own scale the test is that of the coefficients whichever they are.
    """
    number = fit.spline.width + 1
    low = max(value[treated].min(), value[~treated].min())
    high = min(value[treated].max(), value[~treated].max())
    inside = value[(value >= low) & (value <= high)]
    points = np.unique(np.quantile(inside, (np.arange(number) + 0.5) / number))
    if len(points) < number or np.linalg.matrix_rank(np.column_stack([np.ones(len(points)), fit.spline.basis(points)])) < number:
        points = np.linspace(low, high, number)
    return points


def _joint(fit: SmoothFit, effect: Floats, slopes: Floats) -> tuple[float, float, str]:
    """Statistic, p and method of the question whether several contrasts are all 0."""
    number = len(effect)
    if fit.few:
        error, degrees = fit.std_errors(slopes)
        ps = [tested(float(e), float(s), float(d))[2] for e, s, d in zip(effect, error, degrees, strict=True)]
        known = np.isfinite(ps).all()
        return np.nan, min(1.0, number * min(ps)) if known else np.nan, f"smallest p of {number} CR2 tests, Bonferroni"
    error = fit.std_errors(slopes)[0]
    if not (np.isfinite(effect).all() and np.isfinite(error).all() and (error > 0).all()):
        return np.nan, np.nan, "no test: nothing varies, or a mean is 0 or less"
    covariance = fit.covariance(slopes)
    scaled = covariance / np.outer(error, error)
    if np.linalg.matrix_rank(scaled) < number:
        return np.nan, np.nan, "no test: too few people or clusters"
    z = effect / error
    statistic = float(z @ np.linalg.solve(scaled, z))
    if np.isinf(fit.degrees):
        return statistic, float(special.chdtrc(number, statistic)), "Wald's chi-square"
    return statistic, float(special.fdtrc(number, fit.degrees, statistic / number)), (
        f"Wald's chi-square, p from F with {number} and {fit.degrees:g} degrees of freedom"
    )  # fmt: skip


def _method(fit: SmoothFit) -> str:
    how = "logistic spline" if fit.rows.binary else "linear spline"
    how += ", Firth's penalty" if fit.penalised else ""
    if fit.few:
        return f"{how}, CR2"
    if fit.clusters is not None:
        return f"{how}, cluster-robust"
    return how if fit.rows.binary or fit.errors == "model" else f"{how}, HC2"


def _said(fit: SmoothFit, asked: Followed, knots: Sequence[float] | None, least_events: int) -> list[str]:
    """What a reader must know of the model. The outermost knots are some person's values: they are not told."""
    name, spline = asked.modifier, fit.spline
    if not spline.knots:
        said = [f"{name} as a straight line in each arm"]
    else:
        where = "as asked" if knots is not None else "at quantiles"
        said = [
            f"inner knots of {name} {where}: {', '.join(f'{k:.4g}' for k in spline.knots)}; boundary knots at the ends of its range"
        ]
    if fit.penalised:
        said.append(
            f"few events: an arm has fewer than {least_events} people with or without the event, or a curve runs to 0 or 1 at one "
            "end; the model has Firth's penalty, which draws effects a little towards none"
        )
    if fit.few:
        said.append(
            f"{fit.number} clusters are few: CR2 errors, limits and p from t with Satterthwaite's degrees of freedom; no simultaneous "
            "band, which would need more clusters"
        )
    if asked.seen is not None and len(fit.fits) > 1:
        gaps = int((~fit.rows.observed.all(axis=1)).sum()) if fit.rows.observed is not None else 0
        said.append(f"{gaps} people were not observed in some month: it is left out of that month's regression")
    return said
