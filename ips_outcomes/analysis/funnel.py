"""From offered to in work: what became of everybody whom a service was offered to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ips_outcomes.analysis.inputs import Data, as_list, require, yes_no
from ips_outcomes.analysis.proportions import wilson
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy
from ips_outcomes.followup import FollowUp

__all__ = ["service_funnel"]

REFERENCES = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953",
)


def service_funnel(
    data: Data, outcome: str | None = None, arm: str | Sequence[str] | None = None, month: int | None = None, *,
    step: str = "step", people: str = "people",
) -> Estimates:  # fmt: skip
    """From offered to joined to in work: each step as a share of the first one and of the one before.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp; or one row a step, in their order, with the number of
        people who came so far.
    outcome : str, optional
        Definition of employed of a FollowUp, the primary one by default.
    arm : str or list of str, optional
        Arms that get the service; every arm but the reference by default.
    month : int, optional
        "had_job" is work in some month from 1 to this one, "in_work" work in
        this month; the last landmark by default.
    step, people : str
        Columns of a DataFrame.

    Returns
    -------
    Estimates
        ``outcome`` names the step: of a FollowUp "offered" (where one arm
        alone was offered), "joined", "had_job", "in_work". ``events`` are the
        people who came so far, ``n`` those of the first step (measure
        "share_of_first") or of the step before ("share_of_previous"); shares
        0 to 1, Wilson. Of the first step only the count.

    Raises
    ------
    UnsupportedError
        Where nobody came to the first step, a later step has more people than
        the one before, or a number is no count; for unknown arms and months.

    Notes
    -----
    Registers are not asked about people who declined: nothing is known of
    their work, so that "in work, of those offered" is joined and in work. In
    a month that was not observed nobody was seen in work: shares of steps
    after "joined" are the least that can be true, and a note says of how
    many people a month was not observed.

    References
    ----------
    Wilson EB. J Am Stat Assoc 1927;22:209-212.

    Examples
    --------
    >>> counts = pd.DataFrame({"step": ["offered", "in a job"], "people": [153, 78]})
    >>> row = service_funnel(counts).select(measure="share_of_first", outcome="in a job").table
    >>> row[["n", "events", "estimate", "conf_low", "conf_high"]].round(3).values.tolist()
    [[153, 78, 0.51, 0.431, 0.588]]
    """
    notes: list[str] = []
    if isinstance(data, FollowUp):
        parts = _steps(data, outcome or data.study.primary_definition, as_list(arm), month, notes)
    else:
        require(data, [step, people])
        counts = pd.to_numeric(data[people], errors="coerce").to_numpy(dtype=float)
        bad = ~(np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts)))
        if bad.any():
            raise UnsupportedError(f"{int(bad.sum())} values of {people} are missing, negative or not whole: they count people")
        parts = {"": list(zip(data[step].astype(str), counts.astype(int).tolist(), strict=True))}
    rows: list[dict[str, object]] = []
    for group, steps in parts.items():
        rows += _rows(group, steps)
    return Estimates(tidy(pd.DataFrame(rows)), "From offered to in work", "Shares of people with Wilson's 95 % interval", REFERENCES,
                     "forest", tuple(notes))  # fmt: skip


def _rows(group: str, steps: list[tuple[str, int]]) -> list[dict[str, object]]:
    if not steps or steps[0][1] == 0:
        raise UnsupportedError("there is nobody at the first step")
    names = [name for name, _ in steps]
    if len(set(names)) < len(names):
        raise UnsupportedError("each step has a name of its own")
    rows: list[dict[str, object]] = [
        {"outcome": names[0], "measure": "count", "group": group, "n": steps[0][1], "events": steps[0][1], "method": "count"}
    ]
    for (before, of), (name, number) in pairwise(steps):
        if number > of:
            raise UnsupportedError(f"{name} has more people ({number}) than {before} ({of}): a funnel cannot widen")
        for measure, n in (("share_of_first", steps[0][1]), ("share_of_previous", of)):
            low, high = wilson(np.array([float(number)]), np.array([float(n)]))
            share = number / n if n else np.nan
            rows.append({"outcome": name, "measure": measure, "group": group, "n": n, "events": number, "estimate": share,
                         "std_error": float(np.sqrt(share * (1 - share) / n)) if n else np.nan, "conf_low": float(low[0]),
                         "conf_high": float(high[0]), "method": "Wilson" if n else "nobody at the step before"})  # fmt: skip
    return rows


def _steps(
    data: FollowUp, outcome: str, wanted: list[str], month: int | None, notes: list[str]
) -> dict[str, list[tuple[str, int]]]:  # fmt: skip
    study, people = data.study, data.baseline
    until = study.follow_up.landmarks[-1] if month is None else month
    if not 1 <= until <= study.follow_up.months:
        raise UnsupportedError(f"month= lies in 1 to {study.follow_up.months}")
    present = [name for name in study.arm_labels if (people["arm"] == name).any()]
    wanted = wanted or [name for name in present if name != study.reference]
    if strange := [name for name in wanted if name not in present]:
        raise UnsupportedError(f"there is nobody in arm {', '.join(strange)}; there are: {', '.join(present)}")
    if not wanted:
        raise UnsupportedError("there is nobody who gets the service")
    rows = data.person_months[data.person_months["month"].between(1, until)]
    require(rows, [outcome])
    value = pd.Series(yes_no(rows[outcome], outcome), index=rows.index)
    seen = pd.DataFrame({"person_id": rows["person_id"], "arm": rows["arm"], "worked": value == 1, "open": value.isna(),
                         "now": (value == 1) & (rows["month"] == until)}).groupby("person_id")  # fmt: skip
    table = seen.agg({"arm": "first", "worked": "any", "open": "any", "now": "any"})
    offered = int(data.flow.loc[data.flow["step"] == "offered", "people"].iloc[0])
    parts = {}
    for name in wanted:
        own = table[table["arm"] == name]
        steps = [("joined", len(own)), ("had_job", int(own["worked"].sum())), ("in_work", int(own["now"].sum()))]
        parts[name] = [("offered", offered), *steps] if study.reference is None and len(present) == 1 else steps
        gaps = int((own["open"] & ~own["worked"]).sum())
        notes.append(f"of {gaps} people in {name} without a job seen, a month from 1 to {until} was not observed")
    return parts
