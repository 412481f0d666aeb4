"""What a token grants, and how that is written: in commands, and as claims.

`chat-completions:1000/day,embeddings` is a list of endpoints with limits of calls.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, cast, get_args

from kronk.shared.errors import InvalidArgument

Window = Literal["day", "month", "year", "unlimited"]
WINDOWS: tuple[Window, ...] = get_args(Window)

# What can be granted: the first five are the manual's. Files belong to batches; Ollama's routes to
# what they are in OpenAI's words.
ENDPOINTS = (
    "chat-completions",
    "responses",
    "embeddings",
    "rerank",
    "messages",
    "completions",
    "audio",
    "tokenize",
    "batches",
    # The state of server and models, without changing it.
    "monitoring",
    # What another Kronk asks with `--auth-host`.
    "delegation",
)
_MOST_CALLS = 10**15
_MOST_MODELS = 200
# Letters, digits and what names of models have, with `*` for any of them.
_MODEL = re.compile(r"[A-Za-z0-9*][A-Za-z0-9*._/:@+-]{0,254}")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many within a calendar window of UTC. `calls` is None where there is no limit, and 0
    denies."""

    calls: int | None = None
    window: Window = "unlimited"

    def __post_init__(self) -> None:
        assert (self.calls is None) == (self.window == "unlimited"), "a number needs a window"

    def __str__(self) -> str:
        return "unlimited" if self.calls is None else f"{self.calls}/{self.window}"

    def to_claim(self) -> dict[str, Any]:
        """As it stands in a token."""
        return {"limit": self.calls or 0, "window": self.window}


UNLIMITED = Limit()


@dataclass(frozen=True, slots=True)
class Grants:
    """All that a token grants. None is "no such limit"."""

    endpoints: Mapping[str, Limit] = field(default_factory=dict)
    # Names of models, or patterns with `*`.
    models: tuple[str, ...] | None = None
    # Tokens of prompts and answers together.
    tokens: Limit | None = None
    # Requests at once.
    concurrency: int | None = None

    def allows_model(self, name: str) -> bool:
        """Whether a model of that name may be used."""
        return self.models is None or any(fnmatchcase(name, rule) for rule in self.models)

    def to_claims(self) -> dict[str, Any]:
        """As they stand in a token; `from_claims` reads them."""
        claims: dict[str, Any] = {
            "endpoints": {name: limit.to_claim() for name, limit in self.endpoints.items()}
        }
        if self.models is not None:
            claims["models"] = list(self.models)
        if self.tokens is not None:
            claims["tokens"] = self.tokens.to_claim()
        if self.concurrency is not None:
            claims["concurrency"] = self.concurrency
        return claims

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Grants:
        """What `to_claims` wrote; ValueError for anything else. Endpoints that this version does
        not know are kept: nothing asks for them."""
        endpoints = claims.get("endpoints", {})
        if not isinstance(endpoints, dict):
            raise ValueError("endpoints: expected an object")
        models = claims.get("models")
        if models is not None and not _is_texts(models):
            raise ValueError("models: expected a list of names")
        concurrency = claims.get("concurrency")
        if concurrency is not None and not _is_count(concurrency):
            raise ValueError("concurrency: expected a whole number from 1 on")
        tokens = claims.get("tokens")
        return cls(
            {str(name): _limit_of(claim) for name, claim in endpoints.items()},
            None if models is None else tuple(models),
            None if tokens is None else _limit_of(tokens),
            concurrency,
        )


def parse_endpoints(text: str) -> dict[str, Limit]:
    """What `--endpoints` says; `InvalidArgument` names what is wrong, and what may be meant."""
    found: dict[str, Limit] = {}
    for part in text.split(","):
        name, separator, limit = part.strip().partition(":")
        if name not in ENDPOINTS:
            raise InvalidArgument(_unknown(name), param="endpoints")
        if name in found:
            raise InvalidArgument(f"endpoints: {name} is there twice", param="endpoints")
        found[name] = parse_limit(limit, f"endpoints: {name}") if separator else UNLIMITED
    return found


def parse_limit(text: str, where: str) -> Limit:
    """`1000/day`, `10000/month`, `50000/year` or `unlimited`; `where` begins the complaint."""
    if text == "unlimited":
        return UNLIMITED
    number, separator, window = text.partition("/")
    is_window = window in WINDOWS and window != "unlimited"
    if not separator or not (number.isascii() and number.isdecimal()) or not is_window:
        raise InvalidArgument(
            f"{where}: expected unlimited, or a limit such as 1000/day, 1000/month or 1000/year; "
            f"got {text[:60]!r}",
            param=where.partition(":")[0],
        )
    if len(number) > len(str(_MOST_CALLS)) or int(number) > _MOST_CALLS:
        raise InvalidArgument(
            f"{where}: {number[:30]} is more than {_MOST_CALLS}", param=where.partition(":")[0]
        )
    return Limit(int(number), cast(Window, window))


def parse_tokens(text: str) -> Limit:
    """What `--tokens` says."""
    return parse_limit(text, "tokens")


def parse_models(text: str) -> tuple[str, ...]:
    """What `--models` says: names separated by commas, with `*` for any text."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or len(names) > _MOST_MODELS:
        raise InvalidArgument(f"models: expected 1 to {_MOST_MODELS} names", param="models")
    for name in names:
        if not _MODEL.fullmatch(name):
            raise InvalidArgument(
                f"models: expected names such as Qwen3-8B-Q8_0 or Qwen3-*, got {name[:60]!r}",
                param="models",
            )
    return names


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower().replace("_", "-"), ENDPOINTS, 1, cutoff=0.5)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"endpoints: there is no {name[:60]!r}{meant} (there are {', '.join(ENDPOINTS)})"


def _limit_of(claim: object) -> Limit:
    if not isinstance(claim, dict):
        raise ValueError("a limit: expected an object")
    window, calls = claim.get("window"), claim.get("limit")
    if window == "unlimited":
        return UNLIMITED
    if window not in WINDOWS or not _is_whole(calls):
        raise ValueError("a limit: expected a limit and a window")
    return Limit(calls, window)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return _is_whole(value) and value != 0


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)
