"""Whatever is damaged in a good request, each dialect refuses it in words or makes a message of it
that the wire can carry: nothing that a client sends is an error of ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import conversations as said
from harness.conversations import Asked, Assistant, Call, Result, System, Tool, User
from harness.media_files import png
from kronk.gateway.dialects.anthropic import request as messages
from kronk.gateway.dialects.ollama import chat as ollama
from kronk.gateway.dialects.openai import chat
from kronk.gateway.dialects.responses import request as responses
from kronk.gateway.job import Job
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.wire.codec import encode

NAME = "resp_6553f100" + "ab" * 20
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CALL = Call("c1", "first", {"a": "x"})
ASKED = Asked(
    turns=(
        System("s"),
        User("u", (png(1, 2, 3, size=2),)),
        Assistant("t", "th", (CALL,)),
        Result(CALL, "r"),
        User("x"),
    ),
    tools=(Tool("first", "d", SCHEMA),),
    schema=SCHEMA,
    stop=("a",),
    sampling={"temperature": 1, "logit_bias": {"1": 2}, "dry_sequence_breakers": ["x"]},
    max_tokens=99,
    thinks=True,
    effort="low",
    ttl=5,
)
SPACE = {
    "type": "namespace",
    "name": "n",
    "description": "d",
    "tools": [{"type": "function", "name": "f", "parameters": {}}],
}
Parse = Callable[[bytes], Job]
GOOD: dict[str, tuple[Parse, dict[str, Any]]] = {
    "chat": (lambda raw: chat.parse(raw).job, said.chat(ASKED, "m")),
    "responses": (
        lambda raw: responses.parse(raw, NAME, 1, lambda _: None).job,
        said.responses(ASKED, "m") | {"tools": [SPACE], "include": [], "metadata": {"a": "b"}},
    ),
    "anthropic": (lambda raw: messages.parse(raw).job, said.anthropic(ASKED, "m")),
    "count": (messages.parse_count, said.anthropic_count(ASKED, "m")),
    "ollama": (lambda raw: ollama.parse(raw).job, said.ollama(ASKED, "m")),
}
# What stands where something else should, or beside it.
STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 2**63, 2**70, 0.5, 1e308, "", "x", "auto", "none", "\0", "é"),
    *([], {}, [None], [1], ["x"], [[]], [{}], {"": 1}, {"type": "x"}, {"type": "text"}),
    *({"type": None}, {"type": []}, {"type": {}}, {"role": "user"}, {"type": "text", "text": 5}),
]
NAMES = ("type", "role", "id", "name", "content", "text", "frobnicate")


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


@st.composite
def damaged(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The body after one to three things were replaced, removed or put in."""
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(_places(body))))
        held: Any = body
        for step in path:
            held = held[step]
        strange = copy.deepcopy(draw(st.sampled_from(STRANGE)))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                held[last] = strange
            case "remove" if len(body) > 1:
                del held[last]
            case _ if isinstance(held, list):
                held.insert(last, strange)
            case _:
                held[draw(st.sampled_from(NAMES))] = strange
    return body


@pytest.mark.parametrize("dialect", GOOD)
def test_the_request_that_is_damaged_is_good(dialect: str) -> None:
    parse, body = GOOD[dialect]
    assert parse(json.dumps(body).encode()).model == "m"


@pytest.mark.parametrize("dialect", GOOD)
@given(data=st.data())
def test_a_damaged_request_is_refused_in_words_or_can_be_sent(
    dialect: str, data: st.DataObject
) -> None:
    parse, body = GOOD[dialect]
    raw = json.dumps(data.draw(damaged(body))).encode()
    try:
        job = parse(raw)
    except (InvalidArgument, NotFound) as refusal:
        assert refusal.message
        assert refusal.param is not None
    else:
        if job.ask is not None:
            encode(1, [job.message(1, "name")])
