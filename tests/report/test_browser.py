"""The report in a real browser: Debian's Chromium, driven by playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compared import report, row, times
from stories import hostile, story

from bench.analysis.compare import compare
from bench.report.comparison_formats import render
from bench.report.html import html

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html(story()), encoding="utf-8")
    return path.as_uri()


def opened(browser: Any, address: str, **options: Any) -> Any:
    """A page whose console must stay silent and whose requests must stay on this machine."""
    page = browser.new_context(**options).new_page()
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda request: page.trouble.append(request.url) if request.url != address else None)
    page.goto(address)
    return page


def column(page: Any, number: int) -> list[str]:
    """The texts of the visible rows of a column of the claims."""
    cells = page.locator(f"#verdicts tbody tr:visible td:nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_page_opens_without_a_complaint_and_without_the_network(browser: Any, address: str):
    page = opened(browser, address)
    assert page.title() == "6 cases of 3 benchmarks on Test CPU with torch 2.13.0 (tier smoke)"
    assert page.inner_text("output") == "7 of 7"
    assert page.trouble == []


def test_claims_are_sorted_by_any_column_and_back(browser: Any, address: str):
    page = opened(browser, address)
    assert column(page, 1)[0] == "refuted"
    page.click("#verdicts th:nth-child(3) button")
    assert column(page, 3) == sorted(column(page, 3))
    assert page.get_attribute("#verdicts th:nth-child(3)", "aria-sort") == "ascending"
    page.click("#verdicts th:nth-child(3) button")
    assert column(page, 3) == sorted(column(page, 3), reverse=True)
    assert page.get_attribute("#verdicts th:nth-child(3)", "aria-sort") == "descending"


def test_effects_are_sorted_by_size_and_not_by_spelling(browser: Any, address: str):
    page = opened(browser, address)
    page.click("#verdicts th:nth-child(5) button")
    page.click("#verdicts th:nth-child(5) button")
    assert [text for text in column(page, 5) if text] == ["+4.1 % [3.6, 4.7]", "+2.0 % [-0.5, 4.6]", "0 %"]


def test_claims_are_filtered_by_suite_verdict_and_text(browser: Any, address: str):
    page = opened(browser, address)
    page.select_option("select[name=verdict]", "confirmed")
    assert set(column(page, 1)) == {"confirmed"}
    page.fill("input[name=q]", "C5 bias_before")
    assert column(page, 3) == ["C5"]
    assert page.inner_text("output") == "1 of 7"
    page.select_option("select[name=suite]", "conv")
    assert len(column(page, 1)) == 1
    page.fill("input[name=q]", "no such thing")
    assert column(page, 1) == []


def test_what_is_shown_is_in_the_address_and_comes_back_with_it(browser: Any, address: str):
    page = opened(browser, address)
    page.select_option("select[name=verdict]", "undecided")
    page.fill("input[name=q]", "c=64")
    page.click("#verdicts th:nth-child(6) button")
    shared = page.url
    assert shared.endswith("?verdict=undecided&q=c%3D64&sort=5")
    again = browser.new_page()
    again.goto(shared)
    assert again.input_value("input[name=q]") == "c=64"
    assert column(again, 6) == ["out of memory"]
    assert again.get_attribute("#verdicts th:nth-child(6)", "aria-sort") == "ascending"


def test_the_keyboard_sorts_and_opens(browser: Any, address: str):
    page = opened(browser, address)
    page.focus("#verdicts th:nth-child(1) button")
    page.keyboard.press("Enter")
    assert page.get_attribute("#verdicts th:nth-child(1)", "aria-sort") == "ascending"
    page.focus("details summary")
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_without_javascript_everything_is_there_unsorted(browser: Any, address: str):
    page = opened(browser, address, java_script_enabled=False)
    assert page.locator("#filter").is_hidden()
    assert len(column(page, 1)) == 7
    page.click("details summary")
    assert page.locator("details[open] svg").first.is_visible()


def colours(page: Any, selector: str) -> tuple[float, float]:
    """Luminance of text and paper, each from 0 to 255."""
    script = """e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]
        .map(c => c.match(/\\d+/g).slice(0, 3).map(Number)).map(([r, g, b]) => .2126 * r + .7152 * g + .0722 * b)"""
    ink, paper = page.locator(selector).first.evaluate(script)
    return ink, paper


@pytest.mark.parametrize("selector", ["body", ".refuted", ".undecided", ".confirmed", ".quiet", "a[href^='#b']"])
def test_text_stands_out_in_light_and_in_dark(browser: Any, address: str, selector: str):
    ink, paper = colours(opened(browser, address, color_scheme="light"), selector)
    assert paper - ink > 100
    ink, paper = colours(opened(browser, address, color_scheme="dark"), selector)
    assert ink - paper > 100


def test_print_opens_what_is_folded_and_leaves_the_controls_away(browser: Any, address: str):
    page = opened(browser, address, color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("#filter").is_hidden()
    ink, paper = colours(page, "body")
    assert (ink, paper) == pytest.approx((0, 255))
    assert len(page.pdf(format="A4")) > 10_000


def test_nothing_is_cut_off_on_a_telephone(browser: Any, address: str):
    page = opened(browser, address, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#verdicts td:nth-child(6)").first.bounding_box()["width"] > 200


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "comparison.html"
    slower = report(row(times(2.4e-3, seed=3)), row(times(), case="matmul/bmm[n=1]/bmm@cpu"), name="slower")
    reports = [report(row(times()), name="base"), report(row(times(seed=2)), name="new"), slower]
    path.write_text(render(compare(reports), "html", {"worse"}), encoding="utf-8")
    return path.as_uri()


def test_a_comparison_opens_sorts_and_filters_without_a_complaint(browser: Any, comparison: str):
    page = opened(browser, comparison)
    assert page.title() == "base against slower, and 1 between"
    assert column(page, 1) == ["worse", "new", "same"]
    assert page.locator("#verdicts tr:first-child td:nth-child(4) svg").count() == 1
    assert page.locator(".heat td.up2").inner_text().startswith("+19.8 %!")
    page.select_option("select[name=suite]", "matmul")
    assert column(page, 1) == ["new"]
    assert page.url.endswith("?suite=matmul")
    page.select_option("select[name=suite]", "")
    page.click("#verdicts th:nth-child(1) button")
    page.click("#verdicts th:nth-child(1) button")
    assert column(page, 1) == ["same", "new", "worse"]
    assert page.trouble == []


@pytest.mark.parametrize("width", [390, 1100])
def test_a_comparison_fits_a_telephone_and_a_window(browser: Any, comparison: str, width: int):
    page = opened(browser, comparison, viewport={"width": width, "height": 800}, java_script_enabled=False)
    assert page.locator("#filter").is_hidden()
    table = page.locator("#verdicts").bounding_box()
    assert table["x"] + table["width"] <= width


def test_changes_stand_out_in_light_and_in_dark(browser: Any, comparison: str):
    for scheme, sign in (("light", 1), ("dark", -1)):
        for selector in (".worse", ".new", ".heat td.up2"):
            ink, paper = colours(opened(browser, comparison, color_scheme=scheme), selector)
            assert sign * (paper - ink) > 100


def test_hostile_names_run_nothing(browser: Any, tmp_path: Path):
    path = tmp_path / "hostile.html"
    path.write_text(html(hostile()), encoding="utf-8")
    page = opened(browser, path.as_uri())
    assert page.trouble == []
    assert page.locator("script").count() == 1
    assert "<script>alert(1)</script>" in page.inner_text("h1")
