"""What clients ask of conversations: bodies and queries, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kronk.gateway.dialects.fields import load_object, wrong
from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, Schema, closed, nullable

from .bodies import line, validated
from .conversations import TitledBy
from .documents import DOCUMENT, Document, check_document

LONGEST_TITLE = 200
LONGEST_MODEL = 512
MOST_LISTED = 200
USUAL_LISTED = 50
Archived = Literal["true", "false", "all"]
Format = Literal["json", "markdown"]

TITLE: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TITLE}
MODEL: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_MODEL}
LIST_QUERY = [
    parameter("query", TEXT, "Only those with these words in their titles or messages."),
    parameter(
        "archived",
        {"enum": ["true", "false", "all"], "default": "false"},
        "Those that were put away, those that were not, or both.",
    ),
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUAL_LISTED},
        "How many at most.",
    ),
    parameter("after", TEXT, "The id of the last one of the page before."),
]
FORMAT_QUERY = parameter(
    "format",
    {"enum": ["json", "markdown"], "default": "json"},
    "`json` has everything and can be imported, `markdown` is to be read.",
)


CREATE_BODY = closed({"document": DOCUMENT}, {"title": nullable(TITLE), "model": nullable(MODEL)})
CHANGE_BODY = closed(
    {},
    {
        "title": nullable(TITLE),
        "archived": TRUTH,
        "model": nullable(MODEL),
        "document": DOCUMENT,
        "revision": COUNT,
    },
)


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    title: str | None = Field(None, max_length=LONGEST_TITLE)
    model: str | None = Field(None, min_length=1, max_length=LONGEST_MODEL)
    document: Any = None


class CreateFields(_Fields):
    """POST /api/v1/conversations."""

    document: Any


class _ChangeFields(_Fields):
    archived: bool | None = None
    revision: int | None = Field(None, ge=0)


@dataclass(frozen=True, slots=True)
class New:
    """A conversation that is to be kept. What is None is found out."""

    document: Document
    title: str | None = None
    model: str | None = None
    titled_by: TitledBy | None = None
    created: float | None = None
    updated: float | None = None
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be another; what `given` does not name stays."""

    given: frozenset[str]
    title: str | None = None
    archived: bool = False
    model: str | None = None
    document: Document | None = None
    # The one that it was made from; None: whichever.
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the list is asked for."""

    query: str | None
    archived: Archived
    limit: int
    after: str | None


def parse_new(body: bytes) -> New:
    """POST /api/v1/conversations."""
    fields = validated(CreateFields, load_object(body))
    return New(check_document(fields.document), line(fields.title, "title"), fields.model)


def parse_change(body: bytes) -> Change:
    """PUT /api/v1/conversations/{id}."""
    fields = validated(_ChangeFields, load_object(body))
    given = fields.model_fields_set - {"revision"}
    if "archived" in given and fields.archived is None:
        raise wrong("archived", "a valid boolean", None)
    document = check_document(fields.document) if "document" in given else None
    return Change(
        frozenset(given),
        line(fields.title, "title"),
        bool(fields.archived),
        fields.model,
        document,
        fields.revision,
    )


def parse_list(query: Mapping[str, str]) -> Wanted:
    """GET /api/v1/conversations."""
    archived = query.get("archived", "false")
    one_of(archived, ("true", "false", "all"), "archived")
    limit = whole_number(query.get("limit", str(USUAL_LISTED)), "limit", 1, MOST_LISTED)
    which: Archived = "all" if archived == "all" else "true" if archived == "true" else "false"
    return Wanted(query.get("query"), which, limit, query.get("after"))


def parse_format(query: Mapping[str, str]) -> Format:
    """GET /api/v1/conversations/{id}/export."""
    wanted = query.get("format", "json")
    one_of(wanted, ("json", "markdown"), "format")
    return "markdown" if wanted == "markdown" else "json"
