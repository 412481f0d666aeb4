"""A headless Chromium for tests, driven by Playwright: found, started, and proved gone."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Playwright,
    expect,
    sync_playwright,
)

from kronk.gateway import site

from . import proc
from .server import MARK
from .waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# For one step in the browser, in milliseconds; it may be a whole answer.
STEP = 2_000 * PATIENCE

DESKTOP, PHONE = (1440, 900), (390, 844)

# Nothing is looked up by name, so that a page that wants something from elsewhere does not get it
# from whatever network the tests run in.
_ARGUMENTS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",)


def find_chromium(environ: Mapping[str, str]) -> str | None:
    """The executable: KRONK_CHROMIUM, or the first that is on the path."""
    if own := environ.get("KRONK_CHROMIUM"):
        return shutil.which(own)
    path = environ.get("PATH", os.defpath)
    return next((found for name in NAMES if (found := shutil.which(name, path=path))), None)


def missing(environ: Mapping[str, str]) -> str | None:
    """What browser tests lack here, and how to get it; None when they can run."""
    if find_chromium(environ) is None:
        return (
            "there is no Chromium (Debian: apt install chromium; Fedora: dnf install chromium; "
            "or name one in KRONK_CHROMIUM)"
        )
    if not (site.STATIC / "index.html").is_file():
        return "the browser UI is not built (`make ui`)"
    if not AXE.is_file():
        return "the browser UI's packages are not installed (`make ui`)"
    return None


class BrowserHouse:
    """The one Chromium of a test run, from its first use to `close`.

    Playwright's sync interface holds an asyncio loop in this thread, in which no other can run;
    so it must be closed before tests that run their own.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._mark = ""

    @property
    def is_open(self) -> bool:
        return self._playwright is not None

    def browser(self) -> Browser:
        """Started if it is not running."""
        if self._browser is None:
            self._mark = uuid.uuid4().hex
            with _environment(MARK, self._mark):
                self._playwright = sync_playwright().start()
                self._browser = self._playwright.chromium.launch(
                    executable_path=find_chromium(os.environ), args=list(_ARGUMENTS)
                )
            expect.set_options(timeout=STEP)
        return self._browser

    def context(self, url: str, locale: str = "en-US") -> BrowserContext:
        """One with no cookies and no storage of others, whose addresses begin with `url`."""
        context = self.browser().new_context(
            base_url=url,
            locale=locale,
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(STEP)
        return context

    def processes(self) -> list[proc.Process]:
        """The driver, Chromium and what they started, by their environments; and by their
        parents, as Chromium writes over the environments of some."""
        found = {process.pid: process for process in proc.marked(MARK, self._mark)}
        for pid in list(found):
            found |= {process.pid: process for process in proc.descendants(pid)}
        return list(found.values())

    def close(self) -> None:
        """End it, and prove that nothing of it is left."""
        if self._playwright is None:
            return
        started = [process.pid for process in self.processes()]
        try:
            if self._browser is not None:
                self._browser.close()
        finally:
            self._playwright.stop()
            self._playwright = self._browser = None
        wait_until(
            lambda: all(proc.is_gone(pid) for pid in started),
            lambda: f"the end of the browser; left: {[proc.find(pid) for pid in started]}",
        )


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield


class Troubles:
    """What no page should do: errors on the console, uncaught errors, requests to elsewhere."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self._origin = origin
        self._seen: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self._seen.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self._asked(request.url))
        context.on(
            "page", lambda page: page.on("websocket", lambda socket: self._asked(socket.url))
        )

    def expect(self, pattern: str) -> None:
        """Let pass whatever trouble this regular expression is found in, also earlier ones."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        return [
            trouble
            for trouble in self._seen
            if not any(pattern.search(trouble) for pattern in self._expected)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location.get("url", "")
            self._seen.append(f"console: {message.text} ({where})")

    def _asked(self, url: str) -> None:
        if not is_of(url, self._origin):
            self._seen.append(f"request to elsewhere: {url}")


def is_of(url: str, origin: str) -> bool:
    """Whether an address leads to the origin's server, or, as a blob does, nowhere."""
    found, own = urlsplit(url), urlsplit(origin)
    return found.scheme in ("data", "blob", "about") or found.netloc == own.netloc
