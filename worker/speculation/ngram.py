"""Prompt lookup: what followed the last few tokens when they occurred before.

Costs no model. It pays where an answer repeats what is in its context: code that is edited, a text
that is summarised, JSON with the same keys again. Described by Saxena, "Prompt Lookup Decoding",
2023.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


def look_up(tokens: Tokens, size: int, most: int) -> list[int]:
    """At most `most` tokens that followed the latest earlier occurrence of the last `size`.

    Empty when those tokens never occurred before, or nothing followed them.
    """
    last = tokens.size - size
    if last <= 0 or most <= 0:
        return []
    key = tokens[last:]
    # Starts of earlier occurrences: all but the key's own.
    found = np.flatnonzero(tokens[:last] == key[0])
    for at in range(1, size):
        found = found[tokens[found + at] == key[at]]
    if not found.size:
        return []
    start = int(found[-1]) + size
    return [int(token) for token in tokens[start : start + most]]
