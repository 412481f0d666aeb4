"""Functions that a model calls, and answers that are held to a form."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.server import Server

from .conftest import OpenUi, Serve


@pytest.fixture(scope="module")
def server(serve: Serve, tiny: Path) -> Server:
    """With the one model that calls functions."""
    return serve({"test/tiny/Tiny.gguf": tiny}, {}, "--cache-ttl=0")


def choose_model(page: Page) -> None:
    page.get_by_role("combobox", name="Model", exact=True).click()
    page.get_by_role("option", name="Tiny").first.click()


def test_a_call_waits_for_its_result_which_the_model_then_reads(open_ui: OpenUi) -> None:
    page = open_ui("/tools")
    choose_model(page)
    page.get_by_role("textbox", name="Question").fill("What is the weather in Paris?")
    page.get_by_role("button", name="One step").click()
    result = page.get_by_role("textbox", name="Result of get_weather")
    expect(result).to_have_value('{"city": "Paris", "temperature": 21, "sky": "sunny"}')
    first = page.get_by_role("article", name="Step 1")
    expect(first.get_by_role("region", name="Arguments")).to_contain_text('"city": "Paris"')
    result.fill('{"temperature": 7}')
    page.get_by_role("button", name="Send the results").click()
    expect(page.get_by_text("Done: the last answer calls nothing.")).to_be_visible()
    expect(page.get_by_role("article", name="Step 2")).to_be_visible()
    page.reload()
    sent = page.get_by_role("article", name="Step 1").get_by_role("region", name="Result")
    expect(sent).to_contain_text('"temperature": 7')


def test_a_function_is_built_by_form(open_ui: OpenUi) -> None:
    page = open_ui("/tools")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("menuitem", name="A new one").click()
    name = page.get_by_role("textbox", name="Name", exact=True)
    name.fill("get weather")
    expect(page.get_by_text("At most 64 letters of a to z, digits, _ and -.")).to_be_visible()
    name.fill("find_city")
    page.get_by_role("button", name="Add a parameter").click()
    page.get_by_role("textbox", name="Name", exact=True).last.fill("country")
    assert_accessible(page)
    page.get_by_role("tab", name="Schema").click()
    schema = page.get_by_role("tabpanel", name="Schema").get_by_role("region")
    expect(schema).to_contain_text('"name": "find_city"')
    expect(schema).to_contain_text('"country"')
    page.reload()
    expect(page.get_by_role("button", name="find_city 1 parameter")).to_be_visible()


def test_an_answer_is_held_to_a_schema_and_checked(open_ui: OpenUi) -> None:
    page = open_ui("/tools/structured")
    choose_model(page)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("The answer is what it had to be.")).to_be_visible()
    expect(page.get_by_label("Answer", exact=True).last).to_contain_text('"name": "Alice"')
    assert_accessible(page)
