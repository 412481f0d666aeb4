"""`python -m kronk.gateway.rego.main`: evaluates policies for the gateway.

The engine is a library of C++, which time zones end with SIGABRT as soon as certain other libraries
are in its process; and a policy may compute for ever. So it has a process of its own, that imports
little. Lines of JSON: the first one has the policies, `{"modules": ..., "data": ...}`, each other
one is the input of a question. Each is answered with a line, `{"result": ...}` or `{"error": why}`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from kronk.shared import stacks

from .evaluator import BadPolicy, NoAnswer, Rego

# Longer than anybody waits for an answer.
_SECONDS = 10


def main() -> None:
    """Answer until the other end is closed."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        # They go to all processes of a terminal or a service; the gateway lets its requests end.
        signal.signal(ignored, signal.SIG_IGN)
    base = os.environ.get("KRONK_BASE_PATH")
    stacks.offer(base and os.path.join(base, "run"), os.getppid())
    stacks.answer()
    first = sys.stdin.readline()
    if not first:
        return
    given = json.loads(first)
    try:
        rego = Rego(given["modules"], given["data"])
    except BadPolicy as error:
        _say({"error": str(error)})
        return
    _say({"result": None})
    for line in sys.stdin:
        # Ends this process, whatever it is at: nobody may be there any more to do it.
        signal.alarm(_SECONDS)
        _say(_answer(rego, json.loads(line)))
        signal.alarm(0)


def _answer(rego: Rego, document: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": rego.result(document)}
    except NoAnswer as error:
        return {"error": str(error)}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
