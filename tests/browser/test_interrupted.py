"""What a chatting person sees when something ends in the middle: a worker, the server, the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from harness.browser import Troubles
from harness.counting_model import counted
from harness.damage import pid_of
from harness.server import SMALL, Server

from .conftest import OpenUi, Serve

# Enough to do something to an answer while it is made: two seconds at least.
TOKENS = 400
WHOLE = counted(7, TOKENS).strip()
MIDDLE = "19 20 21"


@pytest.fixture(scope="module")
def server(serve: Serve, slow: Path) -> Server:
    """Answers are taken up again when their worker dies."""
    return counting_server(serve, slow)


@pytest.fixture(scope="module")
def strict(serve: Serve, slow: Path) -> Server:
    """They are not."""
    return counting_server(serve, slow, "--resume=false")


def counting_server(serve: Serve, slow: Path, *flags: str) -> Server:
    config = {"Slow": SMALL | {"context_window": 8192}}
    return serve({"test/slow/Slow.gguf": slow}, config, "--cache-ttl=0", *flags)


def ask(page: Page, text: str, tokens: int = TOKENS) -> Locator:
    """Send a message in a chat that answers at most so many tokens; the answer."""
    page.get_by_role("button", name="Chat settings").click()
    settings = page.get_by_role("dialog")
    settings.get_by_label("Limit of answer tokens").fill(str(tokens))
    page.keyboard.press("Escape")
    expect(settings).to_be_hidden()
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()
    return page.get_by_role("article").last


def test_an_answer_goes_on_when_its_worker_dies(open_ui: OpenUi, server: Server) -> None:
    page = open_ui("/chat")
    answer = ask(page, "Count after 7")
    expect(answer).to_contain_text(MIDDLE)
    server.kill(pid_of(server, "Slow"))
    expect(answer).to_contain_text(WHOLE)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert len(server.events("request recovered", model="Slow")) == 1


def test_an_answer_that_was_cut_is_gone_on_with_where_it_ended(open_ui: OpenUi) -> None:
    page = open_ui("/chat")
    answer = ask(page, "Count after 7", tokens=30)
    expect(answer).to_contain_text(counted(7, 30).strip())
    answer.get_by_role("button", name="Continue").click()
    expect(answer).to_contain_text(counted(7, 60).strip())
    expect(answer).to_contain_text("60 tokens")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text(counted(7, 60).strip())
    expect(page.get_by_role("article")).to_have_count(2)


def test_a_page_that_is_loaded_anew_has_its_conversation(open_ui: OpenUi) -> None:
    page = open_ui("/chat")
    answer = ask(page, "Count after 107", tokens=30)
    said = counted(107, 30).strip()
    expect(answer).to_contain_text(said)
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    address = page.url
    assert not address.endswith("/chat"), "a conversation has an address of its own"
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text(said)
    assert page.url == address
    page.goto("/chat")
    conversations = page.get_by_role("navigation", name="Conversations")
    conversations.get_by_role("link", name="Count after 107").click()
    expect(page.get_by_role("article").last).to_contain_text(said)


def test_what_was_said_when_the_page_was_loaded_anew_is_kept(open_ui: OpenUi) -> None:
    page = open_ui("/chat")
    expect(ask(page, "Count after 7")).to_contain_text(MIDDLE)
    page.reload()
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text(MIDDLE)
    expect(answer).to_contain_text(re.compile("connection (was )?lost"))
    answer.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article").last).to_contain_text(WHOLE)


@pytest.mark.parametrize(("first", "gets_there"), [(207, False), (307, True)])
def test_what_was_said_before_the_server_told_its_id_is_kept(
    open_ui: OpenUi, first: int, gets_there: bool
) -> None:
    said = counted(first, 30).strip()
    page = open_ui("/chat")

    def unanswered(route: Route) -> None:
        if gets_there:
            route.fetch()

    page.route("**/api/v1/conversations", unanswered, times=1)
    expect(ask(page, f"Count after {first}", tokens=30)).to_contain_text(said)
    assert page.url.endswith("/chat")
    page.reload()
    expect(page.get_by_role("article").last).to_contain_text(said)
    expect(page).to_have_url(re.compile("/chat/."))
    conversations = page.get_by_role("navigation", name="Conversations")
    expect(conversations.get_by_role("link", name=f"Count after {first}")).to_have_count(1)
    page.goto("/chat")
    expect(page.get_by_role("article")).to_have_count(0)


def test_an_answer_that_was_cut_by_its_workers_death_says_so_and_is_tried_again(
    open_ui: OpenUi, strict: Server, troubles: Troubles
) -> None:
    # Not this module's usual server, which is elsewhere to the page.
    troubles.expect(strict.url)
    page = open_ui(f"{strict.url}/chat")
    answer = ask(page, "Count after 7")
    expect(answer).to_contain_text(MIDDLE)
    strict.kill(pid_of(strict, "Slow"))
    alert = answer.get_by_role("alert")
    expect(alert).to_contain_text("Slow")
    expect(answer).to_contain_text(MIDDLE)
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article").last).to_contain_text(WHOLE)


def test_the_page_tells_that_the_server_is_gone(
    open_ui: OpenUi, strict: Server, troubles: Troubles
) -> None:
    """The last of this server's tests: it stops it."""
    troubles.expect(strict.url)
    page = open_ui(f"{strict.url}/")
    expect(page.get_by_text("Live", exact=False).first).to_be_visible()
    assert strict.stop() == 0
    lost = page.get_by_role("main").get_by_role("status").filter(has_text="Connection lost")
    expect(lost).to_be_visible()
