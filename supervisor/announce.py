"""What a service manager is to be told, and when the watchdog is fed; decided without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# `draining` lets running answers end; `stopping` ends the processes.
Phase = Literal["starting", "running", "reloading", "draining", "stopping"]

# In these phases the manager's own limits apply, and ours are the better ones: it is told again and
# again that we are still at it.
_LIMITED = frozenset({"starting", "draining", "stopping"})
# For so long the manager waits for the next word; ours comes each second.
EXTEND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Situation:
    """How the server is doing."""

    phase: Phase
    # Whether there is a gateway that has reported.
    is_served: bool = True
    loaded: int = 0
    # Requests at the models.
    running: int = 0


def status(now: Situation) -> str:
    """The line of `systemctl status`."""
    match now.phase:
        case "starting":
            return "Starting"
        case "reloading":
            return "Reading the configuration again"
        case "draining":
            return f"Stopping: waiting for {_count(now.running, 'running request')}"
        case "stopping":
            return "Stopping"
    line = f"{_count(now.loaded, 'model')} loaded, {_count(now.running, 'request')} running"
    return line if now.is_served else f"The gateway is being started again; {line}"


def lines(before: Situation | None, now: Situation, monotonic_usec: int) -> list[str]:
    """What to send for a change of the situation, empty for none."""
    said = []
    was = before.phase if before is not None else None
    if now.phase != was:
        said += _transition(was, now.phase, monotonic_usec)
    if before is None or status(now) != status(before):
        said.append(f"STATUS={status(now)}")
    return said


def extension(now: Situation) -> list[str]:
    """What to send once a second while the manager might lose its patience."""
    if now.phase not in _LIMITED:
        return []
    return [f"EXTEND_TIMEOUT_USEC={round(EXTEND_SECONDS * 1e6)}"]


def _transition(was: Phase | None, phase: Phase, monotonic_usec: int) -> list[str]:
    match phase:
        case "running":
            # After a reload this ends the reload.
            return ["READY=1"]
        case "reloading":
            return ["RELOADING=1", f"MONOTONIC_USEC={monotonic_usec}"]
        case "draining" | "stopping" if was not in ("draining", "stopping"):
            return ["STOPPING=1"]
    return []


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class Watchdog:
    """When the manager's watchdog is to be fed.

    That is done only on proof that requests have a chance: the gateway's loop beats, once a second,
    through the control plane, and this process's loop hears it. While there is no gateway nobody
    can beat; the supervisor is at work to have one, and feeds by itself. A gateway that is there
    and hangs keeps it from feeding.
    """

    def __init__(self, limit: float | None) -> None:
        # Half of what is allowed, as sd_watchdog_enabled(3) advises; None: nobody watches.
        self._interval = None if limit is None else limit / 2
        self._fed = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether to feed it, if there is the proof."""
        return self._interval is not None and now >= self._fed + self._interval

    def fed(self, now: float) -> None:
        self._fed = now
