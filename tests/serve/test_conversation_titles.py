"""Titles of conversations by their own models: a chat like any other, and only of who is idle."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.documents import chat
from harness.server import Server

API = "/api/v1/conversations"


@pytest.fixture(scope="module")
def client(house: Server) -> httpx.Client:
    return house.http()


def kept(client: httpx.Client, model: str) -> Any:
    document = chat("What is the capital of France?", "The capital of France is Paris.")
    answer = client.post(API, json={"document": document, "model": model})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_model_that_is_loaded_and_idle_writes_a_title(client: httpx.Client) -> None:
    asked = {"model": "Tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    assert client.post("/v1/chat/completions", json=asked).status_code == 200
    made = kept(client, "Tiny")
    assert made["titled_by"] == "first_message"
    titled = client.post(f"{API}/{made['id']}/title").json()
    assert titled["titled_by"] == "model"
    assert titled["title"] not in ("", made["title"])
    assert client.get(f"{API}/{made['id']}").json()["title"] == titled["title"]


def test_a_model_that_is_not_loaded_is_not_asked(client: httpx.Client) -> None:
    for model in ("NotThere", "south/twins/Twin"):
        made = kept(client, model)
        assert client.post(f"{API}/{made['id']}/title").json() == made
