"""Files and batches as OpenAI's clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .files import StoredFile
from .records import Batch, Fault, Status, Tokens


def file_object(file: StoredFile) -> dict[str, Any]:
    """A file."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        # Deprecated; nothing is left to be done with a file that is there.
        "status": "processed",
        "status_details": None,
    }


def deleted_object(name: str) -> dict[str, Any]:
    """A file that was deleted."""
    return {"id": name, "object": "file", "deleted": True}


def batch_object(batch: Batch) -> dict[str, Any]:
    """A batch."""
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": _errors(batch.faults),
        "input_file_id": batch.input_file,
        "completion_window": batch.completion_window,
        "status": batch.status.value,
        "output_file_id": batch.output_file if batch.has_output else None,
        "error_file_id": batch.error_file if batch.has_errors else None,
        "created_at": batch.created_at,
        "in_progress_at": batch.reached.get(Status.IN_PROGRESS),
        "expires_at": batch.expires_at,
        "finalizing_at": batch.reached.get(Status.FINALIZING),
        "completed_at": batch.reached.get(Status.COMPLETED),
        "failed_at": batch.reached.get(Status.FAILED),
        "expired_at": batch.reached.get(Status.EXPIRED),
        "cancelling_at": batch.reached.get(Status.CANCELLING),
        "cancelled_at": batch.reached.get(Status.CANCELLED),
        "request_counts": asdict(batch.counts),
        "usage": _usage(batch.tokens),
        "metadata": batch.metadata,
    }


def list_object(data: Sequence[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """One page."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def _errors(faults: Sequence[Fault]) -> dict[str, Any] | None:
    return {"object": "list", "data": [asdict(fault) for fault in faults]} if faults else None


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.completion,
    }
