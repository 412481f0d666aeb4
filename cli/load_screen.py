"""How far a load is: a bar on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_STATES = {
    "absent": "waiting for room",
    "draining": "waiting for its last process to end",
    "ready": "loaded",
}
_PHASES = {
    None: "starting a process",
    "weights": "weights",
    "context": "context",
    "first_decode": "first decode",
    "projector": "projector",
}

Show = Callable[[dict[str, Any]], None]


@contextmanager
def screen(console: Console, model: str) -> Iterator[Show]:
    """Shows events of a load, one after the other."""
    if console.is_terminal:
        with _bar(console, model) as show:
            yield show
    else:
        yield _lines(console, model)


@contextmanager
def _bar(console: Console, model: str) -> Iterator[Show]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[rest]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{model}: loading", total=None, rest="")

        def show(event: dict[str, Any]) -> None:
            share = done(event)
            total = None if share is None else 1.0
            words = f"{model}: {step(event)}"
            progress.update(
                task, description=words, total=total, completed=share or 0.0, rest=rest(event)
            )

        yield show


def _lines(console: Console, model: str) -> Show:
    last: str | None = None

    def show(event: dict[str, Any]) -> None:
        nonlocal last
        words = step(event)
        if words != last:
            last = words
            console.print(f"{model}: {words}", markup=False, soft_wrap=True)

    return show


def step(event: dict[str, Any]) -> str:
    """What the load is at."""
    state = event.get("state")
    if state == "loading":
        return f"loading, {_PHASES.get(event.get('phase'), 'loading')}"
    if state in ("backoff", "failed"):
        return "its process died; tried again" + (rest(event) and f" {rest(event)}")
    return _STATES.get(str(state), str(state))


def done(event: dict[str, Any]) -> float | None:
    """The part that is done, from 0 to 1; None where nobody can tell."""
    fraction = event.get("fraction")
    if event.get("phase") not in ("weights", "projector") or fraction is None:
        return None
    return float(min(max(fraction, 0.0), 1.0))


def rest(event: dict[str, Any]) -> str:
    """How far it is and how long it still takes, as far as that is known."""
    parts = []
    if (share := done(event)) is not None:
        parts.append(f"{round(share * 100)} %")
    if (left := event.get("eta")) is not None:
        parts.append(f"{math.ceil(left)} s left")
    if (again := event.get("retry_in")) is not None:
        parts.append(f"in {math.ceil(again)} s")
    return ", ".join(parts)
