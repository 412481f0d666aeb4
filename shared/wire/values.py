"""Values that messages carry inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# Raised whenever a message changes; both ends refuse a peer that speaks another.
PROTOCOL = 8

Json = Any

# "batch" waits until no "interactive" request wants the place, and leaves one free for the next.
Priority = Literal["interactive", "batch"]
# "load" wants nothing of the model but that it is loaded, or with a TTL of 0 that it is not.
# "inspect" has nothing decoded. Neither needs a slot.
Purpose = Literal["answer", "load", "inspect"]


# What a model can be asked for.
Ability = Literal["text", "embedding", "rank", "image", "audio"]


@dataclass(frozen=True, slots=True)
class Want:
    """One thing that a request needs its model to be able to do."""

    ability: Ability
    # Where in the request it is asked for.
    param: str = "model"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters as one source said them; None is "not said", and zero is zero.

    What each means, its range and its default: `kronk.shared.sampling_params`.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    top_n_sigma: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    # Token id in decimal to what is added to its logit.
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    ignore_eos: bool | None = None
    min_tokens: int | None = None
    # Of a request that is not to begin with its model's configuration, but with what the catalog
    # and the GGUF recommend. Other presets are parameters by now.
    preset: Literal["recommended"] | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A language the answer must be in; what it means for tools stands in `Answer`."""

    kind: Literal["json_object", "json_schema", "grammar", "regex"]
    # The schema as JSON text, the GBNF or the pattern; empty for json_object.
    source: str
    # The request's field it came from, for errors: `response_format.json_schema.schema`.
    param: str


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a recording as a file's bytes, in whatever format the file is."""

    kind: Literal["image", "audio"]
    data: bytes
    # The request's field it came from, for errors.
    param: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before the model: exactly one of `messages`, `text` and `tokens`."""

    # The chat as JSON objects with at least `role` and `content`, in the client's order. A content
    # is a string or, where it has media, a list of parts: `{"type": "text", "text": ...}` and
    # `{"type": "image" or "audio", "media": index}`.
    messages: tuple[Json, ...] | None = None
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    # With `text`: what comes after the gap that the model fills.
    suffix: str | None = None
    # OpenAI's `{"type": "function", "function": {...}}` objects, for the template.
    tools: tuple[Json, ...] = ()
    # What the client calls the parameters of each of them, for errors; empty where it is
    # `tools[0].function.parameters` and so on.
    tool_params: tuple[str, ...] = ()
    # Variables the client gives the chat template.
    template_kwargs: dict[str, Json] = field(default_factory=dict)
    enable_thinking: bool | None = None
    reasoning_effort: str | None = None
    # The client's name for its conversation (`imc_id`), which keeps its prefix cached.
    session: str | None = None
    # What the answer to `messages` begins with: the model goes on from there. No thinking then.
    prefill: str | None = None
    # What the client calls all this, for errors; None is `messages` or `prompt`.
    param: str | None = None
    # What the parts of `messages` refer to by index.
    media: tuple[Media, ...] = ()

    @property
    def field(self) -> str:
        """The client's field that errors name."""
        if self.param is not None:
            return self.param
        return "prompt" if self.messages is None else "messages"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answer has to look like."""

    constraint: Constraint | None = None
    tool_choice: Literal["auto", "none", "required", "named"] = "auto"
    # The function that must be called when `tool_choice` is "named".
    tool_name: str | None = None
    parallel_tool_calls: bool = True
    # Alternatives to report per token, 0 to 20; None is no log-probabilities at all.
    logprobs: int | None = None
    # Tokens the model may think before its thinking is ended for it.
    thinking_budget: int | None = None
    # Independent answers to the one prompt.
    choices: int = 1
    # What the client calls `max_tokens`, for errors; None is just that.
    limit_param: str | None = None
    # What `Started` shall have: the text of a prompt of tokens, which nobody else knows.
    echo: Literal["prompt"] | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood in a place, with its natural log-probability there."""

    piece: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token, before any sampler changed the odds, and the most likely in its place."""

    piece: bytes
    logprob: float
    top: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one finished request, all its choices together."""

    prompt_tokens: int
    completion_tokens: int
    # Prompt tokens that came out of a cache instead of a prefill.
    cached_tokens: int = 0
    # Of the completion tokens.
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens that were generated while the context had so many, and the seconds they took: one
    stream's own time, which it shared with other streams."""

    # Index of the bucket in `telemetry.buckets.CONTEXT_TOKENS`.
    context: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a request's time went inside the worker, in seconds.

    `queued` runs from the submit to the first prefill row, `prefill` to the first token, `decode`
    to the last. `render` and `tokenise` are parts of `queued`, as is `match`, the search for a
    cached prefix.
    """

    queued: float
    prefill: float
    decode: float
    # Where the cached part of the prompt came from, or why there was none.
    cache: str = ""
    # Tokens proposed by speculation, and those of them that were right.
    drafted: int = 0
    accepted: int = 0
    # Seconds of the Unix epoch when the worker had the request, by its own clock.
    began: float = 0.0
    render: float = 0.0
    tokenise: float = 0.0
    match: float = 0.0
    # Between the tokens of each choice: how many by bucket of `telemetry.buckets.ITL_SECONDS`, and
    # their sum. Empty where there were none.
    itl: tuple[int, ...] = ()
    itl_sum: float = 0.0
    speeds: tuple[Speed, ...] = ()

    def decoded(self, completion_tokens: int, choices: int) -> int:
        """Tokens that `decode` was spent on: the first of each choice comes out of the prefill, and
        those that another process had written before it was lost took nothing of this one."""
        if self.speeds:
            return sum(speed.tokens for speed in self.speeds)
        return max(completion_tokens - choices, 0)
