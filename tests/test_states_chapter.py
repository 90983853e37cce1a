"""The chapters on states and education: right numbers, known truth, what leaves, and studies that lack something."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_states import SIX, STATES, rows

import ips_outcomes as ips
from ips_outcomes.analysis import months_in_states, state_shares, state_transitions
from ips_outcomes.errors import UnsupportedError
from ips_outcomes.reporting import chapters, education_chapter, states_chapter
from ips_outcomes.reporting.figures import Canvas
from ips_outcomes.reporting.gallery import rendered
from ips_outcomes.reporting.state_gate import Sums
from ips_outcomes.reporting.suppression import load_profile
from ips_outcomes.reporting.words import words

K = 5
PROFILE = load_profile("primary5")
SAY = words("en")


# ---------------------------------------------------------------- numbers by hand


def test_shares_by_hand_add_up_to_everybody() -> None:
    found = state_shares(rows(SIX), by=None, states=STATES).table
    counts = found.pivot(index="month", columns="state", values="events")[[*STATES, "not_observed"]]
    assert counts.to_numpy().tolist() == [[0, 2, 4, 0, 0], [1, 1, 2, 1, 1], [3, 1, 0, 1, 1]]
    assert (found["n"] == 6).all()
    three = found[(found["month"] == 2) & (found["state"] == "work")].iloc[0]
    # Wilson: (3 + z2/2)/(6 + z2) plus or minus z sqrt(3*3/6 + z2/4)/(6 + z2), with z2 = 3.841459
    assert three[["estimate", "conf_low", "conf_high"]].tolist() == pytest.approx([0.5, 0.1876163, 0.8123837], abs=1e-6)
    # a month without a row is a month not observed
    lost = rows(SIX)
    lost = lost[~((lost["person_id"] == "p1") & (lost["month"] == 1))]
    again = state_shares(lost, by=None, states=STATES).table.set_index(["state", "month"])
    assert again.loc[("not_observed", 1), "events"] == 2 and again.loc[("work", 1), "events"] == 0
    with pytest.raises(UnsupportedError, match="does not name aap"):
        state_shares(rows(SIX), by=None, states=["work", "none", "dead"])


def test_people_are_counted_once_a_move_and_once_a_state() -> None:
    people = rows({"p1": "nwnwnw", "p2": "nwwwww", "p3": "nnnnnn"})
    moves = state_transitions(people, by=None, states=STATES).table.set_index(["from_state", "to_state"])
    assert moves.loc[("none", "work"), ["events", "people", "n"]].tolist() == [4, 2, 9]
    assert moves.loc[("work", "none"), ["events", "people", "n"]].tolist() == [2, 1, 6]
    months = months_in_states(people, by=None, states=STATES).table.set_index("state")["events"]
    # month 0 is not counted: p2 is in none in month 0 alone
    assert months[["work", "none", "aap"]].tolist() == [2, 2, 0]
    nobody = state_transitions(rows({"p1": "n..", "p2": "..n"}), by=None, states=STATES)
    assert len(nobody.table) == 0 and "people" in nobody.table


# ---------------------------------------------------------------- known truth


CHAIN = {"work": [0.90, 0.02, 0.075, 0.005], "aap": [0.03, 0.92, 0.045, 0.005], "none": [0.10, 0.06, 0.835, 0.005],
         "dead": [0.0, 0.0, 0.0, 1.0]}  # fmt: skip
FASTER = {**CHAIN, "none": [0.18, 0.05, 0.765, 0.005]}
HORIZON = 18


def truth(chain: dict[str, list[float]]) -> np.ndarray:
    """True mean months in each state over months 1 to the last; everybody starts in none."""
    step, now, total = np.array(list(chain.values())), np.array([0.0, 0, 1, 0]), np.zeros(4)
    for _ in range(HORIZON):
        now = now @ step
        total += now
    return total


def drawn(chain: dict[str, list[float]], arm: str, number: int, rng: np.random.Generator, lost: float) -> pd.DataFrame:
    """People who walk the chain; some are lost from sight by chance, whatever their state."""
    step = np.cumsum(np.array(list(chain.values())), axis=1)
    place = np.full((number, HORIZON + 1), 2)
    for month in range(1, HORIZON + 1):
        place[:, month] = (rng.random(number)[:, None] > step[place[:, month - 1]]).sum(axis=1)
    gone = rng.geometric(lost, number) if lost else np.full(number, HORIZON + 1)
    names = np.array([*chain, "not_observed"])
    seen = np.where(np.arange(HORIZON + 1)[None, :] > gone[:, None], 4, place)
    return pd.DataFrame({"person_id": np.repeat([f"{arm}{i}" for i in range(number)], HORIZON + 1), "arm": arm,
                         "month": np.tile(np.arange(HORIZON + 1), number), "state": names[seen.ravel()]})  # fmt: skip


@pytest.mark.parametrize("lost", [0.0, 0.02])
def test_mean_months_cover_the_truth_of_a_known_chain(lost: float) -> None:
    rng = np.random.default_rng(20260106)
    wanted = {"ips": truth(FASTER), "control": truth(CHAIN)}
    assert sum(wanted["ips"]) == pytest.approx(HORIZON)
    inside, errors, replicates = np.zeros((3, 4)), [], 150
    for _ in range(replicates):
        people = pd.concat([drawn(FASTER, "ips", 150, rng, lost), drawn(CHAIN, "control", 150, rng, lost)], ignore_index=True)
        table = months_in_states(people, reference="control", states=list(CHAIN)).table
        parts = [(wanted["ips"], table[table["group"] == "ips"]), (wanted["control"], table[table["group"] == "control"]),
                 (wanted["ips"] - wanted["control"], table[table["measure"] == "months_in_state_difference"])]  # fmt: skip
        for i, (value, part) in enumerate(parts):
            inside[i] += (part["conf_low"].to_numpy() <= value) & (value <= part["conf_high"].to_numpy())
        errors.append([part["estimate"].to_numpy() - value for value, part in parts])
    # 95 % plus or minus four errors of 150 draws; few deaths make their interval short, as every Wald interval of a rare state
    assert (inside[:, :3] / replicates > 0.95 - 4 * np.sqrt(0.95 * 0.05 / replicates)).all()
    assert (inside[:, 3] / replicates > 0.86).all()
    mean, error = np.mean(errors, axis=0), np.std(errors, axis=0) / np.sqrt(replicates)
    assert (np.abs(mean) < 4 * error).all()


# ---------------------------------------------------------------- the gate


def solved(sums: Sums, hidden: np.ndarray) -> list[int]:
    """Hidden numbers that have one value only, by asking whether each is a combination of the sums."""
    places = np.flatnonzero(hidden)
    matrix = np.zeros((len(sums.lines), len(hidden)))
    for i, (parts, total) in enumerate(sums.lines):
        matrix[i, parts] = 1
        if total is not None:
            matrix[i, total] = -1
    known = matrix[:, places]
    rank = np.linalg.matrix_rank(known)
    return [int(p) for j, p in enumerate(places) if np.linalg.matrix_rank(np.vstack([known, np.eye(len(places))[j]])) == rank]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 0, 1, 3, 4, 6, 9, 30]), min_size=4, max_size=4), min_size=2, max_size=5))
@example([[0, 0, 1, 1], [0, 0, 4, 0], [0, 3, 0, 3]])  # nothing is left to hide in the sums of the number that is found
def test_no_hidden_number_can_be_solved_from_the_sums(cells: list[list[int]]) -> None:
    table, sums = np.array(cells), Sums()
    few = lambda v: bool(0 < v < K)  # noqa: E731
    at = [[sums.add(float(v), few(v)) for v in row] for row in table]
    margins = [[sums.add(float(v), few(v), 1) for v in table.sum(axis=axis)] for axis in (1, 0)]
    for i, place in enumerate(margins[0]):
        sums.lines.append((at[i], place))
    for j, place in enumerate(margins[1]):
        sums.lines.append(([row[j] for row in at], place))
    sums.lines += [(margins[0], None), (margins[1], None)]
    hidden = sums.protect(K)
    assert all(hidden[p] for p, v in enumerate(sums.value) if few(v))
    total = table.sum()
    # where everything that is not zero is hidden and the table holds almost nobody, more cannot be hidden
    open_still = [p for p in solved(sums, hidden) if sums.value[p] > 0]
    nonzero = [p for p, v in enumerate(sums.value) if v > 0]
    assert not open_still or hidden[nonzero].all()
    if total >= K:
        for parts in margins:
            gone = [sums.value[p] for p in parts if hidden[p]]
            assert not gone or sum(gone) >= K


@pytest.fixture(scope="module")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study of 60 people, through a gate, with its report."""
    place = tmp_path_factory.mktemp("chapters")
    study = ips.simulate_study(place / "study", seed=11, participants=60)
    study.write_text(study.read_text(encoding="utf-8").replace('profile = "none"', 'profile = "primary5"'), encoding="utf-8")
    ips.write_report(study, place / "out")
    return study, place / "out"


def test_a_line_a_person_stands_in_internal_alone(small_study: tuple[Path, Path]) -> None:
    out = small_study[1]
    for kind in ("svg", "pdf", "png", "csv"):
        assert (out / "internal" / "figures" / f"state_sequences.{kind}").exists()
    assert not list((out / "release").rglob("*sequences*"))
    assert not (out / "internal" / "tables" / "state_sequences.csv").exists()
    inside, released = ((out / side / "report.html").read_text(encoding="utf-8") for side in ("internal", "release"))
    assert 'id="figure-state_sequences"' in inside and 'id="figure-state_sequences"' not in released
    assert SAY("states.no_sequences") in released and SAY("states.no_sequences") not in inside
    paths = pd.read_csv(out / "internal" / "figures" / "state_sequences.csv")
    assert len(paths) == 60 and "person_id" not in paths


def read(out: Path, name: str, side: str = "release") -> pd.DataFrame:
    return pd.read_csv(out / side / "tables" / f"{name}.csv")


def test_released_states_cannot_be_found_by_subtraction(small_study: tuple[Path, Path]) -> None:
    out = small_study[1]
    shares, exact = read(out, "state_shares"), read(out, "state_shares", "internal")
    gone = shares["hidden"]
    assert gone.any() and not gone.all()
    for column in ("events", "estimate", "std_error", "conf_low", "conf_high"):
        assert shares.loc[gone, column].isna().all()
    assert (exact.loc[(exact["events"] > 0) & (exact["events"] < K), "events"].index.isin(shares.index[gone])).all()
    for _, part in shares.groupby(["group", "month"]):
        rest = part["n"].iloc[0] - part["events"].sum()
        assert rest == 0 or (rest >= K and part["hidden"].sum() >= 2)
    shown = shares[~gone]
    np.testing.assert_allclose(shown["estimate"], shown["events"] / shown["n"])
    # flows: out of each state and into each, beside the shares of the same months
    flows, every = read(out, "state_flows"), read(out, "state_flows", "internal")
    assert len(flows) == len(every) and "people" not in flows
    for ends, state in (("month", "from_state"), ("to_month", "to_state")):
        for (group, month, name), part in flows.groupby(["group", ends, state]):
            if ends == "month" and month == 43:
                continue
            margin = shares[(shares["group"] == group) & (shares["month"] == month) & (shares["state"] == name)].iloc[0]
            hidden = int(part["hidden"].sum()) + int(margin["hidden"])
            assert hidden != 1, (group, month, name)
            if not margin["hidden"] and part["hidden"].any():
                assert margin["events"] - part["events"].sum() >= K
    hidden_n = flows["n"].isna()
    assert flows.loc[flows["hidden"] | hidden_n, "estimate"].isna().all()


def test_released_moves_and_months_rest_on_enough_people(small_study: tuple[Path, Path]) -> None:
    out = small_study[1]
    moves, exact = read(out, "state_transitions"), read(out, "state_transitions", "internal")
    assert (exact.loc[~moves["hidden"].to_numpy(), "people"] >= K).all() and "people" not in moves
    for _, part in moves.groupby(["group", "from_state"]):
        assert part["hidden"].sum() + part["n"].isna().any() != 1
    months, inside = read(out, "months_in_states"), read(out, "months_in_states", "internal")
    alone = months["measure"] == "months_in_state"
    seen = inside.loc[alone & ~months["hidden"], "events"]
    assert ((seen == 0) | (seen >= K)).all()
    for _, part in months[alone].groupby("group"):
        assert part["hidden"].sum() != 1
    hidden = {(g, s) for g, s in months.loc[alone & months["hidden"], ["group", "state"]].itertuples(index=False)}
    for row in months[~alone].to_dict("records"):
        opened = any((arm, row["state"]) in hidden for arm in row["contrast"].split(" - "))
        assert row["hidden"] == opened and pd.isna(row["estimate"]) == opened
    shown = months.loc[~months["hidden"], "estimate"]
    assert (shown == shown.round(PROFILE.model_digits)).all()


def walked(seed: int) -> pd.DataFrame:
    """An arm of 40 to 119 people whose every month is known."""
    rng = np.random.default_rng(seed)
    return drawn(CHAIN, "a", int(rng.integers(40, 120)), rng, 0.0)


def hidden_in(table: pd.DataFrame, *keys: str) -> dict[tuple, int]:
    """Rows that are hidden, each with its number among the unknowns."""
    return {tuple(row): i for i, row in enumerate(table.loc[table["hidden"], list(keys)].itertuples(index=False, name=None))}


@pytest.mark.parametrize("seed", [4, 9, 14, 17, 25, 34])
def test_shares_moves_and_means_together_tell_no_hidden_number(seed: int) -> None:
    people, names = walked(seed), [*CHAIN, "not_observed"]
    asked = {"state_shares": state_shares(people, states=names), "months_in_states": months_in_states(people, states=names),
             "state_transitions": state_transitions(people, states=names),
             "state_flows": state_transitions(people, states=names, between=[0, 6, 12, HORIZON])}  # fmt: skip
    out = {name: found.table for name, found in states_chapter.release(asked, PROFILE, SAY).items()}
    shares, moves, means = out["state_shares"], out["state_transitions"], out["months_in_states"].set_index("state")["estimate"]
    cell, move = hidden_in(shares, "state", "month"), hidden_in(moves, "from_state", "to_state")
    assert cell
    total, size = asked["state_shares"].table["n"].iloc[0], len(cell) + len(move)
    value = {(s, m): e for s, m, e in asked["state_shares"].table[["state", "month", "events"]].itertuples(index=False)}
    lines, sums = [], []

    def line(cells: list, minus: list = ()) -> None:  # type: ignore[assignment]
        """These hidden shares less these hidden moves are a number that a reader knows."""
        own = np.zeros(size)
        own[[cell[c] for c in cells if c in cell]] = 1
        own[[len(cell) + move[c] for c in minus if c in move]] = -1
        lines.append(own)

    for month in range(HORIZON + 1):
        line([(s, month) for s in names])
    for state in CHAIN:
        start, later = [(state, m) for m in range(HORIZON)], [(state, m) for m in range(1, HORIZON + 1)]
        row, column = moves[moves["from_state"] == state], moves[moves["to_state"] == state]
        if len(row) and row["n"].notna().all():
            line(start)
            line([], list(row[["from_state", "to_state"]].itertuples(index=False, name=None)))
            sums.append(start)
        line(start, list(row[["from_state", "to_state"]].itertuples(index=False, name=None)))
        line(later, list(column[["from_state", "to_state"]].itertuples(index=False, name=None)))
        if not column["hidden"].any():
            sums.append(later)
        if not np.isnan(means[state]):
            line(later)
            sums.append(later)
    # no combination of what a reader knows is one hidden share alone
    known = np.array(lines)
    rank = np.linalg.matrix_rank(known)
    for key, place in cell.items():
        assert np.linalg.matrix_rank(np.vstack([known, np.eye(size)[place]])) > rank, key
    # nor do the hidden months of a sum that is told hold so little that one of them must be small
    for wanted in sums:
        held = [int(value[c]) for c in wanted if c in cell]
        assert not held or sum(held) - len(held) >= K - 1, (wanted[0], held)
    assert total == people["person_id"].nunique()


def test_courses_less_the_state_of_courses_are_nobody_or_enough(small_study: tuple[Path, Path]) -> None:
    """Whoever studies beside work is in work: released counts of both must not tell of one to four such people."""
    out = small_study[1]

    def beside(side: str) -> pd.Series:
        rates, shares = read(out, "education_rates", side), read(out, "state_shares", side)
        both = rates[rates["outcome"] == "in_education"].merge(shares[shares["state"] == "education"], on=["group", "month"])
        return (both["events_x"] - both["events_y"]).dropna()

    assert beside("internal").between(1, K - 1).any(), "nothing to find"
    assert not beside("release").between(1, K - 1).any()
    rates = read(out, "education_rates")
    assert "beside" not in rates
    gone = set(rates.loc[rates["hidden"], ["outcome", "month", "group"]].itertuples(index=False, name=None))
    for row in read(out, "education_contrasts").to_dict("records"):
        opened = any((row["outcome"], row["month"], arm) in gone for arm in row["contrast"].split(" - "))
        assert not opened or pd.isna(row["estimate"])


def test_an_arm_of_four_people_has_nothing_to_show() -> None:
    arms = {f"p{i}": path for i, path in enumerate(["nww", "naa", "nnn", "nnw", *["nww"] * 9, *["naa"] * 8])}
    people = rows(arms, "bbbb" + "a" * 17)
    shares = state_shares(people, states=STATES)
    moves = state_transitions(people, states=STATES, between=[0, 2])
    asked = {"state_shares": shares, "state_flows": moves, "months_in_states": months_in_states(people, states=STATES)}
    out = states_chapter.release(asked, PROFILE, SAY)
    table = out["state_shares"].table
    assert table.loc[table["group"] == "b", ["n", "events", "estimate"]].isna().all(axis=None)
    assert table.loc[table["group"] == "a", "events"].notna().all()
    flows = out["state_flows"].table
    assert flows.loc[flows["group"] == "b", ["n", "events", "estimate"]].isna().all(axis=None)
    assert out["months_in_states"].table.set_index("group").loc["b", "estimate"].isna().all()


# ---------------------------------------------------------------- the page, and studies that lack something


def test_the_page_says_what_the_tables_say(small_study: tuple[Path, Path]) -> None:
    out = small_study[1]
    page = (out / "internal" / "report.html").read_text(encoding="utf-8")
    part = page[page.index('<section id="states">') : page.index('<section id="education">')]
    table = read(out, "months_in_states", "internal")
    row = table[(table["measure"] == "months_in_state_difference") & (table["state"] == "ordinary_work")].iloc[0]
    said = re.search(r"difference (\S+) months \(95 % interval (\S+) to (\S+)\)\. The interval (\w+)", part)
    assert said is not None
    numbers = [float(x.replace("\u2212", "-")) for x in said.groups()[:3]]
    assert numbers == pytest.approx(row[["estimate", "conf_low", "conf_high"]].tolist(), abs=0.051)
    assert (said[4] == "lies") == (row["conf_low"] > 0 or row["conf_high"] < 0)
    assert "Ordinary work, Supported work, Education, Disability pension" in part
    assert page.index('<section id="first-job">') < page.index('<section id="states">')
    assert "nan" not in re.findall(r"<td[^>]*>([^<]*)</td>", part)
    assert "Not in employment, education or training, under 30 at inclusion" in page[page.index('<section id="education">') :]
    assert "Aalen OO, Johansen S" in page[page.index('<section id="references">') :]


Change = Callable[[str], str]


def without(*tables: str) -> Change:
    """The study file without some tables and the lines that need them."""

    def change(text: str) -> str:
        for name in tables:
            text = re.sub(rf"(?m)^\[{re.escape(name)}(\.[a-z_]+)?\].*\n(?:(?!\[).*\n)*", "", text)
        return text

    return change


LACKING: dict[str, tuple[Change, set[str]]] = {
    "no states": (without("states"), {"education"}),
    "no programme end": (lambda t: re.sub(r"(?m)^programme_end_month.*\n", "", t), {"states", "education"}),
    "no neet": (lambda t: re.sub(r"(?m)^neet = .*\n", "", t), {"states", "education"}),
    "one landmark, a short follow-up": (lambda t: t.replace("landmarks = [12, 18, 43]", "landmarks = [1]").replace("months = 43", "months = 1")
                                        .replace("programme_end_month = 18", "programme_end_month = 1"), {"states", "education"}),
    "nothing on education": (lambda t: without("states.education", "employed.work_or_education", "sources.highest_education",
                                               "sources.courses", "keys.highest_education", "keys.courses")(t)
                             .replace('"education", "disability"', '"disability"').replace('"supported_work", "education"]', '"supported_work"]')
                             .replace('active = ["ordinary_work", "supported_work"]', 'active = ["supported_work", "ordinary_work"]'),
                             {"states", "education"}),
    "neither": (lambda t: without("states", "employed.work_or_education", "sources.highest_education", "sources.courses",
                                  "keys.highest_education", "keys.courses")(t), set()),
}  # fmt: skip


def told(study: ips.Study, asked: dict[str, chapters.Answers], canvas: Canvas, *, draw: bool) -> list[str]:
    """Everything that a page would ask of the chapters; the names of the figures."""
    names = []
    for chapter in chapters.CHAPTERS:
        if chapter.name not in asked or chapter.name not in OWN:
            continue
        answers = asked[chapter.name]
        for plan in chapter.plans(study, answers, canvas):
            assert plan.caption and plan.alt and "nan" not in plan.alt
            names.append(plan.name)
            if draw:
                rendered(plan, canvas, ("svg",))
        assert all(chapter.sentences(study, answers, canvas))
        assert all(shown.rows for shown in chapter.tables(study, answers, canvas).values())
    return names


OWN = {"states", "education"}


@pytest.fixture(scope="module")
def read_once(small_study_folder: Path) -> tuple[ips.Cohort, ips.FollowUp]:
    cohort = ips.load_cohort(ips.load_study(small_study_folder / "study.toml"))
    return cohort, ips.follow_up(cohort)


@pytest.mark.parametrize("name", LACKING)
def test_studies_that_lack_something_have_less_and_no_fault(
    name: str, small_study_folder: Path, read_once: tuple[ips.Cohort, ips.FollowUp], tmp_path: Path
) -> None:  # fmt: skip
    change, wanted = LACKING[name]
    text = change((small_study_folder / "study.toml").read_text(encoding="utf-8"))
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    (tmp_path / "extracts").symlink_to(small_study_folder / "extracts")
    study = ips.load_study(tmp_path / "study.toml")
    cohort = replace(read_once[0], study=study)
    asked = {c.name: c.answers(study, cohort, ips.follow_up(cohort)) for c in chapters.CHAPTERS if c.name in OWN}
    asked = {k: v for k, v in asked.items() if v}
    assert set(asked) == wanted
    canvas = Canvas(SAY, study.arm_labels)
    figures = told(study, asked, canvas, draw=name == "one landmark, a short follow-up")
    assert ("neet" in figures) == (name not in ("no states", "no neet", "neither"))
    assert "state_sequences" not in told(study, chapters.release(asked, PROFILE, SAY), canvas, draw=False)


@pytest.mark.parametrize("arms", [["all"], ["ips", "control", "more"]])
def test_one_arm_and_three_arms(arms: list[str], read_once: tuple[ips.Cohort, ips.FollowUp]) -> None:
    cohort, followed = read_once
    study = followed.study
    labels = None if arms == ["all"] else study.arms.model_copy(update={"labels": {a: a.title() for a in arms}})
    other = study.model_copy(update={"arms": labels, "design": None})
    of = {p: arms[i % len(arms)] for i, p in enumerate(followed.baseline["person_id"])}
    moved = replace(followed, study=other, person_months=followed.person_months.assign(arm=followed.person_months["person_id"].map(of)),
                    baseline=followed.baseline.assign(arm=followed.baseline["person_id"].map(of)))  # fmt: skip
    asked = {"states": states_chapter.answers(other, cohort, moved), "education": education_chapter.answers(other, cohort, moved)}
    table = asked["states"]["months_in_states"].table
    assert set(table["contrast"]) - {""} == ({"ips - control", "more - control"} if len(arms) == 3 else set())
    assert ("education_contrasts" in asked["education"]) == (len(arms) == 3)
    assert len(told(other, asked, Canvas(SAY, other.arm_labels), draw=True)) >= 4
    told(other, chapters.release(asked, PROFILE, SAY), Canvas(SAY, other.arm_labels, narrow=True), draw=len(arms) == 1)


def test_an_arm_without_people_is_no_comparison(read_once: tuple[ips.Cohort, ips.FollowUp]) -> None:
    cohort, followed = read_once
    study = followed.study
    alone = replace(followed, person_months=followed.person_months[followed.person_months["arm"] == "ips"].reset_index(drop=True),
                    baseline=followed.baseline[followed.baseline["arm"] == "ips"].reset_index(drop=True))  # fmt: skip
    asked = {"states": states_chapter.answers(study, cohort, alone), "education": education_chapter.answers(study, cohort, alone)}
    assert set(asked["states"]["months_in_states"].table["measure"]) == {"months_in_state"}
    assert "education_contrasts" not in asked["education"]
    told(study, asked, Canvas(SAY, study.arm_labels), draw=False)
    nobody = replace(followed, person_months=followed.person_months.head(0), baseline=followed.baseline.head(0))
    assert states_chapter.answers(study, cohort, nobody) == {} and education_chapter.answers(study, cohort, nobody) == {}


def test_the_simulated_study_s_shares_are_those_of_its_people(demo_followup: ips.FollowUp) -> None:
    """State by state, against counts made in another way, and against the employment rates of the same months."""
    table = ips.state_shares(demo_followup).table.set_index(["group", "state", "month"])["events"]
    months = demo_followup.person_months
    later = months[months["month"] >= 0]
    counted = later.assign(state=later["state"].astype(str)).groupby(["arm", "state", "month"]).size()
    assert table[table > 0].to_dict() == counted.to_dict()
    rates = ips.employment_rates(demo_followup, "ordinary", by="arm", at=[12, 43]).table
    for row in rates.to_dict("records"):
        assert table[row["group"], "ordinary_work", row["month"]] == row["events"]
    neet = ips.employment_rates(demo_followup, "neet", by="arm", at=[18]).table.set_index("group")
    young = demo_followup.baseline.loc[demo_followup.baseline["age"] < 30, ["person_id", "arm"]]
    at_18 = months[(months["month"] == 18) & months["person_id"].isin(young["person_id"])]
    alive = at_18[~at_18["state"].isin(["dead", "abroad", "not_observed"])]
    out = alive[~alive["state"].isin(["ordinary_work", "supported_work", "education"])]
    assert neet["n"].to_dict() == alive["arm"].value_counts().to_dict()
    assert neet["events"].to_dict() == out["arm"].value_counts().to_dict()
