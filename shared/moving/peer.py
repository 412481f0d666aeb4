"""Another Kronk: what it has of a model, and files going there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from kronk.shared.errors import Conflict, InvalidArgument, KronkError, NotFound, TooLarge
from kronk.shared.jobs.kinds import Progress
from kronk.shared.models.fetching import CHUNK, FetchFailed, NoRoom, Refused
from kronk.shared.models.patience import Again, Patience, asked_wait
from kronk.shared.models.plan import Item, Plan, Role
from kronk.shared.models.sources import KronkSource, allowed
from kronk.shared.reach import refusal

from .receiving import Standing

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROLES: tuple[Role, ...] = ("model", "shard", "projector", "draft")
# Seconds. It may have to read all of a file before it answers.
_READING = httpx.Timeout(3600.0, connect=15.0)
_PASSES = (408, 425, 429, 500, 502, 503, 504)
_MOST_FILES = 2000
_KINDS: Mapping[int, type[KronkError]] = {
    400: InvalidArgument,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    507: NoRoom,
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server at a URL without a path. The token is told to it alone: no redirect is followed."""

    url: str
    token: str | None = field(default=None, repr=False)

    def plan(self, model: str) -> Plan:
        """What fetching its model means: all its files, under the names that they have there. It
        may have to read them first. `Again` and httpx's `TransportError` are for what may pass."""
        path = f"/v1/kronk/models/{quote(model, safe='')}/files?digests=true"
        answer = self._asked(path, _READING)
        try:
            files = answer["files"]
            if not 0 < len(files) <= _MOST_FILES:
                raise ValueError("no files")
            items = tuple(self._item(file) for file in files)
            return Plan(f"{model} of {self.url}", str(answer["model"]), items)
        except (LookupError, TypeError, ValueError) as error:
            raise self._unreadable() from error

    def _item(self, file: Any) -> Item:
        path, sha256, size, role = (file[key] for key in ("path", "sha256", "size_bytes", "role"))
        good = isinstance(path, str) and isinstance(sha256, str) and type(size) is int
        if not good or not _SHA256.fullmatch(sha256) or role not in _ROLES:
            raise ValueError("not a file of a model")
        source = KronkSource(f"{self.url}/v1/kronk/blobs/{quote(path)}", self.token)
        return Item(source, path, sha256, size, role)

    def standing(self, relative: str, sha256: str, size: int) -> Standing:
        """How much of a file it has."""
        answer = self._asked(f"/v1/kronk/uploads/{quote(relative)}{_whole(sha256, size)}", _READING)
        match answer:
            case {"offset": int(offset), "complete": bool(complete)} if 0 <= offset <= size:
                return Standing(offset, complete)
            case _:
                raise self._unreadable()

    def send(
        self, path: Path, relative: str, sha256: str, progress: Progress, patience: Patience
    ) -> None:
        """Have the file there, through whatever happens on the way."""
        furthest = 0

        def seen(phase: str, done: int, total: int | None) -> None:
            nonlocal furthest
            furthest = max(furthest, done)
            progress(phase, done, total)

        tries = patience.tries(f"{relative} to {self.url}")
        while True:
            try:
                self._put(path, relative, sha256, seen)
            except (Again, httpx.TransportError) as error:
                tries.failed(error, reached=furthest)
            else:
                return

    def _put(self, path: Path, relative: str, sha256: str, progress: Progress) -> None:
        """One try."""
        size = path.stat().st_size
        there = self.standing(relative, sha256, size)
        progress("upload", there.offset, size)
        if there.complete:
            return
        span = "*" if there.offset == size else f"{there.offset}-{size - 1}"
        headers = {
            "Content-Length": str(size - there.offset),
            "Content-Range": f"bytes {span}/{size}",
            "Content-Type": "application/octet-stream",
        }
        address = f"/v1/kronk/blobs/{quote(relative)}{_whole(sha256, size)}"
        body = _read_from(path, there.offset, lambda done: progress("upload", done, size))
        with self._client(_READING) as client:
            answer = self._answer(client.put(address, content=body, headers=headers))
        if not (isinstance(answer, dict) and answer.get("complete") is True):
            raise Again("the other server did not take all of it")

    def _asked(self, path: str, timeout: httpx.Timeout) -> Any:
        with self._client(timeout) as client:
            return self._answer(client.get(path))

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        # A proxy in the environment cannot reach this machine's own loopback.
        where = httpx.URL(self.url)
        why = refusal(where.host, where.port)
        if why is not None:
            raise Refused(f"{self.url}: {why}")
        is_near = allowed("http", where.host)
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=not is_near
        )

    def _answer(self, response: httpx.Response) -> Any:
        status = response.status_code
        if response.is_success:
            try:
                return response.json()
            except ValueError as error:
                raise self._unreadable() from error
        why = f"{self.url}: {_message(response)}"
        wait = asked_wait(response.headers.get("retry-after"))
        if status in _PASSES or (status == httpx.codes.CONFLICT and wait is not None):
            raise Again(why, wait)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Refused(f"{why}; give its token in KRONK_PEER_TOKEN, or with --token")
        kind = _KINDS.get(status, FetchFailed)
        raise kind(why)

    def _unreadable(self) -> FetchFailed:
        return FetchFailed(
            f"{self.url} answered in a form this version cannot read; is it a Kronk?"
        )


def fetched(peer: Peer, model: str, patience: Patience) -> Plan:
    """`Peer.plan`, through what passes."""
    tries = patience.tries(f"{model} of {peer.url}")
    while True:
        try:
            return peer.plan(model)
        except (Again, httpx.TransportError) as error:
            tries.failed(error)


def _read_from(path: Path, start: int, tell: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            yield chunk
            tell(file.tell())


def _whole(sha256: str, size: int) -> str:
    return f"?sha256={sha256}&size={size}"


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"answered {response.status_code} {response.reason_phrase}".rstrip()
