"""A token, or its end, as somebody asks for it, by a command or by the API."""

from __future__ import annotations

from dataclasses import dataclass, field

from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_duration

from .grants import Grants, parse_endpoints, parse_models, parse_tokens
from .key_files import UUID
from .tokens import check_wish

_MOST_CONCURRENT = 10**6
_LONGEST_REASON = 200


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
    seconds = _seconds(duration)
    check_wish(seconds, name, subject)
    return TokenWish(seconds, grants, admin, name, subject)


@dataclass(frozen=True, slots=True)
class RevocationWish:
    """Whose tokens are to end: of one of the two; `InvalidArgument` for what cannot be."""

    subject: str | None = None
    token: str | None = field(default=None, repr=False)
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.subject is None) == (self.token is None):
            raise InvalidArgument("subject: expected either a subject or a token", param="subject")
        if self.subject is not None and not UUID.fullmatch(self.subject):
            raise InvalidArgument(
                "subject: expected a UUID, as `kronk security token list` shows it", param="subject"
            )
        reason = self.reason
        if reason is not None and not (len(reason) <= _LONGEST_REASON and reason.isprintable()):
            raise InvalidArgument(
                f"reason: expected at most {_LONGEST_REASON} printable characters", param="reason"
            )


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidArgument(f"duration: {error}, got {text[:40]!r}", param="duration") from error
