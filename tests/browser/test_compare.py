"""One prompt to several models, side by side."""

from __future__ import annotations

from playwright.sync_api import expect

from harness.accessible import assert_accessible

from .conftest import OpenUi


def test_two_models_answer_and_one_is_voted_for(open_ui: OpenUi) -> None:
    page = open_ui("/compare")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Choose a model for each place.")).to_be_visible()
    for place, model in enumerate(("Tiny", "Slow"), start=1):
        page.get_by_role("combobox", name=f"Model {place}").click()
        page.get_by_role("option", name=model).first.click()
    prompt = page.get_by_role("textbox", name="Prompt", exact=True)
    prompt.fill("What is the capital of France?")
    page.get_by_role("button", name="Compare", exact=True).click()
    quick = page.get_by_role("article", name="Tiny")
    expect(quick).to_contain_text("The capital of France is Paris.")
    expect(quick).to_contain_text("tokens/s")
    # The other counts for ever.
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("article", name="Slow")).to_contain_text("stopped")
    votes = page.get_by_role("group", name="Which answer is the best?")
    votes.get_by_role("button", name="Tiny").click()
    expect(page.get_by_role("img", name="Tiny has the best answer")).to_be_visible()
    assert_accessible(page)
    page.reload()
    expect(quick).to_contain_text("The capital of France is Paris.")
    expect(page.get_by_text("1 of 1")).to_be_visible()
