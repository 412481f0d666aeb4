"""What process 1 does for processes that lost their parent."""

from __future__ import annotations

import asyncio
import os

from kronk.supervisor.processes import Processes


def ended() -> int:
    """A child that nobody in this program waits for, and that has ended."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stray_is_reaped_at_the_second_look_and_others_after_it() -> None:
    async def look() -> None:
        processes = Processes(lambda line: None, lambda child, exit: None)
        processes.reap_stray()
        strays = {ended(), ended()}
        # Whoever started it may be about to reap it.
        processes.reap_stray()
        assert all(map(is_there, strays))
        processes.reap_stray()
        assert sum(map(is_there, strays)) == 1
        processes.reap_stray()
        processes.reap_stray()
        assert not any(map(is_there, strays))

    asyncio.run(look())
