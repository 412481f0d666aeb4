"""/conversations: what was chatted is found again, put away, taken along and deleted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.documents import RICH, chat
from harness.server import Server

from .conftest import OpenUi, Serve

API = "/api/v1/conversations"


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Without a model: none is asked."""
    return serve({}, {})


@pytest.fixture(autouse=True)
def three(server: Server) -> list[str]:
    """Three conversations, and no others."""
    http = server.http()
    for one in http.get(API, params={"archived": "all"}).json()["data"]:
        http.delete(f"{API}/{one['id']}")
    bodies: list[dict[str, Any]] = [
        {"document": RICH, "title": "A dog", "model": "Tiny"},
        {"document": chat("How do I bake bread?", "With flour.")},
        {"document": chat("What is a mutex?", "A lock.")},
    ]
    return [http.post(API, json=body).json()["id"] for body in bodies]


def titles(page: Page) -> Any:
    return page.locator("main li a")


def act(page: Page, title: str, action: str) -> None:
    page.get_by_role("button", name=f"Actions for {title}").click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def test_words_are_found_in_messages_and_the_search_survives_a_reload(open_ui: OpenUi) -> None:
    page = open_ui("/conversations")
    expect(titles(page)).to_have_text(["What is a mutex?", "How do I bake bread?", "A dog"])
    page.get_by_label("Search titles and messages").fill("flour")
    expect(titles(page)).to_have_text(["How do I bake bread?"])
    expect(page.locator("mark")).to_have_text("flour")
    expect(page).to_have_url(re.compile("q=flour"))
    assert_accessible(page)
    page.reload()
    expect(titles(page)).to_have_text(["How do I bake bread?"])
    page.get_by_label("Search titles and messages").fill("nothing has this")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()


def test_one_is_renamed_archived_and_opened(open_ui: OpenUi, three: list[str]) -> None:
    page = open_ui("/conversations")
    act(page, "A dog", "Rename")
    page.get_by_role("dialog").get_by_label("Title").fill("A cat")
    page.get_by_role("button", name="Save").click()
    expect(titles(page).last).to_have_text("A cat")
    act(page, "A cat", "Archive")
    expect(titles(page)).to_have_text(["What is a mutex?", "How do I bake bread?"])
    page.get_by_text("Archived", exact=True).click()
    expect(titles(page)).to_have_text(["A cat"])
    expect(titles(page)).to_have_attribute("href", f"/chat/{three[0]}")


def test_what_is_deleted_was_asked_for_first(open_ui: OpenUi) -> None:
    page = open_ui("/conversations")
    act(page, "A dog", "Delete")
    page.get_by_role("button", name="Cancel").click()
    # It fades out, and the next one would be asked in its place.
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(titles(page)).to_have_count(3)
    page.get_by_label("Select A dog").check()
    page.get_by_label("Select What is a mutex?").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 conversations are deleted for good")
    dialog.get_by_role("button", name="Delete").click()
    expect(titles(page)).to_have_text(["How do I bake bread?"])


def test_what_is_exported_is_imported_and_what_is_none_is_told(
    open_ui: OpenUi, tmp_path: Path
) -> None:
    page = open_ui("/conversations")
    page.get_by_label("Select all shown").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    file = tmp_path / "all.json"
    download.value.save_as(file)
    assert len(json.loads(file.read_text("utf-8"))["conversations"]) == 3
    page.locator("input[type=file]").set_input_files(file)
    expect(titles(page)).to_have_count(6)
    other = tmp_path / "other.json"
    other.write_text('{"conversations": [{"title": "Broken", "document": {}}]}')
    page.locator("input[type=file]").set_input_files(other)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Imported: 0. Refused: 1")
    expect(dialog).to_contain_text("Broken: missing document.version field")
    expect(titles(page)).to_have_count(6)


def test_markdown_of_one_is_saved_under_its_title(open_ui: OpenUi, tmp_path: Path) -> None:
    page = open_ui("/conversations")
    with page.expect_download() as download:
        act(page, "A dog", "Export as Markdown")
    assert download.value.suggested_filename == "a-dog.md"
    assert Path(download.value.path()).read_text("utf-8").startswith("# A dog\n")
