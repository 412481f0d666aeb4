"""What is known of a conversation without its document: a row of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, TRUTH, Schema, closed, nullable

from .documents import Document, first_title, message_count

TitledBy = Literal["user", "model", "first_message"]
OBJECT = "kronk.conversation"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Times in seconds since the epoch."""

    id: str
    # Whose it is; None is nobody's in particular.
    owner: str | None
    title: str
    titled_by: TitledBy
    model: str | None
    created: float
    updated: float
    archived: bool
    # On the branch that is looked at.
    messages: int
    # One more with each change.
    revision: int
    # What it takes of its owner's share.
    bytes: int

    def with_document(self, document: Document, size: int) -> Conversation:
        """The same with another document, whose first message may be its title."""
        automatic = self.titled_by == "first_message"
        return replace(
            self,
            title=first_title(document) if automatic else self.title,
            messages=message_count(document),
            bytes=size,
        )


_READER = TypeAdapter(Conversation)
_HIDDEN = ("owner", "bytes")
SUMMARY_FIELDS: dict[str, Schema] = {
    "id": TEXT,
    "object": {"const": OBJECT},
    "title": TEXT,
    "titled_by": {"enum": ["user", "model", "first_message"]},
    "model": nullable(TEXT),
    "created": NUMBER,
    "updated": NUMBER,
    "archived": TRUTH,
    "messages": COUNT,
    "revision": COUNT,
}
SUMMARY: Schema = closed(SUMMARY_FIELDS)
FOUND: Schema = closed(SUMMARY_FIELDS, {"snippet": nullable(TEXT)})


def summary(row: Conversation) -> dict[str, Any]:
    """As clients are told it."""
    told = {name: value for name, value in asdict(row).items() if name not in _HIDDEN}
    return {"id": told.pop("id"), "object": OBJECT, **told}


def to_record(row: Conversation) -> dict[str, Any]:
    """As it is stored; `from_record` reads it."""
    return asdict(row)


def from_record(record: Mapping[str, Any] | None) -> Conversation | None:
    """None for what is no such record: damaged, or of a version that we do not know."""
    if record is None:
        return None
    try:
        return _READER.validate_python(record)
    except ValidationError:
        return None
