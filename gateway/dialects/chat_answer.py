"""OpenAI's Chat Completions answer: from a worker's events to chunks or one object."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any

from kronk import __version__
from kronk.shared.wire.to_gateway import Done

FINGERPRINT = f"kronk-{__version__}"
_NO_MORE = b"data: [DONE]\n\n"


class ChatChunks:
    """The server-sent events of one answer, each as the bytes to send."""

    def __init__(self, name: str, model: str, created: int, include_usage: bool) -> None:
        self._head = _head(name, "chat.completion.chunk", created, model)
        self._include_usage = include_usage
        # All that the chunks of one answer share is encoded here, once.
        head = _compact(self._head)[:-1]
        self._before = f'data: {head},"choices":[{{"index":0,"delta":{{"content":'.encode()
        no_usage = ',"usage":null' if include_usage else ""
        self._after = f'}},"logprobs":null,"finish_reason":null}}]{no_usage}}}\n\n'.encode()

    def opening(self) -> bytes:
        """The chunk that says who speaks."""
        return self._event(_choice({"role": "assistant", "content": ""}, None))

    def text(self, text: str) -> bytes:
        """One chunk of content. ASCII only: some clients take U+2028 for the end of a line."""
        return self._before + encode_basestring_ascii(text).encode() + self._after

    def closing(self, done: Done) -> bytes:
        """The last chunks of an answer that ended well, `[DONE]` included."""
        finish = self._event(_choice({}, done.reason), timings=timings(done))
        if not self._include_usage:
            return finish + _NO_MORE
        return finish + sse({**self._head, "choices": [], "usage": usage(done)}) + _NO_MORE

    def _event(self, choice: dict[str, Any], **extra: Any) -> bytes:
        if self._include_usage:
            extra["usage"] = None
        return sse({**self._head, "choices": [choice], **extra})


def completion(name: str, model: str, created: int, text: str, done: Done) -> dict[str, Any]:
    """The whole answer as one object."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": done.reason}
    return {
        **_head(name, "chat.completion", created, model),
        "choices": [choice],
        "usage": usage(done),
        "timings": timings(done),
    }


def usage(done: Done) -> dict[str, Any]:
    """OpenAI's token counts."""
    counts = done.usage
    return {
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def timings(done: Done) -> dict[str, float]:
    """An extension of ours: where the time went in the worker."""
    decode = done.timings.decode
    # The first token comes out of prefill, so decode makes one fewer.
    decoded = max(done.usage.completion_tokens - 1, 0)
    return {
        "queued_ms": round(done.timings.queued * 1000, 3),
        "prefill_ms": round(done.timings.prefill * 1000, 3),
        "decode_ms": round(decode * 1000, 3),
        "tokens_per_second": round(decoded / decode, 2) if decode > 0 else 0.0,
    }


def sse(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {_compact(value)}\n\n".encode()


def _head(name: str, kind: str, created: int, model: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
