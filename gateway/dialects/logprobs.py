"""Log-probabilities in the form of OpenAI's Chat Completions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kronk.shared.wire.values import TokenLogprob


def chat_logprobs(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """The `logprobs` of a choice, or of a chunk."""
    return {"content": chat_tokens(tokens), "refusal": None}


def chat_tokens(tokens: Iterable[TokenLogprob]) -> list[dict[str, Any]]:
    """Its `content`."""
    return [
        {
            **token_logprob(token.piece, token.logprob),
            "top_logprobs": [token_logprob(other.piece, other.logprob) for other in token.top],
        }
        for token in tokens
    ]


def readable(piece: bytes) -> str:
    """A token's text; a token may be part of a character, and then only its bytes are exact."""
    return piece.decode(errors="replace")


def finite(logprob: float) -> float:
    """JSON has no infinity; OpenAI says -9999 for what is next to impossible."""
    return max(logprob, -9999.0)


def token_logprob(piece: bytes, logprob: float) -> dict[str, Any]:
    """One token, without what might have stood in its place."""
    return {"token": readable(piece), "logprob": finite(logprob), "bytes": list(piece)}
