"""Who looks at the UI: the administrator by password, others by token, and nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from harness.accessible import assert_accessible
from harness.browser import PHONE, Troubles
from harness.server import Server, kronk

from .conftest import OpenUi, Serve

# A browser writes every refusal to its console.
REFUSED = "status of 40[13]"


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path) -> Server:
    return serve({"test/tiny/Tiny.gguf": tiny}, {}, "--auth-enabled")


@pytest.fixture(scope="module")
def password(server: Server) -> str:
    return (server.base / "keys" / "first-password").read_text().strip()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Of somebody who is no administrator."""
    return make_token(server, "--endpoints=chat-completions", "--name=ann")


def make_token(server: Server, *options: str) -> str:
    own = ("--local", f"--base-path={server.base}")
    done = kronk("security", "token", "create", "--duration=1h", *options, *own)
    assert done.returncode == 0, done.stderr
    found = re.search(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", done.stdout)
    assert found is not None, done.stdout
    return found[0]


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def log_in(page: Page, password: str) -> None:
    page.get_by_label(re.compile("^Password")).fill(password)
    page.get_by_role("button", name="Log in").click()


def use_token(page: Page, token: str) -> None:
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label(re.compile("^Token")).fill(token)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_is_accessible(open_ui: OpenUi, troubles: Troubles, scheme: str) -> None:
    troubles.expect(REFUSED)
    page = open_ui("/", size=PHONE, scheme="dark" if scheme == "dark" else "light")
    expect(heading(page)).to_have_text("Log in to Kronk")
    assert_accessible(page)


def test_the_password_opens_the_page_one_came_for_and_a_reload_keeps_it_open(
    open_ui: OpenUi, troubles: Troubles, password: str
) -> None:
    troubles.expect(REFUSED)
    page = open_ui("/")
    log_in(page, "wrong horse battery")
    expect(page.get_by_role("alert")).to_be_visible()
    log_in(page, password)
    expect(heading(page)).to_have_text("Dashboard")
    page.reload()
    expect(heading(page)).to_have_text("Dashboard")
    page.get_by_role("button", name="Log out").click()
    expect(heading(page)).to_have_text("Log in to Kronk")
    page.reload()
    expect(heading(page)).to_have_text("Log in to Kronk")


def test_a_token_opens_what_it_is_for_and_leaves_out_the_rest(
    open_ui: OpenUi, troubles: Troubles, token: str
) -> None:
    troubles.expect(REFUSED)
    page = open_ui("/")
    use_token(page, token)
    pages = page.get_by_role("navigation").get_by_role("link")
    expect(pages.filter(has_text="Settings")).to_be_visible()
    expect(pages.filter(has_text="Logs")).to_have_count(0)
    page.goto("/logs")
    expect(heading(page)).to_have_text("This needs an administrator")


def test_a_wrong_token_is_said_to_be_wrong_and_another_one_taken(
    open_ui: OpenUi, troubles: Troubles, token: str
) -> None:
    troubles.expect(REFUSED)
    page = open_ui("/")
    use_token(page, "nonsense")
    expect(page.get_by_role("alert")).to_contain_text("This token is not good")
    page.get_by_label(re.compile("^Token")).fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation").first).to_be_visible()


def test_a_token_without_a_view_of_the_server_is_told_so_and_led_to_the_chat(
    open_ui: OpenUi, troubles: Troubles, token: str
) -> None:
    troubles.expect(REFUSED)
    page = open_ui("/")
    use_token(page, token)
    expect(page.get_by_role("heading", level=2)).to_have_text(
        "What the server does is not for this token"
    )
    expect(page.get_by_text("Not logged in")).to_have_count(0)
    page.get_by_role("main").get_by_role("link", name="Open a chat").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
