"""How many threads to decode with, while others want the same cores. Pure; given shares and a now.

The threads of a decode meet some 250 times a token. When one of them has to share its core, all
wait for it at each meeting, and a decode on two cores takes three times as long as on the one
core that is left. Whoever waits sleeps, so the engine's own thread shows it: alone on the machine
it computes for nearly all of a decode's duration, crowded for less than half (measured: 0.98 and
0.3 to 0.5). So: fewer threads when it sleeps too much, and a new try with more after a while,
less and less often while tries fail.

Prompts are no exception, many rows as they have between two meetings: beside one busy program two
threads on two cores read 512 rows 1.2 times as fast as one and 128 rows as fast, but beside several
programs 0.8 times as fast.
"""

from __future__ import annotations

# Share of a decode's duration in which its first thread computes; below this it is crowded.
CROWDED = 0.75
# Weight of the newest decode in the running share, and decodes before a verdict.
_NEWEST = 0.2
_LEAST_DECODES = 8
# While nothing is the matter every so many decodes are looked at: to ask the kernel for a thread's
# time costs as much as to choose a token.
_EVERY = 8
# Seconds until more threads are tried: the first time, and at most.
FIRST_PATIENCE = 1.0
LONGEST_PATIENCE = 30.0


class Crowding:
    """One engine's thread count, between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self.threads = most
        self._most = most
        self._share = 1.0
        self._decodes = 0
        # Decodes that need not be looked at before the next that must.
        self._spared = 0
        self._patience = FIRST_PATIENCE
        # When more threads were last given, and when they may be next.
        self._grown_at: float | None = None
        self._try_at = 0.0

    def is_due(self) -> bool:
        """Whether the decode that comes is to be looked at, and `observe`d."""
        if self._spared > 0:
            self._spared -= 1
            return False
        return self._most > 1

    def observe(self, share: float, now: float) -> bool:
        """Learn from one decode; whether `threads` has changed.

        `share` is the engine thread's CPU time over the decode's duration, `now` is monotonic.
        """
        self._share += _NEWEST * (share - self._share)
        self._decodes += 1
        is_calm = self.threads == self._most and self._grown_at is None and share >= CROWDED
        self._spared = _EVERY - 1 if is_calm and self._decodes >= _LEAST_DECODES else 0
        if self._decodes < _LEAST_DECODES:
            return False
        if self.threads > 1 and self._share < CROWDED:
            self._shrink(now)
            return True
        if self.threads < self._most and now >= self._try_at:
            self._grown_at = now
            self._change(min(self._most, 2 * self.threads))
            return True
        if self._grown_at is not None and now - self._grown_at > self._patience:
            # It holds: the next crowd is a new one.
            self._patience, self._grown_at = FIRST_PATIENCE, None
        return False

    def _shrink(self, now: float) -> None:
        if self._grown_at is not None:
            self._patience = min(2 * self._patience, LONGEST_PATIENCE)
        self._grown_at = None
        self._try_at = now + self._patience
        self._change(self.threads // 2)

    def _change(self, threads: int) -> None:
        self.threads = threads
        self._share = 1.0
        self._decodes = 0
