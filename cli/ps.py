"""`kronk ps`: the loaded models and the processes behind them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kronk.shared.confinement import MEASURES
from kronk.shared.units import format_bytes, format_duration

from .client import Admin, find_server
from .options import ApiHost, BasePathOption
from .ps_parts import below, slot_lines
from .ps_watch import Frame, frames, known

ps_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

# The contract with scripts: these keys, in this order.
JSON_KEYS = (
    "model",
    "pid",
    "state",
    "generation",
    "rss_bytes",
    "n_ctx",
    "slots_busy",
    "slots_total",
    "queued",
    "active_streams",
    "tokens_per_second",
    "idle_seconds",
    "expires_in",
    "restarts",
    "last_exit",
)
_Columns = tuple[tuple[str, bool], ...]
# Heading, and whether the column is numbers.
_COLUMNS: _Columns = (
    ("MODEL", False),
    ("PID", True),
    ("STATE", False),
    ("GEN", True),
    ("RSS", True),
    ("CONTEXT", True),
    ("SLOTS", True),
    ("QUEUE", True),
    ("STREAMS", True),
    ("TOK/S", True),
    ("IDLE", True),
    ("EXPIRES", True),
    ("RESTARTS", True),
    ("LAST EXIT", False),
)


def _confined(measures: list[str]) -> str:
    if not measures:
        return "no"
    return "yes" if set(MEASURES) <= set(measures) else "partly"


# What `--wide` adds before the last column: of the memory budget, what is set aside for the model,
# and what its process took when it was new;
_MEMORY: tuple[tuple[str, bool, str], ...] = (
    ("RESERVED", True, "predicted_bytes"),
    ("TOOK", True, "measured_bytes"),
)
# and of what was fitted.
_WIDE: tuple[tuple[str, bool, Callable[[dict[str, Any]], str]], ...] = (
    ("KV", True, lambda fitted: format_bytes(fitted["kv_bytes"])),
    ("KV TYPES", False, lambda fitted: f"{fitted['cache_type_k']}/{fitted['cache_type_v']}"),
    ("SCRATCH", True, lambda fitted: format_bytes(fitted["compute_bytes"])),
    ("FLASH", False, lambda fitted: "on" if fitted["flash_attention"] else "off"),
    ("BATCH", True, lambda fitted: f"{fitted['n_batch']}/{fitted['n_ubatch']}"),
    ("THREADS", True, lambda fitted: f"{fitted['n_threads']}/{fitted['n_threads_batch']}"),
    ("GPU LAYERS", True, lambda fitted: f"{fitted['gpu_layers']}/{fitted['layers']}"),
    ("CACHE", False, lambda fitted: str(fitted["cache"])),
    ("LLAMA.CPP", False, lambda fitted: str(fitted["library"])),
    ("SPECULATION", False, lambda fitted: str(fitted["speculation"])),
    ("CONFINED", False, lambda fitted: _confined(fitted["confinement"])),
    ("NOTES", True, lambda fitted: str(len(fitted["notes"]))),
)
# The same of what belongs to the last column, from the model's own line.
_WIDE_EXIT: tuple[tuple[str, bool, str], ...] = (("EXITED AGO", True, "last_exit_age"),)
_STATE_COLOURS = {"ready": "green", "loading": "yellow", "draining": "yellow", "failed": "red"}
_NONE = "-"
_GAP = 2
_LEAST_CAUSE, _LONGEST_CAUSE = 16, 60


@ps_app.command()
def ps(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Redraw each second until Ctrl-C.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON list of objects, for scripts.")
    ] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show what was fitted too: memory, types, threads.")
    ] = False,
    slots: Annotated[
        bool, typer.Option("--slots", "-v", help="Show a line for each slot too.")
    ] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the loaded models and their processes."""
    admin = find_server(api_host, base_path)
    if watch and as_json:
        raise typer.BadParameter("--watch and --json exclude each other")
    if watch:
        _watch(lambda: find_server(api_host, base_path), wide, slots)
        return
    answer = known(admin)
    if as_json:
        more = ("predicted_bytes", "measured_bytes", "fitted") if wide else ()
        keys = (*JSON_KEYS, *more, *(("slots", "caches") if slots else ()))
        print(json.dumps([{key: row.get(key) for key in keys} for row in answer["data"]]))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        # A pipe has no width; nothing is shortened there.
        console = Console(highlight=False, width=1000)
    console.print(view(answer, console.width, wide))
    lines = slot_lines(answer["data"], idle=True) if slots else None
    if lines is not None:
        console.print(lines)


def _watch(find: Callable[[], Admin], wide: bool, slots: bool) -> None:
    console = Console(highlight=False)
    # Ctrl-C is how watching ends, so it is no failure.
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, auto_refresh=False, screen=console.is_terminal) as live,
    ):
        for frame in frames(find):
            # The width is asked for each time: terminals are resized.
            live.update(watched(frame, console.width, wide, slots), refresh=True)


def watched(frame: Frame, width: int, wide: bool = False, slots: bool = False) -> RenderableType:
    """One second of watching: the table, slots at work (all of them with `slots`), who waits, the
    machine, and what happened."""
    parts: list[RenderableType] = []
    if frame.answer is not None:
        lines = slot_lines(frame.answer["data"], idle=slots)
        parts = [view(frame.answer, width, wide), *([] if lines is None else [lines])]
    return Group(*parts, below(frame.state, frame.happened, frame.note))


def view(answer: dict[str, Any], width: int, wide: bool = False) -> RenderableType:
    """The table and its footer; a paragraph per model where a row is wider than the terminal."""
    more = [column[:2] for column in (*_MEMORY, *_WIDE, *_WIDE_EXIT) if wide]
    columns = (*_COLUMNS[:-1], *more, _COLUMNS[-1])
    rows = [cells(status, wide) for status in answer["data"]]
    line = Text(_footer(answer), "dim", no_wrap=True, overflow="ellipsis")
    footer = Group(
        line, *(Text(f"warning: {words}", "red") for words in answer.get("warnings", ()))
    )
    if not rows:
        return Group(Text("no model is loaded"), footer)
    headings = [heading for heading, _ in columns]
    *widths, _ = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    # Rich pads the last column too.
    room = width - sum(widths) - _GAP * len(columns)
    if room < _LEAST_CAUSE:
        return Group(*_blocks(columns, rows), footer)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for heading, number in columns:
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for *row, cause in rows:
        row.append(_shortened(cause, room))
        table.add_row(*(_styled(*cell) for cell in zip(columns, row, strict=True)))
    return Group(table, footer)


def cells(status: dict[str, Any], wide: bool = False) -> tuple[str, ...]:
    """One model's row as text; what does not apply is a dash."""
    return (
        str(status["model"]),
        _pid(status),
        _state(status),
        _or_dash(status["generation"], str),
        _or_dash(status["rss_bytes"], format_bytes),
        _or_dash(status["n_ctx"], str),
        f"{status['slots_busy']}/{status['slots_total']}",
        str(status["queued"]),
        str(status["active_streams"]),
        f"{status['tokens_per_second']:.1f}",
        _or_dash(status["idle_seconds"], format_duration),
        "pinned" if status.get("pinned") else _or_dash(status["expires_in"], format_duration),
        str(status["restarts"]),
        *(_or_dash(status.get(key), format_bytes) for *_, key in _MEMORY if wide),
        *(_or_dash(status.get("fitted"), cell) for *_, cell in _WIDE if wide),
        *(_or_dash(status.get(key), format_duration) for *_, key in _WIDE_EXIT if wide),
        _one_line(status["last_exit"]),
    )


def _state(status: dict[str, Any]) -> str:
    """With how far a load is, or when what failed is tried again: `loading 45 % (3 s left)`."""
    words = str(status["state"])
    if status.get("phase") == "weights" and status.get("fraction") is not None:
        words += f" {round(status['fraction'] * 100)} %"
    if status.get("eta") is not None:
        words += f" ({_seconds(status['eta'])} left)"
    if status.get("retry_in") is not None:
        words += f" (retry in {_seconds(status['retry_in'])})"
    return words


def _seconds(span: float) -> str:
    """`4 s`, `2m5s`; never less than what is left."""
    whole = math.ceil(span)
    return f"{whole} s" if whole < 60 else format_duration(whole)


def _pid(status: dict[str, Any]) -> str:
    """Of a process on another host, with that host's name."""
    host = status.get("host")
    return _or_dash(status["pid"], str) + (f"@{host}" if host else "")


def _or_dash(value: Any, form: Any) -> str:
    return _NONE if value is None else str(form(value))


def _one_line(cause: str | None) -> str:
    return _shortened(" ".join((cause or _NONE).split()), _LONGEST_CAUSE)


def _shortened(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _styled(column: tuple[str, bool], cell: str) -> Text:
    state = cell.partition(" ")[0] if column[0] == "STATE" else ""
    return Text(cell, _STATE_COLOURS.get(state, ""))


def _blocks(columns: _Columns, rows: list[tuple[str, ...]]) -> Iterator[RenderableType]:
    """Narrow terminals: a model is a paragraph, so that no cell is cut or wrapped."""
    for row in rows:
        model, *rest = row
        yield Text(model, "bold", overflow="fold")
        pairs = zip(columns[1:], rest, strict=True)
        facts = [f"{heading.lower()} {cell}" for (heading, _), cell in pairs if cell != _NONE]
        yield Text("  " + " · ".join(facts), overflow="fold")


def _device(name: str) -> str:
    return "memory" if name == "host" else name


def _footer(answer: dict[str, Any]) -> str:
    parts = [
        f"{_device(budget['device'])} {format_bytes(budget['reserved_bytes'])} of"
        f" {format_bytes(budget['budget_bytes'])}"
        for budget in answer.get("budgets", [])
    ]
    parts += [
        f"{process['role']} {process['pid']} ({format_bytes(process['rss_bytes'])})"
        for process in answer.get("processes", [])
    ]
    if answer.get("draining"):
        parts.append("draining: no new requests")
    return " · ".join(parts)
