"""Has chat templates tried in a confined process, which ends with the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import without_secrets

COMMAND = (sys.executable, "-P", "-m", "kronk.worker.templates")
# Templates have some 10,000 characters.
LONGEST_TEMPLATE = 2**20
_ANSWER_WITHIN = 30.0
_LONGEST_ANSWER = 64 * 2**20

# One at a time: each may take a processor and a gigabyte.
_only_one = threading.Lock()


def check(source: str, special: Mapping[str, str]) -> dict[str, Any]:
    """JSON: `fault` (None, or what is wrong with the text), `cases` (usual conversations, what
    became of each) and `notes`. `special` is how special tokens are written.

    `InvalidArgument` for a text that cannot be tried: it takes too long, or all memory.
    """
    question = {"sources": {"": source}, "special": dict(special), "only_faults": False}
    (answer,) = _ask(question).values()
    return dict(answer)


def faults(sources: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What is wrong with the texts that are no templates, by their names."""
    answers = _ask({"sources": dict(sources), "special": {}, "only_faults": True})
    return {name: one["fault"] for name, one in answers.items() if one["fault"] is not None}


def _ask(question: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for source in question["sources"].values():
        if len(source) > LONGEST_TEMPLATE:
            raise InvalidArgument(f"a template of more than {LONGEST_TEMPLATE} characters")
    with _only_one, tempfile.TemporaryFile() as asking:
        asking.write(json.dumps(question).encode())
        asking.seek(0)
        text, code = _run(asking.fileno())
    try:
        answers = json.loads(text) if code == 0 else None
    except ValueError:
        answers = None
    if not isinstance(answers, dict) or answers.keys() != question["sources"].keys():
        raise InvalidArgument(
            "the process that tried the template ended without an answer"
            f" ({_ended(code)}); it takes too long, or too much memory"
        )
    return answers


def _run(asking: int) -> tuple[bytes, int]:
    with subprocess.Popen(
        COMMAND,
        stdin=asking,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=without_secrets(os.environ),
    ) as process:
        assert process.stdout is not None
        watch = threading.Timer(_ANSWER_WITHIN, process.kill)
        watch.daemon = True
        watch.start()
        try:
            text = process.stdout.read(_LONGEST_ANSWER)
        finally:
            watch.cancel()
            if process.poll() is None and process.stdout.read(1):
                process.kill()
    return text, process.returncode


def _ended(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
