"""A report in a browser: wide, narrow, dark and on paper; by click and by keyboard; axe-core finds nothing serious.

Arguments: path of report.html, path of chromium, folder for screenshots. Exits with 1 and says what differs.
"""

import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

PAGE, CHROMIUM, SHOTS = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3])
AXE = Axe()


def open_page(browser, name, width, height, dark=False, paper=False):
    """The report in a window of its own, looked at whole."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page = context.new_page()
    faults, asked = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: m.type in ("error", "warning") and faults.append(m.text))
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or asked.append(r.url))
    page.goto(PAGE.as_uri())
    if paper:
        page.emulate_media(media="print")
    page.screenshot(path=SHOTS / f"report-{name}.png", full_page=not paper)
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, f"{name}: {over} pixels too wide"
    found = AXE.run(page).response["violations"]
    serious = [(v["id"], [n["target"] for n in v["nodes"]][:5]) for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, f"{name}: {serious}"
    assert not faults, f"{name}: {faults}"
    assert not asked, f"{name}: asks for {asked}"
    return page


def cells(page, table, column):
    return page.evaluate(
        "([t, c]) => [...document.querySelectorAll('table.sortable')[t].tBodies[0].rows].map(r => r.cells[c].dataset.sort)",
        [table, column],
    )


def number(text):
    return float(text) if text else None


def sorts_by_click_and_keyboard(page):
    """The methods' table: by a click on its errors, and back by the keyboard alone."""
    table = page.evaluate(
        "[...document.querySelectorAll('table.sortable')].findIndex(t => t.caption.textContent.startsWith('Methods on the controls'))"
    )
    assert table >= 0
    head = page.locator("table.sortable").nth(table).locator("thead th").nth(1)
    before = [number(v) for v in cells(page, table, 1)]
    assert before == sorted(before), before
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    down = [number(v) for v in cells(page, table, 1)]
    assert down == sorted(before, reverse=True), down
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [number(v) for v in cells(page, table, 1)] == before


def opens_by_keyboard(page):
    """A table behind a picture."""
    folded = page.locator("details.behind").first
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.evaluate("d => d.open")
    assert folded.locator("tbody tr").first.is_visible()


def tells_numbers_on_hover(page):
    bare = page.evaluate(
        "[...document.querySelectorAll('svg.chart.wide')].filter(s => s.querySelector('.dot,.bar,.fill') && "
        "![...s.querySelectorAll('.dot title,.bar title,.fill title')].some(t => /[0-9]/.test(t.textContent))).map(s => s.id)"
    )
    assert not bare, f"no numbers on hover: {bare}"


def fits_on_paper(page):
    """Nothing that is printed is cut off at the right edge of A4."""
    pdf = page.pdf(prefer_css_page_size=True, path=SHOTS / "report.pdf")
    assert pdf.startswith(b"%PDF")
    page.set_viewport_size({"width": 680, "height": 1000})
    wide = page.evaluate(
        "[...document.querySelectorAll('main table, main svg, main figure')].filter(e => e.checkVisibility() && "
        "e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => (e.caption?.textContent ?? e.id) + ' ' + Math.round(e.getBoundingClientRect().right))"
    )
    assert not wide, f"too wide for paper: {wide}"


def main():
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = open_page(browser, "wide", 1280, 800)
        sorts_by_click_and_keyboard(page)
        opens_by_keyboard(page)
        tells_numbers_on_hover(page)
        open_page(browser, "narrow", 360, 640)
        open_page(browser, "dark", 1280, 800, dark=True)
        fits_on_paper(open_page(browser, "paper", 680, 1000, paper=True))
        browser.close()
    print("held")


main()
