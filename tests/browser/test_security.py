"""Tokens in the browser: made by the form, shown once, used, and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.server import SMALL, Server


@pytest.fixture(scope="module")
def server(serve: Any, tiny: Path) -> Server:
    """One that asks for tokens."""
    started: Server = serve({"test/tiny/Tiny.gguf": tiny}, {"Tiny": SMALL}, "--auth-enabled")
    return started


@pytest.fixture
def logged_in(server: Server, page: Page) -> Page:
    """With the operator's token, as the settings store it."""
    token = (server.base / "keys" / "master.jwt").read_text().strip()
    page.add_init_script(
        f"localStorage.setItem('kronk.preferences', JSON.stringify({{token: '{token}'}}))"
    )
    return page


def asked(server: Server, token: str) -> httpx.Response:
    body = {"model": "Tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


def test_a_limited_token_is_made_used_up_and_revoked(server: Server, logged_in: Page) -> None:
    page = logged_in
    page.goto(f"{server.url}/security/tokens")
    page.get_by_role("button", name="Create a token").click()
    dialog = page.get_by_role("dialog", name="Create a token")
    dialog.get_by_label("Name").fill("Anna")
    dialog.get_by_role("combobox", name="Limit of chat-completions").click()
    page.get_by_role("option", name="per day").click()
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_text("Expected a whole number")).to_be_visible()
    dialog.get_by_label("Calls of chat-completions").fill("1")
    assert_accessible(page)
    dialog.get_by_role("button", name="Create").click()
    shown = page.get_by_role("textbox", name="Token", exact=True)
    expect(shown).to_be_visible()
    token = shown.input_value()
    page.get_by_role("button", name="I have it").click()
    expect(shown).to_be_hidden()
    assert [asked(server, token).status_code for _ in range(2)] == [200, 429]
    page.get_by_role("tab", name="Usage").click()
    expect(page.get_by_text("1 of 1 per day")).to_be_visible()
    page.get_by_role("tab", name="Tokens").click()
    expect(page.get_by_text("chat-completions: 1 per day")).to_be_visible()
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked", exact=True)).to_be_visible()
    assert asked(server, token).status_code == 401
    page.get_by_role("tab", name="Audit log").click()
    expect(page.get_by_role("cell", name="revoke").first).to_be_visible()
    assert_accessible(page)
