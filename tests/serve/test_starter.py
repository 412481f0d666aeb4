"""The starter model, as a new user meets it: no configuration, one question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

# Greedy, the model answers the bare question in the manner of a French novel; llama.cpp's own
# chat does the same.
QUESTION = "What is the capital city of France? Answer in one sentence."


@pytest.mark.starter
def test_the_starter_model_knows_the_capital_of_france(start_server: Any, starter: Path) -> None:
    name = starter.stem
    server = start_server({f"kronk/starter/{name}.gguf": starter}, {name: {}})
    client = server.openai()
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    stream = client.chat.completions.create(
        model=name, messages=messages, temperature=0, max_tokens=100, stream=True
    )
    with stream:
        pieces = [c.delta.content for chunk in stream for c in chunk.choices if c.delta.content]
    assert len(pieces) > 5
    assert "Paris" in "".join(pieces)

    whole = client.chat.completions.create(
        model=name, messages=messages, temperature=0, max_tokens=100
    )
    assert whole.choices[0].message.content == "".join(pieces)
    assert whole.choices[0].finish_reason == "stop"
