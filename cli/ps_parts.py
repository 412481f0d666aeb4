"""The parts of `kronk ps` below its table: slots, queues, the machine, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronk.shared.units import format_bytes, format_duration

Json = dict[str, Any]

_PHASES = {"reading": "reading media"}
_PHASE_COLOURS = {"generating": "green", "prefill": "yellow", "reading": "yellow", "paused": "red"}
_LEVEL_COLOURS = {"error": "red", "warning": "yellow"}
_SLOT_COLUMNS = (
    ("MODEL", "left"),
    ("SLOT", "right"),
    ("PHASE", "left"),
    ("ROWS", "right"),
    ("PROMPT", "right"),
    ("TOKENS", "right"),
    ("REQUEST", "left"),
)
# Of a queue, those that come next.
_MOST_NEXT = 3
_NONE = "-"


def slot_lines(models: Iterable[Json], *, idle: bool) -> RenderableType | None:
    """A line for each slot at work, and with `idle` for those that are not; None where there is
    none, or the server does not tell."""
    rows = [
        (model["model"], slot)
        for model in models
        for slot in model.get("slots", ())
        if idle or slot["phase"] != "idle"
    ]
    if not rows:
        return None
    columns = (*_SLOT_COLUMNS, *([("WHOSE", "left")] if any(s.get("by") for _, s in rows) else []))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading, justify in columns:
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for model, slot in rows:
        cells = [Text(model), *slot_cells(slot)]
        table.add_row(*cells, *([Text(slot.get("by") or _NONE)] if len(columns) > 7 else []))
    return table


def slot_cells(slot: Json) -> Iterator[Text]:
    """Its cells after the model's name."""
    phase, prompt = str(slot["phase"]), slot["prompt"]
    yield Text(str(slot["index"]))
    yield Text(_PHASES.get(phase, phase), _PHASE_COLOURS.get(phase, "dim"))
    yield Text(str(slot["rows"]))
    yield Text(f"{slot['prompt_done']}/{prompt}" if prompt else _NONE)
    yield Text(str(slot["generated"]) if slot["generated"] else _NONE)
    yield Text(slot["request"] or _NONE)


def queue_lines(queue: Iterable[Json]) -> list[Text]:
    """A line for each model that somebody waits for."""
    return [Text(_queue(row), "yellow", overflow="fold") for row in queue if row["waiting"]]


def _queue(row: Json) -> str:
    following = [_next(one) for one in row["requests"][:_MOST_NEXT]]
    more = row["waiting"] - len(following)
    listed = ", ".join(following) + (f" and {more} more" if following and more > 0 else "")
    return f"{row['waiting']} waiting for {row['model']}" + (f": {listed}" if listed else "")


def _next(one: Json) -> str:
    place = "" if one["position"] is None else f"{one['position']}. "
    return f"{place}{one['request']} ({one['seconds']:.0f} s)"


def machine_line(state: Json) -> Text:
    """`up 2h3m · 31.4 tokens/s · CPU 34 % of 8 · memory 3.1 GiB of 16.0 GiB · ...`"""
    system, uptime = state["system"], state["server"]["uptime"]
    memory, disk = system["memory"], system["disk"]
    parts = [] if uptime is None else [f"up {format_duration(uptime)}"]
    parts.append(f"{state['throughput']['tokens_per_second']:.1f} tokens/s")
    if system["cpu_percent"] is not None:
        parts.append(f"CPU {system['cpu_percent']:.0f} % of {system['core_count']}")
    used, total = format_bytes(memory["used_bytes"]), format_bytes(memory["total_bytes"])
    parts.append(f"memory {used} of {total}")
    parts += [_gpu(gpu) for gpu in system["gpus"]]
    if disk is not None:
        parts.append(f"disk {format_bytes(disk['free_bytes'])} free")
    if state["jobs"]:
        parts.append(_counted(len(state["jobs"]), "job"))
    if running := state["batches"]["running"]:
        parts.append(_counted(running, "batch", "batches"))
    return Text(" · ".join(parts), "dim", no_wrap=True, overflow="ellipsis")


def _gpu(gpu: Json) -> str:
    share = gpu.get("utilisation")
    busy = "" if share is None else f" {100 * share:.0f} %,"
    used, total = format_bytes(gpu["used_bytes"]), format_bytes(gpu["total_bytes"])
    return f"{gpu['name']}{busy} {used} of {total}"


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def happened_lines(happened: Sequence[Json]) -> list[Text]:
    """When and what, the oldest first."""
    return [
        Text(
            f"{datetime.fromtimestamp(one['time']):%H:%M:%S} {one['message']}",
            _LEVEL_COLOURS.get(one["level"], ""),
            overflow="fold",
        )
        for one in happened
    ]


def below(state: Json | None, happened: Sequence[Json], note: str) -> Group:
    """What a watched table has under it."""
    parts: list[RenderableType] = []
    if state is not None:
        parts += [*queue_lines(state["queue"]), machine_line(state)]
    parts += happened_lines(happened)
    if note:
        parts.append(Text(note, "red"))
    return Group(*parts)
