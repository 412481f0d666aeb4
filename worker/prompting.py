"""A request's prompt to tokens: a chat through its template, plain text, or a gap to fill."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Sequence
from typing import Any

from kronk.shared.errors import ContextLengthExceeded, InvalidArgument
from kronk.shared.wire.values import Prompt

from . import template
from .cache.policy import PromptMarks
from .fim import fill_prompt
from .media.prompt import PromptTokens
from .model import Model
from .rendering import ChatPrompt

# Raises where a text, which came from that field, is too long to be tokenised. 30 MB take ten
# seconds, in which nobody else's prompt is prepared.
Check = Callable[[str, str], None]

# Texts shorter than this per token of context are tokenised without a look at the vocabulary.
_USUAL_LONGEST = 16


def fitting(model: Model, n_ctx: int) -> Check:
    """A check for prompts that are to be answered: `ContextLengthExceeded` where the text cannot
    fit whatever its tokens are."""

    def check(text: str, param: str) -> None:
        # Characters are never more than bytes, and are counted already.
        if len(text) > n_ctx * _USUAL_LONGEST and len(text) > n_ctx * model.longest_piece:
            raise too_long(n_ctx, f"at least {len(text) // model.longest_piece}", param)

    return check


def plain_tokens(model: Model, prompt: Prompt, check: Check) -> list[int]:
    """The tokens of a prompt that is no chat."""
    if prompt.tokens is not None:
        model.require_known(prompt.tokens, prompt.field)
        return list(prompt.tokens)
    assert prompt.text is not None
    check(prompt.text, prompt.field)
    if prompt.suffix is not None:
        check(prompt.suffix, "suffix")
        return fill_prompt(model, prompt.text, prompt.suffix)
    return model.tokenize(prompt.text)


def too_long(n_ctx: int, tokens: str, param: str) -> ContextLengthExceeded:
    """OpenAI's words for a prompt that does not fit."""
    return ContextLengthExceeded(
        f"This model's maximum context length is {n_ctx} tokens. However, your {param} resulted in"
        f" {tokens} tokens. Please reduce the length of the {param}.",
        param=param,
    )


def prompt_marks(
    chosen: template.Choice, model: Model, chat: ChatPrompt, tokens: PromptTokens
) -> PromptMarks:
    """Where the parts of a rendered chat end.

    Found by rendering the chat again with the part behind a boundary replaced: what both texts
    begin with alike is what comes before it, whatever the template does there.
    """
    ends = tokens.ends(functools.partial(_token_ends, model))

    def until(messages: list[dict[str, Any]], *, add_generation_prompt: bool = True) -> int | None:
        try:
            other = template.render(
                chosen, messages, chat.variables, add_generation_prompt=add_generation_prompt
            )
        except InvalidArgument:
            return None
        return _tokens_before(ends, chat.text[: _alike(chat.text, other)])

    messages = chat.messages
    system_end = None
    if messages[0]["role"] == "system":
        system_end = until([messages[0], {"role": "user", "content": _unlike(messages, 1)}])
    last = messages[-1] | {"content": _unlike(messages, len(messages) - 1)}
    return PromptMarks(
        system_end=system_end,
        last_message_start=until([*messages[:-1], last]) if len(messages) > 1 else None,
        messages_end=until(messages, add_generation_prompt=False),
    )


def _unlike(messages: Sequence[dict[str, Any]], at: int) -> str:
    """A content that differs from that message's from its first character on."""
    content = messages[at].get("content") if at < len(messages) else ""
    return "\x02" if isinstance(content, str) and content.startswith("\x01") else "\x01"


def _alike(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    most = min(len(a), len(b))
    return next((at for at in range(most) if a[at] != b[at]), most)


def _token_ends(model: Model, text: str, tokens: Sequence[int]) -> list[int]:
    """At which byte of the text each of its tokens ends."""
    ends = []
    end = 0
    bos = model.special("bos")
    for at, token in enumerate(tokens):
        spelling = model.spelling(token)
        if at or token != bos or text.encode().startswith(spelling):
            end += len(spelling)
        ends.append(end)
    return ends


def _tokens_before(ends: Sequence[int], text: str) -> int:
    """How many tokens lie wholly within the text that a prompt begins with."""
    return bisect.bisect_right(ends, len(text.encode()))
