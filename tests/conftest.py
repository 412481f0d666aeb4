"""Models and servers that tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from harness import counting_model
from harness.server import RUNNING, SMALL, Server, kronk, running_server

# The same examples each time: what fails in one run fails in all. KRONK_RANDOM=1 looks further.
settings.register_profile("fixed", derandomize=True, deadline=None)
if "KRONK_RANDOM" not in os.environ:
    settings.load_profile("fixed")

MODELS = Path(__file__).parent / "models"
STARTER = "SmolLM2-135M-Instruct.Q4_1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "starter: needs the starter model, 98 MB, fetched once")


def pytest_xdist_auto_num_workers() -> int:
    """How many processes run tests: each of them has servers and models of its own, and waits for
    those half of the time."""
    return min((os.cpu_count() or 1) + 1, 8)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows with a failed test what its server said last."""
    report = yield
    if report.failed and RUNNING:
        # The newest is the test's own, if it has one.
        report.sections.append(("the server's log", RUNNING[-1].last_lines()))
    return report


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A trained model of 3.5 million parameters."""
    return MODELS / "tiny-chat-q8_0.gguf"


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that counts for ever, about half a millisecond a number."""
    path = tmp_path_factory.mktemp("models") / "counting.gguf"
    counting_model.write(path)
    return path


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at some 5 ms a number, 20 with several streams: time to do things to it."""
    path = tmp_path_factory.mktemp("models") / "slow.gguf"
    counting_model.write(path, hidden=16384)
    return path


@pytest.fixture(scope="session")
def starter() -> Path:
    """The starter model: from the user's own models, or fetched once into a cache."""
    own = Path("~/.kronk/models").expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "kronk-tests"
    for folder in (own, cache / "models"):
        if found := next(folder.rglob(f"{STARTER}.gguf"), None):
            return found
    done = kronk("catalog", "pull", STARTER, "--local", f"--base-path={cache}")
    assert done.returncode == 0, done.stderr
    return next((cache / "models").rglob(f"{STARTER}.gguf"))


@pytest.fixture(scope="session")
def house(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, counting: Path, slow: Path
) -> Iterator[Server]:
    """One server for all tests that leave it as it was: nothing expires, nothing makes room."""
    files = {
        "test/tiny/Tiny.gguf": tiny,
        "test/tiny/Pair.gguf": tiny,
        "test/tiny/Count.gguf": counting,
        "test/tiny/Slow.gguf": slow,
        "test/tiny/Long.gguf": counting,
        "north/twins/Twin.gguf": counting,
        "south/twins/Twin.gguf": counting,
    }
    config: dict[str, dict[str, Any]] = {
        "Tiny/FAST": SMALL | {"context_window": 512, "n_seq_max": 2},
        "Pair": SMALL | {"n_seq_max": 2, "queue_depth": 10},
        "Slow": SMALL | {"context_window": 8192},
        "Slow/NARROW": SMALL
        | {"context_window": 8192, "n_seq_max": 1, "queue_depth": 1, "queue_timeout": "3s"},
        "Long": SMALL | {"context_window": 8192, "n_seq_max": 2},
    }
    base = tmp_path_factory.mktemp("house")
    with running_server(base, files, config, "--cache-ttl=0", "--models-in-cache=9") as server:
        yield server
        # All of it was in a day's work, the refusals too.
        assert server.alarms() == []


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers of the test's own: `start_server(files, config, *flags)`."""
    with ExitStack() as servers:

        def start(*arguments: Any) -> Server:
            base = tmp_path_factory.mktemp("own")
            return servers.enter_context(running_server(base, *arguments))

        yield start
