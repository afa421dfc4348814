"""A requester's day on the dashboard, and what an annotator notices of it.

The campaign of life.py with the votes of a few annotators in it; the password is that of the tests.
"""

import re
from pathlib import Path

from person import SUITE, URL, Person, expect, run

PASSWORD = "a password of tests"


def sign_in(p, look=False):
    p.page.goto(f"{URL}/requester")
    expect(p.page.locator("#password")).to_be_focused()
    if look:
        p.look("login")
        p.page.fill("#password", "something else")
        p.page.keyboard.press("Enter")
        expect(p.page.locator(".note")).to_have_text("This is not the password.")
    p.page.fill("#password", PASSWORD)
    p.page.keyboard.press("Enter")
    expect(p.page.locator(".quality svg").first).to_be_visible()


def number(p, name):
    text = p.page.locator(f"dl.totals div:has(dt:text-is('{name}')) dd").inner_text()
    return int(re.match(r"[\d,]+", text).group().replace(",", ""))


def saved(p, words):
    with p.page.expect_download() as download:
        p.page.get_by_role("link", name=words, exact=True).click()
    return Path(download.value.path()).read_text()


def suite(p, age):
    for place in range(1, SUITE + 1):
        p.task(place)
        p.answer(age + place, 0)
    expect(p.page.locator(".answers li")).to_have_count(SUITE)
    p.press(".actions .main")


def a_day(browser):
    p = Person(browser, "requester", 1280, 800)
    sign_in(p, look=True)
    expect(p.page.locator("dl.totals")).to_contain_text("Error on controls")
    expect(p.page.locator(".hours")).to_be_visible()
    expect(p.page.locator(".card svg").first).to_be_visible()
    p.page.locator(".card img").first.scroll_into_view_if_needed()
    p.page.wait_for_function("[...document.querySelectorAll('.card img')].slice(0, 3).every((i) => i.naturalWidth > 0)")
    p.page.wait_for_function("document.querySelector('.card').textContent.includes('truth')")
    p.page.evaluate("scrollTo(0, 0)")
    p.look("board")
    # The whole of it, as the requester scrolls through.
    height = p.page.evaluate("document.documentElement.scrollHeight")
    p.page.set_viewport_size({"width": 1280, "height": height})
    p.look("whole")
    p.page.set_viewport_size({"width": 1280, "height": 800})

    # Somebody works, and the board shows it by itself.
    before = number(p, "Votes")
    other = Person(browser, "watched", 360, 640, touch=True)
    other.start(look=False)
    name = other.stored()["annotator"][:8]
    suite(other, 30)
    other.task(1)
    p.page.wait_for_function(
        "n => parseInt(document.querySelector('dl.totals dd').textContent.replaceAll(',', '')) >= n", arg=before + SUITE - 1
    )

    # A message arrives with the next suite.
    p.page.reload()
    row = p.page.locator(f"[aria-label=Annotators] tr:has-text('{name}')")
    row.get_by_role("button", name=f"Write to {name}").click()
    p.page.click("dialog >> text=Send")
    expect(p.page.locator("dialog .note")).to_have_text("Nothing is written yet.")
    p.page.fill("#message", "Thank you!\nPlease look at the eyes, too.")
    p.look("write")
    p.page.click("dialog >> text=Send")
    expect(p.page.locator("dialog")).to_have_count(0)
    suite(other, 40)
    expect(other.page.locator("dialog[open]")).to_contain_text("look at the eyes")
    other.look("message")
    other.press("dialog >> text=Close")
    expect(other.page.locator("dialog")).to_have_count(0)
    other.task(1)

    # A ban ends the work, in words that say nothing; lifted, it goes on.
    row.get_by_role("button", name=f"Ban {name}").click()
    p.page.fill("#comment", "a test of the day")
    p.look("ban")
    p.page.click("dialog .danger")
    expect(row).to_contain_text("banned by requester: a test of the day")
    suite_is_gone(other)
    row.get_by_role("button", name=f"Lift the ban of {name}").click()
    p.page.click("dialog .main >> text=Lift")
    expect(row).not_to_contain_text("banned by")
    other.page.reload()
    other.page.wait_for_selector(".sheet button.main")
    other.press("button.main")
    other.task(1)
    other.close()

    p.page.click("text=Invite")
    expect(p.page.locator("#link")).to_have_value(re.compile(r"/\?invitation=[0-9a-f]{24}$"))
    p.look("invitation")
    p.page.keyboard.press("Escape")
    expect(p.page.locator("dialog")).to_have_count(0)

    labels = saved(p, "Labels")
    assert labels.splitlines()[0].startswith("item,"), labels[:200]
    assert len(saved(p, "Votes").splitlines()) > 50
    assert "<title>" in saved(p, "Report")

    p.page.reload()
    log = p.page.locator("[aria-label=Log]")
    for words in ("signed in", "wrong password", "message sent", "banned", "ban lifted", "invitation made", "export"):
        expect(log).to_contain_text(words)
    p.page.click("text=Sign out")
    expect(p.page.locator("#password")).to_be_visible()
    p.page.reload()
    expect(p.page.locator("#password")).to_be_visible()
    p.close()


def suite_is_gone(p):
    """The suite in hand was taken back: sending it leads to the end."""
    for place in range(1, SUITE + 1):
        p.task(place)
        p.answer(50 + place, 1)
    expect(p.page.locator(".answers li")).to_have_count(SUITE)
    p.press(".actions .main")
    p.page.wait_for_selector(".sheet:not(.review) button.main")
    p.press("button.main")
    expect(p.page.locator("h1")).to_have_text("Thank you")


def on_a_phone(browser):
    p = Person(browser, "requester-phone", 360, 640, touch=True, dark=True)
    sign_in(p)
    p.look("board")
    height = p.page.evaluate("document.documentElement.scrollHeight")
    p.page.set_viewport_size({"width": 360, "height": height})
    p.look("whole")
    p.close()


run((a_day, on_a_phone))
