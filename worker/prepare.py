"""A submitted request to a job the engine can run: rendered, tokenised, checked, resolved."""

from __future__ import annotations

import time

from kronk.shared.errors import ContextLengthExceeded, InvalidArgument
from kronk.shared.wire.to_worker import Submit

from .engine import sampling
from .engine.slot import Job
from .loader import Loaded
from .template import render


def prepare(submit: Submit, loaded: Loaded) -> Job:
    """Raises a `CallerError` for everything that is wrong with the request."""
    submitted = time.monotonic()
    model = loaded.model
    variables = {"bos_token": model.token_text("bos"), "eos_token": model.token_text("eos")}
    prompt = model.tokenize(render(loaded.template, submit.messages, variables))
    room = loaded.fitted.n_ctx - len(prompt)
    if room < 1:
        raise ContextLengthExceeded(
            f"This model's maximum context length is {loaded.fitted.n_ctx} tokens. However, your"
            f" messages resulted in {len(prompt)} tokens. Please reduce the length of the"
            " messages.",
            param="messages",
        )
    if not prompt:
        raise InvalidArgument("the messages render to an empty prompt", param="messages")
    return Job(
        request=submit.request,
        prompt=prompt,
        sampling=sampling.resolve(submit.sampling, *loaded.sampling),
        max_tokens=room if submit.max_tokens is None else min(submit.max_tokens, room),
        stop=submit.stop,
        window=submit.window,
        submitted=submitted,
    )
