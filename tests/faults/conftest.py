"""Servers with models to spare: each test harms its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import matrix
from harness.fault_house import fault_house
from harness.server import SMALL, Server, running_server

VICTIMS = (
    "Killed",
    "Segfaulted",
    "Aborted",
    "Timed",
    "Terminated",
    "Crowded",
    "Repeated",
    "Chatting",
)

# Of the scripted engine. A model that crashes five times in ten minutes is held back, so no test
# uses that of another.
SCRIPTED = (
    *("Idle", "Reading", "Talking", "Leaving", "Waiting", "Poisoned", "Paused", "Held", "Parent"),
    *("Once", "Crashing", "Never", "Unallocatable", "Hoarding", "Slowly", "Deaf", "First"),
    *("Framed", "Flooded", "Misread", "Cut", "Crowd", "Reader", "Front", "Slowly-Front", "Leaking"),
    *("Bounded", "Files", "Brief"),
)


@pytest.fixture(scope="session", autouse=True)
def reported_figures(
    record_testsuite_property: Callable[[str, object], None],
) -> Iterator[None]:
    """What faults measured stands in pytest's own report, too."""
    matrix.REPORT.append(record_testsuite_property)
    yield
    matrix.REPORT.clear()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, slow: Path) -> Iterator[Server]:
    """Real workers; a request dies with its worker."""
    names = (*VICTIMS, "Bystander")
    config = {name: SMALL | {"context_window": 8192} for name in names}
    files = {f"{name}.gguf": slow for name in names}
    base = tmp_path_factory.mktemp("town")
    flags = ("--cache-ttl=0", "--models-in-cache=11", "--resume=false")
    with running_server(base, files, config, *flags) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Real supervisor and gateway over scripted workers; a request dies with its worker."""
    base = tmp_path_factory.mktemp("lab")
    config = {
        "Crowd": {"n_seq_max": 4, "queue_depth": 300},
        "First": {"queue_depth": 20},
        "Front": {"queue_depth": 10},
    }
    with fault_house(base, SCRIPTED, config, {"resume": "false"}) as server:
        yield server


@pytest.fixture(scope="session")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same with the settings users have: requests survive their workers."""
    models = (
        "Again",
        "Unread",
        "Queued",
        "Poisoned",
        "Both",
        "Dying-0",
        "Dying-1",
        "Dying-70",
        "Emptied",
        "Slowly-Emptied",
    )
    with fault_house(tmp_path_factory.mktemp("mill"), models) as server:
        yield server


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same as `lab` with limits of three seconds for signs of life."""
    models = ("Hung", "Looping", "Never", "Frozen", "Held", "Still")
    flags = {"resume": "false", "stuck_after": "3s"}
    with fault_house(tmp_path_factory.mktemp("short"), models, flags=flags) as server:
        yield server
