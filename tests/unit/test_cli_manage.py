"""What `kronk model load` shows, and the states of `kronk ps`."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from kronk.cli.load_screen import done, rest, screen, step
from kronk.cli.ps import cells
from kronk.shared.wire.status import ModelStatus

STATUS = dataclasses.asdict(
    ModelStatus(
        model="a",
        pid=1,
        state="loading",
        generation=1,
        rss_bytes=1,
        n_ctx=None,
        slots_busy=0,
        slots_total=0,
        queued=0,
        active_streams=0,
        tokens_per_second=0.0,
        idle_seconds=None,
        expires_in=None,
        restarts=0,
        last_exit=None,
    )
)

WEIGHTS = {"state": "loading", "phase": "weights", "fraction": 0.45}


@pytest.mark.parametrize(
    ("event", "words", "share", "more"),
    [
        ({"state": "absent"}, "waiting for room", None, ""),
        ({"state": "loading", "phase": None}, "loading, starting a process", None, ""),
        (WEIGHTS, "loading, weights", 0.45, "45 %"),
        (WEIGHTS | {"eta": 2.2}, "loading, weights", 0.45, "45 %, 3 s left"),
        (
            {"state": "loading", "phase": "first_decode", "fraction": 0.0, "eta": 1.0},
            "loading, first decode",
            None,
            "1 s left",
        ),
        (
            {"state": "backoff", "retry_in": 3.4},
            "its process died; tried again in 4 s",
            None,
            "in 4 s",
        ),
        ({"state": "draining"}, "waiting for its last process to end", None, ""),
        ({"state": "new"}, "new", None, ""),
    ],
)
def test_an_event_of_a_load(
    event: dict[str, Any], words: str, share: float | None, more: str
) -> None:
    assert (step(event), done(event), rest(event)) == (words, share, more)


def test_a_pipe_gets_a_line_for_each_step() -> None:
    out = io.StringIO()
    with screen(Console(file=out, width=40), "org/a-model-with-a-name-that-is-long") as show:
        for event in (
            WEIGHTS,
            WEIGHTS | {"fraction": 0.9},
            {"state": "loading", "phase": "context"},
        ):
            show(event)
    assert out.getvalue().splitlines() == [
        "org/a-model-with-a-name-that-is-long: loading, weights",
        "org/a-model-with-a-name-that-is-long: loading, context",
    ]


def test_a_terminal_gets_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with screen(console, "a") as show:
        show({"state": "loading", "phase": None})
        show(WEIGHTS | {"eta": 2.0})
    assert "a: loading, weights" in out.getvalue()
    assert "45 %, 2 s left" in out.getvalue()


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "loading"),
        (WEIGHTS, "loading 45 %"),
        (WEIGHTS | {"eta": 2.2}, "loading 45 % (3 s left)"),
        (
            {"state": "loading", "phase": "context", "fraction": 0.0, "eta": 90.0},
            "loading (1m30s left)",
        ),
        ({"state": "backoff", "retry_in": 3.1}, "backoff (retry in 4 s)"),
        ({"state": "failed", "retry_in": 61.0}, "failed (retry in 1m1s)"),
    ],
)
def test_kronk_ps_says_how_far_a_load_is(facts: dict[str, Any], state: str) -> None:
    assert cells(STATUS | facts)[2] == state


def test_kronk_ps_says_what_is_pinned_instead_of_when_it_expires() -> None:
    assert "pinned" in cells(STATUS | {"state": "ready", "pinned": True})
