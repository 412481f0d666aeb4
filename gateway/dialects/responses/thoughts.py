"""`encrypted_content`: an answer's thinking in a form that clients carry and do not look into.

OpenAI hides its models' thinking; here it belongs to whoever runs the model, so the form hides
nothing. It is for clients that keep no conversation on the server (`store` is false), and send back
this field of a reasoning item only.
"""

from __future__ import annotations

import base64
import binascii

from kronk.shared.errors import InvalidArgument

_SEAL = "kronk1."


def sealed(text: str) -> str:
    """The thinking as `encrypted_content`."""
    return _SEAL + base64.b64encode(text.encode()).decode()


def unsealed(content: str, where: str) -> str:
    """The thinking again; `InvalidArgument` for what another server has made."""
    try:
        if not content.startswith(_SEAL):
            raise binascii.Error
        return base64.b64decode(content[len(_SEAL) :], validate=True).decode()
    except ValueError as error:
        raise InvalidArgument(
            f"'{where}': this is not what a Kronk server has made of a model's thinking; remove "
            "the item from your input",
            param=where,
        ) from error
