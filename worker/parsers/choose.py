"""Which family's parser reads a model's answers."""

from __future__ import annotations

from kronk.shared.errors import InvalidArgument

from . import (
    deepseek,
    gemma,
    generic,
    glm,
    harmony,
    hermes,
    kimi,
    lfm,
    llama,
    mistral,
    pythonic,
    qwen_coder,
    tagged,
)
from .base import Family

# The first that recognises a model reads it: those with marks of their own before those that share
# theirs, and the one that takes all at the end.
FAMILIES: tuple[Family, ...] = (
    harmony.FAMILY,
    gemma.GEMMA_4,
    gemma.FUNCTION_GEMMA,
    kimi.FAMILY,
    deepseek.FAMILY,
    lfm.FAMILY,
    qwen_coder.FAMILY,
    glm.FAMILY,
    mistral.FAMILY,
    tagged.PHI,
    tagged.GRANITE,
    tagged.NEMOTRON,
    tagged.APRIEL,
    hermes.FAMILY,
    pythonic.FAMILY,
    llama.FAMILY,
    gemma.GEMMA_3,
    generic.FAMILY,
)


def choose(name: str | None, template: str | None, architecture: str) -> Family:
    """The family called `name`, else the one that the template and the GGUF's architecture show.

    `InvalidArgument` when no family is called so.
    """
    if name is not None:
        for family in FAMILIES:
            if family.name == name:
                return family
        known = ", ".join(sorted(family.name for family in FAMILIES))
        raise InvalidArgument(
            f"tool_parser must be one of {known}; it is {name!r}", param="tool_parser"
        )
    return next(family for family in FAMILIES if family.recognises(template or "", architecture))
