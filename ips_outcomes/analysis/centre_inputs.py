"""Effects by centre as values and variances: what a random-effects model of centres is fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ips_outcomes.analysis.inputs import MISSING, Data
from ips_outcomes.analysis.level_effects import ADDITIVE, MULTIPLICATIVE, on_log
from ips_outcomes.analysis.random_effects import INTERVALS, METHODS, Interval, Method
from ips_outcomes.analysis.subgroups import subgroup_effects
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.estimates import Estimates

__all__ = ["CentreOptions", "Centres", "Kind", "centres_of", "check_ways"]

Floats = NDArray[np.float64]
#: A yes/no outcome in a month, a number, the number of months; times to an event have no room here.
Kind: TypeAlias = Literal["rate", "mean", "months"]


@dataclass(frozen=True)
class Centres:
    """The centres of one outcome, month and contrast.

    Attributes
    ----------
    rows : pandas.DataFrame
        The effect in each centre as `subgroup_effects` tells it; all centres, with ``known`` where there is an effect.
    values, variances : array
        Of the known ones; logarithms of ratios. Where a cell is empty, one half is added to each of the centre's cells.
    scale : str
    notes : tuple of str
    """

    rows: pd.DataFrame
    values: Floats
    variances: Floats
    scale: str
    notes: tuple[str, ...]

    @property
    def known(self) -> pd.DataFrame:
        """The centres that have an effect."""
        return self.rows[self.rows["known"]]

    @property
    def common(self) -> dict[str, object]:
        """What every row of the answer says."""
        first = self.rows.iloc[0]
        return {name: first[name] for name in ("outcome", "contrast", "month", "time", "scale")}


@dataclass(frozen=True)
class CentreOptions:
    """What is asked, as both estimators of centres ask it."""

    outcome: str | Sequence[str] | None
    centre: str
    arm: str
    reference: str | None
    at: int | Sequence[int] | None
    scale: str | None
    kind: Kind | None
    least_events: int
    start: int
    end: int | None
    dead: str | None
    month: str | None
    person_id: str


def check_ways(method: Method, interval: Interval) -> None:
    """Refuse unknown ways before anything is worked out."""
    if method not in METHODS:
        raise UnsupportedError(f"method= is one of: {', '.join(METHODS)}")
    if interval not in INTERVALS:
        raise UnsupportedError(f"interval= is one of: {', '.join(INTERVALS)}")


def centres_of(data: Data, asked: CentreOptions) -> Iterator[Centres]:
    """The centres of each outcome, month and contrast of a call.

    Raises
    ------
    UnsupportedError
        As `subgroup_effects`; and for times to an event.
    """
    kinds = get_args(Kind)
    if asked.kind not in (None, *kinds) or asked.outcome == "first_job":
        raise UnsupportedError(
            f"kind= is one of: {', '.join(kinds)}; for times, use subgroup_effects with the centre as a subgroup"
        )
    found: Estimates = subgroup_effects(
        data, {asked.centre: asked.centre}, asked.outcome, asked.arm, asked.reference, asked.at, asked.scale, kind=asked.kind,
        least_events=asked.least_events, draws=1, start=asked.start, end=asked.end, dead=asked.dead, month=asked.month,
        person_id=asked.person_id,
    )  # fmt: skip
    # of the notes those about interactions do not belong here
    notes = tuple(note for note in found.notes if "multiplier bootstrap" not in note)
    table = found.table
    arms = table["contrast"].str.replace(" / ", " - ", regex=False)
    whole = table[(table["subgroup"] == "") & table["contrast"].ne("")]
    for (outcome, month, contrast), own in _questions(whole):
        scale = _scale(set(own["measure"]), asked.scale)
        same = table["month"].isna() if pd.isna(month) else table["month"] == month
        rows = table[
            (table["outcome"] == outcome) & same & (arms == contrast) & (table["subgroup"] == asked.centre)
            & (table["measure"] == scale)
        ]  # fmt: skip
        # a centre where an arm has nobody has a row without an answer, which says why
        lost = rows[rows["estimate"].isna()]
        said = tuple(f"no effect in {level}: {why}" for level, why in zip(lost["level"], lost["method"], strict=True))
        rows = rows[rows["estimate"].notna()]
        if len(rows):
            yield _one(rows.reset_index(drop=True), scale, asked.least_events, (*notes, *said))


def _questions(whole: pd.DataFrame) -> Iterator[tuple[tuple[str, object, str], pd.DataFrame]]:
    """Rows of everybody by outcome, month and contrast; the sign in a contrast belongs to its scale."""
    arms = whole["contrast"].str.replace(" / ", " - ", regex=False)
    for (outcome, month, arm), rows in whole.groupby([whole["outcome"], whole["month"], arms], sort=False, dropna=False):
        yield (str(outcome), month, str(arm)), rows


def _scale(measures: set[str], asked: str | None) -> str:
    """The primary scale by name."""
    kind = "rate" if "risk_difference" in measures else "mean"
    named = {"additive": ADDITIVE[kind], "multiplicative": MULTIPLICATIVE[kind], None: ADDITIVE[kind]}
    return str(named.get(asked, asked))


def _one(rows: pd.DataFrame, scale: str, least_events: int, notes: tuple[str, ...]) -> Centres:
    value = rows["estimate"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(value) if on_log(scale) else value
    variance = rows["std_error"].to_numpy(dtype=float) ** 2
    said = list(notes)
    if "events_arm" in rows:
        value, variance, halved = _with_halves(rows, scale, value, variance)
        if halved.any():
            said.append(
                f"{int(halved.sum())} centres where nobody or everybody of an arm has the event: for pooling one half is added to "
                "each of their cells (Firth's penalty); their own row keeps its exact or penalised answer"
            )
        few = rows["few_events"].eq(True).to_numpy(dtype=bool)
        if few.any() and on_log(scale):
            said.append(
                f"{int(few.sum())} centres with fewer than {least_events} with or without the event in an arm: their ratios are "
                "penalised (one half added to each cell)"
            )
    known = np.isfinite(value) & np.isfinite(variance) & (variance > 0)
    unknown = rows["level"].eq(MISSING).to_numpy()
    if (known & unknown).any():
        said.append(f"people of no known centre ({int(rows.loc[unknown, 'n'].sum())}) have a row, and no part in the mean")
    left = int((~known & ~unknown).sum())
    if left:
        said.append(
            f"{left} centres have no effect with an error (too few people in an arm, or nothing varies): left out of the mean"
        )
    known &= ~unknown
    return Centres(rows.assign(known=known), value[known], variance[known], scale, tuple(dict.fromkeys(said)))


def _with_halves(rows: pd.DataFrame, scale: str, value: Floats, variance: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Values and variances with one half added to each cell of the centres that have an empty one."""
    cells = {name: rows[name].astype(float).to_numpy() for name in ("events_arm", "n_arm", "events_reference", "n_reference")}
    e1, n1, e0, n0 = cells.values()
    told = (n1 > 0) & (n0 > 0)
    empty = told & ((e1 == 0) | (e1 == n1) | (e0 == 0) | (e0 == n0))
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p0, m1, m0 = (e1 + 0.5) / (n1 + 1), (e0 + 0.5) / (n0 + 1), n1 + 1, n0 + 1
        other = {
            "risk_difference": (p1 - p0, p1 * (1 - p1) / m1 + p0 * (1 - p0) / m0),
            "risk_ratio": (np.log(p1 / p0), (1 - p1) / (p1 * m1) + (1 - p0) / (p0 * m0)),
            "odds_ratio": (special.logit(p1) - special.logit(p0), 1 / (p1 * (1 - p1) * m1) + 1 / (p0 * (1 - p0) * m0)),
        }[scale]  # fmt: skip
    return np.where(empty, other[0], value), np.where(empty, other[1], variance), empty
