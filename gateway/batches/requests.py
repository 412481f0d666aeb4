"""What callers ask of files and batches: forms, bodies and queries, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.dialects.fields import first_error, load_object, unrecognized
from kronk.gateway.dialects.generation import METADATA_SCHEMA, check_metadata
from kronk.gateway.dialects.paging import USUAL_LIMIT, Paging, paging, whole_number
from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_duration

from .names import is_name

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    # Not in OpenAI's API.
    "/v1/rerank",
)
UPLOAD_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
# OpenAI's: from an hour to 30 days, and 30 days for batches where nothing is said.
LEAST_KEPT, MOST_KEPT = 3600, 30 * 86400
_BATCH_KEPT = 30 * 86400
# Of a file's or batch's own: OpenAI has 24h only.
_LONGEST_WINDOW = 30 * 86400.0
MOST_FILES_LISTED = 10_000
MOST_BATCHES_LISTED = 100
BATCHES_LISTED = USUAL_LIMIT


@dataclass(frozen=True, slots=True)
class Upload:
    """The fields beside the file."""

    purpose: str
    # Seconds; None is kept until deleted.
    expires_after: int | None


def parse_upload(fields: Mapping[str, str]) -> Upload:
    """The form's fields; `InvalidArgument` names the first that is not acceptable."""
    anchor, seconds = "expires_after[anchor]", "expires_after[seconds]"
    for name in fields:
        if name not in ("purpose", anchor, seconds):
            raise unrecognized(name[:100])
    purpose = fields.get("purpose")
    if purpose is None:
        raise InvalidArgument("missing purpose field", param="purpose")
    if purpose not in UPLOAD_PURPOSES:
        known = ", ".join(UPLOAD_PURPOSES)
        raise InvalidArgument(
            f"Invalid value for 'purpose': expected one of {known}", param="purpose"
        )
    if anchor not in fields and seconds not in fields:
        return Upload(purpose, _BATCH_KEPT if purpose == "batch" else None)
    if fields.get(anchor) != "created_at":
        raise InvalidArgument(f"Invalid value for '{anchor}': expected created_at", param=anchor)
    return Upload(purpose, _seconds(fields.get(seconds, ""), seconds))


def _seconds(text: str, where: str) -> int:
    return whole_number(text, where, LEAST_KEPT, MOST_KEPT)


_WINDOW_SCHEMA = {
    "type": "string",
    "pattern": r"^([0-9]+(\.[0-9]+)?[smhd])+$",
    "examples": ["24h"],
    "description": "`24h`, or another duration from 1s to 720h.",
}


class OutputExpiresAfter(BaseModel):
    """How long the result files are kept."""

    model_config = ConfigDict(strict=True, extra="forbid")

    anchor: Literal["created_at"]
    seconds: int = Field(ge=LEAST_KEPT, le=MOST_KEPT)


class BatchBody(BaseModel):
    """The body of POST /v1/batches."""

    model_config = ConfigDict(strict=True, extra="forbid", title="CreateBatchRequest")

    input_file_id: str
    endpoint: Annotated[str, WithJsonSchema({"enum": list(ENDPOINTS)})]
    # `24h`, or another duration such as `90m`.
    completion_window: Annotated[str, WithJsonSchema(_WINDOW_SCHEMA)]
    metadata: Annotated[Any, WithJsonSchema(METADATA_SCHEMA)] = None
    output_expires_after: OutputExpiresAfter | None = None


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A batch as it was asked for."""

    input_file: str
    endpoint: str
    completion_window: str
    # The same in seconds.
    window: int
    metadata: dict[str, str] | None
    output_expires_after: int | None


def parse_batch(body: bytes) -> BatchRequest:
    """The body of POST /v1/batches; `InvalidArgument` names the first field that is wrong."""
    try:
        fields = BatchBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error
    if fields.endpoint not in ENDPOINTS:
        raise InvalidArgument(
            f"Invalid value for 'endpoint': expected one of {', '.join(ENDPOINTS)}",
            param="endpoint",
        )
    check_metadata(fields.metadata)
    kept = fields.output_expires_after
    return BatchRequest(
        input_file=fields.input_file_id,
        endpoint=fields.endpoint,
        completion_window=fields.completion_window,
        window=_window(fields.completion_window),
        metadata=fields.metadata,
        output_expires_after=None if kept is None else kept.seconds,
    )


def _window(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise _wrong_window() from error
    if not 1 <= seconds <= _LONGEST_WINDOW:
        raise _wrong_window()
    return int(seconds)


def _wrong_window() -> InvalidArgument:
    return InvalidArgument(
        "Invalid value for 'completion_window': expected 24h, or another duration from 1s to 720h",
        param="completion_window",
    )


def list_query(query: Mapping[str, str], prefix: str, most: int, usual: int) -> Paging:
    """Which page of the list of ids with this prefix."""
    asked = paging(query, most, usual)
    if asked.after is not None and not is_name(prefix, asked.after):
        raise InvalidArgument(
            f"Invalid value for 'after': expected an id {prefix}...", param="after"
        )
    return asked


def page_of(names: list[str], asked: Paging) -> tuple[list[str], bool]:
    """Those of `names`, which are in ascending order, on the page; and whether more follow.

    The name that the page begins behind may be gone by now.
    """
    ascending, after = asked.order == "asc", asked.after
    ordered = names if ascending else names[::-1]
    if after is not None:
        ordered = [name for name in ordered if (name > after if ascending else name < after)]
    return ordered[: asked.limit], len(ordered) > asked.limit
