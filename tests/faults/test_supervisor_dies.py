"""No process outlives the supervisor, and the next one finds nothing in its way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import proc
from harness.counting_model import counted
from harness.server import Server, launch, wait_until_ready
from harness.waiting import PATIENCE, wait_until

# The promise: from the kill to the last child's end, in seconds.
GONE_WITHIN = 2.0


def test_every_child_is_gone_soon_after_the_supervisor_is_killed(
    start_server: Any, slow: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    server: Server = start_server({"A.gguf": slow, "B.gguf": slow}, {}, "--cache-ttl=0")
    with ExitStack() as streams:
        running = [
            streams.enter_context(server.stream(model, "from 7", max_tokens=900)) for model in "AB"
        ]
        for stream in running:
            stream.wait_for_pieces(3)
        wait_until(lambda: len(server.children()) == 4, "gateway, two workers and a spare")
        children = server.children()

        killed = time.monotonic()
        server.kill(server.pid)
        wait_until(
            lambda: all(proc.is_gone(pid) for pid in children),
            f"the end of {children}",
            timeout=GONE_WITHIN,
        )
        gone = time.monotonic() - killed
        record_testsuite_property("supervisor's SIGKILL to last child's end, ms", round(gone * 1e3))

        assert server.process.wait(PATIENCE) == -signal.SIGKILL
        # One that was just starting, such as a reader of headers, finds its other end closed.
        wait_until(lambda: server.left() == [], "the end of all others")
        for stream in running:
            stream.wait_for_end()
            # No answer looks complete: either the gateway had time to say why, or it just broke.
            assert not stream.is_done
            assert stream.finish_reason is None
            assert stream.text == counted(7, len(stream.pieces))


def test_a_new_server_starts_where_one_was_killed(start_server: Any, counting: Path) -> None:
    first: Server = start_server({"A.gguf": counting}, {})
    assert first.text("A", "from 7", max_tokens=3) == counted(7, 3)
    first.kill(first.pid)
    first.process.wait(PATIENCE)
    # At once, on the same port: nothing has to time out first.
    second = launch(first.base, first.port)
    try:
        wait_until_ready(second)
        assert second.text("A", "from 7", max_tokens=3) == counted(7, 3)
        assert second.stop() == 0
        second.prove_gone()
        first.prove_gone()
    finally:
        second.clean_up()
