"""`kronk server logs -f --api-host`: each line once, whatever becomes of the connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kronk.cli.client import NoServer
from kronk.cli.log_following import followed
from kronk.shared.errors import KronkError, Overloaded, ServerError, Unauthenticated

ONE, TWO, THREE = (json.dumps({"event": name}) for name in ("one", "two", "three"))
GONE = NoServer("http://h")
BROKEN = ServerError("the connection broke")
REVOKED = json.dumps(
    {"error": {"code": "unauthenticated", "message": "the token was revoked", "param": None}}
)


class Server:
    """An `Admin` whose streams are those it is told, one after another."""

    def __init__(self, *streams: list[str | KronkError] | KronkError) -> None:
        self._streams = iter(streams)
        self.asked: list[dict[str, str]] = []

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[str]]:
        self.asked.append({name: text for name, [text] in parse_qs(urlsplit(path).query).items()})
        stream = next(self._streams)
        if isinstance(stream, KronkError):
            raise stream
        yield self._lines(stream)

    def _lines(self, stream: list[str | KronkError]) -> Iterator[str]:
        for line in stream:
            if isinstance(line, KronkError):
                raise line
            yield from (line if line == ": waits" else f"data: {line}", "")


class Watching:
    """One who follows it; a pause takes its second."""

    def __init__(self, *streams: list[str | KronkError] | KronkError, **asked: str) -> None:
        self.server = Server(*streams)
        self.notes: list[str] = []
        self._now = 100.0
        server: Any = self.server
        self.lines = followed(
            lambda: server,
            asked,
            5,
            self.notes.append,
            clock=lambda: self._now,
            pause=self._pass,
        )

    def _pass(self, seconds: float) -> None:
        self._now += seconds

    def shown(self, count: int) -> list[str]:
        return list(islice(self.lines, count))


def test_each_line_comes_once_over_a_broken_connection() -> None:
    watching = Watching([ONE, ": waits", TWO, BROKEN], GONE, GONE, [ONE, TWO, THREE], model="M")
    assert watching.shown(3) == [ONE, TWO, THREE]
    assert watching.notes == ["the connection broke; trying again", "connected again"]
    first, *_, last = watching.server.asked
    assert first == {"model": "M", "lines": "5", "follow": "true"}
    # All that may have been written since, by the server's own clock.
    assert last == {"model": "M", "lines": "10000", "since": "13s", "follow": "true"}


def test_a_server_that_ends_its_stream_is_asked_again() -> None:
    watching = Watching([ONE, "[DONE]"], [TWO])
    assert watching.shown(2) == [ONE, TWO]
    assert watching.notes == []


def test_what_somebody_asked_for_at_first_is_not_asked_for_again() -> None:
    watching = Watching([ONE], [TWO], since="2h")
    assert watching.shown(2) == [ONE, TWO]
    assert [asked["since"] for asked in watching.server.asked] == ["2h", "11s"]


@pytest.mark.parametrize("error", [GONE, Overloaded("16 others watch the log already")])
def test_a_server_that_was_never_there_is_an_error(error: KronkError) -> None:
    with pytest.raises(type(error)):
        Watching(error).shown(1)


def test_a_token_that_is_good_no_longer_ends_it() -> None:
    watching = Watching([ONE, REVOKED])
    with pytest.raises(Unauthenticated, match="revoked"):
        watching.shown(2)
    assert watching.notes == []
