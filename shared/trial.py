"""Things that may end the process that tries them, tried in a child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

# Seconds.
_ENOUGH = 180.0


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


def run(*arguments: str) -> Ended:
    """Python with these arguments; `facts` is the JSON object on the last line it printed."""
    # Otherwise an assert in ggml forks a debugger.
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
    try:
        facts = json.loads((out.strip().splitlines() or [""])[-1])
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
