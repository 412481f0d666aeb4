"""What is kept of a response, so that it can be asked for and continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import InvalidArgument


class PreviousResponseNotFound(InvalidArgument):
    """The response to continue was not stored, was deleted, or is too old. OpenAI's status."""

    code = "previous_response_not_found"


@dataclass(frozen=True, slots=True)
class Stored:
    """A response and all the conversation that led to it.

    All of it, not a link to the response before: what came before may be deleted or expire, and
    this one can still be continued.
    """

    # As the client got it.
    response: dict[str, Any]
    # The input items it answered, those of earlier turns included, in order.
    items: list[dict[str, Any]]
    # About as many bytes as it takes.
    size: int

    @property
    def conversation(self) -> list[dict[str, Any]]:
        """All that was said, the answer included."""
        output: list[dict[str, Any]] = self.response["output"]
        return self.items + output

    def record(self) -> dict[str, Any]:
        """For a table."""
        # Not asdict, which copies all of the conversation.
        return {"response": self.response, "items": self.items, "size": self.size}


# Finds a stored response by its name.
Find = Callable[[str], Stored | None]
