"""Anthropic's list of models, page by page.

`GET /v1/models` is both vendors' route; a request with the header `anthropic-version` gets this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kronk.gateway.dialects.schemas import TEXT, TRUTH, array, closed, nullable
from kronk.shared.errors import InvalidArgument
from kronk.shared.models.index import ModelEntry

VERSION_HEADER = "anthropic-version"
# Anthropic's own.
USUAL_LIMIT, MOST_LIMIT = 20, 1000
_NUMBER = re.compile(r"[0-9]{1,5}")

MODEL = closed(
    {
        "type": {"const": "model"},
        "id": TEXT,
        "display_name": TEXT,
        "created_at": TEXT,
        "lifecycle": {"const": "active"},
    }
)
MODELS = closed(
    {
        "data": array(MODEL),
        "has_more": TRUTH,
        "first_id": nullable(TEXT),
        "last_id": nullable(TEXT),
    }
)


def model(entry: ModelEntry) -> dict[str, Any]:
    """One model; it was made when its file was last written."""
    written = datetime.fromtimestamp(entry.modified, UTC)
    return {
        "type": "model",
        "id": entry.id,
        "display_name": entry.id,
        "created_at": written.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }


def models(entries: Sequence[ModelEntry], query: Mapping[str, str]) -> dict[str, Any]:
    """The page that `limit`, and `after_id` or `before_id`, ask for."""
    ids = [entry.id for entry in entries]
    limit = _limit(query.get("limit"))
    after, before = _place(ids, query, "after_id"), _place(ids, query, "before_id")
    if after is not None and before is not None:
        raise InvalidArgument(
            "'after_id' and 'before_id' contradict each other; send one of them", param="before_id"
        )
    if before is not None:
        first = max(before - limit, 0)
        page, has_more = entries[first:before], first > 0
    else:
        first = 0 if after is None else after + 1
        page, has_more = entries[first : first + limit], first + limit < len(entries)
    return {
        "data": [model(entry) for entry in page],
        "has_more": has_more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def _limit(value: str | None) -> int:
    if value is None:
        return USUAL_LIMIT
    if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MOST_LIMIT:
        raise InvalidArgument(
            f"'limit': expected a whole number from 1 to {MOST_LIMIT}", param="limit"
        )
    return int(value)


def _place(ids: Sequence[str], query: Mapping[str, str], key: str) -> int | None:
    value = query.get(key)
    if value is None:
        return None
    if value not in ids:
        raise InvalidArgument(f"'{key}': there is no model of this id", param=key)
    return ids.index(value)
