"""What the supervisor runs as its children."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kronk.shared.settings import Settings, to_environment, without_secrets

from .notify import for_children

Role = Literal["gateway", "worker"]

# -P: a folder with a `kronk` or `msgpack.py` in it must not win over what is installed.
_PYTHON = (sys.executable, "-P", "-m")


@dataclass(frozen=True, slots=True)
class Commands:
    """The command line of each role; tests put scripted processes in their place."""

    gateway: tuple[str, ...] = (*_PYTHON, "kronk.gateway")
    worker: tuple[str, ...] = (*_PYTHON, "kronk.worker")

    def of(self, role: Role) -> tuple[str, ...]:
        return self.gateway if role == "gateway" else self.worker


def environment(settings: Settings, inherited: Mapping[str, str], role: Role) -> dict[str, str]:
    """What a child sees: the settings in force, whichever flag or variable they came from. A worker
    reads files of strangers, and gets no secret."""
    trusted = role == "gateway"
    own = to_environment(settings, secrets=trusted)
    return {**without_secrets(for_children(inherited)), **own}
