"""What all threads of a process are at, of a process that hangs too."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from kronk.shared import stacks
from kronk.shared.errors import Conflict

from . import proc, pyspy, tasks
from .errors import NotPermitted
from .link import DebugLink
from .targets import Target

# Another host asks its process, and answers.
_FAR_SECONDS = 5.0
_WHY = {
    "stopped": "it is stopped by a signal and cannot answer",
    "asleep": "it is in uninterruptible sleep in the kernel, where no signal reaches it",
    "silent": "it did not answer the signal",
    "deaf": "it does not answer that signal (it is just starting, or could not open its pipe)",
    "gone": "it has ended",
}
_THREAD = re.compile(r"^((?:Current t|T)hread 0x([0-9a-f]+))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of one process."""

    target: Target
    state: str
    # "signal": told by the process itself. "py-spy": read out of its memory. "" is nothing.
    source: str
    text: str
    # Why it did not tell itself, if it did not.
    silence: str | None
    threads: list[proc.Thread]
    tasks: list[str]


class Inspector:
    """One per debug server; each process is asked by one at a time."""

    def __init__(self, folder: Path, link: DebugLink, main: asyncio.AbstractEventLoop) -> None:
        self._folder = folder
        self._link = link
        self._main = main
        self._busy: set[int] = set()

    async def look(self, target: Target) -> Report:
        """Ask the process, then whoever can read its memory. `Conflict` while somebody does."""
        if target.host is not None:
            return await self._look_far(target)
        pid = target.pid
        if pid is None:
            raise Conflict(f"{target.name} is just being started")
        if pid in self._busy:
            raise Conflict(f"{target.name} is being asked already; try again")
        self._busy.add(pid)
        try:
            return await self._look_near(target, pid)
        finally:
            self._busy.discard(pid)

    async def _look_near(self, target: Target, pid: int) -> Report:
        taken = await asyncio.to_thread(stacks.take, self._folder, pid)
        text, source = taken.text, "signal"
        silence = None if taken.silence is None else _WHY[taken.silence]
        if taken.silence is not None:
            text, source = "", ""
            if taken.silence != "gone":
                text, source = await _from_outside(pid)
        waiting = tasks.described(self._main) if target.role == "gateway" else []
        if target.role == "gateway":
            text = named(text, {one.ident: one.name for one in threading.enumerate()})
        state = proc.state(stacks.state_of(pid))
        return Report(target, state, source, text, silence, proc.threads(pid), waiting)

    async def _look_far(self, target: Target) -> Report:
        assert target.generation is not None
        taken = await self._link.stacks(target.generation, _FAR_SECONDS)
        silence = None if taken.silence is None else _WHY[taken.silence]
        source = "" if taken.silence else "signal"
        return Report(target, f"on {target.host}", source, taken.text, silence, [], [])


async def _from_outside(pid: int) -> tuple[str, str]:
    """The stacks of a process that cannot tell them, and by what they were read; or why not."""
    try:
        return await pyspy.dump(pid), "py-spy"
    except NotPermitted as error:
        return error.message, ""


def named(text: str, names: dict[int | None, str]) -> str:
    """The stacks with the names of those threads that are known."""

    def name(found: re.Match[str]) -> str:
        known = names.get(int(found[2], 16))
        return found[1] + (f" [{known}]" if known else "")

    return _THREAD.sub(name, text)


def text_of(report: Report) -> str:
    """For people."""
    target = report.target
    lines = [f"{target.role} {target.name}, process {target.pid}, {report.state}"]
    if report.silence is not None:
        lines.append(f"It did not tell its stacks: {report.silence}.")
    if report.source == "py-spy":
        lines.append("They were read out of its memory by py-spy.")
    lines += ["", report.text.rstrip() or "no stacks"]
    if report.tasks:
        lines += ["", "Tasks of its event loop", "", *report.tasks]
    if report.threads:
        lines += ["", "Threads, as the kernel sees them", ""]
        lines += [
            f"{one.tid:>8}  {one.name:<16} {one.state:<12} {one.cpu_seconds:>9.2f} s  {one.wchan}"
            for one in report.threads
        ]
    return "\n".join(lines) + "\n"
