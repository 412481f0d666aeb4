"""How fast this model decodes and prefills on this machine, as it turns out while serving."""

from __future__ import annotations

from .plan import Plan, prefill_cap

# Weight of the newest step in the running averages: about the last ten count.
_NEWEST = 0.1
# Fewer rows, the end of a prompt, say little of what a row costs; unless no more are allowed.
_TELLING_ROWS = 16


class Pace:
    """Running averages that bound the prefill rows beside running streams."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._decode_seconds: float | None = None
        self._prefill_rate: float | None = None

    def decoded(self, seconds: float) -> None:
        """Learn from one decode without prompts that took `seconds`."""
        self._decode_seconds = _average(self._decode_seconds, seconds)

    def observe(self, plan: Plan, seconds: float) -> None:
        """Learn from one decode that took `seconds`."""
        if not plan.prefill:
            self.decoded(seconds)
        elif plan.prefill_rows >= min(_TELLING_ROWS, self.prefill_cap):
            decode = (self._decode_seconds or 0.0) if plan.generate else 0.0
            # The decode part is an average and may exceed this very step.
            spent = max(seconds - decode, 0.1 * seconds)
            self._prefill_rate = _average(self._prefill_rate, plan.prefill_rows / spent)

    @property
    def prefill_cap(self) -> int:
        """Prefill rows for a step that running streams share."""
        return prefill_cap(self._decode_seconds, self._prefill_rate, self._capacity)


def _average(so_far: float | None, newest: float) -> float:
    return newest if so_far is None else so_far + _NEWEST * (newest - so_far)
