"""Takes an upload from its connection to the disk, with bounded memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from starlette.requests import Request

from kronk.gateway.body import body_parts
from kronk.gateway.form import Form
from kronk.shared.errors import TooLarge
from kronk.shared.security.identity import Identity

from .files import MOST_BYTES, Draft, Files, StoredFile
from .requests import parse_upload
from .shares import Arrival
from .turns import opened

# Parsed and written at once, in a thread.
_PART_BYTES = 512 * 1024
# What the form may have around the file.
_FORM_BYTES = 64 * 1024
# More than any field we know.
_LONGEST_FIELD = 1024


async def receive(request: Request, files: Files, identity: Identity) -> StoredFile:
    """The file in the body of `request`, stored as `identity`'s; whatever goes wrong, nothing is
    left of it."""
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else 0
    if size > MOST_BYTES + _FORM_BYTES:
        raise _too_large()
    # All of it at once, where it is known.
    await asyncio.to_thread(files.check_room, size)
    async with (
        opened(lambda: files.shares.arrival(identity)) as arrival,
        opened(files.draft) as draft,
    ):
        try:
            arrival.expect(size)
            file = await _fill(request, files, draft, arrival)
            await asyncio.to_thread(arrival.check)
            await asyncio.to_thread(draft.sync)
            file = replace(file, owner=identity.subject)
            await asyncio.to_thread(files.add, file)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(draft.drop))
            raise
    return file


async def _fill(request: Request, files: Files, draft: Draft, arrival: Arrival) -> StoredFile:
    def write(data: bytes) -> None:
        if draft.size + len(data) > MOST_BYTES:
            raise _too_large()
        arrival.take(len(data))
        files.check_room(len(data))
        draft.write(data)

    form = Form(request.headers.get("content-type", ""), write, _LONGEST_FIELD)
    waiting = bytearray()
    async for part in body_parts(request):
        waiting += part
        if len(waiting) >= _PART_BYTES:
            await asyncio.to_thread(form.feed, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(form.feed, bytes(waiting))
    asked = parse_upload(form.end())
    assert form.filename is not None, "a form without a file has no end"
    now = int(time.time())
    return StoredFile(
        id=draft.id,
        bytes=draft.size,
        created_at=now,
        filename=form.filename,
        purpose=asked.purpose,
        expires_at=None if asked.expires_after is None else now + asked.expires_after,
    )


def _too_large() -> TooLarge:
    return TooLarge(f"The file is larger than the limit of {MOST_BYTES} bytes", param="file")
