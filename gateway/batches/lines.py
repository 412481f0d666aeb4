"""The lines of a batch's input: how they are read, and what is wrong with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pydantic_core

from kronk.gateway.body import MAX_BODY_BYTES
from kronk.gateway.dialects.depth import MAX_DEPTH, is_too_deep, may_be_too_deep
from kronk.gateway.dialects.fields import kind

from .records import Fault

# OpenAI's.
MOST_LINES = 50_000
# Enough to see what went wrong; the rest would be the same again.
MOST_FAULTS = 100
_LONGEST_CUSTOM_ID = 512
# So much is gone through at once: some milliseconds.
_BREATH_LINES = 32
_BREATH_BYTES = 256 * 1024
_BREATH_SECONDS = 0.001
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MEMBERS = frozenset({"custom_id", "method", "url", "body"})


@dataclass(frozen=True, slots=True)
class Line:
    """One request. `body` is what its route would have been sent."""

    # In the file, from 1.
    number: int
    custom_id: str
    model: str
    body: bytes


def read(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank with their numbers; None for one that is too long to be one."""
    number = 0
    while raw := file.readline(MAX_BODY_BYTES + 1):
        number += 1
        if len(raw) > MAX_BODY_BYTES:
            yield number, None
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_BODY_BYTES)
            continue
        if number == 1:
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        if raw.strip():
            yield number, raw


def paced(rows: Iterator[tuple[int, bytes | None]]) -> Iterator[tuple[int, bytes | None]]:
    """The same, for a thread that goes through all of them: streams get the interpreter between."""
    unpaced = 0
    for number, raw in rows:
        yield number, raw
        unpaced += len(raw or b"") + _BREATH_BYTES // _BREATH_LINES
        if unpaced >= _BREATH_BYTES:
            unpaced = 0
            time.sleep(_BREATH_SECONDS)


def parse(number: int, raw: bytes | None, endpoint: str) -> Line | Fault:
    """The request of a line, or the first thing that is wrong with it."""
    if raw is None:
        message = f"This line is longer than the limit of {MAX_BODY_BYTES} bytes."
        return Fault("line_too_long", message, number)
    try:
        value = pydantic_core.from_json(raw, allow_inf_nan=False)
    except ValueError:
        return Fault("invalid_json_line", "This line is not parseable as valid JSON.", number)
    if may_be_too_deep(raw) and is_too_deep(value):
        message = f"This line is nested more than {MAX_DEPTH} levels deep."
        return Fault("invalid_json_line", message, number)
    if not isinstance(value, dict):
        message = f"This line must be a JSON object, got {kind(value)}."
        return Fault("invalid_json_line", message, number)
    return _request(number, value, endpoint)


def _request(number: int, value: dict[str, Any], endpoint: str) -> Line | Fault:
    custom_id, body = value.get("custom_id"), value.get("body")
    if (fault := _text(number, value, "custom_id")) or (fault := _text(number, value, "method")):
        return fault
    if len(str(custom_id)) > _LONGEST_CUSTOM_ID:
        message = f"'custom_id' is longer than the limit of {_LONGEST_CUSTOM_ID} characters."
        return Fault("invalid_custom_id", message, number, "custom_id")
    if value["method"] != "POST":
        return Fault("invalid_method", "'method' must be 'POST'.", number, "method")
    if fault := _text(number, value, "url"):
        return fault
    if value["url"] != endpoint:
        message = f"'url' must be the batch's endpoint, '{endpoint}'."
        return Fault("url_mismatch", message, number, "url")
    if fault := _body(number, value):
        return fault
    for name in value:
        if name not in _MEMBERS:
            message = f"Unrecognized request argument supplied: {name[:100]}"
            return Fault("unknown_parameter", message, number, name[:100])
    assert isinstance(body, dict), "checked above"
    return Line(
        number, str(custom_id), body["model"], json.dumps(body, ensure_ascii=False).encode()
    )


def _body(number: int, value: dict[str, Any]) -> Fault | None:
    body = value.get("body")
    if body is None:
        return _missing(number, "body")
    if not isinstance(body, dict):
        message = f"'body' must be an object, got {kind(body)}."
        return Fault("invalid_type", message, number, "body")
    return _text(number, body, "model", "body.model")


def _text(number: int, holder: dict[str, Any], name: str, where: str | None = None) -> Fault | None:
    where = where or name
    found = holder.get(name)
    if found is None or found == "":
        return _missing(number, where)
    if not isinstance(found, str):
        message = f"'{where}' must be a string, got {kind(found)}."
        return Fault("invalid_type", message, number, where)
    return None


def _missing(number: int, where: str) -> Fault:
    message = f"Missing required parameter: '{where}'."
    return Fault("missing_required_parameter", message, number, where)


class Validation:
    """Looks at all lines in turn; what matters between lines is judged here."""

    def __init__(self, endpoint: str) -> None:
        self.total = 0
        self.model: str | None = None
        self.faults: list[Fault] = []
        self._endpoint = endpoint
        self._first_line: dict[str, int] = {}

    def look(self, number: int, raw: bytes | None) -> bool:
        """Take note of a line; false when nothing would be gained by more of them."""
        self.total += 1
        if self.total > MOST_LINES:
            message = f"The file has more requests than the limit of {MOST_LINES}."
            self.faults.append(Fault("too_many_tasks", message, number))
            return False
        line = parse(number, raw, self._endpoint)
        fault = line if isinstance(line, Fault) else self._beside_others(line)
        if fault is not None:
            self.faults.append(fault)
        return len(self.faults) < MOST_FAULTS

    def end(self) -> None:
        """There are no more lines."""
        if not self.total:
            self.faults.append(Fault("empty_file", "The input file has no requests."))

    def _beside_others(self, line: Line) -> Fault | None:
        before = self._first_line.setdefault(line.custom_id, line.number)
        if before != line.number:
            message = f"The custom_id '{line.custom_id}' is that of line {before}, too."
            return Fault("duplicate_custom_id", message, line.number, "custom_id")
        if self.model is None:
            self.model = line.model
        elif line.model != self.model:
            message = (
                f"The model '{line.model}' is not that of the lines before, '{self.model}':"
                " a batch has requests for a single model."
            )
            return Fault("model_mismatch", message, line.number, "body.model")
        return None
