"""Tests of the browser UI: a headless Chromium at a real server with real models.

How to write one, in `tests/browser/test_<area>.py`:

    def test_a_word_is_answered(open_ui: OpenUi) -> None:
        page = open_ui("/chat")                      # 1440 x 900, light; waits for the page's h1
        page.get_by_label("Message").fill("Hello")   # Playwright's sync interface, which waits
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("article").last).to_contain_text("Hi")
        assert_accessible(page)                      # harness.accessible: axe-core

* `open_ui(path)` opens a page in the test's own context (no cookies, no storage of others), or
  `open_ui(path, size=PHONE, scheme="dark")`. `page` is the same tab, before it has an address.
* `server` is the module's own server (`harness.server.Server`: `server.get`, `server.wait_for_row`,
  `server.kill`, ...) with the models Tiny and Slow. A module that needs others defines it anew:

      @pytest.fixture(scope="module")
      def server(serve: Serve, starter: Path) -> Server:
          return serve({"a/b/Starter.gguf": starter}, {"Starter": SMALL}, "--cache-ttl=0")

  Such a fixture may fill it, too, over HTTP. Each base path is fresh.
* An error on the console, an uncaught error or a request to another origin fails the test at its
  end. Where one belongs to the case: `troubles.expect("503")`, a regular expression.
* No sleeps: `expect(locator).to_...` waits. Find things as a user does: by role, label, text.
* Words are English: the browser asks for en-US. Motion is reduced.
* A failed test leaves a picture in build/browser/.

Where there is no Chromium, or no built UI, all of this is skipped, and the run says how to get it;
KRONK_BROWSER=required makes that a failure.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from harness.browser import DESKTOP, ROOT, BrowserHouse, Troubles, missing
from harness.server import SMALL, Config, Server, running_server

HOUSE = BrowserHouse()
MISSING = missing(os.environ)
REQUIRED = os.environ.get("KRONK_BROWSER") == "required"
PICTURES = ROOT / "build" / "browser"

Serve = Callable[..., Server]
Scheme = Literal["light", "dark"]


class OpenUi(Protocol):
    """Opens a page of the UI and waits until it is there."""

    def __call__(
        self, path: str, *, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light"
    ) -> Page: ...


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture: a server is not started for tests that cannot run."""
    if MISSING is not None and "chromium" in getattr(item, "fixturenames", ()):
        if REQUIRED:
            pytest.fail(f"KRONK_BROWSER=required, but {MISSING}", pytrace=False)
        pytest.skip(MISSING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """The browser ends with the last of these tests: it holds a loop no others can run beside."""
    result = yield
    here = Path(__file__).parent
    if nextitem is None or here not in nextitem.path.parents:
        HOUSE.close()
    return result


def pytest_sessionfinish() -> None:
    """After a run that was broken off."""
    HOUSE.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING is not None and not REQUIRED:
        terminalreporter.write_line(f"The browser tests were left out: {MISSING}", yellow=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test leaves a picture of what was to be seen."""
    report = yield
    context = getattr(item, "funcargs", {}).get("context")
    if report.failed and call.when == "call" and context is not None and context.pages:
        PICTURES.mkdir(parents=True, exist_ok=True)
        picture = PICTURES / (re.sub(r"[^\w.-]+", "-", item.name)[:100] + ".png")
        try:
            context.pages[-1].screenshot(path=picture, timeout=5000)
        except Error as error:
            report.sections.append(("no picture", str(error)))
        else:
            report.sections.append(("what was to be seen", f"{context.pages[-1].url}\n{picture}"))
    return report


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers for a module: `serve(files, config, *flags)`; see `running_server`."""
    with ExitStack() as servers:

        def start(*arguments: Any) -> Server:
            base = tmp_path_factory.mktemp("ui")
            return servers.enter_context(running_server(base, *arguments))

        yield start


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path, slow: Path) -> Server:
    """The module's server: a model that answers, and one that counts for ever and slowly."""
    files = {"test/tiny/Tiny.gguf": tiny, "test/tiny/Slow.gguf": slow}
    config: Config = {
        # What it is asked it answers as is most likely, whoever forgets to say so.
        "Tiny": {"sampling_parameters": {"temperature": 0}},
        "Slow": SMALL | {"context_window": 8192},
    }
    return serve(files, config, "--cache-ttl=0")


@pytest.fixture
def chromium() -> Browser:
    """The one of this run."""
    return HOUSE.browser()


@pytest.fixture
def locale() -> str:
    """What the browser asks for; a module may define it anew."""
    return "en-US"


@pytest.fixture
def context(chromium: Browser, server: Server, locale: str) -> Iterator[BrowserContext]:
    """The test's own: no cookies and no storage of others."""
    context = HOUSE.context(server.url, locale)
    yield context
    context.close()


@pytest.fixture
def troubles(context: BrowserContext, server: Server) -> Iterator[Troubles]:
    """Fails the test at its end for trouble that it did not expect."""
    troubles = Troubles(context, server.url)
    yield troubles
    unexpected = troubles.unexpected()
    assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def page(context: BrowserContext, troubles: Troubles) -> Page:
    """A tab without an address; `page.goto("/chat")` is one of the server's."""
    return context.new_page()


@pytest.fixture
def open_ui(page: Page) -> OpenUi:
    def open_at(path: str, *, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light") -> Page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        return page

    return open_at
