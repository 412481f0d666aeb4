"""What a benchmark is at, and how it is told to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from kronk.shared.benchmark.run import Step

from .progress import waiting


class Interrupts:
    """Ctrl-C asks for an end, the second one is the end."""

    def __init__(self) -> None:
        self._count = 0
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def seen(self) -> bool:
        """Whether there was one."""
        return self._count > 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 1:
            raise KeyboardInterrupt


@contextmanager
def showing() -> Iterator[Callable[[Step], None]]:
    """Where steps are shown: on stderr, as one line that changes or as a line for each cell."""
    is_terminal = sys.stderr.isatty()
    with waiting("Looking for the model") as say:
        yield lambda step: say(words(step, with_count=is_terminal))


def words(step: Step, *, with_count: bool) -> str:
    """One line."""
    if step.cell is None:
        what = "Loading the model" if step.phase == "loading" else "Making prompts"
        return f"{what}, which is not measured ({step.target})"
    streams = f"{step.cell.concurrency} at once"
    count = f" (round {step.done + 1} of {step.total})" if with_count else ""
    return f"Measuring prompts of {step.cell.prompt_tokens} tokens, {streams}{count}"
