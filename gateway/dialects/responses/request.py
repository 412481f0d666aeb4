"""OpenAI's Responses request: from the body's bytes to a `Job` and a response that is born."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from kronk.gateway.dialects.constraints import only_one, text_format
from kronk.gateway.dialects.fields import NOT_SUPPORTED, load_object
from kronk.gateway.dialects.generation import (
    METADATA_SCHEMA,
    MOST_TOKENS,
    TextBody,
    body_schema,
    check_metadata,
    check_min_tokens,
    read,
    sampling,
    session,
    stops,
)
from kronk.gateway.dialects.media import MediaCollector
from kronk.gateway.dialects.openai.service import TIER, PromptCacheOptions, Retention, Tier
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.dialects.thinking import Effort, enable_thinking, template_kwargs
from kronk.gateway.dialects.tools import Toolbox, refuse_both
from kronk.gateway.job import Job, generate, inspect
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling

from .conversation import chat_messages
from .ids import ItemNames
from .items import Item, answered, check_names, input_items, places
from .namespaces import Spaces, spaces_of
from .references import Shelf
from .schemas import FORMAT, INPUT, TOOL_CHOICE, TOOLS
from .stored import Find, PreviousResponseNotFound, Stored
from .tools import echoed_tools, toolbox

MOST_TOP_LOGPROBS = 20
# What one record may take, which is what one body may have.
MOST_STORED_BYTES = 32 * 1024 * 1024

# Known to OpenAI and not built: each with the values that change nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "background_options": (),
    "conversation": (),
    "prompt": (),
    "context_management": ([],),
    "moderation": (),
    "image": (),
    "access_programs": (),
}
# What to do instead.
_INSTEAD = {
    "background": f"responses in the background are {NOT_SUPPORTED}; send 'stream'",
    "conversation": f"conversations are {NOT_SUPPORTED}; send 'previous_response_id'",
    "prompt": f"prompt templates are {NOT_SUPPORTED}; send 'instructions' and 'input'",
}
# Of Chat Completions, each with what it is called here.
_MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}
_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED = "reasoning.encrypted_content"
# Of the others: what they would add to is never in an answer of ours, or is always there.
INCLUDABLE = (
    _LOGPROBS,
    _ENCRYPTED,
    "message.input_image.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
)
_INCLUDE_SCHEMA = {
    "anyOf": [{"type": "array", "items": {"enum": list(INCLUDABLE)}}, {"type": "null"}]
}
Summary = Literal["auto", "concise", "detailed"]


class ReasoningFields(BaseModel):
    """`reasoning`. Thinking is told in full, so there is never a summary of it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None
    # The values that change nothing.
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


class TextFields(BaseModel):
    """`text`. OpenAI's models that cannot be told how much to say take "medium" alone too."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: Annotated[Any, WithJsonSchema(FORMAT)] = None
    verbosity: Literal["medium"] | None = None


class ResponseBody(TextBody):
    """The fields of a Responses request, but for the sampling parameters."""

    model_config = ConfigDict(title="ResponseRequest")

    input: Annotated[Any, WithJsonSchema(INPUT)] = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    reasoning: ReasoningFields | None = None
    text: TextFields | None = None
    tools: Annotated[Any, WithJsonSchema(TOOLS)] = None
    tool_choice: Annotated[Any, WithJsonSchema(TOOL_CHOICE)] = None
    parallel_tool_calls: bool | None = None
    # Of built-in tools, of which there are none.
    max_tool_calls: int | None = Field(default=None, ge=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    include: Annotated[list[str] | None, WithJsonSchema(_INCLUDE_SCHEMA)] = None
    enable_thinking: bool | None = None
    thinking_budget: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    chat_template_kwargs: dict[str, Any] | None = None
    # Taken and repeated, and not acted on: they describe the caller, not the answer.
    metadata: Annotated[Any, WithJsonSchema(METADATA_SCHEMA)] = None
    safety_identifier: str | None = Field(default=None, max_length=128)
    # Codex's: which installation and which turn of it asks.
    client_metadata: dict[str, str] | None = None
    service_tier: Tier | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Retention | None = None
    prompt_cache_options: PromptCacheOptions | None = None


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """What to run, and what is made of it."""

    job: Job
    stream: bool
    # The response object before there is an answer.
    born: dict[str, Any]
    # Names for the items of the output.
    names: ItemNames
    # What becomes of a conversation that does not fit.
    overlong: Literal["refuse", "shorten"]
    # Whether events are padded to hide the length of what is in them.
    padded: bool
    # In which form thinking is told.
    carried: Literal["plain", "sealed"]
    # The functions in namespaces.
    spaces: Spaces
    # What is kept, but for the answer; None where nothing is.
    kept: Stored | None


def parse(
    body: bytes, name: str, now: int, find: Find, imc_header: str | None = None
) -> ResponseRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable.

    The response will be called `name` and was born at `now`, in seconds.
    """
    given = load_object(body)
    _refuse_by_name(given)
    fields = read(ResponseBody, given, NEUTRAL)
    check_metadata(fields.metadata)
    included = _included(fields.include)
    box = toolbox(fields.tools, fields.tool_choice)
    answer = _answer(fields, box, included)
    sampled, most = sampling(given), fields.max_output_tokens
    check_min_tokens(sampled, most, "max_output_tokens")
    names, before = ItemNames(name), _before(fields.previous_response_id, find)
    shelf = Shelf(find)
    new = input_items(fields.input, names, shelf)
    items = _conversation(before, new)
    prompt = _prompt(fields, items, places(fields.input, new), box, session(fields, imc_header))
    born = _born(fields, sampled, name, now)
    size = len(body) + (before.size if before else 0)
    if not shelf.is_empty:
        size = len(json.dumps(items))
    job = generate(fields.model, prompt, sampled, answer, most, stops(fields.stop))
    return ResponseRequest(
        job=replace(job, ttl=ttl(fields)),
        stream=bool(fields.stream),
        born=born,
        names=names,
        overlong="shorten" if fields.truncation == "auto" else "refuse",
        padded=fields.pads,
        carried="sealed" if _ENCRYPTED in included else "plain",
        spaces=spaces_of(fields.tools),
        kept=None if fields.store is False else _kept(born, items, size),
    )


def parse_count(body: bytes, name: str, now: int, find: Find) -> Job:
    """What measures the prompt of the request in `body` instead of answering it."""
    job = parse(body, name, now, find).job
    assert isinstance(job.ask, Submit)
    counting = inspect(job.model, job.ask.prompt, answer=job.ask.answer)
    return replace(counting, ttl=job.ttl)


def schema() -> dict[str, Any]:
    """The JSON schema of a request."""
    said = {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1}]}
    begun = {"type": "string"}
    return body_schema(ResponseBody) | {
        # Something must have been said, in this request or before it.
        "anyOf": [
            {"required": ["input"], "properties": {"input": said}},
            {"required": ["previous_response_id"], "properties": {"previous_response_id": begun}},
        ]
    }


def _refuse_by_name(given: dict[str, Any]) -> None:
    for old, new in _MOVED.items():
        if old in given:
            raise InvalidArgument(
                f"Unsupported parameter: '{old}'. In the Responses API, this parameter has moved "
                f"to '{new}'.",
                param=old,
            )
    for name, reason in _INSTEAD.items():
        if given.get(name) is not None and given[name] not in NEUTRAL[name]:
            raise InvalidArgument(f"'{name}': {reason}", param=name)


def _included(include: list[str] | None) -> frozenset[str]:
    for at, name in enumerate(include or ()):
        if name not in INCLUDABLE:
            raise InvalidArgument(
                f"Invalid value for 'include[{at}]': expected one of {', '.join(INCLUDABLE)}, got "
                f"{name[:60]!r}",
                param=f"include[{at}]",
            )
    return frozenset(include or ())


def _before(name: str | None, find: Find) -> Stored | None:
    if name is None:
        return None
    found = find(name)
    if found is None:
        raise PreviousResponseNotFound(
            f"Previous response with id '{name[:100]}' not found.", param="previous_response_id"
        )
    return found


def _conversation(before: Stored | None, new: list[Item]) -> list[Item]:
    """All items that are answered, those of earlier turns first."""
    items = [*(before.conversation if before else ()), *new]
    if not items:
        raise InvalidArgument(
            "'input': must be a string or have at least one item, unless there is a "
            "'previous_response_id'",
            param="input",
        )
    check_names(items)
    return answered(items)


def _prompt(
    fields: ResponseBody,
    items: list[Item],
    fields_of: dict[str, str],
    box: Toolbox,
    session: str | None,
) -> Prompt:
    media = MediaCollector()
    effort = fields.reasoning.effort if fields.reasoning else None
    said = {"reasoning.effort": effort}
    return Prompt(
        messages=chat_messages(fields.instructions, items, fields_of, media),
        media=media.media,
        tools=box.tools,
        tool_params=box.params,
        template_kwargs=template_kwargs(fields.chat_template_kwargs),
        enable_thinking=enable_thinking(
            fields.enable_thinking, fields.chat_template_kwargs, **said
        ),
        reasoning_effort=effort,
        session=session,
        param="input",
    )


def _answer(fields: ResponseBody, box: Toolbox, included: frozenset[str]) -> Answer:
    found = only_one(text_format(fields.text.format if fields.text else None), fields)
    refuse_both(found, box)
    # As in chats, asking for alternatives is asking for log-probabilities.
    scored = fields.top_logprobs or _LOGPROBS in included
    return Answer(
        constraint=found,
        tool_choice=box.choice,
        tool_name=box.name,
        parallel_tool_calls=fields.parallel_tool_calls is not False,
        logprobs=fields.top_logprobs or 0 if scored else None,
        thinking_budget=fields.thinking_budget,
        limit_param="max_output_tokens",
    )


def _born(fields: ResponseBody, sampled: Sampling, name: str, now: int) -> dict[str, Any]:
    """The response object with what was asked for. Null is "as the model is configured"."""
    reasoning = fields.reasoning or ReasoningFields()
    said = fields.text.format if fields.text else None
    retention = fields.prompt_cache_retention
    return {
        "id": name,
        "object": "response",
        "created_at": now,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": fields.instructions,
        "max_output_tokens": fields.max_output_tokens,
        "max_tool_calls": fields.max_tool_calls,
        "metadata": fields.metadata or {},
        "model": fields.model,
        "output": [],
        "parallel_tool_calls": fields.parallel_tool_calls is not False,
        "previous_response_id": fields.previous_response_id,
        "prompt_cache_key": fields.prompt_cache_key,
        "prompt_cache_retention": retention and retention.replace("-", "_"),
        "reasoning": {
            "effort": reasoning.effort,
            "summary": reasoning.summary or reasoning.generate_summary,
        },
        "safety_identifier": fields.safety_identifier,
        "service_tier": TIER,
        "store": fields.store is not False,
        "temperature": sampled.temperature,
        "text": {"format": said or {"type": "text"}, "verbosity": "medium"},
        "tool_choice": fields.tool_choice or "auto",
        "tools": echoed_tools(fields.tools),
        "top_logprobs": fields.top_logprobs or 0,
        "top_p": sampled.top_p,
        "truncation": fields.truncation or "disabled",
        "usage": None,
        "user": fields.user,
    }


def _kept(born: dict[str, Any], items: list[Item], size: int) -> Stored:
    if size > MOST_STORED_BYTES:
        raise InvalidArgument(
            f"'store': the conversation is larger than the {MOST_STORED_BYTES} bytes that are "
            "kept of one; send 'store' as false",
            param="store",
        )
    return Stored(born, items, size)
