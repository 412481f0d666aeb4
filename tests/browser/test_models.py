"""The pages about models: what is there, what runs, what can be had, and what is on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from fakes.hub import FileServer, serving
from fakes.hub_api import publish
from harness.accessible import assert_accessible
from harness.browser import PHONE
from harness.server import Server

from .conftest import OpenUi, Serve

TESTS = Path(__file__).parent.parent
# 7 MB come in chunks of 16 KiB: with this pause it takes two minutes, unless the test ends it.
SLOWLY = 0.25


@pytest.fixture(scope="module")
def hub() -> Iterator[FileServer]:
    """A hub with a repository of two quants, and one that gives its file to nobody."""
    tiny = (TESTS / "models" / "tiny-chat-q8_0.gguf").read_bytes()
    large = (TESTS / "models" / "tiny-chat-f16.gguf").read_bytes()
    with serving() as hub:
        publish(hub, "o/story-GGUF", {"story-Q8_0.gguf": tiny, "story-F16.gguf": large})
        publish(hub, "o/gated-GGUF", {"gated-Q8_0.gguf": tiny}, gated="auto")
        for path, served in hub.files.items():
            if "gated-Q8_0" in path:
                served.token = "hf_of_others"
        yield hub


@pytest.fixture(scope="module")
def server(
    serve: Serve, hub: FileServer, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Server:
    broken = tmp_path_factory.mktemp("broken") / "Broken.gguf"
    broken.write_bytes(tiny.read_bytes()[:20_000])
    files = {"a/b/Tiny.gguf": tiny, "a/b/Spare.gguf": tiny, "a/b/Broken.gguf": broken}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_ENDPOINT", hub.url)
        return serve(files, {}, "--cache-ttl=0")


def test_a_pull_goes_on_while_its_page_is_left(open_ui: OpenUi, hub: FileServer) -> None:
    paced = [served for path, served in hub.files.items() if path.endswith("story-F16.gguf")]
    for served in paced:
        served.seconds_per_chunk = SLOWLY
    page = open_ui("/catalog/pull")
    page.get_by_label("Name or address").fill("o/story-GGUF")
    page.get_by_role("radio", name=re.compile("^F16")).click()
    expect(page.get_by_role("heading", name="story-F16")).to_be_visible()
    page.get_by_role("button", name="Fetch 6.7 MiB").click()
    expect(page.get_by_text(re.compile(r"Downloading · \d+ %"))).to_be_visible()

    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    page.get_by_role("link", name="Downloads").click()
    row = page.get_by_role("listitem").filter(has_text="story-F16")
    expect(row.get_by_text("Running")).to_be_visible()
    for served in paced:
        served.seconds_per_chunk = 0
    expect(row.get_by_text("Done", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile("story-F16")).click()
    page.get_by_role("link", name="To story-F16").click()
    expect(page.get_by_role("heading", level=1, name="story-F16")).to_be_visible()
    assert_accessible(page)


def test_a_download_that_failed_says_why_and_can_be_forgotten(
    open_ui: OpenUi, server: Server
) -> None:
    body = {"kind": "pull", "params": {"wanted": "o/gated-GGUF"}}
    assert server.http().post("/v1/kronk/jobs", json=body).status_code == 202
    page = open_ui("/downloads?show=failed", size=PHONE)
    expect(page.get_by_role("alert")).to_contain_text("KRONK_HF_TOKEN")
    expect(page.get_by_role("button", name="Try again: pull o/gated-GGUF")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Forget: pull o/gated-GGUF").click()
    expect(page.get_by_text("There is none like that.")).to_be_visible()


def test_a_model_is_loaded_pinned_and_unloaded(open_ui: OpenUi) -> None:
    page = open_ui("/models")
    tiny = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Tiny"))
    tiny.get_by_role("button", name="Load: Tiny").click()
    expect(tiny.get_by_text("Ready")).to_be_visible()
    tiny.get_by_role("button", name="More: Tiny").click()
    page.get_by_role("menuitem", name="Pin: keep it loaded").click()
    expect(tiny.get_by_role("img", name="Pin: keep it loaded")).to_be_visible()

    page.get_by_role("link", name="Running").click()
    running = page.get_by_role("region", name="Tiny")
    expect(running.get_by_text("never: pinned")).to_be_visible()
    expect(running.get_by_text("1 · free")).to_be_visible()
    assert_accessible(page)
    running.get_by_role("button", name="More: Tiny").click()
    page.get_by_role("menuitem", name="Unpin").click()
    expect(running.get_by_text("never: pinned")).to_be_hidden()
    running.get_by_role("button", name="Unload: Tiny").click()
    expect(running).to_be_hidden()
    expect(page.get_by_text(re.compile("an operator wanted it")).first).to_be_visible()


def test_a_file_that_is_broken_is_listed_with_the_reason(open_ui: OpenUi) -> None:
    page = open_ui("/models?q=broken")
    expect(page.get_by_text("the file ends at byte 20000")).to_be_visible()
    page.get_by_role("link", name="What can be done").click()
    expect(page.get_by_text("Where this file is from is not known")).to_be_visible()


def test_a_removal_asks_and_says_what_it_frees(open_ui: OpenUi, server: Server) -> None:
    page = open_ui("/models/Spare")
    page.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog", name="Remove Spare?")
    expect(dialog).to_contain_text("3.6 MiB")
    expect(dialog).to_contain_text("Spare.gguf")
    dialog.get_by_role("button", name="Keep it").last.click()
    expect(dialog).to_be_hidden()
    assert "Spare" in {row["id"] for row in server.get("/v1/kronk/models")["data"]}
    page.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Models")).to_be_visible()
    assert "Spare" not in {row["id"] for row in server.get("/v1/kronk/models")["data"]}


def test_a_template_renders_a_chat_while_one_types(open_ui: OpenUi, server: Server) -> None:
    server.http().post("/v1/kronk/models/Tiny/unload")
    page = open_ui("/models/Tiny?tab=template")
    page.get_by_role("button", name="Load and render").click()
    rendered = page.get_by_role("region", name="What the model gets to see")
    expect(rendered).to_contain_text("<|im_start|>user\nHello!")
    page.get_by_role("button", name="Tools", exact=True).click()
    expect(rendered).to_contain_text("<tool_response>")


def test_every_part_of_a_models_page_is_accessible_and_has_an_address(open_ui: OpenUi) -> None:
    page = open_ui("/models/Tiny")
    for tab, seen in (
        ("Configuration", "context_window"),
        ("Template", "A sample chat"),
        ("Integrity", "Check now"),
        ("Statistics", re.compile("Speed|Nobody has asked this model anything yet")),
        ("History", re.compile("process", re.IGNORECASE)),
        ("My notes", "Rating"),
        ("Details", "What the file says"),
    ):
        page.get_by_role("tab", name=tab).click()
        panel = page.get_by_role("tabpanel")
        expect(panel.get_by_text(seen).first).to_be_visible()
        page.reload()
        expect(panel.get_by_text(seen).first).to_be_visible()
        assert_accessible(page)


def test_the_catalog_is_searched_and_its_models_have_pages(open_ui: OpenUi) -> None:
    page = open_ui("/catalog")
    page.get_by_label("Search").fill("starter")
    expect(page.get_by_text("1 of")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="SmolLM2-135M-Instruct.Q4_1").click()
    expect(page.get_by_role("region", name="Files")).to_contain_text("SHA-256")
    assert_accessible(page)
