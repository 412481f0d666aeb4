"""`python -m kronk.worker.headers`: reads the headers of model files for the rest of Kronk.

Started by `shared.models.header_reader`, which opens the files: each request is a line of JSON on
the socket that is our stdin, with the open file beside it, and each answer a line. This process
can open no file of anybody's, and imports little, because somebody waits for it to start.
"""

from __future__ import annotations

import json
import os
import resource
import socket
from dataclasses import replace
from typing import Any

from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import resolve

from . import gguf_file
from .sandbox import policy
from .sandbox.confine import Sandbox

# The largest header that is allowed, twice, and Python.
_MEMORY = 2 * 2**30
# Processor time of one file, in seconds; a vocabulary of 300,000 takes a tenth of one.
_SECONDS = 10
_LONGEST_REQUEST = 65_536
# Longer texts are only counted; chat templates have some 10,000 characters.
_LONGEST_TEXT = 2**20


def main() -> None:
    """Answer until the other end is closed."""
    asked = socket.socket(fileno=0)
    if resolve({}, os.environ).sandbox:
        Sandbox().enter(policy.of_messages())
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while True:
        line, files, _, _ = socket.recv_fds(asked, _LONGEST_REQUEST, 1)
        if not line:
            return
        _limit_time()
        question = json.loads(line)
        name, size = str(question["name"]), question.get("size")
        asked.sendall(_line(_answer(name, files[0], size), name))


def _limit_time() -> None:
    """The limit counts from the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + _SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answer(name: str, handle: int, size: int | None) -> dict[str, Any]:
    """`size`: of a file of which only the first bytes are there."""
    try:
        with os.fdopen(handle, "rb") as file:
            if size is None:
                header = gguf_file.parse(file, os.fstat(handle).st_size, name)
                header = replace(header, special=gguf_file.special_texts(file, header, name))
            else:
                header = gguf_file.parse_start(file, size, name)
    except gguf_file.GoesOn as end:
        return {"needs": end.needs}
    except InvalidArgument as error:
        return {"fault": error.message}
    except OSError as error:
        return {"fault": f"{name}: cannot be read: {error.strerror}"}
    except MemoryError:
        return {"fault": f"{name}: its header takes more than {_MEMORY} bytes of memory"}
    return {"header": gguf.to_json(_shortened(header))}


def _line(answer: dict[str, Any], name: str) -> bytes:
    line = json.dumps(answer).encode()
    if len(line) > gguf.LONGEST_JSON:
        line = json.dumps({"fault": f"{name}: its header is too long to be told"}).encode()
    return line + b"\n"


def _shortened(header: gguf.Header) -> gguf.Header:
    for key, value in header.metadata.items():
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            header.metadata[key] = gguf.Counted("character", len(value))
    return header


if __name__ == "__main__":
    main()
