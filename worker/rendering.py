"""A chat as its template writes it; what the template does not know, Kronk writes for it."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Prompt

from . import template
from .conversation import for_template, without_tools
from .media.prompt import Markers
from .parsers.base import Family, Tool
from .system_turns import render_any

# Variables that Kronk itself gives a template; a client cannot replace them.
_RESERVED = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"})


class Vocabulary(Protocol):
    """What a template is told of a model."""

    def token_text(self, which: str) -> str:
        """How the token for that is written: `bos`, `eos`."""
        ...


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A chat as the template wrote it."""

    text: str
    messages: list[dict[str, Any]]
    variables: dict[str, Any]
    # What stands in the text for the prompt's files.
    markers: Markers


def render_chat(
    chosen: template.Choice,
    words: Vocabulary,
    family: Family,
    prompt: Prompt,
    tools: Sequence[Tool],
    *,
    add_generation_prompt: bool = True,
) -> ChatPrompt:
    """The chat as text; `InvalidArgument` when the template refuses it."""
    assert prompt.messages is not None
    markers = Markers(len(prompt.media))
    messages = for_template(prompt.messages, markers.texts)
    if not chosen.takes_tools:
        instructions = family.instructions(tools) if tools and family.instructions else ""
        messages = without_tools(messages, instructions, _write_call)
    variables = _variables(words, prompt)
    variables["tools"] = list(prompt.tools) if tools and chosen.takes_tools else None
    render = functools.partial(
        template.render,
        chosen,
        variables=variables,
        add_generation_prompt=add_generation_prompt,
        param=prompt.field,
    )
    text, messages = render_any(render, messages)
    lost = markers.missing(text)
    if lost is not None:
        param = prompt.media[lost].param
        raise InvalidArgument(
            f"'{param}': the model's chat template leaves it out of the prompt", param=param
        )
    return ChatPrompt(text, messages, variables, markers)


def _variables(words: Vocabulary, prompt: Prompt) -> dict[str, Any]:
    for name in prompt.template_kwargs.keys() & _RESERVED:
        where = f"chat_template_kwargs.{name}"
        raise InvalidArgument(f"'{where}' is set by the server", param=where)
    variables: dict[str, Any] = {
        "bos_token": words.token_text("bos"),
        "eos_token": words.token_text("eos"),
        **prompt.template_kwargs,
    }
    if prompt.reasoning_effort is not None:
        variables["reasoning_effort"] = prompt.reasoning_effort
        if prompt.reasoning_effort == "none":
            variables["enable_thinking"] = False
    if prompt.enable_thinking is not None:
        variables["enable_thinking"] = prompt.enable_thinking
    return variables


def _write_call(name: str, arguments: Any) -> str:
    """A call of the assistant's as text, for templates that know none."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
