"""`python -m kronk.gateway.access.policy.check FOLDER`: try policies before a server uses them.

Prints one JSON object: `error` (None, or why a server would not start with them), `policy` (the
digest that logs show), `files`, `asked` (how many questions), and `differs`: where they decide
otherwise than those that Kronk comes with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument

from .decision import Decision, read_result
from .embedded import tried
from .engine import Engine
from .folder import read_folder, shipped
from .question import Question
from .samples import samples


def checked(folder: Path) -> dict[str, Any]:
    """What the module prints."""
    report: dict[str, Any] = {"error": None, "policy": None, "files": [], "asked": 0, "differs": []}
    try:
        files = read_folder(folder)
        own, ours = tried(files), tried(shipped())
    except InvalidArgument as error:
        return report | {"error": error.message}
    asked = list(samples())
    pairs = (
        (caller, question, _ask(ours, question), _ask(own, question)) for caller, question in asked
    )
    return report | {
        "policy": files.digest,
        "files": sorted((*files.modules, *files.data)),
        "asked": len(asked),
        "differs": [
            _difference(caller.name, question, one, two)
            for caller, question, one, two in pairs
            if (one.allow, one.reason) != (two.allow, two.reason)
        ],
    }


def _ask(engine: Engine, question: Question) -> Decision:
    return read_result(engine.result(question.to_input()), "")


def _difference(caller: str, question: Question, ours: Decision, own: Decision) -> dict[str, Any]:
    access = question.gate.access
    return {
        "mode": question.mode,
        "class": access.kind,
        "endpoint": access.endpoint,
        "caller": caller,
        "shipped": {"allow": ours.allow, "reason": ours.reason},
        "folder": {"allow": own.allow, "reason": own.reason},
    }


if __name__ == "__main__":
    print(json.dumps(checked(Path(sys.argv[1]))))
