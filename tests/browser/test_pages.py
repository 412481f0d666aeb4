"""Every page of the UI is there, fits a phone, and can be used by everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from harness.accessible import assert_accessible, too_wide
from harness.browser import PHONE
from harness.server import Server
from kronk.gateway import site

from .conftest import OpenUi, Serve
from .pages import PATHS, READY, assert_named_alike
from .sample import fill

# Gzipped, of all that is fetched to show `/`: a second and a half on a poor mobile network.
FIRST_VIEW = 300_000
# More stops of the tabulator key than any page's navigation has.
STOPS = 90


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path) -> Server:
    """With a loaded model and something in every store: empty pages hide what is wrong."""
    server = serve({"test/tiny/Tiny.gguf": tiny}, {}, "--cache-ttl=0")
    fill(server)
    return server


def opened(open_ui: OpenUi, path: str, **how: Any) -> Page:
    """The page, ready."""
    page = open_ui(path, **how)
    expect(page.get_by_role("main").get_by_text(READY[path]).first).to_be_visible()
    # What is asked for at its beginning has come: an axe that runs earlier sees half of it.
    expect(page.locator(".mantine-Loader-root, .mantine-Skeleton-root")).to_have_count(0)
    return page


def test_each_page_of_the_navigation_has_a_row_here() -> None:
    assert sorted(PATHS) == sorted(READY), "one row in tests/browser/pages.py for each page"


def test_the_server_answers_for_each_page() -> None:
    assert {*PATHS} == {"/", *site.PAGES}


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_in_light_and_dark(open_ui: OpenUi, path: str) -> None:
    page = opened(open_ui, path)
    assert page.title() not in ("", "Kronk"), "the browser's tab does not name the page"
    expect(page.locator("h1")).to_have_count(1)
    assert_named_alike(page, path)
    assert_accessible(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    assert_accessible(page)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_fits_a_phone(open_ui: OpenUi, path: str) -> None:
    page = opened(open_ui, path, size=PHONE)
    assert too_wide(page) == []
    assert_accessible(page)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_used_by_keyboard(open_ui: OpenUi, path: str) -> None:
    page = opened(open_ui, path)
    skip = page.get_by_role("link", name="Skip to the content")
    note_looks(page)
    # Backwards from the content are the navigation and, first of all, the way past it.
    page.keyboard.press("Shift+Tab")
    seen = stops(page, "Shift+Tab", until="skip-link")
    assert [one["html"] for one in seen if not one["shows"]] == [], "focus cannot be seen"
    assert any(one["here"] for one in seen), "the navigation's entry of this page"
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    skip.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    # And on through what the page itself has.
    page.keyboard.press("Tab")
    for one in stops(page, "Tab", until="skip-link", count=25):
        assert one["shows"], f"focus cannot be seen: {one['html']}"


def test_the_first_view_is_small(page: Page) -> None:
    fetched: dict[str, int] = {}

    def note(answer: Response) -> None:
        path = answer.url.removeprefix(page.url)
        if answer.ok and not path.startswith(("v1/", "api/", "/v1/", "/api/")):
            fetched[answer.url] = answer.request.sizes()["responseBodySize"]

    page.on(
        "requestfinished", lambda request: note(answer) if (answer := request.response()) else None
    )
    page.goto("/")
    # The charts come last: without them, who was quicker would decide what is counted.
    expect(page.get_by_role("main").locator("canvas").first).to_be_visible()
    assert any("/Charts-" in url for url in fetched), fetched
    assert sum(fetched.values()) < FIRST_VIEW, fetched


# How an element that can have the focus looks, with what is around it: some draw it on a label, or
# on the box they are in.
_LOOK = """(element) => [element, element.nextElementSibling, element.parentElement,
  element.parentElement?.nextElementSibling, element.parentElement?.parentElement,
  element.parentElement?.parentElement?.parentElement].filter(Boolean).map((one) => {
    const style = getComputedStyle(one);
    return [style.outline, style.boxShadow, style.borderColor, style.backgroundColor, style.top];
  }).join('|')"""
_FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]"


def note_looks(page: Page) -> None:
    """Remember how everything looks without the focus."""
    page.evaluate(
        f"""() => {{
          window.looks = new Map();
          for (const element of document.querySelectorAll('{_FOCUSABLE}'))
            window.looks.set(element, ({_LOOK})(element));
        }}"""
    )


def stops(page: Page, key: str, *, until: str, count: int = STOPS) -> list[dict[str, Any]]:
    """Where the focus goes with each press of the key, up to an element of this class."""
    found: list[dict[str, Any]] = []
    for _ in range(count):
        stop = page.evaluate(
            f"""async () => {{
              const element = document.activeElement;
              const plain = window.looks.get(element);
              // A change of colour is on its way for some frames.
              for (let frame = 0; frame < 4 && plain === ({_LOOK})(element); frame++)
                await new Promise(requestAnimationFrame);
              return {{
                html: element.outerHTML.slice(0, 200),
                classes: element.className,
                here: element.getAttribute('aria-current') === 'page',
                shows: plain === undefined || plain !== ({_LOOK})(element),
              }};
            }}"""
        )
        found.append(stop)
        if until in str(stop["classes"]).split():
            break
        page.keyboard.press(key)
    return found
