"""Files of models over HTTP: what a request says of them, and their bytes both ways."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.shared.errors import Conflict, InvalidArgument, NotFound
from kronk.shared.models import facts
from kronk.shared.models.target import target_of
from kronk.shared.moving.receiving import Incoming, Upload
from kronk.shared.paths import BasePath

from .batches.turns import opened
from .body import body_parts, disconnect_watch

_SENT_AT_ONCE = _WRITTEN_AT_ONCE = 512 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?", re.ASCII)
_LAST = re.compile(r"bytes=-(\d{1,18})", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file from `start` to before `end`."""

    start: int
    end: int


def parse_upload(path: str, query: Mapping[str, str]) -> Upload:
    """Which upload is meant: `sha256` and `size` of the whole file."""
    sha256, size = query.get("sha256", ""), query.get("size", "")
    if not _SHA256.fullmatch(sha256):
        raise InvalidArgument(
            "'sha256' must be the file's digest: 64 hexadecimal digits", param="sha256"
        )
    if not _NUMBER.fullmatch(size):
        raise InvalidArgument("'size' must be the file's size in bytes", param="size")
    return Upload(path, sha256, int(size))


def parse_content_range(header: str | None, size: int) -> Span:
    """What a request brings: all of the file where it does not say."""
    if header is None:
        return Span(0, size)
    given = _CONTENT_RANGE.fullmatch(header)
    if given is not None and int(given[3]) == size:
        if given[1] is None:
            return Span(size, size)
        span = Span(int(given[1]), int(given[2]) + 1)
        if span.start < span.end <= size:
            return span
    raise InvalidArgument(
        f"Content-Range: expected 'bytes FIRST-LAST/{size}', or 'bytes */{size}' when all of it "
        f"has come; got {header[:100]!r}",
        param="Content-Range",
    )


def parse_range(header: str | None, size: int) -> Span | None:
    """The one span that is asked for; None: all of it. `Unsatisfiable` where the file ends before
    it. Of what else a header may say, several spans say, all is sent."""
    if header is None:
        return None
    if last := _LAST.fullmatch(header):
        if not int(last[1]) or not size:
            raise Unsatisfiable
        return Span(max(size - int(last[1]), 0), size)
    given = _RANGE.fullmatch(header)
    if given is None:
        return None
    start, end = int(given[1]), int(given[2]) + 1 if given[2] else size
    if given[2] and end <= start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Span(start, min(end, size))


class Unsatisfiable(Exception):
    """A range of bytes that the file does not have."""


async def receive(request: Request, base: BasePath, upload: Upload) -> tuple[int, bool]:
    """Add the body of the request to the upload; how much of it is there then, and whether that
    is all. What came before a connection breaks is kept."""
    span = parse_content_range(request.headers.get("content-range"), upload.size_bytes)
    async with _incoming(base, upload) as incoming:
        if span.start == 0 < incoming.offset:
            await asyncio.to_thread(incoming.restart)
        if span.start != incoming.offset:
            raise Conflict(
                f"Content-Range: {incoming.offset} bytes of {upload.relative} are here, and the "
                f"request goes on at {span.start}",
                param="Content-Range",
                # Ask where it stands, and go on there.
                retry_after=0.0,
            )
        await _fill(request, incoming, span)
        is_whole = incoming.is_whole
        if is_whole:
            # Whoever leaves now has a model all the same.
            await asyncio.shield(asyncio.to_thread(incoming.finish))
        return upload.size_bytes if is_whole else incoming.offset, is_whole


@asynccontextmanager
async def _incoming(base: BasePath, upload: Upload) -> AsyncIterator[Incoming]:
    async with opened(lambda: Incoming(base, upload)) as incoming:
        try:
            yield incoming
        finally:
            # It waits for the disk.
            await asyncio.shield(asyncio.to_thread(incoming.close))


async def _fill(request: Request, incoming: Incoming, span: Span) -> None:
    waiting = bytearray()
    left = span.end - span.start
    try:
        async for part in body_parts(request):
            left -= len(part)
            if left < 0:
                raise InvalidArgument(
                    "the body is longer than its Content-Range", param="Content-Range"
                )
            waiting += part
            if len(waiting) >= _WRITTEN_AT_ONCE:
                data = bytes(waiting)
                waiting.clear()
                await asyncio.to_thread(incoming.add, data)
    finally:
        if waiting and left >= 0:
            await asyncio.shield(asyncio.to_thread(incoming.add, bytes(waiting)))


def open_blob(base: BasePath, relative: str) -> tuple[BinaryIO, str]:
    """A file of the models folder, and what tells its version: its digest where that is known."""
    missing = NotFound("path: there is no such file in the models folder", param="path")
    try:
        path = target_of(base.models, relative)
        # Opening a pipe of that name would block for ever.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (InvalidArgument, OSError, ValueError):
        raise missing from None
    try:
        now = os.fstat(file.fileno())
        if not path.is_file():
            raise missing
    except BaseException:
        file.close()
        raise
    row = facts.load(base.models).get(relative)
    if row is not None and facts.state_of(row, now.st_size, now.st_mtime_ns) == "verified":
        return file, row.sha256
    return file, f"{now.st_size:x}-{now.st_mtime_ns:x}"


def blob_response(file: BinaryIO, version: str, headers: Mapping[str, str]) -> Response:
    """The file's bytes, as the headers of the request want them."""
    size = os.fstat(file.fileno()).st_size
    etag = f'"{version}"'
    fits = headers.get("if-range", etag) == etag
    common = {"ETag": etag, "Accept-Ranges": "bytes"}
    try:
        span = parse_range(headers.get("range") if fits else None, size)
    except Unsatisfiable:
        file.close()
        return Response(status_code=416, headers=common | {"Content-Range": f"bytes */{size}"})
    return Blob(file, size, span, common)


class Blob(Response):
    """Sends a span of a file as it is read."""

    def __init__(
        self, file: BinaryIO, size: int, span: Span | None, headers: Mapping[str, str]
    ) -> None:
        super().__init__(status_code=206 if span else 200, media_type="application/octet-stream")
        self._file = file
        self._span = span or Span(0, size)
        self.headers.update(headers)
        self.headers["content-length"] = str(self._span.end - self._span.start)
        if span is not None:
            self.headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size}"
        self.headers["content-disposition"] = "attachment"
        self.headers["x-content-type-options"] = "nosniff"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        with self._file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            if "kronk.head" in scope:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            async with disconnect_watch(receive, gone.set):
                at = self._span.start
                while at < self._span.end and not gone.is_set():
                    part = await asyncio.to_thread(self._read, at)
                    if not part:
                        # Cut by somebody; the missing bytes show that it is not whole.
                        return
                    at += len(part)
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _read(self, at: int) -> bytes:
        return os.pread(self._file.fileno(), min(self._span.end - at, _SENT_AT_ONCE), at)
