"""Calls are counted exactly by eight processes at once, and by processes that are killed."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kronk.gateway.probe_database import look
from kronk.shared.errors import ServerError
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import Limit

PROCESSES = 8
# Says a byte for each call that was granted, after it was counted; ends once refused.
ASKS = """
import os, sys
from pathlib import Path
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import Limit
folder, calls, refunds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) % 2
counters = Counters(folder)
os.write(1, b"r")
sys.stdin.read(1)
for number in range(10**9):
    charge = counters.charge("ann", "chat-completions", Limit(calls, "day"), 1e9)
    if not charge.allowed:
        break
    if refunds and number % 2:
        counters.refund(charge)
    else:
        counters.add_tokens(charge, 3, 2)
        os.write(1, b"g")
"""


@contextlib.contextmanager
def asking(folder: Path, calls: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that begin all together. Every other one gives back half of its calls."""
    command = [sys.executable, "-P", "-c", ASKS, str(folder), str(calls)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    running = [subprocess.Popen([*command, str(number)], **pipes) for number in range(PROCESSES)]  # type: ignore[call-overload]
    try:
        for process in running:
            assert process.stdout.read(1) == b"r"
        for process in running:
            process.stdin.write(b"!")
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def used(folder: Path) -> tuple[int, int]:
    counters = Counters(folder)
    (usage,) = counters.usage(1e9)
    counters.close()
    assert usage.day == usage.month == usage.year
    return usage.day.calls, usage.day.tokens


def test_eight_processes_are_granted_as_many_calls_as_one(tmp_path: Path) -> None:
    limit = 3000
    with asking(tmp_path / "counters", limit) as running:
        granted = [len(process.stdout.read()) for process in running if process.stdout]
        assert [process.wait() for process in running] == [0] * PROCESSES
    assert sum(granted) == limit
    assert used(tmp_path / "counters") == (limit, limit * 5)


def test_processes_killed_at_any_moment_lose_no_count_and_grant_no_extra_call(
    tmp_path: Path,
) -> None:
    folder, limit, draw, granted = tmp_path / "counters", 20_000, random.Random(7), 0
    rounds = 2
    for _ in range(rounds):
        with asking(folder, limit) as running:
            for process in running:
                assert process.stdout is not None
                # Each is killed at a moment of its own, in whatever it is at.
                granted += len(process.stdout.read(draw.randrange(1, 120)))
                process.kill()
            for process in running:
                assert process.stdout is not None
                while some := os.read(process.stdout.fileno(), 1 << 16):
                    granted += len(some)
        assert look(folder) is None, "the file is whole"
        counted, tokens = used(folder)
        # One that was killed may have counted a call that it had no time to speak of.
        assert granted <= counted <= granted + rounds * PROCESSES
        assert granted * 5 <= tokens <= counted * 5
    counters = Counters(folder)
    last = sum(
        counters.charge("ann", "chat-completions", Limit(limit, "day"), 1e9).allowed
        for _ in range(limit - counted + 10)
    )
    counters.close()
    assert counted + last == limit


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own; only root may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system of our own: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_disk_a_call_is_counted_or_an_error_and_nothing_breaks(disk: Path) -> None:
    counters, limit, granted = Counters(disk / "counters"), Limit(10_000, "day"), 0
    with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    refusals = 0
    for number in range(100):
        try:
            granted += counters.charge(f"s{number}", "rerank", limit, 1e9).allowed
        except ServerError:
            refusals += 1
    with pytest.raises(ServerError):
        counters.save()
    (disk / "ballast").unlink()
    assert refusals
    assert counters.charge("ann", "rerank", limit, 1e9).allowed
    rows = counters.usage(1e9)
    assert [row.day.calls for row in rows] == [1] * (granted + 1)
    counters.close()
    assert look(disk / "counters") is None
