"""What stands behind the question mark."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from starlette.requests import Request

from kronk.shared.errors import InvalidArgument

Word = TypeVar("Word", bound=str)


class Query:
    """The parameters of one request; every method names a wrong one in an `InvalidArgument`."""

    def __init__(self, request: Request, *names: str) -> None:
        """With these and no others; `debug` and `gc`, which Go's tools send, mean nothing here."""
        self._given = request.query_params
        for name in self._given:
            if name not in (*names, "debug", "gc"):
                known = ", ".join(names)
                raise InvalidArgument(
                    f"{name}: there is no such parameter; {known} are", param=name
                )

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return self._given.get(name) or default

    def seconds(self, default: float, most: float) -> float:
        """`seconds`, more than zero."""
        text = self._given.get("seconds")
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0.0 < value <= most:
            raise InvalidArgument(
                f"seconds: expected a number above 0, {most:g} at most, got {text!r}",
                param="seconds",
            )
        return value

    def one_of(self, name: str, words: Collection[Word], default: Word) -> Word:
        """One of these words."""
        text = self._given.get(name)
        if text is None:
            return default
        for word in words:
            if text == word:
                return word
        raise InvalidArgument(
            f"{name}: expected one of {', '.join(words)}, got {text!r}", param=name
        )

    def switch(self, name: str) -> bool:
        """1 or 0, the latter where it is left out."""
        return self.one_of(name, ("0", "1"), "0") == "1"
