"""New lines of the log as events, until nobody may or can tell more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kronk.gateway import log_stream
from kronk.gateway.log_stream import MOST_WATCHERS, LogStream, Watchers
from kronk.shared.errors import Overloaded, Unauthenticated
from kronk.shared.logbook.query import Query
from kronk.shared.logbook.reader import Reader

LINE = '{"event": "%s"}'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "_POLL_SECONDS", 0.001)


class Watched:
    """A log, and what a watcher of it is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(LINE % "old" + "\n")
        self.watchers = Watchers()
        self.sent: list[bytes] = []
        self.on_send: Callable[[bytes], None] = lambda body: None
        self.check: Callable[[], Awaitable[None]] = _may
        self.keep_alive = 0.0

    def add(self, event: str) -> None:
        with self.path.open("a") as file:
            file.write(LINE % event + "\n")

    def run(self) -> None:
        """Until the server drains, the watcher leaves or may watch no more."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        self.draining, self.left = asyncio.Event(), asyncio.Event()
        stream = LogStream(
            Reader(self.path),
            Query(),
            10,
            watchers=self.watchers,
            keep_alive=self.keep_alive,
            check=self.check,
            draining=self.draining,
        )

        async def receive() -> dict[str, Any]:
            await self.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                assert self.watchers.count == 1
                self.sent.append(message["body"])
                self.on_send(message["body"])

        await stream({"type": "http"}, receive, send)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "kronk.log")
    yield made
    assert made.watchers.count == 0


async def _may() -> None:
    pass


def test_old_lines_come_first_then_new_ones_until_the_server_drains(watched: Watched) -> None:
    def then(body: bytes) -> None:
        if b"old" in body:
            watched.add("new")
            watched.add("newer")
        elif b"newer" in body:
            watched.draining.set()

    watched.on_send = then
    watched.run()
    assert b"".join(watched.sent) == (
        b'data: {"event": "old"}\n\n'
        b'data: {"event": "new"}\n\n'
        b'data: {"event": "newer"}\n\n'
        b"data: [DONE]\n\n"
    )


def test_silence_is_broken_for_those_who_want_it(watched: Watched) -> None:
    watched.keep_alive = 0.001
    watched.on_send = lambda body: watched.draining.set() if body.startswith(b":") else None
    watched.run()
    assert b": keep-alive\n\n" in watched.sent


def test_who_may_watch_no_more_is_told_why(watched: Watched) -> None:
    async def revoked() -> None:
        raise Unauthenticated("the token was revoked")

    watched.check = revoked
    watched.run()
    assert b"the token was revoked" in watched.sent[-1]
    assert b"old" not in b"".join(watched.sent)


def test_who_leaves_ends_the_watching(watched: Watched) -> None:
    watched.on_send = lambda body: watched.left.set()
    watched.run()
    assert b"DONE" not in b"".join(watched.sent)


def test_watchers_are_bounded() -> None:
    watchers = Watchers()
    watchers.count = MOST_WATCHERS - 1
    watchers.check()
    watchers.count += 1
    with pytest.raises(Overloaded):
        watchers.check()
