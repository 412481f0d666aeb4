"""A request in no dialect, and how each of the four that chat writes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    arguments: Json


@dataclass(frozen=True)
class System:
    text: str


@dataclass(frozen=True)
class User:
    """Images stand before the text: one dialect knows no other order."""

    text: str
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Assistant:
    text: str
    thinking: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Result:
    call: Call
    text: str


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    parameters: Json


@dataclass(frozen=True)
class Asked:
    """What a client wants; None is what it does not say."""

    turns: tuple[System | User | Assistant | Result, ...]
    tools: tuple[Tool, ...] = ()
    # "auto", "none", "required", or the name of a tool.
    choice: str = "auto"
    is_parallel: bool = True
    schema: Json | None = None
    stop: tuple[str, ...] = ()
    sampling: Json = field(default_factory=dict)
    max_tokens: int | None = None
    thinks: bool | None = None
    budget: int | None = None
    effort: str | None = None
    session: str | None = None
    ttl: float | None = None


def chat(asked: Asked, model: str, *, stream: bool = False) -> Json:
    """OpenAI's Chat Completions."""
    body = {
        **_said(asked, model, stream),
        **asked.sampling,
        **_openai_thinking(asked),
        "messages": [_chat_message(turn) for turn in asked.turns],
        "max_tokens": asked.max_tokens,
        "stop": list(asked.stop) or None,
        "reasoning_effort": asked.effort,
        "tools": [_function(tool) for tool in asked.tools] or None,
        "tool_choice": _openai_choice(asked, lambda name: {"function": {"name": name}}),
        "parallel_tool_calls": None if asked.is_parallel else False,
        "imc_id": asked.session,
    }
    if asked.schema is not None:
        form = {"name": "answer", "schema": asked.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return _without_nulls(body)


def responses(asked: Asked, model: str, *, stream: bool = False) -> Json:
    """OpenAI's Responses."""
    body = {
        **_said(asked, model, stream),
        **asked.sampling,
        **_openai_thinking(asked),
        "input": [item for turn in asked.turns for item in _items(turn)],
        "store": False,
        "max_output_tokens": asked.max_tokens,
        "stop": list(asked.stop) or None,
        "reasoning": {"effort": asked.effort} if asked.effort else None,
        "tools": [{"type": "function", **_function(tool)["function"]} for tool in asked.tools]
        or None,
        "tool_choice": _openai_choice(asked, lambda name: {"name": name}),
        "parallel_tool_calls": None if asked.is_parallel else False,
        "imc_id": asked.session,
    }
    if asked.schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": asked.schema, "strict": True}
        body["text"] = {"format": form}
    return _without_nulls(body)


def anthropic(asked: Asked, model: str, *, stream: bool = False) -> Json:
    """Anthropic's Messages."""
    turns = list(asked.turns)
    system = turns.pop(0).text if isinstance(turns[0], System) else None
    output: Json = {"effort": asked.effort}
    if asked.schema is not None:
        output["format"] = {"type": "json_schema", "schema": asked.schema}
    body = {
        **_said(asked, model, stream),
        **asked.sampling,
        "system": system,
        "messages": [_anthropic_message(turn) for turn in turns],
        "max_tokens": asked.max_tokens,
        "stop_sequences": list(asked.stop) or None,
        "thinking": _anthropic_thinking(asked),
        "output_config": _without_nulls(output) or None,
        "tools": [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in asked.tools
        ]
        or None,
        "tool_choice": _anthropic_choice(asked),
        "imc_id": asked.session,
    }
    return _without_nulls(body)


def anthropic_count(asked: Asked, model: str) -> Json:
    """The same for Anthropic's count of its tokens: what limits the answer is no part of it."""
    counted = ("model", "system", "messages", "tools", "tool_choice", "thinking", "output_config")
    return {key: value for key, value in anthropic(asked, model).items() if key in counted}


def ollama(asked: Asked, model: str, *, stream: bool = False) -> Json:
    """Ollama's chat."""
    options = {**asked.sampling, "num_predict": asked.max_tokens, "stop": list(asked.stop) or None}
    body = {
        **_said(asked, model, stream),
        "messages": [_ollama_message(turn) for turn in asked.turns],
        "options": _without_nulls(options) or None,
        "think": asked.effort or asked.thinks,
        "format": asked.schema,
        "tools": [_function(tool) for tool in asked.tools] or None,
    }
    return _without_nulls(body)


def anthropic_can(asked: Asked) -> bool:
    """Whether Anthropic's API has words for it: a budget is for those that shall think, and what
    shall call has no choice about several calls only where it may call."""
    return (
        asked.max_tokens is not None
        and (
            asked.budget is None or (asked.thinks is True and 1 <= asked.budget < asked.max_tokens)
        )
        and asked.effort not in ("none", "minimal")
        and (asked.is_parallel or asked.choice != "none")
    )


def ollama_can(asked: Asked) -> bool:
    """Whether Ollama's API has words for it; a level of thinking is one that shall think."""
    return (
        asked.choice == "auto"
        and asked.is_parallel
        and asked.budget is None
        and asked.session is None
        and (
            asked.effort is None
            or (asked.thinks is True and asked.effort in ("low", "medium", "high", "max"))
        )
    )


def _without_nulls(body: Json) -> Json:
    return {key: value for key, value in body.items() if value is not None}


def _said(asked: Asked, model: str, stream: bool) -> Json:
    return {"model": model, "stream": stream, "ttl": asked.ttl}


def _openai_thinking(asked: Asked) -> Json:
    return {"enable_thinking": asked.thinks, "thinking_budget": asked.budget}


def _openai_choice(asked: Asked, named: Callable[[str], Json]) -> Any:
    if asked.choice in ("auto", "none", "required"):
        return None if asked.choice == "auto" else asked.choice
    return {"type": "function", **named(asked.choice)}


def _anthropic_choice(asked: Asked) -> Json | None:
    if asked.choice == "none":
        return {"type": "none"}
    parallel = {} if asked.is_parallel else {"disable_parallel_tool_use": True}
    match asked.choice:
        case "auto":
            return {"type": "auto", **parallel} if parallel else None
        case "required":
            return {"type": "any", **parallel}
    return {"type": "tool", "name": asked.choice, **parallel}


def _anthropic_thinking(asked: Asked) -> Json | None:
    if asked.budget is not None:
        return {"type": "enabled", "budget_tokens": asked.budget}
    return {None: None, True: {"type": "adaptive"}, False: {"type": "disabled"}}[asked.thinks]


def _function(tool: Tool) -> Json:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _base64(image: bytes) -> str:
    return base64.b64encode(image).decode()


def _data_url(image: bytes) -> str:
    return f"data:image/png;base64,{_base64(image)}"


def _chat_message(turn: System | User | Assistant | Result) -> Json:
    match turn:
        case System(text):
            return {"role": "system", "content": text}
        case User(text, images):
            shown: list[Json] = [
                {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in images
            ]
            content = [*shown, {"type": "text", "text": text}] if shown else text
            return {"role": "user", "content": content}
        case Assistant(text, thinking, calls):
            made = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
                }
                for call in calls
            ]
            message = {"role": "assistant", "content": text, "reasoning_content": thinking or None}
            return _without_nulls({**message, "tool_calls": made or None})
        case Result(call, text):
            return {"role": "tool", "tool_call_id": call.id, "content": text}


def _items(turn: System | User | Assistant | Result) -> Iterator[Json]:
    match turn:
        case System(text):
            yield {"role": "system", "content": text}
        case User(text, images):
            shown: list[Json] = [
                {"type": "input_image", "image_url": _data_url(image)} for image in images
            ]
            content = [*shown, {"type": "input_text", "text": text}] if shown else text
            yield {"role": "user", "content": content}
        case Assistant(text, thinking, calls):
            if thinking:
                content = [{"type": "reasoning_text", "text": thinking}]
                yield {"type": "reasoning", "summary": [], "content": content}
            if text:
                yield {
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": text, "annotations": []}],
                }
            for call in calls:
                yield {
                    "type": "function_call",
                    "call_id": call.id,
                    "name": call.name,
                    "arguments": json.dumps(call.arguments),
                }
        case Result(call, text):
            yield {"type": "function_call_output", "call_id": call.id, "output": text}


def _anthropic_message(turn: System | User | Assistant | Result) -> Json:
    match turn:
        case System(text):
            return {"role": "system", "content": text}
        case User(text, images):
            blocks: list[Json] = [
                {
                    "type": "image",
                    "source": {
                        "type": "base64",
                        "media_type": "image/png",
                        "data": _base64(image),
                    },
                }
                for image in images
            ]
            return {"role": "user", "content": [*blocks, {"type": "text", "text": text}]}
        case Assistant(text, thinking, calls):
            blocks = []
            if thinking:
                blocks.append({"type": "thinking", "thinking": thinking, "signature": "s"})
            if text:
                blocks.append({"type": "text", "text": text})
            for call in calls:
                block = {"type": "tool_use", "id": call.id, "name": call.name}
                blocks.append({**block, "input": call.arguments})
            return {"role": "assistant", "content": blocks}
        case Result(call, text):
            block = {"type": "tool_result", "tool_use_id": call.id, "content": text}
            return {"role": "user", "content": [block]}


def _ollama_message(turn: System | User | Assistant | Result) -> Json:
    match turn:
        case System(text):
            return {"role": "system", "content": text}
        case User(text, images):
            message: Json = {"role": "user", "content": text}
            return (
                {**message, "images": [_base64(image) for image in images]} if images else message
            )
        case Assistant(text, thinking, calls):
            made = [
                {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
                for call in calls
            ]
            message = {"role": "assistant", "content": text, "thinking": thinking or None}
            return _without_nulls({**message, "tool_calls": made or None})
        case Result(call, text):
            return {"role": "tool", "content": text, "tool_name": call.name}
