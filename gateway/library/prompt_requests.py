"""What clients ask of prompts: bodies and queries, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kronk.gateway.dialects.fields import load_object, string, wrong
from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, TRUTH, Schema, array, closed
from kronk.shared.errors import InvalidArgument, KronkError, TooLarge

from .bodies import Refusal, items_of, line, refusal, validated
from .prompts import COLORS, KINDS, VERSION, Category, Kind, Version, Wanted

EXPORT_OBJECT = "kronk.prompts"
LONGEST_NAME = 120
LONGEST_TEXT = 256 * 1024
LONGEST_DESCRIPTION = 2000
LONGEST_CATEGORY = 60
MOST_CATEGORIES = 50
MOST_VERSIONS = 100
MOST_LISTED = 1000
USUAL_LISTED = 200
# What filling in the variables may come to.
_LONGEST_VALUE = 1024 * 1024

_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_MORE: dict[str, Schema] = {
    "description": {"type": "string", "maxLength": LONGEST_DESCRIPTION},
    "category": {"type": "string", "maxLength": LONGEST_CATEGORY},
    "favourite": TRUTH,
    "kind": {"enum": list(KINDS)},
}
CATEGORY: Schema = closed(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_CATEGORY},
        "color": {"enum": list(COLORS)},
    },
    {"icon": TEXT},
)
_RENAMED = closed(CATEGORY["properties"], {"was": TEXT}) | {"required": ["name", "color"]}
CREATE_BODY = closed({"name": _NAME, "text": _TEXT}, _MORE)
CHANGE_BODY = closed({}, {"name": _NAME, "text": _TEXT, **_MORE, "version": COUNT})
USE_BODY = closed({}, {"variables": {"type": "object", "additionalProperties": TEXT}})
RESTORE_BODY = closed({"version": COUNT})
CATEGORIES_BODY = closed({"categories": array(_RENAMED)}, {"before": array(CATEGORY)})
_EXPORTED = closed(
    {"name": _NAME, "text": _TEXT},
    {
        **_MORE,
        "uses": COUNT,
        "created": NUMBER,
        "updated": NUMBER,
        "versions": array(VERSION),
    },
)
EXPORT: Schema = closed(
    {
        "object": {"const": EXPORT_OBJECT},
        "version": {"const": 1},
        "prompts": array(_EXPORTED),
        "categories": array(CATEGORY),
    }
)
# One that is not good is no fault of the request: the answer says which, and why.
_EACH: Schema = {"title": "ImportedPrompt", "description": "As exports have them."}
IMPORT_BODY: Schema = closed(
    {"prompts": array(_EACH)},
    {
        "object": {"const": EXPORT_OBJECT},
        "version": {"const": 1},
        "categories": array(CATEGORY),
    },
)
LIST_QUERY = [
    parameter("query", TEXT, "Only those with these words in their names, texts or descriptions."),
    parameter("category", TEXT, "Only those of that category."),
    parameter("favourite", {"enum": ["true", "false"]}, "Only favourites, or only others."),
    parameter("kind", {"enum": list(KINDS)}, "Only those to be said, or only system prompts."),
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUAL_LISTED},
        "How many at most.",
    ),
    parameter("after", TEXT, "The id of the last one of the page before."),
]


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: str = Field("", max_length=LONGEST_NAME)
    text: str = Field("", max_length=LONGEST_TEXT)
    description: str = Field("", max_length=LONGEST_DESCRIPTION)
    category: str = Field("", max_length=LONGEST_CATEGORY)
    favourite: bool = False
    kind: Kind = "user"


class _CreateFields(_Fields):
    name: str = Field(max_length=LONGEST_NAME)
    text: str = Field(max_length=LONGEST_TEXT)


class _ChangeFields(_Fields):
    version: int | None = Field(None, ge=1)


class _VersionFields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    created: float = Field(ge=0, le=10**12)


class _ImportFields(_CreateFields):
    uses: int = Field(0, ge=0, lt=2**53)
    created: float | None = Field(None, ge=0, le=10**12)
    updated: float | None = Field(None, ge=0, le=10**12)
    versions: list[_VersionFields] = Field(default_factory=list, max_length=MOST_VERSIONS)
    # What an answer says of a prompt, and an import finds out.
    id: Any = None
    object: Any = None
    version: Any = None
    variables: Any = None


class _CategoryFields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_CATEGORY)
    color: str
    icon: str | None = Field(None, max_length=40, pattern=r"^[a-z0-9-]+$")
    was: str | None = Field(None, max_length=LONGEST_CATEGORY)


class _CategoriesFields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    categories: list[_CategoryFields] = Field(max_length=MOST_CATEGORIES)
    before: list[_CategoryFields] | None = Field(None, max_length=MOST_CATEGORIES)


class _UseFields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    variables: dict[str, str] = Field(default_factory=dict)


class _RestoreFields(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class New:
    """A prompt that is to be kept."""

    name: str
    text: str
    description: str = ""
    category: str = ""
    favourite: bool = False
    kind: Kind = "user"
    uses: int = 0
    created: float | None = None
    updated: float | None = None
    # Oldest first; the last one is its text.
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be another."""

    fields: Mapping[str, Any]
    # The one that it was made from; None: whichever.
    version: int | None


@dataclass(frozen=True, slots=True)
class Categories:
    """Those that somebody wants to have."""

    wanted: tuple[Category, ...]
    # Those that they were made from; None: whichever.
    before: tuple[Category, ...] | None = None


def parse_new(body: bytes) -> New:
    """POST /api/v1/prompts."""
    return _new(validated(_CreateFields, load_object(body)))


def parse_change(body: bytes) -> Change:
    """PUT /api/v1/prompts/{id}."""
    fields = validated(_ChangeFields, load_object(body))
    given = fields.model_dump(exclude_unset=True, exclude={"version"})
    if "name" in given:
        given["name"] = line(fields.name, "name")
    if "category" in given:
        given["category"] = " ".join(fields.category.split())
    if "text" in given:
        _require_text(fields.text)
    return Change(given, fields.version)


def parse_use(body: bytes) -> dict[str, str]:
    """POST /api/v1/prompts/{id}/use: the values of variables."""
    values = validated(_UseFields, load_object(body or b"{}")).variables
    if sum(map(len, values.values())) > _LONGEST_VALUE:
        raise TooLarge(f"'variables' have more than {_LONGEST_VALUE} characters", param="variables")
    return values


def parse_restore(body: bytes) -> int:
    """POST /api/v1/prompts/{id}/restore: the version."""
    return validated(_RestoreFields, load_object(body)).version


def parse_categories(body: bytes) -> Categories:
    """PUT /api/v1/prompts/categories."""
    fields = validated(_CategoriesFields, load_object(body))
    before = None if fields.before is None else _categories(fields.before, "before")
    return Categories(_categories(fields.categories, "categories"), before)


def parse_import(body: bytes) -> tuple[list[tuple[int, New]], list[Refusal], tuple[Category, ...]]:
    """What can be kept, each with its place in the import; what cannot, and why; the categories.

    `InvalidArgument` for a body that is no import at all.
    """
    value = load_object(body)
    if "prompts" not in value:
        raise InvalidArgument(
            "missing prompts field: expected an export of prompts", param="prompts"
        )
    given = {"categories": value.get("categories", [])}
    categories = _categories(validated(_CategoriesFields, given).categories, "categories")
    good, bad = list[tuple[int, New]](), list[Refusal]()
    for at, item in enumerate(items_of(value, "prompts", EXPORT_OBJECT, ("categories",))):
        try:
            good.append((at, _imported(item)))
        except KronkError as error:
            bad.append(refusal(at, item, "name", error))
    return good, bad, categories


def parse_list(query: Mapping[str, str]) -> Wanted:
    """GET /api/v1/prompts."""
    favourite, kind = query.get("favourite"), query.get("kind")
    one_of(favourite, ("true", "false"), "favourite")
    one_of(kind, KINDS, "kind")
    return Wanted(
        query.get("query"),
        query.get("category"),
        None if favourite is None else favourite == "true",
        None if kind is None else "system" if kind == "system" else "user",
        whole_number(query.get("limit", str(USUAL_LISTED)), "limit", 1, MOST_LISTED),
        query.get("after"),
    )


def _imported(item: object) -> New:
    if not isinstance(item, dict):
        raise wrong("prompts", "an object for each", item)
    fields = validated(_ImportFields, item)
    versions = sorted(
        (Version(one.version, one.text, one.created) for one in fields.versions),
        key=lambda one: one.version,
    )
    if len({one.version for one in versions}) < len(versions):
        raise InvalidArgument("'versions': one of them is there twice", param="versions")
    if versions and versions[-1].text != fields.text:
        raise InvalidArgument("'versions': the last one must be the text", param="versions")
    return replace(
        _new(fields),
        uses=fields.uses,
        created=fields.created,
        updated=fields.updated,
        versions=tuple(versions),
    )


def _new(fields: _Fields) -> New:
    _require_text(fields.text)
    return New(
        string(line(fields.name, "name"), "name"),
        fields.text,
        fields.description.strip(),
        " ".join(fields.category.split()),
        fields.favourite,
        fields.kind,
    )


def _require_text(text: str) -> None:
    if not text.strip():
        raise wrong("text", "a text of 1 character at least", "")


def _categories(given: list[_CategoryFields], field: str) -> tuple[Category, ...]:
    found: dict[str, Category] = {}
    for at, one in enumerate(given):
        where = f"{field}[{at}]"
        name = string(line(one.name, f"{where}.name"), f"{where}.name")
        one_of(one.color, COLORS, f"{where}.color")
        if name.casefold() in found:
            raise InvalidArgument(
                f"'{where}.name': {name[:40]!r} is there twice", param=f"{where}.name"
            )
        found[name.casefold()] = Category(name, one.color, one.icon, one.was)
    return tuple(found.values())
