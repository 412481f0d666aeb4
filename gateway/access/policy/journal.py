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


class Journal:
    """A line for each decision that was made, and for refusals as many as are of use."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float(_BURST)
        self._at = clock()
        self._unsaid = 0

    def decided(self, question: Question, decision: Decision) -> None:
        """A decision was made anew."""
        if decision.allow:
            logger.info("access", **_who(question), **_what(decision))
        else:
            self.refused(question, decision)

    def refused(self, question: Question, decision: Decision) -> None:
        """Somebody was refused, now or once more."""
        if self._may_say():
            logger.info("access", **_who(question), **_what(decision), **self._before())

    def failed(self, question: Question, error: PolicyFailed, policy: str) -> None:
        """There was no decision."""
        if self._may_say():
            logger.error(
                "the policy cannot be evaluated",
                **_who(question),
                reason=error.why,
                policy=policy,
                **self._before(),
            )

    def _may_say(self) -> bool:
        now = self._clock()
        self._left = min(_BURST, self._left + (now - self._at) * _PER_SECOND)
        self._at = now
        if self._left < 1:
            self._unsaid += 1
            return False
        self._left -= 1
        return True

    def _before(self) -> dict[str, int]:
        unsaid, self._unsaid = self._unsaid, 0
        return {"unsaid_before": unsaid} if unsaid else {}


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
