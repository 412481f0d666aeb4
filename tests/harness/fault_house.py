"""A real server whose workers are the scripted engine, or the real one, to do damage to."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml

from kronk.shared import settings

from . import counting_model
from .server import (
    RUNNING,
    SMALL,
    Config,
    Server,
    environment,
    free_port,
    install,
    wait_until_ready,
)

Engine = Literal["scripted", "real"]

TESTS = Path(__file__).parents[1]
# The model that is under load whatever happens to the others.
BYSTANDER = "Bystander"
# A tenth of a second where the real back-off begins with one, so that a test need not wait for it.
QUICK = {"restart.FIRST_DELAY": 0.1}


def launch(
    base: Path,
    port: int,
    flags: Mapping[str, str],
    limits: Mapping[str, float],
    engine: Engine = "scripted",
) -> Server:
    """A supervisor and a gateway, real both. `flags` are settings by name, `limits` constants of
    the supervisor as `fakes.engine_supervisor` takes them."""
    own = {
        "base_path": str(base),
        "api_host": f"127.0.0.1:{port}",
        "cache_ttl": "0",
        "debug_host": "off",
    }
    values = settings.resolve({**own, **flags}, {})
    mark = uuid.uuid4().hex
    base.mkdir(parents=True, exist_ok=True)
    with (base / "stdout.txt").open("wb") as out, (base / "stderr.txt").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fakes.engine_supervisor"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(mark)
            | settings.to_environment(values)
            | {
                "PYTHONPATH": str(TESTS),
                "HARNESS_LIMITS": json.dumps(dict(limits)),
                "HARNESS_ENGINE": engine,
            },
            cwd="/",
            start_new_session=True,
        )
    return Server(base, port, mark, process)


@contextlib.contextmanager
def fault_house(
    base: Path,
    models: Sequence[str],
    config: Config | None = None,
    flags: Mapping[str, str] | None = None,
    limits: Mapping[str, float] | None = None,
    engine: Engine = "scripted",
) -> Iterator[Server]:
    """A server over scripted workers with these models and the bystander; proved gone at the end.

    Every model is a small GGUF that counts, with real workers about a millisecond a number.
    """
    file = base / "counting.gguf"
    base.mkdir(parents=True, exist_ok=True)
    counting_model.write(file, hidden=2048 if engine == "real" else 64)
    names = [f"{name}.gguf" for name in (*models, BYSTANDER)]
    # Another server may have been here before.
    install(base, {name: file for name in names if not (base / "models" / name).exists()})
    path = write_config(base, (*models, BYSTANDER), config or {})
    own = {"models_in_cache": "40", "model_config_file": str(path)}
    all_limits = QUICK | dict(limits or {})
    server = launch(base, free_port(), {**own, **(flags or {})}, all_limits, engine)
    RUNNING.append(server)
    try:
        wait_until_ready(server)
        yield server
        if server.process.poll() is None:
            code = server.stop()
            assert code == 0, f"exit code {code} after SIGTERM\n{server.last_lines()}"
            server.prove_gone()
    finally:
        RUNNING.remove(server)
        server.clean_up()


def write_config(base: Path, models: Sequence[str], config: Config) -> Path:
    """The model configuration file: `SMALL` unless `config` says otherwise."""
    path = base / "models.yaml"
    rows = {name: dict(SMALL) | dict(config.get(name, {})) for name in models}
    path.write_text(yaml.safe_dump({"models": rows}))
    return path
