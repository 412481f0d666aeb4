"""OpenAI's Chat Completions request: from the body's bytes to a `Job`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from kronk.gateway.dialects.constraints import constraint
from kronk.gateway.dialects.fields import load_object, members, string, wrong
from kronk.gateway.dialects.generation import (
    METADATA_SCHEMA,
    MOST_TOKENS,
    GenerationBody,
    body_schema,
    check_metadata,
    check_min_tokens,
    read,
    sampling,
    session,
    stops,
)
from kronk.gateway.dialects.media import MediaCollector
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.dialects.thinking import Effort, enable_thinking, template_kwargs
from kronk.gateway.dialects.tools import CHOICE_SCHEMA, TOOLS_SCHEMA, Toolbox, refuse_both, toolbox
from kronk.gateway.job import Job, generate
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Answer, Prompt

from . import messages
from .continuing import beginning, check_place
from .service import TIER, PromptCacheOptions, Retention, Tier

# OpenAI's own bound; the manual's is 5.
MOST_TOP_LOGPROBS = 20

# Known to OpenAI or the manual and not built: each with the values that change nothing, which
# clients send as a matter of course. Null says nothing anywhere.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "modalities": (["text"],),
    "audio": (),
    "verbosity": ("medium",),
    "web_search_options": (),
    "moderation": (),
    "functions": ([],),
    "function_call": ("none", "auto"),
}
# OpenAI's first form of tools, whose answers had a form of their own too.
_NEWER = {"functions": "tools", "function_call": "tool_choice"}

_PREDICTION_SCHEMA = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type", "content"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "content"},
                "content": {
                    "anyOf": [
                        {"type": "string"},
                        {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["type", "text"],
                                "additionalProperties": False,
                                "properties": {
                                    "type": {"const": "text"},
                                    "text": {"type": "string"},
                                },
                            },
                        },
                    ]
                },
            },
        },
        {"type": "null"},
    ]
}


class ChatBody(GenerationBody):
    """The fields of a chat request, but for the sampling parameters."""

    model_config = ConfigDict(title="ChatCompletionRequest")

    messages: Annotated[list[Any], WithJsonSchema(messages.SCHEMA)]
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    tools: Annotated[Any, WithJsonSchema(TOOLS_SCHEMA)] = None
    tool_choice: Annotated[Any, WithJsonSchema(CHOICE_SCHEMA)] = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    enable_thinking: bool | None = None
    thinking_budget: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    chat_template_kwargs: dict[str, Any] | None = None
    # Whether the last message is the beginning of the answer.
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    # There is one tier; the answer says so to whom it matters.
    service_tier: Tier | None = None
    # Taken and not acted on: they describe the caller, not the answer.
    safety_identifier: str | None = Field(default=None, max_length=128)
    metadata: Annotated[Any, WithJsonSchema(METADATA_SCHEMA)] = None
    store: bool | None = None
    # Likewise: they say how to be fast, and prefixes are found and kept here without them.
    prompt_cache_key: str | None = None
    prompt_cache_retention: Retention | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prediction: Annotated[Any, WithJsonSchema(_PREDICTION_SCHEMA)] = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to run, and in which form the caller wants the answer."""

    job: Job
    stream: bool
    include_usage: bool
    choices: int
    # With log-probabilities.
    scored: bool
    # What the answer says of `service_tier`; None where nobody asked.
    tier: str | None
    # Whether chunks are padded to hide the length of what is in them.
    padded: bool


def parse(body: bytes, imc_header: str | None = None) -> ChatRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    return parse_object(load_object(body), imc_header)


def parse_object(given: dict[str, Any], imc_header: str | None = None) -> ChatRequest:
    """The same of a body that was read already."""
    _refuse_old_tools(given)
    fields = read(ChatBody, given, NEUTRAL)
    check_metadata(fields.metadata)
    _check_prediction(fields.prediction)
    box = toolbox(fields.tools, fields.tool_choice)
    answer = _answer(fields, box)
    sampled, max_tokens = sampling(given), _max_tokens(fields)
    check_min_tokens(sampled, max_tokens)
    media = MediaCollector()
    said = messages.plain_messages(fields.messages, media)
    whether = enable_thinking(
        fields.enable_thinking,
        fields.chat_template_kwargs,
        reasoning_effort=fields.reasoning_effort,
    )
    check_place(fields.continue_final_message, fields.add_generation_prompt)
    prefill = None
    if fields.continue_final_message:
        prefill = beginning(said, _clashes(answer, box, whether=whether))
    prompt = Prompt(
        messages=said if prefill is None else said[:-1],
        prefill=prefill,
        media=media.media,
        tools=box.tools,
        tool_params=box.params,
        template_kwargs=template_kwargs(fields.chat_template_kwargs),
        enable_thinking=whether if prefill is None else False,
        reasoning_effort=fields.reasoning_effort,
        session=session(fields, imc_header),
    )
    job = generate(fields.model, prompt, sampled, answer, max_tokens, stops(fields.stop))
    return ChatRequest(
        job=replace(job, ttl=ttl(fields)),
        stream=bool(fields.stream),
        include_usage=fields.include_usage,
        choices=answer.choices,
        scored=answer.logprobs is not None,
        tier=fields.service_tier and TIER,
        padded=fields.pads,
    )


def schema() -> dict[str, Any]:
    """The JSON schema of a request."""
    return body_schema(ChatBody)


def _refuse_old_tools(given: dict[str, Any]) -> None:
    for old, new in _NEWER.items():
        if given.get(old) and given[old] not in NEUTRAL[old]:
            raise InvalidArgument(
                f"'{old}' is not supported by this version of Kronk: OpenAI has replaced it by "
                f"'{new}', which is",
                param=old,
            )


def _check_prediction(value: object) -> None:
    if value is None:
        return
    where = "prediction"
    given = members(value, where, "type", "content")
    _check_type(given, "content", where)
    content = given.get("content")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong(f"{where}.content", "a string or an array of text parts", content)
    for at, part in enumerate(content):
        inner = f"{where}.content[{at}]"
        _check_type(members(part, inner, "type", "text"), "text", inner)
        string(part.get("text"), f"{inner}.text")


def _check_type(given: dict[str, Any], only: str, where: str) -> None:
    if given.get("type") != only:
        raise InvalidArgument(f"'{where}.type': must be '{only}'", param=f"{where}.type")


def _answer(fields: ChatBody, box: Toolbox) -> Answer:
    found = constraint(fields)
    refuse_both(found, box)
    # The manual: asking for alternatives is asking for log-probabilities (8.7).
    scored = fields.logprobs or fields.top_logprobs
    return Answer(
        constraint=found,
        tool_choice=box.choice,
        tool_name=box.name,
        parallel_tool_calls=fields.parallel_tool_calls is not False,
        logprobs=fields.top_logprobs or 0 if scored else None,
        thinking_budget=fields.thinking_budget,
        choices=fields.n or 1,
    )


def _clashes(answer: Answer, box: Toolbox, *, whether: bool | None) -> dict[str, bool]:
    """What leaves no room for words that an answer begins with."""
    return {
        "response_format": answer.constraint is not None,
        "tool_choice": box.must_call,
        "enable_thinking": whether is True,
        "thinking_budget": bool(answer.thinking_budget),
    }


def _max_tokens(fields: ChatBody) -> int | None:
    old, new = fields.max_tokens, fields.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise InvalidArgument(
            f"'max_tokens' ({old}) and 'max_completion_tokens' ({new}) differ; send one of them",
            param="max_tokens",
        )
    return new if old is None else old
