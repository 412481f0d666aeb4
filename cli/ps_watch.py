"""What `kronk ps --watch` shows, second by second: from the server's live state, or where that is
not to be had, by asking again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import (
    Internal,
    KronkError,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)

from . import sse
from .client import Admin

EVENTS = "/v1/kronk/events"
PS = "/v1/kronk/ps"
# A state comes each second; a server that is silent for so long is not there any more.
_SILENCE = 15.0
_PAUSE = 1.0
_MOST_HAPPENED = 5

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known at one moment."""

    # As `GET /v1/kronk/ps` answers; None before the first answer.
    answer: Json | None
    # The live state, where the server tells it.
    state: Json | None = None
    # The latest that happened, the oldest first.
    happened: tuple[Json, ...] = ()
    # What is wrong with the connection, or was a moment ago.
    note: str = ""


def frames(
    find: Callable[[], Admin], pause: Callable[[float], None] = time.sleep
) -> Iterator[Frame]:
    """For ever, about one a second. A server that is away for a moment is looked for again, where
    it is then; a token that is good no longer raises, as asking again would change nothing."""
    watch = _Watch()
    while True:
        try:
            admin = find()
            yield from watch.live(admin)
        except (Unauthenticated, PermissionDenied):
            raise
        except (NotFound, MethodNotAllowed):
            # An older server: it has no live state, and is asked instead.
            watch.note = ""
        except KronkError as error:
            watch.lost(error.message)
        yield watch.asked(find)
        pause(_PAUSE)


class _Watch:
    def __init__(self) -> None:
        self.note = ""
        self._frame = Frame(None)
        self._happened: deque[Json] = deque(maxlen=_MOST_HAPPENED)
        self._supervisor: int | None = None
        self._is_lost = False

    def live(self, admin: Admin) -> Iterator[Frame]:
        """A frame for each state, until the server ends it."""
        with admin.events(EVENTS, silence=_SILENCE) as lines:
            for message in messages(admin, lines):
                match message["type"]:
                    case "event":
                        self._happened.append(message)
                    case "end":
                        self._ended(message)
                        return
                    case "state":
                        self._arrived(message)
                        yield self._show(answer_of(message), message)
        self.lost("the server has ended the connection")

    def asked(self, find: Callable[[], Admin]) -> Frame:
        """What a plain question brings, beside what is wrong."""
        try:
            return self._show(known(find()), None)
        except (Unauthenticated, PermissionDenied):
            raise
        except KronkError as error:
            self.lost(error.message)
            return self._show(self._frame.answer, None)

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._is_lost = True
        self.note = f"{why}; trying again"

    def _ended(self, message: Json) -> None:
        if message.get("reason") == "unauthenticated":
            raise Unauthenticated(str(message.get("message")))
        self.lost(str(message.get("message")))

    def _arrived(self, state: Json) -> None:
        pids = [one["pid"] for one in state["processes"] if one["role"] == "supervisor"]
        supervisor = pids[0] if pids else None
        if self._is_lost:
            is_same = supervisor == self._supervisor
            words = "Connected again." if is_same else "Connected again: the server was restarted."
            self._happened.append({"time": state["time"], "level": "info", "message": words})
        self._is_lost, self.note, self._supervisor = False, "", supervisor

    def _show(self, answer: Json | None, state: Json | None) -> Frame:
        self._frame = Frame(answer, state, tuple(self._happened), self.note)
        return self._frame


def known(admin: Admin) -> Json:
    """The answer to the plain question, if it is one."""
    answer = admin.get(PS)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise Internal(f"{admin.url} answered {PS} in a form this version cannot read")
    return answer


def messages(admin: Admin, lines: Iterable[str]) -> Iterator[Json]:
    """What the lines of a stream of events say."""
    for message in sse.objects(lines):
        if "type" not in message:
            raise Internal(f"{admin.url} answered {EVENTS} in a form this version cannot read")
        yield message


def answer_of(state: Json) -> Json:
    """A live state as the plain question would be answered."""
    server = state["server"]
    return {
        "data": state["models"],
        "processes": [one for one in state["processes"] if one["model"] is None],
        "budgets": state["budgets"],
        "draining": server["draining"],
        "warnings": server["warnings"],
    }
