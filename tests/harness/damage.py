"""What every fault must leave unharmed, checked around the test that causes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from . import proc
from .counting_model import counted
from .server import Server
from .waiting import wait_until


@contextlib.contextmanager
def unharmed(server: Server, *models: str) -> Iterator[None]:
    """After the block the server still serves all these models, and nothing has leaked.

    The models are loaded before it, so that the same processes exist before and after: the
    descriptors of supervisor and gateway must come back to what they were.
    """
    serves(server, *models)
    server.settle()
    before = held(server)
    yield
    serves(server, *models)
    server.settle()
    assert proc.zombies(server.pid) == []
    wait_until(
        lambda: all(count <= before[role] for role, count in held(server).items()),
        lambda: f"descriptors as before: {before}, now {held(server)}",
    )


def serves(server: Server, *models: str) -> None:
    """Every one of these counting models answers, and rightly."""
    for model in models:
        assert server.text(model, "from 7", max_tokens=3) == counted(7, 3)


def held(server: Server) -> dict[str, int]:
    """Descriptors of the two processes that live as long as the server."""
    gateway = server.role_pid("gateway")
    assert gateway is not None
    return {"supervisor": proc.open_files(server.pid), "gateway": proc.open_files(gateway)}


def pid_of(server: Server, model: str) -> int:
    row = server.row(model)
    assert row is not None
    assert isinstance(row["pid"], int), row
    return row["pid"]


def assert_crashed(error: dict[str, Any] | None, cause: str) -> None:
    """The typed error of a request whose worker died."""
    assert error is not None, "no error event"
    assert (error["code"], error["type"], error["param"]) == ("model_crashed", "server_error", None)
    assert cause in error["message"]
