"""A submitted request to a job the engine can run: rendered, tokenised, checked, resolved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Resumed, Submit
from kronk.shared.wire.values import Answer, Prompt

from . import answering
from .cache import policy
from .engine import sampling
from .engine.job import Job
from .engine.output import Output
from .engine.steering import not_resumed
from .loader import Loaded
from .media.clip import MediaFile
from .media.projector import wrong_modality
from .media.prompt import PromptTokens, compose
from .parsers.base import Tool
from .prompting import Check, fitting, plain_tokens, prompt_marks, too_long
from .rendering import ChatPrompt, render_chat


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model is given, and how its answer is read."""

    tokens: PromptTokens
    # None where the prompt is no chat.
    chat: ChatPrompt | None = None
    # A chat's text, with its thinking closed where that is not wanted.
    text: str = ""
    tools: Sequence[Tool] = ()
    reading: answering.Reading = answering.PLAIN
    # Seconds that the rendering and the tokenising took.
    render: float = 0.0
    tokenise: float = 0.0


def see(prompt: Prompt, answer: Answer, loaded: Loaded, check: Check) -> Seen:
    """The prompt rendered and tokenised; `InvalidArgument` for one that cannot be."""
    began = time.monotonic()
    if prompt.messages is None:
        tokens = PromptTokens(plain_tokens(loaded.model, prompt, check))
        return Seen(tokens, tokenise=time.monotonic() - began)
    tools = answering.callable_tools(prompt, answer)
    chat = render_chat(loaded.template, loaded.model, loaded.family, prompt, tools)
    text, reading = answering.read_chat(loaded, prompt, answer, chat.text, tools)
    check(text, prompt.field)
    rendered = time.monotonic()
    tokens = tokenize_chat(text, chat, prompt, loaded)
    render, tokenise = rendered - began, time.monotonic() - rendered
    return Seen(tokens, chat, text, tools, reading, render, tokenise)


def tokenize_chat(text: str, chat: ChatPrompt, prompt: Prompt, loaded: Loaded) -> PromptTokens:
    """The tokens of a rendered chat, its files among them; `InvalidArgument` names the field of one
    that the model does not take or that cannot be read."""
    return compose(text, chat.markers, read_files(prompt, loaded), loaded.model)


def read_files(prompt: Prompt, loaded: Loaded) -> list[MediaFile]:
    """The prompt's files as the model reads them, before they are encoded. As long as somebody
    holds them, doing so again takes no time."""
    if loaded.projector is None:
        for file in prompt.media:
            raise wrong_modality(file)
        return []
    return [loaded.projector.read(file) for file in prompt.media]


def prepare(submit: Submit, loaded: Loaded) -> Job:
    """Raises a `CallerError` for everything that is wrong with the request."""
    submitted, began = time.monotonic(), time.time()
    n_ctx = loaded.fitted.n_ctx
    seen = see(submit.prompt, submit.answer, loaded, fitting(loaded.model, n_ctx))
    param = submit.prompt.field
    tokens, reading = seen.tokens, seen.reading
    room = n_ctx - tokens.rows
    if room < 1:
        raise too_long(n_ctx, str(tokens.rows), param)
    if not tokens.ids:
        raise InvalidArgument(f"'{param}': nothing is left of it as a prompt", param=param)
    max_tokens = room if submit.max_tokens is None else min(submit.max_tokens, room)
    resumed = _resumed(submit, max_tokens, loaded)
    configured, recommended, gguf = loaded.sampling
    below = configured if submit.sampling.preset is None else recommended
    params = sampling.resolve(submit.sampling, below, gguf, draw=submit.draw)
    sampling.require_known_tokens(params, loaded.model.n_vocab)
    return Job(
        request=submit.request,
        name=submit.name,
        prompt=tokens.ids,
        sampling=params,
        max_tokens=max_tokens,
        stop=submit.stop,
        window=submit.window,
        submitted=submitted,
        choices=submit.answer.choices,
        parser=reading.parser,
        shown=reading.shown,
        logprobs=submit.answer.logprobs,
        echo=_text(loaded, tokens.ids) if submit.answer.echo else "",
        grammar=answering.grammar(loaded, submit, seen.tools, max_tokens, reading),
        thinking=reading.thinking,
        marks=_marks(loaded, seen, submit),
        spans=tuple(tokens.spans),
        resumed=resumed,
        thought=sum(_thought(reading, one, loaded) for one in resumed.values() if one.finished),
        subject=submit.subject,
        began=began,
        render=seen.render,
        tokenise=seen.tokenise,
        trace=submit.trace,
    )


def _resumed(submit: Submit, max_tokens: int, loaded: Loaded) -> dict[int, Resumed]:
    """What another process has generated, by choice; `ModelCrashed` where this model cannot have
    generated it."""
    known = {}
    for one in submit.resumed:
        if one.choice in known or not 0 <= one.choice < submit.answer.choices:
            raise not_resumed(f"it has no choice {one.choice}, or has it twice")
        if len(one.tokens) > max_tokens:
            raise not_resumed(f"it has {len(one.tokens)} tokens, where {max_tokens} are allowed")
        for token in one.tokens:
            if not 0 <= token < loaded.model.n_vocab or token in loaded.model.ends:
                raise not_resumed(f"token {token} is none that this model's answers are made of")
        known[one.choice] = one
    return known


def _thought(reading: answering.Reading, finished: Resumed, loaded: Loaded) -> int:
    """Tokens of thinking in a choice that is finished."""
    if reading.parser is None:
        return 0
    output = Output(0, 0, (), reading.parser())
    for token in finished.tokens:
        output.feed(token, reading.shown.get(token) or loaded.model.piece(token))
    output.finish()
    return output.reasoning_tokens


def _text(loaded: Loaded, tokens: Sequence[int]) -> str:
    return loaded.model.detokenize(tokens).decode("utf-8", "replace")


def _marks(loaded: Loaded, seen: Seen, submit: Submit) -> dict[int, str | None]:
    """Where to keep the sequence's state, and the name to pin it by."""
    cache = loaded.cache
    if seen.chat is None or not policy.wants_marks(cache, loaded.is_rigid):
        return {}
    parts = prompt_marks(loaded.template, loaded.model, seen.chat, seen.tokens)
    # The engine decodes the last token in a step of its own.
    return {
        mark: policy.pin_at(cache, parts, mark, submit.prompt.session, submit.subject)
        for mark in policy.marks(cache, loaded.is_rigid, parts)
        if mark < len(seen.tokens.ids)
    }
