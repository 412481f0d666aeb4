"""What a context is made for: windows, slots and rows, from configuration and model. Pure.

The worker makes its contexts by these rules, and sizes are predicted by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kronk.shared.wire.loading import ContextSpec, LoadSpec, RopeSpec

from .facts import ModelFacts

# The manual's examples; `Fitted` says what it came to.
DEFAULT_SLOTS = 4
# The manual's default (3.1): enough for chat, and memory people have.
DEFAULT_WINDOW = 8192
# The least a configuration may say.
LEAST_WINDOW = 256
# Texts of one decode where the configuration does not say: short ones fill a decode by then.
DEFAULT_TEXTS = 32
# llama.cpp's limit on sequences, less the one of an unfinished text.
MOST_TEXTS = 255
# Rows of a pooled decode without flash attention: enough for a processor to be busy with.
ROWS_PER_THREAD = 64
_UNQUANTISED = ("f32", "f16", "bf16")
# The share of the machine's memory that the outputs of the longest text may take by default.
_MEMORY_SHARE = 4
# Shorter texts than this make no use of a model.
_LEAST_TEXT = 256
# llama.cpp rounds the cells of a context up to a multiple of this.
CELL_STEP = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of a context."""

    # Tokens of one request or text.
    window: int
    # Requests that decode together.
    slots: int
    # Cells for all of them, and sequences that can be told apart.
    cells: int
    sequences: int
    n_batch: int
    n_ubatch: int
    # Rows of one decode that may have logits.
    outputs: int
    flash_attention: bool


@dataclass(frozen=True, slots=True)
class Host:
    """What of the machine a shape depends on."""

    # Threads of a worker that was not told how many.
    threads: int
    memory_bytes: int
    has_gpu: bool = False


def shape_of(spec: LoadSpec, facts: ModelFacts, host: Host) -> Shape:
    """The context that a worker makes for this model."""
    asked = spec.context
    window = window_of(asked.rope, asked.window, facts.trained, facts.positions, facts.original)
    if facts.pools:
        return _pooled(asked, facts, window, host)
    slots = asked.slots or DEFAULT_SLOTS
    n_batch, n_ubatch, outputs = rows(asked, window, slots, guessed(spec))
    return Shape(
        window=window,
        slots=slots,
        cells=padded(window * slots),
        sequences=slots,
        n_batch=n_batch,
        n_ubatch=n_ubatch,
        outputs=outputs,
        flash_attention=asked.flash_attention != "disabled",
    )


def window_of(
    rope: RopeSpec, window: int | None, context: int, table: int | None, original: int | None
) -> int:
    """Tokens of one request: as configured; else what the model was trained for (`context`, or the
    rows of its table), up to 8192; else, where the configuration says by how much to extend, that
    much."""
    known = table or context or DEFAULT_WINDOW
    if window is None and rope.scaling in ("linear", "yarn") and rope.freq_scale:
        before = rope.yarn_orig_ctx or original or known
        window = max(LEAST_WINDOW, math.floor(before / rope.freq_scale))
    return min(known, DEFAULT_WINDOW) if window is None else window


def default_threads(cores: int) -> int:
    """All cores; from five on, one is left to the gateway and the clients."""
    return cores - 1 if cores > 4 else cores


def guessed(spec: LoadSpec) -> int:
    """Tokens guessed ahead of one request, each of which has a row in the decode."""
    return 0 if spec.speculation.mode == "none" else spec.speculation.draft_max


def rows(asked: ContextSpec, window: int, slots: int, guesses: int) -> tuple[int, int, int]:
    """Of one decode: at most, at a time, and those with logits."""
    # Each generating slot has a row in every decode.
    n_ubatch = max(min(asked.n_ubatch, window), slots)
    n_batch = max(min(asked.n_batch, window), n_ubatch)
    return n_batch, n_ubatch, min(slots * (1 + guesses), n_batch)


def pooled_flash_attention(asked: ContextSpec, *, has_gpu: bool) -> str:
    """On a processor off unless asked for: it rounds keys and values to half precision, which moves
    embeddings by more than all else that llama.cpp does (a cosine of 0.9997 instead of 0.9999)."""
    if asked.flash_attention is not None:
        return asked.flash_attention
    if has_gpu:
        return "auto"
    # Quantised values cannot be read without it.
    return "disabled" if asked.cache_type_v in _UNQUANTISED else "enabled"


def pooled_tokens(asked: ContextSpec, flash_attention: str, threads: int) -> int:
    """Rows of one decode of texts, if no single text is longer."""
    if flash_attention == "disabled":
        # Every row then looks at all rows of the decode, also those of other texts.
        return min(asked.n_ubatch, ROWS_PER_THREAD * threads)
    return asked.n_ubatch


def default_longest(window: int, n_vocab: int, memory: int) -> int:
    """Tokens of the longest text that is decoded whole: what the model takes, or fewer.

    llama.cpp sets a row of logits aside for each token of a decode, used or not, and all of them
    may take a quarter of `memory` in bytes.
    """
    return min(window, max(_LEAST_TEXT, memory // _MEMORY_SHARE // (4 * n_vocab)))


def pooled_rows(tokens: int, longest: int, sequences: int, *, cut: bool) -> int:
    """Rows of a pooled context. llama.cpp plans with as many for each sequence, and aborts over
    those it has to add."""
    count = tokens if cut else max(tokens, longest)
    return -(-count // sequences) * sequences


def padded(cells: int) -> int:
    """As many as llama.cpp makes of them."""
    return -(-cells // CELL_STEP) * CELL_STEP


def _pooled(asked: ContextSpec, facts: ModelFacts, window: int, host: Host) -> Shape:
    flash_attention = pooled_flash_attention(asked, has_gpu=host.has_gpu)
    tokens = pooled_tokens(asked, flash_attention, asked.n_threads or host.threads)
    texts = min(asked.slots or DEFAULT_TEXTS, MOST_TEXTS)
    longest = window
    if asked.window is None and not facts.cuts:
        longest = default_longest(window, max(facts.vocabulary, 1), host.memory_bytes)
    count = pooled_rows(tokens, longest, texts + 1, cut=facts.cuts)
    return Shape(
        window=longest,
        slots=texts,
        # One unfinished text, and a decode of others.
        cells=padded(longest + count if facts.cuts else count),
        sequences=texts + 1,
        n_batch=count,
        n_ubatch=count,
        outputs=count,
        flash_attention=flash_attention != "disabled",
    )
