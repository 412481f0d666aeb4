"""What may be done to a sequence in llama.cpp's memory without its answers becoming wrong.

llama.cpp accepts far more than is right. A sequence of a model with a sliding window (SWA) loses
the positions that its window has passed; cut back to before them, it decodes without complaint and
answers garbage. A recurrent state has no positions to cut at all. So each sequence has a *floor*,
the shortest prefix that can be had of it:

    plain attention       0: any prefix
    recurrent, hybrid     its length: all of it or nothing
    sliding window        the first length whose window is still there; its length at the latest

A saved state of a sliding-window model holds the last window only, whatever the context held, and
so its floor is one less than its length. Floors only rise, and they may do so whenever anything is
decoded: another sequence can take cells that this one's window has passed. Ask anew each time.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
_bytes = ctypes.POINTER(ctypes.c_uint8)


@dataclass(frozen=True, slots=True)
class MemoryKind:
    """What decides which prefixes of a sequence are usable."""

    # Recurrent or hybrid: a state that cannot be taken back.
    is_recurrent: bool
    # Positions a sliding-window layer sees, 0 where no layer has one.
    window: int
    # Sliding-window layers have as many cells as the others (llama.cpp's swa_full).
    swa_full: bool

    @property
    def is_rigid(self) -> bool:
        """Whether a saved state serves no prefix but (nearly) the whole: snapshots are needed where
        prompts will part."""
        return self.is_recurrent or self.window > 0


@dataclass(frozen=True, slots=True)
class State:
    """A saved sequence. It fits contexts that agree in all that `fingerprint` lists."""

    data: Bytes
    # Tokens in it.
    length: int
    # The shortest prefix that can be had of it, see above.
    floor: int


class Memory:
    """The sequences of one context with a unified KV cache; for the thread that owns the context.

    Sequences are 0 .. `sequences` - 1: llama.cpp aborts the process for others.
    """

    def __init__(self, handle: lib.llama_context_p, kind: MemoryKind) -> None:
        self.kind = kind
        self.sequences: int = lib.llama_n_seq_max(handle)
        self._handle = handle
        self._memory = lib.llama_get_memory(handle)

    def length(self, sequence: int) -> int:
        """Tokens of a sequence."""
        self._check(sequence)
        last: int = lib.llama_memory_seq_pos_max(self._memory, sequence)
        return last + 1

    def positions(self, sequence: int) -> range:
        """The positions every layer has; a recurrent state has its last only."""
        length = self.length(sequence)
        first: int = lib.llama_memory_seq_pos_min(self._memory, sequence)
        return range(max(0, first), length)

    def floor(self, sequence: int) -> int:
        """The shortest prefix the sequence can be cut back to where it is."""
        positions = self.positions(sequence)
        if self.kind.is_recurrent:
            return positions.stop
        return _window_floor(positions, self.kind.window)

    def can_trim(self, sequence: int, length: int) -> bool:
        """Whether the first `length` tokens can be had; nothing at all always can."""
        return length == 0 or self.floor(sequence) <= length <= self.length(sequence)

    def trim(self, sequence: int, length: int) -> bool:
        """Cut back to `length` tokens; False, and nothing changed, where that would be wrong."""
        if not self.can_trim(sequence, length):
            return False
        if length == 0:
            self.clear(sequence)
            return True
        if length == self.length(sequence):
            return True
        done: bool = lib.llama_memory_seq_rm(self._memory, sequence, length, -1)
        return done

    def clear(self, sequence: int) -> None:
        """Forget the sequence and give its cells back."""
        self._check(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def copy_floor(self, source: int) -> int:
        """The shortest prefix of it that another sequence can be given."""
        if self._shares_cells:
            return self.floor(source)
        return self._state_floor(self.positions(source))

    def can_copy(self, source: int, length: int) -> bool:
        """Whether another sequence can be given the first `length` tokens of this one."""
        return max(1, self.copy_floor(source)) <= length <= self.length(source)

    def copy(self, source: int, target: int, length: int) -> bool:
        """Replace `target` by the first `length` tokens of `source`; both may then go on, each on
        its own. False leaves the target empty, or as it was where `can_copy` says no."""
        self._check(target)
        if source == target or not self.can_copy(source, length):
            return False
        if not self._shares_cells:
            state = self.save(source)
            if state is None or not self.restore(target, state):
                return False
            return self.trim(target, length)
        self.clear(target)
        end = length if length < self.length(source) else -1
        lib.llama_memory_seq_cp(self._memory, source, target, -1, end)
        return True

    def save(self, sequence: int) -> State | None:
        """A copy of the sequence to keep anywhere; None when it is empty or llama.cpp fails."""
        positions = self.positions(sequence)
        if not positions:
            return None
        size: int = lib.llama_state_seq_get_size(self._handle, sequence)
        data = np.empty(size, np.uint8)
        written: int = lib.llama_state_seq_get_data(
            self._handle, data.ctypes.data_as(_bytes), size, sequence
        )
        if not 0 < written == size:
            return None
        return State(data, positions.stop, self._state_floor(positions))

    def restore(self, sequence: int, state: State) -> bool:
        """Replace the sequence by a saved one; False leaves it empty.

        llama.cpp refuses what does not fit this context or has no room in it.
        """
        self.clear(sequence)
        size = state.data.size
        read: int = lib.llama_state_seq_set_data(
            self._handle, state.data.ctypes.data_as(_bytes), size, sequence
        )
        if 0 < read == size and self.length(sequence) == state.length:
            return True
        self.clear(sequence)
        return False

    @property
    def _shares_cells(self) -> bool:
        # A cell of two sequences is never reused, even when both windows have passed it. Where
        # there are only cells enough for the windows, sharing them ends in "no room".
        return self.kind.window == 0 or self.kind.swa_full

    def _state_floor(self, positions: range) -> int:
        if self.kind.is_recurrent:
            return positions.stop
        window = self.kind.window
        saved = range(max(positions.start, positions.stop - window), positions.stop)
        return _window_floor(saved if window else positions, window)

    def _check(self, sequence: int) -> None:
        assert 0 <= sequence < self.sequences, "a sequence that is not there aborts the process"


def _window_floor(positions: range, window: int) -> int:
    """The first length at which the next token's window is within `positions`.

    The token at position k sees window - 1 positions before its own. Going on from the end is
    always right: what a window has not passed is never reused.
    """
    if positions.start == 0 or not window:
        return 0
    return min(positions.start + window - 1, positions.stop)
