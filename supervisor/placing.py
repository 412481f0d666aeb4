"""Where a model's process may run: on this machine, or on a worker host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

LOCAL = "local"


class Places:
    """The worker hosts that are connected, each with the models it may have at a time."""

    def __init__(self) -> None:
        self._hosts: dict[str, int] = {}

    def up(self, host: str, models: int) -> None:
        self._hosts[host] = models

    def down(self, host: str) -> None:
        self._hosts.pop(host, None)

    def choose(self, wanted: Sequence[str], taken: Iterable[str]) -> str | None:
        """The first of the wanted places that has room beside the `taken` ones; this machine's
        room is not counted here. None: there is none now."""
        counts = Counter(taken)
        for place in wanted:
            if place == LOCAL or counts[place] < self._hosts.get(place, 0):
                return place
        return None

    def are_absent(self, wanted: Sequence[str]) -> bool:
        """None of them is connected."""
        return all(place != LOCAL and place not in self._hosts for place in wanted)
