"""The page in a browser: opens from disk, loads nothing, can be read in light and dark, wide and narrow, and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ips_outcomes as ips

CHROMIUM = Path("/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="/usr/bin/chromium is not installed"),
    # the browser's pipes are closed by the interpreter, later than pytest looks
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

#: Contrast of each element's text against the first ground under it that is not transparent.
CONTRAST = """selector => [...document.querySelectorAll(selector)].filter(e => e.textContent.trim()).map(e => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  let ground = e;
  while (ground && (rgb(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const [a, b] = [rgb(getComputedStyle(e).color), ground ? rgb(getComputedStyle(ground).backgroundColor) : [255, 255, 255]].map(light);
  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)];
})"""
TEXTS = ["body", ".banner", "h1", "h2", "h3", ".kind", ".question", ".card p", ".card .of", ".card .value", ".plain", "a",
         "td", "th", "caption span", "figcaption", "dt", "dd p", "summary", ".note", "pre code", "li", "footer p"]  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("browser")
    ips.write_report(ips.simulate_study(place / "study", seed=7, participants=60), place / "out")
    return place / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


def opened(
    browser: sync_api.Browser, page: Path, width: int = 1200, scheme: str = "light"
) -> tuple[sync_api.Page, list[str], list[str]]:
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    return tab, said, asked


@pytest.mark.parametrize("side", ["internal", "release"])
@pytest.mark.parametrize("width", [1200, 375])
def test_opens_from_disk_and_fits(browser: sync_api.Browser, report: Path, side: str, width: int):
    tab, said, asked = opened(browser, report / side / "report.html", width)
    pictures = tab.evaluate("""() => [...document.images].map(i => {
        const box = i.getBoundingClientRect();
        return [i.complete, i.naturalWidth, i.naturalHeight, box.width, box.height, box.right]; })""")
    assert len(pictures) >= 5
    assert all(done and min(sizes[:4]) > 0 and sizes[4] <= width for done, *sizes in pictures)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    tab.close()


def test_folded_tables_fit_a_phone(browser: sync_api.Browser, report: Path):
    tab, _, _ = opened(browser, report / "release" / "report.html", 375)
    tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    tab.close()


def test_tab_reaches_what_can_be_used(browser: sync_api.Browser, report: Path):
    tab, _, _ = opened(browser, report / "release" / "report.html", 375)
    reached = []
    for _ in range(200):
        tab.keyboard.press("Tab")
        what = tab.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.tagName + '.' + e.className, e.getAttribute('href') || e.getAttribute('aria-label'),
                    e.getBoundingClientRect().left >= 0, s.outlineStyle !== 'none' || s.boxShadow !== 'none']; }""")
        if what[0].startswith("BODY"):
            break
        reached.append(what)
    assert reached[0][:3] == ["A.skip", "#findings", True]
    assert all(seen for *_, seen in reached), "focus can be seen"
    links = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert set(links) <= {name for _, name, *_ in reached}
    tables = tab.evaluate("[...document.querySelectorAll('.scroll')].filter(e => !e.closest('details')).map(e => e.ariaLabel)")
    assert set(tables) <= {name for what, name, *_ in reached if what == "DIV.scroll"}
    assert sum(what.startswith("SUMMARY") for what, *_ in reached) == tab.locator("summary").count()
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("side", ["internal", "release"])
def test_contrast(browser: sync_api.Browser, report: Path, side: str, scheme: str):
    tab, _, _ = opened(browser, report / side / "report.html", scheme=scheme)
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    for selector in TEXTS:
        for contrast, text in tab.evaluate(CONTRAST, selector):
            assert contrast >= 4.5, (selector, text, contrast)
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_shows_all_that_matters(browser: sync_api.Browser, report: Path, scheme: str):
    tab, _, _ = opened(browser, report / "release" / "report.html", scheme=scheme)
    tab.emulate_media(media="print", color_scheme=scheme)
    hidden = tab.evaluate("""() => [...document.querySelectorAll('h1, h2, h3, .banner, .card, .plain, dd, img, figcaption, table, td, p.note, li, pre')]
        .filter(e => !e.closest('nav') && e.textContent.trim() + e.tagName !== 'TD')
        .filter(e => !e.checkVisibility() || (e.tagName !== 'TD' && e.getBoundingClientRect().height === 0))
        .map(e => e.tagName + ' ' + e.textContent.slice(0, 40))""")
    assert hidden == []
    for selector in ("body", ".banner", "td", ".card p"):
        assert all(contrast >= 4.5 for contrast, _ in tab.evaluate(CONTRAST, selector))
    # dark grounds waste ink: paper is white whatever the screen was
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowX === 'visible')")
    tab.close()
