"""What the supervisor runs as its children."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kronk.shared.settings import Settings, to_environment

Role = Literal["gateway", "worker"]

# -P: a folder with a `kronk` or `msgpack.py` in it must not win over what is installed.
_PYTHON = (sys.executable, "-P", "-m")

# Read by libgomp and ggml when they are loaded; an operator's own values stand.
_FOR_LLAMA = {"OMP_WAIT_POLICY": "passive", "GGML_NO_BACKTRACE": "1"}


@dataclass(frozen=True, slots=True)
class Commands:
    """The command line of each role; tests put scripted processes in their place."""

    gateway: tuple[str, ...] = (*_PYTHON, "kronk.gateway.main")
    worker: tuple[str, ...] = (*_PYTHON, "kronk.worker.main")

    def of(self, role: Role) -> tuple[str, ...]:
        return self.gateway if role == "gateway" else self.worker


def environment(role: Role, settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """What a child sees: the settings in force, whichever flag or variable they came from."""
    defaults = _FOR_LLAMA if role == "worker" else {}
    return {**defaults, **inherited, **to_environment(settings)}
