"""The room that an estimate of the server's is compared with."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from kronk.gateway.routes import sizing
from kronk.shared.errors import InvalidArgument
from kronk.shared.sizing.question import Question
from kronk.shared.sizing.room import Room
from kronk.shared.wire.status import Budget, ModelStatus


def row(model: str, size: int, **facts: Any) -> ModelStatus:
    known = dict.fromkeys(
        ("pid", "generation", "rss_bytes", "n_ctx", "idle_seconds", "expires_in", "last_exit")
    )
    counts = dict.fromkeys(
        ("slots_busy", "slots_total", "queued", "active_streams", "tokens_per_second", "restarts"),
        0,
    )
    promised = {"host": size, "gpu0": 10}
    return ModelStatus(
        model=model, state="ready", promised=promised, **{**known, **counts, **facts}
    )


ROWS = [
    row("busy", 100),
    row("idle", 200, idle_seconds=5.0),
    row("pinned", 300, idle_seconds=5.0, pinned=True),
    row("far", 400, idle_seconds=5.0, host="other"),
]
BUDGETS = (Budget("host", 9000, 8000, 600), Budget("gpu0", 900, 800, 30))


@pytest.mark.parametrize(
    ("wanted", "host", "gpu"),
    [
        ("new", (600, 200), (30, 10)),
        # A model that is loaded makes room for itself.
        ("busy", (500, 200), (20, 10)),
        ("idle", (400, 0), (20, 0)),
    ],
)
def test_idle_models_would_make_room_and_others_not(
    wanted: str, host: tuple[int, int], gpu: tuple[int, int]
) -> None:
    async def status(seconds: float) -> Any:
        return SimpleNamespace(models=ROWS, budgets=BUDGETS)

    services: Any = SimpleNamespace(link=SimpleNamespace(status=status))
    found = asyncio.run(sizing.rooms(services, Question(wanted)))
    assert found == [Room("host", 9000, 8000, *host), Room("gpu0", 900, 800, *gpu)]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ('{"projector": "/etc/passwd"}', "config.projector"),
        ('{"draft_model": "../x.gguf"}', "config.draft_model"),
    ],
)
def test_a_request_cannot_name_files(config: str, field: str) -> None:
    body = f'{{"model": "m", "config": {config}}}'.encode()
    for read in (sizing.read_question, sizing.read_tuning):
        with pytest.raises(InvalidArgument) as caught:
            read(body)
        assert caught.value.param == field


def test_no_projector_may_be_asked_for() -> None:
    asked = sizing.read_question(b'{"model": "m", "config": {"projector": "none"}}')
    assert asked.config == {"projector": "none"}
    assert asked.path is None
