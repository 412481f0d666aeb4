"""Log lines: their shape, the relay of a child's stderr, and a sink that never blocks."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from kronk.gateway.middleware import path_for_log
from kronk.shared import log
from kronk.supervisor.log_relay import (
    LONGEST_LINE,
    REMEMBERED_LINES,
    REMEMBERED_STACK_LINES,
    Relay,
)
from kronk.supervisor.log_sink import BUFFERED_LINES, RotatedFile, Sink, Stdout
from kronk.supervisor.log_sink import output as make_output


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a process configured for `info` writes."""
    root, hooks = logging.getLogger(), (threading.excepthook, sys.unraisablehook)
    handlers, written = root.handlers, []
    log.configure("gateway", "info", written.append)
    yield written
    structlog.reset_defaults()
    root.handlers = handlers
    threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)
    log._always.clear()


def test_a_line_is_json_with_time_level_event_process_and_pid(lines: list[str]) -> None:
    structlog.get_logger().info("request", status=200)
    (record,) = map(json.loads, lines)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "info",
        "event": "request",
        "process": "gateway",
        "pid": os.getpid(),
        "status": 200,
    }


def test_bound_context_is_in_each_line(lines: list[str]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().warning("slow")
    assert json.loads(lines[0])["request_id"] == "r1"


def test_what_is_below_the_level_is_not_written(lines: list[str]) -> None:
    structlog.get_logger().debug("detail")
    assert lines == []


def test_a_traceback_stays_within_its_line(lines: list[str]) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines
    assert "\n" not in line
    assert "ValueError: no" in json.loads(line)["exception"]


def test_warnings_of_libraries_come_out_the_same_way(lines: list[str]) -> None:
    logging.getLogger("asyncio").warning("slow %s", "callback")
    logging.getLogger("asyncio").info("chatter")
    (record,) = map(json.loads, lines)
    assert (record["level"], record["event"]) == ("warning", "slow callback")
    assert record["logger"] == "asyncio"


def test_what_a_process_is_stands_in_each_of_its_lines(lines: list[str]) -> None:
    log.always(model="m", generation=3)
    structlog.get_logger().info("ready")
    structlog.get_logger().info("about another", model="n")
    first, second = map(json.loads, lines)
    assert (first["model"], first["generation"]) == ("m", 3)
    assert (second["model"], second["generation"]) == ("n", 3)


def test_tracebacks_have_no_values_of_variables(lines: list[str]) -> None:
    def fail(prompt: str) -> None:
        raise ValueError("no")

    try:
        # Tracebacks do show the line of code.
        fail("terces"[::-1])
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "secret" not in lines[0]


def test_a_warning_of_python_is_one_line_that_says_where(lines: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old\nspelling", DeprecationWarning, stacklevel=1)
    (record,) = map(json.loads, lines)
    assert (record["level"], record["logger"]) == ("warning", "python")
    assert __file__ in record["event"]
    assert "DeprecationWarning: old" in record["event"]


def test_what_a_thread_raises_is_one_line_with_its_name(lines: list[str]) -> None:
    def fail() -> None:
        raise ValueError("no")

    thread = threading.Thread(target=fail, name="engine")
    thread.start()
    thread.join()
    (record,) = map(json.loads, lines)
    assert (record["event"], record["thread"]) == ("a thread failed", "engine")
    assert "ValueError: no" in record["exception"]


def test_what_a_destructor_raises_is_one_line_without_the_object(lines: list[str]) -> None:
    class Fails:
        def __repr__(self) -> str:
            return "the secret of a client"

        def __del__(self) -> None:
            raise ValueError("no")

    Fails()
    gc.collect()
    (line,) = lines
    assert "ValueError: no" in json.loads(line)["exception"]
    assert "secret" not in line


def test_a_task_that_failed_unseen_is_an_error_of_asyncio(lines: list[str]) -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def leave() -> None:
        task = asyncio.create_task(fail(), name="chore")
        await asyncio.wait([task])

    asyncio.run(leave())
    gc.collect()
    (record,) = map(json.loads, lines)
    assert (record["level"], record["logger"]) == ("error", "asyncio")
    assert "never retrieved" in record["event"]
    assert "ValueError: no" in record["exception"]


@pytest.mark.parametrize(
    ("name", "trace", "said"),
    [
        ("", "", {}),
        ("r-1", "", {"request_id": "r-1"}),
        ("r-1", "00-abc-def-01", {"request_id": "r-1", "trace_id": "abc"}),
        ("r-1", "no trace", {"request_id": "r-1"}),
    ],
)
def test_lines_about_a_request_say_which(name: str, trace: str, said: dict[str, str]) -> None:
    assert log.ids(name, trace) == said


def test_json_of_a_child_is_relayed_as_it_is_however_it_arrives() -> None:
    relay = Relay("worker", 7, 3)
    line = '{"event": "loaded", "level": "info"}'
    received = []
    for byte in f"{line}\n".encode():
        received += relay.feed(bytes([byte]))
    assert received == [line]


def test_a_raw_line_is_wrapped_with_its_origin() -> None:
    relay = Relay("worker", 7, 3)
    relay.model = "m"
    records = [json.loads(line) for line in relay.feed(b"llama: hello\nGGML_ASSERT failed\n")]
    assert [record["level"] for record in records] == ["info", "error"]
    assert records[0]["event"] == "llama: hello"
    assert (records[0]["process"], records[0]["pid"], records[0]["model"]) == ("worker", 7, "m")


@pytest.mark.parametrize(
    "raw", [b"{not json}\n", b"{}\n", b"\xff\xfe\n", b"[1]\n", b"{" * 5000 + b"\n"]
)
def test_anything_a_child_writes_becomes_one_line_of_json(raw: bytes) -> None:
    (line,) = Relay("worker", 7, 3).feed(raw)
    assert "event" in json.loads(line)


def test_a_line_without_end_is_cut() -> None:
    relay = Relay("worker", 7, 3)
    received = relay.feed(b"x" * (3 * LONGEST_LINE))
    assert len(json.loads(received[0])["event"]) == LONGEST_LINE


def test_the_last_complaints_are_remembered_and_chatter_is_not() -> None:
    relay = Relay("worker", 7, 3)
    relay.feed(b"".join(b"line %d\n" % number for number in range(100)))
    relay.feed(b'{"event": "request", "level": "info"}\n')
    relay.feed(b'{"event": "load failed", "level": "error", "reason": "bad magic"}\n')
    relay.feed(b"without end")
    assert relay.end() != []
    assert len(relay.last_lines) == REMEMBERED_LINES
    assert relay.last_lines[-3:] == ("line 99", "load failed: bad magic", "without end")


def test_stacks_are_kept_apart_from_the_lines_that_say_why() -> None:
    relay = Relay("worker", 7, 3)
    relay.model = "m"
    lines = relay.feed(
        b"Traceback (most recent call last):\n"
        b'  File "/x/y.py", line 1, in f\n'
        b"ValueError: not the end yet\n"
        b"GGML_ASSERT(n > 0) failed\n"
        b"Fatal Python error: Aborted\n"
        b"\n"
        b"Thread 0x00007f (most recent call first):\n"
        b'  File "/x/y.py", line 3 in g\n'
        b"\n"
        b"Current thread 0x00007f (most recent call first):\n"
        b"  <no Python frame>\n"
        b"\n"
        b"Extension modules: a, b (total: 2)\n"
        b"  an indented line of a library\n"
    )
    assert relay.last_lines == (
        "ValueError: not the end yet",
        "GGML_ASSERT(n > 0) failed",
        "Fatal Python error: Aborted",
    )
    # Only what followed the fatal error: the traceback before it was of something else.
    assert relay.stack == (
        "Thread 0x00007f (most recent call first):",
        '  File "/x/y.py", line 3 in g',
        "Current thread 0x00007f (most recent call first):",
        "  <no Python frame>",
    )
    # Each of them is a line of the log, with its origin.
    records = [json.loads(line) for line in lines]
    assert all((record["model"], record["generation"]) == ("m", 3) for record in records)


def test_a_stack_of_very_many_lines_is_cut() -> None:
    relay = Relay("worker", 7, 3)
    relay.feed(b"Thread 0x1 (most recent call first):\n" + b"  File x\n" * 10_000)
    assert len(relay.stack) == REMEMBERED_STACK_LINES


def test_a_blocked_output_never_blocks_the_writer_and_says_what_it_dropped() -> None:
    gate, written, entered = threading.Event(), list[str](), threading.Event()

    def write(line: str) -> None:
        entered.set()
        gate.wait()
        written.append(line)

    output = make_output("stdout", write)
    output.put("first")
    entered.wait()
    for number in range(BUFFERED_LINES + 5):
        output.put(str(number))
    assert output.dropped == 5
    gate.set()
    output.close()
    assert written[:2] == ["first", "0"]
    assert json.loads(written[-1])["dropped_so_far"] == 5
    assert len(written) == BUFFERED_LINES + 2


def test_one_output_that_fails_does_not_silence_the_other() -> None:
    written: list[str] = []

    def broken(line: str) -> None:
        raise BrokenPipeError

    sink = Sink(make_output("stdout", broken), make_output("file", written.append))
    sink.write("a")
    sink.write("b")
    sink.close()
    assert written == ["a", "b"]


def test_a_full_file_moves_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "kronk.log"
    file = RotatedFile(path, most_bytes=10, kept=3)
    for number in range(5):
        file.write(f"line {number}!")
    file.close()
    texts = {entry.name: entry.read_text() for entry in tmp_path.iterdir()}
    assert texts == {
        "kronk.log": "line 4!\n",
        "kronk.log.1": "line 3!\n",
        "kronk.log.2": "line 2!\n",
    }


def test_a_line_that_the_disk_has_no_room_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kronk.log"
    file = RotatedFile(path)
    file.write("whole")

    class Full:
        """A disk that has four bytes left."""

        def write(self, data: bytes) -> int:
            return real.write(data[:4])

        def fileno(self) -> int:
            return real.fileno()

    real = file._file
    monkeypatch.setattr(file, "_file", Full())
    with pytest.raises(OSError, match="No space"):
        file.write("cut off")
    monkeypatch.setattr(file, "_file", real)
    file.write("whole again")
    file.close()
    assert path.read_text() == "whole\nwhole again\n"


def test_a_restart_appends_to_the_file(tmp_path: Path) -> None:
    for text in ("one", "two"):
        file = RotatedFile(tmp_path / "kronk.log")
        file.write(text)
        file.close()
    assert (tmp_path / "kronk.log").read_text() == "one\ntwo\n"


def read_all(handle: int) -> str:
    try:
        return os.read(handle, 65_536).decode()
    finally:
        os.close(handle)


LINE = '{"timestamp": "2026-01-02T03:04:05Z", "level": "info", "event": "hi", "pid": 7}'


def test_stdout_is_json_for_a_pipe() -> None:
    reader, writer = os.pipe()
    Stdout(writer).write(LINE)
    os.close(writer)
    assert read_all(reader) == LINE + "\n"


@pytest.mark.parametrize("line", [LINE, '{"event": "no more"}'])
def test_stdout_is_text_for_a_terminal(line: str) -> None:
    ours, theirs = os.openpty()
    Stdout(theirs).write(line)
    text = read_all(ours)
    os.close(theirs)
    assert json.loads(line)["event"] in text
    assert "{" not in text


def test_a_terminal_is_not_led_by_what_clients_write_and_shows_who_says_it_first() -> None:
    ours, theirs = os.openpty()
    record = {"event": "request", "process": "gateway", "model": "m", "path": "/\x1b[2J\x9b1m"}
    Stdout(theirs).write(json.dumps(record))
    text = read_all(ours)
    os.close(theirs)
    assert "[2J" in text
    assert "\x1b[2J" not in text
    assert "\x9b" not in text
    assert text.index("gateway") < text.index("model") < text.index("path")


def test_the_log_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "kronk.log"
    # As an earlier version left it.
    path.touch(mode=0o644)
    path.chmod(0o644)
    file = RotatedFile(path, most_bytes=10)
    for _ in range(2):
        file.write("a line of it")
    file.close()
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()}
    assert modes == {"kronk.log": 0o600, "kronk.log.1": 0o600}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/models/org/name", "/v1/models/org/name"),
        ("/" + "a" * 60_000, "/" + "a" * 499 + "..."),
        ("/v1/tokens/eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln-_9/x", "/v1/tokens/(token)/x"),
    ],
)
def test_a_path_in_the_log_is_short_and_has_no_token(path: str, said: str) -> None:
    assert path_for_log(path) == said
