"""What the processes of each model said, in files of their own: all of llama.cpp's lines, what was
written past our logging, and stacks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kronk.shared.log import harmless
from kronk.shared.paths import BasePath

from .log_sink import Output, RotatedFile

# For each model, and for how many.
FILE_BYTES = 2_000_000
FILES_KEPT = 2
MOST_MODELS = 50
# Descriptors.
_MOST_OPEN = 8
# Said of each line anyway, or of the file.
_LEFT_OUT = frozenset(
    {"timestamp", "level", "event", "process", "pid", "model", "generation", "exception", "quiet"}
)


class ModelLogs:
    """Written on a thread of its own, as the server's log is. `confess` gets a line of JSON where
    lines were lost."""

    def __init__(self, base: BasePath, confess: Callable[[str], None]) -> None:
        self._base = base
        # The thread's own, open while there is something to write: the one written last stands
        # last.
        self._files: OrderedDict[str, RotatedFile] = OrderedDict()
        self._output: Output[tuple[str, str]] = Output(
            "models", self._write, confess, self._close_all
        )

    def put(self, model: str, text: str) -> None:
        """One or several lines that a process of that model said. Never blocks."""
        self._output.put((model, text))

    def close(self) -> None:
        """Write what is buffered, for a bounded time."""
        self._output.close()

    # On the thread.

    def _write(self, item: tuple[str, str]) -> None:
        model, text = item
        file = self._files.pop(model, None) or self._open(model)
        self._files[model] = file
        file.write(text)

    def _close_all(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def _open(self, model: str) -> RotatedFile:
        while len(self._files) >= _MOST_OPEN:
            _, oldest = self._files.popitem(last=False)
            oldest.close()
        path = self._base.model_log(model)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            self._make_room(path.parent)
        return RotatedFile(path, FILE_BYTES, FILES_KEPT)

    def _make_room(self, folder: Path) -> None:
        """Forget the models that have said nothing for longest."""
        logs = sorted(folder.glob("*.log"), key=_last_change)
        for log in logs[: max(len(logs) - MOST_MODELS + 1, 0)]:
            for path in (log, *(Path(f"{log}.{n}") for n in range(1, FILES_KEPT))):
                if not path.is_dir():
                    path.unlink(missing_ok=True)


def as_text(generation: int, at: str, record: Mapping[str, Any]) -> str:
    """A record in the form that these files have; a traceback stands below it."""
    level, exception = str(record.get("level", "-")), record.get("exception")
    words = [f"{at} {generation} {level:<7} {record['event']}"]
    words += [f"{key}={value}" for key, value in record.items() if key not in _LEFT_OUT]
    text = " ".join(words)
    return harmless(text if exception is None else f"{text}\n{exception}")


def as_written(generation: int, at: str, text: str) -> str:
    """The same for what is no record."""
    return harmless(f"{at} {generation} -       {text}")


def _last_change(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
