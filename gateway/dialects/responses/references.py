"""Items that a request names instead of sending them."""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import InvalidArgument, NotFound

from .ids import keeper
from .stored import Find

# A record has all of its conversation, so the newest of one conversation has the items of all.
MOST_RECORDS = 32


class Shelf:
    """Stored items by their names, as far as one request refers to them."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._items: dict[str, dict[str, Any]] = {}
        # Names of the responses that were looked for.
        self._records: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Nothing was found, or nothing referred to."""
        return not self._items

    def fetch(self, value: list[Any]) -> None:
        """Find what the items of an `input` refer to: the newest first, which has the others."""
        for item in reversed(value):
            if isinstance(item, dict) and (name := referred(item)) is not None:
                self._look_for(name)

    def item(self, name: str) -> dict[str, Any]:
        """The item of that name."""
        if name not in self._items:
            raise NotFound(
                f"Item with id '{name[:100]}' not found. Items are not persisted when `store` is "
                "set to false. Try again with `store` set to true, or remove this item from your "
                "input.",
                param="input",
            )
        return self._items[name]

    def _look_for(self, name: str) -> None:
        home = keeper(name)
        if home is None or home in self._records or name in self._items:
            return
        if len(self._records) == MOST_RECORDS:
            raise InvalidArgument(
                f"'input' refers to items of more than {MOST_RECORDS} conversations; send them",
                param="input",
            )
        self._records.add(home)
        stored = self._find(home)
        if stored is not None:
            self._items |= {item["id"]: item for item in stored.conversation}


def referred(item: dict[str, Any]) -> str | None:
    """The name in an `item_reference`, which may be without its type."""
    said = {key for key, value in item.items() if value is not None}
    if said == {"id", "type"} and item["type"] != "item_reference":
        return None
    name = item.get("id")
    return name if said <= {"id", "type"} and isinstance(name, str) else None
