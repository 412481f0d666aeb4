"""Puts a worker into its sandbox, step by step, and keeps account of what is in force.

A kernel that lacks one of the measures is no reason not to serve: the others hold, the log says
which are missing, and `kronk doctor` too.
"""

from __future__ import annotations

import platform
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from kronk.shared.confinement import (
    NO_CAPABILITIES,
    NO_CORES,
    NO_NETWORK,
    NO_NEW_PRIVILEGES,
    NO_PROGRAMS,
    OWN_FILES,
)
from kronk.shared.wire.loading import LoadSpec

from . import filter, kernel, policy
from .landlock import Layer

# A layer more for threads that only carry messages.
APART = "messages apart"

# Far more than a model in a thousand shards and its sockets take.
_OPEN_FILES = 4096

T = TypeVar("T")


class Sandbox:
    """One process's. To be entered by its first thread before there is another one.

    `measures` are in force, `missing` could not be had, each with the reason. The process stays
    dumpable: otherwise its files in /proc, which its supervisor reads, would belong to root.
    """

    def __init__(self) -> None:
        self.measures: list[str] = []
        self.missing: dict[str, str] = {}
        self._is_remote = False

    def enter(self, layer: Layer, *, is_remote: bool = False) -> None:
        """Give up what no worker needs, and all files but the layer's. A remote one dials in by
        TCP, which it may go on using."""
        self._is_remote = is_remote
        # With its capabilities root may still raise this one.
        _unlimit(resource.RLIMIT_MEMLOCK)
        self._take(NO_NEW_PRIVILEGES, kernel.no_new_privileges)
        self._take(NO_CAPABILITIES, kernel.drop_capabilities)
        self._take(NO_CORES, _limit)
        self._take(NO_PROGRAMS, self._filter)
        if NO_PROGRAMS in self.measures and not is_remote:
            self.measures.append(NO_NETWORK)
        self._try(OWN_FILES, lambda: self._restrict(layer))

    def apart(self, make: Callable[[], T]) -> T:
        """What `make` returns, run in a thread that may read no model, and whose threads may not.

        For those that only carry messages: a layer of Landlock holds for one thread and those that
        it starts, and `narrow` must not leave out any that there are by then.
        """

        def run() -> T:
            if self._has_layers:
                self._try(APART, lambda: self._restrict(policy.of_messages()))
            return make()

        with ThreadPoolExecutor(1, "apart") as pool:
            return pool.submit(run).result()

    def narrow(self, spec: LoadSpec) -> None:
        """Give up all files but those of this load, in this thread and in those it will start."""
        if not self._has_layers:
            return
        if spec.cache.directory is not None:
            make_private(Path(spec.cache.directory))
        if self._try(OWN_FILES, lambda: self._restrict(policy.of_load(spec))) and self._is_whole:
            self.measures.append(OWN_FILES)

    @property
    def _has_layers(self) -> bool:
        return NO_NEW_PRIVILEGES in self.measures and OWN_FILES not in self.missing

    @property
    def _is_whole(self) -> bool:
        """No thread has been left with more than the others."""
        return APART not in self.missing

    def _restrict(self, layer: Layer) -> None:
        kernel.restrict(layer, connects=self._is_remote)

    def _filter(self) -> None:
        machine = filter.MACHINES.get(platform.machine())
        if machine is None:
            raise OSError(0, f"not built for {platform.machine()}")
        families = filter.REMOTE if self._is_remote else filter.LOCAL
        kernel.filter_calls(machine.seccomp, filter.program(machine, families))

    def _take(self, measure: str, act: Callable[[], None]) -> None:
        if self._try(measure, act):
            self.measures.append(measure)

    def _try(self, measure: str, act: Callable[[], None]) -> bool:
        try:
            act()
        except OSError as error:
            self.missing[measure] = error.strerror or str(error)
            return False
        return True


def _limit() -> None:
    """Not the number of processes, which counts all that this user has, nor the address space, of
    which GPU drivers reserve terabytes."""
    # Not 0, which does not hold where cores are piped into a program; 1 holds for both.
    _lower(resource.RLIMIT_CORE, 1)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    kept = most if hard == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(limit, (kept, kept))


def _unlimit(limit: int) -> None:
    """As much of it as we may have: capabilities that stand above it are about to go."""
    most = resource.RLIM_INFINITY
    try:
        resource.setrlimit(limit, (most, most))
    except (OSError, ValueError):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (hard, hard))


def make_private(folder: Path) -> None:
    """A folder that is granted has to be there; without it states are not kept, which is said."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return
