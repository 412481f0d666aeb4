"""An estimate of a model's size for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kronk.shared.units import format_bytes

from .columns import aligned

_PARTS = {
    "process": "the process itself",
    "weights": "weights",
    "vocabulary": "vocabulary",
    "scratch": "scratch memory (compute)",
    "work": "working memory",
    "outputs": "outputs",
    "draft": "draft model",
    "projector": "projector",
    "adapters": "adapters",
}
_KINDS = {
    "full_attention": "full attention",
    "sliding_window": "sliding window",
    "latent": "compressed (MLA)",
    "recurrent": "recurrent states",
}
_CACHES = {
    "kept_media_bytes": "kept images and recordings, up to",
    "prefix_cache_bytes": "cached prefixes, up to",
}
_VERDICTS = {
    "fits": "It fits.",
    "fits_without_idle": "It fits when models that are idle have gone, which the server sees to.",
    "has_to_wait": "It fits, but models in use or pinned have the memory now.",
    "does_not_fit": "It does not fit.",
}


def page(found: dict[str, Any]) -> str:
    """All of it."""
    return "\n\n".join("\n".join(part) for part in _sections(found))


def _sections(found: dict[str, Any]) -> Iterator[list[str]]:
    yield list(_head(found))
    yield list(_table(found))
    yield list(_outcome(found))
    if found["grid"]:
        yield list(_grid(found))


def _head(found: dict[str, Any]) -> Iterator[str]:
    set_up = found["settings"]
    size = format_bytes(found["file_bytes"])
    yield f"{found['model']}: {found['architecture']}, {_count(found['parameters'])} parameters"
    where = size if found["origin"] == "disk" else f"{size}, not fetched"
    context = f"{set_up['n_seq_max']} x {set_up['context_window']} tokens"
    cache = f"{set_up['cache_type_k']}/{set_up['cache_type_v']}"
    attention = "on" if set_up["flash_attention"] else "off"
    yield (
        f"{where}; {context}, cache {cache}, flash attention {attention},"
        f" n_ubatch {set_up['n_ubatch']}"
    )
    if found["fetched_bytes"]:
        yield f"read from its header: {format_bytes(found['fetched_bytes'])} fetched"
    if experts := found["experts"]:
        yield _experts(experts)


def _experts(experts: dict[str, Any]) -> str:
    text = (
        f"{experts['used']} of {experts['count']} experts work on a token:"
        f" {_count(experts['active_parameters'])} parameters active,"
        f" {format_bytes(experts['active_bytes'])} of the experts' {format_bytes(experts['bytes'])}"
    )
    if experts["kept_layers"]:
        kept = format_bytes(experts["kept_bytes"])
        text += f"; n_cpu_moe keeps {kept} of {experts['kept_layers']} layers in main memory"
    return text


def _table(found: dict[str, Any]) -> Iterator[str]:
    devices = [room["device"] for room in found["machine"]["devices"]]
    also = {name for part in found["parts"] for name in part["devices"]}
    devices += sorted(also - set(devices))
    kinds = found["layers"]["kinds"]
    rows = [
        _row(_name(part, kinds), part["devices"], devices)
        for part in found["parts"]
        if part["bytes"]
    ]
    aside = found["set_aside"]
    rows.append(_row("in all", found["predicted"]["devices"], devices))
    if found["measured"] is not None:
        rows.append(_row("measured when it ran", found["measured"]["devices"], devices))
    for key, name in _CACHES.items():
        if aside[key]:
            rows.append(_row(name, {"host": aside[key]}, devices))
    rows.append(_row("set aside for it", aside["devices"], devices))
    rooms = {room["device"]: room["budget_bytes"] for room in found["machine"]["devices"]}
    rows.append(_row("models may take", rooms, devices, is_sum=False))
    held = {room["device"]: room["held_bytes"] for room in found["machine"]["devices"]}
    if any(held.values()):
        rows.append(_row("other models have of it", held, devices, is_sum=False))
    yield from aligned(("", *devices, "all"), rows)


def _name(part: dict[str, Any], kinds: dict[str, int]) -> str:
    kind = part["kind"]
    if kind is None:
        return _PARTS.get(part["part"], str(part["part"]))
    count = kinds.get(kind, 0)
    layers = "1 layer" if count == 1 else f"{count} layers"
    return f"KV cache: {_KINDS.get(kind, kind)}, {layers}"


def _row(
    name: str, sizes: dict[str, int], devices: list[str], *, is_sum: bool = True
) -> tuple[str, ...]:
    cells = (format_bytes(sizes[one]) if sizes.get(one) else "-" for one in devices)
    return (name, *cells, format_bytes(sum(sizes.values())) if is_sum else "")


def _outcome(found: dict[str, Any]) -> Iterator[str]:
    machine = "on a machine like that: " if found["machine"]["imagined"] else ""
    yield machine + _VERDICTS.get(found["verdict"], found["verdict"])
    if found["advice"]:
        yield "Any one of these would make it fit: " + "; ".join(found["advice"])
    slots, window = found["settings"]["n_seq_max"], found["settings"]["context_window"]
    largest, most = found["largest_context"], found["most_slots"]
    end = ", all that it was trained for" if largest == found["trained_context"] else ""
    with_slots = "1 slot" if slots == 1 else f"{slots} slots"
    yield f"largest context with {with_slots}: {largest or 'none fits'}{end}"
    yield f"most slots with {window} tokens each: {most or 'none fits'}"


def _grid(found: dict[str, Any]) -> Iterator[str]:
    cells = {(cell["cache_type"], cell["context_window"]): cell for cell in found["grid"]}
    windows = sorted({window for _, window in cells})
    types = list(dict.fromkeys(kind for kind, _ in cells))
    rows = [(kind, *(_cell(cells.get((kind, window))) for window in windows)) for kind in types]
    slots = found["settings"]["n_seq_max"]
    heads = (f"cache, {slots} x tokens", *map(str, windows))
    yield from aligned(heads, rows)
    if any(not cell["fits"] for cell in found["grid"]):
        yield "(in brackets: does not fit)"


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    size = format_bytes(cell["total_bytes"])
    return size if cell["fits"] else f"({size})"


def _count(number: int) -> str:
    for unit, size in (("B", 10**9), ("M", 10**6)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)
