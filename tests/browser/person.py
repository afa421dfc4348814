"""A person with a browser of their own, and eyes for what keeps people out (axe-core).

Arguments of the scripts that use it: address of a running `veche serve`, path of chromium, folder for screenshots.
"""

import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

URL, CHROMIUM, SHOTS = sys.argv[1], sys.argv[2], Path(sys.argv[3])
SUITE, PRACTICE = 4, 2
AXE = Axe()
# A busy machine takes its time; nothing here is about speed.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


class Person:
    """A browser of one's own. Anything that goes wrong in the page is remembered."""

    def __init__(self, browser, name, width, height, touch=False, dark=False, locale="en"):
        self.name, self.touch, self.shots, self.faults = name, touch, 0, []
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=touch,
            is_mobile=touch,
            color_scheme="dark" if dark else "light",
            locale=locale,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda m: "Content Security Policy" in m.text and self.faults.append(m.text))

    def close(self):
        assert not self.faults, f"{self.name}: {self.faults}"
        self.context.close()

    def look(self, what, fits=False):
        """Keeps a picture, and has axe-core look for anything serious. `fits`: nothing may need scrolling."""
        self.shots += 1
        self.page.screenshot(path=SHOTS / f"{self.name}-{self.shots:02}-{what}.png")
        found = AXE.run(self.page).response["violations"]
        serious = [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]
        assert not serious, f"{self.name}, {what}: {serious}"
        over = self.page.evaluate(
            "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
        )
        assert over[0] <= 0, f"{self.name}, {what}: {over[0]} pixels too wide"
        assert not fits or over[1] <= 0, f"{self.name}, {what}: {over[1]} pixels too high"

    def press(self, selector):
        (self.page.tap if self.touch else self.page.click)(selector)

    def tab_to(self, selector):
        """Moves the focus by Tab alone."""
        for _ in range(60):
            if self.page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{self.name}: Tab does not lead to {selector}")

    def task(self, place, total=SUITE):
        expect(self.page.locator(".bar h1")).to_contain_text(f"{place} / {total}")
        expect(self.page.locator(".shown img")).to_be_visible()

    def answer(self, age, sex):
        """By the means of this person; sex is 0 or 1."""
        for digit in str(age):
            self.press(f'.key:text-is("{digit}")')
        self.press(f".label >> nth={sex}")
        self.press(".key.next")

    def stored(self):
        return self.page.evaluate(
            "async () => (await fetch('/api/annotator/me', {headers: {'X-Veche': '1'}})).json()"
        )

    def start(self, look=True):
        """From the address to the first suite."""
        self.page.goto(URL)
        expect(self.page.locator("#agree")).to_be_visible()
        if look:
            self.look("welcome")
        self.page.check("#agree")
        self.press("button.main")
        expect(self.page.locator("#agree")).to_have_count(0)
        if look:
            self.look("instructions")
        self.press("button.main")
        for place in range(1, PRACTICE + 1):
            self.task(place, PRACTICE)
            self.answer(30 + place, place % 2)
            expect(self.page.locator(".feedback strong").first).to_be_visible()
            if look and place == 1:
                self.look("practice", fits=True)
            self.press(".panel .main.wide")
        expect(self.page.locator(".sheet h1")).to_be_visible()
        if look:
            self.look("ready")
        self.press("button.main")


def run(lives):
    """Each of these in turn, or those named after the first three arguments."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        wanted = sys.argv[4:]
        for life in lives:
            if not wanted or life.__name__ in wanted:
                life(browser)
                print(f"{life.__name__}: held", flush=True)
        browser.close()
