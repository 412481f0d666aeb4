"""How an image or a recording stands in a sequence of tokens: a run of ids that no vocabulary has.

Each of its positions has a negative id, made of a digest of its content: sequences that begin with
the same image are equal there, and others are not, as with text. The first id of a run is told from
the others, so that two images in a row are two runs. A run is read whole or not at all, and so no
prefix may end within one. Pure.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

# Ids from here up to -1 go on with a run; those below begin one.
_GOES_ON = -(2**30)


def span_ids(digest: bytes, length: int) -> list[int]:
    """The ids of a run for content of that digest; different content, different ids."""
    assert length > 0, "media has a position at the least"
    source = hashlib.shake_128(digest + length.to_bytes(8, "little"))
    noise = np.frombuffer(source.digest(4 * length), "<u4") % 2**30
    ids = noise.astype(np.int64) + _GOES_ON
    ids[0] += _GOES_ON
    return [int(value) for value in ids]


def is_within(tokens: npt.NDArray[np.int32], length: int) -> bool:
    """Whether the first `length` tokens end within a run."""
    return 0 < length < tokens.size and bool(_GOES_ON <= tokens[length] < 0)


def whole(tokens: npt.NDArray[np.int32], length: int) -> int:
    """The longest prefix of `length` tokens at most that does not end within a run."""
    while is_within(tokens, length):
        length -= 1
    return length
