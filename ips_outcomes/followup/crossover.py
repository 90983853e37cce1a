"""Who starts supported employment, when, and how long a start would have been seen: whatever the arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes.followup.grid import ABROAD, Grid, Observation
from ips_outcomes.months import NO_MONTH, month_number

__all__ = ["crossover_of"]

Days = NDArray[np.datetime64]
Months = NDArray[np.int64]


def crossover_of(grid: Grid, seen: Observation) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """One row a participant, and the rules that were counted on the way.

    ``month`` is that of the first start from month 0 to the end of follow-up
    (missing without one) and ``scheme`` its code, or the kind of record. A
    spell under way at inclusion counts from month 0, as the person has the
    service from then on. ``time`` and ``event`` are ready for time-to-event
    functions: 1 a start, 2 death, 0 censored at the last month before the
    first in which no start would have been seen (no delivery, abroad); a
    start and a death in the same month count as a start. They are missing
    where month 0 is not seen.
    """
    study, people = grid.cohort.study, grid.cohort.participants
    last, never = study.follow_up.months, study.follow_up.months + 1
    starts, counted = _starts(grid)
    month, scheme = np.full(grid.shape[0], never, dtype=np.int64), np.full(grid.shape[0], "", dtype=object)
    inside = starts[(starts["month"] >= 0) & (starts["month"] <= last)]
    first = inside.sort_values(["row", "month", "scheme"], kind="stable").drop_duplicates("row")
    month[first["row"].to_numpy()], scheme[first["row"].to_numpy()] = first["month"], first["scheme"]
    known = _known(grid) & (seen.reason[:, grid.zero :] != ABROAD)
    unknown = np.where(known.all(1), never, (~known).argmax(1))
    death = month_number(grid.death)
    index_date = people["index_date"].to_numpy().astype("datetime64[D]")
    death = np.where((death == NO_MONTH) | (grid.death < index_date), never, death - grid.index_month)
    time, event = np.minimum(np.minimum(month, unknown - 1), last), ((month < unknown) & (month <= last)).astype(np.int64)
    dies = (death <= last) & (death < month) & (death <= unknown)
    time, event = np.where(dies, death, time), np.where(dies, 2, event)
    there = time >= 0
    table = pd.DataFrame({
        "person_id": people["person_id"].to_numpy(), "arm": people["arm"].to_numpy(),
        "month": pd.arrays.IntegerArray(np.where(month <= last, month, 0), month > last), "scheme": scheme,
        "time": pd.arrays.IntegerArray(np.where(there, time, 0), ~there),
        "event": pd.arrays.IntegerArray(np.where(there, event, 0), ~there),
    })  # fmt: skip
    lost = int((~there).sum())
    if study.sources_of("programmes") or study.crossover_plan.records:
        counted.append(_counted("whether the person had started is not known in month 0", lost, len(table), "people",
                                "left out of time to supported employment", "warning" if lost else "note"))  # fmt: skip
    return table, counted


def _counted(rule: str, count: int, total: int, unit: str, action: str, severity: str) -> dict[str, object]:
    return {"source": "supported employment", "rule": rule, "unit": unit, "count": count, "total": total,
            "share": count / total if total else float("nan"), "severity": severity, "action": action, "set_aside": 0,
            "example_rows": ""}  # fmt: skip


def _starts(grid: Grid) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """Every start: grid row, month since inclusion, and what was started."""
    study, cohort = grid.cohort.study, grid.cohort
    plan, counted = study.crossover_plan, list[dict[str, object]]()
    index = cohort.participants["index_date"].to_numpy().astype("datetime64[D]")
    spells = cohort.programmes[cohort.programmes["scheme"].isin(plan.schemes)]
    row = grid.rows(spells["person_id"])
    start, end = (spells[name].to_numpy().astype("datetime64[D]") for name in ("start", "end"))
    month = month_number(start) - grid.index_month[row]
    # a spell without an end is held to last only where nothing says otherwise
    before = start < index[row]
    under_way = before & (np.isnat(end) | (end >= index[row]))
    # over before the clock started, even in the same calendar month: nothing that the person had since
    good = ~before | under_way
    parts = [pd.DataFrame({"row": row, "month": np.where(under_way, 0, month), "scheme": spells["scheme"].to_numpy()})[good]]
    if study.sources_of("programmes"):
        early = len(np.unique(row[under_way & (month < 0)]))
        counted.append(_counted("on such a scheme since before inclusion", early, grid.shape[0], "people",
                                "counts as started in month 0", "note"))  # fmt: skip
        if "schemes" in plan.model_fields_set:
            unheard = [code for code in plan.schemes if not (cohort.programmes["scheme"] == code).any()]
            counted.append(_counted("scheme code that no record has", len(unheard), len(plan.schemes), "codes", "check its spelling",
                                    "warning" if unheard else "note"))  # fmt: skip
    records = cohort.services[cohort.services["measure"].isin(plan.records)]
    row = grid.rows(records["person_id"])
    date = records["date"].to_numpy().astype("datetime64[D]")
    # a record from before inclusion is of another course, or a mistake: process measures count it
    good = date >= index[row]
    parts.append(pd.DataFrame({"row": row, "month": month_number(date) - grid.index_month[row],
                               "scheme": records["measure"].to_numpy()})[good])  # fmt: skip
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True), counted


def _known(grid: Grid) -> NDArray[np.bool_]:
    """Months from 0 on in which a start would have been seen.

    The schemes' delivery decides where there is one: records of a service
    hold its own participants alone, so their silence says nothing of others.
    """
    study = grid.cohort.study
    programmes = study.sources_of("programmes") if study.crossover_plan.schemes else []
    return grid.spoken_by(programmes or (study.sources_of("services") if study.crossover_plan.records else []))[:, grid.zero :]
