"""The loop of a download: from the last byte that is right to the end, through whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx

from .fetching import Progress, Wanted, WrongContent, require_room
from .partial import Partial, Writer
from .patience import Again, Patience
from .remote import Answer, Beyond, Remote
from .walk import header_fault

# What one request may bring: stores in front of the hub refuse answers of 50 GB.
PER_REQUEST = 32 * 2**30
_HEAD_BYTES = 8
# After so many bytes of a file of unknown size the disk is looked at again.
_LOOK_BYTES = 16 * 2**20
# In place of a file's size, which is judged at the end.
_SOME_SIZE = 2**40


class Damaged(WrongContent):
    """All of it came and it is wrong; another try may bring it right."""


def download(
    remote: Remote, partial: Partial, wanted: Wanted, progress: Progress, patience: Patience
) -> str:
    """Have the whole file at `partial`, on the disk; its digest.

    Where the digest is known beforehand, bytes from whatever server and day are gone on from, as it
    decides in the end; else only those that the server says are still the file's.
    """
    with partial.opened(wanted.identity, progress) as writer:
        tries = patience.tries(wanted.name, writer.done)
        while not _is_whole(writer, wanted):
            try:
                if _attempt(remote, writer, wanted, progress):
                    break
            except Beyond as error:
                if error.total == writer.done:
                    break
                writer.restart(None, None)
                tries.failed(error, reached=0)
            except (Again, httpx.TransportError) as error:
                tries.failed(error, reached=writer.done)
        writer.seal()
        return writer.sha256.hexdigest()


def filled(writer: Writer, data: bytes, name: str) -> None:
    """Add to the file, and look at its head as soon as it is there: no pages for logging in, of
    however many gigabytes."""
    before = writer.done
    writer.append(data)
    if before < _HEAD_BYTES <= writer.done:
        fault = header_fault(writer.head(_HEAD_BYTES), _SOME_SIZE)
        if fault is not None:
            raise Damaged(f"{name}: what came is not the model: {fault}")


def _is_whole(writer: Writer, wanted: Wanted) -> bool:
    total = wanted.size_bytes or writer.total
    return total is not None and writer.done == total > 0


def _attempt(remote: Remote, writer: Writer, wanted: Wanted, progress: Progress) -> bool:
    """One request; whether it brought the end of the file."""
    with _asked(remote, writer, wanted) as answer:
        wanted.refuse_size(answer.total)
        _take_up(writer, answer, wanted)
        total = answer.total or wanted.size_bytes
        require_room(writer.path.parent, (total or writer.done) - writer.done)
        progress("download", writer.done, total)
        _store(writer, answer, total, wanted, lambda: progress("download", writer.done, total))
    promised = total if answer.end is None else answer.end
    if promised is not None and writer.done < promised:
        raise Again(f"the connection ended after {writer.done} of {total} bytes")
    return total is None or writer.done >= total


def _asked(remote: Remote, writer: Writer, wanted: Wanted) -> AbstractContextManager[Answer]:
    known = wanted.size_bytes or writer.total
    if known is not None and writer.done > known:
        writer.restart(None, None)
    if wanted.sha256 is None and writer.version is None:
        # Nothing would say that the rest belongs to what is there.
        return remote.opened(0)
    far = known is not None and known - writer.done > PER_REQUEST
    end = writer.done + PER_REQUEST if far else None
    return remote.opened(writer.done, None if wanted.sha256 else writer.version, end)


def _take_up(writer: Writer, answer: Answer, wanted: Wanted) -> None:
    """Begin the file anew unless the answer goes on with it."""
    changed = wanted.sha256 is None and answer.version != writer.version
    resized = None not in (answer.total, writer.total) and answer.total != writer.total
    if answer.start and (changed or resized):
        writer.restart(None, None)
        raise Again("the file was changed while it was fetched")
    if not answer.start:
        writer.restart(answer.version, answer.total)


def _store(
    writer: Writer, answer: Answer, total: int | None, wanted: Wanted, tell: Callable[[], None]
) -> None:
    looked = writer.done
    for chunk in answer.chunks:
        if total is not None and writer.done + len(chunk) > total:
            raise Again(f"more than the {total} bytes came that were announced")
        if wanted.kind == "model":
            filled(writer, chunk, wanted.name)
        else:
            writer.append(chunk)
        tell()
        if total is None and writer.done - looked >= _LOOK_BYTES:
            # Nobody said how much it would be; it may have no end.
            require_room(writer.path.parent, _LOOK_BYTES)
            looked = writer.done
