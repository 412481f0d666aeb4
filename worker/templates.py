"""`python -m kronk.worker.templates`: tries chat templates for the rest of Kronk.

A template is a stranger's program. Started by `shared.templates.reader`, this process is confined
as workers are, reads one line of JSON, answers with one, and ends.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from kronk.shared.settings import resolve

from . import template_check
from .sandbox import policy
from .sandbox.confine import Sandbox

_MEMORY = 2**30
_SECONDS = 10


def main() -> None:
    """Answer the one question."""
    if resolve({}, os.environ).sandbox:
        Sandbox().enter(policy.of_messages())
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    question = json.loads(sys.stdin.buffer.read())
    answers = {name: answer(source, question) for name, source in question["sources"].items()}
    sys.stdout.write(json.dumps(answers))


def answer(source: str, question: dict[str, Any]) -> dict[str, Any]:
    """Of one template."""
    if question["only_faults"]:
        return {"fault": template_check.fault(source)}
    return template_check.check(source, question["special"])


if __name__ == "__main__":
    main()
