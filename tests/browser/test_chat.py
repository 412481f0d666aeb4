"""The chat page: answers stream in, can be stopped, edited and branched, and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from harness.accessible import assert_accessible
from harness.browser import PHONE, Troubles
from harness.media_files import png
from harness.server import SMALL, Server

from .conftest import OpenUi, Serve

GREETING = "Hello! How can I help you today?"
KEPT = re.compile(r"/chat/conv-\w+$")


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path, slow: Path) -> Server:
    files = {
        "test/sees/Sees.gguf": tiny,
        "test/sees/mmproj-Sees.gguf": tiny.with_name("tiny-mmproj-f16.gguf"),
        "test/slow/Slow.gguf": slow,
    }
    # What it says to a question that is asked once is what it says most likely.
    calm = {"sampling_parameters": {"temperature": 0}}
    config = {
        "Sees": SMALL | {"context_window": 2048} | calm,
        "Slow": SMALL | {"context_window": 8192},
    }
    return serve(files, config, "--cache-ttl=0")


def choose(page: Page, model: str) -> None:
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=re.compile(rf"\b{model}\b")).click()


def say(page: Page, text: str) -> None:
    field = page.get_by_label("Message", exact=True)
    field.fill(text)
    field.press("Enter")


def start(open_ui: OpenUi, model: str, text: str) -> Page:
    page = open_ui("/chat")
    choose(page, model)
    say(page, text)
    return page


def last(page: Page) -> Locator:
    return page.get_by_role("article").last


def ended(page: Page) -> None:
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def numbers(page: Page) -> list[int]:
    """What the counting model has said."""
    text = last(page).inner_text().split("Slow")[0]
    return [int(word) for word in re.findall(r"\d+", text)]


def assert_counted(found: list[int]) -> None:
    assert len(found) > 5
    assert found == list(range(8, 8 + len(found)))


def test_an_answer_streams_in_and_is_there_after_a_reload(open_ui: OpenUi) -> None:
    page = start(open_ui, "Sees", "Hello!")
    expect(last(page)).to_contain_text(GREETING)
    expect(page.get_by_role("button", name="Thought for")).to_be_visible()
    expect(last(page)).to_contain_text("tokens/s")
    ended(page)
    expect(page.get_by_text(re.compile(r"^\d+ of 2,048 tokens$"))).to_be_visible()
    expect(page).to_have_url(KEPT)
    assert_accessible(page)
    page.reload()
    expect(last(page)).to_contain_text(GREETING)
    expect(
        page.get_by_role("navigation", name="Conversations").get_by_role("link")
    ).not_to_have_count(0)


def test_an_answer_is_stopped_and_what_had_come_stays(open_ui: OpenUi) -> None:
    page = start(open_ui, "Slow", "Count on from 7")
    expect(last(page)).to_contain_text("12 13 14")
    page.get_by_role("button", name="Stop", exact=True).click()
    ended(page)
    expect(last(page)).to_contain_text("stopped")
    said = numbers(page)
    assert_counted(said)
    page.reload()
    expect(last(page)).to_contain_text("stopped")
    assert numbers(page) == said
    last(page).get_by_role("button", name="Continue").click()
    expect(last(page)).to_contain_text(f"{said[-1]} {said[-1] + 1} {said[-1] + 2}")
    page.get_by_role("button", name="Stop", exact=True).click()
    ended(page)
    assert_counted(numbers(page))


def test_an_edited_message_is_another_branch_and_the_first_one_stays(open_ui: OpenUi) -> None:
    page = start(open_ui, "Sees", "Hello!")
    expect(last(page)).to_contain_text(GREETING)
    ended(page)
    first = page.get_by_role("article", name="You")
    first.hover()
    first.get_by_role("button", name="Edit").click()
    page.get_by_label("Edited message").fill("What is the capital of France?")
    page.keyboard.press("Enter")
    expect(last(page)).to_contain_text("Paris")
    ended(page)
    expect(first.get_by_text("2/2")).to_be_visible()
    first.get_by_role("button", name="The version before").click()
    expect(last(page)).to_contain_text(GREETING)
    last(page).get_by_role("button", name="Answer again").click()
    expect(last(page).get_by_text("2/2")).to_be_visible()
    ended(page)
    page.reload()
    expect(last(page).get_by_text("2/2")).to_be_visible()


def test_an_image_goes_with_its_message(open_ui: OpenUi) -> None:
    page = open_ui("/chat")
    choose(page, "Sees")
    blue = {"name": "blue.png", "mimeType": "image/png", "buffer": png(0, 0, 255)}
    page.locator("input[type=file]").set_input_files([blue])
    expect(page.get_by_role("img", name="blue.png")).to_be_visible()
    say(page, "What color is this image?")
    expect(last(page)).to_contain_text(re.compile("blue", re.IGNORECASE))
    ended(page)
    page.reload()
    expect(page.get_by_role("article", name="You").get_by_role("img")).to_be_visible()


def test_an_answer_goes_on_when_the_models_process_dies(open_ui: OpenUi, server: Server) -> None:
    page = start(open_ui, "Slow", "Count on from 7")
    expect(last(page)).to_contain_text("12 13 14")
    pid = server.wait_for_row("Slow", state="ready")["pid"]
    before = len(numbers(page))
    server.kill(pid)
    server.wait_for_row("Slow", state="ready", restarts=1)
    expect(last(page)).to_contain_text(f" {8 + before + 60} ")
    page.get_by_role("button", name="Stop", exact=True).click()
    ended(page)
    assert_counted(numbers(page))


def test_a_reload_in_the_middle_of_an_answer_keeps_what_had_come(
    open_ui: OpenUi, troubles: Troubles
) -> None:
    # The page that goes and the one that comes may save at the same time.
    troubles.expect("409")
    page = start(open_ui, "Slow", "Count on from 7")
    expect(last(page)).to_contain_text("22 23 24")
    expect(page).to_have_url(KEPT)
    page.get_by_label("Message", exact=True).fill("And then?")
    page.reload()
    expect(last(page)).to_contain_text("This answer was broken off")
    assert len(numbers(page)) >= 17
    expect(page.get_by_label("Message", exact=True)).to_have_value("And then?")
    expect(last(page).get_by_role("button", name="Try again")).to_be_enabled()


def test_two_tabs_that_change_one_conversation_lose_nothing(
    open_ui: OpenUi, context: BrowserContext, troubles: Troubles
) -> None:
    troubles.expect("409")
    one = start(open_ui, "Sees", "Hello!")
    expect(last(one)).to_contain_text(GREETING)
    ended(one)
    other = context.new_page()
    other.goto(one.url)
    expect(last(other)).to_contain_text(GREETING)
    say(one, "Count from 1 to 50")
    expect(last(one)).to_contain_text("49")
    ended(one)
    say(other, "What is the capital of France?")
    expect(last(other)).to_contain_text("Paris")
    expect(other.get_by_text("This conversation was changed elsewhere")).to_be_visible()
    expect(other.get_by_role("article", name="You").last.get_by_text("/2")).to_be_visible()
    ended(other)


def test_a_failure_is_told_with_a_way_on(open_ui: OpenUi, troubles: Troubles) -> None:
    troubles.expect("status of 4")
    page = start(open_ui, "Sees", "word " * 4000)
    expect(last(page).get_by_role("alert")).to_contain_text("context")
    expect(last(page).get_by_role("button", name="Try again")).to_be_enabled()
    expect(page.get_by_text("This does not fit the window.")).to_be_visible()


def test_on_a_phone_conversations_and_settings_are_in_drawers(open_ui: OpenUi) -> None:
    page = open_ui("/chat", size=PHONE)
    page.get_by_role("button", name="Conversations").click()
    drawer = page.get_by_role("dialog", name="Conversations")
    expect(drawer.get_by_role("link", name="New chat")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Chat settings").click()
    settings = page.get_by_role("dialog", name="Chat settings")
    settings.get_by_label("Temperature", exact=True).fill("0.5")
    settings.get_by_label("Temperature", exact=True).press("Shift+Tab")
    expect(page.get_by_role("tooltip")).to_contain_text("likeliest")
    assert_accessible(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE[0]
