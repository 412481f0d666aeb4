"""Repeat, frequency and presence penalties on the tokens of a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .sampling import Logits, Resolved


class Penalties:
    """Counts the last tokens, prompt included, and lowers (or raises) their logits.

    Only tokens in the window change, so only they are touched.
    """

    def __init__(self, params: Resolved, prompt: Sequence[int]) -> None:
        self._repeat = np.float32(params.repeat_penalty)
        self._frequency = np.float32(params.frequency_penalty)
        self._presence = np.float32(params.presence_penalty)
        # None is the whole context.
        self._window: int | None = params.repeat_last_n if params.repeat_last_n > 0 else None
        recent = prompt if self._window is None else prompt[-self._window :]
        # What leaves the window again; a whole context never does.
        self._order = deque(recent if self._window is not None else ())
        ids, counts = np.unique(np.asarray(recent, np.int32), return_counts=True)
        # `ids[:used]` are the distinct tokens, `counts` how often each stands in the window.
        self._used = int(ids.size)
        self._ids = ids
        self._counts = counts.astype(np.float32)
        self._places = {token: place for place, token in enumerate(ids.tolist())}

    def accept(self, token: int) -> None:
        """The window moves on by one token."""
        self._add(token)
        if self._window is not None:
            self._order.append(token)
            if len(self._order) > self._window:
                self._remove(self._order.popleft())

    def apply(self, row: Logits) -> None:
        """Change the row in place."""
        ids = self._ids[: self._used]
        values = row[ids]
        # Dividing a negative logit would make its token likelier.
        values = np.where(values <= 0.0, values * self._repeat, values / self._repeat)
        values -= self._counts[: self._used] * self._frequency + self._presence
        row[ids] = values

    def _add(self, token: int) -> None:
        place = self._places.get(token)
        if place is not None:
            self._counts[place] += 1.0
            return
        if self._used == self._ids.size:
            self._ids = np.resize(self._ids, 2 * self._used + 64)
            self._counts = np.resize(self._counts, 2 * self._used + 64)
        self._places[token] = self._used
        self._ids[self._used] = token
        self._counts[self._used] = 1.0
        self._used += 1

    def _remove(self, token: int) -> None:
        place = self._places[token]
        self._counts[place] -= 1.0
        if self._counts[place] > 0.0:
            return
        # The last one takes the free place.
        self._used -= 1
        del self._places[token]
        if place != self._used:
            moved = int(self._ids[self._used])
            self._ids[place] = moved
            self._counts[place] = self._counts[self._used]
            self._places[moved] = place
