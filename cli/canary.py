"""Whether llama.cpp works here, tried in child processes: a bad build ends them and not us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

_ENOUGH = 180.0
_IMPORT = "import llama_cpp; print(llama_cpp.__version__)"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended; `signal` is set when one killed it."""

    code: int | None
    out: str
    err: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def signal(self) -> str | None:
        if self.code is None or self.code >= 0:
            return None
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def cause(self) -> str:
        """Why it did not work, in words."""
        if self.code is None:
            return f"no result within {_ENOUGH:.0f} s"
        if self.signal:
            return f"killed by {self.signal}"
        said = str(self.facts.get("error") or "") or (self.err.strip().splitlines() or [""])[-1]
        return said or f"exit code {self.code}"


def import_library() -> Ended:
    """Load llama.cpp's Python binding."""
    return _run("-c", _IMPORT)


def tiny_decode(*, extra_buffers: bool) -> Ended:
    """Load a tiny model and decode a few tokens; `facts` is what the child reports."""
    return _run("-m", "kronk.worker.canary", *([] if extra_buffers else ["--no-extra-buffers"]))


def probe() -> Ended:
    """What a confined process here cannot do; `facts` is what it found."""
    return _run("-m", "kronk.worker.sandbox.probe")


def _run(*arguments: str) -> Ended:
    # Otherwise an assert in ggml forks a debugger; the canary sets the rest itself.
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ENOUGH,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", "")
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return Ended(done.returncode, out, err, _facts(out))


def _facts(out: str) -> dict[str, Any]:
    """The JSON object on the last line, if there is one."""
    try:
        facts = json.loads((out.strip().splitlines() or [""])[-1])
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
