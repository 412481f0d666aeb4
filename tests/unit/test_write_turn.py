"""Whose turn it is to write: one thread of one process, and nobody waits for a dead one."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from kronk.shared.write_turn import WriteTurn

HOLDS = """
import sys, time
from pathlib import Path
from kronk.shared.write_turn import WriteTurn
with WriteTurn(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_threads_of_a_process_take_turns(tmp_path: Path) -> None:
    turn, inside, most = WriteTurn(tmp_path), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with turn:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    turn.close()


def test_who_waits_for_a_process_that_is_killed_gets_his_turn(tmp_path: Path) -> None:
    turn, got = WriteTurn(tmp_path), threading.Event()

    def wait() -> None:
        with turn:
            got.set()

    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDS, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not got.is_set()
        other.kill()
        waiter.join(60)
        assert got.is_set()
    turn.close()
