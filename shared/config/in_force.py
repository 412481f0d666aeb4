"""The file that says which configuration is in force: the supervisor writes it, the gateway reads.

What the operator's file and the catalogs say by now may be something else, and spoilt.
"""

from __future__ import annotations

import json

from kronk.shared.errors import InvalidArgument

from .document import Recommended


def encode(text: str, recommended: Recommended) -> bytes:
    """The model-config file's text, and what the catalogs recommended when it was taken."""
    return json.dumps({"text": text, "recommended": recommended}).encode()


def decode(data: bytes) -> tuple[str, Recommended]:
    """What was encoded; `InvalidArgument` for anything else."""
    try:
        found = json.loads(data)
        text, recommended = found["text"], found["recommended"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument("the configuration in force cannot be read") from error
    maps = recommended.values() if isinstance(recommended, dict) else [None]
    if not isinstance(text, str) or not all(isinstance(keys, dict) for keys in maps):
        raise InvalidArgument("the configuration in force cannot be read")
    return text, recommended
