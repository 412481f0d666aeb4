"""Batches in the browser: made of a table and of JSON, followed, looked into, tried again."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.browser import PHONE

from .conftest import OpenUi

SOURCE = "Paste here, or drop a file"
BAD = '{"messages": [{"role": "user", "content": "Hot"}], "temperature": 9}'


def fill(page: Page, form: str, text: str) -> None:
    page.get_by_role("radiogroup", name="Format").get_by_text(form, exact=True).click()
    page.get_by_label(SOURCE).fill(text)


def choose_model(page: Page) -> None:
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=re.compile(r"\bTiny\b")).click()
    page.get_by_role("textbox", name="Tokens of an answer").fill("3")


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("/batches/batch_"))
    expect(page.get_by_text("completed", exact=True)).to_be_visible()


def test_a_table_becomes_a_batch_whose_answers_are_exported(
    open_ui: OpenUi, tmp_path: Path
) -> None:
    page = open_ui("/batches")
    expect(page.get_by_role("heading", name="There is no batch yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="New batch").first.click()
    fill(page, "CSV", 'custom_id,question\r\none,"=Say ""hi"",\nplease"\r\ntwo,\r\n')
    expect(page.get_by_role("alert")).to_contain_text("Line 4: there is nothing in the column")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_label(SOURCE).fill(
        'custom_id,question\r\none,"=Say ""hi"",\nplease"\r\ntwo,Bye\r\n'
    )
    choose_model(page)
    page.get_by_role("textbox", name="Name").fill("Greetings")
    expect(page.get_by_role("table", name="Preview")).to_contain_text('=Say "hi", please')
    assert_accessible(page)
    # What is being written outlives a reload.
    page.reload()
    expect(page.get_by_label(SOURCE)).to_have_value(re.compile("two,Bye"))
    expect(page.get_by_text("2 requests are ready.")).to_be_visible()
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Greetings")
    page.get_by_role("button", name="Show one").click()
    expect(page.get_by_role("group", name="Answer")).to_contain_text("chat.completion")
    assert_accessible(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as exported:
        page.get_by_role("menuitem", name="CSV").click()
    exported.value.save_as(tmp_path / "batch.csv")
    text = (tmp_path / "batch.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["custom_id"] for row in rows] == ["one", "two"]
    assert rows[0]["prompt"] == '\'=Say "hi",\nplease' and rows[1]["state"] == "answered"


def test_a_file_is_taken_and_what_failed_is_tried_again(open_ui: OpenUi) -> None:
    page = open_ui("/batches/new")
    content = f'{{"prompt": "Hello", "custom_id": "good"}}\n{BAD}\n'.encode()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(
        {"name": "wishes.jsonl", "mimeType": "application/jsonl", "buffer": content}
    )
    expect(
        page.get_by_text("2 requests are ready.").or_(page.get_by_text("choose a model"))
    ).to_be_visible()
    choose_model(page)
    send(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("wishes.jsonl")
    page.get_by_role("radiogroup", name="Show").get_by_text("Failed", exact=True).click()
    expect(page).to_have_url(re.compile("show=failed"))
    items = page.get_by_role("table", name="Requests and answers")
    expect(items.get_by_role("row")).to_have_count(1 + 1)
    expect(items).to_contain_text("temperature")
    page.get_by_role("button", name="Retry 1 failed").click()
    before = page.url
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page).not_to_have_url(before)
    expect(page.get_by_role("heading", level=1)).to_have_text("wishes.jsonl, again")


def test_a_batch_is_cancelled_when_one_says_so(open_ui: OpenUi) -> None:
    page = open_ui("/batches/new", size=PHONE, scheme="dark")
    fill(page, "Text", "\n".join(f"Count to {number}" for number in range(40)))
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=re.compile(r"\bSlow\b")).click()
    page.get_by_role("textbox", name="Tokens of an answer").fill("2000")
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(re.compile("/batches/batch_"))
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    assert_accessible(page)
