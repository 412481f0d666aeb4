"""llama.cpp's log: levels, lines that come in pieces, and what is remembered of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import llama_cpp.llama_cpp as lib
import pytest

from kronk.shared.errors import InsufficientMemory, ModelFailed
from kronk.worker.library import LlamaLog

DEBUG, INFO, WARN, ERROR, CONT = 1, 2, 3, 4, 5


class Heard:
    """A log, and what it forwards."""

    def __init__(self, *, wants_debug: bool) -> None:
        self.lines: list[tuple[str, str]] = []
        self.log = LlamaLog(
            lambda level, line: self.lines.append((level, line)), wants_debug=wants_debug
        )

    def say(self, *pieces: tuple[int, bytes]) -> None:
        """As C does."""
        for level, text in pieces:
            self.log.callback(level, text, None)


# In a process of its own: it would end this one.
FORGOTTEN = """
import gc
import llama_cpp.llama_cpp as lib
from kronk.worker.library import LlamaLog

LlamaLog()
gc.collect()
assert not lib.llama_model_load_from_file(b"/nowhere", lib.llama_model_default_params())
"""


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard(wants_debug=True)
    yield made
    LlamaLog()


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([(INFO, b"loaded\n")], [("info", "loaded")]),
        (
            [(DEBUG, b"a\n"), (WARN, b"b\n"), (ERROR, b"c\n")],
            [("debug", "a"), ("warning", "b"), ("error", "c")],
        ),
        # A level that there is not.
        ([(0, b"none\n"), (9, b"new\n")], [("info", "none"), ("info", "new")]),
        ([(WARN, b"half "), (CONT, b"and half\n")], [("warning", "half and half")]),
        ([(ERROR, b"one\ntwo\n")], [("error", "one"), ("error", "two")]),
        # A continued line ends with the next that begins.
        ([(WARN, b"open"), (INFO, b"next\n")], [("warning", "open"), ("info", "next")]),
        ([(ERROR, b"one\n"), (CONT, b"two\n")], [("error", "one"), ("error", "two")]),
        # Dots of progress, blank lines.
        ([(INFO, b"...."), (CONT, b"..\n"), (INFO, b"\n")], []),
        ([(INFO, b"\xff\n")], [("info", "�")]),
    ],
)
def test_pieces_become_lines_with_levels(
    heard: Heard, pieces: list[tuple[int, bytes]], lines: list[tuple[str, str]]
) -> None:
    heard.say(*pieces)
    assert heard.lines == lines


def test_a_line_without_end_is_cut(heard: Heard) -> None:
    heard.say(*[(CONT, b"x" * 1000)] * 10)
    assert [len(line) for _, line in heard.lines] == [4096] * 2


def test_lines_of_two_threads_do_not_mix(heard: Heard) -> None:
    heard.say((INFO, b"mine "))
    other = threading.Thread(target=lambda: heard.say((WARN, b"theirs "), (CONT, b"too\n")))
    other.start()
    other.join()
    heard.say((CONT, b"all\n"))
    assert heard.lines == [("warning", "theirs too"), ("info", "mine all")]


def test_debug_is_forwarded_to_who_wants_it_only() -> None:
    heard = Heard(wants_debug=False)
    heard.say((DEBUG, b"detail\n"), (CONT, b"more detail\n"), (INFO, b"said\n"))
    assert heard.lines == [("info", "said")]


def test_the_reason_of_a_failure_is_known_also_when_its_line_has_no_end(heard: Heard) -> None:
    heard.say((WARN, b"first\n"), (INFO, b"chatter\n"), (ERROR, b"bad magic"))
    assert heard.log.explain() == "first; bad magic"
    assert isinstance(heard.log.failure("no"), ModelFailed)
    heard.say((ERROR, b"failed to allocate buffer"))
    assert isinstance(heard.log.failure("no"), InsufficientMemory)


def test_a_log_that_nobody_has_any_more_is_still_written_to() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", FORGOTTEN], timeout=120)
    assert done.returncode == 0


def test_the_library_itself_is_heard(heard: Heard) -> None:
    params = lib.llama_model_default_params()
    assert not lib.llama_model_load_from_file(b"/nowhere.gguf", params)
    assert any(level == "error" and "/nowhere.gguf" in line for level, line in heard.lines)
