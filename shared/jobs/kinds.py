"""What jobs there are. Each kind is a function of the settings and of its parameters.

It runs in a process of its own, which may be killed at any point: what it leaves behind is found by
the next one. SIGTERM raises `Cancelled` in it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import Settings

# Phase (`download`, `verify`, ...), bytes done, bytes in all where known.
Progress = Callable[[str, int, int | None], None]
# JSON in, JSON out. What a user should not get as a traceback is a `KronkError`.
Work = Callable[[Settings, Mapping[str, Any], Progress], dict[str, Any]]


class Cancelled(BaseException):
    """Somebody asked the job to end. Not an `Exception`: nobody may take it for a failure."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row."""

    name: str
    # `module:function`, imported where it runs.
    work: str
    # Of the parameters: two jobs of one kind with the same values in these are one job.
    key: tuple[str, ...]
    # What it does, for lists: `pull {wanted}`.
    title: str

    def function(self) -> Work:
        """The work itself."""
        module, _, name = self.work.partition(":")
        work: Work = getattr(importlib.import_module(module), name)
        return work

    def target(self, params: Mapping[str, Any]) -> str:
        """What the job is about: one at a time for each."""
        return ":".join((self.name, *(str(params.get(key)) for key in self.key)))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (Kind("pull", "kronk.shared.models.pull_job:run", ("wanted",), "pull {wanted}"),)
}


def kind_of(name: str) -> Kind:
    """The row of that name."""
    if name not in KINDS:
        raise InvalidArgument(
            f"kind: expected one of {', '.join(KINDS)}, got {name!r}", param="kind"
        )
    return KINDS[name]
