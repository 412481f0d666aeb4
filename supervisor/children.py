"""All processes of ours, here and on other hosts, by their generations."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from .hosts import FarChild, Hosts
from .processes import Child, Processes

AnyChild = Child | FarChild


class Children:
    """One look-up for both kinds."""

    def __init__(self, near: Processes, far: Hosts | None) -> None:
        self._near = near
        self._far = far

    def __iter__(self) -> Iterator[AnyChild]:
        """The living."""
        yield from self._near
        if self._far is not None:
            yield from self._far

    def get(self, generation: int) -> AnyChild | None:
        child: AnyChild | None = self._near.get(generation)
        if child is None and self._far is not None:
            child = self._far.get(generation)
        return child

    def abort(self, generation: int) -> None:
        """Have a process write what its threads do, and end."""
        if self._far is not None and self._far.get(generation) is not None:
            self._far.signal(generation, signal.SIGABRT)
        else:
            self._near.abort(generation)

    def signal(self, generation: int, number: signal.Signals) -> None:
        """To the whole group of the process; to nobody when it is gone."""
        if self._far is not None and self._far.get(generation) is not None:
            self._far.signal(generation, number)
        else:
            self._near.signal(generation, number)
