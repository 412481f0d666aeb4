"""An answer that a crash has cut off anywhere goes on as if there had been none.

Here rows are decoded one at a time, also those of prompts: what a row's logits are does then not
depend on what is decoded beside it, and answers must be the same to the last bit. Where the shape
of a batch differs, as it does in life, `test_resume_shapes.py` asks for what has margins.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engine import EngineRun
from harness.resuming import Ask, assert_same, resume, whole
from kronk.shared.wire.loading import CacheSpec, ContextSpec, LoadSpec, PlacementSpec
from kronk.shared.wire.values import Answer, Constraint, Prompt, Sampling

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["location"],
            "additionalProperties": False,
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
# Cuts tried of each answer, beside the first and the last two.
CUTS = 12


def said(text: str, **options: Any) -> Prompt:
    return Prompt(({"role": "user", "content": text},), **options)


def warm(**more: Any) -> Sampling:
    return Sampling(**({"temperature": 1.5, "top_k": 0, "top_p": 1.0, "seed": 3} | more))


def held_to(schema: dict[str, Any], **more: Any) -> Answer:
    source = json.dumps(schema)
    return Answer(constraint=Constraint("json_schema", source, "response_format"), **more)


SKY = "Why is the sky blue?"
PARIS = "What is the capital of France?"
NYC = "What is the weather in NYC?"
JSON = Answer(constraint=Constraint("json_object", "", "response_format"))
WORDS = Answer(constraint=Constraint("regex", "[a-z]{1,9}( [a-z]{1,9}){3,30}", "pattern"))
QUIET = said(PARIS, enable_thinking=False)
ASKS: dict[str, Ask] = {
    "greedy": Ask("Count from 1 to 50"),
    "greedy to its end": Ask(PARIS, 200),
    "seeded": Ask(SKY, 40, warm(temperature=2.0)),
    "top_k, top_p, min_p": Ask(SKY, 40, warm(top_k=60, top_p=0.97, min_p=0.001)),
    "typical, top_n_sigma": Ask(SKY, 40, warm(typical_p=0.95, top_n_sigma=3.0)),
    "xtc": Ask(SKY, 40, warm(xtc_probability=0.5, xtc_threshold=0.02)),
    "dynatemp": Ask(SKY, 40, warm(dynatemp_range=0.7)),
    "all samplers": Ask(
        SKY,
        40,
        warm(
            top_k=80,
            top_p=0.98,
            min_p=0.001,
            typical_p=0.98,
            xtc_probability=0.3,
            xtc_threshold=0.1,
            dynatemp_range=0.5,
            repeat_penalty=1.2,
            dry_multiplier=0.8,
        ),
    ),
    "penalties": Ask(
        "Count from 1 to 50",
        60,
        warm(repeat_penalty=1.3, repeat_last_n=20, presence_penalty=0.4, frequency_penalty=0.3),
    ),
    "penalties over all": Ask(
        "Count from 1 to 50", 60, Sampling(temperature=0.0, repeat_penalty=1.4, repeat_last_n=-1)
    ),
    "dry": Ask(
        "Count from 1 to 50",
        60,
        Sampling(temperature=0.0, dry_multiplier=2.0, dry_allowed_length=1),
    ),
    "dry in a window": Ask(
        "Count from 1 to 50", 60, warm(dry_multiplier=1.5, dry_penalty_last_n=30)
    ),
    "bias, min_tokens": Ask(
        "Hello!", 60, Sampling(temperature=0.0, min_tokens=50, logit_bias={"40": 4.0})
    ),
    "no end": Ask("Hello!", 50, warm(ignore_eos=True)),
    "a stop string": Ask(said("Count from 1 to 50", enable_thinking=False), 60, stop=("12",)),
    "a stop string that nearly comes": Ask(
        said("Count from 1 to 50", enable_thinking=False), 60, stop=(", 7x", "1, 2, 3, 9")
    ),
    "log-probabilities": Ask(QUIET, 40, warm(), Answer(logprobs=3)),
    "log-probabilities and a stop string": Ask(
        said("Count from 1 to 50", enable_thinking=False),
        60,
        Sampling(temperature=0.0),
        Answer(logprobs=1),
        ("1, 2, 3, 9", "15"),
    ),
    "echo": Ask(Prompt(text="The capital"), 20, warm(), Answer(echo=True)),
    "thinking with a budget": Ask(SKY, 60, warm(seed=5), Answer(thinking_budget=6)),
    "no thinking allowed": Ask(SKY, 60, warm(seed=5), Answer(thinking_budget=0)),
    "JSON": Ask("Give me JSON for a person called Alice aged 30.", 90, answer=JSON),
    "JSON that is brought to its end": Ask(SKY, 60, warm(), JSON),
    "a schema": Ask(SKY, 90, warm(seed=4), held_to(PERSON)),
    "a schema without thinking": Ask(said(SKY, enable_thinking=False), 60, warm(), held_to(PERSON)),
    "a schema that is cut short": Ask(
        said(SKY, enable_thinking=False), 40, warm(temperature=2.0), held_to(PERSON)
    ),
    "a schema after a budget": Ask(SKY, 90, warm(), held_to(PERSON, thinking_budget=4)),
    # It has to answer first; that its thinking was closed for it does not show in a token.
    "a model that would end while it thinks": Ask(
        SKY, 70, warm(temperature=1.2, seed=0, logit_bias={"2": 9.0}), JSON
    ),
    "a pattern": Ask(SKY, 60, warm(temperature=2.0), WORDS),
    "a pattern that is cut short": Ask(
        said(SKY, enable_thinking=False), 30, warm(temperature=2.0), WORDS
    ),
    "a call": Ask(said(NYC, tools=(WEATHER,)), 200),
    "a call without thinking": Ask(said(NYC, tools=(WEATHER,), enable_thinking=False), 100),
    "a call that must come": Ask(
        said(SKY, tools=(WEATHER,)), 120, warm(), Answer(tool_choice="required")
    ),
    "a call that is cut off": Ask(said(NYC, tools=(WEATHER,), enable_thinking=False), 16),
    "three choices": Ask(SKY, 25, warm(temperature=2.0), Answer(choices=3)),
    "three choices in a schema": Ask(
        said(SKY, enable_thinking=False), 40, warm(), held_to(PERSON, choices=3)
    ),
}


@pytest.fixture(scope="module")
def exact() -> Iterator[EngineRun]:
    run = EngineRun(
        LoadSpec(
            "tiny",
            str(TINY),
            context=ContextSpec(window=1024, slots=1, n_batch=1, n_ubatch=1, n_threads=1),
            placement=PlacementSpec(n_gpu_layers=0),
            # What is not there cannot help: each answer is made from its tokens.
            cache=CacheSpec(mode="off"),
        )
    )
    yield run
    run.stop_all()


@pytest.mark.parametrize("title", ASKS)
def test_a_resumed_answer_is_the_answer(exact: EngineRun, title: str) -> None:
    ask = ASKS[title]
    events = exact.record(ask.begin(exact))
    uncut = whole(events)
    dice = random.Random(title)
    ends = {0, 1, len(events) - 2, len(events) - 1}
    for at in sorted(ends | {dice.randrange(len(events)) for _ in range(CUTS)}):
        assert_same(resume(exact, ask, events, at), uncut)
