"""Which process is meant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kronk.shared import stacks
from kronk.shared.child import Birth
from kronk.shared.errors import NotFound, Timeout
from kronk.shared.wire.to_gateway import Status

from .link import DebugLink

# A supervisor that does not say it by then hangs: what it said last has to do.
_STATUS_SECONDS = 1.0
SUPERVISOR = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A process of ours."""

    # Of a worker, its model.
    name: str
    role: str
    # None while a host has not said it.
    pid: int | None
    # None where it has none: policies and jobs.
    generation: int | None
    # Where it runs, if not on this machine.
    host: str | None = None


class Targets:
    """Finds them, with the supervisor's help and without."""

    def __init__(self, birth: Birth, pid: int, folder: Path, link: DebugLink) -> None:
        self._own = Target("gateway", "gateway", pid, birth.generation)
        self.supervisor = Target("supervisor", "supervisor", birth.parent, SUPERVISOR)
        self._folder = folder
        self._link = link
        # What the supervisor has said last.
        self.last: Status | None = None

    async def all(self) -> list[Target]:
        """All that are known now, those of every server first."""
        status = await self.status()
        return _merged(self._own, self.supervisor, status, stacks.offering(self._folder))

    async def status(self) -> Status | None:
        """What the supervisor says, or what it said last if it does not answer."""
        with contextlib.suppress(Timeout):
            self.last = await self._link.status(_STATUS_SECONDS)
        return self.last

    async def find(self, name: str) -> Target:
        """The process of that role, model or pid; `NotFound` says which there are."""
        if name == self._own.name:
            return self._own
        if name == self.supervisor.name:
            return self.supervisor
        return chosen(name, await self.all())


def chosen(name: str, targets: Iterable[Target]) -> Target:
    """The one that is called so, or has that pid."""
    known = list(targets)
    for one in known:
        if name == one.name or (name.isdecimal() and one.host is None and int(name) == one.pid):
            return one
    names = ", ".join(f"{one.name} ({one.pid})" for one in known)
    raise NotFound(
        f"there is no process {name!r} of this server; there are {names}", param="process"
    )


def _merged(
    own: Target, supervisor: Target, status: Status | None, pids: list[int]
) -> list[Target]:
    found = [own, supervisor]
    if status is not None:
        found += [
            Target(row.role, row.role, row.pid, row.generation)
            for row in status.processes
            if row.role not in ("gateway", "supervisor")
        ]
        found += [
            Target(row.model, "worker", row.pid, row.generation, row.host)
            for row in status.models
            if row.generation is not None
        ]
    seen = {one.pid for one in found if one.host is None}
    for pid in pids:
        if pid not in seen:
            role = stacks.role_of(pid)
            found.append(Target(role, role, pid, None))
    return found
