"""Prompts with holes: `{{name}}` stands for a text that is given when the prompt is used. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kronk.gateway.dialects.fields import unrecognized
from kronk.shared.errors import InvalidArgument

# Letters of any language, digits, spaces, dots and dashes; `{{#if}}` and JSON in braces are none.
_VARIABLE = re.compile(r"\{\{\s*([^\W\d][\w .-]{0,62}?)\s*\}\}")


def variables_of(text: str) -> tuple[str, ...]:
    """Their names, in the order in which they are met first."""
    return tuple(dict.fromkeys(found[1] for found in _VARIABLE.finditer(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with each variable replaced by its value, in which nothing is replaced again.

    `InvalidArgument` names a variable that has no value, or a value of no variable.
    """
    known = variables_of(text)
    for name in known:
        if name not in values:
            where = f"variables.{name}"
            raise InvalidArgument(
                f"missing {where} field: the prompt has {{{{{name}}}}}", param=where
            )
    for name in values:
        if name not in known:
            raise unrecognized(f"variables.{name[:100]}")
    return _VARIABLE.sub(lambda found: values[found[1]], text)
