"""Images that no encoder has made: random embeddings that stand in a prompt as a clip's do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kronk.worker.cache.spans import span_ids
from kronk.worker.media.clip import Clip, Embeddings, MediaFile, Positions, Span

Tokens = tuple[int, ...]


class Gallery:
    """A few images for a model of that width, known by the ids they have in a prompt.

    Some are larger than a decode, some are seen as a whole, and where the model has M-RoPE, some
    have two dimensions: far more rows than positions.
    """

    def __init__(self, width: int, most: int, *, scale: float, has_sections: bool) -> None:
        self._dice = np.random.default_rng(7)
        self._width = width
        self._scale = scale
        self._known: dict[Tokens, tuple[Embeddings, bool, Positions | None]] = {}
        self._by_first: dict[int, Tokens] = {}
        self.ids: list[Tokens] = []
        if has_sections:
            for name, (columns, lines) in enumerate([(9, 8), (4, 3), (2, 7), (1, 1)]):
                self._hang(name, max(columns, lines), _grid(columns, lines), sees_ahead=name == 1)
        else:
            for name, (rows, sees_ahead) in enumerate(
                [(most + 9, False), (21, True), (5, False), (most, True), (1, False)]
            ):
                self._hang(name, rows, None, sees_ahead=sees_ahead, rows=rows)

    def _hang(
        self,
        name: int,
        length: int,
        positions: Positions | None,
        *,
        sees_ahead: bool,
        rows: int = 0,
    ) -> None:
        if positions is not None:
            rows = positions.base.shape[1]
        noise = self._dice.standard_normal((rows, self._width)) * self._scale
        ids = tuple(span_ids(bytes([name]), length))
        self._known[ids] = (noise.astype(np.float32), sees_ahead, positions)
        self._by_first[ids[0]] = ids
        self.ids.append(ids)

    def clip(self, ids: Tokens) -> Clip:
        """The image of these ids, not encoded yet."""
        embeddings, sees_ahead, positions = self._known[ids]
        return Clip(
            ids, len(embeddings), lambda _: embeddings, sees_ahead=sees_ahead, positions=positions
        )

    def spans(self, prompt: Sequence[int]) -> tuple[Span, ...]:
        """The images in a prompt."""
        found = []
        for start, token in enumerate(prompt):
            ids = self._by_first.get(token)
            if ids is not None:
                assert tuple(prompt[start : start + len(ids)]) == ids, "images are whole"
                clip = self.clip(ids)
                found.append(Span(start, clip, MediaFile([clip])))
        return tuple(found)


def rows(spans: Sequence[Span], length: int) -> int:
    """Cells of so many positions with these images among them."""
    return length + sum(span.clip.rows - len(span.clip.ids) for span in spans)


def _grid(columns: int, lines: int) -> Positions:
    """Rows of an image, from left to right and from top to bottom."""
    count = columns * lines
    step = np.ones((4, count), np.int32)
    step[3] = 0
    base = np.zeros((4, count), np.int32)
    base[1], base[2] = np.divmod(np.arange(count), columns)
    return Positions(base, step)
