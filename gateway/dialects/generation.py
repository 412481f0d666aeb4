"""What requests for generated text have in common, whatever dialect they are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.shared import sampling_presets
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import (
    ALIASES,
    PARAMETERS,
    Parameter,
    parse_value,
)
from kronk.shared.sampling_presets import FIELD as PRESET
from kronk.shared.sampling_presets import RECOMMENDED
from kronk.shared.wire.values import Sampling

from .constraints import RESPONSE_FORMAT_SCHEMA
from .fields import first_error, string, unrecognized, unsupported, wrong
from .residency import Span

# OpenAI takes 4; more is cheap for us and local clients use it.
MOST_STOPS = 16
# OpenAI's bound on `n`; here on all choices of a request.
MOST_CHOICES = 128
MOST_TOKENS = 2**31 - 1
# OpenAI's bounds.
MOST_METADATA = 16
LONGEST_METADATA_KEY = 64
LONGEST_METADATA_VALUE = 512
IMC_HEADER = "KRONK_IMC_ID"
LONGEST_IMC_ID = 256
# What `sampling` reads of a request.
_READ = frozenset({*PARAMETERS, *ALIASES, PRESET})

ModelName = Annotated[str, Field(min_length=1, max_length=1024)]

STOP_SCHEMA = {
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

METADATA_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "maxProperties": MOST_METADATA,
            "propertyNames": {"maxLength": LONGEST_METADATA_KEY},
            "additionalProperties": {"type": "string", "maxLength": LONGEST_METADATA_VALUE},
        },
        {"type": "null"},
    ]
}


class StreamOptions(BaseModel):
    """`stream_options`; OpenAI pads chunks unless told not to, we only when told to."""

    model_config = ConfigDict(strict=True, extra="forbid")

    include_obfuscation: bool | None = None


class ChunkOptions(StreamOptions):
    """The same for chats and completions."""

    include_usage: bool | None = None


class TextBody(BaseModel):
    """The fields of all of them, but for the sampling parameters, which have a table of their own:
    those that every dialect of OpenAI's has, and ours."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: ModelName
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    # Checked by hand: a union's errors name both branches.
    stop: Annotated[Any, WithJsonSchema(STOP_SCHEMA)] = None
    # GBNF, as llama-server has it.
    grammar: str | None = None
    regex: str | None = Field(default=None, min_length=1)
    json_schema: dict[str, Any] | None = None
    # The client's name for its conversation.
    imc_id: str | None = Field(default=None, min_length=1, max_length=LONGEST_IMC_ID)
    # How long the model stays loaded: Ollama's name for it, and ours.
    keep_alive: Span = None
    ttl: Span = None
    # Taken and not acted on: it describes the caller, not the answer.
    user: str | None = None

    @property
    def pads(self) -> bool:
        """Whether a stream's chunks hide the length of what is in them."""
        return bool(self.stream_options and self.stream_options.include_obfuscation)


class GenerationBody(TextBody):
    """The fields that a chat and a completion share."""

    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    response_format: Annotated[Any, WithJsonSchema(RESPONSE_FORMAT_SCHEMA)] = None
    stream_options: ChunkOptions | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk that has the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


Body = TypeVar("Body", bound=TextBody)
Fields = TypeVar("Fields", bound=BaseModel)
# What the dialect knows and we do not have, with the values that change nothing.
Neutral = Mapping[str, tuple[Any, ...]]


def read(body: type[Body], given: dict[str, Any], neutral: Neutral) -> Body:
    """The fields of `given` that are no sampling parameters, checked."""
    read = read_fields(body, without_sampling(given), neutral)
    if read.stream_options is not None and not read.stream:
        raise InvalidArgument(
            "'stream_options' is only allowed when 'stream' is true", param="stream_options"
        )
    return read


def read_fields(body: type[Fields], given: Mapping[str, Any], neutral: Neutral) -> Fields:
    """The fields of `given`, checked; `InvalidArgument` names the first that is not acceptable."""
    fields: dict[str, Any] = {}
    for key, value in given.items():
        if key in neutral:
            if value is not None and not any(_same(value, good) for good in neutral[key]):
                raise unsupported(key)
        elif key in body.model_fields:
            fields[key] = value
        else:
            raise unrecognized(key[:100])
    try:
        return body.model_validate(fields)
    except ValidationError as error:
        raise first_error(error) from None


def without_sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that `sampling` does not read."""
    return {key: value for key, value in given.items() if key not in _READ}


def _same(value: object, good: object) -> bool:
    # The types too: to Python False is 0, and to a caller it is a mistake.
    return type(value) is type(good) and value == good


def sampling(given: Mapping[str, Any]) -> Sampling:
    """The sampling parameters of a request, above those of the preset it names; null is "not
    said"."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = ALIASES.get(key, key)
        if name not in PARAMETERS or value is None:
            continue
        if name in values:
            raise InvalidArgument(f"'{key}' is another name of {name}; send one", param=key)
        values[name] = parse_value(name, value, f"Invalid value for '{key}'", key)
    return Sampling(**(preset(given.get(PRESET)) | values))


def preset(name: object, where: str = PRESET) -> dict[str, Any]:
    """The fields of `Sampling` that the preset of that name says; none for None."""
    if name is None:
        return {}
    named = sampling_presets.named(name, where)
    own = {"preset": RECOMMENDED} if named == RECOMMENDED else {}
    return own | sampling_presets.values(named)


def check_metadata(value: object) -> None:
    """OpenAI's `metadata`: text by key, within its bounds."""
    if value is None:
        return
    if not isinstance(value, dict):
        raise wrong("metadata", "an object", value)
    if len(value) > MOST_METADATA:
        raise InvalidArgument(
            f"'metadata' takes {MOST_METADATA} pairs at most, got {len(value)}", param="metadata"
        )
    for key, item in value.items():
        where = f"metadata.{key[:LONGEST_METADATA_KEY]}"
        if len(key) > LONGEST_METADATA_KEY:
            raise InvalidArgument(
                f"'{where}...': a key has {LONGEST_METADATA_KEY} characters at most, "
                f"got {len(key)}",
                param="metadata",
            )
        if len(string(item, where)) > LONGEST_METADATA_VALUE:
            raise InvalidArgument(
                f"'{where}': a value has {LONGEST_METADATA_VALUE} characters at most, "
                f"got {len(item)}",
                param=where,
            )


def check_min_tokens(
    sampling: Sampling,
    max_tokens: int | None,
    limit: str = "max_tokens",
    where: str = "min_tokens",
) -> None:
    """`min_tokens` must leave room; `limit` and `where` are the dialect's names for the two."""
    least = sampling.min_tokens
    if least is not None and max_tokens is not None and least > max_tokens:
        raise InvalidArgument(
            f"'{where}' ({least}) is greater than '{limit}' ({max_tokens})",
            param=where,
        )


def stops(value: object, where: str = "stop") -> tuple[str, ...]:
    """`stop`, which is a string or several."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidArgument(f"'{where}' must be a string or an array of strings", param=where)
    if not all(value):
        raise InvalidArgument(f"'{where}': a stop string must not be empty", param=where)
    if len(value) > MOST_STOPS:
        raise InvalidArgument(
            f"'{where}' takes {MOST_STOPS} strings at most, got {len(value)}", param=where
        )
    return tuple(value)


class InSession(Protocol):
    """The field of a request that names its conversation."""

    imc_id: str | None


def session(fields: InSession, header: str | None) -> str | None:
    """The conversation's name: the body's, or else the header's."""
    if header is None:
        return fields.imc_id
    if not 1 <= len(header) <= LONGEST_IMC_ID:
        raise InvalidArgument(
            f"The header {IMC_HEADER} must have 1 to {LONGEST_IMC_ID} characters, "
            f"got {len(header)}",
            param=IMC_HEADER,
        )
    return header if fields.imc_id is None else fields.imc_id


def body_schema(body: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a request, for the OpenAPI document."""
    schema = body.model_json_schema()
    schema["properties"] |= sampling_schemas()
    return schema


def sampling_schemas() -> dict[str, Any]:
    """The JSON schema of each sampling parameter, and of a preset's name."""
    named = {
        "enum": [*sampling_presets.NAMES, None],
        "default": None,
        "description": "sampling parameters under one name, below those that are given",
    }
    return {name: _schema(row) for name, row in PARAMETERS.items()} | {PRESET: named}


def _schema(parameter: Parameter) -> dict[str, Any]:
    return {
        "anyOf": [parameter.schema, {"type": "null"}],
        "default": None,
        "description": parameter.meaning,
    }
