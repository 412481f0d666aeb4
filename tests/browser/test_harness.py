"""The browser harness sees what it is there to see, and leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from harness import proc
from harness.accessible import assert_accessible
from harness.browser import BrowserHouse, Troubles, is_of
from harness.server import Server

from .conftest import HOUSE, OpenUi, Serve


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path) -> Server:
    return serve({"test/tiny/Tiny.gguf": tiny})


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("console.error('something is wrong')", "console: something is wrong"),
        ("setTimeout(() => { throw new Error('nobody catches it') })", "uncaught: .*nobody"),
        ("fetch('/v1/nothing-here')", "console: .*404"),
        ("fetch('http://elsewhere.invalid/x', { mode: 'no-cors' })", "request to elsewhere: "),
        # The page's own policy lets it go nowhere else.
        ("new WebSocket('ws://elsewhere.invalid/x')", "console: .*Content Security Policy"),
    ],
)
def test_trouble_on_a_page_is_noticed(
    open_ui: OpenUi, troubles: Troubles, script: str, told: str
) -> None:
    page = open_ui("/")
    assert troubles.unexpected() == []
    page.evaluate(f"() => {{ {script}; }}")
    found = "\n".join(wait_for_trouble(page, troubles))
    assert re.search(told, found), found
    troubles.expect(".*")
    assert troubles.unexpected() == []


def wait_for_trouble(page: Page, troubles: Troubles) -> list[str]:
    """Playwright tells of it while it waits for the page, and only then."""
    for _ in range(100):
        if troubles.unexpected():
            break
        page.wait_for_timeout(20)
    return troubles.unexpected()


def test_what_axe_finds_is_told_with_rule_element_and_help(open_ui: OpenUi) -> None:
    page = open_ui("/")
    page.evaluate("() => { document.body.innerHTML = '<main><h1>A</h1><button></button></main>' }")
    with pytest.raises(AssertionError) as failure:
        assert_accessible(page)
    told = str(failure.value)
    assert "button-name (critical): Buttons must have discernible text" in told
    assert "<button></button>" in told


def test_a_page_without_flaws_passes(open_ui: OpenUi) -> None:
    page = open_ui("/")
    page.evaluate("() => { document.body.innerHTML = '<main><h1>A</h1><p>b</p></main>' }")
    assert_accessible(page)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8080/assets/a.js", True),
        ("ws://127.0.0.1:8080/v1/kronk/events", True),
        ("data:image/png;base64,AAAA", True),
        ("blob:http://127.0.0.1:8080/1", True),
        ("http://127.0.0.1:8081/", False),
        ("https://fonts.example/x.css", False),
    ],
)
def test_an_address_is_the_servers_or_elsewhere(url: str, own: bool) -> None:
    assert is_of(url, "http://127.0.0.1:8080") is own


def test_contexts_share_nothing(open_ui: OpenUi) -> None:
    page = open_ui("/")
    assert page.evaluate("() => localStorage.getItem('left-by-a-test')") is None
    page.evaluate("() => localStorage.setItem('left-by-a-test', '1')")


def test_contexts_share_nothing_the_second_time(open_ui: OpenUi) -> None:
    test_contexts_share_nothing(open_ui)


def test_closed_nothing_of_the_browser_is_left(chromium: Browser) -> None:
    chromium.new_page()
    started = HOUSE.processes()
    names = "|".join(process.name for process in started)
    assert "node" in names and "chrom" in names, started
    HOUSE.close()
    assert [process for process in started if not proc.is_gone(process.pid)] == []
    assert not HOUSE.is_open
    # And again, where nothing runs.
    BrowserHouse().close()
