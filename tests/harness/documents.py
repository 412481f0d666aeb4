"""Documents of conversations for tests."""

from __future__ import annotations

from typing import Any


def node(name: str, parent: str | None, role: str, content: Any, **more: Any) -> dict[str, Any]:
    made = {"id": name, "parent": parent, "role": role, "content": content, "created": 1000.5}
    return made | more


def document(*nodes: dict[str, Any], head: str | None = "last", **more: Any) -> dict[str, Any]:
    """A document of those nodes, of which the last is looked at."""
    last = nodes[-1]["id"] if nodes else None
    tree = {one["id"]: one for one in nodes}
    return {"version": 1, "head": last if head == "last" else head, "nodes": tree} | more


def chat(*texts: str) -> dict[str, Any]:
    """Questions and answers in turn, one after the other."""
    roles = ("user", "assistant")
    return document(
        *(
            node(f"n{at}", f"n{at - 1}" if at else None, roles[at % 2], text)
            for at, text in enumerate(texts)
        ),
        settings={"temperature": 0.5},
    )


# With everything that a message may have, and a branch that is not looked at.
RICH = document(
    node("s", None, "system", "Be brief."),
    node(
        "u",
        "s",
        "user",
        [
            {"type": "text", "text": "What is this? \u00e4\U0001f600"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ],
    ),
    node(
        "a0",
        "u",
        "assistant",
        "A cat, or so.",
        model="Tiny",
        finish_reason="stop",
    ),
    node(
        "a1",
        "u",
        "assistant",
        "",
        reasoning="Look first.",
        tool_calls=[
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        ],
        model="Tiny",
        stats={"tokens_per_second": 12.25, "ttft": 0.125},
        logprobs=[{"token": "A", "logprob": -0.25, "top": []}],
        finish_reason="tool_calls",
    ),
    node("t", "a1", "tool", '{"seen": "dog"}', tool_call_id="c1"),
    node("a2", "t", "assistant", "A **dog**.", error={"message": "cut off", "code": "timeout"}),
    settings={"temperature": 0.7, "tools": [{"deep": [1, 2.5, None, True]}]},
)
