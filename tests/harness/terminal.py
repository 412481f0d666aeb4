"""A program at a terminal of its own, as a person uses it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType

from .server import environment
from .waiting import PATIENCE, wait_until

# Ctrl-C is a signal only for the session whose terminal it is: the first one its leader opens.
_TAKE_TERMINAL = """
import os, signal, sys
# Whoever runs the tests in the background may have them ignore it.
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execv(sys.argv[1], sys.argv[1:])
"""
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """Runs `command`; `type` to it, and `wait_for` what it shows."""

    def __init__(self, command: Sequence[str], mark: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _TAKE_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(mark) | {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "200"},
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """All that was shown so far, without colours and cursor movements."""
        while select.select([self._ours], [], [], 0)[0]:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                # Its last process has closed it.
                break
            self._shown += data.decode(errors="replace")
        return _ESCAPES.sub("", self._shown)

    def wait_for(self, text: str) -> None:
        """Until it shows `text` after all that was waited for before; what is before is gone."""
        wait_until(lambda: text in self.shown, lambda: f"{text!r} in {self.shown!r}")
        self._shown = self.shown.partition(text)[2]

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())
