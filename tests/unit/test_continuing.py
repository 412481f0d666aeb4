"""`continue_final_message`: what the answer goes on from, and what it cannot go on from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.openai.chat import parse
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Prompt

HI = {"role": "user", "content": "Hi!"}
BEGUN = {"role": "assistant", "content": "Hello, my"}
TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def prompt(messages: list[Any], **fields: Any) -> Prompt:
    body = {"model": "m", "messages": messages, "continue_final_message": True, **fields}
    asked = parse(json.dumps(body).encode()).job.message(1, "x")
    assert isinstance(asked, Submit)
    return asked.prompt


@pytest.mark.parametrize("content", ["Hello, my", [{"type": "text", "text": "Hello, my"}]])
@pytest.mark.parametrize("fields", [{}, {"add_generation_prompt": False}])
def test_the_answer_begins_with_the_last_message_and_does_not_think(
    content: Any, fields: dict[str, Any]
) -> None:
    asked = prompt([HI, {"role": "assistant", "content": content}], **fields)
    assert asked.messages == (HI,)
    assert (asked.prefill, asked.enable_thinking) == ("Hello, my", False)


def test_white_space_at_its_end_stays_the_clients() -> None:
    assert prompt([HI, {"role": "assistant", "content": "One:\n\n"}]).prefill == "One:\n\n"


def test_calls_may_be_offered() -> None:
    asked = prompt([HI, BEGUN], tools=[TOOL])
    assert [tool["function"]["name"] for tool in asked.tools] == ["f"]


def test_without_it_the_assistants_last_words_are_a_turn_like_any_other() -> None:
    asked = prompt([HI, BEGUN], continue_final_message=False, add_generation_prompt=True)
    assert (asked.messages, asked.prefill) == ((HI, BEGUN), None)


@pytest.mark.parametrize(
    ("messages", "fields", "param", "says"),
    [
        ([HI], {}, "messages[0]", "role assistant"),
        ([BEGUN], {}, "messages[0]", "role user"),
        ([HI, BEGUN | {"content": ""}], {}, "messages[1]", "text to go on from"),
        (
            [HI, BEGUN | {"tool_calls": [CALL]}],
            {"tools": [TOOL]},
            "messages[1]",
            "nothing else",
        ),
        ([HI, BEGUN], {"regex": "a+"}, "continue_final_message", "response_format"),
        (
            [HI, BEGUN],
            {"tools": [TOOL], "tool_choice": "required"},
            "continue_final_message",
            "tool_choice",
        ),
        ([HI, BEGUN], {"enable_thinking": True}, "continue_final_message", "enable_thinking"),
        ([HI, BEGUN], {"thinking_budget": 5}, "continue_final_message", "thinking_budget"),
        ([HI, BEGUN], {"add_generation_prompt": True}, "continue_final_message", "both"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused(
    messages: list[Any], fields: dict[str, Any], param: str, says: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        prompt(messages, **fields)
    assert caught.value.param == param
    assert says in caught.value.message
