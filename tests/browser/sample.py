"""Something to see: a server's work and stored things, made over its API."""

from __future__ import annotations

from typing import Any

import httpx

from harness.server import Server
from harness.waiting import PATIENCE

_NODE = {"created": 1_760_000_000, "parent": None}
_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "head": "b",
    "nodes": {
        "a": {**_NODE, "id": "a", "role": "user", "content": "What is a language model?"},
        "b": {
            **_NODE,
            "id": "b",
            "parent": "a",
            "role": "assistant",
            "content": "It **predicts** the next token:\n\n```python\nprint(token)\n```\n",
            "model": "Tiny",
        },
    },
    "settings": {},
}
_LONG = "averylongwordthatbreaksnowherebyitself" * 3


def fill(server: Server, model: str = "Tiny") -> None:
    """A loaded model, answers in the statistics, conversations, prompts, a note. What an older
    server has no route for is left out."""
    for prompt in ("Hello", "Tell me a story"):
        answer = server.chat(model, prompt, max_tokens=16)
        assert answer.status_code == 200, answer.text
    # A failure, for the lists of failures.
    assert server.chat("nothing-of-this-name", "Hello").status_code == 404
    stored: list[tuple[str, str, dict[str, Any]]] = [
        (
            "POST",
            "/api/v1/conversations",
            {"title": "About models", "model": model, "document": _DOCUMENT},
        ),
        ("POST", "/api/v1/conversations", {"title": _LONG, "model": model, "document": _DOCUMENT}),
        (
            "POST",
            "/api/v1/prompts",
            {"name": "Translate", "text": "Translate into {{language}}: {{text}}", "kind": "user"},
        ),
        (
            "POST",
            "/api/v1/prompts",
            {"name": "Pirate", "text": "You are a pirate.", "kind": "system", "favourite": True},
        ),
        ("PUT", f"/api/v1/notes/{model}", {"rating": 4, "note": "Small and quick."}),
    ]
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        for method, path, body in stored:
            done = client.request(method, path, json=body)
            absent = done.status_code == 404 and done.json()["error"]["code"] == "not_found"
            assert done.is_success or absent, f"{method} {path}: {done.text}"
