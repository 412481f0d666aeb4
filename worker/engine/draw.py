"""The random numbers of an answer, addressed by position.

Which number decides a token depends on the seed and on how many tokens came before, and on nothing
else: not on how often a sampler has drawn, on guesses that were wrong, or on the process. So an
answer that another process began goes on as it would have there.

The numbers are those of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014), whose state after n steps is known without taking them.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
# The 53 bits that a float holds, to a number below 1.
_UNIT = 2.0**-53


class Draw:
    """The numbers of one seed, from 0 to below 1. An answer's first token is at position 0."""

    def __init__(self, seed: int) -> None:
        # Seeds that follow one another must not share numbers.
        self._start = _mixed(seed & _MASK)

    def for_token(self, position: int) -> float:
        """Which token it is."""
        return (_mixed((self._start + (2 * position + 1) * _STEP) & _MASK) >> 11) * _UNIT

    def for_xtc(self, position: int) -> float:
        """Whether the likely tokens are dropped there."""
        return (_mixed((self._start + (2 * position + 2) * _STEP) & _MASK) >> 11) * _UNIT


def _mixed(bits: int) -> int:
    """Each of the 64 bits changes about half of those that come out."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)
