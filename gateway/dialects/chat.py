"""OpenAI's Chat Completions request: from the body's bytes to a `Job`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.job import Job, generate
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import SAMPLING_LIMITS
from kronk.shared.wire.values import Answer, Prompt, Sampling

from . import messages
from .fields import first_error, load_object, unrecognized, unsupported

# OpenAI takes 4; more is cheap for us and local clients use it.
MOST_STOPS = 16

# Known to OpenAI or the manual and not built: each with the values that change nothing, which
# clients send as a matter of course. Null says nothing anywhere.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0, 0.0),
    "presence_penalty": (0, 0.0),
    "repeat_penalty": (1, 1.0),
    "repeat_last_n": (),
    "dry_multiplier": (0, 0.0),
    "dry_base": (),
    "dry_allowed_length": (),
    "xtc_probability": (0, 0.0),
    "typical_p": (1, 1.0),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "grammar": ("",),
    "json_schema": (),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "reasoning_effort": (),
    "enable_thinking": (),
    "chat_template_kwargs": ({},),
    "verbosity": (),
    "service_tier": ("auto", "default"),
    "web_search_options": (),
    "imc_id": (),
}


def _limits(name: str) -> Any:
    least, most = SAMPLING_LIMITS[name]
    return Field(default=None, ge=least, le=most)


class StreamOptions(BaseModel):
    """`stream_options`; obfuscation pads chunks against eavesdroppers, which we do not do."""

    model_config = ConfigDict(strict=True, extra="forbid")

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class ChatBody(BaseModel):
    """The fields this version honours; `parse` deals with all others first."""

    model_config = ConfigDict(strict=True, extra="forbid", title="ChatCompletionRequest")

    model: Annotated[str, Field(min_length=1, max_length=1024)]
    messages: Annotated[list[Any], WithJsonSchema(messages.SCHEMA)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = _limits("temperature")
    top_p: float | None = _limits("top_p")
    top_k: int | None = _limits("top_k")
    min_p: float | None = _limits("min_p")
    seed: int | None = _limits("seed")
    max_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    max_completion_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    # Checked by hand: a union's errors name both branches.
    stop: Annotated[
        Any,
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {
                        "type": "array",
                        "items": {"type": "string", "minLength": 1},
                        "maxItems": MOST_STOPS,
                    },
                    {"type": "null"},
                ]
            }
        ),
    ] = None
    # Taken and not acted on: they describe the caller, not the answer.
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to run, and in which form the caller wants the answer."""

    job: Job
    stream: bool
    include_usage: bool
    choices: int = 1
    scored: bool = False


def parse(body: bytes) -> ChatRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    given = load_object(body)
    _refuse_unbuilt(given)
    try:
        fields = ChatBody.model_validate(
            {key: value for key, value in given.items() if key not in NEUTRAL}
        )
    except ValidationError as error:
        raise first_error(error) from None
    options = fields.stream_options
    if options is not None and not fields.stream:
        raise InvalidArgument(
            "'stream_options' is only allowed when 'stream' is true", param="stream_options"
        )
    return ChatRequest(
        job=generate(
            model=fields.model,
            prompt=Prompt(messages=messages.plain_messages(fields.messages)),
            sampling=Sampling(
                temperature=fields.temperature,
                top_k=fields.top_k,
                top_p=fields.top_p,
                min_p=fields.min_p,
                seed=fields.seed,
            ),
            answer=Answer(),
            max_tokens=_max_tokens(fields),
            stop=_stops(fields.stop),
        ),
        stream=bool(fields.stream),
        include_usage=bool(options and options.include_usage),
    )


def _refuse_unbuilt(given: dict[str, Any]) -> None:
    for key, value in given.items():
        if key in NEUTRAL:
            if value is not None and not any(_same(value, good) for good in NEUTRAL[key]):
                raise unsupported(key)
        elif key not in ChatBody.model_fields:
            raise unrecognized(key[:100])


def _same(value: object, good: object) -> bool:
    # The types too: to Python False is 0, and to a caller it is a mistake.
    return type(value) is type(good) and value == good


def _max_tokens(fields: ChatBody) -> int | None:
    old, new = fields.max_tokens, fields.max_completion_tokens
    if old is not None and new is not None and old != new:
        raise InvalidArgument(
            f"'max_tokens' ({old}) and 'max_completion_tokens' ({new}) differ; send one of them",
            param="max_tokens",
        )
    return new if old is None else old


def _stops(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidArgument("'stop' must be a string or an array of strings", param="stop")
    if not all(value):
        raise InvalidArgument("'stop': a stop string must not be empty", param="stop")
    if len(value) > MOST_STOPS:
        raise InvalidArgument(
            f"'stop' takes {MOST_STOPS} strings at most, got {len(value)}", param="stop"
        )
    return tuple(value)
