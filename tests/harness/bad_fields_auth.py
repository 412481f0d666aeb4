"""What the fields of another Kronk's questions about tokens may not be."""

from __future__ import annotations

from .bad_fields import Cases

IDENTIFY_FIELDS: Cases = {
    "a token that is a number": ({"token": 5}, "token"),
    "no token": ({"token": None}, "token"),
    "a field there is not": ({"subject": "x"}, "subject"),
}
RECHECK_FIELDS: Cases = {
    "an empty subject": ({"subject": ""}, "subject"),
    "a subject with a line's end": ({"subject": "a\n"}, "subject"),
    "a subject that is too long": ({"subject": "a" * 129}, "subject"),
    "a key that is a path": ({"key": "../master"}, "key"),
    "a key that is a number": ({"key": 1}, "key"),
}
CHARGE_FIELDS: Cases = {
    **RECHECK_FIELDS,
    "an unknown endpoint": ({"endpoint": "chat"}, "endpoint"),
    "grants that are a list": ({"grants": []}, "grants"),
    "endpoints that are a list": ({"grants": {"endpoints": []}}, "grants"),
    "a limit that is a number": ({"grants": {"endpoints": {"embeddings": 5}}}, "grants"),
    "a limit below zero": (
        {"grants": {"endpoints": {"embeddings": {"limit": -1, "window": "day"}}}},
        "grants",
    ),
    "a limit of true": ({"grants": {"tokens": {"limit": True, "window": "day"}}}, "grants"),
    "an unknown window": ({"grants": {"tokens": {"limit": 1, "window": "week"}}}, "grants"),
    "a name with a blank": ({"request_id": "a b"}, "request_id"),
    "an empty name": ({"request_id": ""}, "request_id"),
}
SETTLE_FIELDS: Cases = {
    "a name with a slash": ({"charge": "a/b"}, "charge"),
    "a refund that is a word": ({"refund": "yes"}, "refund"),
    "tokens below zero": ({"prompt_tokens": -1}, "prompt_tokens"),
    "half a token": ({"completion_tokens": 0.5}, "completion_tokens"),
    "more tokens than there are": ({"completion_tokens": 2**60}, "completion_tokens"),
}
