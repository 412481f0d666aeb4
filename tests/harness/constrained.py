"""Constrained answers without a model's opinion: logits are random, the vocabulary is real."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kronk.shared.wire.values import Constraint
from kronk.worker.constraint.compile import Compiler, Grammar
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
_LOG = LlamaLog()
# How much likelier a token is that closes something, per seed in turn: answers that ramble until
# they are cut, and answers that end by themselves.
EAGERNESS = (0.0, 6.0, 3.0)


@functools.cache
def model() -> Model:
    """The tiny model."""
    return Model(TINY, log=_LOG, on_progress=lambda _: None)


@functools.cache
def compiler() -> Compiler:
    """Its compiler."""
    return Compiler(model())


def schema_grammar(schema: Any, param: str = "schema") -> Grammar:
    """The grammar of a JSON schema."""
    return compiler().compile(Constraint("json_schema", json.dumps(schema), param))


@functools.cache
def _closers() -> np.ndarray[Any, np.dtype[np.float32]]:
    pieces = map(model().piece, range(model().n_vocab))
    return np.array([any(byte in piece for byte in b'"}]') for piece in pieces], np.float32)


def rows(seed: int) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Random logits, one row per token."""
    random = np.random.default_rng(seed)
    eagerness = EAGERNESS[seed % len(EAGERNESS)]
    while True:
        yield 3 * random.standard_normal(model().n_vocab, np.float32) + eagerness * _closers()


def answer(grammar: Grammar, budget: int, seed: int) -> bytes:
    """What a random model says, held to a grammar and brought to its end within `budget` tokens."""
    return b"".join(map(model().piece, written(grammar, budget, seed)))


def written(grammar: Grammar, budget: int, seed: int) -> list[int]:
    """The tokens of such an answer."""
    matcher, closer = grammar.begin(budget)
    ends = set(model().ends)
    tokens: list[int] = []
    for logits in rows(seed):
        matcher.apply(logits)
        token = int(logits.argmax())
        assert logits[token] > -np.inf, "there is always a way on"
        refuses = closer.refuses(token)
        instead = closer.after(token)
        assert refuses == (instead is not None)
        if instead is not None:
            # Who reads the answer without having written it sees where it may have been closed.
            for count in range(1, len(instead) + 1):
                assert closer.may_be_closing(instead[:count])
        for chosen in [token] if instead is None else instead:
            matcher.accept(chosen)
            tokens.append(chosen)
        if instead is not None or tokens[-1] in ends:
            break
    assert matcher.may_end
    tokens = [token for token in tokens if token not in ends]
    assert len(tokens) <= budget
    return tokens
