"""What Anthropic's messages say besides their content: head, usage, why they ended."""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import Done, Finished, Started

# Why a message ended that was to have no content: `max_tokens` is 0.
NO_ANSWER = {"stop_reason": "max_tokens", "stop_sequence": None}
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def head(name: str, model: str) -> dict[str, Any]:
    """The fields that every message begins with."""
    return {"id": name, "type": "message", "role": "assistant", "model": model}


def input_usage(prompt_tokens: int, cached_tokens: int) -> dict[str, Any]:
    """The prompt's part of the usage. Nothing is ever charged for being put into the cache, so all
    that did not come out of it counts as plain input."""
    return {
        "input_tokens": prompt_tokens - cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached_tokens,
    }


def opening_usage(started: Started) -> dict[str, Any]:
    """The usage of a message that begins."""
    return {
        **input_usage(started.prompt_tokens, started.cached_tokens),
        "output_tokens": 0,
        "service_tier": "standard",
    }


def usage(done: Done) -> dict[str, Any]:
    """The usage of a message that has ended."""
    counts = done.usage
    return {
        **input_usage(counts.prompt_tokens, counts.cached_tokens),
        "output_tokens": counts.completion_tokens,
        "output_tokens_details": {"thinking_tokens": counts.reasoning_tokens},
    }


def no_output(counts: dict[str, Any]) -> dict[str, Any]:
    """The same for a message of which nothing is shown."""
    return {**counts, "output_tokens": 0, "output_tokens_details": {"thinking_tokens": 0}}


def ending(finished: Finished | None, done: Done, limit: int | None) -> dict[str, Any]:
    """Why a message ended. Where it could only be cut by its `limit` of tokens or by the end of
    the window, it is said which."""
    if finished is None:
        raise Internal("the model's process ended an answer that it did not finish")
    if finished.stop is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": finished.stop}
    why = _STOP_REASONS[finished.reason]
    if why == "max_tokens" and limit is not None and done.usage.completion_tokens < limit:
        why = "model_context_window_exceeded"
    return {"stop_reason": why, "stop_sequence": None}


def text_block(text: str) -> dict[str, Any]:
    """Content."""
    return {"type": "text", "text": text}


def thinking_block(thinking: str, signature: str) -> dict[str, Any]:
    """Thinking."""
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def tool_use_block(id: str | None, name: str | None, input: dict[str, Any]) -> dict[str, Any]:
    """A call."""
    return {"type": "tool_use", "id": id, "name": name, "input": input}
