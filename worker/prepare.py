"""A submitted request to a job the engine can run: rendered, tokenised, checked, resolved."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Prompt

from . import answering
from .cache import policy
from .engine import sampling
from .engine.job import Job
from .loader import Loaded
from .parsers.base import Tool
from .prompting import ChatPrompt, plain_tokens, prompt_marks, render_chat, tokenize, too_long


def prepare(submit: Submit, loaded: Loaded) -> Job:
    """Raises a `CallerError` for everything that is wrong with the request."""
    submitted = time.monotonic()
    n_ctx, prompt = loaded.fitted.n_ctx, submit.prompt
    marks: dict[int, str | None] = {}
    tools: Sequence[Tool] = ()
    if prompt.messages is None:
        param, reading = "prompt", answering.PLAIN
        tokens = plain_tokens(loaded.model, prompt, n_ctx)
    else:
        param, tools = "messages", answering.callable_tools(submit)
        chat = render_chat(loaded.template, loaded.model, loaded.family, prompt, tools)
        text, reading = answering.read_chat(loaded, submit, chat.text, tools)
        tokens = tokenize(loaded.model, text, n_ctx, "messages")
        marks = _marks(loaded, chat, tokens, prompt)
    room = n_ctx - len(tokens)
    if room < 1:
        raise too_long(n_ctx, str(len(tokens)), param)
    if not tokens:
        raise InvalidArgument(f"'{param}': nothing is left of it as a prompt", param=param)
    max_tokens = room if submit.max_tokens is None else min(submit.max_tokens, room)
    params = sampling.resolve(submit.sampling, *loaded.sampling)
    sampling.require_known_tokens(params, loaded.model.n_vocab)
    return Job(
        request=submit.request,
        name=submit.name,
        prompt=tokens,
        sampling=params,
        max_tokens=max_tokens,
        stop=submit.stop,
        window=submit.window,
        submitted=submitted,
        choices=submit.answer.choices,
        parser=reading.parser,
        shown=reading.shown,
        logprobs=submit.answer.logprobs,
        grammar=answering.grammar(loaded, submit, tools, max_tokens, reading),
        thinking=reading.thinking,
        marks=marks,
    )


def _marks(
    loaded: Loaded, chat: ChatPrompt, tokens: Sequence[int], prompt: Prompt
) -> dict[int, str | None]:
    """Where to keep the sequence's state, and the name to pin it by."""
    cache = loaded.cache
    if not policy.wants_marks(cache, loaded.is_rigid):
        return {}
    parts = prompt_marks(loaded.template, loaded.model, chat, tokens)
    # The engine decodes the last token in a step of its own.
    return {
        mark: policy.pin_at(cache, parts, mark, prompt.session)
        for mark in policy.marks(cache, loaded.is_rigid, parts)
        if mark < len(tokens)
    }
