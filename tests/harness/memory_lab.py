"""One context of a random model, its memory, and what decoding costs in rounding there.

`noise` is how far the logits of one text move when nothing changes but how it is cut into batches,
what else is in them, and which cells it gets: kernels differ by the number of rows, and attention
adds up in the order of cells. A sequence that was cut back, copied or restored must stay within
that of one computed anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from kronk.worker.cache.memory import Memory, MemoryKind
from kronk.worker.context import Batch, Context, ContextShape, DecodeResult
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

from .random_gguf import Kind

UBATCH = 64
SEQUENCES = 3
# Tokens of another sequence in the context, and of what a text goes on with.
OTHERS, MORE = 300, 24
# A few ways to compute the same are measured; others may differ by this many times as much.
HEADROOM = 2.0
# And by this much where those few happen to agree.
LEAST_NOISE = 1e-3
LOG = LlamaLog()

Logits = npt.NDArray[np.float32]


def load(path: Path) -> Model:
    return Model(path, log=LOG, on_progress=lambda _: None)


def text(model: Model, length: int, seed: int) -> list[int]:
    """Tokens that mean nothing, none of them special."""
    dice = np.random.default_rng(seed)
    values: list[int] = dice.integers(300, model.n_vocab, length).tolist()
    return values


class NoRoom(Exception):
    """llama.cpp found no cells for a batch."""


class Lab:
    """A few sequences of one model."""

    def __init__(
        self,
        model: Model,
        kind: Kind,
        *,
        swa_full: bool = True,
        n_ctx: int = 4096,
        cache_type: str = "f16",
    ) -> None:
        shape = ContextShape(
            n_ctx=n_ctx,
            n_batch=UBATCH,
            n_ubatch=UBATCH,
            n_seq_max=SEQUENCES,
            n_threads=1,
            cache_type_k=cache_type,
            cache_type_v=cache_type,
            swa_full=swa_full,
        )
        self.context = Context(model, shape, LOG)
        self.model = model
        self.kind = kind
        self.swa_full = swa_full
        is_recurrent = kind.is_recurrent or kind.is_hybrid
        self.memory = Memory(self.context.handle, MemoryKind(is_recurrent, kind.window, swa_full))

    def close(self) -> None:
        lib.llama_free(self.context.handle)

    def decode(
        self,
        sequence: int,
        tokens: Sequence[int],
        cuts: Sequence[int] = (),
        *,
        at: int | None = None,
        beside: int | None = None,
    ) -> Logits:
        """Put tokens behind the sequence, in batches that end at `cuts`; the last one's logits.

        `at` is the first position, for when llama.cpp itself is wrong about the sequence's end. The
        sequence `beside` fills up each batch.
        """
        start = self.memory.length(sequence) if at is None else at
        ends = sorted({*cuts, *range(UBATCH, len(tokens), UBATCH), len(tokens)} - {0})
        for begin, end in itertools.pairwise([0, *ends]):
            batch = Batch(UBATCH)
            batch.add(sequence, start + begin, tokens[begin:end], output_last=True)
            rest = UBATCH - (end - begin)
            if beside is not None and rest:
                batch.add(beside, self.memory.length(beside), [300] * rest, output_last=False)
            result = self.context.decode(batch)
            if result is DecodeResult.NO_SPACE:
                raise NoRoom(f"sequence {sequence} at position {start + begin}")
            assert result is DecodeResult.OK, result
        return np.array(self.context.outputs(1)[0])

    def anew(self, sequence: int, tokens: Sequence[int], cuts: Sequence[int] = ()) -> Logits:
        """The same in an empty sequence."""
        self.memory.clear(sequence)
        return self.decode(sequence, tokens, cuts)

    def noise(self, tokens: Sequence[int]) -> float:
        """How far apart two ways to compute the same text may be; in a context of its own."""
        key = (self.kind.name, self.swa_full, tuple(tokens))
        if key not in _noise:
            lab = Lab(self.model, self.kind, swa_full=self.swa_full)
            _noise[key] = HEADROOM * max(
                distance(a, b) for a, b in itertools.combinations(lab.ways(tokens), 2)
            )
            lab.close()
        return _noise[key] + LEAST_NOISE

    def ways(self, tokens: Sequence[int]) -> Iterator[Logits]:
        """The last token's logits, computed in different ways."""
        size = len(tokens)
        for cuts in ((), (size - 1,), (size // 2,), (1, 2, 3)):
            yield self.anew(0, tokens, cuts)
        for cut in (size // 2, size - MORE):
            # What lies between its cells is not its own.
            self.memory.clear(0)
            self.memory.clear(1)
            self.decode(0, tokens[:cut])
            self.decode(1, text(self.model, OTHERS, 9))
            yield self.decode(0, tokens[cut:])
        for cuts in ((1,), (size - MORE,)):
            self.memory.clear(0)
            self.memory.clear(1)
            yield self.decode(0, tokens, cuts, beside=1)


# By model, memory and text.
_noise: dict[tuple[str, bool, tuple[int, ...]], float] = {}


def distance(a: Logits, b: Logits) -> float:
    return float(np.abs(a - b).max())
