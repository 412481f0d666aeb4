"""What is kept of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, TRUTH, Schema, array, closed

from .search import matches, words_of
from .templates import variables_of

Kind = Literal["user", "system"]
KINDS: tuple[Kind, ...] = ("user", "system")
OBJECT = "kronk.prompt"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Times in seconds since the epoch."""

    id: str
    # Whose it is; None is nobody's in particular.
    owner: str | None
    name: str
    text: str
    description: str
    # A name of the owner's categories, or one that was among them; "" is none.
    category: str
    favourite: bool
    # Whether it is something to say, or what a model is told before.
    kind: Kind
    uses: int
    created: float
    updated: float
    # One more with each other text.
    version: int


@dataclass(frozen=True, slots=True)
class Version:
    """A text that the prompt has or had."""

    version: int
    text: str
    created: float


@dataclass(frozen=True, slots=True)
class Category:
    """Of somebody's prompts."""

    name: str
    # One of `COLORS`.
    color: str
    icon: str | None = None
    # What it was called until now, when it is changed.
    was: str | None = field(default=None, compare=False)


COLORS = (
    "gray", "red", "pink", "grape", "violet", "indigo", "blue", "cyan", "teal", "green", "lime",
    "yellow", "orange",
)  # fmt: skip
# For whom has none of his own yet.
USUAL_CATEGORIES = (
    Category("General", "gray", "message"),
    Category("Coding", "blue", "code"),
    Category("Writing", "grape", "pencil"),
    Category("Analysis", "teal", "chart"),
    Category("Translation", "orange", "language"),
)
_FIELDS: dict[str, Schema] = {
    "id": TEXT,
    "object": {"const": OBJECT},
    "name": TEXT,
    "text": TEXT,
    "description": TEXT,
    "category": TEXT,
    "favourite": TRUTH,
    "kind": {"enum": list(KINDS)},
    "uses": COUNT,
    "created": NUMBER,
    "updated": NUMBER,
    "version": COUNT,
    "variables": array(TEXT),
}
PROMPT: Schema = closed(_FIELDS)
VERSION: Schema = closed({"version": COUNT, "text": TEXT, "created": NUMBER})
_PROMPTS = TypeAdapter(Prompt)
_VERSIONS = TypeAdapter(Version)
_CATEGORIES = TypeAdapter(tuple[Category, ...])


def prompt_object(prompt: Prompt) -> dict[str, Any]:
    """As clients are told it."""
    told = asdict(prompt)
    del told["owner"]
    name = told.pop("id")
    return {"id": name, "object": OBJECT, **told, "variables": list(variables_of(prompt.text))}


def category_object(category: Category) -> dict[str, Any]:
    """As clients are told it, and as it is stored."""
    told = {"name": category.name, "color": category.color}
    return told if category.icon is None else told | {"icon": category.icon}


def prompt_of(record: Mapping[str, Any] | None) -> Prompt | None:
    """None for what is no such record: damaged, or of a version that we do not know."""
    try:
        return None if record is None else _PROMPTS.validate_python(record)
    except ValidationError:
        return None


def version_of(record: Mapping[str, Any]) -> Version | None:
    """None for what is no such record."""
    try:
        return _VERSIONS.validate_python(record)
    except ValidationError:
        return None


def categories_of(record: Mapping[str, Any] | None) -> tuple[Category, ...]:
    """The usual ones where there is no such record."""
    try:
        return (
            USUAL_CATEGORIES
            if record is None
            else _CATEGORIES.validate_python(record.get("categories"))
        )
    except ValidationError:
        return USUAL_CATEGORIES


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the list is asked for; None is any."""

    query: str | None
    category: str | None
    favourite: bool | None
    kind: Kind | None
    limit: int
    after: str | None

    def has(self, prompt: Prompt) -> bool:
        """Whether it is one of those."""
        return (
            self.category in (None, prompt.category)
            and self.favourite in (None, prompt.favourite)
            and self.kind in (None, prompt.kind)
            and matches(
                words_of(self.query), prompt.name, prompt.text, prompt.description, prompt.category
            )
        )
