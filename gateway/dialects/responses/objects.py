"""The response object: what it says at its birth, and at its end."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.figures import timings
from kronk.gateway.run import ClientGone
from kronk.shared.errors import CallerError, KronkError
from kronk.shared.wire.to_gateway import Done

from .output import Output


def completed(born: dict[str, Any], output: Output, done: Done, now: int) -> dict[str, Any]:
    """The response at its good end, cut by a limit or not."""
    assert output.finished is not None
    cut = output.finished.reason == "length"
    return {
        **born,
        "status": "incomplete" if cut else "completed",
        "completed_at": None if cut else now,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output.json(),
        "usage": usage(done),
        "timings": timings(done, 1),
    }


def failed(born: dict[str, Any], output: Output, error: KronkError) -> dict[str, Any]:
    """The response at its bad end, with what there was of an answer."""
    output.break_off()
    if isinstance(error, ClientGone):
        # Nobody reads it now; whoever has its name may ask for it.
        return {**born, "status": "cancelled", "output": output.json()}
    # OpenAI's own codes, of which its clients know no others; ours is the type.
    code = "invalid_prompt" if isinstance(error, CallerError) else "server_error"
    return {
        **born,
        "status": "failed",
        "error": {
            "code": code,
            "message": error.message,
            "param": error.param,
            "type": error.code,
        },
        "output": output.json(),
    }


def usage(done: Done) -> dict[str, Any]:
    """OpenAI's token counts in the words of this dialect."""
    counts = done.usage
    return {
        "input_tokens": counts.prompt_tokens,
        # Nobody pays for what is written to a cache here.
        "input_tokens_details": {"cached_tokens": counts.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": counts.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
    }
