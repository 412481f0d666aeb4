"""An assistant's message at the end of a Messages request is what the answer begins with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.anthropic.request import parse, parse_count
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Inspect, Submit

USER = {"role": "user", "content": "Give me JSON."}
TOOL = {"name": "now", "input_schema": {"type": "object"}}


def body(*messages: Any, **more: Any) -> bytes:
    return json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [USER, *messages], **more}
    ).encode()


def said(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("content", "prefill"),
    [
        ("{", "{"),
        ([{"type": "text", "text": "I say"}, {"type": "text", "text": "so"}], "I say\nso"),
    ],
)
def test_the_answer_begins_with_it_and_does_not_think(content: Any, prefill: str) -> None:
    ask = parse(body(said(content))).job.ask
    assert isinstance(ask, Submit)
    assert (ask.prompt.prefill, ask.prompt.enable_thinking) == (prefill, False)
    assert ask.prompt.messages == (USER,)


def test_its_tokens_are_counted_too() -> None:
    counted = json.loads(body(said("{")))
    del counted["max_tokens"]
    ask = parse_count(json.dumps(counted).encode()).ask
    assert isinstance(ask, Inspect)
    assert ask.prompt.prefill == "{"


@pytest.mark.parametrize(
    ("content", "more", "problem"),
    [
        ("{ ", {}, "white space"),
        ([{"type": "thinking", "thinking": "Hm", "signature": "kronk.v1."}], {}, "thinking blocks"),
        ([{"type": "tool_use", "id": "a", "name": "now", "input": {}}], {}, "tool_result"),
        ("{", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "'thinking'"),
        ("{", {"tools": [TOOL], "tool_choice": {"type": "any"}}, "'tool_choice'"),
    ],
)
def test_what_it_cannot_be_is_refused(content: Any, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as refused:
        parse(body(said(content), **{"max_tokens": 2000, **more}))
    assert refused.value.param == "messages[1]"


def test_it_must_answer_somebody() -> None:
    alone = json.dumps({"model": "m", "max_tokens": 9, "messages": [said("{")]}).encode()
    with pytest.raises(InvalidArgument, match="there is no message of the role user"):
        parse(alone)
