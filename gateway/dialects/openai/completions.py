"""OpenAI's Completions request, the one without messages: from the body's bytes to jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from kronk.gateway.dialects import token_ids
from kronk.gateway.dialects.constraints import constraint
from kronk.gateway.dialects.fields import load_object, wrong
from kronk.gateway.dialects.generation import (
    MOST_CHOICES,
    GenerationBody,
    body_schema,
    check_min_tokens,
    read,
    sampling,
    session,
    stops,
)
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.job import Job, generate
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Answer, Prompt

# OpenAI's default.
MAX_TOKENS = 16
# OpenAI's bound.
MOST_LOGPROBS = 5
# Prompts of one request that stand in the queue like requests of their own. A queue is a few places
# deep, and clients send twenty prompts at a time: the others wait for slots that nobody else wants.
AT_ONCE = 4
_PROMPT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "minItems": 1, "items": {"type": "string"}},
        token_ids.SCHEMA,
        {"type": "array", "minItems": 1, "items": token_ids.SCHEMA},
    ]
}


class CompletionBody(GenerationBody):
    """The fields of a completion request, but for the sampling parameters."""

    model_config = ConfigDict(title="CompletionRequest")

    prompt: Annotated[Any, WithJsonSchema(_PROMPT_SCHEMA)]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = Field(default=None, ge=0, le=MOST_LOGPROBS)
    best_of: int | None = Field(default=None, ge=1, le=MOST_CHOICES)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What to run, a job for each prompt, and in which form the caller wants the answer."""

    jobs: tuple[Job, ...]
    stream: bool
    include_usage: bool
    # What each choice begins with: its prompt, when it is to be echoed and is text, or nothing.
    openings: tuple[str, ...]
    # For each prompt.
    choices: int
    # Alternatives per token; None without log-probabilities.
    logprobs: int | None
    # Whether chunks are padded to hide the length of what is in them.
    padded: bool


def parse(body: bytes, imc_header: str | None = None) -> CompletionRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    given = load_object(body)
    fields = read(CompletionBody, given, {})
    prompts = _prompts(fields.prompt)
    _check_choices(fields, len(prompts))
    _check_text_only(fields, prompts)
    answer = Answer(
        constraint=constraint(fields),
        logprobs=fields.logprobs,
        choices=fields.n or 1,
        echo=None if isinstance(prompts[0], str) or not fields.echo else "prompt",
    )
    sampled = sampling(given)
    max_tokens = MAX_TOKENS if fields.max_tokens is None else fields.max_tokens
    check_min_tokens(sampled, max_tokens)
    stop, name = stops(fields.stop), session(fields, imc_header)
    jobs = [
        generate(
            fields.model, _prompt(prompt, fields.suffix, name), sampled, answer, max_tokens, stop
        )
        for prompt in prompts
    ]
    stay = ttl(fields)
    return CompletionRequest(
        jobs=tuple(
            replace(job, ttl=stay, priority="interactive" if at < AT_ONCE else "batch")
            for at, job in enumerate(jobs)
        ),
        stream=bool(fields.stream),
        include_usage=fields.include_usage,
        openings=tuple(
            prompt if fields.echo and isinstance(prompt, str) else ""
            for prompt in prompts
            for _ in range(answer.choices)
        ),
        choices=answer.choices,
        logprobs=fields.logprobs,
        padded=fields.pads,
    )


def schema() -> dict[str, Any]:
    """The JSON schema of a request."""
    schema = body_schema(CompletionBody)
    schema["properties"]["max_tokens"]["default"] = MAX_TOKENS
    return schema


def _prompt(prompt: str | tuple[int, ...], suffix: str | None, name: str | None) -> Prompt:
    if isinstance(prompt, str):
        return Prompt(text=prompt, suffix=suffix, session=name)
    return Prompt(tokens=prompt, session=name)


def _prompts(value: object) -> list[str | tuple[int, ...]]:
    """One or more prompts, each text or token ids."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise wrong("prompt", "a string or an array", value)
    if not value:
        raise InvalidArgument("'prompt' must not be empty", param="prompt")
    match value[0]:
        case str():
            return [_text(item, at) for at, item in enumerate(value)]
        case list():
            return [token_ids.token_ids(item, f"prompt[{at}]") for at, item in enumerate(value)]
    return [token_ids.token_ids(value, "prompt")]


def _text(value: object, at: int) -> str:
    if not isinstance(value, str):
        raise wrong(f"prompt[{at}]", "a string like the first", value)
    return value


def _check_choices(fields: CompletionBody, prompts: int) -> None:
    choices = fields.n or 1
    if prompts * choices > MOST_CHOICES:
        raise InvalidArgument(
            f"{prompts} prompts with {choices} choices each are more than {MOST_CHOICES} choices",
            param="prompt",
        )
    if fields.best_of is not None and fields.best_of < choices:
        raise InvalidArgument(
            f"'best_of' ({fields.best_of}) must not be less than 'n' ({choices})", param="best_of"
        )
    if fields.best_of is not None and fields.best_of > choices:
        raise InvalidArgument(
            f"'best_of' ({fields.best_of}) greater than 'n' ({choices}) is not supported: "
            "every choice that is generated is returned",
            param="best_of",
        )


def _check_text_only(fields: CompletionBody, prompts: list[str | tuple[int, ...]]) -> None:
    is_text = isinstance(prompts[0], str)
    if fields.suffix is not None and not is_text:
        raise InvalidArgument("'suffix' needs a 'prompt' of text, not token ids", param="suffix")
    if fields.echo and fields.logprobs is not None:
        raise InvalidArgument(
            "'echo' and 'logprobs' together are not supported: a prompt's tokens have no "
            "log-probabilities here",
            param="echo",
        )
