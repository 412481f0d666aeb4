"""The heap of a process, for people: what is Python's, what is native, and who took it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kronk.shared.wire.debugging import Heap, HeapLine

from .targets import Target

# Of `smaps_rollup`: resident, by what it is.
_KINDS = (
    ("Rss", "resident"),
    ("Pss", "its share of it"),
    ("Pss_Anon", "of that, memory of its own"),
    ("Pss_File", "of that, files (programs, model weights)"),
    ("Pss_Shmem", "of that, shared memory"),
    ("Private_Dirty", "written by it alone"),
    ("Swap", "swapped out"),
)

_REST = "native code, Python's strings, what was put aside"


def document(target: Target, heap: Heap, kernel: Mapping[str, int]) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "process": target.name,
        "role": target.role,
        "pid": target.pid,
        "seconds": heap.seconds,
        "kernel_bytes": dict(kernel),
        "python": {
            "objects_bytes": objects_bytes(heap),
            "blocks": heap.blocks,
            "frozen_objects": heap.frozen,
            "traced_bytes": heap.traced,
            "traced_peak_bytes": heap.peak,
            "tracing_bytes": heap.tracing,
            "collections": list(heap.collections),
        },
        "other_bytes": other_bytes(heap, kernel),
        "lines": [_row(line) for line in heap.lines],
        "grown": [_row(line) for line in heap.grown],
        "types": [{"type": one.name, "count": one.count, "bytes": one.bytes} for one in heap.types],
    }


def objects_bytes(heap: Heap) -> int:
    """What Python's containers take; strings and numbers in them, which nobody keeps a list of,
    are not counted."""
    return sum(one.bytes for one in heap.types)


def other_bytes(heap: Heap, kernel: Mapping[str, int]) -> int | None:
    """What of its own memory is no container of Python's: llama.cpp, numpy, stacks, Python's
    strings and code, and what the collector has put aside."""
    own = kernel.get("Anonymous", kernel.get("Pss_Anon"))
    return None if own is None else max(own - objects_bytes(heap) - heap.tracing, 0)


def text(target: Target, heap: Heap, kernel: Mapping[str, int]) -> str:
    """The same to be read."""
    other = other_bytes(heap, kernel)
    lines = [f"{target.role} {target.name}, process {target.pid}", ""]
    lines += [f"{_size(kernel[name])}  {words}" for name, words in _KINDS if name in kernel]
    lines += [
        f"{_size(objects_bytes(heap))}  Python's containers (without the strings in them)",
        *([] if other is None else [f"{_size(other)}  the rest of its own memory: {_REST}"]),
        f"{heap.blocks:>12}  blocks of Python's allocator",
        f"{heap.frozen:>12}  objects put aside at the start, which are in no list below",
        "",
        f"Taken by Python within {heap.seconds:g} s and still in use: {_size(heap.traced).strip()} "
        f"(at most {_size(heap.peak).strip()})",
        *_table(heap.lines, grown=False),
        "",
        "Of that, more at the end than in the middle",
        *_table(heap.grown, grown=True),
        "",
        "Objects by type",
        *(f"{_size(one.bytes)} {one.count:>9}  {one.name}" for one in heap.types),
    ]
    return "\n".join(lines) + "\n"


def _row(line: HeapLine) -> dict[str, Any]:
    return {
        "where": line.where,
        "bytes": line.bytes,
        "blocks": line.blocks,
        "growth_bytes": line.growth,
    }


def _table(lines: Sequence[HeapLine], *, grown: bool) -> list[str]:
    rows = [
        f"{_size(line.growth if grown else line.bytes)} {line.blocks:>9}  {line.where}"
        for line in lines
    ]
    return rows or ["nothing"]


def _size(count: int) -> str:
    if count >= 2**20:
        return f"{count / 2**20:>8.1f} MiB"
    return f"{count / 2**10:>8.1f} KiB"
