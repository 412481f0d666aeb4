"""Whether and how much to think, and what else a request tells the chat template."""

from __future__ import annotations

from typing import Any, Literal

from kronk.shared.errors import InvalidArgument

from .fields import carriable, wrong

# OpenAI's words; what a model makes of them is its template's affair.
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

# A template gets these from us.
_RESERVED = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"})


def template_kwargs(value: dict[str, Any] | None) -> dict[str, Any]:
    """`chat_template_kwargs`, without what the server sets."""
    for key, item in (value or {}).items():
        where = f"chat_template_kwargs.{key[:100]}"
        if key in _RESERVED:
            raise InvalidArgument(f"'{where}': the server sets this itself", param=where)
        carriable(item, where)
    return value or {}


def enable_thinking(
    given: bool | None, kwargs: dict[str, Any] | None, **effort: Effort | None
) -> bool | None:
    """Three fields can say it, and none of them may contradict another.

    `effort` is the dialect's name for it with what it says.
    """
    said: dict[str, bool] = {}
    if given is not None:
        said["enable_thinking"] = given
    where = "chat_template_kwargs.enable_thinking"
    inner = (kwargs or {}).get("enable_thinking")
    if inner is not None:
        if not isinstance(inner, bool):
            raise wrong(where, "true or false", inner)
        said[where] = inner
    said |= {name: False for name, level in effort.items() if level == "none"}
    if len(set(said.values())) > 1:
        first, *_, last = said
        raise InvalidArgument(
            f"'{first}' and '{last}' contradict each other on whether to think", param=first
        )
    return next(iter(said.values()), None)
