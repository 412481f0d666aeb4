"""How a caller is told of limits: in headers, and when one is used up. Pure."""

from __future__ import annotations

import time

from kronk.shared.errors import RateLimited
from kronk.shared.security.counters import Charge, Standing

HEADERS = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Limit-Tokens",
    "X-RateLimit-Remaining-Tokens",
    "X-Should-Retry",
)
# Clients of OpenAI and Anthropic wait as long as Retry-After says before they try again. Who is
# waited for a minute has better things to show his user.
_LONGEST_WAIT = 60.0
# For who has too many requests at once: one of them may be over any moment.
BUSY_SECONDS = 1.0


def headers_of(charge: Charge) -> dict[str, str]:
    """What goes out with every answer to who has a limit."""
    standing = charge.standing
    if standing is None:
        return {}
    found = {
        "X-RateLimit-Limit": str(standing.limit),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(standing.resets),
    }
    if charge.tokens is not None:
        found["X-RateLimit-Limit-Tokens"] = str(charge.tokens.limit)
        found["X-RateLimit-Remaining-Tokens"] = str(charge.tokens.remaining)
    return found


def used_up(charge: Charge, now: float) -> RateLimited:
    """The refusal of a charge, which says which limit it was and when it begins anew."""
    standing = charge.refused
    assert standing is not None, "it was refused"
    wait = max(0.0, standing.resets - now)
    headers = headers_of(charge)
    if wait > _LONGEST_WAIT:
        headers["X-Should-Retry"] = "false"
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(standing.resets))
    return RateLimited(
        f"rate limit exceeded: {_what(standing, charge.endpoint)} "
        f"{'is' if standing.limit == 1 else 'are'} used up until {until}",
        retry_after=wait,
        headers=headers,
    )


def too_many(most: int) -> RateLimited:
    """The refusal of one more request at once."""
    requests = "request" if most == 1 else "requests"
    return RateLimited(
        f"rate limit exceeded: {most} {requests} at once are granted", retry_after=BUSY_SECONDS
    )


def _what(standing: Standing, endpoint: str) -> str:
    if standing.of == "tokens":
        return f"{_counted(standing.limit, 'token')} a {standing.window}"
    return f"{_counted(standing.limit, 'call')} a {standing.window} of {endpoint}"


def _counted(count: int, noun: str) -> str:
    return f"the one {noun}" if count == 1 else f"the {count} {noun}s"
