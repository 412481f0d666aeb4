"""Anthropic's Messages request, and its token count: from the body's bytes to a `Job`.

What is accepted and changes nothing, because the vendor's clients send it: `cache_control`
everywhere, `metadata`, `service_tier`, `diagnostics`, and the names of accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from kronk.gateway.dialects.fields import load_object
from kronk.gateway.dialects.generation import (
    LONGEST_IMC_ID,
    MOST_STOPS,
    MOST_TOKENS,
    body_schema,
    check_min_tokens,
    read_fields,
    sampling,
    session,
    stops,
    without_sampling,
)
from kronk.gateway.dialects.media import MediaCollector
from kronk.gateway.dialects.residency import Span, ttl
from kronk.gateway.dialects.tools import Toolbox, refuse_both
from kronk.gateway.job import Job, generate, inspect
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Answer, Constraint, Prompt

from .context_edits import SCHEMA as EDITS_SCHEMA
from .context_edits import thinking_turns, without_old_thinking
from .conversation import conversation
from .output import CONFIG_SCHEMA, FORMAT_SCHEMA, output_of
from .schemas import MESSAGES_SCHEMA, SYSTEM_SCHEMA
from .thinking import SCHEMA as THINKING_SCHEMA
from .thinking import Thinking, thinking_of
from .tools import CHOICE_SCHEMA, TOOLS_SCHEMA, toolbox

# What Anthropic's servers do beside the model, each with the values that ask for nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "container": (),
    "mcp_servers": ([],),
    "inference_geo": ("global",),
    "speed": ("standard",),
    "billing_policy": (),
    "compaction": (),
    "fallbacks": ([],),
    "fallback_credit_token": (),
    "thread": (),
}
# The beta in which a budget is for all thinking of a turn, between its calls too.
_INTERLEAVED = "interleaved-thinking"

# Which parts of an answer the client sees: thinking may be left out, and a request that only
# warms the cache has no answer.
Shown = Literal["everything", "no thinking", "nothing"]


class Metadata(BaseModel):
    """`metadata`: who asks."""

    model_config = ConfigDict(strict=True, extra="forbid")

    user_id: str | None = None


class ConversationBody(BaseModel):
    """What the model would see, as both requests say it."""

    model_config = ConfigDict(strict=True, extra="forbid", title="CountTokensRequest")

    model: Annotated[str, Field(min_length=1, max_length=1024)]
    messages: Annotated[list[Any], WithJsonSchema(MESSAGES_SCHEMA)]
    system: Annotated[Any, WithJsonSchema(SYSTEM_SCHEMA)] = None
    tools: Annotated[Any, WithJsonSchema(TOOLS_SCHEMA)] = None
    tool_choice: Annotated[Any, WithJsonSchema(CHOICE_SCHEMA)] = None
    thinking: Annotated[Any, WithJsonSchema(THINKING_SCHEMA)] = None
    output_config: Annotated[Any, WithJsonSchema(CONFIG_SCHEMA)] = None
    output_format: Annotated[Any, WithJsonSchema(FORMAT_SCHEMA)] = None
    context_management: Annotated[Any, WithJsonSchema(EDITS_SCHEMA)] = None
    # Taken and not acted on.
    cache_control: dict[str, Any] | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None


class MessagesBody(ConversationBody):
    """The fields of a request, but for the sampling parameters."""

    model_config = ConfigDict(strict=True, extra="forbid", title="MessagesRequest")

    # 0 only reads the prompt, so that it is cached.
    max_tokens: int = Field(ge=0, le=MOST_TOKENS)
    stop_sequences: Annotated[
        list[Annotated[str, Field(min_length=1)]] | None, Field(max_length=MOST_STOPS)
    ] = None
    stream: bool | None = None
    # The client's name for its conversation.
    imc_id: str | None = Field(default=None, min_length=1, max_length=LONGEST_IMC_ID)
    # How long the model stays loaded: Ollama's name for it, and ours.
    keep_alive: Span = None
    ttl: Span = None
    # Taken and not acted on.
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    diagnostics: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """What to run, and in which form the caller wants the answer."""

    job: Job
    stream: bool
    shown: Shown
    # The most tokens of an answer that nothing but this and the window can cut. One that is held to
    # a form is ended before, while it can still be made whole.
    limit: int | None
    # The answer is held to calls, so that none of them can turn out to be no call.
    calls_are_certain: bool


def parse(body: bytes, imc_header: str | None = None, betas: str | None = None) -> MessagesRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable.

    `betas` is the header `anthropic-beta`.
    """
    given = load_object(body)
    fields = read_fields(MessagesBody, without_sampling(given), NEUTRAL)
    asked = _ask(fields, None if _INTERLEAVED in (betas or "") else fields.max_tokens)
    sampled = sampling(given)
    check_min_tokens(sampled, fields.max_tokens)
    job = generate(
        fields.model,
        asked.prompt(session(fields, imc_header)),
        sampled,
        # What only warms the cache is cut after its first token, whatever that is.
        asked.answer() if fields.max_tokens else Answer(),
        max(fields.max_tokens, 1),
        stops(fields.stop_sequences, "stop_sequences"),
    )
    shown: Shown = "everything" if asked.thinking.is_shown else "no thinking"
    return MessagesRequest(
        job=replace(job, ttl=ttl(fields)),
        stream=bool(fields.stream),
        shown=shown if fields.max_tokens else "nothing",
        limit=None if asked.box.must_call or asked.constraint else fields.max_tokens,
        calls_are_certain=asked.box.must_call,
    )


def parse_count(body: bytes) -> Job:
    """The same for a request that only counts the tokens of the prompt."""
    fields = read_fields(ConversationBody, load_object(body), NEUTRAL)
    asked = _ask(fields, None)
    # What the answer has to be can be part of what the model sees.
    return inspect(fields.model, asked.prompt(None), answer=asked.answer())


def schema() -> dict[str, Any]:
    """The JSON schema of a request."""
    return body_schema(MessagesBody)


def count_schema() -> dict[str, Any]:
    """The JSON schema of a request for a count."""
    return ConversationBody.model_json_schema()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What both requests ask for."""

    fields: ConversationBody
    box: Toolbox
    is_parallel: bool
    thinking: Thinking
    effort: str | None
    constraint: Constraint | None
    thinking_turns: int | None

    def prompt(self, session: str | None) -> Prompt:
        media = MediaCollector()
        asked = conversation(self.fields.system, self.fields.messages, media)
        if asked.prefill is not None:
            self._check_prefill(asked.prefill_at)
        return Prompt(
            messages=without_old_thinking(asked.messages, self.thinking_turns),
            prefill=asked.prefill,
            # Those that must not be called are not put before the model.
            tools=() if self.box.choice == "none" else self.box.tools,
            tool_params=() if self.box.choice == "none" else self.box.params,
            enable_thinking=self.thinking.wanted if asked.prefill is None else False,
            reasoning_effort=self.effort,
            session=session,
            media=media.media,
        )

    def _check_prefill(self, where: str) -> None:
        """What an answer begins with leaves no room for what must come first."""
        clashes = {
            "thinking": self.thinking.wanted is True,
            "output_config.format": self.constraint is not None,
            "tool_choice": self.box.must_call,
        }
        for field, clash in clashes.items():
            if clash:
                raise InvalidArgument(
                    f"'{where}': with '{field}' the answer cannot begin with the assistant's "
                    "words: the last message must be of the role user",
                    param=where,
                )

    def answer(self) -> Answer:
        return Answer(
            constraint=self.constraint,
            tool_choice=self.box.choice,
            tool_name=self.box.name,
            parallel_tool_calls=self.is_parallel,
            thinking_budget=self.thinking.budget,
        )


def _ask(fields: ConversationBody, max_tokens: int | None) -> _Asked:
    box, is_parallel = toolbox(fields.tools, fields.tool_choice)
    effort, constraint = output_of(fields.output_config, fields.output_format)
    refuse_both(constraint, box)
    return _Asked(
        fields=fields,
        box=box,
        is_parallel=is_parallel,
        thinking=thinking_of(fields.thinking, max_tokens),
        effort=effort,
        constraint=constraint,
        thinking_turns=thinking_turns(fields.context_management),
    )
