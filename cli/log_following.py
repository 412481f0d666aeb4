"""The log of a server that is asked for it over HTTP, followed for ever."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlencode

from kronk.shared.errors import ServerError, from_code
from kronk.shared.logbook.reader import MOST_LINES

from . import sse
from .client import Admin

LOGS = "/v1/kronk/logs"
_PAUSE = 1.0
# What was written before a connection broke may not have been on its way yet.
_OVERLAP = 10.0


def followed(
    find: Callable[[], Admin],
    asked: Mapping[str, str],
    lines: int,
    note: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """The last `lines` of those that are `asked` for, then each new one, for ever.

    A server that is away is waited for, which `note` is told, and found where it is then; each line
    comes once, those too that were written meanwhile. Raises what the first connection meets, and
    later what the server itself refuses, such as a token that is good no longer.
    """
    recent: deque[str] = deque(maxlen=MOST_LINES)
    wanted = {**asked, "lines": str(lines)}
    heard: float | None = None
    is_away = False
    while True:
        try:
            path = f"{LOGS}?{urlencode({**wanted, 'follow': 'true'})}"
            with find().events(path) as events:
                known = frozenset(recent)
                if is_away:
                    note("connected again")
                is_away, heard = False, clock()
                for line in map(_line, sse.data(events)):
                    heard = clock()
                    if line in known:
                        continue
                    recent.append(line)
                    yield line
        except ServerError as error:
            if heard is None:
                raise
            if not is_away:
                note(f"{error.message}; trying again")
            is_away = True
        pause(_PAUSE)
        wanted |= {"lines": str(MOST_LINES), "since": f"{clock() - heard + _OVERLAP:.0f}s"}


def _line(line: str) -> str:
    """A line of the log; the error that comes in its place is raised."""
    if line.startswith('{"error"'):
        error = json.loads(line)["error"]
        raise from_code(str(error["code"]), str(error["message"]), error.get("param"))
    return line
