"""What was lately learned, for a while and within bounds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """The values asked for last, each until its own end. Times are of any one clock."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The least recently used first.
        self._kept: OrderedDict[bytes, tuple[T, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, now: float) -> T | None:
        """The value, unless it is not known or `now` is past its end."""
        found = self._kept.get(key)
        if found is None:
            return None
        value, until = found
        if now >= until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, key: bytes, value: T, until: float) -> None:
        """Keep it until then, in place of what was longest unused if there is no room."""
        self._kept[key] = (value, until)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """As if it had never been known."""
        self._kept.pop(key, None)
