"""The results of a batch on disk: two files that only grow, one line for each request.

Which requests have their result is read from these files alone. A line counts once it is whole and
synced; what a crash left behind the last whole line is cut off when the files are opened, and those
requests run again. So no line is lost, and none is there twice.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydantic_core

from .records import Counts, Tokens

# Digits of a line's number at the end of its result's id.
_NUMBER_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Response:
    """What the route answered; `body` is JSON on one line."""

    status: int
    request_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class NoResponse:
    """Why there is none, in OpenAI's codes: `batch_expired` and its like."""

    code: str
    message: str


EXPIRED = NoResponse(
    "batch_expired", "This request could not be executed before the completion window expired."
)
CANCELLED = NoResponse(
    "batch_cancelled", "This request was not executed: the batch was cancelled before."
)
# Nothing was tried, so nothing failed.
_NOT_RUN = frozenset({EXPIRED.code, CANCELLED.code})


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the request in line `number`."""

    number: int
    custom_id: str
    outcome: Response | NoResponse

    @property
    def is_answer(self) -> bool:
        """It belongs into the output file, not into that of the errors."""
        return isinstance(self.outcome, Response) and self.outcome.status == 200


class Results:
    """The files of one batch. Blocks for the disk: use it in threads, one at a time."""

    def __init__(self, batch: str, output: Path, errors: Path) -> None:
        self.done: set[int] = set()
        self.completed = 0
        self.failed = 0
        self.tokens = Tokens()
        # The first part of the ids, the line's number is the second.
        self._stem = f"batch_req_{batch.removeprefix('batch_')[:24]}"
        self._files: dict[bool, BinaryIO] = {}
        for is_answer, path in ((True, output), (False, errors)):
            self._files[is_answer] = _open(path)
            self._read_back(self._files[is_answer])

    def counts(self, total: int) -> Counts:
        return Counts(total, self.completed, self.failed)

    def append(self, results: Iterable[Result]) -> None:
        """Write results; they are on disk when it returns."""
        written, touched = [], set()
        for result in results:
            line, file = self._line(result), self._files[result.is_answer]
            file.write(line)
            written.append((result.number, line))
            touched.add(file)
        for file in touched:
            file.flush()
            os.fsync(file.fileno())
        for number, line in written:
            self._count(number, pydantic_core.from_json(line))

    def close(self) -> None:
        """Idempotent."""
        for file in self._files.values():
            file.close()

    def _line(self, result: Result) -> bytes:
        response, error = b"null", b"null"
        match result.outcome:
            case Response() as answer:
                head = {"status_code": answer.status, "request_id": answer.request_id}
                # The body is put in as it is: it may be megabytes of numbers.
                response = _json(head)[:-1] + b', "body": ' + _one_line(answer.body) + b"}"
            case NoResponse() as reason:
                error = _json({"code": reason.code, "message": reason.message})
        head = {
            "id": f"{self._stem}{result.number:0{_NUMBER_DIGITS}x}",
            "custom_id": result.custom_id,
        }
        return _json(head)[:-1] + b', "response": ' + response + b', "error": ' + error + b"}\n"

    def _read_back(self, file: BinaryIO) -> None:
        """Count what is there, and cut off what is not a whole line of ours."""
        end = 0
        for raw in file:
            number, value = self._parse(raw)
            if number is None or number in self.done:
                break
            self._count(number, value)
            end += len(raw)
        file.seek(end)
        file.truncate()

    def _parse(self, raw: bytes) -> tuple[int | None, dict[str, Any]]:
        if not raw.endswith(b"\n"):
            return None, {}
        try:
            value = pydantic_core.from_json(raw)
        except ValueError:
            # A power cut can leave a hole of zeros before the end.
            return None, {}
        name = str(value["id"]) if isinstance(value, dict) and "id" in value else ""
        if not name.startswith(self._stem):
            return None, {}
        return int(name.removeprefix(self._stem), 16), value

    def _count(self, number: int, value: dict[str, Any]) -> None:
        self.done.add(number)
        response, error = value["response"], value["error"]
        if response is not None and response["status_code"] == 200:
            self.completed += 1
            self.tokens += tokens_of(response["body"])
        elif error is None or error["code"] not in _NOT_RUN:
            self.failed += 1


def tokens_of(body: dict[str, Any]) -> Tokens:
    """What the `usage` of an answer says, in the words of any of OpenAI's routes."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return Tokens()
    incoming = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    outgoing = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    return Tokens(
        prompt=usage.get("prompt_tokens") or usage.get("input_tokens") or 0,
        cached=incoming.get("cached_tokens") or 0,
        completion=usage.get("completion_tokens") or usage.get("output_tokens") or 0,
        reasoning=outgoing.get("reasoning_tokens") or 0,
    )


def _open(path: Path) -> BinaryIO:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # So that no sweep takes it for left.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return os.fdopen(handle, "r+b")
        os.close(handle)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _one_line(body: bytes) -> bytes:
    return body if b"\n" not in body else json.dumps(json.loads(body)).encode()
