"""Hazard ratios between arms: the short way to `cox` with the arm alone."""

from __future__ import annotations

import pandas as pd

from ips_outcomes.analysis.cox_regression import cox
from ips_outcomes.analysis.inputs import Data, own_reference, require, times_table, with_arm
from ips_outcomes.analysis.supported import supports
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates, tidy

__all__ = ["hazard_ratio"]


@supports(ties="Efron", competing="cause-specific: other events censored", instead="use cox")
def hazard_ratio(
    data: Data, time: str = "time", event: str = "event", arm: str = "arm", reference: str | None = None, cause: int = 1
) -> Estimates:
    """Cause-specific hazard ratio of each arm against the reference: `cox` with the arm alone, counted by pair of arms.

    Parameters
    ----------
    data : FollowUp or pandas.DataFrame
        A FollowUp (people at risk of a first job), or one row a person.
    time, event : str
        As in `cox`.
    arm : str
        Column that holds the arm.
    reference : str, optional
        The arm that others are compared with; a FollowUp knows its own.
    cause : int
        The code of the event of interest.

    Returns
    -------
    Estimates
        As `cox`, a row an arm; ``n`` and ``events`` are those of the two arms compared.

    Raises
    ------
    UnsupportedError
        If there is one arm, an arm without events, or no finite answer.

    References
    ----------
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["a", "b"] * 4, "time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 1, 0, 1, 1, 0, 1, 1]})
    >>> round(float(hazard_ratio(people, reference="b").table["estimate"][0]), 3)
    1.728
    """
    reference = own_reference(data, reference)
    table = times_table(data)
    require(table, [time, event, arm])
    table, left_out = with_arm(table, arm)
    arms = sorted(table[arm].unique())
    if len(arms) < 2:
        raise UnsupportedError("there is one arm only: nothing to compare")
    if reference not in arms:
        raise UnsupportedError(f"name the reference arm, one of: {', '.join(arms)}")
    ordered = [reference, *(a for a in arms if a != reference)]
    used = pd.DataFrame({
        "arm": pd.Categorical(table[arm], categories=ordered), "time": table[time].to_numpy(), event: table[event].to_numpy(),
    })  # fmt: skip
    found = cox(used, "arm", time="time", event=event, cause=cause)
    people = used["arm"].value_counts()
    events = used["arm"][used[event] == cause].value_counts()
    rows = found.table.assign(
        n=[int(people[reference] + people[other]) for other in found.table["level"]],
        events=[int(events[reference] + events[other]) for other in found.table["level"]], level="",
    )  # fmt: skip
    return Estimates(tidy(rows), "Hazard ratio", found.method, found.references, "forest", left_out)
