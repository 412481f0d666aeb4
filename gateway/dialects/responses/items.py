"""The `input` of a request: items checked by hand, in the form in which they are kept and listed.

By hand because a hostile list of a million wrong items must cost one error, not a million.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kronk.gateway.dialects.fields import NOT_SUPPORTED, members, path, string, wrong
from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.openai.messages import call_arguments
from kronk.shared.errors import InvalidArgument

from .ids import ItemNames
from .parts import message_parts, output_parts, texts
from .references import Shelf, referred

Item = dict[str, Any]

ROLES = ("user", "assistant", "system", "developer")
_STATUSES = ("in_progress", "completed", "incomplete")
_PHASES = ("commentary", "final_answer")


def input_items(value: object, names: ItemNames, shelf: Shelf) -> list[Item]:
    """The items of `input`, each with an id; `InvalidArgument` names the first fault."""
    if value is None:
        return []
    if isinstance(value, str):
        return [_message({"role": "user", "content": value}, "input", names)]
    if not isinstance(value, list):
        raise wrong("input", "a string or an array of items", value)
    shelf.fetch(value)
    return [_item(item, path("input", at), names, shelf) for at, item in enumerate(value)]


def places(value: object, items: list[Item]) -> dict[str, str]:
    """The field of the request that each item of `input` stands in, by the item's id."""
    if isinstance(value, str):
        return {item["id"]: "input" for item in items}
    return {item["id"]: path("input", at) for at, item in enumerate(items)}


def check_names(items: list[Item]) -> None:
    """An item that is there twice was sent, and is also part of what is continued."""
    seen: set[str] = set()
    for item in items:
        if item["id"] in seen:
            raise InvalidArgument(
                f"Duplicate item found with id {item['id'][:100]}. Remove duplicate items from "
                "your input and try again.",
                param="input",
            )
        seen.add(item["id"])


def answered(items: list[Item]) -> list[Item]:
    """The items without calls that were never completed; every other call has its output."""
    outputs = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    kept: list[Item] = []
    called: set[str] = set()
    for item in items:
        match item["type"]:
            case "function_call" if item["call_id"] not in outputs:
                if item["status"] == "incomplete":
                    continue
                raise InvalidArgument(
                    f"No tool output found for function call {item['call_id'][:100]}.",
                    param="input",
                )
            case "function_call":
                called.add(item["call_id"])
            case "function_call_output" if item["call_id"] not in called:
                raise InvalidArgument(
                    "No tool call found for function call output with call_id "
                    f"{item['call_id'][:100]}.",
                    param="input",
                )
        kept.append(item)
    return kept


def _item(value: object, where: str, names: ItemNames, shelf: Shelf) -> Item:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    if (name := referred(value)) is not None:
        return shelf.item(name)
    # Clients send an answer's items back with all that their classes have.
    given = {key: member for key, member in value.items() if member is not None}
    name = given.get("type", "message" if "role" in given else None)
    if not isinstance(name, str):
        raise wrong(f"{where}.type", "a string", name)
    if name == "item_reference":
        # One that cannot be read: this says why.
        string(members(given, where, "type", "id").get("id"), f"{where}.id")
    read = _READERS.get(name)
    if read is None:
        raise InvalidArgument(
            f"'{where}.type': items of type {name[:40]!r} are {NOT_SUPPORTED}; expected one of "
            f"{', '.join(_READERS)}, item_reference",
            param=f"{where}.type",
        )
    return read(given, where, names)


def _message(given: Item, where: str, names: ItemNames) -> Item:
    members(given, where, "type", "id", "role", "content", "status", "phase")
    role = _choice(given.get("role"), ROLES, f"{where}.role")
    item = {
        "id": _name(given, where) or names.new("message"),
        "type": "message",
        "status": _status(given, where),
        "role": role,
        "content": message_parts(given.get("content"), role, f"{where}.content"),
    }
    if "phase" in given:
        item["phase"] = _choice(given["phase"], _PHASES, f"{where}.phase")
    return item


def _function_call(given: Item, where: str, names: ItemNames) -> Item:
    members(given, where, "type", "id", "call_id", "name", "namespace", "arguments", "status")
    namespace = (
        {"namespace": string(given["namespace"], f"{where}.namespace")}
        if "namespace" in given
        else {}
    )
    return {
        "id": _name(given, where) or names.new("function_call"),
        "type": "function_call",
        "status": _status(given, where),
        "call_id": string(given.get("call_id"), f"{where}.call_id"),
        "name": string(given.get("name"), f"{where}.name"),
        **namespace,
        "arguments": _arguments(given, where),
    }


def _arguments(given: Item, where: str) -> str:
    where = f"{where}.arguments"
    if given.get("status") == "incomplete":
        # What there was of them when the answer was cut.
        return string(given.get("arguments"), where)
    return call_arguments(string(given.get("arguments"), where), where)


def _function_call_output(given: Item, where: str, names: ItemNames) -> Item:
    members(given, where, "type", "id", "call_id", "output", "status", "name")
    output = given.get("output")
    if not isinstance(output, str):
        output = output_parts(output, f"{where}.output")
    return {
        "id": _name(given, where) or names.new("function_call_output"),
        "type": "function_call_output",
        "status": _status(given, where),
        "call_id": string(given.get("call_id"), f"{where}.call_id"),
        "output": output,
    }


def _reasoning(given: Item, where: str, names: ItemNames) -> Item:
    members(given, where, "type", "id", "summary", "content", "encrypted_content", "status")
    item: Item = {
        "id": _name(given, where) or names.new("reasoning"),
        "type": "reasoning",
        "summary": texts(given.get("summary", []), "summary_text", f"{where}.summary"),
        "content": texts(given.get("content", []), "reasoning_text", f"{where}.content"),
        "status": _status(given, where),
    }
    if "encrypted_content" in given:
        where = f"{where}.encrypted_content"
        item["encrypted_content"] = string(given["encrypted_content"], where)
    return item


def _name(given: Item, where: str) -> str | None:
    if "id" not in given:
        return None
    name = string(given["id"], f"{where}.id")
    if not 1 <= len(name) <= 256:
        raise InvalidArgument(f"'{where}.id': must have 1 to 256 characters", param=f"{where}.id")
    return name


def _status(given: Item, where: str) -> str:
    return _choice(given.get("status", "completed"), _STATUSES, f"{where}.status")


def _choice(value: object, choices: tuple[str, ...], where: str) -> str:
    found = string(value, where)
    one_of(found, choices, where)
    return found


_READERS: dict[str, Callable[[Item, str, ItemNames], Item]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_call_output,
    "reasoning": _reasoning,
}
