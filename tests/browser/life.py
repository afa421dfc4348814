"""Annotators' lives on the page, by mouse, by keyboard, by touch, through a ban, reloads and lost connections.

The campaign asks for an age and a sex, has suites of 4, 2 practice tasks, and bans who answers 55 eight times in a row.
"""

from pathlib import Path

from person import PRACTICE, SUITE, URL, Person, expect, run


def by_mouse(browser):
    p = Person(browser, "mouse", 1280, 800)
    p.page.goto(URL)
    p.page.fill("#birth-year", "19")
    p.page.check("#agree")
    p.press("button.main")
    expect(p.page.locator("#birth-year-problem")).not_to_be_empty()
    p.page.reload()
    p.start()
    p.task(1)
    p.look("task", fits=True)
    p.press(".key.next")
    expect(p.page.locator(".note")).to_contain_text("Still to answer")
    p.answer(130, 0)
    expect(p.page.locator(".note")).to_contain_text("0 to 120")
    expect(p.page.locator("input.number")).to_have_attribute("aria-invalid", "true")
    p.answer(104, 0)
    expect(p.page.locator(".note")).to_contain_text("104 years?")
    p.press(".key.next")
    p.task(2)
    p.answer(21, 1)
    p.task(3)
    p.press("button[aria-label=Back]")
    p.task(2)
    expect(p.page.locator("input.number")).to_have_value("21")
    p.answer(22, 1)
    p.task(3)
    p.press(".key.unsure")
    p.task(4)
    p.answer(40, 0)
    expect(p.page.locator(".answers li")).to_have_count(SUITE)
    p.look("review")
    p.press(".answers li >> nth=0 >> button")
    p.task(1)
    p.answer(64, 1)
    expect(p.page.locator(".answers li").first).to_contain_text("64 years, male")
    p.press("text=Send and take a break")
    expect(p.page.locator("h1")).to_have_text("A break")
    p.look("break")
    me = p.stored()
    assert (me["suites"], me["active"]) == (1, False), me
    p.press("footer >> text=My data")
    expect(p.page.locator(".data dl").first).to_be_visible()
    p.look("data")
    with p.page.expect_download() as download:
        p.press("text=Download")
    saved = Path(download.value.path()).read_text()
    for part in ('"age": 64', '"male"'):
        assert part in saved, saved
    p.press("button.danger")
    p.look("erase")
    p.press("dialog button.danger")
    expect(p.page.locator("h1")).to_have_text("Erased")
    p.page.reload()
    expect(p.page.locator("#agree")).to_be_visible()
    p.close()


def by_keyboard(browser):
    p = Person(browser, "keyboard", 1280, 800, dark=True)
    key = p.page.keyboard.press
    p.page.goto(URL)
    p.tab_to("#birth-year")
    p.page.keyboard.type("1980")
    p.tab_to("#agree")
    key("Space")
    p.tab_to("button.main")
    key("Enter")
    expect(p.page.locator("#agree")).to_have_count(0)
    p.look("instructions")
    p.tab_to("button.main")
    key("Enter")
    for place in (1, 2):
        p.task(place, PRACTICE)
        for k in ("Numpad3", "Digit4", "KeyF", "Enter"):
            key(k)
        expect(p.page.locator(".feedback")).to_be_visible()
        key("Enter")
    expect(p.page.locator(".sheet h1")).to_be_visible()
    p.tab_to("button.main")
    key("Enter")
    p.task(1)
    for k in ("Numpad1", "Numpad2", "Backspace", "Numpad7", "KeyM"):
        key(k)
    expect(p.page.locator("input.number")).to_have_value("17")
    p.look("task", fits=True)
    key("NumpadEnter")
    p.task(2)
    key("Shift+Backspace")
    p.task(1)
    key("ArrowRight")
    p.task(2)
    key("?")
    expect(p.page.locator("dialog[open]")).to_be_visible()
    p.look("help")
    key("Escape")
    expect(p.page.locator("dialog[open]")).to_have_count(0)
    expect(p.page.locator("input.number")).to_be_focused()
    # Sex by radio buttons, as a screen reader's user would.
    for k in ("Digit3", "Digit3", "Tab", "Space", "ArrowRight", "Enter"):
        key(k)
    p.task(3)
    for k in ("KeyS",):
        key(k)
    p.task(4)
    for k in ("Numpad4", "Numpad1", "NumpadDivide", "NumpadEnter"):
        key(k)
    answers = p.page.locator(".answers li")
    expect(answers.nth(0)).to_contain_text("17 years, male")
    expect(answers.nth(1)).to_contain_text("33 years, male")
    expect(answers.nth(2)).to_contain_text("Can’t tell")
    expect(answers.nth(3)).to_contain_text("41 years, female")
    key("Enter")
    p.task(1)
    assert p.stored()["suites"] == 1, p.stored()
    p.close()


def by_touch(browser):
    """At 360 × 640, with reloads and without a connection in the middle."""
    p = Person(browser, "touch", 360, 640, touch=True)
    p.start()
    p.task(1)
    p.look("task", fits=True)
    tall = p.page.evaluate("document.querySelector('.shown').offsetHeight / innerHeight")
    assert 0.25 < tall <= 0.6, tall
    small = p.page.evaluate("[...document.querySelectorAll('.keypad button')].filter(b => b.offsetHeight < 44 || b.offsetWidth < 44).length")
    assert small == 0, small
    p.answer(31, 0)
    p.task(2)
    for digit in "47":
        p.press(f'.key:text-is("{digit}")')
    # A reload in the middle of an answer.
    p.page.reload()
    p.task(2)
    expect(p.page.locator("input.number")).to_have_value("47")
    p.press(".label >> nth=1")
    p.press(".key.next")
    p.task(3)
    # The photos of the suite must have come before the connection goes.
    p.page.evaluate("navigator.serviceWorker.ready")
    p.page.wait_for_function(f"caches.open('veche-pictures').then((c) => c.keys()).then((k) => k.length >= {SUITE})")
    p.context.set_offline(True)
    p.answer(8, 0)
    p.task(4)
    # And one without a connection: page and photos come from the browser.
    p.page.reload()
    p.task(4)
    expect(p.page.locator(".note")).to_contain_text("No connection")
    p.look("offline", fits=True)
    p.answer(90, 1)
    expect(p.page.locator(".answers li")).to_have_count(SUITE)
    p.look("review")
    p.press("text=Send and go on")
    expect(p.page.locator("h1")).to_have_text("Saved here, not yet sent")
    p.look("unsent")
    p.context.set_offline(False)
    p.task(1)
    expect(p.page.locator(".note")).to_contain_text("4 answers sent.")
    me = p.stored()
    assert (me["suites"], me["active"]) == (1, True), me
    # The answer got lost on its way back: the same submission again changes nothing.
    for place in range(1, SUITE + 1):
        p.task(place)
        p.answer(10 + place, 0)
    expect(p.page.locator(".answers li")).to_have_count(SUITE)

    def lose(route):
        route.fetch()
        route.abort()

    p.page.route("**/api/annotator/submit", lose, times=1)
    p.press("text=Send and go on")
    p.task(1)
    assert p.stored()["suites"] == 2, p.stored()
    p.press("[aria-haspopup=dialog]")
    p.look("menu")
    p.press("dialog >> text=Give this suite back")
    expect(p.page.locator("h1")).to_have_text("A break")
    assert p.stored()["active"] is False
    p.close()


def banned(browser):
    """Answers always the same, in Russian, until there is nothing more; the end says nothing of why."""
    p = Person(browser, "banned", 360, 640, touch=True, dark=True, locale="ru")
    p.start()
    for suite in range(6):
        for place in range(1, SUITE + 1):
            p.task(place)
            if suite == 0 and place == 1:
                p.look("task", fits=True)
            p.answer(55, 0)
        expect(p.page.locator(".answers li")).to_have_count(SUITE)
        p.press(".actions .main")
        p.page.wait_for_selector(".task, .sheet:not(.review)")
        if p.page.locator(".task").count() == 0:
            break
    expect(p.page.locator("h1")).to_have_text("Спасибо")
    text = p.page.inner_text("body").lower()
    assert not any(word in text for word in ("бан", "заблок", "ошиб", "контрол")), text
    p.look("end")
    p.page.reload()
    p.page.wait_for_selector(".sheet")
    if p.page.locator("button.main").count():
        p.press("button.main")
    expect(p.page.locator("h1")).to_have_text("Спасибо")
    p.close()


def broken_photo(browser):
    """A photo that does not load is answered as such, and the others as ever."""
    p = Person(browser, "photo", 360, 640, touch=True)
    p.start(look=False)
    p.task(1)
    p.context.close()

    p = Person(browser, "photo", 360, 640, touch=True)
    p.context.route("**/picture/*", lambda route: route.abort())
    p.page.goto(URL)
    p.page.check("#agree")
    p.press("button.main")
    expect(p.page.locator("#agree")).to_have_count(0)
    p.press("button.main")
    expect(p.page.locator(".broken button").first).to_be_visible()
    p.look("broken")
    p.context.unroute("**/picture/*")
    p.press("text=Try again")
    p.task(1, PRACTICE)
    p.close()


run((by_mouse, by_keyboard, by_touch, banned, broken_photo))
