"""A server with models to spare: each test kills its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import SMALL, Server, running_server

VICTIMS = ("Killed", "Segfaulted", "Aborted", "Terminated", "Crowded", "Repeated", "Chatting")


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, slow: Path) -> Iterator[Server]:
    names = (*VICTIMS, "Bystander")
    config = {name: SMALL | {"context_window": 8192} for name in names}
    files = {f"{name}.gguf": slow for name in names}
    base = tmp_path_factory.mktemp("town")
    with running_server(base, files, config, "--cache-ttl=0", "--models-in-cache=10") as server:
        yield server
