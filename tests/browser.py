"""Debian's Chromium for tests: opened on pages that must say no error and ask no other server.

``python -m tests.browser docs/playground.png`` takes the picture of the playground that the documents show.
"""

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers import service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "no browser: install Debian's package chromium, or Google Chrome"
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Visitor:
    """Opens pages of the playground, in Vietnamese and without motion unless told otherwise; keeps what was wrong."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.problems: list[str] = []

    def __call__(self, url: str, *, faults: bool = False, width: int = 1200, **options: Any) -> Page:
        """A page that has read its labels. With ``faults`` requests may fail; other errors never may be."""
        options = {"locale": "vi-VN", "reduced_motion": "reduce", **options}
        page = self._browser.new_context(viewport={"width": width, "height": 940}, **options).new_page()
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("request", lambda sent: self._note("" if sent.url.startswith((url, "data:")) else sent.url))
        page.on("console", lambda said: self._note(said.text if said.type in ("error", "warning") else "", faults))
        page.goto(url)
        expect(page.locator("#examples button")).not_to_have_count(0)
        return page

    def _note(self, problem: str, faults: bool = False) -> None:
        if problem and not (faults and problem.startswith("Failed to load resource")):
            self.problems.append(problem)

    def leave(self) -> None:
        """Close all pages."""
        for context in list(self._browser.contexts):
            context.close()


def take_picture(path: Path, warm_up: str, celebrated: str) -> None:
    """The playground while the robot celebrates."""
    with service() as url, chromium() as browser:
        page = Visitor(browser)(url, reduced_motion="no-preference")
        for text in (warm_up, warm_up * 2, celebrated):  # the first answer of a process is slow
            page.fill("#utterance", text)
            page.wait_for_timeout(250)
        page.wait_for_timeout(700)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        undithered = picture.point(lambda value: value | 1)  # a third smaller, and nobody sees it
        undithered.save(path, optimize=True)


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), "con chào pika", "con làm được rồi")
