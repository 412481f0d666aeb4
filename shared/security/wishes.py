"""A token as somebody asks for it, by a command or by the API."""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_duration

from .grants import Grants, parse_endpoints, parse_models, parse_tokens

_MOST_CONCURRENT = 10**6


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What `tokens.issue` is told. Durations are seconds."""

    duration: float
    grants: Grants
    admin: bool = False
    name: str | None = None
    subject: str | None = None


def parse_wish(
    duration: str,
    *,
    endpoints: str | None = None,
    models: str | None = None,
    tokens: str | None = None,
    concurrency: int | None = None,
    admin: bool = False,
    name: str | None = None,
    subject: str | None = None,
) -> TokenWish:
    """Texts as commands have them; `InvalidArgument` names what is wrong, and what may be meant."""
    limits = {
        "endpoints": endpoints,
        "models": models,
        "tokens": tokens,
        "concurrency": concurrency,
    }
    if admin:
        given = [field for field, value in limits.items() if value is not None]
        if given:
            raise InvalidArgument(
                f"{given[0]}: an admin's token has no limits; leave out one of the two",
                param=given[0],
            )
    elif endpoints is None:
        raise InvalidArgument(
            "endpoints: expected what the token is for, such as chat-completions:1000/day",
            param="endpoints",
        )
    if concurrency is not None and not 1 <= concurrency <= _MOST_CONCURRENT:
        raise InvalidArgument(
            f"concurrency: expected 1 to {_MOST_CONCURRENT}, got {concurrency}", param="concurrency"
        )
    grants = Grants(
        {} if endpoints is None else parse_endpoints(endpoints),
        None if models is None else parse_models(models),
        None if tokens is None else parse_tokens(tokens),
        concurrency,
    )
    return TokenWish(_seconds(duration), grants, admin, name, subject)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidArgument(f"duration: {error}, got {text[:40]!r}", param="duration") from error
