"""Employment rates by month and group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ips_outcomes.analysis.inputs import Data, as_list, group_name, months_table, yes_no
from ips_outcomes.analysis.people_counts import PEOPLE, WeightType, counts_by, from_counts, person_weights
from ips_outcomes.analysis.proportions import INTERVALS, Interval, proportion_interval, wilson
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import COMMON_COLUMNS, Estimates, tidy

__all__ = ["counts_by", "employment_rates", "rates_from_counts"]

METHOD = "Share with the outcome among people observed; Wilson 95 % interval"
REFERENCES = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
)
_MORE_REFERENCES = {
    "clopper-pearson": "Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the binomial. "
    "Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404",
    "jeffreys": "Brown LD, Cai TT, DasGupta A. Interval estimation for a binomial proportion. Stat Sci 2001;16:101-133. "
    "doi:10.1214/ss/1009213286",
}
KORN_GRAUBARD = (
    "Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive counts estimated from "
    "survey data. Surv Methodol 1998;24:193-201."
)


def rates_from_counts(counts: pd.DataFrame, interval: Interval = "wilson") -> pd.DataFrame:
    """Rate, standard error and interval (Wilson's by default) from columns ``n`` and ``events``."""
    n, events = counts["n"].to_numpy(dtype=float), counts["events"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(n > 0, events / n, np.nan)
        std_error = np.sqrt(rate * (1 - rate) / n)
    low, high = wilson(events, n) if interval == "wilson" else proportion_interval(events, n, interval)
    return counts.assign(estimate=rate, std_error=std_error, conf_low=low, conf_high=high, method=INTERVALS[interval][0])


def _sampled_rates(
    table: pd.DataFrame,
    outcome: str,
    columns: list[str],
    weight: np.ndarray,
    cluster: str | None,
    interval: Interval,
    weight_type: WeightType,
) -> pd.DataFrame:
    """Weighted shares with errors by linearisation, and intervals from effective numbers of people."""
    value = yes_no(table[outcome], outcome)
    seen = ~np.isnan(value) & (weight > 0)
    copies = weight[seen] if weight_type == "frequency" else np.ones(int(seen.sum()))
    rows = table.loc[seen, columns].assign(_y=value[seen], _w=weight[seen], _n=copies, _e=copies * value[seen])
    rows["_unit"] = np.arange(len(rows)) if cluster is None else pd.factorize(table.loc[seen, cluster])[0]
    rows["_wy"] = rows["_w"] * rows["_y"]
    keys = columns or ["_all"]
    rows = rows if columns else rows.assign(_all=0)
    grouped = rows.groupby(keys, sort=True, observed=True, dropna=False)
    found = grouped.agg(n=("_n", "sum"), events=("_e", "sum"), total=("_w", "sum"), yes=("_wy", "sum")).reset_index()
    units = rows.groupby([*keys, "_unit"], sort=True, observed=True, dropna=False)[["_w", "_wy"]].sum().reset_index()
    units = units.merge(found[[*keys, "total", "yes"]], on=keys)
    units["square"] = ((units["_wy"] - units["yes"] / units["total"] * units["_w"]) / units["total"]) ** 2
    units["share"] = (units["_w"] / units["total"]) ** 2
    sums = units.groupby(keys, sort=True, observed=True, dropna=False).agg(
        units=("_w", "size"), square=("square", "sum"), share=("share", "sum")
    )
    number, square, share = (sums[c].to_numpy(dtype=float) for c in ("units", "square", "share"))
    n = found["n"].to_numpy(dtype=float)
    rate = found["yes"].to_numpy(dtype=float) / found["total"].to_numpy(dtype=float)
    rate = np.where(found["events"] == n, 1.0, rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = np.where(number > 1, np.sqrt(square * number / (number - 1)), np.nan)
        t_people, t_units = special.stdtrit(np.maximum(n - 1, 1), 0.975), special.stdtrit(np.maximum(number - 1, 1), 0.975)
        # nobody or everybody: no error to learn from, so the units (of unequal weight) count, not the people
        border = (found["events"] == 0) | (found["events"] == n)
        effective = np.where(border, 1 / share, rate * (1 - rate) / std_error**2) * (t_people / t_units) ** 2
    if interval == "wald":
        low, high = np.maximum(rate - t_units * std_error, 0), np.minimum(rate + t_units * std_error, 1)
    else:
        low, high = proportion_interval(np.where(found["events"] == n, effective, effective * rate), effective, interval)
    alone = number < 2
    found = found.assign(
        estimate=rate, std_error=std_error, conf_low=np.where(alone, np.nan, low), conf_high=np.where(alone, np.nan, high),
        method=np.where(alone, f"no interval: one {'cluster' if cluster else 'person'} only", f"{INTERVALS[interval][0]}, effective numbers"),
    )  # fmt: skip
    return found.drop(columns=["total", "yes"] if columns else ["total", "yes", "_all"]).astype({"n": "int64", "events": "int64"})


@supports(frequency_weights=True, probability_weights=True, cluster=True, ties="", competing="", instead="name groups with by=")
def employment_rates(
    data: Data, outcome: str, by: str | Sequence[str] | None = None, at: int | Sequence[int] | None = None,
    interval: Interval = "wilson", *, month: str | None = None, people: str | None = None, weights: str | None = None,
    weight_type: WeightType = "frequency", cluster: str | None = None,
) -> Estimates:  # fmt: skip
    """Share of people with the outcome, by group and month, among those observed.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp, one row a person (and month), or a table of counts.
    outcome : str
        True/false column; missing means not observed and is left out of ``n``.
        With ``people=``, the column that counts people with the outcome.
    by : str or list of str, optional
        Columns that make the groups, such as ``"arm"``; baseline columns and
        subgroups of a FollowUp can be named. Name every column that tells
        rows of a table of counts apart (``"definition"`` of `count_months`).
    at : int or list of int, optional
        Months; all months from 1 by default.
    interval : {"wilson", "clopper-pearson", "jeffreys", "wald"}
        Kind of 95 % interval. Clopper-Pearson never covers less than 95 %;
        Wald's is too narrow for small numbers.
    month : str, optional
        The month column of a DataFrame; ``"month"`` is found by itself, and a
        table without months gives one rate a group.
    people : str, optional
        The column that counts people observed, where ``data`` is a table of
        counts: ``employment_rates(counts.months, "events", people="n",
        by=["definition", "arm"])``.
    weights : str, optional
        Whole frequencies, or probability weights with ``weight_type``.
    weight_type : {"frequency", "probability"}
        Probability weights: weighted share, error by linearisation.
    cluster : str, optional
        Column of clusters (centres, or people seen in several rows) that were
        sampled; errors are between clusters. Each group counts as a sample
        of its own.

    Returns
    -------
    Estimates
        Measure ``rate``: a row a group and month with ``n`` (people observed),
        ``events``, ``estimate`` (0 to 1), ``std_error`` (Wald), interval.
        With probability weights ``n`` and ``events`` still count rows.
        Probability weights or clusters give intervals from effective numbers
        of people, ``estimate (1 - estimate) / std_error^2``, times the squared
        ratio of t quantiles (Korn and Graubard); where nobody or everybody
        has the outcome, from ``1 / sum(share of weight^2)`` over clusters or
        people. Wald's interval then has t quantiles, clusters - 1 degrees of
        freedom.

    Raises
    ------
    UnsupportedError
        For unknown columns or months, outcomes that are not true/false,
        counts and weights that cannot be, and clusters that are missing.

    References
    ----------
    Wilson EB. Probable inference, the law of succession, and statistical
    inference. J Am Stat Assoc 1927;22:209-212. Clopper CJ, Pearson ES.
    Biometrika 1934;26:404-413. Brown LD, Cai TT, DasGupta A. Stat Sci
    2001;16:101-133. Korn EL, Graubard BI. Surv Methodol 1998;24:193-201.

    Examples
    --------
    >>> import pandas as pd
    >>> six = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 3, "works": [1, 1, 0, 1, 0, None]})
    >>> employment_rates(six, outcome="works", by="arm").table[["group", "n", "estimate"]].values.tolist()
    [['a', 3, 0.6666666666666666], ['b', 2, 0.5]]
    """
    if interval not in INTERVALS:
        raise UnsupportedError(f"interval= is one of: {', '.join(INTERVALS)}")
    groups = as_list(by)
    taken = sorted({*groups} & ({*COMMON_COLUMNS} - {"group", "month", "subgroup", "level"}))
    if taken:
        raise UnsupportedError(f"rename {', '.join(taken)}: a table of estimates has columns of that name")
    if people and (weights or cluster):
        raise UnsupportedError("people= counts people in rows: it does not go together with weights= or cluster=")
    needed = [outcome, *groups, *as_list(people), *as_list(weights), *as_list(cluster)]
    table, month = months_table(data, list(dict.fromkeys(needed)), at, month)
    if table.empty:
        raise UnsupportedError("there is nobody in the data")
    columns = [*groups, *([month] if month else [])]
    sampled = weight_type == "probability" or cluster is not None
    weight = person_weights(table, weights, weight_type)
    if cluster and table[cluster].isna().any():
        raise UnsupportedError(f"{int(table[cluster].isna().sum())} rows have no {cluster}: every row needs its cluster")
    if people:
        table = from_counts(table, outcome, people)
        weight = table[PEOPLE].to_numpy(dtype=float)
    if sampled:
        rows = _sampled_rates(table, outcome, columns, weight, cluster, interval, weight_type)
    else:
        rows = rates_from_counts(counts_by(table, outcome, columns, weight if people or weights else None), interval)
    keys = rows[groups].itertuples(index=False, name=None)
    names = [group_name(key if len(groups) > 1 else key[0]) for key in keys] if groups else "all"
    rows = rows.assign(group=names, month=rows[month] if month else pd.NA)
    extra = [c for c in groups if c not in ("group", "month")]
    rows = rows.assign(outcome=outcome, measure="rate")
    keep = ["outcome", "measure", "group", "month", "n", "events", "estimate", "std_error", "conf_low", "conf_high", "method"]
    return Estimates(tidy(rows[[*keep, *extra]]), f"Share with {outcome}", *_described(interval, sampled, cluster), "curve")


def _described(interval: Interval, sampled: bool, cluster: str | None) -> tuple[str, tuple[str, ...]]:
    method = METHOD
    references: tuple[str, ...] = REFERENCES
    if interval != "wilson":
        method = METHOD.replace("Wilson", INTERVALS[interval][0])
        references = (_MORE_REFERENCES[interval],) if interval in _MORE_REFERENCES else ()
    if sampled:
        method += (
            f"; errors by linearisation{f', robust to clusters of {cluster}' if cluster else ''}, interval from effective numbers"
        )
        references = (*references, KORN_GRAUBARD)
    return method, references
