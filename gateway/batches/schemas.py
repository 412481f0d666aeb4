"""JSON schemas of what is taken and answered about files and batches."""

from __future__ import annotations

from kronk.gateway.dialects.paging import parameter
from kronk.gateway.dialects.schemas import (
    COUNT,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    array,
    closed,
    nullable,
)

from .records import Status
from .requests import LEAST_KEPT, MOST_KEPT, UPLOAD_PURPOSES

FILE = closed(
    {
        "id": TEXT,
        "object": {"const": "file"},
        "bytes": COUNT,
        "created_at": WHOLE,
        "expires_at": nullable(WHOLE),
        "filename": TEXT,
        "purpose": {"enum": [*UPLOAD_PURPOSES, "batch_output"]},
        "status": {"const": "processed"},
        "status_details": {"type": "null"},
    }
)
DELETED = closed({"id": TEXT, "object": {"const": "file"}, "deleted": {"const": True}})
UPLOAD: Schema = closed(
    {"file": {"type": "string", "format": "binary"}, "purpose": {"enum": list(UPLOAD_PURPOSES)}},
    {
        "expires_after[anchor]": {"const": "created_at"},
        "expires_after[seconds]": {"type": "integer", "minimum": LEAST_KEPT, "maximum": MOST_KEPT},
    },
)

_ERROR = closed({"code": TEXT, "message": TEXT, "line": nullable(WHOLE), "param": nullable(TEXT)})
BATCH = closed(
    {
        "id": TEXT,
        "object": {"const": "batch"},
        "endpoint": TEXT,
        "model": nullable(TEXT),
        "errors": nullable(closed({"object": {"const": "list"}, "data": array(_ERROR)})),
        "input_file_id": TEXT,
        "completion_window": TEXT,
        "status": {"enum": [status.value for status in Status]},
        "output_file_id": nullable(TEXT),
        "error_file_id": nullable(TEXT),
        "created_at": WHOLE,
        "in_progress_at": nullable(WHOLE),
        "expires_at": WHOLE,
        "finalizing_at": nullable(WHOLE),
        "completed_at": nullable(WHOLE),
        "failed_at": nullable(WHOLE),
        "expired_at": nullable(WHOLE),
        "cancelling_at": nullable(WHOLE),
        "cancelled_at": nullable(WHOLE),
        "request_counts": closed({"total": COUNT, "completed": COUNT, "failed": COUNT}),
        "usage": closed(
            {
                "input_tokens": COUNT,
                "input_tokens_details": closed({"cached_tokens": COUNT}),
                "output_tokens": COUNT,
                "output_tokens_details": closed({"reasoning_tokens": COUNT}),
                "total_tokens": COUNT,
            }
        ),
        "metadata": nullable({"type": "object", "additionalProperties": TEXT}),
    }
)


def listed(items: Schema) -> Schema:
    """A list that may go on."""
    return closed(
        {
            "object": {"const": "list"},
            "data": array(items),
            "first_id": nullable(TEXT),
            "last_id": nullable(TEXT),
            "has_more": TRUTH,
        }
    )


def purpose_parameter() -> Schema:
    """Which files are listed."""
    return parameter("purpose", TEXT, "Only files of this purpose.")
