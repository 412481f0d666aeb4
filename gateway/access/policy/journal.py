"""What is logged of decisions."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from .decision import Decision, PolicyFailed
from .question import Question

# Lines of refusals and failures: whoever is refused can ask again as often as he likes.
_BURST = 20
_PER_SECOND = 1.0

logger = structlog.get_logger()


class _Bucket:
    """How many lines of a kind may be written."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(_BURST)
        self._at = clock()
        self._unsaid = 0

    def take(self) -> bool:
        """Whether a line may be written now; if not, it is counted."""
        now = self._clock()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_SECOND)
        self._at = now
        if self._left < 1:
            self._unsaid += 1
            return False
        self._left -= 1
        return True

    def before(self) -> dict[str, int]:
        """How many were not written before this one."""
        unsaid, self._unsaid = self._unsaid, 0
        return {"unsaid_before": unsaid} if unsaid else {}


class Journal:
    """A line for each decision that was made, and for refusals as many as are of use."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._refusals = _Bucket(clock)
        # By themselves: who is refused must not be able to hide that the policy fails.
        self._failures = _Bucket(clock)

    def decided(self, question: Question, decision: Decision) -> None:
        """A decision was made anew."""
        if decision.allow:
            logger.info("access", **_who(question), **_what(decision))
        else:
            self.refused(question, decision)

    def refused(self, question: Question, decision: Decision) -> None:
        """Somebody was refused, now or once more."""
        if self._refusals.take():
            before = self._refusals.before()
            logger.info("access", **_who(question), **_what(decision), **before)

    def failed(self, question: Question, error: PolicyFailed, policy: str) -> None:
        """There was no decision."""
        if self._failures.take():
            logger.error(
                "the policy cannot be evaluated",
                **_who(question),
                reason=error.why,
                policy=policy,
                **self._failures.before(),
            )


def _who(question: Question) -> dict[str, object]:
    identity, access = question.identity, question.gate.access
    said: dict[str, object] = {
        "via": identity.via,
        "subject": identity.subject,
        "name": identity.name,
        "class": access.kind,
        "endpoint": access.endpoint,
        "route": f"{question.gate.method} {question.gate.path}",
        "problem": question.problem,
    }
    return {key: value for key, value in said.items() if value is not None}


def _what(decision: Decision) -> dict[str, object]:
    return {"allow": decision.allow, "reason": decision.reason, "policy": decision.policy}
