"""How an answer is steered and read: the grammar it is held to, its thinking, its tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kronk.shared.wire.to_worker import Submit

from .conversation import tools_of
from .engine.job import Grammar, Thinking
from .loader import Loaded
from .parsers.base import Parser, Tool


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of an answer is read."""

    # None where all of it is content.
    parser: Callable[[], Parser] | None = None
    # Control tokens whose text the parser must see.
    shown: Mapping[int, bytes] = field(default_factory=dict)
    thinking: Thinking | None = None


PLAIN = Reading()


def callable_tools(submit: Submit) -> tuple[Tool, ...]:
    """The functions the answer may call; they are put before the model."""
    if submit.answer.tool_choice == "none":
        return ()
    return tools_of(submit.prompt.tools)


def read_chat(
    loaded: Loaded, submit: Submit, text: str, tools: Sequence[Tool]
) -> tuple[str, Reading]:
    """The rendered chat, with its thinking closed where it is not wanted, and how to read the
    answer to it."""
    return text, PLAIN


def grammar(loaded: Loaded, submit: Submit, max_tokens: int, reading: Reading) -> Grammar | None:
    """What the answer is held to; `InvalidArgument` where it does not fit into its tokens."""
    return None
