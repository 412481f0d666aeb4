"""How whoever reads a run hears that something came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Does with what came what the task would that waits for it; false where that has to do it itself.
Tap = Callable[[], bool]


class Turn:
    """A time in which much may come. Whoever waits with a tap is served at its end, all that came
    in it at once; what comes outside of one, on the next turn of the loop."""

    def __init__(self) -> None:
        self._is_on = False
        self._bells: list[Bell] = []

    def add(self, bell: Bell) -> None:
        """Serve this one, too."""
        if not self._is_on and not self._bells:
            asyncio.get_running_loop().call_soon(self.end)
        self._bells.append(bell)

    def begin(self) -> None:
        """Much may come now, until its `end`."""
        self._is_on = True

    def end(self) -> None:
        """Serve."""
        self._is_on = False
        bells, self._bells = self._bells, []
        for bell in bells:
            bell.serve()


class Bell:
    """Wakes the one task that waits for a run, or for any of several that are read as one."""

    def __init__(self, turn: Turn | None = None) -> None:
        self._turn = turn or Turn()
        self._wake: asyncio.Future[None] | None = None
        self._tap: Tap | None = None
        self._rang = False

    def ring(self) -> None:
        """Something has changed; nothing happens when nobody waits."""
        if self._tap is None:
            self._wake_up()
        elif not self._rang:
            self._rang = True
            self._turn.add(self)

    async def wait(self, tap: Tap | None = None) -> None:
        """Until the next ring. Look before you wait: a ring that nobody hears is gone.

        With a `tap`, until a ring for which that returns false; what it raises is raised here. To
        wake a task takes longer than all else that is done with a token.
        """
        self._wake = asyncio.get_running_loop().create_future()
        self._tap = tap
        try:
            await self._wake
        finally:
            self._wake = self._tap = None

    def serve(self) -> None:
        """At the end of a turn in which it rang."""
        self._rang = False
        if self._tap is None or self._wake is None or self._wake.done():
            return
        try:
            is_served = self._tap()
        except Exception as error:
            self._wake.set_exception(error)
            return
        if not is_served:
            self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
