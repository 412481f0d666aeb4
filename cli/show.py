"""`kronk model show`: one model's file, its configuration, and what was fitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kronk.shared.errors import Internal, ServerError
from kronk.shared.model_keys import KEYS
from kronk.shared.units import format_bytes

from .client import Admin, NoServer, in_path
from .columns import aligned

_BYTES = frozenset(
    {"size_bytes", "weights_bytes", "kv_bytes", "compute_bytes", "cache_ram", "cache_disk"}
)


def from_server(admin: Admin, model: str) -> dict[str, Any]:
    """What the running server says; without one the error names `--local`."""
    try:
        answer = admin.get(f"/v1/kronk/models/{in_path(model)}")
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    if not isinstance(answer, dict) or not {"id", "file", "configuration"} <= answer.keys():
        raise Internal(f"{admin.url} answered /v1/kronk/models in a form this version cannot read")
    return answer


def page(model: dict[str, Any]) -> str:
    """For people."""
    return "\n\n".join("\n".join(part) for part in _parts(model))


def _parts(model: dict[str, Any]) -> Iterator[list[str]]:
    known = {"path": model["path"], "size": format_bytes(model["size_bytes"])}
    known |= {name: model[name] for name in ("aliases", "capabilities") if model.get(name)}
    yield [model["id"], *_pairs(known | _file(model["file"] or {}))]
    if model.get("integrity"):
        known = {key: value for key, value in model["integrity"].items() if value is not None}
        yield ["integrity", *_pairs(known)]
    if model["problem"] is not None:
        yield ["cannot be loaded", f"  {model['problem']}"]
    if model.get("memory"):
        yield ["memory", *_pairs(_memory(model["memory"]))]
    yield ["configuration", *settings(model["configuration"], model.get("origins", {}))]
    uses = {key: value for key, value in (model["uses"] or {}).items() if value is not None}
    if uses:
        yield ["files", *_pairs(uses)]
    fitted = model.get("fitted")
    if fitted is None:
        yield [f"fitted: {model.get('state') or 'not loaded'}"]
        return
    notes = fitted["notes"]
    yield ["fitted", *_pairs({key: value for key, value in fitted.items() if key != "notes"})]
    if notes:
        yield ["not as configured", *(f"  {note}" for note in notes)]


def _file(facts: dict[str, Any]) -> dict[str, Any]:
    """In words that fit a line."""
    types = {
        kind: f"{counts['tensors']} tensors, {format_bytes(counts['bytes'])}"
        for kind, counts in facts.get("tensor_types", {}).items()
    }
    special = {
        name: f"{token['id']}" + (f" {token['text']!r}" if token["text"] is not None else "")
        for name, token in facts.get("special_tokens", {}).items()
    }
    words = {"tensor_types": types, "special_tokens": special}
    return facts | {name: value for name, value in words.items() if value}


def _memory(sizes: dict[str, Any]) -> dict[str, Any]:
    """What it is expected to take, and what it took, by device where there are several."""
    words = {}
    for name, size in sizes.items():
        if size is None:
            words[name] = "never loaded here with these settings"
            continue
        devices = size["devices"]
        parts = [f"{device} {format_bytes(count)}" for device, count in sorted(devices.items())]
        words[name] = format_bytes(size["bytes"])
        words[name] += f" ({', '.join(parts)})" if len(parts) > 1 else ""
    return words


def settings(values: dict[str, Any], origins: dict[str, str]) -> list[str]:
    """A line per key, with where its value comes from."""
    rows = []
    for key, value in values.items():
        rows.append((f"  {key}", _text(key, _meaning(key, value)), origins.get(key, "")))
        if isinstance(value, dict):
            # Each has an origin of its own.
            rows[-1] = (f"  {key}", "" if value else "-", "" if value else origins.get(key, ""))
            rows += [
                (f"    {name}", _text(name, item), origins.get(f"{key}.{name}", ""))
                for name, item in value.items()
            ]
    _, *lines = aligned(("", "", ""), rows)
    return lines


def _meaning(key: str, value: Any) -> Any:
    """What is not said, in words."""
    return f"({KEYS[key].unset})" if value is None and key in KEYS else value


def _pairs(values: dict[str, Any]) -> list[str]:
    rows = [(f"  {key}", _text(key, value)) for key, value in values.items()]
    _, *lines = aligned(("", ""), rows)
    return lines


def _text(key: str, value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() if key.strip("* ") in _BYTES:
            return format_bytes(value) if value else "off"
        case float():
            return f"{value:g}"
        case dict():
            return ", ".join(f"{name} {_text(name, item)}" for name, item in value.items()) or "-"
        case list():
            return ", ".join(_text(key, item) for item in value) or "-"
        case _:
            # A file's metadata is anybody's: nothing of it may move the cursor.
            return "".join(
                char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value)
            )
