"""The real supervisor over the scripted gateway and worker of this folder.

Arguments go to the gateway, or with `worker:` before them to the worker.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kronk.shared import settings
from kronk.shared.errors import NotFound
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import LoadSpec
from kronk.supervisor import main
from kronk.supervisor.commands import Commands

FOLDER = Path(__file__).parent


def resolve(*arguments: object) -> LoadSpec:
    name = str(arguments[-1])
    if name == "nope":
        raise NotFound("no such model: nope", param="model")
    return load_spec(name, Path("/x"), ModelConfig())


if __name__ == "__main__":
    main.resolve_model = resolve
    gateway = [word for word in sys.argv[1:] if not word.startswith("worker:")]
    worker = [word.removeprefix("worker:") for word in sys.argv[1:] if word not in gateway]
    commands = Commands(
        gateway=(sys.executable, "-P", str(FOLDER / "gateway.py"), *gateway),
        worker=(sys.executable, "-P", str(FOLDER / "worker.py"), *worker),
    )
    settings_in_force = settings.from_environment()
    try:
        main.serve(settings_in_force, commands)
    except main.CannotStart as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.code)
