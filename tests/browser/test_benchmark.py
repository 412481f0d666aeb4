"""Benchmarks in the browser: one is begun, left, found again, stopped, and compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from harness.accessible import assert_accessible
from harness.browser import PHONE, Troubles
from harness.server import Server
from harness.waiting import PATIENCE, wait_until

from .conftest import OpenUi

RUNS = "/api/v1/benchmark/runs"
SMALL = {
    "model": "Tiny",
    "prompt_sizes": [64],
    "concurrency": [1, 2],
    "max_tokens": 4,
    "repetitions": 2,
    "warm_up": 0,
}


def begin(server: Server, **fields: Any) -> str:
    answer = httpx.post(f"{server.url}{RUNS}", json=SMALL | fields, timeout=PATIENCE)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def measured(server: Server) -> list[str]:
    """Two runs that asked the same."""
    ids = []
    for _ in range(2):
        run_id = begin(server)
        wait_until(lambda: server.get(f"{RUNS}/{run_id}")["state"] == "complete", "a run")  # noqa: B023 - waited for here
        ids.append(run_id)
    return ids


def choose_model(page: Page, name: str) -> None:
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=re.compile(rf"\b{name}\b")).click()


def test_a_run_of_ones_own_is_begun_left_and_found_again(open_ui: OpenUi, server: Server) -> None:
    page = open_ui("/benchmark")
    choose_model(page, "Tiny")
    page.get_by_role("radio", name=re.compile("^Custom")).click()
    page.get_by_label("Prompt sizes").fill("big")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Whole numbers with commas between, such as 128, 512.")).to_be_visible()
    page.get_by_label("Prompt sizes").fill("64")
    page.get_by_label("At once").fill("1, 2")
    page.get_by_role("textbox", name="Tokens of an answer").fill("4")
    page.get_by_role("textbox", name="Rounds", exact=True).fill("2")
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile(r"/benchmark/\d{8}-"))
    address = page.url
    page.get_by_role("link", name="All runs").click()
    expect(page.get_by_role("heading", name="Earlier runs")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Tiny")
    expect(page.get_by_text("complete", exact=True)).to_be_visible()
    results = page.get_by_role("table", name="Results")
    expect(results.get_by_role("row")).to_have_count(2 + 2)
    expect(page.get_by_role("table", name="Round by round")).to_contain_text("st. dev.")
    assert_accessible(page)


def test_a_run_is_stopped_and_says_that_it_was(open_ui: OpenUi, server: Server) -> None:
    run_id = begin(server, model="Slow", max_tokens=500, repetitions=50)
    page = open_ui("/benchmark")
    expect(page.get_by_role("status").filter(has_text="A benchmark is running")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    page.get_by_role("link", name="Watch it").click()
    expect(page).to_have_url(re.compile(run_id))
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^(cancelled|stopped early)$"))).to_be_visible()


def test_two_runs_are_compared_in_words(open_ui: OpenUi, measured: list[str]) -> None:
    page = open_ui("/benchmark")
    for run_id in measured:
        page.get_by_role("checkbox", name=f"Choose {run_id} for comparing").check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(f"runs={measured[0]}(,|%2C){measured[1]}"))
    table = page.get_by_role("table", name="Comparison")
    expect(table.get_by_role("row")).to_have_count(1 + 2)
    expect(table).to_contain_text(re.compile("(noise|better|worse|unclear)"))
    assert_accessible(page)


def test_a_run_is_exported_and_deleted(
    open_ui: OpenUi, server: Server, measured: list[str], tmp_path: Path
) -> None:
    page = open_ui(f"/benchmark/{measured[0]}", size=PHONE, scheme="dark")
    assert_accessible(page)
    with page.expect_download() as exported:
        page.get_by_role("button", name="Export JSON").click()
    exported.value.save_as(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["id"] == measured[0]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/benchmark$"))
    left = [run["id"] for run in server.get(RUNS)["data"]]
    assert measured[0] not in left and measured[1] in left


def test_a_run_that_is_not_there_says_so(open_ui: OpenUi, troubles: Troubles) -> None:
    troubles.expect("404")
    page = open_ui("/benchmark/nope")
    expect(page.get_by_role("alert")).to_contain_text("there is no benchmark 'nope'")
