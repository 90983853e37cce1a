"""The worlds of the coverage study: how data come about, what is asked of them, and the truth, computed and not simulated.

Time runs in whole months. In month m somebody at risk has the event with probability h1(m), a competing one with h2(m), and
otherwise leaves observation with c(m); so the truth about every curve follows from the hazards by multiplication, and people
without covariates are drawn as counts by month and event, all replicates alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ips_outcomes import analysis

Floats = NDArray[np.float64]
#: What an estimator said about a quantity: name, estimate, lower, upper.
Answer = tuple[str, float, float, float]

LAST = 43
MONTHS = np.arange(LAST + 1)


@dataclass(frozen=True)
class World:
    """One way in which data come about, and one question."""

    name: str
    estimator: str
    what: str
    n: int
    draw: Callable[[np.random.Generator], pd.DataFrame]
    ask: Callable[[pd.DataFrame], Iterable[Answer]]
    truth: Callable[[], dict[str, float]]
    clusters: int = 0


# ---------------------------------------------------------------- hazards by month


@dataclass(frozen=True)
class Hazards:
    """Probabilities by month, given being at risk: the event, the competing event, leaving observation after the month."""

    event: Floats
    competing: Floats
    leaving: Floats

    def times(self, factor: float) -> Hazards:
        """The event more or less likely: the month's probability under a hazard multiplied by the factor."""
        return Hazards(1 - (1 - self.event) ** factor, self.competing, self.leaving)

    def cells(self, entry: int = -1) -> Floats:
        """Probability of each time and event (0, 1, 2) among people at risk after the entry."""
        out = np.zeros((LAST + 1, 3))
        present = 1.0
        for m in range(max(entry + 1, 0), LAST + 1):
            one, two = present * self.event[m], present * self.competing[m]
            rest = present - one - two
            gone = rest * (1.0 if m == LAST else self.leaving[m])
            out[m] = gone, one, two
            present = rest - gone
        return out

    def free(self) -> Floats:
        """Probability of neither event by the end of each month, were nobody to leave."""
        return np.asarray(np.cumprod(1 - self.event - self.competing), dtype=np.float64)

    def incidence(self) -> Floats:
        """Cumulative incidence of the event."""
        before = np.concatenate([[1.0], self.free()[:-1]])
        return np.cumsum(before * self.event)


def hazards(level: float, competing: float = 0.0, leaving: float = 0.004, shape: float = -0.03) -> Hazards:
    """Hazards that fall (or rise) over the months; nobody has an event in month 0."""
    event = level * np.exp(shape * MONTHS)
    event[0] = 0.0
    other = np.full(LAST + 1, competing)
    other[0] = 0.0
    leave = np.full(LAST + 1, leaving)
    leave[0] = 0.0
    return Hazards(event, other, leave)


ARMS = {"control": hazards(0.030), "ips": hazards(0.045, leaving=0.006)}
COMPETING = {"control": hazards(0.030, 0.004), "ips": hazards(0.045, 0.005, leaving=0.006)}
#: Shares of people by the month after which they are at risk.
ENTRIES = {-1: 0.5, 2: 0.2, 6: 0.2, 12: 0.1}


def counted(
    arms: dict[str, Hazards], n: int, entries: dict[int, float] | None = None
) -> Callable[[np.random.Generator], pd.DataFrame]:
    """People without covariates, half an arm each, drawn as counts by entry, time and event (column ``people``)."""
    shares = entries or {-1: 1.0}
    parts = [
        (name, np.concatenate([share * h.cells(entry).ravel() for entry, share in shares.items()])) for name, h in arms.items()
    ]
    entry, time, event = (x.ravel() for x in np.meshgrid(list(shares), MONTHS, [0, 1, 2], indexing="ij"))

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        frames = []
        for name, chance in parts:
            people = rng.multinomial(n // len(parts), chance / chance.sum())
            some = people > 0
            frames.append(
                pd.DataFrame(
                    {"arm": name, "entry": entry[some], "time": time[some], "event": event[some], "people": people[some]}
                )
            )
        table = pd.concat(frames, ignore_index=True)
        if entries is None:
            table = table.drop(columns="entry")
        elif (table["entry"] < 0).any():
            # at risk from the start, month 0 included where it holds nothing
            table["entry"] = table["entry"].clip(lower=0)
        return table

    return draw


def answers(table: pd.DataFrame, keys: list[str], wanted: dict[str, tuple[Any, ...]]) -> Iterator[Answer]:
    """The wanted rows of an answer, by the values of some columns; no row where a curve ends before the month."""
    there = list(zip(*(table[key].where(table[key].notna(), "").tolist() for key in keys), strict=True))
    place = {key: i for i, key in enumerate(there)}
    if len(place) < len(there):
        raise LookupError(f"{', '.join(keys)} do not tell the rows of the answer apart")
    numbers = table[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    for name, key in wanted.items():
        estimate, low, high = numbers[place[key]] if key in place else (np.nan, np.nan, np.nan)
        yield name, float(estimate), float(low), float(high)


# ---------------------------------------------------------------- curves and areas

AT = (6, 12, 24, 43)


def curve_world(name: str, n: int, entries: dict[int, float] | None = None) -> World:
    options: dict[str, Any] = {"entry": "entry"} if entries else {}

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.kaplan_meier(people, by="arm", weights="people", **options).table
        return answers(table, ["group", "time"], {f"{arm}, month {month}": (arm, month) for arm in ARMS for month in AT})

    def truth() -> dict[str, float]:
        return {f"{arm}, month {month}": float(h.free()[month]) for arm, h in ARMS.items() for month in AT}

    what = "Kaplan-Meier, log-log interval" + (", delayed entry" if entries else "")
    return World(name, "kaplan_meier", what, n, counted(ARMS, n, entries), ask, truth)


def incidence_world(name: str, n: int, entries: dict[int, float] | None = None) -> World:
    options: dict[str, Any] = {"entry": "entry"} if entries else {}

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.cumulative_incidence(people, by="arm", weights="people", **options).table
        return answers(table, ["group", "time"], {f"{arm}, month {month}": (arm, month) for arm in COMPETING for month in AT})

    def truth() -> dict[str, float]:
        return {f"{arm}, month {month}": float(h.incidence()[month]) for arm, h in COMPETING.items() for month in AT}

    what = "cumulative incidence, death competing" + (", delayed entry" if entries else "")
    return World(name, "cumulative_incidence", what, n, counted(COMPETING, n, entries), ask, truth)


def rmst_world(name: str, n: int, entries: dict[int, float] | None = None, horizon: int = 36) -> World:
    options: dict[str, Any] = {"entry": "entry"} if entries else {}

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.rmst(people, by="arm", horizon=horizon, reference="control", weights="people", **options).table
        wanted = {"difference": ("rmst_difference", ""), "ratio": ("rmst_ratio", ""), "ips": ("rmst", "ips")}
        return answers(table, ["measure", "group"], wanted)

    def truth() -> dict[str, float]:
        area = {arm: float(h.free()[:horizon].sum()) for arm, h in ARMS.items()}
        return {"difference": area["ips"] - area["control"], "ratio": area["ips"] / area["control"], "ips": area["ips"]}

    what = f"RMST to month {horizon}" + (", delayed entry" if entries else "")
    return World(name, "rmst", what, n, counted(ARMS, n, entries), ask, truth)


def gained_world(name: str, n: int, horizon: int = 36) -> World:
    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.months_gained(people, by="arm", horizon=horizon, reference="control", weights="people").table
        return answers(table, ["measure", "group"], {"difference": ("mean_difference", "")})

    def truth() -> dict[str, float]:
        area = {arm: float(h.incidence()[:horizon].sum()) for arm, h in COMPETING.items()}
        return {"difference": area["ips"] - area["control"]}

    return World(
        name, "months_gained", f"months gained to month {horizon}, death competing", n, counted(COMPETING, n), ask, truth
    )


# ---------------------------------------------------------------- Cox


def efron_limit(at_risk: Floats, events: Floats, covariates: Floats) -> Floats:
    """What Efron's estimate tends to as people grow without end.

    Masses at risk and of events by covariate pattern and month; with people beyond number, Efron's sum over tied events becomes
    an integral over the share of them already gone, taken by Gauss-Legendre.
    """
    nodes, share = np.polynomial.legendre.leggauss(20)
    nodes, share = (nodes + 1) / 2, share / 2
    beta = np.zeros(covariates.shape[1])
    for _ in range(50):
        risk = np.exp(covariates @ beta)
        score, information = np.zeros_like(beta), np.zeros((len(beta), len(beta)))
        for m in range(at_risk.shape[1]):
            dead = events[:, m]
            if dead.sum() <= 0:
                continue
            score += dead @ covariates
            for u, weight in zip(nodes, share, strict=True):
                mass = risk * (at_risk[:, m] - u * dead)
                mean = mass @ covariates / mass.sum()
                score -= weight * dead.sum() * mean
                spread = (covariates * mass[:, None]).T @ covariates / mass.sum() - np.outer(mean, mean)
                information += weight * dead.sum() * spread
        step = np.linalg.solve(information, score)
        beta = beta + step
        if np.abs(step).max() < 1e-13:
            return beta
    raise ArithmeticError("the limit of Cox did not settle")


BASE = hazards(0.030)
#: Effects in the cluster world: arm and a yes-no covariate, on the log hazard, given the cluster.
EFFECTS = np.array([0.4, -0.3])
SPREAD = 0.4
PATTERNS = [(arm, x) for arm in (0, 1) for x in (0, 1)]


def cluster_cells(arm: int, x: int, shift: float) -> Floats:
    return BASE.times(float(np.exp(EFFECTS @ np.array([arm, x]) + shift))).cells()


def from_cells(rng: np.random.Generator, cells: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Time and event of one person a row, by inverting each row's own distribution."""
    up = np.cumsum(cells.reshape(len(cells), -1), axis=1)
    chosen = (rng.random(len(cells))[:, None] * up[:, -1:] > up).sum(axis=1)
    return np.divmod(chosen, 3)


_GRID = np.linspace(-4, 4, 33)


@cache
def _cells_by_shift(spread: float) -> Floats:
    """Cells by pattern and cluster effect, on a grid of effects fine enough to be drawn from itself."""
    return np.array([[cluster_cells(arm, x, spread * g) for g in _GRID] for arm, x in PATTERNS])


def _grid_chance() -> Floats:
    chance = np.exp(-(_GRID**2) / 2)
    return chance / chance.sum()


@cache
def grid_masses(spread: float, shares: tuple[float, ...]) -> tuple[Floats, Floats]:
    """As `masses`, over the very grid that clusters are drawn from."""
    cells = np.einsum("kgme,g->kme", _cells_by_shift(spread), _grid_chance())
    gone = cells.sum(axis=2)
    before = np.concatenate([np.ones((4, 1)), 1 - np.cumsum(gone, axis=1)[:, :-1]], axis=1)
    share = np.array(shares)[:, None]
    return share * before, share * cells[:, :, 1]


def cox_cluster_world(name: str, n: int, clusters: int, randomised: str = "people", spread: float = SPREAD) -> World:
    """Clusters that share a level of risk; arms drawn within clusters, or clusters drawn into arms."""

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        # sizes uneven, from a half to one and a half of the mean
        pull = rng.uniform(0.5, 1.5, clusters)
        cluster = np.sort(rng.choice(clusters, n, p=pull / pull.sum()))
        shift = rng.choice(len(_GRID), clusters, p=_grid_chance())
        whole = rng.permutation(np.arange(clusters) % 2)[cluster]
        arm = whole if randomised == "clusters" else rng.integers(0, 2, n)
        x = rng.integers(0, 2, n)
        time, event = from_cells(rng, _cells_by_shift(spread)[arm * 2 + x, shift[cluster]])
        return pd.DataFrame({"arm": arm, "x": x, "centre": cluster, "time": time, "event": event})

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.cox(people, "arm + x", cluster="centre").table
        return answers(table, ["term"], {"arm": ("arm",), "x": ("x",)})

    def truth() -> dict[str, float]:
        beta = efron_limit(*grid_masses(spread, (0.25,) * 4), np.array(PATTERNS, dtype=float))
        return {"arm": float(np.exp(beta[0])), "x": float(np.exp(beta[1]))}

    what = f"Cox, hazard ratio, errors by cluster; {randomised} randomised"
    return World(name, "cox", what, n, draw, ask, truth, clusters)


def cox_entry_world(name: str, n: int) -> World:
    """Delayed entry and heavy ties, robust errors by person (everybody a cluster)."""
    shares = list(ENTRIES.items())

    @cache
    def cells() -> tuple[Floats, Floats]:
        by_pattern = np.array([[BASE.times(float(np.exp(EFFECTS @ np.array(p)))).cells(e) for e, _ in shares] for p in PATTERNS])
        return by_pattern, np.array([s for _, s in shares])

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        table, share = cells()
        arm, x = rng.integers(0, 2, n), rng.integers(0, 2, n)
        late = rng.choice(len(shares), n, p=share)
        time, event = from_cells(rng, table[arm * 2 + x, late])
        entry = np.maximum(np.array([e for e, _ in shares])[late], 0)
        return pd.DataFrame({"arm": arm, "x": x, "entry": entry, "time": time, "event": event, "person": np.arange(n)})

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.cox(people, "arm + x", entry="entry", cluster="person").table
        return answers(table, ["term"], {"arm": ("arm",), "x": ("x",)})

    def truth() -> dict[str, float]:
        table, share = cells()
        at_risk, events = np.zeros((4, LAST + 1)), np.zeros((4, LAST + 1))
        for k in range(4):
            for j, (entry, _) in enumerate(shares):
                gone = table[k, j].sum(axis=1)
                present = np.concatenate([[1.0], 1 - np.cumsum(gone)[:-1]])
                at_risk[k] += 0.25 * share[j] * np.where(max(entry, 0) < MONTHS, present, 0.0)
                events[k] += 0.25 * share[j] * table[k, j][:, 1]
        beta = efron_limit(at_risk, events, np.array(PATTERNS, dtype=float))
        return {"arm": float(np.exp(beta[0])), "x": float(np.exp(beta[1]))}

    return World(name, "cox", "Cox, hazard ratio, robust errors by person, delayed entry", n, draw, ask, truth, n)


#: Chance of the ips arm by the confounder, in the world without randomisation.
CHANCE = (0.3, 0.6)


def cox_weighted_world(name: str, n: int) -> World:
    """No randomisation: who gets IPS depends on x; weights are one over the (known) chance of the arm somebody got."""

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        x = rng.integers(0, 2, n)
        arm = (rng.random(n) < np.array(CHANCE)[x]).astype(int)
        time, event = from_cells(rng, _cells_by_shift(0.0)[arm * 2 + x, 16])
        weight = 1 / np.where(arm == 1, np.array(CHANCE)[x], 1 - np.array(CHANCE)[x])
        return pd.DataFrame({"arm": arm, "x": x, "time": time, "event": event, "weight": weight})

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.cox(people, "arm", weights="weight", weight_type="probability").table
        return answers(table, ["term"], {"arm": ("arm",)})

    def truth() -> dict[str, float]:
        beta = efron_limit(*grid_masses(0.0, (0.25,) * 4), np.array(PATTERNS, dtype=float)[:, :1])
        return {"arm": float(np.exp(beta[0]))}

    return World(name, "cox", "Cox, marginal hazard ratio, probability weights", n, draw, ask, truth)


# ---------------------------------------------------------------- outcomes at a month

LOGIT = np.array([-1.0, 0.6, 0.8, -0.5])


def expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def difference_world(name: str, n: int, chance: tuple[float, float] = (0.28, 0.40)) -> World:
    def draw(rng: np.random.Generator) -> pd.DataFrame:
        arm = np.arange(n) % 2
        return pd.DataFrame({"arm": np.where(arm, "ips", "control"), "works": rng.random(n) < np.array(chance)[arm]})

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.compare_arms(people, outcome="works", arm="arm", reference="control").table
        measures = ("risk_difference", "risk_ratio", "odds_ratio")
        return answers(table, ["measure"], {measure.replace("_", " "): (measure,) for measure in measures})

    def truth() -> dict[str, float]:
        p0, p1 = chance
        return {"risk difference": p1 - p0, "risk ratio": p1 / p0, "odds ratio": p1 / (1 - p1) / (p0 / (1 - p0))}

    return World(name, "compare_arms", "two proportions (Newcombe; log Wald)", n, draw, ask, truth)


def standardised_world(name: str, n: int, clusters: int = 0) -> World:
    """Two baseline columns that matter (three ages, sex), and clusters that share a level."""
    spread = 0.5 if clusters else 0.0
    grid = np.linspace(-3, 3, 25)
    chance = np.exp(-(grid**2) / 2)
    chance /= chance.sum()

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        arm, age, sex = np.arange(n) % 2, rng.integers(0, 3, n), rng.integers(0, 2, n)
        risk = LOGIT[0] + LOGIT[1] * arm + LOGIT[2] * sex + LOGIT[3] * (age - 1)
        table = pd.DataFrame({"arm": np.where(arm, "ips", "control"), "age": age, "sex": np.where(sex, "f", "m")})
        if clusters:
            table["centre"] = rng.integers(0, clusters, n)
            risk = risk + spread * rng.choice(grid, clusters, p=chance)[table["centre"].to_numpy()]
        return table.assign(works=rng.random(n) < expit(risk))

    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        options: dict[str, Any] = {"cluster": "centre"} if clusters else {}
        table = analysis.compare_arms(
            people, outcome="works", arm="arm", reference="control", adjust=["age", "sex"], **options
        ).table
        return answers(table, ["measure"], {"risk difference": ("risk_difference",), "risk ratio": ("risk_ratio",)})

    def truth() -> dict[str, float]:
        levels = [spread * g for g in grid] if clusters else [0.0]
        weight = chance if clusters else [1.0]
        risks = [
            sum(
                w * float(expit(LOGIT[0] + LOGIT[1] * arm + LOGIT[2] * sex + LOGIT[3] * (age - 1) + shift)) / 6
                for shift, w in zip(levels, weight, strict=True) for age in range(3) for sex in range(2)
            )
            for arm in (0, 1)
        ]  # fmt: skip
        return {"risk difference": risks[1] - risks[0], "risk ratio": risks[1] / risks[0]}

    what = "g-computation over logistic regression" + (", errors by cluster" if clusters else "")
    return World(name, "compare_arms", what, n, draw, ask, truth, clusters)


# ---------------------------------------------------------------- person-months

#: Chance of finding and of losing a job in a month, by arm and by kind of person.
FIND = np.array([[0.010, 0.035], [0.018, 0.055]])
LOSE = np.array([[0.08, 0.03], [0.08, 0.03]])


def months_of(rng: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Arm of every person and work in months 1 to 43: a chain of two states, two kinds of people, nobody in work at first."""
    arm, kind = np.arange(n) % 2, rng.integers(0, 2, n)
    find, lose = FIND[arm, kind], LOSE[arm, kind]
    works = np.zeros((n, LAST + 1), dtype=bool)
    luck = rng.random((n, LAST + 1))
    for m in range(1, LAST + 1):
        works[:, m] = np.where(works[:, m - 1], luck[:, m] >= lose, luck[:, m] < find)
    return arm, works[:, 1:]


@cache
def true_rates() -> Floats:
    """Share in work by arm and month 1 to 43."""
    rates = np.zeros((2, LAST))
    for arm in (0, 1):
        for kind in (0, 1):
            p = 0.0
            for m in range(LAST):
                p = p * (1 - LOSE[arm, kind]) + (1 - p) * FIND[arm, kind]
                rates[arm, m] += p / 2
    return rates


def panel(rng: np.random.Generator, n: int) -> pd.DataFrame:
    arm, works = months_of(rng, n)
    return pd.DataFrame({
        "person_id": np.repeat(np.arange(n), LAST), "arm": pd.Categorical.from_codes(np.repeat(arm, LAST), ["control", "ips"]),
        "month": np.tile(np.arange(1, LAST + 1), n), "works": works.ravel(),
    })  # fmt: skip


def slope_world(name: str, n: int, start: int = 19, end: int = 43) -> World:
    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.trends(
            people, outcome="works", arm="arm", reference="control", start=start, end=end, cluster="person_id"
        ).table
        return answers(
            table, ["measure", "group"], {"slope difference": ("slope_difference", ""), "slope, ips": ("slope", "ips")}
        )

    def truth() -> dict[str, float]:
        months = np.arange(start, end + 1)
        slopes = [12 * float(np.polyfit(months, rates[start - 1 : end], 1)[0]) for rates in true_rates()]
        return {"slope difference": slopes[1] - slopes[0], "slope, ips": slopes[1]}

    what = f"slope of the rate, months {start} to {end}, by person"
    return World(name, "trends", what, n, lambda rng: panel(rng, n), ask, truth)


def in_work_world(name: str, n: int) -> World:
    def ask(people: pd.DataFrame) -> Iterable[Answer]:
        table = analysis.months_in_work(people, outcome="works", arm="arm", reference="control").table
        return answers(table, ["measure", "group"], {"difference": ("months_in_work_difference", "")})

    def truth() -> dict[str, float]:
        area = true_rates().sum(axis=1)
        return {"difference": float(area[1] - area[0])}

    return World(name, "months_in_work", "months in work, 1 to 43, difference", n, lambda rng: panel(rng, n), ask, truth)


# ---------------------------------------------------------------- the two tables


def large() -> list[World]:
    """At least 400 people, and at least 40 clusters where there are clusters."""
    return [
        curve_world("km", 400),
        curve_world("km, entry", 600, ENTRIES),
        incidence_world("cif", 400),
        incidence_world("cif, entry", 600, ENTRIES),
        rmst_world("rmst", 400),
        rmst_world("rmst, entry", 600, ENTRIES),
        gained_world("gained", 400),
        cox_cluster_world("cox, people in clusters", 600, 60),
        cox_cluster_world("cox, clusters randomised", 800, 100, "clusters"),
        cox_entry_world("cox, entry", 500),
        cox_weighted_world("cox, weights", 500),
        difference_world("difference", 400),
        standardised_world("g-computation", 400),
        standardised_world("g-computation, clusters", 800, 80),
        in_work_world("months in work", 400),
        slope_world("slope", 400),
    ]


def small() -> list[World]:
    """Small trials and few centres, as they are."""
    worlds = []
    for n in (60, 120, 410):
        worlds += [
            curve_world(f"km, {n}", n), incidence_world(f"cif, {n}", n), rmst_world(f"rmst, {n}", n), gained_world(f"gained, {n}", n),
            difference_world(f"difference, {n}", n), standardised_world(f"g-computation, {n}", n),
            in_work_world(f"months in work, {n}", n), slope_world(f"slope, {n}", n), cox_weighted_world(f"cox, weights, {n}", n),
        ]  # fmt: skip
    worlds += [
        cox_cluster_world("cox, six centres, people randomised", 410, 6),
        cox_cluster_world("cox, six centres randomised", 410, 6, "clusters"),
        standardised_world("g-computation, six centres", 410, 6),
    ]
    return worlds
