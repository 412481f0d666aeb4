"""A conversation's document: its messages as a tree, whose leaves are the ends of its branches.

It is checked, and otherwise kept as it came: what a client has put into it, it gets back. Editing a
message or answering again makes a sibling; `head` is the node that is looked at now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kronk.gateway.dialects.depth import MAX_DEPTH, is_too_deep
from kronk.gateway.dialects.fields import carriable, first_error, kind, too_deep, wrong
from kronk.gateway.dialects.schemas import NUMBER, TEXT, Schema, array, closed, nullable
from kronk.shared.errors import InvalidArgument, TooLarge

MOST_BYTES = 16 * 1024 * 1024
MOST_NODES = 20_000
_LONGEST_ID = 128
# An export has it three levels deep, and must be readable again.
_LEVELS_AROUND = 4
Role = Literal["system", "user", "assistant", "tool"]

Document = dict[str, Any]
Node = dict[str, Any]


class _Node(BaseModel):
    """One message, and the message that it answers."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: str = Field(min_length=1, max_length=_LONGEST_ID)
    parent: str | None
    role: Role
    content: Any
    created: float = Field(ge=0, le=10**12)
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    model: str | None = None
    stats: dict[str, Any] | None = None
    logprobs: Any = None
    finish_reason: str | None = None
    error: str | dict[str, Any] | None = None


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: Literal[1]
    head: str | None
    nodes: dict[str, _Node] = Field(max_length=MOST_NODES)
    settings: dict[str, Any] = Field(default_factory=dict)


class _Holder(BaseModel):
    """So that errors name fields by their place in the request."""

    model_config = ConfigDict(strict=True)

    document: _Document


_ANYTHING: Schema = {}
_OBJECT: Schema = {"type": "object"}
NODE: Schema = closed(
    {
        "id": {"type": "string", "minLength": 1, "maxLength": _LONGEST_ID},
        "parent": nullable(TEXT),
        "role": {"enum": list(get_args(Role))},
        "content": {"anyOf": [TEXT, array(_OBJECT)]},
        "created": NUMBER,
    },
    {
        "reasoning": nullable(TEXT),
        "tool_calls": nullable(array(_OBJECT)),
        "tool_call_id": nullable(TEXT),
        "model": nullable(TEXT),
        "stats": nullable(_OBJECT),
        "logprobs": _ANYTHING,
        "finish_reason": nullable(TEXT),
        "error": {"anyOf": [TEXT, _OBJECT, {"type": "null"}]},
    },
)
DOCUMENT: Schema = closed(
    {
        "version": {"const": 1},
        "head": nullable(TEXT),
        "nodes": {"type": "object", "additionalProperties": NODE, "maxProperties": MOST_NODES},
    },
    {"settings": _OBJECT},
)


def check_document(value: object) -> Document:
    """`value`, if it is a document; else an `InvalidArgument` that names the field at fault, or
    `TooLarge`."""
    try:
        checked = _Holder.model_validate({"document": value}).document
    except ValidationError as error:
        raise first_error(error) from error
    assert isinstance(value, dict), "it was just checked"
    for name, node in value["nodes"].items():
        _check_node(name, node, value["nodes"])
    if checked.head is not None and checked.head not in checked.nodes:
        raise _nowhere("document.head")
    _check_no_cycle(value["nodes"])
    _check_size(value)
    return value


def size_of(document: Document) -> int:
    """Bytes it takes as JSON."""
    return len(_as_json(document))


def _check_node(name: str, node: Node, nodes: Mapping[str, Node]) -> None:
    where = f"document.nodes.{name[:_LONGEST_ID]}"
    if node["id"] != name:
        raise InvalidArgument(
            f"Invalid value for '{where}.id': expected the node's own key", param=f"{where}.id"
        )
    if node["parent"] is not None and node["parent"] not in nodes:
        raise _nowhere(f"{where}.parent")
    content = node["content"]
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong(f"{where}.content", "a string or an array of content parts", content)
    for at, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            found = part.get("type") if isinstance(part, dict) else part
            raise InvalidArgument(
                f"Invalid value for '{where}.content[{at}]': expected an object with a 'type',"
                f" got {kind(found)}",
                param=f"{where}.content[{at}]",
            )


def _check_no_cycle(nodes: Mapping[str, Node]) -> None:
    # Nodes whose way to a root is known to end.
    good: set[str] = set()
    for name in nodes:
        way: dict[str, None] = {}
        at: str | None = name
        while at is not None and at not in good:
            if at in way:
                where = f"document.nodes.{at}.parent"
                raise InvalidArgument(f"'{where}': the node is its own ancestor", param=where)
            way[at] = None
            at = nodes[at]["parent"]
        good.update(way)


def _check_size(document: Document) -> None:
    raw = _as_json(document)
    if len(raw) > MOST_BYTES:
        raise TooLarge(
            f"'document' has {len(raw)} bytes, and may have {MOST_BYTES}", param="document"
        )
    if b"Infinity" in raw:
        carriable(document, "document")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH - _LEVELS_AROUND and is_too_deep(
        _nested(document)
    ):
        raise too_deep("document")


def _nested(document: Document) -> Any:
    value: Any = document
    for _ in range(_LEVELS_AROUND):
        value = [value]
    return value


def _as_json(document: Document) -> bytes:
    return pydantic_core.to_json(document, inf_nan_mode="constants")


def _nowhere(where: str) -> InvalidArgument:
    return InvalidArgument(
        f"Invalid value for '{where}': expected the id of one of the nodes", param=where
    )


# What is read of a document that is known to be good.


def branch(document: Document) -> list[Node]:
    """The messages from the first to `head`."""
    nodes, found = document["nodes"], list[Node]()
    at = document["head"]
    while at is not None:
        found.append(nodes[at])
        at = nodes[at]["parent"]
    return found[::-1]


def text_of(node: Node) -> str:
    """What the message says, without its images and sounds."""
    content = node["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))


def texts(document: Document) -> Iterator[str]:
    """What all its messages say, those of other branches too."""
    for node in document["nodes"].values():
        if text := text_of(node):
            yield text


def message_count(document: Document) -> int:
    """Messages of people and models on the branch that is looked at."""
    return sum(node["role"] in ("user", "assistant") for node in branch(document))


# A line of a list.
_LONGEST_TITLE = 60


def first_title(document: Document) -> str:
    """A title made of the first thing that was asked; "" where nothing was yet."""
    asked = (text_of(node) for node in branch(document) if node["role"] == "user")
    return shortened_line(next((text for text in asked if text.strip()), ""), _LONGEST_TITLE)


def shortened_line(text: str, most: int) -> str:
    """The beginning of a text as one line of so many characters at most."""
    line = " ".join(text[: most * 20].split())
    if len(line) <= most:
        return line
    at_word = line[:most].rpartition(" ")[0]
    cut = at_word if len(at_word) > most // 2 else line[: most - 1]
    return cut.rstrip() + "\u2026"
