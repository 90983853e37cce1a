"""The report: the same bytes every time, whole or not at all, and a page that says what the tables say."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ips_outcomes as ips
from ips_outcomes import folders
from ips_outcomes.reporting import gallery, report

SIDES = ("internal", "release")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = ips.simulate_study(tmp_path_factory.mktemp("report") / "study", seed=7, participants=60)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^title = .*$", 'title = "Trial <b>&amp; \\"friends\\""', text), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(study: Path) -> Path:
    ips.write_report(study, study.parent.parent / "out")
    return study.parent.parent / "out"


@pytest.fixture(scope="module")
def one_arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("one")
    ips.write_report(ips.simulate_study(place / "study", seed=7, participants=40, one_arm=True), place / "out")
    return place / "out"


def contents(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    hashes = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    # time and seconds stand in the one alone, and its hash in the other
    return {name: digest for name, digest in hashes.items() if name not in ("internal/manifest.json", folders.MARK)}


# ------------------------------------------------------------- the same bytes
def test_another_process_folder_and_hash_seed_give_the_same_bytes(study: Path, made: Path, tmp_path: Path):
    code = "import sys, ips_outcomes; ips_outcomes.write_report(sys.argv[1], sys.argv[2])"
    env = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(Path(ips.__file__).parent.parent), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, str(study), "other"], cwd=tmp_path, env=env, check=True)
    assert contents(tmp_path / "other") == contents(made)


@pytest.mark.parametrize("processors", [{0}, {0, 1}])
def test_number_of_processors_changes_no_byte(
    study: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: set[int]
):
    forked = []
    halves = gallery._halves
    monkeypatch.setattr(gallery, "_halves", lambda one, n: forked.append(n) or halves(one, n))
    monkeypatch.setattr(gallery.os, "sched_getaffinity", lambda _: processors)
    monkeypatch.setattr(gallery.threading, "active_count", lambda: 1)
    ips.write_report(study, tmp_path / "out")
    assert bool(forked) == (len(processors) > 1 and sys.platform == "linux")
    assert contents(tmp_path / "out") == contents(made)


# ------------------------------------------------------- whole or not at all
@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    with folders.whole_folder(out, "report") as work:
        (work / "report.txt").write_text("the earlier report", encoding="utf-8")
    return out


def untouched(out: Path) -> bool:
    return sorted(p.name for p in out.parent.iterdir()) == [out.name] and (out / "report.txt").exists()


class KilledError(Exception):
    pass


def die(*_: object, **__: object) -> None:
    raise KilledError


@pytest.mark.parametrize("where", ["read_extracts", "compute_results", "through_gate", "draw_all", "render", "_rows"])
def test_dying_anywhere_leaves_the_earlier_report(study: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch, where: str):
    if where != "draw_all":
        # pictures take most of the time, and are not what dies here
        monkeypatch.setattr(report, "_draw", lambda *_: {})
    monkeypatch.setattr(report, where, die)
    with pytest.raises(KilledError):
        ips.write_report(study, earlier)
    assert untouched(earlier)


def test_dying_at_the_second_rename_puts_the_earlier_report_back(earlier: Path, monkeypatch: pytest.MonkeyPatch):
    rename = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="disk full"), folders.whole_folder(earlier, "report"):
        pass
    assert untouched(earlier)


def test_killed_between_the_renames_heals_on_the_next_run(earlier: Path):
    aside = earlier.with_name(f".{earlier.name}.previous")
    earlier.rename(aside)
    with pytest.raises(KilledError), folders.whole_folder(earlier, "report"):
        # a run that fails again still brings it back
        raise KilledError
    assert untouched(earlier)
    earlier.rename(aside)
    with folders.whole_folder(earlier, "report") as work:
        (work / "new.txt").write_text("new", encoding="utf-8")
    assert [p.name for p in earlier.parent.iterdir()] == [earlier.name] and not (earlier / "report.txt").exists()


def test_killed_after_the_renames_leaves_the_new_report(earlier: Path):
    aside = earlier.with_name(f".{earlier.name}.previous")
    aside.mkdir()
    (aside / "old").write_text("", encoding="utf-8")
    with folders.whole_folder(earlier, "report") as work:
        (work / "new.txt").write_text("new", encoding="utf-8")
    assert [p.name for p in earlier.parent.iterdir()] == [earlier.name] and (earlier / "new.txt").is_file()


@pytest.mark.parametrize("change", ["added", "changed", "git", "other kind", "foreign mark"])
def test_a_folder_that_holds_anything_else_is_left_alone(earlier: Path, change: str):
    kind = "report"
    if change == "added":
        (earlier / "notes.txt").write_text("mine", encoding="utf-8")
    elif change == "changed":
        (earlier / "report.txt").write_text("with my notes", encoding="utf-8")
    elif change == "git":
        (earlier / ".git").mkdir()
        (earlier / ".git" / "HEAD").write_text("ref", encoding="utf-8")
    elif change == "other kind":
        kind = "synthetic study"
    else:
        (earlier / folders.MARK).write_text("{}", encoding="utf-8")
    before = contents(earlier)
    with pytest.raises(ips.UnsupportedError), folders.whole_folder(earlier, kind):
        pass
    assert contents(earlier) == before


def test_the_current_folder_and_those_above_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    for out in (Path(), Path(".."), tmp_path, below):
        with pytest.raises(ips.UnsupportedError, match="current folder"):
            ips.simulate_study(out, participants=40)
    assert below.is_dir()


def test_a_synthetic_study_that_was_edited_is_not_written_over(tmp_path: Path):
    path = ips.simulate_study(tmp_path / "study", participants=40)
    path.write_text(path.read_text(encoding="utf-8") + "# my own\n", encoding="utf-8")
    with pytest.raises(ips.UnsupportedError, match=r"study\.toml"):
        ips.simulate_study(tmp_path / "study", participants=40)
    assert "# my own" in path.read_text(encoding="utf-8")


def test_a_checkout_is_not_written_over(tmp_path: Path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "README.md").write_text("the people are invented", encoding="utf-8")
    with pytest.raises(ips.UnsupportedError, match="choose another folder"):
        ips.simulate_study(checkout, participants=40)
    assert (checkout / "README.md").is_file()


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ips.UnsupportedError), folders.whole_folder(tmp_path, "report"):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "mine"


# ------------------------------------------------------------------- numbers
def wilson(events: float, n: float) -> tuple[float, float]:
    z = 1.959963984540054
    p, spread = events / n, z / (1 + z * z / n) * sqrt(events / n * (1 - events / n) / n + z * z / (4 * n * n))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    return middle - spread, middle + spread


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["rates_by_month", "rates_at_landmarks", "subgroup_rates", "subgroup_rates_by_month"])
def test_rates_follow_from_their_counts(made: Path, side: str, name: str):
    table = pd.read_csv(made / side / "tables" / f"{name}.csv")
    table = table[table["n"] > 0]
    assert len(table) and np.allclose(table["estimate"], table["events"] / table["n"])
    expected = np.array([wilson(e, n) for e, n in zip(table["events"], table["n"], strict=True)])
    assert np.allclose(table[["conf_low", "conf_high"]], expected, atol=1e-12)


@pytest.mark.parametrize("side", SIDES)
def test_figures_exist_in_every_format(made: Path, one_arm: Path, side: str):
    for out, fewest in ((made, 5), (one_arm, 5)):
        files = [p.name for p in (out / side / "figures").iterdir()]
        names = {name.split(".")[0] for name in files}
        assert len(names) >= fewest
        assert sorted(files) == sorted(f"{n}.{kind}" for n in names for kind in ("svg", "pdf", "png", "csv"))
        assert all((out / side / "figures" / name).stat().st_size > 50 for name in files)


def plain(text: str) -> str:
    return text.replace("\u202f", "").replace("\u2212", "-").replace("\xa0", " ").replace("%", "")


def test_page_numbers_are_the_tables_numbers(made: Path):
    page = Page((made / "release" / "report.html").read_text(encoding="utf-8"))
    table = pd.read_csv(made / "release" / "tables" / "rates_at_landmarks.csv")
    cells = next(t for c, t in page.tables if c.startswith("In work at the landmarks"))
    shown = [row for row in cells[1:] if len(row) == 5]
    expected = [
        [f"{r.events} / {r.n}" for r in (ips_, control)]
        for _, rows in table.groupby(["month", "outcome"], sort=False)
        for ips_ in rows[rows["group"] == "ips"].itertuples()
        for control in rows[rows["group"] == "control"].itertuples()
    ]
    assert sorted([row[1], row[3]] for row in shown) == sorted(expected)
    rates = {f"{r.events} / {r.n}": (r.estimate, r.conf_low, r.conf_high) for r in table.itertuples()}
    for row in shown:
        for counts, share in ((row[1], row[2]), (row[3], row[4])):
            numbers = [float(x) for x in re.findall(r"-?[\d.]+", plain(share))]
            assert np.allclose(numbers, [100 * x for x in rates[counts]], atol=0.0501)
    contrasts = pd.read_csv(made / "release" / "tables" / "contrasts_at_landmarks.csv")
    main = contrasts[(contrasts["outcome"] == "ordinary") & (contrasts["measure"] == "risk_difference")]
    cells = next(t for c, t in page.tables if c.startswith("Arms compared"))
    for row, (_, r) in zip(cells[1:], main.iterrows(), strict=True):
        numbers = [float(x) for x in re.findall(r"-?[\d.]+", plain(row[1]))]
        assert np.allclose(numbers, [100 * r[c] for c in ("estimate", "conf_low", "conf_high")], atol=0.0501)
    card = page.text[page.text.index("In work at month 43") :]
    last = table[(table["month"] == 43) & (table["outcome"] == "ordinary")].set_index("group")["estimate"]
    for arm in ("ips", "control"):
        assert f"{100 * last[arm]:.1f}" in plain(card)[:200]


@pytest.mark.parametrize("side", SIDES)
def test_for_whom_says_what_its_tables_say(made: Path, side: str):
    source = (made / side / "report.html").read_text(encoding="utf-8")
    section = Page("<main>" + re.search(r'<section id="subgroups">.*?</section>', source, re.S)[0] + "</main>")
    effects = pd.read_csv(made / side / "tables" / "subgroup_effects.csv")
    tests = effects[effects["measure"] == "interaction"]
    assert tests["tests"].dropna().eq(len(tests.dropna(subset=["p_value"]))).all()
    cells = next((c, t) for c, t in section.tables if c.startswith("Do the effects differ"))
    assert cells[0].endswith(f"Tests in the family: {int(tests['tests'].max())}")
    shown = [row for row in cells[1][1:] if len(row) > 1]
    for row, (_, r) in zip(shown, tests.iterrows(), strict=True):
        assert row[0] == f"{r['level']} against {r['compared_with']}"
        numbers = [float(x) for x in re.findall(r"-?[\d.]+", plain(row[1]))]
        assert np.allclose(numbers, [100 * r[c] for c in ("estimate", "conf_low", "conf_high")], atol=0.0501)
        for cell, column in zip(row[2:5], ("p_value", "p_adjusted", "p_holm"), strict=True):
            assert float(cell.replace("<", "")) == pytest.approx(r[column], abs=0.00051)
    if (tests["p_adjusted"] >= 0.05).all():
        assert f"No difference between groups beyond chance after {len(shown)} tests" in section.text
    else:
        found = tests[tests["p_adjusted"] < 0.05]
        assert all(f"in {r['level']} than in {r['compared_with']}" in section.text for _, r in found.iterrows())
    assert "significant in one group and not in another is no sign" in section.text
    raw = next(t for c, t in section.tables if c.startswith("Effects within groups"))
    rows = effects[(effects["measure"] == "risk_difference") & effects["shrunken"].notna()]
    drawn = {row[0].split("few events")[0]: row[4] for row in raw[1:] if len(row) > 1}
    for _, r in rows.iterrows():
        assert plain(drawn[r["level"]]).startswith(f"{100 * r['shrunken']:.1f}"), r["level"]
    assert 'id="figure-subgroup_forest"' in source
    # curves of levels with 20 people in each arm, where there are such
    curves = pd.read_csv(made / side / "tables" / "subgroup_rates_by_month.csv")
    large = curves[curves["n"] > 19].groupby(["subgroup", "level"])["group"].nunique().eq(2).any()
    assert ('id="figure-subgroup_curves"' in source) == large


def test_one_arm_has_no_comparison(one_arm: Path):
    for side in SIDES:
        assert not list((one_arm / side).rglob("*contrast*")) and not list((one_arm / side).rglob("*difference*"))
        assert not list((one_arm / side).rglob("*hazard*")) and not list((one_arm / side).rglob("balance*"))
        text = (one_arm / side / "report.html").read_text(encoding="utf-8")
        page = Page(text)
        assert "The arms compared" not in page.text and "Hazard ratio" not in page.text
        for section in re.findall(r"<section.*?</section>", text, re.S):
            assert len(re.sub(r"<h2>.*?</h2>|<[^>]*>|\s", "", section, flags=re.S)) > 40, section[:200]


@pytest.mark.parametrize("participants", [20, pytest.param(3000, marks=pytest.mark.slow)])
def test_small_and_large_studies_run(tmp_path: Path, participants: int):
    page = ips.write_report(ips.simulate_study(tmp_path / "study", participants=participants), tmp_path / "out")
    assert "Everybody who was included: " + f"{participants:,}".replace(",", "\u202f") + "." in page.read_text(encoding="utf-8")


# ---------------------------------------------------------------------- page
class Page(HTMLParser):
    """Everything of a page that these tests ask for; raises where a tag is not closed."""

    VOID = frozenset({"meta", "link", "img", "source", "br", "hr", "input"})

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.text, self.title = "", ""
        self.tables: list[tuple[str, list[list[str]]]] = []
        self._caption: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append(("", []))
        if tag == "tr":
            self.tables[-1][1].append([])
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] == "title":
            self.title += data
        if "caption" in self.open:
            self.tables[-1] = (self.tables[-1][0] + data, self.tables[-1][1])
        elif {"td", "th"} & set(self.open):
            self.tables[-1][1][-1][-1] += data


@pytest.fixture(params=[(s, o) for s in SIDES for o in ("made", "one_arm")], ids=lambda p: "-".join(p))
def source(request: pytest.FixtureRequest) -> str:
    side, out = request.param
    return (request.getfixturevalue(out) / side / "report.html").read_text(encoding="utf-8")


def test_page_is_sound(source: str):
    page = Page(source)
    tags = page.tags
    assert source.startswith("<!DOCTYPE html>")
    assert dict(tags)["html"]["lang"] == "en"
    assert all(a.get("alt") for t, a in tags if t == "img") and any(t == "img" for t, _ in tags)
    assert page.headings.count(1) == 1 and page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    ids = Counter(a["id"] for _, a in tags if "id" in a)
    assert max(ids.values()) == 1
    local = [a["href"][1:] for t, a in tags if t == "a" and (a["href"] or "").startswith("#")]
    assert local and not set(local) - set(ids)
    assert sum(t == "table" for t, _ in tags) == sum(t == "caption" for t, _ in tags) == len(page.tables)
    assert all(caption.strip() for caption, _ in page.tables)
    assert all(a.get("scope") in ("col", "row", "rowgroup") for t, a in tags if t == "th")
    for _, rows in page.tables:
        assert len({len(r) for r in rows if len(r) > 1}) == 1


def test_page_loads_nothing_and_names_no_place(source: str, made: Path):
    for tag, attributes in Page(source).tags:
        for name in ("src", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, name)
        if tag in ("link", "a"):
            assert not re.match("(https?:)?//", attributes["href"] or "")
        assert tag not in ("script", "iframe", "object", "embed")
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert str(made.parent) not in source and "/tmp/" not in source and "/home/" not in source


def test_files_that_the_page_links_to_exist(made: Path, one_arm: Path):
    for out in (made, one_arm):
        for side in SIDES:
            page = Page((out / side / "report.html").read_text(encoding="utf-8"))
            links = [a["href"] for t, a in page.tags if t == "a" and not (a["href"] or "").startswith("#")]
            assert links and all((out / side / link).is_file() for link in links)


def test_titles_are_escaped(made: Path):
    source = (made / "release" / "report.html").read_text(encoding="utf-8")
    assert "<b>&amp; " not in source and "Trial &lt;b&gt;&amp;amp;" in source
    assert Page(source).title.strip() == 'Trial <b>&amp; "friends"'


def test_banners(made: Path):
    internal, release = ((made / s / "report.html").read_text(encoding="utf-8") for s in SIDES)
    assert "must not leave" in internal and "must not leave" not in release
    assert "people in this study are invented" in internal and "people in this study are invented" in release


# ------------------------------------------------------------------ manifest
def test_manifest_names_every_input(study: Path, made: Path):
    for side in SIDES:
        manifest = json.loads((made / side / "manifest.json").read_text(encoding="utf-8"))
        inputs = {p.relative_to(study.parent).as_posix(): folders.sha256(p) for p in (study.parent / "extracts").iterdir()}
        assert inputs == manifest["inputs_sha256"]
        assert manifest["study_file_sha256"] == hashlib.sha256(study.read_bytes()).hexdigest()
        assert manifest["seed"] == 7 and manifest["ips_outcomes"] == ips.__version__
        assert manifest["packages"]["numpy"] == np.__version__ and manifest["python"] and manifest["disclosure_profile"] == "none"
        assert ("made" in manifest) == ("seconds" in manifest) == (side == "internal")
