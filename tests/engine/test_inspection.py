"""What a model would see of a prompt: the same as when it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import random_gguf, random_pooled
from harness.engine import EngineRun
from kronk.shared.errors import CallerError, InvalidArgument, TooLarge
from kronk.shared.wire.loading import ContextSpec, LoadSpec, PlacementSpec
from kronk.shared.wire.to_gateway import Done, Inspected
from kronk.shared.wire.to_worker import LISTED_AT_ONCE, Detail, Inspect, Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling
from kronk.worker import inspection
from kronk.worker.inspection import inspect
from kronk.worker.library import LlamaLog
from kronk.worker.loader import load
from kronk.worker.pooled.loader import PooledLoaded
from kronk.worker.prepare import prepare

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
ALL: tuple[Detail, ...] = ("text", "tokens", "pieces")
HELLO = ({"role": "user", "content": "Hello!"},)
TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time in a zone",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
    },
}
CALLED = (
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Zeit? 🕰"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "get_time", "arguments": '{"zone": "UTC"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "a", "content": "12:00"},
)
PROMPTS = {
    "a chat": Prompt(HELLO),
    "a chat that does not think": Prompt(HELLO, enable_thinking=False),
    "a chat without effort": Prompt(HELLO, reasoning_effort="none"),
    "a chat with tools": Prompt(HELLO, tools=(TOOL,)),
    "a chat with calls": Prompt(CALLED, tools=(TOOL,), enable_thinking=False),
    "a text": Prompt(text="Hello <|im_end|> you"),
    "tokens": Prompt(tokens=(1, 700, 2047)),
}


def spec(path: Path) -> LoadSpec:
    return LoadSpec(
        "tiny",
        str(path),
        context=ContextSpec(window=512, slots=1, n_threads=1),
        placement=PlacementSpec(n_gpu_layers=0),
    )


@pytest.fixture(scope="module")
def tiny() -> Iterator[EngineRun]:
    run = EngineRun(spec(TINY))
    yield run
    run.stop_all()


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> PooledLoaded:
    path = random_pooled.encoder(
        tmp_path_factory.mktemp("models") / "mean.gguf", random_pooled.MEAN
    )
    log = LlamaLog()
    _LOGS.append(log)
    loaded = load(spec(path), log_lines=log, report=lambda _: None, emit=lambda _: None)
    assert isinstance(loaded, PooledLoaded)
    return loaded


# llama.cpp keeps the callback of the newest.
_LOGS: list[LlamaLog] = []


def look(
    loaded: Any, prompt: Prompt, wants: tuple[Detail, ...] = ALL, **options: bool
) -> tuple[Inspected, int]:
    """What was found, and how many tokens the usage counts."""
    *parts, done = inspect(Inspect(7, "look", prompt, wants=wants, **options), loaded)
    assert isinstance(done, Done)
    assert (done.request, done.usage.completion_tokens) == (7, 0)
    found = Inspected(7, "", (), (), loaded.fitted.n_ctx)
    for part in parts:
        assert isinstance(part, Inspected)
        assert len(part.tokens) <= LISTED_AT_ONCE
        assert (part.request, part.n_ctx) == (7, found.n_ctx)
        found = replace(
            found,
            text=found.text + part.text,
            tokens=found.tokens + part.tokens,
            pieces=found.pieces + part.pieces,
        )
    return found, done.usage.prompt_tokens


@pytest.mark.parametrize("name", PROMPTS)
def test_what_is_inspected_is_what_would_be_answered(tiny: EngineRun, name: str) -> None:
    prompt = PROMPTS[name]
    submit = Submit(1, "ask", prompt, Sampling(), Answer(), 5, (), 64)
    found, count = look(tiny.loaded, prompt, add_special=True)
    assert list(found.tokens) == list(prepare(submit, tiny.loaded).prompt)
    assert count == len(found.tokens) == len(found.pieces)
    assert b"".join(found.pieces).decode() == found.text


def test_a_chat_is_shown_as_the_template_writes_it(tiny: EngineRun) -> None:
    found, _ = look(tiny.loaded, PROMPTS["a chat that does not think"])
    assert found.text == (
        "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    found, _ = look(tiny.loaded, PROMPTS["a chat"], add_generation_prompt=False)
    assert found.text == "<|im_start|>user\nHello!<|im_end|>\n"


def test_only_what_is_wanted_is_carried(tiny: EngineRun) -> None:
    whole, count = look(tiny.loaded, PROMPTS["a chat"])
    for wants in ((), ("text",), ("tokens",), ("pieces",)):
        found, counted = look(tiny.loaded, PROMPTS["a chat"], wants)
        assert counted == count
        assert found.text == (whole.text if "text" in wants else "")
        assert found.tokens == (whole.tokens if "tokens" in wants else ())
        assert found.pieces == (whole.pieces if "pieces" in wants else ())


def test_names_of_special_tokens_are_text_where_that_is_asked_for(tiny: EngineRun) -> None:
    prompt = Prompt(text="<|im_end|>")
    assert look(tiny.loaded, prompt)[1] == 1
    found, count = look(tiny.loaded, prompt, parse_special=False)
    assert count > 1
    assert b"".join(found.pieces) == b"<|im_end|>"


def test_a_prompt_that_does_not_fit_is_counted(tiny: EngineRun) -> None:
    words = "word " * 20_000
    for prompt in (Prompt(text=words), Prompt(({"role": "user", "content": words},))):
        assert look(tiny.loaded, prompt, ())[1] > 20_000


def test_many_tokens_come_in_parts(tiny: EngineRun) -> None:
    tokens = tuple(at % 2000 for at in range(2 * LISTED_AT_ONCE + 1))
    asked = Inspect(7, "look", Prompt(tokens=tokens), wants=ALL)
    *parts, _ = inspect(asked, tiny.loaded)
    assert [len(part.tokens) for part in parts if isinstance(part, Inspected)] == [
        LISTED_AT_ONCE,
        LISTED_AT_ONCE,
        1,
    ]
    assert look(tiny.loaded, Prompt(tokens=tokens))[0].tokens == tokens


def test_more_tokens_are_counted_than_are_listed(
    tiny: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_LISTED", 10)
    prompt = Prompt(tokens=(5,) * 11)
    assert look(tiny.loaded, prompt, ("text",))[1] == 11
    for wants in (("tokens",), ("pieces",)):
        with pytest.raises(TooLarge, match="of its 11 tokens at most 10"):
            look(tiny.loaded, prompt, wants)  # type: ignore[arg-type]


def test_what_takes_too_long_to_count_is_refused(
    tiny: EngineRun, pooled: PooledLoaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MOST_BYTES", 1000)
    monkeypatch.setattr(inspection, "MOST_TOKENS", 1000)
    # Characters are not bytes.
    for loaded in (tiny.loaded, pooled):
        assert look(loaded, Prompt(text="é" * 500), ())[1] > 0
        for prompt in (Prompt(text="é" * 501), Prompt(tokens=(5,) * 1001)):
            with pytest.raises(TooLarge, match="at most 1000"):
                look(loaded, prompt)
    with pytest.raises(TooLarge, match="'messages'"):
        look(tiny.loaded, Prompt(({"role": "user", "content": "x" * 1000},)))


@pytest.mark.parametrize("token", [-1, 2048, 2**31, 2**40])
def test_a_token_of_no_vocabulary_is_named(tiny: EngineRun, token: int) -> None:
    with pytest.raises(InvalidArgument, match=r"tokens\[1\].* 0 to 2047") as caught:
        look(tiny.loaded, Prompt(tokens=(1, token)))
    assert caught.value.param == "tokens[1]"


def test_a_template_that_refuses_a_chat_says_so(tiny: EngineRun) -> None:
    # The template wants objects where the client sent something else.
    with pytest.raises(CallerError, match="chat template"):
        look(tiny.loaded, Prompt(({"role": "user", "content": 5},)))


def test_characters_may_be_spread_over_pieces(tiny: EngineRun) -> None:
    found, _ = look(tiny.loaded, Prompt(text="🕰"))
    assert len(found.tokens) > 1
    with pytest.raises(UnicodeDecodeError):
        found.pieces[0].decode()
    half, _ = look(tiny.loaded, Prompt(tokens=found.tokens[:1]))
    assert half.text == "�"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_text_comes_back_from_its_tokens(tiny: EngineRun, text: str) -> None:
    tokens = look(tiny.loaded, Prompt(text=text), parse_special=False)[0].tokens
    assert look(tiny.loaded, Prompt(tokens=tokens))[0].text == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2047), max_size=30))
def test_any_tokens_have_a_text(tiny: EngineRun, tokens: list[int]) -> None:
    found, count = look(tiny.loaded, Prompt(tokens=tuple(tokens)))
    assert count == len(tokens)
    assert b"".join(found.pieces).decode("utf-8", "replace") == found.text


# Models that pool.


def test_a_text_to_embed_has_its_special_tokens_around_it(pooled: PooledLoaded) -> None:
    bare, _ = look(pooled, Prompt(text="red fox"))
    whole, _ = look(pooled, Prompt(text="red fox"), add_special=True, parse_special=False)
    assert whole.tokens[1:-1] == bare.tokens
    assert list(whole.tokens) == pooled.vocabulary.text("red fox")
    # Their words begin with a space each, the first too.
    assert look(pooled, Prompt(tokens=bare.tokens))[0].text == " red fox"


def test_what_makes_embeddings_does_not_chat(pooled: PooledLoaded) -> None:
    with pytest.raises(InvalidArgument, match=r"makes embeddings .*it does not chat"):
        look(pooled, Prompt(HELLO))


def test_a_gap_is_shown_with_its_marks(tmp_path: Path) -> None:
    marks = {"fim_pre": 40, "fim_suf": 41, "fim_mid": 42}
    path = tmp_path / "code.gguf"
    random_gguf.write(path, random_gguf.LLAMA, tokens=marks)
    run = EngineRun(spec(path))
    found, _ = look(run.loaded, Prompt(text="a", suffix="b"), add_special=True)
    assert set(marks.values()) <= set(found.tokens)
    run.stop_all()
