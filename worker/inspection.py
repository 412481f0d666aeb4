"""What a model would see of a prompt: rendered, tokenised, put into words again; not decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kronk.shared.errors import InvalidArgument, TooLarge
from kronk.shared.wire.to_gateway import Done, Inspected
from kronk.shared.wire.to_worker import LISTED_AT_ONCE, MOST_LISTED, Inspect
from kronk.shared.wire.values import Timings, Usage

from .answering import callable_tools
from .loader import Loaded
from .media.prompt import PromptTokens
from .model import Model
from .pooled.loader import PooledLoaded
from .pooled.prepare import does
from .prepare import see, tokenize_chat
from .rendering import render_chat

# A prompt need not fit the context window to be counted: that is what is asked about. A million
# tokens are about 4 MB, and take a second, in which nobody else's prompt is prepared.
MOST_BYTES = 4 * 1024 * 1024
MOST_TOKENS = 1024 * 1024


def inspect(asked: Inspect, loaded: Loaded | PooledLoaded) -> list[Inspected | Done]:
    """The events that answer it. Raises a `CallerError` for everything that is wrong with the
    request."""
    started, began = time.monotonic(), time.time()
    model = loaded.model if isinstance(loaded, Loaded) else loaded.vocabulary.model
    text, tokens = _seen(asked, loaded, model)
    found = list(_parts(asked, text, tokens.words, model, loaded.fitted.n_ctx))
    took = Timings(queued=0.0, prefill=time.monotonic() - started, decode=0.0, began=began)
    return [*found, Done(asked.request, Usage(tokens.rows, 0), took)]


def _parts(
    asked: Inspect, text: str, words: Sequence[int], model: Model, n_ctx: int
) -> Iterator[Inspected]:
    """What is wanted, in messages of a bounded size; the first has the text."""
    listed = words if {"tokens", "pieces"} & set(asked.wants) else ()
    if len(listed) > MOST_LISTED:
        param = asked.prompt.field
        raise TooLarge(
            f"'{param}': of its {len(words)} tokens at most {MOST_LISTED} can be listed",
            param=param,
        )
    for first in range(0, max(len(listed), 1), LISTED_AT_ONCE):
        part = tuple(listed[first : first + LISTED_AT_ONCE])
        yield Inspected(
            asked.request,
            text if first == 0 and "text" in asked.wants else "",
            part if "tokens" in asked.wants else (),
            tuple(map(model.spelling, part)) if "pieces" in asked.wants else (),
            n_ctx,
        )


def _seen(asked: Inspect, loaded: Loaded | PooledLoaded, model: Model) -> tuple[str, PromptTokens]:
    """The prompt's text and its tokens."""
    prompt = asked.prompt
    if prompt.tokens is not None:
        _require(len(prompt.tokens) <= MOST_TOKENS, "tokens", f"{MOST_TOKENS} tokens")
        model.require_known(prompt.tokens, "tokens")
        text = model.detokenize(prompt.tokens).decode("utf-8", "replace")
        return text, PromptTokens(list(prompt.tokens))
    if prompt.messages is not None:
        return _chat(asked, loaded)
    assert prompt.text is not None
    if asked.add_special and asked.parse_special and isinstance(loaded, Loaded):
        return prompt.text, see(prompt, asked.answer, loaded, readable).tokens
    readable(prompt.text, prompt.field)
    tokens = model.tokenize_raw(
        prompt.text, add_special=asked.add_special, parse_special=asked.parse_special
    )
    return prompt.text, PromptTokens(tokens)


def _chat(asked: Inspect, loaded: Loaded | PooledLoaded) -> tuple[str, PromptTokens]:
    if isinstance(loaded, PooledLoaded):
        raise InvalidArgument(f"this model {does(loaded)}; it does not chat", param="model")
    if asked.add_generation_prompt:
        seen = see(asked.prompt, asked.answer, loaded, readable)
        assert seen.chat is not None
        return seen.chat.markers.named(seen.text), seen.tokens
    chat = render_chat(
        loaded.template,
        loaded.model,
        loaded.family,
        asked.prompt,
        callable_tools(asked.prompt, asked.answer),
        add_generation_prompt=False,
    )
    readable(chat.text, asked.prompt.field)
    tokens = tokenize_chat(chat.text, chat, asked.prompt, loaded)
    return chat.markers.named(chat.text), tokens


def readable(text: str, param: str) -> None:
    """Refuse a text that takes too long to tokenise."""
    _require(len(text.encode()) <= MOST_BYTES, param, f"{MOST_BYTES} bytes of text")


def _require(holds: bool, param: str, most: str) -> None:
    if not holds:
        raise TooLarge(f"'{param}': at most {most} can be inspected at once", param=param)
