"""The internal sheets (quality, codebook, comparison) in a browser: from disk, light and dark, wide, on a phone and on paper."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from test_browser import CONTRAST, browser, opened, pytestmark, sync_api  # noqa: F401

import ips_outcomes as ips
from ips_outcomes.reporting.changes import compare_deliveries, write_changes
from ips_outcomes.reporting.checking import check_study, write_check
from ips_outcomes.reporting.export import export_study

TEXTS = ["body", ".banner", "h1", "h2", "h3", ".kind", ".question", ".card p", ".card .of", ".card .value", "a", "td", "th", ".badge",
         ".below", "caption span", "summary", ".note", ".alerts li", "footer p"]  # fmt: skip
PAGES = ["quality", "severe", "problems", "codebook", "compare"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("sheets")
    first = ips.simulate_study(place / "first", seed=7, participants=60)
    second = Path(shutil.copytree(first.parent, place / "second")) / "study.toml"
    sorted(second.parent.glob("extracts/ameld_statdata_2016_m3.dta"))[0].unlink()
    text = second.read_text(encoding="utf-8")
    second.write_text(text.replace('label = "Ordinary work"', 'label = "Ordinary job"'), encoding="utf-8")
    broken = Path(shutil.copytree(first.parent, place / "broken")) / "study.toml"
    (broken.parent / "extracts" / "f_demo.csv").write_bytes(b"")
    (broken.parent / "extracts" / "f_jobber.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    studies = [ips.load_study(p) for p in (first, second, broken)]
    sound = check_study(studies[0])
    assert sound.cohort is not None
    # as the loaders tell it where they count every file
    table = sound.cohort.reconciliation
    sound = dataclasses.replace(
        sound, cohort=dataclasses.replace(sound.cohort, reconciliation=table.assign(file=table["source"] + ".csv"))
    )
    return {
        "quality": write_check(sound, place / "q"), "severe": write_check(check_study(studies[1]), place / "s"),
        "problems": write_check(check_study(studies[2]), place / "p"),
        "codebook": export_study(studies[0], place / "e", ["csv"]).parent / "codebook.html",
        "compare": write_changes(compare_deliveries(*studies[:2]), place / "c"),
    }  # fmt: skip


@pytest.mark.parametrize("width", [1200, 375])
@pytest.mark.parametrize("name", PAGES)
def test_opens_from_disk_and_fits(browser: sync_api.Browser, pages: dict[str, Path], name: str, width: int):  # noqa: F811
    tab, said, asked = opened(browser, pages[name], width)
    tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("table").count() >= 1
    assert said == []
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    targets = tab.evaluate(
        "[...document.querySelectorAll('nav a, .skip')].map(a => !!document.querySelector(a.getAttribute('href')))"
    )
    assert targets and all(targets)
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_contrast(browser: sync_api.Browser, pages: dict[str, Path], name: str, scheme: str):  # noqa: F811
    tab, _, _ = opened(browser, pages[name], scheme=scheme)
    for selector in TEXTS:
        for contrast, text in tab.evaluate(CONTRAST, selector):
            assert contrast >= 4.5, (selector, text, contrast)
    tab.close()


def test_on_a_phone_each_finding_names_its_numbers(browser: sync_api.Browser, pages: dict[str, Path]):  # noqa: F811
    tab, _, _ = opened(browser, pages["quality"], 375)
    # column names before the values, and nothing to scroll sideways for
    labels = tab.evaluate("""() => [...document.querySelectorAll('table.stacked td')].slice(0, 4)
        .map(e => getComputedStyle(e, '::before').content.replaceAll('"', ''))""")
    assert labels == ["Severity", "Count", "Of", "Share"]
    assert tab.evaluate("[...document.querySelectorAll('.scroll:has(table.stacked)')].every(e => e.scrollWidth <= e.clientWidth)")
    # readers of the screen still meet a table
    assert tab.get_by_role("table").count() >= 1 and tab.get_by_role("cell").count() > 4
    tab.close()


@pytest.mark.parametrize("name", PAGES)
def test_paper_is_white_and_shows_what_is_folded(browser: sync_api.Browser, pages: dict[str, Path], name: str):  # noqa: F811
    tab, _, _ = opened(browser, pages[name], scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    hidden = tab.evaluate(
        "[...document.querySelectorAll('h2, .card, details table, td, .badge')].filter(e => e.textContent.trim() && !e.checkVisibility()).length"
    )
    assert hidden == 0
    tab.close()
