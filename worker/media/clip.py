"""What an image or a recording is to the engine: runs of embeddings that stand among the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
# Computes as long as what it is given says to go on; None when that said no.
Encode = Callable[[Callable[[], bool]], Embeddings | None]


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where the rows of a clip are for a model with M-RoPE: `base` plus `step` times the clip's own
    position. Both have four sections of one value a row."""

    base: npt.NDArray[np.int32]
    step: npt.NDArray[np.int32]

    def at(self, start: int, first: int, count: int) -> npt.NDArray[np.int32]:
        """Of `count` rows from `first` on, section by section, for a clip at `start`."""
        rows = slice(first, first + count)
        values: npt.NDArray[np.int32] = self.base[:, rows] + self.step[:, rows] * np.int32(start)
        return np.ascontiguousarray(values).reshape(-1)


class Clip:
    """One run: an image, a tile of one, or some seconds of sound.

    It takes `len(ids)` positions of a sequence, for which `ids` stand in its tokens, and `rows`
    cells of the context: with M-RoPE an image has far more rows than positions.
    """

    def __init__(
        self,
        ids: Sequence[int],
        rows: int,
        encoder: Encode,
        *,
        sees_ahead: bool = False,
        positions: Positions | None = None,
    ) -> None:
        self.ids = tuple(ids)
        self.rows = rows
        # Each row attends to all others: they must be decoded together.
        self.sees_ahead = sees_ahead
        # None: one after the other.
        self.positions = positions
        # None until it is encoded; then a row for each cell.
        self.embeddings: Embeddings | None = None
        # Holds the pixels or samples for as long as they are needed.
        self._encoder: Encode | None = encoder

    def encode(self, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Compute the embeddings. On the engine's thread; takes as long as a long decode, or
        longer. `go_on` is asked now and then: False where it said no, and nothing was done.
        `Internal` where llama.cpp fails."""
        assert self._encoder is not None, "it is encoded once"
        self.embeddings = self._encoder(go_on)
        if self.embeddings is None:
            return False
        self._encoder = None
        return True


class MediaFile:
    """A file as the model reads it: its clips among tokens of the model's own, such as the one that
    an image begins with. `keep` is told when all is encoded."""

    def __init__(
        self,
        pieces: Sequence[tuple[int, ...] | Clip],
        keep: Callable[[MediaFile], None] = lambda _: None,
    ) -> None:
        self.pieces = tuple(pieces)
        self.clips = tuple(piece for piece in pieces if isinstance(piece, Clip))
        self._keep = keep

    @property
    def is_encoded(self) -> bool:
        """Nothing more is to be computed."""
        return all(clip.embeddings is not None for clip in self.clips)

    @property
    def size(self) -> int:
        """Bytes of the embeddings there are."""
        found = [clip.embeddings for clip in self.clips]
        return sum(int(one.nbytes) for one in found if one is not None)

    def encode(self, clip: Clip, go_on: Callable[[], bool]) -> bool:
        """Encode one of the clips; see there."""
        is_done = clip.encode(go_on)
        if self.is_encoded:
            self._keep(self)
        return is_done


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A clip in a prompt: it begins at the position `start`."""

    start: int
    clip: Clip
    file: MediaFile

    @property
    def end(self) -> int:
        """The position behind it."""
        return self.start + len(self.clip.ids)

    def encode(self, go_on: Callable[[], bool]) -> bool:
        """See `Clip.encode`."""
        return self.file.encode(self.clip, go_on)
