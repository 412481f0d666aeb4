"""Conversations that come from a file: what of it can be kept, and why the rest cannot. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kronk.gateway.dialects.fields import load_object, wrong
from kronk.gateway.dialects.schemas import Schema, array, closed
from kronk.shared.errors import InvalidArgument, KronkError

from .bodies import Refusal, items_of, refusal, validated
from .conversations import TitledBy
from .documents import check_document
from .exporting import EXPORT_OBJECT
from .requests import CreateFields, New

# One that is not good is no fault of the request: the answer says which, and why.
_EACH: Schema = {"title": "ImportedConversation", "description": "As exports have them."}
IMPORT_BODY: Schema = {
    "anyOf": [
        closed(
            {"conversations": array(_EACH)},
            {"object": {"const": EXPORT_OBJECT}, "version": {"const": 1}},
        ),
        _EACH | {"type": "object", "required": ["document"]},
    ]
}


class _ImportFields(CreateFields):
    titled_by: TitledBy | None = None
    created: float | None = Field(None, ge=0, le=10**12)
    updated: float | None = Field(None, ge=0, le=10**12)
    archived: bool = False
    # What an export says and an import has no use for.
    id: Any = None
    object: Any = None
    messages: Any = None
    revision: Any = None


def parse_import(body: bytes) -> tuple[list[tuple[int, New]], list[Refusal]]:
    """What can be kept, each with its place in the import, and what cannot, and why.

    `InvalidArgument` for a body that is no import at all.
    """
    value = load_object(body)
    if "conversations" not in value:
        if "document" not in value:
            raise InvalidArgument(
                "missing conversations field: expected an export of conversations, or one of them"
                " with its document",
                param="conversations",
            )
        value = {"conversations": [value]}
    good, bad = list[tuple[int, New]](), list[Refusal]()
    for at, item in enumerate(items_of(value, "conversations", EXPORT_OBJECT)):
        try:
            good.append((at, _imported(item)))
        except KronkError as error:
            bad.append(refusal(at, item, "title", error))
    return good, bad


def _imported(item: object) -> New:
    if not isinstance(item, dict):
        raise wrong("conversations", "an object for each", item)
    fields = validated(_ImportFields, item)
    title = " ".join((fields.title or "").split()) or None
    return New(
        check_document(fields.document),
        title,
        fields.model,
        None if title is None else fields.titled_by,
        fields.created,
        fields.updated,
        fields.archived,
    )
