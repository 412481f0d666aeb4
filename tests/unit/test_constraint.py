"""Constraints on the tiny model's vocabulary, with random logits in place of a model's."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from kronk.shared.wire.values import Constraint
from kronk.worker.constraint.closing import Closer
from kronk.worker.constraint.compile import Compiler, Grammar
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 2},
    },
    "required": ["name", "age", "tags"],
}


@pytest.fixture(scope="module")
def model(tiny: Path) -> Model:
    return Model(tiny, log=LlamaLog(), on_progress=lambda _: None)


@pytest.fixture(scope="module")
def compiler(model: Model) -> Compiler:
    return Compiler(model)


def answer(model: Model, grammar: Grammar, budget: int, seed: int) -> bytes:
    """What a model with random logits says, cut at `budget` tokens."""
    random = np.random.default_rng(seed)
    matcher = grammar.start()
    closer = Closer(matcher, budget)
    tokens: list[int] = []
    while True:
        logits = 3 * random.standard_normal(model.n_vocab, np.float32)
        matcher.apply(logits)
        token = int(logits.argmax())
        if token in model.ends:
            break
        ending = closer.after(token)
        tokens += [token] if ending is None else ending
        if ending is not None:
            break
        matcher.accept(token)
    assert len(tokens) <= budget
    return b"".join(map(model.piece, tokens))


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_cut_at_any_budget_is_valid(model: Model, compiler: Compiler, seed: int) -> None:
    grammar = compiler.compile(Constraint("json_schema", json.dumps(PERSON), "schema"))
    for budget in range(grammar.shortest, grammar.shortest + 40, 3):
        jsonschema.validate(json.loads(answer(model, grammar, budget, seed)), PERSON)
