"""`kronk ps --watch`: what is shown while the server lives, is gone, and comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rich.console import Console

from fakes.live import facts, model, waiter
from kronk.cli import ps
from kronk.cli.client import NoServer
from kronk.cli.ps_watch import Frame, answer_of, frames
from kronk.gateway.live.facts import state_of
from kronk.gateway.live.happenings import drain_begun
from kronk.shared.errors import KronkError, NotFound, PermissionDenied, Unauthenticated
from kronk.shared.wire.status import SlotStats

DRAINED = {"type": "end", "time": 1.0, "reason": "draining", "message": "the server is stopping"}
REVOKED = DRAINED | {"reason": "unauthenticated", "message": "the token was revoked"}


def state(*models: Any, supervisor: int = 10, **more: Any) -> dict[str, Any]:
    told = state_of(facts(*models, **more), 1)
    told["processes"][0]["pid"] = supervisor
    # As it comes over the wire.
    parsed: dict[str, Any] = json.loads(json.dumps(told))
    return parsed


EVENT = drain_begun(5.0).told(1)
PLAIN = answer_of(state(model("polled")))


class Server:
    """An `Admin` that answers what it is told, once each."""

    url = "http://h"

    def __init__(self, *streams: list[Any] | KronkError, plain: Any = PLAIN) -> None:
        self._streams = iter(streams)
        self._plain = plain

    @contextmanager
    def events(self, path: str, silence: float | None = None) -> Iterator[Iterator[str]]:
        stream = next(self._streams)
        if isinstance(stream, KronkError):
            raise stream
        lines = []
        for message in stream:
            lines += [f"event: {message['type']}", f"data: {json.dumps(message)}", ""]
        yield iter(lines)

    def get(self, path: str) -> Any:
        if isinstance(self._plain, KronkError):
            raise self._plain
        return self._plain


def watch(server: Server, count: int) -> list[Frame]:
    admin: Any = server
    watching = frames(lambda: admin, lambda _: None)
    return [next(watching) for _ in range(count)]


def words(frame: Frame, width: int = 200, *, slots: bool = False) -> str:
    out = io.StringIO()
    page = ps.watched(frame, width, slots=slots)
    Console(file=out, width=width, highlight=False).print(page)
    return out.getvalue()


def test_each_state_is_a_frame_with_what_happened_before_it() -> None:
    one, two = watch(Server([state(model("a")), EVENT, state(model("b"))]), 2)
    assert one.happened == ()
    assert "The server is stopping." in words(two)
    assert "b" in words(two)


def test_a_server_that_stops_is_asked_until_it_is_back() -> None:
    server = Server([state(), DRAINED], NoServer("http://h"), [state(supervisor=11)])
    live, polled, gone, back = watch(server, 4)
    assert live.note == ""
    assert (polled.answer, polled.note) == (PLAIN, "the server is stopping; trying again")
    assert "no server answers" in gone.note
    assert back.note == ""
    assert "the server was restarted" in words(back)


def test_a_connection_that_broke_is_made_again_without_a_word_of_a_restart() -> None:
    broke = KronkError("the connection broke")
    *_, back = watch(Server([state()], broke, [state()]), 4)
    assert "Connected again." in words(back)
    assert "restarted" not in words(back)


def test_what_was_known_last_stays_while_nobody_answers() -> None:
    away = NoServer("http://h")
    _, gone = watch(Server([state(model("a"))], away, plain=away), 2)
    assert gone.answer is not None
    assert "no server answers" in words(gone)
    assert words(gone).startswith("MODEL")
    first = watch(Server(away, plain=away), 1)[0]
    assert "no server answers" in words(first)


def test_an_older_server_is_asked_each_second() -> None:
    older = NotFound("There is no route GET /v1/kronk/events")
    for frame in watch(Server(older, older, older), 3):
        assert (frame.answer, frame.note, frame.state) == (PLAIN, "", None)


@pytest.mark.parametrize("refusal", [Unauthenticated("no"), PermissionDenied("no")])
def test_watching_ends_when_the_token_is_good_no_longer(refusal: KronkError) -> None:
    with pytest.raises(type(refusal)):
        watch(Server(refusal), 1)
    with pytest.raises(type(refusal)):
        watch(Server(NoServer("http://h"), plain=refusal), 1)


def test_watching_ends_when_the_server_says_that_the_token_was_revoked() -> None:
    with pytest.raises(Unauthenticated, match="revoked"):
        watch(Server([state(), REVOKED]), 2)


def test_slots_at_work_and_who_waits_are_shown() -> None:
    waiters = (waiter("req-9", "tiny", 1), waiter("req-8", "tiny", None))
    told = state(model("tiny", queued=5), waiters=waiters, owners={"req-tiny": "Anna"})
    [frame] = watch(Server([told]), 1)
    lines = [" ".join(line.split()) for line in words(frame).splitlines()]
    assert "tiny 0 generating 30 12/12 18 req-tiny Anna" in lines
    assert "5 waiting for tiny: 1. req-9 (3 s), req-8 (3 s) and 3 more" in lines
    assert any(line.startswith("up 10m · 20.0 tokens/s · CPU 12 % of 2") for line in lines)


def test_idle_slots_are_shown_where_they_are_asked_for() -> None:
    idle = model("tiny", slots=(SlotStats(0, "idle", 12),))
    [frame] = watch(Server([state(idle)]), 1)
    assert "idle" not in words(frame).replace("IDLE", "")
    assert "idle" in words(frame, slots=True)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_a_frame_fits_any_width(width: int) -> None:
    told = state(model("a-model-with-a-long-name"), waiters=(waiter("r" * 30, "a", 1),))
    frame = Frame(answer_of(told), told, (EVENT,), "something is wrong")
    assert all(len(line) <= width for line in words(frame, width, slots=True).splitlines())


def test_the_live_state_says_what_the_plain_answer_says() -> None:
    told = state(model("tiny"))
    assert {"data", "processes", "budgets", "draining", "warnings"} == set(answer_of(told))
    assert [one["role"] for one in answer_of(told)["processes"]] == ["supervisor"]
