"""An answer as each vendor's own client reads it, whole or streamed, and what all of them mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from ollama import ChatResponse
from openai import omit
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

# The name of calls that are taken back, so that a reader of a chat's stream knows them.
TAKEN_BACK = "taken_back"
_RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


@dataclass(frozen=True)
class Answered:
    """An answer as its reader understands it."""

    text: str
    thinking: str
    # Name and arguments.
    calls: tuple[tuple[str, Any], ...]
    why: str
    prompt_tokens: int
    completion_tokens: int


def chat_whole(body: bytes) -> list[Answered]:
    """OpenAI's Chat Completions; the choices in their order."""
    return _chat(ChatCompletion.model_validate_json(body))


def chat_stream(body: bytes) -> list[Answered]:
    """The same, streamed with `include_usage`."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    *parts, end = _data(body)
    assert end == b"[DONE]"
    for part in parts:
        list(state.handle_chunk(ChatCompletionChunk.model_validate_json(part)))
    return _chat(ChatCompletion.model_validate(state.current_completion_snapshot.to_dict()))


def responses_whole(body: bytes) -> Answered:
    """OpenAI's Responses."""
    return _response(Response.model_validate_json(body))


def responses_stream(body: bytes) -> Answered:
    """The same, streamed."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    last = None
    for part in _data(body):
        last = _RESPONSE_EVENT.validate_json(part)
        state.handle_event(last)
    assert last is not None
    return _response(last.response)


def anthropic_whole(body: bytes) -> Answered:
    """Anthropic's Messages."""
    return _message(Message.model_validate_json(body))


def anthropic_stream(body: bytes) -> Answered:
    """The same, streamed."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for part in _data(body):
        if json.loads(part)["type"] != "ping":
            event = _MESSAGE_EVENT.validate_json(part)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return _message(Message.model_validate(snapshot.to_dict()))


def ollama_whole(body: bytes) -> Answered:
    """Ollama's chat."""
    return _chat_response([ChatResponse.model_validate_json(body)])


def ollama_stream(body: bytes) -> Answered:
    """The same, streamed."""
    return _chat_response([ChatResponse.model_validate_json(line) for line in body.splitlines()])


def _data(stream: bytes) -> list[bytes]:
    lines = [line for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return [line.removeprefix(b"data: ") for line in lines]


def _chat(found: ChatCompletion) -> list[Answered]:
    assert found.usage is not None
    counts = (found.usage.prompt_tokens, found.usage.completion_tokens)
    choices = sorted(found.choices, key=lambda choice: choice.index)
    return [_choice(choice, *counts) for choice in choices]


def _choice(choice: Choice, prompt_tokens: int, completion_tokens: int) -> Answered:
    calls = []
    for call in choice.message.tool_calls or ():
        assert call.type == "function"
        assert call.id
        # A call that was taken back stays in what a stream has sent.
        if call.function.name != TAKEN_BACK:
            calls.append((call.function.name, json.loads(call.function.arguments)))
    return Answered(
        choice.message.content or "",
        (choice.message.model_extra or {}).get("reasoning_content") or "",
        tuple(calls),
        choice.finish_reason,
        prompt_tokens,
        completion_tokens,
    )


def _response(found: Response) -> Answered:
    thinking, calls = "", []
    for item in found.output:
        if item.type == "reasoning":
            thinking += "".join(part.text for part in item.content or ())
        elif item.type == "function_call":
            assert item.status == "completed"
            calls.append((item.name, json.loads(item.arguments)))
    why = "stop" if found.status == "completed" else "length"
    assert found.usage is not None
    return Answered(
        found.output_text,
        thinking,
        tuple(calls),
        "tool_calls" if calls and why == "stop" else why,
        found.usage.input_tokens,
        found.usage.output_tokens,
    )


def _message(found: Message) -> Answered:
    reasons = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
    }
    assert found.stop_reason is not None
    cached = found.usage.cache_read_input_tokens or 0
    return Answered(
        "".join(block.text for block in found.content if block.type == "text"),
        "".join(block.thinking for block in found.content if block.type == "thinking"),
        tuple((block.name, block.input) for block in found.content if block.type == "tool_use"),
        reasons[found.stop_reason],
        found.usage.input_tokens + cached,
        found.usage.output_tokens,
    )


def _chat_response(found: list[ChatResponse]) -> Answered:
    last = found[-1]
    assert last.done
    assert not any(part.done for part in found[:-1])
    calls = [call for part in found for call in part.message.tool_calls or ()]
    assert last.prompt_eval_count is not None
    assert last.eval_count is not None
    assert last.done_reason is not None
    return Answered(
        "".join(part.message.content or "" for part in found),
        "".join(part.message.thinking or "" for part in found),
        tuple((call.function.name, dict(call.function.arguments)) for call in calls),
        # It has no reason of its own for calls.
        "tool_calls" if calls and last.done_reason == "stop" else last.done_reason,
        last.prompt_eval_count,
        last.eval_count,
    )
