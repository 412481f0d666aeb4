"""A submitted request to a job the engine can run: rendered, tokenised, checked, resolved."""

from __future__ import annotations

import time

from kronk.shared.errors import ContextLengthExceeded, InvalidArgument
from kronk.shared.wire.to_worker import Submit

from .engine import sampling
from .engine.job import Job
from .loader import Loaded
from .template import render

# Texts shorter than this per token of context are tokenised without a look at the vocabulary.
_USUAL_LONGEST = 16


def prepare(submit: Submit, loaded: Loaded) -> Job:
    """Raises a `CallerError` for everything that is wrong with the request."""
    submitted = time.monotonic()
    model = loaded.model
    variables = {"bos_token": model.token_text("bos"), "eos_token": model.token_text("eos")}
    n_ctx = loaded.fitted.n_ctx
    text = render(loaded.template, submit.prompt.messages, variables)
    # Tokenising 30 MB takes ten seconds, in which nobody else's prompt is prepared: a text that
    # cannot fit whatever its tokens are is refused unread.
    # Characters are never more than bytes, and are counted already.
    if len(text) > n_ctx * _USUAL_LONGEST and len(text) > n_ctx * model.longest_piece:
        raise _too_long(n_ctx, f"at least {len(text) // model.longest_piece}")
    prompt = model.tokenize(text)
    room = n_ctx - len(prompt)
    if room < 1:
        raise _too_long(n_ctx, str(len(prompt)))
    if not prompt:
        raise InvalidArgument("the messages render to an empty prompt", param="messages")
    params = sampling.resolve(submit.sampling, *loaded.sampling)
    sampling.require_known_tokens(params, model.n_vocab)
    return Job(
        request=submit.request,
        prompt=prompt,
        sampling=params,
        max_tokens=room if submit.max_tokens is None else min(submit.max_tokens, room),
        stop=submit.stop,
        window=submit.window,
        submitted=submitted,
    )


def _too_long(n_ctx: int, tokens: str) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"This model's maximum context length is {n_ctx} tokens. However, your messages resulted in"
        f" {tokens} tokens. Please reduce the length of the messages.",
        param="messages",
    )
