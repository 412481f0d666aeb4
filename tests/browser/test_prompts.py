"""/prompts: a prompt is written, used, changed, brought back and taken along."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.server import Server

from .conftest import OpenUi, Serve

API = "/api/v1/prompts"
TEXT = "Translate into {{language}}:\n\n{{text}}"


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Without a model: none is asked."""
    return serve({}, {})


@pytest.fixture(autouse=True)
def prompt(server: Server) -> str:
    """The id of one prompt beside a system prompt, and no others."""
    http = server.http()
    for one in http.get(API).json()["data"]:
        http.delete(f"{API}/{one['id']}")
    fields = {"name": "Translate", "text": TEXT, "category": "Translation"}
    made = http.post(API, json=fields).json()
    http.post(API, json={"name": "Brief", "text": "Be brief.", "kind": "system"})
    return str(made["id"])


def cards(page: Page) -> Any:
    return page.locator("main li a")


def test_a_prompt_is_written_and_its_variables_are_seen_at_once(open_ui: OpenUi) -> None:
    page = open_ui("/prompts")
    page.get_by_role("link", name="New prompt").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A prompt needs a name.")).to_be_visible()
    page.get_by_label("Name").fill("Greet")
    page.get_by_label("Text", exact=False).first.fill("Hello, {{name}}!")
    trial = page.get_by_role("region", name="Try it")
    trial.get_by_label("name", exact=True).fill("Anna")
    expect(trial.get_by_role("group", name="Preview")).to_have_text("Hello, Anna!")
    # A reload loses nothing.
    page.reload()
    expect(page.get_by_label("Name").first).to_have_value("Greet")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile("/prompts/prompt-"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Greet")
    assert_accessible(page)
    page.get_by_role("link", name="All prompts").click()
    expect(cards(page)).to_have_text(["Brief", "Greet", "Translate"])


def test_a_use_asks_for_the_variables_and_fills_a_new_chat(open_ui: OpenUi) -> None:
    page = open_ui("/prompts")
    page.get_by_role("button", name="Use in chat: Translate").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Use in chat").click()
    expect(dialog.get_by_text("Fill this in")).to_have_count(2)
    dialog.get_by_label("language").fill("German")
    dialog.get_by_label("text", exact=False).last.fill("Good morning")
    assert_accessible(page)
    dialog.get_by_role("button", name="Use in chat").click()
    expect(page).to_have_url(re.compile("/chat$"))
    draft = page.evaluate("sessionStorage.getItem('kronk.draft')")
    assert draft == "Translate into German:\n\nGood morning"
    page.goto("/prompts")
    expect(page.locator("main li", has_text="Translate")).to_contain_text("used 1 time")


def test_an_earlier_text_is_compared_and_restored(
    open_ui: OpenUi, server: Server, prompt: str
) -> None:
    page = open_ui(f"/prompts/{prompt}")
    page.get_by_label("Text", exact=False).first.fill("Say it in {{language}}:\n\n{{text}}")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Show version 1").click()
    difference = page.get_by_role("group", name="What is different from version 1")
    expect(difference).to_contain_text("Translate into {{language}}:")
    expect(difference.get_by_label("only in the current one")).to_have_count(1)
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("button", name="Show version 3")).to_be_visible()
    assert server.get(f"{API}/{prompt}")["text"] == TEXT


def test_a_prompt_that_was_changed_elsewhere_is_not_overwritten_unseen(
    open_ui: OpenUi, server: Server, prompt: str, troubles: Any
) -> None:
    troubles.expect("409")
    page = open_ui(f"/prompts/{prompt}")
    page.get_by_label("Text", exact=False).first.fill("Mine")
    server.http().put(f"{API}/{prompt}", json={"text": "Theirs"})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("changed elsewhere")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Show version 3")).to_be_visible()
    texts = [one["text"] for one in server.get(f"{API}/{prompt}/versions")["data"]]
    assert texts == ["Mine", "Theirs", TEXT]


def test_categories_that_are_not_known_yet_are_not_edited(open_ui: OpenUi, page: Page) -> None:
    # To save a list that is empty for that would be to delete them all.
    page.route(f"**{API}/categories", lambda _: None, times=1)
    open_ui("/prompts")
    expect(cards(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Categories", exact=True)).to_be_disabled()


def test_categories_are_named_and_coloured_and_prompts_go_with_them(open_ui: OpenUi) -> None:
    page = open_ui("/prompts")
    page.get_by_role("button", name="Categories").click()
    dialog = page.get_by_role("dialog")
    names = dialog.get_by_label("Name")
    expect(names.nth(4)).to_have_value("Translation")
    names.nth(4).fill("Languages")
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Languages (1)").click()
    expect(cards(page)).to_have_text(["Translate"])
    page.get_by_role("button", name="System prompts (1)").click()
    expect(cards(page)).to_have_text(["Brief"])


def test_categories_that_were_changed_elsewhere_are_not_lost_unseen(
    open_ui: OpenUi, server: Server, troubles: Any
) -> None:
    troubles.expect("409")
    page = open_ui("/prompts")
    page.get_by_role("button", name="Categories", exact=True).click()
    dialog = page.get_by_role("dialog")
    names = dialog.get_by_label("Name")
    names.first.fill("Mine")
    theirs = {"categories": [{"name": "Theirs", "color": "red"}]}
    server.http().put(f"{API}/categories", json=theirs).raise_for_status()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("changed elsewhere")
    assert_accessible(page)
    assert server.get(f"{API}/categories")["data"] == theirs["categories"]
    # What is written is still there, and whoever reads the notice may want it all the same.
    expect(names.first).to_have_value("Mine")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert server.get(f"{API}/categories")["data"][0]["name"] == "Mine"


def test_what_is_exported_is_imported_and_nothing_is_there_twice(
    open_ui: OpenUi, server: Server, prompt: str, tmp_path: Path
) -> None:
    page = open_ui("/prompts")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all").click()
    file = tmp_path / "prompts.json"
    download.value.save_as(file)
    assert len(json.loads(file.read_text("utf-8"))["prompts"]) == 2
    page.get_by_role("button", name="Actions for Translate").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(cards(page)).to_have_text(["Brief"])
    page.locator("input[type=file]").set_input_files(file)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Imported: 1. Refused: 1")
    expect(dialog).to_contain_text("Brief: It is there already")
    expect(cards(page)).to_have_text(["Brief", "Translate"])
