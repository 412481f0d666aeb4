"""What people think of models: a rating and a note, each for himself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kronk.gateway.dialects.fields import load_object
from kronk.gateway.dialects.schemas import NUMBER, TEXT, Schema, closed, nullable
from kronk.shared.database import Database, Writer
from kronk.shared.errors import InvalidArgument, TooLarge
from kronk.shared.security.identity import Identity

from .bodies import validated
from .owners import key_of

OBJECT = "kronk.note"
LONGEST_NOTE = 10_000
LONGEST_MODEL = 512
# Of one subject.
MOST_NOTES = 2000

_RATING: Schema = nullable({"type": "integer", "minimum": 1, "maximum": 5})
NOTE: Schema = closed(
    {
        "object": {"const": OBJECT},
        "model": TEXT,
        "rating": _RATING,
        "note": TEXT,
        "updated": nullable(NUMBER),
    }
)
CHANGE_BODY: Schema = closed(
    {}, {"rating": _RATING, "note": {"type": "string", "maxLength": LONGEST_NOTE}}
)


@dataclass(frozen=True, slots=True)
class Note:
    """On one model."""

    model: str
    # From 1, bad, to 5; None is none.
    rating: int | None = None
    note: str = ""
    # Seconds since the epoch; None where nothing was ever said.
    updated: float | None = None


_READER = TypeAdapter(Note)


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    rating: int | None = Field(None, ge=1, le=5)
    note: str = Field("", max_length=LONGEST_NOTE)


def parse_note(body: bytes) -> dict[str, Any]:
    """PUT /api/v1/notes/{model}: what is to be another."""
    return validated(_Fields, load_object(body)).model_dump(exclude_unset=True)


def note_object(note: Note) -> dict[str, Any]:
    """As clients are told it."""
    return {"object": OBJECT, **asdict(note)}


class Notes:
    """Everybody's. Everything blocks for the disk."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._table = database.table("notes")

    def all(self, identity: Identity) -> list[Note]:
        """Those of that identity, by model."""
        items = self._table.items(f"{key_of(identity.subject)}/")
        found = [note for _, record in items if (note := _note_of(record)) is not None]
        return sorted(found, key=lambda note: note.model)

    def get(self, identity: Identity, model: str) -> Note:
        """An empty one where nothing was said."""
        return _note_of(self._table.get(_key(identity, model))) or Note(model)

    def change(self, identity: Identity, model: str, fields: Mapping[str, Any]) -> Note:
        """What it is then. One that says nothing any more is forgotten."""
        if len(model) > LONGEST_MODEL:
            raise InvalidArgument(
                f"'model': the name has more than {LONGEST_MODEL} characters", param="model"
            )
        key = _key(identity, model)

        def write(writer: Writer) -> Note:
            known = _note_of(writer.get(self._table, key))
            if known is None:
                self._require_room(writer, identity)
            note = asdict(known or Note(model)) | dict(fields) | {"updated": self._clock()}
            if note["rating"] is None and not note["note"].strip():
                writer.delete(self._table, key)
                return Note(model)
            writer.put(self._table, key, note)
            return Note(**note)

        return self._database.together(write)

    def _require_room(self, writer: Writer, identity: Identity) -> None:
        count = sum(1 for _ in writer.items(self._table, f"{key_of(identity.subject)}/"))
        if count >= MOST_NOTES:
            raise TooLarge(f"You have notes on {count} models, and may have {MOST_NOTES}")


def _key(identity: Identity, model: str) -> str:
    return f"{key_of(identity.subject)}/{hashlib.sha256(model.encode()).hexdigest()[:32]}"


def _note_of(record: Mapping[str, Any] | None) -> Note | None:
    try:
        return None if record is None else _READER.validate_python(record)
    except ValidationError:
        return None
