"""Shares in work that are in print, and a service's own beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import Data, as_list, group_name, own_reference, require, yes_no
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.followup import FollowUp
from ips_outcomes.study.services import printed

__all__ = ["beside_published", "published_rates"]

REFERENCES = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
)
WARNING = (
    "people, labour markets and ways of measuring differ between studies: a share above or below another is no sign that a service "
    "works better or worse"
)


def published_rates(names: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Shares in work in print, of people who got IPS or a service close to it.

    Each was read at the source named, almost always the abstract; nothing is
    recalled from memory.

    Parameters
    ----------
    names : str or list of str, optional
        Which; all by default.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``study``, ``country``, ``population``, ``measured``
        ("in_month": in work in the month; "by_month": any job from inclusion
        to the month; "of_offered": any job, of people offered a place),
        ``what`` in words, ``month``, ``share`` (0 to 1, as printed or
        from the counts), ``n`` and ``people`` (where both are printed), ``doi``, ``source``.

    Raises
    ------
    UnsupportedError
        For a name that is not there.

    Examples
    --------
    >>> published_rates("reme_2019_month_12")[["study", "month", "share"]].values.tolist()
    [['Reme 2019', 12, 0.366]]
    """
    known = printed()
    wanted = list(known) if names is None else as_list(names)
    if strange := [name for name in wanted if name not in known]:
        raise UnsupportedError(f"no published rate is called {', '.join(strange)}; there are: {', '.join(known)}")
    rows = [{"name": name, **known[name]} for name in wanted]
    columns = ["name", "study", "country", "population", "measured", "what", "month", "percent", "n", "people", "doi", "source"]
    table = pd.DataFrame(rows, columns=columns).astype({"month": "Int64", "n": "Int64", "people": "Int64", "percent": "float64"})
    counted = (table["people"] / table["n"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    percent = table.pop("percent").to_numpy(dtype=float)
    # counts say it more exactly than their rounded percentage; 36.6 / 100 carries a crumb of binary arithmetic
    table.insert(7, "share", np.where(np.isfinite(counted), counted, np.round(percent / 100, 6)))
    return table


@supports(ties="", competing="", instead="set employment_rates beside published_rates by hand")
def beside_published(
    data: Data, outcome: str | None = None, names: str | Sequence[str] | None = None, by: str | None = "arm", *,
    reference: str | None = None, month: str | None = None, person_id: str = "person_id",
) -> Estimates:  # fmt: skip
    """The service's own shares in work and those in print, measured at the same month and in the same way.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        One row a person and month.
    outcome : str, optional
        True/false column, missing means not observed; the primary definition of a FollowUp.
    names : str or list of str, optional
        Of `published_rates`. By default those that were measured at one of
        the study's landmarks (of a DataFrame: at a month that it has).
    by : str or None
        Column of the arm; the reference arm is left out.
    reference : str, optional
        The arm without the service; a FollowUp knows it.
    month, person_id : str, optional
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        ``measure`` "in_month": in work in the month, of people observed in
        it. "by_month": any month in work from 1 to the month, of people not
        in work in month 0 (where the data has it) who were observed
        throughout or had a job; the others are counted in ``not_seen``.
        ``published`` says whether the row is from print: then ``group`` is
        its name, and there is an interval (Wilson) only where counts are
        printed (``printed_n``, ``printed_people``). Own rows: ``group`` is the arm.

    Raises
    ------
    UnsupportedError
        For unknown columns, names and reference; for months that are not whole
        or repeated within a person; where there is nobody.

    Notes
    -----
    Other people, other labour markets: neither row tests the other.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-212.

    Examples
    --------
    >>> rows = pd.DataFrame({"person_id": [1, 2, 3, 4], "month": 12, "works": [1, 0, 0, 1], "arm": "ips"})
    >>> found = beside_published(rows, "works", "reme_2019_month_12").table
    >>> found[["group", "month", "estimate"]].values.tolist()
    [['ips', 12, 0.5], ['reme_2019_month_12', 12, 0.366]]
    """
    if isinstance(data, FollowUp):
        outcome, month, person_id = outcome or data.study.primary_definition, "month", "person_id"
        table, marks = data.person_months, list(data.study.follow_up.landmarks)
        reference = own_reference(data, reference)
    else:
        month = month or "month"
        if outcome is None:
            raise UnsupportedError("name the outcome: outcome=")
        require(data, [month, person_id])
        at = pd.to_numeric(data[month], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        if bad := int((~np.isfinite(at) | (at != np.floor(at))).sum()):
            raise UnsupportedError(f"{bad} months are missing or not whole")
        if repeated := int(data.duplicated([person_id, month]).sum()):
            raise UnsupportedError(f"{repeated} rows repeat a person and month: one row a person and month is needed")
        if reference is not None and by is not None and reference not in set(data[by].map(group_name)):
            raise UnsupportedError(f"there is nobody in arm {reference} (reference=)")
        table = data.assign(**{month: at.astype(np.int64)})
        marks = sorted(set(at.astype(int).tolist()))
    require(table, [outcome, person_id, *as_list(by)])
    yes_no(table[outcome], str(outcome))
    table = table[table[month] >= 0]
    groups = table[by].map(group_name) if by else pd.Series("all", index=table.index)
    table = table.assign(_group=groups)[lambda t: t["_group"] != reference] if reference else table.assign(_group=groups)
    if table.empty:
        raise UnsupportedError("there is nobody who gets the service")
    print_ = published_rates(names)
    if names is None:
        print_ = print_[print_["month"].isin(marks)]
    last = int(table[month].max())
    asked = print_[["measured", "month"]].dropna().drop_duplicates()
    asked = asked[(asked["month"] <= last) & (asked["measured"] != "of_offered")]
    rows: list[dict[str, object]] = []
    for kind, until in asked.itertuples(index=False, name=None):
        for name in sorted(table["_group"].unique()):
            own = table[table["_group"] == name]
            rows.append({"group": name, **_own(own, str(outcome), month, person_id, str(kind), int(until))})
    counted = print_["n"].notna().to_numpy()
    n, people = (print_[c].astype("Float64").to_numpy(dtype=float, na_value=np.nan) for c in ("n", "people"))
    low, high = wilson(people, n)
    for place, row in enumerate(print_.to_dict("records")):
        rows.append({
            "group": row["name"], "measure": row["measured"], "outcome": row["study"], "month": row["month"],
            "printed_n": row["n"], "printed_people": row["people"], "estimate": row["share"], "conf_low": low[place] if counted[place] else np.nan,
            "conf_high": high[place] if counted[place] else np.nan, "method": "as printed; Wilson" if counted[place] else "as printed",
            "published": True, "country": row["country"], "population": row["population"], "what": row["what"], "doi": row["doi"],
            "source": row["source"],
        })  # fmt: skip
    columns = ["group", "measure", "outcome", "month", "n", "events", "estimate", "conf_low", "conf_high", "method", "published",
               "not_seen", "printed_n", "printed_people", "country", "population", "what", "doi", "source"]  # fmt: skip
    found = pd.DataFrame(rows, columns=columns).astype({"not_seen": "Int64", "printed_n": "Int64", "printed_people": "Int64"})
    return Estimates(tidy(found), "Beside results in print", "Shares of people with Wilson's 95 % interval; in print as printed",
                     REFERENCES, "forest", (WARNING,))  # fmt: skip


def _own(own: pd.DataFrame, outcome: str, month: str, person_id: str, kind: str, until: int) -> dict[str, object]:
    """The service's own share, measured in the same way."""
    value = yes_no(own[outcome], outcome)
    at = own[month].to_numpy(dtype=np.int64)
    lost = 0
    if kind == "in_month":
        here = value[at == until]
        n, events = int(np.isfinite(here).sum()), int(np.nansum(here))
    else:
        people = own[person_id].to_numpy()
        # whoever works already has no new job to find; month 0 unknown is no way to tell
        start = pd.Series(value[at == 0], index=people[at == 0])
        inside = (at >= 1) & (at <= until)
        rows = pd.DataFrame({"person": people[inside], "yes": value[inside] == 1, "open": np.isnan(value[inside])})
        each = rows.groupby("person").agg(yes=("yes", "any"), open=("open", "any"), months=("yes", "size"))
        if len(start):
            each = each[each.index.map(start).to_numpy() == 0]
        known = each["yes"] | (~each["open"] & (each["months"] == until))
        n, events, lost = int(known.sum()), int(each["yes"].sum()), int((~known).sum())
    low, high = wilson(np.array([float(events)]), np.array([float(n)]))
    share = events / n if n else np.nan
    return {"measure": kind, "outcome": outcome, "month": until, "n": n, "events": events, "estimate": share,
            "conf_low": float(low[0]), "conf_high": float(high[0]), "method": "Wilson" if n else "nobody observed",
            "published": False, "not_seen": lost}  # fmt: skip
