"""The model-config file in the browser: edited wrongly, rightly, and by two at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.server import Server

START = "# ours\nmodels:\n  Tiny:\n    context_window: 512\n    n_seq_max: 1\n"


def put(server: Server, text: str) -> None:
    """What the file says from now on."""
    client = server.http()
    revision = client.get("/v1/kronk/config/file").json()["revision"]
    answer = client.put("/v1/kronk/config/file", json={"text": text, "revision": revision})
    assert answer.status_code == 200, answer.text


def text_of(server: Server) -> str:
    return (server.base / "models.yaml").read_text()


@pytest.fixture
def opened(server: Server, open_ui: Any) -> Page:
    put(server, START)
    page: Page = open_ui("/configuration?model=Tiny")
    expect(page.get_by_role("textbox", name="context_window")).to_have_value("512")
    return page


def test_a_setting_changed_by_the_form_is_saved_and_can_be_taken_back(
    server: Server, opened: Page
) -> None:
    field = opened.get_by_role("textbox", name="context_window")
    field.fill("17000000")
    expect(opened.get_by_text("At most 16777216")).to_be_visible()
    field.fill("768")
    field.press("Enter")
    save = opened.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_enabled()
    assert_accessible(opened)
    opened.get_by_role("tab", name="Preview").click()
    expect(opened.get_by_role("cell", name="768")).to_be_visible()
    save.click()
    expect(opened.get_by_text("Saved and in force: Tiny.")).to_be_visible()
    assert text_of(server) == START.replace("512", "768")
    opened.get_by_role("button", name="Undo the last save").click()
    expect(save).to_be_enabled()
    save.click()
    expect(opened.get_by_text("Saved", exact=True)).to_be_visible()
    expect(save).to_be_disabled()
    assert text_of(server) == START


def test_a_mistake_in_the_yaml_is_marked_and_survives_a_reload(
    server: Server, opened: Page
) -> None:
    opened.get_by_role("tab", name="YAML").click()
    editor = opened.get_by_role("textbox", name="The model-config file")
    editor.fill(START + "    n_batch: many\n")
    wrong = opened.get_by_role("region", name="Mistakes and warnings")
    expect(wrong).to_contain_text("models.Tiny.n_batch: expected")
    expect(opened.locator(".cm-lint-marker-error")).to_be_visible()
    expect(opened.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    opened.reload()
    expect(wrong).to_contain_text("Line 6")
    # Escape, then Tab leaves the editor.
    editor.focus()
    editor.press("Escape")
    editor.press("Tab")
    expect(editor).not_to_be_focused()
    assert text_of(server) == START


def test_what_somebody_else_has_written_is_not_overwritten(
    server: Server, opened: Page, troubles: Any
) -> None:
    troubles.expect("409")
    field = opened.get_by_role("textbox", name="n_seq_max")
    field.fill("2")
    field.press("Enter")
    save = opened.get_by_role("button", name="Save", exact=True)
    expect(save).to_be_enabled()
    other = START + "# by somebody else\n"
    Path(server.base / "models.yaml").write_text(other)
    save.click()
    expect(opened.get_by_text("The file was changed in the meantime")).to_be_visible()
    assert text_of(server) == other
    opened.get_by_role("button", name="My text, over theirs").click()
    opened.get_by_role("tab", name="Preview").click()
    expect(opened.get_by_text(re.compile("by somebody else"))).to_be_visible()
    expect(save).to_be_enabled()
    save.click()
    # The button is disabled while it saves, too.
    expect(opened.get_by_text("Saved", exact=True)).to_be_visible()
    assert text_of(server) == START.replace("n_seq_max: 1", "n_seq_max: 2")
