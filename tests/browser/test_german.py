"""Every page of the UI in the other language it has: German, for a browser that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from harness.accessible import assert_accessible, too_wide
from harness.browser import DESKTOP, PHONE
from harness.server import Server

from .conftest import OpenUi, Serve
from .pages import PATHS, assert_named_alike
from .sample import fill


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path) -> Server:
    server = serve({"test/tiny/Tiny.gguf": tiny}, {}, "--cache-ttl=0")
    fill(server)
    return server


@pytest.fixture
def locale() -> str:
    return "de-AT"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_german_and_fits_a_phone(open_ui: OpenUi, path: str) -> None:
    page = open_ui(path, size=PHONE)
    expect(page.locator("html")).to_have_attribute("lang", "de")
    # The way past the navigation is on every page.
    expect(page.get_by_role("link", name="Zum Inhalt springen")).to_have_count(1)
    expect(page.locator(".mantine-Loader-root, .mantine-Skeleton-root")).to_have_count(0)
    assert too_wide(page) == []
    assert_accessible(page)
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    assert_named_alike(page, path)


def test_figures_are_written_as_the_language_does(open_ui: OpenUi) -> None:
    page = open_ui("/running")
    expect(page.get_by_role("main")).to_contain_text("1.024")
    expect(page.get_by_role("main")).to_contain_text("0,0 Token/s")
    page.get_by_role("link", name="Einstellungen").click()
    page.get_by_role("combobox", name="Sprache").click()
    page.get_by_role("option", name="English").click()
    expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    page.get_by_role("link", name="Running").click()
    expect(page.get_by_role("main")).to_contain_text("1,024")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("0.0 tokens/s")


def test_what_a_model_does_is_said_in_words(open_ui: OpenUi, server: Server) -> None:
    page = open_ui("/")
    expect(page.get_by_role("row", name="Tiny Bereit")).to_be_visible()
    pid = server.wait_for_row("Tiny", state="ready")["pid"]
    server.kill(pid)
    expect(page.get_by_role("main")).to_contain_text("Abgestürzt")
