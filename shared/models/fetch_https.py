"""Fetches a file over HTTP, going on where an earlier try ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from kronk.shared.errors import NotFound
from kronk.shared.files import write_atomically

from .fetching import FetchFailed, Progress, WrongContent, require_room
from .sources import HttpSource, allowed

# Tries in a row that bring nothing new, with these pauses between them, in seconds.
_PAUSES = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
_PASSES = (408, 425, 429, 500, 502, 503, 504)
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)


class _Again(Exception):
    """This try failed and the next may not. `wait` is what the server asked for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Partial:
    """A file that is not complete, and which version of the remote file it is the start of."""

    path: Path

    @property
    def _note(self) -> Path:
        return self.path.with_suffix(".version")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> str | None:
        """The validator of the bytes that are there; None: they cannot be gone on from."""
        try:
            note = json.loads(self._note.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(note, dict) and note.get("url") == url
        return str(note["version"]) if fits and note.get("version") else None

    def begin(self, url: str, version: str | None) -> None:
        """Forget what is there; the note comes before the first byte that it is about."""
        self.path.unlink(missing_ok=True)
        write_atomically(self._note, json.dumps({"url": url, "version": version}).encode())

    def forget_version(self) -> None:
        """Complete, or wrong: the next fetch to this name begins anew."""
        self._note.unlink(missing_ok=True)


def fetch(
    source: HttpSource,
    part: Path,
    size: int | None,
    progress: Progress,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """The complete file at `part`; what an interruption leaves there is continued next time."""
    partial = _Partial(part)
    failures = 0
    hooks = {"request": [_refuse_unencrypted]}
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, event_hooks=hooks) as client:
        while True:
            before = partial.size()
            try:
                _attempt(client, source, partial, size, progress)
            except (_Again, httpx.TransportError) as error:
                failures = 1 if partial.size() > before else failures + 1
                if failures > len(_PAUSES):
                    raise FetchFailed(f"{source}: {_words(error)}; gave up") from error
                wait = error.wait if isinstance(error, _Again) else None
                pause(min(wait or _PAUSES[failures - 1], _LONGEST_WAIT))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise FetchFailed(f"{source}: {_words(error)}") from error
            else:
                partial.forget_version()
                return part


def _attempt(
    client: httpx.Client,
    source: HttpSource,
    partial: _Partial,
    size: int | None,
    progress: Progress,
) -> None:
    have, version = partial.size(), partial.version(source.url)
    headers = {"Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    with client.stream("GET", source.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.forget_version()
            raise _Again("the partial download does not fit the file any more")
        _raise_for(response, source)
        start = have if _continues(response, have) else 0
        total = _total(response, start)
        if size is not None and total is not None and total != size:
            raise WrongContent(f"{source}: has {total} bytes, expected {size}")
        if not start:
            partial.begin(source.url, _validator(response))
        require_room(partial.path.parent, (total or size or start) - start)
        _store(response, partial.path, start, total, progress)
    if total is not None and partial.size() != total:
        raise _Again(f"the connection ended after {partial.size()} of {total} bytes")


def _store(
    response: httpx.Response, path: Path, start: int, total: int | None, progress: Progress
) -> None:
    done = start
    progress("download", done, total)
    with path.open("ab") as file:
        # As it comes: with a chunk size httpx drops what it holds when the connection breaks.
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            progress("download", done, total)


def _refuse_unencrypted(request: httpx.Request) -> None:
    """Also for where a redirect leads."""
    if not allowed(request.url.scheme, request.url.host):
        raise FetchFailed(
            f"redirected to {request.url.scheme}://{request.url.host}, which is not encrypted"
        )


def _raise_for(response: httpx.Response, source: HttpSource) -> None:
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return
    why = f"the server answered {status} {response.reason_phrase}".rstrip()
    if status in _PASSES:
        wait = response.headers.get("retry-after", "")
        raise _Again(why, float(wait) if wait.isdecimal() else None)
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotFound(f"{source}: {why}", param="source")
    raise FetchFailed(f"{source}: {why}")


def _continues(response: httpx.Response, have: int) -> bool:
    """Whether the answer is the rest of what is there; a server may send all of it instead."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    if not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
        raise FetchFailed(f"{response.url.host} answered with another range than was asked for")
    return True


def _total(response: httpx.Response, start: int) -> int | None:
    length = response.headers.get("content-length", "")
    return start + int(length) if length.isdecimal() else None


def _validator(response: httpx.Response) -> str | None:
    """What `If-Range` accepts: a strong ETag, else the date of change."""
    etag: str = response.headers.get("etag", "")
    if etag and not etag.startswith("W/"):
        return etag
    changed: str | None = response.headers.get("last-modified")
    return changed


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
