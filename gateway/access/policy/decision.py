"""What a policy answers, and the error that a refusal is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from kronk.shared.errors import KronkError, Overloaded, PermissionDenied, Unauthenticated

# A word of the policy's own goes out to clients: it can be nothing but a word.
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MOST_MODELS = 1000
_NO_TOKEN = "unauthorized: no authorization header"
_FORBIDDEN = {
    "endpoint_not_authorized": "endpoint not authorized",
    "model_not_authorized": "model not authorized",
}


class PolicyFailed(Overloaded):
    """There is no answer of a policy, so nobody is let in. `why` is for the log only."""

    def __init__(self, why: str) -> None:
        super().__init__("the policy cannot be evaluated", retry_after=1.0)
        self.why = why


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may, and why not."""

    allow: bool
    reason: str
    # How long it holds, in seconds; None is until something changes that it depends on.
    cache_seconds: float | None = None
    # The only models that may be used, by names and patterns as tokens have them; None is all.
    models: tuple[str, ...] | None = None
    # Which policy said so, as logs name it.
    policy: str = ""

    def refusal(self, problem: Unauthenticated | None = None) -> KronkError | None:
        """The error to raise; None if nothing is refused. `problem` is what is wrong with the
        credential that was sent."""
        if self.allow:
            return None
        if self.reason == "unauthorized":
            return Unauthenticated(_NO_TOKEN)
        if self.reason == "invalid_token":
            return problem or Unauthenticated()
        return PermissionDenied(
            _FORBIDDEN.get(self.reason, f"refused by the policy: {self.reason}")
        )


def read_result(result: Any, policy: str) -> Decision:
    """The decision that a policy's document is; `PolicyFailed` if it is none."""
    if not isinstance(result, dict):
        raise PolicyFailed("the result is not an object with `allow`")
    allow = result.get("allow")
    if not isinstance(allow, bool):
        raise PolicyFailed("`allow` is neither true nor false")
    reason = result.get("reason", "ok" if allow else "denied")
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        raise PolicyFailed("`reason` is not a word of a-z, 0-9 and _, of at most 64 characters")
    models = _models(result.get("models"))
    return Decision(allow, reason, _seconds(result.get("cache_seconds")), models, policy)


def _models(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_MODELS:
        raise PolicyFailed(f"`models` is not a list of at most {_MOST_MODELS} names")
    if not all(isinstance(name, str) for name in value):
        raise PolicyFailed("`models` has what is no name")
    return tuple(value)


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyFailed("`cache_seconds` is not a number")
    if not math.isfinite(value) or value < 0:
        raise PolicyFailed("`cache_seconds` is not a number from 0 on")
    return float(value)
