"""Four dialects say the same: whatever several can express asks the same of a model, and whatever
the model sends reads back the same with each vendor's own client."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import answered
from harness import conversations as said
from harness.conversations import Asked, Assistant, Call, Result, System, Tool, User
from harness.events import DONE, SCRIPTS, STARTED, R
from harness.media_files import png
from kronk.gateway.dialects import tokens
from kronk.gateway.dialects.anthropic import request as messages
from kronk.gateway.dialects.anthropic.stream import MessageChunks
from kronk.gateway.dialects.anthropic.whole import MessageWhole
from kronk.gateway.dialects.ollama import chat as ollama
from kronk.gateway.dialects.ollama.answer import OllamaChunks, OllamaWhole, chat_form
from kronk.gateway.dialects.openai import chat
from kronk.gateway.dialects.openai.chat_answer import ChatChunks
from kronk.gateway.dialects.openai.chat_whole import ChatWhole
from kronk.gateway.dialects.responses import request as responses
from kronk.gateway.dialects.responses.ids import ItemNames
from kronk.gateway.dialects.responses.output import Output
from kronk.gateway.dialects.responses.stream import ResponseChunks
from kronk.gateway.dialects.responses.whole import ResponseWhole
from kronk.gateway.job import Job
from kronk.gateway.operation import Chunks, Whole
from kronk.gateway.run import Event
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.to_worker import Inspect, Submit
from kronk.shared.wire.values import Answer, Media, Prompt, Timings, Usage

NAME = "resp_6553f100" + "ab" * 20
NOW = 0x6553F100

# What is asked.

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
IMAGES = [png(shade, 0, 0, size=2) for shade in (0, 128, 255)]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(TEXT, VALUES, max_size=3)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOLS = tuple(Tool(name, f"It does {name}.", SCHEMA) for name in ("first", "second", "third"))
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    name: st.sampled_from([row.least, row.most])
    for name, row in PARAMETERS.items()
    if row.kind in ("float", "int") and name != "min_tokens"
}
REST: dict[str, st.SearchStrategy[Any]] = {
    "ignore_eos": st.booleans(),
    "logit_bias": st.dictionaries(st.sampled_from(["1", "22"]), st.integers(-5, 5)),
    "dry_sequence_breakers": st.lists(TEXT, max_size=2),
}


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Any, ...]:
    """Turns of each kind, where every call has its result; the user or a result is the last."""
    ids = (f"call{at:05d}" for at in itertools.count())
    turns: list[Any] = [System(draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        turns.append(draw(_users()))
        for _ in range(draw(st.integers(0, 2))):
            turns += draw(_steps(ids))
        turns.append(Assistant(draw(TEXT), draw(st.just("") | TEXT)))
    turns.append(draw(_users()))
    return (*turns, *(draw(_steps(ids)) if draw(st.booleans()) else ()))


def _users() -> st.SearchStrategy[User]:
    return st.builds(User, TEXT, st.lists(st.sampled_from(IMAGES), max_size=2).map(tuple))


@st.composite
def _steps(draw: st.DrawFn, ids: Iterable[str]) -> list[Any]:
    names = draw(st.lists(st.sampled_from([tool.name for tool in TOOLS]), min_size=1, max_size=3))
    calls = tuple(Call(id, name, draw(ARGUMENTS)) for name, id in zip(names, ids, strict=False))
    spoken = Assistant(draw(st.just("") | TEXT), draw(st.just("") | TEXT), calls)
    return [spoken, *(Result(call, draw(TEXT)) for call in calls)]


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    tools = draw(st.sampled_from([(), TOOLS[:1], TOOLS]))
    choice = draw(
        st.sampled_from(["auto", "auto", "none", "required", tools[0].name])
        if tools
        else st.just("auto")
    )
    must_call = choice not in ("auto", "none")
    thinks = draw(st.none() | st.booleans())
    return Asked(
        turns=draw(conversations()),
        tools=tools,
        choice=choice,
        is_parallel=draw(st.booleans()),
        schema=None if must_call else draw(st.sampled_from([None, SCHEMA])),
        stop=tuple(draw(st.lists(TEXT, max_size=3))),
        sampling=draw(st.fixed_dictionaries({}, optional=NUMBERS | REST)),
        max_tokens=draw(st.none() | st.integers(1, 5000)),
        thinks=thinks,
        budget=draw(st.none() | st.integers(1, 2000)),
        effort=draw(st.sampled_from([None, "low", "medium", "high", "xhigh", "max"])),
        session=draw(st.none() | TEXT),
        ttl=draw(st.sampled_from([None, 0, 60, 1.5])),
    )


def _raw(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def _of_chat(asked: Asked) -> Job:
    return chat.parse(_raw(said.chat(asked, "m"))).job


def _of_responses(asked: Asked) -> Job:
    return responses.parse(_raw(said.responses(asked, "m")), NAME, NOW, lambda _: None).job


def _of_anthropic(asked: Asked) -> Job:
    return messages.parse(_raw(said.anthropic(asked, "m"))).job


def _of_ollama(asked: Asked) -> Job:
    return ollama.parse(_raw(said.ollama(asked, "m"))).job


def meaning(job: Job) -> Job:
    """Without what only names the client's own fields in errors, and without tools that must not
    be called, of which the model sees nothing."""
    ask = job.ask
    assert isinstance(ask, Submit)
    answer = ask.answer
    if answer.constraint is not None:
        answer = dataclasses.replace(
            answer, constraint=dataclasses.replace(answer.constraint, param="")
        )
    return dataclasses.replace(
        job,
        ask=dataclasses.replace(
            ask,
            prompt=_plain(ask.prompt, may_call=answer.tool_choice != "none"),
            answer=dataclasses.replace(answer, limit_param=None),
        ),
    )


def _plain(prompt: Prompt, *, may_call: bool) -> Prompt:
    assert prompt.messages is not None
    return dataclasses.replace(
        prompt,
        messages=tuple(_with_objects(message) for message in prompt.messages),
        tools=prompt.tools if may_call else (),
        tool_params=(),
        param=None,
        media=tuple(Media(file.kind, file.data, "") for file in prompt.media),
    )


def _with_objects(message: dict[str, Any]) -> dict[str, Any]:
    """Arguments as objects, which is how the worker gives them to templates."""
    calls = [
        {**call, "function": {**call["function"], "arguments": _object(call)}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls} if calls else message


def _object(call: dict[str, Any]) -> Any:
    arguments = call["function"]["arguments"]
    return json.loads(arguments) if isinstance(arguments, str) else arguments


@given(requests())
def test_what_is_asked_is_the_same_in_both_dialects_of_openai(asked: Asked) -> None:
    assert meaning(_of_responses(asked)) == meaning(_of_chat(asked))


@given(requests().map(lambda asked: dataclasses.replace(asked, max_tokens=asked.max_tokens or 9)))
def test_what_is_asked_is_the_same_in_the_dialect_of_anthropic(asked: Asked) -> None:
    if not said.anthropic_can(asked):
        asked = dataclasses.replace(asked, budget=None, is_parallel=True)
    assert meaning(_of_anthropic(asked)) == meaning(_of_chat(asked))


@given(requests())
def test_what_is_asked_is_the_same_in_the_dialect_of_ollama(asked: Asked) -> None:
    if not said.ollama_can(asked):
        plain: dict[str, Any] = {"choice": "auto", "is_parallel": True}
        asked = dataclasses.replace(asked, **plain, budget=None, session=None, effort=None)
    assert meaning(_of_ollama(asked)) == meaning(_of_chat(asked))


@given(requests().map(lambda asked: dataclasses.replace(asked, max_tokens=asked.max_tokens or 9)))
def test_what_is_counted_is_what_would_be_answered(asked: Asked) -> None:
    if not said.anthropic_can(asked):
        asked = dataclasses.replace(asked, budget=None, is_parallel=True)
    count = responses.parse_count(_raw(said.responses(asked, "m")), NAME, NOW, lambda _: None)
    assert _seen(count) == _seen(_of_responses(asked))
    template = tokens.parse_template(_raw(said.chat(asked, "m")))
    assert _seen(template) == _seen(_of_chat(asked))
    # A count belongs to no session.
    alone = dataclasses.replace(asked, session=None)
    count = messages.parse_count(_raw(said.anthropic_count(asked, "m")))
    assert _seen(count) == _seen(_of_anthropic(alone))


def _seen(job: Job) -> tuple[Prompt, Answer]:
    """All that the text before the model can depend on."""
    assert isinstance(job.ask, Submit | Inspect)
    return job.ask.prompt, job.ask.answer


# What is answered.


Reader = Callable[[Sequence[Event], Done], answered.Answered]


def _write(chunks: Chunks, events: Iterable[Event], done: Done) -> bytes:
    written = chunks.opening() + b"".join([chunks.event(event) for event in events])
    return written + chunks.closing(done)


def _collect(whole: Whole, events: Iterable[Event], done: Done) -> bytes:
    for event in events:
        whole.add(event)
    return json.dumps(whole.body(done)).encode()


def _born() -> tuple[dict[str, Any], Output]:
    asked = responses.parse(_raw({"model": "m", "input": "hi"}), NAME, NOW, lambda _: None)
    return asked.born, Output(ItemNames(NAME), "plain", {})


def _chat_whole(events: Sequence[Event], done: Done) -> answered.Answered:
    whole = ChatWhole("c", "m", NOW, choices=1, scored=False)
    return answered.chat_whole(_collect(whole, events, done))[0]


def _chat_stream(events: Sequence[Event], done: Done) -> answered.Answered:
    chunks = ChatChunks("c", "m", NOW, choices=1, include_usage=True)
    return answered.chat_stream(_write(chunks, events, done))[0]


def _responses_whole(events: Sequence[Event], done: Done) -> answered.Answered:
    whole = ResponseWhole(*_born(), lambda: NOW)
    return answered.responses_whole(_collect(whole, events, done))


def _responses_stream(events: Sequence[Event], done: Done) -> answered.Answered:
    chunks = ResponseChunks(*_born(), lambda: NOW)
    return answered.responses_stream(_write(chunks, events, done))


def _anthropic_whole(events: Sequence[Event], done: Done) -> answered.Answered:
    return answered.anthropic_whole(_collect(MessageWhole("m", "m"), events, done))


def _anthropic_stream(events: Sequence[Event], done: Done) -> answered.Answered:
    return answered.anthropic_stream(_write(MessageChunks("m", "m"), events, done))


def _ollama_whole(events: Sequence[Event], done: Done) -> answered.Answered:
    return answered.ollama_whole(_collect(OllamaWhole("m", chat_form, lambda: NOW), events, done))


def _ollama_stream(events: Sequence[Event], done: Done) -> answered.Answered:
    return answered.ollama_stream(_write(OllamaChunks("m", chat_form, lambda: NOW), events, done))


READERS: dict[str, Reader] = {
    "chat whole": _chat_whole,
    "chat stream": _chat_stream,
    "responses whole": _responses_whole,
    "responses stream": _responses_stream,
    "anthropic whole": _anthropic_whole,
    "anthropic stream": _anthropic_stream,
    "ollama whole": _ollama_whole,
    "ollama stream": _ollama_stream,
}
PIECES = st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=1, max_size=3)


@dataclass(frozen=True)
class Script:
    """What a worker sends, and what it means."""

    events: tuple[Event, ...]
    done: Done
    means: answered.Answered


@st.composite
def scripts(draw: st.DrawFn, choice: int = 0) -> Script:
    """An answer of text, thinking, calls and calls that are none, in any order."""
    events: list[Event] = [STARTED]
    text, thinking, calls, begun = "", "", [], 0
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "call", "none"]), max_size=5)):
        pieces = draw(PIECES)
        match kind:
            case "text":
                text += "".join(pieces)
                events += [Delta(R, choice, piece, (1,)) for piece in pieces]
            case "thinking":
                thinking += "".join(pieces)
                events += [ReasoningDelta(R, choice, piece, (1,)) for piece in pieces]
            case "call":
                name, arguments = draw(st.sampled_from(["first", "second"])), draw(ARGUMENTS)
                events += _call(choice, begun, name, json.dumps(arguments), draw(st.integers(1, 9)))
                calls.append((name, arguments))
                begun += 1
            case _:
                raw = "".join(pieces)
                events += _call(
                    choice, begun, answered.TAKEN_BACK, '{"a": ' + raw, draw(st.integers(1, 9))
                )
                events.append(ToolCallRetracted(R, choice, begun, f"<call>{raw}"))
                text += f"<call>{raw}"
                begun += 1
    why = draw(st.sampled_from(["length", "tool_calls" if calls else "stop"]))
    stop = draw(st.sampled_from([None, "END"])) if why == "stop" else None
    events.append(Finished(R, choice, why, stop))
    usage = Usage(draw(st.integers(9, 99)), draw(st.integers(0, 99)), draw(st.integers(0, 9)))
    counts = (usage.prompt_tokens, usage.completion_tokens)
    done = Done(R, usage, Timings(0.25, 0.5, 1.0))
    return Script(
        tuple(events), done, answered.Answered(text, thinking, tuple(calls), why, *counts)
    )


def _call(choice: int, index: int, name: str, text: str, length: int) -> list[Event]:
    pieces = [text[at : at + length] for at in range(0, len(text), length)]
    return [
        ToolCallDelta(R, choice, index, f"call_{choice}_{index}", name, ""),
        *(ToolCallDelta(R, choice, index, None, None, piece) for piece in pieces),
    ]


@pytest.mark.parametrize("name", READERS)
@given(scripts())
def test_an_answer_reads_back_as_what_the_model_said(name: str, script: Script) -> None:
    assert READERS[name](script.events, script.done) == script.means


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name != "call_retracted"])
def test_the_scripts_of_the_goldens_mean_the_same_in_all_dialects(script: str) -> None:
    read = {name: reader(SCRIPTS[script], DONE) for name, reader in READERS.items()}
    assert len(set(map(repr, read.values()))) == 1, read


@given(st.lists(scripts(), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_choices_of_a_chat_do_not_get_into_each_other(scripts: list[Script], random: Any) -> None:
    own = [_for_choice(script.events[1:], at) for at, script in enumerate(scripts)]
    turns = [at for at, events in enumerate(own) for _ in events]
    random.shuffle(turns)
    left = [iter(events) for events in own]
    mixed = [STARTED, *(next(left[at]) for at in turns)]
    whole = ChatWhole("c", "m", NOW, choices=len(own), scored=False)
    chunks = ChatChunks("c", "m", NOW, choices=len(own), include_usage=True)
    counts = {"prompt_tokens": 20, "completion_tokens": 9}
    means = [dataclasses.replace(script.means, **counts) for script in scripts]
    assert answered.chat_whole(_collect(whole, mixed, DONE)) == means
    assert answered.chat_stream(_write(chunks, mixed, DONE)) == means


def _for_choice(events: Iterable[Event], choice: int) -> list[Event]:
    return [dataclasses.replace(event, choice=choice) for event in events]  # type: ignore[call-arg]
