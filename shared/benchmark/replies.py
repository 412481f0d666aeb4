"""What came back over a connection, looked at when all is over: from reads with their times."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Bytes that were read together, and when, in seconds of `time.perf_counter`.
Read = tuple[float, bytes]

# What of an answer's piece is text of the model; the same under the names that servers have for it.
_TEXTS = ("content", "reasoning_content", "reasoning", "tool_calls")
_LONGEST_MESSAGE = 500
# Timeouts, conflicts and rate limits, which pass by themselves.
_PASSING = (408, 409, 425, 429)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer, or not the whole of it. `code` is the server's own where it said one,
    else `http_500` and the like, or what became of the connection."""

    code: str
    message: str
    # Of HTTP; None where there was no answer, or it began well.
    status: int | None = None

    @property
    def is_final(self) -> bool:
        """The server would say the same again: the request is what is wrong."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _PASSING


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Times are seconds of the same clock as `started`."""

    started: float
    ended: float
    # When each piece of text came.
    pieces: tuple[float, ...] = ()
    # None where the server did not say.
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    # What the server calls itself and its build.
    server: str | None = None
    failure: Failure | None = None
    # What the answer of a request without a stream says.
    body: Any = None

    @property
    def tokens(self) -> int:
        """Of the answer; its pieces, where the server did not count."""
        return len(self.pieces) if self.completion_tokens is None else self.completion_tokens

    @property
    def ttft(self) -> float | None:
        """Seconds to the first piece."""
        return self.pieces[0] - self.started if self.pieces else None


def failed(started: float, ended: float, code: str, message: str) -> Reply:
    """An answer that never came."""
    return Reply(started, ended, failure=Failure(code, message))


def reply(started: float, reads: Sequence[Read], *, is_stream: bool) -> Reply:
    """What was answered, given all that was read until the server closed the connection."""
    ended = reads[-1][0] if reads else started
    head, body = _split(reads)
    if head is None:
        return failed(started, ended, "broken", "the connection broke before there was an answer")
    status, headers = head
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, is_whole = _dechunked(body)
    else:
        length = headers.get("content-length", "")
        is_whole = not length.isdecimal() or sum(len(data) for _, data in body) >= int(length)
    if status != 200:
        return Reply(started, ended, failure=_refusal(status, body))
    if is_stream:
        return _streamed(started, ended, body)
    document = _json(b"".join(data for _, data in body))
    if not is_whole or document is None:
        return failed(started, ended, "broken", "the answer is not whole, or no JSON")
    return Reply(started, ended, body=document)


def _split(reads: Sequence[Read]) -> tuple[tuple[int, dict[str, str]] | None, list[Read]]:
    """Status and headers, and the reads after them."""
    seen = b""
    for number, (when, data) in enumerate(reads):
        seen += data
        head, found, rest = seen.partition(b"\r\n\r\n")
        if not found:
            continue
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
            return None, []
        fields = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        return (int(words[1]), headers), [(when, rest), *reads[number + 1 :]]
    return None, []


def _dechunked(reads: Sequence[Read]) -> tuple[list[Read], bool]:
    """The contents of the chunks, each with the time at which it was complete; whether the last
    one came."""
    found: list[Read] = []
    left = b""
    for when, data in reads:
        left += data
        while True:
            line, ended, rest = left.partition(b"\r\n")
            size = _size(line) if ended else None
            if size is None or len(rest) < size + 2:
                break
            if size == 0:
                return found, True
            found.append((when, rest[:size]))
            left = rest[size + 2 :]
    return found, False


def _size(line: bytes) -> int | None:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        return None


def _events(body: Sequence[Read]) -> Iterator[tuple[float, bytes]]:
    """The data of each server-sent event, with the time at which its line was complete."""
    left = b""
    for when, data in body:
        *lines, left = (left + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield when, line[5:].strip()


def _streamed(started: float, ended: float, body: Sequence[Read]) -> Reply:
    pieces: list[float] = []
    usage: dict[str, Any] = {}
    server: str | None = None
    failure: Failure | None = None
    is_over = False
    for when, data in _events(body):
        event = _json(data)
        if data == b"[DONE]":
            is_over = True
        if not isinstance(event, dict):
            continue
        if "error" in event:
            failure = _said(event, "error", None)
        choices = [choice for choice in event.get("choices") or () if isinstance(choice, dict)]
        pieces += [when for choice in choices if _has_text(choice)]
        # A server that does not end with [DONE] is believed when it says why it ends.
        is_over = is_over or any(choice.get("finish_reason") for choice in choices)
        usage = event.get("usage") or usage
        server = event.get("system_fingerprint") or server
    if failure is None and not is_over:
        failure = Failure("broken", "the answer broke off")
    details = usage.get("prompt_tokens_details") or {}
    return Reply(
        started,
        ended,
        tuple(pieces),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        cached_tokens=details.get("cached_tokens"),
        server=server,
        failure=failure,
    )


def _has_text(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta") or {}
    return bool(choice.get("text")) or any(delta.get(name) for name in _TEXTS)


def _refusal(status: int, body: Sequence[Read]) -> Failure:
    data = b"".join(part for _, part in body)
    said = _json(data)
    if isinstance(said, dict):
        return _said(said, f"http_{status}", status)
    words = " ".join(data.decode(errors="replace").split())
    return Failure(f"http_{status}", words[:_LONGEST_MESSAGE] or f"status {status}", status)


def _said(document: dict[str, Any], code: str, status: int | None) -> Failure:
    """The server's words, in OpenAI's form or one like it."""
    error = document.get("error", document)
    if not isinstance(error, dict):
        return Failure(code, str(error)[:_LONGEST_MESSAGE], status)
    own = error.get("code")
    message = str(error.get("message") or error)[:_LONGEST_MESSAGE]
    return Failure(own if isinstance(own, str) and own else code, message, status)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
