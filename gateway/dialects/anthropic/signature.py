"""Signatures of thinking blocks.

Anthropic signs what a model thought, and takes it back only with its signature. Here thinking needs
no protection: a signature is a constant, any is accepted, and one kind carries something: where the
client wants thinking left out of the answer, the text is in the signature, so that the model sees
it again when the client sends the block back, as tool loops do.
"""

from __future__ import annotations

import base64

_PREFIX = "kronk.v1."


def signature(hidden: str = "") -> str:
    """The signature of a thinking block that leaves out `hidden`."""
    return _PREFIX + base64.b64encode(hidden.encode()).decode()


def unsealed(signature: str) -> str:
    """What `signature` carries; nothing if it is of another kind."""
    if not signature.startswith(_PREFIX):
        return ""
    try:
        return base64.b64decode(signature.removeprefix(_PREFIX), validate=True).decode()
    except ValueError:
        return ""
