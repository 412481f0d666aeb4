"""Writing what a grammar allows, at random, as a model would that follows nothing else."""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab

TINY = Path(__file__).parent.parent / "models" / "tiny-chat-q8_0.gguf"

# What ends a string, an object, an array, a text between tags, and what a pattern in a test insists
# on: at random it would hardly ever come.
ENDS = (b'"', b"}", b"]", b"\n</parameter>\n", b"d/e")
# From here on ends are preferred, so that every walk comes to one.
LONG = 60


@dataclass(frozen=True)
class Vocabulary:
    tokenizer: LLTokenizer
    pieces: list[bytes]
    # The ids of the tokens that a grammar cannot spell.
    special: dict[str, int]
    # llguidance's tokenizer calls into its vocabulary without keeping it alive.
    owner: object


@functools.cache
def tiny() -> Vocabulary:
    """The tiny model's: `<tool_call>` and alike are special tokens."""
    model = llama_cpp.Llama(str(TINY), vocab_only=True, verbose=False, n_ctx=64)
    with warnings.catch_warnings():
        # llguidance calls the binding by names of last year.
        warnings.simplefilter("ignore", DeprecationWarning)
        tokenizer = lltokenizer_from_vocab(model._model.vocab)
    pieces = [model.detokenize([token], special=True) for token in range(model.n_vocab())]
    # The byte 0xff counts as special with llguidance, which marks special tokens by it.
    special = {
        p.decode(): t
        for t, p in enumerate(pieces)
        if tokenizer.is_special_token(t) and p != b"\xff"
    }
    return Vocabulary(tokenizer, pieces, special, model)


@functools.cache
def plain() -> Vocabulary:
    """Bytes, and no special tokens: all markers are spelled."""
    return Vocabulary(LLTokenizer("byte"), [bytes([byte]) for byte in range(256)], {}, None)


def walk(vocabulary: Vocabulary, grammar: str, seed: int, ends: Sequence[bytes] = ENDS) -> str:
    """A text that the grammar accepts, the same for the same seed."""
    rng = random.Random(seed)
    matcher = LLMatcher(vocabulary.tokenizer, grammar)
    written: list[bytes] = []
    intended = b""
    while not (matcher.is_accepting() and (matcher.is_stopped() or rng.random() < 0.3)):
        assert not matcher.is_error(), matcher.get_error()
        assert len(written) < 5000, "a text that ends"
        allowed = list(_allowed(matcher, vocabulary))
        if not intended and rng.random() < (0.2 if len(written) < LONG else 0.9):
            intended = rng.choice(ends)
        steps = [t for t in allowed if intended.startswith(vocabulary.pieces[t])]
        token = rng.choice(steps or allowed)
        intended = intended[len(vocabulary.pieces[token]) :] if steps else b""
        matcher.consume_token(token)
        written.append(vocabulary.pieces[token])
    return b"".join(written).decode()


def _allowed(matcher: LLMatcher, vocabulary: Vocabulary) -> Iterator[int]:
    mask = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
    for token in np.flatnonzero(np.unpackbits(mask, bitorder="little")).tolist():
        ends = token == vocabulary.tokenizer.eos_token
        if not ends and token < len(vocabulary.pieces) and vocabulary.pieces[token]:
            yield token
