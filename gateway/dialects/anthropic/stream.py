"""Anthropic's Messages answer, streamed: from a worker's events to its server-sent events.

The order is Anthropic's: `message_start` with the tokens of the prompt; for each block
`content_block_start`, its deltas, `content_block_stop`; `message_delta` with the reason and the
usage; `message_stop`. A `ping` follows the first block's start, and others come while nothing else
does.

A tool_use block cannot be taken back, and clients run every call whose block they have seen to its
end: some, Claude Code among them, do not look at the `stop_reason` first. So where a call may still
turn out to be none, nothing is said of it until it is complete, and its arguments come in one
piece, as Anthropic's own servers send a long value in one piece. A retracted call is text. Only
where the answer is held to calls are arguments sent as they are written.
"""

from __future__ import annotations

from typing import Any, Literal

from kronk.gateway.dialects.sse import EVENT_STREAM, named, quoted
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, KronkError
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)

from .errors import envelope
from .figures import (
    NO_ANSWER,
    ending,
    head,
    no_output,
    opening_usage,
    text_block,
    thinking_block,
    tool_use_block,
    usage,
)
from .request import Shown
from .signature import signature

PING = named("ping", {"type": "ping"})


class MessageChunks:
    """The server-sent events of one message, each as the bytes to send."""

    media_type = EVENT_STREAM
    keep_alive = PING

    def __init__(
        self,
        name: str,
        model: str,
        *,
        shown: Shown = "everything",
        limit: int | None = None,
        calls_are_certain: bool = False,
    ) -> None:
        self._head = head(name, model)
        self._shown = shown
        self._limit = limit
        self._calls_are_certain = calls_are_certain
        # Blocks begun; the last of them is open if `_open` says what it is.
        self._blocks = 0
        self._open: Literal["text", "thinking", "tool_use"] | None = None
        # What stands before the text of a delta, while the next text needs no more than that.
        self._before_text: str | None = None
        # A call that may still be none: its first event, and its arguments so far.
        self._held: ToolCallDelta | None = None
        self._arguments: list[str] = []
        # Thinking that the client does not want to see.
        self._hidden: list[str] = []
        self._finished: Finished | None = None

    def opening(self) -> bytes:
        """Nothing: the message starts when it is known what the cache had of its prompt."""
        return b""

    def event(self, event: Event) -> bytes:
        """The events of one event."""
        if type(event) is Delta:
            # Of all events the one that comes with every token; the rest are rarer.
            if self._before_text is not None and event.text:
                return f"{self._before_text}{quoted(event.text)}}}}}\n\n".encode()
            return self._text(event.text)
        return self._other(event)

    def closing(self, done: Done) -> bytes:
        """The end of a message that ended well."""
        why, counts = ending(self._finished, done, self._limit), usage(done)
        if self._shown == "nothing":
            why, counts = NO_ANSWER, no_output(counts)
        delta = {"type": "message_delta", "delta": why, "usage": counts}
        return (
            self._settle()
            + self._close()
            + named("message_delta", delta)
            + named("message_stop", {"type": "message_stop"})
        )

    def failure(self, error: KronkError) -> bytes:
        """The error, and no `message_stop`."""
        return named("error", envelope(error, None))

    def _other(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._start(event)
            case Finished():
                self._finished = event
                return b""
            case ReasoningDelta(text=text):
                return self._thinking(text)
            case ScoredDelta(text=text):
                return self._text(text)
            case ToolCallDelta():
                return self._call(event)
            case ToolCallRetracted(text=text):
                # If the call is not held, its block stays, and the reason says not to run it.
                self._held = None
                return self._text(text)
        raise Internal(f"the model's process answered a message with {type(event).__name__}")

    def _start(self, started: Started) -> bytes:
        message = {
            **self._head,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": opening_usage(started),
        }
        return named("message_start", {"type": "message_start", "message": message})

    def _text(self, text: str) -> bytes:
        if not text or self._shown == "nothing":
            return b""
        before = self._settle()
        if self._open != "text":
            before += self._begin("text", text_block(""))
        shared = f'{{"type":"content_block_delta","index":{self._blocks - 1},"delta":'
        self._before_text = (
            f'event: content_block_delta\ndata: {shared}{{"type":"text_delta","text":'
        )
        return before + f"{self._before_text}{quoted(text)}}}}}\n\n".encode()

    def _thinking(self, text: str) -> bytes:
        if not text or self._shown == "nothing":
            return b""
        before = self._settle()
        if self._open != "thinking":
            before += self._begin("thinking", thinking_block("", ""))
        if self._shown == "no thinking":
            self._hidden.append(text)
            return before
        return before + self._delta("thinking_delta", thinking=text)

    def _call(self, event: ToolCallDelta) -> bytes:
        if self._shown == "nothing":
            return b""
        if self._calls_are_certain:
            before = self._begin_call(event) if event.id is not None else b""
            return before + self._input(event.arguments)
        before = b""
        if event.id is not None:
            before = self._settle()
            self._held, self._arguments, self._before_text = event, [], None
        self._arguments.append(event.arguments)
        return before

    def _settle(self) -> bytes:
        """Whatever comes after a call, but its retraction, says that the call is one."""
        if self._held is None:
            return b""
        held, self._held = self._held, None
        return self._begin_call(held) + self._input("".join(self._arguments))

    def _begin_call(self, event: ToolCallDelta) -> bytes:
        return self._begin("tool_use", tool_use_block(event.id, event.name, {}))

    def _input(self, json: str) -> bytes:
        return self._delta("input_json_delta", partial_json=json) if json else b""

    def _begin(self, kind: Literal["text", "thinking", "tool_use"], block: dict[str, Any]) -> bytes:
        """A new block, the one before it ended."""
        before = self._close()
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        after = PING if self._blocks == 0 else b""
        self._open = kind
        self._blocks += 1
        return before + named("content_block_start", start) + after

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        before = b""
        if self._open == "thinking":
            before = self._delta("signature_delta", signature=signature("".join(self._hidden)))
            self._hidden.clear()
        self._open = self._before_text = None
        stop = {"type": "content_block_stop", "index": self._blocks - 1}
        return before + named("content_block_stop", stop)

    def _delta(self, kind: str, **value: str) -> bytes:
        delta = {"type": kind, **value}
        event = {"type": "content_block_delta", "index": self._blocks - 1, "delta": delta}
        return named("content_block_delta", event)
